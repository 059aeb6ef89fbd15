/* SPDX-License-Identifier: MIT */
/* From guest addresses to bound ranges, for readers that wait for nobody. */
#ifndef GMI_SLOT_INDEX_H
#define GMI_SLOT_INDEX_H

#include "epoch.h"
#include "rangemap.h"
#include "sys_call.h"

/* 1: system management mode has an address space of its own. */
#define GMI_ADDRESS_SPACES 2

/*
 * Of the two maps of an address space readers see one. A writer brings the other up to date and
 * shows that instead, then waits until nobody looks at the first, which is a matter of nanoseconds:
 * readers make no system call and take no lock inside.
 */
struct gmi_slot_index {
	struct gmi_epoch epoch;
	struct gmi_slot_space {
		struct gmi_rangemap maps[2];
		_Atomic(const struct gmi_rangemap *) shown;
	} spaces[GMI_ADDRESS_SPACES];
};

void gmi_slot_index_init(struct gmi_slot_index *index);
void gmi_slot_index_clear(struct gmi_slot_index *index, const struct gmem_allocator *allocator);

/* Readers: what @ret_map holds is valid until the ticket returned is given back. */
unsigned gmi_slot_index_enter(struct gmi_slot_index *index, uint32_t address_space,
			      const struct gmi_rangemap **ret_map);
void gmi_slot_index_exit(struct gmi_slot_index *index, unsigned ticket);

/* All below: one writer at a time. */

/* The map that readers see; only writers change it. */
const struct gmi_rangemap *gmi_slot_index_shown(struct gmi_slot_index *index,
						uint32_t address_space);

/* Makes sure that the next insertion cannot fail. 0 or -ENOMEM. */
int gmi_slot_index_reserve(struct gmi_slot_index *index, uint32_t address_space,
			   const struct gmem_allocator *allocator);

/* After a removal no reader has the range, or what belongs to it, in its hands. */
void gmi_slot_index_insert(struct gmi_slot_index *index, uint32_t address_space,
			   struct gmem_range range, void *value, const struct gmi_sys *sys);
void gmi_slot_index_remove(struct gmi_slot_index *index, uint32_t address_space, uint64_t start,
			   const struct gmi_sys *sys);

#endif
