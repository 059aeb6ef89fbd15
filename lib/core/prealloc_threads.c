/* SPDX-License-Identifier: MIT */
/* Threads of libgmem's own for a preallocation: made, pinned to their nodes, and gone at its end.
 *  */
#include <errno.h>

#include "alloc.h"
#include "errinfo.h"
#include "prealloc_job.h"
#include "thread.h"

static uint32_t count_bits(const uint64_t *words, size_t count)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < count; i++)
		bits += (uint32_t)__builtin_popcountll(words[i]);
	return bits;
}

/* Nodes with CPUs that this process may use; one team of all CPUs where nothing is known of nodes.
 *  */
static int find_teams(struct gmem_prealloc *job)
{
	uint64_t nodes[GMI_NODE_WORDS], node = 0;
	size_t most;

	if (gmi_host_nodes(job->ctx, nodes))
		nodes[0] = 0;
	most = count_bits(nodes, GMI_NODE_WORDS) + 1;
	job->teams = gmi_zalloc_array(&job->ctx->allocator, most, sizeof(*job->teams));
	if (!job->teams)
		return gmi_error_memory();
	for (; gmi_bit_next(nodes, GMI_NODE_WORDS, node, &node); node++) {
		struct gmi_prealloc_team *team = &job->teams[job->team_count];

		team->node = (uint32_t)node;
		if (!gmi_host_cpus(job->ctx, team->node, team->cpus) &&
		    count_bits(team->cpus, GMI_CPU_WORDS))
			job->team_count++;
	}
	if (!job->team_count) {
		job->teams[0].node = GMEM_NODE_ANY;
		job->team_count = 1;
	}
	return 0;
}

static bool has_team(const struct gmem_prealloc *job, uint32_t node)
{
	for (size_t i = 0; i < job->team_count; i++)
		if (job->teams[i].node == node)
			return true;
	return false;
}

/* Bytes whose work falls to the team: of its node, and an equal part of what is near no team. */
static uint64_t weigh(const struct gmem_prealloc *job, const struct gmi_prealloc_team *team)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < job->group_count; i++) {
		const struct gmi_prealloc_group *group = &job->groups[i];

		if (group->node == team->node)
			weight += group->size;
		else if (!has_team(job, group->node))
			weight += group->size / job->team_count;
	}
	return weight;
}

static uint64_t count_pieces(const struct gmem_prealloc *job)
{
	uint64_t pieces = 0;

	for (size_t i = 0; i < job->group_count; i++)
		pieces += job->groups[i].count;
	return pieces;
}

/* A thread a CPU, on nodes that have something to do. */
static void size_by_cpus(struct gmem_prealloc *job)
{
	uint64_t pieces = count_pieces(job);
	uint32_t cpus;

	for (size_t i = 0; i < job->team_count; i++) {
		struct gmi_prealloc_team *team = &job->teams[i];

		cpus = count_bits(team->cpus, GMI_CPU_WORDS);
		cpus = cpus ? cpus : 1;
		if (weigh(job, team))
			team->workers = cpus < pieces ? cpus : (uint32_t)pieces;
	}
}

/* The caller's number, spread by what there is to do. */
static void size_by_number(struct gmem_prealloc *job, uint32_t number)
{
	uint64_t weight = 0, all = 0;
	uint32_t given = 0, due;

	for (size_t i = 0; i < job->team_count; i++)
		all += weigh(job, &job->teams[i]);
	for (size_t i = 0; i < job->team_count; i++) {
		weight += weigh(job, &job->teams[i]);
		due = (uint32_t)((double)number * (double)weight / (double)all + 0.5);
		job->teams[i].workers = due - given;
		given = due;
	}
}

/* Returns how many there are in all. */
static uint32_t size_teams(struct gmem_prealloc *job)
{
	uint32_t all = 0;

	if (job->opts.workers == GMEM_PREALLOC_AUTO)
		size_by_cpus(job);
	else
		size_by_number(job, job->opts.workers);
	for (size_t i = 0; i < job->team_count; i++)
		all += job->teams[i].workers;
	return all;
}

