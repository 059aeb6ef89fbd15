/* SPDX-License-Identifier: MIT */
/* hugetlb.h: pools read, raised, taken back; memory of them that is preallocated, and that comes back. */
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pa.h"

#define P GMEM_PAGE_2M

static const struct pa_machine two_nodes = {.nodes = 2};

static void open_sim(struct pa *pa, const struct gt *t)
{
	REQUIRE(t->sim, "the numbers are those of a simulated machine");
	pa_open(pa, t, &two_nodes);
}

static void sizes_and_nodes(struct gt *t)
{
	uint64_t size = 0;
	uint32_t node = 7;
	struct pa pa;

	open_sim(&pa, t);
	EXPECT("first size", gmem_hugetlb_next_size(pa.ctx, 0, &size), 0);
	EXPECT("first size", (int64_t)size, (int64_t)GMEM_PAGE_2M);
	EXPECT("second size", gmem_hugetlb_next_size(pa.ctx, size, &size), 0);
	EXPECT("second size", (int64_t)size, (int64_t)GMEM_PAGE_1G);
	EXPECT("no third", gmem_hugetlb_next_size(pa.ctx, size, &size), -ENOENT);
	EXPECT("first node", gmem_numa_next_node(pa.ctx, 0, &node), 0);
	EXPECT("first node", node, 0);
	EXPECT("second node", gmem_numa_next_node(pa.ctx, 1, &node), 0);
	EXPECT("second node", node, 1);
	EXPECT("no third", gmem_numa_next_node(pa.ctx, 2, &node), -ENOENT);
	EXPECT("untouched", node, 1);
	EXPECT("no ctx", gmem_numa_next_node(NULL, 0, &node), -EINVAL);
	EXPECT("no out", gmem_numa_next_node(pa.ctx, 0, NULL), -EINVAL);
	EXPECT("no ctx", gmem_hugetlb_next_size(NULL, 0, &size), -EINVAL);
	EXPECT("no out", gmem_hugetlb_next_size(pa.ctx, 0, NULL), -EINVAL);
	pa_close(&pa);
}

static void numbers(struct gt *t)
{
	struct gmem_hugetlb_info info;
	struct pa pa;

	open_sim(&pa, t);
	pa_set_pool(&pa, P, 0, 4 * P, 0);
	pa_set_pool(&pa, P, 1, 6 * P, 0);
	info = pa_pool(&pa, P, 1);
	EXPECT("node", info.node, 1);
	EXPECT("page size", (int64_t)info.page_size, (int64_t)P);
	EXPECT("total", (int64_t)info.total, 6 * (int64_t)P);
	EXPECT("free", (int64_t)info.free, 6 * (int64_t)P);
	EXPECT("available", (int64_t)info.available, 6 * (int64_t)P);
	EXPECT("no limit", info.cgroup_limit == UINT64_MAX, true);
	EXPECT("no limit", info.cgroup_room == UINT64_MAX, true);
	info = pa_pool(&pa, P, GMEM_NODE_ANY);
	EXPECT("machine", (int64_t)info.total, 10 * (int64_t)P);
	EXPECT("no such size", gmem_hugetlb_get_info(pa.ctx, 8192, 0, &info), -EOPNOTSUPP);
	EXPECT("no such node", gmem_hugetlb_get_info(pa.ctx, P, 2, &info), -ENOENT);
	EXPECT("no ctx", gmem_hugetlb_get_info(NULL, P, 0, &info), -EINVAL);
	EXPECT("no out", gmem_hugetlb_get_info(pa.ctx, P, 0, NULL), -EINVAL);
	pa_close(&pa);
}

static void cgroup(struct gt *t)
{
	GMEM_INIT(gmem_sim_pool, pool);
	struct gmem_hugetlb_info info;
	struct pa pa;
	int fd;

	open_sim(&pa, t);
	pool.page_size = P;
	pool.total = 8 * P;
	pool.cgroup_limit = 5 * P;
	MUST(gmem_sim_set_pool(pa.sim, &pool) == 0);
	info = pa_pool(&pa, P, 0);
	EXPECT("limit", (int64_t)info.cgroup_limit, 5 * (int64_t)P);
	EXPECT("room", (int64_t)info.cgroup_room, 5 * (int64_t)P);
	fd = pa_huge_memfd(&pa, P, 8 * P);
	EXPECT("a file alone charges nothing", (int64_t)pa_pool(&pa, P, 0).cgroup_room,
	       5 * (int64_t)P);
	MUST(pa.ops->close(pa.user, fd) == 0);
	pa_close(&pa);
}

