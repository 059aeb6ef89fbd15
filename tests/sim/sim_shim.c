/* SPDX-License-Identifier: MIT */
/* The shim: trace, counts and faults, over the simulated kernel and over the real one. */
#include <fcntl.h>
#include <libgmem/shim.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "st.h"

static struct gt over(const struct gt *t, struct gmem_shim **ret_shim)
{
	struct gt shimmed = *t;

	MUST(gmem_shim_create(t->ops, t->user, ret_shim) == 0);
	shimmed.ops = gmem_shim_ops();
	shimmed.user = *ret_shim;
	return shimmed;
}

static void trace(struct gt *t)
{
	struct gmem_shim_call call;
	struct gmem_shim *shim;
	struct gt s = over(t, &shim);
	int kvm = gt_open_kvm(&s), vm = gt_create_vm(&s, kvm, 0);
	int file = gt_create_gmem(&s, vm, GT_PAGE, 0);

	MUST(file >= 0);
	SAME("bad", gt_punch(&s, file, 1, GT_PAGE), -EINVAL);
	SAME("all", gmem_shim_count(shim, GMEM_CALL_ANY, 0), 4);
	SAME("kind", gmem_shim_count(shim, GMEM_CALL_IOCTL, 0), 2);
	SAME("request", gmem_shim_count(shim, GMEM_CALL_IOCTL, GMI_KVM_CREATE_VM), 1);
	SAME("read", gmem_shim_read(shim, 3, &call), 0);
	SAME("read", call.call, GMEM_CALL_FALLOCATE);
	SAME("read", call.fd, file);
	SAME("read", call.offset, 1);
	SAME("read", call.size, GT_PAGE);
	SAME("read", call.result, -EINVAL);
	SAME("read", call.injected, 0);
	SAME("read", strcmp(gmem_call_name(call.call), "fallocate"), 0);
	SAME("no more", gmem_shim_read(shim, 4, &call), -ENOENT);
	gmem_shim_reset(shim);
	SAME("reset", gmem_shim_count(shim, GMEM_CALL_ANY, 0), 0);
	gt_close(&s, file);
	gt_close(&s, vm);
	gt_close(&s, kvm);
	SAME("close", gmem_shim_count(shim, GMEM_CALL_CLOSE, 0), 3);
	gmem_shim_unref(shim);
}

static void faults(struct gt *t)
{
	const uint64_t create = GMI_KVM_CREATE_VM;
	struct gmem_shim *shim;
	struct gt s = over(t, &shim);
	int kvm, vm;

	MUST(gmem_shim_fail(shim, GMEM_CALL_OPEN, 0, 1, -EACCES, 0) == 0);
	MUST(gmem_shim_fail(shim, GMEM_CALL_IOCTL, create, 2, -ENOMEM, 0) == 0);
	SAME("fails", gt_open_kvm(&s), -EACCES);
	kvm = gt_open_kvm(&s);
	SAME("once", kvm >= 0, true);
	SAME("another request", gt_cap(&s, kvm, GMI_KVM_CAP_VM_TYPES) > 0, true);
	vm = gt_create_vm(&s, kvm, 0);
	SAME("the first", vm >= 0, true);
	SAME("the second", gt_create_vm(&s, kvm, 0), -ENOMEM);
	SAME("injected", gmem_shim_injected(shim), 2);
	MUST(gmem_shim_fail(shim, GMEM_CALL_ANY, 0, 1, -EIO, GMEM_SHIM_EVERY) == 0);
	SAME("every", gt_cap(&s, vm, 0), -EIO);
	SAME("every", gt_open_kvm(&s), -EIO);
	SAME("closed all the same", gt_close(&s, vm), -EIO);
	SAME("closed all the same", fcntl(vm, F_GETFD), -1);
	gmem_shim_reset(shim);
	SAME("no more", gt_close(&s, kvm), 0);
	gmem_shim_unref(shim);
}

