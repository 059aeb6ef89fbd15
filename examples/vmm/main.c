/* SPDX-License-Identifier: MIT */
/* gmem-vmm: the smallest VMM whose guest lives on guest_memfd. Its options, and its course of events. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

#define MIN_MEM (8 * MIB)
#define MAX_MEM (16384 * GIB)

static void usage(FILE *out)
{
	fprintf(out,
		"usage: gmem-vmm [OPTION]...\n"
		"Run a 64-bit guest whose RAM is a guest_memfd, by libgmem.\n"
		"\n"
		"  --kernel kvm          the machine's /dev/kvm (default)\n"
		"  --kernel sim:PROFILE  a simulated kernel, such as sim:v6.18 or sim:v7.3-sw\n"
		"  --mem SIZE            guest memory: 512M, 64G, 1T (default 1G)\n"
		"  --vcpus N             1 to 64 virtual processors (default 2)\n"
		"  --vm-type TYPE        default: shared memory; sw-protected: private memory;\n"
		"                        auto: private where the kernel has it (default);\n"
		"                        snp: on simulated kernels, with convert-storm\n"
		"  --launch TECHNOLOGY   launch a confidential guest: snp or tdx; on simulated\n"
		"                        kernels\n"
		"  --firmware FILE       what is launched: an OVMF image with SNP or TDX metadata\n"
		"  --reboot N            boot N times more: the guest asks for it, and gets a new "
		"VM\n"
		"                        object on the same memory\n"
		"    --keep              which is then as the guest left it (default)\n"
		"    --zero              which is then zeroed\n"
		"    --no-reuse          or all is made anew, which zeroes, to compare the times\n"
		"  --handover-to PATH    hand the running guest over to the gmem-vmm that takes it "
		"on\n"
		"                        this socket\n"
		"  --handover-from PATH  take a running guest over on this socket; all but "
		"--kernel\n"
		"                        and --link comes with it\n"
		"  --link                use KVM_LINK_GUEST_MEMFD, which no released kernel has\n"
		"  --guest NAME          what to run (default memtest; reboot with --reboot):\n");
	guest_list(out);
	fprintf(out,
		"\nThe exit status is 0 when all went well, 1 when not, 2 for a bad option, and 3\n"
		"where this kernel cannot run such a guest.\n");
}

__attribute__((noreturn)) static void bad_option(const char *name, const char *value,
						 const char *why)
{
	fail(STATUS_USAGE, "--%s %s: %s; gmem-vmm --help tells what there is", name, value, why);
}

/*
 * 4096, 512M, 512MB, 512MiB, 1t: powers of 1024, as everybody means for memory. What is too large to be
 * written in 64 bits comes out as the largest number.
 */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		bad_option("mem", text, "not a size such as 512M, 64G or 1T");
	number = strtoull(text, &end, 10);
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || (end[1] && strcasecmp(end + 1, "b") && strcasecmp(end + 1, "ib")))
			bad_option("mem", text, "not a size such as 512M, 64G or 1T");
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	return number > UINT64_MAX >> shift ? UINT64_MAX : (uint64_t)number << shift;
}

static uint64_t parse_mem(const char *value)
{
	uint64_t size = parse_size(value);

	if (size > MAX_MEM)
		bad_option("mem", value, "more than 16T");
	if (size < MIN_MEM)
		bad_option("mem", value, "less than 8M");
	if (size % GMEM_PAGE_SIZE)
		bad_option("mem", value, "not a whole number of 4K pages");
	return size;
}

static uint32_t parse_vcpus(const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (*end || end == value || number < 1 || number > BOOT_MAX_VCPUS)
		bad_option("vcpus", value, "not a number from 1 to 64");
	return (uint32_t)number;
}

static uint32_t parse_reboots(const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (*end || end == value || number < 1 || number > 1000)
		bad_option("reboot", value, "not a number from 1 to 1000");
	return (uint32_t)number;
}

static int parse_vm_type(const char *value)
{
	if (strcmp(value, "auto") == 0)
		return VM_TYPE_AUTO;
	if (strcmp(value, "default") == 0)
		return GMEM_VM_DEFAULT;
	if (strcmp(value, "sw-protected") == 0)
		return GMEM_VM_SW_PROTECTED;
	if (strcmp(value, "snp") == 0)
		return GMEM_VM_SNP;
	bad_option("vm-type", value, "not auto, default, sw-protected or snp");
}

static void set_launch(struct options *options, const char *value)
{
	uint32_t vm_type = 0;

	if (!launch_find(value, &vm_type))
		bad_option("launch", value, "no such technology");
	options->vm_type = (int)vm_type;
	options->is_launched = true;
	options->guest = guest_find("firmware");
}

