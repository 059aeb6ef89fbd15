/* SPDX-License-Identifier: MIT */
/**
 * DOC: Hand-over to another process
 *
 * A VM goes on in another process of the same host: files, bound ranges and the private/shared
 * state of every page go over a unix socket, and no byte of guest memory is copied. The source is
 * the process that has the VM, the target the one that gets it. How the target reaches the memory
 * is what link.h says: KVM_LINK_GUEST_MEMFD, or by host address.
 *
 *   source                                  target
 *   1  HELLO          versions, sizes  ->   the peer is checked on both sides before a byte is read
 *   2                                  <-   WELCOME
 *   3  the manifest, the descriptors   ->   checks the manifest, compares it with the descriptors,
 *                                           makes the VM, links, sets states, binds
 *   4  (may be held: GMEM_HANDOVER_HOLD)    (may be held)
 *   5                                  <-   PREPARED: all is there and nothing has happened yet
 *   6  (the last blobs) COMMIT         ->   from here on the source does not own
 *   7                                  <-   ACK: from here on the target owns
 *
 * Who owns. A guest must never run twice, so the rule gives each moment at most one owner:
 *
 *   - Until COMMIT is handed to the socket the source owns. It may cancel, and whatever the target
 *     does or becomes, the source's VM is as it was.
 *   - The target owns once its ACK is handed to the socket; or could not be, because the source is
 *     gone: the source gave up before it went.
 *   - Between the two nobody owns. This window remains. Should the connection end in it, the source
 *     gets -ENOTRECOVERABLE, and whether the target has sent its ACK decides who owns. On a unix
 *     socket that the target itself holds, what was sent is in the source's queue at once, and
 *     stays there when the sender dies: an end without an ACK says that none was sent, that the
 *     target was never told to run the guest, and never will be. gmem_handover_reclaim() then makes
 *     the source the owner again. With somebody in between who passes messages on, an end says
 *     nothing: reclaim only when the target's process is known to have ended without having run the
 *     guest.
 *   - A target that gives up after PREPARED says so, and the source owns on. A caller closes the
 *     socket after a failure, so that the peer learns.
 *
 * The target's VM is whole before PREPARED, so what remains after COMMIT cannot fail. A source that
 * died before COMMIT was the owner: the guest is lost with it, as it would have been without a
 * hand-over.
 *
 * What is checked: the peer's credentials by the caller's rule; every number of the manifest, its
 * CRC, and that it fits itself; that each descriptor is guest memory or a file of the size, device
 * and inode that the manifest names, and can be written; all of that before the target's VM is
 * touched. What is not: whoever holds a descriptor of guest memory can use it. A peer that the
 * rule admits is trusted with the guest's shared memory. The manifest is neither secret nor signed.
 *
 * With GMEM_HANDOVER_MOVE_CONTEXT the VM's descriptor goes along, and the target has the kernel move
 * the memory's context, as gmem_vm_move_context() does, between COMMIT and ACK; the states of pages
 * go with it. A layout that the kernel refuses makes the target give up, and the source owns on. Once
 * it was moved the source's VM is dead, so a target that dies before its ACK leaves memory and no VM.
 *
 * What does not go along: vCPUs, interrupt controllers and devices (the VMM puts their state into
 * blobs), listeners, and what gmem_discard_drain() has not given back yet: drain first.
 *
 * The socket is the caller's throughout, of type SOCK_STREAM or SOCK_SEQPACKET, blocking or not; its
 * flags are not changed. Nobody else may use it meanwhile.
 */
#ifndef LIBGMEM_HANDOVER_H
#define LIBGMEM_HANDOVER_H

#include <libgmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_handover;

/* The most bytes of a blob's name, without its end. */
#define GMEM_HANDOVER_NAME_MAX 63u

