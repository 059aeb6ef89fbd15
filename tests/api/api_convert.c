/* SPDX-License-Identifier: MIT */
/* Conversion as a whole: order of events, states and bindings, the way back, retries, huge pages, threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <libgmem/sim.h>

#include "api.h"
#include "gt_guest.h"
#include "uapi_rfc.h"

#define SLOT_PAGES 4
#define SLOT_SIZE  (SLOT_PAGES * GT_PAGE)
#define ELSEWHERE  (API_GPA + API_SIZE)

/* Two neighbouring slots of one file, with a device that has mapped what is shared. */
struct world {
	struct api api;
	bool in_place;
	struct gmem_listener *listener;
	bool mapped[2 * SLOT_PAGES]; /* by the device */
	bool wrong;                  /* mapped twice, or unmapped what was not */
	int refuse_map, refuse_unmap;
	uint64_t told;     /* how often the device was told */
	uint64_t max_told; /* the largest range */
	volatile uint8_t stop;
	uint64_t stop_at;  /* sets @stop when told so often */
	uint64_t unpin_at; /* offset that the device lets go of when told to unmap, + 1 */
	char events[64];   /* u unmap, m map, k kernel, d discard, p pre-fault */
	uint64_t seen;     /* of the trace */
};

static void append(struct world *w, char event)
{
	size_t length = strlen(w->events);

	if (length + 1 < sizeof(w->events))
		w->events[length] = event;
}

static char event_of(const struct gmem_shim_call *call)
{
	if (call->call == GMEM_CALL_FALLOCATE || call->call == GMEM_CALL_MADVISE)
		return 'd';
	if (call->call != GMEM_CALL_IOCTL)
		return 0;
	if (call->request == GMI_KVM_PRE_FAULT_MEMORY)
		return 'p';
	return call->request == GMI_KVM_SET_MEMORY_ATTRIBUTES ||
			       call->request == GMI_NEXT_SET_MEMORY_ATTRIBUTES2
		       ? 'k'
		       : 0;
}

/* The calls since the last event go before what happens now. */
static void catch_up(struct world *w)
{
	struct gmem_shim_call call;
	char event;

	for (; gmem_shim_read(w->api.shim, w->seen, &call) == 0; w->seen++) {
		event = event_of(&call);
		if (event)
			append(w, event);
	}
}

static void start_events(struct world *w)
{
	gmem_shim_reset(w->api.shim);
	memset(w->events, 0, sizeof(w->events));
	w->seen = 0;
}

static const char *events(struct world *w)
{
	catch_up(w);
	return w->events;
}

static void note(struct world *w, const struct gmem_listener_range *range, bool map)
{
	uint64_t page = (range->gpa - API_GPA) / GT_PAGE;
	uint64_t end = page + range->size / GT_PAGE;

	catch_up(w);
	append(w, map ? 'm' : 'u');
	for (; page < end && page < GT_COUNT(w->mapped); page++) {
		w->wrong |= w->mapped[page] == map;
		w->mapped[page] = map;
	}
	if (range->size > w->max_told)
		w->max_told = range->size;
	if (++w->told == w->stop_at)
		w->stop = 1;
}

static int device_map(void *user, const struct gmem_listener_range *range)
{
	struct world *w = user;

	if (w->refuse_map)
		return w->refuse_map;
	note(w, range, true);
	return 0;
}

static int device_unmap(void *user, const struct gmem_listener_range *range)
{
	struct world *w = user;

	if (w->refuse_unmap)
		return w->refuse_unmap;
	note(w, range, false);
	if (w->unpin_at) {
		MUST(gmem_sim_unpin(w->api.t->sim, gmem_file_fd(w->api.file), w->unpin_at - 1,
				    GT_PAGE) == 0);
		w->unpin_at = 0;
	}
	return 0;
}

static void add_device(struct world *w, uint64_t max_block)
{
	GMEM_INIT(gmem_listener_opts, opts);

	opts.map = device_map;
	opts.unmap = device_unmap;
	opts.user = w;
	opts.max_block = max_block;
	MUST(gmem_listener_add(w->api.vm, &opts, &w->listener) == 0);
}

static struct gmem_slot *bind(struct world *w, uint64_t gpa, uint64_t offset)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot = NULL;

	opts.file = w->api.file;
	opts.offset = offset;
	MUST(gmem_slot_bind(w->api.vm, gpa, SLOT_SIZE, &opts, &slot) == 0);
	return slot;
}

/* Asked before anything is made, for a test that is skipped releases nothing. */
static bool links_files(struct vm *vm)
{
	return gt_ioctl(vm->t, vm->fd, GMI_RFC_LINK2_LINK_GUEST_MEMFD, NULL) != -ENOTTY;
}

