/* SPDX-License-Identifier: MIT */
/* IGVM files: each gives the plan that its directives say, or is refused with its reason. */
#include <libgmem/measure.h>
#include <nettle/sha2.h>

#include "igvm_file.h"
#include "vectors.h"

#define PAGE  4096
#define SNP   2
#define TDX   3
#define OURS  1u
#define OTHER 2u

#define UNMEASURED 2
#define SECRETS    1
#define CPUID      2

static struct igvm_file file;

static int read_file(uint32_t vm_type, uint32_t vmm, uint32_t vcpus, struct gmem_plan **ret_plan,
		     struct gmem_measure_error *error)
{
	const struct gmem_igvm_opts opts = {
		.sz = sizeof(opts),
		.vm_type = vm_type,
		.vmm = vmm,
		.image = file.bytes,
		.image_size = file.data,
		.vcpus = vcpus,
		.vcpu_sig = 0xa10f10,
	};

	return gmem_plan_from_igvm(&opts, ret_plan, error);
}

static struct gmem_plan *plan_file(uint32_t vm_type, uint32_t vmm, uint32_t vcpus)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	igvm_end(&file);
	if (read_file(vm_type, vmm, vcpus, &plan, &error))
		gt_must(__FILE__, __LINE__, error.text);
	return plan;
}

/* A VMSA as KVM makes it, with one register that the file chose. */
static uint32_t vmsa_data(uint64_t rip)
{
	const struct gmem_vmsa_opts opts = {
		.sz = sizeof(opts),
		.profile = GMEM_VMSA_SVSM,
		.entry = rip,
		.sev_features = 1,
	};
	uint32_t at = igvm_data(&file, 0);

	MUST(gmem_vmsa_build(&opts, file.bytes + at, NULL) == 0);
	return at;
}

static void begin(uint8_t platform)
{
	igvm_begin(&file, 1);
	igvm_platform(&file, OURS, platform);
}

/* What the plan has to be: type, address, size, first byte (-1: no contents), one line a step. */
struct want {
	uint32_t type;
	uint64_t gpa;
	uint64_t size;
	int first;
};

static void expect_steps(const char *name, const struct gmem_plan *plan, const struct want *want,
			 size_t count)
{
	size_t got;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &got);

	if (!EXPECT_CASE(name, "the number of steps", (int64_t)got, (int64_t)count))
		return;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = steps[i].bytes;

		EXPECT_CASE(name, "type", steps[i].type, want[i].type);
		EXPECT_CASE(name, "gpa", (int64_t)steps[i].gpa, (int64_t)want[i].gpa);
		EXPECT_CASE(name, "size", (int64_t)steps[i].size, (int64_t)want[i].size);
		EXPECT_CASE(name, "contents", bytes ? bytes[0] : -1, want[i].first);
	}
}

static void snp_pages(struct gt *t)
{
	static const struct want want[] = {
		{GMEM_LAUNCH_NORMAL, 0x100000, 2 * PAGE, 0x11},
		{GMEM_LAUNCH_UNMEASURED, 0x102000, PAGE, 0x33},
		{GMEM_LAUNCH_NORMAL, 0x103000, PAGE, -1},
		{GMEM_LAUNCH_SECRETS, 0x104000, PAGE, -1},
		{GMEM_LAUNCH_CPUID, 0x105000, PAGE, -1},
		{GMEM_LAUNCH_CPUID, 0x106000, PAGE, -1},
		{GMEM_LAUNCH_UNMEASURED, 0x107000, PAGE, -1},
		{GMEM_LAUNCH_VMSA, GMEM_LAUNCH_VMSA_GPA, PAGE, 0x10},
	};
	GMEM_INIT(gmem_plan_info, info);
	struct gmem_plan *plan;

	igvm_begin(&file, 1);
	igvm_platform(&file, OTHER, 0);
	igvm_platform(&file, OURS, SNP);
	igvm_policy(&file, 0x30000, OURS);
	igvm_policy(&file, 0x5, OTHER);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0x1000), 0);
	igvm_page(&file, 0x100000, OURS | OTHER, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x101000, OURS, igvm_data(&file, 0x22), 0, 0);
	igvm_page(&file, 0x101000, OTHER, igvm_data(&file, 0x44), 0, 0);
	igvm_page(&file, 0x102000, OURS, igvm_data(&file, 0x33), UNMEASURED, 0);
	igvm_page(&file, 0x103000, OURS, 0, 0, 0);
	igvm_page(&file, 0x104000, OURS, 0, 0, SECRETS);
	igvm_page(&file, 0x105000, OURS, 0, 0, CPUID);
	igvm_page(&file, 0x106000, OURS, 0, 0, CPUID + 1);
	igvm_page(&file, 0x107000, OURS, 0, UNMEASURED, 0);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 0);
	expect_steps("qemu", plan, want, GT_COUNT(want));
	EXPECT("info", gmem_plan_get_info(plan, &info), 0);
	EXPECT("info", (int64_t)info.policy, 0x30000);
	EXPECT("info", info.vcpus, 1);
	EXPECT("info", (int64_t)info.sev_features, 1);
	gmem_plan_destroy(plan);
}

