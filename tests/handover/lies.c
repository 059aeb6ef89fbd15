/* SPDX-License-Identifier: MIT */
/* A peer that lies: wrong descriptors, wrong numbers, half of it, too much of it, the same again. */
#include <fcntl.h>
#include <unistd.h>

#include "crc64.h"
#include "handover_job.h"
#include "ho.h"
#include "manifest_wire.h"

/* What the source's manifest and descriptors are turned into before they are sent. */
struct lie {
	const char *name;
	int want; /* of the target */
	void (*tell)(struct ho *ho, struct gmem_handover *source);
};

/* Made right again after a change, so that only the change is wrong. */
static void fix_check(struct gmem_handover *source)
{
	struct gmi_bulk *bulk = &source->manifest_bytes;
	uint8_t *check = bulk->bytes + bulk->size - MANIFEST_CHECK_SIZE;

	put_u64(check, gmi_crc64(bulk->bytes, bulk->size - MANIFEST_CHECK_SIZE));
	bulk->check = get_u64(check);
}

static uint8_t *record_of(struct gmem_handover *source, uint32_t type)
{
	uint8_t *at = source->manifest_bytes.bytes + MANIFEST_HEADER_SIZE;

	while (get_u32(at) != type)
		at += RECORD_HEADER_SIZE + (get_u64(at + 8) + 7) / 8 * 8;
	return at + RECORD_HEADER_SIZE;
}

static int other_file(struct ho *ho, uint64_t size)
{
	GMEM_INIT(gmem_file_info, info);
	int fd;

	MUST(gmem_file_get_info(ho->file, &info) == 0);
	fd = gt_create_gmem(ho->t, gmem_vm_fd(ho->vm), size, info.flags);
	MUST(fd >= 0);
	return fd;
}

/* The descriptors that a lie made; closed when it was told. */
static int made = -1;

static void another_file(struct ho *ho, struct gmem_handover *source)
{
	source->fds[0] = made = other_file(ho, HO_SIZE);
}

static void a_memfd(struct ho *ho, struct gmem_handover *source)
{
	source->fds[0] = made = ho->t->ops->memfd(ho->t->user, "lie", 0);
	MUST(ho->t->ops->ftruncate(ho->t->user, made, HO_SIZE) == 0);
}

static void a_memfd_with_its_inode(struct ho *ho, struct gmem_handover *source)
{
	uint8_t *inode = record_of(source, GMI_RECORD_INODE);
	struct gmem_sys_stat stat;

	a_memfd(ho, source);
	MUST(ho->t->ops->fstat(ho->t->user, made, &stat) == 0);
	put_u64(inode + 8, stat.dev);
	put_u64(inode + 16, stat.ino);
	fix_check(source);
}

static void a_socket(struct ho *ho, struct gmem_handover *source)
{
	source->fds[0] = ho->sockets[0];
}

static void a_vm(struct ho *ho, struct gmem_handover *source)
{
	source->fds[0] = gmem_vm_fd(ho->vm);
}

static void another_size(struct ho *ho, struct gmem_handover *source)
{
	put_u64(record_of(source, GMI_RECORD_INODE) + 24, 2 * HO_SIZE);
	fix_check(source);
}

static void another_inode(struct ho *ho, struct gmem_handover *source)
{
	uint8_t *inode = record_of(source, GMI_RECORD_INODE);

	put_u64(inode + 16, get_u64(inode + 16) + 1);
	fix_check(source);
}

static void another_page_size(struct ho *ho, struct gmem_handover *source)
{
	put_u64(record_of(source, GMI_RECORD_INODE) + 48, GMEM_PAGE_2M);
	fix_check(source);
}

static void a_slot_beyond(struct ho *ho, struct gmem_handover *source)
{
	put_u64(record_of(source, GMI_RECORD_SLOT) + 8, 2 * HO_SIZE);
	fix_check(source);
}

