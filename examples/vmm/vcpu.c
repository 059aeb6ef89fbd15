/* SPDX-License-Identifier: MIT */
/* Virtual processors: set-up for 64-bit mode, a thread each, and what to do when the guest stops. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm.h"

/* Architecture: control registers and segment types that 64-bit mode needs. */
#define CR0_PE          (UINT64_C(1) << 0)
#define CR0_MP          (UINT64_C(1) << 1)
#define CR0_ET          (UINT64_C(1) << 4)
#define CR0_NE          (UINT64_C(1) << 5)
#define CR0_PG          (UINT64_C(1) << 31)
#define CR4_PAE         (UINT64_C(1) << 5)
#define EFER_LME        (UINT64_C(1) << 8)
#define EFER_LMA        (UINT64_C(1) << 10)
#define RFLAGS_ALWAYS_1 (UINT64_C(1) << 1)
#define SEGMENT_CODE    11
#define SEGMENT_DATA    3

#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EDX_1G_PAGES      (1u << 26)
#define CPUID_MAX_ENTRIES       256

/* Show the guest the processor that KVM can show. The page tables are made of 1 GiB pages. */
static int set_cpuid(const struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	const struct kvm_cpuid_entry2 *entry;
	struct kvm_cpuid2 *cpuid;
	bool has_1g = false;
	int err;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return report_error("cannot describe the processor", -ENOMEM);
	cpuid->nent = CPUID_MAX_ENTRIES;
	err = kernel_ioctl(&machine->kernel, gmem_ctx_kvm_fd(machine->ctx),
			   KVM_GET_SUPPORTED_CPUID, cpuid);
	if (!err)
		err = kernel_ioctl(&machine->kernel, vcpu->fd, KVM_SET_CPUID2, cpuid);
	for (uint32_t i = 0; !err && i < cpuid->nent; i++) {
		entry = &cpuid->entries[i];
		if (entry->function == CPUID_EXTENDED_FEATURES)
			has_1g = entry->edx & CPUID_EDX_1G_PAGES;
	}
	free(cpuid);
	if (err)
		return report_error("cannot describe the processor", err);
	return has_1g ? 0 : report_error("the processor has no 1 GiB pages", -EOPNOTSUPP);
}

static struct kvm_segment flat_segment(uint8_t type)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = type == SEGMENT_CODE,
		.db = type != SEGMENT_CODE,
	};
}

static int set_system_registers(const struct vcpu *vcpu)
{
	const struct kernel *kernel = &vcpu->machine->kernel;
	struct kvm_segment data = flat_segment(SEGMENT_DATA);
	struct kvm_sregs sregs;
	int err = kernel_ioctl(kernel, vcpu->fd, KVM_GET_SREGS, &sregs);

	if (err)
		return report_error("cannot read a vCPU's registers", err);
	sregs.cs = flat_segment(SEGMENT_CODE);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr3 = BOOT_PAGE_TABLES;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	err = kernel_ioctl(kernel, vcpu->fd, KVM_SET_SREGS, &sregs);
	return err ? report_error("cannot put a vCPU in 64-bit mode", err) : 0;
}

static int set_registers(const struct vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = BOOT_PROGRAM,
		.rsp = BOOT_STACKS + (vcpu->index + 1) * GMEM_PAGE_SIZE,
		.rdi = BOOT_RECORD,
		.rsi = vcpu->index,
		.rflags = RFLAGS_ALWAYS_1,
	};
	int err = kernel_ioctl(&vcpu->machine->kernel, vcpu->fd, KVM_SET_REGS, &regs);

	return err ? report_error("cannot set a vCPU's registers", err) : 0;
}

