/* SPDX-License-Identifier: MIT */
/* A map from ranges of 64-bit addresses to values: attributes, allocation, policies. */
#ifndef GMI_SIM_RANGEMAP_H
#define GMI_SIM_RANGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_run {
	uint64_t start;
	uint64_t end;
	uint64_t value;
};

/* Runs sorted by address; neighbours with one value are merged. What is in no run has no value. */
struct sim_rangemap {
	struct sim_run *run;
	size_t count;
	size_t capacity;
};

void gmi_sim_rangemap_free(struct sim_rangemap *map);

/* Both give 0 or -ENOMEM, and change nothing on failure. */
int gmi_sim_rangemap_set(struct sim_rangemap *map, uint64_t start, uint64_t end, uint64_t value);
int gmi_sim_rangemap_clear(struct sim_rangemap *map, uint64_t start, uint64_t end);

/* The value at @at, or @none; @ret_end (may be NULL) is where that answer ends. */
uint64_t gmi_sim_rangemap_get(const struct sim_rangemap *map, uint64_t at, uint64_t none,
			      uint64_t *ret_end);

/* The first run that ends above @at, or NULL. */
const struct sim_run *gmi_sim_rangemap_find(const struct sim_rangemap *map, uint64_t at);

/* True where every address of the range has a value. */
bool gmi_sim_rangemap_covers(const struct sim_rangemap *map, uint64_t start, uint64_t end);

/* How many addresses of the range have a value. */
uint64_t gmi_sim_rangemap_count(const struct sim_rangemap *map, uint64_t start, uint64_t end);

#endif
