/* SPDX-License-Identifier: MIT */
/* Questions about private and shared, and what the VMM says of it. */
#include <errno.h>

#include "core_attr.h"
#include "core_slot.h"
#include "discard.h"
#include "errinfo.h"
#include "inode.h"
#include "opts.h"
#include "range.h"

/* Per VM the map alone answers. In place the answer is the inode's, and a bound range leads to it. */
static bool needs_slots(const struct gmem_vm *vm)
{
	return vm->attrs.mechanism == GMI_CONVERT_INPLACE;
}

/* The run of one state from @gpa to @end at the latest, over the borders of parts. */
static uint32_t run_in(struct gmem_vm *vm, const struct gmi_rangemap *slots, uint64_t gpa,
		       uint64_t end, uint64_t *ret_size)
{
	uint64_t at = gpa;
	uint32_t state = GMEM_MIXED;
	struct gmi_part part;
	uint64_t size;
	int here;

	while (at < end) {
		part = gmi_part_in(slots, at, end);
		here = gmi_part_state(vm, &part, 0, &size);
		if (state != GMEM_MIXED && (uint32_t)here != state)
			break;
		state = (uint32_t)here;
		at += size;
	}
	*ret_size = at - gpa;
	return state;
}

static uint32_t run_from(struct gmem_vm *vm, uint64_t gpa, uint64_t end, uint64_t *ret_size)
{
	const struct gmi_rangemap *slots;
	unsigned ticket;
	uint32_t state;

	if (!needs_slots(vm)) {
		struct gmi_part all = {.gpa = gpa, .size = end - gpa};

		return (uint32_t)gmi_part_state(vm, &all, 0, ret_size);
	}
	ticket = gmi_slot_index_enter(&vm->slots, 0, &slots);
	state = run_in(vm, slots, gpa, end, ret_size);
	gmi_slot_index_exit(&vm->slots, ticket);
	return state;
}

static int query(struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	int ret = gmi_attr_check_range(vm, gpa, size);
	uint64_t run;

	if (ret)
		return ret;
	if (!vm->attrs.map)
		return GMEM_SHARED;
	if (!needs_slots(vm))
		return gmi_attrmap_query(vm->attrs.map, gpa, size);
	ret = (int)run_from(vm, gpa, gpa + size, &run);
	return run == size ? ret : GMEM_MIXED;
}

GMEM_API int gmem_attr_query(struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	return gmi_result(__func__, query(vm, gpa, size));
}

static int next_run(struct gmem_vm *vm, uint64_t gpa, uint64_t end, struct gmem_attr_run *ret_run)
{
	struct gmem_attr_run run = {.gpa = gpa, .state = GMEM_SHARED};
	int ret;

	if (end <= gpa)
		return gmi_error_arg("end", "the range ends at %#llx before it begins",
				     (unsigned long long)end);
	ret = gmi_attr_check_range(vm, gpa, end - gpa);
	if (ret)
		return ret;
	if (!ret_run)
		return gmi_error_arg("ret_run", "a NULL pointer");
	run.size = end - gpa;
	if (vm->attrs.map)
		run.state = run_from(vm, gpa, end, &run.size);
	*ret_run = run;
	return 0;
}

GMEM_API int gmem_attr_next_run(struct gmem_vm *vm, uint64_t gpa, uint64_t end,
				struct gmem_attr_run *ret_run)
{
	return gmi_result(__func__, next_run(vm, gpa, end, ret_run));
}

static int check_assumption(struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	struct gmi_part part;

	if (vm->attrs.mechanism == GMI_CONVERT_NONE)
		return gmi_error_feature(GMEM_FEATURE_PRIVATE, "this VM has no private memory");
	for (uint64_t at = gpa; needs_slots(vm) && at < gpa + size; at += part.size) {
		part = gmi_part_at(vm, at, gpa + size);
		if (!gmi_place_of(vm, &part).map || !part.slot) {
			gmi_error(-ENOENT, "no file is bound at guest address %#llx",
				  (unsigned long long)at);
			return gmi_at_gpa(at, part.size);
		}
	}
	return 0;
}

/* A step that fails for want of memory leaves what is true of the steps before: told so far. */
static int assume_parts(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to)
{
	struct gmi_place place;
	struct gmi_part part;
	int ret = 0;

	for (uint64_t at = gpa; !ret && at < gpa + size; at += part.size) {
		part = gmi_part_at(vm, at, gpa + size);
		place = gmi_place_of(vm, &part);
		ret = gmi_attrmap_set(place.map, place.start, part.size, (enum gmem_state)to);
	}
	return ret ? gmi_error_memory() : 0;
}

static int assume(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to)
{
	int ret = gmi_attr_check_range(vm, gpa, size);

	if (!ret)
		ret = gmi_attr_check_state(to);
	if (ret)
		return ret;
	gmi_vm_lock(vm);
	ret = check_assumption(vm, gpa, size);
	if (!ret)
		ret = assume_parts(vm, gpa, size, to);
	gmi_vm_unlock(vm);
	return ret;
}

GMEM_API int gmem_attr_assume(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to)
{
	return gmi_result(__func__, assume(vm, gpa, size, to));
}

static void add_slot(struct gmem_vm *vm, struct gmem_slot *slot, struct gmem_attr_info *info)
{
	struct gmi_part part = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	struct gmi_place place = gmi_place_of(vm, &part);
	uint64_t bytes = 0;

	if (place.map)
		gmi_attrmap_count(place.map, place.start, part.size, &bytes);
	info->private_bytes += bytes;
	info->shared_bytes += part.size - bytes;
	info->twice_bytes += gmi_discard_stale_bytes(slot);
	info->pending_bytes += gmi_discard_pending_bytes(slot);
	info->map_bytes += gmi_discard_map_bytes(slot);
}

static void add_slots(struct gmem_vm *vm, struct gmem_attr_info *info)
{
	const struct gmi_rangemap *slots;

	for (uint32_t as = 0; as < GMI_ADDRESS_SPACES; as++) {
		slots = gmi_slot_index_shown(&vm->slots, as);
		for (size_t i = 0; i < slots->count; i++)
			add_slot(vm, slots->entries[i].value, info);
	}
}

static void add_counters(const struct gmem_vm *vm, struct gmem_attr_info *info)
{
	const struct gmi_attrs *attrs = &vm->attrs;

	if (attrs->map)
		info->map_bytes += gmi_attrmap_footprint(attrs->map);
	if (attrs->wished)
		info->map_bytes += gmi_attrmap_footprint(attrs->wished);
	info->conversions = attrs->conversions;
	info->discards = attrs->discards;
	info->failed_discards = attrs->failed_discards;
	info->failed_prefaults = attrs->failed_prefaults;
	info->retries = attrs->retries;
}

static int get_info(struct gmem_vm *vm, const struct gmem_slot *slot,
		    struct gmem_attr_info *ret_info)
{
	struct gmem_attr_info info = {.sz = sizeof(info)};
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (slot && slot->vm != vm)
		return gmi_error_arg("slot", "the range is bound in another VM");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	gmi_vm_lock(vm);
	if (slot)
		add_slot(vm, (struct gmem_slot *)slot, &info);
	else
		add_slots(vm, &info);
	add_counters(vm, &info);
	gmi_vm_unlock(vm);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_attr_get_info(struct gmem_vm *vm, const struct gmem_slot *slot,
				struct gmem_attr_info *ret_info)
{
	return gmi_result(__func__, get_info(vm, slot, ret_info));
}
