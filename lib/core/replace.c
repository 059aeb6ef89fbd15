/* SPDX-License-Identifier: MIT */
/* A new VM object on the memory of an old one, step by step; what fails is undone. */
#include <libgmem/reboot.h>

#include <errno.h>

#include "alloc.h"
#include "contents.h"
#include "context.h"
#include "convert_job.h"
#include "errinfo.h"
#include "file_make.h"
#include "inode.h"
#include "link_choose.h"
#include "opts.h"

struct replace {
	struct gmem_vm *old;
	struct gmem_vm *vm; /* the new one */
	struct gmem_replace_opts opts;
	struct gmem_replace_info info;
	size_t count;             /* ranges of the old VM */
	struct gmem_slot **slots; /* of the old VM, in order of address spaces and addresses */
	struct gmem_slot **made;  /* of the new one, and their files, each with a reference */
	struct gmem_file **files;
	size_t made_count;
	size_t file_count;
	bool is_prepared; /* the new VM has all bound already: it stays so where this fails */
	uint64_t step_ns; /* when the last step ended */
	bool is_over;     /* nothing can be taken back any more */
};

static int check_opts(const struct gmem_vm *old, const struct gmem_replace_opts *opts,
		      struct gmem_vm **ret_vm)
{
	if (!ret_vm && !opts->vm)
		return gmi_error_arg("ret_vm", "a NULL pointer");
	if (opts->contents > GMEM_CONTENTS_LEAVE)
		return gmi_error_arg("contents", "unknown value %u", opts->contents);
	if (opts->attributes > GMEM_ATTRIBUTES_MOVE)
		return gmi_error_arg("attributes", "unknown value %u", opts->attributes);
	if (opts->mechanism > GMEM_LINK_HVA_VIEW)
		return gmi_error_arg("mechanism", "unknown mechanism %u", opts->mechanism);
	if (opts->padding)
		return gmi_error_arg("padding", "the padding is not 0");
	if (opts->vm && opts->vm->ctx != old->ctx)
		return gmi_error(-EXDEV, "the new VM is of another context");
	if (opts->vm && (opts->vm == old || opts->vm->type != old->type))
		return gmi_error_arg("vm", "the new VM is the old one, or of another type");
	if (opts->vm && gmi_attrs_in_use(&opts->vm->attrs))
		return gmi_error_arg("vm", "something was converted in the new VM");
	return 0;
}

static int check(struct gmem_vm *old, const struct gmem_replace_opts *in, struct gmem_vm **ret_vm,
		 struct gmem_replace_info *ret_info, struct replace *job)
{
	int ret;

	if (!old)
		return gmi_error_arg("old", "a NULL pointer");
	ret = gmi_opts_get(&job->opts, sizeof(job->opts), in);
	if (!ret)
		ret = gmi_vm_check_kept(old);
	if (!ret && job->opts.vm)
		ret = gmi_vm_check_kept(job->opts.vm);
	if (!ret)
		ret = check_opts(old, &job->opts, ret_vm);
	if (!ret && ret_info)
		ret = gmi_info_check(ret_info, sizeof(job->info));
	if (!ret && job->opts.attributes == GMEM_ATTRIBUTES_MOVE)
		ret = gmi_context_check_movable(old);
	if (!ret)
		ret = gmi_contents_check(old, &job->opts);
	return ret;
}

static void begin_clock(struct replace *job)
{
	if (gmi_sys_now(&job->old->ctx->sys, &job->step_ns))
		job->step_ns = 0;
}

static void end_step(struct replace *job, uint64_t *ret_ns)
{
	uint64_t before = job->step_ns;

	begin_clock(job);
	if (job->step_ns > before)
		*ret_ns += job->step_ns - before;
	job->info.total_ns += *ret_ns;
}

static size_t count_ranges(struct gmem_vm *vm)
{
	size_t count = 0;

	for (uint32_t as = 0; as < GMI_ADDRESS_SPACES; as++)
		count += gmi_slot_index_shown(&vm->slots, as)->count;
	return count;
}

static void list_ranges(struct replace *job)
{
	size_t at = 0;

	for (uint32_t as = 0; as < GMI_ADDRESS_SPACES; as++) {
		const struct gmi_rangemap *map = gmi_slot_index_shown(&job->old->slots, as);

		for (size_t i = 0; i < map->count; i++)
			job->slots[at++] = map->entries[i].value;
	}
}

static int list(struct replace *job)
{
	const struct gmem_allocator *allocator = &job->old->ctx->allocator;
	int ret = 0;

	gmi_vm_lock(job->old);
	job->count = count_ranges(job->old);
	job->slots = gmi_zalloc_array(allocator, job->count + 1, 2 * sizeof(void *));
	job->files = gmi_zalloc_array(allocator, job->count + 1, sizeof(void *));
	if (job->slots && job->files) {
		job->made = job->slots + job->count;
		list_ranges(job);
	} else {
		ret = gmi_error_memory();
	}
	gmi_vm_unlock(job->old);
	return ret;
}

