/* SPDX-License-Identifier: MIT */
/* Conversion of ranges between private and shared: checks, the order of things, partial success. */
#include <errno.h>

#include "convert_job.h"
#include "core_attr.h"
#include "discard.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "probe.h"
#include "range.h"

#define FLAGS (GMEM_CONVERT_ATOMIC | GMEM_CONVERT_UNBOUND | GMEM_CONVERT_PRE_FAULT)

/* A pre-fault that KVM breaks off is taken up again so often. */
#define PRE_FAULT_ATTEMPTS 64

static int check_opts(const struct gmem_convert_opts *opts)
{
	if (opts->flags & ~FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~FLAGS);
	if (opts->discard > GMEM_DISCARD_KEEP)
		return gmi_error_arg("discard", "unknown policy %u", opts->discard);
	if (!gmi_is_aligned(opts->slice, GMEM_PAGE_SIZE))
		return gmi_error_arg("slice", "%#llx is not a multiple of 4096",
				     (unsigned long long)opts->slice);
	if (opts->flags & GMEM_CONVERT_PRE_FAULT && opts->vcpu_fd < 0)
		return gmi_error_arg("vcpu_fd", "pre-faulting needs a vCPU's descriptor");
	return 0;
}

static int check_requests(const struct gmem_vm *vm, const struct gmem_conversion *requests,
			  size_t count)
{
	uint64_t total = 0;
	int ret = 0;

	if (count && !requests)
		return gmi_error_arg("requests", "a NULL pointer");
	for (size_t i = 0; !ret && i < count; i++) {
		ret = gmi_attr_check_range(vm, requests[i].gpa, requests[i].size);
		if (!ret)
			ret = gmi_attr_check_state(requests[i].to);
		if (!ret && requests[i].padding)
			ret = gmi_error_arg("padding", "the padding of request %zu is not 0", i);
		if (!ret && !gmi_range_end(total, requests[i].size, &total))
			ret = gmi_error_arg("size", "the requests are of 2^64 bytes or more");
	}
	return ret;
}

static int check_vm(struct gmem_vm *vm, const struct gmem_convert_opts *opts)
{
	int ret;

	if (vm->attrs.mechanism == GMI_CONVERT_NONE)
		return gmi_error_feature(GMEM_FEATURE_PRIVATE,
					 "this VM has nothing to convert: VMs of type %s have no "
					 "private memory on this kernel",
					 gmi_vm_type_name(vm->type));
	if (!(opts->flags & GMEM_CONVERT_PRE_FAULT))
		return 0;
	ret = gmi_has_feature(vm->ctx, vm->type, GMEM_FEATURE_PRE_FAULT);
	if (ret < 0)
		return ret;
	return ret ? 0
		   : gmi_error_feature(GMEM_FEATURE_PRE_FAULT, "KVM cannot pre-fault for this VM");
}

static int check_part(const struct gmi_part *part, uint32_t to, uint32_t flags)
{
	if (!part->slot && !(flags & GMEM_CONVERT_UNBOUND))
		gmi_error(-ENOENT, "nothing is bound at guest address %#llx",
			  (unsigned long long)part->gpa);
	else if (part->slot && part->slot->file && part->slot->file->denied & GMEM_RIGHT_CONVERT)
		gmi_file_check_right(part->slot->file, GMEM_RIGHT_CONVERT);
	else if (part->slot && !gmi_slot_has_gmem(part->slot) && to == GMEM_PRIVATE)
		gmi_error_feature(GMEM_FEATURE_PRIVATE,
				  "guest address %#llx is bound by host address alone",
				  (unsigned long long)part->gpa);
	else
		return 0;
	return gmi_at_gpa(part->gpa, part->size);
}

static int check_bound(struct gmem_vm *vm, const struct gmem_conversion *request, uint32_t flags)
{
	uint64_t end = request->gpa + request->size;
	struct gmi_part part;
	int ret = 0;

	for (uint64_t at = request->gpa; !ret && at < end; at += part.size) {
		part = gmi_part_at(vm, at, end);
		ret = check_part(&part, request->to, flags);
	}
	return ret;
}

static int check_all_bound(struct gmem_vm *vm, const struct gmem_conversion *requests, size_t count,
			   uint32_t flags)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++)
		ret = check_bound(vm, &requests[i], flags);
	return ret;
}

int gmi_convert_check(struct gmem_vm *vm, const struct gmem_conversion *request)
{
	int ret;

	gmi_vm_lock(vm);
	ret = check_bound(vm, request, 0);
	gmi_vm_unlock(vm);
	return ret;
}

/* Requests from @requests on that follow each other, as one. Returns how many. */
static size_t merge(const struct gmem_conversion *requests, size_t count,
		    struct gmem_conversion *ret_span)
{
	size_t i;

	*ret_span = requests[0];
	for (i = 1; i < count && requests[i].to == ret_span->to &&
		    requests[i].gpa == ret_span->gpa + ret_span->size;
	     i++)
		ret_span->size += requests[i].size;
	return i;
}

