/* SPDX-License-Identifier: MIT */
/* What happens half-way: progress, firmware that refuses, pages that KVM cannot take, CPUID, ID blocks. */
#include "id_signer.h"
#include "lt.h"

#define PAGES(count) ((int64_t)(count) * (int64_t)GT_PAGE)

static void open_planned(const struct gt *t, struct lt *lt)
{
	lt_open(t, lt);
	lt_plan(lt);
	lt_add(lt, 0, 8, GMEM_LAUNCH_NORMAL);
	lt_add(lt, 8, 4, GMEM_LAUNCH_ZERO);
	lt_add(lt, 12, 1, GMEM_LAUNCH_SECRETS);
	lt_bind(lt);
	lt_start(lt, NULL);
}

static void finish(const char *row, struct lt *lt)
{
	EXPECT(row, gmem_snp_finish(lt->snp, NULL), 0);
	lt_expect_digest(row, lt);
}

/* The firmware refuses each page in turn: what is before is in, the rest goes in later. */
static void each_page_refused(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	uint64_t done;
	struct lt lt;

	for (uint32_t page = 0; page < 13; page++) {
		open_planned(t, &lt);
		memset(&opts, 0, sizeof(opts));
		opts.sz = sizeof(opts);
		opts.batch = 3 * GT_PAGE;
		MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, page,
				       GMI_SEV_RET_RESOURCE_LIMIT) == 0);
		if (lt_update(&lt, &opts, &done) == 0) {
			/* In the middle of a call KVM says nothing, and the next call does better. */
			EXPECT("done", (int64_t)done, PAGES(13));
		} else {
			EXPECT("code", gmem_errinfo()->error, -EIO);
			EXPECT("fw_error", (int64_t)gmem_errinfo()->fw_error, 0x17);
			EXPECT("valid", (gmem_errinfo()->valid & GMEM_ERR_FW) != 0, true);
			EXPECT("done", (int64_t)done, PAGES(page));
			opts.skip = done;
			EXPECT("the rest", lt_update(&lt, &opts, &done), 0);
			EXPECT("done", (int64_t)done, PAGES(13));
		}
		finish("each page", &lt);
		lt_close(&lt);
	}
}

static void rest_is_missing(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct gmem_launch_step other;
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	opts.batch = GT_PAGE;
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 5, 0x17) == 0);
	lt_expect_failed("refused", lt_update(&lt, &opts, &done), -EIO,
			 "no page goes in at 0x105000: firmware code 0x17, a resource of the "
			 "firmware is used up");
	EXPECT("gpa", (int64_t)gmem_errinfo()->gpa, (int64_t)LT_GPA + PAGES(5));
	gmem_shim_reset(lt.shim);
	lt_expect_refused("finish", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL,
			  "0x8000 bytes of the steps are not in yet");
	lt_expect_refused("from the start", &lt, lt_update(&lt, NULL, NULL), -EINVAL,
			  "0x8000 bytes of the steps before are not in yet");
	other = lt_step(&lt, 12, 1, GMEM_LAUNCH_ZERO);
	lt_expect_refused("others", &lt, gmem_snp_update(lt.snp, &other, 1, NULL, NULL), -EINVAL,
			  "not in yet");
	opts.skip = done;
	EXPECT("the rest", lt_update(&lt, &opts, NULL), 0);
	finish("rest", &lt);
	lt_close(&lt);
}

/* Nothing went in: other steps may. */
static void first_page_refused(struct gt *t)
{
	struct gmem_launch_step other;
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 0, 0x17) == 0);
	EXPECT("refused", lt_update(&lt, NULL, &done), -EIO);
	EXPECT("done", (int64_t)done, 0);
	other = lt_step(&lt, 12, 1, GMEM_LAUNCH_ZERO);
	EXPECT("others", gmem_snp_update(lt.snp, &other, 1, NULL, NULL), 0);
	lt_close(&lt);
}

/* A second list of steps of which nothing went in: the launch cannot end without it. */
static void second_steps_refused(struct gt *t)
{
	struct gmem_launch_step other;
	struct lt lt;

	open_planned(t, &lt);
	other = lt_step(&lt, 3, 1, GMEM_LAUNCH_ZERO);
	EXPECT("the first", gmem_snp_update(lt.snp, &other, 1, NULL, NULL), 0);
	other = lt_step(&lt, 12, 1, GMEM_LAUNCH_ZERO);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 0, 0x17) == 0);
	EXPECT("the second", gmem_snp_update(lt.snp, &other, 1, NULL, NULL), -EIO);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("finish", &lt, gmem_snp_finish(lt.snp, NULL), -EINVAL,
			  "the last steps are not in");
	lt_close(&lt);
}

