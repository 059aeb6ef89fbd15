/* SPDX-License-Identifier: MIT */
/* The attribute map: which 4K pages are private, which shared; shaped like the page tables. */
#ifndef GMI_ATTRMAP_H
#define GMI_ATTRMAP_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libgmem/types.h>

#include "epoch.h"

/**
 * DOC: What is promised
 *
 * Ranges are in bytes, of whole pages, not empty, inside [0, limit); else -EINVAL and nothing
 * changed.
 *
 * Writers (set, load, reserve, unreserve, reclaim) may be called from any thread: a mutex in the
 * map lets one in at a time. It is not held while the allocator is called.
 *
 * Readers (everything else but destroy) take no lock, never wait for the writer, and touch no
 * memory that was given back. Every page is read once, and its answer is the state that it had at
 * some moment between the call and the return. Different pages of one answer may be of different
 * moments: a set of many pages is seen half done. With no writer at work the answer is exact. A
 * sum (gmi_attrmap_count(), gmi_attrmap_private_bytes()) may lag behind a set until that set has
 * returned.
 *
 * A set, a load or a reserve that fails has changed nothing that a reader can see.
 *
 * A block that became uniform is one word in its parent. Its memory goes back to the allocator
 * when no reader can hold it: usually before the set returns, otherwise in a later set or in
 * gmi_attrmap_reclaim(). Two things stay, so that pages which change to and fro cost little: what
 * the last set merged at the ends of its range stays for one set more (at most two paths), and the
 * words of single gigabytes (8 bytes each, 16 KiB for 2 TiB) stay until their 2 TiB are set as a
 * whole or gmi_attrmap_reclaim() is called.
 */

#define GMI_ATTRMAP_LIMIT_MAX (UINT64_C(1) << 52)

struct gmi_attrmap;

/** struct gmi_attrmap_run - a range of one state */
struct gmi_attrmap_run {
	uint64_t start;
	uint64_t size;
	enum gmem_state state;
};

/** struct gmi_attrmap_reserve - memory set aside for one set, on the caller's stack; opaque */
struct gmi_attrmap_reserve {
	uint64_t start;
	uint64_t end;
	void *spare[3];
};

/**
 * gmi_attrmap_create() - Make a map of [0, @limit), all of it in the state @initial
 * @alloc: where its memory comes from; copied
 * @limit: bytes, whole pages, 1 to GMI_ATTRMAP_LIMIT_MAX; fixed
 *
 * Takes 2.3 KiB and 8 bytes for each 2 TiB of @limit.
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int gmi_attrmap_create(const struct gmem_allocator *alloc, uint64_t limit, enum gmem_state initial,
		       struct gmi_attrmap **ret_map);

/* No reader and no writer may be inside. NULL is fine. */
void gmi_attrmap_destroy(struct gmi_attrmap *map);

/**
 * gmi_attrmap_set() - Make every page of a range private or shared
 *
 * Return: 0, -EINVAL (the range, or @state is neither), -ENOMEM (nothing changed)
 */
int gmi_attrmap_set(struct gmi_attrmap *map, uint64_t start, uint64_t size, enum gmem_state state);

/**
 * gmi_attrmap_reserve() - Set aside what a later set of a range could need
 * @ret_reserve: to be given to gmi_attrmap_unreserve(), whatever happens
 *
 * Until gmi_attrmap_unreserve(), whatever other writers do in between, gmi_attrmap_set_reserved()
 * does not fail for the whole range, nor for a first or last part of it (that is: the range may be
 * cut once, where the kernel stopped). While any reservation is held the map gives no memory back;
 * therefore returning pages to states that they had since the reservation was made cannot fail
 * either, which is what a roll-back needs.
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int gmi_attrmap_reserve(struct gmi_attrmap *map, uint64_t start, uint64_t size,
			struct gmi_attrmap_reserve *ret_reserve);

/**
 * gmi_attrmap_set_reserved() - gmi_attrmap_set() inside of a reserved range
 *
 * May be called any number of times. Only a second cut at a new place may need more memory.
 *
 * Return: 0, -EINVAL (not inside of the reserved range), -ENOMEM (as said above; nothing changed)
 */
int gmi_attrmap_set_reserved(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve,
			     uint64_t start, uint64_t size, enum gmem_state state);

