/* SPDX-License-Identifier: MIT */
/* Runs tests one by one, each in a process of its own, on the kernel that the environment names. */
#ifndef GT_GMEM_TEST_H
#define GT_GMEM_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libgmem/sys.h>

struct gmem_sim;

/*
 * What a test gets. GMEM_TEST_KERNEL is "kvm" (this machine's /dev/kvm), "vm" (the same, in the test
 * bed's own kernel) or "sim:PROFILE".
 */
struct gt {
	const char *kernel;
	const char *profile; /* of the simulated kernel, or NULL */
	const struct gmem_sys_ops *ops;
	void *user;
	struct gmem_sim *sim; /* NULL on a real kernel */
	const void *data;     /* of struct gt_test */
};

#define GT_NO_KERNEL (1u << 0) /* the test asks no kernel */

struct gt_test {
	const char *name;
	void (*run)(struct gt *t);
	const void *data;
	unsigned int seconds; /* 0 is GT_SECONDS */
	unsigned int flags;
};

#define GT_SECONDS 60

#define GT_TEST(function)                                                                          \
	{                                                                                          \
		.name = #function, .run = function                                                 \
	}
#define GT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Runs the tests whose names match one of the patterns in @argv, all without one. Returns the exit
 * status: 0, 77 where every test skipped, 1 where one failed.
 *
 * Where GMEM_TEST_RESULTS names a file, appends to it a line a test:
 *   PASS|FAIL|SKIP <tab> binary <tab> test <tab> kernel <tab> reason
 * and, where assertions were counted, COUNT <tab> binary <tab> assertions <tab> kernel <tab> number.
 */
int gt_main(int argc, char **argv, const struct gt_test *tests, size_t count);

#define GT_MAIN(tests)                                                                             \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return gt_main(argc, argv, tests, GT_COUNT(tests));                                \
	}

/* Ends the test as skipped. */
void gt_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define REQUIRE(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			gt_skip(__VA_ARGS__);                                                      \
	} while (0)

/*
 * A counted assertion that lets the test go on: one run shows all that differs. @row says where the
 * expectation is written down. The test fails at its end.
 */
bool gt_expect(const char *file, int line, const char *row, const char *what, int64_t got,
	       int64_t want);

#define EXPECT(row, got, want)            gt_expect(__FILE__, __LINE__, row, #got, got, want)
#define EXPECT_CASE(row, name, got, want) gt_expect(__FILE__, __LINE__, row, name, got, want)

/* Ends the test as failed where something before its subject went wrong. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			gt_must(__FILE__, __LINE__, #condition);                                   \
	} while (0)

void gt_must(const char *file, int line, const char *what) __attribute__((noreturn));

/* The name of an error code: "EINVAL" for -EINVAL; the number in words for others. */
const char *gt_errno_name(int64_t error);

/* How many descriptors this process has, and how many mappings of files behind KVM's descriptors. */
unsigned int gt_count_fds(void);
unsigned int gt_count_mappings(void);

/* What is alive in a simulated kernel; 0 on a real one, which does not tell. */
struct gt_alive {
	uint64_t vms, files, inodes, slots, allocated;
};

struct gt_alive gt_count_alive(const struct gt *t);

/* A touch of memory that may fault. */
struct gt_touch {
	int signal; /* 0 where it did not fault */
	int code;
	void *addr;
	uint8_t value;
};

struct gt_touch gt_touch_read(const void *addr);
struct gt_touch gt_touch_write(void *addr, uint8_t value);

#endif
