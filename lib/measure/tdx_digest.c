/* SPDX-License-Identifier: MIT */
/* MRTD: SHA-384 over the stream of page adds and extends that the TDX module measures. */
#include <nettle/sha2.h>
#include <string.h>

#include "digest.h"
#include "source.h"

/* TDH.MEM.PAGE.ADD and TDH.MR.EXTEND each measure a record of this size: name, GPA, zeroes. */
#define RECORD_SIZE 128
#define RECORD_GPA  16

/* What one TDH.MR.EXTEND takes. */
#define EXTEND_SIZE 256

static void hash_record(struct sha384_ctx *sha, const char *name, uint64_t gpa)
{
	uint8_t record[RECORD_SIZE] = {0};

	memcpy(record, name, strlen(name));
	memcpy(record + RECORD_GPA, &gpa, sizeof(gpa));
	sha384_update(sha, sizeof(record), record);
}

static void add_page(struct sha384_ctx *sha, uint64_t gpa)
{
	hash_record(sha, "MEM.PAGE.ADD", gpa);
}

static int extend_page(struct sha384_ctx *sha, const struct gmem_launch_step *step, uint64_t at,
		       struct gmem_measure_error *error)
{
	uint8_t scratch[GMEM_PAGE_SIZE];
	const uint8_t *bytes;
	int ret = gmi_source_get(step, at, GMEM_PAGE_SIZE, scratch, &bytes, error);

	if (ret)
		return ret;
	for (uint64_t i = 0; i < GMEM_PAGE_SIZE; i += EXTEND_SIZE) {
		hash_record(sha, "MR.EXTEND", step->gpa + at + i);
		sha384_update(sha, EXTEND_SIZE, bytes + i);
	}
	return 0;
}

/* KVM adds and extends page by page (tdx.c tdx_gmem_post_populate()). */
static int hash_step(struct sha384_ctx *sha, const struct gmem_launch_step *step,
		     struct gmem_measure_error *error)
{
	int ret = 0;

	for (uint64_t at = 0; !ret && at < step->size; at += GMEM_PAGE_SIZE) {
		add_page(sha, step->gpa + at);
		if (step->flags & GMEM_LAUNCH_MEASURED)
			ret = extend_page(sha, step, at, error);
	}
	return ret;
}

static int hash_step_two_pass(struct sha384_ctx *sha, const struct gmem_launch_step *step,
			      struct gmem_measure_error *error)
{
	int ret = 0;

	for (uint64_t at = 0; at < step->size; at += GMEM_PAGE_SIZE)
		add_page(sha, step->gpa + at);
	if (!(step->flags & GMEM_LAUNCH_MEASURED))
		return 0;
	for (uint64_t at = 0; !ret && at < step->size; at += GMEM_PAGE_SIZE)
		ret = extend_page(sha, step, at, error);
	return ret;
}

int gmi_tdx_digest(const struct gmem_plan *plan, bool two_pass, struct gmem_digest *ret_digest,
		   struct gmem_measure_error *error)
{
	struct sha384_ctx sha;
	int ret = 0;

	sha384_init(&sha);
	for (size_t i = 0; !ret && i < plan->count; i++) {
		if (plan->steps[i].type == GMEM_LAUNCH_AUG)
			continue;
		ret = two_pass ? hash_step_two_pass(&sha, &plan->steps[i], error)
			       : hash_step(&sha, &plan->steps[i], error);
	}
	if (ret)
		return ret;
	sha384_digest(&sha, SHA384_DIGEST_SIZE, ret_digest->bytes);
	ret_digest->size = SHA384_DIGEST_SIZE;
	return 0;
}