/* struct gmem_handover_opts.flags. One of those about the peer, or @check_peer, is needed. */
#define GMEM_HANDOVER_HOLD     (UINT32_C(1) << 0) /* stop before COMMIT, or before PREPARED */
#define GMEM_HANDOVER_ANY_PEER (UINT32_C(1) << 1) /* whoever has the other end may be the peer */
#define GMEM_HANDOVER_PEER_UID (UINT32_C(1) << 2) /* the peer's user must be @uid */
#define GMEM_HANDOVER_PEER_GID (UINT32_C(1) << 3) /* the peer's group must be @gid */
#define GMEM_HANDOVER_PEER_PID (UINT32_C(1) << 4) /* the peer must be process @pid */
#define GMEM_HANDOVER_MOVE_CONTEXT                                                                 \
	(UINT32_C(1) << 5) /* source: have the kernel move the context, see below */

/**
 * struct gmem_handover_peer - who made the other end of the socket
 * @sz:  size of this struct as the library knows it
 * @pid: process; that of the two ends of a socketpair() is the one that made it
 * @uid: user
 * @gid: group
 */
struct gmem_handover_peer {
	size_t sz;
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t padding;
};

/**
 * struct gmem_handover_opts - with whom, and how
 * @sz:           sizeof(struct gmem_handover_opts)
 * @flags:        GMEM_HANDOVER_… bits
 * @uid:          see @flags
 * @gid:          see @flags
 * @pid:          see @flags
 * @check_peer:   asked after @flags; 0, or a negative error that the call fails with. May be NULL.
 * @user:         first argument of @check_peer
 * @timeout_ns:   for all of it, up to COMMIT; 0 is no limit
 * @manifest_max: target: bytes of a manifest that are accepted; 0, and at most, is 64 MiB
 * @vm:           target: a VM of its own to fill, of the source's type and with nothing bound where
 *                the source has something; NULL makes one. Unchanged where the hand-over fails.
 */
struct gmem_handover_opts {
	size_t sz;
	uint32_t flags;
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	int (*check_peer)(void *user, const struct gmem_handover_peer *peer);
	void *user;
	uint64_t timeout_ns;
	uint64_t manifest_max;
	struct gmem_vm *vm;
};

/**
 * gmem_handover_send_begin() - Begin to hand a VM over
 * @vm:           the VM. Its memory may be in use; nothing may be bound, unbound or converted until
 *                the end: -EAGAIN at COMMIT tells of such a change.
 * @socket:       a connected unix socket; the caller's
 * @opts:         with whom
 * @ret_handover: (out) the hand-over; release with gmem_handover_unref()
 *
 * Nothing is sent yet.
 *
 * Threads: safe; a hand-over itself is one thread's at a time.
 * Kernel:  getsockopt(SO_DOMAIN, SO_TYPE, SO_PEERCRED), clock_gettime().
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a negative @socket, an unknown flag, no rule for the peer, or the
 *                socket is neither a stream nor of packets
 *   -E2BIG       a member that this build does not know is not zero
 *   -EPERM       the peer is not who it must be
 *   -EOPNOTSUPP  no unix socket, or the table of system calls has none of what this needs; or this
 *                kernel moves no context for this type of VM
 *   -ESTALE      the VM was handed over already
 *   -ENOMEM      out of memory
 *   other        what @check_peer answered
 */
int gmem_handover_send_begin(struct gmem_vm *vm, int socket, const struct gmem_handover_opts *opts,
			     struct gmem_handover **ret_handover);

/**
 * gmem_handover_recv_begin() - Begin to take a VM over
 * @ctx:          the target's context
 * @socket:       a connected unix socket; the caller's
 * @opts:         from whom
 * @ret_handover: (out) the hand-over; release with gmem_handover_unref()
 *
 * Threads: as gmem_handover_send_begin().
 * Kernel:  as gmem_handover_send_begin().
 *
 * Return: as gmem_handover_send_begin(); -EXDEV where opts.vm is of another context.
 */
int gmem_handover_recv_begin(struct gmem_ctx *ctx, int socket,
			     const struct gmem_handover_opts *opts,
			     struct gmem_handover **ret_handover);

/**
 * gmem_handover_unref() - End a hand-over
 * @handover: a hand-over or NULL
 *
 * Cancels it where it is under way. What the target made and was not taken is released.
 *
 * Threads: nobody may use @handover any more.
 * Kernel:  what releasing takes.
 *
 * Return: NULL, always.
 */
