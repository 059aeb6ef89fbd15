/* SPDX-License-Identifier: MIT */
/**
 * DOC: Pools of huge pages
 *
 * Linux keeps huge pages (HugeTLB) in a pool for each size and NUMA node. Who wants pages of 1G has
 * them put there first: at boot, or later, where the memory is not in pieces yet. All numbers here
 * are bytes; divided by the page size they are those of /sys/kernel/mm/hugepages.
 *
 * A page of a pool is in use, or free; of the free ones some may be reserved, which means promised
 * to files and mappings that have not touched them yet. The kernel counts promises for the whole
 * machine and not for each node, so that the pages a node can still give are known from below only.
 *
 * The pools belong to the whole machine and have no owner. gmem_hugetlb_reserve() adds to one, and
 * gmem_hugetlb_release() takes back what was added, not more. Between processes that do this
 * through libgmem a lock on the pool keeps each addition whole; a process that writes the number of
 * pages on its own can still undo it. A process that is killed leaves the pool as it was then.
 */
#ifndef LIBGMEM_HUGETLB_H
#define LIBGMEM_HUGETLB_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_hugetlb_share;

/**
 * struct gmem_hugetlb_info - one pool
 * @sz:           sizeof(struct gmem_hugetlb_info), set by the caller
 * @page_size:    bytes of a page
 * @total:        bytes in the pool, in use or free, surplus included
 * @free:         bytes that no file or mapping has
 * @reserved:     bytes of the free ones that are promised; the whole machine's, on a node too
 * @surplus:      bytes beyond the pool's set size: they leave it when they become free
 * @overcommit:   bytes of surplus that the machine may have, the whole machine's, on a node too.
 *                guest_memfd never uses surplus pages.
 * @available:    @free without @reserved: what is certain to be there for a newcomer
 * @cgroup_limit: the smallest limit on pages of this size over the process's control group and
 *                those above it; UINT64_MAX where there is none or none can be seen
 * @cgroup_room:  bytes that the control groups still let the process have; UINT64_MAX as above
 * @node:         the node, or GMEM_NODE_ANY
 * @padding:      0
 */
struct gmem_hugetlb_info {
	size_t sz;
	uint64_t page_size;
	uint64_t total;
	uint64_t free;
	uint64_t reserved;
	uint64_t surplus;
	uint64_t overcommit;
	uint64_t available;
	uint64_t cgroup_limit;
	uint64_t cgroup_room;
	uint32_t node;
	uint32_t padding;
};

/**
 * gmem_hugetlb_get_info() - Read the numbers of a pool
 * @ctx:       a context
 * @page_size: bytes of a page: 2M or 1G on x86
 * @node:      a NUMA node, or GMEM_NODE_ANY for the sum over all
 * @ret_info:  (in: @sz; out) the numbers
 *
 * The numbers are read one after the other and may not fit each other while pages come and go.
 *
 * Threads: safe.
 * Kernel:  reads /sys/kernel/mm/hugepages, /sys/devices/system/node, /proc/self/cgroup and, in
 *          their usual places below /sys/fs/cgroup, the hugetlb files of the control groups.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 *   -EOPNOTSUPP  the kernel has no pages of this size
 *   -ENOENT      there is no such node
 *   other        why the files cannot be read
 */
int gmem_hugetlb_get_info(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
			  struct gmem_hugetlb_info *ret_info);

/**
 * gmem_hugetlb_next_size() - Find the sizes of huge pages that the kernel has
 * @ctx:           a context
 * @above:         0, then the size found
 * @ret_page_size: (out) the next larger size, in bytes
 *
 * Threads: safe.
 * Kernel:  reads /sys/kernel/mm/hugepages.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -ENOENT      no more follow
 */
int gmem_hugetlb_next_size(struct gmem_ctx *ctx, uint64_t above, uint64_t *ret_page_size);

/**
 * gmem_numa_next_node() - Find the NUMA nodes that have memory
 * @ctx:      a context
 * @from:     0, then the node found + 1
 * @ret_node: (out) the first node that is @from or more
 *
 * A kernel without NUMA has node 0 alone.
 *
 * Threads: safe.
 * Kernel:  reads /sys/devices/system/node/has_memory.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -ENOENT      no more follow
 */
