/* SPDX-License-Identifier: MIT */
/* The launch of an SNP guest: its order, from a VM to a guest that takes pages. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <libgmem/exit.h>

#include "alloc.h"
#include "errinfo.h"
#include "opts.h"
#include "probe.h"
#include "snp_guest.h"
#include "uapi_kvm.h"

#define FLAGS (GMEM_SNP_SEV_FD | GMEM_SNP_REQ_CERTS | GMEM_SNP_SKIP_INIT | GMEM_SNP_SKIP_START)

int gmi_snp_error(int error, const char *call, const struct gmi_sev_answer *answer,
		  const char *message, ...)
{
	char text[160];
	va_list args;

	va_start(args, message);
	vsnprintf(text, sizeof(text), message, args);
	va_end(args);
	if (error == -EIO && !answer->is_written)
		return gmi_error_call(-ESTALE, call, "%s: the VM is dead or of another process",
				      text);
	if (!answer->fw_error)
		return gmi_error_call(error, call, "%s", text);
	gmi_error_call(error, call, "%s: firmware code %#x, %s", text, answer->fw_error,
		       gmem_snp_fw_text(answer->fw_error));
	return gmi_at_fw(answer->fw_error);
}

static int check_policy(const struct gmem_snp_opts *opts, const struct gmi_snp_masks *masks)
{
	uint64_t unknown = opts->policy & ~masks->policy_bits;

	if (!(opts->policy & GMI_SNP_POLICY_RESERVED_ONE))
		return gmi_error_arg("policy", "%#llx lacks bit 17, which every policy has",
				     (unsigned long long)opts->policy);
	if (unknown)
		return gmi_error_arg("policy", "this kernel does not take bits %#llx of %#llx%s",
				     (unsigned long long)unknown, (unsigned long long)opts->policy,
				     masks->tells_policy ? ""
							 : "; it does not tell which it takes, "
							   "those of 6.11 are assumed");
	return 0;
}

static int check_masks(const struct gmem_snp_opts *opts, const struct gmi_snp_masks *masks)
{
	uint64_t unknown = opts->features & ~masks->features;

	if (unknown && !(opts->flags & GMEM_SNP_SKIP_INIT))
		return gmi_error_arg("features",
				     "KVM does not take SEV_FEATURES %#llx, of %#llx: it takes "
				     "%#llx",
				     (unsigned long long)unknown,
				     (unsigned long long)opts->features,
				     (unsigned long long)masks->features);
	if (opts->flags & GMEM_SNP_REQ_CERTS && !masks->has_certs)
		return gmi_error(-EOPNOTSUPP,
				 "KVM cannot pass on that a guest asks for certificates (7.0)");
	return check_policy(opts, masks);
}

static int check_opts(const struct gmem_vm *vm, const struct gmem_snp_opts *opts)
{
	if (vm->type != GMEM_VM_SNP)
		return gmi_error_arg("vm", "the VM is of type %s, not snp",
				     gmi_vm_type_name(vm->type));
	if (opts->flags & ~FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~FLAGS);
	if (opts->flags & GMEM_SNP_SKIP_START && !(opts->flags & GMEM_SNP_SKIP_INIT))
		return gmi_error_arg("flags", "KVM_SEV_INIT2 comes before LAUNCH_START");
	if (opts->flags & GMEM_SNP_SKIP_INIT && opts->flags & GMEM_SNP_REQ_CERTS)
		return gmi_error_arg("flags", "certificates are asked for with KVM_SEV_INIT2");
	if (opts->flags & GMEM_SNP_SEV_FD && opts->sev_fd < 0)
		return gmi_error_arg("sev_fd", "%d is no descriptor", opts->sev_fd);
	return 0;
}

static int choose_firmware(struct gmem_snp *snp)
{
	int fd;

	if (snp->opts.flags & GMEM_SNP_SEV_FD) {
		snp->sev_fd = snp->opts.sev_fd;
		return 0;
	}
	snp->sev_fd = gmi_vm_firmware(snp->vm);
	if (snp->sev_fd >= 0)
		return 0;
	fd = gmi_snp_open_firmware(snp->vm->ctx);
	if (fd < 0)
		return fd;
	snp->sev_fd = gmi_vm_keep_firmware(snp->vm, fd);
	return 0;
}

static enum gmem_snp_state first_state(uint32_t flags)
{
	if (flags & GMEM_SNP_SKIP_START)
		return GMEM_SNP_STARTED;
	return flags & GMEM_SNP_SKIP_INIT ? GMEM_SNP_INITIALIZED : GMEM_SNP_NEW;
}

static int make(struct gmem_vm *vm, const struct gmem_snp_opts *opts, struct gmem_snp **ret_snp)
{
	struct gmem_snp *snp = gmi_zalloc(&vm->ctx->allocator, sizeof(*snp));
	int ret;

	if (!snp)
		return gmi_error_memory();
	snp->vm = gmi_vm_get(vm);
	snp->opts = *opts;
	snp->opts.features |= GMI_SEV_FEATURE_SNP_ACTIVE;
	snp->state = first_state(opts->flags);
	ret = choose_firmware(snp);
	if (ret)
		gmem_snp_unref(snp);
	else
		*ret_snp = snp;
	return ret;
}

static int create(struct gmem_vm *vm, const struct gmem_snp_opts *in, struct gmem_snp **ret_snp)
{
	struct gmem_snp_opts opts = {.sz = sizeof(opts)};
	struct gmi_snp_masks masks;
	int ret;

	if (!vm || !ret_snp)
		return gmi_error_arg(vm ? "ret_snp" : "vm", "a NULL pointer");
	ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check_opts(vm, &opts);
	if (!ret)
		ret = gmi_snp_read_masks(vm->ctx, &masks);
	if (ret)
		return ret;
	if (!opts.policy)
		opts.policy = GMEM_SNP_POLICY_DEFAULT;
	opts.features &= ~GMI_SEV_FEATURE_SNP_ACTIVE;
	ret = check_masks(&opts, &masks);
	return ret ? ret : make(vm, &opts, ret_snp);
}

GMEM_API int gmem_snp_create(struct gmem_vm *vm, const struct gmem_snp_opts *opts,
			     struct gmem_snp **ret_snp)
{
	return gmi_result(__func__, create(vm, opts, ret_snp));
}

GMEM_API struct gmem_snp *gmem_snp_unref(struct gmem_snp *snp)
{
	struct gmem_vm *vm;

	if (!snp)
		return NULL;
	vm = snp->vm;
	gmi_rangemap_clear(&snp->pages, &vm->ctx->allocator);
	gmi_free(&vm->ctx->allocator, snp);
	gmi_vm_put(vm);
	return NULL;
}

static const char *state_text(enum gmem_snp_state state)
{
	static const char *const texts[] = {
		[GMEM_SNP_NEW] = "the next step is gmem_snp_init()",
		[GMEM_SNP_INITIALIZED] = "the next step is gmem_snp_start()",
		[GMEM_SNP_STARTED] = "the launch is under way",
		[GMEM_SNP_FINISHED] = "the launch has ended",
		[GMEM_SNP_FAILED] = "the launch has failed: the VM has to be made anew",
	};

	return texts[state];
}

int gmi_snp_check_state(const struct gmem_snp *snp, enum gmem_snp_state state, const char *call)
{
	if (!snp)
		return gmi_error_arg("snp", "a NULL pointer");
	if (snp->state == state)
		return 0;
	return gmi_error_arg("snp", "it is not the turn of %s: %s", call, state_text(snp->state));
}

static const char *why_no_guest(int error)
{
	switch (error) {
	case -EINVAL:
		return "a vCPU exists already, or the VM took another's context";
	case -EPERM:
		return "the VM is an SNP guest already";
	case -ENOTTY:
		return "SEV is off in KVM, or no ASIDs are set aside for SNP guests";
	case -EBUSY:
		return "all ASIDs are in use, or the control group's are";
	default:
		return "KVM makes no SNP guest of the VM";
	}
}

static int enable_certs(struct gmem_snp *snp)
{
	struct gmi_sev_answer answer;
	int ret;

	if (!(snp->opts.flags & GMEM_SNP_REQ_CERTS))
		return 0;
	ret = gmi_kvm_snp_enable_certs(&snp->vm->ctx->sys, snp->vm->fd, snp->sev_fd, &answer);
	return ret ? gmi_snp_error(ret, "KVM_SEV_SNP_ENABLE_REQ_CERTS", &answer,
				   "questions for certificates cannot be passed on")
		   : 0;
}

static int init2(struct gmem_snp *snp)
{
	uint64_t features = snp->opts.features & ~GMI_SEV_FEATURE_SNP_ACTIVE;
	struct gmi_sev_answer answer;
	int ret =
		gmi_kvm_sev_init2(&snp->vm->ctx->sys, snp->vm->fd, snp->sev_fd, features, &answer);

	if (ret)
		gmi_snp_error(ret == -ENOTTY ? -EOPNOTSUPP : ret, "KVM_SEV_INIT2", &answer, "%s",
			      why_no_guest(ret));
	return ret ? gmem_errinfo()->error : 0;
}

/* A guest that was made stays one; where what follows fails, it is taken up there again. */
static int init(struct gmem_snp *snp)
{
	int ret = gmi_snp_check_state(snp, GMEM_SNP_NEW, "gmem_snp_init()");

	if (!ret && !snp->is_guest)
		ret = gmi_error_inherit(gmem_exit_enable(snp->vm));
	if (!ret && !snp->is_guest)
		ret = init2(snp);
	if (ret)
		return ret;
	snp->is_guest = true;
	ret = enable_certs(snp);
	if (!ret)
		snp->state = GMEM_SNP_INITIALIZED;
	return ret;
}

