/* SPDX-License-Identifier: MIT */
/* MRTD and TD HOB against vectors, and images to refuse. */
#include <libgmem/measure.h>
#include <nettle/sha2.h>

#include "region_lists.h"
#include "vectors.h"

#define PAGE 4096

static const char *tdx_dir(void)
{
	static char dir[512];

	snprintf(dir, sizeof(dir), "%s/tdx", vector_dir());
	return dir;
}

static int measure(const struct vector_file *file, uint32_t flags, uint32_t measure_flags,
		   struct gmem_digest *digest, struct gmem_measure_error *error)
{
	const struct gmem_tdvf_opts opts = {
		.sz = sizeof(opts),
		.image = file->data,
		.image_size = file->size,
		.flags = flags,
	};
	const struct gmem_measure_opts how = {.sz = sizeof(how), .flags = measure_flags};
	struct gmem_plan *plan;
	int ret = gmem_plan_from_tdvf(&opts, &plan, error);

	if (ret)
		return ret;
	ret = gmem_measure_plan(plan, &how, digest, error);
	gmem_plan_destroy(plan);
	return ret;
}

static void expect_mrtd(const char *name, const struct vector_file *file, uint32_t flags,
			uint32_t measure_flags, const char *want)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest = {0};
	int ret = measure(file, flags, measure_flags, &digest, &error);

	if (!EXPECT_CASE(name, "the image is measured", ret, 0))
		fprintf(stderr, "  %s\n", error.text);
	expect_digest(name, digest.bytes, digest.size, want);
}

static bool is_digest(const char *cell)
{
	return strcmp(cell, "reject") != 0;
}

/* The values of a row that libgmem gives too: those of the programs that follow the specification. */
static void expect_values(const struct vector_table *table, size_t row,
			  const struct vector_file *file)
{
	const char *name = vector_cell(table, row, "name");
	const char *tdshim = vector_cell(table, row, "tdshim_py");
	const char *gce = vector_cell(table, row, "gce_go");
	const char *two_pass = vector_cell(table, row, "dstack_rs_two_pass");

	expect_mrtd(name, file, 0, 0, tdshim);
	if (is_digest(gce))
		expect_mrtd(name, file, GMEM_TDVF_ADD_AUG, 0, gce);
	if (is_digest(two_pass))
		expect_mrtd(name, file, 0, GMEM_MEASURE_TWO_PASS, two_pass);
}

static void images(struct gt *t)
{
	struct vector_table table = vector_table_read(tdx_dir(), "images.tsv");
	struct vector_file file;
	int64_t done = 0;

	for (size_t i = 0; i < table.count; i++) {
		if (*vector_cell(&table, i, "name") != 'i')
			continue;
		MUST(vector_file_read(tdx_dir(), vector_cell(&table, i, "file"), &file));
		expect_values(&table, i, &file);
		vector_file_free(&file);
		done++;
	}
	EXPECT("tdx/images.tsv", done, 9);
	vector_table_free(&table);
}

struct refusal {
	const char *name;
	int ret;
	const char *text;
	uint64_t offset;
};

/* Stricter than each single program, as strict as all of them together. */
static const struct refusal refusals[] = {
	{"n01-bad-signature", -EBADMSG, "the signature is not TDVF", 0x1810},
	{"n02-version-2", -EBADMSG, "version 2 is not known", 0x1818},
	{"n03-length", -EBADMSG, "its length 112 does not fit 4 sections", 0x1814},
	{"n04-unaligned-address", -EBADMSG, "TempMem section address 0x810800 is not page aligned",
	 0x1880},
	{"n07-offset-past-start", -EBADMSG, "outside the image", 0},
	{"n09-unknown-type", -EBADMSG, "section type 9 is not known", 0x1880},
	{"n11-no-hob", -ENOENT, "no TD_HOB section", UINT64_MAX},
	{"n13-bad-meta-guid", -EBADMSG, "the GUID before it is another one", 0x1800},
	{"n15-raw-past-end", -EBADMSG, "data of a BFV section 0x1800+0x1000 is outside the image",
	 0x1820},
};

