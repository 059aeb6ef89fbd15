/* SPDX-License-Identifier: MIT */
/* Memory of a TD: made private, added page by page, measured; in slices, and resumed where it stopped. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <libgmem/file.h>
#include <libgmem/slot.h>

#include "errinfo.h"
#include "opts.h"
#include "range.h"
#include "tdx_object.h"

#define SLICE_DEFAULT GMEM_PAGE_2M

/* One call of gmem_tdx_add(). */
struct addition {
	struct gmem_tdx *tdx;
	const struct gmem_launch_step *steps;
	size_t count;
	struct gmem_tdx_add_opts opts;
	uint64_t total;
	uint64_t done;
	void *zeroes; /* a mapping of @zeroes_size bytes, or NULL */
	uint64_t zeroes_size;
};

static const struct gmi_sys *sys_of(const struct addition *add)
{
	return &add->tdx->vm->ctx->sys;
}

static int check_opts(const struct gmem_tdx_add_opts *opts)
{
	if (opts->flags & ~GMEM_TDX_IN_PLACE)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags);
	if (opts->discard > GMEM_DISCARD_KEEP)
		return gmi_error_arg("discard", "unknown policy %u", opts->discard);
	if (opts->padding)
		return gmi_error_arg("padding", "the padding is not 0");
	if (!gmi_is_aligned(opts->slice, GMEM_PAGE_SIZE))
		return gmi_error_arg("slice", "%#llx is not a multiple of 4096",
				     (unsigned long long)opts->slice);
	return 0;
}

static void set_defaults(struct addition *add)
{
	if (!add->opts.slice)
		add->opts.slice = SLICE_DEFAULT;
	if (!add->opts.attempts || add->opts.attempts == UINT32_MAX)
		add->opts.attempts = add->opts.attempts ? UINT32_MAX - 1 : GMI_TDX_ATTEMPTS;
	for (size_t i = 0; i < add->count; i++)
		add->total += add->steps[i].size;
	add->done = add->opts.start;
}

static bool needs_zeroes(const struct gmem_launch_step *step)
{
	return step->type != GMEM_LAUNCH_AUG && !gmi_tdx_has_contents(step);
}

/*
 * Reading faults give the kernel's one page of zeroes. As large as a slice may be: KVM only reads,
 * so that all slices share it.
 */
static int map_zeroes(struct addition *add)
{
	uint64_t size = 0;
	int ret;

	for (size_t i = 0; i < add->count; i++)
		if (needs_zeroes(&add->steps[i]) && add->steps[i].size > size)
			size = add->steps[i].size;
	if (!size)
		return 0;
	if (size > add->opts.slice)
		size = add->opts.slice;
	ret = gmi_sys_mmap(sys_of(add), NULL, size, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &add->zeroes);
	if (ret) {
		add->zeroes = NULL;
		return gmi_error_call(ret, "mmap", "%llu bytes of zeroes are not mapped",
				      (unsigned long long)size);
	}
	add->zeroes_size = size;
	return 0;
}

/* 0 where KVM shall take what is in the page already. */
static uintptr_t source_at(const struct addition *add, const struct gmem_launch_step *step,
			   const struct gmi_step_source *source, uint64_t at)
{
	if (!gmi_tdx_has_contents(step))
		return (uintptr_t)add->zeroes;
	if (add->opts.flags & GMEM_TDX_IN_PLACE)
		return 0;
	return (uintptr_t)source->bytes + at;
}

static bool is_stopped(const struct addition *add)
{
	return add->opts.stop && *add->opts.stop;
}

static const char *add_problem(int error)
{
	switch (error) {
	case -EINTR:
		return "signals keep coming";
	case -EAGAIN:
		return "the TDX module is busy";
	case -EFAULT:
		return "contents cannot be read, or the memory's file is being closed";
	case -EINVAL:
		return "KVM refused a page: it is not private or not bound any more, or has no "
		       "source";
	default:
		return "a page was not added";
	}
}

/* How far KVM came, from what it left in @region; all three of its numbers move together. */
static int64_t progress_of(const struct gmi_kvm_tdx_init_mem_region *before,
			   const struct gmi_kvm_tdx_init_mem_region *after)
{
	uint64_t pages = before->nr_pages - after->nr_pages;

	if (after->nr_pages > before->nr_pages ||
	    after->gpa - before->gpa != pages * GMEM_PAGE_SIZE)
		return -1;
	return (int64_t)(pages * GMEM_PAGE_SIZE);
}

