/* SPDX-License-Identifier: MIT */
/* What a source's caller adds to a hand-over, and what a target's takes out of it. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "errinfo.h"
#include "handover_begin.h"
#include "handover_job.h"
#include "range.h"

static int check_source(const struct gmem_handover *h)
{
	if (!h || h->is_target)
		return gmi_error_arg("handover", "no source's hand-over");
	return 0;
}

static int check_target(const struct gmem_handover *h)
{
	if (!h || !h->is_target)
		return gmi_error_arg("handover", "no target's hand-over");
	return 0;
}

static int check_not_begun(const struct gmem_handover *h)
{
	int ret = check_source(h);

	if (!ret && h->state != GMI_SEND_HELLO)
		return gmi_error(-EBUSY, "the hand-over has begun");
	return ret;
}

static bool is_name(const char *name)
{
	size_t length = strnlen(name, GMI_BLOB_NAME_SIZE);

	for (size_t i = 0; i < length; i++)
		if (name[i] < ' ' || name[i] > '~')
			return false;
	return length && length < GMI_BLOB_NAME_SIZE;
}

static int check_blob(const struct gmem_handover *h, const char *name, const void *data,
		      uint64_t size)
{
	const struct gmi_handover_blob *blob;
	int ret = check_source(h);

	if (ret)
		return ret;
	if (!name || !is_name(name))
		return gmi_error_arg("name", "no name of 1 to 63 printable characters");
	if ((size && !data) || size > GMI_MANIFEST_SIZE_MAX)
		return gmi_error_arg("data", "a NULL pointer, or more than 64 MiB");
	if (h->state != GMI_SEND_HELLO && (h->state != GMI_SEND_HELD || h->may_proceed))
		return gmi_error(-EBUSY, "the hand-over has begun and is not held");
	if (h->blob_count == GMI_MANIFEST_BLOBS_MAX)
		return gmi_error(-ENOSPC, "there are 1024 blobs already");
	for (blob = h->blobs; blob; blob = blob->next)
		if (!strcmp(blob->name, name))
			return gmi_error(-EEXIST, "there is a blob %s already", name);
	return 0;
}

static int add_blob(struct gmem_handover *h, const char *name, const void *data, uint64_t size)
{
	struct gmi_handover_blob *blob;
	int ret = check_blob(h, name, data, size);

	if (ret)
		return ret;
	blob = gmi_zalloc(&h->ctx->allocator, sizeof(*blob));
	if (!blob)
		return gmi_error_memory();
	blob->data = gmi_zalloc(&h->ctx->allocator, size ? size : 1);
	if (!blob->data) {
		gmi_free(&h->ctx->allocator, blob);
		return gmi_error_memory();
	}
	memcpy(blob->name, name, strlen(name));
	if (size)
		memcpy(blob->data, data, size);
	blob->size = size;
	blob->next = h->blobs;
	h->blobs = blob;
	h->blob_count++;
	return 0;
}

GMEM_API int gmem_handover_add_blob(struct gmem_handover *handover, const char *name,
				    const void *data, uint64_t size)
{
	return gmi_result(__func__, add_blob(handover, name, data, size));
}

static int add_memory(struct gmem_handover *h, void *addr, uint64_t size, int fd, uint64_t offset)
{
	struct gmi_handover_memory *memory;
	int ret = check_not_begun(h);

	if (ret)
		return ret;
	if (!addr || !gmi_range_is_paged((uintptr_t)addr, size))
		return gmi_error_arg("addr", "a range that is empty or not of whole pages");
	if (fd < 0)
		return gmi_error_arg("fd", "%d is no descriptor", fd);
	if (!gmi_range_is_paged(offset, size))
		return gmi_error_arg("offset", "offset %#llx is not a multiple of 4096",
				     (unsigned long long)offset);
	memory = gmi_zalloc(&h->ctx->allocator, sizeof(*memory));
	if (!memory)
		return gmi_error_memory();
	*memory = (struct gmi_handover_memory){
		.addr = (uintptr_t)addr,
		.size = size,
		.offset = offset,
		.fd = fd,
		.next = h->memories,
	};
	h->memories = memory;
	return 0;
}

GMEM_API int gmem_handover_add_memory(struct gmem_handover *handover, void *addr, uint64_t size,
				      int fd, uint64_t offset)
{
	return gmi_result(__func__, add_memory(handover, addr, size, fd, offset));
}

/* The list is made anew when stock is taken: those with bound ranges come first. */
static int add_file(struct gmem_handover *h, struct gmem_file *file)
{
	struct gmem_file **files;
	int ret = check_not_begun(h);

	if (ret)
		return ret;
	if (!file)
		return gmi_error_arg("file", "a NULL pointer");
	if (file->vm != h->vm)
		return gmi_error(-EXDEV, "the file belongs to another VM");
	for (uint32_t i = 0; i < h->file_count; i++)
		if (h->files[i] == file)
			return 0;
	files = gmi_zalloc_array(&h->ctx->allocator, h->file_count + 1, sizeof(*files));
	if (!files)
		return gmi_error_memory();
	if (h->file_count)
		memcpy(files, h->files, h->file_count * sizeof(*files));
	gmi_free(&h->ctx->allocator, h->files);
	files[h->file_count++] = gmi_file_get(file);
	h->files = files;
	return 0;
}

