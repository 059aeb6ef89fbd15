/* SPDX-License-Identifier: MIT */
/* Two VMs on one inode: what one does to the other, who may do what, and what moves between them. */
#include <pthread.h>
#include <unistd.h>

#include "api.h"
#include "gt_snp.h"

#define SIZE    (4 * GT_PAGE)
#define ROUNDS  200
#define A_GPA   API_GPA
#define B_GPA   (API_GPA + API_SIZE)
#define B_DELTA GT_PAGE /* the second VM sees the file from here on */

/* What a listener was told, and what it answers. */
struct ear {
	uint64_t mapped;
	unsigned int maps, unmaps;
	uint64_t gpa; /* of the last */
	int veto_map, veto_unmap;
};

/* Two VMs with a range each of one file. */
struct pair {
	struct api api;
	struct ear a, b;
	struct gmem_listener *a_listener, *b_listener;
};

static int hear_map(void *user, const struct gmem_listener_range *range)
{
	struct ear *ear = user;

	if (ear->veto_map)
		return ear->veto_map;
	ear->maps++;
	ear->mapped += range->size;
	ear->gpa = range->gpa;
	return 0;
}

static int hear_unmap(void *user, const struct gmem_listener_range *range)
{
	struct ear *ear = user;

	if (ear->veto_unmap)
		return ear->veto_unmap;
	ear->unmaps++;
	ear->mapped -= range->size;
	ear->gpa = range->gpa;
	return 0;
}

static struct gmem_listener *listen(struct gmem_vm *vm, struct ear *ear)
{
	GMEM_INIT(gmem_listener_opts, opts);
	struct gmem_listener *listener;

	opts.map = hear_map;
	opts.unmap = hear_unmap;
	opts.user = ear;
	MUST(gmem_listener_add(vm, &opts, &listener) == 0);
	return listener;
}

static struct gmem_slot *bind(struct gmem_vm *vm, uint64_t gpa, struct gmem_file *file,
			      uint64_t offset, uint64_t size)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;

	opts.file = file;
	opts.offset = offset;
	MUST(gmem_slot_bind(vm, gpa, size, &opts, &slot) == 0);
	return slot;
}

static void open_api(struct api *api, struct gt *t, uint32_t vm_type)
{
	fixture_open(api, t, vm_type);
	api->rfc = GMEM_RFC_LINK;
	make_ctx(api);
}

static bool has(struct api *api, uint32_t feature)
{
	return gmem_has_feature(api->ctx, api->vm_type, feature) == 1;
}

/* The second VM sees the second to the fourth page. */
static void open_pair(struct pair *pair, struct gt *t, uint32_t denied)
{
	struct api *api = &pair->api;
	GMEM_INIT(gmem_link_opts, opts);

	memset(pair, 0, sizeof(*pair));
	open_api(api, t, GMEM_VM_SW_PROTECTED);
	if (!has(api, GMEM_FEATURE_LINK)) {
		fixture_close(api);
		gt_skip("the kernel links no files");
	}
	make_slot(api);
	opts.denied = denied;
	MUST(gmem_vm_create(api->ctx, api->vm_type, NULL, &api->other_vm) == 0);
	MUST(gmem_file_link(api->other_vm, api->file, &opts, &api->other_file) == 0);
	api->other_slot = bind(api->other_vm, B_GPA, api->other_file, B_DELTA, SIZE - B_DELTA);
}

static void close_pair(struct pair *pair)
{
	gmem_listener_remove(pair->a_listener);
	gmem_listener_remove(pair->b_listener);
	fixture_close(&pair->api);
}

static void require_in_place(struct pair *pair, bool wanted)
{
	if (has(&pair->api, GMEM_FEATURE_CONVERT_INPLACE) == wanted)
		return;
	close_pair(pair);
	gt_skip("conversion is %s place here", wanted ? "not in" : "in");
}

static int convert(struct gmem_vm *vm, uint64_t gpa, uint64_t size, uint32_t to)
{
	return gmem_convert(vm, gpa, size, to, NULL, NULL);
}

static void expect_states(struct pair *pair, int state)
{
	struct api *api = &pair->api;

	EXPECT("one VM", gmem_attr_query(api->vm, A_GPA + B_DELTA, SIZE - B_DELTA), state);
	EXPECT("the other", gmem_attr_query(api->other_vm, B_GPA, SIZE - B_DELTA), state);
}

