/* SPDX-License-Identifier: MIT */
/* SEV: what KVM keeps of a VM, and the secure processor with its guests. */
#ifndef GMI_SIM_SEV_H
#define GMI_SIM_SEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libgmem/sim.h>

struct gmem_sim;
struct sim_inode;
struct sim_vcpu;
struct sim_vm;

#define SIM_SHA384 48
#define SIM_SHA256 32

/* States of a guest in the firmware. SNP and the older commands each use their own. */
enum sim_guest_state {
	GUEST_INIT,      /* SNP: the context was created */
	GUEST_LAUNCHING, /* SNP: between START and FINISH; before: until LAUNCH_MEASURE */
	GUEST_SECRET,    /* SEV: measured */
	GUEST_RUNNING,
};

/* A guest as the firmware knows it: the context page, or what a handle names. */
struct sim_guest {
	enum sim_guest_state state;
	uint32_t handle;
	uint32_t asid; /* 0 where it is not active */
	uint64_t policy;
	uint8_t gosvw[16];
	uint8_t digest[SIM_SHA384];
	struct sim_sha256 *data; /* of SEV and SEV-ES: what was launched so far */
	struct gmem_sim_report report;
};

/* struct kvm_sev_info */
struct sim_sev {
	bool needs_init;
	bool is_active;
	bool is_es;
	bool has_certs;
	bool is_moving; /* a thread waits for the vCPUs: see sev_context.c */
	uint32_t asid;
	int32_t fd; /* the number that LAUNCH_START was given */
	uint64_t features;
	struct sim_guest *guest;
	struct sim_vm *owner; /* of a mirror: whose context it uses */
	uint32_t mirrors;
	struct sim_region *first_region;
};

/* A range of the host's memory that was registered. */
struct sim_region {
	uint64_t addr;
	uint64_t size;
	struct sim_region *next;
};

#define SIM_ASIDS 1024u

/* The secure processor and the part of KVM that hands out its ASIDs. */
struct sim_psp {
	struct gmem_sim_sev machine;
	bool is_initialized;
	bool is_dead;
	uint32_t guests;
	uint32_t last_handle;
	bool asid[SIM_ASIDS];
	uint32_t fail_command; /* 0 where none is to fail */
	uint32_t fail_after;
	uint32_t fail_status;
};

/* The kernel's struct kvm_sev_cmd while it is carried out. */
struct gmi_kvm_sev_cmd;

/* sev_hash.c, or sev_hash_none.c where nettle is missing */
bool gmi_sim_has_hashes(void);
void gmi_sim_sha384(const void *data, size_t size, uint8_t *ret_digest);
struct sim_sha256 *gmi_sim_sha256_new(void);
void gmi_sim_sha256_add(struct sim_sha256 *sha, const void *data, size_t size);
void gmi_sim_sha256_get(const struct sim_sha256 *sha, uint8_t *ret_digest);
void gmi_sim_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
			 uint8_t *ret_digest);

struct gmi_snp_public_key;
struct gmi_snp_signature;
bool gmi_sim_is_signed(const struct gmi_snp_public_key *key,
		       const struct gmi_snp_signature *signature, const void *data, size_t size);

/* psp.c: the driver's way to the firmware, and what belongs to the platform. */
void gmi_sim_psp_init(struct gmem_sim *sim);
int gmi_sim_psp_call(struct gmem_sim *sim, uint32_t command, uint32_t *error);
int gmi_sim_psp_issue(struct gmem_sim *sim, int fd, uint32_t command, uint32_t *error);
int gmi_sim_psp_end(uint32_t status, uint32_t *error);
int gmi_sim_psp_start_up(struct gmem_sim *sim, uint32_t *error);
uint32_t gmi_sim_asids(const struct gmem_sim *sim, uint32_t vm_type, uint32_t *ret_first);
int gmi_sim_asid_new(struct gmem_sim *sim, uint32_t vm_type, uint32_t *ret_asid);
void gmi_sim_asid_free(struct gmem_sim *sim, uint32_t asid);
struct sim_guest *gmi_sim_guest_new(struct gmem_sim *sim);
void gmi_sim_guest_free(struct gmem_sim *sim, struct sim_guest *guest);

/* sev_context.c: KVM_CAP_VM_COPY_ENC_CONTEXT_FROM and _MOVE_ENC_CONTEXT_FROM */
int gmi_sim_sev_copy_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd);
int gmi_sim_sev_move_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd);
void gmi_sim_wait_for_move(struct gmem_sim *sim, struct sim_vm *vm);

