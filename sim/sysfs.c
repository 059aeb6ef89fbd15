/* SPDX-License-Identifier: MIT */
/* The files of /proc and /sys that tell about the simulated machine's memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hosttext.h"
#include "sim_model.h"

#define POOL_DIR "/sys/kernel/mm/hugepages/hugepages-"
#define NODE_DIR "/sys/devices/system/node/node"
#define CGROUP   "/sys/fs/cgroup/sim/hugetlb."

/* What a machine without a limit has. */
#define PLENTY (UINT64_C(1) << 50)

/* One file of a pool. */
struct pool_file {
	struct sim_pool *pool;
	uint32_t node; /* or GMEM_NODE_ANY */
	const char *name;
};

static bool parse_pool(struct gmem_sim *sim, const char *rest, uint32_t node,
		       struct pool_file *ret_file)
{
	unsigned long long kilobytes;
	int length = 0;

	if (sscanf(rest, "%llukB/%n", &kilobytes, &length) != 1 || !length)
		return false;
	ret_file->pool = gmi_sim_pool_find(sim, kilobytes * 1024);
	ret_file->node = node;
	ret_file->name = rest + length;
	return ret_file->pool;
}

static bool find_pool_file(struct gmem_sim *sim, const char *path, struct pool_file *ret_file)
{
	unsigned int node;
	int length = 0;

	if (!strncmp(path, POOL_DIR, strlen(POOL_DIR)))
		return parse_pool(sim, path + strlen(POOL_DIR), GMEM_NODE_ANY, ret_file);
	if (sscanf(path, NODE_DIR "%u/hugepages/hugepages-%n", &node, &length) != 1 || !length)
		return false;
	return node < sim->nodes && parse_pool(sim, path + length, node, ret_file);
}

static uint64_t sum_or_one(const uint64_t *numbers, uint32_t node)
{
	uint64_t all = 0;

	if (node != GMEM_NODE_ANY)
		return numbers[node];
	for (size_t i = 0; i < SIM_NODES; i++)
		all += numbers[i];
	return all;
}

static bool read_pool(const struct pool_file *file, uint64_t *ret_number)
{
	const struct sim_pool *pool = file->pool;
	bool is_machine = file->node == GMEM_NODE_ANY;

	if (!strcmp(file->name, "nr_hugepages"))
		*ret_number = sum_or_one(pool->total, file->node);
	else if (!strcmp(file->name, "free_hugepages"))
		*ret_number = sum_or_one(pool->free, file->node);
	else if (!strcmp(file->name, "surplus_hugepages"))
		*ret_number = sum_or_one(pool->surplus, file->node);
	else if (is_machine && !strcmp(file->name, "resv_hugepages"))
		*ret_number = pool->reserved;
	else if (is_machine && !strcmp(file->name, "nr_overcommit_hugepages"))
		*ret_number = 0;
	else
		return false;
	return true;
}

static uint64_t size_in_name(const char *name)
{
	if (!strncmp(name, "2MB.", 4))
		return GMEM_PAGE_2M;
	return strncmp(name, "1GB.", 4) ? 0 : GMEM_PAGE_1G;
}

static int read_cgroup(struct gmem_sim *sim, const char *rest, char *text, size_t size)
{
	const struct sim_pool *pool = gmi_sim_pool_find(sim, size_in_name(rest));
	const char *name = strrchr(rest, '.');

	if (!pool || !name)
		return -ENOENT;
	if (!strcmp(name, ".current"))
		return snprintf(text, size, "%llu\n",
				(unsigned long long)(pool->charged * pool->page_size));
	if (strcmp(name, ".max"))
		return -ENOENT;
	if (pool->limit == UINT64_MAX)
		return snprintf(text, size, "max\n");
	return snprintf(text, size, "%llu\n", (unsigned long long)(pool->limit * pool->page_size));
}

static int read_meminfo(struct gmem_sim *sim, char *text, size_t size)
{
	uint64_t total = sim->memory_limit ? sim->memory_limit : PLENTY;
	uint64_t used = gmi_sim_allocated(sim);

	return snprintf(text, size, "MemTotal: %llu kB\nMemAvailable: %llu kB\n",
			(unsigned long long)(total / 1024),
			(unsigned long long)((used < total ? total - used : 0) / 1024));
}

