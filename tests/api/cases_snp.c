/* SPDX-License-Identifier: MIT */
/* snp.h: each step of a launch, and a whole one. */
#include <sys/mman.h>
#include <unistd.h>

#include "api.h"

#define PAGES 8
#define STEPS 5

static uint8_t table[GMEM_SNP_CPUID_SIZE];

static void nothing(struct api *api)
{
}

static enum gmem_snp_state state_now(struct api *api)
{
	GMEM_INIT(gmem_snp_info, info);

	MUST(gmem_snp_get_info(api->snp, &info) == 0);
	return (enum gmem_snp_state)info.state;
}

static int get_platform(struct api *api)
{
	GMEM_INIT(gmem_snp_platform, info);
	int ret = gmem_snp_get_platform(api->ctx, &info);

	if (ret == 0)
		EXPECT("features", (int64_t)info.features, 0x220);
	return ret;
}

static int create(struct api *api)
{
	return gmem_snp_create(api->vm, NULL, &api->snp);
}

static void check_created(struct api *api)
{
	EXPECT("state", state_now(api), GMEM_SNP_NEW);
}

static void created(struct api *api)
{
	make_vm(api);
	MUST(create(api) == 0);
}

static void created_with_certs(struct api *api)
{
	GMEM_INIT(gmem_snp_opts, opts);

	make_vm(api);
	opts.flags = GMEM_SNP_REQ_CERTS;
	MUST(gmem_snp_create(api->vm, &opts, &api->snp) == 0);
}

static int init(struct api *api)
{
	return gmem_snp_init(api->snp);
}

static void check_initialized(struct api *api)
{
	EXPECT("state", state_now(api), GMEM_SNP_INITIALIZED);
}

static void initialized(struct api *api)
{
	created(api);
	MUST(init(api) == 0);
}

static int start(struct api *api)
{
	return gmem_snp_start(api->snp);
}

static void check_started(struct api *api)
{
	EXPECT("state", state_now(api), GMEM_SNP_STARTED);
}

/* Every kind of step and source. */
static void fill_steps(struct api *api, struct gmem_launch_step *steps)
{
	static const struct gmem_launch_step all[STEPS] = {
		{.size = 2 * GT_PAGE, .type = GMEM_LAUNCH_NORMAL, .flags = GMEM_LAUNCH_MEASURED},
		{.size = GT_PAGE,
		 .type = GMEM_LAUNCH_NORMAL,
		 .flags = GMEM_LAUNCH_MEASURED | GMEM_LAUNCH_FILE},
		{.size = GT_PAGE, .type = GMEM_LAUNCH_ZERO},
		{.size = GT_PAGE, .type = GMEM_LAUNCH_SECRETS},
		{.size = GT_PAGE, .type = GMEM_LAUNCH_CPUID},
	};
	uint64_t gpa = API_GPA;

	for (size_t i = 0; i < STEPS; i++) {
		steps[i] = all[i];
		steps[i].gpa = gpa;
		gpa += steps[i].size;
	}
	steps[0].bytes = api->addr;
	steps[1].fd = api->other_fd;
}

static void make_sources(struct api *api)
{
	api->addr = gt_anonymous(api->t, API_SIZE);
	api->other_fd = memfd_create("source", MFD_CLOEXEC);
	MUST(api->other_fd >= 0 && ftruncate(api->other_fd, GT_PAGE) == 0);
}

static int bind_pages(struct gmem_vm *vm, struct gmem_file **file, struct gmem_slot **slot)
{
	GMEM_INIT(gmem_slot_opts, opts);
	int ret = gmem_file_create(vm, PAGES * GT_PAGE, NULL, file);

	if (ret)
		return ret;
	opts.file = *file;
	return gmem_slot_bind(vm, API_GPA, PAGES * GT_PAGE, &opts, slot);
}

static void started(struct api *api)
{
	initialized(api);
	MUST(start(api) == 0);
	make_sources(api);
	MUST(bind_pages(api->vm, &api->file, &api->slot) == 0);
}