struct gmem_handover *gmem_handover_unref(struct gmem_handover *handover);

/**
 * gmem_handover_add_blob() - Give the target bytes of the VMM's own
 * @handover: a source's
 * @name:     1 to GMEM_HANDOVER_NAME_MAX printable characters, which no other blob has
 * @data:     bytes, copied
 * @size:     how many, 0 included; all of a hand-over together below 64 MiB
 *
 * What is added before the first gmem_handover_step() is in the manifest, and the target has it
 * when it is prepared. What is added while the source is held goes right before COMMIT: the state
 * of vCPUs that ran until then.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a bad name or size, or a target's
 *   -EEXIST      the name is taken
 *   -EBUSY       the source is neither before its first step nor held
 *   -ENOSPC      1024 blobs are there already
 *   -ENOMEM      out of memory
 */
int gmem_handover_add_blob(struct gmem_handover *handover, const char *name, const void *data,
			   uint64_t size);

/**
 * gmem_handover_add_memory() - Tell the source what host memory is a mapping of
 * @handover: a source's, before its first step
 * @addr:     host memory that ranges were bound to with struct gmem_slot_opts.hva, page-aligned
 * @size:     bytes, a multiple of GMEM_PAGE_SIZE
 * @fd:       what it is a shared mapping of, such as a memfd; stays open until the end
 * @offset:   where in it the mapping begins, a multiple of GMEM_PAGE_SIZE
 *
 * The target maps the same. A shared backing that libgmem made needs no word; nor does a mapping of
 * the range's own file. Private anonymous memory cannot be handed over.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, a negative @fd, a range unaligned or empty, or a target's
 *   -EBUSY       after the first step
 *   -ENOMEM      out of memory
 */
int gmem_handover_add_memory(struct gmem_handover *handover, void *addr, uint64_t size, int fd,
			     uint64_t offset);

/**
 * gmem_handover_add_file() - Hand over a file from which nothing is bound
 * @handover: a source's, before its first step
 * @file:     a file of its VM
 *
 * Files with bound ranges go along by themselves.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a target's
 *   -EXDEV       a file of another VM
 *   -EBUSY       after the first step
 *   -ENOMEM      out of memory
 */
int gmem_handover_add_file(struct gmem_handover *handover, struct gmem_file *file);

/** enum gmem_handover_result - what gmem_handover_step() and gmem_handover_run() found */
enum gmem_handover_result {
	GMEM_HANDOVER_WAIT = 0, /* wait for gmem_handover_events(), then call again */
	GMEM_HANDOVER_DONE = 1, /* source: the target owns; target: the VM is this process's */
	GMEM_HANDOVER_HELD = 2, /* GMEM_HANDOVER_HOLD: call gmem_handover_proceed() */
};

/**
 * gmem_handover_step() - Go on as far as possible without waiting
 * @handover: a hand-over
 *
 * The source's first step takes stock of the VM. One of the target's makes the VM: as long as its
 * system calls take.
 *
 * State:   after a failure calling again fails alike, but for -ENOTRECOVERABLE with a time-out: then
 *          it goes on to wait for the answer.
 * Threads: one at a time.
 * Kernel:  sendmsg(), recvmsg(), clock_gettime(), fstat(); the target what gmem_vm_create(),
 *          gmem_file_link_fd(), gmem_slot_bind() and KVM_SET_MEMORY_ATTRIBUTES take, dup() and mmap().
 *
 * Return: enum gmem_handover_result, or -errno:
 *   -EINVAL      @handover is NULL
 *   -EOPNOTSUPP  the peer speaks another version or wants what this library does not know; the kernel
 *                cannot link this memory; host memory that is no mapping of a file; or
 *                a file that was denied rights
 *   -EPROTO      the peer said what it must not, or what cannot be
 *   -EXDEV       target: a descriptor is not what the manifest says, or the VM to fill does not fit
 *   -ECONNRESET  the peer is gone
 *   -ECANCELED   the peer gave up, and the record says why; or gmem_handover_cancel()
 *   -ETIMEDOUT   the time was up
 *   -EAGAIN      source: the VM changed since stock was taken
 *   -ENOTRECOVERABLE  source: COMMIT was sent, and no answer came or will come: see above
 *   -ESTALE      the VM is dead, or another hand-over of it came first
 *   -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -EBUSY, -EEXIST  as of what it calls
 */
