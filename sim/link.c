/* SPDX-License-Identifier: MIT */
/* A second VM on an inode: KVM_LINK_GUEST_MEMFD, and the move of a VM's memory context. */
#include <errno.h>

#include "sim_model.h"

/*
 * RFC v2, cover.1747368092.git.afranji@google.com, patch 4, as tests/vm/patches has it: that also
 * refuses a file with creation flags that the new VM does not offer. Of the source only the file is
 * looked at; its VM may be dead, or another process's. reserved[] is not read.
 */
int gmi_sim_link_gmem(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg)
{
	struct gmi_rfc_link_guest_memfd args;
	struct sim_object *object;
	struct sim_view *source;

	if (gmi_sim_copy_in(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.flags || gmi_sim_kind(sim, (int)args.fd, &object) != SIM_VIEW)
		return -EINVAL;
	source = sim_container(object, struct sim_view, object);
	if (source->vm == vm || source->inode->flags & ~gmi_sim_create_flags(sim, vm))
		return -EINVAL;
	return gmi_sim_new_view(sim, vm, source->inode);
}

static bool slots_match(const struct sim_slot *a, const struct sim_slot *b)
{
	if (a->gpa != b->gpa || a->size != b->size || a->flags != b->flags)
		return false;
	if (!(a->flags & GMI_KVM_MEM_GUEST_MEMFD))
		return true;
	if (!a->view || !b->view || a->view->inode != b->view->inode)
		return false;
	return a->offset == b->offset && gmi_sim_view_is_alive(a->view) &&
	       gmi_sim_view_is_alive(b->view);
}

static bool layouts_match(const struct sim_index *a, const struct sim_index *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!slots_match(a->slot[i], b->slot[i]))
			return false;
	}
	return true;
}

/*
 * The same series, patch 11, as tests/vm/patches has it. Address space 0 alone is compared. The
 * source is dead afterwards. A VM of another process is unknown here and refused.
 */
int gmi_sim_move_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd)
{
	struct sim_object *object;
	struct sim_vm *source;

	if (vm->type != GMI_KVM_X86_SW_PROTECTED_VM)
		return -EINVAL;
	if (gmi_sim_kind(sim, source_fd, &object) != SIM_VM)
		return -EBADF;
	if (!object)
		return -EINVAL;
	source = sim_container(object, struct sim_vm, object);
	if (source == vm || source->type != vm->type)
		return -EINVAL;
	if (source->dead)
		return -EIO;
	if (!layouts_match(&source->space[0].by_gpa, &vm->space[0].by_gpa))
		return -EINVAL;
	gmi_sim_rangemap_free(&vm->attributes);
	vm->attributes = source->attributes;
	source->attributes = (struct sim_rangemap){0};
	source->dead = true;
	return 0;
}
