/* SPDX-License-Identifier: MIT */
/* The texts of /proc and /sys, and sizes as text. */
#include "hosttext.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the number at @*at, and moves behind it. */
static bool take_number(const char **at, const char *end, uint64_t *ret_number)
{
	const char *start = *at;
	uint64_t number = 0;

	for (; *at < end && is_digit(**at); (*at)++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(**at - '0'), &number))
			return false;
	*ret_number = number;
	return *at > start;
}

bool gmi_text_number(const char *text, size_t size, uint64_t *ret_number)
{
	uint64_t number;
	const char *at = text;

	if (!take_number(&at, text + size, &number))
		return false;
	*ret_number = number;
	return true;
}

static bool set_bits(uint64_t first, uint64_t last, uint64_t *words, size_t word_count)
{
	if (first > last || last >= (uint64_t)word_count * 64)
		return false;
	for (uint64_t i = first; i <= last; i++)
		words[i / 64] |= UINT64_C(1) << (i % 64);
	return true;
}

bool gmi_text_list(const char *text, size_t size, uint64_t *words, size_t word_count)
{
	const char *at = text, *end = text + size;
	uint64_t first, last;

	memset(words, 0, word_count * sizeof(*words));
	while (at < end && *at != '\n') {
		if (!take_number(&at, end, &first))
			return false;
		last = first;
		if (at < end && *at == '-') {
			at++;
			if (!take_number(&at, end, &last))
				return false;
		}
		if (!set_bits(first, last, words, word_count))
			return false;
		if (at < end && *at == ',')
			at++;
		else if (at < end && *at != '\n')
			return false;
	}
	return true;
}

bool gmi_bit_is_set(const uint64_t *words, size_t word_count, uint64_t index)
{
	return index / 64 < word_count && words[index / 64] >> (index % 64) & 1;
}

bool gmi_bit_next(const uint64_t *words, size_t word_count, uint64_t from, uint64_t *ret_index)
{
	for (uint64_t i = from; i < (uint64_t)word_count * 64; i++) {
		if (gmi_bit_is_set(words, word_count, i)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

/* The start of the line behind the one at @at, or @end. */
static const char *next_line(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline + 1 : end;
}

bool gmi_text_line(const char *text, size_t size, const char *key, const char **ret_rest,
		   size_t *ret_size)
{
	const char *end = text + size, *at, *line_end;
	size_t length = strlen(key);

	for (at = text; at < end; at = next_line(at, end)) {
		if ((size_t)(end - at) < length || memcmp(at, key, length) != 0)
			continue;
		line_end = next_line(at, end);
		at += length;
		while (at < line_end && (*at == ' ' || *at == '\t'))
			at++;
		if (line_end > at && line_end[-1] == '\n')
			line_end--;
		*ret_rest = at;
		*ret_size = (size_t)(line_end - at);
		return true;
	}
	return false;
}

bool gmi_text_field(const char *text, size_t size, const char *key, uint64_t *ret_number)
{
	const char *rest;
	size_t rest_size;

	return gmi_text_line(text, size, key, &rest, &rest_size) &&
	       gmi_text_number(rest, rest_size, ret_number);
}

struct gmi_size_text gmi_size_text(uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	struct gmi_size_text text;
	uint64_t unit = 1;
	unsigned int i = 0;

	while (i < sizeof(units) - 1 && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	if (i == 0)
		snprintf(text.text, sizeof(text.text), "%llu", (unsigned long long)bytes);
	else if (bytes % unit == 0)
		snprintf(text.text, sizeof(text.text), "%llu%c", (unsigned long long)(bytes / unit),
			 units[i - 1]);
	else
		snprintf(text.text, sizeof(text.text), "%llu.%u%c",
			 (unsigned long long)(bytes / unit),
			 (unsigned int)(bytes % unit * 10 / unit), units[i - 1]);
	return text;
}