static int create_vm(struct replace *job)
{
	const struct gmi_slot_ids *ids = &job->old->ids[0];
	const struct gmem_vm_opts opts = {
		.sz = sizeof(opts), .first_slot = ids->own, .slot_count = ids->own_end - ids->own};

	job->vm = job->opts.vm;
	return job->vm ? 0 : gmem_vm_create(job->old->ctx, job->old->type, &opts, &job->vm);
}

/* Takes the reference to @made, which is kept once. */
static int note_file(struct replace *job, const struct gmem_file *old, struct gmem_file *made)
{
	for (size_t i = 0; i < job->file_count; i++) {
		if (job->files[i] == made) {
			gmi_file_put(made);
			return 0;
		}
	}
	job->files[job->file_count++] = made;
	job->info.files++;
	if (gmi_file_is_view(made)) {
		job->info.mechanism = GMEM_LINK_HVA_VIEW;
		job->info.kept_other_vm = 1;
	} else if (job->info.mechanism == GMEM_LINK_BEST) {
		job->info.mechanism = GMEM_LINK_KERNEL;
	}
	return gmi_contents_check_file(old, &job->opts);
}

static int link_file(struct replace *job, struct gmem_file *old, struct gmem_file **ret_file)
{
	const struct gmem_link_opts opts = {.sz = sizeof(opts), .mechanism = job->opts.mechanism};
	struct gmem_file *made;
	int ret = gmi_file_link(job->vm, old, &opts, &made);

	if (ret)
		return ret;
	gmi_file_give_out(made, ret_file);
	return note_file(job, old, made);
}

/* The first range of a file links it, the others find it, as they do one that the caller linked. */
static int find_or_link(struct replace *job, struct gmem_file *old, struct gmem_file **ret_file)
{
	int ret = gmi_inode_know(old);

	if (ret)
		return ret;
	*ret_file = gmi_inode_find_file(old->inode, job->vm);
	return *ret_file ? note_file(job, old, *ret_file) : link_file(job, old, ret_file);
}

static int link_all(struct replace *job)
{
	struct gmem_file *file;
	int ret = 0;

	for (size_t i = 0; !ret && i < job->count; i++)
		if (job->slots[i]->file)
			ret = find_or_link(job, job->slots[i]->file, &file);
	return ret;
}

static int bind_one(struct replace *job, const struct gmem_slot *old)
{
	struct gmem_file *file = NULL;
	struct gmem_slot *made;
	int ret = old->file ? find_or_link(job, old->file, &file) : 0;

	if (!ret)
		ret = gmi_slot_bind_like(job->vm, old, file, &made);
	if (ret)
		return ret;
	job->made[job->made_count++] = made;
	job->info.slots++;
	return 0;
}

static int bind_all(struct replace *job)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < job->count; i++)
		ret = bind_one(job, job->slots[i]);
	return ret;
}

static int convert_run(struct replace *job, uint64_t gpa, uint64_t size)
{
	const struct gmem_convert_opts opts = {
		.sz = sizeof(opts), .flags = GMEM_CONVERT_UNBOUND, .discard = GMEM_DISCARD_KEEP};

	return gmem_convert(job->vm, gpa, size, GMEM_PRIVATE, &opts, NULL);
}

/* By guest address: per VM the state, in place what unbound pages shall be. */
static int carry(struct replace *job)
{
	const struct gmi_attrs *attrs = &job->old->attrs;
	bool in_place = attrs->mechanism == GMI_CONVERT_INPLACE;
	struct gmi_attrmap *map = in_place ? attrs->wished : attrs->map;
	struct gmi_attrmap_run run;
	int ret = 0;

	for (uint64_t at = 0;
	     !ret && map && gmi_attrmap_next_run(map, at, GMI_ATTRMAP_LIMIT_MAX, &run) > 0;
	     at = run.start + run.size)
		if (run.state == GMEM_PRIVATE && !in_place)
			ret = convert_run(job, run.start, run.size);
		else if (run.state == GMEM_PRIVATE)
			ret = gmi_attr_copy_wishes(job->vm, job->old, run.start, run.size);
	return ret;
}

/* What gmem_vm_prepare() has bound: the same memory, at the same addresses. */
static int take_prepared(struct replace *job, size_t i, struct gmem_slot *made)
{
	const struct gmem_slot *old = job->slots[i];

	if (old->backing_fd != made->backing_fd || (!old->backing && old->hva != made->hva)) {
		gmi_error_arg("vm", "the ranges at guest address %#llx have different host memory",
			      (unsigned long long)old->gpa.start);
		return gmi_at_gpa(old->gpa.start, old->gpa.size);
	}
	job->made[job->made_count++] = made;
	job->info.slots++;
	return made->file ? note_file(job, old->file, gmi_file_get(made->file)) : 0;
}

