/* SPDX-License-Identifier: MIT */
/* SEV and SEV-SNP: KVM's commands, the firmware's numbers, and the pages both exchange. */
#ifndef GMI_UAPI_SEV_H
#define GMI_UAPI_SEV_H

#include <stdint.h>

/*
 * Commands of GMI_KVM_MEMORY_ENCRYPT_OP on the VM fd. On an SNP VM those below 100 end with EPERM
 * once INIT2 is done; 10, 14 and 19 have no handler.
 */
#define GMI_KVM_SEV_INIT                   0   /* 4.16 */
#define GMI_KVM_SEV_ES_INIT                1   /* 4.16; handled since 5.11 */
#define GMI_KVM_SEV_LAUNCH_START           2   /* 4.16 */
#define GMI_KVM_SEV_LAUNCH_UPDATE_DATA     3   /* 4.16 */
#define GMI_KVM_SEV_LAUNCH_UPDATE_VMSA     4   /* 4.16; handled since 5.11 */
#define GMI_KVM_SEV_LAUNCH_SECRET          5   /* 4.16 */
#define GMI_KVM_SEV_LAUNCH_MEASURE         6   /* 4.16 */
#define GMI_KVM_SEV_LAUNCH_FINISH          7   /* 4.16 */
#define GMI_KVM_SEV_SEND_START             8   /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_SEND_UPDATE_DATA       9   /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_SEND_UPDATE_VMSA       10  /* 4.16; never handled */
#define GMI_KVM_SEV_SEND_FINISH            11  /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_RECEIVE_START          12  /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_RECEIVE_UPDATE_DATA    13  /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_RECEIVE_UPDATE_VMSA    14  /* 4.16; never handled */
#define GMI_KVM_SEV_RECEIVE_FINISH         15  /* 4.16; handled since 5.13 */
#define GMI_KVM_SEV_GUEST_STATUS           16  /* 4.16 */
#define GMI_KVM_SEV_DBG_DECRYPT            17  /* 4.16 */
#define GMI_KVM_SEV_DBG_ENCRYPT            18  /* 4.16 */
#define GMI_KVM_SEV_CERT_EXPORT            19  /* 4.16; never handled */
#define GMI_KVM_SEV_GET_ATTESTATION_REPORT 20  /* 5.13 */
#define GMI_KVM_SEV_SEND_CANCEL            21  /* 5.13 */
#define GMI_KVM_SEV_INIT2                  22  /* 6.10 */
#define GMI_KVM_SEV_SNP_LAUNCH_START       100 /* 6.11 */
#define GMI_KVM_SEV_SNP_LAUNCH_UPDATE      101 /* 6.11 */
#define GMI_KVM_SEV_SNP_LAUNCH_FINISH      102 /* 6.11 */
#define GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS   103 /* 7.0; no data */

/*
 * @error starts as what the caller put there and is written back also when the command failed: set
 * it to 0 first.
 */
struct gmi_kvm_sev_cmd {
	uint32_t id;
	uint32_t pad0;
	uint64_t data;
	uint32_t error;
	uint32_t sev_fd;
};

/* INIT2. @vmsa_features without bit 0, which KVM sets itself; @ghcb_version 0 is the default. */
struct gmi_kvm_sev_init {
	uint64_t vmsa_features;
	uint32_t flags;
	uint16_t ghcb_version;
	uint16_t pad1;
	uint32_t pad2[8];
};

/* The launch of SEV and SEV-ES guests. @handle: in 0 for a new one; out what it became. */
struct gmi_kvm_sev_launch_start {
	uint32_t handle;
	uint32_t policy;
	uint64_t dh_uaddr;
	uint32_t dh_len;
	uint32_t pad0;
	uint64_t session_uaddr;
	uint32_t session_len;
	uint32_t pad1;
};

/* Encrypts in place what is at @uaddr. */
struct gmi_kvm_sev_launch_update_data {
	uint64_t uaddr;
	uint32_t len;
	uint32_t pad0;
};

/* With @len 0 the command fails, and @len is what it needs. */
struct gmi_kvm_sev_launch_measure {
	uint64_t uaddr;
	uint32_t len;
	uint32_t pad0;
};

struct gmi_kvm_sev_guest_status {
	uint32_t handle;
	uint32_t policy;
	uint32_t state;
};

