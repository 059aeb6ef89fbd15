/* SPDX-License-Identifier: MIT */
/* The TDX module's model: its MRTD is what the plan promises; what guests and tests can do. */
#include <libgmem/measure.h>
#include <libgmem/sim.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gt_tdx.h"
#include "vectors.h"

#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

#define SHARED_BIT (UINT64_C(1) << 47)
#define MEASURE    GMI_KVM_TDX_MEASURE_MEMORY_REGION

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
		MUST(td->in_place || gt_set_attributes(td->t, td->vm, steps[i].gpa, steps[i].size,
						       GT_PRIVATE) == 0);
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

static struct gmi_kvm_tdx_init_mem_region region_at(const struct gt_td *td, uint64_t first,
						    uint64_t pages)
{
	return (struct gmi_kvm_tdx_init_mem_region){
		.source_addr = (uintptr_t)td->source + first * GT_PAGE,
		.gpa = GT_TD_GPA + first * GT_PAGE,
		.nr_pages = pages,
	};
}

static int add_pages(struct gt_td *td, uint64_t first, uint64_t pages)
{
	struct gmi_kvm_tdx_init_mem_region region = region_at(td, first, pages);

	return gt_td_add(td, MEASURE, &region);
}

static void refuse(const struct gt_td *td, enum gmem_sim_seamcall call, uint64_t skip,
		   uint64_t count, uint64_t status)
{
	MUST(gmem_sim_fail_seamcall(td->t->sim, call, skip, count, status) == 0);
}

/* Every later ioctl on the VM and its vCPU. */
static void expect_dead(const char *row, const struct gt_td *td)
{
	SAME(row, gt_cap(td->t, td->vm, GMI_KVM_CAP_MAX_VCPUS), -EIO);
	if (td->vcpu >= 0)
		SAME(row, gt_ioctl(td->t, td->vcpu, GMI_KVM_RUN, NULL), -EIO);
	SAME(row, info_of(td).state, GMEM_SIM_TD_DEAD);
}

/* What KVM makes of a status in KVM_TDX_INIT_VM. */
struct init_failure {
	const char *row;
	enum gmem_sim_seamcall call;
	uint64_t status;
	int ret;
	bool dies;
	bool tells; /* hw_error */
};

#define BROKEN UINT64_C(0xc000060000000000)

static const struct init_failure init_failures[] = {
	{"CREATE, no entropy", GMEM_SIM_TDH_MNG_CREATE, GMEM_SIM_TDX_NO_ENTROPY, -EAGAIN},
	{"CREATE, busy", GMEM_SIM_TDH_MNG_CREATE, GMEM_SIM_TDX_OPERAND_BUSY, -EIO, true},
	{"KEY.CONFIG", GMEM_SIM_TDH_MNG_KEY_CONFIG, BROKEN, -EIO, true},
	{"ADDCX, no entropy", GMEM_SIM_TDH_MNG_ADDCX, GMEM_SIM_TDX_NO_ENTROPY, -EAGAIN},
	{"ADDCX", GMEM_SIM_TDH_MNG_ADDCX, BROKEN, -EIO, true},
	{"INIT, operand", GMEM_SIM_TDH_MNG_INIT, GMEM_SIM_TDX_OPERAND_INVALID | 64, -EINVAL, false,
	 true},
	{"INIT", GMEM_SIM_TDH_MNG_INIT, BROKEN, -EIO, true},
};

static void expect_init_failure(struct gt *t, const struct init_failure *failure)
{
	union gt_td_init init;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	refuse(&td, failure->call, 0, 1, failure->status);
	SAME(failure->row, gt_td_init_vm(&td, &init), failure->ret);
	SAME(failure->row, td.hw_error == (failure->tells ? failure->status : 0), true);
	if (failure->dies)
		expect_dead(failure->row, &td);
	else
		SAME(failure->row, gt_td_init_vm(&td, &init), 0);
	gt_td_close(&td);
}

static void init_vm_failures(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(init_failures); i++)
		expect_init_failure(t, &init_failures[i]);
}

