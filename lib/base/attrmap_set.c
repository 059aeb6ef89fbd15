/* SPDX-License-Identifier: MIT */
/* The attribute map: applying a change. */
#include "attrmap.h"
#include "attrmap_tree.h"

/* Each step returns by how much the private pages grew. */

static int64_t set_bits(_Atomic uint64_t *bits, uint64_t mask, uint64_t state)
{
	uint64_t old = load(bits);
	uint64_t changed = mask & (state ? ~old : old);
	int64_t count;

	if (!changed)
		return 0;
	publish(bits, old ^ changed);
	count = changed & (changed - 1) ? __builtin_popcountll(changed) : 1;
	return state ? count : -count;
}

static int64_t set_leaf(const struct change *ch, struct gmi_attrmap_leaf *leaf, uint64_t base)
{
	uint64_t first = (most(ch->start, base) - base) >> PAGE_SHIFT;
	uint64_t last = least((ch->end - base) >> PAGE_SHIFT, LEAF_PAGES);
	int64_t delta = 0;

	for (uint64_t bit = first; bit < last; bit = (bit / 64 + 1) * 64) {
		uint64_t low = bit / 64 * 64;
		uint64_t mask = bits_between(bit - low, least(last - low, 64));

		delta += set_bits(&leaf->bits[bit / 64], mask, ch->state);
	}
	return delta;
}

static uint64_t leaf_pages(const struct gmi_attrmap_leaf *leaf)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < 8; i++)
		pages += (uint64_t)__builtin_popcountll(load(&leaf->bits[i]));
	return pages;
}

static bool leaf_is_uniform(const struct gmi_attrmap_leaf *leaf)
{
	uint64_t first = load(&leaf->bits[0]);
	uint64_t unlike = first ^ (first & 1 ? UINT64_MAX : 0);

	for (unsigned i = 1; i < 8; i++)
		unlike |= first ^ load(&leaf->bits[i]);
	return unlike == 0;
}

static void merge_leaf(struct gmi_attrmap *map, struct gmi_attrmap_table *table, unsigned slot,
		       const struct gmi_attrmap_leaf *leaf)
{
	uint64_t word = gmi_attrmap_slot(table, slot);

	if (!leaf_is_uniform(leaf))
		return;
	put_slot(table, slot, as_uniform(word, load(&leaf->bits[0]) & 1), memory_order_seq_cst);
	gmi_attrmap_idle_leaf(map, table, slot, false);
}

static int64_t cover_slot(const struct change *ch, struct gmi_attrmap_table *table, unsigned slot)
{
	uint64_t word = gmi_attrmap_slot(table, slot);
	uint64_t old = state_of(word) * LEAF_PAGES;

	put_slot(table, slot, as_uniform(word, ch->state), memory_order_seq_cst);
	if (!is_uniform(word)) {
		old = leaf_pages(gmi_attrmap_leaf(table, word));
		gmi_attrmap_idle_leaf(ch->map, table, slot, true);
	}
	return (int64_t)(ch->state * LEAF_PAGES - old);
}

static int64_t set_slot(const struct change *ch, struct gmi_attrmap_table *table, uint64_t addr)
{
	unsigned slot = gmi_attrmap_index(addr, TABLE_SHIFT, GMI_ATTRMAP_TABLE_SLOTS);
	uint64_t word = gmi_attrmap_slot(table, slot);
	int64_t delta;

	if (is_uniformly(word, ch->state))
		return 0;
	if (covers(ch, addr, TABLE_SHIFT))
		return cover_slot(ch, table, slot);
	if (is_uniform(word))
		gmi_attrmap_revive_leaf(table, slot);
	delta = set_leaf(ch, gmi_attrmap_leaf(table, word), block_start(addr, TABLE_SHIFT));
	merge_leaf(ch->map, table, slot, gmi_attrmap_leaf(table, word));
	return delta;
}

