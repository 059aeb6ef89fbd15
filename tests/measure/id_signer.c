/* SPDX-License-Identifier: MIT */
/* SNP ID blocks, signed with keys made here. */
#include "id_signer.h"

#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/knuth-lfib.h>
#include <nettle/sha2.h>

#include "gmem_test.h"

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

void signed_block_make(const uint8_t *digest, uint64_t policy, struct signed_block *made)
{
	struct gmem_snp_id_block_opts block = {
		.sz = sizeof(block), .guest_svn = 7, .policy = policy};
	struct gmem_snp_id_auth_opts auth = {.sz = sizeof(auth)};
	struct gmem_snp_id_signature of_block, of_key;
	uint8_t key[GMEM_SNP_ID_KEY_SIZE];
	struct signer id, author;

	knuth_lfib_init(&numbers, 1);
	signer_init(&id);
	signer_init(&author);
	made->digest.size = 48;
	knuth_lfib_random(&numbers, 48, made->digest.bytes);
	if (digest)
		memcpy(made->digest.bytes, digest, 48);
	memcpy(block.digest, made->digest.bytes, sizeof(block.digest));
	memset(block.family_id, 0xfa, sizeof(block.family_id));
	memset(block.image_id, 0x1d, sizeof(block.image_id));
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
