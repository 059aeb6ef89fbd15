/* SPDX-License-Identifier: MIT */
/* layout.h, hugetlb.h and prealloc.h: planned, taken from pools, made ready. */
#include <libgmem/sim.h>

#include "api.h"

#define PAGE_2M GMEM_PAGE_2M

static void nothing(struct api *api)
{
}

static int create_layout(struct api *api)
{
	struct gmem_allocator allocator = gt_heap_allocator(&api->heap);
	static const struct gmem_range hole = {UINT64_C(7) << 29, UINT64_C(1) << 29};
	GMEM_INIT(gmem_layout_opts, opts);

	opts.page_sizes = GMEM_PAGE_1G | GMEM_PAGE_2M;
	opts.holes = &hole;
	opts.hole_count = 1;
	opts.allocator = &allocator;
	return gmem_layout_create(UINT64_C(1) << 33, &opts, &api->layout);
}

static void check_layout(struct api *api)
{
	GMEM_INIT(gmem_layout_range, range);

	EXPECT("range", gmem_layout_get_range(api->layout, 1, &range), 0);
	EXPECT("page_size", (int64_t)range.page_size, (int64_t)PAGE_2M);
	api->layout = gmem_layout_unref(api->layout);
}

static int get_info(struct api *api)
{
	GMEM_INIT(gmem_hugetlb_info, info);

	return gmem_hugetlb_get_info(api->ctx, PAGE_2M, 0, &info);
}

/* Where all calls failed an attempt before may have left something. */
static void empty_pool(struct api *api)
{
	GMEM_INIT(gmem_sim_pool, pool);

	pool.page_size = PAGE_2M;
	MUST(gmem_sim_set_pool(api->t->sim, &pool) == 0);
	make_ctx(api);
}

static int reserve(struct api *api)
{
	return gmem_hugetlb_reserve(api->ctx, PAGE_2M, 0, 3 * PAGE_2M, NULL, &api->share);
}

static uint64_t pool_size(struct api *api)
{
	GMEM_INIT(gmem_hugetlb_info, info);

	EXPECT("pool", gmem_hugetlb_get_info(api->ctx, PAGE_2M, 0, &info), 0);
	return info.total;
}

/* Also behind attempts that failed: what they raised they lowered. */
static void check_reserved(struct api *api)
{
	EXPECT("added", (int64_t)gmem_hugetlb_added(api->share), 3 * (int64_t)PAGE_2M);
	EXPECT("in the pool", (int64_t)pool_size(api), 3 * (int64_t)PAGE_2M);
	EXPECT("release", gmem_hugetlb_release(api->share), 0);
	api->share = NULL;
	EXPECT("empty again", (int64_t)pool_size(api), 0);
}

static void reserved(struct api *api)
{
	empty_pool(api);
	MUST(reserve(api) == 0);
}

static int release(struct api *api)
{
	int ret = gmem_hugetlb_release(api->share);

	if (ret == 0)
		api->share = NULL;
	return ret;
}

static void check_released(struct api *api)
{
	EXPECT("empty", (int64_t)pool_size(api), 0);
}

static int create(struct api *api)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	int vcpu = 7;

	opts.vcpu_fds = &vcpu;
	opts.vcpu_count = 1;
	return gmem_prealloc_create(api->ctx, &opts, &api->prealloc);
}

static void check_created(struct api *api)
{
	GMEM_INIT(gmem_prealloc_info, info);

	EXPECT("info", gmem_prealloc_get_info(api->prealloc, &info), 0);
	EXPECT("state", info.state, GMEM_PREALLOC_NEW);
	api->prealloc = gmem_prealloc_unref(api->prealloc);
}

/* The inode is asked for once: not again in the attempt. */
static void identify(struct api *api)
{
	GMEM_INIT(gmem_file_info, info);

	MUST(gmem_file_get_info(api->file, &info) == 0);
}

static void identified(struct api *api)
{
	make_file(api);
	identify(api);
}

static void created(struct api *api)
{
	make_mapped_file(api);
	identify(api);
	MUST(create(api) == 0);
}

/* Placed through a mapping that libgmem makes for it. */
static int add_placed(struct api *api)
{
	static const uint64_t node0 = 1;
	GMEM_INIT(gmem_prealloc_range, range);

	range.file = api->file;
	range.size = API_SIZE;
	range.numa_mode = GMEM_NUMA_BIND;
	range.nodes = &node0;
	range.node_words = 1;
	return gmem_prealloc_add(api->prealloc, &range);
}

static void check_added(struct api *api)
{
	GMEM_INIT(gmem_prealloc_info, info);

	EXPECT("info", gmem_prealloc_get_info(api->prealloc, &info), 0);
	EXPECT("total", (int64_t)info.total, (int64_t)API_SIZE);
	EXPECT("run", gmem_prealloc_run(api->prealloc, NULL), 0);
}

static int run(struct api *api, uint32_t mode, uint32_t flags)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job = NULL;
	int ret;

	opts.mode = mode;
	opts.flags = flags;
	range.file = api->file;
	range.size = API_SIZE;
	range.node = GMEM_NODE_ANY;
	ret = gmem_prealloc_create(api->ctx, &opts, &job);
	if (ret == 0)
		ret = gmem_prealloc_add(job, &range);
	if (ret == 0)
		ret = gmem_prealloc_run(job, &api->done);
	gmem_prealloc_unref(job);
	return ret;
}

static int run_reserve(struct api *api)
{
	return run(api, GMEM_PREALLOC_RESERVE, 0);
}

static int run_undone(struct api *api)
{
	return run(api, GMEM_PREALLOC_RESERVE, GMEM_PREALLOC_UNDO);
}

static int run_ready(struct api *api)
{
	return run(api, GMEM_PREALLOC_READY, GMEM_PREALLOC_UNDO);
}

static void check_run(struct api *api)
{
	struct gt_alive alive = gt_count_alive(api->t);

	EXPECT("done", (int64_t)api->done, (int64_t)API_SIZE);
	if (api->t->sim)
		EXPECT("allocated", (int64_t)alive.allocated, (int64_t)API_SIZE);
	MUST(gmem_file_punch(api->file, 0, API_SIZE) == 0);
}

const struct api_case api_cases_prealloc[] = {
	{"layout_create", 0, 0, nothing, create_layout, check_layout},
	{"hugetlb_get_info", 0, 0, make_ctx, get_info, nothing},
	{"hugetlb_reserve", NEEDS_SIM, 0, empty_pool, reserve, check_reserved},
	{"hugetlb_release", NEEDS_SIM, 0, reserved, release, check_released},
	{"prealloc_create", 0, 0, make_ctx, create, check_created},
	{"prealloc_add_placed", NEEDS_PLACING, 0, created, add_placed, check_added},
	{"prealloc_run_reserve", NEEDS_GMEM, KEEPS_PROGRESS, identified, run_reserve, check_run},
	{"prealloc_run_undone", NEEDS_GMEM, 0, identified, run_undone, check_run},
	{"prealloc_run_ready", NEEDS_SHARED, 0, identified, run_ready, check_run},
};

const size_t api_count_prealloc = GT_COUNT(api_cases_prealloc);
