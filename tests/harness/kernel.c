/* SPDX-License-Identifier: MIT */
/* Opens the kernel that a test runs on: the machine's or a simulated one. */
#include <fcntl.h>
#include <unistd.h>

#include <libgmem/sim.h>

#include "gt_internal.h"
#include "sys_call.h"

static const char *profile_of(const char *name)
{
	return strncmp(name, "sim:", 4) == 0 ? name + 4 : NULL;
}

static bool is_real(const char *name)
{
	return strcmp(name, "kvm") == 0 || strcmp(name, "vm") == 0;
}

const char *gt_kernel_missing(const char *name)
{
	if (is_real(name))
		return access("/dev/kvm", R_OK | W_OK) == 0 ? NULL : "no usable /dev/kvm";
	return profile_of(name) ? NULL : "GMEM_TEST_KERNEL is neither kvm, vm nor sim:PROFILE";
}

int gt_kernel_open(const char *name, struct gt *ret_t)
{
	struct gt t = {.kernel = name, .profile = profile_of(name), .ops = &gmi_sys_linux_ops};
	int ret = 0;

	if (t.profile) {
		ret = gmem_sim_create(t.profile, NULL, &t.sim);
		t.ops = gmem_sim_ops();
		t.user = t.sim;
	}
	if (ret == 0)
		*ret_t = t;
	return ret;
}

static struct gmem_sim_stats stats_of(const struct gt *t)
{
	GMEM_INIT(gmem_sim_stats, stats);

	if (t->sim && gmem_sim_get_stats(t->sim, &stats) < 0)
		abort();
	return stats;
}

bool gt_kernel_close(struct gt *t)
{
	struct gmem_sim_stats stats = stats_of(t);
	bool clean = !(stats.vms | stats.vcpus | stats.inodes | stats.files | stats.slots |
		       stats.mappings | stats.allocated);

	if (!clean)
		fprintf(stderr,
			"left in the simulated kernel: %llu VMs, %llu vCPUs, %llu inodes, %llu "
			"files, "
			"%llu slots, %llu mappings, %llu bytes\n",
			(unsigned long long)stats.vms, (unsigned long long)stats.vcpus,
			(unsigned long long)stats.inodes, (unsigned long long)stats.files,
			(unsigned long long)stats.slots, (unsigned long long)stats.mappings,
			(unsigned long long)stats.allocated);
	gmem_sim_unref(t->sim);
	return clean;
}

struct gt_alive gt_count_alive(const struct gt *t)
{
	struct gmem_sim_stats stats = stats_of(t);

	return (struct gt_alive){
		.vms = stats.vms,
		.files = stats.files,
		.inodes = stats.inodes,
		.slots = stats.slots,
		.allocated = stats.allocated,
	};
}
