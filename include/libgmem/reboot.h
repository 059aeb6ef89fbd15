/* SPDX-License-Identifier: MIT */
/**
 * DOC: A new VM object on the memory of an old one
 *
 * A guest that reboots, or whose VMM is updated, gets a new VM object, and its memory stays where it
 * is: nothing is copied, zeroed or allocated that was not asked for. Until the new VM can run this
 * costs time by the number of bound ranges, not of bytes; taking the old VM down can wait.
 *
 * What can stay, by type of VM:
 *
 *   shared memory          everywhere: KVM_LINK_GUEST_MEMFD, or from 6.18 a host-address view
 *   software-protected     with KVM_LINK_GUEST_MEMFD
 *   SEV, SEV-ES            only along with the context, gmem_vm_move_context(): the key is the VM's
 *   SNP, TDX               not on any kernel: the contents belong to a key that no kernel moves. The
 *                          memory can be given back or left to the technology, not kept.
 */
#ifndef LIBGMEM_REBOOT_H
#define LIBGMEM_REBOOT_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gmem_contents - what the new guest finds in its memory
 *
 * Concerns ranges bound from files. Ranges of host memory alone and read-only ones are the VMM's,
 * such as firmware: they are bound again and stay as they are.
 */
enum gmem_contents {
	GMEM_CONTENTS_KEEP = 0,  /* all that the old one left */
	GMEM_CONTENTS_PUNCH = 1, /* zeros: the pages are given back, and taken anew when touched */
	GMEM_CONTENTS_ZERO =
		2, /* zeros: what the host can write is overwritten, the rest punched */
	GMEM_CONTENTS_LEAVE =
		3, /* private memory as the technology leaves it, shared memory punched */
};

/** enum gmem_attributes - which pages are private for the new guest */
enum gmem_attributes {
	GMEM_ATTRIBUTES_CARRY = 0,   /* the same ones, set one run after the other */
	GMEM_ATTRIBUTES_PRIVATE = 1, /* all that is bound from files */
	GMEM_ATTRIBUTES_MOVE = 2, /* the same ones, by gmem_vm_move_context(): the old VM is dead */
};

/**
 * struct gmem_replace_opts - how to replace a VM
 * @sz:            sizeof(struct gmem_replace_opts)
 * @contents:      enum gmem_contents
 * @attributes:    enum gmem_attributes
 * @mechanism:     enum gmem_link_mechanism
 * @padding:       0
 * @vm:            the new VM where the caller has made it, of the old one's type, with nothing
 *                 converted and nothing bound, or what gmem_vm_prepare() bound; NULL
 *                 has one made with the old one's memslot ids
 * @parallel:      for GMEM_CONTENTS_ZERO: calls @work with @job on as many threads as it likes, and
 *                 returns once all those calls have. Not 0 ends the replacement with it. NULL is the
 *                 calling thread alone.
 * @parallel_user: first argument of @parallel
 */
struct gmem_replace_opts {
	size_t sz;
	uint32_t contents;
	uint32_t attributes;
	uint32_t mechanism;
	uint32_t padding;
	struct gmem_vm *vm;
	int (*parallel)(void *user, void (*work)(void *job), void *job);
	void *parallel_user;
};

/**
 * struct gmem_replace_info - what a replacement did, and how long each step took
 * @sz:            sizeof(struct gmem_replace_info), set by the caller
 * @mechanism:     enum gmem_link_mechanism: GMEM_LINK_HVA_VIEW where one file at least is reached
 *                 so; GMEM_LINK_BEST where there are no files
 * @slots:         ranges bound
 * @files:         files linked
 * @kept_other_vm: 1 where a host-address view keeps the VM that the memory was made for
 * @kept_bytes:    bound bytes that the new guest finds as they were
 * @zeroed_bytes:  bound bytes that were overwritten or given back
 * @left_bytes:    bound bytes left to the technology
 * @create_ns:     making the VM; like the others 0 where the table of system calls tells no time
 * @link_ns:       linking the files
 * @bind_ns:       binding the ranges
 * @attributes_ns: setting or moving what is private
 * @contents_ns:   zeroing
 * @total_ns:      all of it
 */
struct gmem_replace_info {
	size_t sz;
	uint32_t mechanism;
	uint32_t slots;
	uint32_t files;
	uint32_t kept_other_vm;
	uint64_t kept_bytes;
	uint64_t zeroed_bytes;
	uint64_t left_bytes;
	uint64_t create_ns;
	uint64_t link_ns;
	uint64_t bind_ns;
	uint64_t attributes_ns;
	uint64_t contents_ns;
	uint64_t total_ns;
};

