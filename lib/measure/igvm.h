/* SPDX-License-Identifier: MIT */
/* The headers of an IGVM file. */
#ifndef GMI_IGVM_H
#define GMI_IGVM_H

#include "fail.h"
#include "reader.h"

/* Types of variable headers (the igvm_defs specification). */
enum gmi_igvm_type {
	GMI_IGVM_SUPPORTED_PLATFORM = 0x1,
	GMI_IGVM_GUEST_POLICY = 0x101,
	GMI_IGVM_PARAMETER_AREA = 0x301,
	GMI_IGVM_PAGE_DATA = 0x302,
	GMI_IGVM_PARAMETER_INSERT = 0x303,
	GMI_IGVM_VP_CONTEXT = 0x304,
	GMI_IGVM_REQUIRED_MEMORY = 0x305,
	GMI_IGVM_VP_COUNT = 0x307,
	GMI_IGVM_MADT = 0x309,
	GMI_IGVM_SNP_ID_BLOCK = 0x30b,
	GMI_IGVM_MEMORY_MAP = 0x30c,
	GMI_IGVM_COMMAND_LINE = 0x30e,
	GMI_IGVM_ENVIRONMENT_INFO = 0x313,
};

/* A loader may ignore a type with this bit that it does not know. */
#define GMI_IGVM_IGNORABLE UINT32_C(0x80000000)

enum gmi_igvm_platform {
	GMI_IGVM_SEV_SNP = 2,
	GMI_IGVM_TDX = 3,
};

struct gmi_igvm {
	struct gmi_bytes file;
	struct gmi_bytes headers;
};

/* One variable header; @content is a cursor over exactly its bytes. */
struct gmi_igvm_header {
	uint32_t type;
	uint64_t offset; /* in the file */
	struct gmi_reader content;
};

/* Checks the fixed header and the checksum. */
int gmi_igvm_open(struct gmi_bytes file, struct gmi_igvm *ret_igvm,
		  struct gmem_measure_error *error);

/* Takes the next header off @left: of a type of the list above, of the size that the format gives it,
 * and in the format's order of sections; @section is 0 before the first. ret_header->type is 0 at the
 * end. */
int gmi_igvm_next(struct gmi_bytes *left, unsigned int *section, struct gmi_igvm_header *ret_header,
		  struct gmem_measure_error *error);

#endif
