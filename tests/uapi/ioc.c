/* SPDX-License-Identifier: MIT */
/* Recomputes every ioctl number of lib/uapi from its parts, without the C library's macros. */
#include <stdint.h>
#include <stdio.h>

#include "uapi_kvm.h"
#include "uapi_rfc.h"
#include "uapi_sev.h"

enum { DIR_NONE = 0, DIR_W = 1, DIR_R = 2, DIR_RW = 3 };

struct ioctl_parts {
	const char *name;
	uint32_t number;
	uint32_t dir;
	uint32_t type;
	uint32_t nr;
	uint32_t size;
};

static const struct ioctl_parts all[] = {
#define NUM(name, value, since)
#define NUMX(name, value, kernel, since)
#define SIZE(name, size, kernel, since)
#define END(name, size, kernel, field, since)
#define FLD(name, field, off, size, kernel, since)
#define FLDX(name, field, off, size, kernel, kfield, since)
#define FLEX(name, field, off, kernel, since)
#define LIT(name, value, tag)
#define LSIZE(name, size, tag)
#define LFLD(name, field, off, size, tag)
#define IOC(name, dir, type, nr, size) {#name, GMI_##name, DIR_##dir, type, nr, size},
#include "uapi_table.h"
};

static int is_wrong(const struct ioctl_parts *p)
{
	uint32_t number = p->dir << 30 | p->size << 16 | p->type << 8 | p->nr;

	if (number == p->number && p->size < 1u << 14)
		return 0;
	printf("%s is 0x%08x, its parts make 0x%08x\n", p->name, p->number, number);
	return 1;
}

int main(void)
{
	size_t count = sizeof(all) / sizeof(all[0]);
	int wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += is_wrong(&all[i]);
	printf("%zu ioctl numbers recomputed, %d wrong\n", count, wrong);
	return wrong != 0;
}
