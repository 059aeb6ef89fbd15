/* SPDX-License-Identifier: MIT */
/* Takes stock of a VM that is to be handed over: its manifest, and the descriptors that go along. */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "discard.h"
#include "errinfo.h"
#include "handover_job.h"
#include "inode.h"
#include "manifest_wire.h"

#define RELEASE_PATH "/proc/sys/kernel/osrelease"

/* A file that host memory is a mapping of. */
struct host {
	int fd;
	struct gmem_sys_stat stat;
};

struct stock {
	struct gmem_handover *h;
	struct gmem_file **files; /* references */
	uint32_t file_count;
	struct host *hosts;
	uint32_t host_count;
	struct gmi_manifest_slot *slots; /* @host counts from 0 here */
	uint32_t slot_count;
	uint32_t room;
};

struct gmi_handover_stamp gmi_handover_stamp_of(struct gmem_vm *vm)
{
	struct gmi_handover_stamp stamp;

	gmi_vm_lock(vm);
	stamp = (struct gmi_handover_stamp){
		.conversions = vm->attrs.conversions,
		.bytes_bound = vm->bytes_bound,
		.slots = vm->slot_count,
		.files = vm->file_count,
	};
	gmi_vm_unlock(vm);
	return stamp;
}

static bool moves_context(const struct stock *stock)
{
	return stock->h->opts.flags & GMEM_HANDOVER_MOVE_CONTEXT;
}

/* The VM's own descriptor is the last. */
static uint32_t count_fds(const struct stock *stock)
{
	return stock->file_count + stock->host_count + moves_context(stock);
}

static size_t count_slots(struct gmem_vm *vm)
{
	size_t count = 0;

	for (uint32_t as = 0; as < vm->address_spaces; as++)
		count += gmi_slot_index_shown(&vm->slots, as)->count;
	return count;
}

static int make_room(struct stock *stock)
{
	const struct gmem_allocator *allocator = &stock->h->ctx->allocator;
	size_t slots = count_slots(stock->h->vm), files = slots + stock->h->file_count;

	if (slots > GMI_MANIFEST_SLOTS_MAX)
		return gmi_error(-EOPNOTSUPP, "%zu bound ranges are too many to hand over", slots);
	stock->room = (uint32_t)slots;
	stock->files = gmi_zalloc_array(allocator, files + 1, sizeof(struct gmem_file *));
	stock->hosts = gmi_zalloc_array(allocator, slots + 1, sizeof(*stock->hosts));
	stock->slots = gmi_zalloc_array(allocator, slots + 1, sizeof(*stock->slots));
	return stock->files && stock->hosts && stock->slots ? 0 : gmi_error_memory();
}

/* Neighbours often are on the same file. */
static uint32_t find_file(struct stock *stock, struct gmem_file *file)
{
	for (uint32_t i = stock->file_count; i > 0; i--)
		if (stock->files[i - 1] == file)
			return i - 1;
	stock->files[stock->file_count] = gmi_file_get(file);
	return stock->file_count++;
}

static uint32_t find_host(struct stock *stock, int fd)
{
	for (uint32_t i = stock->host_count; i > 0; i--)
		if (stock->hosts[i - 1].fd == fd)
			return i - 1;
	stock->hosts[stock->host_count].fd = fd;
	return stock->host_count++;
}

static const struct gmi_handover_memory *find_memory(const struct gmem_handover *h,
						     const struct gmem_slot *slot)
{
	const struct gmi_handover_memory *memory = h->memories;
	uint64_t hva = (uintptr_t)slot->hva;

	while (memory && (hva < memory->addr || hva - memory->addr > memory->size ||
			  slot->gpa.size > memory->size - (hva - memory->addr)))
		memory = memory->next;
	return memory;
}

/* slot.h: other memory than the file's own is no legal shared backing there. */
static bool is_own_mapping(const struct gmem_slot *slot)
{
	return slot->file && (slot->file->flags & GMEM_FILE_MMAP);
}

