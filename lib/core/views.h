/* SPDX-License-Identifier: MIT */
/* What a change through one view of an inode means for the other VMs on it. With the bind lock. */
#ifndef GMI_VIEWS_H
#define GMI_VIEWS_H

#include "core_slot.h"

/*
 * Tell the listeners of all other VMs on @file's inode that a range of offsets, as far as it is
 * shared there, is mapped or to be unmapped. Where one refuses, those told before are told the
 * opposite, and its answer is returned; @ret_part is then what it refused. No record.
 */
int gmi_views_map(struct gmem_file *file, struct gmem_range offsets, struct gmi_part *ret_part);
int gmi_views_unmap(struct gmem_file *file, struct gmem_range offsets, struct gmi_part *ret_part);

/* Whether another VM on @file's inode has its data in a part of the range. */
bool gmi_views_need(struct gmem_file *file, struct gmem_range offsets);

#endif
