/* SPDX-License-Identifier: MIT */
/* Huge pages in guest_memfd: two generations that no release has, behind one function. */
#ifndef GMI_HUGE_H
#define GMI_HUGE_H

#include "core_ctx.h"

#define GMI_RFC_HUGE (GMEM_RFC_HUGETLB_2025 | GMEM_RFC_HUGETLB_WIP)

/* -EINVAL with a record where the caller's choice of a generation is not whole. */
int gmi_huge_check_opts(const struct gmem_ctx_opts *opts);

/*
 * A file of @size bytes in pages of @page_size, close-on-exec, with GMEM_FILE_… @flags, by the
 * generation that the context names. Returns the descriptor, or -errno without a record:
 * -EOPNOTSUPP also where the kernel made a file of other pages.
 */
int gmi_huge_create(const struct gmem_ctx *ctx, int vm_fd, uint64_t size, uint64_t flags,
		    uint64_t page_size);

#endif
