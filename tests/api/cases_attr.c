/* SPDX-License-Identifier: MIT */
/* attr.h, listener.h, exit.h: conversions, who is told of them, and the exits that ask for them. */
#include "api.h"
#include "gt_guest.h"

#define BOUND  (4 * GT_PAGE)
#define INSIDE (API_GPA + GT_PAGE)

/* What the kernel itself answers to a guest that reads @gpa; the truth behind libgmem's map. */
static int guest_sees(struct api *api, uint64_t gpa)
{
	struct gt_exit exit = gt_guest_read(api_guest(api), gpa);

	return gt_exit_is_done(&exit) ? (int)exit.value : -1;
}

/* One backing: a page keeps its bytes for a software-protected guest, and nothing is ever stale. */
static bool is_in_place(struct api *api)
{
	return gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_CONVERT_INPLACE) == 1;
}

static void write_shared(struct api *api, uint64_t gpa, uint8_t value)
{
	GMEM_INIT(gmem_slot_info, info);

	MUST(gmem_slot_lookup(api->vm, 0, gpa, &info) == 0 && info.hva);
	((uint8_t *)info.hva)[gpa - info.gpa] = value;
}

static struct gmem_attr_info account(struct api *api)
{
	GMEM_INIT(gmem_attr_info, info);

	EXPECT("account", gmem_attr_get_info(api->vm, NULL, &info), 0);
	return info;
}

static int convert(struct api *api, uint64_t gpa, uint64_t size, uint32_t to, uint32_t flags,
		   uint32_t discard)
{
	GMEM_INIT(gmem_convert_opts, opts);

	opts.flags = flags;
	opts.discard = discard;
	return gmem_convert(api->vm, gpa, size, to, &opts, &api->done);
}

static struct gmi_kvm_run run_page;
static struct gmem_exit exit_service;

/* A shared byte that a guest finds as long as its page is shared. */
static void shared_slot(struct api *api)
{
	make_slot(api);
	write_shared(api, INSIDE, 0x5a);
	exit_service = (struct gmem_exit){.sz = sizeof(exit_service)};
}

static int to_private(struct api *api)
{
	return convert(api, INSIDE, 2 * GT_PAGE, GMEM_PRIVATE, 0, GMEM_DISCARD_NOW);
}

static void check_private(struct api *api)
{
	struct gmem_attr_info info = account(api);

	EXPECT("done", (int64_t)api->done, (int64_t)(2 * GT_PAGE));
	EXPECT("converted", gmem_attr_query(api->vm, INSIDE, 2 * GT_PAGE), GMEM_PRIVATE);
	EXPECT("the rest", gmem_attr_query(api->vm, API_GPA, GT_PAGE), GMEM_SHARED);
	EXPECT("mixed", gmem_attr_query(api->vm, API_GPA, BOUND), GMEM_MIXED);
	EXPECT("private bytes", (int64_t)info.private_bytes, (int64_t)(2 * GT_PAGE));
	EXPECT("shared bytes", (int64_t)info.shared_bytes, (int64_t)(2 * GT_PAGE));
	EXPECT("the guest finds a fresh page, or the one", guest_sees(api, INSIDE),
	       is_in_place(api) ? 0x5a : 0);
}

static void private_slot(struct api *api)
{
	make_slot(api);
	MUST(to_private(api) == 0);
}

static int to_shared(struct api *api)
{
	return convert(api, INSIDE, 2 * GT_PAGE, GMEM_SHARED, 0, GMEM_DISCARD_NOW);
}

static void check_shared(struct api *api)
{
	EXPECT("all", gmem_attr_query(api->vm, API_GPA, BOUND), GMEM_SHARED);
	EXPECT("private bytes", (int64_t)account(api).private_bytes, 0);
	write_shared(api, INSIDE, 0x77);
	EXPECT("the guest sees what the host wrote", guest_sees(api, INSIDE), 0x77);
}

/* Twice as much as a slot: the second half is of another one, where @other_slot is bound. */
static void two_slots(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	make_slot(api);
	opts.file = api->file;
	opts.offset = BOUND;
	MUST(gmem_slot_bind(api->vm, API_GPA + BOUND, BOUND, &opts, &api->other_slot) == 0);
}