struct gmi_kvm_sev_snp_launch_start {
	uint64_t policy;
	uint8_t gosvw[16];
	uint16_t flags;
	uint8_t pad0[6];
	uint64_t pad1[4];
};

/* Page types. The firmware has type 2 for a VMSA, which KVM makes itself. */
#define GMI_KVM_SEV_SNP_PAGE_TYPE_NORMAL     1 /* 6.11 */
#define GMI_SNP_PAGE_TYPE_VMSA               2 /* firmware */
#define GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO       3 /* 6.11 */
#define GMI_KVM_SEV_SNP_PAGE_TYPE_UNMEASURED 4 /* 6.11 */
#define GMI_KVM_SEV_SNP_PAGE_TYPE_SECRETS    5 /* 6.11 */
#define GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID      6 /* 6.11 */

/* @gfn_start, @uaddr and @len advance by what was done, on success only. */
struct gmi_kvm_sev_snp_launch_update {
	uint64_t gfn_start;
	uint64_t uaddr;
	uint64_t len;
	uint8_t type;
	uint8_t pad0;
	uint16_t flags;
	uint32_t pad1;
	uint64_t pad2[4];
};

#define GMI_KVM_SEV_SNP_ID_BLOCK_SIZE    96   /* 6.11 */
#define GMI_KVM_SEV_SNP_ID_AUTH_SIZE     4096 /* 6.11 */
#define GMI_KVM_SEV_SNP_FINISH_DATA_SIZE 32   /* 6.11 */

struct gmi_kvm_sev_snp_launch_finish {
	uint64_t id_block_uaddr;
	uint64_t id_auth_uaddr;
	uint8_t id_block_en;
	uint8_t auth_key_en;
	uint8_t vcek_disabled;
	uint8_t host_data[GMI_KVM_SEV_SNP_FINISH_DATA_SIZE];
	uint8_t pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};

/* Device attributes of /dev/kvm: the group, and what the u64 behind each one says. */
#define GMI_KVM_X86_GRP_SEV           1 /* 6.10 */
#define GMI_KVM_X86_SEV_VMSA_FEATURES 0 /* 6.10; the mask that INIT2 accepts */
#define GMI_KVM_X86_SNP_POLICY_BITS   1 /* 6.19; the mask that LAUNCH_START accepts */
#define GMI_KVM_X86_SEV_SNP_REQ_CERTS 2 /* 7.0; 1 where SNP is on */

#define GMI_SEV_GHCB_VERSION_MAX 2 /* kernel; the only one that SNP accepts */

/* The gpa under which KVM measures every VMSA. */
#define GMI_SNP_VMSA_GPA 0xfffffffff000ull /* kernel */

/* VMSA features (SEV_FEATURES in the VMSA). */
#define GMI_SEV_FEATURE_SNP_ACTIVE           (1ull << 0)  /* firmware */
#define GMI_SEV_FEATURE_VTOM                 (1ull << 1)  /* firmware */
#define GMI_SEV_FEATURE_REFLECT_VC           (1ull << 2)  /* firmware */
#define GMI_SEV_FEATURE_RESTRICTED_INJECTION (1ull << 3)  /* firmware */
#define GMI_SEV_FEATURE_ALTERNATE_INJECTION  (1ull << 4)  /* firmware */
#define GMI_SEV_FEATURE_DEBUG_SWAP           (1ull << 5)  /* firmware */
#define GMI_SEV_FEATURE_PREVENT_HOST_IBS     (1ull << 6)  /* firmware */
#define GMI_SEV_FEATURE_BTB_ISOLATION        (1ull << 7)  /* firmware */
#define GMI_SEV_FEATURE_VMPL_SSS             (1ull << 8)  /* firmware */
#define GMI_SEV_FEATURE_SECURE_TSC           (1ull << 9)  /* firmware */
#define GMI_SEV_FEATURE_VMGEXIT_PARAMETER    (1ull << 10) /* firmware */
#define GMI_SEV_FEATURE_IBS_VIRTUALIZATION   (1ull << 12) /* firmware */
#define GMI_SEV_FEATURE_VMSA_REG_PROT        (1ull << 14) /* firmware */
#define GMI_SEV_FEATURE_SMT_PROTECTION       (1ull << 15) /* firmware */