/* A node's share is as large as another's; what is used is on node 0. */
static int read_node_meminfo(struct gmem_sim *sim, unsigned int node, char *text, size_t size)
{
	unsigned long long total =
		(sim->memory_limit ? sim->memory_limit : PLENTY) / sim->nodes / 1024;
	unsigned long long used = node ? 0 : gmi_sim_allocated(sim) / 1024;

	return snprintf(text, size,
			"Node %u MemTotal: %llu kB\nNode %u MemFree: %llu kB\n"
			"Node %u Active(file): 0 kB\nNode %u Inactive(file): 0 kB\n"
			"Node %u SReclaimable: 0 kB\n",
			node, total, node, used < total ? total - used : 0, node, node, node);
}

/* The real CPUs, dealt out to the nodes in turn. */
static int read_cpulist(struct gmem_sim *sim, unsigned int node, char *text, size_t size)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	size_t used = 0;

	for (long cpu = node; cpu < cpus && used + 16 < size; cpu += sim->nodes)
		used += (size_t)snprintf(text + used, size - used, used ? ",%ld" : "%ld", cpu);
	used += (size_t)snprintf(text + used, size - used, "\n");
	return (int)used;
}

static int read_node(struct gmem_sim *sim, const char *path, char *text, size_t size)
{
	unsigned int node;
	int length = 0;

	if (sscanf(path, NODE_DIR "%u/%n", &node, &length) != 1 || !length || node >= sim->nodes)
		return -ENOENT;
	if (!strcmp(path + length, "meminfo"))
		return read_node_meminfo(sim, node, text, size);
	if (!strcmp(path + length, "cpulist"))
		return read_cpulist(sim, node, text, size);
	return -ENOENT;
}

static int node_list(struct gmem_sim *sim, char *text, size_t size)
{
	return sim->nodes == 1 ? snprintf(text, size, "0\n")
			       : snprintf(text, size, "0-%u\n", sim->nodes - 1);
}

static int release(struct gmem_sim *sim, char *text, size_t size)
{
	return snprintf(text, size, "%s-sim\n", sim->profile->release);
}

static int own_cgroup(struct gmem_sim *sim, char *text, size_t size)
{
	return snprintf(text, size, "0::/sim\n");
}

static const struct {
	const char *path;
	int (*text)(struct gmem_sim *sim, char *text, size_t size);
} files[] = {
	{"/sys/devices/system/node/online", node_list},
	{"/sys/devices/system/node/possible", node_list},
	{"/sys/devices/system/node/has_memory", node_list},
	{"/proc/sys/kernel/osrelease", release},
	{"/proc/self/cgroup", own_cgroup},
	{"/proc/meminfo", read_meminfo},
};

static bool starts_with(const char *path, const char *start)
{
	return !strncmp(path, start, strlen(start));
}

/* The text's length, or -ENOENT; 0 where the file is the real machine's. */
static int make_text(struct gmem_sim *sim, const char *path, char *text, size_t size)
{
	struct pool_file file;
	uint64_t number;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].path, path))
			return files[i].text(sim, text, size);
	if (find_pool_file(sim, path, &file))
		return read_pool(&file, &number)
			       ? snprintf(text, size, "%llu\n", (unsigned long long)number)
			       : -ENOENT;
	if (starts_with(path, CGROUP))
		return read_cgroup(sim, path + strlen(CGROUP), text, size);
	if (starts_with(path, NODE_DIR))
		return read_node(sim, path, text, size);
	if (starts_with(path, POOL_DIR) || starts_with(path, "/sys/fs/cgroup/"))
		return -ENOENT;
	return 0;
}

bool gmi_sim_read_file(struct gmem_sim *sim, const char *path, char *buf, size_t size,
		       int *ret_result)
{
	char text[1024];
	size_t length;

	gmi_sim_lock(sim);
	*ret_result = make_text(sim, path, text, sizeof(text));
	gmi_sim_unlock(sim);
	if (*ret_result <= 0)
		return *ret_result < 0;
	length = (size_t)*ret_result < size ? (size_t)*ret_result : size;
	memcpy(buf, text, length);
	*ret_result = (int)length;
	return true;
}

bool gmi_sim_has_file(struct gmem_sim *sim, const char *path)
{
	struct pool_file file;

	return find_pool_file(sim, path, &file);
}

/* All else is the real machine's, which a simulated kernel does not change. */
int gmi_sim_write_file(struct gmem_sim *sim, const char *path, const char *buf, size_t size)
{
	struct pool_file file;
	uint64_t pages;
	int ret = -EROFS;

	gmi_sim_lock(sim);
	if (find_pool_file(sim, path, &file) && !strcmp(file.name, "nr_hugepages"))
		ret = gmi_text_number(buf, size, &pages)
			      ? gmi_sim_pool_resize(sim, file.pool, file.node, pages)
			      : -EINVAL;
	gmi_sim_unlock(sim);
	return ret;
}
