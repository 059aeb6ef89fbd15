/* SPDX-License-Identifier: MIT */
/* One digest for each technology; each takes a plan of its type of VM. */
#ifndef GMI_DIGEST_H
#define GMI_DIGEST_H

#include "plan.h"

/* @start: 48 bytes, or NULL for zeroes. */
int gmi_snp_digest(const struct gmem_plan *plan, const uint8_t *start,
		   struct gmem_digest *ret_digest, struct gmem_measure_error *error);

int gmi_sev_digest(const struct gmem_plan *plan, struct gmem_digest *ret_digest,
		   struct gmem_measure_error *error);

int gmi_tdx_digest(const struct gmem_plan *plan, bool two_pass, struct gmem_digest *ret_digest,
		   struct gmem_measure_error *error);

#endif
