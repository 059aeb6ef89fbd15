/* SPDX-License-Identifier: MIT */
/* Prints what the attribute map costs in time and memory, beside a plain bitmap. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attrmap.h"

#define PAGE GMEM_PAGE_SIZE
#define M2   (UINT64_C(1) << 21)
#define G1   (UINT64_C(1) << 30)
#define T1   (UINT64_C(1) << 40)

#define ROUNDS 51

/*
 * The plain bitmap: one bit a page, 1 is shared. A conversion asks whether the range is all private
 * by the position of the next set bit, looked for up to the bitmap's end and compared with the
 * range's end; and whether it is all shared likewise. Then it changes the bits.
 */
struct bitmap {
	uint64_t nr;
	uint64_t *words;
};

static uint64_t find_next(const struct bitmap *bitmap, uint64_t bit, uint64_t invert)
{
	uint64_t i = bit / 64, nr = bitmap->nr / 64;
	uint64_t word = (bitmap->words[i] ^ invert) >> (bit % 64) << (bit % 64);

	while (!word && ++i < nr)
		word = bitmap->words[i] ^ invert;
	return i < nr ? i * 64 + (uint64_t)__builtin_ctzll(word) : bitmap->nr;
}

static void bitmap_put(struct bitmap *bitmap, uint64_t bit, bool shared)
{
	uint64_t mask = UINT64_C(1) << (bit % 64);

	if (shared)
		bitmap->words[bit / 64] |= mask;
	else
		bitmap->words[bit / 64] &= ~mask;
}

static void bitmap_convert(struct bitmap *bitmap, uint64_t bit, bool shared)
{
	bool all_private = find_next(bitmap, bit, 0) >= bit + 1;
	bool all_shared = find_next(bitmap, bit, UINT64_MAX) >= bit + 1;

	if (shared ? !all_shared : !all_private)
		bitmap_put(bitmap, bit, shared);
}

/* The thread's own time: other programs on the machine cost caches, but not the time they take. */
static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void *heap_alloc(void *user, size_t size)
{
	return malloc(size);
}

static void heap_free(void *user, void *ptr)
{
	free(ptr);
}

static const struct gmem_allocator heap = {.alloc = heap_alloc, .free = heap_free};

/* What malloc has given out, headers included. */
static double heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd);
}

static struct gmi_attrmap *new_map(uint64_t limit)
{
	struct gmi_attrmap *map;

	if (gmi_attrmap_create(&heap, limit, GMEM_PRIVATE, &map) < 0)
		exit(1);
	return map;
}

static void set(struct gmi_attrmap *map, uint64_t addr, uint64_t size, enum gmem_state state)
{
	if (gmi_attrmap_set(map, addr, size, state) < 0)
		exit(1);
}

/* One measurement: ROUNDS times @ops operations. */
struct job {
	const char *guest;
	struct gmi_attrmap *map;
	struct bitmap *bitmap;
	uint64_t limit;
	uint64_t random;
	uint64_t ops;
	uint64_t sum; /* so that nothing is optimised away */
	double heap;  /* in use before the map was made */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median, and how well it can go. */
static void measure(struct job *job, const char *what, void (*run)(struct job *job), uint64_t ops)
{
	double ns[ROUNDS];

	job->ops = ops;
	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();

		run(job);
		ns[i] = (now_ns() - start) / (double)job->ops;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_doubles);
	printf("%-8s %-46s %12.1f ns, best %.1f\n", job->guest, what, ns[ROUNDS / 2], ns[0]);
}

static void report(const struct job *job, const char *what, double value, const char *unit)
{
	printf("%-8s %-46s %12.2f %s\n", job->guest, what, value, unit);
}

static uint64_t random_page(struct job *job)
{
	return next_random(&job->random) % (job->limit / PAGE) * PAGE;
}

/* Random pages, random states: grows towards a leaf for every 2M. */
static void set_random(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i++) {
		uint64_t addr = random_page(job);

		set(job->map, addr, PAGE, addr / PAGE % 2 ? GMEM_PRIVATE : GMEM_SHARED);
	}
}

/* Random pages to shared and back: every set splits or merges up to the top. */
static void set_and_undo(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i += 2) {
		uint64_t addr = random_page(job);

		set(job->map, addr, PAGE, GMEM_SHARED);
		set(job->map, addr, PAGE, GMEM_PRIVATE);
	}
}

static void set_reserved(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i++) {
		struct gmi_attrmap_reserve reserve;
		uint64_t addr = random_page(job);

		if (gmi_attrmap_reserve(job->map, addr, PAGE, &reserve) < 0)
			exit(1);
		gmi_attrmap_set_reserved(job->map, &reserve, addr, PAGE,
					 addr / PAGE % 2 ? GMEM_PRIVATE : GMEM_SHARED);
		gmi_attrmap_unreserve(job->map, &reserve);
	}
}

static void set_bitmap(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i++)
		bitmap_convert(job->bitmap, random_page(job) / PAGE, false);
}

static void lookup_random(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i++)
		job->sum += (uint64_t)gmi_attrmap_lookup(job->map, random_page(job));
}

