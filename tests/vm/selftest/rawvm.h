/* SPDX-License-Identifier: MIT */
/* A VM with one memslot and one real-mode vCPU, straight over the kernel's interface. */
#ifndef SELFTEST_RAWVM_H
#define SELFTEST_RAWVM_H

#include <linux/kvm.h>
#include <stdint.h>

#define PAGE 4096u

/*
 * The guest's memory is one memslot of one huge page at 0. Code runs from shared memory; the byte
 * that the guests read and write is at SECRET.
 */
#define RAM_SIZE (2u << 20)
#define CODE     0x1000u
#define SECRET   0x10000u

struct rawvm {
	int vm;
	int vcpu;
	int gmem;
	struct kvm_run *run;
	uint8_t *shared; /* what the memslot's userspace_addr says */
};

int kvm_open(void);
int vm_create(unsigned long type);
int gmem_create(int vm, uint64_t size, uint64_t flags);
int gmem_link(int vm, int gmem);
int gmem_link_raw(int vm, uint64_t fd, uint64_t flags, uint64_t reserved);
int slot_set(int vm, uint32_t slot, uint64_t gpa, uint64_t size, void *shared, int gmem,
	     uint64_t offset);
int attributes_set(int vm, uint64_t gpa, uint64_t size, uint64_t attributes);
int move_from(int vm, uint64_t source_fd);
void *alloc_shared(void);

/*
 * A VM of @type. With @gmem -1 its memory is a new guest_memfd with @flags, else @gmem, which has
 * these flags and which the rawvm takes over. A file that can be mapped is its own shared backing.
 * Returns 0 or -1, errno set.
 */
int rawvm_create(struct rawvm *raw, unsigned long type, int gmem, uint64_t flags);
void rawvm_close(struct rawvm *raw);

/* Let the guest store @value at SECRET. Returns 0 or -1. */
int rawvm_write_secret(struct rawvm *raw, uint8_t value);

/* Let the guest load the byte at SECRET. Returns it or -1. */
int rawvm_read_secret(struct rawvm *raw);

/* Point the vCPU at code that increments the byte at SECRET for ever. */
int rawvm_load_counter(struct rawvm *raw);

#endif
