/* SPDX-License-Identifier: MIT */
/* Which memory the guest sees, by the VM's type, the file's flags and the attributes. */
#include <sys/mman.h>

#include "contract.h"

#define FILE_PAGES 4
#define FILE_SIZE  (FILE_PAGES * GT_PAGE)
#define SLOT       0

/* A guest with one slot bound to a file, and other memory as its userspace_addr, or the file's. */
struct fixture {
	struct vm *vm;
	struct gt_guest *guest;
	uint8_t *backing;
	int file;
};

static void *map_file(const struct gt *t, int file)
{
	void *addr;

	MUST(gt_map(t, file, 0, FILE_SIZE, &addr) == 0);
	return addr;
}

static void open_fixture(struct vm *vm, uint64_t flags, struct fixture *f)
{
	const struct gt *t = vm->t;
	bool shared = flags & GMI_GUEST_MEMFD_FLAG_INIT_SHARED;

	f->vm = vm;
	f->file = vm_file(vm, FILE_PAGES, flags);
	f->backing = shared ? map_file(t, f->file) : gt_anonymous(t, FILE_SIZE);
	f->guest = gt_guest_create(t, vm->fd);
	MUST(gt_bind(t, vm->fd, SLOT, TEST_GPA, FILE_SIZE, f->backing, f->file, 0) == 0);
}

static void close_fixture(struct fixture *f)
{
	const struct gt *t = f->vm->t;

	gt_guest_destroy(f->guest);
	gt_unmap(t, f->backing, FILE_SIZE);
	gt_close(t, f->file);
}

static void expect_write(struct fixture *f, const char *row, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_write(f->guest, gpa, value);

	EXPECT_CASE(row, "guest write", gt_exit_is_done(&exit), true);
}

static void expect_read(struct fixture *f, const char *row, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_read(f->guest, gpa);

	EXPECT_CASE(row, "guest read", gt_exit_is_done(&exit), true);
	EXPECT_CASE(row, "guest read", (int64_t)exit.value, value);
}

#define ONE_BACKING "files serve all of a guest's accesses on this kernel"

/* DEFAULT, no flags: the file is not used at all. */
static void default_plain_file(struct gt *t)
{
	struct fixture f;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	REQUIRE(vm.has_gmem_slots, "VMs of this type bind no files");
	REQUIRE(!vm.traits.in_place, ONE_BACKING);
	open_fixture(&vm, 0, &f);
	expect_write(&f, "6 default, 0", TEST_GPA + 5, 0x11);
	EXPECT("6 default, 0", f.backing[5], 0x11);
	f.backing[GT_PAGE] = 0x22;
	expect_read(&f, "6 default, 0", TEST_GPA + GT_PAGE, 0x22);
	EXPECT("6", gt_punch(t, f.file, 0, FILE_SIZE), 0);
	expect_read(&f, "6 default, 0", TEST_GPA + 5, 0x11);
	close_fixture(&f);
	vm_close(&vm);
}

static void default_plain_file_without_backing(struct gt *t)
{
	struct gt_guest *guest;
	struct gt_exit exit;
	struct vm vm;
	int file;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	REQUIRE(vm.has_gmem_slots, "VMs of this type bind no files");
	REQUIRE(!vm.traits.in_place, ONE_BACKING);
	REQUIRE(vm_runs_natively(&vm), EMULATED);
	file = vm_file(&vm, FILE_PAGES, 0);
	guest = gt_guest_create(t, vm.fd);
	MUST(gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0) == 0);
	exit = gt_guest_read(guest, TEST_GPA);
	EXPECT("6 default, 0, userspace_addr 0", exit.ret, -EFAULT);
	EXPECT("6 default, 0, userspace_addr 0", exit.reason, GMI_KVM_EXIT_UNKNOWN);
	gt_guest_destroy(guest);
	gt_close(t, file);
	vm_close(&vm);
}

