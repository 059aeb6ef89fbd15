/* SPDX-License-Identifier: MIT */
/* The context: the KVM device, the seam to the kernel and the caller's hooks. */
#include "core_ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include <libgmem/libgmem.h>

#include "alloc.h"
#include "errinfo.h"
#include "huge.h"
#include "kvm_call.h"
#include "opts.h"
#include "uapi_kvm.h"

#define KNOWN_RFC (GMEM_RFC_LINK | GMI_RFC_HUGE)

/* (slot & 0xffff) is the id in KVM's interface. */
#define SLOT_ID_LIMIT 0x10000u

/* What KVM means where KVM_CAP_NR_MEMSLOTS is 0 (api.rst, KVM_SET_USER_MEMORY_REGION). */
#define SLOT_COUNT_DEFAULT 32u

void gmi_log(const struct gmem_ctx *ctx, const char *line, ...)
{
	char text[256];
	va_list args;

	if (!ctx->log)
		return;
	va_start(args, line);
	vsnprintf(text, sizeof(text), line, args);
	va_end(args);
	ctx->log(ctx->log_user, text);
}

void gmi_ctx_munmap(const struct gmem_ctx *ctx, void *addr, uint64_t size)
{
	int ret = gmi_sys_munmap(&ctx->sys, addr, size);

	for (int retry = 0; ret && retry < 3; retry++)
		ret = gmi_sys_munmap(&ctx->sys, addr, size);
	if (ret)
		gmi_log(ctx, "munmap of %p + %#llx failed: %s; the mapping stays", addr,
			(unsigned long long)size, gmi_error_name(ret));
}

void gmi_ctx_close(const struct gmem_ctx *ctx, int fd)
{
	int ret = gmi_sys_close(&ctx->sys, fd);

	if (ret)
		gmi_log(ctx, "close of descriptor %d: %s", fd, gmi_error_name(ret));
}

struct gmem_ctx *gmi_ctx_get(struct gmem_ctx *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void gmi_ctx_put(struct gmem_ctx *ctx)
{
	struct gmem_allocator allocator = ctx->allocator;

	if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (!ctx->borrowed && ctx->kvm_fd >= 0)
		gmi_ctx_close(ctx, ctx->kvm_fd);
	pthread_mutex_destroy(&ctx->probe_lock);
	pthread_mutex_destroy(&ctx->inode_lock);
	gmi_free(&allocator, ctx);
}

static int check_opts(const struct gmem_ctx_opts *opts)
{
	if (opts->sys && !gmi_sys_ops_are_complete(opts->sys))
		return gmi_error_arg("sys", "the table of system calls lacks a function");
	if (opts->allocator && (!opts->allocator->alloc || !opts->allocator->free))
		return gmi_error_arg("allocator", "the allocator lacks a function");
	if (opts->rfc & ~KNOWN_RFC)
		return gmi_error_arg("rfc", "unknown bits %#llx",
				     (unsigned long long)(opts->rfc & ~KNOWN_RFC));
	return gmi_huge_check_opts(opts);
}

static struct gmem_ctx *make(const struct gmem_ctx_opts *opts)
{
	const struct gmem_allocator *allocator =
		opts->allocator ? opts->allocator : &gmi_alloc_default;
	struct gmem_ctx *ctx = gmi_zalloc(allocator, sizeof(*ctx));

	if (!ctx)
		return NULL;
	ctx->sys.ops = opts->sys ? opts->sys : &gmi_sys_linux_ops;
	ctx->sys.user = opts->sys_user;
	ctx->allocator = *allocator;
	ctx->log = opts->log;
	ctx->log_user = opts->log_user;
	ctx->rfc = opts->rfc;
	ctx->hugetlb_flag = opts->hugetlb_flag;
	ctx->hugetlb_order_offset = opts->hugetlb_order_offset;
	ctx->kvm_fd = -1;
	atomic_init(&ctx->refs, 1);
	pthread_mutex_init(&ctx->inode_lock, NULL);
	pthread_mutex_init(&ctx->probe_lock, NULL);
	return ctx;
}

static const char *why_not_open(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return "; is there hardware virtualisation, and is KVM's module loaded?";
	case -EACCES:
	case -EPERM:
		return "; this user or sandbox may not use it";
	default:
		return "";
	}
}

