/* SPDX-License-Identifier: MIT */
/* Run a table of tests, print TAP, and append to the file that GMEM_TEST_RESULTS names. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID 512 /* bytes, the most that a test can say */

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

/* Each test is a process of its own: what it leaves behind spoils no other. */
static void run_apart(const struct test *test, char *said)
{
	const char *result;
	int status = 0;
	pid_t pid;

	snprintf(said, SAID, "no process, or ended early");
	pid = fork();
	if (pid == 0) {
		errno = 0;
		result = test->run();
		if (!result)
			said[0] = '\0';
		else
			snprintf(said, SAID, "%s (errno %d)", result, errno);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		snprintf(said, SAID, "signal %d", WTERMSIG(status));
}

/* Returns whether the test failed. */
static int report_one(const char *program, const struct test *test, size_t number, char *said)
{
	const char *name = test->name;

	fflush(stdout);
	run_apart(test, said);
	if (!*said) {
		append_result("PASS", program, name, "");
		printf("ok %zu - %s\n", number, name);
		return 0;
	}
	append_result("FAIL", program, name, said);
	printf("not ok %zu - %s\n# %s\n", number, name, said);
	return 1;
}

int report_run(const char *program, const struct test *tests, size_t count)
{
	char *said = mmap(NULL, SAID, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int failed = 0;
	size_t i;

	if (said == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
	for (i = 0; i < count; i++)
		failed |= report_one(program, &tests[i], i + 1, said);
	return failed;
}