static int atomic_over_slots(struct api *api)
{
	return convert(api, INSIDE, BOUND, GMEM_PRIVATE, GMEM_CONVERT_ATOMIC, GMEM_DISCARD_NOW);
}

static void check_over_slots(struct api *api)
{
	EXPECT("both", gmem_attr_query(api->vm, INSIDE, BOUND), GMEM_PRIVATE);
	EXPECT("private bytes", (int64_t)account(api).private_bytes, (int64_t)BOUND);
}

static int batch(struct api *api)
{
	struct gmem_conversion requests[] = {
		{.gpa = API_GPA, .size = GT_PAGE, .to = GMEM_PRIVATE},
		{.gpa = API_GPA + GT_PAGE, .size = GT_PAGE, .to = GMEM_PRIVATE},
		{.gpa = API_GPA + 2 * GT_PAGE, .size = GT_PAGE, .to = GMEM_PRIVATE},
		{.gpa = API_GPA, .size = GT_PAGE, .to = GMEM_SHARED},
	};

	return gmem_convert_batch(api->vm, requests, GT_COUNT(requests), NULL, &api->done);
}

static void check_batch(struct api *api)
{
	EXPECT("done", (int64_t)api->done, (int64_t)BOUND);
	EXPECT("the last word counts", gmem_attr_query(api->vm, API_GPA, GT_PAGE), GMEM_SHARED);
	EXPECT("the others", gmem_attr_query(api->vm, INSIDE, 2 * GT_PAGE), GMEM_PRIVATE);
}

static int to_private_unbound(struct api *api)
{
	return convert(api, API_GPA, 2 * BOUND, GMEM_PRIVATE, GMEM_CONVERT_UNBOUND,
		       GMEM_DISCARD_NOW);
}

/* What was asked for before binding is so once the range is bound. */
static void check_unbound(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	EXPECT("asked for", gmem_attr_query(api->vm, API_GPA, 2 * BOUND), GMEM_PRIVATE);
	opts.file = api->file;
	opts.offset = BOUND;
	MUST(gmem_slot_bind(api->vm, API_GPA + BOUND, BOUND, &opts, &api->other_slot) == 0);
	EXPECT("kept", gmem_attr_query(api->vm, API_GPA, 2 * BOUND), GMEM_PRIVATE);
	EXPECT("in effect", guest_sees(api, API_GPA + BOUND), 0);
	EXPECT("private bytes", (int64_t)account(api).private_bytes, (int64_t)(2 * BOUND));
}

static int defer(struct api *api)
{
	return convert(api, INSIDE, 2 * GT_PAGE, GMEM_PRIVATE, 0, GMEM_DISCARD_DEFER);
}

/* A page that goes back before the queue is drained keeps what the guest wrote meanwhile. */
static void check_deferred(struct api *api)
{
	struct gmem_attr_info info = account(api);
	uint64_t pending = info.pending_bytes;

	/* Without memory for the note it was discarded at once. */
	EXPECT("pending", pending == 0 || (pending == 2 * GT_PAGE && !is_in_place(api)), true);
	EXPECT("twice", (int64_t)info.twice_bytes, (int64_t)pending);
	EXPECT("back", convert(api, INSIDE, GT_PAGE, GMEM_SHARED, 0, GMEM_DISCARD_KEEP), 0);
	write_shared(api, INSIDE, 0x44);
	EXPECT("drain", gmem_discard_drain(api->vm, UINT64_MAX, &api->done), 0);
	EXPECT("the page in use is not stale", guest_sees(api, INSIDE), 0x44);
	EXPECT("nothing waits", (int64_t)account(api).pending_bytes, 0);
	EXPECT("converted", gmem_attr_query(api->vm, INSIDE + GT_PAGE, GT_PAGE), GMEM_PRIVATE);
}

static void deferred(struct api *api)
{
	make_slot(api);
	MUST(defer(api) == 0);
}

static int drain(struct api *api)
{
	return gmem_discard_drain(api->vm, UINT64_MAX, &api->done);
}

