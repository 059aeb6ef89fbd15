/* SPDX-License-Identifier: MIT */
/* How long a hand-over takes, by what is handed over; on a simulated kernel, so that it is the library's part. */
#include <inttypes.h>
#include <libgmem/libgmem.h>
#include <libgmem/sim.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIB    (UINT64_C(1) << 40)
#define GIB    (UINT64_C(1) << 30)
#define ROUNDS 7

struct bench {
	struct gmem_sim *sim;
	struct gmem_ctx *source_ctx, *target_ctx;
	struct gmem_vm *vm;
};

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	exit(1);
}

static double now_ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct gmem_ctx *make_ctx(struct gmem_sim *sim)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx;

	opts.sys = gmem_sim_ops();
	opts.sys_user = sim;
	opts.rfc = GMEM_RFC_LINK;
	check(gmem_ctx_create(&opts, &ctx), "context");
	return ctx;
}

/* @slots ranges side by side. */
static void bind_all(struct bench *b, uint64_t size, uint32_t slots)
{
	GMEM_INIT(gmem_file_opts, opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);
	uint64_t piece = size / slots;
	struct gmem_slot *slot;

	opts.flags = GMEM_FILE_MMAP;
	check(gmem_file_create(b->vm, size, &opts, &slot_opts.file), "file");
	for (uint32_t i = 0; i < slots; i++) {
		slot_opts.offset = i * piece;
		check(gmem_slot_bind(b->vm, i * piece, piece, &slot_opts, &slot), "bind");
	}
	gmem_file_unref(slot_opts.file);
}

/* Runs of unequal lengths, private and shared in turn. */
static void convert_all(struct bench *b, uint64_t size, uint32_t slots, uint64_t runs)
{
	uint64_t piece = size / slots,
		 step = size / (runs / 2 + 1) / GMEM_PAGE_SIZE * GMEM_PAGE_SIZE;
	uint64_t offset, length;

	for (uint64_t i = 0; i < runs / 2; i++) {
		offset = i * step;
		length = (1 + i * 7919 % (step / GMEM_PAGE_SIZE - 1)) * GMEM_PAGE_SIZE;
		if (offset % piece + length > piece)
			length = GMEM_PAGE_SIZE;
		check(gmem_convert(b->vm, offset, length, GMEM_PRIVATE, NULL, NULL), "convert");
	}
}

static void open_bench(struct bench *b, uint64_t size, uint32_t slots, uint64_t runs)
{
	check(gmem_sim_create("rfc-link", NULL, &b->sim), "simulator");
	b->source_ctx = make_ctx(b->sim);
	b->target_ctx = make_ctx(b->sim);
	check(gmem_vm_create(b->source_ctx, GMEM_VM_SW_PROTECTED, NULL, &b->vm), "VM");
	check(gmem_has_feature(b->target_ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_LINK), "probe");
	bind_all(b, size, slots);
	convert_all(b, size, slots, runs);
}

static void close_bench(struct bench *b)
{
	gmem_vm_unbind_all(b->vm);
	gmem_vm_unref(b->vm);
	gmem_ctx_unref(b->source_ctx);
	gmem_ctx_unref(b->target_ctx);
	gmem_sim_unref(b->sim);
}

/* Both sides in one thread: what they take one after the other. The target gives up in the end. */
static double hand_over(struct bench *b, struct gmem_handover_info *source,
			struct gmem_handover_info *target, double *cpu)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover *from, *to;
	double start = now_ms(CLOCK_MONOTONIC), time;
	int sockets[2], ret;

	*cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), "sockets");
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	check(gmem_handover_recv_begin(b->target_ctx, sockets[1], &opts, &to), "target");
	opts.flags |= GMEM_HANDOVER_HOLD;
	check(gmem_handover_send_begin(b->vm, sockets[0], &opts, &from), "source");
	do {
		ret = gmem_handover_step(from);
		check(ret, "source");
		check(gmem_handover_step(to), "target");
	} while (ret != GMEM_HANDOVER_HELD);
	time = now_ms(CLOCK_MONOTONIC) - start;
	*cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - *cpu;
	gmem_handover_get_info(from, source);
	gmem_handover_get_info(to, target);
	gmem_handover_unref(from);
	gmem_handover_unref(to);
	close(sockets[0]);
	close(sockets[1]);
	return time;
}

static void run(const char *name, uint64_t size, uint32_t slots, uint64_t runs)
{
	GMEM_INIT(gmem_handover_info, source);
	GMEM_INIT(gmem_handover_info, target);
	struct bench b = {0};
	double best = 1e9, best_cpu = 1e9, time, cpu;

	open_bench(&b, size, slots, runs);
	for (int i = 0; i < ROUNDS; i++) {
		time = hand_over(&b, &source, &target, &cpu);
		best = time < best ? time : best;
		best_cpu = cpu < best_cpu ? cpu : best_cpu;
	}
	printf("%-24s %6" PRIu32 " %8" PRIu64 " %10.2f ms %8.2f ms %9.1f KiB\n", name, source.slots,
	       source.runs, best, best_cpu, (double)source.manifest_bytes / 1024);
	close_bench(&b);
}

int main(void)
{
	printf("%-24s %6s %8s %13s %11s %13s\n", "LAYOUT", "SLOTS", "RUNS", "TO PREPARED", "CPU",
	       "MANIFEST");
	run("1 GiB", GIB, 1, 2);
	run("64 GiB", 64 * GIB, 2, 1000);
	run("1 TiB", TIB, 1, 2);
	run("1 TiB, many slots", TIB, 512, 2);
	run("1 TiB, many runs", TIB, 1, 100000);
	return 0;
}
