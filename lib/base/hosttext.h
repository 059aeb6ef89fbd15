/* SPDX-License-Identifier: MIT */
/* The texts of /proc and /sys, and sizes as text. */
#ifndef GMI_HOSTTEXT_H
#define GMI_HOSTTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The decimal number that @text begins with, up to a character that is no digit. False where there
 * is none or it does not fit. */
bool gmi_text_number(const char *text, size_t size, uint64_t *ret_number);

/* A list such as "0-3,8" as bits. False where it is no list or a number has no bit in @words. */
bool gmi_text_list(const char *text, size_t size, uint64_t *words, size_t word_count);

/* Whether bit @index is set; false beyond the words. */
bool gmi_bit_is_set(const uint64_t *words, size_t word_count, uint64_t index);

/* The first set bit from @from on, or false. */
bool gmi_bit_next(const uint64_t *words, size_t word_count, uint64_t from, uint64_t *ret_index);

/* The number behind "@key" and blanks on the first line that has it: "MemFree:    123 kB". */
bool gmi_text_field(const char *text, size_t size, const char *key, uint64_t *ret_number);

/* What follows "@key" up to the line's end; blanks before it are skipped. */
bool gmi_text_line(const char *text, size_t size, const char *key, const char **ret_rest,
		   size_t *ret_size);

/* "64G", "1.5G" (rounded down), "4K", "100". */
struct gmi_size_text {
	char text[24];
};
struct gmi_size_text gmi_size_text(uint64_t bytes);

#endif
