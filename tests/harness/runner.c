/* SPDX-License-Identifier: MIT */
/* Runs each test in a forked process with a time limit, and keeps the score. */
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gt_internal.h"

#define EXIT_SKIPPED 77

struct score {
	const char *binary;
	const char *kernel;
	unsigned int passed, failed, skipped;
	uint64_t assertions;
	int output; /* what the running test prints */
};

struct job {
	const struct gt_test *test;
	struct gt t;
};

static void run_in_cmocka(void **state)
{
	struct job *job = *state;

	job->test->run(&job->t);
	if (gt_report->failures)
		fail_msg("%llu of %llu assertions failed", (unsigned long long)gt_report->failures,
			 (unsigned long long)gt_report->assertions);
}

static bool is_leak_free(const char *what, unsigned int before, unsigned int after)
{
	if (before == after)
		return true;
	fprintf(stderr, "the test began with %u %s and ended with %u\n", before, what, after);
	return false;
}

/* False where the test failed or left something behind. A skipped test may leave things. */
static bool run_checked(const struct gt_test *test, const char *kernel)
{
	unsigned int fds = gt_count_fds(), mappings = gt_count_mappings();
	struct job job = {.test = test};
	const struct CMUnitTest unit = {test->name, run_in_cmocka, NULL, NULL, &job};
	bool ok;
	int ret;

	if (!(test->flags & GT_NO_KERNEL)) {
		ret = gt_kernel_open(kernel, &job.t);
		if (ret < 0) {
			fprintf(stderr, "cannot open %s: %s\n", kernel, gt_errno_name(ret));
			return false;
		}
	}
	job.t.data = test->data;
	ok = _cmocka_run_group_tests(test->name, &unit, 1, NULL, NULL) == 0;
	if (!(test->flags & GT_NO_KERNEL))
		ok &= gt_kernel_close(&job.t) || gt_report->skipped;
	if (!ok || gt_report->skipped)
		return ok;
	ok = is_leak_free("mappings of kernel objects", mappings, gt_count_mappings());
	if (!is_leak_free("descriptors", fds, gt_count_fds())) {
		gt_print_fds();
		return false;
	}
	return ok;
}

/* Leaves through exit(), so that sanitizers look for leaks. */
static void child(struct score *score, const struct gt_test *test)
{
	bool ok;

	/* A runner that is killed takes its test along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(score->output, STDOUT_FILENO);
	dup2(score->output, STDERR_FILENO);
	unsetenv("CMOCKA_MESSAGE_OUTPUT");
	ok = run_checked(test, score->kernel);
	fflush(NULL);
	gt_report->finished = true;
	exit(ok ? 0 : 1);
}

/* Waits for the child; kills it and all of its own when the time is up. */
static int wait_child(pid_t pid, unsigned int seconds, bool *ret_late)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int status = 0;

	*ret_late = pidfd >= 0 && poll(&poll_fd, 1, (int)seconds * 1000) == 0;
	if (*ret_late)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	if (pidfd >= 0)
		close(pidfd);
	return status;
}

static void describe_failure(int status, bool late, unsigned int seconds, char *reason, size_t size)
{
	if (late)
		snprintf(reason, size, "not done after %u s", seconds);
	else if (WIFSIGNALED(status))
		snprintf(reason, size, "died of %s", strsignal(WTERMSIG(status)));
	else if (!gt_report->finished)
		snprintf(reason, size, "left early with status %d", WEXITSTATUS(status));
	else if (gt_report->failures)
		snprintf(reason, size, "%llu of %llu assertions failed",
			 (unsigned long long)gt_report->failures,
			 (unsigned long long)gt_report->assertions);
	else
		snprintf(reason, size, "failed");
}

static void print_output(struct score *score)
{
	char buf[4096];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(score->output, buf, sizeof(buf), at)) > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		at += n;
	}
}

