/* SPDX-License-Identifier: MIT */
/* The memslots behind a bound range: all of them are made and deleted, or none. */
#include <errno.h>

#include "core_slot.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "uapi_kvm.h"

/* Deleting can fail for want of memory alone, and that soon passes. */
#define UNDO_RETRIES 3

static struct gmem_range piece_at(const struct gmem_slot *slot, uint32_t index)
{
	struct gmem_range piece = slot->gpa;
	uint64_t end = slot->gpa.start + slot->gpa.size;

	for (;; index--) {
		piece.size = end - piece.start;
		piece.size = gmi_slot_piece(piece);
		if (!index)
			return piece;
		piece.start += piece.size;
	}
}

static const char *request_name(const struct gmem_slot *slot)
{
	return gmi_slot_has_gmem(slot) ? "KVM_SET_USER_MEMORY_REGION2"
				       : "KVM_SET_USER_MEMORY_REGION";
}

/* Memory of the host alone goes the way that every kernel knows. */
static int set_region(const struct gmem_slot *slot, const struct gmi_kvm_memslot *memslot)
{
	const struct gmi_sys *sys = &slot->vm->ctx->sys;

	if (gmi_slot_has_gmem(slot))
		return gmi_kvm_set_region2(sys, slot->vm->fd, memslot);
	return gmi_kvm_set_region(sys, slot->vm->fd, memslot);
}

static uint32_t kernel_flags(const struct gmem_slot *slot)
{
	return (gmi_slot_has_gmem(slot) ? GMI_KVM_MEM_GUEST_MEMFD : 0) |
	       (slot->flags & GMEM_SLOT_READONLY ? GMI_KVM_MEM_READONLY : 0) |
	       (slot->flags & GMEM_SLOT_LOG_DIRTY ? GMI_KVM_MEM_LOG_DIRTY_PAGES : 0);
}

static int make_one(const struct gmem_slot *slot, uint32_t index)
{
	struct gmem_range piece = piece_at(slot, index);
	uint64_t delta = piece.start - slot->gpa.start;
	struct gmi_kvm_memslot memslot = {
		.address_space = slot->address_space,
		.slot_id = slot->slot_id + index,
		.flags = kernel_flags(slot),
		.gmem_fd = gmi_slot_has_gmem(slot) ? slot->file->fd : -1,
		.gpa = piece.start,
		.size = piece.size,
		.hva = slot->hva ? (uintptr_t)slot->hva + delta : 0,
		.offset = gmi_slot_has_gmem(slot) ? slot->offset + delta : 0,
	};

	return set_region(slot, &memslot);
}

static int delete_one(const struct gmem_slot *slot, uint32_t index)
{
	struct gmi_kvm_memslot memslot = {
		.address_space = slot->address_space,
		.slot_id = slot->slot_id + index,
		.gmem_fd = -1,
		.gpa = piece_at(slot, index).start,
	};

	return set_region(slot, &memslot);
}

static int make_up_to(struct gmem_slot *slot, uint32_t count)
{
	int ret;

	for (; slot->live < count; slot->live++) {
		ret = make_one(slot, slot->live);
		if (ret)
			return ret;
	}
	return 0;
}

static int delete_down_to(struct gmem_slot *slot, uint32_t count)
{
	int ret;

	for (; slot->live > count; slot->live--) {
		ret = delete_one(slot, slot->live - 1);
		if (ret)
			return ret;
	}
	return 0;
}

static int describe_refusal(const struct gmem_slot *slot, int error)
{
	if (error == -EINVAL)
		gmi_vm_error(error, request_name(slot),
			     "KVM refuses the range: beyond what the VM can address, or the file "
			     "is not of this VM");
	else if (error == -EEXIST)
		gmi_vm_error(error, request_name(slot),
			     "KVM has a memslot there that libgmem was not told of");
	else
		gmi_vm_error(error, request_name(slot), "the range could not be bound");
	gmi_at_slot(slot->slot_id + slot->live);
	return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
}

void gmi_slot_drop_memslots(struct gmem_slot *slot)
{
	for (int retry = 0; slot->live && retry < UNDO_RETRIES; retry++)
		delete_down_to(slot, 0);
}

int gmi_slot_make_memslots(struct gmem_slot *slot)
{
	int ret = make_up_to(slot, slot->slot_count);

	if (!ret)
		return 0;
	ret = describe_refusal(slot, ret);
	gmi_slot_drop_memslots(slot);
	return ret;
}

int gmi_slot_delete_memslots(struct gmem_slot *slot)
{
	uint32_t had = slot->live;
	int ret = delete_down_to(slot, 0);

	if (!ret)
		return 0;
	gmi_vm_error(ret, request_name(slot), "the range could not be unbound");
	gmi_at_slot(slot->slot_id + slot->live - 1);
	ret = gmi_at_gpa(slot->gpa.start, slot->gpa.size);
	if (ret == -ESTALE)
		slot->live = 0;
	for (int retry = 0; slot->live && slot->live < had && retry < UNDO_RETRIES; retry++)
		make_up_to(slot, had);
	return ret;
}
