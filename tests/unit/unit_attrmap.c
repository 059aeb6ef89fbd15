/* SPDX-License-Identifier: MIT */
/* The attribute map against a byte a page, without memory, with hostile runs, with readers. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "attrmap.h"
#include "gmem_test.h"

#define PAGE GMEM_PAGE_SIZE
#define M2   (UINT64_C(1) << 21)
#define G1   (UINT64_C(1) << 30)
#define T2   (UINT64_C(1) << 41)
#define MAX  GMI_ATTRMAP_LIMIT_MAX

/* An allocator that counts and can fail: the call after @left more. */
struct heap {
	_Atomic int64_t blocks;
	_Atomic int64_t calls;
	int64_t left;
	bool fails;
};

static void *heap_alloc(void *user, size_t size)
{
	struct heap *heap = user;
	void *memory;

	atomic_fetch_add(&heap->calls, 1);
	if (heap->fails && heap->left-- <= 0)
		return NULL;
	memory = malloc(size);
	MUST(memory);
	memset(memory, 0xa5, size);
	atomic_fetch_add(&heap->blocks, 1);
	return memory;
}

static void heap_free(void *user, void *ptr)
{
	struct heap *heap = user;

	MUST(ptr);
	atomic_fetch_sub(&heap->blocks, 1);
	free(ptr);
}

static struct gmem_allocator allocator_of(struct heap *heap)
{
	return (struct gmem_allocator){.alloc = heap_alloc, .free = heap_free, .user = heap};
}

static struct gmi_attrmap *new_map(struct heap *heap, uint64_t limit, enum gmem_state initial)
{
	struct gmem_allocator alloc = allocator_of(heap);
	struct gmi_attrmap *map = NULL;

	MUST(gmi_attrmap_create(&alloc, limit, initial, &map) == 0);
	return map;
}

static void end_map(struct heap *heap, struct gmi_attrmap *map)
{
	gmi_attrmap_destroy(map);
	EXPECT("blocks left", heap->blocks, 0);
}

