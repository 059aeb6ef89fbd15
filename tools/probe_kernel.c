/* SPDX-License-Identifier: MIT */
/* Which kernel "gmemctl probe" asks: the machine's, or a simulated one. */
#include <errno.h>
#include <string.h>

#include "probe.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

static int open_simulated(struct probe_kernel *kernel, const char *profile)
{
	int err = gmem_sim_create(profile, NULL, &kernel->sim);

	if (err) {
		complain("no simulated kernel \"%s\": %s", profile, gmem_strerror(err));
		return err;
	}
	kernel->sys = gmem_sim_ops();
	kernel->user = kernel->sim;
	return 0;
}

void probe_kernel_close(struct probe_kernel *kernel)
{
	gmem_sim_unref(kernel->sim);
}
#else
static int open_simulated(struct probe_kernel *kernel, const char *profile)
{
	complain("built without the simulated kernel (meson option \"sim\")");
	return -EOPNOTSUPP;
}

void probe_kernel_close(struct probe_kernel *kernel)
{
}
#endif

int probe_kernel_open(struct probe_kernel *kernel, const char *spec)
{
	if (strncmp(spec, "sim:", 4) == 0)
		return open_simulated(kernel, spec + 4);
	if (strcmp(spec, "kvm") != 0) {
		complain("--kernel %s: not kvm or sim:PROFILE", spec);
		return -EINVAL;
	}
	kernel->sys = gmem_sys_linux();
	return 0;
}
