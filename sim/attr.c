/* SPDX-License-Identifier: MIT */
/* Private and shared: per VM and guest address, or per inode and offset. */
#include <errno.h>
#include <stddef.h>

#include "range.h"
#include "sim_model.h"

#define PRIVATE GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE

/* With in-place conversion nothing is left to set on the VM: kvm_supported_mem_attributes(). */
static uint64_t supported(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return gmi_sim_has_private_memory(vm) && !sim_has(sim, SIM_INPLACE) ? PRIVATE : 0;
}

int gmi_sim_set_attributes(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_memory_attributes args;
	uint64_t end;

	if (gmi_sim_copy_in(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.attributes & ~supported(sim, vm) ||
	    !gmi_range_is_paged(args.address, args.size))
		return -EINVAL;
	end = args.address + args.size;
	if (args.attributes)
		return gmi_sim_rangemap_set(&vm->attributes, args.address, end, args.attributes);
	gmi_sim_td_unmap(vm, args.address, args.size);
	return gmi_sim_rangemap_clear(&vm->attributes, args.address, end);
}

bool gmi_sim_offset_is_private(const struct sim_inode *inode, uint64_t offset, uint64_t *ret_end)
{
	return !gmi_sim_rangemap_get(&inode->shared, offset, 0, ret_end);
}

/* UNVERIFIED: in place, an address without a file counts as shared. */
static bool is_private_in_place(struct sim_vm *vm, uint64_t gpa, uint64_t *ret_end)
{
	const struct sim_slot *slot = gmi_sim_slot_at(vm, gpa);
	uint64_t end;
	bool private;

	*ret_end = slot ? slot->gpa + slot->size : gpa + SIM_PAGE;
	if (!slot || !slot->view)
		return false;
	private = gmi_sim_offset_is_private(slot->view->inode, slot->offset + (gpa - slot->gpa),
					    &end);
	if (end - slot->offset < slot->size)
		*ret_end = slot->gpa + (end - slot->offset);
	return private;
}

/* The state of a guest address; @ret_end is where that state may end. */
bool gmi_sim_gpa_is_private(const struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa,
			    uint64_t *ret_end)
{
	*ret_end = UINT64_MAX;
	if (!gmi_sim_has_private_memory(vm))
		return false;
	if (sim_has(sim, SIM_INPLACE))
		return is_private_in_place(vm, gpa, ret_end);
	return gmi_sim_rangemap_get(&vm->attributes, gpa, 0, ret_end) & PRIVATE;
}

static bool reserved_is_zero(const struct gmi_next_memory_attributes2 *args)
{
	for (size_t i = 0; i < sizeof(args->reserved) / sizeof(args->reserved[0]); i++) {
		if (args->reserved[i])
			return false;
	}
	return true;
}

/*
 * A view from another process has a VM that we cannot see; it is taken for one with private memory.
 */
static bool can_convert(const struct sim_view *view)
{
	return !view->vm || gmi_sim_has_private_memory(view->vm);
}

/* True where all of the range is in the wanted state already. */
static bool is_in_state(const struct sim_inode *inode, uint64_t start, uint64_t end, bool private)
{
	if (private)
		return !gmi_sim_rangemap_count(&inode->shared, start, end);
	return gmi_sim_rangemap_covers(&inode->shared, start, end);
}

static int make_private(struct gmem_sim *sim, struct sim_inode *inode, uint64_t start, uint64_t end,
			uint64_t *ret_obstacle)
{
	const struct sim_run *pin = gmi_sim_rangemap_find(&inode->pinned, start);

	if (pin && pin->start < end) {
		*ret_obstacle = pin->start > start ? pin->start : start;
		return -EAGAIN;
	}
	if (gmi_sim_rangemap_clear(&inode->shared, start, end))
		return -ENOMEM;
	gmi_sim_remap(sim, inode, start, end - start, true);
	return 0;
}

static int make_shared(struct gmem_sim *sim, struct sim_inode *inode, uint64_t start, uint64_t end)
{
	if (gmi_sim_rangemap_set(&inode->shared, start, end, 1))
		return -ENOMEM;
	gmi_sim_rmp_release(inode, start, end - start);
	gmi_sim_td_forget_file(sim, inode, start, end - start);
	gmi_sim_remap(sim, inode, start, end - start, false);
	return 0;
}

int gmi_sim_convert(struct gmem_sim *sim, struct sim_inode *inode, uint64_t start, uint64_t end,
		    bool private, uint64_t *ret_obstacle)
{
	if (is_in_state(inode, start, end, private))
		return 0;
	return private ? make_private(sim, inode, start, end, ret_obstacle)
		       : make_shared(sim, inode, start, end);
}

/*
 * UNVERIFIED: KVM_SET_MEMORY_ATTRIBUTES2 on the file as queued for 7.4. Argument errors leave
 * error_offset alone; ENOMEM and EAGAIN write it. All or nothing.
 */
int gmi_sim_set_attributes2(struct gmem_sim *sim, struct sim_view *view, uint64_t arg)
{
	struct gmi_next_memory_attributes2 args;
	struct sim_inode *inode = view->inode;
	bool private;
	uint64_t end;
	int ret;

	if (gmi_sim_copy_in(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.flags || !reserved_is_zero(&args) || !can_convert(view) ||
	    args.attributes & ~PRIVATE || !gmi_range_is_paged(args.offset, args.size) ||
	    !gmi_range_is_within(args.offset, args.size, inode->size))
		return -EINVAL;
	private = args.attributes;
	end = args.offset + args.size;
	if (is_in_state(inode, args.offset, end, private))
		return 0;
	args.error_offset = args.offset;
	ret = gmi_sim_convert(sim, inode, args.offset, end, private, &args.error_offset);
	if (ret && gmi_sim_copy_out(arg, &args, sizeof(args)))
		return -EFAULT;
	return ret;
}
