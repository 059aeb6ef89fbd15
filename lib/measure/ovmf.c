/* SPDX-License-Identifier: MIT */
/* Reads SEV metadata, reset block, hash area and SVSM entry of a firmware image. */
#include "ovmf.h"

#include <errno.h>
#include <string.h>

#include "guid_table.h"
#include "range.h"

#define FOUR_GIB (UINT64_C(1) << 32)

#define METADATA_HEADER_SIZE 16
#define METADATA_ITEM_SIZE   12
#define METADATA_VERSION     1

/* A bare reset block: u32 address, u16 length, GUID, right before the last 32 bytes. */
#define BARE_RESET_SIZE 22
#define BARE_RESET_END  32

static const struct gmi_guid metadata_guid =
	GMI_GUID(0xdc886566, 0x984a, 0x4798, 0xa7, 0x5e, 0x5585a7bf67cc);
static const struct gmi_guid reset_guid =
	GMI_GUID(0x00f771de, 0x1a7e, 0x4fcb, 0x89, 0x0e, 0x68c77e2fb44e);
static const struct gmi_guid hash_area_guid =
	GMI_GUID(0x7255371f, 0x3a3b, 0x4b04, 0x92, 0x7b, 0x1da6efa8d454);
static const struct gmi_guid svsm_guid =
	GMI_GUID(0xa789a612, 0x0597, 0x4c4b, 0xa4, 0x9f, 0xcbb1fe9d1ddd);

/* The block of header and items, which begins @distance before the end of the image. */
static int read_metadata(struct gmi_bytes block, struct gmi_ovmf_sections *ret_sections,
			 struct gmem_measure_error *error)
{
	struct gmi_reader reader = gmi_reader_at(block, 0, METADATA_HEADER_SIZE);
	const uint8_t *signature = gmi_read_bytes(&reader, 4);
	uint32_t length = gmi_read_u32(&reader);
	uint32_t version = gmi_read_u32(&reader);
	uint32_t count = gmi_read_u32(&reader);

	if (reader.bad)
		return gmi_fail(error, EBADMSG, block.start,
				"SEV metadata: no room for its header at the image's end");
	if (memcmp(signature, "ASEV", 4))
		return gmi_fail(error, EBADMSG, block.start,
				"SEV metadata: the signature is not ASEV");
	if (version != METADATA_VERSION)
		return gmi_fail(error, EBADMSG, block.start + 8,
				"SEV metadata: version %u is not known", version);
	if (length > block.size)
		return gmi_fail(error, EBADMSG, block.start + 4,
				"SEV metadata: its length %u reaches past the image", length);
	if (METADATA_HEADER_SIZE + (uint64_t)count * METADATA_ITEM_SIZE > length)
		return gmi_fail(error, EBADMSG, block.start + 12,
				"SEV metadata: %u sections do not fit in its length %u", count,
				length);
	gmi_bytes_slice(block, METADATA_HEADER_SIZE, (uint64_t)count * METADATA_ITEM_SIZE,
			&ret_sections->items);
	ret_sections->count = count;
	return 0;
}

int gmi_ovmf_find_sections(struct gmi_bytes image, struct gmi_bytes table,
			   struct gmi_ovmf_sections *ret_sections, struct gmem_measure_error *error)
{
	struct gmi_bytes entry, block;
	struct gmi_reader reader;
	uint32_t distance;
	int ret = gmi_guid_table_find(table, metadata_guid, "SEV metadata", 4, &entry, error);

	if (ret)
		return ret;
	reader = gmi_reader_at(entry, 0, 4);
	distance = gmi_read_u32(&reader);
	if (distance > image.size)
		return gmi_fail(
			error, EBADMSG, entry.start,
			"SEV metadata: begins %u bytes before the image's end, outside the image",
			distance);
	gmi_bytes_slice_end(image, 0, distance, &block);
	return read_metadata(block, ret_sections, error);
}

static int check_section(const struct gmi_ovmf_section *section, uint64_t offset,
			 struct gmem_measure_error *error)
{
	if (!section->size)
		return gmi_fail(error, EBADMSG, offset, "SEV metadata: section at 0x%x is empty",
				section->gpa);
	if (!gmi_is_aligned(section->gpa, GMEM_PAGE_SIZE))
		return gmi_fail(error, EBADMSG, offset,
				"SEV metadata: section address 0x%x is not page aligned",
				section->gpa);
	if (!gmi_is_aligned(section->size, GMEM_PAGE_SIZE))
		return gmi_fail(error, EBADMSG, offset,
				"SEV metadata: section size 0x%x is not a multiple of a page",
				section->size);
	if (!gmi_range_is_within(section->gpa, section->size, FOUR_GIB))
		return gmi_fail(error, EBADMSG, offset,
				"SEV metadata: section 0x%x+0x%x ends above 4 GiB", section->gpa,
				section->size);
	return 0;
}

