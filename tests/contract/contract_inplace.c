/* SPDX-License-Identifier: MIT */
/* KVM_SET_MEMORY_ATTRIBUTES2 on the file, queued for 7.4: its errors, and what host and guest see. */
#include <signal.h>

#include <libgmem/sim.h>

#include "contract.h"
#include "uapi_rfc.h"

/*
 * UNVERIFIED: no kernel that has this call was at hand. The rows are those of the notes on it: 2.1.2
 * errors in order, 2.1.5 memory and mappings, 2.1.8 what the kernel's own selftest asserts.
 */
#define PAGES 8
#define SIZE  (PAGES * GT_PAGE)

struct fixture {
	struct vm vm;
	struct gt_guest *guest;
	uint8_t *host;
	int file;
};

static void open_fixture(struct gt *t, uint64_t flags, struct fixture *f)
{
	void *addr;

	vm_open(t, GMI_KVM_X86_SW_PROTECTED_VM, &f->vm);
	REQUIRE(f->vm.traits.in_place, "files do not convert on this kernel");
	f->file = vm_file(&f->vm, PAGES, flags | GMI_GUEST_MEMFD_FLAG_MMAP);
	MUST(gt_map(t, f->file, 0, SIZE, &addr) == 0);
	f->host = addr;
	f->guest = gt_guest_create(t, f->vm.fd);
	MUST(gt_bind(t, f->vm.fd, 0, TEST_GPA, SIZE, NULL, f->file, 0) == 0);
}

static void close_fixture(struct fixture *f)
{
	const struct gt *t = f->vm.t;

	gt_guest_destroy(f->guest);
	gt_unmap(t, f->host, SIZE);
	gt_close(t, f->file);
	vm_close(&f->vm);
}

static int convert(struct fixture *f, unsigned int page, unsigned int pages, uint64_t attributes)
{
	return vm_convert(&f->vm, f->file, page * GT_PAGE, 0, pages * GT_PAGE, attributes);
}

static void expect_guest(struct fixture *f, const char *row, unsigned int page, uint8_t want)
{
	struct gt_exit exit = gt_guest_read(f->guest, TEST_GPA + page * GT_PAGE);

	EXPECT_CASE(row, "guest read", gt_exit_is_done(&exit), true);
	EXPECT_CASE(row, "guest read", (int64_t)exit.value, want);
}

static void guest_writes(struct fixture *f, unsigned int page, uint8_t value)
{
	struct gt_exit exit = gt_guest_write(f->guest, TEST_GPA + page * GT_PAGE, value);

	EXPECT_CASE("2.1.8", "guest write", gt_exit_is_done(&exit), true);
}

static void expect_private(struct fixture *f, const char *row, unsigned int page)
{
	const uint8_t *addr = f->host + page * GT_PAGE;
	struct gt_touch touch = gt_touch_read(addr);

	EXPECT_CASE(row, "host read", touch.signal, SIGBUS);
	EXPECT_CASE(row, "host read", touch.signal && touch.addr == addr, true);
}

static void expect_shared(struct fixture *f, const char *row, unsigned int page, uint8_t want)
{
	struct gt_touch touch = gt_touch_read(f->host + page * GT_PAGE);

	EXPECT_CASE(row, "host read", touch.signal, 0);
	EXPECT_CASE(row, "host read", touch.value, want);
}

struct bad_case {
	const char *name;
	struct gmi_next_memory_attributes2 args;
};

#define TOP_PAGE UINT64_C(0xfffffffffffff000)

static const struct bad_case bad_cases[] = {
	{"flags", {.size = GT_PAGE, .flags = 1}},
	{"flags", {.size = GT_PAGE, .flags = UINT64_C(1) << 63}},
	{"reserved", {.size = GT_PAGE, .reserved = {1}}},
	{"reserved, last", {.size = GT_PAGE, .reserved = {[10] = 1}}},
	{"attributes", {.size = GT_PAGE, .attributes = 1}},
	{"attributes", {.size = GT_PAGE, .attributes = GT_PRIVATE | 4}},
	{"size 0", {.size = 0}},
	{"size unaligned", {.size = GT_PAGE + 1}},
	{"offset unaligned", {.offset = 512, .size = GT_PAGE}},
	{"wraps", {.offset = TOP_PAGE, .size = 2 * GT_PAGE}},
	{"wraps to 0", {.offset = TOP_PAGE, .size = GT_PAGE}},
	{"outside", {.offset = SIZE, .size = GT_PAGE}},
	{"partly outside", {.offset = SIZE - GT_PAGE, .size = 2 * GT_PAGE}},
};

