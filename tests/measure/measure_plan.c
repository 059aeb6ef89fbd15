/* SPDX-License-Identifier: MIT */
/* Plans by hand: what a step may be, merging, filling, printing, files as sources. */
#include <libgmem/measure.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vectors.h"

#define PAGE 4096

static _Alignas(PAGE) uint8_t pages[8 * PAGE];

static struct gmem_plan *plan_of(uint32_t vm_type)
{
	struct gmem_plan *plan;

	MUST(gmem_plan_create(vm_type, &plan) == 0);
	for (size_t i = 0; i < sizeof(pages); i++)
		pages[i] = (uint8_t)(i / PAGE + 1);
	return plan;
}

static struct gmem_launch_step normal(uint64_t gpa, uint64_t size, const void *bytes)
{
	return (struct gmem_launch_step){
		.gpa = gpa,
		.size = size,
		.type = GMEM_LAUNCH_NORMAL,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = bytes,
	};
}

static struct gmem_launch_step bare(uint64_t gpa, uint64_t size, uint32_t type)
{
	return (struct gmem_launch_step){.gpa = gpa, .size = size, .type = type};
}

static size_t step_count(const struct gmem_plan *plan)
{
	size_t count;

	gmem_plan_steps(plan, &count);
	return count;
}

static void add(struct gmem_plan *plan, struct gmem_launch_step step)
{
	GMEM_INIT(gmem_measure_error, error);

	if (gmem_plan_add(plan, &step, &error))
		gt_must(__FILE__, __LINE__, error.text);
}

static struct gmem_digest digest_of(const struct gmem_plan *plan)
{
	struct gmem_digest digest;

	MUST(gmem_measure_plan(plan, NULL, &digest, NULL) == 0);
	return digest;
}

#define VMSA                                                                                       \
	{                                                                                          \
		.gpa = GMEM_LAUNCH_VMSA_GPA, .size = PAGE, .type = GMEM_LAUNCH_VMSA,               \
		.flags = GMEM_LAUNCH_MEASURED, .bytes = pages                                      \
	}

