/* SPDX-License-Identifier: MIT */
/* The attribute map: lock-free answers about ranges. */
#include "attrmap.h"
#include "attrmap_tree.h"
#include "range.h"

/* What one load tells from @addr on: uniform until @end, or a word of bits that begins at @addr. */
struct view {
	uint64_t end;
	uint64_t bits; /* bit 0: the page at addr; only those before end count */
};

static uint64_t word_end(uint64_t addr)
{
	return (addr | (64 * GMEM_PAGE_SIZE - 1)) + 1;
}

/* Called inside of the epoch. */
static struct view view_at(const struct gmi_attrmap *map, uint64_t addr, uint64_t end)
{
	struct gmi_attrmap_spot spot = gmi_attrmap_find(map, addr);
	unsigned page = gmi_attrmap_index(addr, PAGE_SHIFT, LEAF_PAGES);
	uint64_t bits;

	if (!spot.leaf)
		return (struct view){.end = least(block_end(map, addr, spot.shift), end),
				     .bits = spot.state ? UINT64_MAX : 0};
	bits = atomic_load_explicit(&spot.leaf->bits[page / 64], memory_order_acquire);
	return (struct view){.end = least(word_end(addr), end), .bits = bits >> (page % 64)};
}

/* Where @view, read at @addr, first has a page that is not in @state; its end without one. */
static uint64_t unlike(struct view view, uint64_t addr, uint64_t state)
{
	uint64_t bits = view.bits ^ (state ? UINT64_MAX : 0);

	if (!bits)
		return view.end;
	return least(view.end, addr + ((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT));
}

/* Called inside of the epoch. */
static struct gmi_attrmap_run run_at(const struct gmi_attrmap *map, uint64_t start, uint64_t end)
{
	struct view view = view_at(map, start, end);
	uint64_t state = view.bits & 1;
	uint64_t stop = unlike(view, start, state);

	while (stop == view.end && stop < end) {
		view = view_at(map, stop, end);
		stop = unlike(view, stop, state);
	}
	return (struct gmi_attrmap_run){
		.start = start, .size = stop - start, .state = (enum gmem_state)state};
}

static struct gmi_attrmap_run run_from(struct gmi_attrmap *map, uint64_t start, uint64_t end)
{
	unsigned ticket = gmi_epoch_enter(&map->epoch);
	struct gmi_attrmap_run run = run_at(map, start, end);

	gmi_epoch_exit(&map->epoch, ticket);
	return run;
}

/* True for ends of a range of the map, which may be empty. */
static bool are_ends(const struct gmi_attrmap *map, uint64_t start, uint64_t end)
{
	return start <= end && end <= map->limit && gmi_is_aligned(start | end, GMEM_PAGE_SIZE);
}

int gmi_attrmap_next_run(struct gmi_attrmap *map, uint64_t start, uint64_t end,
			 struct gmi_attrmap_run *ret_run)
{
	if (!are_ends(map, start, end))
		return -EINVAL;
	if (start == end)
		return 0;
	*ret_run = run_from(map, start, end);
	return 1;
}

int gmi_attrmap_next_boundary(struct gmi_attrmap *map, uint64_t start, uint64_t end,
			      uint64_t *ret_boundary)
{
	if (start == end || !are_ends(map, start, end))
		return -EINVAL;
	*ret_boundary = start + run_from(map, start, end).size;
	return 0;
}

int gmi_attrmap_query(struct gmi_attrmap *map, uint64_t start, uint64_t size)
{
	struct gmi_attrmap_run run;
	uint64_t end;

	if (!gmi_attrmap_has(map, start, size, &end))
		return -EINVAL;
	run = run_from(map, start, end);
	return run.size == size ? (int)run.state : GMEM_MIXED;
}

static struct gmi_attrmap_run block_of(const struct gmi_attrmap *map, uint64_t addr, unsigned shift,
				       uint32_t state)
{
	if (shift > DIR_SHIFT)
		shift = DIR_SHIFT;
	if (block_start(addr, shift) + (UINT64_C(1) << shift) > map->limit && shift == DIR_SHIFT)
		shift = TABLE_SHIFT;
	if (block_start(addr, shift) + (UINT64_C(1) << shift) > map->limit)
		shift = PAGE_SHIFT;
	return (struct gmi_attrmap_run){.start = block_start(addr, shift),
					.size = UINT64_C(1) << shift,
					.state = (enum gmem_state)state};
}

int gmi_attrmap_block(struct gmi_attrmap *map, uint64_t addr, struct gmi_attrmap_run *ret_block)
{
	struct gmi_attrmap_spot spot;
	unsigned ticket;

	if (addr >= map->limit)
		return -EINVAL;
	ticket = gmi_epoch_enter(&map->epoch);
	spot = gmi_attrmap_find(map, addr);
	if (spot.leaf) {
		spot.shift = PAGE_SHIFT;
		spot.state = gmi_attrmap_bit(spot.leaf, addr);
	}
	gmi_epoch_exit(&map->epoch, ticket);
	*ret_block = block_of(map, addr, spot.shift, spot.state);
	return 0;
}

static uint64_t first_difference(const struct gmi_attrmap *a, const struct gmi_attrmap *b,
				 uint64_t start, uint64_t end)
{
	while (start < end) {
		struct view view = view_at(a, start, end);
		struct view other = view_at(b, start, end);
		uint64_t stop;

		view.end = least(view.end, other.end);
		view.bits ^= other.bits;
		stop = unlike(view, start, 0);
		if (stop < view.end)
			return stop;
		start = stop;
	}
	return end;
}

int gmi_attrmap_compare(struct gmi_attrmap *a, struct gmi_attrmap *b, uint64_t start, uint64_t size,
			uint64_t *ret_addr)
{
	uint64_t end, addr;
	unsigned ticket_a, ticket_b;

	if (!gmi_attrmap_has(a, start, size, &end) || !gmi_attrmap_has(b, start, size, &end))
		return -EINVAL;
	ticket_a = gmi_epoch_enter(&a->epoch);
	ticket_b = gmi_epoch_enter(&b->epoch);
	addr = first_difference(a, b, start, end);
	gmi_epoch_exit(&b->epoch, ticket_b);
	gmi_epoch_exit(&a->epoch, ticket_a);
	if (addr == end)
		return 0;
	*ret_addr = addr;
	return 1;
}

int gmi_attrmap_save(struct gmi_attrmap *map, uint64_t start, uint64_t size,
		     struct gmi_attrmap_run *runs, size_t nr_runs, size_t *ret_nr)
{
	struct gmi_attrmap_run run;
	size_t nr = 0;
	uint64_t end;

	if (!gmi_attrmap_has(map, start, size, &end))
		return -EINVAL;
	for (; gmi_attrmap_next_run(map, start, end, &run) > 0; start = run.start + run.size) {
		if (runs && nr < nr_runs)
			runs[nr] = run;
		nr++;
	}
	*ret_nr = nr;
	return runs && nr > nr_runs ? -ENOSPC : 0;
}

static uint64_t count_bits(uint64_t word, uint64_t first, uint64_t last)
{
	return (uint64_t)__builtin_popcountll(word & bits_between(first, last));
}

static uint64_t count_leaf(const struct change *range, const struct gmi_attrmap_leaf *leaf,
			   uint64_t base)
{
	uint64_t first = (most(range->start, base) - base) >> PAGE_SHIFT;
	uint64_t last = least((range->end - base) >> PAGE_SHIFT, LEAF_PAGES);
	uint64_t pages = 0;

	for (uint64_t bit = first; bit < last; bit = (bit / 64 + 1) * 64) {
		uint64_t low = bit / 64 * 64;
		uint64_t word = atomic_load_explicit(&leaf->bits[bit / 64], memory_order_acquire);

		pages += count_bits(word, bit - low, least(last - low, 64));
	}
	return pages;
}

/* The private pages of a uniform block around @addr, from @addr on, that lie in the range. */
static uint64_t count_uniform(const struct change *range, uint64_t addr, unsigned shift,
			      uint64_t word)
{
	uint64_t end = least(range->end, block_end(range->map, addr, shift));

	return state_of(word) * ((end - addr) >> PAGE_SHIFT);
}

static uint64_t count_table(const struct change *range, const struct gmi_attrmap_table *table,
			    uint64_t addr)
{
	uint64_t end = least(range->end, block_end(range->map, addr, DIR_SHIFT));
	uint64_t pages = 0;

	for (; addr < end; addr = block_end(range->map, addr, TABLE_SHIFT)) {
		unsigned slot = gmi_attrmap_index(addr, TABLE_SHIFT, GMI_ATTRMAP_TABLE_SLOTS);
		uint64_t word = gmi_attrmap_slot(table, slot);

		if (is_uniform(word))
			pages += count_uniform(range, addr, TABLE_SHIFT, word);
		else
			pages += count_leaf(range, gmi_attrmap_leaf(table, word),
					    block_start(addr, TABLE_SHIFT));
	}
	return pages;
}

static uint64_t count_word(const struct change *range, const _Atomic uint64_t *at, uint64_t addr,
			   unsigned shift);

static uint64_t count_dir(const struct change *range, const struct gmi_attrmap_dir *dir,
			  uint64_t addr)
{
	uint64_t end = least(range->end, block_end(range->map, addr, TOP_SHIFT));
	uint64_t pages = 0;

	for (; addr < end; addr = block_end(range->map, addr, DIR_SHIFT)) {
		unsigned i = gmi_attrmap_index(addr, DIR_SHIFT, GMI_ATTRMAP_DIR_WORDS);

		pages += count_word(range, &dir->word[i], addr, DIR_SHIFT);
	}
	return pages;
}

static uint64_t count_word(const struct change *range, const _Atomic uint64_t *at, uint64_t addr,
			   unsigned shift)
{
	uint64_t word = atomic_load(at);
	struct gmi_attrmap_node *node = node_of(word);

	if (is_uniform(word))
		return count_uniform(range, addr, shift, word);
	if (covers(range, addr, shift))
		return atomic_load_explicit(&node->pages, memory_order_acquire);
	return shift == TOP_SHIFT ? count_dir(range, as_dir(node), addr)
				  : count_table(range, as_table(node), addr);
}

int gmi_attrmap_count(struct gmi_attrmap *map, uint64_t start, uint64_t size, uint64_t *ret_private)
{
	struct change range = {.map = map, .start = start};
	uint64_t pages = 0;
	unsigned ticket;

	if (!gmi_attrmap_has(map, start, size, &range.end))
		return -EINVAL;
	ticket = gmi_epoch_enter(&map->epoch);
	for (uint64_t addr = start; addr < range.end; addr = block_end(map, addr, TOP_SHIFT))
		pages += count_word(&range, &map->top[addr >> TOP_SHIFT], addr, TOP_SHIFT);
	gmi_epoch_exit(&map->epoch, ticket);
	*ret_private = pages << PAGE_SHIFT;
	return 0;
}

uint64_t gmi_attrmap_limit(const struct gmi_attrmap *map)
{
	return map->limit;
}

uint64_t gmi_attrmap_private_bytes(const struct gmi_attrmap *map)
{
	return atomic_load_explicit(&map->private_bytes, memory_order_acquire);
}

uint64_t gmi_attrmap_footprint(const struct gmi_attrmap *map)
{
	return atomic_load_explicit(&map->bytes, memory_order_relaxed);
}
