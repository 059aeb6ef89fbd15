/* SPDX-License-Identifier: MIT */
/* Conversions that the guest asks for, and a look from the host at pages in either state. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vmm.h"

#ifdef HAVE_SIM
#include <libgmem/sim.h>
#endif

#define PAGE_WORDS (GMEM_PAGE_SIZE / sizeof(uint64_t))

/*
 * A vCPU thread comes back from libgmem after so many bytes. A VMM with more to do, such as to stop
 * its vCPUs, looks after that then.
 */
#define QUANTUM MIB

void convert_enable(struct machine *machine)
{
	fail_if_gmem(gmem_exit_enable(machine->vm), "cannot have hypercalls come here");
}

void convert_open(struct vcpu *vcpu)
{
	vcpu->exit.sz = sizeof(vcpu->exit);
	vcpu->exit.quantum = QUANTUM;
	if (pipe(vcpu->pipe))
		fail(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
}

void convert_close(const struct vcpu *vcpu)
{
	close(vcpu->pipe[0]);
	close(vcpu->pipe[1]);
}

/*
 * Have libgmem serve the exit if it asks for a conversion. GMEM_EXIT_AGAIN is a part of a large
 * one: nothing else waits for this thread, so it goes on at once.
 *
 * Return: whether the exit was one.
 */
bool convert_exit(struct vcpu *vcpu, int run_error)
{
	struct gmem_exit *exit = &vcpu->exit;

	do {
		fail_if_gmem(gmem_exit_handle(vcpu->machine->vm, vcpu->run, run_error, exit),
			     "cannot serve a conversion");
		if (exit->disposition == GMEM_EXIT_NOT_MINE)
			return false;
		vcpu->counts.pieces++;
	} while (exit->disposition == GMEM_EXIT_AGAIN);

	if (exit->flags & GMEM_EXIT_REFUSED)
		fail(STATUS_FAILED, "vCPU %" PRIu32 " is refused a conversion at 0x%" PRIx64 ": %s",
		     vcpu->index, exit->gpa, strerror(-exit->error));
	if (run_error)
		vcpu->counts.touches++;
	else
		vcpu->counts.hypercalls++;
	return true;
}

/* What guest and host write: convert_storm.S computes the same, a scripted guest its own. */
static uint64_t word_at(const struct machine *machine, uint64_t seed, uint64_t gpa)
{
#ifdef HAVE_SIM
	if (machine->kernel.sim)
		return gmem_sim_pattern(seed, gpa);
#endif
	return ~gpa ^ seed << 48;
}

static uint32_t count_words(const struct machine *machine, const uint64_t *words, uint64_t seed,
			    uint64_t gpa)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PAGE_WORDS; i++)
		count += words[i] == word_at(machine, seed, gpa + i * sizeof(*words));
	return count;
}

/* The host's pointer to a page that the guest named: only what is RAM, and a page. */
static void *page_at(const struct vcpu *vcpu, uint64_t gpa)
{
	GMEM_INIT(gmem_slot_info, info);

	if (gpa % GMEM_PAGE_SIZE || gmem_slot_lookup(vcpu->machine->vm, 0, gpa, &info) || !info.hva)
		fail(STATUS_FAILED,
		     "vCPU %" PRIu32 " reports a page at 0x%" PRIx64 ", there is none", vcpu->index,
		     gpa);
	return (uint8_t *)info.hva + (gpa - info.gpa);
}

/*
 * In place, touching a private page raises SIGBUS, and the guest decides what is private. A system
 * call that is given such an address fails with EFAULT instead. So pages go through a pipe.
 */
static int read_page(const struct vcpu *vcpu, const void *page, uint64_t *words)
{
	if (write(vcpu->pipe[1], page, GMEM_PAGE_SIZE) != (ssize_t)GMEM_PAGE_SIZE)
		return -errno;
	return read(vcpu->pipe[0], words, GMEM_PAGE_SIZE) == (ssize_t)GMEM_PAGE_SIZE ? 0 : -errno;
}