static void note(struct addition *add, const struct gmem_launch_step *step, uint64_t gpa,
		 uint64_t size)
{
	const struct gmi_rangemap_entry *before =
		gpa ? gmi_rangemap_find(&add->tdx->added, gpa - 1) : NULL;
	struct gmem_range range = {.start = gpa, .size = size};

	if (before) {
		range.start = before->range.start;
		range.size += before->range.size;
		gmi_rangemap_remove(&add->tdx->added, range.start);
	}
	gmi_rangemap_insert(&add->tdx->added, range, NULL);
	add->done += size;
	add->tdx->added_bytes += size;
	if (step->flags & GMEM_LAUNCH_MEASURED)
		add->tdx->measured_bytes += size;
}

/*
 * Up to 6.18 a page that met a busy module stays mapped and marked as prepared, neither added nor
 * measured: KVM refuses it the next time (EEXIST of kvm_gmem_populate()), and FINALIZE_VM as long as
 * it is there. Punching it undoes that. 7.3 waits inside, and knows no EBUSY here.
 */
static int undo_busy(const struct addition *add, uint64_t gpa)
{
	GMEM_INIT(gmem_slot_info, slot);
	int ret;

	if (add->opts.flags & GMEM_TDX_IN_PLACE)
		return -EAGAIN;
	ret = gmem_slot_lookup(add->tdx->vm, 0, gpa, &slot);
	if (!ret)
		ret = gmem_file_punch(slot.file, slot.offset + (gpa - slot.gpa), GMEM_PAGE_SIZE);
	return ret ? gmi_error_inherit(ret) : -EAGAIN;
}

/*
 * One kernel call. On every kernel the region says how far it came, on failure too, so that the same
 * region goes on where it stopped: after a signal (EINTR), and where 6.16 to 6.18 gave up on a busy
 * module (EBUSY) and earlier drafts on a busy page table (EAGAIN). Returns bytes, or -errno.
 */
static int call_kernel(struct addition *add, const struct gmem_launch_step *step, uintptr_t source,
		       uint64_t gpa, uint64_t size, uint64_t *ret_done)
{
	const struct gmi_kvm_tdx_init_mem_region before = {
		.source_addr = source,
		.gpa = gpa,
		.nr_pages = size / GMEM_PAGE_SIZE,
	};
	struct gmi_kvm_tdx_init_mem_region region = before;
	uint32_t flags = step->flags & GMEM_LAUNCH_MEASURED ? GMI_KVM_TDX_MEASURE_MEMORY_REGION : 0;
	int ret = gmi_kvm_tdx_init_mem_region(sys_of(add), add->tdx->first_vcpu, flags, &region);
	int64_t done = progress_of(&before, &region);

	*ret_done = done < 0 ? 0 : (uint64_t)done;
	if (done < 0)
		return gmi_error(-EIO, "KVM's account of its progress does not add up");
	if (!ret && *ret_done != size)
		return -EAGAIN;
	return ret;
}

static int fail(struct addition *add, int error, uint64_t gpa, uint64_t size)
{
	gmi_tdx_failed(add->tdx, error, "KVM_TDX_INIT_MEM_REGION", 0, "%s", add_problem(error));
	return gmi_at_gpa(gpa, size);
}

static int fail_stopped(void)
{
	return gmi_error(-EINTR, "the caller's stop byte is set");
}

/* All of a slice, in as many calls as it takes. Whatever makes progress may go on for ever. */
static int add_slice(struct addition *add, const struct gmem_launch_step *step, uintptr_t source,
		     struct gmem_range range)
{
	struct gmi_tdx_patience patience = {.attempts = add->opts.attempts};
	uint64_t at = 0, done;
	int ret;

	while (at < range.size) {
		ret = call_kernel(add, step, source ? source + at : 0, range.start + at,
				  range.size - at, &done);
		if (done) {
			note(add, step, range.start + at, done);
			at += done;
			patience = (struct gmi_tdx_patience){.attempts = add->opts.attempts + 1};
		}
		if (ret == -EBUSY) {
			ret = undo_busy(add, range.start + at);
			if (ret != -EAGAIN)
				return ret;
		}
		if ((ret == -EINTR || ret == -EAGAIN) && is_stopped(add))
			return fail_stopped();
		if (ret && !gmi_tdx_try_again(add->tdx, ret, &patience))
			return fail(add, ret, range.start + at, range.size - at);
	}
	return 0;
}

/* Between kernel calls, before the first one too. */
static int check_in(const struct addition *add)
{
	if (add->opts.progress && add->opts.progress(add->opts.user, add->done, add->total))
		return gmi_error(-ECANCELED, "the caller ended it after %llu of %llu bytes",
				 (unsigned long long)add->done, (unsigned long long)add->total);
	return is_stopped(add) ? fail_stopped() : 0;
}

static uint64_t slice_of(const struct addition *add, uint64_t rest)
{
	return rest < add->opts.slice ? rest : add->opts.slice;
}

