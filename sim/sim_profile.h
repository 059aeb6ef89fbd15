/* SPDX-License-Identifier: MIT */
/* What tells one simulated kernel from another. */
#ifndef GMI_SIM_PROFILE_H
#define GMI_SIM_PROFILE_H

#include <stdint.h>

#define SIM_VM_ATTRIBUTES  (1u << 0)  /* KVM_SET_MEMORY_ATTRIBUTES is built in */
#define SIM_GMEM_ANY_VM    (1u << 1)  /* VMs without private memory may bind files (6.18) */
#define SIM_OFFSET_SIGNED  (1u << 2)  /* guest_memfd_offset is signed (up to 6.18) */
#define SIM_OVERLAP_EARLY  (1u << 3)  /* file overlap is found before the gfn limit (up to 7.1) */
#define SIM_INODE_POLICY   (1u << 4)  /* mbind() sets the inode's policy (6.19) */
#define SIM_PRE_FAULT      (1u << 5)  /* KVM_PRE_FAULT_MEMORY exists (6.11) */
#define SIM_TDP            (1u << 6)  /* two-dimensional paging */
#define SIM_SMM            (1u << 7)  /* two address spaces where memory is not private */
#define SIM_INPLACE        (1u << 8)  /* KVM_SET_MEMORY_ATTRIBUTES2 on the file (queued for 7.4) */
#define SIM_LINK           (1u << 9)  /* KVM_LINK_GUEST_MEMFD, RFC v2 */
#define SIM_MOVE_CONTEXT   (1u << 10) /* RFC v2 memory-context move */
#define SIM_GMEM_CAP_BY_VM (1u << 11) /* cap 234 is 0 on a VM that cannot bind files */
#define SIM_HUGE_2025      (1u << 12) /* the 1G series of May 2025 */
#define SIM_HUGE_WIP       (1u << 13) /* its working tree of December 2025 */
#define SIM_ZAP_ALL        (1u << 14) /* deleting a memslot drops all page tables (up to 6.11) */
#define SIM_SEV            (1u << 15) /* AMD, with the firmware for confidential VMs */
#define SIM_TDX            (1u << 16) /* a TDX module, and KVM_MEMORY_ENCRYPT_OP for TDs */
#define SIM_TDX_OLD        (1u << 17) /* as it was merged in 6.16, up to 6.18 */

/* One row a simulated kernel. */
struct sim_profile {
	const char *name;
	const char *release;
	uint32_t features;
	uint32_t vm_types;     /* cap 235 */
	uint64_t shared_flags; /* creation flags on a VM without private memory */
	uint64_t private_flags;
	int overlap_errno;
	uint32_t gpa_bits;
};

const struct sim_profile *gmi_sim_profile_find(const char *name);

#endif
