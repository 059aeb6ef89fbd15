/* SPDX-License-Identifier: MIT */
/* The initial VMSA of a vCPU, made of its registers as KVM makes it. */
#include <errno.h>
#include <string.h>

#include "sim_regs.h"

/* struct sev_es_save_area, arch/x86/include/asm/svm.h */
enum {
	AT_ES = 0x00,
	AT_CS = 0x10,
	AT_SS = 0x20,
	AT_DS = 0x30,
	AT_FS = 0x40,
	AT_GS = 0x50,
	AT_GDTR = 0x60,
	AT_LDTR = 0x70,
	AT_IDTR = 0x80,
	AT_TR = 0x90,
	AT_CPL = 0xcb,
	AT_EFER = 0xd0,
	AT_CR4 = 0x148,
	AT_CR3 = 0x150,
	AT_CR0 = 0x158,
	AT_DR7 = 0x160,
	AT_DR6 = 0x168,
	AT_RFLAGS = 0x170,
	AT_RIP = 0x178,
	AT_RSP = 0x1d8,
	AT_RAX = 0x1f8,
	AT_STAR = 0x200, /* and LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE, SYSENTER_CS, _ESP, _EIP */
	AT_G_PAT = 0x268,
	AT_RCX = 0x308,
	AT_RDX = 0x310,
	AT_RBX = 0x318,
	AT_RBP = 0x328,
	AT_RSI = 0x330,
	AT_RDI = 0x338,
	AT_R8 = 0x340,
	AT_SEV_FEATURES = 0x3b0,
	AT_XCR0 = 0x3e8,
	AT_X87_DP = 0x400,
	AT_MXCSR = 0x408,
	AT_FTW = 0x40c,
	AT_FSW = 0x40e,
	AT_FCW = 0x410,
	AT_FOP = 0x412,
	AT_X87_RIP = 0x418,
	AT_X87 = 0x420,
	AT_XMM = 0x470,
	AT_YMM = 0x570,
};

#define DR7_FIXED 0x400
#define EFER_SVME 0x1000
#define CR4_MCE   0x40
#define CR0_CD_NW 0x60000000

static void put(uint8_t *page, size_t at, uint64_t value, size_t size)
{
	memcpy(page + at, &value, size);
}

/* svm_set_segment() */
static void put_segment(uint8_t *page, size_t at, const struct sim_segment *segment)
{
	bool present = segment->present && !segment->unusable;
	unsigned int attributes = (segment->type & 15u) | (segment->s & 1u) << 4 |
				  (segment->dpl & 3u) << 5 | (unsigned int)present << 7 |
				  (segment->avl & 1u) << 8 | (segment->l & 1u) << 9 |
				  (segment->db & 1u) << 10 | (segment->g & 1u) << 11;

	put(page, at, segment->selector, 2);
	put(page, at + 2, attributes, 2);
	put(page, at + 4, segment->limit, 4);
	put(page, at + 8, segment->base, 8);
}

static void put_table(uint8_t *page, size_t at, const struct sim_table *table)
{
	put(page, at + 4, table->limit, 4);
	put(page, at + 8, table->base, 8);
}

static void put_segments(uint8_t *page, const struct sim_sregs *sregs)
{
	put_segment(page, AT_ES, &sregs->es);
	put_segment(page, AT_CS, &sregs->cs);
	put_segment(page, AT_SS, &sregs->ss);
	put_segment(page, AT_DS, &sregs->ds);
	put_segment(page, AT_FS, &sregs->fs);
	put_segment(page, AT_GS, &sregs->gs);
	put_segment(page, AT_LDTR, &sregs->ldt);
	put_segment(page, AT_TR, &sregs->tr);
	put_table(page, AT_GDTR, &sregs->gdt);
	put_table(page, AT_IDTR, &sregs->idt);
	put(page, AT_CPL, sregs->ss.dpl & 3, 1);
}

/*
 * svm_set_efer(), svm_set_cr4() on a host that runs with machine checks, svm_set_cr0() with the
 * quirk that clears CD and NW. CR2 gets into the save area only when a guest is entered.
 */
