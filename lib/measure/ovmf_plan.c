/* SPDX-License-Identifier: MIT */
/* Turns an OVMF image, with or without SVSM, into a launch plan for SEV, SEV-ES or SEV-SNP. */
#include <errno.h>
#include <string.h>

#include "guid_table.h"
#include "kernel_hashes.h"
#include "ovmf.h"
#include "plan.h"
#include "range.h"
#include "vmsa.h"

#define FOUR_GIB UINT64_C(0x100000000)

/* The reset vector of every x86 CPU. */
#define BOOT_ENTRY UINT64_C(0xfffffff0)

/* SEV_FEATURES bit 0, SNPActive. */
#define SNP_ACTIVE UINT64_C(1)

/* Everything that one call knows. @meta is the image whose metadata counts: the firmware or the SVSM;
 * @table and @hash_table are without data where it was not needed or not there. */
struct ovmf_job {
	struct gmem_ovmf_opts opts;
	struct gmem_plan *plan;
	struct gmem_measure_error *error;
	struct gmi_bytes image;
	struct gmi_bytes meta;
	struct gmi_bytes table;
	struct gmi_ovmf_sections sections;
	struct gmem_range hash_area;
	bool hashes_placed;
};

static bool is_sev_only(const struct ovmf_job *job)
{
	return job->opts.vm_type == GMEM_VM_SEV;
}

static bool is_snp(const struct ovmf_job *job)
{
	return job->opts.vm_type == GMEM_VM_SNP;
}

static int check_image(const struct ovmf_job *job, const char *name, const void *image,
		       uint64_t size)
{
	if (!image || !size)
		return gmi_invalid(job->error, "the %s image is empty", name);
	if (!gmi_is_aligned(size, GMEM_PAGE_SIZE))
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"the %s image has %llu bytes, not a multiple of a page", name,
				(unsigned long long)size);
	if (size > FOUR_GIB / 2)
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"the %s image has more than 2 GiB", name);
	return 0;
}

static int check_kernel(const struct gmem_ovmf_opts *opts, struct gmem_measure_error *error)
{
	if (opts->kernel)
		return 0;
	if (opts->initrd)
		return gmi_invalid(error, "an initrd without a kernel");
	if (opts->append)
		return gmi_invalid(error, "a kernel command line without a kernel");
	return 0;
}

static int check_vcpus(const struct gmem_ovmf_opts *opts, struct gmem_measure_error *error)
{
	if (opts->vm_type == GMEM_VM_SEV || opts->flags & GMEM_OVMF_IMAGE_ONLY)
		return 0;
	if (!opts->vcpus || opts->vcpus > GMEM_MEASURE_VCPUS_MAX)
		return gmi_invalid(error, "%u vCPUs: there have to be 1 to %u", opts->vcpus,
				   GMEM_MEASURE_VCPUS_MAX);
	if (opts->vm_type == GMEM_VM_SNP && !(opts->sev_features & SNP_ACTIVE))
		return gmi_invalid(
			error, "SEV_FEATURES 0x%llx: bit 0, SNP active, is set for every SNP guest",
			(unsigned long long)opts->sev_features);
	if (opts->vm_type == GMEM_VM_SEV_ES && opts->sev_features & SNP_ACTIVE)
		return gmi_invalid(error, "SEV_FEATURES 0x%llx: bit 0, SNP active, on SEV-ES",
				   (unsigned long long)opts->sev_features);
	return 0;
}

