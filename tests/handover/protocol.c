/* SPDX-License-Identifier: MIT */
/* Hand-overs that succeed, are held, cancelled, late, or with the wrong peer. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gt_guest.h"
#include "ho.h"

static struct gmem_vm *take(struct ho *ho)
{
	struct gmem_vm *vm = NULL;

	EXPECT("take", gmem_handover_take(ho->target, &vm), 0);
	MUST(vm);
	EXPECT("take again", gmem_handover_take(ho->target, &vm), -ENOENT);
	return vm;
}

static void expect_given_away(struct ho *ho)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;

	opts.file = ho->file;
	EXPECT("bind", gmem_slot_bind(ho->vm, 0x1000, GT_PAGE, &opts, &slot), -ESTALE);
	EXPECT("punch", gmem_file_punch(ho->file, 0, GT_PAGE), -ESTALE);
	EXPECT("populate", gmem_file_populate(ho->file, 0, GT_PAGE, NULL), -ESTALE);
	if (ho->kind == HO_PRIVATE)
		EXPECT("convert", gmem_convert(ho->vm, HO_GPA, GT_PAGE, GMEM_PRIVATE, NULL, NULL),
		       -ESTALE);
}

static void hand_over_once(struct ho *ho, int type)
{
	int source, target;
	struct gmem_vm *vm;

	ho_connect(ho, type, 0);
	EXPECT("owner before", ho_info(ho->source).owner, GMEM_HANDOVER_SELF);
	EXPECT("owner before", ho_info(ho->target).owner, GMEM_HANDOVER_PEER);
	ho_pump(ho, &source, &target);
	EXPECT("source", source, GMEM_HANDOVER_DONE);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	EXPECT("owner", ho_info(ho->source).owner, GMEM_HANDOVER_PEER);
	EXPECT("owner", ho_info(ho->target).owner, GMEM_HANDOVER_SELF);
	EXPECT("descriptors", ho_info(ho->target).fds, ho->kind == HO_SHARED ? 1 : 3);
	EXPECT("steps are over", gmem_handover_step(ho->source), GMEM_HANDOVER_DONE);
	EXPECT("too late", gmem_handover_cancel(ho->source), -EBUSY);
	EXPECT("too late", gmem_handover_cancel(ho->target), -EBUSY);
	EXPECT("too late", gmem_handover_reclaim(ho->source), -EBUSY);
	vm = take(ho);
	expect_given_away(ho);
	ho_free_vm(ho);
	ho_expect_same(ho, vm);
	ho_disconnect(ho);
	ho_expect_same(ho, vm);
	ho_release(vm);
}

static void hand_over(struct gt *t)
{
	ho_each(t, hand_over_once);
}

/* And the target's VM again, to a third. */
static void hand_on_once(struct ho *ho, int type)
{
	struct gmem_vm *vm;
	int source, target;

	for (int i = 0; i < 3; i++) {
		ho_connect(ho, type, 0);
		ho_pump(ho, &source, &target);
		EXPECT("target", target, GMEM_HANDOVER_DONE);
		MUST(gmem_handover_take(ho->target, &vm) == 0);
		ho_disconnect(ho);
		if (i)
			ho_release(ho->vm);
		else
			ho_free_vm(ho);
		ho->vm = vm;
		ho_expect_same(ho, vm);
	}
	ho_release(ho->vm);
	ho->vm = NULL;
}

static void hand_on(struct gt *t)
{
	ho_each(t, hand_on_once);
}

static void expect_blob(struct ho *ho, const char *name, int want, const char *data)
{
	const void *got;
	uint64_t size;

	EXPECT_CASE("blob", name, gmem_handover_get_blob(ho->target, name, &got, &size), want);
	if (!want)
		EXPECT_CASE("blob", name, size == strlen(data) && !memcmp(got, data, size), true);
}

