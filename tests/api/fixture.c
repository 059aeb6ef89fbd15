/* SPDX-License-Identifier: MIT */
/* What the cases start with and how it is released; the list of cases. */
#include "api.h"

static struct traits traits_of(const struct gt *t)
{
	struct vm vm;

	vm_open(t, GMI_KVM_X86_DEFAULT_VM, &vm);
	vm_close(&vm);
	return vm.traits;
}

void fixture_open(struct api *api, const struct gt *t, uint32_t vm_type)
{
	memset(api, 0, sizeof(*api));
	api->t = t;
	api->vm_type = vm_type;
	api->fd = api->other_fd = -1;
	MUST(gmem_shim_create(t->ops, t->user, &api->shim) == 0);
	gt_heap_reset(&api->heap);
	api->traits = traits_of(t);
}

/* In an order that the objects themselves must not need. */
void fixture_close(struct api *api)
{
	if (api->guest)
		gt_guest_destroy(api->guest);
	if (api->other_guest)
		gt_guest_destroy(api->other_guest);
	if (api->is_replaced)
		EXPECT("unbind", gmem_vm_unbind_all(api->other_vm), 0);
	gmem_tdx_unref(api->tdx);
	gmem_layout_unref(api->layout);
	gmem_prealloc_unref(api->prealloc);
	gmem_snp_unref(api->snp);
	gmem_hugetlb_leave(api->share);
	gmem_ctx_unref(api->ctx);
	gmem_vm_unref(api->vm);
	gmem_vm_unref(api->other_vm);
	if (api->mapped)
		gt_unmap(api->t, api->mapped, API_SIZE);
	gmem_file_unref(api->file);
	gmem_file_unref(api->other_file);
	if (api->slot)
		EXPECT("unbind", gmem_slot_unbind(api->slot), api->is_dead ? -ESTALE : 0);
	if (api->other_slot)
		EXPECT("unbind", gmem_slot_unbind(api->other_slot), 0);
	if (api->addr)
		gt_unmap(api->t, api->addr, API_SIZE);
	if (api->fd >= 0)
		gt_close(api->t, api->fd);
	if (api->other_fd >= 0)
		gt_close(api->t, api->other_fd);
	EXPECT("memory of the allocator", (int64_t)api->heap.in_use, 0);
	gmem_shim_unref(api->shim);
}

void make_ctx(struct api *api)
{
	struct gmem_allocator allocator = gt_heap_allocator(&api->heap);
	GMEM_INIT(gmem_ctx_opts, opts);

	opts.sys = gmem_shim_ops();
	opts.sys_user = api->shim;
	opts.allocator = &allocator;
	opts.rfc = api->rfc;
	MUST(gmem_ctx_create(&opts, &api->ctx) == 0);
}

void make_vm(struct api *api)
{
	if (!api->ctx)
		make_ctx(api);
	MUST(gmem_vm_create(api->ctx, api->vm_type, NULL, &api->vm) == 0);
}

/* Files that start shared: for VMs with private memory only where they convert in place. */
static bool can_share(struct traits traits, uint32_t vm_type)
{
	return traits.generation >= GEN_6_18 && (vm_type == GMEM_VM_DEFAULT || traits.in_place);
}

uint64_t suitable_flags(const struct api *api)
{
	return can_share(api->traits, api->vm_type) ? GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED : 0;
}

void make_file(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	if (!api->vm)
		make_vm(api);
	opts.flags = suitable_flags(api);
	MUST(gmem_file_create(api->vm, API_SIZE, &opts, &api->file) == 0);
}

void make_mapped_file(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	if (!api->vm)
		make_vm(api);
	opts.flags = suitable_flags(api) | GMEM_FILE_MMAP;
	MUST(gmem_file_create(api->vm, API_SIZE, &opts, &api->file) == 0);
}

void make_slot(struct api *api)
{
	GMEM_INIT(gmem_slot_opts, opts);

	if (!api->file)
		make_file(api);
	opts.file = api->file;
	MUST(gmem_slot_bind(api->vm, API_GPA, 4 * GT_PAGE, &opts, &api->slot) == 0);
}

void make_other(struct api *api)
{
	GMEM_INIT(gmem_file_opts, opts);

	if (!api->ctx)
		make_ctx(api);
	opts.flags = suitable_flags(api);
	MUST(gmem_vm_create(api->ctx, api->vm_type, NULL, &api->other_vm) == 0);
	MUST(gmem_file_create(api->other_vm, API_SIZE, &opts, &api->other_file) == 0);
}

struct gt_guest *api_guest(struct api *api)
{
	if (!api->guest)
		api->guest = gt_guest_create(api->t, gmem_vm_fd(api->vm));
	return api->guest;
}

int make_raw_vm(struct api *api)
{
	int kvm = gt_open_kvm(api->t);
	int vm = gt_create_vm(api->t, kvm, api->vm_type);

	MUST(kvm >= 0 && vm >= 0);
	gt_close(api->t, kvm);
	return vm;
}

int make_raw_file(struct api *api, int vm, uint64_t flags)
{
	int fd = gt_create_gmem(api->t, vm, API_SIZE, flags);

	MUST(fd >= 0);
	return fd;
}

