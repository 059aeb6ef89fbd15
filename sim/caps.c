/* SPDX-License-Identifier: MIT */
/* What KVM_CHECK_EXTENSION answers. */
#include <stddef.h>

#include "sim_model.h"

#define MAX_VCPUS 1024 /* KVM_MAX_VCPUS */

bool gmi_sim_has_private_memory(const struct sim_vm *vm)
{
	return vm->type == GMI_KVM_X86_SW_PROTECTED_VM || vm->type == GMI_KVM_X86_SNP_VM ||
	       vm->type == GMI_KVM_X86_TDX_VM;
}

bool gmi_sim_has_protected_state(const struct sim_vm *vm)
{
	return vm->type == GMI_KVM_X86_SEV_ES_VM || vm->type == GMI_KVM_X86_SNP_VM ||
	       vm->type == GMI_KVM_X86_TDX_VM;
}

/* The creation flags that a VM accepts; without a VM, what any could. */
uint64_t gmi_sim_create_flags(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	if (vm && gmi_sim_has_private_memory(vm))
		return sim->profile->private_flags;
	return sim->profile->shared_flags;
}

/*
 * Asked of /dev/kvm, attributes are answered as if some VM had them:
 * kvm_supported_mem_attributes().
 */
static uint64_t private_attribute(const struct sim_vm *vm)
{
	return !vm || gmi_sim_has_private_memory(vm) ? GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
}

static uint64_t cap_attributes(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	bool is_per_vm = sim_has(sim, SIM_VM_ATTRIBUTES) && !sim_has(sim, SIM_INPLACE);

	return is_per_vm ? private_attribute(vm) : 0;
}

static uint64_t cap_file_attributes(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return sim_has(sim, SIM_INPLACE) ? private_attribute(vm) : 0;
}

static uint64_t cap_guest_memfd(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return !sim_has(sim, SIM_GMEM_CAP_BY_VM) || !vm || gmi_sim_has_private_memory(vm);
}

/* A kernel without SMM answers 0, and has one address space all the same. */
static uint64_t cap_address_spaces(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	if (!sim_has(sim, SIM_SMM))
		return 0;
	return vm && gmi_sim_has_private_memory(vm) ? 1 : 2;
}

static uint64_t cap_readonly(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return !vm || !gmi_sim_has_protected_state(vm);
}

static uint64_t cap_vm_types(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return gmi_sim_vm_types(sim);
}

static uint64_t cap_pre_fault(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return sim_has(sim, SIM_PRE_FAULT) && sim_has(sim, SIM_TDP);
}

/* A TD has no more vCPUs than the machine has processors: tdx_vm_init(). */
static uint64_t cap_max_vcpus(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return vm && vm->td && sim->tdx.cpus < MAX_VCPUS ? sim->tdx.cpus : MAX_VCPUS;
}

static uint64_t cap_nr_vcpus(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	if (!sim_has(sim, SIM_TDX))
		return 2;
	return sim->tdx.cpus < MAX_VCPUS ? sim->tdx.cpus : MAX_VCPUS;
}

/* It came with KVM_PRE_FAULT_MEMORY, in 6.11. */
static uint64_t cap_apic_bus_cycles(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	if (!sim_has(sim, SIM_PRE_FAULT))
		return 0;
	return vm && vm->apic_bus_ns ? vm->apic_bus_ns : 1;
}

/* What no merged x86 kernel answers: 0 there. */
static uint64_t cap_huge_2025(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return sim_has(sim, SIM_HUGE_2025);
}

struct cap {
	uint32_t number;
	uint32_t value;
	uint64_t (*answer)(const struct gmem_sim *sim, const struct sim_vm *vm);
};

/* Numbers without a name here are those that the set-up code of VMMs asks for. */
static const struct cap caps[] = {
	{.number = 0, .value = 1}, /* IRQCHIP */
	{.number = 1, .value = 1}, /* HLT */
	{.number = GMI_KVM_CAP_USER_MEMORY, .value = 1},
	{.number = 4, .value = 1},             /* SET_TSS_ADDR */
	{.number = 7, .value = 1},             /* EXT_CPUID */
	{.number = 9, .answer = cap_nr_vcpus}, /* NR_VCPUS */
	{.number = GMI_KVM_CAP_NR_MEMSLOTS, .value = SIM_MAX_SLOTS},
	{.number = 14, .value = 1}, /* MP_STATE */
	{.number = 16, .value = 1}, /* SYNC_MMU */
	{.number = 21, .value = 1}, /* DESTROY_MEMORY_REGION_WORKS */
	{.number = 37, .value = 1}, /* SET_IDENTITY_MAP_ADDR */
	{.number = GMI_KVM_CAP_MAX_VCPUS, .answer = cap_max_vcpus},
	{.number = GMI_KVM_CAP_READONLY_MEM, .answer = cap_readonly},
	{.number = 98, .value = 1},  /* ENABLE_CAP_VM */
	{.number = 105, .value = 1}, /* CHECK_EXTENSION_VM */
	{.number = GMI_KVM_CAP_MULTI_ADDRESS_SPACE, .answer = cap_address_spaces},
	{.number = GMI_KVM_CAP_SPLIT_IRQCHIP, .value = 1},
	{.number = 128, .value = 4096}, /* MAX_VCPU_ID */
	{.number = GMI_KVM_CAP_IMMEDIATE_EXIT, .value = 1},
	{.number = GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, .value = 1},
	{.number = GMI_KVM_CAP_EXIT_HYPERCALL, .value = 1u << GMI_KVM_HC_MAP_GPA_RANGE},
	{.number = GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, .value = 1},
	{.number = GMI_KVM_CAP_SYS_ATTRIBUTES, .value = 1},
	{.number = GMI_KVM_CAP_USER_MEMORY2, .value = 1},
	{.number = GMI_KVM_CAP_MEMORY_FAULT_INFO, .value = 1},
	{.number = GMI_KVM_CAP_MEMORY_ATTRIBUTES, .answer = cap_attributes},
	{.number = GMI_KVM_CAP_GUEST_MEMFD, .answer = cap_guest_memfd},
	{.number = GMI_KVM_CAP_VM_TYPES, .answer = cap_vm_types},
	{.number = GMI_KVM_CAP_PRE_FAULT_MEMORY, .answer = cap_pre_fault},
	{.number = GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS, .answer = cap_apic_bus_cycles},
	{.number = GMI_KVM_CAP_GUEST_MEMFD_FLAGS, .answer = gmi_sim_create_flags},
	{.number = GMI_RFC_HUGE2_CAP_GMEM_SHARED_MEM, .answer = cap_huge_2025},
	{.number = GMI_RFC_HUGE2_CAP_GMEM_CONVERSION, .answer = cap_huge_2025},
	{.number = GMI_RFC_HUGE2_CAP_GMEM_HUGETLB, .answer = cap_huge_2025},
	{.number = GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES, .answer = cap_file_attributes},
};

int gmi_sim_check_extension(const struct gmem_sim *sim, const struct sim_vm *vm, uint64_t cap)
{
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (caps[i].number == cap)
			return (int)(caps[i].answer ? caps[i].answer(sim, vm) : caps[i].value);
	}
	return 0;
}
