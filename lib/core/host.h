/* SPDX-License-Identifier: MIT */
/* What the files of /proc and /sys say about the host's memory. */
#ifndef GMI_HOST_H
#define GMI_HOST_H

#include "core_ctx.h"
#include "hosttext.h"
#include "uapi_numa.h"

#define GMI_PATH_MAX 320

/* NR_CPUS is 8192 at most on x86 (arch/x86/Kconfig, 7.3). */
#define GMI_CPU_WORDS  (8192 / 64)
#define GMI_NODE_WORDS (GMI_MAX_NUMNODES / 64)

/* All return 0 or -errno without a record; -EIO where a file does not hold what it should. */

/* The number that a file begins with. */
int gmi_host_number(const struct gmem_ctx *ctx, const char *path, uint64_t *ret_number);

/* The list that a file holds, as bits. */
int gmi_host_list(const struct gmem_ctx *ctx, const char *path, uint64_t *words, size_t word_count);

/* The nodes that have memory; node 0 on a kernel without NUMA. */
int gmi_host_nodes(const struct gmem_ctx *ctx, uint64_t words[GMI_NODE_WORDS]);

/* The CPUs of a node, or all for GMEM_NODE_ANY, that this thread may run on. */
int gmi_host_cpus(const struct gmem_ctx *ctx, uint32_t node, uint64_t words[GMI_CPU_WORDS]);

/* Bytes of ordinary memory that a node, or the machine for GMEM_NODE_ANY, can still give, page
 * cache included; and how many it has. */
int gmi_host_memory(const struct gmem_ctx *ctx, uint32_t node, uint64_t *ret_available,
		    uint64_t *ret_total);

/* A limit of the process's control groups: the file's names in the two versions of the interface.
 *  */
struct gmi_cgroup_limit {
	const char *controller;
	const char *v1_limit;
	const char *v1_usage;
	const char *v2_limit;
	const char *v2_usage;
};

/* The smallest limit on the way up, and the smallest room below one; UINT64_MAX for none. */
void gmi_cgroup_room(const struct gmem_ctx *ctx, const struct gmi_cgroup_limit *what,
		     uint64_t *ret_limit, uint64_t *ret_room);

#endif
