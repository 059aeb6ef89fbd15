/* SPDX-License-Identifier: MIT */
/* Lists of regions with the MRTD that they give, as tests/vectors has them. */
#include "region_lists.h"

#include <nettle/sha2.h>

#include "vectors.h"

#define PAGE 4096

/* How the bytes of a region list are made: see tests/vectors/README.md. */
static void fill_counter_hash(uint8_t *bytes, size_t size, const char *seed)
{
	struct sha256_ctx sha;
	uint64_t block = 0;

	for (size_t i = 0; i < size; i += SHA256_DIGEST_SIZE, block++) {
		sha256_init(&sha);
		sha256_update(&sha, strlen(seed), (const uint8_t *)seed);
		sha256_update(&sha, sizeof(block), (const uint8_t *)&block);
		sha256_digest(&sha, SHA256_DIGEST_SIZE, bytes + i);
	}
}

static void fill_region(uint8_t *bytes, size_t size, uint64_t gpa, const char *fill)
{
	memset(bytes, 0, size);
	if (!strncmp(fill, "byte:", 5))
		memset(bytes, (int)strtoul(fill + 5, NULL, 16), size);
	else if (!strncmp(fill, "sha256ctr:", 10))
		fill_counter_hash(bytes, size, fill + 10);
	else if (!strcmp(fill, "counter8"))
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)i;
	else if (!strcmp(fill, "gpa64"))
		for (uint64_t i = 0; i < size; i += 8)
			memcpy(bytes + i, &(uint64_t){gpa + i}, 8);
	else
		MUST(!strcmp(fill, "zero"));
}

static uint8_t *add_region(struct gmem_plan *plan, const char *line)
{
	unsigned long gpa, pages;
	unsigned int measure_it;
	char fill[64];
	uint8_t *bytes;
	struct gmem_launch_step step = {.type = GMEM_LAUNCH_UNMEASURED};

	MUST(sscanf(line, "region %lx %lu %u %63s", &gpa, &pages, &measure_it, fill) == 4);
	bytes = aligned_alloc(PAGE, pages * PAGE);
	MUST(bytes);
	fill_region(bytes, pages * PAGE, gpa, fill);
	step.gpa = gpa;
	step.size = pages * PAGE;
	step.bytes = bytes;
	if (measure_it) {
		step.type = GMEM_LAUNCH_NORMAL;
		step.flags = GMEM_LAUNCH_MEASURED;
	}
	EXPECT(line, gmem_plan_add(plan, &step, NULL), 0);
	return bytes;
}

/* Reads up to the mrtd line of one list. */
static void read_list(FILE *file, const char *name, region_list_fn *use, void *user)
{
	struct gmem_plan *plan;
	uint8_t *bytes[8];
	char line[256], want[128];
	size_t count = 0;

	MUST(gmem_plan_create(GMEM_VM_TDX, &plan) == 0);
	while (fgets(line, sizeof(line), file) && !strncmp(line, "region", 6)) {
		MUST(count < GT_COUNT(bytes));
		bytes[count++] = add_region(plan, line);
	}
	MUST(sscanf(line, "mrtd %127s", want) == 1);
	use(user, name, plan, want);
	while (count--)
		free(bytes[count]);
}

void region_lists_each(region_list_fn *use, void *user)
{
	char path[600], line[256], name[128];
	int64_t done = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tdx/regions.txt", vector_dir());
	file = fopen(path, "re");
	MUST(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "vector %127s", name) != 1)
			continue;
		read_list(file, name, use, user);
		done++;
	}
	fclose(file);
	EXPECT("tdx/regions.txt", done, 10);
}
