/* SPDX-License-Identifier: MIT */
/* The hand-off block list that tells a TDX guest's firmware which memory is there. */
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "range.h"

/* Hand-off blocks (UEFI PI specification, volume 3). */
#define HANDOFF_TYPE    0x0001
#define HANDOFF_SIZE    56
#define HANDOFF_VERSION 9
#define RESOURCE_TYPE   0x0003
#define RESOURCE_SIZE   48
#define END_TYPE        0xffff
#define END_SIZE        8

#define SYSTEM_MEMORY     0
#define MEMORY_UNACCEPTED 7

/* Present, initialized, tested. */
#define ATTRIBUTES 7

struct hob {
	uint8_t *bytes;
	uint64_t room;
	uint64_t length;
	struct gmem_measure_error *error;
};

static void put(struct hob *hob, uint64_t value, uint64_t size)
{
	memcpy(hob->bytes + hob->length, &value, size);
	hob->length += size;
}

static int put_header(struct hob *hob, uint16_t type, uint16_t size)
{
	if (size > hob->room - hob->length)
		return gmi_fail(hob->error, ENOSPC, GMI_NO_OFFSET,
				"the TD HOB of %llu bytes is too small for the list",
				(unsigned long long)hob->room);
	put(hob, type, 2);
	put(hob, size, 2);
	put(hob, 0, 4);
	return 0;
}

/* The memory bounds are 0: QEMU leaves them so (hw/i386/tdvf-hob.c). The end comes with put_end(). */
static int put_handoff(struct hob *hob)
{
	int ret = put_header(hob, HANDOFF_TYPE, HANDOFF_SIZE);

	if (ret)
		return ret;
	put(hob, HANDOFF_VERSION, 4);
	memset(hob->bytes + hob->length, 0, HANDOFF_SIZE - hob->length);
	hob->length = HANDOFF_SIZE;
	return 0;
}

static int put_resource(struct hob *hob, uint32_t type, uint64_t start, uint64_t size)
{
	int ret = put_header(hob, RESOURCE_TYPE, RESOURCE_SIZE);

	if (ret)
		return ret;
	put(hob, 0, 8);
	put(hob, 0, 8);
	put(hob, type, 4);
	put(hob, ATTRIBUTES, 4);
	put(hob, start, 8);
	put(hob, size, 8);
	return 0;
}

static int put_end(struct hob *hob, uint64_t gpa)
{
	uint64_t end;
	int ret = put_header(hob, END_TYPE, END_SIZE);

	if (ret)
		return ret;
	end = gpa + hob->length;
	memcpy(hob->bytes + HANDOFF_SIZE - sizeof(end), &end, sizeof(end));
	return 0;
}

static struct gmem_range range_of(const struct gmem_launch_step *step)
{
	return (struct gmem_range){.start = step->gpa, .size = step->size};
}

static int compare_range(const void *a, const void *b)
{
	const struct gmem_range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

/* The memory that the plan adds, by ascending address. */
static struct gmem_range *added_ranges(const struct gmem_plan *plan, size_t *ret_count)
{
	struct gmem_range *ranges = calloc(plan->count + 1, sizeof(*ranges));

	*ret_count = 0;
	for (size_t i = 0; ranges && i < plan->count; i++)
		if (plan->steps[i].type != GMEM_LAUNCH_AUG)
			ranges[(*ret_count)++] = range_of(&plan->steps[i]);
	if (ranges)
		qsort(ranges, *ret_count, sizeof(*ranges), compare_range);
	return ranges;
}

/* One range of RAM: what is added, and what is between. */
static int put_ram(struct hob *hob, struct gmem_range ram, const struct gmem_range *added,
		   size_t count)
{
	uint64_t at = ram.start;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++) {
		if (!gmi_range_overlaps(ram, added[i]))
			continue;
		if (!gmi_range_contains(ram, added[i]))
			return gmi_invalid(hob->error, "0x%llx+0x%llx is only partly RAM",
					   (unsigned long long)added[i].start,
					   (unsigned long long)added[i].size);
		if (added[i].start > at)
			ret = put_resource(hob, MEMORY_UNACCEPTED, at, added[i].start - at);
		if (!ret)
			ret = put_resource(hob, SYSTEM_MEMORY, added[i].start, added[i].size);
		at = added[i].start + added[i].size;
	}
	if (!ret && at < ram.start + ram.size)
		ret = put_resource(hob, MEMORY_UNACCEPTED, at, ram.start + ram.size - at);
	return ret;
}

