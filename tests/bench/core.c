/* SPDX-License-Identifier: MIT */
/* What libgmem adds to the kernel's own time: a file bound and unbound, and a guest address looked
 * up. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <libgmem/libgmem.h>

#include "uapi_kvm.h"

#define ROUNDS    2000
#define FILE_SIZE (UINT64_C(2) << 20)
#define GPA       (UINT64_C(1) << 32)

#define SLOTS      1000
#define SLOT_SIZE  (UINT64_C(1) << 20)
#define SLOT_PITCH (2 * SLOT_SIZE)
#define LOOKUPS    500 /* in one round */

static void die(const char *what)
{
	fprintf(stderr, "core: %s: %s\n", what, gmem_errinfo()->message);
	exit(1);
}

static void check(int ret, const char *what)
{
	if (ret < 0)
		die(what);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* What a VMM without libgmem has to call for the same: close-on-exec and the mapping for KVM's own
 * accesses belong to it. */
static void cycle_raw(int vm_fd)
{
	struct gmi_kvm_create_guest_memfd create = {
		.size = FILE_SIZE,
		.flags = GMI_GUEST_MEMFD_FLAG_MMAP | GMI_GUEST_MEMFD_FLAG_INIT_SHARED,
	};
	struct gmi_kvm_region2 region = {
		.flags = GMI_KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = GPA,
		.memory_size = FILE_SIZE,
	};
	int fd = ioctl(vm_fd, GMI_KVM_CREATE_GUEST_MEMFD, &create);
	void *addr;

	check(fd, "KVM_CREATE_GUEST_MEMFD");
	check(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl");
	addr = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED)
		die("mmap");
	region.guest_memfd = (uint32_t)fd;
	region.userspace_addr = (uintptr_t)addr;
	check(ioctl(vm_fd, GMI_KVM_SET_USER_MEMORY_REGION2, &region), "binding");
	region.memory_size = 0;
	check(ioctl(vm_fd, GMI_KVM_SET_USER_MEMORY_REGION2, &region), "unbinding");
	munmap(addr, FILE_SIZE);
	close(fd);
}

static void cycle_gmem(struct gmem_vm *vm)
{
	GMEM_INIT(gmem_file_opts, file_opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gmem_slot *slot;

	file_opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	check(gmem_file_create(vm, FILE_SIZE, &file_opts, &slot_opts.file), "creating");
	check(gmem_slot_bind(vm, GPA, FILE_SIZE, &slot_opts, &slot), "binding");
	check(gmem_slot_unbind(slot), "unbinding");
	gmem_file_unref(slot_opts.file);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *times)
{
	qsort(times, ROUNDS, sizeof(*times), compare);
	return times[ROUNDS / 2];
}

/* Round by round in turn, each first as often as the other, so that both meet the same
 * disturbances. */
static void bench_cycle(struct gmem_vm *vm)
{
	static uint64_t raw[ROUNDS], gmem[ROUNDS];
	int vm_fd = gmem_vm_fd(vm);
	uint64_t start;

	for (int i = 0; i < 2 * ROUNDS; i++) {
		start = now_ns();
		if ((i ^ i >> 1) & 1) {
			cycle_raw(vm_fd);
			raw[i / 2] = now_ns() - start;
		} else {
			cycle_gmem(vm);
			gmem[i / 2] = now_ns() - start;
		}
	}
	printf("create+bind+unbind+close  raw %.2f us  libgmem %.2f us  ratio %.3f (goal 1.05)\n",
	       (double)median(raw) / 1e3, (double)median(gmem) / 1e3,
	       (double)median(gmem) / (double)median(raw));
}

static void bind_many(struct gmem_vm *vm, void *memory)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;

	opts.hva = memory;
	for (uint64_t i = 0; i < SLOTS; i++)
		check(gmem_slot_bind(vm, i * SLOT_PITCH, SLOT_SIZE, &opts, &slot), "binding");
}

static void unbind_all(struct gmem_vm *vm)
{
	GMEM_INIT(gmem_slot_info, info);

	while (!gmem_slot_next(vm, 0, 0, &info))
		check(gmem_slot_unbind(info.slot), "unbinding");
}

/* Addresses in no order that a processor could guess. */
static void look_up(struct gmem_vm *vm, uint64_t *random)
{
	GMEM_INIT(gmem_slot_info, info);

	for (int i = 0; i < LOOKUPS; i++) {
		*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		check(gmem_slot_lookup(vm, 0, (*random >> 33) % SLOTS * SLOT_PITCH, &info),
		      "looking up");
	}
}

static void bench_lookup(struct gmem_vm *vm)
{
	static uint64_t times[ROUNDS];
	uint64_t random = 1;
	uint64_t start;

	for (int i = 0; i < ROUNDS; i++) {
		start = now_ns();
		look_up(vm, &random);
		times[i] = now_ns() - start;
	}
	printf("lookup among %d slots     %.1f ns (goal 100)\n", SLOTS,
	       (double)median(times) / LOOKUPS);
}

int main(void)
{
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	void *memory =
		mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	check(gmem_ctx_create(NULL, &ctx), "opening KVM");
	check(gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, &vm), "making a VM");
	if (gmem_has_feature(ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_INIT_SHARED) == 1)
		bench_cycle(vm);
	else
		printf("create+bind+unbind+close  skipped: the kernel has no shared files\n");
	bind_many(vm, memory);
	bench_lookup(vm);
	unbind_all(vm);
	gmem_vm_unref(vm);
	gmem_ctx_unref(ctx);
	return 0;
}
