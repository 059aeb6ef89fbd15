/* SPDX-License-Identifier: MIT */
/* What a worker does from its arrival to the end of the preallocation. */
#include <errno.h>

#include "errinfo.h"
#include "prealloc_job.h"
#include "prealloc_split.h"
#include "thread.h"

/* Cancelling is a store that a signal handler can do, and wakes no one: who waits looks. */
#define LOOK_NS 10000000u /* 10 ms */

static uint64_t now(const struct gmem_prealloc *job)
{
	uint64_t ns = 0;

	gmi_sys_now(&job->ctx->sys, &ns);
	return ns;
}

/* With the lock. */
static void wait_for_change(struct gmem_prealloc *job)
{
	gmi_cond_wait(&job->changed, &job->lock, LOOK_NS);
}

/* With the lock. The first failure is the job's; this thread's record describes it. */
static void set_error(struct gmem_prealloc *job, int error)
{
	if (atomic_load(&job->error))
		return;
	job->record = *gmem_errinfo();
	atomic_store(&job->error, error);
	pthread_cond_broadcast(&job->changed);
}

static bool is_late(const struct gmem_prealloc *job)
{
	uint64_t time = job->opts.timeout_ns ? now(job) : 0;

	return time > job->start && time - job->start >= job->opts.timeout_ns;
}

int gmi_prealloc_stop_reason(struct gmem_prealloc *job)
{
	int error = atomic_load(&job->error);

	if (error)
		return error;
	if (atomic_load(&job->is_cancelled))
		return gmi_error(-ECANCELED, "the caller cancelled it");
	if (is_late(job))
		return gmi_error(-ETIMEDOUT, "%llu ms were not enough",
				 (unsigned long long)(job->opts.timeout_ns / 1000000u));
	return 0;
}

/* With the lock. */
static void begin(struct gmem_prealloc *job)
{
	int ret;

	if (job->state != GMI_PREALLOC_NEW)
		return;
	job->start = now(job);
	atomic_store(&job->progress_at, job->start);
	ret = gmi_prealloc_plan(job);
	if (!ret)
		ret = gmi_prealloc_check_host(job);
	job->state = GMI_PREALLOC_RUNNING;
	if (ret)
		set_error(job, ret);
}

void gmi_prealloc_begin(struct gmem_prealloc *job)
{
	pthread_mutex_lock(&job->lock);
	begin(job);
	pthread_mutex_unlock(&job->lock);
}

void gmi_prealloc_fail(struct gmem_prealloc *job, int error)
{
	pthread_mutex_lock(&job->lock);
	set_error(job, error);
	pthread_mutex_unlock(&job->lock);
}

/* With the lock. */
static void wait_for_barrier(struct gmem_prealloc *job)
{
	int ret = 0;

	pthread_cond_broadcast(&job->changed);
	while (!ret && job->arrived < job->opts.barrier && job->state == GMI_PREALLOC_RUNNING) {
		wait_for_change(job);
		ret = gmi_prealloc_stop_reason(job);
	}
	if (ret)
		set_error(job, ret);
}

/* With the lock. True where there is work to take part in. */
static bool arrive(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;

	begin(job);
	if (job->opts.vcpu_count)
		worker->vcpu = job->arrived % job->opts.vcpu_count;
	job->arrived++;
	if (job->state == GMI_PREALLOC_RUNNING)
		wait_for_barrier(job);
	if (job->state != GMI_PREALLOC_RUNNING)
		return false;
	job->active++;
	if (job->active > job->active_max)
		job->active_max = job->active;
	return true;
}

struct taken {
	struct gmi_prealloc_range *range;
	uint64_t index; /* of the range's pieces */
	struct gmem_range piece;
};

