/* SPDX-License-Identifier: MIT */
/* The context of a confidential guest: compared and moved. */
#ifndef GMI_CONTEXT_H
#define GMI_CONTEXT_H

#include "core_slot.h"

/* As gmem_vm_move_context(), with checked arguments and neither bind lock. */
int gmi_context_move(struct gmem_vm *dst, struct gmem_vm *src);

/*
 * -EINVAL with a record that names the first difference between what the two have bound; @as_kernel,
 * a host-address view is no file. With the bind lock that both have.
 */
int gmi_context_compare(struct gmem_vm *dst, struct gmem_vm *src, bool as_kernel);

/* -EOPNOTSUPP with a record where no kernel moves the context of this type of VM. */
int gmi_context_check_movable(struct gmem_vm *vm);

/* Gives @to, which has the same memory bound, what is noted of the stale sides of @from. */
void gmi_context_move_stale(struct gmem_slot *to, struct gmem_slot *from);

#endif
