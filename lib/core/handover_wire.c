/* SPDX-License-Identifier: MIT */
/* Messages of a hand-over on a unix socket: whole ones in, whole ones out, never waiting. */
#include "handover_wire.h"

#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "crc64.h"
#include "errinfo.h"
#include "manifest_wire.h"

#define MAGIC 0x4f484d47u /* "GMHO" */

/* A peer that went away with something unread makes the next call fail once, whatever is queued. */
#define RESETS 2

int gmi_wire_init(struct gmi_wire *wire, const struct gmem_ctx *ctx, int socket, bool packets)
{
	wire->sys = &ctx->sys;
	wire->allocator = &ctx->allocator;
	wire->socket = socket;
	wire->packets = packets;
	wire->out = gmi_zalloc(wire->allocator, GMI_FRAME_MAX);
	wire->in = gmi_zalloc(wire->allocator, GMI_FRAME_MAX);
	return wire->out && wire->in ? 0 : -ENOMEM;
}

static void close_fds(struct gmi_wire *wire, const int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			gmi_sys_close(wire->sys, fds[i]);
}

static void forget_frame(struct gmi_wire *wire)
{
	close_fds(wire, wire->in_fds, wire->in_nr_fds);
	wire->in_nr_fds = 0;
	wire->in_size = 0;
}

void gmi_wire_clear(struct gmi_wire *wire)
{
	if (!wire->allocator)
		return;
	forget_frame(wire);
	gmi_free(wire->allocator, wire->out);
	gmi_free(wire->allocator, wire->in);
	*wire = (struct gmi_wire){0};
}

void gmi_wire_put(struct gmi_wire *wire, uint32_t type, const void *body, uint32_t size,
		  const int *fds, uint32_t nr_fds)
{
	uint8_t *out = wire->out;

	put_u32(out, MAGIC);
	put_number(out + 4, type, 2);
	put_number(out + 6, nr_fds, 2);
	put_u32(out + 8, size);
	put_u32(out + 12, wire->out_number++);
	put_u64(out + 16, wire->session);
	if (size)
		memcpy(out + GMI_FRAME_HEADER, body, size);
	put_u64(out + GMI_FRAME_HEADER + size, gmi_crc64(out, GMI_FRAME_HEADER + size));
	wire->out_size = size + GMI_FRAME_OVERHEAD;
	wire->out_done = 0;
	wire->out_fds = fds;
	wire->out_nr_fds = nr_fds;
}

bool gmi_wire_drop(struct gmi_wire *wire)
{
	if (!wire->out_size)
		return true;
	if (wire->out_done)
		return false;
	wire->out_size = 0;
	wire->out_number--;
	return true;
}

static bool is_to_wait(int ret)
{
	return ret == -EAGAIN || ret == -EWOULDBLOCK || ret == -EINTR;
}

/* Descriptors go with the first byte and with no other. */
int gmi_wire_flush(struct gmi_wire *wire)
{
	uint32_t nr_fds;
	int ret;

	while (wire->out_done < wire->out_size) {
		nr_fds = wire->out_done ? 0 : wire->out_nr_fds;
		ret = gmi_sys_send_fds(wire->sys, wire->socket, wire->out + wire->out_done,
				       wire->out_size - wire->out_done, wire->out_fds, nr_fds);
		if (is_to_wait(ret))
			return 0;
		if (ret <= 0) {
			ret = ret && ret != -ECONNRESET ? ret : -EPIPE;
			wire->out_broken |= ret == -EPIPE;
			return ret;
		}
		wire->out_done += (uint32_t)ret;
		wire->sent += (uint64_t)ret;
	}
	wire->out_size = 0;
	wire->out_done = 0;
	return 1;
}

/* How many bytes the frame lacks as far as can be told. */
static uint32_t lacking(const struct gmi_wire *wire)
{
	if (wire->packets)
		return wire->in_size ? 0 : GMI_FRAME_MAX;
	if (wire->in_size < GMI_FRAME_HEADER)
		return GMI_FRAME_HEADER - wire->in_size;
	return get_u32(wire->in + 8) + GMI_FRAME_OVERHEAD - wire->in_size;
}

