/* SPDX-License-Identifier: MIT */
/* A file of guest memory: made, adopted or borrowed, mapped, populated and punched. */
#include "core_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "alloc.h"
#include "errinfo.h"
#include "file_make.h"
#include "inode.h"
#include "opts.h"
#include "range.h"
#include "views.h"

/* Small enough that a signal is answered in some milliseconds, large enough to cost no call. */
#define POPULATE_PIECE (UINT64_C(16) << 20)

/* From here on it pays to drop mappings before a punch. */
#define BULK (UINT64_C(1) << 20)

struct gmem_file *gmi_file_get(struct gmem_file *file)
{
	atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
	return file;
}

bool gmi_file_get_live(struct gmem_file *file)
{
	unsigned int refs = atomic_load_explicit(&file->refs, memory_order_relaxed);

	while (refs &&
	       !atomic_compare_exchange_weak_explicit(&file->refs, &refs, refs + 1,
						      memory_order_relaxed, memory_order_relaxed))
		;
	return refs;
}

static void destroy(struct gmem_file *file)
{
	struct gmem_vm *vm = file->vm;

	gmi_file_forget(file);
	if (!file->borrowed && file->fd >= 0)
		gmi_ctx_close(vm->ctx, file->fd);
	if (file->source)
		gmi_file_put(file->source);
	gmi_rangemap_clear(&file->bound, &vm->ctx->allocator);
	gmi_free(&vm->ctx->allocator, file);
	gmi_vm_put(vm);
}

void gmi_file_put(struct gmem_file *file)
{
	if (atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) == 1)
		destroy(file);
}

GMEM_API struct gmem_file *gmem_file_unref(struct gmem_file *file)
{
	if (file)
		gmi_file_put(file);
	return NULL;
}

GMEM_API int gmem_file_fd(const struct gmem_file *file)
{
	if (!file)
		return gmi_result(__func__, gmi_error_arg("file", "a NULL pointer"));
	return file->fd;
}

