/* SPDX-License-Identifier: MIT */
/* Conversion in place, as queued for 7.4: errors, obstacles, and what mappings and guests see. */
#include <signal.h>
#include <sys/mman.h>

#include "st.h"

#define PRIVATE GT_PRIVATE

static void open_private(const struct gt *t, uint64_t flags, struct st *ret_st)
{
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, flags, ret_st);
}

static uint8_t *map(const struct st *st)
{
	void *addr;

	MUST(gt_map(st->t, st->file, 0, ST_SIZE, &addr) == 0);
	return addr;
}

static bool is_reachable(const uint8_t *addr)
{
	return gt_touch_read(addr).signal == 0;
}

/* The VM's ioctl is built in too. It takes nothing but 0, which has no effect. */
static bool is_mixed(const struct gt *t)
{
	return strcmp(t->profile, "v7.4-mixed") == 0;
}

static void capabilities(struct gt *t)
{
	const uint32_t cap = GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES;
	struct st st, plain;

	open_private(t, 0, &st);
	st_open(t, GMI_KVM_X86_DEFAULT_VM, 0, &plain);
	SAME("2.1.3", gt_cap(t, st.kvm, cap), PRIVATE);
	SAME("2.1.3", gt_cap(t, st.vm, cap), PRIVATE);
	SAME("2.1.3", gt_cap(t, plain.vm, cap), 0);
	SAME("2.1.3", gt_cap(t, st.vm, GMI_KVM_CAP_MEMORY_ATTRIBUTES), 0);
	SAME("2.1.3", gt_cap(t, st.vm, GMI_KVM_CAP_GUEST_MEMFD_FLAGS), GT_SHARED_FLAGS);
	SAME("2.1.4", gt_set_attributes(t, st.vm, ST_GPA, GT_PAGE, PRIVATE),
	     is_mixed(t) ? -EINVAL : -ENOTTY);
	SAME("2.1.6", gt_set_attributes(t, st.vm, ST_GPA, GT_PAGE, 0), is_mixed(t) ? 0 : -ENOTTY);
	SAME("no private memory", st_convert(&plain, plain.file, 0, GT_PAGE, 0, NULL), -EINVAL);
	st_close(&plain);
	st_close(&st);
}

static void errors(struct gt *t)
{
	struct gmi_next_memory_attributes2 args = {.size = GT_PAGE, .error_offset = 1};
	struct st st;

	open_private(t, 0, &st);
	SAME("pointer", gt_ioctl(t, st.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, NULL), -EFAULT);
	SAME("size 0", st_convert(&st, st.file, 0, 0, 0, NULL), -EINVAL);
	SAME("unaligned", st_convert(&st, st.file, 1, GT_PAGE, 0, NULL), -EINVAL);
	SAME("unaligned", st_convert(&st, st.file, 0, GT_PAGE + 1, 0, NULL), -EINVAL);
	SAME("wraps", st_convert(&st, st.file, -GT_PAGE, 2 * GT_PAGE, 0, NULL), -EINVAL);
	SAME("outside", st_convert(&st, st.file, 0, ST_SIZE + GT_PAGE, 0, NULL), -EINVAL);
	SAME("attribute", st_convert(&st, st.file, 0, GT_PAGE, 1, NULL), -EINVAL);
	args.flags = 1;
	SAME("flags", gt_ioctl(t, st.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args), -EINVAL);
	args.flags = 0;
	args.reserved[10] = 1;
	SAME("reserved", gt_ioctl(t, st.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args), -EINVAL);
	SAME("left alone", args.error_offset, 1);
	SAME("other request", gt_ioctl(t, st.file, GMI_KVM_CREATE_GUEST_MEMFD, &args), -ENOTTY);
	st_close(&st);
}

/* Mappings follow: made before and after, with the descriptor closed, cut by a raw munmap(). */
static void mappings_follow(struct gt *t)
{
	uint8_t *before, *after;
	struct st st;

	open_private(t, GT_SHARED_FLAGS, &st);
	before = map(&st);
	before[0] = 1;
	before[GT_PAGE] = 2;
	SAME("to private", st_convert(&st, st.file, GT_PAGE, 2 * GT_PAGE, PRIVATE, NULL), 0);
	after = map(&st);
	SAME("neighbour", is_reachable(before), true);
	SAME("private", is_reachable(before + GT_PAGE), false);
	SAME("private", is_reachable(after + 2 * GT_PAGE), false);
	SAME("neighbour", is_reachable(after + 3 * GT_PAGE), true);
	SAME("exact", gt_touch_write(before + GT_PAGE + 9, 1).addr == before + GT_PAGE + 9, true);
	munmap(before + 2 * GT_PAGE, GT_PAGE);
	SAME("to shared", st_convert(&st, st.file, 0, ST_SIZE, 0, NULL), 0);
	SAME("content", before[0], 1);
	SAME("content", before[GT_PAGE], 2);
	SAME("not mapped again", gt_touch_read(before + 2 * GT_PAGE).signal, SIGSEGV);
	SAME("shared", is_reachable(after + 2 * GT_PAGE), true);
	gt_unmap(t, before, ST_SIZE);
	gt_unmap(t, after, ST_SIZE);
	st_close(&st);
}

