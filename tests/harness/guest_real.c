/* SPDX-License-Identifier: MIT */
/* One instruction at a time: on a real vCPU in 64-bit mode, with one 4K page of guest memory in sight. */
#include <cpuid.h>
#include <linux/kvm.h>
#include <sys/mman.h>

#include "gt_guest_sim.h"

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

enum routine { READ, WRITE, OUT, OUTSB, INSB, VMCALL, VMMCALL };

/* A script has no choice of two instructions for a hypercall. */
static const enum gt_instruction instructions[] = {
	[READ] = GT_READ, [WRITE] = GT_WRITE,      [OUT] = GT_OUT,           [OUTSB] = GT_OUTSB,
	[INSB] = GT_INSB, [VMCALL] = GT_HYPERCALL, [VMMCALL] = GT_HYPERCALL,
};

#define ROUTINE_SIZE 16

static const uint8_t code[][ROUTINE_SIZE] = {
	[READ] = {FLUSH, 0x31, 0xc0, 0x8a, 0x07, HLT}, /* xor %eax,%eax; mov (%rdi),%al */
	[WRITE] = {FLUSH, 0x88, 0x07, HLT},            /* mov %al,(%rdi) */
	[OUT] = {0xee, HLT},
	[OUTSB] = {FLUSH, 0x6e, HLT},
	[INSB] = {FLUSH, 0x6c, HLT},
	[VMCALL] = {0x0f, 0x01, 0xc1, HLT},
	[VMMCALL] = {0x0f, 0x01, 0xd9, HLT},
};

struct gt_guest {
	const struct gt *t;
	int vcpu;
	struct kvm_run *run;
	uint64_t run_size;
	uint8_t *memory;
	bool pending;   /* an exit that the next KVM_RUN completes */
	uint8_t byte;   /* that a scripted guest read */
	uint8_t stored; /* that it writes; actions borrow it */
	bool is_hypercall;
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

static void map_run_page(struct gt_guest *guest, int kvm)
{
	void *run;
	int size = gt_ioctl(guest->t, kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);

	MUST(size > 0);
	guest->run_size = (uint64_t)size;
	MUST(gt_map(guest->t, guest->vcpu, 0, guest->run_size, &run) == 0);
	guest->run = run;
}

struct gt_guest *gt_guest_create(const struct gt *t, int vm)
{
	struct gt_guest *guest = calloc(1, sizeof(*guest));
	int kvm = gt_open_kvm(t);

	MUST(guest && kvm >= 0);
	guest->t = t;
	guest->memory = gt_anonymous(t, GT_GUEST_SIZE);
	build_memory(guest);
	MUST(gt_set_region(t, vm, GT_GUEST_SLOT, 0, GT_GUEST_GPA, GT_GUEST_SIZE, guest->memory) ==
	     0);
	guest->vcpu = gt_create_vcpu(t, vm);
	MUST(guest->vcpu >= 0);
	map_run_page(guest, kvm);
	if (!t->sim) {
		set_cpuid(guest, kvm);
		set_long_mode(guest);
	}
	gt_close(t, kvm);
	return guest;
}

void gt_guest_destroy(struct gt_guest *guest)
{
	gt_unmap(guest->t, guest->run, guest->run_size);
	gt_unmap(guest->t, guest->memory, GT_GUEST_SIZE);
	gt_close(guest->t, guest->vcpu);
	free(guest);
}

int gt_guest_vcpu(const struct gt_guest *guest)
{
	return guest->vcpu;
}

struct gmi_kvm_run *gt_guest_run_page(const struct gt_guest *guest)
{
	return (struct gmi_kvm_run *)(void *)guest->run;
}

static uint64_t result_register(struct gt_guest *guest)
{
	struct kvm_regs regs = {0};

	if (guest->t->sim)
		return guest->is_hypercall ? gt_sim_hypercall_result(guest->t, guest->vcpu)
					   : guest->byte;
	if (gt_ioctl(guest->t, guest->vcpu, KVM_GET_REGS, &regs) < 0)
		return 0;
	return regs.rax;
}

static struct gt_exit read_exit(struct gt_guest *guest, int ret)
{
	const struct gmi_kvm_run *run = gt_guest_run_page(guest);
	struct gt_exit exit = {.ret = ret, .reason = run->exit_reason};

