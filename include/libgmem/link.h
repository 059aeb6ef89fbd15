/* SPDX-License-Identifier: MIT */
/**
 * DOC: A second VM on the same memory
 *
 * The inode owns the pages; a file is one VM's view of it. Linking makes another VM's file on the
 * same inode: no byte is copied, zeroed or allocated, and the memory outlives the first VM. Each VM
 * may bind the pages at other guest addresses and in other memslots.
 *
 * How, best first:
 *
 *   KVM_LINK_GUEST_MEMFD   in no released kernel; used where the context names GMEM_RFC_LINK and
 *                          the probe found it. The new file is like any other, and the old VM can go.
 *   host-address view      from 6.18, for files made with GMEM_FILE_MMAP and GMEM_FILE_INIT_SHARED:
 *                          the new VM binds a mapping of the old file. The old descriptor stays
 *                          open and with it, in the kernel, the old VM: its struct kvm, its memslots
 *                          and its tables until they are deleted. gmem_file_describe() reports it.
 *   neither                -EOPNOTSUPP, and gmem_errinfo() names the feature that is missing
 *
 * All files of a context on one inode know each other. A conversion in place is one for all of
 * them, and listeners of every VM on the inode are told. A punch through one file is seen by all;
 * see gmem_file_punch(). What one VM converted with two backings is private or shared for that VM
 * alone: pages of the file that are stale for one VM are not discarded while another VM on the inode
 * uses them as private. From the first link on, bindings and conversions of VMs that share memory
 * take turns.
 *
 * Owner and borrowers: one file on an inode is the owner's, at first the one that the memory was
 * made with. A linked file is a borrower's and may be given less: see struct gmem_link_opts. A
 * borrower cannot give what it does not have, and only gmem_file_donate() makes it the owner. Rights
 * are kept by this library: who holds the descriptor can do with raw system calls what the kernel
 * allows. docs/linking.md says what that means for each kind of memory.
 */
#ifndef LIBGMEM_LINK_H
#define LIBGMEM_LINK_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a file can be denied. */
#define GMEM_RIGHT_PUNCH    (UINT32_C(1) << 0) /* gmem_file_punch() */
#define GMEM_RIGHT_POPULATE (UINT32_C(1) << 1) /* gmem_file_populate(), preallocation */
#define GMEM_RIGHT_CONVERT  (UINT32_C(1) << 2) /* conversion of ranges bound from it */
#define GMEM_RIGHT_WRITE    (UINT32_C(1) << 3) /* guests write; mappings are writable */
#define GMEM_RIGHT_ALL                                                                             \
	(GMEM_RIGHT_PUNCH | GMEM_RIGHT_POPULATE | GMEM_RIGHT_CONVERT | GMEM_RIGHT_WRITE)

/** enum gmem_link_mechanism - how a second VM reaches the memory */
enum gmem_link_mechanism {
	GMEM_LINK_BEST = 0,    /* the first of those below that is possible */
	GMEM_LINK_KERNEL = 1,  /* KVM_LINK_GUEST_MEMFD */
	GMEM_LINK_HVA_VIEW = 2 /* a mapping of the file, bound as host memory */
};

/**
 * struct gmem_link_opts - how to link, and what is given
 * @sz:         sizeof(struct gmem_link_opts)
 * @denied:     GMEM_RIGHT_… bits that the new file lacks; what the source lacks is added.
 *              GMEM_RIGHT_WRITE can be denied to a host-address view only, since KVM has no
 *              read-only memslots of guest_memfd; its ranges are bound with GMEM_SLOT_READONLY.
 * @mechanism:  enum gmem_link_mechanism
 * @file_flags: for gmem_file_link_fd(): the GMEM_FILE_… bits that it was made with, which the
 *              kernel does not tell; 0 for gmem_file_link()
 */
struct gmem_link_opts {
	size_t sz;
	uint32_t denied;
	uint32_t mechanism;
	uint64_t file_flags;
};

/**
 * gmem_file_link() - Make a file for another VM on the same memory
 * @dst:      the VM that shall have the memory too
 * @src:      a file of another VM of the same context. That VM may be dead.
 * @opts:     NULL for the best mechanism and all rights
 * @ret_file: (out) the new file; release with gmem_file_unref()
 *
 * A host-address view holds a reference to @src, whose descriptor it uses.
 *
 * State:   on failure nothing changed.
 * Threads: safe. Blocks: while another thread binds or converts in one of the two VMs.
 * Kernel:  KVM_LINK_GUEST_MEMFD (RFC v2 of 2025), fstat(), fcntl(); none for a host-address view.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown right or mechanism, or flags for a file that is known
 *   -E2BIG       a member that this build does not know is not zero
 *   -EXDEV       @src belongs to another context
 *   -EBUSY       @dst has a file of this inode already
 *   -EOPNOTSUPP  no mechanism, or not the one asked for, reaches this memory; or a right that
 *                cannot be denied
 *   -ENOMEM, -EMFILE, -ENFILE  no memory or no descriptor left
 *   -ESTALE      @dst is dead, or the VM of @src was handed over
 */
