/* SPDX-License-Identifier: MIT */
/* Tests a VMM's handling of conversions on a simulated kernel: no hardware, no privileges. */
#undef NDEBUG /* what is asserted has effects */
#include <assert.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <sys/mman.h>

#include <libgmem/libgmem.h>
#include <libgmem/sim.h>

#ifndef KVM_SET_MEMORY_ATTRIBUTES /* 6.8: newer than the headers of some systems */
#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ull << 3)
#define KVM_SET_MEMORY_ATTRIBUTES    _IOW(KVMIO, 0xd2, struct kvm_memory_attributes)
struct kvm_memory_attributes {
	__u64 address, size, attributes, flags;
};
#endif

#define GPA  0x100000
#define SIZE 0x10000

/* The code under test: a VMM that makes its system calls through a table. */
struct vmm {
	const struct gmem_sys_ops *sys;
	void *kernel;
	int vm;
};

static void handle_hypercall(struct vmm *vmm, struct kvm_run *run)
{
	struct kvm_memory_attributes set = {
		.address = run->hypercall.args[0],
		.size = run->hypercall.args[1] * 4096,
		.attributes = run->hypercall.args[2] & 16 ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	int err = vmm->sys->ioctl(vmm->kernel, vmm->vm, KVM_SET_MEMORY_ATTRIBUTES, &set);

	run->hypercall.ret = err ? (__u64)-err : 0;
}

/* A VM of 64 KiB with private memory, made with libgmem. */
static struct gmem_vm *make_vm(struct gmem_sim *sim, struct vmm *vmm, struct gmem_ctx **ctx,
			       struct gmem_file **file, struct gmem_slot **slot)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_HYPERCALL,
				     .args = {1 << KVM_HC_MAP_GPA_RANGE}};
	struct gmem_vm *vm;
	GMEM_INIT(gmem_ctx_opts, opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);

	opts.sys = gmem_sim_ops();
	opts.sys_user = sim;
	assert(gmem_ctx_create(&opts, ctx) == 0);
	assert(gmem_vm_create(*ctx, GMEM_VM_SW_PROTECTED, NULL, &vm) == 0);
	assert(gmem_file_create(vm, SIZE, NULL, file) == 0);
	slot_opts.file = *file;
	assert(gmem_slot_bind(vm, GPA, SIZE, &slot_opts, slot) == 0);
	*vmm = (struct vmm){opts.sys, sim, gmem_vm_fd(vm)};
	assert(vmm->sys->ioctl(sim, vmm->vm, KVM_ENABLE_CAP, &cap) == 0);
	return vm;
}

int main(void)
{
	struct gmem_ctx *ctx;
	struct gmem_file *file;
	struct gmem_slot *slot;
	struct vmm vmm;

	/* [test] */
	static const struct gmem_sim_action guest[] = {
		{.op = GMEM_SIM_FILL, .addr = GPA, .size = 4096, .value = 1}, /* shared */
		{.op = GMEM_SIM_HYPERCALL, .value = KVM_HC_MAP_GPA_RANGE, .args = {GPA, 1, 16}},
		{.op = GMEM_SIM_FILL, .addr = GPA, .size = 4096, .value = 2}, /* private */
		{.op = GMEM_SIM_CHECK, .addr = GPA, .size = 4096, .value = 2},
	};
	struct gmem_sim_vcpu_info info = {.sz = sizeof(info)};
	GMEM_INIT(gmem_slot_info, seen);
	struct gmem_sim *sim;
	struct kvm_run *run;
	void *addr;

	assert(gmem_sim_create("v7.3-sw", NULL, &sim) == 0);
	struct gmem_vm *vm = make_vm(sim, &vmm, &ctx, &file, &slot);
	int vcpu = vmm.sys->ioctl(sim, vmm.vm, KVM_CREATE_VCPU, 0);
	assert(gmem_sim_vcpu_script(sim, vcpu, guest, 4) == 0);
	assert(vmm.sys->mmap(sim, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0, &addr) ==
	       0);
	run = addr;

	assert(vmm.sys->ioctl(sim, vcpu, KVM_RUN, NULL) == 0);
	assert(run->exit_reason == KVM_EXIT_HYPERCALL);
	handle_hypercall(&vmm, run);
	assert(vmm.sys->ioctl(sim, vcpu, KVM_RUN, NULL) == 0);
	assert(run->exit_reason == KVM_EXIT_HLT);

	/* The guest agrees, and the host has only what was shared. */
	assert(gmem_sim_vcpu_get_info(sim, vcpu, &info) == 0);
	assert(info.hypercall_result == 0 && info.mismatches == 0);
	assert(gmem_slot_lookup(vm, 0, GPA, &seen) == 0);
	assert(*(uint64_t *)seen.hva == gmem_sim_pattern(1, GPA));
	/* [end] */

	vmm.sys->munmap(sim, addr, 4096);
	vmm.sys->close(sim, vcpu);
	gmem_slot_unbind(slot);
	gmem_file_unref(file);
	gmem_vm_unref(vm);
	gmem_ctx_unref(ctx);
	gmem_sim_unref(sim);
	puts("the guest converted a page, and the host sees the shared half alone");
	return 0;
}