static int put_list(struct hob *hob, const struct gmem_plan *plan, const struct gmem_range *ram,
		    size_t ram_count)
{
	size_t count;
	struct gmem_range *added = added_ranges(plan, &count);
	int ret;

	if (!added)
		return gmi_fail(hob->error, ENOMEM, GMI_NO_OFFSET, "no memory");
	ret = put_handoff(hob);
	for (size_t i = 0; !ret && i < ram_count; i++)
		ret = put_ram(hob, ram[i], added, count);
	if (!ret)
		ret = put_end(hob, plan->hob.start);
	free(added);
	return ret;
}

static int check_ram(const struct gmem_range *ram, size_t count, struct gmem_measure_error *error)
{
	uint64_t end = 0;

	if (!ram || !count)
		return gmi_invalid(error, "no RAM is given");
	for (size_t i = 0; i < count; i++) {
		if (!gmi_range_is_paged(ram[i].start, ram[i].size) || ram[i].start < end)
			return gmi_invalid(
				error, "RAM 0x%llx+0x%llx is empty, unaligned or out of order",
				(unsigned long long)ram[i].start, (unsigned long long)ram[i].size);
		end = ram[i].start + ram[i].size;
	}
	return 0;
}

static const struct gmem_launch_step *find_hob(const struct gmem_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].type == GMEM_LAUNCH_TD_HOB &&
		    plan->steps[i].flags & GMEM_LAUNCH_FILL)
			return &plan->steps[i];
	return NULL;
}

/* The firmware measures the list up to its end mark (OVMF, TdxMeasureTdHob). */
static void digest_list(const struct hob *hob, struct gmem_digest *ret_digest)
{
	struct sha384_ctx sha;

	sha384_init(&sha);
	sha384_update(&sha, hob->length - END_SIZE, hob->bytes);
	sha384_digest(&sha, SHA384_DIGEST_SIZE, ret_digest->bytes);
	ret_digest->size = SHA384_DIGEST_SIZE;
}

static int fill(struct gmem_plan *plan, const struct gmem_launch_step *step,
		const struct gmem_range *ram, size_t ram_count, struct gmem_digest *ret_digest,
		struct gmem_measure_error *error)
{
	struct hob hob = {.bytes = calloc(1, step->size), .room = step->size, .error = error};
	int ret;

	if (!hob.bytes)
		return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
	ret = put_list(&hob, plan, ram, ram_count);
	if (!ret)
		memcpy((uint8_t *)step->bytes, hob.bytes, hob.room);
	if (!ret && ret_digest)
		digest_list(&hob, ret_digest);
	free(hob.bytes);
	return ret;
}

GMEM_API int gmem_plan_fill_td_hob(struct gmem_plan *plan, const struct gmem_range *ram,
				   size_t ram_count, struct gmem_digest *ret_digest,
				   struct gmem_measure_error *error)
{
	const struct gmem_launch_step *step;
	int ret;

	if (!plan)
		return gmi_invalid(error, "the plan is NULL");
	step = find_hob(plan);
	if (!step)
		return gmi_fail(error, ENOENT, GMI_NO_OFFSET, "the plan has no TD HOB to fill");
	ret = check_ram(ram, ram_count, error);
	return ret ? ret : fill(plan, step, ram, ram_count, ret_digest, error);
}
