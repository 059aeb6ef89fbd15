/* SPDX-License-Identifier: MIT */
/* slot.h: ranges bound, adopted, found, unbound. */
#include "api.h"

#define BOUND (4 * GT_PAGE)

static int bind_with(struct api *api, struct gmem_slot_opts *opts, uint64_t gpa, uint64_t size)
{
	return gmem_slot_bind(api->vm, gpa, size, opts, &api->slot);
}

static int bind_file(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = api->file;
	opts.offset = GT_PAGE;
	return bind_with(api, &opts, API_GPA, BOUND);
}

static void expect_info(struct api *api, const struct gmem_slot_info *info)
{
	EXPECT("gpa", (int64_t)info->gpa, (int64_t)API_GPA);
	EXPECT("size", (int64_t)info->size, (int64_t)BOUND);
	EXPECT("count", info->slot_count, 1);
	EXPECT("address space", info->address_space, 0);
	EXPECT("file", info->file == api->file, true);
	EXPECT("handle", info->slot == api->slot, true);
}

/* A VM with private memory and a file without a mapping needs other memory for what is shared. */
static void check_backing(struct api *api, const struct gmem_slot_info *info)
{
	uint64_t flags = suitable_flags(api);
	bool wants = api->vm_type == GMEM_VM_SW_PROTECTED || flags & GMEM_FILE_INIT_SHARED;

	EXPECT("a host mapping", info->hva != NULL, wants);
	EXPECT("libgmem's own", (info->flags & GMEM_SLOT_OWN_HVA) != 0, wants);
	if (!info->hva)
		return;
	EXPECT("writable", gt_touch_write(info->hva, 0x21).signal, 0);
	if (!(flags & GMEM_FILE_MMAP))
		return;
	MUST(gmem_file_map(api->file, 0, API_SIZE, &api->mapped) == 0);
	EXPECT("at the same offset", ((uint8_t *)api->mapped)[GT_PAGE], 0x21);
}

static void check_bound(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);
	GMEM_INIT(gmem_vm_info, vm);
	GMEM_INIT(gmem_file_info, file);

	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	expect_info(api, &info);
	EXPECT("offset", (int64_t)info.offset, (int64_t)GT_PAGE);
	EXPECT("KVM has it: taken",
	       gt_set_region(api->t, gmem_vm_fd(api->vm), 999, 0, API_GPA, GT_PAGE, NULL), -EEXIST);
	EXPECT("VM", gmem_vm_get_info(api->vm, &vm), 0);
	EXPECT("VM's slots", vm.slots_used, 1);
	EXPECT("VM's bytes", (int64_t)vm.bytes_bound, (int64_t)BOUND);
	EXPECT("file", gmem_file_get_info(api->file, &file), 0);
	EXPECT("file's bytes", (int64_t)file.bytes_bound, (int64_t)BOUND);
	check_backing(api, &info);
}

/* The bound range keeps its file and its VM. */
static void check_outlives_file(struct api *api)
{
	struct gmem_file *file = api->file;
	GMEM_INIT(gmem_slot_info, info);
	int fd = gmem_file_fd(file);

	api->ctx = gmem_ctx_unref(api->ctx);
	api->vm = gmem_vm_unref(api->vm);
	api->file = gmem_file_unref(api->file);
	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	EXPECT("the file is open", gt_allocate(api->t, fd, 0, GT_PAGE), 0);
	EXPECT("file", info.file == file, true);
}

static void plain_memory(struct api *api)
{
	make_vm(api);
	api->addr = gt_anonymous(api->t, API_SIZE);
}

static int bind_memory(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.hva = api->addr;
	return bind_with(api, &opts, API_GPA, BOUND);
}

static void check_memory(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);

	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	expect_info(api, &info);
	EXPECT("hva", info.hva == api->addr, true);
	EXPECT("flags", info.flags, 0);
}

static int bind_readonly_logged(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.flags = GMEM_SLOT_ID | GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY;
	opts.slot_id = 77;
	opts.hva = api->addr;
	return bind_with(api, &opts, API_GPA, BOUND);
}

