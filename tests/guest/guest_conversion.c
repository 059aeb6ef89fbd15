/* SPDX-License-Identifier: MIT */
/* Guests that ask for conversions and touch what they converted, with the library as their VMM. */
#include "api.h"

#define HC          GMI_KVM_HC_MAP_GPA_RANGE
#define ASK_PRIVATE (UINT64_C(1) << 4)
#define ASK_SHARED  UINT64_C(0)
#define FILE_BYTES  (4 * GT_PAGE)
#define REFUSED     (-22)

/* A guest with one slot of four pages, and how its last exit was served. */
struct room {
	struct api api;
	struct gt_guest *guest;
	uint8_t *host; /* the shared side, as the VMM maps it */
	bool in_place;
	struct gmem_exit service;
	int served; /* by gmem_exit_handle() */
};

static const char *has_no_guests(const struct gt *t, uint32_t vm_type)
{
	const char *reason = NULL;
	struct vm vm;

	vm_open(t, vm_type, &vm);
	if (!vm.has_private)
		reason = "no private memory";
	else if (!vm_runs_natively(&vm))
		reason = EMULATED;
	vm_close(&vm);
	return reason;
}

static void open_room(const struct gt *t, uint32_t vm_type, struct room *room)
{
	GMEM_INIT(gmem_slot_info, info);
	struct vm vm;

	*room = (struct room){.service.sz = sizeof(struct gmem_exit)};
	vm_open(t, vm_type, &vm);
	room->in_place = vm.traits.in_place;
	vm_close(&vm);
	fixture_open(&room->api, t, vm_type);
	make_slot(&room->api);
	MUST(gmem_exit_enable(room->api.vm) == 0);
	MUST(gmem_slot_get_info(room->api.slot, &info) == 0);
	room->host = info.hva;
	room->guest = api_guest(&room->api);
}

static void each_room(struct gt *t, void (*test)(struct room *room))
{
	static const uint32_t types[] = {GMEM_VM_SW_PROTECTED, GMEM_VM_DEFAULT};
	const char *missing, *reason = NULL;
	unsigned int ran = 0;
	struct room room;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	vm_close(&vm);
	for (size_t i = 0; i < GT_COUNT(types); i++) {
		if (!(vm.traits.types & (1u << types[i])))
			continue;
		missing = has_no_guests(t, types[i]);
		if (missing) {
			reason = missing;
			continue;
		}
		open_room(t, types[i], &room);
		test(&room);
		fixture_close(&room.api);
		ran++;
	}
	REQUIRE(ran, "%s", reason);
}

/* Serves an exit as a VMM's vCPU thread does, then lets the guest go on. */
static struct gt_exit serve(struct room *room, struct gt_exit exit)
{
	do {
		room->served = gmem_exit_handle(room->api.vm, gt_guest_run_page(room->guest),
						exit.ret, &room->service);
	} while (room->served == 0 && room->service.disposition == GMEM_EXIT_AGAIN);
	if (room->served < 0 || room->service.disposition == GMEM_EXIT_NOT_MINE)
		return exit;
	return gt_guest_resume(room->guest);
}

static void expect_hypercall(struct room *room, const char *row, uint64_t gpa, uint64_t size,
			     uint64_t ask, int64_t want)
{
	struct gt_exit exit = gt_guest_hypercall(room->guest, HC, gpa, size / GT_PAGE, ask);

	EXPECT_CASE(row, "hypercall", exit.reason, GMI_KVM_EXIT_HYPERCALL);
	exit = serve(room, exit);
	EXPECT_CASE(row, "served", room->served, 0);
	EXPECT_CASE(row, "the guest went on", gt_exit_is_done(&exit), true);
	EXPECT_CASE(row, "answer", (int64_t)exit.value, want);
}

static void expect_write(struct room *room, const char *row, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_write(room->guest, gpa, value);

	EXPECT_CASE(row, "guest write", gt_exit_is_done(&exit), true);
}

static void expect_read(struct room *room, const char *row, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_read(room->guest, gpa);

	EXPECT_CASE(row, "guest read", gt_exit_is_done(&exit), true);
	EXPECT_CASE(row, "guest read", (int64_t)exit.value, value);
}

/* What the guest keeps private, the host does not see: other memory, or none. */
static void expect_hidden(struct room *room, const char *row, uint64_t offset, uint8_t secret)
{
	struct gt_touch touch = gt_touch_read(room->host + offset);

	EXPECT_CASE(row, "hidden", touch.signal != 0 || touch.value != secret, true);
}

static void to_private_and_back_in(struct room *room)
{
	expect_hypercall(room, "to private", API_GPA, 2 * GT_PAGE, ASK_PRIVATE, 0);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, 2 * GT_PAGE), GMEM_PRIVATE);
	EXPECT("state beside it", gmem_attr_query(room->api.vm, API_GPA + 2 * GT_PAGE, GT_PAGE),
	       GMEM_SHARED);
	expect_write(room, "private", API_GPA + GT_PAGE, 0xa7);
	expect_read(room, "private", API_GPA + GT_PAGE, 0xa7);
	expect_hidden(room, "private", GT_PAGE, 0xa7);
	expect_write(room, "shared beside it", API_GPA + 2 * GT_PAGE, 0x33);
	EXPECT("the host sees it", room->host[2 * GT_PAGE], 0x33);
	expect_hypercall(room, "to shared", API_GPA, FILE_BYTES, ASK_SHARED, 0);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, FILE_BYTES), GMEM_SHARED);
	expect_write(room, "shared", API_GPA + GT_PAGE, 0x34);
	EXPECT("the host sees it", room->host[GT_PAGE], 0x34);
	expect_read(room, "the neighbour was left alone", API_GPA + 2 * GT_PAGE, 0x33);
}

