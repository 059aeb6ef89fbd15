/* SPDX-License-Identifier: MIT */
/* Raw launches of TDs. */
#include "gt_tdx.h"
#include "uapi_rfc.h"

#define X2APIC (UINT32_C(1) << 21)

int gt_td_convert(struct gt_td *td, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct gmi_next_memory_attributes2 args = {
		.offset = gpa - GT_TD_GPA, .size = size, .attributes = attributes};

	if (td->in_place)
		return gt_ioctl(td->t, td->file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args);
	return gt_set_attributes(td->t, td->vm, gpa, size, attributes);
}

static void bind_memory(struct gt_td *td)
{
	const struct gt *t = td->t;

	td->file = gt_create_gmem(t, td->vm, GT_TD_PAGES * GT_PAGE, 0);
	MUST(td->file >= 0);
	td->source = gt_anonymous(t, GT_TD_PAGES * GT_PAGE);
	MUST(gt_bind(t, td->vm, 0, GT_TD_GPA, GT_TD_PAGES * GT_PAGE, NULL, td->file, 0) == 0);
	MUST(gt_td_convert(td, GT_TD_GPA, GT_TD_PAGES * GT_PAGE, GT_PRIVATE) == 0);
}

void gt_td_open(const struct gt *t, struct gt_td *ret_td)
{
	struct gt_td td = {.t = t, .kvm = gt_open_kvm(t), .vcpu = -1};
	int types;

	MUST(td.kvm >= 0);
	types = gt_cap(t, td.kvm, GMI_KVM_CAP_VM_TYPES);
	REQUIRE(types > 0 && types & 1 << GMI_KVM_X86_TDX_VM, "VMs of type TDX are not offered");
	td.vm = gt_create_vm(t, td.kvm, GMI_KVM_X86_TDX_VM);
	MUST(td.vm >= 0);
	td.is_old = gt_cap(t, td.kvm, GMI_KVM_CAP_GUEST_MEMFD_FLAGS) <= 0;
	td.in_place = gt_cap(t, td.vm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0;
	bind_memory(&td);
	MUST(gt_enable_cap(t, td.vm, GMI_KVM_CAP_SPLIT_IRQCHIP, 24) == 0);
	*ret_td = td;
}

void gt_td_close(struct gt_td *td)
{
	const struct gt *t = td->t;

	if (td->run)
		gt_unmap(t, td->run, GT_PAGE);
	if (td->vcpu >= 0)
		gt_close(t, td->vcpu);
	gt_unmap(t, td->source, GT_TD_PAGES * GT_PAGE);
	gt_close(t, td->file);
	gt_close(t, td->vm);
	gt_close(t, td->kvm);
}

int gt_td_op(struct gt_td *td, int fd, uint32_t id, uint32_t flags, void *data)
{
	struct gmi_kvm_tdx_cmd cmd = {
		.id = id,
		.flags = flags,
		.data = (uintptr_t)data,
		.hw_error = td->hw_error,
	};
	int ret = gt_ioctl(td->t, fd, GMI_KVM_MEMORY_ENCRYPT_OP, &cmd);

	td->hw_error = cmd.hw_error;
	return ret;
}

int gt_td_capabilities(struct gt_td *td, union gt_td_caps *ret_caps)
{
	memset(ret_caps, 0, sizeof(*ret_caps));
	ret_caps->head.cpuid.nent = GT_TD_ENTRIES;
	return gt_td_op(td, td->vm, GMI_KVM_TDX_CAPABILITIES, 0, ret_caps);
}

void gt_td_prepare(union gt_td_init *ret_init)
{
	memset(ret_init, 0, sizeof(*ret_init));
	ret_init->head.cpuid.nent = 1;
	ret_init->head.cpuid.entries[0].function = 0x80000008;
	ret_init->head.cpuid.entries[0].eax = GMI_TDX_GPAW_48 << 16;
}

int gt_td_init_vm(struct gt_td *td, union gt_td_init *init)
{
	int ret;

	td->hw_error = 0;
	ret = gt_td_op(td, td->vm, GMI_KVM_TDX_INIT_VM, 0, init);
	return ret;
}

int gt_td_set_cpuid(struct gt_td *td, int vcpu, uint32_t ecx)
{
	const struct gmi_kvm_cpuid_entry2 entries[] = {
		{.function = 0, .eax = 1},
		{.function = 1, .eax = 0x600, .ecx = ecx},
		{.function = 0x80000008, .eax = 52},
	};
	union gt_td_cpuid cpuid = {.head = {.nent = GT_COUNT(entries)}};

	memcpy(cpuid.head.entries, entries, sizeof(entries));
	return gt_ioctl(td->t, vcpu, GMI_KVM_SET_CPUID2, &cpuid);
}

int gt_td_create_vcpu(struct gt_td *td, uint64_t number)
{
	int vcpu = gt_ioctl_number(td->t, td->vm, GMI_KVM_CREATE_VCPU, number);

	if (vcpu >= 0)
		MUST(gt_td_set_cpuid(td, vcpu, X2APIC) == 0);
	return vcpu;
}

void gt_td_launch(struct gt_td *td, uint64_t rcx)
{
	union gt_td_init init;
	void *run;

	gt_td_prepare(&init);
	MUST(gt_td_init_vm(td, &init) == 0);
	td->vcpu = gt_td_create_vcpu(td, 0);
	MUST(td->vcpu >= 0);
	MUST(gt_td_op(td, td->vcpu, GMI_KVM_TDX_INIT_VCPU, 0, (void *)(uintptr_t)rcx) == 0);
	MUST(gt_map(td->t, td->vcpu, 0, GT_PAGE, &run) == 0);
	td->run = run;
}

int gt_td_add(struct gt_td *td, uint32_t flags, struct gmi_kvm_tdx_init_mem_region *region)
{
	return gt_td_op(td, td->vcpu, GMI_KVM_TDX_INIT_MEM_REGION, flags, region);
}

int gt_td_finalize(struct gt_td *td)
{
	td->hw_error = 0;
	return gt_td_op(td, td->vm, GMI_KVM_TDX_FINALIZE_VM, 0, NULL);
}