static int keep_fds(struct gmi_wire *wire, const int *fds, uint32_t count)
{
	if (count > GMEM_SYS_FDS_MAX - wire->in_nr_fds) {
		close_fds(wire, fds, count);
		return gmi_error(-EPROTO, "the peer sent more descriptors than a message may have");
	}
	if (count)
		memcpy(wire->in_fds + wire->in_nr_fds, fds, count * sizeof(*fds));
	wire->in_nr_fds += count;
	return 0;
}

static int fail_recv(int error)
{
	if (error == -EMSGSIZE)
		return gmi_error(-EPROTO, "the peer sent a message that is too long");
	return gmi_error_call(error, "recvmsg", "nothing can be received");
}

/* 1 with some bytes more, 0 it would wait, or -errno with a record. */
static int receive(struct gmi_wire *wire)
{
	int fds[GMEM_SYS_FDS_MAX];
	uint32_t count = 0;
	int ret = -ECONNRESET;

	for (int i = 0; ret == -ECONNRESET && i < RESETS; i++)
		ret = gmi_sys_recv_fds(wire->sys, wire->socket, wire->in + wire->in_size,
				       lacking(wire), fds, &count);
	if (is_to_wait(ret))
		return 0;
	if (ret == 0) {
		close_fds(wire, fds, count);
		return gmi_error(-ECONNRESET, "the peer is gone%s",
				 wire->in_size ? " in the middle of a message" : "");
	}
	if (ret < 0)
		return fail_recv(ret);
	wire->in_size += (uint32_t)ret;
	wire->received += (uint64_t)ret;
	ret = keep_fds(wire, fds, count);
	return ret ? ret : 1;
}

static int check_header(const struct gmi_wire *wire)
{
	if (get_u32(wire->in) != MAGIC)
		return gmi_error(-EPROTO, "the peer speaks something else");
	if (get_u32(wire->in + 8) > GMI_FRAME_BODY_MAX)
		return gmi_error(-EPROTO, "the peer sent a message that is too long");
	return 0;
}

/* The peer may give up before it has agreed on the session. */
static bool is_of_session(const struct gmi_wire *wire)
{
	return get_number(wire->in + 4, 2) == GMI_FRAME_ABORT ||
	       get_u64(wire->in + 16) == wire->session;
}

static int check_frame(const struct gmi_wire *wire)
{
	uint32_t size = wire->in_size;

	if (get_u64(wire->in + size - 8) != gmi_crc64(wire->in, size - 8))
		return gmi_error(-EPROTO, "a message's check does not fit its bytes");
	if (get_u32(wire->in + 12) != wire->in_number || !is_of_session(wire))
		return gmi_error(-EPROTO, "a message is of another hand-over, or out of order");
	if (get_number(wire->in + 6, 2) != wire->in_nr_fds)
		return gmi_error(-EPROTO, "a message came with %u descriptors instead of %u",
				 wire->in_nr_fds, (unsigned)get_number(wire->in + 6, 2));
	return 0;
}

/* 1 where the frame is whole. */
static int is_whole(const struct gmi_wire *wire)
{
	int ret;

	if (wire->in_size < GMI_FRAME_HEADER)
		return wire->packets ? gmi_error(-EPROTO, "a message is too short") : 0;
	ret = check_header(wire);
	if (ret)
		return ret;
	if (wire->in_size == get_u32(wire->in + 8) + GMI_FRAME_OVERHEAD)
		return 1;
	return wire->packets ? gmi_error(-EPROTO, "a message is not as long as it says") : 0;
}

/* The last frame makes room; what of its descriptors is left is closed. */
static void begin_frame(struct gmi_wire *wire)
{
	if (wire->in_size >= GMI_FRAME_HEADER &&
	    wire->in_size == get_u32(wire->in + 8) + GMI_FRAME_OVERHEAD)
		forget_frame(wire);
}

int gmi_wire_read(struct gmi_wire *wire, struct gmi_frame *ret_frame)
{
	int ret;

	begin_frame(wire);
	do {
		ret = receive(wire);
		if (ret > 0)
			ret = is_whole(wire) ?: -EAGAIN;
	} while (ret == -EAGAIN);
	if (ret <= 0)
		return ret;
	ret = check_frame(wire);
	if (ret)
		return ret;
	wire->in_number++;
	ret_frame->type = (uint32_t)get_number(wire->in + 4, 2);
	ret_frame->size = get_u32(wire->in + 8);
	ret_frame->body = wire->in + GMI_FRAME_HEADER;
	return 1;
}
