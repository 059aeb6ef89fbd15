/* SPDX-License-Identifier: MIT */
/* Checks the fields of a step against each other and against the type of the VM. */
#include "plan_check.h"

#include <errno.h>

#include "range.h"

/* The widest guest physical address of any x86 CPU. */
#define GPA_LIMIT (UINT64_C(1) << 52)

#define VM(type) (1U << (type))
#define SEV_VMS  (VM(GMEM_VM_SEV) | VM(GMEM_VM_SEV_ES))

enum measured { NEVER, ALWAYS, EITHER };

/* What a page type allows. */
struct page_rule {
	const char *name;
	uint32_t vms;
	enum measured measured;
	bool source;
	bool one_page;
};

static const struct page_rule rules[] = {
	[GMEM_LAUNCH_NORMAL] = {"normal", SEV_VMS | VM(GMEM_VM_SNP) | VM(GMEM_VM_TDX), ALWAYS,
				true},
	[GMEM_LAUNCH_VMSA] = {"vmsa", VM(GMEM_VM_SEV_ES) | VM(GMEM_VM_SNP), ALWAYS, true, true},
	[GMEM_LAUNCH_ZERO] = {"zero", VM(GMEM_VM_SNP) | VM(GMEM_VM_TDX), EITHER},
	[GMEM_LAUNCH_UNMEASURED] = {"unmeasured", VM(GMEM_VM_SNP) | VM(GMEM_VM_TDX), NEVER, true},
	[GMEM_LAUNCH_SECRETS] = {"secrets", VM(GMEM_VM_SNP), NEVER},
	[GMEM_LAUNCH_CPUID] = {"cpuid", VM(GMEM_VM_SNP), NEVER, false, true},
	[GMEM_LAUNCH_TD_HOB] = {"td-hob", VM(GMEM_VM_TDX), NEVER, true},
	[GMEM_LAUNCH_AUG] = {"aug", VM(GMEM_VM_TDX), NEVER},
};

static const struct page_rule *rule_of(uint32_t type)
{
	if (type >= sizeof(rules) / sizeof(rules[0]) || !rules[type].name)
		return NULL;
	return &rules[type];
}

GMEM_API const char *gmem_launch_page_name(uint32_t type)
{
	const struct page_rule *rule = rule_of(type);

	return rule ? rule->name : "unknown";
}

const char *gmi_step_label(const struct gmem_launch_step *step)
{
	return step->label ? step->label : gmem_launch_page_name(step->type);
}

bool gmi_step_is_memory(const struct gmem_launch_step *step)
{
	return step->type != GMEM_LAUNCH_VMSA;
}

int gmi_step_fail_overlap(const struct gmem_launch_step *step, const struct gmem_launch_step *other,
			  struct gmem_measure_error *error)
{
	return gmi_fail(error, EEXIST, GMI_NO_OFFSET, "%s 0x%llx+0x%llx overlaps %s 0x%llx+0x%llx",
			gmi_step_label(step), (unsigned long long)step->gpa,
			(unsigned long long)step->size, gmi_step_label(other),
			(unsigned long long)other->gpa, (unsigned long long)other->size);
}

static int check_range(const struct gmem_plan *plan, const struct gmem_launch_step *step,
		       struct gmem_measure_error *error)
{
	if (!step->size)
		return gmi_invalid(error, "%s at 0x%llx is empty", gmi_step_label(step),
				   (unsigned long long)step->gpa);
	if (!gmi_range_is_within(step->gpa, step->size, GPA_LIMIT))
		return gmi_invalid(error, "%s 0x%llx+0x%llx ends above 2^52", gmi_step_label(step),
				   (unsigned long long)step->gpa, (unsigned long long)step->size);
	if (!gmi_is_aligned(step->gpa | step->size, gmi_plan_granule(plan)))
		return gmi_invalid(error, "%s 0x%llx+0x%llx is not aligned to %llu bytes",
				   gmi_step_label(step), (unsigned long long)step->gpa,
				   (unsigned long long)step->size,
				   (unsigned long long)gmi_plan_granule(plan));
	return 0;
}

