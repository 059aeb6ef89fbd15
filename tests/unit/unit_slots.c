/* SPDX-License-Identifier: MIT */
/* Memslot ids, the cut of large ranges, and the index that readers search while it changes. */
#include <pthread.h>
#include <stdatomic.h>

#include "alloc.h"
#include "core_slot.h"
#include "gmem_test.h"
#include "range.h"
#include "slot_ids.h"
#include "slot_index.h"

#define GIB       (UINT64_C(1) << 30)
#define PIECE_MAX (((UINT64_C(1) << 31) - 1) * GMEM_PAGE_SIZE)

static void ids_are_the_lowest(struct gt *t)
{
	struct gmi_slot_ids ids;
	uint32_t id;

	MUST(!gmi_slot_ids_init(&ids, &gmi_alloc_default, 200, 60, 10));
	for (uint32_t i = 0; i < 10; i++) {
		EXPECT("take", gmi_slot_ids_take(&ids, 1, &id), 0);
		EXPECT("id", id, 60 + i);
	}
	EXPECT("no more", gmi_slot_ids_take(&ids, 1, &id), -ENOSPC);
	gmi_slot_ids_release(&ids, 66, 1);
	gmi_slot_ids_release(&ids, 63, 2);
	EXPECT("two in a row", gmi_slot_ids_take(&ids, 2, &id), 0);
	EXPECT("id", id, 63);
	EXPECT("two in a row", gmi_slot_ids_take(&ids, 2, &id), -ENOSPC);
	EXPECT("one", gmi_slot_ids_take(&ids, 1, &id), 0);
	EXPECT("id", id, 66);
	gmi_slot_ids_clear(&ids, &gmi_alloc_default);
}

static void ids_are_claimed(struct gt *t)
{
	struct gmi_slot_ids ids;
	uint32_t id;

	MUST(!gmi_slot_ids_init(&ids, &gmi_alloc_default, 128, 0, 128));
	EXPECT("the last", gmi_slot_ids_claim(&ids, 127, 1), 0);
	EXPECT("again", gmi_slot_ids_claim(&ids, 127, 1), -EBUSY);
	EXPECT("beyond", gmi_slot_ids_claim(&ids, 128, 1), -EINVAL);
	EXPECT("across the end", gmi_slot_ids_claim(&ids, 120, 9), -EINVAL);
	EXPECT("wrapping", gmi_slot_ids_claim(&ids, UINT32_MAX, 2), -EINVAL);
	EXPECT("across a word", gmi_slot_ids_claim(&ids, 62, 4), 0);
	EXPECT("one is taken", gmi_slot_ids_claim(&ids, 60, 4), -EBUSY);
	EXPECT("of which none was taken", gmi_slot_ids_claim(&ids, 60, 2), 0);
	EXPECT("first", gmi_slot_ids_claim(&ids, 0, 1), 0);
	EXPECT("around claimed ones", gmi_slot_ids_take(&ids, 60, &id), 0);
	EXPECT("id", id, 66);
	gmi_slot_ids_clear(&ids, &gmi_alloc_default);
}

/* Each piece but the last ends where a 1G page of the guest does, none is larger than KVM takes. */
static void check_pieces(struct gt *t, uint64_t start, uint64_t size, uint64_t want)
{
	struct gmem_range rest = {.start = start, .size = size};
	uint64_t count = 0;

	EXPECT("count", (int64_t)gmi_slot_count_pieces(rest), (int64_t)want);
	while (rest.size) {
		uint64_t piece = gmi_slot_piece(rest);

		MUST(piece > 0 && piece <= PIECE_MAX && piece <= rest.size);
		EXPECT("page", gmi_is_aligned(piece, GMEM_PAGE_SIZE), true);
		if (piece < rest.size)
			EXPECT("1G", gmi_is_aligned(rest.start + piece, GIB), true);
		rest.start += piece;
		rest.size -= piece;
		count++;
	}
	EXPECT("pieces", (int64_t)count, (int64_t)want);
}

static void large_ranges_are_cut(struct gt *t)
{
	check_pieces(t, 0, GMEM_PAGE_SIZE, 1);
	check_pieces(t, 0, PIECE_MAX, 1);
	check_pieces(t, 0x1000, PIECE_MAX, 1);
	check_pieces(t, 0, PIECE_MAX + GMEM_PAGE_SIZE, 2);
	check_pieces(t, 0x1000, PIECE_MAX + GMEM_PAGE_SIZE, 2);
	check_pieces(t, GIB - 0x1000, PIECE_MAX + GMEM_PAGE_SIZE, 2);
	check_pieces(t, 4 * GIB, UINT64_C(64) << 40, 9);
	check_pieces(t, UINT64_MAX - (UINT64_C(16) << 40) - 0xfff, UINT64_C(16) << 40, 3);
}

