/* SPDX-License-Identifier: MIT */
/* What a step may be. */
#ifndef GMI_PLAN_CHECK_H
#define GMI_PLAN_CHECK_H

#include "plan.h"

/* 0 where every field of @step is as its documentation says, for this plan. */
int gmi_step_check(const struct gmem_plan *plan, const struct gmem_launch_step *step,
		   struct gmem_measure_error *error);

/* True for steps that take guest memory: all but VMSAs, which share one address. */
bool gmi_step_is_memory(const struct gmem_launch_step *step);

/* -EEXIST with both steps named. */
int gmi_step_fail_overlap(const struct gmem_launch_step *step, const struct gmem_launch_step *other,
			  struct gmem_measure_error *error);

const char *gmi_step_label(const struct gmem_launch_step *step);

#endif
