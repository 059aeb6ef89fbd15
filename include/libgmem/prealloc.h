/* SPDX-License-Identifier: MIT */
/**
 * DOC: Memory that is ready before the guest starts
 *
 * A preallocation is a list of ranges that are all made ready by all threads at once: pieces of the
 * ranges are handed to whichever thread is free, those of a thread's own NUMA node first. The
 * threads are the caller's, who calls gmem_prealloc_work() on each, or libgmem's own, made for
 * gmem_prealloc_run() and gone when it returns.
 *
 * How far the ranges are brought:
 *
 *   GMEM_PREALLOC_RESERVE      the pages are allocated; each is zeroed at its first use
 *   GMEM_PREALLOC_READY        allocated, zeroed and mapped for the host
 *   GMEM_PREALLOC_GUEST_READY  allocated and mapped for the guest, through the caller's vCPUs
 *
 * The first failure ends all of it, with the reason: nothing is left half done in silence. With
 * GMEM_PREALLOC_UNDO the ranges are then freed again; without it what is done stays, and a second
 * preallocation of the same ranges goes quickly over that.
 *
 * Nothing here raises a signal. Where the host has no memory for it, the preallocation is refused
 * before it begins, as far as the kernel's numbers tell: on the way there the kernel might kill the
 * process.
 *
 * The policy of the calling thread is never changed, on none of the threads.
 */
#ifndef LIBGMEM_PREALLOC_H
#define LIBGMEM_PREALLOC_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_prealloc;

/** enum gmem_prealloc_mode - how far the ranges are brought */
enum gmem_prealloc_mode {
	GMEM_PREALLOC_RESERVE = 0,
	GMEM_PREALLOC_READY = 1,
	GMEM_PREALLOC_GUEST_READY = 2,
};

/* flags of struct gmem_prealloc_opts */
#define GMEM_PREALLOC_UNDO     (UINT32_C(1) << 0) /* free the ranges where not all of it was done */
#define GMEM_PREALLOC_NO_CHECK (UINT32_C(1) << 1) /* do not compare with what the host has first */

/* @workers: as many threads as make it faster, at most one a CPU. */
#define GMEM_PREALLOC_AUTO UINT32_MAX

/** enum gmem_prealloc_state - where a preallocation stands */
enum gmem_prealloc_state {
	GMEM_PREALLOC_NEW = 0,     /* ranges may be added */
	GMEM_PREALLOC_RUNNING = 1, /* threads are at work, or expected */
	GMEM_PREALLOC_UNDOING = 2, /* it failed and the ranges are being freed */
	GMEM_PREALLOC_OVER = 3,    /* done or failed */
};

/**
 * struct gmem_prealloc_info - how far a preallocation is
 * @sz:         sizeof(struct gmem_prealloc_info), set by the caller
 * @total:      bytes of all ranges
 * @done:       bytes that are as ready as they were asked to be, in any order
 * @rate:       bytes a second since the start
 * @elapsed_ns: time since the start
 * @left_ns:    time left at this rate; UINT64_MAX where nobody knows yet
 * @state:      enum gmem_prealloc_state
 * @workers:    threads at work
 * @workers_max: most threads that were at work at a time
 * @error:      0, or the code that ended it
 */
struct gmem_prealloc_info {
	size_t sz;
	uint64_t total;
	uint64_t done;
	uint64_t rate;
	uint64_t elapsed_ns;
	uint64_t left_ns;
	uint32_t state;
	uint32_t workers;
	uint32_t workers_max;
	int32_t error;
};

/**
 * struct gmem_prealloc_opts - how to preallocate
 * @sz:            sizeof(struct gmem_prealloc_opts)
 * @mode:          enum gmem_prealloc_mode
 * @flags:         GMEM_PREALLOC_… bits. GMEM_PREALLOC_UNDO is for ranges that hold nothing yet:
 *                 whatever they held before is freed with the rest.
 * @workers:       threads that gmem_prealloc_run() makes: a number for all nodes together, or
 *                 GMEM_PREALLOC_AUTO; 0 is none, the calling thread does it alone
 * @barrier:       gmem_prealloc_work() begins when that many threads have come; 0 is at once.
 *                 Memory is mapped for a process under a lock that making a thread needs too: begin
 *                 when all exist.
 * @timeout_ns:    ends it with -ETIMEDOUT; 0 is never. Looked at between pieces.
 * @progress_ns:   time between calls of @progress; 0 is 100 milliseconds
 * @progress:      told how far it is, and once at its end; one thread at a time, one that works.
 *                 What is not 0 cancels. It must not call functions on this preallocation but
 *                 gmem_prealloc_cancel().
 * @progress_user: first argument of @progress
 * @vcpu_fds:      vCPUs of the ranges' VM, for GMEM_PREALLOC_GUEST_READY: one thread can use one at
 *                 a time. They must not run meanwhile. Borrowed until the preallocation is
 *                 released.
 * @vcpu_count:    number of @vcpu_fds
 * @padding:       0
 */
