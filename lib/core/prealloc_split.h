/* SPDX-License-Identifier: MIT */
/* How memory is cut into the pieces that workers take. */
#ifndef GMI_PREALLOC_SPLIT_H
#define GMI_PREALLOC_SPLIT_H

#include <libgmem/types.h>

/* Bytes of a piece: a power of two, @page_size at least. Small enough that every worker gets
 * several of @total bytes, and a cancel does not wait; large enough that the taking does not show.
 *  */
uint64_t gmi_split_piece(uint64_t total, uint64_t page_size, uint32_t workers);

/* How many pieces @size bytes make; the last may be short. */
uint64_t gmi_split_count(uint64_t size, uint64_t piece);

/* The @index-th piece, relative to the start. */
struct gmem_range gmi_split_at(uint64_t size, uint64_t piece, uint64_t index);

/* Which of @count runs of pieces holds the @index-th piece of all; @firsts are the numbers of their
 * first pieces, ascending from 0. */
size_t gmi_split_find(const uint64_t *firsts, size_t count, uint64_t index);

#endif
