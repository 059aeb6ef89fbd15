/* SPDX-License-Identifier: MIT */
/* The manifest of a hand-over: what is written is read, and what does not fit is refused. */
#include "alloc.h"
#include "crc64.h"
#include "gmem_test.h"
#include "manifest.h"
#include "manifest_wire.h"

#define MIB (UINT64_C(1) << 20)

static const struct gmi_manifest_vm vm = {
	.type = GMEM_VM_SW_PROTECTED,
	.mechanism = 1,
	.address_spaces = 1,
	.fds = 2,
	.release = "7.3.4",
};

static const struct gmi_manifest_inode inodes[] = {
	{.kind = GMI_INODE_GUEST,
	 .fd = 0,
	 .dev = 5,
	 .ino = 9,
	 .size = 64 * MIB,
	 .page_size = 4096,
	 .numa_mode = 2,
	 .numa_words = 1,
	 .nodes = {3}},
	{.kind = GMI_INODE_HOST, .fd = 1, .dev = 1, .ino = 7, .size = 32 * MIB, .page_size = 4096},
};

static const struct gmi_manifest_slot slot = {
	.gpa = MIB,
	.size = 32 * MIB,
	.offset = 16 * MIB,
	.backing_page = 4096,
	.id = 3,
	.host = 1,
};

/* What the cases below break. */
struct parts {
	struct gmi_manifest_vm vm;
	struct gmi_manifest_inode inodes[2];
	struct gmi_manifest_file file;
	struct gmi_manifest_slot slot;
	uint32_t runs_kind, runs_index, first;
	uint64_t pages;
	const char *blobs[2];
};

static struct parts good(void)
{
	struct parts parts = {
		.vm = vm,
		.inodes = {inodes[0], inodes[1]},
		.slot = slot,
		.first = GMEM_SHARED,
		.pages = 300,
		.blobs = {"vcpu0", "devices"},
	};

	return parts;
}

static void put_runs(struct gmi_manifest_writer *writer, const struct parts *parts)
{
	struct gmi_runs_writer runs;

	gmi_runs_open(&runs, writer, parts->runs_kind, parts->runs_index);
	gmi_runs_put(&runs, parts->pages * GMEM_PAGE_SIZE, parts->first);
	gmi_runs_put(&runs, GMEM_PAGE_SIZE, parts->first ^ GMEM_PRIVATE);
	gmi_runs_close(&runs);
}

static void write(struct gmi_manifest_writer *writer, const struct parts *parts)
{
	gmi_manifest_begin(writer, &gmi_alloc_default);
	gmi_manifest_put_vm(writer, &parts->vm);
	for (uint32_t i = 0; i < 2; i++)
		gmi_manifest_put_inode(writer, &parts->inodes[i]);
	gmi_manifest_put_numa(writer, 0, &parts->inodes[0]);
	gmi_manifest_put_file(writer, &parts->file);
	gmi_manifest_put_slot(writer, &parts->slot);
	put_runs(writer, parts);
	for (uint32_t i = 0; i < 2; i++)
		gmi_manifest_put_blob(writer, parts->blobs[i], "0123456789", 10 * i);
	MUST(gmi_manifest_end(writer) == 0);
}

static int read_back(struct gmi_manifest_writer *writer)
{
	struct gmi_manifest m;
	int ret = gmi_manifest_read(&gmi_alloc_default, writer->bytes, writer->size, &m);

	if (!ret)
		gmi_manifest_clear(&m);
	gmi_free(&gmi_alloc_default, writer->bytes);
	return ret;
}

static int read_parts(const struct parts *parts)
{
	struct gmi_manifest_writer writer;

	write(&writer, parts);
	return read_back(&writer);
}

static void expect_runs(const struct gmi_manifest_runs *runs)
{
	struct gmi_runs_cursor cursor;

	gmi_runs_begin(runs, &cursor);
	EXPECT("first run", gmi_runs_next(&cursor), 1);
	EXPECT("start", (int64_t)cursor.start, 0);
	EXPECT("size", (int64_t)cursor.size, 300 * 4096);
	EXPECT("state", cursor.state, GMEM_SHARED);
	EXPECT("second run", gmi_runs_next(&cursor), 1);
	EXPECT("start", (int64_t)cursor.start, 300 * 4096);
	EXPECT("size", (int64_t)cursor.size, 4096);
	EXPECT("state", cursor.state, GMEM_PRIVATE);
	EXPECT("end", gmi_runs_next(&cursor), 0);
}

