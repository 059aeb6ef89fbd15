/* SPDX-License-Identifier: MIT */
/* The record of an inode of guest memory: what all files on it share. */
#ifndef GMI_INODE_H
#define GMI_INODE_H

#include <pthread.h>

#include "attrmap.h"
#include "core_file.h"

/*
 * A file that is made new is on no other's inode: it gets a record only when someone needs one, in
 * place at once, elsewhere when its memory is linked or another descriptor comes in. Until then it
 * is one of the context's strangers.
 */
struct gmi_inode {
	struct gmem_ctx *ctx; /* whose list it is in; the files hold the references */
	uint64_t dev;
	uint64_t ino;
	struct gmi_inode
		*next; /* the list's lock, ctx->inode_lock, guards this and all up to @lock */
	struct gmem_file *files; /* all of this context, by next_view */
	uint32_t file_count;
	struct gmem_file *owner; /* of @files; NULL: another process's, or gone */

	pthread_mutex_t lock; /* held while the kernel converts, so that @state follows its order */
	struct gmi_attrmap *state; /* by offset; NULL where the state is not the inode's */
};

/* Puts a new file, whose inode nobody else can have, among the strangers. */
void gmi_inode_add_stranger(struct gmem_file *file);

/* Finds out @dev, @ino and @block_size where nobody did yet. 0 or -errno with a record. */
int gmi_inode_identify(struct gmem_file *file);

/* How a file comes to its inode. */
enum gmi_inode_role {
	GMI_INODE_OWNER,    /* its VM made the inode, as far as we know */
	GMI_INODE_BORROWER, /* it is linked */
};

/*
 * Puts an identified @file, which may be a stranger, on the record of its inode. -EBUSY where its VM
 * has the inode already. 0 or -errno with a record. The VMs on the inode have one bind lock then:
 * none of them may be held.
 */
int gmi_inode_join(struct gmem_file *file, enum gmi_inode_role role);

/* Has @file on the record of its inode, as the owner's where it is the first. 0 or -errno. */
int gmi_inode_know(struct gmem_file *file);

/*
 * -EBUSY where @vm has a file of the inode, which would make the kernel answer with a bare EINVAL.
 * 0 or -errno with a record.
 */
int gmi_inode_check_free(struct gmem_vm *vm, uint64_t dev, uint64_t ino);

/* Makes the owner's file of @file, where it is on a record; or no longer. */
void gmi_inode_own(struct gmem_file *file);
void gmi_inode_disown(struct gmem_file *file);

/* Takes @file off the record, or the list, that it is on; the last one ends the record. */
void gmi_inode_leave(struct gmem_file *file);

/* Has the inode keep the state of its @size bytes: @initial where it did not before. 0 or -ENOMEM. */
int gmi_inode_keep_state(struct gmi_inode *inode, uint64_t size, enum gmem_state initial);

/*
 * The next file on the inode after @prev (NULL: the first) from which something is bound. With the
 * bind lock of a VM on it: it cannot go meanwhile.
 */
struct gmem_file *gmi_inode_next_bound(struct gmi_inode *inode, const struct gmem_file *prev);

/* A reference to the file that @vm has on the inode, or NULL. */
struct gmem_file *gmi_inode_find_file(struct gmi_inode *inode, const struct gmem_vm *vm);

#endif
