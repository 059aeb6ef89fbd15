/* SPDX-License-Identifier: MIT */
/* The one checked cursor over foreign bytes. */
#include "reader.h"

#include <stddef.h>

bool gmi_bytes_slice(struct gmi_bytes bytes, uint64_t offset, uint64_t size,
		     struct gmi_bytes *ret_slice)
{
	if (offset > bytes.size || size > bytes.size - offset)
		return false;
	*ret_slice = (struct gmi_bytes){
		.data = bytes.data + offset,
		.size = size,
		.start = bytes.start + offset,
	};
	return true;
}

bool gmi_bytes_slice_end(struct gmi_bytes bytes, uint64_t distance, uint64_t size,
			 struct gmi_bytes *ret_slice)
{
	if (distance > bytes.size || size > bytes.size - distance)
		return false;
	return gmi_bytes_slice(bytes, bytes.size - distance - size, size, ret_slice);
}

struct gmi_reader gmi_reader_at(struct gmi_bytes bytes, uint64_t offset, uint64_t size)
{
	struct gmi_reader reader = {0};

	reader.bad = !gmi_bytes_slice(bytes, offset, size, &reader.left);
	return reader;
}

const uint8_t *gmi_read_bytes(struct gmi_reader *reader, uint64_t size)
{
	const uint8_t *data = reader->left.data;

	if (size > reader->left.size)
		reader->bad = true;
	if (reader->bad)
		return NULL;
	reader->left.data += size;
	reader->left.size -= size;
	reader->left.start += size;
	return data;
}

static uint64_t read_number(struct gmi_reader *reader, unsigned int size)
{
	const uint8_t *data = gmi_read_bytes(reader, size);
	uint64_t value = 0;

	while (data && size--)
		value = value << 8 | data[size];
	return value;
}

uint8_t gmi_read_u8(struct gmi_reader *reader)
{
	return (uint8_t)read_number(reader, 1);
}

uint16_t gmi_read_u16(struct gmi_reader *reader)
{
	return (uint16_t)read_number(reader, 2);
}

uint32_t gmi_read_u32(struct gmi_reader *reader)
{
	return (uint32_t)read_number(reader, 4);
}

uint64_t gmi_read_u64(struct gmi_reader *reader)
{
	return read_number(reader, 8);
}
