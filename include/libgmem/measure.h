/* SPDX-License-Identifier: MIT */
/**
 * DOC: Expected launch measurements
 *
 * Readers make a launch plan (launch.h) from a firmware image; gmem_measure_plan() computes what
 * the guest's attestation report will say about it: the launch digest of SEV-SNP, the MRTD of TDX,
 * the launch digests of SEV and SEV-ES.
 *
 * All of it is offline and pure: no KVM, no root, no global state, no output. Functions are safe to
 * call from any thread on different plans.
 */
#ifndef LIBGMEM_MEASURE_H
#define LIBGMEM_MEASURE_H

#include <libgmem/launch.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most vCPUs that a reader plans for. */
#define GMEM_MEASURE_VCPUS_MAX 512

/**
 * enum gmem_vmm - whose way to launch an SNP guest
 *
 * They differ in the initial registers, in the place of the CPUID page and in the type of the
 * memory that the firmware wants ready.
 */
enum gmem_vmm {
	GMEM_VMM_QEMU = 0,             /* and everything else on KVM of Linux 6.11 or later */
	GMEM_VMM_EC2 = 1,              /* CPUID page last, RDX 0x600 */
	GMEM_VMM_GCE = 2,              /* memory as UNMEASURED, RDX 0x600 */
	GMEM_VMM_EC2_RDX0 = 3,         /* EC2 as it was described until 2026: RDX 0 */
	GMEM_VMM_CLOUD_HYPERVISOR = 4, /* IGVM only: pages without data as ZERO */
};

/* Plan the image's own pages only: gives the "OVMF hash", no guest can be launched from it. */
#define GMEM_OVMF_IMAGE_ONLY UINT32_C(0x1)

/* Leave the image's own pages out: for gmem_measure_opts.start, no guest can be launched from it. */
#define GMEM_OVMF_WITHOUT_IMAGE UINT32_C(0x2)

/**
 * struct gmem_ovmf_opts - an OVMF image and how it is launched
 * @sz:           size of the struct as the caller knew it: GMEM_INIT()
 * @vm_type:      GMEM_VM_SNP, GMEM_VM_SEV_ES or GMEM_VM_SEV
 * @vmm:          enum gmem_vmm
 * @image:        the firmware as a file has it, loaded to end at 4 GiB; borrowed until the plan
 *                ends; copied where it is not page aligned
 * @image_size:   in bytes, a multiple of a page
 * @svsm:         SNP with QEMU: an SVSM image, loaded below the firmware, or NULL. Its metadata and
 *                its entry point are used in place of the firmware's
 * @svsm_size:    in bytes, a multiple of a page
 * @vars_size:    with @svsm: bytes between the SVSM image and the firmware, for the variable store
 * @kernel:       measured direct boot: the kernel, or NULL; used during the call only
 * @kernel_size:  in bytes; 0 is an empty file
 * @initrd:       the initrd, or NULL; needs @kernel
 * @initrd_size:  in bytes
 * @append:       the kernel command line, or NULL; needs @kernel
 * @vcpus:        SEV-ES, SNP: 1 to GMEM_MEASURE_VCPUS_MAX
 * @vcpu_sig:     QEMU: CPUID leaf 1 EAX of the vCPU model
 * @sev_features: SNP: SEV_FEATURES of the guest, bit 0 set; SEV-ES: 0
 * @flags:        GMEM_OVMF_*
 * @reserved:     0
 */
struct gmem_ovmf_opts {
	size_t sz;
	uint32_t vm_type;
	uint32_t vmm;
	const void *image;
	uint64_t image_size;
	const void *svsm;
	uint64_t svsm_size;
	uint64_t vars_size;
	const void *kernel;
	uint64_t kernel_size;
	const void *initrd;
	uint64_t initrd_size;
	const char *append;
	uint32_t vcpus;
	uint32_t vcpu_sig;
	uint64_t sev_features;
	uint32_t flags;
	uint32_t reserved;
};

