/* SPDX-License-Identifier: MIT */
/* Several threads in one simulated kernel: vCPUs run while memory is converted, punched, mapped. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "st.h"

struct shared {
	const struct st *st;
	atomic_bool stop;
	atomic_int wrong;
	int vcpu[2];
};

struct worker {
	struct shared *shared;
	int index;
	void (*step)(struct worker *worker);
	pthread_t thread;
	uint64_t rounds;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&worker->shared->stop)) {
		worker->step(worker);
		worker->rounds++;
	}
	return NULL;
}

static void require(struct worker *worker, bool condition)
{
	if (!condition)
		atomic_fetch_add(&worker->shared->wrong, 1);
}

/* Each vCPU has its own pages, so that what it wrote must be there. */
static void run_guest(struct worker *worker)
{
	const struct st *st = worker->shared->st;
	uint64_t gpa = ST_GPA + (uint64_t)worker->index * 4 * GT_PAGE;
	const struct gmem_sim_action actions[] = {
		{.op = GMEM_SIM_FILL, .addr = gpa, .size = 4 * GT_PAGE, .value = worker->rounds},
		{.op = GMEM_SIM_CHECK, .addr = gpa, .size = 4 * GT_PAGE, .value = worker->rounds},
		{.op = GMEM_SIM_ADD, .addr = ST_GPA + 8 * GT_PAGE, .value = 1},
	};
	struct gmem_sim_vcpu_info info = {.sz = sizeof(info)};
	int vcpu = worker->shared->vcpu[worker->index];

	require(worker, gmem_sim_vcpu_script(st->t->sim, vcpu, actions, GT_COUNT(actions)) == 0);
	require(worker, gt_ioctl(st->t, vcpu, GMI_KVM_RUN, NULL) == 0);
	require(worker, gmem_sim_vcpu_get_info(st->t->sim, vcpu, &info) == 0);
	require(worker, info.is_done && info.mismatches == 0);
}

static void convert(struct worker *worker)
{
	const struct st *st = worker->shared->st;
	uint64_t attributes = worker->rounds % 2 ? GT_PRIVATE : 0;

	require(worker, gt_set_attributes(st->t, st->vm, ST_GPA + 12 * GT_PAGE, 4 * GT_PAGE,
					  attributes) == 0);
	require(worker, gt_punch(st->t, st->file, 12 * GT_PAGE, 4 * GT_PAGE) == 0);
	require(worker, gt_allocate(st->t, st->file, 12 * GT_PAGE, GT_PAGE) == 0);
}

/* A VM with a file and a mapping comes and goes, by other means each time. */
static void create_and_drop(struct worker *worker)
{
	const struct gt *t = worker->shared->st->t;
	int vm = gt_create_vm(t, worker->shared->st->kvm, GMI_KVM_X86_DEFAULT_VM);
	int file = gt_create_gmem(t, vm, ST_SIZE, GT_SHARED_FLAGS);
	void *addr = NULL;

	require(worker, vm >= 0 && file >= 0);
	require(worker, gt_map(t, file, 0, ST_SIZE, &addr) == 0);
	if (addr)
		*(volatile char *)addr = 1;
	if (worker->rounds % 2) {
		close(file);
		close(vm);
	} else {
		gt_close(t, vm);
		gt_close(t, file);
	}
	if (addr)
		gt_unmap(t, addr, ST_SIZE);
}

static void look(struct worker *worker)
{
	require(worker, st_stats(worker->shared->st->t).vms >= 1);
}

static void together(struct gt *t)
{
	struct shared shared = {0};
	struct worker workers[] = {
		{.step = run_guest, .index = 0}, {.step = run_guest, .index = 1}, {.step = convert},
		{.step = create_and_drop},       {.step = create_and_drop},       {.step = look},
	};
	uint64_t counter;
	struct st st;

	st_open(t, GMI_KVM_X86_SW_PROTECTED_VM, 0, &st);
	shared.st = &st;
	shared.vcpu[0] = st.vcpu;
	shared.vcpu[1] = gt_ioctl_number(t, st.vm, GMI_KVM_CREATE_VCPU, 1);
	MUST(shared.vcpu[1] >= 0);
	for (size_t i = 0; i < GT_COUNT(workers); i++) {
		workers[i].shared = &shared;
		MUST(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	usleep(700000);
	atomic_store(&shared.stop, true);
	for (size_t i = 0; i < GT_COUNT(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		SAME("came to work", workers[i].rounds > 0, true);
	}
	SAME("wrong", atomic_load(&shared.wrong), 0);
	memcpy(&counter, st.backing + 8 * GT_PAGE, sizeof(counter));
	SAME("no addition lost", counter, workers[0].rounds + workers[1].rounds);
	gt_close(t, shared.vcpu[1]);
	st_close(&st);
}

static const struct gt_test tests[] = {
	GT_TEST(together),
};

GT_MAIN(tests)
