/* SPDX-License-Identifier: MIT */
/* prealloc.h: what gets ready, by whom, how it ends, and what is left where it does not. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gt_kvm.h"
#include "pa.h"

static const struct pa_machine plain = {0}, two_nodes = {.nodes = 2};

/* How far a file can be brought such that pa_allocated() sees it. */
static uint32_t visible_mode(const struct pa *pa)
{
	return pa->has_shared && !pa->sim ? GMEM_PREALLOC_READY : GMEM_PREALLOC_RESERVE;
}

/* Runs a preallocation of a whole file with these options. */
static int prealloc(struct pa *pa, const struct gmem_prealloc_opts *opts, struct gmem_file *file,
		    uint64_t size, void *hva, uint64_t *ret_done)
{
	struct gmem_prealloc *job = pa_job(pa, opts);
	int ret = pa_add(job, file, size, hva);

	if (!ret)
		ret = gmem_prealloc_run(job, ret_done);
	gmem_prealloc_unref(job);
	return ret;
}

static void reserve(struct gt *t)
{
	static const uint32_t workers[] = {0, 1, 3, GMEM_PREALLOC_AUTO};
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	uint64_t done;
	struct pa pa;

	pa_open(&pa, t, &plain);
	for (size_t i = 0; i < GT_COUNT(workers); i++) {
		file = pa_file(&pa, 40 * M);
		opts.workers = workers[i];
		done = 0;
		EXPECT("run", prealloc(&pa, &opts, file, 40 * M, NULL, &done), 0);
		EXPECT("done", (int64_t)done, 40 * (int64_t)M);
		if (pa.sim)
			EXPECT("allocated", (int64_t)pa_allocated(&pa, file, 40 * M),
			       40 * (int64_t)M);
		gmem_file_unref(file);
	}
	pa_close(&pa);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* A sanitizer's own memory is not ready. */
__attribute__((no_sanitize("address", "thread"))) static void add_one(char *bytes, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += 4096)
		bytes[at] = (char)(bytes[at] + 1);
}

/* Ready means that nothing is left to do at the first write: no page to find, to zero or to map. */
static void ready(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;
	void *addr;
	long faults;
	char *byte;

	pa_open(&pa, t, &plain);
	PA_REQUIRE(&pa, pa.has_shared, "the host cannot touch this VM's memory");
	file = pa_file(&pa, 16 * M);
	MUST(gmem_file_map(file, 0, 16 * M, &addr) == 0);
	byte = addr;
	byte[5 * M] = 7;
	opts.mode = GMEM_PREALLOC_READY;
	opts.workers = 2;
	EXPECT("run", prealloc(&pa, &opts, file, 16 * M, addr, NULL), 0);
	faults = minor_faults();
	add_one(byte, 16 * M);
	faults = minor_faults() - faults;
	EXPECT("hardly a fault", faults < 16, true);
	EXPECT("zeroed", byte[4 * M], 1);
	EXPECT("what was there is kept", byte[5 * M], 8);
	EXPECT("again", prealloc(&pa, &opts, file, 16 * M, addr, NULL), 0);
	EXPECT("kept", byte[5 * M], 8);
	EXPECT("without a mapping of the caller's", prealloc(&pa, &opts, file, 16 * M, NULL, NULL),
	       0);
	EXPECT("kept", byte[5 * M], 8);
	gmem_file_unmap(file, addr, 16 * M);
	gmem_file_unref(file);
	pa_close(&pa);
}

