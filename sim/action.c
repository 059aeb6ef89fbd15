/* SPDX-License-Identifier: MIT */
/* What a scripted guest does, one step at a time. */
#include <errno.h>
#include <string.h>

#include "range.h"
#include "sim_guest.h"

#define CONTINUE 1
#define TO_USER  0

#define IO_DATA_OFFSET SIM_PAGE /* KVM_PIO_PAGE_OFFSET pages into the mapping */

static struct gmem_sim_action *current(const struct sim_script *script)
{
	return &script->action[script->at];
}

int gmi_sim_next_action(struct sim_script *script)
{
	if (current(script)->flags & GMEM_SIM_MUST_FAULT && !script->faulted)
		script->info.missed_faults++;
	script->at++;
	script->position = 0;
	script->faulted = false;
	script->has_data = false;
	return CONTINUE;
}

static bool is_write(const struct gmem_sim_action *action)
{
	return action->op == GMEM_SIM_WRITE || action->op == GMEM_SIM_FILL;
}

/* The bytes that a write stores next. */
static const uint8_t *produce(struct sim_script *script, size_t size)
{
	const struct gmem_sim_action *action = current(script);

	if (action->op == GMEM_SIM_WRITE)
		return (const uint8_t *)action->in + script->position;
	gmi_sim_fill(script->chunk, action->addr + script->position, size, action->value);
	return script->chunk;
}

static void add_words(struct sim_script *script, const uint8_t *data, size_t size)
{
	uint64_t word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		script->info.accumulator += word;
	}
}

static void check_words(struct sim_script *script, const uint8_t *data, size_t size)
{
	const struct gmem_sim_action *action = current(script);
	uint64_t gpa = action->addr + script->position;
	uint64_t word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		if (word == gmi_sim_word(action->value, gpa + i))
			continue;
		if (!script->info.mismatches++)
			script->info.first_mismatch = gpa + i;
	}
}

/* What a read does with the bytes that came. */
static void consume(struct sim_script *script, const uint8_t *data, size_t size)
{
	const struct gmem_sim_action *action = current(script);

	if (action->op == GMEM_SIM_SUM)
		add_words(script, data, size);
	else if (action->op == GMEM_SIM_CHECK)
		check_words(script, data, size);
	else if (action->out)
		memcpy((uint8_t *)action->out + script->position, data, size);
}

static int advance(struct sim_script *script, uint64_t size)
{
	script->position += size;
	return script->position == current(script)->size ? gmi_sim_next_action(script) : CONTINUE;
}

/* An access of at most eight bytes that the VMM is to make. */
static int exit_mmio(struct sim_vcpu *vcpu, uint64_t gpa, const uint8_t *data, uint64_t size)
{
	struct gmi_kvm_exit_mmio mmio = {.phys_addr = gpa, .is_write = data != NULL};

	mmio.len = (uint32_t)(size < sizeof(mmio.data) ? size : sizeof(mmio.data));
	if (data)
		memcpy(mmio.data, data, mmio.len);
	vcpu->run->exit_reason = GMI_KVM_EXIT_MMIO;
	vcpu->run->mmio = mmio;
	vcpu->script->pending = data ? PENDING_MMIO_WRITE : PENDING_MMIO_READ;
	vcpu->script->pending_size = mmio.len;
	vcpu->script->faulted = true;
	return TO_USER;
}

/* A locked access to what is no memory: KVM cannot emulate that. */
int gmi_sim_no_emulation(struct sim_vcpu *vcpu)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal = (struct gmi_kvm_exit_internal){
		.suberror = GMI_KVM_INTERNAL_ERROR_EMULATION,
	};
	return TO_USER;
}

/* EFAULT from the host's memory and EIO come without an exit reason, all else with one. */
static int fail_access(struct sim_vcpu *vcpu, const struct sim_target *target, uint64_t gpa,
		       int error)
{
	if (error == -EAGAIN)
		return CONTINUE;
	vcpu->script->faulted = true;
	if (!error) {
		vcpu->run->exit_reason = GMI_KVM_EXIT_SHUTDOWN;
		return TO_USER;
	}
	vcpu->script->info.faults++;
	if (target->kind != SIM_TO_HVA && error != -EIO)
		gmi_sim_memory_fault(vcpu, gpa, target->exit_flags);
	return error;
}