/* A reservation that is all zero, or was given back already, is fine. */
void gmi_attrmap_unreserve(struct gmi_attrmap *map, struct gmi_attrmap_reserve *reserve);

/* Gives back all memory of uniform blocks that no reader and no reservation can need. */
void gmi_attrmap_reclaim(struct gmi_attrmap *map);

/** gmi_attrmap_limit() - What the map was made with */
uint64_t gmi_attrmap_limit(const struct gmi_attrmap *map);

/** gmi_attrmap_private_bytes() - How much of the map is private; O(1) */
uint64_t gmi_attrmap_private_bytes(const struct gmi_attrmap *map);

/** gmi_attrmap_footprint() - Bytes that the map holds of its allocator */
uint64_t gmi_attrmap_footprint(const struct gmi_attrmap *map);

/** gmi_attrmap_count() - How much of a range is private; visits only nodes at its ends */
int gmi_attrmap_count(struct gmi_attrmap *map, uint64_t start, uint64_t size,
		      uint64_t *ret_private);

/** gmi_attrmap_query() - The state of a range. Return: GMEM_SHARED, _PRIVATE, _MIXED; -EINVAL */
int gmi_attrmap_query(struct gmi_attrmap *map, uint64_t start, uint64_t size);

/**
 * gmi_attrmap_next_run() - The run that begins at @start and ends at a change of state or at @end
 *
 * A cursor: for (p = start; gmi_attrmap_next_run(map, p, end, &run) > 0; p = run.start + run.size)
 * visits all of [start, end). Nothing is held between two calls.
 *
 * Return: 1, 0 where @start equals @end, -EINVAL
 */
int gmi_attrmap_next_run(struct gmi_attrmap *map, uint64_t start, uint64_t end,
			 struct gmi_attrmap_run *ret_run);

/**
 * gmi_attrmap_next_boundary() - Where the state of the page at @start ends, at most @end
 *
 * Return: 0, -EINVAL
 */
int gmi_attrmap_next_boundary(struct gmi_attrmap *map, uint64_t start, uint64_t end,
			      uint64_t *ret_boundary);

/**
 * gmi_attrmap_block() - The largest aligned block of one state around a page: 4K, 2M or 1G
 * @addr: any page; need not be where the block begins
 *
 * A block lies inside of the map's limit.
 *
 * Return: 0, -EINVAL
 */
int gmi_attrmap_block(struct gmi_attrmap *map, uint64_t addr, struct gmi_attrmap_run *ret_block);

/**
 * gmi_attrmap_compare() - Find the first page of a range that differs between two maps
 * @ret_addr: that page; written only where there is one
 *
 * Return: 0 where they are equal, 1 where they differ, -EINVAL
 */
int gmi_attrmap_compare(struct gmi_attrmap *a, struct gmi_attrmap *b, uint64_t start, uint64_t size,
			uint64_t *ret_addr);

/**
 * gmi_attrmap_save() - Write a range as runs, in order and without gaps, neighbours of unlike state
 * @runs:   room for @nr_runs; NULL to learn how many there are
 * @ret_nr: how many the range has; set with -ENOSPC too
 *
 * Return: 0, -EINVAL, -ENOSPC (the first @nr_runs were written)
 */
int gmi_attrmap_save(struct gmi_attrmap *map, uint64_t start, uint64_t size,
		     struct gmi_attrmap_run *runs, size_t nr_runs, size_t *ret_nr);

/**
 * gmi_attrmap_load() - Set many runs, all or none
 *
 * The runs may be hostile: each must be a valid range of this map, private or shared, and begin at
 * or behind the end of the one before it. Pages in no run keep their state. One run makes the map
 * grow by at most 44 KiB; who takes runs from others bounds their number.
 *
 * Return: 0, -EINVAL (checked before anything is changed), -ENOMEM
 */
int gmi_attrmap_load(struct gmi_attrmap *map, const struct gmi_attrmap_run *runs, size_t nr_runs);

