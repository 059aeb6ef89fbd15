/* SPDX-License-Identifier: MIT */
/* Private and shared as the VM keeps it: where the state lives, and what hangs from it. */
#ifndef GMI_CORE_ATTR_H
#define GMI_CORE_ATTR_H

#include <stdbool.h>

#include <libgmem/attr.h>

#include "attrmap.h"

struct gmem_listener;
struct gmem_slot;
struct gmem_vm;
struct gmi_rangemap;

/* How a VM converts: decided when it is made, for its life. */
enum gmi_mechanism {
	GMI_CONVERT_NONE,
	GMI_CONVERT_VM,      /* by guest address, between two backings */
	GMI_CONVERT_INPLACE, /* by offset of the file */
};

/* Bytes that may wait for gmem_discard_drain() where the caller has not said otherwise. */
#define GMI_DISCARD_BUDGET (UINT64_C(1) << 30)

/* Part of a VM; its bind_lock guards all but what the maps do for readers by themselves. */
struct gmi_attrs {
	enum gmi_mechanism mechanism;
	struct gmi_attrmap
		*map; /* by guest address: the state; in place, what unbound pages shall be */
	struct gmi_attrmap *wished; /* in place: the pages of which @map says something */
	struct gmem_listener *listeners;
	uint64_t budget;  /* of bytes that may wait for gmem_discard_drain() */
	uint64_t pending; /* bytes that wait */
	uint64_t conversions;
	uint64_t discards;
	uint64_t failed_discards;
	uint64_t failed_prefaults;
	uint64_t retries;
};

/* 0 or -ENOMEM without a record. */
int gmi_attrs_init(struct gmi_attrs *attrs, const struct gmem_allocator *allocator,
		   enum gmi_mechanism mechanism);
void gmi_attrs_clear(struct gmi_attrs *attrs);

/* Whether something was converted by guest address, or is to be once it is bound. */
bool gmi_attrs_in_use(const struct gmi_attrs *attrs);

/* Exchanges what two VMs with one mechanism keep by guest address. */
void gmi_attrs_swap(struct gmi_attrs *a, struct gmi_attrs *b);

/* A range that lies in one bound range, or in a gap between them (@slot is NULL). */
struct gmi_part {
	struct gmem_slot *slot;
	uint64_t gpa;
	uint64_t size;
};

/* The part that begins at @gpa and ends at @end at the latest, of the bound ranges in @slots. */
struct gmi_part gmi_part_in(const struct gmi_rangemap *slots, uint64_t gpa, uint64_t end);

/* The same, of those that are bound now. With bind_lock. */
struct gmi_part gmi_part_at(struct gmem_vm *vm, uint64_t gpa, uint64_t end);

/* Where the state of a part is kept; @map is NULL where it can only be shared. */
struct gmi_place {
	struct gmi_attrmap *map;
	uint64_t start; /* what the first byte of the part is called in @map */
};

struct gmi_place gmi_place_of(const struct gmem_vm *vm, const struct gmi_part *part);

/* The run of one state that begins @delta bytes into the part; @size bytes, GMEM_PRIVATE or _SHARED. */
int gmi_part_state(const struct gmem_vm *vm, const struct gmi_part *part, uint64_t delta,
		   uint64_t *ret_size);

/* The checks of a range that all functions of attr.h share: 0 or -EINVAL with a record. */
int gmi_attr_check_range(const struct gmem_vm *vm, uint64_t gpa, uint64_t size);
int gmi_attr_check_state(uint32_t to);

/* What was asked for of unbound pages in place is not a wish any more: it is so, or void. */
void gmi_attr_forget_wishes(struct gmem_vm *vm, uint64_t gpa, uint64_t size);

/* Asks of @to, where nothing is bound there, what was asked of @from, in place. 0 or -ENOMEM with a
 * record. */
int gmi_attr_copy_wishes(struct gmem_vm *to, struct gmem_vm *from, uint64_t gpa, uint64_t size);

/* Whether a valid range could convert as far as bindings go, now. 0 or -errno with a record. */
int gmi_convert_check(struct gmem_vm *vm, const struct gmem_conversion *request);

#endif
