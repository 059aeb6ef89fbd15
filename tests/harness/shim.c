/* SPDX-License-Identifier: MIT */
/* What each kind of call may fail with; an allocator that counts and fails. */
#include "gt_shim.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

static const struct {
	uint64_t request;
	const char *name;
} ioctl_names[] = {
	{GMI_KVM_GET_API_VERSION, "KVM_GET_API_VERSION"},
	{GMI_KVM_CREATE_VM, "KVM_CREATE_VM"},
	{GMI_KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"},
	{GMI_KVM_CREATE_VCPU, "KVM_CREATE_VCPU"},
	{GMI_KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION"},
	{GMI_KVM_SET_USER_MEMORY_REGION2, "KVM_SET_USER_MEMORY_REGION2"},
	{GMI_KVM_ENABLE_CAP, "KVM_ENABLE_CAP"},
	{GMI_KVM_SET_MEMORY_ATTRIBUTES, "KVM_SET_MEMORY_ATTRIBUTES"},
	{GMI_NEXT_SET_MEMORY_ATTRIBUTES2, "KVM_SET_MEMORY_ATTRIBUTES2"},
	{GMI_KVM_CREATE_GUEST_MEMFD, "KVM_CREATE_GUEST_MEMFD"},
	{GMI_KVM_PRE_FAULT_MEMORY, "KVM_PRE_FAULT_MEMORY"},
	{GMI_KVM_MEMORY_ENCRYPT_OP, "KVM_MEMORY_ENCRYPT_OP"},
	{GMI_KVM_SET_CPUID2, "KVM_SET_CPUID2"},
	{GMI_KVM_SET_TSC_KHZ, "KVM_SET_TSC_KHZ"},
	{GMI_KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR"},
};

/* EPERM is a seccomp filter's. */
static const int errors[GMEM_CALL_COUNT][8] = {
	[GMEM_CALL_OPEN] = {-EMFILE, -ENFILE, -ENOMEM, -EACCES, -ENOENT, -EINTR},
	[GMEM_CALL_CLOSE] = {-EINTR, -EIO},
	[GMEM_CALL_DUP] = {-EMFILE, -EPERM},
	[GMEM_CALL_SET_CLOEXEC] = {-EPERM},
	[GMEM_CALL_FSTAT] = {-ENOMEM, -EPERM},
	[GMEM_CALL_IOCTL] = {-ENOMEM, -EPERM, -EIO, -EINTR},
	[GMEM_CALL_MMAP] = {-ENOMEM, -EPERM, -EAGAIN},
	[GMEM_CALL_MUNMAP] = {-ENOMEM},
	[GMEM_CALL_MADVISE] = {-EAGAIN, -ENOMEM, -EINTR},
	[GMEM_CALL_MBIND] = {-ENOMEM, -EPERM},
	[GMEM_CALL_GET_MEMPOLICY] = {-EPERM, -ENOMEM},
	[GMEM_CALL_FALLOCATE] = {-EINTR, -ENOMEM, -ENOSPC},
	[GMEM_CALL_MEMFD] = {-EMFILE, -ENFILE, -ENOMEM},
	[GMEM_CALL_FTRUNCATE] = {-EINTR, -ENOMEM, -EFBIG},
	[GMEM_CALL_READ_FILE] = {-ENOENT, -EACCES, -EMFILE, -EIO},
	[GMEM_CALL_SLEEP] = {-EINTR},
	[GMEM_CALL_WRITE_FILE] = {-EACCES, -EBUSY, -EIO},
	[GMEM_CALL_FLOCK] = {-EINTR, -ENOLCK},
	[GMEM_CALL_SET_AFFINITY] = {-EINVAL, -EPERM},
	[GMEM_CALL_SET_MEMPOLICY] = {-EINVAL, -ENOMEM},
	[GMEM_CALL_NOW] = {-EPERM},
	[GMEM_CALL_SEND_FDS] = {-EPIPE, -ENOMEM, -EINTR, -ETOOMANYREFS},
	[GMEM_CALL_RECV_FDS] = {-ECONNRESET, -ENOMEM, -EINTR, -EMSGSIZE},
	[GMEM_CALL_POLL] = {-EINTR, -ENOMEM},
	[GMEM_CALL_PEER] = {-EPERM, -ENOPROTOOPT},
};

const char *gt_call_name(const struct gmem_shim_call *call)
{
	size_t i;

	for (i = 0; call->call == GMEM_CALL_IOCTL && i < GT_COUNT(ioctl_names); i++)
		if (ioctl_names[i].request == call->request)
			return ioctl_names[i].name;
	return gmem_call_name(call->call);
}

const int *gt_call_errors(const struct gmem_shim_call *call)
{
	static const int no_errno[] = {-EPERM, 0};
	static const int descriptor[] = {-EMFILE, -ENFILE, -ENOMEM, -EIO, 0};
	static const int memslot[] = {-ENOMEM, -EINVAL, -EEXIST, -EIO, 0};

	/* The driver of the secure processor: ENODEV to ETIMEDOUT. */
	static const int firmware[] = {-ENOMEM, -EIO,    -EINTR,     -EAGAIN, -EBUSY, -EBADF,
				       -ENOTTY, -ENODEV, -ETIMEDOUT, -EFAULT, 0};
	static const int attribute[] = {-ENXIO, -ENOTTY, -EPERM, -EIO, 0};

	switch (call->call == GMEM_CALL_IOCTL ? call->request : 0) {
	case GMI_KVM_GET_API_VERSION:
		return no_errno;
	case GMI_KVM_CREATE_VM:
	case GMI_KVM_CREATE_VCPU:
	case GMI_KVM_CREATE_GUEST_MEMFD:
		return descriptor;
	case GMI_KVM_SET_USER_MEMORY_REGION:
	case GMI_KVM_SET_USER_MEMORY_REGION2:
		return memslot;
	case GMI_KVM_MEMORY_ENCRYPT_OP:
		return firmware;
	case GMI_KVM_GET_DEVICE_ATTR:
		return attribute;
	default:
		return errors[call->call];
	}
}

uint64_t gt_calls(struct gmem_shim *shim)
{
	return gmem_shim_count(shim, GMEM_CALL_ANY, 0);
}

static void *heap_alloc(void *user, size_t size)
{
	struct gt_heap *heap = user;
	void *block;

	if (heap->count++ == heap->fail_at) {
		heap->failed = true;
		return NULL;
	}
	block = malloc(size);
	if (block)
		heap->in_use++;
	return block;
}

static void heap_free(void *user, void *block)
{
	struct gt_heap *heap = user;

	heap->in_use--;
	free(block);
}

struct gmem_allocator gt_heap_allocator(struct gt_heap *heap)
{
	return (struct gmem_allocator){.alloc = heap_alloc, .free = heap_free, .user = heap};
}

void gt_heap_reset(struct gt_heap *heap)
{
	heap->count = 0;
	heap->fail_at = SIZE_MAX;
	heap->failed = false;
}
