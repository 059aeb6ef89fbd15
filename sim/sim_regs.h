/* SPDX-License-Identifier: MIT */
/* The registers of a vCPU, as KVM hands them out, and the save area that is made of them. */
#ifndef GMI_SIM_REGS_H
#define GMI_SIM_REGS_H

#include "sim_model.h"

/* struct kvm_regs */
struct sim_gprs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

/* struct kvm_segment */
struct sim_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint8_t type, present, dpl, db, s, l, g, avl, unusable, padding;
};

/* struct kvm_dtable */
struct sim_table {
	uint64_t base;
	uint16_t limit;
	uint16_t padding[3];
};

/* What struct kvm_sregs and struct kvm_sregs2 begin with. */
struct sim_sregs {
	struct sim_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct sim_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer, apic_base;
};

/* struct kvm_debugregs */
struct sim_debugregs {
	uint64_t db[4];
	uint64_t dr6, dr7, flags, reserved[9];
};

/* struct kvm_xcrs */
struct sim_xcrs {
	uint32_t count, flags;
	struct {
		uint32_t number, reserved;
		uint64_t value;
	} xcr[16];
	uint64_t padding[16];
};

/* struct kvm_fpu */
struct sim_fpu {
	uint8_t fpr[8][16];
	uint16_t fcw, fsw;
	uint8_t ftwx, padding1;
	uint16_t last_opcode;
	uint64_t last_ip, last_dp;
	uint8_t xmm[16][16];
	uint32_t mxcsr, padding2;
};

/* struct kvm_xsave: the legacy area, the header, the upper halves of the YMM registers. */
struct sim_xsave {
	uint16_t fcw, fsw, ftw, fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];
	uint8_t xmm[16][16];
	uint8_t unused[96];
	uint64_t features, compacted, reserved[6];
	uint8_t ymm[16][16];
};

/* All of it, at offsets of its own. */
#define SIM_REGS_GPRS     0x0
#define SIM_REGS_SREGS    0x100
#define SIM_REGS_SREGS2   0x300
#define SIM_REGS_FPU      0x500
#define SIM_REGS_DEBUG    0x700
#define SIM_REGS_XCRS     0x800
#define SIM_REGS_MP_STATE 0xa00
#define SIM_REGS_LAPIC    0xb00
#define SIM_REGS_MSRS     0xf00
#define SIM_REGS_XSAVE    0x1000
#define SIM_REGS_SIZE     0x2000

/* MSRs that go into the save area; those of the VMM's choice beside them are not kept. */
enum sim_msr {
	SIM_MSR_PAT,
	SIM_MSR_STAR,
	SIM_MSR_LSTAR,
	SIM_MSR_CSTAR,
	SIM_MSR_SFMASK,
	SIM_MSR_KERNEL_GS_BASE,
	SIM_MSR_SYSENTER_CS,
	SIM_MSR_SYSENTER_ESP,
	SIM_MSR_SYSENTER_EIP,
	SIM_MSRS
};

#define SIM_PAT_RESET UINT64_C(0x0007040600070406)

/* regs.c: the state of a vCPU, made at the first use as after a reset; NULL without memory. */
uint8_t *gmi_sim_regs(struct sim_vcpu *vcpu);
int gmi_sim_regs_ioctl(struct sim_vcpu *vcpu, uint64_t request, uint64_t arg);

/* msrs.c */
int gmi_sim_get_msrs(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);
int gmi_sim_set_msrs(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t arg);

/* vmsa.c: what sev_es_sync_vmsa() makes of it; @page has 4096 bytes. 0 or -errno. */
int gmi_sim_vmsa_sync(struct sim_vcpu *vcpu, uint64_t features, uint8_t *page);

#endif
