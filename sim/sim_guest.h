/* SPDX-License-Identifier: MIT */
/* Guest accesses: where a guest address leads, and the script that makes them. */
#ifndef GMI_SIM_GUEST_H
#define GMI_SIM_GUEST_H

#include "sim_model.h"

/*
 * Who does the guest say the page belongs to? Hardware with private memory carries it in the
 * access.
 */
enum sim_access { SIM_ACCESS_ANY, SIM_ACCESS_PRIVATE, SIM_ACCESS_SHARED };

enum sim_target_kind { SIM_TO_FILE, SIM_TO_HVA, SIM_TO_MMIO, SIM_TO_FAULT };

/* Where a guest address leads, for @size bytes. */
struct sim_target {
	enum sim_target_kind kind;
	uint64_t size;
	struct sim_inode *inode;
	uint64_t offset;
	uint64_t hva;
	bool to_guest;       /* a page of the file becomes the guest's in the RMP */
	uint64_t exit_flags; /* of a fault, also one that comes later */
	int error;           /* of SIM_TO_FAULT; 0: the guest dies of it */
};

/* fault.c */
struct sim_view *gmi_sim_live_view(struct gmem_sim *sim, struct sim_slot *slot);
void gmi_sim_resolve(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, bool write,
		     enum sim_access access, struct sim_target *ret_target);
int gmi_sim_target_read(struct gmem_sim *sim, const struct sim_target *target, void *to,
			size_t size);
int gmi_sim_target_write(struct gmem_sim *sim, const struct sim_target *target, const void *from,
			 size_t size);
void gmi_sim_memory_fault(struct sim_vcpu *vcpu, uint64_t gpa, uint64_t flags);

/* What the next KVM_RUN has to finish before the guest goes on. */
enum sim_pending {
	PENDING_NONE,
	PENDING_MMIO_READ,
	PENDING_MMIO_WRITE,
	PENDING_IO,
	PENDING_HYPERCALL,
	PENDING_CERTS,
	PENDING_TDVMCALL,
	PENDING_MAP_GPA,
};

#define SIM_CHUNK 0x10000u

struct sim_script {
	struct gmem_sim_action *action;
	uint64_t *jumps; /* taken so far, one an action */
	size_t count;
	size_t at;
	uint64_t position; /* bytes of the action done */
	bool faulted;      /* the action made an exit for a fault */
	enum sim_pending pending;
	uint64_t pending_size;
	uint8_t data[8]; /* string I/O on its way between port and memory */
	bool has_data;
	uint64_t map_next; /* MapGPA: what is left */
	uint64_t map_end;
	struct gmem_sim_vcpu_info info;
	uint8_t chunk[SIM_CHUNK];
};

/* action.c: one step of one action. 1: go on, 0: leave to the VMM, or the error of KVM_RUN. */
int gmi_sim_step(struct gmem_sim *sim, struct sim_vcpu *vcpu);
int gmi_sim_complete(struct gmem_sim *sim, struct sim_vcpu *vcpu);
int gmi_sim_next_action(struct sim_script *script);
int gmi_sim_no_emulation(struct sim_vcpu *vcpu);
uint64_t gmi_sim_hva_of(struct sim_vm *vm, uint64_t gpa);
bool gmi_sim_action_is_valid(const struct gmem_sim_action *action, size_t count);

/* The contents that FILL writes. */
static inline uint64_t gmi_sim_word(uint64_t seed, uint64_t gpa)
{
	uint64_t z = seed ^ (gpa * 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	return z ^ (z >> 31);
}

void gmi_sim_fill(uint8_t *to, uint64_t gpa, size_t size, uint64_t seed);

/* tdx_call.c */
int gmi_sim_do_tdvmcall(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			const struct gmem_sim_action *action);
int gmi_sim_complete_tdvmcall(struct sim_vcpu *vcpu);
int gmi_sim_complete_map_gpa(struct gmem_sim *sim, struct sim_vcpu *vcpu);

/* snp_guest.c */
int gmi_sim_do_report(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		      const struct gmem_sim_action *action);
int gmi_sim_complete_certs(struct gmem_sim *sim, struct sim_vcpu *vcpu);
int gmi_sim_do_terminate(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			 const struct gmem_sim_action *action);

/* run.c */
int gmi_sim_run(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);
int gmi_sim_pre_fault(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);

#endif