/**
 * gmem_plan_from_ovmf() - Plan the launch of an OVMF image on SEV, SEV-ES or SEV-SNP
 * @opts:     the image and how it is launched
 * @ret_plan: (out) the plan; the caller's
 * @error:    (out, on failure) the reason; may be NULL
 *
 * Reads the GUIDed table at the image's end, the SEV metadata, the SEV-ES reset block and the hash
 * table area. Steps: the image, the metadata's sections in their order, one VMSA for each vCPU.
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none. The VMSAs are those that KVM makes since 6.11.
 * Security: the image is not trusted. Anything that does not fit is refused, so that no digest is
 *           computed for a launch that cannot happen.
 *
 * Return: 0, or -errno:
 *   -EINVAL      an option is out of range or does not fit another
 *   -E2BIG       @opts is of a newer version and sets what this one does not know
 *   -EBADMSG     the image is malformed
 *   -ENOENT      the image lacks what this launch needs
 *   -EEXIST      two sections overlap
 *   -EOPNOTSUPP  this combination has no known digest
 *   -ENOMEM      no memory
 */
int gmem_plan_from_ovmf(const struct gmem_ovmf_opts *opts, struct gmem_plan **ret_plan,
			struct gmem_measure_error *error);

/* Add memory that asks for PAGE.AUG like other memory: QEMU ignores that attribute. */
#define GMEM_TDVF_ADD_AUG UINT32_C(0x1)

/**
 * struct gmem_tdvf_opts - a TDVF image
 * @sz:         size of the struct as the caller knew it: GMEM_INIT()
 * @image:      the firmware as a file has it, variable store included; borrowed until the plan
 *              ends; sections that are not page aligned in memory are copied
 * @image_size: in bytes
 * @flags:      GMEM_TDVF_*
 * @reserved:   0
 */
struct gmem_tdvf_opts {
	size_t sz;
	const void *image;
	uint64_t image_size;
	uint32_t flags;
	uint32_t reserved;
};

/**
 * gmem_plan_from_tdvf() - Plan the launch of a TDVF image on TDX
 * @opts:     the image
 * @ret_plan: (out) the plan; the caller's
 * @error:    (out, on failure) the reason; may be NULL
 *
 * Finds the descriptor through the GUIDed table at the image's end or, where there is none, through
 * the offset there. Steps: the sections in the descriptor's order, none merged. The TD HOB is all
 * zeroes until gmem_plan_fill_td_hob().
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 * Security: the image is not trusted. Anything that does not fit is refused.
 *
 * Return: 0, or -errno:
 *   -EINVAL   an option is out of range
 *   -E2BIG    @opts is of a newer version and sets what this one does not know
 *   -EBADMSG  the image is malformed
 *   -ENOENT   the image has no TDX metadata, or lacks a section that every launch needs
 *   -EEXIST   two sections overlap
 *   -ENOMEM   no memory
 */
int gmem_plan_from_tdvf(const struct gmem_tdvf_opts *opts, struct gmem_plan **ret_plan,
			struct gmem_measure_error *error);

/**
 * struct gmem_igvm_opts - an IGVM file and how it is launched
 * @sz:         size of the struct as the caller knew it: GMEM_INIT()
 * @vm_type:    GMEM_VM_SNP or GMEM_VM_TDX
 * @vmm:        SNP: GMEM_VMM_QEMU or GMEM_VMM_CLOUD_HYPERVISOR; TDX: 0
 * @image:      the file; borrowed until the plan ends; pages that are not aligned in memory are
 *              copied
 * @image_size: in bytes
 * @vcpus:      SNP: up to GMEM_MEASURE_VCPUS_MAX; 0: as many as the file has contexts for; TDX: 0
 * @vcpu_sig:   SNP: RDX of vCPUs that the file has no context for, which start in real mode at the
 *              reset vector
 * @flags:      0
 * @reserved:   0
 */
struct gmem_igvm_opts {
	size_t sz;
	uint32_t vm_type;
	uint32_t vmm;
	const void *image;
	uint64_t image_size;
	uint32_t vcpus;
	uint32_t vcpu_sig;
	uint32_t flags;
	uint32_t reserved;
};

