/* SPDX-License-Identifier: MIT */
/* Adds to pools of huge pages, and takes back what was added. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "alloc.h"
#include "errinfo.h"
#include "opts.h"
#include "pool.h"
#include "range.h"

#define LOCK_PAUSE_NS   10000000u /* 10 ms */
#define LOCK_TIMEOUT_MS 10000u

/* Others may take pages while the pool grows: how often to go after them. */
#define ROUNDS_MAX 4

struct gmem_hugetlb_share {
	struct gmem_ctx *ctx; /* a reference */
	uint64_t page_size;
	uint32_t node;
	uint32_t timeout_ms;
	uint64_t added; /* bytes */
};

/*
 * Between reading nr_hugepages and writing it another may do the same, and the later write would
 * undo the earlier one. A lock on the file itself orders those who ask for it.
 */
static int lock(const struct gmem_hugetlb_share *share)
{
	const struct gmi_sys *sys = &share->ctx->sys;
	uint64_t tries = share->timeout_ms / (LOCK_PAUSE_NS / 1000000u) + 1;
	char path[GMI_PATH_MAX];
	int fd, ret;

	gmi_pool_path(path, share->page_size, GMEM_NODE_ANY, "nr_hugepages");
	fd = gmi_sys_open(sys, path, O_RDONLY);
	if (fd < 0)
		return gmi_error_call(fd, "open", "%.200s", path);
	ret = gmi_sys_flock(sys, fd, LOCK_EX | LOCK_NB);
	while ((ret == -EWOULDBLOCK || ret == -EINTR) && --tries) {
		gmi_sys_sleep(sys, LOCK_PAUSE_NS);
		ret = gmi_sys_flock(sys, fd, LOCK_EX | LOCK_NB);
	}
	if (!ret)
		return fd;
	gmi_ctx_close(share->ctx, fd);
	if (ret == -EWOULDBLOCK)
		return gmi_error(-EBUSY, "another process has held %.160s locked for %u ms", path,
				 share->timeout_ms);
	return gmi_error_call(ret, "flock", "%.200s", path);
}

static void unlock(const struct gmem_hugetlb_share *share, int fd)
{
	gmi_ctx_close(share->ctx, fd);
}

/* Pages that the pool is set to have; what is written is this number, what is read has surplus in
 * it. */
static uint64_t persistent(const struct gmem_hugetlb_info *info)
{
	return info->total > info->surplus ? info->total - info->surplus : 0;
}

static int fail_write(int error, const struct gmem_hugetlb_share *share, const char *path)
{
	if (error == -EACCES || error == -EPERM)
		return gmi_error_call(error, "write",
				      "only the owner of %.120s (root) and holders of "
				      "CAP_DAC_OVERRIDE may write it",
				      path);
	if (error == -EROFS)
		return gmi_error_call(
			error, "write",
			"%.120s is on a read-only mount, as in a container: change the "
			"pool from outside",
			path);
	if (error == -EINVAL)
		return gmi_error(-EOPNOTSUPP,
				 "this kernel makes pages of %s at boot only (hugepagesz=, "
				 "hugepages=)",
				 gmi_size_text(share->page_size).text);
	if (error == -EOPNOTSUPP)
		return gmi_error(error, "the table of system calls cannot write files");
	return gmi_error_call(error, "write", "%.200s", path);
}

/* Sets the pool's size in bytes. */
static int set_size(const struct gmem_hugetlb_share *share, uint64_t size)
{
	char path[GMI_PATH_MAX], number[24];
	int length, ret;

	gmi_pool_path(path, share->page_size, share->node, "nr_hugepages");
	length = snprintf(number, sizeof(number), "%llu\n",
			  (unsigned long long)(size / share->page_size));
	ret = gmi_sys_write_file(&share->ctx->sys, path, number, (size_t)length);
	return ret < 0 ? fail_write(ret, share, path) : 0;
}

