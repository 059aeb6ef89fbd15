/* SPDX-License-Identifier: MIT */
/* --launch snp: OVMF on SEV-SNP, by gmem_snp_...(), and a scripted guest that asks who it is. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

#define FEATURES  1     /* SEV_FEATURES: SNP, and nothing beside */
#define VMSA_CS   0x10  /* where a VMSA has the code segment, */
#define VMSA_RIP  0x178 /* the instruction pointer, */
#define VMSA_RDX  0x310 /* and the signature of the processor */
#define CPU_MODEL "EPYC-Milan"

struct snp {
	struct gmem_snp *launch;
	struct gmem_sim_report report; /* what the guest was told */
};

static struct gmem_plan *make_plan(const struct launch *launch, uint32_t vcpus)
{
	GMEM_INIT(gmem_measure_error, error);
	GMEM_INIT(gmem_ovmf_opts, opts);
	struct gmem_plan *plan;

	opts.vm_type = GMEM_VM_SNP;
	opts.vmm = GMEM_VMM_QEMU;
	opts.image = launch->image;
	opts.image_size = launch->image_size;
	opts.vcpus = vcpus;
	opts.sev_features = FEATURES;
	fail_if(gmem_vcpu_sig_from_name(CPU_MODEL, &opts.vcpu_sig), "no such processor");
	if (gmem_plan_from_ovmf(&opts, &plan, &error))
		fail(STATUS_FAILED, "cannot launch this firmware: %s", error.text);
	return plan;
}

static void begin(struct machine *machine)
{
	struct snp *snp = calloc(1, sizeof(*snp));
	GMEM_INIT(gmem_snp_opts, opts);

	fail_if(snp ? 0 : -ENOMEM, "cannot launch");
	machine->launch->state = snp;
	opts.features = FEATURES;
	fail_if_gmem(gmem_snp_create(machine->vm, &opts, &snp->launch), "cannot launch");
	fail_if_gmem(gmem_snp_init(snp->launch), "cannot make an SNP guest");
	fail_if_gmem(gmem_snp_start(snp->launch), "cannot start the launch");
}

/* The VMSA of a vCPU, as the plan has it. */
static const uint8_t *vmsa_of(const struct machine *machine, uint32_t index)
{
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(machine->launch->plan, &count);

	for (size_t i = 0; i < count; i++) {
		if (steps[i].type == GMEM_LAUNCH_VMSA && steps[i].vcpu == index)
			return steps[i].bytes;
	}
	fail(STATUS_FAILED, "the plan has no vCPU %" PRIu32, index);
}

/* As the reset has them, but for what the VMSA has otherwise. KVM makes its own VMSA of them. */
static void set_registers(const struct vcpu *vcpu)
{
	const struct kernel *kernel = &vcpu->machine->kernel;
	const uint8_t *vmsa = vmsa_of(vcpu->machine, vcpu->index);
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_GET_SREGS, &sregs), "cannot read registers");
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_GET_REGS, &regs), "cannot read registers");
	memcpy(&sregs.cs.base, vmsa + VMSA_CS + 8, sizeof(sregs.cs.base));
	memcpy(&regs.rip, vmsa + VMSA_RIP, sizeof(regs.rip));
	memcpy(&regs.rdx, vmsa + VMSA_RDX, sizeof(regs.rdx));
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_SREGS, &sregs), "cannot set registers");
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_REGS, &regs), "cannot set registers");
}

/* What a real guest's firmware and kernel would come to: code in private memory, then a report. */
static void set_script(const struct vcpu *vcpu)
{
	struct snp *snp = vcpu->machine->launch->state;
	const struct gmem_sim_action script[] = {
		{.op = GMEM_SIM_REPORT, .out = vcpu->index ? NULL : &snp->report},
	};

	snp->report.sz = sizeof(snp->report);
	launch_set_script(vcpu, script, sizeof(script) / sizeof(script[0]));
}

static void set_up_vcpu(struct vcpu *vcpu)
{
	set_registers(vcpu);
	set_script(vcpu);
}

/* A real VMM takes what it gave to KVM_SET_CPUID2 of the first vCPU. */
static void describe_processor(const struct machine *machine, uint8_t *table)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + GMEM_SNP_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	fail_if(cpuid ? 0 : -ENOMEM, "cannot describe the processor");
	cpuid->nent = GMEM_SNP_CPUID_ENTRIES;
	fail_if(kernel_ioctl(&machine->kernel, gmem_ctx_kvm_fd(machine->ctx),
			     KVM_GET_SUPPORTED_CPUID, cpuid),
		"cannot learn what processor KVM can show");
	fail_if_gmem(gmem_snp_cpuid_build(cpuid, 0, table), "cannot describe the processor");
	free(cpuid);
}

/* What the firmware of the processor would have otherwise is shown; its table is taken. */
static int show_changes(void *user, const struct gmem_snp_cpuid_diff *diffs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("CPUID       %s\n", diffs[i].text);
	return 0;
}

static void load(struct machine *machine)
{
	struct snp *snp = machine->launch->state;
	uint8_t table[GMEM_SNP_CPUID_SIZE];
	GMEM_INIT(gmem_snp_update_opts, update);
	GMEM_INIT(gmem_snp_finish_opts, finish);
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(machine->launch->plan, &count);

	describe_processor(machine, table);
	update.cpuid = table;
	update.cpuid_changed = show_changes;
	finish.vcpus = machine->vcpu_count;
	fail_if_gmem(gmem_snp_update(snp->launch, steps, count, &update, NULL),
		     "cannot load the guest");
	fail_if_gmem(gmem_snp_finish(snp->launch, &finish), "cannot finish the launch");
}

static void report(struct machine *machine)
{
	struct snp *snp = machine->launch->state;
	GMEM_INIT(gmem_snp_info, info);

	fail_if_gmem(gmem_snp_get_info(snp->launch, &info), "cannot read the account");
	printf("launch      snp: %" PRIu64 " KiB in %" PRIu64 " calls, policy 0x%" PRIx64
	       ", SEV_FEATURES 0x%" PRIx64 "\n",
	       info.bytes >> 10, info.calls, info.policy, info.features);
}

static void read_digest(struct machine *machine, struct gmem_digest *ret_digest)
{
	const struct snp *snp = machine->launch->state;

	memcpy(ret_digest->bytes, snp->report.digest, sizeof(snp->report.digest));
	ret_digest->size = snp->report.digest_size;
}

static void end(struct machine *machine)
{
	struct snp *snp = machine->launch->state;

	gmem_snp_unref(snp->launch);
	free(snp);
}

const struct technology launch_snp = {
	.name = "snp",
	.vm_type = GMEM_VM_SNP,
	.make_plan = make_plan,
	.begin = begin,
	.set_up_vcpu = set_up_vcpu,
	.load = load,
	.report = report,
	.read_digest = read_digest,
	.end = end,
};