static enum sim_access access_of(const struct gmem_sim_action *action)
{
	if (action->flags & GMEM_SIM_AS_PRIVATE)
		return SIM_ACCESS_PRIVATE;
	return action->flags & GMEM_SIM_AS_SHARED ? SIM_ACCESS_SHARED : SIM_ACCESS_ANY;
}

/* The access of a running guest, which first meets what the page tables remember. */
static void resolve(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		    const struct gmem_sim_action *action, uint64_t gpa, bool write,
		    struct sim_target *ret_target)
{
	enum sim_mmio remembered = gmi_sim_mmio_state(vcpu->vm, gpa);
	uint64_t end;

	gmi_sim_resolve(sim, vcpu->vm, gpa, write, access_of(action), ret_target);
	if (remembered == MMIO_VALID)
		*ret_target = (struct sim_target){.kind = SIM_TO_MMIO, .size = ret_target->size};
	else if (remembered == MMIO_STALE && gmi_sim_gpa_is_private(sim, vcpu->vm, gpa, &end))
		*ret_target = (struct sim_target){.kind = SIM_TO_FAULT, .error = -EFAULT};
	if (vcpu->vm->mmio.count && ret_target->size > SIM_PAGE - gpa % SIM_PAGE)
		ret_target->size = SIM_PAGE - gpa % SIM_PAGE;
	gmi_sim_td_access(sim, vcpu->vm, gpa, ret_target);
}

/* As much as one step moves: up to a page of the host's memory, so that a bad page stops there. */
static size_t step_size(const struct sim_script *script, const struct sim_target *target,
			uint64_t gpa)
{
	uint64_t size = current(script)->size - script->position;
	uint64_t limit = SIM_CHUNK;

	if (target->kind == SIM_TO_HVA)
		limit = SIM_PAGE - gpa % SIM_PAGE;
	if (target->size < limit)
		limit = target->size;
	return (size_t)(size < limit ? size : limit);
}

static int do_access(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		     const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t gpa = action->addr + script->position;
	struct sim_target target;
	size_t size;
	int ret;

	resolve(sim, vcpu, action, gpa, is_write(action), &target);
	if (target.kind == SIM_TO_FAULT)
		return fail_access(vcpu, &target, gpa, target.error);
	size = step_size(script, &target, gpa);
	if (target.kind == SIM_TO_MMIO)
		return exit_mmio(vcpu, gpa,
				 is_write(action) ? produce(script, size < 8 ? size : 8) : NULL,
				 size);
	if (is_write(action)) {
		ret = gmi_sim_target_write(sim, &target, produce(script, size), size);
	} else {
		ret = gmi_sim_target_read(sim, &target, script->chunk, size);
		if (!ret)
			consume(script, script->chunk, size);
	}
	if (ret)
		return fail_access(vcpu, &target, gpa, ret);
	gmi_sim_mmio_forget(vcpu->vm, gpa, size);
	return advance(script, size);
}

/* A word that several vCPUs share; one step is one access. */
static int do_word(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		   const struct gmem_sim_action *action)
{
	struct sim_target target;
	uint64_t word;
	int ret;

	resolve(sim, vcpu, action, action->addr, action->op == GMEM_SIM_ADD, &target);
	if (target.kind == SIM_TO_FAULT)
		return fail_access(vcpu, &target, action->addr, target.error);
	if (target.kind == SIM_TO_MMIO)
		return gmi_sim_no_emulation(vcpu);
	ret = gmi_sim_target_read(sim, &target, &word, sizeof(word));
	if (!ret && action->op == GMEM_SIM_ADD) {
		word += action->value;
		ret = gmi_sim_target_write(sim, &target, &word, sizeof(word));
	}
	if (ret)
		return fail_access(vcpu, &target, action->addr, ret);
	gmi_sim_mmio_forget(vcpu->vm, action->addr, sizeof(word));
	if (action->op == GMEM_SIM_WAIT && word < action->value)
		return CONTINUE;
	return gmi_sim_next_action(vcpu->script);
}

