/* SPDX-License-Identifier: MIT */
/* fallocate() on a file of guest memory, and what a hole leaves behind. */
#include <fcntl.h>
#include <linux/falloc.h>

#include "contract.h"

#define KEEP  FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

#define FILE_PAGES 8
#define FILE_SIZE  (FILE_PAGES * GT_PAGE)

struct fallocate_case {
	const char *row, *name;
	int mode;
	uint64_t offset, size;
	int want;
};

static const struct fallocate_case cases[] = {
	{"4.7#1", "offset negative", KEEP, UINT64_C(1) << 63, GT_PAGE, -EINVAL},
	{"4.7#1", "size negative", KEEP, 0, UINT64_C(1) << 63, -EINVAL},
	{"4.7#1", "size 0", KEEP, 0, 0, -EINVAL},
	{"4.7#1", "size 0, punch", PUNCH, 0, 0, -EINVAL},
	{"4.7#2", "punch without keep", FALLOC_FL_PUNCH_HOLE, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#2", "unknown mode", 1 << 20, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#2", "all modes", -1, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#3", "above 2^63 - 1", KEEP, UINT64_C(0x7ffffffffffff000), GT_PAGE, -EFBIG},
	{"4.7#3", "above 2^63 - 1, punch", PUNCH, UINT64_C(0x7ffffffffffff000), 2 * GT_PAGE,
	 -EFBIG},
	{"4.7#4", "mode 0", 0, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#4", "mode 0, unaligned", 0, 1, 1, -EOPNOTSUPP},
	{"4.7#5", "zero range", FALLOC_FL_ZERO_RANGE | KEEP, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#5", "collapse", FALLOC_FL_COLLAPSE_RANGE, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#5", "insert", FALLOC_FL_INSERT_RANGE, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#5", "unshare", FALLOC_FL_UNSHARE_RANGE | KEEP, 0, GT_PAGE, -EOPNOTSUPP},
	{"4.7#6", "offset unaligned", KEEP, 1, GT_PAGE, -EINVAL},
	{"4.7#6", "size unaligned", KEEP, 0, GT_PAGE - 1, -EINVAL},
	{"4.7#6", "size unaligned", KEEP, 0, 1, -EINVAL},
	{"4.7#6", "offset unaligned, punch", PUNCH, 2048, GT_PAGE, -EINVAL},
	{"4.7#6", "size unaligned, punch", PUNCH, 0, GT_PAGE + 1, -EINVAL},
	{"4.7#6", "unaligned beyond the end, punch", PUNCH, 4 * FILE_SIZE + 1, GT_PAGE, -EINVAL},
	{"4.7#7", "punch inside", PUNCH, GT_PAGE, GT_PAGE, 0},
	{"4.7#7", "punch all", PUNCH, 0, FILE_SIZE, 0},
	{"4.7#7", "punch across the end", PUNCH, FILE_SIZE - GT_PAGE, 2 * GT_PAGE, 0},
	{"4.7#7", "punch at the end", PUNCH, FILE_SIZE, GT_PAGE, 0},
	{"4.7#7", "punch far beyond", PUNCH, UINT64_C(1) << 50, GT_PAGE, 0},
	{"5", "punch the whole range", PUNCH, 0, UINT64_C(0x7ffffffffffff000), 0},
	{"4.7#8", "allocate at the end", KEEP, FILE_SIZE, GT_PAGE, -EINVAL},
	{"4.7#8", "allocate across the end", KEEP, FILE_SIZE - GT_PAGE, 2 * GT_PAGE, -EINVAL},
	{"4.7#8", "allocate far beyond", KEEP, UINT64_C(1) << 50, GT_PAGE, -EINVAL},
	{"4.7", "allocate a page", KEEP, 0, GT_PAGE, 0},
	{"4.7", "again", KEEP, 0, GT_PAGE, 0},
	{"4.7", "allocate all", KEEP, 0, FILE_SIZE, 0},
	{"order: 1 before 2", "size 0, unknown mode", 1 << 20, 0, 0, -EINVAL},
	{"order: 2 before 3", "punch without keep, too large", FALLOC_FL_PUNCH_HOLE,
	 UINT64_C(0x7ffffffffffff000), GT_PAGE, -EOPNOTSUPP},
	{"order: 3 before 4", "mode 0, too large", 0, UINT64_C(0x7ffffffffffff000), GT_PAGE,
	 -EFBIG},
	{"order: 3 before 6", "unaligned and too large", KEEP, UINT64_C(0x7ffffffffffffffe), 3,
	 -EFBIG},
};

static void rules_of(struct vm *vm, uint64_t flags)
{
	int file = vm_file(vm, FILE_PAGES, flags);
	size_t i;

	for (i = 0; i < GT_COUNT(cases); i++)
		EXPECT_CASE(
			cases[i].row, cases[i].name,
			gt_fallocate(vm->t, file, cases[i].mode, cases[i].offset, cases[i].size),
			cases[i].want);
	gt_close(vm->t, file);
}

static void each_rule_of(struct vm *vm)
{
	rules_of(vm, 0);
	rules_of(vm, vm->file_flags);
}

static void each_rule(struct gt *t)
{
	each_vm(t, each_rule_of);
}

static void unaligned_pairs_of(struct vm *vm)
{
	static const uint64_t edges[] = {0, 1, 511, 2048, GT_PAGE - 1};
	int file = vm_file(vm, FILE_PAGES, 0);
	size_t i, j;

	for (i = 0; i < GT_COUNT(edges); i++)
		for (j = 0; j < GT_COUNT(edges); j++) {
			if (!edges[i] && !edges[j])
				continue;
			EXPECT("4.7#6", gt_allocate(vm->t, file, edges[i], GT_PAGE + edges[j]),
			       -EINVAL);
			EXPECT("4.7#6", gt_punch(vm->t, file, edges[i], GT_PAGE + edges[j]),
			       -EINVAL);
		}
	gt_close(vm->t, file);
}

static void unaligned_pairs(struct gt *t)
{
	each_vm(t, unaligned_pairs_of);
}

/* The data goes, in the pages named and in no other. */
static void punch_leaves_zeros_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	void *addr;
	uint8_t *memory;
	unsigned int i;
	int file;

	VM_REQUIRE(vm, vm->file_flags == GT_SHARED_FLAGS, "no shared files for this type of VM");
	file = vm_file(vm, FILE_PAGES, GT_SHARED_FLAGS);
	MUST(gt_map(t, file, 0, FILE_SIZE, &addr) == 0);
	memory = addr;
	memset(memory, 0x5a, FILE_SIZE);
	EXPECT("4.7#7", gt_punch(t, file, 2 * GT_PAGE, 3 * GT_PAGE), 0);
	for (i = 0; i < FILE_PAGES; i++) {
		EXPECT("5", memory[i * GT_PAGE], i >= 2 && i < 5 ? 0 : 0x5a);
		EXPECT("5", memory[(i + 1) * GT_PAGE - 1], i >= 2 && i < 5 ? 0 : 0x5a);
	}
	memset(memory, 0x5a, FILE_SIZE);
	EXPECT("4.7", gt_allocate(t, file, 0, FILE_SIZE), 0);
	EXPECT("4.7: allocation keeps what is there", memory[3 * GT_PAGE], 0x5a);
	EXPECT("5", gt_punch(t, file, 0, UINT64_C(0x7ffffffffffff000)), 0);
	EXPECT("5", memory[0], 0);
	gt_unmap(t, addr, FILE_SIZE);
	gt_close(t, file);
}

static void punch_leaves_zeros(struct gt *t)
{
	each_vm(t, punch_leaves_zeros_of);
}

static const struct gt_test tests[] = {
	GT_TEST(each_rule),
	GT_TEST(unaligned_pairs),
	GT_TEST(punch_leaves_zeros),
};

GT_MAIN(tests)
