/* SPDX-License-Identifier: MIT */
/* Rules of the OVMF reader that no vector breaks: images changed at one place, options that do not fit. */
#include <libgmem/measure.h>

#include "vectors.h"

#define PAGE 4096

/* w02-kernel-16k.bin: distances from its end. */
#define META         0x530
#define SECTION(i)   (META - 16 - 12 * (i))
#define SECTION_GPA  0
#define SECTION_SIZE 4
#define TABLE_FOOTER 34
#define TABLE_HASHES 98
#define TABLE_RESET  146
#define SECRETS      2
#define CPUID        3
#define CAA          4
#define HASHES       5

struct image {
	struct vector_file file;
	struct gmem_ovmf_opts opts;
};

static struct image image_read(const char *name)
{
	struct image image = {
		.opts =
			{
				.sz = sizeof(image.opts),
				.vm_type = GMEM_VM_SNP,
				.vcpus = 1,
				.sev_features = 1,
			},
	};
	char path[128];

	snprintf(path, sizeof(path), "snp-own/images/%s", name);
	MUST(vector_file_read(vector_dir(), path, &image.file));
	image.opts.image = image.file.data;
	image.opts.image_size = image.file.size;
	return image;
}

static void put(struct image *image, size_t distance, uint32_t value)
{
	memcpy(image->file.data + image->file.size - distance, &value, sizeof(value));
}

static void expect(const char *name, struct image *image, int ret, const char *text)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;

	expect_refused(name, gmem_plan_from_ovmf(&image->opts, &plan, &error), ret, &error, text);
	vector_file_free(&image->file);
}

static const struct {
	size_t distance;
	uint32_t value;
	int ret;
	const char *text;
} changes[] = {
	{TABLE_HASHES, 0x810f51, -EBADMSG,
	 "the kernel hash table at 0x810f51 does not fit in its page"},
	{TABLE_HASHES, 0x80ffff, -EBADMSG, "is not in the hash section's page 0x810000"},
	{TABLE_HASHES, 0x811000, -EBADMSG, "is not in the hash section's page 0x810000"},
	{TABLE_HASHES - 4, 175, -EBADMSG, "the kernel hash area has 175 bytes, less than 176"},
	{SECTION(CAA) - 8, 0x10, -EBADMSG, "is not in the hash section's page 0x80f000"},
	{SECTION(SECRETS) - SECTION_SIZE, 0x2000, -EBADMSG,
	 "secrets section of 0x2000 bytes, not one page"},
	{SECTION(CPUID) - SECTION_SIZE, 0x2000, -EBADMSG,
	 "CPUID section of 0x2000 bytes, not one page"},
	{SECTION(CPUID) - SECTION_GPA, 0xffffc000, -EEXIST,
	 "CPUID 0xffffc000+0x1000 overlaps firmware 0xffffc000+0x4000"},
	{TABLE_FOOTER, 0, -ENOENT, "the image has no GUIDed table"},
	{META - 12, 8, -EBADMSG, "sections do not fit"},
};

static void changed_images(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(changes); i++) {
		struct image image = image_read("w02-kernel-16k.bin");

		image.opts.kernel = "kernel";
		image.opts.kernel_size = 6;
		put(&image, changes[i].distance, changes[i].value);
		expect(changes[i].text, &image, changes[i].ret, changes[i].text);
	}
}

/* Two sections of the type, one after the other, the area in the first page of the first. */
static void two_hash_sections(struct gt *t)
{
	struct image image = image_read("w02-kernel-16k.bin");

	image.opts.kernel = "kernel";
	image.opts.kernel_size = 6;
	put(&image, SECTION(6) - 8, 0x10);
	expect("two", &image, -EBADMSG, "a second kernel hash section at 0x811000");
}

static void no_vcpus(struct image *image)
{
	image->opts.vcpus = 0;
}

static void many_vcpus(struct image *image)
{
	image->opts.vcpus = 513;
}

static void other_vm(struct image *image)
{
	image->opts.vm_type = GMEM_VM_TDX;
}

static void other_vmm(struct image *image)
{
	image->opts.vmm = GMEM_VMM_CLOUD_HYPERVISOR;
}

static void reserved(struct image *image)
{
	image->opts.reserved = 1;
}

static void unknown_flag(struct image *image)
{
	image->opts.flags = 4;
}

static void both_flags(struct image *image)
{
	image->opts.flags = GMEM_OVMF_IMAGE_ONLY | GMEM_OVMF_WITHOUT_IMAGE;
}

static void flag_on_sev(struct image *image)
{
	image->opts.vm_type = GMEM_VM_SEV;
	image->opts.flags = GMEM_OVMF_IMAGE_ONLY;
}