int gmem_file_link(struct gmem_vm *dst, struct gmem_file *src, const struct gmem_link_opts *opts,
		   struct gmem_file **ret_file);

/**
 * gmem_file_link_fd() - Make a file on memory whose descriptor came from elsewhere
 * @dst:      the VM that shall have the memory
 * @fd:       descriptor of guest memory, of any process's VM; libgmem's on success, the caller's on
 *            failure. KVM_LINK_GUEST_MEMFD replaces it: it is closed before the call returns. A
 *            host-address view keeps it, close-on-exec, for as long as the file lives.
 * @opts:     as for gmem_file_link(); @file_flags say what the memory was made with
 * @ret_file: (out) the new file; release with gmem_file_unref()
 *
 * Before anything else the descriptor is checked by harmless calls to be guest memory and not, say,
 * a memfd, and to be mappable or not as @file_flags say. Whether it is the memory that the caller
 * expects only the caller knows: compare gmem_file_get_info()'s size, dev and ino with what the
 * sender said. The new file is a borrower's where the context knows the inode or not; where it does
 * not, the owner is another process's.
 *
 * State:   on failure nothing changed.
 * Threads: safe.
 * Kernel:  as gmem_file_adopt() and gmem_file_link().
 *
 * Return: 0, or -errno as gmem_file_link(), and
 *   -EINVAL      @fd is negative or no guest memory, or @file_flags are not those it was made with
 *   -EBADF       @fd is not open
 */
int gmem_file_link_fd(struct gmem_vm *dst, int fd, const struct gmem_link_opts *opts,
		      struct gmem_file **ret_file);

/**
 * gmem_file_find() - The file that a VM has on the memory of another file
 * @vm:       a VM
 * @like:     a file of the same context
 * @ret_file: (out) a reference of the caller's; release with gmem_file_unref()
 *
 * Threads: safe.
 * Kernel:  fstat(), at the first call for a file.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -ENOENT      @vm has no file on this inode
 *   -ENOMEM      out of memory
 *   other        a descriptor could not be asked
 */
int gmem_file_find(struct gmem_vm *vm, struct gmem_file *like, struct gmem_file **ret_file);

/**
 * gmem_file_donate() - Make a borrower the owner
 * @from: the file of the owner; or any file on the inode, where its owner is gone or in another
 *        process
 * @to:   another file on the same inode, denied no right
 *
 * Both keep all that they can do; from now on the VM of @to is the one that gives.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -EXDEV       the files are not on one inode of one context
 *   -EPERM       @from is not the owner's, or @to was denied a right
 */
int gmem_file_donate(struct gmem_file *from, struct gmem_file *to);

/** enum gmem_origin - how a file came to its VM */
enum gmem_origin {
	GMEM_ORIGIN_CREATED = 0,  /* gmem_file_create() */
	GMEM_ORIGIN_WRAPPED = 1,  /* gmem_file_adopt(), gmem_file_borrow() */
	GMEM_ORIGIN_LINKED = 2,   /* KVM_LINK_GUEST_MEMFD */
	GMEM_ORIGIN_HVA_VIEW = 3, /* a mapping of another VM's file */
};

/**
 * struct gmem_file_description - a file's place among those on its inode
 * @sz:                  sizeof(struct gmem_file_description), set by the caller
 * @origin:              enum gmem_origin
 * @is_owner:            1 for the owner's file
 * @has_owner:           1 where the owner's file is known to the context
 * @files:               files on the inode that the context knows, this one included
 * @denied:              GMEM_RIGHT_… bits that the file lacks
 * @enforced_by_kernel:  those of them that the kernel refuses too, as long as the file is used
 *                       through this library's bindings and mappings
 * @enforced_by_library: those that this library alone refuses
 * @keeps_other_vm:      1 where the file keeps the VM that it was made for alive in the kernel
 * @padding:             0
 * @text:                the same in one sentence
 */
struct gmem_file_description {
	size_t sz;
	uint32_t origin;
	uint32_t is_owner;
	uint32_t has_owner;
	uint32_t files;
	uint32_t denied;
	uint32_t enforced_by_kernel;
	uint32_t enforced_by_library;
	uint32_t keeps_other_vm;
	char text[192];
};

/**
 * gmem_file_describe() - Whose memory a file is on, what it may do, and who sees to that
 * @file:     a file
 * @ret_info: (in: @sz; out) the description
 *
 * Threads: safe.
 * Kernel:  fstat(), at the first call for a file.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 *   -ENOMEM      out of memory
 *   other        a descriptor could not be asked
 */
int gmem_file_describe(struct gmem_file *file, struct gmem_file_description *ret_info);

#ifdef __cplusplus
}
#endif

#endif
