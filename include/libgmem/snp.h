/* SPDX-License-Identifier: MIT */
/**
 * DOC: Launching an SEV-SNP guest
 *
 * A launch puts the steps of a plan (launch.h) into a guest's private memory, where the firmware
 * measures them, and ends with one digest over all of it. It has one legal order:
 *
 *   gmem_snp_create()   checks the VM, the features and the policy; opens /dev/sev
 *   gmem_snp_init()     KVM_SEV_INIT2, before any vCPU
 *   gmem_snp_start()    KVM_SEV_SNP_LAUNCH_START
 *                       the caller binds memory (slot.h), before or now, and makes the vCPUs
 *   gmem_snp_update()   KVM_SEV_SNP_LAUNCH_UPDATE for each step of the plan
 *   gmem_snp_finish()   KVM_SEV_SNP_LAUNCH_FINISH: measures the vCPUs, checks the ID block
 *
 * gmem_snp_launch() does all of it. What the kernel or the firmware would refuse is refused here,
 * with a message, before either sees it: a step out of order, a source that cannot be read, a page
 * that is put in twice. A firmware that refuses is -EIO with its code in the record's @fw_error;
 * gmem_snp_fw_text() has words for it.
 *
 * The VMSA steps of a plan are not carried out here: KVM makes the VMSAs itself when the launch
 * ends, one for each vCPU in the order in which the vCPUs were created, from the registers that they
 * have then, and measures them. Create vCPU 0 first and set CPUID before the registers: RDX holds the
 * vCPU's signature. OVMF starts the other vCPUs at its own reset address, which their VMSA steps tell
 * (CS base and RIP).
 *
 * After a failed gmem_snp_finish() the VM has to be made anew: KVM encrypts the vCPUs first, and
 * cannot do it twice.
 *
 * A VMM that issues some of the commands itself says so with GMEM_SNP_SKIP_INIT and
 * GMEM_SNP_SKIP_START, and takes the rest from here.
 */
#ifndef LIBGMEM_SNP_H
#define LIBGMEM_SNP_H

#include <libgmem/launch.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_snp;

/* flags of struct gmem_snp_platform */
#define GMEM_SNP_TELLS_POLICY (UINT32_C(1) << 0) /* @policy_bits is the kernel's word (6.19) */
#define GMEM_SNP_HAS_CERTS    (UINT32_C(1) << 1) /* GMEM_SNP_REQ_CERTS can be asked for (7.0) */
#define GMEM_SNP_HAS_FIRMWARE (UINT32_C(1) << 2) /* /dev/sev answered: the members behind @flags */

/**
 * struct gmem_snp_platform - what the host can do for SNP guests
 * @sz:           sizeof(struct gmem_snp_platform), set by the caller
 * @features:     features of gmem_snp_opts that KVM takes
 * @policy_bits:  policy bits that KVM takes; those of the first kernels with SNP where this one
 *                does not tell
 * @flags:        GMEM_SNP_… bits
 * @guest_count:  SNP guests that the firmware has
 * @api_major:    version of the firmware's interface
 * @api_minor:    the same
 * @state:        of the platform: 0 not initialized, 1 initialized
 * @build:        of the firmware
 * @current_tcb:  security versions of the firmware, packed as AMD packs them
 * @reported_tcb: those that attestation reports show
 */
struct gmem_snp_platform {
	size_t sz;
	uint64_t features;
	uint64_t policy_bits;
	uint32_t flags;
	uint32_t guest_count;
	uint32_t api_major;
	uint32_t api_minor;
	uint32_t state;
	uint32_t build;
	uint64_t current_tcb;
	uint64_t reported_tcb;
};

/**
 * gmem_snp_get_platform() - Ask what the host can do for SNP guests
 * @ctx:      a context
 * @ret_info: (in: @sz; out) the answer
 *
 * The firmware is asked where /dev/sev can be opened; where not, the rest is told all the same.
 *
 * Threads: safe.
 * Kernel:  KVM_GET_DEVICE_ATTR on /dev/kvm (6.10); SNP_PLATFORM_STATUS on /dev/sev (6.9).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 *   -EOPNOTSUPP  this kernel makes no SNP guests
 */