/* GMEM_TEST_SEED or the clock. */
static uint64_t seed;

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static uint64_t random_seed(void)
{
	const char *asked = getenv("GMEM_TEST_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = asked ? strtoull(asked, NULL, 0)
		     : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
	printf("GMEM_TEST_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

/* The map and what it must say: one byte a page. */
struct model {
	struct heap heap;
	struct gmi_attrmap *map;
	uint64_t pages;
	uint64_t nr_private;
	uint8_t *state;
	uint64_t random;
	uint64_t op;
};

static void must(const struct model *m, bool ok, const char *what, uint64_t start, uint64_t size)
{
	if (ok)
		return;
	fprintf(stderr, "%s wrong: seed %llu, limit 0x%llx, operation %llu, 0x%llx + 0x%llx\n",
		what, (unsigned long long)seed, (unsigned long long)(m->pages * PAGE),
		(unsigned long long)m->op, (unsigned long long)start, (unsigned long long)size);
	fail();
}

static void model_set(struct model *m, uint64_t page, uint64_t nr, enum gmem_state state)
{
	for (uint64_t i = page; i < page + nr; i++) {
		m->nr_private += (uint64_t)state - m->state[i];
		m->state[i] = (uint8_t)state;
	}
}

static uint64_t model_run(const struct model *m, uint64_t page, uint64_t end)
{
	const uint8_t *other = memchr(m->state + page, !m->state[page], end - page);

	return other ? (uint64_t)(other - m->state) : end;
}

static uint64_t model_count(const struct model *m, uint64_t page, uint64_t nr)
{
	uint64_t count = 0;

	for (uint64_t i = page; i < page + nr; i++)
		count += m->state[i];
	return count;
}

static bool model_is_uniform(const struct model *m, uint64_t page, uint64_t nr)
{
	return page + nr <= m->pages && model_run(m, page, page + nr) == page + nr;
}

static uint64_t model_block(const struct model *m, uint64_t page)
{
	static const uint64_t sizes[] = {1 << 18, 1 << 9};

	for (size_t i = 0; i < GT_COUNT(sizes); i++)
		if (model_is_uniform(m, page / sizes[i] * sizes[i], sizes[i]))
			return sizes[i];
	return 1;
}

static uint64_t random_below(struct model *m, uint64_t limit)
{
	return next_random(&m->random) % limit;
}

/* Page numbers near the edges of the nodes more often than not. */
static uint64_t random_page(struct model *m)
{
	static const uint64_t steps[] = {1, 64, 512, 4096, 1 << 18};
	uint64_t step = steps[random_below(m, GT_COUNT(steps))];
	uint64_t page = random_below(m, m->pages) / step * step + random_below(m, 3);

	return (page ? page - 1 : 0) % m->pages;
}

static uint64_t random_size(struct model *m, uint64_t page)
{
	static const uint64_t most[] = {1, 3, 64, 700, 5000, 300000, UINT64_MAX};
	uint64_t room = m->pages - page;
	uint64_t size = random_page(m) + 1;

	size = size > page ? size - page : size;
	if (random_below(m, 2))
		size = 1 + random_below(m, most[random_below(m, GT_COUNT(most))]);
	return size < room ? size : room;
}

static void check_range(struct model *m, uint64_t page, uint64_t nr)
{
	uint64_t start = page * PAGE, size = nr * PAGE, bytes = 0, boundary = 0;
	uint64_t stop = model_run(m, page, page + nr);
	int want = stop == page + nr ? m->state[page] : GMEM_MIXED;
	struct gmi_attrmap_run run = {0};

	must(m, gmi_attrmap_query(m->map, start, size) == want, "query", start, size);
	must(m, gmi_attrmap_next_run(m->map, start, start + size, &run) == 1, "next_run", start,
	     size);
	must(m, run.start == start && run.size == (stop - page) * PAGE, "run", start, size);
	must(m, run.state == m->state[page], "state of run", start, size);
	must(m, gmi_attrmap_next_boundary(m->map, start, start + size, &boundary) == 0, "boundary",
	     start, size);
	must(m, boundary == stop * PAGE, "boundary", start, size);
	must(m, gmi_attrmap_count(m->map, start, size, &bytes) == 0, "count", start, size);
	must(m, bytes == model_count(m, page, nr) * PAGE, "count", start, size);
}

static void check_page(struct model *m, uint64_t page)
{
	uint64_t addr = page * PAGE, block = model_block(m, page);
	struct gmi_attrmap_run run = {0};

	must(m, gmi_attrmap_lookup(m->map, addr) == m->state[page], "lookup", addr, 0);
	must(m, gmi_attrmap_lookup(m->map, addr + 4095) == m->state[page], "lookup", addr, 0);
	must(m, gmi_attrmap_block(m->map, addr + 5, &run) == 0, "block", addr, 0);
	must(m, run.size == block * PAGE && run.start == page / block * block * PAGE, "block", addr,
	     run.size);
	must(m, run.state == m->state[page], "state of block", addr, run.size);
}

static void check_private(struct model *m)
{
	must(m, gmi_attrmap_private_bytes(m->map) == m->nr_private * PAGE, "private bytes", 0, 0);
}

/* Every page, by runs and one by one. */
static void check_all(struct model *m)
{
	uint64_t end = m->pages * PAGE, at = 0;
	struct gmi_attrmap_run run = {0};

	while (gmi_attrmap_next_run(m->map, at, end, &run) > 0) {
		uint64_t page = at / PAGE, stop = (at + run.size) / PAGE;

		must(m, run.start == at && run.state == m->state[page], "run", at, run.size);
		must(m, model_run(m, page, m->pages) == stop, "run", at, run.size);
		at += run.size;
	}
	must(m, at == end, "end of runs", at, end);
	for (uint64_t page = 0; page < m->pages; page++)
		must(m, gmi_attrmap_lookup(m->map, page * PAGE) == m->state[page], "lookup",
		     page * PAGE, PAGE);
	check_private(m);
}

static void model_init(struct model *m, uint64_t pages, enum gmem_state initial)
{
	memset(m, 0, sizeof(*m));
	m->pages = pages;
	m->state = malloc(pages);
	MUST(m->state);
	memset(m->state, (int)initial, pages);
	m->nr_private = initial == GMEM_PRIVATE ? pages : 0;
	m->map = new_map(&m->heap, pages * PAGE, initial);
	m->random = seed;
}

static void model_end(struct model *m)
{
	free(m->state);
	end_map(&m->heap, m->map);
}

static struct gmi_attrmap_run *save(struct gmi_attrmap *map, size_t *ret_nr)
{
	uint64_t limit = gmi_attrmap_limit(map);
	struct gmi_attrmap_run *runs;
	size_t nr = 0;

	MUST(gmi_attrmap_save(map, 0, limit, NULL, 0, &nr) == 0);
	runs = calloc(nr, sizeof(*runs));
	MUST(runs);
	MUST(gmi_attrmap_save(map, 0, limit, runs, nr, ret_nr) == 0 && *ret_nr == nr);
	return runs;
}

/* A copy needs no more memory: only how well the leaves fill their chunks depends on history. */
static void check_round_trip(struct model *m)
{
	struct gmi_attrmap *copy = new_map(&m->heap, m->pages * PAGE, GMEM_SHARED);
	uint64_t addr = 0;
	size_t nr = 0;
	struct gmi_attrmap_run *runs = save(m->map, &nr);

	must(m, gmi_attrmap_load(copy, runs, nr) == 0, "load", 0, nr);
	must(m, gmi_attrmap_compare(m->map, copy, 0, m->pages * PAGE, &addr) == 0, "copy", addr, 0);
	must(m, gmi_attrmap_private_bytes(copy) == m->nr_private * PAGE, "copy's count", 0, 0);
	gmi_attrmap_reclaim(m->map);
	gmi_attrmap_reclaim(copy);
	must(m, gmi_attrmap_footprint(copy) <= gmi_attrmap_footprint(m->map), "footprint",
	     gmi_attrmap_footprint(copy), gmi_attrmap_footprint(m->map));
	gmi_attrmap_destroy(copy);
	free(runs);
}

/* Two maps that differ in one page differ there. */
static void check_difference(struct model *m)
{
	struct gmi_attrmap *copy = new_map(&m->heap, m->pages * PAGE, GMEM_SHARED);
	uint64_t page = random_page(m), addr = page * PAGE, found = 1;
	size_t nr = 0;
	struct gmi_attrmap_run *runs = save(m->map, &nr);

	MUST(gmi_attrmap_load(copy, runs, nr) == 0);
	MUST(gmi_attrmap_set(copy, addr, PAGE, !m->state[page]) == 0);
	must(m, gmi_attrmap_compare(m->map, copy, 0, m->pages * PAGE, &found) == 1 && found == addr,
	     "difference", addr, found);
	must(m, gmi_attrmap_compare(copy, m->map, addr, PAGE, &found) == 1, "difference", addr,
	     found);
	if (page)
		must(m, gmi_attrmap_compare(copy, m->map, 0, addr, &found) == 0, "no difference",
		     addr, found);
	gmi_attrmap_destroy(copy);
	free(runs);
}

static void do_set(struct model *m)
{
	uint64_t page = random_page(m), nr = random_size(m, page);
	enum gmem_state state = random_below(m, 2) ? GMEM_PRIVATE : GMEM_SHARED;

	must(m, gmi_attrmap_set(m->map, page * PAGE, nr * PAGE, state) == 0, "set", page * PAGE,
	     nr * PAGE);
	model_set(m, page, nr, state);
}

/* Pages to and fro, which is what merges nodes again. */
static void do_undo(struct model *m)
{
	uint64_t page = random_page(m) & ~UINT64_C(511), nr = 512;
	enum gmem_state state = m->state[page];

	if (page + nr > m->pages)
		return;
	must(m, gmi_attrmap_set(m->map, page * PAGE, nr * PAGE, !state) == 0, "set", page, nr);
	must(m, gmi_attrmap_set(m->map, page * PAGE, nr * PAGE, state) == 0, "set", page, nr);
	model_set(m, page, nr, state);
}

static void do_reserved(struct model *m)
{
	uint64_t page = random_page(m), nr = random_size(m, page), done = random_below(m, nr) + 1;
	enum gmem_state state = random_below(m, 2) ? GMEM_PRIVATE : GMEM_SHARED;
	struct gmi_attrmap_reserve reserve;
	int64_t calls;

	MUST(gmi_attrmap_reserve(m->map, page * PAGE, nr * PAGE, &reserve) == 0);
	if (random_below(m, 2))
		do_set(m);
	calls = m->heap.calls;
	m->heap.fails = true;
	m->heap.left = 0;
	must(m, gmi_attrmap_set_reserved(m->map, &reserve, page * PAGE, done * PAGE, state) == 0,
	     "reserved set", page * PAGE, done * PAGE);
	m->heap.fails = false;
	must(m, m->heap.calls == calls, "allocations", 0, 0);
	gmi_attrmap_unreserve(m->map, &reserve);
	model_set(m, page, done, state);
}

static void do_load(struct model *m)
{
	struct gmi_attrmap_run runs[40];
	size_t nr = 0;
	uint64_t page = random_page(m);

	while (nr < GT_COUNT(runs) && page < m->pages) {
		uint64_t size = random_below(m, 2) ? 1 : random_size(m, page) / 8 + 1;
		enum gmem_state state = random_below(m, 2) ? GMEM_PRIVATE : GMEM_SHARED;

		runs[nr++] = (struct gmi_attrmap_run){page * PAGE, size * PAGE, state};
		model_set(m, page, size, state);
		page += size + random_below(m, 3) * random_below(m, 400);
	}
	must(m, gmi_attrmap_load(m->map, runs, nr) == 0, "load", runs[0].start, nr);
}

static void do_one(struct model *m)
{
	uint64_t page;

	switch (random_below(m, 8)) {
	case 0:
		do_undo(m);
		break;
	case 1:
		do_load(m);
		break;
	case 2:
		do_reserved(m);
		break;
	default:
		do_set(m);
	}
	check_private(m);
	page = random_page(m);
	check_range(m, page, random_size(m, page));
	check_page(m, random_page(m));
}

static void run_model(uint64_t pages, enum gmem_state initial, uint64_t ops)
{
	struct model m;

	model_init(&m, pages, initial);
	for (m.op = 0; m.op < ops; m.op++) {
		do_one(&m);
		if (m.op % (ops / 8) == 0) {
			check_all(&m);
			check_round_trip(&m);
			check_difference(&m);
		}
	}
	check_all(&m);
	model_end(&m);
}

static void attrmap_random(struct gt *t)
{
	static const uint64_t pages[] = {
		1, 2, 63, 64, 65, 511, 512, 513, 2000, 1 << 18, (1 << 18) + 1, (1 << 19) + 1537,
	};

	random_seed();
	for (size_t i = 0; i < GT_COUNT(pages); i++) {
		run_model(pages[i], GMEM_SHARED, pages[i] < 10000 ? 2000 : 600);
		run_model(pages[i], GMEM_PRIVATE, pages[i] < 10000 ? 2000 : 600);
		seed++;
	}
}

static void attrmap_create(struct gt *t)
{
	static const uint64_t bad[] = {0,       1,          4095,       4097,
				       MAX + 1, MAX + PAGE, UINT64_MAX, UINT64_MAX - 4095};
	static const uint64_t good[] = {PAGE,      M2,         G1, 64 * (T2 / 2), T2 - PAGE, T2,
					T2 + PAGE, MAX - PAGE, MAX};
	struct heap heap = {0};
	struct gmem_allocator alloc = allocator_of(&heap);
	struct gmi_attrmap *map = NULL;

	for (size_t i = 0; i < GT_COUNT(bad); i++)
		EXPECT("limit", gmi_attrmap_create(&alloc, bad[i], GMEM_SHARED, &map), -EINVAL);
	EXPECT("state", gmi_attrmap_create(&alloc, PAGE, GMEM_MIXED, &map), -EINVAL);
	EXPECT("nothing made", map == NULL && heap.calls == 0, true);
	gmi_attrmap_destroy(NULL);
	for (size_t i = 0; i < GT_COUNT(good); i++) {
		map = new_map(&heap, good[i], GMEM_PRIVATE);
		EXPECT("limit", gmi_attrmap_limit(map) == good[i], true);
		EXPECT("all private", gmi_attrmap_private_bytes(map) == good[i], true);
		EXPECT("all private", gmi_attrmap_query(map, 0, good[i]), GMEM_PRIVATE);
		EXPECT("last", gmi_attrmap_lookup(map, good[i] - 1), GMEM_PRIVATE);
		EXPECT("behind", gmi_attrmap_lookup(map, good[i]), -EINVAL);
		EXPECT("behind", gmi_attrmap_lookup(map, UINT64_MAX), -EINVAL);
		EXPECT("small", gmi_attrmap_footprint(map) <= 2560 + good[i] / T2 * 8, true);
		end_map(&heap, map);
	}
}

static void attrmap_refuses(struct gt *t)
{
	static const struct gmem_range bad[] = {
		{0, 0},
		{1, PAGE},
		{0, PAGE + 1},
		{0, 5 * G1 + PAGE},
		{5 * G1, PAGE},
		{UINT64_MAX, PAGE},
		{PAGE, UINT64_MAX - 4095},
		{UINT64_MAX - 4095, PAGE},
		{PAGE, 5 * G1},
	};
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 5 * G1, GMEM_SHARED);
	struct gmi_attrmap_run run;
	struct gmi_attrmap_reserve reserve;
	uint64_t value = 7;
	size_t nr = 7;

	for (size_t i = 0; i < GT_COUNT(bad); i++) {
		uint64_t start = bad[i].start, size = bad[i].size;

		EXPECT("set", gmi_attrmap_set(map, start, size, GMEM_PRIVATE), -EINVAL);
		EXPECT("query", gmi_attrmap_query(map, start, size), -EINVAL);
		EXPECT("count", gmi_attrmap_count(map, start, size, &value), -EINVAL);
		EXPECT("compare", gmi_attrmap_compare(map, map, start, size, &value), -EINVAL);
		EXPECT("save", gmi_attrmap_save(map, start, size, NULL, 0, &nr), -EINVAL);
		EXPECT("reserve", gmi_attrmap_reserve(map, start, size, &reserve), -EINVAL);
	}
	EXPECT("state", gmi_attrmap_set(map, 0, PAGE, GMEM_MIXED), -EINVAL);
	EXPECT("state", gmi_attrmap_set(map, 0, PAGE, (enum gmem_state)77), -EINVAL);
	EXPECT("run", gmi_attrmap_next_run(map, 2 * PAGE, PAGE, &run), -EINVAL);
	EXPECT("run", gmi_attrmap_next_run(map, 1, PAGE, &run), -EINVAL);
	EXPECT("run", gmi_attrmap_next_run(map, 0, 5 * G1 + PAGE, &run), -EINVAL);
	EXPECT("run of nothing", gmi_attrmap_next_run(map, PAGE, PAGE, &run), 0);
	EXPECT("boundary", gmi_attrmap_next_boundary(map, PAGE, PAGE, &value), -EINVAL);
	EXPECT("boundary", gmi_attrmap_next_boundary(map, PAGE, 1, &value), -EINVAL);
	EXPECT("block", gmi_attrmap_block(map, 5 * G1, &run), -EINVAL);
	EXPECT("results untouched", value == 7 && nr == 7, true);
	EXPECT("map untouched", gmi_attrmap_query(map, 0, 5 * G1), GMEM_SHARED);
	EXPECT("no memory taken", heap.calls, 1);
	end_map(&heap, map);
}

/* One page at every place where nodes meet, in guests of many sizes. */
static void check_lone_page(struct gmi_attrmap *map, uint64_t addr, enum gmem_state state)
{
	uint64_t limit = gmi_attrmap_limit(map), other = limit - PAGE, bytes = 0;
	uint64_t empty = gmi_attrmap_footprint(map);

	MUST(gmi_attrmap_set(map, addr, PAGE, state) == 0);
	EXPECT("itself", gmi_attrmap_lookup(map, addr), state);
	if (addr)
		EXPECT("before", gmi_attrmap_query(map, 0, addr), !state);
	if (addr + PAGE < limit)
		EXPECT("behind", gmi_attrmap_query(map, addr + PAGE, other - addr), !state);
	EXPECT("all", gmi_attrmap_query(map, 0, limit), limit == PAGE ? (int)state : GMEM_MIXED);
	EXPECT("count", gmi_attrmap_count(map, 0, limit, &bytes), 0);
	EXPECT("count", bytes == (state == GMEM_PRIVATE ? PAGE : limit - PAGE), true);
	EXPECT("count", gmi_attrmap_private_bytes(map) == bytes, true);
	MUST(gmi_attrmap_set(map, addr, PAGE, !state) == 0);
	EXPECT("undone", gmi_attrmap_query(map, 0, limit), !state);
	gmi_attrmap_reclaim(map);
	EXPECT("memory is back", (int64_t)gmi_attrmap_footprint(map), (int64_t)empty);
}

static void check_edges(uint64_t limit, enum gmem_state initial)
{
	static const uint64_t edges[] = {0, 64 * PAGE, M2, 2 * M2, G1, 2 * G1, T2, 2 * T2, 3 * T2};
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, limit, initial);

	for (size_t i = 0; i < GT_COUNT(edges); i++) {
		if (edges[i] && edges[i] - PAGE < limit)
			check_lone_page(map, edges[i] - PAGE, !initial);
		if (edges[i] < limit)
			check_lone_page(map, edges[i], !initial);
	}
	check_lone_page(map, limit - PAGE, !initial);
	end_map(&heap, map);
}

static void attrmap_edges(struct gt *t)
{
	static const uint64_t limits[] = {
		PAGE,   2 * PAGE,  M2 - PAGE,     M2,         M2 + PAGE, G1 - PAGE,
		G1,     G1 + PAGE, 3 * G1 + M2,   T2 - PAGE,  T2,        T2 + PAGE,
		3 * T2, 32 * T2,   7 * T2 - PAGE, MAX - PAGE, MAX,
	};

	for (size_t i = 0; i < GT_COUNT(limits); i++) {
		check_edges(limits[i], GMEM_SHARED);
		check_edges(limits[i], GMEM_PRIVATE);
	}
}

static void expect_block(struct gmi_attrmap *map, uint64_t addr, uint64_t size)
{
	struct gmi_attrmap_run run = {0};

	EXPECT("block", gmi_attrmap_block(map, addr, &run), 0);
	EXPECT("block's size", (int64_t)run.size, (int64_t)size);
	EXPECT("block's start", (int64_t)run.start, (int64_t)(addr / size * size));
}

static void attrmap_blocks(struct gt *t)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 5 * T2 + G1 + M2 + PAGE, GMEM_PRIVATE);

	expect_block(map, 4 * T2 + 5, G1);
	expect_block(map, 5 * T2 + G1 - 1, G1);
	expect_block(map, 5 * T2 + G1, M2);
	expect_block(map, 5 * T2 + G1 + M2, PAGE);
	MUST(gmi_attrmap_set(map, G1 + M2, PAGE, GMEM_SHARED) == 0);
	expect_block(map, G1 - 1, G1);
	expect_block(map, G1, M2);
	expect_block(map, G1 + M2, PAGE);
	expect_block(map, G1 + M2 + PAGE, PAGE);
	expect_block(map, G1 + 2 * M2, M2);
	expect_block(map, 2 * G1, G1);
	MUST(gmi_attrmap_set(map, G1, G1, GMEM_SHARED) == 0);
	expect_block(map, G1 + M2, G1);
	end_map(&heap, map);
}

