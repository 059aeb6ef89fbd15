/* SPDX-License-Identifier: MIT */
/* vCPUs with the registers that VMSAs have: what a VMM does that launches more than OVMF. */
#include <linux/kvm.h>

#include "lt.h"

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
	AT_EFER = 0xd0,
	AT_CR4 = 0x148,
	AT_CR3 = 0x150,
	AT_CR0 = 0x158,
	AT_RFLAGS = 0x170,
	AT_RIP = 0x178,
	AT_RSP = 0x1d8,
	AT_RDX = 0x310,
	AT_RSI = 0x330,
	AT_MXCSR = 0x408,
	AT_FCW = 0x410,
};

/* What KVM adds by itself. */
#define EFER_SVME UINT64_C(0x1000)
#define CR4_MCE   UINT64_C(0x40)

static uint64_t get(const uint8_t *vmsa, size_t at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, vmsa + at, size);
	return value;
}

static struct kvm_segment segment(const uint8_t *vmsa, size_t at)
{
	unsigned int attributes = (unsigned int)get(vmsa, at + 2, 2);

	return (struct kvm_segment){
		.selector = (uint16_t)get(vmsa, at, 2),
		.limit = (uint32_t)get(vmsa, at + 4, 4),
		.base = get(vmsa, at + 8, 8),
		.type = attributes & 15,
		.s = attributes >> 4 & 1,
		.dpl = attributes >> 5 & 3,
		.present = attributes >> 7 & 1,
		.avl = attributes >> 8 & 1,
		.l = attributes >> 9 & 1,
		.db = attributes >> 10 & 1,
		.g = attributes >> 11 & 1,
	};
}

static struct kvm_dtable descriptor_table(const uint8_t *vmsa, size_t at)
{
	return (struct kvm_dtable){
		.limit = (uint16_t)get(vmsa, at + 4, 4),
		.base = get(vmsa, at + 8, 8),
	};
}

static void fill_sregs(const uint8_t *vmsa, struct kvm_sregs *sregs)
{
	sregs->cs = segment(vmsa, AT_CS);
	sregs->ds = segment(vmsa, AT_DS);
	sregs->es = segment(vmsa, AT_ES);
	sregs->fs = segment(vmsa, AT_FS);
	sregs->gs = segment(vmsa, AT_GS);
	sregs->ss = segment(vmsa, AT_SS);
	sregs->tr = segment(vmsa, AT_TR);
	sregs->ldt = segment(vmsa, AT_LDTR);
	sregs->gdt = descriptor_table(vmsa, AT_GDTR);
	sregs->idt = descriptor_table(vmsa, AT_IDTR);
	sregs->cr0 = get(vmsa, AT_CR0, 8);
	sregs->cr3 = get(vmsa, AT_CR3, 8);
	sregs->cr4 = get(vmsa, AT_CR4, 8) & ~CR4_MCE;
	sregs->efer = get(vmsa, AT_EFER, 8) & ~EFER_SVME;
}

/* KVM_SET_FPU leaves MXCSR alone. Offsets of the XSAVE area, in 32-bit words. */
static void fill_xsave(const uint8_t *vmsa, struct kvm_xsave *xsave)
{
	enum { FCW = 0, MXCSR = 24 / 4, FEATURES = 512 / 4 };

	xsave->region[FCW] = (uint32_t)get(vmsa, AT_FCW, 2);
	xsave->region[MXCSR] = (uint32_t)get(vmsa, AT_MXCSR, 4);
	xsave->region[FEATURES] |= 3;
}

int lt_set_registers(const struct gt *t, int vcpu, const uint8_t *vmsa)
{
	struct kvm_regs regs = {
		.rip = get(vmsa, AT_RIP, 8),
		.rsp = get(vmsa, AT_RSP, 8),
		.rdx = get(vmsa, AT_RDX, 8),
		.rsi = get(vmsa, AT_RSI, 8),
		.rflags = get(vmsa, AT_RFLAGS, 8),
	};
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	int ret = gt_ioctl(t, vcpu, KVM_GET_SREGS, &sregs);

	if (!ret)
		ret = gt_ioctl(t, vcpu, KVM_GET_XSAVE, &xsave);
	if (ret)
		return ret;
	fill_sregs(vmsa, &sregs);
	fill_xsave(vmsa, &xsave);
	ret = gt_ioctl(t, vcpu, KVM_SET_SREGS, &sregs);
	if (!ret)
		ret = gt_ioctl(t, vcpu, KVM_SET_REGS, &regs);
	return ret ? ret : gt_ioctl(t, vcpu, KVM_SET_XSAVE, &xsave);
}