struct watch {
	uint64_t done, total, calls, stop;
};

static int watch(void *user, uint64_t done, uint64_t total)
{
	struct watch *seen = user;

	EXPECT("done grows", done > seen->done, true);
	seen->done = done;
	seen->total = total;
	return ++seen->calls == seen->stop;
}

static void progress(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct watch seen = {.stop = 3};
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	opts.batch = 2 * GT_PAGE;
	opts.progress = watch;
	opts.user = &seen;
	lt_expect_failed("cancelled", lt_update(&lt, &opts, &done), -ECANCELED, "the caller ended");
	EXPECT("done", (int64_t)done, PAGES(6));
	EXPECT("told", (int64_t)seen.done, PAGES(6));
	EXPECT("total", (int64_t)seen.total, PAGES(13));
	opts.skip = done;
	EXPECT("the rest", lt_update(&lt, &opts, &done), 0);
	EXPECT("told", (int64_t)seen.done, PAGES(13));
	EXPECT("calls", (int64_t)seen.calls, 3 + 1 + 2 + 1);
	finish("progress", &lt);
	lt_close(&lt);
}

/* All is in: there is nothing left to end. */
static void cancelled_too_late(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct watch seen = {.stop = 1};
	struct lt lt;

	open_planned(t, &lt);
	opts.progress = watch;
	opts.user = &seen;
	opts.skip = PAGES(12);
	EXPECT("the last page alone", lt_update(&lt, &opts, NULL), 0);
	lt_close(&lt);
}

/* KVM says EIO for a signal too: tried once more, and the page is measured once. */
static void signals(struct gt *t)
{
	GMEM_INIT(gmem_snp_info, info);
	struct lt lt;

	for (uint64_t page = 0; page < 13; page += 4) {
		open_planned(t, &lt);
		MUST(gmem_sim_interrupt_after(t->sim, page) == 0);
		EXPECT("update", lt_update(&lt, NULL, NULL), 0);
		MUST(gmem_snp_get_info(lt.snp, &info) == 0);
		EXPECT("retries", (int64_t)info.retries, page % 8 == 0 || page == 12);
		finish("signal", &lt);
		lt_close(&lt);
	}
}

/* KVM wants it tried again: for a while. */
static void again(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	GMEM_INIT(gmem_snp_info, info);
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	opts.batch = 4 * GT_PAGE;
	gmem_shim_reset(lt.shim);
	MUST(gmem_shim_fail(lt.shim, GMEM_CALL_IOCTL, GMI_KVM_MEMORY_ENCRYPT_OP, 2, -EAGAIN,
			    GMEM_SHIM_EVERY) == 0);
	opts.attempts = 4;
	EXPECT("too often", lt_update(&lt, &opts, &done), -EAGAIN);
	EXPECT("done", (int64_t)done, PAGES(4));
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	EXPECT("retries", (int64_t)info.retries, 3);
	gmem_shim_reset(lt.shim);
	MUST(gmem_shim_fail(lt.shim, GMEM_CALL_IOCTL, GMI_KVM_MEMORY_ENCRYPT_OP, 2, -EAGAIN, 0) ==
	     0);
	opts.skip = done;
	EXPECT("the rest", lt_update(&lt, &opts, &done), 0);
	finish("again", &lt);
	lt_close(&lt);
}

/* EIO without the firmware: the page is poisoned. */
static void not_asked(struct gt *t)
{
	GMEM_INIT(gmem_file_info, file);
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	MUST(gmem_file_get_info(lt.file, &file) == 0);
	MUST(gmem_sim_poison(t->sim, gmem_file_fd(lt.file), 2 * GT_PAGE, GT_PAGE) == 0);
	lt_expect_failed("poison", lt_update(&lt, NULL, &done), -EIO, "the firmware was not asked");
	EXPECT("no code", (gmem_errinfo()->valid & GMEM_ERR_FW) != 0, false);
	EXPECT("done", (int64_t)done, PAGES(2));
	lt_close(&lt);
}

