/* SPDX-License-Identifier: MIT */
/* Arguments of options, and what is said of wrong ones. */
#ifndef TAKE_H
#define TAKE_H

#include <stdbool.h>
#include <stdint.h>

/* Each is false where @text is not what the option takes, and has said so. */
bool take_size(const char *option, const char *text, uint64_t *ret_size);
bool take_number(const char *option, const char *text, uint32_t limit, uint32_t *ret_number);

/* "1G,2M,4K" as the sizes added up. */
bool take_page_sizes(const char *option, const char *text, uint64_t *ret_sizes);

/* "3584M:512M": two sizes, of which the first may be 0. */
bool take_range(const char *option, const char *text, uint64_t *ret_start, uint64_t *ret_size);

#endif
