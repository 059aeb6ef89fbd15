/* SPDX-License-Identifier: MIT */
/* The kernels that can be simulated, as data. */
#include <errno.h>
#include <string.h>

#include "sim_model.h"

#define MMAP        GMI_GUEST_MEMFD_FLAG_MMAP
#define INIT_SHARED GMI_GUEST_MEMFD_FLAG_INIT_SHARED

#define TYPE_DEFAULT      (1u << GMI_KVM_X86_DEFAULT_VM)
#define TYPE_SW_PROTECTED (1u << GMI_KVM_X86_SW_PROTECTED_VM)
#define TYPE_AMD                                                                                   \
	(TYPE_DEFAULT | TYPE_SW_PROTECTED | 1u << GMI_KVM_X86_SEV_VM |                             \
	 1u << GMI_KVM_X86_SEV_ES_VM | 1u << GMI_KVM_X86_SNP_VM)
#define TYPE_TDX (1u << GMI_KVM_X86_TDX_VM)
#define TYPE_ALL ((1u << (GMI_KVM_X86_TDX_VM + 1)) - 1)

#define V7_3 (SIM_GMEM_ANY_VM | SIM_INODE_POLICY | SIM_PRE_FAULT | SIM_TDP | SIM_SMM)

static const struct sim_profile profiles[] = {
	/* UNVERIFIED: read, not run; guest_memfd.c and kvm_main.c of v6.8. */
	{
		.name = "v6.8",
		.release = "6.8.0",
		.features = SIM_VM_ATTRIBUTES | SIM_OFFSET_SIGNED | SIM_OVERLAP_EARLY | SIM_TDP |
			    SIM_SMM | SIM_GMEM_CAP_BY_VM | SIM_ZAP_ALL,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.overlap_errno = -EINVAL,
		.gpa_bits = 40,
	},
	/*
	 * As a host without two-dimensional paging, SMM, and CONFIG_KVM_SW_PROTECTED_VM showed it.
	 */
	{
		.name = "v6.18",
		.release = "6.18.0",
		.features = SIM_GMEM_ANY_VM | SIM_OFFSET_SIGNED | SIM_OVERLAP_EARLY | SIM_PRE_FAULT,
		.vm_types = TYPE_DEFAULT,
		.shared_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EINVAL,
		.gpa_bits = 52,
	},
	/* A build without any kind of private memory. */
	{
		.name = "v7.3-default",
		.release = "7.3.0",
		.features = V7_3,
		.vm_types = TYPE_DEFAULT,
		.shared_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/* As observed in a 7.3.4 kernel with CONFIG_KVM_SW_PROTECTED_VM. */
	{
		.name = "v7.3-sw",
		.release = "7.3.0",
		.features = V7_3 | SIM_VM_ATTRIBUTES,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/* UNVERIFIED: v7.3-sw with the types of confidential VMs, which have no firmware here. */
	{
		.name = "v7.3-coco",
		.release = "7.3.0",
		.features = V7_3 | SIM_VM_ATTRIBUTES,
		.vm_types = TYPE_ALL,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP,
		.overlap_errno = -EEXIST,
		.gpa_bits = 48,
	},
	/* UNVERIFIED: an AMD machine with SNP on, and its firmware; sim_sev.h. */
	{
		.name = "v7.3-snp",
		.release = "7.3.0",
		.features = V7_3 | SIM_VM_ATTRIBUTES | SIM_SEV,
		.vm_types = TYPE_AMD,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP,
		.overlap_errno = -EEXIST,
		.gpa_bits = 48,
	},
	/* UNVERIFIED: a host with a TDX module, vmx/tdx.c of 7.3.4. */
	{
		.name = "v7.3-tdx",
		.release = "7.3.0",
		.features = V7_3 | SIM_VM_ATTRIBUTES | SIM_TDX,
		.vm_types = TYPE_DEFAULT | TYPE_TDX,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP,
		.overlap_errno = -EEXIST,
		.gpa_bits = 52,
	},
	/* UNVERIFIED: TDX as it was merged, vmx/tdx.c of 3829d81b6958 (2025); up to 6.18. */
	{
		.name = "v6.16-tdx",
		.release = "6.16.0",
		.features = SIM_VM_ATTRIBUTES | SIM_OFFSET_SIGNED | SIM_OVERLAP_EARLY |
			    SIM_PRE_FAULT | SIM_TDP | SIM_SMM | SIM_GMEM_CAP_BY_VM | SIM_TDX |
			    SIM_TDX_OLD,
		.vm_types = TYPE_DEFAULT | TYPE_TDX,
		.overlap_errno = -EINVAL,
		.gpa_bits = 52,
	},
	/*
	 * UNVERIFIED: kvm-x86 in linux-next, September 2026, without
	 * CONFIG_KVM_VM_MEMORY_ATTRIBUTES.
	 */
	{
		.name = "v7.4-inplace",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/*
	 * UNVERIFIED: the same with CONFIG_KVM_VM_MEMORY_ATTRIBUTES=y and
	 * gmem_in_place_conversion=1.
	 */
	{
		.name = "v7.4-mixed",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE | SIM_VM_ATTRIBUTES,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/* UNVERIFIED: v7.4-inplace on the machine of v7.3-tdx. */
	{
		.name = "v7.4-tdx",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE | SIM_TDX,
		.vm_types = TYPE_DEFAULT | TYPE_TDX,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 52,
	},
	/* UNVERIFIED: v7.4-inplace on the machine of v7.3-snp. */
	{
		.name = "v7.4-snp",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE | SIM_SEV,
		.vm_types = TYPE_AMD,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 48,
	},
	/*
	 * v7.3-sw with the link series, cover.1747368092.git.afranji@google.com, as
	 * tests/vm/patches.
	 */
	{
		.name = "rfc-link",
		.release = "7.3.0",
		.features = V7_3 | SIM_VM_ATTRIBUTES | SIM_LINK | SIM_MOVE_CONTEXT,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/*
	 * UNVERIFIED: v7.4-inplace with the link series, of which no version for in-place conversion
	 * was posted: what its cover letter, cover.1747368092.git.afranji@google.com, says of a state
	 * that lies in the inode. What is left of a move then is that the source is dead.
	 */
	{
		.name = "rfc-link-inplace",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE | SIM_LINK | SIM_MOVE_CONTEXT,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED,
		.private_flags = MMAP | INIT_SHARED,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
	/* UNVERIFIED: 1G pages, RFC v2, cover.1747264138.git.ackerleytng@google.com, on v6.15. */
	{
		.name = "rfc-hugetlb-2025",
		.release = "6.15.0",
		.features = SIM_GMEM_ANY_VM | SIM_OFFSET_SIGNED | SIM_OVERLAP_EARLY |
			    SIM_INODE_POLICY | SIM_PRE_FAULT | SIM_TDP | SIM_SMM | SIM_HUGE_2025,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.overlap_errno = -EINVAL,
		.gpa_bits = 40,
	},
	/*
	 * UNVERIFIED: 1G pages, the working tree of 2025-12-08, with in-place conversion as queued.
	 */
	{
		.name = "rfc-hugetlb-wip",
		.release = "7.4.0",
		.features = V7_3 | SIM_INPLACE | SIM_HUGE_WIP,
		.vm_types = TYPE_DEFAULT | TYPE_SW_PROTECTED,
		.shared_flags = MMAP | INIT_SHARED | GMEM_SIM_HUGETLB_WIP_FLAG,
		.private_flags = MMAP | INIT_SHARED | GMEM_SIM_HUGETLB_WIP_FLAG,
		.overlap_errno = -EEXIST,
		.gpa_bits = 40,
	},
};

#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

GMEM_API const char *gmem_sim_profile_name(size_t index)
{
	return index < PROFILES ? profiles[index].name : NULL;
}

const struct sim_profile *gmi_sim_profile_find(const char *name)
{
	for (size_t i = 0; i < PROFILES; i++) {
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	}
	return NULL;
}
