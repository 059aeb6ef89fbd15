/* SPDX-License-Identifier: MIT */
/* A plan as lines of text, handed to the caller. */
#include <errno.h>
#include <stdio.h>

#include "plan.h"
#include "plan_check.h"

static const char *source_name(const struct gmem_launch_step *step)
{
	if (step->flags & GMEM_LAUNCH_FILL)
		return "fill";
	if (step->flags & GMEM_LAUNCH_FILE)
		return "file";
	return step->bytes ? "bytes" : "-";
}

static const char *const vm_names[] = {
	[GMEM_VM_SEV] = "sev",
	[GMEM_VM_SEV_ES] = "sev-es",
	[GMEM_VM_SNP] = "snp",
	[GMEM_VM_TDX] = "tdx",
};

static void format_step(char *text, size_t size, const struct gmem_launch_step *step)
{
	snprintf(text, size, "0x%012llx 0x%08llx %-10s %-8s %-5s %s", (unsigned long long)step->gpa,
		 (unsigned long long)step->size, gmem_launch_page_name(step->type),
		 step->flags & GMEM_LAUNCH_MEASURED ? "measured" : "-", source_name(step),
		 step->label ? step->label : "-");
}

GMEM_API int gmem_plan_print(const struct gmem_plan *plan,
			     int (*line)(void *user, const char *text), void *user)
{
	char text[192];
	int ret;

	if (!plan || !line)
		return -EINVAL;
	snprintf(text, sizeof(text), "%s: %zu steps, %llu bytes of memory, %llu measured, %u vCPUs",
		 vm_names[plan->vm_type], plan->count, (unsigned long long)plan->memory_size,
		 (unsigned long long)plan->measured_size, plan->vcpus);
	ret = line(user, text);
	for (size_t i = 0; !ret && i < plan->count; i++) {
		format_step(text, sizeof(text), &plan->steps[i]);
		ret = line(user, text);
	}
	return ret;
}
