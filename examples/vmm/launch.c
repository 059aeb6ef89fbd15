/* SPDX-License-Identifier: MIT */
/* Launches a confidential guest: plans it, measures the plan, has it carried out, compares. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LAUNCH
#include "launch.h"

#define FIRMWARE_END (4 * GIB)
#define MAX_FIRMWARE (64 * MIB)
#define MAX_ACTIONS  4 /* of one technology */

static const struct technology *const technologies[] = {
	&launch_snp,
	&launch_tdx,
};

bool launch_find(const char *name, uint32_t *ret_vm_type)
{
	for (size_t i = 0; i < sizeof(technologies) / sizeof(technologies[0]); i++) {
		if (strcmp(technologies[i]->name, name) == 0) {
			*ret_vm_type = technologies[i]->vm_type;
			return true;
		}
	}
	return false;
}

static const struct technology *technology_of(uint32_t vm_type)
{
	size_t i = 0;

	while (technologies[i]->vm_type != vm_type)
		i++;
	return technologies[i];
}

/* Page aligned, as the sources of a launch are. */
static void read_firmware(struct launch *launch, const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
		fail(STATUS_FAILED, "--firmware %s: %s", path, strerror(errno));
	if (size < RESET_SIZE || (uint64_t)size > MAX_FIRMWARE)
		fail(STATUS_FAILED, "--firmware %s: %ld bytes are no firmware", path, size);
	rewind(file);
	launch->image_size = (uint64_t)size;
	launch->image = aligned_alloc(GMEM_PAGE_SIZE, (launch->image_size + GMEM_PAGE_SIZE - 1) /
							      GMEM_PAGE_SIZE * GMEM_PAGE_SIZE);
	fail_if(launch->image ? 0 : -ENOMEM, "cannot read the firmware");
	if (fread(launch->image, 1, launch->image_size, file) != launch->image_size)
		fail(STATUS_FAILED, "--firmware %s: it cannot be read", path);
	fclose(file);
}

void launch_plan(struct machine *machine, const struct options *options)
{
	struct launch *launch = calloc(1, sizeof(*launch));
	GMEM_INIT(gmem_measure_error, error);

	fail_if(launch ? 0 : -ENOMEM, "cannot launch");
	machine->launch = launch;
	launch->technology = technology_of((uint32_t)options->vm_type);
	read_firmware(launch, options->firmware);
	launch->plan = launch->technology->make_plan(launch, options->vcpus);
	if (gmem_measure_plan(launch->plan, NULL, &launch->expected, &error))
		fail(STATUS_FAILED, "cannot measure the launch: %s", error.text);
	report_step("plan the launch");
}

/* The firmware's own memory, which ends at 4 GiB. All else of the plan lies in RAM. */
void launch_bind(struct machine *machine)
{
	struct launch *launch = machine->launch;
	uint64_t size = (launch->image_size + GMEM_PAGE_SIZE - 1) / GMEM_PAGE_SIZE * GMEM_PAGE_SIZE;
	GMEM_INIT(gmem_file_opts, file);
	GMEM_INIT(gmem_slot_opts, slot);

	if (machine->is_in_place)
		file.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	fail_if_gmem(gmem_file_create(machine->vm, size, &file, &launch->file),
		     "cannot create the firmware's file");
	slot.file = launch->file;
	fail_if_gmem(gmem_slot_bind(machine->vm, FIRMWARE_END - size, size, &slot, &launch->slot),
		     "cannot bind the firmware");
}

void launch_begin(struct machine *machine)
{
	machine->launch->technology->begin(machine);
	report_step("begin the launch");
}

void launch_set_up_vcpu(struct vcpu *vcpu)
{
	vcpu->machine->launch->technology->set_up_vcpu(vcpu);
}

void launch_set_script(const struct vcpu *vcpu, const struct gmem_sim_action *actions, size_t count)
{
	static const char text[] = "Launched, and running in private memory.\n";
	struct gmem_sim_action script[MAX_ACTIONS + 3] = {{
		.op = GMEM_SIM_READ,
		.flags = GMEM_SIM_AS_PRIVATE,
		.addr = FIRMWARE_END - RESET_SIZE,
		.size = RESET_SIZE,
		.out = vcpu->index ? NULL : vcpu->machine->launch->reset,
	}};

	memcpy(script + 1, actions, count * sizeof(*actions));
	script[count + 1] = (struct gmem_sim_action){
		.op = GMEM_SIM_OUT, .addr = PORT_TEXT, .size = sizeof(text) - 1, .in = text};
	script[count + 2] =
		(struct gmem_sim_action){.op = GMEM_SIM_OUT, .addr = PORT_EXIT, .size = 4};
	fail_if(gmem_sim_vcpu_script(vcpu->machine->kernel.sim, vcpu->fd, script, count + 3),
		"cannot give a vCPU its script");
}

void launch_load(struct machine *machine)
{
	machine->launch->technology->load(machine);
	report_step("launch the guest");
}

static void print_digest(const char *what, const struct gmem_digest *digest)
{
	printf("%-12s", what);
	for (uint32_t i = 0; i < digest->size; i++)
		printf("%02x", digest->bytes[i]);
	printf("\n");
}

void launch_check(struct machine *machine)
{
	struct launch *launch = machine->launch;
	struct gmem_digest digest = {0};

	launch->technology->report(machine);
	if (memcmp(launch->reset, launch->image + launch->image_size - RESET_SIZE, RESET_SIZE) != 0)
		fail(STATUS_FAILED, "the guest did not find the firmware at its reset vector");
	launch->technology->read_digest(machine, &digest);
	print_digest("expected", &launch->expected);
	print_digest("launched", &digest);
	if (digest.size != launch->expected.size ||
	    memcmp(digest.bytes, launch->expected.bytes, digest.size) != 0)
		fail(STATUS_FAILED, "the digests differ: this is not the guest that was planned");
	printf("digests     agree\n");
	report_step("compare the digests");
}

void launch_destroy(struct machine *machine)
{
	struct launch *launch = machine->launch;

	launch->technology->end(machine);
	fail_if_gmem(gmem_slot_unbind(launch->slot), "cannot unbind the firmware");
	gmem_file_unref(launch->file);
	gmem_plan_destroy(launch->plan);
	free(launch->image);
	free(launch);
}
#else
#include "vmm.h"

bool launch_find(const char *name, uint32_t *ret_vm_type)
{
	fail(STATUS_USAGE, "--launch %s: built without the simulated kernel or libgmem-measure",
	     name);
}

void launch_plan(struct machine *machine, const struct options *options)
{
}

void launch_bind(struct machine *machine)
{
}

void launch_begin(struct machine *machine)
{
}

void launch_set_up_vcpu(struct vcpu *vcpu)
{
}

void launch_load(struct machine *machine)
{
}

void launch_check(struct machine *machine)
{
}

void launch_destroy(struct machine *machine)
{
}
#endif
