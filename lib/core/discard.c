/* SPDX-License-Identifier: MIT */
/* Gives back the side of two backings that conversions left. */
#include "discard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "core_attr.h"
#include "errinfo.h"
#include "range.h"
#include "views.h"

/* gmem_discard_drain() lets conversions in after so many bytes. */
#define DRAIN_STEP (UINT64_C(2) << 20)

#define HOLE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

bool gmi_slot_has_two_backings(const struct gmem_slot *slot)
{
	return slot->vm->attrs.mechanism == GMI_CONVERT_VM && gmi_slot_has_gmem(slot) &&
	       !(slot->file->flags & GMEM_FILE_MMAP);
}

int gmi_discard_prepare(struct gmem_slot *slot)
{
	const struct gmem_allocator *allocator = &slot->vm->ctx->allocator;
	int ret;

	if (!gmi_slot_has_two_backings(slot))
		return 0;
	ret = gmi_attrmap_create(allocator, slot->gpa.size, GMEM_SHARED, &slot->stale);
	return ret ? ret
		   : gmi_attrmap_create(allocator, slot->gpa.size, GMEM_SHARED, &slot->pending);
}

int gmi_discard_reserve(const struct gmi_part *part, struct gmi_attrmap_reserve *ret_hold)
{
	return gmi_attrmap_reserve(part->slot->stale, part->gpa - part->slot->gpa.start, part->size,
				   ret_hold);
}

/* In these maps private stands for marked. */
void gmi_discard_mark(const struct gmi_part *part, struct gmi_attrmap_reserve *hold)
{
	gmi_attrmap_set_reserved(part->slot->stale, hold, part->gpa - part->slot->gpa.start,
				 part->size, GMEM_PRIVATE);
}

void gmi_discard_unreserve(const struct gmi_part *part, struct gmi_attrmap_reserve *hold)
{
	gmi_attrmap_unreserve(part->slot->stale, hold);
}

static void count_pending(struct gmem_slot *slot, uint64_t before)
{
	slot->vm->attrs.pending += gmi_attrmap_private_bytes(slot->pending) - before;
}

/* Where there is no memory to mark a page otherwise it stays marked: it is discarded once more. */
static int set_pending(struct gmem_slot *slot, uint64_t delta, uint64_t size, bool pending)
{
	uint64_t before = gmi_attrmap_private_bytes(slot->pending);
	int ret = gmi_attrmap_set(slot->pending, delta, size, pending ? GMEM_PRIVATE : GMEM_SHARED);

	count_pending(slot, before);
	return ret;
}

static uint64_t marked_bytes(struct gmi_attrmap *map)
{
	return map ? gmi_attrmap_private_bytes(map) : 0;
}

static void unmark(struct gmem_slot *slot, uint64_t delta, uint64_t size)
{
	if (marked_bytes(slot->stale))
		gmi_attrmap_set(slot->stale, delta, size, GMEM_SHARED);
	if (marked_bytes(slot->pending))
		set_pending(slot, delta, size, false);
}

/*
 * MADV_REMOVE frees the pages of a shared mapping of a file and is -EINVAL for anonymous memory, whose
 * pages MADV_DONTNEED frees; that again frees nothing of a file (madvise(2)).
 */
static int discard_mapped(struct gmem_slot *slot, void *addr, uint64_t size)
{
	const struct gmi_sys *sys = &slot->vm->ctx->sys;
	int ret = -EINVAL;

	if (!slot->is_anonymous)
		ret = gmi_sys_madvise(sys, addr, size, MADV_REMOVE);
	if (ret != -EINVAL)
		return ret;
	ret = gmi_sys_madvise(sys, addr, size, MADV_DONTNEED);
	slot->is_anonymous |= !ret;
	return ret;
}

int gmi_discard_shared_side(struct gmem_slot *slot, uint64_t delta, uint64_t size)
{
	const struct gmi_sys *sys = &slot->vm->ctx->sys;
	void *addr = (char *)slot->hva + delta;

	if (!slot->hva)
		return 0;
	if (slot->backing_fd < 0)
		return discard_mapped(slot, addr, size);
	return gmi_sys_fallocate(sys, slot->backing_fd, HOLE, slot->backing_offset + delta, size);
}

/* Another VM on the inode may have its data where this one has nothing any more. */
static int discard_private_side(struct gmem_slot *slot, uint64_t delta, uint64_t size)
{
	struct gmem_range offsets = {.start = slot->offset + delta, .size = size};

	if (gmi_views_need(slot->file, offsets))
		return -EBUSY;
	return gmi_sys_fallocate(&slot->vm->ctx->sys, slot->file->fd, HOLE, slot->offset + delta,
				 size);
}

