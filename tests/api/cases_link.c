/* SPDX-License-Identifier: MIT */
/* link.h: a second VM on the same memory. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "api.h"

static void make_pair(struct api *api)
{
	make_slot(api);
	MUST(gmem_vm_create(api->ctx, api->vm_type, NULL, &api->other_vm) == 0);
	MUST(gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_LINK) >= 0);
}

static void linkable(struct api *api)
{
	api->rfc = GMEM_RFC_LINK;
	make_pair(api);
}

static int link_with(struct api *api, uint32_t mechanism, uint32_t denied)
{
	GMEM_INIT(gmem_link_opts, opts);

	opts.mechanism = mechanism;
	opts.denied = denied;
	return gmem_file_link(api->other_vm, api->file, &opts, &api->other_file);
}

static int link_best(struct api *api)
{
	return gmem_file_link(api->other_vm, api->file, NULL, &api->other_file);
}

static int link_view(struct api *api)
{
	return link_with(api, GMEM_LINK_HVA_VIEW, 0);
}

static int link_less(struct api *api)
{
	return link_with(api, GMEM_LINK_HVA_VIEW, GMEM_RIGHT_ALL);
}

static void expect_same_inode(struct api *api)
{
	GMEM_INIT(gmem_file_info, a);
	GMEM_INIT(gmem_file_info, b);

	MUST(gmem_file_get_info(api->file, &a) == 0);
	MUST(gmem_file_get_info(api->other_file, &b) == 0);
	EXPECT("one inode", a.ino == b.ino && a.dev == b.dev, true);
	EXPECT("size", (int64_t)b.size, (int64_t)a.size);
	EXPECT("flags", (int64_t)b.flags, (int64_t)a.flags);
}

static void expect_description(struct api *api, uint32_t origin, uint32_t denied)
{
	GMEM_INIT(gmem_file_description, a);
	GMEM_INIT(gmem_file_description, b);

	EXPECT("describe", gmem_file_describe(api->file, &a), 0);
	EXPECT("describe", gmem_file_describe(api->other_file, &b), 0);
	EXPECT("the owner's", a.is_owner, 1);
	EXPECT("a borrower's", b.is_owner, 0);
	EXPECT("its owner is known", b.has_owner, 1);
	EXPECT("files", b.files, 2);
	EXPECT("origin", b.origin, origin);
	EXPECT("denied", b.denied, denied);
	EXPECT("by someone", b.enforced_by_kernel | b.enforced_by_library, denied);
	EXPECT("by one of them", b.enforced_by_kernel & b.enforced_by_library, 0);
	EXPECT("keeps the other VM", b.keeps_other_vm, origin == GMEM_ORIGIN_HVA_VIEW);
	EXPECT("in words", b.text[0] != 0, true);
}

static void bind_other(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = api->other_file;
	EXPECT("bind elsewhere, in part",
	       gmem_slot_bind(api->other_vm, API_GPA + API_SIZE, 2 * GT_PAGE, &opts,
			      &api->other_slot),
	       0);
}

static void make_private(struct api *api)
{
	if (api->vm_type != GMEM_VM_SW_PROTECTED)
		return;
	EXPECT("private", gmem_convert(api->vm, API_GPA, 4 * GT_PAGE, GMEM_PRIVATE, NULL, NULL), 0);
	EXPECT("private",
	       gmem_convert(api->other_vm, API_GPA + API_SIZE, 2 * GT_PAGE, GMEM_PRIVATE, NULL,
			    NULL),
	       0);
}

static void expect_byte(struct gt_guest *guest, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_read(guest, gpa);

	EXPECT("read", gt_exit_is_done(&exit), true);
	EXPECT("the same byte", (int64_t)exit.value, value);
}

/* What one guest wrote the other reads, also when the first VM and its file are gone here. */
static void expect_shared_bytes(struct api *api)
{
	struct gt_guest *other;
	struct gt_exit exit;

	make_private(api);
	exit = gt_guest_write(api_guest(api), API_GPA + 5, 0x5a);
	EXPECT("write", gt_exit_is_done(&exit), true);
	other = gt_guest_create(api->t, gmem_vm_fd(api->other_vm));
	expect_byte(other, API_GPA + API_SIZE + 5, 0x5a);
	gt_guest_destroy(api->guest);
	api->guest = NULL;
	EXPECT("unbind", gmem_slot_unbind(api->slot), 0);
	api->slot = NULL;
	api->file = gmem_file_unref(api->file);
	api->vm = gmem_vm_unref(api->vm);
	expect_byte(other, API_GPA + API_SIZE + 5, 0x5a);
	gt_guest_destroy(other);
}

static void check_pair(struct api *api, uint32_t origin, uint32_t denied)
{
	struct gmem_file *found = NULL;

	expect_same_inode(api);
	expect_description(api, origin, denied);
	EXPECT("find", gmem_file_find(api->other_vm, api->file, &found), 0);
	EXPECT("found", found == api->other_file, true);
	gmem_file_unref(found);
	EXPECT("once", link_best(api), -EBUSY);
	bind_other(api);
}

static void check_linked(struct api *api)
{
	check_pair(api, GMEM_ORIGIN_LINKED, 0);
	EXPECT("close-on-exec", fcntl(gmem_file_fd(api->other_file), F_GETFD), FD_CLOEXEC);
	EXPECT("a descriptor of its own", gmem_file_fd(api->other_file) == gmem_file_fd(api->file),
	       false);
	expect_shared_bytes(api);
}