int gmem_snp_get_platform(struct gmem_ctx *ctx, struct gmem_snp_platform *ret_info);

/* The policy where the caller names none: hosts with SMT allowed, and the bit that must be set. */
#define GMEM_SNP_POLICY_DEFAULT UINT64_C(0x30000)

/* flags of struct gmem_snp_opts */
#define GMEM_SNP_SEV_FD     (UINT32_C(1) << 0) /* @sev_fd is the caller's descriptor */
#define GMEM_SNP_REQ_CERTS  (UINT32_C(1) << 1) /* the VMM serves KVM_EXIT_SNP_REQ_CERTS (7.0) */
#define GMEM_SNP_SKIP_INIT  (UINT32_C(1) << 2) /* the VMM has issued KVM_SEV_INIT2 */
#define GMEM_SNP_SKIP_START (UINT32_C(1) << 3) /* and KVM_SEV_SNP_LAUNCH_START, too */

/**
 * struct gmem_snp_opts - the guest that is launched
 * @sz:       sizeof(struct gmem_snp_opts)
 * @features: SEV_FEATURES of the vCPUs beside bit 0, which KVM sets and which may be set here: the
 *            sev_features of struct gmem_plan_info fit
 * @policy:   guest policy; 0 is GMEM_SNP_POLICY_DEFAULT
 * @gosvw:    workarounds that the guest is told of, in its secrets page
 * @flags:    GMEM_SNP_… bits
 * @sev_fd:   with GMEM_SNP_SEV_FD: /dev/sev, open under this number as long as the VM lives.
 *            Without, libgmem opens it and keeps it until the VM is released; a VM that is borrowed
 *            outlives that, so there the caller's own is better.
 */
struct gmem_snp_opts {
	size_t sz;
	uint64_t features;
	uint64_t policy;
	uint8_t gosvw[16];
	uint32_t flags;
	int32_t sev_fd;
};

/**
 * gmem_snp_create() - Prepare the launch of a VM
 * @vm:      a VM of type GMEM_VM_SNP
 * @opts:    NULL for defaults
 * @ret_snp: (out) the launch; release with gmem_snp_unref()
 *
 * State:   nothing has changed for the VM.
 * Threads: safe. A launch is used by one thread at a time.
 * Kernel:  KVM_GET_DEVICE_ATTR on /dev/kvm (6.10); open() of /dev/sev.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a VM of another type, unknown flags, a feature or policy bit that
 *                this kernel does not take, a policy without bit 17, a negative @sev_fd
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  GMEM_SNP_REQ_CERTS on a kernel without it
 *   -ENOMEM      no memory
 *   -ENOENT, -EACCES, -EBUSY  /dev/sev cannot be opened; the record says why
 */
int gmem_snp_create(struct gmem_vm *vm, const struct gmem_snp_opts *opts,
		    struct gmem_snp **ret_snp);

/**
 * gmem_snp_unref() - Release a launch
 * @snp: a launch or NULL
 *
 * The guest is not touched: a launch that has ended may be released while the guest runs.
 *
 * Threads: nobody else uses @snp. Kernel: none.
 *
 * Return: NULL, always.
 */
struct gmem_snp *gmem_snp_unref(struct gmem_snp *snp);

/**
 * gmem_snp_init() - Make the VM an SNP guest
 * @snp: a launch
 *
 * Also has KVM_HC_MAP_GPA_RANGE exit to the VMM, without which an SNP guest cannot convert memory:
 * gmem_exit_handle() serves it. Asks for KVM_EXIT_SNP_REQ_CERTS where GMEM_SNP_REQ_CERTS is set.
 *
 * State:   legal once, first, and before any vCPU exists. On failure the VM is as before, and the
 *          call may be repeated; only what it enabled stays enabled.
 * Threads: the caller excludes other use of @snp. Blocks: the first guest of a host initializes
 *          the firmware, for seconds.
 * Kernel:  KVM_ENABLE_CAP; KVM_SEV_INIT2 (6.10), KVM_SEV_SNP_ENABLE_REQ_CERTS (7.0).
 *
 * Return: 0, or -errno:
 *   -EINVAL      @snp is NULL, or this is not its turn; or, from the kernel, a vCPU exists already
 *   -EPERM       the VM is an SNP guest already
 *   -EOPNOTSUPP  SEV is off in KVM, or no ASIDs are set aside for SNP guests
 *   -EBUSY       all ASIDs are in use, or the control group's are
 *   -EIO         the firmware refused
 *   -ESTALE      the VM is dead
 *   other        what the kernel answered
 */
