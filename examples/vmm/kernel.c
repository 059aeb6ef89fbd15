/* SPDX-License-Identifier: MIT */
/* Which kernel answers the system calls: the machine's, or a simulated one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

static int open_simulated(struct kernel *kernel, const char *profile)
{
	int err = gmem_sim_create(profile, NULL, &kernel->sim);

	if (err == -ENOENT) {
		fprintf(stderr, "gmem-vmm: no simulated kernel \"%s\"\n", profile);
		return err;
	}
	if (err)
		return report_gmem_error("cannot make the simulated kernel", err);
	kernel->sys = gmem_sim_ops();
	kernel->user = kernel->sim;
	return 0;
}

static void close_simulated(struct kernel *kernel)
{
	gmem_sim_unref(kernel->sim);
}
#else
static int open_simulated(struct kernel *kernel, const char *profile)
{
	fprintf(stderr, "gmem-vmm: built without the simulated kernel (meson option \"sim\")\n");
	return -EOPNOTSUPP;
}

static void close_simulated(struct kernel *kernel)
{
}
#endif

int kernel_open(struct kernel *kernel, const char *spec)
{
	if (strncmp(spec, "sim:", 4) == 0)
		return open_simulated(kernel, spec + 4);
	kernel->sys = gmem_sys_linux();
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	close_simulated(kernel);
}

bool kernel_is_simulated(const struct kernel *kernel)
{
	return kernel->sim != NULL;
}

int kernel_ioctl(const struct kernel *kernel, int fd, uint64_t request, const void *arg)
{
	return kernel->sys->ioctl(kernel->user, fd, request, (void *)(uintptr_t)arg);
}
