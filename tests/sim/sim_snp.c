/* SPDX-License-Identifier: MIT */
/* The digest that the simulated firmware makes of a launch is the one that the plan promises. */
#include <libgmem/measure.h>
#include <libgmem/sim.h>
#include <unistd.h>

#include "gt_snp.h"
#include "sim_regs.h"
#include "snp_launch.h"

/* A launch on the simulator, with what its steps bind. */
struct run {
	struct gt_sev sev;
	uint64_t size; /* of all steps but the VMSAs */
	int file;
	void *page; /* a source without contents */
};

#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

static bool is_memory(const struct gmem_launch_step *step)
{
	return step->type != GMEM_LAUNCH_VMSA;
}

static uint64_t memory_size(const struct gmem_launch_step *steps, size_t count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += is_memory(&steps[i]) ? steps[i].size : 0;
	return size;
}

/* Every step gets a slot of its own, one behind the other in the file. */
static void bind_steps(struct run *run, const struct gmem_launch_step *steps, size_t count)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_memory(&steps[i]))
			continue;
		MUST(gt_bind(run->sev.t, run->sev.vm, (uint32_t)i, steps[i].gpa, steps[i].size,
			     NULL, run->file, offset) == 0);
		MUST(gt_set_attributes(run->sev.t, run->sev.vm, steps[i].gpa, steps[i].size,
				       GT_PRIVATE) == 0);
		offset += steps[i].size;
	}
}

static int load_step(struct run *run, const struct gmem_launch_step *step)
{
	int ret = 0;

	if (step->type == GMEM_LAUNCH_VMSA)
		return 0;
	if (step->bytes)
		return gt_snp_load(&run->sev, step->gpa, step->bytes, step->size,
				   (uint8_t)step->type);
	for (uint64_t at = 0; !ret && at < step->size; at += GT_PAGE)
		ret = gt_snp_load(&run->sev, step->gpa + at, run->page, GT_PAGE,
				  (uint8_t)step->type);
	return ret;
}

/* The VMSA says where the vCPU starts: CS base and RIP. */
static uint64_t entry_of(const struct gmem_launch_step *step)
{
	const uint8_t *vmsa = step->bytes;
	uint64_t base, rip;

	memcpy(&base, vmsa + 0x18, sizeof(base));
	memcpy(&rip, vmsa + 0x178, sizeof(rip));
	return base + rip;
}

static void add_vcpus(struct run *run, const struct gmem_launch_step *steps, size_t count,
		      uint32_t signature)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_memory(&steps[i]))
			MUST(gt_sev_add_vcpu(&run->sev, signature, entry_of(&steps[i])) >= 0);
	}
}

static void run_open(const struct gt *t, uint32_t type, uint64_t features, struct run *ret_run)
{
	*ret_run = (struct run){.page = gt_anonymous(t, GT_PAGE)};
	gt_sev_open(t, type, &ret_run->sev);
	MUST(gt_sev_init2(&ret_run->sev, features) == 0);
}

static void run_close(struct run *run)
{
	if (run->file > 0)
		gt_close(run->sev.t, run->file);
	gt_unmap(run->sev.t, run->page, GT_PAGE);
	gt_sev_close(&run->sev);
}

static struct gmem_sim_report report_of(const struct run *run)
{
	struct gmem_sim_report report = {.sz = sizeof(report)};

	MUST(gmem_sim_get_report(run->sev.t->sim, run->sev.vm, NULL, &report) == 0);
	return report;
}

/* Launches the plan's steps and gives the digest. */
static struct gmem_sim_report launch_snp(struct gt *t, const struct gmem_plan *plan,
					 const struct gmem_ovmf_opts *opts)
{
	struct gmem_sim_report report;
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);
	struct run run;

	run_open(t, GMI_KVM_X86_SNP_VM, opts->sev_features & ~GMI_SEV_FEATURE_SNP_ACTIVE, &run);
	MUST(gt_snp_start(&run.sev, GT_SNP_POLICY) == 0);
	run.size = memory_size(steps, count);
	run.file = gt_create_gmem(t, run.sev.vm, run.size, 0);
	MUST(run.file >= 0);
	bind_steps(&run, steps, count);
	for (size_t i = 0; i < count; i++)
		SAME(steps[i].label, load_step(&run, &steps[i]), 0);
	add_vcpus(&run, steps, count, opts->vcpu_sig);
	SAME("finish", gt_snp_finish(&run.sev), 0);
	report = report_of(&run);
	run_close(&run);
	return report;
}

