/* SPDX-License-Identifier: MIT */
/* Huge pages in guest_memfd, in the two generations that were posted, and how others are refused. */
#include <fcntl.h>

#include "pa.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

#define P GMEM_PAGE_2M

static uint64_t generation_of(const struct gt *t)
{
	if (t->profile && strcmp(t->profile, "rfc-hugetlb-2025") == 0)
		return GMEM_RFC_HUGETLB_2025;
	if (t->profile && strcmp(t->profile, "rfc-hugetlb-wip") == 0)
		return GMEM_RFC_HUGETLB_WIP;
	return 0;
}

static void open_huge(struct pa *pa, const struct gt *t)
{
	const struct pa_machine machine = {.nodes = 2, .rfc = generation_of(t)};

	REQUIRE(machine.rfc, "this kernel has no files of huge pages");
	pa_open(pa, t, &machine);
	pa_set_pool(pa, GMEM_PAGE_2M, 0, 8 * GMEM_PAGE_2M, 0);
	pa_set_pool(pa, GMEM_PAGE_2M, 1, 8 * GMEM_PAGE_2M, 0);
	pa_set_pool(pa, GMEM_PAGE_1G, 0, 2 * GMEM_PAGE_1G, 0);
}

static int create(struct pa *pa, uint64_t size, uint64_t page_size, uint64_t flags,
		  struct gmem_file **ret_file)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = flags;
	opts.page_size = page_size;
	return gmem_file_create(pa->vm, size, &opts, ret_file);
}

static struct gmem_sim_stats stats_of(struct pa *pa)
{
	GMEM_INIT(gmem_sim_stats, stats);

	MUST(gmem_sim_get_stats(pa->sim, &stats) == 0);
	return stats;
}

/* All pages are promised when the file is made, and given back with it. */
static void promised_at_creation(struct gt *t)
{
	GMEM_INIT(gmem_file_info, info);
	struct gmem_file *file = NULL;
	struct pa pa;

	open_huge(&pa, t);
	EXPECT("feature", gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_HUGETLB), 1);
	EXPECT("create", create(&pa, 6 * P, P, 0, &file), 0);
	EXPECT("info", gmem_file_get_info(file, &info), 0);
	EXPECT("pages", (int64_t)info.block_size, (int64_t)P);
	EXPECT("close-on-exec", fcntl(gmem_file_fd(file), F_GETFD), FD_CLOEXEC);
	EXPECT("promised", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).reserved, 6 * (int64_t)P);
	EXPECT("still free", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).free, 16 * (int64_t)P);
	EXPECT("populate", gmem_file_populate(file, 0, 3 * P, NULL), 0);
	EXPECT("half promised", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).reserved, 3 * (int64_t)P);
	EXPECT("half used", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).free, 13 * (int64_t)P);
	gmem_file_unref(file);
	EXPECT("given back", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).available, 16 * (int64_t)P);
	EXPECT("a gigabyte", create(&pa, GMEM_PAGE_1G, GMEM_PAGE_1G, 0, &file), 0);
	EXPECT("promised", (int64_t)pa_pool(&pa, GMEM_PAGE_1G, 0).reserved, (int64_t)GMEM_PAGE_1G);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Fails at once, with the pool's numbers; surplus is not used. */
static void too_large(struct gt *t)
{
	struct gmem_file *file = NULL;
	struct pa pa;

	open_huge(&pa, t);
	EXPECT("one page too many", create(&pa, 17 * P, P, 0, &file), -ENOMEM);
	EXPECT("says the pool", pa_says("32M free"), true);
	EXPECT("size", (int64_t)gmem_errinfo()->size, 17 * (int64_t)P);
	EXPECT("nothing promised", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).reserved, 0);
	EXPECT("half a page", create(&pa, P / 2, P, 0, &file), -EINVAL);
	EXPECT("odd size", create(&pa, P, 3 * 4096, 0, &file), -EINVAL);
	EXPECT("no such pool", create(&pa, 64 * 4096, 16 * 4096, 0, &file), -EOPNOTSUPP);
	EXPECT("none", file == NULL, true);
	pa_close(&pa);
}

static void cgroup_limit(struct gt *t)
{
	GMEM_INIT(gmem_sim_pool, pool);
	struct gmem_file *file = NULL, *other = NULL;
	struct pa pa;

	open_huge(&pa, t);
	pool.page_size = P;
	pool.total = 8 * P;
	pool.cgroup_limit = 5 * P;
	MUST(gmem_sim_set_pool(pa.sim, &pool) == 0);
	EXPECT("within", create(&pa, 3 * P, P, 0, &file), 0);
	EXPECT("room", (int64_t)pa_pool(&pa, P, 0).cgroup_room, 2 * (int64_t)P);
	EXPECT("beyond", create(&pa, 3 * P, P, 0, &other), -ENOMEM);
	EXPECT("none", other == NULL, true);
	gmem_file_unref(file);
	EXPECT("room again", (int64_t)pa_pool(&pa, P, 0).cgroup_room, 5 * (int64_t)P);
	pa_close(&pa);
}

