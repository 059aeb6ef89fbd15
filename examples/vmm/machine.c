/* SPDX-License-Identifier: MIT */
/* The virtual machine: a context, a VM, one file of guest memory, and the ranges bound from it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm.h"

/* Where PCs have no RAM: the guest addresses of devices. */
#define HOLE_START (3 * GIB)
#define HOLE_END   (4 * GIB)

static void open_kvm(struct machine *machine, const struct options *options)
{
	GMEM_INIT(gmem_ctx_opts, opts);

	opts.rfc = options->link ? GMEM_RFC_LINK : 0;

	opts.sys = machine->kernel.sys;
	opts.sys_user = machine->kernel.user;
	if (gmem_ctx_create(&opts, &machine->ctx))
		fail(STATUS_CANNOT,
		     "cannot use KVM: %s\n"
		     "  --kernel sim:v7.3-sw runs the same VMM on a simulated kernel.",
		     gmem_errinfo()->message);
}

static int has_all(struct gmem_ctx *ctx, uint32_t vm_type, const uint32_t *needed, uint32_t count,
		   struct gmem_feature_info *ret_why)
{
	for (uint32_t i = 0; i < count; i++) {
		fail_if_gmem(gmem_ctx_describe(ctx, vm_type, needed[i], ret_why),
			     "cannot probe the kernel");
		if (ret_why->state < 0)
			fail(STATUS_FAILED, "cannot probe the kernel: %s", ret_why->reason);
		if (ret_why->state == 0)
			return 0;
	}
	return 1;
}

/*
 * What this VMM needs of a kernel for a type of VM. The host must map shared memory, because the VMM
 * writes the program there and reads the result. Private memory needs a file with GMEM_FILE_MMAP too:
 * the guest then finds its memory in the file in either state, so that no conversion has to come first.
 *
 * Return: 1 the kernel has all of it; 0 not, and @ret_why describes what is missing.
 */
static int can_run(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *ret_why)
{
	static const uint32_t needed[] = {
		GMEM_FEATURE_GUEST_MEMFD,
		GMEM_FEATURE_MMAP,
		GMEM_FEATURE_INIT_SHARED,
	};
	uint32_t count = vm_type == GMEM_VM_DEFAULT ? 3 : 2;

	return has_all(ctx, vm_type, needed, count, ret_why);
}

/* A guest that converts needs private memory, a way to ask for it, and a mechanism. */
static int can_convert(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *ret_why)
{
	static const uint32_t needed[] = {
		GMEM_FEATURE_PRIVATE,
		GMEM_FEATURE_GUEST_MEMFD,
		GMEM_FEATURE_MAP_GPA_RANGE,
	};

	if (!has_all(ctx, vm_type, needed, 3, ret_why))
		return 0;
	fail_if_gmem(gmem_ctx_mechanism(ctx, vm_type, GMEM_CAPABILITY_CONVERT, ret_why),
		     "cannot probe the kernel");
	return ret_why->state == 1;
}

/* A new VM can have the old one's memory. */
static bool can_reuse(struct gmem_ctx *ctx, uint32_t vm_type)
{
	GMEM_INIT(gmem_feature_info, info);

	fail_if_gmem(gmem_ctx_mechanism(ctx, vm_type, GMEM_CAPABILITY_LINK, &info),
		     "cannot probe the kernel");
	return info.state == 1;
}

/* Private memory where this kernel has it, else shared memory; or what the user asked for. */
static uint32_t choose_vm_type(struct gmem_ctx *ctx, int wanted, bool converts, bool reuses)
{
	static const uint32_t preferred[] = {GMEM_VM_SW_PROTECTED, GMEM_VM_DEFAULT, GMEM_VM_SNP,
					     GMEM_VM_TDX};
	GMEM_INIT(gmem_feature_info, why);

	if (wanted == VM_TYPE_AUTO && converts)
		wanted = GMEM_VM_SW_PROTECTED;
	for (size_t i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++) {
		uint32_t type = preferred[i];

		if (wanted == VM_TYPE_AUTO ? type >= GMEM_VM_SNP : (uint32_t)wanted != type)
			continue;
		if (converts ? can_convert(ctx, type, &why) : can_run(ctx, type, &why)) {
			if (reuses && wanted == VM_TYPE_AUTO && !can_reuse(ctx, type))
				continue;
			return type;
		}
	}
	fail(STATUS_CANNOT, "this kernel cannot run the guest: it lacks %s: %s", why.name,
	     why.reason);
}

static uint64_t divide_up(uint64_t number, uint64_t divisor)
{
	return (number + divisor - 1) / divisor;
}

