/* SPDX-License-Identifier: MIT */
/* A kernel that says yes to everything and does nothing. */
#include "noop_kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/kvm.h>

/* Newer than some systems' linux/kvm.h. */
#define CREATE_GUEST_MEMFD     _IOWR(KVMIO, 0xd4, char[64])
#define SET_MEMORY_ATTRIBUTES  _IOW(KVMIO, 0xd2, char[32])
#define SET_MEMORY_ATTRIBUTES2 _IOWR(KVMIO, 0xd2, char[128])
#define PRE_FAULT_MEMORY       _IOWR(KVMIO, 0xd5, char[64])

struct noop_calls noop_calls;

static uint64_t sizes[64];
static int fds;

void noop_reset(void)
{
	memset(&noop_calls, 0, sizeof(noop_calls));
}

static int new_fd(uint64_t size)
{
	fds = (fds + 1) % 64;
	sizes[fds] = size;
	return 1024 + fds;
}

static int check_extension(uint64_t cap)
{
	switch (cap) {
	case KVM_CAP_NR_MEMSLOTS:
		return 32764;
	case 233: /* MEMORY_ATTRIBUTES: private */
		return 8;
	case 235: /* VM_TYPES */
		return 3;
	case 3:   /* USER_MEMORY */
	case 231: /* USER_MEMORY2 */
	case 232: /* MEMORY_FAULT_INFO */
	case 234: /* GUEST_MEMFD */
	case 236: /* PRE_FAULT_MEMORY */
	case 244: /* GUEST_MEMFD_FLAGS */
		return 1;
	default:
		return 0;
	}
}

static int noop_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	uint64_t *words = arg;

	switch (request) {
	case KVM_GET_API_VERSION:
		return fd == 999 ? 12 : -ENOTTY;
	case KVM_CHECK_EXTENSION:
		return check_extension((uintptr_t)arg);
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
		return new_fd(0);
	case CREATE_GUEST_MEMFD:
		return new_fd(words[0]);
	case SET_MEMORY_ATTRIBUTES:
		noop_calls.attributes++;
		return 0;
	case SET_MEMORY_ATTRIBUTES2:
		return -ENOTTY;
	case PRE_FAULT_MEMORY:
		if (!words[1])
			return -EINVAL;
		noop_calls.pre_faults++;
		words[0] += words[1];
		words[1] = 0;
		return 0;
	default:
		noop_calls.others++;
		return 0;
	}
}

static int noop_open(void *user, const char *path, int flags)
{
	return 999;
}

static int noop_fd(void *user, int fd)
{
	return 0;
}

static int noop_fstat(void *user, int fd, struct gmem_sys_stat *ret_stat)
{
	*ret_stat = (struct gmem_sys_stat){
		.dev = 1,
		.ino = (uint64_t)fd,
		.size = sizes[fd % 64],
		.block_size = 4096,
		.mode = S_IFREG | 0600,
	};
	return 0;
}

static int noop_mmap(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		     uint64_t offset, void **ret_addr)
{
	*ret_addr = (void *)(uintptr_t)(UINT64_C(1) << 46);
	return 0;
}

static int noop_munmap(void *user, void *addr, uint64_t size)
{
	return 0;
}

static int noop_madvise(void *user, void *addr, uint64_t size, int advice)
{
	noop_calls.madvises++;
	return 0;
}

static int noop_fallocate(void *user, int fd, int mode, uint64_t offset, uint64_t size)
{
	noop_calls.fallocates++;
	return 0;
}

static int noop_memfd(void *user, const char *name, uint32_t flags)
{
	return new_fd(0);
}

static int noop_ftruncate(void *user, int fd, uint64_t size)
{
	return 0;
}

const struct gmem_sys_ops *noop_kernel(void)
{
	static struct gmem_sys_ops ops;

	ops = *gmem_sys_linux();
	ops.open = noop_open;
	ops.close = noop_fd;
	ops.set_cloexec = noop_fd;
	ops.fstat = noop_fstat;
	ops.ioctl = noop_ioctl;
	ops.mmap = noop_mmap;
	ops.munmap = noop_munmap;
	ops.madvise = noop_madvise;
	ops.fallocate = noop_fallocate;
	ops.memfd = noop_memfd;
	ops.ftruncate = noop_ftruncate;
	return &ops;
}
