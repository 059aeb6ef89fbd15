/* SPDX-License-Identifier: MIT */
/* The range map against an array that holds one value an address. */
#include "sim_rangemap.h"
#include "st.h"

#define LIMIT 96
#define NONE  99

static uint64_t state = 12345;

static uint64_t pick(uint64_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % below;
}

static void compare(const struct sim_rangemap *map, const uint8_t *oracle)
{
	uint64_t end, count = 0;

	for (uint64_t at = 0; at < LIMIT; at++) {
		uint64_t value = gmi_sim_rangemap_get(map, at, NONE, &end);

		SAME("value", value, oracle[at]);
		SAME("run is not empty", end > at, true);
		for (uint64_t i = at; i < end && i < LIMIT; i++)
			SAME("same to its end", oracle[i], value);
		count += oracle[at] != NONE;
	}
	SAME("count", gmi_sim_rangemap_count(map, 0, UINT64_MAX), count);
	for (size_t i = 1; i < map->count; i++)
		SAME("merged",
		     map->run[i - 1].end < map->run[i].start ||
			     map->run[i - 1].value != map->run[i].value,
		     true);
}

static void against_array(struct gt *t)
{
	struct sim_rangemap map = {0};
	uint8_t oracle[LIMIT];

	memset(oracle, NONE, sizeof(oracle));
	for (int round = 0; round < 3000; round++) {
		uint64_t start = pick(LIMIT), size = pick(LIMIT - start) + 1, value = pick(3);
		bool covers = true;

		if (pick(3)) {
			MUST(gmi_sim_rangemap_set(&map, start, start + size, value) == 0);
			memset(oracle + start, (int)value, size);
		} else {
			MUST(gmi_sim_rangemap_clear(&map, start, start + size) == 0);
			memset(oracle + start, NONE, size);
		}
		start = pick(LIMIT);
		size = pick(LIMIT - start) + 1;
		for (uint64_t i = start; i < start + size; i++)
			covers &= oracle[i] != NONE;
		SAME("covers", gmi_sim_rangemap_covers(&map, start, start + size), covers);
		compare(&map, oracle);
	}
	gmi_sim_rangemap_free(&map);
}

static const struct gt_test tests[] = {
	{"against_array", against_array, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
