/* SPDX-License-Identifier: MIT */
/* Compares what the guest reported with what the host finds in the same pages. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vmm.h"

static uint64_t sum_words(const void *memory, uint64_t size)
{
	const uint64_t *words = memory;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

/* Sum a range of guest addresses through the host's mapping, slot by slot. */
static uint64_t sum_range(struct gmem_vm *vm, struct gmem_range range)
{
	uint64_t sum = 0;

	while (range.size > 0) {
		GMEM_INIT(gmem_slot_info, info);
		uint64_t skip, size;

		fail_if_gmem(gmem_slot_lookup(vm, 0, range.start, &info), "cannot find memory");
		skip = range.start - info.gpa;
		size = info.size - skip < range.size ? info.size - skip : range.size;
		sum += sum_words((const uint8_t *)info.hva + skip, size);
		range.start += size;
		range.size -= size;
	}
	return sum;
}

static void check_shared(struct machine *machine, uint64_t expected)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < machine->ram_count; i++)
		sum += sum_range(machine->vm, machine->ram[i]);
	if (sum != expected)
		fail(STATUS_FAILED, "the VMM finds the checksum 0x%016" PRIx64, sum);
	printf("VMM         checksum 0x%016" PRIx64 " of the same pages by its own mapping\n", sum);
}

/*
 * Touching private memory raises SIGBUS. A system call that is given such an address fails with EFAULT
 * instead, which is the way to find out without a signal handler.
 */
static void check_private(struct machine *machine)
{
	int pipefd[2];
	void *addr;

	fail_if_gmem(gmem_file_map(machine->file, 0, GMEM_PAGE_SIZE, &addr),
		     "cannot map the file of guest memory");
	if (pipe(pipefd))
		fail(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	if (write(pipefd[1], addr, 1) != -1 || errno != EFAULT)
		fail(STATUS_FAILED, "the VMM can read memory that should be private");
	printf("VMM         its own mapping cannot see the private memory: EFAULT, as it should\n");
	close(pipefd[0]);
	close(pipefd[1]);
	gmem_file_unmap(machine->file, addr, GMEM_PAGE_SIZE);
}

void check_memory(struct machine *machine)
{
	uint64_t checksum = 0, bytes = 0, expected = 0;

	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		checksum += machine->vcpus[i].checksum;
		bytes += machine->vcpus[i].bytes;
	}
	for (uint32_t i = 0; i < machine->ram_count; i++)
		expected += machine->ram[i].size;
	if (bytes != expected)
		fail(STATUS_FAILED, "the guest verified %" PRIu64 " bytes of %" PRIu64, bytes,
		     expected);
	printf("guest       checksum 0x%016" PRIx64 " of the %" PRIu64 " MiB it filled\n", checksum,
	       bytes / MIB);
	if (machine->is_private)
		check_private(machine);
	else
		check_shared(machine, checksum);
	report_step("check the memory");
}
