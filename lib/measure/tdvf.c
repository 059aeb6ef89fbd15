/* SPDX-License-Identifier: MIT */
/* Finds and checks the descriptor of a TDVF image and each of its sections. */
#include "tdvf.h"

#include <errno.h>
#include <string.h>

#include "guid_table.h"
#include "range.h"

#define HEADER_SIZE 16
#define ITEM_SIZE   32
#define VERSION     1

/* Where an image without GUIDed table has the descriptor's offset, before its end. */
#define OFFSET_DISTANCE 0x20

static const struct gmi_guid tdx_guid =
	GMI_GUID(0xe47a6535, 0x984a, 0x4798, 0x86, 0x5e, 0x4685a7bf8ec2);
static const struct gmi_guid descriptor_guid =
	GMI_GUID(0xe9eaf9f3, 0x168e, 0x44d5, 0xa8, 0xeb, 0x7f4d8738f6ae);

enum data_rule { NO_DATA, SOME_DATA, ANY_DATA };

struct type_rule {
	const char *name;
	enum data_rule data;
	bool memory;    /* false: describes a part of a BFV and has no memory */
	uint32_t never; /* attributes that contradict the type */
	uint32_t always;
};

static const struct type_rule rules[GMI_TDVF_TYPE_COUNT] = {
	[GMI_TDVF_BFV] = {"BFV", SOME_DATA, true, GMI_TDVF_PAGE_AUG, 0},
	[GMI_TDVF_CFV] = {"CFV", SOME_DATA, true, GMI_TDVF_PAGE_AUG, 0},
	[GMI_TDVF_TD_HOB] = {"TD_HOB", NO_DATA, true, GMI_TDVF_PAGE_AUG | GMI_TDVF_MR_EXTEND, 0},
	[GMI_TDVF_TEMP_MEM] = {"TempMem", NO_DATA, true, 0, 0},
	[GMI_TDVF_PERM_MEM] = {"PermMem", NO_DATA, true, GMI_TDVF_MR_EXTEND, GMI_TDVF_PAGE_AUG},
	[GMI_TDVF_PAYLOAD] = {"Payload", ANY_DATA, true, GMI_TDVF_PAGE_AUG, 0},
	[GMI_TDVF_PAYLOAD_PARAM] = {"PayloadParam", ANY_DATA, true,
				    GMI_TDVF_PAGE_AUG | GMI_TDVF_MR_EXTEND, 0},
	[GMI_TDVF_TD_INFO] = {"TdInfo", SOME_DATA, false, GMI_TDVF_PAGE_AUG | GMI_TDVF_MR_EXTEND,
			      0},
	[GMI_TDVF_TD_PARAMS] = {"TdParams", SOME_DATA, false,
				GMI_TDVF_PAGE_AUG | GMI_TDVF_MR_EXTEND, 0},
};

const char *gmi_tdvf_type_name(uint32_t type)
{
	return rules[type].name;
}

static int find_by_table(struct gmi_bytes image, struct gmi_bytes table, uint64_t *ret_offset,
			 struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes entry;
	uint32_t distance;
	int ret = gmi_guid_table_find(table, tdx_guid, "TDX metadata", 4, &entry, error);

	if (ret)
		return ret;
	reader = gmi_reader_at(entry, 0, 4);
	distance = gmi_read_u32(&reader);
	if (distance > image.size)
		return gmi_fail(
			error, EBADMSG, entry.start,
			"TDX metadata: begins %u bytes before the image's end, outside the image",
			distance);
	*ret_offset = image.size - distance;
	return 0;
}

/* td-shim's own way, for images without a GUIDed table. */
static int find_by_offset(struct gmi_bytes image, uint64_t *ret_offset,
			  struct gmem_measure_error *error)
{
	struct gmi_reader reader;
	struct gmi_bytes word;

	if (!gmi_bytes_slice_end(image, OFFSET_DISTANCE - 4, 4, &word))
		return gmi_fail(error, ENOENT, GMI_NO_OFFSET,
				"the image is too small for TDX metadata");
	reader = gmi_reader_at(word, 0, 4);
	*ret_offset = gmi_read_u32(&reader);
	if (*ret_offset >= image.size)
		return gmi_fail(
			error, ENOENT, word.start,
			"the image has no GUIDed table, and the offset 0x%llx at its end is "
			"outside it",
			(unsigned long long)*ret_offset);
	return 0;
}

static int find_descriptor(struct gmi_bytes image, uint64_t *ret_offset,
			   struct gmem_measure_error *error)
{
	struct gmi_bytes table;
	int ret = gmi_guid_table_open(image, &table, error);

	if (!ret)
		return find_by_table(image, table, ret_offset, error);
	return ret == -ENOENT ? find_by_offset(image, ret_offset, error) : ret;
}

static int check_guid(struct gmi_bytes image, uint64_t offset, struct gmem_measure_error *error)
{
	struct gmi_bytes guid;

	if (offset < GMI_GUID_SIZE ||
	    !gmi_bytes_slice(image, offset - GMI_GUID_SIZE, GMI_GUID_SIZE, &guid))
		return gmi_fail(error, EBADMSG, offset,
				"TDX metadata: no room for its GUID before it");
	if (!gmi_guid_equal(guid.data, descriptor_guid))
		return gmi_fail(error, EBADMSG, guid.start,
				"TDX metadata: the GUID before it is another one");
	return 0;
}

