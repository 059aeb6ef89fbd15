/* SPDX-License-Identifier: MIT */
/* When simulated objects die: by raw dup() and close(), mappings, SCM_RIGHTS and fork(). */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "st.h"

#define FLAGS GT_SHARED_FLAGS

static void expect_alive(const struct gt *t, const char *row, uint64_t vms, uint64_t files)
{
	struct gmem_sim_stats stats = st_stats(t);

	EXPECT_CASE(row, "VMs", (int64_t)stats.vms, (int64_t)vms);
	EXPECT_CASE(row, "files", (int64_t)stats.files, (int64_t)files);
	EXPECT_CASE(row, "inodes", (int64_t)stats.inodes, (int64_t)files);
	EXPECT_CASE(row, "descriptors", (int64_t)stats.fds, (int64_t)(files + 1));
}

static int make_file(const struct gt *t, int vm)
{
	int file = gt_create_gmem(t, vm, ST_SIZE, FLAGS);

	MUST(file >= 0);
	return file;
}

static int make_vm(const struct gt *t)
{
	int kvm = gt_open_kvm(t);
	int vm = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);

	MUST(vm >= 0);
	gt_close(t, kvm);
	return vm;
}

/* The model sees none of these dup() and close(). */
static void raw_dup(struct gt *t)
{
	int vm = make_vm(t), file = make_file(t, vm), copy = dup(file);

	close(vm);
	expect_alive(t, "the file pins its VM", 1, 1);
	close(file);
	expect_alive(t, "a copy is as good", 1, 1);
	SAME("works", gt_allocate(t, copy, 0, GT_PAGE), 0);
	close(copy);
	expect_alive(t, "all gone", 0, 0);
}

static void vcpu_pins(struct gt *t)
{
	int vm = make_vm(t), vcpu = gt_create_vcpu(t, vm);

	MUST(vcpu >= 0);
	close(vm);
	expect_alive(t, "the vCPU pins its VM", 1, 0);
	close(vcpu);
	expect_alive(t, "all gone", 0, 0);
}

static void mapping_pins(struct gt *t)
{
	int vm = make_vm(t), file = make_file(t, vm);
	void *addr;

	MUST(gt_map(t, file, 0, ST_SIZE, &addr) == 0);
	SAME("mappings", st_stats(t).mappings, 1);
	gt_close(t, file);
	gt_close(t, vm);
	expect_alive(t, "the mapping pins file and VM", 1, 1);
	*(char *)addr = 1;
	SAME("touched", st_stats(t).allocated, GT_PAGE);
	gt_unmap(t, addr, GT_PAGE);
	expect_alive(t, "the rest of it", 1, 1);
	SAME("mappings", st_stats(t).mappings, 1);
	munmap((char *)addr + GT_PAGE, ST_SIZE - GT_PAGE);
	expect_alive(t, "all gone", 0, 0);
	SAME("mappings", st_stats(t).mappings, 0);
}

/* A private page is mapped to nothing, and that pins the file too. */
static void private_mapping_pins(struct gt *t)
{
	int vm = make_vm(t);
	int file = gt_create_gmem(t, vm, ST_SIZE, GMI_GUEST_MEMFD_FLAG_MMAP);
	struct gt_touch touch;
	void *addr;

	MUST(file >= 0);
	MUST(gt_map(t, file, 0, ST_SIZE, &addr) == 0);
	gt_close(t, file);
	touch = gt_touch_read((char *)addr + 5);
	SAME("SIGBUS", touch.signal, SIGBUS);
	SAME("BUS_ADRERR", touch.code, BUS_ADRERR);
	SAME("exact", touch.addr == (char *)addr + 5, true);
	expect_alive(t, "pinned", 1, 1);
	gt_unmap(t, addr, ST_SIZE);
	expect_alive(t, "file gone", 1, 0);
	gt_close(t, vm);
}

