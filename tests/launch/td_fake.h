/* SPDX-License-Identifier: MIT */
/* A kernel that answers a TDX launch as it is told to, and notes what it was asked: no model. */
#ifndef TD_FAKE_H
#define TD_FAKE_H

#include "gmem_test.h"
#include "uapi_tdx.h"

#define FAKE_LEAVES 70 /* more than fit at first */
#define FAKE_CALLS  64

/* How one call of KVM_TDX_INIT_MEM_REGION ends: after so many pages, with an error. */
struct fake_turn {
	uint64_t pages;
	int error;
};

/* A run of pages that one call added. */
struct fake_added {
	uint64_t gpa;
	uint64_t source;
	uint64_t pages;
	uint32_t flags;
	uint64_t first_word; /* of the contents; 0 without a source */
};

struct fake {
	/* What it does. */
	bool in_place;
	int other_types;           /* of VM, a mask */
	struct fake_turn turns[8]; /* of the first calls; all others succeed */
	int init_errors[8];        /* of the first calls of KVM_TDX_INIT_VM, 0 ends the list */
	uint64_t init_status;
	int finalize_errors[8];
	uint64_t finalize_status;
	int attribute_error; /* of KVM_SET_MEMORY_ATTRIBUTES */
	bool is_dead;        /* the VM: EIO */
	bool lies;           /* about its progress */

	/* What it saw. */
	uint32_t leaf_calls;
	uint32_t caps_enabled[8];
	uint32_t caps_count;
	uint32_t init_calls, finalize_calls, add_calls, sleeps;
	uint64_t init_attributes;
	uint32_t init_padding;
	struct gmi_kvm_cpuid_entry2 init_cpuid[GMI_KVM_MAX_CPUID_ENTRIES];
	uint32_t init_nent;
	uint64_t vcpu_rcx[8];
	uint32_t vcpus_initialized, vcpus_made;
	struct fake_added added[FAKE_CALLS];
	uint32_t added_count;
	uint64_t private_pages;
};

/* The table; its user is the struct fake. */
const struct gmem_sys_ops *fake_ops(void);

#endif