int gmem_snp_init(struct gmem_snp *snp);

/**
 * gmem_snp_start() - Begin the measured launch
 * @snp: a launch
 *
 * State:   legal once, behind gmem_snp_init(). On failure it may be repeated.
 * Threads: the caller excludes other use of @snp.
 * Kernel:  KVM_SEV_SNP_LAUNCH_START (6.11).
 *
 * Return: 0, or -errno:
 *   -EINVAL      @snp is NULL, or this is not its turn
 *   -EIO         the firmware refused, or made no context for the guest
 *   -ESTALE      the VM is dead
 *   other        what the kernel answered
 */
int gmem_snp_start(struct gmem_snp *snp);

/** enum gmem_snp_register - a register of a CPUID leaf */
enum gmem_snp_register {
	GMEM_SNP_EAX = 0,
	GMEM_SNP_EBX = 1,
	GMEM_SNP_ECX = 2,
	GMEM_SNP_EDX = 3,
	GMEM_SNP_OTHER = 4, /* no register: the firmware changed the entry's inputs or padding */
};

/**
 * struct gmem_snp_cpuid_diff - one register that the firmware would have otherwise
 * @leaf:     CPUID leaf
 * @subleaf:  and sub-leaf
 * @reg:      enum gmem_snp_register
 * @wanted:   what the table had
 * @allowed:  what the firmware put there
 * @reserved: 0
 * @text:     the same for people: "leaf 0x1 ECX: the firmware clears bits 24"
 */
struct gmem_snp_cpuid_diff {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t reg;
	uint32_t wanted;
	uint32_t allowed;
	uint32_t reserved;
	char text[128];
};

/* Size of the table of CPUID that the firmware takes. */
#define GMEM_SNP_CPUID_SIZE UINT64_C(4096)

/* Entries that it has room for. */
#define GMEM_SNP_CPUID_ENTRIES 64

/* flags of gmem_snp_cpuid_build() */
#define GMEM_SNP_CPUID_RAW (UINT32_C(1) << 0) /* leave the bits set that the firmware refuses */

/**
 * gmem_snp_cpuid_build() - Write the CPUID table of a launch
 * @kvm_cpuid: a struct kvm_cpuid2 as KVM_SET_CPUID2 took it or KVM_GET_CPUID2 gave it, of the first
 *             vCPU
 * @flags:     GMEM_SNP_CPUID_…
 * @ret_table: (out) GMEM_SNP_CPUID_SIZE bytes
 *
 * Without GMEM_SNP_CPUID_RAW the bits are cleared that the firmware is known to refuse: TSC deadline
 * (leaf 1), TSC_ADJUST and the controls of speculation (leaf 7), VIRT_SSBD (leaf 0x80000008). The
 * table is not measured.
 *
 * State:   always legal.
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, unknown flags, or more than GMEM_SNP_CPUID_ENTRIES entries
 */
int gmem_snp_cpuid_build(const void *kvm_cpuid, uint32_t flags, void *ret_table);

/* flags of struct gmem_snp_update_opts */
#define GMEM_SNP_IN_PLACE (UINT32_C(1) << 0) /* the contents are in the guest's memory already */

