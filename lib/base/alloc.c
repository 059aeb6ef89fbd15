/* SPDX-License-Identifier: MIT */
/* libgmem's own memory, through the caller's allocator. */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *user, size_t size)
{
	return malloc(size);
}

static void default_free(void *user, void *ptr)
{
	free(ptr);
}

const struct gmem_allocator gmi_alloc_default = {
	.alloc = default_alloc,
	.free = default_free,
};

void *gmi_zalloc(const struct gmem_allocator *allocator, size_t size)
{
	void *ptr = allocator->alloc(allocator->user, size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

void *gmi_zalloc_array(const struct gmem_allocator *allocator, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return gmi_zalloc(allocator, total);
}

void gmi_free(const struct gmem_allocator *allocator, void *ptr)
{
	if (ptr)
		allocator->free(allocator->user, ptr);
}
