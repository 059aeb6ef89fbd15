/* SPDX-License-Identifier: MIT */
/* Which mechanism takes a second VM to memory, and why none does. */
#ifndef GMI_LINK_CHOOSE_H
#define GMI_LINK_CHOOSE_H

#include "core_file.h"

/* The memory that is linked: a file of the context, or a descriptor that came from elsewhere. */
struct gmi_link_source {
	struct gmem_file *file; /* or NULL */
	int fd;
	uint32_t vm_type; /* of the VM that it was made for */
	uint32_t denied;
	uint64_t size;
	uint64_t flags;
	uint64_t raw_flags;
	uint64_t dev;
	uint64_t ino;
};

/* 0 with a GMEM_LINK_KERNEL or _HVA_VIEW, or -errno with a record that names what is missing. */
int gmi_link_choose(struct gmem_vm *dst, const struct gmi_link_source *source,
		    const struct gmem_link_opts *opts, uint32_t *ret_mechanism);

/* A link by a context's own rules, not given out yet. As gmem_file_link(), with checked arguments. */
int gmi_file_link(struct gmem_vm *dst, struct gmem_file *src, const struct gmem_link_opts *opts,
		  struct gmem_file **ret_file);

#endif
