/* SPDX-License-Identifier: MIT */
/* What this kernel can do for a type of VM: the questions and the order they are asked in. */
#include "probe.h"

#include <errno.h>
#include <sys/mman.h>

#include "errinfo.h"
#include "kvm_call.h"
#include "probe_run.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

/* Asks the throwaway VM for @cap: the answers of several differ from those of /dev/kvm. */
static int ask_cap(struct gmi_probe_run *run, uint32_t cap)
{
	int vm_fd = gmi_probe_vm(run);

	return vm_fd < 0 ? vm_fd : gmi_kvm_check_extension(&run->ctx->sys, vm_fd, cap);
}

/* "yes" where @cap is announced. A number alone proves little on a kernel with foreign patches, so
 * a question goes on to try what was announced wherever trying is harmless. */
static struct gmi_answer ask_announced(struct gmi_probe_run *run, uint32_t cap, int mask,
				       const char *yes, const char *no)
{
	int value = ask_cap(run, cap);
	struct gmi_answer answer = value < 0      ? gmi_unknown(value, "the VM could not be asked")
				   : value & mask ? gmi_yes(yes)
						  : gmi_no(no);

	answer.cap = cap;
	answer.cap_value = value;
	return answer;
}

/*
 * The 1G series of May 2025 gives create flag 1 the opposite meaning of a merged kernel's. It
 * announces conversion with a number that is 0 on every merged x86 kernel.
 */
static int is_may_2025_tree(struct gmi_probe_run *run)
{
#if defined(__x86_64__)
	return ask_cap(run, GMI_RFC_HUGE2_CAP_GMEM_CONVERSION);
#else
	return 0;
#endif
}

static struct gmi_answer ask_guest_memfd(struct gmi_probe_run *run)
{
	struct gmi_answer answer =
		ask_announced(run, GMI_KVM_CAP_GUEST_MEMFD, ~0, "announced, and a file was made",
			      "KVM_CAP_GUEST_MEMFD is 0 for this type of VM");
	bool is_wanted = run->ctx->rfc & GMEM_RFC_HUGETLB_2025;
	int foreign = answer.state == 1 && !is_wanted ? is_may_2025_tree(run) : 0;
	int fd;

	if (answer.state != 1)
		return answer;
	if (foreign < 0)
		return gmi_unknown(foreign, "the VM could not be asked");
	if (foreign)
		return gmi_no(
			"this is the unmerged tree of May 2025, whose flags mean the opposite");
	fd = gmi_probe_gmem(run);
	if (fd == -EINVAL || fd == -EOPNOTSUPP)
		return gmi_no("announced, but a file of one page was refused");
	return fd < 0 ? gmi_unknown(fd, "no file of one page could be made") : answer;
}

/*
 * First with size 0, an error in every generation: only a kernel without the request, or with
 * in-place conversion switched off, says that it does not know it. Then the page that is private
 * already: success changes nothing and shows that this type of VM has private memory.
 */
static struct gmi_answer ask_convert_inplace(struct gmi_probe_run *run)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	struct gmi_answer answer;
	uint64_t obstacle;
	int fd, ret;

	if (!gmi_probe_needs(run, GMEM_FEATURE_GUEST_MEMFD, "there is no guest_memfd", &answer))
		return answer;
	fd = gmi_probe_gmem(run);
	if (fd < 0)
		return gmi_unknown(fd, "no file of one page could be made");
	ret = gmi_kvm_set_file_attributes(sys, fd, 0, 0, 0, &obstacle);
	if (ret == -EOPNOTSUPP)
		return gmi_no("files do not know the request (queued for 7.4), or KVM's parameter "
			      "gmem_in_place_conversion is off");
	if (ret == 0)
		return gmi_no("files take a request that is wrong in every known generation");
	if (ret != -EINVAL)
		return gmi_unknown(ret, "a file could not be asked");
	ret = gmi_kvm_set_file_attributes(sys, fd, 0, GMEM_PAGE_SIZE,
					  GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE, &obstacle);
	if (ret == -EINVAL)
		return gmi_no("this type of VM has no private memory");
	if (ret < 0)
		return gmi_unknown(ret, "a private page could not be set private");
	answer = ask_announced(run, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES,
			       GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE, "announced and tried", "");
	if (answer.state != 0)
		return answer;
	answer.state = 1;
	answer.reason =
		"tried; not announced under the queued number: a kernel from before the merge";
	return answer;
}

