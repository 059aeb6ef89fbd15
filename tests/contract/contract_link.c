/* SPDX-License-Identifier: MIT */
/* KVM_LINK_GUEST_MEMFD and the move of a memory context, where a kernel has the unmerged series. */
#include <fcntl.h>

#include "contract.h"
#include "uapi_rfc.h"

/*
 * Rows "L" are those of RFC v2, cover.1747368092.git.afranji@google.com, patches 4 and 11, as
 * tests/vm/patches has them.
 */

#define PAGES 4
#define SIZE  (PAGES * GT_PAGE)
#define SLOT  0
#define MOVE  GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM

/* @vm's file, and another VM of the same type. */
struct pair {
	struct vm *vm;
	int file;
	int other;
};

static int link_raw(const struct gt *t, int vm, uint64_t fd, uint64_t flags)
{
	struct gmi_rfc_link_guest_memfd args = {.fd = fd, .flags = flags};

	return gt_ioctl(t, vm, GMI_RFC_LINK2_LINK_GUEST_MEMFD, &args);
}

static bool pair_open(struct vm *vm, struct pair *ret_pair)
{
	const struct gt *t = vm->t;

	*ret_pair = (struct pair){.vm = vm, .file = -1, .other = -1};
	if (!vm->has_gmem_slots)
		return false;
	ret_pair->other = gt_create_vm(t, vm->kvm, vm->type);
	MUST(ret_pair->other >= 0);
	if (link_raw(t, ret_pair->other, (uint64_t)-1, UINT64_C(1) << 63) == -ENOTTY) {
		gt_close(t, ret_pair->other);
		return false;
	}
	ret_pair->file = vm_file(vm, PAGES, vm->file_flags);
	return true;
}

static void pair_close(const struct pair *pair)
{
	gt_close(pair->vm->t, pair->file);
	gt_close(pair->vm->t, pair->other);
}

#define PAIR_REQUIRE(vm, pair)                                                                     \
	VM_REQUIRE(vm, pair_open(vm, &pair), "the kernel does not know KVM_LINK_GUEST_MEMFD")

static void errors_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct pair pair;
	int own, again, null;

	PAIR_REQUIRE(vm, pair);
	null = t->ops->open(t->user, "/dev/null", O_RDWR);
	EXPECT("L pointer", gt_ioctl(t, pair.other, GMI_RFC_LINK2_LINK_GUEST_MEMFD, NULL), -EFAULT);
	for (int bit = 0; bit < 64; bit++)
		EXPECT("L flags", link_raw(t, pair.other, (uint64_t)pair.file, UINT64_C(1) << bit),
		       -EINVAL);
	EXPECT("L no fd", link_raw(t, pair.other, (uint64_t)-1, 0), -EINVAL);
	EXPECT("L closed", link_raw(t, pair.other, 1000, 0), -EINVAL);
	EXPECT("L another file", link_raw(t, pair.other, (uint64_t)null, 0), -EINVAL);
	EXPECT("L a VM", link_raw(t, pair.other, (uint64_t)vm->fd, 0), -EINVAL);
	EXPECT("L its own", link_raw(t, vm->fd, (uint64_t)pair.file, 0), -EINVAL);
	EXPECT("L on a file", link_raw(t, pair.file, 0, 0), -ENOTTY);
	own = link_raw(t, pair.other, (uint64_t)pair.file, 0);
	EXPECT("L done", own >= 0, true);
	EXPECT("L the link's own", link_raw(t, pair.other, (uint64_t)own, 0), -EINVAL);
	again = link_raw(t, vm->fd, (uint64_t)own, 0);
	EXPECT("L back: only the file that is given is looked at", again >= 0, true);
	gt_close(t, again);
	gt_close(t, own);
	gt_close(t, null);
	pair_close(&pair);
}

static void errors(struct gt *t)
{
	each_vm(t, errors_of);
}

/* Another number, the same inode, and memslots of its own VM alone. */
static void linked_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gmem_sys_stat a, b;
	struct pair pair;
	int linked;

	PAIR_REQUIRE(vm, pair);
	linked = link_raw(t, pair.other, (uint64_t)pair.file, 0);
	MUST(linked >= 0);
	MUST(t->ops->fstat(t->user, pair.file, &a) == 0 && t->ops->fstat(t->user, linked, &b) == 0);
	EXPECT("L number", linked == pair.file, false);
	EXPECT("L inode", a.dev == b.dev && a.ino == b.ino, true);
	EXPECT("L size", (int64_t)b.size, (int64_t)SIZE);
	EXPECT("L close-on-exec", fcntl(linked, F_GETFD), 0);
	EXPECT("L not the first VM's", gt_bind(t, vm->fd, SLOT, TEST_GPA, SIZE, NULL, linked, 0),
	       -EINVAL);
	EXPECT("L its VM's", gt_bind(t, pair.other, SLOT, TEST_GPA, SIZE, NULL, linked, 0), 0);
	EXPECT("L the first's file stays",
	       gt_bind(t, vm->fd, SLOT, TEST_GPA, SIZE, NULL, pair.file, 0), 0);
	MUST(gt_delete_slot(t, vm->fd, SLOT) == 0);
	gt_close(t, pair.file);
	EXPECT("L memory outlives the first file", gt_allocate(t, linked, 0, SIZE), 0);
	EXPECT("L and goes by the second", gt_punch(t, linked, 0, SIZE), 0);
	gt_close(t, linked);
	gt_close(t, pair.other);
}

