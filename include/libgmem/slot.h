/* SPDX-License-Identifier: MIT */
/**
 * DOC: Bound ranges (memslots)
 *
 * A gmem_slot is one range of guest addresses that is bound to memory: to a range of a file, to
 * host memory, or to both. One bound range is one memslot of the kernel, or several where it is
 * larger than the kernel lets one be. The kernel cannot change a memslot of guest memory: unbind
 * and bind again.
 *
 * What a range needs besides the file, and what libgmem does where the caller gives no @hva:
 *
 *   VM with two backings, file without GMEM_FILE_MMAP   a shared backing: libgmem makes a memfd
 *   file with GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED,   the file's own mapping, through which KVM
 *   or with GMEM_FILE_MMAP and in-place conversion      itself reads and writes: libgmem makes it
 *   any other file                                      nothing; KVM's own accesses become MMIO
 *                                                       exits
 *
 * A host-address view (link.h) is bound as host memory: for KVM it is no file, so that it may be
 * read-only or logged, and has no private pages. libgmem maps it.
 *
 * A caller who gives @hva for a range of the second kind gives a mapping of the same file at the
 * same offset. With other memory there KVM's own reads and writes (emulated instructions, clocks)
 * silently go astray.
 */
#ifndef LIBGMEM_SLOT_H
#define LIBGMEM_SLOT_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* flags of struct gmem_slot_opts and struct gmem_slot_info */
#define GMEM_SLOT_ID        (UINT32_C(1) << 0) /* @slot_id is the caller's choice */
#define GMEM_SLOT_READONLY  (UINT32_C(1) << 1) /* guest writes exit; of files only views */
#define GMEM_SLOT_LOG_DIRTY (UINT32_C(1) << 2) /* log written pages; of files only views */
#define GMEM_SLOT_NO_HVA    (UINT32_C(1) << 3) /* make no mapping and no shared backing */
#define GMEM_SLOT_ADOPTED   (UINT32_C(1) << 4) /* (out) bound by the caller, not by libgmem */
#define GMEM_SLOT_OWN_HVA   (UINT32_C(1) << 5) /* (out) the host mapping is libgmem's */

/**
 * struct gmem_slot_opts - what to bind
 * @sz:            sizeof(struct gmem_slot_opts)
 * @flags:         GMEM_SLOT_ID, _READONLY, _LOG_DIRTY, _NO_HVA
 * @slot_id:       memslot id, with GMEM_SLOT_ID; the first of several where the range is split
 * @address_space: 0, or 1 for system management mode where the VM has it
 * @file:          a file of the same VM, or NULL for host memory alone
 * @offset:        where in the file the range begins; a multiple of GMEM_PAGE_SIZE
 * @hva:           host memory of the range's size, page-aligned, or NULL. With a file it is the
 *                 shared backing. Borrowed until the range is unbound.
 * @backing_page:  bytes of the pages that @hva is made of, a power of two: a larger page is given
 *                 back only once all of it is stale. Without @hva, of the pages that libgmem shall
 *                 make a shared backing of: GMEM_PAGE_2M or GMEM_PAGE_1G from the host's pool
 *                 (hugetlb.h), promised when it is bound; @gpa and @size are then multiples of it. 0
 *                 is GMEM_PAGE_SIZE.
 */
struct gmem_slot_opts {
	size_t sz;
	uint32_t flags;
	uint32_t slot_id;
	uint32_t address_space;
	uint32_t padding;
	struct gmem_file *file;
	uint64_t offset;
	void *hva;
	uint64_t backing_page;
};

/**
 * gmem_slot_bind() - Bind a range of guest addresses to memory
 * @vm:       a VM
 * @gpa:      guest address, a multiple of GMEM_PAGE_SIZE
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE; @gpa + @size below 2^64
 * @opts:     what to bind: a file, host memory or both
 * @ret_slot: (out) the bound range; release with gmem_slot_unbind()
 *
 * State:   legal at any time of a VM's life, vCPUs running or not. On failure nothing changed.
 * Threads: safe. Blocks: while KVM sets up the slot (milliseconds for gigabytes).
 * Kernel:  KVM_SET_USER_MEMORY_REGION2 (6.8), or KVM_SET_USER_MEMORY_REGION without a file;
 *          memfd_create(), ftruncate(), mmap() where a shared backing is made.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer; @gpa, @size, @offset or @hva unaligned; the range outside the file
 *                or beyond what the VM can address; an unknown flag or address space; neither file
 *                nor host memory; GMEM_SLOT_READONLY or _LOG_DIRTY with a file
 *   -E2BIG       a member that this build does not know is not zero
 *   -EEXIST      guest addresses or the file's range are bound already
 *   -EBUSY       a memslot id is taken
 *   -EXDEV       the file belongs to another VM
 *   -ENOSPC      no memslot id is left
 *   -EOPNOTSUPP  the kernel cannot bind files for this type of VM, or no read-only memslots
 *   -ENOMEM      out of memory
 *   -ESTALE      the VM is dead
 */
