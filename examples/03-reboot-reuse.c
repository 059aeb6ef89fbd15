/* SPDX-License-Identifier: MIT */
/* Gives the memory of a VM to a new VM object, as for a guest that reboots. */
#include <libgmem/libgmem.h>
#include <libgmem/sim.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_SIZE (UINT64_C(64) << 20)
#define GUEST_BASE  UINT64_C(0x100000000)

static const char note[] = "written before the reboot";

static int complain(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	return 1;
}

/* Where the host sees the guest's memory. */
static char *memory_of(struct gmem_vm *vm)
{
	GMEM_INIT(gmem_slot_info, info);

	return gmem_slot_lookup(vm, 0, GUEST_BASE, &info) ? NULL : info.hva;
}

/* A VM with memory, in which a guest has run. */
static int make_old(struct gmem_ctx *ctx, struct gmem_vm **ret_vm)
{
	GMEM_INIT(gmem_file_opts, file_opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gmem_slot *slot;
	int status = 0;

	if (gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, ret_vm) < 0)
		return complain("cannot make a VM");
	file_opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	if (gmem_file_create(*ret_vm, MEMORY_SIZE, &file_opts, &slot_opts.file) < 0)
		return complain("cannot create guest memory");
	if (gmem_slot_bind(*ret_vm, GUEST_BASE, MEMORY_SIZE, &slot_opts, &slot) < 0)
		status = complain("cannot give the memory to the VM");
	else
		memcpy(memory_of(*ret_vm), note, sizeof(note));
	gmem_file_unref(slot_opts.file); /* the bound range has a reference of its own */
	return status;
}

/*
 * The new VM is whole before the old one is touched; had it failed, the old guest could go on. Its
 * vCPUs can be made and run at once, while another thread takes the old VM down.
 */
static int reboot(struct gmem_vm *old, uint32_t contents, struct gmem_vm **ret_vm)
{
	GMEM_INIT(gmem_replace_opts, opts);
	GMEM_INIT(gmem_replace_info, info);

	opts.contents = contents;
	if (gmem_vm_replace(old, &opts, ret_vm, &info) < 0)
		return complain("cannot reuse the memory");
	printf("by %s: %" PRIu64 " MiB kept, %" PRIu64 " MiB zeroed, in %" PRIu64 " us\n",
	       info.mechanism == GMEM_LINK_KERNEL ? "KVM_LINK_GUEST_MEMFD" : "host address",
	       info.kept_bytes >> 20, info.zeroed_bytes >> 20, info.total_ns / 1000);
	if (gmem_vm_unbind_all(old) < 0)
		return complain("cannot take the old VM down");
	printf("the new VM finds \"%s\"\n", memory_of(*ret_vm));
	return 0;
}

static int run(struct gmem_ctx *ctx)
{
	struct gmem_vm *first = NULL, *second = NULL, *third = NULL;
	int status = make_old(ctx, &first);

	if (!status)
		status = reboot(first, GMEM_CONTENTS_KEEP, &second);
	gmem_vm_unref(first);
	if (!status)
		status = reboot(second, GMEM_CONTENTS_PUNCH, &third);
	if (second && status)
		gmem_vm_unbind_all(second);
	gmem_vm_unref(second);
	if (third)
		gmem_vm_unbind_all(third);
	gmem_vm_unref(third);
	return status;
}

int main(int argc, char **argv)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx;
	int status = 3; /* this kernel cannot */

#ifdef HAVE_SIM
	struct gmem_sim *sim = NULL;
	if (argc > 1 && strncmp(argv[1], "sim:", 4) == 0) { /* 03-reboot-reuse sim:v6.18 */
		if (gmem_sim_create(argv[1] + 4, NULL, &sim) < 0)
			return fprintf(stderr, "%s: no such simulated kernel\n", argv[1]), 2;
		opts.sys = gmem_sim_ops();
		opts.sys_user = sim;
	}
#endif
	opts.rfc = GMEM_RFC_LINK; /* no released kernel has it; where one does, it is used */
	if (gmem_ctx_create(&opts, &ctx) < 0)
		return complain("cannot use KVM");
	if (gmem_has_feature(ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_INIT_SHARED) == 1)
		status = run(ctx);
	else
		fprintf(stderr, "this kernel has no guest memory that two VMs can share\n");
	gmem_ctx_unref(ctx);
#ifdef HAVE_SIM
	gmem_sim_unref(sim);
#endif
	return status;
}
