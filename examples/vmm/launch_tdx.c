/* SPDX-License-Identifier: MIT */
/* --launch tdx: TDVF on TDX, by gmem_tdx_...(), and a scripted guest that accepts memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

#define GPA_WIDTH 48
#define X2APIC    (1u << 21) /* CPUID 1 ECX */

struct tdx {
	struct gmem_tdx *launch;
	struct gmem_digest hob;    /* what the firmware will extend RTMR[0] with */
	struct gmem_range to_take; /* RAM that the guest has to accept */
};

/* A real VMM has what KVM_GET_SUPPORTED_CPUID says. */
static const struct gmem_tdx_cpuid leaves[] = {{.function = 1, .ecx = X2APIC}};

static struct gmem_plan *make_plan(const struct launch *launch, uint32_t vcpus)
{
	GMEM_INIT(gmem_measure_error, error);
	GMEM_INIT(gmem_tdvf_opts, opts);
	struct gmem_plan *plan;

	opts.image = launch->image;
	opts.image_size = launch->image_size;
	if (gmem_plan_from_tdvf(&opts, &plan, &error))
		fail(STATUS_FAILED, "cannot launch this firmware: %s", error.text);
	return plan;
}

/* The firmware learns its RAM from the hand-off blocks: not measured, and filled in late. */
static void describe_memory(struct machine *machine, struct tdx *tdx)
{
	struct gmem_plan *plan = machine->launch->plan;
	GMEM_INIT(gmem_measure_error, error);
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);

	if (gmem_plan_fill_td_hob(plan, machine->ram, machine->ram_count, &tdx->hob, &error))
		fail(STATUS_FAILED, "cannot tell the firmware of its RAM: %s", error.text);
	fail_if_gmem(gmem_tdx_next_unaccepted(machine->ram, machine->ram_count, steps, count, 0,
					      &tdx->to_take),
		     "no RAM is left to accept");
}

static int show_difference(void *user, const struct gmem_tdx_difference *difference)
{
	char text[160];

	gmem_tdx_difference_text(difference, text, sizeof(text));
	printf("not chosen  %s\n", text); /* the module decides */
	return 0;
}

static void begin(struct machine *machine)
{
	struct tdx *tdx = calloc(1, sizeof(*tdx));
	GMEM_INIT(gmem_tdx_setup_opts, setup);
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);
	GMEM_INIT(gmem_tdx_init_opts, init);

	fail_if(tdx ? 0 : -ENOMEM, "cannot launch");
	machine->launch->state = tdx;
	describe_memory(machine, tdx);
	setup.vcpus = machine->vcpu_count;
	cpuid.entries = leaves;
	cpuid.count = sizeof(leaves) / sizeof(leaves[0]);
	cpuid.report = show_difference;
	init.cpuid = &cpuid;
	init.gpa_width = GPA_WIDTH;
	init.attributes = GMEM_TDX_ATTR_SEPT_VE_DISABLE;
	fail_if_gmem(gmem_tdx_create(machine->vm, NULL, &tdx->launch), "cannot launch");
	fail_if_gmem(gmem_tdx_setup(tdx->launch, &setup), "cannot set up a TD");
	fail_if_gmem(gmem_tdx_init_vm(tdx->launch, &init), "cannot make a TD");
}

static void set_cpuid(const struct vcpu *vcpu)
{
	struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + sizeof(leaves));

	fail_if(list ? 0 : -ENOMEM, "cannot describe the processor");
	list->nent = sizeof(leaves) / sizeof(leaves[0]);
	memcpy(list->entries, leaves, sizeof(leaves)); /* the same layout */
	fail_if(kernel_ioctl(&vcpu->machine->kernel, vcpu->fd, KVM_SET_CPUID2, list),
		"cannot describe the processor");
	free(list);
}

/* What a real guest's firmware would do: run from private memory, and accept more of it. */
static void set_script(const struct vcpu *vcpu)
{
	struct tdx *tdx = vcpu->machine->launch->state;
	uint64_t page = tdx->to_take.start + vcpu->index * GMEM_PAGE_SIZE;
	const struct gmem_sim_action script[] = {
		{.op = GMEM_SIM_ACCEPT, .addr = page, .size = GMEM_PAGE_SIZE},
		{
			.op = GMEM_SIM_FILL,
			.flags = GMEM_SIM_AS_PRIVATE,
			.addr = page,
			.size = GMEM_PAGE_SIZE,
			.value = vcpu->index,
		},
	};

	launch_set_script(vcpu, script, sizeof(script) / sizeof(script[0]));
}

static void set_up_vcpu(struct vcpu *vcpu)
{
	const struct launch *launch = vcpu->machine->launch;
	const struct tdx *tdx = launch->state;
	GMEM_INIT(gmem_plan_info, plan);

	gmem_plan_get_info(launch->plan, &plan);
	set_cpuid(vcpu);
	fail_if_gmem(gmem_tdx_init_vcpu(tdx->launch, vcpu->fd, plan.hob.start),
		     "cannot give a vCPU to the TD");
	set_script(vcpu);
}

/* All RAM is the guest's, who accepts what is not added, and asks for what it wants to share. */
static void give_memory(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->ram_count; i++)
		fail_if_gmem(gmem_convert(machine->vm, machine->ram[i].start, machine->ram[i].size,
					  GMEM_PRIVATE, NULL, NULL),
			     "cannot make RAM private");
}

static void load(struct machine *machine)
{
	struct tdx *tdx = machine->launch->state;
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(machine->launch->plan, &count);

	give_memory(machine);
	fail_if_gmem(gmem_tdx_add(tdx->launch, steps, count, NULL, NULL), "cannot load the guest");
	fail_if_gmem(gmem_tdx_finalize(tdx->launch), "cannot finish the launch");
}

static void report(struct machine *machine)
{
	struct tdx *tdx = machine->launch->state;
	GMEM_INIT(gmem_tdx_info, info);

	fail_if_gmem(gmem_tdx_get_info(tdx->launch, &info), "cannot read the account");
	printf("launch      tdx: %" PRIu64 " KiB added, %" PRIu64 " KiB of them measured, %" PRIu32
	       " vCPUs, %" PRIu32 " bits of address\n",
	       info.added_bytes >> 10, info.measured_bytes >> 10, info.vcpus, info.gpa_width);
	printf("TD HOB      ");
	for (uint32_t i = 0; i < tdx->hob.size; i++)
		printf("%02x", tdx->hob.bytes[i]);
	printf("\n");
}

/* A real guest reads MRTD from its TDREPORT; here the model of the module is asked. */
static void read_digest(struct machine *machine, struct gmem_digest *ret_digest)
{
	GMEM_INIT(gmem_sim_td_info, td);

	fail_if(gmem_sim_td_get_info(machine->kernel.sim, gmem_vm_fd(machine->vm), &td),
		"cannot ask the TDX module");
	if (td.accepted < machine->vcpu_count * GMEM_PAGE_SIZE)
		fail(STATUS_FAILED, "the guest did not get the memory that it accepted");
	memcpy(ret_digest->bytes, td.mrtd, sizeof(td.mrtd));
	ret_digest->size = sizeof(td.mrtd);
}

static void end(struct machine *machine)
{
	struct tdx *tdx = machine->launch->state;

	gmem_tdx_unref(tdx->launch);
	free(tdx);
}

const struct technology launch_tdx = {
	.name = "tdx",
	.vm_type = GMEM_VM_TDX,
	.make_plan = make_plan,
	.begin = begin,
	.set_up_vcpu = set_up_vcpu,
	.load = load,
	.report = report,
	.read_digest = read_digest,
	.end = end,
};