static void snp_on_es(struct image *image)
{
	image->opts.vm_type = GMEM_VM_SEV_ES;
}

static void append_alone(struct image *image)
{
	image->opts.append = "";
}

static void no_image(struct image *image)
{
	image->opts.image = NULL;
}

static void huge_image(struct image *image)
{
	image->opts.image_size = (UINT64_C(2) << 30) + PAGE;
}

static void svsm_size_alone(struct image *image)
{
	image->opts.svsm_size = PAGE;
}

static void vars_size_alone(struct image *image)
{
	image->opts.vars_size = PAGE;
}

static uint8_t svsm_page[PAGE];

static void with_svsm(struct image *image)
{
	image->opts.svsm = svsm_page;
	image->opts.svsm_size = PAGE;
}

static void svsm_odd(struct image *image)
{
	with_svsm(image);
	image->opts.svsm_size = PAGE + 1;
}

static void svsm_huge(struct image *image)
{
	with_svsm(image);
	image->opts.svsm_size = (UINT64_C(1) << 30) + PAGE;
}

static void svsm_vars(struct image *image)
{
	with_svsm(image);
	image->opts.vars_size = 1;
}

static void svsm_kernel(struct image *image)
{
	with_svsm(image);
	image->opts.kernel = "k";
	image->opts.kernel_size = 1;
}

static void svsm_es(struct image *image)
{
	with_svsm(image);
	image->opts.vm_type = GMEM_VM_SEV_ES;
	image->opts.sev_features = 0;
}

static const struct {
	void (*change)(struct image *image);
	int ret;
	const char *text;
} options[] = {
	{no_vcpus, -EINVAL, "0 vCPUs: there have to be 1 to 512"},
	{many_vcpus, -EINVAL, "513 vCPUs: there have to be 1 to 512"},
	{other_vm, -EINVAL, "VM type 5 is not SEV, SEV-ES or SNP"},
	{other_vmm, -EINVAL, "VMM 4 is not known"},
	{reserved, -EINVAL, "VMM 0 is not known, or the reserved field is not 0"},
	{unknown_flag, -EINVAL, "flags 0x4 are not valid here"},
	{both_flags, -EINVAL, "flags 0x3 are not valid here"},
	{flag_on_sev, -EINVAL, "flags 0x1 are not valid here"},
	{snp_on_es, -EINVAL, "SEV_FEATURES 0x1: bit 0, SNP active, on SEV-ES"},
	{append_alone, -EINVAL, "a kernel command line without a kernel"},
	{no_image, -EINVAL, "the firmware image is empty"},
	{huge_image, -EBADMSG, "the firmware image has more than 2 GiB"},
	{svsm_size_alone, -EINVAL, "a size, but no SVSM image"},
	{vars_size_alone, -EINVAL, "a size, but no SVSM image"},
	{svsm_odd, -EBADMSG, "the SVSM image has 4097 bytes, not a multiple of a page"},
	{svsm_huge, -EINVAL, "the SVSM image has more than 1 GiB"},
	{svsm_vars, -EINVAL, "the variable store's size 0x1 is not whole pages up to 1 GiB"},
	{svsm_kernel, -EOPNOTSUPP, "an SVSM launch with measured direct boot is not known"},
	{svsm_es, -EOPNOTSUPP, "an SVSM launch is known for SNP with QEMU only"},
	{with_svsm, -ENOENT, "the image has no GUIDed table"},
};

static void refused_options(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(options); i++) {
		struct image image = image_read("w02-kernel-16k.bin");

		options[i].change(&image);
		expect(options[i].text, &image, options[i].ret, options[i].text);
	}
}

/* The SVSM's entry is the lowest of its table: SVSM entry, metadata, footer. */
static void svsm_entry_outside(struct gt *t)
{
	struct image image = image_read("w01-min-4k.bin"), svsm = image_read("v01-svsm-8k.bin");

	put(&svsm, 94, 0x2000);
	image.opts.svsm = svsm.file.data;
	image.opts.svsm_size = svsm.file.size;
	expect("entry", &image, -EBADMSG, "the SVSM's entry point 0x2000 is outside its image");
	vector_file_free(&svsm.file);
}

static struct gmem_digest es_digest(struct image *image)
{
	struct gmem_digest digest = {0};
	struct gmem_plan *plan;

	image->opts.vm_type = GMEM_VM_SEV_ES;
	image->opts.sev_features = 0;
	image->opts.vcpus = 2;
	if (!EXPECT("SEV-ES", gmem_plan_from_ovmf(&image->opts, &plan, NULL), 0))
		return digest;
	EXPECT("SEV-ES", gmem_measure_plan(plan, NULL, &digest, NULL), 0);
	gmem_plan_destroy(plan);
	return digest;
}

