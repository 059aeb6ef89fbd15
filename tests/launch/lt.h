/* SPDX-License-Identifier: MIT */
/* Launches of SNP guests through libgmem, on a simulated firmware. */
#ifndef LT_H
#define LT_H

#include <libgmem/libgmem.h>
#include <libgmem/measure.h>
#include <libgmem/sim.h>

#include "gt_kvm.h"
#include "gt_shim.h"
#include "gt_snp.h"

#define LT_GPA   UINT64_C(0x100000) /* of plans made by hand */
#define LT_PAGES 64                 /* that they have room for */

/* A VM with the memory that a plan needs, and a launch. */
struct lt {
	const struct gt *t;
	struct gmem_shim *shim; /* under @ctx */
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_file *file;
	struct gmem_slot *slots[2];
	struct gmem_snp *snp;
	struct gmem_plan *plan;
	struct gt_sev raw; /* for vCPUs: a borrowed descriptor */
	uint8_t *bytes;    /* LT_PAGES of contents for plans made by hand, each page another */
	uint8_t cpuid[GMEM_SNP_CPUID_SIZE];
};

/* A VM without memory. */
void lt_open(const struct gt *t, struct lt *lt);
void lt_close(struct lt *lt);

/* Memory for all steps of lt->plan. */
void lt_bind(struct lt *lt);

/* A plan by hand: one step behind the other from LT_GPA on, its bytes those of lt->bytes. */
void lt_plan(struct lt *lt);
void lt_add(struct lt *lt, uint64_t page, uint64_t pages, uint32_t type);

/* The step that lt_add() adds, to be changed. */
struct gmem_launch_step lt_step(struct lt *lt, uint64_t page, uint64_t pages, uint32_t type);

const struct gmem_launch_step *lt_steps(const struct lt *lt, size_t *ret_count);

/* Up to gmem_snp_start(). */
void lt_start(struct lt *lt, const struct gmem_snp_opts *opts);

/* vCPUs with the registers that the plan's VMSAs have; 0 or -errno. */
int lt_make_vcpus(void *user, struct gmem_snp *snp);
int lt_set_registers(const struct gt *t, int vcpu, const uint8_t *vmsa);

int lt_update(struct lt *lt, const struct gmem_snp_update_opts *opts, uint64_t *ret_done);

/* How many commands of the kind KVM got since the shim was reset. */
size_t lt_commands(struct lt *lt);

/* The digest of the simulated firmware is the one of lt->plan. */
void lt_expect_digest(const char *row, struct lt *lt);

/* A refusal without any command to KVM, whose record has @text in it. */
void lt_expect_refused(const char *row, struct lt *lt, int got, int want, const char *text);

/* One whose record has @text in it. */
void lt_expect_failed(const char *row, int got, int want, const char *text);

#endif
