/* SPDX-License-Identifier: MIT */
/* A map from ranges to values, kept as a sorted array of runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_rangemap.h"

void gmi_sim_rangemap_free(struct sim_rangemap *map)
{
	free(map->run);
	*map = (struct sim_rangemap){0};
}

/* Room for the two runs that an edit can add at most. */
static int reserve(struct sim_rangemap *map)
{
	size_t capacity = map->capacity ? map->capacity * 2 : 8;
	struct sim_run *run;

	if (map->count + 2 <= map->capacity)
		return 0;
	run = reallocarray(map->run, capacity, sizeof(*run));
	if (!run)
		return -ENOMEM;
	map->run = run;
	map->capacity = capacity;
	return 0;
}

/* The index of the first run that ends above @at. */
static size_t find(const struct sim_rangemap *map, uint64_t at)
{
	size_t low = 0;
	size_t high = map->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (map->run[mid].end > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Replaces the runs [first, last) by @count others. */
static void splice(struct sim_rangemap *map, size_t first, size_t last, const struct sim_run *with,
		   size_t count)
{
	if (last < map->count)
		memmove(&map->run[first + count], &map->run[last],
			(map->count - last) * sizeof(*with));
	if (count)
		memcpy(&map->run[first], with, count * sizeof(*with));
	map->count = map->count - (last - first) + count;
}

/* Appends @run to @list unless it is empty, or continues the last one. */
static size_t append(struct sim_run *list, size_t count, struct sim_run run)
{
	if (run.start >= run.end)
		return count;
	if (count && list[count - 1].end == run.start && list[count - 1].value == run.value) {
		list[count - 1].end = run.end;
		return count;
	}
	list[count] = run;
	return count + 1;
}

/* Cuts [start, end) out and puts @middle (which may be empty) there. */
static int edit(struct sim_rangemap *map, uint64_t start, uint64_t end, struct sim_run middle)
{
	struct sim_run with[5];
	size_t first, last, count = 0;
	int ret = reserve(map);

	if (ret)
		return ret;
	first = last = find(map, start);
	if (first > 0)
		count = append(with, count, map->run[--first]);
	if (last < map->count && map->run[last].start < start)
		count = append(with, count,
			       (struct sim_run){map->run[last].start, start, map->run[last].value});
	count = append(with, count, middle);
	while (last < map->count && map->run[last].end <= end)
		last++;
	if (last < map->count) {
		struct sim_run rest = map->run[last++];

		rest.start = rest.start < end ? end : rest.start;
		count = append(with, count, rest);
	}
	splice(map, first, last, with, count);
	return 0;
}

int gmi_sim_rangemap_set(struct sim_rangemap *map, uint64_t start, uint64_t end, uint64_t value)
{
	return edit(map, start, end, (struct sim_run){start, end, value});
}

int gmi_sim_rangemap_clear(struct sim_rangemap *map, uint64_t start, uint64_t end)
{
	return edit(map, start, end, (struct sim_run){0});
}

const struct sim_run *gmi_sim_rangemap_find(const struct sim_rangemap *map, uint64_t at)
{
	size_t index = find(map, at);

	return index < map->count ? &map->run[index] : NULL;
}

uint64_t gmi_sim_rangemap_get(const struct sim_rangemap *map, uint64_t at, uint64_t none,
			      uint64_t *ret_end)
{
	const struct sim_run *run = gmi_sim_rangemap_find(map, at);
	uint64_t value = none;
	uint64_t end = UINT64_MAX;

	if (run && run->start <= at) {
		value = run->value;
		end = run->end;
	} else if (run) {
		end = run->start;
	}
	if (ret_end)
		*ret_end = end;
	return value;
}

bool gmi_sim_rangemap_covers(const struct sim_rangemap *map, uint64_t start, uint64_t end)
{
	const struct sim_run *run;

	for (; start < end; start = run->end) {
		run = gmi_sim_rangemap_find(map, start);
		if (!run || run->start > start)
			return false;
	}
	return true;
}

uint64_t gmi_sim_rangemap_count(const struct sim_rangemap *map, uint64_t start, uint64_t end)
{
	uint64_t count = 0;

	for (size_t i = find(map, start); i < map->count && map->run[i].start < end; i++) {
		uint64_t from = map->run[i].start > start ? map->run[i].start : start;
		uint64_t to = map->run[i].end < end ? map->run[i].end : end;

		count += to - from;
	}
	return count;
}
