/* SPDX-License-Identifier: MIT */
/* TDs: what KVM_MEMORY_ENCRYPT_OP refuses, in the kernel's order, and what it leaves. */
#include "contract.h"
#include "gt_tdx.h"

/*
 * Rows are those of the table of errors for TDX in Linux 7.3.4. "old" is what the kernels up to
 * 6.18 do otherwise.
 */
#define SHARED_BIT (UINT64_C(1) << 47)
#define MEASURE    GMI_KVM_TDX_MEASURE_MEMORY_REGION
#define X2APIC     (UINT32_C(1) << 21)
#define RCX        UINT64_C(0x809000)

static int raw(struct gt_td *td, int fd, struct gmi_kvm_tdx_cmd cmd)
{
	return gt_ioctl(td->t, fd, GMI_KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static struct gmi_kvm_tdx_init_mem_region region_at(const struct gt_td *td, uint64_t first,
						    uint64_t pages)
{
	return (struct gmi_kvm_tdx_init_mem_region){
		.source_addr = (uintptr_t)td->source + first * GT_PAGE,
		.gpa = GT_TD_GPA + first * GT_PAGE,
		.nr_pages = pages,
	};
}

static int add_pages(struct gt_td *td, uint64_t first, uint64_t pages)
{
	struct gmi_kvm_tdx_init_mem_region region = region_at(td, first, pages);

	return gt_td_add(td, 0, &region);
}

static void types_and_limits(struct gt *t)
{
	struct gt_td td;
	int plain, most;

	gt_td_open(t, &td);
	plain = gt_create_vm(t, td.kvm, GMI_KVM_X86_DEFAULT_VM);
	MUST(plain >= 0);
	EXPECT("op, VM is no TD", raw(&td, plain, (struct gmi_kvm_tdx_cmd){.id = 0}), -ENOTTY);
	EXPECT("op, VM is no TD", gt_ioctl(t, plain, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -ENOTTY);
	most = gt_cap(t, td.vm, GMI_KVM_CAP_MAX_VCPUS);
	EXPECT("max vCPUs", most > 0 && most <= gt_cap(t, td.kvm, GMI_KVM_CAP_MAX_VCPUS), true);
	EXPECT("private memory", gt_cap(t, td.vm, GMI_KVM_CAP_MEMORY_ATTRIBUTES),
	       td.in_place ? 0 : (int64_t)GT_PRIVATE);
	EXPECT("read-only", gt_cap(t, td.vm, GMI_KVM_CAP_READONLY_MEM), 0);
	EXPECT("read-only",
	       gt_set_region(t, td.vm, 1, GMI_KVM_MEM_READONLY, TEST_GPA, GT_PAGE, td.source),
	       -EINVAL);
	if (!td.is_old && !td.in_place) {
		EXPECT("flags", gt_cap(t, td.vm, GMI_KVM_CAP_GUEST_MEMFD_FLAGS),
		       GMI_GUEST_MEMFD_FLAG_MMAP);
		EXPECT("INIT_SHARED", gt_create_gmem(t, td.vm, GT_PAGE, GT_SHARED_FLAGS), -EINVAL);
	}
	gt_close(t, plain);
	gt_td_close(&td);
}

static void commands(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	EXPECT("op, unreadable", gt_ioctl(t, td.vm, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -EFAULT);
	td.hw_error = 1;
	EXPECT("op, hw_error", gt_td_op(&td, td.vm, 99, 0, NULL), -EINVAL);
	EXPECT("op, hw_error stays", (int64_t)td.hw_error, 1);
	td.hw_error = 0;
	for (uint32_t id = 0; id < 8; id++) {
		if (id == GMI_KVM_TDX_CAPABILITIES || id == GMI_KVM_TDX_INIT_VM)
			continue;
		EXPECT("VM: FINALIZE before INIT_VM, other ids", gt_td_op(&td, td.vm, id, 0, NULL),
		       -EINVAL);
	}
	gt_td_close(&td);
}

static void capabilities(struct gt *t)
{
	union gt_td_caps caps, before;
	struct gt_td td;
	uint32_t needed;
	bool empty = true;

	gt_td_open(t, &td);
	EXPECT("CAPABILITIES flags", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 1, NULL),
	       -EINVAL);
	EXPECT("CAPABILITIES unreadable", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 0, NULL),
	       -EFAULT);
	memset(&caps, 0xff, sizeof(caps));
	caps.head.cpuid.nent = 0;
	before = caps;
	EXPECT("CAPABILITIES too small", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 0, &caps),
	       -E2BIG);
	EXPECT("CAPABILITIES writes nothing", memcmp(&caps, &before, sizeof(caps)), 0);
	memset(&caps, 0xff, sizeof(caps));
	caps.head.cpuid.nent = GT_TD_ENTRIES;
	EXPECT("CAPABILITIES", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 0, &caps), 0);
	needed = caps.head.cpuid.nent;
	EXPECT("leaves", needed > 0 && needed < GT_TD_ENTRIES, true);
	EXPECT("padding", caps.head.cpuid.padding, 0);
	for (size_t i = 0; i < GT_COUNT(caps.head.reserved); i++)
		empty &= !caps.head.reserved[i];
	EXPECT("reserved", empty, true);
	EXPECT("attributes", (caps.head.supported_attrs & ~GMI_TDX_ATTR_SEPT_VE_DISABLE) == 0,
	       true);
	EXPECT("xfam", (caps.head.supported_xfam & 3) == 3, true);
	caps.head.cpuid.nent = needed;
	EXPECT("exact", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 0, &caps), 0);
	caps.head.cpuid.nent = needed - 1;
	EXPECT("one less", gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 0, &caps), -E2BIG);
	gt_td_close(&td);
}

