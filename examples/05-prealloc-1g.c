/* SPDX-License-Identifier: MIT */
/* Has a guest's memory ready in pages of 1G before it starts, or says at once why not. */
#include <libgmem/libgmem.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MFD_1G (30u << 26) /* log2 of the page size, where memfd_create() has it */

static int complain(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	return 1;
}

static int show(void *user, const struct gmem_prealloc_info *info)
{
	printf("%llu of %llu MiB by %u threads, %.1f GiB/s\n", (unsigned long long)info->done >> 20,
	       (unsigned long long)info->total >> 20, info->workers,
	       (double)info->rate / (1 << 30));
	return 0; /* what is not 0 cancels */
}

/* In pages of 1G and no other: the layout refuses what does not fit, and says what is in the way. */
static int plan(uint64_t size, struct gmem_layout_range *range)
{
	GMEM_INIT(gmem_layout_opts, opts);
	struct gmem_layout *layout;

	opts.page_sizes = GMEM_PAGE_1G;
	if (gmem_layout_create(size, &opts, &layout) < 0)
		return complain("cannot plan");
	gmem_layout_get_range(layout, 0, range);
	gmem_layout_unref(layout);
	printf("guest address %#llx: %llu MiB in pages of %llu MiB\n",
	       (unsigned long long)range->gpa, (unsigned long long)range->size >> 20,
	       (unsigned long long)range->page_size >> 20);
	return 0;
}

/* With as many threads as make it faster; all or nothing. */
static int get_ready(struct gmem_ctx *ctx, int fd, void *addr, uint64_t size)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *prealloc;
	int status = 0;

	opts.mode = GMEM_PREALLOC_READY;
	opts.workers = GMEM_PREALLOC_AUTO;
	opts.flags = GMEM_PREALLOC_UNDO;
	opts.progress = show;
	range.flags = GMEM_PREALLOC_FD;
	range.fd = fd;
	range.size = size;
	range.hva = addr;
	range.node = GMEM_NODE_ANY;
	if (gmem_prealloc_create(ctx, &opts, &prealloc) < 0)
		return complain("cannot preallocate");
	if (gmem_prealloc_add(prealloc, &range) < 0 || gmem_prealloc_run(prealloc, NULL) < 0)
		status = complain("cannot get the memory ready");
	gmem_prealloc_unref(prealloc);
	return status;
}

/* Mapping it is what claims the pages; a VMM would give @addr to gmem_slot_bind() next. */
static int use_pages(struct gmem_ctx *ctx, const struct gmem_layout_range *range)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB | MFD_1G);
	void *addr = MAP_FAILED;
	int status = 1;

	if (fd >= 0 && ftruncate(fd, (off_t)range->size) == 0)
		addr = mmap(NULL, range->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		perror("no memory of huge pages");
	} else {
		status = get_ready(ctx, fd, addr, range->size);
		munmap(addr, range->size);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

/* The pool gets what is missing, and loses no more than that at the end. */
static int run(struct gmem_ctx *ctx, const struct gmem_layout_range *range)
{
	struct gmem_hugetlb_share *share;
	int status;

	if (gmem_hugetlb_reserve(ctx, GMEM_PAGE_1G, GMEM_NODE_ANY, range->size, NULL, &share) < 0)
		return complain("no pages of 1G");
	printf("added %llu MiB to the pool\n", (unsigned long long)gmem_hugetlb_added(share) >> 20);
	status = use_pages(ctx, range);
	if (gmem_hugetlb_release(share) < 0) {
		complain("the pool stays larger");
		gmem_hugetlb_leave(share);
	}
	return status;
}

int main(int argc, char **argv)
{
	uint64_t size = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1) << 30;
	GMEM_INIT(gmem_layout_range, range);
	struct gmem_ctx *ctx;
	int status;

	if (plan(size, &range))
		return 1;
	if (gmem_ctx_create(NULL, &ctx) < 0)
		return complain("cannot use KVM");
	status = run(ctx, &range);
	gmem_ctx_unref(ctx);
	return status;
}
