/* SPDX-License-Identifier: MIT */
/**
 * DOC: Launching a TDX guest
 *
 * A gmem_tdx is the launch of one trust domain (TD): it knows how far the launch is, does the next
 * step when it is told to, and refuses one that is out of order before KVM sees it. What it does,
 * in the one legal order:
 *
 *   gmem_vm_create()          a VM of type GMEM_VM_TDX
 *   gmem_tdx_create()         what the TDX module allows: attributes, XFAM, CPUID bits
 *   gmem_tdx_setup()          the split interrupt controller, the bus clock, exits for MapGPA
 *   gmem_tdx_init_vm()        the TD: attributes, XFAM, CPUID, the owner's three values
 *   KVM_CREATE_VCPU, KVM_SET_CPUID2 by the VMM, then
 *   gmem_tdx_init_vcpu()      each vCPU, with the address of the TD HOB
 *   gmem_tdx_add()            the steps of a plan (launch.h), any number of times
 *   gmem_tdx_finalize()       MRTD is final; vCPUs may run
 *
 * gmem_tdx_launch() does all from gmem_tdx_setup() on. Files and bound ranges are made with file.h
 * and slot.h at any time before gmem_tdx_add(), and given to the guest (private) by it.
 *
 * What KVM 7.3 demands of the VMM: no other thread has an ioctl of one of the TD's vCPUs under way
 * during the launch, or each step waits for it.
 *
 * The TDX module's own errors are in gmem_errinfo(): fw_error, with its name in the message.
 */
#ifndef LIBGMEM_TDX_H
#define LIBGMEM_TDX_H

#include <libgmem/launch.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_tdx;

/** enum gmem_tdx_state - how far a launch is */
enum gmem_tdx_state {
	GMEM_TDX_NEW = 0,         /* settings of the VM can be made; no vCPU, no memory */
	GMEM_TDX_INITIALIZED = 1, /* a TD: vCPUs are made, memory is added */
	GMEM_TDX_FINALIZED = 2,   /* measured; vCPUs may be run */
	GMEM_TDX_DEAD = 3,        /* the module failed: give the VM up */
};

/* Attributes of a TD, bits of the module's. KVM 7.3 offers SEPT_VE_DISABLE alone. */
#define GMEM_TDX_ATTR_DEBUG           (UINT64_C(1) << 0)
#define GMEM_TDX_ATTR_LASS            (UINT64_C(1) << 27)
#define GMEM_TDX_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define GMEM_TDX_ATTR_MIGRATABLE      (UINT64_C(1) << 29)
#define GMEM_TDX_ATTR_PKS             (UINT64_C(1) << 30)
#define GMEM_TDX_ATTR_KL              (UINT64_C(1) << 31)
#define GMEM_TDX_ATTR_TPA             (UINT64_C(1) << 62)
#define GMEM_TDX_ATTR_PERFMON         (UINT64_C(1) << 63)

/* flags of struct gmem_tdx_cpuid: @index counts */
#define GMEM_TDX_CPUID_INDEX (UINT32_C(1) << 0)

/* Entries in a CPUID list at most. */
#define GMEM_TDX_CPUID_MAX 256

/**
 * struct gmem_tdx_cpuid - one leaf of CPUID, or a bit mask of one
 * @function: EAX of the instruction
 * @index:    ECX of the instruction
 * @flags:    GMEM_TDX_CPUID_INDEX or 0
 * @eax:      what the leaf answers
 * @ebx:      the same
 * @ecx:      the same
 * @edx:      the same
 * @padding:  0
 *
 * Laid out as KVM's struct kvm_cpuid_entry2, so that a VMM can pass the list that it has.
 */
struct gmem_tdx_cpuid {
	uint32_t function;
	uint32_t index;
	uint32_t flags;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint32_t padding[3];
};

/** enum gmem_tdx_register - the registers of a CPUID leaf, in KVM's order */
enum gmem_tdx_register {
	GMEM_TDX_EAX = 0,
	GMEM_TDX_EBX = 1,
	GMEM_TDX_ECX = 2,
	GMEM_TDX_EDX = 3,
};

