/* SPDX-License-Identifier: MIT */
/* The initial VMSA as each hypervisor makes it. */
#include "vmsa.h"

#include <errno.h>
#include <string.h>

#include "plan.h"

/* Offsets: struct sev_es_save_area, arch/x86/include/asm/svm.h. */
enum {
	VMSA_ES = 0x00,
	VMSA_CS = 0x10,
	VMSA_SS = 0x20,
	VMSA_DS = 0x30,
	VMSA_FS = 0x40,
	VMSA_GS = 0x50,
	VMSA_GDTR = 0x60,
	VMSA_LDTR = 0x70,
	VMSA_IDTR = 0x80,
	VMSA_TR = 0x90,
	VMSA_EFER = 0xd0,
	VMSA_CR4 = 0x148,
	VMSA_CR0 = 0x158,
	VMSA_DR7 = 0x160,
	VMSA_DR6 = 0x168,
	VMSA_RFLAGS = 0x170,
	VMSA_RIP = 0x178,
	VMSA_G_PAT = 0x268,
	VMSA_RDX = 0x310,
	VMSA_XCR0 = 0x3e8,
	VMSA_MXCSR = 0x408,
	VMSA_X87_FCW = 0x410,
};

#define EFER_SVME    0x1000
#define CR4_MCE      0x40
#define CR0_ET       0x10
#define CR0_PE       0x1
#define RESET_DR6    0xffff0ff0
#define RESET_DR7    0x400
#define RESET_RFLAGS 0x2
#define RESET_PAT    UINT64_C(0x0007040600070406)
#define RESET_MXCSR  0x1f80
#define RESET_FCW    0x37f
#define HOST_RDX     0x600

struct segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit;
	uint64_t base;
};

/* What differs between hypervisors. A RDX of 0 with @sig_rdx means the vCPU's signature. */
struct profile {
	uint16_t cs_boot;
	uint16_t cs_other;
	uint16_t ss;
	uint16_t tr;
	uint64_t pat;
	uint32_t rdx;
	uint32_t mxcsr;
	uint16_t fcw;
	bool sig_rdx;
	bool flat;
};

/* SVSM: the x87 control word of published digests is 0, although KVM copies the FPU's state. */
static const struct profile profiles[] = {
	[GMEM_VMSA_QEMU] = {0x9b, 0x9b, 0x93, 0x8b, RESET_PAT, 0, RESET_MXCSR, RESET_FCW, true},
	[GMEM_VMSA_EC2] = {0x9a, 0x9b, 0x92, 0x83, RESET_PAT, HOST_RDX},
	[GMEM_VMSA_GCE] = {0x9b, 0x9b, 0x93, 0x8b, 0x00070106, HOST_RDX},
	[GMEM_VMSA_EC2_RDX0] = {0x9a, 0x9b, 0x92, 0x83, RESET_PAT},
	[GMEM_VMSA_SVSM] = {0xc9b, 0xc9b, 0xc93, 0x8b, RESET_PAT, 0, RESET_MXCSR, 0, true, true},
};

static void put(uint8_t *page, size_t offset, uint64_t value, size_t size)
{
	memcpy(page + offset, &value, size);
}

static void put_segment(uint8_t *page, size_t offset, struct segment segment)
{
	put(page, offset, segment.selector, 2);
	put(page, offset + 2, segment.attributes, 2);
	put(page, offset + 4, segment.limit, 4);
	put(page, offset + 8, segment.base, 8);
}

static void put_system_segments(uint8_t *page, const struct profile *profile)
{
	put_segment(page, VMSA_GS, (struct segment){0, 0x93, 0xffff, 0});
	put_segment(page, VMSA_GDTR, (struct segment){0, 0, 0xffff, 0});
	put_segment(page, VMSA_LDTR, (struct segment){0, 0x82, 0xffff, 0});
	put_segment(page, VMSA_IDTR, (struct segment){0, 0, 0xffff, 0});
	put_segment(page, VMSA_TR, (struct segment){0, profile->tr, 0xffff, 0});
}

/* Real mode: the code segment's base holds the upper half of the entry point. */
static void put_real_mode(uint8_t *page, const struct profile *profile,
			  const struct gmem_vmsa_opts *opts)
{
	uint16_t cs = opts->boot ? profile->cs_boot : profile->cs_other;
	struct segment data = {0, 0x93, 0xffff, 0};

	put_segment(page, VMSA_CS, (struct segment){0xf000, cs, 0xffff, opts->entry & 0xffff0000});
	put_segment(page, VMSA_SS, (struct segment){0, profile->ss, 0xffff, 0});
	put_segment(page, VMSA_ES, data);
	put_segment(page, VMSA_DS, data);
	put_segment(page, VMSA_FS, data);
	put(page, VMSA_CR0, CR0_ET, 8);
	put(page, VMSA_RIP, opts->entry & 0xffff, 8);
}

