/* SPDX-License-Identifier: MIT */
/* The attribute map: what its files share; nobody else includes this. */
#ifndef GMI_ATTRMAP_TREE_H
#define GMI_ATTRMAP_TREE_H

#include "attrmap.h"

#define TOP_SHIFT    GMI_ATTRMAP_TOP_SHIFT
#define DIR_SHIFT    GMI_ATTRMAP_DIR_SHIFT
#define TABLE_SHIFT  GMI_ATTRMAP_TABLE_SHIFT
#define PAGE_SHIFT   GMI_ATTRMAP_PAGE_SHIFT
#define LEAF_PAGES   UINT64_C(512)
#define TABLE_PAGES  (UINT64_C(1) << (DIR_SHIFT - PAGE_SHIFT))
#define ANY_STATE    GMEM_MIXED
#define RESERVE_NONE ((struct gmi_attrmap_reserve){0})

/* What memory comes in: the index of gmi_attrmap_reserve.spare. */
enum kind { DIR, TABLE, CHUNK };

/* A set under way: [start, end) becomes state. Or just a range. */
struct change {
	struct gmi_attrmap *map;
	uint64_t start;
	uint64_t end;
	uint64_t state;
};

/* Memory on its way to the allocator, once the lock is dropped. In the order in which it was mostly
 * allocated: from the top down, glibc's free() gives the heap back to the kernel page by page. */
struct dead {
	struct dead *next;
};

struct graveyard {
	struct dead *first;
	struct dead **end;
};

static inline void init_graveyard(struct graveyard *dead)
{
	dead->first = NULL;
	dead->end = &dead->first;
}

static inline uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void publish(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

static inline bool is_uniform(uint64_t word)
{
	return word & GMI_ATTRMAP_UNIFORM;
}

static inline uint64_t state_of(uint64_t word)
{
	return word >> 1 & 1;
}

static inline bool is_uniformly(uint64_t word, uint64_t state)
{
	return is_uniform(word) && state_of(word) == state;
}

static inline uint64_t child_of(uint64_t word)
{
	return word & ~GMI_ATTRMAP_FLAGS;
}

static inline uint64_t as_uniform(uint64_t word, uint64_t state)
{
	return child_of(word) | GMI_ATTRMAP_UNIFORM | state << 1;
}

static inline struct gmi_attrmap_node *node_of(uint64_t word)
{
	return (struct gmi_attrmap_node *)(uintptr_t)child_of(word);
}

static inline struct gmi_attrmap_dir *as_dir(struct gmi_attrmap_node *node)
{
	return (struct gmi_attrmap_dir *)node;
}

static inline struct gmi_attrmap_table *as_table(struct gmi_attrmap_node *node)
{
	return (struct gmi_attrmap_table *)node;
}

static inline struct gmi_attrmap_chunk *chunk_of(const struct gmi_attrmap_table *table,
						 unsigned chunk)
{
	return atomic_load_explicit(&table->chunk[chunk], memory_order_relaxed);
}

/* Release at least, for what the other three slots of the word name. */
static inline void put_slot(struct gmi_attrmap_table *table, unsigned slot, uint64_t word,
			    memory_order order)
{
	unsigned shift = slot % 4 * 16;
	uint64_t four = load(&table->slots[slot / 4]);

	four = (four & ~(UINT64_C(0xffff) << shift)) | word << shift;
	atomic_store_explicit(&table->slots[slot / 4], four, order);
}

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t block_start(uint64_t addr, unsigned shift)
{
	return addr >> shift << shift;
}

static inline uint64_t block_end(const struct gmi_attrmap *map, uint64_t addr, unsigned shift)
{
	return least(block_start(addr, shift) + (UINT64_C(1) << shift), map->end);
}

/* True where the block around @addr lies inside of the change. */
static inline bool covers(const struct change *ch, uint64_t addr, unsigned shift)
{
	return ch->start <= block_start(addr, shift) && block_end(ch->map, addr, shift) <= ch->end;
}

/* Ones from bit @first to the one before @last, of 64; not empty. */
static inline uint64_t bits_between(uint64_t first, uint64_t last)
{
	return (UINT64_MAX << first) & (UINT64_MAX >> (64 - last));
}

static inline uint64_t block_pages(const struct gmi_attrmap *map, unsigned shift)
{
	return shift == TOP_SHIFT ? map->nr_words * TABLE_PAGES : TABLE_PAGES;
}

/* True for a range of whole pages in [0, limit); gives its end then. */
bool gmi_attrmap_has(const struct gmi_attrmap *map, uint64_t start, uint64_t size,
		     uint64_t *ret_end);

/* From here on the lock is held, but where it says otherwise. */

/* attrmap_idle.c: the queue of nodes with something to give back, and memory. */
void gmi_attrmap_queue(struct gmi_attrmap *map, struct gmi_attrmap_node *node, bool discard);
void gmi_attrmap_unqueue(struct gmi_attrmap_node *node);
void gmi_attrmap_idle_leaf(struct gmi_attrmap *map, struct gmi_attrmap_table *table, unsigned slot,
			   bool discard);
void gmi_attrmap_collect(struct gmi_attrmap *map, bool all, struct graveyard *dead);
void gmi_attrmap_bury_dir(struct gmi_attrmap *map, struct graveyard *dead,
			  struct gmi_attrmap_dir *dir);

/* Without the lock. */
int gmi_attrmap_add_spare(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
			  enum kind kind);
void gmi_attrmap_drop_spares(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve);
void gmi_attrmap_free_dead(const struct gmem_allocator *alloc, const struct graveyard *dead);

/* attrmap_split.c. Attaches all that a change needs. Drops the lock for the allocator and begins
 * anew then, but keeps what is attached, since the caller holds the map. Returns 0 or -ENOMEM. */
int gmi_attrmap_ensure(const struct change *ch, struct gmi_attrmap_reserve *reserve);

/* Takes the idle child of a uniform word, or slot, into use. */
void gmi_attrmap_revive(struct gmi_attrmap *map, _Atomic uint64_t *at,
			struct gmi_attrmap_node *node);
void gmi_attrmap_revive_leaf(struct gmi_attrmap_table *table, unsigned slot);

/* attrmap_set.c. Everything that the change needs is attached. */
void gmi_attrmap_apply(const struct change *ch);

#endif
