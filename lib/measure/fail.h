/* SPDX-License-Identifier: MIT */
/* Failures with a reason, written where the caller asked for it. */
#ifndef GMI_FAIL_H
#define GMI_FAIL_H

#include <libgmem/launch.h>

#define GMI_NO_OFFSET UINT64_MAX

/* Writes @code (positive) and the text to @error, which may be NULL. Returns -@code. */
__attribute__((format(printf, 4, 5))) int gmi_fail(struct gmem_measure_error *error, int code,
						   uint64_t offset, const char *format, ...);

#define gmi_invalid(error, ...) gmi_fail(error, EINVAL, GMI_NO_OFFSET, __VA_ARGS__)

/* Reads a public struct that starts with its size into @known of @known_size bytes: what the caller's
 * lacks becomes 0, what ours lacks must be 0. */
int gmi_opts_read(const void *opts, void *known, size_t known_size,
		  struct gmem_measure_error *error);

/* The other way: writes as much of @known as the caller's struct holds, but not its size. */
int gmi_info_write(void *info, const void *known, size_t known_size);

#endif
