/* SPDX-License-Identifier: MIT */
/* The table of CPUID: built from KVM's, and compared with what the firmware would have. */
#include <stdio.h>
#include <string.h>

#include "errinfo.h"
#include "snp_guest.h"
#include "uapi_kvm.h"

_Static_assert(sizeof(struct gmi_snp_cpuid_page) == GMEM_SNP_CPUID_SIZE, "the table is one page");
_Static_assert(GMI_SNP_CPUID_COUNT_MAX == GMEM_SNP_CPUID_ENTRIES, "as the firmware has it");

/* Leaf 0xd tells what the states that are enabled take: 0x240 bytes for the first two alone. */
#define XSAVE_LEAF  0xdu
#define XSAVE_BASIC 0x240u

/* Bits that the firmware does not let a guest be told (QEMU's list, target/i386/sev.c). */
static const struct mask {
	uint32_t leaf, subleaf;
	uint32_t ebx, ecx, edx;
} refused[] = {
	{.leaf = 0x1, .ecx = 1u << 24 /* TSC deadline */},
	{
		.leaf = 0x7,
		.ebx = 1u << 1, /* TSC_ADJUST */
		/* SPEC_CTRL, STIBP, FLUSH_L1D, ARCH_CAPABILITIES, CORE_CAPABILITY, SSBD */
		.edx = 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29 | 1u << 30 | 1u << 31,
	},
	{.leaf = 0x80000008, .ebx = 1u << 25 /* VIRT_SSBD */},
};

static void clear_refused(struct gmi_snp_cpuid_entry *entry)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i].leaf != entry->eax_in || refused[i].subleaf != entry->ecx_in)
			continue;
		entry->ebx &= ~refused[i].ebx;
		entry->ecx &= ~refused[i].ecx;
		entry->edx &= ~refused[i].edx;
	}
}

static void convert(const struct gmi_kvm_cpuid_entry2 *kvm, uint32_t flags,
		    struct gmi_snp_cpuid_entry *entry)
{
	bool has_index = kvm->flags & GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX;

	entry->eax_in = kvm->function;
	entry->ecx_in = has_index ? kvm->index : 0;
	entry->eax = kvm->eax;
	entry->ebx = kvm->ebx;
	entry->ecx = kvm->ecx;
	entry->edx = kvm->edx;
	if (entry->eax_in == XSAVE_LEAF && entry->ecx_in <= 1) {
		entry->ebx = XSAVE_BASIC;
		entry->xcr0_in = 1;
	}
	if (!(flags & GMEM_SNP_CPUID_RAW))
		clear_refused(entry);
}

static int build(const void *kvm_cpuid, uint32_t flags, void *ret_table)
{
	const struct gmi_kvm_cpuid2 *kvm = kvm_cpuid;
	struct gmi_snp_cpuid_page table = {0};

	if (!kvm_cpuid || !ret_table)
		return gmi_error_arg(kvm_cpuid ? "ret_table" : "kvm_cpuid", "a NULL pointer");
	if (flags & ~GMEM_SNP_CPUID_RAW)
		return gmi_error_arg("flags", "unknown flags %#x", flags & ~GMEM_SNP_CPUID_RAW);
	if (kvm->nent > GMEM_SNP_CPUID_ENTRIES)
		return gmi_error_arg("kvm_cpuid", "%u entries, the firmware takes %d", kvm->nent,
				     GMEM_SNP_CPUID_ENTRIES);
	table.count = kvm->nent;
	for (uint32_t i = 0; i < kvm->nent; i++)
		convert(&kvm->entries[i], flags, &table.entries[i]);
	memcpy(ret_table, &table, sizeof(table));
	return 0;
}

GMEM_API int gmem_snp_cpuid_build(const void *kvm_cpuid, uint32_t flags, void *ret_table)
{
	return gmi_result(__func__, build(kvm_cpuid, flags, ret_table));
}

