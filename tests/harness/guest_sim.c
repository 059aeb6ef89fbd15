/* SPDX-License-Identifier: MIT */
/* One instruction at a time on a vCPU of the simulated kernel. */
#include <libgmem/sim.h>

#include "gt_guest_sim.h"

void gt_sim_script(const struct gt *t, int vcpu, const struct gt_sim_instruction *instruction)
{
	uint64_t gpa = instruction->gpa;
	const struct gmem_sim_action actions[] = {
		[GT_READ] = {.op = GMEM_SIM_READ, .addr = gpa, .size = 1, .out = instruction->byte},
		[GT_WRITE] = {.op = GMEM_SIM_WRITE,
			      .addr = gpa,
			      .size = 1,
			      .in = instruction->value},
		[GT_OUT] = {.op = GMEM_SIM_OUT,
			    .addr = instruction->port,
			    .size = 1,
			    .value = *instruction->value},
		[GT_OUTSB] = {.op = GMEM_SIM_OUTS,
			      .addr = instruction->port,
			      .size = 1,
			      .args = {gpa}},
		[GT_INSB] = {.op = GMEM_SIM_INS,
			     .addr = instruction->port,
			     .size = 1,
			     .args = {gpa}},
		[GT_HYPERCALL] = {.op = GMEM_SIM_HYPERCALL,
				  .value = instruction->nr,
				  .args = {instruction->args[0], instruction->args[1],
					   instruction->args[2]}},
	};
	struct gmem_sim_action script[] = {actions[instruction->instruction],
					   {.op = GMEM_SIM_HALT}};

	MUST(gmem_sim_vcpu_script(t->sim, vcpu, script, GT_COUNT(script)) == 0);
}

uint64_t gt_sim_hypercall_result(const struct gt *t, int vcpu)
{
	struct gmem_sim_vcpu_info info = {.sz = sizeof(info)};

	MUST(gmem_sim_vcpu_get_info(t->sim, vcpu, &info) == 0);
	return (uint64_t)info.hypercall_result;
}