static bool take_from(struct gmi_prealloc_group *group, _Atomic uint64_t *next, struct taken *taken)
{
	uint64_t index = atomic_load_explicit(next, memory_order_relaxed);
	size_t i;

	if (index >= group->count)
		return false;
	index = atomic_fetch_add(next, 1);
	if (index >= group->count)
		return false;
	i = gmi_split_find(group->firsts, group->range_count, index);
	taken->range = group->ranges[i];
	taken->index = index - group->firsts[i];
	taken->piece = gmi_split_at(taken->range->size, taken->range->piece, taken->index);
	return true;
}

/* Those near the worker's node first, then those near none, then the others'. */
static bool take(struct gmem_prealloc *job, uint32_t node, bool is_undo, struct taken *taken)
{
	const uint32_t wishes[] = {node, GMEM_NODE_ANY};

	for (size_t wish = 0; wish < 3; wish++) {
		for (size_t i = 0; i < job->group_count; i++) {
			struct gmi_prealloc_group *group = &job->groups[i];

			if (wish < 2 && group->node != wishes[wish])
				continue;
			if (take_from(group, is_undo ? &group->next_undo : &group->next, taken))
				return true;
		}
	}
	return false;
}

/* Tells the caller how far it is, if it is time and no other thread does. */
static void tell_progress(struct gmem_prealloc *job, bool is_last)
{
	uint64_t time = now(job), before = atomic_load(&job->progress_at);
	struct gmem_prealloc_info info;

	if (!job->opts.progress || (!is_last && time - before < job->opts.progress_ns))
		return;
	if (is_last)
		pthread_mutex_lock(&job->progress_lock);
	else if (pthread_mutex_trylock(&job->progress_lock))
		return;
	pthread_mutex_lock(&job->lock);
	gmi_prealloc_fill_info(job, &info);
	pthread_mutex_unlock(&job->lock);
	if (is_last)
		info.state = GMEM_PREALLOC_OVER;
	atomic_store(&job->progress_at, time);
	if (job->opts.progress(job->opts.progress_user, &info) && !is_last)
		gmem_prealloc_cancel(job);
	pthread_mutex_unlock(&job->progress_lock);
}

static void count_done(struct gmi_prealloc_worker *worker, uint64_t bytes)
{
	struct gmem_prealloc *job = worker->job;

	atomic_fetch_add(&job->done, bytes);
	if (worker->team) {
		pthread_mutex_lock(&job->lock);
		if (gmi_calibrate_done(&worker->team->calibration, bytes, now(job)))
			pthread_cond_broadcast(&job->changed);
		pthread_mutex_unlock(&job->lock);
	}
	tell_progress(job, false);
}

static bool has_pieces(const struct gmem_prealloc *job)
{
	for (size_t i = 0; i < job->group_count; i++)
		if (atomic_load(&job->groups[i].next) < job->groups[i].count)
			return true;
	return false;
}

/* One that is laid off waits until it is wanted again, or all is taken. */
static void wait_for_turn(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;
	struct gmi_prealloc_team *team = worker->team;

	if (!team)
		return;
	pthread_mutex_lock(&job->lock);
	if (worker->index >= team->calibration.limit) {
		job->active--;
		while (worker->index >= team->calibration.limit && has_pieces(job) &&
		       !atomic_load(&job->error))
			wait_for_change(job);
		job->active++;
	}
	pthread_mutex_unlock(&job->lock);
}

/* A step that a signal ended, and that was not begun again, has another reason. */
static int interrupted(struct gmem_prealloc *job, int error)
{
	int reason = error == -EINTR || error == -EAGAIN ? gmi_prealloc_stop_reason(job) : 0;

	return reason ? reason : error;
}

static int do_pieces(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;
	struct taken taken;
	int ret = 0;

	for (;;) {
		wait_for_turn(worker);
		ret = gmi_prealloc_stop_reason(job);
		if (ret || !take(job, worker->node, false, &taken))
			return ret;
		atomic_store(&taken.range->states[taken.index], GMI_PIECE_TAKEN);
		ret = gmi_prealloc_step(worker, taken.range, taken.piece);
		if (ret)
			return interrupted(job, ret);
		atomic_store(&taken.range->states[taken.index], GMI_PIECE_DONE);
		count_done(worker, taken.piece.size);
	}
}

