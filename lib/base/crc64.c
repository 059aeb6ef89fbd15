/* SPDX-License-Identifier: MIT */
/* CRC-64/XZ: the polynomial of ECMA-182, reflected. */
#include "crc64.h"

#define POLYNOMIAL UINT64_C(0xc96c5795d7870f42)

/* On the caller's stack: 256 entries cost less than the first kilobyte that is checked. */
static void make_table(uint64_t table[256])
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (POLYNOMIAL & -(crc & 1));
		table[i] = crc;
	}
}

uint64_t gmi_crc64(const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t table[256], crc = UINT64_MAX;

	make_table(table);
	for (size_t i = 0; i < size; i++)
		crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
	return ~crc;
}
