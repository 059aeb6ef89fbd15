/* SPDX-License-Identifier: MIT */
/* A hand-over from begin to end: its steps, its time, its failures, and who owns. */
#include <libgmem/handover.h>

#include <errno.h>
#include <sys/socket.h>

#include "alloc.h"
#include "errinfo.h"
#include "handover_begin.h"
#include "handover_job.h"
#include "inode.h"
#include "opts.h"

#define EVENT_IN  0x001u /* POLLIN */
#define EVENT_OUT 0x004u /* POLLOUT */

static bool is_over(const struct gmem_handover *h)
{
	return h->state == GMI_HANDOVER_FINISHED || h->state == GMI_HANDOVER_FAILED;
}

static bool is_held(const struct gmem_handover *h)
{
	return (h->state == GMI_SEND_HELD || h->state == GMI_RECV_HELD) && !h->may_proceed;
}

static int move(struct gmem_handover *h)
{
	return h->is_target ? gmi_handover_recv_move(h) : gmi_handover_send_move(h);
}

/* While a frame waits to get out, the peer has nothing to say but that it gave up. */
static int listen_for_abort(struct gmem_handover *h)
{
	struct gmi_frame frame;
	int ret;

	if (h->state == GMI_RECV_ACKING)
		return 0;
	ret = gmi_wire_read(&h->wire, &frame);
	return ret > 0 ? gmi_handover_fail_frame(h, &frame) : ret;
}

/*
 * A frame cannot get out. A source that is gone gave up before: its target owns. A COMMIT of which a
 * part is out may be read.
 */
static int cannot_send(struct gmem_handover *h, int error)
{
	bool is_out = h->wire.out_done > 0;
	int ret;

	if ((h->state == GMI_RECV_ACKING && error == -EPIPE) ||
	    (h->state == GMI_SEND_COMMITTING && is_out)) {
		h->wire.out_size = 0;
		return move(h);
	}
	if (error != -EPIPE)
		return gmi_error_call(error, "sendmsg", "nothing can be sent");
	ret = listen_for_abort(h);
	return ret ? ret : gmi_error(-ECONNRESET, "the peer is gone");
}

/* 1 there may be more, 0 wait, or -errno with a record. */
static int step_once(struct gmem_handover *h)
{
	int ret = gmi_wire_flush(&h->wire);

	if (ret < 0)
		return cannot_send(h, ret);
	return ret ? move(h) : listen_for_abort(h);
}

static int check_time(const struct gmem_handover *h)
{
	uint64_t now;

	if (!h->deadline || gmi_sys_now(&h->ctx->sys, &now) || now < h->deadline)
		return 0;
	return gmi_error(-ETIMEDOUT, "the peer did not answer in time");
}

/* Where another hand-over has the VM it stays out of use. */
static void unseal(struct gmem_handover *h)
{
	if (h->has_sealed)
		h->vm->is_handed_over = false;
	h->has_sealed = false;
	h->owner = h->vm->is_handed_over ? GMEM_HANDOVER_PEER : GMEM_HANDOVER_SELF;
}

static void own_again(struct gmem_handover *h)
{
	unseal(h);
	for (uint32_t i = 0; i < h->file_count; i++)
		if (h->files[i]->was_owner)
			gmi_inode_own(h->files[i]);
	h->state = GMI_HANDOVER_FAILED;
}

/* COMMIT was sent. The peer's word that it gave up is an answer, too. */
static int fail_committed(struct gmem_handover *h, int error)
{
	struct gmem_errinfo why = *gmem_errinfo();

	if (error == -ECANCELED) {
		own_again(h);
		return error;
	}
	h->has_ended |= error == -ECONNRESET || error == -EPROTO;
	return gmi_error(-ENOTRECOVERABLE,
			 "the VM was handed over and no answer came, the target may have it: %s",
			 why.message);
}

