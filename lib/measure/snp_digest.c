/* SPDX-License-Identifier: MIT */
/* The SEV-SNP launch digest: a chain of SHA-384 over one PAGE_INFO for each 4K page. */
#include <nettle/sha2.h>
#include <string.h>

#include "digest.h"
#include "source.h"

/* PAGE_INFO of SNP_LAUNCH_UPDATE (AMD 56860). KVM leaves the bytes between type and GPA at 0. */
#define PAGE_INFO_SIZE   0x70
#define PAGE_INFO_LENGTH 96
#define PAGE_INFO_TYPE   98
#define PAGE_INFO_GPA    104

#define DIGEST_SIZE SHA384_DIGEST_SIZE

/* @page, NULL before the first, and @page_digest remember the last measured page: firmware has long runs
 * of equal pages, and all vCPUs but the first start alike. The scratch pages are used in turn, so that
 * @page stays good until the next one is compared with it. */
struct chain {
	uint8_t info[PAGE_INFO_SIZE];
	uint8_t page_digest[DIGEST_SIZE];
	const uint8_t *page;
	unsigned int turn;
	uint8_t scratch[2][GMEM_PAGE_SIZE];
};

static void sha384(const uint8_t *data, size_t size, uint8_t *ret_digest)
{
	struct sha384_ctx sha;

	sha384_init(&sha);
	sha384_update(&sha, size, data);
	sha384_digest(&sha, DIGEST_SIZE, ret_digest);
}

static void hash_page(struct chain *chain, const uint8_t *bytes)
{
	if (!chain->page || memcmp(chain->page, bytes, GMEM_PAGE_SIZE))
		sha384(bytes, GMEM_PAGE_SIZE, chain->page_digest);
	chain->page = bytes;
}

static void chain_start(struct chain *chain, const uint8_t *start)
{
	uint16_t length = PAGE_INFO_SIZE;

	memset(chain->info, 0, sizeof(chain->info));
	if (start)
		memcpy(chain->info, start, DIGEST_SIZE);
	memcpy(chain->info + PAGE_INFO_LENGTH, &length, sizeof(length));
	chain->page = NULL;
	chain->turn = 0;
}

/* @contents: a digest, or NULL for the types whose contents do not count. */
static void chain_page(struct chain *chain, uint32_t type, uint64_t gpa, const uint8_t *contents)
{
	uint8_t *info = chain->info;

	if (contents)
		memcpy(info + DIGEST_SIZE, contents, DIGEST_SIZE);
	else
		memset(info + DIGEST_SIZE, 0, DIGEST_SIZE);
	info[PAGE_INFO_TYPE] = (uint8_t)type;
	memcpy(info + PAGE_INFO_GPA, &gpa, sizeof(gpa));
	sha384(info, PAGE_INFO_SIZE, info);
}

static int chain_step(struct chain *chain, const struct gmem_launch_step *step,
		      struct gmem_measure_error *error)
{
	bool measured = step->flags & GMEM_LAUNCH_MEASURED;
	const uint8_t *bytes;
	int ret;

	for (uint64_t at = 0; at < step->size; at += GMEM_PAGE_SIZE) {
		if (measured) {
			ret = gmi_source_get(step, at, GMEM_PAGE_SIZE,
					     chain->scratch[chain->turn++ & 1], &bytes, error);
			if (ret)
				return ret;
			hash_page(chain, bytes);
		}
		chain_page(chain, step->type, step->gpa + at, measured ? chain->page_digest : NULL);
	}
	return 0;
}

int gmi_snp_digest(const struct gmem_plan *plan, const uint8_t *start,
		   struct gmem_digest *ret_digest, struct gmem_measure_error *error)
{
	struct chain chain;
	int ret = 0;

	chain_start(&chain, start);
	for (size_t i = 0; !ret && i < plan->count; i++)
		ret = chain_step(&chain, &plan->steps[i], error);
	if (ret)
		return ret;
	memcpy(ret_digest->bytes, chain.info, DIGEST_SIZE);
	ret_digest->size = DIGEST_SIZE;
	return 0;
}
