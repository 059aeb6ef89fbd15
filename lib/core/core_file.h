/* SPDX-License-Identifier: MIT */
/* The file as slots see it. */
#ifndef GMI_CORE_FILE_H
#define GMI_CORE_FILE_H

#include <libgmem/file.h>

#include "core_vm.h"

struct gmem_file {
	struct gmem_vm *vm; /* a reference */
	atomic_uint refs;   /* the caller's and one of each bound range */
	int fd;             /* closed with the file unless @borrowed */
	bool borrowed;
	uint64_t size;
	uint64_t flags;
	uint64_t raw_flags;
	struct gmi_inode *inode; /* a reference, where the state is the file's; or NULL */

	struct gmi_rangemap bound; /* offsets bound in any address space; the VM's bind_lock */
	_Atomic uint64_t bytes_bound;

	bool has_inode; /* @dev, @ino and @block_size were asked for; the VM's lock: all below */
	uint64_t dev;   /* with @ino: the inode, of which a VM has one file at most */
	uint64_t ino;
	uint64_t block_size;
	struct gmem_file *next;
	struct gmem_file **link;
};

struct gmem_file *gmi_file_get(struct gmem_file *file);
void gmi_file_put(struct gmem_file *file);

/* Maps a checked range of @file, readable and writable. 0 or -errno, without a record. */
int gmi_file_mmap(const struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr);

#endif