/* In place there is one state, whoever converts, and at whatever addresses. */
static void one_state_in_place(struct gt *t)
{
	struct pair pair;

	open_pair(&pair, t, 0);
	require_in_place(&pair, true);
	EXPECT("by one", convert(pair.api.vm, A_GPA, SIZE, GMEM_PRIVATE), 0);
	expect_states(&pair, GMEM_PRIVATE);
	EXPECT("by the other", convert(pair.api.other_vm, B_GPA, GT_PAGE, GMEM_SHARED), 0);
	expect_states(&pair, GMEM_MIXED);
	EXPECT("its page", gmem_attr_query(pair.api.vm, A_GPA + B_DELTA, GT_PAGE), GMEM_SHARED);
	EXPECT("no other", gmem_attr_query(pair.api.vm, A_GPA, GT_PAGE), GMEM_PRIVATE);
	EXPECT("unbind", gmem_slot_unbind(pair.api.slot), 0);
	pair.api.slot = NULL;
	EXPECT("stays", gmem_attr_query(pair.api.other_vm, B_GPA + GT_PAGE, GT_PAGE), GMEM_PRIVATE);
	close_pair(&pair);
}

/* With two backings each VM has a state of its own. */
static void two_states_per_vm(struct gt *t)
{
	struct pair pair;

	open_pair(&pair, t, 0);
	require_in_place(&pair, false);
	EXPECT("by one", convert(pair.api.vm, A_GPA, SIZE, GMEM_PRIVATE), 0);
	EXPECT("one", gmem_attr_query(pair.api.vm, A_GPA, SIZE), GMEM_PRIVATE);
	EXPECT("the other", gmem_attr_query(pair.api.other_vm, B_GPA, SIZE - B_DELTA), GMEM_SHARED);
	close_pair(&pair);
}

static void hear_both(struct pair *pair)
{
	pair->a_listener = listen(pair->api.vm, &pair->a);
	pair->b_listener = listen(pair->api.other_vm, &pair->b);
	EXPECT("all at first", (int64_t)pair->a.mapped, SIZE);
	EXPECT("all at first", (int64_t)pair->b.mapped, SIZE - B_DELTA);
}

/* Devices of either VM map what is shared, at the addresses of their own VM. */
static void listeners_of_both(struct gt *t)
{
	struct pair pair;

	open_pair(&pair, t, 0);
	require_in_place(&pair, true);
	hear_both(&pair);
	EXPECT("to private", convert(pair.api.vm, A_GPA + 2 * GT_PAGE, GT_PAGE, GMEM_PRIVATE), 0);
	EXPECT("one's", (int64_t)pair.a.mapped, SIZE - GT_PAGE);
	EXPECT("the other's", (int64_t)pair.b.mapped, SIZE - B_DELTA - GT_PAGE);
	EXPECT("where it sees it", (int64_t)pair.b.gpa, B_GPA + GT_PAGE);
	EXPECT("outside its view", convert(pair.api.vm, A_GPA, GT_PAGE, GMEM_PRIVATE), 0);
	EXPECT("not told", pair.b.unmaps, 1);
	EXPECT("and back, by the other",
	       convert(pair.api.other_vm, B_GPA, SIZE - B_DELTA, GMEM_SHARED), 0);
	EXPECT("one's", (int64_t)pair.a.mapped, SIZE - GT_PAGE);
	EXPECT("the other's", (int64_t)pair.b.mapped, SIZE - B_DELTA);
	close_pair(&pair);
}

/* A veto of the other VM's device is one. */
static void vetoes_of_others(struct gt *t)
{
	struct pair pair;

	open_pair(&pair, t, 0);
	require_in_place(&pair, true);
	hear_both(&pair);
	pair.b.veto_unmap = -EBUSY;
	EXPECT("to private", convert(pair.api.vm, A_GPA, SIZE, GMEM_PRIVATE), -EBUSY);
	expect_states(&pair, GMEM_SHARED);
	EXPECT("taken back", (int64_t)pair.a.mapped, SIZE);
	EXPECT("punch", gmem_file_punch(pair.api.file, 0, SIZE), -EBUSY);
	pair.b.veto_unmap = 0;
	EXPECT("to private", convert(pair.api.vm, A_GPA, SIZE, GMEM_PRIVATE), 0);
	pair.b.veto_map = -ENOSPC;
	EXPECT("to shared", convert(pair.api.vm, A_GPA, SIZE, GMEM_SHARED), -ENOSPC);
	expect_states(&pair, GMEM_PRIVATE);
	EXPECT("nothing", (int64_t)pair.a.mapped, 0);
	EXPECT("nothing", (int64_t)pair.b.mapped, 0);
	pair.b.veto_map = 0;
	close_pair(&pair);
}

