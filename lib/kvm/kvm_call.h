/* SPDX-License-Identifier: MIT */
/* One function a KVM ioctl, with typed arguments. No state, no policy, no record of failures. */
#ifndef GMI_KVM_CALL_H
#define GMI_KVM_CALL_H

#include <stdbool.h>

#include <libgmem/types.h>

#include "sys_call.h"

/*
 * All return what the ioctl returned, or -errno; -EOPNOTSUPP where the kernel says -ENOTTY, which
 * is how it answers requests that it does not know.
 */

/* On /dev/kvm. gmi_kvm_create_vm() returns the descriptor, which is close-on-exec. */
int gmi_kvm_get_api_version(const struct gmi_sys *sys, int kvm_fd);
int gmi_kvm_create_vm(const struct gmi_sys *sys, int kvm_fd, uint32_t vm_type);

/* On /dev/kvm or a VM. */
int gmi_kvm_check_extension(const struct gmi_sys *sys, int fd, uint32_t cap);

/* On a VM or vCPU. */
int gmi_kvm_enable_cap(const struct gmi_sys *sys, int fd, uint32_t cap, uint64_t arg);

/* The new descriptor is not close-on-exec (guest_memfd.c, up to 7.3). @flags are the kernel's. */
int gmi_kvm_create_guest_memfd(const struct gmi_sys *sys, int vm_fd, uint64_t size, uint64_t flags);

/* The same with a page order at byte @order_offset of the arguments: the 1G series' working tree. */
int gmi_kvm_create_guest_memfd_order(const struct gmi_sys *sys, int vm_fd, uint64_t size,
				     uint64_t flags, uint8_t order, uint32_t order_offset);

/* One memslot as the kernel knows it. @gmem_fd is ignored without GMI_KVM_MEM_GUEST_MEMFD. */
struct gmi_kvm_memslot {
	uint32_t address_space;
	uint32_t slot_id;
	uint32_t flags;
	int gmem_fd;
	uint64_t gpa;
	uint64_t size; /* 0 deletes */
	uint64_t hva;
	uint64_t offset;
};

/* KVM_SET_USER_MEMORY_REGION: memslots of host memory, any kernel. */
int gmi_kvm_set_region(const struct gmi_sys *sys, int vm_fd, const struct gmi_kvm_memslot *slot);

/* KVM_SET_USER_MEMORY_REGION2: memslots with a guest_memfd (6.8). */
int gmi_kvm_set_region2(const struct gmi_sys *sys, int vm_fd, const struct gmi_kvm_memslot *slot);

/* KVM_SET_MEMORY_ATTRIBUTES: the per-VM state of a range of guest addresses (6.8). */
int gmi_kvm_set_attributes(const struct gmi_sys *sys, int vm_fd, uint64_t gpa, uint64_t size,
			   uint64_t attributes);

/*
 * KVM_SET_MEMORY_ATTRIBUTES2 on a guest_memfd (queued for 7.4). @ret_error_offset is all ones where
 * the kernel did not name an obstacle.
 */
int gmi_kvm_set_file_attributes(const struct gmi_sys *sys, int gmem_fd, uint64_t offset,
				uint64_t size, uint64_t attributes, uint64_t *ret_error_offset);

/*
 * KVM_PRE_FAULT_MEMORY on a vCPU (6.11). @gpa and @size advance over what was mapped, on failure
 * too; success with @size left is legal.
 */
int gmi_kvm_pre_fault(const struct gmi_sys *sys, int vcpu_fd, uint64_t *gpa, uint64_t *size);

/* KVM_CREATE_VCPU: returns the descriptor, which is close-on-exec. */
int gmi_kvm_create_vcpu(const struct gmi_sys *sys, int vm_fd, uint32_t vcpu_id);

/*
 * KVM_LINK_GUEST_MEMFD, RFC v2 of 2025 only: no kernel reserves its number, so it is for the probe
 * and for callers whom the probe told that it is there. Returns a descriptor that is not
 * close-on-exec.
 */
int gmi_kvm_link_guest_memfd(const struct gmi_sys *sys, int vm_fd, int gmem_fd, uint64_t flags);

#endif