/*
 * From here on the layout, which only gmi_attrmap_lookup() and the tests may use.
 *
 *   top:   a word for each 2 TiB, in the map itself: one for most guests, 32 for 64 TiB, 2048
 *          (16 KiB) for all that 52 bits of guest address can name
 *   dir:   a word for each 1G of one word of the top. Its 2048 words make the tree four loads deep
 *          for every size of guest; a map below 2 TiB has shorter ones.
 *   table: a number for each 2M of one word of a dir, and the leaves of this 1G
 *   leaf:  a bit for each 4K
 *
 * The alternative of one directory sized to the limit would be 512 KiB for 64 TiB and 32 MiB for 52
 * bits, before the first page is shared.
 *
 * A word is a child (a pointer; in a table 4 x (the leaf's number + 1); 0 for none) and two flags:
 * UNIFORM, and with it PRIVATE. A child of a uniform word is idle: it stays attached to its place,
 * invisible to readers, until no reader that came earlier can be in it, and is taken into use
 * again when the place splits before that. So a node serves one place only, a late reader in it
 * finds a state that its pages had while it was there, and the map never holds more than the full
 * tree has.
 *
 * Leaves have numbers, and tables hold them in chunks of 64, because an allocation of 64 bytes
 * costs 80: the worst case is 1.05 bits a page including the allocator's headers. The pointers to
 * the chunks fill one cache line, which is fetched while the slot is.
 */

#define GMI_ATTRMAP_UNIFORM UINT64_C(1)
#define GMI_ATTRMAP_PRIVATE UINT64_C(2)
#define GMI_ATTRMAP_FLAGS   UINT64_C(3)

#define GMI_ATTRMAP_TOP_SHIFT   41u
#define GMI_ATTRMAP_DIR_SHIFT   30u
#define GMI_ATTRMAP_TABLE_SHIFT 21u
#define GMI_ATTRMAP_PAGE_SHIFT  12u

#define GMI_ATTRMAP_DIR_WORDS    2048u
#define GMI_ATTRMAP_TABLE_SLOTS  512u
#define GMI_ATTRMAP_CHUNKS       8u
#define GMI_ATTRMAP_CHUNK_LEAVES 64u

struct gmi_attrmap_leaf {
	_Atomic uint64_t bits[8]; /* 1: private */
};

struct gmi_attrmap_chunk {
	struct gmi_attrmap_leaf leaf[GMI_ATTRMAP_CHUNK_LEAVES];
};

/* The common part of a dir and a table. All but pages is the writer's alone. */
struct gmi_attrmap_node {
	_Atomic uint64_t pages;        /* private ones */
	_Atomic uint64_t *where;       /* the parent's word */
	struct gmi_attrmap_node *prev; /* in the map's queue of nodes with something to give back */
	struct gmi_attrmap_node *next; /* NULL: not in it */
	uint64_t since;                /* the epoch in which it came into the queue */
	uint32_t content; /* enum gmem_state of all its words; GMEM_MIXED while in use */
	uint8_t is_table;
	uint8_t discard; /* not worth keeping for one set more */
};

struct gmi_attrmap_dir {
	struct gmi_attrmap_node node;
	_Atomic uint64_t word[];
};

struct gmi_attrmap_table {
	struct gmi_attrmap_node node;
	_Atomic(struct gmi_attrmap_chunk *) chunk[GMI_ATTRMAP_CHUNKS];
	uint64_t avail[GMI_ATTRMAP_CHUNKS]; /* by chunk: its leaves that no slot has */
	uint64_t idle[8];                   /* by slot: those with an idle leaf */
	uint64_t nr_idle;
	_Atomic uint64_t
		slots[GMI_ATTRMAP_TABLE_SLOTS / 4]; /* 16 bits each: number + 1, two flags */
};

struct gmi_attrmap {
	uint64_t limit;
	uint64_t end; /* of what the tree spans; pages behind the limit follow the last */
	uint32_t nr_top;
	uint32_t nr_words; /* of each dir */
	struct gmem_allocator alloc;
	struct gmi_epoch epoch;
	_Atomic uint64_t private_bytes;
	_Atomic uint64_t bytes;
	pthread_mutex_t lock; /* guards the rest, and every store to the tree */
	uint64_t pages;       /* private ones, with those behind the limit */
	uint64_t holds;       /* while not 0 nothing is given back */
	uint64_t last_set;    /* the epoch of the last set */
	struct gmi_attrmap_node queue;
	uint64_t pad[8]; /* readers' words, writers' fields: different cache lines */
	_Atomic uint64_t top[];
};