/* A hole is a hole for all: devices of the others let go and take the new pages. */
static void punch_is_told(struct gt *t)
{
	struct pair pair;

	open_pair(&pair, t, 0);
	hear_both(&pair);
	EXPECT("punch", gmem_file_punch(pair.api.file, 0, SIZE), 0);
	EXPECT("unmapped", pair.b.unmaps, pair.b.maps - 1);
	EXPECT("mapped again", (int64_t)pair.b.mapped, SIZE - B_DELTA);
	EXPECT("its own VM knows", pair.a.unmaps, 0);
	close_pair(&pair);
}

/* So is what a replacement frees. */
static void replacement_is_told(struct gt *t)
{
	GMEM_INIT(gmem_replace_opts, opts);
	struct gmem_vm *made = NULL;
	struct pair pair;

	open_pair(&pair, t, 0);
	hear_both(&pair);
	opts.contents = GMEM_CONTENTS_PUNCH;
	EXPECT("replace", gmem_vm_replace(pair.api.vm, &opts, &made, NULL), 0);
	EXPECT("unmapped", pair.b.unmaps > 0, true);
	EXPECT("unmapped", pair.b.unmaps, pair.b.maps - 1);
	EXPECT("mapped again", (int64_t)pair.b.mapped, SIZE - B_DELTA);
	EXPECT("unbind", gmem_vm_unbind_all(made), 0);
	gmem_vm_unref(made);
	close_pair(&pair);
}

static void expect_read(struct gt_guest *guest, uint64_t gpa, uint8_t value)
{
	struct gt_exit exit = gt_guest_read(guest, gpa);

	EXPECT("read", gt_exit_is_done(&exit), true);
	EXPECT("byte", (int64_t)exit.value, value);
}

/* What is stale for one VM may be another's only copy. */
static void stale_for_one(struct gt *t)
{
	struct gt_guest *other;
	struct pair pair;
	struct gt_exit exit;
	GMEM_INIT(gmem_attr_info, info);

	open_pair(&pair, t, 0);
	require_in_place(&pair, false);
	MUST(convert(pair.api.vm, A_GPA, SIZE, GMEM_PRIVATE) == 0);
	MUST(convert(pair.api.other_vm, B_GPA, SIZE - B_DELTA, GMEM_PRIVATE) == 0);
	exit = gt_guest_write(api_guest(&pair.api), A_GPA + B_DELTA, 0x33);
	MUST(gt_exit_is_done(&exit));
	EXPECT("one leaves", convert(pair.api.vm, A_GPA, SIZE, GMEM_SHARED), 0);
	other = gt_guest_create(t, gmem_vm_fd(pair.api.other_vm));
	expect_read(other, B_GPA, 0x33);
	MUST(gmem_attr_get_info(pair.api.vm, NULL, &info) == 0);
	EXPECT("it is not given back", (int64_t)info.twice_bytes, SIZE);
	EXPECT("the other leaves", convert(pair.api.other_vm, B_GPA, SIZE - B_DELTA, GMEM_SHARED),
	       0);
	MUST(gmem_attr_get_info(pair.api.other_vm, NULL, &info) == 0);
	EXPECT("now it is", (int64_t)info.twice_bytes, 0);
	gt_guest_destroy(other);
	close_pair(&pair);
}

static void rights(struct gt *t)
{
	struct gmem_vm *third;
	struct gmem_file *file;
	struct pair pair;
	GMEM_INIT(gmem_file_description, info);

	open_pair(&pair, t, GMEM_RIGHT_CONVERT | GMEM_RIGHT_PUNCH);
	EXPECT("convert", convert(pair.api.other_vm, B_GPA, GT_PAGE, GMEM_PRIVATE), -EPERM);
	EXPECT("punch", gmem_file_punch(pair.api.other_file, 0, GT_PAGE), -EPERM);
	EXPECT("populate", gmem_file_populate(pair.api.other_file, 0, GT_PAGE, NULL), 0);
	EXPECT("the owner", gmem_file_punch(pair.api.file, 0, GT_PAGE), 0);
	MUST(gmem_vm_create(pair.api.ctx, pair.api.vm_type, NULL, &third) == 0);
	EXPECT("a borrower's borrower", gmem_file_link(third, pair.api.other_file, NULL, &file), 0);
	EXPECT("describe", gmem_file_describe(file, &info), 0);
	EXPECT("has no more", info.denied, GMEM_RIGHT_CONVERT | GMEM_RIGHT_PUNCH);
	EXPECT("files", info.files, 3);
	EXPECT("by libgmem", info.enforced_by_library, info.denied);
	gmem_file_unref(file);
	gmem_vm_unref(third);
	close_pair(&pair);
}

