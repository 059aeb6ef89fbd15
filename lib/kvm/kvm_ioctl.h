/* SPDX-License-Identifier: MIT */
/* The one way of this layer to the seam. */
#ifndef GMI_KVM_IOCTL_H
#define GMI_KVM_IOCTL_H

#include <errno.h>

#include "sys_call.h"

static inline int gmi_kvm_ioctl(const struct gmi_sys *sys, int fd, uint64_t request, void *arg)
{
	int ret = gmi_sys_ioctl(sys, fd, request, arg);

	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

static inline int gmi_kvm_ioctl_number(const struct gmi_sys *sys, int fd, uint64_t request,
				       uint64_t number)
{
	return gmi_kvm_ioctl(sys, fd, request, (void *)(uintptr_t)number);
}

#endif
