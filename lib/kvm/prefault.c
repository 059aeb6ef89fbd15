/* SPDX-License-Identifier: MIT */
/* The ioctl that maps guest memory ahead of the guest's faults. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"

int gmi_kvm_pre_fault(const struct gmi_sys *sys, int vcpu_fd, uint64_t *gpa, uint64_t *size)
{
	struct gmi_kvm_pre_fault fault = {.gpa = *gpa, .size = *size};
	int ret = gmi_kvm_ioctl(sys, vcpu_fd, GMI_KVM_PRE_FAULT_MEMORY, &fault);

	*gpa = fault.gpa;
	*size = fault.size;
	return ret;
}