static void overlapping_slots(struct ho *ho, struct gmem_handover *source)
{
	uint8_t *slot = record_of(source, GMI_RECORD_SLOT);

	put_u64(slot, get_u64(slot + SLOT_SIZE + RECORD_HEADER_SIZE));
	fix_check(source);
}

static void other_flags(struct ho *ho, struct gmem_handover *source)
{
	uint8_t *flags = record_of(source, GMI_RECORD_INODE) + 32;

	put_u64(flags, get_u64(flags) ^ (GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED));
	fix_check(source);
}

static void another_type(struct ho *ho, struct gmem_handover *source)
{
	put_u32(record_of(source, GMI_RECORD_VM), GMEM_VM_TDX);
	fix_check(source);
}

static void another_mechanism(struct ho *ho, struct gmem_handover *source)
{
	uint8_t *mechanism = record_of(source, GMI_RECORD_VM) + 4;

	put_u32(mechanism,
		get_u32(mechanism) == GMI_CONVERT_INPLACE ? GMI_CONVERT_VM : GMI_CONVERT_INPLACE);
	fix_check(source);
}

static void changed_byte(struct ho *ho, struct gmem_handover *source)
{
	source->manifest_bytes.bytes[100] ^= 1;
}

static void fewer_descriptors(struct ho *ho, struct gmem_handover *source)
{
	put_u32(record_of(source, GMI_RECORD_VM) + 12, source->nr_fds + 1);
	fix_check(source);
}

static void more_than_allowed(struct ho *ho, struct gmem_handover *source)
{
	ho->target->opts.manifest_max = 64;
}

static const struct lie lies[] = {
	{"another file", -EXDEV, another_file},
	{"a memfd", -EXDEV, a_memfd},
	{"a memfd with its inode", -EINVAL, a_memfd_with_its_inode},
	{"a socket", -EXDEV, a_socket},
	{"a VM", -EXDEV, a_vm},
	{"another size", -EXDEV, another_size},
	{"another inode", -EXDEV, another_inode},
	{"another page size", -EXDEV, another_page_size},
	{"a slot beyond its file", -EPROTO, a_slot_beyond},
	{"overlapping slots", -EEXIST, overlapping_slots},
	{"other flags", -EINVAL, other_flags},
	{"another type", -EOPNOTSUPP, another_type},
	{"another mechanism", -EOPNOTSUPP, another_mechanism},
	{"a changed byte", -EPROTO, changed_byte},
	{"fewer descriptors than said", -EPROTO, fewer_descriptors},
	{"more than allowed", -EPROTO, more_than_allowed},
};

/* HELLO is put and holds what was true before the lie: it is put again. */
static void tell(struct ho *ho, const struct lie *lie)
{
	struct gmem_handover *source = ho->source;

	MUST(gmi_handover_send_move(source) == 1);
	lie->tell(ho, source);
	put_u64(source->wire.out + GMI_FRAME_HEADER + 24, source->manifest_bytes.check);
	put_u64(source->wire.out + source->wire.out_size - 8,
		gmi_crc64(source->wire.out, source->wire.out_size - 8));
}

static void lie_once(struct ho *ho, int type, const struct lie *lie)
{
	struct gt_alive before = gt_count_alive(ho->t), after;
	unsigned int fds = gt_count_fds();
	int source, target;

	ho_connect(ho, type, 0);
	tell(ho, lie);
	ho_pump(ho, &source, &target);
	EXPECT_CASE("target", lie->name, target, lie->want);
	EXPECT_CASE("source", lie->name, source, -ECANCELED);
	EXPECT_CASE("reason", lie->name, ho_info(ho->source).peer_error, lie->want);
	EXPECT_CASE("owner", lie->name, ho_info(ho->source).owner, GMEM_HANDOVER_SELF);
	ho_disconnect(ho);
	if (made >= 0)
		gt_close(ho->t, made);
	made = -1;
	after = gt_count_alive(ho->t);
	EXPECT_CASE("files left", lie->name, (int64_t)after.files, (int64_t)before.files);
	EXPECT_CASE("VMs left", lie->name, (int64_t)after.vms, (int64_t)before.vms);
	EXPECT_CASE("slots left", lie->name, (int64_t)after.slots, (int64_t)before.slots);
	EXPECT_CASE("descriptors left", lie->name, gt_count_fds(), fds);
}

