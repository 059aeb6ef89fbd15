/* SPDX-License-Identifier: MIT */
/* Boots again: a new VM object on the memory of the old one, or, for comparison, all of it anew. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm.h"

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The work of zeroing, on as many threads as there are vCPUs, which stand still now. */
struct team {
	void (*work)(void *job);
	void *job;
};

static void *team_member(void *data)
{
	struct team *team = data;

	team->work(team->job);
	return NULL;
}

static int work_in_parallel(void *user, void (*work)(void *job), void *job)
{
	const struct machine *machine = user;
	struct team team = {.work = work, .job = job};
	pthread_t threads[BOOT_MAX_VCPUS];
	uint32_t started = 0;

	while (started < machine->vcpu_count &&
	       !pthread_create(&threads[started], NULL, team_member, &team))
		started++;
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return 0; /* libgmem does what nobody else did */
}

static void replace_vm(struct machine *machine, const struct machine *old,
		       struct gmem_replace_info *ret_info)
{
	GMEM_INIT(gmem_replace_opts, opts);

	opts.contents = machine->keeps ? GMEM_CONTENTS_KEEP : GMEM_CONTENTS_ZERO;
	opts.parallel = work_in_parallel;
	opts.parallel_user = machine;
	if (gmem_vm_replace(old->vm, &opts, &machine->vm, ret_info))
		fail(gmem_errinfo()->error == -EOPNOTSUPP ? STATUS_CANNOT : STATUS_FAILED,
		     "cannot reuse the memory: %s", gmem_errinfo()->message);
	fail_if_gmem(gmem_file_find(machine->vm, old->file, &machine->file),
		     "cannot find the file of guest memory");
}

/* The old vCPUs hold the old VM in the kernel: they go with it, after the new ones were made. */
static void release_old(struct machine *old)
{
	for (uint32_t i = 0; i < old->vcpu_count; i++)
		vcpu_destroy(&old->vcpus[i]);
	fail_if_gmem(gmem_vm_unbind_all(old->vm), "cannot unbind the old VM's memory");
	gmem_file_unref(old->file);
	gmem_vm_unref(old->vm);
}

static void print_reuse(const struct machine *machine, const struct gmem_replace_info *info,
			double ready, double gone)
{
	static const char *const names[] = {"host memory alone", "KVM_LINK_GUEST_MEMFD",
					    "a host-address view"};

	printf("reboot %-4" PRIu64 " %" PRIu32 " ranges of %" PRIu32 " file by %s: %" PRIu64
	       " MiB kept, %" PRIu64 " MiB zeroed\n",
	       machine->boots, info->slots, info->files, names[info->mechanism],
	       info->kept_bytes / MIB, info->zeroed_bytes / MIB);
	printf("            the new VM can run after %.2f ms (VM %.2f, link %.2f, bind %.2f, "
	       "zero %.2f), the old one is gone %.2f ms later\n",
	       ready, (double)info->create_ns / 1e6, (double)info->link_ns / 1e6,
	       (double)info->bind_ns / 1e6, (double)info->contents_ns / 1e6, gone);
}

static void reuse(struct machine *machine)
{
	struct machine *old = malloc(sizeof(*old));
	GMEM_INIT(gmem_replace_info, info);
	double start, ready;

	fail_if(old ? 0 : -ENOMEM, "cannot reboot");
	*old = *machine;
	memset(machine->vcpus, 0, sizeof(machine->vcpus));
	start = now_ms();
	replace_vm(machine, old, &info);
	machine_find_boot_area(machine);
	machine_create_vcpus(machine);
	ready = now_ms();
	release_old(old);
	print_reuse(machine, &info, ready - start, now_ms() - ready);
	free(old);
}

static void renew(struct machine *machine, const struct options *options)
{
	double start = now_ms();

	machine_destroy_vm(machine);
	memset(machine->vcpus, 0, sizeof(machine->vcpus));
	machine_create_vm(machine, options);
	machine_create_vcpus(machine);
	printf("reboot %-4" PRIu64 " nothing reused: destroyed, created and populated anew\n",
	       machine->boots);
	printf("            the new VM can run after %.2f ms\n", now_ms() - start);
}

/* What the guest found in its RAM: it says itself where a word is wrong. */
static void check_boot(const struct machine *machine)
{
	uint64_t bytes = 0, expected = 0, sum = 0;
	bool kept = machine->keeps && machine->boots;

	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		bytes += machine->vcpus[i].bytes;
		sum += machine->vcpus[i].checksum;
	}
	for (uint32_t i = 0; i < machine->ram_count; i++)
		expected += machine->ram[i].size;
	if (bytes != expected)
		fail(STATUS_FAILED, "the guest looked at %" PRIu64 " bytes of %" PRIu64, bytes,
		     expected);
	if (!kept && sum)
		fail(STATUS_FAILED, "the guest finds memory that is not zero");
	printf("boot %-6" PRIu64 " the guest finds its %" PRIu64 " MiB %s\n", machine->boots,
	       bytes / MIB, kept ? "as it left them" : "all zero");
	fflush(stdout);
}

static void check_asked(const struct machine *machine)
{
	bool wanted = machine->boots < machine->last_boot;

	for (uint32_t i = 0; i < machine->vcpu_count; i++)
		if (machine->vcpus[i].asked_reboot != wanted)
			fail(STATUS_FAILED, "vCPU %" PRIu32 " does not agree about a reboot", i);
}

void reboot_run(struct machine *machine, const struct options *options)
{
	for (;;) {
		vcpus_run(machine);
		check_boot(machine);
		check_asked(machine);
		if (machine->boots == machine->last_boot)
			break;
		machine->boots++;
		if (options->no_reuse)
			renew(machine, options);
		else
			reuse(machine);
		guest_load(machine);
	}
	report_step("run and reboot");
}