/* The promise stays with the file; a part of a page is not freed. */
static void punch(struct gt *t)
{
	struct gmem_file *file = NULL;
	struct pa pa;

	open_huge(&pa, t);
	MUST(create(&pa, 4 * P, P, 0, &file) == 0);
	MUST(gmem_file_populate(file, 0, 4 * P, NULL) == 0);
	EXPECT("a part", gmem_file_punch(file, 4096, P), 0);
	EXPECT("all are there", (int64_t)stats_of(&pa).huge, 4 * (int64_t)P);
	EXPECT("one and two parts", gmem_file_punch(file, P - 4096, P + 8192), 0);
	EXPECT("one is gone", (int64_t)stats_of(&pa).huge, 3 * (int64_t)P);
	EXPECT("and promised", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).reserved, (int64_t)P);
	gmem_file_unref(file);
	pa_close(&pa);
}

static int convert(struct pa *pa, struct gmem_file *file, uint64_t offset, uint64_t size,
		   bool private)
{
	struct gmi_next_memory_attributes2 next = {
		.offset = offset,
		.size = size,
		.attributes = private ? GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	struct gmi_rfc_huge2_convert rfc = {.offset = offset, .size = size};
	uint64_t request = private ? GMI_RFC_HUGE2_CONVERT_PRIVATE : GMI_RFC_HUGE2_CONVERT_SHARED;

	if (generation_of(pa->t) == GMEM_RFC_HUGETLB_WIP)
		return pa->ops->ioctl(pa->user, gmem_file_fd(file), GMI_NEXT_SET_MEMORY_ATTRIBUTES2,
				      &next);
	return pa->ops->ioctl(pa->user, gmem_file_fd(file), request, &rfc);
}

/* One shared page splits the huge page that it is in; the last one that turns private merges it. */
static void split_and_merge(struct gt *t)
{
	struct gmem_file *file = NULL;
	struct pa pa;

	open_huge(&pa, t);
	gmem_vm_unref(pa.vm);
	MUST(gmem_vm_create(pa.ctx, GMEM_VM_SW_PROTECTED, NULL, &pa.vm) == 0);
	EXPECT("create", create(&pa, 4 * P, P, GMEM_FILE_MMAP, &file), 0);
	MUST(gmem_file_populate(file, 0, 4 * P, NULL) == 0);
	EXPECT("whole", (int64_t)stats_of(&pa).split, 0);
	EXPECT("share", convert(&pa, file, P + 4096, 4096, false), 0);
	EXPECT("one is split", (int64_t)stats_of(&pa).split, (int64_t)P);
	EXPECT("share", convert(&pa, file, 2 * P, P, false), 0);
	EXPECT("two are split", (int64_t)stats_of(&pa).split, 2 * (int64_t)P);
	EXPECT("unshare", convert(&pa, file, P, P, true), 0);
	EXPECT("one is merged", (int64_t)stats_of(&pa).split, (int64_t)P);
	EXPECT("unshare", convert(&pa, file, 0, 4 * P, true), 0);
	EXPECT("whole again", (int64_t)stats_of(&pa).split, 0);
	gmem_file_unref(file);
	EXPECT("given back", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).available, 16 * (int64_t)P);
	pa_close(&pa);
}

static void preallocated(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_prealloc *job;
	struct gmem_file *file = NULL;
	uint64_t done = 0;
	struct pa pa;

	open_huge(&pa, t);
	MUST(create(&pa, 12 * P, P, 0, &file) == 0);
	opts.workers = 3;
	job = pa_job(&pa, &opts);
	EXPECT("half a page", pa_add(job, file, P / 2, NULL), -EINVAL);
	EXPECT("add", pa_add(job, file, 12 * P, NULL), 0);
	EXPECT("run", gmem_prealloc_run(job, &done), 0);
	EXPECT("all", (int64_t)done, 12 * (int64_t)P);
	EXPECT("all", (int64_t)stats_of(&pa).huge, 12 * (int64_t)P);
	gmem_prealloc_unref(job);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Empty pools tell nothing about the kernel: the question is asked again when there are pages. */
static void unknown_until_there_are_pages(struct gt *t)
{
	const struct pa_machine machine = {.rfc = generation_of(t)};
	struct gmem_file *file = NULL;
	struct pa pa;

	REQUIRE(machine.rfc, "this kernel has no files of huge pages");
	pa_open(&pa, t, &machine);
	EXPECT("unknown", gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_HUGETLB), -ENOSPC);
	EXPECT("refused", create(&pa, P, P, 0, &file), -ENOSPC);
	pa_set_pool(&pa, GMEM_PAGE_1G, 0, GMEM_PAGE_1G, 0);
	EXPECT("yes", gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_HUGETLB), 1);
	EXPECT("made", create(&pa, GMEM_PAGE_1G, GMEM_PAGE_1G, 0, &file), 0);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Without the caller's word for a generation nothing of it is tried, on its own kernel neither. */
