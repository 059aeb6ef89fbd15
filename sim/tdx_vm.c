/* SPDX-License-Identifier: MIT */
/* A TD's sub-commands on the VM: CAPABILITIES, INIT_VM, FINALIZE_VM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_model.h"

/*
 * UNVERIFIED: what the module supports is the model's choice, of the kind that modules 1.5 report.
 * Attributes are what KVM leaves of them, supported_attrs of tdx.c.
 */
#define SUPPORTED_ATTRS GMI_TDX_ATTR_SEPT_VE_DISABLE

#define XFAM_X87    (1ull << 0)
#define XFAM_SSE    (1ull << 1)
#define XFAM_AVX    (1ull << 2)
#define XFAM_AVX512 (7ull << 5)
#define XFAM_CET    (3ull << 11)
#define XFAM_AMX    (3ull << 17)
#define XFAM_FIXED1 (XFAM_X87 | XFAM_SSE)

#define SUPPORTED_XFAM (XFAM_FIXED1 | XFAM_AVX | XFAM_AVX512 | XFAM_CET | XFAM_AMX)

/* UNVERIFIED: numbers of operands in the low half of the status, as in the module's source. */
#define OPERAND_XFAM          65
#define OPERAND_CPUID_CONFIG  69
#define OPERAND_TSC_FREQUENCY 70

/* What the module takes for the TSC: 100 MHz to 10 GHz. */
#define TSC_UNIT_MIN 4
#define TSC_UNIT_MAX 400

#define HOST_TSC_KHZ 2000000

union capabilities {
	struct gmi_kvm_tdx_capabilities head;
	uint8_t bytes[sizeof(struct gmi_kvm_tdx_capabilities) +
		      SIM_TDX_CONFIGURABLE * sizeof(struct gmi_kvm_cpuid_entry2)];
};

static void fill_capabilities(union capabilities *caps)
{
	memset(caps, 0, sizeof(*caps));
	caps->head.supported_attrs = SUPPORTED_ATTRS;
	caps->head.supported_xfam = SUPPORTED_XFAM;
	caps->head.user_tdvmcallinfo_1_r11 = GMI_TDX_TDVMCALLINFO_SETUP_EVENT_NOTIFY_INTERRUPT;
	caps->head.cpuid.nent = SIM_TDX_CONFIGURABLE;
	for (size_t i = 0; i < SIM_TDX_CONFIGURABLE; i++)
		caps->head.cpuid.entries[i] = gmi_sim_tdx_configurable(i);
}

/* tdx_get_capabilities() */
int gmi_sim_tdx_capabilities(struct gmem_sim *sim, const struct gmi_kvm_tdx_cmd *cmd)
{
	union capabilities caps;
	uint32_t room;

	if (cmd->flags)
		return -EINVAL;
	if (gmi_sim_copy_in(&room, cmd->data + offsetof(struct gmi_kvm_tdx_capabilities, cpuid),
			    sizeof(room)))
		return -EFAULT;
	if (room < SIM_TDX_CONFIGURABLE)
		return -E2BIG;
	fill_capabilities(&caps);
	return gmi_sim_copy_out(cmd->data, &caps, sizeof(caps));
}

static bool is_zero(const uint64_t *word, size_t count)
{
	while (count && !*word) {
		word++;
		count--;
	}
	return !count;
}

