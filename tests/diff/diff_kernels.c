/* SPDX-License-Identifier: MIT */
/*
 * The same random operations on the real kernel and on the simulated one that should be like it.
 *
 * GMEM_DIFF_SEED begins with another seed, GMEM_DIFF_RUNS says how many sequences to try, and
 * GMEM_DIFF_CONVERSIONS how many conversions. A difference is reported with the fewest operations that
 * still show it.
 */
#include <stdlib.h>
#include <time.h>

#include "diff.h"
#include "gt_internal.h"
#include "uapi_rfc.h"

#define OPS          80
#define DEFAULT_RUNS 150
#define SLOW_SECONDS 3
#define DEFAULT_SEED 1

#define DEFAULT_CONVERSIONS 2000

struct pair {
	const struct gt *real, *sim;
	uint32_t types[DIFF_VMS];
	bool guests;
};

static unsigned long number(const char *name, unsigned long fallback)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : fallback;
}

static bool is_same(const struct diff_result *a, const struct diff_result *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void print_result(const char *who, const struct diff_result *r)
{
	fprintf(stderr, "    %-5s %lld (%s), %#llx %#llx %#llx %#llx\n", who, (long long)r->ret,
		gt_errno_name(r->ret), (unsigned long long)r->more[0],
		(unsigned long long)r->more[1], (unsigned long long)r->more[2],
		(unsigned long long)r->more[3]);
}

/* Index of the first operation whose answers differ, or @count. */
static size_t compare(const struct pair *pair, const struct diff_op *ops, size_t count, bool print)
{
	struct world real, sim;
	struct diff_result a, b;
	size_t i;

	world_open(&real, pair->real, pair->types, pair->guests);
	world_open(&sim, pair->sim, pair->types, pair->guests);
	for (i = 0; i < count; i++) {
		a = world_apply(&real, &ops[i]);
		b = world_apply(&sim, &ops[i]);
		if (print) {
			op_print(&ops[i]);
			print_result("real", &a);
			print_result("sim", &b);
		}
		if (!is_same(&a, &b))
			break;
	}
	world_close(&sim);
	world_close(&real);
	return i;
}

/* Takes out every operation that is not needed for the difference. */
static size_t minimise(const struct pair *pair, struct diff_op *ops, size_t count)
{
	struct diff_op kept[OPS];
	size_t i = count, at;

	while (i-- > 0) {
		memcpy(kept, ops, sizeof(kept));
		memmove(&ops[i], &ops[i + 1], (count - i - 1) * sizeof(*ops));
		at = compare(pair, ops, count - 1, false);
		if (at < count - 1)
			count = at + 1;
		else
			memcpy(ops, kept, sizeof(kept));
		if (i > count)
			i = count;
	}
	return count;
}

/* Fills a sequence from its seed. */
typedef void make_fn(struct diff_op *ops, uint64_t *state);

static void make_any(struct diff_op *ops, uint64_t *state)
{
	for (size_t i = 0; i < OPS; i++)
		ops[i] = op_random(state);
}

/* A private file and a slot first, then conversions with accesses between them. */
static void make_conversions(struct diff_op *ops, uint64_t *state)
{
	ops[0] = (struct diff_op){.kind = OP_CREATE_FILE, .vm = 1, .size = DIFF_PAGES * GT_PAGE};
	ops[1] = (struct diff_op){.kind = OP_BIND,
				  .vm = 1,
				  .flags = 1,
				  .gpa = TEST_GPA,
				  .size = DIFF_PAGES * GT_PAGE};
	for (size_t i = 2; i < OPS; i++)
		ops[i] = op_conversion(state);
}

static size_t count_conversions(const struct diff_op *ops)
{
	size_t count = 0;

	for (size_t i = 0; i < OPS; i++)
		count += ops[i].kind == OP_ATTRIBUTES;
	return count;
}

/* One more than the conversions that agreed; 0 where something did not agree. */
static size_t run_seed(const struct pair *pair, uint64_t seed, make_fn *make)
{
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	struct diff_op ops[OPS];
	size_t at;

	make(ops, &state);
	at = compare(pair, ops, OPS, false);
	if (EXPECT_CASE("operations that agree", "seed", (int64_t)at, OPS))
		return count_conversions(ops) + 1;
	at = minimise(pair, ops, at + 1);
	fprintf(stderr, "seed %llu, fewest operations that differ on VMs of types %u and %u:\n",
		(unsigned long long)seed, pair->types[0], pair->types[1]);
	compare(pair, ops, at, true);
	return 0;
}

/* The profile that should be like the kernel, by what it has and not by its name. */
static const char *profile_like(const struct vm *vm)
{
	int ret = gt_ioctl(vm->t, vm->fd, GMI_RFC_LINK2_LINK_GUEST_MEMFD, NULL);

	if (vm->traits.generation == GEN_6_8)
		return "v6.8";
	if (vm->traits.generation == GEN_6_18)
		return "v6.18";
	if (ret != -ENOTTY)
		return "rfc-link";
	return vm->traits.types & 2 ? "v7.3-sw" : "v7.3-default";
}

static void open_pair(struct gt *t, struct pair *pair, struct gt *sim, const char *what)
{
	char name[64];
	struct vm vm;

	REQUIRE(!t->profile, "compares a real kernel with the simulator");
	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	snprintf(name, sizeof(name), "sim:%s", profile_like(&vm));
	REQUIRE(!gt_kernel_missing(name), "%s: %s", name, gt_kernel_missing(name));
	pair->real = t;
	pair->types[1] = vm.traits.types & 2 ? GMI_KVM_X86_SW_PROTECTED_VM : 0;
	pair->guests = vm_runs_natively(&vm);
	vm_close(&vm);
	MUST(gt_kernel_open(name, sim) == 0);
	pair->sim = sim;
	fprintf(stderr, "%s and %s, %s, %s guests\n", t->kernel, name, what,
		pair->guests ? "with" : "without");
}

/* Whether the time is over that an emulated machine has, where nobody said how much to try. */
static bool is_late(const struct gt *t, const char *wish, time_t start)
{
	return strcmp(t->kernel, "vm") == 0 && !getenv(wish) && time(NULL) > start + SLOW_SECONDS;
}

static void agree(struct gt *t)
{
	unsigned long seed = number("GMEM_DIFF_SEED", DEFAULT_SEED);
	unsigned long runs = number("GMEM_DIFF_RUNS", DEFAULT_RUNS), i;
	time_t start = time(NULL);
	struct pair pair = {0};
	uint32_t private_type;
	struct gt sim;

	open_pair(t, &pair, &sim, "any operations");
	private_type = pair.types[1];
	for (i = 0; i < runs; i++) {
		pair.types[0] = (seed + i) % 3 ? 0 : private_type;
		pair.types[1] = (seed + i) % 3 == 1 ? 0 : private_type;
		if (!run_seed(&pair, seed + i, make_any))
			break;
		if (is_late(t, "GMEM_DIFF_RUNS", start))
			break;
	}
	MUST(gt_kernel_close(&sim));
}

/* A number of conversions by attributes of the VM, whatever sequences that takes. */
static void conversions_agree(struct gt *t)
{
	unsigned long seed = number("GMEM_DIFF_SEED", DEFAULT_SEED);
	unsigned long wanted = number("GMEM_DIFF_CONVERSIONS", DEFAULT_CONVERSIONS);
	size_t done = 0, agreed = 1;
	time_t start = time(NULL);
	struct pair pair = {0};
	struct gt sim;

	open_pair(t, &pair, &sim, "conversions");
	if (!pair.types[1])
		MUST(gt_kernel_close(&sim));
	REQUIRE(pair.types[1], "VMs with private memory are not offered");
	for (; agreed && done < wanted; done += agreed ? agreed - 1 : 0) {
		if (is_late(t, "GMEM_DIFF_CONVERSIONS", start))
			break;
		agreed = run_seed(&pair, seed++, make_conversions);
	}
	fprintf(stderr, "%zu conversions agree\n", done);
	MUST(gt_kernel_close(&sim));
}

static const struct gt_test tests[] = {
	{"agree", agree, .seconds = 280},
	{"conversions_agree", conversions_agree, .seconds = 3000},
};

GT_MAIN(tests)
