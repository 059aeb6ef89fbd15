/* SPDX-License-Identifier: MIT */
/* The part of KVM's merged interface that libgmem and its kernel model speak. */
#ifndef GMI_UAPI_KVM_H
#define GMI_UAPI_KVM_H

#include <stdint.h>

/*
 * A name here is the kernel's name behind GMI_ or gmi_, so that both can be included together. The
 * comment behind a constant is the first kernel release that has it. ioctl numbers are those of
 * x86-64 and arm64; they are written out, and recomputed from the structs by a test.
 */

/* /dev/kvm; CHECK_EXTENSION also on a VM fd, where the answer may differ. */
#define GMI_KVM_GET_API_VERSION     0x0000ae00u /* 2.6.20 */
#define GMI_KVM_CREATE_VM           0x0000ae01u /* 2.6.20; the argument is the VM type */
#define GMI_KVM_CHECK_EXTENSION     0x0000ae03u /* 2.6.20; the argument is a capability */
#define GMI_KVM_GET_VCPU_MMAP_SIZE  0x0000ae04u /* 2.6.20 */
#define GMI_KVM_GET_SUPPORTED_CPUID 0xc008ae05u /* 2.6.25 */

#define GMI_KVM_API_VERSION 12 /* 2.6.22 */

/* VM fd. */
#define GMI_KVM_CREATE_VCPU                 0x0000ae41u /* 2.6.20 */
#define GMI_KVM_GET_DIRTY_LOG               0x4010ae42u /* 2.6.20 */
#define GMI_KVM_SET_USER_MEMORY_REGION      0x4020ae46u /* 2.6.25 */
#define GMI_KVM_SET_USER_MEMORY_REGION2     0x40a0ae49u /* 6.8 */
#define GMI_KVM_CREATE_IRQCHIP              0x0000ae60u /* 2.6.25 */
#define GMI_KVM_SET_TSC_KHZ                 0x0000aea2u /* 2.6.39; on the VM 5.19 */
#define GMI_KVM_GET_TSC_KHZ                 0x0000aea3u /* 2.6.39; on the VM 5.19 */
#define GMI_KVM_ENABLE_CAP                  0x4068aea3u /* 2.6.34; on the VM 3.15 */
#define GMI_KVM_MEMORY_ENCRYPT_OP           0xc008aebau /* 4.16; on a TDX vCPU 6.16 */
#define GMI_KVM_MEMORY_ENCRYPT_REG_REGION   0x8010aebbu /* 4.16 */
#define GMI_KVM_MEMORY_ENCRYPT_UNREG_REGION 0x8010aebcu /* 4.16 */
#define GMI_KVM_SET_MEMORY_ATTRIBUTES       0x4020aed2u /* 6.8 */
#define GMI_KVM_CREATE_GUEST_MEMFD          0xc040aed4u /* 6.8 */

/* vCPU fd. */
#define GMI_KVM_RUN              0x0000ae80u /* 2.6.20 */
#define GMI_KVM_GET_REGS         0x8090ae81u /* 2.6.20 */
#define GMI_KVM_SET_REGS         0x4090ae82u /* 2.6.20 */
#define GMI_KVM_GET_SREGS        0x8138ae83u /* 2.6.20 */
#define GMI_KVM_SET_SREGS        0x4138ae84u /* 2.6.20 */
#define GMI_KVM_GET_FPU          0x81a0ae8cu /* 2.6.22 */
#define GMI_KVM_SET_FPU          0x41a0ae8du /* 2.6.22 */
#define GMI_KVM_SET_CPUID2       0x4008ae90u /* 2.6.25 */
#define GMI_KVM_GET_CPUID2       0xc008ae91u /* 2.6.25 */
#define GMI_KVM_GET_DEBUGREGS    0x8080aea1u /* 2.6.34 */
#define GMI_KVM_SET_DEBUGREGS    0x4080aea2u /* 2.6.34 */
#define GMI_KVM_GET_XSAVE        0x9000aea4u /* 2.6.36 */
#define GMI_KVM_SET_XSAVE        0x5000aea5u /* 2.6.36 */
#define GMI_KVM_GET_XCRS         0x8188aea6u /* 2.6.36 */
#define GMI_KVM_SET_XCRS         0x4188aea7u /* 2.6.36 */
#define GMI_KVM_GET_SREGS2       0x8140aeccu /* 5.14 */
#define GMI_KVM_SET_SREGS2       0x4140aecdu /* 5.14 */
#define GMI_KVM_PRE_FAULT_MEMORY 0xc040aed5u /* 6.11 */

