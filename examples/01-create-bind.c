/* SPDX-License-Identifier: MIT */
/* Creates guest memory, gives it to a VM, and reaches the same bytes from the host. */
#include <libgmem/libgmem.h>

#include <stdio.h>
#include <string.h>

#define MEMORY_SIZE (UINT64_C(64) << 20)
#define GUEST_BASE  UINT64_C(0x100000000)

/* Every failure has a record that says what was asked, what failed and why. */
static int complain(const char *what)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	fprintf(stderr, "%s: %s\n", what, info->message);
	if (info->valid & GMEM_ERR_FEATURE)
		fprintf(stderr,
			"This kernel lacks it for this type of VM; gmemctl probe lists all.\n");
	return 1;
}

/*
 * A VM without private memory wants a file that the host can map and that starts shared (6.18). The
 * file is one VM's view of the memory: no other VM can bind it.
 */
static int create_file(struct gmem_vm *vm, struct gmem_file **ret_file)
{
	GMEM_INIT(gmem_file_opts, opts);

	opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	return gmem_file_create(vm, MEMORY_SIZE, &opts, ret_file);
}

/* From here on a vCPU of the VM finds the file's first byte at GUEST_BASE. */
static int bind_file(struct gmem_vm *vm, struct gmem_file *file, struct gmem_slot **ret_slot)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = file;
	opts.offset = 0;
	return gmem_slot_bind(vm, GUEST_BASE, MEMORY_SIZE, &opts, ret_slot);
}

/* What a device model does with a guest address: find the range, and the host's pointer into it. */
static char *host_pointer(struct gmem_vm *vm, uint64_t gpa)
{
	GMEM_INIT(gmem_slot_info, info);

	if (gmem_slot_lookup(vm, 0, gpa, &info) < 0)
		return NULL;
	return (char *)info.hva + (gpa - info.gpa);
}

static int use_memory(struct gmem_vm *vm, struct gmem_file *file)
{
	uint64_t gpa = GUEST_BASE + 0x5000;
	char *byte = host_pointer(vm, gpa);
	uint64_t done;

	if (!byte)
		return complain("cannot find the memory again");
	if (gmem_file_populate(file, 0, MEMORY_SIZE, &done) < 0)
		return complain("cannot allocate all of the memory");
	printf("allocated %llu MiB\n", (unsigned long long)done >> 20);

	strcpy(byte, "the guest would read this");
	printf("guest address %#llx holds \"%s\"\n", (unsigned long long)gpa, byte);

	if (gmem_file_punch(file, 0x5000, GMEM_PAGE_SIZE) < 0)
		return complain("cannot free a page");
	printf("after freeing its page it holds \"%s\"\n", byte);
	return 0;
}

static int run(struct gmem_vm *vm)
{
	struct gmem_file *file = NULL;
	struct gmem_slot *slot = NULL;
	int status = 1;

	if (create_file(vm, &file) < 0)
		complain("cannot create guest memory");
	else if (bind_file(vm, file, &slot) < 0)
		complain("cannot give the memory to the VM");
	else
		status = use_memory(vm, file);

	/* The memory itself goes when the file and all mappings are gone. */
	if (slot && gmem_slot_unbind(slot) < 0)
		status = complain("cannot take the memory back");
	gmem_file_unref(file);
	return status;
}

int main(void)
{
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	int status;

	if (gmem_ctx_create(NULL, &ctx) < 0)
		return complain("cannot use KVM");
	if (gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, &vm) < 0)
		status = complain("cannot make a VM");
	else {
		status = run(vm);
		gmem_vm_unref(vm);
	}
	gmem_ctx_unref(ctx);
	return status;
}
