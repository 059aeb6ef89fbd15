/* SPDX-License-Identifier: MIT */
/* The hashes and signatures of the model of the firmware. */
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdlib.h>

#include "sim_sev.h"
#include "uapi_sev.h"

struct sim_sha256 {
	struct sha256_ctx ctx;
};

bool gmi_sim_has_hashes(void)
{
	return true;
}

void gmi_sim_sha384(const void *data, size_t size, uint8_t *ret_digest)
{
	struct sha384_ctx ctx;

	sha384_init(&ctx);
	sha384_update(&ctx, size, data);
	sha384_digest(&ctx, SIM_SHA384, ret_digest);
}

struct sim_sha256 *gmi_sim_sha256_new(void)
{
	struct sim_sha256 *sha = malloc(sizeof(*sha));

	if (sha)
		sha256_init(&sha->ctx);
	return sha;
}

void gmi_sim_sha256_add(struct sim_sha256 *sha, const void *data, size_t size)
{
	sha256_update(&sha->ctx, size, data);
}

void gmi_sim_sha256_get(const struct sim_sha256 *sha, uint8_t *ret_digest)
{
	struct sha256_ctx copy = sha->ctx;

	sha256_digest(&copy, SIM_SHA256, ret_digest);
}

void gmi_sim_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
			 uint8_t *ret_digest)
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_size, key);
	hmac_sha256_update(&ctx, size, data);
	hmac_sha256_digest(&ctx, SIM_SHA256, ret_digest);
}

static void import(mpz_t number, const uint8_t *little_endian)
{
	mpz_import(number, sizeof(((struct gmi_snp_public_key *)0)->qx), -1, 1, 0, 0,
		   little_endian);
}

static bool verify(const struct ecc_point *point, const struct gmi_snp_signature *signature,
		   const uint8_t *digest)
{
	struct dsa_signature numbers;
	int valid;

	dsa_signature_init(&numbers);
	import(numbers.r, signature->r);
	import(numbers.s, signature->s);
	valid = ecdsa_verify(point, SIM_SHA384, digest, &numbers);
	dsa_signature_clear(&numbers);
	return valid;
}

bool gmi_sim_is_signed(const struct gmi_snp_public_key *key,
		       const struct gmi_snp_signature *signature, const void *data, size_t size)
{
	uint8_t digest[SIM_SHA384];
	struct ecc_point point;
	mpz_t x, y;
	bool valid;

	gmi_sim_sha384(data, size, digest);
	ecc_point_init(&point, nettle_get_secp_384r1());
	mpz_init(x);
	mpz_init(y);
	import(x, key->qx);
	import(y, key->qy);
	valid = ecc_point_set(&point, x, y) && verify(&point, signature, digest);
	mpz_clear(x);
	mpz_clear(y);
	ecc_point_clear(&point);
	return valid;
}