int gmem_handover_step(struct gmem_handover *handover);

/**
 * gmem_handover_events() - What to wait for before the next step
 * @handover:       a hand-over
 * @ret_timeout_ns: (out, may be NULL) how long at most; UINT64_MAX is for ever
 *
 * Threads: as gmem_handover_step(). Kernel: clock_gettime().
 *
 * Return: POLLIN, with POLLOUT or not, for the socket; or -errno:
 *   -EINVAL      @handover is NULL
 */
int gmem_handover_events(struct gmem_handover *handover, uint64_t *ret_timeout_ns);

/**
 * gmem_handover_run() - Step until there is a result
 * @handover: a hand-over
 *
 * Threads: as gmem_handover_step(). Blocks: for the peer.
 * Kernel:  as gmem_handover_step(), and ppoll().
 *
 * Return: GMEM_HANDOVER_DONE or _HELD, or -errno as gmem_handover_step(), and
 *   -EINTR       a signal arrived; calling again is right
 */
int gmem_handover_run(struct gmem_handover *handover);

/**
 * gmem_handover_proceed() - Let a hand-over that is held go on
 * @handover: a hand-over
 *
 * Source: the VM's vCPUs have stopped and will not run again. Target: what the VMM needs to run the
 * VM is there too.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      @handover is NULL, or is not held
 */
int gmem_handover_proceed(struct gmem_handover *handover);

/**
 * gmem_handover_cancel() - Give up
 * @handover: a hand-over
 *
 * Source: until COMMIT was sent; the VM is as before. Target: until its VM is its own; what was made
 * is released. The peer is told where that is possible without waiting.
 *
 * Threads: as gmem_handover_step(). Kernel: sendmsg(), and what releasing takes.
 *
 * Return: 0, or -errno:
 *   -EINVAL      @handover is NULL
 *   -EBUSY       it is too late
 */
int gmem_handover_cancel(struct gmem_handover *handover);

/**
 * gmem_handover_reclaim() - Own a VM again whose target will never own it
 * @handover: a source's, after -ENOTRECOVERABLE because the connection ended
 *
 * The caller answers for it that nobody passed the messages on, or that the target's process has ended
 * without having run the guest: see the top of this file.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      @handover is NULL or a target's
 *   -EBUSY       COMMIT was not sent, or the target owns, or it may still answer
 */
int gmem_handover_reclaim(struct gmem_handover *handover);

/**
 * gmem_handover_get_blob() - Find a blob that the source has sent
 * @handover: a target's: held for what the manifest has, done for all
 * @name:     its name
 * @ret_data: (out) its bytes, valid until gmem_handover_unref()
 * @ret_size: (out) how many
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a source's
 *   -ENOENT      there is no such blob, yet
 */
int gmem_handover_get_blob(struct gmem_handover *handover, const char *name, const void **ret_data,
			   uint64_t *ret_size);

/**
 * gmem_handover_vm() - The target's VM
 * @handover: a target's: held or done
 * @ret_vm:   (out) the VM; borrowed, valid until gmem_handover_unref()
 *
 * For what the VMM makes before PREPARED. No vCPU may run before GMEM_HANDOVER_DONE.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a source's
 *   -ENOENT      there is no VM, yet or any more
 */
int gmem_handover_vm(struct gmem_handover *handover, struct gmem_vm **ret_vm);

/**
 * gmem_handover_take() - Take the target's VM out of a hand-over that is done
 * @handover: a target's
 * @ret_vm:   (out) the VM; release with gmem_vm_unref(). Where opts.vm was given that one, with a
 *            reference of its own.
 *
 * Its bound ranges are found with gmem_slot_next(), and their files there. They stay bound until
 * gmem_slot_unbind().
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a source's
 *   -EBUSY       it is not done
 *   -ENOENT      it was taken
 */
int gmem_handover_take(struct gmem_handover *handover, struct gmem_vm **ret_vm);

