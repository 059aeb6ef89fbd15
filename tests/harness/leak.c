/* SPDX-License-Identifier: MIT */
/* Counts what a process holds of the kernel: descriptors, and mappings of KVM's files. */
#include <dirent.h>
#include <unistd.h>

#include "gt_internal.h"

static void each_fd(void (*visit)(const char *name, const char *target, void *user), void *user)
{
	char path[300], target[256];
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");
	ssize_t n;

	if (!dir)
		abort();
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		visit(entry->d_name, target, user);
	}
	closedir(dir);
}

static void count_fd(const char *name, const char *target, void *user)
{
	++*(unsigned int *)user;
}

static void print_fd(const char *name, const char *target, void *user)
{
	fprintf(stderr, "  descriptor %s is %s\n", name, target);
}

unsigned int gt_count_fds(void)
{
	unsigned int count = 0;

	each_fd(count_fd, &count);
	return count;
}

void gt_print_fds(void)
{
	each_fd(print_fd, NULL);
}

/* What sanitizers map has no such name. */
static bool is_kernel_object(const char *line)
{
	return strstr(line, "kvm") || strstr(line, "memfd:") || strstr(line, "gmem");
}

unsigned int gt_count_mappings(void)
{
	char line[512];
	unsigned int count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	if (!maps)
		abort();
	while (fgets(line, sizeof(line), maps))
		if (strchr(line, '/') && is_kernel_object(strchr(line, '/')))
			count++;
	fclose(maps);
	return count;
}
