/* SPDX-License-Identifier: MIT */
/* The commands "measure" and "plan" of gmemctl: same digests as the library, clear refusals. */
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmemctl.h"
#include "igvm_file.h"
#include "vectors.h"

/* What a command wrote to stdout, and what it complained about. */
static struct {
	char out[16384];
	char complaint[1024];
} said;

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said.complaint, sizeof(said.complaint), format, args);
	va_end(args);
}

#define ARGS_MAX 32

static int run(int (*command)(int argc, char **argv), const char *const *words)
{
	int fd = memfd_create("stdout", MFD_CLOEXEC), old = dup(STDOUT_FILENO), argc = 0, status;
	char *argv[ARGS_MAX + 1] = {0};
	ssize_t n;

	MUST(fd >= 0 && old >= 0);
	for (; words[argc]; argc++)
		MUST(argc < ARGS_MAX && (argv[argc] = strdup(words[argc])));
	said.complaint[0] = '\0';
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	status = command(argc, argv);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	n = pread(fd, said.out, sizeof(said.out) - 1, 0);
	MUST(n >= 0);
	said.out[n] = '\0';
	close(fd);
	close(old);
	while (argc--)
		free(argv[argc]);
	return status;
}

#define IMAGES TEST_SOURCE_ROOT "/tests/vectors/snp-own/images/"
#define TDX    TEST_SOURCE_ROOT "/tests/vectors/tdx/images/"

/* Rows of snp-own/launch.tsv and tdx/images.tsv. */
static const struct {
	const char *words[ARGS_MAX];
	const char *table;
	const char *id;
	const char *column;
} digests[] = {
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "1", "--vcpu-type",
	  "EPYC-Rome", "--guest-features", "0x1"},
	 "snp-own/launch.tsv",
	 "w01-snp-qemu-1v-0x1",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "2", "--vcpu-sig",
	  "0xa20f12", "--guest-features", "0x21"},
	 "snp-own/launch.tsv",
	 "w01-snp-qemu-2v-0x21",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "64", "--vcpu-family",
	  "25", "--vcpu-model", "160", "--vcpu-stepping", "2", "--guest-features", "0x21"},
	 "snp-own/launch.tsv",
	 "w01-snp-qemu-64v-0x21",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "7", "--vmm", "ec2",
	  "--guest-features", "33"},
	 "snp-own/launch.tsv",
	 "w01-snp-ec2-7v-0x21",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "2", "--vmm", "gce"},
	 "snp-own/launch.tsv",
	 "w01-snp-gce-2v-0x1",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--ovmf-only"},
	 "snp-own/launch.tsv",
	 "w01-snp-ovmf-hash",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "2", "--vcpu-type",
	  "EPYC-v4", "--ovmf-hash",
	  "896ef91975f7abd1baa3890201193c81fa059a05f782116c487ae301a3ff9fc1"
	  "83b6f107e0156b195caa34112344d2fa"},
	 "snp-own/launch.tsv",
	 "w01-snp-qemu-2v-0x1-seed",
	 "expected"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--svsm", IMAGES "v01-svsm-8k.bin",
	  "--vars-size", "0x1000", "--vcpus", "2", "--vcpu-type", "EPYC-v4"},
	 "snp-own/launch.tsv",
	 "v01-w01-snp-svsm-qemu-2v-0x1",
	 "expected"},
	{{"measure", "sev-es", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "2", "--vcpu-sig",
	  "0xa20f12"},
	 "snp-own/launch.tsv",
	 "w01-seves-qemu-2v",
	 "expected"},
	{{"measure", "sev", "--ovmf", IMAGES "w01-min-4k.bin"},
	 "snp-own/launch.tsv",
	 "w01-sev-qemu",
	 "expected"},
	{{"measure", "tdx", "--firmware", TDX "i02-ovmf-like.fd"},
	 "tdx/images.tsv",
	 "i02-ovmf-like",
	 "tdshim_py"},
	{{"measure", "tdx", "--firmware", TDX "i02-ovmf-like.fd", "--two-pass"},
	 "tdx/images.tsv",
	 "i02-ovmf-like",
	 "dstack_rs_two_pass"},
	{{"measure", "tdx", "--firmware", TDX "i08-page-aug.fd", "--add-aug"},
	 "tdx/images.tsv",
	 "i08-page-aug",
	 "gce_go"},
};

static const char *lookup(const struct vector_table *table, const char *id, const char *column)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(table->rows[i].cells[0], id))
			return vector_cell(table, i, column);
	gt_must(__FILE__, __LINE__, id);
}

static void measured(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(digests); i++) {
		struct vector_table table = vector_table_read(vector_dir(), digests[i].table);
		const char *want = lookup(&table, digests[i].id, digests[i].column);

		EXPECT(digests[i].id, run(command_measure, digests[i].words), STATUS_OK);
		EXPECT(digests[i].id, strncmp(said.out, want, strlen(want)), 0);
		EXPECT(digests[i].id, strcmp(said.out + strlen(want), "\n"), 0);
		vector_table_free(&table);
	}
}

