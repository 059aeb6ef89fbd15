/* SPDX-License-Identifier: MIT */
/* Walks the GUIDed table at the end of OVMF images. */
#include "guid_table.h"

#include <errno.h>
#include <string.h>

/* The table ends this far before the end of the image: the reset vector follows. */
#define TABLE_END 32

/* Behind the data of every entry: u16 length of both, GUID. */
#define ENTRY_TAIL 18

static const struct gmi_guid footer_guid =
	GMI_GUID(0x96b582de, 0x1fb2, 0x45f7, 0xba, 0xea, 0xa366c55a082d);

struct entry {
	struct gmi_bytes data;
	const uint8_t *guid;
	uint64_t length;
};

bool gmi_guid_equal(const uint8_t *bytes, struct gmi_guid guid)
{
	return !memcmp(bytes, guid.bytes, GMI_GUID_SIZE);
}

/* The last entry of @table, whose data lies before its tail. */
static int last_entry(struct gmi_bytes table, struct entry *ret_entry,
		      struct gmem_measure_error *error)
{
	struct gmi_bytes tail, whole;
	struct gmi_reader reader;

	if (!gmi_bytes_slice_end(table, 0, ENTRY_TAIL, &tail))
		return gmi_fail(error, EBADMSG, table.start,
				"GUIDed table: %llu bytes are left over, too few for an entry",
				(unsigned long long)table.size);
	reader = gmi_reader_at(tail, 0, tail.size);
	ret_entry->length = gmi_read_u16(&reader);
	ret_entry->guid = gmi_read_bytes(&reader, GMI_GUID_SIZE);
	if (ret_entry->length < ENTRY_TAIL)
		return gmi_fail(error, EBADMSG, tail.start,
				"GUIDed table: entry length %llu is less than 18",
				(unsigned long long)ret_entry->length);
	if (!gmi_bytes_slice_end(table, 0, ret_entry->length, &whole))
		return gmi_fail(error, EBADMSG, tail.start,
				"GUIDed table: entry of %llu bytes begins before the table",
				(unsigned long long)ret_entry->length);
	gmi_bytes_slice(whole, 0, ret_entry->length - ENTRY_TAIL, &ret_entry->data);
	return 0;
}

static int check_entries(struct gmi_bytes table, struct gmem_measure_error *error)
{
	struct entry entry;
	int ret = 0;

	while (!ret && table.size) {
		ret = last_entry(table, &entry, error);
		if (!ret)
			table.size -= entry.length;
	}
	return ret;
}

int gmi_guid_table_open(struct gmi_bytes image, struct gmi_bytes *ret_table,
			struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes footer, table;
	uint16_t length;
	int ret;

	if (!gmi_bytes_slice_end(image, TABLE_END, ENTRY_TAIL, &footer))
		return gmi_fail(error, ENOENT, 0, "the image is too small for a GUIDed table");
	reader = gmi_reader_at(footer, 0, footer.size);
	length = gmi_read_u16(&reader);
	if (!gmi_guid_equal(gmi_read_bytes(&reader, GMI_GUID_SIZE), footer_guid))
		return gmi_fail(error, ENOENT, footer.start, "the image has no GUIDed table");
	if (length < ENTRY_TAIL)
		return gmi_fail(error, EBADMSG, footer.start,
				"GUIDed table: its length %u is less than its footer", length);
	if (!gmi_bytes_slice_end(image, TABLE_END, length, &table))
		return gmi_fail(error, EBADMSG, footer.start,
				"GUIDed table: its length %u reaches before the image", length);
	table.size -= ENTRY_TAIL;
	ret = check_entries(table, error);
	if (!ret)
		*ret_table = table;
	return ret;
}

int gmi_guid_table_find(struct gmi_bytes table, struct gmi_guid guid, const char *name,
			uint64_t size, struct gmi_bytes *ret_data, struct gmem_measure_error *error)
{
	struct gmi_bytes data = {0};
	struct entry entry;
	int ret;

	for (; table.size; table.size -= entry.length) {
		ret = last_entry(table, &entry, error);
		if (ret)
			return ret;
		if (!gmi_guid_equal(entry.guid, guid))
			continue;
		if (data.data)
			return gmi_fail(error, EBADMSG, entry.data.start,
					"GUIDed table: two entries for the %s", name);
		data = entry.data;
	}
	if (!data.data)
		return gmi_fail(error, ENOENT, GMI_NO_OFFSET, "GUIDed table: no entry for the %s",
				name);
	if (data.size < size)
		return gmi_fail(error, EBADMSG, data.start,
				"GUIDed table: the entry for the %s has %llu bytes, not %llu", name,
				(unsigned long long)data.size, (unsigned long long)size);
	*ret_data = data;
	return 0;
}
