/* SPDX-License-Identifier: MIT */
/* Puts IGVM files together, byte by byte. */
#include "igvm_file.h"

#include <string.h>

static void put(uint8_t *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

/* Bit by bit, so that it shares nothing with the library's. */
static uint32_t crc(const uint8_t *bytes, size_t size)
{
	uint32_t value = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		value ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
	}
	return ~value;
}

void igvm_begin(struct igvm_file *file, uint32_t version)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->bytes, "IGVM", 4);
	put(file->bytes + 4, version, 4);
	file->first = version == 2 ? 32 : 24;
	if (version == 2)
		put(file->bytes + 28, 4096, 4);
	file->end = file->first;
	file->data = IGVM_DATA;
}

void igvm_end(struct igvm_file *file)
{
	put(file->bytes + 8, file->first, 4);
	put(file->bytes + 12, file->end - file->first, 4);
	put(file->bytes + 16, file->data, 4);
	put(file->bytes + 20, 0, 4);
	put(file->bytes + 20, crc(file->bytes, file->end), 4);
}

uint32_t igvm_header(struct igvm_file *file, uint32_t type, const void *content, uint32_t size)
{
	uint32_t at = file->end + 8;

	put(file->bytes + file->end, type, 4);
	put(file->bytes + file->end + 4, size, 4);
	memcpy(file->bytes + at, content, size);
	file->end = at + ((size + 7) & ~7u);
	return at;
}

uint32_t igvm_data(struct igvm_file *file, uint8_t value)
{
	uint32_t at = file->data;

	memset(file->bytes + at, value, 4096);
	file->data += 4096;
	return at;
}

void igvm_platform(struct igvm_file *file, uint32_t mask, uint8_t type)
{
	uint8_t content[16] = {0};

	put(content, mask, 4);
	content[5] = type;
	put(content + 6, 1, 2);
	igvm_header(file, 0x1, content, sizeof(content));
}

void igvm_policy(struct igvm_file *file, uint64_t policy, uint32_t mask)
{
	uint8_t content[16] = {0};

	put(content, policy, 8);
	put(content + 8, mask, 4);
	igvm_header(file, 0x101, content, sizeof(content));
}

uint32_t igvm_page(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t offset,
		   uint32_t flags, uint16_t type)
{
	uint8_t content[24] = {0};

	put(content, gpa, 8);
	put(content + 8, mask, 4);
	put(content + 12, offset, 4);
	put(content + 16, flags, 4);
	put(content + 20, type, 2);
	return igvm_header(file, 0x302, content, sizeof(content));
}

void igvm_area(struct igvm_file *file, uint64_t size, uint32_t index, uint32_t offset)
{
	uint8_t content[16];

	put(content, size, 8);
	put(content + 8, index, 4);
	put(content + 12, offset, 4);
	igvm_header(file, 0x301, content, sizeof(content));
}

void igvm_parameter(struct igvm_file *file, uint32_t type, uint32_t index, uint32_t offset)
{
	uint8_t content[8];

	put(content, index, 4);
	put(content + 4, offset, 4);
	igvm_header(file, type, content, sizeof(content));
}

void igvm_insert(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t index)
{
	uint8_t content[16];

	put(content, gpa, 8);
	put(content + 8, mask, 4);
	put(content + 12, index, 4);
	igvm_header(file, 0x303, content, sizeof(content));
}

void igvm_vp_context(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t offset,
		     uint16_t vcpu)
{
	uint8_t content[20] = {0};

	put(content, gpa, 8);
	put(content + 8, mask, 4);
	put(content + 12, offset, 4);
	put(content + 16, vcpu, 2);
	igvm_header(file, 0x304, content, sizeof(content));
}
