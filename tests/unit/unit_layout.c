/* SPDX-License-Identifier: MIT */
/* Layouts: the known ones by their numbers, random ones by what holds for all. */
#include <libgmem/error.h>
#include <libgmem/layout.h>

#include "gmem_test.h"

#define M   (UINT64_C(1) << 20)
#define G   (UINT64_C(1) << 30)
#define ALL (GMEM_PAGE_1G | GMEM_PAGE_2M | GMEM_PAGE_SIZE)

struct expected {
	uint64_t gpa, size, offset, page_size;
	uint32_t file, node, reason;
};

static void expect_ranges(const struct gmem_layout *layout, const struct expected *expected,
			  size_t count)
{
	GMEM_INIT(gmem_layout_range, range);

	for (size_t i = 0; i < count; i++) {
		EXPECT("range", gmem_layout_get_range(layout, i, &range), 0);
		EXPECT_CASE("gpa", "range", (int64_t)range.gpa, (int64_t)expected[i].gpa);
		EXPECT_CASE("size", "range", (int64_t)range.size, (int64_t)expected[i].size);
		EXPECT_CASE("offset", "range", (int64_t)range.offset, (int64_t)expected[i].offset);
		EXPECT_CASE("page_size", "range", (int64_t)range.page_size,
			    (int64_t)expected[i].page_size);
		EXPECT_CASE("file", "range", range.file, expected[i].file);
		EXPECT_CASE("node", "range", range.node, expected[i].node);
		EXPECT_CASE("reason", "range", range.reason, expected[i].reason);
	}
	EXPECT("no more", gmem_layout_get_range(layout, count, &range), -ENOENT);
}

static struct gmem_layout *make(uint64_t size, const struct gmem_layout_opts *opts)
{
	struct gmem_layout *layout = NULL;

	MUST(gmem_layout_create(size, opts, &layout) == 0);
	return layout;
}

static void layout_plain(struct gt *t)
{
	static const struct expected expected[] = {
		{0, 4 * G, 0, GMEM_PAGE_1G, 0, GMEM_NODE_ANY, GMEM_LAYOUT_LARGEST},
	};
	GMEM_INIT(gmem_layout_opts, opts);
	GMEM_INIT(gmem_layout_file, file);
	struct gmem_layout *layout;

	opts.page_sizes = ALL;
	layout = make(4 * G, &opts);
	expect_ranges(layout, expected, GT_COUNT(expected));
	EXPECT("file", gmem_layout_get_file(layout, 0, &file), 0);
	EXPECT("file", (int64_t)file.size, 4 * (int64_t)G);
	EXPECT("file", (int64_t)file.page_size, (int64_t)GMEM_PAGE_1G);
	EXPECT("file", (int64_t)file.align, (int64_t)GMEM_PAGE_1G);
	EXPECT("no more", gmem_layout_get_file(layout, 1, &file), -ENOENT);
	EXPECT("unref", gmem_layout_unref(layout) == NULL, true);
}

/* A PC with its hole from 3.5G to 4G: half a 1G page before it is left to pages of 2M. */
static void layout_pci_hole(struct gt *t)
{
	static const struct gmem_range hole = {3584 * M, 512 * M};
	static const struct expected expected[] = {
		{0, 3 * G, 0, GMEM_PAGE_1G, 0, GMEM_NODE_ANY, GMEM_LAYOUT_LARGEST},
		{3 * G, 512 * M, 0, GMEM_PAGE_2M, 1, GMEM_NODE_ANY, GMEM_LAYOUT_HOLE},
		{4 * G, 4 * G, 3 * G, GMEM_PAGE_1G, 0, GMEM_NODE_ANY, GMEM_LAYOUT_LARGEST},
		{8 * G, 512 * M, 512 * M, GMEM_PAGE_2M, 1, GMEM_NODE_ANY, GMEM_LAYOUT_END},
	};
	GMEM_INIT(gmem_layout_opts, opts);
	struct gmem_layout *layout;

	opts.page_sizes = ALL;
	opts.holes = &hole;
	opts.hole_count = 1;
	layout = make(8 * G, &opts);
	expect_ranges(layout, expected, GT_COUNT(expected));
	gmem_layout_unref(layout);
}

