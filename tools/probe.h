/* SPDX-License-Identifier: MIT */
/* What "gmemctl probe" finds out, before it is printed. */
#ifndef PROBE_H
#define PROBE_H

#include <sys/utsname.h>

#include "gmemctl.h"

#define PROBE_CAPS       24
#define PROBE_POOLS      128
#define PROBE_PRIVILEGES 8

/* A KVM capability: its value on /dev/kvm and, where there are such VMs, on a VM of each type. */
struct probe_cap {
	uint32_t number;
	const char *name;
	const char *since;
	int value;
	int vm_value[GMEM_VM_TYPE_COUNT];
};

struct probe_vm_type {
	const char *name;
	bool is_offered;
	int create_error; /* 0, or why no VM of this type could be made */
	struct gmem_feature_info features[GMEM_FEATURE_COUNT];
	struct gmem_feature_info mechanisms[GMEM_CAPABILITY_COUNT];
};

/* A pool of huge pages on a NUMA node. */
struct probe_pool {
	uint32_t node;
	uint64_t page_size; /* bytes */
	uint64_t total;     /* pages */
	uint64_t free;
	uint64_t surplus;
};

struct probe_privilege {
	const char *name;
	const char *needed_for;
	bool is_held;
	char detail[160]; /* how it is held, or how to get it */
};

struct probe {
	const char *kernel; /* "kvm" or "sim:PROFILE" */
	struct utsname system;
	struct probe_cap caps[PROBE_CAPS];
	uint32_t cap_count;
	struct probe_vm_type vm_types[GMEM_VM_TYPE_COUNT];
	struct probe_pool pools[PROBE_POOLS];
	uint32_t pool_count;
	struct probe_privilege privileges[PROBE_PRIVILEGES];
	uint32_t privilege_count;
};

/* Who answers: the machine's kernel or a simulated one. */
struct probe_kernel {
	const struct gmem_sys_ops *sys;
	void *user;
	struct gmem_sim *sim;
};

/* probe_kernel.c; all give 0 or -errno, and have said what went wrong */
int probe_kernel_open(struct probe_kernel *kernel, const char *spec);
void probe_kernel_close(struct probe_kernel *kernel);

/* probe_ask.c */
int probe_ask_kvm(struct probe *probe, const struct probe_kernel *kernel, struct gmem_ctx *ctx);

/* probe_host.c */
void probe_ask_pools(struct probe *probe, const struct probe_kernel *kernel);
void probe_ask_privileges(struct probe *probe);
void probe_explain_device(const char *path);

/* probe_print.c */
void probe_print_text(const struct probe *probe, FILE *out);
void probe_print_json(const struct probe *probe, FILE *out);

#endif