/*
 * Never where in-place conversion works: the request on the VM may then answer 0 to "make shared"
 * and do nothing.
 */
static struct gmi_answer ask_convert_vm(struct gmi_probe_run *run)
{
	struct gmi_answer *inplace = &run->answers[GMEM_FEATURE_CONVERT_INPLACE];

	if (!inplace->known)
		return gmi_unknown(inplace->state, inplace->reason);
	if (inplace->state)
		return gmi_no("in-place conversion replaces it on this kernel");
	return ask_announced(run, GMI_KVM_CAP_MEMORY_ATTRIBUTES,
			     (int)GMI_KVM_MEMORY_ATTRIBUTE_PRIVATE, "announced",
			     "KVM_CAP_MEMORY_ATTRIBUTES lacks the private bit for this type of VM");
}

static struct gmi_answer ask_private(struct gmi_probe_run *run)
{
	struct gmi_answer answer;

	if (gmi_probe_needs(run, GMEM_FEATURE_CONVERT_INPLACE, "", &answer))
		return gmi_yes("the state is kept in the file");
	if (answer.known &&
	    gmi_probe_needs(run, GMEM_FEATURE_CONVERT_VM,
			    "nothing on this kernel makes memory of this type private", &answer))
		return gmi_yes("the state is kept in the VM");
	return answer;
}

static struct gmi_answer ask_mmap(struct gmi_probe_run *run)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	struct gmi_answer answer;
	void *addr;
	int ret;

	if (!gmi_probe_needs(run, GMEM_FEATURE_GUEST_MEMFD, "there is no guest_memfd", &answer))
		return answer;
	answer = ask_announced(run, GMI_KVM_CAP_GUEST_MEMFD_FLAGS, (int)GMI_GUEST_MEMFD_FLAG_MMAP,
			       "announced, and a file was mapped",
			       "KVM_CAP_GUEST_MEMFD_FLAGS lacks the flag (6.18)");
	if (answer.state != 1)
		return answer;
	ret = gmi_probe_mmap_gmem(run);
	if (ret == -EINVAL)
		return gmi_no("announced, but refused");
	if (ret < 0)
		return gmi_unknown(ret, "no mappable file of one page could be made");
	ret = gmi_sys_mmap(sys, NULL, GMEM_PAGE_SIZE, PROT_NONE, MAP_SHARED, run->mmap_fd, 0,
			   &addr);
	if (ret == -ENODEV || ret == -EINVAL)
		return gmi_no("announced, but a file made with the flag cannot be mapped");
	if (ret < 0)
		return gmi_unknown(ret, "a file of one page could not be mapped");
	gmi_ctx_munmap(run->ctx, addr, GMEM_PAGE_SIZE);
	return answer;
}

static struct gmi_answer ask_init_shared(struct gmi_probe_run *run)
{
	struct gmi_answer answer;
	int fd;

	if (!gmi_probe_needs(run, GMEM_FEATURE_MMAP, "files cannot be mapped", &answer))
		return answer;
	answer = ask_announced(run, GMI_KVM_CAP_GUEST_MEMFD_FLAGS,
			       (int)GMI_GUEST_MEMFD_FLAG_INIT_SHARED,
			       "announced, and a file was made",
			       "KVM_CAP_GUEST_MEMFD_FLAGS lacks the flag for this type of VM");
	if (answer.state != 1)
		return answer;
	fd = gmi_probe_create_gmem(run->ctx, run->vm_fd,
				   GMI_GUEST_MEMFD_FLAG_MMAP | GMI_GUEST_MEMFD_FLAG_INIT_SHARED);
	if (fd == -EINVAL)
		return gmi_no("announced, but refused");
	if (fd < 0)
		return gmi_unknown(fd, "no shared file of one page could be made");
	gmi_ctx_close(run->ctx, fd);
	return answer;
}

