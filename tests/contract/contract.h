/* SPDX-License-Identifier: MIT */
/* What the contract tests share: the kernel's traits, by asking it, and one VM of each type. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "gt_guest.h"
#include "gt_kvm.h"

/*
 * The rows that assertions name are those of the errno tables for Linux 7.3.4:
 *   4.0 prologue of every ioctl   4.1 KVM_CREATE_GUEST_MEMFD   4.2 KVM_SET_USER_MEMORY_REGION2
 *   4.3 KVM_SET_MEMORY_ATTRIBUTES 4.4 KVM_PRE_FAULT_MEMORY     4.5 KVM_ENABLE_CAP
 *   4.6 KVM_MEMORY_ENCRYPT_OP     4.7 fallocate                4.8 mmap
 *   4.9 other calls on the file   4.10 madvise and pins        4.11 KVM_RUN
 *   1 capabilities, 3 VM types, 5 the file, 6 memslots, 7 attributes, 8 exits, 9 lifetime
 * "#n" is the n-th check, in the kernel's order.
 */

/* Kernels that differ in what can be asked here; each has what the ones before it have. */
enum generation {
	GEN_6_8,  /* guest_memfd for VMs with private memory, no flags */
	GEN_6_18, /* MMAP, INIT_SHARED, files for all types of VM */
	GEN_7_2,  /* EEXIST for a bound range, offsets without a sign */
};

/* The kernel, as its capabilities describe it. */
struct traits {
	uint32_t types; /* mask of VM types */
	enum generation generation;
	bool has_attributes; /* KVM_SET_MEMORY_ATTRIBUTES is built in */
	bool in_place;       /* files convert: KVM_SET_MEMORY_ATTRIBUTES2, queued for 7.4 */
	bool has_pre_fault;
};

/* A VM of one type on that kernel, and what it should offer. */
struct vm {
	const struct gt *t;
	struct traits traits;
	int kvm;
	int fd;
	uint32_t type;
	bool has_private;    /* memory that only the guest reaches */
	bool has_gmem_slots; /* memslots may be bound to files */
	uint64_t file_flags; /* that creation accepts */
	uint32_t address_spaces;
	const char *skipped; /* why the test does not apply to this type, or NULL */
};

void vm_open(const struct gt *t, uint32_t type, struct vm *ret_vm);
void vm_close(struct vm *vm);

/*
 * A test for each type of VM that the kernel offers of those that need no hardware: DEFAULT and
 * SW_PROTECTED. Skipped where it applies to none of them.
 */
void each_vm(struct gt *t, void (*test)(struct vm *vm));

/* Leaves the test for this type of VM. */
#define VM_REQUIRE(vm, condition, reason)                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(vm)->skipped = reason;                                                    \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* A file of @pages for the VM; the test ends where there is none. */
int vm_file(struct vm *vm, unsigned int pages, uint64_t flags);

/* Converts what is bound at @gpa from @offset of the file on, by the call that this kernel has. */
int vm_convert(struct vm *vm, int file, uint64_t offset, uint64_t gpa, uint64_t size,
	       uint64_t attributes);

/*
 * False where KVM emulates every instruction of such guests instead of running them, as kvm_pvm
 * does. Then all their accesses are KVM's own, by userspace_addr, and hypercalls come to nothing.
 */
bool vm_runs_natively(struct vm *vm);

#define EMULATED "KVM emulates all instructions of guests on this machine"

/* An address that is mapped nowhere. */
void *unmapped_address(const struct gt *t);

/* Guest addresses that no test binds otherwise. */
#define TEST_GPA UINT64_C(0x100000000)

#endif