struct gmem_prealloc_opts {
	size_t sz;
	uint32_t mode;
	uint32_t flags;
	uint32_t workers;
	uint32_t barrier;
	uint64_t timeout_ns;
	uint64_t progress_ns;
	int (*progress)(void *user, const struct gmem_prealloc_info *info);
	void *progress_user;
	const int *vcpu_fds;
	uint32_t vcpu_count;
	uint32_t padding;
};

/**
 * gmem_prealloc_create() - Begin a list of ranges to preallocate
 * @ctx:          a context
 * @opts:         NULL for defaults: mode reserve, the calling thread alone
 * @ret_prealloc: (out) the preallocation; release with gmem_prealloc_unref()
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown mode or flag, GMEM_PREALLOC_GUEST_READY without vCPUs
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  the table of system calls does not tell the time
 *   -ENOMEM      out of memory
 */
int gmem_prealloc_create(struct gmem_ctx *ctx, const struct gmem_prealloc_opts *opts,
			 struct gmem_prealloc **ret_prealloc);

/* flags of struct gmem_prealloc_range */
#define GMEM_PREALLOC_FD  (UINT32_C(1) << 0) /* @fd is the memory */
#define GMEM_PREALLOC_GPA (UINT32_C(1) << 1) /* @gpa is where the guest sees it */

/**
 * struct gmem_prealloc_range - memory to preallocate
 * @sz:         sizeof(struct gmem_prealloc_range)
 * @flags:      GMEM_PREALLOC_FD, _GPA
 * @fd:         with GMEM_PREALLOC_FD and without @file: a memfd. Borrowed until the preallocation
 *              is over.
 * @file:       a file of guest memory, or NULL. A reference is held until the preallocation is
 *              released.
 * @offset:     where in the file or memfd the range begins; a multiple of its page size
 * @size:       bytes, a multiple of the page size
 * @hva:        the caller's mapping of the very same memory, or NULL. Without one, memory that has
 *              to be zeroed is mapped for the time by libgmem. With neither @file nor @fd it is the
 *              memory.
 * @gpa:        guest address, with GMEM_PREALLOC_GPA; needed for GMEM_PREALLOC_GUEST_READY
 * @numa_mode:  enum gmem_numa_mode; GMEM_NUMA_DEFAULT leaves the policy that the memory has
 * @node_words: number of words in @nodes
 * @nodes:      bit mask of NUMA nodes; empty for GMEM_NUMA_DEFAULT only. Borrowed for the call.
 * @node:       node near which to work where no policy is given, or GMEM_NODE_ANY
 * @padding:    0
 */
struct gmem_prealloc_range {
	size_t sz;
	uint32_t flags;
	int32_t fd;
	struct gmem_file *file;
	uint64_t offset;
	uint64_t size;
	void *hva;
	uint64_t gpa;
	uint32_t numa_mode;
	uint32_t node_words;
	const uint64_t *nodes;
	uint32_t node;
	uint32_t padding;
};

/**
 * gmem_prealloc_add() - Add a range
 * @prealloc: a preallocation that has not begun
 * @range:    the range
 *
 * A policy is set through a mapping of the range, where the kernel then keeps it (guest_memfd:
 * 6.19, and only files made with GMEM_FILE_MMAP). For other files of guest memory the threads that
 * libgmem makes carry it; with the caller's threads GMEM_NUMA_BIND and GMEM_NUMA_INTERLEAVE are
 * refused there, and GMEM_NUMA_PREFERRED depends on where those threads run.
 *
 * State:   legal before gmem_prealloc_run() and gmem_prealloc_work(). On failure the range is not
 *          added.
 * Threads: one at a time.
 * Kernel:  fstat(), mmap() of what has no mapping and needs one, mbind(), get_mempolicy(). Mapping
 *          a memfd of huge pages promises the pages to it.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer; a range unaligned, empty or outside the file; neither @file, @fd
 *                nor @hva; both @file and @fd; @hva for a file that cannot be mapped; no @gpa where
 *                one is needed; a policy without nodes; the kernel refused the nodes
 *   -E2BIG       a member that this build does not know is not zero
 *   -EXDEV       the file belongs to another context
 *   -EBUSY       it has begun already
 *   -EOPNOTSUPP  GMEM_PREALLOC_READY for memory that the host cannot touch, GMEM_PREALLOC_GUEST_READY
 *                where KVM maps nothing ahead, or a policy that this kernel cannot keep; the record
 *                says which
 *   -ENOMEM, -ENOSPC  no memory, address space or huge page left; the record has the pool's numbers
 */