static const struct {
	uint32_t vm_type;
	struct gmem_launch_step step;
	const char *text;
} bad_steps[] = {
	{GMEM_VM_SNP, {.size = PAGE, .type = 0}, "page type 0 does not exist"},
	{GMEM_VM_SNP, {.size = PAGE, .type = 9}, "page type 9 does not exist"},
	{GMEM_VM_SNP, {.size = PAGE, .type = GMEM_LAUNCH_TD_HOB}, "no page of type td-hob on this"},
	{GMEM_VM_SNP, {.size = PAGE, .type = GMEM_LAUNCH_AUG}, "no page of type aug on this"},
	{GMEM_VM_TDX, {.size = PAGE, .type = GMEM_LAUNCH_CPUID}, "no page of type cpuid on this"},
	{GMEM_VM_TDX, VMSA, "no page of type vmsa on this"},
	{GMEM_VM_SEV, {.size = PAGE, .type = GMEM_LAUNCH_ZERO}, "no page of type zero on this"},
	{GMEM_VM_SEV, VMSA, "no page of type vmsa on this"},
	{GMEM_VM_SNP, {.size = 0, .type = GMEM_LAUNCH_ZERO}, "zero at 0x0 is empty"},
	{GMEM_VM_SNP, {.gpa = 1, .size = PAGE, .type = GMEM_LAUNCH_ZERO}, "is not aligned to 4096"},
	{GMEM_VM_SNP, {.size = 16, .type = GMEM_LAUNCH_ZERO}, "is not aligned to 4096"},
	{GMEM_VM_SNP,
	 {.gpa = (UINT64_C(1) << 52) - PAGE, .size = 2 * PAGE, .type = GMEM_LAUNCH_ZERO},
	 "ends above 2^52"},
	{GMEM_VM_SNP,
	 {.gpa = UINT64_MAX, .size = PAGE, .type = GMEM_LAUNCH_ZERO},
	 "ends above 2^52"},
	{GMEM_VM_SNP, {.size = PAGE, .type = GMEM_LAUNCH_ZERO, .flags = 8}, "unknown flags 0x8"},
	{GMEM_VM_SNP, {.size = PAGE, .type = GMEM_LAUNCH_NORMAL}, "type normal is always measured"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .flags = GMEM_LAUNCH_MEASURED},
	 "type unmeasured is never measured"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_ZERO, .flags = GMEM_LAUNCH_MEASURED},
	 "zeroes count by their type"},
	{GMEM_VM_SNP,
	 {.size = PAGE,
	  .type = GMEM_LAUNCH_NORMAL,
	  .flags = GMEM_LAUNCH_MEASURED | GMEM_LAUNCH_FILL,
	  .bytes = pages},
	 "measured contents cannot be filled in"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_ZERO, .bytes = pages},
	 "zero has no source"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_SECRETS, .flags = GMEM_LAUNCH_FILE},
	 "secrets has no source"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .flags = GMEM_LAUNCH_FILE, .bytes = pages},
	 "two sources"},
	{GMEM_VM_SNP,
	 {.size = PAGE,
	  .type = GMEM_LAUNCH_UNMEASURED,
	  .flags = GMEM_LAUNCH_FILE | GMEM_LAUNCH_FILL},
	 "contents of a file cannot be filled in"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .bytes = pages + 16},
	 "the source of unmeasured is not page aligned"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .flags = GMEM_LAUNCH_FILE, .offset = 1},
	 "the source of unmeasured is not page aligned"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .flags = GMEM_LAUNCH_FILE, .fd = -1},
	 "file -1 at 0x0 is no source"},
	{GMEM_VM_SNP,
	 {.size = PAGE,
	  .type = GMEM_LAUNCH_UNMEASURED,
	  .flags = GMEM_LAUNCH_FILE,
	  .offset = UINT64_MAX - PAGE + 1},
	 "file 0 at 0xfffffffffffff000 is no source"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_UNMEASURED, .flags = GMEM_LAUNCH_FILL},
	 "unmeasured needs bytes"},
	{GMEM_VM_SNP, {.size = 2 * PAGE, .type = GMEM_LAUNCH_CPUID}, "cpuid is one page, not 8192"},
	{GMEM_VM_SNP,
	 {.size = PAGE, .type = GMEM_LAUNCH_ZERO, .reserved = {0, 1}},
	 "reserved fields"},
	{GMEM_VM_SNP,
	 {.gpa = GMEM_LAUNCH_VMSA_GPA,
	  .size = PAGE,
	  .type = GMEM_LAUNCH_VMSA,
	  .flags = GMEM_LAUNCH_MEASURED},
	 "vmsa needs bytes"},
	{GMEM_VM_SNP,
	 {.gpa = 0x1000,
	  .size = PAGE,
	  .type = GMEM_LAUNCH_VMSA,
	  .flags = GMEM_LAUNCH_MEASURED,
	  .bytes = pages},
	 "a VMSA is at 0xfffffffff000, not at 0x1000"},
	{GMEM_VM_SNP,
	 {.gpa = GMEM_LAUNCH_VMSA_GPA,
	  .size = PAGE,
	  .type = GMEM_LAUNCH_VMSA,
	  .flags = GMEM_LAUNCH_MEASURED,
	  .bytes = pages,
	  .vcpu = 1},
	 "the next VMSA is of vCPU 0, not of 1"},
};

static void refused_steps(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(bad_steps); i++) {
		struct gmem_plan *plan = plan_of(bad_steps[i].vm_type);
		GMEM_INIT(gmem_measure_error, error);

		expect_refused(bad_steps[i].text, gmem_plan_add(plan, &bad_steps[i].step, &error),
			       -EINVAL, &error, bad_steps[i].text);
		EXPECT_CASE(bad_steps[i].text, "no step was added", (int64_t)step_count(plan), 0);
		gmem_plan_destroy(plan);
	}
}

