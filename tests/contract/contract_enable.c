/* SPDX-License-Identifier: MIT */
/* KVM_ENABLE_CAP and KVM_MEMORY_ENCRYPT_OP on VMs without hardware protection. */
#include "contract.h"

static int enable(struct vm *vm, uint32_t cap, uint32_t flags, uint64_t arg0, uint64_t arg1)
{
	struct gmi_kvm_enable_cap enable = {.cap = cap, .flags = flags, .args = {arg0, arg1}};

	memset(enable.pad, 0xff, sizeof(enable.pad));
	return gt_ioctl(vm->t, vm->fd, GMI_KVM_ENABLE_CAP, &enable);
}

#define MAP_GPA_RANGE (UINT64_C(1) << GMI_KVM_HC_MAP_GPA_RANGE)

static void exit_hypercall_of(struct vm *vm)
{
	int bit;

	EXPECT("4.5", enable(vm, GMI_KVM_CAP_EXIT_HYPERCALL, 0, MAP_GPA_RANGE, 0), 0);
	EXPECT("4.5 other args", enable(vm, GMI_KVM_CAP_EXIT_HYPERCALL, 0, MAP_GPA_RANGE, ~0ull),
	       0);
	EXPECT("4.5 cleared", enable(vm, GMI_KVM_CAP_EXIT_HYPERCALL, 0, 0, 0), 0);
	EXPECT("4.5 flags", enable(vm, GMI_KVM_CAP_EXIT_HYPERCALL, 1, MAP_GPA_RANGE, 0), -EINVAL);
	for (bit = 0; bit < 64; bit++)
		EXPECT("4.5", enable(vm, GMI_KVM_CAP_EXIT_HYPERCALL, 0, UINT64_C(1) << bit, 0),
		       bit == GMI_KVM_HC_MAP_GPA_RANGE ? 0 : -EINVAL);
	EXPECT("4.5 unknown", enable(vm, 0x7fffffff, 0, 0, 0), -EINVAL);
}

static void exit_hypercall(struct gt *t)
{
	each_vm(t, exit_hypercall_of);
}

/* A vendor without the hook refuses before it looks at the descriptor. */
static void contexts_of(struct vm *vm)
{
	int ret = enable(vm, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, 0, (uint64_t)-1, 0);

	EXPECT("4.5 move, bad fd", ret == -EINVAL || ret == -EBADF, true);
	EXPECT("4.5 move, itself",
	       enable(vm, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, 0, (uint64_t)vm->fd, 0), -EINVAL);
	ret = enable(vm, GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, 0, (uint64_t)-1, 0);
	EXPECT("4.5 copy, bad fd", ret == -EINVAL || ret == -EBADF, true);
	EXPECT("4.5 move, flags",
	       enable(vm, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, 1, (uint64_t)vm->fd, 0), -EINVAL);
}

static void contexts(struct gt *t)
{
	each_vm(t, contexts_of);
}

static void bad_pointer_of(struct vm *vm)
{
	const struct gt *t = vm->t;

	EXPECT("4.5", gt_ioctl(t, vm->fd, GMI_KVM_ENABLE_CAP, NULL), -EFAULT);
	EXPECT("4.5", gt_ioctl(t, vm->fd, GMI_KVM_ENABLE_CAP, unmapped_address(t)), -EFAULT);
	EXPECT("4.6", gt_ioctl(t, vm->fd, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, unmapped_address(t)),
	       -EFAULT);
}

static void bad_pointer(struct gt *t)
{
	each_vm(t, bad_pointer_of);
}

static void no_encryption_of(struct vm *vm)
{
	struct gmi_kvm_enc_region region = {0};
	uint64_t command[8] = {0};

	VM_REQUIRE(vm, (vm->traits.types & 0x3c) == 0, "this kernel encrypts memory");
	EXPECT("4.6", gt_ioctl(vm->t, vm->fd, GMI_KVM_MEMORY_ENCRYPT_OP, command), -ENOTTY);
	EXPECT("4.6", gt_ioctl(vm->t, vm->fd, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -ENOTTY);
	EXPECT("4.6", gt_ioctl(vm->t, vm->fd, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region), -ENOTTY);
}

static void no_encryption(struct gt *t)
{
	each_vm(t, no_encryption_of);
}

static const struct gt_test tests[] = {
	GT_TEST(exit_hypercall),
	GT_TEST(contexts),
	GT_TEST(bad_pointer),
	GT_TEST(no_encryption),
};

GT_MAIN(tests)
