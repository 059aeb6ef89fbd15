/* SPDX-License-Identifier: MIT */
/* The guest convert-storm as a script for the vCPUs of a simulated kernel: see convert_storm.S. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>

#define KVM_HC_MAP_GPA_RANGE 12 /* linux/kvm_para.h */
#define TO_SHARED            0
#define TO_PRIVATE           16
#define ARRIVED              (BOOT_RECORD + BOOT_ARRIVED)

struct storm {
	const struct vcpu *vcpu;
	uint64_t start;
	uint64_t size;
	struct gmem_sim_action *actions;
	size_t count;
	size_t room;
};

static void add(struct storm *storm, struct gmem_sim_action action)
{
	if (storm->count == storm->room) {
		storm->room = storm->room ? storm->room * 2 : 256;
		storm->actions = reallocarray(storm->actions, storm->room, sizeof(*storm->actions));
		fail_if(storm->actions ? 0 : -ENOMEM, "cannot write a script");
	}
	storm->actions[storm->count++] = action;
}

static void add_out(struct storm *storm, uint16_t port, uint64_t value)
{
	add(storm, (struct gmem_sim_action){
			   .op = GMEM_SIM_OUT,
			   .addr = port,
			   .size = 4,
			   .value = (uint32_t)value,
		   });
}

static void add_report(struct storm *storm, uint32_t what, uint64_t value)
{
	add_out(storm, PORT_LOW, value);
	add_out(storm, PORT_HIGH, value >> 32);
	add_out(storm, PORT_WHAT, what);
}

static void add_convert(struct storm *storm, uint64_t gpa, uint64_t size, uint64_t to)
{
	add(storm, (struct gmem_sim_action){
			   .op = GMEM_SIM_HYPERCALL,
			   .value = KVM_HC_MAP_GPA_RANGE,
			   .args = {gpa, size / GMEM_PAGE_SIZE, to},
		   });
}

static void add_on(struct storm *storm, uint32_t op, uint64_t gpa, uint64_t size, uint64_t seed)
{
	add(storm, (struct gmem_sim_action){.op = op, .addr = gpa, .size = size, .value = seed});
}

/* SNP: the guest says in its page tables what it means, and a touch converts. */
static void add_touch(struct storm *storm, uint64_t gpa, uint64_t seed, uint32_t as)
{
	add(storm, (struct gmem_sim_action){
			   .op = GMEM_SIM_FILL,
			   .flags = as,
			   .addr = gpa,
			   .size = GMEM_PAGE_SIZE,
			   .value = seed,
		   });
}

static void add_barrier(struct storm *storm, uint64_t number)
{
	add(storm, (struct gmem_sim_action){.op = GMEM_SIM_ADD, .addr = ARRIVED, .value = 1});
	add(storm, (struct gmem_sim_action){
			   .op = GMEM_SIM_WAIT,
			   .addr = ARRIVED,
			   .value = number * storm->vcpu->machine->vcpu_count,
		   });
}

/* Go back to action @to, so that it is done @times times. */
static void add_repeat(struct storm *storm, size_t to, uint64_t times)
{
	add(storm, (struct gmem_sim_action){
			   .op = GMEM_SIM_JUMP,
			   .value = to,
			   .args = {times - 1},
		   });
}

/* Where the guest says what it means by a touch, a touch alone converts every second page. */
static bool converts_by_touch(const struct storm *storm, uint64_t gpa)
{
	return storm->vcpu->machine->vm_type == GMEM_VM_SNP &&
	       gpa / GMEM_PAGE_SIZE / storm->vcpu->machine->vcpu_count % 2;
}

static void make_private(struct storm *storm, uint64_t gpa)
{
	if (!converts_by_touch(storm, gpa))
		add_convert(storm, gpa, GMEM_PAGE_SIZE, TO_PRIVATE);
	add_touch(storm, gpa, STORM_SEED_PRIVATE, GMEM_SIM_AS_PRIVATE);
	add_report(storm, REPORT_PRIVATE, gpa);
}

static void check_private(struct storm *storm, uint64_t gpa)
{
	add_on(storm, GMEM_SIM_CHECK, gpa, GMEM_PAGE_SIZE, STORM_SEED_PRIVATE);
}

static void make_shared(struct storm *storm, uint64_t gpa)
{
	if (!converts_by_touch(storm, gpa))
		add_convert(storm, gpa, GMEM_PAGE_SIZE, TO_SHARED);
	add_touch(storm, gpa, STORM_SEED_SHARED, GMEM_SIM_AS_SHARED);
	add_report(storm, REPORT_SHARED, gpa);
}

static void check_shared(struct storm *storm, uint64_t gpa)
{
	add_on(storm, GMEM_SIM_CHECK, gpa, GMEM_PAGE_SIZE, STORM_SEED_HOST);
}

