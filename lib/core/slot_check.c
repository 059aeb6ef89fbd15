/* SPDX-License-Identifier: MIT */
/* What is wrong with a request to bind, told from its arguments alone. */
#include "slot_check.h"

#include <errno.h>

#include "errinfo.h"
#include "range.h"

#define IN_FLAGS (GMEM_SLOT_ID | GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY | GMEM_SLOT_NO_HVA)

static int check_gpa(struct gmem_range gpa)
{
	if (!gmi_is_aligned(gpa.start, GMEM_PAGE_SIZE))
		gmi_error_arg("gpa", "guest address %#llx is not a multiple of 4096",
			      (unsigned long long)gpa.start);
	else if (!gpa.size || !gmi_is_aligned(gpa.size, GMEM_PAGE_SIZE))
		gmi_error_arg("size", "size %#llx is 0 or not a multiple of 4096",
			      (unsigned long long)gpa.size);
	else if (!gmi_range_is_valid(gpa.start, gpa.size))
		gmi_error_arg("size", "the range of guest addresses ends at 2^64 or beyond");
	else
		return 0;
	return gmi_at_gpa(gpa.start, gpa.size);
}

static int check_flags(const struct gmem_vm *vm, const struct gmem_slot_opts *opts)
{
	if (opts->flags & ~IN_FLAGS)
		return gmi_error_arg("flags", "unknown flags %#x", opts->flags & ~IN_FLAGS);
	if (opts->padding)
		return gmi_error_arg("padding", "the padding is not 0");
	if (opts->address_space >= vm->address_spaces)
		return gmi_error_arg("address_space", "the VM has %u address spaces",
				     vm->address_spaces);
	if (opts->file && !gmi_file_is_view(opts->file) &&
	    opts->flags & (GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY))
		return gmi_error_arg("flags", "KVM neither write-protects nor logs memslots with a "
					      "file");
	if (opts->file && gmi_file_is_view(opts->file) && opts->flags & GMEM_SLOT_NO_HVA)
		return gmi_error_arg("flags", "a host-address view without the address");
	if (opts->hva && opts->flags & GMEM_SLOT_NO_HVA)
		return gmi_error_arg("flags", "host memory is given and GMEM_SLOT_NO_HVA set");
	return 0;
}

static int check_hva(const struct gmem_slot_opts *opts, struct gmem_range gpa)
{
	uint64_t hva = (uintptr_t)opts->hva;

	if (!opts->file && !opts->hva)
		return gmi_error_arg("opts", "neither a file nor host memory is given");
	if (opts->backing_page & (opts->backing_page - 1) ||
	    (opts->backing_page && opts->backing_page < GMEM_PAGE_SIZE))
		return gmi_error_arg("backing_page", "%#llx is no size of a page",
				     (unsigned long long)opts->backing_page);
	if (opts->backing_page && !opts->hva &&
	    !gmi_is_aligned(gpa.start | gpa.size, opts->backing_page))
		return gmi_error_arg("backing_page", "the range is not made of such pages");
	if (opts->hva && !gmi_range_is_paged(hva, gpa.size))
		return gmi_error_arg("hva", "host memory at %p is unaligned or ends beyond 2^64",
				     opts->hva);
	return 0;
}

static int check_offset(const struct gmem_slot_opts *opts, uint64_t size)
{
	if (!opts->file && opts->offset)
		gmi_error_arg("offset", "an offset without a file");
	else if (!gmi_is_aligned(opts->offset, GMEM_PAGE_SIZE))
		gmi_error_arg("offset", "offset %#llx is not a multiple of 4096",
			      (unsigned long long)opts->offset);
	else if (opts->file && !gmi_range_is_within(opts->offset, size, opts->file->size))
		gmi_error_arg("offset", "the range ends beyond the file's %#llx bytes",
			      (unsigned long long)opts->file->size);
	else
		return 0;
	return gmi_at_offset(opts->offset, size);
}

/* What is right but not possible here. */
static int check_possible(const struct gmem_vm *vm, const struct gmem_slot_opts *opts)
{
	if (opts->file && opts->file->vm != vm)
		return gmi_error(-EXDEV, "the file belongs to another VM");
	if (opts->flags & GMEM_SLOT_READONLY && !gmi_vm_has(vm, GMEM_FEATURE_READONLY))
		return gmi_error_feature(GMEM_FEATURE_READONLY,
					 "no read-only memslots for this type of VM");
	return 0;
}

int gmi_slot_check(const struct gmem_vm *vm, struct gmem_range gpa,
		   const struct gmem_slot_opts *opts)
{
	int ret = check_gpa(gpa);

	if (!ret)
		ret = check_flags(vm, opts);
	if (!ret)
		ret = check_hva(opts, gpa);
	if (!ret)
		ret = check_offset(opts, gpa.size);
	if (!ret)
		ret = check_possible(vm, opts);
	return ret;
}