/* The test bed's kernel has the series. */
static bool can_link(const struct gt *t)
{
	return t->profile ? !strncmp(t->profile, "rfc-link", 8) : !strcmp(t->kernel, "vm");
}

/* The type of VM that a case launches, or the one that needs no launch. */
static uint32_t launched_type(const struct gt *t)
{
	const struct api_case *c = t->data;

	if (c->needs & NEEDS_SNP)
		return GMEM_VM_SNP;
	return c->needs & NEEDS_TDX ? GMEM_VM_TDX : GMEM_VM_DEFAULT;
}

/* Cases run on all types that need no launch, or on the one that they launch. */
static bool is_for(const struct gt *t, uint32_t vm_type)
{
	uint32_t launched = launched_type(t);

	if (vm_type == GMEM_VM_SNP || vm_type == GMEM_VM_TDX)
		return vm_type == launched;
	return launched == GMEM_VM_DEFAULT;
}

static const char *missing_for(const struct gt *t, struct traits traits, uint32_t vm_type)
{
	const struct api_case *c = t->data;
	bool has_private = vm_type == GMEM_VM_SW_PROTECTED;

	if (!(traits.types & (1u << vm_type)))
		return vm_type == GMEM_VM_SNP   ? "VMs of type snp are not offered"
		       : vm_type == GMEM_VM_TDX ? "VMs of type tdx are not offered"
						: "VMs with private memory are not offered";
	if (!is_for(t, vm_type))
		return "only VMs of another type";
	if (launched_type(t) != GMEM_VM_DEFAULT)
		return NULL;
	if (c->needs & NEEDS_SIM && !t->sim)
		return "only simulated kernels";
	if (c->needs & NEEDS_LINK && !can_link(t))
		return "the kernel links no files";
	if (c->needs & NEEDS_VIEW && (has_private || traits.generation < GEN_6_18))
		return "no files that other VMs can bind by host address";
	if (c->needs & NEEDS_PRIVATE && !has_private)
		return "only VMs with private memory";
	if (c->needs & NEEDS_SHARED && has_private && !can_share(traits, vm_type))
		return "files for VMs with private memory cannot start shared";
	if (c->needs & NEEDS_GMEM && !has_private && traits.generation < GEN_6_18)
		return "only VMs with private memory bind files";
	if (c->needs & (NEEDS_MMAP | NEEDS_SHARED | NEEDS_PLACING) && traits.generation < GEN_6_18)
		return "files cannot be mapped";
	if (c->needs & NEEDS_PLACING && traits.generation < GEN_7_2)
		return "the kernel places no pages of files";
	return NULL;
}

void api_each_type(struct gt *t, void (*run)(const struct gt *t, uint32_t vm_type))
{
	static const uint32_t types[] = {GMEM_VM_SW_PROTECTED, GMEM_VM_DEFAULT, GMEM_VM_SNP,
					 GMEM_VM_TDX};
	struct traits traits = traits_of(t);
	const char *missing, *reason = NULL;
	unsigned int ran = 0;
	size_t i;

	for (i = 0; i < GT_COUNT(types); i++) {
		missing = missing_for(t, traits, types[i]);
		if (missing) {
			if (!reason || is_for(t, types[i]))
				reason = missing;
			continue;
		}
		fprintf(stderr, "VMs of type %u:\n", types[i]);
		run(t, types[i]);
		ran++;
	}
	REQUIRE(ran, "%s", reason);
}

static size_t add(struct gt_test *tests, size_t at, const struct api_case *cases, size_t count,
		  void (*run)(struct gt *t))
{
	size_t i;

	for (i = 0; i < count; i++)
		tests[at++] = (struct gt_test){
			.name = cases[i].name, .run = run, .data = &cases[i], .seconds = 300};
	return at;
}

struct gt_test *api_list(void (*run)(struct gt *t), size_t *ret_count)
{
	size_t count = api_count_ctx + api_count_vm + api_count_file + api_count_slot +
		       api_count_attr + api_count_prealloc + api_count_link + api_count_reboot +
		       api_count_handover + api_count_snp + api_count_tdx,
	       at = 0;
	struct gt_test *tests = calloc(count, sizeof(*tests));

	if (!tests)
		abort();
	at = add(tests, at, api_cases_ctx, api_count_ctx, run);
	at = add(tests, at, api_cases_vm, api_count_vm, run);
	at = add(tests, at, api_cases_file, api_count_file, run);
	at = add(tests, at, api_cases_slot, api_count_slot, run);
	at = add(tests, at, api_cases_attr, api_count_attr, run);
	at = add(tests, at, api_cases_prealloc, api_count_prealloc, run);
	at = add(tests, at, api_cases_link, api_count_link, run);
	at = add(tests, at, api_cases_handover, api_count_handover, run);
	at = add(tests, at, api_cases_reboot, api_count_reboot, run);
	at = add(tests, at, api_cases_snp, api_count_snp, run);
	at = add(tests, at, api_cases_tdx, api_count_tdx, run);
	*ret_count = at;
	return tests;
}
