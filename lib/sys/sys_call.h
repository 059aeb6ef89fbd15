/* SPDX-License-Identifier: MIT */
/* One call a member of struct gmem_sys_ops, through the table that a context carries. */
#ifndef GMI_SYS_CALL_H
#define GMI_SYS_CALL_H

#include <errno.h>
#include <stddef.h>

#include <libgmem/sys.h>

struct gmi_sys {
	const struct gmem_sys_ops *ops;
	void *user;
};

/* The table of the real kernel; gmem_sys_linux() hands it out. */
extern const struct gmem_sys_ops gmi_sys_linux_ops;

/* True where @ops has every function that this build calls. */
int gmi_sys_ops_are_complete(const struct gmem_sys_ops *ops);

static inline int gmi_sys_open(const struct gmi_sys *sys, const char *path, int flags)
{
	return sys->ops->open(sys->user, path, flags);
}

static inline int gmi_sys_close(const struct gmi_sys *sys, int fd)
{
	return sys->ops->close(sys->user, fd);
}

static inline int gmi_sys_dup(const struct gmi_sys *sys, int fd)
{
	return sys->ops->dup(sys->user, fd);
}

static inline int gmi_sys_set_cloexec(const struct gmi_sys *sys, int fd)
{
	return sys->ops->set_cloexec(sys->user, fd);
}

static inline int gmi_sys_fstat(const struct gmi_sys *sys, int fd, struct gmem_sys_stat *ret_stat)
{
	return sys->ops->fstat(sys->user, fd, ret_stat);
}

static inline int gmi_sys_ioctl(const struct gmi_sys *sys, int fd, uint64_t request, void *arg)
{
	return sys->ops->ioctl(sys->user, fd, request, arg);
}

static inline int gmi_sys_mmap(const struct gmi_sys *sys, void *addr, uint64_t size, int prot,
			       int flags, int fd, uint64_t offset, void **ret_addr)
{
	return sys->ops->mmap(sys->user, addr, size, prot, flags, fd, offset, ret_addr);
}

static inline int gmi_sys_munmap(const struct gmi_sys *sys, void *addr, uint64_t size)
{
	return sys->ops->munmap(sys->user, addr, size);
}

static inline int gmi_sys_madvise(const struct gmi_sys *sys, void *addr, uint64_t size, int advice)
{
	return sys->ops->madvise(sys->user, addr, size, advice);
}

static inline int gmi_sys_mbind(const struct gmi_sys *sys, void *addr, uint64_t size, int mode,
				const uint64_t *nodes, uint64_t max_node, uint32_t flags)
{
	return sys->ops->mbind(sys->user, addr, size, mode, nodes, max_node, flags);
}

static inline int gmi_sys_get_mempolicy(const struct gmi_sys *sys, int *ret_mode, uint64_t *nodes,
					uint64_t max_node, void *addr, uint64_t flags)
{
	return sys->ops->get_mempolicy(sys->user, ret_mode, nodes, max_node, addr, flags);
}

static inline int gmi_sys_fallocate(const struct gmi_sys *sys, int fd, int mode, uint64_t offset,
				    uint64_t size)
{
	return sys->ops->fallocate(sys->user, fd, mode, offset, size);
}

static inline int gmi_sys_memfd(const struct gmi_sys *sys, const char *name, uint32_t flags)
{
	return sys->ops->memfd(sys->user, name, flags);
}

static inline int gmi_sys_ftruncate(const struct gmi_sys *sys, int fd, uint64_t size)
{
	return sys->ops->ftruncate(sys->user, fd, size);
}

static inline int gmi_sys_read_file(const struct gmi_sys *sys, const char *path, char *buf,
				    size_t size)
{
	return sys->ops->read_file(sys->user, path, buf, size);
}

static inline int gmi_sys_sleep(const struct gmi_sys *sys, uint64_t ns)
{
	return sys->ops->sleep(sys->user, ns);
}

/* The members from write_file on, which a table may lack. */
#define GMI_SYS_HAS(sys, member)                                                                   \
	((sys)->ops->sz > offsetof(struct gmem_sys_ops, member) && (sys)->ops->member)

static inline int gmi_sys_write_file(const struct gmi_sys *sys, const char *path, const char *buf,
				     size_t size)
{
	return GMI_SYS_HAS(sys, write_file) ? sys->ops->write_file(sys->user, path, buf, size)
					    : -EOPNOTSUPP;
}

static inline int gmi_sys_flock(const struct gmi_sys *sys, int fd, int operation)
{
	return GMI_SYS_HAS(sys, flock) ? sys->ops->flock(sys->user, fd, operation) : -EOPNOTSUPP;
}

static inline int gmi_sys_set_affinity(const struct gmi_sys *sys, const uint64_t *cpus,
				       size_t words)
{
	return GMI_SYS_HAS(sys, set_affinity) ? sys->ops->set_affinity(sys->user, cpus, words)
					      : -EOPNOTSUPP;
}

static inline int gmi_sys_set_mempolicy(const struct gmi_sys *sys, int mode, const uint64_t *nodes,
					uint64_t max_node)
{
	return GMI_SYS_HAS(sys, set_mempolicy)
		       ? sys->ops->set_mempolicy(sys->user, mode, nodes, max_node)
		       : -EOPNOTSUPP;
}

static inline int gmi_sys_now(const struct gmi_sys *sys, uint64_t *ret_ns)
{
	return GMI_SYS_HAS(sys, now) ? sys->ops->now(sys->user, ret_ns) : -EOPNOTSUPP;
}

static inline int gmi_sys_send_fds(const struct gmi_sys *sys, int socket, const void *data,
				   size_t size, const int *fds, uint32_t nr_fds)
{
	return GMI_SYS_HAS(sys, send_fds)
		       ? sys->ops->send_fds(sys->user, socket, data, size, fds, nr_fds)
		       : -EOPNOTSUPP;
}

static inline int gmi_sys_recv_fds(const struct gmi_sys *sys, int socket, void *data, size_t size,
				   int *ret_fds, uint32_t *ret_nr_fds)
{
	return GMI_SYS_HAS(sys, recv_fds)
		       ? sys->ops->recv_fds(sys->user, socket, data, size, ret_fds, ret_nr_fds)
		       : -EOPNOTSUPP;
}

static inline int gmi_sys_poll(const struct gmi_sys *sys, int fd, uint32_t events, uint64_t ns)
{
	return GMI_SYS_HAS(sys, poll) ? sys->ops->poll(sys->user, fd, events, ns) : -EOPNOTSUPP;
}

static inline int gmi_sys_peer(const struct gmi_sys *sys, int socket,
			       struct gmem_sys_peer *ret_peer)
{
	return GMI_SYS_HAS(sys, peer) ? sys->ops->peer(sys->user, socket, ret_peer) : -EOPNOTSUPP;
}

#endif
