/* SPDX-License-Identifier: MIT */
/* The real kernel: the only file of libgmem that makes system calls and reads errno. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys_call.h"

static int result(long value)
{
	return value < 0 ? -errno : (int)value;
}

static int linux_open(void *user, const char *path, int flags)
{
	return result(open(path, flags | O_CLOEXEC));
}

/* Linux has released the descriptor even where close() says EINTR: never call it again. */
static int linux_close(void *user, int fd)
{
	return result(close(fd));
}

static int linux_dup(void *user, int fd)
{
	return result(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static int linux_set_cloexec(void *user, int fd)
{
	return result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static int linux_fstat(void *user, int fd, struct gmem_sys_stat *ret_stat)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_stat = (struct gmem_sys_stat){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.block_size = (uint64_t)st.st_blksize,
		.allocated = (uint64_t)st.st_blocks * 512,
		.mode = st.st_mode,
	};
	return 0;
}

/* The request goes through the system call itself: musl's ioctl() takes an int. */
static int linux_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	return result(syscall(SYS_ioctl, fd, request, arg));
}

static int linux_mmap(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		      uint64_t offset, void **ret_addr)
{
	void *mapped = mmap(addr, size, prot, flags, fd, (off_t)offset);

	if (mapped == MAP_FAILED)
		return -errno;
	*ret_addr = mapped;
	return 0;
}

static int linux_munmap(void *user, void *addr, uint64_t size)
{
	return result(munmap(addr, size));
}

static int linux_madvise(void *user, void *addr, uint64_t size, int advice)
{
	return result(madvise(addr, size, advice));
}

/* The kernel takes one off its argument maxnode before it counts the bits (mempolicy.c
 * get_nodes()). */
static uint64_t to_maxnode(uint64_t bits)
{
	return bits + 1;
}

static int linux_mbind(void *user, void *addr, uint64_t size, int mode, const uint64_t *nodes,
		       uint64_t max_node, uint32_t flags)
{
	return result(syscall(SYS_mbind, addr, size, mode, nodes, to_maxnode(max_node), flags));
}

static int linux_get_mempolicy(void *user, int *ret_mode, uint64_t *nodes, uint64_t max_node,
			       void *addr, uint64_t flags)
{
	return result(
		syscall(SYS_get_mempolicy, ret_mode, nodes, to_maxnode(max_node), addr, flags));
}

static int linux_fallocate(void *user, int fd, int mode, uint64_t offset, uint64_t size)
{
	return result(fallocate(fd, mode, (off_t)offset, (off_t)size));
}

static int linux_memfd(void *user, const char *name, uint32_t flags)
{
	return result(memfd_create(name, flags | MFD_CLOEXEC));
}

static int linux_ftruncate(void *user, int fd, uint64_t size)
{
	return result(ftruncate(fd, (off_t)size));
}

static int read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, buf + done, size - done);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int)done;
}

static int linux_read_file(void *user, const char *path, char *buf, size_t size)
{
	int fd = linux_open(user, path, O_RDONLY);
	int ret;

	if (fd < 0)
		return fd;
	ret = read_all(fd, buf, size);
	linux_close(user, fd);
	return ret;
}

static int linux_sleep(void *user, uint64_t ns)
{
	struct timespec time = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};

	return -clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* A file of /sys takes what one write() brings, all of it or an error. */
static int linux_write_file(void *user, const char *path, const char *buf, size_t size)
{
	int fd = linux_open(user, path, O_WRONLY);
	int ret;

	if (fd < 0)
		return fd;
	ret = write(fd, buf, size) < 0 ? -errno : 0;
	linux_close(user, fd);
	return ret;
}

static int linux_flock(void *user, int fd, int operation)
{
	return result(flock(fd, operation));
}

static int linux_set_affinity(void *user, const uint64_t *cpus, size_t words)
{
	return result(syscall(SYS_sched_setaffinity, 0, words * sizeof(*cpus), cpus));
}

static int linux_set_mempolicy(void *user, int mode, const uint64_t *nodes, uint64_t max_node)
{
	return result(syscall(SYS_set_mempolicy, mode, nodes, to_maxnode(max_node)));
}

