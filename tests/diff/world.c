/* SPDX-License-Identifier: MIT */
/* Applies an operation to one kernel and tells all that a caller could see of it. */
#include "diff.h"
#include "uapi_rfc.h"

#define MEMORY (DIFF_PAGES * GT_PAGE)

static void open_vm(struct world *world, uint32_t i)
{
	world->vms[i] = gt_create_vm(world->t, world->kvm, world->types[i]);
	MUST(world->vms[i] >= 0);
	world->memory[i] = gt_anonymous(world->t, MEMORY);
	if (world->has_guests)
		world->guests[i] = gt_guest_create(world->t, world->vms[i]);
}

static void close_vm(struct world *world, uint32_t i)
{
	if (world->guests[i])
		gt_guest_destroy(world->guests[i]);
	world->guests[i] = NULL;
	gt_close(world->t, world->vms[i]);
	gt_unmap(world->t, world->memory[i], MEMORY);
}

void world_open(struct world *world, const struct gt *t, const uint32_t *types, bool guests)
{
	uint32_t i;

	*world = (struct world){.t = t, .kvm = gt_open_kvm(t), .has_guests = guests};
	MUST(world->kvm >= 0);
	memcpy(world->types, types, sizeof(world->types));
	for (i = 0; i < DIFF_VMS; i++)
		open_vm(world, i);
	for (i = 0; i < DIFF_FILES; i++)
		world->files[i].fd = -1;
}

static void unmap(struct world *world, struct diff_file *file)
{
	if (file->map)
		gt_unmap(world->t, file->map, MEMORY);
	file->map = NULL;
}

static void close_file(struct world *world, struct diff_file *file)
{
	if (file->fd >= 0)
		gt_close(world->t, file->fd);
	file->fd = -1;
	unmap(world, file);
}

void world_close(struct world *world)
{
	uint32_t i;

	for (i = 0; i < DIFF_FILES; i++)
		close_file(world, &world->files[i]);
	for (i = 0; i < DIFF_VMS; i++)
		close_vm(world, i);
	gt_close(world->t, world->kvm);
}

/* The number of a descriptor is not the kernel's answer. */
static int64_t take_file(struct diff_file *file, int fd)
{
	if (fd < 0)
		return fd;
	file->fd = fd;
	return 0;
}

/* A size that the kernel may refuse stays; one that would be granted has bounds. */
static uint64_t bounded(uint64_t size, uint64_t limit)
{
	return size > limit && size % GT_PAGE == 0 ? limit : size;
}

/* No larger than can be allocated whole. */
static int64_t create_file(struct world *world, const struct diff_op *op)
{
	uint64_t size = op->size < UINT64_C(1) << 63 ? bounded(op->size, MEMORY) : op->size;
	struct diff_file *file = &world->files[op->file];

	if (file->fd >= 0)
		return 0;
	return take_file(file, gt_create_gmem(world->t, world->vms[op->vm], size, op->flags));
}

/* The kernel takes time for each page, and memory for each private one. */
static int64_t set_attributes(struct world *world, const struct diff_op *op)
{
	bool wraps = op->gpa + op->size < op->gpa;
	uint64_t size = wraps ? op->size : bounded(op->size, 64 * GT_PAGE);

	return gt_set_attributes(world->t, world->vms[op->vm], op->gpa, size, op->attributes);
}

static int64_t link_file(struct world *world, const struct diff_op *op)
{
	struct gmi_rfc_link_guest_memfd link = {
		.fd = (uint64_t)world->files[op->other_file].fd,
	};
	struct diff_file *file = &world->files[op->file];

	if (file->fd >= 0)
		return 0;
	return take_file(file, gt_ioctl(world->t, world->vms[op->vm],
					GMI_RFC_LINK2_LINK_GUEST_MEMFD, &link));
}

static int64_t bind(struct world *world, const struct diff_op *op)
{
	const uint8_t *memory = world->memory[op->vm];
	uint64_t at = op->gpa - TEST_GPA;
	const struct gmi_kvm_region2 region = {
		.slot = op->slot,
		.flags = op->flags ? GMI_KVM_MEM_GUEST_MEMFD : 0,
		.guest_phys_addr = op->gpa,
		.memory_size = op->size,
		.userspace_addr = op->without_hva || at >= MEMORY || op->size > MEMORY - at
					  ? 0
					  : (uint64_t)(uintptr_t)memory + at,
		.guest_memfd_offset = op->offset,
		.guest_memfd = (uint32_t)world->files[op->file].fd,
	};

	return gt_set_region2(world->t, world->vms[op->vm], &region);
}

static int64_t set_file_attributes(struct world *world, const struct diff_op *op)
{
	uint64_t attributes[16] = {op->offset, op->size, op->attributes};

	return gt_ioctl(world->t, world->files[op->file].fd, GMI_NEXT_SET_MEMORY_ATTRIBUTES2,
			attributes);
}