/* Of a VM that is dead. */
static void drop_slots(struct lt *lt)
{
	for (size_t i = 0; i < GT_COUNT(lt->slots); i++) {
		if (lt->slots[i])
			EXPECT("unbind", gmem_slot_unbind(lt->slots[i]), -ESTALE);
		lt->slots[i] = NULL;
	}
}

/* Where the processor dies, so does the VM: its page cannot come back. */
static void dead_processor(struct gt *t)
{
	uint64_t done;
	struct lt lt;

	open_planned(t, &lt);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 0, GMEM_SIM_SEV_TIMEOUT) == 0);
	lt_expect_failed("dead", lt_update(&lt, NULL, &done), -ESTALE, "the VM is dead");
	EXPECT("done", (int64_t)done, 0);
	drop_slots(&lt);
	lt_close(&lt);
}

/* A page that does not come back from the firmware takes the VM with it. */
static void dead_vm(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct gmem_launch_step step;
	struct lt lt;

	open_planned(t, &lt);
	step = lt_step(&lt, 8, 1, GMEM_LAUNCH_ZERO);
	EXPECT("one", gmem_snp_update(lt.snp, &step, 1, NULL, NULL), 0);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_PAGE_RECLAIM, 0, 0x17) == 0);
	step = lt_step(&lt, 0, 1, GMEM_LAUNCH_CPUID);
	memset(lt.cpuid, 0xff, 4);
	opts.cpuid = lt.cpuid;
	EXPECT("refused", gmem_snp_update(lt.snp, &step, 1, &opts, NULL), -EIO);
	step = lt_step(&lt, 1, 1, GMEM_LAUNCH_ZERO);
	EXPECT("dead", gmem_snp_update(lt.snp, &step, 1, NULL, NULL), -ESTALE);
	EXPECT("finish", gmem_snp_finish(lt.snp, NULL), -ESTALE);
	drop_slots(&lt);
	lt_close(&lt);
}

static void init_and_start_refused(struct gt *t)
{
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 1, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	MUST(gmem_snp_create(lt.vm, NULL, &lt.snp) == 0);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SEV_INIT, 0, 0x13) == 0);
	lt_expect_failed("init", gmem_snp_init(lt.snp), -EIO, "firmware code 0x13");
	EXPECT("init again", gmem_snp_init(lt.snp), 0);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_GCTX_CREATE, 0, 0x17) == 0);
	lt_expect_failed("context", gmem_snp_start(lt.snp), -EIO, "firmware code 0x17");
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_START, 0, 7) == 0);
	lt_expect_failed("start", gmem_snp_start(lt.snp), -EIO,
			 "firmware code 0x7, the guest policy does not allow it");
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_ACTIVATE, 0, 0x0d) == 0);
	lt_expect_failed("activate", gmem_snp_start(lt.snp), -EIO, "0xd, invalid ASID");
	EXPECT("start again", gmem_snp_start(lt.snp), 0);
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	finish("after all", &lt);
	lt_close(&lt);
}

static void vcpu_too_early(struct gt *t)
{
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	MUST(gmem_snp_create(lt.vm, NULL, &lt.snp) == 0);
	MUST(gt_sev_add_vcpu(&lt.raw, 0, 0) >= 0);
	lt_expect_failed("vCPU", gmem_snp_init(lt.snp), -EINVAL, "a vCPU exists already");
	lt_close(&lt);
}

/* A second record of the launch, as where a VMM has issued the commands itself. */
static void taken_up(struct gt *t)
{
	GMEM_INIT(gmem_snp_opts, opts);
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 2, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	MUST(gmem_snp_create(lt.vm, NULL, &lt.snp) == 0);
	MUST(gmem_snp_init(lt.snp) == 0);
	lt.snp = gmem_snp_unref(lt.snp);
	opts.flags = GMEM_SNP_SKIP_INIT;
	MUST(gmem_snp_create(lt.vm, &opts, &lt.snp) == 0);
	EXPECT("start", gmem_snp_start(lt.snp), 0);
	lt.snp = gmem_snp_unref(lt.snp);
	opts.flags |= GMEM_SNP_SKIP_START;
	MUST(gmem_snp_create(lt.vm, &opts, &lt.snp) == 0);
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	finish("taken up", &lt);
	lt.snp = gmem_snp_unref(lt.snp);
	MUST(gmem_snp_create(lt.vm, NULL, &lt.snp) == 0);
	lt_expect_failed("init2", gmem_snp_init(lt.snp), -EPERM, "an SNP guest already");
	lt_close(&lt);
}

