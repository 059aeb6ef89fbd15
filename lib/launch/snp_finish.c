/* SPDX-License-Identifier: MIT */
/* The end of an SNP launch, which cannot be repeated: everything is checked before. */
#include <errno.h>
#include <string.h>

#include "errinfo.h"
#include "opts.h"
#include "snp_guest.h"

#define FLAGS (GMEM_SNP_ID_AUTHOR | GMEM_SNP_NO_VCEK)

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int check_block(const struct gmem_snp *snp, const struct gmem_snp_finish_opts *opts)
{
	struct gmi_snp_id_block block;

	memcpy(&block, opts->id_block, sizeof(block));
	if (block.version != GMI_SNP_ID_BLOCK_VERSION)
		return gmi_error_arg("id_block", "the ID block's version is %u, not 1",
				     block.version);
	if (block.policy != snp->opts.policy)
		return gmi_error_arg(
			"id_block", "the ID block is for policy %#llx, the launch has %#llx",
			(unsigned long long)block.policy, (unsigned long long)snp->opts.policy);
	if (opts->digest && memcmp(block.launch_digest, opts->digest, sizeof(block.launch_digest)))
		return gmi_error_arg("id_block", "the ID block is for another launch digest");
	return 0;
}

static int check_key(const char *name, uint32_t algorithm, const struct gmi_snp_public_key *key,
		     const struct gmi_snp_signature *signature)
{
	if (algorithm != GMI_SNP_KEY_ALGORITHM_ECDSA_P384_SHA384)
		return gmi_error_arg("id_auth",
				     "the %s key's algorithm is %u, not 1 (ECDSA P-384 with "
				     "SHA-384)",
				     name, algorithm);
	if (key->curve != GMI_SNP_CURVE_P384)
		return gmi_error_arg("id_auth", "the %s key's curve is %u, not 2 (P-384)", name,
				     key->curve);
	if (is_zero(key->qx, sizeof(key->qx)) && is_zero(key->qy, sizeof(key->qy)))
		return gmi_error_arg("id_auth", "there is no %s key", name);
	if (is_zero(signature->r, sizeof(signature->r)) ||
	    is_zero(signature->s, sizeof(signature->s)))
		return gmi_error_arg("id_auth", "there is no signature by the %s key", name);
	return 0;
}

static int check_auth(const struct gmem_snp_finish_opts *opts)
{
	struct gmi_snp_id_auth auth;
	int ret;

	memcpy(&auth, opts->id_auth, sizeof(auth));
	ret = check_key("ID", auth.id_key_algorithm, &auth.id_key, &auth.id_block_signature);
	if (!ret && opts->flags & GMEM_SNP_ID_AUTHOR)
		ret = check_key("author", auth.author_key_algorithm, &auth.author_key,
				&auth.id_key_signature);
	return ret;
}

static int check_id(const struct gmem_snp *snp, const struct gmem_snp_finish_opts *opts)
{
	int ret;

	if (!opts->id_block != !opts->id_auth)
		return gmi_error_arg(opts->id_block ? "id_auth" : "id_block",
				     "an ID block and its authentication go together");
	if (!opts->id_block && opts->flags & GMEM_SNP_ID_AUTHOR)
		return gmi_error_arg("flags", "an author key without an ID block");
	if (!opts->id_block)
		return 0;
	ret = check_block(snp, opts);
	return ret ? ret : check_auth(opts);
}

static int check(const struct gmem_snp *snp, const struct gmem_snp_finish_opts *opts)
{
	if (opts->flags & ~FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~FLAGS);
	if (snp->is_broken_off && !snp->pending)
		return gmi_error_arg("snp", "the last steps are not in: gmem_snp_update() failed");
	if (snp->pending)
		return gmi_error_arg("snp", "%#llx bytes of the steps are not in yet",
				     (unsigned long long)snp->pending);
	if (!snp->bytes && !(snp->opts.flags & GMEM_SNP_SKIP_START))
		return gmi_error_arg("snp", "nothing is in the guest yet: the next step is "
					    "gmem_snp_update()");
	if (snp->vmsas && snp->vmsas != opts->vcpus)
		return gmi_error_arg(
			"vcpus",
			"the steps have VMSAs of %u vCPUs, the guest has %u: the digest "
			"would be another",
			snp->vmsas, opts->vcpus);
	return check_id(snp, opts);
}

/* KVM looks the number up again, once the vCPUs are encrypted (sev.c, snp_launch_finish()). */
static int check_firmware(const struct gmem_snp *snp)
{
	struct gmem_sys_stat stat;
	int ret = gmi_sys_fstat(&snp->vm->ctx->sys, snp->sev_fd, &stat);

	return ret ? gmi_error_call(ret, "fstat", "/dev/sev is not open any more as descriptor %d",
				    snp->sev_fd)
		   : 0;
}

static void write_command(const struct gmem_snp_finish_opts *opts,
			  struct gmi_kvm_sev_snp_launch_finish *finish)
{
	finish->id_block_uaddr = (uintptr_t)opts->id_block;
	finish->id_auth_uaddr = (uintptr_t)opts->id_auth;
	finish->id_block_en = opts->id_block != NULL;
	finish->auth_key_en = opts->flags & GMEM_SNP_ID_AUTHOR ? 1 : 0;
	finish->vcek_disabled = opts->flags & GMEM_SNP_NO_VCEK ? 1 : 0;
	memcpy(finish->host_data, opts->host_data, sizeof(finish->host_data));
}

static const char *why_not(int error)
{
	switch (error) {
	case -EINVAL:
		return "a vCPU is encrypted already, or is being debugged";
	case -EBADF:
		return "/dev/sev is not open under its number any more";
	default:
		return "the launch does not end";
	}
}

static int finish(struct gmem_snp *snp, const struct gmem_snp_finish_opts *in)
{
	struct gmi_kvm_sev_snp_launch_finish command = {0};
	struct gmem_snp_finish_opts opts = {.sz = sizeof(opts)};
	struct gmi_sev_answer answer;
	int ret = gmi_snp_check_state(snp, GMEM_SNP_STARTED, "gmem_snp_finish()");

	if (!ret)
		ret = gmi_opts_get(&opts, sizeof(opts), in);
	if (!ret)
		ret = check(snp, &opts);
	if (!ret)
		ret = check_firmware(snp);
	if (ret)
		return ret;
	write_command(&opts, &command);
	ret = gmi_kvm_snp_finish(&snp->vm->ctx->sys, snp->vm->fd, snp->sev_fd, &command, &answer);
	snp->state = ret ? GMEM_SNP_FAILED : GMEM_SNP_FINISHED;
	return ret ? gmi_snp_error(ret, "KVM_SEV_SNP_LAUNCH_FINISH", &answer, "%s", why_not(ret))
		   : 0;
}

GMEM_API int gmem_snp_finish(struct gmem_snp *snp, const struct gmem_snp_finish_opts *opts)
{
	return gmi_result(__func__, finish(snp, opts));
}
