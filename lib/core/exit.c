/* SPDX-License-Identifier: MIT */
/* Exits of a vCPU that ask for a conversion: decoded as hostile input, served in parts, answered. */
#include <errno.h>
#include <string.h>

#include <libgmem/exit.h>

#include "core_attr.h"
#include "core_vm.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "range.h"
#include "uapi_kvm.h"

#define DEFAULT_QUANTUM (UINT64_C(64) << 20)

/* The attribute word of KVM_HC_MAP_GPA_RANGE (linux/kvm_para.h): page size in bits 0 to 3, bit 4 private. */
#define PAGE_SIZE_MASK UINT64_C(0xf)
#define PAGE_SIZE_MAX  GMI_KVM_MAP_GPA_RANGE_PAGE_SZ_1G

/* What the guest wants, in bytes. */
struct request {
	uint64_t gpa;
	uint64_t size;
	uint32_t to;
};

/* The guest chose these numbers; KVM checked them for some kinds of guest and not for others. */
static int decode_hypercall(const struct gmi_kvm_run *run, struct request *ret_request)
{
	uint64_t gpa = run->hypercall.args[0];
	uint64_t pages = run->hypercall.args[1];
	uint64_t word = run->hypercall.args[2];

	if (word & ~(PAGE_SIZE_MASK | GMI_KVM_MAP_GPA_RANGE_ENCRYPTED) ||
	    (word & PAGE_SIZE_MASK) > PAGE_SIZE_MAX)
		return gmi_error(-EINVAL, "the guest's attribute word %#llx has unknown bits",
				 (unsigned long long)word);
	ret_request->gpa = gpa;
	ret_request->to = word & GMI_KVM_MAP_GPA_RANGE_ENCRYPTED ? GMEM_PRIVATE : GMEM_SHARED;
	if (__builtin_mul_overflow(pages, GMEM_PAGE_SIZE, &ret_request->size) ||
	    !gmi_range_is_paged(gpa, ret_request->size) ||
	    !gmi_range_is_within(gpa, ret_request->size, GMI_ATTRMAP_LIMIT_MAX)) {
		gmi_error(-EINVAL, "the guest's range is unaligned, empty or too large");
		return gmi_at_gpa(gpa, pages);
	}
	return 0;
}

static int decode_fault(const struct gmi_kvm_run *run, struct request *ret_request)
{
	uint64_t flags = run->memory_fault.flags;

	ret_request->gpa = run->memory_fault.gpa;
	ret_request->size = run->memory_fault.size;
	ret_request->to = flags & GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE ? GMEM_PRIVATE : GMEM_SHARED;
	if (flags & ~GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE)
		gmi_error_feature(
			GMEM_FEATURE_MEMORY_FAULT,
			"KVM's memory fault has flags %#llx that this library does not know",
			(unsigned long long)flags);
	else if (!gmi_range_is_paged(ret_request->gpa, ret_request->size) ||
		 !gmi_range_is_within(ret_request->gpa, ret_request->size, GMI_ATTRMAP_LIMIT_MAX))
		gmi_error(-ENOENT, "KVM's memory fault is outside of what a guest has");
	else
		return 0;
	return gmi_at_gpa(ret_request->gpa, ret_request->size);
}

static uint64_t quantum(const struct gmem_exit *exit)
{
	return exit->quantum ? exit->quantum : DEFAULT_QUANTUM;
}

/* One call's share of the exit. Adds to @done; 0 or -errno with a record. */
static int convert_part(struct gmem_vm *vm, struct gmem_exit *exit)
{
	uint64_t rest = exit->size - exit->done;
	uint64_t size = rest < quantum(exit) ? rest : quantum(exit);
	uint64_t done;
	int ret = gmem_convert(vm, exit->gpa + exit->done, size, exit->to, exit->convert, &done);

	exit->done += done;
	return ret;
}

static void finish(struct gmem_exit *exit)
{
	exit->disposition = GMEM_EXIT_RESUME;
	exit->done = 0;
}

/* A request that is served in parts is looked at as a whole first: nothing converts of a wrong one. */
static int check_whole(struct gmem_vm *vm, const struct gmem_exit *exit)
{
	const struct gmem_conversion whole = {.gpa = exit->gpa, .size = exit->size, .to = exit->to};

	if (exit->done || exit->size <= quantum(exit))
		return 0;
	return gmi_convert_check(vm, &whole);
}

/* 0 and GMEM_EXIT_AGAIN where more is to do, or where the caller wants its thread back first. */
static int serve(struct gmem_vm *vm, struct gmem_exit *exit)
{
	int ret = check_whole(vm, exit);

	if (!ret)
		ret = convert_part(vm, exit);
	if (ret && ret != -EINTR) {
		exit->done = 0;
		return ret;
	}
	if (ret == -EINTR || exit->done < exit->size)
		exit->disposition = GMEM_EXIT_AGAIN;
	else
		finish(exit);
	return 0;
}

/*
 * KVM takes 0, EINVAL and EAGAIN from SNP and TDX, as positive numbers, and ends the vCPU for anything
 * else (snp_complete_psc_msr(), tdx_complete_vmcall_map_gpa()); a software-protected guest gets the
 * number as it is, and knows negative errors. Only TDX guests try again.
 */
static uint64_t answer(const struct gmem_vm *vm, int error)
{
	if (vm->type == GMEM_VM_TDX && error == -EAGAIN)
		return EAGAIN;
	if (vm->type == GMEM_VM_SNP || vm->type == GMEM_VM_TDX)
		return EINVAL;
	return (uint64_t)(int64_t)-EINVAL;
}

static void refuse(struct gmem_vm *vm, struct gmi_kvm_run *run, struct gmem_exit *exit, int error)
{
	run->hypercall.ret = answer(vm, error);
	exit->flags = GMEM_EXIT_REFUSED;
	exit->error = error;
	finish(exit);
}

