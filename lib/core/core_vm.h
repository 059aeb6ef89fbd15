/* SPDX-License-Identifier: MIT */
/* The VM as files and slots see it. */
#ifndef GMI_CORE_VM_H
#define GMI_CORE_VM_H

#include <libgmem/vm.h>

#include "bind_lock.h"
#include "core_attr.h"
#include "core_ctx.h"
#include "slot_ids.h"
#include "slot_index.h"

struct gmem_vm {
	struct gmem_ctx *ctx; /* a reference */
	atomic_uint refs;     /* the caller's, one of each file, one of each bound range */
	int fd;               /* closed with the VM unless @borrowed */
	bool borrowed;
	uint32_t type;
	uint32_t address_spaces;
	uint64_t file_flags; /* what KVM_CREATE_GUEST_MEMFD takes */
	uint32_t features;   /* bits by enum gmem_feature: what was decided for the VM's life */

	/*
	 * Lets one binder or converter in at a time, as KVM's slots_lock does, of all VMs that share
	 * memory with this one; held while KVM makes
	 * and deletes memslots and while it converts. Lookups need @slots alone, which they read
	 * without a lock.
	 */
	struct gmi_bind_lock *bind_lock; /* gmi_vm_lock() */
	struct gmi_slot_ids ids[GMI_ADDRESS_SPACES];
	struct gmi_attrs attrs;
	struct gmem_slot *stuck; /* memslots that KVM did not let go of when a bind was undone */
	struct gmi_slot_index slots;
	_Atomic uint32_t slot_count;
	_Atomic uint64_t bytes_bound;

	_Atomic uint32_t file_count;
	atomic_bool is_handed_over; /* to another process, which owns the memory now */
	_Atomic int firmware_fd; /* /dev/sev, which KVM asks for as long as the VM lives; or -1 */
	struct gmem_vm *mirrors; /* a reference to the VM whose context it has too; bind_lock */
};

static inline void gmi_vm_lock(struct gmem_vm *vm)
{
	gmi_bind_lock_take(vm->bind_lock);
}

static inline void gmi_vm_unlock(struct gmem_vm *vm)
{
	gmi_bind_lock_give(vm->bind_lock);
}

/* Of the features that a VM's life depends on; the others are asked of the context. */
static inline bool gmi_vm_has(const struct gmem_vm *vm, uint32_t feature)
{
	return vm->features >> feature & 1;
}

/* -ESTALE with a record where the VM was handed over: it may be taken down, and nothing else. */
int gmi_vm_check_kept(const struct gmem_vm *vm);

struct gmem_vm *gmi_vm_get(struct gmem_vm *vm);
void gmi_vm_put(struct gmem_vm *vm);

/* Keeps a descriptor open until the VM's own is closed; where it has one already, closes @fd. Returns
 * the one that is kept. */
int gmi_vm_keep_firmware(struct gmem_vm *vm, int fd);
int gmi_vm_firmware(struct gmem_vm *vm);

/* gmi_error_call() for an ioctl on the VM: -EIO there means that the VM is dead, -ESTALE. */
__attribute__((format(printf, 3, 4))) int gmi_vm_error(int error, const char *call,
						       const char *message, ...);

#endif
