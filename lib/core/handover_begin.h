/* SPDX-License-Identifier: MIT */
/* Hand-overs that begin and end. */
#ifndef GMI_HANDOVER_BEGIN_H
#define GMI_HANDOVER_BEGIN_H

#include <libgmem/handover.h>

/* The public functions without their names in the record. */
int gmi_handover_begin_send(struct gmem_vm *vm, int socket, const struct gmem_handover_opts *in,
			    struct gmem_handover **ret_handover);
int gmi_handover_begin_recv(struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *in,
			    struct gmem_handover **ret_handover);
int gmi_handover_take_vm(struct gmem_handover *h, struct gmem_vm **ret_vm);

/* Takes NULL. May leave a record of its own. */
void gmi_handover_end(struct gmem_handover *h);

#endif
