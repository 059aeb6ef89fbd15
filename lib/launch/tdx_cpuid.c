/* SPDX-License-Identifier: MIT */
/* The CPUID of a TD: what can be chosen of it, and how what comes of it differs from what was wanted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "opts.h"
#include "tdx_object.h"

#define REGISTERS 4

_Static_assert(sizeof(struct gmem_tdx_cpuid) == sizeof(struct gmi_kvm_cpuid_entry2),
	       "a CPUID entry is laid out as KVM's");

static uint32_t get(const struct gmem_tdx_cpuid *entry, uint32_t reg)
{
	const uint32_t registers[] = {entry->eax, entry->ebx, entry->ecx, entry->edx};

	return registers[reg];
}

static const struct gmem_tdx_cpuid *configurable(const struct gmem_tdx *tdx, uint32_t *ret_count)
{
	*ret_count = tdx->caps->cpuid.nent;
	return (const struct gmem_tdx_cpuid *)tdx->caps->cpuid.entries;
}

GMEM_API const struct gmem_tdx_cpuid *gmem_tdx_configurable(const struct gmem_tdx *tdx,
							    size_t *ret_count)
{
	const struct gmem_tdx_cpuid *first;
	uint32_t count;

	if (!tdx || !ret_count)
		return NULL;
	first = configurable(tdx, &count);
	*ret_count = count;
	return first;
}

/* As KVM finds an entry: the first whose index does not count, or is the same. */
const struct gmem_tdx_cpuid *gmi_tdx_find_cpuid(const struct gmem_tdx_cpuid *entries, size_t count,
						uint32_t function, uint32_t index)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].function == function &&
		    (!(entries[i].flags & GMEM_TDX_CPUID_INDEX) || entries[i].index == index))
			return &entries[i];
	return NULL;
}

int gmi_tdx_check_cpuid(const struct gmem_tdx_cpuid_opts *in, struct gmem_tdx_cpuid_opts *ret_opts)
{
	int ret;

	*ret_opts = (struct gmem_tdx_cpuid_opts){.sz = sizeof(*ret_opts)};
	ret = gmi_opts_get(ret_opts, sizeof(*ret_opts), in);
	if (ret)
		return ret;
	if (ret_opts->count && !ret_opts->entries)
		return gmi_error_arg("entries", "a NULL pointer");
	if (ret_opts->count > GMEM_TDX_CPUID_MAX)
		return gmi_error_arg("count", "%zu entries, more than %d", ret_opts->count,
				     GMEM_TDX_CPUID_MAX);
	return 0;
}

/* What the report answers, with a record of its own. */
static int report(const struct gmem_tdx_cpuid_opts *opts,
		  const struct gmem_tdx_difference *difference)
{
	char text[160];
	int ret = opts->report ? opts->report(opts->user, difference) : 0;

	if (ret >= 0)
		return 0;
	gmem_tdx_difference_text(difference, text, sizeof(text));
	return gmi_error(ret, "the CPUID was rejected: %s", text);
}

/* The bits of a leaf that are set and that nobody can choose. */
static int report_fixed(const struct gmem_tdx_cpuid_opts *opts, const struct gmem_tdx_cpuid *wanted,
			const struct gmem_tdx_cpuid *mask)
{
	struct gmem_tdx_difference difference = {
		.function = wanted->function,
		.index = wanted->index,
	};
	int ret = 0;

	for (uint32_t reg = 0; !ret && reg < REGISTERS; reg++) {
		difference.reg = reg;
		difference.wanted = get(wanted, reg);
		difference.got = mask ? difference.wanted & get(mask, reg) : 0;
		difference.bits = difference.wanted & ~difference.got;
		if (difference.bits)
			ret = report(opts, &difference);
	}
	return ret;
}

static int report_all_fixed(const struct gmem_tdx *tdx, const struct gmem_tdx_cpuid_opts *opts)
{
	uint32_t count;
	const struct gmem_tdx_cpuid *masks = configurable(tdx, &count);
	int ret = 0;

	for (size_t i = 0; !ret && i < opts->count; i++)
		ret = report_fixed(opts, &opts->entries[i],
				   gmi_tdx_find_cpuid(masks, count, opts->entries[i].function,
						      opts->entries[i].index));
	return ret;
}

/*
 * KVM looks a leaf up by function and index, and refuses a list of which it did not use each entry
 * once; so all get their index, and are given only where they can be chosen.
 */
static struct gmem_tdx_cpuid masked(const struct gmem_tdx_cpuid *wanted,
				    const struct gmem_tdx_cpuid *mask)
{
	return (struct gmem_tdx_cpuid){
		.function = mask->function,
		.index = mask->index,
		.flags = GMEM_TDX_CPUID_INDEX,
		.eax = wanted->eax & mask->eax,
		.ebx = wanted->ebx & mask->ebx,
		.ecx = wanted->ecx & mask->ecx,
		.edx = wanted->edx & mask->edx,
	};
}

