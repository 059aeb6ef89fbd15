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

#define HOLE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* What one thread overwrites before it looks for more. */
#define PIECE (UINT64_C(16) << 20)

/* A hole that a signal interrupts is punched again so often. */
#define PUNCH_ATTEMPTS 100

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

static int punch(const struct gmem_vm *vm, int fd, uint64_t offset, uint64_t size)
{
	int ret = -EINTR;

	for (int i = 0; ret == -EINTR && i < PUNCH_ATTEMPTS; i++)
		ret = gmi_sys_fallocate(&vm->ctx->sys, fd, HOLE, offset, size);
	if (!ret)
		return 0;
	gmi_error_call(ret, "fallocate", "the pages could not be freed");
	return gmi_at_offset(offset, size);
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

	for (int i = 0; ret == -EINTR && i < PUNCH_ATTEMPTS; i++)
		ret = gmi_discard_shared_side(slot, 0, slot->gpa.size);
	if (!ret)
		return 0;
	gmi_error_call(ret, slot->backing_fd < 0 ? "madvise" : "fallocate",
		       "the host memory could not be freed");
	return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
}

/* Punches the runs of one state, or all where the state does not matter. */
static int punch_file(struct gmem_slot *slot, bool private_only)
{
	struct gmi_part whole = {.slot = slot, .gpa = slot->gpa.start, .size = slot->gpa.size};
	uint64_t size;
	int ret = 0;

	if (!private_only)
		return punch(slot->vm, slot->file->fd, slot->offset, slot->gpa.size);
	for (uint64_t at = 0; !ret && at < whole.size; at += size)
		if (gmi_part_state(slot->vm, &whole, at, &size) == GMEM_PRIVATE)
			ret = punch(slot->vm, slot->file->fd, slot->offset + at, size);
	return ret;
}

/* Private memory of SNP and TDX guests is left: without their key it is noise. */
static int free_slot(struct gmi_contents *contents, struct gmem_slot *slot)
{
	bool leave = contents->opts->contents == GMEM_CONTENTS_LEAVE;
	int ret = 0;

	if (has_host_side(slot))
		ret = free_host_side(slot);
	if (!ret && !leave)
		ret = punch_file(slot, false);
	if (ret)
		return ret;
	*(leave ? &contents->left_bytes : &contents->zeroed_bytes) += slot->gpa.size;
	return 0;
}

/* With ZERO: what cannot be overwritten is punched, which other threads do not help with. */
static int free_rest(struct gmi_contents *contents, struct gmem_slot *slot)
{
	bool two = has_host_side(slot);
	int ret = 0;

	if (!can_overwrite(slot) || two)
		ret = punch_file(slot, false);
	else if (slot->vm->attrs.mechanism == GMI_CONVERT_INPLACE)
		ret = punch_file(slot, true);
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

int gmi_contents_clear(struct gmi_contents *contents)
{
	bool zero = contents->opts->contents == GMEM_CONTENTS_ZERO;
	int ret = 0;

	if (contents->opts->contents == GMEM_CONTENTS_KEEP)
		return 0;
	for (size_t i = 0; !ret && i < contents->count; i++)
		if (is_guests(contents->slots[i]))
			ret = zero ? free_rest(contents, contents->slots[i])
				   : free_slot(contents, contents->slots[i]);
	return ret || !zero ? ret : overwrite_all(contents);
}
