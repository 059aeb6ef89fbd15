/* SPDX-License-Identifier: MIT */
/* The range checker, at its edges. */
#include "gmem_test.h"
#include "range.h"

#define TOP  UINT64_MAX
#define PAGE GMEM_PAGE_SIZE

static void range_end(struct gt *t)
{
	uint64_t end = 7;

	EXPECT("end", gmi_range_end(4096, 4096, &end), true);
	EXPECT("end", (int64_t)end, 8192);
	EXPECT("end of the last byte but one", gmi_range_end(TOP - 1, 1, &end), true);
	EXPECT("end of exactly 2^64", gmi_range_end(TOP, 1, &end), false);
	EXPECT("end of exactly 2^64", gmi_range_end(UINT64_C(1) << 63, UINT64_C(1) << 63, &end),
	       false);
	EXPECT("wrapping", gmi_range_end(TOP, TOP, &end), false);
	EXPECT("valid", gmi_range_is_valid(0, 1), true);
	EXPECT("empty", gmi_range_is_valid(5, 0), false);
	EXPECT("wrapping", gmi_range_is_valid(TOP, 1), false);
}

static void range_align(struct gt *t)
{
	uint64_t value = 0;

	EXPECT("aligned", gmi_is_aligned(0, PAGE), true);
	EXPECT("aligned", gmi_is_aligned(PAGE + 1, PAGE), false);
	EXPECT("down", (int64_t)gmi_align_down(PAGE - 1, PAGE), 0);
	EXPECT("down", (int64_t)gmi_align_down(3 * PAGE, 2 * PAGE), 2 * (int64_t)PAGE);
	EXPECT("up", gmi_align_up(1, PAGE, &value), true);
	EXPECT("up", (int64_t)value, (int64_t)PAGE);
	EXPECT("up, aligned", gmi_align_up(PAGE, PAGE, &value), true);
	EXPECT("up, aligned", (int64_t)value, (int64_t)PAGE);
	EXPECT("up, zero", gmi_align_up(0, PAGE, &value), true);
	EXPECT("up, zero", (int64_t)value, 0);
	EXPECT("up, wrapping", gmi_align_up(TOP - PAGE + 2, PAGE, &value), false);
}

static void range_paged(struct gt *t)
{
	unsigned int i;

	EXPECT("paged", gmi_range_is_paged(0, PAGE), true);
	EXPECT("empty", gmi_range_is_paged(0, 0), false);
	for (i = 0; i < 12; i++) {
		EXPECT("start", gmi_range_is_paged(UINT64_C(1) << i, PAGE), false);
		EXPECT("size", gmi_range_is_paged(0, UINT64_C(1) << i), false);
	}
	EXPECT("end of exactly 2^64", gmi_range_is_paged(TOP - PAGE + 1, PAGE), false);
}

static void range_within(struct gt *t)
{
	EXPECT("within", gmi_range_is_within(0, 10, 10), true);
	EXPECT("within", gmi_range_is_within(1, 10, 10), false);
	EXPECT("within", gmi_range_is_within(10, 0, 10), true);
	EXPECT("wrapping", gmi_range_is_within(TOP, 2, TOP), false);
	EXPECT("signed", gmi_range_is_within(UINT64_C(1) << 63, PAGE, PAGE), false);
}

static void range_pairs(struct gt *t)
{
	static const struct {
		struct gmem_range a, b;
		bool overlaps, contains;
		struct gmem_range shared;
	} pairs[] = {
		{{0, 10}, {10, 10}, false, false, {0, 0}},
		{{0, 10}, {9, 10}, true, false, {9, 1}},
		{{0, 10}, {0, 10}, true, true, {0, 10}},
		{{0, 10}, {3, 4}, true, true, {3, 4}},
		{{3, 4}, {0, 10}, true, false, {3, 4}},
		{{20, 5}, {0, 20}, false, false, {0, 0}},
		{{0, TOP}, {TOP - 1, 1}, true, true, {TOP - 1, 1}},
	};
	struct gmem_range shared;
	size_t i;

	for (i = 0; i < GT_COUNT(pairs); i++) {
		EXPECT("overlaps", gmi_range_overlaps(pairs[i].a, pairs[i].b), pairs[i].overlaps);
		EXPECT("overlaps", gmi_range_overlaps(pairs[i].b, pairs[i].a), pairs[i].overlaps);
		EXPECT("contains", gmi_range_contains(pairs[i].a, pairs[i].b), pairs[i].contains);
		shared = gmi_range_intersect(pairs[i].a, pairs[i].b);
		EXPECT("shared size", (int64_t)shared.size, (int64_t)pairs[i].shared.size);
		if (shared.size)
			EXPECT("shared start", (int64_t)shared.start,
			       (int64_t)pairs[i].shared.start);
	}
}

static const struct gt_test tests[] = {
	{"range_end", range_end, .flags = GT_NO_KERNEL},
	{"range_align", range_align, .flags = GT_NO_KERNEL},
	{"range_paged", range_paged, .flags = GT_NO_KERNEL},
	{"range_within", range_within, .flags = GT_NO_KERNEL},
	{"range_pairs", range_pairs, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
