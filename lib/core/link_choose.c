/* SPDX-License-Identifier: MIT */
/* Which mechanism takes a second VM to memory, and why none does. */
#include "link_choose.h"

#include <errno.h>

#include "errinfo.h"
#include "probe.h"

static bool lacks_write(const struct gmi_link_source *source, const struct gmem_link_opts *opts)
{
	return (source->denied | opts->denied) & GMEM_RIGHT_WRITE;
}

/* 1 where the kernel links files of @dst's type, 0 where not, or -errno with a record. */
static int has_link(struct gmem_vm *dst)
{
	return gmi_has_feature(dst->ctx, dst->type, GMEM_FEATURE_LINK);
}

static int fail_feature(struct gmem_vm *dst, uint32_t vm_type, uint32_t feature)
{
	struct gmi_answer answer;

	gmi_probe(dst->ctx, vm_type, feature, &answer);
	return gmi_error_feature(feature, "no %s for VMs of type %s: %s", gmi_feature_name(feature),
				 gmi_vm_type_name(vm_type), answer.reason);
}

/*
 * The link series' second VM refuses files with create flags that it could not have made itself. The
 * GMEM_FILE_… bits are the kernel's.
 */
static bool flags_fit(const struct gmem_vm *dst, const struct gmi_link_source *source)
{
	return !((source->flags | source->raw_flags) & ~dst->file_flags);
}

static int check_kernel(struct gmem_vm *dst, const struct gmi_link_source *source,
			const struct gmem_link_opts *opts)
{
	int ret = has_link(dst);

	if (ret < 0)
		return ret;
	if (!ret)
		return fail_feature(dst, dst->type, GMEM_FEATURE_LINK);
	if (!flags_fit(dst, source))
		return gmi_error_feature(GMEM_FEATURE_LINK,
					 "VMs of type %s take no file with these flags",
					 gmi_vm_type_name(dst->type));
	if (lacks_write(source, opts))
		return gmi_error_feature(
			GMEM_FEATURE_READONLY,
			"KVM has no read-only memslots of guest_memfd: writing can "
			"be denied to a host-address view only");
	return 0;
}

static int check_view(struct gmem_vm *dst, const struct gmi_link_source *source,
		      const struct gmem_link_opts *opts)
{
	const uint64_t shared = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	int ret = gmi_has_feature(dst->ctx, source->vm_type, GMEM_FEATURE_HVA_VIEW);

	if (ret < 0)
		return ret;
	if (!ret)
		return fail_feature(dst, source->vm_type, GMEM_FEATURE_HVA_VIEW);
	if ((source->flags & shared) != shared)
		return gmi_error_feature(GMEM_FEATURE_HVA_VIEW,
					 "the file was not made with GMEM_FILE_MMAP and "
					 "GMEM_FILE_INIT_SHARED: the host has no address for it");
	if (lacks_write(source, opts) && !gmi_vm_has(dst, GMEM_FEATURE_READONLY))
		return fail_feature(dst, dst->type, GMEM_FEATURE_READONLY);
	return 0;
}

/* Where neither works, why there is no link is the message: the view needs memory of another kind. */
static int choose_best(struct gmem_vm *dst, const struct gmi_link_source *source,
		       const struct gmem_link_opts *opts, uint32_t *ret_mechanism)
{
	int ret;

	*ret_mechanism = GMEM_LINK_KERNEL;
	ret = check_kernel(dst, source, opts);
	if (ret != -EOPNOTSUPP)
		return ret;
	*ret_mechanism = GMEM_LINK_HVA_VIEW;
	ret = check_view(dst, source, opts);
	if (ret != -EOPNOTSUPP || lacks_write(source, opts))
		return ret;
	return check_kernel(dst, source, opts);
}

int gmi_link_choose(struct gmem_vm *dst, const struct gmi_link_source *source,
		    const struct gmem_link_opts *opts, uint32_t *ret_mechanism)
{
	struct gmem_errinfo record = *gmem_errinfo();
	int ret;

	*ret_mechanism = opts->mechanism;
	if (opts->mechanism == GMEM_LINK_KERNEL)
		return check_kernel(dst, source, opts);
	if (opts->mechanism == GMEM_LINK_HVA_VIEW)
		return check_view(dst, source, opts);
	ret = choose_best(dst, source, opts, ret_mechanism);
	if (!ret)
		gmi_errinfo_restore(&record);
	return ret;
}
