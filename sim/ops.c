/* SPDX-License-Identifier: MIT */
/* The table of system calls of the simulated kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_model.h"
#include "sys_call.h"
#include "uapi_mm.h"

static const struct gmi_sys real = {.ops = &gmi_sys_linux_ops};

static struct sim_view *view_of(struct sim_object *object)
{
	return sim_container(object, struct sim_view, object);
}

/* A file to lock: no object, for its position is 0. */
static int open_control(const struct gmem_sim *sim, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sim->control_fd);
	return gmi_sys_open(&real, path, flags);
}

static int ops_open(void *user, const char *path, int flags)
{
	struct gmem_sim *sim = user;
	bool is_psp = !strcmp(path, "/dev/sev");
	uint64_t id;
	int fd;

	if (gmi_sim_has_file(sim, path))
		return open_control(sim, flags);
	if (!is_psp && strcmp(path, "/dev/kvm"))
		return gmi_sys_open(&real, path, flags);
	if (is_psp && !sim_has(sim, SIM_SEV))
		return -ENOENT;
	gmi_sim_lock(sim);
	fd = gmi_sim_new_fd(sim, sim->control_fd, is_psp ? SIM_PSP : SIM_DEVICE, true, &id);
	gmi_sim_unlock(sim);
	return fd;
}

