/* SPDX-License-Identifier: MIT */
/* What the files of gmem-vmm share: the machine, its vCPUs, the guests, the report. */
#ifndef VMM_H
#define VMM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libgmem/libgmem.h>

#include "guests/guest_abi.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define TABLE_ENTRIES 512 /* of a page table of any level */

#define STATUS_OK     0
#define STATUS_FAILED 1
#define STATUS_USAGE  2
#define STATUS_CANNOT 3 /* this kernel cannot run such a guest */

#define VM_TYPE_AUTO -1 /* private memory where the kernel has it, else shared */

struct gmem_sim;
struct guest;
struct launch;

struct options {
	const char *kernel; /* "kvm" or "sim:PROFILE" */
	uint64_t mem;       /* bytes */
	uint32_t vcpus;
	int vm_type; /* enum gmem_vm_type, or VM_TYPE_AUTO */
	uint32_t reboots;
	bool keep;                 /* memory over reboots */
	bool zero;                 /* it */
	bool no_reuse;             /* but made anew */
	const char *handover_to;   /* path of a socket: the guest goes there, */
	const char *handover_from; /* or comes from there */
	bool link;                 /* use KVM_LINK_GUEST_MEMFD, which no released kernel has */
	const struct guest *guest;
	bool is_launched;     /* @vm_type is the technology */
	const char *firmware; /* with it: the path */
};

/*
 * Who answers the system calls: the machine's kernel or a simulated one. The VMM's own calls for its
 * vCPUs go through the same table as libgmem's, so hardly anything else knows the difference.
 */
struct kernel {
	const struct gmem_sys_ops *sys;
	void *user;
	struct gmem_sim *sim; /* NULL for the machine's kernel */
};

/* What happened to a vCPU's conversions. */
struct convert_counts {
	uint64_t hypercalls;
	uint64_t touches; /* memory faults: pages touched in the wrong state */
	uint64_t pieces;
	uint64_t shared_pages; /* that the host looked at */
	uint64_t private_pages;
};

struct vcpu {
	struct machine *machine;
	uint32_t index;
	int fd;
	struct kvm_run *run; /* shared with the kernel: why the guest stopped */
	uint64_t run_size;
	pthread_t thread;

	/* What the guest said on its ports. */
	char text[80];
	uint32_t text_size;
	uint32_t low, high;
	uint64_t checksum;
	uint64_t bytes;
	uint32_t tick;  /* the last that it said */
	uint32_t ticks; /* how many */
	bool exited;
	bool asked_reboot;

	struct gmem_exit exit;
	struct convert_counts counts;
	int pipe[2]; /* carries pages that may be private: convert.c */
};

struct machine {
	struct kernel kernel;
	const struct guest *guest;
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;

	uint32_t vm_type;
	bool is_private;  /* the guest's RAM is out of the host's reach */
	bool is_in_place; /* a conversion leaves a page where it is */
	bool keeps;       /* RAM over a reboot */
	bool counts_on;   /* until it is stopped */
	atomic_bool stop; /* the vCPUs, at their next tick */
	uint64_t boots;   /* reboots so far */
	uint64_t last_boot;

	uint8_t *boot; /* the boot area as the host sees it */
	uint64_t boot_size;
	int boot_fd;    /* what it is a mapping of, where it is handed over and no file; or -1 */
	bool owns_boot; /* that mapping */
	uint64_t pdpt_count; /* page tables in the boot area: one maps 512 GiB, */
	uint64_t pd_count;   /* one maps 1 GiB */

	struct gmem_range ram[2]; /* guest addresses, without the boot area */
	uint32_t ram_count;
	struct vcpu vcpus[BOOT_MAX_VCPUS];
	uint32_t vcpu_count;
	struct launch *launch; /* of a confidential guest, or NULL */
};

/* A program for the guest, and what a scripted vCPU of the simulated kernel does in its place. */
struct guest {
	const char *name;
	const char *help;
	const uint8_t *image;
	const uint8_t *image_end;
	bool fills_ram;
	bool converts;    /* RAM starts shared, and the guest runs in kernel mode, for hypercalls */
	bool is_launched; /* the firmware of a confidential guest, by --launch; a script alone */
	bool reboots;     /* by --reboot */
	void (*script)(struct vcpu *vcpu);
};

/*
 * Functions that fail say so on stderr and end the program: a guest without its memory or one of its
 * vCPUs has nothing worth saving, and the kernel takes back what a process leaves. A VMM with more to
 * lose passes the error on; what to do about each is in the headers of libgmem.
 */

/* kernel.c */
void kernel_open(struct kernel *kernel, const char *spec);
void kernel_close(struct kernel *kernel);
int kernel_ioctl(const struct kernel *kernel, int fd, uint64_t request, void *arg);
void *kernel_mmap(const struct kernel *kernel, uint64_t size, int flags, int fd);

/* machine.c */
void machine_open(struct machine *machine, const struct options *options);
void machine_lay_out_ram(struct machine *machine, uint64_t mem);
void machine_create(struct machine *machine, const struct options *options);
void machine_create_vm(struct machine *machine, const struct options *options);
void machine_find_boot_area(struct machine *machine);
void machine_create_vcpus(struct machine *machine);
void machine_destroy_vm(struct machine *machine);
void machine_destroy(struct machine *machine);

/* vcpu.c */
void vcpu_create(struct vcpu *vcpu, struct machine *machine, uint32_t index);
void vcpu_destroy(struct vcpu *vcpu);
void vcpus_start(struct machine *machine);
void vcpus_join(struct machine *machine);
void vcpus_stop(struct machine *machine);
void vcpus_run(struct machine *machine);

/* guest.c */
const struct guest *guest_find(const char *name);
void guest_list(FILE *out);
void guest_load(struct machine *machine);

/* script.c */
void script_hello(struct vcpu *vcpu);
void script_memtest(struct vcpu *vcpu);
void script_convert_storm(struct vcpu *vcpu);
void script_reboot(struct vcpu *vcpu);
void script_count(struct vcpu *vcpu);

/* convert.c */
void convert_enable(struct machine *machine);
void convert_open(struct vcpu *vcpu);
void convert_close(const struct vcpu *vcpu);
bool convert_exit(struct vcpu *vcpu, int run_error);
void convert_check_shared(struct vcpu *vcpu, uint64_t gpa);
void convert_check_private(struct vcpu *vcpu, uint64_t gpa);
void convert_check_end(struct machine *machine);

/* launch.c, in this order */
bool launch_find(const char *name, uint32_t *ret_vm_type);
void launch_plan(struct machine *machine, const struct options *options);
void launch_bind(struct machine *machine);
void launch_begin(struct machine *machine);
void launch_set_up_vcpu(struct vcpu *vcpu);
void launch_load(struct machine *machine);
void launch_check(struct machine *machine);
void launch_destroy(struct machine *machine);
/* reboot.c */
void reboot_run(struct machine *machine, const struct options *options);

/* handover.c */
void handover_send(struct machine *machine, const struct options *options);
void handover_receive(struct machine *machine, struct options *options);

/* check.c */
void check_memory(struct machine *machine);

/* report.c */
void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void fail_if(int error, const char *what);
void fail_if_gmem(int error, const char *what);
void report_step(const char *name);
void report_text(struct vcpu *vcpu, const uint8_t *text, uint64_t size);
void report_machine(const struct machine *machine, const struct options *options);
void report_features(const struct machine *machine);
void report_steps(void);

#endif
