/* SPDX-License-Identifier: MIT */
/* Which memslot ids of one address space are taken: a bitmap. */
#include "slot_ids.h"

#include <errno.h>

#include "alloc.h"

int gmi_slot_ids_init(struct gmi_slot_ids *ids, const struct gmem_allocator *allocator,
		      uint32_t limit, uint32_t own, uint32_t own_count)
{
	*ids = (struct gmi_slot_ids){
		.taken = gmi_zalloc_array(allocator, limit / 64 + 1, sizeof(uint64_t)),
		.limit = limit,
		.own = own,
		.own_end = own + own_count,
		.low_free = own,
	};
	return ids->taken ? 0 : -ENOMEM;
}

void gmi_slot_ids_clear(struct gmi_slot_ids *ids, const struct gmem_allocator *allocator)
{
	gmi_free(allocator, ids->taken);
	*ids = (struct gmi_slot_ids){0};
}

static bool is_taken(const struct gmi_slot_ids *ids, uint32_t id)
{
	return ids->taken[id / 64] >> (id % 64) & 1;
}

static void set_taken(struct gmi_slot_ids *ids, uint32_t id, uint32_t count)
{
	for (uint32_t i = id; i < id + count; i++)
		ids->taken[i / 64] |= UINT64_C(1) << (i % 64);
	while (ids->low_free < ids->own_end && is_taken(ids, ids->low_free))
		ids->low_free++;
}

int gmi_slot_ids_take(struct gmi_slot_ids *ids, uint32_t count, uint32_t *ret_id)
{
	uint32_t run = 0;

	for (uint32_t id = ids->low_free; id < ids->own_end; id++) {
		run = is_taken(ids, id) ? 0 : run + 1;
		if (run == count) {
			*ret_id = id - count + 1;
			set_taken(ids, *ret_id, count);
			return 0;
		}
	}
	return -ENOSPC;
}

int gmi_slot_ids_claim(struct gmi_slot_ids *ids, uint32_t id, uint32_t count)
{
	if (id >= ids->limit || count > ids->limit - id)
		return -EINVAL;
	for (uint32_t i = id; i < id + count; i++)
		if (is_taken(ids, i))
			return -EBUSY;
	set_taken(ids, id, count);
	return 0;
}

void gmi_slot_ids_release(struct gmi_slot_ids *ids, uint32_t id, uint32_t count)
{
	for (uint32_t i = id; i < id + count; i++)
		ids->taken[i / 64] &= ~(UINT64_C(1) << (i % 64));
	if (id + count > ids->own && id < ids->low_free)
		ids->low_free = id > ids->own ? id : ids->own;
}