static void round_trip(struct gt *t)
{
	struct gmi_manifest_writer writer;
	struct parts parts = good();
	struct gmi_manifest m;

	write(&writer, &parts);
	MUST(gmi_manifest_read(&gmi_alloc_default, writer.bytes, writer.size, &m) == 0);
	EXPECT("has a VM", m.has_vm, true);
	EXPECT("VM", memcmp(&m.vm, &vm, sizeof(vm)), 0);
	EXPECT("inodes", m.inode_count, 2);
	EXPECT("inode 0", memcmp(&m.inodes[0], &inodes[0], sizeof(inodes[0])), 0);
	EXPECT("inode 1", memcmp(&m.inodes[1], &inodes[1], sizeof(inodes[1])), 0);
	EXPECT("files", m.file_count, 1);
	EXPECT("slots", m.slot_count, 1);
	EXPECT("slot", memcmp(&m.slots[0], &slot, sizeof(slot)), 0);
	EXPECT("lists of runs", m.runs_count, 1);
	expect_runs(&m.runs[0]);
	EXPECT("blobs", m.blob_count, 2);
	EXPECT("name", strcmp(m.blobs[1].name, "devices"), 0);
	EXPECT("empty blob", (int64_t)m.blobs[0].size, 0);
	EXPECT("blob", memcmp(m.blobs[1].data, "0123456789", 10), 0);
	gmi_manifest_clear(&m);
	gmi_free(&gmi_alloc_default, writer.bytes);
}

static void check_of_nine_digits(struct gt *t)
{
	EXPECT("CRC-64/XZ", gmi_crc64("123456789", 9) == UINT64_C(0x995dc9bbdf1939fa), true);
}

/* Each byte of a manifest that changes is noticed, and each that is missing. */
static void every_byte_counts(struct gt *t)
{
	struct gmi_manifest_writer writer;
	struct parts parts = good();
	struct gmi_manifest m;

	write(&writer, &parts);
	for (size_t i = 0; i < writer.size; i++) {
		writer.bytes[i] ^= 0x10;
		if (gmi_manifest_read(&gmi_alloc_default, writer.bytes, writer.size, &m) == 0)
			EXPECT("changed byte", (int64_t)i, -1);
		writer.bytes[i] ^= 0x10;
		if (gmi_manifest_read(&gmi_alloc_default, writer.bytes, i, &m) == 0)
			EXPECT("cut off", (int64_t)i, -1);
	}
	EXPECT("unchanged", read_back(&writer), 0);
}