static void cloud_hypervisor(struct gt *t)
{
	static const struct want want[] = {
		{GMEM_LAUNCH_NORMAL, 0x100000, PAGE, 0x11},
		{GMEM_LAUNCH_ZERO, 0x101000, 2 * PAGE, -1},
		{GMEM_LAUNCH_VMSA, GMEM_LAUNCH_VMSA_GPA, PAGE, 0x10},
	};
	struct gmem_plan *plan;

	begin(SNP);
	igvm_page(&file, 0x100000, OURS, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x101000, OURS, 0, 0, 0);
	igvm_page(&file, 0x102000, OURS, 0, 0, 0);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0x1000), 0);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_CLOUD_HYPERVISOR, 0);
	expect_steps("cloud-hypervisor", plan, want, GT_COUNT(want));
	gmem_plan_destroy(plan);
}

/* An area between pages: QEMU launches it before the run of pages in front of it. */
static void build_with_area(void)
{
	begin(SNP);
	igvm_area(&file, 2 * PAGE, 7, igvm_data(&file, 0x77));
	igvm_data(&file, 0x78);
	igvm_page(&file, 0x100000, OURS, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x200000, OURS, igvm_data(&file, 0x22), 0, 0);
	igvm_page(&file, 0x201000, OURS, igvm_data(&file, 0x33), 0, 0);
	igvm_parameter(&file, 0x307, 7, 0x1ffc);
	igvm_parameter(&file, 0x30c, 7, 0x100);
	igvm_insert(&file, 0x300000, OTHER, 7);
	igvm_insert(&file, 0x300000, OURS, 7);
	igvm_page(&file, 0x202000, OURS, igvm_data(&file, 0x44), 0, 0);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0x1000), 0);
}

static void order(struct gt *t)
{
	static const struct want qemu[] = {
		{GMEM_LAUNCH_NORMAL, 0x100000, PAGE, 0x11},
		{GMEM_LAUNCH_UNMEASURED, 0x300000, 2 * PAGE, 0x77},
		{GMEM_LAUNCH_NORMAL, 0x200000, 3 * PAGE, 0x22},
		{GMEM_LAUNCH_VMSA, GMEM_LAUNCH_VMSA_GPA, PAGE, 0x10},
	};
	static const struct want in_file[] = {
		{GMEM_LAUNCH_NORMAL, 0x100000, PAGE, 0x11},
		{GMEM_LAUNCH_NORMAL, 0x200000, 2 * PAGE, 0x22},
		{GMEM_LAUNCH_UNMEASURED, 0x300000, 2 * PAGE, 0x77},
		{GMEM_LAUNCH_NORMAL, 0x202000, PAGE, 0x44},
		{GMEM_LAUNCH_VMSA, GMEM_LAUNCH_VMSA_GPA, PAGE, 0x10},
	};
	struct gmem_plan *plan;

	build_with_area();
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 0);
	expect_steps("qemu", plan, qemu, GT_COUNT(qemu));
	gmem_plan_destroy(plan);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_CLOUD_HYPERVISOR, 0);
	expect_steps("cloud-hypervisor", plan, in_file, GT_COUNT(in_file));
	gmem_plan_destroy(plan);
}

