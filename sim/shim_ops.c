/* SPDX-License-Identifier: MIT */
/* The shim's table: every call is noted and passed on. */
#include "sim_shim.h"

/* Notes the call that the assignments describe, and makes it unless it must fail. */
#define PASS_ON(kind, call_below, ...)                                                             \
	struct gmem_shim *shim = user;                                                             \
	struct gmem_shim_call made = {.call = kind, .fd = -1};                                     \
	uint64_t index;                                                                            \
	int error;                                                                                 \
                                                                                                   \
	__VA_ARGS__;                                                                               \
	error = gmi_shim_begin(shim, &made, &index);                                               \
	return error ? error : gmi_shim_end(shim, index, call_below)

static int shim_open(void *user, const char *path, int flags)
{
	PASS_ON(GMEM_CALL_OPEN, gmi_sys_open(&shim->below, path, flags),
		made.request = (uint64_t)flags);
}

/* The descriptor is gone also where close() fails. */
static int shim_close(void *user, int fd)
{
	struct gmem_shim *shim = user;
	struct gmem_shim_call made = {.call = GMEM_CALL_CLOSE, .fd = fd};
	uint64_t index;
	int error = gmi_shim_begin(shim, &made, &index);
	int ret = gmi_sys_close(&shim->below, fd);

	return error ? error : gmi_shim_end(shim, index, ret);
}

static int shim_dup(void *user, int fd)
{
	PASS_ON(GMEM_CALL_DUP, gmi_sys_dup(&shim->below, fd), made.fd = fd);
}

static int shim_set_cloexec(void *user, int fd)
{
	PASS_ON(GMEM_CALL_SET_CLOEXEC, gmi_sys_set_cloexec(&shim->below, fd), made.fd = fd);
}

static int shim_fstat(void *user, int fd, struct gmem_sys_stat *ret_stat)
{
	PASS_ON(GMEM_CALL_FSTAT, gmi_sys_fstat(&shim->below, fd, ret_stat), made.fd = fd);
}

static int shim_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	PASS_ON(GMEM_CALL_IOCTL, gmi_sys_ioctl(&shim->below, fd, request, arg), made.fd = fd,
		made.request = request, made.arg = (uintptr_t)arg);
}

static int shim_mmap(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		     uint64_t offset, void **ret_addr)
{
	PASS_ON(GMEM_CALL_MMAP,
		gmi_sys_mmap(&shim->below, addr, size, prot, flags, fd, offset, ret_addr),
		made.fd = fd, made.request = (uint64_t)prot, made.arg = (uintptr_t)addr,
		made.offset = offset, made.size = size);
}

static int shim_munmap(void *user, void *addr, uint64_t size)
{
	PASS_ON(GMEM_CALL_MUNMAP, gmi_sys_munmap(&shim->below, addr, size),
		made.arg = (uintptr_t)addr, made.size = size);
}

static int shim_madvise(void *user, void *addr, uint64_t size, int advice)
{
	PASS_ON(GMEM_CALL_MADVISE, gmi_sys_madvise(&shim->below, addr, size, advice),
		made.request = (uint64_t)advice, made.arg = (uintptr_t)addr, made.size = size);
}

static int shim_mbind(void *user, void *addr, uint64_t size, int mode, const uint64_t *nodes,
		      uint64_t max_node, uint32_t flags)
{
	PASS_ON(GMEM_CALL_MBIND,
		gmi_sys_mbind(&shim->below, addr, size, mode, nodes, max_node, flags),
		made.request = (uint64_t)mode, made.arg = (uintptr_t)addr, made.size = size);
}

static int shim_get_mempolicy(void *user, int *ret_mode, uint64_t *nodes, uint64_t max_node,
			      void *addr, uint64_t flags)
{
	PASS_ON(GMEM_CALL_GET_MEMPOLICY,
		gmi_sys_get_mempolicy(&shim->below, ret_mode, nodes, max_node, addr, flags),
		made.request = flags, made.arg = (uintptr_t)addr);
}

static int shim_fallocate(void *user, int fd, int mode, uint64_t offset, uint64_t size)
{
	PASS_ON(GMEM_CALL_FALLOCATE, gmi_sys_fallocate(&shim->below, fd, mode, offset, size),
		made.fd = fd, made.request = (uint64_t)mode, made.offset = offset,
		made.size = size);
}