static int check_svsm(const struct ovmf_job *job)
{
	const struct gmem_ovmf_opts *opts = &job->opts;

	if (!opts->svsm)
		return opts->svsm_size || opts->vars_size
			       ? gmi_invalid(job->error, "a size, but no SVSM image")
			       : 0;
	if (!is_snp(job) || opts->vmm != GMEM_VMM_QEMU)
		return gmi_fail(job->error, EOPNOTSUPP, GMI_NO_OFFSET,
				"an SVSM launch is known for SNP with QEMU only");
	if (opts->kernel)
		return gmi_fail(job->error, EOPNOTSUPP, GMI_NO_OFFSET,
				"an SVSM launch with measured direct boot is not known");
	if (!gmi_is_aligned(opts->vars_size, GMEM_PAGE_SIZE) || opts->vars_size > FOUR_GIB / 4)
		return gmi_invalid(
			job->error,
			"the variable store's size 0x%llx is not whole pages up to 1 GiB",
			(unsigned long long)opts->vars_size);
	if (opts->svsm_size > FOUR_GIB / 4)
		return gmi_invalid(job->error, "the SVSM image has more than 1 GiB");
	return check_image(job, "SVSM", opts->svsm, opts->svsm_size);
}

static int check_opts(const struct ovmf_job *job)
{
	const struct gmem_ovmf_opts *opts = &job->opts;
	uint32_t both = GMEM_OVMF_IMAGE_ONLY | GMEM_OVMF_WITHOUT_IMAGE;
	int ret;

	if (opts->vm_type < GMEM_VM_SEV || opts->vm_type > GMEM_VM_SNP)
		return gmi_invalid(job->error, "VM type %u is not SEV, SEV-ES or SNP",
				   opts->vm_type);
	if (opts->vmm > GMEM_VMM_EC2_RDX0 || opts->reserved)
		return gmi_invalid(job->error,
				   "VMM %u is not known, or the reserved field is not 0",
				   opts->vmm);
	if (opts->flags & ~both || opts->flags == both || (opts->flags && !is_snp(job)))
		return gmi_invalid(job->error, "flags 0x%x are not valid here", opts->flags);
	ret = check_image(job, "firmware", opts->image, opts->image_size);
	if (!ret)
		ret = check_kernel(opts, job->error);
	if (!ret)
		ret = check_vcpus(opts, job->error);
	return ret ? ret : check_svsm(job);
}

static int append_image(struct ovmf_job *job, const char *label, uint64_t gpa, const void *image,
			uint64_t size)
{
	struct gmem_launch_step step = {
		.gpa = gpa,
		.size = size,
		.type = GMEM_LAUNCH_NORMAL,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = gmi_plan_own(job->plan, image, size),
		.label = label,
	};

	if (!step.bytes)
		return gmi_fail(job->error, ENOMEM, GMI_NO_OFFSET, "no memory");
	return gmi_plan_append(job->plan, &step, job->error);
}

/* QEMU maps the firmware to end at 4 GiB, the variable store below it, the SVSM below that. */
static uint64_t svsm_gpa(const struct gmem_ovmf_opts *opts)
{
	return FOUR_GIB - opts->image_size - opts->vars_size - opts->svsm_size;
}

static int append_images(struct ovmf_job *job)
{
	const struct gmem_ovmf_opts *opts = &job->opts;
	int ret = append_image(job, "firmware", FOUR_GIB - opts->image_size, opts->image,
			       opts->image_size);

	if (ret || !opts->svsm)
		return ret;
	return append_image(job, "SVSM", svsm_gpa(opts), opts->svsm, opts->svsm_size);
}

static bool needs_table(const struct ovmf_job *job)
{
	return !is_sev_only(job) || job->opts.kernel;
}

static int open_table(struct ovmf_job *job)
{
	int ret;

	if (!needs_table(job))
		return 0;
	ret = gmi_guid_table_open(job->meta, &job->table, job->error);
	/* SEV-ES alone can do with a bare reset block. */
	if (ret == -ENOENT && job->opts.vm_type == GMEM_VM_SEV_ES && !job->opts.kernel)
		return 0;
	return ret;
}

static int find_hash_area(struct ovmf_job *job)
{
	int ret;

	if (!job->opts.kernel)
		return 0;
	ret = gmi_ovmf_find_hash_area(job->table, &job->hash_area, job->error);
	if (ret)
		return ret;
	if (job->hash_area.size < GMI_KERNEL_HASHES_SIZE)
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"the kernel hash area has %llu bytes, less than %u",
				(unsigned long long)job->hash_area.size, GMI_KERNEL_HASHES_SIZE);
	return 0;
}