/* Guest policy. */
#define GMI_SNP_POLICY_ABI_MINOR_MASK    0x00ffull    /* firmware */
#define GMI_SNP_POLICY_ABI_MAJOR_MASK    0xff00ull    /* firmware */
#define GMI_SNP_POLICY_SMT               (1ull << 16) /* firmware */
#define GMI_SNP_POLICY_RESERVED_ONE      (1ull << 17) /* firmware; must be set */
#define GMI_SNP_POLICY_MIGRATE_MA        (1ull << 18) /* firmware; KVM refuses it */
#define GMI_SNP_POLICY_DEBUG             (1ull << 19) /* firmware */
#define GMI_SNP_POLICY_SINGLE_SOCKET     (1ull << 20) /* firmware */
#define GMI_SNP_POLICY_CXL_ALLOW         (1ull << 21) /* firmware */
#define GMI_SNP_POLICY_MEM_AES_256_XTS   (1ull << 22) /* firmware */
#define GMI_SNP_POLICY_RAPL_DIS          (1ull << 23) /* firmware */
#define GMI_SNP_POLICY_CIPHERTEXT_HIDING (1ull << 24) /* firmware */
#define GMI_SNP_POLICY_PAGE_SWAP_DISABLE (1ull << 25) /* firmware */

/* Firmware status: gmi_kvm_sev_cmd.error and gmi_sev_issue_cmd.error. */
#define GMI_SEV_RET_NO_FW_CALL                   0xffffffffu /* 6.4; the firmware was not called */
#define GMI_SEV_RET_SUCCESS                      0x00        /* 4.16 */
#define GMI_SEV_RET_INVALID_PLATFORM_STATE       0x01        /* 4.16 */
#define GMI_SEV_RET_INVALID_GUEST_STATE          0x02        /* 4.16 */
#define GMI_SEV_RET_INVALID_CONFIG               0x03        /* 6.9; a misspelt name before */
#define GMI_SEV_RET_INVALID_LEN                  0x04        /* 4.16 */
#define GMI_SEV_RET_ALREADY_OWNED                0x05        /* 4.16 */
#define GMI_SEV_RET_INVALID_CERTIFICATE          0x06        /* 4.16 */
#define GMI_SEV_RET_POLICY_FAILURE               0x07        /* 4.16 */
#define GMI_SEV_RET_INACTIVE                     0x08        /* 4.16 */
#define GMI_SEV_RET_INVALID_ADDRESS              0x09        /* 4.16 */
#define GMI_SEV_RET_BAD_SIGNATURE                0x0a        /* 4.16 */
#define GMI_SEV_RET_BAD_MEASUREMENT              0x0b        /* 4.16 */
#define GMI_SEV_RET_ASID_OWNED                   0x0c        /* 4.16 */
#define GMI_SEV_RET_INVALID_ASID                 0x0d        /* 4.16 */
#define GMI_SEV_RET_WBINVD_REQUIRED              0x0e        /* 4.16 */
#define GMI_SEV_RET_DFFLUSH_REQUIRED             0x0f        /* 4.16 */
#define GMI_SEV_RET_INVALID_GUEST                0x10        /* 4.16 */
#define GMI_SEV_RET_INVALID_COMMAND              0x11        /* 4.16 */
#define GMI_SEV_RET_ACTIVE                       0x12        /* 4.16 */
#define GMI_SEV_RET_HWSEV_RET_PLATFORM           0x13        /* 4.16 */
#define GMI_SEV_RET_HWSEV_RET_UNSAFE             0x14        /* 4.16 */
#define GMI_SEV_RET_UNSUPPORTED                  0x15        /* 4.16 */
#define GMI_SEV_RET_INVALID_PARAM                0x16        /* 4.20 */
#define GMI_SEV_RET_RESOURCE_LIMIT               0x17        /* 4.20 */
#define GMI_SEV_RET_SECURE_DATA_INVALID          0x18        /* 4.20 */
#define GMI_SEV_RET_INVALID_PAGE_SIZE            0x19        /* 6.9 */
#define GMI_SEV_RET_INVALID_PAGE_STATE           0x1a        /* 6.9 */
#define GMI_SEV_RET_INVALID_MDATA_ENTRY          0x1b        /* 6.9 */
#define GMI_SEV_RET_INVALID_PAGE_OWNER           0x1c        /* 6.9 */
#define GMI_SEV_RET_AEAD_OFLOW                   0x1d        /* 6.9 */
#define GMI_SEV_RET_EXIT_RING_BUFFER             0x1f        /* 6.9 */
#define GMI_SEV_RET_RMP_INIT_REQUIRED            0x20        /* 6.9 */
#define GMI_SEV_RET_BAD_SVN                      0x21        /* 6.9 */
#define GMI_SEV_RET_BAD_VERSION                  0x22        /* 6.9 */
#define GMI_SEV_RET_SHUTDOWN_REQUIRED            0x23        /* 6.9 */
#define GMI_SEV_RET_UPDATE_FAILED                0x24        /* 6.9 */
#define GMI_SEV_RET_RESTORE_REQUIRED             0x25        /* 6.9 */
#define GMI_SEV_RET_RMP_INITIALIZATION_FAILED    0x26        /* 6.9 */
#define GMI_SEV_RET_INVALID_KEY                  0x27        /* 6.9 */
#define GMI_SEV_RET_SHUTDOWN_INCOMPLETE          0x28        /* 6.19 */
#define GMI_SEV_RET_INCORRECT_BUFFER_LENGTH      0x30        /* 6.19 */
#define GMI_SEV_RET_EXPAND_BUFFER_LENGTH_REQUEST 0x31        /* 6.19 */
#define GMI_SEV_RET_SPDM_REQUEST                 0x32        /* 6.19 */
#define GMI_SEV_RET_SPDM_ERROR                   0x33        /* 6.19 */
#define GMI_SEV_RET_ERR_IN_DEV_CONN              0x35        /* 6.19 */
#define GMI_SEV_RET_INVALID_DEV_CTX              0x36        /* 6.19 */
#define GMI_SEV_RET_INVALID_TDI_CTX              0x37        /* 6.19 */
#define GMI_SEV_RET_INVALID_TDI                  0x38        /* 6.19 */
#define GMI_SEV_RET_RECLAIM_REQUIRED             0x39        /* 6.19 */
#define GMI_SEV_RET_IN_USE                       0x3a        /* 6.19 */
#define GMI_SEV_RET_INVALID_DEV_STATE            0x3b        /* 6.19 */
#define GMI_SEV_RET_INVALID_TDI_STATE            0x3c        /* 6.19 */
#define GMI_SEV_RET_DEV_CERT_CHANGED             0x3d        /* 6.19 */
#define GMI_SEV_RET_RESYNC_REQ                   0x3e        /* 6.19 */
#define GMI_SEV_RET_RESPONSE_TOO_LARGE           0x3f        /* 6.19 */