/* What goes together. */
static void check_options(const struct options *options)
{
	if (options->is_launched && !options->firmware)
		fail(STATUS_USAGE, "--launch needs --firmware");
	if (options->firmware && !options->is_launched)
		fail(STATUS_USAGE, "--firmware needs --launch");
	if (options->guest->is_launched != options->is_launched)
		fail(STATUS_USAGE, "--launch runs guest firmware, and no other does");
}

static void set_option(struct options *options, int letter, const char *value)
{
	switch (letter) {
	case 'k':
		options->kernel = value;
		break;
	case 'm':
		options->mem = parse_mem(value);
		break;
	case 'c':
		options->vcpus = parse_vcpus(value);
		break;
	case 't':
		options->vm_type = parse_vm_type(value);
		break;
	case 'g':
		options->guest = guest_find(value);
		if (!options->guest)
			bad_option("guest", value, "no such guest");
		break;
	case 'l':
		set_launch(options, value);
		break;
	case 'f':
		options->firmware = value;
		break;
	case 'r':
		options->reboots = parse_reboots(value);
		break;
	case 'K':
		options->keep = true;
		break;
	case 'Z':
		options->zero = true;
		break;
	case 'N':
		options->no_reuse = true;
		break;
	case 'T':
		options->handover_to = value;
		break;
	case 'F':
		options->handover_from = value;
		break;
	case 'L':
		options->link = true;
		break;
	case 'h':
		usage(stdout);
		exit(STATUS_OK);
	default:
		exit(STATUS_USAGE); /* getopt_long() has said why */
	}
}

/* Memory is kept, unless zeros are asked for or come of themselves. */
static void settle_reboots(struct options *options)
{
	if (!options->guest)
		options->guest = guest_find(options->reboots ? "reboot" : "memtest");
	if (options->guest->reboots != (options->reboots > 0))
		fail(STATUS_USAGE, "the guest reboot and --reboot go together");
	if (options->keep && (options->zero || options->no_reuse))
		fail(STATUS_USAGE, "--keep does not go with --zero or --no-reuse");
	if (!options->reboots && (options->keep || options->zero || options->no_reuse))
		fail(STATUS_USAGE, "--keep, --zero and --no-reuse need --reboot");
	options->keep = options->reboots && !options->zero && !options->no_reuse;
}

static void settle_handover(struct options *options)
{
	if (!options->handover_to && !options->handover_from)
		return;
	if (options->handover_to && options->handover_from)
		fail(STATUS_USAGE, "--handover-to does not go with --handover-from");
	if (options->reboots || options->is_launched)
		fail(STATUS_USAGE, "a hand-over does not go with --reboot or --launch");
	if (!options->guest)
		options->guest = guest_find("count");
	if (strcmp(options->guest->name, "count"))
		fail(STATUS_USAGE, "only the guest count is handed over");
}

static void parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"kernel", required_argument, NULL, 'k'},
		{"mem", required_argument, NULL, 'm'},
		{"vcpus", required_argument, NULL, 'c'},
		{"vm-type", required_argument, NULL, 't'},
		{"guest", required_argument, NULL, 'g'},
		{"launch", required_argument, NULL, 'l'},
		{"firmware", required_argument, NULL, 'f'},
		{"reboot", required_argument, NULL, 'r'},
		{"keep", no_argument, NULL, 'K'},
		{"zero", no_argument, NULL, 'Z'},
		{"no-reuse", no_argument, NULL, 'N'},
		{"handover-to", required_argument, NULL, 'T'},
		{"handover-from", required_argument, NULL, 'F'},
		{"link", no_argument, NULL, 'L'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		set_option(options, letter, optarg);
	if (optind < argc)
		fail(STATUS_USAGE, "%s: not an option", argv[optind]);
	settle_handover(options);
	settle_reboots(options);
}

static void run_guest(struct machine *machine, struct options *options)
{
	if (options->handover_from) {
		handover_receive(machine, options);
		return;
	}
	machine_create(machine, options);
	report_machine(machine, options);
	if (machine->guest->reboots) {
		reboot_run(machine, options);
	} else if (options->handover_to) {
		handover_send(machine, options);
	} else {
		vcpus_run(machine);
		report_step("run the guest");
	}
}

static void run(struct options *options)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	fail_if(machine ? 0 : -ENOMEM, "cannot start");
	report_step(NULL);
	run_guest(machine, options);
	if (machine->guest->fills_ram && !machine->guest->reboots)
		check_memory(machine);
	if (machine->guest->converts)
		convert_check_end(machine);
	if (machine->launch)
		launch_check(machine);
	report_features(machine);
	machine_destroy(machine);
	free(machine);
	report_steps();
}

int main(int argc, char **argv)
{
	struct options options = {
		.kernel = "kvm",
		.mem = GIB,
		.vcpus = 2,
		.vm_type = VM_TYPE_AUTO,
	};

	parse_options(&options, argc, argv);
	check_options(&options);
	run(&options);
	return STATUS_OK;
}
