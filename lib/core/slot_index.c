/* SPDX-License-Identifier: MIT */
/* From guest addresses to bound ranges, for readers that wait for nobody. */
#include "slot_index.h"

#include <errno.h>
#include <string.h>

#include "alloc.h"

/* Long enough for every reader that runs; one that was scheduled away is slept for. */
#define SPINS    1000
#define SLEEP_NS 50000

void gmi_slot_index_init(struct gmi_slot_index *index)
{
	memset(index, 0, sizeof(*index));
	gmi_epoch_init(&index->epoch);
	for (int i = 0; i < GMI_ADDRESS_SPACES; i++)
		atomic_init(&index->spaces[i].shown, &index->spaces[i].maps[0]);
}

void gmi_slot_index_clear(struct gmi_slot_index *index, const struct gmem_allocator *allocator)
{
	for (int i = 0; i < GMI_ADDRESS_SPACES; i++) {
		gmi_rangemap_clear(&index->spaces[i].maps[0], allocator);
		gmi_rangemap_clear(&index->spaces[i].maps[1], allocator);
	}
}

unsigned gmi_slot_index_enter(struct gmi_slot_index *index, uint32_t address_space,
			      const struct gmi_rangemap **ret_map)
{
	unsigned ticket = gmi_epoch_enter(&index->epoch);

	*ret_map = atomic_load(&index->spaces[address_space].shown);
	return ticket;
}

void gmi_slot_index_exit(struct gmi_slot_index *index, unsigned ticket)
{
	gmi_epoch_exit(&index->epoch, ticket);
}

const struct gmi_rangemap *gmi_slot_index_shown(struct gmi_slot_index *index,
						uint32_t address_space)
{
	return atomic_load_explicit(&index->spaces[address_space].shown, memory_order_relaxed);
}

static struct gmi_rangemap *hidden(struct gmi_slot_index *index, uint32_t address_space)
{
	struct gmi_slot_space *space = &index->spaces[address_space];

	return gmi_slot_index_shown(index, address_space) == &space->maps[0] ? &space->maps[1]
									     : &space->maps[0];
}

int gmi_slot_index_reserve(struct gmi_slot_index *index, uint32_t address_space,
			   const struct gmem_allocator *allocator)
{
	size_t count = gmi_slot_index_shown(index, address_space)->count;

	return gmi_rangemap_reserve(hidden(index, address_space), count + 1, allocator);
}

static void wait_for_readers(struct gmi_slot_index *index, uint64_t tag, const struct gmi_sys *sys)
{
	for (uint64_t i = 0; gmi_epoch_oldest(&index->epoch) <= tag; i++)
		if (i > SPINS)
			gmi_sys_sleep(sys, SLEEP_NS);
}

static void show(struct gmi_slot_index *index, uint32_t address_space,
		 const struct gmi_rangemap *map, const struct gmi_sys *sys)
{
	uint64_t tag = gmi_epoch_now(&index->epoch);

	atomic_store(&index->spaces[address_space].shown, map);
	gmi_epoch_advance(&index->epoch);
	wait_for_readers(index, tag, sys);
}

void gmi_slot_index_insert(struct gmi_slot_index *index, uint32_t address_space,
			   struct gmem_range range, void *value, const struct gmi_sys *sys)
{
	struct gmi_rangemap *next = hidden(index, address_space);

	gmi_rangemap_copy(next, gmi_slot_index_shown(index, address_space));
	gmi_rangemap_insert(next, range, value);
	show(index, address_space, next, sys);
}

/* Needs no memory: before the last change the hidden map held at most one range less. */
void gmi_slot_index_remove(struct gmi_slot_index *index, uint32_t address_space, uint64_t start,
			   const struct gmi_sys *sys)
{
	struct gmi_rangemap *next = hidden(index, address_space);

	gmi_rangemap_copy_without(next, gmi_slot_index_shown(index, address_space), start);
	show(index, address_space, next, sys);
}
