/* SPDX-License-Identifier: MIT */
/* tdx.h on a kernel that answers as it is told: order, retries, progress, refusals, texts. */
#include <libgmem/libgmem.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gt_kvm.h"
#include "td_fake.h"

#define GPA  UINT64_C(0x100000)
#define SIZE (64 * GT_PAGE)

struct td {
	struct fake fake;
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slot;
	struct gmem_tdx *tdx;
	uint8_t *bytes; /* SIZE of them */
	int vcpu;
};

static void td_open(struct td *td)
{
	GMEM_INIT(gmem_ctx_opts, ctx);
	GMEM_INIT(gmem_file_opts, file);
	GMEM_INIT(gmem_slot_opts, slot);

	ctx.sys = fake_ops();
	ctx.sys_user = &td->fake;
	MUST(gmem_ctx_create(&ctx, &td->ctx) == 0);
	MUST(gmem_vm_create(td->ctx, GMEM_VM_TDX, NULL, &td->vm) == 0);
	if (td->fake.in_place)
		file.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	MUST(gmem_file_create(td->vm, SIZE, &file, &td->file) == 0);
	slot.file = td->file;
	MUST(gmem_slot_bind(td->vm, GPA, SIZE, &slot, &td->slot) == 0);
	td->bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(td->bytes != MAP_FAILED);
	for (uint64_t i = 0; i < SIZE; i += 8)
		*(uint64_t *)(td->bytes + i) = GPA + i;
	MUST(gmem_tdx_create(td->vm, NULL, &td->tdx) == 0);
	td->vcpu = -1;
}

static void td_close(struct td *td)
{
	if (td->vcpu >= 0)
		close(td->vcpu);
	munmap(td->bytes, SIZE);
	gmem_tdx_unref(td->tdx);
	gmem_slot_unbind(td->slot);
	gmem_file_unref(td->file);
	gmem_vm_unref(td->vm);
	gmem_ctx_unref(td->ctx);
	free(td);
}

static struct td *td_new(void)
{
	struct td *td = calloc(1, sizeof(*td));

	MUST(td);
	return td;
}

static struct gmem_tdx_init_opts good_init(void)
{
	GMEM_INIT(gmem_tdx_init_opts, init);

	init.gpa_width = 48;
	init.attributes = GMEM_TDX_ATTR_SEPT_VE_DISABLE;
	init.xfam = 0x3;
	return init;
}

static void td_initialize(struct td *td)
{
	struct gmem_tdx_init_opts init = good_init();

	MUST(gmem_tdx_setup(td->tdx, NULL) == 0);
	MUST(gmem_tdx_init_vm(td->tdx, &init) == 0);
	td->vcpu = fake_ops()->ioctl(&td->fake, 0, GMI_KVM_CREATE_VCPU, NULL);
	MUST(gmem_tdx_init_vcpu(td->tdx, td->vcpu, 0x809000) == 0);
}

static struct gmem_tdx_info info_of(const struct td *td)
{
	GMEM_INIT(gmem_tdx_info, info);

	MUST(gmem_tdx_get_info(td->tdx, &info) == 0);
	return info;
}

static struct gmem_launch_step step_at(const struct td *td, uint64_t page, uint64_t pages)
{
	return (struct gmem_launch_step){
		.gpa = GPA + page * GT_PAGE,
		.size = pages * GT_PAGE,
		.type = GMEM_LAUNCH_NORMAL,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = td->bytes + page * GT_PAGE,
	};
}

static void expect_refusal(const char *name, int got, int want, const char *text)
{
	const struct gmem_errinfo *record = gmem_errinfo();

	EXPECT_CASE(name, "refused", got, want);
	EXPECT_CASE(name, "the record", record->error, want);
	EXPECT_CASE(name, "the public function", record->op && !strncmp(record->op, "gmem_tdx", 8),
		    true);
	if (!EXPECT_CASE(name, "the text", strstr(record->message, text) != NULL, true))
		fprintf(stderr, "  %s\n", record->message);
}

