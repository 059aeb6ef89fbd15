/* SPDX-License-Identifier: MIT */
/* What the limits of the process's control groups leave. */
#include <stdio.h>
#include <string.h>

#include "host.h"

/* No limit is all ones in pages in version 1, and the word "max" in version 2. */
#define NO_LIMIT (UINT64_C(1) << 62)

/* The path of version 1's line "7:cpu,hugetlb:/path", or false. */
static bool find_v1_path(const char *text, size_t size, const char *controller,
			 const char **ret_path, size_t *ret_size)
{
	const char *at = text, *end = text + size;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *names, *path;

		line_end = line_end ? line_end : end;
		names = memchr(at, ':', (size_t)(line_end - at));
		path = names ? memchr(names + 1, ':', (size_t)(line_end - names - 1)) : NULL;
		if (path && memmem(names, (size_t)(path - names), controller, strlen(controller))) {
			*ret_path = path + 1;
			*ret_size = (size_t)(line_end - path - 1);
			return true;
		}
		at = line_end + 1;
	}
	return false;
}

/* Takes one group's numbers into account. */
static void take_group(const struct gmem_ctx *ctx, const char *dir, const char *limit_name,
		       const char *usage_name, uint64_t *limit, uint64_t *room)
{
	char path[2 * GMI_PATH_MAX];
	uint64_t max, usage;

	snprintf(path, sizeof(path), "%s/%s", dir, limit_name);
	if (gmi_host_number(ctx, path, &max) || max >= NO_LIMIT)
		return;
	if (max < *limit)
		*limit = max;
	snprintf(path, sizeof(path), "%s/%s", dir, usage_name);
	if (gmi_host_number(ctx, path, &usage))
		return;
	usage = usage > max ? max : usage;
	if (max - usage < *room)
		*room = max - usage;
}

/* From the process's group up to the root of what it sees. */
static void walk_up(const struct gmem_ctx *ctx, const char *root, const char *path, size_t size,
		    const char *limit_name, const char *usage_name, uint64_t *limit, uint64_t *room)
{
	size_t root_size = strlen(root);
	char dir[GMI_PATH_MAX];
	char *slash;

	if (root_size + size >= sizeof(dir) || memmem(path, size, "..", 2))
		return;
	memcpy(dir, root, root_size);
	memcpy(dir + root_size, path, size);
	dir[root_size + size] = '\0';
	for (;;) {
		take_group(ctx, dir, limit_name, usage_name, limit, room);
		slash = strrchr(dir + root_size, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

void gmi_cgroup_room(const struct gmem_ctx *ctx, const struct gmi_cgroup_limit *what,
		     uint64_t *ret_limit, uint64_t *ret_room)
{
	char buf[4096], root[64];
	const char *path;
	size_t path_size;
	int size = gmi_sys_read_file(&ctx->sys, "/proc/self/cgroup", buf, sizeof(buf));

	*ret_limit = UINT64_MAX;
	*ret_room = UINT64_MAX;
	if (size < 0)
		return;
	if (find_v1_path(buf, (size_t)size, what->controller, &path, &path_size)) {
		snprintf(root, sizeof(root), "/sys/fs/cgroup/%s", what->controller);
		walk_up(ctx, root, path, path_size, what->v1_limit, what->v1_usage, ret_limit,
			ret_room);
	} else if (gmi_text_line(buf, (size_t)size, "0::", &path, &path_size)) {
		walk_up(ctx, "/sys/fs/cgroup", path, path_size, what->v2_limit, what->v2_usage,
			ret_limit, ret_room);
	}
}