static void check_readonly_logged(struct api *api)
{
	uint64_t bits = 0;
	struct gmi_kvm_dirty_log log = {.slot = 77, .dirty_bitmap = (uint64_t)(uintptr_t)&bits};
	GMEM_INIT(gmem_slot_info, info);

	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	EXPECT("id", info.slot_id, 77);
	EXPECT("flags", info.flags, GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY);
	EXPECT("KVM logs", gt_ioctl(api->t, gmem_vm_fd(api->vm), GMI_KVM_GET_DIRTY_LOG, &log), 0);
}

static void file_and_memory(struct api *api)
{
	make_file(api);
	api->addr = gt_anonymous(api->t, API_SIZE);
}

static int bind_with_backing(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = api->file;
	opts.hva = api->addr;
	return bind_with(api, &opts, API_GPA, BOUND);
}

static void check_with_backing(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);

	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	expect_info(api, &info);
	EXPECT("the caller's", info.hva == api->addr, true);
	EXPECT("the caller's", info.flags & GMEM_SLOT_OWN_HVA, 0);
}

static int bind_without_backing(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = api->file;
	opts.flags = GMEM_SLOT_NO_HVA;
	return bind_with(api, &opts, API_GPA, BOUND);
}

static void check_without_backing(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);

	EXPECT("info", gmem_slot_get_info(api->slot, &info), 0);
	EXPECT("none", info.hva == NULL, true);
}

/* Larger than one memslot can be: 2^31 - 1 pages. Addresses up to 2^40 are all that is asked for. */
#define HUGE_GPA  UINT64_C(0)
#define HUGE_SIZE (UINT64_C(1) << 43)

static void huge_file(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	make_vm(api);
	MUST(gmem_file_create(api->vm, HUGE_SIZE, &opts, &api->file) == 0);
}

/* Needs two ids in a row and may have one: the memory for such slots no machine has. */
static int bind_huge(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot = NULL;
	int ret;

	opts.file = api->file;
	opts.flags = GMEM_SLOT_ID | GMEM_SLOT_NO_HVA;
	opts.slot_id = 32763;
	ret = gmem_slot_bind(api->vm, HUGE_GPA, HUGE_SIZE, &opts, &slot);
	EXPECT("no slot", slot == NULL, true);
	return ret == -EINVAL ? 0 : ret;
}

static void check_huge(struct api *api)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("info", gmem_vm_get_info(api->vm, &info), 0);
	EXPECT("slots", info.slots_used, 0);
}

static void raw_slot(struct api *api)
{
	make_file(api);
	MUST(gt_bind(api->t, gmem_vm_fd(api->vm), 7, API_GPA, BOUND, NULL, gmem_file_fd(api->file),
		     0) == 0);
}

static int adopt(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	opts.file = api->file;
	opts.flags = GMEM_SLOT_ID;
	opts.slot_id = 7;
	return gmem_slot_adopt(api->vm, API_GPA, BOUND, &opts, &api->slot);
}

static void check_adopted(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);
	int vm = gmem_vm_fd(api->vm);

	EXPECT("lookup", gmem_slot_lookup(api->vm, 0, API_GPA + 1, &info), 0);
	expect_info(api, &info);
	EXPECT("id", info.slot_id, 7);
	EXPECT("flags", info.flags, GMEM_SLOT_ADOPTED);
	EXPECT("forgotten", gmem_slot_unbind(api->slot), 0);
	api->slot = NULL;
	EXPECT("not found", gmem_slot_lookup(api->vm, 0, API_GPA, &info), -ENOENT);
	EXPECT("KVM still has it", gt_delete_slot(api->t, vm, 7), 0);
}

static int unbind(struct api *api)
{
	int ret = gmem_slot_unbind(api->slot);

	if (ret == 0 || ret == -ESTALE)
		api->slot = NULL;
	return ret;
}

static void check_unbound(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);
	GMEM_INIT(gmem_vm_info, vm);

	EXPECT("not found", gmem_slot_lookup(api->vm, 0, API_GPA, &info), -ENOENT);
	EXPECT("VM", gmem_vm_get_info(api->vm, &vm), 0);
	EXPECT("VM's slots", vm.slots_used, 0);
	EXPECT("VM's bytes", (int64_t)vm.bytes_bound, 0);
	EXPECT("bound again", bind_file(api), 0);
}

