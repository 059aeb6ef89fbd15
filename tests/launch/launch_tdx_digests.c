/* SPDX-License-Identifier: MIT */
/* The MRTD of a launched TD is the one that its plan promises, however the launch was cut and held up. */
#include "igvm_file.h"
#include "lt_tdx.h"
#include "region_lists.h"
#include "vectors.h"

/* Of the IGVM format. */
#define IGVM_TDX        3
#define IGVM_UNMEASURED 2

#define HAND_GPA   UINT64_C(0x100000) /* of plans made by hand */
#define HAND_PAGES 40u

static void expect_mrtd(const char *name, const struct td *td, const char *want)
{
	struct gmem_sim_td_info info = td_module(td);
	struct gmem_digest digest = {0};

	MUST(gmem_measure_plan(td->plan, NULL, &digest, NULL) == 0);
	EXPECT_CASE(name, "state", info.state, GMEM_SIM_TD_RUNNABLE);
	expect_digest(name, info.mrtd, sizeof(info.mrtd), vector_hex(digest.bytes, digest.size));
	if (want)
		expect_digest(name, info.mrtd, sizeof(info.mrtd), want);
}

/* The hand-off blocks' address is what vCPUs start with. */
static void expect_vcpus(const char *name, struct td *td)
{
	GMEM_INIT(gmem_plan_info, plan);
	uint64_t rcx = 0;
	int vcpu;

	MUST(gmem_plan_get_info(td->plan, &plan) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		vcpu = gmem_tdx_take_vcpu(td->tdx, i);
		MUST(vcpu >= 0);
		EXPECT_CASE(name, "RCX", gmem_sim_td_get_rcx(td->t->sim, vcpu, &rcx), 0);
		EXPECT_CASE(name, "RCX", (int64_t)rcx, (int64_t)plan.hob.start);
		gt_close(td->t, vcpu);
	}
}

static void expect_launch(const struct gt *t, const char *name, struct gmem_plan *plan,
			  const char *want)
{
	struct td td = td_open(t, plan);

	if (!EXPECT_CASE(name, "launch", td_launch(&td, NULL), 0))
		fprintf(stderr, "  %s\n", gmem_errinfo()->message);
	expect_mrtd(name, &td, want);
	expect_vcpus(name, &td);
	td_close(&td);
}

static void launch_image(const struct gt *t, const char *name, const struct vector_file *file,
			 uint32_t flags, const char *want)
{
	GMEM_INIT(gmem_tdvf_opts, opts);
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	opts.image = file->data;
	opts.image_size = file->size;
	opts.flags = flags;
	if (!EXPECT_CASE(name, "plan", gmem_plan_from_tdvf(&opts, &plan, &error), 0)) {
		fprintf(stderr, "  %s\n", error.text);
		return;
	}
	expect_launch(t, name, plan, want);
}

static bool is_digest(const char *cell)
{
	return strcmp(cell, "reject") != 0;
}

static void images(struct gt *t)
{
	struct vector_table table;
	struct vector_file file;
	char dir[512];
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/tdx", vector_dir());
	table = vector_table_read(dir, "images.tsv");
	for (size_t i = 0; i < table.count; i++) {
		const char *name = vector_cell(&table, i, "name");
		const char *gce = vector_cell(&table, i, "gce_go");

		if (*name != 'i')
			continue;
		MUST(vector_file_read(dir, vector_cell(&table, i, "file"), &file));
		launch_image(t, name, &file, 0, vector_cell(&table, i, "tdshim_py"));
		if (is_digest(gce))
			launch_image(t, name, &file, GMEM_TDVF_ADD_AUG, gce);
		vector_file_free(&file);
		done++;
	}
	EXPECT("tdx/images.tsv", done, 9);
	vector_table_free(&table);
}

static void launch_list(void *user, const char *name, struct gmem_plan *plan, const char *mrtd)
{
	expect_launch(user, name, plan, mrtd);
}

static void region_lists(struct gt *t)
{
	region_lists_each(launch_list, t);
}

/* Of whatever version is installed; the value of one version is on record: tests/vectors. */
static void debian_image(struct gt *t)
{
	struct vector_file file;

	REQUIRE(vector_file_read("/", "usr/share/ovmf/OVMF.fd", &file),
		"no /usr/share/ovmf/OVMF.fd: package ovmf");
	launch_image(t, "OVMF.fd", &file, 0, NULL);
	vector_file_free(&file);
}

