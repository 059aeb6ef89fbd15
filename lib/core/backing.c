/* SPDX-License-Identifier: MIT */
/* The host memory of a bound range whose caller gave none. */
#include <errno.h>
#include <sys/mman.h>

#include "core_slot.h"
#include "errinfo.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

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
static int create_memfd(const struct gmi_sys *sys)
{
	int fd = gmi_sys_memfd(sys, "gmem-shared", MFD_NOEXEC_SEAL);

	return fd == -EINVAL ? gmi_sys_memfd(sys, "gmem-shared", 0) : fd;
}

static int make_memfd(const struct gmi_sys *sys, uint64_t size, int *ret_fd, void **ret_addr)
{
	int fd = create_memfd(sys);
	int ret;

	if (fd < 0)
		return gmi_error_call(fd, "memfd_create", "no shared backing could be made");
	*ret_fd = fd;
	ret = gmi_sys_ftruncate(sys, fd, size);
	if (ret)
		return gmi_error_call(ret, "ftruncate", "no shared backing of %#llx bytes",
				      (unsigned long long)size);
	ret = gmi_sys_mmap(sys, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, ret_addr);
	if (ret)
		return gmi_error_call(ret, "mmap", "no mapping of %#llx bytes of shared backing",
				      (unsigned long long)size);
	return 0;
}

int gmi_backing_make(struct gmem_slot *slot, uint32_t wish)
{
	enum backing backing = choose(slot, wish);
	int ret = 0;

	if (backing == BACKING_FILE)
		ret = map_file(slot);
	else if (backing == BACKING_MEMFD)
		ret = make_memfd(&slot->vm->ctx->sys, slot->gpa.size, &slot->backing_fd,
				 &slot->hva);
	if (!ret && backing != BACKING_NONE)
		slot->flags |= GMEM_SLOT_OWN_HVA;
	if (ret)
		gmi_backing_free(slot);
	return ret;
}

void gmi_backing_free(struct gmem_slot *slot)
{
	const struct gmem_ctx *ctx = slot->vm->ctx;

	if (slot->flags & GMEM_SLOT_OWN_HVA)
		gmi_ctx_munmap(ctx, slot->hva, slot->gpa.size);
	if (slot->backing_fd >= 0)
		gmi_ctx_close(ctx, slot->backing_fd);
	slot->backing_fd = -1;
}
