/* SPDX-License-Identifier: MIT */
/* Bound ranges: checked against each other, bound, adopted, unbound. */
#include <errno.h>

#include "alloc.h"
#include "core_listener.h"
#include "core_slot.h"
#include "discard.h"
#include "errinfo.h"
#include "opts.h"
#include "slot_check.h"
#include "wishes.h"

static struct gmem_slot *make(struct gmem_vm *vm, struct gmem_range gpa,
			      const struct gmem_slot_opts *opts)
{
	struct gmem_slot *slot = gmi_zalloc(&vm->ctx->allocator, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->vm = gmi_vm_get(vm);
	slot->file = opts->file ? gmi_file_get(opts->file) : NULL;
	slot->flags = opts->flags & (GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY);
	if (slot->file && slot->file->denied & GMEM_RIGHT_WRITE)
		slot->flags |= GMEM_SLOT_READONLY;
	slot->address_space = opts->address_space;
	slot->backing_fd = -1;
	slot->gpa = gpa;
	slot->offset = opts->offset;
	slot->hva = opts->hva;
	slot->backing_page = opts->backing_page ? opts->backing_page : GMEM_PAGE_SIZE;
	return slot;
}

/* Without the VM's locks: the last reference to a file takes one. */
static void destroy(struct gmem_slot *slot)
{
	struct gmem_vm *vm = slot->vm;

	if (slot->file)
		gmi_file_put(slot->file);
	gmi_backing_free(slot);
	gmi_free(&vm->ctx->allocator, slot);
	gmi_vm_put(vm);
}

static struct gmem_range file_range(const struct gmem_slot *slot)
{
	return (struct gmem_range){.start = slot->offset, .size = slot->gpa.size};
}

/* Only binders change the maps, and they hold bind_lock as the caller does. */
static int check_free(const struct gmem_slot *slot)
{
	const struct gmi_rangemap_entry *other;

	other = gmi_rangemap_overlap(gmi_slot_index_shown(&slot->vm->slots, slot->address_space),
				     slot->gpa);
	if (other) {
		gmi_error(-EEXIST, "guest addresses from %#llx on are bound already",
			  (unsigned long long)other->range.start);
		return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
	}
	if (!slot->file)
		return 0;
	other = gmi_rangemap_overlap(&slot->file->bound, file_range(slot));
	if (other) {
		gmi_error(-EEXIST, "offsets of the file from %#llx on are bound already",
			  (unsigned long long)other->range.start);
		return gmi_at_offset(slot->offset, slot->gpa.size);
	}
	return 0;
}

static int reserve(struct gmem_slot *slot)
{
	const struct gmem_allocator *allocator = &slot->vm->ctx->allocator;
	int ret = gmi_slot_index_reserve(&slot->vm->slots, slot->address_space, allocator);

	if (!ret && slot->file)
		ret = gmi_rangemap_reserve(&slot->file->bound, slot->file->bound.count + 1,
					   allocator);
	return ret ? gmi_error_memory() : 0;
}

static int take_ids(struct gmem_slot *slot, const struct gmem_slot_opts *opts)
{
	struct gmi_slot_ids *ids = &slot->vm->ids[slot->address_space];
	uint64_t count = gmi_slot_count_pieces(slot->gpa);
	int ret;

	if (count > ids->limit)
		return gmi_error(-ENOSPC, "the range needs %llu memslots, KVM has %u",
				 (unsigned long long)count, ids->limit);
	slot->slot_count = (uint32_t)count;
	if (!(opts->flags & GMEM_SLOT_ID)) {
		ret = gmi_slot_ids_take(ids, slot->slot_count, &slot->slot_id);
		return ret ? gmi_error(ret, "no %u memslot ids in a row are left", slot->slot_count)
			   : 0;
	}
	slot->slot_id = opts->slot_id;
	ret = gmi_slot_ids_claim(ids, slot->slot_id, slot->slot_count);
	if (ret == -EINVAL)
		gmi_error_arg("slot_id", "KVM has no ids beyond %u", ids->limit - 1);
	else if (ret)
		gmi_error(ret, "memslot id %u is taken", slot->slot_id);
	return ret ? gmi_at_slot(slot->slot_id) : 0;
}

static void release_ids(struct gmem_slot *slot)
{
	gmi_slot_ids_release(&slot->vm->ids[slot->address_space], slot->slot_id, slot->slot_count);
}

/* For the info functions, which are not to wait for a binder. */
static void count(struct gmem_slot *slot, int sign)
{
	uint64_t bytes = sign > 0 ? slot->gpa.size : -slot->gpa.size;
	uint32_t slots = sign > 0 ? slot->slot_count : -slot->slot_count;

	atomic_fetch_add_explicit(&slot->vm->slot_count, slots, memory_order_relaxed);
	atomic_fetch_add_explicit(&slot->vm->bytes_bound, bytes, memory_order_relaxed);
	if (slot->file)
		atomic_fetch_add_explicit(&slot->file->bytes_bound, bytes, memory_order_relaxed);
}

static void commit(struct gmem_slot *slot)
{
	struct gmem_vm *vm = slot->vm;

	if (slot->file)
		gmi_rangemap_insert(&slot->file->bound, file_range(slot), slot);
	gmi_slot_index_insert(&vm->slots, slot->address_space, slot->gpa, slot, &vm->ctx->sys);
	count(slot, 1);
}

static void forget_range(struct gmem_slot *slot)
{
	struct gmem_vm *vm = slot->vm;

	gmi_slot_index_remove(&vm->slots, slot->address_space, slot->gpa.start, &vm->ctx->sys);
	if (slot->file)
		gmi_rangemap_remove(&slot->file->bound, slot->offset);
	count(slot, -1);
	gmi_discard_forget(slot);
}

static void forget(struct gmem_slot *slot)
{
	forget_range(slot);
	release_ids(slot);
}

/*
 * Memslots that KVM kept although the range was given up: their ids stay taken and their backing
 * mapped, for a guest may still reach it, until KVM lets go of them. They hold no reference, so
 * that the VM can end, which ends them.
 */
static void keep_stuck(struct gmem_slot *slot)
{
	struct gmem_vm *vm = slot->vm;

	gmi_log(vm->ctx, "KVM keeps %u memslots from id %u on of a range that could not be bound",
		slot->live, slot->slot_id);
	gmi_vm_lock(vm);
	slot->next_stuck = vm->stuck;
	vm->stuck = slot;
	gmi_vm_unlock(vm);
	if (slot->file)
		gmi_file_put(slot->file);
	slot->file = NULL;
	gmi_vm_put(vm);
}

static void free_stuck(struct gmem_slot *slot)
{
	gmi_backing_free(slot);
	gmi_free(&slot->vm->ctx->allocator, slot);
}

/* With bind_lock. */
static void retry_stuck(struct gmem_vm *vm)
{
	struct gmem_slot **at = &vm->stuck;
	struct gmem_slot *slot;

	while ((slot = *at)) {
		gmi_slot_drop_memslots(slot);
		if (slot->live) {
			at = &slot->next_stuck;
			continue;
		}
		*at = slot->next_stuck;
		release_ids(slot);
		free_stuck(slot);
	}
}

void gmi_slot_free_stuck(struct gmem_vm *vm)
{
	struct gmem_slot *slot;

	while ((slot = vm->stuck)) {
		vm->stuck = slot->next_stuck;
		free_stuck(slot);
	}
}

/* What was asked for before the range was bound holds before a guest can reach it. */
static int bind_memslots(struct gmem_slot *slot, uint32_t flags, struct gmi_wishes *wishes)
{
	int ret = gmi_backing_make(slot, flags);

	if (!ret)
		ret = gmi_wishes_grant(wishes);
	if (ret)
		return ret;
	ret = gmi_slot_make_memslots(slot);
	if (ret)
		gmi_wishes_undo(wishes);
	return ret;
}

static int tell_listeners(struct gmem_slot *slot)
{
	struct gmem_errinfo record;
	int ret = gmi_listeners_bind(slot);

	if (!ret)
		return 0;
	record = *gmem_errinfo();
	forget_range(slot);
	if (slot->flags & GMEM_SLOT_ADOPTED)
		slot->live = 0;
	else
		gmi_slot_drop_memslots(slot);
	if (!slot->live)
		release_ids(slot);
	gmi_errinfo_restore(&record);
	return ret;
}

/* What was asked for before is granted for good once nobody can refuse the range any more. */
static int show(struct gmem_slot *slot, struct gmi_wishes *wishes)
{
	int ret;

	commit(slot);
	ret = tell_listeners(slot);
	if (ret)
		gmi_wishes_undo(wishes);
	else
		gmi_wishes_keep(wishes);
	return ret;
}

/* With bind_lock. On failure nothing is left but memslots that KVM kept: @live. */
static int act(struct gmem_slot *slot, const struct gmem_slot_opts *opts, bool adopt)
{
	struct gmi_wishes wishes = {.slot = slot};
	int ret;

	ret = gmi_vm_check_kept(slot->vm);
	if (ret)
		return ret;
	retry_stuck(slot->vm);
	ret = check_free(slot);
	if (!ret)
		ret = reserve(slot);
	if (!ret)
		ret = take_ids(slot, opts);
	if (ret)
		return ret;
	if (adopt) {
		slot->flags |= GMEM_SLOT_ADOPTED;
		ret = gmi_wishes_grant(&wishes);
		slot->live = ret ? 0 : slot->slot_count;
	} else {
		ret = bind_memslots(slot, opts->flags, &wishes);
	}
	if (!ret)
		return show(slot, &wishes);
	if (!slot->live)
		release_ids(slot);
	return ret;
}

static int check_args(const struct gmem_vm *vm, struct gmem_range gpa,
		      const struct gmem_slot_opts *in, struct gmem_slot_opts *ret_opts,
		      struct gmem_slot **ret_slot)
{
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (!in)
		return gmi_error_arg("opts", "a NULL pointer: nothing to bind");
	if (!ret_slot)
		return gmi_error_arg("ret_slot", "a NULL pointer");
	ret = gmi_opts_get(ret_opts, sizeof(*ret_opts), in);
	return ret ? ret : gmi_slot_check(vm, gpa, ret_opts);
}

static int bind_made(struct gmem_slot *slot, const struct gmem_slot_opts *opts, bool adopt,
		     struct gmem_slot **ret_slot)
{
	struct gmem_vm *vm = slot->vm;
	int ret = adopt ? 0 : gmi_backing_prepare(slot, opts->flags);

	gmi_vm_lock(vm);
	if (!ret && gmi_discard_prepare(slot))
		ret = gmi_error_memory();
	if (!ret)
		ret = act(slot, opts, adopt);
	if (ret)
		gmi_discard_forget(slot);
	gmi_vm_unlock(vm);
	if (!ret)
		*ret_slot = slot;
	else if (slot->live)
		keep_stuck(slot);
	else
		destroy(slot);
	return ret;
}

static int bind(struct gmem_vm *vm, struct gmem_range gpa, const struct gmem_slot_opts *opts,
		bool adopt, struct gmem_slot **ret_slot)
{
	struct gmem_slot *slot = make(vm, gpa, opts);

	return slot ? bind_made(slot, opts, adopt, ret_slot) : gmi_error_memory();
}

/* A mapping of the old file keeps the old VM; a memfd, and what a view maps, is the same for both. */
static bool shares_backing(const struct gmem_slot *old, const struct gmem_file *file)
{
	return old->backing && (old->backing_fd >= 0 || (file && gmi_file_is_view(file)));
}

int gmi_slot_bind_like(struct gmem_vm *vm, const struct gmem_slot *old, struct gmem_file *file,
		       struct gmem_slot **ret_slot)
{
	const struct gmem_slot_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_ID | (old->hva ? 0 : GMEM_SLOT_NO_HVA) |
			 (old->flags & (GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY)),
		.slot_id = old->slot_id,
		.address_space = old->address_space,
		.file = file,
		.offset = old->offset,
		.hva = old->backing ? NULL : old->hva,
		.backing_page = old->backing_page,
	};
	struct gmem_slot *slot;
	int ret = gmi_slot_check(vm, old->gpa, &opts);

	if (ret)
		return ret;
	slot = make(vm, old->gpa, &opts);
	if (!slot)
		return gmi_error_memory();
	if (shares_backing(old, file))
		gmi_backing_share(slot, old);
	return bind_made(slot, &opts, false, ret_slot);
}

