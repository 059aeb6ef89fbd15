/* SPDX-License-Identifier: MIT */
/* Fuzzes the OVMF and SVSM reader: full pages are the image, what is behind them says how it is launched. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096

/* Zeroes where the input ends before. */
struct config {
	uint8_t vm_type; /* 0: SNP */
	uint8_t vmm;
	uint8_t kernel;
	uint8_t flags;
	uint8_t svsm_pages;
	uint8_t unaligned;
	uint8_t cut; /* bytes off the image's end */
};

/* In memory of its own, so that a sanitizer sees every byte too far. */
static uint8_t *copy_image(const uint8_t *data, size_t size, int unaligned)
{
	uint8_t *copy =
		unaligned ? malloc(size ? size : 1) : aligned_alloc(PAGE, size ? size : PAGE);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	return copy;
}

static void set_opts(struct gmem_ovmf_opts *opts, const struct config *config)
{
	opts->sz = sizeof(*opts);
	opts->vm_type = GMEM_VM_SNP - config->vm_type % 3;
	opts->vmm = config->vmm % 4;
	opts->vcpus = 2;
	opts->sev_features = opts->vm_type == GMEM_VM_SNP;
	if (opts->vm_type == GMEM_VM_SNP)
		opts->flags = config->flags & (GMEM_OVMF_IMAGE_ONLY | GMEM_OVMF_WITHOUT_IMAGE);
	if (config->kernel & 1)
		opts->kernel = "kernel", opts->kernel_size = 6;
	if (config->kernel & 2)
		opts->append = "";
}

/* The last pages as the SVSM image. */
static void set_svsm(struct gmem_ovmf_opts *opts, const struct config *config)
{
	uint64_t size = config->svsm_pages * (uint64_t)PAGE;

	if (!size || size >= opts->image_size)
		return;
	opts->image_size -= size;
	opts->svsm = (const uint8_t *)opts->image + opts->image_size;
	opts->svsm_size = size;
	opts->vars_size = PAGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_ovmf_opts opts = {0};
	struct config config = {0};
	size_t rest = size % PAGE, used = size - rest;
	struct gmem_plan *plan;
	uint8_t *image;
	int ret;

	memcpy(&config, data + used, rest < sizeof(config) ? rest : sizeof(config));
	if (config.cut < used)
		used -= config.cut;
	image = copy_image(data, used, config.unaligned || config.cut);
	set_opts(&opts, &config);
	opts.image = image;
	opts.image_size = used;
	set_svsm(&opts, &config);
	ret = gmem_plan_from_ovmf(&opts, &plan, &error);
	if (ret)
		fuzz_check_refusal(ret, &error);
	else
		fuzz_check_plan(plan);
	free(image);
	return 0;
}