/* The firmware writes one page of secrets and takes one CPUID table. */
static int check_section_type(const struct gmi_ovmf_section *section, uint64_t offset,
			      struct gmem_measure_error *error)
{
	switch (section->type) {
	case GMI_OVMF_SEC_MEM:
	case GMI_OVMF_SVSM_CAA:
	case GMI_OVMF_KERNEL_HASHES:
		return 0;
	case GMI_OVMF_SECRETS:
	case GMI_OVMF_CPUID:
		if (section->size == GMEM_PAGE_SIZE)
			return 0;
		return gmi_fail(error, EBADMSG, offset,
				"SEV metadata: %s section of 0x%x bytes, not one page",
				section->type == GMI_OVMF_CPUID ? "CPUID" : "secrets",
				section->size);
	}
	return gmi_fail(error, EBADMSG, offset, "SEV metadata: section type %u is not known",
			section->type);
}

int gmi_ovmf_get_section(const struct gmi_ovmf_sections *sections, uint32_t index,
			 struct gmi_ovmf_section *ret_section, struct gmem_measure_error *error)
{
	struct gmi_reader reader = gmi_reader_at(
		sections->items, (uint64_t)index * METADATA_ITEM_SIZE, METADATA_ITEM_SIZE);
	uint64_t offset = reader.left.start;
	int ret;

	ret_section->gpa = gmi_read_u32(&reader);
	ret_section->size = gmi_read_u32(&reader);
	ret_section->type = gmi_read_u32(&reader);
	ret = check_section_type(ret_section, offset, error);
	return ret ? ret : check_section(ret_section, offset, error);
}

int gmi_ovmf_find_hash_area(struct gmi_bytes table, struct gmem_range *ret_area,
			    struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes entry;
	int ret = gmi_guid_table_find(table, hash_area_guid, "kernel hash area", 8, &entry, error);

	if (ret)
		return ret;
	reader = gmi_reader_at(entry, 0, 8);
	ret_area->start = gmi_read_u32(&reader);
	ret_area->size = gmi_read_u32(&reader);
	if (!ret_area->start)
		return gmi_fail(error, ENOENT, entry.start,
				"the image takes no kernel hashes: its hash area is at 0");
	return 0;
}

int gmi_ovmf_find_svsm_entry(struct gmi_bytes table, uint32_t *ret_offset,
			     struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes entry;
	int ret = gmi_guid_table_find(table, svsm_guid, "SVSM entry point", 4, &entry, error);

	if (ret)
		return ret;
	reader = gmi_reader_at(entry, 0, 4);
	*ret_offset = gmi_read_u32(&reader);
	return 0;
}

static int find_bare_reset(struct gmi_bytes image, struct gmi_bytes *ret_entry,
			   struct gmem_measure_error *error)
{
	struct gmi_bytes block;

	if (!gmi_bytes_slice_end(image, BARE_RESET_END, BARE_RESET_SIZE, &block) ||
	    !gmi_guid_equal(block.data + BARE_RESET_SIZE - GMI_GUID_SIZE, reset_guid))
		return gmi_fail(error, ENOENT, GMI_NO_OFFSET,
				"the image has neither a GUIDed table nor a SEV-ES reset block");
	*ret_entry = block;
	return 0;
}

int gmi_ovmf_find_reset(struct gmi_bytes image, struct gmi_bytes table, uint32_t *ret_address,
			struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes entry;
	int ret;

	if (table.data)
		ret = gmi_guid_table_find(table, reset_guid, "SEV-ES reset block", 4, &entry,
					  error);
	else
		ret = find_bare_reset(image, &entry, error);
	if (ret)
		return ret;
	reader = gmi_reader_at(entry, 0, 4);
	*ret_address = gmi_read_u32(&reader);
	if (!*ret_address)
		return gmi_fail(error, EBADMSG, entry.start,
				"SEV-ES reset block: the reset address is 0");
	return 0;
}
