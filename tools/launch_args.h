/* SPDX-License-Identifier: MIT */
/* The command line that describes a launch, shared by "measure" and "plan". */
#ifndef LAUNCH_ARGS_H
#define LAUNCH_ARGS_H

#include <libgmem/measure.h>
#include <stdbool.h>

#define LAUNCH_RAM_MAX 16

/* A file in memory; @data is never NULL once it was read. */
struct launch_file {
	void *data;
	uint64_t size;
};

struct launch_args {
	const char *technology;
	uint32_t vm_type;
	bool json;
	struct launch_file firmware, igvm_file, svsm, kernel, initrd;
	struct gmem_ovmf_opts ovmf;
	struct gmem_tdvf_opts tdvf;
	struct gmem_measure_opts measure;
	uint8_t start[48];
	struct gmem_range ram[LAUNCH_RAM_MAX];
	size_t ram_count;
	uint32_t fms[3];
	bool has_fms, has_sig;
};

/* Reads the arguments after the command's name. Returns an exit status, after saying why where it is
 * not STATUS_OK; @ret_help is true where help was asked for and printed. */
int launch_args_parse(int argc, char **argv, struct launch_args *args, bool *ret_help);

/* Makes the plan that the arguments describe; the same returns. The plan borrows from @args. */
int launch_args_plan(struct launch_args *args, struct gmem_plan **ret_plan);

void launch_args_free(struct launch_args *args);

/* Says why a function of libgmem-measure failed; returns STATUS_FAILED. */
int launch_complain(const struct gmem_measure_error *error);

#endif
