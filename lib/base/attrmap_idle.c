/* SPDX-License-Identifier: MIT */
/* The attribute map: nodes out of use, and giving them back. */
#include "attrmap.h"
#include "attrmap_tree.h"

void gmi_attrmap_unqueue(struct gmi_attrmap_node *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = NULL;
}

void gmi_attrmap_queue(struct gmi_attrmap *map, struct gmi_attrmap_node *node, bool discard)
{
	uint64_t now = gmi_epoch_now(&map->epoch);

	if (node->next && node->since == now)
		discard |= node->discard;
	gmi_attrmap_unqueue(node);
	node->since = now;
	node->discard = discard;
	node->next = &map->queue;
	node->prev = map->queue.prev;
	node->prev->next = node;
	map->queue.prev = node;
}

static void set_bit(uint64_t *bits, unsigned bit)
{
	bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

void gmi_attrmap_idle_leaf(struct gmi_attrmap *map, struct gmi_attrmap_table *table, unsigned slot,
			   bool discard)
{
	set_bit(table->idle, slot);
	table->nr_idle++;
	gmi_attrmap_queue(map, &table->node, discard);
}

static size_t size_of(const struct gmi_attrmap *map, enum kind kind)
{
	if (kind == DIR)
		return sizeof(struct gmi_attrmap_dir) + map->nr_words * sizeof(uint64_t);
	return kind == TABLE ? sizeof(struct gmi_attrmap_table) : sizeof(struct gmi_attrmap_chunk);
}

static void *allocate(struct gmi_attrmap *map, enum kind kind)
{
	size_t size = size_of(map, kind);
	void *memory = map->alloc.alloc(map->alloc.user, size);

	if (memory)
		atomic_fetch_add_explicit(&map->bytes, size, memory_order_relaxed);
	return memory;
}

static void bury(struct gmi_attrmap *map, struct graveyard *dead, enum kind kind, void *memory)
{
	struct dead *last = memory;

	atomic_fetch_sub_explicit(&map->bytes, size_of(map, kind), memory_order_relaxed);
	last->next = NULL;
	*dead->end = last;
	dead->end = &last->next;
}

void gmi_attrmap_free_dead(const struct gmem_allocator *alloc, const struct graveyard *dead)
{
	struct dead *next;

	for (struct dead *memory = dead->first; memory; memory = next) {
		next = memory->next;
		alloc->free(alloc->user, memory);
	}
}

static void bury_chunk(struct gmi_attrmap *map, struct graveyard *dead,
		       struct gmi_attrmap_table *table, unsigned chunk)
{
	bury(map, dead, CHUNK, chunk_of(table, chunk));
	atomic_store_explicit(&table->chunk[chunk], NULL, memory_order_relaxed);
	table->avail[chunk] = 0;
}

static void bury_table(struct gmi_attrmap *map, struct graveyard *dead,
		       struct gmi_attrmap_table *table)
{
	gmi_attrmap_unqueue(&table->node);
	for (unsigned i = 0; i < GMI_ATTRMAP_CHUNKS; i++)
		if (chunk_of(table, i))
			bury_chunk(map, dead, table, i);
	bury(map, dead, TABLE, table);
}

void gmi_attrmap_bury_dir(struct gmi_attrmap *map, struct graveyard *dead,
			  struct gmi_attrmap_dir *dir)
{
	gmi_attrmap_unqueue(&dir->node);
	for (uint32_t i = 0; i < map->nr_words; i++) {
		struct gmi_attrmap_node *child = node_of(load(&dir->word[i]));

		if (child)
			bury_table(map, dead, as_table(child));
	}
	bury(map, dead, DIR, dir);
}

static void bury_node(struct gmi_attrmap *map, struct graveyard *dead,
		      struct gmi_attrmap_node *node)
{
	if (node->is_table)
		bury_table(map, dead, as_table(node));
	else
		gmi_attrmap_bury_dir(map, dead, as_dir(node));
}

static void release_leaf(struct gmi_attrmap *map, struct graveyard *dead,
			 struct gmi_attrmap_table *table, unsigned slot)
{
	uint64_t word = gmi_attrmap_slot(table, slot);
	unsigned number = (unsigned)(word >> 2) - 1;

	put_slot(table, slot, word & GMI_ATTRMAP_FLAGS, memory_order_release);
	set_bit(table->avail, number);
	if (table->avail[number / GMI_ATTRMAP_CHUNK_LEAVES] == UINT64_MAX)
		bury_chunk(map, dead, table, number / GMI_ATTRMAP_CHUNK_LEAVES);
}

static void release_leaves(struct gmi_attrmap *map, struct graveyard *dead,
			   struct gmi_attrmap_table *table)
{
	for (unsigned i = 0; i < 8; i++) {
		while (table->idle[i]) {
			unsigned bit = (unsigned)__builtin_ctzll(table->idle[i]);

			table->idle[i] &= table->idle[i] - 1;
			release_leaf(map, dead, table, i * 64 + bit);
		}
	}
	table->nr_idle = 0;
	gmi_attrmap_unqueue(&table->node);
}

static void release(struct gmi_attrmap *map, struct graveyard *dead, struct gmi_attrmap_node *node)
{
	uint64_t word = load(node->where);

	if (is_uniform(word)) {
		publish(node->where, word & GMI_ATTRMAP_FLAGS);
		bury_node(map, dead, node);
	} else if (node->is_table) {
		release_leaves(map, dead, as_table(node));
	} else {
		gmi_attrmap_unqueue(node);
	}
}

static bool is_kept(const struct gmi_attrmap *map, const struct gmi_attrmap_node *node)
{
	return node->since == map->last_set && !node->discard;
}

static struct gmi_attrmap_node *next_released(struct gmi_attrmap *map, bool all)
{
	struct gmi_attrmap_node *node = map->queue.next;

	while (node != &map->queue && !all && is_kept(map, node))
		node = node->next;
	return node == &map->queue ? NULL : node;
}

void gmi_attrmap_collect(struct gmi_attrmap *map, bool all, struct graveyard *dead)
{
	struct gmi_attrmap_node *node = next_released(map, all);
	uint64_t oldest = node ? gmi_epoch_oldest(&map->epoch) : 0;

	while (node && node->since < oldest) {
		release(map, dead, node);
		node = next_released(map, all);
	}
}

int gmi_attrmap_add_spare(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
			  enum kind kind)
{
	if (!reserve->spare[kind])
		reserve->spare[kind] = allocate(map, kind);
	return reserve->spare[kind] ? 0 : -ENOMEM;
}

void gmi_attrmap_drop_spares(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve)
{
	struct graveyard dead;

	init_graveyard(&dead);
	for (enum kind kind = DIR; kind <= CHUNK; kind++) {
		if (reserve->spare[kind])
			bury(map, &dead, kind, reserve->spare[kind]);
		reserve->spare[kind] = NULL;
	}
	gmi_attrmap_free_dead(&map->alloc, &dead);
}