static void refuses(struct gt *t)
{
	struct gmem_sys_ops broken = *t->ops;
	struct gmem_shim *shim;

	broken.mmap = NULL;
	SAME("incomplete", gmem_shim_create(&broken, NULL, &shim), -EINVAL);
	SAME("NULL", gmem_shim_create(NULL, NULL, NULL), -EINVAL);
	MUST(gmem_shim_create(NULL, NULL, &shim) == 0);
	SAME("0th", gmem_shim_fail(shim, GMEM_CALL_ANY, 0, 0, -EIO, 0), -EINVAL);
	SAME("no error", gmem_shim_fail(shim, GMEM_CALL_ANY, 0, 1, 0, 0), -EINVAL);
	SAME("kind", gmem_shim_fail(shim, GMEM_CALL_COUNT, 0, 1, -EIO, 0), -EINVAL);
	SAME("flag", gmem_shim_fail(shim, GMEM_CALL_ANY, 0, 1, -EIO, 2), -EINVAL);
	for (int i = 0; i < 8; i++)
		SAME("room", gmem_shim_fail(shim, GMEM_CALL_OPEN, 0, 5, -EIO, 0), 0);
	SAME("full", gmem_shim_fail(shim, GMEM_CALL_OPEN, 0, 5, -EIO, 0), -ENOSPC);
	SAME("name", strcmp(gmem_call_name(GMEM_CALL_ANY), "any"), 0);
	SAME("name", strcmp(gmem_call_name(GMEM_CALL_COUNT), "?"), 0);
	SAME("name", strcmp(gmem_call_name(GMEM_CALL_NOW), "now"), 0);
	gmem_shim_unref(shim);
	gmem_shim_unref(NULL);
}

/* Every member of the table is passed on, to the real kernel as well. */
static void passes_all_on(struct gt *t)
{
	const struct gmem_sys_ops *ops = gmem_shim_ops();
	struct gmem_sys_stat stat;
	struct gmem_shim *shim;
	char text[8];
	uint64_t now, nodes = 0, cpus = 1;
	struct gmem_sys_peer peer;
	int sockets[2], fds[GMEM_SYS_FDS_MAX];
	uint32_t nr_fds;
	int fd, copy, mode;
	void *addr;

	MUST(gmem_shim_create(NULL, NULL, &shim) == 0);
	fd = ops->memfd(shim, "shim", 0);
	MUST(fd >= 0);
	copy = ops->dup(shim, fd);
	SAME("all", ops->ftruncate(shim, fd, GT_PAGE), 0);
	SAME("all", ops->fstat(shim, copy, &stat), 0);
	SAME("all", stat.size, GT_PAGE);
	SAME("all", ops->set_cloexec(shim, copy), 0);
	SAME("all", ops->mmap(shim, NULL, GT_PAGE, PROT_READ, MAP_SHARED, fd, 0, &addr), 0);
	SAME("all", ops->madvise(shim, addr, GT_PAGE, MADV_DONTNEED), 0);
	ops->mbind(shim, addr, GT_PAGE, 0, &nodes, 0, 0);
	ops->get_mempolicy(shim, &mode, NULL, 0, NULL, 0);
	SAME("all", ops->munmap(shim, addr, GT_PAGE), 0);
	SAME("all", ops->fallocate(shim, fd, 0, 0, GT_PAGE), 0);
	SAME("all", ops->read_file(shim, "/proc/self/comm", text, sizeof(text)) > 0, true);
	SAME("all", ops->write_file(shim, "/nowhere", text, 1), -ENOENT);
	SAME("all", ops->flock(shim, fd, 8), 0);
	SAME("all", ops->set_affinity(shim, &cpus, 0), -EINVAL);
	ops->set_mempolicy(shim, 0, NULL, 0);
	SAME("all", ops->now(shim, &now), 0);
	SAME("all", ops->sleep(shim, 1), 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	SAME("all", ops->send_fds(shim, sockets[0], "fd", 2, &fd, 1), 2);
	SAME("all", ops->poll(shim, sockets[1], POLLIN, 0), POLLIN);
	SAME("all", ops->recv_fds(shim, sockets[1], text, sizeof(text), fds, &nr_fds), 2);
	SAME("all", nr_fds, 1);
	SAME("close-on-exec", fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	SAME("all", ops->peer(shim, sockets[1], &peer), 0);
	SAME("own process", peer.pid, getpid());
	SAME("kind", peer.type, SOCK_STREAM);
	close(fds[0]);
	close(sockets[0]);
	close(sockets[1]);
	SAME("all", ops->ioctl(shim, fd, GMI_KVM_CREATE_VM, NULL), -ENOTTY);
	SAME("all", ops->open(shim, "/nowhere", O_RDONLY), -ENOENT);
	SAME("all", ops->close(shim, copy), 0);
	for (uint32_t i = 0; i < GMEM_CALL_COUNT; i++)
		EXPECT_CASE("all", gmem_call_name(i), (int64_t)gmem_shim_count(shim, i, 0), 1);
	ops->close(shim, fd);
	gmem_shim_unref(shim);
}

static const struct gt_test tests[] = {
	GT_TEST(trace),
	GT_TEST(faults),
	GT_TEST(refuses),
	GT_TEST(passes_all_on),
};

GT_MAIN(tests)
