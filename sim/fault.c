/* SPDX-License-Identifier: MIT */
/* Where a guest access leads: the file, the host's mapping, an exit. */
#include <errno.h>
#include <unistd.h>

#include "sim_guest.h"

#define PRIVATE GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* kvm_mmu_prepare_memory_fault_exit() */
void gmi_sim_memory_fault(struct sim_vcpu *vcpu, uint64_t gpa, uint64_t flags)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_MEMORY_FAULT;
	vcpu->run->memory_fault = (struct gmi_kvm_exit_memory_fault){
		.flags = flags,
		.gpa = gpa & ~(uint64_t)(SIM_PAGE - 1),
		.size = SIM_PAGE,
	};
}

static void fault(struct sim_target *target, int error)
{
	target->kind = SIM_TO_FAULT;
	target->error = error;
}

/* The slot's file where it still lives. A dead one is noticed here, as kvm_gmem_get_file() does. */
struct sim_view *gmi_sim_live_view(struct gmem_sim *sim, struct sim_slot *slot)
{
	struct sim_view *view = slot->view;

	if (view && !gmi_sim_view_is_alive(view))
		gmi_sim_reap_closed(sim, &view->object);
	return slot->view;
}

static void resolve_file(struct gmem_sim *sim, const struct sim_vm *vm, struct sim_slot *slot,
			 uint64_t gpa, struct sim_target *target)
{
	struct sim_view *view = gmi_sim_live_view(sim, slot);
	uint64_t end;

	if (!view) {
		fault(target, -EFAULT);
		return;
	}
	target->kind = SIM_TO_FILE;
	target->inode = view->inode;
	target->offset = slot->offset + (gpa - slot->gpa);
	if (gmi_sim_rangemap_get(&view->inode->poisoned, target->offset, 0, &end))
		fault(target, -EHWPOISON);
	target->size = min(target->size, end - target->offset);
	target->to_guest =
		gmi_sim_is_snp(vm) && (target->exit_flags & PRIVATE || !sim_has(sim, SIM_INPLACE));
}

static void resolve_shared(struct gmem_sim *sim, struct sim_vm *vm, struct sim_slot *slot,
			   uint64_t gpa, bool write, struct sim_target *target)
{
	if (!slot || (write && slot->flags & GMI_KVM_MEM_READONLY)) {
		target->kind = SIM_TO_MMIO;
		if (!slot)
			gmi_sim_mmio_remember(vm, gpa);
		return;
	}
	if (slot->gmem_only) {
		resolve_file(sim, vm, slot, gpa, target);
		return;
	}
	target->kind = SIM_TO_HVA;
	target->hva = slot->hva + (gpa - slot->gpa);
}

/* Only hardware knows what the guest means; a software-protected guest means what is. */
static bool is_mismatch(const struct sim_vm *vm, enum sim_access access, bool private)
{
	if (access == SIM_ACCESS_ANY ||
	    (vm->type != GMI_KVM_X86_SNP_VM && vm->type != GMI_KVM_X86_TDX_VM))
		return false;
	return private != (access == SIM_ACCESS_PRIVATE);
}

/* kvm_mmu_faultin_pfn(), and what comes before it */
void gmi_sim_resolve(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, bool write,
		     enum sim_access access, struct sim_target *ret_target)
{
	struct sim_slot *slot = gmi_sim_slot_at(vm, gpa);
	uint64_t end;
	bool private = gmi_sim_gpa_is_private(sim, vm, gpa, &end);
	struct sim_target target = {.exit_flags = private ? PRIVATE : 0};

	if (slot)
		end = min(end, slot->gpa + slot->size);
	else
		end = min(end, (gpa | (SIM_PAGE - 1)) + 1);
	target.size = end - gpa;
	if (is_mismatch(vm, access, private)) {
		target.exit_flags = access == SIM_ACCESS_PRIVATE ? PRIVATE : 0;
		fault(&target, -EFAULT);
	} else if (!private) {
		resolve_shared(sim, vm, slot, gpa, write, &target);
	} else if (slot && slot->flags & GMI_KVM_MEM_GUEST_MEMFD) {
		resolve_file(sim, vm, slot, gpa, &target);
	} else {
		fault(&target, -EFAULT);
	}
	*ret_target = target;
}

/* Pages are there after the first touch, also of a read: kvm_gmem_get_pfn(). */
static int touch(struct gmem_sim *sim, const struct sim_target *target, size_t size)
{
	uint64_t start = target->offset & ~(uint64_t)(SIM_PAGE - 1);
	uint64_t end = (target->offset + size + SIM_PAGE - 1) & ~(uint64_t)(SIM_PAGE - 1);
	uint64_t done;
	int ret = gmi_sim_allocate(sim, target->inode, start, end - start, false, &done);

	if (!ret && target->to_guest)
		ret = gmi_sim_rmp_assign(target->inode, start, end - start);
	return ret;
}

int gmi_sim_target_read(struct gmem_sim *sim, const struct sim_target *target, void *to,
			size_t size)
{
	int ret;

	if (target->kind == SIM_TO_HVA)
		return gmi_sim_copy_in(to, target->hva, size);
	ret = touch(sim, target, size);
	if (!ret && pread(target->inode->fd, to, size, (off_t)target->offset) != (ssize_t)size)
		ret = -EFAULT;
	return ret;
}

int gmi_sim_target_write(struct gmem_sim *sim, const struct sim_target *target, const void *from,
			 size_t size)
{
	int ret;

	if (target->kind == SIM_TO_HVA)
		return gmi_sim_copy_out(target->hva, from, size);
	ret = touch(sim, target, size);
	if (!ret && pwrite(target->inode->fd, from, size, (off_t)target->offset) != (ssize_t)size)
		ret = -EFAULT;
	return ret;
}
