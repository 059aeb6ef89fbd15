/* SPDX-License-Identifier: MIT */
/* What the tests of the simulator share: a VM with a file in one slot, and a scripted vCPU. */
#ifndef ST_H
#define ST_H

#include <libgmem/sim.h>

#include "gt_kvm.h"
#include "uapi_rfc.h"

#define ST_GPA  UINT64_C(0x10000000)
#define ST_SIZE (16 * GT_PAGE)

struct st {
	const struct gt *t;
	int kvm;
	int vm;
	int file;
	int vcpu;
	struct gmi_kvm_run *run;
	uint8_t *backing; /* anonymous memory at the slot's userspace_addr */
};

/* A VM of the type with one slot of ST_SIZE, bound to a file with the flags; and vCPU 0. */
void st_open(const struct gt *t, uint32_t type, uint64_t flags, struct st *ret_st);
void st_close(struct st *st);

void st_script(const struct st *st, const struct gmem_sim_action *actions, size_t count);
int st_run(const struct st *st);
struct gmem_sim_vcpu_info st_info(const struct st *st);
struct gmem_sim_stats st_stats(const struct gt *t);

/* KVM_SET_MEMORY_ATTRIBUTES2 on the file; @error_offset (may be NULL) starts as all ones. */
int st_convert(const struct st *st, int file, uint64_t offset, uint64_t size, uint64_t attributes,
	       uint64_t *ret_error_offset);

/* EXPECT() for numbers of any type. */
#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

#define ST_SCRIPT(st, ...)                                                                         \
	do {                                                                                       \
		const struct gmem_sim_action st_actions[] = {__VA_ARGS__};                         \
		st_script(st, st_actions, GT_COUNT(st_actions));                                   \
	} while (0)

#endif
