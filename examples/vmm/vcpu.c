/* SPDX-License-Identifier: MIT */
/* Virtual processors: set-up for 64-bit mode, a thread each, and what to do when the guest stops. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm.h"

/* Architecture: what 64-bit mode needs in control registers and segments. */
#define CR0_PE          (UINT64_C(1) << 0)
#define CR0_ET          (UINT64_C(1) << 4)
#define CR0_NE          (UINT64_C(1) << 5)
#define CR0_PG          (UINT64_C(1) << 31)
#define CR4_PAE         (UINT64_C(1) << 5)
#define EFER_LME        (UINT64_C(1) << 8)
#define EFER_LMA        (UINT64_C(1) << 10)
#define RFLAGS_ALWAYS_1 (UINT64_C(1) << 1)
#define RFLAGS_IOPL_3   (UINT64_C(3) << 12)
#define KERNEL_MODE     0
#define USER_MODE       3
#define SEGMENT_CODE    11
#define SEGMENT_DATA    3

#define CPUID_ENTRIES 256

/* Show the guest the processor that KVM can show. */
static void set_cpuid(const struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	fail_if(cpuid ? 0 : -ENOMEM, "cannot describe the processor");
	cpuid->nent = CPUID_ENTRIES;
	fail_if(kernel_ioctl(&machine->kernel, gmem_ctx_kvm_fd(machine->ctx),
			     KVM_GET_SUPPORTED_CPUID, cpuid),
		"cannot learn what processor KVM can show");
	fail_if(kernel_ioctl(&machine->kernel, vcpu->fd, KVM_SET_CPUID2, cpuid),
		"cannot describe the processor");
	free(cpuid);
}

static struct kvm_segment flat_segment(uint8_t type, uint8_t level)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = (uint16_t)(type << 3 | level),
		.type = type,
		.present = 1,
		.dpl = level,
		.s = 1,
		.g = 1,
		.l = type == SEGMENT_CODE,
		.db = type != SEGMENT_CODE,
	};
}

/*
 * Where a PC starts in 16-bit mode, this one starts as guest_abi.h says. In user mode, because a
 * KVM without processor support (PVM) runs that at full speed and emulates kernel mode step by step;
 * user mode may use ports where the I/O privilege level says so. KVM takes hypercalls from kernel
 * mode only.
 */
static void set_registers(const struct vcpu *vcpu)
{
	const struct kernel *kernel = &vcpu->machine->kernel;
	uint8_t level = vcpu->machine->guest->converts ? KERNEL_MODE : USER_MODE;
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs = {
		.rip = BOOT_PROGRAM,
		.rsp = BOOT_STACKS + (vcpu->index + 1) * GMEM_PAGE_SIZE,
		.rdi = BOOT_RECORD,
		.rsi = vcpu->index,
		.rflags = RFLAGS_ALWAYS_1 | RFLAGS_IOPL_3,
	};

	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_GET_SREGS, &sregs),
		"cannot read a vCPU's registers");
	sregs.cs = flat_segment(SEGMENT_CODE, level);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat_segment(SEGMENT_DATA, level);
	sregs.cr3 = BOOT_PAGE_TABLES;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_SREGS, &sregs),
		"cannot put a vCPU in 64-bit mode");
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_REGS, &regs),
		"cannot set a vCPU's registers");
}