/* Leaf 1 with TSC deadline, which the firmware clears, and one that it takes. */
struct cpuid { /* struct gmi_kvm_cpuid2 with its entries */
	uint32_t nent;
	uint32_t padding;
	struct gmi_kvm_cpuid_entry2 entries[3];
};

static const struct cpuid asked = {
	.nent = 3,
	.entries =
		{
			{.function = 1, .eax = 0xa00f11, .ecx = 1u << 24 | 1, .edx = 3},
			{.function = 7, .ebx = 3, .edx = 1u << 31 | 1u << 26},
			{.function = 0xd, .index = 1, .flags = 1, .eax = 15, .ebx = 0x340},
		},
};

struct asking {
	int answer;
	size_t calls, count;
	struct gmem_snp_cpuid_diff diffs[8];
};

static int changed(void *user, const struct gmem_snp_cpuid_diff *diffs, size_t count)
{
	struct asking *asking = user;

	asking->calls++;
	asking->count = count;
	memcpy(asking->diffs, diffs, (count < 8 ? count : 8) * sizeof(*diffs));
	return asking->answer;
}

static void open_cpuid(const struct gt *t, struct lt *lt, uint32_t flags)
{
	lt_open(t, lt);
	lt_plan(lt);
	lt_add(lt, 0, 1, GMEM_LAUNCH_NORMAL);
	lt_add(lt, 1, 1, GMEM_LAUNCH_CPUID);
	lt_bind(lt);
	lt_start(lt, NULL);
	MUST(gmem_snp_cpuid_build(&asked, flags, lt->cpuid) == 0);
}

static void cpuid_allowed(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct gmi_snp_cpuid_page table;
	struct asking asking = {0};
	struct lt lt;

	open_cpuid(t, &lt, 0);
	memcpy(&table, lt.cpuid, sizeof(table));
	EXPECT("count", table.count, 3);
	EXPECT("leaf 1", table.entries[0].ecx, 1);
	EXPECT("leaf 7 EBX", table.entries[1].ebx, 1);
	EXPECT("leaf 7 EDX", table.entries[1].edx, 0);
	EXPECT("leaf 0xd EBX", table.entries[2].ebx, 0x240);
	EXPECT("leaf 0xd XCR0", (int64_t)table.entries[2].xcr0_in, 1);
	EXPECT("leaf 0xd sub-leaf", table.entries[2].ecx_in, 1);
	opts.cpuid = lt.cpuid;
	opts.cpuid_changed = changed;
	opts.user = &asking;
	EXPECT("update", lt_update(&lt, &opts, NULL), 0);
	EXPECT("not asked", (int64_t)asking.calls, 0);
	finish("cpuid", &lt);
	lt_close(&lt);
}

static void cpuid_corrected(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	GMEM_INIT(gmem_snp_info, info);
	struct asking asking = {0};
	uint8_t before[GMEM_SNP_CPUID_SIZE];
	struct lt lt;

	open_cpuid(t, &lt, GMEM_SNP_CPUID_RAW);
	memcpy(before, lt.cpuid, sizeof(before));
	opts.cpuid = lt.cpuid;
	opts.cpuid_changed = changed;
	opts.user = &asking;
	EXPECT("update", lt_update(&lt, &opts, NULL), 0);
	EXPECT("asked once", (int64_t)asking.calls, 1);
	EXPECT("differences", (int64_t)asking.count, 3);
	EXPECT("leaf", asking.diffs[0].leaf, 1);
	EXPECT("register", asking.diffs[0].reg, GMEM_SNP_ECX);
	EXPECT("wanted", asking.diffs[0].wanted, 1u << 24 | 1);
	EXPECT("allowed", asking.diffs[0].allowed, 1);
	EXPECT("text", strcmp(asking.diffs[0].text, "leaf 0x1.0 ECX: the firmware clears bits 24"),
	       0);
	EXPECT("text",
	       strcmp(asking.diffs[2].text, "leaf 0x7.0 EDX: the firmware clears bits 26 31"), 0);
	EXPECT("the caller's table", memcmp(before, lt.cpuid, sizeof(before)), 0);
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	EXPECT("corrections", (int64_t)info.corrections, 1);
	finish("corrected", &lt);
	lt_close(&lt);
}