static void not_named(struct gt *t)
{
	const struct pa_machine machine = {0};
	struct gmem_file *file = NULL;
	struct pa pa;

	if (generation_of(t) == GMEM_RFC_HUGETLB_2025)
		REQUIRE(false, "a kernel that libgmem takes no file of, unless it is named");
	pa_open(&pa, t, &machine);
	EXPECT("feature", gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_HUGETLB), 0);
	EXPECT("refused", create(&pa, P, P, 0, &file), -EOPNOTSUPP);
	EXPECT("names the feature", gmem_errinfo()->feature, GMEM_FEATURE_HUGETLB);
	EXPECT("the kernel's own size", create(&pa, P, 4096, 0, &file), 0);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* A generation that is named on a kernel that does not have it is refused, and harms nothing. */
static void named_in_vain(struct gt *t)
{
	static const uint64_t generations[] = {GMEM_RFC_HUGETLB_2025, GMEM_RFC_HUGETLB_WIP};
	struct gmem_file *file = NULL;
	struct pa pa;

	for (size_t i = 0; i < GT_COUNT(generations); i++) {
		struct pa_machine machine = {.rfc = generations[i]};

		if (generation_of(t) == generations[i])
			continue;
		if (generation_of(t) == GMEM_RFC_HUGETLB_2025)
			continue;
		pa_open(&pa, t, &machine);
		if (pa.sim)
			pa_set_pool(&pa, P, 0, 4 * P, 0);
		EXPECT("feature", gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_HUGETLB), 0);
		EXPECT("refused", create(&pa, P, P, 0, &file), -EOPNOTSUPP);
		EXPECT("none", file == NULL, true);
		pa_close(&pa);
	}
}

static int make_ctx(uint64_t rfc, uint64_t flag, uint32_t offset)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;
	int ret;

	opts.rfc = rfc;
	opts.hugetlb_flag = flag;
	opts.hugetlb_order_offset = offset;
	opts.kvm_path = "/nonexistent";
	ret = gmem_ctx_create(&opts, &ctx);
	EXPECT("none", ctx == NULL, true);
	return ret;
}

/* What is wrong is refused before the device is opened, which is not there. */
static void choices(struct gt *t)
{
	const uint64_t wip = GMEM_RFC_HUGETLB_WIP;

	EXPECT("whole", make_ctx(wip, 4, 16), -ENOENT);
	EXPECT("whole", make_ctx(GMEM_RFC_HUGETLB_2025, 0, 0), -ENOENT);
	EXPECT("both", make_ctx(wip | GMEM_RFC_HUGETLB_2025, 4, 16), -EINVAL);
	EXPECT("no flag", make_ctx(wip, 0, 16), -EINVAL);
	EXPECT("two flags", make_ctx(wip, 12, 16), -EINVAL);
	EXPECT("a merged flag", make_ctx(wip, 1, 16), -EINVAL);
	EXPECT("a merged flag", make_ctx(wip, 2, 16), -EINVAL);
	EXPECT("no offset", make_ctx(wip, 4, 0), -EINVAL);
	EXPECT("over the flags", make_ctx(wip, 4, 15), -EINVAL);
	EXPECT("beyond the struct", make_ctx(wip, 4, 64), -EINVAL);
	EXPECT("flag without the name", make_ctx(0, 4, 0), -EINVAL);
	EXPECT("offset without the name", make_ctx(GMEM_RFC_HUGETLB_2025, 0, 16), -EINVAL);
}

static const struct gt_test tests[] = {
	GT_TEST(promised_at_creation),
	GT_TEST(too_large),
	GT_TEST(cgroup_limit),
	GT_TEST(punch),
	GT_TEST(split_and_merge),
	GT_TEST(preallocated),
	GT_TEST(unknown_until_there_are_pages),
	GT_TEST(not_named),
	GT_TEST(named_in_vain),
	{"choices", choices, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
