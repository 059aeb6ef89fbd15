/* SPDX-License-Identifier: MIT */
/* A second VM on an inode, as RFC v2 of the link series has it. */
#include "st.h"

static int link_file(const struct gt *t, int vm, int fd, uint64_t flags)
{
	struct gmi_rfc_link_guest_memfd args = {.fd = (uint64_t)fd, .flags = flags};

	return gt_ioctl(t, vm, GMI_RFC_LINK2_LINK_GUEST_MEMFD, &args);
}

static void errors(struct gt *t)
{
	struct st a;
	int vm;

	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &a);
	vm = gt_create_vm(t, a.kvm, GMI_KVM_X86_SW_PROTECTED_VM);
	SAME("pointer", gt_ioctl(t, vm, GMI_RFC_LINK2_LINK_GUEST_MEMFD, NULL), -EFAULT);
	SAME("flags", link_file(t, vm, a.file, 1), -EINVAL);
	SAME("closed", link_file(t, vm, 999, 0), -EINVAL);
	SAME("not a file", link_file(t, vm, a.vm, 0), -EINVAL);
	SAME("same VM", link_file(t, a.vm, a.file, 0), -EINVAL);
	gt_close(t, vm);
	st_close(&a);
}

/* One inode, two files: the same pages, bindings of their own. */
static void same_memory(struct gt *t)
{
	struct gmem_sys_stat stat[2];
	struct st a, b;
	int linked;

	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &a);
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &b);
	linked = link_file(t, b.vm, a.file, 0);
	MUST(linked >= 0);
	MUST(t->ops->fstat(t->user, a.file, &stat[0]) == 0);
	MUST(t->ops->fstat(t->user, linked, &stat[1]) == 0);
	SAME("inode", stat[0].ino == stat[1].ino && stat[0].dev == stat[1].dev, true);
	SAME("size", stat[1].size, ST_SIZE);
	SAME("of the other VM", gt_bind(t, a.vm, 1, 0, GT_PAGE, NULL, linked, 0), -EINVAL);
	MUST(gt_delete_slot(t, b.vm, 0) == 0);
	MUST(gt_bind(t, b.vm, 0, ST_GPA, ST_SIZE, b.backing, linked, 0) == 0);
	MUST(gt_set_attributes(t, a.vm, ST_GPA, ST_SIZE, GT_PRIVATE) == 0);
	MUST(gt_set_attributes(t, b.vm, ST_GPA, ST_SIZE, GT_PRIVATE) == 0);
	ST_SCRIPT(&a, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = ST_SIZE, .value = 5});
	ST_SCRIPT(&b, {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = ST_SIZE, .value = 5},
		  {.op = GMEM_SIM_HALT},
		  {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = ST_SIZE, .value = 5});
	SAME("fill", st_run(&a), 0);
	SAME("check", st_run(&b), 0);
	SAME("same pages", st_info(&b).mismatches, 0);
	st_close(&a);
	SAME("outlives", st_run(&b), 0);
	SAME("outlives", st_info(&b).mismatches, 0);
	SAME("one inode", st_stats(t).inodes, 2);
	SAME("its owner is gone", st_stats(t).vms, 1);
	gt_close(t, linked);
	st_close(&b);
}

static void move_context(struct gt *t)
{
	const uint32_t cap = GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM;
	struct st a, b;
	int linked;

	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &a);
	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &b);
	MUST(gt_set_attributes(t, a.vm, ST_GPA, GT_PAGE, GT_PRIVATE) == 0);
	ST_SCRIPT(&a, {.op = GMEM_SIM_FILL, .addr = ST_GPA, .size = GT_PAGE, .value = 8});
	MUST(st_run(&a) == 0);
	SAME("not a VM", gt_enable_cap(t, b.vm, cap, (uint64_t)a.file), -EBADF);
	SAME("itself", gt_enable_cap(t, b.vm, cap, (uint64_t)b.vm), -EINVAL);
	SAME("another inode", gt_enable_cap(t, b.vm, cap, (uint64_t)a.vm), -EINVAL);
	linked = link_file(t, b.vm, a.file, 0);
	MUST(linked >= 0);
	MUST(gt_delete_slot(t, b.vm, 0) == 0);
	MUST(gt_bind(t, b.vm, 0, ST_GPA, ST_SIZE, b.backing, linked, 0) == 0);
	SAME("move", gt_enable_cap(t, b.vm, cap, (uint64_t)a.vm), 0);
	SAME("source is dead", gt_cap(t, a.vm, cap), -EIO);
	SAME("source is dead", st_run(&a), -EIO);
	ST_SCRIPT(&b, {.op = GMEM_SIM_CHECK, .addr = ST_GPA, .size = GT_PAGE, .value = 8});
	SAME("attributes came along", st_run(&b), 0);
	SAME("attributes came along", st_info(&b).mismatches, 0);
	gt_close(t, linked);
	st_close(&a);
	st_close(&b);
}

static const struct gt_test tests[] = {
	GT_TEST(errors),
	GT_TEST(same_memory),
	GT_TEST(move_context),
};

GT_MAIN(tests)
