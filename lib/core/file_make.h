/* SPDX-License-Identifier: MIT */
/* Files that begin and end. */
#ifndef GMI_FILE_MAKE_H
#define GMI_FILE_MAKE_H

#include "core_file.h"
#include "inode.h"

/* A file of @vm without a descriptor, on no inode, that the VM does not count yet. Or NULL. */
struct gmem_file *gmi_file_make(struct gmem_vm *vm, const struct gmem_file_opts *opts);

/* Checks that @fd is guest memory, and reads its size and its inode. 0 or -errno with a record. */
int gmi_file_check_fd(struct gmem_file *file, int fd, bool borrowed);

/* Makes a descriptor close-on-exec. 0 or -errno with a record. */
int gmi_file_set_cloexec(const struct gmem_file *file, int fd);

/* Flags of a file that comes from elsewhere. 0 or -EINVAL with a record. */
int gmi_file_check_flags(const struct gmem_file_opts *opts);

/* Puts an identified file on its inode, which in place keeps the state. As gmi_inode_join(). */
int gmi_file_join(struct gmem_file *file, enum gmi_inode_role role);

/* The last step of making a file, which cannot fail. */
void gmi_file_give_out(struct gmem_file *file, struct gmem_file **ret_file);

/* Undoes the last two, or what of them was done. */
void gmi_file_forget(struct gmem_file *file);

#endif