/* What KVM takes out of the module's leaves, and what it puts in. */
static void configurable_leaves(struct gt *t)
{
	union gt_td_caps caps;
	struct gt_td td;
	int widths = 0;

	gt_td_open(t, &td);
	MUST(gt_td_capabilities(&td, &caps) == 0);
	for (uint32_t i = 0; i < caps.head.cpuid.nent; i++) {
		const struct gmi_kvm_cpuid_entry2 *entry = &caps.head.cpuid.entries[i];

		EXPECT("flags", entry->flags, 0);
		if (entry->function == 7 && !entry->index) {
			EXPECT("HLE, RTM", entry->ebx & (1u << 4 | 1u << 11), 0);
			EXPECT("WAITPKG", entry->ecx & 1u << 5, 0);
		}
		if (entry->function != 0x80000008)
			continue;
		EXPECT("GPAW", entry->eax >> 16 & 0xff, 0xff);
		widths++;
	}
	EXPECT("0x80000008", widths, 1);
	gt_td_close(&td);
}

static int init_with(struct gt_td *td, union gt_td_init *init)
{
	int ret = gt_td_init_vm(td, init);

	EXPECT("INIT_VM hw_error", (int64_t)td->hw_error, 0);
	return ret;
}

/* Each init has several things wrong, the first of which is reported. */
static void init_vm_order(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	EXPECT("INIT_VM flags", gt_td_op(&td, td.vm, GMI_KVM_TDX_INIT_VM, 1, NULL), -EINVAL);
	EXPECT("INIT_VM unreadable", gt_td_op(&td, td.vm, GMI_KVM_TDX_INIT_VM, 0, NULL), -EFAULT);
	init.head.reserved[11] = 1;
	init.head.cpuid.nent = GT_TD_ENTRIES + 1;
	EXPECT("INIT_VM nent", init_with(&td, &init), -E2BIG);
	init.head.cpuid.nent = 1;
	EXPECT("INIT_VM reserved", init_with(&td, &init), -EINVAL);
	gt_td_prepare(&init);
	init.head.cpuid.padding = 1;
	EXPECT("INIT_VM padding", init_with(&td, &init), -EINVAL);
	for (int bit = 0; bit < 64; bit++) {
		gt_td_prepare(&init);
		init.head.attributes = UINT64_C(1) << bit;
		if (init.head.attributes == GMI_TDX_ATTR_SEPT_VE_DISABLE)
			continue;
		EXPECT("INIT_VM attributes", init_with(&td, &init), -EINVAL);
	}
	gt_td_prepare(&init);
	init.head.xfam = UINT64_C(1) << 63;
	EXPECT("INIT_VM xfam", init_with(&td, &init), -EINVAL);
	gt_td_prepare(&init);
	EXPECT("INIT_VM after all that", init_with(&td, &init), 0);
	EXPECT("INIT_VM twice", init_with(&td, &init), -EINVAL);
	gt_td_close(&td);
}

