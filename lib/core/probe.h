/* SPDX-License-Identifier: MIT */
/* Questions to the kernel, asked once for each type of VM. */
#ifndef GMI_PROBE_H
#define GMI_PROBE_H

#include "core_ctx.h"

/* Copies the answer about @feature, asking first where there is none. An unknown one has an error
 * as @state. Takes the probe lock. */
void gmi_probe(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature,
	       struct gmi_answer *ret_answer);

/* -EINVAL with a record where @ctx is NULL or the type is unknown to this library. */
int gmi_check_vm_type(const struct gmem_ctx *ctx, uint32_t vm_type);

/* 1 where this kernel makes VMs of @vm_type, 0 where not, or -errno. */
int gmi_probe_vm_type(const struct gmem_ctx *ctx, uint32_t vm_type);

/* 1 yes, 0 no, or the error of an unknown answer with a record. */
int gmi_has_feature(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature);

/* "yes", "no", or the name of the error that kept the kernel from answering. */
const char *gmi_answer_word(const struct gmi_answer *answer);

/* For messages: "link" and "KVM_LINK_GUEST_MEMFD, RFC v2 of 2025". */
const char *gmi_feature_name(uint32_t feature);
const char *gmi_feature_mechanism(uint32_t feature);

/* For messages: "default", "snp". */
const char *gmi_vm_type_name(uint32_t vm_type);

#endif