/**
 * struct gmem_tdx_difference - bits of one CPUID register that are not as wanted
 * @function: the leaf
 * @index:    the sub-leaf
 * @reg:      enum gmem_tdx_register
 * @bits:     those that differ
 * @wanted:   the register as the VMM wants it
 * @got:      the register as it will be
 */
struct gmem_tdx_difference {
	uint32_t function;
	uint32_t index;
	uint32_t reg;
	uint32_t bits;
	uint32_t wanted;
	uint32_t got;
};

/**
 * struct gmem_tdx_cpuid_opts - the CPUID that a guest shall have
 * @sz:      sizeof(struct gmem_tdx_cpuid_opts)
 * @entries: the list; borrowed for the call
 * @count:   how many, GMEM_TDX_CPUID_MAX at most
 * @report:  called for each register that is not as wanted, or NULL; a negative number ends the
 *           call with that error
 * @user:    passed to @report
 */
struct gmem_tdx_cpuid_opts {
	size_t sz;
	const struct gmem_tdx_cpuid *entries;
	size_t count;
	int (*report)(void *user, const struct gmem_tdx_difference *difference);
	void *user;
};

/* flags of struct gmem_tdx_opts: KVM_TDX_INIT_VM was called by the VMM */
#define GMEM_TDX_ADOPT (UINT32_C(1) << 0)

/**
 * struct gmem_tdx_opts - how a launch begins
 * @sz:        sizeof(struct gmem_tdx_opts)
 * @flags:     GMEM_TDX_ADOPT
 * @gpa_width: with GMEM_TDX_ADOPT: 48 or 52, as KVM_TDX_INIT_VM was told; else 0
 */
struct gmem_tdx_opts {
	size_t sz;
	uint32_t flags;
	uint32_t gpa_width;
};

/**
 * gmem_tdx_create() - Begin the launch of a TD
 * @vm:      a VM of type GMEM_VM_TDX
 * @opts:    NULL for defaults
 * @ret_tdx: (out) the launch; release with gmem_tdx_unref()
 *
 * Asks the module what it allows. Nothing of the VM changes.
 *
 * State:   legal at any time of the VM's life.
 * Threads: safe; a gmem_tdx is used by one thread at a time.
 * Kernel:  KVM_TDX_CAPABILITIES (6.16), KVM_CHECK_EXTENSION.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, an unknown flag or width, a VM of another type
 *   -E2BIG       a member that this build does not know is not zero
 *   -EOPNOTSUPP  KVM says that the VM is no TD
 *   -ENOMEM      out of memory
 *   -ESTALE      the VM is dead
 */
int gmem_tdx_create(struct gmem_vm *vm, const struct gmem_tdx_opts *opts,
		    struct gmem_tdx **ret_tdx);

/**
 * gmem_tdx_unref() - Forget a launch
 * @tdx: a launch or NULL
 *
 * The TD stays as it is; closing the VM ends it. vCPUs that gmem_tdx_launch() made and that
 * gmem_tdx_take_vcpu() was not asked for are closed.
 *
 * Threads: the caller excludes all use of @tdx. Kernel: close().
 *
 * Return: NULL, always.
 */
struct gmem_tdx *gmem_tdx_unref(struct gmem_tdx *tdx);

/**
 * struct gmem_tdx_info - what the module allows, and how far the launch is
 * @sz:                   sizeof(struct gmem_tdx_info), set by the caller
 * @state:                enum gmem_tdx_state
 * @max_vcpus:            vCPUs that KVM allows this VM; the TD gets room for so many
 * @vcpus:                vCPUs that are initialized
 * @configurable:         leaves of CPUID of which bits can be chosen: gmem_tdx_configurable()
 * @gpa_width:            48 or 52; 0 before gmem_tdx_init_vm()
 * @padding:              0
 * @supported_attributes: GMEM_TDX_ATTR_… bits that can be set
 * @supported_xfam:       bits of XFAM that can be set
 * @kernel_tdvmcalls:     R11 and R12 of GetTdVmCallInfo, leaf 1: what KVM serves itself
 * @user_tdvmcalls:       the same: what KVM passes on to the VMM
 * @added_bytes:          memory added
 * @measured_bytes:       the part of it whose contents are measured
 * @retries:              kernel calls repeated because they were interrupted or met contention
 */
