/* SPDX-License-Identifier: MIT */
/* Cuts the ranges of a preallocation into groups near one node each, and these into pieces. */
#include <errno.h>

#include "alloc.h"
#include "errinfo.h"
#include "prealloc_job.h"
#include "prealloc_split.h"

static uint32_t count_cpus(const struct gmem_prealloc *job)
{
	uint64_t words[GMI_CPU_WORDS];
	uint32_t count = 0;

	if (gmi_host_cpus(job->ctx, GMEM_NODE_ANY, words))
		return 1;
	for (size_t i = 0; i < GMI_CPU_WORDS; i++)
		count += (uint32_t)__builtin_popcountll(words[i]);
	return count;
}

/* As many as there may come: pieces that are too small cost little. */
static uint32_t guess_workers(const struct gmem_prealloc *job)
{
	uint32_t cpus = count_cpus(job), workers = job->opts.workers;

	if (workers == GMEM_PREALLOC_AUTO)
		return cpus;
	if (!workers)
		workers = job->opts.barrier;
	return workers ? workers : 1;
}

static struct gmi_prealloc_group *find_group(struct gmem_prealloc *job, uint32_t node)
{
	struct gmi_prealloc_group *group = job->groups;

	while (group < job->groups + job->group_count && group->node != node)
		group++;
	if (group == job->groups + job->group_count) {
		group->node = node;
		job->group_count++;
	}
	return group;
}

static int cut(struct gmem_prealloc *job, struct gmi_prealloc_range *range, uint32_t workers)
{
	range->piece = gmi_split_piece(job->total, range->page_size, workers);
	range->count = gmi_split_count(range->size, range->piece);
	range->states = gmi_zalloc(&job->ctx->allocator, range->count * sizeof(*range->states));
	return range->states ? 0 : gmi_error_memory();
}

/* Every group has room for all ranges: there are few of both. */
static int put(struct gmem_prealloc *job, struct gmi_prealloc_range *range, size_t range_count)
{
	const struct gmem_allocator *allocator = &job->ctx->allocator;
	struct gmi_prealloc_group *group = find_group(job, range->node);

	if (!group->ranges) {
		group->ranges = gmi_zalloc_array(allocator, range_count, sizeof(range));
		group->firsts = gmi_zalloc_array(allocator, range_count, sizeof(uint64_t));
	}
	if (!group->ranges || !group->firsts)
		return gmi_error_memory();
	group->ranges[group->range_count] = range;
	group->firsts[group->range_count] = group->count;
	group->range_count++;
	group->count += range->count;
	group->size += range->size;
	return 0;
}

int gmi_prealloc_plan(struct gmem_prealloc *job)
{
	uint32_t workers = guess_workers(job);
	struct gmi_prealloc_range *range;
	size_t count = 0;
	int ret = 0;

	for (range = job->ranges; range; range = range->next)
		count++;
	if (!count)
		return gmi_error_arg("prealloc", "there are no ranges");
	job->groups = gmi_zalloc_array(&job->ctx->allocator, count, sizeof(*job->groups));
	if (!job->groups)
		return gmi_error_memory();
	for (range = job->ranges; range && !ret; range = range->next) {
		ret = cut(job, range, workers);
		if (!ret)
			ret = put(job, range, count);
	}
	return ret;
}

void gmi_prealloc_plan_free(struct gmem_prealloc *job)
{
	const struct gmem_allocator *allocator = &job->ctx->allocator;

	for (size_t i = 0; i < job->group_count; i++) {
		gmi_free(allocator, job->groups[i].ranges);
		gmi_free(allocator, job->groups[i].firsts);
	}
	gmi_free(allocator, job->groups);
}
