/* SPDX-License-Identifier: MIT */
/* The registers of a vCPU: kept for the VMM, and measured where the guest's state is protected. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_regs.h"

_Static_assert(sizeof(struct sim_gprs) == 0x90, "KVM_GET_REGS");
_Static_assert(sizeof(struct sim_sregs) == 0x138 - 32, "KVM_GET_SREGS");
_Static_assert(sizeof(struct sim_debugregs) == 0x80, "KVM_GET_DEBUGREGS");
_Static_assert(sizeof(struct sim_xcrs) == 0x188, "KVM_GET_XCRS");
_Static_assert(sizeof(struct sim_fpu) == 0x1a0, "KVM_GET_FPU");

#define KVM_GET_MP_STATE 0x8004ae98u
#define KVM_SET_MP_STATE 0x4004ae99u
#define KVM_GET_LAPIC    0x8400ae8eu
#define KVM_SET_LAPIC    0x4400ae8fu

/* Who may not touch it once the guest's state is protected. */
enum guarded { OPEN, GUARDED, GUARDED_BUT_SNP, GUARDED_OF_TD };

/* The size is part of the request. */
static const struct blob {
	uint32_t get;
	uint32_t set;
	uint32_t offset;
	enum guarded guarded;
} blobs[] = {
	{GMI_KVM_GET_REGS, GMI_KVM_SET_REGS, SIM_REGS_GPRS, GUARDED},
	{GMI_KVM_GET_SREGS, GMI_KVM_SET_SREGS, SIM_REGS_SREGS, GUARDED},
	{GMI_KVM_GET_SREGS2, GMI_KVM_SET_SREGS2, SIM_REGS_SREGS2, GUARDED},
	{GMI_KVM_GET_FPU, GMI_KVM_SET_FPU, SIM_REGS_FPU, GUARDED_BUT_SNP},
	{GMI_KVM_GET_DEBUGREGS, GMI_KVM_SET_DEBUGREGS, SIM_REGS_DEBUG, GUARDED},
	{GMI_KVM_GET_XCRS, GMI_KVM_SET_XCRS, SIM_REGS_XCRS, GUARDED},
	{KVM_GET_MP_STATE, KVM_SET_MP_STATE, SIM_REGS_MP_STATE, OPEN},
	{KVM_GET_LAPIC, KVM_SET_LAPIC, SIM_REGS_LAPIC, GUARDED_OF_TD},
	{GMI_KVM_GET_XSAVE, GMI_KVM_SET_XSAVE, SIM_REGS_XSAVE, GUARDED_BUT_SNP},
};

static size_t size_of(uint64_t request)
{
	return request >> 16 & 0x3fff;
}

/* init_vmcb() and kvm_vcpu_reset(): what a new vCPU starts with. */
static void reset_sregs(struct sim_sregs *sregs)
{
	const struct sim_segment data = {.limit = 0xffff, .type = 3, .present = 1, .s = 1};

	*sregs = (struct sim_sregs){
		.cs = {.base = 0xffff0000,
		       .limit = 0xffff,
		       .selector = 0xf000,
		       .type = 11,
		       .present = 1,
		       .s = 1},
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {.limit = 0xffff, .type = 11, .present = 1},
		.ldt = {.limit = 0xffff, .type = 2, .present = 1},
		.gdt = {.limit = 0xffff},
		.idt = {.limit = 0xffff},
		.cr0 = 0x60000010,
		.apic_base = 0xfee00900,
	};
}

static void reset(uint8_t *state)
{
	struct sim_gprs *gprs = (struct sim_gprs *)(state + SIM_REGS_GPRS);
	struct sim_debugregs *debug = (struct sim_debugregs *)(state + SIM_REGS_DEBUG);
	struct sim_xcrs *xcrs = (struct sim_xcrs *)(state + SIM_REGS_XCRS);
	struct sim_xsave *xsave = (struct sim_xsave *)(state + SIM_REGS_XSAVE);
	struct sim_fpu *fpu = (struct sim_fpu *)(state + SIM_REGS_FPU);

	*gprs = (struct sim_gprs){.rdx = 0x600, .rip = 0xfff0, .rflags = 2};
	reset_sregs((struct sim_sregs *)(state + SIM_REGS_SREGS));
	reset_sregs((struct sim_sregs *)(state + SIM_REGS_SREGS2));
	*debug = (struct sim_debugregs){.dr6 = 0xffff0ff0, .dr7 = 0x400};
	xcrs->count = 1;
	xcrs->xcr[0].value = 1;
	((uint64_t *)(state + SIM_REGS_MSRS))[SIM_MSR_PAT] = SIM_PAT_RESET;
	xsave->fcw = fpu->fcw = 0x37f;
	xsave->mxcsr = fpu->mxcsr = 0x1f80;
}