static void parameters(struct gt *t)
{
	const struct gmem_launch_parameter *got;
	struct gmem_plan *plan;
	size_t count;

	build_with_area();
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 0);
	got = gmem_plan_parameters(plan, &count);
	MUST(count == 2);
	EXPECT("count", got[0].kind, GMEM_PARAMETER_VP_COUNT);
	EXPECT("count", (int64_t)got[0].gpa, 0x301ffc);
	EXPECT("count", (int64_t)got[0].room, 4);
	EXPECT("map", got[1].kind, GMEM_PARAMETER_MEMORY_MAP);
	EXPECT("map", (int64_t)got[1].gpa, 0x300100);
	EXPECT("map", (int64_t)got[1].room, 0x1f00);
	EXPECT("fill", gmem_plan_fill(plan, got[0].gpa, "\4\0\0\0", 4, NULL), 0);
	EXPECT("the file stays", file.bytes[IGVM_DATA + 0x1ffc], 0x78);
	gmem_plan_destroy(plan);
}

/* vCPUs that the file has no context for start at the reset vector, as in a launch of OVMF. */
static void more_vcpus(struct gt *t)
{
	struct gmem_vmsa_opts reset = {
		.sz = sizeof(reset),
		.vcpu_sig = 0xa10f10,
		.entry = 0xfffffff0,
		.sev_features = 1,
	};
	const struct gmem_launch_step *steps;
	struct gmem_plan *plan;
	uint8_t page[PAGE];
	size_t count;

	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0x2000), 1);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0x1000), 0);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 4);
	steps = gmem_plan_steps(plan, &count);
	MUST(count == 4);
	MUST(gmem_vmsa_build(&reset, page, NULL) == 0);
	EXPECT("vCPU 0", memcmp((const uint8_t *)steps[0].bytes + 0x178, "\0\x10", 2), 0);
	EXPECT("vCPU 1", memcmp((const uint8_t *)steps[1].bytes + 0x178, "\0\x20", 2), 0);
	EXPECT("vCPU 2", memcmp(steps[2].bytes, page, PAGE), 0);
	EXPECT("vCPU 3", memcmp(steps[3].bytes, page, PAGE), 0);
	gmem_plan_destroy(plan);
}

/* KVM sets EFER.SVME, CR4.MCE and bit 1 of RFLAGS, whatever the file says. */
static void vmsa_as_kvm_makes_it(struct gt *t)
{
	struct gmem_plan *plan;
	const uint8_t *got;
	uint8_t want[PAGE];
	uint32_t at;
	size_t count;

	begin(SNP);
	at = vmsa_data(0x1000);
	memcpy(want, file.bytes + at, PAGE);
	memset(file.bytes + at + 0xd0, 0, 8);
	memset(file.bytes + at + 0x148, 0, 8);
	memset(file.bytes + at + 0x170, 0, 8);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, at, 0);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 0);
	got = gmem_plan_steps(plan, &count)->bytes;
	EXPECT("VMSA", memcmp(got, want, PAGE), 0);
	gmem_plan_destroy(plan);
}

static struct gmem_digest digest_of(const struct gmem_plan *plan)
{
	struct gmem_digest digest;

	MUST(gmem_measure_plan(plan, NULL, &digest, NULL) == 0);
	return digest;
}

/* TDX: the file's order, measured or not, compared with the same list as regions by hand. */
static void tdx_pages(struct gt *t)
{
	struct gmem_launch_step steps[] = {
		{.gpa = 0x1000, .size = 2 * PAGE, .type = GMEM_LAUNCH_NORMAL, .flags = 1},
		{.gpa = 0x5000, .size = PAGE, .type = GMEM_LAUNCH_UNMEASURED},
		{.gpa = 0x6000, .size = PAGE, .type = GMEM_LAUNCH_UNMEASURED},
		{.gpa = 0x3000, .size = PAGE, .type = GMEM_LAUNCH_NORMAL, .flags = 1},
	};
	static _Alignas(PAGE) uint8_t bytes[2 * PAGE];
	struct gmem_plan *plan, *hand;
	struct gmem_digest a, b;
	size_t count;

	igvm_begin(&file, 2);
	igvm_platform(&file, OTHER, SNP);
	igvm_platform(&file, OURS, TDX);
	igvm_page(&file, 0x1000, OURS, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x2000, OURS, igvm_data(&file, 0x11), 0, 0);
	igvm_page(&file, 0x5000, OURS, igvm_data(&file, 0x22), UNMEASURED, 0);
	igvm_area(&file, PAGE, 0, 0);
	igvm_insert(&file, 0x6000, OURS, 0);
	igvm_page(&file, 0x3000, OURS, 0, 0, 0);
	plan = plan_file(GMEM_VM_TDX, 0, 0);
	gmem_plan_steps(plan, &count);
	EXPECT("steps", (int64_t)count, 4);
	MUST(gmem_plan_create(GMEM_VM_TDX, &hand) == 0);
	memset(bytes, 0x11, sizeof(bytes));
	steps[0].bytes = bytes;
	for (size_t i = 0; i < GT_COUNT(steps); i++)
		MUST(gmem_plan_add(hand, &steps[i], NULL) == 0);
	a = digest_of(plan);
	b = digest_of(hand);
	EXPECT("MRTD", memcmp(&a, &b, sizeof(a)), 0);
	gmem_plan_destroy(plan);
	gmem_plan_destroy(hand);
}

