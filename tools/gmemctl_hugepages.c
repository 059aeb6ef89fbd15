/* SPDX-License-Identifier: MIT */
/* "gmemctl hugepages": shows the pools of huge pages, and adds to one. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "privilege.h"
#include "probe.h"
#include "size.h"
#include "take.h"

struct options {
	const char *kernel;
	bool as_json;
	uint64_t page_size;
	uint32_t node;
	uint64_t add;  /* whatever is free already */
	uint64_t need; /* what is free counts */
	bool keep;
};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: gmemctl hugepages [--json]\n"
		"       gmemctl hugepages --need SIZE | --add SIZE [--page-size SIZE] [--node N]\n"
		"Show the pools of huge pages by size and NUMA node, or add to one.\n"
		"\n"
		"  --need SIZE       have SIZE available: add what is missing\n"
		"  --add SIZE        add all of SIZE, whatever is free already\n"
		"  --page-size SIZE  of these pages: 2M or 1G (default 1G)\n"
		"  --node N          on this node (default: the kernel chooses)\n"
		"  --keep            where the kernel gives less, keep that\n"
		"  --json            for machines\n"
		"  --kernel kvm|sim:PROFILE\n"
		"\n"
		"Sizes are 512M, 64G, 1T and so on. Adding takes root or CAP_DAC_OVERRIDE; all "
		"other\n"
		"capabilities are given up before.\n");
}

static void print_size(const char *name, uint64_t bytes, struct json *json)
{
	if (json) {
		json_key(json, name);
		if (bytes == UINT64_MAX)
			json_string(json, NULL);
		else
			json_number(json, (int64_t)bytes);
		return;
	}
	printf(" %9s", bytes == UINT64_MAX ? "-" : size_text(bytes).text);
}

static void print_pool(const struct gmem_hugetlb_info *info, struct json *json)
{
	char node[16] = "all";

	if (info->node != GMEM_NODE_ANY)
		snprintf(node, sizeof(node), "%" PRIu32, info->node);
	if (json) {
		json_begin(json, '{');
		json_key(json, "node");
		if (info->node == GMEM_NODE_ANY)
			json_string(json, NULL);
		else
			json_number(json, info->node);
	} else {
		printf("%-5s", node);
	}
	print_size("page_size", info->page_size, json);
	print_size("total", info->total, json);
	print_size("free", info->free, json);
	print_size("reserved", info->reserved, json);
	print_size("available", info->available, json);
	print_size("surplus", info->surplus, json);
	print_size("overcommit", info->overcommit, json);
	print_size("cgroup_limit", info->cgroup_limit, json);
	if (json)
		json_end(json, '}');
	else
		printf("\n");
}

/* All nodes, then the sum where there are several. */
static int print_size_pools(struct gmem_ctx *ctx, uint64_t page_size, struct json *json)
{
	GMEM_INIT(gmem_hugetlb_info, info);
	uint32_t node = 0, count = 0;

	for (; gmem_numa_next_node(ctx, node, &node) == 0; node++) {
		if (gmem_hugetlb_get_info(ctx, page_size, node, &info) < 0)
			return -1;
		print_pool(&info, json);
		count++;
	}
	if (count > 1 && gmem_hugetlb_get_info(ctx, page_size, GMEM_NODE_ANY, &info) == 0)
		print_pool(&info, json);
	return 0;
}

static int show(struct gmem_ctx *ctx, bool as_json)
{
	struct json writer = {.out = stdout}, *json = as_json ? &writer : NULL;
	uint64_t page_size = 0;
	int err = 0;

	if (json)
		json_begin(json, '[');
	else
		printf("%-5s %9s %9s %9s %9s %9s %9s %9s %9s\n", "node", "page", "total", "free",
		       "reserved", "available", "surplus", "overcomm.", "cgroup");
	while (!err && gmem_hugetlb_next_size(ctx, page_size, &page_size) == 0)
		err = print_size_pools(ctx, page_size, json);
	if (json)
		json_end(json, ']');
	if (err)
		complain("%s", gmem_errinfo()->message);
	return err ? STATUS_FAILED : STATUS_OK;
}

static void explain(int err)
{
	if (err == -EACCES || err == -EPERM)
		complain("this is %s; run it as root, or give it the capability",
			 privilege_text().text);
	else if (err == -ENOSPC)
		complain("pages of 1G are best asked for at boot: hugepagesz=1G hugepages=N");
}

static int add(struct gmem_ctx *ctx, const struct options *options)
{
	GMEM_INIT(gmem_hugetlb_opts, opts);
	struct gmem_hugetlb_share *share;
	int err;

	if (options->keep)
		opts.flags |= GMEM_HUGETLB_KEEP;
	if (options->add)
		opts.flags |= GMEM_HUGETLB_OWN;
	err = gmem_hugetlb_reserve(ctx, options->page_size, options->node,
				   options->add ? options->add : options->need, &opts, &share);
	if (err) {
		complain("%s", gmem_errinfo()->message);
		explain(err);
		return STATUS_FAILED;
	}
	printf("added %s in pages of %s\n", size_text(gmem_hugetlb_added(share)).text,
	       size_text(options->page_size).text);
	gmem_hugetlb_leave(share);
	return STATUS_OK;
}

static int run(const struct options *options)
{
	struct probe_kernel kernel = {0};
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;
	int status = STATUS_FAILED;

	if (probe_kernel_open(&kernel, options->kernel) < 0)
		return STATUS_FAILED;
	opts.sys = kernel.sys;
	opts.sys_user = kernel.user;
	if (gmem_ctx_create(&opts, &ctx) < 0) {
		complain("cannot use KVM: %s", gmem_errinfo()->message);
	} else {
		privilege_keep_writing();
		status = options->add || options->need ? add(ctx, options)
						       : show(ctx, options->as_json);
	}
	gmem_ctx_unref(ctx);
	probe_kernel_close(&kernel);
	return status;
}

int command_hugepages(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"kernel", required_argument, NULL, 'k'},
		{"need", required_argument, NULL, 'n'},
		{"add", required_argument, NULL, 'a'},
		{"page-size", required_argument, NULL, 'p'},
		{"node", required_argument, NULL, 'N'},
		{"keep", no_argument, NULL, 'K'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {
		.kernel = "kvm",
		.page_size = GMEM_PAGE_1G,
		.node = GMEM_NODE_ANY,
	};
	bool is_right = true;
	int letter;

	while (is_right && (letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'j':
			options.as_json = true;
			break;
		case 'k':
			options.kernel = optarg;
			break;
		case 'n':
			is_right = take_size("--need", optarg, &options.need);
			break;
		case 'a':
			is_right = take_size("--add", optarg, &options.add);
			break;
		case 'p':
			is_right = take_size("--page-size", optarg, &options.page_size);
			break;
		case 'N':
			is_right = take_number("--node", optarg, 1023, &options.node);
			break;
		case 'K':
			options.keep = true;
			break;
		case 'h':
			usage(stdout);
			return STATUS_OK;
		default:
			is_right = false;
		}
	}
	if (!is_right || optind < argc || (options.add && options.need)) {
		usage(stderr);
		return STATUS_USAGE;
	}
	return run(&options);
}
