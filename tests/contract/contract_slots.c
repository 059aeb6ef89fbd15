/* SPDX-License-Identifier: MIT */
/* KVM_SET_USER_MEMORY_REGION and _REGION2, in the kernel's order of checks. */
#include "contract.h"

#define FLAG_GMEM     GMI_KVM_MEM_GUEST_MEMFD
#define FLAG_DIRTY    GMI_KVM_MEM_LOG_DIRTY_PAGES
#define FLAG_READONLY GMI_KVM_MEM_READONLY

/* Where nothing may map memory: the first address of the kernel's half. */
#define KERNEL_ADDRESS UINT64_C(0x8000000000000000)

#define FILE_PAGES 16

/* What the cases below find bound: slot 0 to the file's first 4 pages, slot 1 to plain memory. */
#define GMEM_SLOT  0
#define PLAIN_SLOT 1
#define GMEM_GPA   TEST_GPA
#define PLAIN_GPA  (TEST_GPA + 64 * GT_PAGE)
#define FREE_GPA   (TEST_GPA + 128 * GT_PAGE)
#define FREE_SLOT  7

enum file_kind { FILE_GMEM, FILE_NONE, FILE_MEMFD, FILE_KVM, FILE_VM, FILE_OTHER_VM, FILE_KINDS };

enum hva_kind { HVA_MEMORY, HVA_NULL, HVA_UNALIGNED, HVA_KERNEL, HVA_WRAPPING, HVA_OTHER };

struct fixture {
	struct vm *vm;
	uint8_t *memory, *other_memory;
	int fds[FILE_KINDS];
	int other_vm;
};

static void fixture_open(struct vm *vm, struct fixture *ret_fixture)
{
	const struct gt *t = vm->t;
	struct fixture f = {.vm = vm};

	f.memory = gt_anonymous(t, FILE_PAGES * GT_PAGE);
	f.other_memory = gt_anonymous(t, FILE_PAGES * GT_PAGE);
	f.other_vm = gt_create_vm(t, vm->kvm, vm->type);
	f.fds[FILE_GMEM] = vm_file(vm, FILE_PAGES, 0);
	f.fds[FILE_NONE] = -1;
	f.fds[FILE_MEMFD] = t->ops->memfd(t->user, "contract", 0);
	f.fds[FILE_KVM] = vm->kvm;
	f.fds[FILE_VM] = vm->fd;
	f.fds[FILE_OTHER_VM] = gt_create_gmem(t, f.other_vm, FILE_PAGES * GT_PAGE, 0);
	MUST(f.other_vm >= 0 && f.fds[FILE_MEMFD] >= 0 && f.fds[FILE_OTHER_VM] >= 0);
	MUST(gt_bind(t, vm->fd, GMEM_SLOT, GMEM_GPA, 4 * GT_PAGE, f.memory, f.fds[FILE_GMEM], 0) ==
	     0);
	MUST(gt_set_region(t, vm->fd, PLAIN_SLOT, 0, PLAIN_GPA, 4 * GT_PAGE, f.memory) == 0);
	*ret_fixture = f;
}

static void fixture_close(struct fixture *f)
{
	const struct gt *t = f->vm->t;

	gt_close(t, f->fds[FILE_GMEM]);
	gt_close(t, f->fds[FILE_MEMFD]);
	gt_close(t, f->fds[FILE_OTHER_VM]);
	gt_close(t, f->other_vm);
	gt_unmap(t, f->memory, FILE_PAGES * GT_PAGE);
	gt_unmap(t, f->other_memory, FILE_PAGES * GT_PAGE);
}

static uint64_t hva_of(const struct fixture *f, enum hva_kind kind)
{
	switch (kind) {
	case HVA_MEMORY:
		return (uint64_t)(uintptr_t)f->memory;
	case HVA_OTHER:
		return (uint64_t)(uintptr_t)f->other_memory;
	case HVA_UNALIGNED:
		return (uint64_t)(uintptr_t)f->memory + 1;
	case HVA_KERNEL:
		return KERNEL_ADDRESS;
	case HVA_WRAPPING:
		return UINT64_C(0xfffffffffffff000);
	case HVA_NULL:
		break;
	}
	return 0;
}