GMEM_API int gmem_slot_bind(struct gmem_vm *vm, uint64_t gpa, uint64_t size,
			    const struct gmem_slot_opts *opts, struct gmem_slot **ret_slot)
{
	struct gmem_range range = {.start = gpa, .size = size};
	struct gmem_slot_opts known = {.sz = sizeof(known)};
	int ret = check_args(vm, range, opts, &known, ret_slot);

	return gmi_result(__func__, ret ? ret : bind(vm, range, &known, false, ret_slot));
}

GMEM_API int gmem_slot_adopt(struct gmem_vm *vm, uint64_t gpa, uint64_t size,
			     const struct gmem_slot_opts *opts, struct gmem_slot **ret_slot)
{
	struct gmem_range range = {.start = gpa, .size = size};
	struct gmem_slot_opts known = {.sz = sizeof(known)};
	int ret = check_args(vm, range, opts, &known, ret_slot);

	if (!ret && !(known.flags & GMEM_SLOT_ID))
		ret = gmi_error_arg("flags", "a range that the VMM has bound has a memslot id: "
					     "GMEM_SLOT_ID");
	return gmi_result(__func__, ret ? ret : bind(vm, range, &known, true, ret_slot));
}

/* Listeners map again what stays bound. */
static int delete_memslots(struct gmem_slot *slot)
{
	int ret = gmi_slot_delete_memslots(slot);
	struct gmem_errinfo record;

	if (ret && ret != -ESTALE) {
		record = *gmem_errinfo();
		gmi_listeners_bind(slot);
		gmi_errinfo_restore(&record);
	}
	return ret;
}

/* -ESTALE is success with a message: a dead VM has no memslots to delete. */
static int unbind(struct gmem_slot *slot)
{
	struct gmem_vm *vm;
	int ret = 0;

	if (!slot)
		return gmi_error_arg("slot", "a NULL pointer");
	vm = slot->vm;
	gmi_vm_lock(vm);
	ret = gmi_listeners_unbind(slot);
	if (!ret && !(slot->flags & GMEM_SLOT_ADOPTED))
		ret = delete_memslots(slot);
	if (!ret || ret == -ESTALE)
		forget(slot);
	gmi_vm_unlock(vm);
	if (!ret || ret == -ESTALE)
		destroy(slot);
	return ret;
}

void gmi_slot_give_up(struct gmem_slot *slot)
{
	struct gmem_vm *vm = slot->vm;

	gmi_vm_lock(vm);
	gmi_listeners_unbind(slot);
	gmi_slot_drop_memslots(slot);
	forget_range(slot);
	if (!slot->live)
		release_ids(slot);
	gmi_vm_unlock(vm);
	if (slot->live)
		keep_stuck(slot);
	else
		destroy(slot);
}

GMEM_API int gmem_slot_unbind(struct gmem_slot *slot)
{
	return gmi_result(__func__, unbind(slot));
}