static int find_prepared(struct replace *job)
{
	size_t i = 0;
	int ret;

	gmi_vm_lock(job->old);
	ret = gmi_context_compare(job->vm, job->old, false);
	for (uint32_t as = 0; !ret && as < GMI_ADDRESS_SPACES; as++) {
		const struct gmi_rangemap *map = gmi_slot_index_shown(&job->vm->slots, as);

		for (size_t at = 0; !ret && at < map->count; at++, i++)
			ret = take_prepared(job, i, map->entries[at].value);
	}
	gmi_vm_unlock(job->old);
	return ret;
}

/* All or nothing: in place it is the old VM's state as well. */
static int make_private(struct replace *job)
{
	const struct gmem_convert_opts opts = {
		.sz = sizeof(opts), .flags = GMEM_CONVERT_ATOMIC, .discard = GMEM_DISCARD_KEEP};
	const struct gmem_allocator *allocator = &job->old->ctx->allocator;
	struct gmem_conversion *requests =
		gmi_zalloc_array(allocator, job->count + 1, sizeof(*requests));
	size_t count = 0;
	int ret;

	if (!requests)
		return gmi_error_memory();
	for (size_t i = 0; i < job->made_count; i++)
		if (gmi_slot_has_gmem(job->made[i]))
			requests[count++] = (struct gmem_conversion){
				.gpa = job->made[i]->gpa.start,
				.size = job->made[i]->gpa.size,
				.to = GMEM_PRIVATE,
			};
	ret = gmem_convert_batch(job->vm, requests, count, &opts, NULL);
	gmi_free(allocator, requests);
	return ret;
}

static int set_attributes(struct replace *job)
{
	int ret;

	if (job->opts.attributes == GMEM_ATTRIBUTES_PRIVATE)
		return make_private(job);
	if (job->opts.attributes == GMEM_ATTRIBUTES_CARRY)
		return carry(job);
	ret = gmi_context_move(job->vm, job->old);
	job->is_over = !ret;
	return ret;
}

/* What moved along with the context is where it belongs already. */
static void inherit_stale(struct replace *job)
{
	if (job->opts.attributes != GMEM_ATTRIBUTES_CARRY)
		return;
	gmi_vm_lock(job->old);
	for (size_t i = 0; i < job->count; i++)
		gmi_context_move_stale(job->made[i], job->slots[i]);
	gmi_vm_unlock(job->old);
}

static void take_ownership(const struct gmem_file *file, struct gmem_vm *old)
{
	struct gmi_inode *inode = file->inode;

	pthread_mutex_lock(&inode->ctx->inode_lock);
	if (inode->owner && inode->owner->vm == old)
		inode->owner = (struct gmem_file *)file;
	pthread_mutex_unlock(&inode->ctx->inode_lock);
}

/* Both VMs have one bind lock by now where they share a file. */
static int clear(struct replace *job)
{
	struct gmi_contents contents = {
		.slots = job->made, .count = job->made_count, .opts = &job->opts};
	uint64_t total = 0;
	int ret;

	job->is_over |= job->opts.contents != GMEM_CONTENTS_KEEP;
	ret = gmi_contents_clear(&contents);
	if (ret)
		return ret;
	for (size_t i = 0; i < job->made_count; i++)
		total += job->made[i]->gpa.size;
	job->info.zeroed_bytes = contents.zeroed_bytes;
	job->info.left_bytes = contents.left_bytes;
	job->info.kept_bytes = total - contents.zeroed_bytes - contents.left_bytes;
	return 0;
}

typedef int step_fn(struct replace *job);

static int take_step(struct replace *job, step_fn *step, uint64_t *ret_ns)
{
	int ret = step(job);

	end_step(job, ret_ns);
	return ret;
}

/* What can be done while the old guest still runs. */
static int prepare(struct replace *job)
{
	int ret = list(job);

	begin_clock(job);
	if (!ret)
		ret = take_step(job, create_vm, &job->info.create_ns);
	if (!ret && job->is_prepared)
		return take_step(job, find_prepared, &job->info.bind_ns);
	if (!ret)
		ret = take_step(job, link_all, &job->info.link_ns);
	if (!ret)
		ret = take_step(job, bind_all, &job->info.bind_ns);
	return ret;
}

/* Steps that cannot be taken back are last. */
static int act(struct replace *job)
{
	int ret = prepare(job);

	if (!ret)
		ret = take_step(job, set_attributes, &job->info.attributes_ns);
	if (!ret)
		ret = take_step(job, clear, &job->info.contents_ns);
	return ret;
}

