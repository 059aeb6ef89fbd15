/* SPDX-License-Identifier: MIT */
/* Makes the VM that a manifest describes, of the descriptors that came along; undoes it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "alloc.h"
#include "context.h"
#include "errinfo.h"
#include "handover_job.h"
#include "inode.h"
#include "kvm_call.h"
#include "uapi_kvm.h"

static int fail_fd(uint32_t index, const char *what)
{
	return gmi_error(-EXDEV,
			 "descriptor %u of the peer's is of another %s than the manifest says",
			 index, what);
}

/* Before anything is made. That it is guest memory, and can be written, linking finds out. */
static int check_fd(const struct gmem_handover *h, uint32_t index)
{
	const struct gmi_manifest_inode *inode = &h->manifest.inodes[index];
	struct gmem_sys_stat stat;
	int ret = gmi_sys_fstat(&h->ctx->sys, h->fds[inode->fd], &stat);

	if (ret)
		return gmi_error_call(ret, "fstat", "descriptor %u of the peer's", inode->fd);
	if (!S_ISREG(stat.mode))
		return fail_fd(inode->fd, "kind");
	if (stat.dev != inode->dev || stat.ino != inode->ino)
		return fail_fd(inode->fd, "inode");
	if (inode->kind == GMI_INODE_GUEST ? stat.size != inode->size : stat.size < inode->size)
		return fail_fd(inode->fd, "size");
	if (stat.block_size != inode->page_size)
		return fail_fd(inode->fd, "page size");
	return 0;
}

static int check_fds(const struct gmem_handover *h)
{
	int ret = 0;

	for (uint32_t i = 0; i < h->manifest.inode_count && !ret; i++)
		ret = check_fd(h, i);
	return ret;
}

static int check_vm(const struct gmem_handover *h)
{
	const struct gmi_manifest_vm *vm = &h->manifest.vm;

	if (h->vm->type != vm->type)
		return gmi_error(-EXDEV, "the peer's VM is of type %u, this one of %u", vm->type,
				 h->vm->type);
	if (h->vm->attrs.mechanism != vm->mechanism)
		return gmi_error(
			-EOPNOTSUPP,
			"the peer's VM (Linux %s) converts by mechanism %u, this one by %u",
			vm->release, vm->mechanism, h->vm->attrs.mechanism);
	if (gmi_attrs_in_use(&h->vm->attrs))
		return gmi_error(-EXDEV, "something was converted in the VM to fill");
	if (h->vm->address_spaces < vm->address_spaces)
		return gmi_error(-EXDEV, "the peer's VM has more address spaces");
	return h->manifest.has_context ? gmi_context_check_movable(h->vm) : 0;
}

static int find_vm(struct gmem_handover *h)
{
	int ret = 0;

	if (!h->vm)
		ret = gmem_vm_create(h->ctx, h->manifest.vm.type, NULL, &h->vm);
	return ret ? ret : check_vm(h);
}

static int make_arrays(struct gmem_handover *h)
{
	const struct gmem_allocator *allocator = &h->ctx->allocator;

	h->files =
		gmi_zalloc_array(allocator, h->manifest.file_count + 1, sizeof(struct gmem_file *));
	h->slots =
		gmi_zalloc_array(allocator, h->manifest.slot_count + 1, sizeof(struct gmem_slot *));
	return h->files && h->slots ? 0 : gmi_error_memory();
}

static void remember_facts(struct gmem_file *file, const struct gmi_manifest_inode *inode)
{
	file->raw_flags = inode->raw_flags;
	file->numa_mode = inode->numa_mode;
	memcpy(file->numa_nodes, inode->nodes, sizeof(file->numa_nodes));
}

/* The descriptor is the file's, or closed, from then on. */
static int link_file(struct gmem_handover *h, uint32_t index)
{
	const struct gmi_manifest_inode *inode =
		&h->manifest.inodes[h->manifest.files[index].inode];
	struct gmem_link_opts opts = {.sz = sizeof(opts), .file_flags = inode->flags};
	int ret = gmem_file_link_fd(h->vm, h->fds[inode->fd], &opts, &h->files[index]);

	if (ret)
		return ret;
	h->fds[inode->fd] = -1;
	h->file_count++;
	h->mechanism = gmi_file_is_view(h->files[index]) ? GMEM_LINK_HVA_VIEW : GMEM_LINK_KERNEL;
	remember_facts(h->files[index], inode);
	return 0;
}

static int link_files(struct gmem_handover *h)
{
	int ret = 0;

	for (uint32_t i = 0; i < h->manifest.file_count && !ret; i++)
		ret = link_file(h, i);
	return ret;
}

static int map_host(struct gmem_handover *h, const struct gmi_manifest_slot *slot, void **ret_addr)
{
	const struct gmi_manifest_inode *inode = &h->manifest.inodes[slot->host];
	int prot = slot->flags & GMEM_SLOT_READONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	int ret = gmi_sys_mmap(&h->ctx->sys, NULL, slot->size, prot, MAP_SHARED, h->fds[inode->fd],
			       slot->host_offset, ret_addr);

	if (ret) {
		gmi_error_call(ret, "mmap", "the peer's host memory cannot be mapped");
		return gmi_at_gpa(slot->gpa, slot->size);
	}
	return 0;
}

