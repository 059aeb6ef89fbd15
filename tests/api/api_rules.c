/* SPDX-License-Identifier: MIT */
/* Rules that hold for all functions: sizes of structs, records, references, threads. */
#include <pthread.h>

#include "api.h"

static void open_whole(struct api *api, const struct gt *t)
{
	struct traits traits;
	struct vm raw;

	vm_open(t, GMEM_VM_DEFAULT, &raw);
	traits = raw.traits;
	vm_close(&raw);
	fixture_open(api, t,
		     traits.generation >= GEN_6_18 ? GMEM_VM_DEFAULT : GMEM_VM_SW_PROTECTED);
	make_slot(api);
}

/* A struct of an older program: defaults for what it lacks. */
static void short_options(struct gt *t)
{
	struct gmem_file_opts file_opts = {.sz = sizeof(size_t), .flags = UINT64_MAX};
	struct gmem_vm_opts vm_opts = {.sz = sizeof(size_t), .first_slot = UINT32_MAX};
	struct gmem_file *file = NULL;
	struct gmem_vm *vm = NULL;
	struct api api;

	open_whole(&api, t);
	EXPECT("short", gmem_vm_create(api.ctx, api.vm_type, &vm_opts, &vm), 0);
	EXPECT("short", gmem_file_create(vm, GT_PAGE, &file_opts, &file), 0);
	gmem_file_unref(file);
	gmem_vm_unref(vm);
	fixture_close(&api);
}

/* A struct of a newer program: accepted where all that this build does not know is 0. */
static void long_options(struct gt *t)
{
	struct {
		struct gmem_file_opts opts;
		uint8_t tail[64];
	} longer = {.opts = {.sz = sizeof(longer)}};
	struct gmem_file *file = NULL;
	struct api api;
	size_t i;

	open_whole(&api, t);
	EXPECT("long", gmem_file_create(api.vm, GT_PAGE, &longer.opts, &file), 0);
	file = gmem_file_unref(file);
	for (i = 0; i < sizeof(longer.tail); i++) {
		longer.tail[i] = 1;
		EXPECT("tail", gmem_file_create(api.vm, GT_PAGE, &longer.opts, &file), -E2BIG);
		longer.tail[i] = 0;
	}
	longer.opts.sz = SIZE_MAX;
	EXPECT("absurd", gmem_file_create(api.vm, GT_PAGE, &longer.opts, &file), -E2BIG);
	EXPECT("none made", file == NULL, true);
	fixture_close(&api);
}

/* Only what the caller's struct has room for is written. */
static void short_info(struct gt *t)
{
	struct gmem_slot_info info;
	struct api api;

	open_whole(&api, t);
	memset(&info, 0xee, sizeof(info));
	info.sz = offsetof(struct gmem_slot_info, size);
	EXPECT("short", gmem_slot_get_info(api.slot, &info), 0);
	EXPECT("sz", (int64_t)info.sz, (int64_t)offsetof(struct gmem_slot_info, size));
	EXPECT("gpa", (int64_t)info.gpa, (int64_t)API_GPA);
	EXPECT("not written", (int64_t)info.size, (int64_t)UINT64_C(0xeeeeeeeeeeeeeeee));
	fixture_close(&api);
}

/* NULL is nothing to release; and ret_done is 0 where nothing was done. */
static void null_and_nothing(struct gt *t)
{
	uint64_t done = 99;
	struct api api;

	EXPECT("ctx", gmem_ctx_unref(NULL) == NULL, true);
	EXPECT("vm", gmem_vm_unref(NULL) == NULL, true);
	EXPECT("file", gmem_file_unref(NULL) == NULL, true);
	open_whole(&api, t);
	EXPECT("populate", gmem_file_populate(api.file, 1, GT_PAGE, &done), -EINVAL);
	EXPECT("done", (int64_t)done, 0);
	fixture_close(&api);
}

