/* SPDX-License-Identifier: MIT */
/* A VM: its descriptor, what its type can do, and the bookkeeping that files and slots share. */
#include "core_vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "alloc.h"
#include "core_slot.h"
#include "errinfo.h"
#include "kvm_call.h"
#include "opts.h"
#include "probe.h"
#include "probe_run.h"
#include "uapi_kvm.h"

int gmi_vm_error(int error, const char *call, const char *message, ...)
{
	char text[160];
	va_list args;

	va_start(args, message);
	vsnprintf(text, sizeof(text), message, args);
	va_end(args);
	if (error == -EIO)
		return gmi_error_call(-ESTALE, call, "%s: the VM is dead or of another process",
				      text);
	return gmi_error_call(error, call, "%s", text);
}

int gmi_vm_check_kept(const struct gmem_vm *vm)
{
	return vm->is_handed_over ? gmi_error(-ESTALE, "the VM was handed over to another process")
				  : 0;
}

struct gmem_vm *gmi_vm_get(struct gmem_vm *vm)
{
	atomic_fetch_add_explicit(&vm->refs, 1, memory_order_relaxed);
	return vm;
}

static void destroy(struct gmem_vm *vm)
{
	struct gmem_ctx *ctx = vm->ctx;

	if (!vm->borrowed && vm->fd >= 0)
		gmi_ctx_close(ctx, vm->fd);
	if (gmi_vm_firmware(vm) >= 0)
		gmi_ctx_close(ctx, gmi_vm_firmware(vm));
	gmi_slot_free_stuck(vm);
	gmi_attrs_clear(&vm->attrs);
	for (int i = 0; i < GMI_ADDRESS_SPACES; i++)
		gmi_slot_ids_clear(&vm->ids[i], &ctx->allocator);
	gmi_slot_index_clear(&vm->slots, &ctx->allocator);
	gmi_bind_lock_put(vm->bind_lock);
	if (vm->mirrors)
		gmi_vm_put(vm->mirrors);
	gmi_free(&ctx->allocator, vm);
	gmi_ctx_put(ctx);
}

void gmi_vm_put(struct gmem_vm *vm)
{
	if (atomic_fetch_sub_explicit(&vm->refs, 1, memory_order_acq_rel) == 1)
		destroy(vm);
}

int gmi_vm_firmware(struct gmem_vm *vm)
{
	return atomic_load(&vm->firmware_fd);
}

int gmi_vm_keep_firmware(struct gmem_vm *vm, int fd)
{
	int kept = -1;

	if (atomic_compare_exchange_strong(&vm->firmware_fd, &kept, fd))
		return fd;
	gmi_ctx_close(vm->ctx, fd);
	return kept;
}

static int check_ids(const struct gmem_ctx *ctx, const struct gmem_vm_opts *opts)
{
	if (opts->first_slot >= ctx->slots_max)
		return gmi_error_arg("first_slot", "KVM has %u memslot ids, %u is none of them",
				     ctx->slots_max, opts->first_slot);
	if (opts->slot_count > ctx->slots_max - opts->first_slot)
		return gmi_error_arg("slot_count", "KVM has %u memslot ids, not %u from %u on",
				     ctx->slots_max, opts->slot_count, opts->first_slot);
	return 0;
}

static int check_args(const struct gmem_ctx *ctx, uint32_t vm_type, const struct gmem_vm_opts *in,
		      struct gmem_vm_opts *ret_opts, struct gmem_vm **ret_vm)
{
	int ret;

	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	if (vm_type >= GMEM_VM_TYPE_COUNT)
		return gmi_error_arg("vm_type", "type %u of VM is unknown to this library",
				     vm_type);
	if (!ret_vm)
		return gmi_error_arg("ret_vm", "a NULL pointer");
	ret = gmi_opts_get(ret_opts, sizeof(*ret_opts), in);
	if (!ret)
		ret = check_ids(ctx, ret_opts);
	return ret;
}

static int check_type(struct gmem_ctx *ctx, uint32_t vm_type)
{
	int ret = gmi_probe_vm_type(ctx, vm_type);

	if (ret < 0)
		return gmi_error_call(ret, "KVM_CHECK_EXTENSION",
				      "KVM could not be asked for its types of VM");
	if (!ret)
		return gmi_error(-EOPNOTSUPP, "this kernel does not make VMs of type %s",
				 gmi_vm_type_name(vm_type));
	return 0;
}

