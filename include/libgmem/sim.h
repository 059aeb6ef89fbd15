/* SPDX-License-Identifier: MIT */
/**
 * DOC: The simulated kernel (libgmem-sim)
 *
 * A model of the part of Linux that guest_memfd needs: /dev/kvm, VMs, memslots, guest_memfd inodes and
 * files, memory attributes, vCPUs whose guest is a script. It stands behind the table of system calls of
 * sys.h, so a VMM that makes its calls through such a table, or through libgmem, runs on it unchanged: no
 * hardware, no privileges, no /dev/kvm.
 *
 * A profile names the kernel that is modelled. What a kernel refuses, its profile refuses, with the same
 * error where several things are wrong at once. Guest memory is real memory: the host may map it, and
 * touching a private page raises SIGBUS.
 *
 * Descriptors are real ones. dup(), close(), SCM_RIGHTS and fork() work on them without the model, and a
 * guest_memfd lives until its last descriptor and its last mapping are gone, as in Linux. Everything
 * else has to go through the table: ioctl(2) on such a descriptor fails, and mmap(2) of a guest_memfd
 * maps private memory as if it were shared.
 *
 * A simulator holds one hidden descriptor and one more for each guest_memfd inode that is alive.
 * gmem_sim_unref() closes them.
 *
 * What differs from Linux: a forked child has its own copy of the model, with the same memory behind it.
 * A signal does not interrupt a call; gmem_sim_interrupt() and gmem_sim_interrupt_after() do.
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
 * @memory:       bytes of guest_memfd memory that there is; 0 is without limit. What exceeds it fails
 *                with ENOMEM, pages before it stay allocated
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
};

/**
 * gmem_sim_get_stats() - Count what is alive
 * @sim:       a simulator
 * @ret_stats: (in: @sz; out) the counts
 *
 * Objects whose last descriptor and mapping went away are gone in the answer, however that happened.
 *
 * Threads: safe. Kernel: fcntl(F_OFD_GETLK) for each object.
 *
 * Return: 0, or -errno:
 *   -EINVAL  a NULL pointer or a wrong @sz
 */
int gmem_sim_get_stats(struct gmem_sim *sim, struct gmem_sim_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
