/* SPDX-License-Identifier: MIT */
/* Reads the command line that describes a launch. */
#include "launch_args.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gmemctl.h"

#define SEV (1U << GMEM_VM_SEV)
#define ES  (1U << GMEM_VM_SEV_ES)
#define SNP (1U << GMEM_VM_SNP)
#define TDX (1U << GMEM_VM_TDX)

enum {
	OPT_OVMF = 256,
	OPT_SVSM,
	OPT_VARS_SIZE,
	OPT_KERNEL,
	OPT_INITRD,
	OPT_APPEND,
	OPT_VCPUS,
	OPT_VCPU_TYPE,
	OPT_VCPU_SIG,
	OPT_VCPU_FAMILY,
	OPT_VCPU_MODEL,
	OPT_VCPU_STEPPING,
	OPT_GUEST_FEATURES,
	OPT_VMM,
	OPT_OVMF_ONLY,
	OPT_OVMF_HASH,
	OPT_FIRMWARE,
	OPT_IGVM,
	OPT_TWO_PASS,
	OPT_ADD_AUG,
	OPT_RAM,
	OPT_JSON,
	OPT_HELP,
};

struct arg {
	const char *name;
	int value;
	uint32_t technologies;
	const char *what; /* NULL: takes none */
	const char *help;
};

static const struct arg known_args[] = {
	{"ovmf", OPT_OVMF, SEV | ES | SNP, "FILE", "firmware image, loaded to end at 4 GiB"},
	{"igvm", OPT_IGVM, SNP | TDX, "FILE", "IGVM file, in place of the firmware image"},
	{"svsm", OPT_SVSM, SNP, "FILE", "SVSM image, loaded below the firmware"},
	{"vars-size", OPT_VARS_SIZE, SNP, "BYTES", "variable store between SVSM and firmware"},
	{"kernel", OPT_KERNEL, SEV | ES | SNP, "FILE", "kernel of a measured direct boot"},
	{"initrd", OPT_INITRD, SEV | ES | SNP, "FILE", "its initrd"},
	{"append", OPT_APPEND, SEV | ES | SNP, "TEXT", "its command line"},
	{"vcpus", OPT_VCPUS, ES | SNP, "N", "number of vCPUs"},
	{"vcpu-type", OPT_VCPU_TYPE, ES | SNP, "NAME", "vCPU model of QEMU, \"list\" for all"},
	{"vcpu-sig", OPT_VCPU_SIG, ES | SNP, "N", "the vCPU's CPUID leaf 1 EAX"},
	{"vcpu-family", OPT_VCPU_FAMILY, ES | SNP, "N", "the same in three parts"},
	{"vcpu-model", OPT_VCPU_MODEL, ES | SNP, "N", NULL},
	{"vcpu-stepping", OPT_VCPU_STEPPING, ES | SNP, "N", NULL},
	{"guest-features", OPT_GUEST_FEATURES, SNP, "N", "SEV_FEATURES, 0x1 without this"},
	{"vmm", OPT_VMM, ES | SNP, "NAME", "qemu (default), ec2, gce, ec2-rdx0, cloud-hypervisor"},
	{"ovmf-only", OPT_OVMF_ONLY, SNP, NULL, "only the image: its \"OVMF hash\""},
	{"ovmf-hash", OPT_OVMF_HASH, SNP, "HEX", "start from it in place of the image"},
	{"firmware", OPT_FIRMWARE, TDX, "FILE", "TDVF image"},
	{"two-pass", OPT_TWO_PASS, TDX, NULL, "add all pages of a section, then extend"},
	{"add-aug", OPT_ADD_AUG, TDX, NULL, "add memory that asks for PAGE.AUG, as QEMU does"},
	{"ram", OPT_RAM, TDX, "START:SIZE", "RAM for the TD HOB; may be repeated"},
	{"json", OPT_JSON, SEV | ES | SNP | TDX, NULL, "print JSON"},
	{"help", OPT_HELP, SEV | ES | SNP | TDX, NULL, "print this"},
};

#define ARG_COUNT (sizeof(known_args) / sizeof(known_args[0]))

static const struct {
	const char *name;
	uint32_t vm_type;
} technologies[] = {
	{"sev", GMEM_VM_SEV},
	{"sev-es", GMEM_VM_SEV_ES},
	{"snp", GMEM_VM_SNP},
	{"tdx", GMEM_VM_TDX},
};

