/* SPDX-License-Identifier: MIT */
/* tdx.h: the launch of a TD, step by step and as a whole. */
#include "api.h"

#define HOB_GPA     (API_GPA + 2 * GT_PAGE)
#define ALL_PAGES   4u
#define ADDED_PAGES 3u

static const struct gmem_tdx_cpuid cpuid[] = {
	{.function = 1, .ecx = 1u << 21},
	{.function = 0x80000008, .eax = 48 << 16},
};

static const struct gmem_tdx_cpuid_opts cpuid_opts = {
	.sz = sizeof(cpuid_opts),
	.entries = cpuid,
	.count = GT_COUNT(cpuid),
};

static const struct gmem_tdx_init_opts init_opts = {
	.sz = sizeof(init_opts),
	.attempts = 3, /* a sweep has the module busy for ever, often */
	.cpuid = &cpuid_opts,
};

static int create(struct api *api)
{
	return gmem_tdx_create(api->vm, NULL, &api->tdx);
}

static struct gmem_tdx_info info_of(struct api *api)
{
	GMEM_INIT(gmem_tdx_info, info);

	EXPECT("info", gmem_tdx_get_info(api->tdx, &info), 0);
	return info;
}

static void expect_state(struct api *api, uint32_t state)
{
	EXPECT("state", info_of(api).state, state);
}