/* Where something else was mapped behind the model's back, it is left alone. */
static void foreign_mapping(struct gt *t)
{
	uint8_t *addr, *mine;
	struct st st;

	open_private(t, GT_SHARED_FLAGS, &st);
	addr = map(&st);
	mine = mmap(addr, GT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0);
	MUST(mine == addr);
	*mine = 9;
	SAME("convert", st_convert(&st, st.file, 0, ST_SIZE, PRIVATE, NULL), 0);
	SAME("left alone", is_reachable(mine) && *mine == 9, true);
	SAME("private", is_reachable(addr + GT_PAGE), false);
	gt_unmap(t, addr, ST_SIZE);
	st_close(&st);
}

static void pins(struct gt *t)
{
	uint64_t error_offset;
	struct st st;

	open_private(t, GT_SHARED_FLAGS, &st);
	MUST(gmem_sim_pin(t->sim, st.file, 2 * GT_PAGE, GT_PAGE) == 0);
	MUST(gmem_sim_pin(t->sim, st.file, 2 * GT_PAGE, 2 * GT_PAGE) == 0);
	SAME("obstacle", st_convert(&st, st.file, 0, ST_SIZE, PRIVATE, &error_offset), -EAGAIN);
	SAME("obstacle", error_offset, 2 * GT_PAGE);
	SAME("inside", st_convert(&st, st.file, 3 * GT_PAGE, GT_PAGE, PRIVATE, &error_offset),
	     -EAGAIN);
	SAME("inside", error_offset, 3 * GT_PAGE);
	SAME("others convert", st_convert(&st, st.file, 0, 2 * GT_PAGE, PRIVATE, &error_offset), 0);
	SAME("not written", error_offset, UINT64_MAX);
	SAME("in that state already", st_convert(&st, st.file, 2 * GT_PAGE, GT_PAGE, 0, NULL), 0);
	MUST(gmem_sim_unpin(t->sim, st.file, 2 * GT_PAGE, 2 * GT_PAGE) == 0);
	SAME("counted", st_convert(&st, st.file, 0, ST_SIZE, PRIVATE, &error_offset), -EAGAIN);
	SAME("not pinned", gmem_sim_unpin(t->sim, st.file, 3 * GT_PAGE, GT_PAGE), -EINVAL);
	MUST(gmem_sim_unpin(t->sim, st.file, 2 * GT_PAGE, GT_PAGE) == 0);
	SAME("free", st_convert(&st, st.file, 0, ST_SIZE, PRIVATE, NULL), 0);
	SAME("range", gmem_sim_pin(t->sim, st.file, ST_SIZE, GT_PAGE), -EINVAL);
	SAME("no file", gmem_sim_pin(t->sim, st.vm, 0, GT_PAGE), -EBADF);
	st_close(&st);
}

/* Every guest access goes to the file; a punch keeps the state and drops the content. */
static void guest_sees(struct gt *t)
{
	uint8_t *addr;
	struct st st;

	open_private(t, GT_SHARED_FLAGS, &st);
	addr = map(&st);
	ST_SCRIPT(&st, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = GT_PAGE, .value = 1},
		  {.op = GMEM_SIM_HALT},
		  {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = GT_PAGE, .value = 1},
		  {.op = GMEM_SIM_HALT}, {.op = GMEM_SIM_SUM, .addr = ST_GPA, .size = GT_PAGE});
	SAME("run", st_run(&st), 0);
	SAME("the file", *(uint64_t *)(void *)addr == gmem_sim_pattern(1, ST_GPA), true);
	SAME("not the backing", *(uint64_t *)(void *)st.backing, 0);
	SAME("convert", st_convert(&st, st.file, 0, GT_PAGE, PRIVATE, NULL), 0);
	SAME("run", st_run(&st), 0);
	SAME("content kept", st_info(&st).mismatches, 0);
	SAME("punch", gt_punch(t, st.file, 0, GT_PAGE), 0);
	SAME("still private", is_reachable(addr), false);
	SAME("run", st_run(&st), 0);
	SAME("zeros", st_info(&st).accumulator, 0);
	gt_unmap(t, addr, ST_SIZE);
	st_close(&st);
}

static const struct gt_test tests[] = {
	GT_TEST(capabilities),    GT_TEST(errors), GT_TEST(mappings_follow),
	GT_TEST(foreign_mapping), GT_TEST(pins),   GT_TEST(guest_sees),
};

GT_MAIN(tests)