/* One call of _REGION2 and its answer. What it binds is deleted again. */
struct slot_case {
	const char *row, *name;
	uint32_t slot, flags;
	uint64_t gpa, size, offset;
	enum hva_kind hva;
	enum file_kind file;
	int want;
};

static void run_case(struct fixture *f, const struct slot_case *c, int want)
{
	const struct gmi_kvm_region2 region = {
		.slot = c->slot,
		.flags = c->flags,
		.guest_phys_addr = c->gpa,
		.memory_size = c->size,
		.userspace_addr = hva_of(f, c->hva),
		.guest_memfd_offset = c->offset,
		.guest_memfd = (uint32_t)f->fds[c->file],
	};
	int ret = gt_set_region2(f->vm->t, f->vm->fd, &region);

	EXPECT_CASE(c->row, c->name, ret, want);
	if (ret == 0 && c->size && (c->slot & 0xffff) == FREE_SLOT)
		EXPECT_CASE("4.2#10 size 0, slot exists", c->name,
			    gt_delete_slot(f->vm->t, f->vm->fd, c->slot), 0);
}

static void run_cases(struct vm *vm, const struct slot_case *cases, size_t count)
{
	struct fixture f;
	size_t i;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	for (i = 0; i < count; i++)
		run_case(&f, &cases[i], cases[i].want);
	fixture_close(&f);
}

#define PAGES(n) ((n)*GT_PAGE)

