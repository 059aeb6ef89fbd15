/* SPDX-License-Identifier: MIT */
/* TDs: their life, and what KVM_MEMORY_ENCRYPT_OP does with one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_model.h"

/*
 * UNVERIFIED on hardware: arch/x86/kvm/vmx/tdx.c of 7.3.4, read. Where SIM_TDX_OLD is looked at,
 * the same file as of 3829d81b6958 (2025), which is what 6.16 to 6.18 should have.
 */
int gmi_sim_td_create(struct gmem_sim *sim, struct sim_vm *vm)
{
	struct sim_td *td;

	if (vm->type != GMI_KVM_X86_TDX_VM || !sim_has(sim, SIM_TDX))
		return 0;
	td = calloc(1, sizeof(*td));
	if (!td)
		return -ENOMEM;
	td->mrtd = gmi_sim_mrtd_create();
	if (!td->mrtd) {
		free(td);
		return -ENOMEM;
	}
	td->sim = sim;
	sim->tdx.tds++;
	vm->td = td;
	return 0;
}

void gmi_sim_td_destroy(struct sim_td *td)
{
	if (!td)
		return;
	td->sim->tdx.tds--;
	gmi_sim_key_give(td->sim, td->key_id);
	gmi_sim_mrtd_destroy(td->mrtd);
	gmi_sim_rangemap_free(&td->sept);
	gmi_sim_rangemap_free(&td->prepared);
	free(td);
}

bool gmi_sim_td_is_initialised(const struct sim_td *td)
{
	return td->state == GMEM_SIM_TD_INITIALISED;
}

/* The guest address bit that marks shared memory. */
uint64_t gmi_sim_td_shared_bit(const struct sim_td *td)
{
	return td->gpaw ? 1ull << (td->gpaw - 1) : 0;
}

/* tdx_get_cmd() */
static int read_command(uint64_t arg, struct gmi_kvm_tdx_cmd *ret_cmd)
{
	if (gmi_sim_copy_in(ret_cmd, arg, sizeof(*ret_cmd)))
		return -EFAULT;
	return ret_cmd->hw_error ? -EINVAL : 0;
}

static bool has_busy_vcpu(const struct sim_vm *vm)
{
	for (const struct sim_vcpu *vcpu = vm->first_vcpu; vcpu; vcpu = vcpu->next) {
		if (vcpu->busy)
			return true;
	}
	return false;
}

/*
 * The VM-wide guard of 7.3, tdx_acquire_vm_state_locks(): no vCPU of the VM is in an ioctl. The
 * simulator's lock then keeps it so.
 */
static void wait_for_vcpus(struct gmem_sim *sim, struct sim_vm *vm)
{
	if (sim_has(sim, SIM_TDX_OLD))
		return;
	vm->users++;
	while (has_busy_vcpu(vm))
		pthread_cond_wait(&sim->idle, &sim->lock);
	vm->users--;
}

static int write_command(uint64_t arg, const struct gmi_kvm_tdx_cmd *cmd, int ret)
{
	return gmi_sim_copy_out(arg, cmd, sizeof(*cmd)) ? -EFAULT : ret;
}

/* tdx_vm_ioctl() */
int gmi_sim_tdx_vm_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_tdx_cmd cmd;
	int ret = read_command(arg, &cmd);

	if (ret)
		return ret;
	if (cmd.id == GMI_KVM_TDX_CAPABILITIES) {
		ret = gmi_sim_tdx_capabilities(sim, &cmd);
		return sim_has(sim, SIM_TDX_OLD) ? write_command(arg, &cmd, ret) : ret;
	}
	wait_for_vcpus(sim, vm);
	switch (cmd.id) {
	case GMI_KVM_TDX_INIT_VM:
		ret = gmi_sim_tdx_init_vm(sim, vm, &cmd);
		break;
	case GMI_KVM_TDX_FINALIZE_VM:
		ret = gmi_sim_tdx_finalize(sim, vm, &cmd);
		break;
	default:
		return -EINVAL;
	}
	return write_command(arg, &cmd, ret);
}

