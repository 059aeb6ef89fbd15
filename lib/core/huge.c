/* SPDX-License-Identifier: MIT */
/* Huge pages in guest_memfd: two generations that no release has, behind one function. */
#include "huge.h"

#include <errno.h>

#include <libgmem/file.h>

#include "errinfo.h"
#include "kvm_call.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

/* The creation arguments behind size and flags, where the page order must lie. */
#define ORDER_OFFSET_MIN 16u
#define ORDER_OFFSET_MAX 63u

/* Flags that a merged kernel knows under another meaning. */
#define MERGED_FLAGS (GMI_GUEST_MEMFD_FLAG_MMAP | GMI_GUEST_MEMFD_FLAG_INIT_SHARED)

static bool is_one_bit(uint64_t flag)
{
	return flag && !(flag & (flag - 1));
}

int gmi_huge_check_opts(const struct gmem_ctx_opts *opts)
{
	bool is_wip = opts->rfc & GMEM_RFC_HUGETLB_WIP;

	if ((opts->rfc & GMI_RFC_HUGE) == GMI_RFC_HUGE)
		return gmi_error_arg("rfc", "one generation of huge pages at a time");
	if (!is_wip && (opts->hugetlb_flag || opts->hugetlb_order_offset))
		return gmi_error_arg("hugetlb_flag", "it goes with GMEM_RFC_HUGETLB_WIP");
	if (is_wip && (!is_one_bit(opts->hugetlb_flag) || opts->hugetlb_flag & MERGED_FLAGS))
		return gmi_error_arg("hugetlb_flag", "%#llx is not one flag that no release has",
				     (unsigned long long)opts->hugetlb_flag);
	if (is_wip && (opts->hugetlb_order_offset < ORDER_OFFSET_MIN ||
		       opts->hugetlb_order_offset > ORDER_OFFSET_MAX))
		return gmi_error_arg("hugetlb_order_offset", "byte %u is not in the reserved area",
				     opts->hugetlb_order_offset);
	return 0;
}

/* Bits 0 and 1 of this generation: the second is the opposite of a merged kernel's. */
static uint64_t to_flags_of_2025(uint64_t flags)
{
	if (!(flags & GMEM_FILE_MMAP))
		return 0;
	if (flags & GMEM_FILE_INIT_SHARED)
		return GMI_RFC_HUGE2_FLAG_SUPPORT_SHARED;
	return GMI_RFC_HUGE2_FLAG_SUPPORT_SHARED | GMI_RFC_HUGE2_FLAG_INIT_PRIVATE;
}

static int create_2025(const struct gmem_ctx *ctx, int vm_fd, uint64_t size, uint64_t flags,
		       uint64_t page_size)
{
	uint64_t exponent = (uint64_t)__builtin_ctzll(page_size);

	return gmi_kvm_create_guest_memfd(&ctx->sys, vm_fd, size,
					  to_flags_of_2025(flags) | GMI_RFC_HUGE2_FLAG_HUGETLB |
						  exponent << GMI_RFC_HUGE2_SIZE_SHIFT);
}

/* This generation refuses huge pages that start shared. */
static int create_wip(const struct gmem_ctx *ctx, int vm_fd, uint64_t size, uint64_t flags,
		      uint64_t page_size)
{
	uint64_t kernel_flags = flags & GMEM_FILE_MMAP ? GMI_GUEST_MEMFD_FLAG_MMAP : 0;
	int order = __builtin_ctzll(page_size / GMEM_PAGE_SIZE);

	if (flags & GMEM_FILE_INIT_SHARED)
		return -EOPNOTSUPP;
	return gmi_kvm_create_guest_memfd_order(&ctx->sys, vm_fd, size,
						kernel_flags | ctx->hugetlb_flag, (uint8_t)order,
						ctx->hugetlb_order_offset);
}

/* A kernel that means something else by the flag makes a file of its own pages, and says success. */
static int check_pages(const struct gmem_ctx *ctx, int fd, uint64_t page_size)
{
	struct gmem_sys_stat stat;
	int ret = gmi_sys_set_cloexec(&ctx->sys, fd);

	if (!ret)
		ret = gmi_sys_fstat(&ctx->sys, fd, &stat);
	if (!ret && stat.block_size != page_size)
		ret = -EOPNOTSUPP;
	return ret;
}

int gmi_huge_create(const struct gmem_ctx *ctx, int vm_fd, uint64_t size, uint64_t flags,
		    uint64_t page_size)
{
	int fd, ret;

	if (!(ctx->rfc & GMI_RFC_HUGE))
		return -EOPNOTSUPP;
	fd = ctx->rfc & GMEM_RFC_HUGETLB_2025 ? create_2025(ctx, vm_fd, size, flags, page_size)
					      : create_wip(ctx, vm_fd, size, flags, page_size);
	if (fd < 0)
		return fd;
	ret = check_pages(ctx, fd, page_size);
	if (!ret)
		return fd;
	gmi_ctx_close(ctx, fd);
	return ret;
}