/*
 * Lay out RAM as PCs have it: up to 3 GiB below the hole, the rest from 4 GiB on. The boot area takes the
 * beginning, the more of it the more RAM there is to map.
 */
void machine_lay_out_ram(struct machine *machine, uint64_t mem)
{
	uint64_t low = mem < HOLE_START ? mem : HOLE_START;
	uint64_t top = mem > low ? HOLE_END + mem - low : low;

	machine->pd_count = divide_up(top, GIB);
	machine->pdpt_count = divide_up(machine->pd_count, TABLE_ENTRIES);
	machine->boot_size =
		BOOT_PAGE_TABLES + (1 + machine->pdpt_count + machine->pd_count) * GMEM_PAGE_SIZE;
	machine->boot_size = divide_up(machine->boot_size, 2 * MIB) * 2 * MIB;

	machine->ram[0].start = machine->boot_size;
	machine->ram[0].size = low - machine->boot_size;
	if (machine->launch) {
		machine->boot_size = 0;
		machine->ram[0] = (struct gmem_range){0, low};
	}
	machine->ram[1].start = HOLE_END;
	machine->ram[1].size = mem - low;
	machine->ram_count = mem > low ? 2 : 1;
}

/*
 * Asked before the kernel is, because the kernel may answer a request that it cannot meet by killing
 * a process. The simulated kernel takes its guests' memory from the same machine.
 */
static void check_host_memory(uint64_t needed)
{
	char text[1024] = "";
	const char *line;
	uint64_t available;

	gmem_sys_linux()->read_file(NULL, "/proc/meminfo", text, sizeof(text) - 1);
	line = strstr(text, "MemAvailable:");
	if (!line)
		return;
	available = strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10;
	if (needed > available)
		fail(STATUS_FAILED,
		     "out of memory: the guest fills its %" PRIu64 " MiB, the host has %" PRIu64
		     " MiB available",
		     needed / MIB, available / MIB);
}

/*
 * A guest that converts finds all of its RAM shared. In place the file holds it. With two backings
 * the file is for what will be private, without a mapping; libgmem makes the other one to bind it.
 */
static void create_file(struct machine *machine, uint64_t mem)
{
	GMEM_INIT(gmem_file_opts, opts);

	if (machine->is_private) {
		opts.flags = GMEM_FILE_MMAP;
		mem -= machine->boot_size;
	} else if (machine->is_in_place || (!machine->guest->converts && !machine->launch)) {
		opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	}
	fail_if_gmem(gmem_file_create(machine->vm, mem, &opts, &machine->file),
		     "cannot create the file of guest memory");
	report_step("create the file");
}

static void bind(struct machine *machine, uint64_t gpa, uint64_t size,
		 const struct gmem_slot_opts *opts)
{
	struct gmem_slot *slot; /* gmem_vm_unbind_all() finds it again */

	fail_if_gmem(gmem_slot_bind(machine->vm, gpa, size, opts, &slot),
		     "cannot bind guest memory");
}

void machine_find_boot_area(struct machine *machine)
{
	GMEM_INIT(gmem_slot_info, info);

	fail_if_gmem(gmem_slot_lookup(machine->vm, 0, 0, &info), "cannot find the boot area");
	machine->boot = info.hva;
}

/*
 * Shared memory: the boot area is the beginning of the file, which libgmem has mapped to bind it.
 *
 * Private memory: the host cannot write there, and without a launch protocol (SNP, TDX) somebody has
 * to hand the guest its first instruction. So the boot area is host memory, as firmware would be; of a
 * file where another process shall have it.
 */
static void *map_boot_area(struct machine *machine)
{
	const struct kernel *kernel = &machine->kernel;

	machine->owns_boot = true;
	if (!machine->counts_on)
		return kernel_mmap(kernel, machine->boot_size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	machine->boot_fd = kernel->sys->memfd(kernel->user, "boot area", 0);
	fail_if(machine->boot_fd, "cannot make the boot area");
	fail_if(kernel->sys->ftruncate(kernel->user, machine->boot_fd, machine->boot_size),
		"cannot make the boot area");
	return kernel_mmap(kernel, machine->boot_size, MAP_SHARED, machine->boot_fd);
}

static void bind_boot_area(struct machine *machine)
{
	GMEM_INIT(gmem_slot_opts, opts);

	if (machine->is_private) {
		opts.hva = map_boot_area(machine);
		bind(machine, 0, machine->boot_size, &opts);
	}
	machine_find_boot_area(machine);
}

static void bind_memory(struct machine *machine)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = machine->file;
	for (uint32_t i = 0; i < machine->ram_count; i++) {
		struct gmem_range range = machine->ram[i];

		if (i == 0 && !machine->is_private) {
			range.start -= machine->boot_size;
			range.size += machine->boot_size;
		}
		bind(machine, range.start, range.size, &opts);
		opts.offset += range.size;
	}
	if (machine->launch)
		launch_bind(machine);
	else
		bind_boot_area(machine);
	report_step("bind it");
}

