/* SPDX-License-Identifier: MIT */
/**
 * DOC: Virtual machines
 *
 * A gmem_vm is libgmem's record of one VM descriptor (one struct kvm of the kernel): its type, its
 * files and its memslots. The descriptor may be made here, taken over, or stay the caller's.
 *
 * References: a file holds its VM, a bound range holds its file and its VM, a host-address view
 * (link.h) the file that it views, a mirror (reboot.h) the VM that it helps. Handles may be released
 * in any order; the kernel's objects go in the right one. The VM descriptor is closed when the
 * caller's reference and all files and bound ranges are gone. In the kernel, too, a guest_memfd
 * file keeps its VM alive until it is closed and unmapped.
 */
#ifndef LIBGMEM_VM_H
#define LIBGMEM_VM_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct gmem_vm_opts - how libgmem treats a VM
 * @sz:         sizeof(struct gmem_vm_opts)
 * @first_slot: the first memslot id that libgmem may hand out on its own
 * @slot_count: how many ids from there; 0 is all up to the kernel's limit. A VMM with memslots of
 *              its own gives libgmem a part of the numbers that it does not use.
 */
struct gmem_vm_opts {
	size_t sz;
	uint32_t first_slot;
	uint32_t slot_count;
};

/**
 * gmem_vm_create() - Make a VM
 * @ctx:     a context
 * @vm_type: enum gmem_vm_type
 * @opts:    NULL for defaults
 * @ret_vm:  (out) the VM; release with gmem_vm_unref()
 *
 * Makes the VM and nothing in it: no vCPU, no interrupt controller, no memory.
 *
 * Threads: safe.
 * Kernel:  KVM_CREATE_VM; probes the type as gmem_has_feature() does.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown type, ids beyond the kernel's limit
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  this kernel does not make VMs of this type
 *   -ENOMEM, -EMFILE, -ENFILE  no memory or no descriptor left
 */
int gmem_vm_create(struct gmem_ctx *ctx, uint32_t vm_type, const struct gmem_vm_opts *opts,
		   struct gmem_vm **ret_vm);

/**
 * gmem_vm_adopt() - Take over a VM descriptor
 * @ctx:     a context
 * @vm_fd:   descriptor of a VM made by this process; libgmem's on success, the caller's on failure
 * @vm_type: the type it was made with: the kernel does not tell
 * @opts:    NULL for defaults
 * @ret_vm:  (out) the VM; release with gmem_vm_unref()
 *
 * Threads: safe.
 * Kernel:  KVM_CHECK_EXTENSION on the VM, which a dead VM or another process's answers with EIO.
 *
 * Return: 0, or -errno as gmem_vm_create(), and
 *   -EINVAL      @vm_fd is negative or no VM
 *   -ESTALE      the VM is dead or was made by another process
 */
int gmem_vm_adopt(struct gmem_ctx *ctx, int vm_fd, uint32_t vm_type,
		  const struct gmem_vm_opts *opts, struct gmem_vm **ret_vm);

/**
 * gmem_vm_borrow() - Work with a VM descriptor that the caller keeps
 *
 * As gmem_vm_adopt(), but the descriptor stays the caller's, who must not close it before the VM,
 * its files and its bound ranges are released here.
 *
 * Threads: safe.
 * Kernel:  as gmem_vm_adopt().
 *
 * Return: as gmem_vm_adopt().
 */
int gmem_vm_borrow(struct gmem_ctx *ctx, int vm_fd, uint32_t vm_type,
		   const struct gmem_vm_opts *opts, struct gmem_vm **ret_vm);

/**
 * gmem_vm_unref() - Give up the caller's reference
 * @vm: a VM or NULL
 *
 * Threads: safe; the caller must not use @vm afterwards.
 * Kernel:  close() of the VM when nothing refers to it any more, and it is not borrowed.
 *
 * Return: NULL, always.
 */
struct gmem_vm *gmem_vm_unref(struct gmem_vm *vm);

/**
 * gmem_vm_fd() - The VM's descriptor
 * @vm: a VM
 *
 * For what libgmem does not do: vCPUs, interrupt controllers, and so on. It stays the VM's.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the descriptor; -EINVAL for NULL.
 */
int gmem_vm_fd(const struct gmem_vm *vm);

/**
 * struct gmem_vm_info - numbers of a VM
 * @sz:             sizeof(struct gmem_vm_info), set by the caller
 * @vm_type:        enum gmem_vm_type
 * @flags:          GMEM_VM_BORROWED
 * @slots_max:      memslots that the kernel allows in one address space
 * @slots_used:     memslots that libgmem made or adopted
 * @address_spaces: how many the VM has: 2 with system management mode, else 1
 * @files:          files of this VM
 * @bytes_bound:    bytes of all bound ranges
 */
struct gmem_vm_info {
	size_t sz;
	uint32_t vm_type;
	uint32_t flags;
	uint32_t slots_max;
	uint32_t slots_used;
	uint32_t address_spaces;
	uint32_t files;
	uint64_t bytes_bound;
};

#define GMEM_VM_BORROWED (UINT32_C(1) << 0) /* the descriptor is the caller's */

/**
 * gmem_vm_get_info() - Read the numbers of a VM
 * @vm:       a VM
 * @ret_info: (in: @sz; out) the numbers
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_vm_get_info(struct gmem_vm *vm, struct gmem_vm_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
