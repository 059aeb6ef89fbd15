/* SPDX-License-Identifier: MIT */
/* What the files of "gmemctl prealloc" share. */
#ifndef PREALLOC_TOOL_H
#define PREALLOC_TOOL_H

#include <signal.h>

#include "probe.h"

#define HOLES_MAX 16
#define NODES_MAX 64

struct prealloc_options {
	const char *kernel;
	uint64_t size;
	uint64_t page_sizes;
	struct gmem_range holes[HOLES_MAX];
	size_t hole_count;
	struct gmem_layout_node nodes[NODES_MAX];
	size_t node_count;
	uint32_t mode;
	uint32_t workers;
	uint32_t seconds; /* until it is given up; 0 is never */
	bool only_plan;
	bool grow; /* the pools, for as long as this runs */
	bool keep; /* what was done, where not all was */
	bool hold; /* the memory, until a signal comes */
};

/* prealloc_plan.c: arranges the memory; NULL where that failed, which it has said. */
struct gmem_layout *prealloc_plan(const struct prealloc_options *options);
void prealloc_print_plan(const struct gmem_layout *layout);

/* prealloc_memory.c: makes the memory ready, tells how it goes, and gives gmemctl's exit status. */
int prealloc_memory(const struct prealloc_options *options, const struct probe_kernel *kernel,
		    const struct gmem_layout *layout);

/* prealloc_guard.c: raises the pools, runs @work in a process without privileges, and puts the pools
 * back when that has ended, in whatever way. */
int prealloc_guarded(const struct prealloc_options *options, const struct probe_kernel *kernel,
		     const struct gmem_layout *layout);

/* A context on the kernel; NULL where that failed, which it has said. */
struct gmem_ctx *prealloc_open(const struct probe_kernel *kernel);

#endif