static void require(struct gt *t, bool in_place, bool link)
{
	bool links;
	struct vm raw;

	vm_open(t, GMEM_VM_DEFAULT, &raw);
	links = links_files(&raw);
	vm_close(&raw);
	REQUIRE(!in_place || raw.traits.in_place, "only conversion in place meets pins");
	REQUIRE(in_place || !raw.traits.in_place, "one backing, and no files on one inode");
	REQUIRE(!link || links, "files cannot be linked on this kernel");
}

static void open_world(struct gt *t, struct world *w)
{
	struct vm raw;

	memset(w, 0, sizeof(*w));
	vm_open(t, GMEM_VM_DEFAULT, &raw);
	vm_close(&raw);
	REQUIRE(raw.traits.types & (1u << GMEM_VM_SW_PROTECTED),
		"VMs with private memory are not offered");
	fixture_open(&w->api, t, GMEM_VM_SW_PROTECTED);
	make_file(&w->api);
	w->in_place = gmem_has_feature(w->api.ctx, GMEM_VM_SW_PROTECTED,
				       GMEM_FEATURE_CONVERT_INPLACE) == 1;
}

static void bind_two(struct world *w)
{
	w->api.slot = bind(w, API_GPA, 0);
	w->api.other_slot = bind(w, API_GPA + SLOT_SIZE, SLOT_SIZE);
}

static void close_world(struct world *w)
{
	w->refuse_unmap = 0;
	w->listener = gmem_listener_remove(w->listener);
	EXPECT("device: map and unmap alternate", w->wrong, false);
	fixture_close(&w->api);
}

static uint64_t page(unsigned int n)
{
	return API_GPA + n * GT_PAGE;
}

static int convert(struct world *w, unsigned int first, unsigned int pages, uint32_t to,
		   struct gmem_convert_opts *opts)
{
	opts->sz = sizeof(*opts);
	return gmem_convert(w->api.vm, page(first), pages * GT_PAGE, to, opts, &w->api.done);
}

#define CONVERT(w, first, pages, to, ...)                                                          \
	convert(w, first, pages, to, &(struct gmem_convert_opts){__VA_ARGS__})

static uint32_t state_at(struct world *w, uint64_t gpa)
{
	return (uint32_t)gmem_attr_query(w->api.vm, gpa, GT_PAGE);
}

/* P and S for each page from @gpa on. */
static void expect_states(struct world *w, const char *row, uint64_t gpa, const char *want)
{
	size_t i;

	for (i = 0; want[i]; i++)
		EXPECT_CASE(row, "state", state_at(w, gpa + i * GT_PAGE),
			    want[i] == 'P' ? GMEM_PRIVATE : GMEM_SHARED);
}

/* The device has mapped what is shared and bound, and nothing else. */
static void expect_device(struct world *w, const char *row)
{
	unsigned int i;

	for (i = 0; i < 2 * SLOT_PAGES; i++)
		EXPECT_CASE(row, "device", w->mapped[i], state_at(w, page(i)) == GMEM_SHARED);
}

static struct gmem_attr_info account(struct world *w)
{
	GMEM_INIT(gmem_attr_info, info);

	EXPECT("account", gmem_attr_get_info(w->api.vm, NULL, &info), 0);
	return info;
}

static void *address_of(struct world *w, uint64_t gpa)
{
	GMEM_INIT(gmem_slot_info, info);

	MUST(gmem_slot_lookup(w->api.vm, 0, gpa, &info) == 0 && info.hva);
	return (uint8_t *)info.hva + (gpa - info.gpa);
}

/*
 * The kernel's own state of a bound page: where private, the host gets no page of a file in place, and
 * of two backings the guest does not see what the host writes.
 */
static void expect_truth(struct world *w, const char *row, uint64_t gpa, uint32_t want)
{
	uint8_t *host = address_of(w, gpa);
	struct gt_exit exit;
	uint8_t before;

	if (w->in_place) {
		EXPECT_CASE(row, "truth", gt_touch_read(host).signal,
			    want == GMEM_PRIVATE ? SIGBUS : 0);
		return;
	}
	before = *host;
	*host = 0xd7;
	exit = gt_guest_read(api_guest(&w->api), gpa);
	*host = before;
	EXPECT_CASE(row, "truth", gt_exit_is_done(&exit), true);
	EXPECT_CASE(row, "truth", exit.value == 0xd7, want == GMEM_SHARED);
}

static void expect_events(struct world *w, const char *row, const char *want)
{
	if (!EXPECT(row, strcmp(events(w), want), 0))
		fprintf(stderr, "  %s, not %s\n", w->events, want);
}

