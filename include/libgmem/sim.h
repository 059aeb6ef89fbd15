/* SPDX-License-Identifier: MIT */
/**
 * DOC: The simulated kernel (libgmem-sim)
 *
 * A model of the part of Linux that guest_memfd needs: /dev/kvm, VMs, memslots, guest_memfd inodes
 * and files, memory attributes, vCPUs whose guest is a script. It stands behind the table of system
 * calls of sys.h, so a VMM that makes its calls through such a table, or through libgmem, runs on
 * it unchanged: no hardware, no privileges, no /dev/kvm.
 *
 * A profile names the kernel that is modelled. What a kernel refuses, its profile refuses, with the
 * same error where several things are wrong at once. Guest memory is real memory: the host may map
 * it, and touching a private page raises SIGBUS.
 *
 * Descriptors are real ones. dup(), close(), SCM_RIGHTS and fork() work on them without the model,
 * and a guest_memfd lives until its last descriptor and its last mapping are gone, as in Linux.
 * Everything else has to go through the table: ioctl(2) on such a descriptor fails, and mmap(2) of
 * a guest_memfd maps private memory as if it were shared.
 *
 * A simulator holds one hidden descriptor and one more for each guest_memfd inode that is alive.
 * gmem_sim_unref() closes them.
 *
 * What differs from Linux: a forked child has its own copy of the model, with the same memory
 * behind it. A signal does not interrupt a call; gmem_sim_interrupt() and
 * gmem_sim_interrupt_after() do.
 */
#ifndef LIBGMEM_SIM_H
#define LIBGMEM_SIM_H

#include <libgmem/sys.h>
#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_sim;

/**
 * struct gmem_sim_opts - the machine that is modelled
 * @sz:           sizeof(struct gmem_sim_opts)
 * @memory:       bytes of guest_memfd memory that there is; 0 is without limit. What exceeds it
 *                fails with ENOMEM, pages before it stay allocated
 * @nodes:        NUMA nodes, 1 to 64; 0 is 1
 * @padding:      0
 */
struct gmem_sim_opts {
	size_t sz;
	uint64_t memory;
	uint32_t nodes;
	uint32_t padding;
};

/**
 * gmem_sim_profile_name() - Name the profiles that there are
 * @index: 0 for the first
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the name, constant; NULL where no more follow.
 */
const char *gmem_sim_profile_name(size_t index);

/**
 * gmem_sim_create() - Make a simulated kernel
 * @profile: a name that gmem_sim_profile_name() gives
 * @opts:    NULL for defaults
 * @ret_sim: (out) the simulator; release with gmem_sim_unref()
 *
 * Threads: safe; simulators share nothing.
 * Kernel:  memfd_create(), /proc/self/fd; no KVM.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, more than 64 nodes
 *   -ENOENT  no such profile, or /proc is not there
 *   -E2BIG   a member of @opts that this build does not know is not zero
 *   -EMFILE, -ENFILE, -ENOMEM  nothing left
 */
int gmem_sim_create(const char *profile, const struct gmem_sim_opts *opts,
		    struct gmem_sim **ret_sim);

/**
 * gmem_sim_unref() - Take a simulated kernel down
 * @sim: a simulator, or NULL
 *
 * Descriptors and mappings that the caller still has stay his to close; no call may use them.
 *
 * Threads: nobody may use @sim any more. Kernel: close(), munmap().
 */
void gmem_sim_unref(struct gmem_sim *sim);

/**
 * gmem_sim_ops() - The system calls of a simulated kernel
 *
 * The @user of every function is the struct gmem_sim. Files other than /dev/kvm are opened, and
 * descriptors other than the simulator's own used, for real.
 *
 * Threads: safe; the table is constant. Kernel: none.
 *
 * Return: the table, never NULL.
 */
const struct gmem_sys_ops *gmem_sim_ops(void);

/**
 * struct gmem_sim_stats - what is alive in a simulated kernel
 * @sz:        sizeof(struct gmem_sim_stats), set by the caller
 * @vms:       VMs; a VM lives while its descriptor, a vCPU or a guest_memfd file of it does
 * @vcpus:     vCPUs
 * @inodes:    guest_memfd inodes: memory
 * @files:     guest_memfd files: views of an inode, one VM's each
 * @slots:     memslots
 * @mappings:  mappings of guest_memfd files made through the table
 * @allocated: bytes of guest_memfd memory in use
 * @fds:       descriptors that the simulator itself holds
 * @huge:      bytes of huge pages in use, of guest_memfd and memfds
 * @split:     bytes of those of guest_memfd that a shared page in them splits
 */