static void refused_overlap(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);
	struct gmem_launch_step step = bare(0x3000, PAGE, GMEM_LAUNCH_ZERO);
	GMEM_INIT(gmem_measure_error, error);

	add(plan, normal(0x1000, 4 * PAGE, pages));
	expect_refused("overlap", gmem_plan_add(plan, &step, &error), -EEXIST, &error,
		       "zero 0x3000+0x1000 overlaps normal 0x1000+0x4000");
	EXPECT("overlap", (int64_t)step_count(plan), 1);
	gmem_plan_destroy(plan);
}

static void refused_second(struct gt *t)
{
	struct gmem_plan *snp = plan_of(GMEM_VM_SNP), *tdx = plan_of(GMEM_VM_TDX);
	struct gmem_launch_step vmsa = VMSA, hob = bare(0x2000, PAGE, GMEM_LAUNCH_TD_HOB);
	GMEM_INIT(gmem_measure_error, error);

	add(snp, vmsa);
	vmsa.vcpu = 1;
	vmsa.bytes = pages + PAGE;
	expect_refused("features", gmem_plan_add(snp, &vmsa, &error), -EINVAL, &error,
		       "vCPU 1 has other SEV_FEATURES than vCPU 0");
	add(tdx, hob);
	hob.gpa = 0x4000;
	expect_refused("HOB", gmem_plan_add(tdx, &hob, &error), -EINVAL, &error,
		       "a second TD HOB at 0x4000");
	gmem_plan_destroy(snp);
	gmem_plan_destroy(tdx);
}

/* The same pages as one step and as @count steps of equal size. */
static struct gmem_digest digest_in_parts(uint32_t vm_type, size_t count, size_t *ret_steps)
{
	struct gmem_plan *plan = plan_of(vm_type);
	size_t size = sizeof(pages) / count;
	struct gmem_digest digest;

	for (size_t i = 0; i < count; i++)
		add(plan, normal(0x10000 + i * size, size, pages + i * size));
	digest = digest_of(plan);
	*ret_steps = step_count(plan);
	gmem_plan_destroy(plan);
	return digest;
}

static void merged(struct gt *t)
{
	static const struct {
		const char *name;
		uint32_t vm_type;
		int64_t steps;
	} cases[] = {
		{"sev", GMEM_VM_SEV, 1},
		{"snp", GMEM_VM_SNP, 1},
		{"tdx", GMEM_VM_TDX, 8},
	};

	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		size_t one, many;
		struct gmem_digest a = digest_in_parts(cases[i].vm_type, 1, &one);
		struct gmem_digest b = digest_in_parts(cases[i].vm_type, 8, &many);

		EXPECT(cases[i].name, (int64_t)one, 1);
		EXPECT(cases[i].name, (int64_t)many, cases[i].steps);
		EXPECT(cases[i].name, memcmp(&a, &b, sizeof(a)), 0);
	}
}

static void not_merged(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);

	add(plan, normal(0x1000, PAGE, pages));
	add(plan, normal(0x2000, PAGE, pages + 2 * PAGE));
	EXPECT("other bytes", (int64_t)step_count(plan), 2);
	add(plan, normal(0x4000, PAGE, pages + 3 * PAGE));
	EXPECT("other address", (int64_t)step_count(plan), 3);
	add(plan, bare(0x5000, PAGE, GMEM_LAUNCH_ZERO));
	EXPECT("other type", (int64_t)step_count(plan), 4);
	add(plan, bare(0x6000, PAGE, GMEM_LAUNCH_CPUID));
	add(plan, bare(0x7000, PAGE, GMEM_LAUNCH_CPUID));
	EXPECT("cpuid", (int64_t)step_count(plan), 6);
	add(plan, normal(0x8000, PAGE, NULL));
	add(plan, normal(0x9000, PAGE, NULL));
	EXPECT("zeroes", (int64_t)step_count(plan), 7);
	gmem_plan_destroy(plan);
}

