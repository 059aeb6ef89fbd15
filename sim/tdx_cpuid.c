/* SPDX-License-Identifier: MIT */
/* The CPUID of TDs: what the VMM may choose, and what the guest then sees. */
#include <errno.h>
#include <string.h>

#include "sim_model.h"

#define LEAF_FEATURES     7u
#define LEAF_ADDRESS_SIZE 0x80000008u

#define SIGNIFICANT_INDEX GMI_KVM_CPUID_FLAG_SIGNIFICANT_INDEX

/* KVM keeps these to itself: tdx_clear_unsupported_cpuid(). */
#define EBX_TSX     (1u << 4 | 1u << 11) /* HLE, RTM */
#define ECX_WAITPKG (1u << 5)

#define NO_SUBLEAF UINT32_MAX

struct leaf {
	uint32_t function;
	uint32_t index; /* or NO_SUBLEAF */
	struct sim_cpuid_value value;
};

/*
 * UNVERIFIED: which leaves and bits a module lets one choose differs between modules and is asked
 * of it at run time. These are of the same kind: leaves with and without sub-leaves, one function with
 * several of them, and the bits that KVM takes out again.
 */
static const struct leaf configurable[] = {
	{0x1, NO_SUBLEAF, {0x0fff3fff, 0x00ff0000, 0x31044d80, 0xb0400000}},
	{0x4, 0, {0xffffc3ff, 0xffffffff, 0xffffffff, 0x00000007}},
	{0x4, 1, {0xffffc3ff, 0xffffffff, 0xffffffff, 0x00000007}},
	{0x4, 2, {0xffffc3ff, 0xffffffff, 0xffffffff, 0x00000007}},
	{0x4, 3, {0xffffc3ff, 0xffffffff, 0xffffffff, 0x00000007}},
	{0x7, 0, {0x00000000, 0xd03f0bf9, 0x1a405fe6, 0xa0000000}},
	{0x7, 1, {0x00001c30, 0x00000000, 0x00000000, 0x00004000}},
	{0x1f, 0, {0x0000001f, 0x0000ffff, 0x00000000, 0x00000000}},
	{0x1f, 1, {0x0000001f, 0x0000ffff, 0x00000000, 0x00000000}},
	{LEAF_ADDRESS_SIZE, NO_SUBLEAF, {0x00000000, 0x00000200, 0x00000000, 0x00000000}},
};

_Static_assert(sizeof(configurable) / sizeof(configurable[0]) == SIM_TDX_CONFIGURABLE,
	       "the TD stores a value for each");

/* What the module gives every TD, in the order in which KVM asks. UNVERIFIED, as above. */
static const struct leaf fixed[] = {
	{0x0, NO_SUBLEAF, {0x21, 0x756e6547, 0x6c65746e, 0x49656e69}},
	{0x1, NO_SUBLEAF, {0x00000000, 0x00000800, 0x8e3a3203, 0x0f8bfbff}},
	{0x2, NO_SUBLEAF, {0x00feff01, 0x000000f0, 0x00000000, 0x00000000}},
	{0x4, 0, {0}},
	{0x4, 1, {0}},
	{0x4, 2, {0}},
	{0x4, 3, {0}},
	{0x7, 0, {0x00000002, 0x20c00000, 0x00000000, 0xbc000400}},
	{0x7, 1, {0}},
	{0x7, 2, {0x00000000, 0x00000000, 0x00000000, 0x00000017}},
	{0xd, 0, {0x00000003, 0x00000240, 0x00002b00, 0x00000000}},
	{0xd, 1, {0x0000000f, 0x00000000, 0x00001800, 0x00000000}},
	{0x1f, 0, {0x00000000, 0x00000000, 0x00000100, 0x00000000}},
	{0x1f, 1, {0x00000000, 0x00000000, 0x00000201, 0x00000000}},
	{0x21, 0, {0x00000000, 0x65746e49, 0x20202020, 0x5844546c}}, /* "IntelTDX    " */
	{0x80000000, NO_SUBLEAF, {LEAF_ADDRESS_SIZE, 0, 0, 0}},
	{0x80000001, NO_SUBLEAF, {0x00000000, 0x00000000, 0x00000121, 0x2c100800}},
	{0x80000007, NO_SUBLEAF, {0x00000000, 0x00000000, 0x00000000, 0x00000100}},
	{LEAF_ADDRESS_SIZE, NO_SUBLEAF, {0x00003934, 0x00000000, 0x00000000, 0x00000000}},
};

static uint32_t with_address_bits(uint32_t eax, uint32_t bits)
{
	return (eax & ~0xff0000u) | bits << 16;
}

static struct gmi_kvm_cpuid_entry2 to_entry(const struct leaf *leaf)
{
	return (struct gmi_kvm_cpuid_entry2){
		.function = leaf->function,
		.index = leaf->index == NO_SUBLEAF ? 0 : leaf->index,
		.eax = leaf->value.eax,
		.ebx = leaf->value.ebx,
		.ecx = leaf->value.ecx,
		.edx = leaf->value.edx,
	};
}

static bool is_features(const struct gmi_kvm_cpuid_entry2 *entry)
{
	return entry->function == LEAF_FEATURES && !entry->index;
}

