/* SPDX-License-Identifier: MIT */
/* gmem_snp_update(): the steps of a plan become private and go in, run by run. */
#include <errno.h>
#include <sys/mman.h>

#include "errinfo.h"
#include "opts.h"
#include "range.h"
#include "snp_guest.h"

#define DEFAULT_BATCH (UINT64_C(256) << 10)
#define MAX_BATCH     (UINT64_C(1) << 30)

static int check_opts(const struct gmem_snp *snp, const struct gmem_snp_update_opts *opts)
{
	if (opts->flags & ~GMEM_SNP_IN_PLACE)
		return gmi_error_arg("flags", "unknown flags %#x",
				     opts->flags & ~GMEM_SNP_IN_PLACE);
	if (opts->discard > GMEM_DISCARD_KEEP)
		return gmi_error_arg("discard", "unknown policy %u", opts->discard);
	if (!gmi_is_aligned(opts->batch, GMEM_PAGE_SIZE) || opts->batch > MAX_BATCH)
		return gmi_error_arg("batch", "%#llx is not a multiple of 4096, or above 1 GiB",
				     (unsigned long long)opts->batch);
	if (opts->padding)
		return gmi_error_arg("padding", "it is not 0");
	if (opts->flags & GMEM_SNP_IN_PLACE && snp->vm->attrs.mechanism != GMI_CONVERT_INPLACE)
		return gmi_error_feature(GMEM_FEATURE_CONVERT_INPLACE,
					 "contents cannot be in the guest's memory before it is "
					 "private: this kernel does not convert in place");
	return 0;
}

/* Where the contents of a run are. */
static int find_source(struct gmi_snp_fill *fill, const struct gmem_launch_step *steps,
		       const struct gmi_step_run *run, struct gmi_step_source *source,
		       struct gmi_snp_pages_from *from)
{
	uint32_t type = steps[run->first].type;
	int ret;

	if (type == GMEM_LAUNCH_ZERO)
		return 0;
	if (type != GMEM_LAUNCH_SECRETS) {
		if (fill->opts->flags & GMEM_SNP_IN_PLACE)
			return 0;
		ret = gmi_step_source_open(fill->snp->vm->ctx, steps, run, source);
		if (ret)
			return ret;
		from->source = (uintptr_t)source->bytes;
	}
	if (!from->source) {
		from->source = (uintptr_t)fill->zeroes;
		from->repeats = true;
	}
	return 0;
}

static int put_contents(struct gmi_snp_fill *fill, const struct gmem_launch_step *steps,
			const struct gmi_step_run *run)
{
	struct gmi_snp_pages_from from = {
		.gpa = run->gpa,
		.size = run->size,
		.type = (uint8_t)steps[run->first].type,
	};
	struct gmi_step_source source = {0};
	int ret = find_source(fill, steps, run, &source, &from);

	if (!ret)
		ret = gmi_snp_put_pages(fill, &from);
	gmi_step_source_close(fill->snp->vm->ctx, &source);
	return ret;
}

static int put_tables(struct gmi_snp_fill *fill, const struct gmi_step_run *run)
{
	int ret = 0;

	for (uint64_t at = 0; !ret && at < run->size; at += GMEM_PAGE_SIZE)
		ret = gmi_snp_put_cpuid(fill, run->gpa + at);
	return ret;
}

static void note(struct gmi_snp_fill *fill, const struct gmi_step_run *run, uint64_t done)
{
	if (done)
		gmi_rangemap_insert(&fill->snp->pages, (struct gmem_range){run->gpa, done}, NULL);
}

/* Gives back the shared side of all steps, once none of them can have its source there any more. */
static void settle(const struct gmi_snp_fill *fill, const struct gmem_launch_step *steps,
		   size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (gmi_snp_is_memory(&steps[i]))
			gmi_step_settle(fill->snp->vm, steps[i].gpa, steps[i].size,
					fill->opts->discard);
}

