/* SPDX-License-Identifier: MIT */
/* The simulator: its table of objects and when they die. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sim_model.h"

void gmi_sim_lock(struct gmem_sim *sim)
{
	atomic_fetch_add(&sim->waiters, 1);
	pthread_mutex_lock(&sim->lock);
	atomic_fetch_sub(&sim->waiters, 1);
}

void gmi_sim_unlock(struct gmem_sim *sim)
{
	pthread_mutex_unlock(&sim->lock);
}

/* Lets those in who wait. A mutex alone would often go back to the one who just released it. */
void gmi_sim_yield(struct gmem_sim *sim)
{
	gmi_sim_unlock(sim);
	if (atomic_load(&sim->waiters))
		sched_yield();
	gmi_sim_lock(sim);
}

/* The same where nobody else has anything to do: a moment without the lock, for those who wake up. */
void gmi_sim_pause(struct gmem_sim *sim)
{
	const struct timespec moment = {.tv_nsec = 20000};

	gmi_sim_unlock(sim);
	nanosleep(&moment, NULL);
	gmi_sim_lock(sim);
}

static struct sim_object **bucket(struct gmem_sim *sim, uint64_t id)
{
	return &sim->bucket[(id / SIM_KINDS) % SIM_BUCKETS];
}

struct sim_object *gmi_sim_find(struct gmem_sim *sim, uint64_t id)
{
	struct sim_object *object;

	for (object = *bucket(sim, id); object; object = object->next) {
		if (object->id == id)
			return object;
	}
	return NULL;
}

void gmi_sim_insert(struct gmem_sim *sim, struct sim_object *object)
{
	struct sim_object **head = bucket(sim, object->id);

	object->next = *head;
	*head = object;
	sim->objects++;
}

void gmi_sim_remove(struct gmem_sim *sim, struct sim_object *object)
{
	struct sim_object **at = bucket(sim, object->id);

	while (*at != object)
		at = &(*at)->next;
	*at = object->next;
	sim->objects--;
}

bool gmi_sim_view_is_alive(struct sim_view *view)
{
	return gmi_sim_id_is_held(view->inode->fd, view->object.id);
}

static bool vm_is_dead(struct gmem_sim *sim, struct sim_vm *vm)
{
	return !vm->vcpus && !vm->views && !vm->users && !vm->sev.mirrors &&
	       !gmi_sim_id_is_held(sim->control_fd, vm->object.id);
}

/* An ioctl under way holds the vCPU as its descriptor does. */
static bool vcpu_is_used(struct gmem_sim *sim, struct sim_vcpu *vcpu)
{
	return vcpu->users || gmi_sim_id_is_held(sim->control_fd, vcpu->object.id);
}

/* Frees the object where nothing refers to it any more. */
static bool reap_object(struct gmem_sim *sim, struct sim_object *object)
{
	if (object->kind == SIM_VIEW) {
		struct sim_view *view = sim_container(object, struct sim_view, object);

		if (gmi_sim_view_is_alive(view))
			return false;
		gmi_sim_remove(sim, object);
		gmi_sim_release_view(sim, view);
		return true;
	}
	if (object->kind == SIM_VCPU) {
		if (vcpu_is_used(sim, sim_container(object, struct sim_vcpu, object)))
			return false;
		gmi_sim_remove(sim, object);
		sim_container(object, struct sim_vcpu, object)->vm->vcpus--;
		return true;
	}
	if (!vm_is_dead(sim, sim_container(object, struct sim_vm, object)))
		return false;
	gmi_sim_remove(sim, object);
	gmi_sim_free_vm(sim, sim_container(object, struct sim_vm, object));
	return true;
}

static void reap_kind(struct gmem_sim *sim, bool vms)
{
	for (size_t i = 0; i < SIM_BUCKETS; i++) {
		struct sim_object *object = sim->bucket[i];

		while (object) {
			struct sim_object *next = object->next;

			if ((object->kind == SIM_VM) == vms)
				reap_object(sim, object);
			object = next;
		}
	}
}

/* Frees what died since: files and vCPUs first, they keep VMs; then mirrors, they keep their owner. */
void gmi_sim_reap(struct gmem_sim *sim)
{
	reap_kind(sim, false);
	reap_kind(sim, true);
	reap_kind(sim, true);
	sim->reap_at = sim->objects * 2 + 64;
}

void gmi_sim_reap_if_grown(struct gmem_sim *sim)
{
	if (sim->objects >= sim->reap_at)
		gmi_sim_reap(sim);
}

/* Looks after one object whose descriptor was just closed, and the VM that it kept. */
void gmi_sim_reap_closed(struct gmem_sim *sim, struct sim_object *object)
{
	struct sim_vm *vm = NULL;

	if (object->kind == SIM_VIEW)
		vm = sim_container(object, struct sim_view, object)->vm;
	else if (object->kind == SIM_VCPU)
		vm = sim_container(object, struct sim_vcpu, object)->vm;
	if (reap_object(sim, object) && vm)
		reap_object(sim, &vm->object);
}

static int check_opts(const struct gmem_sim_opts *opts)
{
	const unsigned char *byte = (const unsigned char *)opts;

	if (!opts)
		return 0;
	if (opts->sz < sizeof(opts->sz))
		return -EINVAL;
	for (size_t i = sizeof(*opts); i < opts->sz; i++) {
		if (byte[i])
			return -E2BIG;
	}
	return 0;
}

