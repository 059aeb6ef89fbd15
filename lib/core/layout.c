/* SPDX-License-Identifier: MIT */
/* Arranges guest memory in files and offsets such that large pages fit. */
#include <libgmem/layout.h>

#include <errno.h>

#include "alloc.h"
#include "errinfo.h"
#include "hosttext.h"
#include "opts.h"
#include "range.h"

/* From large to small. */
static const uint64_t page_sizes[] = {GMEM_PAGE_1G, GMEM_PAGE_2M, GMEM_PAGE_SIZE};

#define LEVELS (sizeof(page_sizes) / sizeof(page_sizes[0]))

/* A run of memory falls into one part of the largest pages and two of each smaller size at most. */
#define PARTS_MAX (2 * LEVELS - 1)

struct gmem_layout {
	struct gmem_allocator allocator;
	struct gmem_layout_range *ranges;
	size_t range_count;
	struct gmem_layout_file *files;
	size_t file_count;
};

/* Memory of one node without a hole in it, and what is at its ends. */
struct run {
	struct gmem_range gpa;
	uint64_t offset; /* of its first byte, with GMEM_LAYOUT_MIXED */
	uint32_t node;
	uint32_t start_reason;
	uint32_t end_reason;
};

/* Where the walk through holes and nodes is. */
struct walk {
	const struct gmem_layout_opts *opts;
	uint64_t gpa;
	uint64_t left; /* memory not yet placed */
	size_t hole;   /* the next one */
	size_t node;   /* the one that is being placed */
	uint64_t node_left;
	uint32_t reason; /* what ended the last run */
};

static int check_holes(const struct gmem_layout_opts *opts)
{
	uint64_t above = 0;

	if (opts->hole_count && !opts->holes)
		return gmi_error_arg("holes", "a NULL pointer");
	for (size_t i = 0; i < opts->hole_count; i++) {
		const struct gmem_range *hole = &opts->holes[i];

		if (!gmi_range_is_paged(hole->start, hole->size)) {
			gmi_error_arg("holes", "hole %zu is empty or not made of pages", i);
			return gmi_at_gpa(hole->start, hole->size);
		}
		if (hole->start < above) {
			gmi_error_arg("holes", "hole %zu lies below the end of the one before", i);
			return gmi_at_gpa(hole->start, hole->size);
		}
		gmi_range_end(hole->start, hole->size, &above);
	}
	return 0;
}

static int check_nodes(const struct gmem_layout_opts *opts, uint64_t size)
{
	uint64_t sum = 0;

	if (opts->node_count && !opts->nodes)
		return gmi_error_arg("nodes", "a NULL pointer");
	for (size_t i = 0; i < opts->node_count; i++)
		if (!gmi_range_is_paged(0, opts->nodes[i].size) ||
		    !gmi_range_end(sum, opts->nodes[i].size, &sum))
			return gmi_error_arg("nodes",
					     "node entry %zu is empty or not made of pages", i);
	if (opts->node_count && sum != size)
		return gmi_error_arg("nodes", "the nodes have %#llx bytes, the memory %#llx",
				     (unsigned long long)sum, (unsigned long long)size);
	return 0;
}

static int check_page_sizes(const struct gmem_layout_opts *opts)
{
	uint64_t unknown = opts->page_sizes;

	for (size_t i = 0; i < LEVELS; i++)
		unknown &= ~page_sizes[i];
	if (!opts->page_sizes || unknown)
		return gmi_error_arg("page_sizes",
				     "%#llx is not made of GMEM_PAGE_1G, GMEM_PAGE_2M "
				     "and GMEM_PAGE_SIZE",
				     (unsigned long long)opts->page_sizes);
	if (opts->flags & ~GMEM_LAYOUT_MIXED)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags);
	return 0;
}

static int check(uint64_t size, const struct gmem_layout_opts *opts)
{
	int ret = 0;

	if (!gmi_range_is_paged(0, size))
		ret = gmi_error_arg("size", "%#llx is 0 or not a multiple of 4096",
				    (unsigned long long)size);
	if (!ret)
		ret = check_page_sizes(opts);
	if (!ret)
		ret = check_holes(opts);
	if (!ret)
		ret = check_nodes(opts, size);
	return ret;
}

