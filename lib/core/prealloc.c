/* SPDX-License-Identifier: MIT */
/* Preallocations begin, are asked about and end. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "opts.h"
#include "prealloc_job.h"
#include "range.h"
#include "thread.h"

#define FLAGS (GMEM_PREALLOC_UNDO | GMEM_PREALLOC_NO_CHECK)

#define PROGRESS_NS 100000000u

static int check_opts(const struct gmem_prealloc_opts *opts)
{
	if (opts->mode > GMEM_PREALLOC_GUEST_READY)
		return gmi_error_arg("mode", "unknown mode %u", opts->mode);
	if (opts->flags & ~FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~FLAGS);
	if (opts->vcpu_count && !opts->vcpu_fds)
		return gmi_error_arg("vcpu_fds", "a NULL pointer");
	if (opts->mode == GMEM_PREALLOC_GUEST_READY && !opts->vcpu_count)
		return gmi_error_arg("vcpu_fds",
				     "KVM maps for a guest through vCPUs: at least one is needed");
	return 0;
}

static int copy_vcpus(struct gmem_prealloc *job)
{
	uint32_t count = job->opts.vcpu_count;

	if (!count)
		return 0;
	job->vcpu_fds = gmi_zalloc_array(&job->ctx->allocator, count, sizeof(*job->vcpu_fds));
	if (!job->vcpu_fds)
		return gmi_error_memory();
	memcpy(job->vcpu_fds, job->opts.vcpu_fds, count * sizeof(*job->vcpu_fds));
	return 0;
}

static struct gmem_prealloc *make(struct gmem_ctx *ctx, const struct gmem_prealloc_opts *opts)
{
	struct gmem_prealloc *job = gmi_zalloc(&ctx->allocator, sizeof(*job));

	if (!job)
		return NULL;
	job->ctx = gmi_ctx_get(ctx);
	job->opts = *opts;
	if (!job->opts.progress_ns)
		job->opts.progress_ns = PROGRESS_NS;
	job->last = &job->ranges;
	pthread_mutex_init(&job->lock, NULL);
	pthread_mutex_init(&job->progress_lock, NULL);
	gmi_cond_init(&job->changed);
	return job;
}

static int create(struct gmem_ctx *ctx, const struct gmem_prealloc_opts *in,
		  struct gmem_prealloc **ret_prealloc)
{
	struct gmem_prealloc_opts opts = {.sz = sizeof(opts)};
	struct gmem_prealloc *job;
	uint64_t now;
	int ret;

	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	if (!ret_prealloc)
		return gmi_error_arg("ret_prealloc", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(&opts);
	if (ret)
		return ret;
	ret = gmi_sys_now(&ctx->sys, &now);
	if (ret)
		return gmi_error_call(ret, "now",
				      "the table of system calls does not tell the time");
	job = make(ctx, &opts);
	if (!job)
		return gmi_error_memory();
	ret = copy_vcpus(job);
	if (ret)
		gmem_prealloc_unref(job);
	else
		*ret_prealloc = job;
	return ret;
}

GMEM_API int gmem_prealloc_create(struct gmem_ctx *ctx, const struct gmem_prealloc_opts *opts,
				  struct gmem_prealloc **ret_prealloc)
{
	return gmi_result(__func__, create(ctx, opts, ret_prealloc));
}

static int add(struct gmem_prealloc *job, const struct gmem_prealloc_range *in)
{
	struct gmem_prealloc_range opts = {.sz = sizeof(opts)};
	struct gmi_prealloc_range *range;
	uint64_t total;
	int ret;

	if (!job || !in)
		return gmi_error_arg(job ? "range" : "prealloc", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (ret)
		return ret;
	if (job->state != GMI_PREALLOC_NEW)
		return gmi_error(-EBUSY, "the preallocation has begun");
	range = gmi_zalloc(&job->ctx->allocator, sizeof(*range));
	if (!range)
		return gmi_error_memory();
	ret = gmi_prealloc_range_make(job, &opts, range);
	if (!ret && !gmi_range_end(job->total, range->size, &total))
		ret = gmi_error_arg("size", "more than 2^64 bytes in all");
	if (ret) {
		gmi_prealloc_range_release(job, range);
		return ret;
	}
	job->total = total;
	*job->last = range;
	job->last = &range->next;
	return 0;
}

GMEM_API int gmem_prealloc_add(struct gmem_prealloc *prealloc,
			       const struct gmem_prealloc_range *range)
{
	return gmi_result(__func__, add(prealloc, range));
}

/* Bytes that are ready from the first range on. */
static uint64_t count_done(const struct gmem_prealloc *job)
{
	uint64_t done = 0;

	for (const struct gmi_prealloc_range *range = job->ranges; range; range = range->next) {
		uint64_t i = 0;

		while (range->states && i < range->count && range->states[i] == GMI_PIECE_DONE)
			i++;
		if (!range->states || i < range->count)
			return done + (range->states ? i * range->piece : 0);
		done += range->size;
	}
	return done;
}

static void tell_done(struct gmem_prealloc *job, uint64_t *ret_done)
{
	if (!ret_done)
		return;
	*ret_done = 0;
	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	if (job->state == GMI_PREALLOC_OVER)
		*ret_done = count_done(job);
	pthread_mutex_unlock(&job->lock);
}

