/* SPDX-License-Identifier: MIT */
/* The settings of a VM that have to be made before it becomes a TD. */
#include <errno.h>

#include <libgmem/exit.h>

#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "tdx_object.h"

#define FLAGS (GMEM_TDX_NO_IRQCHIP | GMEM_TDX_NO_BUS_CLOCK | GMEM_TDX_NO_HYPERCALLS)

/* KVM_MAX_IRQ_ROUTES, the most that KVM_CAP_SPLIT_IRQCHIP takes. */
#define PINS_DEFAULT 24
#define PINS_MAX     4096

/* What the module can count: TDH.MNG.INIT, TSC_FREQUENCY of 4 to 400 units. */
#define TSC_KHZ_MIN 100000
#define TSC_KHZ_MAX 10000000

static int check_numbers(const struct gmem_tdx *tdx, const struct gmem_tdx_setup_opts *opts)
{
	if (opts->flags & ~FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~FLAGS);
	if (opts->vcpus > tdx->max_vcpus)
		return gmi_error_arg("vcpus", "%u vCPUs, KVM allows %u in this VM", opts->vcpus,
				     tdx->max_vcpus);
	if (opts->irqchip_pins > PINS_MAX)
		return gmi_error_arg("irqchip_pins", "%u pins, more than %d", opts->irqchip_pins,
				     PINS_MAX);
	if (opts->padding)
		return gmi_error_arg("padding", "the padding is not 0");
	if (opts->tsc_khz && (opts->tsc_khz < TSC_KHZ_MIN || opts->tsc_khz > TSC_KHZ_MAX ||
			      opts->tsc_khz % GMI_TDX_TSC_UNIT_KHZ))
		return gmi_error_arg("tsc_khz",
				     "%llu kHz: not 100000 to 10000000 in steps of 25000",
				     (unsigned long long)opts->tsc_khz);
	return 0;
}

static int enable(struct gmem_tdx *tdx, uint32_t bit, uint32_t cap, uint64_t arg, const char *name)
{
	const struct gmem_vm *vm = tdx->vm;
	int ret;

	if (tdx->done & bit)
		return 0;
	ret = gmi_kvm_enable_cap(&vm->ctx->sys, vm->fd, cap, arg);
	if (ret)
		return gmi_vm_error(ret, "KVM_ENABLE_CAP", "%s is not enabled", name);
	tdx->done |= bit;
	return 0;
}

static int set_tsc(struct gmem_tdx *tdx, uint64_t khz)
{
	const struct gmem_vm *vm = tdx->vm;
	int ret;

	if (tdx->done & GMI_TDX_HAS_TSC || !khz)
		return 0;
	ret = gmi_kvm_set_tsc_khz(&vm->ctx->sys, vm->fd, khz);
	if (ret)
		return gmi_vm_error(ret, "KVM_SET_TSC_KHZ", "the TSC does not run at %llu kHz",
				    (unsigned long long)khz);
	tdx->done |= GMI_TDX_HAS_TSC;
	return 0;
}

static int enable_hypercalls(struct gmem_tdx *tdx)
{
	int ret;

	if (tdx->done & GMI_TDX_HAS_HYPERCALLS)
		return 0;
	ret = gmem_exit_enable(tdx->vm);
	if (ret)
		return gmi_error_inherit(ret);
	tdx->done |= GMI_TDX_HAS_HYPERCALLS;
	return 0;
}

/* The bus clock needs the local APICs in the kernel, which the split controller brings (x86.c). */
int gmi_tdx_setup(struct gmem_tdx *tdx, const struct gmem_tdx_setup_opts *in, uint32_t vcpus)
{
	struct gmem_tdx_setup_opts opts = {.sz = sizeof(opts)};
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_NEW, "the setup");

	if (!ret)
		ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (vcpus)
		opts.vcpus = vcpus;
	if (!ret)
		ret = check_numbers(tdx, &opts);
	if (!ret && !(opts.flags & GMEM_TDX_NO_IRQCHIP))
		ret = enable(tdx, GMI_TDX_HAS_IRQCHIP, GMI_KVM_CAP_SPLIT_IRQCHIP,
			     opts.irqchip_pins ? opts.irqchip_pins : PINS_DEFAULT,
			     "KVM_CAP_SPLIT_IRQCHIP");
	if (!ret && !(opts.flags & GMEM_TDX_NO_BUS_CLOCK))
		ret = enable(tdx, GMI_TDX_HAS_BUS_CLOCK, GMI_KVM_CAP_X86_APIC_BUS_CYCLES_NS,
			     GMI_TDX_APIC_BUS_CYCLES_NS, "KVM_CAP_X86_APIC_BUS_CYCLES_NS");
	if (!ret)
		ret = set_tsc(tdx, opts.tsc_khz);
	if (!ret && !(opts.flags & GMEM_TDX_NO_HYPERCALLS))
		ret = enable_hypercalls(tdx);
	return ret;
}

GMEM_API int gmem_tdx_setup(struct gmem_tdx *tdx, const struct gmem_tdx_setup_opts *opts)
{
	return gmi_result(__func__, gmi_tdx_setup(tdx, opts, 0));
}