/* SEV and SEV-ES: data of any size from the host's memory, and the vCPUs behind it. */
static struct gmem_sim_report launch_sev(struct gt *t, const struct gmem_plan *plan,
					 const struct gmem_ovmf_opts *opts)
{
	struct gmi_kvm_sev_launch_start start = {.policy = 5};
	uint8_t blob[48];
	struct gmi_kvm_sev_launch_measure measure = {.uaddr = (uintptr_t)blob, .len = sizeof(blob)};
	struct gmem_sim_report report;
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);
	struct run run;

	run_open(t, opts->vm_type, opts->sev_features, &run);
	SAME("start", gt_sev_op(&run.sev, GMI_KVM_SEV_LAUNCH_START, &start), 0);
	for (size_t i = 0; i < count; i++) {
		struct gmi_kvm_sev_launch_update_data data = {
			.uaddr = (uintptr_t)steps[i].bytes,
			.len = (uint32_t)steps[i].size,
		};

		if (is_memory(&steps[i]))
			SAME("data", gt_sev_op(&run.sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &data), 0);
	}
	add_vcpus(&run, steps, count, opts->vcpu_sig);
	if (opts->vm_type == GMEM_VM_SEV_ES)
		SAME("vCPUs", gt_sev_op(&run.sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL), 0);
	SAME("measure", gt_sev_op(&run.sev, GMI_KVM_SEV_LAUNCH_MEASURE, &measure), 0);
	SAME("finish", gt_sev_op(&run.sev, GMI_KVM_SEV_LAUNCH_FINISH, NULL), 0);
	report = report_of(&run);
	run_close(&run);
	return report;
}

/* Registers as QEMU leaves them after a reset; the rows of SEV and SEV-ES name no VMM. */
static bool is_launchable(const struct vector_table *table, size_t row)
{
	const char *vmm = vector_cell(table, row, "vmm");
	const char *ovmf = vector_cell(table, row, "ovmf");

	return (!vmm || !strcmp(vmm, "qemu")) && strncmp(ovmf, "debian:", 7) != 0 &&
	       !vector_cell(table, row, "svsm") && !vector_cell(table, row, "ovmf_hash_seed");
}

static bool can_have(const struct gmem_ovmf_opts *opts)
{
	return !(opts->sev_features &
		 ~(1 | GMI_SEV_FEATURE_DEBUG_SWAP | GMI_SEV_FEATURE_SECURE_TSC));
}

static bool check_row(struct gt *t, const struct vector_table *table, size_t row, const char *dir)
{
	struct launch launch = launch_read(table, row, dir);
	const char *id = vector_cell(table, row, "id");
	struct gmem_sim_report report;
	struct gmem_digest digest = {0};
	struct gmem_plan *plan;
	bool can = can_have(&launch.opts);

	if (can) {
		MUST(gmem_plan_from_ovmf(&launch.opts, &plan, NULL) == 0);
		MUST(gmem_measure_plan(plan, NULL, &digest, NULL) == 0);
		report = launch.opts.vm_type == GMEM_VM_SNP ? launch_snp(t, plan, &launch.opts)
							    : launch_sev(t, plan, &launch.opts);
		SAME(id, report.digest_size, digest.size);
		expect_digest(id, report.digest, report.digest_size,
			      vector_cell(table, row, "expected"));
		SAME(id, memcmp(report.digest, digest.bytes, digest.size), 0);
		gmem_plan_destroy(plan);
	}
	launch_free(&launch);
	return can;
}