struct gmem_sim_stats {
	size_t sz;
	uint64_t vms;
	uint64_t vcpus;
	uint64_t inodes;
	uint64_t files;
	uint64_t slots;
	uint64_t mappings;
	uint64_t allocated;
	uint64_t fds;
	uint64_t huge;
	uint64_t split;
};

/**
 * gmem_sim_get_stats() - Count what is alive
 * @sim:       a simulator
 * @ret_stats: (in: @sz; out) the counts
 *
 * Objects whose last descriptor and mapping went away are gone in the answer, however that
 * happened.
 *
 * Threads: safe. Kernel: fcntl(F_OFD_GETLK) for each object.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or a wrong @sz
 */
int gmem_sim_get_stats(struct gmem_sim *sim, struct gmem_sim_stats *ret_stats);

/**
 * enum gmem_sim_op - what a scripted guest can do
 *
 * @GMEM_SIM_READ:      reads @size bytes at guest address @addr into @out, which may be NULL
 * @GMEM_SIM_WRITE:     writes @size bytes from @in
 * @GMEM_SIM_FILL:      writes gmem_sim_pattern(@value, address) to each 64-bit word
 * @GMEM_SIM_CHECK:     reads and compares with that; differences are counted in the vCPU's info
 * @GMEM_SIM_SUM:       adds the 64-bit words to the accumulator, modulo 2^64
 * @GMEM_SIM_HYPERCALL: hypercall number @value with @args; the answer is in the vCPU's info
 * @GMEM_SIM_OUT:       writes @value, @size bytes wide (1, 2 or 4), to port @addr; where @in is not
 *                      NULL, the @size bytes there one by one, as a string instruction
 * @GMEM_SIM_IN:        reads from port @addr, @size bytes wide, into the accumulator
 * @GMEM_SIM_OUTS:      writes to port @addr the @size bytes at guest address @args[0], which KVM
 *                      itself reads
 * @GMEM_SIM_INS:       the other way round
 * @GMEM_SIM_SET:       sets the accumulator to @value
 * @GMEM_SIM_ADD:       adds @value to the 64-bit word at guest address @addr, as one access
 * @GMEM_SIM_REPORT:    SNP: asks for an attestation report with the 64 bytes at @in (NULL is zeroes);
 *                      @out, which may be NULL, is a struct gmem_sim_report. Certificates are to go to
 *                      the @value pages at guest address @addr. Refused, the vCPU's
 *                      @hypercall_result is what SW_EXITINFO2 would be, and the accumulator the pages
 *                      that the VMM wants
 * @GMEM_SIM_TERMINATE: SEV-ES, SNP: gives up with @value in the GHCB's MSR: KVM_EXIT_SYSTEM_EVENT of type
 *                      SEV_TERM
 * @GMEM_SIM_WAIT:      waits until the 64-bit word at @addr is @value or more
 * @GMEM_SIM_JUMP:      goes on with action @value, @args[0] times; 0 is without end
 * @GMEM_SIM_HALT:      KVM_EXIT_HLT; the next KVM_RUN goes on behind it
 * @GMEM_SIM_SHUTDOWN:  KVM_EXIT_SHUTDOWN, now and at each KVM_RUN
 * @GMEM_SIM_ACCEPT:    takes the private pages of @size bytes at @addr as its own
 *                      (TDG.MEM.PAGE.ACCEPT); they read as zeroes then. The answer in the vCPU's info
 *                      is 1 where the guest had one of them already. Only TDs have to do this
 * @GMEM_SIM_TDVMCALL:  TDG.VP.VMCALL of a TD: leaf @value, R12 to R15 in @args. The answer's status
 *                      is in the vCPU's info; R10 to R14 go to the five uint64_t at @out, which may
 *                      be NULL. MapGPA and GetQuote addresses carry the shared bit. Of a fatal error
 *                      @args are the code and an address, @in the @size bytes of text, at most 64,
 *                      or NULL
 *
 * The end of a script is a HALT for ever. Words are aligned: @addr and @size of FILL, CHECK and SUM
 * are multiples of 8, and so is @addr of ADD and WAIT. Numbers are never reused.
 */
