/* SPDX-License-Identifier: MIT */
/* gmem_snp_launch(): all steps of a launch in their order. */
#include <errno.h>

#include "errinfo.h"
#include "opts.h"
#include "snp_guest.h"

static int make_vcpus(const struct gmem_snp_launch_opts *opts, struct gmem_snp *snp)
{
	int ret = opts->make_vcpus ? opts->make_vcpus(opts->user, snp) : 0;

	if (ret > 0)
		return gmi_error_arg("make_vcpus", "%d is neither 0 nor -errno", ret);
	return ret ? gmi_error(ret, "the caller's make_vcpus() failed") : 0;
}

static int run(struct gmem_snp *snp, const struct gmem_launch_step *steps, size_t count,
	       const struct gmem_snp_launch_opts *opts)
{
	int ret = gmem_snp_init(snp);

	if (!ret)
		ret = gmem_snp_start(snp);
	if (ret)
		return gmi_error_inherit(ret);
	ret = make_vcpus(opts, snp);
	if (ret)
		return ret;
	ret = gmem_snp_update(snp, steps, count, opts->update, NULL);
	if (!ret)
		ret = gmem_snp_finish(snp, opts->finish);
	return gmi_error_inherit(ret);
}

static int launch(struct gmem_vm *vm, const struct gmem_launch_step *steps, size_t count,
		  const struct gmem_snp_launch_opts *in, struct gmem_snp **ret_snp)
{
	struct gmem_snp_launch_opts opts = {.sz = sizeof(opts)};
	struct gmem_snp *snp;
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (!ret && (!steps || !count))
		ret = gmi_error_arg("steps", "there is no step");
	if (ret)
		return ret;
	ret = gmi_error_inherit(gmem_snp_create(vm, opts.guest, &snp));
	if (ret)
		return ret;
	ret = run(snp, steps, count, &opts);
	if (ret || !ret_snp)
		gmem_snp_unref(snp);
	else
		*ret_snp = snp;
	return ret;
}

GMEM_API int gmem_snp_launch(struct gmem_vm *vm, const struct gmem_launch_step *steps, size_t count,
			     const struct gmem_snp_launch_opts *opts, struct gmem_snp **ret_snp)
{
	return gmi_result(__func__, launch(vm, steps, count, opts, ret_snp));
}
