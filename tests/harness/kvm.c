/* SPDX-License-Identifier: MIT */
/* Raw calls to the kernel under test. */
#include <fcntl.h>
#include <sys/mman.h>

#include "gt_kvm.h"

int gt_ioctl(const struct gt *t, int fd, uint64_t request, void *arg)
{
	return t->ops->ioctl(t->user, fd, request, arg);
}

int gt_ioctl_number(const struct gt *t, int fd, uint64_t request, uint64_t number)
{
	return gt_ioctl(t, fd, request, (void *)(uintptr_t)number);
}

int gt_open_kvm(const struct gt *t)
{
	return t->ops->open(t->user, "/dev/kvm", O_RDWR);
}

int gt_create_vm(const struct gt *t, int kvm, uint32_t type)
{
	return gt_ioctl_number(t, kvm, GMI_KVM_CREATE_VM, type);
}

int gt_create_vcpu(const struct gt *t, int vm)
{
	return gt_ioctl_number(t, vm, GMI_KVM_CREATE_VCPU, 0);
}

int gt_cap(const struct gt *t, int fd, uint32_t cap)
{
	return gt_ioctl_number(t, fd, GMI_KVM_CHECK_EXTENSION, cap);
}

int gt_create_gmem(const struct gt *t, int vm, uint64_t size, uint64_t flags)
{
	struct gmi_kvm_create_guest_memfd create = {.size = size, .flags = flags};

	return gt_ioctl(t, vm, GMI_KVM_CREATE_GUEST_MEMFD, &create);
}

int gt_set_region(const struct gt *t, int vm, uint32_t slot, uint32_t flags, uint64_t gpa,
		  uint64_t size, const void *hva)
{
	struct gmi_kvm_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)hva,
	};

	return gt_ioctl(t, vm, GMI_KVM_SET_USER_MEMORY_REGION, &region);
}

int gt_set_region2(const struct gt *t, int vm, const struct gmi_kvm_region2 *region)
{
	struct gmi_kvm_region2 copy = *region;

	return gt_ioctl(t, vm, GMI_KVM_SET_USER_MEMORY_REGION2, &copy);
}

int gt_bind(const struct gt *t, int vm, uint32_t slot, uint64_t gpa, uint64_t size, const void *hva,
	    int gmem, uint64_t offset)
{
	struct gmi_kvm_region2 region = {
		.slot = slot,
		.flags = GMI_KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)hva,
		.guest_memfd_offset = offset,
		.guest_memfd = (uint32_t)gmem,
	};

	return gt_set_region2(t, vm, &region);
}

int gt_delete_slot(const struct gt *t, int vm, uint32_t slot)
{
	return gt_set_region(t, vm, slot, 0, 0, 0, NULL);
}

int gt_set_attributes(const struct gt *t, int vm, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct gmi_kvm_memory_attributes set = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return gt_ioctl(t, vm, GMI_KVM_SET_MEMORY_ATTRIBUTES, &set);
}

int gt_pre_fault(const struct gt *t, int vcpu, uint64_t *gpa, uint64_t *size)
{
	struct gmi_kvm_pre_fault range = {.gpa = *gpa, .size = *size};
	int ret = gt_ioctl(t, vcpu, GMI_KVM_PRE_FAULT_MEMORY, &range);

	*gpa = range.gpa;
	*size = range.size;
	return ret;
}

int gt_enable_cap(const struct gt *t, int fd, uint32_t cap, uint64_t arg)
{
	struct gmi_kvm_enable_cap enable = {.cap = cap, .args = {arg}};

	return gt_ioctl(t, fd, GMI_KVM_ENABLE_CAP, &enable);
}

int gt_fallocate(const struct gt *t, int fd, int mode, uint64_t offset, uint64_t size)
{
	return t->ops->fallocate(t->user, fd, mode, offset, size);
}

int gt_allocate(const struct gt *t, int fd, uint64_t offset, uint64_t size)
{
	return gt_fallocate(t, fd, FALLOC_FL_KEEP_SIZE, offset, size);
}

int gt_punch(const struct gt *t, int fd, uint64_t offset, uint64_t size)
{
	return gt_fallocate(t, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, size);
}

int gt_map(const struct gt *t, int fd, uint64_t offset, uint64_t size, void **ret_addr)
{
	return t->ops->mmap(t->user, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset,
			    ret_addr);
}

int gt_unmap(const struct gt *t, void *addr, uint64_t size)
{
	return t->ops->munmap(t->user, addr, size);
}

int gt_close(const struct gt *t, int fd)
{
	return t->ops->close(t->user, fd);
}

void *gt_anonymous(const struct gt *t, uint64_t size)
{
	void *addr = NULL;

	MUST(t->ops->mmap(t->user, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0, &addr) == 0);
	return addr;
}