static void refused_images(struct gt *t)
{
	struct vector_file file;
	char path[64];

	for (size_t i = 0; i < GT_COUNT(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		GMEM_INIT(gmem_measure_error, error);
		struct gmem_digest digest;

		snprintf(path, sizeof(path), "images/%s.fd", refusal->name);
		MUST(vector_file_read(tdx_dir(), path, &file));
		expect_refused(refusal->name, measure(&file, 0, 0, &digest, &error), refusal->ret,
			       &error, refusal->text);
		if (refusal->offset)
			EXPECT_CASE(refusal->name, "the offset", (int64_t)error.offset,
				    (int64_t)refusal->offset);
		vector_file_free(&file);
	}
}

/* A change of i01-minimal.fd or i02-ovmf-like.fd at one place, which breaks one rule. */
struct mutation {
	const char *file;
	uint32_t offset;
	uint32_t value;
	int ret;
	const char *text;
};

/* i01's descriptor is at 0x1810: sections BFV, CFV, TD_HOB, TempMem of 32 bytes from 0x1820 on. */
#define I01  "images/i01-minimal.fd"
#define BFV  0x1820
#define CFV  0x1840
#define HOB  0x1860
#define TEMP 0x1880
#define RAW  4
#define GPA  8
#define SIZE 16
#define TYPE 24
#define ATTR 28

static const struct mutation mutations[] = {
	{I01, 0x181c, 0xffffffff, -EBADMSG, "its length 144 does not fit 4294967295 sections"},
	{I01, BFV + RAW, 0, -EBADMSG, "BFV section without data"},
	{I01, CFV + RAW, 0, -EBADMSG, "CFV section without data"},
	{I01, HOB + RAW, 1, -EBADMSG, "TD_HOB section with data"},
	{I01, TEMP + RAW, 1, -EBADMSG, "TempMem section with data"},
	{I01, BFV + RAW, 0x800, -EBADMSG, "measured BFV section with less data than memory"},
	{I01, CFV + RAW, 0x1001, -EBADMSG, "CFV section has more data than memory"},
	{I01, TEMP + SIZE, 0, -EBADMSG, "TempMem section has 0x0 bytes of memory, not pages"},
	{I01, TEMP + SIZE, 0x1800, -EBADMSG, "TempMem section has 0x1800 bytes of memory"},
	{I01, TEMP + SIZE + 4, 0x200, -EBADMSG, "asks for 2097152 MiB of memory, more than 4096"},
	{I01, TEMP + SIZE + 4, 0x100000, -EINVAL, "TempMem 0x810000+0x10000000001000 ends above"},
	{I01, HOB + SIZE + 4, 1, -EBADMSG, "TD_HOB section makes more than 64 MiB to fill"},
	{I01, TEMP + GPA, 0x809000, -EEXIST, "overlaps"},
	{I01, TEMP + TYPE, 2, -EBADMSG, "a second TD_HOB section"},
	{I01, BFV + TYPE, 1, -ENOENT, "no BFV section"},
	{I01, BFV + ATTR, 4, -EBADMSG, "attributes 0x4 on a BFV section"},
	{I01, BFV + ATTR, 2, -EBADMSG, "attributes 0x2 on a BFV section"},
	{I01, HOB + ATTR, 1, -EBADMSG, "attributes 0x1 on a TD_HOB section"},
	{I01, TEMP + ATTR, 3, -EBADMSG, "attributes 0x3 on a TempMem section"},
	{I01, TEMP + TYPE, 4, -EBADMSG, "attributes 0x0 on a PermMem section"},
	{I01, TEMP + TYPE, 7, -EBADMSG, "TdInfo section without data"},
	{I01, CFV + TYPE, 7, -EBADMSG, "TdInfo section with memory"},
};

static void expect_mutation(const struct mutation *mutation)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest;
	struct vector_file file;

	MUST(vector_file_read(tdx_dir(), mutation->file, &file));
	memcpy(file.data + mutation->offset, &mutation->value, sizeof(mutation->value));
	expect_refused(mutation->text, measure(&file, 0, 0, &digest, &error), mutation->ret, &error,
		       mutation->text);
	vector_file_free(&file);
}

