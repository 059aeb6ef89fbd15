/* SPDX-License-Identifier: MIT */
/* Checks an SNP ID block and its signatures as the firmware does at the end of a launch. */
#include <errno.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/sha2.h>
#include <string.h>

#include "id_block.h"
#include "plan.h"
#include "reader.h"

static void get_number(mpz_t number, const uint8_t *little_endian)
{
	mpz_import(number, GMI_ID_NUMBER_SIZE, -1, 1, 0, 0, little_endian);
}

static bool is_signed(const struct ecc_point *point, const uint8_t *signature, const void *data,
		      size_t size)
{
	uint8_t digest[SHA384_DIGEST_SIZE];
	struct dsa_signature numbers;
	struct sha384_ctx sha;
	int valid;

	sha384_init(&sha);
	sha384_update(&sha, size, data);
	sha384_digest(&sha, sizeof(digest), digest);
	dsa_signature_init(&numbers);
	get_number(numbers.r, signature);
	get_number(numbers.s, signature + GMI_ID_SIGNATURE_S);
	valid = ecdsa_verify(point, sizeof(digest), digest, &numbers);
	dsa_signature_clear(&numbers);
	return valid;
}

/* False where the key is no point of the curve. */
static bool get_point(struct ecc_point *point, const uint8_t *key)
{
	mpz_t x, y;
	int valid;

	mpz_inits(x, y, NULL);
	get_number(x, key + GMI_ID_KEY_X);
	get_number(y, key + GMI_ID_KEY_Y);
	valid = ecc_point_set(point, x, y);
	mpz_clears(x, y, NULL);
	return valid;
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static int check_signature(const char *name, uint32_t algorithm, const uint8_t *key,
			   const uint8_t *signature, const void *data, size_t size,
			   struct gmem_measure_error *error)
{
	struct ecc_point point;
	int ret = 0;

	if (algorithm != GMI_ID_ECDSA_P384)
		return gmi_fail(error, EBADMSG, GMI_NO_OFFSET,
				"the %s key's algorithm is %u, not 1 (ECDSA P-384 with SHA-384)",
				name, algorithm);
	if (get_u32(key) != GMI_ID_CURVE_P384)
		return gmi_fail(error, EBADMSG, GMI_NO_OFFSET,
				"the %s key's curve is %u, not 2 (P-384)", name, get_u32(key));
	ecc_point_init(&point, nettle_get_secp_384r1());
	if (!get_point(&point, key))
		ret = gmi_fail(error, EBADMSG, GMI_NO_OFFSET, "the %s key is no point of its curve",
			       name);
	else if (!is_signed(&point, signature, data, size))
		ret = gmi_fail(error, EKEYREJECTED, GMI_NO_OFFSET,
			       "the signature by the %s key is wrong", name);
	ecc_point_clear(&point);
	return ret;
}

static int check_fields(const uint8_t *block, const struct gmem_digest *digest, uint64_t policy,
			struct gmem_measure_error *error)
{
	if (get_u32(block + GMI_ID_VERSION) != GMI_ID_BLOCK_VERSION)
		return gmi_fail(error, EBADMSG, GMI_ID_VERSION,
				"the ID block's version is %u, not 1",
				get_u32(block + GMI_ID_VERSION));
	if (digest->size != SHA384_DIGEST_SIZE ||
	    memcmp(block + GMI_ID_DIGEST, digest->bytes, SHA384_DIGEST_SIZE))
		return gmi_fail(error, EPERM, GMI_ID_DIGEST,
				"the ID block is for another launch digest");
	if (memcmp(block + GMI_ID_POLICY, &policy, sizeof(policy)))
		return gmi_fail(error, EPERM, GMI_ID_POLICY,
				"the ID block is for another guest policy");
	return 0;
}

GMEM_API int gmem_snp_id_check(const void *block, const void *auth,
			       const struct gmem_digest *digest, uint64_t policy, uint32_t flags,
			       struct gmem_measure_error *error)
{
	const uint8_t *page = auth;
	int ret;

	if (!block || !auth || !digest || flags & ~GMEM_SNP_ID_AUTHOR)
		return gmi_invalid(error, "a pointer is NULL, or a flag is not known");
	ret = check_fields(block, digest, policy, error);
	if (ret)
		return ret;
	ret = check_signature("ID", get_u32(page + GMI_AUTH_ID_ALGORITHM), page + GMI_AUTH_ID_KEY,
			      page + GMI_AUTH_BLOCK_SIGNATURE, block, GMEM_SNP_ID_BLOCK_SIZE,
			      error);
	if (ret || !(flags & GMEM_SNP_ID_AUTHOR))
		return ret;
	return check_signature("author", get_u32(page + GMI_AUTH_AUTHOR_ALGORITHM),
			       page + GMI_AUTH_AUTHOR_KEY, page + GMI_AUTH_KEY_SIGNATURE,
			       page + GMI_AUTH_ID_KEY, GMEM_SNP_ID_KEY_SIZE, error);
}
