/* SPDX-License-Identifier: MIT */
/* All vCPUs of a VM at once. */
#include "sim_guest.h"

/* Waits for those that run. New ones cannot come up meanwhile: they need the VM's own lock. */
void gmi_sim_lock_vcpus(struct gmem_sim *sim, struct sim_vm *vm)
{
	for (struct sim_vcpu *vcpu = vm->first_vcpu; vcpu; vcpu = vcpu->next)
		gmi_sim_enter_vcpu(sim, vcpu);
}

void gmi_sim_unlock_vcpus(struct gmem_sim *sim, struct sim_vm *vm)
{
	for (struct sim_vcpu *vcpu = vm->first_vcpu; vcpu; vcpu = vcpu->next)
		gmi_sim_leave_vcpu(sim, vcpu);
}
