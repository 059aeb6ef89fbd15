/* SPDX-License-Identifier: MIT */
/* What it brings to drop a mapping before its pages are freed, and to free many by io_uring. */
#include <fcntl.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <libgmem/libgmem.h>

#define MIB    (UINT64_C(1) << 20)
#define REPEAT 7
#define HOLE   (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* Microseconds to free @size bytes that are mapped and touched, the best of some. */
static double time_punch(int fd, void *addr, uint64_t size, int drop)
{
	double best = 1e12;
	double start;

	for (int i = 0; i < REPEAT; i++) {
		memset(addr, 1, size);
		start = now();
		if (drop)
			madvise(addr, size, MADV_DONTNEED);
		if (fallocate(fd, HOLE, 0, (off_t)size))
			return -1;
		start = now() - start;
		best = start < best ? start : best;
	}
	return best;
}

static void compare(const char *name, int fd, uint64_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	double plain;
	double dropped;

	if (addr == MAP_FAILED) {
		printf("%s: not mapped\n", name);
		return;
	}
	plain = time_punch(fd, addr, size, 0);
	dropped = time_punch(fd, addr, size, 1);
	printf("%-12s %3llu MiB  punch %8.0f us  mapping dropped first %8.0f us  ratio %.2f\n",
	       name, (unsigned long long)(size / MIB), plain, dropped, dropped / plain);
	munmap(addr, size);
}

static void compare_sizes(const char *name, int fd)
{
	for (uint64_t size = MIB; size <= 64 * MIB; size *= 4)
		compare(name, fd, size);
}

#ifdef HAVE_LIBURING
#define HOLES 512

static uint64_t hole_at(unsigned int i)
{
	return i * 2 * GMEM_PAGE_SIZE;
}

static void queue_holes(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *entry;

	for (unsigned int i = 0; i < HOLES; i++) {
		entry = io_uring_get_sqe(ring);
		io_uring_prep_fallocate(entry, fd, HOLE, (off_t)hole_at(i), GMEM_PAGE_SIZE);
	}
	io_uring_submit_and_wait(ring, HOLES);
	io_uring_cq_advance(ring, HOLES);
}

static double time_holes(struct io_uring *ring, int fd)
{
	double best = 1e12;
	double start;

	for (int i = 0; i < REPEAT; i++) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)hole_at(HOLES)))
			return -1;
		start = now();
		if (ring)
			queue_holes(ring, fd);
		for (unsigned int j = 0; !ring && j < HOLES; j++)
			fallocate(fd, HOLE, (off_t)hole_at(j), GMEM_PAGE_SIZE);
		start = now() - start;
		best = start < best ? start : best;
	}
	return best;
}

static void compare_ring(int fd)
{
	struct io_uring ring;
	double loop;
	double queued;

	if (io_uring_queue_init(HOLES, &ring, 0))
		return;
	loop = time_holes(NULL, fd);
	queued = time_holes(&ring, fd);
	printf("guest memory %d holes of 4K  one call each %6.0f us  by io_uring %6.0f us  ratio "
	       "%.2f\n",
	       HOLES, loop, queued, queued / loop);
	io_uring_queue_exit(&ring);
}
#else
static void compare_ring(int fd)
{
	printf("io_uring: built without liburing\n");
}
#endif

int main(void)
{
	GMEM_INIT(gmem_file_opts, opts);
	struct gmem_file *file = NULL;
	struct gmem_ctx *ctx = NULL;
	struct gmem_vm *vm = NULL;
	int fd = memfd_create("punch", MFD_CLOEXEC);

	opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	if (gmem_ctx_create(NULL, &ctx) || gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, &vm) ||
	    gmem_file_create(vm, 64 * MIB, &opts, &file))
		printf("guest memory: %s\n", gmem_errinfo()->message);
	else
		compare_sizes("guest memory", gmem_file_fd(file));
	if (file)
		compare_ring(gmem_file_fd(file));
	if (fd >= 0 && !ftruncate(fd, (off_t)(64 * MIB)))
		compare_sizes("memfd", fd);
	close(fd);
	gmem_file_unref(file);
	gmem_vm_unref(vm);
	gmem_ctx_unref(ctx);
	return 0;
}
