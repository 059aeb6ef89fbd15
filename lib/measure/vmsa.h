/* SPDX-License-Identifier: MIT */
/* The VMSA page: offsets and its builder. */
#ifndef GMI_VMSA_H
#define GMI_VMSA_H

#include <libgmem/measure.h>

/* Offset of SEV_FEATURES, a u64 (arch/x86/include/asm/svm.h struct sev_es_save_area). */
#define GMI_VMSA_SEV_FEATURES 0x3b0

/* Writes the whole page; the profile is valid. */
void gmi_vmsa_write(const struct gmem_vmsa_opts *opts, uint8_t *page);

#endif
