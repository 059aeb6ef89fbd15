/* SPDX-License-Identifier: MIT */
/* What a test does to the simulated machine from outside: signals, pins, broken memory. */
#include <errno.h>

#include "range.h"
#include "sim_model.h"

GMEM_API int gmem_sim_interrupt_after(struct gmem_sim *sim, uint64_t pages)
{
	if (!sim)
		return -EINVAL;
	gmi_sim_lock(sim);
	sim->interrupt_after = pages;
	gmi_sim_unlock(sim);
	return 0;
}

static int find_range(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size,
		      struct sim_inode **ret_inode)
{
	struct sim_object *object;

	if (gmi_sim_kind(sim, fd, &object) != SIM_VIEW)
		return -EBADF;
	*ret_inode = sim_container(object, struct sim_view, object)->inode;
	if (!gmi_range_is_paged(offset, size) ||
	    !gmi_range_is_within(offset, size, (*ret_inode)->size))
		return -EINVAL;
	return 0;
}

/* Adds to the pins of each page; the map counts them. */
static int pin(struct sim_inode *inode, uint64_t offset, uint64_t end)
{
	while (offset < end) {
		uint64_t next;
		uint64_t pins = gmi_sim_rangemap_get(&inode->pinned, offset, 0, &next);
		int ret;

		next = next < end ? next : end;
		ret = gmi_sim_rangemap_set(&inode->pinned, offset, next, pins + 1);
		if (ret)
			return ret;
		offset = next;
	}
	return 0;
}

static int unpin(struct sim_inode *inode, uint64_t offset, uint64_t end)
{
	if (!gmi_sim_rangemap_covers(&inode->pinned, offset, end))
		return -EINVAL;
	while (offset < end) {
		uint64_t next;
		uint64_t pins = gmi_sim_rangemap_get(&inode->pinned, offset, 0, &next);
		int ret;

		next = next < end ? next : end;
		ret = pins > 1 ? gmi_sim_rangemap_set(&inode->pinned, offset, next, pins - 1)
			       : gmi_sim_rangemap_clear(&inode->pinned, offset, next);
		if (ret)
			return ret;
		offset = next;
	}
	return 0;
}

static int poison(struct sim_inode *inode, uint64_t offset, uint64_t end)
{
	return gmi_sim_rangemap_set(&inode->poisoned, offset, end, 1);
}

static int apply(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size,
		 int (*change)(struct sim_inode *inode, uint64_t offset, uint64_t end))
{
	struct sim_inode *inode;
	int ret;

	if (!sim)
		return -EINVAL;
	gmi_sim_lock(sim);
	ret = find_range(sim, fd, offset, size, &inode);
	if (!ret)
		ret = change(inode, offset, offset + size);
	gmi_sim_unlock(sim);
	return ret;
}

GMEM_API int gmem_sim_pin(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size)
{
	return apply(sim, fd, offset, size, pin);
}

GMEM_API int gmem_sim_unpin(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size)
{
	return apply(sim, fd, offset, size, unpin);
}

GMEM_API int gmem_sim_poison(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size)
{
	return apply(sim, fd, offset, size, poison);
}
