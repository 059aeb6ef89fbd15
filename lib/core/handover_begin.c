/* SPDX-License-Identifier: MIT */
/* Hand-overs that begin and end: options, the peer, memory; what goes in and what is taken out. */
#include "handover_begin.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "alloc.h"
#include "context.h"
#include "errinfo.h"
#include "handover_job.h"
#include "opts.h"
#include "range.h"

#define PEER_RULES                                                                                 \
	(GMEM_HANDOVER_ANY_PEER | GMEM_HANDOVER_PEER_UID | GMEM_HANDOVER_PEER_GID |                \
	 GMEM_HANDOVER_PEER_PID)

#define KNOWN_FLAGS (GMEM_HANDOVER_HOLD | GMEM_HANDOVER_MOVE_CONTEXT | PEER_RULES)

static int check_opts(const struct gmem_handover_opts *opts)
{
	if (opts->flags & ~KNOWN_FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~KNOWN_FLAGS);
	if (!(opts->flags & PEER_RULES) && !opts->check_peer)
		return gmi_error_arg("flags", "no rule says who the peer may be");
	if (opts->manifest_max > GMI_MANIFEST_SIZE_MAX)
		return gmi_error_arg("manifest_max", "no manifest is larger than 64 MiB");
	return 0;
}

static int read_opts(int socket, const struct gmem_handover_opts *in,
		     struct gmem_handover **ret_handover, struct gmem_handover_opts *ret_opts)
{
	int ret;

	if (socket < 0)
		return gmi_error_arg("socket", "%d is no descriptor", socket);
	if (!in)
		return gmi_error_arg("opts", "a NULL pointer: nobody may be the peer");
	if (!ret_handover)
		return gmi_error_arg("ret_handover", "a NULL pointer");
	ret = gmi_opts_get(ret_opts, sizeof(*ret_opts), in);
	if (!ret)
		ret = check_opts(ret_opts);
	if (!ret && !ret_opts->manifest_max)
		ret_opts->manifest_max = GMI_MANIFEST_SIZE_MAX;
	return ret;
}

static int refuse(const char *what, uint32_t is, uint32_t wanted)
{
	return gmi_error(-EPERM, "the peer is %s %u, not %u", what, is, wanted);
}

static int ask_caller(const struct gmem_handover_opts *opts, const struct gmem_sys_peer *peer)
{
	const struct gmem_handover_peer shown = {
		.sz = sizeof(shown), .pid = peer->pid, .uid = peer->uid, .gid = peer->gid};
	int ret = opts->check_peer ? opts->check_peer(opts->user, &shown) : 0;

	return ret < 0 ? gmi_error(ret, "the caller refuses the peer, process %d of user %u",
				   peer->pid, peer->uid)
		       : 0;
}

static int check_peer(const struct gmem_handover_opts *opts, const struct gmem_sys_peer *peer)
{
	if (opts->flags & GMEM_HANDOVER_PEER_UID && peer->uid != opts->uid)
		return refuse("user", peer->uid, opts->uid);
	if (opts->flags & GMEM_HANDOVER_PEER_GID && peer->gid != opts->gid)
		return refuse("group", peer->gid, opts->gid);
	if (opts->flags & GMEM_HANDOVER_PEER_PID && peer->pid != opts->pid)
		return refuse("process", (uint32_t)peer->pid, (uint32_t)opts->pid);
	return ask_caller(opts, peer);
}

static int meet_peer(const struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *opts,
		     struct gmem_sys_peer *ret_peer)
{
	int ret = gmi_sys_peer(&ctx->sys, socket, ret_peer);

	if (ret)
		return gmi_error_call(ret, "getsockopt", "descriptor %d", socket);
	if (ret_peer->type != SOCK_STREAM && ret_peer->type != SOCK_SEQPACKET)
		return gmi_error_arg("socket", "a socket of type %u", ret_peer->type);
	return check_peer(opts, ret_peer);
}

/* Different for every hand-over of a host; see gmi_handover_session(). */
static uint64_t make_nonce(const struct gmem_handover *h, uint64_t now)
{
	uint64_t z = now ^ (uintptr_t)h << 20 ^ (uint64_t)(uint32_t)h->peer.pid << 40;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return z ? z : 1;
}

static int start_clock(struct gmem_handover *h)
{
	uint64_t now;
	int ret = gmi_sys_now(&h->ctx->sys, &now);

	if (ret)
		return gmi_error_call(ret, "clock_gettime", "there is no time");
	h->nonce = make_nonce(h, now);
	if (h->opts.timeout_ns)
		h->deadline = h->opts.timeout_ns < UINT64_MAX - now ? now + h->opts.timeout_ns
								    : UINT64_MAX;
	return 0;
}

static int begin(struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *opts,
		 struct gmem_handover **ret_handover)
{
	struct gmem_sys_peer peer;
	struct gmem_handover *h;
	int ret = meet_peer(ctx, socket, opts, &peer);

