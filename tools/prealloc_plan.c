/* SPDX-License-Identifier: MIT */
/* "gmemctl prealloc": the plan of the guest's memory, and how it is shown. */
#include <inttypes.h>

#include "prealloc_tool.h"
#include "size.h"

struct gmem_layout *prealloc_plan(const struct prealloc_options *options)
{
	GMEM_INIT(gmem_layout_opts, opts);
	struct gmem_layout *layout = NULL;

	opts.page_sizes = options->page_sizes;
	opts.holes = options->holes;
	opts.hole_count = options->hole_count;
	opts.nodes = options->nodes;
	opts.node_count = options->node_count;
	if (gmem_layout_create(options->size, &opts, &layout) < 0) {
		complain("%s", gmem_errinfo()->message);
		if (gmem_errinfo()->valid & GMEM_ERR_GPA)
			complain("allow smaller pages, such as --pages 1G,2M, or move what is in "
				 "the way");
	}
	return layout;
}

static void print_node(uint32_t node)
{
	if (node == GMEM_NODE_ANY)
		printf(" %5s", "any");
	else
		printf(" %5" PRIu32, node);
}

static void print_ranges(const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_range, range);

	printf("%-18s %9s %6s %5s %4s %12s  %s\n", "guest address", "size", "pages", "node", "file",
	       "offset", "why not larger");
	for (size_t i = 0; gmem_layout_get_range(layout, i, &range) == 0; i++) {
		printf("%#-18" PRIx64 " %9s %6s", range.gpa, size_text(range.size).text,
		       size_text(range.page_size).text);
		print_node(range.node);
		printf(" %4" PRIu32 " %12s  %s\n", range.file, size_text(range.offset).text,
		       range.reason == GMEM_LAYOUT_LARGEST ? "-"
							   : gmem_layout_reason_text(range.reason));
	}
}

static void print_files(const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_file, file);

	printf("\n%-4s %9s %6s %5s\n", "file", "size", "pages", "node");
	for (size_t i = 0; gmem_layout_get_file(layout, i, &file) == 0; i++) {
		printf("%-4zu %9s %6s", i, size_text(file.size).text,
		       size_text(file.page_size).text);
		print_node(file.node);
		printf("\n");
	}
}

void prealloc_print_plan(const struct gmem_layout *layout)
{
	print_ranges(layout);
	print_files(layout);
}
