/* SPDX-License-Identifier: MIT */
/* Reads a manifest that a hostile or newer peer may have written. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "crc64.h"
#include "errinfo.h"
#include "manifest.h"
#include "manifest_wire.h"

struct record {
	uint32_t type;
	uint32_t flags;
	const uint8_t *body;
	size_t size;
};

struct reader {
	const uint8_t *at;
	size_t left;
	uint32_t index; /* of the record that is next */
};

static int fail(const struct record *record, const char *why)
{
	return gmi_error(-EPROTO, "the manifest has a record of type %u that %s", record->type,
			 why);
}

static int check_header(const uint8_t *bytes, size_t size)
{
	uint32_t version;

	if (size < MANIFEST_HEADER_SIZE + MANIFEST_CHECK_SIZE || size > GMI_MANIFEST_SIZE_MAX)
		return gmi_error(-EPROTO, "%zu bytes are no manifest", size);
	if (get_u64(bytes) != GMI_MANIFEST_MAGIC)
		return gmi_error(-EPROTO, "the manifest does not begin as one");
	version = get_u32(bytes + 8);
	if (version != GMI_MANIFEST_VERSION)
		return gmi_error(-EOPNOTSUPP,
				 "the manifest is of version %u, this library reads %u", version,
				 GMI_MANIFEST_VERSION);
	if (get_u64(bytes + 16) != size || get_u64(bytes + 24) || size % 8)
		return gmi_error(-EPROTO, "the manifest says another size than its %zu bytes",
				 size);
	if (get_u64(bytes + size - MANIFEST_CHECK_SIZE) !=
	    gmi_crc64(bytes, size - MANIFEST_CHECK_SIZE))
		return gmi_error(-EPROTO, "the manifest's check does not fit its bytes");
	return 0;
}

