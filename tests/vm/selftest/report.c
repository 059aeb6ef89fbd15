/* SPDX-License-Identifier: MIT */
/* Run a table of tests, print TAP, and append to the file that GMEM_TEST_RESULTS names. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value ? value : otherwise;
}

static void append_result(const char *verdict, const char *program, const char *test,
			  const char *reason)
{
	const char *path = getenv("GMEM_TEST_RESULTS");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%s\t%s\t%s\t%s\t%s\n", verdict, program, test,
		env_or("GMEM_TEST_KERNEL", "kvm"), reason);
	fclose(file);
}

/* Returns whether the test failed. */
static int report_one(const char *program, const struct test *test, size_t number)
{
	const char *said, *name = test->name;
	int err;

	errno = 0;
	said = test->run();
	err = errno;
	if (!said) {
		append_result("PASS", program, name, "");
		printf("ok %zu - %s\n", number, name);
		return 0;
	}
	if (!strncmp(said, SKIP_MARK, strlen(SKIP_MARK))) {
		append_result("SKIP", program, name, said + strlen(SKIP_MARK));
		printf("ok %zu - %s %s\n", number, name, said);
		return 0;
	}
	append_result("FAIL", program, name, said);
	printf("not ok %zu - %s\n# %s (errno %d, %s)\n", number, name, said, err, strerror(err));
	return 1;
}

int report_run(const char *program, const struct test *tests, size_t count)
{
	int failed = 0;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
	for (i = 0; i < count; i++)
		failed |= report_one(program, &tests[i], i + 1);
	return failed;
}
