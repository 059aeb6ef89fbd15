/* SPDX-License-Identifier: MIT */
/**
 * DOC: Private and shared
 *
 * Each page of a guest is private (the guest alone reaches it) or shared. libgmem keeps the state
 * of every page in a map of its own, since no kernel tells, and changes it by the one mechanism
 * that this kernel and type of VM have; which one is decided when the VM is made, never by trial:
 *
 *   per VM     KVM_SET_MEMORY_ATTRIBUTES on the VM (6.8). A range has two backings, the file for
 *              what is private and host memory for what is shared. The side that a conversion
 *              leaves behind is stale and can be given back: see enum gmem_discard.
 *   in place   KVM_SET_MEMORY_ATTRIBUTES2 on the file (queued for 7.4). One backing, nothing is
 *              stale.
 *
 * Where the state lives differs, what a caller may rely on does not:
 *
 *   event                       per VM                         in place
 *   a new VM, a new file        all shared                     private, or shared by INIT_SHARED
 *   conversion of an unbound    set at once                    remembered by guest address, set
 *   range (CONVERT_UNBOUND)                                    in the file when it is bound there
 *   unbind                      stays with the guest address   stays with the file's offset
 *   bind again elsewhere        the new address's state        the file's state goes along
 *   two files on one inode      each VM has its own            one state, seen by both VMs
 *
 * Contents: a page whose state changed holds what the mechanism leaves there. Per VM, the side that
 * comes into view holds what it held, or zeros where it was discarded. In place, software-protected
 * VMs keep the bytes; SNP and TDX lose them. Do not build on it: to the guest it is undefined.
 *
 * Pages that the VMM converted itself are told with gmem_attr_assume().
 */
#ifndef LIBGMEM_ATTR_H
#define LIBGMEM_ATTR_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum gmem_discard - what becomes of the stale side of a conversion with two backings */
enum gmem_discard {
	GMEM_DISCARD_NOW = 0,   /* given back before the call returns */
	GMEM_DISCARD_DEFER = 1, /* remembered; given back by gmem_discard_drain() */
	GMEM_DISCARD_KEEP = 2   /* kept, for pages that go back and forth: twice the memory */
};

/* struct gmem_convert_opts.flags */
#define GMEM_CONVERT_ATOMIC    (UINT32_C(1) << 0) /* all or nothing, over slots and files too */
#define GMEM_CONVERT_UNBOUND   (UINT32_C(1) << 1) /* parts that nothing is bound to are allowed */
#define GMEM_CONVERT_PRE_FAULT (UINT32_C(1) << 2) /* map what was converted, through @vcpu_fd */

/**
 * struct gmem_convert_opts - how to convert
 * @sz:       sizeof(struct gmem_convert_opts)
 * @flags:    GMEM_CONVERT_… bits
 * @discard:  enum gmem_discard
 * @vcpu_fd:  with GMEM_CONVERT_PRE_FAULT: a vCPU of the VM whose thread is the caller's
 * @attempts: how often a conversion that meets pinned pages is tried; 0 is 10. The waits between
 *            grow from 10 microseconds to 10 milliseconds.
 * @slice:    the most bytes that one kernel call converts, a multiple of GMEM_PAGE_SIZE; 0 is 256
 *            MiB. KVM holds a lock of the VM and cannot be interrupted for its time.
 * @stop:     looked at between kernel calls; once it is not zero the call ends with -EINTR. NULL is
 *            never. The immediate_exit byte of struct kvm_run fits.
 */
struct gmem_convert_opts {
	size_t sz;
	uint32_t flags;
	uint32_t discard;
	int32_t vcpu_fd;
	uint32_t attempts;
	uint64_t slice;
	const volatile uint8_t *stop;
};