/* Pages larger than 4K are freed once all of them is stale; until then they stay marked. */
static struct gmem_range whole_pages(const struct gmem_slot *slot, struct gmem_range run)
{
	uint64_t page = slot->backing_page;
	uint64_t end = gmi_align_down(run.start + run.size, page);
	uint64_t start;

	if (!gmi_align_up(run.start, page, &start) || start >= end)
		return (struct gmem_range){0};
	return (struct gmem_range){.start = start, .size = end - start};
}

/* A part of @run, which is stale and all of one state. */
static int discard_run(struct gmem_slot *slot, struct gmem_range run, int state)
{
	struct gmi_attrs *attrs = &slot->vm->attrs;
	int ret;

	if (state == GMEM_PRIVATE)
		run = whole_pages(slot, run);
	if (!run.size)
		return 0;
	attrs->discards++;
	if (state == GMEM_PRIVATE)
		ret = gmi_discard_shared_side(slot, run.start, run.size);
	else
		ret = discard_private_side(slot, run.start, run.size);
	if (!ret)
		unmark(slot, run.start, run.size);
	else
		attrs->failed_discards++;
	return ret;
}

/* The marked run of @map at or after @at, widened to whole pages of the backing on both sides. */
static bool next_marked(struct gmi_attrmap *map, uint64_t at, uint64_t end, struct gmem_range *ret)
{
	struct gmi_attrmap_run run;

	while (gmi_attrmap_next_run(map, at, end, &run) > 0) {
		if (run.state == GMEM_PRIVATE) {
			*ret = (struct gmem_range){.start = run.start, .size = run.size};
			return true;
		}
		at = run.start + run.size;
	}
	return false;
}

/* Discards what @map marks in [@start, @end) of the bound range. The first failure ends it. */
static int discard_marked(struct gmem_slot *slot, struct gmi_attrmap *map, uint64_t start,
			  uint64_t end, uint64_t *done)
{
	struct gmi_part part = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	struct gmem_range marked;
	uint64_t size;
	int state;
	int ret = 0;

	for (; !ret && next_marked(map, start, end, &marked); start = marked.start + marked.size) {
		state = gmi_part_state(slot->vm, &part, marked.start, &size);
		if (size < marked.size)
			marked.size = size;
		ret = discard_run(slot, marked, state);
		if (!ret)
			*done += marked.size;
	}
	return ret;
}

static void discard_fresh_part(const struct gmi_part *part)
{
	struct gmem_slot *slot = part->slot;
	struct gmem_range range = {.start = part->gpa - slot->gpa.start, .size = part->size};
	uint64_t size;
	int state = gmi_part_state(slot->vm, part, 0, &size);

	if (discard_run(slot, range, state))
		gmi_attrmap_set(slot->stale, range.start, range.size, GMEM_PRIVATE);
}

void gmi_discard_fresh(struct gmem_vm *vm, struct gmem_range range)
{
	uint64_t end = range.start + range.size;
	struct gmi_part part;

	for (uint64_t at = range.start; at < end; at += part.size) {
		part = gmi_part_at(vm, at, end);
		discard_fresh_part(&part);
	}
}

/* A page of the backing may be whole only with its neighbours that were converted before. */
static struct gmem_range touched_pages(const struct gmem_slot *slot, struct gmem_range range)
{
	uint64_t start = gmi_align_down(range.start, slot->backing_page);
	uint64_t end;

	if (!gmi_align_up(range.start + range.size, slot->backing_page, &end) ||
	    end > slot->gpa.size)
		end = slot->gpa.size;
	return (struct gmem_range){.start = start, .size = end - start};
}

/* What cannot be noted for later is discarded now. */
static void defer(struct gmem_slot *slot, uint64_t start, uint64_t end)
{
	struct gmem_range marked;
	uint64_t done = 0;

	for (; next_marked(slot->stale, start, end, &marked); start = marked.start + marked.size)
		if (set_pending(slot, marked.start, marked.size, true))
			discard_marked(slot, slot->stale, marked.start, marked.start + marked.size,
				       &done);
}

static bool is_over_budget(const struct gmi_attrs *attrs, uint64_t size)
{
	return attrs->pending > attrs->budget || size > attrs->budget - attrs->pending;
}

/* Failures are counted, and what they concern stays marked. */
static void settle_part(const struct gmi_part *part, uint32_t policy)
{
	struct gmem_slot *slot = part->slot;
	uint64_t delta = part->gpa - slot->gpa.start;
	struct gmem_range range = {.start = delta, .size = part->size};
	uint64_t done = 0;

	if (policy == GMEM_DISCARD_KEEP) {
		set_pending(slot, delta, part->size, false);
		return;
	}
	if (policy == GMEM_DISCARD_DEFER && !is_over_budget(&slot->vm->attrs, part->size))
		return defer(slot, delta, delta + part->size);
	range = touched_pages(slot, range);
	discard_marked(slot, slot->stale, range.start, range.start + range.size, &done);
}