enum gmem_sim_op {
	GMEM_SIM_READ = 0,
	GMEM_SIM_WRITE = 1,
	GMEM_SIM_FILL = 2,
	GMEM_SIM_CHECK = 3,
	GMEM_SIM_SUM = 4,
	GMEM_SIM_HYPERCALL = 5,
	GMEM_SIM_OUT = 6,
	GMEM_SIM_IN = 7,
	GMEM_SIM_OUTS = 8,
	GMEM_SIM_INS = 9,
	GMEM_SIM_SET = 10,
	GMEM_SIM_JUMP = 11,
	GMEM_SIM_HALT = 12,
	GMEM_SIM_SHUTDOWN = 13,
	GMEM_SIM_ADD = 14,
	GMEM_SIM_WAIT = 15,
	GMEM_SIM_REPORT = 16,
	GMEM_SIM_ACCEPT = 17,
	GMEM_SIM_TDVMCALL = 18,
	GMEM_SIM_TERMINATE = 19,
	GMEM_SIM_OP_COUNT
};

/* flags of struct gmem_sim_action */
#define GMEM_SIM_MUST_FAULT  (UINT32_C(1) << 0) /* counted in the info where no exit came of it */
#define GMEM_SIM_AS_PRIVATE  (UINT32_C(1) << 1) /* SNP, TDX: the guest means private memory */
#define GMEM_SIM_AS_SHARED   (UINT32_C(1) << 2) /* SNP, TDX: the guest means shared memory */
#define GMEM_SIM_ACCUMULATOR (UINT32_C(1) << 3) /* OUT: the accumulator, shifted right by @value */
#define GMEM_SIM_MISMATCH                                                                          \
	(UINT32_C(1) << 4) /* JUMP: only if CHECK found a difference; SET: where */

/**
 * struct gmem_sim_action - one action of a scripted guest
 * @op:    enum gmem_sim_op
 * @flags: GMEM_SIM_… bits
 * @addr:  guest address, in bytes, or a port
 * @size:  bytes
 * @value: see @op
 * @args:  see @op
 * @in:    bytes that the guest has; borrowed until the action is done
 * @out:   where what the guest reads goes; borrowed until the action is done
 */
struct gmem_sim_action {
	uint32_t op;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
	uint64_t value;
	uint64_t args[4];
	const void *in;
	void *out;
};

/**
 * gmem_sim_vcpu_script() - Give a vCPU its guest
 * @sim:     a simulator
 * @vcpu_fd: a vCPU of it
 * @actions: what the guest does, in order; copied
 * @count:   how many
 *
 * KVM_RUN runs actions until one needs the VMM, and returns as Linux would: with an exit in struct
 * kvm_run, or with an error. The next KVM_RUN finishes that action, or tries it again after a
 * fault. Bytes are really moved, in the memory that the guest of a real VM would see. A vCPU
 * without a script leaves with KVM_EXIT_INTERNAL_ERROR, as one does that has no code to run.
 *
 * State:   replaces an earlier script, whose unfinished exit is forgotten.
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or an action that makes no sense
 *   -EBADF   @vcpu_fd is no vCPU of @sim
 *   -EBUSY   the vCPU is running
 *   -ENOMEM  out of memory
 */
int gmem_sim_vcpu_script(struct gmem_sim *sim, int vcpu_fd, const struct gmem_sim_action *actions,
			 size_t count);

/**
 * struct gmem_sim_vcpu_info - how far a scripted guest came, and what it found
 * @sz:               sizeof(struct gmem_sim_vcpu_info), set by the caller
 * @action:           the action that is next or under way
 * @accumulator:      the accumulator
 * @hypercall_result: the answer to the last hypercall: 0, or negative in the guest's own numbers
 * @faults:           accesses that KVM could not make: KVM_RUN failed
 * @missed_faults:    actions with GMEM_SIM_MUST_FAULT that went through
 * @mismatches:       words that CHECK found different
 * @first_mismatch:   the guest address of the first
 * @is_done:          1 at the end of the script
 * @padding:          0
 */
struct gmem_sim_vcpu_info {
	size_t sz;
	uint64_t action;
	uint64_t accumulator;
	int64_t hypercall_result;
	uint64_t faults;
	uint64_t missed_faults;
	uint64_t mismatches;
	uint64_t first_mismatch;
	uint32_t is_done;
	uint32_t padding;
};

/**
 * gmem_sim_vcpu_get_info() - Ask how a scripted guest is
 * @sim:      a simulator
 * @vcpu_fd:  a vCPU of it
 * @ret_info: (in: @sz; out) the answer
 *
 * Threads: safe, also while the vCPU runs. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or a wrong @sz
 *   -EBADF   @vcpu_fd is no vCPU of @sim
 */
int gmem_sim_vcpu_get_info(struct gmem_sim *sim, int vcpu_fd, struct gmem_sim_vcpu_info *ret_info);

