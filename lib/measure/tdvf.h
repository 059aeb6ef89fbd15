/* SPDX-License-Identifier: MIT */
/* The metadata of a TDVF image. */
#ifndef GMI_TDVF_H
#define GMI_TDVF_H

#include "fail.h"
#include "reader.h"

/* Section types (TDX virtual firmware design guide; 4 and up: td-shim). */
enum gmi_tdvf_type {
	GMI_TDVF_BFV = 0,
	GMI_TDVF_CFV = 1,
	GMI_TDVF_TD_HOB = 2,
	GMI_TDVF_TEMP_MEM = 3,
	GMI_TDVF_PERM_MEM = 4,
	GMI_TDVF_PAYLOAD = 5,
	GMI_TDVF_PAYLOAD_PARAM = 6,
	GMI_TDVF_TD_INFO = 7,
	GMI_TDVF_TD_PARAMS = 8,
	GMI_TDVF_TYPE_COUNT
};

#define GMI_TDVF_MR_EXTEND UINT32_C(0x1)
#define GMI_TDVF_PAGE_AUG  UINT32_C(0x2)

/* @data is the section's own bytes, of size 0 where it has none. @offset is where the section is
 * described, for messages. */
struct gmi_tdvf_section {
	struct gmi_bytes data;
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
	uint32_t attributes;
	uint64_t offset;
};

struct gmi_tdvf {
	struct gmi_bytes image;
	struct gmi_bytes items;
	uint32_t count;
};

/* Finds the descriptor and checks it, but not its sections. */
int gmi_tdvf_open(struct gmi_bytes image, struct gmi_tdvf *ret_tdvf,
		  struct gmem_measure_error *error);

/* Reads one section and checks it by itself. */
int gmi_tdvf_get_section(const struct gmi_tdvf *tdvf, uint32_t index,
			 struct gmi_tdvf_section *ret_section, struct gmem_measure_error *error);

const char *gmi_tdvf_type_name(uint32_t type);

#endif
