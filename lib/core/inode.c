/* SPDX-License-Identifier: MIT */
/* Inodes of guest memory, one record each in a context, and the files on them. */
#include "inode.h"

#include <errno.h>

#include "alloc.h"
#include "errinfo.h"

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
	struct gmi_inode **at = &inode->ctx->inodes;

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
	gmi_attrmap_destroy(inode->state);
	pthread_mutex_destroy(&inode->lock);
	gmi_free(&inode->ctx->allocator, inode);
}

static void enlist(struct gmem_file **list, struct gmem_file *file)
{
	file->next_view = *list;
	file->view_link = list;
	if (file->next_view)
		file->next_view->view_link = &file->next_view;
	*list = file;
}

static void unlist(struct gmem_file *file)
{
	*file->view_link = file->next_view;
	if (file->next_view)
		file->next_view->view_link = file->view_link;
	file->view_link = NULL;
}

void gmi_inode_add_stranger(struct gmem_file *file)
{
	struct gmem_ctx *ctx = file->vm->ctx;

	pthread_mutex_lock(&ctx->inode_lock);
	enlist(&ctx->strangers, file);
	pthread_mutex_unlock(&ctx->inode_lock);
}

static int identify(struct gmem_file *file)
{
	struct gmem_sys_stat stat;
	int ret;

	if (file->has_inode)
		return 0;
	ret = gmi_sys_fstat(&file->vm->ctx->sys, file->fd, &stat);
	if (ret)
		return gmi_error_call(ret, "fstat", "descriptor %d", file->fd);
	file->has_inode = true;
	file->dev = stat.dev;
	file->ino = stat.ino;
	file->block_size = stat.block_size;
	return 0;
}

int gmi_inode_identify(struct gmem_file *file)
{
	struct gmem_ctx *ctx = file->vm->ctx;
	int ret;

	pthread_mutex_lock(&ctx->inode_lock);
	ret = identify(file);
	pthread_mutex_unlock(&ctx->inode_lock);
	return ret;
}

/* A reader of @inode without the lock has come by a conversion, which knows it is there. */
static int put_on(struct gmem_file *file, enum gmi_inode_role role)
{
	struct gmem_ctx *ctx = file->vm->ctx;
	struct gmi_inode *inode = find(ctx, file->dev, file->ino);

	if (!inode)
		inode = make(ctx, file->dev, file->ino);
	if (!inode)
		return gmi_error_memory();
	if (file->view_link)
		unlist(file);
	enlist(&inode->files, file);
	inode->file_count++;
	if (role == GMI_INODE_OWNER && !inode->owner)
		inode->owner = file;
	file->inode = inode;
	return 0;
}

/* Any of the strangers may be on the inode that is looked for. */
static int meet_strangers(struct gmem_ctx *ctx)
{
	int ret = 0;

	while (!ret && ctx->strangers) {
		ret = identify(ctx->strangers);
		if (!ret)
			ret = put_on(ctx->strangers, GMI_INODE_OWNER);
	}
	return ret;
}

static struct gmem_file *file_of(const struct gmi_inode *inode, const struct gmem_vm *vm)
{
	struct gmem_file *file = inode ? inode->files : NULL;

	while (file && file->vm != vm)
		file = file->next_view;
	return file;
}

static int check_free(struct gmem_vm *vm, uint64_t dev, uint64_t ino)
{
	int ret = meet_strangers(vm->ctx);

	if (!ret && file_of(find(vm->ctx, dev, ino), vm))
		return gmi_error(-EBUSY, "the VM has a file of this inode already");
	return ret;
}

int gmi_inode_check_free(struct gmem_vm *vm, uint64_t dev, uint64_t ino)
{
	int ret;

	pthread_mutex_lock(&vm->ctx->inode_lock);
	ret = check_free(vm, dev, ino);
	pthread_mutex_unlock(&vm->ctx->inode_lock);
	return ret;
}

/* A stranger, which @file may be, is on its record after the others were met. */
static int join(struct gmem_file *file, enum gmi_inode_role role)
{
	int ret;

	if (file->view_link)
		return file->inode ? 0 : meet_strangers(file->vm->ctx);
	ret = check_free(file->vm, file->dev, file->ino);
	return ret ? ret : put_on(file, role);
}

/* Another VM on the inode, with a reference. They all have one bind lock: any will do. */
static struct gmem_vm *neighbour(const struct gmem_file *file)
{
	struct gmem_file *other = file->inode->files;

	while (other && other->vm == file->vm)
		other = other->next_view;
	return other ? gmi_vm_get(other->vm) : NULL;
}

/* A file in the list has a VM; it leaves the list before it lets the VM go. */
int gmi_inode_join(struct gmem_file *file, enum gmi_inode_role role)
{
	struct gmem_ctx *ctx = file->vm->ctx;
	struct gmem_vm *other = NULL;
	int ret;

	pthread_mutex_lock(&ctx->inode_lock);
	ret = join(file, role);
	if (!ret)
		other = neighbour(file);
	pthread_mutex_unlock(&ctx->inode_lock);
	if (!other)
		return ret;
	gmi_bind_lock_merge(other->bind_lock, file->vm->bind_lock);
	gmi_vm_put(other);
	return ret;
}

int gmi_inode_know(struct gmem_file *file)
{
	int ret = gmi_inode_identify(file);

	return ret ? ret : gmi_inode_join(file, GMI_INODE_OWNER);
}

void gmi_inode_own(struct gmem_file *file)
{
	pthread_mutex_lock(&file->vm->ctx->inode_lock);
	if (file->inode)
		file->inode->owner = file;
	pthread_mutex_unlock(&file->vm->ctx->inode_lock);
}

void gmi_inode_disown(struct gmem_file *file)
{
	pthread_mutex_lock(&file->vm->ctx->inode_lock);
	file->was_owner = file->inode && file->inode->owner == file;
	if (file->was_owner)
		file->inode->owner = NULL;
	pthread_mutex_unlock(&file->vm->ctx->inode_lock);
}

void gmi_inode_leave(struct gmem_file *file)
{
	struct gmem_ctx *ctx = file->vm->ctx;
	struct gmi_inode *inode = file->inode;

	pthread_mutex_lock(&ctx->inode_lock);
	if (file->view_link)
		unlist(file);
	if (inode && inode->owner == file)
		inode->owner = NULL;
	if (inode && --inode->file_count == 0)
		destroy(inode);
	file->inode = NULL;
	pthread_mutex_unlock(&ctx->inode_lock);
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

struct gmem_file *gmi_inode_next_bound(struct gmi_inode *inode, const struct gmem_file *prev)
{
	struct gmem_file *file;

	pthread_mutex_lock(&inode->ctx->inode_lock);
	file = prev ? prev->next_view : inode->files;
	while (file && !file->bound.count)
		file = file->next_view;
	pthread_mutex_unlock(&inode->ctx->inode_lock);
	return file;
}

struct gmem_file *gmi_inode_find_file(struct gmi_inode *inode, const struct gmem_vm *vm)
{
	struct gmem_file *file;

	pthread_mutex_lock(&inode->ctx->inode_lock);
	file = file_of(inode, vm);
	if (file && !gmi_file_get_live(file))
		file = NULL;
	pthread_mutex_unlock(&inode->ctx->inode_lock);
	return file;
}
