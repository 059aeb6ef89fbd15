/* SPDX-License-Identifier: MIT */
/* Epochs: when no lock-free reader can still hold what the writer took out of a structure. */
#ifndef GMI_EPOCH_H
#define GMI_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A reader brackets every walk with gmi_epoch_enter() and gmi_epoch_exit(). Neither waits, and
 * readers on different threads rarely touch the same cache line: each takes a slot of its own,
 * chosen by its stack, and writes into it the epoch in which it came.
 *
 * The one writer takes an object out with a sequentially consistent store, remembers
 * gmi_epoch_now() as the object's tag and then calls gmi_epoch_advance(). The object is
 * unreachable for all readers once its tag is below gmi_epoch_oldest().
 *
 * Why that holds: whoever can hold the object entered before it was taken out, so its slot shows a
 * value <= tag. A reader whose slot the writer saw empty enters later in the single total order of
 * sequentially consistent operations, so that its loads, which must be sequentially consistent too,
 * find the object gone. No fence is used: ThreadSanitizer does not model them.
 */

#define GMI_EPOCH_SLOTS 32u

/* One cache line each, whatever the alignment of the whole. */
struct gmi_epoch_slot {
	_Atomic uint64_t since; /* 0: free */
	uint64_t pad[7];
};

struct gmi_epoch {
	_Atomic uint64_t now;
	_Atomic uint64_t crowd; /* readers that found no free slot */
	uint64_t pad[6];
	struct gmi_epoch_slot slot[GMI_EPOCH_SLOTS];
};

void gmi_epoch_init(struct gmi_epoch *epoch);

/* Writer only. No reader that is inside came before this epoch: UINT64_MAX where none is inside, 0
 * where that cannot be told because more are inside than there are slots. */
uint64_t gmi_epoch_oldest(struct gmi_epoch *epoch);

/* Writer only. */
static inline uint64_t gmi_epoch_now(struct gmi_epoch *epoch)
{
	return atomic_load_explicit(&epoch->now, memory_order_relaxed);
}

/* Writer only. */
static inline void gmi_epoch_advance(struct gmi_epoch *epoch)
{
	atomic_store_explicit(&epoch->now, gmi_epoch_now(epoch) + 1, memory_order_release);
}

static inline bool gmi_epoch_claim(struct gmi_epoch *epoch, unsigned slot)
{
	_Atomic uint64_t *since = &epoch->slot[slot].since;
	uint64_t empty = 0;

	return !atomic_load_explicit(since, memory_order_relaxed) &&
	       atomic_compare_exchange_strong(since, &empty, atomic_load(&epoch->now));
}

/* Threads' stacks lie at least 64 KiB apart in practice; where they do not, readers share slots and
 * merely search longer. */
static inline unsigned gmi_epoch_hint(void)
{
	uint64_t stack = (uintptr_t)__builtin_frame_address(0);

	return (unsigned)((stack >> 16) * UINT64_C(0x9E3779B97F4A7C15) >> 59);
}

/* Returns what gmi_epoch_exit() wants back. May nest. */
static inline unsigned gmi_epoch_enter(struct gmi_epoch *epoch)
{
	unsigned slot = gmi_epoch_hint();

	for (unsigned tries = 0; tries < GMI_EPOCH_SLOTS; tries++) {
		if (gmi_epoch_claim(epoch, slot))
			return slot;
		slot = (slot + 1) % GMI_EPOCH_SLOTS;
	}
	atomic_fetch_add(&epoch->crowd, 1);
	return GMI_EPOCH_SLOTS;
}

static inline void gmi_epoch_exit(struct gmi_epoch *epoch, unsigned slot)
{
	if (slot < GMI_EPOCH_SLOTS)
		atomic_store_explicit(&epoch->slot[slot].since, 0, memory_order_release);
	else
		atomic_fetch_sub(&epoch->crowd, 1);
}

#endif