/* How much the run of entries that name one node has. */
static void begin_node(struct walk *walk, uint64_t size)
{
	const struct gmem_layout_node *nodes = walk->opts->nodes;
	size_t count = walk->opts->node_count;

	if (!count)
		walk->node_left = size;
	for (size_t i = walk->node; i < count && nodes[i].node == nodes[walk->node].node; i++)
		walk->node_left += nodes[i].size;
}

static void end_node(struct walk *walk)
{
	const struct gmem_layout_node *nodes = walk->opts->nodes;
	size_t first = walk->node;

	while (walk->node < walk->opts->node_count && nodes[walk->node].node == nodes[first].node)
		walk->node++;
	begin_node(walk, 0);
}

static void skip_holes(struct walk *walk)
{
	const struct gmem_layout_opts *opts = walk->opts;

	for (; walk->hole < opts->hole_count; walk->hole++) {
		const struct gmem_range *hole = &opts->holes[walk->hole];

		if (hole->start != walk->gpa)
			return;
		gmi_range_end(hole->start, hole->size, &walk->gpa);
		walk->reason = GMEM_LAYOUT_HOLE;
	}
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next run of memory; false where the guest addresses do not suffice. */
static bool next_run(struct walk *walk, struct run *ret_run)
{
	const struct gmem_layout_opts *opts = walk->opts;
	uint64_t room = UINT64_MAX, end;

	skip_holes(walk);
	if (walk->hole < opts->hole_count)
		room = opts->holes[walk->hole].start - walk->gpa;
	*ret_run = (struct run){
		.gpa = {walk->gpa, smaller(smaller(walk->left, walk->node_left), room)},
		.node = opts->node_count ? opts->nodes[walk->node].node : GMEM_NODE_ANY,
		.start_reason = walk->reason,
	};
	if (!gmi_range_end(walk->gpa, ret_run->gpa.size, &end))
		return false;
	walk->gpa = end;
	walk->left -= ret_run->gpa.size;
	walk->node_left -= ret_run->gpa.size;
	walk->reason = GMEM_LAYOUT_NODE;
	if (ret_run->gpa.size == room)
		walk->reason = GMEM_LAYOUT_HOLE;
	else if (!walk->left)
		walk->reason = GMEM_LAYOUT_END;
	ret_run->end_reason = walk->reason;
	if (!walk->node_left)
		end_node(walk);
	return true;
}

/* The pages of @size inside a run; empty where not one fits. */
static struct gmem_range core(struct gmem_range gpa, uint64_t size)
{
	struct gmem_range none = {gpa.start, 0};
	uint64_t start, end;

	if (!gmi_range_end(gpa.start, gpa.size, &end) || !gmi_align_up(gpa.start, size, &start))
		return none;
	end = gmi_align_down(end, size);
	return end > start ? (struct gmem_range){start, end - start} : none;
}

static struct gmem_layout_file *find_file(struct gmem_layout *layout, uint32_t node,
					  uint64_t page_size)
{
	struct gmem_layout_file *file = layout->files;

	while (file < layout->files + layout->file_count &&
	       (file->node != node || file->page_size != page_size))
		file++;
	if (file == layout->files + layout->file_count) {
		file->node = node;
		file->page_size = page_size;
		file->align = page_size;
		layout->file_count++;
	}
	return file;
}

/* What is in the way of the next larger size: where the run begins, if not aligned, else where it
 * ends. */
static uint32_t find_reason(const struct run *run, uint64_t page_size, uint64_t allowed)
{
	for (size_t i = LEVELS; i-- > 0;)
		if (page_sizes[i] > page_size && page_sizes[i] & allowed)
			return gmi_is_aligned(run->gpa.start, page_sizes[i]) ? run->end_reason
									     : run->start_reason;
	return GMEM_LAYOUT_LARGEST;
}

static void place(struct gmem_layout *layout, const struct gmem_layout_opts *opts,
		  const struct run *run, struct gmem_range part, uint64_t page_size)
{
	bool is_mixed = opts->flags & GMEM_LAYOUT_MIXED;
	struct gmem_layout_file *file =
		find_file(layout, run->node, is_mixed ? GMEM_PAGE_SIZE : page_size);
	uint64_t offset = is_mixed ? run->offset + (part.start - run->gpa.start) : file->size;

	layout->ranges[layout->range_count++] = (struct gmem_layout_range){
		.gpa = part.start,
		.size = part.size,
		.offset = offset,
		.page_size = page_size,
		.file = (uint32_t)(file - layout->files),
		.node = run->node,
		.reason = find_reason(run, page_size, opts->page_sizes),
	};
	file->size = offset + part.size;
	file->used += part.size;
	if (file->align < page_size)
		file->align = page_size;
}

static int fail_size(const struct run *run)
{
	uint32_t reason =
		gmi_is_aligned(run->gpa.start, GMEM_PAGE_2M) ? run->end_reason : run->start_reason;

	gmi_error_arg("page_sizes", "%s at %#llx need smaller pages than are allowed: %s",
		      gmi_size_text(run->gpa.size).text, (unsigned long long)run->gpa.start,
		      gmem_layout_reason_text(reason));
	return gmi_at_gpa(run->gpa.start, run->gpa.size);
}

/* The part of @run from @start, of @size bytes, with the ends' reasons that still hold for it. */
static struct run sub_run(const struct run *run, uint64_t start, uint64_t size)
{
	struct run part = *run;

	part.gpa = (struct gmem_range){start, size};
	part.offset = run->offset + (start - run->gpa.start);
	return part;
}

/* Cuts a run into the largest pages that fit, what is before and what is behind them. */
static int split(struct gmem_layout *layout, const struct gmem_layout_opts *opts,
		 const struct run *run, size_t level)
{
	struct gmem_range large;
	struct run rest;
	uint64_t end;
	int ret = 0;

	if (!run->gpa.size)
		return 0;
	if (level == LEVELS)
		return fail_size(run);
	large = core(run->gpa, page_sizes[level]);
	if (!(opts->page_sizes & page_sizes[level]) || !large.size)
		return split(layout, opts, run, level + 1);
	rest = sub_run(run, run->gpa.start, large.start - run->gpa.start);
	ret = split(layout, opts, &rest, level + 1);
	if (ret)
		return ret;
	place(layout, opts, run, large, page_sizes[level]);
	gmi_range_end(large.start, large.size, &end);
	rest = sub_run(run, end, run->gpa.size - (end - run->gpa.start));
	return split(layout, opts, &rest, level + 1);
}

/* Where in a file of all page sizes a run begins: congruent to its address by the largest page in
 * it. */
static int choose_offset(struct gmem_layout *layout, const struct gmem_layout_opts *opts,
			 struct run *run)
{
	uint64_t size = find_file(layout, run->node, GMEM_PAGE_SIZE)->size;
	uint64_t page = GMEM_PAGE_SIZE, remainder, end;

	for (size_t i = LEVELS; i-- > 0;)
		if (opts->page_sizes & page_sizes[i] && core(run->gpa, page_sizes[i]).size)
			page = page_sizes[i];
	remainder = run->gpa.start - gmi_align_down(run->gpa.start, page);
	run->offset = gmi_align_down(size, page) + remainder;
	if (run->offset < size)
		run->offset += page;
	return gmi_range_end(run->offset, run->gpa.size, &end)
		       ? 0
		       : gmi_error_arg("size", "the file would be larger than 2^64");
}

static int plan(struct gmem_layout *layout, uint64_t size, const struct gmem_layout_opts *opts)
{
	struct walk walk = {.opts = opts, .left = size, .reason = GMEM_LAYOUT_HOLE};
	struct run run;
	int ret = 0;

	begin_node(&walk, size);
	while (!ret && walk.left) {
		if (!next_run(&walk, &run))
			return gmi_error_arg("size", "the memory does not fit below 2^64");
		if (opts->flags & GMEM_LAYOUT_MIXED)
			ret = choose_offset(layout, opts, &run);
		if (!ret)
			ret = split(layout, opts, &run, 0);
	}
	return ret;
}

static struct gmem_layout *make(const struct gmem_layout_opts *opts)
{
	const struct gmem_allocator *allocator =
		opts->allocator ? opts->allocator : &gmi_alloc_default;
	struct gmem_layout *layout = gmi_zalloc(allocator, sizeof(*layout));
	size_t runs = opts->hole_count + opts->node_count + 1;

	if (!layout)
		return NULL;
	layout->allocator = *allocator;
	layout->ranges =
		gmi_zalloc_array(allocator, runs, PARTS_MAX * sizeof(struct gmem_layout_range));
	layout->files = gmi_zalloc_array(allocator, opts->node_count + 1,
					 LEVELS * sizeof(struct gmem_layout_file));
	return layout->ranges && layout->files ? layout : gmem_layout_unref(layout);
}

static int create(uint64_t size, const struct gmem_layout_opts *in, struct gmem_layout **ret_layout)
{
	struct gmem_layout_opts opts = {.sz = sizeof(opts)};
	struct gmem_layout *layout;
	int ret;

	if (!in)
		return gmi_error_arg("opts", "a NULL pointer");
	if (!ret_layout)
		return gmi_error_arg("ret_layout", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check(size, &opts);
	if (ret)
		return ret;
	layout = make(&opts);
	if (!layout)
		return gmi_error_memory();
	ret = plan(layout, size, &opts);
	if (ret)
		gmem_layout_unref(layout);
	else
		*ret_layout = layout;
	return ret;
}

GMEM_API int gmem_layout_create(uint64_t size, const struct gmem_layout_opts *opts,
				struct gmem_layout **ret_layout)
{
	return gmi_result(__func__, create(size, opts, ret_layout));
}

GMEM_API struct gmem_layout *gmem_layout_unref(struct gmem_layout *layout)
{
	struct gmem_allocator allocator;

	if (!layout)
		return NULL;
	allocator = layout->allocator;
	gmi_free(&allocator, layout->ranges);
	gmi_free(&allocator, layout->files);
	gmi_free(&allocator, layout);
	return NULL;
}

static int get(const void *elements, size_t count, size_t index, size_t size, void *ret_info)
{
	int ret = gmi_info_check(ret_info, size);

	if (ret)
		return ret;
	if (index >= count)
		return gmi_error(-ENOENT, "the layout has %zu", count);
	gmi_info_put(ret_info, (const char *)elements + index * size, size);
	return 0;
}

GMEM_API int gmem_layout_get_range(const struct gmem_layout *layout, size_t index,
				   struct gmem_layout_range *ret_range)
{
	int ret = layout ? get(layout->ranges, layout->range_count, index, sizeof(*ret_range),
			       ret_range)
			 : gmi_error_arg("layout", "a NULL pointer");

	return gmi_result(__func__, ret);
}

GMEM_API int gmem_layout_get_file(const struct gmem_layout *layout, size_t index,
				  struct gmem_layout_file *ret_file)
{
	int ret =
		layout ? get(layout->files, layout->file_count, index, sizeof(*ret_file), ret_file)
		       : gmi_error_arg("layout", "a NULL pointer");

	return gmi_result(__func__, ret);
}

GMEM_API const char *gmem_layout_reason_text(uint32_t reason)
{
	static const char *const texts[] = {
		[GMEM_LAYOUT_LARGEST] = "the largest pages allowed",
		[GMEM_LAYOUT_HOLE] = "a hole cuts the larger page",
		[GMEM_LAYOUT_NODE] = "another node's memory begins in the larger page",
		[GMEM_LAYOUT_END] = "the guest's memory ends in the larger page",
	};

	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "an unknown reason";
}
