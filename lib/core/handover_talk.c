/* SPDX-License-Identifier: MIT */
/* What both sides of a hand-over say, and how they understand it. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "handover_job.h"
#include "manifest_wire.h"

#define ABORT_TEXT_MAX 200u
#define BULK_HEADER    16u

/* A frame that is not the one that was awaited: the peer's last word, or nonsense. */
int gmi_handover_fail_frame(struct gmem_handover *h, const struct gmi_frame *frame)
{
	char text[ABORT_TEXT_MAX + 1] = "";
	uint32_t size;

	if (frame->type != GMI_FRAME_ABORT || frame->size < 4)
		return gmi_error(-EPROTO, "the peer sent a message of type %u and %u bytes now",
				 frame->type, frame->size);
	size = frame->size - 4 < ABORT_TEXT_MAX ? frame->size - 4 : ABORT_TEXT_MAX;
	memcpy(text, frame->body + 4, size);
	for (char *at = text; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	h->peer_error = (int32_t)get_u32(frame->body);
	return gmi_error(-ECANCELED, "the peer gave up: %s", text);
}

int gmi_handover_await(struct gmem_handover *h, uint32_t type, uint32_t size,
		       struct gmi_frame *ret_frame)
{
	int ret = gmi_wire_read(&h->wire, ret_frame);

	if (ret > 0 && (ret_frame->type != type || ret_frame->size != size))
		return gmi_handover_fail_frame(h, ret_frame);
	return ret;
}

void gmi_handover_put_check(struct gmem_handover *h, uint32_t type)
{
	uint8_t body[8];

	put_u64(body, h->manifest_bytes.check);
	gmi_wire_put(&h->wire, type, body, sizeof(body), NULL, 0);
}

int gmi_handover_check_check(const struct gmem_handover *h, const struct gmi_frame *frame)
{
	if (get_u64(frame->body) != h->manifest_bytes.check)
		return gmi_error(-EPROTO, "the peer speaks of another manifest");
	return 0;
}

/* False where all was put before. */
bool gmi_handover_put_bulk(struct gmem_handover *h, uint32_t type, struct gmi_bulk *bulk)
{
	static const uint32_t most = GMI_FRAME_BODY_MAX - BULK_HEADER;
	uint8_t body[GMI_FRAME_BODY_MAX];
	uint64_t left = bulk->size - bulk->done;
	uint32_t size = left < most ? (uint32_t)left : most;

	if (!size)
		return false;
	put_u64(body, bulk->size);
	put_u64(body + 8, bulk->done);
	memcpy(body + BULK_HEADER, bulk->bytes + bulk->done, size);
	gmi_wire_put(&h->wire, type, body, BULK_HEADER + size, NULL, 0);
	bulk->done += size;
	return true;
}

static int make_room(struct gmem_handover *h, struct gmi_bulk *bulk, uint64_t size)
{
	if (size > h->opts.manifest_max)
		return gmi_error(-EPROTO, "the peer wants to send %llu bytes, %llu are allowed",
				 (unsigned long long)size,
				 (unsigned long long)h->opts.manifest_max);
	bulk->bytes = gmi_zalloc(&h->ctx->allocator, size);
	if (!bulk->bytes)
		return gmi_error_memory();
	bulk->size = size;
	return 0;
}

int gmi_handover_take_bulk(struct gmem_handover *h, const struct gmi_frame *frame,
			   struct gmi_bulk *bulk)
{
	uint32_t size = frame->size - BULK_HEADER;
	int ret = 0;

	if (frame->size <= BULK_HEADER)
		return gmi_error(-EPROTO, "the peer sent an empty part");
	if (!bulk->bytes)
		ret = make_room(h, bulk, get_u64(frame->body));
	if (ret)
		return ret;
	if (get_u64(frame->body) != bulk->size || get_u64(frame->body + 8) != bulk->done ||
	    size > bulk->size - bulk->done)
		return gmi_error(-EPROTO, "the peer sent a part that does not follow the last");
	memcpy(bulk->bytes + bulk->done, frame->body + BULK_HEADER, size);
	bulk->done += size;
	return 0;
}

/* Where a part of another message is out, the end of the connection has to say it. */
void gmi_handover_put_abort(struct gmem_handover *h, int error)
{
	const char *text = gmem_errinfo()->message;
	size_t size = strlen(text);
	uint8_t body[4 + ABORT_TEXT_MAX];

	if (!h->wire.out || h->wire.out_broken || !gmi_wire_drop(&h->wire))
		return;
	if (size > ABORT_TEXT_MAX)
		size = ABORT_TEXT_MAX;
	put_u32(body, (uint32_t)error);
	memcpy(body + 4, text, size);
	gmi_wire_put(&h->wire, GMI_FRAME_ABORT, body, 4 + (uint32_t)size, NULL, 0);
	gmi_wire_flush(&h->wire);
}

/* Not secret: it tells messages of one hand-over from those of another. */
uint64_t gmi_handover_session(uint64_t source, uint64_t target)
{
	uint64_t session = source * UINT64_C(0x9e3779b97f4a7c15) ^ target;

	return session ? session : 1;
}
