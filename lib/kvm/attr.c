/* SPDX-License-Identifier: MIT */
/* The ioctls that set memory attributes. */
#include "kvm_call.h"
#include "kvm_ioctl.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

int gmi_kvm_set_attributes(const struct gmi_sys *sys, int vm_fd, uint64_t gpa, uint64_t size,
			   uint64_t attributes)
{
	struct gmi_kvm_memory_attributes set = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return gmi_kvm_ioctl(sys, vm_fd, GMI_KVM_SET_MEMORY_ATTRIBUTES, &set);
}

int gmi_kvm_set_file_attributes(const struct gmi_sys *sys, int gmem_fd, uint64_t offset,
				uint64_t size, uint64_t attributes, uint64_t *ret_error_offset)
{
	struct gmi_next_memory_attributes2 set = {
		.offset = offset,
		.size = size,
		.attributes = attributes,
		.error_offset = UINT64_MAX,
	};
	int ret = gmi_kvm_ioctl(sys, gmem_fd, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &set);

	*ret_error_offset = set.error_offset;
	return ret;
}
