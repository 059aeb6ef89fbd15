/* SPDX-License-Identifier: MIT */
/* The two ends of a TD's launch: KVM_TDX_INIT_VM and KVM_TDX_FINALIZE_VM. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "opts.h"
#include "tdx_object.h"

#define WIDTH_LEAF  0x80000008u
#define WIDTH_SHIFT 16
#define WIDTH_MASK  0xffu

static int check_bits(const char *arg, uint64_t bits, uint64_t supported)
{
	if (!(bits & ~supported))
		return 0;
	return gmi_error_arg(arg, "bits %#llx of %#llx are not among the %#llx that can be set",
			     (unsigned long long)(bits & ~supported), (unsigned long long)bits,
			     (unsigned long long)supported);
}

static int check_opts(const struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts)
{
	int ret = check_bits("attributes", opts->attributes, tdx->caps->supported_attrs);

	if (!ret)
		ret = check_bits("xfam", opts->xfam, tdx->caps->supported_xfam);
	if (!ret && opts->gpa_width && opts->gpa_width != GMI_TDX_GPAW_48 &&
	    opts->gpa_width != GMI_TDX_GPAW_52)
		ret = gmi_error_arg("gpa_width", "%u: a TD's addresses have 48 or 52 bits",
				    opts->gpa_width);
	return ret;
}

static struct gmem_tdx_cpuid *find_width(struct gmem_tdx_cpuid *entries, uint32_t *count)
{
	for (uint32_t i = 0; i < *count; i++)
		if (entries[i].function == WIDTH_LEAF)
			return &entries[i];
	if (*count == GMEM_TDX_CPUID_MAX)
		return NULL;
	entries[*count] = (struct gmem_tdx_cpuid){.function = WIDTH_LEAF};
	return &entries[(*count)++];
}

/*
 * KVM takes the width of addresses from EAX[23:16], which a physical CPU does not use, and no other
 * than 48 and 52 (tdx.c setup_tdparams_eptp_controls()).
 */
static int choose_width(struct gmem_tdx_cpuid *entries, uint32_t *count, uint32_t wish,
			uint32_t *ret_width)
{
	struct gmem_tdx_cpuid *leaf = find_width(entries, count);
	uint32_t width;

	if (!leaf)
		return gmi_error_arg("cpuid", "no room for CPUID leaf 0x80000008");
	width = wish ? wish : leaf->eax >> WIDTH_SHIFT & WIDTH_MASK;
	if (width != GMI_TDX_GPAW_48 && width != GMI_TDX_GPAW_52)
		return gmi_error_arg("gpa_width",
				     "CPUID 0x80000008 EAX[23:16] is %u and no width is given: a "
				     "TD's addresses have 48 or 52 bits",
				     width);
	leaf->eax = (leaf->eax & ~(WIDTH_MASK << WIDTH_SHIFT)) | width << WIDTH_SHIFT;
	*ret_width = width;
	return 0;
}

static int fill_cpuid(const struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts,
		      struct gmi_kvm_cpuid2 *list, uint32_t *ret_width)
{
	struct gmem_tdx_cpuid *entries = (struct gmem_tdx_cpuid *)list->entries;
	struct gmem_tdx_cpuid_opts cpuid;
	size_t count = 0;
	int ret = gmi_tdx_check_cpuid(opts->cpuid, &cpuid);

	if (!ret)
		ret = gmi_tdx_filter(tdx, &cpuid, entries, GMEM_TDX_CPUID_MAX, &count);
	if (ret)
		return ret;
	list->nent = (uint32_t)count;
	return choose_width(entries, &list->nent, opts->gpa_width, ret_width);
}

static int fill(const struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts,
		struct gmi_kvm_tdx_init_vm *init, uint32_t *ret_width)
{
	init->attributes = opts->attributes;
	init->xfam = opts->xfam;
	memcpy(init->mrconfigid, opts->mrconfigid, sizeof(init->mrconfigid));
	memcpy(init->mrowner, opts->mrowner, sizeof(init->mrowner));
	memcpy(init->mrownerconfig, opts->mrownerconfig, sizeof(init->mrownerconfig));
	return fill_cpuid(tdx, opts, &init->cpuid, ret_width);
}

