/* SPDX-License-Identifier: MIT */
/* Inodes of guest memory, one record each in a context. */
#include "inode.h"

#include "alloc.h"
#include "core_ctx.h"

static struct gmi_inode *find(struct gmem_ctx *ctx, uint64_t dev, uint64_t ino)
{
	struct gmi_inode *inode = ctx->inodes;

	while (inode && (inode->dev != dev || inode->ino != ino))
		inode = inode->next;
	return inode;
}

static struct gmi_inode *make(struct gmem_ctx *ctx, uint64_t dev, uint64_t ino)
{
	struct gmi_inode *inode = gmi_zalloc(&ctx->allocator, sizeof(*inode));

	if (!inode)
		return NULL;
	pthread_mutex_init(&inode->lock, NULL);
	inode->ctx = ctx;
	inode->dev = dev;
	inode->ino = ino;
	inode->next = ctx->inodes;
	ctx->inodes = inode;
	return inode;
}

static void destroy(struct gmi_inode *inode)
{
	gmi_attrmap_destroy(inode->state);
	pthread_mutex_destroy(&inode->lock);
	gmi_free(&inode->ctx->allocator, inode);
}

struct gmi_inode *gmi_inode_get(struct gmem_ctx *ctx, uint64_t dev, uint64_t ino)
{
	struct gmi_inode *inode;

	pthread_mutex_lock(&ctx->inode_lock);
	inode = find(ctx, dev, ino);
	if (!inode)
		inode = make(ctx, dev, ino);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&ctx->inode_lock);
	return inode;
}

int gmi_inode_keep_state(struct gmi_inode *inode, uint64_t size, enum gmem_state initial)
{
	int ret = 0;

	pthread_mutex_lock(&inode->lock);
	if (!inode->state)
		ret = gmi_attrmap_create(&inode->ctx->allocator, size, initial, &inode->state);
	pthread_mutex_unlock(&inode->lock);
	return ret;
}

static void unlist(struct gmi_inode *inode)
{
	struct gmi_inode **at = &inode->ctx->inodes;

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
}

void gmi_inode_put(struct gmi_inode *inode)
{
	struct gmem_ctx *ctx;
	bool last;

	if (!inode)
		return;
	ctx = inode->ctx;
	pthread_mutex_lock(&ctx->inode_lock);
	last = --inode->refs == 0;
	if (last)
		unlist(inode);
	pthread_mutex_unlock(&ctx->inode_lock);
	if (last)
		destroy(inode);
}
