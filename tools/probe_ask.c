/* SPDX-License-Identifier: MIT */
/* Asks KVM: capabilities by number, and libgmem's answers for each type of VM. */
#include <errno.h>

#include "probe.h"
#include "uapi_kvm.h"

#define CAP(name, since)                                                                           \
	{                                                                                          \
		GMI_KVM_CAP_##name, "KVM_CAP_" #name, since                                        \
	}

/* What bears on guest memory, by number; what an issue report is the better for. */
static const struct {
	uint32_t number;
	const char *name;
	const char *since;
} known_caps[] = {
	CAP(USER_MEMORY, "2.6.25"),
	CAP(NR_MEMSLOTS, "2.6.26"),
	CAP(MAX_VCPUS, "3.2"),
	CAP(READONLY_MEM, "3.7"),
	CAP(MULTI_ADDRESS_SPACE, "4.2"),
	CAP(IMMEDIATE_EXIT, "4.11"),
	CAP(VM_COPY_ENC_CONTEXT_FROM, "5.13"),
	CAP(EXIT_HYPERCALL, "5.14"),
	CAP(VM_MOVE_ENC_CONTEXT_FROM, "5.16"),
	CAP(USER_MEMORY2, "6.8"),
	CAP(MEMORY_FAULT_INFO, "6.8"),
	CAP(MEMORY_ATTRIBUTES, "6.8"),
	CAP(GUEST_MEMFD, "6.8"),
	CAP(VM_TYPES, "6.8"),
	CAP(PRE_FAULT_MEMORY, "6.11"),
	CAP(GUEST_MEMFD_FLAGS, "6.18"),
};

#define KNOWN_CAP_COUNT (sizeof(known_caps) / sizeof(known_caps[0]))

static const char *const vm_type_names[GMEM_VM_TYPE_COUNT] = {
	"default", "sw-protected", "sev", "sev-es", "snp", "tdx",
};

static int check_extension(const struct probe_kernel *kernel, int fd, uint32_t number)
{
	return kernel->sys->ioctl(kernel->user, fd, GMI_KVM_CHECK_EXTENSION,
				  (void *)(uintptr_t)number);
}

static void ask_caps(struct probe *probe, const struct probe_kernel *kernel, int kvm_fd)
{
	for (uint32_t i = 0; i < KNOWN_CAP_COUNT; i++) {
		struct probe_cap *cap = &probe->caps[i];

		cap->number = known_caps[i].number;
		cap->name = known_caps[i].name;
		cap->since = known_caps[i].since;
		cap->value = check_extension(kernel, kvm_fd, cap->number);
	}
	probe->cap_count = KNOWN_CAP_COUNT;
}

/* Some answers differ from one type of VM to the next, so a VM of each is made and asked. */
static void ask_vm_caps(struct probe *probe, const struct probe_kernel *kernel,
			struct gmem_ctx *ctx, uint32_t type)
{
	struct gmem_vm *vm;
	int err = gmem_vm_create(ctx, type, NULL, &vm);

	probe->vm_types[type].create_error = err;
	if (err)
		return;
	for (uint32_t i = 0; i < probe->cap_count; i++) {
		struct probe_cap *cap = &probe->caps[i];

		cap->vm_value[type] = check_extension(kernel, gmem_vm_fd(vm), cap->number);
	}
	gmem_vm_unref(vm);
}

static int ask_vm_type(struct probe *probe, struct gmem_ctx *ctx, uint32_t type)
{
	struct probe_vm_type *answer = &probe->vm_types[type];
	int err = 0;

	for (uint32_t i = 0; i < GMEM_FEATURE_COUNT && !err; i++) {
		answer->features[i].sz = sizeof(answer->features[i]);
		err = gmem_ctx_describe(ctx, type, i, &answer->features[i]);
	}
	for (uint32_t i = 0; i < GMEM_CAPABILITY_COUNT && !err; i++) {
		answer->mechanisms[i].sz = sizeof(answer->mechanisms[i]);
		err = gmem_ctx_mechanism(ctx, type, i, &answer->mechanisms[i]);
	}
	return err;
}

int probe_ask_kvm(struct probe *probe, const struct probe_kernel *kernel, struct gmem_ctx *ctx)
{
	ask_caps(probe, kernel, gmem_ctx_kvm_fd(ctx));
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		struct probe_vm_type *answer = &probe->vm_types[type];
		int err;

		answer->name = vm_type_names[type];
		answer->is_offered = gmem_has_vm_type(ctx, type) == 1;
		if (!answer->is_offered)
			continue;
		ask_vm_caps(probe, kernel, ctx, type);
		err = ask_vm_type(probe, ctx, type);
		if (err) {
			complain("cannot ask about VMs of type %s: %s", answer->name,
				 gmem_errinfo()->message);
			return err;
		}
	}
	return 0;
}