/* Every rule broken alone; then pairs that show which one the kernel looks at first. */
static const struct slot_case new_slots[] = {
	{"4.2", "a bind", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4), HVA_MEMORY, FILE_GMEM,
	 0},
	{"4.2", "to the file's end", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(12), PAGES(4),
	 HVA_MEMORY, FILE_GMEM, 0},
	{"4.2#5", "userspace_addr 0", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4), HVA_NULL,
	 FILE_GMEM, 0},
	{"4.2", "plain memory", FREE_SLOT, 0, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_NONE, 0},
	{"4.2#5", "plain, userspace_addr 0", FREE_SLOT, 0, FREE_GPA, PAGES(4), 0, HVA_NULL,
	 FILE_NONE, 0},
	{"4.2", "plain, offset and fd ignored", FREE_SLOT, 0, FREE_GPA, PAGES(4), 1, HVA_MEMORY,
	 FILE_MEMFD, 0},
	{"4.2#4", "plain, dirty log", FREE_SLOT, FLAG_DIRTY, FREE_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, 0},
	{"4.2#4", "plain, read-only", FREE_SLOT, FLAG_READONLY, FREE_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, 0},
	{"4.2#3", "slot id at the limit", 32764, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#3", "slot id 0xffff", 0xffff, 0, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_NONE,
	 -EINVAL},
	{"4.2#4", "dirty log with a file", FREE_SLOT, FLAG_GMEM | FLAG_DIRTY, FREE_GPA, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#4", "read-only with a file", FREE_SLOT, FLAG_GMEM | FLAG_READONLY, FREE_GPA, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#5", "size unaligned", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4) - 1, PAGES(4),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#5", "gpa unaligned", FREE_SLOT, FLAG_GMEM, FREE_GPA + 512, PAGES(4), PAGES(4),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#5", "userspace_addr unaligned", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4),
	 HVA_UNALIGNED, FILE_GMEM, -EINVAL},
	{"4.2#5", "userspace_addr of the kernel", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4),
	 PAGES(4), HVA_KERNEL, FILE_GMEM, -EINVAL},
	{"4.2#5", "userspace_addr wraps", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4),
	 HVA_WRAPPING, FILE_GMEM, -EINVAL},
	{"4.2#6", "offset unaligned", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 1, HVA_MEMORY,
	 FILE_GMEM, -EINVAL},
	{"4.2#6", "offset wraps to 0", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4),
	 UINT64_MAX - PAGES(4) + 1, HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#6", "offset wraps", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4),
	 UINT64_MAX - PAGES(1) + 1, HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#8", "gpa wraps to 0", FREE_SLOT, FLAG_GMEM, UINT64_MAX - PAGES(4) + 1, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#8", "gpa wraps", FREE_SLOT, FLAG_GMEM, UINT64_MAX - PAGES(1) + 1, PAGES(4), PAGES(4),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#9", "2^31 pages", FREE_SLOT, FLAG_GMEM, FREE_GPA, UINT64_C(1) << 43, 0, HVA_NULL,
	 FILE_NONE, -EINVAL},
	{"4.2#9", "2^31 - 1 pages", FREE_SLOT, FLAG_GMEM, FREE_GPA, (UINT64_C(1) << 43) - GT_PAGE,
	 0, HVA_NULL, FILE_NONE, -EBADF},
	{"4.2#10", "size 0, no such slot", FREE_SLOT, FLAG_GMEM, FREE_GPA, 0, 0, HVA_MEMORY,
	 FILE_GMEM, -EINVAL},
	{"4.2#10", "size 0, no such slot, plain", FREE_SLOT, 0, FREE_GPA, 0, 0, HVA_MEMORY,
	 FILE_NONE, -EINVAL},
	{"4.2#13", "gpa of a file's slot", FREE_SLOT, FLAG_GMEM, GMEM_GPA + PAGES(3), PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EEXIST},
	{"4.2#13", "gpa of a plain slot", FREE_SLOT, 0, PLAIN_GPA - PAGES(3), PAGES(4), 0,
	 HVA_MEMORY, FILE_NONE, -EEXIST},
	{"4.2#13", "gpa around a slot", FREE_SLOT, 0, PLAIN_GPA - PAGES(1), PAGES(6), 0, HVA_MEMORY,
	 FILE_NONE, -EEXIST},
	{"4.2#13", "gpa just below a slot", FREE_SLOT, 0, PLAIN_GPA - PAGES(4), PAGES(4), 0,
	 HVA_MEMORY, FILE_NONE, 0},
	{"4.2#15", "fd not open", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(4), HVA_MEMORY,
	 FILE_NONE, -EBADF},
	{"4.2#16", "a memfd", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_MEMFD,
	 -EINVAL},
	{"4.2#16", "/dev/kvm", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_KVM,
	 -EINVAL},
	{"4.2#16", "a VM", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_VM,
	 -EINVAL},
	{"4.2#16", "another VM's file", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_OTHER_VM, -EINVAL},
	{"4.2#16", "beyond the file", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(13),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#16", "at the file's end", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(1), PAGES(FILE_PAGES),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#16", "offset 2^63", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), UINT64_C(1) << 63,
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#17", "gpa above the MMU's", FREE_SLOT, FLAG_GMEM, UINT64_C(1) << 52, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#17", "plain, gpa above the MMU's", FREE_SLOT, 0, UINT64_C(1) << 52, PAGES(4), 0,
	 HVA_MEMORY, FILE_NONE, -EINVAL},
	{"order: 3, 4", "slot id and flag", 32764, 1u << 30, FREE_GPA, PAGES(4), PAGES(4),
	 HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"order: 13 before 15", "gpa overlap, fd not open", FREE_SLOT, FLAG_GMEM, GMEM_GPA,
	 PAGES(4), PAGES(4), HVA_MEMORY, FILE_NONE, -EEXIST},
	{"order: 13 before 16", "gpa overlap, memfd", FREE_SLOT, FLAG_GMEM, GMEM_GPA, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_MEMFD, -EEXIST},
	{"order: 15 before 17", "fd not open, gpa above the MMU's", FREE_SLOT, FLAG_GMEM,
	 UINT64_C(1) << 52, PAGES(4), PAGES(4), HVA_MEMORY, FILE_NONE, -EBADF},
	{"order: 9 before 15", "2^31 pages, fd not open", FREE_SLOT, FLAG_GMEM, GMEM_GPA,
	 UINT64_C(1) << 43, 0, HVA_NULL, FILE_NONE, -EINVAL},
	{"order: 6 before 13", "offset unaligned, gpa overlap", FREE_SLOT, FLAG_GMEM, GMEM_GPA,
	 PAGES(4), 1, HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"order: 17 before 19", "gpa above the MMU's, range bound", FREE_SLOT, FLAG_GMEM,
	 UINT64_C(1) << 52, PAGES(4), 0, HVA_MEMORY, FILE_GMEM, -EINVAL},
};

static void new_slots_of(struct vm *vm)
{
	run_cases(vm, new_slots, GT_COUNT(new_slots));
}