/**
 * gmem_plan_from_igvm() - Plan the launch of an IGVM file on SEV-SNP or TDX
 * @opts:     the file and how it is launched
 * @ret_plan: (out) the plan; the caller's
 * @error:    (out, on failure) the reason; may be NULL
 *
 * Takes the headers that QEMU and cloud-hypervisor take, of the platform that @opts names; a header
 * that the format does not allow to be ignored and that is not one of these is refused by its name.
 * Steps: the directives in the file's order, then the VMSAs, which KVM measures last. Parameter
 * areas are steps with GMEM_LAUNCH_FILL: gmem_plan_parameters() tells what belongs where.
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none. A VMSA has to be one that KVM can make: at KVM's address, and without fields that
 *           no ioctl sets.
 * Security: the file is not trusted. Anything that does not fit is refused.
 *
 * Return: 0, or -errno:
 *   -EINVAL      an option is out of range
 *   -E2BIG       @opts is of a newer version and sets what this one does not know
 *   -EBADMSG     the file is malformed
 *   -ENOENT      the file is not for this platform, or lacks what every launch needs
 *   -EEXIST      two directives overlap
 *   -EOPNOTSUPP  the file needs a header, a page or a register that is not supported; the reason
 *                names it
 *   -ENOMEM      no memory
 */
int gmem_plan_from_igvm(const struct gmem_igvm_opts *opts, struct gmem_plan **ret_plan,
			struct gmem_measure_error *error);

/** struct gmem_digest - a measurement: SHA-384 (48 bytes) or, for SEV and SEV-ES, SHA-256 (32) */
struct gmem_digest {
	uint8_t bytes[48];
	uint32_t size;
};

/* TDX: all page adds of a step first, then all its extends, as some hypervisors before KVM did. */
#define GMEM_MEASURE_TWO_PASS UINT32_C(0x1)

/**
 * struct gmem_measure_opts - how to measure
 * @sz:         size of the struct as the caller knew it: GMEM_INIT()
 * @flags:      GMEM_MEASURE_*
 * @reserved:   0
 * @start:      SNP: the digest to start from in place of zeroes, or NULL
 * @start_size: 48, or 0 without @start
 */
struct gmem_measure_opts {
	size_t sz;
	uint32_t flags;
	uint32_t reserved;
	const uint8_t *start;
	uint64_t start_size;
};

/**
 * gmem_measure_plan() - Compute the measurement that a launch of the plan gives
 * @plan:       the plan
 * @opts:       NULL for defaults
 * @ret_digest: (out) the measurement
 * @error:      (out, on failure) the reason; may be NULL
 *
 * SNP: MEASUREMENT of the attestation report. TDX: MRTD. SEV, SEV-ES: the launch digest (the
 * firmware's LAUNCH_MEASURE returns an HMAC over it and other fields).
 *
 * State:    always legal; for an empty plan the measurement of an empty guest.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none. Reads files of steps with GMEM_LAUNCH_FILE.
 *
 * Return: 0, or -errno:
 *   -EINVAL  an option is out of range or does not fit the plan
 *   -E2BIG   @opts is of a newer version and sets what this one does not know
 *   -EIO     a file of a step cannot be read or is too short
 */
int gmem_measure_plan(const struct gmem_plan *plan, const struct gmem_measure_opts *opts,
		      struct gmem_digest *ret_digest, struct gmem_measure_error *error);

/**
 * gmem_plan_fill_td_hob() - Write the hand-off block list of a TDX plan
 * @plan:       a plan with a TD HOB step
 * @ram:        the guest's RAM: page-aligned ranges by ascending address, none overlapping
 * @ram_count:  how many
 * @ret_digest: (out) SHA-384 of the list without its end mark, which the firmware extends RTMR[0]
 *              with; may be NULL
 * @error:      (out, on failure) the reason; may be NULL
 *
 * RAM that the plan adds is listed as system memory, the rest of RAM as memory to be accepted by
 * the guest. A plan's memory outside @ram is not listed.
 *
 * State:    before the launch. A second call writes the list anew. On failure nothing changed.
 * Threads:  the caller excludes all other use of @plan.
 * Kernel:   none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a range of @ram is empty, unaligned, out of order, or only partly covers a step
 *   -ENOENT  the plan has no TD HOB step
 *   -ENOSPC  the TD HOB step is too small for the list
 *   -ENOMEM  no memory
 */
int gmem_plan_fill_td_hob(struct gmem_plan *plan, const struct gmem_range *ram, size_t ram_count,
			  struct gmem_digest *ret_digest, struct gmem_measure_error *error);