static void order_of_events(struct gt *t)
{
	struct world w;
	uint32_t flags;
	int vcpu;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	flags = gmem_has_feature(w.api.ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_PRE_FAULT) == 1
			? GMEM_CONVERT_PRE_FAULT
			: 0;
	vcpu = gt_guest_vcpu(api_guest(&w.api));
	start_events(&w);
	EXPECT("to private", CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = flags, .vcpu_fd = vcpu), 0);
	if (w.in_place)
		expect_events(&w, "to private", "ukp");
	else
		expect_events(&w, "to private", flags ? "ukdp" : "ukd");
	start_events(&w);
	EXPECT("to shared", CONVERT(&w, 0, 4, GMEM_SHARED, .flags = flags, .vcpu_fd = vcpu), 0);
	if (w.in_place)
		expect_events(&w, "to shared", "kmp");
	else
		expect_events(&w, "to shared", flags ? "kmdp" : "kmd");
	start_events(&w);
	EXPECT("nothing to do", CONVERT(&w, 0, 4, GMEM_SHARED, .flags = 0), 0);
	expect_events(&w, "nothing to do", "");
	expect_device(&w, "order");
	close_world(&w);
}

/* The first row of the table in attr.h. */
static void states_at_first(struct gt *t)
{
	GMEM_INIT(gmem_file_opts, opts);
	struct world w;

	open_world(t, &w);
	expect_states(&w, "nothing bound", API_GPA, "SS");
	bind_two(&w);
	expect_states(&w, "bound", API_GPA, "SSSSSSSS");
	expect_truth(&w, "bound", API_GPA, GMEM_SHARED);
	MUST(gmem_file_create(w.api.vm, API_SIZE, &opts, &w.api.other_file) == 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.other_slot), 0);
	w.api.other_slot = NULL;
	{
		GMEM_INIT(gmem_slot_opts, slot);

		slot.file = w.api.other_file;
		MUST(gmem_slot_bind(w.api.vm, ELSEWHERE, SLOT_SIZE, &slot, &w.api.other_slot) == 0);
	}
	expect_states(&w, "a file without INIT_SHARED", ELSEWHERE, w.in_place ? "PPPP" : "SSSS");
	close_world(&w);
}

/* The second: set at once, or noted and set when it is bound. */
static void states_before_binding(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	EXPECT("refused", CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = 0), -ENOENT);
	start_events(&w);
	EXPECT("noted", CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = GMEM_CONVERT_UNBOUND), 0);
	expect_events(&w, "noted", w.in_place ? "" : "k");
	expect_states(&w, "noted", API_GPA, "SPPS");
	EXPECT("taken back", CONVERT(&w, 2, 1, GMEM_SHARED, .flags = GMEM_CONVERT_UNBOUND), 0);
	expect_states(&w, "taken back", API_GPA, "SPSS");
	start_events(&w);
	bind_two(&w);
	expect_events(&w, "bound", w.in_place ? "k" : "");
	expect_states(&w, "bound", API_GPA, "SPSSSSSS");
	expect_truth(&w, "bound", page(0), GMEM_SHARED);
	expect_truth(&w, "bound", page(1), GMEM_PRIVATE);
	expect_truth(&w, "bound", page(2), GMEM_SHARED);
	EXPECT("private bytes", (int64_t)account(&w).private_bytes, (int64_t)GT_PAGE);
	close_world(&w);
}

/* The third and the fourth: by guest address, or along with the file. */
static void states_over_bindings(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	MUST(CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = 0) == 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.slot), 0);
	w.api.slot = bind(&w, API_GPA, 0);
	expect_states(&w, "the same again", API_GPA, "SPPS");
	expect_truth(&w, "the same again", page(1), GMEM_PRIVATE);
	expect_truth(&w, "the same again", page(3), GMEM_SHARED);
	EXPECT("unbind", gmem_slot_unbind(w.api.slot), 0);
	w.api.slot = bind(&w, ELSEWHERE, 0);
	expect_states(&w, "elsewhere", ELSEWHERE, w.in_place ? "SPPS" : "SSSS");
	expect_truth(&w, "elsewhere", ELSEWHERE + GT_PAGE, w.in_place ? GMEM_PRIVATE : GMEM_SHARED);
	expect_states(&w, "the old address", API_GPA, w.in_place ? "SSSS" : "SPPS");
	close_world(&w);
}

/* What was asked for at an address is for what is bound there first, not for what comes later. */
static void a_wish_is_granted_once(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	MUST(CONVERT(&w, 0, 1, GMEM_PRIVATE, .flags = GMEM_CONVERT_UNBOUND) == 0);
	w.api.slot = bind(&w, API_GPA, 0);
	expect_states(&w, "granted", API_GPA, "PSSS");
	MUST(CONVERT(&w, 0, 1, GMEM_SHARED, .flags = 0) == 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.slot), 0);
	w.api.slot = bind(&w, API_GPA, SLOT_SIZE);
	expect_states(&w, "other offset", API_GPA, "SSSS");
	expect_truth(&w, "other offset", API_GPA, GMEM_SHARED);
	close_world(&w);
}