/* What the module itself looks at: hw_error names the operand, the VM lives. */
static void refused_operands(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	init.head.xfam = 1u << 5;
	SAME("part of AVX512", gt_td_init_vm(&td, &init), -EINVAL);
	SAME("XFAM", td.hw_error == (GMEM_SIM_TDX_OPERAND_INVALID | 65), true);
	gt_td_prepare(&init);
	init.head.cpuid.entries[0].eax |= 1;
	SAME("a bit that is not configurable", gt_td_init_vm(&td, &init), -EINVAL);
	SAME("CPUID_CONFIG", td.hw_error == (GMEM_SIM_TDX_OPERAND_INVALID | 69), true);
	gt_td_prepare(&init);
	MUST(gt_ioctl_number(t, td.vm, GMI_KVM_SET_TSC_KHZ, 99999) == 0);
	SAME("TSC of 75 MHz", gt_td_init_vm(&td, &init), -EINVAL);
	SAME("TSC_FREQUENCY", td.hw_error == (GMEM_SIM_TDX_OPERAND_INVALID | 70), true);
	MUST(gt_ioctl_number(t, td.vm, GMI_KVM_SET_TSC_KHZ, 1010000) == 0);
	memset(init.head.mrconfigid, 0x11, sizeof(init.head.mrconfigid));
	memset(init.head.mrowner, 0x22, sizeof(init.head.mrowner));
	memset(init.head.mrownerconfig, 0x33, sizeof(init.head.mrownerconfig));
	init.head.attributes = GMI_TDX_ATTR_SEPT_VE_DISABLE;
	init.head.xfam = 1u << 2;
	SAME("INIT_VM", gt_td_init_vm(&td, &init), 0);
	SAME("remainder dropped", info_of(&td).tsc_khz, 1000000);
	SAME("attributes", info_of(&td).attributes, GMI_TDX_ATTR_SEPT_VE_DISABLE);
	SAME("XFAM with what is always on", info_of(&td).xfam, 7);
	SAME("mrconfigid", memcmp(info_of(&td).mrconfigid, init.head.mrconfigid, 48), 0);
	SAME("mrowner", memcmp(info_of(&td).mrowner, init.head.mrowner, 48), 0);
	SAME("mrownerconfig", memcmp(info_of(&td).mrownerconfig, init.head.mrownerconfig, 48), 0);
	SAME("gpaw", info_of(&td).gpaw, 48);
	gt_td_close(&td);
}

static void set_host(struct gt *t, uint32_t key_ids, uint32_t limit, uint32_t flags)
{
	const struct gmem_sim_tdx_host host = {
		.sz = sizeof(host),
		.cpus = 2,
		.key_ids = key_ids,
		.cgroup_limit = limit,
		.flags = flags,
	};

	MUST(gmem_sim_set_tdx_host(t->sim, &host) == 0);
}

static void key_ids(struct gt *t)
{
	union gt_td_init init;
	struct gt_td first, second;

	set_host(t, 1, 0, 0);
	gt_td_open(t, &first);
	gt_td_open(t, &second);
	gt_td_prepare(&init);
	SAME("max vCPUs", gt_cap(t, first.vm, GMI_KVM_CAP_MAX_VCPUS), 2);
	SAME("the only key", gt_td_init_vm(&first, &init), 0);
	SAME("the only key", info_of(&first).key_id, 1);
	SAME("no key id", gt_td_init_vm(&second, &init), -ENOSPC);
	set_host(t, 2, 1, 0);
	SAME("misc cgroup", gt_td_init_vm(&second, &init), -EBUSY);
	set_host(t, 2, 0, GMEM_SIM_TDX_PACKAGE_OFFLINE);
	SAME("package offline", gt_td_init_vm(&second, &init), -EIO);
	SAME("the VM lives", info_of(&second).state, GMEM_SIM_TD_UNINITIALISED);
	set_host(t, 1, 0, 0);
	gt_td_close(&first);
	SAME("the key came back", gt_td_init_vm(&second, &init), 0);
	gt_td_close(&second);
}

/* 52 bits need EPT of five levels; then bit 51 is the shared bit. */
static void wide_addresses(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	union gt_td_init init;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	init.head.cpuid.entries[0].eax = GMI_TDX_GPAW_52 << 16;
	SAME("four levels", gt_td_init_vm(&td, &init), -EINVAL);
	set_host(t, 1, 0, GMEM_SIM_TDX_EPT5);
	SAME("five levels", gt_td_init_vm(&td, &init), 0);
	SAME("gpaw", info_of(&td).gpaw, 52);
	td.vcpu = gt_td_create_vcpu(&td, 0);
	MUST(td.vcpu >= 0);
	MUST(gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL) == 0);
	MUST(gt_delete_slot(t, td.vm, 0) == 0);
	MUST(gt_bind(t, td.vm, 0, SHARED_BIT, GT_PAGE, NULL, td.file, 0) == 0);
	MUST(td.in_place || gt_set_attributes(t, td.vm, SHARED_BIT, GT_PAGE, GT_PRIVATE) == 0);
	region = region_at(&td, 0, 1);
	region.gpa = SHARED_BIT;
	SAME("bit 47 is an address", gt_td_add(&td, 0, &region), 0);
	region = region_at(&td, 0, 1);
	region.gpa = UINT64_C(1) << 51;
	SAME("bit 51 is shared", gt_td_add(&td, 0, &region), -EINVAL);
	gt_td_close(&td);
}

