/* SPDX-License-Identifier: MIT */
/* The context as the other objects see it. */
#ifndef GMI_CORE_CTX_H
#define GMI_CORE_CTX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <libgmem/ctx.h>

#include "sys_call.h"

/* What the kernel was found to say about one feature. Not @known: never asked, or no answer. */
struct gmi_answer {
	bool known;
	int state; /* as in struct gmem_feature_info */
	uint32_t cap;
	int cap_value;
	const char *reason; /* constant; without full stop */
};

struct gmi_inode;
struct gmem_file;

struct gmem_ctx {
	struct gmi_sys sys;
	struct gmem_allocator allocator;
	void (*log)(void *user, const char *line);
	void *log_user;
	uint64_t rfc;
	uint64_t hugetlb_flag; /* with GMEM_RFC_HUGETLB_WIP, as @hugetlb_order_offset */
	uint32_t hugetlb_order_offset;
	int kvm_fd; /* closed with the context unless @borrowed */
	bool borrowed;
	atomic_uint refs;
	uint32_t slots_max; /* memslots of one address space of any VM */

	pthread_mutex_t inode_lock;  /* the two lists, and what inodes say of their files */
	struct gmi_inode *inodes;    /* those that files of this context are on */
	struct gmem_file *strangers; /* files made here whose inode has no record yet */

	pthread_mutex_t probe_lock; /* @answers */
	struct gmi_answer answers[GMEM_VM_TYPE_COUNT][GMEM_FEATURE_COUNT];
};

struct gmem_ctx *gmi_ctx_get(struct gmem_ctx *ctx);
void gmi_ctx_put(struct gmem_ctx *ctx);

/* One line to the caller's log, without a newline. */
__attribute__((format(printf, 2, 3))) void gmi_log(const struct gmem_ctx *ctx, const char *line,
						   ...);

/* munmap() that leaves no mapping behind where the kernel is short of memory for a moment. */
void gmi_ctx_munmap(const struct gmem_ctx *ctx, void *addr, uint64_t size);

/* close(), whose failure leaves nothing to do: Linux has released the descriptor by then. */
void gmi_ctx_close(const struct gmem_ctx *ctx, int fd);

#endif
