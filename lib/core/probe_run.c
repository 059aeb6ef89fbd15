/* SPDX-License-Identifier: MIT */
/* The throwaway objects that questions to the kernel are tried on. */
#include "probe_run.h"

#include <errno.h>

#include "kvm_call.h"
#include "probe.h"
#include "uapi_kvm.h"

int gmi_probe_vm_type(const struct gmem_ctx *ctx, uint32_t vm_type)
{
	int types = gmi_kvm_check_extension(&ctx->sys, ctx->kvm_fd, GMI_KVM_CAP_VM_TYPES);

	if (types < 0)
		return types;
	if (types == 0)
		return vm_type == GMEM_VM_DEFAULT;
	return types >> vm_type & 1;
}

/* The kernel may be interrupted while it starts a worker thread of the VM (6.14 on). */
int gmi_probe_create_vm(const struct gmem_ctx *ctx, uint32_t vm_type)
{
	int fd = gmi_kvm_create_vm(&ctx->sys, ctx->kvm_fd, vm_type);

	for (int retry = 0; fd == -EINTR && retry < 100; retry++)
		fd = gmi_kvm_create_vm(&ctx->sys, ctx->kvm_fd, vm_type);
	return fd;
}

bool gmi_probe_needs(const struct gmi_probe_run *run, uint32_t feature, const char *otherwise,
		     struct gmi_answer *ret_answer)
{
	const struct gmi_answer *need = &run->answers[feature];

	*ret_answer = need->known ? gmi_no(otherwise) : gmi_unknown(need->state, need->reason);
	return need->known && need->state;
}

int gmi_probe_create_gmem(const struct gmem_ctx *ctx, int vm_fd, uint64_t flags)
{
	int fd = gmi_kvm_create_guest_memfd(&ctx->sys, vm_fd, GMEM_PAGE_SIZE, flags);
	int ret = fd < 0 ? fd : gmi_sys_set_cloexec(&ctx->sys, fd);

	if (fd >= 0 && ret < 0)
		gmi_ctx_close(ctx, fd);
	return ret < 0 ? ret : fd;
}

int gmi_probe_vm(struct gmi_probe_run *run)
{
	if (run->vm_fd < 0)
		run->vm_fd = gmi_probe_create_vm(run->ctx, run->vm_type);
	return run->vm_fd;
}

static int make_gmem(struct gmi_probe_run *run, int *fd, uint64_t flags)
{
	int vm_fd = gmi_probe_vm(run);

	if (vm_fd < 0)
		return vm_fd;
	if (*fd < 0)
		*fd = gmi_probe_create_gmem(run->ctx, vm_fd, flags);
	return *fd;
}

int gmi_probe_gmem(struct gmi_probe_run *run)
{
	return make_gmem(run, &run->gmem_fd, 0);
}

int gmi_probe_mmap_gmem(struct gmi_probe_run *run)
{
	return make_gmem(run, &run->mmap_fd, GMI_GUEST_MEMFD_FLAG_MMAP);
}