static int do_vcpu_op(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		      const struct gmi_kvm_tdx_cmd *cmd)
{
	switch (cmd->id) {
	case GMI_KVM_TDX_INIT_MEM_REGION:
		return gmi_sim_tdx_init_mem_region(sim, vcpu, cmd);
	case GMI_KVM_TDX_INIT_VCPU:
		return gmi_sim_tdx_init_vcpu(sim, vcpu, cmd);
	case GMI_KVM_TDX_GET_CPUID:
		return gmi_sim_tdx_get_cpuid(vcpu, cmd);
	default:
		return -EINVAL;
	}
}

/* With the vCPU's mutex, which the older kernels' callers hold already. */
static int do_vcpu_op_inside(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			     const struct gmi_kvm_tdx_cmd *cmd)
{
	int ret;

	if (vcpu->busy)
		return do_vcpu_op(sim, vcpu, cmd);
	gmi_sim_enter_vcpu(sim, vcpu);
	ret = do_vcpu_op(sim, vcpu, cmd);
	gmi_sim_leave_vcpu(sim, vcpu);
	return ret;
}

/*
 * tdx_vcpu_unlocked_ioctl(). Before it, up to 6.18, the state was looked at first and only the
 * vCPU's own mutex taken.
 */
int gmi_sim_tdx_vcpu_op(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	const struct sim_td *td = vcpu->vm->td;
	struct gmi_kvm_tdx_cmd cmd;
	int ret;

	if (!td)
		return -EINVAL;
	if (sim_has(sim, SIM_TDX_OLD) && !gmi_sim_td_is_initialised(td))
		return -EINVAL;
	ret = read_command(arg, &cmd);
	if (ret)
		return ret;
	wait_for_vcpus(sim, vcpu->vm);
	if (!gmi_sim_td_is_initialised(td))
		return -EINVAL;
	return do_vcpu_op_inside(sim, vcpu, &cmd);
}

static uint64_t count_pages(const struct sim_td *td, enum sim_sept state)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < td->sept.count; i++) {
		if (td->sept.run[i].value == (uint64_t)state)
			bytes += td->sept.run[i].end - td->sept.run[i].start;
	}
	return bytes;
}

static void describe(const struct sim_vm *vm, struct gmem_sim_td_info *info)
{
	const struct sim_td *td = vm->td;

	*info = (struct gmem_sim_td_info){
		.sz = sizeof(*info),
		.state = td->state,
		.key_id = td->key_id,
		.gpaw = td->gpaw,
		.tsc_khz = td->tsc_unit * GMI_TDX_TSC_UNIT_KHZ,
		.attributes = td->attributes,
		.xfam = td->xfam,
		.apic_bus_ns = vm->apic_bus_ns ? vm->apic_bus_ns : 1,
		.added = count_pages(td, SEPT_ADDED),
		.pending = count_pages(td, SEPT_PENDING),
		.accepted = count_pages(td, SEPT_ACCEPTED),
	};
	memcpy(info->mrconfigid, td->mrconfigid, sizeof(td->mrconfigid));
	memcpy(info->mrowner, td->mrowner, sizeof(td->mrowner));
	memcpy(info->mrownerconfig, td->mrownerconfig, sizeof(td->mrownerconfig));
	gmi_sim_mrtd_digest(td->mrtd, info->mrtd);
	if (vm->dead)
		info->state = GMEM_SIM_TD_DEAD;
}

GMEM_API int gmem_sim_td_get_info(struct gmem_sim *sim, int vm_fd,
				  struct gmem_sim_td_info *ret_info)
{
	struct sim_object *object;
	const struct sim_vm *vm;
	int ret = 0;

	if (!sim || !ret_info || ret_info->sz != sizeof(*ret_info))
		return -EINVAL;
	gmi_sim_lock(sim);
	if (gmi_sim_kind(sim, vm_fd, &object) != SIM_VM || !object) {
		ret = -EBADF;
	} else {
		vm = sim_container(object, struct sim_vm, object);
		if (vm->td)
			describe(vm, ret_info);
		else
			ret = -ENOTTY;
	}
	gmi_sim_unlock(sim);
	return ret;
}
