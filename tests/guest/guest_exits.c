/* SPDX-License-Identifier: MIT */
/* KVM_RUN and the exits that a VMM of guest memory sees. */
#include "contract.h"

#define FILE_PAGES 4
#define FILE_SIZE  (FILE_PAGES * GT_PAGE)
#define SLOT       0

static void run_arguments_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gt_guest *guest = gt_guest_create(t, vm->fd);
	int vcpu = gt_guest_vcpu(guest);

	EXPECT("4.11", gt_ioctl_number(t, vcpu, GMI_KVM_RUN, 1), -EINVAL);
	gt_guest_run_page(guest)->immediate_exit = 1;
	EXPECT("4.11", gt_ioctl(t, vcpu, GMI_KVM_RUN, NULL), -EINTR);
	gt_guest_run_page(guest)->immediate_exit = 0;
	gt_guest_destroy(guest);
}

static void run_arguments(struct gt *t)
{
	each_vm(t, run_arguments_of);
}

static void port_output_of(struct vm *vm)
{
	struct gt_guest *guest = gt_guest_create(vm->t, vm->fd);
	struct gt_exit exit = gt_guest_out(guest, 0x3f8, 'x');

	EXPECT("8", exit.ret, 0);
	EXPECT("8", exit.reason, GMI_KVM_EXIT_IO);
	EXPECT("8", exit.io.direction, GMI_KVM_EXIT_IO_OUT);
	EXPECT("8", exit.io.size, 1);
	EXPECT("8", exit.io.port, 0x3f8);
	EXPECT("8", exit.io.count, 1);
	EXPECT("8", exit.io_byte, 'x');
	exit = gt_guest_resume(guest);
	EXPECT("8", gt_exit_is_done(&exit), true);
	gt_guest_destroy(guest);
}

static void port_output(struct gt *t)
{
	each_vm(t, port_output_of);
}

/* Shared, no slot: device memory. */
static void mmio_of(struct vm *vm)
{
	struct gt_guest *guest = gt_guest_create(vm->t, vm->fd);
	struct gt_exit exit = gt_guest_read(guest, TEST_GPA + 3);

	EXPECT("8", exit.ret, 0);
	EXPECT("8", exit.reason, GMI_KVM_EXIT_MMIO);
	EXPECT("8", (int64_t)exit.mmio.phys_addr, (int64_t)TEST_GPA + 3);
	EXPECT("8", exit.mmio.len, 1);
	EXPECT("8", exit.mmio.is_write, 0);
	gt_guest_run_page(guest)->mmio.data[0] = 0x5c;
	exit = gt_guest_resume(guest);
	EXPECT("8", gt_exit_is_done(&exit), true);
	EXPECT("8", (int64_t)exit.value, 0x5c);
	exit = gt_guest_write(guest, TEST_GPA, 0x5d);
	EXPECT("8", exit.reason, GMI_KVM_EXIT_MMIO);
	EXPECT("8", exit.mmio.is_write, 1);
	EXPECT("8", exit.mmio.data[0], 0x5d);
	exit = gt_guest_resume(guest);
	EXPECT("8", gt_exit_is_done(&exit), true);
	gt_guest_destroy(guest);
}

static void mmio(struct gt *t)
{
	each_vm(t, mmio_of);
}

static void expect_fault(const char *name, struct gt_exit exit, uint64_t gpa, uint64_t flags)
{
	EXPECT_CASE("8", name, exit.ret, -EFAULT);
	EXPECT_CASE("8", name, exit.reason, GMI_KVM_EXIT_MEMORY_FAULT);
	EXPECT_CASE("8 flags", name, (int64_t)exit.fault.flags, (int64_t)flags);
	EXPECT_CASE("8 gpa", name, (int64_t)exit.fault.gpa, (int64_t)gpa);
	EXPECT_CASE("8 size", name, (int64_t)exit.fault.size, (int64_t)GT_PAGE);
}

