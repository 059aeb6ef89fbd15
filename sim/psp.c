/* SPDX-License-Identifier: MIT */
/* The secure processor: commands on their way to it, its guests, and the ASIDs. */
#include <errno.h>
#include <stdlib.h>

#include "sim_model.h"
#include "uapi_sev.h"

#define POLICY_BASE 0x1bffffull /* SNP_POLICY_MASK_BASE without the migration agent */

/* UNVERIFIED: a machine of 2025 with what 7.3 can use: include/linux/psp-sev.h. */
static const struct gmem_sim_sev default_machine = {
	.sz = sizeof(default_machine),
	.sev_asids = 410,
	.es_asids = 99,
	.api_major = 1,
	.api_minor = 58,
	.vmsa_features = GMI_SEV_FEATURE_DEBUG_SWAP | GMI_SEV_FEATURE_SECURE_TSC,
	.policy_bits = POLICY_BASE | GMI_SNP_POLICY_CXL_ALLOW | GMI_SNP_POLICY_MEM_AES_256_XTS |
		       GMI_SNP_POLICY_RAPL_DIS | GMI_SNP_POLICY_CIPHERTEXT_HIDING |
		       GMI_SNP_POLICY_PAGE_SWAP_DISABLE,
	.flags = GMEM_SIM_SEV_SMT,
};

void gmi_sim_psp_init(struct gmem_sim *sim)
{
	sim->psp.machine = default_machine;
}

/* One more command; true where it is the one that is to fail. */
static bool is_failing(struct sim_psp *psp, uint32_t command)
{
	if (psp->fail_command != command)
		return false;
	if (psp->fail_after) {
		psp->fail_after--;
		return false;
	}
	psp->fail_command = 0;
	return true;
}

int gmi_sim_psp_end(uint32_t status, uint32_t *error)
{
	*error = status;
	return status ? -EIO : 0;
}

/*
 * __sev_do_cmd_locked() up to the firmware's own work. A processor that timed out is dead, and
 * @error then 0; one that was dead before leaves @error alone.
 */
int gmi_sim_psp_call(struct gmem_sim *sim, uint32_t command, uint32_t *error)
{
	struct sim_psp *psp = &sim->psp;

	if (psp->is_dead)
		return -EBUSY;
	if (!is_failing(psp, command))
		return gmi_sim_psp_end(GMI_SEV_RET_SUCCESS, error);
	if (psp->fail_status != GMEM_SIM_SEV_TIMEOUT)
		return gmi_sim_psp_end(psp->fail_status, error);
	psp->is_dead = true;
	*error = 0;
	return -ETIMEDOUT;
}

/* sev_issue_cmd_external_user(): the descriptor is the permission. */
int gmi_sim_psp_issue(struct gmem_sim *sim, int fd, uint32_t command, uint32_t *error)
{
	struct sim_object *object;

	if (gmi_sim_kind(sim, fd, &object) != SIM_PSP)
		return -EBADF;
	return gmi_sim_psp_call(sim, command, error);
}

/* sev_platform_init(): at the first guest; @error is -1 where the firmware was not asked. */
int gmi_sim_psp_start_up(struct gmem_sim *sim, uint32_t *error)
{
	int ret;

	if (sim->psp.is_initialized)
		return 0;
	*error = GMI_SEV_RET_NO_FW_CALL;
	ret = gmi_sim_psp_call(sim, GMEM_SIM_SEV_INIT, error);
	sim->psp.is_initialized = !ret;
	return ret;
}

/* SEV-ES and SNP have the lower ones, SNP the lowest: the number of those that a type has. */
uint32_t gmi_sim_asids(const struct gmem_sim *sim, uint32_t vm_type, uint32_t *ret_first)
{
	const struct gmem_sim_sev *machine = &sim->psp.machine;

	if (vm_type == GMI_KVM_X86_SEV_VM) {
		*ret_first = machine->es_asids + 1;
		return machine->sev_asids;
	}
	if (vm_type == GMI_KVM_X86_SNP_VM) {
		*ret_first = 1;
		return machine->snp_asids ? machine->snp_asids : machine->es_asids;
	}
	*ret_first = machine->snp_asids + 1;
	return machine->es_asids - machine->snp_asids;
}

