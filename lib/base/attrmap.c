/* SPDX-License-Identifier: MIT */
/* The attribute map: making one, and the calls that change it. */
#include <string.h>

#include "attrmap.h"
#include "attrmap_tree.h"
#include "range.h"

static void hold(struct gmi_attrmap *map)
{
	pthread_mutex_lock(&map->lock);
	map->holds++;
}

static void unhold(struct gmi_attrmap *map, bool all)
{
	struct graveyard dead;

	init_graveyard(&dead);
	if (--map->holds == 0)
		gmi_attrmap_collect(map, all, &dead);
	pthread_mutex_unlock(&map->lock);
	gmi_attrmap_free_dead(&map->alloc, &dead);
}

/* @end is a range's end. Pages behind the limit follow the last one, so that nodes can merge. */
static struct change change_of(struct gmi_attrmap *map, uint64_t start, uint64_t end,
			       uint64_t state)
{
	if (end == map->limit)
		end = map->end;
	return (struct change){.map = map, .start = start, .end = end, .state = state};
}

static bool is_state(uint64_t state)
{
	return state == GMEM_PRIVATE || state == GMEM_SHARED;
}

bool gmi_attrmap_has(const struct gmi_attrmap *map, uint64_t start, uint64_t size,
		     uint64_t *ret_end)
{
	return gmi_range_is_paged(start, size) && gmi_range_is_within(start, size, map->limit) &&
	       gmi_range_end(start, size, ret_end);
}

static int set_with(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve, uint64_t start,
		    uint64_t end, enum gmem_state state)
{
	struct change ch = change_of(map, start, end, state);
	int r;

	hold(map);
	r = gmi_attrmap_ensure(&ch, reserve);
	if (r == 0)
		gmi_attrmap_apply(&ch);
	unhold(map, false);
	return r;
}

int gmi_attrmap_set(struct gmi_attrmap *map, uint64_t start, uint64_t size, enum gmem_state state)
{
	struct gmi_attrmap_reserve spares = RESERVE_NONE;
	uint64_t end;
	int r;

	if (!gmi_attrmap_has(map, start, size, &end) || !is_state(state))
		return -EINVAL;
	r = set_with(map, &spares, start, end, state);
	gmi_attrmap_drop_spares(map, &spares);
	return r;
}

static bool has_whole_block(const struct change *ch, unsigned shift)
{
	uint64_t first = block_start(ch->start, shift);

	if (first < ch->start)
		first = block_end(ch->map, first, shift);
	return first < ch->end && covers(ch, first, shift);
}

/* A cut inside of a block that the range covers whole splits that block and its parents as far as
 * these are covered whole too; all others have their children attached. */
static int add_spares_for_a_cut(const struct change *ch, struct gmi_attrmap_reserve *reserve)
{
	static const unsigned shift[] = {
		[DIR] = TOP_SHIFT, [TABLE] = DIR_SHIFT, [CHUNK] = TABLE_SHIFT};
	int r = 0;

	for (enum kind kind = DIR; kind <= CHUNK && r == 0; kind++)
		if (has_whole_block(ch, shift[kind]))
			r = gmi_attrmap_add_spare(ch->map, reserve, kind);
	return r;
}

int gmi_attrmap_reserve(struct gmi_attrmap *map, uint64_t start, uint64_t size,
			struct gmi_attrmap_reserve *ret_reserve)
{
	struct gmi_attrmap_reserve reserve = {.start = start};
	struct change ch;
	int r;

	if (!gmi_attrmap_has(map, start, size, &reserve.end))
		return -EINVAL;
	ch = change_of(map, start, reserve.end, ANY_STATE);
	hold(map);
	r = gmi_attrmap_ensure(&ch, &reserve);
	pthread_mutex_unlock(&map->lock);
	if (r == 0)
		r = add_spares_for_a_cut(&ch, &reserve);
	if (r == 0)
		*ret_reserve = reserve;
	else
		gmi_attrmap_unreserve(map, &reserve);
	return r;
}

int gmi_attrmap_set_reserved(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
			     uint64_t start, uint64_t size, enum gmem_state state)
{
	uint64_t end;

	if (!gmi_attrmap_has(map, start, size, &end) || !is_state(state))
		return -EINVAL;
	if (start < reserve->start || end > reserve->end)
		return -EINVAL;
	return set_with(map, reserve, start, end, state);
}

void gmi_attrmap_unreserve(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve)
{
	if (!reserve->end)
		return;
	gmi_attrmap_drop_spares(map, reserve);
	*reserve = RESERVE_NONE;
	pthread_mutex_lock(&map->lock);
	gmi_epoch_advance(&map->epoch);
	unhold(map, false);
}

