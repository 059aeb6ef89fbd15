/* SPDX-License-Identifier: MIT */
/* Checks the fixed header of an IGVM file and walks its variable headers. */
#include "igvm.h"

#include <errno.h>
#include <string.h>

#include "crc.h"
#include "range.h"

#define MAGIC            0x4d564749
#define FIXED_SIZE       24
#define FIXED_SIZE_V2    32
#define FIXED_CHECKSUM   20
#define ARCHITECTURE_X64 0

/* Before each header: u32 type, u32 length of the content; the next begins at a multiple of 8. */
#define HEADER_SIZE  8
#define HEADER_ALIGN 8

struct type_info {
	const char *name;
	uint32_t type;
	uint32_t size; /* 0: not taken by this reader */
};

static const struct type_info types[] = {
	{"SUPPORTED_PLATFORM", GMI_IGVM_SUPPORTED_PLATFORM, 16},
	{"GUEST_POLICY", GMI_IGVM_GUEST_POLICY, 16},
	{"RELOCATABLE_REGION", 0x102, 0},
	{"PAGE_TABLE_RELOCATION_REGION", 0x103, 0},
	{"PARAMETER_AREA", GMI_IGVM_PARAMETER_AREA, 16},
	{"PAGE_DATA", GMI_IGVM_PAGE_DATA, 24},
	{"PARAMETER_INSERT", GMI_IGVM_PARAMETER_INSERT, 16},
	{"VP_CONTEXT", GMI_IGVM_VP_CONTEXT, 20},
	{"REQUIRED_MEMORY", GMI_IGVM_REQUIRED_MEMORY, 24},
	{"VP_COUNT_PARAMETER", GMI_IGVM_VP_COUNT, 8},
	{"SRAT", 0x308, 0},
	{"MADT", GMI_IGVM_MADT, 8},
	{"MMIO_RANGES", 0x30a, 0},
	{"SNP_ID_BLOCK", GMI_IGVM_SNP_ID_BLOCK, 696},
	{"MEMORY_MAP", GMI_IGVM_MEMORY_MAP, 8},
	{"ERROR_RANGE", 0x30d, 0},
	{"COMMAND_LINE", GMI_IGVM_COMMAND_LINE, 8},
	{"SLIT", 0x30f, 0},
	{"PPTT", 0x310, 0},
	{"VBS_MEASUREMENT", 0x311, 0},
	{"DEVICE_TREE", 0x312, 0},
	{"ENVIRONMENT_INFO_PARAMETER", GMI_IGVM_ENVIRONMENT_INFO, 8},
};

static const struct type_info *find_type(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

struct fixed_header {
	uint32_t magic;
	uint32_t version;
	uint32_t offset;
	uint32_t size;
	uint32_t total;
	uint32_t checksum;
	uint32_t architecture;
	uint32_t page_size;
	uint32_t own_size;
	bool bad;
};

static struct fixed_header read_fixed(struct gmi_bytes file)
{
	struct gmi_reader reader = gmi_reader_at(file, 0, file.size);
	struct fixed_header header = {
		.magic = gmi_read_u32(&reader),
		.version = gmi_read_u32(&reader),
		.offset = gmi_read_u32(&reader),
		.size = gmi_read_u32(&reader),
		.total = gmi_read_u32(&reader),
		.checksum = gmi_read_u32(&reader),
		.architecture = ARCHITECTURE_X64,
		.page_size = GMEM_PAGE_SIZE,
		.own_size = FIXED_SIZE,
	};

	if (header.version == 2) {
		header.architecture = gmi_read_u32(&reader);
		header.page_size = gmi_read_u32(&reader);
		header.own_size = FIXED_SIZE_V2;
	}
	header.bad = reader.bad;
	return header;
}

static int check_fixed(const struct fixed_header *header, struct gmi_bytes file,
		       struct gmem_measure_error *error)
{
	if (header->bad)
		return gmi_fail(error, EBADMSG, 0, "IGVM: the file is too small for its header");
	if (header->magic != MAGIC)
		return gmi_fail(error, EBADMSG, 0, "IGVM: the file does not begin with IGVM");
	if (header->version != 1 && header->version != 2)
		return gmi_fail(error, EOPNOTSUPP, 4, "IGVM: version %u is not known",
				header->version);
	if (header->architecture != ARCHITECTURE_X64)
		return gmi_fail(error, EOPNOTSUPP, 24, "IGVM: architecture %u is not x86-64",
				header->architecture);
	if (header->page_size != GMEM_PAGE_SIZE)
		return gmi_fail(error, EOPNOTSUPP, 28, "IGVM: page size %u is not 4096",
				header->page_size);
	if (header->total > file.size)
		return gmi_fail(error, EBADMSG, 16,
				"IGVM: the header says %u bytes, the file has %llu", header->total,
				(unsigned long long)file.size);
	if (header->offset < header->own_size || !gmi_is_aligned(header->offset, HEADER_ALIGN))
		return gmi_fail(
			error, EBADMSG, 8,
			"IGVM: the variable headers begin at 0x%x, inside the fixed header or "
			"unaligned",
			header->offset);
	return 0;
}

/* The fixed header with a checksum of 0, and the variable headers. */
static uint32_t checksum(const struct fixed_header *header, const struct gmi_igvm *igvm)
{
	uint8_t fixed[FIXED_SIZE_V2];

	memcpy(fixed, igvm->file.data, header->own_size);
	memset(fixed + FIXED_CHECKSUM, 0, 4);
	return gmi_crc32(gmi_crc32(0, fixed, header->own_size), igvm->headers.data,
			 igvm->headers.size);
}

int gmi_igvm_open(struct gmi_bytes file, struct gmi_igvm *ret_igvm,
		  struct gmem_measure_error *error)
{
	struct fixed_header header = read_fixed(file);
	uint32_t computed;
	int ret = check_fixed(&header, file, error);

	if (ret)
		return ret;
	file.size = header.total;
	ret_igvm->file = file;
	if (!gmi_bytes_slice(file, header.offset, header.size, &ret_igvm->headers))
		return gmi_fail(error, EBADMSG, 12,
				"IGVM: variable headers 0x%x+0x%x are outside the file",
				header.offset, header.size);
	computed = checksum(&header, ret_igvm);
	if (computed != header.checksum)
		return gmi_fail(error, EBADMSG, FIXED_CHECKSUM,
				"IGVM: the checksum is 0x%08x, the header says 0x%08x", computed,
				header.checksum);
	return 0;
}

/* The section that a type belongs to; they come in this order. 0: none. */
static unsigned int section_of(uint32_t type)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} sections[] = {{0x1, 0x100}, {0x101, 0x200}, {0x301, 0x400}};

	for (unsigned int i = 0; i < 3; i++)
		if (type >= sections[i].first && type <= sections[i].last)
			return i + 1;
	return 0;
}

