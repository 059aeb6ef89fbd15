/* SPDX-License-Identifier: MIT */
/* mmap(), the signals that the mapping answers with, and madvise() on it. */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "contract.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* 6.13 */
#endif

#define FILE_PAGES 4
#define FILE_SIZE  (FILE_PAGES * GT_PAGE)
#define RW         (PROT_READ | PROT_WRITE)

static int map(const struct vm *vm, int fd, uint64_t size, int prot, int flags, void **ret_addr)
{
	return vm->t->ops->mmap(vm->t->user, NULL, size, prot, flags, fd, 0, ret_addr);
}

static int map_and_unmap(const struct vm *vm, int fd, uint64_t size, int prot, int flags)
{
	void *addr;
	int ret = map(vm, fd, size, prot, flags, &addr);

	return ret < 0 ? ret : gt_unmap(vm->t, addr, size);
}

static void without_flag_of(struct vm *vm)
{
	int file = vm_file(vm, FILE_PAGES, 0);

	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED), -ENODEV);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_PRIVATE), -ENODEV);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, PROT_NONE, MAP_SHARED), -ENODEV);
	gt_close(vm->t, file);
}

static void without_flag(struct gt *t)
{
	each_vm(t, without_flag_of);
}

static void with_flag(struct vm *vm, uint64_t flags)
{
	int file = vm_file(vm, FILE_PAGES, flags);

	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED), 0);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, PROT_READ, MAP_SHARED), 0);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, PROT_NONE, MAP_SHARED), 0);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED | MAP_POPULATE), 0);
	EXPECT("4.8", map_and_unmap(vm, file, 4 * FILE_SIZE, RW, MAP_SHARED), 0);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_PRIVATE), -EINVAL);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, PROT_READ, MAP_PRIVATE), -EINVAL);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED | MAP_HUGETLB), -EINVAL);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED_VALIDATE | MAP_SYNC),
	       -EOPNOTSUPP);
	EXPECT("4.8", map_and_unmap(vm, file, FILE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED),
	       -EPERM);
	gt_close(vm->t, file);
}

static int map_at(const struct vm *vm, int fd, uint64_t offset, uint64_t size)
{
	void *addr;
	int ret = vm->t->ops->mmap(vm->t->user, NULL, size, RW, MAP_SHARED, fd, offset, &addr);

	return ret < 0 ? ret : gt_unmap(vm->t, addr, size);
}

static void offsets_of(struct vm *vm)
{
	int file;

	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	file = vm_file(vm, FILE_PAGES, GMI_GUEST_MEMFD_FLAG_MMAP);
	EXPECT("4.8 offset", map_at(vm, file, GT_PAGE, GT_PAGE), 0);
	EXPECT("4.8 beyond the end", map_at(vm, file, 8 * FILE_SIZE, GT_PAGE), 0);
	EXPECT("VFS: unaligned", map_at(vm, file, 1, GT_PAGE), -EINVAL);
	EXPECT("VFS: empty", map_at(vm, file, 0, 0), -EINVAL);
	EXPECT("VFS: too far", map_at(vm, file, UINT64_C(0x7ffffffffffff000), 2 * GT_PAGE),
	       -EOVERFLOW);
	EXPECT("VFS: negative", map_at(vm, file, UINT64_C(1) << 63, GT_PAGE), -EOVERFLOW);
	gt_close(vm->t, file);
}

static void offsets(struct gt *t)
{
	each_vm(t, offsets_of);
}

static void with_flag_of(struct vm *vm)
{
	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	with_flag(vm, GMI_GUEST_MEMFD_FLAG_MMAP);
	if (vm->file_flags == GT_SHARED_FLAGS)
		with_flag(vm, GT_SHARED_FLAGS);
}

static void mapped(struct gt *t)
{
	each_vm(t, with_flag_of);
}

static void init_shared_alone_of(struct vm *vm)
{
	int file;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GMI_GUEST_MEMFD_FLAG_INIT_SHARED);
	EXPECT("5", map_and_unmap(vm, file, FILE_SIZE, RW, MAP_SHARED), -ENODEV);
	gt_close(vm->t, file);
}

static void init_shared_alone(struct gt *t)
{
	each_vm(t, init_shared_alone_of);
}

