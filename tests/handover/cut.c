/* SPDX-License-Identifier: MIT */
/* The connection ends at each message and at many bytes: never two owners, never none for good. */
#include <unistd.h>

#include "ho.h"
#include "sys_call.h"

#define MESSAGES_MAX 64
#define RANDOM_CUTS  1000
#define SLOW_CUTS    40
#define FOREVER      UINT64_MAX

/* Passes on what the two sides say, up to a number of bytes, and then hangs up. */
struct proxy {
	int ends[2]; /* towards the source, towards the target */
	uint64_t left;
	uint64_t passed;
	uint64_t after[MESSAGES_MAX]; /* bytes passed with each message */
	unsigned int messages;
	bool is_stream;
	uint32_t want[2]; /* of a message under way on a stream */
};

/* A frame's header, its body's size in it, and what follows the body. */
#define HEADER_SIZE 24u
#define SIZE_AT     8u
#define CHECK_SIZE  8u

static const struct gmi_sys sys = {.ops = &gmi_sys_linux_ops};

static void hang_up(struct proxy *proxy)
{
	for (int i = 0; i < 2; i++) {
		if (proxy->ends[i] >= 0)
			close(proxy->ends[i]);
		proxy->ends[i] = -1;
	}
}

/* On a stream a larger read would take descriptors together with bytes before them. */
static uint32_t next_size(struct proxy *proxy, int from, const uint8_t *header)
{
	if (!proxy->is_stream)
		return 65536;
	if (!header)
		return proxy->want[from] ? proxy->want[from] : HEADER_SIZE;
	if (proxy->want[from])
		return 0;
	return (uint32_t)(header[SIZE_AT] | header[SIZE_AT + 1] << 8) + CHECK_SIZE;
}

static bool pass_one(struct proxy *proxy, int from)
{
	static uint8_t bytes[65536];
	int fds[GMEM_SYS_FDS_MAX], got;
	uint32_t nr_fds = 0;

	if (proxy->ends[from] < 0)
		return false;
	got = gmi_sys_recv_fds(&sys, proxy->ends[from], bytes, next_size(proxy, from, NULL), fds,
			       &nr_fds);
	if (got <= 0)
		return false;
	if (proxy->is_stream)
		proxy->want[from] = next_size(proxy, from, bytes);
	if ((uint64_t)got > proxy->left)
		got = (int)proxy->left;
	if (got)
		gmi_sys_send_fds(&sys, proxy->ends[!from], bytes, (size_t)got, fds, nr_fds);
	while (nr_fds)
		close(fds[--nr_fds]);
	proxy->left -= (uint64_t)got;
	proxy->passed += (uint64_t)got;
	if (proxy->messages < MESSAGES_MAX)
		proxy->after[proxy->messages++] = proxy->passed;
	return got > 0;
}

static void pass(struct proxy *proxy)
{
	while (pass_one(proxy, 0) || pass_one(proxy, 1))
		;
	if (!proxy->left)
		hang_up(proxy);
}

static void connect_through(struct ho *ho, struct proxy *proxy, int type)
{
	GMEM_INIT(gmem_handover_opts, opts);
	int source[2], target[2];
	char blob[3000] = "state";

	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, source) == 0);
	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, target) == 0);
	proxy->is_stream = type == SOCK_STREAM;
	ho->sockets[0] = source[0];
	proxy->ends[0] = source[1];
	proxy->ends[1] = target[1];
	ho->sockets[1] = target[0];
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	ho_begin(ho, &opts, &opts);
	MUST(gmem_handover_add_blob(ho->source, "state", blob, sizeof(blob)) == 0);
}

/* Both sides to their ends. */
static void run_through(struct ho *ho, struct proxy *proxy, int *ret_source, int *ret_target)
{
	int rounds = 0;

	do {
		*ret_source = gmem_handover_step(ho->source);
		pass(proxy);
		*ret_target = gmem_handover_step(ho->target);
		pass(proxy);
	} while ((*ret_source == GMEM_HANDOVER_WAIT || *ret_target == GMEM_HANDOVER_WAIT) &&
		 ++rounds < 100);
	if (rounds == 100)
		EXPECT("comes to an end", rounds, 0);
}

