/* SPDX-License-Identifier: MIT */
/* Hands a VM over to another process, which finds the bytes where the first one left them. */
#include <libgmem/libgmem.h>

#ifdef HAVE_SIM
#include <libgmem/sim.h>
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_SIZE (UINT64_C(64) << 20)
#define GUEST_BASE  UINT64_C(0x100000000)

static int complain(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message);
	return gmem_errinfo()->error == -EOPNOTSUPP ? 3 : 1;
}

/* Both sides open KVM for themselves: what one process made in KVM is of no use in another. */
static struct gmem_ctx *open_kernel(const char *kernel)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;

#ifdef HAVE_SIM
	struct gmem_sim *sim;

	if (strncmp(kernel, "sim:", 4) == 0 && gmem_sim_create(kernel + 4, NULL, &sim) == 0) {
		opts.sys = gmem_sim_ops();
		opts.sys_user = sim;
	}
#endif
	return gmem_ctx_create(&opts, &ctx) < 0 ? NULL : ctx;
}

static char *host_pointer(struct gmem_vm *vm)
{
	GMEM_INIT(gmem_slot_info, info);

	return gmem_slot_lookup(vm, 0, GUEST_BASE, &info) < 0 ? NULL : info.hva;
}

/* Without a rule for the peer nothing begins. Here it is: a process of the same user. */
static struct gmem_handover_opts same_user(void)
{
	GMEM_INIT(gmem_handover_opts, opts);

	opts.flags = GMEM_HANDOVER_PEER_UID;
	opts.uid = getuid();
	opts.timeout_ns = UINT64_C(5000000000);
	return opts;
}

static int make_vm(struct gmem_ctx *ctx, struct gmem_vm **vm)
{
	GMEM_INIT(gmem_file_opts, file_opts);
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;
	int ret = gmem_vm_create(ctx, GMEM_VM_DEFAULT, NULL, vm);

	file_opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	if (ret == 0)
		ret = gmem_file_create(*vm, MEMORY_SIZE, &file_opts, &opts.file);
	if (ret == 0)
		ret = gmem_slot_bind(*vm, GUEST_BASE, MEMORY_SIZE, &opts, &slot);
	return ret; /* the range holds its file */
}

/* After a failure the guest may go on here, but for -ENOTRECOVERABLE: the target may have it. */
static int source(const char *kernel, int socket)
{
	struct gmem_handover_opts opts = same_user();
	struct gmem_ctx *ctx = open_kernel(kernel);
	struct gmem_vm *vm;

	if (!ctx || make_vm(ctx, &vm) < 0)
		return complain("cannot make a VM");
	strcpy(host_pointer(vm), "written before the hand-over");
	if (gmem_handover_send(vm, socket, &opts) < 0)
		return complain("cannot hand over");
	return 0; /* the process ends, the memory does not */
}

static int target(const char *kernel, int socket)
{
	struct gmem_handover_opts opts = same_user();
	struct gmem_ctx *ctx = open_kernel(kernel);
	struct gmem_vm *vm;

	if (!ctx || gmem_handover_recv(ctx, socket, &opts, &vm) < 0)
		return complain("cannot take over");
	printf("process %d finds \"%s\"\n", (int)getpid(), host_pointer(vm));
	gmem_vm_unbind_all(vm);
	gmem_vm_unref(vm);
	return 0;
}

int main(int argc, char **argv)
{
	const char *kernel = argc > 1 ? argv[1] : "kvm";
	int sockets[2], status = 0, failed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return 1;
	if (fork() == 0) {
		close(sockets[1]);
		return source(kernel, sockets[0]);
	}
	close(sockets[0]);
	failed = target(kernel, sockets[1]);
	close(sockets[1]);
	wait(&status);
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : failed;
}