static void expect_bus_error(const uint8_t *addr, struct gt_touch touch, const char *row)
{
	EXPECT(row, touch.signal, SIGBUS);
	EXPECT(row, touch.code, BUS_ADRERR);
	EXPECT(row, (int64_t)(intptr_t)touch.addr, (int64_t)(intptr_t)addr);
}

/* Private memory answers the host with SIGBUS at the very address; allocated or not. */
static void private_memory_of(struct vm *vm)
{
	void *addr;
	uint8_t *memory;
	int file;

	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	file = vm_file(vm, FILE_PAGES, GMI_GUEST_MEMFD_FLAG_MMAP);
	MUST(gt_map(vm->t, file, 0, FILE_SIZE, &addr) == 0);
	memory = addr;
	expect_bus_error(memory, gt_touch_read(memory), "4.8 private");
	expect_bus_error(memory + 123, gt_touch_write(memory + 123, 1), "4.8 private");
	EXPECT("4.7", gt_allocate(vm->t, file, 0, FILE_SIZE), 0);
	expect_bus_error(memory + GT_PAGE, gt_touch_read(memory + GT_PAGE), "4.8 private");
	EXPECT("4.10", vm->t->ops->madvise(vm->t->user, addr, FILE_SIZE, MADV_POPULATE_READ),
	       -EFAULT);
	EXPECT("4.10", vm->t->ops->madvise(vm->t->user, addr, FILE_SIZE, MADV_POPULATE_WRITE),
	       -EFAULT);
	gt_unmap(vm->t, addr, FILE_SIZE);
	gt_close(vm->t, file);
}

static void private_memory(struct gt *t)
{
	each_vm(t, private_memory_of);
}

static void shared_memory_of(struct vm *vm)
{
	void *addr, *again;
	uint8_t *memory;
	int file;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GT_SHARED_FLAGS);
	MUST(map(vm, file, 2 * FILE_SIZE, RW, MAP_SHARED, &addr) == 0);
	MUST(map(vm, file, FILE_SIZE, PROT_READ, MAP_SHARED, &again) == 0);
	memory = addr;
	EXPECT("5", gt_touch_read(memory).signal, 0);
	EXPECT("5", gt_touch_read(memory).value, 0);
	EXPECT("5", gt_touch_write(memory + FILE_SIZE - 1, 0x77).signal, 0);
	EXPECT("5", gt_touch_read((uint8_t *)again + FILE_SIZE - 1).value, 0x77);
	expect_bus_error(memory + FILE_SIZE, gt_touch_read(memory + FILE_SIZE), "4.8 past the end");
	expect_bus_error(memory + FILE_SIZE, gt_touch_write(memory + FILE_SIZE, 1),
			 "4.8 past the end");
	EXPECT("4.8", gt_touch_write(again, 1).signal, SIGSEGV);
	EXPECT("4.8", gt_touch_write(again, 1).code, SEGV_ACCERR);
	gt_unmap(vm->t, again, FILE_SIZE);
	gt_unmap(vm->t, addr, 2 * FILE_SIZE);
	gt_close(vm->t, file);
}

static void shared_memory(struct gt *t)
{
	each_vm(t, shared_memory_of);
}

/* The mapping outlives the descriptor, and so does what is in it. */
static void mapping_without_fd_of(struct vm *vm)
{
	void *addr;
	int file;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GT_SHARED_FLAGS);
	MUST(gt_map(vm->t, file, 0, FILE_SIZE, &addr) == 0);
	memset(addr, 0x42, FILE_SIZE);
	EXPECT("9", gt_close(vm->t, file), 0);
	EXPECT("9", gt_touch_read((uint8_t *)addr + GT_PAGE).value, 0x42);
	gt_unmap(vm->t, addr, FILE_SIZE);
}

static void mapping_without_fd(struct gt *t)
{
	each_vm(t, mapping_without_fd_of);
}

/* Advice that is taken or refused, and whether the data is still there. */
static const struct {
	const char *name;
	int advice;
	int want;
	uint8_t data;
} advice[] = {
	{"DONTNEED", MADV_DONTNEED, 0, 0x33},
	{"POPULATE_READ", MADV_POPULATE_READ, 0, 0x33},
	{"POPULATE_WRITE", MADV_POPULATE_WRITE, 0, 0x33},
	{"FREE", MADV_FREE, -EINVAL, 0x33},
	{"COLD", MADV_COLD, 0, 0x33},
	{"PAGEOUT", MADV_PAGEOUT, 0, 0x33},
	{"WILLNEED", MADV_WILLNEED, 0, 0x33},
	{"DONTFORK", MADV_DONTFORK, 0, 0x33},
	{"REMOVE", MADV_REMOVE, 0, 0},
	{"no such advice", 99, -EINVAL, 0x33},
};