static int add_run(struct addition *add, const struct gmi_step_run *run,
		   const struct gmi_step_source *source)
{
	const struct gmem_launch_step *step = &add->steps[run->first];
	struct gmem_range range;
	int ret = 0;

	for (uint64_t at = 0; !ret && at < run->size; at += range.size) {
		range.start = run->gpa + at;
		range.size = slice_of(add, run->size - at);
		ret = check_in(add);
		if (!ret)
			ret = add_slice(add, step, source_at(add, step, source, at), range);
	}
	return ret;
}

static int add_contents(struct addition *add, const struct gmi_step_run *run)
{
	const struct gmem_ctx *ctx = add->tdx->vm->ctx;
	struct gmi_step_source source;
	int ret;

	if (!gmi_tdx_has_contents(&add->steps[run->first]) || add->opts.flags & GMEM_TDX_IN_PLACE)
		return add_run(add, run, NULL);
	ret = gmi_step_source_open(ctx, add->steps, run, &source);
	if (ret)
		return ret;
	ret = add_run(add, run, &source);
	gmi_step_source_close(ctx, &source);
	return ret;
}

/* The shared side stays until all is added: it may be what this or a later step is filled from. */
static int add_step(struct addition *add, size_t index, uint64_t skip)
{
	const struct gmem_launch_step *step = &add->steps[index];
	const struct gmi_step_run run = gmi_tdx_rest_of(add->steps, index, skip);
	int ret = gmi_step_make_private(add->tdx->vm, step->gpa, step->size);

	if (ret)
		return ret;
	if (step->type != GMEM_LAUNCH_AUG)
		return add_contents(add, &run);
	add->done += run.size;
	return 0;
}

static int add_steps(struct addition *add)
{
	uint64_t start = add->opts.start, skip;
	int ret = 0;

	for (size_t i = 0; !ret && i < add->count; i++) {
		skip = start < add->steps[i].size ? start : add->steps[i].size;
		start -= skip;
		if (skip < add->steps[i].size)
			ret = add_step(add, i, skip);
	}
	return ret;
}

static void discard(const struct addition *add)
{
	struct gmem_vm *vm = add->tdx->vm;

	if (vm->attrs.mechanism != GMI_CONVERT_VM)
		return;
	for (size_t i = 0; i < add->count; i++)
		gmi_step_settle(vm, add->steps[i].gpa, add->steps[i].size, add->opts.discard);
}

/* Every slice that is added is noted, which must not fail afterwards. */
static int reserve_notes(const struct addition *add)
{
	struct gmi_rangemap *added = &add->tdx->added;

	if (gmi_rangemap_reserve(added, added->count + add->count + 1,
				 &add->tdx->vm->ctx->allocator))
		return gmi_error_memory();
	return 0;
}

static int run(struct addition *add)
{
	int ret = gmi_tdx_check_steps(add->tdx, add->steps, add->count, add->opts.start,
				      add->opts.flags & GMEM_TDX_IN_PLACE);

	if (ret)
		return ret;
	set_defaults(add);
	ret = reserve_notes(add);
	if (!ret)
		ret = map_zeroes(add);
	if (!ret)
		ret = add_steps(add);
	if (!ret && add->opts.progress)
		add->opts.progress(add->opts.user, add->done, add->total);
	if (add->zeroes)
		gmi_ctx_munmap(add->tdx->vm->ctx, add->zeroes, add->zeroes_size);
	if (!ret)
		discard(add);
	return ret;
}

static int check_vcpu(const struct gmem_tdx *tdx)
{
	if (tdx->first_vcpu >= 0)
		return 0;
	return gmi_error_arg("tdx",
			     "KVM_TDX_INIT_MEM_REGION needs a vCPU: gmem_tdx_init_vcpu() first");
}

int gmi_tdx_add(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		const struct gmem_tdx_add_opts *in, uint64_t *ret_done)
{
	struct addition add = {
		.tdx = tdx,
		.steps = steps,
		.count = count,
		.opts = {.sz = sizeof(add.opts)},
	};
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_INITIALIZED, "KVM_TDX_INIT_MEM_REGION");

	if (!ret)
		ret = gmi_opts_get(&add.opts, sizeof(add.opts), in);
	*ret_done = add.opts.start;
	if (!ret && count && !steps)
		ret = gmi_error_arg("steps", "a NULL pointer");
	if (!ret)
		ret = check_opts(&add.opts);
	if (!ret)
		ret = check_vcpu(tdx);
	if (ret)
		return ret;
	add.done = add.opts.start;
	ret = run(&add);
	*ret_done = add.done;
	return ret;
}

GMEM_API int gmem_tdx_add(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
			  const struct gmem_tdx_add_opts *opts, uint64_t *ret_done)
{
	uint64_t done = 0;
	int ret = gmi_tdx_add(tdx, steps, count, opts, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}