/**
 * gmem_sim_pattern() - The word that GMEM_SIM_FILL writes
 * @seed: the action's @value
 * @gpa:  guest address of the word
 *
 * Threads: safe. Kernel: none.
 *
 * Return: the word.
 */
uint64_t gmem_sim_pattern(uint64_t seed, uint64_t gpa);

/**
 * gmem_sim_interrupt() - Make a vCPU leave as for a signal
 * @sim:     a simulator
 * @vcpu_fd: a vCPU of it
 *
 * Its KVM_RUN, this one or the next, fails with EINTR; so does KVM_PRE_FAULT_MEMORY. Setting
 * immediate_exit in struct kvm_run works too, as in Linux.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL
 *   -EBADF   @vcpu_fd is no vCPU of @sim
 */
int gmem_sim_interrupt(struct gmem_sim *sim, int vcpu_fd);

/**
 * gmem_sim_interrupt_after() - Have a signal arrive while pages are allocated
 * @sim:   a simulator
 * @pages: pages of 4 KiB until then; UINT64_MAX takes the wish back
 *
 * The fallocate() or KVM_PRE_FAULT_MEMORY that gets there stops with EINTR, once. Pages before that
 * are kept.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL
 */
int gmem_sim_interrupt_after(struct gmem_sim *sim, uint64_t pages);

/**
 * gmem_sim_pin() - Pin pages of a guest_memfd, as a device would
 * @sim:    a simulator
 * @fd:     a guest_memfd
 * @offset: bytes, a multiple of 4096
 * @size:   bytes, a multiple of 4096, inside the file
 *
 * Converting a pinned page to private in place fails with EAGAIN. Pins are counted and belong to
 * the memory, not to @fd.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL, a range unaligned, empty or outside the file
 *   -EBADF   @fd is no guest_memfd of @sim
 *   -ENOMEM  out of memory
 */
int gmem_sim_pin(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size);

/**
 * gmem_sim_unpin() - Undo gmem_sim_pin()
 * @sim:    a simulator
 * @fd:     a guest_memfd
 * @offset: as for gmem_sim_pin(), or a part of it
 * @size:   as for gmem_sim_pin(), or a part of it
 *
 * Threads: safe. Kernel: none.
 *
 * Return: as gmem_sim_pin(); -EINVAL also where a page is not pinned.
 */
int gmem_sim_unpin(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size);

/**
 * gmem_sim_poison() - Break memory of a guest_memfd
 * @sim:    a simulator
 * @fd:     a guest_memfd
 * @offset: bytes, a multiple of 4096
 * @size:   bytes, a multiple of 4096, inside the file
 *
 * A guest that touches it makes KVM_RUN fail with EHWPOISON and KVM_EXIT_MEMORY_FAULT. Punching the
 * range gives fresh pages. Mappings of the host do not notice.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: as gmem_sim_pin().
 */
int gmem_sim_poison(struct gmem_sim *sim, int fd, uint64_t offset, uint64_t size);

/*
 * Profile "rfc-hugetlb-wip": the create flag, and the byte of the creation arguments that holds log2 of
 * the page size in pages of 4 KiB. Both are UNVERIFIED: the tree that has them was not read.
 */
#define GMEM_SIM_HUGETLB_WIP_FLAG         (UINT64_C(1) << 2)
#define GMEM_SIM_HUGETLB_WIP_ORDER_OFFSET 16u

/* flags of struct gmem_sim_pool */
#define GMEM_SIM_POOL_DENIED  (UINT32_C(1) << 0) /* writing nr_hugepages is EACCES */
#define GMEM_SIM_POOL_AT_BOOT (UINT32_C(1) << 1) /* pages of this size are made at boot only */

/**
 * struct gmem_sim_pool - a pool of huge pages on a node
 * @sz:           sizeof(struct gmem_sim_pool), set by the caller
 * @page_size:    2M or 1G, in bytes
 * @total:        bytes in the pool
 * @most:         bytes that the node can be brought to at run time: the rest is in pieces; 0 is no
 *                limit
 * @cgroup_limit: bytes of this page size, on all nodes, that the process's control group allows; 0 is
 *                no limit
 * @node:         NUMA node
 * @flags:        GMEM_SIM_POOL_… bits, for all nodes
 */
struct gmem_sim_pool {
	size_t sz;
	uint64_t page_size;
	uint64_t total;
	uint64_t most;
	uint64_t cgroup_limit;
	uint32_t node;
	uint32_t flags;
};

