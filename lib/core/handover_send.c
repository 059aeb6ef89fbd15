/* SPDX-License-Identifier: MIT */
/* The source's side of a hand-over. */
#include <errno.h>

#include "errinfo.h"
#include "handover_job.h"
#include "inode.h"
#include "manifest_wire.h"

#define HELLO_SIZE   40u
#define WELCOME_SIZE 16u
#define VERSION      1u

static int say_hello(struct gmem_handover *h)
{
	uint8_t body[HELLO_SIZE];
	int ret = gmi_handover_collect(h);

	if (ret)
		return ret;
	put_u32(body, VERSION);
	put_u32(body + 4, VERSION);
	put_u64(body + 8, h->nonce);
	put_u64(body + 16, h->manifest_bytes.size);
	put_u64(body + 24, h->manifest_bytes.check);
	put_u32(body + 32, h->nr_fds);
	put_u32(body + 36, 0);
	gmi_wire_put(&h->wire, GMI_FRAME_HELLO, body, sizeof(body), NULL, 0);
	h->wire.session = h->nonce;
	h->state = GMI_SEND_WELCOME;
	return 1;
}

static int hear_welcome(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_handover_await(h, GMI_FRAME_WELCOME, WELCOME_SIZE, &frame);

	if (ret <= 0)
		return ret;
	if (get_u32(frame.body) != VERSION)
		return gmi_error(-EOPNOTSUPP, "the peer speaks version %u", get_u32(frame.body));
	h->wire.session = gmi_handover_session(h->nonce, get_u64(frame.body + 8));
	h->state = GMI_SEND_MANIFEST;
	return 1;
}

static int send_manifest(struct gmem_handover *h)
{
	if (!gmi_handover_put_bulk(h, GMI_FRAME_MANIFEST, &h->manifest_bytes))
		h->state = GMI_SEND_FDS;
	return 1;
}

static int send_fds(struct gmem_handover *h)
{
	uint32_t left = h->nr_fds - h->fds_done;
	uint32_t count = left < GMEM_SYS_FDS_MAX ? left : GMEM_SYS_FDS_MAX;
	uint8_t body[8] = {0};

	if (!count) {
		h->state = GMI_SEND_PREPARED;
		return 1;
	}
	put_u32(body, h->fds_done);
	gmi_wire_put(&h->wire, GMI_FRAME_FDS, body, sizeof(body), h->fds + h->fds_done, count);
	h->fds_done += count;
	return 1;
}

static int hear_prepared(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_handover_await(h, GMI_FRAME_PREPARED, 8, &frame);

	if (ret <= 0)
		return ret;
	ret = gmi_handover_check_check(h, &frame);
	if (ret)
		return ret;
	h->state = h->opts.flags & GMEM_HANDOVER_HOLD ? GMI_SEND_HELD : GMI_SEND_LATE;
	return 1;
}

/* The peer has nothing to say but that it gave up. */
static int wait_to_proceed(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_wire_read(&h->wire, &frame);

	if (ret)
		return ret < 0 ? ret : gmi_handover_fail_frame(h, &frame);
	if (!h->may_proceed)
		return 0;
	ret = gmi_handover_write_late(h);
	if (ret)
		return ret;
	h->state = GMI_SEND_LATE;
	return 1;
}

static int send_late(struct gmem_handover *h)
{
	if (!gmi_handover_put_bulk(h, GMI_FRAME_LATE, &h->late_bytes))
		h->state = GMI_SEND_COMMIT;
	return 1;
}

static int check_unchanged(struct gmem_handover *h)
{
	struct gmi_handover_stamp now = gmi_handover_stamp_of(h->vm);

	if (now.conversions != h->stamp.conversions || now.bytes_bound != h->stamp.bytes_bound ||
	    now.slots != h->stamp.slots || now.files != h->stamp.files)
		return gmi_error(-EAGAIN, "the VM was bound, unbound or converted meanwhile");
	return 0;
}

/* From before COMMIT on nothing is done to the VM that the target would not know of. */
static int say_commit(struct gmem_handover *h)
{
	uint8_t body[24];
	int ret;

	if (atomic_exchange(&h->vm->is_handed_over, true))
		return gmi_error(-ESTALE, "another hand-over of this VM came first");
	h->has_sealed = true;
	ret = check_unchanged(h);
	if (ret)
		return ret;
	put_u64(body, h->manifest_bytes.check);
	put_u64(body + 8, h->late_bytes.size);
	put_u64(body + 16, h->late_bytes.check);
	gmi_wire_put(&h->wire, GMI_FRAME_COMMIT, body, sizeof(body), NULL, 0);
	h->state = GMI_SEND_COMMITTING;
	return 1;
}

/* Comes here once the frame is out: see gmi_handover_step(). */
static int has_committed(struct gmem_handover *h)
{
	h->owner = GMEM_HANDOVER_UNKNOWN;
	h->state = GMI_SEND_ACK;
	for (uint32_t i = 0; i < h->file_count; i++)
		gmi_inode_disown(h->files[i]);
	return 1;
}

static int hear_ack(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_handover_await(h, GMI_FRAME_ACK, 8, &frame);

	if (ret <= 0)
		return ret;
	ret = gmi_handover_check_check(h, &frame);
	if (ret)
		return ret;
	h->owner = GMEM_HANDOVER_PEER;
	h->state = GMI_HANDOVER_FINISHED;
	return 1;
}

int gmi_handover_send_move(struct gmem_handover *h)
{
	switch (h->state) {
	case GMI_SEND_HELLO:
		return say_hello(h);
	case GMI_SEND_WELCOME:
		return hear_welcome(h);
	case GMI_SEND_MANIFEST:
		return send_manifest(h);
	case GMI_SEND_FDS:
		return send_fds(h);
	case GMI_SEND_PREPARED:
		return hear_prepared(h);
	case GMI_SEND_HELD:
		return wait_to_proceed(h);
	case GMI_SEND_LATE:
		return send_late(h);
	case GMI_SEND_COMMIT:
		return say_commit(h);
	case GMI_SEND_COMMITTING:
		return has_committed(h);
	default:
		return hear_ack(h);
	}
}