static int check_flags(const struct gmem_plan *plan, const struct page_rule *rule,
		       const struct gmem_launch_step *step, struct gmem_measure_error *error)
{
	bool measured = step->flags & GMEM_LAUNCH_MEASURED;

	if (step->flags & ~(GMEM_LAUNCH_MEASURED | GMEM_LAUNCH_FILL | GMEM_LAUNCH_FILE))
		return gmi_invalid(error, "unknown flags 0x%x", step->flags);
	if (measured ? rule->measured == NEVER : rule->measured == ALWAYS)
		return gmi_invalid(error, "a page of type %s is %s measured", rule->name,
				   measured ? "never" : "always");
	if (measured && rule->measured == EITHER && plan->vm_type != GMEM_VM_TDX)
		return gmi_invalid(error, "zeroes count by their type, not as measured contents");
	if (measured && step->flags & GMEM_LAUNCH_FILL)
		return gmi_invalid(error, "measured contents cannot be filled in later");
	return 0;
}

static int check_source(const struct page_rule *rule, const struct gmem_launch_step *step,
			struct gmem_measure_error *error)
{
	bool file = step->flags & GMEM_LAUNCH_FILE;

	if ((step->bytes || file) && !rule->source)
		return gmi_invalid(error, "a page of type %s has no source", rule->name);
	if (step->bytes && file)
		return gmi_invalid(error, "two sources: bytes and a file");
	if (file && step->flags & GMEM_LAUNCH_FILL)
		return gmi_invalid(error, "contents of a file cannot be filled in");
	if (!gmi_is_aligned((uintptr_t)step->bytes | (file ? step->offset : 0), GMEM_PAGE_SIZE))
		return gmi_invalid(error, "the source of %s is not page aligned",
				   gmi_step_label(step));
	if (file && (step->fd < 0 || !gmi_range_is_within(step->offset, step->size, INT64_MAX)))
		return gmi_invalid(error, "file %d at 0x%llx is no source", step->fd,
				   (unsigned long long)step->offset);
	if ((step->flags & GMEM_LAUNCH_FILL || step->type == GMEM_LAUNCH_VMSA) && !step->bytes)
		return gmi_invalid(error, "%s needs bytes", gmi_step_label(step));
	return 0;
}

static int check_vmsa(const struct gmem_plan *plan, const struct gmem_launch_step *step,
		      struct gmem_measure_error *error)
{
	if (step->type != GMEM_LAUNCH_VMSA)
		return 0;
	if (step->gpa != GMEM_LAUNCH_VMSA_GPA)
		return gmi_invalid(error, "a VMSA is at 0x%llx, not at 0x%llx",
				   (unsigned long long)GMEM_LAUNCH_VMSA_GPA,
				   (unsigned long long)step->gpa);
	if (step->vcpu != plan->vcpus)
		return gmi_invalid(error, "the next VMSA is of vCPU %u, not of %u", plan->vcpus,
				   step->vcpu);
	return 0;
}

int gmi_step_check(const struct gmem_plan *plan, const struct gmem_launch_step *step,
		   struct gmem_measure_error *error)
{
	const struct page_rule *rule = rule_of(step->type);
	int ret;

	if (!rule)
		return gmi_invalid(error, "page type %u does not exist", step->type);
	if (!(rule->vms & VM(plan->vm_type)))
		return gmi_invalid(error, "no page of type %s on this type of VM", rule->name);
	if (step->reserved[0] || step->reserved[1])
		return gmi_invalid(error, "the reserved fields of a step are not 0");
	if (rule->one_page && step->size != GMEM_PAGE_SIZE)
		return gmi_invalid(error, "%s is one page, not %llu bytes", gmi_step_label(step),
				   (unsigned long long)step->size);
	ret = check_range(plan, step, error);
	if (!ret)
		ret = check_flags(plan, rule, step, error);
	if (!ret)
		ret = check_source(rule, step, error);
	if (!ret)
		ret = check_vmsa(plan, step, error);
	return ret;
}
