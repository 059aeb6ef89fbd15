/* SPDX-License-Identifier: MIT */
/* A whole launch of a TD, which goes on where it stopped. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "tdx_object.h"

#define X2APIC (1u << 21) /* CPUID 1 ECX */

static int check_opts(const struct gmem_tdx *tdx, const struct gmem_tdx_launch_opts *opts)
{
	if (opts->flags)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags);
	if (!opts->vcpus || opts->vcpus > tdx->max_vcpus)
		return gmi_error_arg("vcpus", "%u vCPUs: KVM allows 1 to %u in this VM",
				     opts->vcpus, tdx->max_vcpus);
	if (!opts->init)
		return gmi_error_arg("init", "a NULL pointer");
	return 0;
}

/* KVM_TDX_INIT_VCPU sets an x2APIC's base address, and says no more than EINVAL where it may not. */
static int check_x2apic(const struct gmem_tdx_cpuid_opts *cpuid)
{
	const struct gmem_tdx_cpuid *leaf = gmi_tdx_find_cpuid(cpuid->entries, cpuid->count, 1, 0);

	if (leaf && leaf->ecx & X2APIC)
		return 0;
	return gmi_error_arg("cpuid", "a TD's CPUID needs x2APIC: leaf 1, ECX bit 21");
}

static int read_cpuid(const struct gmem_tdx_launch_opts *opts,
		      struct gmem_tdx_cpuid_opts *ret_cpuid)
{
	struct gmem_tdx_init_opts init = {.sz = sizeof(init)};
	int ret = gmi_opts_get(&init, sizeof(init), opts->init);

	if (!ret)
		ret = gmi_tdx_check_cpuid(init.cpuid, ret_cpuid);
	return ret ? ret : check_x2apic(ret_cpuid);
}

static int create_vcpu(struct gmem_tdx *tdx, uint32_t id)
{
	int fd = gmi_kvm_create_vcpu(&tdx->vm->ctx->sys, tdx->vm->fd, id);

	if (fd < 0)
		return gmi_vm_error(fd, "KVM_CREATE_VCPU", "vCPU %u was not made", id);
	tdx->vcpus[tdx->vcpu_count++] = (struct gmi_tdx_vcpu){.fd = fd, .is_own = true};
	return 0;
}

static int set_cpuid(struct gmem_tdx *tdx, struct gmi_tdx_vcpu *vcpu,
		     const struct gmem_tdx_cpuid_opts *cpuid)
{
	const struct gmem_allocator *allocator = &tdx->vm->ctx->allocator;
	size_t size = cpuid->count * sizeof(cpuid->entries[0]);
	struct gmi_kvm_cpuid2 *list = gmi_zalloc(allocator, sizeof(*list) + size);
	int ret;

	if (!list)
		return gmi_error_memory();
	list->nent = (uint32_t)cpuid->count;
	memcpy(list->entries, cpuid->entries, size);
	ret = gmi_kvm_set_cpuid2(&tdx->vm->ctx->sys, vcpu->fd, list);
	gmi_free(allocator, list);
	if (ret)
		return gmi_vm_error(ret, "KVM_SET_CPUID2", "a vCPU's CPUID was not set");
	vcpu->has_cpuid = true;
	return 0;
}

static int make_vcpu(struct gmem_tdx *tdx, uint32_t id, const struct gmem_tdx_cpuid_opts *cpuid,
		     uint64_t rcx)
{
	int ret = id < tdx->vcpu_count ? 0 : create_vcpu(tdx, id);

	if (!ret && !tdx->vcpus[id].has_cpuid)
		ret = set_cpuid(tdx, &tdx->vcpus[id], cpuid);
	if (!ret && !tdx->vcpus[id].is_initialized)
		ret = gmi_tdx_init_vcpu(tdx, &tdx->vcpus[id], rcx);
	return ret;
}

static uint64_t find_hob(const struct gmem_launch_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (steps[i].type == GMEM_LAUNCH_TD_HOB)
			return steps[i].gpa;
	return 0;
}

static int make_vcpus(struct gmem_tdx *tdx, const struct gmem_tdx_launch_opts *opts,
		      const struct gmem_tdx_cpuid_opts *cpuid)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < opts->vcpus; i++)
		ret = make_vcpu(tdx, i, cpuid, opts->hob);
	return ret;
}

static int add(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
	       const struct gmem_tdx_add_opts *in)
{
	struct gmem_tdx_add_opts opts = {.sz = sizeof(opts)};
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (ret)
		return ret;
	opts.start = tdx->launched;
	return gmi_tdx_add(tdx, steps, count, &opts, &tdx->launched);
}

static int go_on(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		 const struct gmem_tdx_launch_opts *opts, const struct gmem_tdx_cpuid_opts *cpuid)
{
	int ret = 0;

	if (tdx->state == GMEM_TDX_NEW)
		ret = gmi_tdx_setup(tdx, opts->setup, opts->vcpus);
	if (!ret && tdx->state == GMEM_TDX_NEW)
		ret = gmi_tdx_init_vm(tdx, opts->init);
	if (!ret)
		ret = make_vcpus(tdx, opts, cpuid);
	if (!ret)
		ret = add(tdx, steps, count, opts->add);
	return ret ? ret : gmi_tdx_finalize(tdx);
}

static int launch(struct gmem_tdx *tdx, const struct gmem_launch_step *steps, size_t count,
		  const struct gmem_tdx_launch_opts *in)
{
	struct gmem_tdx_launch_opts opts = {.sz = sizeof(opts)};
	struct gmem_tdx_cpuid_opts cpuid;
	int ret = 0;

	if (!tdx || tdx->state != GMEM_TDX_INITIALIZED)
		ret = gmi_tdx_expect(tdx, GMEM_TDX_NEW, "a launch");
	if (!ret && !in)
		ret = gmi_error_arg("opts", "a NULL pointer");
	if (!ret && count && !steps)
		ret = gmi_error_arg("steps", "a NULL pointer");
	if (!ret)
		ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(tdx, &opts);
	if (!ret)
		ret = read_cpuid(&opts, &cpuid);
	if (ret)
		return ret;
	if (!opts.hob)
		opts.hob = find_hob(steps, count);
	return go_on(tdx, steps, count, &opts, &cpuid);
}

GMEM_API int gmem_tdx_launch(struct gmem_tdx *tdx, const struct gmem_launch_step *steps,
			     size_t count, const struct gmem_tdx_launch_opts *opts)
{
	return gmi_result(__func__, launch(tdx, steps, count, opts));
}