static void capabilities(struct gt *t)
{
	struct td *td = td_new();
	const struct gmem_tdx_cpuid *leaves;
	struct gmem_tdx_info info;
	size_t count = 0;

	td_open(td);
	info = info_of(td);
	EXPECT("probed by size: 32, 64, 128", td->fake.leaf_calls, 3);
	EXPECT("leaves", info.configurable, FAKE_LEAVES);
	EXPECT("vCPUs", info.max_vcpus, 4);
	EXPECT("attributes", (int64_t)info.supported_attributes, GMEM_TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT("xfam", (int64_t)info.supported_xfam, 0xe7);
	EXPECT("calls to user space", (int64_t)info.user_tdvmcalls[0], 2);
	EXPECT("calls of KVM", (int64_t)info.kernel_tdvmcalls[1], 0x100);
	EXPECT("state", info.state, GMEM_TDX_NEW);
	leaves = gmem_tdx_configurable(td->tdx, &count);
	EXPECT("leaves", (int64_t)count, FAKE_LEAVES);
	EXPECT("the first", leaves[0].function, 7);
	EXPECT("NULL", gmem_tdx_configurable(NULL, &count) == NULL, true);
	td_close(td);
}

static void setup(struct gt *t)
{
	static const uint32_t order[] = {
		GMI_KVM_CAP_SPLIT_IRQCHIP,
		GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS,
		GMI_KVM_CAP_EXIT_HYPERCALL,
	};
	struct td *td = td_new();
	GMEM_INIT(gmem_tdx_setup_opts, opts);

	td_open(td);
	opts.vcpus = 5;
	expect_refusal("vCPUs", gmem_tdx_setup(td->tdx, &opts), -EINVAL, "KVM allows 4");
	opts.vcpus = 4;
	opts.tsc_khz = 2100001;
	expect_refusal("TSC", gmem_tdx_setup(td->tdx, &opts), -EINVAL, "steps of 25000");
	opts.tsc_khz = 2100000;
	opts.irqchip_pins = 4097;
	expect_refusal("pins", gmem_tdx_setup(td->tdx, &opts), -EINVAL, "more than 4096");
	opts.irqchip_pins = 0;
	opts.flags = 8;
	expect_refusal("flags", gmem_tdx_setup(td->tdx, &opts), -EINVAL, "unknown flags");
	EXPECT("KVM has heard of nothing", td->fake.caps_count, 0);
	opts.flags = 0;
	EXPECT("setup", gmem_tdx_setup(td->tdx, &opts), 0);
	EXPECT("again", gmem_tdx_setup(td->tdx, &opts), 0);
	EXPECT("once", td->fake.caps_count, 3);
	for (size_t i = 0; i < GT_COUNT(order); i++)
		EXPECT("the order", td->fake.caps_enabled[i], order[i]);
	td_close(td);
}

/* What the first calls of each kind answer, and what comes of it. */
static void init_retries(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_init_opts init = good_init();

	td->fake.init_errors[0] = td->fake.init_errors[1] = -EAGAIN;
	td_open(td);
	EXPECT("no entropy twice", gmem_tdx_init_vm(td->tdx, &init), 0);
	EXPECT("three calls", td->fake.init_calls, 3);
	EXPECT("with waits", td->fake.sleeps, 2);
	EXPECT("counted", (int64_t)info_of(td).retries, 2);
	EXPECT("state", info_of(td).state, GMEM_TDX_INITIALIZED);
	EXPECT("attributes", (int64_t)td->fake.init_attributes, GMEM_TDX_ATTR_SEPT_VE_DISABLE);
	td_close(td);
}

static void init_fails(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_init_opts init = good_init();

	td->fake.init_errors[0] = -EINVAL;
	td->fake.init_status = GMI_TDX_OPERAND_INVALID | 65;
	td->fake.init_errors[1] = -ENOSPC;
	td->fake.init_errors[2] = -EBUSY;
	td->fake.init_errors[3] = td->fake.init_errors[4] = -EAGAIN;
	td_open(td);
	expect_refusal("operand", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "INVALID: XFAM");
	EXPECT("the status", (int64_t)gmem_errinfo()->fw_error,
	       (int64_t)(GMI_TDX_OPERAND_INVALID | 65));
	EXPECT("is valid", gmem_errinfo()->valid & GMEM_ERR_FW, GMEM_ERR_FW);
	td->fake.init_status = 0;
	expect_refusal("keys", gmem_tdx_init_vm(td->tdx, &init), -ENOSPC, "no key is free");
	EXPECT("no status", gmem_errinfo()->valid & GMEM_ERR_FW, 0);
	expect_refusal("cgroup", gmem_tdx_init_vm(td->tdx, &init), -EBUSY, "control group");
	init.attempts = 2;
	expect_refusal("entropy", gmem_tdx_init_vm(td->tdx, &init), -EAGAIN, "entropy");
	EXPECT("state", info_of(td).state, GMEM_TDX_NEW);
	EXPECT("and then", gmem_tdx_init_vm(td->tdx, &init), 0);
	td_close(td);
}

static void init_refused(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_init_opts init = good_init();
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);

	td_open(td);
	init.attributes = GMEM_TDX_ATTR_SEPT_VE_DISABLE | GMEM_TDX_ATTR_DEBUG;
	expect_refusal("attributes", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "bits 0x1 of");
	init = good_init();
	init.xfam = 0x100;
	expect_refusal("xfam", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "bits 0x100 of");
	init = good_init();
	init.gpa_width = 46;
	expect_refusal("width", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "48 or 52 bits");
	init.gpa_width = 0;
	expect_refusal("no width", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "EAX[23:16] is 0");
	init.cpuid = &cpuid;
	cpuid.count = 257;
	cpuid.entries = (const void *)td->bytes;
	expect_refusal("entries", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "more than 256");
	expect_refusal("options", gmem_tdx_init_vm(td->tdx, NULL), -EINVAL, "NULL");
	EXPECT("KVM has heard of nothing", td->fake.init_calls, 0);
	td_close(td);
}

struct heard {
	uint32_t count;
	struct gmem_tdx_difference last;
	int answer;
};

static int hear(void *user, const struct gmem_tdx_difference *difference)
{
	struct heard *heard = user;

	heard->count++;
	heard->last = *difference;
	return heard->answer;
}

static const struct gmem_tdx_cpuid wanted[] = {
	{.function = 1, .ecx = 1u << 21},
	{.function = 7, .flags = GMEM_TDX_CPUID_INDEX, .ebx = 0x230},
	{.function = 0xd, .index = 1, .flags = GMEM_TDX_CPUID_INDEX, .eax = 0xf},
	{.function = 0x80000008, .eax = 0x340000},
};