/* The worst case, and back: all memory must return but for what the last set keeps, then all. */
static void attrmap_returns_memory(struct gt *t)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 4 * G1, GMEM_PRIVATE);
	uint64_t empty = gmi_attrmap_footprint(map), full;

	for (uint64_t addr = 0; addr < 2 * G1; addr += 2 * PAGE)
		MUST(gmi_attrmap_set(map, addr, PAGE, GMEM_SHARED) == 0);
	full = gmi_attrmap_footprint(map);
	EXPECT("worst case", full - empty < 2 * G1 / PAGE / 8 * 11 / 10, true);
	EXPECT("blocks", heap.blocks, 1 + 1 + 2 + 2 * 8);
	MUST(gmi_attrmap_set(map, G1 / 2, G1, GMEM_PRIVATE) == 0);
	EXPECT("half", gmi_attrmap_footprint(map) < empty + (full - empty) * 6 / 10, true);
	MUST(gmi_attrmap_set(map, 0, 4 * G1, GMEM_PRIVATE) == 0);
	EXPECT("all", gmi_attrmap_footprint(map) == empty, true);
	EXPECT("blocks", heap.blocks, 1);
	for (uint64_t addr = 0; addr < M2; addr += PAGE)
		MUST(gmi_attrmap_set(map, addr, PAGE, GMEM_SHARED) == 0);
	EXPECT("merged", gmi_attrmap_query(map, 0, M2), GMEM_SHARED);
	MUST(gmi_attrmap_set(map, 3 * G1, PAGE, GMEM_PRIVATE) == 0);
	EXPECT("no leaf left", heap.blocks, 1 + 1 + 1);
	end_map(&heap, map);
}