static int read_pool(const struct gmem_hugetlb_share *share, struct gmem_hugetlb_info *ret_info)
{
	return gmi_pool_read(share->ctx, share->page_size, share->node, ret_info);
}

/* What the kernel gave is not known: under the lock the pool was the size that it had. */
static int put_back(const struct gmem_hugetlb_share *share, uint64_t size, int error)
{
	struct gmem_errinfo record = *gmem_errinfo();

	if (set_size(share, size))
		gmi_log(share->ctx, "hugetlb: the pool stays raised: %s", gmem_errinfo()->message);
	gmi_errinfo_restore(&record);
	return error;
}

/* Raises the pool by @size, and counts what the kernel gave: it says success for less, too. */
static int raise_pool(struct gmem_hugetlb_share *share, struct gmem_hugetlb_info *info,
		      uint64_t size)
{
	uint64_t before = persistent(info), wanted, after;
	int ret;

	if (!gmi_range_end(before, size, &wanted))
		return gmi_error_arg("size", "%#llx is more than a pool can have",
				     (unsigned long long)size);
	ret = set_size(share, wanted);
	if (ret)
		return ret;
	ret = read_pool(share, info);
	if (ret)
		return put_back(share, before, ret);
	after = persistent(info);
	if (after > before)
		share->added += after - before < size ? after - before : size;
	return after > before ? 0 : -ENOSPC;
}

/* Where the numbers cannot be read, the write's success is all there is. */
static bool read_pool_quietly(const struct gmem_hugetlb_share *share,
			      struct gmem_hugetlb_info *ret_info)
{
	struct gmem_errinfo record = *gmem_errinfo();
	int ret = read_pool(share, ret_info);

	gmi_errinfo_restore(&record);
	return !ret;
}

static int lower_pool(struct gmem_hugetlb_share *share)
{
	struct gmem_hugetlb_info info;
	uint64_t target;
	int ret = read_pool(share, &info);

	if (ret)
		return ret;
	target = persistent(&info);
	target -= share->added < target ? share->added : target;
	ret = set_size(share, target);
	if (ret)
		return ret;
	share->added = 0;
	if (read_pool_quietly(share, &info) && persistent(&info) > target)
		share->added = persistent(&info) - target;
	return share->added ? gmi_error(-EBUSY, "the pool did not shrink: %s",
					gmi_pool_describe(&info).text)
			    : 0;
}

/* With the lock. -ENOSPC without a record where the kernel has no more. */
static int fill(struct gmem_hugetlb_share *share, uint64_t size, bool is_own,
		struct gmem_hugetlb_info *info)
{
	uint64_t have, target = size;
	int ret = read_pool(share, info);

	if (!ret && is_own && !gmi_range_end(info->free, size, &target))
		return gmi_error_arg("size", "%#llx is more than a pool can have",
				     (unsigned long long)size);
	for (int i = 0; !ret && i < ROUNDS_MAX; i++) {
		have = is_own ? info->free : info->available;
		if (have >= target)
			return 0;
		ret = raise_pool(share, info, target - have);
	}
	have = is_own ? info->free : info->available;
	return !ret && have < target ? -ENOSPC : ret;
}

static int fail_short(const struct gmem_hugetlb_share *share, uint64_t size,
		      const struct gmem_hugetlb_info *info)
{
	gmi_error(-ENOSPC, "%s wanted, %s of it given: the memory is used or in pieces. %s",
		  gmi_size_text(size).text, gmi_size_text(share->added).text,
		  gmi_pool_describe(info).text);
	return gmi_at_offset(0, size);
}

/* Undoes a raise that was not enough; what the kernel does not take back is only logged. */
static void undo(struct gmem_hugetlb_share *share)
{
	struct gmem_errinfo record = *gmem_errinfo();
	uint64_t added = share->added;

	if (added && lower_pool(share))
		gmi_log(share->ctx, "hugetlb: %s of %s stay in the pool: %s",
			gmi_size_text(share->added).text, gmi_size_text(added).text,
			gmem_errinfo()->message);
	gmi_errinfo_restore(&record);
}

