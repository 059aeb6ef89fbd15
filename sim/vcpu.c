/* SPDX-License-Identifier: MIT */
/* vCPUs: creation, and the requests on their descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_guest.h"
#include "sim_regs.h"
#include "uapi_sev.h"

#define MAX_VCPU_IDS 4096 /* KVM_CAP_MAX_VCPU_ID */
#define MAX_CPUID    256  /* KVM_MAX_CPUID_ENTRIES */

uint64_t gmi_sim_run_offset(const struct sim_vcpu *vcpu)
{
	return vcpu->object.id / SIM_KINDS << SIM_RUN_SHIFT;
}

static bool number_is_taken(const struct sim_vm *vm, uint64_t number)
{
	const struct sim_vcpu *vcpu;

	for (vcpu = vm->first_vcpu; vcpu; vcpu = vcpu->next) {
		if (vcpu->number == number)
			return true;
	}
	return false;
}

static int map_run(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	void *run = mmap(NULL, SIM_RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sim->control_fd,
			 (off_t)gmi_sim_run_offset(vcpu));

	if (run == MAP_FAILED)
		return -ENOMEM;
	memset(run, 0, SIM_RUN_SIZE);
	vcpu->run = run;
	return 0;
}

/* In the order of their creation, which is the order of their indices in the kernel. */
static void append_vcpu(struct sim_vm *vm, struct sim_vcpu *vcpu)
{
	struct sim_vcpu **at = &vm->first_vcpu;

	while (*at)
		at = &(*at)->next;
	*at = vcpu;
	vm->vcpus++;
	vm->created_vcpus++;
}

int gmi_sim_create_vcpu(struct gmem_sim *sim, struct sim_vm *vm, uint64_t number)
{
	struct sim_vcpu *vcpu;
	int fd, ret;

	gmi_sim_wait_for_move(sim, vm);
	if (number >= MAX_VCPU_IDS ||
	    (int)vm->created_vcpus >= gmi_sim_check_extension(sim, vm, GMI_KVM_CAP_MAX_VCPUS))
		return -EINVAL;
	if (number_is_taken(vm, number))
		return -EEXIST;
	ret = vm->td ? gmi_sim_tdx_may_create_vcpu(vm) : 0;
	if (ret)
		return ret;
	vcpu = calloc(1, sizeof(*vcpu));
	if (!vcpu)
		return -ENOMEM;
	fd = gmi_sim_new_fd(sim, sim->control_fd, SIM_VCPU, true, &vcpu->object.id);
	ret = fd < 0 ? fd : map_run(sim, vcpu);
	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		free(vcpu);
		return ret;
	}
	vcpu->object.kind = SIM_VCPU;
	vcpu->vm = vm;
	vcpu->number = (uint32_t)number;
	vcpu->is_protected = vm->td;
	append_vcpu(vm, vcpu);
	gmi_sim_insert(sim, &vcpu->object);
	return fd;
}

static void free_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	munmap(vcpu->run, SIM_RUN_SIZE);
	fallocate(sim->control_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)gmi_sim_run_offset(vcpu), SIM_RUN_SIZE);
	gmi_sim_free_script(vcpu);
	free(vcpu->state);
	free(vcpu->cpuid);
	free(vcpu);
}

/* A vCPU stays its VM's when its descriptor is closed: kvm_vcpu_release(). */
void gmi_sim_free_vcpus(struct gmem_sim *sim, struct sim_vm *vm)
{
	struct sim_vcpu *vcpu;

	while ((vcpu = vm->first_vcpu)) {
		vm->first_vcpu = vcpu->next;
		free_vcpu(sim, vcpu);
	}
}

/* One thread at a time is inside a vCPU; the others wait, as for the kernel's vcpu->mutex. */
void gmi_sim_enter_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	vcpu->users++;
	while (vcpu->busy)
		pthread_cond_wait(&sim->idle, &sim->lock);
	vcpu->busy = true;
}

void gmi_sim_leave_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	vcpu->busy = false;
	vcpu->users--;
	pthread_cond_broadcast(&sim->idle);
}

static size_t cpuid_size(uint32_t entries)
{
	return sizeof(struct gmi_kvm_cpuid2) + entries * sizeof(struct gmi_kvm_cpuid_entry2);
}