/* The same file at an odd address: pages are copied, and still merge. */
static void unaligned_image(struct gt *t)
{
	uint8_t *copy = malloc(IGVM_SIZE + 1);
	struct gmem_igvm_opts opts = {.sz = sizeof(opts), .vm_type = GMEM_VM_SNP};
	struct gmem_plan *plan, *other;
	struct gmem_digest a, b;
	size_t count;

	MUST(copy);
	build_with_area();
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 0);
	memcpy(copy + 1, file.bytes, file.data);
	opts.image = copy + 1;
	opts.image_size = file.data;
	EXPECT("odd", gmem_plan_from_igvm(&opts, &other, NULL), 0);
	memset(copy, 0, IGVM_SIZE + 1);
	gmem_plan_steps(other, &count);
	EXPECT("odd", (int64_t)count, 5);
	a = digest_of(plan);
	b = digest_of(other);
	EXPECT("odd", memcmp(&a, &b, sizeof(a)), 0);
	gmem_plan_destroy(plan);
	gmem_plan_destroy(other);
	free(copy);
}

#define ID_SIZE 696

static uint32_t put_id_block(void)
{
	uint8_t content[ID_SIZE];

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7);
	memcpy(content, "\1\0\0\0\1\0\0\0", 8);
	return igvm_header(&file, 0x30b, content, sizeof(content));
}

static void id_block(struct gt *t)
{
	const uint8_t *block, *auth, *content;
	struct gmem_plan *plan;
	const void *a, *b;
	uint32_t flags = 0;

	begin(SNP);
	igvm_policy(&file, 0x1234567890abcdef, OURS);
	content = file.bytes + put_id_block();
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1);
	EXPECT("id", gmem_plan_id_block(plan, &a, &b, &flags), 0);
	block = a;
	auth = b;
	EXPECT("id", flags, GMEM_SNP_ID_AUTHOR);
	EXPECT("digest, family, image", memcmp(block, content + 8, 80), 0);
	EXPECT("version, SVN", memcmp(block + 80, content + 88, 8), 0);
	EXPECT("policy", memcmp(block + 88, "\xef\xcd\xab\x90\x78\x56\x34\x12", 8), 0);
	EXPECT("algorithms", memcmp(auth, content + 96, 8), 0);
	EXPECT("block signature", memcmp(auth + 0x40, content + 104, 144), 0);
	EXPECT("ID key's curve", memcmp(auth + 0x240, content + 248, 4), 0);
	EXPECT("ID key", memcmp(auth + 0x244, content + 256, 144), 0);
	EXPECT("key signature", memcmp(auth + 0x680, content + 400, 144), 0);
	EXPECT("author key's curve", memcmp(auth + 0x880, content + 544, 4), 0);
	EXPECT("author key", memcmp(auth + 0x884, content + 552, 144), 0);
	gmem_plan_destroy(plan);
	begin(SNP);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1);
	EXPECT("none", gmem_plan_id_block(plan, &a, &b, &flags), -ENOENT);
	gmem_plan_destroy(plan);
}

