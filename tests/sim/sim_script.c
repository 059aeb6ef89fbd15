/* SPDX-License-Identifier: MIT */
/* Scripted guests: what each action does, and the exits that a VMM sees of it. */
#include <pthread.h>
#include <unistd.h>

#include "st.h"

#define SEED 7
#define PORT 0x3f8

static void *io_data(const struct st *st)
{
	return (uint8_t *)st->run + st->run->io.data_offset;
}

/* The memory that a guest of a file with flags 0 in a DEFAULT VM sees is the backing. */
static void moves_bytes(struct gt *t)
{
	char out[] = "from the guest", in[sizeof(out)] = "";
	uint64_t words[2];
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(
		&st, {.op = GMEM_SIM_WRITE, .addr = ST_GPA + 3, .size = sizeof(out), .in = out},
		{.op = GMEM_SIM_READ, .addr = ST_GPA + 3, .size = sizeof(out), .out = in},
		{.op = GMEM_SIM_FILL, .addr = ST_GPA + GT_PAGE, .size = 2 * GT_PAGE, .value = SEED},
		{.op = GMEM_SIM_CHECK,
		 .addr = ST_GPA + GT_PAGE,
		 .size = 2 * GT_PAGE,
		 .value = SEED},
		{.op = GMEM_SIM_SUM, .addr = ST_GPA + GT_PAGE, .size = 16});
	SAME("run", st_run(&st), 0);
	SAME("end", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("read", strcmp(in, out), 0);
	SAME("host", memcmp(st.backing + 3, out, sizeof(out)), 0);
	memcpy(words, st.backing + GT_PAGE, sizeof(words));
	SAME("pattern", words[1] == gmem_sim_pattern(SEED, ST_GPA + GT_PAGE + 8), true);
	SAME("sum", st_info(&st).accumulator == words[0] + words[1], true);
	SAME("check", st_info(&st).mismatches, 0);
	SAME("done", st_info(&st).is_done, 1);
	SAME("again", st_run(&st), 0);
	SAME("again", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	st_close(&st);
}

static void finds_mismatch(struct gt *t)
{
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = GT_PAGE, .value = SEED},
		  {.op = GMEM_SIM_HALT},
		  {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = GT_PAGE, .value = SEED},
		  {.op = GMEM_SIM_JUMP, .flags = GMEM_SIM_MISMATCH, .value = 5},
		  {.op = GMEM_SIM_SHUTDOWN}, {.op = GMEM_SIM_SET, .flags = GMEM_SIM_MISMATCH});
	SAME("run", st_run(&st), 0);
	st.backing[0x108] ^= 1;
	st.backing[0x200] ^= 1;
	SAME("run", st_run(&st), 0);
	SAME("branch taken", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("count", st_info(&st).mismatches, 2);
	SAME("first", st_info(&st).first_mismatch, ST_GPA + 0x108);
	SAME("first", st_info(&st).accumulator, ST_GPA + 0x108);
	st_close(&st);
}

static void ports(struct gt *t)
{
	uint32_t value;
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_OUT, .addr = PORT, .size = 2, .value = 0x1234},
		  {.op = GMEM_SIM_OUT, .addr = PORT, .size = 5, .in = "text"},
		  {.op = GMEM_SIM_IN, .addr = PORT, .size = 4},
		  {.op = GMEM_SIM_OUT,
		   .flags = GMEM_SIM_ACCUMULATOR,
		   .addr = PORT,
		   .size = 1,
		   .value = 8});
	SAME("out", st_run(&st), 0);
	SAME("out", st.run->exit_reason, GMI_KVM_EXIT_IO);
	SAME("out", st.run->io.direction, GMI_KVM_EXIT_IO_OUT);
	SAME("out", st.run->io.port, PORT);
	SAME("out", st.run->io.size, 2);
	SAME("out", st.run->io.count, 1);
	SAME("out", memcmp(io_data(&st), "\x34\x12", 2), 0);
	SAME("text", st_run(&st), 0);
	SAME("text", st.run->io.size * st.run->io.count, 5);
	SAME("text", strcmp(io_data(&st), "text"), 0);
	SAME("in", st_run(&st), 0);
	SAME("in", st.run->io.direction, GMI_KVM_EXIT_IO_IN);
	value = 0xabcd;
	memcpy(io_data(&st), &value, sizeof(value));
	SAME("accumulator", st_run(&st), 0);
	SAME("accumulator", *(uint8_t *)io_data(&st), 0xab);
	SAME("end", st_run(&st), 0);
	SAME("end", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	st_close(&st);
}

