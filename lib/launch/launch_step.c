/* SPDX-License-Identifier: MIT */
/* Steps of a plan: checked one by one, merged where they follow each other, made private. */
#include "launch_step.h"

#include <errno.h>
#include <stdio.h>

#include "discard.h"
#include "errinfo.h"
#include "range.h"

#define FLAGS (GMEM_LAUNCH_MEASURED | GMEM_LAUNCH_FILL | GMEM_LAUNCH_FILE)

const char *gmi_step_type_name(uint32_t type)
{
	static const char *const names[] = {
		[GMEM_LAUNCH_NORMAL] = "normal",   [GMEM_LAUNCH_VMSA] = "vmsa",
		[GMEM_LAUNCH_ZERO] = "zero",       [GMEM_LAUNCH_UNMEASURED] = "unmeasured",
		[GMEM_LAUNCH_SECRETS] = "secrets", [GMEM_LAUNCH_CPUID] = "cpuid",
		[GMEM_LAUNCH_TD_HOB] = "td-hob",   [GMEM_LAUNCH_AUG] = "aug",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

struct gmi_step_name gmi_step_name(const struct gmem_launch_step *step, size_t index)
{
	struct gmi_step_name name;

	snprintf(name.text, sizeof(name.text), "step %zu (%.40s)", index,
		 step->label ? step->label : gmi_step_type_name(step->type));
	return name;
}

static bool has_contents(const struct gmem_launch_step *step)
{
	return step->bytes || step->flags & GMEM_LAUNCH_FILE;
}

static int check_range(const struct gmem_launch_step *step, size_t index)
{
	if (gmi_range_is_paged(step->gpa, step->size) &&
	    gmi_range_is_within(step->gpa, step->size, GMI_ATTRMAP_LIMIT_MAX))
		return 0;
	gmi_error_arg("steps", "%s is empty, not made of pages of 4096 bytes, or above 2^52",
		      gmi_step_name(step, index).text);
	return gmi_at_gpa(step->gpa, step->size);
}

static int check_file(const struct gmem_launch_step *step, size_t index)
{
	if (!(step->flags & GMEM_LAUNCH_FILE))
		return 0;
	if (step->bytes)
		return gmi_error_arg("steps", "%s has two sources: bytes and a file",
				     gmi_step_name(step, index).text);
	if (step->fd < 0 || !gmi_is_aligned(step->offset, GMEM_PAGE_SIZE) ||
	    !gmi_range_is_within(step->offset, step->size, INT64_MAX))
		return gmi_error_arg("steps",
				     "%s: file %d at %#llx is no source: no descriptor, or the "
				     "offset is not page aligned",
				     gmi_step_name(step, index).text, step->fd,
				     (unsigned long long)step->offset);
	return 0;
}

int gmi_step_check_fields(const struct gmem_launch_step *step, size_t index, bool has_source)
{
	int ret = check_range(step, index);

	if (ret)
		return ret;
	if (step->flags & ~FLAGS)
		return gmi_error_arg("steps", "%s has unknown flags %#x",
				     gmi_step_name(step, index).text, step->flags & ~FLAGS);
	if (step->flags & GMEM_LAUNCH_MEASURED && step->flags & GMEM_LAUNCH_FILL)
		return gmi_error_arg("steps", "%s: measured contents are not filled in",
				     gmi_step_name(step, index).text);
	if (step->reserved[0] || step->reserved[1])
		return gmi_error_arg("steps", "the reserved fields of %s are not 0",
				     gmi_step_name(step, index).text);
	if (has_contents(step) && !has_source)
		return gmi_error_arg("steps", "%s has a source: pages of type %s have none",
				     gmi_step_name(step, index).text,
				     gmi_step_type_name(step->type));
	if (!gmi_is_aligned((uintptr_t)step->bytes, GMEM_PAGE_SIZE))
		return gmi_error_arg("steps", "the source of %s is not page aligned",
				     gmi_step_name(step, index).text);
	return check_file(step, index);
}

static bool contents_continue(const struct gmem_launch_step *step,
			      const struct gmem_launch_step *next)
{
	if (has_contents(step) != has_contents(next) ||
	    (step->flags ^ next->flags) & GMEM_LAUNCH_FILE)
		return false;
	if (step->flags & GMEM_LAUNCH_FILE)
		return step->fd == next->fd && step->offset + step->size == next->offset;
	return !step->bytes || (const uint8_t *)step->bytes + step->size == next->bytes;
}

bool gmi_step_continues(const struct gmem_launch_step *step, const struct gmem_launch_step *next)
{
	return step->type == next->type && step->gpa + step->size == next->gpa &&
	       !((step->flags ^ next->flags) & GMEM_LAUNCH_MEASURED) &&
	       contents_continue(step, next);
}

struct gmi_step_run gmi_step_run(const struct gmem_launch_step *steps, size_t count, size_t first,
				 uint64_t offset)
{
	struct gmi_step_run run = {
		.first = first,
		.end = first + 1,
		.offset = offset,
		.gpa = steps[first].gpa + offset,
		.size = steps[first].size - offset,
	};

	while (run.end < count && gmi_step_continues(&steps[run.end - 1], &steps[run.end]))
		run.size += steps[run.end++].size;
	return run;
}

int gmi_step_make_private(struct gmem_vm *vm, uint64_t gpa, uint64_t size)
{
	struct gmem_convert_opts opts = {.sz = sizeof(opts), .discard = GMEM_DISCARD_KEEP};

	return gmi_error_inherit(gmem_convert(vm, gpa, size, GMEM_PRIVATE, &opts, NULL));
}

void gmi_step_settle(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t policy)
{
	gmi_vm_lock(vm);
	gmi_discard_settle(vm, gpa, size, policy);
	gmi_vm_unlock(vm);
}