static int64_t set_table(const struct change *ch, struct gmi_attrmap_table *table, uint64_t addr)
{
	uint64_t end = least(ch->end, block_end(ch->map, addr, DIR_SHIFT));
	int64_t delta = 0;

	for (; addr < end; addr = block_end(ch->map, addr, TABLE_SHIFT))
		delta += set_slot(ch, table, addr);
	return delta;
}

static int64_t set_word(const struct change *ch, _Atomic uint64_t *at, uint64_t addr,
			unsigned shift);

static int64_t set_dir(const struct change *ch, struct gmi_attrmap_dir *dir, uint64_t addr)
{
	uint64_t end = least(ch->end, block_end(ch->map, addr, TOP_SHIFT));
	int64_t delta = 0;

	for (; addr < end; addr = block_end(ch->map, addr, DIR_SHIFT)) {
		unsigned i = gmi_attrmap_index(addr, DIR_SHIFT, GMI_ATTRMAP_DIR_WORDS);

		delta += set_word(ch, &dir->word[i], addr, DIR_SHIFT);
	}
	return delta;
}

static int64_t cover_word(const struct change *ch, _Atomic uint64_t *at, unsigned shift)
{
	uint64_t word = load(at);
	uint64_t pages = block_pages(ch->map, shift);
	uint64_t old = state_of(word) * pages;

	atomic_store(at, as_uniform(word, ch->state));
	if (!is_uniform(word))
		old = load(&node_of(word)->pages);
	if (node_of(word))
		gmi_attrmap_queue(ch->map, node_of(word), true);
	return (int64_t)(ch->state * pages - old);
}

/* A node whose private pages are none or all has nothing but uniform words of that state. A dir is
 * so small beside what it spans, and takes so long to fill, that it is not queued: it stays until
 * its whole span is set or gmi_attrmap_reclaim() looks for it. */
static void merge_word(struct gmi_attrmap *map, _Atomic uint64_t *at, struct gmi_attrmap_node *node,
		       unsigned shift)
{
	uint64_t pages = load(&node->pages);

	if (pages && pages != block_pages(map, shift))
		return;
	node->content = pages != 0;
	atomic_store(at, as_uniform((uintptr_t)node, node->content));
	if (node->is_table)
		gmi_attrmap_queue(map, node, false);
}

static int64_t set_word(const struct change *ch, _Atomic uint64_t *at, uint64_t addr,
			unsigned shift)
{
	uint64_t word = load(at);
	struct gmi_attrmap_node *node = node_of(word);
	int64_t delta;

	if (is_uniformly(word, ch->state))
		return 0;
	if (covers(ch, addr, shift))
		return cover_word(ch, at, shift);
	if (is_uniform(word))
		gmi_attrmap_revive(ch->map, at, node);
	delta = shift == TOP_SHIFT ? set_dir(ch, as_dir(node), addr)
				   : set_table(ch, as_table(node), addr);
	publish(&node->pages, load(&node->pages) + (uint64_t)delta);
	merge_word(ch->map, at, node, shift);
	return delta;
}

static uint64_t private_bytes(struct gmi_attrmap *map)
{
	uint64_t last = map->limit - GMEM_PAGE_SIZE;
	struct gmi_attrmap_spot spot;

	if (map->limit == map->end)
		return map->pages << PAGE_SHIFT;
	spot = gmi_attrmap_find(map, last);
	if (spot.leaf)
		spot.state = gmi_attrmap_bit(spot.leaf, last);
	return (map->pages << PAGE_SHIFT) - spot.state * (map->end - map->limit);
}

void gmi_attrmap_apply(const struct change *ch)
{
	struct gmi_attrmap *map = ch->map;
	uint64_t addr = ch->start;

	for (; addr < ch->end; addr = block_end(map, addr, TOP_SHIFT))
		map->pages += (uint64_t)set_word(ch, &map->top[addr >> TOP_SHIFT], addr, TOP_SHIFT);
	publish(&map->private_bytes, private_bytes(map));
	map->last_set = gmi_epoch_now(&map->epoch);
	gmi_epoch_advance(&map->epoch);
}
