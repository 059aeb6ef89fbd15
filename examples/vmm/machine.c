/* SPDX-License-Identifier: MIT */
/* The virtual machine: a context, a VM, one file of guest memory, and the ranges bound from it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm.h"

/* Where PCs have no RAM: the guest addresses of devices. */
#define HOLE_START (3 * GIB)
#define HOLE_END   (4 * GIB)

static int open_kvm(struct machine *machine)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	int err;

	opts.sys = machine->kernel.sys;
	opts.sys_user = machine->kernel.user;
	err = gmem_ctx_create(&opts, &machine->ctx);
	if (!err)
		return 0;

	report_gmem_error("cannot use KVM", err);
	if (err == -ENOENT)
		fprintf(stderr, "  Is KVM built in or its module loaded, and virtualization on?\n");
	else if (err == -EACCES || err == -EPERM)
		fprintf(stderr, "  Who may open it is up to its group and mode: see ls -l /dev/kvm.\n");
	fprintf(stderr, "  --kernel sim:v7.3-sw runs the same VMM on a simulated kernel.\n");
	return err;
}

/*
 * What this VMM needs of a kernel for a type of VM. Shared memory must be mapped by the host, because
 * the VMM writes the program there and reads the result. Private memory needs a file with
 * GMEM_FILE_MMAP too: the guest then finds its memory in the file in either state, so that no
 * conversion has to come first.
 *
 * Return: 1 the kernel has all of it; 0 not, and @ret_why describes what is missing; -errno unknown.
 */
static int can_run(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *ret_why)
{
	static const uint32_t needed[] = {
		GMEM_FEATURE_GUEST_MEMFD,
		GMEM_FEATURE_MMAP,
		GMEM_FEATURE_INIT_SHARED,
	};
	uint32_t count = vm_type == GMEM_VM_DEFAULT ? 3 : 2;

	for (uint32_t i = 0; i < count; i++) {
		int has = gmem_has_feature(ctx, vm_type, needed[i]);

		if (has == 1)
			continue;
		if (has == 0)
			gmem_ctx_describe(ctx, vm_type, needed[i], ret_why);
		return has;
	}
	return 1;
}

/* Private memory where this kernel has it, else shared memory; or what the user asked for. */
static int choose_vm_type(const struct machine *machine, int wanted)
{
	static const uint32_t preferred[] = {GMEM_VM_SW_PROTECTED, GMEM_VM_DEFAULT};
	GMEM_INIT(gmem_feature_info, why);

	for (size_t i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++) {
		uint32_t type = preferred[i];
		int can;

		if (wanted >= 0 && (uint32_t)wanted != type)
			continue;
		if (wanted < 0 && gmem_has_vm_type(machine->ctx, type) == 0)
			continue;
		can = can_run(machine->ctx, type, &why);
		if (can == 1)
			return (int)type;
		if (can < 0)
			return report_gmem_error("cannot tell what this kernel has", can);
	}
	fprintf(stderr, "gmem-vmm: this kernel cannot run the guest: no %s: %s\n", why.name,
		why.reason);
	return -EOPNOTSUPP;
}

/* Lay out RAM as PCs have it: up to 3 GiB below the hole, the rest from 4 GiB on. */
static void lay_out_ram(struct machine *machine, uint64_t mem)
{
	uint64_t low = mem < HOLE_START ? mem : HOLE_START;

	machine->ram[0].start = BOOT_AREA_SIZE;
	machine->ram[0].size = low - BOOT_AREA_SIZE;
	machine->ram_count = 1;
	if (mem > low) {
		machine->ram[1].start = HOLE_END;
		machine->ram[1].size = mem - low;
		machine->ram_count = 2;
	}
}

static int bind(struct machine *machine, uint64_t gpa, uint64_t size,
		const struct gmem_slot_opts *opts)
{
	int err = gmem_slot_bind(machine->vm, gpa, size, opts,
				 &machine->slots[machine->slot_count]);

	if (err)
		return report_gmem_error("cannot bind guest memory", err);
	machine->slot_count++;
	return 0;
}

/*
 * Shared memory: the boot area is the beginning of the file, which libgmem has mapped to bind it.
 *
 * Private memory: the host cannot write there, and without a launch protocol (SNP, TDX) somebody has
 * to hand the guest its first instruction. So the boot area is host memory, as firmware would be.
 */