static void filled(struct gt *t)
{
	static _Alignas(PAGE) uint8_t area[2 * PAGE];
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);
	struct gmem_launch_step step = bare(0x4000, sizeof(area), GMEM_LAUNCH_UNMEASURED);
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest before, after;

	step.flags = GMEM_LAUNCH_FILL;
	step.bytes = area;
	add(plan, step);
	before = digest_of(plan);
	EXPECT("fill", gmem_plan_fill(plan, 0x4ffe, "abcd", 4, NULL), 0);
	EXPECT("fill", memcmp(area + 0xffe, "abcd", 4), 0);
	after = digest_of(plan);
	EXPECT("the digest stays", memcmp(&before, &after, sizeof(before)), 0);
	expect_refused("past the end", gmem_plan_fill(plan, 0x5ffe, "abcd", 4, &error), -ENOENT,
		       &error, "0x5ffe+0x4 is not inside a step to be filled");
	expect_refused("before", gmem_plan_fill(plan, 0x3ffe, "abcd", 4, &error), -ENOENT, &error,
		       "is not inside");
	expect_refused("wraps", gmem_plan_fill(plan, UINT64_MAX, "abcd", 4, &error), -ENOENT,
		       &error, "is not inside");
	expect_refused("empty", gmem_plan_fill(plan, 0x4000, "", 0, &error), -ENOENT, &error,
		       "is not inside");
	gmem_plan_destroy(plan);
}

static int memory_file(void)
{
	int fd = memfd_create("source", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(write(fd, pages, sizeof(pages)) == (ssize_t)sizeof(pages));
	return fd;
}

static struct gmem_launch_step of_file(uint64_t gpa, uint64_t size, int fd, uint64_t offset)
{
	struct gmem_launch_step step = normal(gpa, size, NULL);

	step.flags |= GMEM_LAUNCH_FILE;
	step.fd = fd;
	step.offset = offset;
	return step;
}

static void file_sources(struct gt *t)
{
	static const uint32_t types[] = {GMEM_VM_SEV, GMEM_VM_SNP, GMEM_VM_TDX};

	for (size_t i = 0; i < GT_COUNT(types); i++) {
		struct gmem_plan *bytes = plan_of(types[i]), *file = plan_of(types[i]);
		struct gmem_digest a, b;
		int fd = memory_file();

		add(bytes, normal(0x8000, 3 * PAGE, pages + 2 * PAGE));
		add(file, of_file(0x8000, PAGE, fd, 2 * PAGE));
		add(file, of_file(0x9000, 2 * PAGE, fd, 3 * PAGE));
		a = digest_of(bytes);
		b = digest_of(file);
		EXPECT("file", memcmp(&a, &b, sizeof(a)), 0);
		EXPECT("file", (int64_t)step_count(file), types[i] == GMEM_VM_TDX ? 2 : 1);
		gmem_plan_destroy(bytes);
		gmem_plan_destroy(file);
		close(fd);
	}
}

static void bad_files(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest;
	int fd = memory_file();

	add(plan, of_file(0x8000, 4 * PAGE, fd, 6 * PAGE));
	expect_refused("short", gmem_measure_plan(plan, NULL, &digest, &error), -EIO, &error,
		       "the file is too short");
	EXPECT("short", (int64_t)error.offset, (int64_t)sizeof(pages));
	close(fd);
	expect_refused("closed", gmem_measure_plan(plan, NULL, &digest, &error), -EIO, &error,
		       "the file cannot be read: errno 9");
	gmem_plan_destroy(plan);
}

static int keep_line(void *user, const char *text)
{
	char *all = user;

	snprintf(all + strlen(all), 512 - strlen(all), "%s\n", text);
	return 0;
}

static int stop(void *user, const char *text)
{
	++*(int *)user;
	return 5;
}

static void printed(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);
	struct gmem_launch_step step = normal(0xfff00000, 2 * PAGE, pages);
	char all[512] = "";
	int lines = 0;

	step.label = "firmware";
	add(plan, step);
	add(plan, bare(0x800000, PAGE, GMEM_LAUNCH_CPUID));
	EXPECT("print", gmem_plan_print(plan, keep_line, all), 0);
	EXPECT("print",
	       strcmp(all, "snp: 2 steps, 12288 bytes of memory, 8192 measured, 0 vCPUs\n"
			   "0x0000fff00000 0x00002000 normal     measured bytes firmware\n"
			   "0x000000800000 0x00001000 cpuid      -        -     -\n"),
	       0);
	EXPECT("stop", gmem_plan_print(plan, stop, &lines), 5);
	EXPECT("stop", lines, 1);
	EXPECT("NULL", gmem_plan_print(plan, NULL, NULL), -EINVAL);
	gmem_plan_destroy(plan);
}