/**
 * gmem_sim_set_pool() - Set up a pool of huge pages, as at boot
 * @sim:  a simulator
 * @pool: the pool
 *
 * Every profile has pools, empty at first. memfds with MFD_HUGETLB and, in the profiles rfc-hugetlb-…,
 * files of guest_memfd take their pages from them. Pages count as used when they are allocated or
 * populated through the table; a plain touch of the memory does not show.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, a wrong @sz, page size, size, node or flag
 */
int gmem_sim_set_pool(struct gmem_sim *sim, const struct gmem_sim_pool *pool);

/**
 * gmem_sim_slow_down() - Have memory take its time
 * @sim: a simulator
 * @ns:  nanoseconds for each MiB that fallocate() is asked for; 0 is the real time
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL
 */
int gmem_sim_slow_down(struct gmem_sim *sim, uint64_t ns);

/* flags of struct gmem_sim_sev */
#define GMEM_SIM_SEV_SMT     (UINT32_C(1) << 0) /* the host's processors run two threads a core */
#define GMEM_SIM_SEV_SOCKETS (UINT32_C(1) << 1) /* there is more than one socket */
#define GMEM_SIM_SEV_OFF     (UINT32_C(1) << 2) /* kvm_amd runs without SEV */

/**
 * struct gmem_sim_sev - the secure processor of profiles with SEV
 * @sz:            sizeof(struct gmem_sim_sev), set by the caller
 * @vmsa_features: what KVM_SEV_INIT2 accepts
 * @policy_bits:   what KVM_SEV_SNP_LAUNCH_START accepts
 * @sev_asids:     VMs of type SEV that there may be at a time, below 512
 * @es_asids:      VMs of types SEV-ES and SNP, below 512
 * @snp_asids:     how many of these are for SNP alone, as with ciphertext hiding; 0 where both types
 *                 share them
 * @api_major:     the firmware's interface, at most 255
 * @api_minor:     the same
 * @flags:         GMEM_SIM_SEV_… bits
 *
 * A type of VM without ASIDs is not offered.
 */
struct gmem_sim_sev {
	size_t sz;
	uint64_t vmsa_features;
	uint64_t policy_bits;
	uint32_t sev_asids;
	uint32_t es_asids;
	uint32_t snp_asids;
	uint32_t api_major;
	uint32_t api_minor;
	uint32_t flags;
};

/**
 * gmem_sim_set_sev() - Set up the secure processor
 * @sim: a simulator
 * @sev: what it is
 *
 * Profiles whose name ends with "-snp" model an AMD machine: types SEV, SEV-ES and SNP of VMs, /dev/sev,
 * and the firmware as far as launches need it. They want a build with nettle; without, these types are
 * not offered. Nothing of it was compared with real firmware: UNVERIFIED.
 *
 * State:   before the first guest.
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a wrong @sz, a number or flag that cannot be
 *   -EBUSY       a guest exists
 *   -EOPNOTSUPP  the profile has no secure processor, or the build no hashes
 */
int gmem_sim_set_sev(struct gmem_sim *sim, const struct gmem_sim_sev *sev);

/**
 * gmem_sim_get_sev() - Ask what the secure processor is
 * @sim:     a simulator
 * @ret_sev: (in: @sz; out) what it is
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer or a wrong @sz
 *   -EOPNOTSUPP  as for gmem_sim_set_sev()
 */
int gmem_sim_get_sev(struct gmem_sim *sim, struct gmem_sim_sev *ret_sev);

