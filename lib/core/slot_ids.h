/* SPDX-License-Identifier: MIT */
/* Which memslot ids of one address space are taken. */
#ifndef GMI_SLOT_IDS_H
#define GMI_SLOT_IDS_H

#include <stdbool.h>

#include <libgmem/types.h>

struct gmi_slot_ids {
	uint64_t *taken;   /* one bit an id */
	uint32_t limit;    /* ids are below it */
	uint32_t own;      /* the first id to be handed out */
	uint32_t own_end;  /* and the end of those */
	uint32_t low_free; /* all from @own up to here are taken */
};

/* Ids in [@own, @own + @own_count) are handed out, all below @limit can be claimed. 0, -ENOMEM. */
int gmi_slot_ids_init(struct gmi_slot_ids *ids, const struct gmem_allocator *allocator,
		      uint32_t limit, uint32_t own, uint32_t own_count);
void gmi_slot_ids_clear(struct gmi_slot_ids *ids, const struct gmem_allocator *allocator);

/* Takes the lowest @count ids in a row that are free. 0 or -ENOSPC. */
int gmi_slot_ids_take(struct gmi_slot_ids *ids, uint32_t count, uint32_t *ret_id);

/* Takes these ids. 0, -EBUSY where one is taken, or -EINVAL where one is not below the limit. */
int gmi_slot_ids_claim(struct gmi_slot_ids *ids, uint32_t id, uint32_t count);

void gmi_slot_ids_release(struct gmi_slot_ids *ids, uint32_t id, uint32_t count);

#endif
