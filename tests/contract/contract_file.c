/* SPDX-License-Identifier: MIT */
/* Everything else that can be asked of the descriptor. Most of it only a real kernel answers. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "contract.h"

/* A libc call's result as the kernel gave it. */
#define RAW(call) ((int64_t)(call) < 0 ? -(int64_t)errno : 0)

static void real_only(struct gt *t)
{
	REQUIRE(!t->profile, "the simulator's descriptors answer this as a memfd does");
}

static void io_of(struct vm *vm)
{
	int file = vm_file(vm, 4, vm->file_flags);
	int pipe_fds[2];
	char byte = 0;
	struct iovec vector = {&byte, 1};

	MUST(pipe(pipe_fds) == 0);
	EXPECT("4.9", RAW(read(file, &byte, 1)), -EINVAL);
	EXPECT("4.9", RAW(write(file, &byte, 1)), -EINVAL);
	EXPECT("4.9", RAW(readv(file, &vector, 1)), -EINVAL);
	EXPECT("4.9", RAW(pread(file, &byte, 1, 0)), -ESPIPE);
	EXPECT("4.9", RAW(pwrite(file, &byte, 1, 0)), -ESPIPE);
	EXPECT("4.9", RAW(lseek(file, 0, SEEK_SET)), -ESPIPE);
	EXPECT("4.9", RAW(sendfile(pipe_fds[1], file, &(off_t){0}, 1)), -ESPIPE);
	EXPECT("4.9", RAW(splice(file, NULL, pipe_fds[1], NULL, 1, 0)), -EINVAL);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	gt_close(vm->t, file);
}

static void io(struct gt *t)
{
	real_only(t);
	each_vm(t, io_of);
}

static void attributes_of(struct vm *vm)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};
	int file = vm_file(vm, 4, vm->file_flags);
	char value[8];

	EXPECT("4.9", RAW(ftruncate(file, 8192)), -EINVAL);
	EXPECT("4.9", RAW(ftruncate(file, 0)), -EINVAL);
	EXPECT("4.9", RAW(fchmod(file, 0644)), -EINVAL);
	EXPECT("4.9", RAW(fchown(file, 1, 1)), -EINVAL);
	EXPECT("4.9", RAW(futimens(file, times)), -EINVAL);
	EXPECT("4.9", RAW(fsync(file)), -EINVAL);
	EXPECT("4.9", RAW(fdatasync(file)), -EINVAL);
	EXPECT("4.9", RAW(sync_file_range(file, 0, 4096, SYNC_FILE_RANGE_WRITE)), 0);
	EXPECT("4.9", -(int64_t)posix_fadvise(file, 0, 4096, POSIX_FADV_DONTNEED), 0);
	EXPECT("4.9", RAW(readahead(file, 0, 4096)), -EINVAL);
	EXPECT("4.9", RAW(fgetxattr(file, "user.x", value, sizeof(value))), -EOPNOTSUPP);
	EXPECT("4.9", RAW(fsetxattr(file, "user.x", value, 1, 0)), -EOPNOTSUPP);
	EXPECT("4.9", RAW(flistxattr(file, value, sizeof(value))), 0);
	EXPECT("the seam", vm->t->ops->ftruncate(vm->t->user, file, 0), -EINVAL);
	gt_close(vm->t, file);
}

static void attributes(struct gt *t)
{
	real_only(t);
	each_vm(t, attributes_of);
}

static void control_of(struct vm *vm)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	int file = vm_file(vm, 4, vm->file_flags);
	struct pollfd poll_fd = {.fd = file, .events = POLLIN | POLLOUT};
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC), bytes;

	MUST(epoll >= 0);
	EXPECT("4.9", RAW(fcntl(file, F_GET_SEALS)), -EINVAL);
	EXPECT("4.9", RAW(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)), -EINVAL);
	EXPECT("4.9", RAW(fcntl(file, F_SETLK, &lock)), 0);
	EXPECT("4.9", RAW(fcntl(file, F_SETFL, O_NONBLOCK)), 0);
	EXPECT("4.9", RAW(fcntl(file, F_SETFL, O_DIRECT)), -EINVAL);
	EXPECT("4.9", fcntl(file, F_GETFL) & (O_ACCMODE | O_LARGEFILE | 0x8000), 0x8002);
	EXPECT("4.9", poll(&poll_fd, 1, 0), 1);
	EXPECT("4.9", RAW(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event)), -EPERM);
	EXPECT("4.9", RAW(ioctl(file, FIONREAD, &bytes)), -ENOTTY);
	close(epoll);
	gt_close(vm->t, file);
}

static void control(struct gt *t)
{
	real_only(t);
	each_vm(t, control_of);
}