static int64_t map(struct world *world, const struct diff_op *op)
{
	struct diff_file *file = &world->files[op->file];
	void *addr;
	int ret;

	if (file->map)
		return 0;
	ret = gt_map(world->t, file->fd, 0, MEMORY, &addr);
	if (ret == 0)
		file->map = addr;
	return ret;
}

static void touch(struct world *world, const struct diff_op *op, struct diff_result *result)
{
	uint8_t *map = world->files[op->file].map;
	uint64_t at = op->offset % MEMORY;
	struct gt_touch touch;

	if (!map)
		return;
	touch = op->kind == OP_HOST_READ ? gt_touch_read(map + at)
					 : gt_touch_write(map + at, op->value);
	result->more[0] = touch.signal;
	result->more[1] = touch.signal ? touch.code : touch.value;
	result->more[2] = touch.signal ? (uint8_t *)touch.addr - map : 0;
}

/* The head of each ioctl says so, but a guest's instruction is several. */
static bool is_dead(const struct world *world, uint32_t vm)
{
	return gt_cap(world->t, world->vms[vm], GMI_KVM_CAP_USER_MEMORY) == -EIO;
}

static void run_guest(struct world *world, const struct diff_op *op, struct diff_result *result)
{
	struct gt_guest *guest = world->guests[op->vm];
	uint64_t page = (op->gpa - TEST_GPA) / GT_PAGE % DIFF_GUEST_PAGES;
	uint64_t at = TEST_GPA + page * GT_PAGE + op->gpa % GT_PAGE;
	struct gt_exit exit;

	if (!guest)
		return;
	if (is_dead(world, op->vm)) {
		result->ret = -EIO;
		return;
	}
	exit = op->kind == OP_GUEST_READ ? gt_guest_read(guest, at)
					 : gt_guest_write(guest, at, op->value);
	result->ret = exit.ret;
	result->more[0] = exit.reason;
	if (exit.reason == GMI_KVM_EXIT_MEMORY_FAULT) {
		result->more[1] = (int64_t)exit.fault.flags;
		result->more[2] = (int64_t)exit.fault.gpa;
		result->more[3] = (int64_t)exit.fault.size;
	} else if (exit.reason == GMI_KVM_EXIT_MMIO) {
		result->more[1] = (int64_t)exit.mmio.phys_addr;
		result->more[2] = exit.mmio.is_write;
		result->more[3] = exit.mmio.len;
	} else if (op->kind == OP_GUEST_READ) {
		result->more[1] = (int64_t)exit.value;
	}
}

static void pre_fault(struct world *world, const struct diff_op *op, struct diff_result *result)
{
	struct gt_guest *guest = world->guests[op->vm];
	uint64_t gpa = op->gpa, size = op->size;

	if (!guest)
		return;
	result->ret = gt_pre_fault(world->t, gt_guest_vcpu(guest), &gpa, &size);
	result->more[0] = (int64_t)gpa;
	result->more[1] = (int64_t)size;
}

static int64_t move_context(struct world *world, const struct diff_op *op)
{
	return gt_enable_cap(world->t, world->vms[op->vm], GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
			     (uint64_t)world->vms[1 - op->vm]);
}

static int64_t new_vm(struct world *world, const struct diff_op *op)
{
	close_vm(world, op->vm);
	open_vm(world, op->vm);
	return 0;
}

struct diff_result world_apply(struct world *world, const struct diff_op *op)
{
	struct diff_file *file = &world->files[op->file];
	struct diff_result result = {0};
	const struct gt *t = world->t;
	int vm = world->vms[op->vm];

	switch (op->kind) {
	case OP_CREATE_FILE:
		result.ret = create_file(world, op);
		break;
	case OP_CLOSE_FILE:
		close_file(world, file);
		break;
	case OP_LINK_FILE:
		result.ret = link_file(world, op);
		break;
	case OP_BIND:
		result.ret = bind(world, op);
		break;
	case OP_DELETE:
		result.ret = gt_delete_slot(t, vm, op->slot);
		break;
	case OP_FALLOCATE:
		result.ret = gt_fallocate(t, file->fd, (int)op->mode, op->offset, op->size);
		break;
	case OP_ATTRIBUTES:
		result.ret = set_attributes(world, op);
		break;
	case OP_FILE_ATTRIBUTES:
		result.ret = set_file_attributes(world, op);
		break;
	case OP_MAP:
		result.ret = map(world, op);
		break;
	case OP_UNMAP:
		unmap(world, file);
		break;
	case OP_HOST_READ:
	case OP_HOST_WRITE:
		touch(world, op, &result);
		break;
	case OP_GUEST_READ:
	case OP_GUEST_WRITE:
		run_guest(world, op, &result);
		break;
	case OP_PRE_FAULT:
		pre_fault(world, op, &result);
		break;
	case OP_MOVE_CONTEXT:
		result.ret = move_context(world, op);
		break;
	case OP_NEW_VM:
		result.ret = new_vm(world, op);
		break;
	case OP_KINDS:
		break;
	}
	return result;
}
