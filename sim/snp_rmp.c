/* SPDX-License-Identifier: MIT */
/* The RMP, as far as pages of guest_memfd go: shared, or assigned to the guest. */
#include "sim_model.h"

bool gmi_sim_rmp_is_assigned(const struct sim_inode *inode, uint64_t offset)
{
	return gmi_sim_rangemap_get(&inode->assigned, offset, 0, NULL);
}

int gmi_sim_rmp_assign(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	return gmi_sim_rangemap_set(&inode->assigned, offset, offset + size, 1);
}

/* Pages that are freed, or converted in place, are the host's again: sev_gmem_make_shared(). */
void gmi_sim_rmp_release(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
	if (inode->assigned.count)
		gmi_sim_rangemap_clear(&inode->assigned, offset, offset + size);
}
