/* SPDX-License-Identifier: MIT */
/* A range to preallocate: what memory it is, how it gets ready, and its mapping for the time. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "alloc.h"
#include "errinfo.h"
#include "inode.h"
#include "pool.h"
#include "prealloc_job.h"
#include "probe.h"
#include "range.h"
#include "uapi_mm.h"

static int fail_host_access(void)
{
	return gmi_error(
		-EOPNOTSUPP,
		"the host cannot touch this file's memory, so that it cannot be made ready "
		"from here: reserve it, or map it for the guest");
}

static bool can_touch(const struct gmem_file *file)
{
	return file->flags & GMEM_FILE_MMAP && file->flags & GMEM_FILE_INIT_SHARED;
}

/*
 * A page table entry of a shared mapping of guest_memfd is writable from its first reading fault
 * on, for no one wants to be told of writes (mm/vma.c vma_wants_writenotify()), and marking it
 * dirty, which a writing fault does on top, is for memory that is written back. x86 sets the dirty
 * bit itself; other machines may fault once more for it.
 */
static int advice_for_gmem(void)
{
#if defined(__x86_64__)
	return GMI_MADV_POPULATE_READ;
#else
	return GMI_MADV_POPULATE_WRITE;
#endif
}

static int read_block_size(struct gmem_file *file, uint64_t *ret_size)
{
	int ret = gmi_inode_identify(file);

	*ret_size = file->block_size;
	return ret;
}

static int look_at_file(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
			struct gmi_prealloc_range *range)
{
	struct gmem_file *file = in->file;
	bool touches = can_touch(file);
	int ret;

	if (file->vm->ctx != job->ctx)
		return gmi_error(-EXDEV, "the file belongs to another context");
	if (in->hva && !touches)
		return gmi_error_arg("hva", "it cannot be memory of this file, which the host "
					    "cannot touch");
	if (job->opts.mode == GMEM_PREALLOC_READY && !touches)
		return fail_host_access();
	ret = gmi_file_check_right(file, GMEM_RIGHT_POPULATE);
	if (!ret)
		ret = read_block_size(file, &range->page_size);
	if (ret)
		return ret;
	range->file = gmi_file_get(file);
	range->fd = file->fd;
	range->is_hugetlb = range->page_size > GMEM_PAGE_SIZE;
	range->allocates = true;
	if (job->opts.mode != GMEM_PREALLOC_RESERVE && touches)
		range->populates = advice_for_gmem();
	return 0;
}

/* A mapping of huge pages cannot begin inside a page; one of shmem can, whatever its block size
 * says. */
static bool is_hugetlb_fd(const struct gmem_prealloc *job, int fd, uint64_t block_size)
{
	void *addr;
	int ret;

	if (block_size <= GMEM_PAGE_SIZE)
		return false;
	ret = gmi_sys_mmap(&job->ctx->sys, NULL, GMEM_PAGE_SIZE, PROT_NONE,
			   MAP_SHARED | MAP_NORESERVE, fd, GMEM_PAGE_SIZE, &addr);
	if (!ret)
		gmi_ctx_munmap(job->ctx, addr, GMEM_PAGE_SIZE);
	return ret == -EINVAL;
}

/*
 * fallocate() on hugetlbfs and shmem holds the inode's lock for all its work (fs/hugetlbfs/inode.c
 * hugetlbfs_fallocate(), mm/shmem.c shmem_fallocate(), 7.3): workers would wait for each other, so
 * that faults do it where there is a choice. Huge pages are promised by mapping them, and zeroed
 * when allocated in whatever way.
 */
static int look_at_fd(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
		      struct gmi_prealloc_range *range)
{
	struct gmem_sys_stat stat;
	int ret = gmi_sys_fstat(&job->ctx->sys, in->fd, &stat);

	if (ret)
		return gmi_error_call(ret, "fstat", "descriptor %d", in->fd);
	if (!S_ISREG(stat.mode) || !gmi_range_is_within(in->offset, in->size, stat.size))
		return gmi_error_arg("fd", "descriptor %d is no memory of this size", in->fd);
	range->fd = in->fd;
	range->is_memfd = true;
	range->is_hugetlb = is_hugetlb_fd(job, in->fd, stat.block_size);
	range->page_size = range->is_hugetlb ? stat.block_size : GMEM_PAGE_SIZE;
	if (job->opts.mode == GMEM_PREALLOC_RESERVE)
		range->allocates = !range->is_hugetlb;
	else
		range->populates = GMI_MADV_POPULATE_WRITE;
	return 0;
}

static int look_at_hva(const struct gmem_prealloc *job, struct gmi_prealloc_range *range)
{
	if (job->opts.mode == GMEM_PREALLOC_RESERVE)
		return gmi_error(-EOPNOTSUPP, "host memory without a file cannot be reserved, only "
					      "made ready");
	range->page_size = GMEM_PAGE_SIZE;
	range->populates = GMI_MADV_POPULATE_WRITE;
	return 0;
}