static void new_slot(struct gt *t)
{
	each_vm(t, new_slots_of);
}

/* The same slot again: nothing of a bound slot can be changed. */
static const struct slot_case existing_slots[] = {
	{"4.2#11", "the same again", GMEM_SLOT, FLAG_GMEM, GMEM_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_GMEM, -EINVAL},
	{"4.2#11", "fd not open", GMEM_SLOT, FLAG_GMEM, GMEM_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, -EINVAL},
	{"4.2#11", "moved", GMEM_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_GMEM,
	 -EINVAL},
	{"4.2#11", "a plain slot becomes a file's", PLAIN_SLOT, FLAG_GMEM, PLAIN_GPA, PAGES(4),
	 PAGES(4), HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#12", "a file's slot becomes plain", GMEM_SLOT, 0, GMEM_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, -EINVAL},
	{"4.2#12", "other userspace_addr", PLAIN_SLOT, 0, PLAIN_GPA, PAGES(4), 0, HVA_OTHER,
	 FILE_NONE, -EINVAL},
	{"4.2#12", "other size", PLAIN_SLOT, 0, PLAIN_GPA, PAGES(5), 0, HVA_MEMORY, FILE_NONE,
	 -EINVAL},
	{"4.2#12", "becomes read-only", PLAIN_SLOT, FLAG_READONLY, PLAIN_GPA, PAGES(4), 0,
	 HVA_MEMORY, FILE_NONE, -EINVAL},
	{"4.2", "plain, the same again", PLAIN_SLOT, 0, PLAIN_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, 0},
	{"4.2", "plain, dirty log on", PLAIN_SLOT, FLAG_DIRTY, PLAIN_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, 0},
	{"4.2", "plain, dirty log off", PLAIN_SLOT, 0, PLAIN_GPA, PAGES(4), 0, HVA_MEMORY,
	 FILE_NONE, 0},
	{"4.2#13", "plain, moved onto a slot", PLAIN_SLOT, 0, GMEM_GPA + PAGES(1), PAGES(4), 0,
	 HVA_MEMORY, FILE_NONE, -EEXIST},
	{"4.2", "plain, moved", PLAIN_SLOT, 0, FREE_GPA, PAGES(4), 0, HVA_MEMORY, FILE_NONE, 0},
	{"4.2", "plain, moved back", PLAIN_SLOT, 0, PLAIN_GPA, PAGES(4), 0, HVA_MEMORY, FILE_NONE,
	 0},
	{"4.2", "the place is taken again", FREE_SLOT, 0, PLAIN_GPA, PAGES(1), 0, HVA_MEMORY,
	 FILE_NONE, -EEXIST},
	{"4.2#5", "deleted with size unaligned", PLAIN_SLOT, 0, PLAIN_GPA, 1, 0, HVA_MEMORY,
	 FILE_NONE, -EINVAL},
	{"4.2#5", "deleted with gpa unaligned", PLAIN_SLOT, 0, PLAIN_GPA + 1, 0, 0, HVA_MEMORY,
	 FILE_NONE, -EINVAL},
	{"4.2#5", "deleted with userspace_addr unaligned", PLAIN_SLOT, 0, PLAIN_GPA, 0, 0,
	 HVA_UNALIGNED, FILE_NONE, -EINVAL},
	{"4.2#6", "deleted with the flag and an unaligned offset", GMEM_SLOT, FLAG_GMEM, GMEM_GPA,
	 0, 1, HVA_MEMORY, FILE_GMEM, -EINVAL},
	{"4.2#10", "deleted with the flag and no fd", GMEM_SLOT, FLAG_GMEM, 0, 0, 0, HVA_NULL,
	 FILE_NONE, 0},
	{"4.2#10", "deleted twice", GMEM_SLOT, FLAG_GMEM, 0, 0, 0, HVA_NULL, FILE_NONE, -EINVAL},
	{"4.2#10", "deleted with the dirty flag and an unaligned offset", PLAIN_SLOT, FLAG_DIRTY, 0,
	 0, 1, HVA_NULL, FILE_NONE, 0},
	{"6", "bound again after deletion", GMEM_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0, HVA_OTHER,
	 FILE_GMEM, 0},
	{"4.2#10", "deleted with the read-only flag", GMEM_SLOT, FLAG_READONLY, 0, 0, 0, HVA_NULL,
	 FILE_NONE, 0},
};

static void existing_slots_of(struct vm *vm)
{
	run_cases(vm, existing_slots, GT_COUNT(existing_slots));
}

static void existing_slot(struct gt *t)
{
	each_vm(t, existing_slots_of);
}

/* A range of a file is bound once, in any address space. */
static void bound_range_of(struct vm *vm)
{
	static const struct slot_case cases[] = {
		{"4.2#19", "the same range", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), 0,
		 HVA_MEMORY, FILE_GMEM, 0},
		{"4.2#19", "its first page", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(1), 0,
		 HVA_MEMORY, FILE_GMEM, 0},
		{"4.2#19", "its last page", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(4), PAGES(3),
		 HVA_MEMORY, FILE_GMEM, 0},
		{"4.2#19", "all of the file", FREE_SLOT, FLAG_GMEM, FREE_GPA, PAGES(FILE_PAGES), 0,
		 HVA_MEMORY, FILE_GMEM, 0},
	};
	int want = vm->traits.generation >= GEN_7_2 ? -EEXIST : -EINVAL;
	struct slot_case other_space = cases[0];
	struct fixture f;
	size_t i;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	for (i = 0; i < GT_COUNT(cases); i++)
		run_case(&f, &cases[i], want);
	other_space.slot |= 1 << 16;
	run_case(&f, &other_space, vm->address_spaces > 1 ? want : -EINVAL);
	EXPECT("4.2#10", gt_delete_slot(vm->t, vm->fd, GMEM_SLOT), 0);
	run_case(&f, &cases[0], 0);
	fixture_close(&f);
}