static void argument_errors(struct gt *t)
{
	struct gmi_next_memory_attributes2 args;
	struct fixture f;
	size_t i;

	open_fixture(t, 0, &f);
	for (i = 0; i < GT_COUNT(bad_cases); i++) {
		args = bad_cases[i].args;
		args.error_offset = 77;
		EXPECT_CASE("2.1.2", bad_cases[i].name,
			    gt_ioctl(t, f.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args), -EINVAL);
		EXPECT_CASE("2.1.2 error_offset", bad_cases[i].name, (int64_t)args.error_offset,
			    77);
	}
	EXPECT("2.1.2", gt_ioctl(t, f.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, NULL), -EFAULT);
	EXPECT("2.1.2", gt_ioctl(t, f.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, unmapped_address(t)),
	       -EFAULT);
	EXPECT("2.1.1 not on the VM", gt_ioctl(t, f.vm.fd, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args),
	       -ENOTTY);
	close_fixture(&f);
}

/* The handler is there or not; for VMs without private memory it refuses. */
static void offered_or_not_of(struct vm *vm)
{
	struct gmi_next_memory_attributes2 args = {.size = GT_PAGE};
	int want = -ENOTTY;
	int file;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	file = vm_file(vm, 1, 0);
	if (vm->traits.in_place)
		want = vm->has_private ? 0 : -EINVAL;
	EXPECT("2.1.2", gt_ioctl(vm->t, file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args), want);
	EXPECT("2.1.4 never both",
	       vm->traits.in_place &&
		       gt_set_attributes(vm->t, vm->fd, TEST_GPA, GT_PAGE, 0) != -ENOTTY,
	       false);
	gt_close(vm->t, file);
}

static void offered_or_not(struct gt *t)
{
	each_vm(t, offered_or_not_of);
}

static void init_private(struct gt *t)
{
	struct fixture f;

	open_fixture(t, 0, &f);
	expect_private(&f, "2.1.8 init_private", 0);
	guest_writes(&f, 0, 0x41);
	expect_guest(&f, "2.1.8 init_private", 0, 0x41);
	EXPECT("2.1.8 init_private", convert(&f, 0, 1, 0), 0);
	expect_shared(&f, "2.1.8 init_private", 0, 0x41);
	expect_private(&f, "2.1.8 neighbour", 1);
	EXPECT("2.1.8 init_private", convert(&f, 0, 1, GT_PRIVATE), 0);
	expect_private(&f, "2.1.8 back to private", 0);
	expect_guest(&f, "2.1.5 content", 0, 0x41);
	close_fixture(&f);
}

static void init_shared(struct gt *t)
{
	struct fixture f;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	expect_shared(&f, "2.1.8 init_shared", 0, 0);
	f.host[0] = 0x51;
	expect_guest(&f, "2.1.8 init_shared", 0, 0x51);
	EXPECT("2.1.8 init_shared", convert(&f, 0, 1, GT_PRIVATE), 0);
	expect_private(&f, "2.1.8 init_shared", 0);
	expect_guest(&f, "2.1.5 content", 0, 0x51);
	guest_writes(&f, 0, 0x52);
	EXPECT("2.1.8 init_shared", convert(&f, 0, 1, 0), 0);
	expect_shared(&f, "2.1.8 init_shared", 0, 0x52);
	close_fixture(&f);
}

/* Each page in turn; the others keep state and content. */
static void indexing(struct gt *t)
{
	unsigned int page, other;
	struct fixture f;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	for (page = 0; page < PAGES; page++)
		f.host[page * GT_PAGE] = (uint8_t)(0x60 + page);
	for (page = 0; page < PAGES; page++) {
		EXPECT("2.1.8 indexing", convert(&f, page, 1, GT_PRIVATE), 0);
		for (other = 0; other < PAGES; other++) {
			if (other == page)
				expect_private(&f, "2.1.8 indexing", other);
			else
				expect_shared(&f, "2.1.8 indexing", other, (uint8_t)(0x60 + other));
		}
		EXPECT("2.1.8 indexing", convert(&f, page, 1, 0), 0);
	}
	close_fixture(&f);
}

static void before_allocation(struct gt *t)
{
	struct fixture f;

	open_fixture(t, 0, &f);
	EXPECT("2.1.8 before_allocation", convert(&f, 0, 2, 0), 0);
	expect_shared(&f, "2.1.8 before_allocation", 0, 0);
	EXPECT("2.1.8 before_allocation", convert(&f, 1, 1, GT_PRIVATE), 0);
	expect_private(&f, "2.1.8 before_allocation", 1);
	expect_guest(&f, "2.1.8 before_allocation", 1, 0);
	close_fixture(&f);
}

static void unallocated_folios(struct gt *t)
{
	unsigned int page;
	struct fixture f;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	for (page = 1; page < PAGES; page += 3)
		f.host[page * GT_PAGE] = 0x71;
	EXPECT("2.1.8 unallocated_folios", convert(&f, 0, PAGES, GT_PRIVATE), 0);
	for (page = 0; page < PAGES; page++)
		expect_guest(&f, "2.1.8 unallocated_folios", page, page % 3 == 1 ? 0x71 : 0);
	close_fixture(&f);
}