/* A VM of the caller's shows nothing of the attempt, the kernel's state by guest address included. */
static void forget_attributes(struct replace *job)
{
	const struct gmem_convert_opts opts = {
		.sz = sizeof(opts), .flags = GMEM_CONVERT_UNBOUND, .discard = GMEM_DISCARD_KEEP};

	if (!job->opts.vm || job->is_over)
		return;
	if (job->vm->attrs.mechanism == GMI_CONVERT_VM)
		gmem_convert(job->vm, 0, GMI_ATTRMAP_LIMIT_MAX, GMEM_SHARED, &opts, NULL);
	gmi_vm_lock(job->vm);
	gmi_attr_forget_wishes(job->vm, 0, GMI_ATTRMAP_LIMIT_MAX);
	gmi_vm_unlock(job->vm);
}

static void undo(struct replace *job)
{
	while (job->made_count && !job->is_prepared)
		gmi_slot_give_up(job->made[--job->made_count]);
	if (job->vm)
		forget_attributes(job);
	for (size_t i = 0; i < job->file_count; i++)
		gmi_file_put(job->files[i]);
	if (job->vm && !job->opts.vm)
		gmi_vm_put(job->vm);
}

static void keep_files(struct replace *job)
{
	for (size_t i = 0; i < job->file_count; i++)
		gmi_file_put(job->files[i]);
}

static void commit(struct replace *job)
{
	inherit_stale(job);
	for (size_t i = 0; i < job->file_count; i++)
		take_ownership(job->files[i], job->old);
	keep_files(job);
}

static int fail(struct replace *job, int ret)
{
	struct gmem_errinfo record;

	record = *gmem_errinfo();
	undo(job);
	gmi_errinfo_restore(&record);
	if (!job->is_over)
		return ret;
	return gmi_error(-ENOTRECOVERABLE, "half-way, with the way back closed: %.200s",
			 record.message);
}

/* @go does the work, @keep makes it final. */
static int run(struct gmem_vm *old, const struct gmem_replace_opts *opts, struct gmem_vm **ret_vm,
	       struct gmem_replace_info *ret_info, step_fn *go, void (*keep)(struct replace *job))
{
	struct replace job = {
		.old = old, .opts = {.sz = sizeof(job.opts)}, .info = {.sz = sizeof(job.info)}};
	struct gmem_errinfo before = *gmem_errinfo();
	int ret = check(old, opts, ret_vm, ret_info, &job);

	if (ret)
		return ret;
	job.is_prepared = job.opts.vm && job.opts.vm->slot_count;
	ret = go(&job);
	if (ret)
		ret = fail(&job, ret);
	else
		keep(&job);
	gmi_free(&old->ctx->allocator, job.slots);
	gmi_free(&old->ctx->allocator, job.files);
	if (ret)
		return ret;
	if (ret_vm)
		*ret_vm = job.vm;
	if (ret_info)
		gmi_info_put(ret_info, &job.info, sizeof(job.info));
	gmi_errinfo_restore(&before);
	return 0;
}

GMEM_API int gmem_vm_replace(struct gmem_vm *old, const struct gmem_replace_opts *opts,
			     struct gmem_vm **ret_vm, struct gmem_replace_info *ret_info)
{
	return gmi_result(__func__, run(old, opts, ret_vm, ret_info, act, commit));
}

GMEM_API int gmem_vm_prepare(struct gmem_vm *old, const struct gmem_replace_opts *opts,
			     struct gmem_vm **ret_vm, struct gmem_replace_info *ret_info)
{
	return gmi_result(__func__, run(old, opts, ret_vm, ret_info, prepare, keep_files));
}

static struct gmem_slot *first_range(struct gmem_vm *vm)
{
	struct gmem_slot *slot = NULL;

	gmi_vm_lock(vm);
	for (uint32_t as = 0; !slot && as < GMI_ADDRESS_SPACES; as++) {
		const struct gmi_rangemap *map = gmi_slot_index_shown(&vm->slots, as);

		if (map->count)
			slot = map->entries[map->count - 1].value;
	}
	gmi_vm_unlock(vm);
	return slot;
}

static int unbind_all(struct gmem_vm *vm)
{
	struct gmem_slot *slot;
	int ret = 0;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	gmi_vm_get(vm);
	while (!ret && (slot = first_range(vm))) {
		ret = gmem_slot_unbind(slot);
		if (ret == -ESTALE)
			ret = 0;
	}
	gmi_vm_put(vm);
	return ret;
}

GMEM_API int gmem_vm_unbind_all(struct gmem_vm *vm)
{
	return gmi_result(__func__, unbind_all(vm));
}
