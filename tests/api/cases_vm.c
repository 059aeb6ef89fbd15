/* SPDX-License-Identifier: MIT */
/* vm.h: VMs made, adopted, borrowed. */
#include "api.h"

static int create(struct api *api)
{
	return gmem_vm_create(api->ctx, api->vm_type, NULL, &api->vm);
}

static void check_info(struct api *api, uint32_t flags)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("info", gmem_vm_get_info(api->vm, &info), 0);
	EXPECT("type", info.vm_type, api->vm_type);
	EXPECT("flags", info.flags, flags);
	EXPECT("slots_max", info.slots_max, 32764);
	EXPECT("slots_used", info.slots_used, 0);
	EXPECT("files", info.files, 0);
	EXPECT("bytes_bound", (int64_t)info.bytes_bound, 0);
	EXPECT("address_spaces", info.address_spaces == 1 || info.address_spaces == 2, true);
}

static void check_created(struct api *api)
{
	int fd = gmem_vm_fd(api->vm);

	EXPECT("a VM", gt_cap(api->t, fd, GMI_KVM_CAP_USER_MEMORY), 1);
	check_info(api, 0);
}

/* The context's record goes with its last object. */
static void check_outlives_ctx(struct api *api)
{
	api->ctx = gmem_ctx_unref(api->ctx);
	check_created(api);
}

static void raw_vm(struct api *api)
{
	make_ctx(api);
	api->fd = make_raw_vm(api);
}

static int adopt(struct api *api)
{
	int ret = gmem_vm_adopt(api->ctx, api->fd, api->vm_type, NULL, &api->vm);

	if (ret == 0)
		api->fd = -1;
	return ret;
}

static int borrow(struct api *api)
{
	return gmem_vm_borrow(api->ctx, api->fd, api->vm_type, NULL, &api->vm);
}

static void check_borrowed(struct api *api)
{
	check_info(api, GMEM_VM_BORROWED);
	EXPECT("the caller's", gmem_vm_fd(api->vm), api->fd);
	api->vm = gmem_vm_unref(api->vm);
	EXPECT("not closed", gt_cap(api->t, api->fd, GMI_KVM_CAP_USER_MEMORY), 1);
}

static int unref(struct api *api)
{
	api->vm = gmem_vm_unref(api->vm);
	return 0;
}

static void check_gone(struct api *api)
{
	EXPECT("unref returns NULL", api->vm == NULL, true);
}

/* Ids from the caller's part alone. */
static int create_with_few_ids(struct api *api)
{
	GMEM_INIT(gmem_vm_opts, opts);

	opts.first_slot = 100;
	opts.slot_count = 2;
	return gmem_vm_create(api->ctx, api->vm_type, &opts, &api->vm);
}

static void check_few_ids(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);
	GMEM_INIT(gmem_slot_info, info);
	struct gmem_slot *slots[3] = {NULL};
	int i;

	api->addr = gt_anonymous(api->t, API_SIZE);
	opts.hva = api->addr;
	for (i = 0; i < 3; i++)
		EXPECT("ids run out",
		       gmem_slot_bind(api->vm, API_GPA + (uint64_t)i * GT_PAGE, GT_PAGE, &opts,
				      &slots[i]),
		       i < 2 ? 0 : -ENOSPC);
	for (i = 0; i < 2; i++) {
		MUST(slots[i] && gmem_slot_get_info(slots[i], &info) == 0);
		EXPECT("id", info.slot_id, 100 + i);
	}
	EXPECT("unbind", gmem_slot_unbind(slots[0]), 0);
	EXPECT("an id is free again", gmem_slot_bind(api->vm, API_GPA, GT_PAGE, &opts, &slots[2]),
	       0);
	EXPECT("unbind", gmem_slot_unbind(slots[1]), 0);
	EXPECT("unbind", gmem_slot_unbind(slots[2]), 0);
}

const struct api_case api_cases_vm[] = {
	{"vm_create", 0, 0, make_ctx, create, check_created},
	{"vm_outlives_ctx", 0, 0, make_ctx, create, check_outlives_ctx},
	{"vm_adopt", 0, 0, raw_vm, adopt, check_created},
	{"vm_borrow", 0, 0, raw_vm, borrow, check_borrowed},
	{"vm_unref", 0, GIVES_UP, make_vm, unref, check_gone},
	{"vm_create_with_few_ids", 0, 0, make_ctx, create_with_few_ids, check_few_ids},
};

const size_t api_count_vm = GT_COUNT(api_cases_vm);
