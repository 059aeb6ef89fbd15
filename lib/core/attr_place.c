/* SPDX-License-Identifier: MIT */
/* Where the private/shared state of guest memory is kept, for each mechanism. */
#include "core_attr.h"
#include "core_slot.h"
#include "errinfo.h"
#include "inode.h"
#include "range.h"

int gmi_attrs_init(struct gmi_attrs *attrs, const struct gmem_allocator *allocator,
		   enum gmi_mechanism mechanism)
{
	int ret = 0;

	attrs->mechanism = mechanism;
	attrs->budget = GMI_DISCARD_BUDGET;
	if (mechanism != GMI_CONVERT_NONE)
		ret = gmi_attrmap_create(allocator, GMI_ATTRMAP_LIMIT_MAX, GMEM_SHARED,
					 &attrs->map);
	if (!ret && mechanism == GMI_CONVERT_INPLACE)
		ret = gmi_attrmap_create(allocator, GMI_ATTRMAP_LIMIT_MAX, GMEM_SHARED,
					 &attrs->wished);
	return ret;
}

void gmi_attrs_clear(struct gmi_attrs *attrs)
{
	gmi_attrmap_destroy(attrs->map);
	gmi_attrmap_destroy(attrs->wished);
}

static void swap(struct gmi_attrmap **a, struct gmi_attrmap **b)
{
	struct gmi_attrmap *map = *a;

	*a = *b;
	*b = map;
}

void gmi_attrs_swap(struct gmi_attrs *a, struct gmi_attrs *b)
{
	swap(&a->map, &b->map);
	swap(&a->wished, &b->wished);
}

bool gmi_attrs_in_use(const struct gmi_attrs *attrs)
{
	return (attrs->map && gmi_attrmap_private_bytes(attrs->map)) ||
	       (attrs->wished && gmi_attrmap_private_bytes(attrs->wished));
}

/* VMs with private memory have one address space (x86.c, kvm_arch_nr_memslot_as_ids()). */
struct gmi_part gmi_part_in(const struct gmi_rangemap *slots, uint64_t gpa, uint64_t end)
{
	const struct gmi_rangemap_entry *entry = gmi_rangemap_next(slots, gpa);
	struct gmi_part part = {.gpa = gpa, .size = end - gpa};
	uint64_t border = end;

	if (entry && entry->range.start <= gpa) {
		part.slot = entry->value;
		border = entry->range.start + entry->range.size;
	} else if (entry) {
		border = entry->range.start;
	}
	if (border < end)
		part.size = border - gpa;
	return part;
}

struct gmi_part gmi_part_at(struct gmem_vm *vm, uint64_t gpa, uint64_t end)
{
	return gmi_part_in(gmi_slot_index_shown(&vm->slots, 0), gpa, end);
}

struct gmi_place gmi_place_of(const struct gmem_vm *vm, const struct gmi_part *part)
{
	const struct gmem_slot *slot = part->slot;

	if (vm->attrs.mechanism != GMI_CONVERT_INPLACE || !slot)
		return (struct gmi_place){.map = vm->attrs.map, .start = part->gpa};
	if (!slot->file)
		return (struct gmi_place){0};
	return (struct gmi_place){
		.map = slot->file->inode->state,
		.start = slot->offset + (part->gpa - slot->gpa.start),
	};
}

int gmi_part_state(const struct gmem_vm *vm, const struct gmi_part *part, uint64_t delta,
		   uint64_t *ret_size)
{
	struct gmi_place place = gmi_place_of(vm, part);
	struct gmi_attrmap_run run;

	*ret_size = part->size - delta;
	if (!place.map || gmi_attrmap_next_run(place.map, place.start + delta,
					       place.start + part->size, &run) <= 0)
		return GMEM_SHARED;
	*ret_size = run.size;
	return (int)run.state;
}

int gmi_attr_check_range(const struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (!gmi_is_aligned(gpa, GMEM_PAGE_SIZE))
		gmi_error_arg("gpa", "guest address %#llx is not a multiple of 4096",
			      (unsigned long long)gpa);
	else if (!size || !gmi_is_aligned(size, GMEM_PAGE_SIZE))
		gmi_error_arg("size", "size %#llx is 0 or not a multiple of 4096",
			      (unsigned long long)size);
	else if (!gmi_range_is_within(gpa, size, GMI_ATTRMAP_LIMIT_MAX))
		gmi_error_arg("size", "the range ends beyond the 2^52 bytes that a guest has");
	else
		return 0;
	return gmi_at_gpa(gpa, size);
}

int gmi_attr_check_state(uint32_t to)
{
	if (to != GMEM_PRIVATE && to != GMEM_SHARED)
		return gmi_error_arg("to", "%u is neither GMEM_PRIVATE nor GMEM_SHARED", to);
	return 0;
}

int gmi_attr_copy_wishes(struct gmem_vm *to, struct gmem_vm *from, uint64_t gpa, uint64_t size)
{
	struct gmi_attrmap_run run;
	int ret = gmi_attrmap_set(to->attrs.wished, gpa, size, GMEM_PRIVATE);

	for (uint64_t at = gpa;
	     !ret && gmi_attrmap_next_run(from->attrs.map, at, gpa + size, &run) > 0;
	     at = run.start + run.size)
		ret = gmi_attrmap_set(to->attrs.map, run.start, run.size,
				      (enum gmem_state)run.state);
	return ret ? gmi_error_memory() : 0;
}

/* A wish that cannot be forgotten for want of memory is merely wished again. */
void gmi_attr_forget_wishes(struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	if (vm->attrs.wished)
		gmi_attrmap_set(vm->attrs.wished, gpa, size, GMEM_SHARED);
}