static void init_vm_cpuid(struct gt *t)
{
	union gt_td_init init;
	union gt_td_caps caps;
	struct gt_td td;
	uint32_t count;

	gt_td_open(t, &td);
	MUST(gt_td_capabilities(&td, &caps) == 0);
	gt_td_prepare(&init);
	init.head.cpuid.nent = 0;
	EXPECT("INIT_VM no 0x80000008", init_with(&td, &init), -EINVAL);
	for (uint32_t width = 0; width < 256; width++) {
		gt_td_prepare(&init);
		init.head.cpuid.entries[0].eax = width << 16;
		if (width != GMI_TDX_GPAW_48 && width != GMI_TDX_GPAW_52)
			EXPECT("INIT_VM width", init_with(&td, &init), -EINVAL);
	}
	gt_td_prepare(&init);
	init.head.cpuid.nent = 2;
	init.head.cpuid.entries[1].function = 0x40000000;
	EXPECT("INIT_VM not configurable", init_with(&td, &init), -EINVAL);
	init.head.cpuid.entries[1] = init.head.cpuid.entries[0];
	EXPECT("INIT_VM duplicate", init_with(&td, &init), -EINVAL);
	init.head.cpuid.entries[1] = (struct gmi_kvm_cpuid_entry2){
		.function = 7,
		.flags = GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX,
		.ebx = 1u << 4,
	};
	EXPECT("INIT_VM HLE", init_with(&td, &init), -EINVAL);
	init.head.cpuid.entries[1].ebx = 0;
	init.head.cpuid.entries[1].ecx = 1u << 5;
	EXPECT("INIT_VM WAITPKG", init_with(&td, &init), -EINVAL);

	/* All that is configurable, each with its index; none of the bits. */
	count = caps.head.cpuid.nent;
	gt_td_prepare(&init);
	init.head.cpuid.nent = count;
	for (uint32_t i = 0; i < count; i++) {
		init.head.cpuid.entries[i] = (struct gmi_kvm_cpuid_entry2){
			.function = caps.head.cpuid.entries[i].function,
			.index = caps.head.cpuid.entries[i].index,
			.flags = GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX,
		};
		if (init.head.cpuid.entries[i].function == 0x80000008)
			init.head.cpuid.entries[i].eax = GMI_TDX_GPAW_48 << 16;
	}
	EXPECT("INIT_VM all leaves", init_with(&td, &init), 0);
	gt_td_close(&td);
}

/* A function with several sub-leaves that an entry without the flag matches more than once. */
static void init_vm_flagless(struct gt *t)
{
	union gt_td_init init;
	union gt_td_caps caps;
	struct gt_td td;
	uint32_t function = 0;

	gt_td_open(t, &td);
	MUST(gt_td_capabilities(&td, &caps) == 0);
	for (uint32_t i = 1; i < caps.head.cpuid.nent; i++) {
		if (caps.head.cpuid.entries[i].function == caps.head.cpuid.entries[i - 1].function)
			function = caps.head.cpuid.entries[i].function;
	}
	REQUIRE(function, "no function with several sub-leaves is configurable");
	gt_td_prepare(&init);
	init.head.cpuid.nent = 2;
	init.head.cpuid.entries[1].function = function;
	EXPECT("INIT_VM without the flag", init_with(&td, &init), -EINVAL);
	init.head.cpuid.entries[1].flags = GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX;
	EXPECT("INIT_VM with the flag", init_with(&td, &init), 0);
	gt_td_close(&td);
}

static int enable(struct gt_td *td, uint32_t cap, uint64_t arg)
{
	return gt_enable_cap(td->t, td->vm, cap, arg);
}