/**
 * enum gmem_vmsa_profile - whose initial registers
 *
 * The numbers of enum gmem_vmm, and more.
 */
enum gmem_vmsa_profile {
	GMEM_VMSA_QEMU = 0,
	GMEM_VMSA_EC2 = 1,
	GMEM_VMSA_GCE = 2,
	GMEM_VMSA_EC2_RDX0 = 3,
	GMEM_VMSA_SVSM = 4, /* QEMU with an SVSM: protected mode, flat */
};

/**
 * struct gmem_vmsa_opts - the initial registers of one vCPU
 * @sz:           size of the struct as the caller knew it: GMEM_INIT()
 * @profile:      enum gmem_vmsa_profile
 * @vcpu_sig:     RDX: CPUID leaf 1 EAX; EC2 and GCE do not use it
 * @boot:         1 for the boot vCPU (EC2), else 0
 * @reserved:     0
 * @entry:        the first instruction: 0xfffffff0 for the boot vCPU, the firmware's AP reset
 *                address for the others; with an SVSM its entry point for all
 * @sev_features: SEV_FEATURES
 */
struct gmem_vmsa_opts {
	size_t sz;
	uint32_t profile;
	uint32_t vcpu_sig;
	uint32_t boot;
	uint32_t reserved;
	uint64_t entry;
	uint64_t sev_features;
};

/**
 * gmem_vmsa_build() - Write a VMSA page as it is measured
 * @opts:     the registers
 * @ret_page: (out) GMEM_PAGE_SIZE bytes
 * @error:    (out, on failure) the reason; may be NULL
 *
 * For plans made by hand.
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none. As KVM makes it since 6.11 (sev.c sev_es_sync_vmsa()).
 *
 * Return: 0, or -errno:
 *   -EINVAL  an option is out of range, or a pointer is NULL
 *   -E2BIG   @opts is of a newer version and sets what this one does not know
 */
int gmem_vmsa_build(const struct gmem_vmsa_opts *opts, void *ret_page,
		    struct gmem_measure_error *error);

/* Sizes of what KVM_SEV_SNP_LAUNCH_FINISH takes. */
#define GMEM_SNP_ID_BLOCK_SIZE 96
#define GMEM_SNP_ID_AUTH_SIZE  4096

/**
 * struct gmem_snp_id_block_opts - what the owner signs for
 * @sz:        size of the struct as the caller knew it: GMEM_INIT()
 * @digest:    the launch digest: gmem_measure_plan()
 * @family_id: the owner's choice, shown in attestation reports
 * @image_id:  the same
 * @guest_svn: the same
 * @reserved:  0
 * @policy:    guest policy, equal to the one that the launch starts with
 */
struct gmem_snp_id_block_opts {
	size_t sz;
	uint8_t digest[48];
	uint8_t family_id[16];
	uint8_t image_id[16];
	uint32_t guest_svn;
	uint32_t reserved;
	uint64_t policy;
};

/** struct gmem_snp_id_key - a public key on the curve P-384: coordinates, big-endian */
struct gmem_snp_id_key {
	uint8_t x[48];
	uint8_t y[48];
};

/** struct gmem_snp_id_signature - ECDSA with P-384 over SHA-384: both numbers, big-endian */
struct gmem_snp_id_signature {
	uint8_t r[48];
	uint8_t s[48];
};

/**
 * struct gmem_snp_id_auth_opts - who signed
 * @sz:              size of the struct as the caller knew it: GMEM_INIT()
 * @id_key:          the key that signed the ID block
 * @block_signature: of the 96 bytes of the ID block, by @id_key
 * @author_key:      the key that signed @id_key, or NULL for none
 * @key_signature:   of the 1028 bytes of @id_key as gmem_snp_id_key_write() gives them, by
 *                   @author_key; NULL without @author_key
 */
struct gmem_snp_id_auth_opts {
	size_t sz;
	const struct gmem_snp_id_key *id_key;
	const struct gmem_snp_id_signature *block_signature;
	const struct gmem_snp_id_key *author_key;
	const struct gmem_snp_id_signature *key_signature;
};

/* Size of a public key as the firmware hashes it and as an author signs it. */
#define GMEM_SNP_ID_KEY_SIZE 1028

