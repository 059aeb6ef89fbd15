/* SPDX-License-Identifier: MIT */
/* Stands before a table of system calls: writes the calls down, and lets one or all later ones fail. */
#ifndef GT_SHIM_H
#define GT_SHIM_H

#include "gmem_test.h"

enum gt_call_kind {
	GT_OPEN,
	GT_CLOSE,
	GT_DUP,
	GT_SET_CLOEXEC,
	GT_FSTAT,
	GT_IOCTL,
	GT_MMAP,
	GT_MUNMAP,
	GT_MADVISE,
	GT_MBIND,
	GT_GET_MEMPOLICY,
	GT_FALLOCATE,
	GT_MEMFD,
	GT_FTRUNCATE,
	GT_READ_FILE,
	GT_SLEEP,
	GT_WRITE_FILE,
	GT_FLOCK,
	GT_SET_AFFINITY,
	GT_SET_MEMPOLICY,
	GT_NOW,
	GT_CALL_KINDS
};

struct gt_call {
	enum gt_call_kind kind;
	uint64_t request; /* of an ioctl, else 0 */
};

#define GT_CALLS_MAX 4096

/* Not for several threads at a time. */
struct gt_shim {
	const struct gmem_sys_ops *inner;
	void *inner_user;
	size_t count; /* of the calls made; only GT_CALLS_MAX are written down */
	struct gt_call calls[GT_CALLS_MAX];
	size_t fail_at; /* index of the call that fails; SIZE_MAX: none */
	int fail_with;  /* -errno */
	bool fail_on;   /* all calls from there on fail */
	bool failed;    /* it came to that */
};

extern const struct gmem_sys_ops gt_shim_ops;

void gt_shim_init(struct gt_shim *shim, const struct gt *t);

/* Forgets the calls and lets none fail. */
void gt_shim_reset(struct gt_shim *shim);

/* Forgets the calls; the one with index @at will fail, or all from it on. */
void gt_shim_arm(struct gt_shim *shim, size_t at, int error, bool on);

const char *gt_call_name(struct gt_call call);

/* What such a call may fail with on a healthy machine, a list ending with 0. */
const int *gt_call_errors(struct gt_call call);

/* An allocator that counts what is in use, and whose @fail_at-th allocation fails. */
struct gt_heap {
	size_t in_use;
	size_t count;
	size_t fail_at;
	bool failed;
};

struct gmem_allocator gt_heap_allocator(struct gt_heap *heap);
void gt_heap_reset(struct gt_heap *heap);

#endif
