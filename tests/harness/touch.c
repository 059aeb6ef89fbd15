/* SPDX-License-Identifier: MIT */
/* Touches memory that may answer with a signal. */
#include <signal.h>

#include "gmem_test.h"

static sigjmp_buf touch_env;
static struct gt_touch touched;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	touched.signal = signal;
	touched.code = info->si_code;
	touched.addr = info->si_addr;
	siglongjmp(touch_env, 1);
}

static struct gt_touch touch_memory(volatile uint8_t *addr, bool write, uint8_t value)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction old_bus, old_segv;

	touched = (struct gt_touch){0};
	sigaction(SIGBUS, &action, &old_bus);
	sigaction(SIGSEGV, &action, &old_segv);
	if (sigsetjmp(touch_env, 1) == 0) {
		if (write)
			*addr = value;
		touched.value = *addr;
	}
	sigaction(SIGBUS, &old_bus, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return touched;
}

struct gt_touch gt_touch_read(const void *addr)
{
	return touch_memory((volatile uint8_t *)(uintptr_t)addr, false, 0);
}

struct gt_touch gt_touch_write(void *addr, uint8_t value)
{
	return touch_memory(addr, true, value);
}
