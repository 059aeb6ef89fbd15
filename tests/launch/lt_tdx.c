/* SPDX-License-Identifier: MIT */
/* TDs that are launched from plans, on the simulated module. */
#include "lt_tdx.h"

static const struct gmem_tdx_cpuid cpuid[] = {
	{.function = 1, .ecx = 1u << 21},
	{.function = 0x80000008, .eax = 48 << 16},
};

static const struct gmem_tdx_cpuid_opts cpuid_opts = {
	.sz = sizeof(cpuid_opts),
	.entries = cpuid,
	.count = GT_COUNT(cpuid),
};

const struct gmem_tdx_init_opts td_init_opts = {
	.sz = sizeof(td_init_opts),
	.attributes = GMEM_TDX_ATTR_SEPT_VE_DISABLE,
	.xfam = 3,
	.mrconfigid = {1, 2},
	.mrowner = {3, 4},
	.mrownerconfig = {5, 6},
	.cpuid = &cpuid_opts,
};

bool td_is_in_place(const struct td *td)
{
	return gmem_has_feature(td->ctx, GMEM_VM_TDX, GMEM_FEATURE_CONVERT_INPLACE) == 1;
}

/* Each step in a slot of its own, one behind the other in the file. */
static void bind_steps(struct td *td)
{
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(td->plan, &count);
	GMEM_INIT(gmem_file_opts, file);
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;
	uint64_t size = 0;

	if (td_is_in_place(td))
		file.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	for (size_t i = 0; i < count; i++)
		size += steps[i].size;
	if (!size)
		return;
	MUST(gmem_file_create(td->vm, size, &file, &td->file) == 0);
	opts.file = td->file;
	for (size_t i = 0; i < count; i++) {
		MUST(gmem_slot_bind(td->vm, steps[i].gpa, steps[i].size, &opts, &slot) == 0);
		opts.offset += steps[i].size;
	}
}

struct td td_open(const struct gt *t, struct gmem_plan *plan)
{
	struct td td = {.t = t, .plan = plan};
	GMEM_INIT(gmem_ctx_opts, opts);

	opts.sys = t->ops;
	opts.sys_user = t->user;
	MUST(gmem_ctx_create(&opts, &td.ctx) == 0);
	if (gmem_has_vm_type(td.ctx, GMEM_VM_TDX) != 1) {
		gmem_ctx_unref(td.ctx);
		gmem_plan_destroy(plan);
		gt_skip("VMs of type tdx are not offered");
	}
	MUST(gmem_vm_create(td.ctx, GMEM_VM_TDX, NULL, &td.vm) == 0);
	bind_steps(&td);
	MUST(gmem_tdx_create(td.vm, NULL, &td.tdx) == 0);
	return td;
}

void td_close(struct td *td)
{
	gmem_tdx_unref(td->tdx);
	EXPECT("unbind", gmem_vm_unbind_all(td->vm), 0);
	gmem_file_unref(td->file);
	gmem_vm_unref(td->vm);
	gmem_ctx_unref(td->ctx);
	gmem_plan_destroy(td->plan);
}

int td_launch(struct td *td, const struct gmem_tdx_add_opts *add)
{
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(td->plan, &count);
	GMEM_INIT(gmem_tdx_launch_opts, opts);

	opts.vcpus = 2;
	opts.init = &td_init_opts;
	opts.add = add;
	return gmem_tdx_launch(td->tdx, steps, count, &opts);
}

struct gmem_sim_td_info td_module(const struct td *td)
{
	GMEM_INIT(gmem_sim_td_info, info);

	MUST(gmem_sim_td_get_info(td->t->sim, gmem_vm_fd(td->vm), &info) == 0);
	return info;
}
