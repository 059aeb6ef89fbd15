/* SPDX-License-Identifier: MIT */
/* Pools of huge pages: how they grow, shrink, promise and give. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mempolicy.h>

#include "range.h"
#include "sim_model.h"

void gmi_sim_pools_init(struct gmem_sim *sim)
{
	static const uint64_t sizes[SIM_POOLS] = {UINT64_C(1) << 21, UINT64_C(1) << 30};

	for (size_t i = 0; i < SIM_POOLS; i++) {
		sim->pool[i].page_size = sizes[i];
		sim->pool[i].limit = UINT64_MAX;
		memset(sim->pool[i].most, 0xff, sizeof(sim->pool[i].most));
	}
}

struct sim_pool *gmi_sim_pool_find(struct gmem_sim *sim, uint64_t page_size)
{
	for (size_t i = 0; i < SIM_POOLS; i++)
		if (sim->pool[i].page_size == page_size)
			return &sim->pool[i];
	return NULL;
}

static uint64_t sum(const uint64_t *numbers)
{
	uint64_t all = 0;

	for (size_t i = 0; i < SIM_NODES; i++)
		all += numbers[i];
	return all;
}

static uint64_t persistent(const struct sim_pool *pool, uint32_t node)
{
	return pool->total[node] - pool->surplus[node];
}

/* One page more, or false: surplus pages become the pool's own first. */
static bool grow(struct sim_pool *pool, uint32_t node)
{
	if (pool->surplus[node]) {
		pool->surplus[node]--;
		return true;
	}
	if (pool->total[node] >= pool->most[node])
		return false;
	pool->total[node]++;
	pool->free[node]++;
	return true;
}

/* One page less: a free one that nobody is promised, else one in use is surplus from now on. */
static void shrink(struct sim_pool *pool, uint32_t node)
{
	if (pool->free[node] && sum(pool->free) > pool->reserved) {
		pool->total[node]--;
		pool->free[node]--;
	} else {
		pool->surplus[node]++;
	}
}

static void resize_node(struct sim_pool *pool, uint32_t node, uint64_t pages)
{
	while (persistent(pool, node) < pages && grow(pool, node))
		continue;
	while (persistent(pool, node) > pages)
		shrink(pool, node);
}

/* One step towards @pages on one node; false where nothing is left to do there. */
static bool step(struct sim_pool *pool, uint32_t node, uint64_t pages)
{
	uint64_t all = sum(pool->total) - sum(pool->surplus);

	if (all < pages)
		return grow(pool, node);
	if (all == pages || !persistent(pool, node))
		return false;
	shrink(pool, node);
	return true;
}

/* Without a node the pages go round. */
static void resize_all(const struct gmem_sim *sim, struct sim_pool *pool, uint64_t pages)
{
	bool has_changed = true;

	while (has_changed) {
		has_changed = false;
		for (uint32_t node = 0; node < sim->nodes; node++)
			has_changed |= step(pool, node, pages);
	}
}

/* mm/hugetlb.c set_max_huge_pages(): success also where it came to nothing. */
int gmi_sim_pool_resize(const struct gmem_sim *sim, struct sim_pool *pool, uint32_t node,
			uint64_t pages)
{
	if (pool->flags & GMEM_SIM_POOL_DENIED)
		return -EACCES;
	if (pool->flags & GMEM_SIM_POOL_AT_BOOT)
		return -EINVAL;
	if (node == GMEM_NODE_ANY)
		resize_all(sim, pool, pages);
	else
		resize_node(pool, node, pages);
	return 0;
}

/* Pages of the range that are neither there nor promised. */
static uint64_t count_missing(const struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	uint64_t there = gmi_sim_rangemap_count(&inode->huge, offset, offset + size);
	uint64_t promised = gmi_sim_rangemap_count(&inode->promised, offset, offset + size);

	return (size - there - promised) / inode->page_size;
}

