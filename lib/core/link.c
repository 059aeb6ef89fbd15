/* SPDX-License-Identifier: MIT */
/* A second VM's file on an inode: by the kernel's link, or by host address. */
#include <libgmem/link.h>

#include <errno.h>
#include <stdio.h>

#include "errinfo.h"
#include "file_make.h"
#include "inode.h"
#include "kvm_call.h"
#include "link_choose.h"
#include "opts.h"

static int check_opts(const struct gmem_link_opts *opts)
{
	if (opts->denied & ~GMEM_RIGHT_ALL)
		return gmi_error_arg("denied", "unknown rights %#x",
				     opts->denied & ~GMEM_RIGHT_ALL);
	if (opts->mechanism > GMEM_LINK_HVA_VIEW)
		return gmi_error_arg("mechanism", "unknown mechanism %u", opts->mechanism);
	return 0;
}

static int check_link(const struct gmem_vm *dst, const struct gmem_file *src,
		      const struct gmem_link_opts *opts, struct gmem_file **ret_file)
{
	int ret;

	if (!dst || !src)
		return gmi_error_arg(dst ? "src" : "dst", "a NULL pointer");
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	ret = check_opts(opts);
	if (ret)
		return ret;
	if (opts->file_flags)
		return gmi_error_arg("file_flags", "the flags of a file of this context are known");
	if (dst->ctx != src->vm->ctx)
		return gmi_error(-EXDEV, "the file belongs to another context");
	return gmi_vm_check_kept(src->vm);
}

/* Takes over nothing: @fd stays whose it was. */
static int link_by_kernel(struct gmem_file *file, int fd)
{
	const struct gmem_vm *vm = file->vm;
	int linked = gmi_kvm_link_guest_memfd(&vm->ctx->sys, vm->fd, fd, 0);

	if (linked < 0)
		return gmi_vm_error(linked == -EINVAL ? -EOPNOTSUPP : linked,
				    "KVM_LINK_GUEST_MEMFD", "descriptor %d could not be linked",
				    fd);
	file->fd = linked;
	file->origin = GMEM_ORIGIN_LINKED;
	return gmi_file_set_cloexec(file, linked);
}

/* The kernel's word that it is the same inode is checked: bindings rely on it. */
static int check_same_inode(struct gmem_file *file, const struct gmi_link_source *source)
{
	int ret = gmi_inode_identify(file);

	if (ret)
		return ret;
	if (file->dev != source->dev || file->ino != source->ino)
		return gmi_error(-EOPNOTSUPP, "KVM_LINK_GUEST_MEMFD gave a file of another inode");
	return 0;
}

static void view_by_address(struct gmem_file *file, const struct gmi_link_source *source)
{
	file->fd = source->fd;
	file->origin = GMEM_ORIGIN_HVA_VIEW;
	file->borrowed = true;
	file->source = source->file ? gmi_file_get(source->file) : NULL;
}

static int reach(struct gmem_file *file, const struct gmi_link_source *source, uint32_t mechanism)
{
	int ret;

	file->size = source->size;
	if (mechanism == GMEM_LINK_KERNEL) {
		ret = link_by_kernel(file, source->fd);
		if (ret)
			return ret;
	} else {
		view_by_address(file, source);
	}
	return check_same_inode(file, source);
}

static int make(struct gmem_vm *dst, const struct gmi_link_source *source,
		const struct gmem_link_opts *opts, struct gmem_file **ret_file)
{
	const struct gmem_file_opts make_opts = {
		.sz = sizeof(make_opts), .flags = source->flags, .raw_flags = source->raw_flags};
	struct gmem_file *file;
	uint32_t mechanism;
	int ret = gmi_inode_check_free(dst, source->dev, source->ino);

	if (!ret)
		ret = gmi_link_choose(dst, source, opts, &mechanism);
	if (ret)
		return ret;
	file = gmi_file_make(dst, &make_opts);
	if (!file)
		return gmi_error_memory();
	file->denied = opts->denied | source->denied;
	ret = reach(file, source, mechanism);
	if (!ret)
		ret = gmi_file_join(file, GMI_INODE_BORROWER);
	if (ret)
		gmi_file_put(file);
	else
		*ret_file = file;
	return ret;
}

/* A view of a view would keep the VM between them too, for nothing. */
static struct gmem_file *origin_of(struct gmem_file *file)
{
	return file->source ? file->source : file;
}

