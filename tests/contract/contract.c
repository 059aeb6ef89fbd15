/* SPDX-License-Identifier: MIT */
/* Asks the kernel what it is, and makes VMs of the types that it has. */
#include "contract.h"
#include "uapi_rfc.h"

static bool type_has_private(uint32_t type)
{
	return type == GMI_KVM_X86_SW_PROTECTED_VM || type == GMI_KVM_X86_SNP_VM ||
	       type == GMI_KVM_X86_TDX_VM;
}

static uint32_t private_or_default(uint32_t types)
{
	return types & (1u << GMI_KVM_X86_SW_PROTECTED_VM) ? GMI_KVM_X86_SW_PROTECTED_VM
							   : GMI_KVM_X86_DEFAULT_VM;
}

/* Binds the same page of a file twice: the errno came with 7.2, and with it the rest. */
static enum generation ask_generation(const struct gt *t, int kvm, uint32_t types)
{
	int vm, file, ret;

	if (gt_cap(t, kvm, GMI_KVM_CAP_GUEST_MEMFD_FLAGS) <= 0)
		return GEN_6_8;
	vm = gt_create_vm(t, kvm, private_or_default(types));
	file = gt_create_gmem(t, vm, GT_PAGE, 0);
	MUST(vm >= 0 && file >= 0);
	MUST(gt_bind(t, vm, 0, TEST_GPA, GT_PAGE, NULL, file, 0) == 0);
	ret = gt_bind(t, vm, 1, 2 * TEST_GPA, GT_PAGE, NULL, file, 0);
	gt_close(t, file);
	gt_close(t, vm);
	return ret == -EEXIST ? GEN_7_2 : GEN_6_18;
}

static struct traits ask_traits(const struct gt *t, int kvm)
{
	int types = gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES);
	struct traits traits = {
		.types = types > 0 ? (uint32_t)types : 1u << GMI_KVM_X86_DEFAULT_VM,
		.has_attributes = gt_cap(t, kvm, GMI_KVM_CAP_MEMORY_ATTRIBUTES) > 0,
		.in_place = gt_cap(t, kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0,
		.has_pre_fault = gt_cap(t, kvm, GMI_KVM_CAP_PRE_FAULT_MEMORY) > 0,
	};

	traits.generation = ask_generation(t, kvm, traits.types);
	return traits;
}

static uint64_t expected_flags(const struct vm *vm)
{
	if (vm->traits.generation == GEN_6_8)
		return 0;
	if (vm->has_private && !vm->traits.in_place)
		return GMI_GUEST_MEMFD_FLAG_MMAP;
	return GT_SHARED_FLAGS;
}

void vm_open(const struct gt *t, uint32_t type, struct vm *ret_vm)
{
	struct vm vm = {.t = t, .type = type, .kvm = gt_open_kvm(t)};
	int spaces;

	MUST(vm.kvm >= 0);
	REQUIRE(gt_cap(t, vm.kvm, GMI_KVM_CAP_GUEST_MEMFD) == 1, "this kernel has no guest_memfd");
	vm.traits = ask_traits(t, vm.kvm);
	REQUIRE(vm.traits.types & (1u << type), "VMs of type %u are not offered", type);
	vm.fd = gt_create_vm(t, vm.kvm, type);
	MUST(vm.fd >= 0);
	vm.has_private = type_has_private(type);
	vm.has_gmem_slots = vm.has_private || vm.traits.generation >= GEN_6_18;
	vm.file_flags = expected_flags(&vm);
	spaces = gt_cap(t, vm.fd, GMI_KVM_CAP_MULTI_ADDRESS_SPACE);
	vm.address_spaces = spaces > 1 ? (uint32_t)spaces : 1;
	*ret_vm = vm;
}

void vm_close(struct vm *vm)
{
	gt_close(vm->t, vm->fd);
	gt_close(vm->t, vm->kvm);
}

void each_vm(struct gt *t, void (*test)(struct vm *vm))
{
	static const uint32_t types[] = {GMI_KVM_X86_DEFAULT_VM, GMI_KVM_X86_SW_PROTECTED_VM};
	int kvm = gt_open_kvm(t);
	const char *skipped = "no such type of VM";
	bool applied = false;
	struct traits traits;
	struct vm vm;
	size_t i;

	MUST(kvm >= 0);
	traits = ask_traits(t, kvm);
	gt_close(t, kvm);
	for (i = 0; i < GT_COUNT(types); i++) {
		if (!(traits.types & (1u << types[i])))
			continue;
		vm_open(t, types[i], &vm);
		test(&vm);
		applied |= !vm.skipped;
		skipped = vm.skipped ? vm.skipped : skipped;
		vm_close(&vm);
	}
	REQUIRE(applied, "%s", skipped);
}

int vm_file(struct vm *vm, unsigned int pages, uint64_t flags)
{
	int fd;

	REQUIRE((flags & ~vm->file_flags) == 0, "no files with flags %#llx for VMs of type %u",
		(unsigned long long)flags, vm->type);
	fd = gt_create_gmem(vm->t, vm->fd, pages * GT_PAGE, flags);
	MUST(fd >= 0);
	return fd;
}

int vm_convert(struct vm *vm, int file, uint64_t offset, uint64_t gpa, uint64_t size,
	       uint64_t attributes)
{
	struct gmi_next_memory_attributes2 args = {
		.offset = offset, .size = size, .attributes = attributes};

	if (vm->traits.in_place)
		return gt_ioctl(vm->t, file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args);
	return gt_set_attributes(vm->t, vm->fd, gpa, size, attributes);
}

void *unmapped_address(const struct gt *t)
{
	void *addr = gt_anonymous(t, GT_PAGE);

	gt_unmap(t, addr, GT_PAGE);
	return addr;
}

/* A real page fault for a slot without memory is an error, an emulated access finds a device. */
bool vm_runs_natively(struct vm *vm)
{
	int fd = gt_create_vm(vm->t, vm->kvm, vm->type);
	struct gt_guest *guest;
	struct gt_exit exit;

	MUST(fd >= 0);
	guest = gt_guest_create(vm->t, fd);
	MUST(gt_set_region(vm->t, fd, 0, 0, TEST_GPA, GT_PAGE, unmapped_address(vm->t)) == 0);
	exit = gt_guest_read(guest, TEST_GPA);
	gt_guest_destroy(guest);
	gt_close(vm->t, fd);
	return exit.ret != 0 || exit.reason != GMI_KVM_EXIT_MMIO;
}
