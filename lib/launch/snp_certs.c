/* SPDX-License-Identifier: MIT */
/* KVM_EXIT_SNP_REQ_CERTS: a guest asks for the certificates that go with its report. */
#include <errno.h>

#include "errinfo.h"
#include "opts.h"
#include "range.h"
#include "snp_guest.h"
#include "uapi_kvm.h"

static bool is_question(const struct gmi_kvm_run *run, int run_error)
{
	return !run_error && run->exit_reason == GMI_KVM_EXIT_SNP_REQ_CERTS;
}

/* KVM checks the address, and not the room (sev.c, snp_handle_ext_guest_req()). */
static bool is_sound(const struct gmi_kvm_run *run, uint64_t *ret_size)
{
	uint64_t gpa = run->snp_req_certs.gpa;

	return !__builtin_mul_overflow(run->snp_req_certs.npages, GMEM_PAGE_SIZE, ret_size) &&
	       gmi_is_aligned(gpa, GMEM_PAGE_SIZE) &&
	       gmi_range_is_within(gpa, *ret_size ? *ret_size : GMEM_PAGE_SIZE,
				   GMI_ATTRMAP_LIMIT_MAX);
}

static int get(struct gmi_kvm_run *run, int run_error, struct gmem_snp_certs *ret_certs)
{
	struct gmem_snp_certs certs = {.sz = sizeof(certs)};
	int ret;

	if (!run)
		return gmi_error_arg("run", "a NULL pointer");
	if (run_error > 0)
		return gmi_error_arg("run_error", "%d is neither 0 nor -errno", run_error);
	ret = gmi_info_check(ret_certs, sizeof(certs));
	if (ret)
		return ret;
	if (!is_question(run, run_error))
		return 0;
	if (!is_sound(run, &certs.size)) {
		run->snp_req_certs.ret = EIO;
		return 0;
	}
	certs.gpa = run->snp_req_certs.gpa;
	gmi_info_put(ret_certs, &certs, sizeof(certs));
	return 1;
}

GMEM_API int gmem_snp_certs_get(void *run, int run_error, struct gmem_snp_certs *ret_certs)
{
	return gmi_result(__func__, get(run, run_error, ret_certs));
}

static int answer_question(struct gmi_kvm_run *run, uint32_t answer, uint64_t size)
{
	/* KVM ends the vCPU for any other number (sev.c, snp_complete_req_certs()). */
	static const uint64_t numbers[] = {
		[GMEM_SNP_CERTS_WRITTEN] = 0,
		[GMEM_SNP_CERTS_TOO_SMALL] = ENOSPC,
		[GMEM_SNP_CERTS_AGAIN] = EAGAIN,
		[GMEM_SNP_CERTS_FAILED] = EIO,
	};
	uint64_t pages = size / GMEM_PAGE_SIZE + (size % GMEM_PAGE_SIZE != 0);

	if (!run)
		return gmi_error_arg("run", "a NULL pointer");
	if (run->exit_reason != GMI_KVM_EXIT_SNP_REQ_CERTS)
		return gmi_error_arg("run", "exit %u is no question for certificates",
				     run->exit_reason);
	if (answer >= sizeof(numbers) / sizeof(numbers[0]))
		return gmi_error_arg("answer", "unknown answer %u", answer);
	if (answer == GMEM_SNP_CERTS_TOO_SMALL)
		run->snp_req_certs.npages = pages;
	run->snp_req_certs.ret = numbers[answer];
	return 0;
}

GMEM_API int gmem_snp_certs_answer(void *run, uint32_t answer, uint64_t size)
{
	return gmi_result(__func__, answer_question(run, answer, size));
}