static void hold_once(struct ho *ho, int type)
{
	struct gmem_vm *vm;
	char large[100000];
	int source, target;

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	ho_connect(ho, type, GMEM_HANDOVER_HOLD);
	EXPECT("early", gmem_handover_add_blob(ho->source, "early", "1", 1), 0);
	EXPECT("large", gmem_handover_add_blob(ho->source, "large", large, strlen(large)), 0);
	EXPECT("twice", gmem_handover_add_blob(ho->source, "early", "1", 1), -EEXIST);
	EXPECT("not held", gmem_handover_proceed(ho->source), -EINVAL);
	ho_pump(ho, &source, &target);
	EXPECT("source waits", source, GMEM_HANDOVER_WAIT);
	EXPECT("busy", gmem_handover_add_blob(ho->source, "busy", "1", 1), -EBUSY);
	EXPECT("target is held", target, GMEM_HANDOVER_HELD);
	expect_blob(ho, "early", 0, "1");
	expect_blob(ho, "large", 0, large);
	expect_blob(ho, "late", -ENOENT, NULL);
	EXPECT("vm", gmem_handover_vm(ho->target, &vm), 0);
	EXPECT("take", gmem_handover_take(ho->target, &vm), -EBUSY);
	EXPECT("proceed", gmem_handover_proceed(ho->target), 0);
	ho_pump(ho, &source, &target);
	EXPECT("source is held", source, GMEM_HANDOVER_HELD);
	EXPECT("late", gmem_handover_add_blob(ho->source, "late", "now", 3), 0);
	EXPECT("proceed", gmem_handover_proceed(ho->source), 0);
	ho_pump(ho, &source, &target);
	EXPECT("source", source, GMEM_HANDOVER_DONE);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	expect_blob(ho, "early", 0, "1");
	expect_blob(ho, "late", 0, "now");
}

/* Not taken: ho_close() releases it. */
static void hold(struct gt *t)
{
	ho_each(t, hold_once);
}

static void change_once(struct ho *ho, int type)
{
	GMEM_INIT(gmem_slot_opts, opts);
	int source, target;

	ho_connect(ho, type, GMEM_HANDOVER_HOLD);
	ho_pump(ho, &source, &target);
	gmem_handover_proceed(ho->target);
	ho_pump(ho, &source, &target);
	EXPECT("held", source, GMEM_HANDOVER_HELD);
	EXPECT("unbind", gmem_slot_unbind(ho->slots[1]), 0);
	gmem_handover_proceed(ho->source);
	ho_pump(ho, &source, &target);
	EXPECT("source", source, -EAGAIN);
	EXPECT("target", target, -ECANCELED);
	EXPECT("reason", ho_info(ho->target).peer_error, -EAGAIN);
	EXPECT("owner", ho_info(ho->source).owner, GMEM_HANDOVER_SELF);
	ho->slots[1] = NULL;
	opts.file = ho->file;
	opts.offset = HO_SIZE / 2;
	EXPECT("bind", gmem_slot_bind(ho->vm, 0x1000, GT_PAGE, &opts, &ho->slots[1]), 0);
}

static void a_vm_that_changes(struct gt *t)
{
	ho_each(t, change_once);
}

static void expect_out_of_use(const struct ho *ho)
{
	struct gmem_vm *other = NULL;

	EXPECT("replace", gmem_vm_replace(ho->vm, NULL, &other, NULL), -ESTALE);
	EXPECT("punch", gmem_file_punch(ho->file, 0, GT_PAGE), -ESTALE);
}

static void hold_both(struct ho *ho, int type)
{
	int source, target;

	ho_connect(ho, type, GMEM_HANDOVER_HOLD);
	ho_pump(ho, &source, &target);
	MUST(gmem_handover_proceed(ho->target) == 0);
	ho_pump(ho, &source, &target);
	MUST(source == GMEM_HANDOVER_HELD);
	MUST(gmem_handover_proceed(ho->source) == 0);
}

