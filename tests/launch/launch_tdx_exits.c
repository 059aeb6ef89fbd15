/* SPDX-License-Identifier: MIT */
/* Exits of TDs: what gmem_tdx_exit_read() makes of kvm_run, and what answers leave there. */
#include <libgmem/libgmem.h>

#include "gt_kvm.h"
#include "td_fake.h"

#define GPA  UINT64_C(0x100000)
#define SIZE (16 * GT_PAGE)

struct td {
	struct fake fake;
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slot;
	struct gmem_tdx *tdx;
};

static struct td *td_open(void)
{
	struct td *td = calloc(1, sizeof(*td));
	GMEM_INIT(gmem_ctx_opts, ctx);
	GMEM_INIT(gmem_slot_opts, slot);

	MUST(td);
	ctx.sys = fake_ops();
	ctx.sys_user = &td->fake;
	MUST(gmem_ctx_create(&ctx, &td->ctx) == 0);
	MUST(gmem_vm_create(td->ctx, GMEM_VM_TDX, NULL, &td->vm) == 0);
	MUST(gmem_file_create(td->vm, SIZE, NULL, &td->file) == 0);
	slot.file = td->file;
	MUST(gmem_slot_bind(td->vm, GPA, SIZE, &slot, &td->slot) == 0);
	MUST(gmem_tdx_create(td->vm, NULL, &td->tdx) == 0);
	MUST(gmem_convert(td->vm, GPA + 8 * GT_PAGE, GT_PAGE, GMEM_PRIVATE, NULL, NULL) == 0);
	return td;
}

static void td_close(struct td *td)
{
	gmem_tdx_unref(td->tdx);
	gmem_slot_unbind(td->slot);
	gmem_file_unref(td->file);
	gmem_vm_unref(td->vm);
	gmem_ctx_unref(td->ctx);
	free(td);
}

static struct gmem_tdx_exit read_exit(struct td *td, const struct gmi_kvm_run *run, int run_error)
{
	GMEM_INIT(gmem_tdx_exit, exit);

	EXPECT("read", gmem_tdx_exit_read(td ? td->vm : NULL, run, run_error, &exit), 0);
	return exit;
}

static struct gmi_kvm_run call(uint64_t nr)
{
	struct gmi_kvm_run run = {.exit_reason = GMI_KVM_EXIT_TDX};

	run.tdx.nr = nr;
	run.tdx.unknown.ret = GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED;
	return run;
}

static void quote(struct gt *t)
{
	static const struct {
		const char *name;
		uint64_t gpa, size;
		int problem;
		uint64_t advice;
	} cases[] = {
		{"good", GPA, 4 * GT_PAGE, 0, 0},
		{"unaligned", GPA + 8, GT_PAGE, -EINVAL, GMEM_TDX_ALIGN_ERROR},
		{"unaligned size", GPA, 100, -EINVAL, GMEM_TDX_ALIGN_ERROR},
		{"empty", GPA, 0, -EINVAL, GMEM_TDX_INVALID_OPERAND},
		{"wraps", UINT64_MAX - 4095, 2 * GT_PAGE, -EINVAL, GMEM_TDX_INVALID_OPERAND},
		{"huge", GPA, UINT64_C(1) << 60, -EINVAL, GMEM_TDX_INVALID_OPERAND},
		{"unbound", 0, GT_PAGE, -ENOENT, GMEM_TDX_INVALID_OPERAND},
		{"ends outside", GPA + 15 * GT_PAGE, 2 * GT_PAGE, -ENOENT,
		 GMEM_TDX_INVALID_OPERAND},
		{"partly private", GPA + 7 * GT_PAGE, 2 * GT_PAGE, -EACCES,
		 GMEM_TDX_INVALID_OPERAND},
	};
	struct td *td = td_open();
	struct gmi_kvm_run run = call(GMI_TDVMCALL_GET_QUOTE);
	struct gmem_tdx_exit exit;

	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		run.tdx.get_quote.gpa = cases[i].gpa;
		run.tdx.get_quote.size = cases[i].size;
		exit = read_exit(td, &run, 0);
		EXPECT_CASE(cases[i].name, "kind", exit.kind, GMEM_TDX_EXIT_QUOTE);
		EXPECT_CASE(cases[i].name, "problem", exit.problem, cases[i].problem);
		EXPECT_CASE(cases[i].name, "advice", (int64_t)exit.advice,
			    (int64_t)cases[i].advice);
		EXPECT_CASE(cases[i].name, "memory", exit.hva != NULL, !cases[i].problem);
	}
	EXPECT("no VM: no memory", read_exit(NULL, &run, 0).hva == NULL, true);
	EXPECT("answer", gmem_tdx_exit_answer(&run, GMEM_TDX_RETRY), 0);
	EXPECT("is there", (int64_t)run.tdx.get_quote.ret, GMI_TDVMCALL_STATUS_RETRY);
	EXPECT("no status", gmem_tdx_exit_answer(&run, 2), -EINVAL);
	EXPECT("is as it was", (int64_t)run.tdx.get_quote.ret, GMI_TDVMCALL_STATUS_RETRY);
	td_close(td);
}

