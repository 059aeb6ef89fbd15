/* SPDX-License-Identifier: MIT */
/* Memslots: KVM_SET_USER_MEMORY_REGION and its second version. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "range.h"
#include "sim_model.h"

#define GMEM_FLAG GMI_KVM_MEM_GUEST_MEMFD

struct sim_slot *gmi_sim_slot_at(struct sim_vm *vm, uint64_t gpa)
{
	return gmi_sim_index_find(&vm->space[0].by_gpa, gpa);
}

static struct sim_slot *slot_by_id(const struct sim_space *space, uint32_t id)
{
	return id < space->ids ? space->by_id[id] : NULL;
}

/* A VM without SMM has one address space, whatever the capability says. */
static uint32_t spaces_of(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	int cap = gmi_sim_check_extension(sim, vm, GMI_KVM_CAP_MULTI_ADDRESS_SPACE);

	return cap ? (uint32_t)cap : 1;
}

/* check_memory_region_flags() */
static bool flags_are_valid(const struct gmem_sim *sim, const struct sim_vm *vm, uint32_t flags)
{
	uint32_t valid = GMI_KVM_MEM_LOG_DIRTY_PAGES;

	if (sim_has(sim, SIM_GMEM_ANY_VM) || gmi_sim_has_private_memory(vm))
		valid |= GMEM_FLAG;
	if (flags & GMEM_FLAG)
		valid &= ~GMI_KVM_MEM_LOG_DIRTY_PAGES;
	else if (!gmi_sim_has_protected_state(vm))
		valid |= GMI_KVM_MEM_READONLY;
	return !(flags & ~valid);
}

static bool is_paged(uint64_t value)
{
	return gmi_is_aligned(value, SIM_PAGE);
}

/* The part of kvm_set_memory_region() that looks at numbers alone. */
static bool numbers_are_valid(const struct gmem_sim *sim, const struct sim_vm *vm,
			      const struct gmi_kvm_region2 *region)
{
	uint64_t size = region->memory_size;

	if (!is_paged(size) || !is_paged(region->guest_phys_addr) ||
	    !is_paged(region->userspace_addr))
		return false;
	if (!gmi_range_is_within(region->userspace_addr, size, SIM_USER_END))
		return false;
	if (region->flags & GMEM_FLAG &&
	    (!is_paged(region->guest_memfd_offset) ||
	     region->guest_memfd_offset + size < region->guest_memfd_offset))
		return false;
	if (region->slot >> 16 >= spaces_of(sim, vm) || (region->slot & 0xffff) >= SIM_MAX_SLOTS)
		return false;
	return region->guest_phys_addr + size >= region->guest_phys_addr &&
	       size / SIM_PAGE <= SIM_MAX_SLOT_PAGES;
}

static void unbind(struct sim_slot *slot)
{
	if (slot->view)
		gmi_sim_index_remove(&slot->view->bindings, slot);
	slot->view = NULL;
}

static int delete_slot(struct sim_space *space, struct sim_slot *slot)
{
	unbind(slot);
	gmi_sim_index_remove(&space->by_gpa, slot);
	space->by_id[slot->id] = NULL;
	free(slot);
	return 0;
}

/* The file's side: kvm_gmem_prepare_memory_region(), kvm_gmem_bind() up to 7.1. */
static int find_file(struct gmem_sim *sim, struct sim_vm *vm, const struct gmi_kvm_region2 *region,
		     struct sim_view **ret_view)
{
	uint64_t end = region->guest_memfd_offset + region->memory_size;
	struct sim_object *object;
	struct sim_view *view;
	enum sim_kind kind;

	if (fcntl((int)region->guest_memfd, F_GETFD) < 0)
		return -EBADF;
	kind = gmi_sim_kind(sim, (int)region->guest_memfd, &object);
	if (kind != SIM_VIEW)
		return -EINVAL;
	view = sim_container(object, struct sim_view, object);
	if (view->vm != vm)
		return -EINVAL;
	if (sim_has(sim, SIM_OFFSET_SIGNED)) {
		if ((int64_t)region->guest_memfd_offset < 0 ||
		    (int64_t)end > (int64_t)view->inode->size)
			return -EINVAL;
	} else if (end > view->inode->size) {
		return -EINVAL;
	}
	*ret_view = view;
	return 0;
}

