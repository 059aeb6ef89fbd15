/* SPDX-License-Identifier: MIT */
/* How a file of guest memory comes to be: created, adopted or borrowed. */
#include "file_make.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "alloc.h"
#include "errinfo.h"
#include "huge.h"
#include "inode.h"
#include "kvm_call.h"
#include "opts.h"
#include "pool.h"
#include "probe.h"
#include "range.h"
#include "uapi_kvm.h"

#define FILE_FLAGS (GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED)

/* The kernel's loff_t is signed. */
#define FILE_SIZE_MAX (UINT64_C(1) << 63)

static uint64_t to_kernel_flags(uint64_t flags)
{
	return (flags & GMEM_FILE_MMAP ? GMI_GUEST_MEMFD_FLAG_MMAP : 0) |
	       (flags & GMEM_FILE_INIT_SHARED ? GMI_GUEST_MEMFD_FLAG_INIT_SHARED : 0);
}

int gmi_file_check_flags(const struct gmem_file_opts *opts)
{
	if (opts->flags & ~FILE_FLAGS)
		return gmi_error_arg("flags", "unknown flags %#llx",
				     (unsigned long long)(opts->flags & ~FILE_FLAGS));
	if (opts->raw_flags & to_kernel_flags(FILE_FLAGS))
		return gmi_error_arg("raw_flags", "flags that this library knows belong in flags");
	if ((opts->flags & FILE_FLAGS) == GMEM_FILE_INIT_SHARED)
		return gmi_error_arg("flags", "shared memory that nobody can map: "
					      "GMEM_FILE_INIT_SHARED needs GMEM_FILE_MMAP");
	return 0;
}

static bool has_node(const struct gmem_file_opts *opts)
{
	for (uint32_t i = 0; opts->nodes && i < opts->node_words; i++)
		if (opts->nodes[i])
			return true;
	return false;
}

static int check_numa(const struct gmem_file_opts *opts)
{
	if (opts->numa_mode > GMEM_NUMA_INTERLEAVE)
		return gmi_error_arg("numa_mode", "unknown mode %u", opts->numa_mode);
	if (opts->node_words && !opts->nodes)
		return gmi_error_arg("nodes", "a NULL pointer");
	if (has_node(opts) != (opts->numa_mode != GMEM_NUMA_DEFAULT))
		return gmi_error_arg("nodes", "a policy needs nodes, and nodes need a policy");
	if (has_node(opts) && !(opts->flags & GMEM_FILE_MMAP))
		return gmi_error_arg("numa_mode", "a policy is set through a mapping: it needs "
						  "GMEM_FILE_MMAP");
	return 0;
}

static bool is_huge(const struct gmem_file_opts *opts)
{
	return opts->page_size > GMEM_PAGE_SIZE;
}

static int check_page_size(const struct gmem_file_opts *opts, uint64_t size)
{
	if (!opts->page_size || opts->page_size == GMEM_PAGE_SIZE)
		return 0;
	if (!is_huge(opts) || opts->page_size & (opts->page_size - 1))
		return gmi_error_arg("page_size", "%#llx is no size of pages",
				     (unsigned long long)opts->page_size);
	if (!gmi_is_aligned(size, opts->page_size))
		return gmi_error_arg("size", "size %#llx is no multiple of the page size",
				     (unsigned long long)size);
	if (opts->raw_flags)
		return gmi_error_arg("raw_flags", "they do not go with huge pages");
	return 0;
}

static int check_size(uint64_t size)
{
	if (!size || !gmi_is_aligned(size, GMEM_PAGE_SIZE) || size >= FILE_SIZE_MAX)
		return gmi_error_arg("size",
				     "size %#llx is 0, not a multiple of 4096, or 2^63 or more",
				     (unsigned long long)size);
	return 0;
}

static int check_feature(const struct gmem_vm *vm, uint32_t feature)
{
	struct gmi_answer answer;

	if (gmi_vm_has(vm, feature))
		return 0;
	gmi_probe(vm->ctx, vm->type, feature, &answer);
	if (!answer.known)
		return gmi_has_feature(vm->ctx, vm->type, feature);
	if (!answer.state)
		return gmi_error_feature(feature, "no %s for VMs of type %s: %s",
					 gmi_feature_name(feature), gmi_vm_type_name(vm->type),
					 answer.reason);
	return 0;
}