int gmi_file_link(struct gmem_vm *dst, struct gmem_file *src, const struct gmem_link_opts *opts,
		  struct gmem_file **ret_file)
{
	int ret = gmi_inode_know(src);
	struct gmi_link_source source = {
		.file = origin_of(src),
		.fd = src->fd,
		.vm_type = origin_of(src)->vm->type,
		.size = src->size,
		.flags = src->flags,
		.raw_flags = src->raw_flags,
		.denied = src->denied,
		.dev = src->dev,
		.ino = src->ino,
	};

	return ret ? ret : make(dst, &source, opts, ret_file);
}

static int link_file(struct gmem_vm *dst, struct gmem_file *src, const struct gmem_link_opts *in,
		     struct gmem_file **ret_file)
{
	struct gmem_link_opts opts = {.sz = sizeof(opts)};
	struct gmem_file *file;
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (!ret)
		ret = check_link(dst, src, &opts, ret_file);
	if (!ret)
		ret = gmi_file_link(dst, src, &opts, &file);
	if (!ret)
		gmi_file_give_out(file, ret_file);
	return ret;
}

GMEM_API int gmem_file_link(struct gmem_vm *dst, struct gmem_file *src,
			    const struct gmem_link_opts *opts, struct gmem_file **ret_file)
{
	return gmi_result(__func__, link_file(dst, src, opts, ret_file));
}

static int check_link_fd(const struct gmem_vm *dst, int fd, const struct gmem_link_opts *opts,
			 struct gmem_file **ret_file)
{
	struct gmem_file_opts file_opts = {.sz = sizeof(file_opts), .flags = opts->file_flags};
	int ret;

	if (!dst)
		return gmi_error_arg("dst", "a NULL pointer");
	if (fd < 0)
		return gmi_error_arg("fd", "%d is no descriptor", fd);
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	ret = check_opts(opts);
	if (!ret && gmi_file_check_flags(&file_opts))
		ret = gmi_at_arg("file_flags");
	return ret;
}

/* What the descriptor says of itself, and a file that this context has on it says more. */
static int examine_fd(struct gmem_vm *dst, int fd, uint64_t flags, struct gmi_link_source *source)
{
	struct gmem_file_opts opts = {.sz = sizeof(opts), .flags = flags};
	struct gmem_file *probe = gmi_file_make(dst, &opts);
	int ret;

	if (!probe)
		return gmi_error_memory();
	ret = gmi_file_check_fd(probe, fd, true);
	source->size = probe->size;
	source->dev = probe->dev;
	source->ino = probe->ino;
	gmi_file_put(probe);
	return ret;
}

/* A host-address view lives from the descriptor that came; a linked file has its own. */
static int settle_fd(struct gmem_file *file, int fd)
{
	int ret;

	if (!gmi_file_is_view(file)) {
		gmi_ctx_close(file->vm->ctx, fd);
		return 0;
	}
	ret = gmi_file_set_cloexec(file, fd);
	if (!ret)
		file->borrowed = false;
	return ret;
}

static int link_fd(struct gmem_vm *dst, int fd, const struct gmem_link_opts *in,
		   struct gmem_file **ret_file)
{
	struct gmem_link_opts opts = {.sz = sizeof(opts)};
	struct gmi_link_source source = {.fd = fd};
	struct gmem_file *file;
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (!ret)
		ret = check_link_fd(dst, fd, &opts, ret_file);
	if (!ret)
		ret = examine_fd(dst, fd, opts.file_flags, &source);
	if (ret)
		return ret;
	source.vm_type = dst->type;
	source.flags = opts.file_flags;
	ret = make(dst, &source, &opts, &file);
	if (ret)
		return ret;
	ret = settle_fd(file, fd);
	if (ret)
		gmi_file_put(file);
	else
		gmi_file_give_out(file, ret_file);
	return ret;
}

GMEM_API int gmem_file_link_fd(struct gmem_vm *dst, int fd, const struct gmem_link_opts *opts,
			       struct gmem_file **ret_file)
{
	return gmi_result(__func__, link_fd(dst, fd, opts, ret_file));
}

static int find_file(struct gmem_vm *vm, struct gmem_file *like, struct gmem_file **ret_file)
{
	struct gmem_file *file;
	int ret;

	if (!vm || !like)
		return gmi_error_arg(vm ? "like" : "vm", "a NULL pointer");
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	ret = gmi_inode_know(like);
	if (ret)
		return ret;
	file = gmi_inode_find_file(like->inode, vm);
	if (!file)
		return gmi_error(-ENOENT, "the VM has no file on this inode");
	*ret_file = file;
	return 0;
}

GMEM_API int gmem_file_find(struct gmem_vm *vm, struct gmem_file *like, struct gmem_file **ret_file)
{
	return gmi_result(__func__, find_file(vm, like, ret_file));
}
