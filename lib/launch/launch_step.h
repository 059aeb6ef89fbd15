/* SPDX-License-Identifier: MIT */
/* Steps of a plan as every launch sees them: checked one by one, merged, with their sources in memory. */
#ifndef GMI_LAUNCH_STEP_H
#define GMI_LAUNCH_STEP_H

#include <stdbool.h>

#include <libgmem/launch.h>

#include "core_vm.h"

/* What the record of a step's failure says first: "step 3 (firmware)". */
struct gmi_step_name {
	char text[64];
};

struct gmi_step_name gmi_step_name(const struct gmem_launch_step *step, size_t index);

/* "normal", "zero", ... */
const char *gmi_step_type_name(uint32_t type);

/* The fields that every step has: range, flags, reserved fields, source. 0 or -EINVAL with a record. */
int gmi_step_check_fields(const struct gmem_launch_step *step, size_t index, bool has_source);

/*
 * Steps that follow each other and whose contents do: one run. It begins @offset bytes into step
 * @first and ends with step @end - 1.
 */
struct gmi_step_run {
	size_t first;
	size_t end;
	uint64_t offset;
	uint64_t gpa;
	uint64_t size;
};

bool gmi_step_continues(const struct gmem_launch_step *step, const struct gmem_launch_step *next);

/* The run that begins @offset bytes into step @first. */
struct gmi_step_run gmi_step_run(const struct gmem_launch_step *steps, size_t count, size_t first,
				 uint64_t offset);

/* The contents of a run in memory: borrowed, or a mapping of its file. Not where it has none. */
struct gmi_step_source {
	const uint8_t *bytes;
	void *mapping; /* or NULL */
	uint64_t size;
};

/* 0 or -errno with a record: -EFAULT where the contents cannot be read. */
int gmi_step_source_open(const struct gmem_ctx *ctx, const struct gmem_launch_step *steps,
			 const struct gmi_step_run *run, struct gmi_step_source *ret_source);
void gmi_step_source_close(const struct gmem_ctx *ctx, struct gmi_step_source *source);

/* Makes guest memory private and keeps what its shared side held. 0 or -errno with a record. */
int gmi_step_make_private(struct gmem_vm *vm, uint64_t gpa, uint64_t size);

/* Gives the shared side back by @policy, enum gmem_discard. */
void gmi_step_settle(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t policy);

#endif