struct gmem_tdx_info {
	size_t sz;
	uint32_t state;
	uint32_t max_vcpus;
	uint32_t vcpus;
	uint32_t configurable;
	uint32_t gpa_width;
	uint32_t padding;
	uint64_t supported_attributes;
	uint64_t supported_xfam;
	uint64_t kernel_tdvmcalls[2];
	uint64_t user_tdvmcalls[2];
	uint64_t added_bytes;
	uint64_t measured_bytes;
	uint64_t retries;
};

/**
 * gmem_tdx_get_info() - Read what the module allows, and how far the launch is
 * @tdx:      a launch
 * @ret_info: (in: @sz; out) the answer
 *
 * Threads: one thread at a time. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_tdx_get_info(const struct gmem_tdx *tdx, struct gmem_tdx_info *ret_info);

/**
 * gmem_tdx_configurable() - The bits of CPUID that can be chosen
 * @tdx:       a launch
 * @ret_count: (out) how many leaves
 *
 * A set bit can be chosen. All others are as the module has them, for every TD.
 *
 * Threads: safe; constant until gmem_tdx_unref(). Kernel: none.
 *
 * Return: the first leaf; NULL where @tdx or @ret_count is NULL
 */
const struct gmem_tdx_cpuid *gmem_tdx_configurable(const struct gmem_tdx *tdx, size_t *ret_count);

/**
 * gmem_tdx_filter_cpuid() - What of a CPUID list KVM_TDX_INIT_VM takes
 * @tdx:         a launch
 * @opts:        the list, and whom to tell what is left out
 * @ret_entries: (out) the leaves and bits that can be chosen
 * @room:        entries that fit there; gmem_tdx_info.configurable is enough
 * @ret_count:   (out) their number
 *
 * gmem_tdx_init_vm() does this itself; here is the answer beforehand. Of each configurable leaf
 * that the list has, the bits that can be chosen. @report hears of all other bits that are set:
 * whether the guest sees them is the module's choice, gmem_tdx_compare_cpuid() tells.
 *
 * Threads: as gmem_tdx_configurable(). Kernel: none.
 *
 * Return: 0, what @report returned, or -errno:
 *   -EINVAL  a NULL pointer, or more than GMEM_TDX_CPUID_MAX entries
 *   -E2BIG   a member that this build does not know is not zero
 *   -ENOSPC  more than @room leaves
 */
int gmem_tdx_filter_cpuid(const struct gmem_tdx *tdx, const struct gmem_tdx_cpuid_opts *opts,
			  struct gmem_tdx_cpuid *ret_entries, size_t room, size_t *ret_count);

/**
 * gmem_tdx_difference_text() - Say a difference in words
 * @difference: as a report got it
 * @text:       (out) one line, cut off where it does not fit, NUL terminated: "CPUID 0x7.0 EBX:
 *              bits 4, 11: wanted 0x810, got 0"
 * @size:       bytes of @text
 *
 * Threads: safe anywhere. Kernel: none.
 *
 * Return: the length of the whole line, or -EINVAL for a NULL pointer
 */
int gmem_tdx_difference_text(const struct gmem_tdx_difference *difference, char *text, size_t size);

/* flags of struct gmem_tdx_setup_opts: what the VMM has done itself */
#define GMEM_TDX_NO_IRQCHIP    (UINT32_C(1) << 0)
#define GMEM_TDX_NO_BUS_CLOCK  (UINT32_C(1) << 1)
#define GMEM_TDX_NO_HYPERCALLS (UINT32_C(1) << 2)

/**
 * struct gmem_tdx_setup_opts - the VM before it becomes a TD
 * @sz:           sizeof(struct gmem_tdx_setup_opts)
 * @flags:        GMEM_TDX_NO_… bits
 * @vcpus:        vCPUs that there will be, checked against what KVM allows; 0 is not checked
 * @irqchip_pins: I/O APIC pins that KVM reserves routes for; 0 is 24
 * @padding:      0
 * @tsc_khz:      the guest's TSC frequency, 100000 to 10000000 in steps of 25000; 0 is the host's
 */
