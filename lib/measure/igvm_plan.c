/* SPDX-License-Identifier: MIT */
/* Turns an IGVM file into a launch plan for SEV-SNP or TDX. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "id_block.h"
#include "igvm.h"
#include "igvm_vmsa.h"
#include "plan.h"
#include "range.h"
#include "vmsa.h"

#define BOOT_ENTRY UINT64_C(0xfffffff0)
#define SNP_ACTIVE UINT64_C(1)

#define PLATFORM_VERSION 1

/* Bounds on what a malicious file can ask for. Real files have a few areas of a few pages. */
#define AREAS_MAX     256
#define AREA_SIZE_MAX (UINT64_C(64) << 20)

/* Flags and types of PAGE_DATA. */
#define PAGE_2M         0x1
#define PAGE_UNMEASURED 0x2
#define PAGE_SHARED     0x4
enum { DATA_NORMAL, DATA_SECRETS, DATA_CPUID, DATA_CPUID_XF };

struct area {
	uint64_t size;
	uint64_t gpa;
	const uint8_t *initial; /* @size bytes of the file, or NULL for zeroes */
	uint32_t index;
	bool inserted;
};

/* What the next page has to continue to belong to the same run: see append_in_run(). */
struct run_key {
	uint64_t next_gpa;
	uint64_t next_directive;
	uint32_t mask;
	uint32_t flags;
	uint16_t type;
	bool has_data;
};

struct igvm_job {
	struct gmem_igvm_opts opts;
	struct gmem_plan *plan;
	struct gmem_plan *run; /* QEMU: pages that are not in @plan yet */
	struct run_key run_key;
	uint64_t directive; /* number of the current header */
	struct gmem_measure_error *error;
	struct gmi_igvm igvm;
	uint32_t mask; /* of the platform; 0 before it was found */
	bool has_policy;
	uint64_t area_bytes;
	size_t area_count;
	struct area areas[AREAS_MAX];
	const uint8_t *vmsas[GMEM_MEASURE_VCPUS_MAX]; /* pages of the plan */
	uint32_t vmsa_end;                            /* one past the highest index */
	struct gmi_reader id_block;                   /* no data: none */
};

static int no_memory(const struct igvm_job *job)
{
	return gmi_fail(job->error, ENOMEM, GMI_NO_OFFSET, "no memory");
}

static bool is_snp(const struct igvm_job *job)
{
	return job->opts.vm_type == GMEM_VM_SNP;
}

static bool is_ours(const struct igvm_job *job, uint32_t mask)
{
	return mask & job->mask;
}

/* A part of the file; @offset counts from the file's beginning. */
static int get_data(const struct igvm_job *job, const struct gmi_igvm_header *header,
		    uint32_t offset, uint64_t size, const uint8_t **ret_data)
{
	struct gmi_bytes data;

	if (!gmi_bytes_slice(job->igvm.file, offset, size, &data))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: data 0x%x+0x%llx is outside the file", offset,
				(unsigned long long)size);
	*ret_data = data.data;
	return 0;
}

static int take_platform(struct igvm_job *job, struct gmi_igvm_header *header)
{
	uint32_t mask = gmi_read_u32(&header->content);
	uint8_t type;
	uint16_t version;

	gmi_read_u8(&header->content);
	type = gmi_read_u8(&header->content);
	version = gmi_read_u16(&header->content);
	if (!mask || mask & (mask - 1))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: compatibility mask 0x%x of a platform is not one bit", mask);
	if (type != (is_snp(job) ? GMI_IGVM_SEV_SNP : GMI_IGVM_TDX))
		return 0;
	if (version != PLATFORM_VERSION)
		return gmi_fail(job->error, EOPNOTSUPP, header->offset,
				"IGVM: platform version %u is not known", version);
	if (job->mask)
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: the platform is named twice");
	job->mask = mask;
	return 0;
}

static int take_policy(struct igvm_job *job, struct gmi_igvm_header *header)
{
	uint64_t policy = gmi_read_u64(&header->content);

	if (!is_ours(job, gmi_read_u32(&header->content)))
		return 0;
	if (job->has_policy)
		return gmi_fail(job->error, EBADMSG, header->offset, "IGVM: a second guest policy");
	job->has_policy = true;
	job->plan->policy = policy;
	return 0;
}

