/* SPDX-License-Identifier: MIT */
/* What is out of order or wrong is refused with a message, and KVM sees nothing of it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lt.h"

/* A started launch of a plan with four pages, and memory for more. */
static void open_started(const struct gt *t, struct lt *lt)
{
	lt_open(t, lt);
	lt_plan(lt);
	lt_add(lt, 0, 4, GMEM_LAUNCH_NORMAL);
	lt_add(lt, 20, 1, GMEM_LAUNCH_ZERO);
	lt_bind(lt);
	lt_start(lt, NULL);
	gmem_shim_reset(lt->shim);
}

static void wrong_order(struct gt *t)
{
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 4, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	MUST(gmem_snp_create(lt.vm, NULL, &lt.snp) == 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("start", &lt, gmem_snp_start(lt.snp), -EINVAL, "gmem_snp_init()");
	lt_expect_refused("update", &lt, lt_update(&lt, NULL, NULL), -EINVAL, "gmem_snp_init()");
	lt_expect_refused("finish", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL, "gmem_snp_init()");
	EXPECT("init", gmem_snp_init(lt.snp), 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("init again", &lt, gmem_snp_init(lt.snp), -EINVAL, "gmem_snp_start()");
	lt_expect_refused("update", &lt, lt_update(&lt, NULL, NULL), -EINVAL, "gmem_snp_start()");
	lt_expect_refused("finish", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL,
			  "gmem_snp_start()");
	EXPECT("start", gmem_snp_start(lt.snp), 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("start again", &lt, gmem_snp_start(lt.snp), -EINVAL, "under way");
	lt_expect_refused("finish", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL,
			  "nothing is in the guest yet");
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	EXPECT("finish", gmem_snp_finish(lt.snp, NULL), 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("update", &lt, lt_update(&lt, NULL, NULL), -EINVAL, "has ended");
	lt_expect_refused("finish again", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL, "has ended");
	lt_close(&lt);
}

#define OPTS(...) (&(struct gmem_snp_opts){.sz = sizeof(struct gmem_snp_opts), __VA_ARGS__})
#define UPDATE(...)                                                                                \
	(&(struct gmem_snp_update_opts){.sz = sizeof(struct gmem_snp_update_opts), __VA_ARGS__})
#define FINISH(...)                                                                                \
	(&(struct gmem_snp_finish_opts){.sz = sizeof(struct gmem_snp_finish_opts), __VA_ARGS__})

static void bad_guests(struct gt *t)
{
	static const struct {
		struct gmem_snp_opts opts;
		int code;
		const char *text;
	} cases[] = {
		{{.features = 1 << 3}, -EINVAL, "SEV_FEATURES 0x8, of 0x8: it takes 0x220"},
		{{.policy = 0x10000}, -EINVAL, "lacks bit 17"},
		{{.policy = 0x70000}, -EINVAL, "does not take bits 0x40000"},
		{{.policy = UINT64_C(1) << 40 | 0x30000}, -EINVAL, "does not take bits"},
		{{.flags = 1 << 9}, -EINVAL, "unknown flags 0x200"},
		{{.flags = GMEM_SNP_SKIP_START}, -EINVAL, "comes before"},
		{{.flags = GMEM_SNP_SKIP_INIT | GMEM_SNP_REQ_CERTS}, -EINVAL, "certificates"},
		{{.flags = GMEM_SNP_SEV_FD, .sev_fd = -1}, -EINVAL, "no descriptor"},
	};
	struct gmem_vm *other;
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	gmem_shim_reset(lt.shim);
	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		struct gmem_snp_opts opts = cases[i].opts;

		opts.sz = sizeof(opts);
		lt_expect_refused(cases[i].text, &lt, gmem_snp_create(lt.vm, &opts, &lt.snp),
				  cases[i].code, cases[i].text);
	}
	lt_expect_refused("NULL", &lt, gmem_snp_create(NULL, NULL, &lt.snp), -EINVAL, "NULL");
	lt_expect_refused("NULL", &lt, gmem_snp_create(lt.vm, NULL, NULL), -EINVAL, "NULL");
	MUST(gmem_vm_create(lt.ctx, GMEM_VM_DEFAULT, NULL, &other) == 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("type", &lt, gmem_snp_create(other, NULL, &lt.snp), -EINVAL,
			  "of type default, not snp");
	gmem_vm_unref(other);
	EXPECT("no result", lt.snp == NULL, true);
	lt_close(&lt);
}

/* One step that is wrong, behind one that is right: neither goes in. */
static void expect_step(struct lt *lt, const struct gmem_launch_step *step, int code,
			const char *text)
{
	struct gmem_launch_step steps[2] = {lt_step(lt, 30, 1, GMEM_LAUNCH_ZERO), *step};
	uint64_t done = 1;

	lt_expect_refused(text, lt, gmem_snp_update(lt->snp, steps, 2, NULL, &done), code, text);
	EXPECT_CASE(text, "nothing done", (int64_t)done, 0);
}

static void bad_steps(struct gt *t)
{
	struct gmem_launch_step step;
	struct lt lt;

#define BAD(page, pages, type, code, text, ...)                                                    \
	do {                                                                                       \
		step = lt_step(&lt, page, pages, type);                                            \
		__VA_ARGS__;                                                                       \
		expect_step(&lt, &step, code, text);                                               \
	} while (0)

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 40, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	lt_start(&lt, NULL);
	gmem_shim_reset(lt.shim);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "is empty", step.size = 0);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "not made of pages", step.size = 100);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "not made of pages", step.gpa += 16);
	BAD(0, 1, GMEM_LAUNCH_ZERO, -EINVAL, "above 2^52", step.gpa = UINT64_C(1) << 52);
	BAD(0, 1, GMEM_LAUNCH_ZERO, -EINVAL, "above 2^52", step.gpa = UINT64_MAX - 4095);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "does not have", step.type = GMEM_LAUNCH_AUG);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "does not have", step.type = 0);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "unknown flags 0x100", step.flags |= 0x100);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "measures the contents", step.flags = 0);
	BAD(0, 1, GMEM_LAUNCH_UNMEASURED, -EINVAL, "does not measure",
	    step.flags = GMEM_LAUNCH_MEASURED);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "not filled in", step.flags |= GMEM_LAUNCH_FILL);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "reserved", step.reserved[1] = 1);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "not page aligned", step.bytes = lt.bytes + 1);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "two sources", step.flags |= GMEM_LAUNCH_FILE);
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "is no source",
	    (step.flags |= GMEM_LAUNCH_FILE, step.bytes = NULL, step.fd = -1));
	BAD(0, 1, GMEM_LAUNCH_NORMAL, -EINVAL, "is no source",
	    (step.flags |= GMEM_LAUNCH_FILE, step.bytes = NULL, step.offset = 3));
	BAD(0, 1, GMEM_LAUNCH_ZERO, -EINVAL, "has a source", step.bytes = lt.bytes);
	BAD(0, 1, GMEM_LAUNCH_SECRETS, -EINVAL, "has a source", step.bytes = lt.bytes);
	BAD(0, 1, GMEM_LAUNCH_CPUID, -EINVAL, "needs the table of CPUID", (void)0);
	BAD(0, 2, GMEM_LAUNCH_CPUID, -EINVAL, "is one page", (void)0);
	BAD(30, 1, GMEM_LAUNCH_ZERO, -EEXIST, "step 1 (zero) overlaps step 0 (zero)", (void)0);
	BAD(29, 3, GMEM_LAUNCH_ZERO, -EEXIST, "overlaps step 0", (void)0);
	BAD(40, 1, GMEM_LAUNCH_ZERO, -ENOENT, "nothing is bound", (void)0);
	BAD(39, 2, GMEM_LAUNCH_ZERO, -ENOENT, "nothing is bound", (void)0);
	lt_close(&lt);