int gmem_numa_next_node(struct gmem_ctx *ctx, uint32_t from, uint32_t *ret_node);

/* flags of struct gmem_hugetlb_opts */
#define GMEM_HUGETLB_KEEP (UINT32_C(1) << 0) /* a shortfall: keep what the kernel gave */
#define GMEM_HUGETLB_OWN  (UINT32_C(1) << 1) /* add all of the size, whatever is free already */

/**
 * struct gmem_hugetlb_opts - how to add to a pool
 * @sz:         sizeof(struct gmem_hugetlb_opts)
 * @flags:      GMEM_HUGETLB_… bits
 * @timeout_ms: how long to wait for others that change the pool; 0 is 10 seconds
 */
struct gmem_hugetlb_opts {
	size_t sz;
	uint32_t flags;
	uint32_t timeout_ms;
};

/**
 * gmem_hugetlb_reserve() - See to it that a pool has pages available
 * @ctx:       a context
 * @page_size: bytes of a page
 * @node:      a NUMA node, or GMEM_NODE_ANY to leave the choice to the kernel
 * @size:      bytes, a multiple of @page_size
 * @opts:      NULL for defaults
 * @ret_share: (out) what was added; end with gmem_hugetlb_release() or gmem_hugetlb_leave()
 *
 * Raises the pool until @size bytes are available, by as many pages as are missing, none where
 * enough are. The kernel may give fewer without saying so, most of all of 1G pages on a machine
 * that has run for a while: the pool is read again afterwards.
 *
 * The pages are in the pool for all: who comes first takes them. Creating a file of huge pages, or
 * mapping one, is what claims them. Where several VMMs start at a time, GMEM_HUGETLB_OWN lets each
 * add its own.
 *
 * State:   where the kernel gave too little: -ENOSPC and the pool as before; with GMEM_HUGETLB_KEEP
 *          success, and gmem_hugetlb_added() tells how much.
 * Threads: safe. Blocks: while the kernel clears room, seconds for many pages.
 * Kernel:  flock() and write() on nr_hugepages of the pool: its owner (root) or CAP_DAC_OVERRIDE.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown flag, @size is 0 or no multiple of @page_size
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  the kernel has no pages of this size or cannot make them at run time, or the table
 *                of system calls cannot write files
 *   -ENOENT      there is no such node
 *   -ENOSPC      the kernel found no more pages; the record has the pool's numbers
 *   -EACCES, -EPERM, -EROFS  the file may not be written; the record says what is missing
 *   -EBUSY       others change the pool all the time
 *   -ENOMEM      out of memory
 */
int gmem_hugetlb_reserve(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node, uint64_t size,
			 const struct gmem_hugetlb_opts *opts,
			 struct gmem_hugetlb_share **ret_share);

/**
 * gmem_hugetlb_added() - How much a share added to its pool
 * @share: a share
 *
 * Threads: safe. Kernel: none.
 *
 * Return: bytes; 0 for NULL.
 */
uint64_t gmem_hugetlb_added(const struct gmem_hugetlb_share *share);

/**
 * gmem_hugetlb_release() - Take back from the pool what was added
 * @share: a share
 *
 * Lowers the pool by what the share added and by nothing else. Pages of it that are in use stay
 * with their users and leave the machine's pool when those are done.
 *
 * State:   on failure the share is still there: try again, or gmem_hugetlb_leave().
 * Threads: safe; the caller must not use @share after success.
 * Kernel:  as gmem_hugetlb_reserve().
 *
 * Return: 0, or -errno:
 *   -EINVAL      @share is NULL
 *   -EACCES, -EPERM, -EROFS  the file may not be written any more
 *   -EBUSY       others change the pool all the time
 */
int gmem_hugetlb_release(struct gmem_hugetlb_share *share);

/**
 * gmem_hugetlb_leave() - Leave the pool as it is and forget the share
 * @share: a share or NULL
 *
 * Threads: safe; the caller must not use @share afterwards. Kernel: none.
 *
 * Return: NULL, always.
 */
struct gmem_hugetlb_share *gmem_hugetlb_leave(struct gmem_hugetlb_share *share);

#ifdef __cplusplus
}
#endif

#endif
