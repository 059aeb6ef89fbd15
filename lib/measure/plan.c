/* SPDX-License-Identifier: MIT */
/* The ordered list of steps: make, append, merge, fill. */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan_check.h"
#include "plan_memory.h"
#include "range.h"
#include "vmsa.h"

/* KVM_SEV_LAUNCH_UPDATE_DATA encrypts in units of 16 bytes (sev.c sev_launch_update_data()). */
#define SEV_GRANULE 16

GMEM_API int gmem_plan_create(uint32_t vm_type, struct gmem_plan **ret_plan)
{
	struct gmem_plan *plan;

	if (vm_type < GMEM_VM_SEV || vm_type > GMEM_VM_TDX || !ret_plan)
		return -EINVAL;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->vm_type = vm_type;
	*ret_plan = plan;
	return 0;
}

GMEM_API void gmem_plan_destroy(struct gmem_plan *plan)
{
	if (!plan)
		return;
	gmi_plan_free_memory(plan);
	free(plan->parameters);
	free(plan->steps);
	free(plan);
}

uint64_t gmi_plan_granule(const struct gmem_plan *plan)
{
	bool sev = plan->vm_type == GMEM_VM_SEV || plan->vm_type == GMEM_VM_SEV_ES;

	return sev ? SEV_GRANULE : GMEM_PAGE_SIZE;
}

static bool source_continues(const struct gmem_launch_step *last,
			     const struct gmem_launch_step *next)
{
	if (next->flags & GMEM_LAUNCH_FILE)
		return last->fd == next->fd && last->offset + last->size == next->offset;
	if (!last->bytes || !next->bytes)
		return last->bytes == next->bytes;
	return (const uint8_t *)last->bytes + last->size == next->bytes;
}

static bool type_merges(uint32_t type)
{
	return type == GMEM_LAUNCH_NORMAL || type == GMEM_LAUNCH_ZERO ||
	       type == GMEM_LAUNCH_UNMEASURED || type == GMEM_LAUNCH_AUG;
}

static bool may_merge(const struct gmem_plan *plan, const struct gmem_launch_step *step)
{
	if (plan->merge == GMI_MERGE_NONE || !type_merges(step->type) ||
	    step->flags & GMEM_LAUNCH_FILL)
		return false;
	return plan->merge == GMI_MERGE_ALL || plan->vm_type != GMEM_VM_TDX ||
	       !(step->flags & GMEM_LAUNCH_MEASURED);
}

static bool merge(struct gmem_plan *plan, const struct gmem_launch_step *step)
{
	struct gmem_launch_step *last;

	if (!plan->count || !may_merge(plan, step))
		return false;
	last = &plan->steps[plan->count - 1];
	if (last->type != step->type || last->flags != step->flags ||
	    last->gpa + last->size != step->gpa || !source_continues(last, step))
		return false;
	last->size += step->size;
	return true;
}

static int reserve(struct gmem_plan *plan)
{
	size_t capacity = plan->capacity ? plan->capacity * 2 : 16;
	struct gmem_launch_step *steps;

	if (plan->count < plan->capacity)
		return 0;
	steps = reallocarray(plan->steps, capacity, sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	plan->steps = steps;
	plan->capacity = capacity;
	return 0;
}

static uint64_t vmsa_features(const struct gmem_launch_step *step)
{
	uint64_t features;

	memcpy(&features, (const uint8_t *)step->bytes + GMI_VMSA_SEV_FEATURES, sizeof(features));
	return features;
}

static void account(struct gmem_plan *plan, const struct gmem_launch_step *step)
{
	if (step->flags & GMEM_LAUNCH_MEASURED)
		plan->measured_size += step->size;
	if (step->type == GMEM_LAUNCH_VMSA) {
		plan->vcpus++;
		plan->sev_features = vmsa_features(step);
	} else if (step->type != GMEM_LAUNCH_AUG) {
		plan->memory_size += step->size;
	}
	if (step->type == GMEM_LAUNCH_TD_HOB)
		plan->hob = (struct gmem_range){.start = step->gpa, .size = step->size};
}

static int check_once(const struct gmem_plan *plan, const struct gmem_launch_step *step,
		      struct gmem_measure_error *error)
{
	if (step->type == GMEM_LAUNCH_TD_HOB && plan->hob.size)
		return gmi_invalid(error, "a second TD HOB at 0x%llx",
				   (unsigned long long)step->gpa);
	if (step->type == GMEM_LAUNCH_VMSA && plan->vcpus &&
	    vmsa_features(step) != plan->sev_features)
		return gmi_invalid(error, "vCPU %u has other SEV_FEATURES than vCPU 0", step->vcpu);
	return 0;
}

int gmi_plan_append(struct gmem_plan *plan, const struct gmem_launch_step *step,
		    struct gmem_measure_error *error)
{
	int ret = gmi_step_check(plan, step, error);

	if (!ret)
		ret = check_once(plan, step, error);
	if (ret)
		return ret;
	if (!merge(plan, step)) {
		if (reserve(plan))
			return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
		plan->steps[plan->count++] = *step;
	}
	account(plan, step);
	return 0;
}

static struct gmem_range range_of(const struct gmem_launch_step *step)
{
	return (struct gmem_range){.start = step->gpa, .size = step->size};
}

static int check_overlap(const struct gmem_plan *plan, const struct gmem_launch_step *step,
			 struct gmem_measure_error *error)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct gmem_launch_step *other = &plan->steps[i];

		if (gmi_step_is_memory(other) &&
		    gmi_range_overlaps(range_of(step), range_of(other)))
			return gmi_step_fail_overlap(step, other, error);
	}
	return 0;
}

