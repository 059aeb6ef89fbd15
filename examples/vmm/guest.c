/* SPDX-License-Identifier: MIT */
/* The guests: their programs, how one gets into memory, and what a scripted vCPU does in its place. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm.h"

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_WRITABLE (UINT64_C(1) << 1)
#define PTE_USER     (UINT64_C(1) << 2)
#define PTE_HUGE     (UINT64_C(1) << 7) /* in a page directory: a page of 2 MiB */
#define PTE_ALL      (PTE_PRESENT | PTE_WRITABLE | PTE_USER)

/* The programs of guests/, put in here by images.S. */
extern const uint8_t guest_hello[], guest_hello_end[];
extern const uint8_t guest_memtest[], guest_memtest_end[];
extern const uint8_t guest_convert_storm[], guest_convert_storm_end[];
extern const uint8_t guest_reboot[], guest_reboot_end[];
extern const uint8_t guest_count[], guest_count_end[];

static const struct guest guests[] = {
	{
		.name = "memtest",
		.help = "fill all RAM, verify it, report a checksum",
		.image = guest_memtest,
		.image_end = guest_memtest_end,
		.fills_ram = true,
		.script = script_memtest,
	},
	{
		.name = "hello",
		.help = "say hello, and touch next to no memory",
		.image = guest_hello,
		.image_end = guest_hello_end,
		.script = script_hello,
	},
	{
		.name = "convert-storm",
		.help = "convert pages on all vCPUs at once; needs private memory",
		.image = guest_convert_storm,
		.image_end = guest_convert_storm_end,
		.converts = true,
		.script = script_convert_storm,
	},
	{
		.name = "firmware",
		.help = "what --launch puts in: run as a script that asks for a report",
		.is_launched = true,
	},
	{
		.name = "count",
		.help = "count in memory; what --handover-to hands over",
		.image = guest_count,
		.image_end = guest_count_end,
		.script = script_count,
	},
	{
		.name = "reboot",
		.help = "look at all RAM, fill it, reboot; comes with --reboot",
		.image = guest_reboot,
		.image_end = guest_reboot_end,
		.fills_ram = true,
		.reboots = true,
		.script = script_reboot,
	},
};

#define GUEST_COUNT (sizeof(guests) / sizeof(guests[0]))

const struct guest *guest_find(const char *name)
{
	for (size_t i = 0; i < GUEST_COUNT; i++) {
		if (strcmp(guests[i].name, name) == 0)
			return &guests[i];
	}
	return NULL;
}

void guest_list(FILE *out)
{
	for (size_t i = 0; i < GUEST_COUNT; i++)
		fprintf(out, "    %-20s%s\n", guests[i].name, guests[i].help);
}

/* Tables of one level stand in a row, so that their entries are one array; each has @step bytes to map. */
static void fill_tables(struct machine *machine, uint64_t tables, uint64_t count, uint64_t first,
			uint64_t step, uint64_t flags)
{
	uint64_t *entries = (uint64_t *)(machine->boot + tables);

	for (uint64_t i = 0; i < count; i++)
		entries[i] = (first + i * step) | flags;
}

/* Map every guest address to itself, up to the end of RAM, in pages of 2 MiB. */
static void write_page_tables(struct machine *machine)
{
	uint64_t pml4 = BOOT_PAGE_TABLES;
	uint64_t pdpts = pml4 + GMEM_PAGE_SIZE;
	uint64_t pds = pdpts + machine->pdpt_count * GMEM_PAGE_SIZE;

	fill_tables(machine, pml4, machine->pdpt_count, pdpts, GMEM_PAGE_SIZE, PTE_ALL);
	fill_tables(machine, pdpts, machine->pd_count, pds, GMEM_PAGE_SIZE, PTE_ALL);
	fill_tables(machine, pds, machine->pd_count * TABLE_ENTRIES, 0, 2 * MIB,
		    PTE_ALL | PTE_HUGE);
}

static void write_boot_record(struct machine *machine)
{
	uint8_t *record = machine->boot + BOOT_RECORD;
	uint64_t vcpus = machine->vcpu_count;
	uint64_t regions = machine->ram_count;

	uint64_t kept = machine->keeps && machine->boots;

	memset(record, 0, GMEM_PAGE_SIZE);
	memcpy(record + BOOT_NUMBER, &machine->boots, sizeof(machine->boots));
	memcpy(record + BOOT_LAST, &machine->last_boot, sizeof(machine->last_boot));
	memcpy(record + BOOT_KEPT, &kept, sizeof(kept));
	memcpy(record + BOOT_VCPUS, &vcpus, sizeof(vcpus));
	memcpy(record + BOOT_REGIONS, &regions, sizeof(regions));
	memcpy(record + BOOT_REGION, machine->ram, regions * sizeof(machine->ram[0]));
}

/* The boot area is zero or as the boot before left it: all that a guest relies on is written here. */
void guest_load(struct machine *machine)
{
	const struct guest *guest = machine->guest;
	size_t size = (size_t)(guest->image_end - guest->image);

	if (size > BOOT_PROGRAM_SIZE)
		fail(STATUS_FAILED, "the program of guest %s is too large", guest->name);
	write_page_tables(machine);
	write_boot_record(machine);
	memcpy(machine->boot + BOOT_PROGRAM, guest->image, size);
}