static int put_run(struct gmi_snp_fill *fill, const struct gmem_launch_step *steps,
		   const struct gmi_step_run *run)
{
	uint64_t before = fill->done;
	int ret = gmi_step_make_private(fill->snp->vm, run->gpa, run->size);

	if (ret)
		return ret;
	if (steps[run->first].type == GMEM_LAUNCH_CPUID)
		ret = put_tables(fill, run);
	else
		ret = put_contents(fill, steps, run);
	note(fill, run, fill->done - before);
	return ret;
}

static int put_all(struct gmi_snp_fill *fill, const struct gmem_launch_step *steps, size_t count)
{
	uint64_t skip = fill->opts->skip, offset;
	struct gmi_step_run run;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i = run.end) {
		offset = gmi_snp_skip(&steps[i], &skip);
		run.end = i + 1;
		if (!gmi_snp_is_memory(&steps[i]) || offset == steps[i].size)
			continue;
		run = gmi_step_run(steps, count, i, offset);
		ret = put_run(fill, steps, &run);
	}
	return ret;
}

/* Untouched pages of it cost no memory: the kernel reads its page of zeroes. */
static int make_scratch(struct gmi_snp_fill *fill)
{
	void *addr;
	int ret = gmi_sys_mmap(&fill->snp->vm->ctx->sys, NULL, fill->batch + GMEM_SNP_CPUID_SIZE,
			       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &addr);

	if (ret)
		return gmi_error_call(ret, "mmap", "no memory for the launch's own pages");
	fill->zeroes = addr;
	fill->cpuid = fill->zeroes + fill->batch;
	return 0;
}

/* What the last steps left over: nothing where none of them is in, for they may be others next time. */
static void note_rest(struct gmi_snp_fill *fill, bool was_pending)
{
	fill->snp->pending = fill->done || was_pending ? fill->total - fill->done : 0;
}

static int put_checked(struct gmi_snp_fill *fill, const struct gmi_snp_check *check)
{
	struct gmem_snp *snp = fill->snp;
	bool was_pending = snp->pending;
	int ret;

	if (gmi_rangemap_reserve(&snp->pages, snp->pages.count + check->count,
				 &snp->vm->ctx->allocator))
		return gmi_error_memory();
	ret = make_scratch(fill);
	if (ret)
		return ret;
	ret = put_all(fill, check->steps, check->count);
	gmi_ctx_munmap(snp->vm->ctx, fill->zeroes, fill->batch + GMEM_SNP_CPUID_SIZE);
	note_rest(fill, was_pending);
	snp->is_broken_off = ret && ret != -ESTALE;
	if (ret)
		return ret;
	settle(fill, check->steps, check->count);
	snp->vmsas += check->vmsas;
	return 0;
}

static int update(struct gmem_snp *snp, const struct gmem_launch_step *steps, size_t count,
		  const struct gmem_snp_update_opts *in, uint64_t *ret_done)
{
	struct gmem_snp_update_opts opts = {.sz = sizeof(opts)};
	struct gmi_snp_check check = {.snp = snp, .steps = steps, .count = count, .opts = &opts};
	struct gmi_snp_fill fill = {.snp = snp, .opts = &opts};
	int ret = gmi_snp_check_state(snp, GMEM_SNP_STARTED, "gmem_snp_update()");

	if (!ret && count && !steps)
		ret = gmi_error_arg("steps", "a NULL pointer");
	if (!ret)
		ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(snp, &opts);
	if (!ret)
		*ret_done = opts.skip;
	if (!ret)
		ret = gmi_snp_check_steps(&check);
	if (ret)
		return ret;
	fill.batch = opts.batch ? opts.batch : DEFAULT_BATCH;
	fill.total = check.total;
	fill.done = opts.skip;
	ret = put_checked(&fill, &check);
	*ret_done = fill.done;
	return ret;
}

GMEM_API int gmem_snp_update(struct gmem_snp *snp, const struct gmem_launch_step *steps,
			     size_t count, const struct gmem_snp_update_opts *opts,
			     uint64_t *ret_done)
{
	uint64_t done = 0;
	int ret = update(snp, steps, count, opts, &done);

	if (ret_done)
		*ret_done = done;
	return gmi_result(__func__, ret);
}