/* By what is missing, and back by exactly that. */
static void reserve_and_release(struct gt *t)
{
	struct gmem_hugetlb_share *share = NULL;
	struct pa pa;

	open_sim(&pa, t);
	pa_set_pool(&pa, P, 0, 3 * P, 0);
	EXPECT("enough is there", gmem_hugetlb_reserve(pa.ctx, P, 0, 3 * P, NULL, &share), 0);
	EXPECT("nothing added", (int64_t)gmem_hugetlb_added(share), 0);
	EXPECT("release", gmem_hugetlb_release(share), 0);
	EXPECT("as before", (int64_t)pa_pool(&pa, P, 0).total, 3 * (int64_t)P);
	EXPECT("two are missing", gmem_hugetlb_reserve(pa.ctx, P, 0, 5 * P, NULL, &share), 0);
	EXPECT("two added", (int64_t)gmem_hugetlb_added(share), 2 * (int64_t)P);
	EXPECT("the node has them", (int64_t)pa_pool(&pa, P, 0).available, 5 * (int64_t)P);
	EXPECT("the other has not", (int64_t)pa_pool(&pa, P, 1).total, 0);
	EXPECT("release", gmem_hugetlb_release(share), 0);
	EXPECT("as before", (int64_t)pa_pool(&pa, P, 0).total, 3 * (int64_t)P);
	EXPECT("any node", gmem_hugetlb_reserve(pa.ctx, P, GMEM_NODE_ANY, 7 * P, NULL, &share), 0);
	EXPECT("any node", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).total, 7 * (int64_t)P);
	EXPECT("left", gmem_hugetlb_leave(share) == NULL, true);
	EXPECT("left as it is", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).total, 7 * (int64_t)P);
	pa_close(&pa);
}

static void shortfall(struct gt *t)
{
	GMEM_INIT(gmem_hugetlb_opts, opts);
	struct gmem_hugetlb_share *share = NULL;
	struct pa pa;

	open_sim(&pa, t);
	pa_set_pool(&pa, P, 1, P, 4 * P);
	EXPECT("the node is in pieces", gmem_hugetlb_reserve(pa.ctx, P, 1, 6 * P, NULL, &share),
	       -ENOSPC);
	EXPECT("nothing comes out", share == NULL, true);
	EXPECT("undone", (int64_t)pa_pool(&pa, P, 1).total, (int64_t)P);
	EXPECT("says the node", pa_says("node 1"), true);
	EXPECT("says what was wanted", pa_says("12M wanted"), true);
	EXPECT("says what was given", pa_says("6M of it given"), true);
	opts.flags = GMEM_HUGETLB_KEEP;
	EXPECT("kept", gmem_hugetlb_reserve(pa.ctx, P, 1, 6 * P, &opts, &share), 0);
	EXPECT("kept", (int64_t)gmem_hugetlb_added(share), 3 * (int64_t)P);
	EXPECT("kept", (int64_t)pa_pool(&pa, P, 1).total, 4 * (int64_t)P);
	EXPECT("release", gmem_hugetlb_release(share), 0);
	EXPECT("as before", (int64_t)pa_pool(&pa, P, 1).total, (int64_t)P);
	pa_close(&pa);
}

static void denied(struct gt *t)
{
	GMEM_INIT(gmem_sim_pool, pool);
	struct gmem_hugetlb_share *share = NULL;
	struct pa pa;

	open_sim(&pa, t);
	pool.page_size = P;
	pool.flags = GMEM_SIM_POOL_DENIED;
	MUST(gmem_sim_set_pool(pa.sim, &pool) == 0);
	EXPECT("no permission", gmem_hugetlb_reserve(pa.ctx, P, 0, P, NULL, &share), -EACCES);
	EXPECT("names the capability", pa_says("CAP_DAC_OVERRIDE"), true);
	EXPECT("names the file", pa_says("nr_hugepages"), true);
	pool.flags = GMEM_SIM_POOL_AT_BOOT;
	MUST(gmem_sim_set_pool(pa.sim, &pool) == 0);
	EXPECT("not at run time", gmem_hugetlb_reserve(pa.ctx, P, 0, P, NULL, &share), -EOPNOTSUPP);
	EXPECT("names the fix", pa_says("hugepages="), true);
	EXPECT("none", share == NULL, true);
	pa_close(&pa);
}

