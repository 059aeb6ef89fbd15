/* SPDX-License-Identifier: MIT */
/* What scripted TDs ask of the host: TDG.VP.VMCALL, and KVM's part in the answer. */
#include <errno.h>
#include <string.h>

#include "range.h"
#include "sim_guest.h"

#define CONTINUE 1
#define TO_USER  0

#define MAP_GPA_MAX     (2u << 20) /* TDX_MAP_GPA_MAX_LEN: what one exit is about */
#define GPA_BITS        52
#define EXIT_TDCALL     77 /* the basic exit reason, which TDH.VP.ENTER returns */
#define FATAL_REGISTERS 16
#define FATAL_TEXT      64u

/* UNVERIFIED on hardware: tdx.c of 7.3.4, read. The text of a fatal error is as GHCI has it. */

/* The registers of x86 in KVM's order. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

static const struct gmem_sim_action *current(const struct sim_script *script)
{
	return &script->action[script->at];
}

/* R10 is the status; R11 and on are what the call gives. */
static int answer(struct sim_script *script, uint64_t status, uint64_t r11)
{
	const uint64_t registers[5] = {status, r11};

	script->info.hypercall_result = (int64_t)status;
	if (current(script)->out)
		memcpy(current(script)->out, registers, sizeof(registers));
	return gmi_sim_next_action(script);
}

static int exit_tdx(struct sim_vcpu *vcpu, const struct gmi_kvm_exit_tdx *tdx)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_TDX;
	vcpu->run->tdx = *tdx;
	vcpu->script->pending = PENDING_TDVMCALL;
	return TO_USER;
}

/* A guest that nothing told its width has 48 bits. */
static uint64_t shared_bit(const struct sim_vm *vm)
{
	uint64_t bit = vm->td ? gmi_sim_td_shared_bit(vm->td) : 0;

	return bit ? bit : 1ull << (GMI_TDX_GPAW_48 - 1);
}

/* __tdx_map_gpa() */
static int exit_map_gpa(struct sim_vcpu *vcpu)
{
	struct sim_script *script = vcpu->script;
	uint64_t shared = shared_bit(vcpu->vm);
	uint64_t size = script->map_end - script->map_next;

	if (size > MAP_GPA_MAX)
		size = MAP_GPA_MAX;
	vcpu->run->exit_reason = GMI_KVM_EXIT_HYPERCALL;
	vcpu->run->hypercall = (struct gmi_kvm_exit_hypercall){
		.nr = GMI_KVM_HC_MAP_GPA_RANGE,
		.args = {script->map_next & ~shared, size / SIM_PAGE,
			 script->map_next & shared ? GMI_KVM_MAP_GPA_RANGE_DECRYPTED
						   : GMI_KVM_MAP_GPA_RANGE_ENCRYPTED},
		.flags = GMI_KVM_EXIT_HYPERCALL_LONG_MODE,
	};
	script->pending = PENDING_MAP_GPA;
	return TO_USER;
}

static bool is_map_range(uint64_t gpa, uint64_t size, uint64_t shared)
{
	uint64_t last = gpa + size - 1;

	return gpa + size > gpa && !(last >> GPA_BITS) && (gpa & shared) == (last & shared);
}

/* tdx_map_gpa() */
static int map_gpa(struct sim_vcpu *vcpu, uint64_t gpa, uint64_t size)
{
	struct sim_script *script = vcpu->script;

	if (!(vcpu->vm->hypercall_exits & 1ull << GMI_KVM_HC_MAP_GPA_RANGE))
		return answer(script, GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, gpa);
	if (!is_map_range(gpa, size, shared_bit(vcpu->vm)))
		return answer(script, GMI_TDVMCALL_STATUS_INVALID_OPERAND, gpa);
	if (!gmi_is_aligned(gpa, SIM_PAGE) || !gmi_is_aligned(size, SIM_PAGE))
		return answer(script, GMI_TDVMCALL_STATUS_ALIGN_ERROR, gpa);
	script->map_next = gpa;
	script->map_end = gpa + size;
	return exit_map_gpa(vcpu);
}

/*
 * tdx_complete_vmcall_map_gpa(). Up to 6.18 whatever was neither 0 nor EAGAIN became
 * INVALID_OPERAND; since then it fails KVM_RUN.
 */
int gmi_sim_complete_map_gpa(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	struct sim_script *script = vcpu->script;
	uint64_t ret = vcpu->run->hypercall.ret;

	if (ret == EAGAIN)
		return answer(script, GMI_TDVMCALL_STATUS_RETRY, script->map_next);
	if (ret == EINVAL || (ret && sim_has(sim, SIM_TDX_OLD)))
		return answer(script, GMI_TDVMCALL_STATUS_INVALID_OPERAND, script->map_next);
	if (ret)
		return -EINVAL;
	script->map_next += MAP_GPA_MAX;
	if (script->map_next >= script->map_end)
		return answer(script, GMI_TDVMCALL_STATUS_SUCCESS, 0);
	return exit_map_gpa(vcpu);
}

