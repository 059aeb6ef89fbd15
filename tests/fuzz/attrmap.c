/* SPDX-License-Identifier: MIT */
/* Fuzzes the attribute map: operations read from bytes, against a few hundred intervals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attrmap.h"

#define PAGE GMEM_PAGE_SIZE
#define M2   (UINT64_C(1) << 21)
#define G1   (UINT64_C(1) << 30)
#define T2   (UINT64_C(1) << 41)

#define MAX_POINTS  255
#define MAX_TICKETS 4
#define MAX_RUNS    8

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* All ranges begin and end at points, so one state an interval between them is the whole truth. */
struct world {
	const uint8_t *data;
	size_t left;
	struct gmi_attrmap *map;
	uint64_t limit;
	uint64_t point[MAX_POINTS + 1]; /* sorted; the last is the limit */
	unsigned nr;                    /* of intervals */
	uint8_t state[MAX_POINTS];
	unsigned ticket[MAX_TICKETS];
	unsigned nr_tickets;
	long blocks;
	long budget; /* allocations until one fails; negative: none does */
};

static void *world_alloc(void *user, size_t size)
{
	struct world *w = user;

	if (w->budget == 0)
		return NULL;
	if (w->budget > 0)
		w->budget--;
	w->blocks++;
	return malloc(size);
}

static void world_free(void *user, void *ptr)
{
	struct world *w = user;

	w->blocks--;
	free(ptr);
}

static uint8_t next_byte(struct world *w)
{
	if (!w->left)
		return 0;
	w->left--;
	return *w->data++;
}

static uint64_t next_word(struct world *w)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | next_byte(w);
	return word;
}

static void add_point(struct world *w, uint64_t addr)
{
	if (addr < w->limit && w->nr < MAX_POINTS)
		w->point[w->nr++] = addr;
}

