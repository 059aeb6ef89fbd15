/* SPDX-License-Identifier: MIT */
/* Published launch digests of other programs, from a folder that is not part of the sources. */
#include <nettle/base64.h>
#include <unistd.h>

#include "snp_launch.h"

#define PAGE 4096

struct foreign {
	char dir[512];
	struct vector_table table;
};

static struct foreign foreign_open(const char *name)
{
	struct foreign foreign;
	char json[600];

	REQUIRE(vector_foreign_dir(), "no folder of vectors: GMEM_VECTORS names none");
	snprintf(foreign.dir, sizeof(foreign.dir), "%s/snp", vector_foreign_dir());
	snprintf(json, sizeof(json), "%s/vectors.json", foreign.dir);
	REQUIRE(!access(json, R_OK), "no snp/vectors.json in the folder of vectors");
	foreign.table = vector_table_convert(json, name);
	return foreign;
}

static bool is_error(const char *expected)
{
	return !strncmp(expected, "ERROR", 5);
}

static void expect_error(const struct foreign *foreign, size_t row)
{
	struct launch launch = launch_read(&foreign->table, row, foreign->dir);
	const char *id = vector_cell(&foreign->table, row, "id");
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest;

	expect_refused(id, launch_measure(&launch, &digest, &error), -ENOENT, &error,
		       "the image takes no kernel hashes: its hash area is at 0");
	launch_free(&launch);
}

/* The rows whose image is a file; the others are made by hand below. */
static void launches(struct gt *t)
{
	struct foreign foreign = foreign_open("launch");
	const struct vector_table *table = &foreign.table;
	int64_t done = 0;

	for (size_t i = 0; i < table->count; i++) {
		const char *mode = vector_cell(table, i, "mode");

		if (!strcmp(mode, "pages") || !strcmp(mode, "snp:svsm"))
			continue;
		if (is_error(vector_cell(table, i, "expected")))
			expect_error(&foreign, i);
		else
			expect_launch(table, i, foreign.dir);
		done++;
	}
	EXPECT("snp/README.md", done, 17);
	vector_table_free(&foreign.table);
}

static size_t find_row(const struct vector_table *table, const char *id)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(vector_cell(table, i, "id"), id))
			return i;
	gt_must(__FILE__, __LINE__, "the row exists");
}

static void expect_plan(const struct foreign *foreign, const char *id, struct gmem_plan *plan,
			const struct gmem_measure_opts *opts)
{
	size_t row = find_row(&foreign->table, id);
	struct gmem_digest digest = {0};

	EXPECT(id, gmem_measure_plan(plan, opts, &digest, NULL), 0);
	expect_digest(id, digest.bytes, digest.size, vector_cell(&foreign->table, row, "expected"));
	gmem_plan_destroy(plan);
}

static struct gmem_plan *plan_of(const struct gmem_launch_step *step)
{
	struct gmem_plan *plan;

	MUST(gmem_plan_create(GMEM_VM_SNP, &plan) == 0);
	MUST(gmem_plan_add(plan, step, NULL) == 0);
	return plan;
}

static void bare_pages(struct gt *t)
{
	static _Alignas(PAGE) uint8_t pages[3 * PAGE];
	struct gmem_launch_step normal = {
		.size = sizeof(pages),
		.type = GMEM_LAUNCH_NORMAL,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = pages,
	};
	struct gmem_launch_step zero = {
		.gpa = 0x9000,
		.size = 3 * PAGE,
		.type = GMEM_LAUNCH_ZERO,
	};
	struct foreign foreign = foreign_open("launch");

	for (size_t i = 0; i < 16; i++)
		pages[i] = pages[sizeof(pages) - 16 + i] = (uint8_t) "LGTM"[i % 4];
	expect_plan(&foreign, "pages-normal-3", plan_of(&normal), NULL);
	expect_plan(&foreign, "pages-zero-3", plan_of(&zero), NULL);
	vector_table_free(&foreign.table);
}

static void add_sections(struct gmem_plan *plan, const char *sections)
{
	static const uint32_t types[] = {0, GMEM_LAUNCH_ZERO, GMEM_LAUNCH_SECRETS,
					 GMEM_LAUNCH_CPUID};
	unsigned long gpa, size, type;
	int length;

	for (; sscanf(sections, "%lu/%lu/%lu%n", &gpa, &size, &type, &length) == 3;
	     sections += length + (sections[length] == ',')) {
		struct gmem_launch_step step = {.gpa = gpa, .size = size};

		MUST(type < GT_COUNT(types));
		step.type = types[type];
		MUST(gmem_plan_add(plan, &step, NULL) == 0);
	}
}

