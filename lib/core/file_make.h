/* SPDX-License-Identifier: MIT */
/* Files that begin and end. */
#ifndef GMI_FILE_MAKE_H
#define GMI_FILE_MAKE_H

#include "core_file.h"

/* Finds out @dev, @ino and @block_size where nobody did yet. With the VM's lock. 0 or -errno with a
 * record. */
int gmi_file_identify(struct gmem_file *file);

/* Takes a file, listed or not, out of its VM's list. */
void gmi_file_unlist(struct gmem_file *file);

#endif