static int exit_io(struct sim_vcpu *vcpu, const struct gmem_sim_action *action, uint8_t direction,
		   const void *data, uint32_t count)
{
	uint8_t width = count > 1 ? 1 : (uint8_t)action->size;

	vcpu->run->exit_reason = GMI_KVM_EXIT_IO;
	vcpu->run->io = (struct gmi_kvm_exit_io){
		.direction = direction,
		.size = width,
		.port = (uint16_t)action->addr,
		.count = count,
		.data_offset = IO_DATA_OFFSET,
	};
	if (data)
		memcpy((uint8_t *)vcpu->run + IO_DATA_OFFSET, data, (size_t)width * count);
	vcpu->script->pending = PENDING_IO;
	return TO_USER;
}

static int do_out(struct gmem_sim *sim, struct sim_vcpu *vcpu, const struct gmem_sim_action *action)
{
	uint64_t value = action->value;

	if (action->in)
		return exit_io(vcpu, action, GMI_KVM_EXIT_IO_OUT, action->in,
			       (uint32_t)action->size);
	if (action->flags & GMEM_SIM_ACCUMULATOR)
		value = vcpu->script->info.accumulator >> (action->value & 63);
	return exit_io(vcpu, action, GMI_KVM_EXIT_IO_OUT, &value, 1);
}

static int do_in(struct gmem_sim *sim, struct sim_vcpu *vcpu, const struct gmem_sim_action *action)
{
	return exit_io(vcpu, action, GMI_KVM_EXIT_IO_IN, NULL, 1);
}

/* KVM's own accesses use the host's mapping, whatever the page's state: kvm_read_guest(). */
uint64_t gmi_sim_hva_of(struct sim_vm *vm, uint64_t gpa)
{
	const struct sim_slot *slot = gmi_sim_slot_at(vm, gpa);

	return slot ? slot->hva + (gpa - slot->gpa) : 0;
}

static int do_outs(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		   const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t gpa = action->args[0];

	if (!script->has_data &&
	    gmi_sim_copy_in(script->data, gmi_sim_hva_of(vcpu->vm, gpa), action->size))
		return exit_mmio(vcpu, gpa, NULL, action->size);
	return exit_io(vcpu, action, GMI_KVM_EXIT_IO_OUT, script->data, 1);
}

static int do_ins(struct gmem_sim *sim, struct sim_vcpu *vcpu, const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t gpa = action->args[0];

	if (!script->has_data)
		return exit_io(vcpu, action, GMI_KVM_EXIT_IO_IN, NULL, 1);
	if (gmi_sim_copy_out(gmi_sim_hva_of(vcpu->vm, gpa), script->data, action->size))
		return exit_mmio(vcpu, gpa, script->data, action->size);
	return gmi_sim_next_action(script);
}

/* A change of page states comes through the GHCB, which has no mode of the processor in it. */
static bool is_page_state_change(const struct sim_vm *vm)
{
	return gmi_sim_is_snp(vm);
}

/* ____kvm_emulate_hypercall() for KVM_HC_MAP_GPA_RANGE; the guest is in 64-bit mode. */
static int do_hypercall(struct gmem_sim *sim, struct sim_vcpu *vcpu,
			const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t gfn = action->args[0] / SIM_PAGE;

	if (action->value != GMI_KVM_HC_MAP_GPA_RANGE ||
	    !(vcpu->vm->hypercall_exits & 1ull << GMI_KVM_HC_MAP_GPA_RANGE)) {
		script->info.hypercall_result = -GMI_KVM_ENOSYS;
		return gmi_sim_next_action(script);
	}
	if (!action->args[1] || !gmi_is_aligned(action->args[0], SIM_PAGE) ||
	    gfn + action->args[1] <= gfn) {
		script->info.hypercall_result = -EINVAL;
		return gmi_sim_next_action(script);
	}
	vcpu->run->exit_reason = GMI_KVM_EXIT_HYPERCALL;
	vcpu->run->hypercall = (struct gmi_kvm_exit_hypercall){
		.nr = action->value,
		.args = {action->args[0], action->args[1], action->args[2]},
		.flags = is_page_state_change(vcpu->vm) ? 0 : GMI_KVM_EXIT_HYPERCALL_LONG_MODE,
	};
	script->pending = PENDING_HYPERCALL;
	return TO_USER;
}

