/* SPDX-License-Identifier: MIT */
/* Pools of huge pages, files that take theirs from one, and the files of /sys that tell of them. */
#ifndef GMI_SIM_HUGETLB_H
#define GMI_SIM_HUGETLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NODES 64u
#define SIM_POOLS 2u

struct gmem_sim;
struct sim_inode;
struct sim_mapping;
struct sim_vm;

/* Numbers of pages. */
struct sim_pool {
	uint64_t page_size;
	uint64_t total[SIM_NODES]; /* surplus included */
	uint64_t free[SIM_NODES];
	uint64_t surplus[SIM_NODES];
	uint64_t most[SIM_NODES]; /* what a node can be brought to at run time */
	uint64_t reserved;        /* promised, and free still */
	uint64_t charged;         /* to the control group */
	uint64_t limit;           /* of the control group; UINT64_MAX is none */
	uint32_t flags;           /* GMEM_SIM_POOL_… */
};

/* hugetlb.c */
void gmi_sim_pools_init(struct gmem_sim *sim);
struct sim_pool *gmi_sim_pool_find(struct gmem_sim *sim, uint64_t page_size);

/* Sets nr_hugepages of @node, or of all for GMEM_NODE_ANY, as a write to the file does. */
int gmi_sim_pool_resize(const struct gmem_sim *sim, struct sim_pool *pool, uint32_t node,
			uint64_t pages);

/* Promises pages of the pool to a range of the file; all or none. */
int gmi_sim_huge_promise(struct sim_inode *inode, uint64_t offset, uint64_t size);

/* As gmi_sim_allocate(), whole huge pages. @policy is that of the mapping or thread. */
int gmi_sim_huge_allocate(struct gmem_sim *sim, struct sim_inode *inode, uint64_t offset,
			  uint64_t size, uint64_t policy, uint64_t *ret_done);
void gmi_sim_huge_punch(struct sim_inode *inode, uint64_t offset, uint64_t size);

/* Everything back to the pool. */
void gmi_sim_huge_release(struct sim_inode *inode);

/* The node of an allocated page, or -1. */
int gmi_sim_huge_node(const struct sim_inode *inode, uint64_t offset);

/* Bytes of huge pages in use, and of those that a shared page splits. */
void gmi_sim_huge_count(struct gmem_sim *sim, uint64_t *ret_huge, uint64_t *ret_split);

/* Before a real madvise(MADV_POPULATE_…): the faults' part. */
int gmi_sim_huge_populate(struct gmem_sim *sim, const struct sim_mapping *mapping, uint64_t addr,
			  uint64_t size);

/* hugetlb_file.c: what the creation arguments ask for, and the flags in a merged kernel's meaning.
 * @ret_page_size is 0 where they name no huge page. */
int gmi_sim_huge_parse(struct gmem_sim *sim, const struct sim_vm *vm, const void *args,
		       uint64_t *ret_flags, uint64_t *ret_page_size);

/* memfd_create() with MFD_HUGETLB. */
int gmi_sim_huge_memfd(struct gmem_sim *sim, uint32_t flags);
int gmi_sim_huge_truncate(struct sim_inode *inode, uint64_t size);

/* The checks of mmap() that only hugetlbfs makes, and its promise. */
int gmi_sim_huge_mmap(struct sim_inode *inode, uint64_t offset, uint64_t size, int flags);

/* The conversion requests of the 1G series of May 2025. */
int gmi_sim_huge_convert(struct gmem_sim *sim, struct sim_inode *inode, uint64_t arg, bool private);

/* sysfs.c: the files that tell about this machine. False where it has no such file. */
bool gmi_sim_read_file(struct gmem_sim *sim, const char *path, char *buf, size_t size,
		       int *ret_result);
int gmi_sim_write_file(struct gmem_sim *sim, const char *path, const char *buf, size_t size);
bool gmi_sim_has_file(struct gmem_sim *sim, const char *path);

#endif
