/* SPDX-License-Identifier: MIT */
/* A build without hashes: VMs that the firmware measures are not offered. */
#include <string.h>

#include "sim_sev.h"

bool gmi_sim_has_hashes(void)
{
	return false;
}

void gmi_sim_sha384(const void *data, size_t size, uint8_t *ret_digest)
{
	memset(ret_digest, 0, SIM_SHA384);
}

struct sim_sha256 *gmi_sim_sha256_new(void)
{
	return NULL;
}

void gmi_sim_sha256_add(struct sim_sha256 *sha, const void *data, size_t size)
{
}

void gmi_sim_sha256_get(const struct sim_sha256 *sha, uint8_t *ret_digest)
{
	memset(ret_digest, 0, SIM_SHA256);
}

void gmi_sim_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
			 uint8_t *ret_digest)
{
	memset(ret_digest, 0, SIM_SHA256);
}

bool gmi_sim_is_signed(const struct gmi_snp_public_key *key,
		       const struct gmi_snp_signature *signature, const void *data, size_t size)
{
	return false;
}