/* A page that goes to and fro costs no allocation after the first time. */
static void attrmap_keeps_one_path(struct gt *t)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, T2, GMEM_PRIVATE);
	uint64_t empty = gmi_attrmap_footprint(map);

	MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_SHARED) == 0);
	EXPECT("map, dir, table, chunk", heap.calls, 4);
	for (int i = 0; i < 100; i++) {
		MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_PRIVATE) == 0);
		EXPECT("merged", gmi_attrmap_query(map, 0, T2), GMEM_PRIVATE);
		MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_SHARED) == 0);
	}
	EXPECT("no more", heap.calls, 4);
	MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_PRIVATE) == 0);
	EXPECT("kept", heap.blocks, 4);
	MUST(gmi_attrmap_set(map, 0, PAGE, GMEM_PRIVATE) == 0);
	EXPECT("table and chunk given back", heap.blocks, 2);
	gmi_attrmap_reclaim(map);
	EXPECT("dir given back", gmi_attrmap_footprint(map) == empty, true);
	MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_SHARED) == 0);
	MUST(gmi_attrmap_set(map, 5 * G1, PAGE, GMEM_PRIVATE) == 0);
	MUST(gmi_attrmap_set(map, 0, T2, GMEM_SHARED) == 0);
	EXPECT("all given back by a set of all", gmi_attrmap_footprint(map) == empty, true);
	end_map(&heap, map);
}

