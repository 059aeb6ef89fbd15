/* SPDX-License-Identifier: MIT */
/* VMSA pages from files, as KVM makes them. */
#ifndef GMI_IGVM_VMSA_H
#define GMI_IGVM_VMSA_H

#include "fail.h"

/* Writes to @page the VMSA that KVM makes where a launch sets the registers of @from, at @offset of the
 * file. -EOPNOTSUPP where that is another one, in a way that the launch would not notice. */
int gmi_igvm_make_vmsa(const uint8_t *from, uint64_t offset, uint8_t *page,
		       struct gmem_measure_error *error);

#endif
