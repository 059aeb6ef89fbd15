/* SPDX-License-Identifier: MIT */
/* KVM_MEMORY_ENCRYPT_OP: who may give which command, and the commands around a launch. */
#include <errno.h>

#include "sim_model.h"
#include "uapi_sev.h"

/*
 * UNVERIFIED: all of it is read from arch/x86/kvm/svm/sev.c of 7.3.4; no machine with the firmware
 * was at hand.
 */

#define SEV_TYPES                                                                                  \
	(1u << GMI_KVM_X86_SEV_VM | 1u << GMI_KVM_X86_SEV_ES_VM | 1u << GMI_KVM_X86_SNP_VM)

static bool has_sev(const struct gmem_sim *sim)
{
	return sim_has(sim, SIM_SEV) && gmi_sim_has_hashes() &&
	       !(sim->psp.machine.flags & GMEM_SIM_SEV_OFF);
}

/* kvm_amd's sev_es_enabled; SNP goes with it. */
bool gmi_sim_has_es(const struct gmem_sim *sim)
{
	return has_sev(sim) && sim->psp.machine.es_asids;
}

/* What capability 235 says: a type without ASIDs is not offered, nor is one that cannot be measured. */
uint32_t gmi_sim_vm_types(const struct gmem_sim *sim)
{
	uint32_t types = sim->profile->vm_types;
	uint32_t first;

	if (sim_has(sim, SIM_TDX) && !gmi_sim_has_hashes())
		types &= ~(1u << GMI_KVM_X86_TDX_VM);
	if (!sim_has(sim, SIM_SEV))
		return types;
	for (uint32_t type = GMI_KVM_X86_SEV_VM; type <= GMI_KVM_X86_SNP_VM; type++) {
		if (!has_sev(sim) || !gmi_sim_asids(sim, type, &first))
			types &= ~(1u << type);
	}
	return types;
}

/* sev_vm_init() */
void gmi_sim_sev_init_vm(const struct gmem_sim *sim, struct sim_vm *vm)
{
	vm->sev.needs_init = sim_has(sim, SIM_SEV) && SEV_TYPES & 1u << vm->type;
}

/* A mirror has nothing of its own; afterwards it is as good as never encrypted. */
void gmi_sim_part_mirror(struct sim_vm *vm)
{
	if (!vm->sev.owner)
		return;
	vm->sev.owner->sev.mirrors--;
	vm->sev.owner = NULL;
	vm->sev.guest = NULL;
	vm->sev.is_active = false;
}

/*
 * sev_vm_destroy(): a mirror lets go of its owner, the others end their guest. An ASID that the
 * firmware does not give back stays in use.
 */
void gmi_sim_sev_free_vm(struct gmem_sim *sim, struct sim_vm *vm)
{
	bool is_leaked = gmi_sim_is_snp(vm) && gmi_sim_snp_decommission(sim, vm);

	gmi_sim_free_regions(vm);
	gmi_sim_part_mirror(vm);
	gmi_sim_guest_free(sim, vm->sev.guest);
	if (vm->sev.is_active && !is_leaked)
		gmi_sim_asid_free(sim, vm->sev.asid);
}

/* sev_snp_guest(): only from INIT2 on. */
bool gmi_sim_is_snp(const struct sim_vm *vm)
{
	return vm->sev.is_active && vm->sev.features & GMI_SEV_FEATURE_SNP_ACTIVE;
}

/* KVM's pre_fault_allowed; a profile without the firmware knows no end of a launch. */
bool gmi_sim_may_pre_fault(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	if (vm->type == GMI_KVM_X86_SNP_VM)
		return vm->sev.guest && vm->sev.guest->state == GUEST_RUNNING;
	if (vm->td)
		return vm->td->state == GMEM_SIM_TD_RUNNABLE;
	return vm->type != GMI_KVM_X86_TDX_VM;
}

static int check_init(const struct gmem_sim *sim, const struct sim_vm *vm, uint32_t type,
		      const struct gmi_kvm_sev_init *init)
{
	bool is_es = type != GMI_KVM_X86_SEV_VM;
	bool is_snp = type == GMI_KVM_X86_SNP_VM;
	uint64_t features = is_es ? sim->psp.machine.vmsa_features : 0;

	if (!is_snp)
		features &= ~GMI_SEV_FEATURE_SECURE_TSC;
	if (vm->created_vcpus || init->flags || init->vmsa_features & ~features)
		return -EINVAL;
	if (init->ghcb_version > GMI_SEV_GHCB_VERSION_MAX || (!is_es && init->ghcb_version))
		return -EINVAL;
	if (is_snp && init->ghcb_version == 1)
		return -EINVAL;
	return vm->sev.is_active ? -EINVAL : 0;
}

/* __sev_guest_init() */
static int init_guest(struct gmem_sim *sim, struct sim_vm *vm, uint32_t type,
		      const struct gmi_kvm_sev_init *init, struct gmi_kvm_sev_cmd *cmd)
{
	uint32_t status = 0;
	int ret = check_init(sim, vm, type, init);

	if (!ret)
		ret = gmi_sim_asid_new(sim, type, &vm->sev.asid);
	if (ret)
		return ret;
	ret = gmi_sim_psp_start_up(sim, &status);
	if (ret) {
		cmd->error = status;
		gmi_sim_asid_free(sim, vm->sev.asid);
		return ret;
	}
	vm->sev.is_active = true;
	vm->sev.is_es = type != GMI_KVM_X86_SEV_VM;
	vm->sev.features = init->vmsa_features;
	if (type == GMI_KVM_X86_SNP_VM)
		vm->sev.features |= GMI_SEV_FEATURE_SNP_ACTIVE;
	vm->sev.needs_init = false;
	return 0;
}