/* A VMM that binds itself is granted what it asked for when it tells of the range. */
static void a_wish_is_granted_to_an_adopted_range(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct world w;

	open_world(t, &w);
	MUST(CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = GMEM_CONVERT_UNBOUND) == 0);
	opts.file = w.api.file;
	opts.flags = GMEM_SLOT_ID;
	opts.slot_id = 5;
	w.api.addr = w.in_place ? NULL : gt_anonymous(t, API_SIZE);
	opts.hva = w.api.addr;
	MUST(gt_bind(t, gmem_vm_fd(w.api.vm), opts.slot_id, API_GPA, SLOT_SIZE, opts.hva,
		     gmem_file_fd(w.api.file), 0) == 0);
	start_events(&w);
	EXPECT("adopt", gmem_slot_adopt(w.api.vm, API_GPA, SLOT_SIZE, &opts, &w.api.slot), 0);
	expect_events(&w, "adopt", w.in_place ? "k" : "");
	expect_states(&w, "granted", API_GPA, "SPPS");
	if (!w.in_place) {
		expect_truth(&w, "granted", page(0), GMEM_SHARED);
		expect_truth(&w, "granted", page(1), GMEM_PRIVATE);
	}
	MUST(CONVERT(&w, 1, 2, GMEM_SHARED, .flags = 0) == 0);
	expect_states(&w, "back", API_GPA, "SSSS");
	close_world(&w);
}

/* A range that a listener lets nobody bind leaves no trace, in the file nor in what was asked for. */
static void refused_binding(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot = NULL;
	struct world w;

	open_world(t, &w);
	MUST(CONVERT(&w, 1, 1, GMEM_PRIVATE, .flags = GMEM_CONVERT_UNBOUND) == 0);
	add_device(&w, 0);
	w.refuse_map = -EBUSY;
	opts.file = w.api.file;
	EXPECT("refused", gmem_slot_bind(w.api.vm, API_GPA, SLOT_SIZE, &opts, &slot), -EBUSY);
	w.refuse_map = 0;
	expect_states(&w, "asked for still", API_GPA, "SPSS");
	w.api.other_slot = bind(&w, ELSEWHERE, 0);
	expect_states(&w, "the file is as it was", ELSEWHERE, "SSSS");
	w.api.slot = bind(&w, API_GPA, SLOT_SIZE);
	expect_states(&w, "granted now", API_GPA, "SPSS");
	expect_truth(&w, "granted now", page(1), GMEM_PRIVATE);
	close_world(&w);
}

/* The fifth, where each VM has its own: a file that is linked to the first one's inode. */
static void states_of_two_vms(struct gt *t)
{
	struct gmi_rfc_link_guest_memfd link = {0};
	GMEM_INIT(gmem_slot_opts, opts);
	struct world w;

	require(t, false, true);
	open_world(t, &w);
	bind_two(&w);
	MUST(gmem_vm_create(w.api.ctx, GMEM_VM_SW_PROTECTED, NULL, &w.api.other_vm) == 0);
	link.fd = (uint64_t)gmem_file_fd(w.api.file);
	w.api.fd = gt_ioctl(t, gmem_vm_fd(w.api.other_vm), GMI_RFC_LINK2_LINK_GUEST_MEMFD, &link);
	MUST(w.api.fd >= 0);
	MUST(gmem_file_borrow(w.api.other_vm, w.api.fd, NULL, &w.api.other_file) == 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.other_slot), 0);
	w.api.other_slot = NULL;
	opts.file = w.api.other_file;
	MUST(gmem_slot_bind(w.api.other_vm, API_GPA, SLOT_SIZE, &opts, &w.api.other_slot) == 0);
	EXPECT("first", CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = 0), 0);
	expect_states(&w, "first", API_GPA, "SPPS");
	EXPECT("second", gmem_attr_query(w.api.other_vm, API_GPA, SLOT_SIZE), GMEM_SHARED);
	EXPECT("second", gmem_convert(w.api.other_vm, API_GPA, GT_PAGE, GMEM_PRIVATE, NULL, NULL),
	       0);
	expect_states(&w, "first", API_GPA, "SPPS");
	expect_truth(&w, "first", page(0), GMEM_SHARED);
	close_world(&w);
}

static uint64_t convert_request(const struct world *w)
{
	return w->in_place ? GMI_NEXT_SET_MEMORY_ATTRIBUTES2 : GMI_KVM_SET_MEMORY_ATTRIBUTES;
}

static void fail_calls(struct world *w, uint64_t nth, int error, uint32_t flags)
{
	gmem_shim_reset(w->api.shim);
	MUST(gmem_shim_fail(w->api.shim, GMEM_CALL_IOCTL, convert_request(w), nth, error, flags) ==
	     0);
}

