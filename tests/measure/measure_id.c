/* SPDX-License-Identifier: MIT */
/* SNP ID blocks signed here, and each way in which the firmware would refuse one. */
#include <libgmem/measure.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/knuth-lfib.h>
#include <nettle/sha2.h>

#include "vectors.h"

#define POLICY 0x30000

/* A key pair; the random numbers are the same in every run. */
struct signer {
	struct ecc_scalar private;
	struct ecc_point public;
	struct gmem_snp_id_key key;
};

static struct knuth_lfib_ctx numbers;

static void random_bytes(void *user, size_t size, uint8_t *bytes)
{
	knuth_lfib_random(user, size, bytes);
}

static void put_number(uint8_t *bytes, const mpz_t number)
{
	size_t count = (mpz_sizeinbase(number, 2) + 7) / 8;

	MUST(count <= 48);
	memset(bytes, 0, 48);
	mpz_export(bytes + 48 - count, NULL, 1, 1, 0, 0, number);
}

static void signer_init(struct signer *signer)
{
	mpz_t x, y;

	ecc_scalar_init(&signer->private, nettle_get_secp_384r1());
	ecc_point_init(&signer->public, nettle_get_secp_384r1());
	ecdsa_generate_keypair(&signer->public, &signer->private, &numbers, random_bytes);
	mpz_inits(x, y, NULL);
	ecc_point_get(&signer->public, x, y);
	put_number(signer->key.x, x);
	put_number(signer->key.y, y);
	mpz_clears(x, y, NULL);
}

static void signer_clear(struct signer *signer)
{
	ecc_scalar_clear(&signer->private);
	ecc_point_clear(&signer->public);
}

static struct gmem_snp_id_signature sign(const struct signer *signer, const void *data, size_t size)
{
	struct gmem_snp_id_signature result;
	uint8_t digest[SHA384_DIGEST_SIZE];
	struct dsa_signature signature;
	struct sha384_ctx sha;

	sha384_init(&sha);
	sha384_update(&sha, size, data);
	sha384_digest(&sha, sizeof(digest), digest);
	dsa_signature_init(&signature);
	ecdsa_sign(&signer->private, &numbers, random_bytes, sizeof(digest), digest, &signature);
	put_number(result.r, signature.r);
	put_number(result.s, signature.s);
	dsa_signature_clear(&signature);
	return result;
}

struct signed_block {
	uint8_t block[GMEM_SNP_ID_BLOCK_SIZE];
	uint8_t auth[GMEM_SNP_ID_AUTH_SIZE];
	struct gmem_digest digest;
};

static void make(struct signed_block *made)
{
	struct gmem_snp_id_block_opts block = {
		.sz = sizeof(block), .guest_svn = 7, .policy = POLICY};
	struct gmem_snp_id_auth_opts auth = {.sz = sizeof(auth)};
	struct gmem_snp_id_signature of_block, of_key;
	uint8_t key[GMEM_SNP_ID_KEY_SIZE];
	struct signer id, author;

	knuth_lfib_init(&numbers, 1);
	signer_init(&id);
	signer_init(&author);
	made->digest.size = 48;
	knuth_lfib_random(&numbers, 48, made->digest.bytes);
	memcpy(block.digest, made->digest.bytes, sizeof(block.digest));
	MUST(gmem_snp_id_block_build(&block, made->block, NULL) == 0);
	MUST(gmem_snp_id_key_write(&id.key, key, NULL) == 0);
	of_block = sign(&id, made->block, sizeof(made->block));
	of_key = sign(&author, key, sizeof(key));
	auth.id_key = &id.key;
	auth.block_signature = &of_block;
	auth.author_key = &author.key;
	auth.key_signature = &of_key;
	MUST(gmem_snp_id_auth_build(&auth, made->auth, NULL) == 0);
	signer_clear(&id);
	signer_clear(&author);
}

static void valid(struct gt *t)
{
	struct signed_block made;

	make(&made);
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

	make(&made);
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