/* Objects go in the right order, whatever order their handles go in. */
static void any_order_of_release(struct gt *t)
{
	static const char orders[][4] = {"cvfs", "svfc", "fvsc", "scfv", "vfcs", "fscv"};
	struct api api;
	size_t i, j;

	for (i = 0; i < GT_COUNT(orders); i++) {
		open_whole(&api, t);
		for (j = 0; j < 4; j++) {
			if (orders[i][j] == 'c')
				api.ctx = gmem_ctx_unref(api.ctx);
			else if (orders[i][j] == 'v')
				api.vm = gmem_vm_unref(api.vm);
			else if (orders[i][j] == 'f')
				api.file = gmem_file_unref(api.file);
			else
				EXPECT("unbind", gmem_slot_unbind(api.slot), 0);
		}
		api.slot = NULL;
		EXPECT("all is gone", (int64_t)api.heap.in_use, 0);
		fixture_close(&api);
	}
}

static void *fail_elsewhere(void *unused)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	if (info->error != 0 || strcmp(info->message, "no error") != 0)
		return "not empty";
	return gmem_vm_fd(NULL) == -EINVAL && info->error == -EINVAL ? NULL : "not this thread's";
}

static void records(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();
	void *complaint = "no thread";
	pthread_t thread;

	EXPECT("none yet", info->error, 0);
	EXPECT("none yet", strcmp(info->message, "no error"), 0);
	EXPECT("fails", gmem_ctx_create(NULL, NULL), -EINVAL);
	EXPECT("op", strcmp(info->op, "gmem_ctx_create"), 0);
	MUST(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0);
	pthread_join(thread, &complaint);
	EXPECT("another thread's", complaint == NULL, true);
	EXPECT("this one's stays", strcmp(info->op, "gmem_ctx_create"), 0);
	EXPECT("sz", (int64_t)info->sz, (int64_t)sizeof(*info));
}

/* A success leaves the record alone. */
static void record_survives_success(struct gt *t)
{
	struct api api;

	open_whole(&api, t);
	EXPECT("fails", gmem_vm_fd(NULL), -EINVAL);
	EXPECT("works", gmem_file_populate(api.file, 0, GT_PAGE, NULL), 0);
	EXPECT("still there", gmem_errinfo()->error, -EINVAL);
	EXPECT("still there", strcmp(gmem_errinfo()->op, "gmem_vm_fd"), 0);
	fixture_close(&api);
}

static void messages(struct gt *t)
{
	static const int codes[] = {-EINVAL, -E2BIG, -EOPNOTSUPP, -EXDEV,    -EEXIST, -EBUSY,
				    -EAGAIN, -EINTR, -ENOENT,     -ENOSPC,   -ENOMEM, -EPERM,
				    -EACCES, -EIO,   -ESTALE,     -EHWPOISON};
	const char *unknown = gmem_strerror(-ECHILD);
	size_t i, j;

	EXPECT("says something", unknown && *unknown, true);
	for (i = 0; i < GT_COUNT(codes); i++) {
		EXPECT("says something", gmem_strerror(codes[i]) && *gmem_strerror(codes[i]), true);
		EXPECT("of its own", strcmp(gmem_strerror(codes[i]), unknown) != 0, true);
		for (j = 0; j < i; j++)
			EXPECT("not twice",
			       codes[i] != -EACCES && strcmp(gmem_strerror(codes[i]),
							     gmem_strerror(codes[j])) == 0,
			       false);
	}
	EXPECT("any number", gmem_strerror(12345) != NULL, true);
	EXPECT("version", strcmp(gmem_version(), GMEM_VERSION_STRING), 0);
	EXPECT("table", gmem_sys_linux() != NULL && gmem_sys_linux()->ioctl != NULL, true);
}

/* Errors of the device, each with its own code: nothing there, not KVM's, of another version. */
static void devices(struct gt *t)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;

	opts.sys = t->ops;
	opts.sys_user = t->user;
	opts.kvm_path = "/nonexistent/kvm";
	EXPECT("no device", gmem_ctx_create(&opts, &ctx), -ENOENT);
	EXPECT("record", gmem_errinfo()->call && strcmp(gmem_errinfo()->call, "open") == 0, true);
	opts.kvm_path = "/dev/null";
	EXPECT("not KVM's", gmem_ctx_create(&opts, &ctx), -EOPNOTSUPP);
	EXPECT("none made", ctx == NULL, true);
}

static int other_version(void *user, int fd, uint64_t request, void *arg)
{
	const struct gt *t = user;

	if (request == GMI_KVM_GET_API_VERSION)
		return 13;
	return t->ops->ioctl(t->user, fd, request, arg);
}

static int open_denied(void *user, const char *path, int flags)
{
	return -EACCES;
}