static int take_asid(struct sim_psp *psp, uint32_t first, uint32_t count, uint32_t *ret_asid)
{
	for (uint32_t asid = first; asid < first + count; asid++) {
		if (psp->asid[asid])
			continue;
		psp->asid[asid] = true;
		*ret_asid = asid;
		return 0;
	}
	return -EBUSY;
}

/* sev_asid_new(). VMs whose descriptors are gone may not have been noticed yet. */
int gmi_sim_asid_new(struct gmem_sim *sim, uint32_t vm_type, uint32_t *ret_asid)
{
	uint32_t first;
	uint32_t count = gmi_sim_asids(sim, vm_type, &first);
	int ret;

	if (!count)
		return -ENOTTY;
	ret = take_asid(&sim->psp, first, count, ret_asid);
	if (ret) {
		gmi_sim_reap(sim);
		ret = take_asid(&sim->psp, first, count, ret_asid);
	}
	return ret;
}

void gmi_sim_asid_free(struct gmem_sim *sim, uint32_t asid)
{
	sim->psp.asid[asid] = false;
}

struct sim_guest *gmi_sim_guest_new(struct gmem_sim *sim)
{
	struct sim_guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return NULL;
	guest->handle = ++sim->psp.last_handle;
	sim->psp.guests++;
	return guest;
}

void gmi_sim_guest_free(struct gmem_sim *sim, struct sim_guest *guest)
{
	if (!guest)
		return;
	sim->psp.guests--;
	free(guest->data);
	free(guest);
}

static bool machine_is_valid(const struct gmem_sim_sev *machine)
{
	return machine->sz == sizeof(*machine) && machine->sev_asids < SIM_ASIDS / 2 &&
	       machine->es_asids < SIM_ASIDS / 2 && machine->api_major <= UINT8_MAX &&
	       machine->api_minor <= UINT8_MAX && machine->snp_asids <= machine->es_asids &&
	       !(machine->flags & ~(GMEM_SIM_SEV_SMT | GMEM_SIM_SEV_SOCKETS | GMEM_SIM_SEV_OFF));
}

GMEM_API int gmem_sim_set_sev(struct gmem_sim *sim, const struct gmem_sim_sev *machine)
{
	int ret = 0;

	if (!sim || !machine || !machine_is_valid(machine))
		return -EINVAL;
	gmi_sim_lock(sim);
	gmi_sim_reap(sim);
	if (!sim_has(sim, SIM_SEV) || !gmi_sim_has_hashes())
		ret = -EOPNOTSUPP;
	else if (sim->psp.guests)
		ret = -EBUSY;
	else
		sim->psp.machine = *machine;
	gmi_sim_unlock(sim);
	return ret;
}

GMEM_API int gmem_sim_get_sev(struct gmem_sim *sim, struct gmem_sim_sev *ret_machine)
{
	int ret = 0;

	if (!sim || !ret_machine || ret_machine->sz != sizeof(*ret_machine))
		return -EINVAL;
	gmi_sim_lock(sim);
	if (!sim_has(sim, SIM_SEV) || !gmi_sim_has_hashes())
		ret = -EOPNOTSUPP;
	else
		*ret_machine = sim->psp.machine;
	gmi_sim_unlock(sim);
	return ret;
}

GMEM_API int gmem_sim_sev_fail(struct gmem_sim *sim, uint32_t command, uint32_t after,
			       uint32_t status)
{
	if (!sim || !status || command > GMEM_SIM_SNP_PAGE_RECLAIM)
		return -EINVAL;
	gmi_sim_lock(sim);
	sim->psp.fail_command = command;
	sim->psp.fail_after = after;
	sim->psp.fail_status = status;
	gmi_sim_unlock(sim);
	return 0;
}
