/* SPDX-License-Identifier: MIT */
/* The same instructions as actions of a scripted vCPU. */
#ifndef GT_GUEST_SIM_H
#define GT_GUEST_SIM_H

#include "gt_guest.h"

enum gt_instruction { GT_READ, GT_WRITE, GT_OUT, GT_OUTSB, GT_INSB, GT_HYPERCALL };

struct gt_sim_instruction {
	enum gt_instruction instruction;
	uint64_t gpa;
	uint16_t port;
	const uint8_t *value; /* borrowed until the instruction is done */
	uint64_t nr;
	uint64_t args[3];
	uint8_t *byte; /* where what is read goes */
};

void gt_sim_script(const struct gt *t, int vcpu, const struct gt_sim_instruction *instruction);
uint64_t gt_sim_hypercall_result(const struct gt *t, int vcpu);

#endif
