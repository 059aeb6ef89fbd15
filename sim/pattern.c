/* SPDX-License-Identifier: MIT */
/* Contents that differ in every word and depend on nothing but address and seed. */
#include <string.h>

#include "sim_guest.h"

GMEM_API uint64_t gmem_sim_pattern(uint64_t seed, uint64_t gpa)
{
	return gmi_sim_word(seed, gpa);
}

void gmi_sim_fill(uint8_t *to, uint64_t gpa, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word = gmi_sim_word(seed, gpa + i);

		memcpy(to + i, &word, sizeof(word));
	}
}