static void cpuid_refused(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct asking asking = {.answer = 1};
	uint64_t done;
	struct lt lt;

	open_cpuid(t, &lt, GMEM_SNP_CPUID_RAW);
	opts.cpuid = lt.cpuid;
	lt_expect_failed("nobody agrees", lt_update(&lt, &opts, &done), -EIO,
			 "in 3 places: leaf 0x1.0 ECX: the firmware clears bits 24");
	EXPECT("fw_error", (int64_t)gmem_errinfo()->fw_error, GMI_SEV_RET_INVALID_PARAM);
	EXPECT("done", (int64_t)done, PAGES(1));
	opts.skip = done;
	opts.cpuid_changed = changed;
	opts.user = &asking;
	lt_expect_failed("the caller refuses", lt_update(&lt, &opts, &done), -EIO, "in 3 places");
	memset(lt.cpuid, 0xff, 4);
	lt_expect_failed("count", lt_update(&lt, &opts, &done), -EIO, "corrects nothing");
	EXPECT("not asked", (int64_t)asking.calls, 1);
	MUST(gmem_snp_cpuid_build(&asked, 0, lt.cpuid) == 0);
	EXPECT("another table", lt_update(&lt, &opts, &done), 0);
	finish("another table", &lt);
	lt_close(&lt);
}

static void cpuid_arguments(struct gt *t)
{
	static const struct gmi_kvm_cpuid2 many = {.nent = 65};
	uint8_t table[GMEM_SNP_CPUID_SIZE];

	EXPECT("NULL", gmem_snp_cpuid_build(NULL, 0, table), -EINVAL);
	EXPECT("NULL", gmem_snp_cpuid_build(&asked, 0, NULL), -EINVAL);
	EXPECT("flags", gmem_snp_cpuid_build(&asked, 2, table), -EINVAL);
	lt_expect_failed("entries", gmem_snp_cpuid_build(&many, 0, table), -EINVAL,
			 "65 entries, the firmware takes 64");
}

static void open_signed(const struct gt *t, struct lt *lt, struct signed_block *made,
			struct gmem_snp_finish_opts *opts)
{
	struct gmem_digest digest;

	open_planned(t, lt);
	EXPECT("update", lt_update(lt, NULL, NULL), 0);
	MUST(gmem_measure_plan(lt->plan, NULL, &digest, NULL) == 0);
	signed_block_make(digest.bytes, GMEM_SNP_POLICY_DEFAULT, made);
	*opts = (struct gmem_snp_finish_opts){
		.sz = sizeof(*opts),
		.flags = GMEM_SNP_ID_AUTHOR,
		.id_block = made->block,
		.id_auth = made->auth,
		.digest = made->digest.bytes,
		.host_data = {1, 2, 3},
	};
	gmem_shim_reset(lt->shim);
}

static void id_block(struct gt *t)
{
	GMEM_INIT(gmem_sim_report, report);
	struct gmem_snp_finish_opts opts;
	struct signed_block made;
	struct lt lt;

	open_signed(t, &lt, &made, &opts);
	EXPECT("finish", gmem_snp_finish(lt.snp, &opts), 0);
	lt_expect_digest("ID block", &lt);
	MUST(gmem_sim_get_report(t->sim, gmem_vm_fd(lt.vm), NULL, &report) == 0);
	EXPECT("SVN", report.guest_svn, 7);
	EXPECT("author", report.has_author_key, 1);
	EXPECT("host data", memcmp(report.host_data, opts.host_data, sizeof(report.host_data)), 0);
	lt_close(&lt);
}