static void private_memory(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file_with(&pa, 4 * M, 0);
	opts.mode = GMEM_PREALLOC_READY;
	EXPECT("the host cannot touch it", prealloc(&pa, &opts, file, 4 * M, NULL, NULL),
	       -EOPNOTSUPP);
	EXPECT("names the way", pa_says("reserve it"), true);
	opts.mode = GMEM_PREALLOC_RESERVE;
	EXPECT("reserved", prealloc(&pa, &opts, file, 4 * M, NULL, NULL), 0);
	EXPECT("not this file's", prealloc(&pa, &opts, file, 4 * M, &opts, NULL), -EINVAL);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Anonymous memory, and a memfd of ordinary pages with and without a mapping. */
static void host_memory(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	struct pa pa;
	void *addr;
	int fd;

	pa_open(&pa, t, &plain);
	addr = gt_anonymous(pa.t, 4 * M);
	range.flags = GMEM_PREALLOC_FD;
	range.fd = pa.ops->memfd(pa.user, "prealloc", 0);
	MUST(range.fd >= 0 && pa.ops->ftruncate(pa.user, range.fd, 8 * M) == 0);
	range.size = 8 * M;
	opts.mode = GMEM_PREALLOC_READY;
	job = pa_job(&pa, &opts);
	EXPECT("memfd", gmem_prealloc_add(job, &range), 0);
	EXPECT("anonymous", pa_add(job, NULL, 4 * M, addr), 0);
	EXPECT("run", gmem_prealloc_run(job, NULL), 0);
	gmem_prealloc_unref(job);
	opts.mode = GMEM_PREALLOC_RESERVE;
	job = pa_job(&pa, &opts);
	EXPECT("memfd", gmem_prealloc_add(job, &range), 0);
	EXPECT("anonymous", pa_add(job, NULL, 4 * M, addr), -EOPNOTSUPP);
	range.size = 16 * M;
	EXPECT("too long", gmem_prealloc_add(job, &range), -EINVAL);
	fd = range.fd;
	range.fd = 1000;
	EXPECT("not open", gmem_prealloc_add(job, &range), -EBADF);
	gmem_prealloc_unref(job);
	EXPECT("close", gt_close(pa.t, fd), 0);
	EXPECT("unmap", gt_unmap(pa.t, addr, 4 * M), 0);
	pa_close(&pa);
}

struct helper {
	struct gmem_prealloc *job;
	pthread_t thread;
	uint64_t done;
	int ret;
};

static void *help(void *arg)
{
	struct helper *helper = arg;

	helper->ret = gmem_prealloc_work(helper->job, GMEM_NODE_ANY, &helper->done);
	return NULL;
}

#define HELPERS 4

static void start_helpers(struct helper *helpers, struct gmem_prealloc *job, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		helpers[i] = (struct helper){.job = job, .ret = 1};
		MUST(pthread_create(&helpers[i].thread, NULL, help, &helpers[i]) == 0);
	}
}

static void join_helpers(struct helper *helpers, unsigned int count, int ret, uint64_t done)
{
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(helpers[i].thread, NULL);
		EXPECT("the same result for all", helpers[i].ret, ret);
		EXPECT("the same done for all", (int64_t)helpers[i].done, (int64_t)done);
	}
}

/* The caller's threads wait for each other, and end together. */
static void callers_threads(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_info, info);
	struct helper helpers[HELPERS];
	struct gmem_prealloc *job;
	struct gmem_file *file;
	uint64_t done = 0;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file(&pa, 48 * M);
	opts.barrier = HELPERS;
	job = pa_job(&pa, &opts);
	EXPECT("add", pa_add(job, file, 48 * M, NULL), 0);
	start_helpers(helpers, job, HELPERS - 1);
	usleep(30000);
	EXPECT("info", gmem_prealloc_get_info(job, &info), 0);
	EXPECT("nobody begins before all are there", (int64_t)info.done, 0);
	EXPECT("nobody begins before all are there", info.state, GMEM_PREALLOC_RUNNING);
	start_helpers(helpers + HELPERS - 1, job, 1);
	join_helpers(helpers, HELPERS, 0, 48 * M);
	EXPECT("info", gmem_prealloc_get_info(job, &info), 0);
	EXPECT("done", (int64_t)info.done, 48 * (int64_t)M);
	EXPECT("over", info.state, GMEM_PREALLOC_OVER);
	EXPECT("no error", info.error, 0);
	EXPECT("nobody is at work", info.workers, 0);
	EXPECT("no time left", (int64_t)info.left_ns, 0);
	EXPECT("who comes late", gmem_prealloc_work(job, 0, &done), 0);
	EXPECT("who comes late", (int64_t)done, 48 * (int64_t)M);
	EXPECT("too late to add", pa_add(job, file, 4096, NULL), -EBUSY);
	gmem_prealloc_unref(job);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Threads that wait for others who never come can be called off. */