static void attrmap_save(struct gt *t)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 3 * T2, GMEM_PRIVATE);
	struct gmi_attrmap_run runs[5] = {0};
	size_t nr = 0;

	MUST(gmi_attrmap_set(map, M2, PAGE, GMEM_SHARED) == 0);
	MUST(gmi_attrmap_set(map, T2 - PAGE, G1, GMEM_SHARED) == 0);
	EXPECT("how many", gmi_attrmap_save(map, 0, 3 * T2, NULL, 0, &nr), 0);
	EXPECT("how many", (int64_t)nr, 5);
	EXPECT("short", gmi_attrmap_save(map, 0, 3 * T2, runs, 4, &nr), -ENOSPC);
	EXPECT("short", (int64_t)nr, 5);
	EXPECT("untouched", (int64_t)runs[4].size, 0);
	EXPECT("fits", gmi_attrmap_save(map, 0, 3 * T2, runs, 5, &nr), 0);
	EXPECT("fourth", (int64_t)runs[3].start, (int64_t)(T2 - PAGE));
	EXPECT("fourth", (int64_t)runs[3].size, (int64_t)G1);
	EXPECT("fourth", runs[3].state, GMEM_SHARED);
	EXPECT("part", gmi_attrmap_save(map, M2, 2 * PAGE, runs, 5, &nr), 0);
	EXPECT("part", (int64_t)nr, 2);
	EXPECT("part", (int64_t)runs[1].size, (int64_t)PAGE);
	end_map(&heap, map);
}

static void attrmap_load_hostile(struct gt *t)
{
	static const struct gmi_attrmap_run good = {4 * G1, PAGE, GMEM_PRIVATE};
	static const struct gmi_attrmap_run bad[] = {
		{4 * G1, PAGE, GMEM_PRIVATE},
		{4 * G1 - PAGE, 2 * PAGE, GMEM_PRIVATE},
		{0, PAGE, GMEM_PRIVATE},
		{5 * G1, 0, GMEM_PRIVATE},
		{5 * G1 + 1, PAGE, GMEM_PRIVATE},
		{5 * G1, PAGE - 1, GMEM_PRIVATE},
		{5 * G1, PAGE, GMEM_MIXED},
		{5 * G1, PAGE, (enum gmem_state) ~0u},
		{8 * G1, PAGE, GMEM_PRIVATE},
		{8 * G1 - PAGE, 2 * PAGE, GMEM_PRIVATE},
		{UINT64_MAX - 4095, PAGE, GMEM_PRIVATE},
		{UINT64_MAX - 4095, 2 * PAGE, GMEM_PRIVATE},
		{5 * G1, UINT64_MAX - 4095, GMEM_PRIVATE},
	};
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 8 * G1, GMEM_SHARED);

	for (size_t i = 0; i < GT_COUNT(bad); i++) {
		struct gmi_attrmap_run runs[] = {good, bad[i]};

		EXPECT("hostile", gmi_attrmap_load(map, runs, 2), -EINVAL);
		EXPECT("untouched", gmi_attrmap_query(map, 0, 8 * G1), GMEM_SHARED);
	}
	EXPECT("no memory taken", heap.calls, 1);
	EXPECT("nothing", gmi_attrmap_load(map, NULL, 0), 0);
	EXPECT("one", gmi_attrmap_load(map, &good, 1), 0);
	EXPECT("one", (int64_t)gmi_attrmap_private_bytes(map), (int64_t)PAGE);
	end_map(&heap, map);
}

/* What fails for want of memory: each returns what the call did. */
static int try_set(struct gmi_attrmap *map)
{
	return gmi_attrmap_set(map, G1 - PAGE, T2 + G1 + 2 * PAGE, GMEM_SHARED);
}

static int try_load(struct gmi_attrmap *map)
{
	static const struct gmi_attrmap_run runs[] = {
		{0, PAGE, GMEM_SHARED},       {PAGE, M2, GMEM_PRIVATE},
		{3 * M2, PAGE, GMEM_SHARED},  {5 * G1, G1 + PAGE, GMEM_SHARED},
		{T2 - PAGE, T2, GMEM_SHARED}, {2 * T2, PAGE, GMEM_PRIVATE},
	};

	return gmi_attrmap_load(map, runs, GT_COUNT(runs));
}

