/* SPDX-License-Identifier: MIT */
/* SNP ID blocks, signed. */
#ifndef GT_ID_SIGNER_H
#define GT_ID_SIGNER_H

#include <libgmem/measure.h>

struct signed_block {
	uint8_t block[GMEM_SNP_ID_BLOCK_SIZE];
	uint8_t auth[GMEM_SNP_ID_AUTH_SIZE];
	struct gmem_digest digest;
};

/* With an author key. @digest has 48 bytes; NULL for any. The keys are the same in every run. */
void signed_block_make(const uint8_t *digest, uint64_t policy, struct signed_block *made);

#endif