/* To two targets that are prepared: the first COMMIT counts, and nothing brings the VM back. */
static void one_commit_once(struct ho *ho, int type)
{
	struct ho other = *ho;
	int source, target;

	hold_both(ho, type);
	hold_both(&other, type);
	ho_pump(ho, &source, &target);
	EXPECT("source", source, GMEM_HANDOVER_DONE);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	expect_out_of_use(ho);
	ho_pump(&other, &source, &target);
	EXPECT("source", source, -ESTALE);
	EXPECT("target", target, -ECANCELED);
	EXPECT("owner", ho_info(other.source).owner, GMEM_HANDOVER_PEER);
	EXPECT("owner", ho_info(other.target).owner, GMEM_HANDOVER_PEER);
	ho_disconnect(&other);
	expect_out_of_use(ho);
}

static void one_commit(struct gt *t)
{
	ho_each(t, one_commit_once);
}

/* Each side gives up after each number of its steps; the source goes on as before. */
static void cancel_at(struct ho *ho, int type, int steps, bool at_target, bool *ret_done)
{
	int source = 0, target = 0;

	ho_connect(ho, type, 0);
	for (int i = 0; i < steps; i++) {
		source = gmem_handover_step(ho->source);
		target = gmem_handover_step(ho->target);
	}
	*ret_done = source == GMEM_HANDOVER_DONE && target == GMEM_HANDOVER_DONE;
	if (!gmem_handover_cancel(at_target ? ho->target : ho->source)) {
		ho_pump(ho, &source, &target);
		EXPECT("source", source, -ECANCELED);
		EXPECT("target", target, -ECANCELED);
		EXPECT("owner", ho_info(ho->source).owner, GMEM_HANDOVER_SELF);
		EXPECT("owner", ho_info(ho->target).owner, GMEM_HANDOVER_PEER);
		ho_expect_whole(ho);
	} else {
		ho_pump(ho, &source, &target);
		EXPECT("source", source, GMEM_HANDOVER_DONE);
		EXPECT("target", target, GMEM_HANDOVER_DONE);
		*ret_done = true;
	}
	ho_disconnect(ho);
}

static void cancel_once(struct ho *ho, int type)
{
	for (int side = 0; side < 2; side++) {
		bool done = false;

		for (int steps = 0; !done && steps < 20; steps++)
			cancel_at(ho, type, steps, side, &done);
		EXPECT("came to an end", done, true);
		ho_free_vm(ho);
		ho_make_vm(ho);
	}
}

static void cancel(struct gt *t)
{
	ho_each(t, cancel_once);
}

/* The other side stops after each number of its steps. */
static void stall_at(struct ho *ho, int type, int steps, bool at_target, bool *ret_done)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover_opts limited;
	struct gmem_handover *goes_on;
	int source = 0, target = 0, ret;

	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ho->sockets) == 0);
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	limited = opts;
	limited.timeout_ns = ho_is_slow(ho->t) ? 500000000 : 30000000;
	ho_begin(ho, at_target ? &limited : &opts, at_target ? &opts : &limited);
	goes_on = at_target ? ho->source : ho->target;
	for (int i = 0; i < steps; i++) {
		source = gmem_handover_step(ho->source);
		target = gmem_handover_step(ho->target);
	}
	ret = gmem_handover_run(goes_on);
	*ret_done = source == GMEM_HANDOVER_DONE && target == GMEM_HANDOVER_DONE;
	if (ret < 0 && ret != -ENOTRECOVERABLE) {
		EXPECT("time", ret, -ETIMEDOUT);
		EXPECT("owner", ho_info(ho->source).owner, GMEM_HANDOVER_SELF);
		ho_pump(ho, &source, &target);
		ho_expect_whole(ho);
	} else if (ret < 0) {
		EXPECT("undecided", ho_info(ho->source).owner, GMEM_HANDOVER_UNKNOWN);
		EXPECT("too early", gmem_handover_reclaim(ho->source), -EBUSY);
		ho_pump(ho, &source, &target);
		*ret_done |= source == GMEM_HANDOVER_DONE;
	}
	ho_disconnect(ho);
}

/* An emulated machine waits for every third step alone. */
static void stall_once(struct ho *ho, int type)
{
	int step = ho_is_slow(ho->t) ? 3 : 1;

	for (int side = 0; side < 2; side++) {
		bool done = false;

		for (int steps = 0; !done && steps < 20 + step; steps += step) {
			stall_at(ho, type, steps, side, &done);
			ho_free_vm(ho);
			ho_make_vm(ho);
		}
		EXPECT("came to an end", done, true);
	}
}