struct gmem_tdx_setup_opts {
	size_t sz;
	uint32_t flags;
	uint32_t vcpus;
	uint32_t irqchip_pins;
	uint32_t padding;
	uint64_t tsc_khz;
};

/**
 * gmem_tdx_setup() - Set the VM up as every TD has to be
 * @tdx:  a launch
 * @opts: NULL for defaults
 *
 * In this order: KVM_CAP_SPLIT_IRQCHIP, without which no vCPU can be made; the bus clock of 25 MHz
 * that the module fixes; the TSC frequency; MapGPA as an exit, which gmem_exit_handle() serves.
 *
 * State:   GMEM_TDX_NEW. On failure what came before stays done; a second call does the rest.
 * Threads: one thread at a time.
 * Kernel:  KVM_ENABLE_CAP, KVM_SET_TSC_KHZ.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, the wrong state, a number out of range, more vCPUs than KVM allows
 *   -E2BIG       a member that this build does not know is not zero
 *   -EEXIST      the VM has an interrupt controller already
 *   -EOPNOTSUPP  the kernel lacks one of them
 *   -ESTALE      the VM is dead
 */
int gmem_tdx_setup(struct gmem_tdx *tdx, const struct gmem_tdx_setup_opts *opts);

/**
 * struct gmem_tdx_init_opts - the TD
 * @sz:            sizeof(struct gmem_tdx_init_opts)
 * @gpa_width:     48 or 52, whatever @cpuid says; 0: as leaf 0x80000008 EAX[23:16] of @cpuid says
 * @attempts:      how often the module is asked when it lacks entropy; 0 is 100. The waits between
 *                 grow from 10 microseconds to 10 milliseconds.
 * @attributes:    GMEM_TDX_ATTR_… bits; the module adds those that are fixed
 * @xfam:          the extended features that the guest may use; the module adds those that are
 *                 fixed
 * @mrconfigid:    the owner's, shown in attestation reports and not measured
 * @mrowner:       the same
 * @mrownerconfig: the same
 * @cpuid:         the CPUID that the guest shall have, filtered as by gmem_tdx_filter_cpuid(), or
 *                 NULL for none
 */
struct gmem_tdx_init_opts {
	size_t sz;
	uint32_t gpa_width;
	uint32_t attempts;
	uint64_t attributes;
	uint64_t xfam;
	uint8_t mrconfigid[48];
	uint8_t mrowner[48];
	uint8_t mrownerconfig[48];
	const struct gmem_tdx_cpuid_opts *cpuid;
};

/**
 * gmem_tdx_init_vm() - Make the VM a TD
 * @tdx:  a launch
 * @opts: the TD
 *
 * State:   GMEM_TDX_NEW, after gmem_tdx_setup(), and before the first vCPU is made. Afterwards
 *          GMEM_TDX_INITIALIZED. On failure nothing changed, unless the VM is dead.
 * Threads: one thread at a time.
 * Kernel:  KVM_TDX_INIT_VM (6.16).
 *
 * Return: 0, what a report returned, or -errno:
 *   -EINVAL  a NULL pointer, the wrong state, attributes or XFAM that are not supported, a width
 *            that is neither 48 nor 52, or an operand that the module refused: fw_error names it
 *   -E2BIG   a member that this build does not know is not zero
 *   -ENOSPC  no key for another TD is free
 *   -EAGAIN  the module lacks entropy still
 *   -EBUSY   the cgroup allows no more TDs
 *   -ENOMEM  out of memory
 *   -EIO     the module failed
 *   -ESTALE  the VM was found dead before
 */
int gmem_tdx_init_vm(struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *opts);

