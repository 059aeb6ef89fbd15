/* SPDX-License-Identifier: MIT */
/* KVM_RUN, and the scripts that vCPUs run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_guest.h"

/* A vCPU without a program: the first instruction is not there. */
static int no_program(struct sim_vcpu *vcpu)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal = (struct gmi_kvm_exit_internal){
		.suberror = GMI_KVM_INTERNAL_ERROR_EMULATION,
	};
	return 0;
}

static bool is_interrupted(struct sim_vcpu *vcpu)
{
	return atomic_exchange(&vcpu->interrupted, false) ||
	       *(volatile uint8_t *)&vcpu->run->immediate_exit;
}

static int leave_for_signal(struct sim_vcpu *vcpu)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_INTR;
	return -EINTR;
}

/* With an interrupt controller in the kernel HLT waits there; no interrupt ever comes. */
static int wait_halted(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	while (!is_interrupted(vcpu)) {
		gmi_sim_unlock(sim);
		nanosleep(&moment, NULL);
		gmi_sim_lock(sim);
		if (vcpu->vm->dead)
			return -EIO;
	}
	return leave_for_signal(vcpu);
}

static int halt(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	if (vcpu->vm->irqchip)
		return wait_halted(sim, vcpu);
	vcpu->run->exit_reason = GMI_KVM_EXIT_HLT;
	return 0;
}

/* A guest that waits for another vCPU leaves the processor to it. */
static void pass_time(struct gmem_sim *sim, const struct sim_vcpu *vcpu)
{
	if (vcpu->script->at < vcpu->script->count &&
	    vcpu->script->action[vcpu->script->at].op == GMEM_SIM_WAIT) {
		gmi_sim_pause(sim);
		return;
	}
	gmi_sim_yield(sim);
}

/* Runs actions until one leaves. Others get in between any two steps. */
static int run_actions(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	int ret;

	for (;;) {
		if (vcpu->script->at == vcpu->script->count)
			return halt(sim, vcpu);
		ret = gmi_sim_step(sim, vcpu);
		if (ret <= 0)
			break;
		pass_time(sim, vcpu);
		if (vcpu->vm->dead)
			return -EIO;
		if (is_interrupted(vcpu))
			return leave_for_signal(vcpu);
	}
	if (!ret && vcpu->run->exit_reason == GMI_KVM_EXIT_HLT)
		return halt(sim, vcpu);
	return ret;
}

/*
 * What keeps a vCPU of a confidential VM from being entered. UNVERIFIED: that the processor refuses
 * a VMSA that was never encrypted; KVM itself does not look.
 */
static int enter_encrypted(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	const struct sim_sev *sev = &vcpu->vm->sev;

	if (sev->needs_init)
		return -EINVAL;
	if (!sev->is_es || vcpu->is_protected)
		return 1;
	vcpu->run->exit_reason = GMI_KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry = (struct gmi_kvm_exit_fail_entry){
		.hardware_entry_failure_reason = UINT64_MAX,
	};
	return 0;
}

/* tdx_vcpu_needs_initialization() */
static bool is_runnable(const struct sim_vcpu *vcpu)
{
	const struct sim_td *td = vcpu->vm->td;

	return !td || (vcpu->td_ready && td->state == GMEM_SIM_TD_RUNNABLE);
}

/* kvm_arch_vcpu_ioctl_run(): what the last exit left open is done before immediate_exit counts. */
int gmi_sim_run(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	int ret = 1;

	if (arg)
		return -EINVAL;
	if (vcpu->script)
		ret = gmi_sim_complete(sim, vcpu);
	if (ret <= 0)
		return ret;
	if (*(volatile uint8_t *)&vcpu->run->immediate_exit)
		return -EINTR;
	if (!is_runnable(vcpu))
		return -EINVAL;
	vcpu->run->exit_reason = GMI_KVM_EXIT_UNKNOWN;
	ret = enter_encrypted(sim, vcpu);
	if (ret <= 0)
		return ret;
	if (atomic_exchange(&vcpu->interrupted, false))
		return leave_for_signal(vcpu);
	return vcpu->script ? run_actions(sim, vcpu) : no_program(vcpu);
}