static int bind_boot_area(struct machine *machine)
{
	const struct kernel *kernel = &machine->kernel;
	GMEM_INIT(gmem_slot_opts, opts);
	void *boot;
	int err;

	if (!machine->is_private) {
		GMEM_INIT(gmem_slot_info, info);

		err = gmem_slot_lookup(machine->vm, 0, 0, &info);
		if (err)
			return report_gmem_error("cannot find the boot area", err);
		machine->boot = info.hva;
		return 0;
	}
	err = kernel->sys->mmap(kernel->user, NULL, BOOT_AREA_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &boot);
	if (err)
		return report_error("cannot map the boot area", err);
	machine->boot = boot;
	machine->owns_boot = true;
	opts.hva = boot;
	return bind(machine, 0, BOOT_AREA_SIZE, &opts);
}

static int bind_memory(struct machine *machine)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = machine->file;
	for (uint32_t i = 0; i < machine->ram_count; i++) {
		struct gmem_range range = machine->ram[i];
		int err;

		if (i == 0 && !machine->is_private) {
			range.start -= BOOT_AREA_SIZE;
			range.size += BOOT_AREA_SIZE;
		}
		err = bind(machine, range.start, range.size, &opts);
		if (err)
			return err;
		opts.offset += range.size;
	}
	return bind_boot_area(machine);
}

static int create_file(struct machine *machine, uint64_t mem)
{
	GMEM_INIT(gmem_file_opts, opts);
	int err;

	opts.flags = GMEM_FILE_MMAP;
	if (machine->is_private)
		mem -= BOOT_AREA_SIZE;
	else
		opts.flags |= GMEM_FILE_INIT_SHARED;
	err = gmem_file_create(machine->vm, mem, &opts, &machine->file);
	return err ? report_gmem_error("cannot create the file of guest memory", err) : 0;
}

/*
 * Asked before the kernel is, because the kernel may answer a request that it cannot meet by killing
 * a process. The simulated kernel takes its guests' memory from the same machine.
 */
static int check_host_memory(uint64_t needed)
{
	char text[1024];
	int length = gmem_sys_linux()->read_file(NULL, "/proc/meminfo", text, sizeof(text) - 1);
	const char *line;
	uint64_t available;

	if (length < 0)
		return 0;
	text[length] = '\0';
	line = strstr(text, "MemAvailable:");
	if (!line)
		return 0;
	available = strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10;
	if (needed <= available)
		return 0;
	fprintf(stderr,
		"gmem-vmm: out of memory: the guest fills its %" PRIu64 " MiB, the host has %" PRIu64
		" MiB available\n",
		needed / MIB, available / MIB);
	return -ENOMEM;
}

/* Have the pages ready before the guest runs: then want of memory is an error, not a dead guest. */
static int populate(struct machine *machine)
{
	GMEM_INIT(gmem_file_info, info);
	uint64_t done = 0;
	int err = gmem_file_get_info(machine->file, &info);

	if (!err)
		err = gmem_file_populate(machine->file, 0, info.size, &done);
	if (!err)
		return 0;
	report_gmem_error("cannot allocate the guest's memory", err);
	fprintf(stderr, "  %" PRIu64 " of %" PRIu64 " MiB were had\n", done / MIB, info.size / MIB);
	return err;
}

static int create_memory(struct machine *machine, const struct options *options)
{
	int err = create_file(machine, options->mem);

	if (err)
		return err;
	report_step("create the file");
	err = bind_memory(machine);
	if (err)
		return err;
	report_step("bind it");
	if (!machine->guest->fills_ram)
		return 0;
	err = populate(machine);
	if (!err)
		report_step("populate it");
	return err;
}

static int create_vcpus(struct machine *machine, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int err = vcpu_create(&machine->vcpus[i], machine, i);

		machine->vcpu_count = i + 1;
		if (err)
			return err;
	}
	report_step("create the vCPUs");
	return 0;
}

int machine_create(struct machine *machine, const struct options *options)
{
	int err = 0;
	int type;

	machine->guest = options->guest;
	if (machine->guest->fills_ram)
		err = check_host_memory(options->mem);
	if (!err)
		err = kernel_open(&machine->kernel, options->kernel);
	if (!err)
		err = open_kvm(machine);
	if (err)
		return err;

	type = choose_vm_type(machine, options->vm_type);
	if (type < 0)
		return type;
	machine->is_private = type != GMEM_VM_DEFAULT;
	lay_out_ram(machine, options->mem);
	report_step("probe the kernel");

	err = gmem_vm_create(machine->ctx, (uint32_t)type, NULL, &machine->vm);
	if (err)
		return report_gmem_error("cannot create the VM", err);
	report_step("create the VM");
	err = create_memory(machine, options);
	if (!err)
		err = create_vcpus(machine, options->vcpus);
	if (!err)
		err = guest_load(machine);
	return err;
}