static const char *init_problem(int error, uint64_t status)
{
	if (status)
		return "the TD was refused";
	switch (error) {
	case -EINVAL:
		return "KVM refused the TD: its CPUID, its width of addresses, or it is one "
		       "already";
	case -ENOSPC:
		return "no key is free for another TD";
	case -EBUSY:
		return "the control group allows no more TDs, or a vCPU was made before";
	case -EAGAIN:
		return "the TDX module lacks entropy for a key";
	default:
		return "the TD was not made";
	}
}

/* No entropy (-EAGAIN) passes, a limit of TDs (-EBUSY) does not. */
static int init_kernel(struct gmem_tdx *tdx, const struct gmi_kvm_tdx_init_vm *init,
		       uint32_t attempts)
{
	struct gmi_tdx_patience patience = {.attempts = attempts};
	const struct gmem_vm *vm = tdx->vm;
	uint64_t status;
	int ret;

	do {
		ret = gmi_kvm_tdx_init_vm(&vm->ctx->sys, vm->fd, init, &status);
	} while (ret != -EBUSY && gmi_tdx_try_again(tdx, ret, &patience));
	if (!ret)
		return 0;
	return gmi_tdx_failed(tdx, ret, "KVM_TDX_INIT_VM", status, "%s", init_problem(ret, status));
}

static int init_checked(struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts)
{
	const struct gmem_allocator *allocator = &tdx->vm->ctx->allocator;
	struct gmi_kvm_tdx_init_vm *init =
		gmi_zalloc(allocator, sizeof(*init) + GMEM_TDX_CPUID_MAX *
							      sizeof(struct gmi_kvm_cpuid_entry2));
	uint32_t width = 0;
	int ret;

	if (!init)
		return gmi_error_memory();
	ret = fill(tdx, opts, init, &width);
	if (!ret)
		ret = init_kernel(tdx, init, opts->attempts ? opts->attempts : GMI_TDX_ATTEMPTS);
	gmi_free(allocator, init);
	if (ret)
		return ret;
	tdx->gpa_width = width;
	tdx->state = GMEM_TDX_INITIALIZED;
	return 0;
}

int gmi_tdx_init_vm(struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *in)
{
	struct gmem_tdx_init_opts opts = {.sz = sizeof(opts)};
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_NEW, "KVM_TDX_INIT_VM");

	if (!ret && !in)
		ret = gmi_error_arg("opts", "a NULL pointer");
	if (!ret)
		ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(tdx, &opts);
	return ret ? ret : init_checked(tdx, &opts);
}

GMEM_API int gmem_tdx_init_vm(struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts)
{
	return gmi_result(__func__, gmi_tdx_init_vm(tdx, opts));
}

int gmi_tdx_finalize(struct gmem_tdx *tdx)
{
	struct gmi_tdx_patience patience = {.attempts = GMI_TDX_ATTEMPTS};
	uint64_t status;
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_INITIALIZED, "KVM_TDX_FINALIZE_VM");

	if (ret)
		return ret;
	do {
		ret = gmi_kvm_tdx_finalize_vm(&tdx->vm->ctx->sys, tdx->vm->fd, &status);
	} while (gmi_tdx_try_again(tdx, ret, &patience));
	if (ret)
		return gmi_tdx_failed(tdx, ret == -EBUSY ? -EAGAIN : ret, "KVM_TDX_FINALIZE_VM",
				      status, "the measurement does not end");
	tdx->state = GMEM_TDX_FINALIZED;
	return 0;
}

GMEM_API int gmem_tdx_finalize(struct gmem_tdx *tdx)
{
	return gmi_result(__func__, gmi_tdx_finalize(tdx));
}
