/* SPDX-License-Identifier: MIT */
/* What the tests of preallocation start with, on any kernel. */
#include "pa.h"

#include <sys/mman.h>
#include <unistd.h>

#include "uapi_mm.h"
#include "uapi_numa.h"

static void print_line(void *user, const char *line)
{
	fprintf(stderr, "log: %s\n", line);
}

static void open_kernel(struct pa *pa, const struct gt *t, const struct pa_machine *machine)
{
	GMEM_INIT(gmem_sim_opts, opts);

	pa->t = t;
	pa->ops = t->ops;
	pa->user = t->user;
	if (!t->sim)
		return;
	opts.memory = machine->memory;
	opts.nodes = machine->nodes;
	MUST(gmem_sim_create(t->profile, &opts, &pa->sim) == 0);
	pa->user = pa->sim;
}

void pa_open(struct pa *pa, const struct gt *t, const struct pa_machine *machine)
{
	GMEM_INIT(gmem_ctx_opts, opts);

	memset(pa, 0, sizeof(*pa));
	open_kernel(pa, t, machine);
	opts.sys = pa->ops;
	opts.sys_user = pa->user;
	opts.log = print_line;
	opts.rfc = machine->rfc;
	if (opts.rfc & GMEM_RFC_HUGETLB_WIP) {
		opts.hugetlb_flag = GMEM_SIM_HUGETLB_WIP_FLAG;
		opts.hugetlb_order_offset = GMEM_SIM_HUGETLB_WIP_ORDER_OFFSET;
	}
	MUST(gmem_ctx_create(&opts, &pa->ctx) == 0);
	if (gmem_has_feature(pa->ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_GUEST_MEMFD) != 1)
		pa->vm_type = GMEM_VM_SW_PROTECTED;
	PA_REQUIRE(pa, gmem_has_feature(pa->ctx, pa->vm_type, GMEM_FEATURE_GUEST_MEMFD) == 1,
		   "no guest_memfd here");
	pa->has_shared = gmem_has_feature(pa->ctx, pa->vm_type, GMEM_FEATURE_INIT_SHARED) == 1;
	MUST(gmem_vm_create(pa->ctx, pa->vm_type, NULL, &pa->vm) == 0);
}

void pa_close(struct pa *pa)
{
	GMEM_INIT(gmem_sim_stats, stats);

	gmem_vm_unref(pa->vm);
	gmem_ctx_unref(pa->ctx);
	if (!pa->sim)
		return;
	MUST(gmem_sim_get_stats(pa->sim, &stats) == 0);
	EXPECT("files left", (int64_t)stats.files, 0);
	EXPECT("mappings left", (int64_t)stats.mappings, 0);
	EXPECT("huge pages left", (int64_t)stats.huge, 0);
	gmem_sim_unref(pa->sim);
}

struct gmem_file *pa_file_with(struct pa *pa, uint64_t size, uint64_t flags)
{
	GMEM_INIT(gmem_file_opts, opts);
	struct gmem_file *file = NULL;

	opts.flags = flags;
	MUST(gmem_file_create(pa->vm, size, &opts, &file) == 0);
	return file;
}

struct gmem_file *pa_file(struct pa *pa, uint64_t size)
{
	return pa_file_with(pa, size, pa->has_shared ? GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED : 0);
}

/* mincore() tells the owner of a file, root for guest_memfd, which of its pages are there and zeroed
 * (mm/mincore.c mincore_page(): up to date). */
static uint64_t count_resident(struct gmem_file *file, uint64_t size)
{
	unsigned char *pages = malloc(size / 4096);
	uint64_t count = 0;
	void *addr;

	MUST(pages && gmem_file_map(file, 0, size, &addr) == 0);
	MUST(mincore(addr, size, pages) == 0);
	for (uint64_t i = 0; i < size / 4096; i++)
		count += pages[i] & 1;
	gmem_file_unmap(file, addr, size);
	free(pages);
	return count * 4096;
}

uint64_t pa_allocated(struct pa *pa, struct gmem_file *file, uint64_t size)
{
	GMEM_INIT(gmem_sim_stats, stats);

	if (pa->sim) {
		MUST(gmem_sim_get_stats(pa->sim, &stats) == 0);
		return stats.allocated;
	}
	REQUIRE(pa->has_shared && geteuid() == 0, "the kernel does not tell which pages are there");
	return count_resident(file, size);
}

int pa_node_of(struct pa *pa, void *addr)
{
	int node = -1;

	EXPECT("get_mempolicy",
	       pa->ops->get_mempolicy(pa->user, &node, NULL, 0, addr,
				      GMI_MPOL_F_NODE | GMI_MPOL_F_ADDR),
	       0);
	return node;
}

struct gmem_prealloc *pa_job(struct pa *pa, const struct gmem_prealloc_opts *opts)
{
	struct gmem_prealloc *job = NULL;

	MUST(gmem_prealloc_create(pa->ctx, opts, &job) == 0);
	return job;
}

int pa_add(struct gmem_prealloc *job, struct gmem_file *file, uint64_t size, void *hva)
{
	GMEM_INIT(gmem_prealloc_range, range);

	range.file = file;
	range.size = size;
	range.hva = hva;
	range.node = GMEM_NODE_ANY;
	return gmem_prealloc_add(job, &range);
}

bool pa_says(const char *text)
{
	if (strstr(gmem_errinfo()->message, text))
		return true;
	fprintf(stderr, "no \"%s\" in: %s\n", text, gmem_errinfo()->message);
	return false;
}

void pa_set_pool(struct pa *pa, uint64_t page_size, uint32_t node, uint64_t total, uint64_t most)
{
	GMEM_INIT(gmem_sim_pool, pool);

	pool.page_size = page_size;
	pool.node = node;
	pool.total = total;
	pool.most = most;
	MUST(gmem_sim_set_pool(pa->sim, &pool) == 0);
}

struct gmem_hugetlb_info pa_pool(struct pa *pa, uint64_t page_size, uint32_t node)
{
	GMEM_INIT(gmem_hugetlb_info, info);

	EXPECT("pool", gmem_hugetlb_get_info(pa->ctx, page_size, node, &info), 0);
	return info;
}

struct gmem_hugetlb_share *pa_take_pool(struct pa *pa, uint64_t page_size, uint32_t node,
					uint64_t size)
{
	GMEM_INIT(gmem_hugetlb_info, info);
	struct gmem_hugetlb_share *share = NULL;
	int ret = gmem_hugetlb_get_info(pa->ctx, page_size, node, &info);

	PA_REQUIRE(pa, ret == 0, "%s", gmem_errinfo()->message);
	ret = gmem_hugetlb_reserve(pa->ctx, page_size, node, size, NULL, &share);
	PA_REQUIRE(pa, ret == 0, "%s", gmem_errinfo()->message);
	return share;
}

void pa_drop_pool(struct gmem_hugetlb_share *share)
{
	EXPECT("release", gmem_hugetlb_release(share), 0);
}

int pa_huge_memfd(struct pa *pa, uint64_t page_size, uint64_t size)
{
	uint32_t flags = GMI_MFD_HUGETLB | (uint32_t)__builtin_ctzll(page_size)
						   << GMI_MFD_HUGE_SHIFT;
	int fd = pa->ops->memfd(pa->user, "prealloc-test", flags);

	PA_REQUIRE(pa, fd >= 0, "no memfd of huge pages (%s)", gt_errno_name(fd));
	MUST(pa->ops->ftruncate(pa->user, fd, size) == 0);
	return fd;
}

uint64_t pa_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
