/* SPDX-License-Identifier: MIT */
/* KVM_MEMORY_ENCRYPT_REG_REGION and its reverse: the host's memory that a SEV guest pins. */
#include <errno.h>
#include <stdlib.h>

#include "sim_model.h"

static bool is_there(const struct gmi_kvm_enc_region *range)
{
	uint8_t byte;

	for (uint64_t at = 0; at < range->size; at += SIM_PAGE) {
		if (gmi_sim_copy_in(&byte, range->addr + at, 1))
			return false;
	}
	return true;
}

/* sev_mem_enc_register_region(). How much memory may be locked is not looked at. */
int gmi_sim_register_region(struct sim_vm *vm, const struct gmi_kvm_enc_region *range)
{
	struct sim_region *region;

	if (!vm->sev.is_active)
		return -ENOTTY;
	if (vm->sev.owner || !range->size || range->addr + range->size < range->addr)
		return -EINVAL;
	if (!is_there(range))
		return -ENOMEM;
	region = malloc(sizeof(*region));
	if (!region)
		return -ENOMEM;
	*region = (struct sim_region){range->addr, range->size, vm->sev.first_region};
	vm->sev.first_region = region;
	return 0;
}

/* sev_mem_enc_unregister_region() */
int gmi_sim_unregister_region(struct sim_vm *vm, const struct gmi_kvm_enc_region *range)
{
	struct sim_region **at = &vm->sev.first_region;
	struct sim_region *region;

	if (vm->sev.owner)
		return -EINVAL;
	if (!vm->sev.is_active)
		return -ENOTTY;
	while (*at && ((*at)->addr != range->addr || (*at)->size != range->size))
		at = &(*at)->next;
	region = *at;
	if (!region)
		return -EINVAL;
	*at = region->next;
	free(region);
	return 0;
}

void gmi_sim_free_regions(struct sim_vm *vm)
{
	while (vm->sev.first_region) {
		struct sim_region *region = vm->sev.first_region;

		vm->sev.first_region = region->next;
		free(region);
	}
}