static void vectors(struct gt *t)
{
	struct vector_table table;
	char dir[512];
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "launch.tsv");
	snprintf(dir, sizeof(dir), "%s/snp-own/images", vector_dir());
	for (size_t i = 0; i < table.count; i++) {
		if (is_launchable(&table, i))
			done += check_row(t, &table, i, dir);
	}
	printf("  %lld launches\n", (long long)done);
	SAME("launches", done > 60, true);
	vector_table_free(&table);
}

/* Where a save area has what; the registers are given values of their own below. */
static void expect_vmsa(uint8_t *vmsa)
{
	static const struct {
		uint16_t at, size;
		uint64_t value;
	} fields[] = {
		{0x12, 2, 0xa9b}, /* CS: G, L, code */
		{0x14, 4, 0xffffffff}, {0x18, 8, 0x1000},
		{0x10, 2, 8},          {0x20, 2, 16},
		{0x22, 2, 0xcf3},      {0x24, 4, 0xffffffff}, /* SS: DPL 3 */
		{0x02, 2, 0x93},       {0x04, 4, 0xffff}, /* ES and the others as after a reset */
		{0x32, 2, 0x93},       {0x34, 4, 0xffff},
		{0x42, 2, 0x93},       {0x44, 4, 0xffff},
		{0x52, 2, 0x93},       {0x54, 4, 0xffff},
		{0x64, 4, 0x7f},       {0x68, 8, 0x2000},
		{0x72, 2, 0x82},       {0x74, 4, 0xffff},
		{0x84, 4, 0xffff},     {0x92, 2, 0x8b},
		{0x94, 4, 0xffff},     {0xcb, 1, 3},
		{0xd0, 8, 0x1500},     {0x148, 8, 0x60},
		{0x150, 8, 0x3000},    {0x158, 8, 0x80000011},
		{0x160, 8, 0x400},     {0x168, 8, 0xffff0ff0},
		{0x170, 8, 0x202},     {0x178, 8, 0x1010},
		{0x1d8, 8, 0x1006},    {0x1f8, 8, 0x1000},
		{0x200, 8, 0x51},      {0x208, 8, 0x52},
		{0x238, 8, 0x58},      {0x268, 8, 0x0007040600070406},
		{0x308, 8, 0x1002},    {0x310, 8, 0x1003},
		{0x318, 8, 0x1001},    {0x328, 8, 0x1007},
		{0x330, 8, 0x1004},    {0x338, 8, 0x1005},
		{0x340, 8, 0x1008},    {0x348, 8, 0x1009},
		{0x350, 8, 0x100a},    {0x358, 8, 0x100b},
		{0x360, 8, 0x100c},    {0x368, 8, 0x100d},
		{0x370, 8, 0x100e},    {0x378, 8, 0x100f},
		{0x3b0, 8, 1},         {0x3e8, 8, 7},
		{0x408, 4, 0x1f81},    {0x410, 2, 0x37e},
		{0x428, 8, 0x7777},    {0x462, 2, 0x99},
		{0x480, 8, 0x1234},    {0x590, 8, 0x5678},
	};

	memset(vmsa, 0, GT_PAGE);
	for (size_t i = 0; i < GT_COUNT(fields); i++)
		memcpy(vmsa + fields[i].at, &fields[i].value, fields[i].size);
}

static void set_sregs(const struct gt *t, int vcpu)
{
	uint8_t bytes[320];
	struct sim_sregs *sregs = (void *)bytes;

	MUST(gt_ioctl(t, vcpu, GMI_KVM_GET_SREGS2, bytes) == 0);
	sregs->cs = (struct sim_segment){.base = 0x1000,
					 .limit = 0xffffffff,
					 .selector = 8,
					 .type = 11,
					 .present = 1,
					 .s = 1,
					 .l = 1,
					 .g = 1};
	sregs->ss = (struct sim_segment){.limit = 0xffffffff,
					 .selector = 16,
					 .type = 3,
					 .present = 1,
					 .dpl = 3,
					 .db = 1,
					 .s = 1,
					 .g = 1};
	sregs->gdt = (struct sim_table){.base = 0x2000, .limit = 0x7f};
	sregs->cr0 = 0xe0000011;
	sregs->cr3 = 0x3000;
	sregs->cr4 = 0x20;
	sregs->efer = 0x500;
	MUST(gt_ioctl(t, vcpu, GMI_KVM_SET_SREGS2, bytes) == 0);
}

