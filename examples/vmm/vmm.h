/* SPDX-License-Identifier: MIT */
/* What the files of gmem-vmm share: the options, the machine, its vCPUs, the guests, the report. */
#ifndef VMM_H
#define VMM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libgmem/libgmem.h>

#include "guests/guest_abi.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct guest;
struct gmem_sim;

/* The command line. */
struct options {
	const char *kernel; /* "kvm" or "sim:PROFILE" */
	uint64_t mem;       /* bytes */
	uint32_t vcpus;
	int vm_type; /* enum gmem_vm_type, or -1: chosen by what the kernel has */
	const struct guest *guest;
};

/*
 * Who answers the system calls: the machine's kernel or a simulated one. The VMM's own calls for its
 * vCPUs go through the same table as libgmem's, so nothing else in the program knows the difference.
 */
struct kernel {
	const struct gmem_sys_ops *sys;
	void *user;
	struct gmem_sim *sim; /* NULL for the machine's kernel */
};

struct vcpu {
	struct machine *machine;
	uint32_t index;
	int fd;
	struct kvm_run *run; /* shared with the kernel: why the guest stopped */
	uint64_t run_size;
	pthread_t thread;

	/* What the guest said on its ports. */
	uint32_t low, high;
	uint64_t checksum;
	uint64_t bytes;
	bool exited;
	int result; /* 0, or why this vCPU came to no good end */
};

struct machine {
	struct kernel kernel;
	const struct guest *guest;
	bool is_private; /* the guest's RAM is out of the host's reach */

	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slots[3];
	uint32_t slot_count;

	uint8_t *boot; /* the boot area as the host sees it */
	bool owns_boot;

	struct gmem_range ram[BOOT_MAX_REGIONS]; /* guest addresses, without the boot area */
	uint32_t ram_count;

	struct vcpu vcpus[BOOT_MAX_VCPUS];
	uint32_t vcpu_count;

	sem_t ended; /* posted by each vCPU's thread at its end */
	atomic_bool failed;
	atomic_bool stopping;
};

/* A program for the guest, and what a scripted vCPU of the simulated kernel does in its place. */
struct guest {
	const char *name;
	const char *help;
	const uint8_t *image;
	const uint8_t *image_end;
	bool fills_ram;
	int (*script)(struct vcpu *vcpu);
};

/*
 * All functions that return int give 0 or -errno, and have said on stderr what went wrong. Those named
 * ..._destroy and ..._close take what a failed creation left behind.
 */

/* kernel.c */
int kernel_open(struct kernel *kernel, const char *spec);
void kernel_close(struct kernel *kernel);
int kernel_ioctl(const struct kernel *kernel, int fd, uint64_t request, const void *arg);
bool kernel_is_simulated(const struct kernel *kernel);

/* machine.c */
int machine_create(struct machine *machine, const struct options *options);
void machine_destroy(struct machine *machine);
int machine_check(struct machine *machine);

/* vcpu.c */
int vcpu_create(struct vcpu *vcpu, struct machine *machine, uint32_t index);
void vcpu_destroy(struct vcpu *vcpu);
int vcpus_run(struct machine *machine);

/* guest.c */
const struct guest *guest_find(const char *name);
void guest_list(FILE *out);
int guest_load(struct machine *machine);
uint64_t guest_sum_words(const void *memory, uint64_t size);

/* report.c */
int report_error(const char *what, int error);
int report_gmem_error(const char *what, int error);
void report_step(const char *name);
void report_guest_text(const uint8_t *text, uint64_t size);
void report_machine(const struct machine *machine, const struct options *options);
void report_features(const struct machine *machine);
void report_steps(void);

#endif
