/* SPDX-License-Identifier: MIT */
/* Which kernel answers the system calls: the machine's, or a simulated one. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

static void open_simulated(struct kernel *kernel, const char *profile)
{
	if (gmem_sim_create(profile, NULL, &kernel->sim)) {
		fprintf(stderr, "gmem-vmm: no simulated kernel \"%s\"; there are:\n", profile);
		for (size_t i = 0; gmem_sim_profile_name(i); i++)
			fprintf(stderr, "  sim:%s\n", gmem_sim_profile_name(i));
		exit(STATUS_USAGE);
	}
	kernel->sys = gmem_sim_ops();
	kernel->user = kernel->sim;
}

void kernel_close(struct kernel *kernel)
{
	gmem_sim_unref(kernel->sim);
}
#else
static void open_simulated(struct kernel *kernel, const char *profile)
{
	fail(STATUS_USAGE, "sim:%s: built without the simulated kernel", profile);
}

void kernel_close(struct kernel *kernel)
{
}
#endif

void kernel_open(struct kernel *kernel, const char *spec)
{
	if (strncmp(spec, "sim:", 4) == 0)
		open_simulated(kernel, spec + 4);
	else if (strcmp(spec, "kvm") == 0)
		kernel->sys = gmem_sys_linux();
	else
		fail(STATUS_USAGE, "--kernel %s: not kvm or sim:PROFILE", spec);
}

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