/* psp_dev.c: /dev/sev, and what /dev/kvm says of it */
int gmi_sim_psp_ioctl(struct gmem_sim *sim, uint64_t request, uint64_t arg);
int gmi_sim_device_attr(struct gmem_sim *sim, uint64_t arg);
int gmi_sim_has_device_attr(struct gmem_sim *sim, uint64_t arg);

/* sev.c: KVM_MEMORY_ENCRYPT_OP */
void gmi_sim_sev_init_vm(const struct gmem_sim *sim, struct sim_vm *vm);
void gmi_sim_part_mirror(struct sim_vm *vm);
void gmi_sim_sev_free_vm(struct gmem_sim *sim, struct sim_vm *vm);
int gmi_sim_sev_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
bool gmi_sim_has_es(const struct gmem_sim *sim);
bool gmi_sim_is_snp(const struct sim_vm *vm);
bool gmi_sim_may_pre_fault(const struct gmem_sim *sim, const struct sim_vm *vm);
uint32_t gmi_sim_vm_types(const struct gmem_sim *sim);

/* Every handler of a command gets it as it stands in the simulator; the caller writes it back. */
typedef int sim_sev_fn(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd);

/* sev_region.c: the host's memory that guests pin */
struct gmi_kvm_enc_region;
int gmi_sim_register_region(struct sim_vm *vm, const struct gmi_kvm_enc_region *range);
int gmi_sim_unregister_region(struct sim_vm *vm, const struct gmi_kvm_enc_region *range);
void gmi_sim_free_regions(struct sim_vm *vm);

/* sev_launch.c: SEV and SEV-ES */
sim_sev_fn gmi_sim_sev_launch_start;
sim_sev_fn gmi_sim_sev_launch_update_data;
sim_sev_fn gmi_sim_sev_launch_update_vmsa;
sim_sev_fn gmi_sim_sev_launch_measure;
sim_sev_fn gmi_sim_sev_launch_finish;
sim_sev_fn gmi_sim_sev_guest_status;

/* snp_launch.c and snp_finish.c: KVM's side of SNP */
sim_sev_fn gmi_sim_snp_launch_start;
sim_sev_fn gmi_sim_snp_launch_update;
sim_sev_fn gmi_sim_snp_launch_finish;
int gmi_sim_snp_decommission(struct gmem_sim *sim, struct sim_vm *vm);

/* sev_vcpus.c: all vCPUs of a VM, as kvm_lock_all_vcpus() takes them */
void gmi_sim_lock_vcpus(struct gmem_sim *sim, struct sim_vm *vm);
void gmi_sim_unlock_vcpus(struct gmem_sim *sim, struct sim_vm *vm);

/* snp_firmware.c: the firmware's side; the status is GMI_SEV_RET_... */
uint32_t gmi_sim_fw_launch_start(const struct gmem_sim *sim, struct sim_guest *guest,
				 uint64_t policy, const uint8_t *gosvw);
uint32_t gmi_sim_fw_activate(const struct gmem_sim *sim, struct sim_guest *guest, uint32_t asid);
uint32_t gmi_sim_fw_launch_update(struct sim_guest *guest, uint32_t type, uint64_t gpa,
				  uint8_t *page);

/* What LAUNCH_FINISH is given; @id_block and @id_auth may be NULL. */
struct sim_finish {
	const void *id_block;
	const void *id_auth;
	bool has_author_key;
	const uint8_t *host_data;
};

uint32_t gmi_sim_fw_launch_finish(struct sim_guest *guest, const struct sim_finish *finish);

/* snp_cpuid.c: checks the table, and corrects what it refuses */
uint32_t gmi_sim_fw_check_cpuid(uint8_t *page);

/* snp_id.c: checks the ID block against the guest, and notes what a report shows of it */
uint32_t gmi_sim_fw_check_id(struct sim_guest *guest, const struct sim_finish *finish);

/* snp_rmp.c: which pages of an inode the RMP gives to a guest */
bool gmi_sim_rmp_is_assigned(const struct sim_inode *inode, uint64_t offset);
int gmi_sim_rmp_assign(struct sim_inode *inode, uint64_t offset, uint64_t size);
void gmi_sim_rmp_release(struct sim_inode *inode, uint64_t offset, uint64_t size);

/* snp_report.c: as a guest gets it */
int gmi_sim_guest_report(struct gmem_sim *sim, struct sim_vm *vm, const void *data,
			 struct gmem_sim_report *ret_report);

#endif