static void cpuid_filter(struct gt *t)
{
	struct gmem_tdx_cpuid got[FAKE_LEAVES];
	struct heard heard = {0};
	struct td *td = td_new();
	GMEM_INIT(gmem_tdx_cpuid_opts, opts);
	char text[128];
	size_t count = 0;
	int length;

	td_open(td);
	opts.entries = wanted;
	opts.count = GT_COUNT(wanted);
	opts.report = hear;
	opts.user = &heard;
	EXPECT("filter", gmem_tdx_filter_cpuid(td->tdx, &opts, got, FAKE_LEAVES, &count), 0);
	EXPECT("three leaves are configurable", (int64_t)count, 3);
	EXPECT("masked", got[0].ebx, 0x220);
	EXPECT("all with their index", got[0].flags & got[1].flags & got[2].flags, 1);
	EXPECT("the sub-leaf", got[2].index, 1);
	EXPECT("x2APIC and bit 4 cannot be chosen", heard.count, 2);
	EXPECT("the last: leaf", heard.last.function, 7);
	EXPECT("register", heard.last.reg, GMEM_TDX_EBX);
	EXPECT("bits", heard.last.bits, 0x10);
	length = gmem_tdx_difference_text(&heard.last, text, sizeof(text));
	EXPECT("length", length, (int64_t)strlen(text));
	EXPECT("text", strcmp(text, "CPUID 0x7.0 EBX: bit 4: wanted 0x230, got 0x220"), 0);
	expect_refusal("room", gmem_tdx_filter_cpuid(td->tdx, &opts, got, 2, &count), -ENOSPC,
		       "more than 2 leaves");
	heard.answer = -EOPNOTSUPP;
	expect_refusal("strict", gmem_tdx_filter_cpuid(td->tdx, &opts, got, 70, &count),
		       -EOPNOTSUPP, "CPUID 0x1.0 ECX: bit 21: wanted 0x200000, got 0");
	td_close(td);
}

static void cpuid_given(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_init_opts init = good_init();
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);

	td_open(td);
	cpuid.entries = wanted;
	cpuid.count = GT_COUNT(wanted);
	init.cpuid = &cpuid;
	init.gpa_width = 0;
	EXPECT("init", gmem_tdx_init_vm(td->tdx, &init), 0);
	EXPECT("entries", td->fake.init_nent, 3);
	EXPECT("the width of the list", info_of(td).gpa_width, 52);
	EXPECT("masked", td->fake.init_cpuid[0].ebx, 0x220);
	EXPECT("no padding", td->fake.init_padding, 0);
	td_close(td);
}

static void cpuid_compared(struct gt *t)
{
	struct gmem_tdx_cpuid got[GMEM_TDX_CPUID_MAX];
	struct heard heard = {0};
	struct td *td = td_new();
	GMEM_INIT(gmem_tdx_cpuid_opts, opts);
	size_t count = 0;

	td_open(td);
	expect_refusal("before INIT_VM", gmem_tdx_read_cpuid(td->tdx, 3, got, 256, &count), -EINVAL,
		       "needs a TD that is initialized");
	td_initialize(td);
	EXPECT("read", gmem_tdx_read_cpuid(td->tdx, td->vcpu, got, GT_COUNT(got), &count), 0);
	EXPECT("entries", (int64_t)count, 2);
	expect_refusal("room", gmem_tdx_read_cpuid(td->tdx, td->vcpu, got, 1, &count), -ENOSPC,
		       "2 entries");
	opts.entries = &wanted[1];
	opts.count = 1;
	opts.report = hear;
	opts.user = &heard;
	EXPECT("two differ", gmem_tdx_compare_cpuid(td->tdx, td->vcpu, &opts), 2);
	EXPECT("heard", heard.count, 2);
	EXPECT("one that was not wanted", heard.last.function, 0x21);
	EXPECT("got", heard.last.got, 1);
	heard.answer = -EPERM;
	expect_refusal("strict", gmem_tdx_compare_cpuid(td->tdx, td->vcpu, &opts), -EPERM,
		       "bits 0, 4: wanted 0x230, got 0x221");
	td_close(td);
}

/* Each call at a time when it is wrong: refused here, KVM hears nothing of it. */
static void order(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_init_opts init = good_init();
	struct gmem_launch_step step;
	uint64_t done;

	td_open(td);
	step = step_at(td, 0, 1);
	expect_refusal("vCPU first", gmem_tdx_init_vcpu(td->tdx, 5, 0), -EINVAL,
		       "needs a TD that is initialized, and this one is new");
	expect_refusal("memory first", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), -EINVAL,
		       "needs a TD that is initialized");
	expect_refusal("end first", gmem_tdx_finalize(td->tdx), -EINVAL, "KVM_TDX_FINALIZE_VM");
	MUST(gmem_tdx_init_vm(td->tdx, &init) == 0);
	expect_refusal("twice", gmem_tdx_init_vm(td->tdx, &init), -EINVAL, "that is new");
	expect_refusal("setup late", gmem_tdx_setup(td->tdx, NULL), -EINVAL, "that is new");
	expect_refusal("no vCPU", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), -EINVAL,
		       "needs a vCPU");
	td->vcpu = fake_ops()->ioctl(&td->fake, 0, GMI_KVM_CREATE_VCPU, NULL);
	EXPECT("vCPU", gmem_tdx_init_vcpu(td->tdx, td->vcpu, 0x5000), 0);
	EXPECT("its RCX", (int64_t)td->fake.vcpu_rcx[0], 0x5000);
	expect_refusal("vCPU twice", gmem_tdx_init_vcpu(td->tdx, td->vcpu, 0), -EINVAL,
		       "initialized already");
	EXPECT("end", gmem_tdx_finalize(td->tdx), 0);
	expect_refusal("end twice", gmem_tdx_finalize(td->tdx), -EINVAL, "is finalized");
	expect_refusal("memory late", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), -EINVAL,
		       "is finalized");
	expect_refusal("vCPU late", gmem_tdx_init_vcpu(td->tdx, 6, 0), -EINVAL, "is finalized");
	EXPECT("KVM: INIT_VM", td->fake.init_calls, 1);
	EXPECT("KVM: INIT_VCPU", td->fake.vcpus_initialized, 1);
	EXPECT("KVM: INIT_MEM_REGION", td->fake.add_calls, 0);
	EXPECT("KVM: FINALIZE_VM", td->fake.finalize_calls, 1);
	td_close(td);
}

