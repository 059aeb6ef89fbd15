/* SPDX-License-Identifier: MIT */
/* Threads that libgmem makes where the caller asked for them. */
#include "thread.h"

#include <signal.h>

/*
 * A thread inherits the mask of its maker. Blocking in the thread itself would leave a moment in which
 * a handler could run there; a signal that arrives meanwhile is delivered when the mask is back.
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