static uint8_t *alloc_pages(struct ovmf_job *job, uint64_t size)
{
	uint8_t *pages = gmi_plan_alloc(job->plan, size);

	if (!pages)
		gmi_fail(job->error, ENOMEM, GMI_NO_OFFSET, "no memory");
	return pages;
}

/* QEMU puts the table at the area's offset within a page, into the section's first page
 * (target/i386/sev.c): an area anywhere else would not be what the guest reads. */
static int fill_hash_page(struct ovmf_job *job, const struct gmi_ovmf_section *section,
			  struct gmem_launch_step *step)
{
	uint64_t offset = job->hash_area.start - section->gpa;
	uint8_t *pages;

	if (job->hashes_placed)
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"SEV metadata: a second kernel hash section at 0x%x", section->gpa);
	if (job->hash_area.start < section->gpa || offset >= GMEM_PAGE_SIZE)
		return gmi_fail(
			job->error, EBADMSG, GMI_NO_OFFSET,
			"the kernel hash area 0x%llx is not in the hash section's page 0x%x",
			(unsigned long long)job->hash_area.start, section->gpa);
	if (offset + GMI_KERNEL_HASHES_SIZE > GMEM_PAGE_SIZE)
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"the kernel hash table at 0x%llx does not fit in its page",
				(unsigned long long)job->hash_area.start);
	pages = alloc_pages(job, section->size);
	if (!pages)
		return -ENOMEM;
	gmi_kernel_hashes_write(&job->opts, pages + offset);
	job->hashes_placed = true;
	step->type = GMEM_LAUNCH_NORMAL;
	step->flags = GMEM_LAUNCH_MEASURED;
	step->bytes = pages;
	return 0;
}

static void choose_page(const struct ovmf_job *job, const struct gmi_ovmf_section *section,
			struct gmem_launch_step *step)
{
	switch (section->type) {
	case GMI_OVMF_SEC_MEM:
		step->label = "pre-validated memory";
		if (job->opts.vmm == GMEM_VMM_GCE)
			step->type = GMEM_LAUNCH_UNMEASURED;
		break;
	case GMI_OVMF_SECRETS:
		step->label = "secrets";
		step->type = GMEM_LAUNCH_SECRETS;
		break;
	case GMI_OVMF_CPUID:
		step->label = "CPUID";
		step->type = GMEM_LAUNCH_CPUID;
		break;
	case GMI_OVMF_SVSM_CAA:
		step->label = "SVSM calling area";
		break;
	case GMI_OVMF_KERNEL_HASHES:
		step->label = "kernel hashes";
		break;
	}
}

static int append_section(struct ovmf_job *job, const struct gmi_ovmf_section *section)
{
	struct gmem_launch_step step = {
		.gpa = section->gpa,
		.size = section->size,
		.type = GMEM_LAUNCH_ZERO,
	};
	int ret = 0;

	choose_page(job, section, &step);
	if (section->type == GMI_OVMF_KERNEL_HASHES && job->opts.kernel)
		ret = fill_hash_page(job, section, &step);
	return ret ? ret : gmi_plan_append(job->plan, &step, job->error);
}

/* Appends the sections that are, or are not, CPUID pages. */
static int append_sections(struct ovmf_job *job, bool want_cpuid, bool want_others)
{
	struct gmi_ovmf_section section;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < job->sections.count; i++) {
		ret = gmi_ovmf_get_section(&job->sections, i, &section, job->error);
		if (!ret && (section.type == GMI_OVMF_CPUID ? want_cpuid : want_others))
			ret = append_section(job, &section);
	}
	return ret;
}

static bool is_ec2(const struct ovmf_job *job)
{
	return job->opts.vmm == GMEM_VMM_EC2 || job->opts.vmm == GMEM_VMM_EC2_RDX0;
}

static int append_metadata(struct ovmf_job *job)
{
	int ret = gmi_ovmf_find_sections(job->meta, job->table, &job->sections, job->error);

	if (ret)
		return ret;
	ret = append_sections(job, !is_ec2(job), true);
	if (!ret && is_ec2(job))
		ret = append_sections(job, true, false);
	if (!ret && job->opts.kernel && !job->hashes_placed)
		return gmi_fail(job->error, ENOENT, GMI_NO_OFFSET,
				"a kernel is given, but the image has no kernel hash section");
	return ret;
}

