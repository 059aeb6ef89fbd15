/* SPDX-License-Identifier: MIT */
/**
 * DOC: Call trace and fault injection (libgmem-sim)
 *
 * A shim is a table of system calls that passes every call on to another table, a simulated
 * kernel's or the real one's. It writes down what was called, counts, and fails those calls that it
 * was told to. It answers "how many system calls did this cost" and "what does my program do when
 * the third mmap fails".
 */
#ifndef LIBGMEM_SHIM_H
#define LIBGMEM_SHIM_H

#include <libgmem/sys.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_shim;

/** enum gmem_call - the members of struct gmem_sys_ops; numbers are never reused */
enum gmem_call {
	GMEM_CALL_OPEN = 0,
	GMEM_CALL_CLOSE = 1,
	GMEM_CALL_DUP = 2,
	GMEM_CALL_SET_CLOEXEC = 3,
	GMEM_CALL_FSTAT = 4,
	GMEM_CALL_IOCTL = 5,
	GMEM_CALL_MMAP = 6,
	GMEM_CALL_MUNMAP = 7,
	GMEM_CALL_MADVISE = 8,
	GMEM_CALL_MBIND = 9,
	GMEM_CALL_GET_MEMPOLICY = 10,
	GMEM_CALL_FALLOCATE = 11,
	GMEM_CALL_MEMFD = 12,
	GMEM_CALL_FTRUNCATE = 13,
	GMEM_CALL_READ_FILE = 14,
	GMEM_CALL_SLEEP = 15,
	GMEM_CALL_WRITE_FILE = 16,
	GMEM_CALL_FLOCK = 17,
	GMEM_CALL_SET_AFFINITY = 18,
	GMEM_CALL_SET_MEMPOLICY = 19,
	GMEM_CALL_NOW = 20,
	GMEM_CALL_SEND_FDS = 21,
	GMEM_CALL_RECV_FDS = 22,
	GMEM_CALL_POLL = 23,
	GMEM_CALL_PEER = 24,
	GMEM_CALL_COUNT,
	GMEM_CALL_ANY = 255 /* all kinds, where a function takes one */
};

/**
 * gmem_call_name() - The name of a kind of call, as the member of struct gmem_sys_ops has it
 * @call: an enum gmem_call
 *
 * Threads: safe. Kernel: none.
 *
 * Return: a constant string; "any" for GMEM_CALL_ANY, "?" for what is no kind.
 */
const char *gmem_call_name(uint32_t call);

/**
 * gmem_shim_create() - Put a shim over a table of system calls
 * @below:      the table to pass calls on to; NULL is the real kernel's
 * @below_user: the @user of that table
 * @ret_shim:   (out) the shim; release with gmem_shim_unref()
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @ret_shim is NULL, or @below lacks a member that is not optional
 *   -ENOMEM  out of memory
 */
int gmem_shim_create(const struct gmem_sys_ops *below, void *below_user,
		     struct gmem_shim **ret_shim);

/**
 * gmem_shim_unref() - Release a shim
 * @shim: a shim, or NULL
 *
 * Threads: nobody may use @shim any more. Kernel: none.
 */
void gmem_shim_unref(struct gmem_shim *shim);

/**
 * gmem_shim_ops() - The table of a shim; its @user is the struct gmem_shim
 *
 * Threads: safe; the table is constant. Kernel: none.
 *
 * Return: the table, never NULL.
 */
const struct gmem_sys_ops *gmem_shim_ops(void);

/**
 * struct gmem_shim_call - one call that passed
 * @call:     enum gmem_call
 * @fd:       its descriptor, or -1
 * @request:  of an ioctl; the mode, prot or advice of others; 0
 * @arg:      the pointer or number of an ioctl; an address of others; 0
 * @offset:   bytes
 * @size:     bytes
 * @result:   what the caller got
 * @injected: 1 where the shim made that up
 */
struct gmem_shim_call {
	uint32_t call;
	int32_t fd;
	uint64_t request;
	uint64_t arg;
	uint64_t offset;
	uint64_t size;
	int32_t result;
	uint32_t injected;
};

/**
 * gmem_shim_read() - Read the trace
 * @shim:     a shim
 * @index:    0 is the oldest call since the start or the last reset
 * @ret_call: (out) the call
 *
 * Calls are in the order in which they began. One that is under way has -EINPROGRESS as @result.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer
 *   -ENOENT  there are no more calls, or no memory was left to note this one
 */
int gmem_shim_read(struct gmem_shim *shim, uint64_t index, struct gmem_shim_call *ret_call);

/**
 * gmem_shim_count() - Count calls
 * @shim:    a shim
 * @call:    enum gmem_call, or GMEM_CALL_ANY
 * @request: an ioctl request to count alone, with GMEM_CALL_IOCTL; 0 is all
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the calls since the start or the last reset, failed ones and injected ones included.
 */
uint64_t gmem_shim_count(struct gmem_shim *shim, uint32_t call, uint64_t request);

/**
 * gmem_shim_reset() - Forget trace, counts and what was to fail
 * @shim: a shim
 *
 * Threads: safe. Kernel: none.
 */
void gmem_shim_reset(struct gmem_shim *shim);

/* @flags of gmem_shim_fail() */
#define GMEM_SHIM_EVERY (UINT32_C(1) << 0) /* that call and all that follow; once without */

/**
 * gmem_shim_fail() - Make a call fail
 * @shim:    a shim
 * @call:    enum gmem_call, or GMEM_CALL_ANY
 * @request: an ioctl request, with GMEM_CALL_IOCTL; 0 is all
 * @nth:     1 is the next call of that kind from now on
 * @error:   what the caller gets, negative: -ENOMEM
 * @flags:   0 or GMEM_SHIM_EVERY
 *
 * A failing call has no effect below, but for close(): the descriptor is gone all the same, as
 * Linux does it. Up to eight faults can wait at a time.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @shim is NULL, @nth is 0, @error not negative, an unknown kind or flag
 *   -ENOSPC  eight faults wait already
 */
int gmem_shim_fail(struct gmem_shim *shim, uint32_t call, uint64_t request, uint64_t nth, int error,
		   uint32_t flags);

/**
 * gmem_shim_injected() - Count the calls that were made to fail
 * @shim: a shim
 *
 * Threads: safe. Kernel: none.
 *
 * Return: how many since the start or the last reset; 0 means that no fault was reached.
 */
uint64_t gmem_shim_injected(struct gmem_shim *shim);

#ifdef __cplusplus
}
#endif

#endif