static struct gmem_plan *plan_by_hand(uint8_t **ret_bytes)
{
	static const struct {
		uint32_t type, flags, pages;
	} steps[] = {
		{GMEM_LAUNCH_NORMAL, GMEM_LAUNCH_MEASURED, 11},
		{GMEM_LAUNCH_UNMEASURED, 0, 5},
		{GMEM_LAUNCH_ZERO, 0, 7},
		{GMEM_LAUNCH_ZERO, GMEM_LAUNCH_MEASURED, 3},
		{GMEM_LAUNCH_AUG, 0, 4},
		{GMEM_LAUNCH_NORMAL, GMEM_LAUNCH_MEASURED, 10},
	};
	uint8_t *bytes = aligned_alloc(GT_PAGE, HAND_PAGES * GT_PAGE);
	struct gmem_launch_step step = {.gpa = HAND_GPA};
	struct gmem_plan *plan;

	MUST(bytes && gmem_plan_create(GMEM_VM_TDX, &plan) == 0);
	for (size_t i = 0; i < HAND_PAGES * GT_PAGE; i++)
		bytes[i] = (uint8_t)(i / GT_PAGE + i);
	for (size_t i = 0; i < GT_COUNT(steps); i++) {
		step.gpa += step.size;
		step.size = steps[i].pages * GT_PAGE;
		step.type = steps[i].type;
		step.flags = steps[i].flags;
		step.bytes = step.type == GMEM_LAUNCH_ZERO || step.type == GMEM_LAUNCH_AUG
				     ? NULL
				     : bytes + (step.gpa - HAND_GPA);
		MUST(gmem_plan_add(plan, &step, NULL) == 0);
	}
	*ret_bytes = bytes;
	return plan;
}

/* Pages of an IGVM file, a parameter area among them. */
static void igvm_plan(struct gt *t)
{
	static struct igvm_file file;
	const struct gmem_igvm_opts opts = {
		.sz = sizeof(opts),
		.vm_type = GMEM_VM_TDX,
		.image = file.bytes,
		.image_size = IGVM_SIZE,
	};
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	igvm_begin(&file, 2);
	igvm_platform(&file, 1, IGVM_TDX);
	igvm_page(&file, 0x1000, 1, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x2000, 1, igvm_data(&file, 0x22), 0, 0);
	igvm_page(&file, 0x5000, 1, igvm_data(&file, 0x33), IGVM_UNMEASURED, 0);
	igvm_area(&file, GT_PAGE, 0, 0);
	igvm_insert(&file, 0x6000, 1, 0);
	igvm_page(&file, 0x3000, 1, 0, 0, 0);
	igvm_end(&file);
	if (!EXPECT("plan", gmem_plan_from_igvm(&opts, &plan, &error), 0)) {
		fprintf(stderr, "  %s\n", error.text);
		return;
	}
	expect_launch(t, "IGVM", plan, NULL);
}

/* Cut in any way, the same measurement. */
static void slices(struct gt *t)
{
	static const uint64_t sizes[] = {1, 2, 3, 7, 40};
	GMEM_INIT(gmem_tdx_add_opts, add);
	uint8_t *bytes;
	struct td td;

	for (size_t i = 0; i < GT_COUNT(sizes); i++) {
		td = td_open(t, plan_by_hand(&bytes));
		add.slice = sizes[i] * GT_PAGE;
		EXPECT("launch", td_launch(&td, &add), 0);
		expect_mrtd("slices", &td, NULL);
		EXPECT("added", (int64_t)td_module(&td).added, 36 * (int64_t)GT_PAGE);
		td_close(&td);
		free(bytes);
	}
}

/* A signal before any page of them, and a stop of the caller's there: both go on. */
static void signals(struct gt *t)
{
	GMEM_INIT(gmem_tdx_info, info);
	uint8_t *bytes;
	struct td td;

	for (uint64_t page = 0; page < 36; page += 5) {
		td = td_open(t, plan_by_hand(&bytes));
		MUST(gmem_sim_interrupt_after(t->sim, page) == 0);
		EXPECT("launch", td_launch(&td, NULL), 0);
		MUST(gmem_tdx_get_info(td.tdx, &info) == 0);
		EXPECT("taken up again", (int64_t)info.retries, 1);
		expect_mrtd("signals", &td, NULL);
		td_close(&td);
		free(bytes);
	}
}

/*
 * A busy module: 7.3 waits inside, 6.16 to 6.18 hand it on and leave a page behind that must go
 * before it can be added.
 */