/* Goes on where the attempt before stopped. */
static int update(struct api *api)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	struct gmem_launch_step steps[STEPS];

	fill_steps(api, steps);
	opts.cpuid = table;
	opts.batch = GT_PAGE;
	opts.skip = api->done;
	return gmem_snp_update(api->snp, steps, STEPS, &opts, &api->done);
}

static void check_updated(struct api *api)
{
	GMEM_INIT(gmem_snp_info, info);

	EXPECT("done", (int64_t)api->done, 6 * (int64_t)GT_PAGE);
	MUST(gmem_snp_get_info(api->snp, &info) == 0);
	EXPECT("bytes", (int64_t)info.bytes, 6 * (int64_t)GT_PAGE);
	EXPECT("private", gmem_attr_query(api->vm, API_GPA, 6 * GT_PAGE), GMEM_PRIVATE);
	EXPECT("finish", gmem_snp_finish(api->snp, NULL), 0);
}

/* What the kernel can do is asked for the first VM of a context alone. */
static void sources(struct api *api)
{
	make_vm(api);
	api->vm = gmem_vm_unref(api->vm);
	make_sources(api);
}

static int make_vcpu(void *user, struct gmem_snp *snp)
{
	struct api *api = user;

	api->fd = gt_create_vcpu(api->t, gmem_vm_fd(api->vm));
	return api->fd < 0 ? api->fd : 0;
}

static int try_launch(struct api *api)
{
	GMEM_INIT(gmem_snp_launch_opts, opts);
	GMEM_INIT(gmem_snp_update_opts, update_opts);
	GMEM_INIT(gmem_snp_finish_opts, finish_opts);
	struct gmem_launch_step steps[STEPS];
	int ret = gmem_vm_create(api->ctx, api->vm_type, NULL, &api->vm);

	if (ret == 0)
		ret = bind_pages(api->vm, &api->file, &api->slot);
	if (ret)
		return ret;
	fill_steps(api, steps);
	update_opts.cpuid = table;
	finish_opts.vcpus = 1;
	opts.update = &update_opts;
	opts.finish = &finish_opts;
	opts.make_vcpus = make_vcpu;
	opts.user = api;
	return gmem_snp_launch(api->vm, steps, STEPS, &opts, &api->snp);
}

/* A launch that failed half-way is the end of its VM, so all of it goes. */
static void release(struct api *api)
{
	struct gmem_errinfo record = *gmem_errinfo();

	if (api->fd >= 0)
		gt_close(api->t, api->fd);
	api->fd = -1;
	api->snp = gmem_snp_unref(api->snp);
	if (api->slot)
		gmem_slot_unbind(api->slot);
	api->slot = NULL;
	api->file = gmem_file_unref(api->file);
	api->vm = gmem_vm_unref(api->vm);
	EXPECT("record", record.error, gmem_errinfo()->error);
}

static int launch(struct api *api)
{
	int ret = try_launch(api);

	if (ret)
		release(api);
	return ret;
}

static void check_launched(struct api *api)
{
	EXPECT("state", state_now(api), GMEM_SNP_FINISHED);
}

const struct api_case api_cases_snp[] = {
	{"snp_get_platform", NEEDS_SNP, 0, make_ctx, get_platform, nothing},
	{"snp_create", NEEDS_SNP, 0, make_vm, create, check_created},
	{"snp_init", NEEDS_SNP, 0, created, init, check_initialized},
	{"snp_init_certs", NEEDS_SNP, 0, created_with_certs, init, check_initialized},
	{"snp_start", NEEDS_SNP, 0, initialized, start, check_started},
	{"snp_update", NEEDS_SNP, KEEPS_PROGRESS | MOVES_ON, started, update, check_updated},
	{"snp_launch", NEEDS_SNP, KEEPS_PROGRESS, sources, launch, check_launched},
};

const size_t api_count_snp = GT_COUNT(api_cases_snp);