GMEM_API int gmem_snp_init(struct gmem_snp *snp)
{
	return gmi_result(__func__, init(snp));
}

/* KVM answers ENOTTY where it could make no context, for whatever reason (sev.c, snp_launch_start()). */
static int start(struct gmem_snp *snp)
{
	struct gmi_sev_answer answer;
	int ret = gmi_snp_check_state(snp, GMEM_SNP_INITIALIZED, "gmem_snp_start()");

	if (ret)
		return ret;
	ret = gmi_kvm_snp_start(&snp->vm->ctx->sys, snp->vm->fd, snp->sev_fd, snp->opts.policy,
				snp->opts.gosvw, &answer);
	if (ret == -ENOTTY && !answer.fw_error)
		return gmi_error_call(
			-EIO, "KVM_SEV_SNP_LAUNCH_START",
			"no context for the guest: descriptor %d is not /dev/sev, the "
			"firmware does not answer, or no memory",
			snp->sev_fd);
	if (ret)
		return gmi_snp_error(ret == -ENOTTY ? -EIO : ret, "KVM_SEV_SNP_LAUNCH_START",
				     &answer, "the launch with policy %#llx does not start",
				     (unsigned long long)snp->opts.policy);
	snp->state = GMEM_SNP_STARTED;
	return 0;
}

GMEM_API int gmem_snp_start(struct gmem_snp *snp)
{
	return gmi_result(__func__, start(snp));
}

static int get_info(const struct gmem_snp *snp, struct gmem_snp_info *ret_info)
{
	struct gmem_snp_info info = {.sz = sizeof(info)};
	int ret;

	if (!snp)
		return gmi_error_arg("snp", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.state = snp->state;
	info.vmsas = snp->vmsas;
	info.features = snp->opts.features;
	info.policy = snp->opts.policy;
	info.bytes = snp->bytes;
	info.calls = snp->calls;
	info.retries = snp->retries;
	info.corrections = snp->corrections;
	info.sev_fd = snp->sev_fd;
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_snp_get_info(const struct gmem_snp *snp, struct gmem_snp_info *ret_info)
{
	return gmi_result(__func__, get_info(snp, ret_info));
}