struct bad_step {
	const char *name;
	struct gmem_launch_step step; /* on top of a good one: what is not 0 */
	uint64_t gpa;
	int ret;
	const char *text;
};

static const struct bad_step bad_steps[] = {
	{"type", {.type = GMEM_LAUNCH_VMSA}, 0, -EINVAL, "type 2 is none of a TD's"},
	{"page type of SNP", {.type = GMEM_LAUNCH_SECRETS}, 0, -EINVAL, "none of a TD's"},
	{"measured and filled",
	 {.type = GMEM_LAUNCH_NORMAL, .flags = GMEM_LAUNCH_MEASURED | GMEM_LAUNCH_FILL},
	 0,
	 -EINVAL,
	 "not filled in"},
	{"measured HOB", {.type = GMEM_LAUNCH_TD_HOB}, 0, -EINVAL, "never measured"},
	{"reserved", {.reserved = {1}}, 0, -EINVAL, "reserved"},
	{"size", {.size = 0x800}, 0, -EINVAL, "pages"},
	{"address", {.gpa = 0x100800}, 0, -EINVAL, "pages"},
	{"shared bit", {.gpa = UINT64_C(1) << 47}, 0, -EINVAL, "above the TD's private addresses"},
	{"unbound", {.gpa = 0x50000}, 0, -ENOENT, "nothing is bound"},
	{"source", {.bytes = (void *)0x1008}, 0, -EINVAL, "not page aligned"},
	{"no memory there", {.bytes = (void *)0x10000}, 0, -EFAULT, "cannot be read"},
	{"zeroes with contents", {.type = GMEM_LAUNCH_ZERO}, 0, -EINVAL, "has a source"},
};

static void steps_refused(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[2];
	uint64_t done;

	td_open(td);
	td_initialize(td);
	for (size_t i = 0; i < GT_COUNT(bad_steps); i++) {
		const struct gmem_launch_step *bad = &bad_steps[i].step;

		steps[0] = step_at(td, 0, 2);
		steps[1] = step_at(td, 2, 2);
		steps[1].type = bad->type ? bad->type : steps[1].type;
		steps[1].flags |= bad->flags;
		steps[1].size = bad->size ? bad->size : steps[1].size;
		steps[1].gpa = bad->gpa ? bad->gpa : steps[1].gpa;
		steps[1].bytes = bad->bytes ? bad->bytes : steps[1].bytes;
		steps[1].reserved[0] = bad->reserved[0];
		done = 77;
		expect_refusal(bad_steps[i].name, gmem_tdx_add(td->tdx, steps, 2, NULL, &done),
			       bad_steps[i].ret, bad_steps[i].text);
		EXPECT_CASE(bad_steps[i].name, "done", (int64_t)done, 0);
	}
	EXPECT("KVM has heard of none", td->fake.add_calls, 0);
	EXPECT("nothing was made private", (int64_t)td->fake.private_pages, 0);
	td_close(td);
}

static void twice(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[2];
	uint64_t done;

	td_open(td);
	td_initialize(td);
	steps[0] = step_at(td, 0, 4);
	steps[1] = step_at(td, 3, 4);
	expect_refusal("in one call", gmem_tdx_add(td->tdx, steps, 2, NULL, &done), -EEXIST,
		       "0x103000+0x1000 would be added twice");
	EXPECT("KVM has heard of none", td->fake.add_calls, 0);
	EXPECT("the first", gmem_tdx_add(td->tdx, steps, 1, NULL, &done), 0);
	expect_refusal("in two calls", gmem_tdx_add(td->tdx, &steps[1], 1, NULL, &done), -EEXIST,
		       "would be added twice");
	EXPECT("its address", (int64_t)gmem_errinfo()->gpa, (int64_t)(GPA + 3 * GT_PAGE));
	td_close(td);
}

static void expect_all_added(const struct td *td, uint64_t pages)
{
	uint64_t page = 0;

	for (uint32_t i = 0; i < td->fake.added_count; i++) {
		const struct fake_added *added = &td->fake.added[i];

		EXPECT("in order, none twice", (int64_t)added->gpa,
		       (int64_t)(GPA + page * GT_PAGE));
		EXPECT("its contents", (int64_t)added->first_word, (int64_t)added->gpa);
		EXPECT("measured", added->flags, GMI_KVM_TDX_MEASURE_MEMORY_REGION);
		page += added->pages;
	}
	EXPECT("all", (int64_t)page, (int64_t)pages);
}

/*
 * 7.3: EINTR alone, with progress. 6.16 to 6.18: EBUSY of the module, too. Drafts before: EAGAIN.
 * Each says in the region how far it came.
 */
