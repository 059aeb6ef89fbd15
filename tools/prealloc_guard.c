/* SPDX-License-Identifier: MIT */
/* "gmemctl prealloc --grow": pools raised by a process that stays, for one that may be killed. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prealloc_tool.h"
#include "privilege.h"
#include "size.h"

#define SHARES_MAX (3 * (NODES_MAX + 1))

struct guard {
	struct gmem_ctx *ctx;
	struct gmem_hugetlb_share *shares[SHARES_MAX];
	size_t count;
};

static volatile sig_atomic_t child;

/* The child ends in its own way, and this process after it. */
static void pass_on(int number)
{
	if (child > 0)
		kill((pid_t)child, number);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static int raise_pool(struct guard *guard, const struct gmem_layout_file *file)
{
	if (gmem_hugetlb_reserve(guard->ctx, file->page_size, file->node, file->size, NULL,
				 &guard->shares[guard->count]) < 0) {
		complain("%s", gmem_errinfo()->message);
		if (gmem_errinfo()->error == -EACCES || gmem_errinfo()->error == -EPERM)
			complain("this is %s; without --grow it takes no privilege",
				 privilege_text().text);
		return -1;
	}
	guard->count++;
	return 0;
}

static int raise_pools(struct guard *guard, const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_file, file);
	int err = 0;

	for (size_t i = 0; !err && i < SHARES_MAX && !gmem_layout_get_file(layout, i, &file); i++)
		if (file.page_size > GMEM_PAGE_SIZE)
			err = raise_pool(guard, &file);
	return err;
}

static int put_back(struct guard *guard)
{
	int err = 0;

	while (guard->count > 0) {
		struct gmem_hugetlb_share *share = guard->shares[--guard->count];
		uint64_t added = gmem_hugetlb_added(share);

		if (gmem_hugetlb_release(share) < 0) {
			complain("%s stay in the pool: %s", size_text(added).text,
				 gmem_errinfo()->message);
			gmem_hugetlb_leave(share);
			err = -1;
		}
	}
	return err;
}

/* Without privileges, and not longer than its guard. */
static int work(const struct prealloc_options *options, const struct probe_kernel *kernel,
		const struct gmem_layout *layout, pid_t guard)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != guard)
		return STATUS_FAILED;
	privilege_drop_all();
	return prealloc_memory(options, kernel, layout);
}

static int wait_for_work(void)
{
	int status;

	while (waitpid((pid_t)child, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	complain("ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return STATUS_FAILED;
}

static int fork_work(const struct prealloc_options *options, const struct probe_kernel *kernel,
		     const struct gmem_layout *layout)
{
	pid_t self = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		complain("fork: %s", strerror(errno));
		return STATUS_FAILED;
	}
	if (pid == 0) {
		int status = work(options, kernel, layout, self);

		fflush(stdout);
		_exit(status);
	}
	child = pid;
	catch_signals();
	return wait_for_work();
}

int prealloc_guarded(const struct prealloc_options *options, const struct probe_kernel *kernel,
		     const struct gmem_layout *layout)
{
	struct guard guard = {.ctx = prealloc_open(kernel)};
	int status = STATUS_FAILED;

	if (!guard.ctx)
		return STATUS_FAILED;
	privilege_keep_writing();
	if (!raise_pools(&guard, layout))
		status = fork_work(options, kernel, layout);
	if (put_back(&guard))
		status = STATUS_FAILED;
	gmem_ctx_unref(guard.ctx);
	return status;
}
