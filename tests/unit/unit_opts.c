/* SPDX-License-Identifier: MIT */
/* Public structs of other versions: shorter ones, longer ones, and ones that never had a size. */
#include "errinfo.h"
#include "gmem_test.h"
#include "opts.h"

/* Today's struct, and one of a version to come. */
struct known {
	size_t sz;
	uint64_t first;
	uint64_t second;
};

struct longer {
	struct known known;
	uint64_t third;
};

static struct known defaults(void)
{
	return (struct known){.sz = sizeof(struct known), .first = 10, .second = 20};
}

static void null_means_defaults(struct gt *t)
{
	struct known out = defaults();

	EXPECT("returned", gmi_opts_get(&out, sizeof(out), NULL), 0);
	EXPECT("first", (int64_t)out.first, 10);
	EXPECT("second", (int64_t)out.second, 20);
}

static void a_shorter_struct_keeps_defaults(struct gt *t)
{
	struct known in = {.sz = offsetof(struct known, second), .first = 1, .second = 2};
	struct known out = defaults();

	EXPECT("returned", gmi_opts_get(&out, sizeof(out), &in), 0);
	EXPECT("first", (int64_t)out.first, 1);
	EXPECT("second", (int64_t)out.second, 20);
	in.sz = sizeof(size_t);
	out = defaults();
	EXPECT("returned", gmi_opts_get(&out, sizeof(out), &in), 0);
	EXPECT("first", (int64_t)out.first, 10);
}

static void a_longer_struct_may_end_in_zeros(struct gt *t)
{
	struct longer in = {.known = {.sz = sizeof(in), .first = 1, .second = 2}};
	struct known out = defaults();

	EXPECT("returned", gmi_opts_get(&out, sizeof(out), &in), 0);
	EXPECT("second", (int64_t)out.second, 2);
	for (int bit = 0; bit < 64; bit++) {
		in.third = UINT64_C(1) << bit;
		EXPECT("returned", gmi_opts_get(&out, sizeof(out), &in), -E2BIG);
		EXPECT("argument", strcmp(gmem_errinfo()->arg, "sz"), 0);
	}
}

static void sizes_that_nobody_set(struct gt *t)
{
	struct known in = {0};
	struct known out = defaults();

	for (in.sz = 0; in.sz < sizeof(size_t); in.sz++)
		EXPECT("too small", gmi_opts_get(&out, sizeof(out), &in), -EINVAL);
	in.sz = SIZE_MAX;
	EXPECT("garbage", gmi_opts_get(&out, sizeof(out), &in), -E2BIG);
	in.sz = GMEM_PAGE_SIZE + 1;
	EXPECT("more than a page", gmi_opts_get(&out, sizeof(out), &in), -E2BIG);
	EXPECT("untouched", (int64_t)out.first, 10);
}

static void an_info_is_checked_first(struct gt *t)
{
	struct longer out = {.known = {.sz = sizeof(out)}};

	EXPECT("NULL", gmi_info_check(NULL, sizeof(struct known)), -EINVAL);
	EXPECT("longer", gmi_info_check(&out, sizeof(struct known)), 0);
	out.third = 1;
	EXPECT("longer and set", gmi_info_check(&out, sizeof(struct known)), -E2BIG);
	out.known.sz = 0;
	EXPECT("no size", gmi_info_check(&out, sizeof(struct known)), -EINVAL);
}

static void an_info_is_written_as_far_as_it_goes(struct gt *t)
{
	struct known info = {.sz = sizeof(info), .first = 1, .second = 2};
	struct longer out = {.known = {.sz = offsetof(struct known, second), .second = 20}};

	gmi_info_put(&out, &info, sizeof(info));
	EXPECT("first", (int64_t)out.known.first, 1);
	EXPECT("second", (int64_t)out.known.second, 20);
	EXPECT("size", (int64_t)out.known.sz, (int64_t)offsetof(struct known, second));
	out.known.sz = sizeof(out);
	gmi_info_put(&out, &info, sizeof(info));
	EXPECT("second", (int64_t)out.known.second, 2);
	EXPECT("third", (int64_t)out.third, 0);
	EXPECT("size", (int64_t)out.known.sz, (int64_t)sizeof(out));
}

static const struct gt_test tests[] = {
	{"null_means_defaults", null_means_defaults, .flags = GT_NO_KERNEL},
	{"a_shorter_struct_keeps_defaults", a_shorter_struct_keeps_defaults, .flags = GT_NO_KERNEL},
	{"a_longer_struct_may_end_in_zeros", a_longer_struct_may_end_in_zeros,
	 .flags = GT_NO_KERNEL},
	{"sizes_that_nobody_set", sizes_that_nobody_set, .flags = GT_NO_KERNEL},
	{"an_info_is_checked_first", an_info_is_checked_first, .flags = GT_NO_KERNEL},
	{"an_info_is_written_as_far_as_it_goes", an_info_is_written_as_far_as_it_goes,
	 .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
