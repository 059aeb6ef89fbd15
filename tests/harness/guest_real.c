/* SPDX-License-Identifier: MIT */
/* One instruction at a time on a real vCPU: 64-bit mode, one 4K page of guest memory in sight. */
#include <cpuid.h>
#include <linux/kvm.h>

#include "gt_guest_backend.h"

/* Pages of the guest's own memory. */
enum { PAGE_PML4, PAGE_PDPT, PAGE_PD, PAGE_PT, PAGE_CODE, PAGE_STACK };

/* Guest virtual addresses: the first entries of the only page table. */
#define CODE_GVA   UINT64_C(0x0000)
#define STACK_GVA  UINT64_C(0x1000)
#define WINDOW_GVA UINT64_C(0x2000)

#define PTE_FLAGS UINT64_C(0x63) /* present, writable, accessed, dirty */

/* mov %cr3,%rcx; mov %rcx,%cr3: the window may have moved. */
#define FLUSH 0x0f, 0x20, 0xd9, 0x0f, 0x22, 0xd9
#define HLT   0xf4

/* One routine an instruction; the hypercall of AMD comes behind that of Intel. */
#define VMCALL  GT_HYPERCALL
#define VMMCALL (GT_HYPERCALL + 1)

#define ROUTINE_SIZE 16

static const uint8_t code[][ROUTINE_SIZE] = {
	[GT_READ] = {FLUSH, 0x31, 0xc0, 0x8a, 0x07, HLT}, /* xor %eax,%eax; mov (%rdi),%al */
	[GT_WRITE] = {FLUSH, 0x88, 0x07, HLT},            /* mov %al,(%rdi) */
	[GT_OUT] = {0xee, HLT},
	[GT_OUTSB] = {FLUSH, 0x6e, HLT},
	[GT_INSB] = {FLUSH, 0x6c, HLT},
	[VMCALL] = {0x0f, 0x01, 0xc1, HLT},
	[VMMCALL] = {0x0f, 0x01, 0xd9, HLT},
};

static uint64_t *table(struct gt_guest *guest, unsigned int page)
{
	return (uint64_t *)(void *)(guest->memory + page * GT_PAGE);
}

static uint64_t entry(unsigned int page)
{
	return (GT_GUEST_GPA + page * GT_PAGE) | PTE_FLAGS;
}

static void build_memory(struct gt_guest *guest)
{
	table(guest, PAGE_PML4)[0] = entry(PAGE_PDPT);
	table(guest, PAGE_PDPT)[0] = entry(PAGE_PD);
	table(guest, PAGE_PD)[0] = entry(PAGE_PT);
	table(guest, PAGE_PT)[CODE_GVA / GT_PAGE] = entry(PAGE_CODE);
	table(guest, PAGE_PT)[STACK_GVA / GT_PAGE] = entry(PAGE_STACK);
	memcpy(guest->memory + PAGE_CODE * GT_PAGE, code, sizeof(code));
}

static void set_cpuid(struct gt_guest *guest, int kvm)
{
	enum { ENTRIES = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	MUST(cpuid);
	cpuid->nent = ENTRIES;
	MUST(gt_ioctl(guest->t, kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0);
	MUST(gt_ioctl(guest->t, guest->vcpu, KVM_SET_CPUID2, cpuid) == 0);
	free(cpuid);
}

static void set_long_mode(struct gt_guest *guest)
{
	const struct kvm_segment data = {.limit = 0xffffffff,
					 .selector = 16,
					 .type = 3,
					 .present = 1,
					 .db = 1,
					 .s = 1,
					 .g = 1};
	const struct kvm_segment code64 = {.limit = 0xffffffff,
					   .selector = 8,
					   .type = 11,
					   .present = 1,
					   .s = 1,
					   .l = 1,
					   .g = 1};
	struct kvm_sregs sregs;

	MUST(gt_ioctl(guest->t, guest->vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cs = code64;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = UINT64_C(0x80010033);
	sregs.cr3 = GT_GUEST_GPA + PAGE_PML4 * GT_PAGE;
	sregs.cr4 = 1 << 5;                /* PAE */
	sregs.efer = (1 << 8) | (1 << 10); /* LME, LMA */
	MUST(gt_ioctl(guest->t, guest->vcpu, KVM_SET_SREGS, &sregs) == 0);
}

static void prepare(struct gt_guest *guest, int kvm)
{
	build_memory(guest);
	set_cpuid(guest, kvm);
	set_long_mode(guest);
}

static bool is_amd(void)
{
	unsigned int a, b, c, d;

	/* "Auth", "Hygo" */
	return __get_cpuid(0, &a, &b, &c, &d) && (b == signature_AMD_ebx || b == 0x6f677948);
}

static uint64_t look_at(struct gt_guest *guest, uint64_t gpa)
{
	table(guest, PAGE_PT)[WINDOW_GVA / GT_PAGE] = (gpa & ~(GT_PAGE - 1)) | PTE_FLAGS;
	return WINDOW_GVA + (gpa & (GT_PAGE - 1));
}

static struct kvm_regs regs_of(struct gt_guest *guest, const struct gt_instruction *i)
{
	if (i->op == GT_HYPERCALL)
		return (struct kvm_regs){
			.rax = i->args[0], .rbx = i->args[1], .rcx = i->args[2], .rdx = i->args[3]};
	return (struct kvm_regs){.rax = i->value,
				 .rdx = i->port,
				 .rsi = look_at(guest, i->gpa),
				 .rdi = look_at(guest, i->gpa)};
}

static void load(struct gt_guest *guest, const struct gt_instruction *instruction)
{
	struct kvm_regs regs = regs_of(guest, instruction);
	unsigned int routine = instruction->op;

	if (routine == GT_HYPERCALL && is_amd())
		routine = VMMCALL;
	regs.rip = CODE_GVA + routine * ROUTINE_SIZE;
	regs.rsp = STACK_GVA + GT_PAGE;
	regs.rflags = 2;
	MUST(gt_ioctl(guest->t, guest->vcpu, KVM_SET_REGS, &regs) == 0);
}

static uint64_t value(struct gt_guest *guest)
{
	struct kvm_regs regs = {0};

	if (gt_ioctl(guest->t, guest->vcpu, KVM_GET_REGS, &regs) < 0)
		return 0;
	return regs.rax;
}

const struct gt_guest_backend gt_guest_real = {
	.prepare = prepare,
	.load = load,
	.value = value,
};