static void cancel_at_the_barrier(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_prealloc *job;
	struct helper helper;
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file(&pa, 4 * M);
	opts.barrier = 2;
	job = pa_job(&pa, &opts);
	MUST(pa_add(job, file, 4 * M, NULL) == 0);
	start_helpers(&helper, job, 1);
	usleep(5000);
	gmem_prealloc_cancel(job);
	join_helpers(&helper, 1, -ECANCELED, 0);
	EXPECT("nothing done", (int64_t)pa_allocated(&pa, file, 4 * M), 0);
	gmem_prealloc_unref(job);
	gmem_file_unref(file);
	pa_close(&pa);
}

struct watched {
	unsigned int calls;
	uint64_t last;
	uint64_t cancel_at;
	struct gmem_prealloc_info final;
};

static int watch(void *user, const struct gmem_prealloc_info *info)
{
	struct watched *watched = user;

	watched->calls++;
	if (info->state == GMEM_PREALLOC_OVER) {
		watched->final = *info;
		return 0;
	}
	EXPECT("never less", info->done >= watched->last, true);
	EXPECT("never more than all", info->done <= info->total, true);
	watched->last = info->done;
	return watched->cancel_at && info->done >= watched->cancel_at;
}

static void progress(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct watched watched = {0};
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file(&pa, 64 * M);
	opts.workers = 2;
	opts.progress = watch;
	opts.progress_user = &watched;
	opts.progress_ns = 1;
	EXPECT("run", prealloc(&pa, &opts, file, 64 * M, NULL, NULL), 0);
	EXPECT("told on the way", watched.calls > 2, true);
	EXPECT("told at the end", watched.final.state, GMEM_PREALLOC_OVER);
	EXPECT("all of it", (int64_t)watched.final.done, 64 * (int64_t)M);
	EXPECT("a rate", watched.final.rate > 0, true);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Cancelled by the callback: freed, or kept as far as it came and then finished by a second one. */
static void cancel_from_progress(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct watched watched = {.cancel_at = 20 * M};
	struct gmem_file *file;
	uint64_t done = 1;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file(&pa, 64 * M);
	opts.mode = visible_mode(&pa);
	opts.workers = 2;
	opts.progress = watch;
	opts.progress_user = &watched;
	opts.progress_ns = 1;
	opts.flags = GMEM_PREALLOC_UNDO;
	EXPECT("undone", prealloc(&pa, &opts, file, 64 * M, NULL, &done), -ECANCELED);
	EXPECT("nothing done", (int64_t)done, 0);
	EXPECT("nothing there", (int64_t)pa_allocated(&pa, file, 64 * M), 0);
	EXPECT("error", watched.final.error, -ECANCELED);
	watched = (struct watched){.cancel_at = 20 * M};
	opts.flags = 0;
	EXPECT("kept", prealloc(&pa, &opts, file, 64 * M, NULL, &done), -ECANCELED);
	EXPECT("some is done", done > 0 && done < 64 * M, true);
	EXPECT("what is done is there", pa_allocated(&pa, file, 64 * M) >= done, true);
	opts.progress = NULL;
	EXPECT("finished", prealloc(&pa, &opts, file, 64 * M, NULL, &done), 0);
	EXPECT("all there", (int64_t)pa_allocated(&pa, file, 64 * M), 64 * (int64_t)M);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* At any moment: either it was over, or nothing is left. */
static void cancel_at_random(struct gt *t)
{
	const uint64_t size = t->sim ? 512 * M : 96 * M;
	GMEM_INIT(gmem_prealloc_opts, opts);
	unsigned int cancelled = 0;
	uint64_t state = 0xca7;
	struct pa pa;

	pa_open(&pa, t, &plain);
	if (pa.sim)
		MUST(gmem_sim_slow_down(pa.sim, 40000) == 0);
	opts.flags = GMEM_PREALLOC_UNDO;
	opts.mode = visible_mode(&pa);
	for (int i = 0; i < 30; i++) {
		struct gmem_file *file = pa_file(&pa, size);
		struct helper helpers[2];
		struct gmem_prealloc *job = pa_job(&pa, &opts);
		uint64_t left;

		MUST(pa_add(job, file, size, NULL) == 0);
		start_helpers(helpers, job, 2);
		usleep((useconds_t)(pa_random(&state) % 15000));
		gmem_prealloc_cancel(job);
		pthread_join(helpers[0].thread, NULL);
		pthread_join(helpers[1].thread, NULL);
		EXPECT("the same for both", helpers[0].ret, helpers[1].ret);
		left = pa_allocated(&pa, file, size);
		EXPECT("all or nothing", (int64_t)left, helpers[0].ret ? 0 : (int64_t)size);
		cancelled += helpers[0].ret == -ECANCELED;
		gmem_prealloc_unref(job);
		gmem_file_unref(file);
	}
	EXPECT("some were cancelled", cancelled > 0, true);
	pa_close(&pa);
}

static void time_is_up(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	uint64_t done = 1;
	struct pa pa;

	pa_open(&pa, t, &plain);
	if (pa.sim)
		MUST(gmem_sim_slow_down(pa.sim, 1000000) == 0);
	file = pa_file(&pa, 512 * M);
	opts.mode = visible_mode(&pa);
	opts.timeout_ns = 2000000;
	opts.flags = GMEM_PREALLOC_UNDO;
	opts.workers = 2;
	EXPECT("late", prealloc(&pa, &opts, file, 512 * M, NULL, &done), -ETIMEDOUT);
	EXPECT("says the time", pa_says("2 ms"), true);
	EXPECT("nothing done", (int64_t)done, 0);
	EXPECT("nothing there", (int64_t)pa_allocated(&pa, file, 512 * M), 0);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Known beforehand: refused at once. Found out on the way: ended, with how far it came. */
static void too_little_memory(struct gt *t)
{
	const struct pa_machine small = {.memory = 64 * M};
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	uint64_t done = 1;
	struct pa pa;

	REQUIRE(t->sim, "a real kernel would kill somebody");
	pa_open(&pa, t, &small);
	file = pa_file(&pa, 100 * M);
	opts.workers = 2;
	EXPECT("refused", prealloc(&pa, &opts, file, 100 * M, NULL, &done), -ENOMEM);
	EXPECT("says what is wanted", pa_says("100M wanted"), true);
	EXPECT("says what there is", pa_says("64M available"), true);
	EXPECT("nothing done", (int64_t)done, 0);
	EXPECT("nothing there", (int64_t)pa_allocated(&pa, file, 100 * M), 0);
	opts.flags = GMEM_PREALLOC_NO_CHECK;
	EXPECT("tried", prealloc(&pa, &opts, file, 100 * M, NULL, &done), -ENOMEM);
	EXPECT("says the call", gmem_errinfo()->call && !strcmp(gmem_errinfo()->call, "fallocate"),
	       true);
	EXPECT("says where", (gmem_errinfo()->valid & GMEM_ERR_OFFSET) != 0, true);
	EXPECT("names it", strcmp(gmem_errinfo()->op, "gmem_prealloc_run"), 0);
	EXPECT("a part is done", done > 0 && done <= 64 * M, true);
	EXPECT("and kept", pa_allocated(&pa, file, 100 * M) >= done, true);
	MUST(gmem_file_punch(file, 0, 100 * M) == 0);
	opts.flags = GMEM_PREALLOC_NO_CHECK | GMEM_PREALLOC_UNDO;
	EXPECT("tried", prealloc(&pa, &opts, file, 100 * M, NULL, &done), -ENOMEM);
	EXPECT("undone", (int64_t)pa_allocated(&pa, file, 100 * M), 0);
	gmem_file_unref(file);
	pa_close(&pa);
}

static uint64_t free_memory(void)
{
	struct sysinfo info;

	MUST(sysinfo(&info) == 0);
	return (uint64_t)info.freeram * info.mem_unit;
}

/* The kernel kills this process first. What it took is its own, and goes with it. */
static void take_too_much(const struct gt *t, uint64_t size)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	struct pa pa;

	MUST(fd >= 0 && write(fd, "1000", 4) == 4);
	pa_open(&pa, t, &plain);
	opts.workers = 2;
	opts.flags = GMEM_PREALLOC_NO_CHECK | GMEM_PREALLOC_UNDO;
	_exit(prealloc(&pa, &opts, pa_file(&pa, size), size, NULL, NULL) == -ENOMEM ? 0 : 1);
}

static void expect_end_of(pid_t pid)
{
	int status;

	MUST(pid > 0 && waitpid(pid, &status, 0) == pid);
	fprintf(stderr, "too much memory: status %#x\n", (unsigned int)status);
	EXPECT("ends with ENOMEM, or by the kernel's hand",
	       status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), true);
}

/* A real machine that has no more: refused in time, or all is given back. */
static void out_of_memory(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	uint64_t size = 2 * (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096, done = 1, before;
	struct gmem_file *file;
	struct pa pa;
	pid_t pid;

	REQUIRE(!strcmp(t->kernel, "vm") && size < G, "others need the memory of this machine");
	pa_open(&pa, t, &plain);
	file = pa_file(&pa, size);
	opts.workers = 2;
	EXPECT("refused", prealloc(&pa, &opts, file, size, NULL, &done), -ENOMEM);
	EXPECT("nothing done", (int64_t)done, 0);
	before = free_memory();
	pid = fork();
	if (pid == 0)
		take_too_much(t, size);
	expect_end_of(pid);
	EXPECT("the memory is back", free_memory() + 32 * M > before, true);
	EXPECT("and can be had", prealloc(&pa, &opts, file, 16 * M, NULL, &done), 0);
	EXPECT("and can be had", (int64_t)done, 16 * (int64_t)M);
	gmem_file_unref(file);
	pa_close(&pa);
}

static int bind(struct pa *pa, const struct gmem_prealloc_opts *opts, struct gmem_file *file,
		uint64_t size, void *hva, uint32_t node)
{
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job = pa_job(pa, opts);
	uint64_t nodes = UINT64_C(1) << node;
	int ret;

	range.file = file;
	range.size = size;
	range.hva = hva;
	range.numa_mode = GMEM_NUMA_BIND;
	range.nodes = &nodes;
	range.node_words = 1;
	ret = gmem_prealloc_add(job, &range);
	if (!ret)
		ret = gmem_prealloc_run(job, NULL);
	gmem_prealloc_unref(job);
	return ret;
}

static int own_policy(struct pa *pa)
{
	int mode = -1;

	EXPECT("policy", pa->ops->get_mempolicy(pa->user, &mode, NULL, 0, NULL, 0), 0);
	return mode;
}

/* Kept by the file where the kernel can; carried by libgmem's threads elsewhere. */
static void bound_to_a_node(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;
	void *addr;

	pa_open(&pa, t, &two_nodes);
	PA_REQUIRE(&pa, pa.has_shared, "where pages are does not show");
	PA_REQUIRE(&pa, gmem_numa_next_node(pa.ctx, 1, &(uint32_t){0}) == 0, "one node alone");
	opts.mode = GMEM_PREALLOC_READY;
	opts.workers = 2;
	for (uint32_t node = 0; node < 2; node++) {
		file = pa_file(&pa, 24 * M);
		MUST(gmem_file_map(file, 0, 24 * M, &addr) == 0);
		EXPECT("run", bind(&pa, &opts, file, 24 * M, addr, node), 0);
		for (uint64_t at = 0; at < 24 * M; at += 64 * 4096)
			EXPECT("node", pa_node_of(&pa, (char *)addr + at), node);
		EXPECT("this thread's policy", own_policy(&pa), 0);
		gmem_file_unmap(file, addr, 24 * M);
		gmem_file_unref(file);
	}
	pa_close(&pa);
}

/* Threads of the caller's carry nothing that they did not bring. */
static void bound_by_callers_threads(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;
	int want = -EOPNOTSUPP;

	pa_open(&pa, t, &two_nodes);
	if (pa.has_shared && gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_NUMA) == 1)
		want = 0;
	file = pa_file(&pa, 4 * M);
	EXPECT("the file keeps it, or it is refused", bind(&pa, &opts, file, 4 * M, NULL, 0), want);
	if (want)
		EXPECT("feature", gmem_errinfo()->feature, GMEM_FEATURE_NUMA);
	EXPECT("this thread's policy", own_policy(&pa), 0);
	opts.workers = 1;
	EXPECT("by libgmem's", bind(&pa, &opts, file, 4 * M, NULL, 0), 0);
	EXPECT("this thread's policy", own_policy(&pa), 0);
	EXPECT("no such node", bind(&pa, &opts, file, 4 * M, NULL, 40) < 0, true);
	gmem_file_unref(file);
	pa_close(&pa);
}

/* Pages do not move: what lies elsewhere already is found, and said. */
static void there_before(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &two_nodes);
	PA_REQUIRE(&pa, pa.has_shared, "where pages are does not show");
	PA_REQUIRE(&pa, gmem_numa_next_node(pa.ctx, 1, &(uint32_t){0}) == 0, "one node alone");
	opts.mode = GMEM_PREALLOC_READY;
	opts.workers = 1;
	file = pa_file(&pa, 4 * M);
	EXPECT("node 0", bind(&pa, &opts, file, 4 * M, NULL, 0), 0);
	EXPECT("node 1", bind(&pa, &opts, file, 4 * M, NULL, 1), -EEXIST);
	EXPECT("says the node", pa_says("lies on node 0"), true);
	gmem_file_unref(file);
	pa_close(&pa);
}