static uint64_t largest_piece(const struct gmem_prealloc *job)
{
	uint64_t piece = 0;

	for (const struct gmi_prealloc_range *range = job->ranges; range; range = range->next)
		piece = range->piece > piece ? range->piece : piece;
	return piece;
}

/* A number that the caller gave is taken as it is. */
static void begin_calibration(struct gmem_prealloc *job)
{
	uint64_t now = 0;

	gmi_sys_now(&job->ctx->sys, &now);
	for (size_t i = 0; i < job->team_count; i++) {
		struct gmi_prealloc_team *team = &job->teams[i];

		gmi_calibrate_begin(&team->calibration, team->workers, largest_piece(job),
				    weigh(job, team), now);
		if (job->opts.workers != GMEM_PREALLOC_AUTO)
			team->calibration.is_settled = true;
	}
}

static void pin(const struct gmi_prealloc_worker *worker)
{
	const struct gmem_prealloc *job = worker->job;
	int ret;

	if (!count_bits(worker->team->cpus, GMI_CPU_WORDS))
		return;
	ret = gmi_sys_set_affinity(&job->ctx->sys, worker->team->cpus, GMI_CPU_WORDS);
	if (ret)
		gmi_log(job->ctx, "prealloc: a worker is not kept on node %u (%s)", worker->node,
			gmi_error_name(ret));
}

static void *run_worker(void *arg)
{
	struct gmi_prealloc_worker *worker = arg;

	pin(worker);
	gmi_prealloc_take_part(worker);
	return NULL;
}

/* Returns how many could be started. */
static uint32_t start(struct gmem_prealloc *job, struct gmi_prealloc_worker *workers)
{
	uint32_t started = 0;

	for (size_t i = 0; i < job->team_count; i++) {
		for (uint32_t j = 0; j < job->teams[i].workers; j++) {
			struct gmi_prealloc_worker *worker = &workers[started];

			*worker = (struct gmi_prealloc_worker){
				.job = job,
				.team = &job->teams[i],
				.node = job->teams[i].node,
				.index = j,
			};
			if (gmi_thread_start(&worker->thread, run_worker, worker))
				return started;
			started++;
		}
	}
	return started;
}

/* Where not all could be made, those that there are do it. */
static int run_all(struct gmem_prealloc *job, uint32_t count)
{
	struct gmi_prealloc_worker *workers;
	uint32_t started;

	workers = gmi_zalloc_array(&job->ctx->allocator, count, sizeof(*workers));
	if (!workers)
		return gmi_error_memory();
	job->opts.barrier = count;
	begin_calibration(job);
	started = start(job, workers);
	pthread_mutex_lock(&job->lock);
	job->opts.barrier = started;
	pthread_cond_broadcast(&job->changed);
	pthread_mutex_unlock(&job->lock);
	for (uint32_t i = 0; i < started; i++)
		gmi_thread_join(workers[i].thread);
	gmi_free(&job->ctx->allocator, workers);
	if (started < count)
		gmi_log(job->ctx, "prealloc: %u of %u threads could be made", started, count);
	return started ? 0 : gmi_error(-EAGAIN, "no thread could be made");
}

int gmi_prealloc_run_threads(struct gmem_prealloc *job)
{
	struct gmi_prealloc_worker self = {.job = job, .node = GMEM_NODE_ANY};
	int ret;

	gmi_prealloc_begin(job);
	ret = atomic_load(&job->error);
	if (!ret) {
		ret = find_teams(job);
		if (!ret)
			ret = run_all(job, size_teams(job));
		if (ret)
			gmi_prealloc_fail(job, ret);
	}
	ret = gmi_prealloc_take_part(&self);
	gmi_free(&job->ctx->allocator, job->teams);
	job->teams = NULL;
	job->team_count = 0;
	return ret;
}