void gmi_discard_settle(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t policy)
{
	struct gmi_part part;

	for (uint64_t at = gpa; at < gpa + size; at += part.size) {
		part = gmi_part_at(vm, at, gpa + size);
		if (part.slot && marked_bytes(part.slot->stale))
			settle_part(&part, policy);
	}
}

uint64_t gmi_discard_stale_bytes(const struct gmem_slot *slot)
{
	return marked_bytes(slot->stale);
}

uint64_t gmi_discard_pending_bytes(const struct gmem_slot *slot)
{
	return marked_bytes(slot->pending);
}

uint64_t gmi_discard_map_bytes(const struct gmem_slot *slot)
{
	return (slot->stale ? gmi_attrmap_footprint(slot->stale) : 0) +
	       (slot->pending ? gmi_attrmap_footprint(slot->pending) : 0);
}

static void swap_maps(struct gmi_attrmap **a, struct gmi_attrmap **b)
{
	struct gmi_attrmap *map = *a;

	*a = *b;
	*b = map;
}

void gmi_discard_inherit(struct gmem_slot *to, struct gmem_slot *from)
{
	uint64_t to_pending = gmi_discard_pending_bytes(to);
	uint64_t from_pending = gmi_discard_pending_bytes(from);

	swap_maps(&to->stale, &from->stale);
	swap_maps(&to->pending, &from->pending);
	to->vm->attrs.pending += from_pending - to_pending;
	from->vm->attrs.pending += to_pending - from_pending;
}

void gmi_discard_forget(struct gmem_slot *slot)
{
	slot->vm->attrs.pending -= gmi_discard_pending_bytes(slot);
	gmi_attrmap_destroy(slot->stale);
	gmi_attrmap_destroy(slot->pending);
	slot->stale = NULL;
	slot->pending = NULL;
}

/* The next step of a drain: some pending bytes from guest address @at on, or none. With bind_lock. */
static bool next_pending(struct gmem_vm *vm, uint64_t *at, struct gmi_part *ret_part)
{
	const struct gmi_rangemap_entry *entry;
	struct gmem_range marked;
	struct gmem_slot *slot;
	uint64_t from;

	while ((entry = gmi_rangemap_next(gmi_slot_index_shown(&vm->slots, 0), *at))) {
		slot = entry->value;
		from = *at > slot->gpa.start ? *at - slot->gpa.start : 0;
		if (slot->pending && next_marked(slot->pending, from, slot->gpa.size, &marked)) {
			if (marked.size > DRAIN_STEP)
				marked.size = DRAIN_STEP;
			*ret_part = (struct gmi_part){
				.slot = slot,
				.gpa = slot->gpa.start + marked.start,
				.size = marked.size,
			};
			return true;
		}
		*at = slot->gpa.start + slot->gpa.size;
	}
	return false;
}

/* 1 where there was something to do, 0 where not, or -errno. */
static int drain_step(struct gmem_vm *vm, uint64_t *at, uint64_t *done)
{
	struct gmi_part part;
	struct gmem_range range;
	int ret = 0;

	gmi_vm_lock(vm);
	if (next_pending(vm, at, &part)) {
		range.start = part.gpa - part.slot->gpa.start;
		range.size = part.size;
		*at = part.gpa + part.size;
		range = touched_pages(part.slot, range);
		ret = discard_marked(part.slot, part.slot->pending, range.start,
				     range.start + range.size, done);
		if (!ret)
			ret = 1;
	}
	gmi_vm_unlock(vm);
	return ret;
}

static int drain(struct gmem_vm *vm, uint64_t max_bytes, uint64_t *done)
{
	uint64_t at = 0;
	int ret = 1;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	while (ret > 0 && *done < max_bytes)
		ret = drain_step(vm, &at, done);
	return ret < 0 ? gmi_error_call(ret, "fallocate", "stale memory could not be given back")
		       : 0;
}

GMEM_API int gmem_discard_drain(struct gmem_vm *vm, uint64_t max_bytes, uint64_t *ret_done)
{
	uint64_t done = 0;
	int ret = drain(vm, max_bytes, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}

GMEM_API int gmem_discard_set_budget(struct gmem_vm *vm, uint64_t budget)
{
	if (!vm)
		return gmi_result(__func__, gmi_error_arg("vm", "a NULL pointer"));
	gmi_vm_lock(vm);
	vm->attrs.budget = budget ? budget : GMI_DISCARD_BUDGET;
	gmi_vm_unlock(vm);
	return gmi_result(__func__, 0);
}