/* The order is for the reader: libgmem's own references would put any order right. */
void machine_destroy(struct machine *machine)
{
	const struct kernel *kernel = &machine->kernel;

	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		vcpu_destroy(&machine->vcpus[i]);
	for (uint32_t i = 0; i < machine->slot_count; i++) {
		int err = gmem_slot_unbind(machine->slots[i]);

		if (err)
			report_gmem_error("cannot unbind guest memory", err);
	}
	gmem_file_unref(machine->file);
	gmem_vm_unref(machine->vm);
	gmem_ctx_unref(machine->ctx);
	if (machine->owns_boot)
		kernel->sys->munmap(kernel->user, machine->boot, BOOT_AREA_SIZE);
	kernel_close(&machine->kernel);
}

/* Sum the words of a range of guest addresses through the host's mapping of the same pages. */
static int sum_range(struct machine *machine, struct gmem_range range, uint64_t *sum)
{
	while (range.size > 0) {
		GMEM_INIT(gmem_slot_info, info);
		uint64_t skip, size;
		int err = gmem_slot_lookup(machine->vm, 0, range.start, &info);

		if (err)
			return report_gmem_error("cannot find guest memory", err);
		skip = range.start - info.gpa;
		size = info.size - skip < range.size ? info.size - skip : range.size;
		*sum += guest_sum_words((const uint8_t *)info.hva + skip, size);
		range.start += size;
		range.size -= size;
	}
	return 0;
}

static int check_shared(struct machine *machine, uint64_t expected)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < machine->ram_count; i++) {
		int err = sum_range(machine, machine->ram[i], &sum);

		if (err)
			return err;
	}
	printf("VMM         checksum 0x%016" PRIx64 " of the same pages through its own mapping: %s\n",
	       sum, sum == expected ? "confirmed" : "DIFFERENT");
	return sum == expected ? 0 : -EIO;
}

/*
 * Touching private memory raises SIGBUS. A system call that is given such an address fails with EFAULT
 * instead, which is the way to find out without a signal handler.
 */
static int check_private(struct machine *machine)
{
	void *addr;
	int pipefd[2];
	bool readable;
	int err = gmem_file_map(machine->file, 0, GMEM_PAGE_SIZE, &addr);

	if (err)
		return report_gmem_error("cannot map the file of guest memory", err);
	if (pipe(pipefd)) {
		err = report_error("cannot make a pipe", -errno);
		goto unmap;
	}
	readable = write(pipefd[1], addr, 1) == 1;
	if (!readable && errno != EFAULT)
		err = report_error("reading the private page failed for another reason", -errno);
	else
		printf("VMM         its own mapping of the file %s\n",
		       readable ? "SHOWS what should be private"
				: "cannot see the private memory (EFAULT): as it should be");
	if (readable)
		err = -EIO;
	close(pipefd[0]);
	close(pipefd[1]);
unmap:
	gmem_file_unmap(machine->file, addr, GMEM_PAGE_SIZE);
	return err;
}

static int check_bytes(const struct machine *machine, uint64_t bytes)
{
	uint64_t expected = 0;

	for (uint32_t i = 0; i < machine->ram_count; i++)
		expected += machine->ram[i].size;
	if (bytes == expected)
		return 0;
	fprintf(stderr, "gmem-vmm: the guest verified %" PRIu64 " bytes of %" PRIu64 "\n", bytes,
		expected);
	return -EIO;
}

int machine_check(struct machine *machine)
{
	uint64_t checksum = 0, bytes = 0;
	int err;

	if (!machine->guest->fills_ram)
		return 0;
	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		checksum += machine->vcpus[i].checksum;
		bytes += machine->vcpus[i].bytes;
	}
	printf("guest       checksum 0x%016" PRIx64 " of %" PRIu64 " MiB, filled and verified\n",
	       checksum, bytes / MIB);
	err = check_bytes(machine, bytes);
	if (!err)
		err = machine->is_private ? check_private(machine)
					  : check_shared(machine, checksum);
	report_step("check the memory");
	return err;
}