/**
 * gmem_vm_replace() - Give a VM's memory to a new VM object
 * @old:      a VM whose guest stands still: no vCPU runs, and nobody binds or converts in it
 * @opts:     NULL to keep contents and attributes
 * @ret_vm:   (out) the new VM; release with gmem_vm_unref(). Where @vm is given it is that, without
 *            another reference, and may be NULL.
 * @ret_info: (in: @sz; out, may be NULL) what was done
 *
 * All that is bound in the old VM is bound in the new one: at the same guest addresses, with the
 * same memslot ids, from the same offsets of files on the same inodes, and with the same shared
 * backing and host memory. The caller gets at the new ranges with gmem_slot_lookup() or
 * gmem_slot_next() and at the new files with gmem_file_find(); files live as long as something is
 * bound from them or the caller has a reference. Files from which nothing is bound are not carried
 * along: gmem_file_link() does that. Ownership of the memory goes to the new VM. Listeners, vCPUs,
 * interrupt controllers and enabled capabilities do not come along: the caller adds the new VM's.
 *
 * The old VM is as it was, with its memory still bound, until the caller takes it down: its ranges
 * by gmem_vm_unbind_all(), its files and itself by their unref functions. That takes time by the
 * bytes that its guest had touched, and can be done while the new guest runs already. Host memory
 * that the caller had given (@hva) has to outlive both.
 *
 * State:   on failure the old VM is untouched and its guest can go on, and a VM of the caller's has
 *          nothing bound. Two steps cannot be taken back and come last: moving the context, after
 *          which the old VM is dead, and zeroing. Where zeroing fails the error is
 *          -ENOTRECOVERABLE: the old VM has its memory still, with a part of it zeroed.
 * Threads: safe with everything that does not concern the two VMs.
 * Kernel:  KVM_CREATE_VM, KVM_LINK_GUEST_MEMFD (RFC v2 of 2025), KVM_SET_USER_MEMORY_REGION2, mmap();
 *          by what is asked for KVM_SET_MEMORY_ATTRIBUTES or KVM_SET_MEMORY_ATTRIBUTES2,
 *          KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, fallocate(), madvise().
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown value, or @vm is of another type, has something
 *                converted, or has bound what the old VM has not
 *   -E2BIG       a member that this build does not know is not zero
 *   -EXDEV       @vm is of another context
 *   -EOPNOTSUPP  a file cannot be linked, or this type of VM cannot keep or leave its contents
 *   -EPERM       a file of the old VM lacks the right to do what was asked for
 *   -ENOMEM, -EMFILE, -ENFILE  no memory or no descriptor left
 *   -ENOTRECOVERABLE  zeroing failed half-way
 *   -ESTALE      a VM is dead or was handed over
 *   other        what @parallel answered, or what gmem_file_link(), gmem_slot_bind(), gmem_convert()
 *                and gmem_vm_move_context() return
 */
int gmem_vm_replace(struct gmem_vm *old, const struct gmem_replace_opts *opts,
		    struct gmem_vm **ret_vm, struct gmem_replace_info *ret_info);

/**
 * gmem_vm_prepare() - Have a VM ready that can replace another at once
 * @old:      a VM, whose guest may run; nobody binds or unbinds in it meanwhile
 * @opts:     those that gmem_vm_replace() will be given; NULL for defaults
 * @ret_vm:   (out) the new VM, as for gmem_vm_replace()
 * @ret_info: (in: @sz; out, may be NULL) what was done, as far as it goes
 *
 * Does ahead what gmem_vm_replace() can do while the guest still runs: makes the VM, links the files
 * and binds the ranges. vCPUs can be made as well. When the guest reboots, gmem_vm_replace() with the
 * VM as @vm has little left to do: a host whose KVM keeps a reverse map of each memslot (one without
 * two-dimensional paging) takes milliseconds a gigabyte to bind. The price is that KVM keeps the
 * tables of two VMs meanwhile. Where the old VM's ranges were bound anew since, gmem_vm_replace()
 * refuses with the first difference, and the VM is of no use any more.
 *
 * State:   on failure nothing changed.
 * Threads: as gmem_vm_replace(), but vCPUs of @old may run and conversions go on.
 * Kernel:  as gmem_vm_replace(), up to the binding.
 *
 * Return: as gmem_vm_replace()
 */
