/* SPDX-License-Identifier: MIT */
/* The plan from the inside: what readers and digests use. */
#ifndef GMI_PLAN_H
#define GMI_PLAN_H

#include <stdbool.h>

#include <libgmem/measure.h>

#include "fail.h"

/* The most memory that a reader plans: a bound on what a malicious image can make a launch or a
 * digest do. Real images plan less than 1 GiB. */
#define GMI_PLAN_MEMORY_MAX (UINT64_C(4) << 30)

/* What gmi_plan_append() may merge. The two-pass MRTD depends on where measured steps begin and end,
 * the TD HOB on where all of them do. */
enum gmi_merge {
	GMI_MERGE_SAFE, /* all but measured steps on TDX */
	GMI_MERGE_ALL,
	GMI_MERGE_NONE,
};

struct gmi_chunk;

struct gmem_plan {
	enum gmi_merge merge;
	uint32_t vm_type;
	uint32_t vcpus;
	struct gmem_launch_step *steps;
	size_t count;
	size_t capacity;
	struct gmi_chunk *chunks;
	struct gmem_launch_parameter *parameters;
	size_t parameter_count;
	const void *id_block; /* owned pages, NULL without an ID block */
	const void *id_auth;
	uint32_t id_flags;
	uint64_t memory_size;
	uint64_t measured_size;
	uint64_t sev_features;
	uint64_t policy;
	struct gmem_range hob;
};

/* Appends a step after checking its fields, but not whether it overlaps: see gmi_plan_finish(). */
int gmi_plan_append(struct gmem_plan *plan, const struct gmem_launch_step *step,
		    struct gmem_measure_error *error);

/* Appends the VMSAs of @vcpus vCPUs: @boot for the first, @other for the rest. The plan copies both
 * pages. */
int gmi_plan_append_vmsas(struct gmem_plan *plan, const struct gmem_vmsa_opts *boot,
			  const struct gmem_vmsa_opts *other, uint32_t vcpus,
			  struct gmem_measure_error *error);

/* Ends a reader's work: refuses overlapping steps and too much memory. */
int gmi_plan_finish(const struct gmem_plan *plan, struct gmem_measure_error *error);

/* Zeroed pages that the plan owns; NULL without memory. Two calls in a row may give neighbours. */
void *gmi_plan_alloc(struct gmem_plan *plan, uint64_t size);

/* @bytes themselves where they are page aligned and full pages, else a copy that the plan owns, filled
 * up with zeroes. */
const void *gmi_plan_own(struct gmem_plan *plan, const void *bytes, uint64_t size);

/* The unit of addresses and sizes of steps. */
uint64_t gmi_plan_granule(const struct gmem_plan *plan);

#endif
