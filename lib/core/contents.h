/* SPDX-License-Identifier: MIT */
/* What the next guest finds in the memory of bound ranges: zeros, by whatever way. */
#ifndef GMI_CONTENTS_H
#define GMI_CONTENTS_H

#include <libgmem/reboot.h>

#include "core_slot.h"

struct gmi_contents {
	struct gmem_slot *const *slots;
	size_t count;
	const struct gmem_replace_opts *opts;
	uint64_t zeroed_bytes;
	uint64_t left_bytes;
};

/* Whether the slots' files allow it, and the type of VM. 0 or -errno with a record. */
int gmi_contents_check(const struct gmem_vm *vm, const struct gmem_replace_opts *opts);
int gmi_contents_check_file(const struct gmem_file *file, const struct gmem_replace_opts *opts);

/* 0 or -errno with a record; a part may be zeroed then. Without the bind lock. */
int gmi_contents_clear(struct gmi_contents *contents);

#endif
