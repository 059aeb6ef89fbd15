/* SPDX-License-Identifier: MIT */
/* Mappings of guest_memfd files: what the host may touch, and what raises SIGBUS. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "range.h"
#include "sim_model.h"

/*
 * A private page is mapped from the same file, at an offset far behind its end: touching it raises
 * a true SIGBUS with BUS_ADRERR at the address, and the mapping keeps the file alive as any other.
 */
static uint64_t alias(uint64_t offset)
{
	return SIM_ALIAS_BASE + offset % SIM_BACKED_END;
}

/* The index of the first mapping that ends above @addr. */
static size_t find(const struct gmem_sim *sim, uint64_t addr)
{
	size_t low = 0;
	size_t high = sim->mappings;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sim->mapping[mid].addr + sim->mapping[mid].size > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

const struct sim_mapping *gmi_sim_mapping_at(const struct gmem_sim *sim, uint64_t addr)
{
	size_t at = find(sim, addr);

	return at < sim->mappings && sim->mapping[at].addr <= addr ? &sim->mapping[at] : NULL;
}

static int reserve(struct gmem_sim *sim)
{
	size_t capacity = sim->mapping_capacity ? sim->mapping_capacity * 2 : 16;
	struct sim_mapping *more;

	if (sim->mappings + 2 <= sim->mapping_capacity)
		return 0;
	more = reallocarray(sim->mapping, capacity, sizeof(*more));
	if (!more)
		return -ENOMEM;
	sim->mapping = more;
	sim->mapping_capacity = capacity;
	return 0;
}

static void insert(struct gmem_sim *sim, size_t at, struct sim_mapping mapping)
{
	memmove(&sim->mapping[at + 1], &sim->mapping[at], (sim->mappings - at) * sizeof(mapping));
	sim->mapping[at] = mapping;
	sim->mappings++;
}

static void erase(struct gmem_sim *sim, size_t at)
{
	sim->mappings--;
	memmove(&sim->mapping[at], &sim->mapping[at + 1],
		(sim->mappings - at) * sizeof(sim->mapping[0]));
}

/* What is left of a mapping below and above a hole. */
static void cut(struct gmem_sim *sim, size_t at, uint64_t start, uint64_t end)
{
	struct sim_mapping old = sim->mapping[at];
	struct sim_mapping rest = old;

	erase(sim, at);
	if (old.addr + old.size > end) {
		rest.addr = end;
		rest.size = old.addr + old.size - end;
		rest.offset = old.offset + (end - old.addr);
		insert(sim, at, rest);
	}
	if (old.addr < start) {
		old.size = start - old.addr;
		insert(sim, at, old);
	}
}

/* The addresses belong to nothing of ours any more. */
void gmi_sim_forget_mappings(struct gmem_sim *sim, uint64_t addr, uint64_t size)
{
	uint64_t end = addr + size;
	size_t at;

	if (reserve(sim))
		return;
	for (at = find(sim, addr); at < sim->mappings && sim->mapping[at].addr < end;
	     at = find(sim, addr))
		cut(sim, at, addr, end);
}

void gmi_sim_forget_view(struct gmem_sim *sim, const struct sim_view *view)
{
	for (size_t i = sim->mappings; i-- > 0;) {
		if (sim->mapping[i].view == view)
			erase(sim, i);
	}
}

/* The checks of ksys_mmap_pgoff(), do_mmap() and kvm_gmem_mmap(), in their order. */
static int check_mmap(const struct gmem_sim *sim, const struct sim_inode *inode,
		      const struct sim_mapping *want, int prot, int flags)
{
	int type = flags & MAP_TYPE;

	if (!gmi_is_aligned(want->offset, SIM_PAGE) || flags & MAP_HUGETLB || !want->size)
		return -EINVAL;
	if (want->offset > INT64_MAX || want->size > INT64_MAX - want->offset)
		return -EOVERFLOW;
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && flags & MAP_SYNC)
		return -EOPNOTSUPP;
	if (prot & PROT_EXEC)
		return -EPERM;
	if (!(inode->flags & GMI_GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;
	return type == MAP_PRIVATE ? -EINVAL : 0;
}

static int map_at(struct sim_mapping *want, uint64_t offset, int prot, int flags, int fd)
{
	void *addr =
		mmap((void *)(uintptr_t)want->addr, want->size, prot, flags, fd, (off_t)offset);

	if (addr == MAP_FAILED)
		return -errno;
	want->addr = (uintptr_t)addr;
	return 0;
}

/* The shared runs of a mapping that was made of SIGBUS alone. */
static int map_shared_runs(const struct sim_mapping *made, int prot, int flags, int fd)
{
	uint64_t limit = made->offset + made->size;
	uint64_t end;

	if (limit > made->view->inode->size)
		limit = made->view->inode->size;
	for (uint64_t at = made->offset; at < limit; at = end) {
		struct sim_mapping part = {.addr = made->addr + (at - made->offset)};
		bool private = gmi_sim_offset_is_private(made->view->inode, at, &end);
		int ret;

		if (end > limit)
			end = limit;
		part.size = end - at;
		if (private)
			continue;
		ret = map_at(&part, at, prot, flags | MAP_FIXED, fd);
		if (ret)
			return ret;
	}
	return 0;
}

static bool is_all_shared(const struct sim_mapping *want)
{
	return gmi_sim_rangemap_covers(&want->view->inode->shared, want->offset,
				       want->offset + want->size);
}

/* Maps a view; @want->addr is the wish, and the address on success. */
int gmi_sim_mmap_view(struct gmem_sim *sim, struct sim_view *view, struct sim_mapping *want,
		      int prot, int flags, int fd)
{
	int ret = check_mmap(sim, view->inode, want, prot, flags);
	int own = MAP_SHARED | (flags & ~(MAP_TYPE | MAP_SYNC));

	if (!ret)
		ret = reserve(sim);
	if (!ret && view->inode->is_memfd)
		ret = gmi_sim_huge_mmap(view->inode, want->offset, want->size, flags);
	if (ret)
		return ret;
	want->view = view;
	want->size = (want->size + SIM_PAGE - 1) & ~(uint64_t)(SIM_PAGE - 1);
	if (is_all_shared(want)) {
		ret = map_at(want, want->offset, prot, own, fd);
	} else {
		ret = map_at(want, alias(want->offset), prot, own, fd);
		if (!ret)
			ret = map_shared_runs(want, prot, own & ~MAP_FIXED_NOREPLACE, fd);
	}
	if (ret)
		return ret;
	gmi_sim_forget_mappings(sim, want->addr, want->size);
	insert(sim, find(sim, want->addr), *want);
	return 0;
}

/* One line of /proc/self/maps. */
struct vma {
	uint64_t start;
	uint64_t end;
	uint64_t ino;
};

static bool next_vma(FILE *maps, struct vma *ret_vma)
{
	unsigned long long start, end, ino;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %*s %*x %*x:%*x %llu", &start, &end, &ino) != 3)
			continue;
		*ret_vma = (struct vma){start, end, ino};
		return true;
	}
	return false;
}

/*
 * Points a part of the address space at another offset of the file that it already maps. No
 * descriptor is needed, which may be closed long since: that is what remap_file_pages() is for.
 */
static void remap_part(const struct sim_mapping *mapping, uint64_t start, uint64_t end,
		       bool private)
{
	uint64_t offset = mapping->offset + (start - mapping->addr);

	if (private)
		offset = alias(offset);
	remap_file_pages((void *)(uintptr_t)start, end - start, 0, offset / SIM_PAGE, MAP_NONBLOCK);
}

/* The caller may have unmapped behind our back: only what still maps this inode is touched. */
static void remap_mapping(const struct sim_mapping *mapping, uint64_t start, uint64_t end,
			  bool private)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct vma vma;

	while (maps && next_vma(maps, &vma)) {
		uint64_t from = vma.start > start ? vma.start : start;
		uint64_t to = vma.end < end ? vma.end : end;

		if (from < to && vma.ino == mapping->view->inode->ino)
			remap_part(mapping, from, to, private);
	}
	if (maps)
		fclose(maps);
}

/* Makes every mapping of a range that changed its state follow. */
void gmi_sim_remap(struct gmem_sim *sim, const struct sim_inode *inode, uint64_t offset,
		   uint64_t size, bool private)
{
	struct gmem_range changed = {offset, size};

	for (size_t i = 0; i < sim->mappings; i++) {
		const struct sim_mapping *mapping = &sim->mapping[i];
		struct gmem_range both = gmi_range_intersect(
			changed, (struct gmem_range){mapping->offset, mapping->size});
		uint64_t start = mapping->addr + (both.start - mapping->offset);

		if (mapping->view->inode == inode && both.size)
			remap_mapping(mapping, start, start + both.size, private);
	}
}
