/* SPDX-License-Identifier: MIT */
/* Fuzzes exits and batches of conversions on simulated kernels, against a byte for each page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libgmem/libgmem.h>
#include <libgmem/sim.h>

#include "uapi_kvm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE  GMEM_PAGE_SIZE
#define PAGES 64
#define BASE  UINT64_C(0x100000)

/* Two ranges with a hole between them, and one of host memory alone. */
#define FIRST_PAGES  24
#define SECOND       32
#define SECOND_PAGES 16
#define PLAIN        52
#define PLAIN_PAGES  4

struct input {
	const uint8_t *at;
	size_t left;
};

struct world {
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slots[3];
	struct gmem_listener *listener;
	void *plain;
	uint8_t states[PAGES]; /* the oracle */
	uint8_t mapped[PAGES]; /* by a device */
	struct gmi_kvm_run run;
	struct gmem_exit exit;
	uint32_t veto; /* counts down to a refusal */
};

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(#condition, __LINE__);                                                \
	} while (0)

static void fail(const char *what, int line)
{
	fprintf(stderr, "line %d: %s\n", line, what);
	abort();
}

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > in->left)
		bytes = in->left;
	memcpy(&value, in->at, bytes);
	in->at += bytes;
	in->left -= bytes;
	return value;
}

static int is_bound(uint64_t page)
{
	return page < FIRST_PAGES || (page >= SECOND && page < SECOND + SECOND_PAGES) ||
	       (page >= PLAIN && page < PLAIN + PLAIN_PAGES);
}

static int is_plain(uint64_t page)
{
	return page >= PLAIN && page < PLAIN + PLAIN_PAGES;
}

static int tell(struct world *w, const struct gmem_listener_range *range, uint8_t map)
{
	uint64_t first = (range->gpa - BASE) / PAGE;

	if (w->veto && --w->veto == 0)
		return -EBUSY;
	for (uint64_t i = first; i < first + range->size / PAGE; i++) {
		must(i < PAGES && is_bound(i) && w->mapped[i] != map);
		w->mapped[i] = map;
	}
	return 0;
}

static int device_map(void *user, const struct gmem_listener_range *range)
{
	return tell(user, range, 1);
}

static int device_unmap(void *user, const struct gmem_listener_range *range)
{
	return tell(user, range, 0);
}

static struct gmem_slot *bind(struct world *w, uint64_t page, uint64_t pages, uint64_t offset)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot = NULL;

	opts.file = is_plain(page) ? NULL : w->file;
	opts.hva = is_plain(page) ? w->plain : NULL;
	opts.offset = offset * PAGE;
	must(gmem_slot_bind(w->vm, BASE + page * PAGE, pages * PAGE, &opts, &slot) == 0);
	return slot;
}

/* The kernels stay; each input has a VM of its own. */
struct kernel {
	const char *profile;
	struct gmem_sim *sim;
	struct gmem_ctx *ctx;
};

static void open_kernel(struct kernel *kernel)
{
	GMEM_INIT(gmem_ctx_opts, opts);

	if (kernel->ctx)
		return;
	must(gmem_sim_create(kernel->profile, NULL, &kernel->sim) == 0);
	opts.sys = gmem_sim_ops();
	opts.sys_user = kernel->sim;
	must(gmem_ctx_create(&opts, &kernel->ctx) == 0);
}

static void open_world(struct world *w, struct kernel *kernel)
{
	GMEM_INIT(gmem_listener_opts, device);
	GMEM_INIT(gmem_file_opts, file);

	memset(w, 0, sizeof(*w));
	open_kernel(kernel);
	must(gmem_vm_create(kernel->ctx, GMEM_VM_SW_PROTECTED, NULL, &w->vm) == 0);
	if (gmem_has_feature(kernel->ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_INIT_SHARED) == 1)
		file.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	must(gmem_file_create(w->vm, PAGES * PAGE, &file, &w->file) == 0);
	must(posix_memalign(&w->plain, PAGE, PLAIN_PAGES * PAGE) == 0);
	w->slots[0] = bind(w, 0, FIRST_PAGES, 0);
	w->slots[1] = bind(w, SECOND, SECOND_PAGES, FIRST_PAGES);
	w->slots[2] = bind(w, PLAIN, PLAIN_PAGES, 0);
	device.map = device_map;
	device.unmap = device_unmap;
	device.user = w;
	must(gmem_listener_add(w->vm, &device, &w->listener) == 0);
	w->exit.sz = sizeof(w->exit);
	w->exit.quantum = 5 * PAGE;
	memset(w->states, GMEM_SHARED, sizeof(w->states));
}