/**
 * enum gmem_sim_sev_command - commands of the firmware, by its own numbers
 *
 * @GMEM_SIM_SEV_INIT:               at the first KVM_SEV_INIT2
 * @GMEM_SIM_SEV_ACTIVATE:           KVM_SEV_LAUNCH_START
 * @GMEM_SIM_SEV_GUEST_STATUS:       KVM_SEV_GUEST_STATUS
 * @GMEM_SIM_SEV_LAUNCH_START:       KVM_SEV_LAUNCH_START
 * @GMEM_SIM_SEV_LAUNCH_UPDATE_DATA: KVM_SEV_LAUNCH_UPDATE_DATA
 * @GMEM_SIM_SEV_LAUNCH_UPDATE_VMSA: KVM_SEV_LAUNCH_UPDATE_VMSA, once a vCPU
 * @GMEM_SIM_SEV_LAUNCH_MEASURE:     KVM_SEV_LAUNCH_MEASURE
 * @GMEM_SIM_SEV_LAUNCH_FINISH:      KVM_SEV_LAUNCH_FINISH
 * @GMEM_SIM_SNP_DECOMMISSION:       after a KVM_SEV_SNP_LAUNCH_START that failed
 * @GMEM_SIM_SNP_ACTIVATE:           KVM_SEV_SNP_LAUNCH_START
 * @GMEM_SIM_SNP_GCTX_CREATE:        KVM_SEV_SNP_LAUNCH_START
 * @GMEM_SIM_SNP_GUEST_REQUEST:      action GMEM_SIM_REPORT
 * @GMEM_SIM_SNP_LAUNCH_START:       KVM_SEV_SNP_LAUNCH_START
 * @GMEM_SIM_SNP_LAUNCH_UPDATE:      KVM_SEV_SNP_LAUNCH_UPDATE, once a page; KVM_SEV_SNP_LAUNCH_FINISH,
 *                                   once a vCPU
 * @GMEM_SIM_SNP_LAUNCH_FINISH:      KVM_SEV_SNP_LAUNCH_FINISH
 * @GMEM_SIM_SNP_PAGE_RECLAIM:       after a page that failed; where this fails too, the VM is dead
 */
enum gmem_sim_sev_command {
	GMEM_SIM_SEV_INIT = 0x001,
	GMEM_SIM_SEV_ACTIVATE = 0x021,
	GMEM_SIM_SEV_GUEST_STATUS = 0x023,
	GMEM_SIM_SEV_LAUNCH_START = 0x030,
	GMEM_SIM_SEV_LAUNCH_UPDATE_DATA = 0x031,
	GMEM_SIM_SEV_LAUNCH_UPDATE_VMSA = 0x032,
	GMEM_SIM_SEV_LAUNCH_MEASURE = 0x033,
	GMEM_SIM_SEV_LAUNCH_FINISH = 0x035,
	GMEM_SIM_SNP_DECOMMISSION = 0x090,
	GMEM_SIM_SNP_ACTIVATE = 0x091,
	GMEM_SIM_SNP_GCTX_CREATE = 0x093,
	GMEM_SIM_SNP_GUEST_REQUEST = 0x094,
	GMEM_SIM_SNP_LAUNCH_START = 0x0a0,
	GMEM_SIM_SNP_LAUNCH_UPDATE = 0x0a1,
	GMEM_SIM_SNP_LAUNCH_FINISH = 0x0a2,
	GMEM_SIM_SNP_PAGE_RECLAIM = 0x0c7,
};

/* A status of gmem_sim_sev_fail(): the processor does not answer, and is dead from then on. */
#define GMEM_SIM_SEV_TIMEOUT UINT32_MAX

/**
 * gmem_sim_sev_fail() - Have a command of the firmware fail
 * @sim:     a simulator
 * @command: enum gmem_sim_sev_command; 0 takes an earlier wish back
 * @after:   how many of these commands pass before
 * @status:  what the firmware answers, not 0, or GMEM_SIM_SEV_TIMEOUT
 *
 * Once; a second call replaces the first.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL, @command is none, @status is 0
 */
int gmem_sim_sev_fail(struct gmem_sim *sim, uint32_t command, uint32_t after, uint32_t status);

/**
 * struct gmem_sim_report - what a guest is told of itself in an attestation report
 * @sz:                sizeof(struct gmem_sim_report)
 * @policy:            the guest's policy
 * @digest:            the launch digest
 * @digest_size:       its bytes: 48 for SNP, 32 for SEV and SEV-ES
 * @guest_svn:         of the ID block, as all below but @host_data and @data; 0 without one
 * @family_id:         its family ID
 * @image_id:          its image ID
 * @id_key_digest:     SHA-384 of the key that signed it
 * @author_key_digest: SHA-384 of the key that signed that key
 * @has_author_key:    1 where there was one
 * @padding:           0
 * @host_data:         of KVM_SEV_SNP_LAUNCH_FINISH
 * @data:              what the guest gave
 */
struct gmem_sim_report {
	size_t sz;
	uint64_t policy;
	uint8_t digest[48];
	uint32_t digest_size;
	uint32_t guest_svn;
	uint8_t family_id[16];
	uint8_t image_id[16];
	uint8_t id_key_digest[48];
	uint8_t author_key_digest[48];
	uint32_t has_author_key;
	uint32_t padding;
	uint8_t host_data[32];
	uint8_t data[64];
};

