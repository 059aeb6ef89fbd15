/* SPDX-License-Identifier: MIT */
/* Operations on a small world of VMs and files, to be applied to two kernels alike. */
#ifndef DIFF_H
#define DIFF_H

#include "contract.h"

enum diff_kind {
	OP_CREATE_FILE,
	OP_CLOSE_FILE,
	OP_LINK_FILE,
	OP_BIND,
	OP_DELETE,
	OP_FALLOCATE,
	OP_ATTRIBUTES,
	OP_FILE_ATTRIBUTES,
	OP_MAP,
	OP_UNMAP,
	OP_HOST_READ,
	OP_HOST_WRITE,
	OP_GUEST_READ,
	OP_GUEST_WRITE,
	OP_PRE_FAULT,
	OP_MOVE_CONTEXT, /* from the other VM, which is dead then */
	OP_NEW_VM,
	OP_KINDS
};

#define DIFF_VMS   2
#define DIFF_FILES 4
#define DIFF_SLOTS 4
#define DIFF_PAGES 16 /* of memory behind a VM's userspace_addr, and the largest file */

#define DIFF_GUEST_PAGES (2 * DIFF_PAGES) /* that a guest reads and writes */

/* Everything that an operation may use; each kind takes what it needs. */
struct diff_op {
	enum diff_kind kind;
	uint32_t vm, file, other_file, slot, flags, mode;
	uint64_t gpa, offset, size, attributes;
	uint8_t value;
	bool without_hva;
};

/* What an operation answered: an error or 0, and what else it tells. */
struct diff_result {
	int64_t ret;
	int64_t more[6];
};

struct diff_file {
	int fd;
	uint8_t *map;
};

/* One kernel, and what the operations have made on it. */
struct world {
	const struct gt *t;
	int kvm;
	uint32_t types[DIFF_VMS];
	bool has_guests;
	int vms[DIFF_VMS];
	struct gt_guest *guests[DIFF_VMS];
	uint8_t *memory[DIFF_VMS];
	struct diff_file files[DIFF_FILES];
};

/* @guests: run guests too, which a kernel that emulates them would answer otherwise. */
void world_open(struct world *world, const struct gt *t, const uint32_t *types, bool guests);
void world_close(struct world *world);
struct diff_result world_apply(struct world *world, const struct diff_op *op);

/* The @state of the generator goes on with each operation. */
struct diff_op op_random(uint64_t *state);
/* Mostly conversions, for the second VM and the first file. */
struct diff_op op_conversion(uint64_t *state);
void op_print(const struct diff_op *op);

#endif
