/* SPDX-License-Identifier: MIT */
/* From guest addresses to bound ranges: what vCPU threads ask. */
#include <errno.h>

#include "core_slot.h"
#include "errinfo.h"
#include "opts.h"

static void fill(struct gmem_slot_info *info, const struct gmem_slot *slot)
{
	*info = (struct gmem_slot_info){
		.sz = sizeof(*info),
		.flags = slot->flags,
		.slot_id = slot->slot_id,
		.slot_count = slot->slot_count,
		.address_space = slot->address_space,
		.gpa = slot->gpa.start,
		.size = slot->gpa.size,
		.file = slot->file,
		.offset = slot->offset,
		.hva = slot->hva,
		.slot = (struct gmem_slot *)slot,
	};
}

static int get_info(const struct gmem_slot *slot, struct gmem_slot_info *ret_info)
{
	struct gmem_slot_info info;
	int ret;

	if (!slot)
		return gmi_error_arg("slot", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	fill(&info, slot);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_slot_get_info(const struct gmem_slot *slot, struct gmem_slot_info *ret_info)
{
	return gmi_result(__func__, get_info(slot, ret_info));
}

/* Copies the range, for it may be unbound and freed as soon as the index is left. */
static bool find(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa, bool next,
		 struct gmem_slot_info *ret_info)
{
	const struct gmi_rangemap_entry *entry;
	const struct gmi_rangemap *map;
	unsigned ticket;

	ticket = gmi_slot_index_enter(&vm->slots, address_space, &map);
	entry = next ? gmi_rangemap_next(map, gpa) : gmi_rangemap_find(map, gpa);
	if (entry)
		fill(ret_info, entry->value);
	gmi_slot_index_exit(&vm->slots, ticket);
	return entry;
}

static int search(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa, bool next,
		  struct gmem_slot_info *ret_info)
{
	struct gmem_slot_info info;
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (address_space >= vm->address_spaces)
		return gmi_error_arg("address_space", "the VM has %u address spaces",
				     vm->address_spaces);
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	if (!find(vm, address_space, gpa, next, &info)) {
		gmi_error(-ENOENT, "nothing is bound at guest address %#llx%s",
			  (unsigned long long)gpa, next ? " or above" : "");
		return gmi_at_gpa(gpa, 0);
	}
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_slot_lookup(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
			      struct gmem_slot_info *ret_info)
{
	return gmi_result(__func__, search(vm, address_space, gpa, false, ret_info));
}

GMEM_API int gmem_slot_next(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
			    struct gmem_slot_info *ret_info)
{
	return gmi_result(__func__, search(vm, address_space, gpa, true, ret_info));
}
