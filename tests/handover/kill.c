/* SPDX-License-Identifier: MIT */
/* Source and target in processes of their own, each killed in turn: exactly one owner. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libgmem/sim.h>

#include "ho.h"

#define STEPS_MAX    14
#define RANDOM_KILLS 60
#define SLOW_KILLS   2

/* What a side last knew, seen also when it is dead. */
struct side {
	_Atomic uint32_t owner;
	_Atomic int result;
	_Atomic bool ended; /* by itself */
	_Atomic bool leaked;
	_Atomic int steps;
};

struct sides {
	struct side source, target;
};

/* One of the two, in a process of its own. */
struct player {
	struct ho ho;
	struct side *side;
	struct gmem_handover *h;
	int socket;
	int kill_after; /* steps; -1 is never */
};

/* Without those in which a simulated kernel keeps memory that the other process still has. */
static unsigned int count_fds(const struct gt *t)
{
	GMEM_INIT(gmem_sim_stats, stats);

	if (t->sim)
		MUST(gmem_sim_get_stats(t->sim, &stats) == 0);
	return gt_count_fds() - (unsigned int)stats.fds;
}

static void note(struct player *p, int ret)
{
	p->side->result = ret;
	p->side->owner = ho_info(p->h).owner;
	if (++p->side->steps == p->kill_after)
		raise(SIGKILL);
}

static void wait_for_peer(struct player *p)
{
	uint64_t ns;
	struct pollfd wait = {.fd = p->socket, .events = (short)gmem_handover_events(p->h, &ns)};

	poll(&wait, 1, 5000);
}

static void play(struct player *p)
{
	int ret;

	if (p->kill_after == 0)
		raise(SIGKILL);
	do {
		ret = gmem_handover_step(p->h);
		note(p, ret);
		if (ret == GMEM_HANDOVER_WAIT)
			wait_for_peer(p);
	} while (ret == GMEM_HANDOVER_WAIT && p->side->steps < 1000);
}

static struct gmem_handover_opts any_peer(void)
{
	GMEM_INIT(gmem_handover_opts, opts);

	opts.flags = GMEM_HANDOVER_ANY_PEER;
	return opts;
}

/* The socket is the target's own, so an end without an ACK allows to reclaim. */
static void settle_source(struct player *p)
{
	if (p->side->result == -ENOTRECOVERABLE && !gmem_handover_reclaim(p->h))
		p->side->owner = ho_info(p->h).owner;
	if (p->side->owner == GMEM_HANDOVER_SELF)
		ho_expect_whole(&p->ho);
}

static void source(struct player *p, const struct gt *t, enum ho_kind kind)
{
	struct gmem_handover_opts opts = any_peer();
	unsigned int fds = count_fds(t);

	ho_open(&p->ho, t, kind);
	MUST(gmem_handover_send_begin(p->ho.vm, p->socket, &opts, &p->h) == 0);
	play(p);
	settle_source(p);
	gmem_handover_unref(p->h);
	ho_close(&p->ho);
	p->side->leaked = count_fds(t) != fds;
	p->side->ended = true;
}

static void target(struct player *p, const struct gt *t, enum ho_kind kind)
{
	struct gmem_handover_opts opts = any_peer();
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	unsigned int fds = count_fds(t);

	ctx = ho_context(t);
	p->ho = (struct ho){.t = t, .kind = kind};
	MUST(gmem_handover_recv_begin(ctx, p->socket, &opts, &p->h) == 0);
	play(p);
	if (gmem_handover_take(p->h, &vm) == 0) {
		ho_expect_same(&p->ho, vm);
		ho_release(vm);
	}
	gmem_handover_unref(p->h);
	gmem_ctx_unref(ctx);
	p->side->leaked = count_fds(t) != fds;
	p->side->ended = true;
}

static pid_t start(const struct gt *t, enum ho_kind kind, struct sides *sides, int *sockets,
		   bool is_target, int kill_after)
{
	struct player p = {
		.side = is_target ? &sides->target : &sides->source,
		.socket = sockets[is_target],
		.kill_after = kill_after,
	};
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	close(sockets[!is_target]);
	if (is_target)
		target(&p, t, kind);
	else
		source(&p, t, kind);
	_exit(0);
}

static void sleep_ns(long ns)
{
	struct timespec time = {.tv_nsec = ns};

	nanosleep(&time, NULL);
}

struct kill {
	int source_after, target_after; /* steps */
	bool at_target;                 /* or after a time */
	long ns;
};