struct score {
	unsigned int cuts, source, target, window, doubled, missing;
};

/*
 * Who owns. In the window nobody does; that the target has ended without the guest is known here, and
 * allows the source to reclaim.
 */
static void judge(struct ho *ho, int target, struct score *score)
{
	uint32_t owner = ho_info(ho->source).owner;
	bool by_source = owner == GMEM_HANDOVER_SELF;
	bool by_target = target == GMEM_HANDOVER_DONE;

	score->cuts++;
	score->doubled += by_source && by_target;
	score->target += by_target;
	if (owner == GMEM_HANDOVER_UNKNOWN && !by_target) {
		score->window++;
		EXPECT("reclaim", gmem_handover_reclaim(ho->source), 0);
		by_source = ho_info(ho->source).owner == GMEM_HANDOVER_SELF;
	}
	score->source += by_source;
	score->missing += !by_source && !by_target;
}

static void renew(struct ho *ho)
{
	if (ho_info(ho->source).owner == GMEM_HANDOVER_SELF)
		ho_expect_whole(ho);
	ho_disconnect(ho);
	ho_free_vm(ho);
	ho_make_vm(ho);
}

static void cut_at(struct ho *ho, int type, uint64_t bytes, struct score *score)
{
	unsigned int fds = gt_count_fds();
	struct proxy proxy = {.left = bytes};
	int source, target;

	connect_through(ho, &proxy, type);
	run_through(ho, &proxy, &source, &target);
	judge(ho, target, score);
	hang_up(&proxy);
	renew(ho);
	EXPECT("descriptors", gt_count_fds(), fds);
}

/* How long a whole hand-over is, and where its messages end. */
static struct proxy measure(struct ho *ho)
{
	struct proxy proxy = {.left = FOREVER};
	int source, target;

	connect_through(ho, &proxy, SOCK_SEQPACKET);
	run_through(ho, &proxy, &source, &target);
	EXPECT("source", source, GMEM_HANDOVER_DONE);
	EXPECT("target", target, GMEM_HANDOVER_DONE);
	hang_up(&proxy);
	renew(ho);
	return proxy;
}

static void expect_score(const struct score *score)
{
	fprintf(stderr,
		"%u cuts: the source owns after %u (%u of them in the window), the target after "
		"%u; two owners %u times, none %u times\n",
		score->cuts, score->source, score->window, score->target, score->doubled,
		score->missing);
	EXPECT("two owners", score->doubled, 0);
	EXPECT("no owner", score->missing, 0);
	EXPECT("some were in time", score->source > 0, true);
}

static void messages_once(struct ho *ho, int type)
{
	struct proxy whole = measure(ho);
	struct score score = {0};

	cut_at(ho, type, 0, &score);
	for (unsigned int i = 0; i < whole.messages; i++)
		cut_at(ho, type, whole.after[i], &score);
	EXPECT("messages", whole.messages >= 7, true);
	EXPECT("the last was too late", score.target > 0, true);
	expect_score(&score);
}

static void at_each_message(struct gt *t)
{
	ho_each(t, messages_once);
}

/* The machine's kernel takes milliseconds for a VM: fewer of them, but the last messages all. */
static void bytes_once(struct ho *ho, int type)
{
	uint64_t total = measure(ho).passed, seed = 1, at;
	struct score score = {0};
	int cuts = type == SOCK_STREAM || ho->t->sim ? RANDOM_CUTS : 100;

	if (ho_is_slow(ho->t))
		cuts = SLOW_CUTS;
	for (int i = 0; i < cuts; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (seed >> 33) % total;
		cut_at(ho, type, i % 4 ? at : total - at % 200 % total, &score);
	}
	expect_score(&score);
}

static void at_random_bytes(struct gt *t)
{
	ho_each(t, bytes_once);
}

static const struct gt_test tests[] = {
	GT_TEST(at_each_message),
	{.name = "at_random_bytes", .run = at_random_bytes, .seconds = 500},
};

GT_MAIN(tests)