/* Decides once for the VM's life what it can do. */
static int read_features(struct gmem_vm *vm)
{
	static const uint32_t features[] = {
		GMEM_FEATURE_GUEST_MEMFD, GMEM_FEATURE_MMAP,       GMEM_FEATURE_INIT_SHARED,
		GMEM_FEATURE_PRIVATE,     GMEM_FEATURE_CONVERT_VM, GMEM_FEATURE_CONVERT_INPLACE,
		GMEM_FEATURE_READONLY,
	};
	struct gmi_answer mmap;
	int ret;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		ret = gmi_has_feature(vm->ctx, vm->type, features[i]);
		if (ret < 0)
			return ret;
		vm->features |= (uint32_t)ret << features[i];
	}
	gmi_probe(vm->ctx, vm->type, GMEM_FEATURE_MMAP, &mmap);
	vm->file_flags = mmap.cap_value > 0 ? (uint64_t)mmap.cap_value : 0;
	return 0;
}

/* In place comes first: there the VM's own ioctl may say yes and do nothing. */
static int init_attrs(struct gmem_vm *vm)
{
	enum gmi_mechanism mechanism = GMI_CONVERT_NONE;

	if (gmi_vm_has(vm, GMEM_FEATURE_CONVERT_INPLACE))
		mechanism = GMI_CONVERT_INPLACE;
	else if (gmi_vm_has(vm, GMEM_FEATURE_CONVERT_VM))
		mechanism = GMI_CONVERT_VM;
	if (gmi_attrs_init(&vm->attrs, &vm->ctx->allocator, mechanism))
		return gmi_error_memory();
	return 0;
}

/* No kernel object yet: @fd is -1. */
static struct gmem_vm *make(struct gmem_ctx *ctx, uint32_t vm_type, const struct gmem_vm_opts *opts)
{
	uint32_t count = opts->slot_count ? opts->slot_count : ctx->slots_max - opts->first_slot;
	struct gmem_vm *vm = gmi_zalloc(&ctx->allocator, sizeof(*vm));
	int ret = 0;

	if (!vm)
		return NULL;
	vm->ctx = gmi_ctx_get(ctx);
	vm->type = vm_type;
	vm->fd = -1;
	atomic_init(&vm->firmware_fd, -1);
	atomic_init(&vm->refs, 1);
	gmi_slot_index_init(&vm->slots);
	vm->bind_lock = gmi_bind_lock_create(&ctx->allocator);
	ret = vm->bind_lock ? 0 : -ENOMEM;
	for (int i = 0; i < GMI_ADDRESS_SPACES && !ret; i++)
		ret = gmi_slot_ids_init(&vm->ids[i], &ctx->allocator, ctx->slots_max,
					opts->first_slot, count);
	if (!ret)
		return vm;
	gmi_vm_put(vm);
	return NULL;
}

static int read_address_spaces(struct gmem_vm *vm)
{
	int count = gmi_kvm_check_extension(&vm->ctx->sys, vm->fd, GMI_KVM_CAP_MULTI_ADDRESS_SPACE);

	if (count < 0)
		return gmi_vm_error(count, "KVM_CHECK_EXTENSION", "the VM does not answer");
	vm->address_spaces = count > 1 ? GMI_ADDRESS_SPACES : 1;
	return 0;
}

static int create_fd(struct gmem_vm *vm)
{
	int fd = gmi_probe_create_vm(vm->ctx, vm->type);

	if (fd < 0)
		return gmi_error_call(fd, "KVM_CREATE_VM", "no VM of type %s could be made",
				      gmi_vm_type_name(vm->type));
	vm->fd = fd;
	return 0;
}

static int create(struct gmem_ctx *ctx, uint32_t vm_type, const struct gmem_vm_opts *in,
		  struct gmem_vm **ret_vm)
{
	struct gmem_vm_opts opts = {.sz = sizeof(opts)};
	struct gmem_vm *vm;
	int ret;

