/* SPDX-License-Identifier: MIT */
/* The hash table of measured direct boot. */
#ifndef GMI_KERNEL_HASHES_H
#define GMI_KERNEL_HASHES_H

#include <libgmem/measure.h>

/* 168 bytes of table, filled up to the unit of KVM_SEV_LAUNCH_UPDATE_DATA. */
#define GMI_KERNEL_HASHES_SIZE 176

/* Writes GMI_KERNEL_HASHES_SIZE bytes. */
void gmi_kernel_hashes_write(const struct gmem_ovmf_opts *opts, uint8_t *table);

#endif
