/* SPDX-License-Identifier: MIT */
/* Measures a plan in the way of its type of VM. */
#include <errno.h>
#include <string.h>

#include "digest.h"

#define START_SIZE 48

static int check_opts(const struct gmem_plan *plan, const struct gmem_measure_opts *opts,
		      struct gmem_measure_error *error)
{
	if (opts->flags & ~GMEM_MEASURE_TWO_PASS || opts->reserved)
		return gmi_invalid(error, "flags 0x%x are not known", opts->flags);
	if (opts->flags & GMEM_MEASURE_TWO_PASS && plan->vm_type != GMEM_VM_TDX)
		return gmi_invalid(error, "two passes exist on TDX only");
	if (opts->start_size != (opts->start ? START_SIZE : 0))
		return gmi_invalid(error, "a start digest has 48 bytes, not %llu",
				   (unsigned long long)opts->start_size);
	if (opts->start && plan->vm_type != GMEM_VM_SNP)
		return gmi_invalid(error, "a start digest has a meaning on SNP only");
	return 0;
}

static int measure(const struct gmem_plan *plan, const struct gmem_measure_opts *opts,
		   struct gmem_digest *ret_digest, struct gmem_measure_error *error)
{
	switch (plan->vm_type) {
	case GMEM_VM_SNP:
		return gmi_snp_digest(plan, opts->start, ret_digest, error);
	case GMEM_VM_TDX:
		return gmi_tdx_digest(plan, opts->flags & GMEM_MEASURE_TWO_PASS, ret_digest, error);
	}
	return gmi_sev_digest(plan, ret_digest, error);
}

GMEM_API int gmem_measure_plan(const struct gmem_plan *plan, const struct gmem_measure_opts *opts,
			       struct gmem_digest *ret_digest, struct gmem_measure_error *error)
{
	GMEM_INIT(gmem_measure_opts, known);
	struct gmem_digest digest = {0};
	int ret = 0;

	if (!plan || !ret_digest)
		return gmi_invalid(error, "the plan or the digest is NULL");
	if (opts)
		ret = gmi_opts_read(opts, &known, sizeof(known), error);
	if (!ret)
		ret = check_opts(plan, &known, error);
	if (!ret)
		ret = measure(plan, &known, &digest, error);
	if (!ret)
		*ret_digest = digest;
	return ret;
}