static void init_vcpu_failures(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;

	for (unsigned int call = GMEM_SIM_TDH_VP_CREATE; call <= GMEM_SIM_TDH_VP_INIT; call++) {
		gt_td_open(t, &td);
		gt_td_prepare(&init);
		MUST(gt_td_init_vm(&td, &init) == 0);
		td.vcpu = gt_td_create_vcpu(&td, 0);
		MUST(td.vcpu >= 0);
		refuse(&td, call, 0, 1, BROKEN);
		SAME("INIT_VCPU", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL), -EIO);
		expect_dead("INIT_VCPU", &td);
		gt_td_close(&td);
	}
}

static void finalize_failures(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MR_FINALIZE, 0, 2, GMEM_SIM_TDX_OPERAND_BUSY | 5);
	SAME("busy", gt_td_finalize(&td), -EBUSY);
	SAME("busy", td.hw_error == (GMEM_SIM_TDX_OPERAND_BUSY | 5), true);
	SAME("busy", gt_td_finalize(&td), -EBUSY);
	SAME("again", gt_td_finalize(&td), 0);
	SAME("again", td.hw_error, 0);
	gt_td_close(&td);
	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MR_FINALIZE, 0, 1, BROKEN);
	SAME("fatal", gt_td_finalize(&td), -EIO);
	SAME("fatal", td.hw_error == BROKEN, true);
	expect_dead("fatal", &td);
	gt_td_close(&td);
}

static uint64_t rcx_of(const struct gt_td *td)
{
	uint64_t rcx = 0;

	MUST(gmem_sim_td_get_rcx(td->t->sim, td->vcpu, &rcx) == 0);
	return rcx;
}

/* Cut by signals and by hand, or in one call: the same measurement. */
static void interrupted(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gmem_sim_td_info whole;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	SAME("rcx", rcx_of(&td), 0x809000);
	SAME("whole", add_pages(&td, 0, 8), 0);
	whole = info_of(&td);
	SAME("whole", whole.added, 8 * GT_PAGE);
	gt_td_close(&td);

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	MUST(gmem_sim_interrupt_after(t->sim, 3) == 0);
	region = region_at(&td, 0, 8);
	SAME("after 3 pages", gt_td_add(&td, MEASURE, &region), -EINTR);
	SAME("after 3 pages", region.nr_pages, 5);
	SAME("after 3 pages", region.gpa, GT_TD_GPA + 3 * GT_PAGE);
	MUST(gmem_sim_interrupt(t->sim, td.vcpu) == 0);
	SAME("at once", gt_td_add(&td, MEASURE, &region), -EINTR);
	SAME("at once", region.nr_pages, 5);
	SAME("the rest", gt_td_add(&td, MEASURE, &region), 0);
	SAME("same measurement", memcmp(info_of(&td).mrtd, whole.mrtd, sizeof(whole.mrtd)), 0);
	gt_td_close(&td);
}

/* A busy module: 7.3 asks again by itself, until a signal comes. */
static void contention(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	REQUIRE(!td.is_old, "this kernel hands EBUSY on");
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 2, 100, GMEM_SIM_TDX_OPERAND_BUSY);
	SAME("asked again inside", add_pages(&td, 0, 4), 0);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 1, 1, BROKEN);
	region = region_at(&td, 4, 4);
	SAME("fatal", gt_td_add(&td, 0, &region), -EIO);
	SAME("one page done", region.nr_pages, 3);
	expect_dead("PAGE.ADD", &td);
	gt_td_close(&td);
}

/*
 * Up to 6.18: EBUSY; then the page counts as prepared and as mapped, and only a hole in the file
 * undoes that. Other failures leave the VM alive.
 */
static void contention_old(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	REQUIRE(td.is_old, "this kernel asks again by itself");
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 2, 1, GMEM_SIM_TDX_OPERAND_BUSY);
	region = region_at(&td, 0, 4);
	SAME("busy", gt_td_add(&td, 0, &region), -EBUSY);
	SAME("2 pages done", region.nr_pages, 2);
	SAME("again", gt_td_add(&td, 0, &region), -EEXIST);
	SAME("mapped and not added", gt_td_finalize(&td), -EINVAL);
	SAME("punch", gt_punch(t, td.file, 2 * GT_PAGE, GT_PAGE), 0);
	SAME("the rest", gt_td_add(&td, 0, &region), 0);
	SAME("the rest", region.nr_pages, 0);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 0, 1, BROKEN);
	SAME("refused", add_pages(&td, 4, 1), -EIO);
	SAME("the VM lives", info_of(&td).state, GMEM_SIM_TD_INITIALISED);
	SAME("punch", gt_punch(t, td.file, 4 * GT_PAGE, GT_PAGE), 0);
	SAME("finalize", gt_td_finalize(&td), 0);
	gt_td_close(&td);
}

/* A page that was added and not wholly measured is not counted. */
static void failed_extend(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MR_EXTEND, 16 + 7, 1, BROKEN);
	region = region_at(&td, 0, 4);
	SAME("MR.EXTEND", gt_td_add(&td, MEASURE, &region), -EIO);
	SAME("1 page done", region.nr_pages, 3);
	SAME("2 pages added", info_of(&td).added, 2 * GT_PAGE);
	if (td.is_old)
		SAME("the VM lives", info_of(&td).state, GMEM_SIM_TD_INITIALISED);
	else
		expect_dead("MR.EXTEND", &td);
	gt_td_close(&td);
}