static void check_drained(struct api *api)
{
	struct gmem_attr_info info = account(api);

	EXPECT("pending", (int64_t)info.pending_bytes, 0);
	EXPECT("twice", (int64_t)info.twice_bytes, 0);
}

static int assume(struct api *api)
{
	return gmem_attr_assume(api->vm, INSIDE, 2 * GT_PAGE, GMEM_PRIVATE);
}

static void check_assumed(struct api *api)
{
	GMEM_INIT(gmem_slot_info, slot);
	struct gmem_attr_run run;

	EXPECT("told", gmem_attr_query(api->vm, INSIDE, 2 * GT_PAGE), GMEM_PRIVATE);
	EXPECT("run", gmem_attr_next_run(api->vm, INSIDE, API_GPA + BOUND, &run), 0);
	EXPECT("run", (int64_t)run.size, (int64_t)(2 * GT_PAGE));
	EXPECT("run", run.state, GMEM_PRIVATE);
	EXPECT("next", gmem_attr_next_run(api->vm, run.gpa + run.size, API_GPA + BOUND, &run), 0);
	EXPECT("next", run.state, GMEM_SHARED);
	EXPECT("no kernel call", (int64_t)account(api).conversions, 0);
	EXPECT("slot", gmem_slot_get_info(api->slot, &slot), 0);
}

/* A listener that keeps count of what is mapped, and refuses when it is told to. */
struct device {
	uint64_t mapped;
	int refuse_map, refuse_unmap;
	uint64_t largest;
};

static struct device device;
static struct gmem_listener *listener;

static int device_map(void *user, const struct gmem_listener_range *range)
{
	struct device *d = user;

	if (d->refuse_map)
		return d->refuse_map;
	d->mapped += range->size;
	if (range->size > d->largest)
		d->largest = range->size;
	return 0;
}

static int device_unmap(void *user, const struct gmem_listener_range *range)
{
	struct device *d = user;

	if (d->refuse_unmap)
		return d->refuse_unmap;
	d->mapped -= range->size;
	return 0;
}

static int add_listener(struct api *api)
{
	GMEM_INIT(gmem_listener_opts, opts);

	opts.map = device_map;
	opts.unmap = device_unmap;
	opts.user = &device;
	return gmem_listener_add(api->vm, &opts, &listener);
}

/* An own process runs each test; within a sweep the last listener went with its check. */
static void check_listener(struct api *api)
{
	EXPECT("replay", (int64_t)device.mapped, (int64_t)BOUND);
	EXPECT("convert", to_private(api), 0);
	EXPECT("unmapped", (int64_t)device.mapped, (int64_t)(2 * GT_PAGE));
	device.refuse_map = -EBUSY;
	EXPECT("map refused", to_shared(api), -EBUSY);
	EXPECT("undone", gmem_attr_query(api->vm, INSIDE, 2 * GT_PAGE), GMEM_PRIVATE);
	device.refuse_map = 0;
	device.refuse_unmap = -EPERM;
	EXPECT("unmap refused", convert(api, API_GPA, GT_PAGE, GMEM_PRIVATE, 0, 0), -EPERM);
	EXPECT("untouched", gmem_attr_query(api->vm, API_GPA, GT_PAGE), GMEM_SHARED);
	device.refuse_unmap = 0;
	EXPECT("back", to_shared(api), 0);
	EXPECT("mapped", (int64_t)device.mapped, (int64_t)BOUND);
	listener = gmem_listener_remove(listener);
	EXPECT("taken back", (int64_t)device.mapped, 0);
}

static int serve_hypercall(struct api *api, uint64_t gpa, uint64_t pages, uint64_t word)
{
	run_page = (struct gmi_kvm_run){.exit_reason = GMI_KVM_EXIT_HYPERCALL};
	run_page.hypercall.nr = GMI_KVM_HC_MAP_GPA_RANGE;
	run_page.hypercall.args[0] = gpa;
	run_page.hypercall.args[1] = pages;
	run_page.hypercall.args[2] = word;
	return gmem_exit_handle(api->vm, &run_page, 0, &exit_service);
}