/**
 * struct gmem_snp_update_opts - how the steps are put in
 * @sz:            sizeof(struct gmem_snp_update_opts)
 * @flags:         GMEM_SNP_IN_PLACE, where memory converts in place (queued for 7.4): the caller has
 *                 written the contents of normal and unmeasured steps to the shared memory there; the
 *                 sources that the steps name are not looked at
 * @discard:       enum gmem_discard: what becomes of the shared side of the steps' memory, once all of
 *                 them are in. Until then it is kept, for sources may lie there.
 * @batch:         the most bytes that one kernel call puts in, a multiple of GMEM_PAGE_SIZE; 0 is 256
 *                 KiB. KVM holds locks of the VM for its time.
 * @skip:          bytes of the steps, counted from the first, that are in already: the @ret_done of a
 *                 call that failed half-way
 * @attempts:      how often a call is tried that KVM wants tried again; 0 is 10. The waits between
 *                 grow from 10 microseconds to 10 milliseconds.
 * @padding:       0
 * @cpuid:         GMEM_SNP_CPUID_SIZE bytes from gmem_snp_cpuid_build(); needed where a step is of
 *                 type GMEM_LAUNCH_CPUID
 * @cpuid_changed: called where the firmware would have another table. 0 agrees: its table is tried,
 *                 once. Other values refuse, and the call fails with -EIO. NULL refuses.
 * @progress:      called behind each kernel call with the bytes done and all bytes of the steps;
 *                 other values than 0 end the call with -ECANCELED. May be NULL.
 * @user:          passed to both
 */
struct gmem_snp_update_opts {
	size_t sz;
	uint32_t flags;
	uint32_t discard;
	uint64_t batch;
	uint64_t skip;
	uint32_t attempts;
	uint32_t padding;
	const void *cpuid;
	int (*cpuid_changed)(void *user, const struct gmem_snp_cpuid_diff *diffs, size_t count);
	int (*progress)(void *user, uint64_t done, uint64_t total);
	void *user;
};

/**
 * gmem_snp_update() - Put the steps of a plan into the guest
 * @snp:      a launch
 * @steps:    the steps, in the order that gives the digest; gmem_plan_steps()
 * @count:    how many
 * @opts:     NULL for defaults
 * @ret_done: (out, may be NULL) bytes of the steps, counted from the first and without those of VMSA
 *            steps, that are in; on failure too
 *
 * First everything is checked. Then each step's memory is made private, through gmem_convert(), and
 * put in. Adjacent steps of one kind make one call where their sources follow each other. VMSA steps
 * are counted and compared with the launch: they come last, as KVM has it.
 *
 * State:   legal behind gmem_snp_start(), any number of times. On failure the rest can be put in
 *          with @skip set to @ret_done; gmem_snp_finish() refuses before.
 * Threads: the caller excludes other use of @snp. Steps and their sources stay as they are until
 *          the call returns.
 * Kernel:  KVM_SEV_SNP_LAUNCH_UPDATE (6.11); as gmem_convert(); madvise(MADV_POPULATE_READ),
 *          mmap() of files.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, not the call's turn, a step that is wrong in itself, a VMSA that the
 *                launch will not have, no table of CPUID, unknown flags, @skip within no step
 *   -E2BIG       a member that this build does not know is not zero
 *   -EEXIST      memory of a step is put in twice
 *   -ENOENT      memory of a step is not bound
 *   -EOPNOTSUPP  it is bound to no file; or GMEM_SNP_IN_PLACE on a kernel without conversion in place
 *   -EFAULT      a source cannot be read
 *   -EIO         the firmware refused: the record's @fw_error has its code. Or it was not asked,
 *                because KVM could not take the page
 *   -EAGAIN      KVM asked too often to try again
 *   -ECANCELED   @progress ended it
 *   -ENOMEM      no memory
 *   -ESTALE      the VM is dead
 *   other        as gmem_convert()
 */
int gmem_snp_update(struct gmem_snp *snp, const struct gmem_launch_step *steps, size_t count,
		    const struct gmem_snp_update_opts *opts, uint64_t *ret_done);

/* flags of struct gmem_snp_finish_opts, beside GMEM_SNP_ID_AUTHOR (launch.h) */
#define GMEM_SNP_NO_VCEK (UINT32_C(1) << 1) /* no reports signed with the chip's own key */

/**
 * struct gmem_snp_finish_opts - how the launch ends
 * @sz:        sizeof(struct gmem_snp_finish_opts)
 * @flags:     GMEM_SNP_ID_AUTHOR, GMEM_SNP_NO_VCEK
 * @vcpus:     how many vCPUs were created; as many as the steps had VMSAs, where they had any
 * @id_block:  the owner's ID block of 96 bytes, or NULL
 * @id_auth:   the ID authentication page of 4096 bytes; NULL without @id_block
 * @digest:    the launch digest of 48 bytes that is expected, or NULL: compared with the ID block's
 * @host_data: the host's choice, shown in attestation reports
 */
