/* SPDX-License-Identifier: MIT */
/* The move of a software-protected VM's memory context: refusals, what arrives, what dies. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rawvm.h"
#include "report.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

#define SWP     GMI_KVM_X86_SW_PROTECTED_VM
#define DEFAULT GMI_KVM_X86_DEFAULT_VM
#define PRIVATE GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE

/* A source whose guest has stored a byte in private memory, and a destination laid out alike. */
struct pair {
	struct rawvm source;
	struct rawvm dest;
};

#define BYTE  0x5a
#define DECOY 0x11

static const char *link_dest(struct pair *pair)
{
	struct rawvm *dest = &pair->dest;

	close(dest->gmem);
	CHECK(!slot_set(dest->vm, 0, 0, 0, NULL, -1, 0));
	dest->gmem = gmem_link(dest->vm, pair->source.gmem);
	CHECK(dest->gmem >= 0);
	CHECK(!slot_set(dest->vm, 0, 0, RAM_SIZE, dest->shared, dest->gmem, 0));
	return NULL;
}

static const char *pair_open(struct pair *pair)
{
	CHECK(!rawvm_create(&pair->source, SWP, -1, 0));
	CHECK(!attributes_set(pair->source.vm, SECRET, PAGE, PRIVATE));
	CHECK(!rawvm_write_secret(&pair->source, BYTE));
	CHECK(!rawvm_create(&pair->dest, SWP, -1, 0));
	CHECK_OK(link_dest(pair));
	pair->dest.shared[SECRET] = DECOY;
	return NULL;
}

static void pair_close(struct pair *pair)
{
	rawvm_close(&pair->source);
	rawvm_close(&pair->dest);
}

static int pair_move(const struct pair *pair)
{
	return move_from(pair->dest.vm, (uint64_t)pair->source.vm);
}

/* The move fails with @err, and both VMs live on. */
static const char *refused(struct pair *pair, int err)
{
	CHECK_ERRNO(pair_move(pair), err);
	CHECK(ioctl(pair->dest.vm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_GUEST_MEMFD) == 1);
	CHECK(rawvm_read_secret(&pair->source) == BYTE);
	return NULL;
}

