/* SPDX-License-Identifier: MIT */
/* The launch of a TD: what the module allows, how far it is, and how its failures are told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "tdx_object.h"

/* QEMU begins with as few and comes to at most GMI_KVM_MAX_CPUID_ENTRIES too. */
#define FIRST_LEAVES 32

#define FIRST_WAIT_NS   10000
#define LONGEST_WAIT_NS 10000000

static const char *const state_names[] = {
	[GMEM_TDX_NEW] = "new",
	[GMEM_TDX_INITIALIZED] = "initialized",
	[GMEM_TDX_FINALIZED] = "finalized",
	[GMEM_TDX_DEAD] = "dead",
};

int gmi_tdx_expect(const struct gmem_tdx *tdx, uint32_t state, const char *call)
{
	if (!tdx)
		return gmi_error_arg("tdx", "a NULL pointer");
	if (tdx->state == state)
		return 0;
	if (tdx->state == GMEM_TDX_DEAD)
		return gmi_error(-ESTALE, "the TDX module failed before: the VM is dead");
	return gmi_error_arg("tdx", "%s needs a TD that is %s, and this one is %s", call,
			     state_names[state], state_names[tdx->state]);
}

/* Every ioctl on a dead VM is EIO; this one works on all others. */
static bool is_dead(const struct gmem_tdx *tdx)
{
	return gmi_kvm_check_extension(&tdx->vm->ctx->sys, tdx->vm->fd, GMI_KVM_CAP_USER_MEMORY) ==
	       -EIO;
}

static int describe_status(int error, const char *call, uint64_t status, const char *text)
{
	gmi_error_call(error, call, "%s; the TDX module says %s, %#llx", text,
		       gmem_tdx_status_name(status), (unsigned long long)status);
	return gmi_at_fw(status);
}

int gmi_tdx_failed(struct gmem_tdx *tdx, int error, const char *call, uint64_t status,
		   const char *message, ...)
{
	bool died = error == -EIO && is_dead(tdx);
	char text[160];
	va_list args;

	va_start(args, message);
	vsnprintf(text, sizeof(text), message, args);
	va_end(args);
	if (died)
		tdx->state = GMEM_TDX_DEAD;
	if (status)
		return describe_status(error, call, status, text);
	return gmi_error_call(error, call, "%s%s", text, died ? "; the VM is dead" : "");
}

bool gmi_tdx_try_again(struct gmem_tdx *tdx, int error, struct gmi_tdx_patience *patience)
{
	if (error != -EINTR && error != -EAGAIN && error != -EBUSY)
		return false;
	if (patience->attempts <= 1)
		return false;
	patience->attempts--;
	tdx->retries++;
	if (error == -EINTR)
		return true;
	if (!patience->wait)
		patience->wait = FIRST_WAIT_NS;
	gmi_sys_sleep(&tdx->vm->ctx->sys, patience->wait);
	patience->wait =
		patience->wait * 2 < LONGEST_WAIT_NS ? patience->wait * 2 : LONGEST_WAIT_NS;
	return true;
}

static struct gmi_kvm_tdx_capabilities *alloc_caps(const struct gmem_vm *vm, uint32_t leaves)
{
	struct gmi_kvm_tdx_capabilities *caps = gmi_zalloc(
		&vm->ctx->allocator, sizeof(*caps) + leaves * sizeof(struct gmi_kvm_cpuid_entry2));

	if (caps)
		caps->cpuid.nent = leaves;
	return caps;
}

/* KVM does not tell how many leaves there are, only that there are more. */
static int read_caps(struct gmem_tdx *tdx)
{
	const struct gmem_vm *vm = tdx->vm;
	uint32_t leaves = FIRST_LEAVES;
	int ret;

	for (;;) {
		tdx->caps = alloc_caps(vm, leaves);
		if (!tdx->caps)
			return gmi_error_memory();
		ret = gmi_kvm_tdx_capabilities(&vm->ctx->sys, vm->fd, tdx->caps);
		if (ret != -E2BIG || leaves >= GMI_KVM_MAX_CPUID_ENTRIES)
			break;
		gmi_free(&vm->ctx->allocator, tdx->caps);
		leaves *= 2;
	}
	if (ret == -EOPNOTSUPP)
		return gmi_error(ret, "KVM says that this VM is no TD");
	if (ret)
		return gmi_vm_error(ret, "KVM_TDX_CAPABILITIES",
				    "the TDX module cannot be asked what it allows");
	if (tdx->caps->cpuid.nent > leaves)
		return gmi_error(-EIO, "KVM tells of %u leaves in room for %u",
				 tdx->caps->cpuid.nent, leaves);
	return 0;
}

/* Of the VM: a TD has fewer than the system's other VMs. */
static int read_limit(struct gmem_tdx *tdx)
{
	const struct gmem_vm *vm = tdx->vm;
	int limit = gmi_kvm_check_extension(&vm->ctx->sys, vm->fd, GMI_KVM_CAP_MAX_VCPUS);

	if (limit < 0)
		return gmi_vm_error(limit, "KVM_CHECK_EXTENSION",
				    "KVM was not asked how many vCPUs there can be");
	tdx->max_vcpus = limit ? (uint32_t)limit : 1;
	tdx->vcpus = gmi_zalloc_array(&vm->ctx->allocator, tdx->max_vcpus, sizeof(tdx->vcpus[0]));
	return tdx->vcpus ? 0 : gmi_error_memory();
}

