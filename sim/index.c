/* SPDX-License-Identifier: MIT */
/* Sorted arrays of memslots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_model.h"

static uint64_t key_of(const struct sim_index *index, const struct sim_slot *slot)
{
	return index->by_offset ? slot->offset : slot->gpa;
}

/* The position of the first slot that begins above @key. */
static size_t above(const struct sim_index *index, uint64_t key)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (key_of(index, index->slot[mid]) > key)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* The slot that holds @key, or NULL. */
struct sim_slot *gmi_sim_index_find(const struct sim_index *index, uint64_t key)
{
	size_t at = above(index, key);
	struct sim_slot *slot;

	if (!at)
		return NULL;
	slot = index->slot[at - 1];
	return key - key_of(index, slot) < slot->size ? slot : NULL;
}

/* The first slot that begins at or above @key, or NULL. */
struct sim_slot *gmi_sim_index_next(const struct sim_index *index, uint64_t key)
{
	size_t at = key ? above(index, key - 1) : 0;

	return at < index->count ? index->slot[at] : NULL;
}

struct sim_slot *gmi_sim_index_overlap(const struct sim_index *index, uint64_t start, uint64_t size)
{
	struct sim_slot *slot = gmi_sim_index_find(index, start);

	if (slot)
		return slot;
	slot = gmi_sim_index_next(index, start);
	return slot && key_of(index, slot) - start < size ? slot : NULL;
}

int gmi_sim_index_add(struct sim_index *index, struct sim_slot *slot)
{
	size_t at = above(index, key_of(index, slot));

	if (index->count == index->capacity) {
		size_t capacity = index->capacity ? index->capacity * 2 : 4;
		struct sim_slot **more =
			reallocarray(index->slot, capacity, sizeof(struct sim_slot *));

		if (!more)
			return -ENOMEM;
		index->slot = more;
		index->capacity = capacity;
	}
	memmove(&index->slot[at + 1], &index->slot[at],
		(index->count - at) * sizeof(struct sim_slot *));
	index->slot[at] = slot;
	index->count++;
	return 0;
}

void gmi_sim_index_remove(struct sim_index *index, const struct sim_slot *slot)
{
	size_t at = above(index, key_of(index, slot)) - 1;

	index->count--;
	memmove(&index->slot[at], &index->slot[at + 1],
		(index->count - at) * sizeof(struct sim_slot *));
}

void gmi_sim_index_free(struct sim_index *index)
{
	free(index->slot);
	*index = (struct sim_index){0};
}