static void direct_boot(struct gt *t)
{
	const char *const words[] = {
		"measure",
		"snp",
		"--ovmf",
		IMAGES "w02-kernel-16k.bin",
		"--kernel",
		IMAGES "kernel-a.bin",
		"--initrd",
		IMAGES "initrd-a.bin",
		"--append",
		"console=ttyS0 loglevel=7",
		"--vcpus",
		"1",
		"--vcpu-type",
		"EPYC-Genoa",
		"--ovmf-hash",
		"8c3ad9b85f5afe1d05fe0ad9edfa1a3ce522b96c13a064526af06abe0082763c"
		"a26dba2949c47d9e23cd732b9385b994",
		NULL,
	};

	EXPECT("direct boot", run(command_measure, words), STATUS_OK);
	EXPECT("w02-snp-qemu-1v-0x1-kernel-seed",
	       strcmp(said.out, "8c859f45da348abdc40b802caad959ea40cb00b0d6995b2dc9be4c381b8454e0"
				"8ef48b76969d2d996171cda2a58638c0\n"),
	       0);
}

/* A page of zeroes at 1 MiB: QEMU launches it as NORMAL, cloud-hypervisor as ZERO. */
static void igvm(struct gt *t)
{
	static struct igvm_file file;
	char path[64];
	const char *const qemu[] = {"plan", "snp", "--igvm", path, "--vcpus", "1", NULL};
	const char *const other[] = {"plan", "snp",   "--igvm",           path, "--vcpus",
				     "1",    "--vmm", "cloud-hypervisor", NULL};
	int fd = memfd_create("igvm", MFD_CLOEXEC);

	MUST(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	igvm_begin(&file, 1);
	igvm_platform(&file, 1, 2);
	igvm_page(&file, 0x100000, 1, 0, 0, 0);
	igvm_end(&file);
	MUST(write(fd, file.bytes, file.data) == file.data);
	EXPECT("qemu", run(command_plan, qemu), STATUS_OK);
	EXPECT("qemu", strstr(said.out, "0x000000100000 0x00001000 normal ") != NULL, true);
	EXPECT("cloud-hypervisor", run(command_plan, other), STATUS_OK);
	EXPECT("cloud-hypervisor", strstr(said.out, "0x000000100000 0x00001000 zero ") != NULL,
	       true);
	close(fd);
}

static void as_json(struct gt *t)
{
	const char *const words[] = {
		"measure", "tdx",   "--firmware",   TDX "i02-ovmf-like.fd",
		"--json",  "--ram", "0:0x20000000", NULL,
	};

	EXPECT("json", run(command_measure, words), STATUS_OK);
	EXPECT("json",
	       strcmp(said.out, "{\n"
				"  \"technology\": \"tdx\",\n"
				"  \"hash\": \"sha384\",\n"
				"  \"digest\": "
				"\"eee72f2b1560437817f4309918749a816b69f467271dcb37a68b1c421e08642b"
				"5dec2cbfd411198d9ce92edcff4c1b8d\",\n"
				"  \"td_hob_digest\": "
				"\"00934f9ff0a0f65e41109afb9a7c5a0719f567f32514aeaef4c23c85"
				"35793f7064a2c69738a2000500ffae6ba349a153\",\n"
				"  \"vcpus\": 0,\n"
				"  \"memory\": 172032,\n"
				"  \"measured\": 49152\n"
				"}\n"),
	       0);
}

static void planned(struct gt *t)
{
	const char *const words[] = {
		"plan",       "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "2",
		"--vcpu-sig", "1",   NULL,
	};
	const char *const json[] = {
		"plan", "tdx", "--firmware", TDX "i01-minimal.fd", "--json", NULL,
	};

	EXPECT("plan", run(command_plan, words), STATUS_OK);
	EXPECT("plan",
	       strcmp(said.out,
		      "snp: 6 steps, 16384 bytes of memory, 12288 measured, 2 vCPUs\n"
		      "0x0000fffff000 0x00001000 normal     measured bytes firmware\n"
		      "0x00000080d000 0x00001000 secrets    -        -     secrets\n"
		      "0x00000080e000 0x00001000 cpuid      -        -     CPUID\n"
		      "0x000000800000 0x00001000 zero       -        -     pre-validated memory\n"
		      "0xfffffffff000 0x00001000 vmsa       measured bytes boot vCPU\n"
		      "0xfffffffff000 0x00001000 vmsa       measured bytes other vCPU\n"),
	       0);
	EXPECT("json", run(command_plan, json), STATUS_OK);
	EXPECT("json",
	       strstr(said.out,
		      "\"gpa\": 4294963200,\n      \"size\": 4096,\n      \"type\": "
		      "\"normal\",\n      \"measured\": true,\n      \"label\": \"BFV\"") != NULL,
	       true);
}

static const struct {
	const char *words[ARGS_MAX];
	int status;
	const char *text;
} refused[] = {
	{{"measure"}, STATUS_USAGE, "a technology is missing (sev, sev-es, snp, tdx)"},
	{{"measure", "vax"}, STATUS_USAGE, "no such technology (sev, sev-es, snp, tdx): \"vax\""},
	{{"measure", "snp"}, STATUS_USAGE, "missing: \"--ovmf\""},
	{{"measure", "tdx"}, STATUS_USAGE, "missing: \"--firmware\""},
	{{"measure", "snp", "--firmware", "x"}, STATUS_USAGE, ""},
	{{"measure", "snp", "stray"}, STATUS_USAGE, "not an option: \"stray\""},
	{{"measure", "snp", "--ovmf", "/none"}, STATUS_FAILED, "/none: No such file or directory"},
	{{"measure", "snp", "--ovmf", "/"}, STATUS_FAILED, "/: Invalid argument"},
	{{"measure", "snp", "--vcpus", "x"}, STATUS_USAGE, "not a number that fits: \"x\""},
	{{"measure", "snp", "--vcpus", "-1"}, STATUS_USAGE, "not a number that fits: \"-1\""},
	{{"measure", "snp", "--vcpus", "0x100000000"}, STATUS_USAGE, "not a number that fits"},
	{{"measure", "snp", "--vmm", "x"}, STATUS_USAGE, "no such VMM: \"x\""},
	{{"measure", "snp", "--vcpu-type", "x"}, STATUS_USAGE, "no such vCPU model"},
	{{"measure", "snp", "--ovmf-hash", "12"}, STATUS_USAGE, "not 48 bytes in hexadecimal"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--igvm", IMAGES "w01-min-4k.bin"},
	 STATUS_USAGE,
	 "not together with --igvm: \"--ovmf\""},
	{{"measure", "tdx", "--igvm", IMAGES "w01-min-4k.bin"},
	 STATUS_FAILED,
	 "the file does not begin with IGVM"},
	{{"measure", "tdx", "--ram", "5"}, STATUS_USAGE, "not START:SIZE: \"5\""},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "1"},
	 STATUS_USAGE,
	 "--vcpu-type or --vcpu-sig is missing"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "1", "--vcpu-sig", "1",
	  "--vcpu-model", "1"},
	 STATUS_USAGE,
	 "a signature and family, model, stepping at once"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpus", "1", "--vcpu-model",
	  "256"},
	 STATUS_USAGE,
	 "no such family, model and stepping"},
	{{"measure", "snp", "--ovmf", IMAGES "w01-min-4k.bin", "--vcpu-sig", "1"},
	 STATUS_FAILED,
	 "0 vCPUs: there have to be 1 to 512"},
	{{"measure", "snp", "--ovmf", IMAGES "empty.bin", "--vcpus", "1", "--vcpu-sig", "1"},
	 STATUS_FAILED,
	 "the firmware image is empty"},
	{{"measure", "snp", "--ovmf", IMAGES "m12-signature.bin", "--vcpus", "1", "--vcpu-sig",
	  "1"},
	 STATUS_FAILED,
	 "SEV metadata: the signature is not ASEV (at byte 0xc00)"},
	{{"measure", "tdx", "--firmware", TDX "i01-minimal.fd", "--ram", "0:1"},
	 STATUS_FAILED,
	 "is empty, unaligned or out of order"},
};