static int do_set(struct gmem_sim *sim, struct sim_vcpu *vcpu, const struct gmem_sim_action *action)
{
	struct gmem_sim_vcpu_info *info = &vcpu->script->info;

	info->accumulator =
		action->flags & GMEM_SIM_MISMATCH ? info->first_mismatch : action->value;
	return gmi_sim_next_action(vcpu->script);
}

static int do_jump(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		   const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t *jumps = &script->jumps[script->at];

	if (action->flags & GMEM_SIM_MISMATCH && !script->info.mismatches)
		return gmi_sim_next_action(script);
	if (action->args[0] && *jumps == action->args[0]) {
		*jumps = 0;
		return gmi_sim_next_action(script);
	}
	++*jumps;
	gmi_sim_next_action(script);
	script->at = (size_t)action->value;
	return CONTINUE;
}

static int do_halt(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		   const struct gmem_sim_action *action)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_HLT;
	gmi_sim_next_action(vcpu->script);
	return TO_USER;
}

/* A guest that shut down does so again when it is entered again. */
static int do_shutdown(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		       const struct gmem_sim_action *action)
{
	vcpu->run->exit_reason = GMI_KVM_EXIT_SHUTDOWN;
	return TO_USER;
}

/* A guest takes private pages as its own. Only TDs have to; a page that is shared is a fault. */
static int do_accept(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		     const struct gmem_sim_action *action)
{
	struct sim_script *script = vcpu->script;
	uint64_t gpa = action->addr + script->position;
	struct sim_target target;
	uint64_t size;
	int ret = 0;

	gmi_sim_resolve(sim, vcpu->vm, gpa, true, SIM_ACCESS_PRIVATE, &target);
	if (target.kind != SIM_TO_FILE)
		return fail_access(vcpu, &target, gpa,
				   target.kind == SIM_TO_FAULT ? target.error : -EFAULT);
	size = step_size(script, &target, gpa);
	if (vcpu->vm->td)
		ret = gmi_sim_td_accept(sim, vcpu->vm, gpa, size, &target, &size);
	if (ret < 0)
		return fail_access(vcpu, &target, gpa, ret);
	if (ret || !script->position)
		script->info.hypercall_result = ret;
	return advance(script, size);
}

typedef int action_fn(struct gmem_sim *sim, struct sim_vcpu *vcpu,
		      const struct gmem_sim_action *action);

static action_fn *const actions[GMEM_SIM_OP_COUNT] = {
	[GMEM_SIM_READ] = do_access,
	[GMEM_SIM_WRITE] = do_access,
	[GMEM_SIM_FILL] = do_access,
	[GMEM_SIM_CHECK] = do_access,
	[GMEM_SIM_SUM] = do_access,
	[GMEM_SIM_HYPERCALL] = do_hypercall,
	[GMEM_SIM_OUT] = do_out,
	[GMEM_SIM_IN] = do_in,
	[GMEM_SIM_OUTS] = do_outs,
	[GMEM_SIM_INS] = do_ins,
	[GMEM_SIM_SET] = do_set,
	[GMEM_SIM_JUMP] = do_jump,
	[GMEM_SIM_ADD] = do_word,
	[GMEM_SIM_WAIT] = do_word,
	[GMEM_SIM_HALT] = do_halt,
	[GMEM_SIM_SHUTDOWN] = do_shutdown,
	[GMEM_SIM_REPORT] = gmi_sim_do_report,
	[GMEM_SIM_TERMINATE] = gmi_sim_do_terminate,
	[GMEM_SIM_ACCEPT] = do_accept,
	[GMEM_SIM_TDVMCALL] = gmi_sim_do_tdvmcall,
};

int gmi_sim_step(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	const struct gmem_sim_action *action = current(vcpu->script);

	return actions[action->op](sim, vcpu, action);
}

static bool is_string_io(const struct gmem_sim_action *action)
{
	return action->op == GMEM_SIM_OUTS || action->op == GMEM_SIM_INS;
}

/* The data of string I/O arrived from memory or from the port; INS still has to store it. */
static int keep_data(struct sim_script *script, const void *data, uint64_t size)
{
	memcpy(script->data, data, (size_t)size);
	script->has_data = true;
	return CONTINUE;
}

