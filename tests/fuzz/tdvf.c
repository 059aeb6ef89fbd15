/* SPDX-License-Identifier: MIT */
/* Fuzzes the TDVF reader and, with what it gives, the TD HOB. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct gmem_range ram[] = {
	{0, UINT64_C(0x80000000)},
	{UINT64_C(0x100000000), UINT64_C(0x80000000)},
};

static void fill_hob(struct gmem_plan *plan)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest;
	int ret = gmem_plan_fill_td_hob(plan, ram, 2, &digest, &error);

	if (ret)
		fuzz_check_refusal(ret, &error);
}

static void read_image(const uint8_t *image, size_t size, uint32_t flags)
{
	const struct gmem_tdvf_opts opts = {
		.sz = sizeof(opts),
		.image = image,
		.image_size = size,
		.flags = flags,
	};
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;
	int ret = gmem_plan_from_tdvf(&opts, &plan, &error);

	if (ret) {
		fuzz_check_refusal(ret, &error);
		return;
	}
	fill_hob(plan);
	fuzz_check_plan(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *image = malloc(size ? size : 1);

	if (!image)
		abort();
	memcpy(image, data, size);
	read_image(image, size, 0);
	read_image(image, size, GMEM_TDVF_ADD_AUG);
	free(image);
	return 0;
}
