/* SPDX-License-Identifier: MIT */
/* What is wrong with the steps of a launch, found before KVM sees the first. */
#include <errno.h>

#include "alloc.h"
#include "errinfo.h"
#include "probe.h"
#include "range.h"
#include "tdx_object.h"

/* Of which page types a TD is made, and whether their contents are measured (launch.h). */
enum measured { UNKNOWN, NEVER, ALWAYS, EITHER };

static enum measured rule_of(uint32_t type)
{
	switch (type) {
	case GMEM_LAUNCH_NORMAL:
		return ALWAYS;
	case GMEM_LAUNCH_ZERO:
		return EITHER;
	case GMEM_LAUNCH_UNMEASURED:
	case GMEM_LAUNCH_TD_HOB:
	case GMEM_LAUNCH_AUG:
		return NEVER;
	default:
		return UNKNOWN;
	}
}

bool gmi_tdx_has_contents(const struct gmem_launch_step *step)
{
	return step->bytes || step->flags & GMEM_LAUNCH_FILE;
}

static int check_kind(const struct gmem_launch_step *step, size_t index)
{
	enum measured rule = rule_of(step->type);
	bool measured = step->flags & GMEM_LAUNCH_MEASURED;

	if (rule == UNKNOWN)
		return gmi_error_arg("steps", "%s: type %u is none of a TD's",
				     gmi_step_name(step, index).text, step->type);
	if (measured ? rule == NEVER : rule == ALWAYS)
		return gmi_error_arg("steps", "%s: contents of type %s are %s measured",
				     gmi_step_name(step, index).text,
				     gmi_step_type_name(step->type), measured ? "never" : "always");
	return 0;
}

/* The upper half of a TD's addresses is the shared one. */
static int check_limits(const struct gmem_tdx *tdx, const struct gmem_launch_step *step,
			size_t index)
{
	uint64_t limit = UINT64_C(1) << (tdx->gpa_width - 1);

	if (!gmi_range_is_within(step->gpa, step->size, limit)) {
		gmi_error_arg("steps", "%s is above the TD's private addresses, which end at %#llx",
			      gmi_step_name(step, index).text, (unsigned long long)limit);
		return gmi_at_gpa(step->gpa, step->size);
	}
	if (step->bytes && !gmi_range_is_valid((uintptr_t)step->bytes, step->size))
		return gmi_error_arg("steps", "the source of %s wraps",
				     gmi_step_name(step, index).text);
	return 0;
}

static int fail_twice(const struct gmem_launch_step *step, size_t index, struct gmem_range other)
{
	struct gmem_range range = {.start = step->gpa, .size = step->size};
	struct gmem_range both = gmi_range_intersect(range, other);

	gmi_error(-EEXIST, "%s: %#llx+%#llx would be added twice", gmi_step_name(step, index).text,
		  (unsigned long long)both.start, (unsigned long long)both.size);
	return gmi_at_gpa(both.start, both.size);
}

/* What of the step is still to do begins @skip bytes into it. */
static int check_twice(const struct gmem_tdx *tdx, struct gmi_rangemap *seen,
		       const struct gmem_launch_step *step, size_t index, uint64_t skip)
{
	struct gmem_range range = {.start = step->gpa, .size = step->size};
	struct gmem_range rest = {.start = step->gpa + skip, .size = step->size - skip};
	const struct gmi_rangemap_entry *other = gmi_rangemap_overlap(seen, range);

	if (!other && rest.size)
		other = gmi_rangemap_overlap(&tdx->added, rest);
	if (other)
		return fail_twice(step, index, other->range);
	gmi_rangemap_insert(seen, range, NULL);
	return 0;
}

static int check_bound(const struct gmem_tdx *tdx, const struct gmem_launch_step *step)
{
	const struct gmem_conversion request = {
		.gpa = step->gpa,
		.size = step->size,
		.to = GMEM_PRIVATE,
	};

	return gmi_convert_check(tdx->vm, &request);
}

static int check_step(const struct gmem_tdx *tdx, const struct gmem_launch_step *step, size_t index)
{
	bool has_source = step->type != GMEM_LAUNCH_ZERO && step->type != GMEM_LAUNCH_AUG;
	int ret = check_kind(step, index);

	if (!ret)
		ret = gmi_step_check_fields(step, index, has_source);
	if (!ret)
		ret = check_limits(tdx, step, index);
	return ret;
}

/* How much of a step an earlier call has done, of the @start bytes of all; lessens @start by it. */
static uint64_t take_done(const struct gmem_launch_step *step, uint64_t *start)
{
	uint64_t done = *start < step->size ? *start : step->size;

	*start -= done;
	return done;
}

static int check_fields(const struct gmem_tdx *tdx, const struct gmem_launch_step *steps,
			size_t count, uint64_t start)
{
	uint64_t total = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++) {
		ret = check_step(tdx, &steps[i], i);
		if (!ret && !gmi_range_end(total, steps[i].size, &total))
			ret = gmi_error_arg("steps", "2^64 bytes or more in all");
	}
	if (!ret && (start > total || !gmi_is_aligned(start, GMEM_PAGE_SIZE)))
		ret = gmi_error_arg("start", "%#llx bytes of %#llx cannot be done",
				    (unsigned long long)start, (unsigned long long)total);
	return ret;
}

static int check_places(const struct gmem_tdx *tdx, const struct gmem_launch_step *steps,
			size_t count, uint64_t start)
{
	const struct gmem_allocator *allocator = &tdx->vm->ctx->allocator;
	struct gmi_rangemap seen = {0};
	int ret = 0;

	if (gmi_rangemap_reserve(&seen, count, allocator))
		return gmi_error_memory();
	for (size_t i = 0; !ret && i < count; i++) {
		ret = check_twice(tdx, &seen, &steps[i], i, take_done(&steps[i], &start));
		if (!ret)
			ret = check_bound(tdx, &steps[i]);
	}
	gmi_rangemap_clear(&seen, allocator);
	return ret;
}

struct gmi_step_run gmi_tdx_rest_of(const struct gmem_launch_step *steps, size_t index,
				    uint64_t skip)
{
	return (struct gmi_step_run){
		.first = index,
		.end = index + 1,
		.offset = skip,
		.gpa = steps[index].gpa + skip,
		.size = steps[index].size - skip,
	};
}

/* Before the first page is added, and so before memory that a source lies in is made private. */
static int check_contents(const struct gmem_tdx *tdx, const struct gmem_launch_step *steps,
			  size_t count, uint64_t start)
{
	struct gmi_step_source source;
	struct gmi_step_run run;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++) {
		run = gmi_tdx_rest_of(steps, i, take_done(&steps[i], &start));
		if (!run.size || !gmi_tdx_has_contents(&steps[i]))
			continue;
		ret = gmi_step_source_open(tdx->vm->ctx, steps, &run, &source);
		if (!ret)
			gmi_step_source_close(tdx->vm->ctx, &source);
	}
	return ret;
}

int gmi_tdx_check_steps(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
			uint64_t start, bool in_place)
{
	int ret = check_fields(tdx, steps, count, start);

	if (!ret && in_place && tdx->vm->attrs.mechanism != GMI_CONVERT_INPLACE)
		ret = gmi_error_feature(GMEM_FEATURE_CONVERT_INPLACE,
					"contents cannot be in place: memory of this VM does not "
					"convert so");
	if (!ret)
		ret = check_places(tdx, steps, count, start);
	if (!ret && !in_place)
		ret = check_contents(tdx, steps, count, start);
	return ret;
}
