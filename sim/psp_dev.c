/* SPDX-License-Identifier: MIT */
/* /dev/sev, and the attributes of /dev/kvm that tell of it. */
#include <errno.h>

#include "sim_model.h"
#include "uapi_sev.h"

/* States of the platform. */
enum { PLATFORM_UNINIT = 0, PLATFORM_INIT = 1, PLATFORM_WORKING = 2 };

static uint8_t platform_state(const struct sim_psp *psp)
{
	if (!psp->is_initialized)
		return PLATFORM_UNINIT;
	return psp->guests ? PLATFORM_WORKING : PLATFORM_INIT;
}

static int platform_status(struct gmem_sim *sim, struct gmi_sev_issue_cmd *cmd)
{
	const struct gmi_sev_platform_status status = {
		.api_major = (uint8_t)sim->psp.machine.api_major,
		.api_minor = (uint8_t)sim->psp.machine.api_minor,
		.state = platform_state(&sim->psp),
		.flags = GMI_SEV_STATUS_FLAGS_CONFIG_ES,
		.guest_count = sim->psp.guests,
	};

	cmd->error = GMI_SEV_RET_SUCCESS;
	return gmi_sim_copy_out(cmd->data, &status, sizeof(status));
}

static int snp_platform_status(struct gmem_sim *sim, struct gmi_sev_issue_cmd *cmd)
{
	const struct gmi_snp_platform_status status = {
		.api_major = (uint8_t)sim->psp.machine.api_major,
		.api_minor = (uint8_t)sim->psp.machine.api_minor,
		.state = sim->psp.is_initialized,
		.rmp_bits = GMI_SNP_STATUS_RMP_INITIALIZED,
		.feature_bits = GMI_SNP_STATUS_FEATURE_INFO | GMI_SNP_STATUS_RAPL_DIS,
		.guest_count = sim->psp.guests,
	};

	if (!cmd->data)
		return -EINVAL;
	cmd->error = GMI_SEV_RET_SUCCESS;
	return gmi_sim_copy_out(cmd->data, &status, sizeof(status));
}

/* sev_ioctl(): of the commands only those that ask how the platform is. */
int gmi_sim_psp_ioctl(struct gmem_sim *sim, uint64_t request, uint64_t arg)
{
	struct gmi_sev_issue_cmd cmd;
	int ret;

	if (request != GMI_SEV_ISSUE_CMD)
		return -EINVAL;
	if (gmi_sim_copy_in(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (sim->psp.is_dead)
		ret = -EBUSY;
	else if (cmd.cmd == GMI_SEV_PLATFORM_STATUS)
		ret = platform_status(sim, &cmd);
	else if (cmd.cmd == GMI_SNP_PLATFORM_STATUS)
		ret = snp_platform_status(sim, &cmd);
	else
		return -EINVAL;
	return gmi_sim_copy_out(arg, &cmd, sizeof(cmd)) ? -EFAULT : ret;
}

static int sev_attr(const struct gmem_sim *sim, uint64_t attr, uint64_t *ret_value)
{
	bool is_on = gmi_sim_has_es(sim);

	switch (attr) {
	case GMI_KVM_X86_SEV_VMSA_FEATURES:
		*ret_value = is_on ? sim->psp.machine.vmsa_features : 0;
		return 0;
	case GMI_KVM_X86_SNP_POLICY_BITS:
		*ret_value = is_on ? sim->psp.machine.policy_bits : 0;
		return 0;
	case GMI_KVM_X86_SEV_SNP_REQ_CERTS:
		*ret_value = is_on;
		return 0;
	default:
		return -ENXIO;
	}
}

#define XCR0_SUPPORTED 7 /* KVM_X86_XCOMP_GUEST_SUPP, group 0: x87, SSE, AVX */

/* __kvm_x86_dev_get_attr() */
static int get_attr(const struct gmem_sim *sim, const struct gmi_kvm_device_attr *attr,
		    uint64_t *ret_value)
{
	if (attr->group == GMI_KVM_X86_GRP_SEV && sim_has(sim, SIM_SEV))
		return sev_attr(sim, attr->attr, ret_value);
	if (attr->group || attr->attr)
		return -ENXIO;
	*ret_value = XCR0_SUPPORTED;
	return 0;
}

int gmi_sim_device_attr(struct gmem_sim *sim, uint64_t arg)
{
	struct gmi_kvm_device_attr attr;
	uint64_t value;
	int ret;

	if (gmi_sim_copy_in(&attr, arg, sizeof(attr)))
		return -EFAULT;
	ret = get_attr(sim, &attr, &value);
	return ret ? ret : gmi_sim_copy_out(attr.addr, &value, sizeof(value));
}

int gmi_sim_has_device_attr(struct gmem_sim *sim, uint64_t arg)
{
	struct gmi_kvm_device_attr attr;
	uint64_t value;

	if (gmi_sim_copy_in(&attr, arg, sizeof(attr)))
		return -EFAULT;
	return get_attr(sim, &attr, &value);
}
