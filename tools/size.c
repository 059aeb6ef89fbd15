/* SPDX-License-Identifier: MIT */
/* Sizes as people write them. */
#include "size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char units[] = "KMGTPE";

/* Behind the point; more than any unit divides. */
#define DIGITS_MAX 19

/* The factor of a unit and what stands behind it: "", "B" or "iB". */
static bool parse_unit(const char *text, uint64_t *ret_factor)
{
	const char *unit = *text ? strchr("KMGTPEkmgtpe", *text) : NULL;

	*ret_factor = 1;
	if (!*text || strcmp(text, "B") == 0)
		return true;
	if (!unit)
		return false;
	for (size_t i = 0; i <= (size_t)(unit - "KMGTPEkmgtpe") % 6; i++)
		*ret_factor *= 1024;
	return strcmp(text + 1, "") == 0 || strcmp(text + 1, "B") == 0 ||
	       strcmp(text + 1, "iB") == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits as a number, and where they end. */
static bool parse_digits(const char **at, uint64_t *ret_number)
{
	const char *start = *at;

	*ret_number = 0;
	for (; is_digit(**at); (*at)++)
		if (__builtin_mul_overflow(*ret_number, 10, ret_number) ||
		    __builtin_add_overflow(*ret_number, (uint64_t)(**at - '0'), ret_number))
			return false;
	return *at > start;
}

bool size_parse(const char *text, uint64_t *ret_bytes)
{
	uint64_t whole, fraction = 0, scale = 1, factor, bytes, part;
	const char *at = text, *point;

	if (!parse_digits(&at, &whole))
		return false;
	if (*at == '.') {
		point = at++;
		if (!parse_digits(&at, &fraction) || at - point > DIGITS_MAX)
			return false;
		while (++point < at)
			scale *= 10;
	}
	if (!parse_unit(at, &factor) || __builtin_mul_overflow(whole, factor, &bytes) ||
	    __builtin_mul_overflow(fraction, factor, &part) || part % scale ||
	    __builtin_add_overflow(bytes, part / scale, &bytes))
		return false;
	*ret_bytes = bytes;
	return true;
}

struct size_text size_text(uint64_t bytes)
{
	struct size_text text;
	uint64_t unit = 1;
	int i = -1;

	while (i + 1 < (int)sizeof(units) - 1 && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	if (i < 0)
		snprintf(text.text, sizeof(text.text), "%llu", (unsigned long long)bytes);
	else if (bytes % unit == 0)
		snprintf(text.text, sizeof(text.text), "%llu%c", (unsigned long long)(bytes / unit),
			 units[i]);
	else
		snprintf(text.text, sizeof(text.text), "%.1f%c", (double)bytes / (double)unit,
			 units[i]);
	return text;
}
