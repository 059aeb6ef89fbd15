/* SPDX-License-Identifier: MIT */
/* The ioctls that ask for and switch on capabilities. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"

int gmi_kvm_check_extension(const struct gmi_sys *sys, int fd, uint32_t cap)
{
	return gmi_kvm_ioctl_number(sys, fd, GMI_KVM_CHECK_EXTENSION, cap);
}

int gmi_kvm_enable_cap(const struct gmi_sys *sys, int fd, uint32_t cap, uint64_t arg)
{
	struct gmi_kvm_enable_cap enable = {.cap = cap, .args = {arg}};

	return gmi_kvm_ioctl(sys, fd, GMI_KVM_ENABLE_CAP, &enable);
}
