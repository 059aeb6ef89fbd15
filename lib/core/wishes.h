/* SPDX-License-Identifier: MIT */
/* What was asked for of guest addresses before a file was bound there: granted when it is. */
#ifndef GMI_WISHES_H
#define GMI_WISHES_H

#include "convert_job.h"

/* Zeroed but for @slot, which is not in its VM's map yet. */
struct gmi_wishes {
	struct gmem_slot *slot;
	struct gmem_convert_opts opts;
	struct gmi_job job;
};

/* Converts the file as was asked for, in place; elsewhere the kernel knows already. With bind_lock. */
int gmi_wishes_grant(struct gmi_wishes *wishes);

/* Either, after success: the file as it was, and the wishes remembered; or the wishes are done. */
void gmi_wishes_undo(struct gmi_wishes *wishes);
void gmi_wishes_keep(struct gmi_wishes *wishes);

#endif
