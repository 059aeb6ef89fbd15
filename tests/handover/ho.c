/* SPDX-License-Identifier: MIT */
/* What the tests of hand-over start with: a VM with memory, and two ends of a socket. */
#include "ho.h"

#include <unistd.h>

static const uint32_t types[HO_KINDS] = {GMEM_VM_DEFAULT, GMEM_VM_SW_PROTECTED};

/* The test bed's kernel and the profile of that name have the link. */
static bool may_link(const struct gt *t)
{
	return strcmp(t->kernel, "vm") == 0 || strcmp(t->kernel, "sim:rfc-link") == 0;
}

bool ho_is_slow(const struct gt *t)
{
	return strcmp(t->kernel, "vm") == 0;
}

struct gmem_ctx *ho_context(const struct gt *t)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx;

	opts.sys = t->ops;
	opts.sys_user = t->user;
	opts.rfc = may_link(t) ? GMEM_RFC_LINK : 0;
	MUST(gmem_ctx_create(&opts, &ctx) == 0);
	return ctx;
}

bool ho_is_possible(const struct gt *t, enum ho_kind kind)
{
	struct gmem_ctx *ctx = ho_context(t);
	bool possible = gmem_has_vm_type(ctx, types[kind]) == 1;

	if (possible && kind == HO_SHARED)
		possible = gmem_has_feature(ctx, types[kind], GMEM_FEATURE_HVA_VIEW) == 1;
	else if (possible)
		possible = gmem_has_feature(ctx, types[kind], GMEM_FEATURE_LINK) == 1;
	gmem_ctx_unref(ctx);
	return possible;
}

static void bind_part(struct ho *ho, int i, uint64_t gpa, uint64_t offset, uint64_t size)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = ho->file;
	opts.offset = offset;
	MUST(gmem_slot_bind(ho->vm, gpa, size, &opts, &ho->slots[i]) == 0);
}

static void fill(struct ho *ho)
{
	GMEM_INIT(gmem_slot_info, info);

	for (int i = 0; i < 2; i++) {
		MUST(gmem_slot_get_info(ho->slots[i], &info) == 0);
		for (uint64_t at = 0; at < info.size; at += GT_PAGE)
			((uint8_t *)info.hva)[at] = (uint8_t)(1 + i * 100 + (int)(at / GT_PAGE));
	}
}

/* Every third page, and a range across both slots' neighbourhood. */
static void convert(struct ho *ho)
{
	for (uint64_t i = 0; i < HO_PAGES / 2; i += 3)
		MUST(gmem_convert(ho->vm, HO_GPA + i * GT_PAGE, GT_PAGE, GMEM_PRIVATE, NULL,
				  NULL) == 0);
}

void ho_make_vm(struct ho *ho)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = ho->kind == HO_SHARED ? GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED : 0;
	MUST(gmem_vm_create(ho->ctx, types[ho->kind], NULL, &ho->vm) == 0);
	MUST(gmem_file_create(ho->vm, HO_SIZE, &opts, &ho->file) == 0);
	bind_part(ho, 0, HO_GPA, 0, HO_SIZE / 2);
	bind_part(ho, 1, HO_GPA + 4 * HO_SIZE, HO_SIZE / 2, HO_SIZE / 2);
	fill(ho);
	if (ho->kind == HO_PRIVATE)
		convert(ho);
}

void ho_free_vm(struct ho *ho)
{
	for (int i = 0; i < 2; i++)
		if (ho->slots[i])
			EXPECT("unbind", gmem_slot_unbind(ho->slots[i]), 0);
	ho->slots[0] = ho->slots[1] = NULL;
	ho->file = gmem_file_unref(ho->file);
	ho->vm = gmem_vm_unref(ho->vm);
}

void ho_open(struct ho *ho, const struct gt *t, enum ho_kind kind)
{
	*ho = (struct ho){.t = t, .kind = kind, .sockets = {-1, -1}};
	ho->ctx = ho_context(t);
	ho->target_ctx = ho_context(t);
	ho_make_vm(ho);
}

void ho_close(struct ho *ho)
{
	ho_disconnect(ho);
	ho_free_vm(ho);
	gmem_ctx_unref(ho->ctx);
	gmem_ctx_unref(ho->target_ctx);
}

void ho_begin(struct ho *ho, const struct gmem_handover_opts *source,
	      const struct gmem_handover_opts *target)
{
	MUST(gmem_handover_send_begin(ho->vm, ho->sockets[0], source, &ho->source) == 0);
	MUST(gmem_handover_recv_begin(ho->target_ctx, ho->sockets[1], target, &ho->target) == 0);
}

void ho_connect(struct ho *ho, int type, uint32_t flags)
{
	GMEM_INIT(gmem_handover_opts, opts);

	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ho->sockets) == 0);
	opts.flags = GMEM_HANDOVER_PEER_UID | GMEM_HANDOVER_PEER_PID | flags;
	opts.uid = getuid();
	opts.pid = getpid();
	ho_begin(ho, &opts, &opts);
}