static void bad_input(struct gt *t)
{
	GMEM_INIT(gmem_hugetlb_opts, opts);
	struct gmem_hugetlb_share *share = NULL;
	struct pa pa;

	pa_open(&pa, t, &two_nodes);
	EXPECT("no ctx", gmem_hugetlb_reserve(NULL, P, 0, P, NULL, &share), -EINVAL);
	EXPECT("no out", gmem_hugetlb_reserve(pa.ctx, P, 0, P, NULL, NULL), -EINVAL);
	EXPECT("no size", gmem_hugetlb_reserve(pa.ctx, P, 0, 0, NULL, &share), -EINVAL);
	EXPECT("half a page", gmem_hugetlb_reserve(pa.ctx, P, 0, P / 2, NULL, &share), -EINVAL);
	EXPECT("odd page", gmem_hugetlb_reserve(pa.ctx, 3, 0, 3, NULL, &share), -EINVAL);
	EXPECT("size unknown", gmem_hugetlb_reserve(pa.ctx, 8192, 0, 8192, NULL, &share),
	       -EOPNOTSUPP);
	EXPECT("no node", gmem_hugetlb_reserve(pa.ctx, P, 999, P, NULL, &share), -ENOENT);
	opts.flags = 4;
	EXPECT("flag", gmem_hugetlb_reserve(pa.ctx, P, 0, P, &opts, &share), -EINVAL);
	EXPECT("release", gmem_hugetlb_release(NULL), -EINVAL);
	EXPECT("leave", gmem_hugetlb_leave(NULL) == NULL, true);
	EXPECT("added", (int64_t)gmem_hugetlb_added(NULL), 0);
	EXPECT("none", share == NULL, true);
	pa_close(&pa);
}

/* Others who hold the lock are waited for, and not for ever. */
static void locked(struct gt *t)
{
	GMEM_INIT(gmem_hugetlb_opts, opts);
	struct gmem_hugetlb_share *share = NULL;
	struct pa pa;
	int fd;

	open_sim(&pa, t);
	fd = pa.ops->open(pa.user, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", 0);
	MUST(fd >= 0 && pa.ops->flock(pa.user, fd, LOCK_EX) == 0);
	opts.timeout_ms = 30;
	EXPECT("busy", gmem_hugetlb_reserve(pa.ctx, P, 0, P, &opts, &share), -EBUSY);
	MUST(pa.ops->close(pa.user, fd) == 0);
	EXPECT("free", gmem_hugetlb_reserve(pa.ctx, P, 0, P, &opts, &share), 0);
	pa_drop_pool(share);
	pa_close(&pa);
}

#define USERS  4
#define ROUNDS 25

struct user {
	struct pa *pa;
	unsigned int failures;
};

/* Its own share, every time: whatever the others do meanwhile. */
static void *come_and_go(void *arg)
{
	struct user *user = arg;
	GMEM_INIT(gmem_hugetlb_opts, opts);
	struct gmem_hugetlb_share *share;

	opts.flags = GMEM_HUGETLB_OWN;
	for (int i = 0; i < ROUNDS; i++) {
		if (gmem_hugetlb_reserve(user->pa->ctx, P, 0, 3 * P, &opts, &share)) {
			user->failures++;
			continue;
		}
		user->failures += gmem_hugetlb_added(share) != 3 * P;
		user->failures += gmem_hugetlb_release(share) != 0;
	}
	return NULL;
}

static void users_at_a_time(struct gt *t)
{
	struct user users[USERS];
	pthread_t threads[USERS];
	uint64_t before;
	struct pa pa;

	pa_open(&pa, t, &two_nodes);
	pa_drop_pool(pa_take_pool(&pa, P, 0, (uint64_t)USERS * 3 * P));
	before = pa_pool(&pa, P, 0).total;
	for (int i = 0; i < USERS; i++) {
		users[i] = (struct user){.pa = &pa};
		MUST(pthread_create(&threads[i], NULL, come_and_go, &users[i]) == 0);
	}
	for (int i = 0; i < USERS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT("no failure", users[i].failures, 0);
	}
	EXPECT("as before", (int64_t)pa_pool(&pa, P, 0).total, (int64_t)before);
	pa_close(&pa);
}

static int ready_memfd(struct pa *pa, int fd, uint64_t size, uint32_t flags, uint32_t workers)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	struct gmem_prealloc *job;
	int ret;

	opts.mode = GMEM_PREALLOC_READY;
	opts.flags = flags;
	opts.workers = workers;
	range.flags = GMEM_PREALLOC_FD;
	range.fd = fd;
	range.size = size;
	range.node = GMEM_NODE_ANY;
	job = pa_job(pa, &opts);
	ret = gmem_prealloc_add(job, &range);
	if (!ret)
		ret = gmem_prealloc_run(job, NULL);
	gmem_prealloc_unref(job);
	return ret;
}

