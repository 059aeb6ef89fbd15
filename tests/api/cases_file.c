/* SPDX-License-Identifier: MIT */
/* file.h: files made, adopted, borrowed, mapped, populated, punched. */
#include <fcntl.h>

#include "api.h"

static int create_with(struct api *api, uint64_t flags)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = flags;
	return gmem_file_create(api->vm, API_SIZE, &opts, &api->file);
}

static int create(struct api *api)
{
	return create_with(api, suitable_flags(api));
}

static int create_default(struct api *api)
{
	return gmem_file_create(api->vm, API_SIZE, NULL, &api->file);
}

static int create_mappable(struct api *api)
{
	return create_with(api, GMEM_FILE_MMAP);
}

static void check_info(struct api *api, uint64_t flags, uint32_t borrowed)
{
	GMEM_INIT(gmem_file_info, info);
	struct gmem_sys_stat stat;
	int fd = gmem_file_fd(api->file);

	MUST(api->t->ops->fstat(api->t->user, fd, &stat) == 0);
	EXPECT("info", gmem_file_get_info(api->file, &info), 0);
	EXPECT("size", (int64_t)info.size, (int64_t)API_SIZE);
	EXPECT("flags", (int64_t)info.flags, (int64_t)flags);
	EXPECT("dev", (int64_t)info.dev, (int64_t)stat.dev);
	EXPECT("ino", (int64_t)info.ino, (int64_t)stat.ino);
	EXPECT("block_size", (int64_t)info.block_size, 4096);
	EXPECT("bytes_bound", (int64_t)info.bytes_bound, 0);
	EXPECT("borrowed", info.borrowed, borrowed);
	EXPECT("guest memory", gt_allocate(api->t, fd, 0, GT_PAGE), 0);
}

static void check_created(struct api *api)
{
	check_info(api, suitable_flags(api), 0);
	EXPECT("close-on-exec", fcntl(gmem_file_fd(api->file), F_GETFD), FD_CLOEXEC);
}

static void check_default(struct api *api)
{
	check_info(api, 0, 0);
}

static void check_mappable(struct api *api)
{
	check_info(api, GMEM_FILE_MMAP, 0);
}

/* The file keeps its VM. */
static void check_outlives_vm(struct api *api)
{
	int fd = gmem_vm_fd(api->vm);

	api->ctx = gmem_ctx_unref(api->ctx);
	api->vm = gmem_vm_unref(api->vm);
	EXPECT("the VM is open", gt_cap(api->t, fd, GMI_KVM_CAP_USER_MEMORY), 1);
	check_created(api);
}

static void raw_file(struct api *api)
{
	make_vm(api);
	api->fd = make_raw_file(api, gmem_vm_fd(api->vm), suitable_flags(api));
}

static int adopt(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);
	int ret;

	opts.flags = suitable_flags(api);
	ret = gmem_file_adopt(api->vm, api->fd, &opts, &api->file);
	if (ret == 0)
		api->fd = -1;
	return ret;
}

static int borrow(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = suitable_flags(api);
	return gmem_file_borrow(api->vm, api->fd, &opts, &api->file);
}

static void check_borrowed(struct api *api)
{
	check_info(api, suitable_flags(api), 1);
	EXPECT("the caller's", gmem_file_fd(api->file), api->fd);
	api->file = gmem_file_unref(api->file);
	EXPECT("not closed", gt_allocate(api->t, api->fd, 0, GT_PAGE), 0);
}

static int unref(struct api *api)
{
	api->file = gmem_file_unref(api->file);
	return 0;
}

static void check_gone(struct api *api)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("unref returns NULL", api->file == NULL, true);
	EXPECT("info", gmem_vm_get_info(api->vm, &info), 0);
	EXPECT("files", info.files, 0);
}

static int map(struct api *api)
{
	return gmem_file_map(api->file, 0, API_SIZE, &api->mapped);
}

static void check_map(struct api *api)
{
	uint8_t *memory = api->mapped;

	memset(memory, 0x5a, API_SIZE);
	EXPECT("punch", gmem_file_punch(api->file, GT_PAGE, GT_PAGE), 0);
	EXPECT("before", memory[GT_PAGE - 1], 0x5a);
	EXPECT("inside", memory[GT_PAGE], 0);
	EXPECT("behind", memory[2 * GT_PAGE], 0x5a);
	EXPECT("unmap", gmem_file_unmap(api->file, api->mapped, API_SIZE), 0);
	api->mapped = NULL;
}