struct gmem_snp_finish_opts {
	size_t sz;
	uint32_t flags;
	uint32_t vcpus;
	const void *id_block;
	const void *id_auth;
	const void *digest;
	uint8_t host_data[32];
};

/**
 * gmem_snp_finish() - Measure the vCPUs and end the launch
 * @snp:  a launch
 * @opts: NULL for defaults: no vCPUs counted, no ID block
 *
 * All that can be checked without the firmware is checked first: version, policy and digest of the
 * ID block, algorithms and curves of its keys. The signatures are checked by gmem_snp_id_check()
 * (measure.h), which is better called before.
 *
 * State:   legal once, behind gmem_snp_update(). What is refused before KVM_SEV_SNP_LAUNCH_FINISH may be
 *          repeated; a failure of that is the end of this VM, and info's @state says so.
 * Threads: the caller excludes other use of @snp. No vCPU runs.
 * Kernel:  KVM_SEV_SNP_LAUNCH_FINISH (6.11).
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, not the call's turn, steps that are not in yet, a number of vCPUs
 *                that is not the plan's, an ID block that is not whole or not for this launch; or, from
 *                the kernel, a vCPU that cannot be encrypted
 *   -E2BIG       a member that this build does not know is not zero
 *   -EBADF       /dev/sev is not open any more under the number of gmem_snp_start()
 *   -EIO         the firmware refused: the record's @fw_error has its code
 *   -ESTALE      the VM is dead
 *   other        what the kernel answered
 */
int gmem_snp_finish(struct gmem_snp *snp, const struct gmem_snp_finish_opts *opts);

/** enum gmem_snp_state - how far a launch is */
enum gmem_snp_state {
	GMEM_SNP_NEW = 0,
	GMEM_SNP_INITIALIZED = 1,
	GMEM_SNP_STARTED = 2,
	GMEM_SNP_FINISHED = 3,
	GMEM_SNP_FAILED = 4, /* gmem_snp_finish() failed: this VM will not run */
};

/**
 * struct gmem_snp_info - numbers of a launch
 * @sz:          sizeof(struct gmem_snp_info), set by the caller
 * @state:       enum gmem_snp_state
 * @vmsas:       VMSA steps that were seen
 * @features:    SEV_FEATURES of the vCPUs, with bit 0
 * @policy:      guest policy
 * @bytes:       put into the guest
 * @calls:       kernel calls that put them in
 * @retries:     calls that were repeated
 * @corrections: tables of CPUID that the firmware corrected and the caller agreed to
 * @sev_fd:      /dev/sev
 * @padding:     0
 */
struct gmem_snp_info {
	size_t sz;
	uint32_t state;
	uint32_t vmsas;
	uint64_t features;
	uint64_t policy;
	uint64_t bytes;
	uint64_t calls;
	uint64_t retries;
	uint64_t corrections;
	int32_t sev_fd;
	uint32_t padding;
};

/**
 * gmem_snp_get_info() - Read the numbers of a launch
 * @snp:      a launch
 * @ret_info: (in: @sz; out) the numbers
 *
 * Threads: the caller excludes calls that change @snp. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_snp_get_info(const struct gmem_snp *snp, struct gmem_snp_info *ret_info);

/**
 * struct gmem_snp_launch_opts - a whole launch
 * @sz:         sizeof(struct gmem_snp_launch_opts)
 * @guest:      as for gmem_snp_create(), or NULL
 * @update:     as for gmem_snp_update(), or NULL; looked at behind @make_vcpus
 * @finish:     as for gmem_snp_finish(), or NULL; looked at behind @make_vcpus
 * @make_vcpus: called between gmem_snp_start() and gmem_snp_update(): makes the vCPUs, and may fill
 *              in what @update and @finish point to, such as the table of CPUID. An error of it,
 *              -errno, ends the launch. May be NULL.
 * @user:       passed to @make_vcpus
 */
