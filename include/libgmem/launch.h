/* SPDX-License-Identifier: MIT */
/**
 * DOC: The launch plan
 *
 * A plan is the ordered list of everything that is put into a confidential guest's memory before it
 * runs. One plan serves three purposes: gmem_plan_print() shows it, the launch executes its steps
 * in order, and gmem_measure_plan() (measure.h) computes the digest that the owner has to expect.
 * So what is launched and what is expected cannot differ.
 *
 * Plans are made by readers, from firmware images and IGVM files (measure.h), or by hand with
 * gmem_plan_create() and gmem_plan_add(). The functions are in libgmem-measure: they need no KVM,
 * no root and no hardware. libgmem takes the steps as an array: gmem_plan_steps().
 *
 * The readers take firmware from strangers: every offset and length is checked before it is used.
 */
#ifndef LIBGMEM_LAUNCH_H
#define LIBGMEM_LAUNCH_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum gmem_launch_page - what a step puts into memory
 *
 * 1 to 6 have the numbers of the SEV firmware's page types.
 */
enum gmem_launch_page {
	GMEM_LAUNCH_NORMAL = 1, /* contents, measured */
	GMEM_LAUNCH_VMSA = 2,   /* SEV-ES, SNP: the initial registers of one vCPU, made by KVM */
	GMEM_LAUNCH_ZERO = 3,   /* zeroes; no source */
	GMEM_LAUNCH_UNMEASURED = 4, /* contents, not measured */
	GMEM_LAUNCH_SECRETS = 5,    /* SNP: written by the firmware; no source */
	GMEM_LAUNCH_CPUID = 6,      /* SNP: the CPUID table, written by the launch; no source */
	GMEM_LAUNCH_TD_HOB = 7,     /* TDX: the hand-off block list, not measured */
	GMEM_LAUNCH_AUG = 8,        /* TDX: left unaccepted, the guest accepts it; nothing to do */
};

/* The contents are part of the digest: set for NORMAL and VMSA; on TDX also allowed for ZERO. */
#define GMEM_LAUNCH_MEASURED UINT32_C(0x1)

/* The contents are what gmem_plan_fill() writes before the launch. Never with MEASURED. */
#define GMEM_LAUNCH_FILL UINT32_C(0x2)

/* The contents are [offset, offset + size) of the file fd, in place of bytes. */
#define GMEM_LAUNCH_FILE UINT32_C(0x4)

/* The address of every VMSA in the launch digest: KVM's INITIAL_VMSA_GPA (svm.h, 6.11 and later). */
#define GMEM_LAUNCH_VMSA_GPA UINT64_C(0xfffffffff000)

/**
 * struct gmem_launch_step - one step of a plan
 * @gpa:      guest physical address; page aligned (SEV and SEV-ES: 16 bytes)
 * @size:     in bytes, > 0; a multiple of a page (SEV and SEV-ES: of 16 bytes)
 * @type:     enum gmem_launch_page
 * @flags:    GMEM_LAUNCH_*
 * @bytes:    the contents, @size bytes, page aligned; NULL where there are none or FILE is set. A
 *            NORMAL step without any contents is zeroes
 * @offset:   with FILE: where in the file the contents begin; page aligned
 * @fd:       with FILE: borrowed, open for reading and seekable; its contents must not change
 *            between launch and measurement
 * @vcpu:     VMSA: index of the vCPU, from 0 up without gaps
 * @label:    what it is, for people; may be NULL
 * @reserved: 0
 *
 * A plain record: a launch takes an array of them, whoever made it.
 */
struct gmem_launch_step {
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
	uint32_t flags;
	const void *bytes;
	uint64_t offset;
	int32_t fd;
	uint32_t vcpu;
	const char *label;
	uint64_t reserved[2];
};

/**
 * struct gmem_measure_error - why a function of libgmem-measure failed
 * @sz:     size of the struct as the caller knew it: GMEM_INIT()
 * @code:   the errno, positive
 * @pad:    0
 * @offset: the byte of the input file that the text is about; UINT64_MAX where there is none
 * @text:   one line of English without a line feed, NUL terminated
 *
 * Every function that can fail for more reasons than its errno says takes a pointer to one as its
 * last parameter, written on failure only. NULL: not wanted.
 */
