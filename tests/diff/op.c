/* SPDX-License-Identifier: MIT */
/* Random operations, drawn from few values so that they meet, and some that are wrong. */
#include <fcntl.h>
#include <linux/falloc.h>

#include "diff.h"

/* xorshift64*: the same numbers everywhere. */
static uint64_t random_number(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(2685821657736338717);
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_number(state) >> 33) % limit);
}

/* Mostly a page of the small world, sometimes none at all. */
static uint64_t pages(uint64_t *state, uint32_t limit)
{
	static const uint64_t odd[] = {1,
				       2048,
				       GT_PAGE + 1,
				       UINT64_C(1) << 40,
				       UINT64_C(1) << 52,
				       UINT64_C(1) << 63,
				       UINT64_MAX - GT_PAGE + 1,
				       UINT64_C(0x7ffffffffffff000)};

	if (below(state, 24) == 0)
		return odd[below(state, GT_COUNT(odd))];
	return below(state, limit) * GT_PAGE;
}

static uint64_t gpa(uint64_t *state)
{
	return TEST_GPA + pages(state, DIFF_PAGES);
}

static int fallocate_mode(uint64_t *state)
{
	static const int modes[] = {FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    0,
				    FALLOC_FL_PUNCH_HOLE,
				    FALLOC_FL_ZERO_RANGE};

	return modes[below(state, GT_COUNT(modes))];
}

/* How often each kind comes. */
static const uint8_t any_weights[OP_KINDS] = {
	[OP_CREATE_FILE] = 8, [OP_CLOSE_FILE] = 2,   [OP_LINK_FILE] = 2,  [OP_BIND] = 14,
	[OP_DELETE] = 6,      [OP_FALLOCATE] = 10,   [OP_ATTRIBUTES] = 8, [OP_FILE_ATTRIBUTES] = 1,
	[OP_MAP] = 4,         [OP_UNMAP] = 1,        [OP_HOST_READ] = 8,  [OP_HOST_WRITE] = 8,
	[OP_GUEST_READ] = 14, [OP_GUEST_WRITE] = 14, [OP_PRE_FAULT] = 4,  [OP_MOVE_CONTEXT] = 1,
	[OP_NEW_VM] = 1,
};

/* What a conversion shows itself by. */
static const uint8_t conversion_weights[OP_KINDS] = {
	[OP_ATTRIBUTES] = 24, [OP_GUEST_READ] = 4, [OP_GUEST_WRITE] = 4,
	[OP_FALLOCATE] = 2,   [OP_BIND] = 1,       [OP_PRE_FAULT] = 1,
};

static enum diff_kind kind(uint64_t *state, const uint8_t *weights)
{
	uint32_t total = 0, at;
	int i;

	for (i = 0; i < OP_KINDS; i++)
		total += weights[i];
	at = below(state, total);
	for (i = 0; at >= weights[i]; i++)
		at -= weights[i];
	return (enum diff_kind)i;
}

/*
 * KVM converts page by page and lets nothing interrupt it: 2^40 bytes take minutes, 2^63 for ever. What
 * it does not refuse at once is kept short.
 */
static uint64_t bounded_size(const struct diff_op *op)
{
	uint64_t end;
	bool wraps = __builtin_add_overflow(op->gpa, op->size, &end);

	return wraps || op->size <= DIFF_PAGES * GT_PAGE ? op->size : DIFF_PAGES * GT_PAGE;
}

static struct diff_op random_op(uint64_t *state, const uint8_t *weights)
{
	struct diff_op op = {
		.kind = kind(state, weights),
		.vm = below(state, DIFF_VMS),
		.file = below(state, DIFF_FILES),
		.other_file = below(state, DIFF_FILES),
		.slot = below(state, DIFF_SLOTS),
		.flags = below(state, 16) ? below(state, 4) : below(state, 8),
		.mode = (uint32_t)fallocate_mode(state),
		.gpa = gpa(state),
		.offset = pages(state, DIFF_PAGES),
		.size = pages(state, DIFF_PAGES / 2) + (below(state, 16) ? GT_PAGE : 0),
		.attributes = below(state, 16) ? below(state, 2) * 8 : below(state, 32),
		.value = (uint8_t)random_number(state),
		.without_hva = below(state, 4) == 0,
	};

	if (op.kind == OP_ATTRIBUTES)
		op.size = bounded_size(&op);
	return op;
}

struct diff_op op_random(uint64_t *state)
{
	return random_op(state, any_weights);
}

/*
 * Guests stay in the slot: where there is none KVM remembers that it found none, and what is converted
 * then is not looked at (kvm_handle_gfn_range() goes by memslots).
 */
struct diff_op op_conversion(uint64_t *state)
{
	struct diff_op op = random_op(state, conversion_weights);

	op.vm = 1;
	op.file = 0;
	op.slot = 1;
	if (op.kind == OP_GUEST_READ || op.kind == OP_GUEST_WRITE)
		op.gpa = TEST_GPA + (op.gpa - TEST_GPA) % (DIFF_PAGES * GT_PAGE);
	return op;
}

void op_print(const struct diff_op *op)
{
	static const char *const names[OP_KINDS] = {
		[OP_CREATE_FILE] = "create file",
		[OP_CLOSE_FILE] = "close file",
		[OP_LINK_FILE] = "link file",
		[OP_BIND] = "bind",
		[OP_DELETE] = "delete slot",
		[OP_FALLOCATE] = "fallocate",
		[OP_ATTRIBUTES] = "set attributes",
		[OP_FILE_ATTRIBUTES] = "set file's attributes",
		[OP_MAP] = "map",
		[OP_UNMAP] = "unmap",
		[OP_HOST_READ] = "host reads",
		[OP_HOST_WRITE] = "host writes",
		[OP_GUEST_READ] = "guest reads",
		[OP_GUEST_WRITE] = "guest writes",
		[OP_PRE_FAULT] = "pre-fault",
		[OP_MOVE_CONTEXT] = "move context",
		[OP_NEW_VM] = "new VM",
	};

	fprintf(stderr,
		"  %-22s vm %u file %u (%u) slot %u flags %#x mode %#x gpa %#llx offset %#llx size "
		"%#llx attributes %#llx value %#x%s\n",
		names[op->kind], op->vm, op->file, op->other_file, op->slot, op->flags, op->mode,
		(unsigned long long)op->gpa, (unsigned long long)op->offset,
		(unsigned long long)op->size, (unsigned long long)op->attributes, op->value,
		op->without_hva ? " without userspace_addr" : "");
}
