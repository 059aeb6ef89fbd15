/* SPDX-License-Identifier: MIT */
/* All that gmem-vmm prints: errors, what ran, what this kernel offers, and how long each step took. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "vmm.h"

#define MAX_STEPS 16

/* The program has one course of events, and so one list of its steps. */
static struct {
	const char *name;
	double seconds;
} steps[MAX_STEPS];
static uint32_t step_count;
static struct timespec step_start;

void fail(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("gmem-vmm: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* For system calls that the VMM makes itself: only negative numbers are failures. */
void fail_if(int error, const char *what)
{
	if (error < 0)
		fail(STATUS_FAILED, "%s: %s", what, strerror(-error));
}

/* For calls of libgmem: its record of the failure says more than the code does. */
void fail_if_gmem(int error, const char *what)
{
	if (error < 0)
		fail(STATUS_FAILED, "%s: %s", what, gmem_errinfo()->message);
}

/* Ends a step of the given name; the next begins here. NULL starts the clock. */
void report_step(const char *name)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (name && step_count < MAX_STEPS) {
		steps[step_count].name = name;
		steps[step_count].seconds = (double)(now.tv_sec - step_start.tv_sec) +
					    (double)(now.tv_nsec - step_start.tv_nsec) / 1e9;
		step_count++;
	}
	step_start = now;
}

void report_steps(void)
{
	printf("\n%-22s %12s\n", "STEP", "TIME");
	for (uint32_t i = 0; i < step_count; i++)
		printf("%-22s %9.1f ms\n", steps[i].name, steps[i].seconds * 1e3);
}

/* Whole lines, as vCPUs speak at the same time. What could steer a terminal is not passed on. */
void report_text(struct vcpu *vcpu, const uint8_t *text, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (text[i] != '\n')
			vcpu->text[vcpu->text_size++] =
				text[i] >= ' ' && text[i] < 127 ? (char)text[i] : '?';
		if (text[i] == '\n' || vcpu->text_size == sizeof(vcpu->text)) {
			printf("vCPU %-6" PRIu32 " %.*s\n", vcpu->index, (int)vcpu->text_size,
			       vcpu->text);
			vcpu->text_size = 0;
		}
	}
}

static void print_size(uint64_t size)
{
	if (size % GIB == 0)
		printf("%" PRIu64 " GiB", size / GIB);
	else
		printf("%" PRIu64 " MiB", size / MIB);
}

static const char *vm_type_name(uint32_t vm_type)
{
	switch (vm_type) {
	case GMEM_VM_DEFAULT:
		return "default";
	case GMEM_VM_SW_PROTECTED:
		return "sw-protected";
	case GMEM_VM_SNP:
		return "snp";
	case GMEM_VM_TDX:
		return "tdx";
	}
	return "other";
}

static uint32_t vm_type_of(const struct machine *machine)
{
	GMEM_INIT(gmem_vm_info, info);

	gmem_vm_get_info(machine->vm, &info);
	return info.vm_type;
}

static const char *sharing(const struct machine *machine)
{
	if (machine->launch)
		return "launched: firmware in private memory, RAM is converted as it asks";
	if (machine->guest->converts)
		return machine->is_in_place ? "the guest converts its memory in place"
					    : "the guest converts its memory between two backings";
	return machine->is_private ? "the guest's memory is private"
				   : "the guest's memory is shared with the host";
}

void report_machine(const struct machine *machine, const struct options *options)
{
	struct utsname name;

	if (machine->kernel.sim)
		printf("kernel      simulated, profile %s: the guest is a script\n",
		       strchr(options->kernel, ':') + 1);
	else if (uname(&name) == 0)
		printf("kernel      the real one, %s %s\n", name.sysname, name.release);
	printf("VM          type %s: %s\n", vm_type_name(vm_type_of(machine)), sharing(machine));
	printf("memory      ");
	print_size(options->mem);
	printf(" in one guest_memfd%s\n", machine->is_private ? ", but for the boot area" : "");
	printf("guest       %s on %" PRIu32 " vCPU%s\n", machine->guest->name, machine->vcpu_count,
	       machine->vcpu_count == 1 ? "" : "s");
	fflush(stdout);
}

static void print_answer(const struct gmem_feature_info *info)
{
	const char *state = info->state == 1 ? "yes" : info->state == 0 ? "no" : "unknown";

	printf("%-18s %-8s %s\n", info->name, state,
	       info->state == 1 ? info->mechanism : info->reason);
}

void report_features(const struct machine *machine)
{
	uint32_t type = vm_type_of(machine);

	printf("\n%-18s %-8s %s\n", "FEATURE", "HERE", "BY WHAT, OR WHY NOT");
	for (uint32_t i = 0; i < GMEM_FEATURE_COUNT; i++) {
		GMEM_INIT(gmem_feature_info, info);

		if (gmem_ctx_describe(machine->ctx, type, i, &info) == 0)
			print_answer(&info);
	}
	printf("\n%-18s %-8s %s\n", "JOB", "HERE", "MECHANISM CHOSEN, OR WHY NONE");
	for (uint32_t i = 0; i < GMEM_CAPABILITY_COUNT; i++) {
		GMEM_INIT(gmem_feature_info, info);

		if (gmem_ctx_mechanism(machine->ctx, type, i, &info) == 0)
			print_answer(&info);
	}
}
