/* SPDX-License-Identifier: MIT */
/* One function a command of KVM_MEMORY_ENCRYPT_OP on an SNP guest's VM, and one a question to /dev/sev. */
#ifndef GMI_KVM_SEV_H
#define GMI_KVM_SEV_H

#include "kvm_call.h"
#include "uapi_sev.h"

/*
 * All return 0 or -errno, as the kernel gave it: -ENOTTY has meanings of its own here.
 *
 * What KVM wrote into the command's error field. It writes the field back whenever a command was
 * dispatched, also where that failed (sev_mem_enc_ioctl()); a dead VM, another process's and a KVM
 * without SEV leave it alone.
 */
struct gmi_sev_answer {
	bool is_written;
	uint32_t fw_error;
};

int gmi_kvm_sev_init2(const struct gmi_sys *sys, int vm_fd, int sev_fd, uint64_t features,
		      struct gmi_sev_answer *ret_answer);
int gmi_kvm_snp_enable_certs(const struct gmi_sys *sys, int vm_fd, int sev_fd,
			     struct gmi_sev_answer *ret_answer);
int gmi_kvm_snp_start(const struct gmi_sys *sys, int vm_fd, int sev_fd, uint64_t policy,
		      const uint8_t gosvw[16], struct gmi_sev_answer *ret_answer);

/* @source is 0 where there is none. @ret_done, in bytes and at most @size, is written on success. */
struct gmi_snp_pages {
	uint64_t gpa;
	uint64_t size;
	uint64_t source;
	uint8_t type;
};

int gmi_kvm_snp_update(const struct gmi_sys *sys, int vm_fd, int sev_fd,
		       const struct gmi_snp_pages *pages, uint64_t *ret_done,
		       struct gmi_sev_answer *ret_answer);

int gmi_kvm_snp_finish(const struct gmi_sys *sys, int vm_fd, int sev_fd,
		       struct gmi_kvm_sev_snp_launch_finish *finish,
		       struct gmi_sev_answer *ret_answer);

/* On /dev/kvm: GMI_KVM_X86_SEV_VMSA_FEATURES and its like. */
int gmi_kvm_sev_attribute(const struct gmi_sys *sys, int kvm_fd, uint64_t attribute,
			  uint64_t *ret_value);

/* On /dev/sev. */
int gmi_sev_snp_platform_status(const struct gmi_sys *sys, int sev_fd,
				struct gmi_snp_platform_status *ret_status);

#endif
