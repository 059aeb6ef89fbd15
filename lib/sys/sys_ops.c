/* SPDX-License-Identifier: MIT */
/* Whether a table of system calls has what this build needs. */
#include "sys_call.h"

#include <stddef.h>

int gmi_sys_ops_are_complete(const struct gmem_sys_ops *ops)
{
	return ops->sz >= offsetof(struct gmem_sys_ops, write_file) && ops->open && ops->close &&
	       ops->dup && ops->set_cloexec && ops->fstat && ops->ioctl && ops->mmap &&
	       ops->munmap && ops->madvise && ops->mbind && ops->get_mempolicy && ops->fallocate &&
	       ops->memfd && ops->ftruncate && ops->read_file && ops->sleep;
}