static void progress(struct gt *t)
{
	static const struct fake_turn turns[] = {
		{3, -EINTR}, {0, -EINTR}, {5, -EBUSY}, {0, -EBUSY}, {1, -EAGAIN}, {0, -EAGAIN},
	};
	struct td *td = td_new();
	struct gmem_launch_step step;
	uint64_t done = 0;

	memcpy(td->fake.turns, turns, sizeof(turns));
	td_open(td);
	td_initialize(td);
	step = step_at(td, 0, 20);
	EXPECT("add", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), 0);
	EXPECT("done", (int64_t)done, (int64_t)(20 * GT_PAGE));
	EXPECT("calls", td->fake.add_calls, 7);
	EXPECT("waits: not for signals", td->fake.sleeps, 4);
	expect_all_added(td, 20);
	EXPECT("bytes", (int64_t)info_of(td).added_bytes, (int64_t)(20 * GT_PAGE));
	EXPECT("measured", (int64_t)info_of(td).measured_bytes, (int64_t)(20 * GT_PAGE));
	EXPECT("retries", (int64_t)info_of(td).retries, 6);
	td_close(td);
}

/* Without progress the attempts end; a second call goes on. */
static void bounded(struct gt *t)
{
	static const struct {
		int kernel;
		int ret;
		const char *text;
	} cases[] = {
		{-EINTR, -EINTR, "signals keep coming"},
		{-EBUSY, -EAGAIN, "busy"},
		{-EAGAIN, -EAGAIN, "busy"},
	};

	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		struct td *td = td_new();
		struct gmem_launch_step step;
		uint64_t done = 0;
		GMEM_INIT(gmem_tdx_add_opts, opts);

		td->fake.turns[0] = (struct fake_turn){7, cases[i].kernel};
		for (size_t j = 1; j < 5; j++)
			td->fake.turns[j] = (struct fake_turn){0, cases[i].kernel};
		td_open(td);
		td_initialize(td);
		step = step_at(td, 0, 20);
		opts.attempts = 3;
		expect_refusal("given up", gmem_tdx_add(td->tdx, &step, 1, &opts, &done),
			       cases[i].ret, cases[i].text);
		EXPECT("done", (int64_t)done, (int64_t)(7 * GT_PAGE));
		EXPECT("calls", td->fake.add_calls, 4);
		opts.start = done;
		EXPECT("the rest", gmem_tdx_add(td->tdx, &step, 1, &opts, &done), 0);
		EXPECT("done", (int64_t)done, (int64_t)(20 * GT_PAGE));
		expect_all_added(td, 20);
		td_close(td);
	}
}

struct watch {
	uint64_t calls, last, stop_at;
	uint8_t *stop;
};

static int watch(void *user, uint64_t done, uint64_t total)
{
	struct watch *w = user;

	w->calls++;
	w->last = done;
	if (w->stop && done >= w->stop_at)
		*w->stop = 1;
	return !w->stop && w->stop_at && done >= w->stop_at;
}

static void cut_and_watched(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[2];
	struct watch w = {.stop_at = 8 * GT_PAGE};
	uint8_t stop = 0;
	uint64_t done = 0;
	GMEM_INIT(gmem_tdx_add_opts, opts);

	td_open(td);
	td_initialize(td);
	steps[0] = step_at(td, 0, 10);
	steps[1] = step_at(td, 10, 10);
	opts.slice = 4 * GT_PAGE;
	opts.progress = watch;
	opts.user = &w;
	expect_refusal("cancelled", gmem_tdx_add(td->tdx, steps, 2, &opts, &done), -ECANCELED,
		       "after 32768 of 81920");
	opts.start = done;
	opts.stop = w.stop = &stop;
	w.stop_at = 12 * GT_PAGE;
	expect_refusal("stopped", gmem_tdx_add(td->tdx, steps, 2, &opts, &done), -EINTR, "stop");
	EXPECT("done", (int64_t)done, (int64_t)(14 * GT_PAGE));
	opts.start = done;
	stop = 0;
	w.stop = NULL;
	w.stop_at = 0;
	EXPECT("the rest", gmem_tdx_add(td->tdx, steps, 2, &opts, &done), 0);
	EXPECT("at the end", (int64_t)w.last, (int64_t)(20 * GT_PAGE));
	expect_all_added(td, 20);
	opts.start = 21 * GT_PAGE;
	expect_refusal("behind the end", gmem_tdx_add(td->tdx, steps, 2, &opts, &done), -EINVAL,
		       "cannot be done");
	td_close(td);
}

/* All kinds of contents: bytes, a file, zeroes; left alone: AUG. */
static void contents(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[4];
	int fd = memfd_create("contents", MFD_CLOEXEC);
	uint64_t word = 0x1234, done = 0;

	MUST(fd >= 0 && ftruncate(fd, 4 * GT_PAGE) == 0 && pwrite(fd, &word, 8, GT_PAGE) == 8);
	td_open(td);
	td_initialize(td);
	steps[0] = step_at(td, 0, 1);
	steps[1] = step_at(td, 1, 3);
	steps[1].bytes = NULL;
	steps[1].flags |= GMEM_LAUNCH_FILE;
	steps[1].fd = fd;
	steps[1].offset = GT_PAGE;
	steps[2] = step_at(td, 4, 2);
	steps[2].type = GMEM_LAUNCH_ZERO;
	steps[2].flags = 0;
	steps[2].bytes = NULL;
	steps[3] = steps[2];
	steps[3].type = GMEM_LAUNCH_AUG;
	steps[3].gpa += 2 * GT_PAGE;
	EXPECT("add", gmem_tdx_add(td->tdx, steps, 4, NULL, &done), 0);
	EXPECT("done", (int64_t)done, (int64_t)(8 * GT_PAGE));
	EXPECT("three were added", td->fake.added_count, 3);
	EXPECT("bytes", (int64_t)td->fake.added[0].first_word, (int64_t)GPA);
	EXPECT("file", (int64_t)td->fake.added[1].first_word, 0x1234);
	EXPECT("zeroes", td->fake.added[2].source != 0 && !td->fake.added[2].first_word, true);
	EXPECT("not measured", td->fake.added[2].flags, 0);
	EXPECT("all are private", (int64_t)td->fake.private_pages, 8);
	EXPECT("bytes", (int64_t)info_of(td).added_bytes, (int64_t)(6 * GT_PAGE));
	EXPECT("measured", (int64_t)info_of(td).measured_bytes, (int64_t)(4 * GT_PAGE));
	steps[1].gpa += 16 * GT_PAGE;
	steps[1].offset = 2 * GT_PAGE;
	expect_refusal("short file", gmem_tdx_add(td->tdx, &steps[1], 1, NULL, &done), -EFAULT,
		       "ends behind its file");
	td_close(td);
	close(fd);
}

