/* SPDX-License-Identifier: MIT */
/**
 * DOC: Context and features
 *
 * A context holds the descriptor of /dev/kvm, the table of system calls, the caller's hooks, and
 * what was found out about this kernel. All other objects hang from one. Programs need one; they
 * may have several, which share nothing.
 *
 * What the kernel can do is found by asking it, on a VM and a file of one page made for the purpose
 * and closed again, once per type of VM, and never by its version number. The answer is yes, no or
 * unknown: unknown means that the question itself failed (no memory, no descriptors) and is asked
 * again the next time.
 *
 * Interfaces that no released kernel has are used only where the caller names their generation in
 * @rfc: their numbers are not reserved, and on another kernel mean something else.
 */
#ifndef LIBGMEM_CTX_H
#define LIBGMEM_CTX_H

#include <libgmem/sys.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gmem_feature - what a kernel may offer for a type of VM
 *
 * Numbers are never reused; a program may ask an older library for a newer one and gets -EINVAL.
 */
enum gmem_feature {
	GMEM_FEATURE_GUEST_MEMFD = 0, /* KVM_CREATE_GUEST_MEMFD (6.8; default VMs 6.18) */
	GMEM_FEATURE_MMAP = 1,        /* files that the host can map: GMEM_FILE_MMAP (6.18) */
	GMEM_FEATURE_INIT_SHARED = 2, /* files that start shared: GMEM_FILE_INIT_SHARED (6.18) */
	GMEM_FEATURE_PRIVATE = 3,     /* memory that only the guest reaches */
	GMEM_FEATURE_CONVERT_VM = 4,  /* KVM_SET_MEMORY_ATTRIBUTES on the VM, two backings (6.8) */
	GMEM_FEATURE_CONVERT_INPLACE = 5, /* KVM_SET_MEMORY_ATTRIBUTES2 on the file (queued) */
	GMEM_FEATURE_MEMORY_FAULT = 6,    /* KVM_EXIT_MEMORY_FAULT (6.8) */
	GMEM_FEATURE_MAP_GPA_RANGE = 7,   /* KVM_HC_MAP_GPA_RANGE can exit to the VMM (5.14) */
	GMEM_FEATURE_PRE_FAULT = 8,       /* KVM_PRE_FAULT_MEMORY (6.11) */
	GMEM_FEATURE_NUMA = 9,            /* mbind() on a mapping places the file's pages (6.19) */
	GMEM_FEATURE_LINK = 10,           /* KVM_LINK_GUEST_MEMFD: GMEM_RFC_LINK (in no kernel) */
	GMEM_FEATURE_HVA_VIEW = 11,       /* a second VM on shared pages, by host address (6.18) */
	GMEM_FEATURE_MOVE_CONTEXT = 12,   /* KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM (5.16) */
	GMEM_FEATURE_MIRROR = 13,         /* KVM_CAP_VM_COPY_ENC_CONTEXT_FROM (5.13) */
	GMEM_FEATURE_READONLY = 14,       /* read-only memslots of host memory */
	GMEM_FEATURE_HUGETLB = 15, /* files of huge pages: GMEM_RFC_HUGETLB_… (in no kernel) */
	GMEM_FEATURE_COUNT
};

/* struct gmem_ctx_opts.rfc: unmerged interfaces that the caller wants used, by generation. */
#define GMEM_RFC_LINK         (UINT64_C(1) << 0) /* KVM_LINK_GUEST_MEMFD, RFC v2 of 2025-05-16 */
#define GMEM_RFC_HUGETLB_2025 (UINT64_C(1) << 1) /* 1G pages, RFC v2 of 2025-05-14 */
#define GMEM_RFC_HUGETLB_WIP  (UINT64_C(1) << 2) /* 1G pages, the working tree of 2025-12-08 */

/**
 * struct gmem_ctx_opts - how a context works
 * @sz:        sizeof(struct gmem_ctx_opts)
 * @kvm_path:  device to open; NULL is "/dev/kvm"
 * @sys:       table of system calls; NULL is gmem_sys_linux(). Borrowed for the context's life.
 * @sys_user:  first argument of the table's functions
 * @allocator: where libgmem's own memory comes from; NULL is malloc(). Copied.
 * @log:       told, in one line without a newline, what a bug report would want to know; NULL is no
 *             one. Called on the thread that calls libgmem; must not call libgmem.
 * @log_user:  first argument of @log
 * @rfc:       GMEM_RFC_… bits; others, and two generations of one thing, are -EINVAL
 * @hugetlb_flag: with GMEM_RFC_HUGETLB_WIP: the create flag that asks for huge pages. No published
 *             text says which bit it is; the header of the kernel in use does. Not one of bits 0, 1.
 * @hugetlb_order_offset: with GMEM_RFC_HUGETLB_WIP: the byte of struct kvm_create_guest_memfd that
 *             holds the page order, 16 to 63; from the same header
 * @padding:   0
 */
struct gmem_ctx_opts {
	size_t sz;
	const char *kvm_path;
	const struct gmem_sys_ops *sys;
	void *sys_user;
	const struct gmem_allocator *allocator;
	void (*log)(void *user, const char *line);
	void *log_user;
	uint64_t rfc;
	uint64_t hugetlb_flag;
	uint32_t hugetlb_order_offset;
	uint32_t padding;
};

