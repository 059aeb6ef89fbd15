/* SPDX-License-Identifier: MIT */
/* What no single record of a manifest shows: that they fit together. */
#include <errno.h>
#include <string.h>

#include "core_attr.h"
#include "errinfo.h"
#include "manifest.h"
#include "range.h"

#include <libgmem/file.h>
#include <libgmem/slot.h>

#define FILE_FLAGS    (GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED)
#define FILE_SIZE_MAX (UINT64_C(1) << 63)
#define SLOT_FLAGS                                                                                 \
	(GMEM_SLOT_ID | GMEM_SLOT_READONLY | GMEM_SLOT_LOG_DIRTY | GMEM_SLOT_NO_HVA |              \
	 GMEM_SLOT_ADOPTED | GMEM_SLOT_OWN_HVA)
#define NUMA_MODES 4u

static bool is_page_size(uint64_t size)
{
	return size >= GMEM_PAGE_SIZE && !(size & (size - 1));
}

static bool is_text(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static int fail(const char *what, uint32_t index, const char *why)
{
	return gmi_error(-EPROTO, "%s %u of the manifest %s", what, index, why);
}

static int check_vm(const struct gmi_manifest *m)
{
	const struct gmi_manifest_vm *vm = &m->vm;

	if (vm->type >= GMEM_VM_TYPE_COUNT || vm->mechanism > GMI_CONVERT_INPLACE)
		return gmi_error(-EOPNOTSUPP,
				 "the manifest is of a VM of type %u that converts by mechanism %u",
				 vm->type, vm->mechanism);
	if (vm->address_spaces < 1 || vm->address_spaces > 2 || vm->fds > GMI_MANIFEST_INODES_MAX ||
	    !is_text(vm->release))
		return gmi_error(-EPROTO, "the manifest says impossible things of its VM");
	return 0;
}

/* Descriptors in the order of their inodes, so that none is used twice. */
static int check_inode(const struct gmi_manifest *m, uint32_t i)
{
	const struct gmi_manifest_inode *inode = &m->inodes[i];

	if (inode->kind >= GMI_INODE_KINDS)
		return gmi_error(-EOPNOTSUPP, "inode %u of the manifest is of kind %u", i,
				 inode->kind);
	if (inode->fd >= m->vm.fds || (i && inode->fd <= inode[-1].fd))
		return fail("inode", i, "has no descriptor of its own");
	if (!inode->size || !gmi_is_aligned(inode->size, GMEM_PAGE_SIZE) ||
	    inode->size >= FILE_SIZE_MAX || !is_page_size(inode->page_size))
		return fail("inode", i, "has an impossible size");
	if (inode->flags & ~(inode->kind == GMI_INODE_GUEST ? FILE_FLAGS : 0))
		return gmi_error(-EOPNOTSUPP, "inode %u of the manifest has flags %#llx", i,
				 (unsigned long long)inode->flags);
	if (inode->numa_mode >= NUMA_MODES)
		return fail("inode", i, "has an unknown NUMA policy");
	return 0;
}

static int check_inodes(const struct gmi_manifest *m)
{
	int ret = 0;

	for (uint32_t i = 0; i < m->inode_count && !ret; i++)
		ret = check_inode(m, i);
	return ret;
}

/* In the order of their inodes, so that a VM has none twice. */
static int check_files(const struct gmi_manifest *m)
{
	for (uint32_t i = 0; i < m->file_count; i++) {
		const struct gmi_manifest_file *file = &m->files[i];

		if (file->inode >= m->inode_count ||
		    m->inodes[file->inode].kind != GMI_INODE_GUEST ||
		    (i && file->inode <= file[-1].inode))
			return fail("file", i, "has no inode of its own");
		if (file->flags)
			return gmi_error(-EOPNOTSUPP, "file %u of the manifest has flags %#x", i,
					 file->flags);
	}
	return 0;
}

static bool is_in_inode(const struct gmi_manifest *m, uint32_t inode, uint32_t kind,
			uint64_t offset, uint64_t size)
{
	return inode < m->inode_count && m->inodes[inode].kind == kind &&
	       gmi_is_aligned(offset, GMEM_PAGE_SIZE) &&
	       gmi_range_is_within(offset, size, m->inodes[inode].size);
}

static bool has_file(const struct gmi_manifest *m, const struct gmi_manifest_slot *slot)
{
	if (slot->file == GMI_MANIFEST_NONE)
		return !slot->offset;
	return slot->file < m->file_count && is_in_inode(m, m->files[slot->file].inode,
							 GMI_INODE_GUEST, slot->offset, slot->size);
}

static bool has_host(const struct gmi_manifest *m, const struct gmi_manifest_slot *slot)
{
	if (slot->host == GMI_MANIFEST_NONE)
		return !slot->host_offset;
	return is_in_inode(m, slot->host, GMI_INODE_HOST, slot->host_offset, slot->size);
}

static int check_slot(const struct gmi_manifest *m, uint32_t i)
{
	const struct gmi_manifest_slot *slot = &m->slots[i];

	if (!gmi_range_is_paged(slot->gpa, slot->size))
		return fail("memslot", i, "has an impossible range");
	if (slot->flags & ~SLOT_FLAGS || slot->padding)
		return gmi_error(-EOPNOTSUPP, "memslot %u of the manifest has flags %#x", i,
				 slot->flags);
	if (slot->address_space >= m->vm.address_spaces || !is_page_size(slot->backing_page))
		return fail("memslot", i, "has an impossible address space or page size");
	if (slot->file == GMI_MANIFEST_NONE && slot->host == GMI_MANIFEST_NONE)
		return fail("memslot", i, "has no memory");
	if (!has_file(m, slot) || !has_host(m, slot))
		return fail("memslot", i, "lies outside of its memory");
	return 0;
}

static int check_slots(const struct gmi_manifest *m)
{
	int ret = 0;

	for (uint32_t i = 0; i < m->slot_count && !ret; i++)
		ret = check_slot(m, i);
	return ret;
}

/* Sorted, so that none comes twice. */
static bool is_behind(const struct gmi_manifest_runs *runs, const struct gmi_manifest_runs *before)
{
	if (runs->kind != before->kind)
		return runs->kind > before->kind;
	return runs->index > before->index;
}

static bool has_subject(const struct gmi_manifest *m, const struct gmi_manifest_runs *runs)
{
	if (runs->kind != GMI_RUNS_INODE)
		return !runs->index;
	return runs->index < m->inode_count && m->inodes[runs->index].kind == GMI_INODE_GUEST;
}

static int check_packed(const struct gmi_manifest *m, uint32_t i)
{
	const struct gmi_manifest_runs *runs = &m->runs[i];
	struct gmi_runs_cursor cursor;
	uint64_t count = 0;
	int ret;

	gmi_runs_begin(runs, &cursor);
	while ((ret = gmi_runs_next(&cursor)) > 0)
		count++;
	if (ret || count != runs->count)
		return fail("list of runs", i, "is not what it says");
	if (runs->kind == GMI_RUNS_INODE &&
	    cursor.start + cursor.size > m->inodes[runs->index].size)
		return fail("list of runs", i, "ends beyond its inode");
	return 0;
}

static int check_runs(const struct gmi_manifest *m, uint32_t i)
{
	const struct gmi_manifest_runs *runs = &m->runs[i];

	if (runs->kind >= GMI_RUNS_KINDS)
		return gmi_error(-EOPNOTSUPP, "list of runs %u of the manifest is of kind %u", i,
				 runs->kind);
	if (!has_subject(m, runs) || runs->first > GMEM_PRIVATE || runs->padding ||
	    (i && !is_behind(runs, runs - 1)))
		return fail("list of runs", i, "is of nothing, or comes twice");
	return check_packed(m, i);
}

static int check_all_runs(const struct gmi_manifest *m)
{
	int ret = 0;

	for (uint32_t i = 0; i < m->runs_count && !ret; i++)
		ret = check_runs(m, i);
	return ret;
}

static int check_blobs(const struct gmi_manifest *m)
{
	for (uint32_t i = 0; i < m->blob_count; i++) {
		if (!is_text(m->blobs[i].name))
			return fail("blob", i, "has a name that is no text");
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(m->blobs[i].name, m->blobs[j].name))
				return fail("blob", i, "has the name of another");
	}
	return 0;
}

/* A descriptor behind those of the inodes. */
static int check_context(const struct gmi_manifest *m)
{
	uint32_t first = m->inode_count ? m->inodes[m->inode_count - 1].fd + 1 : 0;

	if (m->has_context && (m->context_fd < first || m->context_fd >= m->vm.fds))
		return gmi_error(-EPROTO, "the manifest's context has no descriptor of its own");
	return 0;
}

int gmi_manifest_check(const struct gmi_manifest *m)
{
	int ret = 0;

	if (m->has_vm)
		ret = check_vm(m);
	else if (m->inode_count || m->file_count || m->slot_count || m->runs_count ||
		 m->has_context)
		ret = gmi_error(-EPROTO, "the manifest is of no VM");
	if (!ret)
		ret = check_inodes(m);
	if (!ret)
		ret = check_files(m);
	if (!ret)
		ret = check_slots(m);
	if (!ret)
		ret = check_all_runs(m);
	if (!ret)
		ret = check_context(m);
	return ret ? ret : check_blobs(m);
}