static void add_vmsa(struct gmem_plan *plan, const struct gmem_vmsa_opts *opts, uint8_t *page,
		     uint32_t vcpu)
{
	struct gmem_launch_step step = {
		.gpa = GMEM_LAUNCH_VMSA_GPA,
		.size = PAGE,
		.type = GMEM_LAUNCH_VMSA,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = page,
		.vcpu = vcpu,
	};

	EXPECT("snp-svsm-4v", gmem_vmsa_build(opts, page, NULL), 0);
	EXPECT("snp-svsm-4v", gmem_plan_add(plan, &step, NULL), 0);
}

/* Its images are not published, but the digest after them is. */
static void svsm_from_start(struct gt *t)
{
	static _Alignas(PAGE) uint8_t page[PAGE];
	struct foreign foreign = foreign_open("launch");
	const struct vector_table *table = &foreign.table;
	size_t row = find_row(table, "snp-svsm-4v");
	struct gmem_vmsa_opts vmsa = {
		.sz = sizeof(vmsa),
		.profile = GMEM_VMSA_SVSM,
		.vcpu_sig = (uint32_t)vector_number(table, row, "vcpu_sig"),
		.entry = vector_number(table, row, "rip"),
		.sev_features = vector_number(table, row, "guest_features"),
	};
	struct gmem_plan *plan;
	uint8_t start[48];
	struct gmem_measure_opts opts = {.sz = sizeof(opts), .start = start};

	opts.start_size =
		vector_unhex(vector_cell(table, row, "ovmf_hash_seed"), start, sizeof(start));
	MUST(gmem_plan_create(GMEM_VM_SNP, &plan) == 0);
	add_sections(plan, vector_cell(table, row, "sections"));
	for (uint32_t i = 0; i < vector_number(table, row, "vcpus"); i++)
		add_vmsa(plan, &vmsa, page, i);
	expect_plan(&foreign, "snp-svsm-4v", plan, &opts);
	vector_table_free(&foreign.table);
}

static void vmsa_page(struct gt *t)
{
	struct foreign foreign = foreign_open("vmsa");
	const struct vector_table *table = &foreign.table;
	const char *id = vector_cell(table, 0, "id");
	struct gmem_vmsa_opts opts = {
		.sz = sizeof(opts),
		.profile = GMEM_VMSA_GCE,
		.boot = 1,
		.entry = vector_number(table, 0, "eip"),
		.sev_features = vector_number(table, 0, "sev_features"),
	};
	struct vector_file want;
	uint8_t page[PAGE];

	MUST(!strcmp(vector_cell(table, 0, "vmm"), "gce"));
	MUST(vector_file_read(foreign.dir, vector_cell(table, 0, "expected_file"), &want));
	EXPECT(id, gmem_vmsa_build(&opts, page, NULL), 0);
	EXPECT(id, memcmp(page, want.data, PAGE), 0);
	vector_file_free(&want);
	vector_table_free(&foreign.table);
}

static void cpu_signature(struct gt *t)
{
	struct foreign foreign = foreign_open("cpu_sig");
	const struct vector_table *table = &foreign.table;
	uint32_t sig = 0;

	EXPECT("cpu_sig",
	       gmem_vcpu_sig_from_fms((uint32_t)vector_number(table, 0, "family"),
				      (uint32_t)vector_number(table, 0, "model"),
				      (uint32_t)vector_number(table, 0, "stepping"), &sig),
	       0);
	EXPECT("cpu_sig", sig, (int64_t)vector_number(table, 0, "expected"));
	vector_table_free(&foreign.table);
}

/* The tables have numbers little-endian, filled up with zeroes. */
static void get_number(const struct vector_table *table, const char *column, uint8_t *big_endian)
{
	uint8_t bytes[72];

	MUST(vector_unhex(vector_cell(table, 0, column), bytes, sizeof(bytes)) == sizeof(bytes));
	for (size_t i = 0; i < 48; i++)
		big_endian[i] = bytes[47 - i];
}

static struct gmem_snp_id_key get_key(const struct vector_table *table, const char *x,
				      const char *y)
{
	struct gmem_snp_id_key key;

	get_number(table, x, key.x);
	get_number(table, y, key.y);
	return key;
}

