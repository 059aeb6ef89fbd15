/* SPDX-License-Identifier: MIT */
/* One round of questions: its throwaway objects, and how a question is answered. */
#ifndef GMI_PROBE_RUN_H
#define GMI_PROBE_RUN_H

#include "core_ctx.h"

struct gmi_probe_run {
	struct gmem_ctx *ctx;
	uint32_t vm_type;
	struct gmi_answer *answers; /* of this type, indexed by feature */

	/* Made when a question needs them, closed after the round; -1 or an error where there is
	 * none. */
	int vm_fd;
	int gmem_fd; /* one page, flags 0 */
	int mmap_fd; /* one page, mappable */
};

static inline struct gmi_answer gmi_yes(const char *reason)
{
	return (struct gmi_answer){.known = true, .state = 1, .reason = reason};
}

static inline struct gmi_answer gmi_no(const char *reason)
{
	return (struct gmi_answer){.known = true, .state = 0, .reason = reason};
}

/* The question itself failed: nothing to remember. */
static inline struct gmi_answer gmi_unknown(int error, const char *reason)
{
	return (struct gmi_answer){.state = error, .reason = reason};
}

/* True where @feature is there; else *@ret_answer is "no" or "unknown", as @feature is. */
bool gmi_probe_needs(const struct gmi_probe_run *run, uint32_t feature, const char *otherwise,
		     struct gmi_answer *ret_answer);

/* Descriptors of the throwaway objects, or the error that kept them from being made. */
int gmi_probe_vm(struct gmi_probe_run *run);
int gmi_probe_gmem(struct gmi_probe_run *run);
int gmi_probe_mmap_gmem(struct gmi_probe_run *run);

/* A VM's descriptor; retried where a signal interrupts it. */
int gmi_probe_create_vm(const struct gmem_ctx *ctx, uint32_t vm_type);

/* A guest_memfd of one page on @vm_fd, close-on-exec; the kernel's @flags. */
int gmi_probe_create_gmem(const struct gmem_ctx *ctx, int vm_fd, uint64_t flags);

/* The questions that have a file of their own. */
struct gmi_answer gmi_probe_numa(struct gmi_probe_run *run);
struct gmi_answer gmi_probe_link(struct gmi_probe_run *run);
struct gmi_answer gmi_probe_huge(struct gmi_probe_run *run);

#endif
