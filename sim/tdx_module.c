/* SPDX-License-Identifier: MIT */
/* What the machine has for TDs, key ids first, and SEAMCALLs that are made to fail. */
#include <errno.h>

#include "sim_model.h"

#define CPUS    64u
#define KEY_IDS 31u

void gmi_sim_tdx_init_host(struct gmem_sim *sim)
{
	sim->tdx.cpus = CPUS;
	sim->tdx.key_ids = KEY_IDS;
	sim->tdx.cgroup_limit = UINT32_MAX;
}

static unsigned int keys_in_use(const struct gmem_sim *sim)
{
	return (unsigned int)__builtin_popcountll(sim->tdx.keys_used);
}

/* tdx_guest_keyid_alloc(), then the charge to the control group: __tdx_td_init(). */
int gmi_sim_key_take(struct gmem_sim *sim, uint32_t *ret_key)
{
	uint32_t key = 1;

	while (key <= sim->tdx.key_ids && sim->tdx.keys_used & 1ull << key)
		key++;
	if (key > sim->tdx.key_ids)
		return -ENOSPC;
	if (keys_in_use(sim) >= sim->tdx.cgroup_limit)
		return -EBUSY;
	sim->tdx.keys_used |= 1ull << key;
	*ret_key = key;
	return 0;
}

void gmi_sim_key_give(struct gmem_sim *sim, uint32_t key)
{
	if (key)
		sim->tdx.keys_used &= ~(1ull << key);
}

uint64_t gmi_sim_seamcall(struct gmem_sim *sim, enum gmem_sim_seamcall call)
{
	struct sim_seamcall_failure *failure = &sim->tdx.failure[call];

	if (!failure->count)
		return 0;
	if (failure->skip) {
		failure->skip--;
		return 0;
	}
	failure->count--;
	return failure->status;
}

bool gmi_sim_seamcall_is_busy(uint64_t status)
{
	return (status & GMI_TDX_SEAMCALL_STATUS_MASK) == GMI_TDX_OPERAND_BUSY;
}

GMEM_API int gmem_sim_fail_seamcall(struct gmem_sim *sim, enum gmem_sim_seamcall call,
				    uint64_t skip, uint64_t count, uint64_t status)
{
	if (!sim || (unsigned int)call >= GMEM_SIM_SEAMCALL_COUNT || (count && !status))
		return -EINVAL;
	gmi_sim_lock(sim);
	sim->tdx.failure[call] =
		(struct sim_seamcall_failure){.skip = skip, .count = count, .status = status};
	gmi_sim_unlock(sim);
	return 0;
}

static bool host_is_valid(const struct gmem_sim_tdx_host *host)
{
	return host && host->sz == sizeof(*host) && host->cpus && host->cpus <= UINT16_MAX &&
	       host->key_ids && host->key_ids < 64 &&
	       !(host->flags & ~(GMEM_SIM_TDX_EPT5 | GMEM_SIM_TDX_PACKAGE_OFFLINE));
}

GMEM_API int gmem_sim_set_tdx_host(struct gmem_sim *sim, const struct gmem_sim_tdx_host *host)
{
	if (!sim || !host_is_valid(host))
		return -EINVAL;
	gmi_sim_lock(sim);
	sim->tdx.cpus = host->cpus;
	sim->tdx.key_ids = host->key_ids;
	sim->tdx.cgroup_limit = host->cgroup_limit ? host->cgroup_limit : UINT32_MAX;
	sim->tdx.flags = host->flags;
	gmi_sim_unlock(sim);
	return 0;
}