static int compare_points(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_points(struct world *w)
{
	unsigned nr = 1;

	qsort(w->point, w->nr, sizeof(w->point[0]), compare_points);
	for (unsigned i = 1; i < w->nr; i++)
		if (w->point[i] != w->point[nr - 1])
			w->point[nr++] = w->point[i];
	w->nr = nr;
	w->point[nr] = w->limit;
}

/* Pages around every kind of node's edge. */
static void make_points(struct world *w)
{
	const uint64_t around[] = {0, 7 * M2, G1, 2 * G1 + 3 * M2, 5 * G1, T2, 2 * T2, w->limit};
	static const int64_t pages[] = {-513, -512, -511, -65, -64, -2,  -1,  0,   1,
					2,    63,   64,   65,  511, 512, 513, 1024};

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		for (size_t j = 0; j < sizeof(pages) / sizeof(pages[0]); j++)
			add_point(w, around[i] + (uint64_t)pages[j] * PAGE);
	add_point(w, 0);
	for (uint64_t addr = G1; addr < w->limit && addr <= 16 * G1; addr += G1)
		add_point(w, addr);
	for (uint64_t addr = M2; addr < w->limit && addr <= 24 * M2; addr += M2)
		add_point(w, addr);
	sort_points(w);
}

static bool make_world(struct world *w, const uint8_t *data, size_t size)
{
	static const uint64_t limits[] = {PAGE,        3 * PAGE,      M2 + PAGE,
					  G1 - PAGE,   3 * G1,        T2,
					  3 * T2 - M2, 64 * (T2 / 2), 5 * G1 + 7 * M2 + 9 * PAGE};
	const struct gmem_allocator alloc = {.alloc = world_alloc, .free = world_free, .user = w};
	enum gmem_state initial;

	memset(w, 0, sizeof(*w));
	w->data = data;
	w->left = size;
	w->budget = -1;
	w->limit = limits[next_byte(w) % (sizeof(limits) / sizeof(limits[0]))];
	initial = next_byte(w) & 1 ? GMEM_PRIVATE : GMEM_SHARED;
	make_points(w);
	memset(w->state, (int)initial, sizeof(w->state));
	return gmi_attrmap_create(&alloc, w->limit, initial, &w->map) == 0;
}

/* Intervals [first, last). */
static void next_intervals(struct world *w, unsigned *first, unsigned *last)
{
	unsigned a = next_byte(w) % w->nr, b = next_byte(w) % w->nr;

	*first = a < b ? a : b;
	*last = (a < b ? b : a) + 1;
}

static uint64_t span(const struct world *w, unsigned first, unsigned last)
{
	return w->point[last] - w->point[first];
}

static bool is_uniform(const struct world *w, unsigned first, unsigned last)
{
	for (unsigned i = first + 1; i < last; i++)
		if (w->state[i] != w->state[first])
			return false;
	return true;
}

static unsigned interval_of(const struct world *w, uint64_t addr)
{
	unsigned i = 0;

	while (w->point[i + 1] <= addr)
		i++;
	return i;
}

static uint64_t block_of(const struct world *w, uint64_t addr)
{
	for (uint64_t size = G1; size > PAGE; size = size == G1 ? M2 : PAGE) {
		uint64_t start = addr / size * size;

		if (start + size <= w->limit &&
		    is_uniform(w, interval_of(w, start), interval_of(w, start + size - 1) + 1))
			return size;
	}
	return PAGE;
}

static void do_set(struct world *w)
{
	unsigned first, last;
	enum gmem_state state = next_byte(w) & 1 ? GMEM_PRIVATE : GMEM_SHARED;

	next_intervals(w, &first, &last);
	CHECK(gmi_attrmap_set(w->map, w->point[first], span(w, first, last), state) == 0);
	memset(w->state + first, (int)state, last - first);
}

static void do_set_short_of_memory(struct world *w)
{
	unsigned first, last;
	enum gmem_state state = next_byte(w) & 1 ? GMEM_PRIVATE : GMEM_SHARED;
	int r;

	next_intervals(w, &first, &last);
	w->budget = next_byte(w) % 7;
	r = gmi_attrmap_set(w->map, w->point[first], span(w, first, last), state);
	w->budget = -1;
	CHECK(r == 0 || r == -ENOMEM);
	if (r == 0)
		memset(w->state + first, (int)state, last - first);
}

static void set_reserved(struct world *w, struct gmi_attrmap_reserve *reserve, unsigned first,
			 unsigned last, enum gmem_state state)
{
	if (first == last)
		return;
	w->budget = 0;
	CHECK(gmi_attrmap_set_reserved(w->map, reserve, w->point[first], span(w, first, last),
				       state) == 0);
	w->budget = -1;
	memset(w->state + first, (int)state, last - first);
}

static void roll_back(struct world *w, struct gmi_attrmap_reserve *reserve, const uint8_t *old,
		      unsigned first, unsigned last)
{
	while (first < last) {
		unsigned end = first;

		while (end < last && old[end] == old[first])
			end++;
		set_reserved(w, reserve, first, end, old[first]);
		first = end;
	}
}

/* A reserved range, cut once, with others at work before and between; and back to where it was. */
static void do_reserved(struct world *w)
{
	struct gmi_attrmap_reserve reserve;
	uint8_t old[MAX_POINTS], how = next_byte(w);
	unsigned first, last, cut;
	int r;

	next_intervals(w, &first, &last);
	cut = first + next_byte(w) % (last - first + 1);
	w->budget = how & 0x80 ? how >> 3 & 7 : -1;
	r = gmi_attrmap_reserve(w->map, w->point[first], span(w, first, last), &reserve);
	w->budget = -1;
	if (r < 0) {
		CHECK(r == -ENOMEM && how & 0x80);
		return;
	}
	memcpy(old, w->state, sizeof(old));
	if (how & 1)
		do_set(w);
	set_reserved(w, &reserve, first, cut, how & 2 ? GMEM_PRIVATE : GMEM_SHARED);
	if (how & 1)
		do_set(w);
	set_reserved(w, &reserve, cut, last, how & 4 ? GMEM_PRIVATE : GMEM_SHARED);
	if (how & 0x40)
		roll_back(w, &reserve, old, first, last);
	gmi_attrmap_unreserve(w->map, &reserve);
}

static void apply_run(struct world *w, const struct gmi_attrmap_run *run)
{
	for (unsigned i = 0; i < w->nr; i++)
		if (w->point[i] >= run->start && w->point[i] - run->start < run->size)
			w->state[i] = (uint8_t)run->state;
}

/* Runs that are in order or not. */
static void do_load(struct world *w)
{
	struct gmi_attrmap_run runs[MAX_RUNS];
	unsigned nr = next_byte(w) % (MAX_RUNS + 1), first, last, end = 0;
	bool valid = true;

	for (unsigned i = 0; i < nr; i++) {
		uint8_t state = next_byte(w);

		next_intervals(w, &first, &last);
		runs[i].start = w->point[first];
		runs[i].size = span(w, first, last);
		runs[i].state = (enum gmem_state)(state < 250 ? state & 1 : state);
		valid &= first >= end && state < 250;
		end = last;
	}
	CHECK(gmi_attrmap_load(w->map, runs, nr) == (valid ? 0 : -EINVAL));
	for (unsigned i = 0; valid && i < nr; i++)
		apply_run(w, &runs[i]);
}

static bool is_in_map(const struct world *w, uint64_t start, uint64_t size)
{
	return start % PAGE == 0 && size % PAGE == 0 && size && start < w->limit &&
	       size <= w->limit - start;
}

/* Any numbers at all; what would change the map is left out where they happen to be valid. */
static void do_raw(struct world *w)
{
	struct gmi_attrmap_run run = {next_word(w), next_word(w), GMEM_PRIVATE};
	bool valid = is_in_map(w, run.start, run.size);
	struct gmi_attrmap_reserve reserve;
	uint64_t bytes;
	size_t nr;

	CHECK((gmi_attrmap_query(w->map, run.start, run.size) >= 0) == valid);
	CHECK((gmi_attrmap_count(w->map, run.start, run.size, &bytes) == 0) == valid);
	CHECK((gmi_attrmap_save(w->map, run.start, run.size, NULL, 0, &nr) == 0) == valid);
	CHECK((gmi_attrmap_lookup(w->map, run.start) >= 0) == (run.start < w->limit));
	if (valid)
		return;
	CHECK(gmi_attrmap_load(w->map, &run, 1) == -EINVAL);
	CHECK(gmi_attrmap_set(w->map, run.start, run.size, GMEM_PRIVATE) == -EINVAL);
	CHECK(gmi_attrmap_reserve(w->map, run.start, run.size, &reserve) == -EINVAL);
}

static void check_runs(struct world *w, struct gmi_attrmap *map)
{
	struct gmi_attrmap_run run;
	uint64_t at = 0;
	unsigned i = 0;

	while (gmi_attrmap_next_run(map, at, w->limit, &run) > 0) {
		uint8_t state = w->state[i];

		while (i < w->nr && w->state[i] == state)
			i++;
		CHECK(run.start == at && run.state == state && at + run.size == w->point[i]);
		at += run.size;
	}
	CHECK(at == w->limit);
}

static uint64_t count(const struct world *w, unsigned first, unsigned last)
{
	uint64_t bytes = 0;

	for (unsigned i = first; i < last; i++)
		bytes += w->state[i] * (w->point[i + 1] - w->point[i]);
	return bytes;
}

static void check_range(struct world *w)
{
	struct gmi_attrmap_run run;
	unsigned first, last;
	uint64_t bytes, at;
	int state;

	next_intervals(w, &first, &last);
	at = w->point[first];
	state = is_uniform(w, first, last) ? w->state[first] : GMEM_MIXED;
	CHECK(gmi_attrmap_query(w->map, at, span(w, first, last)) == state);
	CHECK(gmi_attrmap_count(w->map, at, span(w, first, last), &bytes) == 0);
	CHECK(bytes == count(w, first, last));
	at = w->point[last] - PAGE;
	CHECK(gmi_attrmap_lookup(w->map, at) == w->state[last - 1]);
	CHECK(gmi_attrmap_block(w->map, at, &run) == 0);
	CHECK(run.start == at / run.size * run.size && run.size == block_of(w, at));
	CHECK(run.state == w->state[last - 1]);
}

/* Out as runs and in again; then one interval differs. */
static void do_copy(struct world *w)
{
	const struct gmem_allocator alloc = {.alloc = world_alloc, .free = world_free, .user = w};
	struct gmi_attrmap_run runs[MAX_POINTS];
	struct gmi_attrmap *copy;
	uint64_t addr, at;
	unsigned i = next_byte(w) % w->nr;
	size_t nr;

	CHECK(gmi_attrmap_create(&alloc, w->limit, next_byte(w) & 1, &copy) == 0);
	CHECK(gmi_attrmap_save(w->map, 0, w->limit, runs, MAX_POINTS, &nr) == 0);
	CHECK(gmi_attrmap_load(copy, runs, nr) == 0);
	CHECK(gmi_attrmap_compare(w->map, copy, 0, w->limit, &addr) == 0);
	check_runs(w, copy);
	at = w->point[i];
	CHECK(gmi_attrmap_set(copy, at, span(w, i, i + 1), !w->state[i]) == 0);
	CHECK(gmi_attrmap_compare(copy, w->map, 0, w->limit, &addr) == 1 && addr == at);
	gmi_attrmap_destroy(copy);
}

/* A reader that stays inside for many operations. */
static void do_ticket(struct world *w)
{
	uint8_t how = next_byte(w);

	if (how & 1 && w->nr_tickets < MAX_TICKETS)
		w->ticket[w->nr_tickets++] = gmi_epoch_enter(&w->map->epoch);
	else if (w->nr_tickets)
		gmi_epoch_exit(&w->map->epoch, w->ticket[--w->nr_tickets]);
}

static void do_one(struct world *w)
{
	switch (next_byte(w) % 12) {
	case 0:
		do_load(w);
		break;
	case 1:
		do_reserved(w);
		break;
	case 2:
		do_set_short_of_memory(w);
		break;
	case 3:
		do_raw(w);
		break;
	case 4:
		do_copy(w);
		break;
	case 5:
		do_ticket(w);
		break;
	case 6:
		gmi_attrmap_reclaim(w->map);
		break;
	case 7:
		check_range(w);
		break;
	default:
		do_set(w);
	}
	CHECK(gmi_attrmap_private_bytes(w->map) == count(w, 0, w->nr));
}

static void end_world(struct world *w)
{
	check_runs(w, w->map);
	while (w->nr_tickets)
		gmi_epoch_exit(&w->map->epoch, w->ticket[--w->nr_tickets]);
	CHECK(gmi_attrmap_set(w->map, 0, w->limit, GMEM_SHARED) == 0);
	gmi_attrmap_reclaim(w->map);
	CHECK(w->blocks == 1);
	gmi_attrmap_destroy(w->map);
	CHECK(w->blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;

	if (!make_world(&w, data, size))
		return 0;
	while (w.left)
		do_one(&w);
	end_world(&w);
	return 0;
}
