/* SPDX-License-Identifier: MIT */
/* reboot.h: a new VM object on the memory of an old one. */
#include "api.h"

#define BOUND  (4 * GT_PAGE)
#define BYTE   0x5a
#define OFFSET (GT_PAGE + 5)

static bool has_private(const struct api *api)
{
	return api->vm_type == GMEM_VM_SW_PROTECTED;
}

/* The guest of the old VM writes a byte, to private memory where there is any. */
static void running(struct api *api)
{
	struct gt_exit exit;

	make_slot(api);
	MUST(gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_LINK) >= 0);
	if (has_private(api))
		MUST(gmem_convert(api->vm, API_GPA, BOUND, GMEM_PRIVATE, NULL, NULL) == 0);
	exit = gt_guest_write(api_guest(api), API_GPA + OFFSET, BYTE);
	MUST(gt_exit_is_done(&exit));
}

static void running_linkable(struct api *api)
{
	api->rfc = GMEM_RFC_LINK;
	running(api);
}

/* A VM keeps the room for a range once it had one. */
static void have_bound_before(struct gmem_vm *vm)
{
	static uint8_t memory[2 * GT_PAGE];
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;

	opts.hva = (void *)(((uintptr_t)memory + GT_PAGE - 1) & ~(uintptr_t)(GT_PAGE - 1));
	MUST(gmem_slot_bind(vm, API_GPA, GT_PAGE, &opts, &slot) == 0);
	MUST(gmem_slot_unbind(slot) == 0);
}

/* A VM of the caller's, with its guest: on a real kernel that has a memslot of its own. */
static void with_other(struct api *api)
{
	running_linkable(api);
	MUST(gmem_vm_create(api->ctx, api->vm_type, NULL, &api->other_vm) == 0);
	have_bound_before(api->other_vm);
	api->other_guest = gt_guest_create(api->t, gmem_vm_fd(api->other_vm));
}

static void prepared_with(struct api *api, uint64_t rfc)
{
	api->rfc = rfc;
	running(api);
	MUST(gmem_vm_prepare(api->vm, NULL, &api->other_vm, NULL) == 0);
	api->is_replaced = true;
	api->is_prepared = true;
}

static void prepared(struct api *api)
{
	prepared_with(api, GMEM_RFC_LINK);
}

static void prepared_view(struct api *api)
{
	prepared_with(api, 0);
}

static int replace_with(struct api *api, uint32_t contents, uint32_t attributes)
{
	GMEM_INIT(gmem_replace_opts, opts);
	int ret;

	api->report = (struct gmem_replace_info){.sz = sizeof(api->report)};
	opts.contents = contents;
	opts.attributes = attributes;
	if (api->other_guest || api->is_prepared)
		opts.vm = api->other_vm;
	ret = gmem_vm_replace(api->vm, &opts, &api->other_vm, &api->report);
	api->is_replaced |= !ret;
	return ret;
}

static int keep(struct api *api)
{
	return replace_with(api, GMEM_CONTENTS_KEEP, GMEM_ATTRIBUTES_CARRY);
}

static int punch(struct api *api)
{
	return replace_with(api, GMEM_CONTENTS_PUNCH, GMEM_ATTRIBUTES_CARRY);
}

static int zero(struct api *api)
{
	return replace_with(api, GMEM_CONTENTS_ZERO, GMEM_ATTRIBUTES_CARRY);
}

static int all_private(struct api *api)
{
	return replace_with(api, GMEM_CONTENTS_KEEP, GMEM_ATTRIBUTES_PRIVATE);
}

static int move(struct api *api)
{
	int ret = replace_with(api, GMEM_CONTENTS_KEEP, GMEM_ATTRIBUTES_MOVE);

	api->is_dead |= !ret;
	return ret;
}

static int prepare(struct api *api)
{
	int ret = gmem_vm_prepare(api->vm, NULL, &api->other_vm, NULL);

	api->is_replaced |= !ret;
	return ret;
}