#undef BAD
}

/* Host memory alone is no place for private pages. */
static void no_file(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_launch_step step;
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	opts.hva = lt.bytes;
	MUST(gmem_slot_bind(lt.vm, LT_GPA, GT_PAGE, &opts, &lt.slots[0]) == 0);
	lt_start(&lt, NULL);
	gmem_shim_reset(lt.shim);
	step = lt_step(&lt, 0, 1, GMEM_LAUNCH_ZERO);
	lt_expect_refused("host memory", &lt, gmem_snp_update(lt.snp, &step, 1, NULL, NULL),
			  -EOPNOTSUPP, "alone");
	lt_close(&lt);
}

static void twice(struct gt *t)
{
	struct gmem_launch_step step;
	struct lt lt;

	open_started(t, &lt);
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("again", &lt, lt_update(&lt, NULL, NULL), -EEXIST, "is in already");
	step = lt_step(&lt, 3, 2, GMEM_LAUNCH_UNMEASURED);
	lt_expect_refused("in part", &lt, gmem_snp_update(lt.snp, &step, 1, NULL, NULL), -EEXIST,
			  "is in already");
	step = lt_step(&lt, 4, 2, GMEM_LAUNCH_UNMEASURED);
	EXPECT("beside", gmem_snp_update(lt.snp, &step, 1, NULL, NULL), 0);
	lt_close(&lt);
}