	memcpy(&exit.fault, &run->memory_fault, sizeof(exit.fault));
	memcpy(&exit.hypercall, &run->hypercall, sizeof(exit.hypercall));
	memcpy(&exit.mmio, &run->mmio, sizeof(exit.mmio));
	memcpy(&exit.io, &run->io, sizeof(exit.io));
	if (exit.reason == KVM_EXIT_IO && exit.io.data_offset < guest->run_size)
		exit.io_byte = ((const uint8_t *)run)[exit.io.data_offset];
	if (ret == 0 && exit.reason == KVM_EXIT_HLT)
		exit.value = result_register(guest);
	return exit;
}

struct gt_exit gt_guest_resume(struct gt_guest *guest)
{
	struct gt_exit exit;

	exit = read_exit(guest, gt_ioctl(guest->t, guest->vcpu, KVM_RUN, NULL));
	guest->pending = exit.ret == 0 && exit.reason != KVM_EXIT_HLT;
	return exit;
}

/* An exit for I/O is completed by the next KVM_RUN, before it runs anything. */
static void complete_pending(struct gt_guest *guest)
{
	if (!guest->pending)
		return;
	guest->run->immediate_exit = 1;
	gt_ioctl(guest->t, guest->vcpu, KVM_RUN, NULL);
	guest->run->immediate_exit = 0;
}

/* What the registers mean to the instruction, for a guest that is a script. */
static void script_routine(struct gt_guest *guest, enum routine routine, uint64_t gpa,
			   const struct kvm_regs *regs)
{
	const struct gt_sim_instruction instruction = {
		.instruction = instructions[routine],
		.gpa = gpa,
		.port = (uint16_t)regs->rdx,
		.value = &guest->stored,
		.nr = regs->rax,
		.args = {regs->rbx, regs->rcx, regs->rdx},
		.byte = &guest->byte,
	};

	guest->byte = 0;
	guest->stored = (uint8_t)regs->rax;
	guest->is_hypercall = instruction.instruction == GT_HYPERCALL;
	gt_sim_script(guest->t, guest->vcpu, &instruction);
}

static struct gt_exit run_routine(struct gt_guest *guest, enum routine routine, uint64_t gpa,
				  struct kvm_regs regs)
{
	complete_pending(guest);
	if (guest->t->sim) {
		script_routine(guest, routine, gpa, &regs);
		return gt_guest_resume(guest);
	}
	regs.rip = CODE_GVA + routine * ROUTINE_SIZE;
	regs.rsp = STACK_GVA + GT_PAGE;
	regs.rflags = 2;
	MUST(gt_ioctl(guest->t, guest->vcpu, KVM_SET_REGS, &regs) == 0);
	return gt_guest_resume(guest);
}

static uint64_t look_at(struct gt_guest *guest, uint64_t gpa)
{
	table(guest, PAGE_PT)[WINDOW_GVA / GT_PAGE] = (gpa & ~(GT_PAGE - 1)) | PTE_FLAGS;
	return WINDOW_GVA + (gpa & (GT_PAGE - 1));
}

struct gt_exit gt_guest_read(struct gt_guest *guest, uint64_t gpa)
{
	struct kvm_regs regs = {.rdi = look_at(guest, gpa)};

	return run_routine(guest, READ, gpa, regs);
}

struct gt_exit gt_guest_write(struct gt_guest *guest, uint64_t gpa, uint8_t value)
{
	struct kvm_regs regs = {.rdi = look_at(guest, gpa), .rax = value};

	return run_routine(guest, WRITE, gpa, regs);
}

static bool is_amd(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(0, &a, &b, &c, &d) && (b == signature_AMD_ebx || b == 0x6f677948);
}

struct gt_exit gt_guest_hypercall(struct gt_guest *guest, uint64_t nr, uint64_t arg0, uint64_t arg1,
				  uint64_t arg2)
{
	struct kvm_regs regs = {.rax = nr, .rbx = arg0, .rcx = arg1, .rdx = arg2};

	return run_routine(guest, is_amd() ? VMMCALL : VMCALL, 0, regs);
}

struct gt_exit gt_guest_out(struct gt_guest *guest, uint16_t port, uint8_t value)
{
	struct kvm_regs regs = {.rax = value, .rdx = port};

	return run_routine(guest, OUT, 0, regs);
}

struct gt_exit gt_guest_outsb(struct gt_guest *guest, uint64_t gpa, uint16_t port)
{
	struct kvm_regs regs = {.rsi = look_at(guest, gpa), .rdx = port};

	return run_routine(guest, OUTSB, gpa, regs);
}

struct gt_exit gt_guest_insb(struct gt_guest *guest, uint16_t port, uint64_t gpa)
{
	struct kvm_regs regs = {.rdi = look_at(guest, gpa), .rdx = port};

	return run_routine(guest, INSB, gpa, regs);
}

bool gt_exit_is_done(const struct gt_exit *exit)
{
	return exit->ret == 0 && exit->reason == KVM_EXIT_HLT;
}
