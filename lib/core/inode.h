/* SPDX-License-Identifier: MIT */
/* The record of an inode of guest memory: what all files on it share. */
#ifndef GMI_INODE_H
#define GMI_INODE_H

#include <pthread.h>

#include "attrmap.h"

struct gmem_ctx;

struct gmi_inode {
	struct gmem_ctx *ctx; /* whose list it is in; the files hold the references */
	uint64_t dev;
	uint64_t ino;
	uint32_t refs; /* the list's lock */
	struct gmi_inode *next;

	pthread_mutex_t lock; /* held while the kernel converts, so that @state follows its order */
	struct gmi_attrmap *state; /* by offset; NULL where the state is not the inode's */
};

/* Finds or makes the record of (@dev, @ino), and takes a reference. NULL: out of memory. */
struct gmi_inode *gmi_inode_get(struct gmem_ctx *ctx, uint64_t dev, uint64_t ino);

/* Has the inode keep the state of its @size bytes: @initial where it did not before. 0 or -ENOMEM. */
int gmi_inode_keep_state(struct gmi_inode *inode, uint64_t size, enum gmem_state initial);

/* Takes NULL. */
void gmi_inode_put(struct gmi_inode *inode);

#endif