static void private_without_memory(struct gt *t)
{
	struct gt_guest *guest;
	struct gt_exit exit;
	uint8_t *plain;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_SW_PROTECTED_VM, &vm);
	REQUIRE(vm.traits.has_attributes, "only files have private memory");
	guest = gt_guest_create(t, vm.fd);
	plain = gt_anonymous(t, FILE_SIZE);
	MUST(gt_set_attributes(t, vm.fd, TEST_GPA, FILE_SIZE, GT_PRIVATE) == 0);
	expect_fault("no slot, read", gt_guest_read(guest, TEST_GPA + 9), TEST_GPA, GT_PRIVATE);
	expect_fault("no slot, write", gt_guest_write(guest, TEST_GPA + GT_PAGE + 9, 1),
		     TEST_GPA + GT_PAGE, GT_PRIVATE);
	MUST(gt_set_region(t, vm.fd, SLOT, 0, TEST_GPA, FILE_SIZE, plain) == 0);
	expect_fault("slot without a file, read", gt_guest_read(guest, TEST_GPA), TEST_GPA,
		     GT_PRIVATE);
	expect_fault("slot without a file, write", gt_guest_write(guest, TEST_GPA, 0x66), TEST_GPA,
		     GT_PRIVATE);
	expect_fault("the same again", gt_guest_resume(guest), TEST_GPA, GT_PRIVATE);
	MUST(gt_set_attributes(t, vm.fd, TEST_GPA, FILE_SIZE, 0) == 0);
	exit = gt_guest_resume(guest);
	EXPECT("8 completed after the change", gt_exit_is_done(&exit), true);
	EXPECT("8 completed after the change", plain[0], 0x66);
	gt_guest_destroy(guest);
	gt_unmap(t, plain, FILE_SIZE);
	vm_close(&vm);
}

/*
 * The file goes with its last descriptor; the slot stays, and serves what else it has. Where the state is
 * the file's it went with it: all counts as shared.
 */
static void file_gone_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	uint64_t flags = vm->has_private ? 0 : GT_SHARED_FLAGS;
	bool two_backings = vm->has_private && !vm->traits.in_place;
	struct gt_guest *guest;
	struct gt_exit exit;
	uint8_t *backing;
	int file;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	VM_REQUIRE(vm, vm_runs_natively(vm), EMULATED);
	file = vm_file(vm, FILE_PAGES, flags);
	guest = gt_guest_create(t, vm->fd);
	backing = gt_anonymous(t, FILE_SIZE);
	MUST(gt_bind(t, vm->fd, SLOT, TEST_GPA, FILE_SIZE, backing, file, 0) == 0);
	if (vm->has_private)
		MUST(vm_convert(vm, file, 0, TEST_GPA, GT_PAGE, GT_PRIVATE) == 0);
	exit = gt_guest_write(guest, TEST_GPA, 1);
	EXPECT("9", gt_exit_is_done(&exit), true);
	gt_close(t, file);
	expect_fault("file gone", gt_guest_read(guest, TEST_GPA), TEST_GPA,
		     two_backings ? GT_PRIVATE : 0);
	if (two_backings) {
		exit = gt_guest_write(guest, TEST_GPA + GT_PAGE, 0x21);
		EXPECT("9 the shared half works", gt_exit_is_done(&exit), true);
		EXPECT("9 the shared half works", backing[GT_PAGE], 0x21);
	}
	EXPECT("9 the slot can be deleted", gt_delete_slot(t, vm->fd, SLOT), 0);
	gt_guest_destroy(guest);
	gt_unmap(t, backing, FILE_SIZE);
}

static void file_gone(struct gt *t)
{
	each_vm(t, file_gone_of);
}

static void unmapped_backing_of(struct vm *vm)
{
	struct gt_guest *guest;
	struct gt_exit exit;

	VM_REQUIRE(vm, vm_runs_natively(vm), EMULATED);
	guest = gt_guest_create(vm->t, vm->fd);
	MUST(gt_set_region(vm->t, vm->fd, SLOT, 0, TEST_GPA, GT_PAGE, unmapped_address(vm->t)) ==
	     0);
	exit = gt_guest_read(guest, TEST_GPA);
	EXPECT("4.11", exit.ret, -EFAULT);
	EXPECT("4.11", exit.reason, GMI_KVM_EXIT_UNKNOWN);
	gt_guest_destroy(guest);
}

