/* SPDX-License-Identifier: MIT */
/* Public structs that start with their size: the rule of types.h, in one place. */
#include "opts.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "errinfo.h"

static size_t get_size(const void *sized)
{
	size_t sz;

	memcpy(&sz, sized, sizeof(sz));
	return sz;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* No struct will ever fill a page, so that a size never set is not followed out of the struct. */
static int check(const void *sized, size_t known)
{
	size_t sz = get_size(sized);

	if (sz < sizeof(sz))
		return gmi_error_arg("sz", "a size of %zu: use GMEM_INIT()", sz);
	if (sz > GMEM_PAGE_SIZE) {
		gmi_error(-E2BIG, "a size of %zu, more than any struct of libgmem", sz);
		return gmi_at_arg("sz");
	}
	if (sz > known && !is_zero((const unsigned char *)sized + known, sz - known)) {
		gmi_error(-E2BIG, "a member behind the %zu bytes that this library knows is set",
			  known);
		return gmi_at_arg("sz");
	}
	return 0;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

int gmi_opts_get(void *out, size_t size, const void *in)
{
	int ret = in ? check(in, size) : 0;

	if (in && !ret)
		memcpy(out, in, smaller(get_size(in), size));
	return ret;
}

int gmi_info_check(const void *ret_info, size_t size)
{
	if (!ret_info)
		return gmi_error_arg("ret_info", "a NULL pointer");
	return check(ret_info, size);
}

void gmi_info_put(void *ret_info, const void *info, size_t size)
{
	size_t sz = smaller(get_size(ret_info), size);

	memcpy((char *)ret_info + sizeof(sz), (const char *)info + sizeof(sz), sz - sizeof(sz));
}
