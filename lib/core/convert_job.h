/* SPDX-License-Identifier: MIT */
/* The steps of one conversion: one kernel call each, undone in reverse where all or nothing is wanted. */
#ifndef GMI_CONVERT_JOB_H
#define GMI_CONVERT_JOB_H

#include "core_slot.h"

/* A range that one kernel call converts: of one part, and all of one state before. */
struct gmi_step {
	struct gmi_part part;
	struct gmi_place place;
	uint32_t was;
	uint32_t to;
	bool was_wished;
	bool is_wish;   /* in place and unbound: no kernel call, a note in the map */
	bool is_marked; /* the side that goes out of view is noted as stale before it is discarded */
	struct gmi_attrmap_reserve state_hold;
	struct gmi_attrmap_reserve wish_hold;
	struct gmi_attrmap_reserve stale_hold;
	struct gmi_step *before;
};

struct gmi_job {
	struct gmem_vm *vm;
	const struct gmem_convert_opts *opts;
	bool is_undoing;
	bool is_binding; /* of a range that is not bound yet: listeners have not heard of it */
	bool keep;       /* ATOMIC: done steps are kept, to be undone or committed at the end */
	struct gmi_step *last; /* of those kept */

	/* Converted, not kept and not marked: the side that went out of view is to be discarded. */
	struct gmem_range fresh;
};

/*
 * Converts a part: what has another state than @to. With bind_lock. @ret_done is how many bytes
 * from its start on have the wanted state, on failure too. 0 or -errno with a record.
 */
int gmi_job_part(struct gmi_job *job, const struct gmi_part *part, uint32_t to, uint64_t *ret_done);

/* Discards what is fresh. Failures are counted, and noted as stale where there is memory to. */
void gmi_job_discard_fresh(struct gmi_job *job);

/* Ends a job: what is kept is final. Listeners and marks of stale memory are told on the way. */
void gmi_job_commit(struct gmi_job *job);

/* Undoes what is kept, newest first. 0, or -ENOTRECOVERABLE with a record where a step stays done. */
int gmi_job_roll_back(struct gmi_job *job);

#endif
