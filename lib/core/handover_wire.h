/* SPDX-License-Identifier: MIT */
/* Messages of a hand-over on a unix socket: whole ones in, whole ones out, never waiting. */
#ifndef GMI_HANDOVER_WIRE_H
#define GMI_HANDOVER_WIRE_H

#include <stdbool.h>

#include "core_ctx.h"

/*
 * A frame, little-endian: u32 magic, u16 type, u16 descriptors, u32 bytes of the body, u32 its number
 * in this direction, u64 session; the body; u64 CRC-64/XZ of all before. On a socket of packets a frame
 * is a packet. Descriptors come with the first byte of their frame.
 */
#define GMI_FRAME_MAX      32768u
#define GMI_FRAME_HEADER   24u
#define GMI_FRAME_OVERHEAD (GMI_FRAME_HEADER + 8u)
#define GMI_FRAME_BODY_MAX (GMI_FRAME_MAX - GMI_FRAME_OVERHEAD)

enum gmi_frame_type {
	GMI_FRAME_HELLO = 1,
	GMI_FRAME_WELCOME = 2,
	GMI_FRAME_MANIFEST = 3,
	GMI_FRAME_FDS = 4,
	GMI_FRAME_PREPARED = 5,
	GMI_FRAME_LATE = 6,
	GMI_FRAME_COMMIT = 7,
	GMI_FRAME_ACK = 8,
	GMI_FRAME_ABORT = 9,
};

/* One that came; valid until the next is read. Its descriptors are the reader's to take. */
struct gmi_frame {
	uint32_t type;
	uint32_t size;
	const uint8_t *body;
};

struct gmi_wire {
	const struct gmi_sys *sys;
	const struct gmem_allocator *allocator;
	int socket;
	bool packets;
	uint64_t session; /* 0 until both sides have given their half */
	uint64_t sent;
	uint64_t received;

	uint8_t *out;
	uint32_t out_size; /* of the frame that is under way; 0: none */
	uint32_t out_done;
	const int *out_fds;
	uint32_t out_nr_fds;
	uint32_t out_number;
	bool out_broken; /* nothing can be sent any more */

	uint8_t *in;
	uint32_t in_size;
	int in_fds[GMEM_SYS_FDS_MAX];
	uint32_t in_nr_fds;
	uint32_t in_number;
};

/* 0 or -ENOMEM without a record. @wire is zero, or was cleared. */
int gmi_wire_init(struct gmi_wire *wire, const struct gmem_ctx *ctx, int socket, bool packets);

/* Closes descriptors that nobody took. */
void gmi_wire_clear(struct gmi_wire *wire);

/* Puts a frame, at most GMI_FRAME_BODY_MAX, where none is under way. @fds stay until it is sent. */
void gmi_wire_put(struct gmi_wire *wire, uint32_t type, const void *body, uint32_t size,
		  const int *fds, uint32_t nr_fds);

/* Forgets a frame of which nothing was sent. False where a part is out. */
bool gmi_wire_drop(struct gmi_wire *wire);

/* 1 all is out, 0 it would wait, or -errno without a record; -EPIPE where the peer is gone. */
int gmi_wire_flush(struct gmi_wire *wire);

/* 1 with a frame, 0 it would wait, or -errno with a record: -ECONNRESET at the end, -EPROTO. */
int gmi_wire_read(struct gmi_wire *wire, struct gmi_frame *ret_frame);

#endif
