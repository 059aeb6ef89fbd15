/* SPDX-License-Identifier: MIT */
/* What a change through one view of an inode means for the other VMs on it. */
#include "views.h"

#include "core_listener.h"
#include "discard.h"
#include "inode.h"
#include "range.h"

/* Where a walk over the other VMs' bound parts is. */
struct walk {
	const struct gmem_file *self;
	struct gmem_range offsets;
	struct gmem_file *file;
	size_t entry;
	struct gmi_part part; /* the one that is bound, of which @delta bytes were visited */
	uint64_t delta;
};

static struct gmem_file *next_file(const struct walk *walk)
{
	struct gmem_file *file = walk->file;

	do {
		file = gmi_inode_next_bound(walk->self->inode, file);
	} while (file && file->vm == walk->self->vm);
	return file;
}

static struct walk begin(struct gmem_file *self, struct gmem_range offsets)
{
	struct walk walk = {.self = self, .offsets = offsets};

	if (self->inode)
		walk.file = next_file(&walk);
	return walk;
}

/* The part of a bound range whose offsets are in the walk's. */
static bool cut(const struct walk *walk, const struct gmi_rangemap_entry *entry,
		struct gmi_part *ret_part)
{
	struct gmem_range both = gmi_range_intersect(entry->range, walk->offsets);
	struct gmem_slot *slot = entry->value;

	*ret_part = (struct gmi_part){
		.slot = slot,
		.gpa = slot->gpa.start + (both.start - slot->offset),
		.size = both.size,
	};
	return both.size;
}

/* The next part that is bound to offsets in the range, of any other VM. */
static bool next_bound(struct walk *walk)
{
	while (walk->file) {
		const struct gmi_rangemap *bound = &walk->file->bound;

		while (walk->entry < bound->count)
			if (cut(walk, &bound->entries[walk->entry++], &walk->part))
				return true;
		walk->file = next_file(walk);
		walk->entry = 0;
	}
	return false;
}

/* The next run of one state; false at the end. */
static bool next_run(struct walk *walk, struct gmi_part *ret_part, int *ret_state)
{
	struct gmi_part rest;
	uint64_t size;

	if (walk->delta == walk->part.size) {
		walk->delta = 0;
		walk->part.size = 0;
		if (!next_bound(walk))
			return false;
	}
	rest = walk->part;
	rest.gpa += walk->delta;
	rest.size -= walk->delta;
	*ret_state = gmi_part_state(rest.slot->vm, &rest, 0, &size);
	rest.size = size;
	walk->delta += size;
	*ret_part = rest;
	return true;
}

static bool next_shared(struct walk *walk, struct gmi_part *ret_part)
{
	int state;

	while (next_run(walk, ret_part, &state))
		if (state == GMEM_SHARED)
			return true;
	return false;
}

static int tell(const struct gmi_part *part, bool map)
{
	return map ? gmi_listeners_map(part) : gmi_listeners_unmap(part);
}

static void take_back(struct gmem_file *file, struct gmem_range offsets, bool map, size_t told)
{
	struct walk walk = begin(file, offsets);
	struct gmi_part part;

	while (told-- && next_shared(&walk, &part))
		tell(&part, !map);
}

static int tell_all(struct gmem_file *file, struct gmem_range offsets, bool map,
		    struct gmi_part *ret_part)
{
	struct walk walk = begin(file, offsets);
	size_t told = 0;
	int ret = 0;

	for (; !ret && next_shared(&walk, ret_part); told++)
		ret = tell(ret_part, map);
	if (ret)
		take_back(file, offsets, map, told - 1);
	return ret;
}

int gmi_views_map(struct gmem_file *file, struct gmem_range offsets, struct gmi_part *ret_part)
{
	return tell_all(file, offsets, true, ret_part);
}

int gmi_views_unmap(struct gmem_file *file, struct gmem_range offsets, struct gmi_part *ret_part)
{
	return tell_all(file, offsets, false, ret_part);
}

/* With two backings what is shared lies elsewhere; with one all of it is in the file. */
bool gmi_views_need(struct gmem_file *file, struct gmem_range offsets)
{
	struct walk walk = begin(file, offsets);
	struct gmi_part part;
	int state;

	while (next_run(&walk, &part, &state))
		if (state == GMEM_PRIVATE || !gmi_slot_has_two_backings(part.slot))
			return true;
	return false;
}
