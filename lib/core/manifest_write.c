/* SPDX-License-Identifier: MIT */
/* Writes a manifest. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "crc64.h"
#include "manifest.h"
#include "manifest_wire.h"

#define FIRST_CAPACITY 4096u

static bool grow(struct gmi_manifest_writer *writer, size_t wanted)
{
	size_t capacity = writer->capacity ? writer->capacity : FIRST_CAPACITY;
	uint8_t *bytes;

	while (capacity < wanted)
		capacity *= 2;
	bytes = gmi_zalloc(writer->allocator, capacity);
	if (!bytes) {
		writer->failed = true;
		return false;
	}
	if (writer->size)
		memcpy(bytes, writer->bytes, writer->size);
	gmi_free(writer->allocator, writer->bytes);
	writer->bytes = bytes;
	writer->capacity = capacity;
	return true;
}

/* Room for @size bytes more, zeroed, or NULL. */
static uint8_t *add(struct gmi_manifest_writer *writer, size_t size)
{
	size_t at = writer->size;

	if (writer->failed)
		return NULL;
	if (size > GMI_MANIFEST_SIZE_MAX || at > GMI_MANIFEST_SIZE_MAX) {
		writer->failed = true;
		return NULL;
	}
	if (at + size > writer->capacity && !grow(writer, at + size))
		return NULL;
	writer->size = at + size;
	return writer->bytes + at;
}

static uint8_t *add_record(struct gmi_manifest_writer *writer, uint32_t type, uint32_t flags,
			   size_t size)
{
	uint8_t *at = add(writer, RECORD_HEADER_SIZE + size);

	if (!at)
		return NULL;
	writer->records++;
	put_u32(at, type);
	put_u32(at + 4, flags);
	put_u64(at + 8, size);
	return at + RECORD_HEADER_SIZE;
}

static void pad(struct gmi_manifest_writer *writer)
{
	add(writer, -writer->size & 7);
}

void gmi_manifest_begin(struct gmi_manifest_writer *writer, const struct gmem_allocator *allocator)
{
	uint8_t *at;

	*writer = (struct gmi_manifest_writer){.allocator = allocator};
	at = add(writer, MANIFEST_HEADER_SIZE);
	if (!at)
		return;
	put_u64(at, GMI_MANIFEST_MAGIC);
	put_u32(at + 8, GMI_MANIFEST_VERSION);
}

void gmi_manifest_put_vm(struct gmi_manifest_writer *writer, const struct gmi_manifest_vm *vm)
{
	uint8_t *at = add_record(writer, GMI_RECORD_VM, GMI_RECORD_MANDATORY, VM_SIZE);

	if (!at)
		return;
	put_u32(at, vm->type);
	put_u32(at + 4, vm->mechanism);
	put_u32(at + 8, vm->address_spaces);
	put_u32(at + 12, vm->fds);
	put_u64(at + 16, vm->rfc);
	memcpy(at + 24, vm->release, sizeof(vm->release));
}

void gmi_manifest_put_inode(struct gmi_manifest_writer *writer,
			    const struct gmi_manifest_inode *inode)
{
	uint8_t *at = add_record(writer, GMI_RECORD_INODE, GMI_RECORD_MANDATORY, INODE_SIZE);

	if (!at)
		return;
	put_u32(at, inode->kind);
	put_u32(at + 4, inode->fd);
	put_u64(at + 8, inode->dev);
	put_u64(at + 16, inode->ino);
	put_u64(at + 24, inode->size);
	put_u64(at + 32, inode->flags);
	put_u64(at + 40, inode->raw_flags);
	put_u64(at + 48, inode->page_size);
}

/* The policy stays with the inode whoever reads this: optional. */
void gmi_manifest_put_numa(struct gmi_manifest_writer *writer, uint32_t inode,
			   const struct gmi_manifest_inode *facts)
{
	uint8_t *at =
		add_record(writer, GMI_RECORD_NUMA, 0, NUMA_SIZE + 8 * (size_t)facts->numa_words);

	if (!at)
		return;
	put_u32(at, inode);
	put_u32(at + 4, facts->numa_mode);
	put_u32(at + 8, facts->numa_words);
	for (uint32_t i = 0; i < facts->numa_words; i++)
		put_u64(at + NUMA_SIZE + 8 * i, facts->nodes[i]);
}