/* Progress is lost where it cannot be written. */
static void unwritable_region(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region *region;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	region = gt_anonymous(t, GT_PAGE);
	*region = region_at(&td, 0, 2);
	MUST(mprotect(region, GT_PAGE, PROT_READ) == 0);
	SAME("unwritable", gt_td_add(&td, 0, region), -EFAULT);
	SAME("but done", info_of(&td).added, 2 * GT_PAGE);
	gt_unmap(t, region, GT_PAGE);
	gt_td_close(&td);
}

static void poisoned_page(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	MUST(gmem_sim_poison(t->sim, td.file, 0, GT_PAGE) == 0);
	SAME("poisoned", add_pages(&td, 0, 1), -EHWPOISON);
	gt_td_close(&td);
}

/* A TD that runs: all pages but the first two are still to be accepted. */
static void start(struct gt *t, uint64_t attributes, struct gt_td *td)
{
	union gt_td_init init;
	void *run;

	gt_td_open(t, td);
	gt_td_prepare(&init);
	init.head.attributes = attributes;
	MUST(gt_td_init_vm(td, &init) == 0);
	td->vcpu = gt_td_create_vcpu(td, 0);
	MUST(td->vcpu >= 0);
	MUST(gt_td_op(td, td->vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL) == 0);
	MUST(gt_map(t, td->vcpu, 0, GT_PAGE, &run) == 0);
	td->run = run;
	memset(td->source, 0x5a, 2 * GT_PAGE);
	MUST(add_pages(td, 0, 2) == 0);
	MUST(gt_td_finalize(td) == 0);
	MUST(gt_enable_cap(t, td->vm, GMI_KVM_CAP_EXIT_HYPERCALL, 1u << GMI_KVM_HC_MAP_GPA_RANGE) ==
	     0);
}

/* A guest with an interrupt controller in the kernel does not leave by HLT: it ends with port 0. */
#define END                                                                                        \
	{                                                                                          \
		.op = GMEM_SIM_OUT, .size = 1                                                      \
	}

#define SCRIPT(td, ...)                                                                            \
	do {                                                                                       \
		const struct gmem_sim_action actions[] = {__VA_ARGS__, END};                       \
		MUST(gmem_sim_vcpu_script((td)->t->sim, (td)->vcpu, actions, GT_COUNT(actions)) == \
		     0);                                                                           \
	} while (0)

static int run(const struct gt_td *td)
{
	return gt_ioctl(td->t, td->vcpu, GMI_KVM_RUN, NULL);
}

static struct gmem_sim_vcpu_info guest_info(const struct gt_td *td)
{
	struct gmem_sim_vcpu_info info = {.sz = sizeof(info)};

	MUST(gmem_sim_vcpu_get_info(td->t->sim, td->vcpu, &info) == 0);
	return info;
}

static void expect_end(const char *row, const struct gt_td *td)
{
	SAME(row, run(td), 0);
	SAME(row, td->run->exit_reason, GMI_KVM_EXIT_IO);
}

#define PENDING (GT_TD_GPA + 4 * GT_PAGE)

static void acceptance(struct gt *t)
{
	uint64_t word = 0, fresh = 1;
	struct gt_td td;

	start(t, GMI_TDX_ATTR_SEPT_VE_DISABLE, &td);
	SCRIPT(&td, {.op = GMEM_SIM_READ, .addr = GT_TD_GPA, .size = 8, .out = &word},
	       {.op = GMEM_SIM_ACCEPT, .addr = PENDING, .size = 2 * GT_PAGE},
	       {.op = GMEM_SIM_READ, .addr = PENDING, .size = 8, .out = &fresh},
	       {.op = GMEM_SIM_FILL, .addr = PENDING, .size = 2 * GT_PAGE, .value = 1},
	       {.op = GMEM_SIM_CHECK, .addr = PENDING, .size = 2 * GT_PAGE, .value = 1});
	expect_end("accepted", &td);
	SAME("what was added", word == UINT64_C(0x5a5a5a5a5a5a5a5a), true);
	SAME("zeroes", fresh, 0);
	SAME("accepted", guest_info(&td).mismatches, 0);
	SAME("accepted", guest_info(&td).hypercall_result, 0);
	SAME("accepted", info_of(&td).accepted, 2 * GT_PAGE);
	SAME("added", info_of(&td).added, 2 * GT_PAGE);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING, .size = GT_PAGE});
	expect_end("twice", &td);
	SAME("twice", guest_info(&td).hypercall_result, 1);

	/* Converted and back: a fresh page. */
	MUST(gt_td_convert(&td, PENDING, GT_PAGE, 0) == 0);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING, .size = GT_PAGE},
	       {.op = GMEM_SIM_READ, .addr = PENDING, .size = 8, .out = &fresh});
	SAME("shared", run(&td), -EFAULT);
	SAME("shared", td.run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
	SAME("shared", td.run->memory_fault.flags, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE);
	MUST(gt_td_convert(&td, PENDING, GT_PAGE, GT_PRIVATE) == 0);
	fresh = 1;
	expect_end("private again", &td);
	SAME("zeroes again", fresh, 0);
	gt_td_close(&td);
}

