/* SPDX-License-Identifier: MIT */
/* TDX: KVM's sub-commands and structs, and the numbers of the module and the guest interface. */
#ifndef GMI_UAPI_TDX_H
#define GMI_UAPI_TDX_H

#include <stdint.h>

#include "uapi_kvm.h"

/* Sub-commands of GMI_KVM_MEMORY_ENCRYPT_OP, behind each the fd that takes it. */
#define GMI_KVM_TDX_CAPABILITIES    0 /* 6.16; VM */
#define GMI_KVM_TDX_INIT_VM         1 /* 6.16; VM */
#define GMI_KVM_TDX_INIT_VCPU       2 /* 6.16; vCPU; data is the initial RCX */
#define GMI_KVM_TDX_INIT_MEM_REGION 3 /* 6.16; vCPU */
#define GMI_KVM_TDX_FINALIZE_VM     4 /* 6.16; VM */
#define GMI_KVM_TDX_GET_CPUID       5 /* 6.16; vCPU */

#define GMI_KVM_TDX_MEASURE_MEMORY_REGION (1u << 0) /* 6.16; flag of INIT_MEM_REGION */

/* @hw_error must be 0 on entry; only INIT_VM and FINALIZE_VM write it. */
struct gmi_kvm_tdx_cmd {
	uint32_t id;
	uint32_t flags;
	uint64_t data;
	uint64_t hw_error;
};

/* @cpuid.nent: in the entries that fit, out their number. */
struct gmi_kvm_tdx_capabilities {
	uint64_t supported_attrs;
	uint64_t supported_xfam;
	uint64_t kernel_tdvmcallinfo_1_r11;
	uint64_t user_tdvmcallinfo_1_r11;
	uint64_t kernel_tdvmcallinfo_1_r12;
	uint64_t user_tdvmcallinfo_1_r12;
	uint64_t reserved[250];
	struct gmi_kvm_cpuid2 cpuid;
};

/* @reserved and @cpuid.padding must be 0. */
struct gmi_kvm_tdx_init_vm {
	uint64_t attributes;
	uint64_t xfam;
	uint64_t mrconfigid[6];
	uint64_t mrowner[6];
	uint64_t mrownerconfig[6];
	uint64_t reserved[12];
	struct gmi_kvm_cpuid2 cpuid;
};

/* All three advance by what was done, on failure too; @nr_pages counts 4 KiB pages. */
struct gmi_kvm_tdx_init_mem_region {
	uint64_t source_addr;
	uint64_t gpa;
	uint64_t nr_pages;
};

/* The most entries that the kernel reads from a CPUID list. */
#define GMI_KVM_MAX_CPUID_ENTRIES 256 /* kernel */

/* The local APIC bus cycle that the module fixes, for GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS. */
#define GMI_TDX_APIC_BUS_CYCLES_NS 40 /* module */

/* The module counts the TSC frequency in these. */
#define GMI_TDX_TSC_UNIT_KHZ 25000 /* module */

/* TD attributes. KVM itself offers SEPT_VE_DISABLE only: ask CAPABILITIES. */
#define GMI_TDX_ATTR_DEBUG           (1ull << 0)  /* module */
#define GMI_TDX_ATTR_LASS            (1ull << 27) /* module */
#define GMI_TDX_ATTR_SEPT_VE_DISABLE (1ull << 28) /* module */
#define GMI_TDX_ATTR_MIGRATABLE      (1ull << 29) /* module */
#define GMI_TDX_ATTR_PKS             (1ull << 30) /* module */
#define GMI_TDX_ATTR_KL              (1ull << 31) /* module */
#define GMI_TDX_ATTR_TPA             (1ull << 62) /* module */
#define GMI_TDX_ATTR_PERFMON         (1ull << 63) /* module */

/* Guest physical address widths, in CPUID 0x80000008 EAX[23:16]; the top bit is the shared bit. */
#define GMI_TDX_GPAW_48 48 /* module */
#define GMI_TDX_GPAW_52 52 /* module */

/* TDVMCALL leaves: gmi_kvm_run.tdx.nr. */
#define GMI_TDVMCALL_GET_TD_VM_CALL_INFO          0x10000 /* guest */
#define GMI_TDVMCALL_MAP_GPA                      0x10001 /* guest */
#define GMI_TDVMCALL_GET_QUOTE                    0x10002 /* guest */
#define GMI_TDVMCALL_REPORT_FATAL_ERROR           0x10003 /* guest */
#define GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT 0x10004 /* guest */

/* What CAPABILITIES says about optional leaves that go to user space. */
#define GMI_TDX_TDVMCALLINFO_SETUP_EVENT_NOTIFY_INTERRUPT (1ull << 1) /* kernel */

/* TDVMCALL status: the ret member of each gmi_kvm_run.tdx variant. */
#define GMI_TDVMCALL_STATUS_SUCCESS             0                     /* guest */
#define GMI_TDVMCALL_STATUS_RETRY               1                     /* guest */
#define GMI_TDVMCALL_STATUS_INVALID_OPERAND     0x8000000000000000ull /* guest */
#define GMI_TDVMCALL_STATUS_ALIGN_ERROR         0x8000000000000002ull /* guest */
#define GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED 0x8000000000000003ull /* guest */

/* SEAMCALL status: gmi_kvm_tdx_cmd.hw_error. The low half is detail, here the refused operand. */
#define GMI_TDX_SEAMCALL_STATUS_MASK               0xffffffff00000000ull /* module */
#define GMI_TDX_NON_RECOVERABLE_VCPU               0x4000000100000000ull /* module */
#define GMI_TDX_NON_RECOVERABLE_TD                 0x4000000200000000ull /* module */
#define GMI_TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE  0x6000000500000000ull /* module */
#define GMI_TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE 0x6000000700000000ull /* module */
#define GMI_TDX_INTERRUPTED_RESUMABLE              0x8000000300000000ull /* module */
#define GMI_TDX_OPERAND_INVALID                    0xc000010000000000ull /* module */
#define GMI_TDX_OPERAND_BUSY                       0x8000020000000000ull /* module */
#define GMI_TDX_PREVIOUS_TLB_EPOCH_BUSY            0x8000020100000000ull /* module */
#define GMI_TDX_SYS_BUSY                           0x8000020200000000ull /* module */
#define GMI_TDX_RND_NO_ENTROPY                     0x8000020300000000ull /* module */
#define GMI_TDX_PAGE_METADATA_INCORRECT            0xc000030000000000ull /* module */
#define GMI_TDX_VCPU_NOT_ASSOCIATED                0x8000070200000000ull /* module */
#define GMI_TDX_KEY_GENERATION_FAILED              0x8000080000000000ull /* module */
#define GMI_TDX_KEY_STATE_INCORRECT                0xc000081100000000ull /* module */
#define GMI_TDX_KEY_CONFIGURED                     0x0000081500000000ull /* module */
#define GMI_TDX_NO_HKID_READY_TO_WBCACHE           0x0000082100000000ull /* module */
#define GMI_TDX_FLUSHVP_NOT_DONE                   0x8000082400000000ull /* module */
#define GMI_TDX_EPT_WALK_FAILED                    0xc0000b0000000000ull /* module */
#define GMI_TDX_EPT_ENTRY_STATE_INCORRECT          0xc0000b0d00000000ull /* module */
#define GMI_TDX_METADATA_FIELD_NOT_READABLE        0xc0000c0200000000ull /* module */

#endif