/* In files of all sizes the same memory keeps its address modulo 1G, at the cost of a gap. */
static void layout_mixed(struct gt *t)
{
	static const struct gmem_range hole = {3584 * M, 512 * M};
	static const struct expected expected[] = {
		{0, 3 * G, 0, GMEM_PAGE_1G, 0, GMEM_NODE_ANY, GMEM_LAYOUT_LARGEST},
		{3 * G, 512 * M, 3 * G, GMEM_PAGE_2M, 0, GMEM_NODE_ANY, GMEM_LAYOUT_HOLE},
		{4 * G, 4 * G, 4 * G, GMEM_PAGE_1G, 0, GMEM_NODE_ANY, GMEM_LAYOUT_LARGEST},
		{8 * G, 512 * M, 8 * G, GMEM_PAGE_2M, 0, GMEM_NODE_ANY, GMEM_LAYOUT_END},
	};
	GMEM_INIT(gmem_layout_opts, opts);
	GMEM_INIT(gmem_layout_file, file);
	struct gmem_layout *layout;

	opts.page_sizes = ALL;
	opts.flags = GMEM_LAYOUT_MIXED;
	opts.holes = &hole;
	opts.hole_count = 1;
	layout = make(8 * G, &opts);
	expect_ranges(layout, expected, GT_COUNT(expected));
	EXPECT("file", gmem_layout_get_file(layout, 0, &file), 0);
	EXPECT("file", (int64_t)file.size, (int64_t)(8 * G + 512 * M));
	EXPECT("file", (int64_t)file.used, (int64_t)(8 * G));
	EXPECT("file", (int64_t)file.page_size, (int64_t)GMEM_PAGE_SIZE);
	EXPECT("file", (int64_t)file.align, (int64_t)GMEM_PAGE_1G);
	gmem_layout_unref(layout);
}

static void layout_nodes(struct gt *t)
{
	static const struct gmem_layout_node nodes[] = {
		{3 * G / 2, 0, 0}, {G / 2, 1, 0}, {2 * G, 1, 0}};
	static const struct expected expected[] = {
		{0, G, 0, GMEM_PAGE_1G, 0, 0, GMEM_LAYOUT_LARGEST},
		{G, G / 2, 0, GMEM_PAGE_2M, 1, 0, GMEM_LAYOUT_NODE},
		{3 * G / 2, G / 2, 0, GMEM_PAGE_2M, 2, 1, GMEM_LAYOUT_NODE},
		{2 * G, 2 * G, 0, GMEM_PAGE_1G, 3, 1, GMEM_LAYOUT_LARGEST},
	};
	GMEM_INIT(gmem_layout_opts, opts);
	struct gmem_layout *layout;

	opts.page_sizes = ALL;
	opts.nodes = nodes;
	opts.node_count = GT_COUNT(nodes);
	layout = make(4 * G, &opts);
	expect_ranges(layout, expected, GT_COUNT(expected));
	gmem_layout_unref(layout);
}

static int try(uint64_t size, const struct gmem_layout_opts *opts)
{
	struct gmem_layout *layout = NULL;
	int ret = gmem_layout_create(size, opts, &layout);

	EXPECT("nothing comes out of a failure", ret == 0, layout != NULL);
	gmem_layout_unref(layout);
	return ret;
}

static void layout_refusals(struct gt *t)
{
	struct gmem_range holes[] = {{G, G}, {G, G}};
	struct gmem_layout_node nodes[] = {{G, 0, 0}, {G, 1, 0}};
	GMEM_INIT(gmem_layout_opts, opts);

	EXPECT("no opts", try(G, NULL), -EINVAL);
	EXPECT("no sizes", try(G, &opts), -EINVAL);
	opts.page_sizes = ALL | 1;
	EXPECT("unknown size", try(G, &opts), -EINVAL);
	opts.page_sizes = ALL;
	EXPECT("empty", try(0, &opts), -EINVAL);
	EXPECT("unaligned", try(G + 1, &opts), -EINVAL);
	opts.flags = 2;
	EXPECT("unknown flag", try(G, &opts), -EINVAL);
	opts.flags = 0;
	opts.hole_count = 2;
	EXPECT("holes missing", try(G, &opts), -EINVAL);
	opts.holes = holes;
	EXPECT("holes overlap", try(G, &opts), -EINVAL);
	holes[1].start = 2 * G + 1;
	EXPECT("hole unaligned", try(G, &opts), -EINVAL);
	holes[1] = (struct gmem_range){2 * G, -(uint64_t)(3 * G)};
	EXPECT("no room above the holes", try(4 * G, &opts), -EINVAL);
	opts.hole_count = 0;
	opts.node_count = 2;
	EXPECT("nodes missing", try(2 * G, &opts), -EINVAL);
	opts.nodes = nodes;
	EXPECT("nodes do not add up", try(G, &opts), -EINVAL);
	EXPECT("nodes do", try(2 * G, &opts), 0);
	nodes[0].size = 0;
	EXPECT("node empty", try(G, &opts), -EINVAL);
}

