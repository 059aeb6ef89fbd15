/* SPDX-License-Identifier: MIT */
/* "gmemctl probe": its options, and the order in which it asks. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "probe.h"

static void usage(FILE *out)
{
	fprintf(out,
		"usage: gmemctl probe [--json] [--kernel kvm|sim:PROFILE]\n"
		"Tell what this kernel has for guest memory, by which mechanism, and why not.\n"
		"\n"
		"  --json                for machines\n"
		"  --kernel kvm          ask the machine's /dev/kvm (default)\n"
		"  --kernel sim:PROFILE  ask a simulated kernel, such as sim:v7.3-sw\n"
		"\n"
		"Makes a few VMs and files of one page, and closes them again.\n");
}

/* A missing or forbidden device is the commonest reason to call this, so it is explained. */
static int open_context(const struct probe_kernel *kernel, struct gmem_ctx **ret_ctx)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	int err;

	opts.sys = kernel->sys;
	opts.sys_user = kernel->user;
	err = gmem_ctx_create(&opts, ret_ctx);
	if (err) {
		complain("cannot use KVM: %s", gmem_errinfo()->message);
		if (err == -EACCES || err == -EPERM)
			probe_explain_device("/dev/kvm");
	}
	return err;
}

static int ask(struct probe *probe)
{
	struct probe_kernel kernel = {0};
	struct gmem_ctx *ctx = NULL;
	int err = probe_kernel_open(&kernel, probe->kernel);

	if (!err)
		err = open_context(&kernel, &ctx);
	if (!err)
		err = probe_ask_kvm(probe, &kernel, ctx);
	if (!err) {
		uname(&probe->system);
		probe_ask_pools(probe, &kernel);
		probe_ask_privileges(probe);
	}
	gmem_ctx_unref(ctx);
	probe_kernel_close(&kernel);
	return err;
}

static int probe_and_print(const char *kernel, bool as_json)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int err;

	if (!probe) {
		complain("out of memory");
		return STATUS_FAILED;
	}
	probe->kernel = kernel;
	err = ask(probe);
	if (!err && as_json)
		probe_print_json(probe, stdout);
	else if (!err)
		probe_print_text(probe, stdout);
	free(probe);
	return err ? STATUS_FAILED : STATUS_OK;
}

int command_probe(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"kernel", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *kernel = "kvm";
	bool as_json = false;
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'j':
			as_json = true;
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'h':
			usage(stdout);
			return STATUS_OK;
		default:
			usage(stderr);
			return STATUS_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return STATUS_USAGE;
	}
	return probe_and_print(kernel, as_json);
}