static void each_page(struct storm *storm, void (*add_page)(struct storm *storm, uint64_t gpa))
{
	uint64_t step = storm->vcpu->machine->vcpu_count * GMEM_PAGE_SIZE;

	for (uint64_t at = storm->vcpu->index * GMEM_PAGE_SIZE; at < STORM_BLOCK; at += step)
		add_page(storm, storm->start + at);
}

static void own_pages(struct storm *storm)
{
	size_t first = storm->count;

	each_page(storm, make_private);
	each_page(storm, check_private);
	each_page(storm, make_shared);
	each_page(storm, check_shared);
	add_repeat(storm, first, STORM_ROUNDS);
}

static void contest(struct storm *storm, uint64_t to)
{
	uint64_t gpa = storm->start + STORM_BLOCK;

	add_convert(storm, gpa, STORM_CONTESTED_PAGES * GMEM_PAGE_SIZE, to);
	for (uint32_t i = 0; i < STORM_CONTESTED_PAGES; i++)
		add_on(storm, GMEM_SIM_ADD,
		       gpa + i * GMEM_PAGE_SIZE + storm->vcpu->index * sizeof(uint64_t), 0, 1);
}

static void contested_pages(struct storm *storm)
{
	size_t first = storm->count;

	contest(storm, storm->vcpu->index % 2 ? TO_PRIVATE : TO_SHARED);
	contest(storm, storm->vcpu->index % 2 ? TO_SHARED : TO_PRIVATE);
	add_repeat(storm, first, STORM_CONTESTS / 2);
}

static uint64_t share_start(const struct storm *storm, uint64_t index)
{
	uint64_t pages = storm->size / GMEM_PAGE_SIZE;

	return storm->start + pages * index / storm->vcpu->machine->vcpu_count * GMEM_PAGE_SIZE;
}

static void large_range(struct storm *storm)
{
	uint64_t start = share_start(storm, storm->vcpu->index);
	uint64_t end = share_start(storm, storm->vcpu->index + 1);

	add_convert(storm, start, end - start, TO_PRIVATE);
	add_on(storm, GMEM_SIM_FILL, start, end - start, STORM_SEED_PRIVATE);
	add_barrier(storm, 3);
	add_on(storm, GMEM_SIM_CHECK, start, end - start, STORM_SEED_PRIVATE);
	for (uint64_t gpa = start; gpa < end; gpa += STORM_SAMPLE)
		add_report(storm, REPORT_PRIVATE, gpa);
	add_convert(storm, start, end - start, TO_SHARED);
	add_on(storm, GMEM_SIM_FILL, start, end - start, STORM_SEED_SHARED);
	for (uint64_t gpa = start; gpa < end; gpa += STORM_SAMPLE) {
		add_report(storm, REPORT_SHARED, gpa);
		check_shared(storm, gpa);
	}
}

/* A bad word jumps past the good end; the accumulator then has its address. */
static void finish(struct storm *storm)
{
	size_t jump = storm->count;

	add(storm, (struct gmem_sim_action){.op = GMEM_SIM_JUMP, .flags = GMEM_SIM_MISMATCH});
	add_out(storm, PORT_EXIT, 0);
	storm->actions[jump].value = storm->count;
	add(storm, (struct gmem_sim_action){.op = GMEM_SIM_SET, .flags = GMEM_SIM_MISMATCH});
	for (uint32_t i = 0; i < 2; i++)
		add(storm, (struct gmem_sim_action){
				   .op = GMEM_SIM_OUT,
				   .flags = GMEM_SIM_ACCUMULATOR,
				   .addr = i ? PORT_HIGH : PORT_LOW,
				   .size = 4,
				   .value = i * 32,
			   });
	add_out(storm, PORT_WHAT, REPORT_BAD_WORD);
	add_out(storm, PORT_EXIT, 1);
}

void script_convert_storm(struct vcpu *vcpu)
{
	const struct gmem_range *ram = &vcpu->machine->ram[0];
	struct storm storm = {.vcpu = vcpu, .start = ram->start, .size = ram->size};

	if (storm.size > STORM_SIZE)
		storm.size = STORM_SIZE;
	own_pages(&storm);
	add_barrier(&storm, 1);
	contested_pages(&storm);
	add_barrier(&storm, 2);
	large_range(&storm);
	finish(&storm);
	fail_if(gmem_sim_vcpu_script(vcpu->machine->kernel.sim, vcpu->fd, storm.actions,
				     storm.count),
		"cannot give a vCPU its script");
	free(storm.actions);
}
#else
void script_convert_storm(struct vcpu *vcpu)
{
}
#endif
