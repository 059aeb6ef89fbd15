/* SPDX-License-Identifier: MIT */
/* Pools of huge pages, for those who take pages from them. */
#ifndef GMI_POOL_H
#define GMI_POOL_H

#include <libgmem/hugetlb.h>

#include "host.h"

/* The file @name of a pool; the whole machine's for GMEM_NODE_ANY. */
void gmi_pool_path(char path[GMI_PATH_MAX], uint64_t page_size, uint32_t node, const char *name);

/* Checks that there is such a pool. On a kernel without NUMA, which has node 0 and no files for it,
 * @node becomes GMEM_NODE_ANY. 0 or -errno with a record. */
int gmi_pool_find(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t *node);

/* The numbers of a pool. 0 or -errno with a record. */
int gmi_pool_read(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
		  struct gmem_hugetlb_info *ret_info);

/* A pool in words, for messages: "node 1 has 4G in pages of 1G: 0 free, ...". */
struct gmi_pool_text {
	char text[224];
};
struct gmi_pool_text gmi_pool_describe(const struct gmem_hugetlb_info *info);

/* As above, reading the pool first; says so where it cannot be read. Leaves the record alone. */
struct gmi_pool_text gmi_pool_text(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node);

#endif
