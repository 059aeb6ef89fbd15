/* SPDX-License-Identifier: MIT */
/* Whether a second VM can have a file on the same inode: asked where the caller named the RFC. */
#include <errno.h>

#include "kvm_call.h"
#include "probe_run.h"
#include "uapi_kvm.h"

#define INVALID_FLAG (UINT64_C(1) << 63)

/* The same request number on a file is in-place conversion RFC v1, which refuses size 0. */
static bool is_other_series(const struct gmi_sys *sys, int gmem_fd)
{
	return gmi_kvm_link_guest_memfd(sys, gmem_fd, 0, 0) != -EOPNOTSUPP;
}

static int is_same_inode(const struct gmi_sys *sys, int a, int b, bool *ret_same)
{
	struct gmem_sys_stat stat_a, stat_b;
	int ret = gmi_sys_fstat(sys, a, &stat_a);

	if (!ret)
		ret = gmi_sys_fstat(sys, b, &stat_b);
	if (!ret)
		*ret_same = stat_a.dev == stat_b.dev && stat_a.ino == stat_b.ino;
	return ret;
}

static int bind_page(const struct gmi_sys *sys, int vm_fd, int gmem_fd)
{
	struct gmi_kvm_memslot slot = {
		.flags = GMI_KVM_MEM_GUEST_MEMFD,
		.gmem_fd = gmem_fd,
		.size = GMEM_PAGE_SIZE,
	};

	return gmi_kvm_set_region2(sys, vm_fd, &slot);
}

/* @linked is what the request gave for the throwaway file in the VM @vm2. */
static struct gmi_answer check_linked(struct gmi_probe_run *run, int vm2, int linked)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	bool same;
	int ret;

	ret = is_same_inode(sys, run->gmem_fd, linked, &same);
	if (ret)
		return gmi_unknown(ret, "a linked file could not be looked at");
	if (linked == run->gmem_fd || !same)
		return gmi_no("the request gives a file of another inode");
	if (bind_page(sys, vm2, linked))
		return gmi_no("the second VM does not take the linked file");
	if (gmi_kvm_link_guest_memfd(sys, run->vm_fd, run->gmem_fd, 0) != -EINVAL)
		return gmi_no("the VM that has the file takes a link to it too");
	return gmi_yes("asked for, and a page was linked");
}

static struct gmi_answer try_link(struct gmi_probe_run *run, int vm2)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	struct gmi_answer answer;
	int linked;

	linked = gmi_kvm_link_guest_memfd(sys, vm2, -1, INVALID_FLAG);
	if (linked == -EOPNOTSUPP)
		return gmi_no("asked for, but this kernel does not know the request");
	if (linked != -EINVAL)
		return gmi_no("asked for, but this kernel uses the request for something else");
	linked = gmi_kvm_link_guest_memfd(sys, vm2, run->gmem_fd, 0);
	if (linked < 0)
		return gmi_unknown(linked, "a file of one page could not be linked");
	answer = check_linked(run, vm2, linked);
	gmi_ctx_close(run->ctx, linked);
	return answer;
}

struct gmi_answer gmi_probe_link(struct gmi_probe_run *run)
{
	struct gmi_answer answer;
	int fd, vm2;

	if (!(run->ctx->rfc & GMEM_RFC_LINK))
		return gmi_no("no released kernel has it; not asked for with GMEM_RFC_LINK");
	if (!gmi_probe_needs(run, GMEM_FEATURE_GUEST_MEMFD, "there is no guest_memfd", &answer))
		return answer;
	fd = gmi_probe_gmem(run);
	if (fd < 0)
		return gmi_unknown(fd, "no file of one page could be made");
	if (is_other_series(&run->ctx->sys, fd))
		return gmi_no("asked for, but files know the request: in-place conversion RFC v1");
	vm2 = gmi_probe_create_vm(run->ctx, run->vm_type);
	if (vm2 < 0)
		return gmi_unknown(vm2, "no second VM could be made");
	answer = try_link(run, vm2);
	gmi_ctx_close(run->ctx, vm2);
	return answer;
}