static void refusals(struct gt *t)
{
	for (size_t i = 0; i < GT_COUNT(refused); i++) {
		const char *text = refused[i].text;

		EXPECT(text, run(command_measure, refused[i].words), refused[i].status);
		if (!EXPECT(text, strstr(said.complaint, text) != NULL, true))
			fprintf(stderr, "  got \"%s\"\n", said.complaint);
		EXPECT(text, (int64_t)strlen(said.out), 0);
	}
}

static void help(struct gt *t)
{
	const char *const command[] = {"measure", "--help", NULL};
	const char *const snp[] = {"plan", "snp", "--help", NULL};

	EXPECT("help", run(command_measure, command), STATUS_OK);
	EXPECT("help", strstr(said.out, "gmemctl measure tdx --help") != NULL, true);
	EXPECT("help", run(command_plan, snp), STATUS_OK);
	EXPECT("help", strstr(said.out, "usage: gmemctl plan snp OPTIONS") != NULL, true);
	EXPECT("help", strstr(said.out, "--guest-features") != NULL, true);
	EXPECT("help", strstr(said.out, "--two-pass") != NULL, false);
}

#define NO_KERNEL(function)                                                                        \
	{                                                                                          \
#function, function, .flags = GT_NO_KERNEL                                         \
	}

static const struct gt_test tests[] = {
	NO_KERNEL(measured), NO_KERNEL(direct_boot), NO_KERNEL(igvm), NO_KERNEL(as_json),
	NO_KERNEL(planned),  NO_KERNEL(refusals),    NO_KERNEL(help),
};

GT_MAIN(tests)
