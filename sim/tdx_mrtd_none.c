/* SPDX-License-Identifier: MIT */
/* A build without hashes: TDs, which the module measures, are not offered. */
#include <string.h>

#include "sim_tdx.h"

struct sim_mrtd *gmi_sim_mrtd_create(void)
{
	return NULL;
}

void gmi_sim_mrtd_add(struct sim_mrtd *mrtd, uint64_t gpa)
{
}

void gmi_sim_mrtd_extend(struct sim_mrtd *mrtd, uint64_t gpa, const uint8_t *chunk)
{
}

void gmi_sim_mrtd_digest(const struct sim_mrtd *mrtd, uint8_t *ret_digest)
{
	memset(ret_digest, 0, SIM_MRTD_SIZE);
}

void gmi_sim_mrtd_destroy(struct sim_mrtd *mrtd)
{
}
