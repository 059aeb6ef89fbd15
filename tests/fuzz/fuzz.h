/* SPDX-License-Identifier: MIT */
/* What the fuzz targets of libgmem-measure share. */
#ifndef GT_FUZZ_H
#define GT_FUZZ_H

#include <libgmem/measure.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry, with which each target begins. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds a plan to its promises, and destroys it: its steps make the same plan again by hand, with the
 * same digest, and can be printed. */
void fuzz_check_plan(struct gmem_plan *plan);

/* A refusal has a code, the same as in its record, and a reason. */
void fuzz_check_refusal(int ret, const struct gmem_measure_error *error);

#endif
