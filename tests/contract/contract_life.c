/* SPDX-License-Identifier: MIT */
/* Who keeps whom alive: files, mappings, slots, VMs, processes. */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

#define FILE_PAGES 4
#define FILE_SIZE  (FILE_PAGES * GT_PAGE)
#define SLOT       0

/* A VM that is closed while its file is kept. */
static void file_outlives_vm_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	int first, second, file;
	void *addr;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	first = gt_create_vm(t, vm->kvm, vm->type);
	MUST(first >= 0);
	file = gt_create_gmem(t, first, FILE_SIZE, vm->file_flags);
	MUST(file >= 0 && gt_bind(t, first, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0) == 0);
	gt_close(t, first);
	EXPECT("9", gt_allocate(t, file, 0, FILE_SIZE), 0);
	EXPECT("9", gt_punch(t, file, 0, GT_PAGE), 0);
	EXPECT("9 no other VM's", gt_bind(t, vm->fd, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0),
	       -EINVAL);
	second = gt_create_vm(t, vm->kvm, vm->type);
	MUST(second >= 0);
	EXPECT("9 no new VM's", gt_bind(t, second, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0),
	       -EINVAL);
	gt_close(t, second);
	if (vm->file_flags & GMI_GUEST_MEMFD_FLAG_MMAP) {
		EXPECT("9", gt_map(t, file, 0, FILE_SIZE, &addr), 0);
		gt_unmap(t, addr, FILE_SIZE);
	}
	gt_close(t, file);
}

static void file_outlives_vm(struct gt *t)
{
	each_vm(t, file_outlives_vm_of);
}

/* The guest runs on while a mapping holds the file. */
static void mapping_holds_file(struct gt *t)
{
	struct gt_guest *guest;
	struct gt_exit exit;
	struct vm vm;
	void *addr;
	int file;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	file = vm_file(&vm, FILE_PAGES, GT_SHARED_FLAGS);
	guest = gt_guest_create(t, vm.fd);
	MUST(gt_map(t, file, 0, FILE_SIZE, &addr) == 0);
	MUST(gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, addr, file, 0) == 0);
	gt_close(t, file);
	exit = gt_guest_write(guest, TEST_GPA, 0x17);
	EXPECT("9 fd closed, mapping alive", gt_exit_is_done(&exit), true);
	EXPECT("9 fd closed, mapping alive", *(uint8_t *)addr, 0x17);
	gt_unmap(t, addr, FILE_SIZE);
	if (vm_runs_natively(&vm)) {
		exit = gt_guest_read(guest, TEST_GPA);
		EXPECT("9 both gone", exit.ret, -EFAULT);
		EXPECT("9 both gone", exit.reason, GMI_KVM_EXIT_MEMORY_FAULT);
	}
	EXPECT("9 the slot stays", gt_delete_slot(t, vm.fd, SLOT), 0);
	EXPECT("9 and can go", gt_delete_slot(t, vm.fd, SLOT), -EINVAL);
	gt_guest_destroy(guest);
	vm_close(&vm);
}

/* The vCPU goes on where the VM's descriptor is closed. */
static void vcpu_outlives_vm_fd_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	int first = gt_create_vm(t, vm->kvm, vm->type);
	struct gt_guest *guest;
	struct gt_exit exit;

	MUST(first >= 0);
	guest = gt_guest_create(t, first);
	gt_close(t, first);
	exit = gt_guest_out(guest, 0x80, 7);
	EXPECT("9", exit.reason, GMI_KVM_EXIT_IO);
	EXPECT("9", exit.io_byte, 7);
	gt_guest_destroy(guest);
}

static void vcpu_outlives_vm_fd(struct gt *t)
{
	each_vm(t, vcpu_outlives_vm_fd_of);
}

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec vector = {.iov_base = (char[]){0}, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	MUST(sendmsg(socket, &message, 0) == 1);
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec vector = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	int fd = -1;

	MUST(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* Until its VM goes: its number stays taken. */
static void vcpu_stays_of(struct vm *vm)
{
	int vcpu = gt_create_vcpu(vm->t, vm->fd);

	MUST(vcpu >= 0);
	gt_close(vm->t, vcpu);
	EXPECT("9 a closed vCPU stays", gt_create_vcpu(vm->t, vm->fd), -EEXIST);
}

static void vcpu_stays(struct gt *t)
{
	each_vm(t, vcpu_stays_of);
}

/* A descriptor that came over a socket is the same file. */
static void passed_over_socket_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gmem_sys_stat a, b;
	int pair[2], file = vm_file(vm, FILE_PAGES, vm->file_flags), copy;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	MUST(t->ops->fstat(t->user, file, &a) == 0);
	send_fd(pair[0], file);
	gt_close(t, file);
	copy = receive_fd(pair[1]);
	MUST(copy >= 0);
	EXPECT("9", t->ops->fstat(t->user, copy, &b), 0);
	EXPECT("9 same inode", a.ino == b.ino && a.dev == b.dev, true);
	EXPECT("9", gt_allocate(t, copy, 0, FILE_SIZE), 0);
	EXPECT("9", gt_punch(t, copy, 0, FILE_SIZE), 0);
	EXPECT("9", gt_ioctl(t, copy, GMI_KVM_CREATE_GUEST_MEMFD, NULL), -ENOTTY);
	if (vm->has_gmem_slots)
		EXPECT("9", gt_bind(t, vm->fd, SLOT, TEST_GPA, FILE_SIZE, NULL, copy, 0), 0);
	gt_close(t, copy);
	close(pair[0]);
	close(pair[1]);
}

static void passed_over_socket(struct gt *t)
{
	each_vm(t, passed_over_socket_of);
}

/* The owner dies; who has the descriptor has the memory, but no VM that could bind it. */
static void owner_dies(struct gt *t)
{
	int pair[2], kvm, vm, file;
	void *addr;
	pid_t pid;

	REQUIRE(!t->profile, "a model in one process ends with it");
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	kvm = gt_open_kvm(t);
	MUST(kvm >= 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		vm = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);
		file = gt_create_gmem(t, vm, FILE_SIZE, GT_SHARED_FLAGS);
		if (file < 0 || gt_map(t, file, 0, FILE_SIZE, &addr) < 0)
			_exit(1);
		memset(addr, 0x3c, FILE_SIZE);
		send_fd(pair[0], file);
		_exit(0);
	}
	close(pair[0]);
	file = receive_fd(pair[1]);
	MUST(pid > 0 && waitpid(pid, NULL, 0) == pid && file >= 0);
	EXPECT("9", gt_map(t, file, 0, FILE_SIZE, &addr), 0);
	EXPECT("9", ((uint8_t *)addr)[GT_PAGE], 0x3c);
	vm = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);
	EXPECT("9", gt_bind(t, vm, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0), -EINVAL);
	EXPECT("9", gt_set_region(t, vm, SLOT, 0, TEST_GPA, FILE_SIZE, addr), 0);
	gt_unmap(t, addr, FILE_SIZE);
	gt_close(t, file);
	gt_close(t, vm);
	gt_close(t, kvm);
	close(pair[1]);
}

static const struct gt_test tests[] = {
	GT_TEST(file_outlives_vm), GT_TEST(mapping_holds_file), GT_TEST(vcpu_outlives_vm_fd),
	GT_TEST(vcpu_stays),       GT_TEST(passed_over_socket), GT_TEST(owner_dies),
};

GT_MAIN(tests)
