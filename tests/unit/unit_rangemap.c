/* SPDX-License-Identifier: MIT */
/* The map of disjoint ranges, at its edges and against a plain array of slots. */
#include "alloc.h"
#include "gmem_test.h"
#include "range.h"
#include "rangemap.h"

#define CELLS 64 /* of the plain array; a range covers whole cells */
#define CELL  UINT64_C(0x1000)

static void put(struct gmi_rangemap *map, uint64_t start, uint64_t size, void *value)
{
	struct gmem_range range = {.start = start, .size = size};

	MUST(!gmi_rangemap_reserve(map, map->count + 1, &gmi_alloc_default));
	gmi_rangemap_insert(map, range, value);
}

static int64_t start_of(const struct gmi_rangemap_entry *entry)
{
	return entry ? (int64_t)entry->range.start : -1;
}

static void empty(struct gt *t)
{
	struct gmi_rangemap map = {0};
	struct gmem_range all = {.start = 0, .size = UINT64_MAX};

	EXPECT("find", start_of(gmi_rangemap_find(&map, 0)), -1);
	EXPECT("next", start_of(gmi_rangemap_next(&map, 0)), -1);
	EXPECT("overlap", start_of(gmi_rangemap_overlap(&map, all)), -1);
	gmi_rangemap_clear(&map, &gmi_alloc_default);
}

static void edges(struct gt *t)
{
	struct gmi_rangemap map = {0};

	put(&map, 0x1000, 0x1000, &map);
	put(&map, UINT64_MAX - 0x1fff, 0x1000, NULL);
	put(&map, 0, 0x1000, NULL);
	EXPECT("first byte", start_of(gmi_rangemap_find(&map, 0)), 0);
	EXPECT("last byte", start_of(gmi_rangemap_find(&map, 0xfff)), 0);
	EXPECT("neighbour", start_of(gmi_rangemap_find(&map, 0x1000)), 0x1000);
	EXPECT("value", gmi_rangemap_find(&map, 0x1fff)->value == &map, true);
	EXPECT("behind", start_of(gmi_rangemap_find(&map, 0x2000)), -1);
	EXPECT("top", start_of(gmi_rangemap_find(&map, UINT64_MAX)), -1);
	EXPECT("next in a gap", start_of(gmi_rangemap_next(&map, 0x2000)),
	       (int64_t)(UINT64_MAX - 0x1fff));
	EXPECT("next inside", start_of(gmi_rangemap_next(&map, 0x1800)), 0x1000);
	EXPECT("next at the end", start_of(gmi_rangemap_next(&map, UINT64_MAX - 0xfff)), -1);
	gmi_rangemap_clear(&map, &gmi_alloc_default);
}

static void *no_memory(void *user, size_t size)
{
	return NULL;
}

static void a_failed_reservation_changes_nothing(struct gt *t)
{
	struct gmem_allocator none = gmi_alloc_default;
	struct gmi_rangemap map = {0};

	none.alloc = no_memory;
	for (uint64_t i = 0; i < 8; i++)
		put(&map, i * CELL, CELL, NULL);
	EXPECT("room", gmi_rangemap_reserve(&map, 8, &none), 0);
	EXPECT("no room", gmi_rangemap_reserve(&map, 9, &none), -ENOMEM);
	EXPECT("count", (int64_t)map.count, 8);
	EXPECT("find", start_of(gmi_rangemap_find(&map, 7 * CELL)), 7 * (int64_t)CELL);
	gmi_rangemap_clear(&map, &gmi_alloc_default);
}

/* The plain array: which range covers a cell, by its first cell plus one. */
struct plain {
	unsigned int owner[CELLS];
};

static int64_t plain_find(const struct plain *plain, unsigned int cell)
{
	return plain->owner[cell] ? (int64_t)((plain->owner[cell] - 1) * CELL) : -1;
}

static int64_t plain_next(const struct plain *plain, unsigned int cell, unsigned int end)
{
	for (; cell < end; cell++)
		if (plain->owner[cell])
			return plain_find(plain, cell);
	return -1;
}

static void compare(struct gt *t, const struct gmi_rangemap *map, const struct plain *plain)
{
	for (unsigned int cell = 0; cell < CELLS; cell++) {
		for (unsigned int size = 1; size <= CELLS - cell; size += 7) {
			struct gmem_range range = {.start = cell * CELL, .size = size * CELL};

			EXPECT("overlap", start_of(gmi_rangemap_overlap(map, range)),
			       plain_next(plain, cell, cell + size));
		}
		EXPECT("find", start_of(gmi_rangemap_find(map, cell * CELL + 5)),
		       plain_find(plain, cell));
		EXPECT("next", start_of(gmi_rangemap_next(map, cell * CELL + 5)),
		       plain_next(plain, cell, CELLS));
	}
}

static void plain_set(struct plain *plain, unsigned int cell, unsigned int size, unsigned int owner)
{
	for (unsigned int i = cell; i < cell + size; i++)
		plain->owner[i] = owner;
}

/* Removes the range that covers @cell, by either of the two ways. */
static void drop(struct gmi_rangemap *map, struct plain *plain, unsigned int cell)
{
	struct gmem_range range = gmi_rangemap_find(map, cell * CELL)->range;
	struct gmi_rangemap other = {0};

	if (cell % 2) {
		gmi_rangemap_remove(map, range.start);
	} else {
		MUST(!gmi_rangemap_reserve(&other, map->count, &gmi_alloc_default));
		gmi_rangemap_copy_without(&other, map, range.start);
		gmi_rangemap_copy(map, &other);
		gmi_rangemap_clear(&other, &gmi_alloc_default);
	}
	plain_set(plain, (unsigned int)(range.start / CELL), (unsigned int)(range.size / CELL), 0);
}

static void as_a_plain_array(struct gt *t)
{
	struct gmi_rangemap map = {0};
	struct plain plain = {{0}};
	uint64_t random = 1;

	for (int step = 0; step < 500; step++) {
		unsigned int cell, size;

		random = random * UINT64_C(6364136223846793005) + 1;
		cell = (unsigned int)(random >> 33) % CELLS;
		size = 1 + (unsigned int)(random >> 50) % 5;
		if (plain.owner[cell]) {
			drop(&map, &plain, cell);
		} else if (cell + size <= CELLS && plain_next(&plain, cell, cell + size) < 0) {
			put(&map, cell * CELL, size * CELL, NULL);
			plain_set(&plain, cell, size, cell + 1);
		}
		compare(t, &map, &plain);
	}
	gmi_rangemap_clear(&map, &gmi_alloc_default);
}

static const struct gt_test tests[] = {
	{"empty", empty, .flags = GT_NO_KERNEL},
	{"edges", edges, .flags = GT_NO_KERNEL},
	{"a_failed_reservation_changes_nothing", a_failed_reservation_changes_nothing,
	 .flags = GT_NO_KERNEL},
	{"as_a_plain_array", as_a_plain_array, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