/**
 * gmem_convert() - Make a range of guest memory private or shared
 * @vm:       a VM
 * @gpa:      guest address, a multiple of GMEM_PAGE_SIZE
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE
 * @to:       GMEM_PRIVATE or GMEM_SHARED
 * @opts:     NULL for defaults
 * @ret_done: (out, may be NULL) bytes from @gpa on that have the wanted state, on failure too
 *
 * In this order: everything is checked; what has the state already is left out; listeners are told
 * to unmap what will be private; the kernel converts; the map changes; listeners are told to map
 * what became shared; the stale side is discarded; pages are pre-faulted. Data is discarded only
 * when nothing can take the conversion back any more: a listener that refuses costs the guest no
 * byte. Discarding and pre-faulting that fail do not fail the call: the state is what was asked
 * for, and gmem_attr_get_info() tells.
 *
 * State:    on failure [@gpa, @gpa + @ret_done) is converted, the rest is as before, and listeners
 *           hold what fits it; with GMEM_CONVERT_ATOMIC everything is as before. Calling again with
 *           the rest is correct.
 * Threads:  safe; conversions of one VM take turns. Blocks: for the kernel calls and the waits.
 * Kernel:   KVM_SET_MEMORY_ATTRIBUTES (6.8) or KVM_SET_MEMORY_ATTRIBUTES2 (queued for 7.4);
 *           fallocate(), madvise(); KVM_PRE_FAULT_MEMORY (6.11).
 * Security: made for requests of a hostile guest: only bound ranges with private memory convert,
 *           and @slice, @stop and the map bound the time and memory that one request costs.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a range unaligned, empty or wrapping, an unknown state, flag or
 *                policy, a descriptor missing for pre-faulting
 *   -E2BIG       a member that this build does not know is not zero
 *   -ENOENT      a part of the range is not bound, without GMEM_CONVERT_UNBOUND
 *   -EPERM       a part is bound from a file that was linked without GMEM_RIGHT_CONVERT
 *   -EOPNOTSUPP  this VM cannot convert, a bound part has no file for private memory, or no
 *                pre-faulting
 *   -EAGAIN      pages are pinned by someone still; the record's @offset names the first
 *   -EINTR       @stop was set
 *   -ENOMEM      out of memory, here or in the kernel
 *   -ENOTRECOVERABLE  a step back failed, after a veto or with GMEM_CONVERT_ATOMIC; the map holds
 *                the true state
 *   -ESTALE      the VM is dead
 *   other        what a listener answered
 */
int gmem_convert(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to,
		 const struct gmem_convert_opts *opts, uint64_t *ret_done);

/** struct gmem_conversion - one request of a batch; as the arguments of gmem_convert() */
struct gmem_conversion {
	uint64_t gpa;
	uint64_t size;
	uint32_t to;
	uint32_t padding;
};

/**
 * gmem_convert_batch() - Convert many ranges
 * @vm:       a VM
 * @requests: the ranges, converted in this order
 * @count:    how many; 0 does nothing
 * @opts:     NULL for defaults; for all of them
 * @ret_done: (out, may be NULL) bytes of the requests, counted from the first, that have the wanted
 *            state, on failure too
 *
 * All requests are checked before the first takes effect. Neighbours that follow each other in the
 * array with the same target become one kernel call, one discard and one pre-fault.
 *
 * State:    as gmem_convert().
 * Threads:  as gmem_convert().
 * Kernel:   as gmem_convert().
 * Security: as gmem_convert().
 *
 * Return: as gmem_convert().
 */
int gmem_convert_batch(struct gmem_vm *vm, const struct gmem_conversion *requests, size_t count,
		       const struct gmem_convert_opts *opts, uint64_t *ret_done);

/**
 * gmem_attr_assume() - Tell the state of a range that the VMM converted itself
 * @vm:   a VM
 * @gpa:  guest address, a multiple of GMEM_PAGE_SIZE
 * @size: bytes, a multiple of GMEM_PAGE_SIZE
 * @to:   GMEM_PRIVATE or GMEM_SHARED
 *
 * Only the map changes; no listener is told. What is told here is believed.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a range unaligned, empty or wrapping, an unknown state
 *   -ENOENT      in place: a part of the range is not bound
 *   -EOPNOTSUPP  this VM has no private memory
 *   -ENOMEM      out of memory
 */
int gmem_attr_assume(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to);