static void linked(struct gt *t)
{
	each_vm(t, linked_of);
}

/* What one guest wrote to private memory the other reads. */
static void same_bytes_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gt_guest *first, *second;
	struct gt_exit exit;
	struct pair pair;
	int linked;

	VM_REQUIRE(vm, vm->has_private && !vm->traits.in_place, "no private memory per VM");
	PAIR_REQUIRE(vm, pair);
	gt_close(t, pair.file);
	pair.file = vm_file(vm, PAGES, 0);
	linked = link_raw(t, pair.other, (uint64_t)pair.file, 0);
	MUST(linked >= 0);
	MUST(gt_bind(t, vm->fd, SLOT, TEST_GPA, SIZE, NULL, pair.file, 0) == 0);
	MUST(gt_bind(t, pair.other, SLOT, TEST_GPA, SIZE, NULL, linked, 0) == 0);
	MUST(gt_set_attributes(t, vm->fd, TEST_GPA, SIZE, GT_PRIVATE) == 0);
	first = gt_guest_create(t, vm->fd);
	second = gt_guest_create(t, pair.other);
	exit = gt_guest_write(first, TEST_GPA + 9, 0x42);
	EXPECT("L write", gt_exit_is_done(&exit), true);
	exit = gt_guest_read(second, TEST_GPA + 9);
	EXPECT("L attributes are the first VM's", gt_exit_is_done(&exit), false);
	EXPECT("L move", gt_enable_cap(t, pair.other, MOVE, (uint64_t)vm->fd), 0);
	exit = gt_guest_read(second, TEST_GPA + 9);
	EXPECT("L now they came along", gt_exit_is_done(&exit), true);
	EXPECT("L byte", (int64_t)exit.value, 0x42);
	EXPECT("L the source is dead", gt_cap(t, vm->fd, MOVE), -EIO);
	EXPECT("L once", gt_enable_cap(t, pair.other, MOVE, (uint64_t)vm->fd), -EIO);
	gt_guest_destroy(first);
	gt_guest_destroy(second);
	gt_close(t, linked);
	pair_close(&pair);
}

static void same_bytes(struct gt *t)
{
	each_vm(t, same_bytes_of);
}

static void moves_refused_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct pair pair;
	int linked;

	VM_REQUIRE(vm, vm->has_private, "no private memory");
	PAIR_REQUIRE(vm, pair);
	linked = link_raw(t, pair.other, (uint64_t)pair.file, 0);
	MUST(linked >= 0);
	EXPECT("L no VM", gt_enable_cap(t, pair.other, MOVE, (uint64_t)pair.file), -EBADF);
	EXPECT("L closed", gt_enable_cap(t, pair.other, MOVE, 1000), -EBADF);
	EXPECT("L itself", gt_enable_cap(t, pair.other, MOVE, (uint64_t)pair.other), -EINVAL);
	MUST(gt_bind(t, vm->fd, SLOT, TEST_GPA, SIZE, NULL, pair.file, 0) == 0);
	EXPECT("L nothing there", gt_enable_cap(t, pair.other, MOVE, (uint64_t)vm->fd), -EINVAL);
	MUST(gt_bind(t, pair.other, SLOT, TEST_GPA, 2 * GT_PAGE, NULL, linked, 0) == 0);
	EXPECT("L size", gt_enable_cap(t, pair.other, MOVE, (uint64_t)vm->fd), -EINVAL);
	MUST(gt_delete_slot(t, pair.other, SLOT) == 0);
	MUST(gt_bind(t, pair.other, SLOT + 5, TEST_GPA, SIZE, NULL, linked, 0) == 0);
	EXPECT("L another id is alike", gt_enable_cap(t, pair.other, MOVE, (uint64_t)vm->fd), 0);
	gt_close(t, linked);
	pair_close(&pair);
}

static void moves_refused(struct gt *t)
{
	each_vm(t, moves_refused_of);
}

static const struct gt_test tests[] = {
	GT_TEST(errors),
	GT_TEST(linked),
	GT_TEST(same_bytes),
	GT_TEST(moves_refused),
};

GT_MAIN(tests)