/* The order of fall-back is the caller's: what does not fit is refused, with the place. */
static void layout_not_allowed(struct gt *t)
{
	static const struct gmem_range hole = {3584 * M, 512 * M};
	GMEM_INIT(gmem_layout_opts, opts);

	opts.page_sizes = GMEM_PAGE_1G;
	EXPECT("whole pages", try(8 * G, &opts), 0);
	opts.holes = &hole;
	opts.hole_count = 1;
	EXPECT("half a page", try(8 * G, &opts), -EINVAL);
	EXPECT("where", (int64_t)gmem_errinfo()->gpa, (int64_t)(3 * G));
	EXPECT("how much", (int64_t)gmem_errinfo()->size, (int64_t)(512 * M));
	EXPECT("which argument", strcmp(gmem_errinfo()->arg, "page_sizes"), 0);
	EXPECT("why", strstr(gmem_errinfo()->message, "hole") != NULL, true);
	opts.page_sizes |= GMEM_PAGE_2M;
	EXPECT("two sizes", try(8 * G, &opts), 0);
	EXPECT("a page too much", try(8 * G + 4096, &opts), -EINVAL);
	opts.page_sizes = GMEM_PAGE_1G | GMEM_PAGE_SIZE;
	EXPECT("2M left out", try(8 * G + 4096, &opts), 0);
}

/* xorshift: the same numbers on every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A size that is often round. */
static uint64_t random_size(uint64_t *state)
{
	static const uint64_t units[] = {4096, 2 * M, 512 * M, G};

	return (next_random(state) % 6 + 1) * units[next_random(state) % GT_COUNT(units)];
}

struct random_layout {
	struct gmem_layout_opts opts;
	struct gmem_range holes[4];
	struct gmem_layout_node nodes[3];
	uint64_t size;
};

static void make_random(struct random_layout *random, uint64_t *state)
{
	uint64_t gpa = 0;

	*random = (struct random_layout){.opts = {.sz = sizeof(random->opts)}};
	random->opts.page_sizes = next_random(state) & (GMEM_PAGE_1G | GMEM_PAGE_2M);
	random->opts.page_sizes |= GMEM_PAGE_SIZE;
	random->opts.flags = next_random(state) & GMEM_LAYOUT_MIXED;
	random->opts.hole_count = next_random(state) % 5;
	for (size_t i = 0; i < random->opts.hole_count; i++) {
		gpa += i && next_random(state) % 4 ? random_size(state) : 0;
		random->holes[i] = (struct gmem_range){gpa, random_size(state)};
		gpa += random->holes[i].size;
	}
	random->opts.node_count = next_random(state) % 4;
	for (size_t i = 0; i < random->opts.node_count; i++) {
		random->nodes[i].node = (uint32_t)(next_random(state) % 2);
		random->nodes[i].size = random_size(state);
		random->size += random->nodes[i].size;
	}
	if (!random->opts.node_count)
		random->size = random_size(state);
	random->opts.holes = random->holes;
	random->opts.nodes = random->nodes;
}

static bool is_in_hole(const struct random_layout *random, uint64_t gpa, uint64_t size)
{
	for (size_t i = 0; i < random->opts.hole_count; i++)
		if (gpa < random->holes[i].start + random->holes[i].size &&
		    random->holes[i].start < gpa + size)
			return true;
	return false;
}

/* The node of the byte that is the @position-th of the memory. */
static uint32_t node_at(const struct random_layout *random, uint64_t position)
{
	for (size_t i = 0; i < random->opts.node_count; i++) {
		if (position < random->nodes[i].size)
			return random->nodes[i].node;
		position -= random->nodes[i].size;
	}
	return GMEM_NODE_ANY;
}

