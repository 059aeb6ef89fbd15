/* SPDX-License-Identifier: MIT */
/* A build without the simulated kernel: there are no scripted vCPUs. */
#include <stdlib.h>

#include "gt_guest_sim.h"

void gt_sim_script(const struct gt *t, int vcpu, const struct gt_sim_instruction *instruction)
{
	abort();
}

uint64_t gt_sim_hypercall_result(const struct gt *t, int vcpu)
{
	abort();
}