static void stall(struct gt *t)
{
	ho_each(t, stall_once);
}

static int refuse_peer(void *user, const struct gmem_handover_peer *peer)
{
	EXPECT("pid", peer->pid, getpid());
	return *(int *)user;
}

#define PEER(want, set)                                                                            \
	do {                                                                                       \
		GMEM_INIT(gmem_handover_opts, opts);                                               \
		set;                                                                               \
		EXPECT(#set, gmem_handover_send_begin(ho->vm, ho->sockets[0], &opts, &h), want);   \
		if (!(want))                                                                       \
			gmem_handover_unref(h);                                                    \
		EXPECT(#set, gmem_handover_recv_begin(ho->ctx, ho->sockets[1], &opts, &h), want);  \
		if (!(want))                                                                       \
			gmem_handover_unref(h);                                                    \
	} while (0)

static void peers_once(struct ho *ho, int type)
{
	int answer = -EACCES, yes = 0;
	struct gmem_handover *h;

	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ho->sockets) == 0);
	PEER(-EINVAL, );
	PEER(-EINVAL, opts.flags = GMEM_HANDOVER_HOLD);
	PEER(-EINVAL, opts.flags = UINT32_C(1) << 31);
	PEER(0, opts.flags = GMEM_HANDOVER_ANY_PEER);
	PEER(0, (opts.flags = GMEM_HANDOVER_PEER_UID, opts.uid = getuid()));
	PEER(-EPERM, (opts.flags = GMEM_HANDOVER_PEER_UID, opts.uid = getuid() + 1));
	PEER(-EPERM, (opts.flags = GMEM_HANDOVER_PEER_GID, opts.gid = getgid() + 1));
	PEER(-EPERM, (opts.flags = GMEM_HANDOVER_PEER_PID, opts.pid = getppid()));
	PEER(-EACCES, (opts.check_peer = refuse_peer, opts.user = &answer));
	PEER(0, (opts.check_peer = refuse_peer, opts.user = &yes));
}

static void peers(struct gt *t)
{
	ho_each(t, peers_once);
}

/* What is private stays so, byte by byte, as the two guests see it. */
static void private_bytes(struct gt *t)
{
	struct gt_guest *guest;
	struct gmem_vm *vm;
	int source, target;
	struct ho ho;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	ho_open(&ho, t, HO_PRIVATE);
	guest = gt_guest_create(t, gmem_vm_fd(ho.vm));
	for (uint64_t i = 0; i < HO_PAGES / 2; i += 3)
		gt_guest_write(guest, HO_GPA + i * GT_PAGE, (uint8_t)(200 + i));
	gt_guest_destroy(guest);
	ho_connect(&ho, SOCK_STREAM, 0);
	ho_pump(&ho, &source, &target);
	MUST(gmem_handover_take(ho.target, &vm) == 0);
	ho_free_vm(&ho);
	guest = gt_guest_create(t, gmem_vm_fd(vm));
	for (uint64_t i = 0; i < HO_PAGES / 2; i++)
		EXPECT("byte", (int64_t)gt_guest_read(guest, HO_GPA + i * GT_PAGE).value,
		       (int64_t)(i % 3 ? 1 + i : 200 + i));
	gt_guest_destroy(guest);
	ho_disconnect(&ho);
	ho_release(vm);
	ho_close(&ho);
}