/**
 * gmem_snp_id_block_build() - Write an ID block
 * @opts:      its fields
 * @ret_block: (out) GMEM_SNP_ID_BLOCK_SIZE bytes, to be signed and given to the launch
 * @error:     (out, on failure) the reason; may be NULL
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   KVM_SEV_SNP_LAUNCH_FINISH id_block_uaddr (6.11).
 *
 * Return: 0, or -errno:
 *   -EINVAL  a pointer is NULL or @opts->reserved is not 0
 *   -E2BIG   @opts is of a newer version and sets what this one does not know
 */
int gmem_snp_id_block_build(const struct gmem_snp_id_block_opts *opts, void *ret_block,
			    struct gmem_measure_error *error);

/**
 * gmem_snp_id_key_write() - Write a public key as the firmware has it
 * @key:        the key
 * @ret_bytes:  (out) GMEM_SNP_ID_KEY_SIZE bytes, which the author signs; may be NULL
 * @ret_digest: (out) the digest that attestation reports show for the key; may be NULL
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 *
 * Return: 0, or -EINVAL where @key is NULL
 */
int gmem_snp_id_key_write(const struct gmem_snp_id_key *key, void *ret_bytes,
			  struct gmem_digest *ret_digest);

/**
 * gmem_snp_id_auth_build() - Write the ID authentication page
 * @opts:     keys and their signatures
 * @ret_page: (out) GMEM_SNP_ID_AUTH_SIZE bytes
 * @error:    (out, on failure) the reason; may be NULL
 *
 * Does not check the signatures: gmem_snp_id_check().
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   KVM_SEV_SNP_LAUNCH_FINISH id_auth_uaddr (6.11).
 *
 * Return: 0, or -errno:
 *   -EINVAL  a pointer that has to be there is NULL, or only one of the author's two is
 *   -E2BIG   @opts is of a newer version and sets what this one does not know
 */
int gmem_snp_id_auth_build(const struct gmem_snp_id_auth_opts *opts, void *ret_page,
			   struct gmem_measure_error *error);

/**
 * gmem_snp_id_check() - Ask what the firmware will ask at the end of a launch
 * @block:  GMEM_SNP_ID_BLOCK_SIZE bytes
 * @auth:   GMEM_SNP_ID_AUTH_SIZE bytes
 * @digest: the launch digest: gmem_measure_plan()
 * @policy: the guest policy that the launch starts with
 * @flags:  GMEM_SNP_ID_*
 * @error:  (out, on failure) the reason; may be NULL
 *
 * A finish that the firmware refused cannot be repeated, so this is better asked first.
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none. The checks are those of AMD's firmware for SNP_LAUNCH_FINISH.
 *
 * Return: 0, or -errno:
 *   -EINVAL    a pointer is NULL or a flag is not known
 *   -EBADMSG   an algorithm or curve is not known, or a key is no point of its curve
 *   -EPERM     digest or policy differ from the block's
 *   -EKEYREJECTED  a signature is wrong
 */
int gmem_snp_id_check(const void *block, const void *auth, const struct gmem_digest *digest,
		      uint64_t policy, uint32_t flags, struct gmem_measure_error *error);

/**
 * gmem_vcpu_sig_from_fms() - CPUID leaf 1 EAX from family, model and stepping
 * @family:   0 to 270
 * @model:    0 to 255
 * @stepping: 0 to 15
 * @ret_sig:  (out) the signature
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 *
 * Return: 0, or -EINVAL where a number is out of range
 */
int gmem_vcpu_sig_from_fms(uint32_t family, uint32_t model, uint32_t stepping, uint32_t *ret_sig);

/**
 * gmem_vcpu_sig_from_name() - CPUID leaf 1 EAX of a QEMU vCPU model
 * @name:    as QEMU's -cpu has it: "EPYC-Genoa"
 * @ret_sig: (out) the signature
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 *
 * Return: 0, or -ENOENT for a name that is not known
 */
int gmem_vcpu_sig_from_name(const char *name, uint32_t *ret_sig);

/**
 * gmem_vcpu_name() - The names that gmem_vcpu_sig_from_name() knows
 * @index: from 0
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 *
 * Return: a static string, or NULL past the last
 */
const char *gmem_vcpu_name(size_t index);

#ifdef __cplusplus
}
#endif

#endif
