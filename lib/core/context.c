/* SPDX-License-Identifier: MIT */
/* The context of a confidential guest: compared, moved to another VM object, or mirrored. */
#include "context.h"

#include <libgmem/reboot.h>

#include <errno.h>

#include "discard.h"
#include "errinfo.h"
#include "inode.h"
#include "kvm_call.h"
#include "probe.h"
#include "uapi_kvm.h"

static int check_pair(const struct gmem_vm *a, const char *a_name, const struct gmem_vm *b,
		      const char *b_name)
{
	if (!a || !b)
		return gmi_error_arg(a ? b_name : a_name, "a NULL pointer");
	if (a == b)
		return gmi_error_arg(a_name, "one and the same VM");
	if (a->ctx != b->ctx)
		return gmi_error(-EXDEV, "the VMs are of different contexts");
	return 0;
}

/* 0 where VMs of the type have @feature; old-style SEV guests are of type default. */
static int check_feature(struct gmem_vm *vm, uint32_t feature)
{
	struct gmi_answer answer;
	int ret;

	if (vm->type == GMEM_VM_DEFAULT)
		return 0;
	ret = gmi_has_feature(vm->ctx, vm->type, feature);
	if (ret)
		return ret < 0 ? ret : 0;
	gmi_probe(vm->ctx, vm->type, feature, &answer);
	return gmi_error_feature(feature, "not for VMs of type %s: %s", gmi_vm_type_name(vm->type),
				 answer.reason);
}

int gmi_context_check_movable(struct gmem_vm *vm)
{
	return check_feature(vm, GMEM_FEATURE_MOVE_CONTEXT);
}

static int differ(const struct gmem_slot *slot, const char *what)
{
	gmi_error_arg("dst", "the layouts differ at guest address %#llx: %s",
		      (unsigned long long)slot->gpa.start, what);
	return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
}

/* What the kernel looks at as well: x86.c of the link series, before anything is moved. */
static int compare_slots(const struct gmem_slot *dst, const struct gmem_slot *src, bool as_kernel)
{
	const uint32_t flags = GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY;

	if (dst->gpa.start != src->gpa.start)
		return differ(dst->gpa.start < src->gpa.start ? dst : src,
			      dst->gpa.start < src->gpa.start ? "the source has nothing there"
							      : "the target has nothing there");
	if (dst->gpa.size != src->gpa.size)
		return differ(src, "the ranges are not of one size");
	if ((dst->flags ^ src->flags) & flags)
		return differ(src, "one is read-only or logged, the other is not");
	if (!dst->file != !src->file ||
	    (as_kernel && gmi_slot_has_gmem(dst) != gmi_slot_has_gmem(src)))
		return differ(src, "one is bound from a file, the other is not");
	if (!dst->file)
		return 0;
	if (dst->offset != src->offset)
		return differ(src, "they begin at different offsets");
	if (dst->file->inode != src->file->inode)
		return differ(src, "the files are not on one inode");
	return 0;
}

static int compare_space(struct gmem_vm *dst, struct gmem_vm *src, uint32_t address_space,
			 bool as_kernel)
{
	const struct gmi_rangemap *a = gmi_slot_index_shown(&dst->slots, address_space);
	const struct gmi_rangemap *b = gmi_slot_index_shown(&src->slots, address_space);
	int ret = 0;

	for (size_t i = 0; !ret && i < a->count && i < b->count; i++)
		ret = compare_slots(a->entries[i].value, b->entries[i].value, as_kernel);
	if (ret || a->count == b->count)
		return ret;
	if (a->count > b->count)
		return differ(a->entries[b->count].value, "the source has nothing there");
	return differ(b->entries[a->count].value, "the target has nothing there");
}

int gmi_context_compare(struct gmem_vm *dst, struct gmem_vm *src, bool as_kernel)
{
	int ret = 0;

	for (uint32_t as = 0; !ret && as < GMI_ADDRESS_SPACES; as++)
		ret = compare_space(dst, src, as, as_kernel);
	return ret;
}

