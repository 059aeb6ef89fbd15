/* SPDX-License-Identifier: MIT */
/* The one range checker. */
#include "range.h"

bool gmi_range_end(uint64_t start, uint64_t size, uint64_t *ret_end)
{
	return !__builtin_add_overflow(start, size, ret_end);
}

bool gmi_range_is_valid(uint64_t start, uint64_t size)
{
	uint64_t end;

	return size && gmi_range_end(start, size, &end);
}

bool gmi_is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

uint64_t gmi_align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

bool gmi_align_up(uint64_t value, uint64_t align, uint64_t *ret_value)
{
	uint64_t sum;

	if (__builtin_add_overflow(value, align - 1, &sum))
		return false;
	*ret_value = gmi_align_down(sum, align);
	return true;
}

bool gmi_range_is_paged(uint64_t start, uint64_t size)
{
	return gmi_range_is_valid(start, size) && gmi_is_aligned(start | size, GMEM_PAGE_SIZE);
}

bool gmi_range_is_within(uint64_t start, uint64_t size, uint64_t limit)
{
	uint64_t end;

	return gmi_range_end(start, size, &end) && end <= limit;
}

static uint64_t last(struct gmem_range range)
{
	return range.start + (range.size - 1);
}

bool gmi_range_overlaps(struct gmem_range a, struct gmem_range b)
{
	return a.start <= last(b) && b.start <= last(a);
}

bool gmi_range_contains(struct gmem_range outer, struct gmem_range inner)
{
	return outer.start <= inner.start && last(inner) <= last(outer);
}

struct gmem_range gmi_range_intersect(struct gmem_range a, struct gmem_range b)
{
	uint64_t start = a.start > b.start ? a.start : b.start;
	uint64_t end = last(a) < last(b) ? last(a) : last(b);

	if (!gmi_range_overlaps(a, b))
		return (struct gmem_range){0};
	return (struct gmem_range){.start = start, .size = end - start + 1};
}