/* The kernel moves the states, and the source's VM is dead then. */
static void move_context(struct gt *t)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover_opts target_opts;
	struct gt_guest *guest;
	int source, target;
	struct gmem_vm *vm;
	struct ho ho;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	for (int type = 0; type < 2; type++) {
		ho_open(&ho, t, HO_PRIVATE);
		opts.flags = GMEM_HANDOVER_ANY_PEER;
		target_opts = opts;
		opts.flags |= GMEM_HANDOVER_MOVE_CONTEXT;
		MUST(socketpair(AF_UNIX, (type ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
				ho.sockets) == 0);
		ho_begin(&ho, &opts, &target_opts);
		ho_pump(&ho, &source, &target);
		EXPECT("source", source, GMEM_HANDOVER_DONE);
		EXPECT("target", target, GMEM_HANDOVER_DONE);
		EXPECT("descriptors", ho_info(ho.target).fds, 4);
		MUST(gmem_handover_take(ho.target, &vm) == 0);
		ho_expect_same(&ho, vm);
		EXPECT("the source's VM is dead", gt_create_vcpu(t, gmem_vm_fd(ho.vm)), -EIO);
		guest = gt_guest_create(t, gmem_vm_fd(vm));
		EXPECT("private", (int64_t)gt_guest_read(guest, HO_GPA).value, 0);
		EXPECT("shared", (int64_t)gt_guest_read(guest, HO_GPA + GT_PAGE).value, 2);
		gt_guest_destroy(guest);
		ho_disconnect(&ho);
		ho_release(vm);
		gmem_vm_unbind_all(ho.vm);
		ho.slots[0] = ho.slots[1] = NULL;
		ho_close(&ho);
	}
}

/* Bytes that only a guest can write, by one that leaves no memslot behind. */
static void write_private(struct ho *ho)
{
	struct gt_guest *guest = gt_guest_create(ho->t, gmem_vm_fd(ho->vm));

	for (uint64_t i = 0; i < HO_PAGES / 2; i += 3)
		gt_guest_write(guest, HO_GPA + i * GT_PAGE, (uint8_t)(200 + i));
	MUST(gt_delete_slot(ho->t, gmem_vm_fd(ho->vm), GT_GUEST_SLOT) == 0);
	gt_guest_destroy(guest);
}

/* Ends with all that it had: 0 where the target owns. */
static pid_t start_source(const struct gt *t, const int *sockets, uint32_t flags)
{
	GMEM_INIT(gmem_handover_opts, opts);
	pid_t pid = fork();
	struct ho ho;

	MUST(pid >= 0);
	if (pid)
		return pid;
	close(sockets[1]);
	opts.flags = GMEM_HANDOVER_ANY_PEER | flags;
	ho_open(&ho, t, HO_PRIVATE);
	write_private(&ho);
	_exit(gmem_handover_send(ho.vm, sockets[0], &opts) ? 1 : 0);
}

static void expect_private_bytes(const struct gt *t, struct gmem_vm *vm)
{
	struct gt_guest *guest = gt_guest_create(t, gmem_vm_fd(vm));

	for (uint64_t i = 0; i < HO_PAGES / 2; i += 3)
		EXPECT("byte", (int64_t)gt_guest_read(guest, HO_GPA + i * GT_PAGE).value,
		       (int64_t)(200 + i));
	gt_guest_destroy(guest);
}

static void outlive_source(const struct gt *t, uint32_t flags)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct ho ho = {.t = t, .kind = HO_PRIVATE};
	struct gmem_ctx *ctx = ho_context(t);
	int sockets[2], status = -1;
	struct gmem_vm *vm;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
	pid = start_source(t, sockets, flags);
	close(sockets[0]);
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	MUST(gmem_handover_recv(ctx, sockets[1], &opts, &vm) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	EXPECT("the source is gone", status, 0);
	ho_expect_same(&ho, vm);
	expect_private_bytes(t, vm);
	ho_release(vm);
	gmem_ctx_unref(ctx);
	close(sockets[1]);
}

/* Private memory outlives the process that had it, whoever carries its states over. */
static void private_in_another_process(struct gt *t)
{
	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	outlive_source(t, 0);
	if (!t->sim) /* which knows no VM of another process */
		outlive_source(t, GMEM_HANDOVER_MOVE_CONTEXT);
}

