/* SPDX-License-Identifier: MIT */
/* What is done to a piece to make it ready, and to free it; and why that failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "errinfo.h"
#include "kvm_call.h"
#include "pool.h"
#include "prealloc_job.h"
#include "uapi_mm.h"

#define PAUSE_NS 1000000u /* 1 ms */

/* Interruptions without any progress after which something else is wrong. */
#define TRIES_MAX 200

/* 16 pages, which no signal is too fast for. */
#define STEP_MIN (UINT64_C(64) << 10)

/* Where the memory comes from, in numbers: what a failure for want of it needs. */
static struct gmi_pool_text describe_source(const struct gmem_prealloc *job,
					    const struct gmi_prealloc_range *range)
{
	struct gmi_pool_text text = {"the host's numbers cannot be read"};
	uint64_t available, total;
	char node[32] = "the host";

	if (range->is_hugetlb)
		return gmi_pool_text(job->ctx, range->page_size, range->node);
	if (gmi_host_memory(job->ctx, range->node, &available, &total))
		return text;
	if (range->node != GMEM_NODE_ANY)
		snprintf(node, sizeof(node), "node %u", range->node);
	snprintf(text.text, sizeof(text.text), "%s has %s available of %s", node,
		 gmi_size_text(available).text, gmi_size_text(total).text);
	return text;
}

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -ENOSPC;
}

static int fail(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		struct gmem_range piece, int error, const char *call)
{
	unsigned long long at = range->offset + piece.start;
	struct gmi_size_text size = gmi_size_text(piece.size);

	if (is_shortage(error))
		gmi_error_call(error, call, "%s at %#llx of %s: %s", size.text, at,
			       gmi_size_text(range->size).text, describe_source(job, range).text);
	else if (error == -EHWPOISON)
		gmi_error_call(error, call, "%s at %#llx hold a poisoned page", size.text, at);
	else if (error == -EFAULT)
		gmi_error_call(error, call, "the host cannot touch %s at %#llx", size.text, at);
	else
		gmi_error_call(error, call, "%s at %#llx of %s", size.text, at,
			       gmi_size_text(range->size).text);
	return gmi_at_offset(range->offset + piece.start, piece.size);
}

/* A handler may have run that cancels; else it is done again. */
static bool goes_on(struct gmem_prealloc *job, int ret, unsigned int *tries)
{
	if (ret == -EAGAIN)
		gmi_sys_sleep(&job->ctx->sys, PAUSE_NS);
	return (ret == -EINTR || ret == -EAGAIN) && ++*tries < TRIES_MAX &&
	       !gmi_prealloc_stop_reason(job);
}

typedef int step_fn(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		    uint64_t start, uint64_t size);

/*
 * An interrupted call does not say how far it came, and the next one goes over all of it again: under
 * many signals only smaller steps get to their end.
 */
static int in_steps(struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		    struct gmem_range piece, step_fn *call)
{
	uint64_t least = range->page_size > STEP_MIN ? range->page_size : STEP_MIN;
	uint64_t done = 0, step = piece.size, size;
	unsigned int tries = 0;
	int ret;

	while (done < piece.size) {
		size = piece.size - done < step ? piece.size - done : step;
		ret = call(job, range, piece.start + done, size);
		if (!ret) {
			done += size;
			tries = 0;
		} else if (!goes_on(job, ret, &tries)) {
			return ret;
		} else if (step / 8 >= least) {
			step /= 8;
		}
	}
	return 0;
}

static int call_fallocate(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			  uint64_t start, uint64_t size)
{
	return gmi_sys_fallocate(&job->ctx->sys, range->fd, FALLOC_FL_KEEP_SIZE,
				 range->offset + start, size);
}

static int call_madvise(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			uint64_t start, uint64_t size)
{
	return gmi_sys_madvise(&job->ctx->sys, range->addr + start, size, range->populates);
}

static int allocate(struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		    struct gmem_range piece)
{
	int ret = in_steps(job, range, piece, call_fallocate);

	return ret ? fail(job, range, piece, ret, "fallocate") : 0;
}

/* A fault on a huge page that the pool does not have is a bus error, which arrives here as EFAULT.
 *  */
static int populate_error(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			  int error)
{
	struct gmem_errinfo record = *gmem_errinfo();
	struct gmem_hugetlb_info info;

	if (error != -EFAULT || !range->is_hugetlb)
		return error;
	if (!gmi_pool_read(job->ctx, range->page_size, range->node, &info) &&
	    info.free < range->page_size)
		error = -ENOSPC;
	gmi_errinfo_restore(&record);
	return error;
}