static int look_at_memory(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
			  struct gmi_prealloc_range *range)
{
	bool has_fd = in->flags & GMEM_PREALLOC_FD;

	if (in->flags & ~(GMEM_PREALLOC_FD | GMEM_PREALLOC_GPA))
		return gmi_error_arg("flags", "unknown flags %#x", in->flags);
	if (in->file && has_fd)
		return gmi_error_arg("fd", "a range is of a file or of a memfd, not of both");
	if (in->file)
		return look_at_file(job, in, range);
	if (has_fd)
		return look_at_fd(job, in, range);
	if (in->hva)
		return look_at_hva(job, range);
	return gmi_error_arg("file", "neither a file, nor a memfd, nor host memory");
}

static int check_bounds(const struct gmi_prealloc_range *range,
			const struct gmem_prealloc_range *in)
{
	if (!gmi_range_is_valid(in->offset, in->size) ||
	    !gmi_is_aligned(in->offset | in->size, range->page_size)) {
		gmi_error_arg("size", "the range is empty or not made of pages of %s",
			      gmi_size_text(range->page_size).text);
		return gmi_at_offset(in->offset, in->size);
	}
	if (range->file && !gmi_range_is_within(in->offset, in->size, range->file->size)) {
		gmi_error_arg("size", "the range ends outside the file");
		return gmi_at_offset(in->offset, in->size);
	}
	if (!gmi_is_aligned((uintptr_t)in->hva, GMEM_PAGE_SIZE))
		return gmi_error_arg("hva", "not on a page");
	return 0;
}

/* A vCPU that does not know the request answers as to a wrong one: asking the probe tells them apart. */
static int check_prefault(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range)
{
	uint32_t type = range->file ? range->file->vm->type : GMEM_VM_TYPE_COUNT;

	if (!range->file || gmi_has_feature(job->ctx, type, GMEM_FEATURE_PRE_FAULT) != 0)
		return 0;
	return gmi_error_feature(GMEM_FEATURE_PRE_FAULT,
				 "KVM does not map memory ahead for VMs of type %s",
				 gmi_vm_type_name(type));
}

static int look_at_gpa(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
		       struct gmi_prealloc_range *range)
{
	if (job->opts.mode != GMEM_PREALLOC_GUEST_READY)
		return 0;
	if (!(in->flags & GMEM_PREALLOC_GPA))
		return gmi_error_arg("gpa", "to map memory for the guest takes its address");
	if (!gmi_range_is_paged(in->gpa, in->size)) {
		gmi_error_arg("gpa", "not made of pages");
		return gmi_at_gpa(in->gpa, in->size);
	}
	range->gpa = in->gpa;
	range->prefaults = true;
	return check_prefault(job, range);
}

static int fail_map(int error, const struct gmem_prealloc *job,
		    const struct gmi_prealloc_range *range)
{
	if (range->is_hugetlb && error == -ENOMEM)
		gmi_error_call(-ENOSPC, "mmap", "%s of huge pages cannot be promised: %s",
			       gmi_size_text(range->size).text,
			       gmi_pool_text(job->ctx, range->page_size, GMEM_NODE_ANY).text);
	else
		gmi_error_call(error, "mmap", "%s cannot be mapped",
			       gmi_size_text(range->size).text);
	return gmi_at_offset(range->offset, range->size);
}

/* A memfd of huge pages is mapped in any case: that is what promises the pages to it. */
static int map(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
	       struct gmi_prealloc_range *range)
{
	bool promises = range->is_memfd && range->is_hugetlb;
	void *addr = in->hva;
	int ret;

	if (!addr && !range->populates && !promises)
		return 0;
	if (!addr) {
		ret = gmi_sys_mmap(&job->ctx->sys, NULL, range->size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, range->fd, range->offset, &addr);
		if (ret)
			return fail_map(ret, job, range);
		range->owns_mapping = true;
	}
	range->addr = addr;
	return 0;
}

int gmi_prealloc_range_make(struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
			    struct gmi_prealloc_range *range)
{
	int ret;

	range->fd = -1;
	range->offset = in->offset;
	range->size = in->size;
	ret = look_at_memory(job, in, range);
	if (!ret)
		ret = check_bounds(range, in);
	if (!ret)
		ret = look_at_gpa(job, in, range);
	if (!ret)
		ret = map(job, in, range);
	return ret ? ret : gmi_prealloc_place(job, in, range);
}

void gmi_prealloc_range_unmap(const struct gmem_prealloc *job, struct gmi_prealloc_range *range)
{
	if (range->owns_mapping)
		gmi_ctx_munmap(job->ctx, range->addr, range->size);
	if (range->owns_mapping)
		range->addr = NULL;
	range->owns_mapping = false;
}

void gmi_prealloc_range_release(const struct gmem_prealloc *job, struct gmi_prealloc_range *range)
{
	gmi_prealloc_range_unmap(job, range);
	if (range->file)
		gmi_file_put(range->file);
	gmi_free(&job->ctx->allocator, (void *)range->states);
	gmi_free(&job->ctx->allocator, range);
}
