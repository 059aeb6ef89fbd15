/* SPDX-License-Identifier: MIT */
/* The ioctls that make guest_memfd files. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

int gmi_kvm_create_guest_memfd(const struct gmi_sys *sys, int vm_fd, uint64_t size, uint64_t flags)
{
	struct gmi_kvm_create_guest_memfd create = {.size = size, .flags = flags};

	return gmi_kvm_ioctl(sys, vm_fd, GMI_KVM_CREATE_GUEST_MEMFD, &create);
}

int gmi_kvm_create_guest_memfd_order(const struct gmi_sys *sys, int vm_fd, uint64_t size,
				     uint64_t flags, uint8_t order, uint32_t order_offset)
{
	struct gmi_kvm_create_guest_memfd create = {.size = size, .flags = flags};

	((uint8_t *)&create)[order_offset] = order;
	return gmi_kvm_ioctl(sys, vm_fd, GMI_KVM_CREATE_GUEST_MEMFD, &create);
}

int gmi_kvm_link_guest_memfd(const struct gmi_sys *sys, int vm_fd, int gmem_fd, uint64_t flags)
{
	struct gmi_rfc_link_guest_memfd link = {.fd = (uint64_t)gmem_fd, .flags = flags};

	return gmi_kvm_ioctl(sys, vm_fd, GMI_RFC_LINK2_LINK_GUEST_MEMFD, &link);
}
