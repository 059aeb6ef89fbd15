/* SPDX-License-Identifier: MIT */
/* Public structs that start with their size: the rule of types.h, in one place. */
#ifndef GMI_OPTS_H
#define GMI_OPTS_H

#include <stddef.h>

/*
 * Reads a caller's options. @out, of @size bytes, holds the defaults; it keeps them where @in is
 * NULL or shorter. Returns 0, or -EINVAL or -E2BIG with a record.
 */
int gmi_opts_get(void *out, size_t size, const void *in);

/* Checks, before anything is done, that a caller's info struct can be written. Codes as above. */
int gmi_info_check(const void *ret_info, size_t size);

/* Copies @info, of @size bytes, to a checked struct of the caller, as much as that has room for. */
void gmi_info_put(void *ret_info, const void *info, size_t size);

#endif
