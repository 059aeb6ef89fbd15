/* SPDX-License-Identifier: MIT */
/* Everything about the steps of an SNP launch that can be checked before KVM sees the first. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "range.h"
#include "snp_guest.h"

/* Where a VMSA holds SEV_FEATURES (snp.h of the kernel's, struct sev_es_save_area). */
#define VMSA_FEATURES 0x3b0

/* What a page type allows on an SNP guest. */
static const struct rule {
	bool exists;
	bool has_source;
	bool is_one_page;
	bool is_measured;
} rules[] = {
	[GMEM_LAUNCH_NORMAL] = {.exists = true, .has_source = true, .is_measured = true},
	[GMEM_LAUNCH_VMSA] = {.exists = true,
			      .has_source = true,
			      .is_one_page = true,
			      .is_measured = true},
	[GMEM_LAUNCH_ZERO] = {.exists = true},
	[GMEM_LAUNCH_UNMEASURED] = {.exists = true, .has_source = true},
	[GMEM_LAUNCH_SECRETS] = {.exists = true},
	[GMEM_LAUNCH_CPUID] = {.exists = true, .is_one_page = true},
};

static const struct rule *rule_of(uint32_t type)
{
	bool exists = type < sizeof(rules) / sizeof(rules[0]) && rules[type].exists;

	return exists ? &rules[type] : NULL;
}

static int check_rule(const struct gmem_launch_step *step, size_t index, const struct rule *rule)
{
	bool is_measured = step->flags & GMEM_LAUNCH_MEASURED;

	if (rule->is_one_page && step->size != GMEM_PAGE_SIZE)
		return gmi_error_arg("steps", "%s is one page, not %#llx bytes",
				     gmi_step_name(step, index).text,
				     (unsigned long long)step->size);
	if (is_measured != rule->is_measured)
		return gmi_error_arg("steps",
				     "%s: the firmware %s the contents of pages of type %s",
				     gmi_step_name(step, index).text,
				     rule->is_measured ? "measures" : "does not measure",
				     gmi_step_type_name(step->type));
	return 0;
}

/* KVM measures VMSAs last, in the order of the vCPUs, and all under one address. */
static int check_vmsa(struct gmi_snp_check *check, const struct gmem_launch_step *step,
		      size_t index)
{
	if (step->gpa != GMEM_LAUNCH_VMSA_GPA)
		return gmi_error_arg("steps", "%s: KVM measures VMSAs at %#llx, not at %#llx",
				     gmi_step_name(step, index).text,
				     (unsigned long long)GMEM_LAUNCH_VMSA_GPA,
				     (unsigned long long)step->gpa);
	if (step->vcpu != check->snp->vmsas + check->vmsas)
		return gmi_error_arg("steps",
				     "%s is the VMSA of vCPU %u: KVM measures vCPU %u next",
				     gmi_step_name(step, index).text, step->vcpu,
				     check->snp->vmsas + check->vmsas);
	check->vmsas++;
	return 0;
}

static int check_memory(struct gmi_snp_check *check, const struct gmem_launch_step *step,
			size_t index)
{
	if (check->snp->vmsas + check->vmsas)
		return gmi_error_arg("steps",
				     "%s comes behind a VMSA: KVM measures VMSAs when the launch "
				     "ends",
				     gmi_step_name(step, index).text);
	if (step->type == GMEM_LAUNCH_CPUID && !check->opts->cpuid)
		return gmi_error_arg("cpuid", "%s needs the table of CPUID",
				     gmi_step_name(step, index).text);
	if (!gmi_range_end(check->total, step->size, &check->total))
		return gmi_error_arg("steps", "the steps are of 2^64 bytes or more");
	return 0;
}

static int check_step(struct gmi_snp_check *check, size_t index)
{
	const struct gmem_launch_step *step = &check->steps[index];
	const struct rule *rule = rule_of(step->type);
	int ret;

	if (!rule)
		return gmi_error_arg("steps", "%s is of type %u, which an SNP guest does not have",
				     gmi_step_name(step, index).text, step->type);
	ret = gmi_step_check_fields(step, index, rule->has_source);
	if (!ret)
		ret = check_rule(step, index, rule);
	if (ret)
		return ret;
	return gmi_snp_is_memory(step) ? check_memory(check, step, index)
				       : check_vmsa(check, step, index);
}

/* What the caller says is in must be in, and the rest of what was begun must follow. */
static int check_skip(const struct gmi_snp_check *check)
{
	uint64_t skip = check->opts->skip;

	if (skip > check->total || !gmi_is_aligned(skip, GMEM_PAGE_SIZE))
		return gmi_error_arg("skip", "%#llx is within no step of %#llx bytes in all",
				     (unsigned long long)skip, (unsigned long long)check->total);
	if (check->snp->pending && check->total - skip != check->snp->pending)
		return gmi_error_arg("skip",
				     "%#llx bytes of the steps before are not in yet: go on with "
				     "those",
				     (unsigned long long)check->snp->pending);
	return 0;
}