static int get_info(struct gmem_file *file, struct gmem_file_info *ret_info)
{
	struct gmem_file_info info = {.sz = sizeof(info)};
	int ret;

	if (!file)
		return gmi_error_arg("file", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.size = file->size;
	info.flags = file->flags;
	info.raw_flags = file->raw_flags;
	info.borrowed = file->borrowed;
	info.bytes_bound = file->bytes_bound;
	ret = gmi_inode_identify(file);
	info.dev = file->dev;
	info.ino = file->ino;
	info.block_size = file->block_size;
	if (!ret)
		gmi_info_put(ret_info, &info, sizeof(info));
	return ret;
}

GMEM_API int gmem_file_get_info(struct gmem_file *file, struct gmem_file_info *ret_info)
{
	return gmi_result(__func__, get_info(file, ret_info));
}

static int check_range(const struct gmem_file *file, uint64_t offset, uint64_t size)
{
	if (!file)
		return gmi_error_arg("file", "a NULL pointer");
	if (!gmi_is_aligned(offset, GMEM_PAGE_SIZE))
		gmi_error_arg("offset", "offset %#llx is not a multiple of 4096",
			      (unsigned long long)offset);
	else if (!size || !gmi_is_aligned(size, GMEM_PAGE_SIZE))
		gmi_error_arg("size", "size %#llx is 0 or not a multiple of 4096",
			      (unsigned long long)size);
	else if (!gmi_range_is_within(offset, size, file->size))
		gmi_error_arg("size", "the range ends beyond the file's %#llx bytes",
			      (unsigned long long)file->size);
	else
		return 0;
	return gmi_at_offset(offset, size);
}

int gmi_file_mmap(const struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr)
{
	int prot = file->denied & GMEM_RIGHT_WRITE ? PROT_READ : PROT_READ | PROT_WRITE;

	return gmi_sys_mmap(&file->vm->ctx->sys, NULL, size, prot, MAP_SHARED, file->fd, offset,
			    ret_addr);
}

static int map(struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr)
{
	int ret = check_range(file, offset, size);

	if (ret)
		return ret;
	if (!ret_addr)
		return gmi_error_arg("ret_addr", "a NULL pointer");
	if (!(file->flags & GMEM_FILE_MMAP))
		return gmi_error_feature(GMEM_FEATURE_MMAP,
					 "the file was made without GMEM_FILE_MMAP");
	ret = gmi_file_mmap(file, offset, size, ret_addr);
	if (ret) {
		gmi_error_call(ret, "mmap", "the file could not be mapped");
		return gmi_at_offset(offset, size);
	}
	return 0;
}

GMEM_API int gmem_file_map(struct gmem_file *file, uint64_t offset, uint64_t size, void **ret_addr)
{
	return gmi_result(__func__, map(file, offset, size, ret_addr));
}

static int unmap(struct gmem_file *file, void *addr, uint64_t size)
{
	int ret;

	if (!file)
		return gmi_error_arg("file", "a NULL pointer");
	if (!addr || !gmi_is_aligned((uintptr_t)addr, GMEM_PAGE_SIZE))
		return gmi_error_arg("addr", "%p is no mapping", addr);
	if (!gmi_range_is_paged((uintptr_t)addr, size))
		return gmi_error_arg("size", "size %#llx is 0 or not a multiple of 4096",
				     (unsigned long long)size);
	ret = gmi_sys_munmap(&file->vm->ctx->sys, addr, size);
	return ret ? gmi_error_call(ret, "munmap", "the mapping at %p stays", addr) : 0;
}

GMEM_API int gmem_file_unmap(struct gmem_file *file, void *addr, uint64_t size)
{
	return gmi_result(__func__, unmap(file, addr, size));
}

int gmi_file_check_right(const struct gmem_file *file, uint32_t right)
{
	static const char *const verbs[] = {"punch", "populate", "convert", "write to"};
	uint32_t denied = file->denied & right;

	if (!denied)
		return gmi_vm_check_kept(file->vm);
	return gmi_error(-EPERM, "the file was linked without the right to %s the memory",
			 verbs[__builtin_ctz(denied)]);
}

static int populate(struct gmem_file *file, uint64_t offset, uint64_t size, uint64_t *done)
{
	int ret = check_range(file, offset, size);
	uint64_t piece;

	if (!ret)
		ret = gmi_file_check_right(file, GMEM_RIGHT_POPULATE);
	for (; !ret && *done < size; *done += piece) {
		piece = size - *done < POPULATE_PIECE ? size - *done : POPULATE_PIECE;
		ret = gmi_sys_fallocate(&file->vm->ctx->sys, file->fd, FALLOC_FL_KEEP_SIZE,
					offset + *done, piece);
		if (ret) {
			gmi_error_call(ret, "fallocate", "%#llx of %#llx bytes are allocated",
				       (unsigned long long)*done, (unsigned long long)size);
			return gmi_at_offset(offset + *done, size - *done);
		}
	}
	return ret;
}

GMEM_API int gmem_file_populate(struct gmem_file *file, uint64_t offset, uint64_t size,
				uint64_t *ret_done)
{
	uint64_t done = 0;
	int ret = populate(file, offset, size, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}

/* Dropping a mapping frees no page; the punch that follows does. */
static void drop_mapping(const struct gmem_slot *slot, struct gmem_range part)
{
	if (slot->flags & GMEM_SLOT_OWN_HVA && slot->backing_fd < 0)
		gmi_sys_madvise(&slot->vm->ctx->sys,
				(char *)slot->hva + (part.start - slot->offset), part.size,
				MADV_DONTNEED);
}

/*
 * Guest memory is freed 2.5 times as fast where libgmem's own mapping of it is dropped first
 * (tests/bench/punch); other shared memory is not.
 */
static void drop_mappings(struct gmem_file *file, struct gmem_range range)
{
	const struct gmi_rangemap_entry *entry;
	struct gmem_range part;

	if (range.size < BULK)
		return;
	gmi_vm_lock(file->vm);
	for (size_t i = 0; i < file->bound.count; i++) {
		entry = &file->bound.entries[i];
		part = gmi_range_intersect(entry->range, range);
		if (part.size)
			drop_mapping(entry->value, part);
	}
	gmi_vm_unlock(file->vm);
}

static int fail_refused(const struct gmi_part *part, int ret, uint64_t offset, uint64_t size)
{
	gmi_error(ret > 0 ? -EINVAL : ret, "a listener of another VM on the memory refused (%s)",
		  gmi_error_name(ret > 0 ? -EINVAL : ret));
	gmi_at_gpa(part->gpa, part->size);
	return gmi_at_offset(offset, size);
}

static int punch_hole(struct gmem_file *file, uint64_t offset, uint64_t size)
{
	int ret = gmi_sys_fallocate(&file->vm->ctx->sys, file->fd,
				    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);

	if (ret) {
		gmi_error_call(ret, "fallocate", "the pages could not be freed");
		return gmi_at_offset(offset, size);
	}
	return 0;
}

/* Devices of the other VMs let go of the pages that go, and take the new ones. With the bind lock. */
static int punch_told(struct gmem_file *file, uint64_t offset, uint64_t size)
{
	struct gmem_range offsets = {.start = offset, .size = size};
	struct gmi_part part;
	int ret = gmi_views_unmap(file, offsets, &part);
	int refused;

	if (ret)
		return fail_refused(&part, ret, offset, size);
	ret = punch_hole(file, offset, size);
	refused = gmi_views_map(file, offsets, &part);
	return ret || !refused ? ret : fail_refused(&part, refused, offset, size);
}

int gmi_file_punch(struct gmem_file *file, uint64_t offset, uint64_t size)
{
	int ret;

	drop_mappings(file, (struct gmem_range){.start = offset, .size = size});
	if (!file->inode)
		return punch_hole(file, offset, size);
	gmi_vm_lock(file->vm);
	ret = punch_told(file, offset, size);
	gmi_vm_unlock(file->vm);
	return ret;
}

static int punch(struct gmem_file *file, uint64_t offset, uint64_t size)
{
	int ret = check_range(file, offset, size);

	if (!ret)
		ret = gmi_file_check_right(file, GMEM_RIGHT_PUNCH);
	return ret ? ret : gmi_file_punch(file, offset, size);
}

GMEM_API int gmem_file_punch(struct gmem_file *file, uint64_t offset, uint64_t size)
{
	return gmi_result(__func__, punch(file, offset, size));
}
