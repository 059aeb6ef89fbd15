/* SPDX-License-Identifier: MIT */
/* A TD's sub-commands on a vCPU that are not about memory: INIT_VCPU, GET_CPUID. */
#include <errno.h>
#include <stddef.h>

#include "sim_model.h"

/* UNVERIFIED on hardware: tdx.c of 7.3.4, read. */
#define X2APIC (1u << 21)

/* tdx_vcpu_create() */
int gmi_sim_tdx_may_create_vcpu(const struct sim_vm *vm)
{
	if (!gmi_sim_td_is_initialised(vm->td))
		return -EIO;
	return vm->irqchip_split ? 0 : -EINVAL;
}

/* kvm_apic_set_base() with the mode that TDs run in: KVM_SET_CPUID2 has to allow it. */
static bool has_x2apic(const struct sim_vcpu *vcpu)
{
	const struct gmi_kvm_cpuid2 *cpuid = vcpu->cpuid;

	for (uint32_t i = 0; cpuid && i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 1)
			return cpuid->entries[i].ecx & X2APIC;
	}
	return false;
}

/* tdx_vcpu_init() and tdx_td_vcpu_init() */
int gmi_sim_tdx_init_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			  const struct gmi_kvm_tdx_cmd *cmd)
{
	if (cmd->flags || vcpu->td_ready || !has_x2apic(vcpu))
		return -EINVAL;
	if (gmi_sim_seamcall(sim, GMEM_SIM_TDH_VP_CREATE) ||
	    gmi_sim_seamcall(sim, GMEM_SIM_TDH_VP_ADDCX) ||
	    gmi_sim_seamcall(sim, GMEM_SIM_TDH_VP_INIT)) {
		vcpu->vm->dead = true;
		return -EIO;
	}
	vcpu->td_rcx = cmd->data;
	vcpu->td_ready = true;
	return 0;
}

/* tdx_vcpu_get_cpuid(): the head is written also where the entries do not fit. */
int gmi_sim_tdx_get_cpuid(struct sim_vcpu *vcpu, const struct gmi_kvm_tdx_cmd *cmd)
{
	struct gmi_kvm_cpuid_entry2 entries[GMI_KVM_MAX_CPUID_ENTRIES];
	struct gmi_kvm_cpuid2 head;
	size_t count;
	bool fits;

	if (gmi_sim_copy_in(&head, cmd->data, sizeof(head)))
		return -EFAULT;
	count = gmi_sim_tdx_cpuid_of(vcpu->vm->td, entries);
	fits = head.nent >= count;
	head.nent = (uint32_t)count;
	if (gmi_sim_copy_out(cmd->data, &head, sizeof(head)))
		return -EFAULT;
	if (!fits)
		return -E2BIG;
	return gmi_sim_copy_out(cmd->data + sizeof(head), entries, count * sizeof(entries[0]));
}

GMEM_API int gmem_sim_td_get_rcx(struct gmem_sim *sim, int vcpu_fd, uint64_t *ret_rcx)
{
	struct sim_object *object;
	const struct sim_vcpu *vcpu;
	int ret = 0;

	if (!sim || !ret_rcx)
		return -EINVAL;
	gmi_sim_lock(sim);
	if (gmi_sim_kind(sim, vcpu_fd, &object) != SIM_VCPU || !object) {
		ret = -EBADF;
	} else {
		vcpu = sim_container(object, struct sim_vcpu, object);
		if (vcpu->td_ready)
			*ret_rcx = vcpu->td_rcx;
		else
			ret = -ENOTTY;
	}
	gmi_sim_unlock(sim);
	return ret;
}