/* Takes type, content and padding off @left. The padding of the last header may be missing. */
static int split_header(struct gmi_bytes *left, struct gmi_igvm_header *header,
			uint32_t *ret_length, struct gmem_measure_error *error)
{
	struct gmi_reader reader = gmi_reader_at(*left, 0, HEADER_SIZE);
	struct gmi_bytes padding;
	uint64_t padded;

	header->offset = left->start;
	header->type = gmi_read_u32(&reader);
	*ret_length = gmi_read_u32(&reader);
	if (reader.bad)
		return gmi_fail(error, EBADMSG, left->start,
				"IGVM: %llu bytes are left over, too few for a header",
				(unsigned long long)left->size);
	header->content = gmi_reader_at(*left, HEADER_SIZE, *ret_length);
	if (header->content.bad)
		return gmi_fail(error, EBADMSG, left->start,
				"IGVM: a header of %u bytes reaches past the variable headers",
				*ret_length);
	gmi_align_up(*ret_length, HEADER_ALIGN, &padded);
	if (padded > left->size - HEADER_SIZE)
		padded = left->size - HEADER_SIZE;
	gmi_bytes_slice(*left, HEADER_SIZE + *ret_length, padded - *ret_length, &padding);
	gmi_bytes_slice_end(*left, 0, left->size - HEADER_SIZE - padded, left);
	for (uint64_t i = 0; i < padding.size; i++)
		if (padding.data[i])
			return gmi_fail(error, EBADMSG, padding.start + i,
					"IGVM: the padding behind a header is not zero");
	return 0;
}

static bool is_taken(const struct type_info *info)
{
	return info && info->size;
}

static int check_header(const struct gmi_igvm_header *header, uint32_t length,
			unsigned int *section, struct gmem_measure_error *error)
{
	const struct type_info *info = find_type(header->type);
	unsigned int here = section_of(header->type);

	if (!info)
		return gmi_fail(error, EOPNOTSUPP, header->offset,
				"IGVM: header type 0x%x is not known", header->type);
	if (!is_taken(info))
		return gmi_fail(error, EOPNOTSUPP, header->offset, "IGVM: %s is not supported",
				info->name);
	if (here < *section)
		return gmi_fail(error, EBADMSG, header->offset,
				"IGVM: %s comes after headers of a later section", info->name);
	*section = here;
	if (length != info->size)
		return gmi_fail(error, EBADMSG, header->offset, "IGVM: %s has %u bytes, not %u",
				info->name, length, info->size);
	return 0;
}

/* True for a header that says of itself that a loader may pass it over, and that we do not take. */
static bool is_passed_over(struct gmi_igvm_header *header)
{
	if (!(header->type & GMI_IGVM_IGNORABLE))
		return false;
	header->type &= ~GMI_IGVM_IGNORABLE;
	return !is_taken(find_type(header->type));
}

int gmi_igvm_next(struct gmi_bytes *left, unsigned int *section, struct gmi_igvm_header *ret_header,
		  struct gmem_measure_error *error)
{
	uint32_t length;
	int ret;

	while (left->size) {
		ret = split_header(left, ret_header, &length, error);
		if (ret)
			return ret;
		if (!is_passed_over(ret_header))
			return check_header(ret_header, length, section, error);
	}
	ret_header->type = 0;
	return 0;
}
