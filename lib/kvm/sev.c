/* SPDX-License-Identifier: MIT */
/* The commands of an SNP launch, and what KVM and /dev/sev tell about the host. */
#include "kvm_sev.h"

#include "uapi_kvm.h"

/* No code of the firmware or the driver; it is still there where KVM wrote nothing. */
#define UNWRITTEN 0xfffffffeu

static int issue(const struct gmi_sys *sys, int vm_fd, int sev_fd, uint32_t id, const void *data,
		 struct gmi_sev_answer *ret_answer)
{
	struct gmi_kvm_sev_cmd cmd = {
		.id = id,
		.data = (uintptr_t)data,
		.error = UNWRITTEN,
		.sev_fd = (uint32_t)sev_fd,
	};
	int ret = gmi_sys_ioctl(sys, vm_fd, GMI_KVM_MEMORY_ENCRYPT_OP, &cmd);

	ret_answer->is_written = cmd.error != UNWRITTEN;
	ret_answer->fw_error = ret_answer->is_written ? cmd.error : 0;
	return ret < 0 ? ret : 0;
}

int gmi_kvm_sev_init2(const struct gmi_sys *sys, int vm_fd, int sev_fd, uint64_t features,
		      struct gmi_sev_answer *ret_answer)
{
	struct gmi_kvm_sev_init init = {.vmsa_features = features};

	return issue(sys, vm_fd, sev_fd, GMI_KVM_SEV_INIT2, &init, ret_answer);
}

int gmi_kvm_snp_enable_certs(const struct gmi_sys *sys, int vm_fd, int sev_fd,
			     struct gmi_sev_answer *ret_answer)
{
	return issue(sys, vm_fd, sev_fd, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, ret_answer);
}

int gmi_kvm_snp_start(const struct gmi_sys *sys, int vm_fd, int sev_fd, uint64_t policy,
		      const uint8_t gosvw[16], struct gmi_sev_answer *ret_answer)
{
	struct gmi_kvm_sev_snp_launch_start start = {.policy = policy};

	for (int i = 0; i < 16; i++)
		start.gosvw[i] = gosvw[i];
	return issue(sys, vm_fd, sev_fd, GMI_KVM_SEV_SNP_LAUNCH_START, &start, ret_answer);
}

/* KVM writes back what is left; a rest that cannot be is taken as no progress. */
int gmi_kvm_snp_update(const struct gmi_sys *sys, int vm_fd, int sev_fd,
		       const struct gmi_snp_pages *pages, uint64_t *ret_done,
		       struct gmi_sev_answer *ret_answer)
{
	struct gmi_kvm_sev_snp_launch_update update = {
		.gfn_start = pages->gpa / GMEM_PAGE_SIZE,
		.uaddr = pages->source,
		.len = pages->size,
		.type = pages->type,
	};
	int ret = issue(sys, vm_fd, sev_fd, GMI_KVM_SEV_SNP_LAUNCH_UPDATE, &update, ret_answer);
	bool is_sane = update.len <= pages->size && update.len % GMEM_PAGE_SIZE == 0;

	if (!ret)
		*ret_done = is_sane ? pages->size - update.len : 0;
	return ret;
}

int gmi_kvm_snp_finish(const struct gmi_sys *sys, int vm_fd, int sev_fd,
		       struct gmi_kvm_sev_snp_launch_finish *finish,
		       struct gmi_sev_answer *ret_answer)
{
	return issue(sys, vm_fd, sev_fd, GMI_KVM_SEV_SNP_LAUNCH_FINISH, finish, ret_answer);
}

int gmi_kvm_sev_attribute(const struct gmi_sys *sys, int kvm_fd, uint64_t attribute,
			  uint64_t *ret_value)
{
	uint64_t value = 0;
	struct gmi_kvm_device_attr attr = {
		.group = GMI_KVM_X86_GRP_SEV,
		.attr = attribute,
		.addr = (uintptr_t)&value,
	};
	int ret = gmi_sys_ioctl(sys, kvm_fd, GMI_KVM_GET_DEVICE_ATTR, &attr);

	if (ret < 0)
		return ret;
	*ret_value = value;
	return 0;
}

int gmi_sev_snp_platform_status(const struct gmi_sys *sys, int sev_fd,
				struct gmi_snp_platform_status *ret_status)
{
	struct gmi_snp_platform_status status = {0};
	struct gmi_sev_issue_cmd cmd = {
		.cmd = GMI_SNP_PLATFORM_STATUS,
		.data = (uintptr_t)&status,
	};
	int ret = gmi_sys_ioctl(sys, sev_fd, GMI_SEV_ISSUE_CMD, &cmd);

	if (ret < 0)
		return ret;
	*ret_status = status;
	return 0;
}
