/* SPDX-License-Identifier: MIT */
/* Arguments of options, and what is said of wrong ones. */
#include "take.h"

#include <stdlib.h>
#include <string.h>

#include "gmemctl.h"
#include "size.h"

bool take_size(const char *option, const char *text, uint64_t *ret_size)
{
	if (size_parse(text, ret_size) && *ret_size)
		return true;
	complain("%s %s: not a size such as 512M, 64G or 1T", option, text);
	return false;
}

bool take_number(const char *option, const char *text, uint32_t limit, uint32_t *ret_number)
{
	unsigned long number;
	char *end;

	number = strtoul(text, &end, 10);
	*ret_number = (uint32_t)number;
	if (*text >= '0' && *text <= '9' && !*end && number <= limit)
		return true;
	complain("%s %s: not a number up to %u", option, text, limit);
	return false;
}

/* The part of @text up to @separator as a size, and what stands behind it or NULL. */
static bool take_part(const char *text, char separator, uint64_t *ret_size, const char **ret_rest)
{
	const char *end = strchr(text, separator);
	size_t length = end ? (size_t)(end - text) : strlen(text);
	char part[32];

	if (length >= sizeof(part))
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	*ret_rest = end ? end + 1 : NULL;
	return size_parse(part, ret_size);
}

bool take_page_sizes(const char *option, const char *text, uint64_t *ret_sizes)
{
	const uint64_t known = GMEM_PAGE_1G | GMEM_PAGE_2M | GMEM_PAGE_SIZE;
	const char *rest = text;
	uint64_t size;

	*ret_sizes = 0;
	while (rest && take_part(rest, ',', &size, &rest) && (size & known) == size && size)
		*ret_sizes |= size;
	if (!rest && *ret_sizes)
		return true;
	complain("%s %s: not some of 1G,2M,4K", option, text);
	return false;
}

bool take_range(const char *option, const char *text, uint64_t *ret_start, uint64_t *ret_size)
{
	const char *rest;

	if (take_part(text, ':', ret_start, &rest) && rest && size_parse(rest, ret_size) &&
	    *ret_size)
		return true;
	complain("%s %s: not START:SIZE, such as 3G:1G", option, text);
	return false;
}