static int find_backing(struct stock *stock, const struct gmem_slot *slot,
			struct gmi_manifest_slot *out)
{
	const struct gmi_handover_memory *memory;

	out->host = GMI_MANIFEST_NONE;
	if (slot->backing_fd >= 0) {
		out->host = find_host(stock, slot->backing_fd);
		out->host_offset = slot->backing_offset;
		return 0;
	}
	if (!slot->hva || slot->flags & GMEM_SLOT_OWN_HVA)
		return 0;
	memory = find_memory(stock->h, slot);
	if (memory) {
		out->host = find_host(stock, memory->fd);
		out->host_offset = memory->offset + ((uintptr_t)slot->hva - memory->addr);
		return 0;
	}
	if (is_own_mapping(slot))
		return 0;
	gmi_error(-EOPNOTSUPP,
		  "nothing says what the host memory of the range at %#llx is a "
		  "mapping of: gmem_handover_add_memory()",
		  (unsigned long long)slot->gpa.start);
	return gmi_at_gpa(slot->gpa.start, slot->gpa.size);
}

static int add_slot(struct stock *stock, const struct gmem_slot *slot)
{
	struct gmi_manifest_slot *out = &stock->slots[stock->slot_count++];

	out->gpa = slot->gpa.start;
	out->size = slot->gpa.size;
	out->offset = slot->offset;
	out->backing_page = slot->backing_page;
	out->id = slot->slot_id;
	out->flags = slot->flags;
	if (slot->file && !slot->hva)
		out->flags |= GMEM_SLOT_NO_HVA;
	out->address_space = slot->address_space;
	out->file = slot->file ? find_file(stock, slot->file) : GMI_MANIFEST_NONE;
	return find_backing(stock, slot, out);
}

static int add_slots(struct stock *stock)
{
	struct gmem_vm *vm = stock->h->vm;
	const struct gmi_rangemap *slots;
	int ret = 0;

	for (uint32_t as = 0; as < vm->address_spaces; as++) {
		slots = gmi_slot_index_shown(&vm->slots, as);
		for (size_t i = 0; i < slots->count && !ret; i++)
			ret = add_slot(stock, slots->entries[i].value);
	}
	return ret;
}

/* The target's files would have all rights. */
static int check_rights(const struct stock *stock)
{
	for (uint32_t i = 0; i < stock->file_count; i++)
		if (stock->files[i]->denied)
			return gmi_error(-EOPNOTSUPP,
					 "a file that was denied rights cannot be handed over");
	return 0;
}

static int walk(struct stock *stock)
{
	struct gmem_handover *h = stock->h;
	int ret;

	gmi_vm_lock(h->vm);
	ret = make_room(stock);
	if (!ret)
		ret = add_slots(stock);
	gmi_vm_unlock(h->vm);
	for (uint32_t i = 0; i < h->file_count && !ret; i++)
		find_file(stock, h->files[i]);
	if (!ret)
		ret = check_rights(stock);
	if (!ret && count_fds(stock) > GMI_MANIFEST_INODES_MAX)
		ret = gmi_error(-EOPNOTSUPP, "%u files are too many to hand over",
				stock->file_count + stock->host_count);
	return ret;
}

static int identify(struct stock *stock)
{
	struct host *host;
	int ret = 0;

	for (uint32_t i = 0; i < stock->file_count && !ret; i++)
		ret = gmi_inode_identify(stock->files[i]);
	for (uint32_t i = 0; i < stock->host_count && !ret; i++) {
		host = &stock->hosts[i];
		ret = gmi_sys_fstat(&stock->h->ctx->sys, host->fd, &host->stat);
		if (ret)
			gmi_error_call(ret, "fstat", "descriptor %d", host->fd);
	}
	return ret;
}

static void put_vm(struct stock *stock, struct gmi_manifest_writer *writer)
{
	const struct gmem_vm *vm = stock->h->vm;
	struct gmi_manifest_vm out = {
		.type = vm->type,
		.mechanism = vm->attrs.mechanism,
		.address_spaces = vm->address_spaces,
		.fds = count_fds(stock),
		.rfc = vm->ctx->rfc,
	};

	gmi_sys_read_file(&vm->ctx->sys, RELEASE_PATH, out.release, sizeof(out.release) - 1);
	out.release[strcspn(out.release, "\n")] = '\0';
	gmi_manifest_put_vm(writer, &out);
}