/* td_init_cpuid_entry2() */
struct gmi_kvm_cpuid_entry2 gmi_sim_tdx_configurable(size_t index)
{
	struct gmi_kvm_cpuid_entry2 entry = to_entry(&configurable[index]);

	if (entry.function == LEAF_ADDRESS_SIZE)
		entry.eax = with_address_bits(entry.eax, 0xff);
	if (is_features(&entry)) {
		entry.ebx &= ~EBX_TSX;
		entry.ecx &= ~ECX_WAITPKG;
	}
	return entry;
}

/* kvm_find_cpuid_entry2() */
static const struct gmi_kvm_cpuid_entry2 *find(const struct gmi_kvm_cpuid_entry2 *entries,
					       uint32_t count, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < count; i++) {
		if (entries[i].function == function &&
		    (!(entries[i].flags & SIGNIFICANT_INDEX) || entries[i].index == index))
			return &entries[i];
	}
	return NULL;
}

/* setup_tdparams_eptp_controls() */
static int take_address_bits(const struct gmem_sim *sim, struct sim_td *td,
			     const struct gmi_kvm_cpuid_entry2 *entries, uint32_t count)
{
	const struct gmi_kvm_cpuid_entry2 *entry = find(entries, count, LEAF_ADDRESS_SIZE, 0);
	uint32_t bits = entry ? entry->eax >> 16 & 0xff : 0;

	if (bits != GMI_TDX_GPAW_48 && bits != GMI_TDX_GPAW_52)
		return -EINVAL;
	if (bits == GMI_TDX_GPAW_52 && !(sim->tdx.flags & GMEM_SIM_TDX_EPT5))
		return -EINVAL;
	td->gpaw = bits;
	return 0;
}

static struct sim_cpuid_value value_of(const struct gmi_kvm_cpuid_entry2 *entry)
{
	struct sim_cpuid_value value = {entry->eax, entry->ebx, entry->ecx, entry->edx};

	if (entry->function == LEAF_ADDRESS_SIZE)
		value.eax = with_address_bits(value.eax, 0);
	return value;
}

/* setup_tdparams_cpuids(): every entry has to be one that the module has a place for. */
int gmi_sim_tdx_take_cpuid(const struct gmem_sim *sim, struct sim_td *td,
			   const struct gmi_kvm_cpuid_entry2 *entries, uint32_t count)
{
	const struct gmi_kvm_cpuid_entry2 *entry;
	uint32_t taken = 0;
	int ret = take_address_bits(sim, td, entries, count);

	for (size_t i = 0; !ret && i < SIM_TDX_CONFIGURABLE; i++) {
		struct gmi_kvm_cpuid_entry2 want = to_entry(&configurable[i]);

		entry = find(entries, count, want.function, want.index);
		if (!entry)
			continue;
		if (is_features(entry) && (entry->ebx & EBX_TSX || entry->ecx & ECX_WAITPKG))
			return -EINVAL;
		td->cpuid[i] = value_of(entry);
		taken++;
	}
	if (!ret && taken != count)
		return -EINVAL;
	return ret;
}

static bool is_within(const struct sim_cpuid_value *value, const struct sim_cpuid_value *mask)
{
	return !(value->eax & ~mask->eax) && !(value->ebx & ~mask->ebx) &&
	       !(value->ecx & ~mask->ecx) && !(value->edx & ~mask->edx);
}

/* The module's own check: only bits that can be chosen may be set. */
bool gmi_sim_tdx_cpuid_is_legal(const struct sim_td *td)
{
	for (size_t i = 0; i < SIM_TDX_CONFIGURABLE; i++) {
		if (!is_within(&td->cpuid[i], &configurable[i].value))
			return false;
	}
	return true;
}

static void add_chosen(const struct sim_td *td, const struct leaf *leaf,
		       struct gmi_kvm_cpuid_entry2 *entry)
{
	for (size_t i = 0; i < SIM_TDX_CONFIGURABLE; i++) {
		if (configurable[i].function != leaf->function ||
		    configurable[i].index != leaf->index)
			continue;
		entry->eax |= td->cpuid[i].eax;
		entry->ebx |= td->cpuid[i].ebx;
		entry->ecx |= td->cpuid[i].ecx;
		entry->edx |= td->cpuid[i].edx;
	}
}

/* The module's answer, with what KVM fills in: tdx_read_cpuid(). Returns how many entries. */
size_t gmi_sim_tdx_cpuid_of(const struct sim_td *td, struct gmi_kvm_cpuid_entry2 *entries)
{
	const size_t count = sizeof(fixed) / sizeof(fixed[0]);

	for (size_t i = 0; i < count; i++) {
		entries[i] = to_entry(&fixed[i]);
		if (fixed[i].index != NO_SUBLEAF)
			entries[i].flags = SIGNIFICANT_INDEX;
		add_chosen(td, &fixed[i], &entries[i]);
		if (fixed[i].function == 0xd && !fixed[i].index)
			entries[i].eax |= (uint32_t)td->xfam & ~0x1800u;
		if (fixed[i].function == LEAF_ADDRESS_SIZE)
			entries[i].eax = with_address_bits(entries[i].eax, td->gpaw);
	}
	return count;
}
