/* SPDX-License-Identifier: MIT */
/* Writes IGVM files for the fuzzer to begin with: argument, the folder. */
#include <libgmem/launch.h>
#include <stdio.h>
#include <string.h>

#include "../measure/igvm_file.h"

static struct igvm_file file;

static int save(const char *dir, const char *name)
{
	char path[512];
	FILE *out;

	igvm_end(&file);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "we");
	if (!out)
		return 1;
	fwrite(file.bytes, 1, file.data, out);
	return fclose(out) != 0;
}

static void snp(void)
{
	uint32_t vmsa;

	igvm_begin(&file, 1);
	igvm_platform(&file, 1, 2);
	igvm_platform(&file, 2, 3);
	igvm_policy(&file, 0x30000, 1);
	vmsa = igvm_data(&file, 0);
	file.bytes[vmsa + 0x158] = 0x10;
	file.bytes[vmsa + 0x3b0] = 1;
	igvm_area(&file, 8192, 0, 0);
	igvm_parameter(&file, 0x307, 0, 0);
	igvm_parameter(&file, 0x30c, 0, 16);
	igvm_page(&file, 0x1000, 3, igvm_data(&file, 1), 0, 0);
	igvm_page(&file, 0x2000, 3, 0, 0, 0);
	igvm_insert(&file, 0x10000, 3, 0);
	igvm_page(&file, 0x3000, 1, 0, 0, 1);
	igvm_page(&file, 0x4000, 1, 0, 0, 2);
	igvm_page(&file, 0x5000, 3, igvm_data(&file, 2), 2, 0);
	igvm_vp_context(&file, GMEM_LAUNCH_VMSA_GPA, 1, vmsa, 0);
}

static void id_block(void)
{
	uint8_t content[696] = {1};

	igvm_begin(&file, 2);
	igvm_platform(&file, 1, 2);
	igvm_header(&file, 0x30b, content, sizeof(content));
	igvm_header(&file, 0x80000308, content, 8);
}

int main(int argc, char **argv)
{
	int failed;

	if (argc != 2)
		return 2;
	snp();
	failed = save(argv[1], "snp");
	id_block();
	return failed | save(argv[1], "id-block");
}