/* A punch frees the pages and keeps their state. */
static void truncate_keeps_state(struct gt *t)
{
	struct fixture f;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	f.host[0] = f.host[GT_PAGE] = 0x72;
	EXPECT("2.1.8 truncate", convert(&f, 0, 1, GT_PRIVATE), 0);
	EXPECT("2.1.8 truncate", gt_punch(t, f.file, 0, 2 * GT_PAGE), 0);
	expect_private(&f, "2.1.8 truncate", 0);
	expect_shared(&f, "2.1.8 truncate", 1, 0);
	expect_guest(&f, "2.1.8 truncate", 0, 0);
	close_fixture(&f);
}

/* What is in the wanted state already is not looked at: no obstacle, no page touched. */
static void early_return(struct gt *t)
{
	struct fixture f;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	f.host[0] = 0x73;
	EXPECT("2.1.2 early return", convert(&f, 0, PAGES, 0), 0);
	expect_shared(&f, "2.1.2 early return", 0, 0x73);
	EXPECT("2.1.2", convert(&f, 0, PAGES, GT_PRIVATE), 0);
	EXPECT("2.1.2 early return", convert(&f, 0, PAGES, GT_PRIVATE), 0);
	expect_private(&f, "2.1.2 early return", PAGES - 1);
	close_fixture(&f);
}

/* Only the simulated kernel can be told to pin; a real one needs CONFIG_GUP_TEST. */
static void elevated_refcount(struct gt *t)
{
	struct gmi_next_memory_attributes2 args = {
		.size = SIZE, .attributes = GT_PRIVATE, .error_offset = UINT64_MAX};
	struct fixture f;

	REQUIRE(t->sim, "pinning a page needs CONFIG_GUP_TEST");
	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	f.host[2 * GT_PAGE] = 0x74;
	MUST(gmem_sim_pin(t->sim, f.file, 2 * GT_PAGE, GT_PAGE) == 0);
	EXPECT("2.1.8 pinned", gt_ioctl(t, f.file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args),
	       -EAGAIN);
	EXPECT("2.1.2 error_offset", (int64_t)args.error_offset, (int64_t)(2 * GT_PAGE));
	expect_shared(&f, "2.1.2 nothing is converted", 0, 0);
	EXPECT("2.1.8 pinned page", convert(&f, 2, 1, GT_PRIVATE), -EAGAIN);
	EXPECT("2.1.2 to shared never", convert(&f, 2, 1, 0), 0);
	EXPECT("2.1.8 others", convert(&f, 0, 2, GT_PRIVATE), 0);
	EXPECT("2.1.8 others", convert(&f, 3, PAGES - 3, GT_PRIVATE), 0);
	MUST(gmem_sim_unpin(t->sim, f.file, 2 * GT_PAGE, GT_PAGE) == 0);
	EXPECT("2.1.8 unpinned", convert(&f, 0, PAGES, GT_PRIVATE), 0);
	expect_guest(&f, "2.1.8 data intact", 2, 0x74);
	close_fixture(&f);
}

/* The state is the inode's: it survives the memslot, and a slot elsewhere finds it. */
static void outlives_slots(struct gt *t)
{
	struct fixture f;
	struct gt_exit exit;

	open_fixture(t, GMI_GUEST_MEMFD_FLAG_INIT_SHARED, &f);
	guest_writes(&f, 1, 0x75);
	EXPECT("2.1.5", convert(&f, 1, 1, GT_PRIVATE), 0);
	EXPECT("4.2#10", gt_delete_slot(t, f.vm.fd, 0), 0);
	expect_private(&f, "2.1.5", 1);
	EXPECT("6", gt_bind(t, f.vm.fd, 3, 2 * TEST_GPA, GT_PAGE, NULL, f.file, GT_PAGE), 0);
	exit = gt_guest_read(f.guest, 2 * TEST_GPA);
	EXPECT("2.1.5", (int64_t)exit.value, 0x75);
	EXPECT("2.1.5 unbound too", convert(&f, 4, 2, GT_PRIVATE), 0);
	expect_private(&f, "2.1.5 unbound too", 5);
	expect_shared(&f, "2.1.5 unbound too", 6, 0);
	close_fixture(&f);
}

static const struct gt_test tests[] = {
	GT_TEST(argument_errors),    GT_TEST(offered_or_not),
	GT_TEST(init_private),       GT_TEST(init_shared),
	GT_TEST(indexing),           GT_TEST(before_allocation),
	GT_TEST(unallocated_folios), GT_TEST(truncate_keeps_state),
	GT_TEST(early_return),       GT_TEST(elevated_refcount),
	GT_TEST(outlives_slots),
};

GT_MAIN(tests)
