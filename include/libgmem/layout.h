/* SPDX-License-Identifier: MIT */
/**
 * DOC: Planning guest memory for large pages
 *
 * A page of 1G can be mapped as one only where the guest address, the offset in the file and the
 * host address leave the same remainder when divided by 1G, and where one node and no hole covers
 * all of it. A layout arranges a guest's memory so that this holds wherever it can, and says for
 * every range how large its pages can be and what keeps them from being larger. It is arithmetic
 * alone and asks no kernel.
 *
 * Which sizes may be used is the caller's choice. A layout that needs a size that is not allowed is
 * refused, and a smaller one is never taken where a larger allowed one fits.
 *
 * The plan says what alignment permits. What a kernel then does depends on the backing: guest_memfd
 * up to 7.3 is mapped in pages of 4K whatever the layout.
 */
#ifndef LIBGMEM_LAYOUT_H
#define LIBGMEM_LAYOUT_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_layout;

/** enum gmem_layout_reason - why the pages of a range are not larger */
enum gmem_layout_reason {
	GMEM_LAYOUT_LARGEST = 0, /* they are of the largest size allowed */
	GMEM_LAYOUT_HOLE = 1,    /* a hole cuts the larger page */
	GMEM_LAYOUT_NODE = 2,    /* the memory of another node begins in the larger page */
	GMEM_LAYOUT_END = 3,     /* the guest's memory ends in the larger page */
};

/* flags of struct gmem_layout_opts */
#define GMEM_LAYOUT_MIXED (UINT32_C(1) << 0) /* one file a node, with ranges of all page sizes */

/**
 * struct gmem_layout_node - how much of the memory lies on a node
 * @size:    bytes, a multiple of GMEM_PAGE_SIZE
 * @node:    NUMA node of the host, or GMEM_NODE_ANY
 * @padding: 0
 */
struct gmem_layout_node {
	uint64_t size;
	uint32_t node;
	uint32_t padding;
};

/**
 * struct gmem_layout_opts - what a layout has to respect
 * @sz:         sizeof(struct gmem_layout_opts)
 * @page_sizes: the sizes allowed, added up: GMEM_PAGE_1G, GMEM_PAGE_2M, GMEM_PAGE_SIZE. Never 0.
 * @holes:      guest addresses without memory, such as those of PCI devices; in ascending order,
 *              apart from each other. Borrowed for the call, as @nodes is.
 * @hole_count: number of @holes
 * @nodes:      the nodes in the order of guest addresses; their sizes add up to the memory's
 * @node_count: number of @nodes; 0 places the memory anywhere
 * @flags:      GMEM_LAYOUT_MIXED: for files of ordinary pages, where a range beside its neighbours
 *              costs nothing. Without it each file holds pages of one size, as files of huge pages
 *              must.
 * @padding:    0
 * @allocator:  where the layout's own memory comes from; NULL is malloc(). Copied.
 */
struct gmem_layout_opts {
	size_t sz;
	uint64_t page_sizes;
	const struct gmem_range *holes;
	size_t hole_count;
	const struct gmem_layout_node *nodes;
	size_t node_count;
	uint32_t flags;
	uint32_t padding;
	const struct gmem_allocator *allocator;
};

/**
 * gmem_layout_create() - Arrange a guest's memory
 * @size:       bytes of memory, a multiple of GMEM_PAGE_SIZE
 * @opts:       what to respect
 * @ret_layout: (out) the layout; release with gmem_layout_unref()
 *
 * The memory fills the guest addresses from 0 up, around the holes.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer; @size, a hole or a node's size unaligned or empty; holes out of
 *                order; nodes that do not add up; an unknown page size or flag; or a range that
 *                needs pages of a size that is not allowed: the record says which and why
 *   -E2BIG       a member that this build does not know is not zero
 *   -ENOMEM      out of memory
 */
int gmem_layout_create(uint64_t size, const struct gmem_layout_opts *opts,
		       struct gmem_layout **ret_layout);

/**
 * gmem_layout_unref() - Release a layout
 * @layout: a layout or NULL
 *
 * Threads: the caller must not use @layout afterwards. Kernel: none.
 *
 * Return: NULL, always.
 */
struct gmem_layout *gmem_layout_unref(struct gmem_layout *layout);

/**
 * struct gmem_layout_range - guest memory that is mapped alike: one memslot
 * @sz:        sizeof(struct gmem_layout_range), set by the caller
 * @gpa:       guest address
 * @size:      bytes, a multiple of @page_size
 * @offset:    where in the file
 * @page_size: bytes of the largest pages that alignment permits
 * @file:      index of the file
 * @node:      NUMA node, or GMEM_NODE_ANY
 * @reason:    enum gmem_layout_reason: why @page_size is not larger
 * @padding:   0
 */
struct gmem_layout_range {
	size_t sz;
	uint64_t gpa;
	uint64_t size;
	uint64_t offset;
	uint64_t page_size;
	uint32_t file;
	uint32_t node;
	uint32_t reason;
	uint32_t padding;
};

/**
 * gmem_layout_get_range() - Read a range of a layout
 * @layout:    a layout
 * @index:     0 for the range with the lowest guest address
 * @ret_range: (in: @sz; out) the range
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_range is longer than this build knows and not zero there
 *   -ENOENT      no more follow
 */
int gmem_layout_get_range(const struct gmem_layout *layout, size_t index,
			  struct gmem_layout_range *ret_range);

/**
 * struct gmem_layout_file - a file that a layout needs
 * @sz:        sizeof(struct gmem_layout_file), set by the caller
 * @size:      bytes, a multiple of @page_size
 * @used:      bytes of it that are guest memory; less than @size where ranges stand apart
 * @page_size: bytes of its pages; with GMEM_LAYOUT_MIXED GMEM_PAGE_SIZE
 * @align:     the host address where the file's offset 0 is mapped has to be a multiple of it
 * @node:      NUMA node, or GMEM_NODE_ANY
 * @padding:   0
 */
struct gmem_layout_file {
	size_t sz;
	uint64_t size;
	uint64_t used;
	uint64_t page_size;
	uint64_t align;
	uint32_t node;
	uint32_t padding;
};

/**
 * gmem_layout_get_file() - Read a file of a layout
 * @layout:   a layout
 * @index:    as in struct gmem_layout_range
 * @ret_file: (in: @sz; out) the file
 *
 * Threads: safe. Kernel: none.
 *
 * Return: as gmem_layout_get_range().
 */
int gmem_layout_get_file(const struct gmem_layout *layout, size_t index,
			 struct gmem_layout_file *ret_file);

/**
 * gmem_layout_reason_text() - A reason in words
 * @reason: enum gmem_layout_reason
 *
 * Threads: safe anywhere. Kernel: none.
 *
 * Return: a constant string, such as "a hole cuts the larger page"; never NULL.
 */
const char *gmem_layout_reason_text(uint32_t reason);

#ifdef __cplusplus
}
#endif

#endif