static const char *const vmms[] = {
	[GMEM_VMM_QEMU] = "qemu",
	[GMEM_VMM_EC2] = "ec2",
	[GMEM_VMM_GCE] = "gce",
	[GMEM_VMM_EC2_RDX0] = "ec2-rdx0",
	[GMEM_VMM_CLOUD_HYPERVISOR] = "cloud-hypervisor",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int launch_complain(const struct gmem_measure_error *error)
{
	if (error->offset == UINT64_MAX)
		complain("%s", error->text);
	else
		complain("%s (at byte 0x%llx)", error->text, (unsigned long long)error->offset);
	return STATUS_FAILED;
}

static int misuse(const char *text, const char *value)
{
	if (value)
		complain("%s \"%s\"", text, value);
	else
		complain("%s", text);
	return STATUS_USAGE;
}

static void print_technology(const char *command, const char *name, uint32_t vm_type)
{
	printf("usage: gmemctl %s %s OPTIONS\n", command, name);
	for (size_t i = 0; i < ARG_COUNT; i++) {
		const struct arg *arg = &known_args[i];

		if (arg->technologies & 1U << vm_type)
			printf("  --%-14s %-10s %s\n", arg->name, arg->what ? arg->what : "",
			       arg->help ? arg->help : "");
	}
}

static void print_help(const char *command, const struct launch_args *args)
{
	if (args->technology) {
		print_technology(command, args->technology, args->vm_type);
		return;
	}
	printf("usage: gmemctl %s TECHNOLOGY OPTIONS\n", command);
	for (size_t i = 0; i < COUNT(technologies); i++)
		printf("       gmemctl %s %s --help\n", command, technologies[i].name);
}

static int read_all(int fd, struct launch_file *file)
{
	uint64_t done = 0;

	while (done < file->size) {
		ssize_t n = read(fd, (uint8_t *)file->data + done, file->size - done);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (uint64_t)n;
	}
	file->size = done;
	return 0;
}

/* Into memory that starts at a page, so that the library need not copy it. */
static int read_fd(int fd, struct launch_file *file)
{
	struct stat stat;

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EINVAL;
	file->size = (uint64_t)stat.st_size;
	file->data =
		aligned_alloc(GMEM_PAGE_SIZE, (file->size / GMEM_PAGE_SIZE + 1) * GMEM_PAGE_SIZE);
	return file->data ? read_all(fd, file) : -ENOMEM;
}

static int read_file(const char *path, struct launch_file *file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : 0;

	free(file->data);
	*file = (struct launch_file){0};
	if (!ret)
		ret = read_fd(fd, file);
	if (fd >= 0)
		close(fd);
	if (!ret)
		return 0;
	complain("%s: %s", path, strerror(-ret));
	return STATUS_FAILED;
}

static int read_number(const char *text, uint64_t max, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') || *ret_value > max)
		return misuse("not a number that fits:", text);
	return 0;
}

static int read_u32(const char *text, uint32_t *ret_value)
{
	uint64_t value;
	int ret = read_number(text, UINT32_MAX, &value);

	*ret_value = (uint32_t)value;
	return ret;
}

static int read_vmm(const char *text, uint32_t *ret_vmm)
{
	for (uint32_t i = 0; i < COUNT(vmms); i++) {
		if (strcmp(vmms[i], text))
			continue;
		*ret_vmm = i;
		return 0;
	}
	return misuse("no such VMM:", text);
}

static int read_vcpu_type(const char *text, struct launch_args *args)
{
	args->has_sig = true;
	if (!gmem_vcpu_sig_from_name(text, &args->ovmf.vcpu_sig))
		return 0;
	for (size_t i = 0; gmem_vcpu_name(i); i++)
		fprintf(stderr, "%s\n", gmem_vcpu_name(i));
	return misuse("no such vCPU model, only those above:", text);
}

static int read_start(const char *text, struct launch_args *args)
{
	int length = 0;

	if (strlen(text) != 2 * sizeof(args->start) ||
	    strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		return misuse("not 48 bytes in hexadecimal:", text);
	for (size_t i = 0; i < sizeof(args->start); i++)
		sscanf(text + 2 * i, "%2hhx%n", &args->start[i], &length);
	args->measure.start = args->start;
	args->measure.start_size = sizeof(args->start);
	args->ovmf.flags |= GMEM_OVMF_WITHOUT_IMAGE;
	return 0;
}

static int read_ram(const char *text, struct launch_args *args)
{
	struct gmem_range *range = &args->ram[args->ram_count];
	char *end, *last;

	if (args->ram_count == LAUNCH_RAM_MAX)
		return misuse("too many ranges of RAM:", text);
	range->start = strtoull(text, &end, 0);
	if (end == text || *end != ':')
		return misuse("not START:SIZE:", text);
	range->size = strtoull(end + 1, &last, 0);
	if (last == end + 1 || *last)
		return misuse("not START:SIZE:", text);
	args->ram_count++;
	return 0;
}

static int take_vcpu(int value, const char *text, struct launch_args *args)
{
	switch (value) {
	case OPT_VCPUS:
		return read_u32(text, &args->ovmf.vcpus);
	case OPT_VCPU_TYPE:
		return read_vcpu_type(text, args);
	case OPT_VCPU_SIG:
		args->has_sig = true;
		return read_u32(text, &args->ovmf.vcpu_sig);
	case OPT_VCPU_FAMILY:
	case OPT_VCPU_MODEL:
	case OPT_VCPU_STEPPING:
		args->has_fms = true;
		return read_u32(text, &args->fms[value - OPT_VCPU_FAMILY]);
	case OPT_GUEST_FEATURES:
		return read_number(text, UINT64_MAX, &args->ovmf.sev_features);
	}
	return read_vmm(text, &args->ovmf.vmm);
}

static int take_flag(int value, struct launch_args *args)
{
	switch (value) {
	case OPT_OVMF_ONLY:
		args->ovmf.flags |= GMEM_OVMF_IMAGE_ONLY;
		break;
	case OPT_TWO_PASS:
		args->measure.flags |= GMEM_MEASURE_TWO_PASS;
		break;
	case OPT_ADD_AUG:
		args->tdvf.flags |= GMEM_TDVF_ADD_AUG;
		break;
	case OPT_JSON:
		args->json = true;
		break;
	}
	return 0;
}

static int take(int value, const char *text, struct launch_args *args)
{
	switch (value) {
	case OPT_OVMF:
	case OPT_FIRMWARE:
		return read_file(text, &args->firmware);
	case OPT_IGVM:
		return read_file(text, &args->igvm_file);
	case OPT_SVSM:
		return read_file(text, &args->svsm);
	case OPT_KERNEL:
		return read_file(text, &args->kernel);
	case OPT_INITRD:
		return read_file(text, &args->initrd);
	case OPT_APPEND:
		args->ovmf.append = text;
		return 0;
	case OPT_VARS_SIZE:
		return read_number(text, UINT64_MAX, &args->ovmf.vars_size);
	case OPT_OVMF_HASH:
		return read_start(text, args);
	case OPT_RAM:
		return read_ram(text, args);
	}
	return text ? take_vcpu(value, text, args) : take_flag(value, args);
}

/* The options that the technology has. */
static void make_options(uint32_t vm_type, struct option *options)
{
	for (size_t i = 0; i < ARG_COUNT; i++) {
		if (!(known_args[i].technologies & 1U << vm_type))
			continue;
		*options++ = (struct option){
			.name = known_args[i].name,
			.has_arg = known_args[i].what ? required_argument : no_argument,
			.val = known_args[i].value,
		};
	}
	*options = (struct option){0};
}

static int parse_options(int argc, char **argv, struct launch_args *args, bool *ret_help)
{
	struct option options[ARG_COUNT + 1];
	int value, ret;

	make_options(args->vm_type, options);
	optind = 0;
	while ((value = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (value == '?')
			return STATUS_USAGE;
		*ret_help = value == OPT_HELP;
		if (*ret_help)
			return STATUS_OK;
		ret = take(value, optarg, args);
		if (ret)
			return ret;
	}
	return optind < argc ? misuse("not an option:", argv[optind]) : 0;
}

static int find_technology(const char *name, struct launch_args *args)
{
	for (size_t i = 0; i < COUNT(technologies); i++) {
		if (strcmp(technologies[i].name, name))
			continue;
		args->technology = technologies[i].name;
		args->vm_type = technologies[i].vm_type;
		return 0;
	}
	return misuse("no such technology (sev, sev-es, snp, tdx):", name);
}

static int check_image(const struct launch_args *args)
{
	const char *firmware = args->vm_type == GMEM_VM_TDX ? "--firmware" : "--ovmf";

	if (!args->firmware.data == !args->igvm_file.data)
		return misuse(args->igvm_file.data ? "not together with --igvm:" : "missing:",
			      firmware);
	return 0;
}

static int check_cpu(struct launch_args *args)
{
	if (args->has_sig && args->has_fms)
		return misuse("a signature and family, model, stepping at once", NULL);
	if (args->has_fms &&
	    gmem_vcpu_sig_from_fms(args->fms[0], args->fms[1], args->fms[2], &args->ovmf.vcpu_sig))
		return misuse("no such family, model and stepping", NULL);
	return 0;
}

/* QEMU's registers show the vCPU's model, so there is no digest without it. */
static bool needs_cpu(const struct launch_args *args)
{
	if (args->ovmf.vmm != GMEM_VMM_QEMU || args->igvm_file.data)
		return false;
	if (args->vm_type == GMEM_VM_SEV_ES)
		return true;
	return args->vm_type == GMEM_VM_SNP && !(args->ovmf.flags & GMEM_OVMF_IMAGE_ONLY);
}

/* Whatever leaves a digest undefined is asked for here; the library checks the rest. */
static int check(struct launch_args *args)
{
	int status = check_image(args);

	if (!status)
		status = check_cpu(args);
	if (!status && needs_cpu(args) && !args->has_sig && !args->has_fms)
		return misuse("--vcpu-type or --vcpu-sig is missing", NULL);
	return status;
}

int launch_args_parse(int argc, char **argv, struct launch_args *args, bool *ret_help)
{
	int ret = 0;

	*ret_help = argc > 1 && !strcmp(argv[1], "--help");
	memset(args, 0, sizeof(*args));
	args->ovmf.sz = sizeof(args->ovmf);
	args->tdvf.sz = sizeof(args->tdvf);
	args->measure.sz = sizeof(args->measure);
	if (!*ret_help) {
		if (argc < 2)
			return misuse("a technology is missing (sev, sev-es, snp, tdx)", NULL);
		ret = find_technology(argv[1], args);
		args->ovmf.sev_features = args->vm_type == GMEM_VM_SNP;
	}
	if (!ret && !*ret_help)
		ret = parse_options(argc - 1, argv + 1, args, ret_help);
	if (*ret_help)
		print_help(argv[0], args);
	return ret || *ret_help ? ret : check(args);
}

static int plan_ovmf(struct launch_args *args, struct gmem_plan **ret_plan)
{
	struct gmem_ovmf_opts *opts = &args->ovmf;
	GMEM_INIT(gmem_measure_error, error);

	opts->vm_type = args->vm_type;
	opts->image = args->firmware.data;
	opts->image_size = args->firmware.size;
	opts->svsm = args->svsm.data;
	opts->svsm_size = args->svsm.size;
	opts->kernel = args->kernel.data;
	opts->kernel_size = args->kernel.size;
	opts->initrd = args->initrd.data;
	opts->initrd_size = args->initrd.size;
	return gmem_plan_from_ovmf(opts, ret_plan, &error) ? launch_complain(&error) : 0;
}

static int plan_tdvf(struct launch_args *args, struct gmem_plan **ret_plan)
{
	GMEM_INIT(gmem_measure_error, error);

	args->tdvf.image = args->firmware.data;
	args->tdvf.image_size = args->firmware.size;
	return gmem_plan_from_tdvf(&args->tdvf, ret_plan, &error) ? launch_complain(&error) : 0;
}

static int plan_igvm(struct launch_args *args, struct gmem_plan **ret_plan)
{
	const struct gmem_igvm_opts opts = {
		.sz = sizeof(opts),
		.vm_type = args->vm_type,
		.vmm = args->ovmf.vmm,
		.image = args->igvm_file.data,
		.image_size = args->igvm_file.size,
		.vcpus = args->ovmf.vcpus,
		.vcpu_sig = args->ovmf.vcpu_sig,
	};
	GMEM_INIT(gmem_measure_error, error);

	return gmem_plan_from_igvm(&opts, ret_plan, &error) ? launch_complain(&error) : STATUS_OK;
}

int launch_args_plan(struct launch_args *args, struct gmem_plan **ret_plan)
{
	if (args->igvm_file.data)
		return plan_igvm(args, ret_plan);
	return args->vm_type == GMEM_VM_TDX ? plan_tdvf(args, ret_plan) : plan_ovmf(args, ret_plan);
}

void launch_args_free(struct launch_args *args)
{
	free(args->firmware.data);
	free(args->igvm_file.data);
	free(args->svsm.data);
	free(args->kernel.data);
	free(args->initrd.data);
}
