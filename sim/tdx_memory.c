/* SPDX-License-Identifier: MIT */
/* KVM_TDX_INIT_MEM_REGION: pages into the TD, and into its measurement. */
#include <errno.h>
#include <string.h>

#include "range.h"
#include "sim_guest.h"

#define AGAIN 1 /* the module is busy */

/* A page on its way: kvm_gmem_populate() and tdx_gmem_post_populate(). */
struct adding {
	struct gmem_sim *sim;
	struct sim_vcpu *vcpu;
	uint64_t gpa;
	uint64_t source;
	bool measure;
	struct sim_target page;
	uint8_t bytes[SIM_PAGE];
};

static bool is_old(const struct adding *add)
{
	return sim_has(add->sim, SIM_TDX_OLD);
}

static struct sim_td *td_of(const struct adding *add)
{
	return add->vcpu->vm->td;
}

static uint64_t sept_at(const struct adding *add)
{
	return gmi_sim_rangemap_get(&td_of(add)->sept, add->gpa, 0, NULL);
}

static int set_sept(const struct adding *add, enum sim_sept state)
{
	return gmi_sim_rangemap_set(&td_of(add)->sept, add->gpa, add->gpa + SIM_PAGE, state);
}

static bool has_signal(const struct adding *add)
{
	return atomic_exchange(&add->vcpu->interrupted, false);
}

static int find_slot(struct adding *add)
{
	struct sim_slot *slot = gmi_sim_slot_at(add->vcpu->vm, add->gpa);

	if (!slot || !(slot->flags & GMI_KVM_MEM_GUEST_MEMFD))
		return -EINVAL;
	if (!gmi_sim_live_view(add->sim, slot))
		return -EFAULT;
	add->page = (struct sim_target){
		.kind = SIM_TO_FILE,
		.size = SIM_PAGE,
		.inode = slot->view->inode,
		.offset = slot->offset + (add->gpa - slot->gpa),
	};
	return 0;
}

/* __kvm_gmem_get_pfn() */
static int get_page(struct adding *add)
{
	uint64_t done;

	if (gmi_sim_rangemap_get(&add->page.inode->poisoned, add->page.offset, 0, NULL))
		return -EHWPOISON;
	return gmi_sim_allocate(add->sim, add->page.inode, add->page.offset, SIM_PAGE, false,
				&done);
}

static int check_private(const struct adding *add)
{
	uint64_t end;

	return gmi_sim_gpa_is_private(add->sim, add->vcpu->vm, add->gpa, &end) ? 0 : -EINVAL;
}

static int read_source(struct adding *add)
{
	return gmi_sim_copy_in(add->bytes, add->source, SIM_PAGE);
}

/* UNVERIFIED: the source-less form, as queued for 7.4: what the page holds already. */
static int read_page(struct adding *add)
{
	return gmi_sim_target_read(add->sim, &add->page, add->bytes, SIM_PAGE);
}

static int kill_vm(const struct adding *add)
{
	add->vcpu->vm->dead = true;
	return -EIO;
}

static int put_page(struct adding *add)
{
	int ret = gmi_sim_target_write(add->sim, &add->page, add->bytes, SIM_PAGE);

	if (!ret)
		ret = set_sept(add, SEPT_ADDED);
	if (!ret)
		gmi_sim_mrtd_add(td_of(add)->mrtd, add->gpa);
	return ret;
}

/*
 * 7.3: a busy module is asked again inside, until a signal comes; a page that is there is EIO
 * (kvm_tdp_mmu_map_private_pfn()).
 */
static int add_page(struct adding *add)
{
	uint64_t status;

	if (sept_at(add))
		return -EIO;
	status = gmi_sim_seamcall(add->sim, GMEM_SIM_TDH_MEM_PAGE_ADD);
	if (gmi_sim_seamcall_is_busy(status))
		return AGAIN;
	return status ? kill_vm(add) : put_page(add);
}

/* tdx_gmem_post_populate(): a failed extend leaves the page added and not counted. */
static int measure_page(struct adding *add)
{
	for (uint64_t i = 0; add->measure && i < SIM_PAGE; i += SIM_MRTD_CHUNK) {
		if (gmi_sim_seamcall(add->sim, GMEM_SIM_TDH_MR_EXTEND))
			return is_old(add) ? -EIO : kill_vm(add);
		gmi_sim_mrtd_extend(td_of(add)->mrtd, add->gpa + i, add->bytes + i);
	}
	return 0;
}

static int populate(struct adding *add)
{
	int ret = add->source ? read_source(add) : 0;

	if (!ret)
		ret = get_page(add);
	if (!ret)
		ret = check_private(add);
	if (!ret && !add->source)
		ret = read_page(add);
	if (!ret)
		ret = add_page(add);
	return ret ? ret : measure_page(add);
}

