/* SPDX-License-Identifier: MIT */
/* madvise(2) on a mapping of a guest_memfd file. */
#include <errno.h>
#include <sys/mman.h>

#include "range.h"
#include "sim_model.h"
#include "uapi_mm.h"

/* What Linux does with an advice there; a memfd, which it really is, would do more. */
enum answer { PASS_ON, NOTHING, INVALID, PUNCH };

static enum answer answer_to(int advice)
{
	switch (advice) {
	case MADV_REMOVE:
		return PUNCH;
	case MADV_HUGEPAGE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_WILLNEED:
		return NOTHING;
	case MADV_FREE:
	case 25: /* MADV_COLLAPSE */
	case MADV_HWPOISON:
	case 101: /* MADV_SOFT_OFFLINE */
		return INVALID;
	default:
		return PASS_ON;
	}
}

static int punch(struct gmem_sim *sim, const struct sim_mapping *mapping, uint64_t addr,
		 uint64_t size)
{
	uint64_t offset = mapping->offset + (addr - mapping->addr);

	size = (size + SIM_PAGE - 1) & ~(uint64_t)(SIM_PAGE - 1);
	if (!gmi_is_aligned(addr, SIM_PAGE))
		return -EINVAL;
	gmi_sim_td_forget_file(sim, mapping->view->inode, offset, size);
	gmi_sim_punch(mapping->view->inode, offset, size);
	return 0;
}

static bool is_populate(int advice)
{
	return advice == GMI_MADV_POPULATE_READ || advice == GMI_MADV_POPULATE_WRITE;
}

int gmi_sim_madvise(struct gmem_sim *sim, uint64_t addr, uint64_t size, int advice)
{
	const struct sim_mapping *mapping = gmi_sim_mapping_at(sim, addr);
	enum answer answer = mapping ? answer_to(advice) : PASS_ON;

	if (answer == PUNCH && addr - mapping->addr + size <= mapping->size)
		return punch(sim, mapping, addr, size);
	if (answer == INVALID)
		return -EINVAL;
	if (answer == NOTHING && gmi_is_aligned(addr, SIM_PAGE))
		return 0;
	if (mapping && mapping->view->inode->pool && is_populate(advice)) {
		int ret = gmi_sim_huge_populate(sim, mapping, addr, size);

		if (ret)
			return ret;
	}
	return madvise((void *)(uintptr_t)addr, size, advice) < 0 ? -errno : 0;
}