static int lookup(struct api *api)
{
	GMEM_INIT(gmem_slot_info, info);

	return gmem_slot_lookup(api->vm, 0, API_GPA + 2 * GT_PAGE, &info);
}

/* Every edge of a bound range, and a walk over two. */
static void check_lookup(struct api *api)
{
	static const struct {
		uint64_t gpa;
		int want;
	} edges[] = {
		{API_GPA, 0},
		{API_GPA + BOUND - 1, 0},
		{API_GPA + BOUND, -ENOENT},
		{API_GPA - 1, -ENOENT},
		{0, -ENOENT},
		{UINT64_MAX, -ENOENT},
	};
	GMEM_INIT(gmem_slot_opts, opts);
	GMEM_INIT(gmem_slot_info, info);
	size_t i;

	for (i = 0; i < GT_COUNT(edges); i++)
		EXPECT("edge", gmem_slot_lookup(api->vm, 0, edges[i].gpa, &info), edges[i].want);
	opts.file = api->file;
	opts.offset = 8 * GT_PAGE;
	MUST(gmem_slot_bind(api->vm, API_GPA - 8 * GT_PAGE, GT_PAGE, &opts, &api->other_slot) == 0);
	EXPECT("first", gmem_slot_next(api->vm, 0, 0, &info), 0);
	EXPECT("first", (int64_t)info.gpa, (int64_t)(API_GPA - 8 * GT_PAGE));
	EXPECT("second", gmem_slot_next(api->vm, 0, info.gpa + info.size, &info), 0);
	EXPECT("second", (int64_t)info.gpa, (int64_t)API_GPA);
	EXPECT("inside", gmem_slot_next(api->vm, 0, API_GPA + 1, &info), 0);
	EXPECT("end", gmem_slot_next(api->vm, 0, API_GPA + BOUND, &info), -ENOENT);
}

/* A kernel answer that the record must carry on: a slot that libgmem was not told of. */
static void taken_gpa(struct api *api)
{
	make_file(api);
	MUST(gt_set_region(api->t, gmem_vm_fd(api->vm), 900, 0, API_GPA, GT_PAGE, NULL) == 0);
}

static int bind_on_taken(struct api *api)
{
	const struct gmem_errinfo *error = gmem_errinfo();
	int ret = bind_file(api);

	if (ret != -EEXIST)
		return ret;
	EXPECT("call", strcmp(error->call, "KVM_SET_USER_MEMORY_REGION2"), 0);
	EXPECT("gpa", (int64_t)error->gpa, (int64_t)API_GPA);
	EXPECT("valid", (error->valid & GMEM_ERR_GPA) != 0, true);
	return 0;
}

const struct api_case api_cases_slot[] = {
	{"slot_bind", NEEDS_GMEM, 0, make_file, bind_file, check_bound},
	{"slot_outlives_file", NEEDS_GMEM, 0, make_file, bind_file, check_outlives_file},
	{"slot_bind_memory", 0, 0, plain_memory, bind_memory, check_memory},
	{"slot_bind_readonly_logged", 0, 0, plain_memory, bind_readonly_logged,
	 check_readonly_logged},
	{"slot_bind_with_backing", NEEDS_GMEM, 0, file_and_memory, bind_with_backing,
	 check_with_backing},
	{"slot_bind_without_backing", NEEDS_GMEM, 0, make_file, bind_without_backing,
	 check_without_backing},
	{"slot_bind_huge", NEEDS_GMEM, 0, huge_file, bind_huge, check_huge},
	{"slot_bind_on_taken", NEEDS_GMEM, 0, taken_gpa, bind_on_taken, check_huge},
	{"slot_adopt", NEEDS_GMEM, 0, raw_slot, adopt, check_adopted},
	{"slot_unbind", NEEDS_GMEM, ENDS_WHEN_DEAD, make_slot, unbind, check_unbound},
	{"slot_lookup", NEEDS_GMEM, 0, make_slot, lookup, check_lookup},
};

const size_t api_count_slot = GT_COUNT(api_cases_slot);