int gmem_slot_bind(struct gmem_vm *vm, uint64_t gpa, uint64_t size,
		   const struct gmem_slot_opts *opts, struct gmem_slot **ret_slot);

/**
 * gmem_slot_adopt() - Tell libgmem of a range that the VMM has bound itself
 * @vm:       a VM
 * @gpa:      as it was given to KVM
 * @size:     as it was given to KVM
 * @opts:     as it was given to KVM; GMEM_SLOT_ID is needed
 * @ret_slot: (out) the bound range; release with gmem_slot_unbind()
 *
 * Lookups and conversions then work on the range as on one that libgmem bound. What was asked for
 * before, and belongs to the file's offset where conversion is in place, is converted now: adopt
 * before vCPUs run.
 *
 * Threads: safe.
 * Kernel:  KVM cannot be asked for its memslots: what is told here is believed. In place,
 *          KVM_SET_MEMORY_ATTRIBUTES2 where something was asked for.
 *
 * Return: 0, or -errno as gmem_slot_bind(), without the memslots' part.
 */
int gmem_slot_adopt(struct gmem_vm *vm, uint64_t gpa, uint64_t size,
		    const struct gmem_slot_opts *opts, struct gmem_slot **ret_slot);

/**
 * gmem_slot_unbind() - Delete a bound range
 * @slot: a bound range
 *
 * The file keeps its data; a shared backing that libgmem made is freed. An adopted range is
 * forgotten, its memslots stay the VMM's to delete.
 *
 * State:   on failure the range is still bound, all of it.
 * Threads: safe; the caller must not use @slot after success. Blocks: until vCPUs left the range.
 * Kernel:  the ioctl of gmem_slot_bind() with size 0; munmap(), close().
 *
 * Return: 0, or -errno:
 *   -EINVAL      @slot is NULL
 *   -ENOMEM      out of memory in the kernel; nothing changed
 *   -ESTALE      the VM is dead; the range is released all the same
 */
int gmem_slot_unbind(struct gmem_slot *slot);

/**
 * struct gmem_slot_info - one bound range
 * @sz:            sizeof(struct gmem_slot_info), set by the caller
 * @flags:         GMEM_SLOT_… bits
 * @slot_id:       the first memslot id
 * @slot_count:    how many memslots the range is made of, with ids that follow each other
 * @address_space: as bound
 * @gpa:           first guest address
 * @size:          bytes
 * @file:          the file, or NULL; borrowed, valid until the range is unbound
 * @offset:        where in the file the range begins
 * @hva:           the host's mapping of the shared memory, or NULL
 * @slot:          the handle
 */
struct gmem_slot_info {
	size_t sz;
	uint32_t flags;
	uint32_t slot_id;
	uint32_t slot_count;
	uint32_t address_space;
	uint64_t gpa;
	uint64_t size;
	struct gmem_file *file;
	uint64_t offset;
	void *hva;
	struct gmem_slot *slot;
};

/**
 * gmem_slot_get_info() - Read the facts of a bound range
 * @slot:     a bound range
 * @ret_info: (in: @sz; out) the facts
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_slot_get_info(const struct gmem_slot *slot, struct gmem_slot_info *ret_info);

/**
 * gmem_slot_lookup() - Find the bound range that holds a guest address
 * @vm:            a VM
 * @address_space: 0 or 1
 * @gpa:           any guest address
 * @ret_info:      (in: @sz; out) the range
 *
 * The offset of the address in the file is @offset + (@gpa - gpa of the range), and so for @hva.
 *
 * Threads: safe, also while others bind and unbind; never waits for the kernel. Cost: logarithmic.
 * Kernel:  none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer or an unknown address space
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 *   -ENOENT      nothing is bound there
 */
int gmem_slot_lookup(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		     struct gmem_slot_info *ret_info);

/**
 * gmem_slot_next() - Find the first bound range that ends above a guest address
 * @vm:            a VM
 * @address_space: 0 or 1
 * @gpa:           where to begin: 0, then gpa + size of the range found
 * @ret_info:      (in: @sz; out) the range
 *
 * Threads: as gmem_slot_lookup(). Kernel: none.
 *
 * Return: as gmem_slot_lookup(); -ENOENT where no more follow.
 */
int gmem_slot_next(struct gmem_vm *vm, uint32_t address_space, uint64_t gpa,
		   struct gmem_slot_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