static void mmio(struct gt *t)
{
	uint8_t out[12] = "abcdefghijkl", in[4] = "";
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_WRITE, .addr = GT_PAGE, .size = sizeof(out), .in = out},
		  {.op = GMEM_SIM_READ, .addr = GT_PAGE, .size = sizeof(in), .out = in});
	SAME("write", st_run(&st), 0);
	SAME("write", st.run->exit_reason, GMI_KVM_EXIT_MMIO);
	SAME("write", st.run->mmio.phys_addr, GT_PAGE);
	SAME("write", st.run->mmio.is_write, 1);
	SAME("write", st.run->mmio.len, 8);
	SAME("write", memcmp(st.run->mmio.data, "abcdefgh", 8), 0);
	SAME("rest", st_run(&st), 0);
	SAME("rest", st.run->mmio.phys_addr, GT_PAGE + 8);
	SAME("rest", st.run->mmio.len, 4);
	SAME("read", st_run(&st), 0);
	SAME("read", st.run->mmio.is_write, 0);
	memcpy(st.run->mmio.data, "xyz", 4);
	SAME("end", st_run(&st), 0);
	SAME("end", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("read", strcmp((char *)in, "xyz"), 0);
	st_close(&st);
}

static const struct gmem_sim_action map_gpa_range = {
	.op = GMEM_SIM_HYPERCALL,
	.value = GMI_KVM_HC_MAP_GPA_RANGE,
	.args = {ST_GPA, 1, GMI_KVM_MAP_GPA_RANGE_ENCRYPTED},
};

static void hypercall(struct gt *t)
{
	struct gmem_sim_action unaligned = map_gpa_range;
	struct st st;

	unaligned.args[0]++;
	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, map_gpa_range, {.op = GMEM_SIM_HALT}, unaligned, {.op = GMEM_SIM_HALT},
		  map_gpa_range);
	SAME("not enabled", st_run(&st), 0);
	SAME("not enabled", st_info(&st).hypercall_result, -GMI_KVM_ENOSYS);
	SAME("enable", gt_enable_cap(t, st.vm, GMI_KVM_CAP_EXIT_HYPERCALL, 1 << 12), 0);
	SAME("unaligned", st_run(&st), 0);
	SAME("unaligned", st_info(&st).hypercall_result, -EINVAL);
	SAME("exit", st_run(&st), 0);
	SAME("exit", st.run->exit_reason, GMI_KVM_EXIT_HYPERCALL);
	SAME("exit", st.run->hypercall.args[2], GMI_KVM_MAP_GPA_RANGE_ENCRYPTED);
	SAME("preset", st.run->hypercall.ret, 0);
	st.run->hypercall.ret = 5;
	SAME("end", st_run(&st), 0);
	SAME("answer", st_info(&st).hypercall_result, 5);
	st_close(&st);
}

static bool offers(const struct gt *t, uint32_t type)
{
	int kvm = gt_open_kvm(t);
	int types = gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES);

	gt_close(t, kvm);
	return types >> type & 1;
}

/* Convert, as a guest with private memory asks for it, and find the bytes of each side again. */
static void conversion(struct gt *t)
{
	struct st st;

	REQUIRE(offers(t, GMI_KVM_X86_SW_PROTECTED_VM), "no private memory");
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &st);
	MUST(gt_enable_cap(t, st.vm, GMI_KVM_CAP_EXIT_HYPERCALL, 1 << 12) == 0);
	ST_SCRIPT(&st, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = GT_PAGE, .value = 1},
		  map_gpa_range, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = GT_PAGE, .value = 2},
		  {.op = GMEM_SIM_HALT},
		  {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = GT_PAGE, .value = 1});
	SAME("exit", st_run(&st), 0);
	SAME("exit", st.run->exit_reason, GMI_KVM_EXIT_HYPERCALL);
	SAME("to private", gt_set_attributes(t, st.vm, ST_GPA, GT_PAGE, GT_PRIVATE), 0);
	SAME("private", st_run(&st), 0);
	SAME("private", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("the host sees the shared half",
	     *(uint64_t *)st.backing == gmem_sim_pattern(1, ST_GPA), true);
	SAME("to shared", gt_set_attributes(t, st.vm, ST_GPA, GT_PAGE, 0), 0);
	SAME("shared", st_run(&st), 0);
	SAME("shared", st_info(&st).mismatches, 0);
	SAME("allocated", st_stats(t).allocated, GT_PAGE);
	st_close(&st);
}

