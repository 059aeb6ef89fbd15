/* SPDX-License-Identifier: MIT */
/* Preallocation against what a VMM would write itself: populating, allocating, and the memory's limit. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libgmem/libgmem.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "uapi_mm.h"

#define G           (UINT64_C(1) << 30)
#define SIZE        (G / 2)
#define SMALL       (G / 2)
#define LARGE       (2 * G)
#define ROUNDS_MAX  41
#define THREADS_MAX 16

/* Of each comparison; the whole takes less than a minute. */
#define SECONDS 6

struct bench {
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
};

static void die(const char *what)
{
	fprintf(stderr, "prealloc: %s: %s\n", what, gmem_errinfo()->message);
	exit(1);
}

static void check(int ret, const char *what)
{
	if (ret < 0)
		die(what);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The processors' time of all threads: what other programs take does not show in it. */
static uint64_t cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* A file with nothing in it, mapped. */
struct memory {
	struct gmem_file *file;
	void *addr;
	uint64_t size;
};

static void memory_make(struct bench *bench, uint64_t size, struct memory *memory)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	memory->size = size;
	check(gmem_file_create(bench->vm, size, &opts, &memory->file), "creating a file");
	check(gmem_file_map(memory->file, 0, size, &memory->addr), "mapping");
}

static void memory_drop(struct memory *memory)
{
	gmem_file_unmap(memory->file, memory->addr, memory->size);
	gmem_file_unref(memory->file);
}

/* One of the things that are compared: makes @memory ready with @threads and returns the time. */
typedef uint64_t act_fn(struct bench *bench, struct memory *memory, unsigned int threads);

static uint64_t prealloc(struct bench *bench, struct memory *memory, uint32_t mode,
			 uint32_t workers)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	uint64_t start = now_ns();

	opts.mode = mode;
	opts.workers = workers;
	range.file = memory->file;
	range.size = memory->size;
	range.hva = memory->addr;
	range.node = GMEM_NODE_ANY;
	check(gmem_prealloc_create(bench->ctx, &opts, &job), "gmem_prealloc_create");
	check(gmem_prealloc_add(job, &range), "gmem_prealloc_add");
	check(gmem_prealloc_run(job, NULL), "gmem_prealloc_run");
	gmem_prealloc_unref(job);
	return now_ns() - start;
}

static uint64_t act_ready(struct bench *bench, struct memory *memory, unsigned int threads)
{
	return prealloc(bench, memory, GMEM_PREALLOC_READY, threads);
}

static uint64_t act_ready_auto(struct bench *bench, struct memory *memory, unsigned int threads)
{
	return prealloc(bench, memory, GMEM_PREALLOC_READY, GMEM_PREALLOC_AUTO);
}

static uint64_t act_reserve(struct bench *bench, struct memory *memory, unsigned int threads)
{
	return prealloc(bench, memory, GMEM_PREALLOC_RESERVE, threads);
}

/* An equal part for each thread, in one call: what VMMs do. */
struct part {
	int fd;
	char *addr;
	uint64_t offset;
	uint64_t size;
	pthread_t thread;
};

static void *populate_part(void *arg)
{
	struct part *part = arg;

	if (madvise(part->addr + part->offset, part->size, GMI_MADV_POPULATE_WRITE))
		die("MADV_POPULATE_WRITE");
	return NULL;
}

static void *allocate_part(void *arg)
{
	struct part *part = arg;

	if (fallocate(part->fd, FALLOC_FL_KEEP_SIZE, (off_t)part->offset, (off_t)part->size))
		die("fallocate");
	return NULL;
}

static void *set_part(void *arg)
{
	struct part *part = arg;

	memset(part->addr + part->offset, 0x5a, part->size);
	return NULL;
}

static uint64_t on_threads(struct memory *memory, unsigned int threads, void *(*run)(void *))
{
	struct part parts[THREADS_MAX];
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < threads; i++) {
		parts[i] = (struct part){
			.fd = gmem_file_fd(memory->file),
			.addr = memory->addr,
			.offset = memory->size / threads * i,
			.size = memory->size / threads,
		};
		if (pthread_create(&parts[i].thread, NULL, run, &parts[i]))
			die("pthread_create");
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(parts[i].thread, NULL);
	return now_ns() - start;
}

static uint64_t act_populate(struct bench *bench, struct memory *memory, unsigned int threads)
{
	return on_threads(memory, threads, populate_part);
}

static uint64_t act_fallocate(struct bench *bench, struct memory *memory, unsigned int threads)
{
	return on_threads(memory, threads, allocate_part);
}

/* Memory that is there and mapped: what remains is the writing. */
static uint64_t act_memset(struct bench *bench, struct memory *memory, unsigned int threads)
{
	on_threads(memory, threads, populate_part);
	return on_threads(memory, threads, set_part);
}

#ifdef HAVE_LIBURING
#define URING_PIECE (UINT64_C(32) << 20)

