/* SPDX-License-Identifier: MIT */
/* Turns a TDVF image into a launch plan for TDX. */
#include <errno.h>

#include "plan.h"
#include "range.h"
#include "tdvf.h"

#define IMAGE_SIZE_MAX (UINT64_C(2) << 30)

/* The most that all sections without data, which the launch writes, may have. */
#define FILL_SIZE_MAX (UINT64_C(64) << 20)

struct tdvf_job {
	struct gmem_tdvf_opts opts;
	struct gmem_plan *plan;
	struct gmem_measure_error *error;
	struct gmi_tdvf tdvf;
	uint64_t data_size; /* of all sections so far */
	uint64_t fill_size;
	uint32_t seen[GMI_TDVF_TYPE_COUNT];
};

static int no_memory(const struct tdvf_job *job)
{
	return gmi_fail(job->error, ENOMEM, GMI_NO_OFFSET, "no memory");
}

static int append(struct tdvf_job *job, const struct gmi_tdvf_section *section, uint32_t type,
		  uint32_t flags, const void *bytes)
{
	struct gmem_launch_step step = {
		.gpa = section->gpa,
		.size = section->size,
		.type = type,
		.flags = flags,
		.bytes = bytes,
		.label = gmi_tdvf_type_name(section->type),
	};

	return gmi_plan_append(job->plan, &step, job->error);
}

/* Memory that the launch writes: the HOB, and payloads that are not in the image. */
static int append_fill(struct tdvf_job *job, const struct gmi_tdvf_section *section, uint32_t type)
{
	const void *pages;

	if (section->size > FILL_SIZE_MAX - job->fill_size)
		return gmi_fail(job->error, EBADMSG, section->offset,
				"TDX metadata: %s section makes more than 64 MiB to fill",
				gmi_tdvf_type_name(section->type));
	job->fill_size += section->size;
	pages = gmi_plan_alloc(job->plan, section->size);
	return pages ? append(job, section, type, GMEM_LAUNCH_FILL, pages) : no_memory(job);
}

/* Data in full pages, then zeroes up to the section's size. */
static int append_data(struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	bool measured = section->attributes & GMI_TDVF_MR_EXTEND;
	struct gmi_tdvf_section data = *section, rest = *section;
	const void *bytes;
	int ret;

	if (section->data.size > job->opts.image_size - job->data_size)
		return gmi_fail(job->error, EBADMSG, section->offset,
				"TDX metadata: the sections have more data than the image");
	job->data_size += section->data.size;
	bytes = gmi_plan_own(job->plan, section->data.data, section->data.size);
	if (!bytes)
		return no_memory(job);
	gmi_align_up(section->data.size, GMEM_PAGE_SIZE, &data.size);
	ret = append(job, &data, measured ? GMEM_LAUNCH_NORMAL : GMEM_LAUNCH_UNMEASURED,
		     measured ? GMEM_LAUNCH_MEASURED : 0, bytes);
	if (ret || data.size == section->size)
		return ret;
	rest.gpa += data.size;
	rest.size -= data.size;
	return append(job, &rest, GMEM_LAUNCH_ZERO, 0, NULL);
}

static int append_zero(struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	bool measured = section->attributes & GMI_TDVF_MR_EXTEND;

	return append(job, section, GMEM_LAUNCH_ZERO, measured ? GMEM_LAUNCH_MEASURED : 0, NULL);
}

static bool is_left_to_guest(const struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	if (section->type == GMI_TDVF_PERM_MEM)
		return true;
	return section->attributes & GMI_TDVF_PAGE_AUG && !(job->opts.flags & GMEM_TDVF_ADD_AUG);
}

static int append_section(struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	if (is_left_to_guest(job, section))
		return append(job, section, GMEM_LAUNCH_AUG, 0, NULL);
	if (section->data.size)
		return append_data(job, section);
	switch (section->type) {
	case GMI_TDVF_TD_HOB:
		return append_fill(job, section, GMEM_LAUNCH_TD_HOB);
	case GMI_TDVF_PAYLOAD:
		if (section->attributes & GMI_TDVF_MR_EXTEND)
			return gmi_fail(job->error, EBADMSG, section->offset,
					"TDX metadata: measured Payload section without data");
		return append_fill(job, section, GMEM_LAUNCH_UNMEASURED);
	case GMI_TDVF_PAYLOAD_PARAM:
		return append_fill(job, section, GMEM_LAUNCH_UNMEASURED);
	}
	return append_zero(job, section);
}

