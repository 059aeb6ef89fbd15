/* SPDX-License-Identifier: MIT */
/* A guest of one instruction at a time, on a real vCPU or a scripted one. */
#ifndef GT_GUEST_H
#define GT_GUEST_H

#include "gt_kvm.h"

/*
 * On a real kernel the guest runs in 64-bit mode, with code and page tables in a plain memslot of
 * its own. Tests leave these alone. No irqchip: HLT comes out as an exit.
 */
#define GT_GUEST_GPA  UINT64_C(0x70000000)
#define GT_GUEST_SIZE (6 * GT_PAGE)
#define GT_GUEST_SLOT 1000

/* How KVM_RUN came back. The exit's own data are read only for their @reason. */
struct gt_exit {
	int ret;         /* of KVM_RUN */
	uint32_t reason; /* GMI_KVM_EXIT_...; HLT: the instruction was completed */
	uint64_t value;  /* after HLT: the byte read, or what the hypercall gave */
	struct gmi_kvm_exit_memory_fault fault;
	struct gmi_kvm_exit_hypercall hypercall;
	struct gmi_kvm_exit_mmio mmio;
	struct gmi_kvm_exit_io io;
	uint8_t io_byte;
};

struct gt_guest;

/* Makes the VM's vCPU 0. The slot goes with the VM. */
struct gt_guest *gt_guest_create(const struct gt *t, int vm);
void gt_guest_destroy(struct gt_guest *guest);
int gt_guest_vcpu(const struct gt_guest *guest);
struct gmi_kvm_run *gt_guest_run_page(const struct gt_guest *guest);

struct gt_exit gt_guest_read(struct gt_guest *guest, uint64_t gpa);
struct gt_exit gt_guest_write(struct gt_guest *guest, uint64_t gpa, uint8_t value);
struct gt_exit gt_guest_hypercall(struct gt_guest *guest, uint64_t nr, uint64_t arg0, uint64_t arg1,
				  uint64_t arg2);
struct gt_exit gt_guest_out(struct gt_guest *guest, uint16_t port, uint8_t value);

/* String I/O, where KVM itself reads or writes guest memory. */
struct gt_exit gt_guest_outsb(struct gt_guest *guest, uint64_t gpa, uint16_t port);
struct gt_exit gt_guest_insb(struct gt_guest *guest, uint16_t port, uint64_t gpa);

/* Runs on after an exit, at the same instruction. */
struct gt_exit gt_guest_resume(struct gt_guest *guest);

/* True where the instruction was completed. */
bool gt_exit_is_done(const struct gt_exit *exit);

#endif