/* memdup_user() of the struct with its entries. The caller's nent may have changed meanwhile. */
static int read_init(uint64_t from, struct gmi_kvm_tdx_init_vm **ret_init)
{
	struct gmi_kvm_tdx_init_vm *init;
	uint32_t count;
	size_t size;

	if (gmi_sim_copy_in(&count, from + offsetof(struct gmi_kvm_tdx_init_vm, cpuid),
			    sizeof(count)))
		return -EFAULT;
	if (count > GMI_KVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	size = sizeof(*init) + count * sizeof(struct gmi_kvm_cpuid_entry2);
	init = malloc(size);
	if (!init)
		return -ENOMEM;
	if (gmi_sim_copy_in(init, from, size)) {
		free(init);
		return -EFAULT;
	}
	if (!is_zero(init->reserved, sizeof(init->reserved) / sizeof(init->reserved[0])) ||
	    init->cpuid.padding || init->cpuid.nent != count) {
		free(init);
		return -EINVAL;
	}
	*ret_init = init;
	return 0;
}

/* setup_tdparams(), into a TD that is not one yet. */
static int set_params(const struct gmem_sim *sim, const struct sim_vm *vm,
		      const struct gmi_kvm_tdx_init_vm *init, struct sim_td *td)
{
	if (vm->created_vcpus)
		return -EBUSY;
	if (init->attributes & ~SUPPORTED_ATTRS || init->xfam & ~SUPPORTED_XFAM)
		return -EINVAL;
	td->attributes = init->attributes;
	td->xfam = init->xfam | XFAM_FIXED1;
	td->tsc_unit = (vm->tsc_khz ? vm->tsc_khz : HOST_TSC_KHZ) / GMI_TDX_TSC_UNIT_KHZ;
	memcpy(td->mrconfigid, init->mrconfigid, sizeof(td->mrconfigid));
	memcpy(td->mrowner, init->mrowner, sizeof(td->mrowner));
	memcpy(td->mrownerconfig, init->mrownerconfig, sizeof(td->mrownerconfig));
	return gmi_sim_tdx_take_cpuid(sim, td, init->cpuid.entries, init->cpuid.nent);
}

static bool is_whole(uint64_t xfam, uint64_t group)
{
	return !(xfam & group) || (xfam & group) == group;
}

static bool xfam_is_legal(uint64_t xfam)
{
	return is_whole(xfam, XFAM_AVX512) && is_whole(xfam, XFAM_CET) &&
	       is_whole(xfam, XFAM_AMX) && (!(xfam & XFAM_AVX512) || xfam & XFAM_AVX);
}

/* UNVERIFIED: what TDH.MNG.INIT refuses is the module's decision; these are plain cases of it. */
static uint64_t check_operands(const struct sim_td *td)
{
	if (!xfam_is_legal(td->xfam))
		return GMI_TDX_OPERAND_INVALID | OPERAND_XFAM;
	if (!gmi_sim_tdx_cpuid_is_legal(td))
		return GMI_TDX_OPERAND_INVALID | OPERAND_CPUID_CONFIG;
	if (td->tsc_unit < TSC_UNIT_MIN || td->tsc_unit > TSC_UNIT_MAX)
		return GMI_TDX_OPERAND_INVALID | OPERAND_TSC_FREQUENCY;
	return 0;
}

static int kill_vm(struct sim_vm *vm)
{
	vm->dead = true;
	return -EIO;
}

/* A step that may want entropy: TDH.MNG.CREATE and TDH.MNG.ADDCX. */
static int create_step(struct gmem_sim *sim, struct sim_vm *vm, enum gmem_sim_seamcall call)
{
	uint64_t status = gmi_sim_seamcall(sim, call);

	if (status == GMI_TDX_RND_NO_ENTROPY)
		return -EAGAIN;
	return status ? kill_vm(vm) : 0;
}

static int init_td(struct gmem_sim *sim, struct sim_vm *vm, const struct sim_td *td,
		   uint64_t *ret_status)
{
	uint64_t status = gmi_sim_seamcall(sim, GMEM_SIM_TDH_MNG_INIT);

	if (!status)
		status = check_operands(td);
	if ((status & GMI_TDX_SEAMCALL_STATUS_MASK) == GMI_TDX_OPERAND_INVALID) {
		*ret_status = status;
		return -EINVAL;
	}
	return status ? kill_vm(vm) : 0;
}

/* __tdx_td_init() behind the key id. */
static int build(struct gmem_sim *sim, struct sim_vm *vm, const struct sim_td *td,
		 uint64_t *ret_status)
{
	int ret;

	if (sim->tdx.flags & GMEM_SIM_TDX_PACKAGE_OFFLINE)
		return -EIO;
	ret = create_step(sim, vm, GMEM_SIM_TDH_MNG_CREATE);
	if (!ret && gmi_sim_seamcall(sim, GMEM_SIM_TDH_MNG_KEY_CONFIG))
		ret = kill_vm(vm);
	if (!ret)
		ret = create_step(sim, vm, GMEM_SIM_TDH_MNG_ADDCX);
	return ret ? ret : init_td(sim, vm, td, ret_status);
}

/* What the TD had before stays: its measurement and its tables, empty yet. */
static void become(struct sim_td *td, struct sim_td *made)
{
	made->mrtd = td->mrtd;
	made->sept = td->sept;
	made->prepared = td->prepared;
	made->state = GMEM_SIM_TD_INITIALISED;
	*td = *made;
}

/* tdx_td_init(): what failed leaves nothing behind. */
int gmi_sim_tdx_init_vm(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_tdx_cmd *cmd)
{
	struct sim_td made = {.sim = sim};
	struct gmi_kvm_tdx_init_vm *init;
	int ret;

	if (vm->td->state != GMEM_SIM_TD_UNINITIALISED || cmd->flags)
		return -EINVAL;
	ret = read_init(cmd->data, &init);
	if (ret)
		return ret;
	ret = set_params(sim, vm, init, &made);
	free(init);
	if (ret)
		return ret;
	ret = gmi_sim_key_take(sim, &made.key_id);
	if (ret)
		return ret;
	ret = build(sim, vm, &made, &cmd->hw_error);
	if (ret)
		gmi_sim_key_give(sim, made.key_id);
	else
		become(vm->td, &made);
	return ret;
}

/* tdx_td_finalize() */
int gmi_sim_tdx_finalize(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_tdx_cmd *cmd)
{
	struct sim_td *td = vm->td;

	if (!gmi_sim_td_is_initialised(td) || gmi_sim_td_has_premapped(td))
		return -EINVAL;
	cmd->hw_error = gmi_sim_seamcall(sim, GMEM_SIM_TDH_MR_FINALIZE);
	if (gmi_sim_seamcall_is_busy(cmd->hw_error))
		return -EBUSY;
	if (cmd->hw_error)
		return kill_vm(vm);
	td->state = GMEM_SIM_TD_RUNNABLE;
	return 0;
}