/* Files that can be mapped serve every fault; the host sees none of it where they are private. */
static void mapped_file_of(struct vm *vm)
{
	static const char row[] = "6 MMAP";
	struct fixture f;

	VM_REQUIRE(vm, vm->file_flags, "files cannot be mapped");
	VM_REQUIRE(vm, vm_runs_natively(vm), EMULATED);
	open_fixture(vm, GMI_GUEST_MEMFD_FLAG_MMAP, &f);
	f.backing[0] = 0x99;
	expect_read(&f, row, TEST_GPA, 0);
	expect_write(&f, row, TEST_GPA, 0x31);
	EXPECT(row, f.backing[0], 0x99);
	expect_read(&f, row, TEST_GPA, 0x31);
	if (vm->has_private) {
		EXPECT("7", vm_convert(vm, f.file, 0, TEST_GPA, FILE_SIZE, GT_PRIVATE), 0);
		expect_read(&f, "6 MMAP, private", TEST_GPA, 0x31);
		expect_write(&f, "6 MMAP, private", TEST_GPA, 0x32);
		EXPECT("7", vm_convert(vm, f.file, 0, TEST_GPA, FILE_SIZE, 0), 0);
		expect_read(&f, "6 MMAP, shared again", TEST_GPA, 0x32);
	}
	EXPECT("4.7#7", gt_punch(vm->t, f.file, 0, GT_PAGE), 0);
	expect_read(&f, "5 after a punch", TEST_GPA, 0);
	close_fixture(&f);
}

static void mapped_file(struct gt *t)
{
	each_vm(t, mapped_file_of);
}

static void shared_file(struct gt *t)
{
	struct fixture f;
	struct vm vm;
	uint8_t *host;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	open_fixture(&vm, GT_SHARED_FLAGS, &f);
	host = map_file(t, f.file);
	host[7] = 0x41;
	expect_read(&f, "6 shared", TEST_GPA + 7, 0x41);
	expect_write(&f, "6 shared", TEST_GPA + GT_PAGE + 1, 0x42);
	EXPECT("6 shared", host[GT_PAGE + 1], 0x42);
	EXPECT("4.7#7", gt_punch(t, f.file, GT_PAGE, GT_PAGE), 0);
	expect_read(&f, "5 after a punch", TEST_GPA + GT_PAGE + 1, 0);
	expect_read(&f, "5 other page", TEST_GPA + 7, 0x41);
	EXPECT("4.10", t->ops->madvise(t->user, host, FILE_SIZE, MADV_REMOVE), 0);
	expect_read(&f, "4.10 after MADV_REMOVE", TEST_GPA + 7, 0);
	gt_unmap(t, host, FILE_SIZE);
	close_fixture(&f);
	vm_close(&vm);
}

static void shared_file_with_other_address(struct gt *t)
{
	struct gt_exit exit;
	struct fixture f;
	uint8_t *host;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	REQUIRE(vm.file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	REQUIRE(vm_runs_natively(&vm), EMULATED);
	open_fixture(&vm, 0, &f);
	gt_close(t, f.file);
	EXPECT("4.2#10", gt_delete_slot(t, vm.fd, SLOT), 0);
	f.file = vm_file(&vm, FILE_PAGES, GT_SHARED_FLAGS);
	host = map_file(t, f.file);
	EXPECT("6", gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, f.backing, f.file, 0), 0);
	f.backing[0] = 0x92;
	expect_write(&f, "6 userspace_addr ignored", TEST_GPA, 0x91);
	EXPECT("6 userspace_addr ignored", host[0], 0x91);
	exit = gt_guest_outsb(f.guest, TEST_GPA, 0x3f8);
	EXPECT("6 OUTSB, other memory", exit.reason, GMI_KVM_EXIT_IO);
	EXPECT("6 OUTSB, other memory", exit.io_byte, 0x92);
	expect_read(&f, "6 userspace_addr ignored", TEST_GPA, 0x91);
	gt_unmap(t, host, FILE_SIZE);
	close_fixture(&f);
	vm_close(&vm);
}