void gmi_manifest_put_file(struct gmi_manifest_writer *writer, const struct gmi_manifest_file *file)
{
	uint8_t *at = add_record(writer, GMI_RECORD_FILE, GMI_RECORD_MANDATORY, FILE_SIZE);

	if (!at)
		return;
	put_u32(at, file->inode);
	put_u32(at + 4, file->flags);
}

void gmi_manifest_put_slot(struct gmi_manifest_writer *writer, const struct gmi_manifest_slot *slot)
{
	uint8_t *at = add_record(writer, GMI_RECORD_SLOT, GMI_RECORD_MANDATORY, SLOT_SIZE);

	if (!at)
		return;
	put_u64(at, slot->gpa);
	put_u64(at + 8, slot->size);
	put_u64(at + 16, slot->offset);
	put_u64(at + 24, slot->host_offset);
	put_u64(at + 32, slot->backing_page);
	put_u32(at + 40, slot->id);
	put_u32(at + 44, slot->flags);
	put_u32(at + 48, slot->address_space);
	put_u32(at + 52, slot->file);
	put_u32(at + 56, slot->host);
}

void gmi_manifest_put_context(struct gmi_manifest_writer *writer, uint32_t fd)
{
	uint8_t *at = add_record(writer, GMI_RECORD_CONTEXT, GMI_RECORD_MANDATORY, CONTEXT_SIZE);

	if (at)
		put_u32(at, fd);
}

void gmi_manifest_put_blob(struct gmi_manifest_writer *writer, const char *name, const void *data,
			   uint64_t size)
{
	uint8_t *at;

	if (size > GMI_MANIFEST_SIZE_MAX) {
		writer->failed = true;
		return;
	}
	at = add_record(writer, GMI_RECORD_BLOB, GMI_RECORD_MANDATORY, BLOB_SIZE + (size_t)size);
	if (!at)
		return;
	memcpy(at, name, strnlen(name, GMI_BLOB_NAME_SIZE - 1));
	put_u64(at + GMI_BLOB_NAME_SIZE, size);
	if (size)
		memcpy(at + BLOB_SIZE, data, (size_t)size);
	pad(writer);
}

void gmi_runs_open(struct gmi_runs_writer *runs, struct gmi_manifest_writer *writer, uint32_t kind,
		   uint32_t index)
{
	uint8_t *at;

	*runs = (struct gmi_runs_writer){.writer = writer, .record = writer->size};
	at = add_record(writer, GMI_RECORD_RUNS, GMI_RECORD_MANDATORY, RUNS_SIZE);
	if (!at)
		return;
	put_u32(at, kind);
	put_u32(at + 4, index);
}

void gmi_runs_put(struct gmi_runs_writer *runs, uint64_t size, uint32_t state)
{
	uint64_t pages = size / GMEM_PAGE_SIZE;
	uint8_t packed[10];
	unsigned count = 0;
	uint8_t *at;

	if (!runs->count++)
		runs->first = state;
	do {
		packed[count++] = (uint8_t)(pages & 0x7f) | (pages > 0x7f ? 0x80 : 0);
		pages >>= 7;
	} while (pages);
	at = add(runs->writer, count);
	if (at)
		memcpy(at, packed, count);
}

void gmi_runs_close(struct gmi_runs_writer *runs)
{
	struct gmi_manifest_writer *writer = runs->writer;
	uint8_t *at;

	if (writer->failed)
		return;
	at = writer->bytes + runs->record;
	put_u64(at + 8, writer->size - runs->record - RECORD_HEADER_SIZE);
	put_u64(at + RECORD_HEADER_SIZE + 8, runs->count);
	put_u32(at + RECORD_HEADER_SIZE + 16, runs->first);
	pad(writer);
}

int gmi_manifest_end(struct gmi_manifest_writer *writer)
{
	uint8_t *at = add(writer, MANIFEST_CHECK_SIZE);

	if (writer->size > GMI_MANIFEST_SIZE_MAX)
		return -EFBIG;
	if (!at)
		return -ENOMEM;
	put_u32(writer->bytes + 12, writer->records);
	put_u64(writer->bytes + 16, writer->size);
	put_u64(at, gmi_crc64(writer->bytes, writer->size - MANIFEST_CHECK_SIZE));
	return 0;
}