int gmi_tdx_filter(const struct gmem_tdx *tdx, const struct gmem_tdx_cpuid_opts *opts,
		   struct gmem_tdx_cpuid *ret_entries, size_t room, size_t *ret_count)
{
	uint32_t masks_count;
	const struct gmem_tdx_cpuid *masks = configurable(tdx, &masks_count), *wanted;
	size_t count = 0;
	int ret = report_all_fixed(tdx, opts);

	for (uint32_t i = 0; !ret && i < masks_count; i++) {
		wanted = gmi_tdx_find_cpuid(opts->entries, opts->count, masks[i].function,
					    masks[i].index);
		if (!wanted)
			continue;
		if (count == room)
			return gmi_error(-ENOSPC, "more than %zu leaves can be chosen", room);
		ret_entries[count++] = masked(wanted, &masks[i]);
	}
	if (!ret)
		*ret_count = count;
	return ret;
}

static int filter(const struct gmem_tdx *tdx, const struct gmem_tdx_cpuid_opts *in,
		  struct gmem_tdx_cpuid *ret_entries, size_t room, size_t *ret_count)
{
	struct gmem_tdx_cpuid_opts opts;
	int ret;

	if (!tdx)
		return gmi_error_arg("tdx", "a NULL pointer");
	if (!in)
		return gmi_error_arg("opts", "a NULL pointer");
	if (!ret_count || (room && !ret_entries))
		return gmi_error_arg("ret_entries", "a NULL pointer");
	ret = gmi_tdx_check_cpuid(in, &opts);
	return ret ? ret : gmi_tdx_filter(tdx, &opts, ret_entries, room, ret_count);
}

GMEM_API int gmem_tdx_filter_cpuid(const struct gmem_tdx *tdx,
				   const struct gmem_tdx_cpuid_opts *opts,
				   struct gmem_tdx_cpuid *ret_entries, size_t room,
				   size_t *ret_count)
{
	return gmi_result(__func__, filter(tdx, opts, ret_entries, room, ret_count));
}

/* " 4, 11": the numbers of the bits that are set. @text has room for 32 of them. */
static void list_bits(uint32_t bits, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t bit = 0; bit < 32; bit++)
		if (bits >> bit & 1)
			used += (size_t)snprintf(text + used, size - used, "%s %u", used ? "," : "",
						 bit);
}

GMEM_API int gmem_tdx_difference_text(const struct gmem_tdx_difference *difference, char *text,
				      size_t size)
{
	static const char *const registers[] = {"EAX", "EBX", "ECX", "EDX"};
	char bits[160];

	if (!difference || (size && !text) || difference->reg >= REGISTERS)
		return gmi_result(__func__,
				  gmi_error_arg("difference", "a NULL pointer, or no register"));
	list_bits(difference->bits, bits, sizeof(bits));
	return snprintf(text, size, "CPUID %#x.%u %s: bit%s%s: wanted %#x, got %#x",
			difference->function, difference->index, registers[difference->reg],
			difference->bits & (difference->bits - 1) ? "s" : "", bits,
			difference->wanted, difference->got);
}

static int check_vcpu_fd(int vcpu_fd)
{
	return vcpu_fd < 0 ? gmi_error_arg("vcpu_fd", "%d is no descriptor", vcpu_fd) : 0;
}

/* @list has room for GMEM_TDX_CPUID_MAX entries. */
static int read_list(struct gmem_tdx *tdx, int vcpu_fd, struct gmi_kvm_cpuid2 *list)
{
	struct gmi_tdx_patience patience = {.attempts = GMI_TDX_ATTEMPTS};
	int ret;

	do {
		list->nent = GMEM_TDX_CPUID_MAX;
		ret = gmi_kvm_tdx_get_cpuid(&tdx->vm->ctx->sys, vcpu_fd, list);
	} while (ret == -EINTR && gmi_tdx_try_again(tdx, ret, &patience));
	if (ret)
		return gmi_tdx_failed(tdx, ret, "KVM_TDX_GET_CPUID", 0,
				      "the TD's CPUID cannot be read");
	if (list->nent > GMEM_TDX_CPUID_MAX)
		return gmi_error(-EIO, "KVM tells of %u entries in room for %d", list->nent,
				 GMEM_TDX_CPUID_MAX);
	return 0;
}

static struct gmi_kvm_cpuid2 *alloc_list(const struct gmem_tdx *tdx)
{
	return gmi_zalloc(&tdx->vm->ctx->allocator,
			  sizeof(struct gmi_kvm_cpuid2) +
				  GMEM_TDX_CPUID_MAX * sizeof(struct gmi_kvm_cpuid_entry2));
}