static int guest_ready(struct pa *pa, struct gmem_file *file, uint64_t size, uint64_t gpa, int vcpu)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	int ret;

	opts.mode = GMEM_PREALLOC_GUEST_READY;
	opts.workers = 2;
	opts.vcpu_fds = &vcpu;
	opts.vcpu_count = 1;
	range.file = file;
	range.size = size;
	range.flags = GMEM_PREALLOC_GPA;
	range.gpa = gpa;
	job = pa_job(pa, &opts);
	ret = gmem_prealloc_add(job, &range);
	if (!ret)
		ret = gmem_prealloc_run(job, NULL);
	gmem_prealloc_unref(job);
	return ret;
}

static int make_vcpu(struct pa *pa)
{
	int vcpu = pa->ops->ioctl(pa->user, gmem_vm_fd(pa->vm), GMI_KVM_CREATE_VCPU, NULL);

	MUST(vcpu >= 0);
	return vcpu;
}

static void mapped_for_the_guest(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gmem_slot *slot;
	struct pa pa;
	int vcpu, want = 0;

	pa_open(&pa, t, &plain);
	slot_opts.file = pa_file(&pa, 8 * M);
	MUST(gmem_slot_bind(pa.vm, G, 8 * M, &slot_opts, &slot) == 0);
	vcpu = make_vcpu(&pa);
	if (gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_PRE_FAULT) != 1)
		want = -EOPNOTSUPP;
	EXPECT("run", guest_ready(&pa, slot_opts.file, 8 * M, G, vcpu), want);
	if (want)
		EXPECT("feature", gmem_errinfo()->feature, GMEM_FEATURE_PRE_FAULT);
	else
		EXPECT("nothing there", guest_ready(&pa, slot_opts.file, 8 * M, 4 * G, vcpu),
		       -ENOENT);
	EXPECT("no address", guest_ready(&pa, slot_opts.file, 8 * M, G + 1, vcpu), -EINVAL);
	MUST(pa.ops->close(pa.user, vcpu) == 0);
	EXPECT("unbind", gmem_slot_unbind(slot), 0);
	gmem_file_unref(slot_opts.file);
	pa_close(&pa);
}