/* Device attributes; on /dev/kvm itself since 5.17 (KVM_CAP_SYS_ATTRIBUTES). */
#define GMI_KVM_GET_DEVICE_ATTR 0x4018aee2u /* 3.10 */
#define GMI_KVM_HAS_DEVICE_ATTR 0x4018aee3u /* 3.10 */

/* Capabilities. The answer of 118, 233 and 244 differs between VMs: ask the VM fd. */
#define GMI_KVM_CAP_USER_MEMORY              3   /* 2.6.25 */
#define GMI_KVM_CAP_NR_MEMSLOTS              10  /* 2.6.26 */
#define GMI_KVM_CAP_MAX_VCPUS                66  /* 3.2 */
#define GMI_KVM_CAP_READONLY_MEM             81  /* 3.7 */
#define GMI_KVM_CAP_MULTI_ADDRESS_SPACE      118 /* 4.2 */
#define GMI_KVM_CAP_SPLIT_IRQCHIP            121 /* 4.4 */
#define GMI_KVM_CAP_IMMEDIATE_EXIT           136 /* 4.11 */
#define GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM 197 /* 5.13; 1 on every x86 host */
#define GMI_KVM_CAP_EXIT_HYPERCALL           201 /* 5.14; a mask of hypercall numbers */
#define GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM 206 /* 5.16; 1 on every x86 host */
#define GMI_KVM_CAP_SYS_ATTRIBUTES           209 /* 5.17 */
#define GMI_KVM_CAP_PMU_CAPABILITY           212 /* 5.18 */
#define GMI_KVM_CAP_DISABLE_QUIRKS2          213 /* 5.18 */
#define GMI_KVM_CAP_VM_TSC_CONTROL           214 /* 5.19 */
#define GMI_KVM_CAP_USER_MEMORY2             231 /* 6.8 */
#define GMI_KVM_CAP_MEMORY_FAULT_INFO        232 /* 6.8 */
#define GMI_KVM_CAP_MEMORY_ATTRIBUTES        233 /* 6.8; the attributes that can be set */
#define GMI_KVM_CAP_GUEST_MEMFD              234 /* 6.8 */
#define GMI_KVM_CAP_VM_TYPES                 235 /* 6.8; a mask of VM types */
#define GMI_KVM_CAP_PRE_FAULT_MEMORY         236 /* 6.11 */
#define GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS   237 /* 6.11 */
#define GMI_KVM_CAP_GUEST_MEMFD_FLAGS        244 /* 6.18; the flags that creation accepts */

/*
 * Numbers that unmerged series used for their own capabilities before these took them. Needed to
 * tell such a tree from a merged kernel: on x86 a merged kernel answers 0 to all of them.
 */
