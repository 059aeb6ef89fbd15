/* SPDX-License-Identifier: MIT */
/* The writer's half of the epochs. */
#include <string.h>

#include "epoch.h"

void gmi_epoch_init(struct gmi_epoch *epoch)
{
	memset(epoch, 0, sizeof(*epoch));
	atomic_store_explicit(&epoch->now, 1, memory_order_relaxed);
}

uint64_t gmi_epoch_oldest(struct gmi_epoch *epoch)
{
	uint64_t oldest = UINT64_MAX;

	if (atomic_load(&epoch->crowd))
		return 0;
	for (unsigned i = 0; i < GMI_EPOCH_SLOTS; i++) {
		uint64_t since = atomic_load(&epoch->slot[i].since);

		if (since && since < oldest)
			oldest = since;
	}
	return oldest;
}
