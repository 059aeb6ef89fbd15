/* SPDX-License-Identifier: MIT */
/* A map from disjoint ranges to pointers, sorted: which memslot holds this address. */
#ifndef GMI_RANGEMAP_H
#define GMI_RANGEMAP_H

#include <stdbool.h>

#include <libgmem/types.h>

struct gmi_rangemap_entry {
	struct gmem_range range;
	void *value;
};

/* Zeroed is empty. Takes no lock: the caller excludes writers. */
struct gmi_rangemap {
	struct gmi_rangemap_entry *entries;
	size_t count;
	size_t capacity;
};

void gmi_rangemap_clear(struct gmi_rangemap *map, const struct gmem_allocator *allocator);

/* Makes room for @count ranges in all, so that insertions up to there cannot fail. 0 or -ENOMEM. */
int gmi_rangemap_reserve(struct gmi_rangemap *map, size_t count,
			 const struct gmem_allocator *allocator);

/* Makes @map, which has the room, hold what @from holds; the second leaves out one range. */
void gmi_rangemap_copy(struct gmi_rangemap *map, const struct gmi_rangemap *from);
void gmi_rangemap_copy_without(struct gmi_rangemap *map, const struct gmi_rangemap *from,
			       uint64_t start);

/* @range is valid, overlaps none, and room is reserved. Linear in the ranges above it. */
void gmi_rangemap_insert(struct gmi_rangemap *map, struct gmem_range range, void *value);

/* Removes the range that starts at @start, which is there. */
void gmi_rangemap_remove(struct gmi_rangemap *map, uint64_t start);

/* The first range that ends above @position, or NULL. Logarithmic. */
const struct gmi_rangemap_entry *gmi_rangemap_next(const struct gmi_rangemap *map,
						   uint64_t position);

/* The range that holds @position, or NULL. */
const struct gmi_rangemap_entry *gmi_rangemap_find(const struct gmi_rangemap *map,
						   uint64_t position);

/* The first range that shares a byte with @range, or NULL. */
const struct gmi_rangemap_entry *gmi_rangemap_overlap(const struct gmi_rangemap *map,
						      struct gmem_range range);

#endif
