/* SPDX-License-Identifier: MIT */
/* A kernel that answers a TDX launch as it is told to. */
#include "td_fake.h"

#include <sys/mman.h>
#include <unistd.h>

#include "uapi_rfc.h"

static int new_fd(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	return fd;
}

static int check_extension(const struct fake *fake, uint64_t cap)
{
	switch (cap) {
	case GMI_KVM_CAP_NR_MEMSLOTS:
		return 32764;
	case GMI_KVM_CAP_VM_TYPES:
		return 1 << GMI_KVM_X86_TDX_VM | fake->other_types;
	case GMI_KVM_CAP_MEMORY_ATTRIBUTES:
		return fake->in_place ? 0 : 8;
	case GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES:
		return fake->in_place ? 8 : 0;
	case GMI_KVM_CAP_GUEST_MEMFD_FLAGS:
		return fake->in_place ? 3 : 1;
	case GMI_KVM_CAP_MAX_VCPUS:
		return 4;
	case GMI_KVM_CAP_EXIT_HYPERCALL:
		return 1 << 12;
	case GMI_KVM_CAP_USER_MEMORY:
	case GMI_KVM_CAP_USER_MEMORY2:
	case GMI_KVM_CAP_MEMORY_FAULT_INFO:
	case GMI_KVM_CAP_GUEST_MEMFD:
		return 1;
	default:
		return 0;
	}
}

/* Leaf 7.0 is configurable in EBX 5 and 9, leaf 0x80000008 as KVM says it, others in EAX 0. */
static void fill_leaf(struct gmi_kvm_cpuid_entry2 *entry, uint32_t number)
{
	*entry = (struct gmi_kvm_cpuid_entry2){.function = 0x100 + number, .eax = 1};
	if (number == 0)
		*entry = (struct gmi_kvm_cpuid_entry2){.function = 7, .ebx = 0x220};
	else if (number == 1)
		*entry = (struct gmi_kvm_cpuid_entry2){.function = 0x80000008, .eax = 0xff0000};
	else if (number == 2)
		*entry = (struct gmi_kvm_cpuid_entry2){.function = 0xd, .index = 1, .eax = 0xf};
}

static int capabilities(struct fake *fake, struct gmi_kvm_tdx_capabilities *caps)
{
	fake->leaf_calls++;
	if (caps->cpuid.nent < FAKE_LEAVES)
		return -E2BIG;
	caps->supported_attrs = GMI_TDX_ATTR_SEPT_VE_DISABLE;
	caps->supported_xfam = 0xe7;
	caps->kernel_tdvmcallinfo_1_r12 = 0x100;
	caps->user_tdvmcallinfo_1_r11 = GMI_TDX_TDVMCALLINFO_SETUP_EVENT_NOTIFY_INTERRUPT;
	caps->cpuid.nent = FAKE_LEAVES;
	for (uint32_t i = 0; i < FAKE_LEAVES; i++)
		fill_leaf(&caps->cpuid.entries[i], i);
	return 0;
}

static int init_vm(struct fake *fake, struct gmi_kvm_tdx_cmd *cmd)
{
	const struct gmi_kvm_tdx_init_vm *init = (void *)(uintptr_t)cmd->data;
	int error = fake->init_errors[fake->init_calls++];

	if (error) {
		cmd->hw_error = fake->init_status;
		return error;
	}
	fake->init_attributes = init->attributes;
	fake->init_padding = init->cpuid.padding;
	fake->init_nent = init->cpuid.nent;
	memcpy(fake->init_cpuid, init->cpuid.entries,
	       init->cpuid.nent * sizeof(init->cpuid.entries[0]));
	return 0;
}

static int finalize(struct fake *fake, struct gmi_kvm_tdx_cmd *cmd)
{
	int error = fake->finalize_errors[fake->finalize_calls++];

	cmd->hw_error = error ? fake->finalize_status : 0;
	return error;
}

static void note(struct fake *fake, const struct gmi_kvm_tdx_init_mem_region *region,
		 uint64_t pages, uint32_t flags)
{
	if (!pages || fake->added_count == FAKE_CALLS)
		return;
	fake->added[fake->added_count++] = (struct fake_added){
		.gpa = region->gpa,
		.source = region->source_addr,
		.pages = pages,
		.flags = flags,
		.first_word = region->source_addr ? *(uint64_t *)(uintptr_t)region->source_addr : 0,
	};
}