#define GMI_KVM_CAP_ARM_WRITABLE_IMP_ID_REGS       239 /* 6.15 */
#define GMI_KVM_CAP_ARM_EL2                        240 /* 6.16 */
#define GMI_KVM_CAP_ARM_EL2_E2H0                   241 /* 6.16 */
#define GMI_KVM_CAP_RISCV_MP_STATE_RESET           242 /* 6.16 */
#define GMI_KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED 243 /* 6.17 */
#define GMI_KVM_CAP_ARM_SEA_TO_USER                245 /* 6.19 */
#define GMI_KVM_CAP_S390_USER_OPEREXEC             246 /* 6.19 */
#define GMI_KVM_CAP_S390_KEYOP                     247 /* 7.0 */
#define GMI_KVM_CAP_S390_VSIE_ESAMODE              248 /* 7.1 */
#define GMI_KVM_CAP_S390_HPAGE_2G                  249 /* 7.2 */
#define GMI_KVM_CAP_PPC_COMPAT_CAPS                250 /* 7.3 */
#define GMI_KVM_CAP_ARM_PMU_V3_STRICT              251 /* 7.3 */

/* VM types: the argument of CREATE_VM, and bits of capability 235. */
#define GMI_KVM_X86_DEFAULT_VM      0 /* 6.8 */
#define GMI_KVM_X86_SW_PROTECTED_VM 1 /* 6.8 */
#define GMI_KVM_X86_SEV_VM          2 /* 6.10 */
#define GMI_KVM_X86_SEV_ES_VM       3 /* 6.10 */
#define GMI_KVM_X86_SNP_VM          4 /* 6.11 */
#define GMI_KVM_X86_TDX_VM          5 /* 6.16 */

/* Bits for GMI_KVM_CAP_DISABLE_QUIRKS2 that change a launch digest or a launch. */
#define GMI_KVM_X86_QUIRK_CD_NW_CLEARED    (1u << 1) /* 4.2 */
#define GMI_KVM_X86_QUIRK_IGNORE_GUEST_PAT (1u << 9) /* 6.16 */

#define GMI_KVM_PMU_CAP_DISABLE (1u << 0) /* 5.18 */

/* GMI_KVM_SET_USER_MEMORY_REGION. The slot's high 16 bits name the address space. */
#define GMI_KVM_MEM_LOG_DIRTY_PAGES (1u << 0) /* 2.6.20 */
#define GMI_KVM_MEM_READONLY        (1u << 1) /* 3.7 */
#define GMI_KVM_MEM_GUEST_MEMFD     (1u << 2) /* 6.8; REGION2 only */

struct gmi_kvm_region {
	uint32_t slot;
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size;
	uint64_t userspace_addr;
};

/* The kernel reads neither pad. */
struct gmi_kvm_region2 {
	uint32_t slot;
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size;
	uint64_t userspace_addr;
	uint64_t guest_memfd_offset;
	uint32_t guest_memfd;
	uint32_t pad1;
	uint64_t pad2[14];
};

/* GMI_KVM_CREATE_GUEST_MEMFD. The kernel does not read @reserved. */
#define GMI_GUEST_MEMFD_FLAG_MMAP        (1ull << 0) /* 6.18 */
#define GMI_GUEST_MEMFD_FLAG_INIT_SHARED (1ull << 1) /* 6.18 */

/* f_type of fstatfs on such an fd; 6.8 to 6.18 answer that of anonymous inodes. */
#define GMI_GUEST_MEMFD_MAGIC   0x474d454du /* 6.19 */
#define GMI_ANON_INODE_FS_MAGIC 0x09041934u /* 2.6.22 */

struct gmi_kvm_create_guest_memfd {
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6];
};

/* GMI_KVM_SET_MEMORY_ATTRIBUTES; @flags must be 0. */
#define GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE (1ull << 3) /* 6.8 */

struct gmi_kvm_memory_attributes {
	uint64_t address;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
};

/* GMI_KVM_PRE_FAULT_MEMORY: @gpa and @size advance, also on failure; @flags must be 0. */
struct gmi_kvm_pre_fault {
	uint64_t gpa;
	uint64_t size;
	uint64_t flags;
	uint64_t padding[5];
};

/* GMI_KVM_ENABLE_CAP; @flags must be 0. */
struct gmi_kvm_enable_cap {
	uint32_t cap;
	uint32_t flags;
	uint64_t args[4];
	uint8_t pad[64];
};

