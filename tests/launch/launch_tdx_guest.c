/* SPDX-License-Identifier: MIT */
/* A launched TD runs: what it asks for is served by gmem_exit_handle() and gmem_tdx_exit_...(). */
#include <sys/mman.h>

#include "lt_tdx.h"
#include "uapi_tdx.h"

#define GPA        UINT64_C(0x100000)
#define PAGES      8u
#define SHARED_BIT (UINT64_C(1) << 47)

/* A TD of one page that is added, and others for the guest to accept. */
struct guest {
	struct td td;
	uint8_t *bytes;
	int vcpu;
	struct gmi_kvm_run *run;
	struct gmem_exit exit;
};

static struct gmem_plan *make_plan(const uint8_t *bytes)
{
	const struct gmem_launch_step steps[] = {
		{
			.gpa = GPA,
			.size = GT_PAGE,
			.type = GMEM_LAUNCH_NORMAL,
			.flags = GMEM_LAUNCH_MEASURED,
			.bytes = bytes,
		},
		{.gpa = GPA + GT_PAGE, .size = (PAGES - 1) * GT_PAGE, .type = GMEM_LAUNCH_AUG},
	};
	struct gmem_plan *plan;

	MUST(gmem_plan_create(GMEM_VM_TDX, &plan) == 0);
	for (size_t i = 0; i < GT_COUNT(steps); i++)
		MUST(gmem_plan_add(plan, &steps[i], NULL) == 0);
	return plan;
}

static void guest_open(const struct gt *t, struct guest *guest)
{
	void *addr;

	*guest = (struct guest){.exit.sz = sizeof(guest->exit)};
	guest->bytes = gt_anonymous(t, GT_PAGE);
	memset(guest->bytes, 0x42, GT_PAGE);
	guest->td = td_open(t, make_plan(guest->bytes));
	MUST(td_launch(&guest->td, NULL) == 0);
	guest->vcpu = gmem_tdx_take_vcpu(guest->td.tdx, 0);
	MUST(guest->vcpu >= 0);
	MUST(t->ops->mmap(t->user, NULL, GT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu,
			  0, &addr) == 0);
	guest->run = addr;
}

static void guest_close(struct guest *guest)
{
	const struct gt *t = guest->td.t;

	gt_unmap(t, guest->run, GT_PAGE);
	gt_close(t, guest->vcpu);
	td_close(&guest->td);
	gt_unmap(t, guest->bytes, GT_PAGE);
}

static void script(struct guest *guest, const struct gmem_sim_action *actions, size_t count)
{
	MUST(gmem_sim_vcpu_script(guest->td.t->sim, guest->vcpu, actions, count) == 0);
}

/* A TD that halts waits in the kernel, which has its interrupt controller: it leaves by a port. */
#define LEAVE                                                                                      \
	{                                                                                          \
		.op = GMEM_SIM_OUT, .addr = 1, .size = 4                                           \
	}

#define SCRIPT(guest, ...)                                                                         \
	do {                                                                                       \
		const struct gmem_sim_action actions_[] = {__VA_ARGS__, LEAVE};                    \
		script(guest, actions_, GT_COUNT(actions_));                                       \
	} while (0)

#define VMCALL(leaf, r12, r13, registers)                                                          \
	{                                                                                          \
		.op = GMEM_SIM_TDVMCALL, .value = (leaf), .args = {(r12), (r13)}, .out = registers \
	}

/* Runs until an exit that is not about memory; that many were. */
static unsigned int run(struct guest *guest)
{
	unsigned int served = 0;

	for (;;) {
		int ret = gt_ioctl(guest->td.t, guest->vcpu, GMI_KVM_RUN, NULL);

		EXPECT("served", gmem_exit_handle(guest->td.vm, guest->run, ret, &guest->exit), 0);
		if (guest->exit.disposition == GMEM_EXIT_NOT_MINE) {
			EXPECT("KVM_RUN", ret, 0);
			return served;
		}
		MUST(++served < 100);
	}
}

static struct gmem_tdx_exit read_exit(struct guest *guest)
{
	GMEM_INIT(gmem_tdx_exit, exit);

