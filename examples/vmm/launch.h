/* SPDX-License-Identifier: MIT */
/* Launches of confidential guests: what the technologies have in common, and a table of them. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <libgmem/measure.h>

#include "vmm.h"

/* One of the machine's, from --launch on. */
struct launch {
	const struct technology *technology;
	uint8_t *image; /* the firmware */
	uint64_t image_size;
	struct gmem_plan *plan;      /* what goes into the guest, */
	struct gmem_digest expected; /* and what the owner has to expect of it */
	struct gmem_file *file;      /* the memory that the firmware lies in */
	struct gmem_slot *slot;
	void *state; /* the technology's own */
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

extern const struct technology launch_snp, launch_tdx;

#endif