/* Settings of the VM that have to come before its vCPUs. */
static void settings(struct gt *t)
{
	const uint32_t bus = GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS;
	struct gt_td td;
	int vm;

	gt_td_open(t, &td);
	EXPECT("SPLIT_IRQCHIP too many", enable(&td, GMI_KVM_CAP_SPLIT_IRQCHIP, 4097), -EINVAL);
	EXPECT("SPLIT_IRQCHIP twice", enable(&td, GMI_KVM_CAP_SPLIT_IRQCHIP, 24), -EEXIST);
	EXPECT("CREATE_IRQCHIP exists", gt_ioctl(t, td.vm, GMI_KVM_CREATE_IRQCHIP, NULL), -EEXIST);
	EXPECT("APIC_BUS 0", enable(&td, bus, 0), -EINVAL);
	EXPECT("APIC_BUS overflow", enable(&td, bus, UINT64_MAX), -EINVAL);
	EXPECT("APIC_BUS 40", enable(&td, bus, GMI_TDX_APIC_BUS_CYCLES_NS), 0);
	EXPECT("APIC_BUS answer", gt_cap(t, td.vm, bus), GMI_TDX_APIC_BUS_CYCLES_NS);
	EXPECT("SET_TSC_KHZ", gt_ioctl_number(t, td.vm, GMI_KVM_SET_TSC_KHZ, 2000000), 0);
	gt_td_launch(&td, RCX);
	EXPECT("APIC_BUS vCPUs", enable(&td, bus, GMI_TDX_APIC_BUS_CYCLES_NS), -EINVAL);
	EXPECT("SET_TSC_KHZ vCPUs", gt_ioctl_number(t, td.vm, GMI_KVM_SET_TSC_KHZ, 2000000),
	       -EINVAL);
	EXPECT("SPLIT_IRQCHIP vCPUs", enable(&td, GMI_KVM_CAP_SPLIT_IRQCHIP, 24), -EEXIST);
	vm = gt_create_vm(t, td.kvm, GMI_KVM_X86_TDX_VM);
	MUST(vm >= 0);
	EXPECT("APIC_BUS no APIC", gt_enable_cap(t, vm, bus, 40), -ENXIO);
	EXPECT("CREATE_IRQCHIP", gt_ioctl(t, vm, GMI_KVM_CREATE_IRQCHIP, NULL),
	       td.is_old ? 0 : -ENOTTY);
	gt_close(t, vm);
	gt_td_close(&td);
}

/* A vCPU wants INIT_VM first, and a split irqchip. */
static void create_vcpu(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;
	int bare, vcpu;

	gt_td_open(t, &td);
	EXPECT("CREATE_VCPU id", gt_td_create_vcpu(&td, 1u << 20), -EINVAL);
	EXPECT("CREATE_VCPU before INIT_VM", gt_td_create_vcpu(&td, 0), -EIO);
	gt_td_launch(&td, RCX);
	EXPECT("CREATE_VCPU in use", gt_td_create_vcpu(&td, 0), -EEXIST);
	vcpu = gt_td_create_vcpu(&td, 7);
	EXPECT("CREATE_VCPU", vcpu >= 0, true);
	EXPECT("FINALIZE without pages", gt_td_finalize(&td), 0);
	EXPECT("CREATE_VCPU after FINALIZE", gt_td_create_vcpu(&td, 1), -EIO);
	EXPECT("CREATE_VCPU in use after FINALIZE", gt_td_create_vcpu(&td, 7), -EEXIST);
	gt_close(t, vcpu);

	bare = td.vm;
	td.vm = gt_create_vm(t, td.kvm, GMI_KVM_X86_TDX_VM);
	MUST(td.vm >= 0);
	gt_td_prepare(&init);
	MUST(gt_td_init_vm(&td, &init) == 0);
	EXPECT("CREATE_VCPU without irqchip", gt_td_create_vcpu(&td, 0), -EINVAL);
	if (td.is_old) {
		MUST(gt_ioctl(t, td.vm, GMI_KVM_CREATE_IRQCHIP, NULL) == 0);
		EXPECT("CREATE_VCPU full irqchip", gt_td_create_vcpu(&td, 0), -EINVAL);
	}
	gt_close(t, td.vm);
	td.vm = bare;
	gt_td_close(&td);
}

static void max_vcpus(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;
	int vcpu[1024], count = 0, most;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	MUST(gt_td_init_vm(&td, &init) == 0);
	most = gt_cap(t, td.vm, GMI_KVM_CAP_MAX_VCPUS);
	REQUIRE(most > 0 && most <= 1024, "this machine allows %d vCPUs", most);
	while (count < most) {
		vcpu[count] = gt_td_create_vcpu(&td, (uint64_t)count);
		MUST(vcpu[count] >= 0);
		count++;
	}
	EXPECT("CREATE_VCPU one more", gt_td_create_vcpu(&td, (uint64_t)most), -EINVAL);
	EXPECT("CREATE_VCPU before EEXIST", gt_td_create_vcpu(&td, 0), -EINVAL);
	while (count--)
		gt_close(t, vcpu[count]);
	gt_td_close(&td);
}

