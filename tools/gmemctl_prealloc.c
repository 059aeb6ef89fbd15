/* SPDX-License-Identifier: MIT */
/* "gmemctl prealloc": its options. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "prealloc_tool.h"
#include "size.h"
#include "take.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: gmemctl prealloc SIZE [OPTION]...\n"
		"Plan a guest's memory, get it ready as a VMM would, and tell how fast that is. "
		"The\n"
		"memory is freed at the end.\n"
		"\n"
		"  --plan              show the plan and stop\n"
		"  --pages LIST        page sizes that may be used: some of 1G,2M,4K (default 4K)\n"
		"  --hole START:SIZE   guest addresses without memory; may be repeated, ascending\n"
		"  --node N[:SIZE]     on this node, or SIZE of it; may be repeated\n"
		"  --mode ready        allocate, zero and map it (default)\n"
		"  --mode reserve      allocate it alone\n"
		"  --workers N         threads (default: as many as make it faster)\n"
		"  --timeout SECONDS   give up then\n"
		"  --grow              add pages to the pools for the time: root or "
		"CAP_DAC_OVERRIDE\n"
		"  --keep              where not all can be had, keep what there is (with --hold)\n"
		"  --hold              keep the memory until a signal comes\n"
		"  --kernel kvm|sim:PROFILE\n"
		"\n"
		"Pages of 4K are guest_memfd's, others are shared memory from the host's pools\n"
		"(gmemctl hugepages). Sizes are 512M, 64G, 1T and so on.\n");
}

static int run(const struct prealloc_options *options)
{
	struct gmem_layout *layout = prealloc_plan(options);
	struct probe_kernel kernel = {0};
	int status = STATUS_FAILED;

	if (!layout)
		return STATUS_FAILED;
	if (options->only_plan) {
		prealloc_print_plan(layout);
		status = STATUS_OK;
	} else if (probe_kernel_open(&kernel, options->kernel) == 0) {
		status = options->grow ? prealloc_guarded(options, &kernel, layout)
				       : prealloc_memory(options, &kernel, layout);
		probe_kernel_close(&kernel);
	}
	gmem_layout_unref(layout);
	return status;
}

static bool take_hole(struct prealloc_options *options, const char *text)
{
	struct gmem_range *hole = &options->holes[options->hole_count];

	if (options->hole_count == HOLES_MAX) {
		complain("more than %d holes", HOLES_MAX);
		return false;
	}
	options->hole_count++;
	return take_range("--hole", text, &hole->start, &hole->size);
}

/* "N" is all of the memory, or what the others leave. */
static bool take_node(struct prealloc_options *options, const char *text)
{
	struct gmem_layout_node *node = &options->nodes[options->node_count];
	const char *colon = strchr(text, ':');
	char number[16];

	if (options->node_count == NODES_MAX) {
		complain("more than %d nodes", NODES_MAX);
		return false;
	}
	options->node_count++;
	snprintf(number, sizeof(number), "%.*s", (int)(colon ? colon - text : 15), text);
	return take_number("--node", number, 1023, &node->node) &&
	       (!colon || take_size("--node", colon + 1, &node->size));
}

static bool share_rest(struct prealloc_options *options)
{
	uint64_t rest = options->size;
	struct gmem_layout_node *open = NULL;

	for (size_t i = 0; i < options->node_count; i++) {
		struct gmem_layout_node *node = &options->nodes[i];

		if (node->size > rest || (!node->size && open)) {
			complain("--node: the sizes do not add up to %s",
				 size_text(options->size).text);
			return false;
		}
		rest -= node->size;
		open = node->size ? open : node;
	}
	if (open)
		open->size = rest;
	return true;
}

static bool take_mode(struct prealloc_options *options, const char *text)
{
	if (strcmp(text, "ready") == 0)
		options->mode = GMEM_PREALLOC_READY;
	else if (strcmp(text, "reserve") == 0)
		options->mode = GMEM_PREALLOC_RESERVE;
	else
		complain("--mode %s: not ready or reserve", text);
	return strcmp(text, "ready") == 0 || strcmp(text, "reserve") == 0;
}

static bool take_option(struct prealloc_options *options, int letter, const char *arg)
{
	switch (letter) {
	case 'p':
		options->only_plan = true;
		return true;
	case 'P':
		return take_page_sizes("--pages", arg, &options->page_sizes);
	case 'H':
		return take_hole(options, arg);
	case 'n':
		return take_node(options, arg);
	case 'm':
		return take_mode(options, arg);
	case 'w':
		return take_number("--workers", arg, 100000, &options->workers);
	case 't':
		return take_number("--timeout", arg, 1000000, &options->seconds);
	case 'g':
		options->grow = true;
		return true;
	case 'K':
		options->keep = true;
		return true;
	case 'o':
		options->hold = true;
		return true;
	case 'k':
		options->kernel = arg;
		return true;
	default:
		return false;
	}
}

int command_prealloc(int argc, char **argv)
{
	static const struct option known[] = {
		{"plan", no_argument, NULL, 'p'},
		{"pages", required_argument, NULL, 'P'},
		{"hole", required_argument, NULL, 'H'},
		{"node", required_argument, NULL, 'n'},
		{"mode", required_argument, NULL, 'm'},
		{"workers", required_argument, NULL, 'w'},
		{"timeout", required_argument, NULL, 't'},
		{"grow", no_argument, NULL, 'g'},
		{"keep", no_argument, NULL, 'K'},
		{"hold", no_argument, NULL, 'o'},
		{"kernel", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct prealloc_options options = {
		.kernel = "kvm",
		.page_sizes = GMEM_PAGE_SIZE,
		.mode = GMEM_PREALLOC_READY,
		.workers = GMEM_PREALLOC_AUTO,
	};
	bool is_right = true;
	int letter;

	while (is_right && (letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (letter == 'h') {
			usage(stdout);
			return STATUS_OK;
		}
		is_right = take_option(&options, letter, optarg);
	}
	if (is_right && optind + 1 != argc) {
		complain("prealloc takes one SIZE");
		is_right = false;
	}
	is_right =
		is_right && take_size("SIZE", argv[optind], &options.size) && share_rest(&options);
	if (!is_right) {
		usage(stderr);
		return STATUS_USAGE;
	}
	return run(&options);
}