#define RANGES 8

struct churn {
	struct gmi_slot_index index;
	atomic_bool stop;
	atomic_int wrong;
	uint64_t alive[RANGES]; /* plain words: what a value points to, "freed" by setting to 0 */
};

/* Finds ranges that come and go; one that was removed must not be in a reader's hands any more. */
static void *read_while_it_changes(void *data)
{
	struct churn *churn = data;
	uint64_t random = 7;

	while (!atomic_load(&churn->stop)) {
		const struct gmi_rangemap_entry *entry;
		const struct gmi_rangemap *map;
		unsigned int ticket;

		random = random * UINT64_C(6364136223846793005) + 1;
		ticket = gmi_slot_index_enter(&churn->index, 0, &map);
		entry = gmi_rangemap_find(map, (random >> 40) % RANGES * GMEM_PAGE_SIZE);
		if (entry && *(uint64_t *)entry->value != entry->range.start + 1)
			atomic_fetch_add(&churn->wrong, 1);
		gmi_slot_index_exit(&churn->index, ticket);
	}
	return NULL;
}

static void toggle(struct churn *churn, uint64_t i)
{
	struct gmi_sys sys = {.ops = gmem_sys_linux()};
	struct gmem_range range = {.start = i * GMEM_PAGE_SIZE, .size = GMEM_PAGE_SIZE};

	if (churn->alive[i]) {
		gmi_slot_index_remove(&churn->index, 0, range.start, &sys);
		churn->alive[i] = 0;
		return;
	}
	churn->alive[i] = range.start + 1;
	MUST(!gmi_slot_index_reserve(&churn->index, 0, &gmi_alloc_default));
	gmi_slot_index_insert(&churn->index, 0, range, &churn->alive[i], &sys);
}

static void the_index_changes_under_its_readers(struct gt *t)
{
	static struct churn churn;
	pthread_t readers[3];
	uint64_t random = 1;

	gmi_slot_index_init(&churn.index);
	for (size_t i = 0; i < GT_COUNT(readers); i++)
		MUST(!pthread_create(&readers[i], NULL, read_while_it_changes, &churn));
	for (int step = 0; step < 20000; step++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		toggle(&churn, (random >> 40) % RANGES);
	}
	atomic_store(&churn.stop, true);
	for (size_t i = 0; i < GT_COUNT(readers); i++)
		pthread_join(readers[i], NULL);
	EXPECT("stale", atomic_load(&churn.wrong), 0);
	gmi_slot_index_clear(&churn.index, &gmi_alloc_default);
}

static void *no_memory(void *user, size_t size)
{
	return NULL;
}

static void removing_needs_no_memory(struct gt *t)
{
	struct gmem_allocator none = gmi_alloc_default;
	struct gmi_sys sys = {.ops = gmem_sys_linux()};
	struct gmi_slot_index index;
	struct gmem_range range = {.size = GMEM_PAGE_SIZE};

	none.alloc = no_memory;
	gmi_slot_index_init(&index);
	EXPECT("reserve", gmi_slot_index_reserve(&index, 0, &none), -ENOMEM);
	for (uint64_t i = 0; i < 100; i++) {
		range.start = i * GMEM_PAGE_SIZE;
		MUST(!gmi_slot_index_reserve(&index, 0, &gmi_alloc_default));
		gmi_slot_index_insert(&index, 0, range, &index, &sys);
	}
	for (uint64_t i = 0; i < 100; i++) {
		EXPECT("count", (int64_t)gmi_slot_index_shown(&index, 0)->count,
		       (int64_t)(100 - i));
		gmi_slot_index_remove(&index, 0, i * GMEM_PAGE_SIZE, &sys);
	}
	EXPECT("the other space", (int64_t)gmi_slot_index_shown(&index, 1)->count, 0);
	gmi_slot_index_clear(&index, &gmi_alloc_default);
}

static const struct gt_test tests[] = {
	{"ids_are_the_lowest", ids_are_the_lowest, .flags = GT_NO_KERNEL},
	{"ids_are_claimed", ids_are_claimed, .flags = GT_NO_KERNEL},
	{"large_ranges_are_cut", large_ranges_are_cut, .flags = GT_NO_KERNEL},
	{"the_index_changes_under_its_readers", the_index_changes_under_its_readers,
	 .flags = GT_NO_KERNEL},
	{"removing_needs_no_memory", removing_needs_no_memory, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
