/* SPDX-License-Identifier: MIT */
/* The TDX module and KVM's side of it: TDs, their measurement, their Secure EPT. */
#ifndef GMI_SIM_TDX_H
#define GMI_SIM_TDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libgmem/sim.h>

#include "sim_rangemap.h"
#include "uapi_kvm.h"
#include "uapi_tdx.h"

#define SIM_MRTD_SIZE  48u
#define SIM_MRTD_CHUNK 256u

struct gmem_sim;
struct sim_inode;
struct sim_mrtd;
struct sim_target;
struct sim_vcpu;
struct sim_vm;

/* SEAMCALLs that are made to fail: after @skip more, @count times. */
struct sim_seamcall_failure {
	uint64_t skip;
	uint64_t count;
	uint64_t status;
};

/* What the machine has, for all TDs. */
struct sim_tdx_host {
	uint32_t cpus;
	uint32_t key_ids;
	uint32_t cgroup_limit;
	uint32_t flags;
	uint32_t tds;
	uint64_t keys_used; /* a mask */
	struct sim_seamcall_failure failure[GMEM_SIM_SEAMCALL_COUNT];
};

/* Values of the Secure EPT; what has none is not mapped. */
enum sim_sept {
	SEPT_ADDED = 1,    /* by TDH.MEM.PAGE.ADD */
	SEPT_PENDING = 2,  /* by TDH.MEM.PAGE.AUG: the guest has to accept it */
	SEPT_ACCEPTED = 3, /* a page that was pending */
	SEPT_PREMAPPED = 4 /* up to 6.18: in KVM's tables, but TDH.MEM.PAGE.ADD failed */
};

/* Leaves that the module lets the VMM choose. */
#define SIM_TDX_CONFIGURABLE 10u

struct sim_cpuid_value {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

/* A TD. The VM's @irqchip_split, @tsc_khz and vCPUs belong to it too. */
struct sim_td {
	struct gmem_sim *sim;
	enum gmem_sim_td_state state;
	uint32_t key_id; /* 0 is none */
	uint32_t gpaw;
	uint64_t attributes;
	uint64_t xfam;
	uint8_t mrconfigid[SIM_MRTD_SIZE];
	uint8_t mrowner[SIM_MRTD_SIZE];
	uint8_t mrownerconfig[SIM_MRTD_SIZE];
	uint32_t tsc_unit; /* 25 MHz */
	struct sim_cpuid_value cpuid[SIM_TDX_CONFIGURABLE];
	struct sim_mrtd *mrtd;
	struct sim_rangemap sept;
	struct sim_rangemap prepared; /* up to 6.18: pages that cannot be added again */
};

/* tdx.c: the life of a TD, and what KVM_MEMORY_ENCRYPT_OP does with one. */
void gmi_sim_tdx_init_host(struct gmem_sim *sim);
int gmi_sim_td_create(struct gmem_sim *sim, struct sim_vm *vm);
void gmi_sim_td_destroy(struct sim_td *td);
int gmi_sim_tdx_vm_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_tdx_vcpu_op(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);
bool gmi_sim_td_is_initialised(const struct sim_td *td);
uint64_t gmi_sim_td_shared_bit(const struct sim_td *td);

/* tdx_module.c: the next SEAMCALL of this kind: 0 or the status that it was made to fail with. */
uint64_t gmi_sim_seamcall(struct gmem_sim *sim, enum gmem_sim_seamcall call);
bool gmi_sim_seamcall_is_busy(uint64_t status);
int gmi_sim_key_take(struct gmem_sim *sim, uint32_t *ret_key);
void gmi_sim_key_give(struct gmem_sim *sim, uint32_t key);

/* tdx_vm.c: sub-commands of the VM. @cmd's hw_error is written. */
int gmi_sim_tdx_capabilities(struct gmem_sim *sim, const struct gmi_kvm_tdx_cmd *cmd);
int gmi_sim_tdx_init_vm(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_tdx_cmd *cmd);
int gmi_sim_tdx_finalize(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_tdx_cmd *cmd);

/* tdx_vcpu.c: sub-commands of the vCPU. */
int gmi_sim_tdx_init_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			  const struct gmi_kvm_tdx_cmd *cmd);
int gmi_sim_tdx_get_cpuid(struct sim_vcpu *vcpu, const struct gmi_kvm_tdx_cmd *cmd);
int gmi_sim_tdx_may_create_vcpu(const struct sim_vm *vm);

/* tdx_cpuid.c */
struct gmi_kvm_cpuid_entry2 gmi_sim_tdx_configurable(size_t index);
int gmi_sim_tdx_take_cpuid(const struct gmem_sim *sim, struct sim_td *td,
			   const struct gmi_kvm_cpuid_entry2 *entries, uint32_t count);
bool gmi_sim_tdx_cpuid_is_legal(const struct sim_td *td);
size_t gmi_sim_tdx_cpuid_of(const struct sim_td *td, struct gmi_kvm_cpuid_entry2 *entries);

/* tdx_memory.c */
int gmi_sim_tdx_init_mem_region(struct gmem_sim *sim, struct sim_vcpu *vcpu,
				const struct gmi_kvm_tdx_cmd *cmd);
bool gmi_sim_td_has_premapped(const struct sim_td *td);

/* tdx_sept.c: pages leave the Secure EPT where KVM would drop its own entry. */
void gmi_sim_td_unmap(struct sim_vm *vm, uint64_t gpa, uint64_t size);
void gmi_sim_td_forget(struct sim_vm *vm, uint64_t gpa, uint64_t size);
void gmi_sim_td_forget_file(struct gmem_sim *sim, const struct sim_inode *inode, uint64_t offset,
			    uint64_t size);
int gmi_sim_td_map(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size);
int gmi_sim_td_accept(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size,
		      const struct sim_target *target, uint64_t *ret_size);

/* An access by the guest; one to private memory may turn @target into a fault. */
void gmi_sim_td_access(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa,
		       struct sim_target *target);

/* tdx_mrtd.c */
struct sim_mrtd *gmi_sim_mrtd_create(void);
void gmi_sim_mrtd_destroy(struct sim_mrtd *mrtd);
void gmi_sim_mrtd_add(struct sim_mrtd *mrtd, uint64_t gpa);
void gmi_sim_mrtd_extend(struct sim_mrtd *mrtd, uint64_t gpa, const uint8_t *chunk);
void gmi_sim_mrtd_digest(const struct sim_mrtd *mrtd, uint8_t *ret_digest);

#endif
