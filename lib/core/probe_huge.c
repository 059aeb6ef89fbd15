/* SPDX-License-Identifier: MIT */
/* Whether guest_memfd has huge pages: asked where the caller named a generation of them. */
#include <errno.h>

#include "errinfo.h"
#include "huge.h"
#include "kvm_call.h"
#include "pool.h"
#include "probe_run.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

/* The smallest size of which a page is available, or 0. Leaves the record alone. */
static uint64_t find_page(const struct gmem_ctx *ctx)
{
	static const uint64_t sizes[] = {GMEM_PAGE_2M, GMEM_PAGE_1G};
	struct gmem_errinfo record = *gmem_errinfo();
	struct gmem_hugetlb_info info;
	uint64_t found = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !found; i++)
		if (!gmi_pool_read(ctx, sizes[i], GMEM_NODE_ANY, &info) &&
		    info.available >= sizes[i] && info.cgroup_room >= sizes[i])
			found = sizes[i];
	gmi_errinfo_restore(&record);
	return found;
}

/* What the named generation announces; the flag of the working tree is the caller's word. */
static int ask_announced(struct gmi_probe_run *run, uint32_t *ret_cap, uint64_t *ret_mask)
{
	const struct gmem_ctx *ctx = run->ctx;
	int vm_fd = gmi_probe_vm(run);

	*ret_cap = GMI_KVM_CAP_GUEST_MEMFD_FLAGS;
	*ret_mask = ctx->hugetlb_flag;
	if (ctx->rfc & GMEM_RFC_HUGETLB_2025) {
		*ret_cap = GMI_RFC_HUGE2_CAP_GMEM_HUGETLB;
		*ret_mask = UINT64_MAX;
	}
	return vm_fd < 0 ? vm_fd : gmi_kvm_check_extension(&ctx->sys, vm_fd, *ret_cap);
}

static struct gmi_answer try_page(struct gmi_probe_run *run)
{
	uint64_t page_size = find_page(run->ctx);
	int fd;

	if (!page_size)
		return gmi_unknown(-ENOSPC, "announced; no huge page is available to try it with");
	fd = gmi_huge_create(run->ctx, run->vm_fd, page_size, 0, page_size);
	if (fd >= 0) {
		gmi_ctx_close(run->ctx, fd);
		return gmi_yes("asked for, announced, and a file of one huge page was made");
	}
	if (fd == -EINVAL || fd == -EOPNOTSUPP)
		return gmi_no("announced, but no file of huge pages came of it");
	return gmi_unknown(fd, "no file of one huge page could be made");
}

struct gmi_answer gmi_probe_huge(struct gmi_probe_run *run)
{
	struct gmi_answer answer;
	uint64_t mask;
	uint32_t cap;
	int value;

	if (!(run->ctx->rfc & GMI_RFC_HUGE))
		return gmi_no("no released kernel has it, and the caller named no generation");
	if (!gmi_probe_needs(run, GMEM_FEATURE_GUEST_MEMFD, "there is no guest_memfd", &answer))
		return answer;
	value = ask_announced(run, &cap, &mask);
	if (value < 0)
		return gmi_unknown(value, "the VM could not be asked");
	answer = (uint64_t)value & mask ? try_page(run)
					: gmi_no("asked for, but this kernel does not announce it");
	answer.cap = cap;
	answer.cap_value = value;
	return answer;
}
