/* SPDX-License-Identifier: MIT */
/* Finds how many workers of a node are worth having, from what they get done. */
#ifndef GMI_PREALLOC_CALIBRATE_H
#define GMI_PREALLOC_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Begins with all, who soon use all that the memory can take. Then tries half as many, as long as
 * they are as fast: workers beyond the memory's bandwidth only get in each other's way.
 */
struct gmi_calibration {
	uint32_t limit; /* how many may work now */
	uint32_t most;  /* how many there are */
	bool is_settled;
	bool is_trying;      /* half of what was found good */
	bool is_growing;     /* twice as many, though it was settled: one rate may have misled */
	bool skips;          /* the window still has work of the former number in it */
	uint32_t good_limit; /* the last number that was found good */
	uint64_t good_rate;  /* bytes a second with it */
	uint32_t windows;    /* since the number was settled or tried again */
	uint64_t piece;
	uint64_t window_start; /* ns */
	uint64_t window_bytes;
};

/* With all @workers for good where @total bytes are too few to be worth a trial. */
void gmi_calibrate_begin(struct gmi_calibration *calibration, uint32_t workers, uint64_t piece,
			 uint64_t total, uint64_t now);

/* Takes note of @bytes done at @now. True where @limit changed. */
bool gmi_calibrate_done(struct gmi_calibration *calibration, uint64_t bytes, uint64_t now);

#endif