static void close_world(struct world *w)
{
	w->veto = 0;
	gmem_listener_remove(w->listener);
	for (int i = 0; i < PAGES; i++)
		must(!w->mapped[i]);
	for (int i = 0; i < 3; i++)
		must(gmem_slot_unbind(w->slots[i]) == 0);
	gmem_file_unref(w->file);
	gmem_vm_unref(w->vm);
	free(w->plain);
}

/* Map, device and account are what the oracle says. */
static void check(struct world *w)
{
	GMEM_INIT(gmem_attr_info, info);
	uint64_t private = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		must(gmem_attr_query(w->vm, BASE + i * PAGE, PAGE) == w->states[i]);
		must(w->mapped[i] == (is_bound(i) && w->states[i] == GMEM_SHARED));
		private += is_bound(i) && w->states[i] == GMEM_PRIVATE ? PAGE : 0;
	}
	must(gmem_attr_get_info(w->vm, NULL, &info) == 0);
	must(info.private_bytes == private);
	must(info.pending_bytes <= info.twice_bytes);
}

/* What a request gets that nobody vetoes. */
static int expected(uint64_t gpa, uint64_t size, uint32_t to)
{
	if (gpa % PAGE || !size || size % PAGE || size > UINT64_MAX - gpa ||
	    gpa + size > UINT64_C(1) << 52)
		return -EINVAL;
	if (gpa < BASE)
		return -ENOENT;
	for (uint64_t i = (gpa - BASE) / PAGE; i < (gpa - BASE + size) / PAGE; i++) {
		if (i >= PAGES || !is_bound(i))
			return -ENOENT;
		if (is_plain(i) && to == GMEM_PRIVATE)
			return -EOPNOTSUPP;
	}
	return 0;
}

static void set(struct world *w, uint64_t gpa, uint64_t size, uint32_t to)
{
	if (size)
		memset(w->states + (gpa - BASE) / PAGE, (int)to, size / PAGE);
}

/* Numbers near the world's borders, or any at all. */
static uint64_t take_gpa(struct input *in)
{
	uint64_t byte = take(in, 1);

	return byte < 240 ? BASE + byte % (PAGES + 2) * PAGE : take(in, 8);
}

static uint64_t take_size(struct input *in)
{
	uint64_t byte = take(in, 1);

	return byte < 240 ? (byte % 24 + 1) * PAGE : take(in, 8);
}

#define REQUESTS 6

/* @done bytes of the requests, from the first on, are converted. */
static void follow(struct world *w, const struct gmem_conversion *requests, size_t count,
		   uint64_t done)
{
	for (size_t i = 0; i < count && done; i++) {
		uint64_t size = requests[i].size < done ? requests[i].size : done;

		set(w, requests[i].gpa, size, requests[i].to);
		done -= size;
	}
	must(!done);
}

static int expected_of_all(const struct gmem_conversion *requests, size_t count)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++) {
		ret = requests[i].to > GMEM_PRIVATE ? -EINVAL : 0;
		if (!ret)
			ret = expected(requests[i].gpa, requests[i].size, requests[i].to);
		ret = ret == -EINVAL ? ret : 0;
	}
	for (size_t i = 0; !ret && i < count; i++)
		ret = expected(requests[i].gpa, requests[i].size, requests[i].to);
	return ret;
}