static int shim_memfd(void *user, const char *name, uint32_t flags)
{
	PASS_ON(GMEM_CALL_MEMFD, gmi_sys_memfd(&shim->below, name, flags), made.request = flags);
}

static int shim_ftruncate(void *user, int fd, uint64_t size)
{
	PASS_ON(GMEM_CALL_FTRUNCATE, gmi_sys_ftruncate(&shim->below, fd, size), made.fd = fd,
		made.size = size);
}

static int shim_read_file(void *user, const char *path, char *buf, size_t size)
{
	PASS_ON(GMEM_CALL_READ_FILE, gmi_sys_read_file(&shim->below, path, buf, size),
		made.size = size);
}

static int shim_sleep(void *user, uint64_t ns)
{
	PASS_ON(GMEM_CALL_SLEEP, gmi_sys_sleep(&shim->below, ns), made.arg = ns);
}

static int shim_write_file(void *user, const char *path, const char *buf, size_t size)
{
	PASS_ON(GMEM_CALL_WRITE_FILE, gmi_sys_write_file(&shim->below, path, buf, size),
		made.size = size);
}

static int shim_flock(void *user, int fd, int operation)
{
	PASS_ON(GMEM_CALL_FLOCK, gmi_sys_flock(&shim->below, fd, operation), made.fd = fd,
		made.request = (uint64_t)operation);
}

static int shim_set_affinity(void *user, const uint64_t *cpus, size_t words)
{
	PASS_ON(GMEM_CALL_SET_AFFINITY, gmi_sys_set_affinity(&shim->below, cpus, words),
		(void)made.fd);
}

static int shim_set_mempolicy(void *user, int mode, const uint64_t *nodes, uint64_t max_node)
{
	PASS_ON(GMEM_CALL_SET_MEMPOLICY, gmi_sys_set_mempolicy(&shim->below, mode, nodes, max_node),
		made.request = (uint64_t)mode);
}

static int shim_now(void *user, uint64_t *ret_ns)
{
	PASS_ON(GMEM_CALL_NOW, gmi_sys_now(&shim->below, ret_ns), (void)made.fd);
}

static int shim_send_fds(void *user, int socket, const void *data, size_t size, const int *fds,
			 uint32_t nr_fds)
{
	PASS_ON(GMEM_CALL_SEND_FDS, gmi_sys_send_fds(&shim->below, socket, data, size, fds, nr_fds),
		made.fd = socket, made.request = nr_fds, made.size = size);
}

static int shim_recv_fds(void *user, int socket, void *data, size_t size, int *ret_fds,
			 uint32_t *ret_nr_fds)
{
	PASS_ON(GMEM_CALL_RECV_FDS,
		gmi_sys_recv_fds(&shim->below, socket, data, size, ret_fds, ret_nr_fds),
		made.fd = socket, made.size = size, *ret_nr_fds = 0);
}

static int shim_poll(void *user, int fd, uint32_t events, uint64_t ns)
{
	PASS_ON(GMEM_CALL_POLL, gmi_sys_poll(&shim->below, fd, events, ns), made.fd = fd,
		made.request = events, made.arg = ns);
}

static int shim_peer(void *user, int socket, struct gmem_sys_peer *ret_peer)
{
	PASS_ON(GMEM_CALL_PEER, gmi_sys_peer(&shim->below, socket, ret_peer), made.fd = socket);
}

GMEM_API const struct gmem_sys_ops *gmem_shim_ops(void)
{
	static const struct gmem_sys_ops ops = {
		.sz = sizeof(ops),
		.open = shim_open,
		.close = shim_close,
		.dup = shim_dup,
		.set_cloexec = shim_set_cloexec,
		.fstat = shim_fstat,
		.ioctl = shim_ioctl,
		.mmap = shim_mmap,
		.munmap = shim_munmap,
		.madvise = shim_madvise,
		.mbind = shim_mbind,
		.get_mempolicy = shim_get_mempolicy,
		.fallocate = shim_fallocate,
		.memfd = shim_memfd,
		.ftruncate = shim_ftruncate,
		.read_file = shim_read_file,
		.sleep = shim_sleep,
		.write_file = shim_write_file,
		.flock = shim_flock,
		.set_affinity = shim_set_affinity,
		.set_mempolicy = shim_set_mempolicy,
		.now = shim_now,
		.send_fds = shim_send_fds,
		.recv_fds = shim_recv_fds,
		.poll = shim_poll,
		.peer = shim_peer,
	};

	return &ops;
}