static void expect_layout(struct api *api)
{
	GMEM_INIT(gmem_slot_info, a);
	GMEM_INIT(gmem_slot_info, b);
	struct gmem_file *found = NULL;

	EXPECT("old", gmem_slot_lookup(api->vm, 0, API_GPA, &a), 0);
	EXPECT("new", gmem_slot_lookup(api->other_vm, 0, API_GPA, &b), 0);
	EXPECT("gpa", (int64_t)b.gpa, (int64_t)a.gpa);
	EXPECT("size", (int64_t)b.size, (int64_t)a.size);
	EXPECT("id", b.slot_id, a.slot_id);
	EXPECT("offset", (int64_t)b.offset, (int64_t)a.offset);
	EXPECT("a host mapping", b.hva != NULL, a.hva != NULL);
	EXPECT("the file", gmem_file_find(api->other_vm, api->file, &found), 0);
	EXPECT("the file", found == b.file, true);
	gmem_file_unref(found);
	EXPECT("state", gmem_attr_query(api->other_vm, API_GPA, BOUND),
	       has_private(api) ? GMEM_PRIVATE : GMEM_SHARED);
}

static void expect_report(struct api *api, uint64_t kept)
{
	const struct gmem_replace_info *info = &api->report;

	EXPECT("slots", info->slots, 1);
	EXPECT("files", info->files, 1);
	EXPECT("kept", (int64_t)info->kept_bytes, (int64_t)kept);
	EXPECT("zeroed", (int64_t)info->zeroed_bytes, (int64_t)(BOUND - kept));
	EXPECT("left", (int64_t)info->left_bytes, 0);
	EXPECT("mechanism", info->mechanism,
	       api->rfc && has_private(api) ? GMEM_LINK_KERNEL : info->mechanism);
	EXPECT("keeps", info->kept_other_vm, info->mechanism == GMEM_LINK_HVA_VIEW);
	EXPECT("total", info->total_ns >= info->bind_ns, true);
}

/* Takes the old VM down, all of it that is in this process. */
static void end_old(struct api *api)
{
	gt_guest_destroy(api->guest);
	api->guest = NULL;
	EXPECT("unbind all", gmem_vm_unbind_all(api->vm), 0);
	api->slot = NULL;
	api->file = gmem_file_unref(api->file);
	api->vm = gmem_vm_unref(api->vm);
}

static void expect_byte(struct api *api, uint8_t value)
{
	struct gt_exit exit;

	if (!api->other_guest)
		api->other_guest = gt_guest_create(api->t, gmem_vm_fd(api->other_vm));
	exit = gt_guest_read(api->other_guest, API_GPA + OFFSET);
	EXPECT("read", gt_exit_is_done(&exit), true);
	EXPECT("byte", (int64_t)exit.value, value);
	exit = gt_guest_write(api->other_guest, API_GPA + OFFSET, 1);
	EXPECT("write", gt_exit_is_done(&exit), true);
}

static void expect_owner(struct api *api)
{
	GMEM_INIT(gmem_file_description, info);
	struct gmem_file *file = NULL;

	MUST(gmem_file_find(api->other_vm, api->file, &file) == 0);
	EXPECT("describe", gmem_file_describe(file, &info), 0);
	EXPECT("the owner's", info.is_owner, 1);
	gmem_file_unref(file);
}

static void check_kept(struct api *api)
{
	expect_layout(api);
	expect_report(api, BOUND);
	expect_owner(api);
	end_old(api);
	expect_byte(api, BYTE);
}

static void check_zeroed(struct api *api)
{
	expect_layout(api);
	expect_report(api, 0);
	end_old(api);
	expect_byte(api, 0);
}

static void check_moved(struct api *api)
{
	expect_layout(api);
	EXPECT("the old one is dead", gt_cap(api->t, gmem_vm_fd(api->vm), 3), -EIO);
	end_old(api);
	expect_byte(api, BYTE);
}

