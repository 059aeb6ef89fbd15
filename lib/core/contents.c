/* SPDX-License-Identifier: MIT */
/* What the next guest finds in the memory of bound ranges: zeros, by whatever way. */
#include "contents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "discard.h"
#include "errinfo.h"
#include "probe.h"

/* What one thread overwrites before it looks for more. */
#define PIECE (UINT64_C(16) << 20)

/* How often what a signal interrupts is tried. */
#define ATTEMPTS 100

static bool has_own_key(const struct gmem_vm *vm)
{
	return vm->type >= GMEM_VM_SEV;
}

int gmi_contents_check(const struct gmem_vm *vm, const struct gmem_replace_opts *opts)
{
	const char *type = gmi_vm_type_name(vm->type);

	if (opts->contents == GMEM_CONTENTS_KEEP && has_own_key(vm) &&
	    opts->attributes != GMEM_ATTRIBUTES_MOVE)
		return gmi_error_feature(GMEM_FEATURE_MOVE_CONTEXT,
					 "a VM of type %s cannot keep its contents: a new one has "
					 "another key",
					 type);
	if (opts->contents == GMEM_CONTENTS_LEAVE && vm->type != GMEM_VM_SNP &&
	    vm->type != GMEM_VM_TDX)
		return gmi_error(-EOPNOTSUPP, "no technology clears the memory of VMs of type %s",
				 type);
	return 0;
}

int gmi_contents_check_file(const struct gmem_file *file, const struct gmem_replace_opts *opts)
{
	if (opts->contents == GMEM_CONTENTS_KEEP)
		return 0;
	return gmi_file_check_right(file, opts->contents == GMEM_CONTENTS_ZERO
						  ? GMEM_RIGHT_PUNCH | GMEM_RIGHT_WRITE
						  : GMEM_RIGHT_PUNCH);
}

/* A hole that a signal interrupts is punched again. */
static int punch(struct gmem_slot *slot, uint64_t delta, uint64_t size)
{
	int ret = -EINTR;

	for (int i = 0; ret == -EINTR && i < ATTEMPTS; i++)
		ret = gmi_file_punch(slot->file, slot->offset + delta, size);
	return ret;
}

/* Host memory alone, and what the guest cannot write, is the VMM's: firmware, ROMs. */
static bool is_guests(const struct gmem_slot *slot)
{
	return slot->file && !(slot->flags & GMEM_SLOT_READONLY);
}

/* Whether @hva is other memory than the file: a second backing. */
static bool has_host_side(const struct gmem_slot *slot)
{
	return slot->hva && !(slot->file->flags & GMEM_FILE_MMAP);
}

/* Whether a part of what the guest sees can be overwritten through @hva. */
static bool can_overwrite(const struct gmem_slot *slot)
{
	return is_guests(slot) && slot->hva &&
	       (has_host_side(slot) || gmi_file_is_view(slot->file) ||
		slot->file->flags & GMEM_FILE_INIT_SHARED ||
		slot->vm->attrs.mechanism == GMI_CONVERT_INPLACE);
}

static int free_host_side(struct gmem_slot *slot)
{
	int ret = -EINTR;

	for (int i = 0; ret == -EINTR && i < ATTEMPTS; i++)
		ret = gmi_discard_shared_side(slot, 0, slot->gpa.size);
	if (!ret)
		return 0;
	gmi_error_call(ret, slot->backing_fd < 0 ? "madvise" : "fallocate",
		       "the host memory could not be freed");
	return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
}

/* Punches what is of one state, and counts it. */
static int punch_runs(struct gmem_slot *slot, int wanted, uint64_t *done)
{
	struct gmi_part whole = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	uint64_t size;
	int ret = 0;

	for (uint64_t at = 0; !ret && at < whole.size; at += size) {
		if (gmi_part_state(slot->vm, &whole, at, &size) != wanted)
			continue;
		ret = punch(slot, at, size);
		*done += ret ? 0 : size;
	}
	return ret;
}

static bool is_in_place(const struct gmem_slot *slot)
{
	return slot->vm->attrs.mechanism == GMI_CONVERT_INPLACE;
}