/* The guest's registers are the guest's. */
static void vcpu_state(struct gt *t)
{
	static const uint64_t requests[] = {
		GMI_KVM_GET_REGS,      GMI_KVM_SET_REGS,      GMI_KVM_GET_SREGS, GMI_KVM_SET_SREGS,
		GMI_KVM_GET_SREGS2,    GMI_KVM_SET_SREGS2,    GMI_KVM_GET_FPU,   GMI_KVM_SET_FPU,
		GMI_KVM_GET_XSAVE,     GMI_KVM_SET_XSAVE,     GMI_KVM_GET_XCRS,  GMI_KVM_SET_XCRS,
		GMI_KVM_GET_DEBUGREGS, GMI_KVM_SET_DEBUGREGS,
	};
	static uint64_t state[GT_PAGE / 8];
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	for (size_t i = 0; i < GT_COUNT(requests); i++)
		EXPECT("vCPU registers", gt_ioctl(t, td.vcpu, requests[i], state), -EINVAL);
	EXPECT("vCPU SET_TSC_KHZ", gt_ioctl_number(t, td.vcpu, GMI_KVM_SET_TSC_KHZ, 2000000),
	       -EINVAL);
	gt_td_close(&td);
}

static void vcpu_commands(struct gt *t)
{
	union gt_td_init init;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_prepare(&init);
	MUST(gt_td_init_vm(&td, &init) == 0);
	td.vcpu = gt_td_create_vcpu(&td, 0);
	MUST(td.vcpu >= 0);
	EXPECT("vCPU unreadable", gt_ioctl(t, td.vcpu, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -EFAULT);
	td.hw_error = 1;
	EXPECT("vCPU hw_error", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL), -EINVAL);
	td.hw_error = 0;
	for (uint32_t id = 0; id < 8; id++) {
		if (id == GMI_KVM_TDX_INIT_VCPU || id == GMI_KVM_TDX_INIT_MEM_REGION ||
		    id == GMI_KVM_TDX_GET_CPUID)
			continue;
		EXPECT("vCPU other ids", gt_td_op(&td, td.vcpu, id, 0, NULL), -EINVAL);
	}
	EXPECT("INIT_MEM_REGION before INIT_VCPU", add_pages(&td, 0, 1), -EINVAL);
	EXPECT("INIT_VCPU flags", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 1, NULL), -EINVAL);
	MUST(gt_td_set_cpuid(&td, td.vcpu, 0) == 0);
	EXPECT("INIT_VCPU no x2APIC", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL),
	       -EINVAL);
	MUST(gt_td_set_cpuid(&td, td.vcpu, X2APIC) == 0);
	EXPECT("KVM_RUN before INIT_VCPU", gt_ioctl(t, td.vcpu, GMI_KVM_RUN, NULL), -EINVAL);
	EXPECT("INIT_VCPU", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL), 0);
	EXPECT("INIT_VCPU twice", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_INIT_VCPU, 0, NULL), -EINVAL);
	EXPECT("KVM_RUN before FINALIZE", gt_ioctl(t, td.vcpu, GMI_KVM_RUN, NULL), -EINVAL);
	gt_td_close(&td);
}

/* Once finalised a vCPU takes no command; which errors come before that differs. */
static void vcpu_commands_late(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	MUST(gt_td_finalize(&td) == 0);
	for (uint32_t id = 0; id < 8; id++)
		EXPECT("vCPU after FINALIZE", gt_td_op(&td, td.vcpu, id, 0, NULL), -EINVAL);
	EXPECT("vCPU after FINALIZE, unreadable",
	       gt_ioctl(t, td.vcpu, GMI_KVM_MEMORY_ENCRYPT_OP, NULL),
	       td.is_old ? -EINVAL : -EFAULT);
	EXPECT("FINALIZE twice", gt_td_finalize(&td), -EINVAL);
	EXPECT("CAPABILITIES after FINALIZE",
	       gt_td_op(&td, td.vm, GMI_KVM_TDX_CAPABILITIES, 1, NULL), -EINVAL);
	gt_td_close(&td);
}

