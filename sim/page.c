/* SPDX-License-Identifier: MIT */
/* The pages of inodes: allocation, punching, and how much there is. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/falloc.h>

#include "range.h"
#include "sim_model.h"

/*
 * Data lives in the memfd. What fallocate() and guests allocated is noted beside it, so that a
 * layout of a terabyte costs nothing; what the host touched through a mapping is found in the
 * memfd.
 */
#define NOT_THERE UINT64_MAX

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Notes pages as allocated under the policy that holds for them now, @task where the inode has
 * none; those there stay as they are.
 */
static int note_pages(struct sim_inode *inode, uint64_t from, uint64_t end, uint64_t task)
{
	while (from < end) {
		uint64_t next, policy_end, policy;
		int ret = 0;

		if (gmi_sim_rangemap_get(&inode->allocated, from, NOT_THERE, &next) == NOT_THERE) {
			policy = gmi_sim_rangemap_get(&inode->policy, from, task, &policy_end);
			next = min(min(next, policy_end), end);
			ret = gmi_sim_rangemap_set(&inode->allocated, from, next, policy);
		}
		if (ret)
			return ret;
		from = next;
	}
	return 0;
}

static void note_touched_pages(struct sim_inode *inode)
{
	off_t start = 0;
	off_t end;

	while ((start = lseek(inode->fd, start, SEEK_DATA)) >= 0) {
		end = lseek(inode->fd, start, SEEK_HOLE);
		if (end < 0 || note_pages(inode, (uint64_t)start, (uint64_t)end, 0))
			return;
		start = end;
	}
}

uint64_t gmi_sim_allocated(struct gmem_sim *sim)
{
	uint64_t sum = 0;

	for (struct sim_inode *inode = sim->first_inode; inode; inode = inode->next) {
		if (inode->pool)
			continue;
		note_touched_pages(inode);
		sum += gmi_sim_rangemap_count(&inode->allocated, 0, UINT64_MAX);
	}
	return sum;
}

static uint64_t free_memory(struct gmem_sim *sim)
{
	uint64_t used;

	if (!sim->memory_limit)
		return UINT64_MAX;
	used = gmi_sim_allocated(sim);
	return used < sim->memory_limit ? sim->memory_limit - used : 0;
}

/* How far one step may go from @at: up to a change, as far as memory and the next signal allow. */
static uint64_t step_end(const struct gmem_sim *sim, uint64_t at, uint64_t next, uint64_t end,
			 uint64_t room, bool interruptible)
{
	uint64_t pages;

	next = min(next, end);
	next = at + min(next - at, room);
	pages = (next - at) / SIM_PAGE;
	if (interruptible && sim->interrupt_after < pages)
		next = at + sim->interrupt_after * SIM_PAGE;
	return next;
}

/* A signal is looked for before each page. */
static bool take_signal(struct gmem_sim *sim)
{
	if (sim->interrupt_after)
		return false;
	sim->interrupt_after = UINT64_MAX;
	return true;
}

/* The same for one page at a time: it is looked for, and counts. */
bool gmi_sim_page_is_interrupted(struct gmem_sim *sim)
{
	if (take_signal(sim))
		return true;
	if (sim->interrupt_after != UINT64_MAX)
		sim->interrupt_after--;
	return false;
}

/*
 * Allocates what is missing, as kvm_gmem_allocate() does, page by page; @ret_done in bytes, valid
 * on failure too.
 */
int gmi_sim_allocate(struct gmem_sim *sim, struct sim_inode *inode, uint64_t offset, uint64_t size,
		     bool interruptible, uint64_t *ret_done)
{
	uint64_t end = offset + size;
	uint64_t room = free_memory(sim) & ~(uint64_t)(SIM_PAGE - 1);
	uint64_t task = gmi_sim_task_policy(sim);
	uint64_t at, next;
	int ret;

	if (inode->pool)
		return gmi_sim_huge_allocate(sim, inode, offset, size, task, ret_done);
	*ret_done = 0;
	for (at = offset; at < end; at = next) {
		bool there =
			gmi_sim_rangemap_get(&inode->allocated, at, NOT_THERE, &next) != NOT_THERE;

		if (interruptible && take_signal(sim))
			return -EINTR;
		if (!there && !room)
			return -ENOMEM;
		next = step_end(sim, at, next, end, there ? UINT64_MAX : room, interruptible);
		ret = note_pages(inode, at, next, task);
		if (ret)
			return ret;
		if (!there)
			room -= next - at;
		if (interruptible && sim->interrupt_after != UINT64_MAX)
			sim->interrupt_after -= (next - at) / SIM_PAGE;
		*ret_done = next - offset;
	}
	return 0;
}

void gmi_sim_punch(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size;
	uint64_t backed_end = min(end, min(inode->size, SIM_BACKED_END));

	gmi_sim_rangemap_clear(&inode->allocated, offset, end);
	gmi_sim_rangemap_clear(&inode->poisoned, offset, end);
	gmi_sim_rmp_release(inode, offset, size);
	if (inode->pool)
		gmi_sim_huge_punch(inode, offset, size);
	if (offset < backed_end)
		fallocate(inode->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			  (off_t)(backed_end - offset));
}

#define WRITE_ZEROES 0x80 /* FALLOC_FL_WRITE_ZEROES, 6.17 */

/* vfs_fallocate(): which modes get as far as the driver. */
static bool vfs_knows_mode(int mode)
{
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_UNSHARE_RANGE:
	case FALLOC_FL_ZERO_RANGE:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return mode & FALLOC_FL_KEEP_SIZE;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
	case WRITE_ZEROES:
		return !(mode & FALLOC_FL_KEEP_SIZE);
	default:
		return false;
	}
}

int gmi_sim_fallocate(struct gmem_sim *sim, struct sim_inode *inode, int mode, int64_t offset,
		      int64_t size)
{
	uint64_t start = (uint64_t)offset;
	uint64_t bytes = (uint64_t)size;
	uint64_t done;

	if (offset < 0 || size <= 0)
		return -EINVAL;
	if (!vfs_knows_mode(mode))
		return -EOPNOTSUPP;
	if (start + bytes > INT64_MAX)
		return -EFBIG;
	if (!(mode & FALLOC_FL_KEEP_SIZE) || mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!gmi_is_aligned(start, SIM_PAGE) || !gmi_is_aligned(bytes, SIM_PAGE))
		return -EINVAL;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		gmi_sim_td_forget_file(sim, inode, start, bytes);
		gmi_sim_punch(inode, start, bytes);
		return 0;
	}
	if (start + bytes > inode->size)
		return -EINVAL;
	return gmi_sim_allocate(sim, inode, start, bytes, true, &done);
}