static int convert_span(struct gmi_job *job, const struct gmem_conversion *span, uint64_t *ret_done)
{
	uint64_t end = span->gpa + span->size;
	struct gmi_part part;
	uint64_t done;
	int ret = 0;

	for (*ret_done = 0; !ret && *ret_done < span->size; *ret_done += done) {
		part = gmi_part_at(job->vm, span->gpa + *ret_done, end);
		ret = gmi_job_part(job, &part, span->to, &done);
	}
	return ret;
}

static void pre_fault(struct gmi_job *job, uint64_t gpa, uint64_t size)
{
	const struct gmi_sys *sys = &job->vm->ctx->sys;
	int ret = 0;

	for (int i = 0; size && i < PRE_FAULT_ATTEMPTS; i++) {
		ret = gmi_kvm_pre_fault(sys, job->opts->vcpu_fd, &gpa, &size);
		if (ret && ret != -EAGAIN && ret != -EINTR)
			break;
	}
	job->vm->attrs.failed_prefaults += size != 0;
}

/* What follows a conversion and cannot fail it any more. */
static void settle(struct gmi_job *job, const struct gmem_conversion *span, uint64_t done)
{
	if (!done)
		return;
	gmi_job_discard_fresh(job);
	gmi_discard_settle(job->vm, span->gpa, done, job->opts->discard);
	if (job->opts->flags & GMEM_CONVERT_PRE_FAULT)
		pre_fault(job, span->gpa, done);
}

static int convert_passing(struct gmi_job *job, const struct gmem_conversion *requests,
			   size_t count, uint64_t *ret_done)
{
	struct gmem_conversion span;
	uint64_t done;
	size_t merged;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i += merged) {
		merged = merge(&requests[i], count - i, &span);
		ret = convert_span(job, &span, &done);
		settle(job, &span, done);
		*ret_done += done;
	}
	return ret;
}

static void settle_all(struct gmi_job *job, const struct gmem_conversion *requests, size_t count)
{
	struct gmem_conversion span;

	for (size_t i = 0; i < count;) {
		i += merge(&requests[i], count - i, &span);
		settle(job, &span, span.size);
	}
}

/* The record stays that of the failure, unless the way back fails too. */
static int roll_back(struct gmi_job *job, int ret)
{
	struct gmem_errinfo record = *gmem_errinfo();
	int undone = gmi_job_roll_back(job);

	if (undone)
		return undone;
	gmi_errinfo_restore(&record);
	return ret;
}

/* Nothing is discarded before all is converted: the way back needs what was there. */
static int convert_atomic(struct gmi_job *job, const struct gmem_conversion *requests, size_t count,
			  uint64_t *ret_done)
{
	struct gmem_conversion span;
	uint64_t done;
	uint64_t total = 0;
	int ret = 0;

	job->keep = true;
	for (size_t i = 0; !ret && i < count; total += done) {
		i += merge(&requests[i], count - i, &span);
		ret = convert_span(job, &span, &done);
	}
	if (ret)
		return roll_back(job, ret);
	gmi_job_commit(job);
	settle_all(job, requests, count);
	*ret_done = total;
	return 0;
}

static int convert_locked(struct gmi_job *job, const struct gmem_conversion *requests, size_t count,
			  uint64_t *ret_done)
{
	int ret = check_all_bound(job->vm, requests, count, job->opts->flags);

	if (ret)
		return ret;
	if (job->opts->flags & GMEM_CONVERT_ATOMIC)
		return convert_atomic(job, requests, count, ret_done);
	return convert_passing(job, requests, count, ret_done);
}

static int convert(struct gmem_vm *vm, const struct gmem_conversion *requests, size_t count,
		   const struct gmem_convert_opts *in, uint64_t *ret_done)
{
	struct gmem_convert_opts opts = {.sz = sizeof(opts)};
	struct gmi_job job = {.vm = vm, .opts = &opts};
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (!ret)
		ret = vm ? check_opts(&opts) : gmi_error_arg("vm", "a NULL pointer");
	if (!ret)
		ret = check_requests(vm, requests, count);
	if (!ret)
		ret = check_vm(vm, &opts);
	if (ret)
		return ret;
	gmi_vm_lock(vm);
	ret = gmi_vm_check_kept(vm);
	if (!ret)
		ret = convert_locked(&job, requests, count, ret_done);
	gmi_vm_unlock(vm);
	return ret;
}

GMEM_API int gmem_convert_batch(struct gmem_vm *vm, const struct gmem_conversion *requests,
				size_t count, const struct gmem_convert_opts *opts,
				uint64_t *ret_done)
{
	uint64_t done = 0;
	int ret = convert(vm, requests, count, opts, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}

GMEM_API int gmem_convert(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to,
			  const struct gmem_convert_opts *opts, uint64_t *ret_done)
{
	struct gmem_conversion request = {.gpa = gpa, .size = size, .to = to};
	uint64_t done = 0;
	int ret = convert(vm, &request, 1, opts, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}