static struct gmi_answer ask_memory_fault(struct gmi_probe_run *run)
{
	return ask_announced(
		run, GMI_KVM_CAP_MEMORY_FAULT_INFO, ~0, "announced",
		"KVM_CAP_MEMORY_FAULT_INFO is 0 (6.8; arm64 exits but does not say so)");
}

static struct gmi_answer ask_map_gpa_range(struct gmi_probe_run *run)
{
	return ask_announced(run, GMI_KVM_CAP_EXIT_HYPERCALL, 1 << GMI_KVM_HC_MAP_GPA_RANGE,
			     "announced", "KVM_CAP_EXIT_HYPERCALL lacks the hypercall (5.14)");
}

static bool is_passing(int error)
{
	return error == -EINTR || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* With size 0, on a vCPU: on a VM the same number means something else. */
static struct gmi_answer try_pre_fault(struct gmi_probe_run *run, struct gmi_answer announced)
{
	const struct gmi_sys *sys = &run->ctx->sys;
	int vcpu_fd = gmi_kvm_create_vcpu(sys, run->vm_fd, 0);
	uint64_t gpa = 0, size = 0;
	int ret;

	if (is_passing(vcpu_fd))
		return gmi_unknown(vcpu_fd, "no vCPU could be made");
	if (vcpu_fd < 0) {
		announced.reason =
			"announced; not tried, for this type of VM gives no vCPU so early";
		return announced;
	}
	ret = gmi_kvm_pre_fault(sys, vcpu_fd, &gpa, &size);
	gmi_ctx_close(run->ctx, vcpu_fd);
	if (ret == -EOPNOTSUPP)
		return gmi_no("announced, but a vCPU does not know the request");
	return ret == -EINVAL ? announced : gmi_unknown(ret, "a vCPU could not be asked");
}

static struct gmi_answer ask_pre_fault(struct gmi_probe_run *run)
{
	struct gmi_answer answer = ask_announced(
		run, GMI_KVM_CAP_PRE_FAULT_MEMORY, 1, "announced, and a vCPU knows the request",
		"KVM_CAP_PRE_FAULT_MEMORY is 0: older than 6.11, or "
		"no two-dimensional paging");

	return answer.state == 1 ? try_pre_fault(run, answer) : answer;
}

/* Where pages can turn private in place, the second VM would lose them then: EFAULT. */
static struct gmi_answer ask_hva_view(struct gmi_probe_run *run)
{
	struct gmi_answer answer;

	if (!gmi_probe_needs(run, GMEM_FEATURE_INIT_SHARED,
			     "files of this type of VM have no memory that the host may map",
			     &answer))
		return answer;
	if (gmi_probe_needs(run, GMEM_FEATURE_PRIVATE, "", &answer))
		return gmi_no(
			"pages of this type of VM can turn private, out of a mapping's reach");
	return answer.known ? gmi_yes("a mapping of a shared file is host memory, which any VM can "
				      "bind")
			    : answer;
}

static bool is_sev(uint32_t vm_type)
{
	return vm_type == GMEM_VM_SEV || vm_type == GMEM_VM_SEV_ES;
}

/* Both numbers are announced by every x86 kernel, also where nothing can be moved or mirrored. */
static struct gmi_answer ask_move_context(struct gmi_probe_run *run)
{
	if (is_sev(run->vm_type) || run->answers[GMEM_FEATURE_LINK].state == 1)
		return ask_announced(run, GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, ~0, "announced",
				     "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM is 0");
	return gmi_no("up to 7.3 KVM moves the context of SEV and SEV-ES guests only");
}

static struct gmi_answer ask_mirror(struct gmi_probe_run *run)
{
	if (is_sev(run->vm_type))
		return ask_announced(run, GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, ~0, "announced",
				     "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM is 0");
	return gmi_no("KVM mirrors SEV and SEV-ES guests only");
}

static struct gmi_answer ask_readonly(struct gmi_probe_run *run)
{
	return ask_announced(run, GMI_KVM_CAP_READONLY_MEM, ~0, "announced",
			     "KVM_CAP_READONLY_MEM is 0 for this type of VM");
}

/* In the order they must be asked: a question may look at the answers above it. */
static const struct question {
	uint32_t feature;
	struct gmi_answer (*ask)(struct gmi_probe_run *run);
} questions[] = {
	{GMEM_FEATURE_GUEST_MEMFD, ask_guest_memfd},
	{GMEM_FEATURE_CONVERT_INPLACE, ask_convert_inplace},
	{GMEM_FEATURE_CONVERT_VM, ask_convert_vm},
	{GMEM_FEATURE_PRIVATE, ask_private},
	{GMEM_FEATURE_MMAP, ask_mmap},
	{GMEM_FEATURE_INIT_SHARED, ask_init_shared},
	{GMEM_FEATURE_NUMA, gmi_probe_numa},
	{GMEM_FEATURE_MEMORY_FAULT, ask_memory_fault},
	{GMEM_FEATURE_MAP_GPA_RANGE, ask_map_gpa_range},
	{GMEM_FEATURE_LINK, gmi_probe_link},
	{GMEM_FEATURE_HVA_VIEW, ask_hva_view},
	{GMEM_FEATURE_MOVE_CONTEXT, ask_move_context},
	{GMEM_FEATURE_MIRROR, ask_mirror},
	{GMEM_FEATURE_READONLY, ask_readonly},
	{GMEM_FEATURE_HUGETLB, gmi_probe_huge},
	{GMEM_FEATURE_PRE_FAULT, ask_pre_fault},
};

_Static_assert(sizeof(questions) / sizeof(questions[0]) == GMEM_FEATURE_COUNT,
	       "each feature has its question");

static struct gmi_answer ask(struct gmi_probe_run *run, int has_type,
			     const struct question *question)
{
	if (has_type < 0)
		return gmi_unknown(has_type, "KVM could not be asked for its types of VM");
	if (!has_type)
		return gmi_no("this kernel does not make VMs of this type");
	return question->ask(run);
}

static void ask_all(struct gmi_probe_run *run)
{
	int has_type = gmi_probe_vm_type(run->ctx, run->vm_type);

	for (size_t i = 0; i < GMEM_FEATURE_COUNT; i++) {
		uint32_t feature = questions[i].feature;
		struct gmi_answer *answer = &run->answers[feature];

		if (answer->known)
			continue;
		*answer = ask(run, has_type, &questions[i]);
		gmi_log(run->ctx, "probe %s: %s %s: %s", gmi_vm_type_name(run->vm_type),
			gmi_feature_name(feature), gmi_answer_word(answer), answer->reason);
	}
}

static void close_made(const struct gmem_ctx *ctx, int fd)
{
	if (fd >= 0)
		gmi_ctx_close(ctx, fd);
}

void gmi_probe(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature,
	       struct gmi_answer *ret_answer)
{
	struct gmi_probe_run run = {
		.ctx = ctx,
		.vm_type = vm_type,
		.answers = ctx->answers[vm_type],
		.vm_fd = -1,
		.gmem_fd = -1,
		.mmap_fd = -1,
	};

	pthread_mutex_lock(&ctx->probe_lock);
	if (!run.answers[feature].known)
		ask_all(&run);
	*ret_answer = run.answers[feature];
	pthread_mutex_unlock(&ctx->probe_lock);
	close_made(ctx, run.mmap_fd);
	close_made(ctx, run.gmem_fd);
	close_made(ctx, run.vm_fd);
}
