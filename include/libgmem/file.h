/* SPDX-License-Identifier: MIT */
/**
 * DOC: Files of guest memory
 *
 * An inode owns pages; a file is one VM's view of an inode and is one descriptor. Its pages appear
 * when they are first touched or when they are populated, read as zero, are never swapped or moved,
 * and go when they are punched or when the last file and mapping of the inode go.
 *
 * Which memory a guest sees, on kernels up to 7.3:
 *
 *   VM with         flags of the file   guest's private  guest's shared   the host sees
 *   private memory  0                   file             other backing    the backing
 *   private memory  MMAP                file             file             nothing (SIGBUS)
 *   shared only     MMAP | INIT_SHARED  -                file             file
 *   shared only     MMAP                -                file             nothing (SIGBUS)
 *   shared only     0                   -                other backing    the backing
 *
 * For a VM with private memory take flags 0, for one without GMEM_FILE_MMAP and
 * GMEM_FILE_INIT_SHARED.
 */
#ifndef LIBGMEM_FILE_H
#define LIBGMEM_FILE_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GMEM_FILE_MMAP        (UINT64_C(1) << 0) /* the host can map the file (6.18) */
#define GMEM_FILE_INIT_SHARED (UINT64_C(1) << 1) /* its memory starts shared (6.18) */

/** enum gmem_numa_mode - how the pages of a file are placed; the modes of mbind(2) */
enum gmem_numa_mode {
	GMEM_NUMA_DEFAULT = 0,    /* the policy of the thread that allocates */
	GMEM_NUMA_PREFERRED = 1,  /* the first node named, else any */
	GMEM_NUMA_BIND = 2,       /* the nodes named and no other */
	GMEM_NUMA_INTERLEAVE = 3, /* page by page over the nodes named */
};

/**
 * struct gmem_file_opts - what kind of file
 * @sz:         sizeof(struct gmem_file_opts)
 * @flags:      GMEM_FILE_… bits
 * @raw_flags:  kernel flags newer than this library, passed on as they are; the kernel must
 *              announce them in KVM_CAP_GUEST_MEMFD_FLAGS
 * @numa_mode:  enum gmem_numa_mode, for the whole file; needs GMEM_FILE_MMAP and GMEM_FEATURE_NUMA
 * @node_words: number of words in @nodes
 * @nodes:      bit mask of NUMA nodes; empty for GMEM_NUMA_DEFAULT only. Borrowed for the call.
 * @page_size:  bytes of the file's pages: 0 is the kernel's choice, GMEM_PAGE_2M or GMEM_PAGE_1G takes
 *              huge pages from the host's pool (hugetlb.h) where the context names a generation that
 *              has them. All of them are promised to the file when it is made.
 */
struct gmem_file_opts {
	size_t sz;
	uint64_t flags;
	uint64_t raw_flags;
	uint32_t numa_mode;
	uint32_t node_words;
	const uint64_t *nodes;
	uint64_t page_size;
};

/**
 * gmem_file_create() - Make a file of guest memory for a VM
 * @vm:       a VM
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE, below 2^63
 * @opts:     NULL for a file that only the guest reaches
 * @ret_file: (out) the file; release with gmem_file_unref()
 *
 * Allocates no page. The file belongs to this VM: another cannot bind it.
 *
 * Threads: safe. Blocks: no.
 * Kernel:  KVM_CREATE_GUEST_MEMFD (6.8; flags 6.18); mbind() where a policy is asked for (6.19).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, @size, an unknown flag, GMEM_FILE_INIT_SHARED without
 *                GMEM_FILE_MMAP, a policy without nodes or without GMEM_FILE_MMAP, or the kernel
 *                refused the nodes
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  the kernel has no guest_memfd, or not this flag, placement or page size for this type
 *                of VM
 *   -ENOSPC      no huge page is available to find out whether the kernel has files of them
 *   -ENOMEM, -EMFILE, -ENFILE  no memory or no descriptor left
 *   -ESTALE      the VM is dead
 */
int gmem_file_create(struct gmem_vm *vm, uint64_t size, const struct gmem_file_opts *opts,
		     struct gmem_file **ret_file);

/**
 * gmem_file_adopt() - Take over a descriptor of guest memory
 * @vm:       the VM that the file was made for
 * @fd:       the descriptor; libgmem's on success, the caller's on failure. Gets close-on-exec.
 * @opts:     what it was made with, flags only: the kernel does not tell
 * @ret_file: (out) the file; release with gmem_file_unref()
 *
 * Checks by harmless calls that the descriptor is guest memory and not, say, a memfd. That it
 * belongs to this VM shows when it is bound.
 *
 * Threads: safe.
 * Kernel:  fstat(), mmap(), fallocate() with a hole beyond the file's end.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a negative @fd, flags as for gmem_file_create(), or no guest
 *                memory
 *   -E2BIG       a member that this build does not know is not zero
 *   -EBUSY       the VM has this inode already
 *   -EBADF       @fd is not open
 *   -ENOMEM      out of memory
 */
int gmem_file_adopt(struct gmem_vm *vm, int fd, const struct gmem_file_opts *opts,
		    struct gmem_file **ret_file);

/**
 * gmem_file_borrow() - Work with a descriptor of guest memory that the caller keeps
 *
 * As gmem_file_adopt(), but the descriptor stays the caller's, who must not close it before the
 * file and its bound ranges are released here. Whether it is close-on-exec is the caller's choice.
 *
 * Threads: safe.
 * Kernel:  as gmem_file_adopt().
 *
 * Return: as gmem_file_adopt().
 */