static int init2(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_init init;

	if (!vm->sev.needs_init)
		return -EINVAL;
	if (gmi_sim_copy_in(&init, cmd->data, sizeof(init)))
		return -EFAULT;
	return init_guest(sim, vm, vm->type, &init, cmd);
}

/* KVM_SEV_INIT and KVM_SEV_ES_INIT, for VMs of the default type. */
static int init_old(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	bool is_es = cmd->id == GMI_KVM_SEV_ES_INIT;
	struct gmi_kvm_sev_init init = {.ghcb_version = is_es ? 1 : 0};

	if (vm->type != GMI_KVM_X86_DEFAULT_VM)
		return -EINVAL;
	return init_guest(sim, vm, is_es ? GMI_KVM_X86_SEV_ES_VM : GMI_KVM_X86_SEV_VM, &init, cmd);
}

static int enable_certs(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	if (vm->created_vcpus || !gmi_sim_is_snp(vm))
		return -EINVAL;
	vm->sev.has_certs = true;
	return 0;
}

/*
 * Commands that KVM has and the model does not carry out: secrets, debugging, migration to another
 * host. All of them ask first whether the VM is encrypted; beyond that this firmware knows none.
 */
static int unsupported(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	if (!vm->sev.is_active)
		return cmd->id == GMI_KVM_SEV_RECEIVE_UPDATE_DATA ? -EINVAL : -ENOTTY;
	return gmi_sim_psp_end(GMI_SEV_RET_UNSUPPORTED, &cmd->error);
}

static const struct {
	uint32_t id;
	sim_sev_fn *handle;
} commands[] = {
	{GMI_KVM_SEV_INIT, init_old},
	{GMI_KVM_SEV_ES_INIT, init_old},
	{GMI_KVM_SEV_LAUNCH_START, gmi_sim_sev_launch_start},
	{GMI_KVM_SEV_LAUNCH_UPDATE_DATA, gmi_sim_sev_launch_update_data},
	{GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, gmi_sim_sev_launch_update_vmsa},
	{GMI_KVM_SEV_LAUNCH_SECRET, unsupported},
	{GMI_KVM_SEV_LAUNCH_MEASURE, gmi_sim_sev_launch_measure},
	{GMI_KVM_SEV_LAUNCH_FINISH, gmi_sim_sev_launch_finish},
	{GMI_KVM_SEV_SEND_START, unsupported},
	{GMI_KVM_SEV_SEND_UPDATE_DATA, unsupported},
	{GMI_KVM_SEV_SEND_FINISH, unsupported},
	{GMI_KVM_SEV_RECEIVE_START, unsupported},
	{GMI_KVM_SEV_RECEIVE_UPDATE_DATA, unsupported},
	{GMI_KVM_SEV_RECEIVE_FINISH, unsupported},
	{GMI_KVM_SEV_GUEST_STATUS, gmi_sim_sev_guest_status},
	{GMI_KVM_SEV_DBG_DECRYPT, unsupported},
	{GMI_KVM_SEV_DBG_ENCRYPT, unsupported},
	{GMI_KVM_SEV_GET_ATTESTATION_REPORT, unsupported},
	{GMI_KVM_SEV_SEND_CANCEL, unsupported},
	{GMI_KVM_SEV_INIT2, init2},
	{GMI_KVM_SEV_SNP_LAUNCH_START, gmi_sim_snp_launch_start},
	{GMI_KVM_SEV_SNP_LAUNCH_UPDATE, gmi_sim_snp_launch_update},
	{GMI_KVM_SEV_SNP_LAUNCH_FINISH, gmi_sim_snp_launch_finish},
	{GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, enable_certs},
};

static sim_sev_fn *find_command(uint32_t id)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].id == id)
			return commands[i].handle;
	}
	return NULL;
}

static bool is_for_mirrors(uint32_t id)
{
	return id == GMI_KVM_SEV_LAUNCH_UPDATE_VMSA || id == GMI_KVM_SEV_GUEST_STATUS ||
	       id == GMI_KVM_SEV_DBG_DECRYPT || id == GMI_KVM_SEV_DBG_ENCRYPT;
}

/* sev_mem_enc_ioctl() */
int gmi_sim_sev_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_sev_cmd cmd;
	sim_sev_fn *handle;
	int ret;

	if (!has_sev(sim))
		return -ENOTTY;
	if (!arg)
		return 0;
	if (gmi_sim_copy_in(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (vm->sev.owner && !is_for_mirrors(cmd.id))
		return -EINVAL;
	if (gmi_sim_is_snp(vm) && cmd.id < GMI_KVM_SEV_SNP_LAUNCH_START)
		return -EPERM;
	if (cmd.id == GMI_KVM_SEV_ES_INIT && !gmi_sim_has_es(sim))
		return -ENOTTY;
	handle = find_command(cmd.id);
	if (!handle)
		return -EINVAL;
	ret = handle(sim, vm, &cmd);
	return gmi_sim_copy_out(arg, &cmd, sizeof(cmd)) ? -EFAULT : ret;
}
