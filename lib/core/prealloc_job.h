/* SPDX-License-Identifier: MIT */
/* A preallocation as its parts see it. */
#ifndef GMI_PREALLOC_JOB_H
#define GMI_PREALLOC_JOB_H

#include <libgmem/prealloc.h>

#include <libgmem/error.h>

#include "core_file.h"
#include "host.h"
#include "prealloc_calibrate.h"

/* What a piece has gone through. */
enum gmi_piece {
	GMI_PIECE_NEW,
	GMI_PIECE_TAKEN, /* nobody knows how much of it is there */
	GMI_PIECE_DONE,
};

/* Placement that the memory itself cannot carry is carried by the thread that allocates. */
struct gmi_policy {
	uint32_t mode; /* enum gmem_numa_mode */
	uint64_t nodes[GMI_NODE_WORDS];
};

/* One range. Nothing but @states changes once the work has begun. */
struct gmi_prealloc_range {
	struct gmi_prealloc_range *next; /* in the order in which they were added */
	struct gmem_file *file;          /* a reference, or NULL */
	int fd; /* the file's or the caller's memfd; -1 for host memory alone */
	uint64_t offset;
	uint64_t size;
	uint64_t gpa; /* where @prefaults */
	uint64_t page_size;
	bool is_hugetlb; /* pages come from a pool: a memfd of huge pages, or HugeTLB guest_memfd */
	bool is_memfd;   /* @fd is the caller's */

	/* The steps that make a piece ready, in this order. */
	bool allocates; /* fallocate() */
	int populates;  /* advice for madvise(), or 0 */
	bool prefaults; /* KVM_PRE_FAULT_MEMORY */

	char *addr; /* the mapping of the range, or NULL */
	bool owns_mapping;

	struct gmi_policy policy;
	bool policy_by_worker;
	uint32_t node; /* near which to work, or GMEM_NODE_ANY */

	uint64_t piece; /* bytes */
	uint64_t count; /* pieces */
	_Atomic unsigned char *states;
};

/* The pieces of all ranges near one node, which workers take one after the other. */
struct gmi_prealloc_group {
	uint32_t node;
	uint64_t size;
	uint64_t count; /* pieces */
	size_t range_count;
	struct gmi_prealloc_range **ranges;
	uint64_t *firsts; /* number of each range's first piece */
	_Atomic uint64_t next;
	_Atomic uint64_t next_undo;
};

/* libgmem's threads on one node. The job's lock. */
struct gmi_prealloc_team {
	uint32_t node;
	uint32_t workers;
	uint64_t cpus[GMI_CPU_WORDS];
	struct gmi_calibration calibration;
};

struct gmi_prealloc_worker {
	struct gmem_prealloc *job;
	struct gmi_prealloc_team *team; /* NULL for the caller's threads */
	uint32_t node;
	uint32_t index; /* in its team */
	uint32_t vcpu;  /* of the caller's vCPUs */
	const struct gmi_policy
		*policy; /* that the thread has, or NULL for the one that it came with */
	pthread_t thread;
};

enum gmi_prealloc_state {
	GMI_PREALLOC_NEW,
	GMI_PREALLOC_RUNNING,
	GMI_PREALLOC_UNDOING,
	GMI_PREALLOC_ENDING, /* the last worker tidies up */
	GMI_PREALLOC_OVER,
};

struct gmem_prealloc {
	struct gmem_ctx *ctx; /* a reference */
	struct gmem_prealloc_opts opts;
	int *vcpu_fds; /* a copy */

	struct gmi_prealloc_range *ranges; /* in order */
	struct gmi_prealloc_range **last;
	uint64_t total;

	struct gmi_prealloc_group *groups;
	size_t group_count;
	struct gmi_prealloc_team *teams; /* of gmem_prealloc_run() */
	size_t team_count;

	uint64_t start; /* ns */
	_Atomic uint64_t done;
	_Atomic uint64_t progress_at; /* ns */
	atomic_bool is_cancelled;
	atomic_int error; /* the first one; workers stop when it is set */
	pthread_mutex_t progress_lock;

	/* Never held across a system call on memory: all that follows. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum gmi_prealloc_state state;
	bool has_run;               /* gmem_prealloc_run() was called */
	struct gmem_errinfo record; /* of @error */
	uint32_t arrived;
	uint32_t active;     /* at work, or undoing */
	uint32_t active_max; /* most at work at a time */
	uint64_t end;        /* ns */
};

/* prealloc_range.c: looks at a caller's range, maps it and sets its policy. 0 or -errno with a
 * record; on failure what was made is released by gmi_prealloc_range_release(). */
int gmi_prealloc_range_make(struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
			    struct gmi_prealloc_range *range);
void gmi_prealloc_range_unmap(const struct gmem_prealloc *job, struct gmi_prealloc_range *range);
void gmi_prealloc_range_release(const struct gmem_prealloc *job, struct gmi_prealloc_range *range);

/* prealloc_policy.c: places a range that is mapped at @addr or not, in the way that the memory has.
 *  */
int gmi_prealloc_place(const struct gmem_prealloc *job, const struct gmem_prealloc_range *in,
		       struct gmi_prealloc_range *range);

/* prealloc_plan.c: cuts the ranges into groups and pieces. 0 or -errno with a record. */
int gmi_prealloc_plan(struct gmem_prealloc *job);
void gmi_prealloc_plan_free(struct gmem_prealloc *job);

/* prealloc_check.c: before: whether the host has it; after: whether pages are where they should be.
 *  */
int gmi_prealloc_check_host(const struct gmem_prealloc *job);
int gmi_prealloc_check_nodes(const struct gmem_prealloc *job);

/* prealloc_step.c: makes @piece of @range ready, or frees it; offsets are relative to the range's.
 *  */
int gmi_prealloc_step(struct gmi_prealloc_worker *worker, const struct gmi_prealloc_range *range,
		      struct gmem_range piece);
int gmi_prealloc_unstep(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			struct gmem_range piece);

/* prealloc_work.c: all that a worker does, from its arrival to the end of the job. Returns its
 * result, with the record. */
int gmi_prealloc_take_part(struct gmi_prealloc_worker *worker);

/* Makes the plan, unless it is made; what fails is the job's error. */
void gmi_prealloc_begin(struct gmem_prealloc *job);

/* Ends the job with an error that this thread's record describes. */
void gmi_prealloc_fail(struct gmem_prealloc *job, int error);

/* -ECANCELED, -ETIMEDOUT or the first error where workers have to stop, else 0. */
int gmi_prealloc_stop_reason(struct gmem_prealloc *job);

/* prealloc_threads.c: makes the threads, runs them to the end and joins them. */
int gmi_prealloc_run_threads(struct gmem_prealloc *job);

/* prealloc.c: the numbers of now. */
void gmi_prealloc_fill_info(struct gmem_prealloc *job, struct gmem_prealloc_info *info);

#endif
