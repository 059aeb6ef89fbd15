/* SPDX-License-Identifier: MIT */
/* Launch digests of OVMF images on SEV, SEV-ES and SNP against vectors, and images to refuse. */
#include <nettle/sha2.h>

#include "snp_launch.h"

static bool is_debian(const struct vector_table *table, size_t row)
{
	return !strncmp(vector_cell(table, row, "ovmf"), "debian:", 7);
}

static void own_digests(struct gt *t)
{
	char dir[512];
	struct vector_table table;
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "launch.tsv");
	snprintf(dir, sizeof(dir), "%s/snp-own/images", vector_dir());
	for (size_t i = 0; i < table.count; i++) {
		if (is_debian(&table, i))
			continue;
		expect_launch(&table, i, dir);
		done++;
	}
	EXPECT("snp-own/README.md", done, 251);
	vector_table_free(&table);
}

/* Skips unless the machine has the very images that the table was made from. */
static void require_debian(void)
{
	char dir[512];
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct vector_table table;
	struct vector_file file;
	struct sha256_ctx sha;

	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "debian.tsv");
	for (size_t i = 0; i < table.count; i++) {
		const char *name = vector_cell(&table, i, "file");

		REQUIRE(vector_file_read("/", name, &file), "no /%s: package ovmf", name);
		sha256_init(&sha);
		sha256_update(&sha, file.size, file.data);
		sha256_digest(&sha, sizeof(sum), sum);
		REQUIRE(!strcmp(vector_hex(sum, sizeof(sum)), vector_cell(&table, i, "sha256")),
			"/%s is of another version of package ovmf", name);
		vector_file_free(&file);
	}
	vector_table_free(&table);
}

static void debian_digests(struct gt *t)
{
	struct vector_table table;
	char dir[512];
	int64_t done = 0;

	require_debian();
	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "launch.tsv");
	snprintf(dir, sizeof(dir), "%s/snp-own/images", vector_dir());
	for (size_t i = 0; i < table.count; i++) {
		if (!is_debian(&table, i))
			continue;
		expect_launch(&table, i, dir);
		done++;
	}
	EXPECT("snp-own/README.md", done, 21);
	vector_table_free(&table);
}

/* What each row of refused.tsv is refused with; an id that ends in "-" stands for all that begin so. */
struct refusal {
	const char *id;
	int ret;
	const char *text;
};

