/* SPDX-License-Identifier: MIT */
/* Launches of SNP guests through libgmem: the memory, the vCPUs, what is expected. */
#include "lt.h"

#define LOW_END (UINT64_C(1) << 31) /* firmware lies above, all else below */

void lt_open(const struct gt *t, struct lt *lt)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	int kvm = gt_open_kvm(t);

	MUST(kvm >= 0);
	REQUIRE(gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES) & 1 << GMEM_VM_SNP,
		"VMs of type snp are not offered");
	gt_close(t, kvm);
	*lt = (struct lt){.t = t};
	MUST(gmem_shim_create(t->ops, t->user, &lt->shim) == 0);
	opts.sys = gmem_shim_ops();
	opts.sys_user = lt->shim;
	MUST(gmem_ctx_create(&opts, &lt->ctx) == 0);
	MUST(gmem_vm_create(lt->ctx, GMEM_VM_SNP, NULL, &lt->vm) == 0);
	lt->raw = (struct gt_sev){.t = t, .vm = gmem_vm_fd(lt->vm)};
	lt->bytes = gt_anonymous(t, LT_PAGES * GT_PAGE);
	for (size_t i = 0; i < LT_PAGES * GT_PAGE; i++)
		lt->bytes[i] = (uint8_t)(i / GT_PAGE + i);
}

void lt_close(struct lt *lt)
{
	for (size_t i = 0; i < lt->raw.vcpus; i++)
		gt_close(lt->t, lt->raw.vcpu[i]);
	lt->raw.vcpus = 0;
	gmem_snp_unref(lt->snp);
	for (size_t i = 0; i < GT_COUNT(lt->slots); i++)
		if (lt->slots[i])
			EXPECT("unbind", gmem_slot_unbind(lt->slots[i]), 0);
	gmem_file_unref(lt->file);
	gmem_vm_unref(lt->vm);
	gmem_ctx_unref(lt->ctx);
	gmem_plan_destroy(lt->plan);
	gt_unmap(lt->t, lt->bytes, LT_PAGES * GT_PAGE);
	gmem_shim_unref(lt->shim);
}

const struct gmem_launch_step *lt_steps(const struct lt *lt, size_t *ret_count)
{
	return gmem_plan_steps(lt->plan, ret_count);
}

static struct gmem_range range_of(const struct lt *lt, bool is_low)
{
	size_t count;
	const struct gmem_launch_step *steps = lt_steps(lt, &count);
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < count; i++) {
		if (steps[i].type == GMEM_LAUNCH_VMSA || (steps[i].gpa < LOW_END) != is_low)
			continue;
		start = steps[i].gpa < start ? steps[i].gpa : start;
		end = steps[i].gpa + steps[i].size > end ? steps[i].gpa + steps[i].size : end;
	}
	return (struct gmem_range){start, end > start ? end - start : 0};
}

void lt_bind(struct lt *lt)
{
	struct gmem_range low = range_of(lt, true), high = range_of(lt, false);
	GMEM_INIT(gmem_slot_opts, opts);

	MUST(gmem_file_create(lt->vm, low.size + high.size, NULL, &lt->file) == 0);
	opts.file = lt->file;
	if (low.size)
		MUST(gmem_slot_bind(lt->vm, low.start, low.size, &opts, &lt->slots[0]) == 0);
	opts.offset = low.size;
	if (high.size)
		MUST(gmem_slot_bind(lt->vm, high.start, high.size, &opts, &lt->slots[1]) == 0);
}

void lt_plan(struct lt *lt)
{
	MUST(gmem_plan_create(GMEM_VM_SNP, &lt->plan) == 0);
}

struct gmem_launch_step lt_step(struct lt *lt, uint64_t page, uint64_t pages, uint32_t type)
{
	bool has_bytes = type == GMEM_LAUNCH_NORMAL || type == GMEM_LAUNCH_UNMEASURED;

	return (struct gmem_launch_step){
		.gpa = LT_GPA + page * GT_PAGE,
		.size = pages * GT_PAGE,
		.type = type,
		.flags = type == GMEM_LAUNCH_NORMAL ? GMEM_LAUNCH_MEASURED : 0,
		.bytes = has_bytes ? lt->bytes + page * GT_PAGE : NULL,
	};
}

void lt_add(struct lt *lt, uint64_t page, uint64_t pages, uint32_t type)
{
	struct gmem_launch_step step = lt_step(lt, page, pages, type);

	MUST(gmem_plan_add(lt->plan, &step, NULL) == 0);
}

void lt_start(struct lt *lt, const struct gmem_snp_opts *opts)
{
	MUST(gmem_snp_create(lt->vm, opts, &lt->snp) == 0);
	MUST(gmem_snp_init(lt->snp) == 0);
	MUST(gmem_snp_start(lt->snp) == 0);
}

static int make_vcpu(struct lt *lt, const struct gmem_launch_step *step)
{
	int vcpu = gt_sev_add_vcpu(&lt->raw, 0, 0);

	return vcpu < 0 ? vcpu : lt_set_registers(lt->t, vcpu, step->bytes);
}

int lt_make_vcpus(void *user, struct gmem_snp *snp)
{
	struct lt *lt = user;
	size_t count;
	const struct gmem_launch_step *steps = lt_steps(lt, &count);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < count; i++)
		if (steps[i].type == GMEM_LAUNCH_VMSA)
			ret = make_vcpu(lt, &steps[i]);
	return ret;
}

int lt_update(struct lt *lt, const struct gmem_snp_update_opts *opts, uint64_t *ret_done)
{
	size_t count;
	const struct gmem_launch_step *steps = lt_steps(lt, &count);

	return gmem_snp_update(lt->snp, steps, count, opts, ret_done);
}

size_t lt_commands(struct lt *lt)
{
	struct gmem_shim_call call;
	size_t commands = 0;

	for (uint64_t i = 0; i < gt_calls(lt->shim); i++) {
		MUST(gmem_shim_read(lt->shim, i, &call) == 0);
		commands += call.call == GMEM_CALL_IOCTL &&
			    (call.request == GMI_KVM_MEMORY_ENCRYPT_OP ||
			     call.request == GMI_KVM_SET_MEMORY_ATTRIBUTES);
	}
	return commands;
}

void lt_expect_digest(const char *row, struct lt *lt)
{
	GMEM_INIT(gmem_sim_report, report);
	struct gmem_digest digest = {0};

	MUST(gmem_measure_plan(lt->plan, NULL, &digest, NULL) == 0);
	EXPECT(row, gmem_sim_get_report(lt->t->sim, gmem_vm_fd(lt->vm), NULL, &report), 0);
	EXPECT(row, memcmp(report.digest, digest.bytes, sizeof(report.digest)), 0);
}

void lt_expect_failed(const char *row, int got, int want, const char *text)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	EXPECT_CASE(row, "code", got, want);
	EXPECT_CASE(row, "record: error", info->error, want);
	EXPECT_CASE(row, "record: op", info->op && !strncmp(info->op, "gmem_snp_", 9), true);
	if (!EXPECT_CASE(row, "record: text", strstr(info->message, text) != NULL, true))
		fprintf(stderr, "  it says: %s\n", info->message);
}

void lt_expect_refused(const char *row, struct lt *lt, int got, int want, const char *text)
{
	lt_expect_failed(row, got, want, text);
	EXPECT_CASE(row, "KVM saw nothing", (int64_t)lt_commands(lt), 0);
	gmem_shim_reset(lt->shim);
}