/* tdx_get_quote(): KVM looks at nothing but the shared bit. */
static int get_quote(struct sim_vcpu *vcpu, uint64_t gpa, uint64_t size)
{
	uint64_t shared = shared_bit(vcpu->vm);
	struct gmi_kvm_exit_tdx tdx = {.nr = GMI_TDVMCALL_GET_QUOTE};

	if (!(gpa & shared))
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_INVALID_OPERAND, 0);
	tdx.get_quote.ret = GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED;
	tdx.get_quote.gpa = gpa & ~shared;
	tdx.get_quote.size = size;
	return exit_tdx(vcpu, &tdx);
}

/* tdx_get_td_vm_call_info() */
static int get_info(struct sim_vcpu *vcpu, uint64_t leaf)
{
	struct gmi_kvm_exit_tdx tdx = {.nr = GMI_TDVMCALL_GET_TD_VM_CALL_INFO};

	if (!leaf)
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_SUCCESS, 0);
	if (leaf != 1)
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_INVALID_OPERAND, 0);
	tdx.get_tdvmcall_info.leaf = leaf;
	return exit_tdx(vcpu, &tdx);
}

/* tdx_setup_event_notify_interrupt() */
static int setup_event_notify(struct sim_vcpu *vcpu, uint64_t vector)
{
	struct gmi_kvm_exit_tdx tdx = {.nr = GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT};

	if (vector < 32 || vector > 255)
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_INVALID_OPERAND, 0);
	tdx.setup_event_notify.ret = GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED;
	tdx.setup_event_notify.vector = vector;
	return exit_tdx(vcpu, &tdx);
}

/* GHCI: the text in eight registers, and a mask of those that the call passes. */
static void fill_fatal(const struct gmem_sim_action *action, uint64_t *data)
{
	static const uint8_t text_in[FATAL_TEXT / 8] = {R14, R15, RBX, RDI, RSI, R8, R9, RDX};
	uint64_t words[FATAL_TEXT / 8] = {0};

	data[RAX] = EXIT_TDCALL;
	data[RCX] = 1u << R10 | 1u << R11 | 1u << R12 | 1u << R13;
	data[R11] = GMI_TDVMCALL_REPORT_FATAL_ERROR;
	data[R12] = action->args[0];
	data[R13] = action->args[1];
	if (!action->in)
		return;
	memcpy(words, action->in, action->size);
	for (size_t i = 0; i < FATAL_TEXT / 8; i++) {
		data[text_in[i]] = words[i];
		data[RCX] |= 1ull << text_in[i];
	}
}

/* tdx_report_fatal_error(): the next KVM_RUN goes on behind it. */
static int report_fatal(struct sim_vcpu *vcpu, const struct gmem_sim_action *action)
{
	struct gmi_kvm_exit_system_event event = {
		.type = GMI_KVM_SYSTEM_EVENT_TDX_FATAL,
		.ndata = FATAL_REGISTERS,
	};

	fill_fatal(action, event.data);
	vcpu->run->exit_reason = GMI_KVM_EXIT_SYSTEM_EVENT;
	vcpu->run->system_event = event;
	gmi_sim_next_action(vcpu->script);
	return TO_USER;
}

/* handle_tdvmcall() */
int gmi_sim_do_tdvmcall(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			const struct gmem_sim_action *action)
{
	if (vcpu->vm->type != GMI_KVM_X86_TDX_VM)
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, 0);
	switch (action->value) {
	case GMI_TDVMCALL_MAP_GPA:
		return map_gpa(vcpu, action->args[0], action->args[1]);
	case GMI_TDVMCALL_REPORT_FATAL_ERROR:
		return report_fatal(vcpu, action);
	case GMI_TDVMCALL_GET_TD_VM_CALL_INFO:
		return get_info(vcpu, action->args[0]);
	case GMI_TDVMCALL_GET_QUOTE:
		return get_quote(vcpu, action->args[0], action->args[1]);
	case GMI_TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT:
		return setup_event_notify(vcpu, action->args[0]);
	default:
		return answer(vcpu->script, GMI_TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED, 0);
	}
}

/* What the VMM wrote goes to the guest as it is: tdx_complete_get_td_vm_call_info(), _simple(). */
int gmi_sim_complete_tdvmcall(struct sim_vcpu *vcpu)
{
	const struct gmi_kvm_exit_tdx *tdx = &vcpu->run->tdx;
	struct sim_script *script = vcpu->script;
	const uint64_t registers[5] = {
		tdx->get_tdvmcall_info.ret, tdx->get_tdvmcall_info.r11, tdx->get_tdvmcall_info.r12,
		tdx->get_tdvmcall_info.r13, tdx->get_tdvmcall_info.r14,
	};

	if (current(script)->value != GMI_TDVMCALL_GET_TD_VM_CALL_INFO)
		return answer(script, tdx->unknown.ret, 0);
	script->info.hypercall_result = (int64_t)registers[0];
	if (current(script)->out)
		memcpy(current(script)->out, registers, sizeof(registers));
	return gmi_sim_next_action(script);
}
