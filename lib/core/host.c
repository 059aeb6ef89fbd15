/* SPDX-License-Identifier: MIT */
/* What the files of /proc and /sys say about the host's memory. */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NODE_DIR "/sys/devices/system/node"

/* Longer than the lists of any machine and than a node's meminfo. */
#define FILE_MAX 8192

int gmi_host_number(const struct gmem_ctx *ctx, const char *path, uint64_t *ret_number)
{
	char buf[32];
	int size = gmi_sys_read_file(&ctx->sys, path, buf, sizeof(buf));

	if (size < 0)
		return size;
	return gmi_text_number(buf, (size_t)size, ret_number) ? 0 : -EIO;
}

int gmi_host_list(const struct gmem_ctx *ctx, const char *path, uint64_t *words, size_t word_count)
{
	char buf[FILE_MAX];
	int size = gmi_sys_read_file(&ctx->sys, path, buf, sizeof(buf));

	if (size < 0)
		return size;
	return gmi_text_list(buf, (size_t)size, words, word_count) ? 0 : -EIO;
}

int gmi_host_nodes(const struct gmem_ctx *ctx, uint64_t words[GMI_NODE_WORDS])
{
	int ret = gmi_host_list(ctx, NODE_DIR "/has_memory", words, GMI_NODE_WORDS);

	if (ret == -ENOENT) {
		memset(words, 0, GMI_NODE_WORDS * sizeof(*words));
		words[0] = 1;
		ret = 0;
	}
	return ret;
}

/* CPUs that the calling thread may use; a child of it may use the same. */
static int read_allowed_cpus(const struct gmem_ctx *ctx, uint64_t words[GMI_CPU_WORDS])
{
	const char *list;
	char buf[FILE_MAX];
	size_t list_size;
	int size = gmi_sys_read_file(&ctx->sys, "/proc/thread-self/status", buf, sizeof(buf));

	if (size < 0)
		return size;
	if (!gmi_text_line(buf, (size_t)size, "Cpus_allowed_list:", &list, &list_size) ||
	    !gmi_text_list(list, list_size, words, GMI_CPU_WORDS))
		return -EIO;
	return 0;
}

int gmi_host_cpus(const struct gmem_ctx *ctx, uint32_t node, uint64_t words[GMI_CPU_WORDS])
{
	uint64_t near[GMI_CPU_WORDS];
	char path[GMI_PATH_MAX];
	int ret = read_allowed_cpus(ctx, words);

	if (ret || node == GMEM_NODE_ANY)
		return ret;
	snprintf(path, sizeof(path), NODE_DIR "/node%u/cpulist", node);
	ret = gmi_host_list(ctx, path, near, GMI_CPU_WORDS);
	if (ret == -ENOENT && node == 0)
		return 0;
	for (size_t i = 0; !ret && i < GMI_CPU_WORDS; i++)
		words[i] &= near[i];
	return ret;
}

/* A node says nothing of what is available: its free memory, and what it can drop or write out. */
static bool read_node_memory(const char *buf, size_t size, uint32_t node, uint64_t *ret_available,
			     uint64_t *ret_total)
{
	static const char *const parts[] = {
		"MemFree:", "Active(file):", "Inactive(file):", "SReclaimable:"};
	uint64_t number, sum = 0;
	char key[64];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(key, sizeof(key), "Node %u %s", node, parts[i]);
		if (!gmi_text_field(buf, size, key, &number))
			return false;
		sum += number;
	}
	*ret_available = sum * 1024;
	snprintf(key, sizeof(key), "Node %u MemTotal:", node);
	if (!gmi_text_field(buf, size, key, &number))
		return false;
	*ret_total = number * 1024;
	return true;
}

static bool read_machine_memory(const char *buf, size_t size, uint64_t *ret_available,
				uint64_t *ret_total)
{
	uint64_t available, total;

	if (!gmi_text_field(buf, size, "MemAvailable:", &available) ||
	    !gmi_text_field(buf, size, "MemTotal:", &total))
		return false;
	*ret_available = available * 1024;
	*ret_total = total * 1024;
	return true;
}

int gmi_host_memory(const struct gmem_ctx *ctx, uint32_t node, uint64_t *ret_available,
		    uint64_t *ret_total)
{
	char path[GMI_PATH_MAX] = "/proc/meminfo", buf[FILE_MAX];
	bool is_right;
	int size;

	if (node != GMEM_NODE_ANY)
		snprintf(path, sizeof(path), NODE_DIR "/node%u/meminfo", node);
	size = gmi_sys_read_file(&ctx->sys, path, buf, sizeof(buf));
	if (size < 0)
		return size;
	is_right = node == GMEM_NODE_ANY
			   ? read_machine_memory(buf, (size_t)size, ret_available, ret_total)
			   : read_node_memory(buf, (size_t)size, node, ret_available, ret_total);
	return is_right ? 0 : -EIO;
}
