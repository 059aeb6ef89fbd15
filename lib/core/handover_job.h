/* SPDX-License-Identifier: MIT */
/* A hand-over under way, on either side. */
#ifndef GMI_HANDOVER_JOB_H
#define GMI_HANDOVER_JOB_H

#include <libgmem/error.h>
#include <libgmem/handover.h>

#include "core_slot.h"
#include "handover_wire.h"
#include "manifest.h"

/* In the order in which they come. What is waited for names a state of waiting. */
enum gmi_handover_state {
	GMI_SEND_HELLO,
	GMI_SEND_WELCOME,
	GMI_SEND_MANIFEST,
	GMI_SEND_FDS,
	GMI_SEND_PREPARED,
	GMI_SEND_HELD,
	GMI_SEND_LATE,
	GMI_SEND_COMMIT,
	GMI_SEND_COMMITTING, /* the frame is put, and not out yet */
	GMI_SEND_ACK,
	GMI_RECV_HELLO,
	GMI_RECV_MANIFEST,
	GMI_RECV_FDS,
	GMI_RECV_BUILD,
	GMI_RECV_HELD,
	GMI_RECV_COMMIT,
	GMI_RECV_ACKING,
	GMI_HANDOVER_FINISHED,
	GMI_HANDOVER_FAILED,
};

/* Bytes that take many frames. */
struct gmi_bulk {
	uint8_t *bytes;
	uint64_t size;
	uint64_t done;
	uint64_t check;
};

/* Host memory as the source's caller described it. */
struct gmi_handover_memory {
	uint64_t addr;
	uint64_t size;
	uint64_t offset;
	int fd;
	struct gmi_handover_memory *next;
};

struct gmi_handover_blob {
	char name[GMI_BLOB_NAME_SIZE];
	uint8_t *data;
	uint64_t size;
	bool is_written;
	struct gmi_handover_blob *next;
};

/* What must not change from taking stock to COMMIT. */
struct gmi_handover_stamp {
	uint64_t conversions;
	uint64_t bytes_bound;
	uint32_t slots;
	uint32_t files;
};

struct gmem_handover {
	struct gmem_ctx *ctx; /* a reference */
	struct gmem_vm *vm;   /* a reference; target: NULL until it is made, and once it is taken */
	struct gmem_handover_opts opts;
	struct gmem_sys_peer peer;
	struct gmi_wire wire;
	enum gmi_handover_state state;
	bool is_target;
	bool may_proceed;
	bool has_ended;  /* no answer will come any more */
	bool has_sealed; /* source: it was this hand-over that took the VM out of use */
	uint32_t owner;
	int32_t result;
	int32_t peer_error;
	struct gmem_errinfo record; /* of a failure, which stays */
	uint64_t deadline;          /* 0: none */
	uint64_t nonce;
	uint64_t prepare_ns;
	uint64_t runs;

	struct gmi_bulk manifest_bytes;
	struct gmi_bulk late_bytes;
	int *fds; /* source: borrowed; target: its own, -1 once they are someone's */
	uint32_t nr_fds;
	uint32_t fds_done;
	uint32_t file_count;
	uint32_t slot_count;
	struct gmem_file **files; /* references */

	/* Source. */
	struct gmi_handover_memory *memories;
	struct gmi_handover_blob *blobs;
	uint32_t blob_count;
	struct gmi_handover_stamp stamp;

	/* Target. */
	struct gmi_manifest manifest;
	struct gmi_manifest late;
	struct gmem_slot **slots;
	uint32_t bound_count;
	uint32_t applied; /* lists of runs whose states are set, wholly or in part */
	uint32_t mechanism;
};

/* handover_send.c, handover_recv.c: one move. 1 there may be more, 0 wait, or -errno with a record. */
int gmi_handover_send_move(struct gmem_handover *h);
int gmi_handover_recv_move(struct gmem_handover *h);

/* handover_talk.c: what both sides say. Codes as above. */
int gmi_handover_await(struct gmem_handover *h, uint32_t type, uint32_t size,
		       struct gmi_frame *ret_frame);
int gmi_handover_fail_frame(struct gmem_handover *h, const struct gmi_frame *frame);
void gmi_handover_put_check(struct gmem_handover *h, uint32_t type);
int gmi_handover_check_check(const struct gmem_handover *h, const struct gmi_frame *frame);
bool gmi_handover_put_bulk(struct gmem_handover *h, uint32_t type, struct gmi_bulk *bulk);
int gmi_handover_take_bulk(struct gmem_handover *h, const struct gmi_frame *frame,
			   struct gmi_bulk *bulk);
void gmi_handover_put_abort(struct gmem_handover *h, int error);
uint64_t gmi_handover_session(uint64_t source, uint64_t target);

/* handover_collect.c: takes stock of the VM; writes the blobs that were added late. */
int gmi_handover_collect(struct gmem_handover *h);
int gmi_handover_write_late(struct gmem_handover *h);
struct gmi_handover_stamp gmi_handover_stamp_of(struct gmem_vm *vm);

/* handover_build.c: makes the VM of a manifest that was read; undoes all of that. */
int gmi_handover_build(struct gmem_handover *h);
void gmi_handover_unbuild(struct gmem_handover *h);

/* The last of it, after COMMIT, where the source asked for it. 0 or -errno with a record. */
int gmi_handover_move_context(struct gmem_handover *h);

/* handover_states.c: sets the states that the manifest tells, and takes them back. */
int gmi_handover_set_states(struct gmem_handover *h);
void gmi_handover_reset_states(struct gmem_handover *h);

#endif
