/* SPDX-License-Identifier: MIT */
/* Contents that differ in every word and depend on nothing but address and seed. */
#include <string.h>

#include "sim_guest.h"

GMEM_API uint64_t gmem_sim_pattern(uint64_t seed, uint64_t gpa)
{
	uint64_t z = seed ^ (gpa * 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	return z ^ (z >> 31);
}

void gmi_sim_fill(uint8_t *to, uint64_t gpa, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word = gmem_sim_pattern(seed, gpa + i);

		memcpy(to + i, &word, sizeof(word));
	}
}
