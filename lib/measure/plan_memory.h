/* SPDX-License-Identifier: MIT */
/* The end of the pages that a plan owns. */
#ifndef GMI_PLAN_MEMORY_H
#define GMI_PLAN_MEMORY_H

struct gmem_plan;

void gmi_plan_free_memory(struct gmem_plan *plan);

#endif