/* Whether a page of @size around @gpa would be memory of one node from end to end. */
static bool would_fit(const struct random_layout *random, uint64_t gpa, uint64_t position,
		      uint64_t size)
{
	uint64_t start = gpa & ~(size - 1), before = gpa - start;
	uint64_t first, last, sum = 0;

	if (position < before || position - before + size > random->size ||
	    is_in_hole(random, start, size))
		return false;
	first = position - before;
	last = first + size - 1;
	if (node_at(random, first) != node_at(random, last))
		return false;
	for (size_t i = 0; i < random->opts.node_count; i++) {
		sum += random->nodes[i].size;
		if (sum > first && sum <= last && node_at(random, sum) != node_at(random, first))
			return false;
	}
	return true;
}

static void expect_range(const struct random_layout *random, const struct gmem_layout_range *range,
			 uint64_t position)
{
	static const uint64_t sizes[] = {GMEM_PAGE_1G, GMEM_PAGE_2M};

	EXPECT("allowed", (random->opts.page_sizes & range->page_size) != 0, true);
	EXPECT("whole pages", (int64_t)(range->size % range->page_size), 0);
	EXPECT("gpa", (int64_t)(range->gpa % range->page_size), 0);
	EXPECT("congruent", (int64_t)((range->gpa - range->offset) % range->page_size), 0);
	EXPECT("not in a hole", is_in_hole(random, range->gpa, range->size), false);
	EXPECT("node", range->node, node_at(random, position));
	EXPECT("a reason where it is not the largest", range->reason == GMEM_LAYOUT_LARGEST,
	       range->page_size >= random->opts.page_sizes / 2);
	for (size_t i = 0; i < GT_COUNT(sizes); i++)
		if (sizes[i] > range->page_size && sizes[i] & random->opts.page_sizes)
			EXPECT("no larger page fits",
			       would_fit(random, range->gpa, position, sizes[i]) ||
				       would_fit(random, range->gpa + range->size - 1,
						 position + range->size - 1, sizes[i]),
			       false);
}

static void expect_layout(const struct random_layout *random, const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_range, range);
	GMEM_INIT(gmem_layout_file, file);
	uint64_t position = 0, gpa = 0, ends[16] = {0}, used[16] = {0};

	for (size_t i = 0; gmem_layout_get_range(layout, i, &range) == 0; i++) {
		MUST(range.file < GT_COUNT(ends));
		EXPECT("ascending", range.gpa >= gpa, true);
		EXPECT("apart in the file", range.offset >= ends[range.file], true);
		gpa = range.gpa + range.size;
		ends[range.file] = range.offset + range.size;
		used[range.file] += range.size;
		expect_range(random, &range, position);
		position += range.size;
		MUST(gmem_layout_get_file(layout, range.file, &file) == 0);
		EXPECT("file's node", file.node, range.node);
		EXPECT("file's alignment", file.align >= range.page_size, true);
		if (!(random->opts.flags & GMEM_LAYOUT_MIXED))
			EXPECT("file's pages", (int64_t)file.page_size, (int64_t)range.page_size);
	}
	EXPECT("all of the memory", (int64_t)position, (int64_t)random->size);
	for (size_t i = 0; gmem_layout_get_file(layout, i, &file) == 0; i++) {
		EXPECT("file's size", (int64_t)file.size, (int64_t)ends[i]);
		EXPECT("file's use", (int64_t)file.used, (int64_t)used[i]);
	}
}

static void layout_random(struct gt *t)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	struct random_layout random;
	struct gmem_layout *layout;

	for (int i = 0; i < 4000; i++) {
		make_random(&random, &state);
		layout = make(random.size, &random.opts);
		expect_layout(&random, layout);
		gmem_layout_unref(layout);
	}
}

static const struct gt_test tests[] = {
	{"layout_plain", layout_plain, .flags = GT_NO_KERNEL},
	{"layout_pci_hole", layout_pci_hole, .flags = GT_NO_KERNEL},
	{"layout_mixed", layout_mixed, .flags = GT_NO_KERNEL},
	{"layout_nodes", layout_nodes, .flags = GT_NO_KERNEL},
	{"layout_refusals", layout_refusals, .flags = GT_NO_KERNEL},
	{"layout_not_allowed", layout_not_allowed, .flags = GT_NO_KERNEL},
	{"layout_random", layout_random, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
