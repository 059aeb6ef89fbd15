/* SPDX-License-Identifier: MIT */
/* Opens the kernel that a test runs on. */
#include <fcntl.h>
#include <unistd.h>

#include "gt_internal.h"
#include "sys_call.h"

static bool is_real(const char *name)
{
	return strcmp(name, "kvm") == 0 || strcmp(name, "vm") == 0;
}

const char *gt_kernel_missing(const char *name)
{
	if (is_real(name))
		return access("/dev/kvm", R_OK | W_OK) == 0 ? NULL : "no usable /dev/kvm";
	return "GMEM_TEST_KERNEL is neither kvm, vm nor sim:PROFILE";
}

int gt_kernel_open(const char *name, struct gt *ret_t)
{
	*ret_t = (struct gt){.kernel = name, .ops = &gmi_sys_linux_ops};
	return 0;
}

bool gt_kernel_close(struct gt *t)
{
	return true;
}

struct gt_alive gt_count_alive(const struct gt *t)
{
	return (struct gt_alive){0};
}
