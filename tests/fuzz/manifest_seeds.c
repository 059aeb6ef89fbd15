/* SPDX-License-Identifier: MIT */
/* Writes manifests for the fuzzer to begin with: argument, the folder. */
#include <stdio.h>

#include "alloc.h"
#include "manifest.h"

#define MIB (UINT64_C(1) << 20)

static int save(const char *dir, const char *name, struct gmi_manifest_writer *writer)
{
	char path[512];
	FILE *out;

	if (gmi_manifest_end(writer))
		return 1;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "we");
	if (!out)
		return 1;
	fputc(0, out);
	fwrite(writer->bytes, 1, writer->size, out);
	gmi_free(writer->allocator, writer->bytes);
	return fclose(out) != 0;
}

static void put_runs(struct gmi_manifest_writer *writer, uint32_t kind, uint32_t index)
{
	struct gmi_runs_writer runs;

	gmi_runs_open(&runs, writer, kind, index);
	for (uint64_t i = 1; i < 20; i++)
		gmi_runs_put(&runs, i * 3 * GMEM_PAGE_SIZE, i & 1);
	gmi_runs_close(&runs);
}

static void whole(struct gmi_manifest_writer *writer)
{
	const struct gmi_manifest_vm vm = {.type = GMEM_VM_SW_PROTECTED,
					   .mechanism = 1,
					   .address_spaces = 1,
					   .fds = 3,
					   .release = "7.3"};
	const struct gmi_manifest_inode guest = {.fd = 0,
						 .dev = 5,
						 .ino = 9,
						 .size = 64 * MIB,
						 .page_size = 4096,
						 .numa_mode = 2,
						 .numa_words = 1,
						 .nodes = {3}};
	const struct gmi_manifest_inode host = {.kind = GMI_INODE_HOST,
						.fd = 1,
						.dev = 1,
						.ino = 7,
						.size = 64 * MIB,
						.page_size = 4096};
	const struct gmi_manifest_file file = {.inode = 0};
	const struct gmi_manifest_slot slot = {.gpa = MIB,
					       .size = 32 * MIB,
					       .offset = MIB,
					       .backing_page = 4096,
					       .id = 3,
					       .host = 1};

	gmi_manifest_put_vm(writer, &vm);
	gmi_manifest_put_inode(writer, &guest);
	gmi_manifest_put_inode(writer, &host);
	gmi_manifest_put_numa(writer, 0, &guest);
	gmi_manifest_put_file(writer, &file);
	gmi_manifest_put_slot(writer, &slot);
	put_runs(writer, GMI_RUNS_VM, 0);
	put_runs(writer, GMI_RUNS_INODE, 0);
	gmi_manifest_put_context(writer, 2);
	gmi_manifest_put_blob(writer, "vcpu0", "registers", 9);
}

int main(int argc, char **argv)
{
	struct gmi_manifest_writer writer;
	int failed;

	if (argc != 2)
		return 2;
	gmi_manifest_begin(&writer, &gmi_alloc_default);
	whole(&writer);
	failed = save(argv[1], "whole", &writer);
	gmi_manifest_begin(&writer, &gmi_alloc_default);
	gmi_manifest_put_blob(&writer, "a", "", 0);
	gmi_manifest_put_blob(&writer, "b", "0123456789", 10);
	return failed | save(argv[1], "late", &writer);
}