/**
 * gmem_handover_take_file() - Take a file out of a hand-over that is done
 * @handover: a target's
 * @index:    0 for the first; ranges come in the order of their guest addresses and bring their files,
 *            then come those of gmem_handover_add_file()
 * @ret_file: (out) the file; release with gmem_file_unref()
 *
 * Files that are not taken live as long as ranges bound from them.
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer, or a source's
 *   -EBUSY       it is not done
 *   -ENOENT      there are not so many, or it was taken
 */
int gmem_handover_take_file(struct gmem_handover *handover, uint32_t index,
			    struct gmem_file **ret_file);

/** enum gmem_handover_owner - who may run the guest */
enum gmem_handover_owner {
	GMEM_HANDOVER_SELF = 0,    /* this process */
	GMEM_HANDOVER_PEER = 1,    /* the peer, or nobody but the peer */
	GMEM_HANDOVER_UNKNOWN = 2, /* source: COMMIT was sent, no answer came */
};

/**
 * struct gmem_handover_info - how a hand-over stands
 * @sz:             sizeof(struct gmem_handover_info), set by the caller
 * @owner:          enum gmem_handover_owner
 * @is_target:      1 for a target's
 * @result:         what the last step returned
 * @peer_error:     the code with which the peer gave up, negative, or 0
 * @mechanism:      target: enum gmem_link_mechanism of its files, 0 where there is none yet
 * @fds:            descriptors that go along
 * @manifest_bytes: bytes of the manifest
 * @runs:           runs of private or shared pages in it
 * @bytes_sent:     on the socket
 * @bytes_received: on the socket
 * @prepare_ns:     source: to take stock; target: to make the VM
 * @files:          files that go along
 * @slots:          bound ranges that go along
 */
struct gmem_handover_info {
	size_t sz;
	uint32_t owner;
	uint32_t is_target;
	int32_t result;
	int32_t peer_error;
	uint32_t mechanism;
	uint32_t fds;
	uint64_t manifest_bytes;
	uint64_t runs;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t prepare_ns;
	uint32_t files;
	uint32_t slots;
};

/**
 * gmem_handover_get_info() - Ask how a hand-over stands
 * @handover: a hand-over
 * @ret_info: (in: @sz; out) the answer
 *
 * Threads: as gmem_handover_step(). Kernel: none.
 *
 * Return: 0, or -errno:
 *   -EINVAL      a NULL pointer
 *   -E2BIG       @ret_info is longer than this build knows and not zero there
 */
int gmem_handover_get_info(const struct gmem_handover *handover,
			   struct gmem_handover_info *ret_info);

/**
 * gmem_handover_send() - Hand a VM over, waiting for it
 * @vm:     the VM; no vCPU of it runs
 * @socket: as for gmem_handover_send_begin()
 * @opts:   as for gmem_handover_send_begin(), without GMEM_HANDOVER_HOLD
 *
 * State:   on failure the VM is the caller's and as before, but for -ENOTRECOVERABLE: then it must be
 *          given up.
 * Threads: safe. Blocks: for the peer.
 * Kernel:  as gmem_handover_run().
 *
 * Return: 0, or -errno as gmem_handover_send_begin() and gmem_handover_step(). Signals do not end it.
 */
int gmem_handover_send(struct gmem_vm *vm, int socket, const struct gmem_handover_opts *opts);

/**
 * gmem_handover_recv() - Take a VM over, waiting for it
 * @ctx:    the target's context
 * @socket: as for gmem_handover_recv_begin()
 * @opts:   as for gmem_handover_recv_begin(), without GMEM_HANDOVER_HOLD
 * @ret_vm: (out) as of gmem_handover_take()
 *
 * Threads: safe. Blocks: for the peer.
 * Kernel:  as gmem_handover_run().
 *
 * Return: 0, or -errno as gmem_handover_recv_begin() and gmem_handover_step(). Signals do not end it.
 */
int gmem_handover_recv(struct gmem_ctx *ctx, int socket, const struct gmem_handover_opts *opts,
		       struct gmem_vm **ret_vm);

#ifdef __cplusplus
}
#endif

#endif
