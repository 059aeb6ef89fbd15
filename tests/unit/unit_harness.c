/* SPDX-License-Identifier: MIT */
/* The harness itself: what goes wrong in a test is said to be wrong with that test. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem_test.h"

/* Runs the victim with one test; returns its exit status and the line that it appended. */
static int run_victim(const char *test, char *line, size_t size)
{
	char path[] = "/tmp/gmem-harness-XXXXXX", command[512];
	int fd = mkstemp(path), status;
	ssize_t n;

	MUST(fd >= 0 && getenv("GT_VICTIM"));
	snprintf(command, sizeof(command), "GMEM_TEST_RESULTS=%s %s %s >/dev/null 2>&1", path,
		 getenv("GT_VICTIM"), test);
	status = system(command);
	n = read(fd, line, size - 1);
	line[n < 0 ? 0 : n] = '\0';
	unlink(path);
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
	const char *test;
	int status;
	const char *verdict, *reason;
} victims[] = {
	{"passes", 0, "PASS\t", "\t\n"},
	{"expects_wrongly", 1, "FAIL\t", "1 of 2 assertions failed"},
	{"asserts_wrongly", 1, "FAIL\t", "failed"},
	{"must_not", 1, "FAIL\t", "failed"},
	{"crashes", 1, "FAIL\t", "\tcrashes\t"},
	{"aborts", 1, "FAIL\t", "\taborts\t"},
	{"leaves", 1, "FAIL\t", "left early with status 0"},
	{"hangs", 1, "FAIL\t", "not done after 1 s"},
	{"leaks", 1, "FAIL\t", "failed"},
	{"skips", 77, "SKIP\t", "the reason is 7"},
	{"nothing_of_this_name", 77, "", ""},
};

static void verdicts(struct gt *t)
{
	char line[1024];
	int status;
	size_t i;

	for (i = 0; i < GT_COUNT(victims); i++) {
		status = run_victim(victims[i].test, line, sizeof(line));
		EXPECT_CASE("exit status", victims[i].test, status, victims[i].status);
		EXPECT_CASE("verdict", victims[i].test,
			    strncmp(line, victims[i].verdict, strlen(victims[i].verdict)), 0);
		EXPECT_CASE("reason", victims[i].test, strstr(line, victims[i].reason) != NULL,
			    true);
	}
}

static const struct gt_test tests[] = {
	{"verdicts", verdicts, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