static int fail_overlap(const struct gmi_snp_check *check, size_t index,
			const struct gmi_rangemap_entry *other)
{
	const struct gmem_launch_step *step = &check->steps[index];
	const struct gmem_launch_step *same = other->value;

	if (same)
		gmi_error(-EEXIST, "%s overlaps %s: a page is put in once",
			  gmi_step_name(step, index).text,
			  gmi_step_name(same, (size_t)(same - check->steps)).text);
	else
		gmi_error(-EEXIST, "memory of %s is in already: a page is put in once",
			  gmi_step_name(step, index).text);
	return gmi_at_gpa(step->gpa, step->size);
}

/* Claims each step's memory in a copy of what is in. */
static int check_overlaps(const struct gmi_snp_check *check, struct gmi_rangemap *claims)
{
	const struct gmi_rangemap_entry *other;
	uint64_t skip = check->opts->skip;

	for (size_t i = 0; i < check->count; i++) {
		const struct gmem_launch_step *step = &check->steps[i];
		uint64_t offset = gmi_snp_skip(step, &skip);
		struct gmem_range range = {step->gpa + offset, step->size - offset};

		if (!gmi_snp_is_memory(step) || !range.size)
			continue;
		other = gmi_rangemap_overlap(claims, range);
		if (other)
			return fail_overlap(check, i, other);
		gmi_rangemap_insert(claims, range, (void *)(uintptr_t)step);
	}
	return 0;
}

static int check_once(const struct gmi_snp_check *check)
{
	const struct gmem_allocator *allocator = &check->snp->vm->ctx->allocator;
	const struct gmi_rangemap *pages = &check->snp->pages;
	struct gmi_rangemap claims = {0};
	int ret;

	if (gmi_rangemap_reserve(&claims, pages->count + check->count, allocator))
		return gmi_error_memory();
	gmi_rangemap_copy(&claims, pages);
	ret = check_overlaps(check, &claims);
	gmi_rangemap_clear(&claims, allocator);
	return ret;
}

static int check_bound(const struct gmi_snp_check *check)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < check->count; i++) {
		const struct gmem_launch_step *step = &check->steps[i];
		struct gmem_conversion want = {
			.gpa = step->gpa, .size = step->size, .to = GMEM_PRIVATE};

		if (gmi_snp_is_memory(step))
			ret = gmi_convert_check(check->snp->vm, &want);
	}
	return ret;
}

/* A VMSA with other features gives another digest than KVM's. */
static int check_features(const struct gmi_snp_check *check, size_t index,
			  const struct gmi_step_source *source)
{
	uint64_t features;

	memcpy(&features, source->bytes + VMSA_FEATURES, sizeof(features));
	if (features == check->snp->opts.features)
		return 0;
	return gmi_error_arg(
		"steps", "%s was measured with SEV_FEATURES %#llx, this guest has %#llx",
		gmi_step_name(&check->steps[index], index).text, (unsigned long long)features,
		(unsigned long long)check->snp->opts.features);
}

static bool is_looked_at(const struct gmi_snp_check *check, const struct gmem_launch_step *step)
{
	if (!step->bytes && !(step->flags & GMEM_LAUNCH_FILE))
		return false;
	return !gmi_snp_is_memory(step) || !(check->opts->flags & GMEM_SNP_IN_PLACE);
}

static int check_source(const struct gmi_snp_check *check, size_t index)
{
	const struct gmem_launch_step *step = &check->steps[index];
	struct gmi_step_run run = {.first = index, .end = index + 1, .size = step->size};
	const struct gmem_ctx *ctx = check->snp->vm->ctx;
	struct gmi_step_source source;
	int ret;

	if (!is_looked_at(check, step))
		return 0;
	ret = gmi_step_source_open(ctx, check->steps, &run, &source);
	if (ret)
		return ret;
	if (!gmi_snp_is_memory(step))
		ret = check_features(check, index, &source);
	gmi_step_source_close(ctx, &source);
	return ret;
}

int gmi_snp_check_steps(struct gmi_snp_check *check)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < check->count; i++)
		ret = check_step(check, i);
	if (!ret)
		ret = check_skip(check);
	if (!ret)
		ret = check_once(check);
	if (!ret)
		ret = check_bound(check);
	for (size_t i = 0; !ret && i < check->count; i++)
		ret = check_source(check, i);
	return ret;
}
