/* SPDX-License-Identifier: MIT */
/* Sizes of the parts of a manifest, and little-endian numbers. */
#ifndef GMI_MANIFEST_WIRE_H
#define GMI_MANIFEST_WIRE_H

#include <stdint.h>

#define MANIFEST_HEADER_SIZE 32u
#define MANIFEST_CHECK_SIZE  8u
#define RECORD_HEADER_SIZE   16u

#define VM_SIZE    88u
#define INODE_SIZE 56u
#define NUMA_SIZE  16u
#define FILE_SIZE  8u
#define SLOT_SIZE  64u
#define RUNS_SIZE  24u
#define BLOB_SIZE  72u

#define CONTEXT_SIZE 8u

static inline uint64_t get_number(const uint8_t *at, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = bytes; i > 0; i--)
		number = number << 8 | at[i - 1];
	return number;
}

static inline uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)get_number(at, 4);
}

static inline uint64_t get_u64(const uint8_t *at)
{
	return get_number(at, 8);
}

static inline void put_number(uint8_t *at, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(number >> 8 * i);
}

static inline void put_u32(uint8_t *at, uint32_t number)
{
	put_number(at, number, 4);
}

static inline void put_u64(uint8_t *at, uint64_t number)
{
	put_number(at, number, 8);
}

#endif
