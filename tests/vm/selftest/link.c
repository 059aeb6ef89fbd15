/* SPDX-License-Identifier: MIT */
/* KVM_LINK_GUEST_MEMFD of the patched kernel: errno in order, one inode, memory that survives. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rawvm.h"
#include "report.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

#define SWP     GMI_KVM_X86_SW_PROTECTED_VM
#define DEFAULT GMI_KVM_X86_DEFAULT_VM
#define PRIVATE GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE
#define MMAP    GMI_GUEST_MEMFD_FLAG_MMAP
#define SHARED  (GMI_GUEST_MEMFD_FLAG_MMAP | GMI_GUEST_MEMFD_FLAG_INIT_SHARED)

/* A destination VM and a file of a source VM. */
struct pair {
	int source;
	int dest;
	int gmem;
};

static const char *pair_open(struct pair *pair, unsigned long type, uint64_t flags)
{
	pair->source = vm_create(type);
	pair->dest = vm_create(type);
	pair->gmem = gmem_create(pair->source, RAM_SIZE, flags);
	CHECK(pair->source >= 0 && pair->dest >= 0 && pair->gmem >= 0);
	return NULL;
}

static void pair_close(const struct pair *pair)
{
	close(pair->gmem);
	close(pair->dest);
	close(pair->source);
}

static const char *refuses_bad_pointer(void)
{
	int vm = vm_create(SWP);

	CHECK_ERRNO(ioctl(vm, GMI_RFC_LINK2_LINK_GUEST_MEMFD, 8), EFAULT);
	close(vm);
	return NULL;
}