static int try_reserve(struct gmi_attrmap *map)
{
	struct gmi_attrmap_reserve reserve;
	int r = gmi_attrmap_reserve(map, PAGE, 3 * T2 - 2 * PAGE, &reserve);

	if (r == 0)
		gmi_attrmap_unreserve(map, &reserve);
	return r;
}

static int try_nothing_new(struct gmi_attrmap *map)
{
	return gmi_attrmap_set(map, M2 + PAGE, PAGE, GMEM_PRIVATE);
}

static void sweep(int (*call)(struct gmi_attrmap *map), int64_t allocations)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 3 * T2, GMEM_PRIVATE);
	struct gmi_attrmap *before = new_map(&heap, 3 * T2, GMEM_PRIVATE);
	uint64_t footprint = gmi_attrmap_footprint(map), addr = 0;
	int64_t blocks = heap.blocks, n = 0;

	heap.fails = true;
	for (heap.left = 0; call(map) < 0; heap.left = ++n) {
		EXPECT("unchanged", gmi_attrmap_compare(map, before, 0, 3 * T2, &addr), 0);
		EXPECT("unchanged", gmi_attrmap_private_bytes(map) == 3 * T2, true);
		EXPECT("no memory kept", gmi_attrmap_footprint(map) == footprint, true);
		EXPECT("no memory kept", heap.blocks, blocks);
	}
	EXPECT("allocations", n, allocations);
	gmi_attrmap_destroy(before);
	end_map(&heap, map);
}

static void attrmap_without_memory(struct gt *t)
{
	struct heap heap = {.fails = true};
	struct gmem_allocator alloc = allocator_of(&heap);
	struct gmi_attrmap *map = NULL;

	EXPECT("create", gmi_attrmap_create(&alloc, G1, GMEM_SHARED, &map), -ENOMEM);
	EXPECT("create", map == NULL, true);
	sweep(try_set, 6);
	sweep(try_load, 3 + 2 + 2 + 3 + 3);
	sweep(try_reserve, 6 + 3);
	sweep(try_nothing_new, 0);
}

static void make_uneven(struct gmi_attrmap *map)
{
	for (uint64_t addr = 0; addr < 4 * M2; addr += 3 * PAGE)
		MUST(gmi_attrmap_set(map, addr, PAGE, GMEM_SHARED) == 0);
	MUST(gmi_attrmap_set(map, G1 + 5 * PAGE, M2, GMEM_SHARED) == 0);
	MUST(gmi_attrmap_set(map, T2 - 7 * PAGE, 9 * PAGE, GMEM_SHARED) == 0);
}

/* Whatever others do after it, and wherever the kernel stops, a reserved set needs no memory. */
static void check_reserved(uint64_t start, uint64_t size, uint64_t done, bool disturb)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, 3 * T2, GMEM_PRIVATE);
	struct gmi_attrmap *old = new_map(&heap, 3 * T2, GMEM_PRIVATE);
	struct gmi_attrmap_reserve reserve;
	struct gmi_attrmap_run run = {0};
	uint64_t addr = 0;

	make_uneven(map);
	make_uneven(old);
	MUST(gmi_attrmap_reserve(map, start, size, &reserve) == 0);
	if (disturb) {
		MUST(gmi_attrmap_set(map, 0, 3 * T2, GMEM_SHARED) == 0);
		MUST(gmi_attrmap_set(map, 0, 3 * T2, GMEM_PRIVATE) == 0);
		gmi_attrmap_reclaim(map);
	}
	heap.fails = true;
	heap.left = 0;
	EXPECT("part", gmi_attrmap_set_reserved(map, &reserve, start, done, GMEM_SHARED), 0);
	EXPECT("part", gmi_attrmap_query(map, start, done), GMEM_SHARED);
	EXPECT("whole", gmi_attrmap_set_reserved(map, &reserve, start, size, GMEM_SHARED), 0);
	if (done < size)
		EXPECT("rest",
		       gmi_attrmap_set_reserved(map, &reserve, start + done, size - done,
						GMEM_PRIVATE),
		       0);
	for (uint64_t at = start; gmi_attrmap_next_run(old, at, start + size, &run) > 0;
	     at = run.start + run.size)
		EXPECT("back",
		       gmi_attrmap_set_reserved(map, &reserve, run.start, run.size, run.state), 0);
	EXPECT("as before", gmi_attrmap_compare(map, old, start, size, &addr), 0);
	EXPECT("outside", gmi_attrmap_set_reserved(map, &reserve, start, size + PAGE, GMEM_SHARED),
	       -EINVAL);
	gmi_attrmap_unreserve(map, &reserve);
	gmi_attrmap_unreserve(map, &reserve);
	EXPECT("spent", gmi_attrmap_set_reserved(map, &reserve, start, PAGE, GMEM_SHARED), -EINVAL);
	gmi_attrmap_destroy(old);
	end_map(&heap, map);
}

static void attrmap_reserved(struct gt *t)
{
	static const struct gmem_range ranges[] = {
		{0, PAGE},
		{PAGE, 3 * PAGE},
		{0, M2},
		{M2 - PAGE, M2},
		{0, G1},
		{PAGE, G1},
		{M2, 3 * G1},
		{G1 - M2, G1 + M2},
		{0, T2},
		{PAGE, T2},
		{T2 - PAGE, T2},
		{G1, 2 * T2 - 3 * G1},
		{0, 3 * T2},
		{3 * T2 - PAGE, PAGE},
		{2 * T2 + G1, T2 - G1},
	};
	static const uint64_t cuts[] = {
		PAGE,          5 * PAGE,           M2, M2 + PAGE, G1, G1 + M2, G1 + 3 * PAGE,
		T2 / 2 + PAGE, T2 + G1 + M2 + PAGE};

	for (size_t i = 0; i < GT_COUNT(ranges); i++) {
		uint64_t start = ranges[i].start, size = ranges[i].size;

		for (size_t j = 0; j < GT_COUNT(cuts); j++) {
			if (cuts[j] >= size)
				continue;
			check_reserved(start, size, cuts[j], false);
			check_reserved(start, size, size - cuts[j], true);
		}
		check_reserved(start, size, size, true);
	}
}

