/* SPDX-License-Identifier: MIT */
/* The host memory of a bound range whose caller gave none. */
#include <errno.h>
#include <sys/mman.h>

#include "alloc.h"
#include "core_slot.h"
#include "errinfo.h"
#include "pool.h"
#include "uapi_mm.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

/* A mapping of libgmem's, and the memfd behind it if there is one: of all ranges that have it. */
struct gmi_backing {
	atomic_uint refs;
	void *addr;
	uint64_t size;
	int fd;
};

enum backing {
	BACKING_NONE,
	BACKING_FILE,  /* the file's own mapping */
	BACKING_MEMFD, /* other memory for what is shared */
};

/*
 * KVM itself reads and writes guest memory through userspace_addr, also where the guest's faults
 * are served from the file: it must be the same memory, or the guest is silently given other data.
 */
static enum backing choose(const struct gmem_slot *slot, uint32_t wish)
{
	bool inplace = gmi_vm_has(slot->vm, GMEM_FEATURE_CONVERT_INPLACE);
	uint64_t flags = slot->file ? slot->file->flags : 0;

	if (!slot->file || slot->hva || wish & GMEM_SLOT_NO_HVA)
		return BACKING_NONE;
	if (gmi_file_is_view(slot->file))
		return BACKING_FILE;
	if (flags & GMEM_FILE_MMAP && (flags & GMEM_FILE_INIT_SHARED || inplace))
		return BACKING_FILE;
	if (gmi_vm_has(slot->vm, GMEM_FEATURE_CONVERT_VM) && !(flags & GMEM_FILE_MMAP))
		return BACKING_MEMFD;
	return BACKING_NONE;
}

static int map_file(struct gmem_slot *slot)
{
	int ret = gmi_file_mmap(slot->file, slot->offset, slot->gpa.size, &slot->hva);

	if (ret) {
		gmi_error_call(ret, "mmap", "the file could not be mapped for KVM's own accesses");
		return gmi_at_offset(slot->offset, slot->gpa.size);
	}
	return 0;
}

/*
 * From 6.3 on the kernel warns about a memfd that does not say whether it is a program, or refuses
 * it (vm.memfd_noexec). Older ones, on which kernels are simulated, do not know the flag.
 */
static int create_memfd(const struct gmi_sys *sys, uint32_t flags)
{
	int fd = gmi_sys_memfd(sys, "gmem-shared", flags | MFD_NOEXEC_SEAL);

	return fd == -EINVAL ? gmi_sys_memfd(sys, "gmem-shared", flags) : fd;
}

/* Mapping huge pages is what promises them: there may be too few. */
static int fail_map(const struct gmem_slot *slot, int error)
{
	uint64_t size = slot->gpa.size, page = slot->backing_page;

	if (error == -ENOMEM && page > GMEM_PAGE_SIZE)
		return gmi_error_call(-ENOSPC, "mmap", "no shared backing of %s in huge pages: %s",
				      gmi_size_text(size).text,
				      gmi_pool_text(slot->vm->ctx, page, GMEM_NODE_ANY).text);
	return gmi_error_call(error, "mmap", "no mapping of %#llx bytes of shared backing",
			      (unsigned long long)size);
}

static int fail_memfd(int error, uint64_t page)
{
	if (page > GMEM_PAGE_SIZE && (error == -ENODEV || error == -EINVAL))
		return gmi_error_call(-EOPNOTSUPP, "memfd_create", "this kernel has no pages of %s",
				      gmi_size_text(page).text);
	return gmi_error_call(error, "memfd_create", "no shared backing could be made");
}

static int make_memfd(struct gmem_slot *slot)
{
	const struct gmi_sys *sys = &slot->vm->ctx->sys;
	uint64_t size = slot->gpa.size, page = slot->backing_page;
	uint32_t flags = 0;
	int ret;

	if (page > GMEM_PAGE_SIZE)
		flags = GMI_MFD_HUGETLB | (uint32_t)__builtin_ctzll(page) << GMI_MFD_HUGE_SHIFT;
	slot->backing_fd = create_memfd(sys, flags);
	if (slot->backing_fd < 0)
		return fail_memfd(slot->backing_fd, page);
	ret = gmi_sys_ftruncate(sys, slot->backing_fd, size);
	if (ret)
		return gmi_error_call(ret, "ftruncate", "no shared backing of %#llx bytes",
				      (unsigned long long)size);
	ret = gmi_sys_mmap(sys, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, slot->backing_fd, 0,
			   &slot->hva);
	return ret ? fail_map(slot, ret) : 0;
}

struct gmi_backing *gmi_backing_create(const struct gmem_ctx *ctx)
{
	struct gmi_backing *backing = gmi_zalloc(&ctx->allocator, sizeof(*backing));

	if (!backing)
		return NULL;
	atomic_init(&backing->refs, 1);
	backing->fd = -1;
	return backing;
}

int gmi_backing_prepare(struct gmem_slot *slot, uint32_t wish)
{
	if (choose(slot, wish) == BACKING_NONE)
		return 0;
	slot->backing = gmi_backing_create(slot->vm->ctx);
	return slot->backing ? 0 : gmi_error_memory();
}

static void fill_record(struct gmem_slot *slot)
{
	slot->backing->addr = slot->hva;
	slot->backing->size = slot->gpa.size;
	slot->backing->fd = slot->backing_fd;
	slot->flags |= GMEM_SLOT_OWN_HVA;
}

void gmi_backing_give(struct gmem_slot *slot, struct gmi_backing *backing, int fd, uint64_t offset)
{
	gmi_vm_lock(slot->vm);
	slot->backing = backing;
	slot->backing_fd = fd;
	slot->backing_offset = offset;
	fill_record(slot);
	gmi_vm_unlock(slot->vm);
}

static int make(struct gmem_slot *slot, enum backing backing)
{
	int ret = backing == BACKING_FILE ? map_file(slot) : make_memfd(slot);

	fill_record(slot);
	if (ret)
		gmi_backing_free(slot);
	return ret;
}

int gmi_backing_make(struct gmem_slot *slot, uint32_t wish)
{
	enum backing backing = choose(slot, wish);

	if (backing != BACKING_NONE)
		return make(slot, backing);
	if (!slot->hva && slot->backing_page > GMEM_PAGE_SIZE)
		return gmi_error_arg("backing_page", "no shared backing is made for this range");
	return 0;
}

static void put(const struct gmem_ctx *ctx, struct gmi_backing *backing)
{
	if (atomic_fetch_sub_explicit(&backing->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (backing->addr)
		gmi_ctx_munmap(ctx, backing->addr, backing->size);
	if (backing->fd >= 0)
		gmi_ctx_close(ctx, backing->fd);
	gmi_free(&ctx->allocator, backing);
}

void gmi_backing_free(struct gmem_slot *slot)
{
	if (slot->backing)
		put(slot->vm->ctx, slot->backing);
	slot->backing = NULL;
	slot->backing_fd = -1;
}

void gmi_backing_share(struct gmem_slot *slot, const struct gmem_slot *from)
{
	atomic_fetch_add_explicit(&from->backing->refs, 1, memory_order_relaxed);
	slot->backing = from->backing;
	slot->hva = from->hva;
	slot->backing_fd = from->backing_fd;
	slot->backing_offset = from->backing_offset;
	slot->is_anonymous = from->is_anonymous;
	slot->flags |= GMEM_SLOT_OWN_HVA;
}