static void get_cpuid(struct gt *t)
{
	union gt_td_cpuid cpuid;
	struct gt_td td;
	uint32_t needed;
	int64_t width = 0;

	memset(&cpuid, 0, sizeof(cpuid));
	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	EXPECT("GET_CPUID unreadable", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_GET_CPUID, 0, NULL),
	       -EFAULT);
	EXPECT("GET_CPUID too small", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_GET_CPUID, 0, &cpuid),
	       -E2BIG);
	needed = cpuid.head.nent;
	EXPECT("GET_CPUID says how many", needed > 0 && needed <= GT_TD_ENTRIES, true);
	EXPECT("GET_CPUID no entries", cpuid.head.entries[0].eax, 0);
	EXPECT("GET_CPUID", gt_td_op(&td, td.vcpu, GMI_KVM_TDX_GET_CPUID, 0, &cpuid), 0);
	EXPECT("GET_CPUID number", cpuid.head.nent, needed);
	cpuid.head.nent = GT_TD_ENTRIES;
	EXPECT("GET_CPUID flags are not looked at",
	       gt_td_op(&td, td.vcpu, GMI_KVM_TDX_GET_CPUID, 1, &cpuid), 0);
	EXPECT("GET_CPUID number", cpuid.head.nent, needed);
	for (uint32_t i = 0; i < needed; i++) {
		if (cpuid.head.entries[i].function == 0x80000008)
			width = cpuid.head.entries[i].eax >> 16 & 0xff;
	}
	EXPECT("GET_CPUID GPAW", width, GMI_TDX_GPAW_48);
	gt_td_close(&td);
}

static void expect_region(struct gt_td *td, const char *what, uint32_t flags,
			  struct gmi_kvm_tdx_init_mem_region region, int want)
{
	struct gmi_kvm_tdx_init_mem_region before = region;

	EXPECT_CASE(what, "the call", gt_td_add(td, flags, &region), want);
	EXPECT_CASE(what, "what is left", memcmp(&region, &before, sizeof(region)), 0);
}

static void region_arguments(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	EXPECT("INIT_MEM_REGION flags", gt_td_add(&td, 2, NULL), -EINVAL);
	EXPECT("INIT_MEM_REGION unreadable", gt_td_add(&td, 0, NULL), -EFAULT);
	region = region_at(&td, 0, 1);
	region.source_addr++;
	expect_region(&td, "source unaligned", 0, region, -EINVAL);
	region.source_addr = 0;
	if (!td.in_place)
		expect_region(&td, "source 0", 0, region, td.is_old ? -EFAULT : -EINVAL);
	region = region_at(&td, 0, 1);
	region.gpa++;
	expect_region(&td, "gpa unaligned", 0, region, -EINVAL);
	region = region_at(&td, 0, 0);
	expect_region(&td, "no pages", 0, region, -EINVAL);
	region = region_at(&td, 0, UINT64_MAX / GT_PAGE);
	expect_region(&td, "wraps", 0, region, -EINVAL);
	region = region_at(&td, 0, UINT64_C(1) << 52);
	expect_region(&td, "wraps to nothing", 0, region, -EINVAL);
	region = region_at(&td, 0, 1);
	region.gpa |= SHARED_BIT;
	expect_region(&td, "shared bit", 0, region, -EINVAL);
	region = region_at(&td, 0, 2);
	region.gpa = SHARED_BIT - GT_PAGE;
	expect_region(&td, "shared bit at the end", 0, region, -EINVAL);
	gt_td_close(&td);
}