static int copy_list(const struct gmi_kvm_cpuid2 *list, struct gmem_tdx_cpuid *ret_entries,
		     size_t room, size_t *ret_count)
{
	if (list->nent > room)
		return gmi_error(-ENOSPC, "the TD's CPUID has %u entries, there is room for %zu",
				 list->nent, room);
	if (list->nent)
		memcpy(ret_entries, list->entries, list->nent * sizeof(list->entries[0]));
	*ret_count = list->nent;
	return 0;
}

static int read_cpuid(struct gmem_tdx *tdx, int vcpu_fd, struct gmem_tdx_cpuid *ret_entries,
		      size_t room, size_t *ret_count)
{
	struct gmi_kvm_cpuid2 *list;
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_INITIALIZED, "KVM_TDX_GET_CPUID");

	if (!ret)
		ret = check_vcpu_fd(vcpu_fd);
	if (!ret && (!ret_count || (room && !ret_entries)))
		ret = gmi_error_arg("ret_entries", "a NULL pointer");
	if (ret)
		return ret;
	list = alloc_list(tdx);
	if (!list)
		return gmi_error_memory();
	ret = read_list(tdx, vcpu_fd, list);
	if (!ret)
		ret = copy_list(list, ret_entries, room, ret_count);
	gmi_free(&tdx->vm->ctx->allocator, list);
	return ret;
}

GMEM_API int gmem_tdx_read_cpuid(struct gmem_tdx *tdx, int vcpu_fd,
				 struct gmem_tdx_cpuid *ret_entries, size_t room, size_t *ret_count)
{
	return gmi_result(__func__, read_cpuid(tdx, vcpu_fd, ret_entries, room, ret_count));
}

/* Adds to @count each register that differs; a leaf that is missing answers zeroes. */
static int compare_leaf(const struct gmem_tdx_cpuid_opts *opts, const struct gmem_tdx_cpuid *wanted,
			const struct gmem_tdx_cpuid *got, int *count)
{
	static const struct gmem_tdx_cpuid none;
	const struct gmem_tdx_cpuid *leaf = wanted ? wanted : got;
	struct gmem_tdx_difference difference = {
		.function = leaf->function,
		.index = leaf->index,
	};
	int ret = 0;

	for (uint32_t reg = 0; !ret && reg < REGISTERS; reg++) {
		difference.reg = reg;
		difference.wanted = get(wanted ? wanted : &none, reg);
		difference.got = get(got ? got : &none, reg);
		difference.bits = difference.wanted ^ difference.got;
		if (!difference.bits)
			continue;
		(*count)++;
		ret = report(opts, &difference);
	}
	return ret;
}

static int compare_lists(const struct gmem_tdx_cpuid_opts *opts, const struct gmem_tdx_cpuid *got,
			 size_t got_count)
{
	const struct gmem_tdx_cpuid *wanted = opts->entries;
	int ret = 0, count = 0;

	for (size_t i = 0; !ret && i < opts->count; i++)
		ret = compare_leaf(
			opts, &wanted[i],
			gmi_tdx_find_cpuid(got, got_count, wanted[i].function, wanted[i].index),
			&count);
	for (size_t i = 0; !ret && i < got_count; i++)
		if (!gmi_tdx_find_cpuid(wanted, opts->count, got[i].function, got[i].index))
			ret = compare_leaf(opts, NULL, &got[i], &count);
	return ret ? ret : count;
}

static int compare(struct gmem_tdx *tdx, int vcpu_fd, const struct gmem_tdx_cpuid_opts *in)
{
	struct gmem_tdx_cpuid_opts opts;
	struct gmi_kvm_cpuid2 *list;
	int ret = gmi_tdx_expect(tdx, GMEM_TDX_INITIALIZED, "KVM_TDX_GET_CPUID");

	if (!ret)
		ret = check_vcpu_fd(vcpu_fd);
	if (!ret && !in)
		ret = gmi_error_arg("opts", "a NULL pointer");
	if (!ret)
		ret = gmi_tdx_check_cpuid(in, &opts);
	if (ret)
		return ret;
	list = alloc_list(tdx);
	if (!list)
		return gmi_error_memory();
	ret = read_list(tdx, vcpu_fd, list);
	if (!ret)
		ret = compare_lists(&opts, (const struct gmem_tdx_cpuid *)list->entries,
				    list->nent);
	gmi_free(&tdx->vm->ctx->allocator, list);
	return ret;
}

GMEM_API int gmem_tdx_compare_cpuid(struct gmem_tdx *tdx, int vcpu_fd,
				    const struct gmem_tdx_cpuid_opts *opts)
{
	return gmi_result(__func__, compare(tdx, vcpu_fd, opts));
}