/* As a vCPU thread does: the exit is served until it is done. */
static int serve_rest(struct api *api, int ret, int run_error)
{
	for (int i = 0; !ret && exit_service.disposition == GMEM_EXIT_AGAIN && i < 10; i++)
		ret = gmem_exit_handle(api->vm, &run_page, run_error, &exit_service);
	return ret;
}

static int hypercall(struct api *api)
{
	int ret = serve_hypercall(api, INSIDE, 2, GMI_KVM_MAP_GPA_RANGE_ENCRYPTED);

	ret = serve_rest(api, ret, 0);
	if (!ret && exit_service.flags & GMEM_EXIT_REFUSED)
		ret = exit_service.error;
	api->done = exit_service.size;
	return ret;
}

static void check_hypercall(struct api *api)
{
	static const struct {
		const char *name;
		uint64_t gpa, pages, word;
		int error;
	} hostile[] = {
		{"unaligned", INSIDE + 1, 1, 0, -EINVAL},
		{"no pages", INSIDE, 0, 0, -EINVAL},
		{"too many pages", INSIDE, UINT64_MAX, 0, -EINVAL},
		{"wraps", INSIDE, UINT64_MAX / GT_PAGE, 0, -EINVAL},
		{"unknown bit", INSIDE, 1, 1u << 5, -EINVAL},
		{"unknown page size", INSIDE, 1, 3, -EINVAL},
		{"not bound", API_GPA + BOUND, 1, 0, -ENOENT},
		{"partly bound", API_GPA, 5, 16, -ENOENT},
	};
	size_t i;

	EXPECT("resume", exit_service.disposition, GMEM_EXIT_RESUME);
	EXPECT("answer", (int64_t)run_page.hypercall.ret, 0);
	check_private(api);
	exit_service.quantum = GT_PAGE; /* what is wrong in the end is wrong from the start */
	for (i = 0; i < GT_COUNT(hostile); i++) {
		EXPECT_CASE("hostile", hostile[i].name,
			    serve_hypercall(api, hostile[i].gpa, hostile[i].pages, hostile[i].word),
			    0);
		EXPECT_CASE("resume", hostile[i].name, exit_service.disposition, GMEM_EXIT_RESUME);
		EXPECT_CASE("refused", hostile[i].name, exit_service.flags, GMEM_EXIT_REFUSED);
		EXPECT_CASE("why", hostile[i].name, exit_service.error, hostile[i].error);
		EXPECT_CASE("answer", hostile[i].name, run_page.hypercall.ret != 0, true);
	}
	check_private(api);
}

static int fault(struct api *api)
{
	run_page = (struct gmi_kvm_run){.exit_reason = GMI_KVM_EXIT_MEMORY_FAULT};
	run_page.memory_fault.gpa = INSIDE;
	run_page.memory_fault.size = 2 * GT_PAGE;
	run_page.memory_fault.flags = GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE;
	api->done = 2 * GT_PAGE;
	return serve_rest(api, gmem_exit_handle(api->vm, &run_page, -EFAULT, &exit_service),
			  -EFAULT);
}

static void check_fault(struct api *api)
{
	EXPECT("resume", exit_service.disposition, GMEM_EXIT_RESUME);
	check_private(api);
	EXPECT("again", fault(api), 0);
	EXPECT("nothing to do", exit_service.flags, GMEM_EXIT_NOTHING);
	run_page.memory_fault.flags = 1;
	EXPECT("unknown flag", gmem_exit_handle(api->vm, &run_page, -EFAULT, &exit_service),
	       -EOPNOTSUPP);
	EXPECT("stale reason", gmem_exit_handle(api->vm, &run_page, -EINTR, &exit_service), 0);
	EXPECT("stale reason", exit_service.disposition, GMEM_EXIT_NOT_MINE);
	EXPECT("poison", gmem_exit_handle(api->vm, &run_page, -EHWPOISON, &exit_service),
	       -EHWPOISON);
	run_page.exit_reason = GMI_KVM_EXIT_HLT;
	EXPECT("other", gmem_exit_handle(api->vm, &run_page, 0, &exit_service), 0);
	EXPECT("other", exit_service.disposition, GMEM_EXIT_NOT_MINE);
}

