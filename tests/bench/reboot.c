/* SPDX-License-Identifier: MIT */
/* A new VM object on the memory of an old one: what it costs by size, and what all anew costs. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <libgmem/libgmem.h>

#include "uapi_kvm.h"

#define ROUNDS 15
#define ANEW   3
#define SMALL  (UINT64_C(64) << 20)
#define LARGE  (UINT64_C(8) << 30)
#define MARGIN (UINT64_C(1) << 30)
#define GPA    (UINT64_C(1) << 32)

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "reboot: %s: %s\n", what, gmem_errinfo()->message);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	return times[count / 2];
}

/* The vCPU's descriptor: with it the VM can run. */
static int add_vcpu(struct gmem_vm *vm)
{
	int fd = ioctl(gmem_vm_fd(vm), GMI_KVM_CREATE_VCPU, 0);

	check(fd < 0 ? -errno : 0, "KVM_CREATE_VCPU");
	return fd;
}

/* All that a VMM does before the guest can run, for one range of memory. */
static struct gmem_vm *make(struct gmem_ctx *ctx, uint64_t size, int *ret_vcpu)
{
	GMEM_INIT(gmem_file_opts, file_opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gmem_slot *slot;
	struct gmem_vm *vm;

	check(gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, &vm), "a VM");
	file_opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	check(gmem_file_create(vm, size, &file_opts, &slot_opts.file), "a file");
	check(gmem_slot_bind(vm, GPA, size, &slot_opts, &slot), "binding");
	check(gmem_file_populate(slot_opts.file, 0, size, NULL), "populating");
	gmem_file_unref(slot_opts.file);
	*ret_vcpu = add_vcpu(vm);
	return vm;
}

static void destroy(struct gmem_vm *vm, int vcpu)
{
	close(vcpu);
	check(gmem_vm_unbind_all(vm), "unbinding");
	gmem_vm_unref(vm);
}

/* Every page, through the mapping that KVM has too. */
static void touch(struct gmem_vm *vm, uint64_t size)
{
	GMEM_INIT(gmem_slot_info, info);

	check(gmem_slot_lookup(vm, 0, GPA, &info), "looking up");
	memset(info.hva, 0x5a, size);
}

struct times {
	uint64_t ahead[ROUNDS], ready[ROUNDS], gone[ROUNDS];
	uint64_t create[ROUNDS], link[ROUNDS], bind[ROUNDS];
	uint32_t mechanism;
};

/* One reboot after the other, on the same memory; the new VM may have been prepared. */
static void reuse(struct gmem_vm **vm, int *vcpu, bool ahead, int round, struct times *times)
{
	GMEM_INIT(gmem_replace_info, info);
	GMEM_INIT(gmem_replace_opts, opts);
	uint64_t begin = now_ns(), start, ready;
	struct gmem_vm *next;
	int next_vcpu = -1;

	if (ahead) {
		check(gmem_vm_prepare(*vm, NULL, &opts.vm, NULL), "preparing");
		next_vcpu = add_vcpu(opts.vm);
	}
	start = now_ns();
	check(gmem_vm_replace(*vm, &opts, &next, &info), "replacing");
	if (!ahead)
		next_vcpu = add_vcpu(next);
	ready = now_ns();
	times->ahead[round] = start - begin;
	destroy(*vm, *vcpu);
	times->gone[round] = now_ns() - ready;
	times->ready[round] = ready - start;
	times->create[round] = info.create_ns;
	times->link[round] = info.link_ns;
	times->bind[round] = info.bind_ns;
	times->mechanism = info.mechanism;
	*vm = next;
	*vcpu = next_vcpu;
}

static uint64_t bench_reuse(struct gmem_ctx *ctx, uint64_t size, bool ahead)
{
	static struct times times;
	uint64_t ready;
	int vcpu;
	struct gmem_vm *vm = make(ctx, size, &vcpu);

	touch(vm, size);
	for (int i = 0; i < ROUNDS; i++)
		reuse(&vm, &vcpu, ahead, i, &times);
	ready = median(times.ready, ROUNDS);
	printf("reuse %5" PRIu64 " MiB by %s%s: can run after %.1f us (VM %.1f, link %.1f, bind "
	       "%.1f); the old VM is gone %.0f us later\n",
	       size >> 20, times.mechanism == GMEM_LINK_KERNEL ? "link" : "host address",
	       ahead ? ", prepared" : "", us(ready), us(median(times.create, ROUNDS)),
	       us(median(times.link, ROUNDS)), us(median(times.bind, ROUNDS)),
	       us(median(times.gone, ROUNDS)));
	if (ahead)
		printf("      %5s     prepared in %.0f us while the guest runs\n", "",
		       us(median(times.ahead, ROUNDS)));
	destroy(vm, vcpu);
	return ready;
}

static uint64_t bench_anew(struct gmem_ctx *ctx, uint64_t size)
{
	uint64_t times[ANEW], start;
	int vcpu;
	struct gmem_vm *vm = make(ctx, size, &vcpu);

	for (int i = 0; i < ANEW; i++) {
		touch(vm, size);
		start = now_ns();
		destroy(vm, vcpu);
		vm = make(ctx, size, &vcpu);
		times[i] = now_ns() - start;
	}
	destroy(vm, vcpu);
	start = median(times, ANEW);
	printf("anew  %5" PRIu64 " MiB: can run after %.0f us (destroyed, created, populated)\n",
	       size >> 20, us(start));
	return start;
}

static uint64_t available(void)
{
	char text[1024] = "";
	const char *line;

	gmem_sys_linux()->read_file(NULL, "/proc/meminfo", text, sizeof(text) - 1);
	line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10 : UINT64_MAX;
}

int main(void)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	uint64_t large = LARGE, small_time[2], large_time[2], anew;
	struct gmem_ctx *ctx;

	opts.rfc = GMEM_RFC_LINK; /* no released kernel has it */
	check(gmem_ctx_create(&opts, &ctx), "KVM");
	if (gmem_has_feature(ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_INIT_SHARED) != 1) {
		fprintf(stderr, "reboot: this kernel has no guest memory that two VMs can share\n");
		return 77;
	}
	while (large > SMALL && large + MARGIN > available())
		large /= 2;
	for (int ahead = 0; ahead < 2; ahead++) {
		small_time[ahead] = bench_reuse(ctx, SMALL, ahead);
		large_time[ahead] = bench_reuse(ctx, large, ahead);
	}
	anew = bench_anew(ctx, large);
	for (int ahead = 0; ahead < 2; ahead++) {
		printf("%s%" PRIu64 " MiB to 64 MiB: ratio %.2f (goal 2)\n",
		       ahead ? "prepared, " : "", large >> 20,
		       (double)large_time[ahead] / (double)small_time[ahead]);
		printf("%sanew to reuse at %" PRIu64 " MiB: ratio %.0f (goal 50)\n",
		       ahead ? "prepared, " : "", large >> 20,
		       (double)anew / (double)large_time[ahead]);
	}
	gmem_ctx_unref(ctx);
	return 0;
}