static void to_private_and_back(struct gt *t)
{
	each_room(t, to_private_and_back_in);
}

static void refused_in(struct room *room)
{
	expect_hypercall(room, "beyond the slot", API_GPA + 3 * GT_PAGE, 2 * GT_PAGE, ASK_PRIVATE,
			 REFUSED);
	EXPECT("refused", room->service.flags & GMEM_EXIT_REFUSED, GMEM_EXIT_REFUSED);
	expect_hypercall(room, "nothing bound", API_GPA + 64 * GT_PAGE, GT_PAGE, ASK_PRIVATE,
			 REFUSED);
	expect_hypercall(room, "everything", 0, UINT64_C(1) << 50, ASK_PRIVATE, REFUSED);
	expect_hypercall(room, "unknown words", API_GPA, GT_PAGE, UINT64_C(0xdead) << 32, REFUSED);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, FILE_BYTES), GMEM_SHARED);
	expect_write(room, "goes on", API_GPA, 0x11);
}

static void refused(struct gt *t)
{
	each_room(t, refused_in);
}

/* A vCPU thread that sees to its events after every page. */
static void in_parts_in(struct room *room)
{
	room->service.quantum = GT_PAGE;
	expect_hypercall(room, "in parts", API_GPA, FILE_BYTES, ASK_PRIVATE, 0);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, FILE_BYTES), GMEM_PRIVATE);
	expect_write(room, "in parts", API_GPA + 3 * GT_PAGE, 0x44);
	expect_hidden(room, "in parts", 3 * GT_PAGE, 0x44);
}

static void in_parts(struct gt *t)
{
	each_room(t, in_parts_in);
}

static void after_a_punch_in(struct room *room)
{
	expect_hypercall(room, "to private", API_GPA, FILE_BYTES, ASK_PRIVATE, 0);
	expect_write(room, "private", API_GPA, 0x51);
	expect_write(room, "private", API_GPA + GT_PAGE, 0x52);
	EXPECT("punch", gmem_file_punch(room->api.file, 0, GT_PAGE), 0);
	expect_read(room, "punched", API_GPA, 0);
	expect_read(room, "not punched", API_GPA + GT_PAGE, 0x52);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, FILE_BYTES), GMEM_PRIVATE);
	expect_write(room, "written again", API_GPA, 0x53);
	expect_hidden(room, "written again", 0, 0x53);
}

static void after_a_punch(struct gt *t)
{
	each_room(t, after_a_punch_in);
}

static void bind_again(struct room *room)
{
	GMEM_INIT(gmem_slot_opts, opts);
	GMEM_INIT(gmem_slot_info, info);

	opts.file = room->api.file;
	MUST(gmem_slot_bind(room->api.vm, API_GPA, FILE_BYTES, &opts, &room->api.slot) == 0);
	MUST(gmem_slot_get_info(room->api.slot, &info) == 0);
	room->host = info.hva;
}

static void expect_fault_unbound(struct room *room)
{
	struct gt_exit exit = gt_guest_read(room->guest, API_GPA);

	EXPECT("wrong state", exit.ret, -EFAULT);
	EXPECT("wrong state", exit.reason, GMI_KVM_EXIT_MEMORY_FAULT);
	EXPECT("wrong state", (int64_t)exit.fault.flags, (int64_t)GT_PRIVATE);
	serve(room, exit);
	EXPECT("not bound", room->served, -ENOENT);
}

/*
 * Private memory without a slot: where the address has the state, the guest faults for good. Where
 * the file has it, the address is a device's meanwhile, and KVM may remember that: not touched.
 */
static void after_unbinding_in(struct room *room)
{
	expect_hypercall(room, "to private", API_GPA, FILE_BYTES, ASK_PRIVATE, 0);
	expect_write(room, "private", API_GPA, 0x61);
	EXPECT("unbind", gmem_slot_unbind(room->api.slot), 0);
	room->api.slot = NULL;
	if (!room->in_place)
		expect_fault_unbound(room);
	bind_again(room);
	expect_read(room, "bound again", API_GPA, 0x61);
	EXPECT("state", gmem_attr_query(room->api.vm, API_GPA, FILE_BYTES), GMEM_PRIVATE);
	expect_hidden(room, "bound again", 0, 0x61);
}

static void after_unbinding(struct gt *t)
{
	each_room(t, after_unbinding_in);
}

static void not_ours_in(struct room *room)
{
	struct gt_exit exit = gt_guest_out(room->guest, 0x3f8, 'x');

	EXPECT("port", exit.reason, GMI_KVM_EXIT_IO);
	serve(room, exit);
	EXPECT("port", room->served, 0);
	EXPECT("port", room->service.disposition, GMEM_EXIT_NOT_MINE);
}

static void not_ours(struct gt *t)
{
	each_room(t, not_ours_in);
}

static const struct gt_test tests[] = {
	GT_TEST(to_private_and_back), GT_TEST(refused),         GT_TEST(in_parts),
	GT_TEST(after_a_punch),       GT_TEST(after_unbinding), GT_TEST(not_ours),
};

GT_MAIN(tests)