/* A type of page without contents in the file: made by firmware or launch. */
static bool choose_special(struct gmem_launch_step *step, uint16_t type)
{
	switch (type) {
	case DATA_SECRETS:
		step->type = GMEM_LAUNCH_SECRETS;
		step->label = "secrets";
		return true;
	case DATA_CPUID:
	case DATA_CPUID_XF:
		step->type = GMEM_LAUNCH_CPUID;
		step->label = "CPUID";
		return true;
	}
	return false;
}

/* QEMU launches a page without data as NORMAL, filled with zeroes; cloud-hypervisor as ZERO. */
static void choose_contents(const struct igvm_job *job, struct gmem_launch_step *step,
			    uint32_t flags, bool has_data)
{
	step->label = "data";
	if (flags & PAGE_UNMEASURED) {
		step->type = GMEM_LAUNCH_UNMEASURED;
	} else if (!has_data && job->opts.vmm == GMEM_VMM_CLOUD_HYPERVISOR) {
		step->type = GMEM_LAUNCH_ZERO;
	} else {
		step->type = GMEM_LAUNCH_NORMAL;
		step->flags = GMEM_LAUNCH_MEASURED;
	}
}

static int check_page(const struct igvm_job *job, const struct gmi_igvm_header *header,
		      uint32_t flags, uint16_t type)
{
	if (flags & PAGE_2M)
		return gmi_fail(job->error, EOPNOTSUPP, header->offset,
				"IGVM: PAGE_DATA of 2 MiB is not supported");
	if (flags & PAGE_SHARED)
		return gmi_fail(job->error, EOPNOTSUPP, header->offset,
				"IGVM: PAGE_DATA that is shared is not supported");
	if (flags & ~(uint32_t)PAGE_UNMEASURED)
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: PAGE_DATA flags 0x%x are not known", flags);
	if (type > DATA_CPUID_XF)
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: PAGE_DATA type %u is not known", type);
	if (type != DATA_NORMAL && !is_snp(job))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: PAGE_DATA type %u exists on SEV-SNP only", type);
	return 0;
}

static int check_gpa(const struct igvm_job *job, const struct gmi_igvm_header *header, uint64_t gpa)
{
	if (gmi_is_aligned(gpa, GMEM_PAGE_SIZE))
		return 0;
	return gmi_fail(job->error, EBADMSG, header->offset,
			"IGVM: address 0x%llx is not page aligned", (unsigned long long)gpa);
}

static int flush_run(struct igvm_job *job)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < job->run->count; i++)
		ret = gmi_plan_append(job->plan, &job->run->steps[i], job->error);
	job->run->count = 0;
	return ret;
}

static bool continues(const struct run_key *run, const struct run_key *page, uint64_t gpa,
		      uint64_t directive)
{
	return run->next_gpa == gpa && run->next_directive == directive &&
	       run->mask == page->mask && run->flags == page->flags && run->type == page->type &&
	       run->has_data == page->has_data;
}

/* QEMU collects pages that continue each other in consecutive directives, and launches them when one
 * does not or at the end of the file (backends/igvm.c qigvm_process_mem_page()). A parameter area in
 * between is launched at once, so before the pages of the run that precedes it. */
static int append_in_run(struct igvm_job *job, const struct gmem_launch_step *step,
			 struct run_key page)
{
	int ret = 0;

	if (job->opts.vmm != GMEM_VMM_QEMU || !is_snp(job))
		return gmi_plan_append(job->plan, step, job->error);
	if (!continues(&job->run_key, &page, step->gpa, job->directive))
		ret = flush_run(job);
	page.next_gpa = step->gpa + step->size;
	page.next_directive = job->directive + 1;
	job->run_key = page;
	return ret ? ret : gmi_plan_append(job->run, step, job->error);
}