static struct gmem_slot_opts slot_opts(const struct gmem_handover *h,
				       const struct gmi_manifest_slot *slot)
{
	struct gmem_file *file = slot->file != GMI_MANIFEST_NONE ? h->files[slot->file] : NULL;
	struct gmem_slot_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_ID | (slot->flags & (GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY)),
		.slot_id = slot->id,
		.address_space = slot->address_space,
		.file = file,
		.offset = slot->offset,
	};

	if (slot->host != GMI_MANIFEST_NONE)
		opts.backing_page = slot->backing_page;
	else if (slot->flags & GMEM_SLOT_NO_HVA && !gmi_file_is_view(file))
		opts.flags |= GMEM_SLOT_NO_HVA;
	return opts;
}

static int bind(struct gmem_handover *h, const struct gmi_manifest_slot *slot,
		struct gmem_slot_opts *opts)
{
	int ret = gmem_slot_bind(h->vm, slot->gpa, slot->size, opts, &h->slots[h->bound_count]);

	if (!ret)
		h->bound_count++;
	return ret;
}

static int bind_mapped(struct gmem_handover *h, const struct gmi_manifest_slot *slot, int fd,
		       struct gmi_backing *backing)
{
	struct gmem_slot_opts opts = slot_opts(h, slot);
	int ret = map_host(h, slot, &opts.hva);

	if (ret)
		return ret;
	ret = bind(h, slot, &opts);
	if (ret)
		gmi_ctx_munmap(h->ctx, opts.hva, slot->size);
	else
		gmi_backing_give(h->slots[h->bound_count - 1], backing, fd, slot->host_offset);
	return ret;
}

/* The mapping, and a descriptor to discard through, become the range's. */
static int bind_host(struct gmem_handover *h, const struct gmi_manifest_slot *slot)
{
	int fd = gmi_sys_dup(&h->ctx->sys, h->fds[h->manifest.inodes[slot->host].fd]);
	struct gmi_backing *backing;
	int ret;

	if (fd < 0)
		return gmi_error_call(fd, "fcntl", "no descriptor for the peer's host memory");
	backing = gmi_backing_create(h->ctx);
	ret = backing ? bind_mapped(h, slot, fd, backing) : gmi_error_memory();
	if (ret) {
		gmi_free(&h->ctx->allocator, backing);
		gmi_ctx_close(h->ctx, fd);
	}
	return ret;
}

static int bind_own(struct gmem_handover *h, const struct gmi_manifest_slot *slot)
{
	struct gmem_slot_opts opts = slot_opts(h, slot);

	return bind(h, slot, &opts);
}

static int bind_slots(struct gmem_handover *h)
{
	const struct gmi_manifest_slot *slot = h->manifest.slots;
	int ret = 0;

	for (uint32_t i = 0; i < h->manifest.slot_count && !ret; i++, slot++)
		ret = slot->host == GMI_MANIFEST_NONE ? bind_own(h, slot) : bind_host(h, slot);
	h->slot_count = h->bound_count;
	return ret;
}

static void close_fds(struct gmem_handover *h, bool keep_context)
{
	for (uint32_t i = 0; i < h->nr_fds; i++) {
		if (keep_context && h->manifest.has_context && i == h->manifest.context_fd)
			continue;
		if (h->fds[i] >= 0)
			gmi_ctx_close(h->ctx, h->fds[i]);
		h->fds[i] = -1;
	}
}

int gmi_handover_build(struct gmem_handover *h)
{
	int ret = check_fds(h);

	if (!ret)
		ret = find_vm(h);
	if (!ret)
		ret = make_arrays(h);
	if (!ret)
		ret = link_files(h);
	if (!ret)
		ret = gmi_handover_set_states(h);
	if (!ret)
		ret = bind_slots(h);
	if (!ret)
		close_fds(h, true);
	return ret;
}

/* What the kernel answers here it finds out before it changes anything, SEV guests apart. */
int gmi_handover_move_context(struct gmem_handover *h)
{
	int ret;

	if (!h->manifest.has_context)
		return 0;
	ret = gmi_kvm_enable_cap(&h->ctx->sys, h->vm->fd, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
				 (uint64_t)h->fds[h->manifest.context_fd]);
	if (ret)
		return gmi_vm_error(ret, "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM",
				    "the context was not moved");
	close_fds(h, false);
	return 0;
}

/* A range that KVM does not let go of goes with its VM, or stays with the caller's. */
void gmi_handover_unbuild(struct gmem_handover *h)
{
	while (h->bound_count)
		gmi_slot_give_up(h->slots[--h->bound_count]);
	while (h->file_count) {
		h->file_count--;
		if (h->files[h->file_count])
			gmi_file_put(h->files[h->file_count]);
	}
	h->slot_count = 0;
	close_fds(h, false);
	if (h->vm && h->opts.vm)
		gmi_handover_reset_states(h);
	if (h->vm)
		gmi_vm_put(h->vm);
	h->vm = NULL;
}
