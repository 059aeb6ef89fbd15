/* SPDX-License-Identifier: MIT */
/* Asserts that each declaration of this directory is what its table says literally. */
#include <stddef.h>
#include <sys/ioctl.h>

#include "uapi_kvm.h"
#include "uapi_rfc.h"
#include "uapi_sev.h"
#include "uapi_tdx.h"

#define FIELD_SIZE(name, field) sizeof(((struct gmi_##name *)0)->field)

#define LIT(name, value, tag)  _Static_assert(GMI_##name == (value), #name);
#define LSIZE(name, size, tag) _Static_assert(sizeof(struct gmi_##name) == (size), #name);
#define FLEX(name, field, off, kernel, since)                                                      \
	_Static_assert(offsetof(struct gmi_##name, field) == (off), #name "." #field);
#define LFLD(name, field, off, size, tag)                                                          \
	FLEX(name, field, off, , )                                                                 \
	_Static_assert(FIELD_SIZE(name, field) == (size), #name "." #field);

#define NUM(name, value, since)                             LIT(name, value, )
#define NUMX(name, value, kernel, since)                    LIT(name, value, )
#define SIZE(name, size, kernel, since)                     LSIZE(name, size, )
#define END(name, size, kernel, field, since)               LSIZE(name, size, )
#define FLD(name, field, off, size, kernel, since)          LFLD(name, field, off, size, )
#define FLDX(name, field, off, size, kernel, kfield, since) LFLD(name, field, off, size, )

#define DIR_NONE _IOC_NONE
#define DIR_R    _IOC_READ
#define DIR_W    _IOC_WRITE
#define DIR_RW   (_IOC_READ | _IOC_WRITE)
#define IOC(name, dir, type, nr, size)                                                             \
	_Static_assert(GMI_##name == _IOC(DIR_##dir, type, nr, size), #name);

#include "uapi_table.h"