static int map_part(struct api *api)
{
	void *addr;
	int ret = gmem_file_map(api->file, 2 * GT_PAGE, GT_PAGE, &addr);

	if (ret == 0) {
		memset(addr, 0x77, GT_PAGE);
		ret = gmem_file_unmap(api->file, addr, GT_PAGE);
		if (ret < 0)
			gt_unmap(api->t, addr, GT_PAGE);
	}
	return ret;
}

static void check_map_part(struct api *api)
{
	MUST(gmem_file_map(api->file, 0, API_SIZE, &api->mapped) == 0);
	EXPECT("in its place", ((uint8_t *)api->mapped)[2 * GT_PAGE], 0x77);
	EXPECT("nowhere else", ((uint8_t *)api->mapped)[3 * GT_PAGE], 0);
}

static void mapped(struct api *api)
{
	make_mapped_file(api);
	MUST(gmem_file_map(api->file, 0, API_SIZE, &api->mapped) == 0);
}

static int unmap(struct api *api)
{
	int ret = gmem_file_unmap(api->file, api->mapped, API_SIZE);

	if (ret == 0)
		api->mapped = NULL;
	return ret;
}

static void check_unmap(struct api *api)
{
	EXPECT("no mapping is left", gt_count_mappings(), 0);
}

/* From where the last attempt stopped, as a caller does it. */
static int populate(struct api *api)
{
	uint64_t done = UINT64_MAX;
	int ret = gmem_file_populate(api->file, api->done, API_SIZE - api->done, &done);

	EXPECT("done is a part of the request", done <= API_SIZE - api->done, true);
	EXPECT("done is all on success", ret == 0 && done != API_SIZE - api->done, false);
	api->done += done <= API_SIZE - api->done ? done : 0;
	return ret;
}

static void check_populate(struct api *api)
{
	EXPECT("all", (int64_t)api->done, (int64_t)API_SIZE);
	EXPECT("without ret_done", gmem_file_populate(api->file, 0, API_SIZE, NULL), 0);
}

static void populated(struct api *api)
{
	make_file(api);
	MUST(gmem_file_populate(api->file, 0, API_SIZE, NULL) == 0);
}

static int punch(struct api *api)
{
	return gmem_file_punch(api->file, 0, API_SIZE);
}

static void check_punch(struct api *api)
{
	EXPECT("again", gmem_file_punch(api->file, 0, API_SIZE), 0);
}

static const uint64_t node0 = 1;

static int create_placed(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = suitable_flags(api) | GMEM_FILE_MMAP;
	opts.numa_mode = GMEM_NUMA_BIND;
	opts.nodes = &node0;
	opts.node_words = 1;
	return gmem_file_create(api->vm, API_SIZE, &opts, &api->file);
}

/* The policy is the file's: a new mapping has it. */
static void check_placed(struct api *api)
{
	uint64_t nodes[16] = {0};
	int mode = -1;

	MUST(gmem_file_map(api->file, 0, API_SIZE, &api->mapped) == 0);
	EXPECT("ask", api->t->ops->get_mempolicy(api->t->user, &mode, nodes, 1024, api->mapped, 2),
	       0);
	EXPECT("mode", mode, GMEM_NUMA_BIND);
	EXPECT("nodes", (int64_t)nodes[0], 1);
}

const struct api_case api_cases_file[] = {
	{"file_create", NEEDS_GMEM, 0, make_vm, create, check_created},
	{"file_create_default", NEEDS_GMEM, 0, make_vm, create_default, check_default},
	{"file_create_mappable", NEEDS_GMEM | NEEDS_MMAP, 0, make_vm, create_mappable,
	 check_mappable},
	{"file_create_placed", NEEDS_PLACING, 0, make_vm, create_placed, check_placed},
	{"file_outlives_vm", NEEDS_GMEM, 0, make_vm, create, check_outlives_vm},
	{"file_adopt", NEEDS_GMEM, 0, raw_file, adopt, check_created},
	{"file_borrow", NEEDS_GMEM, 0, raw_file, borrow, check_borrowed},
	{"file_unref", NEEDS_GMEM, GIVES_UP, make_file, unref, check_gone},
	{"file_map", NEEDS_SHARED, 0, make_mapped_file, map, check_map},
	{"file_map_part", NEEDS_SHARED, KEEPS_PROGRESS, make_mapped_file, map_part, check_map_part},
	{"file_unmap", NEEDS_MMAP, 0, mapped, unmap, check_unmap},
	{"file_populate", NEEDS_GMEM, KEEPS_PROGRESS, make_file, populate, check_populate},
	{"file_punch", NEEDS_GMEM, KEEPS_PROGRESS, populated, punch, check_punch},
};

const size_t api_count_file = GT_COUNT(api_cases_file);
