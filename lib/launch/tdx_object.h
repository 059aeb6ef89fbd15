/* SPDX-License-Identifier: MIT */
/* The launch of a TD as its functions share it. */
#ifndef GMI_TDX_OBJECT_H
#define GMI_TDX_OBJECT_H

#include <stdbool.h>

#include <libgmem/tdx.h>

#include "core_vm.h"
#include "kvm_tdx.h"
#include "launch_step.h"
#include "rangemap.h"

/* What gmem_tdx_setup() has done. */
#define GMI_TDX_HAS_IRQCHIP    (1u << 0)
#define GMI_TDX_HAS_BUS_CLOCK  (1u << 1)
#define GMI_TDX_HAS_TSC        (1u << 2)
#define GMI_TDX_HAS_HYPERCALLS (1u << 3)

/* A vCPU: lent by the VMM, or made here and not taken over yet. */
struct gmi_tdx_vcpu {
	int fd;
	bool is_initialized;
	bool has_cpuid;
	bool is_own;
};

struct gmem_tdx {
	struct gmem_vm *vm; /* a reference */
	uint32_t state;
	uint32_t max_vcpus;
	uint32_t gpa_width;
	uint32_t done; /* GMI_TDX_HAS_… */
	uint64_t retries;
	struct gmi_kvm_tdx_capabilities *caps;

	struct gmi_tdx_vcpu *vcpus; /* room for @max_vcpus */
	uint32_t vcpu_count;
	int first_vcpu; /* an initialized one, or -1 */

	struct gmi_rangemap added; /* no page can be added twice */
	uint64_t added_bytes;
	uint64_t measured_bytes;
	uint64_t launched; /* bytes of the steps that gmem_tdx_launch() has done */
};

/* -EINVAL or -ESTALE with a record where @tdx is not in @state; @call is what the caller wants. */
int gmi_tdx_expect(const struct gmem_tdx *tdx, uint32_t state, const char *call);

/*
 * A kernel call that failed, with the module's status where KVM passed one on: its record, and
 * whether the VM outlived it. Returns the error that the caller shall see.
 */
__attribute__((format(printf, 5, 6), nonnull(5))) int gmi_tdx_failed(struct gmem_tdx *tdx,
								     int error, const char *call,
								     uint64_t status,
								     const char *message, ...);

/* Waits between attempts: zeroed but for what is left of them. */
struct gmi_tdx_patience {
	uint32_t attempts;
	uint64_t wait;
};

#define GMI_TDX_ATTEMPTS 100

/*
 * True where @error is one that passes: the call may be made again, now. A signal needs no wait. On
 * progress the caller starts anew.
 */
bool gmi_tdx_try_again(struct gmem_tdx *tdx, int error, struct gmi_tdx_patience *patience);

/* tdx_cpuid.c */
int gmi_tdx_check_cpuid(const struct gmem_tdx_cpuid_opts *in, struct gmem_tdx_cpuid_opts *ret_opts);
int gmi_tdx_filter(const struct gmem_tdx *tdx, const struct gmem_tdx_cpuid_opts *opts,
		   struct gmem_tdx_cpuid *ret_entries, size_t room, size_t *ret_count);
const struct gmem_tdx_cpuid *gmi_tdx_find_cpuid(const struct gmem_tdx_cpuid *entries, size_t count,
						uint32_t function, uint32_t index);

/* tdx_vcpu.c */
struct gmi_tdx_vcpu *gmi_tdx_find_vcpu(struct gmem_tdx *tdx, int fd);
int gmi_tdx_init_vcpu(struct gmem_tdx *tdx, struct gmi_tdx_vcpu *vcpu, uint64_t rcx);

/* The parts of the public functions behind gmi_result(). */
int gmi_tdx_setup(struct gmem_tdx *tdx, const struct gmem_tdx_setup_opts *in, uint32_t vcpus);
int gmi_tdx_init_vm(struct gmem_tdx *tdx, const struct gmem_tdx_init_opts *in);
int gmi_tdx_add(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		const struct gmem_tdx_add_opts *in, uint64_t *ret_done);
int gmi_tdx_finalize(struct gmem_tdx *tdx);

/* tdx_steps.c: what the arguments of an addition alone can say. 0 or -errno with a record. */
int gmi_tdx_check_steps(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
			uint64_t start, bool in_place);

/* Whether a step has contents: bytes or a file. */
bool gmi_tdx_has_contents(const struct gmem_launch_step *step);

/* What of a step is left to do, as a run of its own. */
struct gmi_step_run gmi_tdx_rest_of(const struct gmem_launch_step *steps, size_t index,
				    uint64_t skip);

#endif
