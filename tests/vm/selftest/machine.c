/* SPDX-License-Identifier: MIT */
/* Whether the machine is what its boot profile says: CPUs, memory, nodes, huge page pools, KVM. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rawvm.h"
#include "report.h"
#include "uapi_kvm.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

struct profile {
	const char *name;
	long min_mib;
	long max_mib;
	int nodes;
	int pages_1g; /* on each node */
	int pages_2m; /* on each node */
};

static const struct profile profiles[] = {
	{.name = "default", .min_mib = 1800, .max_mib = 2048, .nodes = 1},
	{.name = "faults", .min_mib = 1800, .max_mib = 2048, .nodes = 1},
	{.name = "hugepages",
	 .min_mib = 6000,
	 .max_mib = 7168,
	 .nodes = 1,
	 .pages_1g = 2,
	 .pages_2m = 64},
	{.name = "numa",
	 .min_mib = 7000,
	 .max_mib = 8192,
	 .nodes = 2,
	 .pages_1g = 1,
	 .pages_2m = 32},
	{.name = "lowmem", .min_mib = 64, .max_mib = 256, .nodes = 1},
};

static const struct profile *profile;

static long read_number(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	char line[128];
	long value = -1, found = -1;

	while (file && found < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &value) == 1)
			found = value;
	if (file)
		fclose(file);
	return found;
}

static long pool(int node, long kib)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/hugepages/hugepages-%ldkB/nr_hugepages", node,
		 kib);
	return read_number(path, "%ld");
}

static const char *has_two_cpus(void)
{
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) == 2);
	return NULL;
}

static const char *has_the_memory(void)
{
	long mib = read_number("/proc/meminfo", "MemTotal: %ld kB") / 1024;

	CHECK(mib >= profile->min_mib);
	CHECK(mib <= profile->max_mib);
	return NULL;
}

static const char *has_the_nodes(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", profile->nodes - 1);
	CHECK(!access(path, F_OK));
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", profile->nodes);
	CHECK(access(path, F_OK));
	return NULL;
}

static const char *has_the_pools(void)
{
	int node;

	for (node = 0; node < profile->nodes; node++) {
		CHECK(pool(node, 2048) == profile->pages_2m);
		CHECK(pool(node, 1048576) == profile->pages_1g);
	}
	return NULL;
}

/* A page comes from a pool exactly where there is one. */
static const char *map_from_pool(size_t size, int log2, int pages)
{
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | log2 << MAP_HUGE_SHIFT, -1, 0);

	CHECK((mem == MAP_FAILED) == (pages == 0));
	if (mem == MAP_FAILED)
		return NULL;
	mem[0] = 1;
	mem[size - 1] = 1;
	munmap(mem, size);
	return NULL;
}

static const char *can_use_the_pools(void)
{
	CHECK_OK(map_from_pool(2ul << 20, 21, profile->pages_2m));
	CHECK_OK(map_from_pool(1ul << 30, 30, profile->pages_1g));
	return NULL;
}

static const char *has_kvm_with_private_memory(void)
{
	int kvm = kvm_open();

	CHECK(kvm >= 0);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_VM_TYPES) & 1 << GMI_KVM_X86_DEFAULT_VM);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_VM_TYPES) &
	      1 << GMI_KVM_X86_SW_PROTECTED_VM);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_MEMORY_ATTRIBUTES) ==
	      GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_PRE_FAULT_MEMORY) == 1);
	close(kvm);
	return NULL;
}

static const struct test tests[] = {
	{"has_two_cpus", has_two_cpus},
	{"has_the_memory", has_the_memory},
	{"has_the_nodes", has_the_nodes},
	{"has_the_pools", has_the_pools},
	{"can_use_the_pools", can_use_the_pools},
	{"has_kvm_with_private_memory", has_kvm_with_private_memory},
};

int main(int argc, char **argv)
{
	char program[64];
	size_t i;

	for (i = 0; argc == 2 && i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (!strcmp(argv[1], profiles[i].name))
			profile = &profiles[i];
	if (!profile) {
		fprintf(stderr, "usage: machine default|faults|hugepages|numa|lowmem\n");
		return 2;
	}
	snprintf(program, sizeof(program), "selftest-machine-%s", profile->name);
	return report_run(program, tests, sizeof(tests) / sizeof(tests[0]));
}