	ret = check_args(ctx, vm_type, in, &opts, ret_vm);
	if (!ret)
		ret = check_type(ctx, vm_type);
	if (ret)
		return ret;
	vm = make(ctx, vm_type, &opts);
	if (!vm)
		return gmi_error_memory();
	ret = read_features(vm);
	if (!ret)
		ret = init_attrs(vm);
	if (!ret)
		ret = create_fd(vm);
	if (!ret)
		ret = read_address_spaces(vm);
	if (ret)
		gmi_vm_put(vm);
	else
		*ret_vm = vm;
	return ret;
}

/* KVM_GET_API_VERSION is known to /dev/kvm and to no VM; KVM_CHECK_EXTENSION to both. */
static int check_is_vm(const struct gmem_ctx *ctx, int fd)
{
	int cap = gmi_kvm_check_extension(&ctx->sys, fd, GMI_KVM_CAP_USER_MEMORY);

	if (cap == -EIO)
		return gmi_vm_error(cap, "KVM_CHECK_EXTENSION", "descriptor %d", fd);
	if (cap <= 0 || gmi_kvm_get_api_version(&ctx->sys, fd) != -EOPNOTSUPP)
		return gmi_error_arg("vm_fd", "descriptor %d is no VM", fd);
	return 0;
}

static int wrap(struct gmem_ctx *ctx, int fd, uint32_t vm_type, const struct gmem_vm_opts *in,
		bool borrowed, struct gmem_vm **ret_vm)
{
	struct gmem_vm_opts opts = {.sz = sizeof(opts)};
	struct gmem_vm *vm;
	int ret;

	ret = check_args(ctx, vm_type, in, &opts, ret_vm);
	if (!ret && fd < 0)
		ret = gmi_error_arg("vm_fd", "%d is no descriptor", fd);
	if (!ret)
		ret = check_is_vm(ctx, fd);
	if (!ret)
		ret = check_type(ctx, vm_type);
	if (ret)
		return ret;
	vm = make(ctx, vm_type, &opts);
	if (!vm)
		return gmi_error_memory();
	vm->borrowed = true;
	vm->fd = fd;
	ret = read_features(vm);
	if (!ret)
		ret = init_attrs(vm);
	if (!ret)
		ret = read_address_spaces(vm);
	if (ret) {
		gmi_vm_put(vm);
		return ret;
	}
	vm->borrowed = borrowed;
	*ret_vm = vm;
	return 0;
}

GMEM_API int gmem_vm_create(struct gmem_ctx *ctx, uint32_t vm_type, const struct gmem_vm_opts *opts,
			    struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, create(ctx, vm_type, opts, ret_vm));
}

GMEM_API int gmem_vm_adopt(struct gmem_ctx *ctx, int vm_fd, uint32_t vm_type,
			   const struct gmem_vm_opts *opts, struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, wrap(ctx, vm_fd, vm_type, opts, false, ret_vm));
}

GMEM_API int gmem_vm_borrow(struct gmem_ctx *ctx, int vm_fd, uint32_t vm_type,
			    const struct gmem_vm_opts *opts, struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, wrap(ctx, vm_fd, vm_type, opts, true, ret_vm));
}

GMEM_API struct gmem_vm *gmem_vm_unref(struct gmem_vm *vm)
{
	if (vm)
		gmi_vm_put(vm);
	return NULL;
}

GMEM_API int gmem_vm_fd(const struct gmem_vm *vm)
{
	if (!vm)
		return gmi_result(__func__, gmi_error_arg("vm", "a NULL pointer"));
	return vm->fd;
}

static int get_info(struct gmem_vm *vm, struct gmem_vm_info *ret_info)
{
	struct gmem_vm_info info = {.sz = sizeof(info)};
	int ret;

	if (!vm)
		return gmi_error_arg("vm", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.vm_type = vm->type;
	info.flags = vm->borrowed ? GMEM_VM_BORROWED : 0;
	info.slots_max = vm->ctx->slots_max;
	info.address_spaces = vm->address_spaces;
	info.slots_used = vm->slot_count;
	info.bytes_bound = vm->bytes_bound;
	info.files = vm->file_count;
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_vm_get_info(struct gmem_vm *vm, struct gmem_vm_info *ret_info)
{
	return gmi_result(__func__, get_info(vm, ret_info));
}
