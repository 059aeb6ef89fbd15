/* SPDX-License-Identifier: MIT */
/* Whether mbind() places a file's pages: the question has no capability and must be tried. */
#include <errno.h>
#include <sys/mman.h>

#include "probe_run.h"
#include "uapi_numa.h"

#define NODE_WORDS (GMI_MAX_NUMNODES / 64)

static bool has_no_numa(int error)
{
	return error == -ENOSYS || error == -EPERM || error == -EACCES;
}

/* The policy that a fresh mapping of the file has; with @set, sets that one before. */
static int policy_of_mapping(struct gmi_probe_run *run, int *ret_mode, const int *set,
			     const uint64_t *nodes)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	void *addr;
	int ret;

	ret = gmi_sys_mmap(sys, NULL, GMEM_PAGE_SIZE, PROT_NONE, MAP_SHARED, run->mmap_fd, 0,
			   &addr);
	if (ret)
		return ret;
	if (set)
		ret = gmi_sys_mbind(sys, addr, GMEM_PAGE_SIZE, *set, nodes, GMI_MAX_NUMNODES, 0);
	if (!ret)
		ret = gmi_sys_get_mempolicy(sys, ret_mode, NULL, 0, addr, GMI_MPOL_F_ADDR);
	gmi_ctx_munmap(run->ctx, addr, GMEM_PAGE_SIZE);
	*ret_mode &= GMI_MPOL_MODE_MASK;
	return ret;
}

/*
 * 6.18 takes mbind() on a mapping of guest_memfd and keeps the policy in the mapping alone, where
 * no allocation looks; from 6.19 on the file keeps it. So the policy is set through one mapping and
 * read through the next, and is one that the process's own policy cannot be taken for.
 */
static int try_policy(struct gmi_probe_run *run, bool *ret_kept)
{
	uint64_t nodes[NODE_WORDS] = {0};
	int before = 0, after = 0, mode;
	int ret;

	ret = gmi_sys_get_mempolicy(&run->ctx->sys, &mode, nodes, GMI_MAX_NUMNODES, NULL,
				    GMI_MPOL_F_MEMS_ALLOWED);
	if (!ret)
		ret = policy_of_mapping(run, &before, NULL, NULL);
	mode = before == GMI_MPOL_INTERLEAVE ? GMI_MPOL_BIND : GMI_MPOL_INTERLEAVE;
	if (!ret)
		ret = policy_of_mapping(run, &after, &mode, nodes);
	if (!ret)
		ret = policy_of_mapping(run, &after, NULL, NULL);
	*ret_kept = after == mode;
	return ret;
}

struct gmi_answer gmi_probe_numa(struct gmi_probe_run *run)
{
	struct gmi_answer answer;
	bool kept;
	int fd, ret;

	if (!gmi_probe_needs(run, GMEM_FEATURE_MMAP, "files cannot be mapped", &answer))
		return answer;
	fd = gmi_probe_mmap_gmem(run);
	if (fd < 0)
		return gmi_unknown(fd, "no mappable file of one page could be made");
	ret = try_policy(run, &kept);
	if (has_no_numa(ret))
		return gmi_no("this kernel or sandbox has no NUMA policies");
	if (ret)
		return gmi_unknown(ret, "a policy could not be tried");
	return kept ? gmi_yes("a policy set through one mapping is there in the next")
		    : gmi_no("the kernel takes a policy and forgets it with the mapping (6.19)");
}
