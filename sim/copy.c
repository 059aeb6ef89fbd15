/* SPDX-License-Identifier: MIT */
/* The caller's memory, read and written so that a bad address is an error and not a signal. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sim_model.h"

static struct iovec iov(uint64_t addr, size_t size)
{
	return (struct iovec){.iov_base = (void *)(uintptr_t)addr, .iov_len = size};
}

/* What of the caller's stack is surely there: the frames between here and the program's own. */
#define STACK_NEAR 1024u

/*
 * Arguments of ioctls mostly lie on the stack, not far above this frame, and can be read as they are. A
 * system call for each would be most of what a simulated ioctl costs.
 */
static int is_near_on_stack(uint64_t addr, size_t size)
{
	uint64_t here = (uintptr_t)__builtin_frame_address(0);

	return addr > here && size <= STACK_NEAR && addr - here <= STACK_NEAR - size;
}

int gmi_sim_copy_in(void *to, uint64_t from, size_t size)
{
	struct iovec local = iov((uintptr_t)to, size);
	struct iovec remote = iov(from, size);

	if (!size)
		return 0;
	if (is_near_on_stack(from, size)) {
		memcpy(to, (const void *)(uintptr_t)from, size);
		return 0;
	}
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

int gmi_sim_copy_out(uint64_t to, const void *from, size_t size)
{
	struct iovec local = iov((uintptr_t)from, size);
	struct iovec remote = iov(to, size);

	if (!size)
		return 0;
	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}
