/* SPDX-License-Identifier: MIT */
/* Listeners of conversion: who is told what, in which order, and what happens when one refuses. */
#include <errno.h>

#include "alloc.h"
#include "core_listener.h"
#include "core_slot.h"
#include "errinfo.h"
#include "opts.h"
#include "range.h"

struct gmem_listener {
	struct gmem_vm *vm; /* a reference */
	struct gmem_listener_opts opts;
	struct gmem_listener *next; /* added later */
	struct gmem_listener *prev;
};

typedef int tell_fn(void *user, const struct gmem_listener_range *range);

static tell_fn *function(const struct gmem_listener *listener, bool map)
{
	return map ? listener->opts.map : listener->opts.unmap;
}

static struct gmem_listener_range describe(const struct gmem_slot *slot, uint64_t gpa,
					   uint64_t size)
{
	uint64_t delta = gpa - slot->gpa.start;
	bool is_file = slot->file && slot->file->flags & GMEM_FILE_MMAP;
	struct gmem_listener_range range = {
		.gpa = gpa,
		.size = size,
		.hva = (char *)slot->hva + delta,
		.fd = slot->backing_fd,
		.offset = slot->backing_offset + delta,
	};

	if (is_file) {
		range.fd = slot->file->fd;
		range.offset = slot->offset + delta;
	}
	if (range.fd < 0)
		range.offset = 0;
	return range;
}

/* The bytes from @gpa to the next border of the listener's blocks. */
static uint64_t block_size(const struct gmem_listener *listener, uint64_t gpa, uint64_t size)
{
	uint64_t block = listener->opts.max_block;
	uint64_t rest = block ? block - (gpa & (block - 1)) : size;

	return rest < size ? rest : size;
}

/* Tells one listener of [@gpa, @gpa + @size), block by block; @ret_told is what it accepted. */
static int tell(const struct gmem_listener *listener, const struct gmi_part *part, bool map,
		uint64_t *ret_told)
{
	struct gmem_listener_range range;
	int ret = 0;

	for (*ret_told = 0; *ret_told < part->size; *ret_told += range.size) {
		uint64_t gpa = part->gpa + *ret_told;

		range = describe(part->slot, gpa,
				 block_size(listener, gpa, part->size - *ret_told));
		ret = function(listener, map)(listener->opts.user, &range);
		if (ret)
			return ret;
	}
	return 0;
}

/* What a listener answers to a step back is not looked at: there is nowhere else to go. */
static void take_back(const struct gmem_listener *listener, struct gmi_part part, bool map,
		      uint64_t told)
{
	part.size = told;
	tell(listener, &part, !map, &told);
}

static struct gmem_listener *first(const struct gmi_attrs *attrs, bool map)
{
	struct gmem_listener *listener = attrs->listeners;

	while (!map && listener && listener->next)
		listener = listener->next;
	return listener;
}

static struct gmem_listener *following(const struct gmem_listener *listener, bool map)
{
	return map ? listener->next : listener->prev;
}

static int tell_all(const struct gmi_part *part, bool map)
{
	struct gmem_listener *listener;
	uint64_t told;
	int ret = 0;

	if (!part->slot || !part->slot->hva)
		return 0;
	for (listener = first(&part->slot->vm->attrs, map); listener;
	     listener = following(listener, map)) {
		ret = tell(listener, part, map, &told);
		if (ret)
			break;
	}
	if (!ret)
		return 0;
	take_back(listener, *part, map, told);
	while ((listener = following(listener, !map)))
		take_back(listener, *part, map, part->size);
	return ret;
}

int gmi_listeners_map(const struct gmi_part *part)
{
	return tell_all(part, true);
}

int gmi_listeners_unmap(const struct gmi_part *part)
{
	return tell_all(part, false);
}

/* The next shared run of a bound range from @delta on. */
static bool next_shared(struct gmem_slot *slot, uint64_t *delta, struct gmi_part *ret_part)
{
	struct gmi_part whole = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	uint64_t size;
	int state;

	while (*delta < whole.size) {
		state = gmi_part_state(slot->vm, &whole, *delta, &size);
		*ret_part =
			(struct gmi_part){.slot = slot, .gpa = whole.gpa + *delta, .size = size};
		*delta += size;
		if (state == GMEM_SHARED)
			return true;
	}
	return false;
}

/* Takes back what was told of the shared runs before @end. */
static void take_back_runs(struct gmem_slot *slot, bool map, uint64_t end)
{
	uint64_t delta = 0;
	struct gmi_part part;

	while (next_shared(slot, &delta, &part) && part.gpa - slot->gpa.start < end)
		tell_all(&part, !map);
}

static int tell_slot(struct gmem_slot *slot, bool map)
{
	uint64_t delta = 0;
	struct gmi_part part;
	int ret;

	if (!slot->vm->attrs.listeners)
		return 0;
	while (next_shared(slot, &delta, &part)) {
		ret = tell_all(&part, map);
		if (ret) {
			take_back_runs(slot, map, part.gpa - slot->gpa.start);
			return gmi_listener_error(ret, &part);
		}
	}
	return 0;
}