#define BREAK(statement, want)                                                                     \
	do {                                                                                       \
		struct parts parts = good();                                                       \
		statement;                                                                         \
		EXPECT(#statement, read_parts(&parts), want);                                      \
	} while (0)

static void what_does_not_fit(struct gt *t)
{
	BREAK(, 0);
	BREAK(parts.vm.type = GMEM_VM_TYPE_COUNT, -EOPNOTSUPP);
	BREAK(parts.vm.mechanism = 3, -EOPNOTSUPP);
	BREAK(parts.vm.address_spaces = 0, -EPROTO);
	BREAK(parts.vm.fds = 1, -EPROTO);
	BREAK(parts.vm.fds = GMI_MANIFEST_INODES_MAX + 1, -EPROTO);
	BREAK(parts.vm.release[0] = '\n', -EPROTO);
	BREAK(parts.inodes[0].kind = GMI_INODE_KINDS, -EOPNOTSUPP);
	BREAK(parts.inodes[1].fd = 0, -EPROTO);
	BREAK(parts.inodes[0].size = 0, -EPROTO);
	BREAK(parts.inodes[0].size = 4095, -EPROTO);
	BREAK(parts.inodes[0].size = UINT64_C(1) << 63, -EPROTO);
	BREAK(parts.inodes[0].page_size = 6144, -EPROTO);
	BREAK(parts.inodes[0].flags = 4, -EOPNOTSUPP);
	BREAK(parts.inodes[1].flags = 1, -EOPNOTSUPP);
	BREAK(parts.inodes[0].numa_mode = 4, -EPROTO);
	BREAK(parts.file.inode = 1, -EPROTO);
	BREAK(parts.file.inode = 2, -EPROTO);
	BREAK(parts.file.flags = 1, -EOPNOTSUPP);
	BREAK(parts.slot.gpa = 5, -EPROTO);
	BREAK(parts.slot.gpa = -UINT64_C(4096), -EPROTO);
	BREAK(parts.slot.size = 0, -EPROTO);
	BREAK(parts.slot.flags = UINT32_C(1) << 31, -EOPNOTSUPP);
	BREAK(parts.slot.address_space = 1, -EPROTO);
	BREAK(parts.slot.backing_page = 1, -EPROTO);
	BREAK(parts.slot.file = 1, -EPROTO);
	BREAK(parts.slot.file = GMI_MANIFEST_NONE, -EPROTO);
	BREAK(parts.slot.offset = 33 * MIB, -EPROTO);
	BREAK(parts.slot.offset = UINT64_MAX - 4095, -EPROTO);
	BREAK(parts.slot.host = 0, -EPROTO);
	BREAK(parts.slot.host = 2, -EPROTO);
	BREAK(parts.slot.host_offset = 4096, -EPROTO);
	BREAK((parts.slot.file = parts.slot.host = GMI_MANIFEST_NONE, parts.slot.offset = 0),
	      -EPROTO);
	BREAK(parts.runs_kind = GMI_RUNS_KINDS, -EOPNOTSUPP);
	BREAK(parts.runs_index = 1, -EPROTO);
	BREAK((parts.runs_kind = GMI_RUNS_INODE, parts.runs_index = 1), -EPROTO);
	BREAK((parts.runs_kind = GMI_RUNS_INODE, parts.pages = 64 * 256 - 1), 0);
	BREAK((parts.runs_kind = GMI_RUNS_INODE, parts.pages = 64 * 256), -EPROTO);
	BREAK(parts.first = GMEM_MIXED, -EPROTO);
	BREAK(parts.pages = 0, -EPROTO);
	BREAK(parts.pages = (UINT64_C(1) << 40) - 1, 0);
	BREAK(parts.pages = UINT64_C(1) << 40, -EPROTO);
	BREAK(parts.blobs[0] = "", -EPROTO);
	BREAK(parts.blobs[0] = "a\tb", -EPROTO);
	BREAK(parts.blobs[0] = "devices", -EPROTO);
}

/* A record of a type that nobody knows, by the bytes. */
static int with_unknown(uint32_t type, uint32_t flags)
{
	struct gmi_manifest_writer writer;
	uint8_t *record;

	gmi_manifest_begin(&writer, &gmi_alloc_default);
	gmi_manifest_put_blob(&writer, "late", "", 0);
	gmi_manifest_put_blob(&writer, "unknown", "", 0);
	MUST(gmi_manifest_end(&writer) == 0);
	record = writer.bytes + writer.size - MANIFEST_CHECK_SIZE - BLOB_SIZE - RECORD_HEADER_SIZE;
	put_u32(record, type);
	put_u32(record + 4, flags);
	put_u64(writer.bytes + writer.size - MANIFEST_CHECK_SIZE,
		gmi_crc64(writer.bytes, writer.size - MANIFEST_CHECK_SIZE));
	return read_back(&writer);
}

static void what_is_newer(struct gt *t)
{
	EXPECT("known", with_unknown(GMI_RECORD_BLOB, GMI_RECORD_MANDATORY), 0);
	EXPECT("unknown", with_unknown(1000, 0), 0);
	EXPECT("unknown and mandatory", with_unknown(1000, GMI_RECORD_MANDATORY), -EOPNOTSUPP);
	EXPECT("unknown flag", with_unknown(1000, 2), -EPROTO);
}

static void nothing_but_blobs(struct gt *t)
{
	struct gmi_manifest_writer writer;
	struct gmi_manifest m;

	gmi_manifest_begin(&writer, &gmi_alloc_default);
	gmi_manifest_put_blob(&writer, "late", "now", 4);
	MUST(gmi_manifest_end(&writer) == 0);
	MUST(gmi_manifest_read(&gmi_alloc_default, writer.bytes, writer.size, &m) == 0);
	EXPECT("no VM", m.has_vm, false);
	EXPECT("blobs", m.blob_count, 1);
	gmi_manifest_clear(&m);
	gmi_free(&gmi_alloc_default, writer.bytes);
}

static void parts_without_a_vm(struct gt *t)
{
	struct gmi_manifest_writer writer;

	gmi_manifest_begin(&writer, &gmi_alloc_default);
	gmi_manifest_put_file(&writer, &(struct gmi_manifest_file){0});
	MUST(gmi_manifest_end(&writer) == 0);
	EXPECT("no VM", read_back(&writer), -EPROTO);
}

/* The contract of the size: 100,000 runs of a TiB. */
static void many_runs_are_small(struct gt *t)
{
	struct gmi_manifest_writer writer;
	struct gmi_runs_writer runs;

	gmi_manifest_begin(&writer, &gmi_alloc_default);
	gmi_manifest_put_vm(&writer, &vm);
	gmi_runs_open(&runs, &writer, GMI_RUNS_VM, 0);
	for (uint64_t i = 0; i < 100000; i++)
		gmi_runs_put(&runs, (2000 + i % 1300) * GMEM_PAGE_SIZE, i & 1);
	gmi_runs_close(&runs);
	MUST(gmi_manifest_end(&writer) == 0);
	EXPECT("below 2 MiB", writer.size < 2 * MIB, true);
	EXPECT("readable", read_back(&writer), 0);
}

static const struct gt_test tests[] = {
	{.name = "round_trip", .run = round_trip, .flags = GT_NO_KERNEL},
	{.name = "check_of_nine_digits", .run = check_of_nine_digits, .flags = GT_NO_KERNEL},
	{.name = "every_byte_counts", .run = every_byte_counts, .flags = GT_NO_KERNEL},
	{.name = "what_does_not_fit", .run = what_does_not_fit, .flags = GT_NO_KERNEL},
	{.name = "what_is_newer", .run = what_is_newer, .flags = GT_NO_KERNEL},
	{.name = "nothing_but_blobs", .run = nothing_but_blobs, .flags = GT_NO_KERNEL},
	{.name = "parts_without_a_vm", .run = parts_without_a_vm, .flags = GT_NO_KERNEL},
	{.name = "many_runs_are_small", .run = many_runs_are_small, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