/* A layout that the kernel does not take: the source has a memslot that libgmem does not know. */
static void move_refused(struct gt *t)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover_opts target_opts;
	int source, target;
	struct ho ho;
	void *addr;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	ho_open(&ho, t, HO_PRIVATE);
	addr = gt_anonymous(t, GT_PAGE);
	MUST(gt_set_region(t, gmem_vm_fd(ho.vm), 900, 0, 0x1000, GT_PAGE, addr) == 0);
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	target_opts = opts;
	opts.flags |= GMEM_HANDOVER_MOVE_CONTEXT;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ho.sockets) == 0);
	ho_begin(&ho, &opts, &target_opts);
	ho_pump(&ho, &source, &target);
	EXPECT("source", source, -ECANCELED);
	EXPECT("target", target, -EINVAL);
	EXPECT("owner", ho_info(ho.source).owner, GMEM_HANDOVER_SELF);
	MUST(gt_delete_slot(t, gmem_vm_fd(ho.vm), 900) == 0);
	ho_expect_whole(&ho);
	gt_unmap(t, addr, GT_PAGE);
	ho_close(&ho);
}

/* Into a VM that the target has, which a failure leaves as it was. */
static void fill_once(struct ho *ho, int type)
{
	GMEM_INIT(gmem_handover_opts, opts);
	GMEM_INIT(gmem_vm_info, info);
	struct gmem_slot *taken;
	GMEM_INIT(gmem_slot_opts, bind);
	struct gmem_vm *vm, *same;
	int source, target;
	void *addr = gt_anonymous(ho->t, GT_PAGE);

	MUST(gmem_vm_get_info(ho->vm, &info) == 0);
	MUST(gmem_vm_create(ho->target_ctx, info.vm_type, NULL, &vm) == 0);
	bind.hva = addr;
	MUST(gmem_slot_bind(vm, HO_GPA + 4 * HO_SIZE, GT_PAGE, &bind, &taken) == 0);
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	for (int i = 0; i < 2; i++) {
		struct gmem_handover_opts filled = opts;

		filled.vm = vm;
		MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ho->sockets) == 0);
		ho_begin(ho, &opts, &filled);
		ho_pump(ho, &source, &target);
		if (i)
			break;
		EXPECT("taken", target < 0, true);
		EXPECT("source", source, -ECANCELED);
		MUST(gmem_vm_get_info(vm, &info) == 0);
		EXPECT("slots", info.slots_used, 1);
		EXPECT("files", info.files, 0);
		EXPECT("states", gmem_attr_query(vm, HO_GPA, HO_SIZE), GMEM_SHARED);
		ho_disconnect(ho);
		EXPECT("unbind", gmem_slot_unbind(taken), 0);
	}
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	EXPECT("take", gmem_handover_take(ho->target, &same), 0);
	EXPECT("the same", same == vm, true);
	ho_expect_same(ho, vm);
	gmem_vm_unref(vm);
	ho_release(same);
	gt_unmap(ho->t, addr, GT_PAGE);
}

static void fill_a_vm(struct gt *t)
{
	ho_each(t, fill_once);
}

/* A VM to fill whose pages have states already would show the guest the wrong memory. */
static void fill_a_converted_vm(struct gt *t)
{
	GMEM_INIT(gmem_convert_opts, convert);
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover_opts filled;
	int source, target;
	struct ho ho;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	ho_open(&ho, t, HO_PRIVATE);
	filled = opts;
	MUST(gmem_vm_create(ho.target_ctx, GMEM_VM_SW_PROTECTED, NULL, &filled.vm) == 0);
	convert.flags = GMEM_CONVERT_UNBOUND;
	MUST(gmem_convert(filled.vm, HO_GPA + GT_PAGE, GT_PAGE, GMEM_PRIVATE, &convert, NULL) == 0);
	opts.flags = filled.flags = GMEM_HANDOVER_ANY_PEER;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ho.sockets) == 0);
	ho_begin(&ho, &opts, &filled);
	ho_pump(&ho, &source, &target);
	EXPECT("source", source, -ECANCELED);
	EXPECT("target", target, -EXDEV);
	EXPECT("unchanged", gmem_attr_query(filled.vm, HO_GPA + GT_PAGE, GT_PAGE), GMEM_PRIVATE);
	ho_expect_whole(&ho);
	gmem_vm_unref(filled.vm);
	ho_close(&ho);
}

