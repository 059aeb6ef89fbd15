/* SPDX-License-Identifier: MIT */
/* Ranges [start, start + size) of bytes, with arithmetic that cannot wrap. */
#ifndef GMI_RANGE_H
#define GMI_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <libgmem/types.h>

/* The end of a range, or false where it does not fit in 64 bits. An end of exactly 2^64 does not
 * fit either: the kernel refuses it everywhere (mainline api.rst, KVM_SET_USER_MEMORY_REGION). */
bool gmi_range_end(uint64_t start, uint64_t size, uint64_t *ret_end);

/* True for a range that is not empty and whose end fits in 64 bits. */
bool gmi_range_is_valid(uint64_t start, uint64_t size);

/* True where @value is a multiple of @align, a power of two. */
bool gmi_is_aligned(uint64_t value, uint64_t align);

uint64_t gmi_align_down(uint64_t value, uint64_t align);

/* @value rounded up to @align, or false where that does not fit in 64 bits. */
bool gmi_align_up(uint64_t value, uint64_t align, uint64_t *ret_value);

/* True for a valid range with both ends on pages of 4096 bytes. */
bool gmi_range_is_paged(uint64_t start, uint64_t size);

/* True where [@start, @start + @size) lies inside [0, @limit). */
bool gmi_range_is_within(uint64_t start, uint64_t size, uint64_t limit);

/* True where two valid ranges share a byte. */
bool gmi_range_overlaps(struct gmem_range a, struct gmem_range b);

/* True where @inner lies inside @outer; both valid. */
bool gmi_range_contains(struct gmem_range outer, struct gmem_range inner);

/* The bytes that two valid ranges share; size 0 where there are none. */
struct gmem_range gmi_range_intersect(struct gmem_range a, struct gmem_range b);

#endif
