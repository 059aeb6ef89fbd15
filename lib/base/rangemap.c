/* SPDX-License-Identifier: MIT */
/* A map from disjoint ranges to pointers: a sorted array. */
#include "rangemap.h"

#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "range.h"

void gmi_rangemap_clear(struct gmi_rangemap *map, const struct gmem_allocator *allocator)
{
	gmi_free(allocator, map->entries);
	*map = (struct gmi_rangemap){0};
}

static void copy(struct gmi_rangemap_entry *to, const struct gmi_rangemap_entry *from, size_t count)
{
	if (count)
		memcpy(to, from, count * sizeof(*to));
}

/* Grows by doubling, so that ranges inserted one by one are copied a few times each. */
int gmi_rangemap_reserve(struct gmi_rangemap *map, size_t count,
			 const struct gmem_allocator *allocator)
{
	size_t capacity = map->capacity ? map->capacity : 8;
	struct gmi_rangemap_entry *entries;

	if (count <= map->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	entries = gmi_zalloc_array(allocator, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	copy(entries, map->entries, map->count);
	gmi_free(allocator, map->entries);
	map->entries = entries;
	map->capacity = capacity;
	return 0;
}

void gmi_rangemap_copy(struct gmi_rangemap *map, const struct gmi_rangemap *from)
{
	copy(map->entries, from->entries, from->count);
	map->count = from->count;
}

/* The number of ranges that start at or below @position. Halves without a branch to predict. */
static size_t count_up_to(const struct gmi_rangemap *map, uint64_t position)
{
	const struct gmi_rangemap_entry *base = map->entries;
	size_t left = map->count;
	size_t half;

	if (left == 0)
		return 0;
	for (; left > 1; left -= half) {
		half = left / 2;
		base += base[half].range.start <= position ? half : 0;
	}
	return (size_t)(base - map->entries) + (base->range.start <= position);
}

void gmi_rangemap_insert(struct gmi_rangemap *map, struct gmem_range range, void *value)
{
	size_t at = count_up_to(map, range.start);
	struct gmi_rangemap_entry *entry = &map->entries[at];

	memmove(entry + 1, entry, (map->count - at) * sizeof(*entry));
	*entry = (struct gmi_rangemap_entry){.range = range, .value = value};
	map->count++;
}

void gmi_rangemap_remove(struct gmi_rangemap *map, uint64_t start)
{
	size_t at = count_up_to(map, start);
	struct gmi_rangemap_entry *entry = &map->entries[at - 1];

	memmove(entry, entry + 1, (map->count - at) * sizeof(*entry));
	map->count--;
}

void gmi_rangemap_copy_without(struct gmi_rangemap *map, const struct gmi_rangemap *from,
			       uint64_t start)
{
	size_t at = count_up_to(from, start);

	copy(map->entries, from->entries, at - 1);
	if (at < from->count)
		copy(map->entries + at - 1, from->entries + at, from->count - at);
	map->count = from->count - 1;
}

static bool holds(const struct gmi_rangemap_entry *entry, uint64_t position)
{
	return position - entry->range.start < entry->range.size;
}

const struct gmi_rangemap_entry *gmi_rangemap_next(const struct gmi_rangemap *map,
						   uint64_t position)
{
	size_t at = count_up_to(map, position);

	if (at > 0 && holds(&map->entries[at - 1], position))
		at--;
	return at < map->count ? &map->entries[at] : NULL;
}

const struct gmi_rangemap_entry *gmi_rangemap_find(const struct gmi_rangemap *map,
						   uint64_t position)
{
	size_t at = count_up_to(map, position);

	return at > 0 && holds(&map->entries[at - 1], position) ? &map->entries[at - 1] : NULL;
}

const struct gmi_rangemap_entry *gmi_rangemap_overlap(const struct gmi_rangemap *map,
						      struct gmem_range range)
{
	const struct gmi_rangemap_entry *entry = gmi_rangemap_next(map, range.start);

	return entry && gmi_range_overlaps(entry->range, range) ? entry : NULL;
}