/* GMI_KVM_MEMORY_ENCRYPT_REG_REGION and _UNREG_REGION. */
struct gmi_kvm_enc_region {
	uint64_t addr;
	uint64_t size;
};

/* GMI_KVM_GET_DIRTY_LOG. */
struct gmi_kvm_dirty_log {
	uint32_t slot;
	uint32_t padding1;
	uint64_t dirty_bitmap;
};

/* GMI_KVM_GET_DEVICE_ATTR and _HAS_DEVICE_ATTR; the value goes to the u64 at @addr. */
struct gmi_kvm_device_attr {
	uint32_t flags;
	uint32_t group;
	uint64_t attr;
	uint64_t addr;
};

/* CPUID lists; @nent counts the entries that follow. */
#define GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX (1u << 0) /* 2.6.25 */

struct gmi_kvm_cpuid_entry2 {
	uint32_t function;
	uint32_t index;
	uint32_t flags;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint32_t padding[3];
};

struct gmi_kvm_cpuid2 {
	uint32_t nent;
	uint32_t padding;
	struct gmi_kvm_cpuid_entry2 entries[];
};

/* Exit reasons. */
#define GMI_KVM_EXIT_UNKNOWN        0  /* 2.6.20 */
#define GMI_KVM_EXIT_IO             2  /* 2.6.20 */
#define GMI_KVM_EXIT_HYPERCALL      3  /* 2.6.20; used by x86 again since 5.14 */
#define GMI_KVM_EXIT_HLT            5  /* 2.6.20 */
#define GMI_KVM_EXIT_MMIO           6  /* 2.6.20 */
#define GMI_KVM_EXIT_SHUTDOWN       8  /* 2.6.20 */
#define GMI_KVM_EXIT_FAIL_ENTRY     9  /* 2.6.20 */
#define GMI_KVM_EXIT_INTR           10 /* 2.6.20 */
#define GMI_KVM_EXIT_INTERNAL_ERROR 17 /* 2.6.32 */
#define GMI_KVM_EXIT_SYSTEM_EVENT   24 /* 3.16 */
#define GMI_KVM_EXIT_MEMORY_FAULT   39 /* 6.8 */
#define GMI_KVM_EXIT_TDX            40 /* 6.16 */
#define GMI_KVM_EXIT_ARM_SEA        41 /* 6.19 */
#define GMI_KVM_EXIT_ARM_LDST64B    42 /* 7.0 */
#define GMI_KVM_EXIT_SNP_REQ_CERTS  43 /* 7.0 */

#define GMI_KVM_EXIT_IO_IN  0 /* 2.6.20 */
#define GMI_KVM_EXIT_IO_OUT 1 /* 2.6.20 */

#define GMI_KVM_INTERNAL_ERROR_EMULATION              1 /* 2.6.33 */
#define GMI_KVM_INTERNAL_ERROR_SIMUL_EX               2 /* 2.6.33 */
#define GMI_KVM_INTERNAL_ERROR_DELIVERY_EV            3 /* 3.18 */
#define GMI_KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON 4 /* 5.9 */

#define GMI_KVM_SYSTEM_EVENT_SHUTDOWN  1 /* 3.16 */
#define GMI_KVM_SYSTEM_EVENT_RESET     2 /* 3.16 */
#define GMI_KVM_SYSTEM_EVENT_CRASH     3 /* 4.5 */
#define GMI_KVM_SYSTEM_EVENT_SEV_TERM  6 /* 5.19 */
#define GMI_KVM_SYSTEM_EVENT_TDX_FATAL 7 /* 6.16 */

#define GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE (1ull << 3) /* 6.8 */