struct gmem_measure_error {
	size_t sz;
	int32_t code;
	uint32_t pad;
	uint64_t offset;
	char text[232];
};

/**
 * struct gmem_plan_info - what a plan says beside its steps
 * @sz:            size of the struct as the caller knew it: GMEM_INIT()
 * @vm_type:       enum gmem_vm_type: SEV, SEV_ES, SNP or TDX
 * @vcpus:         number of VMSA steps
 * @step_count:    number of steps
 * @memory_size:   sum of the sizes of all steps but VMSA and AUG, in bytes
 * @measured_size: sum of the sizes of all steps with MEASURED, in bytes
 * @sev_features:  SEV-ES, SNP: the VMSAs' SEV_FEATURES, as KVM_SEV_INIT2 needs them together with
 *                 bit 0; 0 where there are no VMSAs
 * @policy:        the guest policy that the IGVM file asks for; 0 where it names none
 * @hob:           TDX: where the hand-off block list goes, KVM_TDX_INIT_VCPU's argument; size 0
 *                 where there is none
 */
struct gmem_plan_info {
	size_t sz;
	uint32_t vm_type;
	uint32_t vcpus;
	uint64_t step_count;
	uint64_t memory_size;
	uint64_t measured_size;
	uint64_t sev_features;
	uint64_t policy;
	struct gmem_range hob;
};

/**
 * enum gmem_launch_parameter_kind - what an IGVM file wants to be told
 *
 * The numbers of the IGVM format's header types.
 */
enum gmem_launch_parameter_kind {
	GMEM_PARAMETER_VP_COUNT = 0x307,     /* u32: number of vCPUs */
	GMEM_PARAMETER_MADT = 0x309,         /* the ACPI table */
	GMEM_PARAMETER_MEMORY_MAP = 0x30c,   /* the guest's memory, in the IGVM format's entries */
	GMEM_PARAMETER_COMMAND_LINE = 0x30e, /* text with its NUL */
	GMEM_PARAMETER_ENVIRONMENT_INFO = 0x313, /* u32: bit 0, memory begins as shared */
};

/**
 * struct gmem_launch_parameter - where gmem_plan_fill() puts a parameter
 * @gpa:      guest physical address
 * @room:     bytes from there to the end of its area
 * @kind:     enum gmem_launch_parameter_kind
 * @reserved: 0
 */
struct gmem_launch_parameter {
	uint64_t gpa;
	uint64_t room;
	uint32_t kind;
	uint32_t reserved;
};

struct gmem_plan;

/**
 * gmem_plan_create() - Make an empty plan
 * @vm_type:  GMEM_VM_SEV, GMEM_VM_SEV_ES, GMEM_VM_SNP or GMEM_VM_TDX
 * @ret_plan: (out) the plan; the caller's, until gmem_plan_destroy()
 *
 * State:    always legal.
 * Threads:  safe; a plan is used by one thread at a time, and by any number while nobody changes
 *           it.
 * Kernel:   none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @vm_type is none of the four, or @ret_plan is NULL
 *   -ENOMEM  no memory
 */
int gmem_plan_create(uint32_t vm_type, struct gmem_plan **ret_plan);

/**
 * gmem_plan_destroy() - Free a plan and the contents that it owns
 * @plan: may be NULL
 *
 * The steps of the plan end with it. The image that a reader was given stays the caller's.
 *
 * State:    no launch uses the steps any more.
 * Threads:  the caller excludes all use of @plan.
 * Kernel:   none.
 */
void gmem_plan_destroy(struct gmem_plan *plan);

/**
 * gmem_plan_add() - Append one step
 * @plan:  the plan
 * @step:  copied; @step->bytes and @step->label stay the caller's and outlive the plan
 * @error: (out, on failure) the reason; may be NULL
 *
 * A step that continues the last one (same type and flags, next address, and contents that continue
 * in memory or file) is merged into it: one kernel call in place of two, the same digest. VMSAs,
 * steps with FILL and measured steps of a TDX plan are never merged.
 *
 * Takes time in proportion to the number of steps that the plan has.
 *
 * State:    always legal. On failure nothing changed.
 * Threads:  the caller excludes all other use of @plan.
 * Kernel:   none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a field of @step is not as struct gmem_launch_step says, or the type does not exist
 *            for this type of VM
 *   -EEXIST  @step overlaps a step of the plan: no page can be added twice
 *   -ENOMEM  no memory
 */
