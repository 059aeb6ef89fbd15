/* SPDX-License-Identifier: MIT */
/* How a range of guest addresses is cut into memslots. */
#include "core_slot.h"
#include "range.h"

/* KVM_MEM_MAX_NR_PAGES (kvm_main.c): one memslot has at most 2^31 - 1 pages. */
#define PIECE_MAX (((UINT64_C(1) << 31) - 1) * GMEM_PAGE_SIZE)

#define GIB (UINT64_C(1) << 30)

/* Cuts where a 1G page of the guest ends, so that no page that KVM could map whole is cut. */
uint64_t gmi_slot_piece(struct gmem_range rest)
{
	if (rest.size <= PIECE_MAX)
		return rest.size;
	return gmi_align_down(rest.start + PIECE_MAX, GIB) - rest.start;
}

uint64_t gmi_slot_count_pieces(struct gmem_range gpa)
{
	uint64_t count = 0;
	uint64_t piece;

	for (; gpa.size; count++) {
		piece = gmi_slot_piece(gpa);
		gpa.start += piece;
		gpa.size -= piece;
	}
	return count;
}
