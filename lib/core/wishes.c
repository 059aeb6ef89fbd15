/* SPDX-License-Identifier: MIT */
/* Conversions that wait for their guest addresses to be bound. */
#include "wishes.h"

#include "errinfo.h"

static int grant_run(struct gmi_wishes *wishes, uint64_t gpa, uint64_t size)
{
	struct gmi_attrs *attrs = &wishes->slot->vm->attrs;
	struct gmi_part part = {.slot = wishes->slot};
	struct gmi_attrmap_run run;
	uint64_t done;
	int ret = 0;

	for (uint64_t at = gpa; !ret && gmi_attrmap_next_run(attrs->map, at, gpa + size, &run) > 0;
	     at += run.size) {
		part.gpa = run.start;
		part.size = run.size;
		ret = gmi_job_part(&wishes->job, &part, run.state, &done);
	}
	return ret;
}

int gmi_wishes_grant(struct gmi_wishes *wishes)
{
	struct gmem_slot *slot = wishes->slot;
	struct gmi_attrmap *wished = slot->vm->attrs.wished;
	uint64_t end = slot->gpa.start + slot->gpa.size;
	struct gmi_attrmap_run run;
	int ret = 0;

	wishes->job = (struct gmi_job){
		.vm = slot->vm, .opts = &wishes->opts, .keep = true, .is_binding = true};
	if (!wished || !slot->file)
		return 0;
	for (uint64_t at = slot->gpa.start; !ret && gmi_attrmap_next_run(wished, at, end, &run) > 0;
	     at += run.size)
		if (run.state == GMEM_PRIVATE)
			ret = grant_run(wishes, run.start, run.size);
	if (ret)
		gmi_wishes_undo(wishes);
	return ret;
}

void gmi_wishes_undo(struct gmi_wishes *wishes)
{
	struct gmem_errinfo record = *gmem_errinfo();

	if (!gmi_job_roll_back(&wishes->job))
		gmi_errinfo_restore(&record);
}

void gmi_wishes_keep(struct gmi_wishes *wishes)
{
	gmi_job_commit(&wishes->job);
	if (wishes->slot->file)
		gmi_attr_forget_wishes(wishes->slot->vm, wishes->slot->gpa.start,
				       wishes->slot->gpa.size);
}
