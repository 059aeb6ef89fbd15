/* SPDX-License-Identifier: MIT */
/* The contents of steps, in memory and known to be readable: no signal tells, a system call does. */
#include <errno.h>
#include <sys/mman.h>

#include "errinfo.h"
#include "launch_step.h"
#include "range.h"
#include "uapi_mm.h"

/* How often what a signal broke off is taken up again. */
#define ATTEMPTS 64

static int fail(int error, const char *call, const struct gmem_launch_step *step, size_t index,
		const char *why)
{
	gmi_error_call(error, call, "the source of %s %s", gmi_step_name(step, index).text, why);
	return gmi_at_gpa(step->gpa, step->size);
}

/*
 * Faults the pages in without touching them, so that what is not mapped, not readable, beyond the
 * end of its file or private to a guest is an error here and no signal. It also keeps the kernel
 * from faulting with its locks held.
 */
static int touch(const struct gmem_ctx *ctx, const uint8_t *bytes, uint64_t size)
{
	int ret, attempts = 0;

	do
		ret = gmi_sys_madvise(&ctx->sys, (void *)(uintptr_t)bytes, size,
				      GMI_MADV_POPULATE_READ);
	while ((ret == -EINTR || ret == -EAGAIN) && ++attempts < ATTEMPTS);
	return ret;
}

/* ENOMEM is what is not mapped, EINVAL what may not be read or is a device's (mm/madvise.c). */
static int why_unreadable(int error)
{
	return error == -ENOMEM || error == -EINVAL || error == -EHWPOISON ? -EFAULT : error;
}

static int map_file(const struct gmem_ctx *ctx, const struct gmem_launch_step *step, size_t index,
		    const struct gmi_step_run *run, struct gmi_step_source *source)
{
	uint64_t offset = step->offset + run->offset, end;
	struct gmem_sys_stat stat;
	int ret = gmi_sys_fstat(&ctx->sys, step->fd, &stat);

	if (ret)
		return fail(ret, "fstat", step, index, "cannot be asked for its size");
	if (!gmi_range_end(offset, run->size, &end) || end > stat.size)
		return fail(-EFAULT, "fstat", step, index, "ends behind its file");
	ret = gmi_sys_mmap(&ctx->sys, NULL, run->size, PROT_READ, MAP_PRIVATE, step->fd, offset,
			   &source->mapping);
	if (ret == -ENOMEM)
		return gmi_error_call(ret, "mmap", "no room to map a source");
	if (ret)
		return fail(ret, "mmap", step, index, "cannot be mapped");
	source->bytes = source->mapping;
	return 0;
}

int gmi_step_source_open(const struct gmem_ctx *ctx, const struct gmem_launch_step *steps,
			 const struct gmi_step_run *run, struct gmi_step_source *ret_source)
{
	const struct gmem_launch_step *step = &steps[run->first];
	struct gmi_step_source source = {.size = run->size};
	int ret = 0;

	if (step->flags & GMEM_LAUNCH_FILE)
		ret = map_file(ctx, step, run->first, run, &source);
	else if (step->bytes)
		source.bytes = (const uint8_t *)step->bytes + run->offset;
	if (!ret && source.bytes) {
		ret = touch(ctx, source.bytes, run->size);
		if (ret)
			fail(why_unreadable(ret), "madvise", step, run->first, "cannot be read");
	}
	if (ret) {
		ret = gmem_errinfo()->error;
		gmi_step_source_close(ctx, &source);
		return ret;
	}
	*ret_source = source;
	return 0;
}

void gmi_step_source_close(const struct gmem_ctx *ctx, struct gmi_step_source *source)
{
	if (source->mapping)
		gmi_ctx_munmap(ctx, source->mapping, source->size);
	source->mapping = NULL;
}
