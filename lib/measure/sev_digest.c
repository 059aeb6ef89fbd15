/* SPDX-License-Identifier: MIT */
/* The SEV and SEV-ES launch digest: SHA-256 over all that was loaded, then the VMSAs. */
#include <nettle/sha2.h>

#include "digest.h"
#include "source.h"

static int hash_step(struct sha256_ctx *sha, const struct gmem_launch_step *step,
		     struct gmem_measure_error *error)
{
	uint8_t scratch[GMEM_PAGE_SIZE];
	const uint8_t *bytes;
	uint64_t part;
	int ret;

	for (uint64_t at = 0; at < step->size; at += part) {
		part = step->size - at;
		if (part > sizeof(scratch))
			part = sizeof(scratch);
		ret = gmi_source_get(step, at, part, scratch, &bytes, error);
		if (ret)
			return ret;
		sha256_update(sha, part, bytes);
	}
	return 0;
}

int gmi_sev_digest(const struct gmem_plan *plan, struct gmem_digest *ret_digest,
		   struct gmem_measure_error *error)
{
	struct sha256_ctx sha;
	int ret = 0;

	sha256_init(&sha);
	for (size_t i = 0; !ret && i < plan->count; i++)
		ret = hash_step(&sha, &plan->steps[i], error);
	if (ret)
		return ret;
	sha256_digest(&sha, SHA256_DIGEST_SIZE, ret_digest->bytes);
	ret_digest->size = SHA256_DIGEST_SIZE;
	return 0;
}
