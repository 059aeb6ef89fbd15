/* SPDX-License-Identifier: MIT */
/* Owner and borrowers of an inode: who gives, and what a file says of itself. */
#include <libgmem/link.h>

#include <errno.h>
#include <stdio.h>

#include "errinfo.h"
#include "inode.h"
#include "opts.h"

static int check_pair(const struct gmem_file *from, const struct gmem_file *to)
{
	if (!from || !to)
		return gmi_error_arg(from ? "to" : "from", "a NULL pointer");
	if (!from->inode || from->inode != to->inode || from == to)
		return gmi_error(-EXDEV, "the files are not two on one inode");
	if (to->denied)
		return gmi_error(-EPERM, "a file that was denied rights %#x cannot be the owner's",
				 to->denied);
	return 0;
}

static int give(struct gmem_file *from, struct gmem_file *to)
{
	struct gmi_inode *inode = from->inode;
	int ret = 0;

	pthread_mutex_lock(&inode->ctx->inode_lock);
	if (inode->owner && inode->owner != from)
		ret = gmi_error(-EPERM, "the file is a borrower's");
	else if (from->denied)
		ret = gmi_error(-EPERM, "the file was denied rights %#x", from->denied);
	else
		inode->owner = to;
	pthread_mutex_unlock(&inode->ctx->inode_lock);
	return ret;
}

GMEM_API int gmem_file_donate(struct gmem_file *from, struct gmem_file *to)
{
	int ret = check_pair(from, to);

	return gmi_result(__func__, ret ? ret : give(from, to));
}

/* Of a host-address view writing is refused by the page tables, if nothing else. */
static uint32_t kernel_denies(const struct gmem_file *file)
{
	return gmi_file_is_view(file) ? file->denied & GMEM_RIGHT_WRITE : 0;
}

static void put_text(struct gmem_file_description *info)
{
	static const char *const origins[] = {
		[GMEM_ORIGIN_CREATED] = "made for its VM",
		[GMEM_ORIGIN_WRAPPED] = "taken over from the caller",
		[GMEM_ORIGIN_LINKED] = "linked by KVM_LINK_GUEST_MEMFD",
		[GMEM_ORIGIN_HVA_VIEW] = "a host-address view, which keeps its source and that VM",
	};

	snprintf(info->text, sizeof(info->text), "%s; %s's, one of %u files; denied: %s",
		 origins[info->origin], info->is_owner ? "the owner" : "a borrower", info->files,
		 !info->denied               ? "nothing"
		 : info->enforced_by_library ? "something that libgmem alone refuses"
					     : "writing, which the kernel refuses too");
}

static void fill(struct gmem_file *file, struct gmem_file_description *info)
{
	struct gmi_inode *inode = file->inode;

	pthread_mutex_lock(&inode->ctx->inode_lock);
	info->is_owner = inode->owner == file;
	info->has_owner = inode->owner != NULL;
	info->files = inode->file_count;
	pthread_mutex_unlock(&inode->ctx->inode_lock);
	info->origin = file->origin;
	info->denied = file->denied;
	info->enforced_by_kernel = kernel_denies(file);
	info->enforced_by_library = file->denied & ~info->enforced_by_kernel;
	info->keeps_other_vm = gmi_file_is_view(file);
	put_text(info);
}

static int describe(struct gmem_file *file, struct gmem_file_description *ret_info)
{
	struct gmem_file_description info = {.sz = sizeof(info)};
	int ret;

	if (!file)
		return gmi_error_arg("file", "a NULL pointer");
	ret = gmi_info_check(ret_info, sizeof(info));
	if (!ret)
		ret = gmi_inode_know(file);
	if (ret)
		return ret;
	fill(file, &info);
	gmi_info_put(ret_info, &info, sizeof(info));
	return 0;
}

GMEM_API int gmem_file_describe(struct gmem_file *file, struct gmem_file_description *ret_info)
{
	return gmi_result(__func__, describe(file, ret_info));
}