static void busy(struct gt *t)
{
	GMEM_INIT(gmem_tdx_info, info);
	bool is_old = !strncmp(t->profile, "v6", 2);
	uint8_t *bytes;
	struct td td;

	for (uint64_t page = 0; page < 36; page += 7) {
		td = td_open(t, plan_by_hand(&bytes));
		MUST(gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MEM_PAGE_ADD, page, 3,
					    GMEM_SIM_TDX_OPERAND_BUSY) == 0);
		if (!EXPECT("launch", td_launch(&td, NULL), 0))
			fprintf(stderr, "  %s\n", gmem_errinfo()->message);
		MUST(gmem_tdx_get_info(td.tdx, &info) == 0);
		EXPECT("taken up again", (int64_t)info.retries, is_old ? 3 : 0);
		expect_mrtd("busy", &td, NULL);
		td_close(&td);
		free(bytes);
	}
}

static void busy_for_long(struct gt *t)
{
	GMEM_INIT(gmem_tdx_add_opts, add);
	uint8_t *bytes;
	struct td td;

	REQUIRE(!strncmp(t->profile, "v6", 2), "this kernel waits for the module itself");
	td = td_open(t, plan_by_hand(&bytes));
	add.attempts = 2;
	MUST(gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MEM_PAGE_ADD, 4, 3,
				    GMEM_SIM_TDX_OPERAND_BUSY) == 0);
	EXPECT("two attempts after progress", td_launch(&td, &add), -EAGAIN);
	EXPECT("the address", (int64_t)gmem_errinfo()->gpa, (int64_t)(HAND_GPA + 4 * GT_PAGE));
	EXPECT("and then", td_launch(&td, &add), 0);
	expect_mrtd("busy", &td, NULL);
	td_close(&td);
	free(bytes);
}

/* Every call to the module fails once for good: the error, the state, and its name. */
static void failures(struct gt *t)
{
	static const struct {
		enum gmem_sim_seamcall call;
		const char *text;
	} calls[] = {
		{GMEM_SIM_TDH_MNG_CREATE, "KVM_TDX_INIT_VM"},
		{GMEM_SIM_TDH_MNG_KEY_CONFIG, "KVM_TDX_INIT_VM"},
		{GMEM_SIM_TDH_MNG_ADDCX, "KVM_TDX_INIT_VM"},
		{GMEM_SIM_TDH_VP_CREATE, "KVM_TDX_INIT_VCPU"},
		{GMEM_SIM_TDH_VP_INIT, "KVM_TDX_INIT_VCPU"},
		{GMEM_SIM_TDH_MEM_PAGE_ADD, "KVM_TDX_INIT_MEM_REGION"},
		{GMEM_SIM_TDH_MR_EXTEND, "KVM_TDX_INIT_MEM_REGION"},
		{GMEM_SIM_TDH_MR_FINALIZE, "KVM_TDX_FINALIZE_VM"},
	};
	GMEM_INIT(gmem_tdx_info, info);
	uint8_t *bytes;
	struct td td;

	for (size_t i = 0; i < GT_COUNT(calls); i++) {
		td = td_open(t, plan_by_hand(&bytes));
		MUST(gmem_sim_fail_seamcall(t->sim, calls[i].call, 0, 1,
					    UINT64_C(0xc000081100000000)) == 0);
		EXPECT_CASE(calls[i].text, "fails", td_launch(&td, NULL), -EIO);
		EXPECT_CASE(calls[i].text, "names the call",
			    strstr(gmem_errinfo()->message, calls[i].text) != NULL, true);
		MUST(gmem_tdx_get_info(td.tdx, &info) == 0);
		if (td_module(&td).state == GMEM_SIM_TD_DEAD) {
			EXPECT_CASE(calls[i].text, "dead", info.state, GMEM_TDX_DEAD);
			EXPECT_CASE(calls[i].text, "later", td_launch(&td, NULL), -ESTALE);
		}
		td_close(&td);
		free(bytes);
	}
}

static void entropy_and_finalize(struct gt *t)
{
	GMEM_INIT(gmem_tdx_info, info);
	uint8_t *bytes;
	struct td td = td_open(t, plan_by_hand(&bytes));

	MUST(gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MNG_CREATE, 0, 2,
				    GMEM_SIM_TDX_NO_ENTROPY) == 0);
	MUST(gmem_sim_fail_seamcall(t->sim, GMEM_SIM_TDH_MR_FINALIZE, 0, 3,
				    GMEM_SIM_TDX_OPERAND_BUSY) == 0);
	EXPECT("launch", td_launch(&td, NULL), 0);
	MUST(gmem_tdx_get_info(td.tdx, &info) == 0);
	EXPECT("taken up again", (int64_t)info.retries, 5);
	expect_mrtd("entropy", &td, NULL);
	td_close(&td);
	free(bytes);
}