static int init_mem_region(struct fake *fake, const struct gmi_kvm_tdx_cmd *cmd)
{
	struct gmi_kvm_tdx_init_mem_region *region = (void *)(uintptr_t)cmd->data;
	struct fake_turn turn = {.pages = region->nr_pages};

	if (fake->add_calls < 8 && fake->turns[fake->add_calls].error)
		turn = fake->turns[fake->add_calls];
	fake->add_calls++;
	if (turn.pages > region->nr_pages)
		turn.pages = region->nr_pages;
	note(fake, region, turn.pages, cmd->flags);
	region->gpa += turn.pages * 4096;
	region->source_addr += region->source_addr ? turn.pages * 4096 : 0;
	region->nr_pages -= turn.pages;
	if (fake->lies)
		region->nr_pages += 1000;
	return turn.error;
}

/* One leaf less than asked for, and one bit more. */
static int get_cpuid(struct gmi_kvm_cpuid2 *list)
{
	if (list->nent < 2) {
		list->nent = 2;
		return -E2BIG;
	}
	list->nent = 2;
	list->entries[0] = (struct gmi_kvm_cpuid_entry2){.function = 7, .flags = 1, .ebx = 0x221};
	list->entries[1] = (struct gmi_kvm_cpuid_entry2){.function = 0x21, .eax = 1};
	return 0;
}

static int encrypt_op(struct fake *fake, struct gmi_kvm_tdx_cmd *cmd)
{
	if (cmd->hw_error)
		return -EINVAL;
	switch (cmd->id) {
	case GMI_KVM_TDX_CAPABILITIES:
		return capabilities(fake, (void *)(uintptr_t)cmd->data);
	case GMI_KVM_TDX_INIT_VM:
		return init_vm(fake, cmd);
	case GMI_KVM_TDX_INIT_VCPU:
		fake->vcpu_rcx[fake->vcpus_initialized++] = cmd->data;
		return 0;
	case GMI_KVM_TDX_INIT_MEM_REGION:
		return init_mem_region(fake, cmd);
	case GMI_KVM_TDX_FINALIZE_VM:
		return finalize(fake, cmd);
	case GMI_KVM_TDX_GET_CPUID:
		return get_cpuid((void *)(uintptr_t)cmd->data);
	default:
		return -EINVAL;
	}
}

static int enable_cap(struct fake *fake, const struct gmi_kvm_enable_cap *cap)
{
	fake->caps_enabled[fake->caps_count++ % 8] = cap->cap;
	return 0;
}

static int set_attributes2(struct fake *fake, struct gmi_next_memory_attributes2 *set)
{
	if (!fake->in_place)
		return -ENOTTY;
	if (!set->size)
		return -EINVAL;
	fake->private_pages += set->attributes ? set->size / 4096 : 0;
	return 0;
}

static int fake_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	struct fake *fake = user;

	if (fake->is_dead)
		return -EIO;
	switch (request) {
	case GMI_KVM_GET_API_VERSION:
		return 12;
	case GMI_KVM_CHECK_EXTENSION:
		return check_extension(fake, (uintptr_t)arg);
	case GMI_KVM_CREATE_VM:
		return new_fd("vm", 0);
	case GMI_KVM_CREATE_VCPU:
		fake->vcpus_made++;
		return new_fd("vcpu", 4096);
	case GMI_KVM_CREATE_GUEST_MEMFD:
		return new_fd("gmem", ((struct gmi_kvm_create_guest_memfd *)arg)->size);
	case GMI_KVM_SET_MEMORY_ATTRIBUTES:
		if (fake->attribute_error)
			return fake->attribute_error;
		fake->private_pages += ((struct gmi_kvm_memory_attributes *)arg)->size / 4096;
		return 0;
	case GMI_NEXT_SET_MEMORY_ATTRIBUTES2:
		return set_attributes2(fake, arg);
	case GMI_KVM_ENABLE_CAP:
		return enable_cap(fake, arg);
	case GMI_KVM_MEMORY_ENCRYPT_OP:
		return encrypt_op(fake, arg);
	case GMI_KVM_SET_USER_MEMORY_REGION:
	case GMI_KVM_SET_USER_MEMORY_REGION2:
	case GMI_KVM_SET_CPUID2:
	case GMI_KVM_SET_TSC_KHZ:
		return 0;
	default:
		return -ENOTTY;
	}
}

static int fake_open(void *user, const char *path, int flags)
{
	return strcmp(path, "/dev/kvm") ? -ENOENT : new_fd("kvm", 0);
}

static int fake_sleep(void *user, uint64_t ns)
{
	((struct fake *)user)->sleeps++;
	return 0;
}

const struct gmem_sys_ops *fake_ops(void)
{
	static struct gmem_sys_ops ops;

	ops = *gmem_sys_linux();
	ops.ioctl = fake_ioctl;
	ops.open = fake_open;
	ops.sleep = fake_sleep;
	return &ops;
}