static void unmapped_backing(struct gt *t)
{
	each_vm(t, unmapped_backing_of);
}

#define HC           GMI_KVM_HC_MAP_GPA_RANGE
#define GUEST_EINVAL (-22)
#define GUEST_ENOSYS (-GMI_KVM_ENOSYS)

static void expect_refused(const char *name, struct gt_exit exit, int64_t value)
{
	EXPECT_CASE("8 hypercall", name, gt_exit_is_done(&exit), true);
	EXPECT_CASE("8 hypercall", name, (int64_t)exit.value, value);
}

static void expect_asked(struct gt_guest *guest, uint64_t gpa, uint64_t pages, uint64_t attributes)
{
	struct gt_exit exit = gt_guest_hypercall(guest, HC, gpa, pages, attributes);

	EXPECT("8 hypercall", exit.ret, 0);
	EXPECT("8 hypercall", exit.reason, GMI_KVM_EXIT_HYPERCALL);
	EXPECT("8 nr", (int64_t)exit.hypercall.nr, HC);
	EXPECT("8 gpa", (int64_t)exit.hypercall.args[0], (int64_t)gpa);
	EXPECT("8 pages", (int64_t)exit.hypercall.args[1], (int64_t)pages);
	EXPECT("8 attributes", (int64_t)exit.hypercall.args[2], (int64_t)attributes);
	EXPECT("8 ret preset", (int64_t)exit.hypercall.ret, 0);
	EXPECT("8 64-bit mode", (int64_t)(exit.hypercall.flags & 1), 1);
}

static void hypercall_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct gt_guest *guest;
	struct gt_exit exit;

	VM_REQUIRE(vm, vm_runs_natively(vm), EMULATED);
	guest = gt_guest_create(t, vm->fd);
	expect_refused("not enabled", gt_guest_hypercall(guest, HC, TEST_GPA, 1, 16), GUEST_ENOSYS);
	MUST(gt_enable_cap(t, vm->fd, GMI_KVM_CAP_EXIT_HYPERCALL, 1 << HC) == 0);
	expect_refused("unknown", gt_guest_hypercall(guest, 999, 0, 0, 0), GUEST_ENOSYS);
	expect_refused("unaligned", gt_guest_hypercall(guest, HC, TEST_GPA + 1, 1, 0),
		       GUEST_EINVAL);
	expect_refused("0 pages", gt_guest_hypercall(guest, HC, TEST_GPA, 0, 0), GUEST_EINVAL);
	expect_refused("wraps", gt_guest_hypercall(guest, HC, TEST_GPA, UINT64_MAX, 0),
		       GUEST_EINVAL);
	expect_asked(guest, TEST_GPA, 1, 16);
	exit = gt_guest_resume(guest);
	EXPECT("8 success where ret is left", (int64_t)exit.value, 0);
	expect_asked(guest, 0, UINT64_C(1) << 40, 0);
	gt_guest_run_page(guest)->hypercall.ret = UINT64_C(0xfffffffffffffff5);
	exit = gt_guest_resume(guest);
	EXPECT("8 ret as it is", (int64_t)exit.value, -11);
	expect_asked(guest, TEST_GPA, 7, UINT64_C(0xdeadbeefdeadbeef));
	gt_guest_resume(guest);
	MUST(gt_enable_cap(t, vm->fd, GMI_KVM_CAP_EXIT_HYPERCALL, 0) == 0);
	expect_refused("disabled again", gt_guest_hypercall(guest, HC, TEST_GPA, 1, 16),
		       GUEST_ENOSYS);
	gt_guest_destroy(guest);
}

static void hypercall(struct gt *t)
{
	each_vm(t, hypercall_of);
}

static const struct gt_test tests[] = {
	GT_TEST(run_arguments), GT_TEST(port_output),
	GT_TEST(mmio),          GT_TEST(private_without_memory),
	GT_TEST(file_gone),     GT_TEST(unmapped_backing),
	GT_TEST(hypercall),
};

GT_MAIN(tests)