/* A file that the VMM linked for the new VM beforehand gives no more than the old one had. */
static void replaced_with_less(struct gt *t)
{
	GMEM_INIT(gmem_replace_opts, opts);
	struct gmem_file *file;
	struct pair pair;

	open_pair(&pair, t, GMEM_RIGHT_PUNCH);
	MUST(gmem_vm_create(pair.api.ctx, pair.api.vm_type, NULL, &opts.vm) == 0);
	MUST(gmem_file_link(opts.vm, pair.api.other_file, NULL, &file) == 0);
	opts.contents = GMEM_CONTENTS_PUNCH;
	opts.attributes = GMEM_ATTRIBUTES_PRIVATE;
	EXPECT("punch", gmem_vm_replace(pair.api.other_vm, &opts, NULL, NULL), -EPERM);
	gmem_file_unref(file);
	gmem_vm_unref(opts.vm);
	close_pair(&pair);
}

/* The owner can go: then nobody is, until one that has a full file says so. */
static void owner_is_gone(struct gt *t)
{
	struct gmem_file *file;
	struct gmem_vm *third;
	struct pair pair;
	GMEM_INIT(gmem_file_description, info);

	open_pair(&pair, t, 0);
	MUST(gmem_vm_create(pair.api.ctx, pair.api.vm_type, NULL, &third) == 0);
	MUST(gmem_file_link(third, pair.api.file, NULL, &file) == 0);
	EXPECT("not the owner's", gmem_file_donate(pair.api.other_file, file), -EPERM);
	MUST(gmem_slot_unbind(pair.api.slot) == 0);
	pair.api.slot = NULL;
	pair.api.file = gmem_file_unref(pair.api.file);
	EXPECT("describe", gmem_file_describe(file, &info), 0);
	EXPECT("no owner", info.has_owner, 0);
	EXPECT("donate", gmem_file_donate(pair.api.other_file, file), 0);
	EXPECT("describe", gmem_file_describe(file, &info), 0);
	EXPECT("the owner's", info.is_owner, 1);
	gmem_file_unref(file);
	gmem_vm_unref(third);
	close_pair(&pair);
}

static void expect_difference(struct pair *pair, uint64_t gpa, const char *why)
{
	EXPECT(why, gmem_vm_move_context(pair->api.other_vm, pair->api.vm), -EINVAL);
	EXPECT(why, strstr(gmem_errinfo()->message, why) != NULL, true);
	EXPECT(why, (int64_t)gmem_errinfo()->gpa, (int64_t)gpa);
}

static void rebind_other(struct pair *pair, uint64_t gpa, uint64_t offset, uint64_t size)
{
	if (pair->api.other_slot)
		MUST(gmem_slot_unbind(pair->api.other_slot) == 0);
	pair->api.other_slot = bind(pair->api.other_vm, gpa, pair->api.other_file, offset, size);
}

/* The kernel would say EINVAL to each. */
static void layouts_that_differ(struct gt *t)
{
	struct gmem_file *stranger;
	struct gmem_slot *second;
	struct pair pair;

	open_pair(&pair, t, 0);
	expect_difference(&pair, A_GPA, "the target has nothing there");
	rebind_other(&pair, A_GPA - SIZE, 0, SIZE);
	expect_difference(&pair, A_GPA - SIZE, "the source has nothing there");
	rebind_other(&pair, A_GPA, 0, 2 * GT_PAGE);
	expect_difference(&pair, A_GPA, "not of one size");
	rebind_other(&pair, A_GPA, GT_PAGE, SIZE);
	expect_difference(&pair, A_GPA, "different offsets");
	rebind_other(&pair, A_GPA, 0, SIZE);
	second = bind(pair.api.other_vm, B_GPA, pair.api.other_file, SIZE, GT_PAGE);
	expect_difference(&pair, B_GPA, "the source has nothing there");
	MUST(gmem_slot_unbind(second) == 0);
	MUST(gmem_slot_unbind(pair.api.other_slot) == 0);
	MUST(gmem_file_create(pair.api.other_vm, SIZE, NULL, &stranger) == 0);
	pair.api.other_slot = bind(pair.api.other_vm, A_GPA, stranger, 0, SIZE);
	expect_difference(&pair, A_GPA, "not on one inode");
	gmem_file_unref(stranger);
	rebind_other(&pair, A_GPA, 0, SIZE);
	EXPECT("alike", gmem_vm_move_context(pair.api.other_vm, pair.api.vm), 0);
	pair.api.is_dead = true;
	EXPECT("once", gmem_vm_move_context(pair.api.other_vm, pair.api.vm), -ESTALE);
	close_pair(&pair);
}

