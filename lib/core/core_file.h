/* SPDX-License-Identifier: MIT */
/* The file as slots see it. */
#ifndef GMI_CORE_FILE_H
#define GMI_CORE_FILE_H

#include <libgmem/file.h>
#include <libgmem/link.h>

#include "core_vm.h"

/* Words for the 1024 nodes that Linux can have. */
#define GMI_FILE_NUMA_WORDS 16u

struct gmem_file {
	struct gmem_vm *vm; /* a reference */
	atomic_uint refs;   /* the caller's and one of each bound range */
	int fd;             /* closed with the file unless @borrowed */
	bool borrowed;
	uint64_t size;
	uint64_t flags;
	uint64_t raw_flags;
	uint32_t numa_mode; /* enum gmem_numa_mode, as it was asked for */
	uint64_t numa_nodes[GMI_FILE_NUMA_WORDS];
	uint32_t denied; /* GMEM_RIGHT_… bits that it lacks; constant once it is given out */
	uint32_t origin; /* enum gmem_origin */
	bool was_owner;  /* until its VM was handed over, by the one hand-over that did it */
	struct gmem_file *source; /* a reference to the file whose descriptor this is; or NULL */

	/* Its record; the context's inode_lock guards its making. Is there in place, may be elsewhere. */
	_Atomic(struct gmi_inode *) inode;

	struct gmi_rangemap bound; /* offsets bound in any address space; the VM's bind_lock */
	_Atomic uint64_t bytes_bound;
	bool is_counted; /* among its VM's files */

	bool has_inode; /* @dev, @ino and @block_size were asked for; inode_lock: up to @view_link */
	uint64_t dev;   /* with @ino: the inode, of which a VM has one file at most */
	uint64_t ino;
	uint64_t block_size;
	struct gmem_file *next_view; /* on the same inode, or among the strangers */
	struct gmem_file **view_link;
};

/* Whether guests reach it by host address: for the kernel it is no file of its VM. */
static inline bool gmi_file_is_view(const struct gmem_file *file)
{
	return file->origin == GMEM_ORIGIN_HVA_VIEW;
}

struct gmem_file *gmi_file_get(struct gmem_file *file);
void gmi_file_put(struct gmem_file *file);

/* A reference, unless the last one is gone already. */
bool gmi_file_get_live(struct gmem_file *file);

/* -EPERM with a record where the file lacks a GMEM_RIGHT_… */
int gmi_file_check_right(const struct gmem_file *file, uint32_t right);

/* Frees a checked range, and has devices of other VMs let go of it before. Without the bind lock. */
int gmi_file_punch(struct gmem_file *file, uint64_t offset, uint64_t size);

/* Maps a checked range of @file, as its rights allow. 0 or -errno, without a record. */
int gmi_file_mmap(const struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr);

#endif
