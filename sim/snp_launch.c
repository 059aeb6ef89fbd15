/* SPDX-License-Identifier: MIT */
/* KVM_SEV_SNP_LAUNCH_START and KVM_SEV_SNP_LAUNCH_UPDATE: KVM's side of an SNP launch. */
#include <errno.h>
#include <unistd.h>

#include "range.h"
#include "sim_guest.h"
#include "uapi_sev.h"

/* snp_decommission_context(). Where the firmware refuses, the context stays, and with it the ASID. */
int gmi_sim_snp_decommission(struct gmem_sim *sim, struct sim_vm *vm)
{
	uint32_t status = 0;
	int ret;

	if (!vm->sev.guest)
		return 0;
	ret = gmi_sim_psp_call(sim, GMEM_SIM_SNP_DECOMMISSION, &status);
	if (ret)
		return ret;
	gmi_sim_guest_free(sim, vm->sev.guest);
	vm->sev.guest = NULL;
	return 0;
}

static int check_start(const struct gmem_sim *sim, const struct sim_vm *vm,
		       const struct gmi_kvm_sev_snp_launch_start *start)
{
	if (vm->sev.guest || start->flags)
		return -EINVAL;
	if (start->policy & ~sim->psp.machine.policy_bits ||
	    !(start->policy & GMI_SNP_POLICY_RESERVED_ONE))
		return -EINVAL;
	return 0;
}

/* snp_context_create(): whatever goes wrong, the answer is one. */
static int create_context(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	if (gmi_sim_psp_issue(sim, (int)cmd->sev_fd, GMEM_SIM_SNP_GCTX_CREATE, &cmd->error))
		return -ENOTTY;
	vm->sev.guest = gmi_sim_guest_new(sim);
	return vm->sev.guest ? 0 : -ENOTTY;
}

static int start_guest(struct gmem_sim *sim, struct sim_vm *vm,
		       const struct gmi_kvm_sev_snp_launch_start *start,
		       struct gmi_kvm_sev_cmd *cmd)
{
	int ret = gmi_sim_psp_issue(sim, (int)cmd->sev_fd, GMEM_SIM_SNP_LAUNCH_START, &cmd->error);

	if (!ret)
		ret = gmi_sim_psp_end(
			gmi_sim_fw_launch_start(sim, vm->sev.guest, start->policy, start->gosvw),
			&cmd->error);
	return ret;
}

static int activate(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	int ret = gmi_sim_psp_issue(sim, vm->sev.fd, GMEM_SIM_SNP_ACTIVATE, &cmd->error);

	if (!ret)
		ret = gmi_sim_psp_end(gmi_sim_fw_activate(sim, vm->sev.guest, vm->sev.asid),
				      &cmd->error);
	return ret;
}

int gmi_sim_snp_launch_start(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_snp_launch_start start;
	int ret;

	if (!gmi_sim_is_snp(vm))
		return -ENOTTY;
	if (gmi_sim_copy_in(&start, cmd->data, sizeof(start)))
		return -EFAULT;
	ret = check_start(sim, vm, &start);
	if (!ret)
		ret = create_context(sim, vm, cmd);
	if (ret)
		return ret;
	ret = start_guest(sim, vm, &start, cmd);
	if (!ret) {
		vm->sev.fd = (int)cmd->sev_fd;
		ret = activate(sim, vm, cmd);
	}
	if (ret)
		gmi_sim_snp_decommission(sim, vm);
	return ret;
}

static bool is_known_type(uint8_t type)
{
	return type == GMI_KVM_SEV_SNP_PAGE_TYPE_NORMAL || type == GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO ||
	       type == GMI_KVM_SEV_SNP_PAGE_TYPE_UNMEASURED ||
	       type == GMI_KVM_SEV_SNP_PAGE_TYPE_SECRETS || type == GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID;
}

/*
 * The series that became conversion in place lets a source be missing: what is in the file then
 * counts. UNVERIFIED: 20260618-gmem-inplace-conversion-v8-22-9d2959357853@google.com.
 */
static bool may_lack_source(const struct gmem_sim *sim, uint8_t type)
{
	return type == GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO || sim_has(sim, SIM_INPLACE);
}

static int check_update(const struct gmem_sim *sim,
			const struct gmi_kvm_sev_snp_launch_update *update)
{
	if (!update->len || !gmi_is_aligned(update->len, SIM_PAGE) || update->flags ||
	    !is_known_type(update->type))
		return -EINVAL;
	if (update->type == GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO)
		return 0;
	if (!update->uaddr)
		return may_lack_source(sim, update->type) ? 0 : -EINVAL;
	return gmi_is_aligned(update->uaddr, SIM_PAGE) ? 0 : -EINVAL;
}

/* One page on its way into the guest. @source is 0 where there is none. */
struct populate {
	struct sim_slot *slot;
	struct sim_inode *inode;
	uint64_t gpa;
	uint64_t offset;
	uint64_t source;
	uint8_t type;
	int fd;
	uint32_t status;
};

/* The firmware may give a table of CPUID back: its source has to be writable before. */
static int take_source(const struct populate *page, uint8_t *bytes)
{
	if (!page->source)
		return 0;
	if (gmi_sim_copy_in(bytes, page->source, SIM_PAGE))
		return -EFAULT;
	if (page->type == GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID)
		return gmi_sim_copy_out(page->source, bytes, SIM_PAGE);
	return 0;
}

static int get_page(struct gmem_sim *sim, const struct populate *page)
{
	uint64_t done;

	if (gmi_sim_rangemap_get(&page->inode->poisoned, page->offset, 0, NULL))
		return -EHWPOISON;
	return gmi_sim_allocate(sim, page->inode, page->offset, SIM_PAGE, false, &done);
}

