/* SPDX-License-Identifier: MIT */
/* The ID block: does it fit the guest, and who signed it? */
#include <string.h>

#include "sim_model.h"
#include "uapi_sev.h"

_Static_assert(sizeof(struct gmi_snp_public_key) == 1028, "the bytes that are signed and hashed");

static uint32_t check_key(uint32_t algorithm, const struct gmi_snp_public_key *key,
			  const struct gmi_snp_signature *signature, const void *data, size_t size)
{
	if (algorithm != GMI_SNP_KEY_ALGORITHM_ECDSA_P384_SHA384)
		return GMI_SEV_RET_INVALID_PARAM;
	if (key->curve != GMI_SNP_CURVE_P384 || !gmi_sim_is_signed(key, signature, data, size))
		return GMI_SEV_RET_BAD_SIGNATURE;
	return GMI_SEV_RET_SUCCESS;
}

static void note(struct sim_guest *guest, const struct gmi_snp_id_block *block,
		 const struct gmi_snp_id_auth *auth, bool has_author_key)
{
	struct gmem_sim_report *report = &guest->report;

	memcpy(report->family_id, block->family_id, sizeof(report->family_id));
	memcpy(report->image_id, block->image_id, sizeof(report->image_id));
	report->guest_svn = block->guest_svn;
	report->has_author_key = has_author_key;
	gmi_sim_sha384(&auth->id_key, sizeof(auth->id_key), report->id_key_digest);
	if (has_author_key)
		gmi_sim_sha384(&auth->author_key, sizeof(auth->author_key),
			       report->author_key_digest);
}

/* UNVERIFIED: the order of the checks, as far as several of them fail at once. */
uint32_t gmi_sim_fw_check_id(struct sim_guest *guest, const struct sim_finish *finish)
{
	const struct gmi_snp_id_block *block = finish->id_block;
	const struct gmi_snp_id_auth *auth = finish->id_auth;
	uint32_t status;

	if (memcmp(block->launch_digest, guest->digest, sizeof(block->launch_digest)))
		return GMI_SEV_RET_BAD_MEASUREMENT;
	if (block->policy != guest->policy)
		return GMI_SEV_RET_POLICY_FAILURE;
	status = check_key(auth->id_key_algorithm, &auth->id_key, &auth->id_block_signature, block,
			   sizeof(*block));
	if (!status && finish->has_author_key)
		status = check_key(auth->author_key_algorithm, &auth->author_key,
				   &auth->id_key_signature, &auth->id_key, sizeof(auth->id_key));
	if (!status)
		note(guest, block, auth, finish->has_author_key);
	return status;
}