static void free_script(struct sim_script *script)
{
	if (!script)
		return;
	free(script->action);
	free(script->jumps);
	free(script);
}

void gmi_sim_free_script(struct sim_vcpu *vcpu)
{
	free_script(vcpu->script);
	vcpu->script = NULL;
}

static int make_script(const struct gmem_sim_action *actions, size_t count,
		       struct sim_script **ret_script)
{
	struct sim_script *script;

	for (size_t i = 0; i < count; i++) {
		if (!gmi_sim_action_is_valid(&actions[i], count))
			return -EINVAL;
	}
	script = calloc(1, sizeof(*script));
	if (!script)
		return -ENOMEM;
	script->action = calloc(count ? count : 1, sizeof(*actions));
	script->jumps = calloc(count ? count : 1, sizeof(*script->jumps));
	if (!script->action || !script->jumps) {
		free_script(script);
		return -ENOMEM;
	}
	if (count)
		memcpy(script->action, actions, count * sizeof(*actions));
	script->count = count;
	*ret_script = script;
	return 0;
}

/* The vCPU behind a descriptor, or NULL. */
static struct sim_vcpu *find_vcpu(struct gmem_sim *sim, int fd)
{
	struct sim_object *object;

	if (gmi_sim_kind(sim, fd, &object) != SIM_VCPU || !object)
		return NULL;
	return sim_container(object, struct sim_vcpu, object);
}

GMEM_API int gmem_sim_vcpu_script(struct gmem_sim *sim, int vcpu_fd,
				  const struct gmem_sim_action *actions, size_t count)
{
	struct sim_script *script;
	struct sim_vcpu *vcpu;
	int ret;

	if (!sim || (!actions && count))
		return -EINVAL;
	ret = make_script(actions, count, &script);
	if (ret)
		return ret;
	gmi_sim_lock(sim);
	vcpu = find_vcpu(sim, vcpu_fd);
	if (!vcpu)
		ret = -EBADF;
	else if (vcpu->busy)
		ret = -EBUSY;
	if (ret) {
		free_script(script);
	} else {
		gmi_sim_free_script(vcpu);
		vcpu->script = script;
	}
	gmi_sim_unlock(sim);
	return ret;
}

GMEM_API int gmem_sim_vcpu_get_info(struct gmem_sim *sim, int vcpu_fd,
				    struct gmem_sim_vcpu_info *ret_info)
{
	struct sim_vcpu *vcpu;
	int ret = 0;

	if (!sim || !ret_info || ret_info->sz != sizeof(*ret_info))
		return -EINVAL;
	gmi_sim_lock(sim);
	vcpu = find_vcpu(sim, vcpu_fd);
	if (!vcpu) {
		ret = -EBADF;
	} else {
		*ret_info = vcpu->script ? vcpu->script->info : (struct gmem_sim_vcpu_info){0};
		ret_info->sz = sizeof(*ret_info);
		ret_info->action = vcpu->script ? vcpu->script->at : 0;
		ret_info->is_done = vcpu->script && vcpu->script->at == vcpu->script->count;
	}
	gmi_sim_unlock(sim);
	return ret;
}

GMEM_API int gmem_sim_interrupt(struct gmem_sim *sim, int vcpu_fd)
{
	struct sim_vcpu *vcpu;

	if (!sim)
		return -EINVAL;
	gmi_sim_lock(sim);
	vcpu = find_vcpu(sim, vcpu_fd);
	if (vcpu)
		atomic_store(&vcpu->interrupted, true);
	gmi_sim_unlock(sim);
	return vcpu ? 0 : -EBADF;
}
