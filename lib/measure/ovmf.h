/* SPDX-License-Identifier: MIT */
/* What an OVMF or SVSM image says about its launch on SEV. */
#ifndef GMI_OVMF_H
#define GMI_OVMF_H

#include "fail.h"
#include "reader.h"

/* Section types of the SEV metadata (OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm). */
enum gmi_ovmf_section_type {
	GMI_OVMF_SEC_MEM = 1,
	GMI_OVMF_SECRETS = 2,
	GMI_OVMF_CPUID = 3,
	GMI_OVMF_SVSM_CAA = 4,
	GMI_OVMF_KERNEL_HASHES = 0x10,
};

struct gmi_ovmf_section {
	uint32_t gpa;
	uint32_t size;
	uint32_t type;
};

/* The metadata's sections, not yet read. */
struct gmi_ovmf_sections {
	struct gmi_bytes items;
	uint32_t count;
};

/* Each fails with -ENOENT where the image has no such thing, -EBADMSG where it is malformed. */
int gmi_ovmf_find_sections(struct gmi_bytes image, struct gmi_bytes table,
			   struct gmi_ovmf_sections *ret_sections,
			   struct gmem_measure_error *error);
int gmi_ovmf_get_section(const struct gmi_ovmf_sections *sections, uint32_t index,
			 struct gmi_ovmf_section *ret_section, struct gmem_measure_error *error);
int gmi_ovmf_find_hash_area(struct gmi_bytes table, struct gmem_range *ret_area,
			    struct gmem_measure_error *error);
int gmi_ovmf_find_svsm_entry(struct gmi_bytes table, uint32_t *ret_offset,
			     struct gmem_measure_error *error);

/* Where the APs start. An image without a table may have a bare reset block. */
int gmi_ovmf_find_reset(struct gmi_bytes image, struct gmi_bytes table, uint32_t *ret_address,
			struct gmem_measure_error *error);

#endif