/* Headers that say that they may be ignored: known ones count, others do not. */
static void ignorable(struct gt *t)
{
	uint8_t bytes[12] = {1};
	struct gmem_plan *plan;
	size_t count;

	begin(SNP);
	igvm_header(&file, 0x80000399, bytes, sizeof(bytes));
	igvm_header(&file, 0x80000308, bytes, sizeof(bytes));
	igvm_page(&file, 0x1000, OURS, 0, 0, 0);
	plan = plan_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1);
	gmem_plan_steps(plan, &count);
	EXPECT("steps", (int64_t)count, 2);
	gmem_plan_destroy(plan);
}

/* Each of these makes one mistake in a file of a platform, a page and a vCPU. */
static void no_platform(void)
{
	igvm_begin(&file, 1);
	igvm_platform(&file, OURS, TDX);
}

static void nothing_at_all(void)
{
	igvm_begin(&file, 1);
}

static void mask_of_two(void)
{
	igvm_begin(&file, 1);
	igvm_platform(&file, 3, SNP);
}

static void platform_twice(void)
{
	begin(SNP);
	igvm_platform(&file, OTHER, SNP);
}

static void platform_version(void)
{
	begin(SNP);
	file.bytes[24 + 8 + 6] = 2;
}

static void policy_twice(void)
{
	begin(SNP);
	igvm_policy(&file, 1, OURS);
	igvm_policy(&file, 1, OURS);
}

static void policy_late(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 0, 0);
	igvm_policy(&file, 1, OURS);
}

static void unknown_type(void)
{
	uint8_t bytes[8] = {0};

	begin(SNP);
	igvm_header(&file, 0x399, bytes, sizeof(bytes));
}

static void named_type(uint32_t type)
{
	uint8_t bytes[8] = {0};

	begin(SNP);
	igvm_header(&file, type, bytes, sizeof(bytes));
}

static void relocatable(void)
{
	named_type(0x102);
}

static void page_tables(void)
{
	named_type(0x103);
}

static void srat(void)
{
	named_type(0x308);
}

static void mmio(void)
{
	named_type(0x30a);
}

static void error_range(void)
{
	named_type(0x30d);
}

static void slit(void)
{
	named_type(0x30f);
}

static void pptt(void)
{
	named_type(0x310);
}

static void vbs(void)
{
	named_type(0x311);
}

static void device_tree(void)
{
	named_type(0x312);
}

static void wrong_size(void)
{
	named_type(0x302);
}

static void padding(void)
{
	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OTHER, 0, 0);
	file.bytes[file.end - 1] = 1;
}

static void left_over(void)
{
	begin(SNP);
	file.end += 4;
}

static void too_long(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 0, 0);
	file.bytes[file.end - 24 - 4] = 32;
}

static void page_unaligned(void)
{
	begin(SNP);
	igvm_page(&file, 0x1001, OURS, 0, 0, 0);
}

static void page_huge(void)
{
	begin(SNP);
	igvm_page(&file, 0x200000, OURS, 0, 1, 0);
}

static void page_shared(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 4, 0);
}

static void page_flags(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 8, 0);
}

static void page_type(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 0, 4);
}

static void page_data(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, igvm_data(&file, 1) + 1, 0, 0);
}

static void page_high(void)
{
	begin(SNP);
	igvm_page(&file, UINT64_C(1) << 52, OURS, 0, 0, 0);
}

static void page_twice(void)
{
	begin(SNP);
	igvm_page(&file, 0x1000, OURS, 0, 0, 0);
	igvm_page(&file, 0x1000, OURS, 0, 0, SECRETS);
}

static void area_size(void)
{
	begin(SNP);
	igvm_area(&file, 100, 0, 0);
}

static void area_empty(void)
{
	begin(SNP);
	igvm_area(&file, 0, 0, 0);
}

static void area_big(void)
{
	begin(SNP);
	igvm_area(&file, UINT64_C(1) << 40, 0, 0);
}

static void area_twice(void)
{
	begin(SNP);
	igvm_area(&file, PAGE, 5, 0);
	igvm_area(&file, PAGE, 5, 0);
}

static void area_many(void)
{
	begin(SNP);
	for (uint32_t i = 0; i < 257; i++)
		igvm_area(&file, PAGE, i, 0);
}

static void area_data(void)
{
	begin(SNP);
	igvm_area(&file, 2 * PAGE, 5, igvm_data(&file, 1));
}

static void insert_unknown(void)
{
	begin(SNP);
	igvm_insert(&file, 0x1000, OURS, 5);
}