uint8_t *gmi_sim_regs(struct sim_vcpu *vcpu)
{
	if (vcpu->state)
		return vcpu->state;
	vcpu->state = calloc(1, SIM_REGS_SIZE);
	if (vcpu->state)
		reset(vcpu->state);
	return vcpu->state;
}

/* kvm_arch_vcpu_ioctl_set_fpu(): MXCSR is not among what it takes. */
static void fpu_to_xsave(uint8_t *state)
{
	const struct sim_fpu *fpu = (const struct sim_fpu *)(state + SIM_REGS_FPU);
	struct sim_xsave *xsave = (struct sim_xsave *)(state + SIM_REGS_XSAVE);

	xsave->fcw = fpu->fcw;
	xsave->fsw = fpu->fsw;
	xsave->ftw = fpu->ftwx;
	xsave->fop = fpu->last_opcode;
	xsave->rip = fpu->last_ip;
	xsave->rdp = fpu->last_dp;
	memcpy(xsave->st, fpu->fpr, sizeof(xsave->st));
	memcpy(xsave->xmm, fpu->xmm, sizeof(xsave->xmm));
}

/* What the header does not name is as after a reset. */
static void xsave_to_fpu(uint8_t *state)
{
	struct sim_fpu *fpu = (struct sim_fpu *)(state + SIM_REGS_FPU);
	struct sim_xsave *xsave = (struct sim_xsave *)(state + SIM_REGS_XSAVE);

	if (!(xsave->features & 1)) {
		memset(xsave, 0, offsetof(struct sim_xsave, mxcsr));
		memset(xsave->st, 0, sizeof(xsave->st));
		xsave->fcw = 0x37f;
	}
	if (!(xsave->features & 6))
		xsave->mxcsr = 0x1f80;
	if (!(xsave->features & 2))
		memset(xsave->xmm, 0, sizeof(xsave->xmm));
	if (!(xsave->features & 4))
		memset(xsave->ymm, 0, sizeof(xsave->ymm));
	fpu->fcw = xsave->fcw;
	fpu->fsw = xsave->fsw;
	fpu->ftwx = (uint8_t)xsave->ftw;
	fpu->last_opcode = xsave->fop;
	fpu->last_ip = xsave->rip;
	fpu->last_dp = xsave->rdp;
	fpu->mxcsr = xsave->mxcsr;
	memcpy(fpu->fpr, xsave->st, sizeof(fpu->fpr));
	memcpy(fpu->xmm, xsave->xmm, sizeof(fpu->xmm));
}

/* Two requests may show one register. */
static void share(uint8_t *state, uint64_t request)
{
	if (request == GMI_KVM_SET_SREGS)
		memcpy(state + SIM_REGS_SREGS2, state + SIM_REGS_SREGS, sizeof(struct sim_sregs));
	else if (request == GMI_KVM_SET_SREGS2)
		memcpy(state + SIM_REGS_SREGS, state + SIM_REGS_SREGS2, sizeof(struct sim_sregs));
	else if (request == GMI_KVM_SET_FPU)
		fpu_to_xsave(state);
	else if (request == GMI_KVM_SET_XSAVE)
		xsave_to_fpu(state);
}

static bool is_guarded(const struct sim_vcpu *vcpu, const struct blob *blob)
{
	if (!vcpu->is_protected || !gmi_sim_has_protected_state(vcpu->vm))
		return false;
	return blob->guarded == GUARDED || (blob->guarded == GUARDED_OF_TD && vcpu->vm->td) ||
	       (blob->guarded == GUARDED_BUT_SNP && vcpu->vm->type != GMI_KVM_X86_SNP_VM);
}

static int set_blob(struct sim_vcpu *vcpu, const struct blob *blob, uint64_t request, uint64_t arg)
{
	uint8_t in[4096];

	if (gmi_sim_copy_in(in, arg, size_of(request)))
		return -EFAULT;
	if (is_guarded(vcpu, blob))
		return -EINVAL;
	memcpy(vcpu->state + blob->offset, in, size_of(request));
	share(vcpu->state, request);
	return 0;
}

/* -ENOTTY where the request is about something else. */
int gmi_sim_regs_ioctl(struct sim_vcpu *vcpu, uint64_t request, uint64_t arg)
{
	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		if (request != blobs[i].get && request != blobs[i].set)
			continue;
		if (!gmi_sim_regs(vcpu))
			return -ENOMEM;
		if (request == blobs[i].set)
			return set_blob(vcpu, &blobs[i], request, arg);
		if (is_guarded(vcpu, &blobs[i]))
			return -EINVAL;
		return gmi_sim_copy_out(arg, vcpu->state + blobs[i].offset, size_of(request));
	}
	return -ENOTTY;
}