/**
 * gmem_sim_get_report() - Ask for the report that a guest would get
 * @sim:        a simulator
 * @vm_fd:      a VM of type SEV, SEV-ES or SNP whose launch is finished
 * @data:       64 bytes of the guest's, or NULL for zeroes
 * @ret_report: (in: @sz; out) the report
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or a wrong @sz
 *   -EBADF   @vm_fd is no VM of @sim
 *   -EAGAIN  the launch is not finished, or there is none
 */
int gmem_sim_get_report(struct gmem_sim *sim, int vm_fd, const void *data,
			struct gmem_sim_report *ret_report);

/* flags of struct gmem_sim_tdx_host */
#define GMEM_SIM_TDX_EPT5            (UINT32_C(1) << 0) /* EPT of five levels: GPAW 52 */
#define GMEM_SIM_TDX_PACKAGE_OFFLINE (UINT32_C(1) << 1) /* a package has no CPU that runs */

/**
 * struct gmem_sim_tdx_host - what the machine has for TDs
 * @sz:           sizeof(struct gmem_sim_tdx_host), set by the caller
 * @cpus:         processors, and with that the most vCPUs of a TD; 64 at first
 * @key_ids:      private key ids, at most 63, one a TD; 31 at first
 * @cgroup_limit: TDs that the process's control group allows; 0 is no limit, as at first
 * @flags:        GMEM_SIM_TDX_… bits; none at first
 */
struct gmem_sim_tdx_host {
	size_t sz;
	uint32_t cpus;
	uint32_t key_ids;
	uint32_t cgroup_limit;
	uint32_t flags;
};

/**
 * gmem_sim_set_tdx_host() - Set up the machine for TDs
 * @sim:  a simulator
 * @host: the machine
 *
 * Profiles whose name ends in "-tdx" have a TDX module. It measures what is added to a TD by itself,
 * so that gmem_sim_td_get_info() can be compared with what a launch was expected to give. TDs that
 * exist keep what they have. They want a build with nettle; without, TDs are not offered. Nothing of
 * it was compared with a real module: UNVERIFIED.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer, a wrong @sz, no CPU or key id, too many of them, an unknown flag
 */
int gmem_sim_set_tdx_host(struct gmem_sim *sim, const struct gmem_sim_tdx_host *host);

/**
 * enum gmem_sim_seamcall - calls of KVM to the TDX module that can be made to fail
 *
 * @GMEM_SIM_TDH_MNG_CREATE:     KVM_TDX_INIT_VM
 * @GMEM_SIM_TDH_MNG_KEY_CONFIG: KVM_TDX_INIT_VM
 * @GMEM_SIM_TDH_MNG_ADDCX:      KVM_TDX_INIT_VM
 * @GMEM_SIM_TDH_MNG_INIT:       KVM_TDX_INIT_VM
 * @GMEM_SIM_TDH_VP_CREATE:      KVM_TDX_INIT_VCPU
 * @GMEM_SIM_TDH_VP_ADDCX:       KVM_TDX_INIT_VCPU
 * @GMEM_SIM_TDH_VP_INIT:        KVM_TDX_INIT_VCPU
 * @GMEM_SIM_TDH_MEM_PAGE_ADD:   KVM_TDX_INIT_MEM_REGION, once a page
 * @GMEM_SIM_TDH_MEM_PAGE_AUG:   a page that a running guest touches or accepts first
 * @GMEM_SIM_TDH_MR_EXTEND:      KVM_TDX_INIT_MEM_REGION, 16 times a measured page
 * @GMEM_SIM_TDH_MR_FINALIZE:    KVM_TDX_FINALIZE_VM
 *
 * The names are the module's. Numbers are never reused.
 */
enum gmem_sim_seamcall {
	GMEM_SIM_TDH_MNG_CREATE = 0,
	GMEM_SIM_TDH_MNG_KEY_CONFIG = 1,
	GMEM_SIM_TDH_MNG_ADDCX = 2,
	GMEM_SIM_TDH_MNG_INIT = 3,
	GMEM_SIM_TDH_VP_CREATE = 4,
	GMEM_SIM_TDH_VP_ADDCX = 5,
	GMEM_SIM_TDH_VP_INIT = 6,
	GMEM_SIM_TDH_MEM_PAGE_ADD = 7,
	GMEM_SIM_TDH_MEM_PAGE_AUG = 8,
	GMEM_SIM_TDH_MR_EXTEND = 9,
	GMEM_SIM_TDH_MR_FINALIZE = 10,
	GMEM_SIM_SEAMCALL_COUNT
};

