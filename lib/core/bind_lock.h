/* SPDX-License-Identifier: MIT */
/* One lock for all VMs that share memory: bindings and conversions of theirs take turns. */
#ifndef GMI_BIND_LOCK_H
#define GMI_BIND_LOCK_H

#include <pthread.h>
#include <stdatomic.h>

#include <libgmem/types.h>

/*
 * Each VM starts with a lock of its own. Once two share an inode, one lock replaces the other for
 * good: what was taken through either is then the same lock. So a converter may look at all views of
 * an inode, and tell their listeners, without taking a second lock.
 */
struct gmi_bind_lock {
	pthread_mutex_t mutex;
	atomic_uint refs;                       /* of VMs, and of locks that lead here */
	_Atomic(struct gmi_bind_lock *) parent; /* a reference; set once, with both mutexes */
	const struct gmem_allocator *allocator;
};

/* NULL: out of memory. @allocator outlives it. */
struct gmi_bind_lock *gmi_bind_lock_create(const struct gmem_allocator *allocator);

/* Takes NULL. */
void gmi_bind_lock_put(struct gmi_bind_lock *lock);

void gmi_bind_lock_take(struct gmi_bind_lock *lock);
void gmi_bind_lock_give(struct gmi_bind_lock *lock);

/* @lock leads to @into then, which stays as long as @lock does. Neither may be held. */
void gmi_bind_lock_merge(struct gmi_bind_lock *into, struct gmi_bind_lock *lock);

#endif