static int take_page(struct igvm_job *job, struct gmi_igvm_header *header)
{
	struct gmem_launch_step step = {.size = GMEM_PAGE_SIZE};
	const uint8_t *data = NULL;
	uint32_t mask, offset, flags;
	uint16_t type;
	int ret;

	step.gpa = gmi_read_u64(&header->content);
	mask = gmi_read_u32(&header->content);
	offset = gmi_read_u32(&header->content);
	flags = gmi_read_u32(&header->content);
	type = gmi_read_u16(&header->content);
	if (!is_ours(job, mask))
		return 0;
	ret = check_page(job, header, flags, type);
	if (!ret)
		ret = check_gpa(job, header, step.gpa);
	if (!ret && offset)
		ret = get_data(job, header, offset, GMEM_PAGE_SIZE, &data);
	if (ret)
		return ret;
	if (!choose_special(&step, type)) {
		choose_contents(job, &step, flags, data);
		if (data)
			step.bytes = gmi_plan_own(job->plan, data, GMEM_PAGE_SIZE);
		if (data && !step.bytes)
			return no_memory(job);
	}
	return append_in_run(
		job, &step,
		(struct run_key){.mask = mask, .flags = flags, .type = type, .has_data = data});
}

static struct area *find_area(struct igvm_job *job, uint32_t index)
{
	for (size_t i = 0; i < job->area_count; i++)
		if (job->areas[i].index == index)
			return &job->areas[i];
	return NULL;
}

static int take_area(struct igvm_job *job, struct gmi_igvm_header *header)
{
	struct area area = {.size = gmi_read_u64(&header->content)};
	uint32_t offset;
	int ret = 0;

	area.index = gmi_read_u32(&header->content);
	offset = gmi_read_u32(&header->content);
	if (!area.size || !gmi_is_aligned(area.size, GMEM_PAGE_SIZE))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: parameter area %u has 0x%llx bytes, not pages", area.index,
				(unsigned long long)area.size);
	if (area.size > AREA_SIZE_MAX - job->area_bytes || job->area_count == AREAS_MAX)
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: more than %u parameter areas or 64 MiB of them", AREAS_MAX);
	if (find_area(job, area.index))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: parameter area %u exists already", area.index);
	if (offset)
		ret = get_data(job, header, offset, area.size, &area.initial);
	job->area_bytes += area.size;
	job->areas[job->area_count++] = area;
	return ret;
}

static int open_area(struct igvm_job *job, const struct gmi_igvm_header *header, uint32_t index,
		     struct area **ret_area)
{
	struct area *area = find_area(job, index);

	if (!area || area->inserted)
		return gmi_fail(job->error, EBADMSG, header->offset, "IGVM: parameter area %u %s",
				index, area ? "is inserted already" : "does not exist");
	*ret_area = area;
	return 0;
}

/* Until the area is inserted a parameter's address is its offset, and its room the area's index. */
static int take_parameter(struct igvm_job *job, struct gmi_igvm_header *header)
{
	struct gmem_launch_parameter *parameters;
	uint32_t index = gmi_read_u32(&header->content);
	uint32_t offset = gmi_read_u32(&header->content);
	struct gmem_plan *plan = job->plan;
	struct area *area = NULL;
	int ret = open_area(job, header, index, &area);

	if (ret)
		return ret;
	if (offset > area->size - sizeof(uint32_t))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: a parameter at 0x%x is outside parameter area %u", offset,
				index);
	parameters = reallocarray(plan->parameters, plan->parameter_count + 1, sizeof(*parameters));
	if (!parameters)
		return no_memory(job);
	plan->parameters = parameters;
	parameters[plan->parameter_count++] = (struct gmem_launch_parameter){
		.gpa = offset,
		.room = index,
		.kind = header->type,
	};
	return 0;
}

static int take_insert(struct igvm_job *job, struct gmi_igvm_header *header)
{
	struct gmem_launch_step step = {
		.type = GMEM_LAUNCH_UNMEASURED,
		.flags = GMEM_LAUNCH_FILL,
		.label = "parameters",
	};
	uint32_t mask, index;
	struct area *area = NULL;
	uint8_t *pages;
	int ret;

	step.gpa = gmi_read_u64(&header->content);
	mask = gmi_read_u32(&header->content);
	index = gmi_read_u32(&header->content);
	if (!is_ours(job, mask))
		return 0;
	ret = open_area(job, header, index, &area);
	if (!ret)
		ret = check_gpa(job, header, step.gpa);
	if (ret)
		return ret;
	pages = gmi_plan_alloc(job->plan, area->size);
	if (!pages)
		return no_memory(job);
	if (area->initial)
		memcpy(pages, area->initial, area->size);
	step.size = area->size;
	step.bytes = pages;
	area->inserted = true;
	area->gpa = step.gpa;
	return gmi_plan_append(job->plan, &step, job->error);
}