static void in_place(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[2];
	uint64_t done = 0;
	GMEM_INIT(gmem_tdx_add_opts, opts);

	td->fake.in_place = true;
	td->fake.turns[0] = (struct fake_turn){1, -EINTR};
	td_open(td);
	td_initialize(td);
	steps[0] = step_at(td, 0, 3);
	steps[0].bytes = (void *)0x10000; /* not looked at */
	steps[1] = step_at(td, 3, 1);
	steps[1].type = GMEM_LAUNCH_ZERO;
	steps[1].bytes = NULL;
	opts.flags = GMEM_TDX_IN_PLACE;
	EXPECT("add", gmem_tdx_add(td->tdx, steps, 2, &opts, &done), 0);
	EXPECT("no source", (int64_t)td->fake.added[0].source, 0);
	EXPECT("none after progress", (int64_t)td->fake.added[1].source, 0);
	EXPECT("zeroes have one", td->fake.added[2].source != 0, true);
	td_close(td);
}

static void not_in_place(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step step;
	uint64_t done = 0;
	GMEM_INIT(gmem_tdx_add_opts, opts);

	td_open(td);
	td_initialize(td);
	step = step_at(td, 0, 3);
	opts.flags = GMEM_TDX_IN_PLACE;
	expect_refusal("two backings", gmem_tdx_add(td->tdx, &step, 1, &opts, &done), -EOPNOTSUPP,
		       "in place");
	EXPECT("the feature", gmem_errinfo()->feature, GMEM_FEATURE_CONVERT_INPLACE);
	opts.flags = 2;
	expect_refusal("flags", gmem_tdx_add(td->tdx, &step, 1, &opts, &done), -EINVAL, "flags");
	td_close(td);
}

static void module_dies(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step step;
	uint64_t done = 0;

	td->fake.turns[0] = (struct fake_turn){2, -EIO};
	td_open(td);
	td_initialize(td);
	step = step_at(td, 0, 3);
	expect_refusal("alive still", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), -EIO,
		       "KVM_TDX_INIT_MEM_REGION: EIO");
	EXPECT("state", info_of(td).state, GMEM_TDX_INITIALIZED);
	EXPECT("done", (int64_t)done, (int64_t)(2 * GT_PAGE));
	td->fake.is_dead = true;
	expect_refusal("dead now", gmem_tdx_finalize(td->tdx), -EIO, "the VM is dead");
	EXPECT("state", info_of(td).state, GMEM_TDX_DEAD);
	expect_refusal("dead before", gmem_tdx_finalize(td->tdx), -ESTALE, "failed before");
	td->fake.is_dead = false;
	td_close(td);
}

static void module_ends_late(struct gt *t)
{
	struct td *td = td_new();

	td->fake.finalize_errors[0] = -EBUSY;
	td->fake.finalize_errors[1] = -EIO;
	td->fake.finalize_status = GMI_TDX_OPERAND_BUSY;
	td_open(td);
	td_initialize(td);
	expect_refusal("busy, then failed", gmem_tdx_finalize(td->tdx), -EIO, "OPERAND_BUSY");
	EXPECT("calls", td->fake.finalize_calls, 2);
	EXPECT("third time", gmem_tdx_finalize(td->tdx), 0);
	EXPECT("state", info_of(td).state, GMEM_TDX_FINALIZED);
	td_close(td);
}

static void kernel_lies(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step step;
	uint64_t done = 0;

	td->fake.lies = true;
	td_open(td);
	td_initialize(td);
	step = step_at(td, 0, 3);
	EXPECT("refused", gmem_tdx_add(td->tdx, &step, 1, NULL, &done), -EIO);
	EXPECT("done", (int64_t)done, 0);
	td_close(td);
}