/* All that needs no key is refused before the vCPUs are encrypted; then the launch goes on. */
static void bad_id_blocks(struct gt *t)
{
	static const struct {
		const char *text;
		size_t offset; /* of a byte in the block, or behind it in the page */
	} cases[] = {
		{"for another launch digest", 0},
		{"version is 254, not 1", 80},
		{"for policy", 88},
		{"the ID key's algorithm is 254", 96},
		{"the author key's algorithm is 254", 96 + 4},
		{"the ID key's curve is 253", 96 + 0x240},
		{"the author key's curve is 253", 96 + 0x880},
	};
	struct gmem_snp_finish_opts opts, other;
	struct signed_block made;
	struct lt lt;

	open_signed(t, &lt, &made, &opts);
	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		uint8_t *byte = cases[i].offset < 96 ? made.block + cases[i].offset
						     : made.auth + cases[i].offset - 96;

		other = opts;
		*byte = (uint8_t) ~*byte;
		if (!cases[i].offset)
			other.digest = memcpy(lt.bytes, opts.digest, 48);
		lt_expect_refused(cases[i].text, &lt, gmem_snp_finish(lt.snp, &other), -EINVAL,
				  cases[i].text);
		*byte = (uint8_t) ~*byte;
	}
	other = opts;
	other.id_auth = NULL;
	lt_expect_refused("half", &lt, gmem_snp_finish(lt.snp, &other), -EINVAL, "go together");
	other.id_block = NULL;
	lt_expect_refused("author", &lt, gmem_snp_finish(lt.snp, &other), -EINVAL,
			  "without an ID block");
	other.flags = 1 << 5;
	lt_expect_refused("flags", &lt, gmem_snp_finish(lt.snp, &other), -EINVAL, "unknown flags");
	memset(made.auth + 0x40, 0, 72);
	lt_expect_refused("unsigned", &lt, gmem_snp_finish(lt.snp, &opts), -EINVAL,
			  "there is no signature by the ID key");
	memcpy(lt.bytes, made.digest.bytes, 48);
	signed_block_make(lt.bytes, GMEM_SNP_POLICY_DEFAULT, &made);
	EXPECT("finish", gmem_snp_finish(lt.snp, &opts), 0);
	lt_close(&lt);
}

/* What only the firmware finds is the end of this VM. */
static void firmware_refuses_id(struct gt *t)
{
	GMEM_INIT(gmem_snp_info, info);
	struct gmem_snp_finish_opts opts;
	struct signed_block made;
	struct lt lt;

	open_signed(t, &lt, &made, &opts);
	made.auth[0x40] ^= 1;
	lt_expect_failed("signature", gmem_snp_finish(lt.snp, &opts), -EIO,
			 "firmware code 0xa, bad signature");
	EXPECT("fw_error", (int64_t)gmem_errinfo()->fw_error, GMI_SEV_RET_BAD_SIGNATURE);
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	EXPECT("state", info.state, GMEM_SNP_FAILED);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("again", &lt, gmem_snp_finish(lt.snp, &opts), -EINVAL,
			  "the VM has to be made anew");
	lt_close(&lt);

	open_signed(t, &lt, &made, &opts);
	lt.bytes[0] ^= 1;
	opts.digest = NULL;
	signed_block_make(lt.bytes, GMEM_SNP_POLICY_DEFAULT, &made);
	lt_expect_failed("digest", gmem_snp_finish(lt.snp, &opts), -EIO,
			 "0xb, the measurement differs from the expected one");
	lt_close(&lt);
}

static void firmware_closed(struct gt *t)
{
	GMEM_INIT(gmem_snp_info, info);
	struct lt lt;

	open_planned(t, &lt);
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	gt_close(t, info.sev_fd);
	gmem_shim_reset(lt.shim);
	lt_expect_refused("closed", &lt, gmem_snp_finish(lt.snp, NULL), -EBADF,
			  "not open any more");
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	EXPECT("not the end", info.state, GMEM_SNP_STARTED);
	MUST(t->ops->open(t->user, "/dev/sev", 2) == info.sev_fd);
	finish("opened again", &lt);
	lt_close(&lt);
}

/* The descriptor stays with the VM, for a guest that asks for its report. */
static void firmware_stays(struct gt *t)
{
	GMEM_INIT(gmem_snp_info, info);
	struct gmem_sys_stat stat;
	struct lt lt;

	open_planned(t, &lt);
	EXPECT("update", lt_update(&lt, NULL, NULL), 0);
	finish("stays", &lt);
	MUST(gmem_snp_get_info(lt.snp, &info) == 0);
	lt.snp = gmem_snp_unref(lt.snp);
	EXPECT("open", t->ops->fstat(t->user, info.sev_fd, &stat), 0);
	lt_close(&lt);
	EXPECT("closed", t->ops->fstat(t->user, info.sev_fd, &stat), -EBADF);
}