/* Each refused by a system call that does not read the memory: no signal. */
static void unreadable(struct gt *t)
{
	GMEM_INIT(gmem_slot_info, info);
	struct gmem_launch_step step;
	uint8_t *hole = mmap(NULL, 4 * GT_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("short", MFD_CLOEXEC);
	int pipes[2];
	void *behind;
	struct lt lt;

	open_started(t, &lt);
	MUST(hole != MAP_FAILED && fd >= 0 && pipe(pipes) == 0);
	MUST(munmap(hole + 2 * GT_PAGE, GT_PAGE) == 0);
	MUST(mprotect(hole + 3 * GT_PAGE, GT_PAGE, PROT_NONE) == 0);
	MUST(ftruncate(fd, GT_PAGE) == 0);
	behind = mmap(NULL, 2 * GT_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	MUST(behind != MAP_FAILED);
	step = lt_step(&lt, 5, 1, GMEM_LAUNCH_NORMAL);
#define UNREADABLE(row, code, text, ...)                                                           \
	do {                                                                                       \
		__VA_ARGS__;                                                                       \
		lt_expect_refused(row, &lt, gmem_snp_update(lt.snp, &step, 1, NULL, NULL), code,   \
				  text);                                                           \
	} while (0)
	UNREADABLE("not mapped", -EFAULT, "cannot be read", step.bytes = hole + 2 * GT_PAGE);
	UNREADABLE("PROT_NONE", -EFAULT, "cannot be read", step.bytes = hole + 3 * GT_PAGE);
	UNREADABLE("behind the end", -EFAULT, "cannot be read",
		   step.bytes = (uint8_t *)behind + GT_PAGE);
	UNREADABLE("in part", -EFAULT, "cannot be read",
		   (step.bytes = hole + GT_PAGE, step.size = 2 * GT_PAGE));
	step.bytes = NULL;
	step.flags |= GMEM_LAUNCH_FILE;
	UNREADABLE("short file", -EFAULT, "ends behind its file", step.fd = fd);
	UNREADABLE("a pipe", -EFAULT, "ends behind its file", step.fd = pipes[0]);
	UNREADABLE("closed", -EBADF, "cannot be asked", step.fd = 1000);
#undef UNREADABLE
	munmap(hole, 4 * GT_PAGE);
	munmap(behind, 2 * GT_PAGE);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	MUST(gmem_slot_get_info(lt.slots[0], &info) == 0);
	lt_close(&lt);
}

static void bad_options(struct gt *t)
{
	struct lt lt;

	open_started(t, &lt);
#define BAD(row, code, ...)                                                                        \
	lt_expect_refused(row, &lt, lt_update(&lt, UPDATE(__VA_ARGS__), NULL), code, row)
	BAD("unknown flags", -EINVAL, .flags = 2);
	BAD("unknown policy", -EINVAL, .discard = 3);
	BAD("not a multiple", -EINVAL, .batch = 100);
	BAD("above 1 GiB", -EINVAL, .batch = UINT64_C(1) << 31);
	BAD("is not 0", -EINVAL, .padding = 1);
	BAD("within no step", -EINVAL, .skip = 6 * GT_PAGE);
	BAD("within no step", -EINVAL, .skip = 5);
#undef BAD
	lt_expect_refused("NULL", &lt, gmem_snp_update(NULL, NULL, 0, NULL, NULL), -EINVAL, "NULL");
	lt_expect_refused("NULL", &lt, gmem_snp_update(lt.snp, NULL, 1, NULL, NULL), -EINVAL,
			  "NULL");
	lt_expect_refused("steps", &lt, gmem_snp_launch(lt.vm, NULL, 0, NULL, NULL), -EINVAL,
			  "no step");
	EXPECT("no steps", gmem_snp_update(lt.snp, NULL, 0, NULL, NULL), 0);
	EXPECT("all skipped", lt_update(&lt, UPDATE(.skip = 5 * GT_PAGE), NULL), 0);
	lt_close(&lt);
}

/* VMSAs: last, in the vCPUs' order, as many as there are, with the guest's features. */
static void vmsas(struct gt *t)
{
	struct gmem_launch_step steps[3], page,
		vmsa = {
			.gpa = GMEM_LAUNCH_VMSA_GPA,
			.size = GT_PAGE,
			.type = GMEM_LAUNCH_VMSA,
			.flags = GMEM_LAUNCH_MEASURED,
		};
	uint64_t features = 1;
	struct lt lt;

	open_started(t, &lt);
	memcpy(lt.bytes + 50 * GT_PAGE + 0x3b0, &features, sizeof(features));
	features = 0x21;
	memcpy(lt.bytes + 51 * GT_PAGE + 0x3b0, &features, sizeof(features));
	vmsa.bytes = lt.bytes + 50 * GT_PAGE;
	page = lt_step(&lt, 0, 1, GMEM_LAUNCH_NORMAL);
	steps[0] = page;
	steps[1] = steps[2] = vmsa;
#define BAD(row, count, ...)                                                                       \
	do {                                                                                       \
		__VA_ARGS__;                                                                       \
		lt_expect_refused(row, &lt, gmem_snp_update(lt.snp, steps, count, NULL, NULL),     \
				  -EINVAL, row);                                                   \
	} while (0)
	BAD("KVM measures vCPU 1 next", 3, (void)0);
	BAD("KVM measures vCPU 0 next", 2, steps[1].vcpu = 1);
	steps[1].vcpu = 0;
	steps[2].vcpu = 1;
	BAD("KVM measures VMSAs at", 3, steps[2].gpa = 0);
	steps[2] = page;
	BAD("comes behind a VMSA", 3, (void)0);
	steps[2] = vmsa;
	BAD("SEV_FEATURES 0x21, this guest has 0x1", 3,
	    (steps[2].vcpu = 1, steps[2].bytes = lt.bytes + 51 * GT_PAGE));
#undef BAD
	steps[2].bytes = lt.bytes + 50 * GT_PAGE;
	EXPECT("update", gmem_snp_update(lt.snp, steps, 3, NULL, NULL), 0);
	gmem_shim_reset(lt.shim);
	page = lt_step(&lt, 1, 1, GMEM_LAUNCH_NORMAL);
	lt_expect_refused("behind", &lt, gmem_snp_update(lt.snp, &page, 1, NULL, NULL), -EINVAL,
			  "comes behind a VMSA");
	lt_expect_refused("vCPUs", &lt, gmem_snp_finish(lt.snp, FINISH(.vcpus = 1)), -EINVAL,
			  "VMSAs of 2 vCPUs, the guest has 1");
	lt_expect_refused("vCPUs", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL, "the guest has 0");
	EXPECT("finish", gmem_snp_finish(lt.snp, FINISH(.vcpus = 2)), 0);
	lt_close(&lt);
}

static const struct gt_test tests[] = {
	GT_TEST(wrong_order), GT_TEST(bad_guests), GT_TEST(bad_steps),   GT_TEST(no_file),
	GT_TEST(twice),       GT_TEST(unreadable), GT_TEST(bad_options), GT_TEST(vmsas),
};

GT_MAIN(tests)
