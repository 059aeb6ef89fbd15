/* SPDX-License-Identifier: MIT */
/* KVM_CREATE_GUEST_MEMFD. */
#include <signal.h>
#include <sys/resource.h>

#include "contract.h"

static int create_and_close(struct vm *vm, uint64_t size, uint64_t flags)
{
	int fd = gt_create_gmem(vm->t, vm->fd, size, flags);

	return fd < 0 ? fd : gt_close(vm->t, fd);
}

static void each_flag_of(struct vm *vm)
{
	uint64_t flag;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		flag = UINT64_C(1) << bit;
		EXPECT("4.1#2", create_and_close(vm, GT_PAGE, flag),
		       flag & vm->file_flags ? 0 : -EINVAL);
	}
	EXPECT("4.1", create_and_close(vm, GT_PAGE, vm->file_flags), 0);
	EXPECT("4.1#2", create_and_close(vm, GT_PAGE, UINT64_MAX), -EINVAL);
}

static void each_flag(struct gt *t)
{
	each_vm(t, each_flag_of);
}

static void sizes_of(struct vm *vm)
{
	static const struct {
		uint64_t size;
		int want;
	} sizes[] = {
		{0, -EINVAL},
		{GT_PAGE, 0},
		{3 * GT_PAGE, 0},
		{UINT64_C(1) << 40, 0},
		{UINT64_C(0x7ffffffffffff000), 0},
		{UINT64_C(1) << 63, -EINVAL},
		{UINT64_C(0xfffffffffffff000), -EINVAL},
		{UINT64_MAX, -EINVAL},
	};
	uint64_t size;
	size_t i;

	for (i = 0; i < GT_COUNT(sizes); i++)
		EXPECT("4.1#3", create_and_close(vm, sizes[i].size, 0), sizes[i].want);
	for (size = 1; size < GT_PAGE; size += 31)
		EXPECT("4.1#3", create_and_close(vm, size, 0), -EINVAL);
	EXPECT("4.1#3", create_and_close(vm, GT_PAGE + 1, 0), -EINVAL);
}

static void sizes(struct gt *t)
{
	each_vm(t, sizes_of);
}

static void bad_pointer_of(struct vm *vm)
{
	const struct gt *t = vm->t;

	EXPECT("4.1#1", gt_ioctl(t, vm->fd, GMI_KVM_CREATE_GUEST_MEMFD, NULL), -EFAULT);
	EXPECT("4.1#1", gt_ioctl(t, vm->fd, GMI_KVM_CREATE_GUEST_MEMFD, unmapped_address(t)),
	       -EFAULT);
}

static void bad_pointer(struct gt *t)
{
	each_vm(t, bad_pointer_of);
}

static void reserved_is_ignored_of(struct vm *vm)
{
	struct gmi_kvm_create_guest_memfd create = {.size = GT_PAGE};
	int fd;

	memset(create.reserved, 0xff, sizeof(create.reserved));
	fd = gt_ioctl(vm->t, vm->fd, GMI_KVM_CREATE_GUEST_MEMFD, &create);
	EXPECT("4.1", fd >= 0, true);
	if (fd >= 0)
		gt_close(vm->t, fd);
}

static void reserved_is_ignored(struct gt *t)
{
	each_vm(t, reserved_is_ignored_of);
}

static void no_descriptor_of(struct vm *vm)
{
	struct rlimit old, none;

	MUST(getrlimit(RLIMIT_NOFILE, &old) == 0);
	none = old;
	none.rlim_cur = 0;
	MUST(setrlimit(RLIMIT_NOFILE, &none) == 0);
	EXPECT("4.1#4", gt_create_gmem(vm->t, vm->fd, GT_PAGE, 0), -EMFILE);
	EXPECT("4.1#4 after #3", gt_create_gmem(vm->t, vm->fd, 1, 0), -EINVAL);
	EXPECT("4.1#4 after #2", gt_create_gmem(vm->t, vm->fd, GT_PAGE, 1 << 9), -EINVAL);
	MUST(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

static void no_descriptor(struct gt *t)
{
	each_vm(t, no_descriptor_of);
}

static void file_size_limit_of(struct vm *vm)
{
	struct rlimit old, page;

	signal(SIGXFSZ, SIG_IGN);
	MUST(getrlimit(RLIMIT_FSIZE, &old) == 0);
	page = old;
	page.rlim_cur = GT_PAGE;
	MUST(setrlimit(RLIMIT_FSIZE, &page) == 0);
	EXPECT("4.1", create_and_close(vm, 16 * GT_PAGE, 0), 0);
	MUST(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

static void file_size_limit(struct gt *t)
{
	each_vm(t, file_size_limit_of);
}

static void files_are_distinct_of(struct vm *vm)
{
	struct gmem_sys_stat a, b;
	int first = vm_file(vm, 1, 0), second = vm_file(vm, 5, 0);

	MUST(vm->t->ops->fstat(vm->t->user, first, &a) == 0);
	MUST(vm->t->ops->fstat(vm->t->user, second, &b) == 0);
	EXPECT("4.9 size", (int64_t)a.size, (int64_t)GT_PAGE);
	EXPECT("4.9 size", (int64_t)b.size, 5 * (int64_t)GT_PAGE);
	EXPECT("4.9 own ino", a.ino != b.ino, true);
	EXPECT("4.9 blksize", (int64_t)a.block_size, 4096);
	EXPECT("4.9 blocks", (int64_t)b.allocated, 0);
	EXPECT("4.9 mode", a.mode, 0100600);
	EXPECT("4.7#7", gt_allocate(vm->t, second, 0, 5 * GT_PAGE), 0);
	MUST(vm->t->ops->fstat(vm->t->user, second, &b) == 0);
	EXPECT("4.9 blocks always 0", (int64_t)b.allocated, 0);
	EXPECT("4.9 size", (int64_t)b.size, 5 * (int64_t)GT_PAGE);
	gt_close(vm->t, first);
	gt_close(vm->t, second);
}

static void files_are_distinct(struct gt *t)
{
	each_vm(t, files_are_distinct_of);
}

static const struct gt_test tests[] = {
	GT_TEST(each_flag),           GT_TEST(sizes),         GT_TEST(bad_pointer),
	GT_TEST(reserved_is_ignored), GT_TEST(no_descriptor), GT_TEST(file_size_limit),
	GT_TEST(files_are_distinct),
};

GT_MAIN(tests)
