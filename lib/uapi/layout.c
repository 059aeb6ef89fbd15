/* SPDX-License-Identifier: MIT */
/* Asserts that the structs declared in this directory have the kernel's layout. */
#include <stddef.h>

#include "uapi_kvm.h"

_Static_assert(sizeof(struct gmi_kvm_region) == 32, "");
_Static_assert(sizeof(struct gmi_kvm_region2) == 160, "");
_Static_assert(sizeof(struct gmi_kvm_create_guest_memfd) == 64, "");
_Static_assert(sizeof(struct gmi_kvm_memory_attributes) == 32, "");
_Static_assert(sizeof(struct gmi_kvm_pre_fault) == 64, "");
_Static_assert(sizeof(struct gmi_kvm_enable_cap) == 104, "");
_Static_assert(sizeof(struct gmi_kvm_run) == 288, "");
