/* SPDX-License-Identifier: MIT */
/* KVM_SEV_SNP_LAUNCH_UPDATE in batches: what it does half, what it wants again, what it refuses. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "snp_guest.h"

#define DEFAULT_ATTEMPTS 10
#define FIRST_WAIT_NS    10000
#define LAST_WAIT_NS     10000000

/* One call is repeated: for a while where KVM asks for it, once where a signal may be the reason. */
struct again {
	uint32_t attempts;
	uint64_t wait;
	bool was_unasked;
};

static void pause_before(struct gmi_snp_fill *fill, struct again *again)
{
	gmi_sys_sleep(&fill->snp->vm->ctx->sys, again->wait);
	again->wait = again->wait * 4 < LAST_WAIT_NS ? again->wait * 4 : LAST_WAIT_NS;
}

/*
 * KVM says EIO for every page that it could not take, without a code where the firmware was not
 * asked; a signal that waited is one of the reasons, and the page was not measured (sev.c,
 * snp_launch_update()).
 */
static bool is_unasked(const struct gmi_snp_fill *fill, int ret)
{
	return ret == -EIO && fill->answer.is_written && !fill->answer.fw_error;
}

static bool is_worth_again(struct gmi_snp_fill *fill, int ret, struct again *again)
{
	if (is_unasked(fill, ret) && !again->was_unasked) {
		again->was_unasked = true;
		return true;
	}
	if ((ret != -EAGAIN && ret != -EINTR) || again->attempts <= 1)
		return false;
	again->attempts--;
	if (ret == -EAGAIN)
		pause_before(fill, again);
	return true;
}

/* A success that put nothing in is not believed more often than a wish to be tried again. */
static int put(struct gmi_snp_fill *fill, const struct gmi_snp_pages *pages, uint64_t *ret_done)
{
	const struct gmem_snp *snp = fill->snp;
	int ret;

	fill->snp->calls++;
	ret = gmi_kvm_snp_update(&snp->vm->ctx->sys, snp->vm->fd, snp->sev_fd, pages, ret_done,
				 &fill->answer);
	return !ret && !*ret_done ? -EAGAIN : ret;
}

static int fail(const struct gmi_snp_fill *fill, const struct gmi_snp_pages *pages, int ret)
{
	static const char call[] = "KVM_SEV_SNP_LAUNCH_UPDATE";
	unsigned long long gpa = pages->gpa;

	if (is_unasked(fill, ret))
		gmi_error_call(
			ret, call,
			"KVM could not take the page at %#llx, the firmware was not asked: "
			"it is in already or poisoned, memory is short, or /dev/sev does not "
			"answer",
			gpa);
	else
		gmi_snp_error(ret, call, &fill->answer, "no page goes in at %#llx", gpa);
	return gmi_at_gpa(pages->gpa, pages->size);
}

/* 0 and bytes done, or -errno with a record and none. */
static int put_batch(struct gmi_snp_fill *fill, const struct gmi_snp_pages *pages,
		     uint64_t *ret_done)
{
	struct again again = {
		.attempts = fill->opts->attempts ? fill->opts->attempts : DEFAULT_ATTEMPTS,
		.wait = FIRST_WAIT_NS,
	};
	int ret = put(fill, pages, ret_done);

	while (ret && is_worth_again(fill, ret, &again)) {
		fill->snp->retries++;
		ret = put(fill, pages, ret_done);
	}
	return ret ? fail(fill, pages, ret) : 0;
}

static int report(struct gmi_snp_fill *fill, uint64_t done)
{
	fill->done += done;
	fill->snp->bytes += done;
	if (!fill->opts->progress ||
	    !fill->opts->progress(fill->opts->user, fill->done, fill->total) ||
	    fill->done == fill->total)
		return 0;
	return gmi_error(-ECANCELED, "the caller ended the launch with %#llx of %#llx bytes in",
			 (unsigned long long)fill->done, (unsigned long long)fill->total);
}

int gmi_snp_put_pages(struct gmi_snp_fill *fill, const struct gmi_snp_pages_from *from)
{
	uint64_t done, at;
	int ret = 0;

	for (at = 0; !ret && at < from->size; at += done) {
		uint64_t rest = from->size - at;
		struct gmi_snp_pages pages = {
			.gpa = from->gpa + at,
			.size = rest < fill->batch ? rest : fill->batch,
			.source = from->source + (from->source && !from->repeats ? at : 0),
			.type = from->type,
		};

		done = 0;
		ret = put_batch(fill, &pages, &done);
		if (!ret)
			ret = report(fill, done);
	}
	return ret;
}

/* The record of the refusal, with the first difference in words. */
static int fail_cpuid(struct gmi_snp_fill *fill, uint64_t gpa,
		      const struct gmem_snp_cpuid_diff *diffs, size_t count)
{
	static const char call[] = "KVM_SEV_SNP_LAUNCH_UPDATE";

	if (!count)
		gmi_error_call(-EIO, call,
			       "the firmware refuses the table of CPUID and corrects "
			       "nothing: its count or reserved fields are wrong");
	else
		gmi_error_call(-EIO, call, "the firmware refuses the table of CPUID in %zu %s: %s",
			       count, count == 1 ? "place" : "places", diffs[0].text);
	gmi_at_fw(fill->answer.fw_error);
	return gmi_at_gpa(gpa, GMEM_PAGE_SIZE);
}

/* Shows the caller what the firmware would have. 0 where the caller agrees. */
static int ask_caller(struct gmi_snp_fill *fill, uint64_t gpa)
{
	const struct gmem_allocator *allocator = &fill->snp->vm->ctx->allocator;
	size_t count = gmi_snp_cpuid_compare(fill->opts->cpuid, fill->cpuid, NULL, 0);
	struct gmem_snp_cpuid_diff *diffs = NULL;
	bool agrees = false;
	int ret = 0;

	if (count) {
		diffs = gmi_zalloc_array(allocator, count, sizeof(*diffs));
		if (!diffs)
			return gmi_error_memory();
		gmi_snp_cpuid_compare(fill->opts->cpuid, fill->cpuid, diffs, count);
		agrees = fill->opts->cpuid_changed &&
			 !fill->opts->cpuid_changed(fill->opts->user, diffs, count);
	}
	if (!agrees)
		ret = fail_cpuid(fill, gpa, diffs, count);
	gmi_free(allocator, diffs);
	return ret;
}

/* What KVM copied back into the page is tried once, by convention (snp.rst, SNP_LAUNCH_UPDATE). */
int gmi_snp_put_cpuid(struct gmi_snp_fill *fill, uint64_t gpa)
{
	const struct gmi_snp_pages_from from = {
		.gpa = gpa,
		.size = GMEM_PAGE_SIZE,
		.type = GMEM_LAUNCH_CPUID,
		.source = (uintptr_t)fill->cpuid,
	};
	int ret;

	memcpy(fill->cpuid, fill->opts->cpuid, GMEM_SNP_CPUID_SIZE);
	fill->answer.fw_error = 0;
	ret = gmi_snp_put_pages(fill, &from);
	if (ret != -EIO || fill->answer.fw_error != GMI_SEV_RET_INVALID_PARAM)
		return ret;
	ret = ask_caller(fill, gpa);
	if (ret)
		return ret;
	ret = gmi_snp_put_pages(fill, &from);
	fill->snp->corrections += !ret;
	return ret;
}