int gmi_listeners_bind(struct gmem_slot *slot)
{
	return tell_slot(slot, true);
}

int gmi_listeners_unbind(struct gmem_slot *slot)
{
	return tell_slot(slot, false);
}

int gmi_listener_error(int ret, const struct gmi_part *part)
{
	if (ret > 0)
		ret = -EINVAL;
	gmi_error(ret, "a listener refused (%s)", gmi_error_name(ret));
	return gmi_at_gpa(part->gpa, part->size);
}

/* Tells a listener alone of all that is bound and shared. @ret_end is where it refused. */
static int replay(const struct gmem_listener *listener, bool map, uint64_t limit, uint64_t *ret_end)
{
	const struct gmi_rangemap *slots = gmi_slot_index_shown(&listener->vm->slots, 0);
	struct gmi_part part;
	uint64_t told;
	uint64_t delta;
	int ret;

	for (size_t i = 0; i < slots->count; i++) {
		delta = 0;
		while (next_shared(slots->entries[i].value, &delta, &part)) {
			if (part.gpa >= limit)
				return 0;
			if (!part.slot->hva)
				continue;
			ret = tell(listener, &part, map, &told);
			*ret_end = part.gpa;
			if (ret && map)
				take_back(listener, part, map, told);
			if (ret && map)
				return ret;
		}
	}
	return 0;
}

static void append(struct gmem_listener *listener)
{
	struct gmi_attrs *attrs = &listener->vm->attrs;
	struct gmem_listener *last = first(attrs, false);

	listener->prev = last;
	if (last)
		last->next = listener;
	else
		attrs->listeners = listener;
}

static void detach(struct gmem_listener *listener)
{
	if (listener->prev)
		listener->prev->next = listener->next;
	else
		listener->vm->attrs.listeners = listener->next;
	if (listener->next)
		listener->next->prev = listener->prev;
}

static void destroy(struct gmem_listener *listener)
{
	struct gmem_vm *vm = listener->vm;

	gmi_free(&vm->ctx->allocator, listener);
	gmi_vm_put(vm);
}

static int check(const struct gmem_vm *vm, const struct gmem_listener_opts *in,
		 struct gmem_listener_opts *ret_opts, struct gmem_listener **ret_listener)
{
	uint64_t block;
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (!in)
		return gmi_error_arg("opts", "a NULL pointer: nobody to tell");
	if (!ret_listener)
		return gmi_error_arg("ret_listener", "a NULL pointer");
	ret = gmi_opts_get(ret_opts, sizeof(*ret_opts), in);
	if (ret)
		return ret;
	if (!ret_opts->map || !ret_opts->unmap)
		return gmi_error_arg(ret_opts->map ? "unmap" : "map", "a NULL pointer");
	block = ret_opts->max_block;
	if (block && (block < GMEM_PAGE_SIZE || !gmi_is_aligned(block, block)))
		return gmi_error_arg("max_block", "%#llx is no power of two of at least 4096",
				     (unsigned long long)block);
	return 0;
}

static int add(struct gmem_vm *vm, const struct gmem_listener_opts *opts,
	       struct gmem_listener **ret_listener)
{
	struct gmem_listener *listener = gmi_zalloc(&vm->ctx->allocator, sizeof(*listener));
	uint64_t end = 0;
	uint64_t ignored;
	int ret;

	if (!listener)
		return gmi_error_memory();
	listener->vm = gmi_vm_get(vm);
	listener->opts = *opts;
	gmi_vm_lock(vm);
	ret = replay(listener, true, UINT64_MAX, &end);
	if (ret)
		replay(listener, false, end, &ignored);
	else
		append(listener);
	gmi_vm_unlock(vm);
	if (ret) {
		destroy(listener);
		return gmi_error(ret > 0 ? -EINVAL : ret, "the listener refused to map what is "
							  "shared already");
	}
	*ret_listener = listener;
	return 0;
}

GMEM_API int gmem_listener_add(struct gmem_vm *vm, const struct gmem_listener_opts *opts,
			       struct gmem_listener **ret_listener)
{
	struct gmem_listener_opts known = {.sz = sizeof(known)};
	int ret = check(vm, opts, &known, ret_listener);

	return gmi_result(__func__, ret ? ret : add(vm, &known, ret_listener));
}

GMEM_API struct gmem_listener *gmem_listener_remove(struct gmem_listener *listener)
{
	uint64_t ignored;

	if (!listener)
		return NULL;
	gmi_vm_lock(listener->vm);
	detach(listener);
	replay(listener, false, UINT64_MAX, &ignored);
	gmi_vm_unlock(listener->vm);
	destroy(listener);
	return NULL;
}
