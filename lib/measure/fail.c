/* SPDX-License-Identifier: MIT */
/* Failures with a reason, and public structs of other versions. */
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int gmi_fail(struct gmem_measure_error *error, int code, uint64_t offset, const char *format, ...)
{
	GMEM_INIT(gmem_measure_error, known);
	va_list args;

	if (!error)
		return -code;
	known.code = code;
	known.offset = offset;
	va_start(args, format);
	vsnprintf(known.text, sizeof(known.text), format, args);
	va_end(args);
	gmi_info_write(error, &known, sizeof(known));
	return -code;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int gmi_opts_read(const void *opts, void *known, size_t known_size,
		  struct gmem_measure_error *error)
{
	size_t size;

	memset(known, 0, known_size);
	if (!opts)
		return gmi_invalid(error, "the options are NULL");
	memcpy(&size, opts, sizeof(size));
	if (size < sizeof(size))
		return gmi_invalid(error, "the options say that they have %zu bytes", size);
	/* No struct will ever fill a page: a size that was never set is not followed out of it. */
	if (size > GMEM_PAGE_SIZE)
		return gmi_fail(error, E2BIG, GMI_NO_OFFSET,
				"the options say that they have %zu bytes", size);
	if (size > known_size && !is_zero((const uint8_t *)opts + known_size, size - known_size))
		return gmi_fail(error, E2BIG, GMI_NO_OFFSET,
				"the options set a field that this version does not know");
	memcpy(known, opts, size < known_size ? size : known_size);
	return 0;
}

int gmi_info_write(void *info, const void *known, size_t known_size)
{
	size_t size;

	if (!info)
		return -EINVAL;
	memcpy(&size, info, sizeof(size));
	if (size < sizeof(size))
		return -EINVAL;
	if (size > known_size)
		size = known_size;
	memcpy((uint8_t *)info + sizeof(size), (const uint8_t *)known + sizeof(size),
	       size - sizeof(size));
	return 0;
}
