/* SPDX-License-Identifier: MIT */
/* Reads the pools of huge pages. */
#include <errno.h>
#include <stdio.h>

#include "errinfo.h"
#include "opts.h"
#include "pool.h"
#include "range.h"

/* The sizes that any architecture has lie between these. */
#define HUGE_MIN (UINT64_C(1) << 14)
#define HUGE_MAX (UINT64_C(1) << 34)

void gmi_pool_path(char path[GMI_PATH_MAX], uint64_t page_size, uint32_t node, const char *name)
{
	unsigned long long kilobytes = page_size / 1024;

	if (node == GMEM_NODE_ANY)
		snprintf(path, GMI_PATH_MAX, "/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
			 kilobytes, name);
	else
		snprintf(path, GMI_PATH_MAX,
			 "/sys/devices/system/node/node%u/hugepages/hugepages-%llukB/%s", node,
			 kilobytes, name);
}

/* @name of the pool, in bytes. */
static int read_bytes(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
		      const char *name, uint64_t *ret_bytes)
{
	char path[GMI_PATH_MAX];
	uint64_t pages;
	int ret;

	gmi_pool_path(path, page_size, node, name);
	ret = gmi_host_number(ctx, path, &pages);
	if (!ret && __builtin_mul_overflow(pages, page_size, ret_bytes))
		ret = -EIO;
	return ret;
}

static int fail_read(int error, uint64_t page_size, uint32_t node, const char *name)
{
	char path[GMI_PATH_MAX];

	gmi_pool_path(path, page_size, node, name);
	return gmi_error(error, "%.200s cannot be read (%s)", path, gmi_error_name(error));
}

static int read_numbers(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
			struct gmem_hugetlb_info *info)
{
	const struct {
		uint32_t node;
		const char *name;
		uint64_t *number;
	} files[] = {
		{node, "nr_hugepages", &info->total},
		{node, "free_hugepages", &info->free},
		{node, "surplus_hugepages", &info->surplus},
		{GMEM_NODE_ANY, "resv_hugepages", &info->reserved},
		{GMEM_NODE_ANY, "nr_overcommit_hugepages", &info->overcommit},
	};
	int ret;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		ret = read_bytes(ctx, page_size, files[i].node, files[i].name, files[i].number);
		if (ret)
			return fail_read(ret, page_size, files[i].node, files[i].name);
	}
	return 0;
}

/* A kernel without NUMA has node 0 and no directory of nodes. */
static bool has_no_nodes(const struct gmem_ctx *ctx)
{
	uint64_t number;

	return gmi_host_number(ctx, "/sys/devices/system/node/online", &number) == -ENOENT;
}

int gmi_pool_find(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t *node)
{
	uint64_t bytes;
	int ret = read_bytes(ctx, page_size, GMEM_NODE_ANY, "nr_hugepages", &bytes);

	if (ret == -ENOENT)
		return gmi_error(-EOPNOTSUPP, "this kernel has no pages of %s",
				 gmi_size_text(page_size).text);
	if (ret)
		return fail_read(ret, page_size, GMEM_NODE_ANY, "nr_hugepages");
	if (*node == GMEM_NODE_ANY || !read_bytes(ctx, page_size, *node, "nr_hugepages", &bytes))
		return 0;
	if (*node > 0 || !has_no_nodes(ctx))
		return gmi_error(-ENOENT, "there is no node %u with huge pages", *node);
	*node = GMEM_NODE_ANY;
	return 0;
}

/* The kernel's names for the limits say the size in the largest unit: "hugetlb.1GB.max". */
static void read_cgroup(const struct gmem_ctx *ctx, struct gmem_hugetlb_info *info)
{
	static const char *const names[2][4] = {
		{"limit_in_bytes", "usage_in_bytes", "max", "current"},
		{"rsvd.limit_in_bytes", "rsvd.usage_in_bytes", "rsvd.max", "rsvd.current"},
	};
	struct gmi_size_text size = gmi_size_text(info->page_size);
	char files[4][64];
	struct gmi_cgroup_limit what = {"hugetlb", files[0], files[1], files[2], files[3]};
	uint64_t limit, room;

	info->cgroup_limit = UINT64_MAX;
	info->cgroup_room = UINT64_MAX;
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 4; j++)
			snprintf(files[j], sizeof(files[j]), "hugetlb.%sB.%s", size.text,
				 names[i][j]);
		gmi_cgroup_room(ctx, &what, &limit, &room);
		info->cgroup_limit = limit < info->cgroup_limit ? limit : info->cgroup_limit;
		info->cgroup_room = room < info->cgroup_room ? room : info->cgroup_room;
	}
}