int gmem_file_borrow(struct gmem_vm *vm, int fd, const struct gmem_file_opts *opts,
		     struct gmem_file **ret_file);

/**
 * gmem_file_unref() - Give up the caller's reference
 * @file: a file or NULL
 *
 * The descriptor is closed when the ranges bound from it are unbound too.
 *
 * Threads: safe; the caller must not use @file afterwards.
 * Kernel:  munmap(), close().
 *
 * Return: NULL, always.
 */
struct gmem_file *gmem_file_unref(struct gmem_file *file);

/**
 * gmem_file_fd() - The file's descriptor
 * @file: a file
 *
 * It stays the file's. Whoever holds a duplicate keeps the memory and the VM alive.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the descriptor; -EINVAL for NULL.
 */
int gmem_file_fd(const struct gmem_file *file);

/**
 * struct gmem_file_info - facts of a file
 * @sz:         sizeof(struct gmem_file_info), set by the caller
 * @size:       bytes
 * @flags:      GMEM_FILE_… bits
 * @raw_flags:  as given at creation
 * @dev:        st_dev: with @ino it names the inode
 * @ino:        st_ino
 * @block_size: st_blksize: bytes of the pages that the file is made of
 * @bytes_bound: bytes of the ranges bound from it
 * @borrowed:   1 where the descriptor is the caller's
 */
struct gmem_file_info {
	size_t sz;
	uint64_t size;
	uint64_t flags;
	uint64_t raw_flags;
	uint64_t dev;
	uint64_t ino;
	uint64_t block_size;
	uint64_t bytes_bound;
	uint32_t borrowed;
	uint32_t padding;
};

/**
 * gmem_file_get_info() - Read the facts of a file
 * @file:     a file
 * @ret_info: (in: @sz; out) the facts
 *
 * Threads: safe.
 * Kernel:  fstat(), at the first call for a file that gmem_file_create() made.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 *   other        the descriptor could not be asked
 */
int gmem_file_get_info(struct gmem_file *file, struct gmem_file_info *ret_info);

/**
 * gmem_file_map() - Map a part of a file for the host, readable and writable
 * @file:     a file made with GMEM_FILE_MMAP
 * @offset:   bytes, a multiple of GMEM_PAGE_SIZE
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE, inside the file
 * @ret_addr: (out) the mapping; release with gmem_file_unmap()
 *
 * A file that was linked without GMEM_RIGHT_WRITE is mapped readable alone. Touching a page that is
 * private raises SIGBUS. A mapping keeps the file's memory, and its VM in
 * the kernel, alive.
 *
 * Threads: safe.
 * Kernel:  mmap(MAP_SHARED) of the file (6.18).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a range unaligned, empty or outside the file
 *   -EOPNOTSUPP  the file was made without GMEM_FILE_MMAP
 *   -ENOMEM      no address space left
 */
int gmem_file_map(struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr);

/**
 * gmem_file_unmap() - Undo gmem_file_map()
 * @file: the file
 * @addr: what gmem_file_map() gave
 * @size: the size given to it
 *
 * Threads: safe; nobody may touch the mapping any more.
 * Kernel:  munmap().
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or an address or size unaligned or empty
 */
int gmem_file_unmap(struct gmem_file *file, void *addr, uint64_t size);

/**
 * gmem_file_populate() - Allocate the pages of a range
 * @file:     a file
 * @offset:   bytes, a multiple of GMEM_PAGE_SIZE
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE, inside the file
 * @ret_done: (out, may be NULL) bytes known to be allocated from @offset on, on failure too
 *
 * Pages that are there stay as they are. New ones are zeroed at their first use, not here. Works in
 * pieces, so that a signal does not wait for the whole.
 *
 * State:   on failure the pages allocated so far stay.
 * Threads: safe. Blocks: for the allocation.
 * Kernel:  fallocate(FALLOC_FL_KEEP_SIZE) (6.8).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a range unaligned, empty or outside the file
 *   -EPERM       the file was linked without GMEM_RIGHT_POPULATE
 *   -EINTR       a signal arrived
 *   -ENOMEM, -ENOSPC  no memory left; note that the kernel may kill the process instead
 */
int gmem_file_populate(struct gmem_file *file, uint64_t offset, uint64_t size, uint64_t *ret_done);

/**
 * gmem_file_punch() - Free the pages of a range
 * @file:   a file
 * @offset: bytes, a multiple of GMEM_PAGE_SIZE
 * @size:   bytes, a multiple of GMEM_PAGE_SIZE, inside the file
 *
 * The data is gone, for guests and host alike and in every VM on the inode; the next touch finds
 * zeros. Whether a page is private or shared does not change. Listeners of other VMs on the inode
 * are told to unmap what is shared of it before and to map it after; listeners of the file's own VM
 * are not told.
 *
 * Threads: safe with everything; a guest that uses the range meanwhile sees old data or zeros.
 * Kernel:  fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) (6.8).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a range unaligned, empty or outside the file
 *   -EPERM       the file was linked without GMEM_RIGHT_PUNCH
 *   -EINTR       a signal arrived; a part may be freed already, and doing it again is harmless
 *   other        what a listener of another VM answered: to unmap, and nothing was freed; to map
 *                again, and the pages are freed
 */
int gmem_file_punch(struct gmem_file *file, uint64_t offset, uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