/* Two pages in the middle of a memfd as the shared side of a range, where they stay. */
static void shared_side_in_a_memfd(struct gt *t)
{
	GMEM_INIT(gmem_replace_opts, replace);
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_vm *vm, *next = NULL;
	struct gmem_slot *slot;
	int source, target, fd;
	struct ho ho;
	void *addr;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	ho_open(&ho, t, HO_PRIVATE);
	fd = t->ops->memfd(t->user, "host", 0);
	MUST(t->ops->ftruncate(t->user, fd, 4 * GT_PAGE) == 0);
	MUST(gt_map(t, fd, 0, 4 * GT_PAGE, &addr) == 0);
	memset(addr, 9, 4 * GT_PAGE);
	MUST(gmem_file_create(ho.vm, 2 * GT_PAGE, NULL, &opts.file) == 0);
	opts.hva = (char *)addr + 2 * GT_PAGE;
	MUST(gmem_slot_bind(ho.vm, 0x8000, 2 * GT_PAGE, &opts, &slot) == 0);
	ho_connect(&ho, SOCK_STREAM, 0);
	MUST(gmem_handover_add_memory(ho.source, addr, 4 * GT_PAGE, fd, 0) == 0);
	ho_pump(&ho, &source, &target);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	MUST(gmem_handover_take(ho.target, &vm) == 0);
	replace.contents = GMEM_CONTENTS_PUNCH;
	EXPECT("replace", gmem_vm_replace(vm, &replace, &next, NULL), 0);
	EXPECT("its own is freed", ((uint8_t *)addr)[2 * GT_PAGE], 0);
	EXPECT("its own is freed", ((uint8_t *)addr)[4 * GT_PAGE - 1], 0);
	EXPECT("other memory is not", ((uint8_t *)addr)[0], 9);
	EXPECT("other memory is not", ((uint8_t *)addr)[2 * GT_PAGE - 1], 9);
	ho_disconnect(&ho);
	ho_release(next);
	ho_release(vm);
	EXPECT("unbind", gmem_slot_unbind(slot), 0);
	gmem_file_unref(opts.file);
	gt_unmap(t, addr, 4 * GT_PAGE);
	gt_close(t, fd);
	ho_close(&ho);
}

/* Memory of the VMM's own: known to be a mapping, or not. */
static void host_memory_once(struct ho *ho, int type)
{
	GMEM_INIT(gmem_slot_opts, opts);
	GMEM_INIT(gmem_slot_info, info);
	struct gmem_slot *slot;
	struct gmem_vm *vm;
	int source, target, fd = ho->t->ops->memfd(ho->t->user, "host", 0);
	void *addr;

	MUST(ho->t->ops->ftruncate(ho->t->user, fd, 4 * GT_PAGE) == 0);
	MUST(gt_map(ho->t, fd, 0, 4 * GT_PAGE, &addr) == 0);
	opts.hva = (char *)addr + GT_PAGE;
	MUST(gmem_slot_bind(ho->vm, 0x4000, 2 * GT_PAGE, &opts, &slot) == 0);
	((char *)addr)[2 * GT_PAGE] = 77;

	ho_connect(ho, type, 0);
	ho_pump(ho, &source, &target);
	EXPECT("unknown memory", source, -EOPNOTSUPP);
	ho_disconnect(ho);

	ho_connect(ho, type, 0);
	EXPECT("memory", gmem_handover_add_memory(ho->source, addr, 4 * GT_PAGE, fd, 0), 0);
	ho_pump(ho, &source, &target);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	MUST(gmem_handover_take(ho->target, &vm) == 0);
	EXPECT("bound", gmem_slot_lookup(vm, 0, 0x4000, &info), 0);
	EXPECT("byte", ((char *)info.hva)[GT_PAGE], 77);
	((char *)info.hva)[GT_PAGE] = 78;
	EXPECT("same page", ((char *)addr)[2 * GT_PAGE], 78);
	ho_release(vm);
	EXPECT("unbind", gmem_slot_unbind(slot), 0);
	gt_unmap(ho->t, addr, 4 * GT_PAGE);
	gt_close(ho->t, fd);
}

