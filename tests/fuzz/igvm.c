/* SPDX-License-Identifier: MIT */
/* Fuzzes the IGVM reader; checksums are made right, or nothing behind them would ever be read. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "crc.h"

#define FIXED_SIZE    24
#define FIXED_SIZE_V2 32

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void fix_checksum(uint8_t *file, size_t size)
{
	size_t fixed = size >= 8 && get_u32(file + 4) == 2 ? FIXED_SIZE_V2 : FIXED_SIZE;
	uint64_t offset, length;
	uint32_t crc;

	if (size < fixed)
		return;
	offset = get_u32(file + 8);
	length = get_u32(file + 12);
	if (offset + length > size)
		return;
	memset(file + 20, 0, 4);
	crc = gmi_crc32(gmi_crc32(0, file, fixed), file + offset, length);
	memcpy(file + 20, &crc, sizeof(crc));
}

static void read_file(const uint8_t *file, size_t size, uint32_t vm_type, uint32_t vmm)
{
	const struct gmem_igvm_opts opts = {
		.sz = sizeof(opts),
		.vm_type = vm_type,
		.vmm = vmm,
		.image = file,
		.image_size = size,
		.vcpus = vm_type == GMEM_VM_SNP ? 3 : 0,
	};
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_plan *plan;
	int ret = gmem_plan_from_igvm(&opts, &plan, &error);

	if (ret)
		fuzz_check_refusal(ret, &error);
	else
		fuzz_check_plan(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size ? size : 1);

	if (!file)
		abort();
	memcpy(file, data, size);
	fix_checksum(file, size);
	read_file(file, size, GMEM_VM_SNP, GMEM_VMM_QEMU);
	read_file(file, size, GMEM_VM_SNP, GMEM_VMM_CLOUD_HYPERVISOR);
	read_file(file, size, GMEM_VM_TDX, 0);
	free(file);
	return 0;
}
