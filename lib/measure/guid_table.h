/* SPDX-License-Identifier: MIT */
/* The GUIDed table at the end of OVMF images. */
#ifndef GMI_GUID_TABLE_H
#define GMI_GUID_TABLE_H

#include "fail.h"
#include "reader.h"

#define GMI_GUID_SIZE 16

/* A GUID as it is stored: the first three fields little-endian. */
struct gmi_guid {
	uint8_t bytes[GMI_GUID_SIZE];
};

/* Written as in its text form: a-b-c-de-f. */
#define GMI_GUID(a, b, c, d, e, f)                                                                 \
	{                                                                                          \
		{                                                                                  \
			(uint8_t)((a)&0xff), (uint8_t)((a) >> 8 & 0xff),                           \
				(uint8_t)((a) >> 16 & 0xff), (uint8_t)((a) >> 24 & 0xff),          \
				(uint8_t)((b)&0xff), (uint8_t)((b) >> 8), (uint8_t)((c)&0xff),     \
				(uint8_t)((c) >> 8), (d), (e), (uint8_t)((f) >> 40 & 0xff),        \
				(uint8_t)((f) >> 32 & 0xff), (uint8_t)((f) >> 24 & 0xff),          \
				(uint8_t)((f) >> 16 & 0xff), (uint8_t)((f) >> 8 & 0xff),           \
				(uint8_t)((f)&0xff)                                                \
		}                                                                                  \
	}

bool gmi_guid_equal(const uint8_t *bytes, struct gmi_guid guid);

/* Finds the table of @image and checks all its entries. -ENOENT: there is no footer. -EBADMSG: the
 * table is malformed. @ret_table is the entries without the footer. */
int gmi_guid_table_open(struct gmi_bytes image, struct gmi_bytes *ret_table,
			struct gmem_measure_error *error);

/* Finds the one entry of @guid; its data has at least @size bytes. -ENOENT: absent. -EBADMSG: twice,
 * or too short. @name is for messages. */
int gmi_guid_table_find(struct gmi_bytes table, struct gmi_guid guid, const char *name,
			uint64_t size, struct gmi_bytes *ret_data,
			struct gmem_measure_error *error);

#endif
