/* SPDX-License-Identifier: MIT */
/**
 * DOC: Exits that ask for a conversion
 *
 * A guest asks for a conversion by hypercall (KVM_HC_MAP_GPA_RANGE: software-protected guests, SNP
 * page state changes, TDX MapGPA) or by touching a page with the wrong state
 * (KVM_EXIT_MEMORY_FAULT). Both are served here; everything else is the VMM's.
 */
#ifndef LIBGMEM_EXIT_H
#define LIBGMEM_EXIT_H

#include <libgmem/attr.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum gmem_disposition - what to do after gmem_exit_handle() */
enum gmem_disposition {
	GMEM_EXIT_NOT_MINE = 0, /* not about memory: the VMM's to serve */
	GMEM_EXIT_RESUME = 1,   /* served or refused with an answer to the guest: KVM_RUN again */
	GMEM_EXIT_AGAIN = 2     /* a part is done: see to events, then call again before KVM_RUN */
};

/**
 * struct gmem_exit - the service of one exit; one a vCPU, zeroed but for @sz at first
 * @sz:          sizeof(struct gmem_exit)
 * @flags:       GMEM_EXIT_REFUSED, GMEM_EXIT_NOTHING
 * @disposition: (out) enum gmem_disposition
 * @convert:     how to convert; ATOMIC and UNBOUND are -EINVAL. NULL for defaults. Borrowed.
 * @gpa:         (out) what the guest asked for, in bytes
 * @size:        (out)
 * @to:          (out) GMEM_PRIVATE or GMEM_SHARED
 * @done:        (in, out) bytes served of an exit that is served in parts. The caller leaves it
 *               alone.
 * @error:       (out) with GMEM_EXIT_REFUSED: why the guest was refused, -errno
 * @quantum:     the most bytes that one call converts; 0 is 64 MiB
 */
struct gmem_exit {
	size_t sz;
	uint32_t flags;
	uint32_t disposition;
	const struct gmem_convert_opts *convert;
	uint64_t gpa;
	uint64_t size;
	uint32_t to;
	int32_t error;
	uint64_t done;
	uint64_t quantum;
};

#define GMEM_EXIT_REFUSED (UINT32_C(1) << 0) /* the guest gets an error in its hypercall */
#define GMEM_EXIT_NOTHING (UINT32_C(1) << 1) /* the state was as wanted already */

/**
 * gmem_exit_handle() - Serve an exit that asks for a conversion
 * @vm:        a VM
 * @run:       the vCPU's struct kvm_run, as mapped from its descriptor
 * @run_error: what KVM_RUN returned: 0, or its error as -errno
 * @exit:      (in, out) the service of this vCPU's exits
 *
 * A hypercall that asks for something wrong (unaligned, unknown bits, not bound, no private memory)
 * is answered with EINVAL in kvm_run, as the kernel lets each technology be answered, and the guest
 * goes on. Pinned pages are answered with EAGAIN where the guest may try again (TDX), and with
 * EINVAL elsewhere. A memory fault that cannot be served is an error of this call: the vCPU cannot
 * go on.
 *
 * State:    legal between two KVM_RUNs of the vCPU, on its thread. GMEM_EXIT_AGAIN keeps @run as it
 *           is.
 * Threads:  as gmem_convert(); each vCPU with its own @run and @exit.
 * Kernel:   KVM_EXIT_HYPERCALL with KVM_HC_MAP_GPA_RANGE (5.14; needs KVM_CAP_EXIT_HYPERCALL
 *           enabled), KVM_EXIT_MEMORY_FAULT (6.8).
 * Security: nothing in @run is believed. Only bound guest memory converts, and no call converts
 *           more than @quantum.
 *
 * Return: 0 with @disposition, or -errno for what the guest cannot be told:
 *   -EINVAL      a NULL pointer, @run_error positive, or options that are not allowed here
 *   -E2BIG       a member that this build does not know is not zero
 *   -ENOENT      a memory fault outside bound memory
 *   -EOPNOTSUPP  a memory fault with flags that this build does not know, or this VM cannot convert
 *   -EHWPOISON   a memory fault on a poisoned page
 *   other        as gmem_convert()
 */
int gmem_exit_handle(struct gmem_vm *vm, void *run, int run_error, struct gmem_exit *exit);

/**
 * gmem_exit_enable() - Have KVM_HC_MAP_GPA_RANGE exit to the VMM
 * @vm: a VM
 *
 * Threads: safe.
 * Kernel:  KVM_ENABLE_CAP of KVM_CAP_EXIT_HYPERCALL (5.14).
 *
 * Return: 0, or -errno:
 *   -EINVAL      @vm is NULL
 *   -EOPNOTSUPP  the kernel lacks it
 *   -ESTALE      the VM is dead
 */
int gmem_exit_enable(struct gmem_vm *vm);

#ifdef __cplusplus
}
#endif

#endif