/**
 * gmem_tdx_init_vcpu() - Make a vCPU a TD's
 * @tdx:     a launch
 * @vcpu_fd: a vCPU of the VM, borrowed for the launch; its CPUID is set and has x2APIC
 * @rcx:     what its RCX holds when it starts: for TDVF the guest address of the TD HOB
 *
 * All vCPUs start at once when they are run, at the reset vector.
 *
 * State:   GMEM_TDX_INITIALIZED; once for each vCPU.
 * Threads: one thread at a time.
 * Kernel:  KVM_TDX_INIT_VCPU (6.16).
 *
 * Return: 0, or -errno:
 *   -EINVAL  @tdx is NULL, the wrong state, a vCPU that is initialized, more vCPUs than KVM allows,
 *            or KVM refuses because the vCPU's CPUID lacks x2APIC
 *   -ENOMEM  out of memory
 *   -EIO     the module failed
 *   -ESTALE  the VM was found dead before
 */
int gmem_tdx_init_vcpu(struct gmem_tdx *tdx, int vcpu_fd, uint64_t rcx);

/**
 * gmem_tdx_adopt_vcpu() - Tell of a vCPU that the VMM initialized itself
 * @tdx:     a launch
 * @vcpu_fd: the vCPU, borrowed for the launch
 *
 * State:   GMEM_TDX_INITIALIZED. What is told here is believed.
 * Threads: one thread at a time. Kernel: none.
 *
 * Return: 0, or -EINVAL as gmem_tdx_init_vcpu()
 */
int gmem_tdx_adopt_vcpu(struct gmem_tdx *tdx, int vcpu_fd);

/**
 * gmem_tdx_read_cpuid() - The CPUID that the guest will see
 * @tdx:         a launch
 * @vcpu_fd:     any vCPU of the VM
 * @ret_entries: (out) the list
 * @room:        entries that fit there; GMEM_TDX_CPUID_MAX is enough
 * @ret_count:   (out) their number
 *
 * State:   GMEM_TDX_INITIALIZED; the vCPU need not be.
 * Threads: one thread at a time.
 * Kernel:  KVM_TDX_GET_CPUID (6.16).
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, the wrong state
 *   -ENOSPC  more than @room entries; the message has their number
 *   -ENOMEM  out of memory
 *   -EIO     the module cannot be read
 *   -ESTALE  the VM was found dead before
 */
int gmem_tdx_read_cpuid(struct gmem_tdx *tdx, int vcpu_fd, struct gmem_tdx_cpuid *ret_entries,
			size_t room, size_t *ret_count);

/**
 * gmem_tdx_compare_cpuid() - Compare the CPUID that the guest will see with the one it shall have
 * @tdx:     a launch
 * @vcpu_fd: any vCPU of the VM
 * @opts:    the CPUID it shall have, and whom to tell
 *
 * State:   as gmem_tdx_read_cpuid().
 * Threads: one thread at a time.
 * Kernel:  KVM_TDX_GET_CPUID (6.16).
 *
 * Return: how many registers differ, what @report returned where that is negative, or -errno as
 *         gmem_tdx_read_cpuid()
 */
int gmem_tdx_compare_cpuid(struct gmem_tdx *tdx, int vcpu_fd,
			   const struct gmem_tdx_cpuid_opts *opts);

/*
 * flags of struct gmem_tdx_add_opts: the contents of steps that have any are in the pages already.
 * The VMM wrote them through the file's mapping while they were shared; the steps' own are not
 * looked at. Needs in-place conversion (queued for 7.4) and a kernel that takes no source for TDX
 * (proposed).
 */
#define GMEM_TDX_IN_PLACE (UINT32_C(1) << 0)

/**
 * struct gmem_tdx_add_opts - how memory is added
 * @sz:       sizeof(struct gmem_tdx_add_opts)
 * @flags:    GMEM_TDX_IN_PLACE
 * @discard:  enum gmem_discard (attr.h): what becomes of the shared side of the pages once all
 *            steps are added; until then it is kept, for it may be what a step is filled from
 * @attempts: how often a kernel call that makes no progress is repeated, after a signal or where
 *            the module is busy; 0 is 100. The waits grow from 10 microseconds to 10 milliseconds.
 * @padding:  0
 * @start:    bytes of the steps that an earlier call has done: its @ret_done
 * @slice:    the most bytes that one kernel call adds, a multiple of GMEM_PAGE_SIZE; 0 is 2 MiB
 * @stop:     looked at between kernel calls; once it is not zero the call ends with -EINTR. NULL is
 *            never.
 * @progress: called between kernel calls with the bytes done and the bytes of all steps, or NULL;
 *            what is not 0 ends the call with -ECANCELED
 * @user:     passed to @progress
 */