static int take_vp_context(struct igvm_job *job, struct gmi_igvm_header *header)
{
	uint64_t gpa = gmi_read_u64(&header->content);
	uint32_t mask = gmi_read_u32(&header->content);
	uint32_t offset = gmi_read_u32(&header->content);
	uint16_t vcpu = gmi_read_u16(&header->content);
	const uint8_t *from = NULL;
	uint8_t *page;
	int ret;

	if (!is_ours(job, mask))
		return 0;
	if (!is_snp(job))
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: VP_CONTEXT has no meaning on TDX");
	if (gpa != GMEM_LAUNCH_VMSA_GPA)
		return gmi_fail(job->error, EOPNOTSUPP, header->offset,
				"IGVM: a VMSA at 0x%llx; KVM puts it at 0x%llx",
				(unsigned long long)gpa, (unsigned long long)GMEM_LAUNCH_VMSA_GPA);
	if (vcpu >= GMEM_MEASURE_VCPUS_MAX || job->vmsas[vcpu])
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: a second VMSA of vCPU %u, or of too many vCPUs", vcpu);
	ret = get_data(job, header, offset, GMEM_PAGE_SIZE, &from);
	if (ret)
		return ret;
	page = gmi_plan_alloc(job->plan, GMEM_PAGE_SIZE);
	if (!page)
		return no_memory(job);
	ret = gmi_igvm_make_vmsa(from, offset, page, job->error);
	if (ret)
		return ret;
	job->vmsas[vcpu] = page;
	if (vcpu >= job->vmsa_end)
		job->vmsa_end = vcpu + 1U;
	return 0;
}

static int take_id_block(struct igvm_job *job, struct gmi_igvm_header *header)
{
	if (!is_ours(job, gmi_read_u32(&header->content)))
		return 0;
	if (!is_snp(job) || job->id_block.left.data)
		return gmi_fail(job->error, EBADMSG, header->offset,
				"IGVM: a second SNP_ID_BLOCK, or one for TDX");
	job->id_block = header->content;
	return 0;
}

static int take_header(struct igvm_job *job, struct gmi_igvm_header *header)
{
	switch (header->type) {
	case GMI_IGVM_SUPPORTED_PLATFORM:
		return take_platform(job, header);
	case GMI_IGVM_GUEST_POLICY:
		return take_policy(job, header);
	case GMI_IGVM_PAGE_DATA:
		return take_page(job, header);
	case GMI_IGVM_PARAMETER_AREA:
		return take_area(job, header);
	case GMI_IGVM_PARAMETER_INSERT:
		return take_insert(job, header);
	case GMI_IGVM_VP_CONTEXT:
		return take_vp_context(job, header);
	case GMI_IGVM_SNP_ID_BLOCK:
		return take_id_block(job, header);
	case GMI_IGVM_REQUIRED_MEMORY: /* a hint: nothing is loaded or measured */
		return 0;
	}
	return take_parameter(job, header);
}

static int take_all(struct igvm_job *job)
{
	struct gmi_bytes left = job->igvm.headers;
	struct gmi_igvm_header header;
	unsigned int section = 0;
	int ret;

	for (;; job->directive++) {
		ret = gmi_igvm_next(&left, &section, &header, job->error);
		if (ret || !header.type)
			return ret ? ret : flush_run(job);
		if (section > 1 && !job->mask)
			return gmi_fail(job->error, ENOENT, header.offset,
					"IGVM: the file is not for %s",
					is_snp(job) ? "SEV-SNP" : "TDX");
		ret = take_header(job, &header);
		if (ret)
			return ret;
		if (job->plan->memory_size > GMI_PLAN_MEMORY_MAX ||
		    job->run->memory_size > GMI_PLAN_MEMORY_MAX)
			return gmi_fail(job->error, EBADMSG, header.offset,
					"IGVM: more than 4096 MiB of memory");
	}
}