/*
 * Up to 6.18: the page is mapped in KVM's own tables first, by a fault that marks it as prepared,
 * and added then. A busy module is the caller's business; but a second call finds the page
 * prepared, EEXIST, and FINALIZE_VM finds one that was mapped and not added, EINVAL. Punching
 * the page undoes both. UNVERIFIED: tdx_gmem_post_populate() of 3829d81b6958, kvm_gmem_populate()
 * and kvm_gmem_prepare_folio() of 0f94e51b5320, read.
 */
static int add_page_old(struct adding *add)
{
	uint64_t status;
	int ret = set_sept(add, SEPT_PREMAPPED);

	if (!ret)
		ret = gmi_sim_rangemap_set(&td_of(add)->prepared, add->gpa, add->gpa + SIM_PAGE, 1);
	if (ret)
		return ret;
	status = gmi_sim_seamcall(add->sim, GMEM_SIM_TDH_MEM_PAGE_ADD);
	if (status)
		return gmi_sim_seamcall_is_busy(status) ? -EBUSY : -EIO;
	return put_page(add);
}

static int populate_old(struct adding *add)
{
	int ret = get_page(add);

	if (!ret && gmi_sim_rangemap_get(&td_of(add)->prepared, add->gpa, 0, NULL))
		ret = -EEXIST;
	if (!ret)
		ret = check_private(add);
	if (!ret)
		ret = read_source(add);
	if (!ret)
		ret = add_page_old(add);
	return ret ? ret : measure_page(add);
}

static int try_one(struct adding *add)
{
	int ret = find_slot(add);

	if (ret)
		return ret;
	return is_old(add) ? populate_old(add) : populate(add);
}

/* Between two tries others get in, who may send the signal; the kernel would keep them waiting. */
static int wait_for_module(struct adding *add)
{
	gmi_sim_pause(add->sim);
	if (add->vcpu->vm->dead)
		return -EIO;
	return has_signal(add) ? -EINTR : AGAIN;
}

static int add_one(struct adding *add)
{
	int ret;

	if (has_signal(add) || gmi_sim_page_is_interrupted(add->sim))
		return -EINTR;
	do {
		ret = try_one(add);
		if (ret == AGAIN)
			ret = wait_for_module(add);
	} while (ret == AGAIN);
	return ret;
}

static bool is_private_range(const struct sim_td *td, uint64_t gpa, uint64_t size)
{
	uint64_t shared = gmi_sim_td_shared_bit(td);

	return !(gpa & shared) && !((gpa + size - 1) & shared);
}

/*
 * Source 0 is a check of its own in 7.3; before it nothing is mapped there, and EFAULT came. With
 * conversion in place it means that there is none.
 */
static bool region_is_valid(const struct gmem_sim *sim, const struct sim_td *td,
			    const struct gmi_kvm_tdx_init_mem_region *region)
{
	uint64_t size = region->nr_pages * SIM_PAGE;

	return gmi_is_aligned(region->source_addr, SIM_PAGE) &&
	       (region->source_addr || sim_has(sim, SIM_TDX_OLD | SIM_INPLACE)) &&
	       gmi_is_aligned(region->gpa, SIM_PAGE) && region->nr_pages &&
	       region->gpa + size > region->gpa && is_private_range(td, region->gpa, size);
}

/* Page by page; @region says what is left. */
static int add_region(struct gmem_sim *sim, struct sim_vcpu *vcpu, bool measure,
		      struct gmi_kvm_tdx_init_mem_region *region)
{
	struct adding add = {.sim = sim, .vcpu = vcpu, .measure = measure};
	int ret;

	while (region->nr_pages) {
		add.gpa = region->gpa;
		add.source = region->source_addr;
		ret = add_one(&add);
		if (ret)
			return ret;
		region->source_addr += region->source_addr ? SIM_PAGE : 0;
		region->gpa += SIM_PAGE;
		region->nr_pages--;
	}
	return 0;
}

/* tdx_vcpu_init_mem_region(): what is left is written back whatever happened. */
int gmi_sim_tdx_init_mem_region(struct gmem_sim *sim, struct sim_vcpu *vcpu,
				const struct gmi_kvm_tdx_cmd *cmd)
{
	struct gmi_kvm_tdx_init_mem_region region;
	int ret;

	if (!vcpu->td_ready || cmd->flags & ~GMI_KVM_TDX_MEASURE_MEMORY_REGION)
		return -EINVAL;
	if (gmi_sim_copy_in(&region, cmd->data, sizeof(region)))
		return -EFAULT;
	if (!region_is_valid(sim, vcpu->vm->td, &region))
		return -EINVAL;
	ret = add_region(sim, vcpu, cmd->flags & GMI_KVM_TDX_MEASURE_MEMORY_REGION, &region);
	return gmi_sim_copy_out(cmd->data, &region, sizeof(region)) ? -EFAULT : ret;
}

bool gmi_sim_td_has_premapped(const struct sim_td *td)
{
	for (size_t i = 0; i < td->sept.count; i++) {
		if (td->sept.run[i].value == SEPT_PREMAPPED)
			return true;
	}
	return false;
}
