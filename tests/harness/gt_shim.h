/* SPDX-License-Identifier: MIT */
/* What calls are named and may fail with, for sweeps over a shim; an allocator that counts and fails. */
#ifndef GT_SHIM_H
#define GT_SHIM_H

#include <libgmem/shim.h>

#include "gmem_test.h"

/* "KVM_CREATE_VM", "mmap", ... */
const char *gt_call_name(const struct gmem_shim_call *call);

/* What such a call may fail with on a healthy machine, a list ending with 0. */
const int *gt_call_errors(const struct gmem_shim_call *call);

/* How many calls passed since the last reset. */
uint64_t gt_calls(struct gmem_shim *shim);

/* The @fail_at-th allocation fails. Any thread may allocate. */
struct gt_heap {
	_Atomic size_t in_use;
	_Atomic size_t count;
	size_t fail_at;
	_Atomic bool failed;
};

struct gmem_allocator gt_heap_allocator(struct gt_heap *heap);
void gt_heap_reset(struct gt_heap *heap);

#endif