static int promise_page(struct sim_inode *inode, uint64_t offset)
{
	uint64_t end = offset + inode->page_size;

	if (gmi_sim_rangemap_count(&inode->huge, offset, end) ||
	    gmi_sim_rangemap_count(&inode->promised, offset, end))
		return 0;
	if (gmi_sim_rangemap_set(&inode->promised, offset, end, 1))
		return -ENOMEM;
	inode->pool->reserved++;
	inode->pool->charged++;
	return 0;
}

int gmi_sim_huge_promise(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	struct sim_pool *pool = inode->pool;
	uint64_t missing = count_missing(inode, offset, size);
	int ret = 0;

	if (pool->charged + missing > pool->limit || sum(pool->free) < pool->reserved + missing)
		return -ENOMEM;
	for (uint64_t at = offset; at < offset + size && !ret; at += inode->page_size)
		ret = promise_page(inode, at);
	return ret;
}

/* The first node of the policy that has a page; any other where it only prefers. */
static int choose_node(const struct gmem_sim *sim, const struct sim_pool *pool, uint64_t policy)
{
	struct sim_policy want = gmi_sim_policy_of(sim, policy);
	uint64_t nodes = want.nodes ? want.nodes : UINT64_MAX;

	for (uint32_t node = 0; node < sim->nodes; node++)
		if (nodes >> node & 1 && pool->free[node])
			return (int)node;
	if (want.mode == MPOL_BIND)
		return -1;
	for (uint32_t node = 0; node < sim->nodes; node++)
		if (pool->free[node])
			return (int)node;
	return -1;
}

static int allocate_page(struct gmem_sim *sim, struct sim_inode *inode, uint64_t offset,
			 uint64_t policy)
{
	uint64_t end = offset + inode->page_size;
	bool is_promised = gmi_sim_rangemap_count(&inode->promised, offset, end);
	struct sim_pool *pool = inode->pool;
	int error = inode->is_memfd ? -ENOSPC : -ENOMEM;
	int node;

	if (gmi_sim_rangemap_count(&inode->huge, offset, end))
		return 0;
	if (!is_promised && (sum(pool->free) <= pool->reserved || pool->charged >= pool->limit))
		return error;
	node = choose_node(sim, pool, gmi_sim_rangemap_get(&inode->policy, offset, policy, NULL));
	if (node < 0)
		return error;
	if (gmi_sim_rangemap_set(&inode->huge, offset, end, (uint64_t)node + 1))
		return -ENOMEM;
	if (is_promised) {
		gmi_sim_rangemap_clear(&inode->promised, offset, end);
		pool->reserved--;
	} else {
		pool->charged++;
	}
	pool->free[node]--;
	return 0;
}

/*
 * UNVERIFIED: guest_memfd_hugetlb.c of the working tree of 2025-12-08; arguments in pages of 4K
 * take whole huge pages.
 */
int gmi_sim_huge_allocate(struct gmem_sim *sim, struct sim_inode *inode, uint64_t offset,
			  uint64_t size, uint64_t policy, uint64_t *ret_done)
{
	uint64_t end = offset + size, page = inode->page_size, next;
	int ret;

	*ret_done = 0;
	for (uint64_t at = offset; at < end; at = next) {
		ret = allocate_page(sim, inode, gmi_align_down(at, page), policy);
		if (ret)
			return ret;
		next = gmi_align_down(at, page) + page;
		*ret_done = (next < end ? next : end) - offset;
	}
	return 0;
}

static void free_page(struct sim_inode *inode, uint64_t offset)
{
	struct sim_pool *pool = inode->pool;
	int node = gmi_sim_huge_node(inode, offset);

	if (node < 0)
		return;
	gmi_sim_rangemap_clear(&inode->huge, offset, offset + inode->page_size);
	pool->charged--;
	if (pool->surplus[node]) {
		pool->surplus[node]--;
		pool->total[node]--;
	} else {
		pool->free[node]++;
	}
}

/*
 * UNVERIFIED: a file of guest_memfd keeps its promise when a page goes; a part of a page is zeroed
 * and not freed. hugetlbfs gives the promise back with the page.
 */
