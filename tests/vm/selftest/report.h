/* SPDX-License-Identifier: MIT */
/* Run a table of tests, print TAP, and append to the file that GMEM_TEST_RESULTS names. */
#ifndef SELFTEST_REPORT_H
#define SELFTEST_REPORT_H

#include <stddef.h>

/* A test returns NULL, or what failed. */
struct test {
	const char *name;
	const char *(*run)(void);
};

#define STRING_OF(x)   STRING_OF_(x)
#define STRING_OF_(x)  #x
#define FAILED_AT(txt) __FILE__ ":" STRING_OF(__LINE__) ": " txt

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return FAILED_AT(#cond);                                                   \
	} while (0)

/* @expr is a call that fails with -1 and sets errno to exactly @err. */
#define CHECK_ERRNO(expr, err)                                                                     \
	do {                                                                                       \
		errno = 0;                                                                         \
		CHECK((expr) == -1 && errno == (err));                                             \
	} while (0)

#define CHECK_OK(call)                                                                             \
	do {                                                                                       \
		const char *failed_ = (call);                                                      \
		if (failed_)                                                                       \
			return failed_;                                                            \
	} while (0)

int report_run(const char *program, const struct test *tests, size_t count);

#endif
