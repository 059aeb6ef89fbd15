/* SPDX-License-Identifier: MIT */
/* What the harness's own files share. */
#ifndef GT_INTERNAL_H
#define GT_INTERNAL_H

#include "gmem_test.h"

/* Lies in memory that the runner shares with the test's process. */
struct gt_report {
	uint64_t assertions;
	uint64_t failures;
	bool skipped;
	bool finished;
	char reason[256];
};

/* Of the process that runs a test. */
extern struct gt_report *gt_report;

/* The reason for a test that no kernel can run, or NULL. */
const char *gt_kernel_missing(const char *name);

/* Opens the kernel that @name stands for; 0 or -errno. */
int gt_kernel_open(const char *name, struct gt *ret_t);

/* Releases it; false, with a line printed, where it says that something leaked. */
bool gt_kernel_close(struct gt *t);

/* Prints what /proc/self/fd has from the @skip-th descriptor on. */
void gt_print_fds(void);

#endif
