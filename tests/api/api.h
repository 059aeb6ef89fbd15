/* SPDX-License-Identifier: MIT */
/* Cases of the public functions: run as they are by tests/api, with failing system calls by tests/fault. */
#ifndef API_H
#define API_H

#include <libgmem/libgmem.h>

#include "contract.h"
#include "gt_guest.h"
#include "gt_kvm.h"
#include "gt_shim.h"

#define API_PAGES 16
#define API_SIZE  (API_PAGES * GT_PAGE)
#define API_GPA   TEST_GPA

/* What a case works with. Members that it makes are released by fixture_close(). */
struct api {
	const struct gt *t;
	struct gmem_shim *shim; /* under @ctx */
	struct gt_heap heap;
	struct traits traits;
	uint32_t vm_type;
	uint64_t rfc; /* for make_ctx() */
	struct gmem_ctx *ctx;
	struct gmem_vm *vm, *other_vm;
	struct gmem_file *file, *other_file;
	struct gmem_slot *slot, *other_slot;
	struct gmem_hugetlb_share *share;
	struct gmem_layout *layout;
	struct gmem_prealloc *prealloc;
	struct gmem_snp *snp;
	struct gmem_tdx *tdx;
	int fd;                 /* a raw descriptor that the case owns, or -1 */
	int other_fd;           /* the same */
	void *addr;             /* raw memory of API_SIZE, or NULL */
	void *mapped;           /* of @file, API_SIZE, or NULL */
	struct gt_guest *guest; /* of @vm: api_guest() */
	struct gt_guest *other_guest;
	struct gmem_replace_info report;
	bool is_replaced; /* what is bound in @other_vm is libgmem's doing */
	bool is_prepared; /* and it can replace @vm */
	bool is_dead;     /* @vm */
	uint64_t done;
};

/* What a kernel must have for a case. */
#define NEEDS_GMEM    (1u << 0) /* memslots of files, for this type of VM */
#define NEEDS_MMAP    (1u << 1) /* files that can be mapped */
#define NEEDS_SHARED  (1u << 2) /* files that start shared */
#define NEEDS_PRIVATE (1u << 3) /* a type of VM with private memory */
#define NEEDS_PLACING (1u << 4) /* mbind() sets a file's policy */
#define NEEDS_LINK    (1u << 6) /* KVM_LINK_GUEST_MEMFD */
#define NEEDS_SNP     (1u << 8) /* VMs of type snp: nothing else runs on those */
#define NEEDS_VIEW    (1u << 7) /* files that other VMs can bind by host address */
#define NEEDS_TDX     (1u << 9) /* VMs of type tdx: the same */
#define NEEDS_SIM     (1u << 5) /* a simulated kernel: what fails must not fail on the machine's */

/* What may be different after a failure. */
#define KEEPS_PROGRESS (1u << 0) /* pages allocated or freed, as @done says */
#define GIVES_UP       (1u << 1) /* the call returns nothing: it cannot fail */
#define MOVES_ON       (1u << 3) /* the next attempt goes on, with other calls */
#define ENDS_WHEN_DEAD (1u << 2) /* releases its object also where the VM is dead: -ESTALE */
#define KEEPS_VCPUS    (1u << 4) /* those that were made: KVM does not take them back */

/*
 * @setup makes what comes before, raw or through libgmem, and always succeeds. @act makes the call
 * that the case is about and returns its result. @check looks at what a success left behind.
 */
struct api_case {
	const char *name;
	uint32_t needs;
	uint32_t flags;
	void (*setup)(struct api *api);
	int (*act)(struct api *api);
	void (*check)(struct api *api);
};

extern const struct api_case api_cases_ctx[], api_cases_vm[], api_cases_file[], api_cases_slot[],
	api_cases_attr[], api_cases_prealloc[], api_cases_link[], api_cases_reboot[],
	api_cases_handover[], api_cases_snp[], api_cases_tdx[];
extern const size_t api_count_ctx, api_count_vm, api_count_file, api_count_slot, api_count_attr,
	api_count_prealloc, api_count_link, api_count_reboot, api_count_handover, api_count_snp,
	api_count_tdx;

/* All cases as tests of the harness, each with its struct api_case as data. */
struct gt_test *api_list(void (*run)(struct gt *t), size_t *ret_count);

/*
 * Runs the case for each type of VM that the kernel offers and that has what it needs; skips the test
 * where there is none.
 */
void api_each_type(struct gt *t, void (*run)(const struct gt *t, uint32_t vm_type));

void fixture_open(struct api *api, const struct gt *t, uint32_t vm_type);
void fixture_close(struct api *api);

/* What of it a case starts with; each makes what it needs below. */
void make_ctx(struct api *api);
void make_vm(struct api *api);
void make_file(struct api *api);        /* of the flags that suit the type of VM */
void make_mapped_file(struct api *api); /* shared where the type of VM has it, else private */
void make_slot(struct api *api);
void make_other(struct api *api); /* a second VM, with a file */
/* The VM's guest: the same one each time, for KVM keeps a vCPU as long as its VM. */
struct gt_guest *api_guest(struct api *api);
int make_raw_vm(struct api *api);
int make_raw_file(struct api *api, int vm, uint64_t flags);

/* Bits for struct gmem_file_opts that suit the type of VM. */
uint64_t suitable_flags(const struct api *api);

/* What must not change where a call fails. */
struct state {
	bool in_place; /* the simulator protects what is private: a mapping of its own */
	unsigned int fds, mappings;
	uint64_t vm_files, vm_slots, vm_bound, file_bound;
	struct gt_alive alive;
};

struct state state_of(struct api *api);

/* Says every difference; true where there is none. */
bool state_expect(const char *what, const struct state *got, const struct state *want,
		  uint32_t flags);

#endif