static void name_of(struct vm *vm)
{
	int file = vm_file(vm, 4, vm->file_flags), again;
	char path[64], target[64] = "";
	struct statfs fs;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	MUST(fstatfs(file, &fs) == 0 && readlink(path, target, sizeof(target) - 1) > 0);
	if (fs.f_type == GMI_GUEST_MEMFD_MAGIC)
		EXPECT("4.9", strcmp(target, "/[kvm-gmem] (deleted)"), 0);
	else
		EXPECT("4.9", strcmp(target, "anon_inode:[kvm-gmem]"), 0);
	EXPECT("12", vm->traits.generation >= GEN_7_2 && fs.f_type != GMI_GUEST_MEMFD_MAGIC, false);
	EXPECT("4.9", RAW(open(path, O_RDWR | O_CLOEXEC)), -ENXIO);
	EXPECT("4.9", RAW(open(path, O_RDONLY | O_CLOEXEC)), -ENXIO);
	again = open(path, O_PATH | O_CLOEXEC);
	EXPECT("4.9", again >= 0, true);
	EXPECT("4.9", RAW(linkat(file, "", AT_FDCWD, "/tmp/gmem-contract-link", AT_EMPTY_PATH)),
	       -EXDEV);
	MUST(fstat(file, &st) == 0);
	EXPECT("4.9", st.st_nlink == 1, true);
	EXPECT("4.9", st.st_uid, 0);
	EXPECT("4.9", st.st_gid, 0);
	close(again);
	gt_close(vm->t, file);
}

static void name(struct gt *t)
{
	real_only(t);
	each_vm(t, name_of);
}

/* A duplicate is the same file: what one frees is free for the other. */
static void duplicate_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gmem_sys_stat a, b;
	int file = vm_file(vm, 4, vm->file_flags);
	int copy = t->ops->dup(t->user, file);

	MUST(copy >= 0);
	EXPECT("the seam", fcntl(copy, F_GETFD), FD_CLOEXEC);
	MUST(t->ops->fstat(t->user, file, &a) == 0 && t->ops->fstat(t->user, copy, &b) == 0);
	EXPECT("4.9 dup", a.ino == b.ino && a.dev == b.dev, true);
	EXPECT("4.9 dup", gt_allocate(t, copy, 0, 4 * GT_PAGE), 0);
	gt_close(t, file);
	EXPECT("4.9 dup", gt_punch(t, copy, 0, GT_PAGE), 0);
	EXPECT("4.9 dup", gt_ioctl(t, copy, GMI_KVM_CREATE_GUEST_MEMFD, NULL), -ENOTTY);
	if (vm->has_gmem_slots)
		EXPECT("4.9 dup", gt_bind(t, vm->fd, 0, TEST_GPA, GT_PAGE, NULL, copy, 0), 0);
	gt_close(t, copy);
}

static void duplicate(struct gt *t)
{
	each_vm(t, duplicate_of);
}

/* mbind() places a file's pages by offset since 6.19; nodes that do not exist are refused. */
static void placement_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	const uint64_t node0 = 1, none = 0, offline = UINT64_C(1) << 63;
	void *addr;
	int file, mode = -1;

	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	file = vm_file(vm, 4, GMI_GUEST_MEMFD_FLAG_MMAP);
	MUST(gt_map(t, file, 0, 4 * GT_PAGE, &addr) == 0);
	EXPECT("5 BIND", t->ops->mbind(t->user, addr, 4 * GT_PAGE, 2, &node0, 65, 0), 0);
	EXPECT("5 INTERLEAVE", t->ops->mbind(t->user, addr, 4 * GT_PAGE, 3, &node0, 65, 0), 0);
	EXPECT("5", t->ops->get_mempolicy(t->user, &mode, NULL, 0, addr, 2), 0);
	EXPECT("5", mode, 3);
	EXPECT("5 DEFAULT", t->ops->mbind(t->user, addr, 4 * GT_PAGE, 0, NULL, 0, 0), 0);
	EXPECT("5 bad mode", t->ops->mbind(t->user, addr, GT_PAGE, 999, &node0, 65, 0), -EINVAL);
	EXPECT("5 empty", t->ops->mbind(t->user, addr, GT_PAGE, 2, &none, 65, 0), -EINVAL);
	EXPECT("5 offline", t->ops->mbind(t->user, addr, GT_PAGE, 2, &offline, 65, 0), -EINVAL);
	EXPECT("5 unaligned",
	       t->ops->mbind(t->user, (uint8_t *)addr + 1, GT_PAGE, 2, &node0, 65, 0), -EINVAL);
	gt_unmap(t, addr, 4 * GT_PAGE);
	gt_close(t, file);
}

static void placement(struct gt *t)
{
	each_vm(t, placement_of);
}

static const struct gt_test tests[] = {
	GT_TEST(io),   GT_TEST(attributes), GT_TEST(control),
	GT_TEST(name), GT_TEST(duplicate),  GT_TEST(placement),
};

GT_MAIN(tests)
