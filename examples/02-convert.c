/* SPDX-License-Identifier: MIT */
/* Makes a range of guest memory private and shared again, by whatever mechanism there is. */
#include <libgmem/libgmem.h>
#include <libgmem/sim.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_SIZE (UINT64_C(16) << 20)
#define GUEST_BASE  UINT64_C(0x100000000)
#define RANGE_GPA   (GUEST_BASE + 0x5000)
#define RANGE_SIZE  (3 * GMEM_PAGE_SIZE)

static int complain(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	return 1;
}

/* Which mechanism there is was found out by asking; where there is none, the reason says why. */
static int can_convert(struct gmem_ctx *ctx)
{
	GMEM_INIT(gmem_feature_info, info);

	if (gmem_ctx_mechanism(ctx, GMEM_VM_SW_PROTECTED, GMEM_CAPABILITY_CONVERT, &info) < 0)
		return complain("cannot probe the kernel"), 0;
	if (info.state == 1)
		return printf("conversion by %s\n", info.mechanism);
	gmem_ctx_describe(ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_CONVERT_VM, &info);
	fprintf(stderr, "this kernel cannot convert: it lacks %s: %s\n", info.name, info.reason);
	return 0;
}

/*
 * In place, one file serves both states, and the host maps what is shared of it. Otherwise the file
 * is for what is private, and libgmem makes a second backing for what is shared.
 */
static int create_file(struct gmem_ctx *ctx, struct gmem_vm *vm, struct gmem_file **ret_file)
{
	GMEM_INIT(gmem_file_opts, opts);

	if (gmem_has_feature(ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_CONVERT_INPLACE) == 1)
		opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	return gmem_file_create(vm, MEMORY_SIZE, &opts, ret_file);
}

static void show(struct gmem_vm *vm, const char *when)
{
	static const char *const names[] = {"shared", "private", "mixed"};
	int state = gmem_attr_query(vm, RANGE_GPA, RANGE_SIZE);
	GMEM_INIT(gmem_attr_info, info);

	gmem_attr_get_info(vm, NULL, &info);
	printf("%-12s the range is %-8s %6" PRIu64 " KiB private, %6" PRIu64 " KiB shared\n", when,
	       state < 0 ? "unknown" : names[state], info.private_bytes >> 10,
	       info.shared_bytes >> 10);
}

/* A guest asks for this by hypercall or by touching a page; a VMM then calls gmem_exit_handle(). */
static int convert(struct gmem_vm *vm)
{
	show(vm, "at first,");
	if (gmem_convert(vm, RANGE_GPA, RANGE_SIZE, GMEM_PRIVATE, NULL, NULL) < 0)
		return complain("cannot make it private");
	show(vm, "converted,");
	if (gmem_convert(vm, RANGE_GPA, RANGE_SIZE, GMEM_SHARED, NULL, NULL) < 0)
		return complain("cannot make it shared");
	show(vm, "and back,");
	return 0;
}

static int run(struct gmem_ctx *ctx, struct gmem_vm *vm)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;
	int status;

	if (create_file(ctx, vm, &opts.file) < 0)
		return complain("cannot create guest memory");
	if (gmem_slot_bind(vm, GUEST_BASE, MEMORY_SIZE, &opts, &slot) < 0) {
		status = complain("cannot give the memory to the VM");
	} else {
		status = convert(vm);
		gmem_slot_unbind(slot);
	}
	gmem_file_unref(opts.file);
	return status;
}

int main(int argc, char **argv)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx;
	struct gmem_vm *vm = NULL;
	int status = 3; /* this kernel cannot */

#ifdef HAVE_SIM
	struct gmem_sim *sim = NULL;
	if (argc > 1 && strncmp(argv[1], "sim:", 4) == 0) { /* 02-convert sim:v7.3-sw */
		if (gmem_sim_create(argv[1] + 4, NULL, &sim) < 0)
			return fprintf(stderr, "%s: no such simulated kernel\n", argv[1]), 2;
		opts.sys = gmem_sim_ops();
		opts.sys_user = sim;
	}
#endif
	if (gmem_ctx_create(&opts, &ctx) < 0)
		return complain("cannot use KVM");
	if (can_convert(ctx) && gmem_vm_create(ctx, GMEM_VM_SW_PROTECTED, NULL, &vm) < 0)
		status = complain("cannot make a VM");
	else if (vm)
		status = run(ctx, vm);
	gmem_vm_unref(vm);
	gmem_ctx_unref(ctx);
#ifdef HAVE_SIM
	gmem_sim_unref(sim);
#endif
	return status;
}