/* /dev/sev. */
#define GMI_SEV_ISSUE_CMD 0xc0105300u /* 4.16 */

#define GMI_SEV_FACTORY_RESET   0  /* 4.16 */
#define GMI_SEV_PLATFORM_STATUS 1  /* 4.16 */
#define GMI_SEV_PEK_GEN         2  /* 4.16 */
#define GMI_SEV_PEK_CSR         3  /* 4.16 */
#define GMI_SEV_PDH_GEN         4  /* 4.16 */
#define GMI_SEV_PDH_CERT_EXPORT 5  /* 4.16 */
#define GMI_SEV_PEK_CERT_IMPORT 6  /* 4.16 */
#define GMI_SEV_GET_ID          7  /* 4.20; superseded by GET_ID2 */
#define GMI_SEV_GET_ID2         8  /* 5.2 */
#define GMI_SNP_PLATFORM_STATUS 9  /* 6.9 */
#define GMI_SNP_COMMIT          10 /* 6.9 */
#define GMI_SNP_SET_CONFIG      11 /* 6.9 */
#define GMI_SNP_VLEK_LOAD       12 /* 6.11 */

struct gmi_sev_issue_cmd {
	uint32_t cmd;
	uint64_t data;
	uint32_t error;
} __attribute__((packed));

#define GMI_SEV_STATUS_FLAGS_CONFIG_ES 0x0100 /* 4.16 */

struct gmi_sev_platform_status {
	uint8_t api_major;
	uint8_t api_minor;
	uint8_t state;
	uint32_t flags;
	uint8_t build;
	uint32_t guest_count;
} __attribute__((packed));

