/* SPDX-License-Identifier: MIT */
/* A kernel that says yes to everything and does nothing: what remains is the library's own time. */
#ifndef NOOP_KERNEL_H
#define NOOP_KERNEL_H

#include <libgmem/sys.h>

/* Calls counted since noop_reset(). */
struct noop_calls {
	uint64_t attributes;
	uint64_t fallocates;
	uint64_t madvises;
	uint64_t pre_faults;
	uint64_t others;
};

extern struct noop_calls noop_calls;

void noop_reset(void);

/* Software-protected VMs with per-VM attributes, no in-place conversion. */
const struct gmem_sys_ops *noop_kernel(void);

#endif