static int write_page(const struct vcpu *vcpu, void *page, const uint64_t *words)
{
	if (write(vcpu->pipe[1], words, GMEM_PAGE_SIZE) != (ssize_t)GMEM_PAGE_SIZE)
		return -errno;
	return read(vcpu->pipe[0], page, GMEM_PAGE_SIZE) == (ssize_t)GMEM_PAGE_SIZE ? 0 : -errno;
}

/* The host has to find what the guest wrote. Then it writes what the guest has to find. */
void convert_check_shared(struct vcpu *vcpu, uint64_t gpa)
{
	uint64_t words[PAGE_WORDS];
	void *page = page_at(vcpu, gpa);

	fail_if(read_page(vcpu, page, words), "cannot read a shared page");
	if (count_words(vcpu->machine, words, STORM_SEED_SHARED, gpa) != PAGE_WORDS)
		fail(STATUS_FAILED, "the shared page at 0x%" PRIx64 " is not what the guest wrote",
		     gpa);
	for (uint32_t i = 0; i < PAGE_WORDS; i++)
		words[i] = word_at(vcpu->machine, STORM_SEED_HOST, gpa + i * sizeof(*words));
	fail_if(write_page(vcpu, page, words), "cannot write a shared page");
	vcpu->counts.shared_pages++;
}

/* In place the host gets EFAULT; with two backings it reads the other one, without those words. */
void convert_check_private(struct vcpu *vcpu, uint64_t gpa)
{
	uint64_t words[PAGE_WORDS];
	int err = read_page(vcpu, page_at(vcpu, gpa), words);

	if (err != -EFAULT)
		fail_if(err, "cannot try to read a private page");
	if (!err && count_words(vcpu->machine, words, STORM_SEED_PRIVATE, gpa))
		fail(STATUS_FAILED, "the host can read the private page at 0x%" PRIx64, gpa);
	if (vcpu->machine->is_in_place && !err)
		fail(STATUS_FAILED, "the host can touch the private page at 0x%" PRIx64, gpa);
	vcpu->counts.private_pages++;
}

static struct convert_counts add_up(const struct machine *machine)
{
	struct convert_counts sum = {0};

	for (uint32_t i = 0; i < machine->vcpu_count; i++) {
		const struct convert_counts *counts = &machine->vcpus[i].counts;

		sum.hypercalls += counts->hypercalls;
		sum.touches += counts->touches;
		sum.pieces += counts->pieces;
		sum.shared_pages += counts->shared_pages;
		sum.private_pages += counts->private_pages;
	}
	return sum;
}

/* The guest leaves all as it was: shared. libgmem's account has to agree. */
void convert_check_end(struct machine *machine)
{
	struct convert_counts sum = add_up(machine);
	GMEM_INIT(gmem_attr_info, info);

	fail_if_gmem(gmem_attr_get_info(machine->vm, NULL, &info), "cannot read the account");
	printf("guest       %" PRIu64 " conversions by hypercall, %" PRIu64
	       " by touching, served in %" PRIu64 " pieces\n",
	       sum.hypercalls, sum.touches, sum.pieces);
	printf("libgmem     %" PRIu64 " calls to convert, %" PRIu64 " to discard, %" PRIu64
	       " failed\n",
	       info.conversions, info.discards, info.failed_discards);
	if (!sum.shared_pages || !sum.private_pages)
		fail(STATUS_FAILED, "the guest had the host look at no page");
	if (info.private_bytes || info.twice_bytes)
		fail(STATUS_FAILED,
		     "%" PRIu64 " bytes are still private, %" PRIu64 " are backed twice",
		     info.private_bytes, info.twice_bytes);
	printf("VMM         %" PRIu64 " shared pages as the guest wrote them, %" PRIu64
	       " private pages out of reach\n",
	       sum.shared_pages, sum.private_pages);
	report_step("check the memory");
}