struct gmem_tdx_add_opts {
	size_t sz;
	uint32_t flags;
	uint32_t discard;
	uint32_t attempts;
	uint32_t padding;
	uint64_t start;
	uint64_t slice;
	const volatile uint8_t *stop;
	int (*progress)(void *user, uint64_t done, uint64_t total);
	void *user;
};

/**
 * gmem_tdx_add() - Add memory to a TD, and measure it
 * @tdx:      a launch
 * @steps:    what to add, in the order that is measured: gmem_plan_steps(), or any array
 * @count:    how many
 * @opts:     NULL for defaults
 * @ret_done: (out, may be NULL) bytes of the steps, from the first on, that are done, on failure
 *            too
 *
 * All steps are checked before the first is done: alignment, bindings, that no page is added twice,
 * that contents can be read. Then each is made private and added, page by page, its contents
 * measured with GMEM_LAUNCH_MEASURED. GMEM_LAUNCH_AUG steps are made private and no more: the guest
 * accepts them.
 *
 * MRTD does not depend on where calls or slices cut the steps.
 *
 * State:   GMEM_TDX_INITIALIZED, with a vCPU that is initialized. On failure calling again with
 *          @start = @ret_done is correct, unless the VM is dead.
 * Threads: one thread at a time. Blocks: for the copying and measuring of the memory.
 * Kernel:  KVM_TDX_INIT_MEM_REGION (6.16), through the first vCPU; as gmem_convert(); madvise() of
 *          the contents; mmap() of files and zeroes.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, the wrong state, a step that is unaligned, of an unknown type, or
 *                beyond the guest's addresses
 *   -E2BIG       a member that this build does not know is not zero
 *   -EEXIST      a page is added already, or twice
 *   -ENOENT      a step is not bound
 *   -EOPNOTSUPP  a step is bound to host memory alone, or GMEM_TDX_IN_PLACE cannot be
 *   -EFAULT      contents cannot be read, or end behind their file
 *   -EIO         the module failed; where MR.EXTEND did, kernels up to 6.18 leave the VM alive with a
 *                digest that nobody expects: give it up
 *   -EAGAIN      the module is busy still
 *   -EINTR       signals or @stop
 *   -ECANCELED   @progress ended it
 *   -ENOMEM      out of memory
 *   -ESTALE      the VM was found dead before
 */
int gmem_tdx_add(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		 const struct gmem_tdx_add_opts *opts, uint64_t *ret_done);

/**
 * gmem_tdx_finalize() - End the measurement: vCPUs may run
 * @tdx: a launch
 *
 * State:   GMEM_TDX_INITIALIZED; afterwards GMEM_TDX_FINALIZED: no more vCPUs, no more memory.
 * Threads: one thread at a time.
 * Kernel:  KVM_TDX_FINALIZE_VM (6.16).
 *
 * Return: 0, or -errno:
 *   -EINVAL  @tdx is NULL, the wrong state
 *   -EAGAIN  the module is busy still, after 100 attempts
 *   -EIO     the module failed; fw_error says how
 *   -ESTALE  the VM was found dead before
 */
int gmem_tdx_finalize(struct gmem_tdx *tdx);

/**
 * struct gmem_tdx_launch_opts - a whole launch
 * @sz:    sizeof(struct gmem_tdx_launch_opts)
 * @vcpus: vCPUs to make, with the ids 0 to @vcpus - 1
 * @flags: 0
 * @hob:   RCX of the vCPUs; 0: the address of the plan's TD HOB step
 * @setup: NULL for defaults; its vcpus is not looked at
 * @init:  the TD. Its CPUID list is set for the vCPUs too, as it is.
 * @add:   NULL for defaults; its start is not looked at
 */
