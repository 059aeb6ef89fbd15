/* SPDX-License-Identifier: MIT */
/* Telling listeners: all of them, in order, or none. With bind_lock. */
#ifndef GMI_CORE_LISTENER_H
#define GMI_CORE_LISTENER_H

#include <libgmem/listener.h>

#include "core_attr.h"

/*
 * Tell all listeners that a part of a bound range is shared now, or will be private. Where one
 * refuses, those told before are told the opposite, and its answer is returned without a record.
 */
int gmi_listeners_map(const struct gmi_part *part);
int gmi_listeners_unmap(const struct gmi_part *part);

/* As above for all that is shared of a range that was bound, or is about to be unbound. */
int gmi_listeners_bind(struct gmem_slot *slot);
int gmi_listeners_unbind(struct gmem_slot *slot);

/* -errno with a record for what a listener answered. */
int gmi_listener_error(int ret, const struct gmi_part *part);

#endif
