/* SPDX-License-Identifier: MIT */
/* Which kernel answers the system calls: the machine's, or a simulated one. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

void kernel_open(struct kernel *kernel, const char *spec)
{
	kernel->sys = gmem_sys_linux();
	if (strcmp(spec, "kvm") == 0)
		return;
	if (gmem_sim_create(spec + strlen("sim:"), NULL, &kernel->sim))
		fail(STATUS_USAGE, "no simulated kernel for --kernel %s", spec);
	kernel->sys = gmem_sim_ops();
	kernel->user = kernel->sim;
}

void kernel_close(struct kernel *kernel)
{
	gmem_sim_unref(kernel->sim);
}
#else
void kernel_open(struct kernel *kernel, const char *spec)
{
	if (strcmp(spec, "kvm") != 0)
		fail(STATUS_USAGE, "--kernel %s: built without the simulated kernel", spec);
	kernel->sys = gmem_sys_linux();
}

void kernel_close(struct kernel *kernel)
{
}
#endif

/* @arg is a pointer or, where the request takes a number, that number. */
int kernel_ioctl(const struct kernel *kernel, int fd, uint64_t request, void *arg)
{
	return kernel->sys->ioctl(kernel->user, fd, request, arg);
}

void *kernel_mmap(const struct kernel *kernel, uint64_t size, int flags, int fd)
{
	void *addr;

	fail_if(kernel->sys->mmap(kernel->user, NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0,
				  &addr),
		"cannot map memory");
	return addr;
}