static void broken_rules(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(mutations); i++)
		expect_mutation(&mutations[i]);
}

static void expect_list(void *user, const char *name, struct gmem_plan *plan, const char *mrtd)
{
	struct gmem_digest digest = {0};

	EXPECT(name, gmem_measure_plan(plan, NULL, &digest, NULL), 0);
	expect_digest(name, digest.bytes, digest.size, mrtd);
	gmem_plan_destroy(plan);
}

static void region_lists(struct gt *t)
{
	region_lists_each(expect_list, NULL);
}

/* q35: below 4 GiB there are 2 GiB where the guest has 0xb0000000 bytes or more. */
static size_t q35_ram(uint64_t size, struct gmem_range *ram)
{
	uint64_t low = size < 0xb0000000 ? size : 0x80000000;

	ram[0] = (struct gmem_range){.start = 0, .size = low};
	ram[1] = (struct gmem_range){.start = UINT64_C(1) << 32, .size = size - low};
	return size == low ? 1 : 2;
}

static const struct gmem_launch_step *hob_step(const struct gmem_plan *plan)
{
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);

	for (size_t i = 0; i < count; i++)
		if (steps[i].type == GMEM_LAUNCH_TD_HOB)
			return &steps[i];
	gt_must(__FILE__, __LINE__, "a TD HOB step");
}

static struct gmem_plan *plan_i02(struct vector_file *file)
{
	struct gmem_tdvf_opts opts = {.sz = sizeof(opts)};
	struct gmem_plan *plan;

	MUST(vector_file_read(tdx_dir(), "images/i02-ovmf-like.fd", file));
	opts.image = file->data;
	opts.image_size = file->size;
	MUST(gmem_plan_from_tdvf(&opts, &plan, NULL) == 0);
	return plan;
}

static void td_hob(struct gt *t)
{
	struct vector_table table = vector_table_read(tdx_dir(), "hob.tsv");
	struct vector_file file, bytes;
	struct gmem_plan *plan = plan_i02(&file);
	const struct gmem_launch_step *step = hob_step(plan);
	struct gmem_digest digest = {0};
	struct gmem_range ram[2];

	MUST(vector_file_read(tdx_dir(), "hob-4g.bin", &bytes));
	for (size_t i = 0; i < table.count; i++) {
		const char *name = vector_cell(&table, i, "ram_bytes");
		size_t count = q35_ram(vector_number(&table, i, "ram_bytes"), ram);
		uint64_t length = vector_number(&table, i, "length");
		const uint8_t *end = (const uint8_t *)step->bytes + length;

		EXPECT(name, gmem_plan_fill_td_hob(plan, ram, count, &digest, NULL), 0);
		expect_digest(name, digest.bytes, digest.size, vector_cell(&table, i, "sha384"));
		EXPECT_CASE(name, "the end mark", memcmp(end, "\xff\xff\x08\0\0\0\0\0", 8), 0);
		if (!strcmp(name, "4294967296"))
			EXPECT_CASE(name, "the bytes", memcmp(step->bytes, bytes.data, length), 0);
	}
	vector_file_free(&bytes);
	gmem_plan_destroy(plan);
	vector_file_free(&file);
	vector_table_free(&table);
}

static void td_hob_refused(struct gt *t)
{
	static const struct {
		const char *name;
		struct gmem_range ram[2];
		size_t count;
		int ret;
		const char *text;
	} cases[] = {
		{"none", {{0, 0}}, 0, -EINVAL, "no RAM is given"},
		{"empty", {{0, 0}}, 1, -EINVAL, "empty, unaligned or out of order"},
		{"unaligned", {{0, 0x1800}}, 1, -EINVAL, "empty, unaligned or out of order"},
		{"order", {{0x1000, 0x1000}, {0, 0x1000}}, 2, -EINVAL, "out of order"},
		{"partly", {{0, 0x801000}}, 1, -EINVAL, "0x800000+0x6000 is only partly RAM"},
	};
	GMEM_INIT(gmem_measure_error, error);
	struct vector_file file;
	struct gmem_plan *plan = plan_i02(&file), *empty;

	for (size_t i = 0; i < GT_COUNT(cases); i++)
		expect_refused(
			cases[i].name,
			gmem_plan_fill_td_hob(plan, cases[i].ram, cases[i].count, NULL, &error),
			cases[i].ret, &error, cases[i].text);
	MUST(gmem_plan_create(GMEM_VM_TDX, &empty) == 0);
	expect_refused("no HOB", gmem_plan_fill_td_hob(empty, cases[1].ram, 1, NULL, &error),
		       -ENOENT, &error, "the plan has no TD HOB to fill");
	gmem_plan_destroy(empty);
	gmem_plan_destroy(plan);
	vector_file_free(&file);
}

