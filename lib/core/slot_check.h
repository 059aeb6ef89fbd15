/* SPDX-License-Identifier: MIT */
/* What is wrong with a request to bind. */
#ifndef GMI_SLOT_CHECK_H
#define GMI_SLOT_CHECK_H

#include "core_slot.h"

/* Checks all that can be told from the arguments alone. 0 or -errno with a record. */
int gmi_slot_check(const struct gmem_vm *vm, struct gmem_range gpa,
		   const struct gmem_slot_opts *opts);

#endif