static void close_socket(int *socket)
{
	if (*socket >= 0)
		close(*socket);
	*socket = -1;
}

void ho_disconnect(struct ho *ho)
{
	ho->source = gmem_handover_unref(ho->source);
	ho->target = gmem_handover_unref(ho->target);
	close_socket(&ho->sockets[0]);
	close_socket(&ho->sockets[1]);
}

static bool waits(int ret)
{
	return ret == GMEM_HANDOVER_WAIT;
}

/* Two rounds in which nothing moves are the end. */
void ho_pump(struct ho *ho, int *ret_source, int *ret_target)
{
	uint64_t moved, before = UINT64_MAX;

	for (int idle = 0; idle < 2; idle = moved == before ? idle + 1 : 0, before = moved) {
		*ret_source = gmem_handover_step(ho->source);
		*ret_target = gmem_handover_step(ho->target);
		if (!waits(*ret_source) && !waits(*ret_target))
			break;
		moved = ho_info(ho->source).bytes_sent + ho_info(ho->target).bytes_sent +
			ho_info(ho->source).bytes_received + ho_info(ho->target).bytes_received;
	}
}

struct gmem_handover_info ho_info(struct gmem_handover *handover)
{
	GMEM_INIT(gmem_handover_info, info);

	MUST(gmem_handover_get_info(handover, &info) == 0);
	return info;
}

static void expect_bytes(struct ho *ho, struct gmem_vm *vm, uint64_t gpa, uint8_t first)
{
	GMEM_INIT(gmem_slot_info, info);

	EXPECT("bound", gmem_slot_lookup(vm, 0, gpa, &info), 0);
	EXPECT("size", (int64_t)info.size, HO_SIZE / 2);
	for (uint64_t i = 0; i < HO_PAGES / 2 && info.hva; i++)
		if (gmem_attr_query(vm, gpa + i * GT_PAGE, GT_PAGE) == GMEM_SHARED &&
		    ((uint8_t *)info.hva)[i * GT_PAGE] != (uint8_t)(first + i))
			EXPECT("byte of page", ((uint8_t *)info.hva)[i * GT_PAGE],
			       (int64_t)(first + i));
}

static void expect_states(struct ho *ho, struct gmem_vm *vm)
{
	for (uint64_t i = 0; i < HO_PAGES / 2 && ho->kind == HO_PRIVATE; i++)
		EXPECT("state", gmem_attr_query(vm, HO_GPA + i * GT_PAGE, GT_PAGE),
		       i % 3 ? GMEM_SHARED : GMEM_PRIVATE);
}

void ho_expect_same(struct ho *ho, struct gmem_vm *vm)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("info", gmem_vm_get_info(vm, &info), 0);
	EXPECT("slots", info.slots_used, 2);
	EXPECT("files", info.files, 1);
	EXPECT("bytes bound", (int64_t)info.bytes_bound, HO_SIZE);
	expect_states(ho, vm);
	expect_bytes(ho, vm, HO_GPA, 1);
	expect_bytes(ho, vm, HO_GPA + 4 * HO_SIZE, 101);
}

void ho_expect_whole(struct ho *ho)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_file *other;
	struct gmem_slot *slot;
	int ret;

	ho_expect_same(ho, ho->vm);
	MUST(gmem_file_create(ho->vm, GT_PAGE, NULL, &other) == 0);
	opts.file = other;
	ret = gmem_slot_bind(ho->vm, 0x1000, GT_PAGE, &opts, &slot);
	EXPECT("binds", ret, 0);
	if (!ret)
		EXPECT("unbinds", gmem_slot_unbind(slot), 0);
	gmem_file_unref(other);
}

void ho_release(struct gmem_vm *vm)
{
	GMEM_INIT(gmem_slot_info, info);

	while (gmem_slot_next(vm, 0, 0, &info) == 0)
		EXPECT("unbind", gmem_slot_unbind(info.slot), 0);
	gmem_vm_unref(vm);
}

void ho_each(struct gt *t, void (*run)(struct ho *ho, int type))
{
	static const int socket_types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	unsigned int ran = 0;
	struct ho ho;

	for (int kind = 0; kind < HO_KINDS; kind++) {
		if (!ho_is_possible(t, (enum ho_kind)kind))
			continue;
		for (int i = 0; i < 2; i++, ran++) {
			fprintf(stderr, "kind %d, sockets of type %d:\n", kind, socket_types[i]);
			ho_open(&ho, t, (enum ho_kind)kind);
			run(&ho, socket_types[i]);
			ho_close(&ho);
		}
	}
	REQUIRE(ran, "the kernel neither links memory nor has it by host address");
}
