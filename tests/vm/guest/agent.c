/* SPDX-License-Identifier: MIT */
/* Run the manifest's tests of one profile in the test kernel, and report them line by line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * What is written to standard output, for collect.awk on the other side:
 *
 *   @start NAME
 *   |OUTPUT                  a line of the test's output
 *   @result LINE             a line that the test wrote to GMEM_TEST_RESULTS
 *   @end NAME STATUS MS      "exit N", "signal N" or "timeout"
 *   @done                    all of the profile's tests have been run
 *
 * Fields are separated by tabs.
 */

#define RESULTS "/tmp/gmem-results"

struct job {
	char *profile;
	char *name;
	char *dir;
	char *command;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "agent: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Whether @line, which is cut up, is a job. */
static bool parse_job(char *line, struct job *ret_job)
{
	line[strcspn(line, "\n")] = '\0';
	ret_job->profile = strsep(&line, "\t");
	ret_job->name = strsep(&line, "\t");
	ret_job->dir = strsep(&line, "\t");
	ret_job->command = line;
	return line;
}

static void become_test(const struct job *job, int out)
{
	setsid();
	write_file("/proc/self/oom_score_adj", "0");
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (chdir(job->dir) == 0)
		execl("/bin/sh", "sh", "-c", job->command, (char *)NULL);
	perror(job->command);
	_exit(127);
}

/* Copy output as lines behind a mark; a NUL would end the reader's line. */
static void copy_output(const char *buf, size_t len, bool *at_start)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (*at_start)
			putchar('|');
		putchar(buf[i] ? buf[i] : '?');
		*at_start = buf[i] == '\n';
	}
	fflush(stdout);
}

/* Returns the bytes copied, 0 at the end of the output, -1 when nothing came in @timeout ms. */
static ssize_t copy_some(int fd, int timeout, bool *at_start)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	char buf[4096];
	ssize_t len;

	if (poll(&pollfd, 1, timeout) <= 0)
		return -1;
	len = read(fd, buf, sizeof(buf));
	if (len <= 0)
		return 0;
	copy_output(buf, (size_t)len, at_start);
	return len;
}

/* Returns whether the test ended in time. Its children may hold the pipe open for longer. */
static bool follow(pid_t pid, int fd, int64_t deadline, int *ret_status)
{
	bool at_start = true, eof = false;

	for (;;) {
		if (eof)
			usleep(1000);
		else
			eof = copy_some(fd, 20, &at_start) == 0;
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			break;
		if (now_ms() > deadline)
			return false;
	}
	while (!eof && copy_some(fd, 0, &at_start) > 0)
		;
	if (!at_start)
		putchar('\n');
	return true;
}

/* Leave nothing of a test behind: only this process and init survive. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
}

static void copy_results(void)
{
	FILE *file = fopen(RESULTS, "r");
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		printf("@result\t%s\n", line);
	}
	if (file)
		fclose(file);
}

static void print_end(const struct job *job, bool ended, int status, int64_t ms)
{
	printf("@end\t%s\t", job->name);
	if (!ended)
		printf("timeout");
	else if (WIFSIGNALED(status))
		printf("signal %d", WTERMSIG(status));
	else
		printf("exit %d", WEXITSTATUS(status));
	printf("\t%lld\n", (long long)ms);
	fflush(stdout);
}

/* What the kernel says during a test stands behind the test's name on the console. */
static void mark_console(const struct job *job)
{
	char line[256];

	snprintf(line, sizeof(line), "libgmem: test %s\n", job->name);
	write_file("/dev/kmsg", line);
}

static void run_job(const struct job *job, int64_t timeout_ms)
{
	int64_t start = now_ms();
	int status = 0, fds[2];
	bool ended;
	pid_t pid;

	printf("@start\t%s\n", job->name);
	fflush(stdout);
	mark_console(job);
	write_file(RESULTS, "");
	if (pipe2(fds, O_CLOEXEC))
		abort();
	pid = fork();
	if (pid == 0)
		become_test(job, fds[1]);
	close(fds[1]);
	ended = follow(pid, fds[0], start + timeout_ms, &status);
	kill_all();
	close(fds[0]);
	copy_results();
	print_end(job, ended, status, now_ms() - start);
}

/* Lines NAME=VALUE. */
static void read_environment(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strchr(line, '='))
			putenv(strdup(line));
	}
	if (file)
		fclose(file);
	free(line);
}

int main(int argc, char **argv)
{
	struct job job;
	char *line = NULL;
	size_t size = 0;
	FILE *manifest;

	if (argc != 5) {
		fprintf(stderr, "usage: agent PROFILE SECONDS MANIFEST ENVIRONMENT\n");
		return 2;
	}
	manifest = fopen(argv[3], "re");
	if (!manifest) {
		perror(argv[3]);
		return 1;
	}
	write_file("/proc/self/oom_score_adj", "-1000");
	read_environment(argv[4]);
	setenv("GMEM_TEST_KERNEL", "vm", 1);
	setenv("GMEM_TEST_RESULTS", RESULTS, 1);
	while (getline(&line, &size, manifest) > 0)
		if (parse_job(line, &job) && !strcmp(job.profile, argv[1]))
			run_job(&job, atoll(argv[2]) * 1000);
	printf("@done\n");
	fflush(stdout);
	return 0;
}