static void insert_twice(void)
{
	begin(SNP);
	igvm_area(&file, PAGE, 5, 0);
	igvm_insert(&file, 0x1000, OURS, 5);
	igvm_insert(&file, 0x2000, OURS, 5);
}

static void insert_unaligned(void)
{
	begin(SNP);
	igvm_area(&file, PAGE, 5, 0);
	igvm_insert(&file, 0x1008, OURS, 5);
}

static void parameter_unknown(void)
{
	begin(SNP);
	igvm_parameter(&file, 0x307, 5, 0);
}

static void parameter_late(void)
{
	begin(SNP);
	igvm_area(&file, PAGE, 5, 0);
	igvm_insert(&file, 0x1000, OURS, 5);
	igvm_parameter(&file, 0x307, 5, 0);
}

static void parameter_outside(void)
{
	begin(SNP);
	igvm_area(&file, PAGE, 5, 0);
	igvm_parameter(&file, 0x307, 5, PAGE - 3);
}

static void vmsa_elsewhere(void)
{
	begin(SNP);
	igvm_vp_context(&file, 0x1000, OURS, vmsa_data(0), 0);
}

static void vmsa_twice(void)
{
	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0), 0);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0), 0);
}

static void vmsa_index(void)
{
	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0), 512);
}

static void vmsa_beyond(void)
{
	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0), 1);
}

static void vmsa_data_outside(void)
{
	begin(SNP);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, vmsa_data(0) + 8, 0);
}

static void vmsa_with(uint32_t offset, uint8_t value)
{
	uint32_t at;

	begin(SNP);
	at = vmsa_data(0);
	file.bytes[at + offset] = value;
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, OURS, at, 0);
}

static void vmsa_field(void)
{
	vmsa_with(0x3c0, 1);
}

static void vmsa_tail(void)
{
	vmsa_with(0xfff, 1);
}

static void vmsa_cr0(void)
{
	vmsa_with(0x158, 1);
}

static void vmsa_dr7(void)
{
	vmsa_with(0x160, 1);
}

static void vmsa_features(void)
{
	vmsa_with(0x3b0, 2);
}

static void id_twice(void)
{
	begin(SNP);
	put_id_block();
	put_id_block();
}

