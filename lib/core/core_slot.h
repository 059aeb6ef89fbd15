/* SPDX-License-Identifier: MIT */
/* The bound range as its makers and users see it. */
#ifndef GMI_CORE_SLOT_H
#define GMI_CORE_SLOT_H

#include <libgmem/slot.h>

#include "core_file.h"

struct gmi_backing;

/* Once the range is bound, bind_lock guards @live and all from @is_anonymous on; the rest is constant. */
struct gmem_slot {
	struct gmem_vm *vm;     /* a reference */
	struct gmem_file *file; /* a reference, or NULL */
	uint32_t flags;         /* GMEM_SLOT_…, as in struct gmem_slot_info */
	uint32_t address_space;
	uint32_t slot_id;
	uint32_t slot_count;         /* memslots that the range is made of */
	uint32_t live;               /* of them KVM has the first @live */
	int backing_fd;              /* memfd behind @hva, or -1; @backing's */
	uint64_t backing_offset;     /* where in it @hva begins */
	struct gmi_backing *backing; /* a reference to @hva where it is libgmem's, or NULL */
	struct gmem_range gpa;
	uint64_t offset;
	void *hva;
	uint64_t backing_page; /* bytes of the pages behind @hva */
	bool is_anonymous;     /* @hva was found to be no mapping of a file */
	struct gmi_attrmap
		*stale; /* of two backings, the side out of view may hold pages; NULL of one */
	struct gmi_attrmap *pending; /* those of them that wait to be discarded; NULL of one */
	struct gmem_slot *next_stuck;
};

/* Whether the kernel knows the range as one of guest_memfd: not so where it is a view. */
static inline bool gmi_slot_has_gmem(const struct gmem_slot *slot)
{
	return slot->file && !gmi_file_is_view(slot->file);
}

/* slot_split.c: the largest memslot, and how many of them a range takes. */
uint64_t gmi_slot_piece(struct gmem_range rest);
uint64_t gmi_slot_count_pieces(struct gmem_range gpa);

/* slot_kvm.c: make all memslots of a range, or none; delete all, or none. Codes with a record; on
 * failure @live tells what KVM has where undoing failed too. */
int gmi_slot_make_memslots(struct gmem_slot *slot);
int gmi_slot_delete_memslots(struct gmem_slot *slot);

/* Deletes what it can, without a record. */
void gmi_slot_drop_memslots(struct gmem_slot *slot);

/* backing.c: @hva of a range whose caller gave none; first the memory for it. 0 or -errno with a
 * record. */
int gmi_backing_prepare(struct gmem_slot *slot, uint32_t wish);
int gmi_backing_make(struct gmem_slot *slot, uint32_t wish);
void gmi_backing_free(struct gmem_slot *slot);

/*
 * Makes a range that is bound to a mapping of libgmem's its owner. First the memory for it, in which
 * the mapping and its descriptor go with @backing's end.
 */
struct gmi_backing *gmi_backing_create(const struct gmem_ctx *ctx);
void gmi_backing_give(struct gmem_slot *slot, struct gmi_backing *backing, int fd, uint64_t offset);

/* The same memory for a range of another VM. */
void gmi_backing_share(struct gmem_slot *slot, const struct gmem_slot *from);

/*
 * slot.c: binds in @vm what @old is in another: the same addresses and ids, @file (or NULL) in place
 * of its file, and its backing as far as that is not the file's. 0 or -errno with a record.
 */
int gmi_slot_bind_like(struct gmem_vm *vm, const struct gmem_slot *old, struct gmem_file *file,
		       struct gmem_slot **ret_slot);

/* slot.c: unbinds, whatever it takes: what KVM does not let go of ends with the VM. */
void gmi_slot_give_up(struct gmem_slot *slot);

/* slot.c: frees what a VM that is gone had left in @stuck. */
void gmi_slot_free_stuck(struct gmem_vm *vm);

#endif