static int fail(struct gmem_handover *h, int error)
{
	struct gmem_errinfo why = *gmem_errinfo();

	if (error != -ECONNRESET && !h->peer_error)
		gmi_handover_put_abort(h, error);
	if (h->is_target)
		gmi_handover_unbuild(h);
	else
		unseal(h);
	h->state = GMI_HANDOVER_FAILED;
	gmi_errinfo_restore(&why);
	return error;
}

static int conclude(struct gmem_handover *h, int ret)
{
	if (ret == 0)
		ret = check_time(h);
	if (ret < 0 && h->owner == GMEM_HANDOVER_UNKNOWN)
		ret = fail_committed(h, ret);
	else if (ret < 0)
		ret = fail(h, ret);
	else if (h->state == GMI_HANDOVER_FINISHED)
		ret = GMEM_HANDOVER_DONE;
	else
		ret = is_held(h) ? GMEM_HANDOVER_HELD : GMEM_HANDOVER_WAIT;
	if (ret < 0)
		h->record = *gmem_errinfo();
	return ret;
}

static int step(struct gmem_handover *h)
{
	int ret;

	if (!h)
		return gmi_error_arg("handover", "a NULL pointer");
	if (is_over(h) || h->has_ended) {
		if (h->result < 0)
			gmi_errinfo_restore(&h->record);
		return h->result;
	}
	do {
		ret = step_once(h);
	} while (ret > 0 && h->state != GMI_HANDOVER_FINISHED);
	h->result = conclude(h, ret);
	return h->result;
}

GMEM_API int gmem_handover_step(struct gmem_handover *handover)
{
	return gmi_result(__func__, step(handover));
}

static uint64_t time_left(const struct gmem_handover *h)
{
	uint64_t now;

	if (!h->deadline || is_over(h) || gmi_sys_now(&h->ctx->sys, &now))
		return UINT64_MAX;
	return now < h->deadline ? h->deadline - now : 0;
}

static int events(struct gmem_handover *h, uint64_t *ret_timeout_ns)
{
	if (!h)
		return gmi_error_arg("handover", "a NULL pointer");
	if (ret_timeout_ns)
		*ret_timeout_ns = time_left(h);
	return h->wire.out_size ? EVENT_IN | EVENT_OUT : EVENT_IN;
}

GMEM_API int gmem_handover_events(struct gmem_handover *handover, uint64_t *ret_timeout_ns)
{
	return gmi_result(__func__, events(handover, ret_timeout_ns));
}

static int run(struct gmem_handover *h)
{
	uint64_t timeout = 0;
	int ret = step(h), wait;

	while (ret == GMEM_HANDOVER_WAIT) {
		wait = events(h, &timeout);
		ret = gmi_sys_poll(&h->ctx->sys, h->wire.socket, (uint32_t)wait, timeout);
		if (ret < 0)
			return gmi_error_call(ret, "poll", "the peer cannot be waited for");
		ret = step(h);
	}
	return ret;
}

GMEM_API int gmem_handover_run(struct gmem_handover *handover)
{
	return gmi_result(__func__, run(handover));
}

static int proceed(struct gmem_handover *h)
{
	if (!h)
		return gmi_error_arg("handover", "a NULL pointer");
	if (!is_held(h))
		return gmi_error_arg("handover", "it is not held");
	h->may_proceed = true;
	return 0;
}

GMEM_API int gmem_handover_proceed(struct gmem_handover *handover)
{
	return gmi_result(__func__, proceed(handover));
}

static bool is_too_late(struct gmem_handover *h)
{
	if (h->state == GMI_HANDOVER_FINISHED || h->owner == GMEM_HANDOVER_UNKNOWN)
		return true;
	return (h->state == GMI_SEND_COMMITTING || h->state == GMI_RECV_ACKING) && h->wire.out_done;
}

static int cancel(struct gmem_handover *h)
{
	if (!h)
		return gmi_error_arg("handover", "a NULL pointer");
	if (is_too_late(h))
		return gmi_error(-EBUSY, "the VM was handed over");
	if (h->state == GMI_HANDOVER_FAILED)
		return 0;
	h->result = fail(h, gmi_error(-ECANCELED, "the hand-over was cancelled"));
	h->record = *gmem_errinfo();
	return 0;
}