/* What a page is refused for, on the first page: nothing moves. */
static void page_errors(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	MUST(gt_set_region(t, td.vm, 1, 0, TEST_GPA, GT_PAGE, td.source) == 0);
	gt_td_launch(&td, RCX);
	region = region_at(&td, 0, 1);
	region.gpa = 2 * TEST_GPA;
	region.source_addr = (uintptr_t)unmapped_address(t);
	expect_region(&td, "no memslot, no source", 0, region, -EINVAL);
	region.gpa = TEST_GPA;
	expect_region(&td, "memslot without file, no source", 0, region, -EINVAL);
	region.gpa = GT_TD_GPA;
	expect_region(&td, "no source", 0, region, -EFAULT);
	MUST(gt_td_convert(&td, GT_TD_GPA, GT_PAGE, 0) == 0);
	expect_region(&td, "shared, no source", 0, region, td.is_old ? -EINVAL : -EFAULT);
	expect_region(&td, "shared", 0, region_at(&td, 0, 1), -EINVAL);
	MUST(gt_td_convert(&td, GT_TD_GPA, GT_PAGE, GT_PRIVATE) == 0);
	EXPECT("added", add_pages(&td, 0, 1), 0);
	expect_region(&td, "twice", 0, region_at(&td, 0, 1), td.is_old ? -EEXIST : -EIO);
	EXPECT("the VM lives", add_pages(&td, 1, 1), 0);
	MUST(gt_close(t, td.file) == 0);
	expect_region(&td, "file closed", 0, region_at(&td, 2, 1), -EFAULT);
	td.file = gt_create_gmem(t, td.vm, GT_PAGE, 0);
	gt_td_close(&td);
}

/* The struct says what is left: three pages went in before the one that did not. */
static void partial_progress(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region, whole;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	MUST(gt_td_convert(&td, GT_TD_GPA + 3 * GT_PAGE, GT_PAGE, 0) == 0);
	region = whole = region_at(&td, 0, GT_TD_PAGES);
	EXPECT("page 3 is shared", gt_td_add(&td, MEASURE, &region), -EINVAL);
	EXPECT("3 pages done", (int64_t)region.nr_pages, GT_TD_PAGES - 3);
	EXPECT("3 pages done", region.gpa - whole.gpa == 3 * GT_PAGE, true);
	EXPECT("3 pages done", region.source_addr - whole.source_addr == 3 * GT_PAGE, true);
	MUST(gt_td_convert(&td, GT_TD_GPA + 3 * GT_PAGE, GT_PAGE, GT_PRIVATE) == 0);
	EXPECT("the rest", gt_td_add(&td, MEASURE, &region), 0);
	EXPECT("all done", (int64_t)region.nr_pages, 0);
	EXPECT("all done", region.gpa - whole.gpa == GT_TD_PAGES * GT_PAGE, true);
	EXPECT("FINALIZE", gt_td_finalize(&td), 0);
	EXPECT("INIT_MEM_REGION after FINALIZE", add_pages(&td, 0, 1), -EINVAL);
	gt_td_close(&td);
}

/* A range may cross memslots, and a page that was taken away may be added again. */
static void slots_and_holes(struct gt *t)
{
	const uint64_t half = GT_TD_PAGES / 2 * GT_PAGE;
	struct gt_td td;

	gt_td_open(t, &td);
	MUST(gt_delete_slot(t, td.vm, 0) == 0);
	MUST(gt_bind(t, td.vm, 0, GT_TD_GPA, half, NULL, td.file, half) == 0);
	MUST(gt_bind(t, td.vm, 1, GT_TD_GPA + half, half, NULL, td.file, 0) == 0);
	gt_td_launch(&td, RCX);
	EXPECT("two slots", add_pages(&td, 0, GT_TD_PAGES), 0);
	EXPECT("punch", gt_punch(t, td.file, half, GT_PAGE), 0);
	EXPECT("added again", add_pages(&td, 0, 1), 0);
	EXPECT("not its neighbour", add_pages(&td, 1, 1), td.is_old ? -EEXIST : -EIO);
	gt_td_close(&td);
}

/* Once a TD has its width, the shared bit is no part of a memslot's address. */
static void aliases(struct gt *t)
{
	const uint64_t below = SHARED_BIT - GT_PAGE;
	struct gt_td td;

	gt_td_open(t, &td);
	MUST(gt_delete_slot(t, td.vm, 0) == 0);
	EXPECT("before INIT_VM", gt_set_region(t, td.vm, 1, 0, SHARED_BIT, GT_PAGE, td.source), 0);
	gt_td_launch(&td, RCX);
	EXPECT("shared bit",
	       gt_set_region(t, td.vm, 2, 0, 2 * SHARED_BIT - GT_PAGE, GT_PAGE, td.source),
	       -EINVAL);
	MUST(gt_delete_slot(t, td.vm, 1) == 0);
	EXPECT("last page", gt_set_region(t, td.vm, 2, 0, below, 2 * GT_PAGE, td.source), -EINVAL);
	EXPECT("below", gt_set_region(t, td.vm, 2, 0, below, GT_PAGE, td.source), 0);
	EXPECT("moved", gt_set_region(t, td.vm, 2, 0, SHARED_BIT, GT_PAGE, td.source), -EINVAL);
	gt_td_close(&td);
}

