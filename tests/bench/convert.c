/* SPDX-License-Identifier: MIT */
/* What the conversion engine costs: calls of one batch, and the library's own time for one page. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libgmem/libgmem.h>

#include "noop_kernel.h"

#define KIB       UINT64_C(1024)
#define GIB       (KIB * KIB * KIB)
#define TIB       (GIB * KIB)
#define BATCH     512
#define PLACES    1024
#define REPEAT    200000
#define REPORT_NS 1e9

struct machine {
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slot;
	uint64_t size;
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	exit(1);
}

static void build(struct machine *machine, uint64_t size)
{
	GMEM_INIT(gmem_ctx_opts, ctx_opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);

	ctx_opts.sys = noop_kernel();
	machine->size = size;
	check(gmem_ctx_create(&ctx_opts, &machine->ctx), "ctx");
	check(gmem_vm_create(machine->ctx, GMEM_VM_SW_PROTECTED, NULL, &machine->vm), "vm");
	check(gmem_file_create(machine->vm, size, NULL, &machine->file), "file");
	slot_opts.file = machine->file;
	check(gmem_slot_bind(machine->vm, 0, size, &slot_opts, &machine->slot), "slot");
}

static void destroy(struct machine *machine)
{
	check(gmem_slot_unbind(machine->slot), "unbind");
	gmem_file_unref(machine->file);
	gmem_vm_unref(machine->vm);
	gmem_ctx_unref(machine->ctx);
}

/* Of processor time: nothing here waits, and what else runs on the machine is left out. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / REPORT_NS;
}

static void count_batch(uint32_t to, const char *name)
{
	static struct gmem_conversion batch[BATCH];
	GMEM_INIT(gmem_convert_opts, opts);
	struct machine machine;

	build(&machine, GIB);
	for (uint64_t i = 0; i < BATCH; i++)
		batch[i] = (struct gmem_conversion){.gpa = i * 4 * KIB, .size = 4 * KIB, .to = to};
	if (to == GMEM_SHARED)
		check(gmem_convert(machine.vm, 0, GIB, GMEM_PRIVATE, NULL, NULL), "prepare");
	opts.flags = GMEM_CONVERT_PRE_FAULT;
	opts.vcpu_fd = 1;
	noop_reset();
	check(gmem_convert_batch(machine.vm, batch, BATCH, &opts, NULL), "batch");
	printf("batch of %d adjacent 4K requests to %s: %llu attributes calls, %llu discards, %llu "
	       "pre-faults\n",
	       BATCH, name, (unsigned long long)noop_calls.attributes,
	       (unsigned long long)(noop_calls.fallocates + noop_calls.madvises),
	       (unsigned long long)noop_calls.pre_faults);
	destroy(&machine);
}

/* Nanoseconds of one conversion of one page, to and fro, at places all over the guest's last @span bytes. */
static double time_page(uint64_t size, uint64_t span)
{
	struct machine machine;
	uint64_t state = 1;
	double start;

	build(&machine, size);
	check(gmem_convert(machine.vm, 0, size, GMEM_PRIVATE, NULL, NULL), "prepare");
	start = now();
	for (int i = 0; i < REPEAT; i++) {
		uint32_t to = i % 2 ? GMEM_PRIVATE : GMEM_SHARED;

		if (to == GMEM_SHARED)
			state = state * UINT64_C(6364136223846793005) + 1;
		check(gmem_convert(machine.vm,
				   size - span + (state >> 33) % PLACES * (span / PLACES), 4 * KIB,
				   to, NULL, NULL),
		      "convert");
	}
	start = (now() - start) * REPORT_NS / REPEAT;
	destroy(&machine);
	return start;
}

int main(void)
{
	double small, large, spread;

	count_batch(GMEM_PRIVATE, "private");
	count_batch(GMEM_SHARED, "shared");
	time_page(GIB, GIB);
	small = time_page(GIB, GIB);
	large = time_page(TIB, GIB);
	spread = time_page(TIB, TIB);
	printf("one 4K conversion, kernel of no-ops: %.0f ns in a 1 GiB guest, %.0f ns in a 1 TiB "
	       "guest, ratio %.2f\n",
	       small, large, large / small);
	printf("the same at places in each of its GiB, where tables of the map come and go: %.0f "
	       "ns, ratio "
	       "%.2f\n",
	       spread, spread / small);
	return 0;
}