static int linux_now(void *user, uint64_t *ret_ns)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time) < 0)
		return -errno;
	*ret_ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	return 0;
}

/* Aligned as the kernel wants a control message. */
union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * GMEM_SYS_FDS_MAX)];
};

static int linux_send_fds(void *user, int socket, const void *data, size_t size, const int *fds,
			  uint32_t nr_fds)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union rights rights = {0};

	if (nr_fds > GMEM_SYS_FDS_MAX)
		return -EINVAL;
	if (nr_fds) {
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(nr_fds * sizeof(*fds));
		memcpy(CMSG_DATA(&rights.header), fds, nr_fds * sizeof(*fds));
		message.msg_control = &rights;
		message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(*fds));
	}
	return result(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Linux puts what it passes into one control message; more than one is looked for all the same. */
static uint32_t take_fds(struct msghdr *message, int *ret_fds)
{
	struct cmsghdr *header;
	uint32_t count = 0;
	size_t here;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(*ret_fds);
		memcpy(ret_fds + count, CMSG_DATA(header), here * sizeof(*ret_fds));
		count += (uint32_t)here;
	}
	return count;
}

static int linux_recv_fds(void *user, int socket, void *data, size_t size, int *ret_fds,
			  uint32_t *ret_nr_fds)
{
	struct iovec part = {.iov_base = data, .iov_len = size};
	union rights rights = {0};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	int ret = result(recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));

	*ret_nr_fds = 0;
	if (ret < 0)
		return ret;
	*ret_nr_fds = take_fds(&message, ret_fds);
	if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return ret;
	while (*ret_nr_fds)
		close(ret_fds[--*ret_nr_fds]);
	return -EMSGSIZE;
}

static int linux_poll(void *user, int fd, uint32_t events, uint64_t ns)
{
	struct pollfd wait = {.fd = fd, .events = (short)events};
	struct timespec time = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};
	int ret = result(ppoll(&wait, 1, &time, NULL));

	return ret > 0 ? (int)(unsigned short)wait.revents : ret;
}

static int get_option(int socket, int option, void *value, size_t size)
{
	socklen_t length = (socklen_t)size;

	return result(getsockopt(socket, SOL_SOCKET, option, value, &length));
}

static int linux_peer(void *user, int socket, struct gmem_sys_peer *ret_peer)
{
	struct ucred creds = {0};
	int domain = 0, type = 0;
	int ret = get_option(socket, SO_DOMAIN, &domain, sizeof(domain));

	if (!ret && domain != AF_UNIX)
		return -EOPNOTSUPP;
	if (!ret)
		ret = get_option(socket, SO_TYPE, &type, sizeof(type));
	if (!ret)
		ret = get_option(socket, SO_PEERCRED, &creds, sizeof(creds));
	if (ret)
		return ret;
	*ret_peer = (struct gmem_sys_peer){
		.pid = creds.pid,
		.uid = creds.uid,
		.gid = creds.gid,
		.type = (uint32_t)type,
	};
	return 0;
}

const struct gmem_sys_ops gmi_sys_linux_ops = {
	.sz = sizeof(struct gmem_sys_ops),
	.open = linux_open,
	.close = linux_close,
	.dup = linux_dup,
	.set_cloexec = linux_set_cloexec,
	.fstat = linux_fstat,
	.ioctl = linux_ioctl,
	.mmap = linux_mmap,
	.munmap = linux_munmap,
	.madvise = linux_madvise,
	.mbind = linux_mbind,
	.get_mempolicy = linux_get_mempolicy,
	.fallocate = linux_fallocate,
	.memfd = linux_memfd,
	.ftruncate = linux_ftruncate,
	.read_file = linux_read_file,
	.sleep = linux_sleep,
	.write_file = linux_write_file,
	.flock = linux_flock,
	.set_affinity = linux_set_affinity,
	.set_mempolicy = linux_set_mempolicy,
	.now = linux_now,
	.send_fds = linux_send_fds,
	.recv_fds = linux_recv_fds,
	.poll = linux_poll,
	.peer = linux_peer,
};
