/* SPDX-License-Identifier: MIT */
/* What a real vCPU and a scripted one have in common, and where they differ. */
#ifndef GT_GUEST_BACKEND_H
#define GT_GUEST_BACKEND_H

#include "gt_guest.h"

enum gt_op { GT_READ, GT_WRITE, GT_OUT, GT_OUTSB, GT_INSB, GT_HYPERCALL };

/* One instruction; each takes what it needs. */
struct gt_instruction {
	enum gt_op op;
	uint64_t gpa;
	uint16_t port;
	uint8_t value;
	uint64_t args[4]; /* number and arguments of a hypercall */
};

struct gt_guest {
	const struct gt *t;
	const struct gt_guest_backend *backend;
	int vcpu;
	struct gmi_kvm_run *run;
	uint64_t run_size;
	uint8_t *memory; /* behind the guest's own memslot */
	struct gt_instruction current;
	uint8_t byte;
	bool pending; /* an exit that the next KVM_RUN completes */
};

struct gt_guest_backend {
	void (*prepare)(struct gt_guest *guest, int kvm);
	void (*load)(struct gt_guest *guest, const struct gt_instruction *instruction);
	uint64_t (*value)(struct gt_guest *guest); /* that the completed instruction gave */
};

extern const struct gt_guest_backend gt_guest_real, gt_guest_sim;

#endif
