/* SPDX-License-Identifier: MIT */
/* What only a guest of the secure processor does: ask for a report, give up. */
#include <errno.h>

#include "sim_guest.h"

/* What the guest finds in SW_EXITINFO2 where the VMM or the firmware refused. */
#define GUEST_ERROR(vmm, firmware) ((int64_t)((uint64_t)(vmm) << 32 | (firmware)))
#define VMM_INVALID_LENGTH         1
#define VMM_BUSY                   2
#define VMM_GENERIC                UINT32_MAX

static int get_report(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	const struct gmem_sim_action *action = &vcpu->script->action[vcpu->script->at];
	uint32_t status = 0;
	int ret = gmi_sim_psp_issue(sim, vcpu->vm->sev.fd, GMEM_SIM_SNP_GUEST_REQUEST, &status);

	if (ret && ret != -EIO)
		return ret;
	if (!ret && action->out)
		gmi_sim_guest_report(sim, vcpu->vm, action->in, action->out);
	vcpu->script->info.hypercall_result = GUEST_ERROR(0, status);
	return gmi_sim_next_action(vcpu->script);
}

/* snp_handle_ext_guest_req() */
int gmi_sim_do_report(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		      const struct gmem_sim_action *action)
{
	static const uint8_t no_certs[24];

	if (!gmi_sim_is_snp(vcpu->vm))
		return gmi_sim_no_emulation(vcpu);
	if (!vcpu->vm->sev.has_certs) {
		if (action->value && gmi_sim_copy_out(gmi_sim_hva_of(vcpu->vm, action->addr),
						      no_certs, sizeof(no_certs)))
			return -EIO;
		return get_report(sim, vcpu);
	}
	vcpu->run->exit_reason = GMI_KVM_EXIT_SNP_REQ_CERTS;
	vcpu->run->snp_req_certs = (struct gmi_kvm_exit_snp_req_certs){
		.gpa = action->addr,
		.npages = action->value,
	};
	vcpu->script->pending = PENDING_CERTS;
	return 0;
}

/* sev_handle_vmgexit_msr_protocol(), GHCB_MSR_TERM_REQ */
int gmi_sim_do_terminate(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			 const struct gmem_sim_action *action)
{
	if (!vcpu->vm->sev.is_es)
		return gmi_sim_no_emulation(vcpu);
	vcpu->run->exit_reason = GMI_KVM_EXIT_SYSTEM_EVENT;
	vcpu->run->system_event = (struct gmi_kvm_exit_system_event){
		.type = GMI_KVM_SYSTEM_EVENT_SEV_TERM,
		.ndata = 1,
		.data = {action->value},
	};
	gmi_sim_next_action(vcpu->script);
	return 0;
}

/* snp_complete_req_certs() */
int gmi_sim_complete_certs(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	struct gmem_sim_vcpu_info *info = &vcpu->script->info;

	switch (vcpu->run->snp_req_certs.ret) {
	case 0:
		return get_report(sim, vcpu);
	case ENOSPC:
		info->accumulator = vcpu->run->snp_req_certs.npages;
		info->hypercall_result = GUEST_ERROR(VMM_INVALID_LENGTH, 0);
		break;
	case EAGAIN:
		info->hypercall_result = GUEST_ERROR(VMM_BUSY, 0);
		break;
	case EIO:
		info->hypercall_result = GUEST_ERROR(VMM_GENERIC, 0);
		break;
	default:
		return -EINVAL;
	}
	return gmi_sim_next_action(vcpu->script);
}