static void calls(struct gt *t)
{
	static const uint64_t offered[2] = {6, 6};
	struct td *td = td_open();
	struct gmi_kvm_run run = call(GMI_TDVMCALL_GET_TD_VM_CALL_INFO);
	struct gmem_tdx_exit exit;

	run.tdx.get_tdvmcall_info.leaf = 1;
	exit = read_exit(td, &run, 0);
	EXPECT("kind", exit.kind, GMEM_TDX_EXIT_CALLS);
	EXPECT("leaf", (int64_t)exit.leaf, 1);
	EXPECT("problem", exit.problem, 0);
	EXPECT("plain answer", gmem_tdx_exit_answer(&run, 0), -EINVAL);
	EXPECT("answer", gmem_tdx_exit_answer_calls(td->tdx, &run, offered), 0);
	EXPECT("status", (int64_t)run.tdx.get_tdvmcall_info.ret, 0);
	EXPECT("what KVM passes on", (int64_t)run.tdx.get_tdvmcall_info.r11, 2);
	EXPECT("what KVM serves", (int64_t)run.tdx.get_tdvmcall_info.r12, 0x100);
	run.tdx.get_tdvmcall_info.leaf = 2;
	EXPECT("another leaf", read_exit(td, &run, 0).problem, -EINVAL);
	EXPECT("NULL", gmem_tdx_exit_answer_calls(td->tdx, &run, NULL), -EINVAL);
	EXPECT("NULL", gmem_tdx_exit_answer_calls(td->tdx, NULL, offered), -EINVAL);
	td_close(td);
}

static void notify(struct gt *t)
{
	static const struct {
		uint64_t vector;
		int problem;
	} cases[] = {{31, -EINVAL},
		     {32, 0},
		     {255, 0},
		     {256, -EINVAL},
		     {UINT64_C(1) << 32 | 40, -EINVAL}};
	struct gmi_kvm_run run = call(GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT);
	struct gmem_tdx_exit exit;

	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		run.tdx.setup_event_notify.vector = cases[i].vector;
		exit = read_exit(NULL, &run, 0);
		EXPECT("kind", exit.kind, GMEM_TDX_EXIT_NOTIFY);
		EXPECT("problem", exit.problem, cases[i].problem);
		EXPECT("vector", exit.vector, exit.problem ? 0 : (int64_t)cases[i].vector);
	}
	EXPECT("answer", gmem_tdx_exit_answer(&run, GMEM_TDX_SUCCESS), 0);
	EXPECT("is there", (int64_t)run.tdx.setup_event_notify.ret, 0);
}

/* RCX: which registers carry text, of x86's numbers. */
static struct gmi_kvm_run fatal(uint64_t registers)
{
	struct gmi_kvm_run run = {.exit_reason = GMI_KVM_EXIT_SYSTEM_EVENT};

	run.system_event.type = GMI_KVM_SYSTEM_EVENT_TDX_FATAL;
	run.system_event.ndata = 16;
	run.system_event.data[1] = registers;
	return run;
}