/* Touched before acceptance: the end of the VM, or of the guest. */
static void touched_too_early(struct gt *t)
{
	struct gt_td td;

	start(t, GMI_TDX_ATTR_SEPT_VE_DISABLE, &td);
	SCRIPT(&td, {.op = GMEM_SIM_READ, .addr = PENDING, .size = 8});
	td.run->exit_reason = GMI_KVM_EXIT_UNKNOWN;
	SAME("no #VE", run(&td), -EIO);
	SAME("no exit", td.run->exit_reason, GMI_KVM_EXIT_UNKNOWN);
	expect_dead("no #VE", &td);
	gt_td_close(&td);
	start(t, 0, &td);
	SCRIPT(&td, {.op = GMEM_SIM_WRITE, .addr = PENDING, .size = 4, .in = "abc"});
	SAME("#VE", run(&td), 0);
	SAME("#VE", td.run->exit_reason, GMI_KVM_EXIT_SHUTDOWN);
	gt_td_close(&td);
}

/* A page that KVM brought in ahead is pending too. */
static void pre_faulted(struct gt *t)
{
	uint64_t gpa = PENDING, size = 2 * GT_PAGE;
	struct gt_td td;

	start(t, GMI_TDX_ATTR_SEPT_VE_DISABLE, &td);
	SAME("PRE_FAULT", gt_pre_fault(t, td.vcpu, &gpa, &size), 0);
	SAME("pending", info_of(&td).pending, 2 * GT_PAGE);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING, .size = 2 * GT_PAGE},
	       {.op = GMEM_SIM_FILL, .addr = PENDING, .size = 2 * GT_PAGE});
	expect_end("accepted", &td);
	SAME("pending", info_of(&td).pending, 0);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_AUG, 0, 3, GMEM_SIM_TDX_OPERAND_BUSY);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING + 2 * GT_PAGE, .size = GT_PAGE});
	expect_end("busy", &td);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_AUG, 0, 1, BROKEN);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING + 3 * GT_PAGE, .size = GT_PAGE});
	SAME("fatal", run(&td), -EIO);
	expect_dead("PAGE.AUG", &td);
	gt_td_close(&td);
}

#define VMCALL(leaf, r12, r13, registers)                                                          \
	{                                                                                          \
		.op = GMEM_SIM_TDVMCALL, .value = (leaf), .args = {(r12), (r13)}, .out = registers \
	}

static void expect_map_exit(const char *row, const struct gt_td *td, uint64_t gpa, uint64_t pages,
			    uint64_t flags)
{
	SAME(row, run(td), 0);
	SAME(row, td->run->exit_reason, GMI_KVM_EXIT_HYPERCALL);
	SAME(row, td->run->hypercall.nr, GMI_KVM_HC_MAP_GPA_RANGE);
	SAME(row, td->run->hypercall.args[0], gpa);
	SAME(row, td->run->hypercall.args[1], pages);
	SAME(row, td->run->hypercall.args[2], flags);
	SAME(row, td->run->hypercall.ret, 0);
}

/* In pieces of 2 MiB, each answered by the VMM. */
static void map_gpa(struct gt *t)
{
	const uint64_t call = GMI_TDVMCALL_MAP_GPA, size = (5u << 20) / 2;
	uint64_t r[5] = {1};
	struct gt_td td;

	start(t, 0, &td);
	SCRIPT(&td, VMCALL(call, GT_TD_GPA | SHARED_BIT, size, r));
	expect_map_exit("to shared", &td, GT_TD_GPA, 512, GMI_KVM_MAP_GPA_RANGE_DECRYPTED);
	expect_map_exit("the rest", &td, GT_TD_GPA + (2u << 20), 128,
			GMI_KVM_MAP_GPA_RANGE_DECRYPTED);
	expect_end("done", &td);
	SAME("done", r[0], GMI_TDVMCALL_STATUS_SUCCESS);
	SCRIPT(&td, VMCALL(call, GT_TD_GPA, GT_PAGE, r));
	expect_map_exit("to private", &td, GT_TD_GPA, 1, GMI_KVM_MAP_GPA_RANGE_ENCRYPTED);
	td.run->hypercall.ret = EAGAIN;
	expect_end("retry", &td);
	SAME("retry", r[0], GMI_TDVMCALL_STATUS_RETRY);
	SAME("retry", r[1], GT_TD_GPA);
	SCRIPT(&td, VMCALL(call, GT_TD_GPA, GT_PAGE, r));
	SAME("to private", run(&td), 0);
	td.run->hypercall.ret = EINVAL;
	expect_end("invalid", &td);
	SAME("invalid", r[0] == GMI_TDVMCALL_STATUS_INVALID_OPERAND, true);
	SCRIPT(&td, VMCALL(call, GT_TD_GPA, GT_PAGE, r));
	SAME("to private", run(&td), 0);
	td.run->hypercall.ret = EIO;
	if (td.is_old)
		expect_end("other", &td);
	else
		SAME("other", run(&td), -EINVAL);
	gt_td_close(&td);
}

