/* SPDX-License-Identifier: MIT */
/* Fuzzes the reader of hand-over manifests; sizes and checks are made right, or nothing behind them would be read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "crc64.h"
#include "errinfo.h"
#include "manifest.h"
#include "manifest_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

/* The first byte says which of the header's numbers are made right. */
static uint8_t *copy(const uint8_t *data, size_t size, uint8_t how)
{
	uint8_t *bytes = malloc(size ? size : 1);

	must(bytes != NULL);
	memcpy(bytes, data, size);
	if (size < MANIFEST_HEADER_SIZE + MANIFEST_CHECK_SIZE || how & 1)
		return bytes;
	put_u64(bytes, GMI_MANIFEST_MAGIC);
	put_u32(bytes + 8, GMI_MANIFEST_VERSION);
	put_u64(bytes + 16, size);
	put_u64(bytes + 24, 0);
	put_u64(bytes + size - MANIFEST_CHECK_SIZE, gmi_crc64(bytes, size - MANIFEST_CHECK_SIZE));
	return bytes;
}

static void put_runs(struct gmi_manifest_writer *writer, const struct gmi_manifest_runs *runs)
{
	struct gmi_runs_writer list;
	struct gmi_runs_cursor cursor;

	gmi_runs_open(&list, writer, runs->kind, runs->index);
	gmi_runs_begin(runs, &cursor);
	while (gmi_runs_next(&cursor) > 0)
		gmi_runs_put(&list, cursor.size, cursor.state);
	gmi_runs_close(&list);
}

static void write_all(const struct gmi_manifest *m, struct gmi_manifest_writer *writer)
{
	gmi_manifest_begin(writer, &gmi_alloc_default);
	if (m->has_vm)
		gmi_manifest_put_vm(writer, &m->vm);
	for (uint32_t i = 0; i < m->inode_count; i++) {
		gmi_manifest_put_inode(writer, &m->inodes[i]);
		if (m->inodes[i].numa_mode || m->inodes[i].numa_words)
			gmi_manifest_put_numa(writer, i, &m->inodes[i]);
	}
	for (uint32_t i = 0; i < m->file_count; i++)
		gmi_manifest_put_file(writer, &m->files[i]);
	for (uint32_t i = 0; i < m->slot_count; i++)
		gmi_manifest_put_slot(writer, &m->slots[i]);
	for (uint32_t i = 0; i < m->runs_count; i++)
		put_runs(writer, &m->runs[i]);
	if (m->has_context)
		gmi_manifest_put_context(writer, m->context_fd);
	for (uint32_t i = 0; i < m->blob_count; i++)
		gmi_manifest_put_blob(writer, m->blobs[i].name, m->blobs[i].data, m->blobs[i].size);
	must(gmi_manifest_end(writer) == 0);
}

static void compare(const struct gmi_manifest *a, const struct gmi_manifest *b)
{
	must(a->has_vm == b->has_vm &&
	     !memcmp(&a->vm, &b->vm, offsetof(struct gmi_manifest_vm, release)));
	must(!strcmp(a->vm.release, b->vm.release));
	must(a->inode_count == b->inode_count && a->file_count == b->file_count);
	must(a->slot_count == b->slot_count && a->runs_count == b->runs_count);
	must(a->blob_count == b->blob_count);
	must(a->has_context == b->has_context && a->context_fd == b->context_fd);
	for (uint32_t i = 0; i < a->inode_count; i++)
		must(!memcmp(&a->inodes[i], &b->inodes[i], sizeof(a->inodes[i])));
	for (uint32_t i = 0; i < a->slot_count; i++)
		must(!memcmp(&a->slots[i], &b->slots[i], sizeof(a->slots[i])));
	for (uint32_t i = 0; i < a->runs_count; i++)
		must(a->runs[i].count == b->runs[i].count && a->runs[i].size == b->runs[i].size &&
		     (!a->runs[i].size ||
		      !memcmp(a->runs[i].bytes, b->runs[i].bytes, a->runs[i].size)));
	for (uint32_t i = 0; i < a->blob_count; i++)
		must(a->blobs[i].size == b->blobs[i].size &&
		     !strcmp(a->blobs[i].name, b->blobs[i].name));
}

/* What was read and is written again reads as the same. */
static void write_again(const struct gmi_manifest *m)
{
	struct gmi_manifest_writer writer;
	struct gmi_manifest again;

	write_all(m, &writer);
	must(gmi_manifest_read(&gmi_alloc_default, writer.bytes, writer.size, &again) == 0);
	compare(m, &again);
	gmi_manifest_clear(&again);
	gmi_free(&gmi_alloc_default, writer.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmi_manifest manifest = {0};
	uint8_t *bytes;
	int ret;

	if (!size)
		return 0;
	bytes = copy(data + 1, size - 1, data[0]);
	ret = gmi_manifest_read(&gmi_alloc_default, bytes, size - 1, &manifest);
	if (ret) {
		must(ret == -EPROTO || ret == -EOPNOTSUPP);
		must(gmem_errinfo()->error == ret && gmem_errinfo()->message[0]);
	} else {
		write_again(&manifest);
	}
	gmi_manifest_clear(&manifest);
	free(bytes);
	return 0;
}