static void bound_range(struct gt *t)
{
	each_vm(t, bound_range_of);
}

/* With size beyond the sign: kernels up to 7.1 compare such an offset wrongly. */
static void huge_offset_of(struct vm *vm)
{
	const struct slot_case c = {
		"4.2#16", "offset 2^63 - 4096",         FREE_SLOT,  FLAG_GMEM, FREE_GPA,
		PAGES(4), UINT64_C(0x7ffffffffffff000), HVA_MEMORY, FILE_GMEM, -EINVAL};
	struct fixture f;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	run_case(&f, &c, vm->traits.generation >= GEN_7_2 ? -EINVAL : 0);
	fixture_close(&f);
}

static void huge_offset(struct gt *t)
{
	each_vm(t, huge_offset_of);
}

static void address_spaces_of(struct vm *vm)
{
	uint32_t space;
	struct fixture f;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	for (space = 0; space < 4; space++) {
		struct slot_case plain = {"4.2#7", "address space", FREE_SLOT | space << 16,
					  0,       FREE_GPA,        PAGES(4),
					  0,       HVA_MEMORY,      FILE_NONE,
					  0};
		struct slot_case taken = {"4.2#13",
					  "gpa taken in space 0",
					  FREE_SLOT | space << 16,
					  0,
					  PLAIN_GPA,
					  PAGES(4),
					  0,
					  HVA_MEMORY,
					  FILE_NONE,
					  0};

		run_case(&f, &plain, space < vm->address_spaces ? 0 : -EINVAL);
		if (space > 0 && space < vm->address_spaces)
			run_case(&f, &taken, 0);
	}
	fixture_close(&f);
}

static void address_spaces(struct gt *t)
{
	each_vm(t, address_spaces_of);
}

/* The first ioctl knows two flags, the second three, and neither more. */
static void each_flag_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	struct fixture f;
	uint32_t flag;
	int bit, want;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	for (bit = 0; bit < 32; bit++) {
		struct slot_case c = {"4.2#4",  "a flag", FREE_SLOT,  1u << bit, FREE_GPA,
				      PAGES(4), PAGES(4), HVA_MEMORY, FILE_GMEM, 0};

		flag = 1u << bit;
		run_case(&f, &c, flag & (FLAG_GMEM | FLAG_DIRTY | FLAG_READONLY) ? 0 : -EINVAL);
		want = flag & (FLAG_DIRTY | FLAG_READONLY) ? 0 : -EINVAL;
		EXPECT("4.2#2",
		       gt_set_region(t, vm->fd, FREE_SLOT, flag, FREE_GPA, GT_PAGE, f.memory),
		       want);
		if (want == 0)
			EXPECT("4.2#10", gt_delete_slot(t, vm->fd, FREE_SLOT), 0);
	}
	fixture_close(&f);
}