/* An access that faults is tried again, and goes on at the byte where it stopped. */
static void fault_and_retry(struct gt *t)
{
	uint8_t in[2 * GT_PAGE];
	struct st st;

	REQUIRE(offers(t, GMI_KVM_X86_SW_PROTECTED_VM), "no private memory");
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &st);
	MUST(gt_set_attributes(t, st.vm, ST_GPA + ST_SIZE, GT_PAGE, GT_PRIVATE) == 0);
	memset(st.backing + ST_SIZE - GT_PAGE, 0x5a, GT_PAGE);
	ST_SCRIPT(&st,
		  {.op = GMEM_SIM_READ,
		   .flags = GMEM_SIM_MUST_FAULT,
		   .addr = ST_GPA + ST_SIZE - GT_PAGE,
		   .size = sizeof(in),
		   .out = in},
		  {.op = GMEM_SIM_READ, .flags = GMEM_SIM_MUST_FAULT, .addr = ST_GPA, .size = 1});
	for (int i = 0; i < 2; i++) {
		SAME("fault", st_run(&st), -EFAULT);
		SAME("fault", st.run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
		SAME("fault", st.run->memory_fault.gpa, ST_GPA + ST_SIZE);
		SAME("fault", st.run->memory_fault.flags, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE);
		SAME("faults", st_info(&st).faults, i + 1);
	}
	MUST(gt_set_region(t, st.vm, 1, 0, ST_GPA + ST_SIZE, GT_PAGE, st.backing) == 0);
	MUST(gt_set_attributes(t, st.vm, ST_GPA + ST_SIZE, GT_PAGE, 0) == 0);
	SAME("retry", st_run(&st), 0);
	SAME("retry", st.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("first half", in[GT_PAGE - 1], 0x5a);
	SAME("second half", in[GT_PAGE], 0);
	SAME("must fault, did not", st_info(&st).missed_faults, 1);
	st_close(&st);
}

/*
 * An address without a memslot is remembered: the attribute alone does not turn it from MMIO into a
 * fault, and after the memslots changed the access does not fit the attribute. Observed in 7.3.4.
 */
static void remembered_mmio(struct gt *t)
{
	const uint64_t gpa = ST_GPA + ST_SIZE;
	struct st st;

	REQUIRE(offers(t, GMI_KVM_X86_SW_PROTECTED_VM), "no private memory");
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_READ, .addr = gpa, .size = 1},
		  {.op = GMEM_SIM_READ, .addr = gpa, .size = 1},
		  {.op = GMEM_SIM_READ, .addr = gpa, .size = 1});
	SAME("MMIO", st_run(&st), 0);
	SAME("MMIO", st.run->exit_reason, GMI_KVM_EXIT_MMIO);
	MUST(gt_set_attributes(t, st.vm, gpa, GT_PAGE, GT_PRIVATE) == 0);
	SAME("still MMIO", st_run(&st), 0);
	SAME("still MMIO", st.run->exit_reason, GMI_KVM_EXIT_MMIO);
	MUST(gt_set_region(t, st.vm, 1, 0, 0, GT_PAGE, st.backing) == 0);
	SAME("shared access", st_run(&st), -EFAULT);
	SAME("shared access", st.run->memory_fault.flags, 0);
	MUST(gt_set_attributes(t, st.vm, gpa, GT_PAGE, 0) == 0);
	SAME("fits again", st_run(&st), 0);
	SAME("fits again", st.run->exit_reason, GMI_KVM_EXIT_MMIO);
	st_close(&st);
}

static void loops(struct gt *t)
{
	uint64_t word;
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_ADD, .addr = ST_GPA, .value = 3},
		  {.op = GMEM_SIM_JUMP, .value = 0, .args = {4}});
	SAME("run", st_run(&st), 0);
	memcpy(&word, st.backing, sizeof(word));
	SAME("once and four times again", word, 15);
	st_close(&st);
}

struct runner {
	const struct st *st;
	int ret;
};

static void *run_vcpu(void *arg)
{
	struct runner *runner = arg;

	runner->ret = st_run(runner->st);
	return NULL;
}

