/* SPDX-License-Identifier: MIT */
/* KVM_GET_MSRS and KVM_SET_MSRS, for the MSRs that a save area holds. */
#include <errno.h>

#include "sim_regs.h"

#define MAX_MSRS 256 /* MAX_IO_MSRS */

/* struct kvm_msr_entry */
struct entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* struct kvm_msrs, without its entries */
struct head {
	uint32_t count;
	uint32_t padding;
};

static const uint32_t numbers[SIM_MSRS] = {
	[SIM_MSR_PAT] = 0x277,          [SIM_MSR_STAR] = 0xc0000081,
	[SIM_MSR_LSTAR] = 0xc0000082,   [SIM_MSR_CSTAR] = 0xc0000083,
	[SIM_MSR_SFMASK] = 0xc0000084,  [SIM_MSR_KERNEL_GS_BASE] = 0xc0000102,
	[SIM_MSR_SYSENTER_CS] = 0x174,  [SIM_MSR_SYSENTER_ESP] = 0x175,
	[SIM_MSR_SYSENTER_EIP] = 0x176,
};

static uint64_t *find(struct sim_vcpu *vcpu, uint32_t index)
{
	uint64_t *values = (uint64_t *)(gmi_sim_regs(vcpu) + SIM_REGS_MSRS);

	for (size_t i = 0; i < SIM_MSRS; i++) {
		if (numbers[i] == index)
			return &values[i];
	}
	return NULL;
}

/* sev_es_prevent_msr_access(): those of a protected guest are its own. */
static bool move_msr(struct sim_vcpu *vcpu, struct entry *entry, bool set)
{
	uint64_t *value = find(vcpu, entry->index);

	if (!value || (vcpu->is_protected && vcpu->vm->sev.is_es))
		return false;
	if (set)
		*value = entry->value;
	else
		entry->value = *value;
	return true;
}

/* __msr_io(): as many as go well; the answer is their number. */
static int move_msrs(struct sim_vcpu *vcpu, uint64_t arg, bool set)
{
	struct entry entry;
	struct head head;
	uint32_t i;

	if (gmi_sim_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.count >= MAX_MSRS)
		return -E2BIG;
	if (!gmi_sim_regs(vcpu))
		return -ENOMEM;
	for (i = 0; i < head.count; i++) {
		uint64_t at = arg + sizeof(head) + i * sizeof(entry);

		if (gmi_sim_copy_in(&entry, at, sizeof(entry)))
			return -EFAULT;
		if (!move_msr(vcpu, &entry, set))
			break;
		if (!set && gmi_sim_copy_out(at, &entry, sizeof(entry)))
			return -EFAULT;
	}
	return (int)i;
}

int gmi_sim_get_msrs(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	return move_msrs(vcpu, arg, false);
}

int gmi_sim_set_msrs(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	return move_msrs(vcpu, arg, true);
}