int gmem_vm_prepare(struct gmem_vm *old, const struct gmem_replace_opts *opts,
		    struct gmem_vm **ret_vm, struct gmem_replace_info *ret_info);

/**
 * gmem_vm_unbind_all() - Unbind all that is bound in a VM
 * @vm: a VM
 *
 * As gmem_slot_unbind() for each bound range, whose handles are invalid afterwards. A dead VM's
 * ranges are given up without a word.
 *
 * State:   on failure those not reached yet, and the one that could not be unbound, stay.
 * Threads: safe; nobody else may unbind in this VM meanwhile.
 * Kernel:  KVM_SET_USER_MEMORY_REGION2, munmap(), close().
 *
 * Return: 0, or -errno:
 *   -EINVAL      @vm is NULL
 *   other        as gmem_slot_unbind()
 */
int gmem_vm_unbind_all(struct gmem_vm *vm);

/**
 * gmem_vm_move_context() - Move what a confidential guest is made of to another VM object
 * @dst: the VM that shall go on with the guest. Its ranges are bound already, from linked files.
 * @src: the VM that has the guest; its vCPUs stand still
 *
 * Moves the private/shared state of software-protected VMs, which for them is all, and the key,
 * registers and pages in use of SEV and SEV-ES guests. Before the kernel is asked the two layouts
 * are compared, since it answers a difference with a bare EINVAL: where they differ nothing is done
 * and gmem_errinfo() names the first difference and its guest address.
 *
 * What kernels allow today:
 *   software-protected  with the link series (GMEM_RFC_LINK)
 *   SEV, SEV-ES         from 5.16 for VMs of type GMEM_VM_DEFAULT that used KVM_SEV_INIT or _ES_INIT;
 *                       a VM of type GMEM_VM_SEV or _SEV_ES can be moved too, but its successor
 *                       cannot run on kernels up to 7.3, which forget that it is initialised
 *   SNP                 refused since 7.2-rc4, and wrong before: -EOPNOTSUPP
 *   TDX                 in no kernel: -EOPNOTSUPP
 *
 * State:   irreversible: on success @src is dead, and every call on it is -ESTALE. Of a failure that
 *          the kernel reports for an SEV guest nobody knows how far it got: both VMs are to be given
 *          up. Otherwise nothing changed.
 * Threads: nobody else may use either VM meanwhile.
 * Kernel:  KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM (5.16).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, one and the same VM, or the layouts or types differ
 *   -EXDEV       the VMs are of different contexts
 *   -EOPNOTSUPP  this kernel moves no context for this type of VM
 *   -EINTR, -EBUSY, -ENOMEM  as the kernel says; nothing changed
 *   -ESTALE      one of the VMs is dead, or @src was handed over
 */
int gmem_vm_move_context(struct gmem_vm *dst, struct gmem_vm *src);

/**
 * gmem_vm_mirror() - Let a helper VM share the context of a confidential guest
 * @helper: a VM without vCPUs and without a context of its own
 * @vm:     the VM that has the guest: SEV or SEV-ES, initialised, no mirror itself
 *
 * Two VM objects, one ASID: the helper runs with the guest's key, on memslots of its own. It holds a
 * reference to @vm, so that it does not outlive it in this library; in the kernel a mirror keeps its
 * source's memory encryption context alive, too, and can itself not be moved or mirrored.
 *
 * State:   irreversible for @helper.
 * Threads: safe.
 * Kernel:  KVM_CAP_VM_COPY_ENC_CONTEXT_FROM (5.13).
 * Security: the helper reads and writes the guest's memory as the guest does. Whoever runs it must be
 *           trusted by the guest's owner; it is not part of the launch measurement of SEV.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, one and the same VM, or the kernel refuses: @vm is no initialised
 *                guest or is a mirror, @helper has vCPUs or a context
 *   -EXDEV       the VMs are of different contexts
 *   -EBUSY       @helper mirrors a VM already, or the kernel has one of them in such a call
 *   -EOPNOTSUPP  KVM mirrors no VMs of this type
 *   -EINTR, -ENOMEM  as the kernel says
 *   -ESTALE      one of the VMs is dead
 */
int gmem_vm_mirror(struct gmem_vm *helper, struct gmem_vm *vm);

#ifdef __cplusplus
}
#endif

#endif
