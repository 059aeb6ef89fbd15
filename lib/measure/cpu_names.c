/* SPDX-License-Identifier: MIT */
/* vCPU signatures: CPUID leaf 1 EAX by numbers and by QEMU's model names. */
#include <errno.h>
#include <string.h>

#include <libgmem/measure.h>

struct cpu {
	const char *name;
	uint16_t family;
	uint8_t model;
	uint8_t stepping;
};

/* QEMU target/i386/cpu.c: a model's versions share family, model and stepping. */
static const struct cpu cpus[] = {
	{"EPYC", 23, 1, 2},          {"EPYC-v1", 23, 1, 2},       {"EPYC-v2", 23, 1, 2},
	{"EPYC-v3", 23, 1, 2},       {"EPYC-v4", 23, 1, 2},       {"EPYC-IBPB", 23, 1, 2},
	{"EPYC-Rome", 23, 49, 0},    {"EPYC-Rome-v1", 23, 49, 0}, {"EPYC-Rome-v2", 23, 49, 0},
	{"EPYC-Rome-v3", 23, 49, 0}, {"EPYC-Milan", 25, 1, 1},    {"EPYC-Milan-v1", 25, 1, 1},
	{"EPYC-Milan-v2", 25, 1, 1}, {"EPYC-Genoa", 25, 17, 0},   {"EPYC-Genoa-v1", 25, 17, 0},
	{"EPYC-Turin", 26, 0, 0},
};

#define CPU_COUNT (sizeof(cpus) / sizeof(cpus[0]))

/* AMD64 APM volume 3, CPUID Fn0000_0001 EAX: above 15 the rest goes to the extended family. */
GMEM_API int gmem_vcpu_sig_from_fms(uint32_t family, uint32_t model, uint32_t stepping,
				    uint32_t *ret_sig)
{
	uint32_t base = family > 15 ? 15 : family;

	if (family > 270 || model > 255 || stepping > 15 || !ret_sig)
		return -EINVAL;
	*ret_sig = (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4 |
		   stepping;
	return 0;
}

GMEM_API int gmem_vcpu_sig_from_name(const char *name, uint32_t *ret_sig)
{
	for (size_t i = 0; name && i < CPU_COUNT; i++)
		if (!strcmp(cpus[i].name, name))
			return gmem_vcpu_sig_from_fms(cpus[i].family, cpus[i].model,
						      cpus[i].stepping, ret_sig);
	return -ENOENT;
}

GMEM_API const char *gmem_vcpu_name(size_t index)
{
	return index < CPU_COUNT ? cpus[index].name : NULL;
}