/* Gives parameters their addresses, and drops those of areas that are not for this platform. */
static void place_parameters(struct igvm_job *job)
{
	struct gmem_plan *plan = job->plan;
	size_t count = 0;

	for (size_t i = 0; i < plan->parameter_count; i++) {
		struct gmem_launch_parameter parameter = plan->parameters[i];
		const struct area *area = find_area(job, (uint32_t)parameter.room);

		if (!area->inserted)
			continue;
		parameter.room = area->size - parameter.gpa;
		parameter.gpa += area->gpa;
		plan->parameters[count++] = parameter;
	}
	plan->parameter_count = count;
}

static uint64_t features_of(const uint8_t *vmsa)
{
	uint64_t features;

	memcpy(&features, vmsa + GMI_VMSA_SEV_FEATURES, sizeof(features));
	return features;
}

/* vCPUs without a context start as KVM resets them. */
static uint8_t *make_reset_vmsa(struct igvm_job *job)
{
	const struct gmem_vmsa_opts opts = {
		.sz = sizeof(opts),
		.profile = GMEM_VMSA_QEMU,
		.vcpu_sig = job->opts.vcpu_sig,
		.entry = BOOT_ENTRY,
		.sev_features = job->vmsas[0] ? features_of(job->vmsas[0]) : SNP_ACTIVE,
	};
	uint8_t *page = gmi_plan_alloc(job->plan, GMEM_PAGE_SIZE);

	if (page)
		gmi_vmsa_write(&opts, page);
	return page;
}

static int append_vmsa(struct igvm_job *job, uint32_t vcpu, const uint8_t *reset)
{
	struct gmem_launch_step step = {
		.gpa = GMEM_LAUNCH_VMSA_GPA,
		.size = GMEM_PAGE_SIZE,
		.type = GMEM_LAUNCH_VMSA,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = job->vmsas[vcpu] ? job->vmsas[vcpu] : reset,
		.vcpu = vcpu,
		.label = job->vmsas[vcpu] ? "vCPU of the file" : "other vCPU",
	};

	return gmi_plan_append(job->plan, &step, job->error);
}

static int append_vcpus(struct igvm_job *job)
{
	uint32_t vcpus = job->opts.vcpus ? job->opts.vcpus : job->vmsa_end;
	const uint8_t *reset;
	int ret = 0;

	if (!is_snp(job))
		return 0;
	if (!vcpus)
		return gmi_fail(job->error, ENOENT, GMI_NO_OFFSET,
				"IGVM: the file has no VP_CONTEXT: the number of vCPUs is needed");
	if (job->vmsa_end > vcpus)
		return gmi_invalid(job->error, "the file has a VMSA for vCPU %u, but there are %u",
				   job->vmsa_end - 1, vcpus);
	if (job->vmsas[0] && !(features_of(job->vmsas[0]) & SNP_ACTIVE))
		return gmi_fail(job->error, EBADMSG, GMI_NO_OFFSET,
				"IGVM: SEV_FEATURES of the VMSA lack bit 0, SNP active");
	reset = make_reset_vmsa(job);
	if (!reset)
		return no_memory(job);
	for (uint32_t i = 0; !ret && i < vcpus; i++)
		ret = append_vmsa(job, i, reset);
	return ret;
}

static void copy(struct gmi_reader *reader, uint8_t *at, size_t size)
{
	const uint8_t *bytes = gmi_read_bytes(reader, size);

	if (bytes)
		memcpy(at, bytes, size);
}

/* The file's keys have a reserved u32 behind the curve, which the firmware's do not. */
static void copy_key(struct gmi_reader *reader, uint8_t *at)
{
	copy(reader, at, 4);
	gmi_read_u32(reader);
	copy(reader, at + GMI_ID_KEY_X, 2 * GMI_ID_NUMBER_SIZE);
}

static void copy_signature(struct gmi_reader *reader, uint8_t *at)
{
	copy(reader, at, 2 * GMI_ID_NUMBER_SIZE);
}