static void device_of_another_version(struct gt *t)
{
	struct gmem_sys_ops ops = *t->ops;
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;
	int kvm = gt_open_kvm(t);

	ops.ioctl = other_version;
	opts.sys = &ops;
	opts.sys_user = t;
	MUST(kvm >= 0);
	EXPECT("version 13", gmem_ctx_borrow(kvm, &opts, &ctx), -EOPNOTSUPP);
	gt_close(t, kvm);
	ops.open = open_denied;
	EXPECT("no permission", gmem_ctx_create(&opts, &ctx), -EACCES);
	EXPECT("none made", ctx == NULL, true);
}

static void count_line(void *user, const char *line)
{
	unsigned int *lines = user;

	EXPECT("one line", *line && !strchr(line, '\n'), true);
	(*lines)++;
}

static void log_lines(struct gt *t)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;
	unsigned int lines = 0;

	opts.sys = t->ops;
	opts.sys_user = t->user;
	opts.log = count_line;
	opts.log_user = &lines;
	EXPECT("create", gmem_ctx_create(&opts, &ctx), 0);
	EXPECT("probe", gmem_has_feature(ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_READONLY), 1);
	EXPECT("something was told", lines > 0, true);
	gmem_ctx_unref(ctx);
}

#define THREADS 4
#define ROUNDS  40

struct worker {
	struct api *api;
	uint64_t gpa;
	int failures;
};

/* Binds and unbinds its own part of the guest's addresses, and looks at all others'. */
static void *bind_and_look(void *user)
{
	struct worker *worker = user;
	GMEM_INIT(gmem_slot_opts, opts);
	GMEM_INIT(gmem_slot_info, info);
	struct gmem_slot *slot;
	uint64_t at;
	int round;

	opts.hva = worker->api->addr;
	for (round = 0; round < ROUNDS; round++) {
		if (gmem_slot_bind(worker->api->vm, worker->gpa, GT_PAGE, &opts, &slot)) {
			worker->failures++;
			continue;
		}
		for (at = 0; gmem_slot_next(worker->api->vm, 0, at, &info) == 0;
		     at = info.gpa + info.size)
			worker->failures += info.size == 0;
		worker->failures +=
			gmem_slot_lookup(worker->api->vm, 0, worker->gpa + 5, &info) != 0;
		worker->failures += info.slot != slot;
		worker->failures += gmem_slot_unbind(slot) != 0;
	}
	return NULL;
}

static void threads(struct gt *t)
{
	struct worker workers[THREADS];
	pthread_t ids[THREADS];
	GMEM_INIT(gmem_vm_info, info);
	struct api api;
	int i;

	open_whole(&api, t);
	gmem_ctx_unref(api.ctx);
	api.ctx = NULL;
	api.addr = gt_anonymous(t, API_SIZE);
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){&api, 4 * API_GPA + (uint64_t)i * GT_PAGE, 0};
		MUST(pthread_create(&ids[i], NULL, bind_and_look, &workers[i]) == 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(ids[i], NULL);
		EXPECT("no failure", workers[i].failures, 0);
	}
	EXPECT("info", gmem_vm_get_info(api.vm, &info), 0);
	EXPECT("one slot is left", info.slots_used, 1);
	fixture_close(&api);
}

static void *probe_all(void *user)
{
	struct gmem_ctx *ctx = user;
	uintptr_t answers = 0;
	uint32_t feature;

	for (feature = 0; feature < GMEM_FEATURE_COUNT; feature++)
		if (gmem_has_feature(ctx, GMEM_VM_DEFAULT, feature) == 1)
			answers |= (uintptr_t)1 << feature;
	return (void *)answers;
}

static void probing_threads(struct gt *t)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;
	pthread_t ids[THREADS];
	void *first, *other;
	int i;

	opts.sys = t->ops;
	opts.sys_user = t->user;
	MUST(gmem_ctx_create(&opts, &ctx) == 0);
	for (i = 0; i < THREADS; i++)
		MUST(pthread_create(&ids[i], NULL, probe_all, ctx) == 0);
	pthread_join(ids[0], &first);
	for (i = 1; i < THREADS; i++) {
		pthread_join(ids[i], &other);
		EXPECT("the same answers", first == other, true);
	}
	gmem_ctx_unref(ctx);
}

