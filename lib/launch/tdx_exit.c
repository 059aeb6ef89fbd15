/* SPDX-License-Identifier: MIT */
/* What a TD asks of its VMM beside conversions: decoded as hostile input, answered. */
#include <errno.h>
#include <string.h>

#include <libgmem/slot.h>

#include "errinfo.h"
#include "opts.h"
#include "range.h"
#include "tdx_object.h"

/* ReportFatalError, as KVM hands it on (tdx.c tdx_report_fatal_error()): x86's register order. */
enum {
	RCX = 1,
	RDX = 2,
	RBX = 3,
	RSI = 6,
	RDI = 7,
	R8 = 8,
	R9 = 9,
	R12 = 12,
	R13 = 13,
	R14 = 14,
	R15 = 15,
	REGISTERS = 16
};

#define ERROR_HAS_GPA (UINT64_C(1) << 63)

static int problem_with(struct gmem_tdx_exit *exit, int problem, uint64_t advice)
{
	exit->problem = problem;
	exit->advice = advice;
	return problem;
}

/* KVM passes any size and alignment on (tdx.c tdx_get_quote()). */
static int check_buffer(struct gmem_vm *vm, struct gmem_tdx_exit *exit, struct gmem_slot_info *slot)
{
	if (!gmi_is_aligned(exit->gpa, GMEM_PAGE_SIZE) ||
	    !gmi_is_aligned(exit->size, GMEM_PAGE_SIZE))
		return problem_with(exit, -EINVAL, GMEM_TDX_ALIGN_ERROR);
	if (!exit->size || !gmi_range_is_within(exit->gpa, exit->size, GMI_ATTRMAP_LIMIT_MAX))
		return problem_with(exit, -EINVAL, GMEM_TDX_INVALID_OPERAND);
	if (!vm)
		return 0;
	if (gmem_slot_lookup(vm, 0, exit->gpa, slot) ||
	    exit->size > slot->size - (exit->gpa - slot->gpa))
		return problem_with(exit, -ENOENT, GMEM_TDX_INVALID_OPERAND);
	if (gmem_attr_query(vm, exit->gpa, exit->size) != GMEM_SHARED)
		return problem_with(exit, -EACCES, GMEM_TDX_INVALID_OPERAND);
	return 0;
}

static void read_quote(struct gmem_vm *vm, const struct gmi_kvm_exit_tdx *tdx,
		       struct gmem_tdx_exit *exit)
{
	struct gmem_errinfo before = *gmem_errinfo();
	GMEM_INIT(gmem_slot_info, slot);

	exit->kind = GMEM_TDX_EXIT_QUOTE;
	exit->gpa = tdx->get_quote.gpa;
	exit->size = tdx->get_quote.size;
	if (!check_buffer(vm, exit, &slot) && slot.hva)
		exit->hva = (uint8_t *)slot.hva + (exit->gpa - slot.gpa);
	gmi_errinfo_restore(&before);
}

static void read_notify(const struct gmi_kvm_exit_tdx *tdx, struct gmem_tdx_exit *exit)
{
	uint64_t vector = tdx->setup_event_notify.vector;

	exit->kind = GMEM_TDX_EXIT_NOTIFY;
	if (vector < 32 || vector > 255)
		problem_with(exit, -EINVAL, GMEM_TDX_INVALID_OPERAND);
	else
		exit->vector = (uint32_t)vector;
}

static void read_call(struct gmem_vm *vm, const struct gmi_kvm_exit_tdx *tdx,
		      struct gmem_tdx_exit *exit)
{
	switch (tdx->nr) {
	case GMI_TDVMCALL_GET_QUOTE:
		read_quote(vm, tdx, exit);
		break;
	case GMI_TDVMCALL_GET_TD_VM_CALL_INFO:
		exit->kind = GMEM_TDX_EXIT_CALLS;
		exit->leaf = tdx->get_tdvmcall_info.leaf;
		if (exit->leaf != 1)
			problem_with(exit, -EINVAL, GMEM_TDX_INVALID_OPERAND);
		break;
	case GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT:
		read_notify(tdx, exit);
		break;
	default:
		exit->kind = GMEM_TDX_EXIT_UNKNOWN;
		exit->leaf = tdx->nr;
	}
}

/* The order in which the guest-host interface spreads the text over registers. */
static const uint8_t text_registers[] = {R14, R15, RBX, RDI, RSI, R8, R9, RDX};

_Static_assert(sizeof(text_registers) * 8 == GMEM_TDX_TEXT_MAX, "eight registers of text");

static char printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
}

