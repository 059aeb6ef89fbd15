/* SPDX-License-Identifier: MIT */
/* The attribute map: nodes that a change needs, attached idle before it, then taken into use. */
#include <string.h>

#include "attrmap.h"
#include "attrmap_tree.h"

static void *take_spare(struct gmi_attrmap_reserve *reserve, enum kind kind)
{
	void *spare = reserve->spare[kind];

	reserve->spare[kind] = NULL;
	return spare;
}

static void init_table(struct gmi_attrmap_table *table, uint64_t state)
{
	uint64_t four = as_uniform(0, state) * UINT64_C(0x0001000100010001);

	memset(table, 0, offsetof(struct gmi_attrmap_table, slots));
	table->node.is_table = 1;
	for (unsigned i = 0; i < GMI_ATTRMAP_TABLE_SLOTS / 4; i++)
		atomic_store_explicit(&table->slots[i], four, memory_order_relaxed);
	publish(&table->node.pages, state * TABLE_PAGES);
}

static void init_dir(struct gmi_attrmap *map, struct gmi_attrmap_dir *dir, uint64_t state)
{
	memset(dir, 0, sizeof(*dir));
	for (uint32_t i = 0; i < map->nr_words; i++)
		atomic_store_explicit(&dir->word[i], as_uniform(0, state), memory_order_relaxed);
	publish(&dir->node.pages, state * map->nr_words * TABLE_PAGES);
}

/* The child of *@at, attached idle where there is none; NULL where no spare is left for that. */
static struct gmi_attrmap_node *attach(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
				       _Atomic uint64_t *at, enum kind kind)
{
	uint64_t word = load(at);
	struct gmi_attrmap_node *node = node_of(word);

	if (node)
		return node;
	node = take_spare(reserve, kind);
	if (!node)
		return NULL;
	if (kind == TABLE)
		init_table(as_table(node), state_of(word));
	else
		init_dir(map, as_dir(node), state_of(word));
	node->where = at;
	node->content = (uint32_t)state_of(word);
	publish(at, word | (uintptr_t)node);
	gmi_attrmap_queue(map, node, true);
	return node;
}