static struct gmem_plan *es_plan(const struct image *image, uint8_t *pages, uint32_t entry)
{
	struct gmem_vmsa_opts opts = {.sz = sizeof(opts), .boot = 1, .entry = 0xfffffff0};
	struct gmem_launch_step steps[] = {
		{.gpa = 0xfffff000, .size = PAGE, .type = GMEM_LAUNCH_NORMAL, .flags = 1},
		{.gpa = GMEM_LAUNCH_VMSA_GPA, .size = PAGE, .type = GMEM_LAUNCH_VMSA, .flags = 1},
		{.gpa = GMEM_LAUNCH_VMSA_GPA,
		 .size = PAGE,
		 .type = GMEM_LAUNCH_VMSA,
		 .flags = 1,
		 .vcpu = 1},
	};
	struct gmem_plan *plan;

	MUST(gmem_vmsa_build(&opts, pages, NULL) == 0);
	opts.boot = 0;
	opts.entry = entry;
	MUST(gmem_vmsa_build(&opts, pages + PAGE, NULL) == 0);
	steps[0].bytes = image->file.data;
	steps[1].bytes = pages;
	steps[2].bytes = pages + PAGE;
	MUST(gmem_plan_create(GMEM_VM_SEV_ES, &plan) == 0);
	for (size_t i = 0; i < GT_COUNT(steps); i++)
		MUST(gmem_plan_add(plan, &steps[i], NULL) == 0);
	return plan;
}

/* Firmware from before the table: address, length and GUID right before the last 32 bytes. */
static void bare_reset_block(struct gt *t)
{
	static const uint8_t block[] = {0x04, 0xb0, 0x80, 0x00, 22,   0,    0xde, 0x71,
					0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e,
					0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
	static _Alignas(PAGE) uint8_t pages[2 * PAGE];
	struct image image = image_read("w01-min-4k.bin");
	struct gmem_digest a, b;
	struct gmem_plan *plan;

	memcpy(image.file.data + PAGE - 32 - sizeof(block), block, sizeof(block));
	a = es_digest(&image);
	plan = es_plan(&image, pages, 0x80b004);
	EXPECT("SEV-ES", gmem_measure_plan(plan, NULL, &b, NULL), 0);
	EXPECT("SEV-ES", a.size == b.size && !memcmp(a.bytes, b.bytes, a.size), true);
	gmem_plan_destroy(plan);
	image.opts.vm_type = GMEM_VM_SNP;
	image.opts.sev_features = 1;
	expect("SNP", &image, -ENOENT, "the image has no GUIDed table");
}

static void no_reset_block(struct gt *t)
{
	struct image image = image_read("m28-truncated-page.bin");

	image.opts.vm_type = GMEM_VM_SEV_ES;
	image.opts.sev_features = 0;
	expect("SEV-ES", &image, -ENOENT, "neither a GUIDed table nor a SEV-ES reset block");
}

/* An image at an odd address is copied: the caller may free it. */
static void unaligned_image(struct gt *t)
{
	struct image image = image_read("w02-kernel-16k.bin");
	uint8_t *copy = malloc(image.file.size + 1);
	struct gmem_digest a, b;
	struct gmem_plan *plan;

	MUST(copy);
	MUST(gmem_plan_from_ovmf(&image.opts, &plan, NULL) == 0);
	EXPECT("aligned", gmem_measure_plan(plan, NULL, &a, NULL), 0);
	gmem_plan_destroy(plan);
	memcpy(copy + 1, image.file.data, image.file.size);
	image.opts.image = copy + 1;
	EXPECT("odd", gmem_plan_from_ovmf(&image.opts, &plan, NULL), 0);
	free(copy);
	EXPECT("odd", gmem_measure_plan(plan, NULL, &b, NULL), 0);
	EXPECT("odd", memcmp(&a, &b, sizeof(a)), 0);
	gmem_plan_destroy(plan);
	vector_file_free(&image.file);
}

#define NO_KERNEL(function)                                                                        \
	{                                                                                          \
#function, function, .flags = GT_NO_KERNEL                                         \
	}

static const struct gt_test tests[] = {
	NO_KERNEL(changed_images),     NO_KERNEL(two_hash_sections), NO_KERNEL(refused_options),
	NO_KERNEL(svsm_entry_outside), NO_KERNEL(bare_reset_block),  NO_KERNEL(no_reset_block),
	NO_KERNEL(unaligned_image),
};

GT_MAIN(tests)