/* What KVM answers without the VMM. */
static void calls_without_exit(struct gt *t)
{
	static const struct {
		const char *row;
		uint64_t leaf, r12, r13, status;
	} cases[] = {
		{"unaligned", GMI_TDVMCALL_MAP_GPA, 1, GT_PAGE, GMI_TDVMCALL_STATUS_ALIGN_ERROR},
		{"empty", GMI_TDVMCALL_MAP_GPA, 0, 0, GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"half shared", GMI_TDVMCALL_MAP_GPA, SHARED_BIT - GT_PAGE, 2 * GT_PAGE,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"too wide", GMI_TDVMCALL_MAP_GPA, UINT64_C(1) << 52, GT_PAGE,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"quote, private", GMI_TDVMCALL_GET_QUOTE, GT_TD_GPA, GT_PAGE,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"info 0", GMI_TDVMCALL_GET_TD_VM_CALL_INFO, 0, 0, GMI_TDVMCALL_STATUS_SUCCESS},
		{"info 2", GMI_TDVMCALL_GET_TD_VM_CALL_INFO, 2, 0,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"vector 31", GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT, 31, 0,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"vector 256", GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT, 256, 0,
		 GMI_TDVMCALL_STATUS_INVALID_OPERAND},
		{"unknown", 0x10005, 0, 0, GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED},
	};
	uint64_t r[5];
	struct gt_td td;

	start(t, 0, &td);
	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		r[0] = 1;
		SCRIPT(&td, VMCALL(cases[i].leaf, cases[i].r12, cases[i].r13, r));
		expect_end(cases[i].row, &td);
		SAME(cases[i].row, r[0] == cases[i].status, true);
	}
	MUST(gt_enable_cap(t, td.vm, GMI_KVM_CAP_EXIT_HYPERCALL, 0) == 0);
	SCRIPT(&td, VMCALL(GMI_TDVMCALL_MAP_GPA, GT_TD_GPA, GT_PAGE, r));
	expect_end("not enabled", &td);
	SAME("not enabled", r[0] == GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, true);
	gt_td_close(&td);
}

static void expect_tdx_exit(const char *row, const struct gt_td *td, uint64_t nr)
{
	SAME(row, run(td), 0);
	SAME(row, td->run->exit_reason, GMI_KVM_EXIT_TDX);
	SAME(row, td->run->tdx.flags, 0);
	SAME(row, td->run->tdx.nr, nr);
}

static void calls_with_exit(struct gt *t)
{
	uint64_t r[5];
	struct gt_td td;

	start(t, 0, &td);
	SCRIPT(&td, VMCALL(GMI_TDVMCALL_GET_QUOTE, GT_TD_GPA | SHARED_BIT, 12345, r),
	       VMCALL(GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT, 32, 0, NULL),
	       VMCALL(GMI_TDVMCALL_GET_TD_VM_CALL_INFO, 1, 0, r));
	expect_tdx_exit("quote", &td, GMI_TDVMCALL_GET_QUOTE);
	SAME("quote", td.run->tdx.get_quote.gpa, GT_TD_GPA);
	SAME("quote", td.run->tdx.get_quote.size, 12345);
	SAME("quote", td.run->tdx.get_quote.ret == GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, true);
	td.run->tdx.get_quote.ret = GMI_TDVMCALL_STATUS_SUCCESS;
	expect_tdx_exit("vector", &td, GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT);
	SAME("quote", r[0], GMI_TDVMCALL_STATUS_SUCCESS);
	SAME("vector", td.run->tdx.setup_event_notify.vector, 32);
	SAME("vector",
	     td.run->tdx.setup_event_notify.ret == GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, true);
	expect_tdx_exit("info", &td, GMI_TDVMCALL_GET_TD_VM_CALL_INFO);
	SAME("vector", guest_info(&td).hypercall_result < 0, true);
	SAME("info", td.run->tdx.get_tdvmcall_info.leaf, 1);
	SAME("info", td.run->tdx.get_tdvmcall_info.ret, GMI_TDVMCALL_STATUS_SUCCESS);
	td.run->tdx.get_tdvmcall_info.r11 = 2;
	td.run->tdx.get_tdvmcall_info.r14 = 5;
	expect_end("info", &td);
	SAME("info", r[0] == GMI_TDVMCALL_STATUS_SUCCESS && r[1] == 2 && r[4] == 5, true);
	gt_td_close(&td);
}

