/* SPDX-License-Identifier: MIT */
/* Conversion step by step: listeners, the kernel, the map, and the way back. */
#include "convert_job.h"

#include <errno.h>

#include "alloc.h"
#include "core_listener.h"
#include "discard.h"
#include "errinfo.h"
#include "inode.h"
#include "kvm_call.h"
#include "range.h"
#include "uapi_kvm.h"
#include "views.h"

#define DEFAULT_ATTEMPTS 10
#define DEFAULT_SLICE    (UINT64_C(256) << 20)
#define FIRST_WAIT_NS    UINT64_C(10000)
#define LONGEST_WAIT_NS  UINT64_C(10000000)

static uint64_t attributes(uint32_t state)
{
	return state == GMEM_PRIVATE ? GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
}

static int convert_by_gpa(struct gmem_vm *vm, const struct gmi_step *step, uint32_t to)
{
	int ret = gmi_kvm_set_attributes(&vm->ctx->sys, vm->fd, step->part.gpa, step->part.size,
					 attributes(to));

	vm->attrs.conversions++;
	if (!ret)
		return 0;
	gmi_vm_error(ret, "KVM_SET_MEMORY_ATTRIBUTES", "KVM did not convert");
	return gmi_at_gpa(step->part.gpa, step->part.size);
}

/* The kernel names the page that is in the way; its word is bounded before it is passed on. */
static int describe_obstacle(const struct gmi_step *step, int ret, uint64_t obstacle)
{
	uint64_t start = step->place.start;

	if (obstacle < start || obstacle - start >= step->part.size)
		obstacle = start;
	gmi_error_call(ret, "KVM_SET_MEMORY_ATTRIBUTES2", "%s",
		       ret == -EAGAIN ? "a page is pinned or mapped by someone still"
				      : "the file was not converted");
	gmi_at_offset(obstacle, step->part.size - (obstacle - start));
	return gmi_at_gpa(step->part.gpa + (obstacle - start),
			  step->part.size - (obstacle - start));
}

static bool is_stopped(const struct gmi_job *job)
{
	return !job->is_undoing && job->opts->stop && *job->opts->stop;
}

/* Pinned pages are let go of soon, or by someone who must first get to run. */
static int convert_by_offset(struct gmi_job *job, const struct gmi_step *step, uint32_t to)
{
	const struct gmi_sys *sys = &job->vm->ctx->sys;
	uint32_t attempts = job->opts->attempts ? job->opts->attempts : DEFAULT_ATTEMPTS;
	uint64_t wait = FIRST_WAIT_NS;
	uint64_t obstacle;
	int ret;

	for (;; attempts--) {
		ret = gmi_kvm_set_file_attributes(sys, step->part.slot->file->fd, step->place.start,
						  step->part.size, attributes(to), &obstacle);
		job->vm->attrs.conversions++;
		if ((ret != -EAGAIN && ret != -EINTR) || attempts <= 1 || is_stopped(job))
			break;
		job->vm->attrs.retries++;
		if (ret == -EAGAIN) {
			gmi_sys_sleep(sys, wait);
			wait = wait * 2 < LONGEST_WAIT_NS ? wait * 2 : LONGEST_WAIT_NS;
		}
	}
	return ret ? describe_obstacle(step, ret, obstacle) : 0;
}

/* What was reserved cannot fail to be set: to the new state, and back to the one before. */
static void set_state(struct gmi_step *step, uint32_t to)
{
	gmi_attrmap_set_reserved(step->place.map, &step->state_hold, step->place.start,
				 step->part.size, (enum gmem_state)to);
}

/* In @wished private stands for: something was asked for. */
static void set_wish(const struct gmi_job *job, struct gmi_step *step, uint32_t to, bool wished)
{
	set_state(step, to);
	gmi_attrmap_set_reserved(job->vm->attrs.wished, &step->wish_hold, step->part.gpa,
				 step->part.size, wished ? GMEM_PRIVATE : GMEM_SHARED);
}

/* The inode's lock keeps its map in the kernel's order where two VMs convert the same pages. */
static int convert_in_place(struct gmi_job *job, struct gmi_step *step, uint32_t to)
{
	struct gmi_inode *inode = step->part.slot->file->inode;
	int ret;

	pthread_mutex_lock(&inode->lock);
	ret = convert_by_offset(job, step, to);
	if (!ret)
		set_state(step, to);
	pthread_mutex_unlock(&inode->lock);
	return ret;
}

/* The kernel, and then the map. */
static int convert_to(struct gmi_job *job, struct gmi_step *step, uint32_t to)
{
	int ret;

	if (job->vm->attrs.mechanism == GMI_CONVERT_INPLACE)
		return convert_in_place(job, step, to);
	ret = convert_by_gpa(job->vm, step, to);
	if (!ret)
		set_state(step, to);
	return ret;
}