/* All pieces in the ring at a time; the kernel's own workers do them. */
static uint64_t act_uring(struct bench *bench, struct memory *memory, unsigned int threads)
{
	uint64_t start = now_ns(), count = memory->size / URING_PIECE;
	unsigned int limits[2] = {threads, threads};
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	check(io_uring_queue_init((unsigned int)count, &ring, 0), "io_uring_queue_init");
	io_uring_register_iowq_max_workers(&ring, limits);
	for (uint64_t i = 0; i < count; i++)
		io_uring_prep_fallocate(io_uring_get_sqe(&ring), gmem_file_fd(memory->file),
					FALLOC_FL_KEEP_SIZE, (off_t)(i * URING_PIECE),
					(off_t)URING_PIECE);
	check(io_uring_submit(&ring), "io_uring_submit");
	for (uint64_t i = 0; i < count; i++) {
		check(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
		check(cqe->res, "fallocate in the ring");
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
	return now_ns() - start;
}
#endif

struct cost {
	double ns;
	double cpu_ns;
};

static struct cost measure(struct bench *bench, act_fn *act, uint64_t size, unsigned int threads)
{
	struct memory memory;
	struct cost cost;
	uint64_t start;

	memory_make(bench, size, &memory);
	start = cpu_ns();
	cost.ns = (double)act(bench, &memory, threads);
	cost.cpu_ns = (double)(cpu_ns() - start);
	memory_drop(&memory);
	return cost;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static double rate(uint64_t size, double ns)
{
	return (double)size / (double)G / (ns / 1e9);
}

static double least_ns(const struct cost *costs, unsigned int count)
{
	double ns = costs[0].ns;

	for (unsigned int i = 1; i < count; i++)
		ns = costs[i].ns < ns ? costs[i].ns : ns;
	return ns;
}

static double median_ratio(const struct cost *theirs, const struct cost *ours, unsigned int count,
			   bool of_cpu)
{
	double ratios[ROUNDS_MAX];

	for (unsigned int i = 0; i < count; i++)
		ratios[i] = of_cpu ? theirs[i].cpu_ns / ours[i].cpu_ns : theirs[i].ns / ours[i].ns;
	return median(ratios, count);
}

/* Two ways in turn, each first as often as the other. The ratio is the median of the rounds' own, so
 * that what disturbs a round disturbs both sides. */
static void versus(struct bench *bench, const char *name, act_fn *ours, act_fn *theirs,
		   unsigned int threads, const char *goal)
{
	struct cost our[ROUNDS_MAX], their[ROUNDS_MAX];
	uint64_t end = now_ns() + SECONDS * UINT64_C(1000000000);
	unsigned int count = 0;
	double best, their_best;

	while (count < 3 || (count < ROUNDS_MAX && now_ns() < end)) {
		if (count & 1)
			our[count] = measure(bench, ours, SIZE, threads);
		their[count] = measure(bench, theirs, SIZE, threads);
		if (!(count & 1))
			our[count] = measure(bench, ours, SIZE, threads);
		count++;
	}
	best = least_ns(our, count);
	their_best = least_ns(their, count);
	printf("%-36s threads %u  ratio %.2f%s  best of %u %.2f : %.2f GiB/s", name, threads,
	       median_ratio(their, our, count, false), goal, count, rate(SIZE, best),
	       rate(SIZE, their_best));
	if (theirs != act_memset)
		printf("  of CPU time %.2f", median_ratio(their, our, count, true));
	printf("\n");
	fflush(stdout);
}

struct growth {
	struct cost small;
	struct cost large;
};

static void take_best(struct cost *best, struct cost cost)
{
	best->ns = best->ns > 0 && best->ns < cost.ns ? best->ns : cost.ns;
	best->cpu_ns = best->cpu_ns > 0 && best->cpu_ns < cost.cpu_ns ? best->cpu_ns : cost.cpu_ns;
}

static double per_byte(double large, double small)
{
	return large / small / (double)(LARGE / SMALL);
}

/* What a byte costs of a large file, by what it costs of a small one: 1 where the cost is linear. The
 * kernel's own part of that shows in the one call that does the same. */
static void linear(struct bench *bench, unsigned int threads)
{
	struct growth ours = {0}, theirs = {0};

	/* A hypervisor may have taken memory that was free for long: give it time to come back. */
	measure(bench, act_populate, LARGE, threads);
	for (int round = 0; round < 3; round++) {
		take_best(&ours.small, measure(bench, act_ready, SMALL, threads));
		take_best(&theirs.small, measure(bench, act_populate, SMALL, threads));
		take_best(&ours.large, measure(bench, act_ready, LARGE, threads));
		take_best(&theirs.large, measure(bench, act_populate, LARGE, threads));
	}
	printf("ready, a byte of 2 GiB : of 0.5 GiB  threads %u  %.2f, of CPU time %.2f  "
	       "(MADV_POPULATE_WRITE %.2f, %.2f)\n",
	       threads, per_byte(ours.large.ns, ours.small.ns),
	       per_byte(ours.large.cpu_ns, ours.small.cpu_ns),
	       per_byte(theirs.large.ns, theirs.small.ns),
	       per_byte(theirs.large.cpu_ns, theirs.small.cpu_ns));
}

static unsigned int cpu_count(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : (unsigned int)count;
}

int main(void)
{
	unsigned int cpus = cpu_count();
	struct bench bench;

	check(gmem_ctx_create(NULL, &bench.ctx), "gmem_ctx_create");
	check(gmem_vm_create(bench.ctx, GMEM_VM_DEFAULT, NULL, &bench.vm), "gmem_vm_create");
	versus(&bench, "ready : MADV_POPULATE_WRITE", act_ready, act_populate, cpus,
	       " (goal 1.15)");
	versus(&bench, "ready : MADV_POPULATE_WRITE", act_ready, act_populate, 1, " (goal 1.15)");
	versus(&bench, "ready by calibration : all CPUs", act_ready_auto, act_ready, cpus, "");
	versus(&bench, "reserve : fallocate", act_reserve, act_fallocate, cpus, " (goal 0.95)");
	versus(&bench, "ready : memset of warm memory", act_ready, act_memset, cpus, "");
#ifdef HAVE_LIBURING
	versus(&bench, "reserve : fallocate through io_uring", act_reserve, act_uring, cpus, "");
#endif
	linear(&bench, cpus);
	gmem_vm_unref(bench.vm);
	gmem_ctx_unref(bench.ctx);
	return 0;
}