/* "bits 3, 24"; a register that changed in many says so by its values. */
static void list_bits(char *text, size_t size, const char *verb, uint32_t bits)
{
	size_t used = strlen(text);
	int written;

	if (!bits)
		return;
	written = snprintf(text + used, size - used, "%s %s", used ? " and" : "", verb);
	for (uint32_t bit = 0; bit < 32 && written > 0; bit++) {
		if (!(bits >> bit & 1))
			continue;
		used = strlen(text);
		snprintf(text + used, size - used, " %u", bit);
	}
}

static void describe(struct gmem_snp_cpuid_diff *diff)
{
	static const char *const names[] = {"EAX", "EBX", "ECX", "EDX"};
	char bits[80] = "";

	if (diff->reg == GMEM_SNP_OTHER) {
		snprintf(diff->text, sizeof(diff->text),
			 "leaf %#x.%#x: the firmware changes its inputs or reserved fields",
			 diff->leaf, diff->subleaf);
		return;
	}
	if (__builtin_popcount(diff->wanted ^ diff->allowed) <= 8) {
		list_bits(bits, sizeof(bits), "clears bits", diff->wanted & ~diff->allowed);
		list_bits(bits, sizeof(bits), "sets bits", diff->allowed & ~diff->wanted);
	} else {
		snprintf(bits, sizeof(bits), " has %#x, not %#x", diff->allowed, diff->wanted);
	}
	snprintf(diff->text, sizeof(diff->text), "leaf %#x.%#x %s: the firmware%s", diff->leaf,
		 diff->subleaf, names[diff->reg], bits);
}

struct differences {
	struct gmem_snp_cpuid_diff *diffs;
	size_t room;
	size_t count;
};

static void add(struct differences *found, const struct gmi_snp_cpuid_entry *entry, uint32_t reg,
		uint32_t wanted, uint32_t allowed)
{
	if (found->count < found->room) {
		struct gmem_snp_cpuid_diff *diff = &found->diffs[found->count];

		*diff = (struct gmem_snp_cpuid_diff){
			.leaf = entry->eax_in,
			.subleaf = entry->ecx_in,
			.reg = reg,
			.wanted = wanted,
			.allowed = allowed,
		};
		describe(diff);
	}
	found->count++;
}

static void add_register(struct differences *found, const struct gmi_snp_cpuid_entry *entry,
			 uint32_t reg, uint32_t wanted, uint32_t allowed)
{
	if (wanted != allowed)
		add(found, entry, reg, wanted, allowed);
}

static bool has_other(const struct gmi_snp_cpuid_entry *a, const struct gmi_snp_cpuid_entry *b)
{
	return a->eax_in != b->eax_in || a->ecx_in != b->ecx_in || a->xcr0_in != b->xcr0_in ||
	       a->xss_in != b->xss_in || a->reserved != b->reserved;
}

size_t gmi_snp_cpuid_compare(const uint8_t *wanted, const uint8_t *allowed,
			     struct gmem_snp_cpuid_diff *diffs, size_t room)
{
	struct differences found = {.diffs = diffs, .room = room};
	struct gmi_snp_cpuid_page old, new;

	memcpy(&old, wanted, sizeof(old));
	memcpy(&new, allowed, sizeof(new));
	for (uint32_t i = 0; i < old.count && i < GMI_SNP_CPUID_COUNT_MAX; i++) {
		const struct gmi_snp_cpuid_entry *a = &old.entries[i], *b = &new.entries[i];

		add_register(&found, a, GMEM_SNP_EAX, a->eax, b->eax);
		add_register(&found, a, GMEM_SNP_EBX, a->ebx, b->ebx);
		add_register(&found, a, GMEM_SNP_ECX, a->ecx, b->ecx);
		add_register(&found, a, GMEM_SNP_EDX, a->edx, b->edx);
		if (has_other(a, b))
			add(&found, a, GMEM_SNP_OTHER, 0, 0);
	}
	return found.count;
}