/* What the old guest writes after the preparation is there too; ranges bound anew are noticed. */
static void check_prepared(struct api *api)
{
	GMEM_INIT(gmem_replace_opts, opts);
	GMEM_INIT(gmem_slot_opts, slot_opts);
	struct gt_exit exit = gt_guest_write(api_guest(api), API_GPA + OFFSET, BYTE + 1);
	struct gmem_slot *more;

	EXPECT("the old guest runs on", gt_exit_is_done(&exit), true);
	opts.vm = api->other_vm;
	slot_opts.file = api->file;
	slot_opts.offset = BOUND;
	MUST(gmem_slot_bind(api->vm, API_GPA + BOUND, GT_PAGE, &slot_opts, &more) == 0);
	EXPECT("not the same any more", gmem_vm_replace(api->vm, &opts, NULL, NULL), -EINVAL);
	EXPECT("where", (int64_t)gmem_errinfo()->gpa, API_GPA + BOUND);
	MUST(gmem_slot_unbind(more) == 0);
	EXPECT("replace", gmem_vm_replace(api->vm, &opts, NULL, NULL), 0);
	expect_layout(api);
	end_old(api);
	expect_byte(api, BYTE + 1);
}

/* Twice on the same memory: nothing but the first VM, where a view needs it, is kept. */
static void check_again(struct api *api)
{
	struct gmem_vm *third = NULL;
	unsigned int fds;

	check_kept(api);
	gt_guest_destroy(api->other_guest);
	api->other_guest = NULL;
	fds = gt_count_fds();
	EXPECT("replace", gmem_vm_replace(api->other_vm, NULL, &third, NULL), 0);
	EXPECT("unbind all", gmem_vm_unbind_all(api->other_vm), 0);
	gmem_vm_unref(api->other_vm);
	api->other_vm = third;
	EXPECT("descriptors", gt_count_fds(), fds);
	expect_byte(api, 1);
}

static int unbind_all(struct api *api)
{
	int ret = gmem_vm_unbind_all(api->vm);

	if (!ret)
		api->slot = NULL;
	return ret;
}

static void check_unbound(struct api *api)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("info", gmem_vm_get_info(api->vm, &info), 0);
	EXPECT("slots", info.slots_used, 0);
	EXPECT("nothing to do", gmem_vm_unbind_all(api->vm), 0);
}

const struct api_case api_cases_reboot[] = {
	{"replace_kernel", NEEDS_LINK, 0, running_linkable, keep, check_again},
	{"replace_view", NEEDS_VIEW, 0, running, keep, check_again},
	{"replace_punch", NEEDS_LINK, KEEPS_PROGRESS, running_linkable, punch, check_zeroed},
	{"replace_punch_view", NEEDS_VIEW, KEEPS_PROGRESS, running, punch, check_zeroed},
	{"replace_zero", NEEDS_LINK, KEEPS_PROGRESS, running_linkable, zero, check_zeroed},
	{"replace_zero_view", NEEDS_VIEW, KEEPS_PROGRESS, running, zero, check_zeroed},
	{"replace_private", NEEDS_LINK | NEEDS_PRIVATE, 0, running_linkable, all_private,
	 check_kept},
	{"replace_given", NEEDS_LINK, 0, with_other, keep, check_kept},
	{"replace_prepared", NEEDS_LINK, 0, prepared, keep, check_kept},
	{"replace_prepared_view", NEEDS_VIEW, 0, prepared_view, keep, check_kept},
	{"replace_prepare", NEEDS_LINK, 0, running_linkable, prepare, check_prepared},
	{"replace_prepare_view", NEEDS_VIEW, 0, running, prepare, check_prepared},
	{"replace_move", NEEDS_LINK | NEEDS_PRIVATE, 0, with_other, move, check_moved},
	{"unbind_all", NEEDS_GMEM, 0, make_slot, unbind_all, check_unbound},
};

const size_t api_count_reboot = GT_COUNT(api_cases_reboot);