static int fill_or_undo(struct gmem_hugetlb_share *share, uint64_t size, uint32_t flags)
{
	struct gmem_hugetlb_info info = {0};
	int fd, ret;

	ret = gmi_pool_find(share->ctx, share->page_size, &share->node);
	if (ret)
		return ret;
	fd = lock(share);
	if (fd < 0)
		return fd;
	ret = fill(share, size, flags & GMEM_HUGETLB_OWN, &info);
	if (ret == -ENOSPC)
		ret = flags & GMEM_HUGETLB_KEEP ? 0 : fail_short(share, size, &info);
	if (ret)
		undo(share);
	unlock(share, fd);
	return ret;
}

static int check(const struct gmem_ctx *ctx, uint64_t page_size, uint64_t size,
		 const struct gmem_hugetlb_opts *opts)
{
	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	if (opts->flags & ~(GMEM_HUGETLB_KEEP | GMEM_HUGETLB_OWN))
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags);
	if (page_size < GMEM_PAGE_SIZE || page_size & (page_size - 1))
		return gmi_error_arg("page_size", "%#llx is no size of pages",
				     (unsigned long long)page_size);
	if (!size || !gmi_is_aligned(size, page_size))
		return gmi_error_arg("size", "%#llx is 0 or no multiple of the page size",
				     (unsigned long long)size);
	return 0;
}

static int reserve(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node, uint64_t size,
		   const struct gmem_hugetlb_opts *in, struct gmem_hugetlb_share **ret_share)
{
	struct gmem_hugetlb_opts opts = {.sz = sizeof(opts)};
	struct gmem_hugetlb_share *share;
	int ret;

	ret = ret_share ? gmi_opts_get(&opts, sizeof(opts), in)
			: gmi_error_arg("ret_share", "a NULL pointer");
	if (!ret)
		ret = check(ctx, page_size, size, &opts);
	if (ret)
		return ret;
	share = gmi_zalloc(&ctx->allocator, sizeof(*share));
	if (!share)
		return gmi_error_memory();
	share->ctx = gmi_ctx_get(ctx);
	share->page_size = page_size;
	share->node = node;
	share->timeout_ms = opts.timeout_ms ? opts.timeout_ms : LOCK_TIMEOUT_MS;
	ret = fill_or_undo(share, size, opts.flags);
	if (ret)
		gmem_hugetlb_leave(share);
	else
		*ret_share = share;
	return ret;
}

GMEM_API int gmem_hugetlb_reserve(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
				  uint64_t size, const struct gmem_hugetlb_opts *opts,
				  struct gmem_hugetlb_share **ret_share)
{
	return gmi_result(__func__, reserve(ctx, page_size, node, size, opts, ret_share));
}

GMEM_API uint64_t gmem_hugetlb_added(const struct gmem_hugetlb_share *share)
{
	return share ? share->added : 0;
}

static int release(struct gmem_hugetlb_share *share)
{
	int fd, ret = 0;

	if (!share)
		return gmi_error_arg("share", "a NULL pointer");
	if (share->added) {
		fd = lock(share);
		if (fd < 0)
			return fd;
		ret = lower_pool(share);
		unlock(share, fd);
	}
	if (!ret)
		gmem_hugetlb_leave(share);
	return ret;
}

GMEM_API int gmem_hugetlb_release(struct gmem_hugetlb_share *share)
{
	return gmi_result(__func__, release(share));
}

GMEM_API struct gmem_hugetlb_share *gmem_hugetlb_leave(struct gmem_hugetlb_share *share)
{
	struct gmem_ctx *ctx;

	if (!share)
		return NULL;
	ctx = share->ctx;
	gmi_free(&ctx->allocator, share);
	gmi_ctx_put(ctx);
	return NULL;
}
