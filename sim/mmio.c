/* SPDX-License-Identifier: MIT */
/* KVM's memory of guest addresses that have no memslot. */
#include "sim_model.h"

/*
 * An access to an address without a memslot leaves an entry in the page tables that says so, valid
 * until the memslots change. Neither an attribute nor a new memslot removes it: both walk over
 * entries that are present. A software-protected guest, whose accesses KVM marks as private by the
 * attribute, is not marked where such an entry is hit (kvm_mmu_page_fault()). So a valid entry is
 * MMIO even where the page has become private, and a stale one is a shared access, which then does
 * not fit a private page: EFAULT. Both observed in 7.3.4; that the EFAULT lasts is read.
 */
static bool is_tracked(const struct sim_vm *vm)
{
	return vm->type == GMI_KVM_X86_SW_PROTECTED_VM;
}

enum sim_mmio gmi_sim_mmio_state(const struct sim_vm *vm, uint64_t gpa)
{
	uint64_t generation = gmi_sim_rangemap_get(&vm->mmio, gpa, UINT64_MAX, NULL);

	if (generation == UINT64_MAX)
		return MMIO_UNKNOWN;
	return generation == vm->generation ? MMIO_VALID : MMIO_STALE;
}

void gmi_sim_mmio_remember(struct sim_vm *vm, uint64_t gpa)
{
	uint64_t page = gpa & ~(uint64_t)(SIM_PAGE - 1);

	if (is_tracked(vm))
		gmi_sim_rangemap_set(&vm->mmio, page, page + SIM_PAGE, vm->generation);
}

/* Pages that were mapped now. */
void gmi_sim_mmio_forget(struct sim_vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t page = gpa & ~(uint64_t)(SIM_PAGE - 1);

	if (vm->mmio.count && size)
		gmi_sim_rangemap_clear(&vm->mmio, page, gpa + size);
}

/*
 * Deleting a memslot dropped all page tables before 6.12; since then it does so in DEFAULT VMs
 * alone (kvm_arch_flush_shadow_memslot()).
 */
void gmi_sim_mmio_slots_changed(const struct gmem_sim *sim, struct sim_vm *vm, bool deleted)
{
	vm->generation++;
	if (deleted && sim_has(sim, SIM_ZAP_ALL))
		gmi_sim_rangemap_free(&vm->mmio);
}