static void put_file_inode(struct gmi_manifest_writer *writer, uint32_t index,
			   const struct gmem_file *file)
{
	struct gmi_manifest_inode out = {
		.kind = GMI_INODE_GUEST,
		.fd = index,
		.dev = file->dev,
		.ino = file->ino,
		.size = file->size,
		.flags = file->flags,
		.raw_flags = file->raw_flags,
		.page_size = file->block_size,
		.numa_mode = file->numa_mode,
		.numa_words = file->numa_mode ? GMI_NUMA_WORDS : 0,
	};

	gmi_manifest_put_inode(writer, &out);
	if (!file->numa_mode)
		return;
	memcpy(out.nodes, file->numa_nodes, sizeof(out.nodes));
	gmi_manifest_put_numa(writer, index, &out);
}

/* Whole pages of it: what lies behind no range can use. */
static void put_host_inode(struct gmi_manifest_writer *writer, uint32_t index,
			   const struct host *host)
{
	const struct gmi_manifest_inode out = {
		.kind = GMI_INODE_HOST,
		.fd = index,
		.dev = host->stat.dev,
		.ino = host->stat.ino,
		.size = host->stat.size / GMEM_PAGE_SIZE * GMEM_PAGE_SIZE,
		.page_size = host->stat.block_size,
	};

	gmi_manifest_put_inode(writer, &out);
}

static void put_inodes(struct stock *stock, struct gmi_manifest_writer *writer)
{
	for (uint32_t i = 0; i < stock->file_count; i++)
		put_file_inode(writer, i, stock->files[i]);
	for (uint32_t i = 0; i < stock->host_count; i++)
		put_host_inode(writer, stock->file_count + i, &stock->hosts[i]);
	for (uint32_t i = 0; i < stock->file_count; i++)
		gmi_manifest_put_file(writer, &(struct gmi_manifest_file){.inode = i});
}

static void put_slots(struct stock *stock, struct gmi_manifest_writer *writer)
{
	for (uint32_t i = 0; i < stock->slot_count; i++) {
		struct gmi_manifest_slot slot = stock->slots[i];

		if (slot.host != GMI_MANIFEST_NONE)
			slot.host += stock->file_count;
		gmi_manifest_put_slot(writer, &slot);
	}
}

static void put_map(struct stock *stock, struct gmi_manifest_writer *writer, uint32_t kind,
		    uint32_t index, struct gmi_attrmap *map)
{
	uint64_t end = gmi_attrmap_limit(map);
	struct gmi_attrmap_run run;
	struct gmi_runs_writer runs;

	gmi_runs_open(&runs, writer, kind, index);
	for (uint64_t at = 0; gmi_attrmap_next_run(map, at, end, &run) > 0; at += run.size)
		gmi_runs_put(&runs, run.size, run.state);
	gmi_runs_close(&runs);
	stock->h->runs += runs.count;
}

/* In the order of enum gmi_runs_kind, which readers insist on. */
static void put_states(struct stock *stock, struct gmi_manifest_writer *writer)
{
	const struct gmi_attrs *attrs = &stock->h->vm->attrs;
	struct gmi_inode *inode;

	if (attrs->map)
		put_map(stock, writer, GMI_RUNS_VM, 0, attrs->map);
	for (uint32_t i = 0; i < stock->file_count; i++) {
		inode = stock->files[i]->inode;
		if (inode && inode->state)
			put_map(stock, writer, GMI_RUNS_INODE, i, inode->state);
	}
	if (attrs->wished)
		put_map(stock, writer, GMI_RUNS_WISHED, 0, attrs->wished);
}

