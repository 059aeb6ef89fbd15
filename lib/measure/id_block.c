/* SPDX-License-Identifier: MIT */
/* Writes SNP ID blocks, ID authentication pages and public keys. */
#include "id_block.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

#include "plan.h"

static void put(uint8_t *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

static void put_number(uint8_t *at, const uint8_t *big_endian)
{
	for (size_t i = 0; i < GMI_ID_NUMBER_USED; i++)
		at[i] = big_endian[GMI_ID_NUMBER_USED - 1 - i];
}

static void put_key(uint8_t *at, const struct gmem_snp_id_key *key)
{
	memset(at, 0, GMEM_SNP_ID_KEY_SIZE);
	put(at, GMI_ID_CURVE_P384, 4);
	put_number(at + GMI_ID_KEY_X, key->x);
	put_number(at + GMI_ID_KEY_Y, key->y);
}

static void put_signature(uint8_t *at, const struct gmem_snp_id_signature *signature)
{
	put_number(at, signature->r);
	put_number(at + GMI_ID_SIGNATURE_S, signature->s);
}

GMEM_API int gmem_snp_id_block_build(const struct gmem_snp_id_block_opts *opts, void *ret_block,
				     struct gmem_measure_error *error)
{
	struct gmem_snp_id_block_opts known;
	uint8_t *block = ret_block;
	int ret = gmi_opts_read(opts, &known, sizeof(known), error);

	if (ret)
		return ret;
	if (known.reserved || !ret_block)
		return gmi_invalid(error, "the reserved field is not 0, or the block is NULL");
	memcpy(block + GMI_ID_DIGEST, known.digest, sizeof(known.digest));
	memcpy(block + GMI_ID_FAMILY, known.family_id, sizeof(known.family_id));
	memcpy(block + GMI_ID_IMAGE, known.image_id, sizeof(known.image_id));
	put(block + GMI_ID_VERSION, GMI_ID_BLOCK_VERSION, 4);
	put(block + GMI_ID_SVN, known.guest_svn, 4);
	put(block + GMI_ID_POLICY, known.policy, 8);
	return 0;
}

GMEM_API int gmem_snp_id_key_write(const struct gmem_snp_id_key *key, void *ret_bytes,
				   struct gmem_digest *ret_digest)
{
	uint8_t bytes[GMEM_SNP_ID_KEY_SIZE];
	struct sha384_ctx sha;

	if (!key)
		return -EINVAL;
	put_key(bytes, key);
	if (ret_bytes)
		memcpy(ret_bytes, bytes, sizeof(bytes));
	if (!ret_digest)
		return 0;
	sha384_init(&sha);
	sha384_update(&sha, sizeof(bytes), bytes);
	sha384_digest(&sha, SHA384_DIGEST_SIZE, ret_digest->bytes);
	ret_digest->size = SHA384_DIGEST_SIZE;
	return 0;
}

/* Both algorithms are named even without an author: the firmware looks at the first only. */
GMEM_API int gmem_snp_id_auth_build(const struct gmem_snp_id_auth_opts *opts, void *ret_page,
				    struct gmem_measure_error *error)
{
	struct gmem_snp_id_auth_opts known;
	uint8_t *page = ret_page;
	int ret = gmi_opts_read(opts, &known, sizeof(known), error);

	if (ret)
		return ret;
	if (!known.id_key || !known.block_signature || !ret_page)
		return gmi_invalid(error, "the ID key, its signature or the page is NULL");
	if (!known.author_key != !known.key_signature)
		return gmi_invalid(error, "an author key without its signature, or the reverse");
	memset(page, 0, GMEM_SNP_ID_AUTH_SIZE);
	put(page + GMI_AUTH_ID_ALGORITHM, GMI_ID_ECDSA_P384, 4);
	put(page + GMI_AUTH_AUTHOR_ALGORITHM, GMI_ID_ECDSA_P384, 4);
	put_key(page + GMI_AUTH_ID_KEY, known.id_key);
	put_signature(page + GMI_AUTH_BLOCK_SIGNATURE, known.block_signature);
	if (known.author_key) {
		put_key(page + GMI_AUTH_AUTHOR_KEY, known.author_key);
		put_signature(page + GMI_AUTH_KEY_SIGNATURE, known.key_signature);
	}
	return 0;
}
