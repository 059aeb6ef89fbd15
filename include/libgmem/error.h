/* SPDX-License-Identifier: MIT */
/**
 * DOC: Errors
 *
 * Every call that can fail returns 0 or a useful non-negative number on success and `-errno` on
 * failure. Results come out through `ret_…` parameters, which are written on success only; the one
 * exception is `ret_done`, the bytes completed from the start of the request, which is valid on
 * failure too: calling again with the rest is correct.
 *
 * What libgmem raises itself is this closed set. Any other code is the kernel's own, passed on.
 *
 *   -EINVAL      the caller broke a documented rule. Nothing was asked of the kernel yet.
 *   -E2BIG       an options struct carries a value that this build does not know
 *   -EOPNOTSUPP  this kernel, build or type of VM cannot; the record says which feature is missing
 *   -EXDEV       the objects do not belong together (a file of another VM)
 *   -EEXIST      the guest addresses or the range of the file are bound already
 *   -EBUSY       the memslot id is taken, or the object is in use
 *   -EAGAIN      transient; nothing changed beyond `ret_done`; trying again is right
 *   -EINTR       a signal arrived; nothing changed beyond `ret_done`
 *   -ENOENT      nothing is there (a lookup)
 *   -ENOSPC      no memslot id or huge page is left
 *   -ENOMEM      the host has no memory left
 *   -EPERM, -EACCES  a permission is missing; the record says which
 *   -EIO         the firmware refused (fw_error has its code), or KVM says that the VM is dead
 *   -ESTALE      the VM is dead, or the object belongs to an earlier VM
 *   -ENOTRECOVERABLE  it failed half-way, and so did the way back
 *   -EHWPOISON   the range has a poisoned page
 *   -ECANCELED   the caller cancelled it
 *   -ETIMEDOUT   the time that the caller gave was up
 *   -EPROTO      the peer of a hand-over said what it must not, or what cannot be
 *   -ECONNRESET  the peer of a hand-over is gone
 */
#ifndef LIBGMEM_ERROR_H
#define LIBGMEM_ERROR_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which of the numbers in struct gmem_errinfo say something. */
#define GMEM_ERR_GPA     (UINT32_C(1) << 0)
#define GMEM_ERR_OFFSET  (UINT32_C(1) << 1)
#define GMEM_ERR_SIZE    (UINT32_C(1) << 2)
#define GMEM_ERR_SLOT    (UINT32_C(1) << 3)
#define GMEM_ERR_FW      (UINT32_C(1) << 4)
#define GMEM_ERR_FEATURE (UINT32_C(1) << 5)

/**
 * struct gmem_errinfo - what failed, where and why
 * @sz:       size of this struct as the library knows it
 * @error:    the code that the failing call returned, negative
 * @valid:    GMEM_ERR_… bits: which of the numbers below were set
 * @op:       the public function that failed
 * @arg:      the argument or struct member that broke a rule, or NULL
 * @call:     the system call or KVM ioctl that failed, by name, or NULL where libgmem itself
 *            refused
 * @gpa:      guest address, in bytes
 * @offset:   offset in the file, in bytes
 * @size:     bytes
 * @slot_id:  memslot id
 * @feature:  enum gmem_feature that is missing
 * @fw_error: code of the SEV firmware or TDX module
 * @message:  one sentence for a person, without a newline; never empty
 *
 * The strings are valid as long as the record is.
 */
struct gmem_errinfo {
	size_t sz;
	int32_t error;
	uint32_t valid;
	const char *op;
	const char *arg;
	const char *call;
	uint64_t gpa;
	uint64_t offset;
	uint64_t size;
	uint32_t slot_id;
	uint32_t feature;
	uint64_t fw_error;
	char message[256];
};

/**
 * gmem_errinfo() - The record of the last call that failed on this thread
 *
 * Threads: each thread has its own. The pointer stays valid for the thread's life; its content
 *          changes with the next failing call of libgmem on the same thread. Successful calls leave
 *          it alone.
 * Kernel:  none.
 *
 * Return: the record; before any failure one with @error 0 and the message "no error".
 */
const struct gmem_errinfo *gmem_errinfo(void);

/**
 * gmem_strerror() - What an error code means when libgmem returns it
 * @error: a code as returned, negative
 *
 * Threads: safe anywhere. The string is constant.
 * Kernel:  none.
 *
 * Return: a sentence; for a code that libgmem does not raise itself one that says so.
 */
const char *gmem_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