/**
 * gmem_attr_query() - The state of a range
 * @vm:   a VM
 * @gpa:  guest address, a multiple of GMEM_PAGE_SIZE
 * @size: bytes, a multiple of GMEM_PAGE_SIZE
 *
 * Threads: safe; never waits. While another thread converts the range each page counts with its old
 *          or its new state.
 * Kernel:  none.
 *
 * Return: GMEM_SHARED, GMEM_PRIVATE or GMEM_MIXED, or -errno:
 *   -EINVAL      @vm is NULL, or a range unaligned, empty or wrapping
 */
int gmem_attr_query(struct gmem_vm *vm, uint64_t gpa, uint64_t size);

/** struct gmem_attr_run - a range of one state */
struct gmem_attr_run {
	uint64_t gpa;
	uint64_t size;
	uint32_t state;
	uint32_t padding;
};

/**
 * gmem_attr_next_run() - The longest range of one state that begins at an address
 * @vm:      a VM
 * @gpa:     guest address, a multiple of GMEM_PAGE_SIZE
 * @end:     where to stop at the latest, a multiple of GMEM_PAGE_SIZE above @gpa
 * @ret_run: (out) the range; go on at its end
 *
 * In place, what is not bound counts as it will be once it is: shared unless asked for otherwise.
 *
 * Threads: as gmem_attr_query(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or @gpa or @end unaligned or in the wrong order
 */
int gmem_attr_next_run(struct gmem_vm *vm, uint64_t gpa, uint64_t end,
		       struct gmem_attr_run *ret_run);

/**
 * struct gmem_attr_info - who owns how many bytes, of a VM or of one bound range
 * @sz:             sizeof(struct gmem_attr_info), set by the caller
 * @private_bytes:  bound bytes that are private
 * @shared_bytes:   bound bytes that are shared
 * @twice_bytes:    bytes whose stale side was not given back: at most so much is backed twice
 * @pending_bytes:  those of them that wait for gmem_discard_drain()
 * @map_bytes:      memory that libgmem's map takes
 * @conversions:    kernel calls made to convert
 * @discards:       system calls made to discard
 * @failed_discards: those that failed; their bytes are in @twice_bytes
 * @failed_prefaults: pre-faults that ended early
 * @retries:        attempts repeated because pages were pinned
 */
struct gmem_attr_info {
	size_t sz;
	uint64_t private_bytes;
	uint64_t shared_bytes;
	uint64_t twice_bytes;
	uint64_t pending_bytes;
	uint64_t map_bytes;
	uint64_t conversions;
	uint64_t discards;
	uint64_t failed_discards;
	uint64_t failed_prefaults;
	uint64_t retries;
};

/**
 * gmem_attr_get_info() - The account of a VM or of one bound range
 * @vm:       a VM
 * @slot:     one of its bound ranges, or NULL for all; the counters of calls are the VM's
 * @ret_info: (in: @sz; out) the account
 *
 * Threads: safe; waits for a conversion under way. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a range of another VM
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_attr_get_info(struct gmem_vm *vm, const struct gmem_slot *slot,
		       struct gmem_attr_info *ret_info);

/**
 * gmem_discard_drain() - Give back what conversions with GMEM_DISCARD_DEFER left
 * @vm:        a VM
 * @max_bytes: stop after about so many; UINT64_MAX for all
 * @ret_done:  (out, may be NULL) bytes given back, on failure too
 *
 * A page that was converted back meanwhile is not stale any more and is left alone. Call it from a
 * thread with time to spare; each step holds up conversions for one discard of at most 2 MiB.
 *
 * Threads: safe.
 * Kernel:  fallocate(), madvise().
 *
 * Return: 0, or -errno:
 *   -EINVAL      @vm is NULL
 *   other        what the kernel answered; the range stays pending
 */
int gmem_discard_drain(struct gmem_vm *vm, uint64_t max_bytes, uint64_t *ret_done);

/**
 * gmem_discard_set_budget() - How many bytes may wait for gmem_discard_drain()
 * @vm:     a VM
 * @budget: bytes; 0, as at first, is 1 GiB
 *
 * A conversion that would take the account above it discards at once.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      @vm is NULL
 */
int gmem_discard_set_budget(struct gmem_vm *vm, uint64_t budget);

#ifdef __cplusplus
}
#endif

#endif