static void expect_base64(const char *name, const uint8_t *bytes, size_t size, const char *want)
{
	char text[BASE64_ENCODE_RAW_LENGTH(128) + 1] = "";

	MUST(size <= 128);
	base64_encode_raw(text, size, bytes);
	EXPECT_CASE(name, "the bytes", strcmp(text, want), 0);
}

static void id_block(struct gt *t)
{
	struct foreign foreign = foreign_open("id_block");
	const struct vector_table *table = &foreign.table;
	struct gmem_snp_id_block_opts opts = {
		.sz = sizeof(opts),
		.guest_svn = (uint32_t)vector_number(table, 0, "guest_svn"),
		.policy = vector_number(table, 0, "policy"),
	};
	struct gmem_snp_id_key id = get_key(table, "id_pub_qx_le", "id_pub_qy_le");
	struct gmem_snp_id_key author = get_key(table, "auth_pub_qx_le", "auth_pub_qy_le");
	uint8_t block[GMEM_SNP_ID_BLOCK_SIZE];
	struct gmem_digest digest;

	vector_unhex(vector_cell(table, 0, "launch_digest"), opts.digest, sizeof(opts.digest));
	EXPECT("id_block", gmem_snp_id_block_build(&opts, block, NULL), 0);
	expect_base64("id_block", block, sizeof(block),
		      vector_cell(table, 0, "expected_id_block_b64"));
	EXPECT("id_block", gmem_snp_id_key_write(&id, NULL, &digest), 0);
	expect_base64("the ID key", digest.bytes, digest.size,
		      vector_cell(table, 0, "expected_id_key_digest_b64"));
	EXPECT("id_block", gmem_snp_id_key_write(&author, NULL, &digest), 0);
	expect_base64("the author key", digest.bytes, digest.size,
		      vector_cell(table, 0, "expected_author_key_digest_b64"));
	vector_table_free(&foreign.table);
}

static struct gmem_snp_id_signature get_signature(const struct foreign *foreign, const char *column)
{
	struct gmem_snp_id_signature signature;
	struct vector_file file;

	MUST(vector_file_read(foreign->dir, vector_cell(&foreign->table, 0, column), &file));
	MUST(file.size == 512);
	for (size_t i = 0; i < 48; i++) {
		signature.r[i] = file.data[47 - i];
		signature.s[i] = file.data[72 + 47 - i];
	}
	vector_file_free(&file);
	return signature;
}

static void id_auth(struct gt *t)
{
	struct foreign foreign = foreign_open("id_auth");
	const struct vector_table *table = &foreign.table;
	struct gmem_snp_id_key id = get_key(table, "id_pub_qx_le", "id_pub_qy_le");
	struct gmem_snp_id_key author = get_key(table, "auth_pub_qx_le", "auth_pub_qy_le");
	struct gmem_snp_id_signature block = get_signature(&foreign, "id_block_sig_file");
	struct gmem_snp_id_signature key = get_signature(&foreign, "id_key_sig_file");
	const struct gmem_snp_id_auth_opts opts = {
		.sz = sizeof(opts),
		.id_key = &id,
		.block_signature = &block,
		.author_key = &author,
		.key_signature = &key,
	};
	struct vector_file want;
	uint8_t page[GMEM_SNP_ID_AUTH_SIZE];

	MUST(vector_number(table, 0, "id_key_algo") == 1);
	MUST(vector_file_read(foreign.dir, vector_cell(table, 0, "expected_file"), &want));
	EXPECT("id_auth", gmem_snp_id_auth_build(&opts, page, NULL), 0);
	EXPECT("id_auth", memcmp(page, want.data, sizeof(page)), 0);
	vector_file_free(&want);
	vector_table_free(&foreign.table);
}

static const struct gt_test tests[] = {
	{"id_block", id_block, .flags = GT_NO_KERNEL},
	{"id_auth", id_auth, .flags = GT_NO_KERNEL},
	{"launches", launches, .flags = GT_NO_KERNEL},
	{"bare_pages", bare_pages, .flags = GT_NO_KERNEL},
	{"svsm_from_start", svsm_from_start, .flags = GT_NO_KERNEL},
	{"vmsa_page", vmsa_page, .flags = GT_NO_KERNEL},
	{"cpu_signature", cpu_signature, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