GMEM_API int gmem_handover_add_file(struct gmem_handover *handover, struct gmem_file *file)
{
	return gmi_result(__func__, add_file(handover, file));
}

static const struct gmi_manifest_blob *find_in(const struct gmi_manifest *m, const char *name)
{
	for (uint32_t i = 0; i < m->blob_count; i++)
		if (!strcmp(m->blobs[i].name, name))
			return &m->blobs[i];
	return NULL;
}

static int get_blob(struct gmem_handover *h, const char *name, const void **ret_data,
		    uint64_t *ret_size)
{
	const struct gmi_manifest_blob *blob;
	int ret = check_target(h);

	if (ret)
		return ret;
	if (!name || !ret_data || !ret_size)
		return gmi_error_arg(!name      ? "name"
				     : ret_data ? "ret_size"
						: "ret_data",
				     "a NULL pointer");
	blob = find_in(&h->manifest, name);
	if (!blob && h->state == GMI_HANDOVER_FINISHED)
		blob = find_in(&h->late, name);
	if (!blob)
		return gmi_error(-ENOENT, "there is no blob of this name");
	*ret_data = blob->data;
	*ret_size = blob->size;
	return 0;
}

GMEM_API int gmem_handover_get_blob(struct gmem_handover *handover, const char *name,
				    const void **ret_data, uint64_t *ret_size)
{
	return gmi_result(__func__, get_blob(handover, name, ret_data, ret_size));
}

static int show_vm(struct gmem_handover *h, struct gmem_vm **ret_vm)
{
	int ret = check_target(h);

	if (ret)
		return ret;
	if (!ret_vm)
		return gmi_error_arg("ret_vm", "a NULL pointer");
	if (!h->vm || (h->state != GMI_RECV_HELD && h->state != GMI_HANDOVER_FINISHED))
		return gmi_error(-ENOENT, "there is no VM now");
	*ret_vm = h->vm;
	return 0;
}

GMEM_API int gmem_handover_vm(struct gmem_handover *handover, struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, show_vm(handover, ret_vm));
}

static int check_done(const struct gmem_handover *h)
{
	int ret = check_target(h);

	if (!ret && h->state != GMI_HANDOVER_FINISHED)
		return gmi_error(-EBUSY, "the hand-over is not done");
	return ret;
}

int gmi_handover_take_vm(struct gmem_handover *h, struct gmem_vm **ret_vm)
{
	int ret = check_done(h);

	if (ret)
		return ret;
	if (!ret_vm)
		return gmi_error_arg("ret_vm", "a NULL pointer");
	if (!h->vm)
		return gmi_error(-ENOENT, "the VM was taken");
	*ret_vm = h->vm;
	h->vm = NULL;
	return 0;
}

GMEM_API int gmem_handover_take(struct gmem_handover *handover, struct gmem_vm **ret_vm)
{
	return gmi_result(__func__, gmi_handover_take_vm(handover, ret_vm));
}

static int take_file(struct gmem_handover *h, uint32_t index, struct gmem_file **ret_file)
{
	int ret = check_done(h);

	if (ret)
		return ret;
	if (!ret_file)
		return gmi_error_arg("ret_file", "a NULL pointer");
	if (index >= h->file_count || !h->files[index])
		return gmi_error(-ENOENT, "there is no file %u, or it was taken", index);
	*ret_file = h->files[index];
	h->files[index] = NULL;
	return 0;
}

GMEM_API int gmem_handover_take_file(struct gmem_handover *handover, uint32_t index,
				     struct gmem_file **ret_file)
{
	return gmi_result(__func__, take_file(handover, index, ret_file));
}