static void put_flat_mode(uint8_t *page, const struct profile *profile,
			  const struct gmem_vmsa_opts *opts)
{
	struct segment data = {16, profile->ss, 0xffffffff, 0};

	put_segment(page, VMSA_CS, (struct segment){8, profile->cs_boot, 0xffffffff, 0});
	put_segment(page, VMSA_SS, data);
	put_segment(page, VMSA_ES, data);
	put_segment(page, VMSA_DS, data);
	put_segment(page, VMSA_FS, data);
	put(page, VMSA_CR0, CR0_ET | CR0_PE, 8);
	put(page, VMSA_RIP, opts->entry, 8);
}

static void put_registers(uint8_t *page, const struct profile *profile,
			  const struct gmem_vmsa_opts *opts)
{
	put(page, VMSA_EFER, EFER_SVME, 8);
	put(page, VMSA_CR4, CR4_MCE, 8);
	put(page, VMSA_DR7, RESET_DR7, 8);
	put(page, VMSA_DR6, RESET_DR6, 8);
	put(page, VMSA_RFLAGS, RESET_RFLAGS, 8);
	put(page, VMSA_G_PAT, profile->pat, 8);
	put(page, VMSA_RDX, profile->sig_rdx ? opts->vcpu_sig : profile->rdx, 8);
	put(page, GMI_VMSA_SEV_FEATURES, opts->sev_features, 8);
	put(page, VMSA_XCR0, 1, 8);
	put(page, VMSA_MXCSR, profile->mxcsr, 4);
	put(page, VMSA_X87_FCW, profile->fcw, 2);
}

void gmi_vmsa_write(const struct gmem_vmsa_opts *opts, uint8_t *page)
{
	const struct profile *profile = &profiles[opts->profile];

	memset(page, 0, GMEM_PAGE_SIZE);
	put_system_segments(page, profile);
	if (profile->flat)
		put_flat_mode(page, profile, opts);
	else
		put_real_mode(page, profile, opts);
	put_registers(page, profile, opts);
}

GMEM_API int gmem_vmsa_build(const struct gmem_vmsa_opts *opts, void *ret_page,
			     struct gmem_measure_error *error)
{
	struct gmem_vmsa_opts known;
	int ret = gmi_opts_read(opts, &known, sizeof(known), error);

	if (ret)
		return ret;
	if (known.profile > GMEM_VMSA_SVSM || known.boot > 1 || known.reserved || !ret_page)
		return gmi_invalid(error, "profile %u, boot %u or the page is not valid",
				   known.profile, known.boot);
	gmi_vmsa_write(&known, ret_page);
	return 0;
}

static int append_vmsa(struct gmem_plan *plan, const uint8_t *page, uint32_t vcpu,
		       struct gmem_measure_error *error)
{
	struct gmem_launch_step step = {
		.gpa = GMEM_LAUNCH_VMSA_GPA,
		.size = GMEM_PAGE_SIZE,
		.type = GMEM_LAUNCH_VMSA,
		.flags = GMEM_LAUNCH_MEASURED,
		.bytes = page,
		.vcpu = vcpu,
		.label = vcpu ? "other vCPU" : "boot vCPU",
	};

	return gmi_plan_append(plan, &step, error);
}

int gmi_plan_append_vmsas(struct gmem_plan *plan, const struct gmem_vmsa_opts *boot,
			  const struct gmem_vmsa_opts *other, uint32_t vcpus,
			  struct gmem_measure_error *error)
{
	uint8_t *pages = gmi_plan_alloc(plan, 2 * GMEM_PAGE_SIZE);
	int ret = 0;

	if (!pages)
		return gmi_fail(error, ENOMEM, GMI_NO_OFFSET, "no memory");
	gmi_vmsa_write(boot, pages);
	gmi_vmsa_write(other, pages + GMEM_PAGE_SIZE);
	for (uint32_t i = 0; !ret && i < vcpus; i++)
		ret = append_vmsa(plan, i ? pages + GMEM_PAGE_SIZE : pages, i, error);
	return ret;
}
