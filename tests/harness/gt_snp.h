/* SPDX-License-Identifier: MIT */
/* Raw launches of SEV, SEV-ES and SNP guests. */
#ifndef GT_SNP_H
#define GT_SNP_H

#include "gt_kvm.h"
#include "uapi_sev.h"

/* A policy that every firmware takes: SMT is allowed, and the bit that has to be one. */
#define GT_SNP_POLICY (GMI_SNP_POLICY_SMT | GMI_SNP_POLICY_RESERVED_ONE)

#define GT_SEV_VCPUS 520

/* A VM before KVM_SEV_INIT2, and the descriptors that commands need. */
struct gt_sev {
	const struct gt *t;
	int kvm;
	int vm;
	int sev;        /* /dev/sev */
	uint32_t error; /* what commands find and leave in kvm_sev_cmd.error */
	int vcpu[GT_SEV_VCPUS];
	size_t vcpus;
};

/* The test is skipped where the kernel does not offer the type. */
void gt_sev_open(const struct gt *t, uint32_t type, struct gt_sev *ret_sev);
void gt_sev_close(struct gt_sev *sev);

/* KVM_MEMORY_ENCRYPT_OP; @sev->error goes in and comes out. */
int gt_sev_op(struct gt_sev *sev, uint32_t id, void *data);

int gt_sev_init2(struct gt_sev *sev, uint64_t features);
int gt_snp_start(struct gt_sev *sev, uint64_t policy);
int gt_snp_finish(struct gt_sev *sev);

/* One command: what is left is in the struct. */
int gt_snp_update(struct gt_sev *sev, struct gmi_kvm_sev_snp_launch_update *update);

/* Until all of it is done. */
int gt_snp_load(struct gt_sev *sev, uint64_t gpa, const void *source, uint64_t size, uint8_t type);

/* A vCPU as after a reset, but for its signature and, unless 0, its entry point. */
int gt_sev_add_vcpu(struct gt_sev *sev, uint32_t signature, uint64_t entry);

#endif