static int ops_close(void *user, int fd)
{
	struct gmem_sim *sim = user;
	struct sim_object *object;
	int ret;

	gmi_sim_lock(sim);
	gmi_sim_kind(sim, fd, &object);
	ret = gmi_sys_close(&real, fd);
	if (object)
		gmi_sim_reap_closed(sim, object);
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_dup(void *user, int fd)
{
	return gmi_sys_dup(&real, fd);
}

static int ops_set_cloexec(void *user, int fd)
{
	return gmi_sys_set_cloexec(&real, fd);
}

/* What Linux shows of a guest_memfd; of the others only the identity matters. */
static int ops_fstat(void *user, int fd, struct gmem_sys_stat *ret_stat)
{
	struct gmem_sim *sim = user;
	struct sim_object *object;
	enum sim_kind kind;
	int ret;

	gmi_sim_lock(sim);
	kind = gmi_sim_kind(sim, fd, &object);
	ret = gmi_sys_fstat(&real, fd, ret_stat);
	if (!ret && kind != SIM_OTHER) {
		ret_stat->mode = kind == SIM_VIEW ? S_IFREG | 0600 : 0600;
		ret_stat->size = kind == SIM_VIEW ? view_of(object)->inode->size : 0;
		ret_stat->block_size = SIM_PAGE;
		ret_stat->allocated = 0;
	}
	if (!ret && kind == SIM_VIEW && view_of(object)->inode->pool)
		ret_stat->block_size = view_of(object)->inode->page_size;
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_ioctl(void *user, int fd, uint64_t request, void *arg)
{
	struct gmem_sim *sim = user;
	bool other;
	int ret;

	gmi_sim_lock(sim);
	ret = gmi_sim_ioctl(sim, fd, request, (uintptr_t)arg, &other);
	gmi_sim_unlock(sim);
	return other ? gmi_sys_ioctl(&real, fd, request, arg) : ret;
}

/* The page of struct kvm_run and its companions; the rest of a larger mapping has no meaning. */
static int mmap_vcpu(struct sim_object *object, const struct sim_mapping *want, int prot, int flags,
		     int fd, void **ret_addr)
{
	const struct sim_vcpu *vcpu;

	if (!object)
		return -EINVAL;
	vcpu = sim_container(object, struct sim_vcpu, object);
	return gmi_sys_mmap(&real, (void *)(uintptr_t)want->addr, want->size, prot, flags, fd,
			    gmi_sim_run_offset(vcpu) + want->offset, ret_addr);
}

static int mmap_any(struct gmem_sim *sim, struct sim_mapping *want, int prot, int flags, int fd,
		    void **ret_addr)
{
	struct sim_object *object = NULL;
	enum sim_kind kind = SIM_OTHER;
	int ret;

	if (!(flags & MAP_ANONYMOUS))
		kind = gmi_sim_kind(sim, fd, &object);
	if (kind == SIM_VIEW) {
		ret = gmi_sim_mmap_view(sim, view_of(object), want, prot, flags, fd);
		if (!ret)
			*ret_addr = (void *)(uintptr_t)want->addr;
		return ret;
	}
	if (kind == SIM_VM || kind == SIM_DEVICE || kind == SIM_PSP)
		return -ENODEV;
	if (kind == SIM_VCPU)
		ret = mmap_vcpu(object, want, prot, flags, fd, ret_addr);
	else
		ret = gmi_sys_mmap(&real, (void *)(uintptr_t)want->addr, want->size, prot, flags,
				   fd, want->offset, ret_addr);
	if (!ret)
		gmi_sim_forget_mappings(sim, (uintptr_t)*ret_addr, want->size);
	return ret;
}

static int ops_mmap(void *user, void *addr, uint64_t size, int prot, int flags, int fd,
		    uint64_t offset, void **ret_addr)
{
	struct gmem_sim *sim = user;
	struct sim_mapping want = {.addr = (uintptr_t)addr, .size = size, .offset = offset};
	int ret;

	gmi_sim_lock(sim);
	ret = mmap_any(sim, &want, prot, flags, fd, ret_addr);
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_munmap(void *user, void *addr, uint64_t size)
{
	struct gmem_sim *sim = user;
	uint64_t pages = (size + SIM_PAGE - 1) & ~(uint64_t)(SIM_PAGE - 1);
	const struct sim_mapping *mapping;
	struct sim_view *view;
	int ret;

	gmi_sim_lock(sim);
	mapping = gmi_sim_mapping_at(sim, (uintptr_t)addr);
	view = mapping ? mapping->view : NULL;
	ret = gmi_sys_munmap(&real, addr, size);
	if (!ret) {
		gmi_sim_forget_mappings(sim, (uintptr_t)addr, pages);
		gmi_sim_rangemap_clear(&sim->host_policy, (uintptr_t)addr, (uintptr_t)addr + pages);
		if (view)
			gmi_sim_reap_closed(sim, &view->object);
	}
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_madvise(void *user, void *addr, uint64_t size, int advice)
{
	struct gmem_sim *sim = user;
	int ret;

	gmi_sim_lock(sim);
	ret = gmi_sim_madvise(sim, (uintptr_t)addr, size, advice);
	gmi_sim_unlock(sim);
	return ret;
}

/* get_nodes(): nodes above 63 do not exist here. */
static int read_nodes(const uint64_t *nodes, uint64_t bits, uint64_t *ret_nodes)
{
	*ret_nodes = 0;
	if (!nodes || !bits)
		return 0;
	if (bits > SIM_PAGE * 8)
		return -EINVAL;
	if (gmi_sim_copy_in(ret_nodes, (uintptr_t)nodes, sizeof(*ret_nodes)))
		return -EFAULT;
	if (bits < 64)
		*ret_nodes &= (1ull << bits) - 1;
	return 0;
}

static int ops_mbind(void *user, void *addr, uint64_t size, int mode, const uint64_t *nodes,
		     uint64_t max_node, uint32_t flags)
{
	struct gmem_sim *sim = user;
	struct sim_policy want = {.mode = mode};
	int ret = read_nodes(nodes, max_node, &want.nodes);

	if (ret)
		return ret;
	gmi_sim_lock(sim);
	ret = gmi_sim_mbind(sim, (uintptr_t)addr, size, &want, flags);
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_get_mempolicy(void *user, int *ret_mode, uint64_t *nodes, uint64_t max_node,
			     void *addr, uint64_t flags)
{
	struct gmem_sim *sim = user;
	struct sim_policy policy;
	int ret;

	if (nodes && max_node < sim->nodes)
		return -EINVAL;
	gmi_sim_lock(sim);
	ret = gmi_sim_get_mempolicy(sim, &policy, (uintptr_t)addr, flags);
	gmi_sim_unlock(sim);
	if (ret)
		return ret;
	if (ret_mode)
		*ret_mode = policy.mode;
	for (uint64_t i = 0; nodes && i * 64 < max_node; i++)
		nodes[i] = i ? 0 : policy.nodes;
	return 0;
}

/* Without the lock, as a real kernel lets others work meanwhile. */
static void be_slow(struct gmem_sim *sim, uint64_t size)
{
	uint64_t ns = atomic_load(&sim->slow_ns);

	if (ns)
		gmi_sys_sleep(&real, (uint64_t)((double)ns * (double)size / 1048576));
}

static int ops_fallocate(void *user, int fd, int mode, uint64_t offset, uint64_t size)
{
	struct gmem_sim *sim = user;
	struct sim_object *object;
	enum sim_kind kind;
	int ret = -ENODEV; /* not a regular file: vfs_fallocate() */

	gmi_sim_lock(sim);
	kind = gmi_sim_kind(sim, fd, &object);
	if (kind == SIM_VIEW)
		ret = gmi_sim_fallocate(sim, view_of(object)->inode, mode, (int64_t)offset,
					(int64_t)size);
	gmi_sim_unlock(sim);
	if (kind == SIM_VIEW)
		be_slow(sim, size);
	return kind == SIM_OTHER ? gmi_sys_fallocate(&real, fd, mode, offset, size) : ret;
}

static int ops_memfd(void *user, const char *name, uint32_t flags)
{
	struct gmem_sim *sim = user;
	int fd;

	if (!(flags & GMI_MFD_HUGETLB))
		return gmi_sys_memfd(&real, name, flags);
	gmi_sim_lock(sim);
	fd = gmi_sim_huge_memfd(sim, flags);
	if (fd >= 0)
		gmi_sys_set_cloexec(&real, fd);
	gmi_sim_unlock(sim);
	return fd;
}

/* A guest_memfd has the size that it was made with. */
static int ops_ftruncate(void *user, int fd, uint64_t size)
{
	struct gmem_sim *sim = user;
	struct sim_object *object;
	enum sim_kind kind;
	int ret = -EINVAL;

	gmi_sim_lock(sim);
	kind = gmi_sim_kind(sim, fd, &object);
	if (kind == SIM_VIEW && view_of(object)->inode->is_memfd)
		ret = gmi_sim_huge_truncate(view_of(object)->inode, size);
	gmi_sim_unlock(sim);
	return kind == SIM_OTHER ? gmi_sys_ftruncate(&real, fd, size) : ret;
}

static int ops_read_file(void *user, const char *path, char *buf, size_t size)
{
	int ret;

	if (gmi_sim_read_file(user, path, buf, size, &ret))
		return ret;
	return gmi_sys_read_file(&real, path, buf, size);
}

static int ops_sleep(void *user, uint64_t ns)
{
	return gmi_sys_sleep(&real, ns);
}

static int ops_write_file(void *user, const char *path, const char *buf, size_t size)
{
	return gmi_sim_write_file(user, path, buf, size);
}

static int ops_flock(void *user, int fd, int operation)
{
	return gmi_sys_flock(&real, fd, operation);
}

static int ops_set_affinity(void *user, const uint64_t *cpus, size_t words)
{
	return gmi_sys_set_affinity(&real, cpus, words);
}

static int ops_set_mempolicy(void *user, int mode, const uint64_t *nodes, uint64_t max_node)
{
	struct gmem_sim *sim = user;
	struct sim_policy want = {.mode = mode};
	int ret = read_nodes(nodes, max_node, &want.nodes);

	if (ret)
		return ret;
	gmi_sim_lock(sim);
	ret = gmi_sim_set_mempolicy(sim, &want);
	gmi_sim_unlock(sim);
	return ret;
}

static int ops_now(void *user, uint64_t *ret_ns)
{
	return gmi_sys_now(&real, ret_ns);
}

/* Descriptors of the simulator pass through sockets as others do. */
static int ops_send_fds(void *user, int socket, const void *data, size_t size, const int *fds,
			uint32_t nr_fds)
{
	return gmi_sys_send_fds(&real, socket, data, size, fds, nr_fds);
}

static int ops_recv_fds(void *user, int socket, void *data, size_t size, int *ret_fds,
			uint32_t *ret_nr_fds)
{
	return gmi_sys_recv_fds(&real, socket, data, size, ret_fds, ret_nr_fds);
}

static int ops_poll(void *user, int fd, uint32_t events, uint64_t ns)
{
	return gmi_sys_poll(&real, fd, events, ns);
}

static int ops_peer(void *user, int socket, struct gmem_sys_peer *ret_peer)
{
	return gmi_sys_peer(&real, socket, ret_peer);
}

GMEM_API const struct gmem_sys_ops *gmem_sim_ops(void)
{
	static const struct gmem_sys_ops ops = {
		.sz = sizeof(ops),
		.open = ops_open,
		.close = ops_close,
		.dup = ops_dup,
		.set_cloexec = ops_set_cloexec,
		.fstat = ops_fstat,
		.ioctl = ops_ioctl,
		.mmap = ops_mmap,
		.munmap = ops_munmap,
		.madvise = ops_madvise,
		.mbind = ops_mbind,
		.get_mempolicy = ops_get_mempolicy,
		.fallocate = ops_fallocate,
		.memfd = ops_memfd,
		.ftruncate = ops_ftruncate,
		.read_file = ops_read_file,
		.sleep = ops_sleep,
		.write_file = ops_write_file,
		.flock = ops_flock,
		.set_affinity = ops_set_affinity,
		.set_mempolicy = ops_set_mempolicy,
		.now = ops_now,
		.send_fds = ops_send_fds,
		.recv_fds = ops_recv_fds,
		.poll = ops_poll,
		.peer = ops_peer,
	};

	return &ops;
}