static const char *refuses_other_fds(void)
{
	struct pair pair;
	int null = open("/dev/null", O_RDWR);

	CHECK_OK(pair_open(&pair));
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)-1), EBADF);
	CHECK_ERRNO(move_from(pair.dest.vm, 1000), EBADF);
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)null), EBADF);
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)pair.source.gmem), EBADF);
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)pair.source.vcpu), EBADF);
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)pair.dest.vm), EINVAL);
	CHECK(rawvm_read_secret(&pair.source) == BYTE);
	close(null);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_other_types(void)
{
	struct pair pair;
	int vm = vm_create(DEFAULT), other = vm_create(DEFAULT);

	CHECK_OK(pair_open(&pair));
	CHECK_ERRNO(move_from(pair.dest.vm, (uint64_t)vm), EINVAL);
	CHECK_ERRNO(move_from(vm, (uint64_t)pair.source.vm), EINVAL);
	CHECK_ERRNO(move_from(vm, (uint64_t)other), EINVAL);
	close(other);
	close(vm);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_an_extra_slot(void)
{
	void *extra = alloc_shared();
	struct pair pair;

	CHECK_OK(pair_open(&pair));
	CHECK(!slot_set(pair.dest.vm, 1, 1ull << 30, PAGE, extra, -1, 0));
	CHECK_OK(refused(&pair, EINVAL));
	CHECK(!slot_set(pair.source.vm, 1, 1ull << 30, PAGE, extra, -1, 0));
	CHECK(!slot_set(pair.dest.vm, 1, 0, 0, extra, -1, 0));
	CHECK_OK(refused(&pair, EINVAL));
	CHECK(!slot_set(pair.dest.vm, 7, 1ull << 30, PAGE, extra, -1, 0));
	CHECK(!pair_move(&pair));
	pair_close(&pair);
	return NULL;
}

/* Lay the destination's second slot out in another way than the source's. */
struct layout {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset;
	bool gmem;
};

static const char *refuses_layout(const struct layout *layout)
{
	struct pair pair;
	int gmem, link;

	CHECK_OK(pair_open(&pair));
	gmem = gmem_create(pair.source.vm, RAM_SIZE, 0);
	link = gmem_link(pair.dest.vm, gmem);
	CHECK(!slot_set(pair.source.vm, 1, 1ull << 30, 2 * PAGE, alloc_shared(), gmem, PAGE));
	CHECK(!slot_set(pair.dest.vm, 1, layout->gpa, layout->size, alloc_shared(),
			layout->gmem ? link : -1, layout->offset));
	CHECK_OK(refused(&pair, EINVAL));
	CHECK(!slot_set(pair.dest.vm, 1, 0, 0, NULL, -1, 0));
	CHECK(!slot_set(pair.dest.vm, 1, 1ull << 30, 2 * PAGE, alloc_shared(), link, PAGE));
	CHECK(!pair_move(&pair));
	close(link);
	close(gmem);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_another_layout(void)
{
	static const struct layout layouts[] = {
		{.gpa = (1ull << 30) + PAGE, .size = 2 * PAGE, .offset = PAGE, .gmem = true},
		{.gpa = 1ull << 30, .size = PAGE, .offset = PAGE, .gmem = true},
		{.gpa = 1ull << 30, .size = 3 * PAGE, .offset = PAGE, .gmem = true},
		{.gpa = 1ull << 30, .size = 2 * PAGE, .offset = 2 * PAGE, .gmem = true},
		{.gpa = 1ull << 30, .size = 2 * PAGE, .gmem = false},
	};
	size_t i;

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		CHECK_OK(refuses_layout(&layouts[i]));
	return NULL;
}

static const char *refuses_other_memory(void)
{
	struct rawvm source, dest;

	CHECK(!rawvm_create(&source, SWP, -1, 0));
	CHECK(!rawvm_create(&dest, SWP, -1, 0));
	CHECK_ERRNO(move_from(dest.vm, (uint64_t)source.vm), EINVAL);
	rawvm_close(&source);
	rawvm_close(&dest);
	return NULL;
}

static const char *refuses_closed_memory(void)
{
	struct pair pair;

	CHECK_OK(pair_open(&pair));
	close(pair.source.gmem);
	CHECK_ERRNO(pair_move(&pair), EINVAL);
	pair.source.gmem = dup(0);
	pair_close(&pair);
	return NULL;
}

static const char *moves_between_vms_without_memory(void)
{
	int source = vm_create(SWP), dest = vm_create(SWP);

	CHECK(!move_from(dest, (uint64_t)source));
	CHECK_ERRNO(ioctl(source, KVM_CHECK_EXTENSION, GMI_KVM_CAP_GUEST_MEMFD), EIO);
	close(source);
	close(dest);
	return NULL;
}

/* The destination runs before: it has mapped the page, by a huge page if it can, as shared. */
static const char *moves_the_attributes(void)
{
	struct pair pair;

	CHECK_OK(pair_open(&pair));
	CHECK(rawvm_read_secret(&pair.dest) == DECOY);
	CHECK(!pair_move(&pair));
	CHECK(rawvm_read_secret(&pair.dest) == BYTE);
	CHECK(!rawvm_write_secret(&pair.dest, BYTE + 1));
	CHECK(pair.dest.shared[SECRET] == DECOY);
	rawvm_close(&pair.source);
	CHECK(rawvm_read_secret(&pair.dest) == BYTE + 1);
	CHECK(!attributes_set(pair.dest.vm, SECRET, PAGE, 0));
	CHECK(rawvm_read_secret(&pair.dest) == DECOY);
	rawvm_close(&pair.dest);
	return NULL;
}

static const char *drops_the_attributes_of_the_destination(void)
{
	struct pair pair;

	CHECK_OK(pair_open(&pair));
	CHECK(!attributes_set(pair.source.vm, SECRET, PAGE, 0));
	CHECK(!attributes_set(pair.dest.vm, SECRET, PAGE, PRIVATE));
	CHECK(rawvm_read_secret(&pair.dest) == BYTE);
	CHECK(!pair_move(&pair));
	CHECK(rawvm_read_secret(&pair.dest) == DECOY);
	pair_close(&pair);
	return NULL;
}

static const char *kills_the_source(void)
{
	struct pair pair;
	struct kvm_regs regs;

	CHECK_OK(pair_open(&pair));
	CHECK(!pair_move(&pair));
	CHECK_ERRNO(ioctl(pair.source.vm, KVM_CHECK_EXTENSION, GMI_KVM_CAP_GUEST_MEMFD), EIO);
	CHECK_ERRNO(attributes_set(pair.source.vm, SECRET, PAGE, PRIVATE), EIO);
	CHECK_ERRNO(ioctl(pair.source.vcpu, KVM_GET_REGS, &regs), EIO);
	CHECK_ERRNO(ioctl(pair.source.vcpu, KVM_RUN, 0), EIO);
	CHECK_ERRNO(move_from(pair.source.vm, (uint64_t)pair.dest.vm), EIO);
	pair_close(&pair);
	return NULL;
}

static const char *refuses_a_dead_source(void)
{
	struct pair pair;
	struct rawvm third;

	CHECK_OK(pair_open(&pair));
	CHECK(!pair_move(&pair));
	CHECK_ERRNO(pair_move(&pair), EIO);
	CHECK(rawvm_read_secret(&pair.dest) == BYTE);
	CHECK(!rawvm_create(&third, SWP, -1, 0));
	CHECK_ERRNO(move_from(third.vm, (uint64_t)pair.source.vm), EIO);
	rawvm_close(&third);
	pair_close(&pair);
	return NULL;
}

static const char *moves_on_and_on(void)
{
	struct pair pair;
	int i;

	CHECK_OK(pair_open(&pair));
	for (i = 0; i < 5; i++) {
		CHECK(!pair_move(&pair));
		rawvm_close(&pair.source);
		pair.source = pair.dest;
		CHECK(!rawvm_create(&pair.dest, SWP, -1, 0));
		CHECK_OK(link_dest(&pair));
	}
	CHECK(rawvm_read_secret(&pair.source) == BYTE);
	pair_close(&pair);
	return NULL;
}

/* A fault that is under way while the attributes move ends in EFAULT, and then there is EIO. */
static void *run_counter(void *arg)
{
	struct rawvm *raw = arg;

	while (!ioctl(raw->vcpu, KVM_RUN, 0) || errno == EINTR || errno == EFAULT)
		;
	return (void *)(intptr_t)errno;
}

struct race {
	struct pair pair;
	atomic_bool stop;
};

/* Make the guest fault on the page again and again, i.e. look at the attributes. */
static void *run_puncher(void *arg)
{
	struct race *race = arg;

	while (!race->stop)
		fallocate(race->pair.source.gmem, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			  SECRET, PAGE);
	return NULL;
}

/* The source's guest increments a private byte; the shared one must never be touched. */
static const char *stops_a_running_source(void)
{
	struct race race = {.stop = false};
	pthread_t counter, puncher;
	void *err;

	CHECK_OK(pair_open(&race.pair));
	CHECK(!rawvm_load_counter(&race.pair.source));
	CHECK(!pthread_create(&counter, NULL, run_counter, &race.pair.source));
	CHECK(!pthread_create(&puncher, NULL, run_puncher, &race));
	usleep(20000);
	CHECK(!pair_move(&race.pair));
	pthread_join(counter, &err);
	race.stop = true;
	pthread_join(puncher, NULL);
	CHECK((intptr_t)err == EIO);
	CHECK(race.pair.source.shared[SECRET] == 0);
	CHECK(race.pair.dest.shared[SECRET] == DECOY);
	pair_close(&race.pair);
	return NULL;
}

static const char *stops_running_sources(void)
{
	int i;

	for (i = 0; i < 10; i++)
		CHECK_OK(stops_a_running_source());
	return NULL;
}

struct crossing {
	int dest;
	int source;
	int ret;
	int err;
};

static void *cross(void *arg)
{
	struct crossing *crossing = arg;

	crossing->ret = move_from(crossing->dest, (uint64_t)crossing->source);
	crossing->err = errno;
	return NULL;
}

/* A to B and B to A at once: at most one succeeds, none waits for ever. */
static const char *cross_once(void)
{
	int a = vm_create(SWP), b = vm_create(SWP), i;
	struct crossing ways[2] = {{.dest = a, .source = b}, {.dest = b, .source = a}};
	pthread_t threads[2];

	for (i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, cross, &ways[i]));
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK(ways[0].ret == -1 || ways[1].ret == -1);
	for (i = 0; i < 2; i++)
		CHECK(!ways[i].ret || ways[i].err == EBUSY || ways[i].err == EIO);
	close(a);
	close(b);
	return NULL;
}

static const char *two_moves_may_cross(void)
{
	int i;

	for (i = 0; i < 50; i++)
		CHECK_OK(cross_once());
	return NULL;
}

static const struct test tests[] = {
	{"refuses_other_fds", refuses_other_fds},
	{"refuses_other_types", refuses_other_types},
	{"refuses_an_extra_slot", refuses_an_extra_slot},
	{"refuses_another_layout", refuses_another_layout},
	{"refuses_other_memory", refuses_other_memory},
	{"refuses_closed_memory", refuses_closed_memory},
	{"moves_between_vms_without_memory", moves_between_vms_without_memory},
	{"moves_the_attributes", moves_the_attributes},
	{"drops_the_attributes_of_the_destination", drops_the_attributes_of_the_destination},
	{"kills_the_source", kills_the_source},
	{"refuses_a_dead_source", refuses_a_dead_source},
	{"moves_on_and_on", moves_on_and_on},
	{"stops_running_sources", stops_running_sources},
	{"two_moves_may_cross", two_moves_may_cross},
};

int main(void)
{
	return report_run("selftest-move", tests, sizeof(tests) / sizeof(tests[0]));
}