struct gmem_tdx_launch_opts {
	size_t sz;
	uint32_t vcpus;
	uint32_t flags;
	uint64_t hob;
	const struct gmem_tdx_setup_opts *setup;
	const struct gmem_tdx_init_opts *init;
	const struct gmem_tdx_add_opts *add;
};

/**
 * gmem_tdx_launch() - Do all of a launch
 * @tdx:   a launch
 * @steps: what to add
 * @count: how many
 * @opts:  the launch
 *
 * gmem_tdx_setup(), gmem_tdx_init_vm(), then for each vCPU KVM_CREATE_VCPU, KVM_SET_CPUID2 and
 * gmem_tdx_init_vcpu(), gmem_tdx_add(), gmem_tdx_finalize(). The memory is bound before.
 *
 * State:   GMEM_TDX_NEW. On failure @tdx is where it stopped; a second call with the same arguments
 *          goes on there.
 * Threads: one thread at a time.
 * Kernel:  as the functions that it calls.
 *
 * Return: 0, or -errno as those
 */
int gmem_tdx_launch(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		    const struct gmem_tdx_launch_opts *opts);

/**
 * gmem_tdx_take_vcpu() - Take over a vCPU that gmem_tdx_launch() made
 * @tdx:   a launch
 * @index: from 0
 *
 * Threads: one thread at a time. Kernel: none.
 *
 * Return: the descriptor, which is the caller's to close; or -errno:
 *   -EINVAL  @tdx is NULL
 *   -ENOENT  no such vCPU was made, or it was taken before
 */
int gmem_tdx_take_vcpu(struct gmem_tdx *tdx, uint32_t index);

/**
 * gmem_tdx_next_unaccepted() - Which RAM the TD HOB lists as unaccepted
 * @ram:       the guest's RAM, page-aligned ranges
 * @ram_count: how many
 * @steps:     the steps of the launch
 * @count:     how many
 * @from:      where to begin: 0, then the end of the range found
 * @ret_range: (out) the next range of RAM that no step adds
 *
 * For VMMs that write the TD HOB themselves; gmem_plan_fill_td_hob() (measure.h) lists the same.
 * The guest has to accept these ranges, AUG steps among them, before it touches them.
 *
 * Threads: safe anywhere. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, or a range that is empty, unaligned or wraps
 *   -ENOENT  no more follow
 */
int gmem_tdx_next_unaccepted(const struct gmem_range *ram, size_t ram_count,
			     const struct gmem_launch_step *steps, size_t count, uint64_t from,
			     struct gmem_range *ret_range);

/**
 * gmem_tdx_status_name() - The name of a status of the TDX module
 * @status: as in gmem_errinfo.fw_error
 *
 * Threads: safe anywhere. Kernel: none.
 *
 * Return: a constant such as "OPERAND_INVALID"; "unknown" for one that this build does not know.
 */
const char *gmem_tdx_status_name(uint64_t status);

/** enum gmem_tdx_exit_kind - what a TD asks of its VMM, beside conversions */
enum gmem_tdx_exit_kind {
	GMEM_TDX_EXIT_NOT_MINE = 0, /* gmem_exit_handle()'s or the VMM's own */
	GMEM_TDX_EXIT_QUOTE = 1,    /* GetQuote: sign the report in the buffer */
	GMEM_TDX_EXIT_CALLS = 2,    /* GetTdVmCallInfo: which calls there are */
	GMEM_TDX_EXIT_NOTIFY = 3,   /* SetupEventNotifyInterrupt: the vector to raise */
	GMEM_TDX_EXIT_FATAL = 4,    /* ReportFatalError: the guest gave up */
	GMEM_TDX_EXIT_UNKNOWN = 5,  /* of a newer kernel: answered already, run on */
};

/* Answers to a TD. */
#define GMEM_TDX_SUCCESS         UINT64_C(0)
#define GMEM_TDX_RETRY           UINT64_C(1)
#define GMEM_TDX_INVALID_OPERAND UINT64_C(0x8000000000000000)
#define GMEM_TDX_ALIGN_ERROR     UINT64_C(0x8000000000000002)
#define GMEM_TDX_UNSUPPORTED     UINT64_C(0x8000000000000003)

