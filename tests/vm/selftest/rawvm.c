/* SPDX-License-Identifier: MIT */
/* A VM with one memslot and one real-mode vCPU, straight over the kernel's interface. */
#include "rawvm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi_kvm.h"
#include "uapi_rfc.h"

int kvm_open(void)
{
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

int vm_create(unsigned long type)
{
	int kvm = kvm_open(), vm;

	if (kvm < 0)
		return -1;
	vm = ioctl(kvm, KVM_CREATE_VM, type);
	close(kvm);
	return vm;
}

int gmem_create(int vm, uint64_t size, uint64_t flags)
{
	struct gmi_kvm_create_guest_memfd arg = {.size = size, .flags = flags};

	return ioctl(vm, GMI_KVM_CREATE_GUEST_MEMFD, &arg);
}

int gmem_link_raw(int vm, uint64_t fd, uint64_t flags, uint64_t reserved)
{
	struct gmi_rfc_link_guest_memfd arg = {.fd = fd, .flags = flags};

	memset(arg.reserved, (int)reserved, sizeof(arg.reserved));
	return ioctl(vm, GMI_RFC_LINK2_LINK_GUEST_MEMFD, &arg);
}

int gmem_link(int vm, int gmem)
{
	return gmem_link_raw(vm, (uint64_t)gmem, 0, 0);
}

int slot_set(int vm, uint32_t slot, uint64_t gpa, uint64_t size, void *shared, int gmem,
	     uint64_t offset)
{
	struct gmi_kvm_region2 arg = {
		.slot = slot,
		.flags = gmem < 0 ? 0 : GMI_KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)shared,
		.guest_memfd_offset = offset,
		.guest_memfd = gmem < 0 ? 0 : (uint32_t)gmem,
	};

	return ioctl(vm, GMI_KVM_SET_USER_MEMORY_REGION2, &arg);
}

int attributes_set(int vm, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct gmi_kvm_memory_attributes arg = {
		.address = gpa, .size = size, .attributes = attributes};

	return ioctl(vm, GMI_KVM_SET_MEMORY_ATTRIBUTES, &arg);
}

int move_from(int vm, uint64_t source_fd)
{
	struct gmi_kvm_enable_cap arg = {.cap = GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
					 .args = {source_fd}};

	return ioctl(vm, GMI_KVM_ENABLE_CAP, &arg);
}

/* Aligned and advised so that KVM may map it as one huge page. */
void *alloc_shared(void)
{
	uint8_t *mem = mmap(NULL, 2 * RAM_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *aligned;

	if (mem == MAP_FAILED)
		return NULL;
	aligned = (uint8_t *)(((uintptr_t)mem + RAM_SIZE - 1) & ~(uintptr_t)(RAM_SIZE - 1));
	munmap(mem, (size_t)(aligned - mem));
	munmap(aligned + RAM_SIZE, (size_t)(mem + RAM_SIZE - aligned));
	madvise(aligned, RAM_SIZE, MADV_HUGEPAGE);
	return aligned;
}

static void *map_gmem(int gmem)
{
	void *mem = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, gmem, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static int create_vcpu(struct rawvm *raw)
{
	int kvm = kvm_open();
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	close(kvm);
	raw->vcpu = ioctl(raw->vm, KVM_CREATE_VCPU, 0);
	if (raw->vcpu < 0 || size < 0)
		return -1;
	raw->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, raw->vcpu, 0);
	return raw->run == MAP_FAILED ? -1 : 0;
}

int rawvm_create(struct rawvm *raw, unsigned long type, int gmem, uint64_t flags)
{
	*raw = (struct rawvm){.vm = vm_create(type), .vcpu = -1, .gmem = gmem};
	if (raw->vm < 0)
		return -1;
	if (gmem < 0)
		raw->gmem = gmem_create(raw->vm, RAM_SIZE, flags);
	raw->shared = flags & GMI_GUEST_MEMFD_FLAG_MMAP ? map_gmem(raw->gmem) : alloc_shared();
	if (raw->gmem < 0 || !raw->shared)
		return -1;
	if (slot_set(raw->vm, 0, 0, RAM_SIZE, raw->shared, raw->gmem, 0))
		return -1;
	return create_vcpu(raw);
}

void rawvm_close(struct rawvm *raw)
{
	int kvm = kvm_open();

	munmap(raw->run, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	munmap(raw->shared, RAM_SIZE);
	close(raw->vcpu);
	close(raw->vm);
	close(raw->gmem);
	close(kvm);
}

/* Put @code at CODE and the vCPU in front of it, with DS covering SECRET. */
static int load_code(struct rawvm *raw, const void *code, size_t len)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rip = CODE, .rflags = 2};

	memcpy(raw->shared + CODE, code, len);
	if (ioctl(raw->vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = SECRET;
	sregs.ds.selector = SECRET >> 4;
	if (ioctl(raw->vcpu, KVM_SET_SREGS, &sregs))
		return -1;
	return ioctl(raw->vcpu, KVM_SET_REGS, &regs);
}

static int run_to_halt(struct rawvm *raw)
{
	if (ioctl(raw->vcpu, KVM_RUN, 0))
		return -1;
	return raw->run->exit_reason == KVM_EXIT_HLT ? 0 : -1;
}

int rawvm_write_secret(struct rawvm *raw, uint8_t value)
{
	/* movb $value, 0; hlt */
	const uint8_t code[] = {0xc6, 0x06, 0x00, 0x00, value, 0xf4};

	return load_code(raw, code, sizeof(code)) ? -1 : run_to_halt(raw);
}

int rawvm_read_secret(struct rawvm *raw)
{
	/* mov 0, %al; hlt */
	static const uint8_t code[] = {0xa0, 0x00, 0x00, 0xf4};
	struct kvm_regs regs;

	if (load_code(raw, code, sizeof(code)) || run_to_halt(raw))
		return -1;
	if (ioctl(raw->vcpu, KVM_GET_REGS, &regs))
		return -1;
	return (int)(regs.rax & 0xff);
}

int rawvm_load_counter(struct rawvm *raw)
{
	/* 1: incb 0; jmp 1b */
	static const uint8_t code[] = {0xfe, 0x06, 0x00, 0x00, 0xeb, 0xfa};

	return load_code(raw, code, sizeof(code));
}