/* A dead VM, or memory in a state that nobody wanted, is not the guest's to be told of. */
static bool is_for_the_guest(int error)
{
	return error != -ESTALE && error != -ENOTRECOVERABLE && error != -ENOMEM;
}

/* Goes on where the last call stopped, if that was for the same request. */
static void begin(struct gmem_exit *exit, const struct request *request)
{
	if (exit->done >= request->size || exit->gpa != request->gpa ||
	    exit->size != request->size || exit->to != request->to)
		exit->done = 0;
	exit->gpa = request->gpa;
	exit->size = request->size;
	exit->to = request->to;
}

static bool is_nothing(struct gmem_vm *vm, const struct gmem_exit *exit)
{
	return !exit->done && gmem_attr_query(vm, exit->gpa, exit->size) == (int)exit->to;
}

static int handle_hypercall(struct gmem_vm *vm, struct gmi_kvm_run *run, struct gmem_exit *exit)
{
	struct request request = {0};
	int ret = decode_hypercall(run, &request);

	if (!ret) {
		begin(exit, &request);
		exit->flags |= is_nothing(vm, exit) ? GMEM_EXIT_NOTHING : 0;
		ret = serve(vm, exit);
	}
	if (ret && !is_for_the_guest(ret))
		return ret;
	if (ret)
		refuse(vm, run, exit, ret);
	else if (exit->disposition == GMEM_EXIT_RESUME)
		run->hypercall.ret = 0;
	return 0;
}

static int handle_fault(struct gmem_vm *vm, const struct gmi_kvm_run *run, struct gmem_exit *exit)
{
	struct request request = {0};
	int ret = decode_fault(run, &request);

	if (ret)
		return ret;
	begin(exit, &request);
	exit->flags |= is_nothing(vm, exit) ? GMEM_EXIT_NOTHING : 0;
	return serve(vm, exit);
}

static int check(const struct gmem_vm *vm, const void *run, int run_error,
		 const struct gmem_exit *exit)
{
	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	if (!run)
		return gmi_error_arg("run", "a NULL pointer");
	if (run_error > 0)
		return gmi_error_arg("run_error", "%d is neither 0 nor -errno", run_error);
	if (!gmi_is_aligned(exit->quantum, GMEM_PAGE_SIZE))
		return gmi_error_arg("quantum", "%#llx is not a multiple of 4096",
				     (unsigned long long)exit->quantum);
	if (exit->convert && exit->convert->flags & (GMEM_CONVERT_ATOMIC | GMEM_CONVERT_UNBOUND))
		return gmi_error_arg("convert", "a guest's request is neither ATOMIC nor UNBOUND");
	return 0;
}

static bool is_map_gpa_range(const struct gmi_kvm_run *run, int run_error)
{
	return !run_error && run->exit_reason == GMI_KVM_EXIT_HYPERCALL &&
	       run->hypercall.nr == GMI_KVM_HC_MAP_GPA_RANGE;
}

/* With any other error the exit's reason is an earlier exit's (mainline api.rst, KVM_EXIT_MEMORY_FAULT). */
static bool is_memory_fault(const struct gmi_kvm_run *run, int run_error)
{
	return (run_error == -EFAULT || run_error == -EHWPOISON) &&
	       run->exit_reason == GMI_KVM_EXIT_MEMORY_FAULT;
}

static int dispatch(struct gmem_vm *vm, struct gmi_kvm_run *run, int run_error,
		    struct gmem_exit *exit)
{
	exit->disposition = GMEM_EXIT_NOT_MINE;
	exit->flags = 0;
	exit->error = 0;
	if (is_map_gpa_range(run, run_error))
		return handle_hypercall(vm, run, exit);
	if (!is_memory_fault(run, run_error))
		return 0;
	if (run_error == -EHWPOISON) {
		gmi_error(-EHWPOISON, "the guest touched a poisoned page");
		return gmi_at_gpa(run->memory_fault.gpa, run->memory_fault.size);
	}
	return handle_fault(vm, run, exit);
}

static int handle(struct gmem_vm *vm, void *run, int run_error, struct gmem_exit *exit)
{
	struct gmem_exit work = {.sz = sizeof(work)};
	int ret;

	if (!exit)
		return gmi_error_arg("exit", "a NULL pointer");
	ret = gmi_opts_get(&work, sizeof(work), exit);
	if (!ret)
		ret = check(vm, run, run_error, &work);
	if (ret)
		return ret;
	ret = dispatch(vm, run, run_error, &work);
	gmi_info_put(exit, &work, sizeof(work));
	return ret;
}

GMEM_API int gmem_exit_handle(struct gmem_vm *vm, void *run, int run_error, struct gmem_exit *exit)
{
	return gmi_result(__func__, handle(vm, run, run_error, exit));
}

static int enable(struct gmem_vm *vm)
{
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	ret = gmi_kvm_enable_cap(&vm->ctx->sys, vm->fd, GMI_KVM_CAP_EXIT_HYPERCALL,
				 UINT64_C(1) << GMI_KVM_HC_MAP_GPA_RANGE);
	if (ret == -EINVAL || ret == -EOPNOTSUPP)
		return gmi_error_feature(GMEM_FEATURE_MAP_GPA_RANGE,
					 "KVM cannot pass KVM_HC_MAP_GPA_RANGE on");
	return ret ? gmi_vm_error(ret, "KVM_ENABLE_CAP", "KVM_CAP_EXIT_HYPERCALL is not enabled")
		   : 0;
}

GMEM_API int gmem_exit_enable(struct gmem_vm *vm)
{
	return gmi_result(__func__, enable(vm));
}