static void append_result(const struct score *score, const char *verdict, const char *name,
			  const char *reason)
{
	const char *path = getenv("GMEM_TEST_RESULTS");
	FILE *file = path ? fopen(path, "ae") : NULL;

	if (!file)
		return;
	fprintf(file, "%s\t%s\t%s\t%s\t%s\n", verdict, score->binary, name, score->kernel, reason);
	fclose(file);
}

static void record(struct score *score, const char *verdict, const char *name, const char *reason)
{
	printf("%s %s%s%s%s\n", verdict, name, *reason ? " (" : "", reason, *reason ? ")" : "");
	fflush(stdout);
	append_result(score, verdict, name, reason);
}

static void skip_test(struct score *score, const char *name, const char *reason)
{
	score->skipped++;
	record(score, "SKIP", name, reason);
}

static void judge(struct score *score, const struct gt_test *test, int status, bool late)
{
	unsigned int seconds = test->seconds ? test->seconds : GT_SECONDS;
	char reason[320];

	score->assertions += gt_report->assertions;
	if (status == 0 && gt_report->finished && !gt_report->skipped) {
		score->passed++;
		record(score, "PASS", test->name, "");
		return;
	}
	if (status == 0 && gt_report->finished) {
		skip_test(score, test->name, gt_report->reason);
		return;
	}
	score->failed++;
	print_output(score);
	describe_failure(status, late, seconds, reason, sizeof(reason));
	record(score, "FAIL", test->name, reason);
}

static void run_one(struct score *score, const struct gt_test *test)
{
	bool late;
	int status;
	pid_t pid;

	memset(gt_report, 0, sizeof(*gt_report));
	if (ftruncate(score->output, 0) < 0 || lseek(score->output, 0, SEEK_SET) < 0)
		abort();
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		child(score, test);
	status = wait_child(pid, test->seconds ? test->seconds : GT_SECONDS, &late);
	judge(score, test, status, late);
}

static bool is_wanted(int argc, char **argv, const char *name)
{
	int i;

	for (i = 1; i < argc; i++)
		if (fnmatch(argv[i], name, 0) == 0)
			return true;
	return argc < 2;
}

static void run_all(struct score *score, int argc, char **argv, const struct gt_test *tests,
		    size_t count)
{
	const char *missing = gt_kernel_missing(score->kernel);
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is_wanted(argc, argv, tests[i].name))
			continue;
		if (missing && !(tests[i].flags & GT_NO_KERNEL))
			skip_test(score, tests[i].name, missing);
		else
			run_one(score, &tests[i]);
	}
}

static int finish(const struct score *score)
{
	char number[24];

	if (score->assertions) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)score->assertions);
		append_result(score, "COUNT", "assertions", number);
		printf("%s: %s assertions on %s\n", score->binary, number, score->kernel);
	}
	printf("%s on %s: %u passed, %u failed, %u skipped\n", score->binary, score->kernel,
	       score->passed, score->failed, score->skipped);
	if (score->failed)
		return 1;
	return score->passed ? 0 : EXIT_SKIPPED;
}

static const char *kernel_of(const struct gt_test *tests, size_t count)
{
	const char *kernel = getenv("GMEM_TEST_KERNEL");
	size_t i;

	for (i = 0; i < count; i++)
		if (!(tests[i].flags & GT_NO_KERNEL))
			return kernel && *kernel ? kernel : "kvm";
	return "none";
}

int gt_main(int argc, char **argv, const struct gt_test *tests, size_t count)
{
	const char *slash = strrchr(argv[0], '/');
	struct score score = {
		.binary = slash ? slash + 1 : argv[0],
		.kernel = kernel_of(tests, count),
		.output = memfd_create("gt output", MFD_CLOEXEC),
	};

	gt_report = mmap(NULL, sizeof(*gt_report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (score.output < 0 || gt_report == MAP_FAILED)
		abort();
	run_all(&score, argc, argv, tests, count);
	close(score.output);
	munmap(gt_report, sizeof(*gt_report));
	return finish(&score);
}
