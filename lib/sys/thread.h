/* SPDX-License-Identifier: MIT */
/* Threads that libgmem makes where the caller asked for them. */
#ifndef GMI_THREAD_H
#define GMI_THREAD_H

#include <pthread.h>

/* Starts a thread with all signals blocked: none of the program's arrives there. 0 or -errno. */
int gmi_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Waits for its end. */
void gmi_thread_join(pthread_t thread);

#endif