static void put_control(uint8_t *page, const struct sim_sregs *sregs)
{
	put(page, AT_EFER, sregs->efer | EFER_SVME, 8);
	put(page, AT_CR4, sregs->cr4 | CR4_MCE, 8);
	put(page, AT_CR3, sregs->cr3, 8);
	put(page, AT_CR0, sregs->cr0 & ~(uint64_t)CR0_CD_NW, 8);
}

static void put_gprs(uint8_t *page, const struct sim_gprs *gprs)
{
	put(page, AT_RAX, gprs->rax, 8);
	put(page, AT_RBX, gprs->rbx, 8);
	put(page, AT_RCX, gprs->rcx, 8);
	put(page, AT_RDX, gprs->rdx, 8);
	put(page, AT_RSP, gprs->rsp, 8);
	put(page, AT_RBP, gprs->rbp, 8);
	put(page, AT_RSI, gprs->rsi, 8);
	put(page, AT_RDI, gprs->rdi, 8);
	memcpy(page + AT_R8, &gprs->r8, 8 * sizeof(gprs->r8));
	put(page, AT_RIP, gprs->rip, 8);
	put(page, AT_RFLAGS, gprs->rflags | 2, 8);
}

/* Of the x87 registers first eight bytes each, then the two that are left of each. */
static void put_fpu(uint8_t *page, const struct sim_xsave *xsave)
{
	put(page, AT_X87_DP, xsave->rdp, 8);
	put(page, AT_MXCSR, xsave->mxcsr, 4);
	put(page, AT_FTW, xsave->ftw, 2);
	put(page, AT_FSW, xsave->fsw, 2);
	put(page, AT_FCW, xsave->fcw, 2);
	put(page, AT_FOP, xsave->fop, 2);
	put(page, AT_X87_RIP, xsave->rip, 8);
	for (size_t i = 0; i < 8; i++) {
		memcpy(page + AT_X87 + i * 8, xsave->st[i], 8);
		memcpy(page + AT_X87 + 64 + i * 2, xsave->st[i] + 8, 2);
	}
	memcpy(page + AT_XMM, xsave->xmm, sizeof(xsave->xmm));
	memcpy(page + AT_YMM, xsave->ymm, sizeof(xsave->ymm));
}

/* All but the PAT lie in the order that they have here. */
static void put_msrs(uint8_t *page, const uint64_t *msrs)
{
	put(page, AT_G_PAT, msrs[SIM_MSR_PAT], 8);
	memcpy(page + AT_STAR, msrs + SIM_MSR_STAR, (SIM_MSRS - SIM_MSR_STAR) * sizeof(*msrs));
}

static void build(const struct sim_vcpu *vcpu, uint64_t features, uint8_t *page)
{
	const uint8_t *state = vcpu->state;
	const struct sim_sregs *sregs = (const struct sim_sregs *)(state + SIM_REGS_SREGS);
	const struct sim_debugregs *debug = (const struct sim_debugregs *)(state + SIM_REGS_DEBUG);
	const struct sim_xcrs *xcrs = (const struct sim_xcrs *)(state + SIM_REGS_XCRS);

	memset(page, 0, SIM_PAGE);
	put_segments(page, sregs);
	put_control(page, sregs);
	put_gprs(page, (const struct sim_gprs *)(state + SIM_REGS_GPRS));
	put_msrs(page, (const uint64_t *)(state + SIM_REGS_MSRS));
	put(page, AT_DR7, debug->dr7, 8);
	put(page, AT_DR6, debug->dr6, 8);
	put(page, AT_SEV_FEATURES, features, 8);
	put(page, AT_XCR0, xcrs->xcr[0].value, 8);
	if (vcpu->vm->type != GMI_KVM_X86_DEFAULT_VM)
		put_fpu(page, (const struct sim_xsave *)(state + SIM_REGS_XSAVE));
}

int gmi_sim_vmsa_sync(struct sim_vcpu *vcpu, uint64_t features, uint8_t *page)
{
	const uint8_t *state = gmi_sim_regs(vcpu);
	const struct sim_debugregs *debug;

	if (!state)
		return -ENOMEM;
	debug = (const struct sim_debugregs *)(state + SIM_REGS_DEBUG);
	if (vcpu->is_protected || vcpu->is_debugged || debug->dr7 & ~(uint64_t)DR7_FIXED)
		return -EINVAL;
	build(vcpu, features, page);
	return 0;
}