/* Without SNP the table alone is loaded, not its page. */
static int append_hash_table(struct ovmf_job *job)
{
	struct gmem_launch_step step = {
		.gpa = job->hash_area.start,
		.size = GMI_KERNEL_HASHES_SIZE,
		.type = GMEM_LAUNCH_NORMAL,
		.flags = GMEM_LAUNCH_MEASURED,
		.label = "kernel hashes",
	};
	uint8_t *page;

	if (!job->opts.kernel)
		return 0;
	page = alloc_pages(job, GMI_KERNEL_HASHES_SIZE);
	if (!page)
		return -ENOMEM;
	gmi_kernel_hashes_write(&job->opts, page);
	step.bytes = page;
	return gmi_plan_append(job->plan, &step, job->error);
}

static int append_svsm_vcpus(struct ovmf_job *job, struct gmem_vmsa_opts *vmsa)
{
	uint32_t offset;
	int ret = gmi_ovmf_find_svsm_entry(job->table, &offset, job->error);

	if (ret)
		return ret;
	if (offset >= job->opts.svsm_size)
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"the SVSM's entry point 0x%x is outside its image", offset);
	vmsa->profile = GMEM_VMSA_SVSM;
	vmsa->entry = svsm_gpa(&job->opts) + offset;
	return gmi_plan_append_vmsas(job->plan, vmsa, vmsa, job->opts.vcpus, job->error);
}

static int append_vcpus(struct ovmf_job *job)
{
	struct gmem_vmsa_opts boot = {
		.sz = sizeof(boot),
		.profile = job->opts.vmm,
		.vcpu_sig = job->opts.vcpu_sig,
		.boot = 1,
		.entry = BOOT_ENTRY,
		.sev_features = job->opts.sev_features,
	};
	struct gmem_vmsa_opts other = boot;
	uint32_t address;
	int ret;

	if (job->opts.svsm)
		return append_svsm_vcpus(job, &boot);
	ret = gmi_ovmf_find_reset(job->image, job->table, &address, job->error);
	if (ret)
		return ret;
	other.boot = 0;
	other.entry = address;
	return gmi_plan_append_vmsas(job->plan, &boot, &other, job->opts.vcpus, job->error);
}

static int build(struct ovmf_job *job)
{
	int ret;

	if (!(job->opts.flags & GMEM_OVMF_WITHOUT_IMAGE)) {
		ret = append_images(job);
		if (ret || job->opts.flags & GMEM_OVMF_IMAGE_ONLY)
			return ret;
	}
	ret = open_table(job);
	if (!ret)
		ret = find_hash_area(job);
	if (!ret)
		ret = is_snp(job) ? append_metadata(job) : append_hash_table(job);
	if (!ret && !is_sev_only(job))
		ret = append_vcpus(job);
	return ret ? ret : gmi_plan_finish(job->plan, job->error);
}

GMEM_API int gmem_plan_from_ovmf(const struct gmem_ovmf_opts *opts, struct gmem_plan **ret_plan,
				 struct gmem_measure_error *error)
{
	struct ovmf_job job = {.error = error};
	int ret = gmi_opts_read(opts, &job.opts, sizeof(job.opts), error);

	if (!ret)
		ret = check_opts(&job);
	if (ret)
		return ret;
	job.image = (struct gmi_bytes){.data = job.opts.image, .size = job.opts.image_size};
	job.meta = job.image;
	if (job.opts.svsm)
		job.meta = (struct gmi_bytes){.data = job.opts.svsm, .size = job.opts.svsm_size};
	ret = gmem_plan_create(job.opts.vm_type, &job.plan);
	if (ret)
		return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
	ret = build(&job);
	if (ret)
		gmem_plan_destroy(job.plan);
	else
		*ret_plan = job.plan;
	return ret;
}