static void lookup_near(struct job *job)
{
	uint64_t base = random_page(job) / M2 * M2;

	for (uint64_t i = 0; i < job->ops; i++)
		job->sum += (uint64_t)gmi_attrmap_lookup(job->map, base + i * 7 % 512 * PAGE);
}

static void lookup_bitmap(struct job *job)
{
	for (uint64_t i = 0; i < job->ops; i++) {
		uint64_t bit = random_page(job) / PAGE;

		job->sum += job->bitmap->words[bit / 64] >> (bit % 64) & 1;
	}
}

static void walk_runs(struct job *job)
{
	struct gmi_attrmap_run run;
	uint64_t at = 0;

	for (job->ops = 0; gmi_attrmap_next_run(job->map, at, job->limit, &run) > 0; job->ops++)
		at = run.start + run.size;
}

static void count_all(struct job *job)
{
	uint64_t bytes;

	for (uint64_t i = 0; i < job->ops; i++) {
		gmi_attrmap_count(job->map, PAGE, job->limit - 2 * PAGE, &bytes);
		job->sum += bytes;
	}
}

static struct bitmap new_bitmap(uint64_t limit)
{
	struct bitmap bitmap = {.nr = limit / PAGE, .words = calloc(limit / PAGE / 64, 8)};

	if (!bitmap.words)
		exit(1);
	for (uint64_t i = 0; i < bitmap.nr / 64; i++)
		*(volatile uint64_t *)&bitmap.words[i] = 0;
	return bitmap;
}

static double bits_of(const struct job *job)
{
	return (double)(job->limit / PAGE / 8);
}

static void alternate(struct gmi_attrmap *map, uint64_t limit)
{
	for (uint64_t addr = 0; addr < limit; addr += 2 * PAGE)
		set(map, addr, PAGE, GMEM_SHARED);
}

static void bench_bitmap(struct job *job)
{
	struct bitmap bitmap = new_bitmap(job->limit);

	job->bitmap = &bitmap;
	measure(job, "bitmap, all private: set a random 4K", set_bitmap,
		job->limit > 64 * G1 ? 1 : 100);
	measure(job, "bitmap: look up a random page", lookup_bitmap, 20000);
}

static void bench_all_private(struct job *job)
{
	job->map = new_map(job->limit);
	report(job, "all private: footprint with malloc's headers",
	       (heap_bytes() - job->heap) / 1024, "KiB");
	measure(job, "all private: look up a random page", lookup_random, 20000);
	measure(job, "all private: random 4K to shared and back", set_and_undo, 20000);
	report(job, "all private again: footprint", (double)gmi_attrmap_footprint(job->map) / 1024,
	       "KiB");
}

/* From all private towards a leaf for every 2M: growth is part of the price. Then as it stays. */
static void bench_random(struct job *job)
{
	job->map = new_map(job->limit);
	measure(job, "from all private: set a random 4K", set_random, 20000);
	measure(job, "random: set a random 4K", set_random, 20000);
	measure(job, "random: reserve, set, unreserve", set_reserved, 20000);
	measure(job, "random: look up a random page", lookup_random, 20000);
	measure(job, "random: look up in one 2M", lookup_near, 20000);
	measure(job, "random: count nearly all", count_all, 10);
	report(job, "random: footprint with headers, of a bit a page",
	       (heap_bytes() - job->heap) / bits_of(job), "x");
}

static void bench_worst(struct job *job)
{
	double start = now_ns();

	job->map = new_map(job->limit);
	alternate(job->map, job->limit);
	report(job, "alternating: set all in order, each",
	       (now_ns() - start) / (double)(job->limit / PAGE / 2), "ns");
	report(job, "alternating: footprint with headers, of a bit a page",
	       (heap_bytes() - job->heap) / bits_of(job), "x");
	report(job, "alternating: footprint without headers",
	       (double)gmi_attrmap_footprint(job->map) / bits_of(job), "x");
	measure(job, "alternating: look up a random page", lookup_random, 20000);
	walk_runs(job);
	start = now_ns();
	walk_runs(job);
	report(job, "alternating: visit all runs, each", (now_ns() - start) / (double)job->ops,
	       "ns");
	start = now_ns();
	set(job->map, 0, job->limit, GMEM_PRIVATE);
	report(job, "alternating: make all private at once", (now_ns() - start) / 1e6, "ms");
}

/* Each in a process of its own, so that it begins with an empty heap. */
static void bench(const char *guest, uint64_t limit, void (*run)(struct job *job))
{
	struct job job = {.guest = guest, .limit = limit, .random = 88172645463325252u};
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		job.heap = heap_bytes();
		run(&job);
		exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) < 0)
		exit(1);
}

int main(void)
{
	static const struct {
		const char *name;
		uint64_t limit;
	} guest[] = {{"1 GiB", G1}, {"1 TiB", T1}, {"64 TiB", 64 * T1}};
	static char buffer[BUFSIZ]; /* not of the heap */

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
	for (size_t i = 0; i < sizeof(guest) / sizeof(guest[0]); i++) {
		bench(guest[i].name, guest[i].limit, bench_all_private);
		bench(guest[i].name, guest[i].limit, bench_random);
		if (guest[i].limit > T1)
			continue;
		bench(guest[i].name, guest[i].limit, bench_worst);
		bench(guest[i].name, guest[i].limit, bench_bitmap);
	}
	return 0;
}