/* Content survives the slot, and a slot need not begin where the file does. */
static void rebound_file(struct gt *t)
{
	struct fixture f;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	open_fixture(&vm, GT_SHARED_FLAGS, &f);
	expect_write(&f, "6", TEST_GPA + 2 * GT_PAGE, 0x51);
	EXPECT("4.2#10", gt_delete_slot(t, vm.fd, SLOT), 0);
	EXPECT("6",
	       gt_bind(t, vm.fd, SLOT, 2 * TEST_GPA, 2 * GT_PAGE, f.backing + 2 * GT_PAGE, f.file,
		       2 * GT_PAGE),
	       0);
	EXPECT("6", gt_bind(t, vm.fd, SLOT + 1, 3 * TEST_GPA, 2 * GT_PAGE, f.backing, f.file, 0),
	       0);
	expect_read(&f, "6 survives", 2 * TEST_GPA, 0x51);
	expect_read(&f, "6 other half", 3 * TEST_GPA, 0);
	close_fixture(&f);
	vm_close(&vm);
}

/* Two memories for one guest address: the attribute chooses, and neither loses its content. */
static void two_backings(struct gt *t)
{
	struct fixture f;
	struct vm vm;
	int round;

	vm_open(t, GMI_KVM_X86_SW_PROTECTED_VM, &vm);
	REQUIRE(!vm.traits.in_place, ONE_BACKING);
	open_fixture(&vm, 0, &f);
	expect_write(&f, "6 protected, shared", TEST_GPA, 0x61);
	EXPECT("6 protected, shared", f.backing[0], 0x61);
	for (round = 0; round < 3; round++) {
		EXPECT("7", gt_set_attributes(t, vm.fd, TEST_GPA, FILE_SIZE, GT_PRIVATE), 0);
		expect_read(&f, "6 protected, private", TEST_GPA, round ? 0x62 : 0);
		expect_write(&f, "6 protected, private", TEST_GPA, 0x62);
		EXPECT("6 protected, private", f.backing[0], 0x61);
		EXPECT("7", gt_set_attributes(t, vm.fd, TEST_GPA, FILE_SIZE, 0), 0);
		expect_read(&f, "7 content kept", TEST_GPA, 0x61);
	}
	close_fixture(&f);
	vm_close(&vm);
}

/* Attributes belong to guest addresses, not to slots. */
static void attributes_outlive_slots(struct gt *t)
{
	struct fixture f;
	struct vm vm;

	vm_open(t, GMI_KVM_X86_SW_PROTECTED_VM, &vm);
	REQUIRE(!vm.traits.in_place, ONE_BACKING);
	open_fixture(&vm, 0, &f);
	EXPECT("7", gt_set_attributes(t, vm.fd, TEST_GPA, GT_PAGE, GT_PRIVATE), 0);
	expect_write(&f, "7", TEST_GPA, 0x71);
	EXPECT("4.2#10", gt_delete_slot(t, vm.fd, SLOT), 0);
	EXPECT("6", gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, f.backing, f.file, 0), 0);
	expect_read(&f, "7 still private", TEST_GPA, 0x71);
	expect_read(&f, "7 its neighbour shared", TEST_GPA + GT_PAGE, 0);
	f.backing[GT_PAGE] = 0x72;
	expect_read(&f, "7 its neighbour shared", TEST_GPA + GT_PAGE, 0x72);
	EXPECT("4.7#7", gt_punch(t, f.file, 0, FILE_SIZE), 0);
	expect_read(&f, "5 punch changes no attribute", TEST_GPA, 0);
	f.backing[0] = 0x73;
	expect_read(&f, "5 punch changes no attribute", TEST_GPA, 0);
	close_fixture(&f);
	vm_close(&vm);
}