/* Pages of the pool are used while the memfd is there, and free again behind it. */
static void memfd_of(struct gt *t, uint64_t page_size, uint64_t pages)
{
	struct gmem_hugetlb_info before, with, after;
	struct gmem_hugetlb_share *share;
	struct pa pa;
	int fd;

	pa_open(&pa, t, &two_nodes);
	share = pa_take_pool(&pa, page_size, GMEM_NODE_ANY, pages * page_size);
	before = pa_pool(&pa, page_size, GMEM_NODE_ANY);
	fd = pa_huge_memfd(&pa, page_size, pages * page_size);
	EXPECT("ready", ready_memfd(&pa, fd, pages * page_size, 0, 2), 0);
	with = pa_pool(&pa, page_size, GMEM_NODE_ANY);
	EXPECT("used", (int64_t)(before.free - with.free), (int64_t)(pages * page_size));
	EXPECT("nothing promised beyond", (int64_t)with.reserved, (int64_t)before.reserved);
	MUST(pa.ops->close(pa.user, fd) == 0);
	after = pa_pool(&pa, page_size, GMEM_NODE_ANY);
	EXPECT("free again", (int64_t)after.free, (int64_t)before.free);
	pa_drop_pool(share);
	pa_close(&pa);
}

static void memfd_2m(struct gt *t)
{
	memfd_of(t, GMEM_PAGE_2M, 16);
}

static void memfd_1g(struct gt *t)
{
	REQUIRE(!t->sim, "simulated pages of 1G take real memory");
	memfd_of(t, GMEM_PAGE_1G, 1);
}

/* One page more than the pool has: at once, with the pool's numbers, and nothing kept. */
static void too_few_pages(struct gt *t)
{
	struct gmem_hugetlb_info info;
	struct gmem_hugetlb_share *share;
	struct pa pa;
	uint64_t size;
	int fd;

	pa_open(&pa, t, &two_nodes);
	PA_REQUIRE(&pa, pa_pool(&pa, P, GMEM_NODE_ANY).overcommit == 0,
		   "the machine makes surplus pages");
	share = pa_take_pool(&pa, P, GMEM_NODE_ANY, 4 * P);
	info = pa_pool(&pa, P, GMEM_NODE_ANY);
	size = info.available + P;
	fd = pa_huge_memfd(&pa, P, size);
	EXPECT("one too few", ready_memfd(&pa, fd, size, 0, 0), -ENOSPC);
	EXPECT("says the pool", pa_says("in pages of 2M"), true);
	EXPECT("says what is free", pa_says("free"), true);
	EXPECT("nothing is used", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).free, (int64_t)info.free);
	EXPECT("nothing is promised", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).reserved,
	       (int64_t)info.reserved);
	MUST(pa.ops->close(pa.user, fd) == 0);
	pa_drop_pool(share);
	pa_close(&pa);
}

/* A shared backing of huge pages beside a file of ordinary ones. */
static void slot_backing(struct gt *t)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_hugetlb_share *share;
	struct gmem_slot *slot = NULL;
	uint64_t before;
	struct pa pa;

	pa_open(&pa, t, &two_nodes);
	PA_REQUIRE(&pa,
		   gmem_has_feature(pa.ctx, GMEM_VM_SW_PROTECTED, GMEM_FEATURE_CONVERT_VM) == 1,
		   "no VMs with two backings");
	gmem_vm_unref(pa.vm);
	MUST(gmem_vm_create(pa.ctx, GMEM_VM_SW_PROTECTED, NULL, &pa.vm) == 0);
	share = pa_take_pool(&pa, P, GMEM_NODE_ANY, 8 * P);
	before = pa_pool(&pa, P, GMEM_NODE_ANY).available;
	opts.file = pa_file_with(&pa, 8 * P, 0);
	opts.backing_page = P;
	EXPECT("unaligned", gmem_slot_bind(pa.vm, G + 4096, 8 * P, &opts, &slot), -EINVAL);
	EXPECT("bind", gmem_slot_bind(pa.vm, G, 8 * P, &opts, &slot), 0);
	EXPECT("promised", (int64_t)(before - pa_pool(&pa, P, GMEM_NODE_ANY).available),
	       8 * (int64_t)P);
	EXPECT("unbind", gmem_slot_unbind(slot), 0);
	EXPECT("given back", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).available, (int64_t)before);
	opts.backing_page = UINT64_C(1) << 40;
	EXPECT("no such size", gmem_slot_bind(pa.vm, UINT64_C(1) << 40, 8 * P, &opts, &slot),
	       -EINVAL);
	gmem_file_unref(opts.file);
	pa_drop_pool(share);
	pa_close(&pa);
}