static int tell_own(const struct gmi_job *job, const struct gmi_part *part, bool map)
{
	if (job->is_binding)
		return 0;
	return map ? gmi_listeners_map(part) : gmi_listeners_unmap(part);
}

/* In place the state is the inode's: other VMs on it have listeners too. */
static int tell_others(const struct gmi_job *job, const struct gmi_step *step, bool map)
{
	struct gmem_range offsets = {.start = step->place.start, .size = step->part.size};
	struct gmem_file *file;
	struct gmi_part refused;

	if (job->vm->attrs.mechanism != GMI_CONVERT_INPLACE)
		return 0;
	file = step->part.slot->file;
	return map ? gmi_views_map(file, offsets, &refused)
		   : gmi_views_unmap(file, offsets, &refused);
}

static int tell(const struct gmi_job *job, const struct gmi_step *step, bool map)
{
	int ret = tell_own(job, &step->part, map);

	if (ret)
		return ret;
	ret = tell_others(job, step, map);
	if (ret)
		tell_own(job, &step->part, !map);
	return ret;
}

static int tell_unmap(const struct gmi_job *job, const struct gmi_step *step)
{
	return tell(job, step, false);
}

static int tell_map(const struct gmi_job *job, const struct gmi_step *step)
{
	return tell(job, step, true);
}

/* Unmapped before the kernel is asked: a page that a device pins cannot become private. */
static int to_private(struct gmi_job *job, struct gmi_step *step)
{
	int ret = tell_unmap(job, step);

	if (ret)
		return gmi_listener_error(ret, &step->part);
	ret = convert_to(job, step, GMEM_PRIVATE);
	if (ret)
		tell_map(job, step);
	return ret;
}

static int to_shared(struct gmi_job *job, struct gmi_step *step)
{
	int ret = convert_to(job, step, GMEM_SHARED);
	int refused;

	if (ret)
		return ret;
	refused = tell_map(job, step);
	if (!refused)
		return 0;
	if (!convert_to(job, step, GMEM_PRIVATE))
		return gmi_listener_error(refused, &step->part);
	gmi_error(-ENOTRECOVERABLE,
		  "a listener refused (%s) a range that could not be made "
		  "private again",
		  gmi_error_name(refused));
	return gmi_at_gpa(step->part.gpa, step->part.size);
}

static int apply(struct gmi_job *job, struct gmi_step *step)
{
	if (!step->is_wish)
		return step->to == GMEM_PRIVATE ? to_private(job, step) : to_shared(job, step);
	set_wish(job, step, step->to, true);
	return 0;
}

static int undo(struct gmi_job *job, struct gmi_step *step)
{
	if (!step->is_wish)
		return step->to == GMEM_PRIVATE ? to_shared(job, step) : to_private(job, step);
	set_wish(job, step, step->was, step->was_wished);
	return 0;
}

static void release(struct gmi_job *job, struct gmi_step *step)
{
	if (step->is_marked)
		gmi_discard_unreserve(&step->part, &step->stale_hold);
	if (step->is_wish)
		gmi_attrmap_unreserve(job->vm->attrs.wished, &step->wish_hold);
	gmi_attrmap_unreserve(step->place.map, &step->state_hold);
}

/* All memory that the step can need, before anything is done. 0 or -ENOMEM. */
static int reserve(struct gmi_job *job, struct gmi_step *step)
{
	const struct gmi_part *part = &step->part;
	int ret = gmi_attrmap_reserve(step->place.map, step->place.start, part->size,
				      &step->state_hold);

	if (ret)
		return ret;
	if (step->is_wish)
		ret = gmi_attrmap_reserve(job->vm->attrs.wished, part->gpa, part->size,
					  &step->wish_hold);
	else if (step->is_marked)
		ret = gmi_discard_reserve(part, &step->stale_hold);
	if (ret)
		gmi_attrmap_unreserve(step->place.map, &step->state_hold);
	return ret;
}

/* What a failed reservation had made already is not kept. */
static int reserve_or_reclaim(struct gmi_job *job, struct gmi_step *step)
{
	int ret = reserve(job, step);

	if (!ret)
		return 0;
	gmi_attrmap_reclaim(step->place.map);
	if (step->is_marked)
		gmi_attrmap_reclaim(step->part.slot->stale);
	return gmi_error_memory();
}

static void commit(struct gmi_job *job, struct gmi_step *step)
{
	if (step->is_marked)
		gmi_discard_mark(&step->part, &step->stale_hold);
	release(job, step);
}

static void keep(struct gmi_job *job, struct gmi_step *step)
{
	step->before = job->last;
	job->last = step;
}

static int do_step(struct gmi_job *job, struct gmi_step *step)
{
	int ret;

	if (is_stopped(job)) {
		gmi_error(-EINTR, "the caller's stop byte is set");
		return gmi_at_gpa(step->part.gpa, step->part.size);
	}
	ret = reserve_or_reclaim(job, step);
	if (ret)
		return ret;
	ret = apply(job, step);
	if (ret)
		release(job, step);
	return ret;
}

