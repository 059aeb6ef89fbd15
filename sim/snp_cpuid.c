/* SPDX-License-Identifier: MIT */
/* The CPUID table: what the firmware refuses, and what it would have instead. */
#include <string.h>

#include "sim_model.h"
#include "uapi_sev.h"

_Static_assert(sizeof(struct gmi_snp_cpuid_page) == SIM_PAGE, "the table is a page");

enum { EAX, EBX, ECX, EDX };

/*
 * UNVERIFIED: the firmware's table is known by what VMMs clear to get past it, not as a whole. A
 * leaf that has no row here, and is in a range that the firmware checks, has to be zero.
 */
static const struct leaf {
	uint32_t first, last;
	uint32_t refused[4]; /* bits that may not be set */
} leaves[] = {
	{.first = 0x0, .last = 0x0},
	{.first = 0x1, .last = 0x1, .refused = {[ECX] = 1u << 24 /* TSC deadline */}},
	{.first = 0x2, .last = 0x6},
	{
		.first = 0x7,
		.last = 0x7,
		.refused =
			{
				[EBX] = 1u << 1,     /* TSC_ADJUST */
				[EDX] = 0xfc000000u, /* SPEC_CTRL to SSBD */
			},
	},
	{.first = 0xb, .last = 0xb},
	{.first = 0xd, .last = 0xd},
	{.first = 0x10, .last = 0x10},
	{.first = 0x80000000, .last = 0x80000007},
	{.first = 0x80000008, .last = 0x80000008, .refused = {[EBX] = 1u << 25 /* VIRT_SSBD */}},
	{.first = 0x80000009, .last = 0x80000026},
};

static const uint32_t all[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
static const uint32_t none[4];

static const uint32_t *refused(uint32_t leaf)
{
	if (leaf > 0xffff && (leaf < 0x80000000 || leaf > 0x8000ffff))
		return none;
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		if (leaf >= leaves[i].first && leaf <= leaves[i].last)
			return leaves[i].refused;
	}
	return all;
}

#define XSAVE_SIZE 0x240 /* of what XCR0 = 1 and IA32_XSS = 0 need */

/* Leaf 0xd tells the size of what @xcr0_in and @xss_in enable. */
static bool correct_size(struct gmi_snp_cpuid_entry *entry)
{
	if (entry->eax_in != 0xd || entry->ecx_in > 1 || entry->xcr0_in != 1 || entry->xss_in ||
	    entry->ebx == XSAVE_SIZE)
		return false;
	entry->ebx = XSAVE_SIZE;
	return true;
}

static bool correct_entry(struct gmi_snp_cpuid_entry *entry)
{
	const uint32_t *bits = refused(entry->eax_in);
	bool changed = correct_size(entry);

	changed |= entry->eax & bits[EAX] || entry->ebx & bits[EBX] || entry->ecx & bits[ECX] ||
		   entry->edx & bits[EDX] || entry->reserved;
	entry->eax &= ~bits[EAX];
	entry->ebx &= ~bits[EBX];
	entry->ecx &= ~bits[ECX];
	entry->edx &= ~bits[EDX];
	entry->reserved = 0;
	return changed;
}

uint32_t gmi_sim_fw_check_cpuid(uint8_t *page)
{
	struct gmi_snp_cpuid_page table;
	bool changed = false;

	memcpy(&table, page, sizeof(table));
	if (table.count > GMI_SNP_CPUID_COUNT_MAX || table.reserved1 || table.reserved2)
		return GMI_SEV_RET_INVALID_PARAM;
	for (uint32_t i = 0; i < table.count; i++)
		changed |= correct_entry(&table.entries[i]);
	if (!changed)
		return GMI_SEV_RET_SUCCESS;
	memcpy(page, &table, sizeof(table));
	return GMI_SEV_RET_INVALID_PARAM;
}