/* The most bytes of text that a guest's last words have. */
#define GMEM_TDX_TEXT_MAX 64

/**
 * struct gmem_tdx_exit - one exit of a TD
 * @sz:      sizeof(struct gmem_tdx_exit), set by the caller
 * @kind:    enum gmem_tdx_exit_kind
 * @vector:  NOTIFY: 32 to 255
 * @leaf:    CALLS: the leaf asked for; UNKNOWN: the number of the call
 * @gpa:     QUOTE: the buffer; FATAL: a page of details as the guest says, looked at by nobody, or
 *           UINT64_MAX
 * @size:    QUOTE: the buffer's, in bytes
 * @hva:     QUOTE: the buffer in the host's memory; NULL where the host cannot reach it
 * @error:   FATAL: the guest's code
 * @problem: what is wrong with the request, a negative errno: answer with @advice. 0 is nothing
 * @padding: 0
 * @advice:  with @problem: the answer that the guest's mistake deserves, GMEM_TDX_…
 * @text:    FATAL: what the guest says, printable, NUL terminated
 */
struct gmem_tdx_exit {
	size_t sz;
	uint32_t kind;
	uint32_t vector;
	uint64_t leaf;
	uint64_t gpa;
	uint64_t size;
	void *hva;
	uint64_t error;
	int32_t problem;
	uint32_t padding;
	uint64_t advice;
	char text[GMEM_TDX_TEXT_MAX + 8];
};

/**
 * gmem_tdx_exit_read() - Decode an exit of a TD
 * @vm:        the VM, whose bound ranges a buffer has to lie in; NULL: buffers are not looked at
 * @run:       the vCPU's struct kvm_run, as mapped from its descriptor
 * @run_error: what KVM_RUN returned: 0, or its error as -errno
 * @ret_exit:  (in: @sz; out) the exit
 *
 * MapGPA and memory faults are gmem_exit_handle()'s: here they are GMEM_TDX_EXIT_NOT_MINE.
 *
 * A buffer for GetQuote is checked, for KVM does not: page-aligned, in one bound range, shared
 * now. The guest can convert it at any time: copy what is read, and write with care.
 *
 * State:    between two KVM_RUNs of the vCPU, on its thread.
 * Threads:  safe with different @run.
 * Kernel:   KVM_EXIT_TDX, KVM_EXIT_SYSTEM_EVENT with KVM_SYSTEM_EVENT_TDX_FATAL (6.16).
 * Security: nothing in @run is believed; the text is cut and what cannot be printed replaced.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, @run_error positive
 *   -E2BIG   @ret_exit is longer than this build knows and not zero there
 */
int gmem_tdx_exit_read(struct gmem_vm *vm, const void *run, int run_error,
		       struct gmem_tdx_exit *ret_exit);

/**
 * gmem_tdx_exit_answer() - Answer GetQuote or SetupEventNotifyInterrupt
 * @run:    the vCPU's struct kvm_run, at that exit
 * @status: GMEM_TDX_SUCCESS, _RETRY, _INVALID_OPERAND, _ALIGN_ERROR or _UNSUPPORTED
 *
 * Without an answer the guest is told GMEM_TDX_UNSUPPORTED.
 *
 * Threads: as gmem_tdx_exit_read(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @run is NULL or not at such an exit, or @status is none of the five
 */
int gmem_tdx_exit_answer(void *run, uint64_t status);

/**
 * gmem_tdx_exit_answer_calls() - Answer GetTdVmCallInfo
 * @tdx:     the TD's launch
 * @run:     the vCPU's struct kvm_run, at that exit
 * @offered: R11 and R12: the optional calls that the VMM serves, as gmem_tdx_info.user_tdvmcalls
 *           has them; what KVM does not pass on is left out, what KVM serves is added
 *
 * Threads: as gmem_tdx_exit_read(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, or @run is not at such an exit
 */
int gmem_tdx_exit_answer_calls(const struct gmem_tdx *tdx, void *run, const uint64_t *offered);

#ifdef __cplusplus
}
#endif

#endif
