/* SPDX-License-Identifier: MIT */
/* Threads that libgmem makes where the caller asked for them. */
#ifndef GMI_THREAD_H
#define GMI_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* Starts a thread with all signals blocked: none of the program's arrives there. 0 or -errno. */
int gmi_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Waits for its end. */
void gmi_thread_join(pthread_t thread);

/* A condition for gmi_cond_wait(). */
void gmi_cond_init(pthread_cond_t *cond);

/* Waits for a change, for @ns at most. */
void gmi_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns);

#endif
