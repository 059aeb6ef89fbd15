/* SPDX-License-Identifier: MIT */
/* MRTD as the TDX module extends it: SHA-384 over a record for each page and each chunk. */
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "sim_tdx.h"

/*
 * UNVERIFIED on hardware. The records are those of three public programs that compute MRTD for
 * real firmware: td-shim's td-payload-reference tool, gce-tcb-verifier, dstack-mr.
 */
struct sim_mrtd {
	struct sha384_ctx sha;
};

struct record {
	char name[16];
	uint64_t gpa;
	uint8_t zero[104];
};

_Static_assert(sizeof(struct record) == 128, "a record is one block of SHA-384");

struct sim_mrtd *gmi_sim_mrtd_create(void)
{
	struct sim_mrtd *mrtd = malloc(sizeof(*mrtd));

	if (mrtd)
		sha384_init(&mrtd->sha);
	return mrtd;
}

static void put_record(struct sim_mrtd *mrtd, const char *name, uint64_t gpa)
{
	struct record record = {.gpa = gpa};

	memcpy(record.name, name, strlen(name));
	sha384_update(&mrtd->sha, sizeof(record), (const uint8_t *)&record);
}

/* TDH.MEM.PAGE.ADD */
void gmi_sim_mrtd_add(struct sim_mrtd *mrtd, uint64_t gpa)
{
	put_record(mrtd, "MEM.PAGE.ADD", gpa);
}

/* TDH.MR.EXTEND */
void gmi_sim_mrtd_extend(struct sim_mrtd *mrtd, uint64_t gpa, const uint8_t *chunk)
{
	put_record(mrtd, "MR.EXTEND", gpa);
	sha384_update(&mrtd->sha, SIM_MRTD_CHUNK, chunk);
}

/* Of what came so far; more may come. */
void gmi_sim_mrtd_digest(const struct sim_mrtd *mrtd, uint8_t *ret_digest)
{
	struct sha384_ctx copy = mrtd->sha;

	sha384_digest(&copy, SIM_MRTD_SIZE, ret_digest);
}

void gmi_sim_mrtd_destroy(struct sim_mrtd *mrtd)
{
	free(mrtd);
}
