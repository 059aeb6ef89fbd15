/* SPDX-License-Identifier: MIT */
/* Capabilities, VM types, and the descriptors that KVM gives out. */
#include <fcntl.h>

#include "contract.h"
#include "uapi_rfc.h"

static void device(struct gt *t)
{
	int kvm = gt_open_kvm(t);

	MUST(kvm >= 0);
	EXPECT("2", gt_ioctl(t, kvm, GMI_KVM_GET_API_VERSION, NULL), GMI_KVM_API_VERSION);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_USER_MEMORY), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_NR_MEMSLOTS), 32764);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_READONLY_MEM), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_EXIT_HYPERCALL), 1 << GMI_KVM_HC_MAP_GPA_RANGE);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_USER_MEMORY2), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_MEMORY_FAULT_INFO), 1);
	EXPECT("1", gt_cap(t, kvm, GMI_KVM_CAP_GUEST_MEMFD), 1);
	EXPECT("1", gt_cap(t, kvm, 0x7fffffff), 0);
	gt_close(t, kvm);
}

/* A mask that knows every type says more than one. */
static void device_masks(struct gt *t)
{
	int kvm = gt_open_kvm(t);
	int types = gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES);
	int flags = gt_cap(t, kvm, GMI_KVM_CAP_GUEST_MEMFD_FLAGS);
	int attributes = gt_cap(t, kvm, GMI_KVM_CAP_MEMORY_ATTRIBUTES);
	bool any_private = types & 0x32;
	uint32_t cap;
	int in_place;

	EXPECT("1", types & 1, 1);
	EXPECT("1", types & ~0x3f, 0);
	EXPECT("1", flags == 0 || flags == 3, true);
	EXPECT("1", attributes == 0 || attributes == 8, true);
	in_place = gt_cap(t, kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES);
	EXPECT("2.1.3", in_place == 0 || in_place == (int)GT_PRIVATE, true);
	EXPECT("1, 2.1.3: one of both", any_private ? !attributes == !in_place : 0, false);
	for (cap = GMI_KVM_CAP_ARM_SEA_TO_USER; cap <= GMI_KVM_CAP_ARM_PMU_V3_STRICT; cap++)
		EXPECT("1: not x86's", gt_cap(t, kvm, cap), 0);
	gt_close(t, kvm);
}

static int expected_spaces(const struct vm *vm)
{
	int device = gt_cap(vm->t, vm->kvm, GMI_KVM_CAP_MULTI_ADDRESS_SPACE);

	if (device == 0)
		return 0;
	return vm->has_private ? 1 : 2;
}

static void vm_values_of(struct vm *vm)
{
	const struct gt *t = vm->t;

	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_NR_MEMSLOTS), 32764);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_READONLY_MEM), 1);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_MULTI_ADDRESS_SPACE), expected_spaces(vm));
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_USER_MEMORY2), 1);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_MEMORY_ATTRIBUTES),
	       vm->has_private && !vm->traits.in_place ? (int)GT_PRIVATE : 0);
	EXPECT("2.1.3", gt_cap(t, vm->fd, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES),
	       vm->has_private && vm->traits.in_place ? (int)GT_PRIVATE : 0);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_GUEST_MEMFD), vm->has_gmem_slots);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_GUEST_MEMFD_FLAGS), (int64_t)vm->file_flags);
	EXPECT("1", gt_cap(t, vm->fd, GMI_KVM_CAP_PRE_FAULT_MEMORY), vm->traits.has_pre_fault);
}

static void vm_values(struct gt *t)
{
	each_vm(t, vm_values_of);
}

/* None of the capabilities of guest_memfd can be switched on. */
static void not_enabled_of(struct vm *vm)
{
	static const uint32_t caps[] = {
		GMI_KVM_CAP_USER_MEMORY2,      GMI_KVM_CAP_MEMORY_FAULT_INFO,
		GMI_KVM_CAP_MEMORY_ATTRIBUTES, GMI_KVM_CAP_GUEST_MEMFD,
		GMI_KVM_CAP_VM_TYPES,          GMI_KVM_CAP_PRE_FAULT_MEMORY,
		GMI_KVM_CAP_GUEST_MEMFD_FLAGS,
	};
	size_t i;

	for (i = 0; i < GT_COUNT(caps); i++)
		EXPECT("1", gt_enable_cap(vm->t, vm->fd, caps[i], 0), -EINVAL);
}

static void not_enabled(struct gt *t)
{
	each_vm(t, not_enabled_of);
}

static void types_not_offered(struct gt *t)
{
	int kvm = gt_open_kvm(t);
	int types = gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES);
	uint32_t type;
	int fd;

	for (type = 0; type < 31; type++) {
		if (types & (1 << type))
			continue;
		fd = gt_create_vm(t, kvm, type);
		EXPECT("3", fd, -EINVAL);
		if (fd >= 0)
			gt_close(t, fd);
	}
	gt_close(t, kvm);
}

static void close_on_exec_of(struct vm *vm)
{
	int vcpu = gt_create_vcpu(vm->t, vm->fd);
	int file = vm_file(vm, 1, 0);

	MUST(vcpu >= 0);
	EXPECT("3", fcntl(vm->fd, F_GETFD), FD_CLOEXEC);
	EXPECT("3", fcntl(vcpu, F_GETFD), FD_CLOEXEC);
	EXPECT("3 the same vCPU again", gt_create_vcpu(vm->t, vm->fd), -EEXIST);
	EXPECT("3, 4.9", fcntl(file, F_GETFD), 0);
	EXPECT("the seam", vm->t->ops->set_cloexec(vm->t->user, file), 0);
	EXPECT("the seam", fcntl(file, F_GETFD), FD_CLOEXEC);
	gt_close(vm->t, file);
	gt_close(vm->t, vcpu);
}

static void close_on_exec(struct gt *t)
{
	each_vm(t, close_on_exec_of);
}

/* A profile of the simulator is of the generation that its name says. */
static void profile_generation(struct gt *t)
{
	static const struct {
		const char *prefix;
		enum generation generation;
	} known[] = {
		{"v6.8", GEN_6_8}, {"v6.18", GEN_6_18}, {"v7.3", GEN_7_2},
		{"v7.4", GEN_7_2}, {"rfc", GEN_7_2},
	};
	struct vm vm;
	size_t i;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	EXPECT("12 attributes are older than flags",
	       vm.traits.types & 2 && !vm.traits.has_attributes && !vm.traits.in_place, false);
	for (i = 0; t->profile && i < GT_COUNT(known); i++)
		if (strncmp(t->profile, known[i].prefix, strlen(known[i].prefix)) == 0)
			EXPECT("12", vm.traits.generation, known[i].generation);
	vm_close(&vm);
}

static const struct gt_test tests[] = {
	GT_TEST(device),
	GT_TEST(device_masks),
	GT_TEST(vm_values),
	GT_TEST(not_enabled),
	GT_TEST(types_not_offered),
	GT_TEST(close_on_exec),
	GT_TEST(profile_generation),
};

GT_MAIN(tests)