/* Refuses, with the reason, what this kernel does not have for this type of VM. */
static int check_features(const struct gmem_vm *vm, const struct gmem_file_opts *opts)
{
	int ret = check_feature(vm, GMEM_FEATURE_GUEST_MEMFD);

	if (!ret && is_huge(opts))
		return check_feature(vm, GMEM_FEATURE_HUGETLB);
	if (!ret && opts->flags & GMEM_FILE_MMAP)
		ret = check_feature(vm, GMEM_FEATURE_MMAP);
	if (!ret && opts->flags & GMEM_FILE_INIT_SHARED)
		ret = check_feature(vm, GMEM_FEATURE_INIT_SHARED);
	if (!ret && opts->numa_mode != GMEM_NUMA_DEFAULT)
		ret = check_feature(vm, GMEM_FEATURE_NUMA);
	if (!ret && opts->raw_flags & ~vm->file_flags)
		ret = gmi_error(-EOPNOTSUPP, "the kernel announces no create flags %#llx",
				(unsigned long long)(opts->raw_flags & ~vm->file_flags));
	return ret < 0 ? ret : 0;
}

struct gmem_file *gmi_file_make(struct gmem_vm *vm, const struct gmem_file_opts *opts)
{
	struct gmem_file *file = gmi_zalloc(&vm->ctx->allocator, sizeof(*file));

	if (!file)
		return NULL;
	file->vm = gmi_vm_get(vm);
	file->fd = -1;
	file->flags = opts->flags;
	file->raw_flags = opts->raw_flags;
	atomic_init(&file->refs, 1);
	return file;
}

static void put_stat(struct gmem_file *file, const struct gmem_sys_stat *stat)
{
	file->has_inode = true;
	file->dev = stat->dev;
	file->ino = stat->ino;
	file->block_size = stat->block_size;
}

/*
 * In place the state is the inode's. The kernel starts a file as its flags say; what happened to one
 * that comes from elsewhere is told with gmem_attr_assume().
 */
static int keep_state(struct gmem_file *file)
{
	bool shared = file->flags & GMEM_FILE_INIT_SHARED;

	if (!gmi_vm_has(file->vm, GMEM_FEATURE_CONVERT_INPLACE))
		return 0;
	if (gmi_inode_keep_state(file->inode, file->size, shared ? GMEM_SHARED : GMEM_PRIVATE))
		return gmi_error_memory();
	return 0;
}

int gmi_file_join(struct gmem_file *file, enum gmi_inode_role role)
{
	int ret = gmi_inode_join(file, role);

	return ret ? ret : keep_state(file);
}

/* A new inode needs its record only where the state is kept there. */
static int join_new(struct gmem_file *file)
{
	int ret;

	if (!gmi_vm_has(file->vm, GMEM_FEATURE_CONVERT_INPLACE)) {
		gmi_inode_add_stranger(file);
		return 0;
	}
	ret = gmi_inode_identify(file);
	return ret ? ret : gmi_file_join(file, GMI_INODE_OWNER);
}

void gmi_file_forget(struct gmem_file *file)
{
	gmi_inode_leave(file);
	if (file->is_counted)
		atomic_fetch_sub_explicit(&file->vm->file_count, 1, memory_order_relaxed);
}

void gmi_file_give_out(struct gmem_file *file, struct gmem_file **ret_file)
{
	atomic_fetch_add_explicit(&file->vm->file_count, 1, memory_order_relaxed);
	file->is_counted = true;
	*ret_file = file;
}

/* Where the pool has too little, its numbers are the reason. */
static int create_huge_fd(struct gmem_file *file, uint64_t size, uint64_t page_size)
{
	const struct gmem_ctx *ctx = file->vm->ctx;
	int fd = gmi_huge_create(ctx, file->vm->fd, size, file->flags, page_size);

	if (fd >= 0) {
		file->fd = fd;
		file->size = size;
		return 0;
	}
	if (fd == -ENOMEM || fd == -ENOSPC)
		gmi_error_call(fd, "KVM_CREATE_GUEST_MEMFD", "no file of %s in huge pages: %s",
			       gmi_size_text(size).text,
			       gmi_pool_text(ctx, page_size, GMEM_NODE_ANY).text);
	else
		gmi_vm_error(fd == -EINVAL ? -EOPNOTSUPP : fd, "KVM_CREATE_GUEST_MEMFD",
			     "no file of %s in pages of %s", gmi_size_text(size).text,
			     gmi_size_text(page_size).text);
	return gmi_at_offset(0, size);
}

