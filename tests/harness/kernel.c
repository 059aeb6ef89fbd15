/* SPDX-License-Identifier: MIT */
/* Opens the kernel that a test runs on. */
#include <fcntl.h>
#include <unistd.h>

#ifdef HAVE_SIM
#include <libgmem/sim.h>
#endif

#include "gt_internal.h"
#include "sys_call.h"

static bool is_real(const char *name)
{
	return strcmp(name, "kvm") == 0 || strcmp(name, "vm") == 0;
}

#ifdef HAVE_SIM
#define SIM "sim:"

static const char *profile_of(const char *name)
{
	return strncmp(name, SIM, strlen(SIM)) == 0 ? name + strlen(SIM) : NULL;
}

static int open_sim(const char *name, struct gt *ret_t)
{
	struct gmem_sim *sim;
	int ret = gmem_sim_create(profile_of(name), NULL, &sim);

	if (ret)
		return ret;
	*ret_t = (struct gt){
		.kernel = name,
		.profile = profile_of(name),
		.ops = gmem_sim_ops(),
		.user = sim,
		.sim = sim,
	};
	return 0;
}

/* What is alive in it; all of it dies with its descriptors and mappings. */
struct gt_alive gt_count_alive(const struct gt *t)
{
	struct gmem_sim_stats stats = {.sz = sizeof(stats)};

	if (!t->sim || gmem_sim_get_stats(t->sim, &stats))
		return (struct gt_alive){0};
	return (struct gt_alive){
		.vms = stats.vms,
		.files = stats.files,
		.inodes = stats.inodes,
		.slots = stats.slots,
		.allocated = stats.allocated,
	};
}

bool gt_kernel_close(struct gt *t)
{
	struct gt_alive alive = gt_count_alive(t);

	gmem_sim_unref(t->sim);
	if (!alive.vms && !alive.files)
		return true;
	fprintf(stderr, "%llu VMs and %llu files are left in the simulated kernel\n",
		(unsigned long long)alive.vms, (unsigned long long)alive.files);
	return false;
}
#else
static const char *profile_of(const char *name)
{
	return NULL;
}

static int open_sim(const char *name, struct gt *ret_t)
{
	return -ENOENT;
}

struct gt_alive gt_count_alive(const struct gt *t)
{
	return (struct gt_alive){0};
}

bool gt_kernel_close(struct gt *t)
{
	return true;
}
#endif

const char *gt_kernel_missing(const char *name)
{
	if (is_real(name))
		return access("/dev/kvm", R_OK | W_OK) == 0 ? NULL : "no usable /dev/kvm";
	return profile_of(name) ? NULL : "GMEM_TEST_KERNEL is neither kvm, vm nor sim:PROFILE";
}

int gt_kernel_open(const char *name, struct gt *ret_t)
{
	if (profile_of(name))
		return open_sim(name, ret_t);
	*ret_t = (struct gt){.kernel = name, .ops = &gmi_sys_linux_ops};
	return 0;
}
