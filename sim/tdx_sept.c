/* SPDX-License-Identifier: MIT */
/* The Secure EPT of a running TD: pages that come by TDH.MEM.PAGE.AUG, acceptance, removal. */
#include <errno.h>
#include <fcntl.h>

#include <linux/falloc.h>

#include "sim_guest.h"

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * UNVERIFIED on hardware: tdx.c of 7.3.4, read; what TDG.MEM.PAGE.ACCEPT answers and that it zeroes
 * is the module's interface.
 */

/* The pages leave the TD. What was in them is lost: they come back as pending pages. */
void gmi_sim_td_unmap(struct sim_vm *vm, uint64_t gpa, uint64_t size)
{
	if (vm->td)
		gmi_sim_rangemap_clear(&vm->td->sept, gpa, gpa + size);
}

/* The memory itself is gone too, or its address. */
void gmi_sim_td_forget(struct sim_vm *vm, uint64_t gpa, uint64_t size)
{
	gmi_sim_td_unmap(vm, gpa, size);
	if (vm->td)
		gmi_sim_rangemap_clear(&vm->td->prepared, gpa, gpa + size);
}

static void forget_slot(const struct sim_slot *slot, struct sim_vm *vm, uint64_t offset,
			uint64_t size)
{
	uint64_t start = offset > slot->offset ? offset : slot->offset;
	uint64_t end = min(offset + size, slot->offset + slot->size);

	if (start < end)
		gmi_sim_td_forget(vm, slot->gpa + (start - slot->offset), end - start);
}

static void forget_view(const struct sim_view *view, uint64_t offset, uint64_t size)
{
	for (size_t i = 0; i < view->bindings.count; i++)
		forget_slot(view->bindings.slot[i], view->vm, offset, size);
}

/* A hole in a file, for all TDs that it is bound in: kvm_gmem_punch_hole(). */
void gmi_sim_td_forget_file(struct gmem_sim *sim, const struct sim_inode *inode, uint64_t offset,
			    uint64_t size)
{
	for (size_t i = 0; sim->tdx.tds && i < SIM_BUCKETS; i++) {
		for (struct sim_object *object = sim->bucket[i]; object; object = object->next) {
			struct sim_view *view = sim_container(object, struct sim_view, object);

			if (object->kind == SIM_VIEW && view->inode == inode && view->vm &&
			    view->vm->td)
				forget_view(view, offset, size);
		}
	}
}

/*
 * A busy module is asked again, until a signal comes: -EAGAIN has the caller do so
 * (tdx_handle_ept_violation()).
 */
static int aug_page(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa)
{
	uint64_t status = gmi_sim_seamcall(sim, GMEM_SIM_TDH_MEM_PAGE_AUG);

	if (gmi_sim_seamcall_is_busy(status)) {
		gmi_sim_pause(sim);
		return -EAGAIN;
	}
	if (status) {
		vm->dead = true;
		return -EIO;
	}
	return gmi_sim_rangemap_set(&vm->td->sept, gpa, gpa + SIM_PAGE, SEPT_PENDING);
}

/* Maps what is not mapped yet, as pending. */
int gmi_sim_td_map(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t end = gpa + size;
	int ret = 0;

	for (gpa &= ~(uint64_t)(SIM_PAGE - 1); vm->td && !ret && gpa < end; gpa += SIM_PAGE) {
		if (!gmi_sim_rangemap_get(&vm->td->sept, gpa, 0, NULL))
			ret = aug_page(sim, vm, gpa);
	}
	return ret;
}

static void die(struct sim_target *target, int error)
{
	target->kind = SIM_TO_FAULT;
	target->error = error;
}

/*
 * A guest that touches what it has not accepted: with SEPT_VE_DISABLE KVM gives the VM up
 * (tdx_handle_ept_violation()), without it the guest gets a #VE, for which scripts have no handler.
 */
static void touch_pending(struct sim_vm *vm, struct sim_target *target)
{
	bool is_fatal = vm->td->attributes & GMI_TDX_ATTR_SEPT_VE_DISABLE;

	vm->dead |= is_fatal;
	die(target, is_fatal ? -EIO : 0);
}

void gmi_sim_td_access(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa,
		       struct sim_target *target)
{
	uint64_t end;
	int ret;

	if (!vm->td || target->kind != SIM_TO_FILE ||
	    !(target->exit_flags & GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))
		return;
	ret = gmi_sim_td_map(sim, vm, gpa, 1);
	if (ret)
		die(target, ret);
	else if (gmi_sim_rangemap_get(&vm->td->sept, gpa, 0, &end) == SEPT_PENDING)
		touch_pending(vm, target);
	else
		target->size = min(target->size, end - gpa);
}

static int make_fresh(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size,
		      const struct sim_target *target)
{
	uint64_t done;
	int ret = gmi_sim_allocate(sim, target->inode, target->offset, size, false, &done);

	if (ret)
		return ret;
	fallocate(target->inode->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)target->offset, (off_t)size);
	return gmi_sim_rangemap_set(&vm->td->sept, gpa, gpa + size, SEPT_ACCEPTED);
}

/*
 * TDG.MEM.PAGE.ACCEPT of pages in one state; they read as zeroes then. 1 where they were the
 * guest's already, with @ret_size bytes done in either case.
 */
int gmi_sim_td_accept(struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa, uint64_t size,
		      const struct sim_target *target, uint64_t *ret_size)
{
	uint64_t end, state;
	int ret = gmi_sim_td_map(sim, vm, gpa, size);

	if (ret)
		return ret;
	state = gmi_sim_rangemap_get(&vm->td->sept, gpa, 0, &end);
	*ret_size = min(size, end - gpa);
	if (state != SEPT_PENDING)
		return 1;
	return make_fresh(sim, vm, gpa, *ret_size, target);
}
