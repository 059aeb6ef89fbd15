/* SPDX-License-Identifier: MIT */
/* A machine that runs out of memory, is interrupted, has several nodes, breaks. */
#include <linux/mempolicy.h>

#include "st.h"

static void open_machine(struct gt *t, struct gt *ret_machine, uint64_t memory, uint32_t nodes)
{
	const struct gmem_sim_opts opts = {.sz = sizeof(opts), .memory = memory, .nodes = nodes};

	*ret_machine = *t;
	MUST(gmem_sim_create(t->profile, &opts, &ret_machine->sim) == 0);
	ret_machine->user = ret_machine->sim;
}

static void memory_runs_out(struct gt *t)
{
	struct gt machine;
	struct st st;

	open_machine(t, &machine, 4 * GT_PAGE, 1);
	st_open(&machine, GMI_KVM_X86_DEFAULT_VM, GT_SHARED_FLAGS, &st);
	SAME("fits", gt_allocate(&machine, st.file, GT_PAGE, 2 * GT_PAGE), 0);
	SAME("again costs nothing", gt_allocate(&machine, st.file, GT_PAGE, 2 * GT_PAGE), 0);
	SAME("does not", gt_allocate(&machine, st.file, 0, ST_SIZE), -ENOMEM);
	SAME("earlier pages stay", st_stats(&machine).allocated, 4 * GT_PAGE);
	ST_SCRIPT(&st, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = ST_SIZE, .value = 1});
	SAME("guest", st_run(&st), -ENOMEM);
	SAME("guest", st.run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
	SAME("punch", gt_punch(&machine, st.file, 0, ST_SIZE), 0);
	SAME("free", st_stats(&machine).allocated, 0);
	st_close(&st);
	gmem_sim_unref(machine.sim);
}

static void signal_arrives(struct gt *t)
{
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	MUST(gmem_sim_interrupt_after(t->sim, 3) == 0);
	SAME("fallocate", gt_allocate(t, st.file, 0, ST_SIZE), -EINTR);
	SAME("earlier pages stay", st_stats(t).allocated, 3 * GT_PAGE);
	SAME("once", gt_allocate(t, st.file, 0, ST_SIZE), 0);
	MUST(gmem_sim_interrupt_after(t->sim, 0) == 0);
	MUST(gmem_sim_interrupt_after(t->sim, UINT64_MAX) == 0);
	SAME("taken back", gt_allocate(t, st.file, 0, ST_SIZE), 0);
	SAME("NULL", gmem_sim_interrupt_after(NULL, 0), -EINVAL);
	st_close(&st);
}

static void pre_fault_is_interrupted(struct gt *t)
{
	uint64_t gpa = ST_GPA, size = ST_SIZE;
	struct st st;

	REQUIRE(strncmp(t->profile, "v7", 2) == 0, "this profile cannot pre-fault");
	st_open(t, GMI_KVM_X86_DEFAULT_VM, GT_SHARED_FLAGS, &st);
	MUST(gmem_sim_interrupt_after(t->sim, 3) == 0);
	SAME("some pages", gt_pre_fault(t, st.vcpu, &gpa, &size), 0);
	SAME("some pages", size, ST_SIZE - 3 * GT_PAGE);
	MUST(gmem_sim_interrupt(t->sim, st.vcpu) == 0);
	SAME("none", gt_pre_fault(t, st.vcpu, &gpa, &size), -EINTR);
	SAME("the rest", gt_pre_fault(t, st.vcpu, &gpa, &size), 0);
	SAME("the rest", size, 0);
	st_close(&st);
}

static int node_of(const struct gt *t, void *addr)
{
	int node = -1;

	MUST(t->ops->get_mempolicy(t->user, &node, NULL, 0, addr, MPOL_F_NODE | MPOL_F_ADDR) == 0);
	return node;
}

static void nodes(struct gt *t)
{
	const uint64_t second = 2, third = 4;
	struct gt machine;
	struct st st;
	char text[32];
	uint8_t *addr;

	REQUIRE(strncmp(t->profile, "v7", 2) == 0, "this profile places no pages");
	open_machine(t, &machine, 0, 2);
	SAME("list",
	     machine.ops->read_file(machine.user, "/sys/devices/system/node/online", text,
				    sizeof(text)),
	     4);
	SAME("list", memcmp(text, "0-1\n", 4), 0);
	st_open(&machine, GMI_KVM_X86_DEFAULT_VM, GT_SHARED_FLAGS, &st);
	MUST(gt_map(&machine, st.file, 0, ST_SIZE, (void **)&addr) == 0);
	MUST(gt_allocate(&machine, st.file, 0, GT_PAGE) == 0);
	SAME("bind", machine.ops->mbind(machine.user, addr, ST_SIZE, MPOL_BIND, &second, 2, 0), 0);
	SAME("no such node",
	     machine.ops->mbind(machine.user, addr, ST_SIZE, MPOL_BIND, &third, 3, 0), -EINVAL);
	SAME("misplaced",
	     machine.ops->mbind(machine.user, addr, ST_SIZE, MPOL_BIND, &second, 2, MPOL_MF_STRICT),
	     -EIO);
	gt_unmap(&machine, addr, ST_SIZE);
	MUST(gt_allocate(&machine, st.file, 0, 2 * GT_PAGE) == 0);
	MUST(gt_map(&machine, st.file, 0, ST_SIZE, (void **)&addr) == 0);
	SAME("was there before", node_of(&machine, addr), 0);
	SAME("placed", node_of(&machine, addr + GT_PAGE), 1);
	MUST(gt_punch(&machine, st.file, 0, GT_PAGE) == 0);
	SAME("placed anew", node_of(&machine, addr), 1);
	gt_unmap(&machine, addr, ST_SIZE);
	st_close(&st);
	gmem_sim_unref(machine.sim);
}

static void broken_memory(struct gt *t)
{
	uint8_t byte = 1;
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, GT_SHARED_FLAGS, &st);
	MUST(gmem_sim_poison(t->sim, st.file, GT_PAGE, GT_PAGE) == 0);
	ST_SCRIPT(&st, {.op = GMEM_SIM_WRITE, .addr = ST_GPA + GT_PAGE, .size = 1, .in = &byte});
	SAME("poisoned", st_run(&st), -EHWPOISON);
	SAME("poisoned", st.run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
	SAME("poisoned", st.run->memory_fault.gpa, ST_GPA + GT_PAGE);
	SAME("punch", gt_punch(t, st.file, GT_PAGE, GT_PAGE), 0);
	SAME("fresh", st_run(&st), 0);
	st_close(&st);
}

/* A layout of a terabyte costs what is touched of it. */
static void large(struct gt *t)
{
	const uint64_t terabyte = UINT64_C(1) << 40;
	int kvm = gt_open_kvm(t), vm = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);
	int file = gt_create_gmem(t, vm, terabyte, 0);

	MUST(file >= 0);
	SAME("allocate", gt_allocate(t, file, 0, terabyte), 0);
	SAME("allocated", (int64_t)st_stats(t).allocated, (int64_t)terabyte);
	SAME("punch half", gt_punch(t, file, 0, terabyte / 2), 0);
	SAME("allocated", (int64_t)st_stats(t).allocated, (int64_t)terabyte / 2);
	gt_close(t, file);
	gt_close(t, vm);
	gt_close(t, kvm);
}

static const struct gt_test tests[] = {
	GT_TEST(memory_runs_out), GT_TEST(signal_arrives), GT_TEST(pre_fault_is_interrupted),
	GT_TEST(nodes),           GT_TEST(broken_memory),  GT_TEST(large),
};

GT_MAIN(tests)