static const struct refusal refusals[] = {
	{"w01-snp-qemu-1v-0x1-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w01-sev-qemu-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w03-snp-qemu-1v-0x1-kernel", -ENOENT,
	 "the image takes no kernel hashes: its hash area is at 0"},
	{"w03-sev-qemu-kernel", -ENOENT, "the image takes no kernel hashes: its hash area is at 0"},
	{"w05-snp-qemu-1v-0x1-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w05-sev-qemu-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w09-snp-qemu-1v-0x1-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w09-sev-qemu-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w11-snp-qemu-1v-0x1-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w11-sev-qemu-kernel", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"w13-snp-qemu-2v-0x1", -ENOENT, "GUIDed table: no entry for the SEV metadata"},
	{"m01-footer-too-long-", -EBADMSG,
	 "GUIDed table: its length 65535 reaches before the image"},
	{"m02-footer-slightly-long-", -EBADMSG,
	 "GUIDed table: its length 4164 reaches before the image"},
	{"m03-footer-len-0-", -EBADMSG, "GUIDed table: its length 0 is less than its footer"},
	{"m04-footer-guid-", -ENOENT, "the image has no GUIDed table"},
	{"m05-entry-len-0-", -EBADMSG, "GUIDed table: entry length 0 is less than 18"},
	{"m06-entry-len-17-", -EBADMSG, "GUIDed table: entry length 17 is less than 18"},
	{"m07-entry-past-table-", -EBADMSG,
	 "GUIDed table: entry of 64 bytes begins before the table"},
	{"m08-meta-past-image-", -EBADMSG,
	 "SEV metadata: begins 4097 bytes before the image's end, outside the image"},
	{"m09-meta-offset-0-", -EBADMSG, "SEV metadata: no room for its header at the image's end"},
	{"m10-meta-offset-15-", -EBADMSG,
	 "SEV metadata: no room for its header at the image's end"},
	{"m11-meta-entry-short-", -EBADMSG,
	 "GUIDed table: the entry for the SEV metadata has 2 bytes, not 4"},
	{"m12-signature-", -EBADMSG, "SEV metadata: the signature is not ASEV"},
	{"m13-version-2-", -EBADMSG, "SEV metadata: version 2 is not known"},
	{"m14-count-huge-", -EBADMSG,
	 "SEV metadata: 4294967295 sections do not fit in its length 76"},
	{"m15-count-wraps-", -EBADMSG,
	 "SEV metadata: 357913941 sections do not fit in its length 76"},
	{"m16-length-short-", -EBADMSG, "SEV metadata: 5 sections do not fit in its length 75"},
	{"m17-length-past-image-", -EBADMSG,
	 "SEV metadata: its length 65536 reaches past the image"},
	{"m18-overlap-", -EEXIST,
	 "pre-validated memory 0x808000+0x1000 overlaps pre-validated memory 0x800000+0x9000"},
	{"m19-gpa-unaligned-", -EBADMSG,
	 "SEV metadata: section address 0x80f800 is not page aligned"},
	{"m20-size-unaligned-", -EBADMSG,
	 "SEV metadata: section size 0x1800 is not a multiple of a page"},
	{"m21-size-0-mem-", -EBADMSG, "SEV metadata: section at 0x80f000 is empty"},
	{"m22-size-0-cpuid-", -EBADMSG, "SEV metadata: CPUID section of 0x0 bytes, not one page"},
	{"m23-hash-area-no-section-", -ENOENT,
	 "a kernel is given, but the image has no kernel hash section"},
	{"m24-section-no-hash-area-", -ENOENT, "GUIDed table: no entry for the kernel hash area"},
	{"m25-hash-area-late-", -EBADMSG, "the kernel hash area has 175 bytes, less than 176"},
	{"m26-hash-area-other-page-", -EBADMSG,
	 "the kernel hash area 0x820c00 is not in the hash section's page 0x810000"},
	{"m27-truncated-tail-", -EBADMSG,
	 "the firmware image has 4032 bytes, not a multiple of a page"},
	{"m28-truncated-page-", -ENOENT, "the image has no GUIDed table"},
	{"m29-size-not-page-", -EBADMSG,
	 "the firmware image has 4608 bytes, not a multiple of a page"},
	{"m30-tiny-", -EBADMSG, "the firmware image has 16 bytes, not a multiple of a page"},
	{"m31-unknown-type-", -EBADMSG, "SEV metadata: section type 7 is not known"},
	{"m32-no-reset-", -ENOENT, "GUIDed table: no entry for the SEV-ES reset block"},
	{"m33-reset-0-", -EBADMSG, "SEV-ES reset block: the reset address is 0"},
	{"m34-wraps-4g-", -EBADMSG, "SEV metadata: section 0xffffe000+0x4000 ends above 4 GiB"},
	{"m35-duplicate-entry-", -EBADMSG, "GUIDed table: two entries for the SEV metadata"},
	{"p-w01-snp-qemu-1v-0x1-kernel", -EINVAL, "an initrd without a kernel"},
	{"p-w01-snp-qemu-0x1", -EINVAL, "0 vCPUs: there have to be 1 to 512"},
	{"p-w01-snp-qemu-1v-0x0", -EINVAL,
	 "SEV_FEATURES 0x0: bit 0, SNP active, is set for every SNP guest"},
	{"p-w01-snp-qemu-1v-0x1-seed", -EINVAL, "a start digest has 48 bytes, not 47"},
	{"p-w01-seves-qemu-1v-seed", -EINVAL, "a start digest has a meaning on SNP only"},
	{"p-w01-snp-svsm-qemu-1v-0x1", -ENOENT, "GUIDed table: no entry for the SVSM entry point"},
	{"p-w01-snp-svsm-ec2-1v-0x1", -EOPNOTSUPP,
	 "an SVSM launch is known for SNP with QEMU only"},
	{"p-empty.bin-snp-qemu-1v-0x1", -EINVAL, "the firmware image is empty"},
	{"deb-OVMF-snp-qemu-1v-0x1-kernel", -ENOENT,
	 "the image takes no kernel hashes: its hash area is at 0"},
	{"deb-OVMF_CODE-snp-qemu-1v-0x1-kernel", -ENOENT,
	 "the image takes no kernel hashes: its hash area is at 0"},
	{"deb-OVMF_CODE_4M-snp-qemu-2v-0x1", -ENOENT,
	 "GUIDed table: no entry for the SEV metadata"},
	{"deb-OVMF_CODE_4M-sev-qemu-kernel", -ENOENT,
	 "the image takes no kernel hashes: its hash area is at 0"},
};

static const struct refusal *find_refusal(const char *id)
{
	size_t best = 0;
	const struct refusal *found = NULL;

	for (size_t i = 0; i < GT_COUNT(refusals); i++) {
		size_t length = strlen(refusals[i].id);

		if (length > best && !strncmp(refusals[i].id, id, length)) {
			best = length;
			found = &refusals[i];
		}
	}
	if (!found)
		fprintf(stderr, "no refusal is expected for %s\n", id);
	MUST(found);
	return found;
}

/* "either": accepted, with the digest of the table. */
static void expect_row(const struct vector_table *table, size_t row, const char *dir)
{
	struct launch launch = launch_read(table, row, dir);
	bool either = !strcmp(vector_cell(table, row, "careful"), "either");
	const char *id = vector_cell(table, row, "id");
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest = {0};
	int ret = launch_measure(&launch, &digest, &error);

	if (either) {
		EXPECT_CASE(id, "accepted", ret, 0);
		expect_digest(id, digest.bytes, digest.size, vector_cell(table, row, "digest"));
	} else {
		const struct refusal *refusal = find_refusal(id);

		expect_refused(id, ret, refusal->ret, &error, refusal->text);
	}
	launch_free(&launch);
}

static void expect_rows(bool debian, int64_t want)
{
	struct vector_table table;
	char dir[512];
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "refused.tsv");
	snprintf(dir, sizeof(dir), "%s/snp-own/images", vector_dir());
	for (size_t i = 0; i < table.count; i++) {
		if (is_debian(&table, i) != debian)
			continue;
		expect_row(&table, i, dir);
		done++;
	}
	EXPECT("snp-own/README.md", done, want);
	vector_table_free(&table);
}

static void own_refusals(struct gt *t)
{
	expect_rows(false, 58);
}

static void debian_refusals(struct gt *t)
{
	require_debian();
	expect_rows(true, 4);
}

static const struct gt_test tests[] = {
	{"own_digests", own_digests, .flags = GT_NO_KERNEL},
	{"own_refusals", own_refusals, .flags = GT_NO_KERNEL},
	{"debian_digests", debian_digests, .flags = GT_NO_KERNEL},
	{"debian_refusals", debian_refusals, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