/* Contents that the VMM wrote while the pages were shared: nothing is copied. */
static void in_place(struct gt *t)
{
	GMEM_INIT(gmem_tdx_add_opts, add);
	const struct gmem_launch_step *steps;
	uint8_t *bytes;
	struct td td = td_open(t, plan_by_hand(&bytes));
	size_t count;

	if (!td_is_in_place(&td)) {
		td_close(&td);
		free(bytes);
		gt_skip("memory does not convert in place on this kernel");
	}
	steps = gmem_plan_steps(td.plan, &count);
	for (size_t i = 0; i < count; i++) {
		GMEM_INIT(gmem_slot_info, slot);

		MUST(gmem_slot_lookup(td.vm, 0, steps[i].gpa, &slot) == 0 && slot.hva);
		if (steps[i].bytes)
			memcpy(slot.hva, steps[i].bytes, steps[i].size);
	}
	add.flags = GMEM_TDX_IN_PLACE;
	MUST(gmem_sim_interrupt_after(t->sim, 9) == 0);
	if (!EXPECT("launch", td_launch(&td, &add), 0))
		fprintf(stderr, "  %s\n", gmem_errinfo()->message);
	expect_mrtd("in place", &td, NULL);
	td_close(&td);
	free(bytes);
}

/* What the module was told is what the options said. */
static void identity(struct gt *t)
{
	uint8_t *bytes;
	struct td td = td_open(t, plan_by_hand(&bytes));
	struct gmem_sim_td_info info;

	EXPECT("launch", td_launch(&td, NULL), 0);
	info = td_module(&td);
	EXPECT("attributes", (int64_t)info.attributes, (int64_t)td_init_opts.attributes);
	EXPECT("XFAM", (int64_t)info.xfam, (int64_t)td_init_opts.xfam);
	EXPECT("width", info.gpaw, 48);
	EXPECT("bus clock", (int64_t)info.apic_bus_ns, 40);
	EXPECT("MRCONFIGID", memcmp(info.mrconfigid, td_init_opts.mrconfigid, 48), 0);
	EXPECT("MROWNER", memcmp(info.mrowner, td_init_opts.mrowner, 48), 0);
	EXPECT("MROWNERCONFIG", memcmp(info.mrownerconfig, td_init_opts.mrownerconfig, 48), 0);
	td_close(&td);
	free(bytes);
}

/* The whole of what KVM offers to hosts is refused or taken alike: a CPUID that asks for all. */
static void greedy_cpuid(struct gt *t)
{
	struct gmem_tdx_cpuid list[64];
	GMEM_INIT(gmem_tdx_cpuid_opts, greedy);
	struct gmem_tdx_init_opts init = td_init_opts;
	const struct gmem_tdx_cpuid *leaves;
	uint8_t *bytes;
	struct td td = td_open(t, plan_by_hand(&bytes));
	size_t count = 0;

	leaves = gmem_tdx_configurable(td.tdx, &count);
	MUST(count && count < GT_COUNT(list));
	for (size_t i = 0; i < count; i++)
		list[i] = (struct gmem_tdx_cpuid){
			leaves[i].function, leaves[i].index, 1,          UINT32_MAX,
			UINT32_MAX,         UINT32_MAX,      UINT32_MAX, {0}};
	list[count] = (struct gmem_tdx_cpuid){.function = 0x123456, .eax = 1};
	greedy.entries = list;
	greedy.count = count + 1;
	init.cpuid = &greedy;
	init.gpa_width = 48;
	MUST(gmem_tdx_setup(td.tdx, NULL) == 0);
	if (!EXPECT("all that can be chosen", gmem_tdx_init_vm(td.tdx, &init), 0))
		fprintf(stderr, "  %s\n", gmem_errinfo()->message);
	td_close(&td);
	free(bytes);
}

static const struct gt_test tests[] = {
	GT_TEST(images),       GT_TEST(region_lists),
	GT_TEST(debian_image), GT_TEST(igvm_plan),
	GT_TEST(slices),       GT_TEST(signals),
	GT_TEST(busy),         GT_TEST(busy_for_long),
	GT_TEST(failures),     GT_TEST(entropy_and_finalize),
	GT_TEST(in_place),     GT_TEST(identity),
	GT_TEST(greedy_cpuid),
};

GT_MAIN(tests)
