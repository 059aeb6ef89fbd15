/* SPDX-License-Identifier: MIT */
/* NUMA policy: on the inode by offset (6.19), on the address before that. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include "range.h"
#include "sim_model.h"

#define MODE_FLAGS  (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING)
#define MODE_MAX    7 /* MPOL_WEIGHTED_INTERLEAVE + 1, 6.9 */
#define MBIND_FLAGS (MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)

static uint64_t all_nodes(const struct gmem_sim *sim)
{
	return sim->nodes == 64 ? UINT64_MAX : (1ull << sim->nodes) - 1;
}

/* The number under which maps keep a policy. 0 is the default: no policy. */
static int policy_number(struct gmem_sim *sim, const struct sim_policy *want, uint64_t *ret_number)
{
	struct sim_policy *more;

	*ret_number = 0;
	if (want->mode == MPOL_DEFAULT)
		return 0;
	for (size_t i = 0; i < sim->policies; i++) {
		if (sim->policy[i].mode == want->mode && sim->policy[i].nodes == want->nodes) {
			*ret_number = i + 1;
			return 0;
		}
	}
	more = reallocarray(sim->policy, sim->policies + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	sim->policy = more;
	sim->policy[sim->policies++] = *want;
	*ret_number = sim->policies;
	return 0;
}

struct sim_policy gmi_sim_policy_of(const struct gmem_sim *sim, uint64_t number)
{
	if (!number || number > sim->policies)
		return (struct sim_policy){.mode = MPOL_DEFAULT};
	return sim->policy[number - 1];
}

/* sanitize_mpol_flags() and mpol_new(); @want->nodes is reduced to nodes that exist. */
static int check_policy(const struct gmem_sim *sim, struct sim_policy *want)
{
	int mode = want->mode & ~MODE_FLAGS;
	bool empty = !want->nodes;

	if (mode < 0 || mode >= MODE_MAX ||
	    ((want->mode & MPOL_F_STATIC_NODES) && (want->mode & MPOL_F_RELATIVE_NODES)))
		return -EINVAL;
	if (mode == MPOL_DEFAULT || mode == MPOL_LOCAL)
		return empty ? 0 : -EINVAL;
	if (empty)
		return mode == MPOL_PREFERRED ? 0 : -EINVAL;
	want->nodes &= all_nodes(sim);
	return want->nodes ? 0 : -EINVAL;
}

/* Pages that are there stay where they are, whatever MPOL_MF_MOVE says; STRICT complains. */
static bool has_misplaced_pages(const struct gmem_sim *sim, const struct sim_inode *inode,
				uint64_t offset, uint64_t size, const struct sim_policy *want)
{
	uint64_t end = offset + size;
	const struct sim_run *run = gmi_sim_rangemap_find(&inode->allocated, offset);

	while (run && run->start < end) {
		uint64_t nodes = gmi_sim_policy_of(sim, run->value).nodes;

		if ((nodes ? nodes : 1) & ~want->nodes)
			return true;
		run = gmi_sim_rangemap_find(&inode->allocated, run->end);
	}
	return false;
}

static int set_policy(struct sim_rangemap *map, uint64_t start, uint64_t size, uint64_t number)
{
	if (!number)
		return gmi_sim_rangemap_clear(map, start, start + size);
	return gmi_sim_rangemap_set(map, start, start + size, number);
}

/* hugetlbfs keeps none: fs/hugetlbfs/inode.c of 7.3 knows no policy. */
static bool keeps_policy(const struct gmem_sim *sim, const struct sim_mapping *mapping)
{
	return mapping && !mapping->view->inode->is_memfd && sim_has(sim, SIM_INODE_POLICY);
}

static int bind_part(struct gmem_sim *sim, uint64_t addr, uint64_t size,
		     const struct sim_policy *want, uint32_t flags)
{
	const struct sim_mapping *mapping = gmi_sim_mapping_at(sim, addr);
	uint64_t offset, number;
	int ret = policy_number(sim, want, &number);

	if (ret)
		return ret;
	if (!keeps_policy(sim, mapping))
		return set_policy(&sim->host_policy, addr, size, number);
	offset = mapping->offset + (addr - mapping->addr);
	if (flags & MPOL_MF_STRICT && want->mode != MPOL_DEFAULT &&
	    has_misplaced_pages(sim, mapping->view->inode, offset, size, want))
		return -EIO;
	return set_policy(&mapping->view->inode->policy, offset, size, number);
}

/* How far one mapping, or the lack of one, reaches from @addr. */
static uint64_t part_end(const struct gmem_sim *sim, uint64_t addr, uint64_t end)
{
	const struct sim_mapping *mapping = gmi_sim_mapping_at(sim, addr);

	if (mapping)
		return mapping->addr + mapping->size < end ? mapping->addr + mapping->size : end;
	for (size_t i = 0; i < sim->mappings; i++) {
		if (sim->mapping[i].addr > addr)
			return sim->mapping[i].addr < end ? sim->mapping[i].addr : end;
	}
	return end;
}

int gmi_sim_mbind(struct gmem_sim *sim, uint64_t addr, uint64_t size, const struct sim_policy *want,
		  uint32_t flags)
{
	struct sim_policy policy = *want;
	int ret = check_policy(sim, &policy);
	uint64_t end, next;

	if (ret)
		return ret;
	size = (size + SIM_PAGE - 1) & ~(uint64_t)(SIM_PAGE - 1);
	if (flags & ~(uint32_t)MBIND_FLAGS || !gmi_is_aligned(addr, SIM_PAGE) || addr + size < addr)
		return -EINVAL;
	if (!size)
		return 0;
	if (msync((void *)(uintptr_t)addr, size, MS_ASYNC) < 0)
		return -EFAULT;
	for (end = addr + size; addr < end; addr = next) {
		next = part_end(sim, addr, end);
		ret = bind_part(sim, addr, next - addr, &policy, flags);
		if (ret)
			return ret;
	}
	return 0;
}

/* The policy of the calling thread, for files whose inode has none. */
uint64_t gmi_sim_task_policy(const struct gmem_sim *sim)
{
	return gmi_sim_rangemap_get(&sim->task_policy, (uint64_t)gettid(), 0, NULL);
}

int gmi_sim_set_mempolicy(struct gmem_sim *sim, const struct sim_policy *want)
{
	struct sim_policy policy = *want;
	uint64_t task = (uint64_t)gettid();
	uint64_t number;
	int ret = check_policy(sim, &policy);

	if (!ret)
		ret = policy_number(sim, &policy, &number);
	return ret ? ret : set_policy(&sim->task_policy, task, 1, number);
}

static uint64_t policy_number_at(const struct gmem_sim *sim, uint64_t addr)
{
	const struct sim_mapping *mapping = gmi_sim_mapping_at(sim, addr);

	if (!keeps_policy(sim, mapping))
		return gmi_sim_rangemap_get(&sim->host_policy, addr, 0, NULL);
	return gmi_sim_rangemap_get(&mapping->view->inode->policy,
				    mapping->offset + (addr - mapping->addr), 0, NULL);
}

/* The node of a page under a policy; interleaving goes by the page's index. */
static int node_of(const struct sim_policy *policy, uint64_t page)
{
	uint64_t nodes = policy->nodes ? policy->nodes : 1;
	int mode = policy->mode & ~MODE_FLAGS;
	unsigned int skip = 0;

	if (mode == MPOL_INTERLEAVE || mode == MODE_MAX - 1)
		skip = (unsigned int)(page % (uint64_t)__builtin_popcountll(nodes));
	while (skip--)
		nodes &= nodes - 1;
	return __builtin_ctzll(nodes);
}

/* The page is faulted in, as get_user_pages() does it. */
static int page_node(struct gmem_sim *sim, uint64_t addr)
{
	const struct sim_mapping *mapping = gmi_sim_mapping_at(sim, addr);
	struct sim_policy policy = {.mode = MPOL_DEFAULT};
	uint64_t offset, done;
	char byte;
	int ret;

	if (gmi_sim_copy_in(&byte, addr, 1))
		return -EFAULT;
	if (!mapping)
		return node_of(&policy, 0);
	offset = (mapping->offset + (addr - mapping->addr)) & ~(uint64_t)(SIM_PAGE - 1);
	ret = gmi_sim_allocate(sim, mapping->view->inode, offset, SIM_PAGE, false, &done);
	if (ret)
		return ret;
	if (mapping->view->inode->pool)
		return gmi_sim_huge_node(mapping->view->inode, offset);
	policy = gmi_sim_policy_of(
		sim, gmi_sim_rangemap_get(&mapping->view->inode->allocated, offset, 0, NULL));
	return node_of(&policy, offset / SIM_PAGE);
}

/* do_get_mempolicy() */
int gmi_sim_get_mempolicy(struct gmem_sim *sim, struct sim_policy *ret_policy, uint64_t addr,
			  uint64_t flags)
{
	*ret_policy = (struct sim_policy){.mode = MPOL_DEFAULT};
	if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		ret_policy->nodes = all_nodes(sim);
		return 0;
	}
	if (!(flags & MPOL_F_ADDR)) {
		*ret_policy = gmi_sim_policy_of(sim, gmi_sim_task_policy(sim));
		return addr || flags & MPOL_F_NODE ? -EINVAL : 0;
	}
	if (msync((void *)(uintptr_t)(addr & ~(uint64_t)(SIM_PAGE - 1)), SIM_PAGE, MS_ASYNC) < 0)
		return -EFAULT;
	*ret_policy = gmi_sim_policy_of(sim, policy_number_at(sim, addr));
	if (flags & MPOL_F_NODE)
		ret_policy->mode = page_node(sim, addr);
	return ret_policy->mode < 0 ? ret_policy->mode : 0;
}