static int write_page(const struct populate *page, const uint8_t *bytes)
{
	return pwrite(page->inode->fd, bytes, SIM_PAGE, (off_t)page->offset) == SIM_PAGE ? 0
											 : -EFAULT;
}

/* snp_page_reclaim(): a page that does not come back takes the VM with it. */
static int reclaim(struct gmem_sim *sim, struct sim_vm *vm, const struct populate *page)
{
	uint32_t status = 0;

	if (gmi_sim_psp_call(sim, GMEM_SIM_SNP_PAGE_RECLAIM, &status)) {
		vm->dead = true;
		return -EIO;
	}
	gmi_sim_rmp_release(page->inode, page->offset, SIM_PAGE);
	return 0;
}

static int update_page(struct gmem_sim *sim, struct sim_vm *vm, struct populate *page,
		       uint8_t *bytes)
{
	int ret = gmi_sim_psp_issue(sim, page->fd, GMEM_SIM_SNP_LAUNCH_UPDATE, &page->status);

	if (!ret)
		ret = gmi_sim_psp_end(
			gmi_sim_fw_launch_update(vm->sev.guest, page->type, page->gpa, bytes),
			&page->status);
	if (!ret || page->status == GMI_SEV_RET_INVALID_PARAM)
		write_page(page, bytes);
	if (ret && !reclaim(sim, vm, page) && page->type == GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID &&
	    page->status == GMI_SEV_RET_INVALID_PARAM && page->source)
		gmi_sim_copy_out(page->source, bytes, SIM_PAGE);
	return ret;
}

/* sev_gmem_post_populate() */
static int assign_page(struct gmem_sim *sim, struct sim_vm *vm, struct populate *page,
		       uint8_t *bytes)
{
	int ret;

	if (gmi_sim_rmp_is_assigned(page->inode, page->offset))
		return -EEXIST;
	if (page->source)
		ret = write_page(page, bytes);
	else
		ret = pread(page->inode->fd, bytes, SIM_PAGE, (off_t)page->offset) == SIM_PAGE
			      ? 0
			      : -EFAULT;
	if (!ret)
		ret = gmi_sim_rmp_assign(page->inode, page->offset, SIM_PAGE);
	return ret ? ret : update_page(sim, vm, page, bytes);
}

/* __kvm_gmem_populate(), and what comes before it for each page. */
static int populate_page(struct gmem_sim *sim, struct sim_vm *vm, struct populate *page)
{
	uint8_t bytes[SIM_PAGE];
	uint64_t end;
	int ret;

	if (gmi_sim_page_is_interrupted(sim))
		return -EINTR;
	ret = take_source(page, bytes);
	if (!ret)
		ret = get_page(sim, page);
	if (ret)
		return ret;
	if (!gmi_sim_gpa_is_private(sim, vm, page->gpa, &end))
		return -EINVAL;
	return assign_page(sim, vm, page, bytes);
}

/* kvm_gmem_populate(): bytes done, or the error of the first page. */
static int64_t populate(struct gmem_sim *sim, struct sim_vm *vm, struct populate *page,
			uint64_t size)
{
	const struct sim_view *view = gmi_sim_live_view(sim, page->slot);
	uint64_t room = page->slot->gpa + page->slot->size - page->gpa;
	uint64_t done;
	int ret;

	if (!view)
		return -EFAULT;
	page->inode = view->inode;
	page->offset = page->slot->offset + (page->gpa - page->slot->gpa);
	if (size > room)
		size = room;
	for (done = 0; done < size; done += SIM_PAGE) {
		ret = populate_page(sim, vm, page);
		if (ret)
			return done ? (int64_t)done : ret;
		page->gpa += SIM_PAGE;
		page->offset += SIM_PAGE;
		page->source += page->source ? SIM_PAGE : 0;
	}
	return (int64_t)done;
}

static struct sim_slot *find_slot(struct sim_vm *vm, uint64_t gfn)
{
	struct sim_slot *slot = NULL;

	if (gfn <= UINT64_MAX / SIM_PAGE)
		slot = gmi_sim_slot_at(vm, gfn * SIM_PAGE);
	return slot && slot->flags & GMI_KVM_MEM_GUEST_MEMFD ? slot : NULL;
}

static int update_range(struct gmem_sim *sim, struct sim_vm *vm,
			struct gmi_kvm_sev_snp_launch_update *update, struct gmi_kvm_sev_cmd *cmd)
{
	bool is_zero = update->type == GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO;
	struct populate page = {
		.slot = find_slot(vm, update->gfn_start),
		.gpa = update->gfn_start * SIM_PAGE,
		.source = is_zero ? 0 : update->uaddr,
		.type = update->type,
		.fd = (int)cmd->sev_fd,
	};
	int64_t done;

	if (!page.slot)
		return -EINVAL;
	done = populate(sim, vm, &page, update->len);
	if (done < 0) {
		cmd->error = page.status;
		return -EIO;
	}
	update->gfn_start += (uint64_t)done / SIM_PAGE;
	update->len -= (uint64_t)done;
	if (!is_zero && update->uaddr)
		update->uaddr += (uint64_t)done;
	return gmi_sim_copy_out(cmd->data, update, sizeof(*update));
}

int gmi_sim_snp_launch_update(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_snp_launch_update update;
	int ret;

	if (!gmi_sim_is_snp(vm) || !vm->sev.guest)
		return -EINVAL;
	if (gmi_sim_copy_in(&update, cmd->data, sizeof(update)))
		return -EFAULT;
	ret = check_update(sim, &update);
	return ret ? ret : update_range(sim, vm, &update, cmd);
}
