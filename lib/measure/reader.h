/* SPDX-License-Identifier: MIT */
/* Foreign bytes: every access is checked, a cursor that ran past its end stays failed. */
#ifndef GMI_READER_H
#define GMI_READER_H

#include <stdbool.h>
#include <stdint.h>

/* A borrowed piece of a file; @start is its offset in the file, for messages. */
struct gmi_bytes {
	const uint8_t *data;
	uint64_t size;
	uint64_t start;
};

/* Reads little-endian numbers one after the other; after the end it gives zeroes and is @bad. */
struct gmi_reader {
	struct gmi_bytes left;
	bool bad;
};

/* [@offset, @offset + @size) of @bytes, or false where that is not inside. */
bool gmi_bytes_slice(struct gmi_bytes bytes, uint64_t offset, uint64_t size,
		     struct gmi_bytes *ret_slice);

/* The last @size bytes that end @distance before the end of @bytes, or false. */
bool gmi_bytes_slice_end(struct gmi_bytes bytes, uint64_t distance, uint64_t size,
			 struct gmi_bytes *ret_slice);

/* A cursor over [@offset, @offset + @size) of @bytes; bad from the start where that is not inside. */
struct gmi_reader gmi_reader_at(struct gmi_bytes bytes, uint64_t offset, uint64_t size);

uint8_t gmi_read_u8(struct gmi_reader *reader);
uint16_t gmi_read_u16(struct gmi_reader *reader);
uint32_t gmi_read_u32(struct gmi_reader *reader);
uint64_t gmi_read_u64(struct gmi_reader *reader);

/* The next @size bytes; NULL where there are not as many. */
const uint8_t *gmi_read_bytes(struct gmi_reader *reader, uint64_t size);

#endif