static void poisoned(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gmem_slot *slot;
	struct pa pa;
	int vcpu;

	REQUIRE(t->sim, "no page to break");
	pa_open(&pa, t, &plain);
	PA_REQUIRE(&pa,
		   pa.has_shared &&
			   gmem_has_feature(pa.ctx, pa.vm_type, GMEM_FEATURE_PRE_FAULT) == 1,
		   "KVM does not map ahead");
	slot_opts.file = pa_file(&pa, 8 * M);
	MUST(gmem_slot_bind(pa.vm, G, 8 * M, &slot_opts, &slot) == 0);
	MUST(gmem_sim_poison(pa.sim, gmem_file_fd(slot_opts.file), 5 * M, 4096) == 0);
	vcpu = make_vcpu(&pa);
	EXPECT("found", guest_ready(&pa, slot_opts.file, 8 * M, G, vcpu), -EHWPOISON);
	EXPECT("says where", (int64_t)gmem_errinfo()->gpa, (int64_t)(G + 5 * M));
	MUST(pa.ops->close(pa.user, vcpu) == 0);
	EXPECT("unbind", gmem_slot_unbind(slot), 0);
	gmem_file_unref(slot_opts.file);
	pa_close(&pa);
}

static void ignore(int number)
{
}

/* Signals that the program handles all the time neither end it nor reach libgmem's threads. */
static void signals(struct gt *t)
{
	const struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = ignore};
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &plain);
	MUST(sigaction(SIGPROF, &action, NULL) == 0);
	if (pa.sim)
		MUST(gmem_sim_interrupt_after(pa.sim, 700) == 0);
	MUST(setitimer(ITIMER_PROF, &often, NULL) == 0);
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		file = pa_file(&pa, 64 * M);
		opts.workers = workers;
		opts.mode = pa.has_shared ? GMEM_PREALLOC_READY : GMEM_PREALLOC_RESERVE;
		EXPECT("run", prealloc(&pa, &opts, file, 64 * M, NULL, NULL), 0);
		gmem_file_unref(file);
	}
	MUST(setitimer(ITIMER_PROF, &never, NULL) == 0);
	pa_close(&pa);
}