static void undo_pieces(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;
	struct taken taken;
	int ret;

	while (take(job, worker->node, true, &taken)) {
		_Atomic unsigned char *state = &taken.range->states[taken.index];

		if (atomic_load(state) == GMI_PIECE_NEW)
			continue;
		ret = gmi_prealloc_unstep(job, taken.range, taken.piece);
		if (ret)
			gmi_log(job->ctx, "prealloc: %#llx bytes at %#llx could not be freed (%s)",
				(unsigned long long)taken.piece.size,
				(unsigned long long)(taken.range->offset + taken.piece.start),
				gmi_error_name(ret));
		else if (atomic_load(state) == GMI_PIECE_DONE)
			atomic_fetch_sub(&job->done, taken.piece.size);
		atomic_store(state, GMI_PIECE_NEW);
	}
}

/* Without the lock, by one thread. A bulk punch is several times as fast without mappings. */
static void unmap_all(struct gmem_prealloc *job)
{
	for (struct gmi_prealloc_range *range = job->ranges; range; range = range->next)
		gmi_prealloc_range_unmap(job, range);
}

/* With the lock, which is let go on the way: the last worker of all sees the job to its end. */
static void end(struct gmem_prealloc *job)
{
	job->state = GMI_PREALLOC_ENDING;
	pthread_mutex_unlock(&job->lock);
	unmap_all(job);
	tell_progress(job, true);
	pthread_mutex_lock(&job->lock);
	job->end = now(job);
	job->state = GMI_PREALLOC_OVER;
	pthread_cond_broadcast(&job->changed);
}

/* With the lock, as above: the last of those who worked looks at what came out. */
static void judge(struct gmem_prealloc *job)
{
	int ret = atomic_load(&job->error);

	job->state = GMI_PREALLOC_ENDING;
	pthread_mutex_unlock(&job->lock);
	if (!ret)
		ret = gmi_prealloc_check_nodes(job);
	if (ret && job->opts.flags & GMEM_PREALLOC_UNDO)
		unmap_all(job);
	pthread_mutex_lock(&job->lock);
	if (ret)
		set_error(job, ret);
	if (!ret || !(job->opts.flags & GMEM_PREALLOC_UNDO)) {
		end(job);
		return;
	}
	job->state = GMI_PREALLOC_UNDOING;
	pthread_cond_broadcast(&job->changed);
}

/* With the lock: all who are there free the pieces, the last one ends it. */
static void help_undo(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;

	job->active++;
	pthread_mutex_unlock(&job->lock);
	undo_pieces(worker);
	pthread_mutex_lock(&job->lock);
	if (--job->active == 0 && job->state == GMI_PREALLOC_UNDOING)
		end(job);
}

/* With the lock. */
static void see_it_over(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;
	bool has_undone = false;

	while (job->state != GMI_PREALLOC_OVER) {
		if (job->state == GMI_PREALLOC_UNDOING && !has_undone) {
			has_undone = true;
			help_undo(worker);
		} else {
			wait_for_change(job);
		}
	}
}

int gmi_prealloc_take_part(struct gmi_prealloc_worker *worker)
{
	struct gmem_prealloc *job = worker->job;
	int ret;

	pthread_mutex_lock(&job->lock);
	if (arrive(worker)) {
		pthread_mutex_unlock(&job->lock);
		ret = do_pieces(worker);
		pthread_mutex_lock(&job->lock);
		if (ret)
			set_error(job, ret);
		if (--job->active == 0 && job->state == GMI_PREALLOC_RUNNING)
			judge(job);
	}
	see_it_over(worker);
	ret = atomic_load(&job->error);
	if (ret)
		gmi_errinfo_restore(&job->record);
	pthread_mutex_unlock(&job->lock);
	return ret;
}