static void info(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_TDX);
	GMEM_INIT(gmem_plan_info, info);
	struct gmem_plan_info shorter = {.sz = 16, .step_count = 99};

	add(plan, normal(0x1000, PAGE, pages));
	add(plan, bare(0x4000, 2 * PAGE, GMEM_LAUNCH_TD_HOB));
	add(plan, bare(0x8000, 3 * PAGE, GMEM_LAUNCH_AUG));
	EXPECT("info", gmem_plan_get_info(plan, &info), 0);
	EXPECT("info", info.vm_type, GMEM_VM_TDX);
	EXPECT("info", (int64_t)info.sz, (int64_t)sizeof(info));
	EXPECT("info", (int64_t)info.step_count, 3);
	EXPECT("info", (int64_t)info.memory_size, 3 * PAGE);
	EXPECT("info", (int64_t)info.measured_size, PAGE);
	EXPECT("info", (int64_t)info.hob.start, 0x4000);
	EXPECT("info", (int64_t)info.hob.size, 2 * PAGE);
	EXPECT("a shorter struct", gmem_plan_get_info(plan, &shorter), 0);
	EXPECT("a shorter struct", shorter.vm_type, GMEM_VM_TDX);
	EXPECT("a shorter struct", (int64_t)shorter.step_count, 99);
	shorter.sz = 0;
	EXPECT("no size", gmem_plan_get_info(plan, &shorter), -EINVAL);
	gmem_plan_destroy(plan);
}

struct newer {
	struct gmem_measure_opts opts;
	uint64_t unknown;
};

static void options(struct gt *t)
{
	struct gmem_plan *plan = plan_of(GMEM_VM_SNP);
	struct newer newer = {.opts.sz = sizeof(newer)};
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest a, b;

	add(plan, normal(0x1000, PAGE, pages));
	a = digest_of(plan);
	EXPECT("a longer struct", gmem_measure_plan(plan, &newer.opts, &b, NULL), 0);
	EXPECT("a longer struct", memcmp(&a, &b, sizeof(a)), 0);
	newer.unknown = 1;
	expect_refused("unknown", gmem_measure_plan(plan, &newer.opts, &b, &error), -E2BIG, &error,
		       "set a field that this version does not know");
	newer.opts.sz = 4;
	expect_refused("no size", gmem_measure_plan(plan, &newer.opts, &b, &error), -EINVAL, &error,
		       "the options say that they have 4 bytes");
	newer.opts.sz = 5000;
	expect_refused("never set", gmem_measure_plan(plan, &newer.opts, &b, &error), -E2BIG,
		       &error, "the options say that they have 5000 bytes");
	newer.opts = (struct gmem_measure_opts){.sz = sizeof(newer.opts), .flags = 2};
	expect_refused("flags", gmem_measure_plan(plan, &newer.opts, &b, &error), -EINVAL, &error,
		       "flags 0x2 are not known");
	newer.opts.flags = GMEM_MEASURE_TWO_PASS;
	expect_refused("flags", gmem_measure_plan(plan, &newer.opts, &b, &error), -EINVAL, &error,
		       "two passes exist on TDX only");
	EXPECT("NULL", gmem_measure_plan(NULL, NULL, &b, NULL), -EINVAL);
	EXPECT("NULL", gmem_plan_create(GMEM_VM_SNP, NULL), -EINVAL);
	EXPECT("type", gmem_plan_create(GMEM_VM_SW_PROTECTED, &plan), -EINVAL);
	EXPECT("type", gmem_plan_create(GMEM_VM_TYPE_COUNT, &plan), -EINVAL);
	gmem_plan_destroy(plan);
	gmem_plan_destroy(NULL);
}

