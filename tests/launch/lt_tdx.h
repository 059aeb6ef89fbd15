/* SPDX-License-Identifier: MIT */
/* TDs that are launched from plans, on the simulated module. */
#ifndef LT_TDX_H
#define LT_TDX_H

#include <libgmem/libgmem.h>
#include <libgmem/measure.h>
#include <libgmem/sim.h>

#include "gt_kvm.h"

/* A TD with memory for a plan, which goes with it. */
struct td {
	const struct gt *t;
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_tdx *tdx;
	struct gmem_plan *plan;
};

/* What all of them are, but where a test says otherwise. */
extern const struct gmem_tdx_init_opts td_init_opts;

/* Each step is bound in a slot of its own. The test is skipped where there are no TDs. */
struct td td_open(const struct gt *t, struct gmem_plan *plan);
void td_close(struct td *td);

/* Whether memory converts in place; then it starts shared, and the host can write it. */
bool td_is_in_place(const struct td *td);

/* With two vCPUs. */
int td_launch(struct td *td, const struct gmem_tdx_add_opts *add);

struct gmem_sim_td_info td_module(const struct td *td);

#endif
