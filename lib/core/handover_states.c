/* SPDX-License-Identifier: MIT */
/* Sets the private/shared state that a manifest tells, before anything is bound. */
#include <errno.h>

#include "errinfo.h"
#include "handover_job.h"
#include "inode.h"
#include "kvm_call.h"
#include "uapi_kvm.h"

typedef int set_fn(struct gmem_handover *h, struct gmi_attrmap *map,
		   const struct gmi_runs_cursor *run, uint32_t state);

static int set_map(struct gmem_handover *h, struct gmi_attrmap *map,
		   const struct gmi_runs_cursor *run, uint32_t state)
{
	if (gmi_attrmap_set(map, run->start, run->size, (enum gmem_state)state))
		return gmi_error_memory();
	return 0;
}

/* A new VM is all shared, and so is what the kernel is not told of. */
static int set_kernel(struct gmem_handover *h, struct gmi_attrmap *map,
		      const struct gmi_runs_cursor *run, uint32_t state)
{
	uint64_t attributes = state == GMEM_PRIVATE ? GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
	int ret =
		gmi_kvm_set_attributes(&h->ctx->sys, h->vm->fd, run->start, run->size, attributes);

	if (ret) {
		gmi_vm_error(ret, "KVM_SET_MEMORY_ATTRIBUTES", "the state cannot be set");
		return gmi_at_gpa(run->start, run->size);
	}
	return set_map(h, map, run, state);
}

/* Runs that differ from @initial, the state that all of the map has. */
static int set_runs(struct gmem_handover *h, const struct gmi_manifest_runs *runs,
		    struct gmi_attrmap *map, set_fn *set, uint32_t initial)
{
	struct gmi_runs_cursor run;
	int ret = 0;

	gmi_runs_begin(runs, &run);
	while (!ret && gmi_runs_next(&run) > 0)
		if (run.state != initial)
			ret = set(h, map, &run, run.state);
	return ret;
}

static bool is_all_shared(const struct gmi_manifest_runs *runs)
{
	return !runs->count || (runs->count == 1 && runs->first == GMEM_SHARED);
}

static int set_vm(struct gmem_handover *h, const struct gmi_manifest_runs *runs)
{
	const struct gmi_attrs *attrs = &h->vm->attrs;

	if (is_all_shared(runs))
		return 0;
	if (attrs->mechanism == GMI_CONVERT_NONE)
		return gmi_error_feature(GMEM_FEATURE_PRIVATE, "the VM has private memory, which "
							       "this kernel does not have");
	return set_runs(h, runs, attrs->map,
			attrs->mechanism == GMI_CONVERT_VM && !h->manifest.has_context ? set_kernel
										       : set_map,
			GMEM_SHARED);
}

/* In place the kernel keeps the state with the pages; only what we know of it is told. */
static int set_inode(struct gmem_handover *h, const struct gmi_manifest_runs *runs)
{
	struct gmem_file *file = NULL;
	int ret;

	for (uint32_t i = 0; i < h->manifest.file_count; i++)
		if (h->manifest.files[i].inode == runs->index)
			file = h->files[i];
	if (!file || !file->inode || !file->inode->state)
		return 0;
	ret = set_runs(h, runs, file->inode->state, set_map, GMEM_MIXED);
	return ret;
}

static int set_wished(struct gmem_handover *h, const struct gmi_manifest_runs *runs)
{
	if (!h->vm->attrs.wished)
		return 0;
	return set_runs(h, runs, h->vm->attrs.wished, set_map, GMEM_SHARED);
}

static int set_list(struct gmem_handover *h, const struct gmi_manifest_runs *runs)
{
	switch (runs->kind) {
	case GMI_RUNS_VM:
		return set_vm(h, runs);
	case GMI_RUNS_INODE:
		return set_inode(h, runs);
	default:
		return set_wished(h, runs);
	}
}

int gmi_handover_set_states(struct gmem_handover *h)
{
	int ret = 0;

	gmi_vm_lock(h->vm);
	for (uint32_t i = 0; i < h->manifest.runs_count && !ret; i++) {
		h->applied++;
		ret = set_list(h, &h->manifest.runs[i]);
	}
	gmi_vm_unlock(h->vm);
	return ret;
}

/* Of a VM that is the caller's: one that was made for this goes as a whole. */
static void reset_list(struct gmem_handover *h, const struct gmi_manifest_runs *runs)
{
	struct gmi_attrs *attrs = &h->vm->attrs;
	struct gmi_attrmap *map = runs->kind == GMI_RUNS_VM ? attrs->map : attrs->wished;
	struct gmi_runs_cursor run;

	if (!map || runs->kind == GMI_RUNS_INODE)
		return;
	gmi_runs_begin(runs, &run);
	while (gmi_runs_next(&run) > 0) {
		if (run.state != GMEM_PRIVATE)
			continue;
		if (runs->kind == GMI_RUNS_VM && attrs->mechanism == GMI_CONVERT_VM)
			gmi_kvm_set_attributes(&h->ctx->sys, h->vm->fd, run.start, run.size, 0);
		gmi_attrmap_set(map, run.start, run.size, GMEM_SHARED);
	}
}

void gmi_handover_reset_states(struct gmem_handover *h)
{
	gmi_vm_lock(h->vm);
	while (h->applied)
		reset_list(h, &h->manifest.runs[--h->applied]);
	gmi_vm_unlock(h->vm);
}