static void all_lies(struct ho *ho, int type)
{
	for (size_t i = 0; i < GT_COUNT(lies); i++)
		lie_once(ho, type, &lies[i]);
	ho_expect_whole(ho);
}

static void sources(struct gt *t)
{
	ho_each(t, all_lies);
}

/* Two files whose descriptors change places. */
static void swapped_once(struct ho *ho, int type)
{
	GMEM_INIT(gmem_file_opts, opts);
	GMEM_INIT(gmem_file_info, info);
	struct gmem_file *file;
	int source, target, first;

	MUST(gmem_file_get_info(ho->file, &info) == 0);
	opts.flags = info.flags;
	MUST(gmem_file_create(ho->vm, HO_SIZE, &opts, &file) == 0);
	ho_connect(ho, type, 0);
	MUST(gmem_handover_add_file(ho->source, file) == 0);
	MUST(gmi_handover_send_move(ho->source) == 1);
	first = ho->source->fds[0];
	ho->source->fds[0] = ho->source->fds[1];
	ho->source->fds[1] = first;
	ho_pump(ho, &source, &target);
	EXPECT("target", target, -EXDEV);
	EXPECT("source", source, -ECANCELED);
	gmem_file_unref(file);
}

static void swapped(struct gt *t)
{
	ho_each(t, swapped_once);
}