static void host_memory(struct gt *t)
{
	ho_each(t, host_memory_once);
}

static void unbound_file_once(struct ho *ho, int type)
{
	GMEM_INIT(gmem_file_info, info);
	GMEM_INIT(gmem_file_opts, opts);
	struct gmem_file *file, *got;
	int source, target;

	MUST(gmem_file_get_info(ho->file, &info) == 0);
	opts.flags = info.flags;
	MUST(gmem_file_create(ho->vm, 2 * GT_PAGE, &opts, &file) == 0);
	ho_connect(ho, type, 0);
	EXPECT("other VM", gmem_handover_add_file(ho->target, file), -EINVAL);
	EXPECT("add", gmem_handover_add_file(ho->source, file), 0);
	EXPECT("again", gmem_handover_add_file(ho->source, file), 0);
	ho_pump(ho, &source, &target);
	EXPECT("files", ho_info(ho->target).files, 2);
	EXPECT("take", gmem_handover_take_file(ho->target, 1, &got), 0);
	EXPECT("again", gmem_handover_take_file(ho->target, 1, &got), -ENOENT);
	EXPECT("beyond", gmem_handover_take_file(ho->target, 2, &got), -ENOENT);
	EXPECT("info", gmem_file_get_info(got, &info), 0);
	EXPECT("size", (int64_t)info.size, 2 * GT_PAGE);
	gmem_file_unref(got);
	gmem_file_unref(file);
}

static void unbound_file(struct gt *t)
{
	ho_each(t, unbound_file_once);
}

static void refusals(struct gt *t)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_ctx *ctx = ho_context(t);
	struct gmem_handover *h;
	struct gmem_vm *vm;
	int pipes[2];

	opts.flags = GMEM_HANDOVER_ANY_PEER;
	MUST(pipe2(pipes, O_CLOEXEC) == 0);
	EXPECT("no socket", gmem_handover_recv_begin(ctx, pipes[0], &opts, &h) < 0, true);
	EXPECT("negative", gmem_handover_recv_begin(ctx, -1, &opts, &h), -EINVAL);
	EXPECT("no opts", gmem_handover_recv_begin(ctx, pipes[0], NULL, &h), -EINVAL);
	EXPECT("NULL", gmem_handover_recv_begin(NULL, pipes[0], &opts, &h), -EINVAL);
	EXPECT("NULL", gmem_handover_recv_begin(ctx, pipes[0], &opts, NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_send_begin(NULL, pipes[0], &opts, &h), -EINVAL);
	EXPECT("NULL", gmem_handover_recv(ctx, pipes[0], &opts, NULL), -EINVAL);
	opts.flags |= GMEM_HANDOVER_HOLD;
	EXPECT("held", gmem_handover_recv(ctx, pipes[0], &opts, &vm), -EINVAL);
	EXPECT("NULL", gmem_handover_step(NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_run(NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_events(NULL, NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_proceed(NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_cancel(NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_reclaim(NULL), -EINVAL);
	EXPECT("NULL", gmem_handover_unref(NULL) == NULL, true);
	close(pipes[0]);
	close(pipes[1]);
	gmem_ctx_unref(ctx);
}

static const struct gt_test tests[] = {
	GT_TEST(hand_over),
	GT_TEST(hand_on),
	GT_TEST(hold),
	GT_TEST(peers),
	GT_TEST(cancel),
	{.name = "stall", .run = stall, .seconds = 300},
	GT_TEST(fill_a_vm),
	GT_TEST(host_memory),
	GT_TEST(unbound_file),
	GT_TEST(refusals),
	GT_TEST(private_bytes),
	GT_TEST(private_in_another_process),
	GT_TEST(move_context),
	GT_TEST(move_refused),
	GT_TEST(a_vm_that_changes),
	GT_TEST(one_commit),
	GT_TEST(fill_a_converted_vm),
	GT_TEST(shared_side_in_a_memfd),
};

GT_MAIN(tests)