static const char *refuses_flags(void)
{
	struct pair pair;
	int bit;

	CHECK_OK(pair_open(&pair, SWP, 0));
	for (bit = 0; bit < 64; bit++)
		CHECK_ERRNO(gmem_link_raw(pair.dest, (uint64_t)pair.gmem, 1ull << bit, 0), EINVAL);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_other_fds(void)
{
	struct pair pair;
	int null = open("/dev/null", O_RDWR);

	CHECK_OK(pair_open(&pair, SWP, 0));
	CHECK_ERRNO(gmem_link(pair.dest, -1), EINVAL);
	CHECK_ERRNO(gmem_link(pair.dest, 1000), EINVAL);
	CHECK_ERRNO(gmem_link(pair.dest, null), EINVAL);
	CHECK_ERRNO(gmem_link(pair.dest, pair.source), EINVAL);
	close(null);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_own_file(void)
{
	struct pair pair;
	int link;

	CHECK_OK(pair_open(&pair, SWP, 0));
	CHECK_ERRNO(gmem_link(pair.source, pair.gmem), EINVAL);
	link = gmem_link(pair.dest, pair.gmem);
	CHECK(link >= 0);
	CHECK_ERRNO(gmem_link(pair.dest, link), EINVAL);
	close(link);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_foreign_flags(void)
{
	struct pair pair;
	int dest = vm_create(SWP);

	CHECK_OK(pair_open(&pair, DEFAULT, SHARED));
	CHECK_ERRNO(gmem_link(dest, pair.gmem), EINVAL);
	close(dest);
	pair_close(&pair);
	return NULL;
}

/* The limit is put at the number of the next free fd, i.e. none is left. */
static const char *link_without_fds(const struct pair *pair)
{
	struct rlimit old, none;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK_ERRNO(gmem_link(pair->dest, pair->gmem), EMFILE);
	CHECK_ERRNO(gmem_link(pair->dest, -1), EINVAL);
	CHECK_ERRNO(gmem_link(pair->source, pair->gmem), EINVAL);
	setrlimit(RLIMIT_NOFILE, &old);
	return NULL;
}

static const char *refuses_without_fd(void)
{
	struct pair pair;

	CHECK_OK(pair_open(&pair, SWP, 0));
	CHECK_OK(link_without_fds(&pair));
	pair_close(&pair);
	return NULL;
}

static const char *is_another_file_on_the_inode(void)
{
	struct stat first, second;
	struct pair pair;
	int link;

	CHECK_OK(pair_open(&pair, SWP, MMAP));
	link = gmem_link(pair.dest, pair.gmem);
	CHECK(link >= 0 && link != pair.gmem);
	CHECK(!fstat(pair.gmem, &first) && !fstat(link, &second));
	CHECK(first.st_ino == second.st_ino && first.st_dev == second.st_dev);
	CHECK(second.st_size == RAM_SIZE);
	CHECK(!(fcntl(link, F_GETFD) & FD_CLOEXEC));
	close(link);
	pair_close(&pair);
	return NULL;
}

static const char *counts_the_views(void)
{
	struct pair pair;
	struct stat st;
	int link;

	CHECK_OK(pair_open(&pair, SWP, 0));
	CHECK(!fstat(pair.gmem, &st) && st.st_nlink == 1);
	link = gmem_link(pair.dest, pair.gmem);
	CHECK(!fstat(pair.gmem, &st) && st.st_nlink == 2);
	close(pair.gmem);
	CHECK(!fstat(link, &st) && st.st_nlink == 1);
	close(link);
	close(pair.dest);
	close(pair.source);
	return NULL;
}

static const char *ignores_what_it_does_not_read(void)
{
	struct pair pair;
	int link;

	CHECK_OK(pair_open(&pair, SWP, 0));
	link = gmem_link_raw(pair.dest, 1ull << 32 | (unsigned int)pair.gmem, 0, 0xff);
	CHECK(link >= 0);
	close(link);
	pair_close(&pair);
	return NULL;
}

static const char *binds_by_its_own_vm_only(void)
{
	struct pair pair;
	int link;

	CHECK_OK(pair_open(&pair, SWP, 0));
	link = gmem_link(pair.dest, pair.gmem);
	CHECK_ERRNO(slot_set(pair.dest, 0, 0, RAM_SIZE, NULL, pair.gmem, 0), EINVAL);
	CHECK_ERRNO(slot_set(pair.source, 0, 0, RAM_SIZE, NULL, link, 0), EINVAL);
	CHECK(!slot_set(pair.dest, 0, 0, RAM_SIZE, NULL, link, 0));
	CHECK(!slot_set(pair.source, 0, 0, RAM_SIZE, NULL, pair.gmem, 0));
	close(link);
	pair_close(&pair);
	return NULL;
}

/* A software-protected VM whose guest has stored @value in private memory. */
static const char *open_with_secret(struct rawvm *raw, uint8_t value)
{
	CHECK(!rawvm_create(raw, SWP, -1, 0));
	CHECK(!attributes_set(raw->vm, SECRET, PAGE, PRIVATE));
	CHECK(!rawvm_write_secret(raw, value));
	CHECK(raw->shared[SECRET] == 0);
	return NULL;
}

/* Give @raw, which has memory of its own, the memory behind @gmem instead. */
static const char *change_memory(struct rawvm *raw, int gmem)
{
	close(raw->gmem);
	CHECK(!slot_set(raw->vm, 0, 0, 0, NULL, -1, 0));
	raw->gmem = gmem_link(raw->vm, gmem);
	CHECK(raw->gmem >= 0);
	CHECK(!slot_set(raw->vm, 0, 0, RAM_SIZE, raw->shared, raw->gmem, 0));
	return NULL;
}

static const char *private_memory_outlives_its_vm(void)
{
	struct rawvm first, second;

	CHECK_OK(open_with_secret(&first, 0x5a));
	CHECK(!rawvm_create(&second, SWP, -1, 0));
	CHECK_OK(change_memory(&second, first.gmem));
	rawvm_close(&first);
	CHECK(rawvm_read_secret(&second) == 0);
	CHECK(!attributes_set(second.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&second) == 0x5a);
	rawvm_close(&second);
	return NULL;
}

static const char *a_link_of_a_link_is_enough(void)
{
	struct rawvm first, last;
	int vm = vm_create(SWP), link;

	CHECK_OK(open_with_secret(&first, 0xa5));
	link = gmem_link(vm, first.gmem);
	rawvm_close(&first);
	CHECK(!rawvm_create(&last, SWP, -1, 0));
	CHECK_OK(change_memory(&last, link));
	close(link);
	close(vm);
	CHECK(!attributes_set(last.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&last) == 0xa5);
	rawvm_close(&last);
	return NULL;
}

static const char *two_guests_share_private_memory(void)
{
	struct rawvm first, second;

	CHECK_OK(open_with_secret(&first, 1));
	CHECK(!rawvm_create(&second, SWP, -1, 0));
	CHECK_OK(change_memory(&second, first.gmem));
	CHECK(!attributes_set(second.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&second) == 1);
	CHECK(!rawvm_write_secret(&second, 2));
	CHECK(rawvm_read_secret(&first) == 2);
	rawvm_close(&first);
	rawvm_close(&second);
	return NULL;
}

static const char *a_hole_is_punched_in_every_vm(void)
{
	struct rawvm first, second;

	CHECK_OK(open_with_secret(&first, 7));
	CHECK(!rawvm_create(&second, SWP, -1, 0));
	CHECK_OK(change_memory(&second, first.gmem));
	CHECK(!attributes_set(second.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&second) == 7);
	CHECK(!fallocate(second.gmem, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, SECRET, PAGE));
	CHECK(rawvm_read_secret(&first) == 0);
	CHECK(rawvm_read_secret(&second) == 0);
	rawvm_close(&first);
	rawvm_close(&second);
	return NULL;
}

static const char *closing_a_view_ends_its_vm_only(void)
{
	struct rawvm first, second;

	CHECK_OK(open_with_secret(&first, 9));
	CHECK(!rawvm_create(&second, SWP, -1, 0));
	CHECK_OK(change_memory(&second, first.gmem));
	CHECK(!attributes_set(second.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&second) == 9);
	close(second.gmem);
	CHECK(rawvm_read_secret(&second) == -1);
	CHECK(second.run->exit_reason == GMI_KVM_EXIT_MEMORY_FAULT);
	CHECK(rawvm_read_secret(&first) == 9);
	second.gmem = dup(0);
	rawvm_close(&first);
	rawvm_close(&second);
	return NULL;
}

static const char *shared_memory_of_default_vms(void)
{
	struct rawvm first, second;
	int vm = vm_create(DEFAULT), link;

	CHECK(!rawvm_create(&first, DEFAULT, -1, SHARED));
	CHECK(!rawvm_write_secret(&first, 0x33));
	link = gmem_link(vm, first.gmem);
	CHECK(link >= 0);
	CHECK(!rawvm_create(&second, DEFAULT, -1, SHARED));
	munmap(second.shared, RAM_SIZE);
	second.shared = first.shared;
	CHECK_OK(change_memory(&second, link));
	CHECK(rawvm_read_secret(&second) == 0x33);
	CHECK(!rawvm_write_secret(&second, 0x34));
	CHECK(first.shared[SECRET] == 0x34);
	CHECK(rawvm_read_secret(&first) == 0x34);
	close(link);
	close(vm);
	second.shared = alloc_shared();
	rawvm_close(&first);
	rawvm_close(&second);
	return NULL;
}

/* Links come and go, holes are punched, and two guests run, all on one inode. */
struct storm {
	struct rawvm first;
	struct rawvm second;
	atomic_bool stop;
	atomic_int trouble;
};

static void *storm_links(void *arg)
{
	struct storm *storm = arg;

	while (!storm->stop) {
		int vm = vm_create(SWP);
		int link = gmem_link(vm, storm->first.gmem);

		if (link < 0 || slot_set(vm, 0, 0, RAM_SIZE, NULL, link, 0))
			storm->trouble++;
		close(link);
		close(vm);
	}
	return NULL;
}

static void *storm_holes(void *arg)
{
	struct storm *storm = arg;

	while (!storm->stop)
		if (fallocate(storm->second.gmem, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
			      RAM_SIZE))
			storm->trouble++;
	return NULL;
}

static void *storm_guest(void *arg)
{
	struct storm *storm = arg;

	while (!storm->stop) {
		int byte = -1;

		if (!rawvm_write_secret(&storm->second, 1))
			byte = rawvm_read_secret(&storm->second);
		if (byte != 0 && byte != 1)
			storm->trouble++;
	}
	return NULL;
}

static const char *storm_run(struct storm *storm)
{
	void *(*const jobs[])(void *) = {storm_links, storm_links, storm_holes, storm_guest};
	struct timespec two_seconds = {.tv_sec = 2};
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, jobs[i], storm));
	nanosleep(&two_seconds, NULL);
	storm->stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(storm->trouble == 0);
	return NULL;
}

static const char *survives_a_storm(void)
{
	struct storm storm = {.stop = false};

	CHECK_OK(open_with_secret(&storm.first, 1));
	CHECK(!rawvm_create(&storm.second, SWP, -1, 0));
	CHECK_OK(change_memory(&storm.second, storm.first.gmem));
	CHECK(!attributes_set(storm.second.vm, SECRET, PAGE, PRIVATE));
	CHECK_OK(storm_run(&storm));
	rawvm_close(&storm.first);
	rawvm_close(&storm.second);
	return NULL;
}

static const struct test tests[] = {
	{"refuses_bad_pointer", refuses_bad_pointer},
	{"refuses_flags", refuses_flags},
	{"refuses_other_fds", refuses_other_fds},
	{"refuses_own_file", refuses_own_file},
	{"refuses_foreign_flags", refuses_foreign_flags},
	{"refuses_without_fd", refuses_without_fd},
	{"is_another_file_on_the_inode", is_another_file_on_the_inode},
	{"counts_the_views", counts_the_views},
	{"ignores_what_it_does_not_read", ignores_what_it_does_not_read},
	{"binds_by_its_own_vm_only", binds_by_its_own_vm_only},
	{"private_memory_outlives_its_vm", private_memory_outlives_its_vm},
	{"a_link_of_a_link_is_enough", a_link_of_a_link_is_enough},
	{"two_guests_share_private_memory", two_guests_share_private_memory},
	{"a_hole_is_punched_in_every_vm", a_hole_is_punched_in_every_vm},
	{"closing_a_view_ends_its_vm_only", closing_a_view_ends_its_vm_only},
	{"shared_memory_of_default_vms", shared_memory_of_default_vms},
	{"survives_a_storm", survives_a_storm},
};

int main(void)
{
	return report_run("selftest-link", tests, sizeof(tests) / sizeof(tests[0]));
}