/* Many ranges, of which each is a small one; all are covered, by whatever thread. */
static void many_ranges(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	struct gmem_file *file;
	uint64_t done = 0;
	struct pa pa;

	pa_open(&pa, t, &two_nodes);
	file = pa_file(&pa, 64 * M);
	opts.mode = visible_mode(&pa);
	opts.workers = 3;
	job = pa_job(&pa, &opts);
	range.file = file;
	for (uint32_t i = 0; i < 32; i++) {
		range.offset = i * 2 * M;
		range.size = M + i * 4096;
		range.node = i % 3 == 2 ? GMEM_NODE_ANY : i % 3;
		EXPECT("add", gmem_prealloc_add(job, &range), 0);
	}
	EXPECT("run", gmem_prealloc_run(job, &done), 0);
	EXPECT("done", (int64_t)done, 32 * (int64_t)M + 31 * 16 * 4096);
	EXPECT("allocated", (int64_t)pa_allocated(&pa, file, 64 * M), (int64_t)done);
	gmem_prealloc_unref(job);
	gmem_file_unref(file);
	pa_close(&pa);
}

static void bad_options(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_prealloc *job = NULL;
	struct pa pa;

	pa_open(&pa, t, &plain);
	EXPECT("no ctx", gmem_prealloc_create(NULL, NULL, &job), -EINVAL);
	EXPECT("no out", gmem_prealloc_create(pa.ctx, NULL, NULL), -EINVAL);
	opts.mode = 3;
	EXPECT("mode", gmem_prealloc_create(pa.ctx, &opts, &job), -EINVAL);
	opts.mode = GMEM_PREALLOC_GUEST_READY;
	EXPECT("no vCPU", gmem_prealloc_create(pa.ctx, &opts, &job), -EINVAL);
	opts.vcpu_count = 1;
	EXPECT("no vCPU", gmem_prealloc_create(pa.ctx, &opts, &job), -EINVAL);
	opts.mode = opts.vcpu_count = 0;
	opts.flags = 4;
	EXPECT("flag", gmem_prealloc_create(pa.ctx, &opts, &job), -EINVAL);
	EXPECT("none", job == NULL, true);
	EXPECT("unref", gmem_prealloc_unref(NULL) == NULL, true);
	EXPECT("run", gmem_prealloc_run(NULL, NULL), -EINVAL);
	EXPECT("work", gmem_prealloc_work(NULL, 0, NULL), -EINVAL);
	EXPECT("add", gmem_prealloc_add(NULL, NULL), -EINVAL);
	EXPECT("info", gmem_prealloc_get_info(NULL, NULL), -EINVAL);
	gmem_prealloc_cancel(NULL);
	pa_close(&pa);
}