static void open_typed(struct api *api, struct gt *t, uint32_t vm_type)
{
	open_api(api, t, vm_type);
	if (gmem_has_vm_type(api->ctx, vm_type) == 1)
		return;
	fixture_close(api);
	gt_skip("no VMs of type %u", vm_type);
}

/* What cannot be done is said, with the feature, before the kernel is asked. */
static void cannot_of(struct gt *t, uint32_t vm_type)
{
	GMEM_INIT(gmem_replace_opts, opts);
	struct gmem_vm *vm = NULL;
	struct api api;

	open_typed(&api, t, vm_type);
	MUST(gmem_vm_create(api.ctx, vm_type, NULL, &api.vm) == 0);
	MUST(gmem_vm_create(api.ctx, vm_type, NULL, &api.other_vm) == 0);
	EXPECT("move", gmem_vm_move_context(api.other_vm, api.vm), -EOPNOTSUPP);
	EXPECT("feature", gmem_errinfo()->feature, GMEM_FEATURE_MOVE_CONTEXT);
	EXPECT("mirror", gmem_vm_mirror(api.other_vm, api.vm), -EOPNOTSUPP);
	EXPECT("feature", gmem_errinfo()->feature, GMEM_FEATURE_MIRROR);
	EXPECT("keep", gmem_vm_replace(api.vm, &opts, &vm, NULL), -EOPNOTSUPP);
	opts.attributes = GMEM_ATTRIBUTES_MOVE;
	EXPECT("move", gmem_vm_replace(api.vm, &opts, &vm, NULL), -EOPNOTSUPP);
	opts.attributes = GMEM_ATTRIBUTES_CARRY;
	opts.contents = GMEM_CONTENTS_LEAVE;
	EXPECT("leave", gmem_vm_replace(api.vm, &opts, &vm, NULL), 0);
	gmem_vm_unref(vm);
	fixture_close(&api);
}

static void snp_cannot(struct gt *t)
{
	cannot_of(t, GMEM_VM_SNP);
}

static void tdx_cannot(struct gt *t)
{
	cannot_of(t, GMEM_VM_TDX);
}

/* SEV guests that were initialised without libgmem. */
static void open_sev(struct api *api, struct gt *t, struct gt_sev *sev)
{
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, sev);
	open_typed(api, t, GMEM_VM_SEV);
	if (gt_sev_init2(sev, 0)) {
		gt_sev_close(sev);
		fixture_close(api);
		gt_skip("the machine has no secure processor");
	}
	MUST(gmem_vm_borrow(api->ctx, sev->vm, GMEM_VM_SEV, NULL, &api->vm) == 0);
	MUST(gmem_vm_create(api->ctx, GMEM_VM_SEV, NULL, &api->other_vm) == 0);
}

/* A helper holds its VM, and a mirror cannot be mirrored. */
static void mirror_holds_its_vm(struct gt *t)
{
	struct gmem_vm *third;
	struct gt_sev sev;
	struct api api;

	open_sev(&api, t, &sev);
	MUST(gmem_vm_create(api.ctx, GMEM_VM_SEV, NULL, &third) == 0);
	EXPECT("no guest there", gmem_vm_mirror(third, api.other_vm), -EINVAL);
	EXPECT("itself", gmem_vm_mirror(api.vm, api.vm), -EINVAL);
	EXPECT("mirror", gmem_vm_mirror(api.other_vm, api.vm), 0);
	EXPECT("twice", gmem_vm_mirror(api.other_vm, api.vm), -EBUSY);
	EXPECT("a mirror's mirror", gmem_vm_mirror(third, api.other_vm), -EINVAL);
	gmem_vm_unref(third);
	api.vm = gmem_vm_unref(api.vm);
	gt_sev_close(&sev);
	api.fd = gt_create_vcpu(t, gmem_vm_fd(api.other_vm));
	EXPECT("it can have vCPUs", api.fd >= 0, true);
	fixture_close(&api);
}