/* Claims the preallocation for one caller of run(). */
static int check_run(struct gmem_prealloc *job)
{
	bool is_new;

	if (!job)
		return gmi_error_arg("prealloc", "a NULL pointer");
	pthread_mutex_lock(&job->lock);
	is_new = job->state == GMI_PREALLOC_NEW && !job->has_run;
	job->has_run = job->has_run || is_new;
	pthread_mutex_unlock(&job->lock);
	return is_new ? 0 : gmi_error(-EBUSY, "the preallocation was begun before");
}

static int run(struct gmem_prealloc *job)
{
	struct gmi_prealloc_worker self = {.job = job, .node = GMEM_NODE_ANY};
	int ret = check_run(job);

	if (ret)
		return ret;
	return job->opts.workers ? gmi_prealloc_run_threads(job) : gmi_prealloc_take_part(&self);
}

GMEM_API int gmem_prealloc_run(struct gmem_prealloc *prealloc, uint64_t *ret_done)
{
	int ret = gmi_result(__func__, run(prealloc));

	tell_done(prealloc, ret_done);
	return ret;
}

static int work(struct gmem_prealloc *job, uint32_t node)
{
	struct gmi_prealloc_worker self = {.job = job, .node = node};

	if (!job)
		return gmi_error_arg("prealloc", "a NULL pointer");
	if (job->opts.workers)
		return gmi_error_arg("prealloc", "the threads are libgmem's: @workers is %u",
				     job->opts.workers);
	return gmi_prealloc_take_part(&self);
}

GMEM_API int gmem_prealloc_work(struct gmem_prealloc *prealloc, uint32_t node, uint64_t *ret_done)
{
	int ret = gmi_result(__func__, work(prealloc, node));

	tell_done(prealloc, ret_done);
	return ret;
}

GMEM_API void gmem_prealloc_cancel(struct gmem_prealloc *prealloc)
{
	if (prealloc)
		atomic_store(&prealloc->is_cancelled, true);
}

static uint32_t public_state(enum gmi_prealloc_state state)
{
	static const uint32_t states[] = {
		[GMI_PREALLOC_NEW] = GMEM_PREALLOC_NEW,
		[GMI_PREALLOC_RUNNING] = GMEM_PREALLOC_RUNNING,
		[GMI_PREALLOC_UNDOING] = GMEM_PREALLOC_UNDOING,
		[GMI_PREALLOC_ENDING] = GMEM_PREALLOC_RUNNING,
		[GMI_PREALLOC_OVER] = GMEM_PREALLOC_OVER,
	};

	return states[state];
}

static uint64_t scale(uint64_t bytes, uint64_t by, uint64_t through)
{
	return (uint64_t)((double)bytes * (double)by / (double)through);
}

void gmi_prealloc_fill_info(struct gmem_prealloc *job, struct gmem_prealloc_info *info)
{
	uint64_t now = job->end;

	if (!now && gmi_sys_now(&job->ctx->sys, &now))
		now = job->start;
	*info = (struct gmem_prealloc_info){
		.sz = sizeof(*info),
		.total = job->total,
		.done = atomic_load(&job->done),
		.elapsed_ns = job->start ? now - job->start : 0,
		.left_ns = UINT64_MAX,
		.state = public_state(job->state),
		.workers = job->active,
		.workers_max = job->active_max,
		.error = atomic_load(&job->error),
	};
	if (info->elapsed_ns)
		info->rate = scale(info->done, 1000000000u, info->elapsed_ns);
	if (info->done)
		info->left_ns = scale(info->total - info->done, info->elapsed_ns, info->done);
}

static int get_info(struct gmem_prealloc *job, struct gmem_prealloc_info *ret_info)
{
	struct gmem_prealloc_info info;
	int ret;

	if (!job)
		return gmi_error_arg("prealloc", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	pthread_mutex_lock(&job->lock);
	gmi_prealloc_fill_info(job, &info);
	pthread_mutex_unlock(&job->lock);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_prealloc_get_info(struct gmem_prealloc *prealloc,
				    struct gmem_prealloc_info *ret_info)
{
	return gmi_result(__func__, get_info(prealloc, ret_info));
}

GMEM_API struct gmem_prealloc *gmem_prealloc_unref(struct gmem_prealloc *prealloc)
{
	struct gmi_prealloc_range *range, *next;
	struct gmem_ctx *ctx;

	if (!prealloc)
		return NULL;
	ctx = prealloc->ctx;
	gmi_prealloc_plan_free(prealloc);
	for (range = prealloc->ranges; range; range = next) {
		next = range->next;
		gmi_prealloc_range_release(prealloc, range);
	}
	pthread_mutex_destroy(&prealloc->lock);
	pthread_mutex_destroy(&prealloc->progress_lock);
	pthread_cond_destroy(&prealloc->changed);
	gmi_free(&ctx->allocator, prealloc->vcpu_fds);
	gmi_free(&ctx->allocator, prealloc);
	gmi_ctx_put(ctx);
	return NULL;
}