/* All of the bound memory lies on the node asked for, and the thread's own policy is what it was. */
static void bind_to_node(struct gt *t, uint64_t page_size, uint32_t node)
{
	GMEM_INIT(gmem_prealloc_opts, opts);
	GMEM_INIT(gmem_prealloc_range, range);
	uint64_t nodes = UINT64_C(1) << node, size = 2 * page_size;
	struct gmem_hugetlb_share *share;
	struct gmem_prealloc *job;
	void *addr = NULL;
	struct pa pa;
	int mode = -1;

	pa_open(&pa, t, &two_nodes);
	size = page_size == GMEM_PAGE_1G ? page_size : 8 * page_size;
	PA_REQUIRE(&pa, gmem_numa_next_node(pa.ctx, 1, &(uint32_t){0}) == 0, "one node alone");
	share = pa_take_pool(&pa, page_size, node, size);
	opts.mode = GMEM_PREALLOC_READY;
	opts.workers = GMEM_PREALLOC_AUTO;
	range.flags = GMEM_PREALLOC_FD;
	range.fd = pa_huge_memfd(&pa, page_size, size);
	range.size = size;
	range.numa_mode = GMEM_NUMA_BIND;
	range.nodes = &nodes;
	range.node_words = 1;
	MUST(pa.ops->mmap(pa.user, NULL, size, 3, 1, range.fd, 0, &addr) == 0);
	range.hva = addr;
	job = pa_job(&pa, &opts);
	EXPECT("add", gmem_prealloc_add(job, &range), 0);
	EXPECT("run", gmem_prealloc_run(job, NULL), 0);
	for (uint64_t at = 0; at < size; at += page_size)
		EXPECT("node", pa_node_of(&pa, (char *)addr + at), node);
	EXPECT("policy", pa.ops->get_mempolicy(pa.user, &mode, NULL, 0, NULL, 0), 0);
	EXPECT("policy", mode, 0);
	gmem_prealloc_unref(job);
	MUST(pa.ops->munmap(pa.user, addr, size) == 0);
	MUST(pa.ops->close(pa.user, range.fd) == 0);
	pa_drop_pool(share);
	pa_close(&pa);
}

static void bind_2m_to_node_0(struct gt *t)
{
	bind_to_node(t, GMEM_PAGE_2M, 0);
}

static void bind_2m_to_node_1(struct gt *t)
{
	bind_to_node(t, GMEM_PAGE_2M, 1);
}

static void bind_1g_to_node_1(struct gt *t)
{
	REQUIRE(!t->sim, "simulated pages of 1G take real memory");
	bind_to_node(t, GMEM_PAGE_1G, 1);
}

/* A killed process leaves nothing in use of a pool, at whatever moment. */
static void killed(struct gt *t)
{
	uint64_t state = 0x5eed, size = 32 * P, free_before;
	struct gmem_hugetlb_share *share;
	struct pa pa;
	int fd, status;
	pid_t pid;

	REQUIRE(!t->sim, "a simulated kernel dies with its process");
	pa_open(&pa, t, &two_nodes);
	share = pa_take_pool(&pa, P, GMEM_NODE_ANY, size);
	free_before = pa_pool(&pa, P, GMEM_NODE_ANY).available;
	for (int i = 0; i < 20; i++) {
		pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			fd = pa_huge_memfd(&pa, P, size);
			_exit(ready_memfd(&pa, fd, size, GMEM_PREALLOC_UNDO, 2) ? 1 : 0);
		}
		usleep((useconds_t)(pa_random(&state) % 12000));
		kill(pid, SIGKILL);
		MUST(waitpid(pid, &status, 0) == pid);
		EXPECT("available as before", (int64_t)pa_pool(&pa, P, GMEM_NODE_ANY).available,
		       (int64_t)free_before);
	}
	pa_drop_pool(share);
	pa_close(&pa);
}

static const struct gt_test tests[] = {
	GT_TEST(sizes_and_nodes),
	GT_TEST(numbers),
	GT_TEST(cgroup),
	GT_TEST(reserve_and_release),
	GT_TEST(shortfall),
	GT_TEST(denied),
	GT_TEST(bad_input),
	GT_TEST(locked),
	GT_TEST(users_at_a_time),
	GT_TEST(memfd_2m),
	GT_TEST(memfd_1g),
	GT_TEST(too_few_pages),
	GT_TEST(slot_backing),
	GT_TEST(bind_2m_to_node_0),
	GT_TEST(bind_2m_to_node_1),
	GT_TEST(bind_1g_to_node_1),
	GT_TEST(killed),
};

GT_MAIN(tests)
