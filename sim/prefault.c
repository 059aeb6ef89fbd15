/* SPDX-License-Identifier: MIT */
/* KVM_PRE_FAULT_MEMORY. */
#include <errno.h>

#include "range.h"
#include "sim_guest.h"

/* The first page of the host's memory alone: the next step looks at the next. */
static int look_at_hva(struct sim_target *target)
{
	char byte;

	target->size = SIM_PAGE;
	return gmi_sim_copy_in(&byte, target->hva, 1);
}

/* Private pages of a TD come in as pending. */
static int map_pending(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size,
		       const struct sim_target *target)
{
	if (!(target->exit_flags & GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))
		return 0;
	return gmi_sim_td_map(sim, vm, gpa, size);
}

/* Nothing is done: the next step asks again. */
static int wait_for_module(const struct sim_vcpu *vcpu, int error, uint64_t *ret_done)
{
	*ret_done = 0;
	return vcpu->vm->dead ? -EIO : error;
}

/* One step: as far as one kind of backing reaches. @ret_done also on failure. */
static int step(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t gpa, uint64_t size,
		uint64_t *ret_done)
{
	struct sim_target target;
	int ret = 0, mapped;

	*ret_done = 0;
	if (atomic_exchange(&vcpu->interrupted, false))
		return -EINTR;
	if (!gmi_sim_may_pre_fault(sim, vcpu->vm) || !sim_has(sim, SIM_TDP))
		return -EOPNOTSUPP;
	if (vcpu->vm->td && gpa & gmi_sim_td_shared_bit(vcpu->vm->td))
		return -EINVAL;
	gmi_sim_resolve(sim, vcpu->vm, gpa, false, SIM_ACCESS_ANY, &target);
	if (target.size > size)
		target.size = size;
	switch (target.kind) {
	case SIM_TO_MMIO:
		return -ENOENT;
	case SIM_TO_FAULT:
		ret = target.error;
		break;
	case SIM_TO_HVA:
		ret = look_at_hva(&target);
		*ret_done = ret ? 0 : target.size;
		return ret;
	case SIM_TO_FILE:
		ret = gmi_sim_allocate(sim, target.inode, target.offset, target.size, true,
				       ret_done);
		if (*ret_done && target.to_guest &&
		    gmi_sim_rmp_assign(target.inode, target.offset, *ret_done))
			ret = -ENOMEM;
		mapped = map_pending(sim, vcpu->vm, gpa, *ret_done, &target);
		if (mapped)
			return wait_for_module(vcpu, mapped == -EAGAIN ? ret : mapped, ret_done);
		break;
	}
	if (ret && ret != -EINTR)
		gmi_sim_memory_fault(vcpu, gpa + *ret_done, target.exit_flags);
	return ret;
}

static int pre_fault(struct gmem_sim *sim, struct sim_vcpu *vcpu, struct gmi_kvm_pre_fault *range)
{
	uint64_t full = range->size;
	uint64_t done;
	int ret = 0;

	if (range->flags || !gmi_range_is_paged(range->gpa, range->size))
		return -EINVAL;
	while (!ret && range->size) {
		ret = step(sim, vcpu, range->gpa, range->size, &done);
		gmi_sim_mmio_forget(vcpu->vm, range->gpa, done);
		range->gpa += done;
		range->size -= done;
	}
	return range->size == full ? ret : 0;
}

/* What is left is handed back in any case: kvm_vcpu_ioctl(). */
int gmi_sim_pre_fault(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	struct gmi_kvm_pre_fault range;
	int ret;

	if (gmi_sim_copy_in(&range, arg, sizeof(range)))
		return -EFAULT;
	ret = pre_fault(sim, vcpu, &range);
	return gmi_sim_copy_out(arg, &range, sizeof(range)) ? -EFAULT : ret;
}
