/* SPDX-License-Identifier: MIT */
/* The launch of an SNP guest, as its files see it. */
#ifndef GMI_SNP_GUEST_H
#define GMI_SNP_GUEST_H

#include <libgmem/snp.h>

#include "core_vm.h"
#include "kvm_sev.h"
#include "launch_step.h"
#include "rangemap.h"

struct gmem_snp {
	struct gmem_vm *vm; /* a reference */
	struct gmem_snp_opts opts;
	int sev_fd; /* the VM's or the caller's */
	enum gmem_snp_state state;
	bool is_guest;             /* KVM_SEV_INIT2 was carried out */
	struct gmi_rangemap pages; /* what is in: guest addresses, without values */
	uint64_t pending;          /* bytes of the last steps that are not in yet */
	bool is_broken_off;        /* the last gmem_snp_update() that began failed */
	uint32_t vmsas;
	uint64_t bytes;
	uint64_t calls;
	uint64_t retries;
	uint64_t corrections;
};

/* The masks that this kernel takes. 0 or -errno with a record. */
struct gmi_snp_masks {
	uint64_t features;
	uint64_t policy_bits;
	bool tells_policy;
	bool has_certs;
};

int gmi_snp_read_masks(struct gmem_ctx *ctx, struct gmi_snp_masks *ret_masks);

/* Opens /dev/sev. The descriptor, or -errno with a record. */
int gmi_snp_open_firmware(struct gmem_ctx *ctx);

/* 0 where the launch is at @state, else -EINVAL with a record that says what comes before @call. */
int gmi_snp_check_state(const struct gmem_snp *snp, enum gmem_snp_state state, const char *call);

/* The error of a command with its record: -ESTALE where the VM is dead, with the firmware's code where
 * it has said one. */
__attribute__((format(printf, 4, 5))) int gmi_snp_error(int error, const char *call,
							const struct gmi_sev_answer *answer,
							const char *message, ...);

/* Steps that are to be put in, and what their check finds out. */
struct gmi_snp_check {
	struct gmem_snp *snp;
	const struct gmem_launch_step *steps;
	size_t count;
	const struct gmem_snp_update_opts *opts;
	uint64_t total; /* (out) bytes of all memory steps */
	uint32_t vmsas; /* (out) VMSAs among the steps */
};

/* 0 or -errno with a record; nothing has changed. */
int gmi_snp_check_steps(struct gmi_snp_check *check);

static inline bool gmi_snp_is_memory(const struct gmem_launch_step *step)
{
	return step->type != GMEM_LAUNCH_VMSA;
}

/* How many bytes of @step are skipped, of @skip that are left; lowers it. */
static inline uint64_t gmi_snp_skip(const struct gmem_launch_step *step, uint64_t *skip)
{
	uint64_t skipped = 0;

	if (gmi_snp_is_memory(step))
		skipped = *skip < step->size ? *skip : step->size;
	*skip -= skipped;
	return skipped;
}

/* One call of gmem_snp_update(). */
struct gmi_snp_fill {
	struct gmem_snp *snp;
	const struct gmem_snp_update_opts *opts;
	uint64_t batch;
	uint64_t done; /* bytes of all steps that are in, with those skipped */
	uint64_t total;
	uint8_t *zeroes; /* a batch of them, and a page for the table of CPUID behind */
	uint8_t *cpuid;
	struct gmi_sev_answer answer; /* of the last command */
};

/* Pages with their source: an address, 0 for none. One that repeats begins anew in each call. */
struct gmi_snp_pages_from {
	uint64_t gpa;
	uint64_t size;
	uint8_t type;
	bool repeats;
	uint64_t source;
};

/* Puts pages in, by calls of at most one batch. Adds to @done. 0 or -errno with a record. */
int gmi_snp_put_pages(struct gmi_snp_fill *fill, const struct gmi_snp_pages_from *from);

/* The same for one page with the table of CPUID, which the firmware may correct. */
int gmi_snp_put_cpuid(struct gmi_snp_fill *fill, uint64_t gpa);

/* The differences of two tables. Returns how many there are; writes at most @room of them. */
size_t gmi_snp_cpuid_compare(const uint8_t *wanted, const uint8_t *allowed,
			     struct gmem_snp_cpuid_diff *diffs, size_t room);

#endif