static void whole(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_launch_step steps[2];
	struct gmem_tdx_init_opts init = good_init();
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);
	GMEM_INIT(gmem_tdx_launch_opts, opts);
	int fds[2];

	td->fake.turns[0] = (struct fake_turn){2, -EFAULT};
	td_open(td);
	steps[0] = step_at(td, 0, 4);
	steps[1] = step_at(td, 4, 1);
	steps[1].type = GMEM_LAUNCH_TD_HOB;
	steps[1].flags = 0;
	cpuid.entries = &wanted[1];
	cpuid.count = 1;
	init.cpuid = &cpuid;
	opts.init = &init;
	opts.vcpus = 2;
	expect_refusal("x2APIC", gmem_tdx_launch(td->tdx, steps, 2, &opts), -EINVAL, "x2APIC");
	cpuid.entries = wanted;
	cpuid.count = GT_COUNT(wanted);
	opts.vcpus = 5;
	expect_refusal("vCPUs", gmem_tdx_launch(td->tdx, steps, 2, &opts), -EINVAL, "1 to 4");
	opts.vcpus = 2;
	expect_refusal("half", gmem_tdx_launch(td->tdx, steps, 2, &opts), -EFAULT, "EFAULT");
	EXPECT("the other half", gmem_tdx_launch(td->tdx, steps, 2, &opts), 0);
	EXPECT("state", info_of(td).state, GMEM_TDX_FINALIZED);
	EXPECT("vCPUs", info_of(td).vcpus, 2);
	EXPECT("made once", td->fake.vcpus_made, 2);
	EXPECT("the HOB's address", (int64_t)td->fake.vcpu_rcx[1], (int64_t)steps[1].gpa);
	EXPECT("memory", (int64_t)info_of(td).added_bytes, (int64_t)(5 * GT_PAGE));
	for (uint32_t i = 0; i < 2; i++) {
		fds[i] = gmem_tdx_take_vcpu(td->tdx, i);
		EXPECT("a vCPU", fds[i] >= 0, true);
		close(fds[i]);
	}
	expect_refusal("taken", gmem_tdx_take_vcpu(td->tdx, 0), -ENOENT, "no vCPU 0");
	expect_refusal("over", gmem_tdx_launch(td->tdx, steps, 2, &opts), -EINVAL, "is finalized");
	td_close(td);
}

static void adopted(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx *tdx;
	struct gmem_launch_step step;
	GMEM_INIT(gmem_tdx_opts, opts);

	td_open(td);
	opts.gpa_width = 48;
	expect_refusal("width alone", gmem_tdx_create(td->vm, &opts, &tdx), -EINVAL, "else 0");
	opts.flags = GMEM_TDX_ADOPT;
	MUST(gmem_tdx_create(td->vm, &opts, &tdx) == 0);
	step = step_at(td, 0, 1);
	expect_refusal("no vCPU", gmem_tdx_add(tdx, &step, 1, NULL, NULL), -EINVAL, "needs a vCPU");
	EXPECT("vCPU", gmem_tdx_adopt_vcpu(tdx, 9), 0);
	expect_refusal("again", gmem_tdx_adopt_vcpu(tdx, 9), -EINVAL, "already");
	EXPECT("add", gmem_tdx_add(tdx, &step, 1, NULL, NULL), 0);
	EXPECT("KVM: INIT_VCPU", td->fake.vcpus_initialized, 0);
	gmem_tdx_unref(tdx);
	td_close(td);
}

static void unaccepted(struct gt *t)
{
	static const struct gmem_range ram[] = {{0, 0x10000}, {0x100000, 0x8000}};
	static const struct gmem_launch_step steps[] = {
		{.gpa = 0x3000, .size = 0x2000, .type = GMEM_LAUNCH_ZERO},
		{.gpa = 0x5000, .size = 0x1000, .type = GMEM_LAUNCH_TD_HOB},
		{.gpa = 0x8000, .size = 0x1000, .type = GMEM_LAUNCH_AUG},
		{.gpa = 0x100000, .size = 0x1000, .type = GMEM_LAUNCH_ZERO},
		{.gpa = 0xfffff000, .size = 0x1000, .type = GMEM_LAUNCH_ZERO},
	};
	static const struct gmem_range want[] = {{0, 0x3000}, {0x6000, 0xa000}, {0x101000, 0x7000}};
	struct gmem_range range = {0};
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < GT_COUNT(want); i++) {
		EXPECT("next", gmem_tdx_next_unaccepted(ram, 2, steps, 5, at, &range), 0);
		EXPECT("start", (int64_t)range.start, (int64_t)want[i].start);
		EXPECT("size", (int64_t)range.size, (int64_t)want[i].size);
		at = range.start + range.size;
	}
	expect_refusal("no more", gmem_tdx_next_unaccepted(ram, 2, steps, 5, at, &range), -ENOENT,
		       "adds all RAM");
	expect_refusal("NULL", gmem_tdx_next_unaccepted(NULL, 2, steps, 5, at, &range), -EINVAL,
		       "NULL");
}

