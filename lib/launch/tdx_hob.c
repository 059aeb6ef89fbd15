/* SPDX-License-Identifier: MIT */
/* Which of a TD's RAM the guest has to accept before it touches it. */
#include <errno.h>

#include <libgmem/tdx.h>

#include "errinfo.h"
#include "range.h"

static int check_ranges(const struct gmem_range *ram, size_t ram_count,
			const struct gmem_launch_step *steps, size_t count,
			const struct gmem_range *ret_range)
{
	if (!ret_range || (ram_count && !ram) || (count && !steps))
		return gmi_error_arg(ret_range ? "ram" : "ret_range", "a NULL pointer");
	for (size_t i = 0; i < ram_count; i++)
		if (!gmi_range_is_paged(ram[i].start, ram[i].size))
			return gmi_error_arg("ram", "range %zu is empty, unaligned or wraps", i);
	for (size_t i = 0; i < count; i++)
		if (!gmi_range_is_paged(steps[i].gpa, steps[i].size))
			return gmi_error_arg("steps", "step %zu is empty, unaligned or wraps", i);
	return 0;
}

/* What is added has no need to be accepted: all but AUG steps. */
static bool is_added(const struct gmem_launch_step *step)
{
	return step->type != GMEM_LAUNCH_AUG;
}

static uint64_t end_of(const struct gmem_launch_step *step)
{
	return step->gpa + step->size;
}

/* The first address from @at on that no step adds. */
static uint64_t skip_added(const struct gmem_launch_step *steps, size_t count, uint64_t at)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (size_t i = 0; i < count; i++) {
			if (!is_added(&steps[i]) || at < steps[i].gpa || at >= end_of(&steps[i]))
				continue;
			at = end_of(&steps[i]);
			moved = true;
		}
	}
	return at;
}

/* Up to the next step that adds, or @end. */
static uint64_t until_added(const struct gmem_launch_step *steps, size_t count, uint64_t at,
			    uint64_t end)
{
	for (size_t i = 0; i < count; i++)
		if (is_added(&steps[i]) && steps[i].gpa > at && steps[i].gpa < end)
			end = steps[i].gpa;
	return end;
}

/* The first range of one piece of RAM from @from on; false where there is none. */
static bool find_in(struct gmem_range ram, const struct gmem_launch_step *steps, size_t count,
		    uint64_t from, struct gmem_range *ret_range)
{
	uint64_t end = ram.start + ram.size;
	uint64_t at = skip_added(steps, count, from > ram.start ? from : ram.start);

	if (at >= end)
		return false;
	ret_range->start = at;
	ret_range->size = until_added(steps, count, at, end) - at;
	return true;
}

static int next(const struct gmem_range *ram, size_t ram_count,
		const struct gmem_launch_step *steps, size_t count, uint64_t from,
		struct gmem_range *ret_range)
{
	struct gmem_range found, best = {0};
	int ret = check_ranges(ram, ram_count, steps, count, ret_range);

	if (ret)
		return ret;
	for (size_t i = 0; i < ram_count; i++)
		if (find_in(ram[i], steps, count, from, &found) &&
		    (!best.size || found.start < best.start))
			best = found;
	if (!best.size)
		return gmi_error(-ENOENT, "the launch adds all RAM from %#llx on",
				 (unsigned long long)from);
	*ret_range = best;
	return 0;
}

GMEM_API int gmem_tdx_next_unaccepted(const struct gmem_range *ram, size_t ram_count,
				      const struct gmem_launch_step *steps, size_t count,
				      uint64_t from, struct gmem_range *ret_range)
{
	return gmi_result(__func__, next(ram, ram_count, steps, count, from, ret_range));
}