static void certificates(struct gt *t)
{
	GMEM_INIT(gmem_snp_certs, certs);
	struct gmi_kvm_run run = {.exit_reason = GMI_KVM_EXIT_SNP_REQ_CERTS};

	run.snp_req_certs.gpa = 0x5000;
	run.snp_req_certs.npages = 2;
	EXPECT("asks", gmem_snp_certs_get(&run, 0, &certs), 1);
	EXPECT("gpa", (int64_t)certs.gpa, 0x5000);
	EXPECT("size", (int64_t)certs.size, PAGES(2));
	EXPECT("too small", gmem_snp_certs_answer(&run, GMEM_SNP_CERTS_TOO_SMALL, 8193), 0);
	EXPECT("ret", (int64_t)run.snp_req_certs.ret, ENOSPC);
	EXPECT("npages", (int64_t)run.snp_req_certs.npages, 3);
	EXPECT("written", gmem_snp_certs_answer(&run, GMEM_SNP_CERTS_WRITTEN, 0), 0);
	EXPECT("ret", (int64_t)run.snp_req_certs.ret, 0);
	EXPECT("again", gmem_snp_certs_answer(&run, GMEM_SNP_CERTS_AGAIN, 0), 0);
	EXPECT("ret", (int64_t)run.snp_req_certs.ret, EAGAIN);
	EXPECT("failed", gmem_snp_certs_answer(&run, GMEM_SNP_CERTS_FAILED, 0), 0);
	EXPECT("ret", (int64_t)run.snp_req_certs.ret, EIO);
	EXPECT("answer", gmem_snp_certs_answer(&run, 4, 0), -EINVAL);
	EXPECT("NULL", gmem_snp_certs_answer(NULL, 0, 0), -EINVAL);
	run.snp_req_certs.ret = 0;
	run.snp_req_certs.npages = UINT64_C(1) << 60;
	EXPECT("hostile room", gmem_snp_certs_get(&run, 0, &certs), 0);
	EXPECT("ret", (int64_t)run.snp_req_certs.ret, EIO);
	run.snp_req_certs.npages = 1;
	run.snp_req_certs.gpa = 0x5001;
	EXPECT("unaligned", gmem_snp_certs_get(&run, 0, &certs), 0);
	EXPECT("an error", gmem_snp_certs_get(&run, -EFAULT, &certs), 0);
	EXPECT("positive", gmem_snp_certs_get(&run, 1, &certs), -EINVAL);
	EXPECT("NULL", gmem_snp_certs_get(NULL, 0, &certs), -EINVAL);
	EXPECT("NULL", gmem_snp_certs_get(&run, 0, NULL), -EINVAL);
	run.exit_reason = GMI_KVM_EXIT_HLT;
	EXPECT("another exit", gmem_snp_certs_get(&run, 0, &certs), 0);
	EXPECT("another exit", gmem_snp_certs_answer(&run, 0, 0), -EINVAL);
}

/* The guest asks, the VMM answers, the guest hears it. */
static void asks_for_certificates(struct gt *t)
{
	static const struct gmem_sim_action script[] = {
		{.op = GMEM_SIM_REPORT, .addr = LT_GPA + 2 * GT_PAGE, .value = 1},
		{.op = GMEM_SIM_HALT},
	};
	GMEM_INIT(gmem_snp_opts, opts);
	GMEM_INIT(gmem_snp_finish_opts, finish_opts);
	GMEM_INIT(gmem_snp_certs, certs);
	GMEM_INIT(gmem_sim_vcpu_info, info);
	struct gmem_launch_step step;
	void *run;
	struct lt lt;
	int vcpu;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 4, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	opts.flags = GMEM_SNP_REQ_CERTS;
	lt_start(&lt, &opts);
	vcpu = gt_sev_add_vcpu(&lt.raw, 0, 0);
	MUST(vcpu >= 0);
	step = lt_step(&lt, 0, 1, GMEM_LAUNCH_NORMAL);
	EXPECT("update", gmem_snp_update(lt.snp, &step, 1, NULL, NULL), 0);
	finish_opts.vcpus = 1;
	EXPECT("finish", gmem_snp_finish(lt.snp, &finish_opts), 0);
	MUST(gmem_convert(lt.vm, LT_GPA + 2 * GT_PAGE, GT_PAGE, GMEM_SHARED, NULL, NULL) == 0);
	MUST(gt_map(t, vcpu, 0, GT_PAGE, &run) == 0);
	MUST(gmem_sim_vcpu_script(t->sim, vcpu, script, GT_COUNT(script)) == 0);
	EXPECT("run", gt_ioctl_number(t, vcpu, GMI_KVM_RUN, 0), 0);
	EXPECT("asks", gmem_snp_certs_get(run, 0, &certs), 1);
	EXPECT("gpa", (int64_t)certs.gpa, (int64_t)LT_GPA + PAGES(2));
	EXPECT("size", (int64_t)certs.size, PAGES(1));
	EXPECT("answer", gmem_snp_certs_answer(run, GMEM_SNP_CERTS_TOO_SMALL, 2 * GT_PAGE + 1), 0);
	EXPECT("run", gt_ioctl_number(t, vcpu, GMI_KVM_RUN, 0), 0);
	EXPECT("another exit", gmem_snp_certs_get(run, 0, &certs), 0);
	MUST(gmem_sim_vcpu_get_info(t->sim, vcpu, &info) == 0);
	EXPECT("refused", info.hypercall_result, (int64_t)UINT64_C(0x100000000));
	EXPECT("pages wanted", (int64_t)info.accumulator, 3);
	gt_unmap(t, run, GT_PAGE);
	lt_close(&lt);
}