	EXPECT("decoded", gmem_tdx_exit_read(guest->td.vm, guest->run, 0, &exit), 0);
	return exit;
}

static struct gmem_sim_vcpu_info info_of(const struct guest *guest)
{
	GMEM_INIT(gmem_sim_vcpu_info, info);

	MUST(gmem_sim_vcpu_get_info(guest->td.t->sim, guest->vcpu, &info) == 0);
	return info;
}

/* The page that was added has what was measured; others are the guest's once it accepts them. */
static void memory(struct gt *t)
{
	struct guest guest;
	uint8_t seen[16] = {0};

	guest_open(t, &guest);
	SCRIPT(&guest,
	       {.op = GMEM_SIM_READ,
		.flags = GMEM_SIM_AS_PRIVATE,
		.addr = GPA,
		.size = sizeof(seen),
		.out = seen},
	       {.op = GMEM_SIM_ACCEPT, .addr = GPA + GT_PAGE, .size = 2 * GT_PAGE},
	       {.op = GMEM_SIM_FILL,
		.flags = GMEM_SIM_AS_PRIVATE,
		.addr = GPA + GT_PAGE,
		.size = GT_PAGE,
		.value = 5},
	       {.op = GMEM_SIM_CHECK,
		.flags = GMEM_SIM_AS_PRIVATE,
		.addr = GPA + GT_PAGE,
		.size = GT_PAGE,
		.value = 5});
	run(&guest);
	EXPECT("what was added", memcmp(seen, guest.bytes, sizeof(seen)), 0);
	EXPECT("accepted", (int64_t)td_module(&guest.td).accepted, 2 * (int64_t)GT_PAGE);
	EXPECT("mismatches", (int64_t)info_of(&guest).mismatches, 0);
	guest_close(&guest);
}

/* To shared, used, and back: a fresh page, to be accepted again. */
static void map_gpa(struct gt *t)
{
	const uint64_t gpa = GPA + 3 * GT_PAGE;
	GMEM_INIT(gmem_slot_info, slot);
	uint64_t to_shared[5] = {1}, to_private[5] = {1}, unbound[5] = {1};
	struct guest guest;

	guest_open(t, &guest);
	SCRIPT(&guest, VMCALL(GMI_TDVMCALL_MAP_GPA, gpa | SHARED_BIT, GT_PAGE, to_shared),
	       {.op = GMEM_SIM_FILL,
		.flags = GMEM_SIM_AS_SHARED,
		.addr = gpa,
		.size = GT_PAGE,
		.value = 9},
	       LEAVE, VMCALL(GMI_TDVMCALL_MAP_GPA, gpa, GT_PAGE, to_private),
	       {.op = GMEM_SIM_ACCEPT, .addr = gpa, .size = GT_PAGE},
	       VMCALL(GMI_TDVMCALL_MAP_GPA, 0x40000000, GT_PAGE, unbound));
	EXPECT("one exit", run(&guest), 1);
	EXPECT("answer", (int64_t)to_shared[0], 0);
	EXPECT("state", gmem_attr_query(guest.td.vm, gpa, GT_PAGE), GMEM_SHARED);
	MUST(gmem_slot_lookup(guest.td.vm, 0, gpa, &slot) == 0);
	EXPECT("the host sees it",
	       *(uint64_t *)((uint8_t *)slot.hva + (gpa - slot.gpa)) == gmem_sim_pattern(9, gpa),
	       true);
	EXPECT("two exits", run(&guest), 2);
	EXPECT("answer", (int64_t)to_private[0], 0);
	EXPECT("state", gmem_attr_query(guest.td.vm, gpa, GT_PAGE), GMEM_PRIVATE);
	EXPECT("unbound", unbound[0] == GMEM_TDX_INVALID_OPERAND, true);
	EXPECT("where", (int64_t)unbound[1], 0x40000000);
	guest_close(&guest);
}