/* 7.3: conversion takes the page out. Up to 6.18 the page is still marked as prepared. */
static void conversion_takes_out(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	MUST(add_pages(&td, 0, 1) == 0);
	MUST(gt_td_convert(&td, GT_TD_GPA, GT_PAGE, 0) == 0);
	MUST(gt_td_convert(&td, GT_TD_GPA, GT_PAGE, GT_PRIVATE) == 0);
	EXPECT("added again", add_pages(&td, 0, 1), td.is_old ? -EEXIST : 0);
	gt_td_close(&td);
}

/* Queued for 7.4: source 0 is the page itself, and stays 0. */
static void in_place(struct gt *t)
{
	struct gmi_kvm_tdx_init_mem_region region;
	struct gt_td td;

	gt_td_open(t, &td);
	REQUIRE(td.in_place, "this kernel wants a source");
	gt_td_launch(&td, RCX);
	MUST(gt_td_convert(&td, GT_TD_GPA + 2 * GT_PAGE, GT_PAGE, 0) == 0);
	region = region_at(&td, 0, 4);
	region.source_addr = 0;
	EXPECT("page 2 is shared", gt_td_add(&td, MEASURE, &region), -EINVAL);
	EXPECT("2 pages done", (int64_t)region.nr_pages, 2);
	EXPECT("2 pages done", (int64_t)region.source_addr, 0);
	MUST(gt_td_convert(&td, GT_TD_GPA + 2 * GT_PAGE, GT_PAGE, GT_PRIVATE) == 0);
	EXPECT("the rest", gt_td_add(&td, MEASURE, &region), 0);
	EXPECT("all done", (int64_t)region.nr_pages, 0);
	EXPECT("all done", (int64_t)region.source_addr, 0);
	gt_td_close(&td);
}

static void pre_fault(struct gt *t)
{
	uint64_t gpa = GT_TD_GPA, size = GT_PAGE;
	struct gt_td td;

	gt_td_open(t, &td);
	gt_td_launch(&td, RCX);
	EXPECT("PRE_FAULT before FINALIZE", gt_pre_fault(t, td.vcpu, &gpa, &size), -EOPNOTSUPP);
	EXPECT("range unchanged", (int64_t)gpa, GT_TD_GPA);
	MUST(gt_td_finalize(&td) == 0);
	gpa = GT_TD_GPA | SHARED_BIT;
	EXPECT("PRE_FAULT shared bit", gt_pre_fault(t, td.vcpu, &gpa, &size), -EINVAL);
	gpa = GT_TD_GPA;
	EXPECT("PRE_FAULT", gt_pre_fault(t, td.vcpu, &gpa, &size), 0);
	EXPECT("all done", (int64_t)size, 0);
	gt_td_close(&td);
}

/* Intel has no such hook. */
static void contexts(struct gt *t)
{
	struct gt_td td;

	gt_td_open(t, &td);
	EXPECT("move", enable(&td, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, (uint64_t)td.vm), -EINVAL);
	EXPECT("copy", enable(&td, GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, (uint64_t)td.vm), -EINVAL);
	gt_td_close(&td);
}

static const struct gt_test tests[] = {
	GT_TEST(types_and_limits),
	GT_TEST(commands),
	GT_TEST(capabilities),
	GT_TEST(configurable_leaves),
	GT_TEST(init_vm_order),
	GT_TEST(init_vm_cpuid),
	GT_TEST(init_vm_flagless),
	GT_TEST(settings),
	GT_TEST(create_vcpu),
	GT_TEST(max_vcpus),
	GT_TEST(vcpu_state),
	GT_TEST(vcpu_commands),
	GT_TEST(vcpu_commands_late),
	GT_TEST(get_cpuid),
	GT_TEST(region_arguments),
	GT_TEST(page_errors),
	GT_TEST(partial_progress),
	GT_TEST(slots_and_holes),
	GT_TEST(conversion_takes_out),
	GT_TEST(in_place),
	GT_TEST(aliases),
	GT_TEST(pre_fault),
	GT_TEST(contexts),
};

GT_MAIN(tests)