static void each_flag(struct gt *t)
{
	each_vm(t, each_flag_of);
}

/* Before 6.18 the flag is for VMs with private memory. */
static void who_binds_files_of(struct vm *vm)
{
	int file = vm_file(vm, 4, 0);

	EXPECT("4.2#4 up to 6.17", gt_bind(vm->t, vm->fd, 0, TEST_GPA, GT_PAGE, NULL, file, 0),
	       vm->has_gmem_slots ? 0 : -EINVAL);
	gt_close(vm->t, file);
}

static void who_binds_files(struct gt *t)
{
	each_vm(t, who_binds_files_of);
}

static void bad_pointer_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	void *bad = unmapped_address(t);

	EXPECT("4.2#1", gt_ioctl(t, vm->fd, GMI_KVM_SET_USER_MEMORY_REGION2, bad), -EFAULT);
	EXPECT("4.2#1", gt_ioctl(t, vm->fd, GMI_KVM_SET_USER_MEMORY_REGION, bad), -EFAULT);
	EXPECT("4.2#1", gt_ioctl(t, vm->fd, GMI_KVM_SET_USER_MEMORY_REGION2, NULL), -EFAULT);
}

static void bad_pointer(struct gt *t)
{
	each_vm(t, bad_pointer_of);
}

/* A caller of today may leave garbage in the padding. */
static void padding_is_ignored_of(struct vm *vm)
{
	struct gmi_kvm_region2 region = {
		.flags = FLAG_GMEM,
		.guest_phys_addr = TEST_GPA,
		.memory_size = GT_PAGE,
		.pad1 = UINT32_MAX,
	};
	int file;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	file = vm_file(vm, 1, 0);
	region.guest_memfd = (uint32_t)file;
	memset(region.pad2, 0xff, sizeof(region.pad2));
	EXPECT("2", gt_set_region2(vm->t, vm->fd, &region), 0);
	gt_close(vm->t, file);
}

static void padding_is_ignored(struct gt *t)
{
	each_vm(t, padding_is_ignored_of);
}

/* Disjoint ranges of one file, bound in any order. */
static void many_slots_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	unsigned int i, page;
	int file;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	file = vm_file(vm, 64, 0);
	for (i = 0; i < 64; i++) {
		page = i * 37 % 64;
		EXPECT("6",
		       gt_bind(t, vm->fd, i, TEST_GPA + page * GT_PAGE, GT_PAGE, NULL, file,
			       (63 - page) * GT_PAGE),
		       0);
	}
	for (i = 0; i < 64; i++)
		EXPECT("4.2#10", gt_delete_slot(t, vm->fd, i), 0);
	EXPECT("6", gt_bind(t, vm->fd, 0, TEST_GPA, 64 * GT_PAGE, NULL, file, 0), 0);
	gt_close(t, file);
}

static void many_slots(struct gt *t)
{
	each_vm(t, many_slots_of);
}

static void dirty_log_of(struct vm *vm)
{
	uint64_t bits = 0;
	struct gmi_kvm_dirty_log log = {.slot = GMEM_SLOT,
					.dirty_bitmap = (uint64_t)(uintptr_t)&bits};
	struct fixture f;

	VM_REQUIRE(vm, vm->has_gmem_slots, "VMs of this type bind no files");
	fixture_open(vm, &f);
	EXPECT("4.11", gt_ioctl(vm->t, vm->fd, GMI_KVM_GET_DIRTY_LOG, &log), -ENOENT);
	fixture_close(&f);
}

static void dirty_log(struct gt *t)
{
	each_vm(t, dirty_log_of);
}

static const struct gt_test tests[] = {
	GT_TEST(new_slot),        GT_TEST(existing_slot),  GT_TEST(bound_range),
	GT_TEST(huge_offset),     GT_TEST(address_spaces), GT_TEST(each_flag),
	GT_TEST(who_binds_files), GT_TEST(bad_pointer),    GT_TEST(padding_is_ignored),
	GT_TEST(many_slots),      GT_TEST(dirty_log),
};

GT_MAIN(tests)