static void queue_idle_dirs(struct gmi_attrmap *map)
{
	for (uint32_t i = 0; i < map->nr_top; i++) {
		uint64_t word = load(&map->top[i]);

		if (is_uniform(word) && node_of(word) && !node_of(word)->next)
			gmi_attrmap_queue(map, node_of(word), true);
	}
}

void gmi_attrmap_reclaim(struct gmi_attrmap *map)
{
	hold(map);
	queue_idle_dirs(map);
	gmi_epoch_advance(&map->epoch);
	unhold(map, true);
}

static bool runs_are_valid(const struct gmi_attrmap *map, const struct gmi_attrmap_run *runs,
			   size_t nr_runs)
{
	uint64_t end = 0;

	for (size_t i = 0; i < nr_runs; i++) {
		if (runs[i].start < end || !is_state(runs[i].state))
			return false;
		if (!gmi_attrmap_has(map, runs[i].start, runs[i].size, &end))
			return false;
	}
	return true;
}

static struct change change_of_run(struct gmi_attrmap *map, const struct gmi_attrmap_run *run)
{
	uint64_t end = map->limit;

	gmi_range_end(run->start, run->size, &end);
	return change_of(map, run->start, end, run->state);
}

static int ensure_run(struct gmi_attrmap *map, struct gmi_attrmap_reserve *spares,
		      const struct gmi_attrmap_run *run)
{
	struct change ch = change_of_run(map, run);

	ch.state = ANY_STATE;
	return gmi_attrmap_ensure(&ch, spares);
}

int gmi_attrmap_load(struct gmi_attrmap *map, const struct gmi_attrmap_run *runs, size_t nr_runs)
{
	struct gmi_attrmap_reserve spares = RESERVE_NONE;
	int r = 0;

	if (!runs_are_valid(map, runs, nr_runs))
		return -EINVAL;
	hold(map);
	for (size_t i = 0; i < nr_runs && r == 0; i++)
		r = ensure_run(map, &spares, &runs[i]);
	for (size_t i = 0; i < nr_runs && r == 0; i++) {
		struct change ch = change_of_run(map, &runs[i]);

		gmi_attrmap_apply(&ch);
	}
	unhold(map, false);
	gmi_attrmap_drop_spares(map, &spares);
	return r;
}

static bool is_limit(uint64_t limit)
{
	return limit <= GMI_ATTRMAP_LIMIT_MAX && gmi_range_is_paged(0, limit);
}

static uint64_t blocks(uint64_t size, unsigned shift)
{
	return (size + (UINT64_C(1) << shift) - 1) >> shift;
}

static void init_tree(struct gmi_attrmap *map, uint64_t limit, uint64_t state)
{
	map->limit = limit;
	map->nr_top = (uint32_t)blocks(limit, TOP_SHIFT);
	map->nr_words = (uint32_t)least(blocks(limit, DIR_SHIFT), GMI_ATTRMAP_DIR_WORDS);
	map->end = (uint64_t)map->nr_top * map->nr_words << DIR_SHIFT;
	map->pages = state * (map->end >> PAGE_SHIFT);
	publish(&map->private_bytes, state * limit);
	for (uint32_t i = 0; i < map->nr_top; i++)
		publish(&map->top[i], as_uniform(0, state));
}

int gmi_attrmap_create(const struct gmem_allocator *alloc, uint64_t limit, enum gmem_state initial,
		       struct gmi_attrmap **ret_map)
{
	struct gmi_attrmap *map;
	size_t size;
	int r;

	if (!is_limit(limit) || !is_state(initial))
		return -EINVAL;
	size = sizeof(*map) + blocks(limit, TOP_SHIFT) * sizeof(map->top[0]);
	map = alloc->alloc(alloc->user, size);
	if (!map)
		return -ENOMEM;
	memset(map, 0, sizeof(*map));
	r = pthread_mutex_init(&map->lock, NULL);
	if (r) {
		alloc->free(alloc->user, map);
		return -r;
	}
	map->alloc = *alloc;
	publish(&map->bytes, size);
	map->queue.next = map->queue.prev = &map->queue;
	gmi_epoch_init(&map->epoch);
	init_tree(map, limit, initial);
	*ret_map = map;
	return 0;
}

void gmi_attrmap_destroy(struct gmi_attrmap *map)
{
	struct gmem_allocator alloc;
	struct graveyard dead;

	if (!map)
		return;
	init_graveyard(&dead);
	for (uint32_t i = 0; i < map->nr_top; i++) {
		struct gmi_attrmap_node *child = node_of(load(&map->top[i]));

		if (child)
			gmi_attrmap_bury_dir(map, &dead, as_dir(child));
	}
	gmi_attrmap_free_dead(&map->alloc, &dead);
	pthread_mutex_destroy(&map->lock);
	alloc = map->alloc;
	alloc.free(alloc.user, map);
}