	if (ret)
		return ret;
	h = gmi_zalloc(&ctx->allocator, sizeof(*h));
	if (!h)
		return gmi_error_memory();
	h->ctx = gmi_ctx_get(ctx);
	h->opts = *opts;
	h->peer = peer;
	h->state = GMI_HANDOVER_FAILED;
	ret = gmi_wire_init(&h->wire, ctx, socket, peer.type == SOCK_SEQPACKET);
	ret = ret ? gmi_error_memory() : start_clock(h);
	if (ret)
		gmi_handover_end(h);
	else
		*ret_handover = h;
	return ret;
}

int gmi_handover_begin_send(struct gmem_vm *vm, int socket, const struct gmem_handover_opts *in,
			    struct gmem_handover **ret_handover)
{
	struct gmem_handover_opts opts = {.sz = sizeof(opts)};
	struct gmem_handover *h;
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	ret = read_opts(socket, in, ret_handover, &opts);
	if (!ret && opts.vm)
		ret = gmi_error_arg("vm", "a VM to fill is the target's");
	if (!ret)
		ret = gmi_vm_check_kept(vm);
	if (!ret && opts.flags & GMEM_HANDOVER_MOVE_CONTEXT)
		ret = gmi_context_check_movable(vm);
	if (!ret)
		ret = begin(vm->ctx, socket, &opts, &h);
	if (ret)
		return ret;
	h->vm = gmi_vm_get(vm);
	h->owner = GMEM_HANDOVER_SELF;
	h->state = GMI_SEND_HELLO;
	*ret_handover = h;
	return 0;
}

GMEM_API int gmem_handover_send_begin(struct gmem_vm *vm, int socket,
				      const struct gmem_handover_opts *opts,
				      struct gmem_handover **ret_handover)
{
	return gmi_result(__func__, gmi_handover_begin_send(vm, socket, opts, ret_handover));
}

int gmi_handover_begin_recv(struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *in,
			    struct gmem_handover **ret_handover)
{
	struct gmem_handover_opts opts = {.sz = sizeof(opts)};
	struct gmem_handover *h;
	int ret;

	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	ret = read_opts(socket, in, ret_handover, &opts);
	if (!ret && opts.flags & GMEM_HANDOVER_MOVE_CONTEXT)
		ret = gmi_error_arg("flags", "GMEM_HANDOVER_MOVE_CONTEXT is the source's to say");
	if (!ret && opts.vm && opts.vm->ctx != ctx)
		ret = gmi_error(-EXDEV, "the VM to fill is of another context");
	if (!ret)
		ret = begin(ctx, socket, &opts, &h);
	if (ret)
		return ret;
	h->is_target = true;
	h->vm = opts.vm ? gmi_vm_get(opts.vm) : NULL;
	h->owner = GMEM_HANDOVER_PEER;
	h->state = GMI_RECV_HELLO;
	*ret_handover = h;
	return 0;
}

GMEM_API int gmem_handover_recv_begin(struct gmem_ctx *ctx, int socket,
				      const struct gmem_handover_opts *opts,
				      struct gmem_handover **ret_handover)
{
	return gmi_result(__func__, gmi_handover_begin_recv(ctx, socket, opts, ret_handover));
}

static void free_lists(struct gmem_handover *h)
{
	const struct gmem_allocator *allocator = &h->ctx->allocator;
	struct gmi_handover_memory *memory;
	struct gmi_handover_blob *blob;

	while ((memory = h->memories)) {
		h->memories = memory->next;
		gmi_free(allocator, memory);
	}
	while ((blob = h->blobs)) {
		h->blobs = blob->next;
		gmi_free(allocator, blob->data);
		gmi_free(allocator, blob);
	}
}

static void free_all(struct gmem_handover *h)
{
	const struct gmem_allocator *allocator = &h->ctx->allocator;

	gmi_wire_clear(&h->wire);
	free_lists(h);
	gmi_manifest_clear(&h->manifest);
	gmi_manifest_clear(&h->late);
	gmi_free(allocator, h->manifest_bytes.bytes);
	gmi_free(allocator, h->late_bytes.bytes);
	gmi_free(allocator, h->fds);
	gmi_free(allocator, h->files);
	gmi_free(allocator, h->slots);
}

/* A target that is done and was not taken is taken down like one that failed. */
static void release(struct gmem_handover *h)
{
	if (h->is_target && h->state != GMI_HANDOVER_FAILED && h->vm) {
		gmi_handover_unbuild(h);
		return;
	}
	for (uint32_t i = 0; i < h->file_count; i++)
		if (h->files[i])
			gmi_file_put(h->files[i]);
	h->file_count = 0;
	if (h->vm)
		gmi_vm_put(h->vm);
	h->vm = NULL;
}

void gmi_handover_end(struct gmem_handover *h)
{
	struct gmem_ctx *ctx;

	if (!h)
		return;
	ctx = h->ctx;
	if (h->state != GMI_HANDOVER_FINISHED && h->state != GMI_HANDOVER_FAILED)
		gmem_handover_cancel(h);
	release(h);
	free_all(h);
	gmi_free(&ctx->allocator, h);
	gmi_ctx_put(ctx);
}

GMEM_API struct gmem_handover *gmem_handover_unref(struct gmem_handover *handover)
{
	struct gmem_errinfo before = *gmem_errinfo();

	gmi_handover_end(handover);
	gmi_errinfo_restore(&before);
	return NULL;
}
