/* SPDX-License-Identifier: MIT */
/* Whether the host has the memory before, and whether it lies where it should after. */
#include <errno.h>
#include <stdio.h>

#include "errinfo.h"
#include "pool.h"
#include "prealloc_job.h"

static const struct gmi_cgroup_limit memory_limit = {
	.controller = "memory",
	.v1_limit = "memory.limit_in_bytes",
	.v1_usage = "memory.usage_in_bytes",
	.v2_limit = "memory.max",
	.v2_usage = "memory.current",
};

static bool is_bound_to(const struct gmi_prealloc_range *range, uint32_t node)
{
	return range->policy.mode == GMEM_NUMA_BIND && range->node == node;
}

/* One node alone; a policy that names more leaves the sum to the kernel. */
static bool is_bound(const struct gmi_prealloc_range *range)
{
	uint64_t node;

	return range->policy.mode == GMEM_NUMA_BIND &&
	       gmi_bit_next(range->policy.nodes, GMI_NODE_WORDS, 0, &node) &&
	       !gmi_bit_next(range->policy.nodes, GMI_NODE_WORDS, node + 1, &node);
}

/* Bytes of ordinary memory wanted from @node, or from all. */
static uint64_t sum_wanted(const struct gmem_prealloc *job, uint32_t node)
{
	uint64_t sum = 0;

	for (const struct gmi_prealloc_range *range = job->ranges; range; range = range->next)
		if (!range->is_hugetlb &&
		    (node == GMEM_NODE_ANY || (is_bound(range) && is_bound_to(range, node))))
			sum += range->size;
	return sum;
}

static const char *node_text(char buf[32], uint32_t node)
{
	if (node == GMEM_NODE_ANY)
		return "the host";
	snprintf(buf, 32, "node %u", node);
	return buf;
}

/* What the kernel does not tell is no reason to refuse. */
static int check_memory(const struct gmem_prealloc *job, uint32_t node)
{
	uint64_t wanted = sum_wanted(job, node), available, total;
	char buf[32];

	if (!wanted || gmi_host_memory(job->ctx, node, &available, &total) || wanted <= available)
		return 0;
	gmi_error(-ENOMEM,
		  "%s wanted, %s has %s available of %s: going on, the kernel would kill "
		  "processes",
		  gmi_size_text(wanted).text, node_text(buf, node), gmi_size_text(available).text,
		  gmi_size_text(total).text);
	return gmi_at_offset(0, wanted);
}

static int check_cgroup(const struct gmem_prealloc *job)
{
	uint64_t wanted = sum_wanted(job, GMEM_NODE_ANY), limit, room;

	gmi_cgroup_room(job->ctx, &memory_limit, &limit, &room);
	if (wanted <= limit)
		return 0;
	gmi_error(-ENOMEM, "%s wanted, the process's control group may have %s",
		  gmi_size_text(wanted).text, gmi_size_text(limit).text);
	return gmi_at_offset(0, wanted);
}

/* Pages of a memfd are promised by the machine when it is mapped; that a node has them is not. */
static int check_pool(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range)
{
	struct gmem_errinfo record = *gmem_errinfo();
	struct gmem_hugetlb_info info;

	if (!range->is_memfd || !range->is_hugetlb || !is_bound(range))
		return 0;
	if (gmi_pool_read(job->ctx, range->page_size, range->node, &info)) {
		gmi_errinfo_restore(&record);
		return 0;
	}
	if (info.free >= range->size)
		return 0;
	gmi_error(-ENOSPC, "%s wanted: %s", gmi_size_text(range->size).text,
		  gmi_pool_describe(&info).text);
	return gmi_at_offset(range->offset, range->size);
}

int gmi_prealloc_check_host(const struct gmem_prealloc *job)
{
	int ret;

	if (job->opts.flags & GMEM_PREALLOC_NO_CHECK)
		return 0;
	ret = check_memory(job, GMEM_NODE_ANY);
	if (!ret)
		ret = check_cgroup(job);
	for (const struct gmi_prealloc_range *range = job->ranges; range && !ret;
	     range = range->next) {
		if (is_bound(range))
			ret = check_memory(job, range->node);
		if (!ret)
			ret = check_pool(job, range);
	}
	return ret;
}

/* How many places of a range are looked at. */
#define SAMPLES 64

static int check_node(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		      uint64_t offset)
{
	int node;
	int ret = gmi_sys_get_mempolicy(&job->ctx->sys, &node, NULL, 0, range->addr + offset,
					GMI_MPOL_F_NODE | GMI_MPOL_F_ADDR);

	if (ret || node < 0)
		return 0;
	if (gmi_bit_is_set(range->policy.nodes, GMI_NODE_WORDS, (uint64_t)node))
		return 0;
	gmi_error(-EEXIST,
		  "a page at %#llx lies on node %d, which the policy excludes: it was there "
		  "before",
		  (unsigned long long)(range->offset + offset), node);
	return gmi_at_offset(range->offset + offset, range->page_size);
}

static int check_range(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range)
{
	uint64_t pages = range->size / range->page_size;
	uint64_t step = pages / SAMPLES ? pages / SAMPLES : 1;
	int ret = 0;

	for (uint64_t i = 0; i < pages && !ret; i += step)
		ret = check_node(job, range, i * range->page_size);
	return ret;
}

int gmi_prealloc_check_nodes(const struct gmem_prealloc *job)
{
	int ret = 0;

	for (const struct gmi_prealloc_range *range = job->ranges; range && !ret;
	     range = range->next)
		if (range->policy.mode == GMEM_NUMA_BIND && range->populates)
			ret = check_range(job, range);
	return ret;
}
