/* SPDX-License-Identifier: MIT */
/* The context of an SEV guest: moved to another VM, or shared with a mirror. */
#include <errno.h>

#include "sim_model.h"

/* UNVERIFIED: sev_vm_move_enc_context_from() and sev_vm_copy_enc_context_from() of 7.3.4, read. */

/* The other VM's descriptor, and whether it is another VM at all. */
static int find_source(struct gmem_sim *sim, struct sim_vm *vm, int fd, struct sim_vm **ret_source)
{
	struct sim_object *object;

	if (gmi_sim_kind(sim, fd, &object) != SIM_VM)
		return -EBADF;
	if (!object)
		return -EINVAL;
	*ret_source = sim_container(object, struct sim_vm, object);
	if (*ret_source == vm)
		return -EINVAL;
	return vm->sev.is_moving || (*ret_source)->sev.is_moving ? -EBUSY : 0;
}

/* sev_lock_two_vms(): others find the VMs busy, and vCPUs to be made wait, while this one waits. */
static void begin_move(struct gmem_sim *sim, struct sim_vm *vm)
{
	vm->sev.is_moving = true;
	vm->users++;
	gmi_sim_lock_vcpus(sim, vm);
}

static void end_move(struct gmem_sim *sim, struct sim_vm *vm)
{
	gmi_sim_unlock_vcpus(sim, vm);
	vm->users--;
	vm->sev.is_moving = false;
	pthread_cond_broadcast(&sim->idle);
}

/* What takes the VM's own lock in the kernel. */
void gmi_sim_wait_for_move(struct gmem_sim *sim, struct sim_vm *vm)
{
	vm->users++;
	while (vm->sev.is_moving)
		pthread_cond_wait(&sim->idle, &sim->lock);
	vm->users--;
}

/*
 * A mirror holds its owner, and is initialised by having one. Its vCPUs are measured without the
 * owner's features: KVM does not copy them.
 */
int gmi_sim_sev_copy_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd)
{
	struct sim_vm *source;
	int ret = find_source(sim, vm, source_fd, &source);

	if (ret)
		return ret;
	if (vm->sev.is_active || !source->sev.is_active || gmi_sim_is_snp(source) ||
	    source->sev.owner || vm->created_vcpus)
		return -EINVAL;
	source->sev.mirrors++;
	vm->sev.owner = source;
	vm->sev.is_active = true;
	vm->sev.is_es = source->sev.is_es;
	vm->sev.asid = source->sev.asid;
	vm->sev.fd = source->sev.fd;
	vm->sev.guest = source->sev.guest;
	vm->sev.needs_init = false;
	return 0;
}

static void move_mirrors(struct gmem_sim *sim, struct sim_vm *vm, struct sim_vm *source)
{
	struct sim_object *object;
	struct sim_vm *mirror;

	for (size_t i = 0; i < SIM_BUCKETS; i++)
		for (object = sim->bucket[i]; object; object = object->next) {
			mirror = sim_container(object, struct sim_vm, object);
			if (object->kind == SIM_VM && mirror->sev.owner == source)
				mirror->sev.owner = vm;
		}
	vm->sev.mirrors = source->sev.mirrors;
	source->sev.mirrors = 0;
}

/* Neither the descriptor of /dev/sev nor the policy comes along, and the mark of INIT2 stays. */
static void move_guest(struct sim_vm *vm, struct sim_vm *source)
{
	vm->sev.is_active = true;
	vm->sev.is_es = source->sev.is_es;
	vm->sev.asid = source->sev.asid;
	vm->sev.features = source->sev.features;
	vm->sev.guest = source->sev.guest;
	vm->sev.owner = source->sev.owner;
	vm->sev.first_region = source->sev.first_region;
	source->sev.is_active = false;
	source->sev.asid = 0;
	source->sev.guest = NULL;
	source->sev.owner = NULL;
	source->sev.first_region = NULL;
}

/* sev_check_source_vcpus() */
static int check_vcpus(const struct sim_vm *vm, const struct sim_vm *source)
{
	if (!source->sev.is_es)
		return 0;
	if (vm->created_vcpus != source->created_vcpus)
		return -EINVAL;
	for (const struct sim_vcpu *vcpu = source->first_vcpu; vcpu; vcpu = vcpu->next) {
		if (!vcpu->is_protected)
			return -EINVAL;
	}
	return 0;
}

/* The guest's registers go with it, vCPU by vCPU. */
static void move_vcpus(struct sim_vm *vm, struct sim_vm *source)
{
	struct sim_vcpu *from = source->first_vcpu;

	if (!vm->sev.is_es)
		return;
	for (struct sim_vcpu *to = vm->first_vcpu; to && from; to = to->next, from = from->next) {
		to->is_protected = true;
		from->is_protected = false;
	}
}

static int move(struct gmem_sim *sim, struct sim_vm *vm, struct sim_vm *source)
{
	int ret = check_vcpus(vm, source);

	if (ret)
		return ret;
	move_guest(vm, source);
	move_mirrors(sim, vm, source);
	move_vcpus(vm, source);
	source->dead = true;
	return 0;
}

int gmi_sim_sev_move_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd)
{
	struct sim_vm *source;
	int ret = find_source(sim, vm, source_fd, &source);

	if (ret)
		return ret;
	if (vm->type != source->type || vm->sev.is_active || !source->sev.is_active ||
	    gmi_sim_is_snp(source))
		return -EINVAL;
	source->sev.is_moving = true;
	begin_move(sim, vm);
	begin_move(sim, source);
	ret = move(sim, vm, source);
	end_move(sim, source);
	end_move(sim, vm);
	return ret;
}
