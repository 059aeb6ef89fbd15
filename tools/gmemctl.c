/* SPDX-License-Identifier: MIT */
/* gmemctl: what this machine offers for guest memory. The commands and their help. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gmemctl.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"probe", command_probe, "what this kernel has for guest memory, and by which mechanism"},
	{"hugepages", command_hugepages, "the pools of huge pages, shown or added to"},
	{"prealloc", command_prealloc, "plan a guest's memory and get it ready"},
#ifdef HAVE_MEASURE
	{"measure", command_measure, "the measurement that a launch gives"},
	{"plan", command_plan, "what a launch puts into the guest's memory"},
#endif
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

void complain(const char *format, ...)
{
	va_list args;

	fputs("gmemctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void usage(FILE *out)
{
	fprintf(out, "usage: gmemctl COMMAND [OPTION]...\n\ncommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\ngmemctl COMMAND --help tells a command's options.\n"
		     "gmemctl --version tells the version of libgmem.\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("gmemctl %s\n", gmem_version());
		return STATUS_OK;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	complain("%s: no such command; see gmemctl --help", argv[1]);
	return STATUS_USAGE;
}
