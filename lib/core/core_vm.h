/* SPDX-License-Identifier: MIT */
/* The VM as files and slots see it. */
#ifndef GMI_CORE_VM_H
#define GMI_CORE_VM_H

#include <libgmem/vm.h>

#include "core_ctx.h"
#include "rangemap.h"
#include "slot_ids.h"

/* 1: system management mode has one of its own. */
#define GMI_ADDRESS_SPACES 2

struct gmem_vm {
	struct gmem_ctx *ctx; /* a reference */
	atomic_uint refs;     /* the caller's, one of each file, one of each bound range */
	int fd;               /* closed with the VM unless @borrowed */
	bool borrowed;
	uint32_t type;
	uint32_t address_spaces;
	uint64_t file_flags; /* what KVM_CREATE_GUEST_MEMFD takes */
	bool has_gmem;
	bool has_private; /* memory of this VM can be private */
	bool is_inplace;  /* the state is the file's; shared memory comes from the file too */
	bool has_readonly;

	/*
	 * Serialises binders; held while KVM makes and deletes memslots. Whatever a running vCPU needs
	 * takes @lock alone.
	 */
	pthread_mutex_t bind_lock;
	struct gmi_slot_ids ids[GMI_ADDRESS_SPACES];
	struct gmem_slot *stuck; /* memslots that KVM did not let go of when a bind was undone */

	/* Held for memory accesses only, never across a system call: all that follows. */
	pthread_rwlock_t lock;
	struct gmi_rangemap slots[GMI_ADDRESS_SPACES]; /* by guest address */
	struct gmem_file *files;                       /* a list */
	uint32_t file_count;
	uint32_t slot_count;
	uint64_t bytes_bound;
};

struct gmem_vm *gmi_vm_get(struct gmem_vm *vm);
void gmi_vm_put(struct gmem_vm *vm);

/* gmi_error_call() for an ioctl on the VM: -EIO there means that the VM is dead, -ESTALE. */
__attribute__((format(printf, 3, 4))) int gmi_vm_error(int error, const char *call,
						       const char *message, ...);

#endif