/* A register that the guest did not pass ends the text, as its NUL does. */
static void read_text(const uint64_t *registers, char *text)
{
	size_t used = 0;

	for (size_t i = 0; i < sizeof(text_registers); i++) {
		uint64_t value = registers[text_registers[i]];

		if (!(registers[RCX] >> text_registers[i] & 1))
			break;
		for (uint32_t byte = 0; byte < 8 && (uint8_t)(value >> 8 * byte); byte++)
			text[used++] = printable((uint8_t)(value >> 8 * byte));
		if (used != 8 * (i + 1))
			break;
	}
	text[used] = '\0';
}

static void read_fatal(const uint64_t *registers, struct gmem_tdx_exit *exit)
{
	exit->kind = GMEM_TDX_EXIT_FATAL;
	exit->error = registers[R12] & ~ERROR_HAS_GPA;
	exit->gpa = registers[R12] & ERROR_HAS_GPA ? registers[R13] : UINT64_MAX;
	read_text(registers, exit->text);
}

static bool is_fatal(const struct gmi_kvm_run *run)
{
	return run->exit_reason == GMI_KVM_EXIT_SYSTEM_EVENT &&
	       run->system_event.type == GMI_KVM_SYSTEM_EVENT_TDX_FATAL &&
	       run->system_event.ndata >= REGISTERS;
}

static int read_exit(struct gmem_vm *vm, const struct gmi_kvm_run *run, int run_error,
		     struct gmem_tdx_exit *ret_exit)
{
	struct gmem_tdx_exit exit = {.sz = sizeof(exit)};
	int ret;

	if (!run)
		return gmi_error_arg("run", "a NULL pointer");
	if (run_error > 0)
		return gmi_error_arg("run_error", "%d is neither 0 nor -errno", run_error);
	ret = gmi_info_check(ret_exit, sizeof(exit));
	if (ret)
		return ret;
	if (!run_error && run->exit_reason == GMI_KVM_EXIT_TDX)
		read_call(vm, &run->tdx, &exit);
	else if (!run_error && is_fatal(run))
		read_fatal(run->system_event.data, &exit);
	gmi_info_put(ret_exit, &exit, sizeof(exit));
	return 0;
}

GMEM_API int gmem_tdx_exit_read(struct gmem_vm *vm, const void *run, int run_error,
				struct gmem_tdx_exit *ret_exit)
{
	return gmi_result(__func__, read_exit(vm, run, run_error, ret_exit));
}

static int expect_call(const struct gmi_kvm_run *run, uint64_t call, uint64_t other)
{
	if (!run)
		return gmi_error_arg("run", "a NULL pointer");
	if (run->exit_reason != GMI_KVM_EXIT_TDX || (run->tdx.nr != call && run->tdx.nr != other))
		return gmi_error_arg("run", "the vCPU is not at an exit with that call");
	return 0;
}

static bool is_status(uint64_t status)
{
	return status == GMEM_TDX_SUCCESS || status == GMEM_TDX_RETRY ||
	       status == GMEM_TDX_INVALID_OPERAND || status == GMEM_TDX_ALIGN_ERROR ||
	       status == GMEM_TDX_UNSUPPORTED;
}

/* The status is the first member of every call's part of the union. */
static int answer(struct gmi_kvm_run *run, uint64_t status)
{
	int ret =
		expect_call(run, GMI_TDVMCALL_GET_QUOTE, GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT);

	if (ret)
		return ret;
	if (!is_status(status))
		return gmi_error_arg("status", "%#llx is no status of a call",
				     (unsigned long long)status);
	run->tdx.unknown.ret = status;
	return 0;
}

GMEM_API int gmem_tdx_exit_answer(void *run, uint64_t status)
{
	return gmi_result(__func__, answer(run, status));
}

static int answer_calls(const struct gmem_tdx *tdx, struct gmi_kvm_run *run,
			const uint64_t *offered)
{
	int ret = expect_call(run, GMI_TDVMCALL_GET_TD_VM_CALL_INFO,
			      GMI_TDVMCALL_GET_TD_VM_CALL_INFO);

	if (ret)
		return ret;
	if (!tdx || !offered)
		return gmi_error_arg(tdx ? "offered" : "tdx", "a NULL pointer");
	run->tdx.get_tdvmcall_info.ret = GMEM_TDX_SUCCESS;
	run->tdx.get_tdvmcall_info.r11 = tdx->caps->kernel_tdvmcallinfo_1_r11 |
					 (tdx->caps->user_tdvmcallinfo_1_r11 & offered[0]);
	run->tdx.get_tdvmcall_info.r12 = tdx->caps->kernel_tdvmcallinfo_1_r12 |
					 (tdx->caps->user_tdvmcallinfo_1_r12 & offered[1]);
	run->tdx.get_tdvmcall_info.r13 = 0;
	run->tdx.get_tdvmcall_info.r14 = 0;
	return 0;
}

GMEM_API int gmem_tdx_exit_answer_calls(const struct gmem_tdx *tdx, void *run,
					const uint64_t *offered)
{
	return gmi_result(__func__, answer_calls(tdx, run, offered));
}