static void check_viewed(struct api *api)
{
	check_pair(api, GMEM_ORIGIN_HVA_VIEW, 0);
	expect_shared_bytes(api);
}

static void expect_denials(struct api *api)
{
	void *addr;

	EXPECT("punch", gmem_file_punch(api->other_file, 0, GT_PAGE), -EPERM);
	EXPECT("populate", gmem_file_populate(api->other_file, 0, GT_PAGE, NULL), -EPERM);
	MUST(gmem_file_map(api->other_file, 0, GT_PAGE, &addr) == 0);
	EXPECT("read-only", gt_touch_write(addr, 1).signal, SIGSEGV);
	EXPECT("readable", gt_touch_read(addr).signal, 0);
	EXPECT("unmap", gmem_file_unmap(api->other_file, addr, GT_PAGE), 0);
}

static void check_less(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);
	struct gt_guest *other;
	struct gt_exit exit;

	check_pair(api, GMEM_ORIGIN_HVA_VIEW, GMEM_RIGHT_ALL);
	expect_denials(api);
	EXPECT("donate", gmem_file_donate(api->file, api->other_file), -EPERM);
	EXPECT("slot", gmem_slot_get_info(api->other_slot, &info), 0);
	EXPECT("bound read-only", (info.flags & GMEM_SLOT_READONLY) != 0, true);
	other = gt_guest_create(api->t, gmem_vm_fd(api->other_vm));
	expect_byte(other, API_GPA + API_SIZE, 0);
	exit = gt_guest_write(other, API_GPA + API_SIZE, 1);
	EXPECT("the guest cannot write", exit.reason, GMI_KVM_EXIT_MMIO);
	gt_guest_destroy(other);
}

/* A descriptor as another process would send it. */
static void received(struct api *api)
{
	make_pair(api);
	api->fd = dup(gmem_file_fd(api->file));
	MUST(api->fd >= 0);
}

static void received_linkable(struct api *api)
{
	api->rfc = GMEM_RFC_LINK;
	received(api);
}

static int link_fd(struct api *api)
{
	GMEM_INIT(gmem_link_opts, opts);
	int ret;

	opts.file_flags = suitable_flags(api);
	ret = gmem_file_link_fd(api->other_vm, api->fd, &opts, &api->other_file);
	if (!ret)
		api->fd = -1;
	return ret;
}

static int donate(struct api *api)
{
	return gmem_file_donate(api->file, api->other_file);
}

static void linked(struct api *api)
{
	linkable(api);
	MUST(link_best(api) == 0);
}

static void viewed(struct api *api)
{
	make_pair(api);
	MUST(link_view(api) == 0);
}

static void check_donated(struct api *api)
{
	GMEM_INIT(gmem_file_description, info);

	EXPECT("describe", gmem_file_describe(api->other_file, &info), 0);
	EXPECT("the owner's now", info.is_owner, 1);
	EXPECT("describe", gmem_file_describe(api->file, &info), 0);
	EXPECT("a borrower's now", info.is_owner, 0);
	EXPECT("it cannot give any more", gmem_file_donate(api->file, api->other_file), -EPERM);
	EXPECT("back", gmem_file_donate(api->other_file, api->file), 0);
}

static int describe(struct api *api)
{
	GMEM_INIT(gmem_file_description, info);

	return gmem_file_describe(api->file, &info);
}

static void check_described(struct api *api)
{
	GMEM_INIT(gmem_file_description, info);

	EXPECT("describe", gmem_file_describe(api->file, &info), 0);
	EXPECT("alone", info.files, 1);
	EXPECT("the owner's", info.is_owner, 1);
	EXPECT("origin", info.origin, GMEM_ORIGIN_CREATED);
	EXPECT("denied", info.denied, 0);
}

static int find_none(struct api *api)
{
	struct gmem_file *file;
	int ret = gmem_file_find(api->other_vm, api->file, &file);

	return ret == -ENOENT ? 0 : ret;
}

static void check_nothing(struct api *api)
{
	EXPECT("again", find_none(api), 0);
}

const struct api_case api_cases_link[] = {
	{"link_kernel", NEEDS_LINK, 0, linkable, link_best, check_linked},
	{"link_view", NEEDS_VIEW, 0, make_pair, link_view, check_viewed},
	{"link_view_as_best", NEEDS_VIEW, 0, make_pair, link_best, check_viewed},
	{"link_view_with_less", NEEDS_VIEW, 0, make_pair, link_less, check_less},
	{"link_fd", NEEDS_LINK, 0, received_linkable, link_fd, check_linked},
	{"link_fd_view", NEEDS_VIEW, 0, received, link_fd, check_viewed},
	{"link_donate", NEEDS_LINK, 0, linked, donate, check_donated},
	{"link_donate_view", NEEDS_VIEW, 0, viewed, donate, check_donated},
	{"link_describe", NEEDS_GMEM, 0, make_pair, describe, check_described},
	{"link_find_none", NEEDS_GMEM, 0, make_pair, find_none, check_nothing},
};

const size_t api_count_link = GT_COUNT(api_cases_link);