/* A long request leaves after each quantum, and goes on where it stopped. */
static int sliced(struct api *api)
{
	int ret;

	exit_service.quantum = GT_PAGE;
	ret = serve_hypercall(api, INSIDE, 2, GMI_KVM_MAP_GPA_RANGE_ENCRYPTED);
	if (!ret && !(exit_service.flags & GMEM_EXIT_REFUSED))
		EXPECT("a part", exit_service.disposition, GMEM_EXIT_AGAIN);
	ret = serve_rest(api, ret, 0);
	exit_service.quantum = 0;
	if (!ret && exit_service.flags & GMEM_EXIT_REFUSED)
		ret = exit_service.error;
	api->done = 2 * GT_PAGE;
	return ret;
}

static int enable(struct api *api)
{
	return gmem_exit_enable(api->vm);
}

/* Where KVM emulates every instruction a hypercall does not come back. */
static bool guests_run_natively(const struct api *api)
{
	struct vm vm;
	bool native;

	vm_open(api->t, api->vm_type, &vm);
	native = vm_runs_natively(&vm);
	vm_close(&vm);
	return native;
}

static void check_enabled(struct api *api)
{
	struct gt_exit exit;

	if (!guests_run_natively(api))
		return;
	exit = gt_guest_hypercall(api_guest(api), GMI_KVM_HC_MAP_GPA_RANGE, API_GPA, 1, 0);
	EXPECT("exits", exit.reason, GMI_KVM_EXIT_HYPERCALL);
	EXPECT("number", (int64_t)exit.hypercall.nr, GMI_KVM_HC_MAP_GPA_RANGE);
}

static int set_budget(struct api *api)
{
	return gmem_discard_set_budget(api->vm, GT_PAGE);
}

/* What would not fit is discarded at once. */
static void check_budget(struct api *api)
{
	EXPECT("convert", defer(api), 0);
	EXPECT("nothing waits", (int64_t)account(api).pending_bytes, 0);
	EXPECT("nothing is backed twice", (int64_t)account(api).twice_bytes, 0);
}

const struct api_case api_cases_attr[] = {
	{"convert_to_private", NEEDS_PRIVATE, KEEPS_PROGRESS, shared_slot, to_private,
	 check_private},
	{"convert_to_shared", NEEDS_PRIVATE, KEEPS_PROGRESS, private_slot, to_shared, check_shared},
	{"convert_atomic_over_slots", NEEDS_PRIVATE, KEEPS_PROGRESS, two_slots, atomic_over_slots,
	 check_over_slots},
	{"convert_batch", NEEDS_PRIVATE, KEEPS_PROGRESS, make_slot, batch, check_batch},
	{"convert_unbound", NEEDS_PRIVATE, KEEPS_PROGRESS, make_slot, to_private_unbound,
	 check_unbound},
	{"convert_deferred", NEEDS_PRIVATE, KEEPS_PROGRESS, make_slot, defer, check_deferred},
	{"discard_drain", NEEDS_PRIVATE, KEEPS_PROGRESS, deferred, drain, check_drained},
	{"discard_set_budget", NEEDS_PRIVATE, 0, make_slot, set_budget, check_budget},
	{"attr_assume", NEEDS_PRIVATE, 0, make_slot, assume, check_assumed},
	{"listener_add", NEEDS_PRIVATE, 0, make_slot, add_listener, check_listener},
	{"exit_hypercall", NEEDS_PRIVATE, KEEPS_PROGRESS, shared_slot, hypercall, check_hypercall},
	{"exit_memory_fault", NEEDS_PRIVATE, KEEPS_PROGRESS, shared_slot, fault, check_fault},
	{"exit_in_parts", NEEDS_PRIVATE, KEEPS_PROGRESS, shared_slot, sliced, check_private},
	{"exit_enable", NEEDS_GMEM, 0, make_slot, enable, check_enabled},
};

const size_t api_count_attr = GT_COUNT(api_cases_attr);
