/* SPDX-License-Identifier: MIT */
/**
 * DOC: The seam to the kernel
 *
 * libgmem asks the kernel for something through this table and in no other way. A VMM that brokers
 * system calls passes its own; tests pass the one of libgmem-sim (sim.h).
 *
 * Rules for an implementation:
 *  - 0 or a non-negative result on success, `-errno` on failure. errno itself is not looked at.
 *  - Every descriptor returned is close-on-exec.
 *  - A call that a signal interrupted returns -EINTR; it is not restarted here.
 *  - All functions may be called from several threads at a time.
 *  - After set-up (objects created, slots bound, memory preallocated) only ioctl, fallocate,
 *  madvise,
 *    mmap, munmap and, while waiting to try again, sleep are called.
 *
 * A system call filter for a VMM follows from this table and from gmem_sys_linux()'s comment.
 */
#ifndef LIBGMEM_SYS_H
#define LIBGMEM_SYS_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct gmem_sys_stat - the part of fstat(2) that libgmem looks at; sizes in bytes */
struct gmem_sys_stat {
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	uint64_t block_size; /* st_blksize: the huge page size for files of huge pages */
	uint64_t allocated;  /* st_blocks * 512; 0 for guest_memfd up to 7.3 */
	uint32_t mode;
	uint32_t padding;
};

/** struct gmem_sys_peer - who made the other end of a unix socket: SO_PEERCRED, SO_TYPE */
struct gmem_sys_peer {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t type; /* SOCK_STREAM, SOCK_SEQPACKET, ... */
};

/* The most descriptors that @send_fds and @recv_fds pass at a time: SCM_MAX_FD. */
#define GMEM_SYS_FDS_MAX 253u

/**
 * struct gmem_sys_ops - one function a system call
 * @sz:            size of this struct as the implementation knows it
 * @open:          open(2) with O_CLOEXEC added; returns the descriptor
 * @close:         close(2)
 * @dup:           F_DUPFD_CLOEXEC of fcntl(2)
 * @set_cloexec:   F_SETFD with FD_CLOEXEC (guest_memfd comes without, up to 7.3 at least)
 * @fstat:         fstat(2)
 * @ioctl:         ioctl(2); @arg is a pointer or, where the request takes a number, that number
 * @mmap:          mmap(2); the address comes out through @ret_addr
 * @munmap:        munmap(2)
 * @madvise:       madvise(2)
 * @mbind:         mbind(2) with @nodes as an array of 64-bit words holding @max_node bits
 * @get_mempolicy: get_mempolicy(2), words as for @mbind; used by the probe alone
 * @fallocate:     fallocate(2)
 * @memfd:         memfd_create(2) with MFD_CLOEXEC added
 * @ftruncate:     ftruncate(2)
 * @read_file:     reads a small file of /proc or /sys into @buf; returns the bytes, at most @size
 * @sleep:         sleeps for @ns nanoseconds
 * @write_file:    writes a small file of /sys whole, in one write(2)
 * @flock:         flock(2)
 * @set_affinity:  sched_setaffinity(2) of the calling thread, with @cpus as an array of 64-bit
 *                 words
 * @set_mempolicy: set_mempolicy(2) of the calling thread, words as for @mbind
 * @now:           CLOCK_MONOTONIC in nanoseconds
 * @send_fds:      sendmsg(2) with MSG_DONTWAIT | MSG_NOSIGNAL, the descriptors as SCM_RIGHTS; returns
 *                 the bytes taken
 * @recv_fds:      recvmsg(2) with MSG_DONTWAIT | MSG_CMSG_CLOEXEC; returns the bytes, 0 at the end.
 *                 @fds has room for GMEM_SYS_FDS_MAX. What did not fit is -EMSGSIZE, and then no
 *                 descriptor is left open.
 * @poll:          poll(2) of one descriptor for @events, at most @ns; returns what happened, 0 where the
 *                 time is up
 * @peer:          getsockopt(2) of SO_DOMAIN, SO_TYPE and SO_PEERCRED; -EOPNOTSUPP where the socket is
 *                 no unix socket
 *
 * The table may end behind @sleep, or have NULL from there on, where preallocation, the pools of
 * huge pages and hand-over are not used: what needs such a member is -EOPNOTSUPP then. The calls on threads are
 * made on threads of libgmem's own alone.
 *
 * @user is the pointer that came with the table. Members may be added at the end.
 */
struct gmem_sys_ops {
	size_t sz;
	int (*open)(void *user, const char *path, int flags);
	int (*close)(void *user, int fd);
	int (*dup)(void *user, int fd);
	int (*set_cloexec)(void *user, int fd);
	int (*fstat)(void *user, int fd, struct gmem_sys_stat *ret_stat);
	int (*ioctl)(void *user, int fd, uint64_t request, void *arg);
	int (*mmap)(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		    uint64_t offset, void **ret_addr);
	int (*munmap)(void *user, void *addr, uint64_t size);
	int (*madvise)(void *user, void *addr, uint64_t size, int advice);
	int (*mbind)(void *user, void *addr, uint64_t size, int mode, const uint64_t *nodes,
		     uint64_t max_node, uint32_t flags);
	int (*get_mempolicy)(void *user, int *ret_mode, uint64_t *nodes, uint64_t max_node,
			     void *addr, uint64_t flags);
	int (*fallocate)(void *user, int fd, int mode, uint64_t offset, uint64_t size);
	int (*memfd)(void *user, const char *name, uint32_t flags);
	int (*ftruncate)(void *user, int fd, uint64_t size);
	int (*read_file)(void *user, const char *path, char *buf, size_t size);
	int (*sleep)(void *user, uint64_t ns);
	int (*write_file)(void *user, const char *path, const char *buf, size_t size);
	int (*flock)(void *user, int fd, int operation);
	int (*set_affinity)(void *user, const uint64_t *cpus, size_t words);
	int (*set_mempolicy)(void *user, int mode, const uint64_t *nodes, uint64_t max_node);
	int (*now)(void *user, uint64_t *ret_ns);
	int (*send_fds)(void *user, int socket, const void *data, size_t size, const int *fds,
			uint32_t nr_fds);
	int (*recv_fds)(void *user, int socket, void *data, size_t size, int *ret_fds,
			uint32_t *ret_nr_fds);
	int (*poll)(void *user, int fd, uint32_t events, uint64_t ns);
	int (*peer)(void *user, int socket, struct gmem_sys_peer *ret_peer);
};

/**
 * gmem_sys_linux() - The table that makes real system calls
 *
 * Used where a context is created without a table of its own. Useful to take single functions from.
 * It makes these calls and no other: openat, read, close, fcntl (F_DUPFD_CLOEXEC, F_SETFD), fstat,
 * ioctl, mmap, munmap, madvise, mbind, get_mempolicy, fallocate, memfd_create, ftruncate,
 * clock_nanosleep, write, flock, sched_setaffinity, set_mempolicy, clock_gettime, sendmsg, recvmsg,
 * ppoll, getsockopt.
 *
 * Threads: safe anywhere; the table is constant and takes any @user.
 * Kernel:  the calls above.
 *
 * Return: the table, never NULL.
 */
const struct gmem_sys_ops *gmem_sys_linux(void);

#ifdef __cplusplus
}
#endif

#endif
