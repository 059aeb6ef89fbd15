/* SPDX-License-Identifier: MIT */
/* A row of an SNP vector table, and what it should give. */
#ifndef GT_SNP_LAUNCH_H
#define GT_SNP_LAUNCH_H

#include <libgmem/measure.h>

#include "vectors.h"

/* One row of a launch table, turned into options. */
struct launch {
	struct gmem_ovmf_opts opts;
	struct vector_file image, svsm, kernel, initrd;
	struct gmem_measure_opts measure;
	uint8_t start[64];
};

/* @dir holds the files that the row names. */
struct launch launch_read(const struct vector_table *table, size_t row, const char *dir);
void launch_free(struct launch *launch);
int launch_measure(struct launch *launch, struct gmem_digest *digest,
		   struct gmem_measure_error *error);

/* Expects the digest of the row. */
void expect_launch(const struct vector_table *table, size_t row, const char *dir);

#endif
