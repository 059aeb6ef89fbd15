/* SPDX-License-Identifier: MIT */
/* Lists of regions with the MRTD that they give. */
#ifndef REGION_LISTS_H
#define REGION_LISTS_H

#include <libgmem/measure.h>

/* Destroys @plan, whose bytes stay for as long as the call. */
typedef void region_list_fn(void *user, const char *name, struct gmem_plan *plan, const char *mrtd);

/* All of tests/vectors/tdx/regions.txt, which are counted. */
void region_lists_each(region_list_fn *use, void *user);

#endif