static int kept_step(struct gmi_job *job, const struct gmi_step *model)
{
	struct gmi_step *step = gmi_zalloc(&job->vm->ctx->allocator, sizeof(*step));
	int ret;

	if (!step)
		return gmi_error_memory();
	*step = *model;
	ret = do_step(job, step);
	if (ret)
		gmi_free(&job->vm->ctx->allocator, step);
	else
		keep(job, step);
	return ret;
}

void gmi_job_discard_fresh(struct gmi_job *job)
{
	if (job->fresh.size)
		gmi_discard_fresh(job->vm, job->fresh);
	job->fresh.size = 0;
}

/* Neighbours are discarded by one call. */
static void add_fresh(struct gmi_job *job, const struct gmi_step *step)
{
	if (job->fresh.size && step->part.gpa != job->fresh.start + job->fresh.size)
		gmi_job_discard_fresh(job);
	if (!job->fresh.size)
		job->fresh.start = step->part.gpa;
	job->fresh.size += step->part.size;
}

static int passing_step(struct gmi_job *job, struct gmi_step *step)
{
	int ret = do_step(job, step);

	if (ret)
		return ret;
	commit(job, step);
	if (!step->is_marked && step->part.slot && gmi_slot_has_two_backings(step->part.slot))
		add_fresh(job, step);
	return 0;
}

static bool is_wish(const struct gmi_job *job, const struct gmi_part *part)
{
	return job->vm->attrs.mechanism == GMI_CONVERT_INPLACE && !part->slot;
}

/*
 * What is discarded right after it was converted need not be noted first, unless its pages are larger
 * than what converts.
 */
static bool is_marked(const struct gmi_job *job, const struct gmem_slot *slot)
{
	return slot && gmi_slot_has_two_backings(slot) &&
	       (job->keep || job->opts->discard != GMEM_DISCARD_NOW ||
		slot->backing_page > GMEM_PAGE_SIZE);
}

/* A run from @delta on that is all of one state, and in place where unbound all asked for or not. */
static void next_step(const struct gmi_job *job, const struct gmi_part *part, uint64_t delta,
		      struct gmi_step *ret_step)
{
	struct gmi_attrmap_run run;
	uint64_t size;

	*ret_step = (struct gmi_step){
		.part = {.slot = part->slot, .gpa = part->gpa + delta},
		.was = (uint32_t)gmi_part_state(job->vm, part, delta, &size),
		.was_wished = true,
		.is_wish = is_wish(job, part),
		.is_marked = is_marked(job, part->slot),
	};
	if (ret_step->is_wish) {
		gmi_attrmap_next_run(job->vm->attrs.wished, ret_step->part.gpa,
				     ret_step->part.gpa + size, &run);
		size = run.size;
		ret_step->was_wished = run.state == GMEM_PRIVATE;
	}
	ret_step->part.size = size;
}

static uint64_t slice(const struct gmi_job *job)
{
	return job->opts->slice ? job->opts->slice : DEFAULT_SLICE;
}

int gmi_job_part(struct gmi_job *job, const struct gmi_part *part, uint32_t to, uint64_t *ret_done)
{
	struct gmi_step step;
	int ret;

	for (*ret_done = 0; *ret_done < part->size; *ret_done += step.part.size) {
		next_step(job, part, *ret_done, &step);
		if (step.was == to && step.was_wished)
			continue;
		if (step.part.size > slice(job))
			step.part.size = slice(job);
		step.to = to;
		step.place = gmi_place_of(job->vm, &step.part);
		ret = job->keep ? kept_step(job, &step) : passing_step(job, &step);
		if (ret)
			return ret;
	}
	return 0;
}

static struct gmi_step *take_last(struct gmi_job *job)
{
	struct gmi_step *step = job->last;

	if (step)
		job->last = step->before;
	return step;
}

void gmi_job_commit(struct gmi_job *job)
{
	struct gmi_step *step;

	while ((step = take_last(job))) {
		commit(job, step);
		gmi_free(&job->vm->ctx->allocator, step);
	}
}

int gmi_job_roll_back(struct gmi_job *job)
{
	struct gmi_step *step;
	uint64_t stuck = 0;

	job->is_undoing = true;
	while ((step = take_last(job))) {
		if (undo(job, step)) {
			stuck += step->part.size;
			commit(job, step);
		} else {
			release(job, step);
		}
		gmi_free(&job->vm->ctx->allocator, step);
	}
	if (!stuck)
		return 0;
	return gmi_error(-ENOTRECOVERABLE,
			 "the conversion failed, and %#llx bytes could not be converted back",
			 (unsigned long long)stuck);
}
