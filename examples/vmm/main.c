/* SPDX-License-Identifier: MIT */
/* gmem-vmm: the smallest VMM whose guest lives on guest_memfd. Its options, and its course of events. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
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
		"                        auto: private where the kernel has it (default)\n"
		"  --guest NAME          what to run (default memtest):\n");
	guest_list(out);
	fprintf(out,
		"\nThe exit status is 0 when all went well, 1 when not, 2 for a bad option, and 3\n"
		"where this kernel cannot run such a guest.\n");
}

/* 4096, 512M, 512MB, 512MiB, 1t: powers of 1024, as everybody means for memory. */
static int parse_size(const char *text, uint64_t *ret_size)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit)
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
		if (*end && strcasecmp(end, "b") != 0 && strcasecmp(end, "ib") != 0)
			return -EINVAL;
	}
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_size = (uint64_t)number << shift;
	return 0;
}

static int bad_option(const char *name, const char *value, const char *why)
{
	fprintf(stderr, "gmem-vmm: --%s %s: %s\n", name, value, why);
	return -EINVAL;
}

static int set_mem(struct options *options, const char *value)
{
	int err = parse_size(value, &options->mem);

	if (err == -EINVAL)
		return bad_option("mem", value, "not a size such as 512M, 64G or 1T");
	if (err || options->mem > MAX_MEM)
		return bad_option("mem", value, "more than 16T");
	if (options->mem < MIN_MEM)
		return bad_option("mem", value, "less than 8M");
	if (options->mem % GMEM_PAGE_SIZE)
		return bad_option("mem", value, "not a whole number of 4K pages");
	return 0;
}

static int set_vcpus(struct options *options, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (*end || end == value || number < 1 || number > BOOT_MAX_VCPUS)
		return bad_option("vcpus", value, "not a number from 1 to 64");
	options->vcpus = (uint32_t)number;
	return 0;
}

static int set_vm_type(struct options *options, const char *value)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {
		{"auto", -1}, {"default", GMEM_VM_DEFAULT}, {"sw-protected", GMEM_VM_SW_PROTECTED}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(value, types[i].name) == 0) {
			options->vm_type = types[i].type;
			return 0;
		}
	}
	return bad_option("vm-type", value, "not auto, default or sw-protected");
}

static int set_option(struct options *options, int letter, const char *value)
{
	switch (letter) {
	case 'k':
		options->kernel = value;
		if (strcmp(value, "kvm") == 0 || strncmp(value, "sim:", 4) == 0)
			return 0;
		return bad_option("kernel", value, "not kvm or sim:PROFILE");
	case 'm':
		return set_mem(options, value);
	case 'c':
		return set_vcpus(options, value);
	case 't':
		return set_vm_type(options, value);
	case 'g':
		options->guest = guest_find(value);
		return options->guest ? 0 : bad_option("guest", value, "no such guest");
	case 'h':
		usage(stdout);
		exit(STATUS_OK);
	}
	return -EINVAL;
}

static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"kernel", required_argument, NULL, 'k'},
		{"mem", required_argument, NULL, 'm'},
		{"vcpus", required_argument, NULL, 'c'},
		{"vm-type", required_argument, NULL, 't'},
		{"guest", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		int err = set_option(options, letter, optarg);

		if (err)
			return err;
	}
	if (optind < argc) {
		fprintf(stderr, "gmem-vmm: %s: not an option\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static void run(const struct options *options)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	fail_if(machine ? 0 : -ENOMEM, "cannot start");
	report_step(NULL);
	machine_create(machine, options);
	report_machine(machine, options);
	vcpus_run(machine);
	if (machine->guest->fills_ram)
		check_memory(machine);
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
		.vm_type = -1,
		.guest = guest_find("memtest"),
	};

	if (parse_options(&options, argc, argv)) {
		fprintf(stderr, "gmem-vmm --help tells what there is\n");
		return STATUS_USAGE;
	}
	run(&options);
	return STATUS_OK;
}