/* True where the data of @section is inside that of a BFV. */
static bool is_in_bfv(const struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	struct gmi_tdvf_section other;

	for (uint32_t i = 0; i < job->tdvf.count; i++) {
		if (gmi_tdvf_get_section(&job->tdvf, i, &other, NULL) ||
		    other.type != GMI_TDVF_BFV || section->data.start < other.data.start)
			continue;
		if (gmi_range_is_within(section->data.start - other.data.start, section->data.size,
					other.data.size))
			return true;
	}
	return false;
}

static int take_section(struct tdvf_job *job, const struct gmi_tdvf_section *section)
{
	job->seen[section->type]++;
	if (section->type == GMI_TDVF_TD_INFO || section->type == GMI_TDVF_TD_PARAMS) {
		if (job->seen[section->type] == 1 && is_in_bfv(job, section))
			return 0;
		return gmi_fail(job->error, EBADMSG, section->offset,
				"TDX metadata: %s section twice or outside a BFV",
				gmi_tdvf_type_name(section->type));
	}
	if (section->type == GMI_TDVF_TD_HOB && job->seen[section->type] > 1)
		return gmi_fail(job->error, EBADMSG, section->offset,
				"TDX metadata: a second TD_HOB section");
	return append_section(job, section);
}

static int check_complete(const struct tdvf_job *job)
{
	if (!job->seen[GMI_TDVF_BFV])
		return gmi_fail(job->error, ENOENT, GMI_NO_OFFSET, "TDX metadata: no BFV section");
	if (!job->seen[GMI_TDVF_TD_HOB] && !job->seen[GMI_TDVF_PERM_MEM])
		return gmi_fail(job->error, ENOENT, GMI_NO_OFFSET,
				"TDX metadata: no TD_HOB section");
	return 0;
}

static int build(struct tdvf_job *job)
{
	struct gmi_bytes image = {.data = job->opts.image, .size = job->opts.image_size};
	struct gmi_tdvf_section section;
	int ret = gmi_tdvf_open(image, &job->tdvf, job->error);

	for (uint32_t i = 0; !ret && i < job->tdvf.count; i++) {
		ret = gmi_tdvf_get_section(&job->tdvf, i, &section, job->error);
		if (!ret)
			ret = take_section(job, &section);
	}
	if (!ret)
		ret = gmi_plan_finish(job->plan, job->error);
	return ret ? ret : check_complete(job);
}

static int check_opts(const struct tdvf_job *job)
{
	if (!job->opts.image || !job->opts.image_size)
		return gmi_invalid(job->error, "the firmware image is empty");
	if (job->opts.image_size > IMAGE_SIZE_MAX)
		return gmi_invalid(job->error, "the firmware image has more than 2 GiB");
	if (job->opts.flags & ~GMEM_TDVF_ADD_AUG || job->opts.reserved)
		return gmi_invalid(job->error, "flags 0x%x are not known", job->opts.flags);
	return 0;
}

GMEM_API int gmem_plan_from_tdvf(const struct gmem_tdvf_opts *opts, struct gmem_plan **ret_plan,
				 struct gmem_measure_error *error)
{
	struct tdvf_job job = {.error = error};
	int ret = gmi_opts_read(opts, &job.opts, sizeof(job.opts), error);

	if (!ret)
		ret = check_opts(&job);
	if (ret)
		return ret;
	if (gmem_plan_create(GMEM_VM_TDX, &job.plan))
		return no_memory(&job);
	job.plan->merge = GMI_MERGE_NONE;
	ret = build(&job);
	if (ret)
		gmem_plan_destroy(job.plan);
	else
		*ret_plan = job.plan;
	return ret;
}
