/* SPDX-License-Identifier: MIT */
/* The target's side of a hand-over. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "handover_job.h"
#include "inode.h"
#include "manifest_wire.h"

#define HELLO_SIZE   40u
#define WELCOME_SIZE 16u
#define VERSION      1u

static int make_fds(struct gmem_handover *h, uint32_t count)
{
	if (count > GMI_MANIFEST_INODES_MAX)
		return gmi_error(-EPROTO, "the peer wants to send %u descriptors", count);
	if (!count)
		return 0;
	h->fds = gmi_zalloc_array(&h->ctx->allocator, count, sizeof(*h->fds));
	if (!h->fds)
		return gmi_error_memory();
	for (uint32_t i = 0; i < count; i++)
		h->fds[i] = -1;
	h->nr_fds = count;
	return 0;
}

static void say_welcome(struct gmem_handover *h, uint64_t source)
{
	uint8_t body[WELCOME_SIZE] = {0};

	put_u32(body, VERSION);
	put_u64(body + 8, h->nonce);
	h->wire.session = source;
	gmi_wire_put(&h->wire, GMI_FRAME_WELCOME, body, sizeof(body), NULL, 0);
	h->wire.session = gmi_handover_session(source, h->nonce);
}

static int hear_hello(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_handover_await(h, GMI_FRAME_HELLO, HELLO_SIZE, &frame);

	if (ret <= 0)
		return ret;
	if (get_u32(frame.body) > VERSION || get_u32(frame.body + 4) < VERSION)
		return gmi_error(-EOPNOTSUPP, "the peer speaks versions %u to %u",
				 get_u32(frame.body), get_u32(frame.body + 4));
	if (get_u64(frame.body + 16) > h->opts.manifest_max)
		return gmi_error(-EPROTO, "the manifest has %llu bytes, %llu are allowed",
				 (unsigned long long)get_u64(frame.body + 16),
				 (unsigned long long)h->opts.manifest_max);
	h->manifest_bytes.check = get_u64(frame.body + 24);
	ret = make_fds(h, get_u32(frame.body + 32));
	if (ret)
		return ret;
	say_welcome(h, get_u64(frame.body + 8));
	h->state = GMI_RECV_MANIFEST;
	return 1;
}

static int check_manifest(struct gmem_handover *h)
{
	const struct gmi_bulk *bulk = &h->manifest_bytes;
	int ret = gmi_manifest_read(&h->ctx->allocator, bulk->bytes, bulk->size, &h->manifest);

	if (ret)
		return ret;
	if (!h->manifest.has_vm || h->manifest.vm.fds != h->nr_fds ||
	    get_u64(bulk->bytes + bulk->size - MANIFEST_CHECK_SIZE) != bulk->check)
		return gmi_error(-EPROTO, "the manifest is not the one that was announced");
	for (uint32_t i = 0; i < h->manifest.runs_count; i++)
		h->runs += h->manifest.runs[i].count;
	return 0;
}

static int hear_manifest(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_wire_read(&h->wire, &frame);

	if (ret <= 0)
		return ret;
	if (frame.type != GMI_FRAME_MANIFEST)
		return gmi_handover_fail_frame(h, &frame);
	ret = gmi_handover_take_bulk(h, &frame, &h->manifest_bytes);
	if (ret || h->manifest_bytes.done < h->manifest_bytes.size)
		return ret ? ret : 1;
	ret = check_manifest(h);
	if (ret)
		return ret;
	h->state = h->nr_fds ? GMI_RECV_FDS : GMI_RECV_BUILD;
	return 1;
}

static int hear_fds(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_handover_await(h, GMI_FRAME_FDS, 8, &frame);
	uint32_t count = h->wire.in_nr_fds;

	if (ret <= 0)
		return ret;
	if (!count || get_u32(frame.body) != h->fds_done || count > h->nr_fds - h->fds_done)
		return gmi_error(-EPROTO, "descriptors came that were not announced");
	memcpy(h->fds + h->fds_done, h->wire.in_fds, count * sizeof(*h->fds));
	h->wire.in_nr_fds = 0;
	h->fds_done += count;
	if (h->fds_done == h->nr_fds)
		h->state = GMI_RECV_BUILD;
	return 1;
}

static uint64_t now(const struct gmem_handover *h)
{
	uint64_t ns = 0;

	gmi_sys_now(&h->ctx->sys, &ns);
	return ns;
}

static int build(struct gmem_handover *h)
{
	uint64_t start = now(h);
	int ret = gmi_handover_build(h);

	if (ret)
		return ret;
	h->prepare_ns = now(h) - start;
	h->state = GMI_RECV_HELD;
	return 1;
}

static int say_prepared(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_wire_read(&h->wire, &frame);

	if (ret)
		return ret < 0 ? ret : gmi_handover_fail_frame(h, &frame);
	if (h->opts.flags & GMEM_HANDOVER_HOLD && !h->may_proceed)
		return 0;
	gmi_handover_put_check(h, GMI_FRAME_PREPARED);
	h->state = GMI_RECV_COMMIT;
	return 1;
}

static int check_late_names(const struct gmem_handover *h)
{
	for (uint32_t i = 0; i < h->late.blob_count; i++)
		for (uint32_t j = 0; j < h->manifest.blob_count; j++)
			if (!strcmp(h->late.blobs[i].name, h->manifest.blobs[j].name))
				return gmi_error(-EPROTO, "a late blob has the name of another");
	return 0;
}

static int read_late(struct gmem_handover *h, uint64_t size, uint64_t check)
{
	const struct gmi_bulk *bulk = &h->late_bytes;
	int ret;

	if (bulk->size != size || bulk->done != size)
		return gmi_error(-EPROTO, "the late blobs are not all there");
	if (!size)
		return 0;
	ret = gmi_manifest_read(&h->ctx->allocator, bulk->bytes, size, &h->late);
	if (ret)
		return ret;
	if (h->late.has_vm || get_u64(bulk->bytes + size - MANIFEST_CHECK_SIZE) != check)
		return gmi_error(-EPROTO, "the late blobs are not those that were announced");
	return check_late_names(h);
}

static int take_commit(struct gmem_handover *h, const struct gmi_frame *frame)
{
	int ret = gmi_handover_check_check(h, frame);

	if (!ret)
		ret = read_late(h, get_u64(frame->body + 8), get_u64(frame->body + 16));
	if (!ret)
		ret = gmi_handover_move_context(h);
	if (ret)
		return ret;
	gmi_handover_put_check(h, GMI_FRAME_ACK);
	h->state = GMI_RECV_ACKING;
	return 1;
}

static int hear_commit(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret = gmi_wire_read(&h->wire, &frame);

	if (ret <= 0)
		return ret;
	if (frame.type == GMI_FRAME_LATE)
		return gmi_handover_take_bulk(h, &frame, &h->late_bytes) ?: 1;
	if (frame.type == GMI_FRAME_COMMIT && frame.size == 24)
		return take_commit(h, &frame);
	return gmi_handover_fail_frame(h, &frame);
}

/* Comes here once the frame is out, or cannot get out because the source is gone. */
static int has_acknowledged(struct gmem_handover *h)
{
	h->owner = GMEM_HANDOVER_SELF;
	h->state = GMI_HANDOVER_FINISHED;
	for (uint32_t i = 0; i < h->file_count; i++)
		gmi_inode_own(h->files[i]);
	return 1;
}

int gmi_handover_recv_move(struct gmem_handover *h)
{
	switch (h->state) {
	case GMI_RECV_HELLO:
		return hear_hello(h);
	case GMI_RECV_MANIFEST:
		return hear_manifest(h);
	case GMI_RECV_FDS:
		return hear_fds(h);
	case GMI_RECV_BUILD:
		return build(h);
	case GMI_RECV_HELD:
		return say_prepared(h);
	case GMI_RECV_COMMIT:
		return hear_commit(h);
	default:
		return has_acknowledged(h);
	}
}