#define TEXT_REGISTERS 0xc3cc /* RDX, RBX, RSI, RDI, R8, R9, R14, R15 */

static void put(struct gmi_kvm_run *run, const char *text)
{
	static const uint8_t order[] = {14, 15, 3, 7, 6, 8, 9, 2};
	char padded[65] = {0};

	strncpy(padded, text, 64);
	for (size_t i = 0; i < 8; i++)
		memcpy(&run->system_event.data[order[i]], padded + 8 * i, 8);
}

static void last_words(struct gt *t)
{
	static const struct {
		const char *said;
		uint64_t registers;
		const char *text;
	} cases[] = {
		{"No bootable device", TEXT_REGISTERS, "No bootable device"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", TEXT_REGISTERS,
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"\033[2Jhi\n\xff", TEXT_REGISTERS, "?[2Jhi??"},
		{"", TEXT_REGISTERS, ""},
		{"passed, not passed", 1u << 14, "passed, "},
		{"nothing passed", 0, ""},
	};
	struct gmi_kvm_run run;
	struct gmem_tdx_exit exit;

	for (size_t i = 0; i < GT_COUNT(cases); i++) {
		run = fatal(cases[i].registers);
		put(&run, cases[i].said);
		run.system_event.data[12] = UINT64_C(1) << 63 | 7;
		run.system_event.data[13] = 0x5000;
		exit = read_exit(NULL, &run, 0);
		EXPECT("kind", exit.kind, GMEM_TDX_EXIT_FATAL);
		EXPECT("code", (int64_t)exit.error, 7);
		EXPECT("address", (int64_t)exit.gpa, 0x5000);
		if (!EXPECT("text", strcmp(exit.text, cases[i].text), 0))
			fprintf(stderr, "  \"%s\"\n", exit.text);
	}
	run.system_event.data[12] = 7;
	EXPECT("no address", (int64_t)read_exit(NULL, &run, 0).gpa, -1);
	run.system_event.ndata = 3;
	EXPECT("too few registers", read_exit(NULL, &run, 0).kind, GMEM_TDX_EXIT_NOT_MINE);
}

