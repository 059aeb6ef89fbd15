/* SPDX-License-Identifier: MIT */
/* A running guest goes on in another process: --handover-to and --handover-from. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

#define TIMEOUT_NS    UINT64_C(10000000000)
#define CONNECT_TRIES 1000
#define RUN_BEFORE_NS 100000000 /* so that there is something to go on with */

/* Blobs. Both sides are this program: their layout is its own business. */
#define BLOB_MACHINE "machine"
#define BLOB_VCPUS   "vcpus"

struct machine_state {
	char guest[32];
	uint64_t mem;
	uint32_t vcpus;
	uint32_t is_private;
};

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint32_t tick;
	uint32_t padding;
};

struct vcpus_state {
	uint64_t stopped_ns; /* CLOCK_MONOTONIC is the host's */
	struct vcpu_state vcpus[BOOT_MAX_VCPUS];
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void wait_ns(long ns)
{
	struct timespec time = {.tv_nsec = ns};

	nanosleep(&time, NULL);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		fail(STATUS_USAGE, "%s: too long for the name of a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	return address;
}

/* Whoever starts first, the other comes. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fail_if(fd < 0 ? -errno : 0, "cannot make a socket");
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		wait_ns(10000000);
	}
	fail(STATUS_FAILED, "%s: nobody takes the guest", path);
}

static int accept_on(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	fail_if(listener < 0 ? -errno : 0, "cannot make a socket");
	unlink(path);
	fail_if(bind(listener, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0,
		"cannot name the socket");
	fail_if(listen(listener, 1) ? -errno : 0, "cannot listen");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	fail_if(fd < 0 ? -errno : 0, "nobody hands a guest over");
	close(listener);
	unlink(path);
	return fd;
}

/* The peer must be of the same user. */
static struct gmem_handover_opts peer_opts(void)
{
	GMEM_INIT(gmem_handover_opts, opts);

	opts.flags = GMEM_HANDOVER_PEER_UID | GMEM_HANDOVER_HOLD;
	opts.uid = getuid();
	opts.timeout_ns = TIMEOUT_NS;
	return opts;
}

static void run_until(struct gmem_handover *handover, int wanted, const char *what)
{
	int ret = gmem_handover_run(handover);

	fail_if_gmem(ret, what);
	if (ret != wanted)
		fail(STATUS_FAILED, "%s: the hand-over is somewhere else", what);
}

static void add_machine(struct gmem_handover *handover, const struct machine *machine,
			const struct options *options)
{
	struct machine_state state = {
		.mem = options->mem,
		.vcpus = machine->vcpu_count,
		.is_private = machine->is_private,
	};

	strncpy(state.guest, machine->guest->name, sizeof(state.guest) - 1);
	fail_if_gmem(gmem_handover_add_blob(handover, BLOB_MACHINE, &state, sizeof(state)),
		     "cannot describe the machine");
	if (machine->boot_fd >= 0)
		fail_if_gmem(gmem_handover_add_memory(handover, machine->boot, machine->boot_size,
						      machine->boot_fd, 0),
			     "cannot describe the boot area");
}

/* A scripted vCPU has no registers: its script begins again, and all that it knows is in memory. */
static void read_vcpu(const struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct kernel *kernel = &vcpu->machine->kernel;

	state->tick = vcpu->tick;
	if (kernel->sim)
		return;
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_GET_REGS, &state->regs),
		"cannot read a vCPU's registers");
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_GET_SREGS, &state->sregs),
		"cannot read a vCPU's registers");
}

static void add_vcpus(struct gmem_handover *handover, struct machine *machine)
{
	struct vcpus_state *state = calloc(1, sizeof(*state));

	fail_if(state ? 0 : -ENOMEM, "cannot hand over");
	state->stopped_ns = now_ns();
	vcpus_stop(machine);
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		read_vcpu(&machine->vcpus[i], &state->vcpus[i]);
	fail_if_gmem(gmem_handover_add_blob(handover, BLOB_VCPUS, state, sizeof(*state)),
		     "cannot add the vCPUs");
	free(state);
}

static void print_sent(struct gmem_handover *handover)
{
	GMEM_INIT(gmem_handover_info, info);

	gmem_handover_get_info(handover, &info);
	printf("handed over %" PRIu32 " range%s of %" PRIu32 " file%s by %" PRIu32
	       " descriptor%s and a manifest of %" PRIu64 " bytes\n",
	       info.slots, info.slots == 1 ? "" : "s", info.files, info.files == 1 ? "" : "s",
	       info.fds, info.fds == 1 ? "" : "s", info.manifest_bytes);
}