/* Private memory of SNP and TDX guests stays: without their key it is noise. */
static int leave_slot(struct gmi_contents *contents, struct gmem_slot *slot)
{
	uint64_t freed = 0;
	int ret = 0;

	if (has_host_side(slot))
		ret = free_host_side(slot);
	else if (is_in_place(slot))
		ret = punch_runs(slot, GMEM_SHARED, &freed);
	contents->zeroed_bytes += freed;
	if (!ret)
		contents->left_bytes += slot->gpa.size - freed;
	return ret;
}

static int free_slot(struct gmi_contents *contents, struct gmem_slot *slot)
{
	int ret = has_host_side(slot) ? free_host_side(slot) : 0;

	if (!ret)
		ret = punch(slot, 0, slot->gpa.size);
	if (!ret)
		contents->zeroed_bytes += slot->gpa.size;
	return ret;
}

/* With ZERO: what cannot be overwritten is punched, which other threads do not help with. */
static int free_rest(struct gmi_contents *contents, struct gmem_slot *slot)
{
	uint64_t freed = 0;
	int ret = 0;

	if (!can_overwrite(slot) || has_host_side(slot))
		ret = punch(slot, 0, slot->gpa.size);
	else if (is_in_place(slot))
		ret = punch_runs(slot, GMEM_PRIVATE, &freed);
	if (!ret)
		contents->zeroed_bytes += slot->gpa.size;
	return ret;
}

/* What all threads that overwrite take their pieces from. */
struct zero_job {
	const struct gmi_contents *contents;
	_Atomic uint64_t next; /* piece, counted over all slots */
};

static uint64_t pieces_of(const struct gmem_slot *slot)
{
	return can_overwrite(slot) ? (slot->gpa.size + PIECE - 1) / PIECE : 0;
}

/* Where the file holds both states only what is shared has an address. */
static void overwrite(struct gmem_slot *slot, uint64_t start, uint64_t end)
{
	struct gmi_part whole = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	bool all = has_host_side(slot);
	uint64_t size;
	int state;

	whole.size = end;
	for (uint64_t at = start; at < end; at += size) {
		state = gmi_part_state(slot->vm, &whole, at, &size);
		if (all || state == GMEM_SHARED)
			memset((char *)slot->hva + at, 0, size);
	}
}

static bool take_piece(const struct gmi_contents *contents, uint64_t number)
{
	uint64_t count, start, end;

	for (size_t i = 0; i < contents->count; i++) {
		count = pieces_of(contents->slots[i]);
		if (number >= count) {
			number -= count;
			continue;
		}
		start = number * PIECE;
		end = start + PIECE;
		if (end > contents->slots[i]->gpa.size)
			end = contents->slots[i]->gpa.size;
		overwrite(contents->slots[i], start, end);
		return true;
	}
	return false;
}

static void work(void *data)
{
	struct zero_job *job = data;

	while (take_piece(job->contents, atomic_fetch_add(&job->next, 1)))
		;
}

/* What the caller's threads left is done here. */
static int overwrite_all(const struct gmi_contents *contents)
{
	const struct gmem_replace_opts *opts = contents->opts;
	struct zero_job job = {.contents = contents};
	int ret = opts->parallel ? opts->parallel(opts->parallel_user, work, &job) : 0;

	if (ret)
		return gmi_error(ret < 0 ? ret : -ECANCELED, "the caller's threads refused (%s)",
				 gmi_error_name(ret < 0 ? ret : -ECANCELED));
	work(&job);
	return 0;
}

typedef int clear_fn(struct gmi_contents *contents, struct gmem_slot *slot);

int gmi_contents_clear(struct gmi_contents *contents)
{
	static clear_fn *const ways[] = {
		[GMEM_CONTENTS_PUNCH] = free_slot,
		[GMEM_CONTENTS_ZERO] = free_rest,
		[GMEM_CONTENTS_LEAVE] = leave_slot,
	};
	uint32_t way = contents->opts->contents;
	int ret = 0;

	if (way == GMEM_CONTENTS_KEEP)
		return 0;
	for (size_t i = 0; !ret && i < contents->count; i++)
		if (is_guests(contents->slots[i]))
			ret = ways[way](contents, contents->slots[i]);
	return ret || way != GMEM_CONTENTS_ZERO ? ret : overwrite_all(contents);
}