static const struct {
	void (*build)(void);
	int ret;
	const char *text;
} refused[] = {
	{nothing_at_all, -ENOENT, "the file is not for SEV-SNP"},
	{no_platform, -ENOENT, "the file is not for SEV-SNP"},
	{mask_of_two, -EBADMSG, "compatibility mask 0x3 of a platform is not one bit"},
	{platform_twice, -EBADMSG, "the platform is named twice"},
	{platform_version, -EOPNOTSUPP, "platform version 2 is not known"},
	{policy_twice, -EBADMSG, "a second guest policy"},
	{policy_late, -EBADMSG, "GUEST_POLICY comes after headers of a later section"},
	{unknown_type, -EOPNOTSUPP, "header type 0x399 is not known"},
	{relocatable, -EOPNOTSUPP, "RELOCATABLE_REGION is not supported"},
	{page_tables, -EOPNOTSUPP, "PAGE_TABLE_RELOCATION_REGION is not supported"},
	{srat, -EOPNOTSUPP, "SRAT is not supported"},
	{mmio, -EOPNOTSUPP, "MMIO_RANGES is not supported"},
	{error_range, -EOPNOTSUPP, "ERROR_RANGE is not supported"},
	{slit, -EOPNOTSUPP, "SLIT is not supported"},
	{pptt, -EOPNOTSUPP, "PPTT is not supported"},
	{vbs, -EOPNOTSUPP, "VBS_MEASUREMENT is not supported"},
	{device_tree, -EOPNOTSUPP, "DEVICE_TREE is not supported"},
	{wrong_size, -EBADMSG, "PAGE_DATA has 8 bytes, not 24"},
	{padding, -EBADMSG, "the padding behind a header is not zero"},
	{left_over, -EBADMSG, "4 bytes are left over, too few for a header"},
	{too_long, -EBADMSG, "a header of 32 bytes reaches past the variable headers"},
	{page_unaligned, -EBADMSG, "address 0x1001 is not page aligned"},
	{page_huge, -EOPNOTSUPP, "PAGE_DATA of 2 MiB is not supported"},
	{page_shared, -EOPNOTSUPP, "PAGE_DATA that is shared is not supported"},
	{page_flags, -EBADMSG, "PAGE_DATA flags 0x8 are not known"},
	{page_type, -EBADMSG, "PAGE_DATA type 4 is not known"},
	{page_data, -EBADMSG, "data 0x4001+0x1000 is outside the file"},
	{page_high, -EINVAL, "ends above 2^52"},
	{page_twice, -EEXIST, "overlaps"},
	{area_size, -EBADMSG, "parameter area 0 has 0x64 bytes, not pages"},
	{area_empty, -EBADMSG, "parameter area 0 has 0x0 bytes, not pages"},
	{area_big, -EBADMSG, "more than 256 parameter areas or 64 MiB of them"},
	{area_many, -EBADMSG, "more than 256 parameter areas or 64 MiB of them"},
	{area_twice, -EBADMSG, "parameter area 5 exists already"},
	{area_data, -EBADMSG, "data 0x4000+0x2000 is outside the file"},
	{insert_unknown, -EBADMSG, "parameter area 5 does not exist"},
	{insert_twice, -EBADMSG, "parameter area 5 is inserted already"},
	{insert_unaligned, -EBADMSG, "address 0x1008 is not page aligned"},
	{parameter_unknown, -EBADMSG, "parameter area 5 does not exist"},
	{parameter_late, -EBADMSG, "parameter area 5 is inserted already"},
	{parameter_outside, -EBADMSG, "a parameter at 0xffd is outside parameter area 5"},
	{vmsa_elsewhere, -EOPNOTSUPP, "a VMSA at 0x1000; KVM puts it at 0xfffffffff000"},
	{vmsa_twice, -EBADMSG, "a second VMSA of vCPU 0, or of too many vCPUs"},
	{vmsa_index, -EBADMSG, "a second VMSA of vCPU 512, or of too many vCPUs"},
	{vmsa_beyond, -EINVAL, "the file has a VMSA for vCPU 1, but there are 1"},
	{vmsa_data_outside, -EBADMSG, "data 0x4008+0x1000 is outside the file"},
	{vmsa_field, -EOPNOTSUPP, "the VMSA's field at 0x3c0 cannot be set through KVM"},
	{vmsa_tail, -EOPNOTSUPP, "the VMSA's field at 0xfff cannot be set through KVM"},
	{vmsa_cr0, -EOPNOTSUPP, "the VMSA's CR0 0x1 lacks ET, or has CD or NW"},
	{vmsa_dr7, -EOPNOTSUPP, "the VMSA's DR7 0x401 enables breakpoints"},
	{vmsa_features, -EBADMSG, "SEV_FEATURES of the VMSA lack bit 0, SNP active"},
	{id_twice, -EBADMSG, "a second SNP_ID_BLOCK, or one for TDX"},
};

static void refused_files(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(refused); i++) {
		GMEM_INIT(gmem_measure_error, error);
		struct gmem_plan *plan;

		refused[i].build();
		igvm_end(&file);
		expect_refused(refused[i].text,
			       read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error),
			       refused[i].ret, &error, refused[i].text);
	}
}

static void one_page(uint8_t platform, uint16_t type)
{
	begin(platform);
	igvm_page(&file, 0x1000, OURS, 0, 0, type);
}

static void refused_on_tdx(struct gt *t)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	one_page(TDX, SECRETS);
	igvm_end(&file);
	expect_refused("secrets", read_file(GMEM_VM_TDX, 0, 0, &plan, &error), -EBADMSG, &error,
		       "PAGE_DATA type 1 exists on SEV-SNP only");
	begin(TDX);
	igvm_vp_context(&file, 0, OURS, 0, 0);
	igvm_end(&file);
	expect_refused("vCPU", read_file(GMEM_VM_TDX, 0, 0, &plan, &error), -EBADMSG, &error,
		       "VP_CONTEXT has no meaning on TDX");
}