static int complete_mmio(struct sim_vcpu *vcpu, bool write)
{
	struct sim_script *script = vcpu->script;

	if (is_string_io(current(script)))
		return write ? gmi_sim_next_action(script)
			     : keep_data(script, vcpu->run->mmio.data, script->pending_size);
	if (!write)
		consume(script, vcpu->run->mmio.data, (size_t)script->pending_size);
	return advance(script, script->pending_size);
}

static int complete_io(struct sim_vcpu *vcpu)
{
	const struct gmem_sim_action *action = current(vcpu->script);
	const uint8_t *data = (const uint8_t *)vcpu->run + IO_DATA_OFFSET;

	if (action->op == GMEM_SIM_INS)
		return keep_data(vcpu->script, data, action->size);
	if (action->op == GMEM_SIM_IN) {
		vcpu->script->info.accumulator = 0;
		memcpy(&vcpu->script->info.accumulator, data, (size_t)action->size);
	}
	return gmi_sim_next_action(vcpu->script);
}

/* Confidential guests understand three answers, and KVM refuses to pass on any other (7.3). */
static int complete_hypercall(const struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	uint64_t ret = vcpu->run->hypercall.ret;
	bool is_strict =
		vcpu->vm->type == GMI_KVM_X86_SNP_VM || vcpu->vm->type == GMI_KVM_X86_TDX_VM;

	if (is_strict && !sim_has(sim, SIM_TDX_OLD) && ret && ret != EINVAL && ret != EAGAIN)
		return -EINVAL;
	vcpu->script->info.hypercall_result = (int64_t)ret;
	return gmi_sim_next_action(vcpu->script);
}

int gmi_sim_complete(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	enum sim_pending pending = vcpu->script->pending;

	vcpu->script->pending = PENDING_NONE;
	switch (pending) {
	case PENDING_MMIO_READ:
	case PENDING_MMIO_WRITE:
		return complete_mmio(vcpu, pending == PENDING_MMIO_WRITE);
	case PENDING_IO:
		return complete_io(vcpu);
	case PENDING_HYPERCALL:
		return complete_hypercall(sim, vcpu);
	case PENDING_CERTS:
		return gmi_sim_complete_certs(sim, vcpu);
	case PENDING_TDVMCALL:
		return gmi_sim_complete_tdvmcall(vcpu);
	case PENDING_MAP_GPA:
		return gmi_sim_complete_map_gpa(sim, vcpu);
	default:
		return CONTINUE;
	}
}

static bool is_port_access(const struct gmem_sim_action *action)
{
	if (action->op == GMEM_SIM_OUT && action->in)
		return action->size && action->size <= SIM_PAGE && action->addr <= UINT16_MAX;
	return (action->size == 1 || action->size == 2 || action->size == 4) &&
	       action->addr <= UINT16_MAX;
}

/* @count is the number of actions in the script. */
bool gmi_sim_action_is_valid(const struct gmem_sim_action *action, size_t count)
{
	switch (action->op) {
	case GMEM_SIM_READ:
	case GMEM_SIM_WRITE:
		return gmi_range_is_valid(action->addr, action->size) &&
		       (action->op == GMEM_SIM_READ || action->in);
	case GMEM_SIM_FILL:
	case GMEM_SIM_CHECK:
	case GMEM_SIM_SUM:
		return gmi_range_is_valid(action->addr, action->size) && !(action->addr % 8) &&
		       !(action->size % 8);
	case GMEM_SIM_OUT:
	case GMEM_SIM_IN:
	case GMEM_SIM_OUTS:
	case GMEM_SIM_INS:
		return is_port_access(action);
	case GMEM_SIM_ADD:
	case GMEM_SIM_WAIT:
		return !(action->addr % 8);
	case GMEM_SIM_REPORT:
		return gmi_is_aligned(action->addr, SIM_PAGE);
	case GMEM_SIM_JUMP:
		return action->value < count;
	case GMEM_SIM_ACCEPT:
		return gmi_range_is_paged(action->addr, action->size);
	case GMEM_SIM_TDVMCALL:
		return action->size <= 64;
	default:
		return action->op < GMEM_SIM_OP_COUNT;
	}
}
