/* SPDX-License-Identifier: MIT */
/* Walks over the packed runs of a manifest. */
#include <errno.h>

#include "manifest.h"

/* Pages of all that a guest can name: 2^52 bytes. */
#define PAGES_MAX (UINT64_C(1) << 40)

void gmi_runs_begin(const struct gmi_manifest_runs *runs, struct gmi_runs_cursor *ret_cursor)
{
	*ret_cursor = (struct gmi_runs_cursor){
		.at = runs->bytes,
		.left = runs->size,
		.state = runs->first,
	};
}

/* At most PAGES_MAX; 0 where the bytes are no number, a longer one than needed, or 0. */
static uint64_t take_number(struct gmi_runs_cursor *cursor)
{
	uint64_t number = 0;

	for (unsigned shift = 0; cursor->left && shift < 42; shift += 7) {
		uint8_t byte = *cursor->at++;

		cursor->left--;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return byte && number <= PAGES_MAX ? number : 0;
	}
	return 0;
}

int gmi_runs_next(struct gmi_runs_cursor *cursor)
{
	uint64_t start = cursor->start + cursor->size, pages;

	if (!cursor->left)
		return 0;
	pages = take_number(cursor);
	if (!pages || pages > PAGES_MAX - start / GMEM_PAGE_SIZE)
		return -EPROTO;
	cursor->start = start;
	cursor->size = pages * GMEM_PAGE_SIZE;
	if (cursor->begun)
		cursor->state ^= GMEM_PRIVATE;
	cursor->begun = true;
	return 1;
}
