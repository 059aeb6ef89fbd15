/* SPDX-License-Identifier: MIT */
/* ioctl(2): which descriptor takes which request. */
#include <errno.h>
#include <unistd.h>

#include "sim_model.h"

#define KVMIO 0xae

static int device_api_version(struct gmem_sim *sim, uint64_t arg)
{
	return arg ? -EINVAL : GMI_KVM_API_VERSION;
}

static int device_mmap_size(struct gmem_sim *sim, uint64_t arg)
{
	return arg ? -EINVAL : (int)SIM_RUN_SIZE;
}

static int device_check_extension(struct gmem_sim *sim, uint64_t arg)
{
	return gmi_sim_check_extension(sim, NULL, arg);
}

static const struct {
	uint64_t request;
	int (*handle)(struct gmem_sim *sim, uint64_t arg);
} device_requests[] = {
	{GMI_KVM_GET_API_VERSION, device_api_version},
	{GMI_KVM_CREATE_VM, gmi_sim_create_vm},
	{GMI_KVM_CHECK_EXTENSION, device_check_extension},
	{GMI_KVM_GET_VCPU_MMAP_SIZE, device_mmap_size},
	{GMI_KVM_GET_SUPPORTED_CPUID, gmi_sim_supported_cpuid},
	{GMI_KVM_GET_DEVICE_ATTR, gmi_sim_device_attr},
	{GMI_KVM_HAS_DEVICE_ATTR, gmi_sim_has_device_attr},
};

/* An unknown request is -EINVAL here and on a vCPU, -ENOTTY on a VM: kvm_arch_dev_ioctl(). */
static int device_ioctl(struct gmem_sim *sim, uint64_t request, uint64_t arg)
{
	for (size_t i = 0; i < sizeof(device_requests) / sizeof(device_requests[0]); i++) {
		if (device_requests[i].request == request)
			return device_requests[i].handle(sim, arg);
	}
	return -EINVAL;
}

/* Before anything else: kvm_vm_ioctl() and kvm_vcpu_ioctl() compare mm and look at vm_dead. */
static bool is_usable(const struct gmem_sim *sim, const struct sim_vm *vm)
{
	return vm->owner == gmi_sim_pid(sim) && !vm->dead;
}

static int vm_ioctl(struct gmem_sim *sim, struct sim_object *object, uint64_t request, uint64_t arg)
{
	struct sim_vm *vm;

	if (!object)
		return -EIO;
	vm = sim_container(object, struct sim_vm, object);
	return is_usable(sim, vm) ? gmi_sim_vm_ioctl(sim, vm, request, arg) : -EIO;
}

static int vcpu_ioctl(struct gmem_sim *sim, struct sim_object *object, uint64_t request,
		      uint64_t arg)
{
	struct sim_vcpu *vcpu;

	if (!object)
		return -EIO;
	vcpu = sim_container(object, struct sim_vcpu, object);
	if (!is_usable(sim, vcpu->vm))
		return -EIO;
	if ((request >> 8 & 0xff) != KVMIO)
		return -EINVAL;
	return gmi_sim_vcpu_ioctl(sim, vcpu, request, arg);
}

static int view_ioctl(struct gmem_sim *sim, struct sim_object *object, uint64_t request,
		      uint64_t arg)
{
	struct sim_inode *inode = sim_container(object, struct sim_view, object)->inode;

	if (inode->is_memfd)
		return -ENOTTY;
	if (sim_has(sim, SIM_HUGE_2025) && request == GMI_RFC_HUGE2_CONVERT_SHARED)
		return gmi_sim_huge_convert(sim, inode, arg, false);
	if (sim_has(sim, SIM_HUGE_2025) && request == GMI_RFC_HUGE2_CONVERT_PRIVATE)
		return gmi_sim_huge_convert(sim, inode, arg, true);
	if (sim_has(sim, SIM_INPLACE) && request == GMI_NEXT_SET_MEMORY_ATTRIBUTES2)
		return gmi_sim_set_attributes2(sim, sim_container(object, struct sim_view, object),
					       arg);
	return -ENOTTY;
}

/* SIM_OTHER tells that the descriptor is not ours; requests are 32 bits wide, as in the kernel. */
int gmi_sim_ioctl(struct gmem_sim *sim, int fd, uint64_t request, uint64_t arg, bool *ret_other)
{
	struct sim_object *object;

	request = (uint32_t)request;
	*ret_other = false;
	switch (gmi_sim_kind(sim, fd, &object)) {
	case SIM_DEVICE:
		return device_ioctl(sim, request, arg);
	case SIM_VM:
		return vm_ioctl(sim, object, request, arg);
	case SIM_VCPU:
		return vcpu_ioctl(sim, object, request, arg);
	case SIM_PSP:
		return gmi_sim_psp_ioctl(sim, request, arg);
	case SIM_VIEW:
		return view_ioctl(sim, object, request, arg);
	default:
		*ret_other = true;
		return 0;
	}
}