/* A backing that cannot be written, and a context that is none. */
static void wrong_kind(struct gt *t, bool of_context)
{
	GMEM_INIT(gmem_handover_opts, opts);
	struct gmem_handover_opts target_opts;
	char path[64];
	int source, target, fd;
	struct ho ho;

	REQUIRE(ho_is_possible(t, HO_PRIVATE), "the kernel does not link private memory");
	ho_open(&ho, t, HO_PRIVATE);
	opts.flags = GMEM_HANDOVER_ANY_PEER;
	target_opts = opts;
	opts.flags |= of_context ? GMEM_HANDOVER_MOVE_CONTEXT : 0;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ho.sockets) == 0);
	ho_begin(&ho, &opts, &target_opts);
	MUST(gmi_handover_send_move(ho.source) == 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ho.source->fds[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	ho.source->fds[of_context ? ho.source->nr_fds - 1 : 1] = fd;
	ho_pump(&ho, &source, &target);
	EXPECT("target", target, of_context ? -EBADF : -EACCES);
	EXPECT("source", source, -ECANCELED);
	EXPECT("owner", ho_info(ho.source).owner, GMEM_HANDOVER_SELF);
	close(fd);
	ho_expect_whole(&ho);
	ho_close(&ho);
}

static void read_only_backing(struct gt *t)
{
	wrong_kind(t, false);
}

static void no_context(struct gt *t)
{
	wrong_kind(t, true);
}

/* What a target says to a source at a wrong time, or about something else. */
static void say(struct ho *ho, uint32_t frame, uint64_t check)
{
	struct gmem_handover *target = ho->target;
	uint8_t body[8];

	put_u64(body, check);
	target->wire.out_size = 0;
	gmi_wire_put(&target->wire, frame, body, sizeof(body), NULL, 0);
	MUST(gmi_wire_flush(&target->wire) == 1);
}

static void false_target(struct ho *ho, int type, uint32_t frame, uint64_t change, int want)
{
	int source;

	ho_connect(ho, type, 0);
	for (int i = 0; i < 2; i++) {
		gmem_handover_step(ho->source);
		if (ho->target->state < GMI_RECV_BUILD)
			gmi_handover_recv_move(ho->target);
		gmi_wire_flush(&ho->target->wire);
	}
	say(ho, frame, ho->source->manifest_bytes.check ^ change);
	source = gmem_handover_step(ho->source);
	EXPECT("source", source, want);
	EXPECT("owner", ho_info(ho->source).owner,
	       want == GMEM_HANDOVER_WAIT ? GMEM_HANDOVER_UNKNOWN : GMEM_HANDOVER_SELF);
	ho_disconnect(ho);
}

static void targets_once(struct ho *ho, int type)
{
	false_target(ho, type, GMI_FRAME_ACK, 0, -EPROTO);
	false_target(ho, type, GMI_FRAME_HELLO, 0, -EPROTO);
	false_target(ho, type, GMI_FRAME_PREPARED, 1, -EPROTO);
	ho_expect_whole(ho);
	false_target(ho, type, GMI_FRAME_PREPARED, 0, GMEM_HANDOVER_WAIT);
}

static void targets(struct gt *t)
{
	ho_each(t, targets_once);
}

/* All that a source said, said again to another target. */
static void replay_once(struct ho *ho, int type)
{
	static uint8_t heard[65536];
	int fds[GMEM_SYS_FDS_MAX], relay[2], got, sizes[64], count = 0, source, target = 0;
	uint32_t nr_fds;
	size_t size = 0;

	ho_connect(ho, type, 0);
	MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, relay) == 0);
	ho->source->wire.socket = relay[0];
	for (int i = 0; i < 3; i++) {
		gmem_handover_step(ho->source);
		while ((got = gmi_sys_recv_fds(ho->target->wire.sys, relay[1], heard + size, 32768,
					       fds, &nr_fds)) > 0) {
			gmi_sys_send_fds(ho->target->wire.sys, ho->sockets[0], heard + size,
					 (size_t)got, fds, nr_fds);
			while (nr_fds)
				close(fds[--nr_fds]);
			sizes[count++] = got;
			size += (size_t)got;
		}
		gmem_handover_step(ho->target);
		got = gmi_sys_recv_fds(ho->target->wire.sys, ho->sockets[0], heard + size, 4096,
				       fds, &nr_fds);
		if (got > 0)
			gmi_sys_send_fds(ho->target->wire.sys, relay[1], heard + size, (size_t)got,
					 NULL, 0);
	}
	ho_disconnect(ho);
	close(relay[0]);
	close(relay[1]);
	ho_free_vm(ho);
	ho_make_vm(ho);

	ho_connect(ho, type, 0);
	size = 0;
	for (int i = 0; i < count; i++, size += (size_t)sizes[i - 1]) {
		gmi_sys_send_fds(ho->target->wire.sys, ho->sockets[0], heard + size,
				 (size_t)sizes[i], NULL, 0);
		target = gmem_handover_step(ho->target);
		if (target < 0)
			break;
	}
	source = gmem_handover_cancel(ho->source);
	EXPECT("cancel", source, 0);
	EXPECT("target", target, -EPROTO);
	ho_expect_whole(ho);
}

static void replay(struct gt *t)
{
	ho_each(t, replay_once);
}

/* Bytes that are no message, of each length up to some. */
static void noise_once(struct ho *ho, int type)
{
	uint8_t bytes[200];
	int target;

	for (size_t size = 1; size < sizeof(bytes); size += 13) {
		ho_connect(ho, type, 0);
		memset(bytes, (int)size, sizeof(bytes));
		MUST(send(ho->sockets[0], bytes, size, 0) == (ssize_t)size);
		shutdown(ho->sockets[0], SHUT_WR);
		target = gmem_handover_run(ho->target);
		EXPECT("noise", target == -EPROTO || target == -ECONNRESET, true);
		ho_disconnect(ho);
	}
}

static void noise(struct gt *t)
{
	ho_each(t, noise_once);
}

static const struct gt_test tests[] = {
	GT_TEST(sources),           GT_TEST(swapped),    GT_TEST(targets), GT_TEST(replay),
	GT_TEST(read_only_backing), GT_TEST(no_context), GT_TEST(noise),
};

GT_MAIN(tests)