static void set_fpu(const struct gt *t, int vcpu)
{
	uint8_t bytes[4096] = {0};
	struct sim_xsave *xsave = (void *)bytes;
	uint16_t tail = 0x99;

	xsave->features = 7;
	xsave->fcw = 0x37e;
	xsave->mxcsr = 0x1f81;
	memcpy(xsave->st[1], &(uint64_t){0x7777}, 8);
	memcpy(xsave->st[1] + 8, &tail, 2);
	memcpy(xsave->xmm[1], &(uint64_t){0x1234}, 8);
	memcpy(xsave->ymm[2], &(uint64_t){0x5678}, 8);
	MUST(gt_ioctl(t, vcpu, GMI_KVM_SET_XSAVE, bytes) == 0);
}

/* struct kvm_msrs with three entries, the last of which KVM does not have. */
static void set_msrs(const struct gt *t, int vcpu)
{
	struct {
		uint32_t count, padding;
		struct {
			uint32_t index, reserved;
			uint64_t value;
		} entry[4];
	} msrs = {
		4, 0, {{0xc0000081, 0, 0x51}, {0xc0000082, 0, 0x52}, {0x176, 0, 0x58}, {1, 0, 0}}};

	SAME("as many as there are", gt_ioctl(t, vcpu, 0x4008ae89, &msrs), 3);
	msrs.entry[0].value = 0;
	SAME("as many as there are", gt_ioctl(t, vcpu, 0xc008ae88, &msrs), 3);
	SAME("what was set", msrs.entry[0].value, 0x51);
}

static void set_registers(const struct gt *t, int vcpu)
{
	uint64_t regs[18];
	struct sim_xcrs xcrs = {.count = 1, .xcr = {{.value = 7}}};

	for (uint64_t i = 0; i < GT_COUNT(regs); i++)
		regs[i] = 0x1000 + i;
	regs[17] = 0x202;
	MUST(gt_ioctl(t, vcpu, GMI_KVM_SET_REGS, regs) == 0);
	MUST(gt_ioctl(t, vcpu, GMI_KVM_SET_XCRS, &xcrs) == 0);
	set_sregs(t, vcpu);
	set_fpu(t, vcpu);
	set_msrs(t, vcpu);
}

/* Each register at its place in the save area: the plan has the page, the vCPU the registers. */
static void registers(struct gt *t)
{
	uint8_t *vmsa = gt_anonymous(t, GT_PAGE);
	const struct gmem_launch_step step = {
		.gpa = GMEM_LAUNCH_VMSA_GPA,
		.size = GT_PAGE,
		.type = GMEM_LAUNCH_VMSA,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = vmsa,
	};
	struct gmem_digest digest = {0};
	struct gmem_plan *plan;
	struct run run;
	int vcpu;

	expect_vmsa(vmsa);
	MUST(gmem_plan_create(GMEM_VM_SNP, &plan) == 0);
	MUST(gmem_plan_add(plan, &step, NULL) == 0);
	MUST(gmem_measure_plan(plan, NULL, &digest, NULL) == 0);
	run_open(t, GMI_KVM_X86_SNP_VM, 0, &run);
	MUST(gt_snp_start(&run.sev, GT_SNP_POLICY) == 0);
	vcpu = gt_sev_add_vcpu(&run.sev, 0, 0);
	MUST(vcpu >= 0);
	set_registers(t, vcpu);
	SAME("finish", gt_snp_finish(&run.sev), 0);
	SAME("digest", memcmp(report_of(&run).digest, digest.bytes, digest.size), 0);
	run_close(&run);
	gmem_plan_destroy(plan);
	gt_unmap(t, vmsa, GT_PAGE);
}

static const struct gt_test tests[] = {
	GT_TEST(vectors),
	GT_TEST(registers),
};

GT_MAIN(tests)
