/* SPDX-License-Identifier: MIT */
/* Raw calls to the kernel under test: one line each, the kernel's answer untouched. */
#ifndef GT_KVM_H
#define GT_KVM_H

#include "gmem_test.h"
#include "uapi_kvm.h"

#define GT_PAGE         GMEM_PAGE_SIZE
#define GT_SHARED_FLAGS (GMI_GUEST_MEMFD_FLAG_MMAP | GMI_GUEST_MEMFD_FLAG_INIT_SHARED)
#define GT_PRIVATE      GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE

/* A call's whole result: ioctl(fd, request, arg) through the table. */
int gt_ioctl(const struct gt *t, int fd, uint64_t request, void *arg);
int gt_ioctl_number(const struct gt *t, int fd, uint64_t request, uint64_t number);

int gt_open_kvm(const struct gt *t);
int gt_create_vm(const struct gt *t, int kvm, uint32_t type);
int gt_create_vcpu(const struct gt *t, int vm);
int gt_cap(const struct gt *t, int fd, uint32_t cap);
int gt_create_gmem(const struct gt *t, int vm, uint64_t size, uint64_t flags);
int gt_set_region(const struct gt *t, int vm, uint32_t slot, uint32_t flags, uint64_t gpa,
		  uint64_t size, const void *hva);
int gt_set_region2(const struct gt *t, int vm, const struct gmi_kvm_region2 *region);
int gt_bind(const struct gt *t, int vm, uint32_t slot, uint64_t gpa, uint64_t size, const void *hva,
	    int gmem, uint64_t offset);
int gt_delete_slot(const struct gt *t, int vm, uint32_t slot);
int gt_set_attributes(const struct gt *t, int vm, uint64_t gpa, uint64_t size, uint64_t attributes);
int gt_pre_fault(const struct gt *t, int vcpu, uint64_t *gpa, uint64_t *size);
int gt_enable_cap(const struct gt *t, int fd, uint32_t cap, uint64_t arg);
int gt_fallocate(const struct gt *t, int fd, int mode, uint64_t offset, uint64_t size);
int gt_allocate(const struct gt *t, int fd, uint64_t offset, uint64_t size);
int gt_punch(const struct gt *t, int fd, uint64_t offset, uint64_t size);
int gt_map(const struct gt *t, int fd, uint64_t offset, uint64_t size, void **ret_addr);
int gt_unmap(const struct gt *t, void *addr, uint64_t size);
int gt_close(const struct gt *t, int fd);

/* Anonymous memory of this process, readable and writable; released with gt_unmap(). */
void *gt_anonymous(const struct gt *t, uint64_t size);

#endif