void gmi_sim_huge_punch(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size, page = inode->page_size, start;

	if (end > inode->size)
		end = inode->size;
	if (!gmi_align_up(offset, page, &start))
		return;
	for (uint64_t at = start; at < end && end - at >= page; at += page) {
		if (gmi_sim_huge_node(inode, at) < 0)
			continue;
		free_page(inode, at);
		if (!inode->is_memfd)
			promise_page(inode, at);
	}
}

void gmi_sim_huge_release(struct sim_inode *inode)
{
	const struct sim_run *run;
	uint64_t promised;

	if (!inode->pool)
		return;
	while ((run = gmi_sim_rangemap_find(&inode->huge, 0)))
		free_page(inode, run->start);
	promised = gmi_sim_rangemap_count(&inode->promised, 0, UINT64_MAX) / inode->page_size;
	inode->pool->reserved -= promised;
	inode->pool->charged -= promised;
	gmi_sim_rangemap_free(&inode->promised);
	gmi_sim_rangemap_free(&inode->huge);
}

int gmi_sim_huge_node(const struct sim_inode *inode, uint64_t offset)
{
	return (int)gmi_sim_rangemap_get(&inode->huge, offset, 0, NULL) - 1;
}

/* A page is whole again as soon as all of it is private: that is what merging comes to. */
static uint64_t count_split(const struct sim_inode *inode)
{
	uint64_t split = 0, page = inode->page_size;

	for (uint64_t at = 0; at < inode->size && !inode->is_memfd; at += page)
		if (gmi_sim_huge_node(inode, at) >= 0 &&
		    gmi_sim_rangemap_count(&inode->shared, at, at + page))
			split += page;
	return split;
}

void gmi_sim_huge_count(struct gmem_sim *sim, uint64_t *ret_huge, uint64_t *ret_split)
{
	*ret_huge = 0;
	*ret_split = 0;
	for (struct sim_inode *inode = sim->first_inode; inode; inode = inode->next) {
		if (!inode->pool)
			continue;
		*ret_huge += gmi_sim_rangemap_count(&inode->huge, 0, UINT64_MAX);
		*ret_split += count_split(inode);
	}
}

/* The policy is the mapping's: hugetlbfs keeps none. A page that is not there is a bus error. */
int gmi_sim_huge_populate(struct gmem_sim *sim, const struct sim_mapping *mapping, uint64_t addr,
			  uint64_t size)
{
	struct sim_inode *inode = mapping->view->inode;
	uint64_t offset = mapping->offset + (addr - mapping->addr), done, policy;

	if (!gmi_range_is_within(offset, size, inode->size))
		return -EFAULT;
	policy = gmi_sim_rangemap_get(&sim->host_policy, addr, gmi_sim_task_policy(sim), NULL);
	return gmi_sim_huge_allocate(sim, inode, offset, size, policy, &done) ? -EFAULT : 0;
}

GMEM_API int gmem_sim_set_pool(struct gmem_sim *sim, const struct gmem_sim_pool *want)
{
	const uint32_t known = GMEM_SIM_POOL_DENIED | GMEM_SIM_POOL_AT_BOOT;
	struct sim_pool *pool = sim && want ? gmi_sim_pool_find(sim, want->page_size) : NULL;

	if (!pool || want->sz != sizeof(*want) || want->node >= sim->nodes ||
	    want->total % pool->page_size || want->flags & ~known)
		return -EINVAL;
	gmi_sim_lock(sim);
	pool->most[want->node] = UINT64_MAX;
	resize_node(pool, want->node, want->total / pool->page_size);
	pool->flags = want->flags;
	if (want->most)
		pool->most[want->node] = want->most / pool->page_size;
	pool->limit = want->cgroup_limit ? want->cgroup_limit / pool->page_size : UINT64_MAX;
	gmi_sim_unlock(sim);
	return 0;
}

GMEM_API int gmem_sim_slow_down(struct gmem_sim *sim, uint64_t ns)
{
	if (!sim)
		return -EINVAL;
	atomic_store(&sim->slow_ns, ns);
	return 0;
}
