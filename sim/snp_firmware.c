/* SPDX-License-Identifier: MIT */
/* The firmware's side of an SNP launch: the guest's states and its digest. */
#include <string.h>

#include "sim_model.h"
#include "uapi_sev.h"

/*
 * UNVERIFIED: the firmware for EPYC of the fourth generation as published in August 2023, by what
 * was noted down of it. Newer firmware may check more.
 */

/* What a page adds to the digest. */
struct page_info {
	uint8_t digest[SIM_SHA384];
	uint8_t contents[SIM_SHA384];
	uint16_t length;
	uint8_t page_type;
	uint8_t is_imi;
	uint8_t reserved;
	uint8_t vmpl_permissions[3];
	uint64_t gpa;
};

_Static_assert(sizeof(struct page_info) == 0x70, "PAGE_INFO");

static uint32_t major(uint64_t policy)
{
	return policy >> 8 & 0xff;
}

static bool is_newer(const struct gmem_sim_sev *machine, uint64_t policy)
{
	if (major(policy) != machine->api_major)
		return major(policy) > machine->api_major;
	return (policy & GMI_SNP_POLICY_ABI_MINOR_MASK) > machine->api_minor;
}

uint32_t gmi_sim_fw_launch_start(const struct gmem_sim *sim, struct sim_guest *guest,
				 uint64_t policy, const uint8_t *gosvw)
{
	const struct gmem_sim_sev *machine = &sim->psp.machine;

	if (guest->state != GUEST_INIT)
		return GMI_SEV_RET_INVALID_GUEST_STATE;
	if (!(policy & GMI_SNP_POLICY_RESERVED_ONE) || is_newer(machine, policy))
		return GMI_SEV_RET_POLICY_FAILURE;
	if (machine->flags & GMEM_SIM_SEV_SMT && !(policy & GMI_SNP_POLICY_SMT))
		return GMI_SEV_RET_POLICY_FAILURE;
	guest->policy = policy;
	memcpy(guest->gosvw, gosvw, sizeof(guest->gosvw));
	guest->state = GUEST_LAUNCHING;
	return GMI_SEV_RET_SUCCESS;
}

uint32_t gmi_sim_fw_activate(const struct gmem_sim *sim, struct sim_guest *guest, uint32_t asid)
{
	if (guest->policy & GMI_SNP_POLICY_SINGLE_SOCKET &&
	    sim->psp.machine.flags & GMEM_SIM_SEV_SOCKETS)
		return GMI_SEV_RET_POLICY_FAILURE;
	guest->asid = asid;
	return GMI_SEV_RET_SUCCESS;
}

static bool has_contents(uint32_t type)
{
	return type == GMI_KVM_SEV_SNP_PAGE_TYPE_NORMAL || type == GMI_SNP_PAGE_TYPE_VMSA;
}

static void measure(struct sim_guest *guest, uint32_t type, uint64_t gpa, const uint8_t *page)
{
	struct page_info info = {
		.length = sizeof(info),
		.page_type = (uint8_t)type,
		.gpa = gpa,
	};

	memcpy(info.digest, guest->digest, SIM_SHA384);
	if (has_contents(type))
		gmi_sim_sha384(page, SIM_PAGE, info.contents);
	gmi_sim_sha384(&info, sizeof(info), guest->digest);
}

/* The keys come from the firmware's random numbers; here they tell guests apart and no more. */
static void write_secrets(const struct sim_guest *guest, uint8_t *page)
{
	struct gmi_snp_secrets_page secrets = {.version = 3};

	memcpy(secrets.gosvw, guest->gosvw, sizeof(secrets.gosvw));
	for (size_t i = 0; i < 4; i++)
		memset(secrets.vmpck[i], (int)(guest->handle * 4 + i + 1),
		       sizeof(secrets.vmpck[i]));
	memcpy(page, &secrets, SIM_PAGE);
}

/* TSC_SCALE and TSC_OFFSET of a VMSA do not count. */
#define VMSA_TSC      0x2f0
#define VMSA_TSC_SIZE 16

/* @page is in the firmware's hands: it may be rewritten, also where the answer is an error. */
uint32_t gmi_sim_fw_launch_update(struct sim_guest *guest, uint32_t type, uint64_t gpa,
				  uint8_t *page)
{
	uint32_t status;

	if (guest->state != GUEST_LAUNCHING)
		return GMI_SEV_RET_INVALID_GUEST_STATE;
	if (!guest->asid)
		return GMI_SEV_RET_INACTIVE;
	if (type == GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID) {
		status = gmi_sim_fw_check_cpuid(page);
		if (status)
			return status;
	}
	if (type == GMI_SNP_PAGE_TYPE_VMSA)
		memset(page + VMSA_TSC, 0, VMSA_TSC_SIZE);
	if (type == GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO)
		memset(page, 0, SIM_PAGE);
	if (type == GMI_KVM_SEV_SNP_PAGE_TYPE_SECRETS)
		write_secrets(guest, page);
	measure(guest, type, gpa, page);
	return GMI_SEV_RET_SUCCESS;
}

uint32_t gmi_sim_fw_launch_finish(struct sim_guest *guest, const struct sim_finish *finish)
{
	uint32_t status;

	if (guest->state != GUEST_LAUNCHING)
		return GMI_SEV_RET_INVALID_GUEST_STATE;
	if (!guest->asid)
		return GMI_SEV_RET_INACTIVE;
	if (finish->id_block) {
		status = gmi_sim_fw_check_id(guest, finish);
		if (status)
			return status;
	}
	memcpy(guest->report.host_data, finish->host_data, sizeof(guest->report.host_data));
	guest->state = GUEST_RUNNING;
	return GMI_SEV_RET_SUCCESS;
}
