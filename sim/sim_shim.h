/* SPDX-License-Identifier: MIT */
/* What the two files of the shim share. */
#ifndef GMI_SIM_SHIM_H
#define GMI_SIM_SHIM_H

#include <pthread.h>
#include <stdbool.h>

#include <libgmem/shim.h>

#include "sys_call.h"

#define SHIM_FAULTS      8
#define SHIM_ROUND_SHIFT 48

/* A call that is to fail; free where @error is 0. */
struct shim_fault {
	uint32_t call;
	uint32_t flags;
	uint64_t request;
	uint64_t wait;
	int error;
};

struct gmem_shim {
	pthread_mutex_t lock;
	struct gmi_sys below;
	struct gmem_shim_call *calls;
	uint64_t noted;
	uint64_t capacity;
	uint64_t round; /* resets so far */
	uint64_t injected;
	struct shim_fault fault[SHIM_FAULTS];
};

/* Notes a call; the error that it must fail with, or 0. */
int gmi_shim_begin(struct gmem_shim *shim, struct gmem_shim_call *made, uint64_t *ret_index);

/* Notes how it ended and hands that on. */
int gmi_shim_end(struct gmem_shim *shim, uint64_t index, int result);

#endif