static void send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	MUST(sendmsg(socket, &message, 0) == 1);
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	MUST(recvmsg(socket, &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* In flight a descriptor keeps the file alive; what arrives is the same file. */
static void sent_file(struct gt *t)
{
	int vm = make_vm(t), file = make_file(t, vm), pair[2], received;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	send_fd(pair[0], file);
	gt_close(t, file);
	expect_alive(t, "in flight", 1, 1);
	received = receive_fd(pair[1]);
	SAME("same VM", gt_bind(t, vm, 0, ST_GPA, ST_SIZE, NULL, received, 0), 0);
	gt_close(t, received);
	gt_close(t, vm);
	close(pair[0]);
	close(pair[1]);
	expect_alive(t, "all gone", 0, 0);
}

/* Another simulator stands for another process that never saw the file being made. */
static void foreign_file(struct gt *t)
{
	int vm = make_vm(t), file = make_file(t, vm), other_vm;
	struct gt other = *t;
	struct gmem_sys_stat stat;
	uint8_t *a, *b;

	MUST(gmem_sim_create(t->profile, NULL, &other.sim) == 0);
	other.user = other.sim;
	MUST(gt_map(t, file, 0, ST_SIZE, (void **)&a) == 0);
	MUST(gt_map(&other, file, 0, ST_SIZE, (void **)&b) == 0);
	SAME("fstat", other.ops->fstat(other.user, file, &stat), 0);
	SAME("fstat", stat.size, ST_SIZE);
	a[GT_PAGE] = 0x77;
	SAME("same memory", b[GT_PAGE], 0x77);
	SAME("punch", gt_punch(&other, file, GT_PAGE, GT_PAGE), 0);
	SAME("punch", a[GT_PAGE], 0);
	other_vm = make_vm(&other);
	SAME("of another VM", gt_bind(&other, other_vm, 0, ST_GPA, ST_SIZE, NULL, file, 0),
	     -EINVAL);
	SAME("VM of another process", gt_cap(&other, vm, GMI_KVM_CAP_GUEST_MEMFD), -EIO);
	gt_unmap(&other, b, ST_SIZE);
	gt_close(&other, other_vm);
	gmem_sim_unref(other.sim);
	gt_unmap(t, a, ST_SIZE);
	gt_close(t, file);
	gt_close(t, vm);
}

/* As in Linux: VMs are bound to the address space that made them, files are not. */
static void forked(struct gt *t)
{
	int vm = make_vm(t), file = make_file(t, vm), status;
	uint8_t *addr;
	pid_t pid;

	MUST(gt_map(t, file, 0, ST_SIZE, (void **)&addr) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		addr[0] = 0x11;
		_exit(gt_cap(t, vm, GMI_KVM_CAP_GUEST_MEMFD) == -EIO &&
				      gt_punch(t, file, GT_PAGE, GT_PAGE) == 0
			      ? 0
			      : 1);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	SAME("child", status, 0);
	SAME("same memory", addr[0], 0x11);
	gt_unmap(t, addr, ST_SIZE);
	gt_close(t, file);
	gt_close(t, vm);
	expect_alive(t, "all gone", 0, 0);
}

/* Many objects that die behind the model's back must not pile up. */
static void many(struct gt *t)
{
	unsigned int before = gt_count_fds();

	for (int i = 0; i < 2000; i++) {
		int vm = make_vm(t), file = make_file(t, vm);

		close(vm);
		close(file);
	}
	SAME("hidden descriptors", gt_count_fds() < before + 200, true);
	expect_alive(t, "all gone", 0, 0);
	SAME("hidden descriptors", gt_count_fds(), before);
}

static void stats_and_names(struct gt *t)
{
	struct gmem_sim_stats stats = {.sz = 1};
	struct gmem_sim_opts opts = {.sz = sizeof(opts), .nodes = 65};
	struct gmem_sim *sim;
	bool found = false;

	SAME("wrong size", gmem_sim_get_stats(t->sim, &stats), -EINVAL);
	SAME("NULL", gmem_sim_get_stats(NULL, &stats), -EINVAL);
	SAME("unknown", gmem_sim_create("v1.0", NULL, &sim), -ENOENT);
	SAME("NULL", gmem_sim_create(NULL, NULL, &sim), -EINVAL);
	SAME("NULL", gmem_sim_create(t->profile, NULL, NULL), -EINVAL);
	SAME("nodes", gmem_sim_create(t->profile, &opts, &sim), -EINVAL);
	for (size_t i = 0; gmem_sim_profile_name(i); i++)
		found |= strcmp(gmem_sim_profile_name(i), t->profile) == 0;
	SAME("listed", found, true);
	gmem_sim_unref(NULL);
}

static const struct gt_test tests[] = {
	GT_TEST(raw_dup),         GT_TEST(vcpu_pins),
	GT_TEST(mapping_pins),    GT_TEST(private_mapping_pins),
	GT_TEST(sent_file),       GT_TEST(foreign_file),
	GT_TEST(forked),          GT_TEST(many),
	GT_TEST(stats_and_names),
};

GT_MAIN(tests)