/* Each has its end alone: the parent holds none. */
static void run(const struct gt *t, enum ho_kind kind, struct sides *sides, int type,
		const struct kill *how)
{
	int sockets[2];
	pid_t pids[2];

	memset(sides, 0, sizeof(*sides));
	sides->target.owner = GMEM_HANDOVER_PEER;
	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets) == 0);
	pids[0] = start(t, kind, sides, sockets, false, how->source_after);
	pids[1] = start(t, kind, sides, sockets, true, how->target_after);
	close(sockets[0]);
	close(sockets[1]);
	if (how->ns) {
		sleep_ns(how->ns);
		kill(pids[how->at_target], SIGKILL);
	}
	for (int i = 0; i < 2; i++)
		while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
}

static void expect_clean(const struct sides *sides)
{
	EXPECT("source: descriptors left", sides->source.leaked, false);
	EXPECT("target: descriptors left", sides->target.leaked, false);
}

static void print(const char *what, int after, const struct sides *sides)
{
	fprintf(stderr, "%s %d: source owner %u result %d, target owner %u result %d\n", what,
		after, sides->source.owner, sides->source.result, sides->target.owner,
		sides->target.result);
}

/* The dead one's last word counts: after a step it is true. */
static bool has_one_owner(const struct sides *sides)
{
	uint32_t source = sides->source.owner, target = sides->target.owner;

	if (target == GMEM_HANDOVER_SELF)
		return source != GMEM_HANDOVER_SELF;
	return source == GMEM_HANDOVER_SELF;
}

static void after_steps(const struct gt *t, enum ho_kind kind, struct sides *sides, int type,
			bool at_target)
{
	int step = ho_is_slow(t) ? 3 : 1;

	for (int steps = 0; steps < STEPS_MAX; steps += step) {
		struct kill how = {
			.source_after = at_target ? -1 : steps,
			.target_after = at_target ? steps : -1,
		};

		run(t, kind, sides, type, &how);
		if (!has_one_owner(sides)) {
			print(at_target ? "target after" : "source after", steps, sides);
			EXPECT("one owner", false, true);
		}
		EXPECT("survivor ended", at_target ? sides->source.ended : sides->target.ended,
		       true);
		expect_clean(sides);
	}
}

/*
 * In the middle of anything: never two, and none only where the one that died was it. A source that
 * was killed may have sent COMMIT without having said so; it owns nothing any more either way.
 */
static void after_a_time(const struct gt *t, enum ho_kind kind, struct sides *sides, int type,
			 bool at_target)
{
	bool is_slow = ho_is_slow(t);
	long step = t->sim ? 60000 : is_slow ? 90000000 : 500000;

	for (int i = 0; i < (is_slow ? SLOW_KILLS : RANDOM_KILLS); i++) {
		struct kill how = {
			.source_after = -1,
			.target_after = -1,
			.at_target = at_target,
			.ns = 100000 + i * step,
		};
		bool two, lost;

		run(t, kind, sides, type, &how);
		two = sides->source.ended && sides->source.owner == GMEM_HANDOVER_SELF &&
		      sides->target.owner == GMEM_HANDOVER_SELF;
		lost = at_target ? sides->source.owner == GMEM_HANDOVER_UNKNOWN
				 : sides->target.owner != GMEM_HANDOVER_SELF &&
					   sides->source.owner != GMEM_HANDOVER_SELF;
		if (two || lost)
			print(at_target ? "target at" : "source at", i, sides);
		EXPECT("two owners", two, false);
		EXPECT("no owner", lost, false);
		expect_clean(sides);
	}
}

static void each(struct gt *t, void (*kill_one)(const struct gt *t, enum ho_kind kind,
						struct sides *sides, int type, bool at_target))
{
	struct sides *sides = mmap(NULL, sizeof(*sides), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int ran = 0;

	MUST(sides != MAP_FAILED);
	for (int kind = 0; kind < HO_KINDS; kind++) {
		if (!ho_is_possible(t, (enum ho_kind)kind))
			continue;
		for (int side = 0; side < 2; side++, ran++) {
			kill_one(t, (enum ho_kind)kind, sides, SOCK_STREAM, side);
			kill_one(t, (enum ho_kind)kind, sides, SOCK_SEQPACKET, side);
		}
	}
	munmap(sides, sizeof(*sides));
	REQUIRE(ran, "the kernel neither links memory nor has it by host address");
}

static void by_steps(struct gt *t)
{
	each(t, after_steps);
}

static void by_time(struct gt *t)
{
	each(t, after_a_time);
}

static const struct gt_test tests[] = {
	{.name = "by_steps", .run = by_steps, .seconds = 300},
	{.name = "by_time", .run = by_time, .seconds = 300},
};

GT_MAIN(tests)
