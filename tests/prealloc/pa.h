/* SPDX-License-Identifier: MIT */
/* What the tests of preallocation start with, on any kernel. */
#ifndef PA_H
#define PA_H

#include <libgmem/libgmem.h>
#include <libgmem/sim.h>

#include "gmem_test.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

/* What a simulated kernel of one's own is like; a real one has what it has. */
struct pa_machine {
	uint64_t memory; /* 0 is without limit */
	uint32_t nodes;
	uint64_t rfc; /* for the context, on all kernels */
};

struct pa {
	const struct gt *t;
	const struct gmem_sys_ops *ops;
	void *user;
	struct gmem_sim *sim; /* of its own, or NULL */
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	uint32_t vm_type;
	bool has_shared; /* files that the host can touch */
};

void pa_open(struct pa *pa, const struct gt *t, const struct pa_machine *machine);
void pa_close(struct pa *pa);

/* REQUIRE() that takes down what pa_open() made, and @pa alone. */
#define PA_REQUIRE(pa, condition, ...)                                                             \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			pa_close(pa);                                                              \
			gt_skip(__VA_ARGS__);                                                      \
		}                                                                                  \
	} while (0)

/* A file that suits the type of VM: shared where there are such. */
struct gmem_file *pa_file(struct pa *pa, uint64_t size);
struct gmem_file *pa_file_with(struct pa *pa, uint64_t size, uint64_t flags);

/* Bytes of the file that are there, and on a real kernel zeroed too; the test is skipped where the
 * kernel does not tell. */
uint64_t pa_allocated(struct pa *pa, struct gmem_file *file, uint64_t size);

/* The node of the page at @addr. */
int pa_node_of(struct pa *pa, void *addr);

/* A preallocation of one range of a file, or more to be added. */
struct gmem_prealloc *pa_job(struct pa *pa, const struct gmem_prealloc_opts *opts);
int pa_add(struct gmem_prealloc *job, struct gmem_file *file, uint64_t size, void *hva);

/* True where the record's message has @text in it; says it where not. */
bool pa_says(const char *text);

/* The simulated kernel's pool, set up as at boot. */
void pa_set_pool(struct pa *pa, uint64_t page_size, uint32_t node, uint64_t total, uint64_t most);

struct gmem_hugetlb_info pa_pool(struct pa *pa, uint64_t page_size, uint32_t node);

/* Sets up a pool with @size bytes available on @node: of the simulated kernel, of the test bed's, or of
 * the machine's, where it is allowed and can give them. Else the test is skipped. Ends with
 * pa_drop_pool(). */
struct gmem_hugetlb_share *pa_take_pool(struct pa *pa, uint64_t page_size, uint32_t node,
					uint64_t size);
void pa_drop_pool(struct gmem_hugetlb_share *share);

/* A memfd of huge pages. */
int pa_huge_memfd(struct pa *pa, uint64_t page_size, uint64_t size);

/* xorshift: the same numbers on every run. */
uint64_t pa_random(uint64_t *state);

#endif