/* The second slot's part fails: all is as it was, in the kernel, the map and at the device. */
static void atomic_way_back(struct gt *t)
{
	struct gmem_attr_info before, after;
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	MUST(CONVERT(&w, 1, 1, GMEM_PRIVATE, .discard = GMEM_DISCARD_KEEP) == 0);
	before = account(&w);
	fail_calls(&w, 3, -ENOMEM, 0); /* pages 0, 2 to 3, and 4 to 7 are a call each */
	EXPECT("fails", CONVERT(&w, 0, 8, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC), -ENOMEM);
	EXPECT("came to it", (int64_t)gmem_shim_injected(w.api.shim), 1);
	EXPECT("done", (int64_t)w.api.done, 0);
	EXPECT("no discard",
	       (int64_t)(gmem_shim_count(w.api.shim, GMEM_CALL_FALLOCATE, 0) +
			 gmem_shim_count(w.api.shim, GMEM_CALL_MADVISE, 0)),
	       0);
	expect_states(&w, "as before", API_GPA, "SPSSSSSS");
	expect_device(&w, "as before");
	expect_truth(&w, "as before", page(0), GMEM_SHARED);
	expect_truth(&w, "as before", page(1), GMEM_PRIVATE);
	expect_truth(&w, "as before", page(3), GMEM_SHARED);
	after = account(&w);
	EXPECT("private", (int64_t)after.private_bytes, (int64_t)before.private_bytes);
	EXPECT("twice", (int64_t)after.twice_bytes, (int64_t)before.twice_bytes);
	EXPECT("pending", (int64_t)after.pending_bytes, (int64_t)before.pending_bytes);
	gmem_shim_reset(w.api.shim);
	EXPECT("again", CONVERT(&w, 0, 8, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC), 0);
	expect_states(&w, "again", API_GPA, "PPPPPPPP");
	expect_device(&w, "again");
	close_world(&w);
}

/* Where not even the way back works, the call says so and the map tells the truth. */
static void atomic_without_return(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	fail_calls(&w, 2, -EIO, GMEM_SHIM_EVERY);
	EXPECT("stuck", CONVERT(&w, 2, 4, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC),
	       -ENOTRECOVERABLE);
	EXPECT("record", gmem_errinfo()->error, -ENOTRECOVERABLE);
	gmem_shim_reset(w.api.shim);
	expect_states(&w, "truth", API_GPA, "SSPPSSSS");
	expect_device(&w, "truth");
	expect_truth(&w, "truth", page(2), GMEM_PRIVATE);
	expect_truth(&w, "truth", page(4), GMEM_SHARED);
	EXPECT("mended", CONVERT(&w, 0, 8, GMEM_SHARED, .flags = 0), 0);
	expect_device(&w, "mended");
	close_world(&w);
}

/* A veto of the device in the second slot. */
static void atomic_veto(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	MUST(CONVERT(&w, 2, 4, GMEM_PRIVATE, .flags = 0) == 0);
	w.refuse_map = -ENOSPC;
	EXPECT("veto", CONVERT(&w, 0, 8, GMEM_SHARED, .flags = GMEM_CONVERT_ATOMIC), -ENOSPC);
	w.refuse_map = 0;
	expect_states(&w, "as before", API_GPA, "SSPPPPSS");
	expect_device(&w, "as before");
	w.refuse_unmap = -EPERM;
	EXPECT("veto", CONVERT(&w, 0, 8, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC), -EPERM);
	w.refuse_unmap = 0;
	expect_states(&w, "as before", API_GPA, "SSPPPPSS");
	expect_device(&w, "as before");
	close_world(&w);
}

/* Without ATOMIC the first part stays, and the rest can be asked for again. */
static void partial_failure(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	fail_calls(&w, 2, -ENOMEM, 0);
	EXPECT("fails", CONVERT(&w, 2, 6, GMEM_PRIVATE, .flags = 0), -ENOMEM);
	EXPECT("done", (int64_t)w.api.done, (int64_t)(2 * GT_PAGE));
	expect_states(&w, "a part", API_GPA, "SSPPSSSS");
	expect_device(&w, "a part");
	expect_truth(&w, "a part", page(3), GMEM_PRIVATE);
	expect_truth(&w, "a part", page(4), GMEM_SHARED);
	EXPECT("the rest", CONVERT(&w, 4, 4, GMEM_PRIVATE, .flags = 0), 0);
	expect_states(&w, "the rest", API_GPA, "SSPPPPPP");
	expect_device(&w, "the rest");
	close_world(&w);
}

static void slices(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	gmem_shim_reset(w.api.shim);
	EXPECT("slices", CONVERT(&w, 0, 4, GMEM_PRIVATE, .slice = GT_PAGE), 0);
	EXPECT("a call each",
	       (int64_t)gmem_shim_count(w.api.shim, GMEM_CALL_IOCTL, convert_request(&w)), 4);
	EXPECT("whole", CONVERT(&w, 0, 4, GMEM_SHARED, .flags = 0), 0);
	EXPECT("one call",
	       (int64_t)gmem_shim_count(w.api.shim, GMEM_CALL_IOCTL, convert_request(&w)), 5);
	w.stop_at = w.told + 2;
	EXPECT("stopped", CONVERT(&w, 0, 8, GMEM_PRIVATE, .slice = GT_PAGE, .stop = &w.stop),
	       -EINTR);
	EXPECT("done", (int64_t)w.api.done, (int64_t)(2 * GT_PAGE));
	expect_states(&w, "stopped", API_GPA, "PPSSSSSS");
	expect_device(&w, "stopped");
	EXPECT("at once", CONVERT(&w, 2, 1, GMEM_PRIVATE, .stop = &w.stop), -EINTR);
	EXPECT("done", (int64_t)w.api.done, 0);
	w.stop = 0;
	EXPECT("the rest", CONVERT(&w, 2, 6, GMEM_PRIVATE, .stop = &w.stop), 0);
	expect_states(&w, "the rest", API_GPA, "PPPPPPPP");
	close_world(&w);
}