static void check_created(struct api *api)
{
	struct gmem_tdx_info info = info_of(api);

	EXPECT("state", info.state, GMEM_TDX_NEW);
	EXPECT("attributes", (int64_t)(info.supported_attributes & GMEM_TDX_ATTR_SEPT_VE_DISABLE),
	       (int64_t)GMEM_TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT("XFAM", (int64_t)(info.supported_xfam & 3), 3);
	EXPECT("leaves", info.configurable > 0, true);
}

static void made(struct api *api)
{
	make_vm(api);
	MUST(create(api) == 0);
}

static int setup(struct api *api)
{
	GMEM_INIT(gmem_tdx_setup_opts, opts);

	opts.vcpus = 1;
	opts.tsc_khz = 2000000;
	return gmem_tdx_setup(api->tdx, &opts);
}

static void set_up(struct api *api)
{
	made(api);
	MUST(setup(api) == 0);
}

static int init_vm(struct api *api)
{
	return gmem_tdx_init_vm(api->tdx, &init_opts);
}

static void check_initialized(struct api *api)
{
	EXPECT("state", info_of(api).state, GMEM_TDX_INITIALIZED);
	EXPECT("width", info_of(api).gpa_width, 48);
}

static void check_set_up(struct api *api)
{
	EXPECT("a TD can be made", init_vm(api), 0);
}

/* A vCPU of the caller's, with its CPUID. */
static void initialized(struct api *api)
{
	uint64_t room[(sizeof(struct gmi_kvm_cpuid2) + sizeof(cpuid)) / sizeof(uint64_t)] = {0};
	struct gmi_kvm_cpuid2 *list = (struct gmi_kvm_cpuid2 *)room;

	set_up(api);
	MUST(init_vm(api) == 0);
	api->fd = gt_create_vcpu(api->t, gmem_vm_fd(api->vm));
	MUST(api->fd >= 0);
	list->nent = GT_COUNT(cpuid);
	memcpy(list->entries, cpuid, sizeof(cpuid));
	MUST(gt_ioctl(api->t, api->fd, GMI_KVM_SET_CPUID2, list) == 0);
}

static int init_vcpu(struct api *api)
{
	return gmem_tdx_init_vcpu(api->tdx, api->fd, HOB_GPA);
}

static void check_vcpu(struct api *api)
{
	EXPECT("vCPUs", info_of(api).vcpus, 1);
	EXPECT("only once", init_vcpu(api), -EINVAL);
}

static int read_cpuid(struct api *api)
{
	struct gmem_tdx_cpuid entries[GMEM_TDX_CPUID_MAX];
	size_t count = 0;

	return gmem_tdx_read_cpuid(api->tdx, api->fd, entries, GT_COUNT(entries), &count);
}

static int compare_cpuid(struct api *api)
{
	return gmem_tdx_compare_cpuid(api->tdx, api->fd, &cpuid_opts);
}

/* Four pages: contents, zeroes, the hand-off blocks, and one that the guest accepts. */
static void fill_steps(const struct api *api, struct gmem_launch_step steps[ALL_PAGES])
{
	static const uint32_t types[ALL_PAGES] = {GMEM_LAUNCH_NORMAL, GMEM_LAUNCH_ZERO,
						  GMEM_LAUNCH_TD_HOB, GMEM_LAUNCH_AUG};

	for (uint32_t i = 0; i < ALL_PAGES; i++)
		steps[i] = (struct gmem_launch_step){
			.gpa = API_GPA + i * GT_PAGE,
			.size = GT_PAGE,
			.type = types[i],
			.flags = i == 0 ? GMEM_LAUNCH_MEASURED : 0,
			.bytes = i == 0 || i == 2 ? (uint8_t *)api->addr + i * GT_PAGE : NULL,
		};
}

static void with_memory(struct api *api)
{
	make_slot(api);
	api->addr = gt_anonymous(api->t, API_SIZE);
	memset(api->addr, 0x5a, API_SIZE);
}

static void ready(struct api *api)
{
	initialized(api);
	with_memory(api);
	MUST(init_vcpu(api) == 0);
}

static int add(struct api *api)
{
	struct gmem_launch_step steps[ALL_PAGES];
	GMEM_INIT(gmem_tdx_add_opts, opts);

	fill_steps(api, steps);
	opts.start = api->done;
	opts.attempts = 3;
	opts.slice = GT_PAGE;
	return gmem_tdx_add(api->tdx, steps, ALL_PAGES, &opts, &api->done);
}

static void check_added(struct api *api)
{
	EXPECT("done", (int64_t)api->done, ALL_PAGES * (int64_t)GT_PAGE);
	EXPECT("added", (int64_t)info_of(api).added_bytes, ADDED_PAGES * (int64_t)GT_PAGE);
	EXPECT("measured", (int64_t)info_of(api).measured_bytes, (int64_t)GT_PAGE);
	EXPECT("private", gmem_attr_query(api->vm, API_GPA, ALL_PAGES * GT_PAGE), GMEM_PRIVATE);
}

static int finalize(struct api *api)
{
	return gmem_tdx_finalize(api->tdx);
}

static void check_finalized(struct api *api)
{
	expect_state(api, GMEM_TDX_FINALIZED);
	EXPECT("only once", finalize(api), -EINVAL);
}

static void unlaunched(struct api *api)
{
	made(api);
	with_memory(api);
}

static int launch(struct api *api)
{
	struct gmem_launch_step steps[ALL_PAGES];
	GMEM_INIT(gmem_tdx_add_opts, add_opts);
	GMEM_INIT(gmem_tdx_launch_opts, opts);

	fill_steps(api, steps);
	add_opts.attempts = 3;
	opts.add = &add_opts;
	opts.vcpus = 2;
	opts.init = &init_opts;
	return gmem_tdx_launch(api->tdx, steps, ALL_PAGES, &opts);
}

static void check_launched(struct api *api)
{
	struct gmem_tdx_info info = info_of(api);
	int vcpu = gmem_tdx_take_vcpu(api->tdx, 1);

	EXPECT("state", info.state, GMEM_TDX_FINALIZED);
	EXPECT("vCPUs", info.vcpus, 2);
	EXPECT("added", (int64_t)info.added_bytes, ADDED_PAGES * (int64_t)GT_PAGE);
	EXPECT("a vCPU", vcpu >= 0, true);
	if (vcpu >= 0)
		EXPECT("that is open", gt_close(api->t, vcpu), 0);
}

static void check_nothing(struct api *api)
{
	expect_state(api, GMEM_TDX_INITIALIZED);
}

const struct api_case api_cases_tdx[] = {
	{"tdx_create", NEEDS_TDX, 0, make_vm, create, check_created},
	{"tdx_setup", NEEDS_TDX, MOVES_ON, made, setup, check_set_up},
	{"tdx_init_vm", NEEDS_TDX, 0, set_up, init_vm, check_initialized},
	{"tdx_init_vcpu", NEEDS_TDX, 0, initialized, init_vcpu, check_vcpu},
	{"tdx_read_cpuid", NEEDS_TDX, 0, initialized, read_cpuid, check_nothing},
	{"tdx_compare_cpuid", NEEDS_TDX, 0, initialized, compare_cpuid, check_nothing},
	{"tdx_add", NEEDS_TDX, MOVES_ON | KEEPS_PROGRESS, ready, add, check_added},
	{"tdx_finalize", NEEDS_TDX, 0, ready, finalize, check_finalized},
	{"tdx_launch", NEEDS_TDX, MOVES_ON | KEEPS_VCPUS | KEEPS_PROGRESS, unlaunched, launch,
	 check_launched},
};

const size_t api_count_tdx = GT_COUNT(api_cases_tdx);
