/* SPDX-License-Identifier: MIT */
/* The stale side of conversions between two backings: remembered, given back, accounted. */
#ifndef GMI_DISCARD_H
#define GMI_DISCARD_H

#include "core_slot.h"

/* Where a bound range has one backing, nothing is ever stale. */
bool gmi_slot_has_two_backings(const struct gmem_slot *slot);

/* Makes the maps of a range that is to be bound. 0 or -ENOMEM; gmi_discard_forget() undoes it. */
int gmi_discard_prepare(struct gmem_slot *slot);

/* Sets aside the memory to mark a part stale, so that marking it cannot fail. 0 or -ENOMEM. */
int gmi_discard_reserve(const struct gmi_part *part, struct gmi_attrmap_reserve *ret_hold);
void gmi_discard_mark(const struct gmi_part *part, struct gmi_attrmap_reserve *hold);
void gmi_discard_unreserve(const struct gmi_part *part, struct gmi_attrmap_reserve *hold);

/* Discards what was converted just now, without a note first. With bind_lock. */
void gmi_discard_fresh(struct gmem_vm *vm, struct gmem_range range);

/* Frees a part of the host memory of a range, whatever its state. 0 or -errno, without a record. */
int gmi_discard_shared_side(struct gmem_slot *slot, uint64_t delta, uint64_t size);

/* Does with what is stale in a range what @policy (enum gmem_discard) says. With bind_lock. */
void gmi_discard_settle(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t policy);

uint64_t gmi_discard_stale_bytes(const struct gmem_slot *slot);
uint64_t gmi_discard_pending_bytes(const struct gmem_slot *slot);
uint64_t gmi_discard_map_bytes(const struct gmem_slot *slot);

/* Exchanges what is stale between two ranges of one size with two backings, the same ones. */
void gmi_discard_inherit(struct gmem_slot *to, struct gmem_slot *from);

/* Forgets what was stale in a range that is not bound any more. With bind_lock. */
void gmi_discard_forget(struct gmem_slot *slot);

#endif
