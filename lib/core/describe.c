/* SPDX-License-Identifier: MIT */
/* Answers of the probe in words, and the mechanism chosen for each job. */
#include <stdio.h>
#include <string.h>

#include "errinfo.h"
#include "opts.h"
#include "probe.h"

static const struct {
	const char *name;
	const char *mechanism;
} features[GMEM_FEATURE_COUNT] = {
	[GMEM_FEATURE_GUEST_MEMFD] = {"guest-memfd", "KVM_CREATE_GUEST_MEMFD"},
	[GMEM_FEATURE_MMAP] = {"mmap", "GUEST_MEMFD_FLAG_MMAP"},
	[GMEM_FEATURE_INIT_SHARED] = {"init-shared", "GUEST_MEMFD_FLAG_INIT_SHARED"},
	[GMEM_FEATURE_PRIVATE] = {"private", "memory that only the guest reaches"},
	[GMEM_FEATURE_CONVERT_VM] = {"convert-vm", "KVM_SET_MEMORY_ATTRIBUTES on the VM"},
	[GMEM_FEATURE_CONVERT_INPLACE] = {"convert-inplace",
					  "KVM_SET_MEMORY_ATTRIBUTES2 on the file"},
	[GMEM_FEATURE_MEMORY_FAULT] = {"memory-fault", "KVM_EXIT_MEMORY_FAULT"},
	[GMEM_FEATURE_MAP_GPA_RANGE] = {"map-gpa-range", "KVM_EXIT_HYPERCALL"},
	[GMEM_FEATURE_PRE_FAULT] = {"pre-fault", "KVM_PRE_FAULT_MEMORY on a vCPU"},
	[GMEM_FEATURE_NUMA] = {"numa", "mbind() on a mapping of the file"},
	[GMEM_FEATURE_LINK] = {"link", "KVM_LINK_GUEST_MEMFD, RFC v2 of 2025"},
	[GMEM_FEATURE_HVA_VIEW] = {"hva-view", "a memslot on a mapping of the file"},
	[GMEM_FEATURE_MOVE_CONTEXT] = {"move-context", "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM"},
	[GMEM_FEATURE_MIRROR] = {"mirror", "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM"},
	[GMEM_FEATURE_READONLY] = {"readonly", "KVM_MEM_READONLY"},
	[GMEM_FEATURE_HUGETLB] = {"hugetlb", "huge pages of KVM_CREATE_GUEST_MEMFD"},
};

static const char *const vm_type_names[GMEM_VM_TYPE_COUNT] = {
	[GMEM_VM_DEFAULT] = "default", [GMEM_VM_SW_PROTECTED] = "sw-protected",
	[GMEM_VM_SEV] = "sev",         [GMEM_VM_SEV_ES] = "sev-es",
	[GMEM_VM_SNP] = "snp",         [GMEM_VM_TDX] = "tdx",
};

const char *gmi_feature_name(uint32_t feature)
{
	return features[feature].name;
}

const char *gmi_feature_mechanism(uint32_t feature)
{
	return features[feature].mechanism;
}

const char *gmi_vm_type_name(uint32_t vm_type)
{
	return vm_type_names[vm_type];
}

const char *gmi_answer_word(const struct gmi_answer *answer)
{
	if (!answer->known)
		return gmi_error_name(answer->state);
	return answer->state ? "yes" : "no";
}

int gmi_check_vm_type(const struct gmem_ctx *ctx, uint32_t vm_type)
{
	if (!ctx)
		return gmi_error_arg("ctx", "a NULL pointer");
	if (vm_type >= GMEM_VM_TYPE_COUNT)
		return gmi_error_arg("vm_type", "type %u of VM is unknown to this library",
				     vm_type);
	return 0;
}

static int check_question(const struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature)
{
	int ret = gmi_check_vm_type(ctx, vm_type);

	if (!ret && feature >= GMEM_FEATURE_COUNT)
		return gmi_error_arg("feature", "feature %u is unknown to this library", feature);
	return ret;
}

static int has_vm_type(struct gmem_ctx *ctx, uint32_t vm_type)
{
	int ret = gmi_check_vm_type(ctx, vm_type);

	if (ret)
		return ret;
	ret = gmi_probe_vm_type(ctx, vm_type);
	if (ret < 0)
		return gmi_error_call(ret, "KVM_CHECK_EXTENSION",
				      "KVM could not be asked for its types of VM");
	return ret;
}

GMEM_API int gmem_has_vm_type(struct gmem_ctx *ctx, uint32_t vm_type)
{
	return gmi_result(__func__, has_vm_type(ctx, vm_type));
}

int gmi_has_feature(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature)
{
	struct gmi_answer answer;

	gmi_probe(ctx, vm_type, feature, &answer);
	if (answer.known)
		return answer.state;
	return gmi_error(answer.state, "whether the kernel has %s is unknown: %s (%s)",
			 features[feature].name, answer.reason, gmi_error_name(answer.state));
}

GMEM_API int gmem_has_feature(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature)
{
	int ret = check_question(ctx, vm_type, feature);

	return gmi_result(__func__, ret ? ret : gmi_has_feature(ctx, vm_type, feature));
}

static void put_answer(struct gmem_feature_info *info, const struct gmi_answer *answer)
{
	info->state = answer->state;
	info->cap = answer->cap;
	info->cap_value = answer->cap_value;
	if (answer->known)
		snprintf(info->reason, sizeof(info->reason), "%s", answer->reason);
	else
		snprintf(info->reason, sizeof(info->reason), "%s (%s)", answer->reason,
			 gmi_error_name(answer->state));
}

static int describe(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature,
		    struct gmem_feature_info *ret_info)
{
	struct gmem_feature_info info = {.sz = sizeof(info)};
	struct gmi_answer answer;
	int ret = check_question(ctx, vm_type, feature);

	if (!ret)
		ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	gmi_probe(ctx, vm_type, feature, &answer);
	info.name = features[feature].name;
	info.mechanism = features[feature].mechanism;
	put_answer(&info, &answer);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_ctx_describe(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t feature,
			       struct gmem_feature_info *ret_info)
{
	return gmi_result(__func__, describe(ctx, vm_type, feature, ret_info));
}