static void atomic_stop(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	w.stop_at = w.told + 2;
	EXPECT("stopped",
	       CONVERT(&w, 0, 8, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC, .slice = GT_PAGE,
		       .stop = &w.stop),
	       -EINTR);
	EXPECT("done", (int64_t)w.api.done, 0);
	expect_states(&w, "as before", API_GPA, "SSSSSSSS");
	expect_device(&w, "as before");
	close_world(&w);
}

static void device_blocks(struct gt *t)
{
	struct world w;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 2 * GT_PAGE);
	EXPECT("replay", (int64_t)w.told, 4);
	EXPECT("block", (int64_t)w.max_told, (int64_t)(2 * GT_PAGE));
	EXPECT("convert", CONVERT(&w, 1, 4, GMEM_PRIVATE, .flags = 0), 0);
	EXPECT("1, 2 to 3, 4", (int64_t)w.told, 7);
	expect_device(&w, "blocks");
	close_world(&w);
}

/* A page that is pinned: tried so often, with waits between, and told where. */
static void pinned(struct gt *t)
{
	struct gmem_attr_info info;
	struct world w;

	require(t, true, false);
	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	MUST(gmem_sim_pin(t->sim, gmem_file_fd(w.api.file), 2 * GT_PAGE, GT_PAGE) == 0);
	gmem_shim_reset(w.api.shim);
	EXPECT("pinned", CONVERT(&w, 0, 4, GMEM_PRIVATE, .attempts = 3), -EAGAIN);
	EXPECT("offset", (int64_t)gmem_errinfo()->offset, (int64_t)(2 * GT_PAGE));
	EXPECT("done", (int64_t)w.api.done, 0);
	info = account(&w);
	EXPECT("attempts", (int64_t)info.conversions, 3);
	EXPECT("retries", (int64_t)info.retries, 2);
	EXPECT("waits", (int64_t)gmem_shim_count(w.api.shim, GMEM_CALL_SLEEP, 0), 2);
	expect_states(&w, "nothing happened", API_GPA, "SSSS");
	expect_device(&w, "mapped again");
	EXPECT("the others", CONVERT(&w, 3, 4, GMEM_PRIVATE, .attempts = 1), 0);
	EXPECT("atomic", CONVERT(&w, 0, 8, GMEM_PRIVATE, .flags = GMEM_CONVERT_ATOMIC), -EAGAIN);
	expect_states(&w, "as before", API_GPA, "SSSPPPPS");
	expect_device(&w, "as before");
	w.unpin_at = 2 * GT_PAGE + 1;
	gmem_shim_reset(w.api.shim);
	EXPECT("the device lets go first", CONVERT(&w, 0, 8, GMEM_PRIVATE, .attempts = 1), 0);
	expect_states(&w, "converted", API_GPA, "PPPPPPPP");
	EXPECT("no wait", (int64_t)gmem_shim_count(w.api.shim, GMEM_CALL_SLEEP, 0), 0);
	close_world(&w);
}

/* Let go of between two attempts. */
static void pinned_shortly(struct gt *t)
{
	struct world w;

	require(t, true, false);
	open_world(t, &w);
	bind_two(&w);
	fail_calls(&w, 1, -EAGAIN, 0);
	MUST(gmem_shim_fail(w.api.shim, GMEM_CALL_IOCTL, convert_request(&w), 2, -EINTR, 0) == 0);
	EXPECT("converted", CONVERT(&w, 0, 2, GMEM_PRIVATE, .flags = 0), 0);
	EXPECT("retries", (int64_t)account(&w).retries, 2);
	expect_states(&w, "converted", API_GPA, "PPSS");
	close_world(&w);
}

#define HUGE GMEM_PAGE_2M

