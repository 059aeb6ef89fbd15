/* SPDX-License-Identifier: MIT */
/* A guest of one instruction at a time: what does not depend on who runs it. */
#include "gt_guest_backend.h"

static void map_run_page(struct gt_guest *guest, int kvm)
{
	void *run;
	int size = gt_ioctl(guest->t, kvm, GMI_KVM_GET_VCPU_MMAP_SIZE, NULL);

	MUST(size > 0);
	guest->run_size = (uint64_t)size;
	MUST(gt_map(guest->t, guest->vcpu, 0, guest->run_size, &run) == 0);
	guest->run = run;
}

struct gt_guest *gt_guest_create(const struct gt *t, int vm)
{
	struct gt_guest *guest = calloc(1, sizeof(*guest));
	int kvm = gt_open_kvm(t);

	MUST(guest && kvm >= 0);
	guest->t = t;
	guest->backend = t->sim ? &gt_guest_sim : &gt_guest_real;
	guest->memory = gt_anonymous(t, GT_GUEST_SIZE);
	MUST(gt_set_region(t, vm, GT_GUEST_SLOT, 0, GT_GUEST_GPA, GT_GUEST_SIZE, guest->memory) ==
	     0);
	guest->vcpu = gt_create_vcpu(t, vm);
	MUST(guest->vcpu >= 0);
	map_run_page(guest, kvm);
	guest->backend->prepare(guest, kvm);
	gt_close(t, kvm);
	return guest;
}

void gt_guest_destroy(struct gt_guest *guest)
{
	gt_unmap(guest->t, guest->run, guest->run_size);
	gt_unmap(guest->t, guest->memory, GT_GUEST_SIZE);
	gt_close(guest->t, guest->vcpu);
	free(guest);
}

int gt_guest_vcpu(const struct gt_guest *guest)
{
	return guest->vcpu;
}

struct gmi_kvm_run *gt_guest_run_page(const struct gt_guest *guest)
{
	return guest->run;
}

static struct gt_exit read_exit(struct gt_guest *guest, int ret)
{
	const struct gmi_kvm_run *run = guest->run;
	struct gt_exit exit = {.ret = ret, .reason = run->exit_reason};

	memcpy(&exit.fault, &run->memory_fault, sizeof(exit.fault));
	memcpy(&exit.hypercall, &run->hypercall, sizeof(exit.hypercall));
	memcpy(&exit.mmio, &run->mmio, sizeof(exit.mmio));
	memcpy(&exit.io, &run->io, sizeof(exit.io));
	if (exit.reason == GMI_KVM_EXIT_IO && exit.io.data_offset < guest->run_size)
		exit.io_byte = ((const uint8_t *)run)[exit.io.data_offset];
	if (gt_exit_is_done(&exit))
		exit.value = guest->backend->value(guest);
	return exit;
}

struct gt_exit gt_guest_resume(struct gt_guest *guest)
{
	struct gt_exit exit;

	exit = read_exit(guest, gt_ioctl(guest->t, guest->vcpu, GMI_KVM_RUN, NULL));
	guest->pending = exit.ret == 0 && exit.reason != GMI_KVM_EXIT_HLT;
	return exit;
}

/* An exit for I/O is completed by the next KVM_RUN, before it runs anything. */
static void complete_pending(struct gt_guest *guest)
{
	if (!guest->pending)
		return;
	guest->run->immediate_exit = 1;
	gt_ioctl(guest->t, guest->vcpu, GMI_KVM_RUN, NULL);
	guest->run->immediate_exit = 0;
}

static struct gt_exit run(struct gt_guest *guest, struct gt_instruction instruction)
{
	complete_pending(guest);
	guest->current = instruction;
	guest->backend->load(guest, &guest->current);
	return gt_guest_resume(guest);
}

struct gt_exit gt_guest_read(struct gt_guest *guest, uint64_t gpa)
{
	return run(guest, (struct gt_instruction){.op = GT_READ, .gpa = gpa});
}

struct gt_exit gt_guest_write(struct gt_guest *guest, uint64_t gpa, uint8_t value)
{
	return run(guest, (struct gt_instruction){.op = GT_WRITE, .gpa = gpa, .value = value});
}

struct gt_exit gt_guest_hypercall(struct gt_guest *guest, uint64_t nr, uint64_t arg0, uint64_t arg1,
				  uint64_t arg2)
{
	return run(guest,
		   (struct gt_instruction){.op = GT_HYPERCALL, .args = {nr, arg0, arg1, arg2}});
}

struct gt_exit gt_guest_out(struct gt_guest *guest, uint16_t port, uint8_t value)
{
	return run(guest, (struct gt_instruction){.op = GT_OUT, .port = port, .value = value});
}

struct gt_exit gt_guest_outsb(struct gt_guest *guest, uint64_t gpa, uint16_t port)
{
	return run(guest, (struct gt_instruction){.op = GT_OUTSB, .gpa = gpa, .port = port});
}

struct gt_exit gt_guest_insb(struct gt_guest *guest, uint16_t port, uint64_t gpa)
{
	return run(guest, (struct gt_instruction){.op = GT_INSB, .gpa = gpa, .port = port});
}

bool gt_exit_is_done(const struct gt_exit *exit)
{
	return exit->ret == 0 && exit->reason == GMI_KVM_EXIT_HLT;
}