/* MADV_WIPEONFORK (Linux 4.14): a child finds a zero there. */
static pid_t *make_pid_page(void)
{
	void *page =
		mmap(NULL, SIM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, SIM_PAGE, MADV_WIPEONFORK)) {
		munmap(page, SIM_PAGE);
		return NULL;
	}
	*(pid_t *)page = getpid();
	return page;
}

pid_t gmi_sim_pid(const struct gmem_sim *sim)
{
	if (!sim->pid)
		return getpid();
	if (!*sim->pid)
		*sim->pid = getpid();
	return *sim->pid;
}

static int init(struct gmem_sim *sim, const struct gmem_sim_opts *opts)
{
	struct gmem_sim_opts own = {0};

	if (opts)
		memcpy(&own, opts, opts->sz < sizeof(own) ? opts->sz : sizeof(own));
	if (own.nodes > 64 || own.padding)
		return -EINVAL;
	sim->nodes = own.nodes ? own.nodes : 1;
	sim->memory_limit = own.memory;
	sim->interrupt_after = UINT64_MAX;
	sim->reap_at = 64;
	gmi_sim_pools_init(sim);
	gmi_sim_psp_init(sim);
	gmi_sim_tdx_init_host(sim);
	sim->control_fd = gmi_sim_new_memory("gmem-sim:kvm", SIM_BACKED_END, &sim->control_dev,
					     &sim->control_ino);
	if (sim->control_fd < 0)
		return sim->control_fd;
	sim->pid = make_pid_page();
	return 0;
}

GMEM_API int gmem_sim_create(const char *profile, const struct gmem_sim_opts *opts,
			     struct gmem_sim **ret_sim)
{
	struct gmem_sim *sim;
	int ret;

	if (!profile || !ret_sim)
		return -EINVAL;
	ret = check_opts(opts);
	if (ret)
		return ret;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	sim->profile = gmi_sim_profile_find(profile);
	ret = sim->profile ? init(sim, opts) : -ENOENT;
	if (ret) {
		free(sim);
		return ret;
	}
	pthread_mutex_init(&sim->lock, NULL);
	pthread_cond_init(&sim->idle, NULL);
	*ret_sim = sim;
	return 0;
}

/* Forgets an object whatever refers to it. */
static void drop(struct gmem_sim *sim, struct sim_object *object)
{
	gmi_sim_remove(sim, object);
	if (object->kind == SIM_VIEW)
		gmi_sim_release_view(sim, sim_container(object, struct sim_view, object));
	else if (object->kind == SIM_VCPU)
		sim_container(object, struct sim_vcpu, object)->vm->vcpus--;
	else
		gmi_sim_free_vm(sim, sim_container(object, struct sim_vm, object));
}

static void drop_kind(struct gmem_sim *sim, enum sim_kind kind)
{
	for (size_t i = 0; i < SIM_BUCKETS; i++) {
		struct sim_object *object = sim->bucket[i];

		while (object) {
			struct sim_object *next = object->next;

			if (object->kind == kind)
				drop(sim, object);
			object = next;
		}
	}
}

/* So that VMs can be dropped in any order. */
static void part_mirrors(struct gmem_sim *sim)
{
	for (size_t i = 0; i < SIM_BUCKETS; i++) {
		for (struct sim_object *object = sim->bucket[i]; object; object = object->next) {
			if (object->kind == SIM_VM)
				gmi_sim_part_mirror(sim_container(object, struct sim_vm, object));
		}
	}
}

GMEM_API void gmem_sim_unref(struct gmem_sim *sim)
{
	if (!sim)
		return;
	part_mirrors(sim);
	drop_kind(sim, SIM_VIEW);
	drop_kind(sim, SIM_VCPU);
	drop_kind(sim, SIM_VM);
	free(sim->mapping);
	free(sim->policy);
	gmi_sim_rangemap_free(&sim->host_policy);
	gmi_sim_rangemap_free(&sim->task_policy);
	close(sim->control_fd);
	if (sim->pid)
		munmap(sim->pid, SIM_PAGE);
	pthread_cond_destroy(&sim->idle);
	pthread_mutex_destroy(&sim->lock);
	free(sim);
}

static void count_vm(const struct sim_vm *vm, struct gmem_sim_stats *stats)
{
	stats->vms++;
	for (size_t i = 0; i < SIM_SPACES; i++)
		stats->slots += vm->space[i].by_gpa.count;
}

static void count_objects(struct gmem_sim *sim, struct gmem_sim_stats *stats)
{
	for (size_t i = 0; i < SIM_BUCKETS; i++) {
		for (struct sim_object *object = sim->bucket[i]; object; object = object->next) {
			stats->vcpus += object->kind == SIM_VCPU;
			stats->files += object->kind == SIM_VIEW;
			if (object->kind == SIM_VM)
				count_vm(sim_container(object, struct sim_vm, object), stats);
		}
	}
}

GMEM_API int gmem_sim_get_stats(struct gmem_sim *sim, struct gmem_sim_stats *ret_stats)
{
	struct gmem_sim_stats stats = {.sz = sizeof(stats)};

	if (!sim || !ret_stats || ret_stats->sz != sizeof(stats))
		return -EINVAL;
	gmi_sim_lock(sim);
	gmi_sim_reap(sim);
	count_objects(sim, &stats);
	stats.inodes = sim->inodes;
	stats.mappings = sim->mappings;
	stats.allocated = gmi_sim_allocated(sim);
	stats.fds = sim->inodes + 1;
	gmi_sim_huge_count(sim, &stats.huge, &stats.split);
	gmi_sim_unlock(sim);
	*ret_stats = stats;
	return 0;
}