static int populate(struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
		    struct gmem_range piece)
{
	const char *call = range->populates == GMI_MADV_POPULATE_READ
				   ? "madvise(MADV_POPULATE_READ)"
				   : "madvise(MADV_POPULATE_WRITE)";
	int ret = in_steps(job, range, piece, call_madvise);

	return ret ? fail(job, range, piece, populate_error(job, range, ret), call) : 0;
}

static int fail_prefault(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			 struct gmem_range piece, int error, uint64_t gpa)
{
	if (error == -EOPNOTSUPP)
		gmi_error_feature(GMEM_FEATURE_PRE_FAULT,
				  "KVM does not map memory ahead for this VM");
	else if (error == -ENOENT)
		gmi_error_call(error, "KVM_PRE_FAULT_MEMORY", "no memory is bound at %#llx",
			       (unsigned long long)gpa);
	else
		fail(job, range, piece, error, "KVM_PRE_FAULT_MEMORY");
	return gmi_at_gpa(gpa, range->gpa + piece.start + piece.size - gpa);
}

/* KVM says success where it came to a part of it, and moves the numbers. */
static int prefault(const struct gmi_prealloc_worker *worker,
		    const struct gmi_prealloc_range *range, struct gmem_range piece)
{
	struct gmem_prealloc *job = worker->job;
	uint64_t gpa = range->gpa + piece.start, size = piece.size, before;
	unsigned int tries = 0;
	int ret;

	while (size) {
		before = size;
		ret = gmi_kvm_pre_fault(&job->ctx->sys, job->vcpu_fds[worker->vcpu], &gpa, &size);
		if (ret >= 0 && size >= before)
			ret = -EIO;
		if (size < before)
			tries = 0;
		if (ret < 0 && !goes_on(job, ret, &tries))
			return fail_prefault(job, range, piece, ret, gpa);
	}
	return 0;
}

/* Only on libgmem's own threads, and only where the memory cannot carry a policy itself. */
static int take_policy(struct gmi_prealloc_worker *worker, const struct gmi_prealloc_range *range)
{
	static const struct gmi_policy none = {.mode = GMEM_NUMA_DEFAULT};
	const struct gmi_policy *policy = range->policy_by_worker ? &range->policy : &none;
	int ret;

	if (!worker->team || worker->policy == policy)
		return 0;
	if (!range->policy_by_worker && !worker->policy)
		return 0;
	ret = gmi_sys_set_mempolicy(&worker->job->ctx->sys, (int)policy->mode,
				    policy == &none ? NULL : policy->nodes,
				    policy == &none ? 0 : GMI_MAX_NUMNODES);
	if (ret)
		return gmi_error_call(ret, "set_mempolicy",
				      "the kernel refuses the NUMA policy for libgmem's thread");
	worker->policy = policy;
	return 0;
}

int gmi_prealloc_step(struct gmi_prealloc_worker *worker, const struct gmi_prealloc_range *range,
		      struct gmem_range piece)
{
	int ret = take_policy(worker, range);

	if (!ret && range->allocates)
		ret = allocate(worker->job, range, piece);
	if (!ret && range->populates)
		ret = populate(worker->job, range, piece);
	if (!ret && range->prefaults)
		ret = prefault(worker, range, piece);
	return ret;
}

/* Memory without a descriptor: of a file where it can be removed, else its own pages are dropped.
 *  */
static int free_host_memory(const struct gmi_sys *sys, void *addr, uint64_t size)
{
	int ret = gmi_sys_madvise(sys, addr, size, MADV_REMOVE);

	return ret ? gmi_sys_madvise(sys, addr, size, MADV_DONTNEED) : 0;
}

int gmi_prealloc_unstep(const struct gmem_prealloc *job, const struct gmi_prealloc_range *range,
			struct gmem_range piece)
{
	const struct gmi_sys *sys = &job->ctx->sys;
	unsigned int tries = 0;
	int ret;

	do {
		if (range->fd >= 0)
			ret = gmi_sys_fallocate(sys, range->fd,
						FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						range->offset + piece.start, piece.size);
		else
			ret = free_host_memory(sys, range->addr + piece.start, piece.size);
	} while (ret == -EINTR && ++tries < TRIES_MAX);
	return ret;
}