static struct reader reader_of(const uint8_t *bytes, size_t size)
{
	return (struct reader){
		.at = bytes + MANIFEST_HEADER_SIZE,
		.left = size - MANIFEST_HEADER_SIZE - MANIFEST_CHECK_SIZE,
	};
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* 1 with a record, 0 at the end. */
static int next_record(struct reader *reader, struct record *ret_record)
{
	size_t size, padding;

	if (!reader->left)
		return 0;
	if (reader->left < RECORD_HEADER_SIZE)
		return gmi_error(-EPROTO, "record %u of the manifest is cut off", reader->index);
	ret_record->type = get_u32(reader->at);
	ret_record->flags = get_u32(reader->at + 4);
	ret_record->body = reader->at + RECORD_HEADER_SIZE;
	reader->left -= RECORD_HEADER_SIZE;
	if (get_u64(reader->at + 8) > reader->left)
		return gmi_error(-EPROTO, "record %u of the manifest is longer than the rest",
				 reader->index);
	size = (size_t)get_u64(reader->at + 8);
	padding = -size & 7;
	if (!is_zero(ret_record->body + size, padding))
		return fail(ret_record, "is not padded with zeros");
	ret_record->size = size;
	reader->at = ret_record->body + size + padding;
	reader->left -= size + padding;
	reader->index++;
	return 1;
}

static int read_vm(struct gmi_manifest *m, const struct record *record)
{
	const uint8_t *at = record->body;

	if (m->has_vm)
		return fail(record, "comes twice");
	m->has_vm = true;
	m->vm.type = get_u32(at);
	m->vm.mechanism = get_u32(at + 4);
	m->vm.address_spaces = get_u32(at + 8);
	m->vm.fds = get_u32(at + 12);
	m->vm.rfc = get_u64(at + 16);
	memcpy(m->vm.release, at + 24, sizeof(m->vm.release));
	if (m->vm.release[sizeof(m->vm.release) - 1])
		return fail(record, "has a text without an end");
	return 0;
}

static int read_inode(struct gmi_manifest *m, const struct record *record)
{
	const uint8_t *at = record->body;

	m->inodes[m->inode_count++] = (struct gmi_manifest_inode){
		.kind = get_u32(at),
		.fd = get_u32(at + 4),
		.dev = get_u64(at + 8),
		.ino = get_u64(at + 16),
		.size = get_u64(at + 24),
		.flags = get_u64(at + 32),
		.raw_flags = get_u64(at + 40),
		.page_size = get_u64(at + 48),
	};
	return 0;
}

/* Of an inode that came before. */
static int read_numa(struct gmi_manifest *m, const struct record *record)
{
	uint32_t index = get_u32(record->body), words = get_u32(record->body + 8);
	struct gmi_manifest_inode *inode;

	if (index >= m->inode_count || words > GMI_NUMA_WORDS ||
	    record->size < NUMA_SIZE + 8 * (size_t)words)
		return fail(record, "names no inode or too many nodes");
	inode = &m->inodes[index];
	inode->numa_mode = get_u32(record->body + 4);
	inode->numa_words = words;
	for (uint32_t i = 0; i < GMI_NUMA_WORDS; i++)
		inode->nodes[i] = i < words ? get_u64(record->body + NUMA_SIZE + 8 * i) : 0;
	return 0;
}

static int read_file(struct gmi_manifest *m, const struct record *record)
{
	m->files[m->file_count++] = (struct gmi_manifest_file){
		.inode = get_u32(record->body),
		.flags = get_u32(record->body + 4),
	};
	return 0;
}

static int read_slot(struct gmi_manifest *m, const struct record *record)
{
	const uint8_t *at = record->body;

	m->slots[m->slot_count++] = (struct gmi_manifest_slot){
		.gpa = get_u64(at),
		.size = get_u64(at + 8),
		.offset = get_u64(at + 16),
		.host_offset = get_u64(at + 24),
		.backing_page = get_u64(at + 32),
		.id = get_u32(at + 40),
		.flags = get_u32(at + 44),
		.address_space = get_u32(at + 48),
		.file = get_u32(at + 52),
		.host = get_u32(at + 56),
		.padding = get_u32(at + 60),
	};
	return 0;
}

static int read_runs(struct gmi_manifest *m, const struct record *record)
{
	const uint8_t *at = record->body;

	m->runs[m->runs_count++] = (struct gmi_manifest_runs){
		.kind = get_u32(at),
		.index = get_u32(at + 4),
		.count = get_u64(at + 8),
		.first = get_u32(at + 16),
		.padding = get_u32(at + 20),
		.bytes = at + RUNS_SIZE,
		.size = record->size - RUNS_SIZE,
	};
	return 0;
}

static int read_context(struct gmi_manifest *m, const struct record *record)
{
	if (m->has_context || get_u32(record->body + 4))
		return fail(record, "comes twice, or has more in it than known");
	m->has_context = true;
	m->context_fd = get_u32(record->body);
	return 0;
}

static int read_blob(struct gmi_manifest *m, const struct record *record)
{
	struct gmi_manifest_blob *blob = &m->blobs[m->blob_count];

	memcpy(blob->name, record->body, sizeof(blob->name));
	blob->data = record->body + BLOB_SIZE;
	blob->size = get_u64(record->body + GMI_BLOB_NAME_SIZE);
	if (blob->size != record->size - BLOB_SIZE)
		return fail(record, "is of another size than it says");
	if (!blob->name[0] || blob->name[sizeof(blob->name) - 1])
		return fail(record, "has no name, or one without an end");
	m->blob_count++;
	return 0;
}

static const struct {
	size_t size;  /* of the body at least */
	bool is_open; /* what follows it has a meaning */
	int (*read)(struct gmi_manifest *m, const struct record *record);
} known[GMI_RECORD_COUNT] = {
	[GMI_RECORD_VM] = {VM_SIZE, false, read_vm},
	[GMI_RECORD_INODE] = {INODE_SIZE, false, read_inode},
	[GMI_RECORD_NUMA] = {NUMA_SIZE, true, read_numa},
	[GMI_RECORD_FILE] = {FILE_SIZE, false, read_file},
	[GMI_RECORD_SLOT] = {SLOT_SIZE, false, read_slot},
	[GMI_RECORD_RUNS] = {RUNS_SIZE, true, read_runs},
	[GMI_RECORD_BLOB] = {BLOB_SIZE, true, read_blob},
	[GMI_RECORD_CONTEXT] = {CONTEXT_SIZE, false, read_context},
};

static bool is_known(const struct record *record)
{
	return record->type < GMI_RECORD_COUNT && known[record->type].read;
}

static int check_record(const struct record *record)
{
	size_t size;

	if (record->flags & ~GMI_RECORD_MANDATORY)
		return fail(record, "has unknown flags");
	if (!is_known(record)) {
		if (record->flags & GMI_RECORD_MANDATORY)
			return gmi_error(-EOPNOTSUPP,
					 "the manifest has a record of type %u, which is mandatory "
					 "and newer than this library",
					 record->type);
		return 0;
	}
	size = known[record->type].size;
	if (record->size < size)
		return fail(record, "is too short");
	if (!known[record->type].is_open && !is_zero(record->body + size, record->size - size))
		return gmi_error(-EOPNOTSUPP,
				 "the manifest's record of type %u says something that is newer "
				 "than this library",
				 record->type);
	return 0;
}

static int count_records(struct reader reader, uint32_t counts[GMI_RECORD_COUNT])
{
	struct record record;
	int ret;

	while ((ret = next_record(&reader, &record)) > 0) {
		ret = check_record(&record);
		if (ret)
			return ret;
		if (is_known(&record))
			counts[record.type]++;
	}
	return ret;
}

static int check_counts(const uint32_t counts[GMI_RECORD_COUNT])
{
	if (counts[GMI_RECORD_INODE] > GMI_MANIFEST_INODES_MAX ||
	    counts[GMI_RECORD_FILE] > GMI_MANIFEST_INODES_MAX ||
	    counts[GMI_RECORD_SLOT] > GMI_MANIFEST_SLOTS_MAX ||
	    counts[GMI_RECORD_RUNS] > GMI_MANIFEST_LISTS_MAX ||
	    counts[GMI_RECORD_BLOB] > GMI_MANIFEST_BLOBS_MAX)
		return gmi_error(-EPROTO, "the manifest has more records of a type than any VM");
	return 0;
}

static bool make_array(const struct gmi_manifest *m, uint32_t count, size_t size, void *ret_array)
{
	void *array = NULL;

	if (count)
		array = gmi_zalloc_array(m->allocator, count, size);
	memcpy(ret_array, &array, sizeof(array));
	return !count || array;
}

static int make_arrays(struct gmi_manifest *m, const uint32_t counts[GMI_RECORD_COUNT])
{
	if (make_array(m, counts[GMI_RECORD_INODE], sizeof(*m->inodes), &m->inodes) &&
	    make_array(m, counts[GMI_RECORD_FILE], sizeof(*m->files), &m->files) &&
	    make_array(m, counts[GMI_RECORD_SLOT], sizeof(*m->slots), &m->slots) &&
	    make_array(m, counts[GMI_RECORD_RUNS], sizeof(*m->runs), &m->runs) &&
	    make_array(m, counts[GMI_RECORD_BLOB], sizeof(*m->blobs), &m->blobs))
		return 0;
	return gmi_error_memory();
}

static int read_records(struct gmi_manifest *m, struct reader reader)
{
	struct record record;
	int ret;

	while ((ret = next_record(&reader, &record)) > 0) {
		if (!is_known(&record))
			continue;
		ret = known[record.type].read(m, &record);
		if (ret)
			return ret;
	}
	return ret;
}

static int read_all(struct gmi_manifest *m, const uint8_t *bytes, size_t size)
{
	uint32_t counts[GMI_RECORD_COUNT] = {0};
	struct reader reader;
	int ret = check_header(bytes, size);

	if (ret)
		return ret;
	reader = reader_of(bytes, size);
	ret = count_records(reader, counts);
	if (!ret)
		ret = check_counts(counts);
	if (!ret)
		ret = make_arrays(m, counts);
	if (!ret)
		ret = read_records(m, reader);
	return ret ? ret : gmi_manifest_check(m);
}

int gmi_manifest_read(const struct gmem_allocator *allocator, const uint8_t *bytes, size_t size,
		      struct gmi_manifest *ret_manifest)
{
	struct gmi_manifest m = {.allocator = allocator};
	int ret = read_all(&m, bytes, size);

	if (ret)
		gmi_manifest_clear(&m);
	else
		*ret_manifest = m;
	return ret;
}

void gmi_manifest_clear(struct gmi_manifest *m)
{
	if (!m->allocator)
		return;
	gmi_free(m->allocator, m->inodes);
	gmi_free(m->allocator, m->files);
	gmi_free(m->allocator, m->slots);
	gmi_free(m->allocator, m->runs);
	gmi_free(m->allocator, m->blobs);
	*m = (struct gmi_manifest){0};
}