/* Host memory of 2 MiB pages, as far as libgmem is told. */
static uint8_t *huge_memory(struct world *w, void **ret_all)
{
	*ret_all = gt_anonymous(w->api.t, 3 * HUGE);
	return (uint8_t *)(((uintptr_t)*ret_all + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
}

static int convert_bytes(struct world *w, uint64_t at, uint64_t size, uint32_t to, uint32_t discard)
{
	GMEM_INIT(gmem_convert_opts, opts);

	opts.discard = discard;
	return gmem_convert(w->api.vm, API_GPA + at, size, to, &opts, &w->api.done);
}

static void expect_stale(struct world *w, const char *row, uint64_t twice, uint64_t pending)
{
	struct gmem_attr_info info = account(w);

	EXPECT_CASE(row, "twice", (int64_t)info.twice_bytes, (int64_t)twice);
	EXPECT_CASE(row, "pending", (int64_t)info.pending_bytes, (int64_t)pending);
}

/* A page of the backing is freed once all of it is stale, and not a byte before. */
static void huge_backing(struct gt *t)
{
	GMEM_INIT(gmem_file_opts, file);
	GMEM_INIT(gmem_slot_opts, opts);
	struct world w;
	uint8_t *host;
	void *all;

	require(t, false, false);
	open_world(t, &w);
	MUST(gmem_file_create(w.api.vm, 2 * HUGE, &file, &w.api.other_file) == 0);
	host = huge_memory(&w, &all);
	opts.file = w.api.other_file;
	opts.hva = host;
	opts.backing_page = HUGE;
	MUST(gmem_slot_bind(w.api.vm, API_GPA, 2 * HUGE, &opts, &w.api.slot) == 0);
	host[0] = 0x11;
	host[HUGE - 1] = 0x12;
	host[HUGE] = 0x13;
	EXPECT("half", convert_bytes(&w, 0, HUGE / 2, GMEM_PRIVATE, GMEM_DISCARD_NOW), 0);
	expect_stale(&w, "half", HUGE / 2, 0);
	EXPECT("half: kept", host[0], 0x11);
	EXPECT("back", convert_bytes(&w, 0, HUGE / 4, GMEM_SHARED, GMEM_DISCARD_NOW), 0);
	expect_stale(&w, "back", HUGE / 4, 0);
	EXPECT("other half", convert_bytes(&w, HUGE / 2, HUGE / 2, GMEM_PRIVATE, GMEM_DISCARD_NOW),
	       0);
	expect_stale(&w, "a quarter is in use", 3 * HUGE / 4, 0);
	EXPECT("in use: kept", host[0], 0x11);
	EXPECT("the quarter", convert_bytes(&w, 0, HUGE / 4, GMEM_PRIVATE, GMEM_DISCARD_NOW), 0);
	expect_stale(&w, "whole", 0, 0);
	EXPECT("freed", host[0] | host[HUGE - 1], 0);
	EXPECT("the next page is kept", host[HUGE], 0x13);
	EXPECT("deferred", convert_bytes(&w, HUGE, HUGE / 2, GMEM_PRIVATE, GMEM_DISCARD_DEFER), 0);
	EXPECT("drained", gmem_discard_drain(w.api.vm, UINT64_MAX, &w.api.done), 0);
	EXPECT("nothing freed", host[HUGE], 0x13);
	EXPECT("deferred",
	       convert_bytes(&w, 3 * HUGE / 2, HUGE / 2, GMEM_PRIVATE, GMEM_DISCARD_DEFER), 0);
	EXPECT("waits", host[HUGE], 0x13);
	EXPECT("drained", gmem_discard_drain(w.api.vm, UINT64_MAX, &w.api.done), 0);
	EXPECT("freed", host[HUGE], 0);
	expect_stale(&w, "drained", 0, 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.slot), 0);
	w.api.slot = NULL;
	gt_unmap(t, all, 3 * HUGE);
	close_world(&w);
}

/* The budget: what fits waits, what does not is given back at once. */
static void deferral(struct gt *t)
{
	struct world w;

	require(t, false, false);
	open_world(t, &w);
	bind_two(&w);
	MUST(gmem_discard_set_budget(w.api.vm, 3 * GT_PAGE) == 0);
	EXPECT("waits", CONVERT(&w, 0, 2, GMEM_PRIVATE, .discard = GMEM_DISCARD_DEFER), 0);
	expect_stale(&w, "waits", 2 * GT_PAGE, 2 * GT_PAGE);
	EXPECT("too much", CONVERT(&w, 2, 2, GMEM_PRIVATE, .discard = GMEM_DISCARD_DEFER), 0);
	expect_stale(&w, "at once", 2 * GT_PAGE, 2 * GT_PAGE);
	EXPECT("kept", CONVERT(&w, 4, 2, GMEM_PRIVATE, .discard = GMEM_DISCARD_KEEP), 0);
	expect_stale(&w, "kept", 4 * GT_PAGE, 2 * GT_PAGE);
	EXPECT("drain", gmem_discard_drain(w.api.vm, UINT64_MAX, &w.api.done), 0);
	EXPECT("drained", (int64_t)w.api.done, (int64_t)(2 * GT_PAGE));
	expect_stale(&w, "drained", 2 * GT_PAGE, 0);
	EXPECT("unbind", gmem_slot_unbind(w.api.other_slot), 0);
	w.api.other_slot = NULL;
	expect_stale(&w, "forgotten", 0, 0);
	close_world(&w);
}

#define ROUNDS      400
#define SLOW_ROUNDS 20 /* on an emulated machine */

static unsigned int rounds(const struct gt *t)
{
	return strcmp(t->kernel, "vm") == 0 ? SLOW_ROUNDS : ROUNDS;
}

struct converter {
	struct world *w;
	unsigned int first, pages;
	uint32_t to;
	bool atomic;
	int ret;
};

static atomic_bool readers_stop;

static void *convert_once(void *arg)
{
	struct converter *c = arg;
	GMEM_INIT(gmem_convert_opts, opts);

	opts.slice = GT_PAGE;
	opts.flags = c->atomic ? GMEM_CONVERT_ATOMIC : 0;
	c->ret = gmem_convert(c->w->api.vm, page(c->first), c->pages * GT_PAGE, c->to, &opts, NULL);
	return NULL;
}

static void *read_states(void *arg)
{
	struct world *w = arg;
	struct gmem_attr_run run;
	int wrong = 0;

	while (!atomic_load(&readers_stop)) {
		wrong |= gmem_attr_query(w->api.vm, API_GPA, 2 * SLOT_SIZE) < 0;
		wrong |= gmem_attr_next_run(w->api.vm, page(2), page(2 * SLOT_PAGES), &run) != 0;
		wrong |= run.gpa != page(2) || !run.size || run.size > 6 * GT_PAGE;
	}
	return wrong ? w : NULL;
}

static void race(struct world *w, unsigned int round)
{
	struct converter a = {w, 0, 6, GMEM_PRIVATE, round & 1, 0};
	struct converter b = {w, 2, 6, GMEM_SHARED, round & 2, 0};
	pthread_t threads[2];
	unsigned int i;

	MUST(CONVERT(w, 0, 8, round & 4 ? GMEM_PRIVATE : GMEM_SHARED, .flags = 0) == 0);
	MUST(pthread_create(&threads[0], NULL, convert_once, &a) == 0);
	MUST(pthread_create(&threads[1], NULL, convert_once, &b) == 0);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT("race", a.ret | b.ret, 0);
	expect_states(w, "one alone", API_GPA, "PP");
	expect_states(w, "the other alone", page(6), "SS");
	EXPECT("both: one order", gmem_attr_query(w->api.vm, page(2), 4 * GT_PAGE) != GMEM_MIXED,
	       true);
	expect_device(w, "race");
}

/* Two threads that convert overlapping ranges, and two that look on without waiting. */
static void threads(struct gt *t)
{
	pthread_t readers[2];
	struct world w;
	unsigned int i;
	void *wrong;

	open_world(t, &w);
	bind_two(&w);
	add_device(&w, 0);
	for (i = 0; i < 2; i++)
		MUST(pthread_create(&readers[i], NULL, read_states, &w) == 0);
	for (i = 0; i < rounds(t); i++)
		race(&w, i);
	atomic_store(&readers_stop, true);
	for (i = 0; i < 2; i++) {
		pthread_join(readers[i], &wrong);
		EXPECT("reader", wrong == NULL, true);
	}
	for (i = 0; i < 2 * SLOT_PAGES; i++)
		expect_truth(&w, "race", page(i), state_at(&w, page(i)));
	close_world(&w);
}

/* A reader while ranges are bound and unbound: in place it goes through them. */
static void readers_and_binders(struct gt *t)
{
	pthread_t reader;
	struct world w;
	unsigned int i;
	void *wrong;

	open_world(t, &w);
	bind_two(&w);
	MUST(CONVERT(&w, 1, 2, GMEM_PRIVATE, .flags = 0) == 0);
	MUST(pthread_create(&reader, NULL, read_states, &w) == 0);
	for (i = 0; i < rounds(t); i++) {
		EXPECT("unbind", gmem_slot_unbind(w.api.slot), 0);
		w.api.slot = bind(&w, API_GPA, 0);
	}
	atomic_store(&readers_stop, true);
	pthread_join(reader, &wrong);
	EXPECT("reader", wrong == NULL, true);
	expect_states(&w, "as before", API_GPA, "SPPS");
	close_world(&w);
}

static const struct gt_test tests[] = {
	GT_TEST(order_of_events),
	GT_TEST(states_at_first),
	GT_TEST(states_before_binding),
	GT_TEST(states_over_bindings),
	GT_TEST(a_wish_is_granted_once),
	GT_TEST(a_wish_is_granted_to_an_adopted_range),
	GT_TEST(refused_binding),
	GT_TEST(states_of_two_vms),
	GT_TEST(atomic_way_back),
	GT_TEST(atomic_without_return),
	GT_TEST(atomic_veto),
	GT_TEST(atomic_stop),
	GT_TEST(partial_failure),
	GT_TEST(slices),
	GT_TEST(device_blocks),
	GT_TEST(pinned),
	GT_TEST(pinned_shortly),
	GT_TEST(huge_backing),
	GT_TEST(deferral),
	GT_TEST(threads),
	GT_TEST(readers_and_binders),
};

GT_MAIN(tests)