static int map_run(struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	const struct kernel *kernel = &machine->kernel;
	void *run;
	int size, err;

	size = kernel_ioctl(kernel, gmem_ctx_kvm_fd(machine->ctx), KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (size < 0)
		return report_error("cannot learn the size of kvm_run", size);
	err = kernel->sys->mmap(kernel->user, NULL, (uint64_t)size, PROT_READ | PROT_WRITE,
				MAP_SHARED, vcpu->fd, 0, &run);
	if (err)
		return report_error("cannot map kvm_run", err);
	vcpu->run = run;
	vcpu->run_size = (uint64_t)size;
	return 0;
}

int vcpu_create(struct vcpu *vcpu, struct machine *machine, uint32_t index)
{
	int err;

	vcpu->machine = machine;
	vcpu->index = index;
	vcpu->fd = kernel_ioctl(&machine->kernel, gmem_vm_fd(machine->vm), KVM_CREATE_VCPU,
				(void *)(uintptr_t)index);
	if (vcpu->fd < 0)
		return report_error("cannot create a vCPU", vcpu->fd);
	err = map_run(vcpu);
	if (err)
		return err;
	if (kernel_is_simulated(&machine->kernel))
		return machine->guest->script(vcpu);
	err = set_cpuid(vcpu);
	if (!err)
		err = set_system_registers(vcpu);
	if (!err)
		err = set_registers(vcpu);
	return err;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	const struct kernel *kernel = &vcpu->machine->kernel;

	if (vcpu->run)
		kernel->sys->munmap(kernel->user, vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		kernel->sys->close(kernel->user, vcpu->fd);
}

static int take_report(struct vcpu *vcpu, uint32_t what)
{
	uint64_t value = ((uint64_t)vcpu->high << 32) | vcpu->low;

	switch (what) {
	case REPORT_CHECKSUM:
		vcpu->checksum = value;
		return 0;
	case REPORT_BYTES:
		vcpu->bytes = value;
		return 0;
	case REPORT_BAD_WORD:
		fprintf(stderr, "gmem-vmm: vCPU %" PRIu32 ": wrong content at 0x%" PRIx64 "\n",
			vcpu->index, value);
		return 0;
	}
	fprintf(stderr, "gmem-vmm: vCPU %" PRIu32 ": unknown report %" PRIu32 "\n", vcpu->index,
		what);
	return -EPROTO;
}

/* One write of the guest to a port. What the guest sends is not to be trusted. */
static int take_output(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const uint8_t *data = (const uint8_t *)run + run->io.data_offset;
	uint32_t value = 0;

	if (run->io.direction != KVM_EXIT_IO_OUT) {
		fprintf(stderr, "gmem-vmm: the guest reads port 0x%x, which nothing answers\n",
			run->io.port);
		return -EPROTO;
	}
	if (run->io.port == PORT_TEXT) {
		report_guest_text(data, (uint64_t)run->io.size * run->io.count);
		return 0;
	}
	memcpy(&value, data, run->io.size < sizeof(value) ? run->io.size : sizeof(value));
	switch (run->io.port) {
	case PORT_LOW:
		vcpu->low = value;
		return 0;
	case PORT_HIGH:
		vcpu->high = value;
		return 0;
	case PORT_WHAT:
		return take_report(vcpu, value);
	case PORT_EXIT:
		vcpu->exited = true;
		return value == 0 ? 0 : -EIO;
	}
	fprintf(stderr, "gmem-vmm: the guest writes to port 0x%x, which nobody has\n",
		run->io.port);
	return -EPROTO;
}

static int complain(const struct vcpu *vcpu, const char *what, uint64_t detail)
{
	fprintf(stderr, "gmem-vmm: vCPU %" PRIu32 ": %s (0x%" PRIx64 ")\n", vcpu->index, what,
		detail);
	return -EIO;
}

/* Return: 1 go on, 0 the vCPU is done, -errno it came to no good end. */
static int handle_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	int err;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		err = take_output(vcpu);
		return err ? err : 1;
	case KVM_EXIT_HLT:
		return vcpu->exited ? 0 : complain(vcpu, "halted before it was done", 0);
	case KVM_EXIT_MMIO:
		return complain(vcpu, "touched an address without memory", run->mmio.phys_addr);
	case KVM_EXIT_SHUTDOWN:
		return complain(vcpu, "shut down: an exception that nobody handles", 0);
	case KVM_EXIT_FAIL_ENTRY:
		return complain(vcpu, "the processor refused to enter the guest",
				run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		return complain(vcpu, "KVM gave up", run->internal.suberror);
	}
	return complain(vcpu, "an exit that this VMM does not know", run->exit_reason);
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
static int handle_run_error(const struct vcpu *vcpu, int error)
{
	struct memory_fault fault;

	if (error == -EINTR)
		return 1;
	if (error != -EFAULT || vcpu->run->exit_reason != EXIT_MEMORY_FAULT)
		return report_error("cannot run a vCPU", error);
	memcpy(&fault, &vcpu->run->hw, sizeof(fault));
	return complain(vcpu, "a memory fault that KVM cannot resolve", fault.gpa);
}

/* A signal whose only job is to bring a vCPU out of the guest. */
#define KICK_SIGNAL SIGUSR1

static void on_kick(int number)
{
}

static void *vcpu_thread(void *data)
{
	struct vcpu *vcpu = data;
	struct machine *machine = vcpu->machine;
	int next = 1;

	while (next == 1 && !atomic_load(&machine->stopping)) {
		int err = kernel_ioctl(&machine->kernel, vcpu->fd, KVM_RUN, NULL);

		next = err ? handle_run_error(vcpu, err) : handle_exit(vcpu);
	}
	vcpu->result = next == 1 ? -ECANCELED : next;
	if (vcpu->result)
		atomic_store(&machine->failed, true);
	sem_post(&machine->ended);
	return NULL;
}

/*
 * Bring all vCPUs out of the guest: when one has failed, the others may wait for it for ever.
 * immediate_exit is for a thread that the signal finds between its look at @stopping and KVM_RUN.
 */
static void stop_all(struct machine *machine, uint32_t thread_count)
{
	atomic_store(&machine->stopping, true);
	for (uint32_t i = 0; i < thread_count; i++) {
		machine->vcpus[i].run->immediate_exit = 1;
		pthread_kill(machine->vcpus[i].thread, KICK_SIGNAL);
	}
}

static int start_threads(struct machine *machine, uint32_t *ret_count)
{
	struct sigaction kick = {.sa_handler = on_kick};

	*ret_count = 0;
	sigaction(KICK_SIGNAL, &kick, NULL);
	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];
		int err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

		if (err)
			return report_error("cannot start a thread for a vCPU", -err);
		*ret_count = i + 1;
	}
	return 0;
}

static int first_failure(const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		int result = machine->vcpus[i].result;

		if (result && result != -ECANCELED)
			return result;
	}
	return 0;
}

int vcpus_run(struct machine *machine)
{
	uint32_t started;
	int err;

	sem_init(&machine->ended, 0, 0);
	err = start_threads(machine, &started);
	if (err)
		stop_all(machine, started);
	for (uint32_t i = 0; i < started; i++) {
		while (sem_wait(&machine->ended))
			;
		if (atomic_load(&machine->failed))
			stop_all(machine, started);
	}
	for (uint32_t i = 0; i < started; i++)
		pthread_join(machine->vcpus[i].thread, NULL);
	sem_destroy(&machine->ended);
	report_step("run the guest");
	return err ? err : first_failure(machine);
}
