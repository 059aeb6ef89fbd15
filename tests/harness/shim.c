/* SPDX-License-Identifier: MIT */
/* Writes down each system call that passes, and fails those that it was told to. */
#include "gt_shim.h"
#include "uapi_kvm.h"

/* True where the call must fail now. */
static bool note(struct gt_shim *shim, enum gt_call_kind kind, uint64_t request)
{
	size_t index = shim->count++;

	if (index < GT_CALLS_MAX)
		shim->calls[index] = (struct gt_call){kind, request};
	if (index < shim->fail_at || (index > shim->fail_at && !shim->fail_on))
		return false;
	shim->failed = true;
	return true;
}

#define FORWARD(kind, call)                                                                        \
	struct gt_shim *shim = user;                                                               \
	return note(shim, kind, 0) ? shim->fail_with : shim->inner->call

static int shim_open(void *user, const char *path, int flags)
{
	FORWARD(GT_OPEN, open(shim->inner_user, path, flags));
}

/* The descriptor is gone also where close() fails. */
static int shim_close(void *user, int fd)
{
	struct gt_shim *shim = user;
	bool fail = note(shim, GT_CLOSE, 0);
	int ret = shim->inner->close(shim->inner_user, fd);

	return fail ? shim->fail_with : ret;
}

static int shim_dup(void *user, int fd)
{
	FORWARD(GT_DUP, dup(shim->inner_user, fd));
}

static int shim_set_cloexec(void *user, int fd)
{
	FORWARD(GT_SET_CLOEXEC, set_cloexec(shim->inner_user, fd));
}

static int shim_fstat(void *user, int fd, struct gmem_sys_stat *ret_stat)
{
	FORWARD(GT_FSTAT, fstat(shim->inner_user, fd, ret_stat));
}

static int shim_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	struct gt_shim *shim = user;

	if (note(shim, GT_IOCTL, request))
		return shim->fail_with;
	return shim->inner->ioctl(shim->inner_user, fd, request, arg);
}

static int shim_mmap(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		     uint64_t offset, void **ret_addr)
{
	FORWARD(GT_MMAP, mmap(shim->inner_user, addr, size, prot, flags, fd, offset, ret_addr));
}

/*
 * Once it fails, and the caller tries again. Where it fails for ever the caller can do nothing; the mapping
 * goes all the same then, so that other things left behind can be told from it.
 */
static int shim_munmap(void *user, void *addr, uint64_t size)
{
	struct gt_shim *shim = user;
	bool fail = note(shim, GT_MUNMAP, 0);
	int ret = 0;

	if (!fail || shim->fail_on)
		ret = shim->inner->munmap(shim->inner_user, addr, size);
	return fail ? shim->fail_with : ret;
}

static int shim_madvise(void *user, void *addr, uint64_t size, int advice)
{
	FORWARD(GT_MADVISE, madvise(shim->inner_user, addr, size, advice));
}

static int shim_mbind(void *user, void *addr, uint64_t size, int mode, const uint64_t *nodes,
		      uint64_t max_node, uint32_t flags)
{
	FORWARD(GT_MBIND, mbind(shim->inner_user, addr, size, mode, nodes, max_node, flags));
}

static int shim_get_mempolicy(void *user, int *ret_mode, uint64_t *nodes, uint64_t max_node,
			      void *addr, uint64_t flags)
{
	FORWARD(GT_GET_MEMPOLICY,
		get_mempolicy(shim->inner_user, ret_mode, nodes, max_node, addr, flags));
}

static int shim_fallocate(void *user, int fd, int mode, uint64_t offset, uint64_t size)
{
	FORWARD(GT_FALLOCATE, fallocate(shim->inner_user, fd, mode, offset, size));
}

static int shim_memfd(void *user, const char *name, uint32_t flags)
{
	FORWARD(GT_MEMFD, memfd(shim->inner_user, name, flags));
}

static int shim_ftruncate(void *user, int fd, uint64_t size)
{
	FORWARD(GT_FTRUNCATE, ftruncate(shim->inner_user, fd, size));
}

static int shim_read_file(void *user, const char *path, char *buf, size_t size)
{
	FORWARD(GT_READ_FILE, read_file(shim->inner_user, path, buf, size));
}

static int shim_sleep(void *user, uint64_t ns)
{
	FORWARD(GT_SLEEP, sleep(shim->inner_user, ns));
}

static int shim_write_file(void *user, const char *path, const char *buf, size_t size)
{
	FORWARD(GT_WRITE_FILE, write_file(shim->inner_user, path, buf, size));
}

static int shim_flock(void *user, int fd, int operation)
{
	FORWARD(GT_FLOCK, flock(shim->inner_user, fd, operation));
}

static int shim_set_affinity(void *user, const uint64_t *cpus, size_t words)
{
	FORWARD(GT_SET_AFFINITY, set_affinity(shim->inner_user, cpus, words));
}

static int shim_set_mempolicy(void *user, int mode, const uint64_t *nodes, uint64_t max_node)
{
	FORWARD(GT_SET_MEMPOLICY, set_mempolicy(shim->inner_user, mode, nodes, max_node));
}

static int shim_now(void *user, uint64_t *ret_ns)
{
	FORWARD(GT_NOW, now(shim->inner_user, ret_ns));
}

