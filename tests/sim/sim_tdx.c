/* SPDX-License-Identifier: MIT */
/* The TDX module's model: its MRTD is the one that the plan promises; what guests and tests can do. */
#include <libgmem/measure.h>
#include <libgmem/sim.h>

#include "gt_tdx.h"
#include "vectors.h"

#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

#define SHARED_BIT (UINT64_C(1) << 47)

static struct gmem_sim_td_info info_of(const struct gt_td *td)
{
	struct gmem_sim_td_info info = {.sz = sizeof(info)};

	MUST(gmem_sim_td_get_info(td->t->sim, td->vm, &info) == 0);
	return info;
}

/* A slot of its own for each step, one behind the other in a second file. */
static int bind_steps(struct gt_td *td, const struct gmem_launch_step *steps, size_t count)
{
	uint64_t size = 0, offset = 0;
	int file;

	for (size_t i = 0; i < count; i++)
		size += steps[i].size;
	file = gt_create_gmem(td->t, td->vm, size, 0);
	MUST(file >= 0);
	MUST(gt_delete_slot(td->t, td->vm, 0) == 0);
	for (size_t i = 0; i < count; i++) {
		MUST(gt_bind(td->t, td->vm, (uint32_t)i, steps[i].gpa, steps[i].size, NULL, file,
			     offset) == 0);
		MUST(gt_set_attributes(td->t, td->vm, steps[i].gpa, steps[i].size, GT_PRIVATE) ==
		     0);
		offset += steps[i].size;
	}
	return file;
}

static void add_step(struct gt_td *td, const struct gmem_launch_step *step)
{
	uint32_t flags = step->flags & GMEM_LAUNCH_MEASURED ? GMI_KVM_TDX_MEASURE_MEMORY_REGION : 0;

	if (step->type == GMEM_LAUNCH_AUG)
		return;
	for (uint64_t at = 0; at < step->size; at += GT_PAGE) {
		struct gmi_kvm_tdx_init_mem_region region = {
			.source_addr = (uintptr_t)td->source,
			.gpa = step->gpa + at,
			.nr_pages = 1,
		};

		memset(td->source, 0, GT_PAGE);
		if (step->bytes)
			memcpy(td->source, (const uint8_t *)step->bytes + at, GT_PAGE);
		SAME("tdx.md 3.5", gt_td_add(td, flags, &region), 0);
	}
}

static void launch_plan(struct gt *t, const char *name, const struct gmem_plan *plan)
{
	struct gmem_digest want = {0};
	const struct gmem_launch_step *steps;
	struct gmem_sim_td_info info;
	struct gt_td td;
	size_t count;
	int file;

	MUST(gmem_measure_plan(plan, NULL, &want, NULL) == 0);
	steps = gmem_plan_steps(plan, &count);
	gt_td_open(t, &td);
	file = bind_steps(&td, steps, count);
	gt_td_launch(&td, 0x809000);
	for (size_t i = 0; i < count; i++)
		add_step(&td, &steps[i]);
	SAME(name, gt_td_finalize(&td), 0);
	info = info_of(&td);
	SAME(name, info.state, GMEM_SIM_TD_RUNNABLE);
	expect_digest(name, info.mrtd, sizeof(info.mrtd), vector_hex(want.bytes, want.size));
	gt_close(t, file);
	gt_td_close(&td);
}

static void launch_image(struct gt *t, const char *dir, const char *name, const char *path)
{
	struct gmem_tdvf_opts opts = {.sz = sizeof(opts)};
	struct vector_file file;
	struct gmem_plan *plan;

	MUST(vector_file_read(dir, path, &file));
	opts.image = file.data;
	opts.image_size = file.size;
	MUST(gmem_plan_from_tdvf(&opts, &plan, NULL) == 0);
	launch_plan(t, name, plan);
	gmem_plan_destroy(plan);
	vector_file_free(&file);
}

static void mrtd_is_as_measured(struct gt *t)
{
	struct vector_table table;
	char dir[512];
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/tdx", vector_dir());
	table = vector_table_read(dir, "images.tsv");
	for (size_t i = 0; i < table.count; i++) {
		const char *name = vector_cell(&table, i, "name");

		if (*name != 'i')
			continue;
		launch_image(t, dir, name, vector_cell(&table, i, "file"));
		done++;
	}
	SAME("tdx/images.tsv", done, 9);
	vector_table_free(&table);
}

static const struct gt_test tests[] = {
	{"mrtd_is_as_measured", mrtd_is_as_measured},
};

GT_MAIN(tests)
