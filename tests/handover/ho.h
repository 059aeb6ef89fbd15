/* SPDX-License-Identifier: MIT */
/* What the tests of hand-over start with: a VM with memory, and two ends of a socket. */
#ifndef HO_H
#define HO_H

#include <libgmem/libgmem.h>
#include <sys/socket.h>

#include "gt_kvm.h"

#define HO_PAGES 64u
#define HO_SIZE  (HO_PAGES * GT_PAGE)
#define HO_GPA   UINT64_C(0x10000000)

/* What kind of VM is handed over. */
enum ho_kind {
	HO_SHARED,  /* memory that the host maps: everywhere from 6.18 on */
	HO_PRIVATE, /* two backings: where the kernel links */
	HO_KINDS
};

struct ho {
	const struct gt *t;
	enum ho_kind kind;
	struct gmem_ctx *ctx; /* the source's */
	struct gmem_ctx *target_ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slots[2];
	int sockets[2]; /* source, target */
	struct gmem_handover *source, *target;
};

/* An emulated machine, on which a hand-over takes a good part of a second. */
bool ho_is_slow(const struct gt *t);

/* False where this kernel cannot hand over such a VM. */
bool ho_is_possible(const struct gt *t, enum ho_kind kind);

/* Makes contexts and the VM; sockets are made by ho_connect(). */
void ho_open(struct ho *ho, const struct gt *t, enum ho_kind kind);
void ho_close(struct ho *ho);

struct gmem_ctx *ho_context(const struct gt *t);
void ho_make_vm(struct ho *ho);
void ho_free_vm(struct ho *ho);

/* New sockets and new hand-overs on them, with @flags more. */
void ho_connect(struct ho *ho, int type, uint32_t flags);
void ho_begin(struct ho *ho, const struct gmem_handover_opts *source,
	      const struct gmem_handover_opts *target);
void ho_disconnect(struct ho *ho);

/* Steps both until neither waits, or they wait for each other. */
void ho_pump(struct ho *ho, int *ret_source, int *ret_target);

struct gmem_handover_info ho_info(struct gmem_handover *handover);

/* The VM of the source can be used as before; that of the target has all that the source had. */
void ho_expect_whole(struct ho *ho);
void ho_expect_same(struct ho *ho, struct gmem_vm *vm);

/* Unbinds all and lets go of a VM that was taken. */
void ho_release(struct gmem_vm *vm);

/* Runs @run for each kind that this kernel can hand over, on both types of socket. */
void ho_each(struct gt *t, void (*run)(struct ho *ho, int type));

#endif