static void interrupts(struct gt *t)
{
	struct runner runner;
	pthread_t thread;
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_JUMP});
	runner = (struct runner){.st = &st};
	MUST(pthread_create(&thread, NULL, run_vcpu, &runner) == 0);
	usleep(20000);
	SAME("others get in", gt_allocate(t, st.file, 0, GT_PAGE), 0);
	SAME("its script is in use", gmem_sim_vcpu_script(t->sim, st.vcpu, NULL, 0), -EBUSY);
	SAME("interrupt", gmem_sim_interrupt(t->sim, st.vcpu), 0);
	pthread_join(thread, NULL);
	SAME("interrupted", runner.ret, -EINTR);
	SAME("interrupted", st.run->exit_reason, GMI_KVM_EXIT_INTR);
	MUST(gmem_sim_interrupt(t->sim, st.vcpu) == 0);
	SAME("before it runs", st_run(&st), -EINTR);
	st.run->immediate_exit = 1;
	SAME("immediate_exit", st_run(&st), -EINTR);
	SAME("no vCPU", gmem_sim_interrupt(t->sim, st.vm), -EBADF);
	st_close(&st);
}

/* Two vCPUs on one word: each waits for the other's addition. */
static void two_vcpus(struct gt *t)
{
	struct st st, other;
	struct runner runner;
	pthread_t thread;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	other = st;
	other.vcpu = gt_ioctl_number(t, st.vm, GMI_KVM_CREATE_VCPU, 1);
	MUST(other.vcpu >= 0);
	ST_SCRIPT(&st, {.op = GMEM_SIM_ADD, .addr = ST_GPA, .value = 1},
		  {.op = GMEM_SIM_WAIT, .addr = ST_GPA, .value = 2});
	ST_SCRIPT(&other, {.op = GMEM_SIM_WAIT, .addr = ST_GPA, .value = 1},
		  {.op = GMEM_SIM_ADD, .addr = ST_GPA, .value = 1});
	runner = (struct runner){.st = &other, .ret = -1};
	MUST(pthread_create(&thread, NULL, run_vcpu, &runner) == 0);
	SAME("one", st_run(&st), 0);
	pthread_join(thread, NULL);
	SAME("other", runner.ret, 0);
	gt_close(t, other.vcpu);
	st_close(&st);
}

static void ends(struct gt *t)
{
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	SAME("no script", st_run(&st), 0);
	SAME("no script", st.run->exit_reason, GMI_KVM_EXIT_INTERNAL_ERROR);
	ST_SCRIPT(&st, {.op = GMEM_SIM_SHUTDOWN});
	for (int i = 0; i < 2; i++) {
		SAME("shutdown", st_run(&st), 0);
		SAME("shutdown", st.run->exit_reason, GMI_KVM_EXIT_SHUTDOWN);
	}
	SAME("argument", gt_ioctl_number(t, st.vcpu, GMI_KVM_RUN, 1), -EINVAL);
	st_close(&st);
}

static void refuses(struct gt *t)
{
	const struct gmem_sim_action bad[] = {
		{.op = GMEM_SIM_OP_COUNT},
		{.op = GMEM_SIM_READ, .addr = ST_GPA},
		{.op = GMEM_SIM_READ, .addr = UINT64_MAX, .size = 2},
		{.op = GMEM_SIM_WRITE, .addr = ST_GPA, .size = 1},
		{.op = GMEM_SIM_FILL, .addr = ST_GPA + 4, .size = 8},
		{.op = GMEM_SIM_OUT, .addr = 0x10000, .size = 1},
		{.op = GMEM_SIM_OUT, .addr = PORT, .size = 3},
		{.op = GMEM_SIM_JUMP, .value = 1},
		{.op = GMEM_SIM_ADD, .addr = 4},
	};
	struct st st;

	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &st);
	for (size_t i = 0; i < GT_COUNT(bad); i++)
		SAME("bad action", gmem_sim_vcpu_script(t->sim, st.vcpu, &bad[i], 1), -EINVAL);
	SAME("no actions", gmem_sim_vcpu_script(t->sim, st.vcpu, NULL, 1), -EINVAL);
	SAME("no simulator", gmem_sim_vcpu_script(NULL, st.vcpu, NULL, 0), -EINVAL);
	SAME("no vCPU", gmem_sim_vcpu_script(t->sim, st.vm, NULL, 0), -EBADF);
	SAME("closed", gmem_sim_vcpu_script(t->sim, 1000, NULL, 0), -EBADF);
	st_close(&st);
}

static const struct gt_test tests[] = {
	GT_TEST(moves_bytes),     GT_TEST(finds_mismatch),
	GT_TEST(ports),           GT_TEST(mmio),
	GT_TEST(hypercall),       GT_TEST(conversion),
	GT_TEST(fault_and_retry), GT_TEST(remembered_mmio),
	GT_TEST(loops),           GT_TEST(interrupts),
	GT_TEST(two_vcpus),       GT_TEST(ends),
	GT_TEST(refuses),
};

GT_MAIN(tests)