/* The last frame against kvm_mmu_max_gfn(). */
static bool fits_mmu(const struct gmem_sim *sim, const struct sim_vm *vm,
		     const struct gmi_kvm_region2 *region)
{
	uint64_t last = region->guest_phys_addr + region->memory_size - 1;

	if (vm->td && last & gmi_sim_td_shared_bit(vm->td))
		return false; /* an alias of a private address: kvm_is_gfn_alias() */
	return last >> sim->profile->gpa_bits == 0;
}

static bool file_overlaps(const struct sim_view *view, const struct gmi_kvm_region2 *region)
{
	return gmi_sim_index_overlap(&view->bindings, region->guest_memfd_offset,
				     region->memory_size);
}

/* All that can refuse a new slot once its guest addresses are known to be free. */
static int check_new_slot(struct gmem_sim *sim, struct sim_vm *vm,
			  const struct gmi_kvm_region2 *region, struct sim_view **ret_view)
{
	int ret = 0;

	*ret_view = NULL;
	if (region->flags & GMEM_FLAG)
		ret = find_file(sim, vm, region, ret_view);
	if (ret)
		return ret;
	if (*ret_view && sim_has(sim, SIM_OVERLAP_EARLY) && file_overlaps(*ret_view, region))
		return sim->profile->overlap_errno;
	if (!fits_mmu(sim, vm, region))
		return -EINVAL;
	if (*ret_view && file_overlaps(*ret_view, region))
		return sim->profile->overlap_errno;
	return 0;
}

static int grow_ids(struct sim_space *space, uint32_t id)
{
	size_t ids = space->ids ? space->ids : 16;
	struct sim_slot **more;

	while (ids <= id)
		ids *= 2;
	if (ids == space->ids)
		return 0;
	more = reallocarray(space->by_id, ids, sizeof(struct sim_slot *));
	if (!more)
		return -ENOMEM;
	for (size_t i = space->ids; i < ids; i++)
		more[i] = NULL;
	space->by_id = more;
	space->ids = ids;
	return 0;
}

static int insert_slot(struct sim_space *space, struct sim_slot *slot)
{
	int ret = grow_ids(space, slot->id);

	if (ret)
		return ret;
	ret = gmi_sim_index_add(&space->by_gpa, slot);
	if (ret)
		return ret;
	if (slot->view)
		ret = gmi_sim_index_add(&slot->view->bindings, slot);
	if (ret) {
		gmi_sim_index_remove(&space->by_gpa, slot);
		return ret;
	}
	space->by_id[slot->id] = slot;
	return 0;
}