/* Have the pages ready before the guest runs: then want of memory is an error, not a dead guest. */
static void populate(struct machine *machine)
{
	GMEM_INIT(gmem_file_info, info);
	uint64_t done = 0;

	gmem_file_get_info(machine->file, &info);
	if (gmem_file_populate(machine->file, 0, info.size, &done))
		fail(STATUS_FAILED, "cannot allocate more than %" PRIu64 " of %" PRIu64 " MiB: %s",
		     done / MIB, info.size / MIB, gmem_errinfo()->message);
	report_step("populate it");
}

/*
 * What is launched here is judged by a model of the firmware. A scripted SNP guest needs no launch, and
 * what it touches converts, where a software-protected guest has only hypercalls.
 */
static void check_launch(const struct machine *machine, int vm_type)
{
	if (machine->launch && machine->kernel.sim)
		return;
	if (machine->launch)
		fail(STATUS_CANNOT, "guests are launched here on simulated kernels");
	if (vm_type == GMEM_VM_SNP && (!machine->kernel.sim || !machine->guest->converts))
		fail(STATUS_CANNOT, "SNP guests run here on simulated kernels, as convert-storm");
}

static void choose_memory(struct machine *machine, const struct options *options)
{
	bool converts = machine->guest->converts || machine->launch;
	bool reuses = (options->reboots && !options->no_reuse) || options->handover_to;
	uint32_t type;

	check_launch(machine, options->vm_type);
	type = choose_vm_type(machine->ctx, options->vm_type, converts, reuses);
	machine->vm_type = type;
	machine->is_private =
		!converts && gmem_has_feature(machine->ctx, type, GMEM_FEATURE_PRIVATE) == 1;
	machine->is_in_place =
		gmem_has_feature(machine->ctx, type, GMEM_FEATURE_CONVERT_INPLACE) == 1;
}

void machine_create_vm(struct machine *machine, const struct options *options)
{
	fail_if_gmem(gmem_vm_create(machine->ctx, machine->vm_type, NULL, &machine->vm),
		     "cannot create the VM");
	if (machine->guest->converts)
		convert_enable(machine);
	report_step("create the VM");
	if (machine->launch)
		launch_begin(machine);

	create_file(machine, options->mem);
	bind_memory(machine);
	if (machine->guest->fills_ram)
		populate(machine);
}

void machine_create_vcpus(struct machine *machine)
{
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_create(&machine->vcpus[i], machine, i);
}

void machine_open(struct machine *machine, const struct options *options)
{
	machine->boot_fd = -1;
	kernel_open(&machine->kernel, options->kernel);
	open_kvm(machine, options);
}

void machine_create(struct machine *machine, const struct options *options)
{
	machine->guest = options->guest;
	machine->keeps = options->keep;
	machine->last_boot = options->reboots;
	machine->vcpu_count = options->vcpus;
	machine->counts_on = options->handover_to;
	machine_open(machine, options);
	if (options->is_launched)
		launch_plan(machine, options);
	choose_memory(machine, options);
	report_step("probe the kernel");

	machine_lay_out_ram(machine, options->mem);
	if (machine->guest->fills_ram)
		check_host_memory(options->mem);
	machine_create_vm(machine, options);
	machine_create_vcpus(machine);
	report_step("create the vCPUs");
	if (machine->launch) {
		launch_load(machine);
		return;
	}
	guest_load(machine);
	report_step("load the program");
}

/* In this order for the reader: libgmem's own references would put any order right. */
void machine_destroy_vm(struct machine *machine)
{
	const struct kernel *kernel = &machine->kernel;

	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_destroy(&machine->vcpus[i]);
	if (machine->launch)
		launch_destroy(machine);
	fail_if_gmem(gmem_vm_unbind_all(machine->vm), "cannot unbind guest memory");
	gmem_file_unref(machine->file);
	gmem_vm_unref(machine->vm);
	if (machine->owns_boot)
		kernel->sys->munmap(kernel->user, machine->boot, machine->boot_size);
	if (machine->boot_fd >= 0)
		kernel->sys->close(kernel->user, machine->boot_fd);
}

void machine_destroy(struct machine *machine)
{
	machine_destroy_vm(machine);
	gmem_ctx_unref(machine->ctx);
	kernel_close(&machine->kernel);
	report_step("clean up");
}
