/* SPDX-License-Identifier: MIT */
/* KVM_PRE_FAULT_MEMORY on the vCPU. */
#include "contract.h"

#define TOP_PAGE UINT64_C(0xfffffffffffff000)

/* A call, and where it left the range. */
struct answer {
	int ret;
	uint64_t gpa, size;
};

static struct answer pre_fault(const struct gt *t, int vcpu, uint64_t gpa, uint64_t size)
{
	struct answer answer = {.gpa = gpa, .size = size};

	answer.ret = gt_pre_fault(t, vcpu, &answer.gpa, &answer.size);
	return answer;
}

static void expect_answer(const char *name, struct answer got, struct answer want)
{
	EXPECT_CASE("4.4", name, got.ret, want.ret);
	EXPECT_CASE("4.4 gpa", name, (int64_t)got.gpa, (int64_t)want.gpa);
	EXPECT_CASE("4.4 size", name, (int64_t)got.size, (int64_t)want.size);
}

static int with_flags(const struct gt *t, int vcpu, uint64_t flags)
{
	struct gmi_kvm_pre_fault range = {.gpa = 0, .size = GT_PAGE, .flags = flags};

	return gt_ioctl(t, vcpu, GMI_KVM_PRE_FAULT_MEMORY, &range);
}

static void arguments_of(struct vm *vm)
{
	static const struct {
		const char *row;
		uint64_t gpa, size;
	} cases[] = {
		{"4.4#3 gpa unaligned", 1, GT_PAGE},
		{"4.4#3 size unaligned", 0, GT_PAGE + 1},
		{"4.4#3 size 0", 0, 0},
		{"4.4#3 wraps", TOP_PAGE, 2 * GT_PAGE},
		{"4.4#3 wraps to 0", TOP_PAGE, GT_PAGE},
	};
	const struct gt *t = vm->t;
	int vcpu = gt_create_vcpu(t, vm->fd);
	struct answer answer;
	size_t i;
	int bit;

	MUST(vcpu >= 0);
	for (i = 0; i < GT_COUNT(cases); i++) {
		answer = pre_fault(t, vcpu, cases[i].gpa, cases[i].size);
		EXPECT(cases[i].row, answer.ret, -EINVAL);
	}
	for (bit = 0; bit < 64; bit++)
		EXPECT("4.4#2", with_flags(t, vcpu, UINT64_C(1) << bit), -EINVAL);
	gt_close(t, vcpu);
}

static void arguments(struct gt *t)
{
	each_vm(t, arguments_of);
}

static void bad_pointer_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	int want =
		vm->traits.has_pre_fault || vm->traits.generation >= GEN_6_18 ? -EFAULT : -EINVAL;
	int vcpu = gt_create_vcpu(t, vm->fd);

	MUST(vcpu >= 0);
	EXPECT("4.4#1", gt_ioctl(t, vcpu, GMI_KVM_PRE_FAULT_MEMORY, NULL), want);
	EXPECT("4.4#1", gt_ioctl(t, vcpu, GMI_KVM_PRE_FAULT_MEMORY, unmapped_address(t)), want);
	gt_close(t, vcpu);
}

static void bad_pointer(struct gt *t)
{
	each_vm(t, bad_pointer_of);
}

static void possible_or_not_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gt_guest *guest = gt_guest_create(t, vm->fd);
	int refusal = vm->traits.generation >= GEN_6_18 ? -EOPNOTSUPP : -EINVAL;

	EXPECT("4.4#7", pre_fault(t, gt_guest_vcpu(guest), GT_GUEST_GPA, GT_PAGE).ret,
	       vm->traits.has_pre_fault ? 0 : refusal);
	gt_guest_destroy(guest);
}

static void possible_or_not(struct gt *t)
{
	each_vm(t, possible_or_not_of);
}

#define BACKED_GPA   TEST_GPA
#define PAGES        UINT64_C(8)
#define UNBACKED_GPA (TEST_GPA + UINT64_C(0x1000000))
#define HOLE_GPA     (TEST_GPA + UINT64_C(0x2000000))

/* One slot with memory behind it, one whose userspace_addr is mapped nowhere, and a hole. */
struct fixture {
	struct gt_guest *guest;
	int vcpu;
	uint8_t *memory;
};

static void open_fixture(struct vm *vm, struct fixture *f)
{
	const struct gt *t = vm->t;

	f->guest = gt_guest_create(t, vm->fd);
	f->vcpu = gt_guest_vcpu(f->guest);
	f->memory = gt_anonymous(t, PAGES * GT_PAGE);
	MUST(gt_set_region(t, vm->fd, 0, 0, BACKED_GPA, PAGES * GT_PAGE, f->memory) == 0);
	MUST(gt_set_region(t, vm->fd, 1, 0, UNBACKED_GPA, PAGES * GT_PAGE, unmapped_address(t)) ==
	     0);
}

static void close_fixture(struct vm *vm, struct fixture *f)
{
	gt_guest_destroy(f->guest);
	gt_unmap(vm->t, f->memory, PAGES * GT_PAGE);
}

