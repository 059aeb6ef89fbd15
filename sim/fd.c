/* SPDX-License-Identifier: MIT */
/* What a descriptor stands for, and how a new one is made. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_model.h"

/*
 * A descriptor of the simulator is an open file description of a memfd. All of /dev/kvm, the VMs
 * and the vCPUs are on one memfd, the files of a guest_memfd inode on one of its own. The file
 * position, which a real descriptor does not have, holds the object's id; dup() and SCM_RIGHTS keep
 * it.
 *
 * The description also holds a lock of its own (F_OFD_SETLK) on the byte at that id. Linux drops it
 * with the last descriptor and the last mapping of the description, in whatever process: exactly
 * when the object dies. Nothing else could tell.
 */
#define ID_BITS 40

static uint64_t next_random(struct gmem_sim *sim)
{
	pid_t pid = getpid();
	uint64_t z;

	/* A forked child must not find the ids that its parent will. */
	if (sim->random_owner != pid &&
	    getrandom(&sim->random, sizeof(sim->random), 0) == (ssize_t)sizeof(sim->random))
		sim->random_owner = pid;
	sim->random += 0x9e3779b97f4a7c15;
	z = sim->random;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static struct flock byte_lock(uint64_t id)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)id,
		.l_len = 1,
	};
}

bool gmi_sim_id_is_held(int hidden, uint64_t id)
{
	struct flock lock = byte_lock(id);

	return !fcntl(hidden, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* Gives the description behind @fd an id that no living one has. */
static int take_id(struct gmem_sim *sim, int fd, enum sim_kind kind, uint64_t *ret_id)
{
	for (;;) {
		uint64_t id = (next_random(sim) >> (64 - ID_BITS)) * SIM_KINDS + kind;
		struct flock lock = byte_lock(id);

		if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
			if (errno == EAGAIN || errno == EACCES)
				continue;
			return -errno;
		}
		if (lseek(fd, (off_t)id, SEEK_SET) < 0)
			return -errno;
		*ret_id = id;
		return 0;
	}
}

int gmi_sim_new_fd(struct gmem_sim *sim, int hidden, enum sim_kind kind, bool cloexec,
		   uint64_t *ret_id)
{
	char path[32];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", hidden);
	fd = open(path, cloexec ? O_RDWR | O_CLOEXEC : O_RDWR);
	if (fd < 0)
		return -errno;
	ret = take_id(sim, fd, kind, ret_id);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/*
 * RLIMIT_FSIZE holds for a memfd and not for a guest_memfd: as far as it may be raised it is, for a
 * moment.
 */
static int set_size(int fd, uint64_t size)
{
	struct rlimit old, raised;
	int ret;

	if (getrlimit(RLIMIT_FSIZE, &old) < 0)
		return -errno;
	raised = (struct rlimit){.rlim_cur = old.rlim_max, .rlim_max = old.rlim_max};
	if (old.rlim_cur < size)
		setrlimit(RLIMIT_FSIZE, &raised);
	ret = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	if (old.rlim_cur < size)
		setrlimit(RLIMIT_FSIZE, &old);
	return ret;
}

int gmi_sim_new_memory(const char *name, uint64_t size, uint64_t *ret_dev, uint64_t *ret_ino)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	ret = set_size(fd, size);
	if (!ret && fstat(fd, &st) < 0)
		ret = -errno;
	if (ret) {
		close(fd);
		return ret;
	}
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return fd;
}

/* A descriptor of another simulator, or of another process's: the name of its memfd tells. */
static bool is_named(int fd, const char *name)
{
	char path[32], link[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return false;
	link[length] = 0;
	return !strncmp(link, name, strlen(name));
}

/* The object at a descriptor's position where it is of the inode that the object is of. */
static bool is_at(const struct gmem_sim *sim, const struct sim_object *object,
		  const struct stat *st)
{
	const struct sim_view *view;

	if (object->kind != SIM_VIEW)
		return st->st_ino == sim->control_ino && st->st_dev == sim->control_dev;
	view = sim_container(object, const struct sim_view, object);
	return st->st_ino == view->inode->ino && st->st_dev == view->inode->dev;
}

static enum sim_kind unknown_kind(struct gmem_sim *sim, int fd, uint64_t id,
				  struct sim_object **ret_object)
{
	struct sim_view *view;

	if (is_named(fd, "/memfd:gmem-sim:kvm"))
		return (enum sim_kind)(id % SIM_KINDS);
	if (!is_named(fd, "/memfd:gmem-sim:file:"))
		return SIM_OTHER;
	view = gmi_sim_adopt_view(sim, fd, id);
	if (!view)
		return SIM_OTHER;
	*ret_object = &view->object;
	return SIM_VIEW;
}

/*
 * The kind of a descriptor; the object is NULL for /dev/kvm, and for VMs and vCPUs of another
 * process. SIM_OTHER where it is none of ours, or not open. A VM is asked often, and no other file
 * happens to stand at the random 43 bits of its id.
 */
enum sim_kind gmi_sim_kind(struct gmem_sim *sim, int fd, struct sim_object **ret_object)
{
	struct sim_object *object;
	struct stat st;
	off_t id;

	*ret_object = NULL;
	id = lseek(fd, 0, SEEK_CUR);
	if (id <= 0)
		return SIM_OTHER;
	object = gmi_sim_find(sim, (uint64_t)id);
	if (object && object->kind == SIM_VM) {
		*ret_object = object;
		return SIM_VM;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return SIM_OTHER;
	if (object && is_at(sim, object, &st)) {
		*ret_object = object;
		return object->kind;
	}
	return unknown_kind(sim, fd, (uint64_t)id, ret_object);
}