/* Where each register goes, and the text in the order of the guest's interface. */
static void fatal_error(struct gt *t)
{
	static const int order[8] = {14, 15, 3, 7, 6, 8, 9, 2};
	char said[65] = "0123456789abcdef-the guest cannot go on: no memory left-...fini.";
	char heard[65] = "";
	const uint64_t *data;
	struct gt_td td;

	start(t, 0, &td);
	SCRIPT(&td, {.op = GMEM_SIM_TDVMCALL,
		     .value = GMI_TDVMCALL_REPORT_FATAL_ERROR,
		     .args = {UINT64_C(1) << 63 | 7, 0x1234000},
		     .in = said,
		     .size = 64});
	SAME("fatal", run(&td), 0);
	SAME("fatal", td.run->exit_reason, GMI_KVM_EXIT_SYSTEM_EVENT);
	SAME("fatal", td.run->system_event.type, GMI_KVM_SYSTEM_EVENT_TDX_FATAL);
	SAME("fatal", td.run->system_event.ndata, 16);
	data = td.run->system_event.data;
	SAME("code", data[12] == (UINT64_C(1) << 63 | 7), true);
	SAME("address", data[13], 0x1234000);
	for (size_t i = 0; i < GT_COUNT(order); i++) {
		memcpy(heard + 8 * i, &data[order[i]], 8);
		SAME("mask", data[1] >> order[i] & 1, 1);
	}
	SAME("text", strcmp(said, heard), 0);
	expect_end("goes on", &td);
	gt_td_close(&td);
}

/* The page's own contents are measured, as if they had come from elsewhere. */
static void without_source(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gmem_sim_td_info copied;
	struct gt_td td;
	void *memory;

	gt_td_open(t, &td);
	REQUIRE(td.in_place, "this kernel wants a source");
	gt_td_launch(&td, 0x809000);
	memset(td.source, 0x5a, 2 * GT_PAGE);
	MUST(add_pages(&td, 0, 2) == 0);
	copied = info_of(&td);
	gt_td_close(&td);

	gt_td_open(t, &td);
	gt_td_launch(&td, 0x809000);
	MUST(gt_delete_slot(t, td.vm, 0) == 0);
	gt_close(t, td.file);
	td.file = gt_create_gmem(t, td.vm, GT_TD_PAGES * GT_PAGE, GT_SHARED_FLAGS);
	MUST(td.file >= 0);
	MUST(gt_bind(t, td.vm, 0, GT_TD_GPA, GT_TD_PAGES * GT_PAGE, NULL, td.file, 0) == 0);
	MUST(gt_map(t, td.file, 0, 2 * GT_PAGE, &memory) == 0);
	memset(memory, 0x5a, 2 * GT_PAGE);
	MUST(gt_td_convert(&td, GT_TD_GPA, 2 * GT_PAGE, GT_PRIVATE) == 0);
	region = region_at(&td, 0, 2);
	region.source_addr = 0;
	SAME("without source", gt_td_add(&td, MEASURE, &region), 0);
	SAME("same measurement", memcmp(info_of(&td).mrtd, copied.mrtd, sizeof(copied.mrtd)), 0);
	gt_unmap(t, memory, 2 * GT_PAGE);
	gt_td_close(&td);
}

struct finalizer {
	struct gt_td *td;
	atomic_bool is_done;
	int ret;
};

static void *interrupt_soon(void *arg)
{
	const struct gt_td *td = arg;

	usleep(50000);
	MUST(gmem_sim_interrupt(td->t->sim, td->vcpu) == 0);
	return NULL;
}

/* A module that stays busy: only a signal ends it. */
static void busy_for_ever(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	uint64_t gpa = PENDING, size = GT_PAGE;
	pthread_t thread;
	struct gt_td td;

	gt_td_open(t, &td);
	REQUIRE(!td.is_old, "this kernel hands EBUSY on");
	gt_td_launch(&td, 0x809000);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 1, UINT64_MAX, GMEM_SIM_TDX_OPERAND_BUSY);
	region = region_at(&td, 0, 4);
	MUST(pthread_create(&thread, NULL, interrupt_soon, &td) == 0);
	SAME("PAGE.ADD", gt_td_add(&td, 0, &region), -EINTR);
	SAME("1 page done", region.nr_pages, 3);
	pthread_join(thread, NULL);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_ADD, 0, 0, 0);
	gt_td_close(&td);

	start(t, 0, &td);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_AUG, 0, UINT64_MAX, GMEM_SIM_TDX_OPERAND_BUSY);
	SCRIPT(&td, {.op = GMEM_SIM_ACCEPT, .addr = PENDING, .size = GT_PAGE});
	MUST(pthread_create(&thread, NULL, interrupt_soon, &td) == 0);
	SAME("PAGE.AUG", run(&td), -EINTR);
	pthread_join(thread, NULL);
	MUST(pthread_create(&thread, NULL, interrupt_soon, &td) == 0);
	SAME("PRE_FAULT", gt_pre_fault(t, td.vcpu, &gpa, &size), -EINTR);
	SAME("PRE_FAULT", size, GT_PAGE);
	pthread_join(thread, NULL);
	refuse(&td, GMEM_SIM_TDH_MEM_PAGE_AUG, 0, 0, 0);
	expect_end("goes on", &td);
	gt_td_close(&td);
}