#define GMI_SNP_STATUS_RMP_INITIALIZED       0x01      /* 6.9; in rmp_bits */
#define GMI_SNP_STATUS_MASK_CHIP_ID          (1u << 0) /* 6.9; in feature_bits, as those below */
#define GMI_SNP_STATUS_MASK_CHIP_KEY         (1u << 1) /* 6.9 */
#define GMI_SNP_STATUS_VLEK_EN               (1u << 2) /* 6.9 */
#define GMI_SNP_STATUS_FEATURE_INFO          (1u << 3) /* 6.18 */
#define GMI_SNP_STATUS_RAPL_DIS              (1u << 4) /* 6.18 */
#define GMI_SNP_STATUS_CIPHERTEXT_HIDING_CAP (1u << 5) /* 6.18 */
#define GMI_SNP_STATUS_CIPHERTEXT_HIDING_EN  (1u << 6) /* 6.18 */

/* The kernel declares @rmp_bits and @feature_bits as bit-fields. */
struct gmi_snp_platform_status {
	uint8_t api_major;
	uint8_t api_minor;
	uint8_t state;
	uint8_t rmp_bits;
	uint32_t build_id;
	uint32_t feature_bits;
	uint32_t guest_count;
	uint64_t current_tcb_version;
	uint64_t reported_tcb_version;
} __attribute__((packed));

/* @mask_bits: bit 0 mask_chip_id, bit 1 mask_chip_key. */
struct gmi_snp_config {
	uint64_t reported_tcb;
	uint32_t mask_bits;
	uint8_t reserved[52];
} __attribute__((packed));

#define GMI_SNP_WRAPPED_VLEK_SIZE 432 /* 6.11 */

struct gmi_snp_vlek_load {
	uint32_t len;
	uint8_t vlek_wrapped_version;
	uint8_t reserved[3];
	uint64_t vlek_wrapped_address;
} __attribute__((packed));

/* The CPUID page: the firmware checks it and may write back a corrected one. */
#define GMI_SNP_CPUID_COUNT_MAX 64 /* firmware */

struct gmi_snp_cpuid_entry {
	uint32_t eax_in;
	uint32_t ecx_in;
	uint64_t xcr0_in;
	uint64_t xss_in;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint64_t reserved;
};

struct gmi_snp_cpuid_page {
	uint32_t count;
	uint32_t reserved1;
	uint64_t reserved2;
	struct gmi_snp_cpuid_entry entries[GMI_SNP_CPUID_COUNT_MAX];
	uint8_t unused[1008];
};

/* The secrets page, as the firmware fills it; bit 0 of @flags: launched from an image. */
struct gmi_snp_secrets_page {
	uint32_t version;
	uint32_t flags;
	uint32_t fms;
	uint32_t reserved1;
	uint8_t gosvw[16];
	uint8_t vmpck[4][32];
	uint8_t guest_os_area[96];
	uint8_t vmsa_tweak_bitmap[64];
	uint64_t svsm_base;
	uint64_t svsm_size;
	uint64_t svsm_caa;
	uint32_t svsm_max_version;
	uint8_t svsm_guest_vmpl;
	uint8_t reserved2[3];
	uint32_t tsc_factor;
	uint8_t unused[3740];
};

/* The owner's signed expectation, checked by LAUNCH_FINISH. */
#define GMI_SNP_ID_BLOCK_VERSION                1 /* firmware */
#define GMI_SNP_KEY_ALGORITHM_ECDSA_P384_SHA384 1 /* firmware */
#define GMI_SNP_CURVE_P384                      2 /* firmware */

struct gmi_snp_id_block {
	uint8_t launch_digest[48];
	uint8_t family_id[16];
	uint8_t image_id[16];
	uint32_t version;
	uint32_t guest_svn;
	uint64_t policy;
};

/* Both numbers little-endian, zero-extended. */
struct gmi_snp_signature {
	uint8_t r[72];
	uint8_t s[72];
	uint8_t reserved[368];
};

struct gmi_snp_public_key {
	uint32_t curve;
	uint8_t qx[72];
	uint8_t qy[72];
	uint8_t reserved[880];
};

struct gmi_snp_id_auth {
	uint32_t id_key_algorithm;
	uint32_t author_key_algorithm;
	uint8_t reserved1[56];
	struct gmi_snp_signature id_block_signature;
	struct gmi_snp_public_key id_key;
	uint8_t reserved2[60];
	struct gmi_snp_signature id_key_signature;
	struct gmi_snp_public_key author_key;
	uint8_t reserved3[892];
};

#endif
