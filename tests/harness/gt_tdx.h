/* SPDX-License-Identifier: MIT */
/* Raw launches of TDs. */
#ifndef GT_TDX_H
#define GT_TDX_H

#include "gt_kvm.h"
#include "uapi_tdx.h"

#define GT_TD_GPA     UINT64_C(0x800000)
#define GT_TD_PAGES   16u
#define GT_TD_ENTRIES GMI_KVM_MAX_CPUID_ENTRIES

/* A VM of type TDX with a memslot of GT_TD_PAGES private pages, and what commands need. */
struct gt_td {
	const struct gt *t;
	int kvm;
	int vm;
	int vcpu; /* -1: none yet */
	int file;
	struct gmi_kvm_run *run;
	uint8_t *source;   /* GT_TD_PAGES pages */
	uint64_t hw_error; /* what commands find and leave in kvm_tdx_cmd.hw_error */
	bool is_old;       /* 6.16 to 6.18: capability 244 is not there */
	bool in_place;     /* the file converts, and a page may have no source */
};

union gt_td_caps {
	struct gmi_kvm_tdx_capabilities head;
	uint8_t bytes[sizeof(struct gmi_kvm_tdx_capabilities) +
		      GT_TD_ENTRIES * sizeof(struct gmi_kvm_cpuid_entry2)];
};

/* With room for one entry too many. */
union gt_td_init {
	struct gmi_kvm_tdx_init_vm head;
	uint8_t bytes[sizeof(struct gmi_kvm_tdx_init_vm) +
		      (GT_TD_ENTRIES + 1) * sizeof(struct gmi_kvm_cpuid_entry2)];
};

union gt_td_cpuid {
	struct gmi_kvm_cpuid2 head;
	uint8_t bytes[sizeof(struct gmi_kvm_cpuid2) +
		      GT_TD_ENTRIES * sizeof(struct gmi_kvm_cpuid_entry2)];
};

/* The test is skipped where the kernel does not offer the type. Nothing is initialised. */
void gt_td_open(const struct gt *t, struct gt_td *ret_td);
void gt_td_close(struct gt_td *td);

/* Converts pages of the memslot, by the call that this kernel has. */
int gt_td_convert(struct gt_td *td, uint64_t gpa, uint64_t size, uint64_t attributes);

/* KVM_MEMORY_ENCRYPT_OP; @td->hw_error goes in and comes out. */
int gt_td_op(struct gt_td *td, int fd, uint32_t id, uint32_t flags, void *data);

int gt_td_capabilities(struct gt_td *td, union gt_td_caps *ret_caps);

/* The least that KVM_TDX_INIT_VM takes: one entry, for 48 bits of address. */
void gt_td_prepare(union gt_td_init *ret_init);
int gt_td_init_vm(struct gt_td *td, union gt_td_init *init);

/* vCPU @number with x2APIC in its CPUID; -errno. */
int gt_td_create_vcpu(struct gt_td *td, uint64_t number);
int gt_td_set_cpuid(struct gt_td *td, int vcpu, uint32_t ecx);

/* INIT_VM, vCPU 0, KVM_TDX_INIT_VCPU with @rcx: pages can be added. */
void gt_td_launch(struct gt_td *td, uint64_t rcx);

/* One command, on vCPU 0: what is left is in @region. */
int gt_td_add(struct gt_td *td, uint32_t flags, struct gmi_kvm_tdx_init_mem_region *region);
int gt_td_finalize(struct gt_td *td);

#endif