static void vcpu_names(struct gt *t)
{
	uint32_t sig = 1;
	size_t count = 0;

	for (; gmem_vcpu_name(count); count++)
		EXPECT(gmem_vcpu_name(count), gmem_vcpu_sig_from_name(gmem_vcpu_name(count), &sig),
		       0);
	EXPECT("names", count >= 16, true);
	EXPECT("unknown", gmem_vcpu_sig_from_name("EPYC-", &sig), -ENOENT);
	EXPECT("NULL", gmem_vcpu_sig_from_name(NULL, &sig), -ENOENT);
	EXPECT("family", gmem_vcpu_sig_from_fms(271, 0, 0, &sig), -EINVAL);
	EXPECT("model", gmem_vcpu_sig_from_fms(1, 256, 0, &sig), -EINVAL);
	EXPECT("stepping", gmem_vcpu_sig_from_fms(1, 1, 16, &sig), -EINVAL);
	EXPECT("the most", gmem_vcpu_sig_from_fms(270, 255, 15, &sig), 0);
	EXPECT("the most", sig, 0x0fff0fff);
}

static void many_vcpus(struct gt *t)
{
	struct gmem_ovmf_opts opts = {
		.sz = sizeof(opts),
		.vm_type = GMEM_VM_SNP,
		.vcpus = GMEM_MEASURE_VCPUS_MAX,
		.sev_features = 1,
	};
	GMEM_INIT(gmem_measure_error, error);
	GMEM_INIT(gmem_plan_info, info);
	struct vector_file file;
	struct gmem_plan *plan;

	MUST(vector_file_read(vector_dir(), "snp-own/images/w01-min-4k.bin", &file));
	opts.image = file.data;
	opts.image_size = file.size;
	EXPECT("512", gmem_plan_from_ovmf(&opts, &plan, NULL), 0);
	EXPECT("512", gmem_plan_get_info(plan, &info), 0);
	EXPECT("512", info.vcpus, 512);
	gmem_plan_destroy(plan);
	opts.vcpus++;
	expect_refused("513", gmem_plan_from_ovmf(&opts, &plan, &error), -EINVAL, &error,
		       "513 vCPUs: there have to be 1 to 512");
	vector_file_free(&file);
}

static const struct gt_test tests[] = {
	{"refused_steps", refused_steps, .flags = GT_NO_KERNEL},
	{"refused_overlap", refused_overlap, .flags = GT_NO_KERNEL},
	{"refused_second", refused_second, .flags = GT_NO_KERNEL},
	{"merged", merged, .flags = GT_NO_KERNEL},
	{"not_merged", not_merged, .flags = GT_NO_KERNEL},
	{"filled", filled, .flags = GT_NO_KERNEL},
	{"file_sources", file_sources, .flags = GT_NO_KERNEL},
	{"bad_files", bad_files, .flags = GT_NO_KERNEL},
	{"printed", printed, .flags = GT_NO_KERNEL},
	{"info", info, .flags = GT_NO_KERNEL},
	{"options", options, .flags = GT_NO_KERNEL},
	{"vcpu_names", vcpu_names, .flags = GT_NO_KERNEL},
	{"many_vcpus", many_vcpus, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