GMEM_API int gmem_plan_add(struct gmem_plan *plan, const struct gmem_launch_step *step,
			   struct gmem_measure_error *error)
{
	int ret;

	if (!plan || !step)
		return gmi_invalid(error, "the plan or the step is NULL");
	ret = gmi_step_check(plan, step, error);
	if (!ret && gmi_step_is_memory(step))
		ret = check_overlap(plan, step, error);
	return ret ? ret : gmi_plan_append(plan, step, error);
}

static int compare_gpa(const void *a, const void *b)
{
	const struct gmem_launch_step *const *left = a;
	const struct gmem_launch_step *const *right = b;

	if ((*left)->gpa != (*right)->gpa)
		return (*left)->gpa < (*right)->gpa ? -1 : 1;
	return *left < *right ? -1 : *left > *right;
}

static int check_neighbours(const struct gmem_launch_step *const *sorted, size_t count,
			    struct gmem_measure_error *error)
{
	for (size_t i = 1; i < count; i++)
		if (gmi_range_overlaps(range_of(sorted[i - 1]), range_of(sorted[i])))
			return gmi_step_fail_overlap(sorted[i], sorted[i - 1], error);
	return 0;
}

static int check_all_overlaps(const struct gmem_plan *plan, struct gmem_measure_error *error)
{
	const struct gmem_launch_step **sorted = calloc(plan->count + 1, sizeof(*sorted));
	size_t count = 0;
	int ret;

	if (!sorted)
		return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
	for (size_t i = 0; i < plan->count; i++)
		if (gmi_step_is_memory(&plan->steps[i]))
			sorted[count++] = &plan->steps[i];
	qsort(sorted, count, sizeof(*sorted), compare_gpa);
	ret = check_neighbours(sorted, count, error);
	free(sorted);
	return ret;
}

int gmi_plan_finish(const struct gmem_plan *plan, struct gmem_measure_error *error)
{
	if (plan->memory_size > GMI_PLAN_MEMORY_MAX)
		return gmi_fail(error, EBADMSG, GMI_NO_OFFSET,
				"the image asks for %llu MiB of memory, more than 4096",
				(unsigned long long)(plan->memory_size >> 20));
	return check_all_overlaps(plan, error);
}

static const struct gmem_launch_step *find_fill(const struct gmem_plan *plan,
						struct gmem_range range)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].flags & GMEM_LAUNCH_FILL &&
		    gmi_range_contains(range_of(&plan->steps[i]), range))
			return &plan->steps[i];
	return NULL;
}

GMEM_API int gmem_plan_fill(struct gmem_plan *plan, uint64_t gpa, const void *bytes, uint64_t size,
			    struct gmem_measure_error *error)
{
	struct gmem_range range = {.start = gpa, .size = size};
	const struct gmem_launch_step *step = NULL;

	if (!plan || !bytes)
		return gmi_invalid(error, "the plan or the bytes are NULL");
	if (gmi_range_is_valid(gpa, size))
		step = find_fill(plan, range);
	if (!step)
		return gmi_fail(error, ENOENT, GMI_NO_OFFSET,
				"0x%llx+0x%llx is not inside a step to be filled",
				(unsigned long long)gpa, (unsigned long long)size);
	memcpy((uint8_t *)step->bytes + (gpa - step->gpa), bytes, size);
	return 0;
}

GMEM_API const struct gmem_launch_step *gmem_plan_steps(const struct gmem_plan *plan,
							size_t *ret_count)
{
	*ret_count = plan->count;
	return plan->steps;
}

GMEM_API const struct gmem_launch_parameter *gmem_plan_parameters(const struct gmem_plan *plan,
								  size_t *ret_count)
{
	*ret_count = plan->parameter_count;
	return plan->parameters;
}

GMEM_API int gmem_plan_id_block(const struct gmem_plan *plan, const void **ret_block,
				const void **ret_auth, uint32_t *ret_flags)
{
	if (!plan->id_block)
		return -ENOENT;
	*ret_block = plan->id_block;
	*ret_auth = plan->id_auth;
	*ret_flags = plan->id_flags;
	return 0;
}

GMEM_API int gmem_plan_get_info(const struct gmem_plan *plan, struct gmem_plan_info *info)
{
	GMEM_INIT(gmem_plan_info, known);

	if (!plan)
		return -EINVAL;
	known.vm_type = plan->vm_type;
	known.vcpus = plan->vcpus;
	known.step_count = plan->count;
	known.memory_size = plan->memory_size;
	known.measured_size = plan->measured_size;
	known.sev_features = plan->sev_features;
	known.policy = plan->policy;
	known.hob = plan->hob;
	return gmi_info_write(info, &known, sizeof(known));
}