/* A VM and a descriptor that stay the VMM's. */
static void lent(struct gt *t)
{
	GMEM_INIT(gmem_snp_opts, opts);
	struct gmem_sys_stat stat;
	struct gt_sev raw;
	struct gmem_vm *vm;
	struct gmem_snp *snp;
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	gt_sev_open(t, GMEM_VM_SNP, &raw);
	MUST(gmem_vm_borrow(lt.ctx, raw.vm, GMEM_VM_SNP, NULL, &vm) == 0);
	opts.flags = GMEM_SNP_SEV_FD;
	opts.sev_fd = raw.sev;
	EXPECT("create", gmem_snp_create(vm, &opts, &snp), 0);
	EXPECT("init", gmem_snp_init(snp), 0);
	EXPECT("start", gmem_snp_start(snp), 0);
	gmem_snp_unref(snp);
	gmem_vm_unref(vm);
	EXPECT("still open", t->ops->fstat(t->user, raw.sev, &stat), 0);
	EXPECT("still an SNP guest", gt_snp_finish(&raw), 0);
	gt_sev_close(&raw);
	lt_close(&lt);
}

static void platform(struct gt *t)
{
	GMEM_INIT(gmem_snp_platform, info);
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	EXPECT("platform", gmem_snp_get_platform(lt.ctx, &info), 0);
	EXPECT("features", (int64_t)info.features, 0x220);
	EXPECT("flags", info.flags,
	       GMEM_SNP_TELLS_POLICY | GMEM_SNP_HAS_CERTS | GMEM_SNP_HAS_FIRMWARE);
	EXPECT("policy", (int64_t)(info.policy_bits & 0x70000), 0x30000);
	EXPECT("api", (int64_t)info.api_major, 1);
	EXPECT("NULL", gmem_snp_get_platform(NULL, &info), -EINVAL);
	EXPECT("NULL", gmem_snp_get_platform(lt.ctx, NULL), -EINVAL);
	EXPECT("text", strcmp(gmem_snp_fw_text(0x16), "invalid parameter"), 0);
	EXPECT("text", strcmp(gmem_snp_fw_text(0x1e), "a code without a name"), 0);
	EXPECT("text", strcmp(gmem_snp_fw_text(UINT64_MAX), "a code without a name"), 0);
	EXPECT("text", strcmp(gmem_snp_fw_text(UINT32_MAX), "the firmware was not called"), 0);
	lt_close(&lt);
}

static const struct gt_test tests[] = {
	GT_TEST(each_page_refused),
	GT_TEST(rest_is_missing),
	GT_TEST(first_page_refused),
	GT_TEST(progress),
	GT_TEST(second_steps_refused),
	GT_TEST(cancelled_too_late),
	GT_TEST(signals),
	GT_TEST(again),
	GT_TEST(not_asked),
	GT_TEST(dead_processor),
	GT_TEST(dead_vm),
	GT_TEST(init_and_start_refused),
	GT_TEST(vcpu_too_early),
	GT_TEST(taken_up),
	GT_TEST(cpuid_allowed),
	GT_TEST(cpuid_corrected),
	GT_TEST(cpuid_refused),
	{"cpuid_arguments", cpuid_arguments, .flags = GT_NO_KERNEL},
	GT_TEST(id_block),
	GT_TEST(bad_id_blocks),
	GT_TEST(firmware_refuses_id),
	GT_TEST(firmware_closed),
	GT_TEST(firmware_stays),
	{"certificates", certificates, .flags = GT_NO_KERNEL},
	GT_TEST(asks_for_certificates),
	GT_TEST(lent),
	GT_TEST(platform),
};

GT_MAIN(tests)