int gmi_pool_read(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
		  struct gmem_hugetlb_info *ret_info)
{
	struct gmem_hugetlb_info info = {
		.sz = sizeof(info),
		.page_size = page_size,
		.node = node,
	};
	int ret = gmi_pool_find(ctx, page_size, &node);

	if (!ret)
		ret = read_numbers(ctx, page_size, node, &info);
	if (ret)
		return ret;
	if (info.free > info.reserved)
		info.available = info.free - info.reserved;
	read_cgroup(ctx, &info);
	*ret_info = info;
	return 0;
}

struct gmi_pool_text gmi_pool_describe(const struct gmem_hugetlb_info *info)
{
	struct gmi_pool_text text;
	char node[32] = "the host";

	if (info->node != GMEM_NODE_ANY)
		snprintf(node, sizeof(node), "node %u", info->node);
	snprintf(text.text, sizeof(text.text),
		 "%s has %s in pages of %s: %s free, %s reserved, %s surplus", node,
		 gmi_size_text(info->total).text, gmi_size_text(info->page_size).text,
		 gmi_size_text(info->free).text, gmi_size_text(info->reserved).text,
		 gmi_size_text(info->surplus).text);
	return text;
}

struct gmi_pool_text gmi_pool_text(const struct gmem_ctx *ctx, uint64_t page_size, uint32_t node)
{
	struct gmem_errinfo record = *gmem_errinfo();
	struct gmem_hugetlb_info info;
	struct gmi_pool_text text = {"the pool cannot be read"};

	if (!gmi_pool_read(ctx, page_size, node, &info))
		text = gmi_pool_describe(&info);
	gmi_errinfo_restore(&record);
	return text;
}

static int get_info(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
		    struct gmem_hugetlb_info *ret_info)
{
	struct gmem_hugetlb_info info;
	int ret;

	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (!ret)
		ret = gmi_pool_read(ctx, page_size, node, &info);
	if (!ret)
		gmi_info_put(ret_info, &info, sizeof(info));
	return ret;
}

GMEM_API int gmem_hugetlb_get_info(struct gmem_ctx *ctx, uint64_t page_size, uint32_t node,
				   struct gmem_hugetlb_info *ret_info)
{
	return gmi_result(__func__, get_info(ctx, page_size, node, ret_info));
}

static int next_size(const struct gmem_ctx *ctx, uint64_t above, uint64_t *ret_page_size)
{
	uint64_t bytes;

	if (!ctx || !ret_page_size)
		return gmi_error_arg(ctx ? "ret_page_size" : "ctx", "a NULL pointer");
	for (uint64_t size = HUGE_MIN; size <= HUGE_MAX; size *= 2) {
		if (size <= above ||
		    read_bytes(ctx, size, GMEM_NODE_ANY, "nr_hugepages", &bytes) == -ENOENT)
			continue;
		*ret_page_size = size;
		return 0;
	}
	return gmi_error(-ENOENT, "the kernel has no huge pages above %s",
			 gmi_size_text(above).text);
}

GMEM_API int gmem_hugetlb_next_size(struct gmem_ctx *ctx, uint64_t above, uint64_t *ret_page_size)
{
	return gmi_result(__func__, next_size(ctx, above, ret_page_size));
}

static int next_node(const struct gmem_ctx *ctx, uint32_t from, uint32_t *ret_node)
{
	uint64_t words[GMI_NODE_WORDS], node;
	int ret;

	if (!ctx || !ret_node)
		return gmi_error_arg(ctx ? "ret_node" : "ctx", "a NULL pointer");
	ret = gmi_host_nodes(ctx, words);
	if (ret)
		return gmi_error(ret, "the list of NUMA nodes cannot be read (%s)",
				 gmi_error_name(ret));
	if (!gmi_bit_next(words, GMI_NODE_WORDS, from, &node))
		return gmi_error(-ENOENT, "there is no node with memory from %u on", from);
	*ret_node = (uint32_t)node;
	return 0;
}

GMEM_API int gmem_numa_next_node(struct gmem_ctx *ctx, uint32_t from, uint32_t *ret_node)
{
	return gmi_result(__func__, next_node(ctx, from, ret_node));
}