static void put_blobs(struct gmem_handover *h, struct gmi_manifest_writer *writer)
{
	for (struct gmi_handover_blob *blob = h->blobs; blob; blob = blob->next) {
		if (blob->is_written)
			continue;
		gmi_manifest_put_blob(writer, blob->name, blob->data, blob->size);
		blob->is_written = true;
	}
}

/* Takes the writer's bytes, on failure too. */
static int finish(struct gmi_manifest_writer *writer, struct gmi_bulk *bulk)
{
	int ret = gmi_manifest_end(writer);

	bulk->bytes = writer->bytes;
	bulk->size = writer->size;
	if (ret == -EFBIG)
		return gmi_error(-EOPNOTSUPP, "what is to be handed over needs more than 64 MiB");
	if (ret)
		return gmi_error_memory();
	bulk->check = get_u64(writer->bytes + writer->size - MANIFEST_CHECK_SIZE);
	return 0;
}

static int write_manifest(struct stock *stock)
{
	struct gmem_handover *h = stock->h;
	struct gmi_manifest_writer writer;

	gmi_manifest_begin(&writer, &h->ctx->allocator);
	put_vm(stock, &writer);
	put_inodes(stock, &writer);
	put_slots(stock, &writer);
	put_states(stock, &writer);
	if (moves_context(stock))
		gmi_manifest_put_context(&writer, count_fds(stock) - 1);
	put_blobs(h, &writer);
	return finish(&writer, &h->manifest_bytes);
}

int gmi_handover_write_late(struct gmem_handover *h)
{
	struct gmi_manifest_writer writer;
	const struct gmi_handover_blob *blob = h->blobs;

	while (blob && blob->is_written)
		blob = blob->next;
	if (!blob)
		return 0;
	gmi_manifest_begin(&writer, &h->ctx->allocator);
	put_blobs(h, &writer);
	return finish(&writer, &h->late_bytes);
}

/* The files with bound ranges first; the references move. */
static void keep_files(struct stock *stock)
{
	struct gmem_handover *h = stock->h;

	for (uint32_t i = 0; i < h->file_count; i++)
		gmi_file_put(h->files[i]);
	gmi_free(&h->ctx->allocator, h->files);
	h->files = stock->files;
	h->file_count = stock->file_count;
	h->slot_count = stock->slot_count;
	stock->files = NULL;
	stock->file_count = 0;
}

static int list_fds(struct stock *stock)
{
	struct gmem_handover *h = stock->h;
	uint32_t count = count_fds(stock);

	h->fds = gmi_zalloc_array(&h->ctx->allocator, count ? count : 1, sizeof(*h->fds));
	if (!h->fds)
		return gmi_error_memory();
	h->nr_fds = count;
	for (uint32_t i = 0; i < stock->file_count; i++)
		h->fds[i] = stock->files[i]->fd;
	for (uint32_t i = 0; i < stock->host_count; i++)
		h->fds[stock->file_count + i] = stock->hosts[i].fd;
	if (moves_context(stock))
		h->fds[count - 1] = h->vm->fd;
	return 0;
}

static void free_stock(struct stock *stock)
{
	const struct gmem_allocator *allocator = &stock->h->ctx->allocator;

	for (uint32_t i = 0; i < stock->file_count; i++)
		gmi_file_put(stock->files[i]);
	gmi_free(allocator, stock->files);
	gmi_free(allocator, stock->hosts);
	gmi_free(allocator, stock->slots);
}

int gmi_handover_collect(struct gmem_handover *h)
{
	struct stock stock = {.h = h};
	uint64_t start = 0, end = 0;
	int ret;

	gmi_sys_now(&h->ctx->sys, &start);
	h->stamp = gmi_handover_stamp_of(h->vm);
	ret = walk(&stock);
	if (!ret)
		ret = identify(&stock);
	if (!ret)
		ret = write_manifest(&stock);
	if (!ret)
		ret = list_fds(&stock);
	if (!ret)
		keep_files(&stock);
	free_stock(&stock);
	gmi_sys_now(&h->ctx->sys, &end);
	h->prepare_ns = end - start;
	return ret;
}
