/* SPDX-License-Identifier: MIT */
/* A VM with a file in one slot, and a scripted vCPU. */
#include "st.h"

void st_open(const struct gt *t, uint32_t type, uint64_t flags, struct st *ret_st)
{
	void *run;

	*ret_st = (struct st){.t = t, .kvm = gt_open_kvm(t)};
	MUST(ret_st->kvm >= 0);
	ret_st->vm = gt_create_vm(t, ret_st->kvm, type);
	MUST(ret_st->vm >= 0);
	ret_st->file = gt_create_gmem(t, ret_st->vm, ST_SIZE, flags);
	MUST(ret_st->file >= 0);
	ret_st->backing = gt_anonymous(t, ST_SIZE);
	MUST(gt_bind(t, ret_st->vm, 0, ST_GPA, ST_SIZE, ret_st->backing, ret_st->file, 0) == 0);
	ret_st->vcpu = gt_create_vcpu(t, ret_st->vm);
	MUST(ret_st->vcpu >= 0);
	MUST(gt_map(t, ret_st->vcpu, 0, GT_PAGE * 3, &run) == 0);
	ret_st->run = run;
}

void st_close(struct st *st)
{
	const struct gt *t = st->t;

	gt_unmap(t, st->run, GT_PAGE * 3);
	gt_unmap(t, st->backing, ST_SIZE);
	gt_close(t, st->vcpu);
	if (st->file >= 0)
		gt_close(t, st->file);
	gt_close(t, st->vm);
	gt_close(t, st->kvm);
}

void st_script(const struct st *st, const struct gmem_sim_action *actions, size_t count)
{
	MUST(gmem_sim_vcpu_script(st->t->sim, st->vcpu, actions, count) == 0);
}

int st_run(const struct st *st)
{
	return gt_ioctl(st->t, st->vcpu, GMI_KVM_RUN, NULL);
}

struct gmem_sim_vcpu_info st_info(const struct st *st)
{
	struct gmem_sim_vcpu_info info = {.sz = sizeof(info)};

	MUST(gmem_sim_vcpu_get_info(st->t->sim, st->vcpu, &info) == 0);
	return info;
}

struct gmem_sim_stats st_stats(const struct gt *t)
{
	struct gmem_sim_stats stats = {.sz = sizeof(stats)};

	MUST(gmem_sim_get_stats(t->sim, &stats) == 0);
	return stats;
}

int st_convert(const struct st *st, int file, uint64_t offset, uint64_t size, uint64_t attributes,
	       uint64_t *ret_error_offset)
{
	struct gmi_next_memory_attributes2 args = {
		.offset = offset,
		.size = size,
		.attributes = attributes,
		.error_offset = UINT64_MAX,
	};
	int ret = gt_ioctl(st->t, file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args);

	if (ret_error_offset)
		*ret_error_offset = args.error_offset;
	return ret;
}