static void convert(struct world *w, struct input *in)
{
	struct gmem_conversion requests[REQUESTS] = {0};
	GMEM_INIT(gmem_convert_opts, opts);
	size_t count = take(in, 1) % (REQUESTS + 1);
	uint64_t bits = take(in, 1), done;
	int want, ret;

	for (size_t i = 0; i < count; i++) {
		requests[i].gpa = take_gpa(in);
		requests[i].size = take_size(in);
		requests[i].to = take(in, 1) % 32 ? bits >> i & 1 : (uint32_t)take(in, 4);
	}
	opts.flags = bits & 64 ? GMEM_CONVERT_ATOMIC : 0;
	opts.discard = (uint32_t)(take(in, 1) % 3);
	opts.slice = take(in, 1) % 4 * PAGE;
	opts.attempts = 1;
	w->veto = bits & 128 ? 1 + (uint32_t)(take(in, 1) % 8) : 0;
	want = expected_of_all(requests, count);
	ret = gmem_convert_batch(w->vm, requests, count, &opts, &done);
	if (want)
		must(ret == want && !done);
	else
		must(!ret || ret == -EBUSY || ret == -ENOMEM);
	must(!(ret && opts.flags && done));
	follow(w, requests, count, done);
	if (!ret && !want)
		for (size_t i = 0; i < count; i++)
			must(done >= requests[i].size);
	w->veto = 0;
}

static void fill_run(struct world *w, struct input *in, int *ret_error)
{
	uint64_t what = take(in, 1);

	memset(&w->run, 0, sizeof(w->run));
	*ret_error = 0;
	if (what % 2) {
		w->run.exit_reason = GMI_KVM_EXIT_HYPERCALL;
		w->run.hypercall.nr = what & 4 && what & 8 ? take(in, 1) : GMI_KVM_HC_MAP_GPA_RANGE;
		w->run.hypercall.args[0] = take_gpa(in);
		w->run.hypercall.args[1] = take(in, 1) < 240 ? take_size(in) / PAGE : take(in, 8);
		w->run.hypercall.args[2] =
			take(in, 1) < 240 ? (what & 16) | (what >> 6) : take(in, 8);
		return;
	}
	w->run.exit_reason =
		what & 4 && what & 8 ? (uint32_t)take(in, 1) : GMI_KVM_EXIT_MEMORY_FAULT;
	w->run.memory_fault.gpa = take_gpa(in);
	w->run.memory_fault.size = take_size(in);
	w->run.memory_fault.flags = what & 32 ? take(in, 8) : what & 2 ? 8 : 0;
	*ret_error = what & 64 && what & 128 ? -(int)(take(in, 1) % 140) : -EFAULT;
}

/* As a vCPU thread does, until the exit is served. */
static int handle(struct world *w, struct input *in)
{
	int error, ret, want;
	uint64_t rounds = 0;

	fill_run(w, in, &error);
	w->exit.gpa = w->exit.size = 0;
	if (w->run.exit_reason != GMI_KVM_EXIT_HYPERCALL &&
	    w->run.exit_reason != GMI_KVM_EXIT_MEMORY_FAULT)
		memset(w->run.padding, (int)take(in, 1), 64);
	do {
		ret = gmem_exit_handle(w->vm, &w->run, error, &w->exit);
	} while (!ret && w->exit.disposition == GMEM_EXIT_AGAIN && ++rounds < PAGES);
	must(rounds < PAGES);
	if (ret || w->exit.disposition == GMEM_EXIT_NOT_MINE)
		return ret;
	must(w->exit.disposition == GMEM_EXIT_RESUME);
	want = expected(w->exit.gpa, w->exit.size, w->exit.to);
	if (w->exit.flags & GMEM_EXIT_REFUSED)
		must(w->run.hypercall.ret == (uint64_t)-EINVAL && w->exit.error);
	else
		must(!want);
	return 0;
}

/* An exit that is refused or fails converts nothing at all. */
static void serve(struct world *w, struct input *in)
{
	int ret = handle(w, in);

	if (!ret && w->exit.disposition == GMEM_EXIT_RESUME && !(w->exit.flags & GMEM_EXIT_REFUSED))
		set(w, w->exit.gpa, w->exit.size, w->exit.to);
}

static void run(struct kernel *kernel, struct input in)
{
	struct world w;

	open_world(&w, kernel);
	while (in.left) {
		switch (take(&in, 1) % 8) {
		case 0:
			must(gmem_discard_drain(w.vm, take(&in, 1) * PAGE, NULL) == 0);
			break;
		case 1:
		case 2:
		case 3:
			serve(&w, &in);
			break;
		default:
			convert(&w, &in);
		}
		check(&w);
	}
	close_world(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kernel two_backings = {.profile = "v7.3-sw"};
	static struct kernel in_place = {.profile = "v7.4-inplace"};
	const struct input in = {.at = data, .left = size};

	run(&two_backings, in);
	run(&in_place, in);
	return 0;
}
