/* SPDX-License-Identifier: MIT */
/* Launches of confidential guests: what the technologies have in common, and a table of them. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <libgmem/measure.h>
#include <libgmem/sim.h>

#include "vmm.h"

#define RESET_SIZE 16 /* the last bytes below 4 GiB: the processor's first instruction */

/* One of the machine's, from --launch on. */
struct launch {
	const struct technology *technology;
	uint8_t *image; /* the firmware */
	uint64_t image_size;
	struct gmem_plan *plan;      /* what goes into the guest, */
	struct gmem_digest expected; /* and what the owner has to expect of it */
	struct gmem_file *file;      /* the memory that the firmware lies in */
	struct gmem_slot *slot;
	uint8_t reset[RESET_SIZE]; /* what the guest found at the reset vector */
	void *state;               /* the technology's own */
};

/* A technology: what differs. All end the program where they fail. */
struct technology {
	const char *name;
	uint32_t vm_type;
	struct gmem_plan *(*make_plan)(const struct launch *launch, uint32_t vcpus);
	void (*begin)(struct machine *machine);  /* the VM is there, and no vCPU */
	void (*set_up_vcpu)(struct vcpu *vcpu);  /* registers, and a script for it */
	void (*load)(struct machine *machine);   /* memory and vCPUs are there */
	void (*report)(struct machine *machine); /* one line */
	void (*read_digest)(struct machine *machine, struct gmem_digest *ret_digest);
	void (*end)(struct machine *machine); /* releases @state */
};

/*
 * What a real guest's firmware and kernel would come to: code in private memory, then @actions, then
 * it says so and ends.
 */
void launch_set_script(const struct vcpu *vcpu, const struct gmem_sim_action *actions,
		       size_t count);

extern const struct technology launch_snp, launch_tdx;

#endif