static void shared_of(struct vm *vm)
{
	const uint64_t end = BACKED_GPA + PAGES * GT_PAGE;
	const struct gt *t = vm->t;
	struct fixture f;

	VM_REQUIRE(vm, vm->traits.has_pre_fault, "no KVM_PRE_FAULT_MEMORY");
	open_fixture(vm, &f);
	expect_answer("all of a slot", pre_fault(t, f.vcpu, BACKED_GPA, PAGES * GT_PAGE),
		      (struct answer){0, end, 0});
	expect_answer("again", pre_fault(t, f.vcpu, BACKED_GPA, PAGES * GT_PAGE),
		      (struct answer){0, end, 0});
	expect_answer("last page and two beyond", pre_fault(t, f.vcpu, end - GT_PAGE, 3 * GT_PAGE),
		      (struct answer){0, end, 2 * GT_PAGE});
	expect_answer("beyond", pre_fault(t, f.vcpu, end, 2 * GT_PAGE),
		      (struct answer){-ENOENT, end, 2 * GT_PAGE});
	expect_answer("4.4#9 no memslot", pre_fault(t, f.vcpu, HOLE_GPA, GT_PAGE),
		      (struct answer){-ENOENT, HOLE_GPA, GT_PAGE});
	expect_answer("4.4#9 above the guest's width",
		      pre_fault(t, f.vcpu, UINT64_C(1) << 52, GT_PAGE),
		      (struct answer){-ENOENT, UINT64_C(1) << 52, GT_PAGE});
	gt_guest_run_page(f.guest)->exit_reason = 77;
	expect_answer("4.4#11 backing not mapped", pre_fault(t, f.vcpu, UNBACKED_GPA, GT_PAGE),
		      (struct answer){-EFAULT, UNBACKED_GPA, GT_PAGE});
	EXPECT("4.4#11 exit_reason untouched", gt_guest_run_page(f.guest)->exit_reason, 77);
	close_fixture(vm, &f);
}

static void shared(struct gt *t)
{
	each_vm(t, shared_of);
}

static void expect_fault_exit(const struct fixture *f, uint64_t gpa)
{
	const struct gmi_kvm_run *run = gt_guest_run_page(f->guest);

	EXPECT("4.4#9 exit_reason", run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
	EXPECT("8 flags", (int64_t)run->memory_fault.flags, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE);
	EXPECT("8 gpa", (int64_t)run->memory_fault.gpa, (int64_t)gpa);
	EXPECT("8 size", (int64_t)run->memory_fault.size, (int64_t)GT_PAGE);
}

static void private_of(struct vm *vm)
{
	const uint64_t gpa = 2 * TEST_GPA;
	const struct gt *t = vm->t;
	struct fixture f;
	int file;

	VM_REQUIRE(vm, vm->traits.has_pre_fault && vm->has_private,
		   "no private memory to fault in");
	VM_REQUIRE(vm, vm->traits.has_attributes, "only files have private memory");
	open_fixture(vm, &f);
	file = vm_file(vm, PAGES, 0);
	MUST(gt_bind(t, vm->fd, 2, gpa, PAGES * GT_PAGE, NULL, file, 0) == 0);
	MUST(gt_set_attributes(t, vm->fd, gpa, PAGES * GT_PAGE, GT_PRIVATE) == 0);
	MUST(gt_set_attributes(t, vm->fd, HOLE_GPA, GT_PAGE, GT_PRIVATE) == 0);
	MUST(gt_set_attributes(t, vm->fd, BACKED_GPA, GT_PAGE, GT_PRIVATE) == 0);
	expect_answer("private", pre_fault(t, f.vcpu, gpa, PAGES * GT_PAGE),
		      (struct answer){0, gpa + PAGES * GT_PAGE, 0});
	expect_answer("4.4#9 private, no memslot", pre_fault(t, f.vcpu, HOLE_GPA, GT_PAGE),
		      (struct answer){-EFAULT, HOLE_GPA, GT_PAGE});
	expect_fault_exit(&f, HOLE_GPA);
	expect_answer("4.4#9 private, slot without a file",
		      pre_fault(t, f.vcpu, BACKED_GPA, GT_PAGE),
		      (struct answer){-EFAULT, BACKED_GPA, GT_PAGE});
	expect_fault_exit(&f, BACKED_GPA);
	gt_close(t, file);
	expect_answer("4.4#11 file gone", pre_fault(t, f.vcpu, gpa, GT_PAGE),
		      (struct answer){-EFAULT, gpa, GT_PAGE});
	expect_fault_exit(&f, gpa);
	close_fixture(vm, &f);
}

static void private(struct gt *t)
{
	each_vm(t, private_of);
}

static void after_vm_is_closed_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct fixture f;
	int vm_fd;

	VM_REQUIRE(vm, vm->traits.has_pre_fault, "no KVM_PRE_FAULT_MEMORY");
	vm_fd = gt_create_vm(t, vm->kvm, vm->type);
	MUST(vm_fd >= 0);
	gt_close(t, vm->fd);
	vm->fd = vm_fd;
	open_fixture(vm, &f);
	gt_close(t, vm->fd);
	vm->fd = gt_create_vm(t, vm->kvm, vm->type);
	expect_answer("9 VM descriptor closed", pre_fault(t, f.vcpu, BACKED_GPA, GT_PAGE),
		      (struct answer){0, BACKED_GPA + GT_PAGE, 0});
	close_fixture(vm, &f);
}

static void after_vm_is_closed(struct gt *t)
{
	each_vm(t, after_vm_is_closed_of);
}

static const struct gt_test tests[] = {
	GT_TEST(arguments), GT_TEST(bad_pointer), GT_TEST(possible_or_not),
	GT_TEST(shared),    GT_TEST(private),     GT_TEST(after_vm_is_closed),
};

GT_MAIN(tests)