/* One field of the fixed header changed after the checksum was made. */
static const struct {
	uint32_t offset;
	uint32_t value;
	int ret;
	const char *text;
} fixed[] = {
	{0, 0x4d564748, -EBADMSG, "does not begin with IGVM"},
	{4, 3, -EOPNOTSUPP, "version 3 is not known"},
	{8, 16, -EBADMSG, "the variable headers begin at 0x10"},
	{8, 28, -EBADMSG, "the variable headers begin at 0x1c"},
	{8, 0xfffffff8, -EBADMSG, "are outside the file"},
	{12, 0xffffffff, -EBADMSG, "variable headers 0x18+0xffffffff are outside the file"},
	{16, 0xffffffff, -EBADMSG, "the header says 4294967295 bytes, the file has 16384"},
	{20, 0, -EBADMSG, "the header says 0x00000000"},
	{24, 0, -EBADMSG, "the checksum is"},
};

static void fixed_header(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(fixed); i++) {
		GMEM_INIT(gmem_measure_error, error);
		struct gmem_plan *plan;

		one_page(SNP, 0);
		igvm_end(&file);
		memcpy(file.bytes + fixed[i].offset, &fixed[i].value, 4);
		expect_refused(fixed[i].text,
			       read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error),
			       fixed[i].ret, &error, fixed[i].text);
	}
}

static void version_two(struct gt *t)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	igvm_begin(&file, 2);
	igvm_platform(&file, OURS, SNP);
	igvm_end(&file);
	EXPECT("version 2", read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error), 0);
	gmem_plan_destroy(plan);
	file.bytes[24] = 1;
	expect_refused("arm", read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error), -EOPNOTSUPP,
		       &error, "architecture 1 is not x86-64");
	file.bytes[24] = 0;
	file.bytes[30] = 1;
	expect_refused("pages", read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error),
		       -EOPNOTSUPP, &error, "page size 69632 is not 4096");
	file.data = 30;
	expect_refused("short", read_file(GMEM_VM_SNP, GMEM_VMM_QEMU, 1, &plan, &error), -EBADMSG,
		       &error, "the file is too small for its header");
}

static void options(struct gt *t)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	one_page(SNP, 0);
	igvm_end(&file);
	expect_refused("type", read_file(GMEM_VM_SEV, 0, 1, &plan, &error), -EINVAL, &error,
		       "VM type 2 is not SNP or TDX");
	expect_refused("vmm", read_file(GMEM_VM_SNP, GMEM_VMM_EC2, 1, &plan, &error), -EINVAL,
		       &error, "VMM 1 does not launch IGVM files");
	expect_refused("vmm", read_file(GMEM_VM_TDX, GMEM_VMM_CLOUD_HYPERVISOR, 0, &plan, &error),
		       -EINVAL, &error, "VMM 4 does not launch IGVM files");
	expect_refused("vcpus", read_file(GMEM_VM_SNP, 0, 513, &plan, &error), -EINVAL, &error,
		       "513 vCPUs");
	expect_refused("vcpus", read_file(GMEM_VM_TDX, 0, 1, &plan, &error), -EINVAL, &error,
		       "1 vCPUs: there can be up to 512 on SNP, 0 on TDX");
	expect_refused("no vCPU", read_file(GMEM_VM_SNP, 0, 0, &plan, &error), -ENOENT, &error,
		       "the file has no VP_CONTEXT: the number of vCPUs is needed");
	file.data = 0;
	expect_refused("empty", read_file(GMEM_VM_SNP, 0, 1, &plan, &error), -EINVAL, &error,
		       "the IGVM file is empty");
	expect_refused("NULL", gmem_plan_from_igvm(NULL, &plan, &error), -EINVAL, &error,
		       "the options are NULL");
}

#define NO_KERNEL(function)                                                                        \
	{                                                                                          \
#function, function, .flags = GT_NO_KERNEL                                         \
	}

static const struct gt_test tests[] = {
	NO_KERNEL(snp_pages),    NO_KERNEL(cloud_hypervisor), NO_KERNEL(order),
	NO_KERNEL(parameters),   NO_KERNEL(more_vcpus),       NO_KERNEL(vmsa_as_kvm_makes_it),
	NO_KERNEL(tdx_pages),    NO_KERNEL(unaligned_image),  NO_KERNEL(id_block),
	NO_KERNEL(ignorable),    NO_KERNEL(refused_files),    NO_KERNEL(refused_on_tdx),
	NO_KERNEL(fixed_header), NO_KERNEL(version_two),      NO_KERNEL(options),
};

GT_MAIN(tests)