/* What cannot be made is refused with the feature's name. */
static void missing_features(struct gt *t)
{
	GMEM_INIT(gmem_file_opts, opts);
	struct gmem_file *file = NULL;
	struct gmem_vm *vm = NULL;
	struct api api;
	uint32_t type;

	open_whole(&api, t);
	for (type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		if (api.traits.types & (1u << type))
			continue;
		EXPECT("no such type", gmem_vm_create(api.ctx, type, NULL, &vm), -EOPNOTSUPP);
	}
	opts.raw_flags = UINT64_C(1) << 40;
	EXPECT("raw flag", gmem_file_create(api.vm, GT_PAGE, &opts, &file), -EOPNOTSUPP);
	opts.raw_flags = 0;
	opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	if (gmem_has_feature(api.ctx, api.vm_type, GMEM_FEATURE_INIT_SHARED) == 0) {
		EXPECT("flag", gmem_file_create(api.vm, GT_PAGE, &opts, &file), -EOPNOTSUPP);
		EXPECT("feature", (gmem_errinfo()->valid & GMEM_ERR_FEATURE) != 0, true);
	}
	EXPECT("none made", !vm && !file, true);
	fixture_close(&api);
}

/* A VM that another process made: dead for this one. */
static void wrong_descriptors(struct gt *t)
{
	struct gmem_file *file = NULL;
	struct gmem_vm *vm = NULL;
	struct api api;
	int memfd;

	open_whole(&api, t);
	memfd = t->ops->memfd(t->user, "api", 0);
	MUST(memfd >= 0 && t->ops->ftruncate(t->user, memfd, API_SIZE) == 0);
	EXPECT("not a VM", gmem_vm_adopt(api.ctx, memfd, 0, NULL, &vm), -EINVAL);
	EXPECT("not a VM", gmem_vm_borrow(api.ctx, gmem_ctx_kvm_fd(api.ctx), 0, NULL, &vm),
	       -EINVAL);
	EXPECT("not open", gmem_vm_adopt(api.ctx, 1000, 0, NULL, &vm) < 0, true);
	EXPECT("not guest memory", gmem_file_adopt(api.vm, memfd, NULL, &file), -EINVAL);
	EXPECT("not guest memory", gmem_file_adopt(api.vm, gmem_vm_fd(api.vm), NULL, &file),
	       -EINVAL);
	EXPECT("not open", gmem_file_adopt(api.vm, 1000, NULL, &file), -EBADF);
	EXPECT("twice",
	       gmem_file_adopt(api.vm, gmem_file_fd(api.file),
			       &(struct gmem_file_opts){.sz = sizeof(struct gmem_file_opts),
							.flags = suitable_flags(&api)},
			       &file),
	       -EBUSY);
	EXPECT("the caller's still", t->ops->ftruncate(t->user, memfd, 0), 0);
	EXPECT("none made", !vm && !file, true);
	gt_close(t, memfd);
	fixture_close(&api);
}

/* More than one piece of work. */
static void populate_in_pieces(struct gt *t)
{
	const uint64_t size = UINT64_C(64) << 20;
	GMEM_INIT(gmem_file_opts, opts);
	struct gmem_file *file = NULL;
	uint64_t done = 0;
	struct api api;

	open_whole(&api, t);
	opts.flags = suitable_flags(&api);
	MUST(gmem_file_create(api.vm, size, &opts, &file) == 0);
	EXPECT("populate", gmem_file_populate(file, 0, size, &done), 0);
	EXPECT("all", (int64_t)done, (int64_t)size);
	EXPECT("punch", gmem_file_punch(file, 0, size), 0);
	gmem_file_unref(file);
	fixture_close(&api);
}

static const struct gt_test tests[] = {
	GT_TEST(short_options),
	GT_TEST(long_options),
	GT_TEST(short_info),
	GT_TEST(null_and_nothing),
	GT_TEST(any_order_of_release),
	GT_TEST(records),
	GT_TEST(record_survives_success),
	GT_TEST(messages),
	GT_TEST(devices),
	GT_TEST(device_of_another_version),
	GT_TEST(log_lines),
	GT_TEST(threads),
	GT_TEST(probing_threads),
	GT_TEST(missing_features),
	GT_TEST(wrong_descriptors),
	GT_TEST(populate_in_pieces),
};

GT_MAIN(tests)