static void sev_moves(struct gt *t)
{
	struct gt_sev sev;
	struct api api;

	open_sev(&api, t, &sev);
	EXPECT("move", gmem_vm_move_context(api.other_vm, api.vm), 0);
	EXPECT("dead", gt_cap(t, sev.vm, 3), -EIO);
	EXPECT("no guest is left there", gmem_vm_move_context(api.other_vm, api.vm), -EINVAL);
	gt_sev_close(&sev);
	fixture_close(&api);
}

/* Descriptors that are no guest memory, or not what the sender says. */
static void foreign_descriptors(struct gt *t)
{
	GMEM_INIT(gmem_link_opts, opts);
	struct gmem_file *file;
	struct pair pair;
	int memfd;

	open_pair(&pair, t, 0);
	memfd = t->ops->memfd(t->user, "no guest memory", 0);
	MUST(memfd >= 0 && ftruncate(memfd, SIZE) == 0);
	opts.file_flags = suitable_flags(&pair.api);
	EXPECT("a memfd", gmem_file_link_fd(pair.api.other_vm, memfd, &opts, &file), -EINVAL);
	EXPECT("a VM", gmem_file_link_fd(pair.api.vm, gmem_vm_fd(pair.api.other_vm), &opts, &file),
	       -EINVAL);
	EXPECT("closed", gmem_file_link_fd(pair.api.vm, 999, &opts, &file), -EBADF);
	EXPECT("the VM has it",
	       gmem_file_link_fd(pair.api.vm, gmem_file_fd(pair.api.other_file), &opts, &file),
	       -EBUSY);
	opts.file_flags ^= GMEM_FILE_MMAP;
	EXPECT("other flags",
	       gmem_file_link_fd(pair.api.vm, gmem_file_fd(pair.api.other_file), &opts, &file),
	       -EINVAL);
	gt_close(t, memfd);
	close_pair(&pair);
}

/* One thread's side of a race on one inode. */
struct racer {
	struct gmem_vm *vm;
	struct gmem_file *file;
	uint64_t gpa;
	int failed;
};

static void *race(void *data)
{
	struct racer *racer = data;
	int ret = 0;

	for (int i = 0; !ret && i < ROUNDS; i++) {
		ret = convert(racer->vm, racer->gpa, 2 * GT_PAGE,
			      i % 2 ? GMEM_SHARED : GMEM_PRIVATE);
		if (!ret)
			ret = gmem_file_punch(racer->file, B_DELTA, GT_PAGE);
		gmem_attr_query(racer->vm, racer->gpa, GT_PAGE);
	}
	racer->failed = ret;
	return NULL;
}

/* Both VMs convert and punch the same pages; links come and go meanwhile. */
static void races(struct gt *t)
{
	struct racer racers[2];
	pthread_t threads[2];
	struct gmem_vm *third;
	struct gmem_file *file;
	struct pair pair;

	open_pair(&pair, t, 0);
	hear_both(&pair);
	racers[0] = (struct racer){pair.api.vm, pair.api.file, A_GPA + B_DELTA, 0};
	racers[1] = (struct racer){pair.api.other_vm, pair.api.other_file, B_GPA, 0};
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
	for (int i = 0; i < 20; i++) {
		MUST(gmem_vm_create(pair.api.ctx, pair.api.vm_type, NULL, &third) == 0);
		EXPECT("link", gmem_file_link(third, pair.api.file, NULL, &file), 0);
		gmem_file_unref(file);
		gmem_vm_unref(third);
	}
	for (int i = 0; i < 2; i++) {
		MUST(pthread_join(threads[i], NULL) == 0);
		EXPECT("no failure", racers[i].failed, 0);
	}
	close_pair(&pair);
}

static const struct gt_test tests[] = {
	GT_TEST(one_state_in_place),
	GT_TEST(two_states_per_vm),
	GT_TEST(listeners_of_both),
	GT_TEST(vetoes_of_others),
	GT_TEST(punch_is_told),
	GT_TEST(replacement_is_told),
	GT_TEST(stale_for_one),
	GT_TEST(rights),
	GT_TEST(replaced_with_less),
	GT_TEST(owner_is_gone),
	GT_TEST(layouts_that_differ),
	GT_TEST(snp_cannot),
	GT_TEST(tdx_cannot),
	GT_TEST(mirror_holds_its_vm),
	GT_TEST(sev_moves),
	GT_TEST(foreign_descriptors),
	GT_TEST(races),
};

GT_MAIN(tests)
