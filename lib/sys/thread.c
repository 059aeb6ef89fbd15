/* SPDX-License-Identifier: MIT */
/* Threads that libgmem makes where the caller asked for them. */
#include "thread.h"

#include <signal.h>
#include <time.h>

/*
 * A thread inherits the mask of its maker. Blocking in the thread itself would leave a moment in
 * which a handler could run there; a signal that arrives meanwhile is delivered when the mask is
 * back.
 */
int gmi_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

void gmi_thread_join(pthread_t thread)
{
	pthread_join(thread, NULL);
}

/* By the clock that no one sets. */
void gmi_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void gmi_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000u);
	until.tv_nsec = (long)(ns % 1000000000u);
	pthread_cond_timedwait(cond, lock, &until);
}
