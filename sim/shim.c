/* SPDX-License-Identifier: MIT */
/* The shim: what it notes, counts and fails. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_shim.h"

static const char *const names[GMEM_CALL_COUNT] = {
	"open",          "close",      "dup",      "set_cloexec",  "fstat",
	"ioctl",         "mmap",       "munmap",   "madvise",      "mbind",
	"get_mempolicy", "fallocate",  "memfd",    "ftruncate",    "read_file",
	"sleep",         "write_file", "flock",    "set_affinity", "set_mempolicy",
	"now",           "send_fds",   "recv_fds", "poll",         "peer",
};

GMEM_API const char *gmem_call_name(uint32_t call)
{
	if (call == GMEM_CALL_ANY)
		return "any";
	return call < GMEM_CALL_COUNT ? names[call] : "?";
}

GMEM_API int gmem_shim_create(const struct gmem_sys_ops *below, void *below_user,
			      struct gmem_shim **ret_shim)
{
	struct gmem_shim *shim;

	if (!ret_shim || (below && !gmi_sys_ops_are_complete(below)))
		return -EINVAL;
	shim = calloc(1, sizeof(*shim));
	if (!shim)
		return -ENOMEM;
	shim->below.ops = below ? below : &gmi_sys_linux_ops;
	shim->below.user = below_user;
	pthread_mutex_init(&shim->lock, NULL);
	*ret_shim = shim;
	return 0;
}

GMEM_API void gmem_shim_unref(struct gmem_shim *shim)
{
	if (!shim)
		return;
	pthread_mutex_destroy(&shim->lock);
	free(shim->calls);
	free(shim);
}

static bool matches(uint32_t call, uint64_t request, const struct gmem_shim_call *made)
{
	if (call != GMEM_CALL_ANY && call != made->call)
		return false;
	return !request || (made->call == GMEM_CALL_IOCTL && request == made->request);
}

/* The error that a call gets in the place of its effect; 0 for none. */
static int next_fault(struct gmem_shim *shim, const struct gmem_shim_call *made)
{
	int error = 0;

	for (size_t i = 0; i < SHIM_FAULTS; i++) {
		struct shim_fault *fault = &shim->fault[i];

		if (!fault->error || !matches(fault->call, fault->request, made))
			continue;
		if (fault->wait > 1) {
			fault->wait--;
			continue;
		}
		error = fault->error;
		if (!(fault->flags & GMEM_SHIM_EVERY))
			fault->error = 0;
	}
	return error;
}

/* No memory for the trace costs the trace, not the call. */
static void note(struct gmem_shim *shim, const struct gmem_shim_call *made)
{
	uint64_t capacity = shim->capacity ? shim->capacity * 2 : 64;
	struct gmem_shim_call *more;

	if (shim->noted == shim->capacity) {
		more = reallocarray(shim->calls, capacity, sizeof(*more));
		if (!more)
			return;
		shim->calls = more;
		shim->capacity = capacity;
	}
	shim->calls[shim->noted++] = *made;
}

int gmi_shim_begin(struct gmem_shim *shim, struct gmem_shim_call *made, uint64_t *ret_index)
{
	int error;

	pthread_mutex_lock(&shim->lock);
	error = next_fault(shim, made);
	made->result = error ? error : -EINPROGRESS;
	made->injected = error != 0;
	shim->injected += error != 0;
	*ret_index = shim->noted | shim->round << SHIM_ROUND_SHIFT;
	note(shim, made);
	pthread_mutex_unlock(&shim->lock);
	return error;
}

/* A call that began before a reset has no place in the trace any more. */
int gmi_shim_end(struct gmem_shim *shim, uint64_t index, int result)
{
	uint64_t at = index & ((1ull << SHIM_ROUND_SHIFT) - 1);

	pthread_mutex_lock(&shim->lock);
	if (index >> SHIM_ROUND_SHIFT == shim->round && at < shim->noted)
		shim->calls[at].result = result;
	pthread_mutex_unlock(&shim->lock);
	return result;
}

GMEM_API int gmem_shim_read(struct gmem_shim *shim, uint64_t index, struct gmem_shim_call *ret_call)
{
	int ret = -ENOENT;

	if (!shim || !ret_call)
		return -EINVAL;
	pthread_mutex_lock(&shim->lock);
	if (index < shim->noted) {
		*ret_call = shim->calls[index];
		ret = 0;
	}
	pthread_mutex_unlock(&shim->lock);
	return ret;
}

GMEM_API uint64_t gmem_shim_count(struct gmem_shim *shim, uint32_t call, uint64_t request)
{
	uint64_t count = 0;

	if (!shim)
		return 0;
	pthread_mutex_lock(&shim->lock);
	for (uint64_t i = 0; i < shim->noted; i++)
		count += matches(call, request, &shim->calls[i]);
	pthread_mutex_unlock(&shim->lock);
	return count;
}

GMEM_API void gmem_shim_reset(struct gmem_shim *shim)
{
	if (!shim)
		return;
	pthread_mutex_lock(&shim->lock);
	shim->noted = 0;
	shim->injected = 0;
	shim->round++;
	memset(shim->fault, 0, sizeof(shim->fault));
	pthread_mutex_unlock(&shim->lock);
}

static struct shim_fault *free_fault(struct gmem_shim *shim)
{
	for (size_t i = 0; i < SHIM_FAULTS; i++) {
		if (!shim->fault[i].error)
			return &shim->fault[i];
	}
	return NULL;
}

GMEM_API int gmem_shim_fail(struct gmem_shim *shim, uint32_t call, uint64_t request, uint64_t nth,
			    int error, uint32_t flags)
{
	struct shim_fault *fault;

	if (!shim || !nth || error >= 0 || flags & ~GMEM_SHIM_EVERY ||
	    (call >= GMEM_CALL_COUNT && call != GMEM_CALL_ANY))
		return -EINVAL;
	pthread_mutex_lock(&shim->lock);
	fault = free_fault(shim);
	if (fault)
		*fault = (struct shim_fault){.call = call,
					     .flags = flags,
					     .request = request,
					     .wait = nth,
					     .error = error};
	pthread_mutex_unlock(&shim->lock);
	return fault ? 0 : -ENOSPC;
}

GMEM_API uint64_t gmem_shim_injected(struct gmem_shim *shim)
{
	uint64_t injected;

	if (!shim)
		return 0;
	pthread_mutex_lock(&shim->lock);
	injected = shim->injected;
	pthread_mutex_unlock(&shim->lock);
	return injected;
}