int gmem_plan_add(struct gmem_plan *plan, const struct gmem_launch_step *step,
		  struct gmem_measure_error *error);

/**
 * gmem_plan_fill() - Write contents that are not measured into a plan
 * @plan:  the plan
 * @gpa:   guest physical address, any alignment
 * @bytes: what to write; copied
 * @size:  in bytes; [@gpa, @gpa + @size) lies inside one step with FILL
 * @error: (out, on failure) the reason; may be NULL
 *
 * For the parameter areas of an IGVM file and the TD HOB. Never changes the digest.
 *
 * State:    before the launch. On failure nothing changed.
 * Threads:  the caller excludes all other use of @plan.
 * Kernel:   none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a pointer is NULL
 *   -ENOENT  no step with FILL holds the whole range
 */
int gmem_plan_fill(struct gmem_plan *plan, uint64_t gpa, const void *bytes, uint64_t size,
		   struct gmem_measure_error *error);

/**
 * gmem_plan_steps() - The steps as an array, in order
 * @plan:      the plan
 * @ret_count: (out) their number
 *
 * State:    always legal; the array is good until the plan changes or ends.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none.
 *
 * Return: the first step; NULL where there are none
 */
const struct gmem_launch_step *gmem_plan_steps(const struct gmem_plan *plan, size_t *ret_count);

/**
 * gmem_plan_parameters() - What the guest of an IGVM file wants to be told
 * @plan:      the plan
 * @ret_count: (out) their number
 *
 * State:    always legal; the array is good until the plan ends.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none.
 *
 * Return: the first parameter; NULL where there are none
 */
const struct gmem_launch_parameter *gmem_plan_parameters(const struct gmem_plan *plan,
							 size_t *ret_count);

/* The author key counts too: auth_key_en of KVM_SEV_SNP_LAUNCH_FINISH. */
#define GMEM_SNP_ID_AUTHOR UINT32_C(0x1)

/**
 * gmem_plan_id_block() - The ID block that an IGVM file brings
 * @plan:      the plan
 * @ret_block: (out) GMEM_SNP_ID_BLOCK_SIZE bytes (measure.h), good until the plan ends
 * @ret_auth:  (out) GMEM_SNP_ID_AUTH_SIZE bytes, the same
 * @ret_flags: (out) GMEM_SNP_ID_AUTHOR or 0
 *
 * Whether it fits the launch: gmem_snp_id_check().
 *
 * State:    always legal.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none.
 *
 * Return: 0, or -ENOENT where there is none
 */
int gmem_plan_id_block(const struct gmem_plan *plan, const void **ret_block, const void **ret_auth,
		       uint32_t *ret_flags);

/**
 * gmem_plan_get_info() - What the plan says beside its steps
 * @plan: the plan
 * @info: (in, out) @info->sz set, the rest is written
 *
 * State:    always legal.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a pointer is NULL, or @info->sz is less than a size_t
 */
int gmem_plan_get_info(const struct gmem_plan *plan, struct gmem_plan_info *info);

/**
 * gmem_plan_print() - Describe a plan, line by line
 * @plan: the plan
 * @line: called for each line, without line feed, good until it returns; a value other than 0 ends
 *        the printing
 * @user: passed to @line
 *
 * The library itself prints nothing.
 *
 * State:    always legal.
 * Threads:  safe while nobody changes @plan.
 * Kernel:   none.
 *
 * Return: 0, what @line returned where that was not 0, or -errno:
 *   -EINVAL  @plan or @line is NULL
 */
int gmem_plan_print(const struct gmem_plan *plan, int (*line)(void *user, const char *text),
		    void *user);

/**
 * gmem_launch_page_name() - The name of a page type
 * @type: enum gmem_launch_page
 *
 * State:    always legal.
 * Threads:  safe.
 * Kernel:   none.
 *
 * Return: a static string; "unknown" for what is not a type
 */
const char *gmem_launch_page_name(uint32_t type);

#ifdef __cplusplus
}
#endif

#endif
