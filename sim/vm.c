/* SPDX-License-Identifier: MIT */
/* VMs: creation, and the requests on their descriptors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_model.h"

/* The descriptor comes first, the type is looked at next: kvm_dev_ioctl_create_vm(). */
int gmi_sim_create_vm(struct gmem_sim *sim, uint64_t type)
{
	uint64_t id;
	struct sim_vm *vm;
	int fd;

	gmi_sim_reap_if_grown(sim);
	fd = gmi_sim_new_fd(sim, sim->control_fd, SIM_VM, true, &id);
	if (fd < 0)
		return fd;
	if (type >= 32 || !(gmi_sim_vm_types(sim) & 1u << type)) {
		close(fd);
		return -EINVAL;
	}
	vm = calloc(1, sizeof(*vm));
	if (!vm) {
		close(fd);
		return -ENOMEM;
	}
	vm->object = (struct sim_object){.kind = SIM_VM, .id = id};
	vm->type = (uint32_t)type;
	if (gmi_sim_td_create(sim, vm)) {
		free(vm);
		close(fd);
		return -ENOMEM;
	}
	vm->owner = gmi_sim_pid(sim);
	gmi_sim_sev_init_vm(sim, vm);
	gmi_sim_insert(sim, &vm->object);
	return fd;
}

void gmi_sim_free_vm(struct gmem_sim *sim, struct sim_vm *vm)
{
	gmi_sim_sev_free_vm(sim, vm);
	gmi_sim_free_vcpus(sim, vm);
	gmi_sim_free_slots(vm);
	gmi_sim_td_destroy(vm->td);
	gmi_sim_rangemap_free(&vm->attributes);
	gmi_sim_rangemap_free(&vm->mmio);
	free(vm);
}

static int check_extension(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	return gmi_sim_check_extension(sim, vm, arg);
}

static int create_irqchip(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	if (vm->irqchip)
		return -EEXIST;
	if (vm->td && !sim_has(sim, SIM_TDX_OLD))
		return -ENOTTY;
	if (vm->created_vcpus)
		return -EINVAL;
	vm->irqchip = true;
	return 0;
}

/* UNVERIFIED: kvm_caps.max_guest_tsc_khz differs between machines; it has at most 31 bits. */
#define MAX_TSC_KHZ 0x7fffffffu

static int set_tsc_khz(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	if (vm->created_vcpus || (uint32_t)arg >= MAX_TSC_KHZ)
		return -EINVAL;
	vm->tsc_khz = (uint32_t)arg;
	return 0;
}

static int get_tsc_khz(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	return vm->tsc_khz ? (int)vm->tsc_khz : 2000000;
}

/* Set-up of devices that the model does not have. */
static int accept_request(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	return 0;
}

#define KVM_SET_TSS_ADDR          0x0000ae47u
#define KVM_SET_IDENTITY_MAP_ADDR 0x4008ae48u
#define KVM_CREATE_PIT2           0x4040ae77u
#define KVM_SET_GSI_ROUTING       0x4008ae6au

/* @feature is 0 or what the profile must have. */
static const struct {
	uint64_t request;
	int (*handle)(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
	uint32_t feature;
} requests[] = {
	{GMI_KVM_CHECK_EXTENSION, check_extension, 0},
	{GMI_KVM_CREATE_VCPU, gmi_sim_create_vcpu, 0},
	{GMI_KVM_SET_USER_MEMORY_REGION, gmi_sim_set_region, 0},
	{GMI_KVM_SET_USER_MEMORY_REGION2, gmi_sim_set_region2, 0},
	{GMI_KVM_GET_DIRTY_LOG, gmi_sim_get_dirty_log, 0},
	{GMI_KVM_ENABLE_CAP, gmi_sim_enable_cap, 0},
	{GMI_KVM_CREATE_GUEST_MEMFD, gmi_sim_create_gmem, 0},
	{GMI_KVM_SET_MEMORY_ATTRIBUTES, gmi_sim_set_attributes, SIM_VM_ATTRIBUTES},
	{GMI_RFC_LINK2_LINK_GUEST_MEMFD, gmi_sim_link_gmem, SIM_LINK},
	{GMI_KVM_MEMORY_ENCRYPT_OP, gmi_sim_encrypt_op, 0},
	{GMI_KVM_MEMORY_ENCRYPT_REG_REGION, gmi_sim_encrypt_region, 0},
	{GMI_KVM_MEMORY_ENCRYPT_UNREG_REGION, gmi_sim_release_region, 0},
	{GMI_KVM_CREATE_IRQCHIP, create_irqchip, 0},
	{GMI_KVM_SET_TSC_KHZ, set_tsc_khz, 0},
	{GMI_KVM_GET_TSC_KHZ, get_tsc_khz, 0},
	{KVM_SET_TSS_ADDR, accept_request, 0},
	{KVM_SET_IDENTITY_MAP_ADDR, accept_request, 0},
	{KVM_CREATE_PIT2, accept_request, 0},
	{KVM_SET_GSI_ROUTING, accept_request, 0},
};

int gmi_sim_vm_ioctl(struct gmem_sim *sim, struct sim_vm *vm, uint64_t request, uint64_t arg)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].request != request)
			continue;
		if (requests[i].feature && !sim_has(sim, requests[i].feature))
			break;
		return requests[i].handle(sim, vm, arg);
	}
	return -ENOTTY;
}