/* The guest runs while the target makes its VM; it stops for the last blob alone. */
void handover_send(struct machine *machine, const struct options *options)
{
	struct gmem_handover_opts opts = peer_opts();
	struct gmem_handover *handover;
	int socket;

	vcpus_start(machine);
	wait_ns(RUN_BEFORE_NS);
	socket = connect_to(options->handover_to);
	fail_if_gmem(gmem_handover_send_begin(machine->vm, socket, &opts, &handover),
		     "cannot hand over");
	add_machine(handover, machine, options);
	run_until(handover, GMEM_HANDOVER_HELD, "the target is not prepared");
	add_vcpus(handover, machine);
	fail_if_gmem(gmem_handover_proceed(handover), "cannot hand over");
	run_until(handover, GMEM_HANDOVER_DONE, "the guest was not taken");
	report_step("hand over");
	print_sent(handover);
	gmem_handover_unref(handover);
	close(socket);
}

static const void *get_blob(struct gmem_handover *handover, const char *name, uint64_t wanted)
{
	const void *data;
	uint64_t size;

	fail_if_gmem(gmem_handover_get_blob(handover, name, &data, &size), "a blob is missing");
	if (size != wanted)
		fail(STATUS_FAILED, "the blob %s is of another gmem-vmm", name);
	return data;
}

static void read_machine(struct gmem_handover *handover, struct machine *machine,
			 struct options *options)
{
	struct machine_state state;
	GMEM_INIT(gmem_vm_info, info);

	memcpy(&state, get_blob(handover, BLOB_MACHINE, sizeof(state)), sizeof(state));
	state.guest[sizeof(state.guest) - 1] = '\0';
	machine->guest = guest_find(state.guest);
	if (!machine->guest || state.vcpus < 1 || state.vcpus > BOOT_MAX_VCPUS)
		fail(STATUS_FAILED, "the machine is none that this program knows");
	options->guest = machine->guest;
	options->mem = state.mem;
	machine->vcpu_count = state.vcpus;
	machine->is_private = state.is_private;
	fail_if_gmem(gmem_handover_vm(handover, &machine->vm), "there is no VM");
	gmem_vm_get_info(machine->vm, &info);
	machine->vm_type = info.vm_type;
	machine_lay_out_ram(machine, state.mem);
	machine_find_boot_area(machine);
}

static void write_vcpu(struct vcpu *vcpu, const struct vcpu_state *state)
{
	const struct kernel *kernel = &vcpu->machine->kernel;

	vcpu->tick = state->tick;
	if (kernel->sim)
		return;
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_SREGS, (void *)(uintptr_t)&state->sregs),
		"cannot set a vCPU's registers");
	fail_if(kernel_ioctl(kernel, vcpu->fd, KVM_SET_REGS, (void *)(uintptr_t)&state->regs),
		"cannot set a vCPU's registers");
}

static void take(struct gmem_handover *handover, struct machine *machine)
{
	const struct vcpus_state *state = get_blob(handover, BLOB_VCPUS, sizeof(*state));

	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		write_vcpu(&machine->vcpus[i], &state->vcpus[i]);
	fail_if_gmem(gmem_handover_take(handover, &machine->vm), "there is no VM");
	fail_if_gmem(gmem_handover_take_file(handover, 0, &machine->file), "there is no file");
	vcpus_start(machine);
	printf("taken over  the guest stood still for %.2f ms\n",
	       (double)(now_ns() - state->stopped_ns) / 1e6);
}

/* All that takes time is done while the guest still runs in the source. */
void handover_receive(struct machine *machine, struct options *options)
{
	struct gmem_handover_opts opts = peer_opts();
	struct gmem_handover *handover;
	int socket;

	machine_open(machine, options);
	socket = accept_on(options->handover_from);
	fail_if_gmem(gmem_handover_recv_begin(machine->ctx, socket, &opts, &handover),
		     "cannot take over");
	run_until(handover, GMEM_HANDOVER_HELD, "cannot take over");
	read_machine(handover, machine, options);
	machine_create_vcpus(machine);
	report_step("prepare");
	report_machine(machine, options);
	fail_if_gmem(gmem_handover_proceed(handover), "cannot take over");
	run_until(handover, GMEM_HANDOVER_DONE, "cannot take over");
	take(handover, machine);
	gmem_handover_unref(handover);
	close(socket);
	report_step("take over");
	vcpus_join(machine);
	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		printf("vCPU %-6" PRIu32 " counted on to %" PRIu32 " without a gap\n", i,
		       machine->vcpus[i].tick);
	report_step("run the guest");
}
