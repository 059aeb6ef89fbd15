/* SPDX-License-Identifier: MIT */
/* Whether a table of system calls has what this build needs. */
#include "sys_call.h"

int gmi_sys_ops_are_complete(const struct gmem_sys_ops *ops)
{
	return ops->sz >= sizeof(*ops) && ops->open && ops->close && ops->dup && ops->set_cloexec &&
	       ops->fstat && ops->ioctl && ops->mmap && ops->munmap && ops->madvise && ops->mbind &&
	       ops->get_mempolicy && ops->fallocate && ops->memfd && ops->ftruncate &&
	       ops->read_file && ops->sleep;
}