static int open_device(struct gmem_ctx *ctx, const char *path)
{
	int fd = gmi_sys_open(&ctx->sys, path, O_RDWR);

	if (fd < 0)
		return gmi_error_call(fd, "open", "cannot open %s%s", path, why_not_open(fd));
	ctx->kvm_fd = fd;
	return 0;
}

static int check_version(const struct gmem_ctx *ctx)
{
	int version = gmi_kvm_get_api_version(&ctx->sys, ctx->kvm_fd);

	if (version == -EOPNOTSUPP || version == -EINVAL)
		return gmi_error_call(-EOPNOTSUPP, "KVM_GET_API_VERSION",
				      "the device is not KVM's");
	if (version < 0)
		return gmi_error_call(version, "KVM_GET_API_VERSION", "the device does not answer");
	if (version != GMI_KVM_API_VERSION)
		return gmi_error(-EOPNOTSUPP, "KVM speaks version %d of its interface, not %d",
				 version, GMI_KVM_API_VERSION);
	return 0;
}

static int read_slots_max(struct gmem_ctx *ctx)
{
	int max = gmi_kvm_check_extension(&ctx->sys, ctx->kvm_fd, GMI_KVM_CAP_NR_MEMSLOTS);

	if (max < 0)
		return gmi_error_call(max, "KVM_CHECK_EXTENSION",
				      "KVM does not say how many memslots a VM has");
	ctx->slots_max = max > 0 ? (uint32_t)max : SLOT_COUNT_DEFAULT;
	if (ctx->slots_max > SLOT_ID_LIMIT)
		ctx->slots_max = SLOT_ID_LIMIT;
	return 0;
}

/* Opens the device where @kvm_fd is negative. */
static int create(int kvm_fd, const struct gmem_ctx_opts *in, struct gmem_ctx **ret_ctx)
{
	struct gmem_ctx_opts opts = {.sz = sizeof(opts)};
	struct gmem_ctx *ctx;
	int ret;

	if (!ret_ctx)
		return gmi_error_arg("ret_ctx", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(&opts);
	if (ret)
		return ret;
	ctx = make(&opts);
	if (!ctx)
		return gmi_error_memory();
	if (kvm_fd >= 0) {
		ctx->kvm_fd = kvm_fd;
		ctx->borrowed = true;
	} else {
		ret = open_device(ctx, opts.kvm_path ? opts.kvm_path : "/dev/kvm");
	}
	if (!ret)
		ret = check_version(ctx);
	if (!ret)
		ret = read_slots_max(ctx);
	if (ret) {
		gmi_ctx_put(ctx);
		return ret;
	}
	*ret_ctx = ctx;
	return 0;
}

GMEM_API int gmem_ctx_create(const struct gmem_ctx_opts *opts, struct gmem_ctx **ret_ctx)
{
	return gmi_result(__func__, create(-1, opts, ret_ctx));
}

GMEM_API int gmem_ctx_borrow(int kvm_fd, const struct gmem_ctx_opts *opts,
			     struct gmem_ctx **ret_ctx)
{
	if (kvm_fd < 0)
		return gmi_result(__func__, gmi_error_arg("kvm_fd", "%d is no descriptor", kvm_fd));
	return gmi_result(__func__, create(kvm_fd, opts, ret_ctx));
}

GMEM_API struct gmem_ctx *gmem_ctx_unref(struct gmem_ctx *ctx)
{
	if (ctx)
		gmi_ctx_put(ctx);
	return NULL;
}

GMEM_API int gmem_ctx_kvm_fd(const struct gmem_ctx *ctx)
{
	if (!ctx)
		return gmi_result(__func__, gmi_error_arg("ctx", "a NULL pointer"));
	return ctx->kvm_fd;
}

GMEM_API const struct gmem_sys_ops *gmem_sys_linux(void)
{
	return &gmi_sys_linux_ops;
}

GMEM_API const char *gmem_version(void)
{
	return GMEM_VERSION_STRING;
}