static void bad_ranges(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	uint64_t nodes = 1, done = 1;
	struct pa pa;

	pa_open(&pa, t, &plain);
	job = pa_job(&pa, NULL);
	EXPECT("no range", gmem_prealloc_add(job, NULL), -EINVAL);
	EXPECT("nothing", gmem_prealloc_add(job, &range), -EINVAL);
	range.file = pa_file(&pa, M);
	EXPECT("empty", gmem_prealloc_add(job, &range), -EINVAL);
	range.size = M + 4096;
	EXPECT("too long", gmem_prealloc_add(job, &range), -EINVAL);
	range.size = 4095;
	EXPECT("unaligned", gmem_prealloc_add(job, &range), -EINVAL);
	range.size = 4096;
	range.offset = 1;
	EXPECT("unaligned", gmem_prealloc_add(job, &range), -EINVAL);
	range.offset = UINT64_MAX - 4095;
	EXPECT("wraps", gmem_prealloc_add(job, &range), -EINVAL);
	range.offset = 0;
	range.flags = 8;
	EXPECT("flag", gmem_prealloc_add(job, &range), -EINVAL);
	range.flags = GMEM_PREALLOC_FD;
	EXPECT("both", gmem_prealloc_add(job, &range), -EINVAL);
	range.flags = 0;
	range.numa_mode = 9;
	EXPECT("mode", gmem_prealloc_add(job, &range), -EINVAL);
	range.numa_mode = GMEM_NUMA_BIND;
	EXPECT("no nodes", gmem_prealloc_add(job, &range), -EINVAL);
	range.numa_mode = GMEM_NUMA_DEFAULT;
	range.nodes = &nodes;
	range.node_words = 1;
	EXPECT("no policy", gmem_prealloc_add(job, &range), -EINVAL);
	EXPECT("no ranges", gmem_prealloc_run(job, &done), -EINVAL);
	EXPECT("nothing done", (int64_t)done, 0);
	gmem_prealloc_unref(job);
	gmem_file_unref(range.file);
	pa_close(&pa);
}