/* A second VM on the same pages: as plain memory, by host address. */
static void second_vm_by_address(struct gt *t)
{
	struct gt_guest *other;
	struct gt_exit exit;
	struct fixture f;
	struct vm vm;
	void *addr;
	int second;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	open_fixture(&vm, GT_SHARED_FLAGS, &f);
	MUST(gt_map(t, f.file, 0, FILE_SIZE, &addr) == 0);
	second = gt_create_vm(t, vm.kvm, GMI_KVM_X86_DEFAULT_VM);
	MUST(second >= 0);
	other = gt_guest_create(t, second);
	EXPECT("6", gt_bind(t, second, SLOT, TEST_GPA, FILE_SIZE, NULL, f.file, 0), -EINVAL);
	EXPECT("6", gt_set_region(t, second, SLOT, 0, TEST_GPA, FILE_SIZE, addr), 0);
	expect_write(&f, "6 first VM", TEST_GPA, 0x81);
	exit = gt_guest_read(other, TEST_GPA);
	EXPECT("6 second VM sees it", (int64_t)exit.value, 0x81);
	exit = gt_guest_write(other, TEST_GPA + 1, 0x82);
	EXPECT("6 second VM", gt_exit_is_done(&exit), true);
	expect_read(&f, "6 first VM sees it", TEST_GPA + 1, 0x82);
	EXPECT("4.7#7", gt_punch(t, f.file, 0, FILE_SIZE), 0);
	expect_read(&f, "5 punch, first VM", TEST_GPA, 0);
	exit = gt_guest_read(other, TEST_GPA);
	EXPECT("5 punch, second VM", (int64_t)exit.value, 0);
	gt_guest_destroy(other);
	gt_close(t, second);
	gt_unmap(t, addr, FILE_SIZE);
	close_fixture(&f);
	vm_close(&vm);
}

/* KVM itself reads and writes guest memory by userspace_addr, whatever the guest sees. */
static void kvms_own_accesses_by_own_mapping(struct gt *t)
{
	struct gt_guest *guest;
	struct gt_exit exit;
	struct vm vm;
	void *addr;
	int file;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	file = vm_file(&vm, FILE_PAGES, GT_SHARED_FLAGS);
	guest = gt_guest_create(t, vm.fd);
	MUST(gt_map(t, file, 0, FILE_SIZE, &addr) == 0);
	MUST(gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, addr, file, 0) == 0);
	exit = gt_guest_write(guest, TEST_GPA, 0xa1);
	EXPECT("6", gt_exit_is_done(&exit), true);
	exit = gt_guest_outsb(guest, TEST_GPA, 0x3f8);
	EXPECT("6 OUTSB, own mapping", exit.reason, GMI_KVM_EXIT_IO);
	EXPECT("6 OUTSB, own mapping", exit.io_byte, 0xa1);
	EXPECT("6 OUTSB, own mapping", exit.io.port, 0x3f8);
	exit = gt_guest_read(guest, TEST_GPA);
	EXPECT("6", (int64_t)exit.value, 0xa1);
	gt_guest_destroy(guest);
	gt_unmap(t, addr, FILE_SIZE);
	gt_close(t, file);
	vm_close(&vm);
}

static void kvms_own_accesses_without_address(struct gt *t)
{
	struct gt_guest *guest;
	struct gt_exit exit;
	struct vm vm;
	int file;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	file = vm_file(&vm, FILE_PAGES, GT_SHARED_FLAGS);
	guest = gt_guest_create(t, vm.fd);
	MUST(gt_bind(t, vm.fd, SLOT, TEST_GPA, FILE_SIZE, NULL, file, 0) == 0);
	exit = gt_guest_outsb(guest, TEST_GPA, 0x3f8);
	EXPECT("6 OUTSB, userspace_addr 0", exit.reason, GMI_KVM_EXIT_MMIO);
	EXPECT("6 OUTSB, userspace_addr 0", exit.mmio.is_write, 0);
	EXPECT("6 OUTSB, userspace_addr 0", (int64_t)exit.mmio.phys_addr, (int64_t)TEST_GPA);
	exit = gt_guest_resume(guest);
	EXPECT("6 OUTSB, then the I/O exit", exit.reason, GMI_KVM_EXIT_IO);
	gt_guest_destroy(guest);
	gt_close(t, file);
	vm_close(&vm);
}

static const struct gt_test tests[] = {
	GT_TEST(default_plain_file),
	GT_TEST(default_plain_file_without_backing),
	GT_TEST(mapped_file),
	GT_TEST(shared_file),
	GT_TEST(shared_file_with_other_address),
	GT_TEST(rebound_file),
	GT_TEST(two_backings),
	GT_TEST(attributes_outlive_slots),
	GT_TEST(second_vm_by_address),
	GT_TEST(kvms_own_accesses_by_own_mapping),
	GT_TEST(kvms_own_accesses_without_address),
};

GT_MAIN(tests)
