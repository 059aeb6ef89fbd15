/* SPDX-License-Identifier: MIT */
/**
 * DOC: Listeners of conversion
 *
 * Devices that reach guest memory past the CPU (VFIO, iommufd, vhost-user back ends) may map shared
 * memory only. A listener is told to unmap a range before it becomes private and to map it after it
 * has become shared. A page that a device still pins cannot become private in place, so the order
 * is always: unmap, then ask the kernel.
 */
#ifndef LIBGMEM_LISTENER_H
#define LIBGMEM_LISTENER_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_listener;

/** struct gmem_listener_range - what to map or unmap: shared memory of one bound range */
struct gmem_listener_range {
	uint64_t gpa;
	uint64_t size;
	void *hva;  /* where the host sees it, or NULL */
	int32_t fd; /* the file's descriptor where it backs the shared memory, or -1 */
	uint32_t padding;
	uint64_t offset; /* in that file */
};

/**
 * struct gmem_listener_opts - who is told what
 * @sz:        sizeof(struct gmem_listener_opts)
 * @map:       the range is shared now: map it. Not 0: a veto, the conversion is undone and fails
 *             with it
 * @unmap:     the range will be private: let go of it. Not 0: a veto, the conversion fails with it
 * @user:      first argument of both
 * @max_block: no range told is larger than this or crosses a multiple of it: a power of two, at
 *             least GMEM_PAGE_SIZE; 0 is as large as it comes. A listener that can only unmap
 *             exactly what it mapped (VFIO type 1) needs the granularity of conversions here; one
 *             that can cut a mapping (iommufd) leaves it 0.
 *
 * Both are called on the converting thread with the VM's conversions locked out: they must not call
 * libgmem for this VM, and must return soon.
 */
struct gmem_listener_opts {
	size_t sz;
	int (*map)(void *user, const struct gmem_listener_range *range);
	int (*unmap)(void *user, const struct gmem_listener_range *range);
	void *user;
	uint64_t max_block;
};

/**
 * gmem_listener_add() - Be told of conversions
 * @vm:           a VM
 * @opts:         who is told what; both functions are needed. Copied.
 * @ret_listener: (out) release with gmem_listener_remove() before the VM
 *
 * Tells @map of all that is bound and shared before it returns. Later, listeners are told to map in
 * the order in which they were added and to unmap in the reverse order; ranges bound and unbound
 * later are told as well.
 *
 * State:   where @map refuses, what was told is taken back with @unmap, and nothing is added.
 * Threads: safe; conversions wait meanwhile. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a missing function, or @max_block no power of two
 *   -E2BIG       a member that this build does not know is not zero
 *   -ENOMEM      out of memory
 *   other        what @map answered
 */
int gmem_listener_add(struct gmem_vm *vm, const struct gmem_listener_opts *opts,
		      struct gmem_listener **ret_listener);

/**
 * gmem_listener_remove() - Be told no more
 * @listener: a listener or NULL
 *
 * Tells @unmap of all that is bound and shared; its answer is not looked at.
 *
 * Threads: safe; the caller must not use @listener afterwards. Kernel: none.
 *
 * Return: NULL, always.
 */
struct gmem_listener *gmem_listener_remove(struct gmem_listener *listener);

#ifdef __cplusplus
}
#endif

#endif