static void quote(struct gt *t)
{
	const uint64_t gpa = GPA + 4 * GT_PAGE;
	uint64_t r[5] = {1};
	struct guest guest;
	struct gmem_tdx_exit exit;

	guest_open(t, &guest);
	SCRIPT(&guest, VMCALL(GMI_TDVMCALL_MAP_GPA, gpa | SHARED_BIT, 2 * GT_PAGE, NULL),
	       VMCALL(GMI_TDVMCALL_GET_QUOTE, gpa | SHARED_BIT, 2 * GT_PAGE, r),
	       VMCALL(GMI_TDVMCALL_GET_QUOTE, (gpa - GT_PAGE) | SHARED_BIT, 2 * GT_PAGE, r));
	run(&guest);
	exit = read_exit(&guest);
	EXPECT("kind", exit.kind, GMEM_TDX_EXIT_QUOTE);
	EXPECT("address", (int64_t)exit.gpa, (int64_t)gpa);
	EXPECT("size", (int64_t)exit.size, 2 * (int64_t)GT_PAGE);
	EXPECT("problem", exit.problem, 0);
	EXPECT("memory", exit.hva != NULL, true);
	EXPECT("answer", gmem_tdx_exit_answer(guest.run, GMEM_TDX_SUCCESS), 0);
	run(&guest);
	EXPECT("the guest hears", (int64_t)r[0], 0);
	exit = read_exit(&guest);
	EXPECT("partly private", exit.problem, -EACCES);
	EXPECT("answer", gmem_tdx_exit_answer(guest.run, exit.advice), 0);
	run(&guest);
	EXPECT("the guest hears", r[0] == GMEM_TDX_INVALID_OPERAND, true);
	guest_close(&guest);
}

static void calls(struct gt *t)
{
	static const uint64_t offered[2] = {UINT64_MAX, UINT64_MAX};
	uint64_t r[5] = {1}, n[5] = {1};
	struct guest guest;
	struct gmem_tdx_exit exit;
	GMEM_INIT(gmem_tdx_info, info);

	guest_open(t, &guest);
	MUST(gmem_tdx_get_info(guest.td.tdx, &info) == 0);
	SCRIPT(&guest, VMCALL(GMI_TDVMCALL_GET_TD_VM_CALL_INFO, 1, 0, r),
	       VMCALL(GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT, 40, 0, n));
	run(&guest);
	exit = read_exit(&guest);
	EXPECT("kind", exit.kind, GMEM_TDX_EXIT_CALLS);
	EXPECT("leaf", (int64_t)exit.leaf, 1);
	EXPECT("answer", gmem_tdx_exit_answer_calls(guest.td.tdx, guest.run, offered), 0);
	run(&guest);
	EXPECT("what there is", (int64_t)r[1],
	       (int64_t)(info.kernel_tdvmcalls[0] | info.user_tdvmcalls[0]));
	exit = read_exit(&guest);
	EXPECT("kind", exit.kind, GMEM_TDX_EXIT_NOTIFY);
	EXPECT("vector", exit.vector, 40);
	EXPECT("answer", gmem_tdx_exit_answer(guest.run, GMEM_TDX_SUCCESS), 0);
	run(&guest);
	EXPECT("the guest hears", (int64_t)n[0], 0);
	guest_close(&guest);
}

static void last_words(struct gt *t)
{
	static const char said[64] = "TDVF: no bootable device";
	struct guest guest;
	struct gmem_tdx_exit exit;

	guest_open(t, &guest);
	SCRIPT(&guest, {.op = GMEM_SIM_TDVMCALL,
			.value = GMI_TDVMCALL_REPORT_FATAL_ERROR,
			.args = {7, 0},
			.in = said,
			.size = sizeof(said)});
	run(&guest);
	exit = read_exit(&guest);
	EXPECT("kind", exit.kind, GMEM_TDX_EXIT_FATAL);
	EXPECT("code", (int64_t)exit.error, 7);
	EXPECT("no address", (int64_t)exit.gpa, -1);
	EXPECT("text", strcmp(exit.text, said), 0);
	guest_close(&guest);
}

static const struct gt_test tests[] = {
	GT_TEST(memory), GT_TEST(map_gpa), GT_TEST(quote), GT_TEST(calls), GT_TEST(last_words),
};

GT_MAIN(tests)