static int create_fd(struct gmem_file *file, uint64_t size)
{
	const struct gmem_vm *vm = file->vm;
	int fd = gmi_kvm_create_guest_memfd(&vm->ctx->sys, vm->fd, size,
					    to_kernel_flags(file->flags) | file->raw_flags);

	if (fd < 0) {
		gmi_vm_error(fd == -EINVAL ? -EOPNOTSUPP : fd, "KVM_CREATE_GUEST_MEMFD",
			     "no file of %#llx bytes with flags %#llx could be made",
			     (unsigned long long)size, (unsigned long long)file->flags);
		return gmi_at_offset(0, size);
	}
	file->fd = fd;
	file->size = size;
	return 0;
}

/* guest_memfd.c makes the descriptor without close-on-exec (up to 7.3 at least). */
int gmi_file_set_cloexec(const struct gmem_file *file, int fd)
{
	int ret = gmi_sys_set_cloexec(&file->vm->ctx->sys, fd);

	return ret ? gmi_error_call(ret, "fcntl", "descriptor %d cannot be made close-on-exec", fd)
		   : 0;
}

/* More nodes than Linux has were refused. */
static void remember_policy(struct gmem_file *file, const struct gmem_file_opts *opts)
{
	file->numa_mode = opts->numa_mode;
	for (uint32_t i = 0; i < opts->node_words && i < GMI_FILE_NUMA_WORDS; i++)
		file->numa_nodes[i] = opts->nodes[i];
}

/* The file keeps the policy of the mapping, by offset, also after it is gone. */
static int set_policy(struct gmem_file *file, const struct gmem_file_opts *opts)
{
	const struct gmem_ctx *ctx = file->vm->ctx;
	void *addr;
	int ret;

	if (opts->numa_mode == GMEM_NUMA_DEFAULT)
		return 0;
	ret = gmi_sys_mmap(&ctx->sys, NULL, file->size, PROT_NONE, MAP_SHARED, file->fd, 0, &addr);
	if (ret)
		return gmi_error_call(ret, "mmap", "no mapping to set the NUMA policy through");
	ret = gmi_sys_mbind(&ctx->sys, addr, file->size, (int)opts->numa_mode, opts->nodes,
			    (uint64_t)opts->node_words * 64, 0);
	gmi_ctx_munmap(ctx, addr, file->size);
	if (ret) {
		gmi_error_call(ret, "mbind", "the kernel refuses the NUMA policy");
		return gmi_at_arg("nodes");
	}
	remember_policy(file, opts);
	return 0;
}

static int create(struct gmem_vm *vm, uint64_t size, const struct gmem_file_opts *in,
		  struct gmem_file **ret_file)
{
	struct gmem_file_opts opts = {.sz = sizeof(opts)};
	struct gmem_file *file;
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_size(size);
	if (!ret)
		ret = check_page_size(&opts, size);
	if (!ret)
		ret = gmi_file_check_flags(&opts);
	if (!ret)
		ret = check_numa(&opts);
	if (!ret)
		ret = check_features(vm, &opts);
	if (ret)
		return ret;
	file = gmi_file_make(vm, &opts);
	if (!file)
		return gmi_error_memory();
	ret = is_huge(&opts) ? create_huge_fd(file, size, opts.page_size) : create_fd(file, size);
	if (!ret)
		ret = gmi_file_set_cloexec(file, file->fd);
	if (!ret)
		ret = set_policy(file, &opts);
	if (!ret)
		ret = join_new(file);
	if (ret)
		gmi_file_put(file);
	else
		gmi_file_give_out(file, ret_file);
	return ret;
}

GMEM_API int gmem_file_create(struct gmem_vm *vm, uint64_t size, const struct gmem_file_opts *opts,
			      struct gmem_file **ret_file)
{
	return gmi_result(__func__, create(vm, size, opts, ret_file));
}

static int fail_not_gmem(int fd)
{
	return gmi_error_arg("fd", "descriptor %d is no guest memory", fd);
}

