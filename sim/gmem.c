/* SPDX-License-Identifier: MIT */
/* guest_memfd: inodes and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "range.h"
#include "sim_model.h"

#define INIT_SHARED GMI_GUEST_MEMFD_FLAG_INIT_SHARED

static void free_inode(struct gmem_sim *sim, struct sim_inode *inode)
{
	struct sim_inode **at = &sim->first_inode;

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
	gmi_sim_huge_release(inode);
	gmi_sim_rangemap_free(&inode->allocated);
	gmi_sim_rangemap_free(&inode->shared);
	gmi_sim_rangemap_free(&inode->policy);
	gmi_sim_rangemap_free(&inode->pinned);
	gmi_sim_rangemap_free(&inode->poisoned);
	gmi_sim_rangemap_free(&inode->assigned);
	close(inode->fd);
	free(inode);
	sim->inodes--;
}

/* Takes @fd, the simulator's own descriptor, also on failure. */
static struct sim_inode *new_inode(struct gmem_sim *sim, int fd, uint64_t size, uint64_t flags)
{
	struct sim_inode *inode = calloc(1, sizeof(*inode));
	struct stat st;

	if (!inode || fstat(fd, &st) < 0)
		goto fail;
	inode->fd = fd;
	inode->dev = st.st_dev;
	inode->ino = st.st_ino;
	inode->size = size;
	inode->flags = flags;
	if (flags & INIT_SHARED && gmi_sim_rangemap_set(&inode->shared, 0, size, 1))
		goto fail;
	inode->next = sim->first_inode;
	sim->first_inode = inode;
	sim->inodes++;
	return inode;
fail:
	close(fd);
	free(inode);
	return NULL;
}

static struct sim_view *insert_view(struct gmem_sim *sim, struct sim_vm *vm,
				    struct sim_inode *inode, uint64_t id)
{
	struct sim_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->object = (struct sim_object){.kind = SIM_VIEW, .id = id};
	view->inode = inode;
	view->vm = vm;
	view->bindings.by_offset = true;
	inode->views++;
	if (vm)
		vm->views++;
	gmi_sim_insert(sim, &view->object);
	return view;
}

/* A new file of @vm on @inode. Its descriptor is not close-on-exec: get_unused_fd_flags(0). */
int gmi_sim_new_view(struct gmem_sim *sim, struct sim_vm *vm, struct sim_inode *inode)
{
	uint64_t id;
	int fd = gmi_sim_new_fd(sim, inode->fd, SIM_VIEW, false, &id);

	if (fd < 0)
		return fd;
	if (!insert_view(sim, vm, inode, id)) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

/* The last reference to a file is gone: kvm_gmem_release(). */
void gmi_sim_release_view(struct gmem_sim *sim, struct sim_view *view)
{
	for (size_t i = 0; i < view->bindings.count; i++) {
		struct sim_slot *slot = view->bindings.slot[i];

		if (view->vm)
			gmi_sim_td_forget(view->vm, slot->gpa, slot->size);
		slot->view = NULL;
	}
	gmi_sim_index_free(&view->bindings);
	gmi_sim_forget_view(sim, view);
	if (view->vm)
		view->vm->views--;
	if (!--view->inode->views)
		free_inode(sim, view->inode);
	free(view);
}

/* The reservation at creation of the 1G series. */
static int take_huge_pages(struct gmem_sim *sim, struct sim_inode *inode, uint64_t page_size)
{
	if (!page_size)
		return 0;
	inode->pool = gmi_sim_pool_find(sim, page_size);
	inode->page_size = page_size;
	return gmi_sim_huge_promise(inode, 0, inode->size);
}

static int create(struct gmem_sim *sim, struct sim_vm *vm, uint64_t size, uint64_t flags,
		  uint64_t page_size)
{
	uint64_t dev, ino;
	struct sim_inode *inode;
	char name[48];
	int fd, ret;

	/* The name carries the flags to another process that gets the descriptor. */
	snprintf(name, sizeof(name), "gmem-sim:file:%llx:%llx", (unsigned long long)flags,
		 (unsigned long long)size);
	fd = gmi_sim_new_memory(name, size < SIM_BACKED_END ? size : SIM_BACKED_END, &dev, &ino);
	if (fd < 0)
		return fd;
	inode = new_inode(sim, fd, size, flags);
	if (!inode)
		return -ENOMEM;
	ret = take_huge_pages(sim, inode, page_size);
	if (!ret)
		ret = gmi_sim_new_view(sim, vm, inode);
	if (ret < 0)
		free_inode(sim, inode);
	return ret;
}

/* hugetlbfs: another file system behind the same model, all of it the host's. */
int gmi_sim_new_huge_memfd(struct gmem_sim *sim, struct sim_pool *pool)
{
	uint64_t dev, ino;
	struct sim_inode *inode;
	int fd = gmi_sim_new_memory("gmem-sim:hugetlb", 0, &dev, &ino);

	if (fd < 0)
		return fd;
	inode = new_inode(sim, fd, 0, GMI_GUEST_MEMFD_FLAG_MMAP);
	if (!inode)
		return -ENOMEM;
	inode->pool = pool;
	inode->page_size = pool->page_size;
	inode->is_memfd = true;
	fd = gmi_sim_rangemap_set(&inode->shared, 0, SIM_BACKED_END, 1);
	if (!fd)
		fd = gmi_sim_new_view(sim, NULL, inode);
	if (fd < 0)
		free_inode(sim, inode);
	return fd;
}

int gmi_sim_create_gmem(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_kvm_create_guest_memfd args;
	uint64_t flags, page_size;
	int ret;

	if (gmi_sim_copy_in(&args, arg, sizeof(args)))
		return -EFAULT;
	ret = gmi_sim_huge_parse(sim, vm, &args, &flags, &page_size);
	if (ret)
		return ret;
	if ((int64_t)args.size <= 0 || !gmi_is_aligned(args.size, SIM_PAGE))
		return -EINVAL;
	gmi_sim_reap_if_grown(sim);
	return create(sim, vm, args.size, flags, page_size);
}

static struct sim_inode *find_inode(struct gmem_sim *sim, const struct stat *st)
{
	struct sim_inode *inode;

	for (inode = sim->first_inode; inode; inode = inode->next) {
		if (inode->ino == st->st_ino && inode->dev == st->st_dev)
			break;
	}
	return inode;
}

static struct sim_inode *adopt_inode(struct gmem_sim *sim, int fd)
{
	unsigned long long flags, size;
	char path[32], link[96];
	ssize_t length;
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return NULL;
	link[length] = 0;
	if (sscanf(link, "/memfd:gmem-sim:file:%llx:%llx", &flags, &size) != 2)
		return NULL;
	own = open(path, O_RDWR | O_CLOEXEC);
	return own < 0 ? NULL : new_inode(sim, own, size, flags);
}

/* A file that another process, or another simulator, made: memory without a VM that we know. */
struct sim_view *gmi_sim_adopt_view(struct gmem_sim *sim, int fd, uint64_t id)
{
	struct sim_inode *inode = NULL;
	struct sim_view *view;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	inode = find_inode(sim, &st);
	if (!inode)
		inode = adopt_inode(sim, fd);
	if (!inode)
		return NULL;
	view = insert_view(sim, NULL, inode, id);
	if (!view && !inode->views)
		free_inode(sim, inode);
	return view;
}