static int read_descriptor(struct gmi_bytes image, uint64_t offset, struct gmi_tdvf *tdvf,
			   struct gmem_measure_error *error)
{
	struct gmi_reader reader = gmi_reader_at(image, offset, HEADER_SIZE);
	const uint8_t *signature = gmi_read_bytes(&reader, 4);
	uint32_t length = gmi_read_u32(&reader);
	uint32_t version = gmi_read_u32(&reader);
	uint64_t items;

	tdvf->count = gmi_read_u32(&reader);
	items = (uint64_t)tdvf->count * ITEM_SIZE;
	if (reader.bad)
		return gmi_fail(error, EBADMSG, offset,
				"TDX metadata: no room for its header in the image");
	if (memcmp(signature, "TDVF", 4))
		return gmi_fail(error, EBADMSG, offset, "TDX metadata: the signature is not TDVF");
	if (version != VERSION)
		return gmi_fail(error, EBADMSG, offset + 8, "TDX metadata: version %u is not known",
				version);
	if (length != HEADER_SIZE + items)
		return gmi_fail(error, EBADMSG, offset + 4,
				"TDX metadata: its length %u does not fit %u sections", length,
				tdvf->count);
	if (!gmi_bytes_slice(image, offset + HEADER_SIZE, items, &tdvf->items))
		return gmi_fail(error, EBADMSG, offset + 12,
				"TDX metadata: %u sections reach past the image", tdvf->count);
	return 0;
}

int gmi_tdvf_open(struct gmi_bytes image, struct gmi_tdvf *ret_tdvf,
		  struct gmem_measure_error *error)
{
	uint64_t offset = 0;
	int ret = find_descriptor(image, &offset, error);

	if (!ret)
		ret = read_descriptor(image, offset, ret_tdvf, error);
	if (!ret)
		ret = check_guid(image, offset, error);
	ret_tdvf->image = image;
	return ret;
}

static int check_attributes(const struct gmi_tdvf_section *section, const struct type_rule *rule,
			    struct gmem_measure_error *error)
{
	uint32_t known = GMI_TDVF_MR_EXTEND | GMI_TDVF_PAGE_AUG;

	if (section->attributes & ~known || section->attributes == known ||
	    section->attributes & rule->never ||
	    (section->attributes & rule->always) != rule->always)
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: attributes 0x%x on a %s section",
				section->attributes, rule->name);
	return 0;
}

static int check_data(const struct gmi_tdvf_section *section, const struct type_rule *rule,
		      struct gmem_measure_error *error)
{
	if (rule->data == SOME_DATA && !section->data.size)
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section without data", rule->name);
	if (rule->data == NO_DATA && section->data.size)
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section with data", rule->name);
	return 0;
}

static int check_memory(const struct gmi_tdvf_section *section, const struct type_rule *rule,
			struct gmem_measure_error *error)
{
	if (!rule->memory && (section->gpa || section->size))
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section with memory", rule->name);
	if (!rule->memory)
		return 0;
	if (!gmi_is_aligned(section->gpa, GMEM_PAGE_SIZE))
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section address 0x%llx is not page aligned",
				rule->name, (unsigned long long)section->gpa);
	if (!section->size || !gmi_is_aligned(section->size, GMEM_PAGE_SIZE))
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section has 0x%llx bytes of memory, not pages",
				rule->name, (unsigned long long)section->size);
	if (section->data.size > section->size)
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: %s section has more data than memory", rule->name);
	/* What a measurement of the rest is differs between programs: no launch can be predicted. */
	if (section->attributes & GMI_TDVF_MR_EXTEND && section->data.size &&
	    section->data.size != section->size)
		return gmi_fail(error, EBADMSG, section->offset,
				"TDX metadata: measured %s section with less data than memory",
				rule->name);
	return 0;
}

int gmi_tdvf_get_section(const struct gmi_tdvf *tdvf, uint32_t index,
			 struct gmi_tdvf_section *ret_section, struct gmem_measure_error *error)
{
	struct gmi_reader reader =
		gmi_reader_at(tdvf->items, (uint64_t)index * ITEM_SIZE, ITEM_SIZE);
	uint64_t offset = reader.left.start;
	uint32_t data_offset = gmi_read_u32(&reader);
	uint32_t data_size = gmi_read_u32(&reader);
	const struct type_rule *rule;
	int ret;

	ret_section->offset = offset;
	ret_section->gpa = gmi_read_u64(&reader);
	ret_section->size = gmi_read_u64(&reader);
	ret_section->type = gmi_read_u32(&reader);
	ret_section->attributes = gmi_read_u32(&reader);
	if (ret_section->type >= GMI_TDVF_TYPE_COUNT)
		return gmi_fail(error, EBADMSG, offset,
				"TDX metadata: section type %u is not known", ret_section->type);
	rule = &rules[ret_section->type];
	if (!gmi_bytes_slice(tdvf->image, data_size ? data_offset : 0, data_size,
			     &ret_section->data))
		return gmi_fail(error, EBADMSG, offset,
				"TDX metadata: data of a %s section 0x%x+0x%x is outside the image",
				rule->name, data_offset, data_size);
	ret = check_attributes(ret_section, rule, error);
	if (!ret)
		ret = check_data(ret_section, rule, error);
	return ret ? ret : check_memory(ret_section, rule, error);
}