static void nulls(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_tdx_cpuid entry;
	GMEM_INIT(gmem_tdx_info, info);
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);
	struct gmem_tdx *tdx;
	size_t count;
	char text[8];

	td_open(td);
	expect_refusal("create: vm", gmem_tdx_create(NULL, NULL, &tdx), -EINVAL, "NULL");
	expect_refusal("create: ret", gmem_tdx_create(td->vm, NULL, NULL), -EINVAL, "NULL");
	expect_refusal("info: tdx", gmem_tdx_get_info(NULL, &info), -EINVAL, "NULL");
	expect_refusal("info: ret", gmem_tdx_get_info(td->tdx, NULL), -EINVAL, "NULL");
	expect_refusal("filter: tdx", gmem_tdx_filter_cpuid(NULL, &cpuid, &entry, 1, &count),
		       -EINVAL, "NULL");
	expect_refusal("filter: opts", gmem_tdx_filter_cpuid(td->tdx, NULL, &entry, 1, &count),
		       -EINVAL, "NULL");
	expect_refusal("filter: ret", gmem_tdx_filter_cpuid(td->tdx, &cpuid, NULL, 1, &count),
		       -EINVAL, "NULL");
	expect_refusal("text", gmem_tdx_difference_text(NULL, text, sizeof(text)), -EINVAL, "NULL");
	expect_refusal("setup", gmem_tdx_setup(NULL, NULL), -EINVAL, "NULL");
	expect_refusal("init", gmem_tdx_init_vm(NULL, NULL), -EINVAL, "NULL");
	expect_refusal("vCPU", gmem_tdx_init_vcpu(NULL, 0, 0), -EINVAL, "NULL");
	expect_refusal("adopt", gmem_tdx_adopt_vcpu(NULL, 0), -EINVAL, "NULL");
	expect_refusal("take", gmem_tdx_take_vcpu(NULL, 0), -EINVAL, "NULL");
	expect_refusal("read", gmem_tdx_read_cpuid(NULL, 0, &entry, 1, &count), -EINVAL, "NULL");
	expect_refusal("compare", gmem_tdx_compare_cpuid(NULL, 0, &cpuid), -EINVAL, "NULL");
	expect_refusal("add", gmem_tdx_add(NULL, NULL, 0, NULL, NULL), -EINVAL, "NULL");
	expect_refusal("finalize", gmem_tdx_finalize(NULL), -EINVAL, "NULL");
	expect_refusal("launch", gmem_tdx_launch(NULL, NULL, 0, NULL), -EINVAL, "NULL");
	td_initialize(td);
	expect_refusal("add: steps", gmem_tdx_add(td->tdx, NULL, 1, NULL, NULL), -EINVAL, "NULL");
	expect_refusal("compare: opts", gmem_tdx_compare_cpuid(td->tdx, td->vcpu, NULL), -EINVAL,
		       "NULL");
	expect_refusal("read: fd", gmem_tdx_read_cpuid(td->tdx, -1, &entry, 1, &count), -EINVAL,
		       "no descriptor");
	expect_refusal("vCPU: fd", gmem_tdx_init_vcpu(td->tdx, -1, 0), -EINVAL, "no descriptor");
	EXPECT("nothing to add", gmem_tdx_add(td->tdx, NULL, 0, NULL, NULL), 0);
	EXPECT("nothing to forget", gmem_tdx_unref(NULL) == NULL, true);
	td_close(td);
}

static void other_type(struct gt *t)
{
	struct td *td = td_new();
	struct gmem_vm *vm;
	struct gmem_tdx *tdx;

	td->fake.other_types = 1 << GMI_KVM_X86_DEFAULT_VM;
	td_open(td);
	MUST(gmem_vm_create(td->ctx, GMEM_VM_DEFAULT, NULL, &vm) == 0);
	expect_refusal("type", gmem_tdx_create(vm, NULL, &tdx), -EINVAL, "type tdx");
	gmem_vm_unref(vm);
	td_close(td);
}

static void status_names(struct gt *t)
{
	static const struct {
		uint64_t status;
		const char *name;
	} cases[] = {
		{0, "SUCCESS"},
		{GMI_TDX_OPERAND_INVALID | 64, "OPERAND_INVALID: ATTRIBUTES"},
		{GMI_TDX_OPERAND_INVALID | 70, "OPERAND_INVALID: TSC_FREQUENCY"},
		{GMI_TDX_OPERAND_INVALID | 71, "OPERAND_INVALID"},
		{GMI_TDX_OPERAND_INVALID | 63, "OPERAND_INVALID"},
		{GMI_TDX_EPT_ENTRY_STATE_INCORRECT | 9, "EPT_ENTRY_STATE_INCORRECT"},
		{UINT64_MAX, "unknown"},
	};

	for (size_t i = 0; i < GT_COUNT(cases); i++)
		EXPECT_CASE(cases[i].name, "the name",
			    strcmp(gmem_tdx_status_name(cases[i].status), cases[i].name), 0);
}

static const struct gt_test tests[] = {
	{"capabilities", capabilities, .flags = GT_NO_KERNEL},
	{"setup", setup, .flags = GT_NO_KERNEL},
	{"init_retries", init_retries, .flags = GT_NO_KERNEL},
	{"init_fails", init_fails, .flags = GT_NO_KERNEL},
	{"init_refused", init_refused, .flags = GT_NO_KERNEL},
	{"cpuid_filter", cpuid_filter, .flags = GT_NO_KERNEL},
	{"cpuid_given", cpuid_given, .flags = GT_NO_KERNEL},
	{"cpuid_compared", cpuid_compared, .flags = GT_NO_KERNEL},
	{"order", order, .flags = GT_NO_KERNEL},
	{"steps_refused", steps_refused, .flags = GT_NO_KERNEL},
	{"twice", twice, .flags = GT_NO_KERNEL},
	{"progress", progress, .flags = GT_NO_KERNEL},
	{"bounded", bounded, .flags = GT_NO_KERNEL},
	{"cut_and_watched", cut_and_watched, .flags = GT_NO_KERNEL},
	{"contents", contents, .flags = GT_NO_KERNEL},
	{"in_place", in_place, .flags = GT_NO_KERNEL},
	{"not_in_place", not_in_place, .flags = GT_NO_KERNEL},
	{"module_dies", module_dies, .flags = GT_NO_KERNEL},
	{"module_ends_late", module_ends_late, .flags = GT_NO_KERNEL},
	{"kernel_lies", kernel_lies, .flags = GT_NO_KERNEL},
	{"whole", whole, .flags = GT_NO_KERNEL},
	{"adopted", adopted, .flags = GT_NO_KERNEL},
	{"unaccepted", unaccepted, .flags = GT_NO_KERNEL},
	{"nulls", nulls, .flags = GT_NO_KERNEL},
	{"other_type", other_type, .flags = GT_NO_KERNEL},
	{"status_names", status_names, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