const struct gmem_sys_ops gt_shim_ops = {
	.sz = sizeof(struct gmem_sys_ops),
	.open = shim_open,
	.close = shim_close,
	.dup = shim_dup,
	.set_cloexec = shim_set_cloexec,
	.fstat = shim_fstat,
	.ioctl = shim_ioctl,
	.mmap = shim_mmap,
	.munmap = shim_munmap,
	.madvise = shim_madvise,
	.mbind = shim_mbind,
	.get_mempolicy = shim_get_mempolicy,
	.fallocate = shim_fallocate,
	.memfd = shim_memfd,
	.ftruncate = shim_ftruncate,
	.read_file = shim_read_file,
	.sleep = shim_sleep,
	.write_file = shim_write_file,
	.flock = shim_flock,
	.set_affinity = shim_set_affinity,
	.set_mempolicy = shim_set_mempolicy,
	.now = shim_now,
};

void gt_shim_init(struct gt_shim *shim, const struct gt *t)
{
	shim->inner = t->ops;
	shim->inner_user = t->user;
	gt_shim_reset(shim);
}

void gt_shim_reset(struct gt_shim *shim)
{
	gt_shim_arm(shim, SIZE_MAX, 0, false);
}

void gt_shim_arm(struct gt_shim *shim, size_t at, int error, bool on)
{
	shim->count = 0;
	shim->fail_at = at;
	shim->fail_with = error;
	shim->fail_on = on;
	shim->failed = false;
}

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
	{GMI_KVM_CREATE_GUEST_MEMFD, "KVM_CREATE_GUEST_MEMFD"},
	{GMI_KVM_PRE_FAULT_MEMORY, "KVM_PRE_FAULT_MEMORY"},
};

/* A name and what such a call may fail with; EPERM is a seccomp filter's. */
static const struct {
	const char *name;
	int errors[8];
} kinds[GT_CALL_KINDS] = {
	[GT_OPEN] = {"open", {-EMFILE, -ENFILE, -ENOMEM, -EACCES, -ENOENT, -EINTR}},
	[GT_CLOSE] = {"close", {-EINTR, -EIO}},
	[GT_DUP] = {"dup", {-EMFILE, -EPERM}},
	[GT_SET_CLOEXEC] = {"set_cloexec", {-EPERM}},
	[GT_FSTAT] = {"fstat", {-ENOMEM, -EPERM}},
	[GT_IOCTL] = {"ioctl", {-ENOMEM, -EPERM, -EIO, -EINTR}},
	[GT_MMAP] = {"mmap", {-ENOMEM, -EPERM, -EAGAIN}},
	[GT_MUNMAP] = {"munmap", {-ENOMEM}},
	[GT_MADVISE] = {"madvise", {-EAGAIN, -ENOMEM, -EINTR}},
	[GT_MBIND] = {"mbind", {-ENOMEM, -EPERM, -EINVAL}},
	[GT_GET_MEMPOLICY] = {"get_mempolicy", {-EPERM, -ENOSYS}},
	[GT_FALLOCATE] = {"fallocate", {-EINTR, -ENOMEM, -ENOSPC}},
	[GT_MEMFD] = {"memfd_create", {-EMFILE, -ENFILE, -ENOMEM}},
	[GT_FTRUNCATE] = {"ftruncate", {-EINTR, -ENOMEM, -EFBIG}},
	[GT_READ_FILE] = {"read_file", {-ENOENT, -EACCES, -EMFILE, -EIO}},
	[GT_SLEEP] = {"sleep", {-EINTR}},
	[GT_WRITE_FILE] = {"write_file", {-EACCES, -EBUSY, -EIO}},
	[GT_FLOCK] = {"flock", {-EINTR, -ENOLCK}},
	[GT_SET_AFFINITY] = {"set_affinity", {-EINVAL, -EPERM}},
	[GT_SET_MEMPOLICY] = {"set_mempolicy", {-EINVAL, -ENOMEM}},
	[GT_NOW] = {"now", {-EPERM}},
};

const char *gt_call_name(struct gt_call call)
{
	size_t i;

	for (i = 0; call.kind == GT_IOCTL && i < GT_COUNT(ioctl_names); i++)
		if (ioctl_names[i].request == call.request)
			return ioctl_names[i].name;
	return kinds[call.kind].name;
}

const int *gt_call_errors(struct gt_call call)
{
	static const int no_errno[] = {-EPERM, 0};
	static const int descriptor[] = {-EMFILE, -ENFILE, -ENOMEM, -EIO, 0};
	static const int memslot[] = {-ENOMEM, -EINVAL, -EEXIST, -EIO, 0};

	switch (call.kind == GT_IOCTL ? call.request : 0) {
	case GMI_KVM_GET_API_VERSION:
		return no_errno;
	case GMI_KVM_CREATE_VM:
	case GMI_KVM_CREATE_VCPU:
	case GMI_KVM_CREATE_GUEST_MEMFD:
		return descriptor;
	case GMI_KVM_SET_USER_MEMORY_REGION:
	case GMI_KVM_SET_USER_MEMORY_REGION2:
		return memslot;
	default:
		return kinds[call.kind].errors;
	}
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
