/* SPDX-License-Identifier: MIT */
/**
 * DOC: Words and units
 *
 * Every size, offset and address is in bytes, in a uint64_t; a range is [start, start + size).
 * Page counts, frame numbers and kernel structs appear in no prototype.
 *
 * private and shared say who may reach a page: the guest alone, or the host too.
 *
 * Public structs that go in (…_opts) or come out (…_info) start with `size_t sz`. The caller sets
 * it to sizeof(the struct) as it knew it: GMEM_INIT() does. A shorter struct of an older program
 * means defaults for what it lacks; a longer one of a newer program is accepted where all that this
 * build does not know is zero, and is -E2BIG otherwise.
 */
#ifndef LIBGMEM_TYPES_H
#define LIBGMEM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what the shared libraries export, at the definition. */
#define GMEM_API __attribute__((visibility("default")))

/* The granule of everything: binding, conversion, punching. */
#define GMEM_PAGE_SIZE UINT64_C(4096)

/* The sizes of larger pages on x86. */
#define GMEM_PAGE_2M (UINT64_C(1) << 21)
#define GMEM_PAGE_1G (UINT64_C(1) << 30)

/* No NUMA node in particular. */
#define GMEM_NODE_ANY UINT32_MAX

/* Declares a public struct @name of @type, zeroed, with its size set. */
#ifdef __cplusplus
#define GMEM_INIT(type, name)                                                                      \
	struct type name = {};                                                                     \
	name.sz = sizeof(name)
#else
#define GMEM_INIT(type, name) struct type name = {.sz = sizeof(struct type)}
#endif

struct gmem_ctx;
struct gmem_vm;
struct gmem_file;
struct gmem_slot;

/** struct gmem_range - [start, start + size), in bytes */
struct gmem_range {
	uint64_t start;
	uint64_t size;
};

/**
 * enum gmem_vm_type - the kernel's types of x86 virtual machine (KVM_CREATE_VM's argument)
 *
 * Which of them a kernel offers is the value of KVM_CAP_VM_TYPES (6.8). On other architectures only
 * GMEM_VM_DEFAULT is known to libgmem.
 */
enum gmem_vm_type {
	GMEM_VM_DEFAULT = 0,      /* all memory shared; gmem slots since 6.18 */
	GMEM_VM_SW_PROTECTED = 1, /* private memory without hardware, for testing (6.8) */
	GMEM_VM_SEV = 2,          /* 6.10; no private memory in gmem's sense */
	GMEM_VM_SEV_ES = 3,       /* 6.10; no private memory in gmem's sense */
	GMEM_VM_SNP = 4,          /* private memory (6.11) */
	GMEM_VM_TDX = 5,          /* private memory (6.16) */
	GMEM_VM_TYPE_COUNT
};

/** enum gmem_state - who may reach a page; the state of a range may be mixed */
enum gmem_state {
	GMEM_SHARED = 0,  /* guest and host */
	GMEM_PRIVATE = 1, /* the guest alone */
	GMEM_MIXED = 2    /* some of each: an answer about a range, never a request */
};

/**
 * struct gmem_allocator - where libgmem takes its own memory from
 * @alloc: returns @size bytes aligned for any type, or NULL; need not be zeroed
 * @free:  takes back what @alloc returned; never called with NULL
 * @user:  passed to both
 *
 * Guest memory does not come from here. Both may be called from every thread that calls libgmem.
 */
struct gmem_allocator {
	void *(*alloc)(void *user, size_t size);
	void (*free)(void *user, void *ptr);
	void *user;
};

#ifdef __cplusplus
}
#endif

#endif
