/* SPDX-License-Identifier: MIT */
/* One lock for all VMs that share memory: made, merged, taken. */
#include "bind_lock.h"

#include <stdbool.h>

#include "alloc.h"

struct gmi_bind_lock *gmi_bind_lock_create(const struct gmem_allocator *allocator)
{
	struct gmi_bind_lock *lock = gmi_zalloc(allocator, sizeof(*lock));

	if (!lock)
		return NULL;
	pthread_mutex_init(&lock->mutex, NULL);
	atomic_init(&lock->refs, 1);
	atomic_init(&lock->parent, NULL);
	lock->allocator = allocator;
	return lock;
}

static struct gmi_bind_lock *parent_of(struct gmi_bind_lock *lock)
{
	return atomic_load_explicit(&lock->parent, memory_order_acquire);
}

void gmi_bind_lock_put(struct gmi_bind_lock *lock)
{
	struct gmi_bind_lock *parent;

	while (lock && atomic_fetch_sub_explicit(&lock->refs, 1, memory_order_acq_rel) == 1) {
		parent = parent_of(lock);
		pthread_mutex_destroy(&lock->mutex);
		gmi_free(lock->allocator, lock);
		lock = parent;
	}
}

static struct gmi_bind_lock *root_of(struct gmi_bind_lock *lock)
{
	struct gmi_bind_lock *parent;

	while ((parent = parent_of(lock)))
		lock = parent;
	return lock;
}

void gmi_bind_lock_take(struct gmi_bind_lock *lock)
{
	for (;;) {
		lock = root_of(lock);
		pthread_mutex_lock(&lock->mutex);
		if (!parent_of(lock))
			return;
		pthread_mutex_unlock(&lock->mutex);
	}
}

/* Nobody gives a lock a parent that another holds: the root is the one that was taken. */
void gmi_bind_lock_give(struct gmi_bind_lock *lock)
{
	pthread_mutex_unlock(&root_of(lock)->mutex);
}

/* Two at a time are taken by address. True where both were roots, and one leads to the other now. */
static bool join(struct gmi_bind_lock *into, struct gmi_bind_lock *lock)
{
	struct gmi_bind_lock *low = into < lock ? into : lock;
	struct gmi_bind_lock *high = into < lock ? lock : into;
	bool are_roots;

	pthread_mutex_lock(&low->mutex);
	pthread_mutex_lock(&high->mutex);
	are_roots = !parent_of(into) && !parent_of(lock);
	if (are_roots) {
		atomic_fetch_add_explicit(&into->refs, 1, memory_order_relaxed);
		atomic_store_explicit(&lock->parent, into, memory_order_release);
	}
	pthread_mutex_unlock(&high->mutex);
	pthread_mutex_unlock(&low->mutex);
	return are_roots;
}

void gmi_bind_lock_merge(struct gmi_bind_lock *into, struct gmi_bind_lock *lock)
{
	do {
		into = root_of(into);
		lock = root_of(lock);
	} while (into != lock && !join(into, lock));
}