static int punch(const struct gmem_file *file, int fd, uint64_t offset, uint64_t size)
{
	return gmi_sys_fallocate(&file->vm->ctx->sys, fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

/*
 * guest_memfd alone among regular files refuses to punch half a page, wherever (guest_memfd.c
 * kvm_gmem_fallocate(), 6.8 on); a hole beyond the end changes nothing in any file.
 */
static int check_is_gmem(const struct gmem_file *file, int fd, const struct gmem_sys_stat *stat)
{
	if (!S_ISREG(stat->mode) || check_size(stat->size) ||
	    punch(file, fd, stat->size + 1, 1) != -EINVAL)
		return fail_not_gmem(fd);
	if (stat->size + GMEM_PAGE_SIZE < FILE_SIZE_MAX &&
	    punch(file, fd, stat->size, GMEM_PAGE_SIZE))
		return fail_not_gmem(fd);
	return 0;
}

/* ENODEV is guest_memfd's answer for a file without the flag (guest_memfd.c, 6.18 on; the VFS's
 * before). */
static int check_mappable(const struct gmem_file *file, int fd)
{
	const struct gmem_ctx *ctx = file->vm->ctx;
	bool wanted = file->flags & GMEM_FILE_MMAP;
	void *addr;
	int ret;

	ret = gmi_sys_mmap(&ctx->sys, NULL, GMEM_PAGE_SIZE, PROT_NONE, MAP_SHARED, fd, 0, &addr);
	if (!ret)
		gmi_ctx_munmap(ctx, addr, GMEM_PAGE_SIZE);
	if (ret && ret != -ENODEV)
		return gmi_error_call(ret, "mmap", "descriptor %d", fd);
	if (wanted == !ret)
		return 0;
	return gmi_error_arg("flags", "the file was made with%s GMEM_FILE_MMAP", ret ? "out" : "");
}

static int check_wrap(const struct gmem_vm *vm, int fd, const struct gmem_file_opts *opts,
		      struct gmem_file **ret_file)
{
	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (fd < 0)
		return gmi_error_arg("fd", "%d is no descriptor", fd);
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	if (opts->page_size)
		return gmi_error_arg("page_size", "the file has its pages already");
	if (opts->numa_mode || opts->node_words || opts->nodes)
		return gmi_error_arg("numa_mode", "a policy can be given to a new file only");
	return gmi_file_check_flags(opts);
}

int gmi_file_check_fd(struct gmem_file *file, int fd, bool borrowed)
{
	struct gmem_sys_stat stat;
	int ret = gmi_sys_fstat(&file->vm->ctx->sys, fd, &stat);

	if (ret)
		return gmi_error_call(ret, "fstat", "descriptor %d", fd);
	ret = check_is_gmem(file, fd, &stat);
	if (!ret)
		ret = check_mappable(file, fd);
	if (!ret && !borrowed)
		ret = gmi_file_set_cloexec(file, fd);
	file->size = stat.size;
	put_stat(file, &stat);
	return ret;
}

/* The descriptor becomes the file's with the last step, which cannot fail. */
static int wrap(struct gmem_vm *vm, int fd, const struct gmem_file_opts *in, bool borrowed,
		struct gmem_file **ret_file)
{
	struct gmem_file_opts opts = {.sz = sizeof(opts)};
	struct gmem_file *file;
	int ret;

	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_wrap(vm, fd, &opts, ret_file);
	if (ret)
		return ret;
	file = gmi_file_make(vm, &opts);
	if (!file)
		return gmi_error_memory();
	file->origin = GMEM_ORIGIN_WRAPPED;
	ret = gmi_file_check_fd(file, fd, borrowed);
	if (!ret)
		ret = gmi_file_join(file, GMI_INODE_OWNER);
	if (ret) {
		gmi_file_put(file);
		return ret;
	}
	file->fd = fd;
	file->borrowed = borrowed;
	gmi_file_give_out(file, ret_file);
	return 0;
}

GMEM_API int gmem_file_adopt(struct gmem_vm *vm, int fd, const struct gmem_file_opts *opts,
			     struct gmem_file **ret_file)
{
	return gmi_result(__func__, wrap(vm, fd, opts, false, ret_file));
}

GMEM_API int gmem_file_borrow(struct gmem_vm *vm, int fd, const struct gmem_file_opts *opts,
			      struct gmem_file **ret_file)
{
	return gmi_result(__func__, wrap(vm, fd, opts, true, ret_file));
}
