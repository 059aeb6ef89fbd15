/* SPDX-License-Identifier: MIT */
/* Files that begin and end. */
#ifndef GMI_FILE_MAKE_H
#define GMI_FILE_MAKE_H

#include "core_file.h"

/* Takes a file, listed or not, out of its VM's list. */
void gmi_file_unlist(struct gmem_file *file);

#endif
