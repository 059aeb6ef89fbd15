/* SPDX-License-Identifier: MIT */
/* Hashes kernel, initrd and command line the way OVMF checks them. */
#include "kernel_hashes.h"

#include <nettle/sha2.h>
#include <string.h>

#include "guid_table.h"

#define TABLE_SIZE 168
#define ENTRY_SIZE 50

static const struct gmi_guid table_guid =
	GMI_GUID(0x9438d606, 0x4f22, 0x4cc9, 0xb4, 0x79, 0xa793d411fd21);
static const struct gmi_guid append_guid =
	GMI_GUID(0x97d02dd8, 0xbd20, 0x4c94, 0xaa, 0x78, 0xe7714d36ab2a);
static const struct gmi_guid initrd_guid =
	GMI_GUID(0x44baf731, 0x3a2f, 0x4bd7, 0x9a, 0xf1, 0x41e29169781d);
static const struct gmi_guid kernel_guid =
	GMI_GUID(0x4de79437, 0xabd2, 0x427f, 0xb8, 0x35, 0xd5b172d2045b);

/* GUID, u16 length of the whole. */
static uint8_t *put_header(uint8_t *at, struct gmi_guid guid, uint16_t length)
{
	memcpy(at, guid.bytes, GMI_GUID_SIZE);
	memcpy(at + GMI_GUID_SIZE, &length, sizeof(length));
	return at + GMI_GUID_SIZE + sizeof(length);
}

static uint8_t *put_hash(uint8_t *at, struct gmi_guid guid, const void *data, uint64_t size)
{
	struct sha256_ctx sha;

	at = put_header(at, guid, ENTRY_SIZE);
	sha256_init(&sha);
	if (data)
		sha256_update(&sha, size, data);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, at);
	return at + SHA256_DIGEST_SIZE;
}

/* The command line counts with its NUL, and counts as empty where there is none. */
void gmi_kernel_hashes_write(const struct gmem_ovmf_opts *opts, uint8_t *table)
{
	const char *append = opts->append ? opts->append : "";
	uint8_t *at = put_header(table, table_guid, TABLE_SIZE);

	memset(at, 0, GMI_KERNEL_HASHES_SIZE - (size_t)(at - table));
	at = put_hash(at, append_guid, append, strlen(append) + 1);
	at = put_hash(at, initrd_guid, opts->initrd, opts->initrd_size);
	put_hash(at, kernel_guid, opts->kernel, opts->kernel_size);
}