/* Each begins once, in one of the two ways. */
static void once(struct gt *t)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	struct gmem_prealloc *job;
	struct gmem_file *file;
	struct pa pa;

	pa_open(&pa, t, &plain);
	file = pa_file(&pa, M);
	job = pa_job(&pa, NULL);
	MUST(pa_add(job, file, M, NULL) == 0);
	EXPECT("run", gmem_prealloc_run(job, NULL), 0);
	EXPECT("again", gmem_prealloc_run(job, NULL), -EBUSY);
	EXPECT("work", gmem_prealloc_work(job, 0, NULL), 0);
	gmem_prealloc_unref(job);
	opts.workers = 1;
	job = pa_job(&pa, &opts);
	MUST(pa_add(job, file, M, NULL) == 0);
	EXPECT("libgmem makes them", gmem_prealloc_work(job, 0, NULL), -EINVAL);
	gmem_prealloc_unref(job);
	gmem_file_unref(file);
	pa_close(&pa);
}

static const struct gt_test tests[] = {
	GT_TEST(reserve),           GT_TEST(ready),
	GT_TEST(private_memory),    GT_TEST(host_memory),
	GT_TEST(callers_threads),   GT_TEST(cancel_at_the_barrier),
	GT_TEST(progress),          GT_TEST(cancel_from_progress),
	GT_TEST(cancel_at_random),  GT_TEST(time_is_up),
	GT_TEST(too_little_memory), GT_TEST(out_of_memory),
	GT_TEST(bound_to_a_node),   GT_TEST(bound_by_callers_threads),
	GT_TEST(there_before),      GT_TEST(mapped_for_the_guest),
	GT_TEST(poisoned),          GT_TEST(signals),
	GT_TEST(many_ranges),       GT_TEST(bad_options),
	GT_TEST(bad_ranges),        GT_TEST(once),
};

GT_MAIN(tests)
