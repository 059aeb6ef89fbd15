/* SPDX-License-Identifier: MIT */
/* Asks the rest of the system: pools of huge pages, and what this user may not do. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LIBCAP
#include <sys/capability.h>
#endif

#include "probe.h"

#define MIB (UINT64_C(1) << 20)

static const char online_nodes[] = "/sys/devices/system/node/online";

static int read_text(const struct probe_kernel *kernel, const char *path, char *text, size_t size)
{
	int length = kernel->sys->read_file(kernel->user, path, text, size - 1);

	if (length >= 0)
		text[length] = '\0';
	return length;
}

static bool read_pool_number(const struct probe_kernel *kernel, const struct probe_pool *pool,
			     const char *what, uint64_t *ret_value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%" PRIu32 "/hugepages/hugepages-%" PRIu64 "kB/%s",
		 pool->node, pool->page_size >> 10, what);
	if (read_text(kernel, path, text, sizeof(text)) < 0)
		return false;
	*ret_value = strtoull(text, NULL, 10);
	return true;
}

static void ask_node(struct probe *probe, const struct probe_kernel *kernel, uint32_t node)
{
	static const uint64_t sizes[] = {2 * MIB, 1024 * MIB};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct probe_pool *pool = &probe->pools[probe->pool_count];

		if (probe->pool_count == PROBE_POOLS)
			return;
		pool->node = node;
		pool->page_size = sizes[i];
		if (read_pool_number(kernel, pool, "nr_hugepages", &pool->total) &&
		    read_pool_number(kernel, pool, "free_hugepages", &pool->free) &&
		    read_pool_number(kernel, pool, "surplus_hugepages", &pool->surplus))
			probe->pool_count++;
	}
}

/* The nodes come as a list of ranges, such as 0-1,4. */
void probe_ask_pools(struct probe *probe, const struct probe_kernel *kernel)
{
	char text[256];
	char *rest = text;

	if (read_text(kernel, online_nodes, text, sizeof(text)) < 0)
		return;
	while (*rest >= '0' && *rest <= '9') {
		unsigned long first = strtoul(rest, &rest, 10);
		unsigned long last = *rest == '-' ? strtoul(rest + 1, &rest, 10) : first;

		for (; first <= last && first <= 1023; first++)
			ask_node(probe, kernel, (uint32_t)first);
		if (*rest == ',')
			rest++;
	}
}

static struct probe_privilege *add_privilege(struct probe *probe, const char *name,
					     const char *needed_for)
{
	struct probe_privilege *privilege = &probe->privileges[probe->privilege_count++];

	privilege->name = name;
	privilege->needed_for = needed_for;
	return privilege;
}

#ifdef HAVE_LIBCAP
/* Return: 1 held, 0 not, -errno nobody knows. */
static int has_ipc_lock(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();
	int err = 0;

	if (!caps)
		return -errno;
	if (cap_get_flag(caps, CAP_IPC_LOCK, CAP_EFFECTIVE, &value) < 0)
		err = -errno;
	cap_free(caps);
	return err ? err : value == CAP_SET;
}
#else
static int has_ipc_lock(void)
{
	return -EOPNOTSUPP;
}
#endif

/* sev.c sev_pin_memory() (4.16) and vfio_iommu_type1.c count pinned memory against the limit. */
static void ask_memory_lock(struct probe *probe)
{
	struct probe_privilege *privilege =
		add_privilege(probe, "lock memory without limit",
			      "SEV and SEV-ES guests, VFIO devices, io_uring fixed buffers");
	int has_cap = has_ipc_lock();
	struct rlimit limit = {0};

	getrlimit(RLIMIT_MEMLOCK, &limit);
	privilege->is_held = has_cap == 1 || limit.rlim_cur == RLIM_INFINITY;
	if (has_cap == 1)
		snprintf(privilege->detail, sizeof(privilege->detail), "by CAP_IPC_LOCK");
	else if (privilege->is_held)
		snprintf(privilege->detail, sizeof(privilege->detail), "by RLIMIT_MEMLOCK");
	else
		snprintf(privilege->detail, sizeof(privilege->detail),
			 "%s; RLIMIT_MEMLOCK allows %" PRIu64 " KiB (ulimit -l)",
			 has_cap == 0 ? "CAP_IPC_LOCK is missing"
				      : "whether CAP_IPC_LOCK is held is unknown: no libcap",
			 (uint64_t)limit.rlim_cur >> 10);
}

static void ask_file(struct probe *probe, const char *name, const char *needed_for,
		     const char *path)
{
	struct probe_privilege *privilege = add_privilege(probe, name, needed_for);

	privilege->is_held = access(path, R_OK | W_OK) == 0;
	snprintf(privilege->detail, sizeof(privilege->detail), "%s %s", path,
		 privilege->is_held ? "is writable" : strerror(errno));
}

void probe_ask_privileges(struct probe *probe)
{
	ask_file(probe, "use KVM", "everything", "/dev/kvm");
	ask_memory_lock(probe);
	ask_file(probe, "set the size of 1G pools", "reserving 1 GiB pages at run time",
		 "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
	if (probe->vm_types[GMEM_VM_SEV].is_offered || probe->vm_types[GMEM_VM_SNP].is_offered)
		ask_file(probe, "command the SEV firmware", "launching SEV and SNP guests",
			 "/dev/sev");
}

/* Who may open a device, for a user who may not. */
void probe_explain_device(const char *path)
{
	const struct passwd *owner;
	const struct group *group;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	owner = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	fprintf(stderr, "  %s belongs to %s:%s with mode %04o; this is user %u.\n", path,
		owner ? owner->pw_name : "?", group ? group->gr_name : "?", st.st_mode & 07777,
		geteuid());
	if (access(path, R_OK | W_OK) == 0)
		return;
	if (st.st_mode & S_IWGRP)
		fprintf(stderr, "  Being a member of group %s is enough.\n",
			group ? group->gr_name : "?");
	else
		fprintf(stderr, "  Only its owner may open it.\n");
}
