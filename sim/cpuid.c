/* SPDX-License-Identifier: MIT */
/* KVM_GET_SUPPORTED_CPUID: a page-sized answer to the set-up code of VMMs. */
#include <errno.h>

#include "sim_model.h"

#define COUNT(entries) (sizeof(entries) / sizeof((entries)[0]))

static int answer(uint64_t arg, const struct gmi_kvm_cpuid_entry2 *entries, uint32_t count)
{
	struct gmi_kvm_cpuid2 head;

	if (gmi_sim_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < count)
		return -E2BIG;
	head.nent = count;
	if (gmi_sim_copy_out(arg, &head, sizeof(head)))
		return -EFAULT;
	return gmi_sim_copy_out(arg + sizeof(head), entries, count * sizeof(*entries));
}

/* A minimal processor: 64-bit, one thread. */
static int answer_minimal(const struct gmem_sim *sim, uint64_t arg)
{
	const struct gmi_kvm_cpuid_entry2 entries[] = {
		{.function = 0, .eax = 1, .ebx = 0x656d6d67, .ecx = 0x6d697300, .edx = 0x676d656d},
		{.function = 1, .eax = 0x600, .ecx = 1u << 31 | 1u << 21, .edx = 0x078bfbff},
		{.function = 0x80000000, .eax = 0x80000008},
		{.function = 0x80000001, .edx = 1u << 29 | 1u << 20},
		{.function = 0x80000008, .eax = 48u << 8 | sim->profile->gpa_bits},
	};

	return answer(arg, entries, COUNT(entries));
}

#define BY_INDEX 1u /* KVM_CPUID_FLAG_SIGNIFCANT_INDEX */

/*
 * A processor of AMD's third generation with SEV, as far as a launch looks. It has what KVM offers and the
 * firmware refuses in the CPUID page: TSC deadline, TSC_ADJUST, SSBD, VIRT_SSBD.
 */
static int answer_sev(const struct gmem_sim *sim, uint64_t arg)
{
	const struct gmi_kvm_cpuid_entry2 entries[] = {
		{.function = 0,
		 .eax = 0xd,
		 .ebx = 0x68747541,
		 .ecx = 0x444d4163,
		 .edx = 0x69746e65},
		{.function = 1,
		 .eax = 0xa00f11,
		 .ecx = 1u << 31 | 1u << 24 | 3u << 26,
		 .edx = 0x078bfbff},
		{.function = 7, .flags = BY_INDEX, .ebx = 1u << 1 | 1u << 0, .edx = 1u << 31},
		{.function = 0xd, .flags = BY_INDEX, .eax = 7, .ebx = 0x340, .ecx = 0x340},
		{.function = 0xd, .index = 1, .flags = BY_INDEX, .eax = 0xf, .ebx = 0x340},
		{.function = 0xd, .index = 2, .flags = BY_INDEX, .eax = 0x100, .ebx = 0x240},
		{.function = 0x40000000,
		 .eax = 0x40000001,
		 .ebx = 0x4b4d564b,
		 .ecx = 0x564b4d56,
		 .edx = 0x4d},
		{.function = 0x40000001},
		{.function = 0x80000000,
		 .eax = 0x8000001f,
		 .ebx = 0x68747541,
		 .ecx = 0x444d4163,
		 .edx = 0x69746e65},
		{.function = 0x80000001, .edx = 1u << 29 | 1u << 20},
		{.function = 0x80000008, .eax = 48u << 8 | sim->profile->gpa_bits, .ebx = 1u << 25},
		{.function = 0x8000001f, .eax = 1u << 1 | 1u << 3 | 1u << 4, .ebx = 51},
	};

	return answer(arg, entries, COUNT(entries));
}

int gmi_sim_supported_cpuid(struct gmem_sim *sim, uint64_t arg)
{
	return sim_has(sim, SIM_SEV) ? answer_sev(sim, arg) : answer_minimal(sim, arg);
}