/* Where a walk ends: a leaf, or the uniform block of 1 << shift bytes that holds the address. */
struct gmi_attrmap_spot {
	const struct gmi_attrmap_leaf *leaf;
	uint32_t shift;
	uint32_t state;
};

static inline unsigned gmi_attrmap_index(uint64_t addr, unsigned shift, unsigned entries)
{
	return (unsigned)(addr >> shift) & (entries - 1);
}

static inline struct gmi_attrmap_spot gmi_attrmap_uniform(uint64_t word, unsigned shift)
{
	return (struct gmi_attrmap_spot){.shift = shift, .state = (uint32_t)(word >> 1) & 1};
}

static inline uint64_t gmi_attrmap_slot(const struct gmi_attrmap_table *table, unsigned slot)
{
	return atomic_load(&table->slots[slot / 4]) >> (slot % 4 * 16) & 0xffff;
}

/* @word is that of a slot with a leaf, live or idle. */
static inline struct gmi_attrmap_leaf *gmi_attrmap_leaf(const struct gmi_attrmap_table *table,
							uint64_t word)
{
	uint64_t number = (word >> 2) - 1;
	struct gmi_attrmap_chunk *chunk = atomic_load_explicit(
		&table->chunk[number / GMI_ATTRMAP_CHUNK_LEAVES], memory_order_relaxed);

	return &chunk->leaf[number % GMI_ATTRMAP_CHUNK_LEAVES];
}

/* Called inside of the epoch or by the writer. @addr is below the limit. */
static inline struct gmi_attrmap_spot gmi_attrmap_find(const struct gmi_attrmap *map, uint64_t addr)
{
	const struct gmi_attrmap_dir *dir;
	const struct gmi_attrmap_table *table;
	uint64_t word = atomic_load(&map->top[addr >> GMI_ATTRMAP_TOP_SHIFT]);

	if (word & GMI_ATTRMAP_UNIFORM)
		return gmi_attrmap_uniform(word, GMI_ATTRMAP_TOP_SHIFT);
	dir = (const struct gmi_attrmap_dir *)(uintptr_t)word;
	word = atomic_load(
		&dir->word[gmi_attrmap_index(addr, GMI_ATTRMAP_DIR_SHIFT, GMI_ATTRMAP_DIR_WORDS)]);
	if (word & GMI_ATTRMAP_UNIFORM)
		return gmi_attrmap_uniform(word, GMI_ATTRMAP_DIR_SHIFT);
	table = (const struct gmi_attrmap_table *)(uintptr_t)word;
	__builtin_prefetch(table->chunk);
	word = gmi_attrmap_slot(
		table, gmi_attrmap_index(addr, GMI_ATTRMAP_TABLE_SHIFT, GMI_ATTRMAP_TABLE_SLOTS));
	if (word & GMI_ATTRMAP_UNIFORM)
		return gmi_attrmap_uniform(word, GMI_ATTRMAP_TABLE_SHIFT);
	return (struct gmi_attrmap_spot){.leaf = gmi_attrmap_leaf(table, word)};
}

static inline uint32_t gmi_attrmap_bit(const struct gmi_attrmap_leaf *leaf, uint64_t addr)
{
	unsigned page = gmi_attrmap_index(addr, GMI_ATTRMAP_PAGE_SHIFT, 512);

	return atomic_load_explicit(&leaf->bits[page / 64], memory_order_acquire) >> (page % 64) &
	       1;
}

/**
 * gmi_attrmap_lookup() - The state of the page that holds @addr
 * @addr: need not be aligned
 *
 * Return: GMEM_SHARED, GMEM_PRIVATE; -EINVAL where @addr is at or behind the limit
 */
static inline int gmi_attrmap_lookup(struct gmi_attrmap *map, uint64_t addr)
{
	struct gmi_attrmap_spot spot;
	unsigned ticket;

	if (addr >= map->limit)
		return -EINVAL;
	ticket = gmi_epoch_enter(&map->epoch);
	spot = gmi_attrmap_find(map, addr);
	if (spot.leaf)
		spot.state = gmi_attrmap_bit(spot.leaf, addr);
	gmi_epoch_exit(&map->epoch, ticket);
	return (int)spot.state;
}

#endif