/* One file, or the second behind the first; what stands in brackets is a remark. */
static void read_real(const char *files, struct vector_file *file)
{
	char names[256];
	char *second;
	struct vector_file more;

	snprintf(names, sizeof(names), "%.*s", (int)strcspn(files, "("), files);
	if (names[strlen(names) - 1] == ' ')
		names[strlen(names) - 1] = '\0';
	second = strstr(names, " followed by ");
	if (second)
		*second = '\0';
	REQUIRE(vector_file_read("/", names, file), "no /%s: package ovmf", names);
	if (!second)
		return;
	second += strlen(" followed by ");
	REQUIRE(vector_file_read("/", second, &more), "no /%s: package ovmf", second);
	file->data = realloc(file->data, file->size + more.size);
	MUST(file->data);
	memcpy(file->data + file->size, more.data, more.size);
	file->size += more.size;
	vector_file_free(&more);
}

static void require_sum(const struct vector_file *file, const char *name, const char *want)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, file->size, file->data);
	sha256_digest(&sha, sizeof(sum), sum);
	REQUIRE(!strcmp(vector_hex(sum, sizeof(sum)), want), "%s: another version of package ovmf",
		name);
}

static const struct refusal real_refusals[] = {
	{"r04-ovmf-u2-code-only", -EBADMSG, "data of a BFV section 0x20000+0x1e0000 is outside"},
	{"r05-ovmf-u2-code-4m", -ENOENT, "no entry for the TDX metadata"},
	{"r06-ovmf-u2-vars", -ENOENT, "no GUIDed table, and the offset 0xffffffff at its end"},
};

static void expect_real_refusal(const char *name, const struct vector_file *file)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest;
	int ret = measure(file, 0, 0, &digest, &error);

	for (size_t i = 0; i < GT_COUNT(real_refusals); i++) {
		if (strcmp(real_refusals[i].name, name))
			continue;
		expect_refused(name, ret, real_refusals[i].ret, &error, real_refusals[i].text);
		return;
	}
	gt_must(__FILE__, __LINE__, "a refusal for each rejected image");
}

static void debian_images(struct gt *t)
{
	struct vector_table table = vector_table_read(tdx_dir(), "real.tsv");
	struct vector_file file;

	for (size_t i = 0; i < table.count; i++) {
		const char *name = vector_cell(&table, i, "name");

		read_real(vector_cell(&table, i, "files"), &file);
		require_sum(&file, name, vector_cell(&table, i, "sha256"));
		if (is_digest(vector_cell(&table, i, "tdshim_py")))
			expect_values(&table, i, &file);
		else
			expect_real_refusal(name, &file);
		vector_file_free(&file);
	}
	EXPECT("tdx/real.tsv", (int64_t)table.count, 6);
	vector_table_free(&table);
}

static const struct gt_test tests[] = {
	{"images", images, .flags = GT_NO_KERNEL},
	{"refused_images", refused_images, .flags = GT_NO_KERNEL},
	{"broken_rules", broken_rules, .flags = GT_NO_KERNEL},
	{"region_lists", region_lists, .flags = GT_NO_KERNEL},
	{"td_hob", td_hob, .flags = GT_NO_KERNEL},
	{"td_hob_refused", td_hob_refused, .flags = GT_NO_KERNEL},
	{"debian_images", debian_images, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