GMEM_API int gmem_handover_cancel(struct gmem_handover *handover)
{
	return gmi_result(__func__, cancel(handover));
}

static int reclaim(struct gmem_handover *h)
{
	if (!h || h->is_target)
		return gmi_error_arg("handover", "no source's hand-over");
	if (h->owner != GMEM_HANDOVER_UNKNOWN)
		return gmi_error(-EBUSY, "there is nothing to reclaim");
	if (!h->has_ended)
		return gmi_error(-EBUSY, "the target may still answer");
	own_again(h);
	return 0;
}

GMEM_API int gmem_handover_reclaim(struct gmem_handover *handover)
{
	return gmi_result(__func__, reclaim(handover));
}

static int get_info(const struct gmem_handover *h, struct gmem_handover_info *ret_info)
{
	struct gmem_handover_info info = {.sz = sizeof(info)};
	int ret;

	if (!h)
		return gmi_error_arg("handover", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.owner = h->owner;
	info.is_target = h->is_target;
	info.result = h->result;
	info.peer_error = h->peer_error;
	info.mechanism = h->mechanism;
	info.fds = h->nr_fds;
	info.manifest_bytes = h->manifest_bytes.size;
	info.runs = h->runs;
	info.bytes_sent = h->wire.sent;
	info.bytes_received = h->wire.received;
	info.prepare_ns = h->prepare_ns;
	info.files = h->file_count;
	info.slots = h->slot_count;
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_handover_get_info(const struct gmem_handover *handover,
				    struct gmem_handover_info *ret_info)
{
	return gmi_result(__func__, get_info(handover, ret_info));
}

static int check_not_held(const struct gmem_handover_opts *opts)
{
	struct gmem_handover_opts known = {.sz = sizeof(known)};
	int ret = gmi_opts_get(&known, sizeof(known), opts);

	if (!ret && known.flags & GMEM_HANDOVER_HOLD)
		return gmi_error_arg("flags", "what is held needs gmem_handover_step()");
	return ret;
}

static int run_to_end(struct gmem_handover *h)
{
	int ret;

	do {
		ret = run(h);
	} while (ret == -EINTR);
	if (ret < 0 && ret != -ENOTRECOVERABLE && h->owner == GMEM_HANDOVER_UNKNOWN)
		ret = fail_committed(h, ret);
	return ret < 0 ? ret : 0;
}

static int send_all(struct gmem_vm *vm, int socket, const struct gmem_handover_opts *opts)
{
	struct gmem_handover *h;
	struct gmem_errinfo why;
	int ret = check_not_held(opts);

	if (!ret)
		ret = gmi_handover_begin_send(vm, socket, opts, &h);
	if (ret)
		return ret;
	ret = run_to_end(h);
	why = *gmem_errinfo();
	gmi_handover_end(h);
	if (ret)
		gmi_errinfo_restore(&why);
	return ret;
}

GMEM_API int gmem_handover_send(struct gmem_vm *vm, int socket,
				const struct gmem_handover_opts *opts)
{
	return gmi_result(__func__, send_all(vm, socket, opts));
}

static int recv_all(struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *opts,
		    struct gmem_vm **ret_vm)
{
	struct gmem_handover *h;
	struct gmem_errinfo why;
	int ret = ret_vm ? check_not_held(opts) : gmi_error_arg("ret_vm", "a NULL pointer");

	if (!ret)
		ret = gmi_handover_begin_recv(ctx, socket, opts, &h);
	if (ret)
		return ret;
	ret = run_to_end(h);
	why = *gmem_errinfo();
	if (!ret)
		ret = gmi_handover_take_vm(h, ret_vm);
	gmi_handover_end(h);
	if (ret)
		gmi_errinfo_restore(&why);
	return ret;
}

GMEM_API int gmem_handover_recv(struct gmem_ctx *ctx, int socket,
				const struct gmem_handover_opts *opts, struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, recv_all(ctx, socket, opts, ret_vm));
}
