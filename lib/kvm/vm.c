/* SPDX-License-Identifier: MIT */
/* The ioctls that make VMs and vCPUs. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"

int gmi_kvm_get_api_version(const struct gmi_sys *sys, int kvm_fd)
{
	return gmi_kvm_ioctl_number(sys, kvm_fd, GMI_KVM_GET_API_VERSION, 0);
}

int gmi_kvm_create_vm(const struct gmi_sys *sys, int kvm_fd, uint32_t vm_type)
{
	return gmi_kvm_ioctl_number(sys, kvm_fd, GMI_KVM_CREATE_VM, vm_type);
}

int gmi_kvm_create_vcpu(const struct gmi_sys *sys, int vm_fd, uint32_t vcpu_id)
{
	return gmi_kvm_ioctl_number(sys, vm_fd, GMI_KVM_CREATE_VCPU, vcpu_id);
}