/**
 * gmem_ctx_create() - Open the KVM device and make a context
 * @opts:    NULL for defaults
 * @ret_ctx: (out) the context; release with gmem_ctx_unref()
 *
 * Threads: safe. A context and its objects may be used from several threads unless said otherwise.
 *          After fork() the child must use nothing of them: KVM answers it with EIO.
 * Kernel:  open("/dev/kvm"), KVM_GET_API_VERSION (must be 12).
 *
 * Return: 0, or -errno:
 *   -EINVAL      @ret_ctx is NULL, an unknown bit in @rfc, or a table without a needed function
 *   -E2BIG       a member that this build does not know is not zero
 *   -ENOENT      there is no such device
 *   -EACCES, -EPERM  no permission to open it
 *   -EOPNOTSUPP  the device is not KVM's, or of another API version
 *   -ENOMEM      out of memory
 */
int gmem_ctx_create(const struct gmem_ctx_opts *opts, struct gmem_ctx **ret_ctx);

/**
 * gmem_ctx_borrow() - Make a context on a KVM descriptor that the caller keeps
 * @kvm_fd:  descriptor of /dev/kvm; stays the caller's, who closes it after the last unref
 * @opts:    as for gmem_ctx_create(); @kvm_path is ignored
 * @ret_ctx: (out) the context; release with gmem_ctx_unref()
 *
 * Threads: safe.
 * Kernel:  KVM_GET_API_VERSION.
 *
 * Return: 0, or -errno as gmem_ctx_create(), and
 *   -EINVAL      @kvm_fd is negative
 *   -EBADF       @kvm_fd is not open
 */
int gmem_ctx_borrow(int kvm_fd, const struct gmem_ctx_opts *opts, struct gmem_ctx **ret_ctx);

/**
 * gmem_ctx_unref() - Give up the caller's reference
 * @ctx: a context or NULL
 *
 * The device is closed when the last object of the context is gone too.
 *
 * Threads: safe; the caller must not use @ctx afterwards.
 * Kernel:  close().
 *
 * Return: NULL, always.
 */
struct gmem_ctx *gmem_ctx_unref(struct gmem_ctx *ctx);

/**
 * gmem_ctx_kvm_fd() - The descriptor of /dev/kvm
 * @ctx: a context
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the descriptor, which stays the context's; -EINVAL for NULL.
 */
int gmem_ctx_kvm_fd(const struct gmem_ctx *ctx);

/**
 * gmem_has_vm_type() - Whether this kernel makes VMs of a type
 * @ctx:     a context
 * @vm_type: enum gmem_vm_type
 *
 * Threads: safe.
 * Kernel:  KVM_CAP_VM_TYPES (6.8); without it only GMEM_VM_DEFAULT.
 *
 * Return: 1 yes, 0 no, or -errno:
 *   -EINVAL      @ctx is NULL or the type unknown
 */
int gmem_has_vm_type(struct gmem_ctx *ctx, uint32_t vm_type);

/**
 * gmem_has_feature() - Whether this kernel has a feature, for a type of VM
 * @ctx:     a context
 * @vm_type: enum gmem_vm_type
 * @feature: enum gmem_feature
 *
 * Asks the kernel at the first call for a type (some milliseconds), and remembers what it said.
 *
 * Threads: safe. Blocks: while another thread probes the same context.
 * Kernel:  CHECK_EXTENSION, and the smallest real attempts on throwaway objects.
 *
 * Return: 1 yes, 0 no, or -errno where it is unknown:
 *   -EINVAL      @ctx is NULL, or the type or feature is unknown to this build
 *   other        what kept the probe from an answer; nothing is remembered, ask again
 */
int gmem_has_feature(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature);

/**
 * struct gmem_feature_info - an answer in words
 * @sz:        sizeof(struct gmem_feature_info), set by the caller
 * @state:     1 yes, 0 no, or -errno: unknown
 * @cap:       number of the KVM capability that was asked, 0 where none was
 * @cap_value: what KVM answered for it
 * @name:      short name of the feature, such as "convert-vm"
 * @mechanism: the interface that gives it, such as "KVM_SET_MEMORY_ATTRIBUTES on the VM"
 * @reason:    one sentence: why yes, why not, or why nobody knows
 *
 * @name and @mechanism are constant strings.
 */
struct gmem_feature_info {
	size_t sz;
	int32_t state;
	uint32_t cap;
	int64_t cap_value;
	const char *name;
	const char *mechanism;
	char reason[192];
};

/**
 * gmem_ctx_describe() - What was found out about a feature, and how
 * @ctx:      a context
 * @vm_type:  enum gmem_vm_type
 * @feature:  enum gmem_feature
 * @ret_info: (in: @sz; out) the answer
 *
 * Threads: safe.
 * Kernel:  as gmem_has_feature().
 *
 * Return: 0 where there is an answer in @ret_info, an unknown one included, or -errno:
 *   -EINVAL      a NULL pointer, or the type or feature is unknown to this build
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_ctx_describe(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature,
		      struct gmem_feature_info *ret_info);

/**
 * enum gmem_capability - the jobs for which libgmem chooses among mechanisms
 */
enum gmem_capability {
	GMEM_CAPABILITY_CONVERT = 0,     /* private <-> shared */
	GMEM_CAPABILITY_LINK = 1,        /* a second VM on the same memory */
	GMEM_CAPABILITY_HUGE = 2,        /* 1G pages */
	GMEM_CAPABILITY_PREALLOCATE = 3, /* memory ready before the guest starts */
	GMEM_CAPABILITY_COUNT
};

/**
 * gmem_ctx_mechanism() - Which mechanism libgmem uses for a job, and why
 * @ctx:        a context
 * @vm_type:    enum gmem_vm_type
 * @capability: enum gmem_capability
 * @ret_info:   (in: @sz; out) @state 1 where there is a mechanism, @mechanism names it
 *
 * Threads: safe.
 * Kernel:  as gmem_has_feature().
 *
 * Return: as gmem_ctx_describe().
 */
int gmem_ctx_mechanism(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t capability,
		       struct gmem_feature_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
