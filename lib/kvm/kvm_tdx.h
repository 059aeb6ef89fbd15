/* SPDX-License-Identifier: MIT */
/* One function a TDX sub-command of KVM_MEMORY_ENCRYPT_OP, and the settings that a TD needs. */
#ifndef GMI_KVM_TDX_H
#define GMI_KVM_TDX_H

#include "sys_call.h"
#include "uapi_tdx.h"

/* All return 0 or -errno as the functions of kvm_call.h do. */

/* @caps->cpuid.nent: in the entries that fit, out their number. -E2BIG tells no number. */
int gmi_kvm_tdx_capabilities(const struct gmi_sys *sys, int vm_fd,
			     struct gmi_kvm_tdx_capabilities *caps);

/* @ret_status is the module's where KVM passes one on, on failure too; else 0. */
int gmi_kvm_tdx_init_vm(const struct gmi_sys *sys, int vm_fd,
			const struct gmi_kvm_tdx_init_vm *init, uint64_t *ret_status);
int gmi_kvm_tdx_finalize_vm(const struct gmi_sys *sys, int vm_fd, uint64_t *ret_status);

int gmi_kvm_tdx_init_vcpu(const struct gmi_sys *sys, int vcpu_fd, uint64_t rcx);

/* @region advances over what was added, on failure too. */
int gmi_kvm_tdx_init_mem_region(const struct gmi_sys *sys, int vcpu_fd, uint32_t flags,
				struct gmi_kvm_tdx_init_mem_region *region);

/* @cpuid->nent: in the entries that fit, out their number, with -E2BIG too. */
int gmi_kvm_tdx_get_cpuid(const struct gmi_sys *sys, int vcpu_fd, struct gmi_kvm_cpuid2 *cpuid);

int gmi_kvm_set_cpuid2(const struct gmi_sys *sys, int vcpu_fd, const struct gmi_kvm_cpuid2 *cpuid);
int gmi_kvm_set_tsc_khz(const struct gmi_sys *sys, int fd, uint64_t khz);

#endif