static int set_cpuid(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	struct gmi_kvm_cpuid2 head;
	void *cpuid;

	if (gmi_sim_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent > MAX_CPUID)
		return -E2BIG;
	cpuid = malloc(cpuid_size(head.nent));
	if (!cpuid)
		return -ENOMEM;
	if (gmi_sim_copy_in(cpuid, arg, cpuid_size(head.nent))) {
		free(cpuid);
		return -EFAULT;
	}
	free(vcpu->cpuid);
	vcpu->cpuid = cpuid;
	vcpu->cpuid_size = cpuid_size(head.nent);
	return 0;
}

static int get_cpuid(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	struct gmi_kvm_cpuid2 head, none = {0};

	if (gmi_sim_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (!vcpu->cpuid)
		return gmi_sim_copy_out(arg, &none, sizeof(none));
	if (cpuid_size(head.nent) < vcpu->cpuid_size)
		return -E2BIG;
	return gmi_sim_copy_out(arg, vcpu->cpuid, vcpu->cpuid_size);
}

/* AMD has commands for VMs alone: kvm_arch_vcpu_ioctl(). */
static int no_vcpu_commands(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	return -ENOTTY;
}

/* TDX fixes it for the whole TD, SecureTSC for the guest. */
static int set_tsc_khz(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	return vcpu->vm->td || vcpu->vm->sev.features & GMI_SEV_FEATURE_SECURE_TSC ? -EINVAL : 0;
}

#define KVM_GET_MSRS        0xc008ae88u
#define KVM_SET_MSRS        0x4008ae89u
#define KVM_SET_SIGNAL_MASK 0x4004ae8bu
#define KVM_SET_GUEST_DEBUG 0x4048ae9bu

/* struct kvm_guest_debug: bit 0 of the first word enables it. */
static int set_guest_debug(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	uint32_t debug[18];

	if (gmi_sim_copy_in(debug, arg, sizeof(debug)))
		return -EFAULT;
	if (vcpu->is_protected)
		return -EINVAL;
	vcpu->is_debugged = debug[0] & 1;
	return 0;
}

static int accept_request(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	return 0;
}

static const struct {
	uint64_t request;
	int (*handle)(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);
	uint32_t feature;
} requests[] = {
	{GMI_KVM_RUN, gmi_sim_run, 0},
	{GMI_KVM_PRE_FAULT_MEMORY, gmi_sim_pre_fault, SIM_PRE_FAULT},
	{GMI_KVM_SET_CPUID2, set_cpuid, 0},
	{GMI_KVM_GET_CPUID2, get_cpuid, 0},
	{GMI_KVM_SET_TSC_KHZ, set_tsc_khz, 0},
	{GMI_KVM_MEMORY_ENCRYPT_OP, gmi_sim_tdx_vcpu_op, SIM_TDX_OLD},
	{KVM_SET_SIGNAL_MASK, accept_request, 0},
	{KVM_GET_MSRS, gmi_sim_get_msrs, 0},
	{KVM_SET_MSRS, gmi_sim_set_msrs, 0},
	{KVM_SET_GUEST_DEBUG, set_guest_debug, 0},
	{GMI_KVM_MEMORY_ENCRYPT_OP, no_vcpu_commands, SIM_SEV},
};

static int dispatch(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t request, uint64_t arg)
{
	int ret;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].request == request &&
		    (!requests[i].feature || sim_has(sim, requests[i].feature)))
			return requests[i].handle(sim, vcpu, arg);
	}
	ret = gmi_sim_regs_ioctl(vcpu, request, arg);
	return ret == -ENOTTY ? -EINVAL : ret;
}

/* It takes the mutexes of all vCPUs, this one's too: kvm_arch_vcpu_unlocked_ioctl(). */
static int encrypt_op_unlocked(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg)
{
	int ret;

	vcpu->users++;
	ret = gmi_sim_tdx_vcpu_op(sim, vcpu, arg);
	vcpu->users--;
	return ret;
}

int gmi_sim_vcpu_ioctl(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t request, uint64_t arg)
{
	int ret;

	if (request == GMI_KVM_MEMORY_ENCRYPT_OP && sim_has(sim, SIM_TDX) &&
	    !sim_has(sim, SIM_TDX_OLD))
		return encrypt_op_unlocked(sim, vcpu, arg);
	gmi_sim_enter_vcpu(sim, vcpu);
	ret = dispatch(sim, vcpu, request, arg);
	gmi_sim_leave_vcpu(sim, vcpu);
	return ret;
}
