/* SPDX-License-Identifier: MIT */
/* The contents of a step, page by page. */
#ifndef GMI_SOURCE_H
#define GMI_SOURCE_H

#include "plan.h"

/* Points @ret_bytes to [@offset, @offset + @size) of the contents, @size at most a page: into the
 * step's bytes, or to @scratch (a page) with what the file holds, or with zeroes. */
int gmi_source_get(const struct gmem_launch_step *step, uint64_t offset, uint64_t size,
		   uint8_t *scratch, const uint8_t **ret_bytes, struct gmem_measure_error *error);

#endif