static void *finalize_soon(void *arg)
{
	struct finalizer *finalizer = arg;

	usleep(30000);
	finalizer->ret = gt_td_finalize(finalizer->td);
	atomic_store(&finalizer->is_done, true);
	return NULL;
}

static void *interrupt_later(void *arg)
{
	const struct finalizer *finalizer = arg;
	const struct gt_td *td = finalizer->td;

	usleep(100000);
	SAME("waits", atomic_load(&finalizer->is_done), td->is_old);
	MUST(gmem_sim_interrupt(td->t->sim, td->vcpu) == 0);
	return NULL;
}

/* 7.3: a command of the VM waits for its vCPUs to leave KVM_RUN. */
static void guard(struct gt *t)
{
	struct gt_td td;
	struct finalizer finalizer = {.td = &td};
	pthread_t threads[2];

	start(t, 0, &td);
	SCRIPT(&td, {.op = GMEM_SIM_JUMP, .value = 0});
	MUST(pthread_create(&threads[1], NULL, interrupt_later, &finalizer) == 0);
	MUST(pthread_create(&threads[0], NULL, finalize_soon, &finalizer) == 0);
	SAME("KVM_RUN", run(&td), -EINTR);
	for (size_t i = 0; i < GT_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	SAME("FINALIZE twice", finalizer.ret, -EINVAL);
	gt_td_close(&td);
}

static void bad_arguments(struct gt *t)
{
	struct gmem_sim_tdx_host host = {.sz = sizeof(host), .cpus = 1, .key_ids = 1};
	struct gmem_sim_td_info info = {.sz = sizeof(info)};
	uint64_t rcx;
	int kvm = gt_open_kvm(t), plain;

	MUST(kvm >= 0);
	plain = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);
	MUST(plain >= 0);
	SAME("info", gmem_sim_td_get_info(t->sim, kvm, &info), -EBADF);
	SAME("info", gmem_sim_td_get_info(t->sim, plain, &info), -ENOTTY);
	info.sz--;
	SAME("info", gmem_sim_td_get_info(t->sim, plain, &info), -EINVAL);
	SAME("info", gmem_sim_td_get_info(t->sim, plain, NULL), -EINVAL);
	SAME("rcx", gmem_sim_td_get_rcx(t->sim, plain, &rcx), -EBADF);
	SAME("rcx", gmem_sim_td_get_rcx(t->sim, plain, NULL), -EINVAL);
	SAME("fail", gmem_sim_fail_seamcall(t->sim, GMEM_SIM_SEAMCALL_COUNT, 0, 1, 1), -EINVAL);
	SAME("fail", gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MNG_INIT, 0, 1, 0), -EINVAL);
	SAME("fail", gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MNG_INIT, 0, 0, 0), 0);
	SAME("host", gmem_sim_set_tdx_host(t->sim, NULL), -EINVAL);
	host.key_ids = 64;
	SAME("host", gmem_sim_set_tdx_host(t->sim, &host), -EINVAL);
	host.key_ids = 63;
	host.flags = 4;
	SAME("host", gmem_sim_set_tdx_host(t->sim, &host), -EINVAL);
	host.flags = 0;
	SAME("host", gmem_sim_set_tdx_host(t->sim, &host), 0);
	gt_close(t, plain);
	gt_close(t, kvm);
}

static const struct gt_test tests[] = {
	GT_TEST(mrtd_is_as_measured),
	GT_TEST(init_vm_failures),
	GT_TEST(refused_operands),
	GT_TEST(key_ids),
	GT_TEST(wide_addresses),
	GT_TEST(init_vcpu_failures),
	GT_TEST(finalize_failures),
	GT_TEST(interrupted),
	GT_TEST(contention),
	GT_TEST(contention_old),
	GT_TEST(failed_extend),
	GT_TEST(unwritable_region),
	GT_TEST(poisoned_page),
	GT_TEST(acceptance),
	GT_TEST(touched_too_early),
	GT_TEST(pre_faulted),
	GT_TEST(map_gpa),
	GT_TEST(calls_without_exit),
	GT_TEST(calls_with_exit),
	GT_TEST(fatal_error),
	GT_TEST(guard),
	GT_TEST(busy_for_ever),
	GT_TEST(without_source),
	GT_TEST(bad_arguments),
};

GT_MAIN(tests)
