/* SPDX-License-Identifier: MIT */
/* Files of huge pages: guest_memfd in two generations that no release has, and memfds. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "range.h"
#include "sim_model.h"
#include "uapi_mm.h"

#define MMAP        GMI_GUEST_MEMFD_FLAG_MMAP
#define INIT_SHARED GMI_GUEST_MEMFD_FLAG_INIT_SHARED

#define FLAGS_2025                                                                                 \
	(GMI_RFC_HUGE2_FLAG_SUPPORT_SHARED | GMI_RFC_HUGE2_FLAG_INIT_PRIVATE |                     \
	 GMI_RFC_HUGE2_FLAG_HUGETLB | GMI_RFC_HUGE2_SIZE_MASK << GMI_RFC_HUGE2_SIZE_SHIFT)

/* log2 of the host's default huge page. */
#define DEFAULT_EXPONENT 21

/* UNVERIFIED: bit 1 is the opposite of a merged kernel's, and needs bit 0. */
static int flags_of_2025(uint64_t flags, uint64_t *ret_flags)
{
	bool shared = flags & GMI_RFC_HUGE2_FLAG_SUPPORT_SHARED;
	bool private = flags & GMI_RFC_HUGE2_FLAG_INIT_PRIVATE;

	if (private && !shared)
		return -EINVAL;
	*ret_flags = (shared ? MMAP : 0) | (shared && !private ? INIT_SHARED : 0);
	return 0;
}

/* UNVERIFIED: RFC v2, cover.1747264138.git.ackerleytng@google.com. */
static int parse_2025(uint64_t flags, uint64_t *ret_flags, uint64_t *ret_page_size)
{
	uint64_t exponent = flags >> GMI_RFC_HUGE2_SIZE_SHIFT & GMI_RFC_HUGE2_SIZE_MASK;

	if (flags & ~FLAGS_2025 || (exponent && !(flags & GMI_RFC_HUGE2_FLAG_HUGETLB)))
		return -EINVAL;
	if (flags & GMI_RFC_HUGE2_FLAG_HUGETLB)
		*ret_page_size = UINT64_C(1) << (exponent ? exponent : DEFAULT_EXPONENT);
	return flags_of_2025(flags, ret_flags);
}

/* UNVERIFIED: the working tree of 2025-12-08. The flag's bit and the order's place are made up. */
static int parse_wip(struct gmem_sim *sim, const struct sim_vm *vm,
		     const struct gmi_kvm_create_guest_memfd *args, uint64_t *ret_flags,
		     uint64_t *ret_page_size)
{
	uint8_t order = ((const uint8_t *)args)[GMEM_SIM_HUGETLB_WIP_ORDER_OFFSET];
	bool huge = args->flags & GMEM_SIM_HUGETLB_WIP_FLAG;

	if (args->flags & ~gmi_sim_create_flags(sim, vm) || huge != (order != 0) ||
	    (huge && args->flags & INIT_SHARED) || order > 30)
		return -EINVAL;
	if (huge)
		*ret_page_size = (uint64_t)SIM_PAGE << order;
	*ret_flags = args->flags & ~GMEM_SIM_HUGETLB_WIP_FLAG;
	return 0;
}

int gmi_sim_huge_parse(struct gmem_sim *sim, const struct sim_vm *vm, const void *args,
		       uint64_t *ret_flags, uint64_t *ret_page_size)
{
	const struct gmi_kvm_create_guest_memfd *create = args;
	int ret = 0;

	*ret_flags = create->flags;
	*ret_page_size = 0;
	if (sim_has(sim, SIM_HUGE_2025))
		ret = parse_2025(create->flags, ret_flags, ret_page_size);
	else if (sim_has(sim, SIM_HUGE_WIP))
		ret = parse_wip(sim, vm, create, ret_flags, ret_page_size);
	else if (create->flags & ~gmi_sim_create_flags(sim, vm))
		ret = -EINVAL;
	if (!ret && *ret_page_size &&
	    (!gmi_sim_pool_find(sim, *ret_page_size) || create->size % *ret_page_size))
		ret = -EINVAL;
	return ret;
}

/* hugetlb_file_setup(): the size stands in the flags, or is the host's default. */
int gmi_sim_huge_memfd(struct gmem_sim *sim, uint32_t flags)
{
	uint64_t exponent = flags >> GMI_MFD_HUGE_SHIFT;
	struct sim_pool *pool =
		gmi_sim_pool_find(sim, UINT64_C(1) << (exponent ? exponent : DEFAULT_EXPONENT));

	return pool ? gmi_sim_new_huge_memfd(sim, pool) : -ENODEV;
}

int gmi_sim_huge_truncate(struct sim_inode *inode, uint64_t size)
{
	if (size % inode->page_size || size < inode->size)
		return -EINVAL;
	if (ftruncate(inode->fd, (off_t)size) < 0)
		return -errno;
	inode->size = size;
	return 0;
}

/* hugetlbfs_file_mmap() */
int gmi_sim_huge_mmap(struct sim_inode *inode, uint64_t offset, uint64_t size, int flags)
{
	if (offset % inode->page_size || size % inode->page_size)
		return -EINVAL;
	if (flags & MAP_NORESERVE)
		return 0;
	return gmi_sim_huge_promise(inode, offset, size);
}

/* UNVERIFIED: the order of checks, and what error_offset tells. */
int gmi_sim_huge_convert(struct gmem_sim *sim, struct sim_inode *inode, uint64_t arg, bool private)
{
	struct gmi_rfc_huge2_convert args;
	int ret;

	if (gmi_sim_copy_in(&args, arg, sizeof(args)))
		return -EFAULT;
	if (!(inode->flags & MMAP) || !gmi_range_is_paged(args.offset, args.size) ||
	    !gmi_range_is_within(args.offset, args.size, inode->size))
		return -EINVAL;
	args.error_offset = args.offset;
	ret = gmi_sim_convert(sim, inode, args.offset, args.offset + args.size, private,
			      &args.error_offset);
	if (ret && gmi_sim_copy_out(arg, &args, sizeof(args)))
		return -EFAULT;
	return ret;
}
