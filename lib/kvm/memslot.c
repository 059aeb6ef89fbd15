/* SPDX-License-Identifier: MIT */
/* The ioctls that make and delete memslots. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"

static uint32_t full_id(const struct gmi_kvm_memslot *slot)
{
	return slot->address_space << 16 | slot->slot_id;
}

int gmi_kvm_set_region(const struct gmi_sys *sys, int vm_fd, const struct gmi_kvm_memslot *slot)
{
	struct gmi_kvm_region region = {
		.slot = full_id(slot),
		.flags = slot->flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->size,
		.userspace_addr = slot->hva,
	};

	return gmi_kvm_ioctl(sys, vm_fd, GMI_KVM_SET_USER_MEMORY_REGION, &region);
}

int gmi_kvm_set_region2(const struct gmi_sys *sys, int vm_fd, const struct gmi_kvm_memslot *slot)
{
	struct gmi_kvm_region2 region = {
		.slot = full_id(slot),
		.flags = slot->flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->size,
		.userspace_addr = slot->hva,
		.guest_memfd_offset = slot->offset,
		.guest_memfd = (uint32_t)slot->gmem_fd,
	};

	return gmi_kvm_ioctl(sys, vm_fd, GMI_KVM_SET_USER_MEMORY_REGION2, &region);
}
