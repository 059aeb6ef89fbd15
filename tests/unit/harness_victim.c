/* SPDX-License-Identifier: MIT */
/* Tests that go wrong in every way: unit_harness.c looks at what is said about them. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "gmem_test.h"

static void passes(struct gt *t)
{
	EXPECT("row", 1, 1);
}

static void expects_wrongly(struct gt *t)
{
	EXPECT("row", 1, 2);
	EXPECT("row", 1, 1);
}

static void asserts_wrongly(struct gt *t)
{
	assert_int_equal(1, 2);
}

static void must_not(struct gt *t)
{
	MUST(!t);
}

static void crashes(struct gt *t)
{
	raise(SIGSEGV);
}

static void aborts(struct gt *t)
{
	abort();
}

static void leaves(struct gt *t)
{
	_exit(0);
}

static void hangs(struct gt *t)
{
	for (;;)
		pause();
}

static void leaks(struct gt *t)
{
	EXPECT("row", open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0, true);
}

static void skips(struct gt *t)
{
	REQUIRE(!t, "the reason is %d", 7);
}

#define VICTIM(name, limit)                                                                        \
	{                                                                                          \
#name, name, .seconds = (limit), .flags = GT_NO_KERNEL                             \
	}

static const struct gt_test tests[] = {
	VICTIM(passes, 0),   VICTIM(expects_wrongly, 0), VICTIM(asserts_wrongly, 0),
	VICTIM(must_not, 0), VICTIM(crashes, 0),         VICTIM(aborts, 0),
	VICTIM(leaves, 0),   VICTIM(hangs, 1),           VICTIM(leaks, 0),
	VICTIM(skips, 0),
};

GT_MAIN(tests)
