/* SPDX-License-Identifier: MIT */
/* How memory is cut into the pieces that workers take. */
#include "prealloc_split.h"

/* 8 to 16 ms at the rates of one thread on 4K pages; no gain was measured above. */
#define PIECE_MAX (UINT64_C(32) << 20)

/* What one page of page tables maps, so that few pieces share one. */
#define PIECE_MIN (UINT64_C(2) << 20)

/* Pieces a worker, so that those who end early have something left to take. */
#define PIECES_EACH 8

uint64_t gmi_split_piece(uint64_t total, uint64_t page_size, uint32_t workers)
{
	uint64_t piece = PIECE_MAX, share = total / PIECES_EACH / (workers ? workers : 1);

	while (piece > share && piece > PIECE_MIN)
		piece /= 2;
	return piece > page_size ? piece : page_size;
}

uint64_t gmi_split_count(uint64_t size, uint64_t piece)
{
	return size / piece + (size % piece != 0);
}

struct gmem_range gmi_split_at(uint64_t size, uint64_t piece, uint64_t index)
{
	uint64_t start = index * piece;

	return (struct gmem_range){start, size - start < piece ? size - start : piece};
}

size_t gmi_split_find(const uint64_t *firsts, size_t count, uint64_t index)
{
	size_t low = 0, high = count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (firsts[middle] <= index)
			low = middle;
		else
			high = middle;
	}
	return low;
}
