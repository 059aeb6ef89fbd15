/* SPDX-License-Identifier: MIT */
/* What the guests' programs do, as scripts for the vCPUs of a simulated kernel. */
#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

#define SCRIPT_MAX 32
#define PATTERN    UINT64_C(0x6c6962676d656d)
#define ARRIVED    (BOOT_RECORD + BOOT_ARRIVED)

struct script {
	struct gmem_sim_action actions[SCRIPT_MAX];
	size_t count;
};

static void add(struct script *script, struct gmem_sim_action action)
{
	if (script->count == SCRIPT_MAX)
		fail(STATUS_FAILED, "a script is too long");
	script->actions[script->count++] = action;
}

static void add_out(struct script *script, uint16_t port, uint64_t value, uint32_t flags)
{
	add(script, (struct gmem_sim_action){
			    .op = GMEM_SIM_OUT,
			    .flags = flags,
			    .addr = port,
			    .size = 4,
			    .value = value,
		    });
}

/* The accumulator as a report: its halves, then what it is. */
static void add_report(struct script *script, uint32_t what)
{
	add_out(script, PORT_LOW, 0, GMEM_SIM_ACCUMULATOR);
	add_out(script, PORT_HIGH, 32, GMEM_SIM_ACCUMULATOR);
	add_out(script, PORT_WHAT, what, 0);
}

static uint64_t share_start(const struct gmem_range *region, uint64_t index, uint64_t vcpus)
{
	return region->start + region->size / GMEM_PAGE_SIZE * index / vcpus * GMEM_PAGE_SIZE;
}

/* One action on the share of vCPU @index in every region. Returns the bytes. */
static uint64_t add_on_share_with(struct script *script, const struct machine *machine,
				  uint64_t index, uint32_t op, uint64_t pattern)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < machine->ram_count; i++) {
		const struct gmem_range *region = &machine->ram[i];
		uint64_t start = share_start(region, index, machine->vcpu_count);
		uint64_t size = share_start(region, index + 1, machine->vcpu_count) - start;

		if (size > 0)
			add(script, (struct gmem_sim_action){
					    .op = op,
					    .addr = start,
					    .size = size,
					    .value = pattern,
				    });
		bytes += size;
	}
	return bytes;
}

static uint64_t add_on_share(struct script *script, const struct machine *machine, uint64_t index,
			     uint32_t op)
{
	return add_on_share_with(script, machine, index, op, PATTERN);
}

/* On the own share, with the pattern of a boot. */
static uint64_t add_pattern(struct script *script, const struct vcpu *vcpu, uint32_t op,
			    uint64_t boot)
{
	return add_on_share_with(script, vcpu->machine, vcpu->index, op, PATTERN + boot);
}

static void run_script(const struct vcpu *vcpu, const struct script *script)
{
	fail_if(gmem_sim_vcpu_script(vcpu->machine->kernel.sim, vcpu->fd, script->actions,
				     script->count),
		"cannot give a vCPU its script");
}

void script_hello(struct vcpu *vcpu)
{
	static const char text[] = "Hello from guest_memfd.\n";
	struct script script = {0};

	add(&script, (struct gmem_sim_action){
			     .op = GMEM_SIM_OUT,
			     .addr = PORT_TEXT,
			     .size = sizeof(text) - 1,
			     .in = text,
		     });
	add_out(&script, PORT_EXIT, 0, 0);
	run_script(vcpu, &script);
}

/* As memtest.S: fill the own share, wait for the others, verify and add up the next vCPU's. */
void script_memtest(struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	uint64_t next = (vcpu->index + 1) % machine->vcpu_count;
	struct script script = {0};
	uint64_t bytes;
	size_t jump;

	add_on_share(&script, machine, vcpu->index, GMEM_SIM_FILL);
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_ADD, .addr = ARRIVED, .value = 1});
	add(&script, (struct gmem_sim_action){
			     .op = GMEM_SIM_WAIT,
			     .addr = ARRIVED,
			     .value = machine->vcpu_count,
		     });
	bytes = add_on_share(&script, machine, next, GMEM_SIM_CHECK);
	jump = script.count;
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_JUMP, .flags = GMEM_SIM_MISMATCH});
	add_on_share(&script, machine, next, GMEM_SIM_SUM);
	add_report(&script, REPORT_CHECKSUM);
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SET, .value = bytes});
	add_report(&script, REPORT_BYTES);
	add_out(&script, PORT_EXIT, 0, 0);
	script.actions[jump].value = script.count;
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SET, .flags = GMEM_SIM_MISMATCH});
	add_report(&script, REPORT_BAD_WORD);
	add_out(&script, PORT_EXIT, 1, 0);
	run_script(vcpu, &script);
}
/* As reboot.S: look at the own share, fill it. */
void script_reboot(struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	bool kept = machine->keeps && machine->boots;
	struct script script = {0};
	size_t jump = 0;
	uint64_t bytes;

	if (kept) {
		add_pattern(&script, vcpu, GMEM_SIM_CHECK, machine->boots - 1);
		jump = script.count;
		add(&script,
		    (struct gmem_sim_action){.op = GMEM_SIM_JUMP, .flags = GMEM_SIM_MISMATCH});
	}
	add_pattern(&script, vcpu, GMEM_SIM_SUM, 0);
	add_report(&script, REPORT_CHECKSUM);
	bytes = add_pattern(&script, vcpu, GMEM_SIM_FILL, machine->boots);
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SET, .value = bytes});
	add_report(&script, REPORT_BYTES);
	add_out(&script, machine->boots < machine->last_boot ? PORT_REBOOT : PORT_EXIT, 0, 0);
	if (kept)
		script.actions[jump].value = script.count;
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SET, .flags = GMEM_SIM_MISMATCH});
	add_report(&script, REPORT_BAD_WORD);
	add_out(&script, PORT_EXIT, 1, 0);
	run_script(vcpu, &script);
}

/* As count.S, a tick at a time: what was counted is in memory alone. */
void script_count(struct vcpu *vcpu)
{
	uint64_t word = vcpu->machine->ram[0].start + vcpu->index * GMEM_PAGE_SIZE;
	struct script script = {0};

	add(&script,
	    (struct gmem_sim_action){.op = GMEM_SIM_ADD, .addr = word, .value = TICK_EVERY});
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SET});
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_SUM, .addr = word, .size = 8});
	add_out(&script, PORT_TICK, 0, GMEM_SIM_ACCUMULATOR);
	add(&script, (struct gmem_sim_action){.op = GMEM_SIM_JUMP});
	run_script(vcpu, &script);
}
#else
void script_count(struct vcpu *vcpu)
{
}

void script_reboot(struct vcpu *vcpu)
{
}

void script_hello(struct vcpu *vcpu)
{
}

void script_memtest(struct vcpu *vcpu)
{
}
#endif