static void clear_bit(uint64_t *bits, unsigned bit)
{
	bits[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static bool add_chunk(struct gmi_attrmap_table *table, struct gmi_attrmap_chunk *memory)
{
	unsigned chunk = 0;

	if (!memory)
		return false;
	while (chunk_of(table, chunk))
		chunk++;
	table->avail[chunk] = UINT64_MAX;
	atomic_store_explicit(&table->chunk[chunk], memory, memory_order_relaxed);
	return true;
}

static int available_number(const struct gmi_attrmap_table *table)
{
	for (int i = 0; i < (int)GMI_ATTRMAP_CHUNKS; i++)
		if (table->avail[i])
			return i * (int)GMI_ATTRMAP_CHUNK_LEAVES + __builtin_ctzll(table->avail[i]);
	return -1;
}

/* A slot holds at most one of the 512 numbers, so a slot without one finds one. */
static bool attach_leaf(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
			struct gmi_attrmap_table *table, unsigned slot)
{
	uint64_t word = gmi_attrmap_slot(table, slot);
	int number;

	if (child_of(word)) {
		__builtin_prefetch(gmi_attrmap_leaf(table, word));
		return true;
	}
	number = available_number(table);
	if (number < 0) {
		if (!add_chunk(table, take_spare(reserve, CHUNK)))
			return false;
		number = available_number(table);
	}
	clear_bit(table->avail, (unsigned)number);
	put_slot(table, slot, word | (uint64_t)(number + 1) << 2, memory_order_release);
	gmi_attrmap_idle_leaf(map, table, slot, true);
	return true;
}

/* True where the change has nothing to split at this word. Below a uniform word that it does split
 * the words are stale, and nothing but the cover counts. */
static bool is_whole(const struct change *ch, uint64_t addr, unsigned shift, uint64_t word,
		     bool *split)
{
	if (covers(ch, addr, shift) || (!*split && is_uniformly(word, ch->state)))
		return true;
	*split |= is_uniform(word);
	return false;
}

/* Attaches what the change needs at its edge @addr. Returns the kind that lacks a spare, or -1. */
static int ensure_edge(const struct change *ch, struct gmi_attrmap_reserve *reserve, uint64_t addr)
{
	struct gmi_attrmap *map = ch->map;
	_Atomic uint64_t *at = &map->top[addr >> TOP_SHIFT];
	unsigned slot = gmi_attrmap_index(addr, TABLE_SHIFT, GMI_ATTRMAP_TABLE_SLOTS);
	bool split = false;
	struct gmi_attrmap_node *node;

	if (is_whole(ch, addr, TOP_SHIFT, load(at), &split))
		return -1;
	node = attach(map, reserve, at, DIR);
	if (!node)
		return DIR;
	at = &as_dir(node)->word[gmi_attrmap_index(addr, DIR_SHIFT, GMI_ATTRMAP_DIR_WORDS)];
	if (is_whole(ch, addr, DIR_SHIFT, load(at), &split))
		return -1;
	node = attach(map, reserve, at, TABLE);
	if (!node)
		return TABLE;
	__builtin_prefetch(as_table(node)->chunk);
	if (is_whole(ch, addr, TABLE_SHIFT, gmi_attrmap_slot(as_table(node), slot), &split))
		return -1;
	return attach_leaf(map, reserve, as_table(node), slot) ? -1 : CHUNK;
}

/* Both ends of most changes lie in one leaf. */
static int ensure_edges(const struct change *ch, struct gmi_attrmap_reserve *reserve)
{
	uint64_t last = ch->end - GMEM_PAGE_SIZE;
	int lacking = ensure_edge(ch, reserve, ch->start);

	if (lacking >= 0 || ch->start >> TABLE_SHIFT == last >> TABLE_SHIFT)
		return lacking;
	return ensure_edge(ch, reserve, last);
}

int gmi_attrmap_ensure(const struct change *ch, struct gmi_attrmap_reserve *reserve)
{
	int lacking;
	int r = 0;

	while (r == 0 && (lacking = ensure_edges(ch, reserve)) >= 0) {
		pthread_mutex_unlock(&ch->map->lock);
		r = gmi_attrmap_add_spare(ch->map, reserve, (enum kind)lacking);
		pthread_mutex_lock(&ch->map->lock);
	}
	return r;
}

/* Filling an idle node with one state. Only readers that came before it fell idle can be inside,
 * and the writer saw these come: so release order is enough here, where taking a child out of use
 * in a live node needs sequential consistency. */

static void fill_slot(struct gmi_attrmap *map, struct gmi_attrmap_table *table, unsigned slot,
		      uint64_t state)
{
	uint64_t word = gmi_attrmap_slot(table, slot);

	put_slot(table, slot, as_uniform(word, state), memory_order_release);
	if (!is_uniform(word))
		gmi_attrmap_idle_leaf(map, table, slot, true);
}

static void fill_table(struct gmi_attrmap *map, struct gmi_attrmap_table *table, uint64_t state)
{
	for (unsigned i = 0; i < GMI_ATTRMAP_TABLE_SLOTS; i++)
		fill_slot(map, table, i, state);
	publish(&table->node.pages, state * TABLE_PAGES);
}

static void fill_word(struct gmi_attrmap *map, _Atomic uint64_t *at, uint64_t state)
{
	uint64_t word = load(at);

	publish(at, as_uniform(word, state));
	if (!is_uniform(word))
		gmi_attrmap_queue(map, node_of(word), true);
}

static void fill_dir(struct gmi_attrmap *map, struct gmi_attrmap_dir *dir, uint64_t state)
{
	for (uint32_t i = 0; i < map->nr_words; i++)
		fill_word(map, &dir->word[i], state);
	publish(&dir->node.pages, state * map->nr_words * TABLE_PAGES);
}

static void fill_node(struct gmi_attrmap *map, struct gmi_attrmap_node *node, uint64_t state)
{
	if (node->is_table)
		fill_table(map, as_table(node), state);
	else
		fill_dir(map, as_dir(node), state);
}

void gmi_attrmap_revive(struct gmi_attrmap *map, _Atomic uint64_t *at,
			struct gmi_attrmap_node *node)
{
	uint64_t state = state_of(load(at));

	if (node->content != state)
		fill_node(map, node, state);
	node->content = GMEM_MIXED;
	node->discard = 0;
	if (!node->is_table || !as_table(node)->nr_idle)
		gmi_attrmap_unqueue(node);
	publish(at, (uintptr_t)node);
}

void gmi_attrmap_revive_leaf(struct gmi_attrmap_table *table, unsigned slot)
{
	uint64_t word = gmi_attrmap_slot(table, slot);
	struct gmi_attrmap_leaf *leaf = gmi_attrmap_leaf(table, word);

	for (unsigned i = 0; i < 8; i++)
		publish(&leaf->bits[i], state_of(word) ? UINT64_MAX : 0);
	put_slot(table, slot, child_of(word), memory_order_release);
	clear_bit(table->idle, slot);
	if (--table->nr_idle == 0)
		gmi_attrmap_unqueue(&table->node);
}
