/* SPDX-License-Identifier: MIT */
/* What KVM and the firmware tell of the host. */
#include <errno.h>
#include <fcntl.h>

#include "errinfo.h"
#include "opts.h"
#include "probe.h"
#include "snp_guest.h"

/* What kernels took that have SNP and no attribute to tell: sev.c of 6.11 to 6.18. */
#define OLD_POLICY_BITS                                                                            \
	(GMI_SNP_POLICY_ABI_MINOR_MASK | GMI_SNP_POLICY_ABI_MAJOR_MASK | GMI_SNP_POLICY_SMT |      \
	 GMI_SNP_POLICY_RESERVED_ONE | GMI_SNP_POLICY_DEBUG | GMI_SNP_POLICY_SINGLE_SOCKET)

/* An attribute that a kernel does not know is ENXIO; /dev/kvm without attributes ENOTTY. */
static bool is_unknown(int ret)
{
	return ret == -ENXIO || ret == -ENOTTY || ret == -EOPNOTSUPP;
}

static int read_attribute(struct gmem_ctx *ctx, uint64_t attribute, uint64_t *ret_value,
			  bool *ret_known)
{
	int ret = gmi_kvm_sev_attribute(&ctx->sys, ctx->kvm_fd, attribute, ret_value);

	*ret_known = !ret;
	if (!ret || is_unknown(ret))
		return 0;
	return gmi_error_call(ret, "KVM_GET_DEVICE_ATTR",
			      "KVM could not be asked for attribute "
			      "%llu of SEV",
			      (unsigned long long)attribute);
}

int gmi_snp_read_masks(struct gmem_ctx *ctx, struct gmi_snp_masks *ret_masks)
{
	struct gmi_snp_masks masks = {0};
	uint64_t certs = 0;
	bool is_known;
	int ret = read_attribute(ctx, GMI_KVM_X86_SEV_VMSA_FEATURES, &masks.features, &is_known);

	if (!ret && !is_known)
		return gmi_error(-EOPNOTSUPP, "KVM has no SEV: no features of VMSAs (6.10)");
	if (!ret)
		ret = read_attribute(ctx, GMI_KVM_X86_SNP_POLICY_BITS, &masks.policy_bits,
				     &masks.tells_policy);
	if (!ret && !masks.tells_policy)
		masks.policy_bits = OLD_POLICY_BITS;
	if (!ret)
		ret = read_attribute(ctx, GMI_KVM_X86_SEV_SNP_REQ_CERTS, &certs, &is_known);
	masks.has_certs = certs != 0;
	if (!ret)
		*ret_masks = masks;
	return ret;
}

static const char *why_no_device(int error)
{
	switch (error) {
	case -ENOENT:
		return "the driver ccp is not loaded, or the processor has no SEV";
	case -EACCES:
	case -EPERM:
		return "the process may not use it";
	default:
		return "the launch needs it";
	}
}

int gmi_snp_open_firmware(struct gmem_ctx *ctx)
{
	int fd = gmi_sys_open(&ctx->sys, "/dev/sev", O_RDWR);

	if (fd < 0)
		return gmi_error_call(fd, "open", "/dev/sev cannot be opened: %s",
				      why_no_device(fd));
	return fd;
}

/* Nothing here can fail the call: a host without the device can still tell its masks. */
static void ask_firmware(struct gmem_ctx *ctx, struct gmem_snp_platform *info)
{
	struct gmi_snp_platform_status status;
	int fd = gmi_sys_open(&ctx->sys, "/dev/sev", O_RDWR);

	if (fd < 0)
		return;
	if (!gmi_sev_snp_platform_status(&ctx->sys, fd, &status)) {
		info->flags |= GMEM_SNP_HAS_FIRMWARE;
		info->api_major = status.api_major;
		info->api_minor = status.api_minor;
		info->state = status.state;
		info->build = status.build_id;
		info->guest_count = status.guest_count;
		info->current_tcb = status.current_tcb_version;
		info->reported_tcb = status.reported_tcb_version;
	}
	gmi_ctx_close(ctx, fd);
}

static int check_type(struct gmem_ctx *ctx)
{
	int ret = gmi_probe_vm_type(ctx, GMEM_VM_SNP);

	if (ret < 0)
		return gmi_error_call(ret, "KVM_CHECK_EXTENSION",
				      "KVM could not be asked for its types of VM");
	return ret ? 0 : gmi_error(-EOPNOTSUPP, "this kernel does not make VMs of type snp");
}

static int get_platform(struct gmem_ctx *ctx, struct gmem_snp_platform *ret_info)
{
	struct gmem_snp_platform info = {.sz = sizeof(info)};
	struct gmi_snp_masks masks;
	int ret;

	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (!ret)
		ret = check_type(ctx);
	if (!ret)
		ret = gmi_snp_read_masks(ctx, &masks);
	if (ret)
		return ret;
	info.features = masks.features;
	info.policy_bits = masks.policy_bits;
	info.flags = (masks.tells_policy ? GMEM_SNP_TELLS_POLICY : 0) |
		     (masks.has_certs ? GMEM_SNP_HAS_CERTS : 0);
	ask_firmware(ctx, &info);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_snp_get_platform(struct gmem_ctx *ctx, struct gmem_snp_platform *ret_info)
{
	return gmi_result(__func__, get_platform(ctx, ret_info));
}
