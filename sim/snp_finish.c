/* SPDX-License-Identifier: MIT */
/* KVM_SEV_SNP_LAUNCH_FINISH: the vCPUs are measured, then the launch is closed. */
#include <errno.h>

#include "sim_regs.h"
#include "uapi_sev.h"

static int measure_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu, struct gmi_kvm_sev_cmd *cmd)
{
	struct sim_sev *sev = &vcpu->vm->sev;
	uint8_t page[SIM_PAGE];
	uint32_t status = 0;
	int ret = gmi_sim_vmsa_sync(vcpu, sev->features, page);

	if (ret)
		return ret;
	ret = gmi_sim_psp_issue(sim, (int)cmd->sev_fd, GMEM_SIM_SNP_LAUNCH_UPDATE, &cmd->error);
	if (!ret)
		ret = gmi_sim_psp_end(gmi_sim_fw_launch_update(sev->guest, GMI_SNP_PAGE_TYPE_VMSA,
							       GMI_SNP_VMSA_GPA, page),
				      &cmd->error);
	if (!ret)
		vcpu->is_protected = true;
	else if (gmi_sim_psp_call(sim, GMEM_SIM_SNP_PAGE_RECLAIM, &status))
		vcpu->vm->dead = true;
	return ret;
}

/* snp_launch_update_vmsa(). Those before the one that fails stay protected. */
static int measure_vcpus(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	int ret = 0;

	gmi_sim_lock_vcpus(sim, vm);
	for (struct sim_vcpu *vcpu = vm->first_vcpu; vcpu && !ret; vcpu = vcpu->next)
		ret = measure_vcpu(sim, vcpu, cmd);
	gmi_sim_unlock_vcpus(sim, vm);
	return ret;
}

/* psp_copy_user_blob() */
static int copy_blob(void *to, uint64_t from, size_t size)
{
	return from ? gmi_sim_copy_in(to, from, size) : -EINVAL;
}

static int close_launch(struct gmem_sim *sim, struct sim_vm *vm,
			const struct gmi_kvm_sev_snp_launch_finish *args,
			struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_snp_id_block block;
	struct gmi_snp_id_auth auth;
	struct sim_finish finish = {
		.host_data = args->host_data,
		.has_author_key = args->id_block_en && args->auth_key_en,
	};
	int ret = 0;

	if (args->id_block_en) {
		ret = copy_blob(&block, args->id_block_uaddr, sizeof(block));
		if (!ret)
			ret = copy_blob(&auth, args->id_auth_uaddr, sizeof(auth));
		finish.id_block = &block;
		finish.id_auth = &auth;
	}
	if (!ret)
		ret = gmi_sim_psp_issue(sim, vm->sev.fd, GMEM_SIM_SNP_LAUNCH_FINISH, &cmd->error);
	if (!ret)
		ret = gmi_sim_psp_end(gmi_sim_fw_launch_finish(vm->sev.guest, &finish),
				      &cmd->error);
	return ret;
}

int gmi_sim_snp_launch_finish(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_snp_launch_finish args;
	int ret;

	if (!gmi_sim_is_snp(vm))
		return -ENOTTY;
	if (!vm->sev.guest)
		return -EINVAL;
	if (gmi_sim_copy_in(&args, cmd->data, sizeof(args)))
		return -EFAULT;
	if (args.flags)
		return -EINVAL;
	ret = measure_vcpus(sim, vm, cmd);
	return ret ? ret : close_launch(sim, vm, &args, cmd);
}