void vcpu_create(struct vcpu *vcpu, struct machine *machine, uint32_t index)
{
	const struct kernel *kernel = &machine->kernel;
	int run_size;

	vcpu->machine = machine;
	vcpu->index = index;
	vcpu->fd = kernel_ioctl(kernel, gmem_vm_fd(machine->vm), KVM_CREATE_VCPU,
				(void *)(uintptr_t)index);
	fail_if(vcpu->fd, "cannot create a vCPU");
	run_size =
		kernel_ioctl(kernel, gmem_ctx_kvm_fd(machine->ctx), KVM_GET_VCPU_MMAP_SIZE, NULL);
	fail_if(run_size, "cannot learn the size of kvm_run");
	vcpu->run_size = (uint64_t)run_size;
	vcpu->run = kernel_mmap(kernel, vcpu->run_size, MAP_SHARED, vcpu->fd);
	if (machine->guest->converts)
		convert_open(vcpu);
	if (machine->launch) {
		launch_set_up_vcpu(vcpu);
		return;
	}
	if (kernel->sim) {
		machine->guest->script(vcpu);
		return;
	}
	set_cpuid(vcpu);
	set_registers(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	const struct kernel *kernel = &vcpu->machine->kernel;

	if (vcpu->machine->guest->converts)
		convert_close(vcpu);
	kernel->sys->munmap(kernel->user, vcpu->run, vcpu->run_size);
	kernel->sys->close(kernel->user, vcpu->fd);
}

static void take_report(struct vcpu *vcpu, uint32_t what)
{
	uint64_t value = ((uint64_t)vcpu->high << 32) | vcpu->low;

	switch (what) {
	case REPORT_CHECKSUM:
		vcpu->checksum = value;
		return;
	case REPORT_BYTES:
		vcpu->bytes = value;
		return;
	case REPORT_PRIVATE:
		convert_check_private(vcpu, value);
		return;
	case REPORT_SHARED:
		convert_check_shared(vcpu, value);
		return;
	case REPORT_BAD_CALL:
		fail(STATUS_FAILED, "vCPU %" PRIu32 " gets 0x%" PRIx64 " from a hypercall",
		     vcpu->index, value);
	case REPORT_BAD_WORD:
		fail(STATUS_FAILED, "vCPU %" PRIu32 " finds wrong content at 0x%" PRIx64,
		     vcpu->index, value);
	}
	fail(STATUS_FAILED, "vCPU %" PRIu32 " reports 0x%" PRIx32 ", whatever that is", vcpu->index,
	     what);
}

/* How many ticks a guest counts on its own. */
#define TICKS 50

/* A count that does not go on where it was is what a hand-over must not make of it. */
static void take_tick(struct vcpu *vcpu, uint32_t tick)
{
	const struct machine *machine = vcpu->machine;

	if (tick != vcpu->tick + TICK_EVERY)
		fail(STATUS_FAILED, "vCPU %" PRIu32 " counts from %" PRIu32 " to %" PRIu32,
		     vcpu->index, vcpu->tick, tick);
	vcpu->tick = tick;
	vcpu->ticks++;
	vcpu->exited = machine->counts_on ? machine->stop : vcpu->ticks == TICKS;
}

/* The guest writes to a port. What it sends is not to be trusted. */
static void take_output(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const uint8_t *data = (const uint8_t *)run + run->io.data_offset;
	uint32_t value = 0;

	memcpy(&value, data, run->io.size < sizeof(value) ? run->io.size : sizeof(value));
	switch (run->io.direction == KVM_EXIT_IO_OUT ? run->io.port : 0) {
	case PORT_TEXT:
		report_text(vcpu, data, (uint64_t)run->io.size * run->io.count);
		return;
	case PORT_LOW:
		vcpu->low = value;
		return;
	case PORT_HIGH:
		vcpu->high = value;
		return;
	case PORT_WHAT:
		take_report(vcpu, value);
		return;
	case PORT_EXIT:
		if (value)
			fail(STATUS_FAILED, "vCPU %" PRIu32 " ends with status %" PRIu32,
			     vcpu->index, value);
		vcpu->exited = true;
		return;
	case PORT_TICK:
		take_tick(vcpu, value);
		return;
	case PORT_REBOOT:
		vcpu->asked_reboot = true;
		vcpu->exited = true;
		return;
	}
	fail(STATUS_FAILED, "vCPU %" PRIu32 " uses port 0x%x, which is not there", vcpu->index,
	     run->io.port);
}

__attribute__((noreturn)) static void bad_exit(const struct vcpu *vcpu, const char *what,
					       uint64_t detail)
{
	fail(STATUS_FAILED, "vCPU %" PRIu32 " %s (0x%" PRIx64 ")", vcpu->index, what, detail);
}

static void handle_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		take_output(vcpu);
		return;
	case KVM_EXIT_HLT:
		bad_exit(vcpu, "halts, which no guest does", 0);
	case KVM_EXIT_MMIO:
		bad_exit(vcpu, "touches an address without memory", run->mmio.phys_addr);
	case KVM_EXIT_SHUTDOWN:
		bad_exit(vcpu, "shuts down: an exception that nobody handles", 0);
	case KVM_EXIT_FAIL_ENTRY:
		bad_exit(vcpu, "cannot enter the guest: the processor's reason",
			 run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		bad_exit(vcpu, "makes KVM give up", run->internal.suberror);
	}
	bad_exit(vcpu, "exits for a reason unknown here", run->exit_reason);
}

/* KVM_EXIT_MEMORY_FAULT (6.8): newer than the headers of the oldest system that this is built on. */
#define EXIT_MEMORY_FAULT 39
struct memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

/*
 * KVM_RUN fails with EFAULT where memory is missing: no page could be had, or private memory was touched
 * as if it were shared or the other way round. Only then is there an exit reason beside the error.
 */
static void handle_run_error(const struct vcpu *vcpu, int error)
{
	struct memory_fault fault;

	if (error == -EINTR)
		return;
	if (error != -EFAULT || vcpu->run->exit_reason != EXIT_MEMORY_FAULT)
		fail_if(error, "cannot run a vCPU");
	memcpy(&fault, &vcpu->run->hw, sizeof(fault));
	bad_exit(vcpu, "has a memory fault that KVM cannot resolve", fault.gpa);
}

/* KVM does the rest of an instruction that exited at the next KVM_RUN: then registers are true. */
static void finish_exit(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	kernel_ioctl(&vcpu->machine->kernel, vcpu->fd, KVM_RUN, NULL);
	vcpu->run->immediate_exit = 0;
}

static void *vcpu_thread(void *data)
{
	struct vcpu *vcpu = data;

	while (!vcpu->exited) {
		int err = kernel_ioctl(&vcpu->machine->kernel, vcpu->fd, KVM_RUN, NULL);

		if (vcpu->machine->guest->converts && convert_exit(vcpu, err))
			continue;
		if (err)
			handle_run_error(vcpu, err);
		else
			handle_exit(vcpu);
	}
	if (vcpu->machine->counts_on)
		finish_exit(vcpu);
	return NULL;
}

void vcpus_start(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		fail_if(-pthread_create(&machine->vcpus[i].thread, NULL, vcpu_thread,
					&machine->vcpus[i]),
			"cannot start a vCPU's thread");
}

void vcpus_join(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		pthread_join(machine->vcpus[i].thread, NULL);
}

void vcpus_stop(struct machine *machine)
{
	machine->stop = true;
	vcpus_join(machine);
}

void vcpus_run(struct machine *machine)
{
	vcpus_start(machine);
	vcpus_join(machine);
}
