/* SPDX-License-Identifier: MIT */
/* Where the pages of a range shall lie: kept by the memory where the kernel can, by workers
 * elsewhere. */
#include <errno.h>
#include <sys/mman.h>

#include "errinfo.h"
#include "prealloc_job.h"
#include "probe.h"

static int copy_policy(const struct gmem_prealloc_range *in, struct gmi_policy *policy)
{
	bool has_nodes = false;

	if (in->numa_mode > GMEM_NUMA_INTERLEAVE)
		return gmi_error_arg("numa_mode", "unknown mode %u", in->numa_mode);
	if (in->node_words && !in->nodes)
		return gmi_error_arg("nodes", "a NULL pointer");
	policy->mode = in->numa_mode;
	for (uint32_t i = 0; i < in->node_words; i++) {
		if (in->nodes[i] && i >= GMI_NODE_WORDS)
			return gmi_error_arg("nodes", "no kernel has node %u or above", i * 64);
		has_nodes = has_nodes || in->nodes[i];
		if (i < GMI_NODE_WORDS)
			policy->nodes[i] = in->nodes[i];
	}
	if (has_nodes != (in->numa_mode != GMEM_NUMA_DEFAULT))
		return gmi_error_arg("nodes", "a policy needs nodes, and nodes need a policy");
	return 0;
}

/* Where to work: at the memory, or where the caller says. Memory of all nodes is near none. */
static uint32_t choose_node(const struct gmem_prealloc_range *in, const struct gmi_policy *policy)
{
	uint64_t node;

	if (policy->mode == GMEM_NUMA_DEFAULT)
		return in->node;
	if (policy->mode == GMEM_NUMA_INTERLEAVE ||
	    !gmi_bit_next(policy->nodes, GMI_NODE_WORDS, 0, &node))
		return GMEM_NODE_ANY;
	return (uint32_t)node;
}

static int fail_mbind(int error)
{
	gmi_error_call(error == -EINVAL ? -EINVAL : error, "mbind",
		       "the kernel refuses the NUMA policy");
	return gmi_at_arg("nodes");
}

/* Sets the policy of a mapping, and reads it back: that a call succeeds has meant nothing before.
 *  */
static int bind_mapping(const struct gmem_prealloc *job, const struct gmi_policy *policy,
			void *addr, uint64_t size)
{
	const struct gmi_sys *sys = &job->ctx->sys;
	int mode = 0;
	int ret = gmi_sys_mbind(sys, addr, size, (int)policy->mode, policy->nodes, GMI_MAX_NUMNODES,
				0);

	if (ret)
		return fail_mbind(ret);
	ret = gmi_sys_get_mempolicy(sys, &mode, NULL, 0, addr, GMI_MPOL_F_ADDR);
	if (ret)
		return gmi_error_call(ret, "get_mempolicy", "the policy cannot be read back");
	if ((uint32_t)(mode & GMI_MPOL_MODE_MASK) != policy->mode)
		return gmi_error(-EOPNOTSUPP, "the kernel took a NUMA policy and has another");
	return 0;
}

/* Through the mapping of the range, or one for the moment: the file keeps the policy by offset. */
static int bind_memory(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range)
{
	void *addr = range->addr;
	int ret;

	if (addr)
		return bind_mapping(job, &range->policy, addr, range->size);
	ret = gmi_sys_mmap(&job->ctx->sys, NULL, range->size, PROT_NONE, MAP_SHARED, range->fd,
			   range->offset, &addr);
	if (ret)
		return gmi_error_call(ret, "mmap", "no mapping to set the NUMA policy through");
	ret = bind_mapping(job, &range->policy, addr, range->size);
	gmi_ctx_munmap(job->ctx, addr, range->size);
	return ret;
}

/* guest_memfd keeps a policy from 6.19 on, and only a mapping can give it one. */
static bool keeps_policy(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range)
{
	const struct gmem_file *file = range->file;

	return !file || (file->flags & GMEM_FILE_MMAP &&
			 gmi_has_feature(job->ctx, file->vm->type, GMEM_FEATURE_NUMA) == 1);
}

static int place_by_worker(const struct gmem_prealloc *job, struct gmi_prealloc_range *range)
{
	if (!job->opts.workers && range->policy.mode != GMEM_NUMA_PREFERRED)
		return gmi_error_feature(GMEM_FEATURE_NUMA,
					 "this file cannot keep a NUMA policy, and the policy of "
					 "the caller's threads is not touched: let libgmem make "
					 "the threads");
	range->policy_by_worker = job->opts.workers;
	if (!range->policy_by_worker)
		gmi_log(job->ctx,
			"prealloc: node %u is preferred, and chosen by where the "
			"caller's threads run",
			range->node);
	return 0;
}

int gmi_prealloc_place(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
		       struct gmi_prealloc_range *range)
{
	int ret = copy_policy(in, &range->policy);

	if (ret)
		return ret;
	range->node = choose_node(in, &range->policy);
	if (range->policy.mode == GMEM_NUMA_DEFAULT)
		return 0;
	if (range->is_memfd && range->is_hugetlb && !range->populates)
		return gmi_error(-EOPNOTSUPP, "huge pages are promised by the machine and not by a "
					      "node: make them ready instead");
	if (!keeps_policy(job, range))
		return place_by_worker(job, range);
	return bind_memory(job, range);
}
