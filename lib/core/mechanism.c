/* SPDX-License-Identifier: MIT */
/* The mechanism chosen for each job, and why that one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errinfo.h"
#include "opts.h"
#include "probe.h"

#define POOL_1G "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"

/* A mechanism that a feature gives; the first that is there is taken. */
struct choice {
	uint32_t feature;
	const char *mechanism;
};

static void put(struct gmem_feature_info *info, int state, const char *mechanism,
		const char *reason)
{
	info->state = state;
	info->mechanism = mechanism;
	snprintf(info->reason, sizeof(info->reason), "%s", reason);
}

static void put_unknown(struct gmem_feature_info *info, const struct gmi_answer *answer)
{
	info->state = answer->state;
	info->mechanism = "unknown";
	snprintf(info->reason, sizeof(info->reason), "%s (%s)", answer->reason,
		 gmi_error_name(answer->state));
}

/* Where none is there, the reason is the last one's. */
static void choose(struct gmem_ctx *ctx, uint32_t vm_type, const struct choice *choices,
		   size_t count, struct gmem_feature_info *info)
{
	struct gmi_answer answer = {0};

	for (size_t i = 0; i < count; i++) {
		gmi_probe(ctx, vm_type, choices[i].feature, &answer);
		info->cap = answer.cap;
		info->cap_value = answer.cap_value;
		if (!answer.known)
			return put_unknown(info, &answer);
		if (answer.state)
			return put(info, 1, choices[i].mechanism, answer.reason);
	}
	put(info, 0, "none", answer.reason);
}

static void choose_convert(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *info)
{
	static const struct choice choices[] = {
		{GMEM_FEATURE_CONVERT_INPLACE, "KVM_SET_MEMORY_ATTRIBUTES2 on the file, in place"},
		{GMEM_FEATURE_CONVERT_VM,
		 "KVM_SET_MEMORY_ATTRIBUTES on the VM, between two backings"},
	};

	choose(ctx, vm_type, choices, sizeof(choices) / sizeof(choices[0]), info);
}

static void choose_link(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *info)
{
	static const struct choice choices[] = {
		{GMEM_FEATURE_LINK, "KVM_LINK_GUEST_MEMFD, RFC v2 of 2025"},
		{GMEM_FEATURE_HVA_VIEW, "the same shared pages by host address in the new VM"},
	};

	choose(ctx, vm_type, choices, sizeof(choices) / sizeof(choices[0]), info);
}

static void choose_preallocate(struct gmem_ctx *ctx, uint32_t vm_type,
			       struct gmem_feature_info *info)
{
	const struct choice choices[] = {
		{GMEM_FEATURE_GUEST_MEMFD, "fallocate(FALLOC_FL_KEEP_SIZE) on the file"},
	};
	struct gmi_answer pre_fault;

	choose(ctx, vm_type, choices, 1, info);
	if (info->state != 1)
		return;
	gmi_probe(ctx, vm_type, GMEM_FEATURE_PRE_FAULT, &pre_fault);
	if (pre_fault.known && pre_fault.state)
		info->mechanism =
			"fallocate(FALLOC_FL_KEEP_SIZE) on the file, then KVM_PRE_FAULT_MEMORY";
}

static bool has_1g_pool(const struct gmem_ctx *ctx)
{
	char text[32] = {0};

	return gmi_sys_read_file(&ctx->sys, POOL_1G, text, sizeof(text) - 1) > 0 &&
	       strtoull(text, NULL, 10) > 0;
}

/* The shared half of a VM with two backings can be of 1G pages; its private half is always 4K. */
static void choose_huge(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *info)
{
	struct gmi_answer two_backings, files;

	gmi_probe(ctx, vm_type, GMEM_FEATURE_HUGETLB, &files);
	if (files.known && files.state)
		return put(info, 1, "huge pages of the file, from the host's pool", files.reason);
	gmi_probe(ctx, vm_type, GMEM_FEATURE_CONVERT_VM, &two_backings);
	if (!two_backings.known)
		return put_unknown(info, &two_backings);
	if (!has_1g_pool(ctx))
		return put(info, 0, "none",
			   "guest_memfd has 4K pages in every released kernel, and the host's "
			   "pool of 1G pages is empty");
	if (!two_backings.state)
		return put(info, 0, "none", "guest_memfd has 4K pages in every released kernel");
	put(info, 1, "1G pages of hugetlbfs for shared memory, 4K pages of the file for private",
	    "guest_memfd has 4K pages in every released kernel, and the pool has 1G pages");
}

static const struct {
	const char *name;
	void (*choose)(struct gmem_ctx *ctx, uint32_t vm_type, struct gmem_feature_info *info);
} capabilities[GMEM_CAPABILITY_COUNT] = {
	[GMEM_CAPABILITY_CONVERT] = {"convert", choose_convert},
	[GMEM_CAPABILITY_LINK] = {"link", choose_link},
	[GMEM_CAPABILITY_HUGE] = {"huge", choose_huge},
	[GMEM_CAPABILITY_PREALLOCATE] = {"preallocate", choose_preallocate},
};

static int mechanism(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t capability,
		     struct gmem_feature_info *ret_info)
{
	struct gmem_feature_info info = {.sz = sizeof(info)};
	int ret = gmi_check_vm_type(ctx, vm_type);

	if (ret)
		return ret;
	if (capability >= GMEM_CAPABILITY_COUNT)
		return gmi_error_arg("capability", "capability %u is unknown to this library",
				     capability);
	ret = gmi_info_check(ret_info, sizeof(info));
	if (ret)
		return ret;
	info.name = capabilities[capability].name;
	capabilities[capability].choose(ctx, vm_type, &info);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_ctx_mechanism(struct gmem_ctx *ctx, uint32_t vm_type, uint32_t capability,
				struct gmem_feature_info *ret_info)
{
	return gmi_result(__func__, mechanism(ctx, vm_type, capability, ret_info));
}