void gmi_context_move_stale(struct gmem_slot *to, struct gmem_slot *from)
{
	if (gmi_slot_has_two_backings(to) && gmi_slot_has_two_backings(from))
		gmi_discard_inherit(to, from);
}

/* The kernel drops what the target had. */
static void inherit(struct gmem_vm *dst, struct gmem_vm *src)
{
	const struct gmi_rangemap *a = gmi_slot_index_shown(&dst->slots, 0);
	const struct gmi_rangemap *b = gmi_slot_index_shown(&src->slots, 0);

	gmi_attrs_swap(&dst->attrs, &src->attrs);
	for (size_t i = 0; i < a->count; i++)
		gmi_context_move_stale(a->entries[i].value, b->entries[i].value);
}

static int fail_move(const struct gmem_vm *src, int error)
{
	const char *call = "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM";

	if (error == -EINVAL)
		return gmi_vm_error(
			-EINVAL, call, "KVM refuses: %s",
			src->type == GMEM_VM_SW_PROTECTED
				? "it has memslots that libgmem was not told of"
				: "the source is no SEV guest, or the target is one, or "
				  "their vCPUs do not match");
	return gmi_vm_error(error, call, "the context was not moved");
}

/* Memslots of several pieces are cut alike where the ranges are alike. */
static int move_locked(struct gmem_vm *dst, struct gmem_vm *src)
{
	int ret = gmi_context_compare(dst, src, true);

	if (ret)
		return ret;
	ret = gmi_kvm_enable_cap(&dst->ctx->sys, dst->fd, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
				 (uint64_t)src->fd);
	if (ret)
		return fail_move(src, ret);
	inherit(dst, src);
	return 0;
}

/* VMs that share no memory have two locks; one is enough then for both. */
int gmi_context_move(struct gmem_vm *dst, struct gmem_vm *src)
{
	int ret;

	gmi_bind_lock_merge(src->bind_lock, dst->bind_lock);
	gmi_vm_lock(dst);
	ret = move_locked(dst, src);
	gmi_vm_unlock(dst);
	return ret;
}

static int move_context(struct gmem_vm *dst, struct gmem_vm *src)
{
	int ret = check_pair(dst, "dst", src, "src");

	if (!ret)
		ret = gmi_vm_check_kept(src);
	if (ret)
		return ret;
	if (dst->type != src->type)
		return gmi_error_arg("dst", "the VMs are of types %s and %s",
				     gmi_vm_type_name(dst->type), gmi_vm_type_name(src->type));
	ret = gmi_context_check_movable(src);
	return ret ? ret : gmi_context_move(dst, src);
}

GMEM_API int gmem_vm_move_context(struct gmem_vm *dst, struct gmem_vm *src)
{
	return gmi_result(__func__, move_context(dst, src));
}

static int mirror_locked(struct gmem_vm *helper, struct gmem_vm *vm)
{
	int ret;

	if (helper->mirrors)
		return gmi_error(-EBUSY, "the helper mirrors a VM already");
	ret = gmi_kvm_enable_cap(&helper->ctx->sys, helper->fd,
				 GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, (uint64_t)vm->fd);
	if (ret)
		return gmi_vm_error(ret, "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM",
				    "the context is not shared");
	helper->mirrors = gmi_vm_get(vm);
	return 0;
}

static int mirror(struct gmem_vm *helper, struct gmem_vm *vm)
{
	int ret = check_pair(helper, "helper", vm, "vm");

	if (!ret)
		ret = check_feature(vm, GMEM_FEATURE_MIRROR);
	if (ret)
		return ret;
	gmi_vm_lock(helper);
	ret = mirror_locked(helper, vm);
	gmi_vm_unlock(helper);
	return ret;
}

GMEM_API int gmem_vm_mirror(struct gmem_vm *helper, struct gmem_vm *vm)
{
	return gmi_result(__func__, mirror(helper, vm));
}
