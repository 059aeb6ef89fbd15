/* SPDX-License-Identifier: MIT */
/* One instruction at a time as the script of a simulated vCPU. */
#include <libgmem/sim.h>

#include "gt_guest_backend.h"

static void prepare(struct gt_guest *guest, int kvm)
{
}

static struct gmem_sim_action action_of(struct gt_guest *guest, const struct gt_instruction *i)
{
	switch (i->op) {
	case GT_READ:
		return (struct gmem_sim_action){
			.op = GMEM_SIM_READ, .addr = i->gpa, .size = 1, .out = &guest->byte};
	case GT_WRITE:
		return (struct gmem_sim_action){
			.op = GMEM_SIM_WRITE, .addr = i->gpa, .size = 1, .in = &i->value};
	case GT_OUT:
		return (struct gmem_sim_action){
			.op = GMEM_SIM_OUT, .addr = i->port, .size = 1, .value = i->value};
	case GT_OUTSB:
		return (struct gmem_sim_action){
			.op = GMEM_SIM_OUTS, .addr = i->port, .size = 1, .args = {i->gpa}};
	case GT_INSB:
		return (struct gmem_sim_action){
			.op = GMEM_SIM_INS, .addr = i->port, .size = 1, .args = {i->gpa}};
	case GT_HYPERCALL:
		break;
	}
	return (struct gmem_sim_action){.op = GMEM_SIM_HYPERCALL,
					.value = i->args[0],
					.args = {i->args[1], i->args[2], i->args[3]}};
}

static void load(struct gt_guest *guest, const struct gt_instruction *instruction)
{
	const struct gmem_sim_action action = action_of(guest, instruction);

	MUST(gmem_sim_vcpu_script(guest->t->sim, guest->vcpu, &action, 1) == 0);
}

static uint64_t value(struct gt_guest *guest)
{
	GMEM_INIT(gmem_sim_vcpu_info, info);

	if (guest->current.op != GT_HYPERCALL)
		return guest->byte;
	MUST(gmem_sim_vcpu_get_info(guest->t->sim, guest->vcpu, &info) == 0);
	return (uint64_t)info.hypercall_result;
}

const struct gt_guest_backend gt_guest_sim = {
	.prepare = prepare,
	.load = load,
	.value = value,
};
