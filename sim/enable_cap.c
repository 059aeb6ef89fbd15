/* SPDX-License-Identifier: MIT */
/* KVM_ENABLE_CAP and the requests of confidential VMs. */
#include <errno.h>

#include "sim_model.h"

static int exit_hypercall(struct gmem_sim *sim, struct sim_vm *vm, uint64_t mask)
{
	if (mask & ~(1ull << GMI_KVM_HC_MAP_GPA_RANGE))
		return -EINVAL;
	vm->hypercall_exits = mask;
	return 0;
}

static int split_irqchip(struct gmem_sim *sim, struct sim_vm *vm, uint64_t routes)
{
	if (routes > 4096)
		return -EINVAL;
	if (vm->irqchip || vm->created_vcpus)
		return -EEXIST;
	vm->irqchip = true;
	vm->irqchip_split = true;
	return 0;
}

/* The timer counts in u32, divided by at most 128: that much has to fit. */
static int apic_bus_cycles(struct gmem_sim *sim, struct sim_vm *vm, uint64_t ns)
{
	uint64_t product;

	if (!sim_has(sim, SIM_PRE_FAULT)) /* which came with it, in 6.11 */
		return -EINVAL;
	if (!ns || __builtin_mul_overflow((uint64_t)UINT32_MAX * 128, ns, &product))
		return -EINVAL;
	if (!vm->irqchip)
		return -ENXIO;
	if (vm->created_vcpus)
		return -EINVAL;
	vm->apic_bus_ns = ns;
	return 0;
}

/* Without SEV the hook is not there: kvm_vm_ioctl_enable_cap(). */
static int copy_context(struct gmem_sim *sim, struct sim_vm *vm, uint64_t source_fd)
{
	if (!sim_has(sim, SIM_SEV))
		return -EINVAL;
	return gmi_sim_sev_copy_context(sim, vm, (int)source_fd);
}

/* As tests/vm/patches has it: of VMs that need no firmware, only those with private memory. */
static int move_context(struct gmem_sim *sim, struct sim_vm *vm, uint64_t source_fd)
{
	if (sim_has(sim, SIM_SEV))
		return gmi_sim_sev_move_context(sim, vm, (int)source_fd);
	if (!sim_has(sim, SIM_MOVE_CONTEXT) || vm->type != GMI_KVM_X86_SW_PROTECTED_VM)
		return -EINVAL;
	return gmi_sim_move_context(sim, vm, (int)source_fd);
}

static const struct {
	uint32_t cap;
	int (*handle)(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
} caps[] = {
	{GMI_KVM_CAP_EXIT_HYPERCALL, exit_hypercall},
	{GMI_KVM_CAP_SPLIT_IRQCHIP, split_irqchip},
	{GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS, apic_bus_cycles},
	{GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, copy_context},
	{GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, move_context},
};

int gmi_sim_enable_cap(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_enable_cap cap;

	if (gmi_sim_copy_in(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (caps[i].cap == cap.cap)
			return caps[i].handle(sim, vm, cap.args[0]);
	}
	return -EINVAL;
}

static bool has_firmware(const struct sim_vm *vm)
{
	return vm->type >= GMI_KVM_X86_SEV_VM && vm->type <= GMI_KVM_X86_TDX_VM;
}

/*
 * UNVERIFIED: sev_mem_enc_ioctl() of 7.3, read. Machines with a model of the firmware or the module
 * leave for it first; the rest is for types of VM without one.
 */
int gmi_sim_encrypt_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	uint32_t command;

	if (vm->td)
		return gmi_sim_tdx_vm_op(sim, vm, arg);
	if (sim_has(sim, SIM_SEV))
		return gmi_sim_sev_op(sim, vm, arg);
	if (!has_firmware(vm))
		return -ENOTTY;
	if (!arg && vm->type != GMI_KVM_X86_TDX_VM)
		return 0;
	if (gmi_sim_copy_in(&command, arg, sizeof(command)))
		return -EFAULT;
	return -EINVAL;
}

/* Without the hooks of SEV the answer is one: kvm_arch_vm_ioctl(). */
int gmi_sim_encrypt_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_enc_region region;

	if (gmi_sim_copy_in(&region, arg, sizeof(region)))
		return -EFAULT;
	return sim_has(sim, SIM_SEV) ? gmi_sim_register_region(vm, &region) : -ENOTTY;
}

int gmi_sim_release_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_enc_region region;

	if (gmi_sim_copy_in(&region, arg, sizeof(region)))
		return -EFAULT;
	return sim_has(sim, SIM_SEV) ? gmi_sim_unregister_region(vm, &region) : -ENOTTY;
}
