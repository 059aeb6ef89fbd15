/* SPDX-License-Identifier: MIT */
/* The ioctls that make a TD, and those of the settings that come before. */
#include "kvm_ioctl.h"
#include "kvm_tdx.h"

/* KVM reads the command with hw_error 0, and copies it back for INIT_VM and FINALIZE_VM alone. */
static int tdx_op(const struct gmi_sys *sys, int fd, struct gmi_kvm_tdx_cmd *cmd)
{
	return gmi_kvm_ioctl(sys, fd, GMI_KVM_MEMORY_ENCRYPT_OP, cmd);
}

int gmi_kvm_tdx_capabilities(const struct gmi_sys *sys, int vm_fd,
			     struct gmi_kvm_tdx_capabilities *caps)
{
	struct gmi_kvm_tdx_cmd cmd = {
		.id = GMI_KVM_TDX_CAPABILITIES,
		.data = (uintptr_t)caps,
	};

	return tdx_op(sys, vm_fd, &cmd);
}

int gmi_kvm_tdx_init_vm(const struct gmi_sys *sys, int vm_fd,
			const struct gmi_kvm_tdx_init_vm *init, uint64_t *ret_status)
{
	struct gmi_kvm_tdx_cmd cmd = {
		.id = GMI_KVM_TDX_INIT_VM,
		.data = (uintptr_t)init,
	};
	int ret = tdx_op(sys, vm_fd, &cmd);

	*ret_status = cmd.hw_error;
	return ret;
}

int gmi_kvm_tdx_finalize_vm(const struct gmi_sys *sys, int vm_fd, uint64_t *ret_status)
{
	struct gmi_kvm_tdx_cmd cmd = {.id = GMI_KVM_TDX_FINALIZE_VM};
	int ret = tdx_op(sys, vm_fd, &cmd);

	*ret_status = cmd.hw_error;
	return ret;
}

int gmi_kvm_tdx_init_vcpu(const struct gmi_sys *sys, int vcpu_fd, uint64_t rcx)
{
	struct gmi_kvm_tdx_cmd cmd = {.id = GMI_KVM_TDX_INIT_VCPU, .data = rcx};

	return tdx_op(sys, vcpu_fd, &cmd);
}

int gmi_kvm_tdx_init_mem_region(const struct gmi_sys *sys, int vcpu_fd, uint32_t flags,
				struct gmi_kvm_tdx_init_mem_region *region)
{
	struct gmi_kvm_tdx_cmd cmd = {
		.id = GMI_KVM_TDX_INIT_MEM_REGION,
		.flags = flags,
		.data = (uintptr_t)region,
	};

	return tdx_op(sys, vcpu_fd, &cmd);
}

int gmi_kvm_tdx_get_cpuid(const struct gmi_sys *sys, int vcpu_fd, struct gmi_kvm_cpuid2 *cpuid)
{
	struct gmi_kvm_tdx_cmd cmd = {
		.id = GMI_KVM_TDX_GET_CPUID,
		.data = (uintptr_t)cpuid,
	};

	return tdx_op(sys, vcpu_fd, &cmd);
}

int gmi_kvm_set_cpuid2(const struct gmi_sys *sys, int vcpu_fd, const struct gmi_kvm_cpuid2 *cpuid)
{
	return gmi_kvm_ioctl(sys, vcpu_fd, GMI_KVM_SET_CPUID2, (void *)(uintptr_t)cpuid);
}

int gmi_kvm_set_tsc_khz(const struct gmi_sys *sys, int fd, uint64_t khz)
{
	return gmi_kvm_ioctl_number(sys, fd, GMI_KVM_SET_TSC_KHZ, khz);
}
