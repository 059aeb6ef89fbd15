/* SPDX-License-Identifier: MIT */
/* The pages that a plan owns. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "plan_memory.h"
#include "range.h"

#define CHUNK_SIZE (UINT64_C(1) << 20)

struct gmi_chunk {
	struct gmi_chunk *next;
	uint8_t *pages;
	uint64_t size;
	uint64_t used;
};

static struct gmi_chunk *add_chunk(struct gmem_plan *plan, uint64_t size)
{
	struct gmi_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
	chunk->pages = aligned_alloc(GMEM_PAGE_SIZE, chunk->size);
	if (!chunk->pages) {
		free(chunk);
		return NULL;
	}
	chunk->next = plan->chunks;
	plan->chunks = chunk;
	return chunk;
}

void *gmi_plan_alloc(struct gmem_plan *plan, uint64_t size)
{
	struct gmi_chunk *chunk = plan->chunks;
	uint8_t *pages;

	if (!gmi_align_up(size, GMEM_PAGE_SIZE, &size))
		return NULL;
	if (!chunk || size > chunk->size - chunk->used)
		chunk = add_chunk(plan, size);
	if (!chunk)
		return NULL;
	pages = chunk->pages + chunk->used;
	chunk->used += size;
	memset(pages, 0, size);
	return pages;
}

const void *gmi_plan_own(struct gmem_plan *plan, const void *bytes, uint64_t size)
{
	void *copy;

	if (gmi_is_aligned((uintptr_t)bytes | size, GMEM_PAGE_SIZE))
		return bytes;
	copy = gmi_plan_alloc(plan, size);
	if (copy)
		memcpy(copy, bytes, size);
	return copy;
}

void gmi_plan_free_memory(struct gmem_plan *plan)
{
	struct gmi_chunk *chunk;

	while ((chunk = plan->chunks)) {
		plan->chunks = chunk->next;
		free(chunk->pages);
		free(chunk);
	}
}