int gmem_prealloc_add(struct gmem_prealloc *prealloc, const struct gmem_prealloc_range *range);

/**
 * gmem_prealloc_run() - Preallocate, and come back when it is over
 * @prealloc: a preallocation
 * @ret_done: (out, may be NULL) bytes that are ready from the first range on, in the order in which
 *            the ranges were added; valid on failure too
 *
 * With @workers, libgmem's threads do it, each on the CPUs of one node, with all signals blocked;
 * with GMEM_PREALLOC_AUTO those that make it no faster are laid off on the way. Without, the
 * calling thread does.
 *
 * State:   on failure the ranges are freed (GMEM_PREALLOC_UNDO) or keep what was done.
 * Threads: one at a time. Blocks: until it is over.
 * Kernel:  fallocate(), madvise(MADV_POPULATE_READ or _WRITE), KVM_PRE_FAULT_MEMORY (6.11);
 *          get_mempolicy() to see where bound pages are; sched_setaffinity() and set_mempolicy() on
 *          libgmem's own threads alone. Reads /proc/meminfo and /sys/devices/system/node.
 *
 * Return: 0, or -errno:
 *   -EINVAL      @prealloc is NULL or has no ranges
 *   -EBUSY       it was begun before
 *   -ECANCELED   it was cancelled
 *   -ETIMEDOUT   its time was up
 *   -ENOMEM, -ENOSPC  no memory or huge page left; the record has node, size and numbers
 *   -EEXIST      pages that were there before lie on a node that the policy excludes
 *   -EOPNOTSUPP  KVM cannot map memory for this VM ahead, or this table of system calls cannot do
 *                what the policy takes
 *   -ENOENT      no memory is bound at the range's guest address
 *   -EHWPOISON   the range has a poisoned page
 */
int gmem_prealloc_run(struct gmem_prealloc *prealloc, uint64_t *ret_done);

/**
 * gmem_prealloc_work() - Take part in a preallocation, on the calling thread
 * @prealloc: a preallocation
 * @node:     NUMA node on which the thread runs, or GMEM_NODE_ANY
 * @ret_done: as for gmem_prealloc_run()
 *
 * May be called on as many threads as are wanted, also while others are at work. It comes back on
 * all of them when the preallocation is over, with the same result; at once where it is over
 * already.
 *
 * State:   as gmem_prealloc_run().
 * Threads: safe with itself, gmem_prealloc_cancel() and gmem_prealloc_get_info(). Blocks: until it
 *          is over.
 * Kernel:  as gmem_prealloc_run(), but the thread keeps its CPUs and its policy.
 *
 * Return: as gmem_prealloc_run(), and
 *   -EINVAL      libgmem was asked to make the threads
 */
int gmem_prealloc_work(struct gmem_prealloc *prealloc, uint32_t node, uint64_t *ret_done);

/**
 * gmem_prealloc_cancel() - End a preallocation early
 * @prealloc: a preallocation or NULL
 *
 * It ends with -ECANCELED after the pieces that are being worked on: some milliseconds, tens for
 * pages of 1G. Without effect where it is over.
 *
 * Threads: safe, in a signal handler too. Kernel: none.
 */
void gmem_prealloc_cancel(struct gmem_prealloc *prealloc);

/**
 * gmem_prealloc_get_info() - See how far a preallocation is
 * @prealloc: a preallocation
 * @ret_info: (in: @sz; out) the numbers
 *
 * Threads: safe. Kernel: none but the clock.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_prealloc_get_info(struct gmem_prealloc *prealloc, struct gmem_prealloc_info *ret_info);

/**
 * gmem_prealloc_unref() - Release a preallocation
 * @prealloc: a preallocation or NULL
 *
 * The memory stays as it is.
 *
 * Threads: no thread may be in another call on it, nor use it afterwards.
 * Kernel:  munmap() of what libgmem had mapped.
 *
 * Return: NULL, always.
 */
struct gmem_prealloc *gmem_prealloc_unref(struct gmem_prealloc *prealloc);

#ifdef __cplusplus
}
#endif

#endif
