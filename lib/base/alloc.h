/* SPDX-License-Identifier: MIT */
/* libgmem's own memory, through the caller's allocator. */
#ifndef GMI_ALLOC_H
#define GMI_ALLOC_H

#include <libgmem/types.h>

/* malloc() and free(). */
extern const struct gmem_allocator gmi_alloc_default;

/* Zeroed memory, or NULL. */
void *gmi_zalloc(const struct gmem_allocator *allocator, size_t size);

/* As gmi_zalloc() for @count elements; NULL where the product does not fit. */
void *gmi_zalloc_array(const struct gmem_allocator *allocator, size_t count, size_t size);

/* Takes NULL. */
void gmi_free(const struct gmem_allocator *allocator, void *ptr);

#endif
