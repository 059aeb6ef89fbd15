/* SPDX-License-Identifier: MIT */
/* ctx.h: contexts and what they find out. */
#include "api.h"

static struct gmem_ctx_opts ctx_opts(struct api *api, struct gmem_allocator *allocator)
{
	*allocator = gt_heap_allocator(&api->heap);
	return (struct gmem_ctx_opts){
		.sz = sizeof(struct gmem_ctx_opts),
		.sys = gmem_shim_ops(),
		.sys_user = api->shim,
		.allocator = allocator,
	};
}

static void no_setup(struct api *api)
{
}

static int ctx_create(struct api *api)
{
	struct gmem_allocator allocator;
	struct gmem_ctx_opts opts = ctx_opts(api, &allocator);

	return gmem_ctx_create(&opts, &api->ctx);
}

static void check_ctx(struct api *api)
{
	int fd = gmem_ctx_kvm_fd(api->ctx);

	EXPECT("the descriptor is KVM's", gt_cap(api->t, fd, GMI_KVM_CAP_USER_MEMORY), 1);
	EXPECT("default VMs", gmem_has_vm_type(api->ctx, GMEM_VM_DEFAULT), 1);
}

static void open_kvm(struct api *api)
{
	api->fd = gt_open_kvm(api->t);
	MUST(api->fd >= 0);
}

static int ctx_borrow(struct api *api)
{
	struct gmem_allocator allocator;
	struct gmem_ctx_opts opts = ctx_opts(api, &allocator);

	return gmem_ctx_borrow(api->fd, &opts, &api->ctx);
}

static void check_borrowed(struct api *api)
{
	EXPECT("the caller's", gmem_ctx_kvm_fd(api->ctx), api->fd);
	api->ctx = gmem_ctx_unref(api->ctx);
	EXPECT("not closed", gt_cap(api->t, api->fd, GMI_KVM_CAP_USER_MEMORY), 1);
}

static int ctx_unref(struct api *api)
{
	api->ctx = gmem_ctx_unref(api->ctx);
	return 0;
}

static void check_gone(struct api *api)
{
	EXPECT("unref returns NULL", api->ctx == NULL, true);
	EXPECT("memory", (int64_t)api->heap.in_use, 0);
}

static int has_vm_type(struct api *api)
{
	return gmem_has_vm_type(api->ctx, api->vm_type);
}

static void check_has_vm_type(struct api *api)
{
	uint32_t type;

	for (type = 0; type < GMEM_VM_TYPE_COUNT; type++)
		EXPECT("type", gmem_has_vm_type(api->ctx, type), (api->traits.types >> type) & 1);
}

/* What each feature should be, from the raw kernel's traits; -1: not told by them. */
static int expected_feature(const struct api *api, uint32_t feature)
{
	bool has_private = api->vm_type == GMEM_VM_SW_PROTECTED;
	bool has_flags = api->traits.generation >= GEN_6_18;

	switch (feature) {
	case GMEM_FEATURE_GUEST_MEMFD:
		return has_private || has_flags;
	case GMEM_FEATURE_MMAP:
		return has_flags;
	case GMEM_FEATURE_INIT_SHARED:
		return has_flags && (!has_private || api->traits.in_place);
	case GMEM_FEATURE_HVA_VIEW:
		return has_flags && !has_private;
	case GMEM_FEATURE_PRIVATE:
		return has_private && (api->traits.has_attributes || api->traits.in_place);
	case GMEM_FEATURE_CONVERT_INPLACE:
		return has_private && api->traits.in_place;
	case GMEM_FEATURE_CONVERT_VM:
		return has_private && api->traits.has_attributes;
	case GMEM_FEATURE_PRE_FAULT:
		return api->traits.has_pre_fault;
	case GMEM_FEATURE_MEMORY_FAULT:
	case GMEM_FEATURE_MAP_GPA_RANGE:
	case GMEM_FEATURE_READONLY:
		return 1;
	case GMEM_FEATURE_LINK: /* only by request */
	case GMEM_FEATURE_MIRROR:
		return 0;
	default:
		return -1;
	}
}

static int has_feature(struct api *api)
{
	return gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_PRE_FAULT);
}

static void check_features(struct api *api)
{
	uint32_t feature;
	int want, got;

	for (feature = 0; feature < GMEM_FEATURE_COUNT; feature++) {
		got = gmem_has_feature(api->ctx, api->vm_type, feature);
		want = expected_feature(api, feature);
		EXPECT("feature", got, want < 0 ? got != 0 : want);
	}
}

/* The first question asks all; the second must not ask again. */
static void check_asked_once(struct api *api)
{
	uint64_t calls;

	check_features(api);
	calls = gt_calls(api->shim);
	check_features(api);
	EXPECT("no call", (int64_t)(gt_calls(api->shim) - calls), 0);
}

static int describe(struct api *api)
{
	GMEM_INIT(gmem_feature_info, info);

	return gmem_ctx_describe(api->ctx, api->vm_type, GMEM_FEATURE_GUEST_MEMFD, &info);
}

static void check_describe(struct api *api)
{
	GMEM_INIT(gmem_feature_info, info);
	uint32_t feature;

	for (feature = 0; feature < GMEM_FEATURE_COUNT; feature++) {
		EXPECT("describe", gmem_ctx_describe(api->ctx, api->vm_type, feature, &info), 0);
		EXPECT("state", info.state, gmem_has_feature(api->ctx, api->vm_type, feature));
		EXPECT("name", info.name && *info.name, true);
		EXPECT("mechanism", info.mechanism && *info.mechanism, true);
		EXPECT("reason", info.reason[0] != '\0', true);
	}
}

static int mechanism(struct api *api)
{
	GMEM_INIT(gmem_feature_info, info);

	return gmem_ctx_mechanism(api->ctx, api->vm_type, GMEM_CAPABILITY_CONVERT, &info);
}

static void check_mechanism(struct api *api)
{
	GMEM_INIT(gmem_feature_info, info);
	uint32_t capability;

	for (capability = 0; capability < GMEM_CAPABILITY_COUNT; capability++) {
		EXPECT("mechanism", gmem_ctx_mechanism(api->ctx, api->vm_type, capability, &info),
		       0);
		EXPECT("state", info.state == 0 || info.state == 1, true);
		EXPECT("mechanism", info.mechanism && *info.mechanism, true);
		EXPECT("reason", info.reason[0] != '\0', true);
	}
	EXPECT("convert",
	       gmem_ctx_mechanism(api->ctx, api->vm_type, GMEM_CAPABILITY_CONVERT, &info), 0);
	EXPECT("convert needs private memory", info.state,
	       expected_feature(api, GMEM_FEATURE_PRIVATE));
}

const struct api_case api_cases_ctx[] = {
	{"ctx_create", 0, 0, no_setup, ctx_create, check_ctx},
	{"ctx_borrow", 0, 0, open_kvm, ctx_borrow, check_borrowed},
	{"ctx_unref", 0, GIVES_UP, make_ctx, ctx_unref, check_gone},
	{"has_vm_type", 0, 0, make_ctx, has_vm_type, check_has_vm_type},
	{"has_feature", 0, 0, make_ctx, has_feature, check_asked_once},
	{"ctx_describe", 0, 0, make_ctx, describe, check_describe},
	{"ctx_mechanism", 0, 0, make_ctx, mechanism, check_mechanism},
};

const size_t api_count_ctx = GT_COUNT(api_cases_ctx);