/* With a reader inside nothing is freed, and the reader's leaf serves its place on. */
static void attrmap_late_reader(struct gt *t)
{
	struct heap heap = {0};
	struct gmi_attrmap *map = new_map(&heap, T2, GMEM_PRIVATE);
	uint64_t empty = gmi_attrmap_footprint(map);
	struct gmi_attrmap_spot spot, again;
	unsigned ticket;

	MUST(gmi_attrmap_set(map, G1 + PAGE, 2 * PAGE, GMEM_SHARED) == 0);
	ticket = gmi_epoch_enter(&map->epoch);
	spot = gmi_attrmap_find(map, G1);
	MUST(spot.leaf);
	MUST(gmi_attrmap_set(map, 0, T2, GMEM_PRIVATE) == 0);
	gmi_attrmap_reclaim(map);
	EXPECT("map, dir, table, chunk", heap.blocks, 4);
	EXPECT("as it was", gmi_attrmap_bit(spot.leaf, G1 + PAGE), GMEM_SHARED);
	EXPECT("others see", gmi_attrmap_lookup(map, G1 + PAGE), GMEM_PRIVATE);
	MUST(gmi_attrmap_set(map, G1 + 7 * PAGE, PAGE, GMEM_SHARED) == 0);
	again = gmi_attrmap_find(map, G1);
	EXPECT("same leaf", again.leaf == spot.leaf, true);
	EXPECT("as it is", gmi_attrmap_bit(spot.leaf, G1 + PAGE), GMEM_PRIVATE);
	EXPECT("as it is", gmi_attrmap_bit(spot.leaf, G1 + 7 * PAGE), GMEM_SHARED);
	MUST(gmi_attrmap_set(map, G1 + M2, PAGE, GMEM_SHARED) == 0);
	EXPECT("another leaf", gmi_attrmap_find(map, G1 + M2).leaf != spot.leaf, true);
	MUST(gmi_attrmap_set(map, 0, T2, GMEM_PRIVATE) == 0);
	gmi_attrmap_reclaim(map);
	EXPECT("not freed", heap.blocks, 4);
	gmi_epoch_exit(&map->epoch, ticket);
	gmi_attrmap_reclaim(map);
	EXPECT("freed", heap.blocks, 1);
	EXPECT("freed", gmi_attrmap_footprint(map) == empty, true);
	end_map(&heap, map);
}

static void attrmap_epochs(struct gt *t)
{
	struct gmi_epoch epoch;
	unsigned ticket[GMI_EPOCH_SLOTS + 2];

	gmi_epoch_init(&epoch);
	EXPECT("nobody", gmi_epoch_oldest(&epoch) == UINT64_MAX, true);
	for (unsigned i = 0; i < GMI_EPOCH_SLOTS; i++) {
		ticket[i] = gmi_epoch_enter(&epoch);
		gmi_epoch_advance(&epoch);
		EXPECT("the first", (int64_t)gmi_epoch_oldest(&epoch), 1);
	}
	gmi_epoch_exit(&epoch, ticket[0]);
	EXPECT("the second", (int64_t)gmi_epoch_oldest(&epoch), 2);
	for (unsigned i = GMI_EPOCH_SLOTS - 1; i < GMI_EPOCH_SLOTS + 2; i++)
		ticket[i] = gmi_epoch_enter(&epoch);
	EXPECT("too many", (int64_t)gmi_epoch_oldest(&epoch), 0);
	EXPECT("no slot", ticket[GMI_EPOCH_SLOTS], GMI_EPOCH_SLOTS);
	gmi_epoch_exit(&epoch, ticket[GMI_EPOCH_SLOTS]);
	EXPECT("still", (int64_t)gmi_epoch_oldest(&epoch), 0);
	gmi_epoch_exit(&epoch, ticket[GMI_EPOCH_SLOTS + 1]);
	EXPECT("the second", (int64_t)gmi_epoch_oldest(&epoch), 2);
}

/*
 * Readers during writes. Pages of STILL never change. The writer makes the pages of MOVING shared
 * in order, publishes how far it is, and makes them all private again; then also the merges at all
 * levels happen at once, by sets of the gigabytes around.
 */
#define STILL   (4 * G1)
#define MOVING  (T2 - 2 * M2)
#define STEPS   UINT64_C(1024)
#define READERS 3

struct stage {
	struct heap heap;
	struct gmi_attrmap *map;
	_Atomic uint64_t done; /* round * STEPS + pages of an even round that are shared */
	_Atomic bool stop;
	_Atomic uint64_t wrong;
	_Atomic uint64_t reads;
};

static void wrong_if(struct stage *stage, bool wrong)
{
	if (wrong)
		atomic_fetch_add(&stage->wrong, 1);
}

static void read_still(struct stage *stage, uint64_t n)
{
	struct gmi_attrmap_run run = {0};
	uint64_t bytes = 0, at = STILL + n % 512 * PAGE;

	wrong_if(stage, gmi_attrmap_lookup(stage->map, at) != (int)(n % 2));
	wrong_if(stage, gmi_attrmap_next_run(stage->map, at, STILL + M2, &run) != 1);
	wrong_if(stage, run.size != PAGE || run.state != n % 2);
	wrong_if(stage, gmi_attrmap_query(stage->map, STILL, M2) != GMEM_MIXED);
	wrong_if(stage, gmi_attrmap_count(stage->map, STILL, M2, &bytes) || bytes != M2 / 2);
	wrong_if(stage, gmi_attrmap_block(stage->map, at, &run) || run.size != PAGE);
}

/* What was done before the read must be seen unless the round ended meanwhile. */
static void read_moving(struct stage *stage, uint64_t n)
{
	uint64_t before = atomic_load(&stage->done), shared = before % STEPS;
	uint64_t at = shared ? MOVING + n % shared * PAGE : MOVING;
	int state = gmi_attrmap_lookup(stage->map, at);

	if (shared && atomic_load(&stage->done) / STEPS == before / STEPS)
		wrong_if(stage, state != GMEM_SHARED);
}

