/* SPDX-License-Identifier: MIT */
/* Assertions: counted, with the place where the expectation is written down. */
#include <stdlib.h>
#include <string.h>

#include "gt_internal.h"

struct gt_report *gt_report;

const char *gt_errno_name(int64_t error)
{
	const char *name = error < 0 && error > -4096 ? strerrorname_np((int)-error) : NULL;

	return name ? name : "a number";
}

bool gt_expect(const char *file, int line, const char *row, const char *what, int64_t got,
	       int64_t want)
{
	gt_report->assertions++;
	if (got == want)
		return true;
	gt_report->failures++;
	fprintf(stderr, "%s:%d: [%s] %s: got %lld (%s), want %lld (%s)\n", file, line, row, what,
		(long long)got, gt_errno_name(got), (long long)want, gt_errno_name(want));
	return false;
}

void gt_must(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	_fail(file, line);
	abort();
}

void gt_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(gt_report->reason, sizeof(gt_report->reason), format, args);
	va_end(args);
	gt_report->skipped = true;
	_skip(__FILE__, __LINE__);
	abort();
}
