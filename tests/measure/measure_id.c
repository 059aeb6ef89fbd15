/* SPDX-License-Identifier: MIT */
/* SNP ID blocks signed here, and each way in which the firmware would refuse one. */
#include <libgmem/measure.h>

#include "id_signer.h"
#include "vectors.h"

#define POLICY 0x30000

static void valid(struct gt *t)
{
	struct signed_block made;

	signed_block_make(NULL, POLICY, &made);
	EXPECT("valid", gmem_snp_id_check(made.block, made.auth, &made.digest, POLICY, 0, NULL), 0);
	EXPECT("valid",
	       gmem_snp_id_check(made.block, made.auth, &made.digest, POLICY, GMEM_SNP_ID_AUTHOR,
				 NULL),
	       0);
}

/* One byte of block (below AUTH) or page changed. */
#define AUTH 0x1000

static const struct {
	const char *text;
	uint32_t offset;
	int ret;
} cases[] = {
	{"the ID block is for another launch digest", 0, -EPERM},
	{"the signature by the ID key is wrong", 48, -EKEYREJECTED},
	{"the ID block's version is 254, not 1", 80, -EBADMSG},
	{"the signature by the ID key is wrong", 84, -EKEYREJECTED},
	{"the ID block is for another guest policy", 88, -EPERM},
	{"the ID key's algorithm is 254, not 1", AUTH + 0, -EBADMSG},
	{"the author key's algorithm is 254, not 1", AUTH + 4, -EBADMSG},
	{"the signature by the ID key is wrong", AUTH + 0x40, -EKEYREJECTED},
	{"the signature by the ID key is wrong", AUTH + 0x40 + 72, -EKEYREJECTED},
	{"the ID key's curve is 253, not 2", AUTH + 0x240, -EBADMSG},
	{"the ID key is no point of its curve", AUTH + 0x244, -EBADMSG},
	{"the ID key is no point of its curve", AUTH + 0x244 + 71, -EBADMSG},
	{"the signature by the author key is wrong", AUTH + 0x240 + 1027, -EKEYREJECTED},
	{"the signature by the author key is wrong", AUTH + 0x680, -EKEYREJECTED},
	{"the author key's curve is 253, not 2", AUTH + 0x880, -EBADMSG},
	{"the author key is no point of its curve", AUTH + 0x884, -EBADMSG},
};

static void refused(struct gt *t)
{
	struct signed_block made;

	signed_block_make(NULL, POLICY, &made);
	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		uint8_t *byte = cases[i].offset < AUTH ? made.block + cases[i].offset
						       : made.auth + cases[i].offset - AUTH;
		GMEM_INIT(gmem_measure_error, error);

		*byte = (uint8_t) ~*byte;
		expect_refused(cases[i].text,
			       gmem_snp_id_check(made.block, made.auth, &made.digest, POLICY,
						 GMEM_SNP_ID_AUTHOR, &error),
			       cases[i].ret, &error, cases[i].text);
		*byte = (uint8_t) ~*byte;
	}
}

static void options(struct gt *t)
{
	GMEM_INIT(gmem_snp_id_block_opts, block);
	GMEM_INIT(gmem_snp_id_auth_opts, auth);
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_snp_id_signature signature = {0};
	struct gmem_snp_id_key key = {0};
	uint8_t page[GMEM_SNP_ID_AUTH_SIZE];

	block.reserved = 1;
	expect_refused("block", gmem_snp_id_block_build(&block, page, &error), -EINVAL, &error,
		       "the reserved field is not 0");
	expect_refused("auth", gmem_snp_id_auth_build(&auth, page, &error), -EINVAL, &error,
		       "the ID key, its signature or the page is NULL");
	auth.id_key = &key;
	auth.block_signature = &signature;
	EXPECT("no author", gmem_snp_id_auth_build(&auth, page, NULL), 0);
	auth.author_key = &key;
	expect_refused("auth", gmem_snp_id_auth_build(&auth, page, &error), -EINVAL, &error,
		       "an author key without its signature");
	expect_refused("flags",
		       gmem_snp_id_check(page, page, &(struct gmem_digest){0}, 0, 2, &error),
		       -EINVAL, &error, "a flag is not known");
	EXPECT("key", gmem_snp_id_key_write(NULL, page, NULL), -EINVAL);
}

static const struct gt_test tests[] = {
	{"valid", valid, .flags = GT_NO_KERNEL},
	{"refused", refused, .flags = GT_NO_KERNEL},
	{"options", options, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