static int check_opts(const struct gmem_vm *vm, const struct gmem_tdx_opts *opts)
{
	bool adopts = opts->flags & GMEM_TDX_ADOPT;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (vm->type != GMEM_VM_TDX)
		return gmi_error_arg("vm", "the VM was not made as one of type tdx");
	if (opts->flags & ~GMEM_TDX_ADOPT)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags);
	if (adopts ? opts->gpa_width != GMI_TDX_GPAW_48 && opts->gpa_width != GMI_TDX_GPAW_52
		   : opts->gpa_width != 0)
		return gmi_error_arg("gpa_width", "%u: 48 or 52 with GMEM_TDX_ADOPT, else 0",
				     opts->gpa_width);
	return 0;
}

static void close_vcpus(struct gmem_tdx *tdx)
{
	for (uint32_t i = 0; i < tdx->vcpu_count; i++)
		if (tdx->vcpus[i].is_own && tdx->vcpus[i].fd >= 0)
			gmi_ctx_close(tdx->vm->ctx, tdx->vcpus[i].fd);
}

static void destroy(struct gmem_tdx *tdx)
{
	struct gmem_vm *vm = tdx->vm;
	const struct gmem_allocator *allocator = &vm->ctx->allocator;

	close_vcpus(tdx);
	gmi_rangemap_clear(&tdx->added, allocator);
	gmi_free(allocator, tdx->vcpus);
	gmi_free(allocator, tdx->caps);
	gmi_free(allocator, tdx);
	gmi_vm_put(vm);
}

static struct gmem_tdx *make(struct gmem_vm *vm, const struct gmem_tdx_opts *opts)
{
	struct gmem_tdx *tdx = gmi_zalloc(&vm->ctx->allocator, sizeof(*tdx));

	if (!tdx)
		return NULL;
	tdx->vm = gmi_vm_get(vm);
	tdx->first_vcpu = -1;
	tdx->gpa_width = opts->gpa_width;
	tdx->state = opts->flags & GMEM_TDX_ADOPT ? GMEM_TDX_INITIALIZED : GMEM_TDX_NEW;
	return tdx;
}

static int create(struct gmem_vm *vm, const struct gmem_tdx_opts *in, struct gmem_tdx **ret_tdx)
{
	struct gmem_tdx_opts opts = {.sz = sizeof(opts)};
	struct gmem_tdx *tdx;
	int ret = gmi_opts_get(&opts, sizeof(opts), in);

	if (!ret)
		ret = ret_tdx ? check_opts(vm, &opts) : gmi_error_arg("ret_tdx", "a NULL pointer");
	if (ret)
		return ret;
	tdx = make(vm, &opts);
	if (!tdx)
		return gmi_error_memory();
	ret = read_caps(tdx);
	if (!ret)
		ret = read_limit(tdx);
	if (ret)
		destroy(tdx);
	else
		*ret_tdx = tdx;
	return ret;
}

GMEM_API int gmem_tdx_create(struct gmem_vm *vm, const struct gmem_tdx_opts *opts,
			     struct gmem_tdx **ret_tdx)
{
	return gmi_result(__func__, create(vm, opts, ret_tdx));
}

GMEM_API struct gmem_tdx *gmem_tdx_unref(struct gmem_tdx *tdx)
{
	if (tdx)
		destroy(tdx);
	return NULL;
}

static uint32_t count_vcpus(const struct gmem_tdx *tdx)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < tdx->vcpu_count; i++)
		count += tdx->vcpus[i].is_initialized;
	return count;
}

static int get_info(const struct gmem_tdx *tdx, struct gmem_tdx_info *ret_info)
{
	struct gmem_tdx_info info = {.sz = sizeof(info)};
	int ret;

	if (!tdx)
		return gmi_error_arg("tdx", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.state = tdx->state;
	info.max_vcpus = tdx->max_vcpus;
	info.vcpus = count_vcpus(tdx);
	info.configurable = tdx->caps->cpuid.nent;
	info.gpa_width = tdx->gpa_width;
	info.supported_attributes = tdx->caps->supported_attrs;
	info.supported_xfam = tdx->caps->supported_xfam;
	info.kernel_tdvmcalls[0] = tdx->caps->kernel_tdvmcallinfo_1_r11;
	info.kernel_tdvmcalls[1] = tdx->caps->kernel_tdvmcallinfo_1_r12;
	info.user_tdvmcalls[0] = tdx->caps->user_tdvmcallinfo_1_r11;
	info.user_tdvmcalls[1] = tdx->caps->user_tdvmcallinfo_1_r12;
	info.added_bytes = tdx->added_bytes;
	info.measured_bytes = tdx->measured_bytes;
	info.retries = tdx->retries;
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_tdx_get_info(const struct gmem_tdx *tdx, struct gmem_tdx_info *ret_info)
{
	return gmi_result(__func__, get_info(tdx, ret_info));
}