/* KVM_EXIT_HYPERCALL: the number, its flags, and the bits of the third argument. */
#define GMI_KVM_HC_MAP_GPA_RANGE         12          /* 5.14 */
#define GMI_KVM_EXIT_HYPERCALL_LONG_MODE (1ull << 0) /* 6.4 */
#define GMI_KVM_MAP_GPA_RANGE_PAGE_SZ_4K 0           /* 5.14 */
#define GMI_KVM_MAP_GPA_RANGE_PAGE_SZ_2M (1u << 0)   /* 5.14 */
#define GMI_KVM_MAP_GPA_RANGE_PAGE_SZ_1G (1u << 1)   /* 5.14 */
#define GMI_KVM_MAP_GPA_RANGE_ENCRYPTED  (1u << 4)   /* 5.14; to private */
#define GMI_KVM_MAP_GPA_RANGE_DECRYPTED  0           /* 5.14; to shared */

#define GMI_KVM_ENOSYS 1000 /* 2.6.25; negative, what the guest gets */

/* Members of the exit union below, each a struct so that a model can fill it by name. */
struct gmi_kvm_exit_io {
	uint8_t direction;
	uint8_t size;
	uint16_t port;
	uint32_t count;
	uint64_t data_offset; /* from the start of gmi_kvm_run */
};

struct gmi_kvm_exit_mmio {
	uint64_t phys_addr;
	uint8_t data[8];
	uint32_t len;
	uint8_t is_write;
};

/* @ret goes back to the guest; for SNP and TDX only 0, EINVAL and EAGAIN, positive, are legal. */
struct gmi_kvm_exit_hypercall {
	uint64_t nr;
	uint64_t args[6];
	uint64_t ret;
	uint64_t flags; /* 6.4; a u32 "longmode" before */
};

struct gmi_kvm_exit_fail_entry {
	uint64_t hardware_entry_failure_reason;
	uint32_t cpu;
};

struct gmi_kvm_exit_internal {
	uint32_t suberror;
	uint32_t ndata;
	uint64_t data[16];
};

struct gmi_kvm_exit_system_event {
	uint32_t type;
	uint32_t ndata; /* 5.19 */
	uint64_t data[16];
};

struct gmi_kvm_exit_memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

struct gmi_kvm_exit_tdx {
	uint64_t flags;
	uint64_t nr;
	union {
		struct {
			uint64_t ret;
			uint64_t data[5];
		} unknown;
		struct {
			uint64_t ret;
			uint64_t gpa;
			uint64_t size;
		} get_quote;
		struct {
			uint64_t ret;
			uint64_t leaf;
			uint64_t r11;
			uint64_t r12;
			uint64_t r13;
			uint64_t r14;
		} get_tdvmcall_info;
		struct {
			uint64_t ret;
			uint64_t vector;
		} setup_event_notify;
	};
};

/* Legal @ret: 0, ENOSPC with @npages set to the need, EAGAIN, EIO. */
struct gmi_kvm_exit_snp_req_certs {
	uint64_t gpa;
	uint64_t npages;
	uint64_t ret;
};

/* The head of a vCPU's mapping. The kernel's struct goes on behind the union. */
struct gmi_kvm_run {
	uint8_t request_interrupt_window;
	uint8_t immediate_exit;
	uint8_t padding1[6];
	uint32_t exit_reason;
	uint8_t ready_for_interrupt_injection;
	uint8_t if_flag;
	uint16_t flags;
	uint64_t cr8;
	uint64_t apic_base;
	union {
		struct gmi_kvm_exit_io io;
		struct gmi_kvm_exit_mmio mmio;
		struct gmi_kvm_exit_hypercall hypercall;
		struct gmi_kvm_exit_fail_entry fail_entry;
		struct gmi_kvm_exit_internal internal;
		struct gmi_kvm_exit_system_event system_event;
		struct gmi_kvm_exit_memory_fault memory_fault;
		struct gmi_kvm_exit_tdx tdx;
		struct gmi_kvm_exit_snp_req_certs snp_req_certs;
		uint8_t padding[256];
	};
};

#endif