/* Statuses with a meaning for KVM; any other makes the operation fail with EIO. */
#define GMEM_SIM_TDX_OPERAND_BUSY    UINT64_C(0x8000020000000000) /* someone else is in the module */
#define GMEM_SIM_TDX_NO_ENTROPY      UINT64_C(0x8000020300000000) /* no random number */
#define GMEM_SIM_TDX_OPERAND_INVALID UINT64_C(0xc000010000000000) /* or-ed with which one */

/**
 * gmem_sim_fail_seamcall() - Have the TDX module refuse a call
 * @sim:    a simulator
 * @call:   which
 * @skip:   calls of it that go through before
 * @count:  calls that fail then; 0 takes the wish back
 * @status: the module's status; not 0 unless @count is
 *
 * What KVM makes of it depends on the profile: it tries again itself, hands an error to the VMM, or
 * gives the VM up, after which every ioctl on it is EIO.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  @sim is NULL, no such call, a status of 0
 */
int gmem_sim_fail_seamcall(struct gmem_sim *sim, enum gmem_sim_seamcall call, uint64_t skip,
			   uint64_t count, uint64_t status);

/**
 * enum gmem_sim_td_state - where a TD is in its life
 * @GMEM_SIM_TD_UNINITIALISED: KVM_TDX_INIT_VM is to come
 * @GMEM_SIM_TD_INITIALISED:   vCPUs and pages may be added
 * @GMEM_SIM_TD_RUNNABLE:      KVM_TDX_FINALIZE_VM is done
 * @GMEM_SIM_TD_DEAD:          KVM gave it up
 */
enum gmem_sim_td_state {
	GMEM_SIM_TD_UNINITIALISED = 0,
	GMEM_SIM_TD_INITIALISED = 1,
	GMEM_SIM_TD_RUNNABLE = 2,
	GMEM_SIM_TD_DEAD = 3
};

/**
 * struct gmem_sim_td_info - a TD as the TDX module has it
 * @sz:            sizeof(struct gmem_sim_td_info), set by the caller
 * @state:         enum gmem_sim_td_state
 * @key_id:        its private key id; 0 is none
 * @gpaw:          48 or 52, bits of a guest address; the highest marks shared memory; 0 before
 *                 KVM_TDX_INIT_VM
 * @tsc_khz:       what the guest's TSC counts
 * @attributes:    TD attributes
 * @xfam:          extended features, with those that are always on
 * @apic_bus_ns:   nanoseconds of a cycle of the APIC bus, as KVM has it; the module's is 40
 * @added:         bytes of pages added by KVM_TDX_INIT_MEM_REGION
 * @pending:       bytes of pages that the guest has to accept
 * @accepted:      bytes of pages that it accepted
 * @mrconfigid:    as given
 * @mrowner:       as given
 * @mrownerconfig: as given
 * @mrtd:          SHA-384 of what was added and measured so far; final from GMEM_SIM_TD_RUNNABLE on
 */
struct gmem_sim_td_info {
	size_t sz;
	uint32_t state;
	uint32_t key_id;
	uint32_t gpaw;
	uint32_t tsc_khz;
	uint64_t attributes;
	uint64_t xfam;
	uint64_t apic_bus_ns;
	uint64_t added;
	uint64_t pending;
	uint64_t accepted;
	uint8_t mrconfigid[48];
	uint8_t mrowner[48];
	uint8_t mrownerconfig[48];
	uint8_t mrtd[48];
};

/**
 * gmem_sim_td_get_info() - Ask the TDX module about a TD
 * @sim:      a simulator
 * @vm_fd:    a VM of it
 * @ret_info: (in: @sz; out) the answer
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or a wrong @sz
 *   -EBADF   @vm_fd is no VM of @sim
 *   -ENOTTY  the VM is no TD
 */
int gmem_sim_td_get_info(struct gmem_sim *sim, int vm_fd, struct gmem_sim_td_info *ret_info);

/**
 * gmem_sim_td_get_rcx() - Ask what a TD's vCPU starts with in RCX
 * @sim:     a simulator
 * @vcpu_fd: a vCPU of it
 * @ret_rcx: (out) the data of KVM_TDX_INIT_VCPU, for firmware the address of the TD HOB
 *
 * Threads: safe. Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer
 *   -EBADF   @vcpu_fd is no vCPU of @sim
 *   -ENOTTY  KVM_TDX_INIT_VCPU was not called on it
 */
int gmem_sim_td_get_rcx(struct gmem_sim *sim, int vcpu_fd, uint64_t *ret_rcx);

#ifdef __cplusplus
}
#endif

#endif
