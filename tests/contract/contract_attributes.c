/* SPDX-License-Identifier: MIT */
/* KVM_SET_MEMORY_ATTRIBUTES on the VM. */
#include "contract.h"

static int set(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t attributes, uint64_t flags)
{
	struct gmi_kvm_memory_attributes set = {gpa, size, attributes, flags};

	return gt_ioctl(vm->t, vm->fd, GMI_KVM_SET_MEMORY_ATTRIBUTES, &set);
}

static void built_in_or_not_of(struct vm *vm)
{
	bool built_in = vm->traits.has_attributes;

	EXPECT("4.3#0", set(vm, 0, GT_PAGE, 0, 0), built_in ? 0 : -ENOTTY);
	EXPECT("4.3#0", set(vm, 1, 0, 99, 99), built_in ? -EINVAL : -ENOTTY);
	EXPECT("4.3#0", gt_ioctl(vm->t, vm->fd, GMI_KVM_SET_MEMORY_ATTRIBUTES, NULL),
	       built_in ? -EFAULT : -ENOTTY);
}

static void built_in_or_not(struct gt *t)
{
	each_vm(t, built_in_or_not_of);
}

struct attribute_case {
	const char *row, *name;
	uint64_t gpa, size, attributes, flags;
	int want_private, want_default; /* by what the VM has */
};

#define TOP_PAGE UINT64_C(0xfffffffffffff000)

static const struct attribute_case cases[] = {
	{"4.3", "to private", TEST_GPA, GT_PAGE, 8, 0, 0, -EINVAL},
	{"4.3#6", "again", TEST_GPA, GT_PAGE, 8, 0, 0, -EINVAL},
	{"4.3", "back to shared", TEST_GPA, GT_PAGE, 0, 0, 0, 0},
	{"4.3", "no memslot there", 0, 512 * GT_PAGE, 0, 0, 0, 0},
	{"4.3", "above the MMU's limit", UINT64_C(1) << 60, GT_PAGE, 0, 0, 0, 0},
	{"4.3", "above the MMU's limit, to private", UINT64_C(1) << 60, GT_PAGE, 8, 0, 0, -EINVAL},
	{"4.3", "and back", UINT64_C(1) << 60, GT_PAGE, 0, 0, 0, 0},
	{"4.3", "all shared already, any size", 0, TOP_PAGE, 0, 0, 0, 0},
	{"4.3#2", "flags", TEST_GPA, GT_PAGE, 0, 1, -EINVAL, -EINVAL},
	{"4.3#2", "flags", TEST_GPA, GT_PAGE, 0, UINT64_C(1) << 63, -EINVAL, -EINVAL},
	{"4.3#4", "size 0", TEST_GPA, 0, 0, 0, -EINVAL, -EINVAL},
	{"4.3#4", "wraps", TOP_PAGE, 2 * GT_PAGE, 0, 0, -EINVAL, -EINVAL},
	{"4.3#4", "wraps to 0", TOP_PAGE, GT_PAGE, 0, 0, -EINVAL, -EINVAL},
	{"4.3#5", "address unaligned", TEST_GPA + 1, GT_PAGE, 0, 0, -EINVAL, -EINVAL},
	{"4.3#5", "address unaligned", TEST_GPA + 2048, GT_PAGE, 0, 0, -EINVAL, -EINVAL},
	{"4.3#5", "size unaligned", TEST_GPA, GT_PAGE - 1, 0, 0, -EINVAL, -EINVAL},
	{"4.3#5", "size unaligned", TEST_GPA, GT_PAGE + 8, 8, 0, -EINVAL, -EINVAL},
};

static void each_rule_of(struct vm *vm)
{
	const struct attribute_case *c;
	size_t i;

	VM_REQUIRE(vm, vm->traits.has_attributes, "attributes are not built in");
	for (i = 0; i < GT_COUNT(cases); i++) {
		c = &cases[i];
		EXPECT_CASE(c->row, c->name, set(vm, c->gpa, c->size, c->attributes, c->flags),
			    vm->has_private ? c->want_private : c->want_default);
	}
}

static void each_rule(struct gt *t)
{
	each_vm(t, each_rule_of);
}

static void each_attribute_of(struct vm *vm)
{
	int bit, want;

	VM_REQUIRE(vm, vm->traits.has_attributes, "attributes are not built in");
	for (bit = 0; bit < 64; bit++) {
		want = vm->has_private && bit == 3 ? 0 : -EINVAL;
		EXPECT("4.3#3", set(vm, TEST_GPA, GT_PAGE, UINT64_C(1) << bit, 0), want);
	}
	EXPECT("4.3", set(vm, TEST_GPA, GT_PAGE, 0, 0), 0);
}

static void each_attribute(struct gt *t)
{
	each_vm(t, each_attribute_of);
}

static void bad_pointer_of(struct vm *vm)
{
	const struct gt *t = vm->t;

	VM_REQUIRE(vm, vm->traits.has_attributes, "attributes are not built in");
	EXPECT("4.3#1", gt_ioctl(t, vm->fd, GMI_KVM_SET_MEMORY_ATTRIBUTES, NULL), -EFAULT);
	EXPECT("4.3#1", gt_ioctl(t, vm->fd, GMI_KVM_SET_MEMORY_ATTRIBUTES, unmapped_address(t)),
	       -EFAULT);
}

static void bad_pointer(struct gt *t)
{
	each_vm(t, bad_pointer_of);
}

/* A change spans slots and what lies between them. */
static void across_slots_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	int file;

	VM_REQUIRE(vm, vm->traits.has_attributes, "attributes are not built in");
	VM_REQUIRE(vm, vm->has_private, "VMs of this type have no private memory");
	file = vm_file(vm, 8, 0);
	MUST(gt_bind(t, vm->fd, 0, TEST_GPA, 4 * GT_PAGE, NULL, file, 0) == 0);
	MUST(gt_bind(t, vm->fd, 1, TEST_GPA + 8 * GT_PAGE, 4 * GT_PAGE, NULL, file, 4 * GT_PAGE) ==
	     0);
	EXPECT("7", set(vm, TEST_GPA - GT_PAGE, 16 * GT_PAGE, 8, 0), 0);
	EXPECT("7", set(vm, TEST_GPA + 2 * GT_PAGE, 8 * GT_PAGE, 0, 0), 0);
	EXPECT("7", set(vm, TEST_GPA - GT_PAGE, 16 * GT_PAGE, 8, 0), 0);
	EXPECT("7 survives deletion", gt_delete_slot(t, vm->fd, 0), 0);
	EXPECT("7", set(vm, TEST_GPA - GT_PAGE, 16 * GT_PAGE, 0, 0), 0);
	gt_close(t, file);
}

static void across_slots(struct gt *t)
{
	each_vm(t, across_slots_of);
}

static const struct gt_test tests[] = {
	GT_TEST(built_in_or_not), GT_TEST(each_rule),    GT_TEST(each_attribute),
	GT_TEST(bad_pointer),     GT_TEST(across_slots),
};

GT_MAIN(tests)
