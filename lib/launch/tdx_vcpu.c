/* SPDX-License-Identifier: MIT */
/* The vCPUs of a TD. */
#include <errno.h>

#include "errinfo.h"
#include "tdx_object.h"

struct gmi_tdx_vcpu *gmi_tdx_find_vcpu(struct gmem_tdx *tdx, int fd)
{
	for (uint32_t i = 0; i < tdx->vcpu_count; i++)
		if (tdx->vcpus[i].fd == fd)
			return &tdx->vcpus[i];
	return NULL;
}

static int check(struct gmem_tdx *tdx, int vcpu_fd)
{
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_INITIALIZED, "KVM_TDX_INIT_VCPU");
	const struct gmi_tdx_vcpu *vcpu;

	if (ret)
		return ret;
	if (vcpu_fd < 0)
		return gmi_error_arg("vcpu_fd", "%d is no descriptor", vcpu_fd);
	vcpu = gmi_tdx_find_vcpu(tdx, vcpu_fd);
	if (vcpu && vcpu->is_initialized)
		return gmi_error_arg("vcpu_fd", "the vCPU is initialized already");
	if (!vcpu && tdx->vcpu_count == tdx->max_vcpus)
		return gmi_error_arg("vcpu_fd", "KVM allows %u vCPUs in this VM", tdx->max_vcpus);
	return 0;
}

static void mark(struct gmem_tdx *tdx, struct gmi_tdx_vcpu *vcpu)
{
	vcpu->is_initialized = true;
	if (tdx->first_vcpu < 0)
		tdx->first_vcpu = vcpu->fd;
}

int gmi_tdx_init_vcpu(struct gmem_tdx *tdx, struct gmi_tdx_vcpu *vcpu, uint64_t rcx)
{
	struct gmi_tdx_patience patience = {.attempts = GMI_TDX_ATTEMPTS};
	int ret;

	do {
		ret = gmi_kvm_tdx_init_vcpu(&tdx->vm->ctx->sys, vcpu->fd, rcx);
	} while (gmi_tdx_try_again(tdx, ret, &patience));
	if (ret)
		return gmi_tdx_failed(tdx, ret, "KVM_TDX_INIT_VCPU", 0, "%s",
				      ret == -EINVAL
					      ? "KVM refused the vCPU: it is no vCPU of this "
						"TD, or its CPUID lacks x2APIC"
					      : "the vCPU was not initialized");
	mark(tdx, vcpu);
	return 0;
}

static int init_vcpu(struct gmem_tdx *tdx, int vcpu_fd, uint64_t rcx)
{
	struct gmi_tdx_vcpu *vcpu, lent = {.fd = vcpu_fd};
	int ret = check(tdx, vcpu_fd);

	if (ret)
		return ret;
	vcpu = gmi_tdx_find_vcpu(tdx, vcpu_fd);
	if (vcpu)
		return gmi_tdx_init_vcpu(tdx, vcpu, rcx);
	ret = gmi_tdx_init_vcpu(tdx, &lent, rcx);
	if (!ret)
		tdx->vcpus[tdx->vcpu_count++] = lent;
	return ret;
}

GMEM_API int gmem_tdx_init_vcpu(struct gmem_tdx *tdx, int vcpu_fd, uint64_t rcx)
{
	return gmi_result(__func__, init_vcpu(tdx, vcpu_fd, rcx));
}

static int adopt(struct gmem_tdx *tdx, int vcpu_fd)
{
	struct gmi_tdx_vcpu *vcpu;
	int ret = check(tdx, vcpu_fd);

	if (ret)
		return ret;
	vcpu = gmi_tdx_find_vcpu(tdx, vcpu_fd);
	if (!vcpu) {
		vcpu = &tdx->vcpus[tdx->vcpu_count++];
		vcpu->fd = vcpu_fd;
	}
	mark(tdx, vcpu);
	return 0;
}

GMEM_API int gmem_tdx_adopt_vcpu(struct gmem_tdx *tdx, int vcpu_fd)
{
	return gmi_result(__func__, adopt(tdx, vcpu_fd));
}

static int take(struct gmem_tdx *tdx, uint32_t index)
{
	struct gmi_tdx_vcpu *vcpu;

	if (!tdx)
		return gmi_error_arg("tdx", "a NULL pointer");
	vcpu = index < tdx->vcpu_count ? &tdx->vcpus[index] : NULL;
	if (!vcpu || !vcpu->is_own)
		return gmi_error(-ENOENT, "the launch has no vCPU %u to give", index);
	vcpu->is_own = false;
	return vcpu->fd;
}

GMEM_API int gmem_tdx_take_vcpu(struct gmem_tdx *tdx, uint32_t index)
{
	return gmi_result(__func__, take(tdx, index));
}