static int create_slot(struct gmem_sim *sim, struct sim_vm *vm,
		       const struct gmi_kvm_region2 *region)
{
	struct sim_space *space = &vm->space[region->slot >> 16];
	struct sim_view *view;
	struct sim_slot *slot;
	int ret;

	if (gmi_sim_index_overlap(&space->by_gpa, region->guest_phys_addr, region->memory_size))
		return -EEXIST;
	ret = check_new_slot(sim, vm, region, &view);
	if (ret)
		return ret;
	slot = malloc(sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	*slot = (struct sim_slot){
		.id = region->slot & 0xffff,
		.space = region->slot >> 16,
		.flags = region->flags,
		.gmem_only = view && (sim_has(sim, SIM_INPLACE) ||
				      view->inode->flags & GMI_GUEST_MEMFD_FLAG_MMAP),
		.gpa = region->guest_phys_addr,
		.size = region->memory_size,
		.hva = region->userspace_addr,
		.offset = view ? region->guest_memfd_offset : 0,
		.view = view,
	};
	ret = insert_slot(space, slot);
	if (ret)
		free(slot);
	return ret;
}

static int move_slot(struct gmem_sim *sim, struct sim_vm *vm, struct sim_space *space,
		     struct sim_slot *slot, const struct gmi_kvm_region2 *region)
{
	int ret = 0;
	uint64_t old = slot->gpa;

	gmi_sim_index_remove(&space->by_gpa, slot);
	if (gmi_sim_index_overlap(&space->by_gpa, region->guest_phys_addr, slot->size))
		ret = -EEXIST;
	else if (!fits_mmu(sim, vm, region))
		ret = -EINVAL;
	slot->gpa = ret ? old : region->guest_phys_addr;
	gmi_sim_index_add(&space->by_gpa, slot);
	return ret;
}

/* Slots with a file are immutable; of others the address and dirty logging may change. */
static int modify_slot(struct gmem_sim *sim, struct sim_vm *vm, struct sim_space *space,
		       struct sim_slot *slot, const struct gmi_kvm_region2 *region)
{
	uint32_t changed = region->flags ^ slot->flags;
	int ret = 0;

	if (region->flags & GMEM_FLAG || region->userspace_addr != slot->hva ||
	    region->memory_size != slot->size || changed & (GMI_KVM_MEM_READONLY | GMEM_FLAG))
		return -EINVAL;
	if (region->guest_phys_addr != slot->gpa)
		ret = move_slot(sim, vm, space, slot, region);
	if (!ret)
		slot->flags = region->flags;
	return ret;
}

static int change_slots(struct gmem_sim *sim, struct sim_vm *vm,
			const struct gmi_kvm_region2 *region)
{
	struct sim_space *space;
	struct sim_slot *slot;

	if (!flags_are_valid(sim, vm, region->flags) || !numbers_are_valid(sim, vm, region))
		return -EINVAL;
	space = &vm->space[region->slot >> 16];
	slot = slot_by_id(space, region->slot & 0xffff);
	if (!region->memory_size) {
		if (slot)
			gmi_sim_td_forget(vm, slot->gpa, slot->size);
		return slot ? delete_slot(space, slot) : -EINVAL;
	}
	if (slot)
		return modify_slot(sim, vm, space, slot, region);
	return create_slot(sim, vm, region);
}

static int set_region(struct gmem_sim *sim, struct sim_vm *vm, const struct gmi_kvm_region2 *region)
{
	int ret = change_slots(sim, vm, region);

	if (!ret)
		gmi_sim_mmio_slots_changed(sim, vm, !region->memory_size);
	return ret;
}

int gmi_sim_set_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_region2 region = {0};

	if (gmi_sim_copy_in(&region, arg, sizeof(struct gmi_kvm_region)))
		return -EFAULT;
	if (region.flags & ~(GMI_KVM_MEM_LOG_DIRTY_PAGES | GMI_KVM_MEM_READONLY))
		return -EINVAL;
	return set_region(sim, vm, &region);
}

int gmi_sim_set_region2(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_region2 region;

	if (gmi_sim_copy_in(&region, arg, sizeof(region)))
		return -EFAULT;
	return set_region(sim, vm, &region);
}

/* The whole of a slot is reported as written: no access is tracked here. */
int gmi_sim_get_dirty_log(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_dirty_log log;
	const struct sim_slot *slot;
	uint64_t ones = UINT64_MAX;

	if (gmi_sim_copy_in(&log, arg, sizeof(log)))
		return -EFAULT;
	if (log.slot >> 16 >= spaces_of(sim, vm) || (log.slot & 0xffff) >= SIM_MAX_SLOTS)
		return -EINVAL;
	slot = slot_by_id(&vm->space[log.slot >> 16], log.slot & 0xffff);
	if (!slot || !(slot->flags & GMI_KVM_MEM_LOG_DIRTY_PAGES))
		return -ENOENT;
	for (uint64_t page = 0; page < slot->size / SIM_PAGE; page += 64) {
		if (gmi_sim_copy_out(log.dirty_bitmap + page / 8, &ones, sizeof(ones)))
			return -EFAULT;
	}
	return 0;
}

void gmi_sim_free_slots(struct sim_vm *vm)
{
	for (size_t i = 0; i < SIM_SPACES; i++) {
		struct sim_space *space = &vm->space[i];

		while (space->by_gpa.count)
			delete_slot(space, space->by_gpa.slot[space->by_gpa.count - 1]);
		gmi_sim_index_free(&space->by_gpa);
		free(space->by_id);
	}
}