static int build_id_block(struct igvm_job *job)
{
	struct gmi_reader *reader = &job->id_block;
	uint8_t *block, *auth;

	if (!reader->left.data)
		return 0;
	block = gmi_plan_alloc(job->plan, GMEM_SNP_ID_BLOCK_SIZE);
	auth = gmi_plan_alloc(job->plan, GMEM_SNP_ID_AUTH_SIZE);
	if (!block || !auth)
		return no_memory(job);
	job->plan->id_flags = gmi_read_u8(reader) ? GMEM_SNP_ID_AUTHOR : 0;
	gmi_read_bytes(reader, 3);
	copy(reader, block + GMI_ID_DIGEST, GMI_ID_VERSION - GMI_ID_DIGEST);
	copy(reader, block + GMI_ID_VERSION, 8);
	memcpy(block + GMI_ID_POLICY, &job->plan->policy, sizeof(job->plan->policy));
	copy(reader, auth + GMI_AUTH_ID_ALGORITHM, 8);
	copy_signature(reader, auth + GMI_AUTH_BLOCK_SIGNATURE);
	copy_key(reader, auth + GMI_AUTH_ID_KEY);
	copy_signature(reader, auth + GMI_AUTH_KEY_SIGNATURE);
	copy_key(reader, auth + GMI_AUTH_AUTHOR_KEY);
	job->plan->id_block = block;
	job->plan->id_auth = auth;
	return 0;
}

static int build(struct igvm_job *job)
{
	struct gmi_bytes file = {.data = job->opts.image, .size = job->opts.image_size};
	int ret = gmi_igvm_open(file, &job->igvm, job->error);

	if (!ret)
		ret = take_all(job);
	if (!ret && !job->mask)
		ret = gmi_fail(job->error, ENOENT, GMI_NO_OFFSET, "IGVM: the file is not for %s",
			       is_snp(job) ? "SEV-SNP" : "TDX");
	if (ret)
		return ret;
	place_parameters(job);
	ret = append_vcpus(job);
	if (!ret)
		ret = build_id_block(job);
	return ret ? ret : gmi_plan_finish(job->plan, job->error);
}

static int check_opts(const struct igvm_job *job)
{
	const struct gmem_igvm_opts *opts = &job->opts;
	bool known_vmm = opts->vmm == GMEM_VMM_QEMU || opts->vmm == GMEM_VMM_CLOUD_HYPERVISOR;

	if (opts->vm_type != GMEM_VM_SNP && opts->vm_type != GMEM_VM_TDX)
		return gmi_invalid(job->error, "VM type %u is not SNP or TDX", opts->vm_type);
	if (!known_vmm || (!is_snp(job) && opts->vmm))
		return gmi_invalid(job->error,
				   "VMM %u does not launch IGVM files on this type of VM",
				   opts->vmm);
	if (!opts->image || !opts->image_size)
		return gmi_invalid(job->error, "the IGVM file is empty");
	if (opts->vcpus > GMEM_MEASURE_VCPUS_MAX || (!is_snp(job) && opts->vcpus))
		return gmi_invalid(job->error, "%u vCPUs: there can be up to %u on SNP, 0 on TDX",
				   opts->vcpus, GMEM_MEASURE_VCPUS_MAX);
	if (opts->flags || opts->reserved)
		return gmi_invalid(job->error, "flags 0x%x are not known", opts->flags);
	return 0;
}

static int run(struct igvm_job *job)
{
	int ret = check_opts(job);

	if (ret)
		return ret;
	if (gmem_plan_create(job->opts.vm_type, &job->plan) ||
	    gmem_plan_create(job->opts.vm_type, &job->run)) {
		ret = no_memory(job);
	} else {
		job->plan->merge = job->run->merge = GMI_MERGE_ALL;
		ret = build(job);
	}
	gmem_plan_destroy(job->run);
	if (ret)
		gmem_plan_destroy(job->plan);
	return ret;
}

GMEM_API int gmem_plan_from_igvm(const struct gmem_igvm_opts *opts, struct gmem_plan **ret_plan,
				 struct gmem_measure_error *error)
{
	struct igvm_job *job = calloc(1, sizeof(*job));
	int ret;

	if (!job)
		return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
	job->error = error;
	ret = gmi_opts_read(opts, &job->opts, sizeof(job->opts), error);
	if (!ret)
		ret = run(job);
	if (!ret)
		*ret_plan = job->plan;
	free(job);
	return ret;
}