static void madvise_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	void *addr;
	uint8_t *memory;
	size_t i;
	int file;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GT_SHARED_FLAGS);
	MUST(map(vm, file, 2 * FILE_SIZE, RW, MAP_SHARED, &addr) == 0);
	memory = addr;
	for (i = 0; i < GT_COUNT(advice); i++) {
		memset(memory, 0x33, FILE_SIZE);
		EXPECT_CASE("4.10", advice[i].name,
			    t->ops->madvise(t->user, addr, FILE_SIZE, advice[i].advice),
			    advice[i].want);
		EXPECT_CASE("4.10 data", advice[i].name, memory[GT_PAGE], advice[i].data);
	}
	EXPECT("4.10 past the end",
	       t->ops->madvise(t->user, memory, 2 * FILE_SIZE, MADV_POPULATE_READ), -EFAULT);
	EXPECT("4.10 past the end",
	       t->ops->madvise(t->user, memory, 2 * FILE_SIZE, MADV_POPULATE_WRITE), -EFAULT);
	EXPECT("VFS: unaligned", t->ops->madvise(t->user, memory + 1, GT_PAGE, MADV_REMOVE),
	       -EINVAL);
	gt_unmap(t, addr, 2 * FILE_SIZE);
	gt_close(t, file);
}

static void madvise_shared(struct gt *t)
{
	each_vm(t, madvise_of);
}

/* Guards and huge pages are advice about page tables, which only a real kernel has. */
static void madvise_real_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	void *addr;
	int file, ret;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GT_SHARED_FLAGS);
	MUST(gt_map(t, file, 0, FILE_SIZE, &addr) == 0);
	ret = t->ops->madvise(t->user, addr, FILE_SIZE, MADV_HUGEPAGE);
	EXPECT("4.10 HUGEPAGE", ret == 0 || ret == -EINVAL, true);
	EXPECT("4.10 GUARD_INSTALL", t->ops->madvise(t->user, addr, GT_PAGE, MADV_GUARD_INSTALL),
	       0);
	EXPECT("4.10 guarded", gt_touch_read(addr).signal, SIGSEGV);
	EXPECT("4.10 mlock", mlock((uint8_t *)addr + GT_PAGE, GT_PAGE) ? -errno : 0, 0);
	EXPECT("4.8 mprotect", mprotect(addr, FILE_SIZE, PROT_READ | PROT_EXEC) ? -errno : 0,
	       -EACCES);
	gt_unmap(t, addr, FILE_SIZE);
	gt_close(t, file);
}

static void madvise_real(struct gt *t)
{
	REQUIRE(!t->profile, "advice about page tables: only of a real kernel");
	each_vm(t, madvise_real_of);
}

/* A system call that is handed private memory fails as one that is handed none. */
static void buffers_of(struct vm *vm)
{
	int pipe_fds[2], file;
	void *addr;

	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	MUST(pipe(pipe_fds) == 0);
	file = vm_file(vm, FILE_PAGES, GMI_GUEST_MEMFD_FLAG_MMAP);
	MUST(gt_map(vm->t, file, 0, FILE_SIZE, &addr) == 0);
	EXPECT("4.8 buffer", write(pipe_fds[1], addr, 1) < 0 ? -errno : 0, -EFAULT);
	EXPECT("4.8 buffer", write(pipe_fds[1], "x", 1), 1);
	EXPECT("4.8 buffer", read(pipe_fds[0], addr, 1) < 0 ? -errno : 0, -EFAULT);
	gt_unmap(vm->t, addr, FILE_SIZE);
	gt_close(vm->t, file);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void buffers(struct gt *t)
{
	each_vm(t, buffers_of);
}

static const struct gt_test tests[] = {
	GT_TEST(without_flag),
	GT_TEST(mapped),
	GT_TEST(offsets),
	GT_TEST(init_shared_alone),
	GT_TEST(private_memory),
	GT_TEST(shared_memory),
	GT_TEST(mapping_without_fd),
	GT_TEST(madvise_shared),
	GT_TEST(madvise_real),
	GT_TEST(buffers),
};

GT_MAIN(tests)