struct gmem_snp_launch_opts {
	size_t sz;
	const struct gmem_snp_opts *guest;
	const struct gmem_snp_update_opts *update;
	const struct gmem_snp_finish_opts *finish;
	int (*make_vcpus)(void *user, struct gmem_snp *snp);
	void *user;
};

/**
 * gmem_snp_launch() - Launch a guest, from the VM to its first KVM_RUN
 * @vm:      a VM of type GMEM_VM_SNP, its memory bound, without vCPUs
 * @steps:   the steps of the plan
 * @count:   how many
 * @opts:    NULL for defaults
 * @ret_snp: (out, may be NULL) the launch, for gmem_snp_get_info(); release with gmem_snp_unref()
 *
 * gmem_snp_create(), _init(), _start(), @make_vcpus, gmem_snp_update(), _finish().
 *
 * State:   on failure the VM is to be released: it may be an SNP guest in part.
 * Threads: as the functions that it calls.
 * Kernel:  as the functions that it calls.
 *
 * Return: 0, or -errno as the functions that it calls.
 */
int gmem_snp_launch(struct gmem_vm *vm, const struct gmem_launch_step *steps, size_t count,
		    const struct gmem_snp_launch_opts *opts, struct gmem_snp **ret_snp);

/**
 * struct gmem_snp_certs - a guest's question for certificates
 * @sz:   sizeof(struct gmem_snp_certs), set by the caller
 * @gpa:  where the guest wants them: shared memory
 * @size: room there, in bytes
 */
struct gmem_snp_certs {
	size_t sz;
	uint64_t gpa;
	uint64_t size;
};

/** enum gmem_snp_certs_answer - what a guest is told of its certificates */
enum gmem_snp_certs_answer {
	GMEM_SNP_CERTS_WRITTEN = 0,
	GMEM_SNP_CERTS_TOO_SMALL = 1, /* and how many bytes are needed */
	GMEM_SNP_CERTS_AGAIN = 2,     /* later */
	GMEM_SNP_CERTS_FAILED = 3,
};

/**
 * gmem_snp_certs_get() - Recognize a guest's question for certificates
 * @run:       the vCPU's struct kvm_run
 * @run_error: what KVM_RUN returned: 0, or its error as -errno
 * @ret_certs: (in: @sz; out) the question, where there is one
 *
 * A question with an address that is not page aligned, or with room that does not fit in 64 bits, is
 * answered with GMEM_SNP_CERTS_FAILED here and is no question.
 *
 * State:    legal between two KVM_RUNs of the vCPU, on its thread.
 * Threads:  safe for different @run.
 * Kernel:   KVM_EXIT_SNP_REQ_CERTS (7.0), with GMEM_SNP_REQ_CERTS.
 * Security: the guest chose address and room. The caller writes to bound, shared memory alone.
 *
 * Return: 1 where the guest asks, 0 where the exit is another, or -errno:
 *   -EINVAL      a NULL pointer, or @run_error positive
 *   -E2BIG       @ret_certs is longer than this build knows and not zero there
 */
int gmem_snp_certs_get(void *run, int run_error, struct gmem_snp_certs *ret_certs);

/**
 * gmem_snp_certs_answer() - Answer a guest's question for certificates
 * @run:    as for gmem_snp_certs_get(), which returned 1
 * @answer: enum gmem_snp_certs_answer
 * @size:   with GMEM_SNP_CERTS_TOO_SMALL: bytes needed
 *
 * State:   before the next KVM_RUN.
 * Threads: as gmem_snp_certs_get(). Kernel: as gmem_snp_certs_get().
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an exit of another kind, or an unknown answer
 */
int gmem_snp_certs_answer(void *run, uint32_t answer, uint64_t size);

/**
 * gmem_snp_fw_text() - What a code of the SEV firmware means
 * @fw_error: the @fw_error of struct gmem_errinfo
 *
 * Threads: safe. Kernel: none.
 *
 * Return: a few words, constant; for a code that has no name some that say so.
 */
const char *gmem_snp_fw_text(uint64_t fw_error);

#ifdef __cplusplus
}
#endif

#endif