static void others(struct gt *t)
{
	struct gmi_kvm_run run = call(0x10009);
	struct gmem_tdx_exit exit = read_exit(NULL, &run, 0);
	GMEM_INIT(gmem_tdx_exit, ret);

	EXPECT("of a newer kernel", exit.kind, GMEM_TDX_EXIT_UNKNOWN);
	EXPECT("its number", (int64_t)exit.leaf, 0x10009);
	EXPECT("no answer to it", gmem_tdx_exit_answer(&run, 0), -EINVAL);
	EXPECT("KVM_RUN failed", read_exit(NULL, &run, -EFAULT).kind, GMEM_TDX_EXIT_NOT_MINE);
	run.exit_reason = GMI_KVM_EXIT_HYPERCALL;
	EXPECT("MapGPA", read_exit(NULL, &run, 0).kind, GMEM_TDX_EXIT_NOT_MINE);
	EXPECT("no answer to it", gmem_tdx_exit_answer(&run, 0), -EINVAL);
	EXPECT("NULL", gmem_tdx_exit_read(NULL, NULL, 0, &ret), -EINVAL);
	EXPECT("NULL", gmem_tdx_exit_read(NULL, &run, 0, NULL), -EINVAL);
	EXPECT("error", gmem_tdx_exit_read(NULL, &run, 5, &ret), -EINVAL);
	EXPECT("NULL", gmem_tdx_exit_answer(NULL, 0), -EINVAL);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool is_sound(const struct gmem_tdx_exit *exit, const struct gmem_slot_info *slot)
{
	uint64_t at = (uint64_t)((uintptr_t)exit->hva - (uintptr_t)slot->hva);

	for (size_t i = 0; exit->text[i]; i++)
		if (i >= GMEM_TDX_TEXT_MAX || exit->text[i] < ' ' || exit->text[i] > '~')
			return false;
	return !exit->hva || (at < SIZE && exit->size <= SIZE - at && !exit->problem);
}

/* Whatever stands in kvm_run: no text that cannot be printed, no memory outside of the range. */
static void hostile(struct gt *t)
{
	struct td *td = td_open();
	struct gmi_kvm_run run;
	uint64_t state = 0x9e3779b97f4a7c15, *words = (uint64_t *)&run.tdx;
	GMEM_INIT(gmem_slot_info, slot);
	uint64_t bad = 0, buffers = 0;

	MUST(gmem_slot_get_info(td->slot, &slot) == 0);
	for (size_t i = 0; i < 200000; i++) {
		struct gmem_tdx_exit exit = {.sz = sizeof(exit)};

		memset(&run, 0, sizeof(run));
		for (size_t j = 0; j < 18; j++)
			words[j] = next_random(&state) >> (next_random(&state) % 64);
		run.exit_reason = i % 2 ? GMI_KVM_EXIT_TDX : GMI_KVM_EXIT_SYSTEM_EVENT;
		if (i % 2) {
			run.tdx.nr = 0x10000 + next_random(&state) % 6;
			run.tdx.get_quote.gpa = GPA + (next_random(&state) % 20 << 12);
			run.tdx.get_quote.size = next_random(&state) % 20 << 12;
		} else {
			run.system_event.type = GMI_KVM_SYSTEM_EVENT_TDX_FATAL;
			run.system_event.ndata = 16;
		}
		bad += gmem_tdx_exit_read(td->vm, &run, 0, &exit) != 0 || !is_sound(&exit, &slot);
		buffers += exit.hva != NULL;
	}
	EXPECT("unsound", (int64_t)bad, 0);
	EXPECT("buffers were among them", buffers > 100, true);
	td_close(td);
}

/* MapGPA: KVM takes 0, EAGAIN and EINVAL, as positive numbers; up to 6.18 any number but 0 is no. */
static void map_gpa(struct gt *t)
{
	struct td *td = td_open();
	struct gmi_kvm_run run = {.exit_reason = GMI_KVM_EXIT_HYPERCALL};
	GMEM_INIT(gmem_exit, exit);

	run.hypercall.nr = GMI_KVM_HC_MAP_GPA_RANGE;
	run.hypercall.args[0] = GPA;
	run.hypercall.args[1] = 2;
	run.hypercall.args[2] = GMI_KVM_MAP_GPA_RANGE_ENCRYPTED;
	EXPECT("to private", gmem_exit_handle(td->vm, &run, 0, &exit), 0);
	EXPECT("answer", (int64_t)run.hypercall.ret, 0);
	EXPECT("state", gmem_attr_query(td->vm, GPA, 2 * GT_PAGE), GMEM_PRIVATE);
	run.hypercall.args[0] = 0;
	EXPECT("unbound", gmem_exit_handle(td->vm, &run, 0, &exit), 0);
	EXPECT("answer", (int64_t)run.hypercall.ret, EINVAL);
	run.hypercall.args[0] = GPA;
	run.hypercall.args[2] = 0;
	td->fake.attribute_error = -EAGAIN;
	EXPECT("busy", gmem_exit_handle(td->vm, &run, 0, &exit), 0);
	EXPECT("answer", (int64_t)run.hypercall.ret, EAGAIN);
	EXPECT("told", exit.flags & GMEM_EXIT_REFUSED, GMEM_EXIT_REFUSED);
	td->fake.attribute_error = 0;
	EXPECT("again", gmem_exit_handle(td->vm, &run, 0, &exit), 0);
	EXPECT("answer", (int64_t)run.hypercall.ret, 0);
	td_close(td);
}

static const struct gt_test tests[] = {
	{"quote", quote, .flags = GT_NO_KERNEL},
	{"calls", calls, .flags = GT_NO_KERNEL},
	{"notify", notify, .flags = GT_NO_KERNEL},
	{"last_words", last_words, .flags = GT_NO_KERNEL},
	{"others", others, .flags = GT_NO_KERNEL},
	{"map_gpa", map_gpa, .flags = GT_NO_KERNEL},
	{"hostile", hostile, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