/* Two reads of one page while pages are made shared: private after shared is an error. */
static void read_order(struct stage *stage, uint64_t n)
{
	uint64_t round = atomic_load(&stage->done) / STEPS, at = MOVING + n % STEPS * PAGE;
	int first = gmi_attrmap_lookup(stage->map, at);
	int second = gmi_attrmap_lookup(stage->map, at);

	if (round % 2 == 0 && atomic_load(&stage->done) / STEPS == round)
		wrong_if(stage, first == GMEM_SHARED && second == GMEM_PRIVATE);
}

static void read_all(struct stage *stage)
{
	uint64_t addr = 0, bytes = 0, at = 0;
	struct gmi_attrmap_run run = {0};

	while (gmi_attrmap_next_run(stage->map, at, 2 * T2, &run) > 0) {
		wrong_if(stage, run.start != at || !run.size || run.size > 2 * T2 - at);
		at += run.size;
	}
	wrong_if(stage, at != 2 * T2);
	wrong_if(stage, gmi_attrmap_compare(stage->map, stage->map, 0, G1, &addr) < 0);
	wrong_if(stage, gmi_attrmap_count(stage->map, 0, 2 * T2, &bytes) || bytes > 2 * T2);
	wrong_if(stage, gmi_attrmap_private_bytes(stage->map) > 2 * T2);
}

static void *reader(void *data)
{
	struct stage *stage = data;
	uint64_t n = (uintptr_t)&n >> 4;

	while (!atomic_load(&stage->stop)) {
		n++;
		read_still(stage, n);
		read_moving(stage, n);
		read_order(stage, n);
		if (n % 64 == 0)
			read_all(stage);
		atomic_fetch_add(&stage->reads, 1);
	}
	return NULL;
}

static void write_round(struct stage *stage, uint64_t round)
{
	for (uint64_t i = 0; i + 1 < STEPS; i++) {
		MUST(gmi_attrmap_set(stage->map, MOVING + i * PAGE, PAGE, GMEM_SHARED) == 0);
		atomic_store(&stage->done, round * STEPS + i + 1);
	}
	atomic_store(&stage->done, (round + 1) * STEPS);
	MUST(gmi_attrmap_set(stage->map, MOVING, STEPS * PAGE, GMEM_PRIVATE) == 0);
	MUST(gmi_attrmap_set(stage->map, 8 * G1 - PAGE * (round % 3), T2, round / 2 % 2) == 0);
	MUST(gmi_attrmap_set(stage->map, 8 * G1, 2 * T2 - 8 * G1, GMEM_PRIVATE) == 0);
	atomic_store(&stage->done, (round + 2) * STEPS);
}

static void *second_writer(void *data)
{
	struct stage *stage = data;
	struct gmi_attrmap_reserve reserve;

	for (uint64_t n = 0; !atomic_load(&stage->stop); n++) {
		uint64_t at = n * 37 % 1000 * M2 + n % 5 * PAGE;

		MUST(gmi_attrmap_reserve(stage->map, at, 3 * PAGE, &reserve) == 0);
		MUST(gmi_attrmap_set_reserved(stage->map, &reserve, at, 2 * PAGE, n % 2) == 0);
		gmi_attrmap_unreserve(stage->map, &reserve);
	}
	return NULL;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void attrmap_threads(struct gt *t)
{
	struct stage stage = {0};
	pthread_t thread[READERS + 1];
	double end = seconds_now() + 3;
	uint64_t round = 0, bytes = 0;

	stage.map = new_map(&stage.heap, 2 * T2, GMEM_PRIVATE);
	for (uint64_t i = 0; i < 512; i += 2)
		MUST(gmi_attrmap_set(stage.map, STILL + i * PAGE, PAGE, GMEM_SHARED) == 0);
	for (int i = 0; i < READERS; i++)
		MUST(pthread_create(&thread[i], NULL, reader, &stage) == 0);
	MUST(pthread_create(&thread[READERS], NULL, second_writer, &stage) == 0);
	for (; seconds_now() < end; round += 2)
		write_round(&stage, round);
	atomic_store(&stage.stop, true);
	for (int i = 0; i <= READERS; i++)
		MUST(pthread_join(thread[i], NULL) == 0);
	printf("%llu rounds of the writer, %llu of the readers\n", (unsigned long long)round / 2,
	       (unsigned long long)stage.reads);
	EXPECT("wrong answers", (int64_t)stage.wrong, 0);
	EXPECT("both were at work", round > 0 && stage.reads > 0, true);
	MUST(gmi_attrmap_count(stage.map, 0, 2 * T2, &bytes) == 0);
	EXPECT("count", bytes == gmi_attrmap_private_bytes(stage.map), true);
	MUST(gmi_attrmap_set(stage.map, 0, 2 * T2, GMEM_SHARED) == 0);
	gmi_attrmap_reclaim(stage.map);
	EXPECT("memory is back", stage.heap.blocks, 1);
	end_map(&stage.heap, stage.map);
}

static const struct gt_test tests[] = {
	{"attrmap_create", attrmap_create, .flags = GT_NO_KERNEL},
	{"attrmap_refuses", attrmap_refuses, .flags = GT_NO_KERNEL},
	{"attrmap_edges", attrmap_edges, .flags = GT_NO_KERNEL},
	{"attrmap_blocks", attrmap_blocks, .flags = GT_NO_KERNEL},
	{"attrmap_returns_memory", attrmap_returns_memory, .flags = GT_NO_KERNEL},
	{"attrmap_keeps_one_path", attrmap_keeps_one_path, .flags = GT_NO_KERNEL},
	{"attrmap_save", attrmap_save, .flags = GT_NO_KERNEL},
	{"attrmap_load_hostile", attrmap_load_hostile, .flags = GT_NO_KERNEL},
	{"attrmap_without_memory", attrmap_without_memory, .flags = GT_NO_KERNEL},
	{"attrmap_reserved", attrmap_reserved, .flags = GT_NO_KERNEL},
	{"attrmap_late_reader", attrmap_late_reader, .flags = GT_NO_KERNEL},
	{"attrmap_epochs", attrmap_epochs, .flags = GT_NO_KERNEL},
	{"attrmap_random", attrmap_random, .flags = GT_NO_KERNEL},
	{"attrmap_threads", attrmap_threads, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
