/* SPDX-License-Identifier: MIT */
/* Sizes as people write them. */
#ifndef SIZE_H
#define SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* "4096", "512M", "64G", "1.5T", "64GiB": bytes, in powers of 1024. False where it is no size, or not a
 * whole number of bytes below 2^64. */
bool size_parse(const char *text, uint64_t *ret_bytes);

/* "64G", "1.5G", "100": as short as it is exact to a tenth. */
struct size_text {
	char text[24];
};
struct size_text size_text(uint64_t bytes);

#endif
