/* SPDX-License-Identifier: MIT */
/* Every case again for each system call and each allocation that it makes, failing that one. */
#include <stdlib.h>

#include "api.h"

/* One failure that is tried: of a system call, of it and all later of its kind, of an allocation. */
struct fault {
	enum { ONE_CALL, ALL_CALLS, ALLOCATION } what;
	size_t at;      /* index among all calls or allocations */
	size_t at_kind; /* index among the calls of its kind */
	int error;
	struct gmem_shim_call call;
};

struct sweep {
	const struct gt *t;
	const struct api_case *c;
	uint32_t vm_type;
	bool is_slow;
	struct api api;
	unsigned int tried, refused;
};

static const char *name_of(const struct fault *fault)
{
	static char name[128];

	if (fault->what == ALLOCATION)
		snprintf(name, sizeof(name), "allocation %zu", fault->at);
	else
		snprintf(name, sizeof(name), "call %zu, %s%s: %s", fault->at,
			 gt_call_name(&fault->call),
			 fault->what == ALL_CALLS ? " and all later ones" : "",
			 gt_errno_name(fault->error));
	return name;
}

static void arm(struct api *api, const struct fault *fault)
{
	gt_heap_reset(&api->heap);
	gmem_shim_reset(api->shim);
	if (fault->what == ALLOCATION)
		api->heap.fail_at = fault->at;
	else if (fault->what == ONE_CALL)
		MUST(gmem_shim_fail(api->shim, GMEM_CALL_ANY, 0, fault->at + 1, fault->error, 0) ==
		     0);
	else
		MUST(gmem_shim_fail(api->shim, fault->call.call, fault->call.request,
				    fault->at_kind + 1, fault->error, GMEM_SHIM_EVERY) == 0);
}

static void disarm(struct api *api)
{
	gt_heap_reset(&api->heap);
	gmem_shim_reset(api->shim);
}

/* The record of a failure is of this failure. */
static void expect_record(const struct fault *fault, int ret)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	EXPECT_CASE("errinfo: error", name_of(fault), info->error, ret);
	EXPECT_CASE("errinfo: op", name_of(fault), info->op && *info->op, true);
	EXPECT_CASE("errinfo: message", name_of(fault), info->message[0] != '\0', true);
}

/*
 * The same failure again must cost no memory again; what is kept ready for later is kept once. What
 * goes on where it stopped may need more on the way.
 */
static void expect_no_growth(struct sweep *s, const struct fault *fault, int ret)
{
	struct api *api = &s->api;
	size_t in_use = api->heap.in_use;
	int again;

	arm(api, fault);
	again = s->c->act(api);
	if (again < 0) {
		if (!(s->c->flags & MOVES_ON))
			EXPECT_CASE("the same again", name_of(fault), again, ret);
		if (!(s->c->flags & MOVES_ON) || !(s->c->flags & KEEPS_PROGRESS))
			EXPECT_CASE("memory grows", name_of(fault), (int64_t)api->heap.in_use,
				    (int64_t)in_use);
	}
	disarm(api);
	if (again < 0)
		again = s->c->act(api);
	EXPECT_CASE("next attempt", name_of(fault), again < 0 ? again : 0, 0);
	if (again >= 0)
		s->c->check(api);
}

/* After a single failure: nothing changed, and a later attempt succeeds. */
static void expect_whole(struct sweep *s, const struct fault *fault, int ret,
			 const struct state *before)
{
	struct api *api = &s->api;
	struct state after;

	if (ret >= 0) {
		s->c->check(api);
		return;
	}
	s->refused++;
	expect_record(fault, ret);
	if (ret == -ESTALE && s->c->flags & ENDS_WHEN_DEAD)
		return;
	after = state_of(api);
	state_expect(name_of(fault), &after, before, s->c->flags);
	expect_no_growth(s, fault, ret);
}

/* Whatever failed: once all is released, nothing is left. */
static void try_fault(struct sweep *s, const struct fault *fault)
{
	unsigned int fds = gt_count_fds(), mappings = gt_count_mappings();
	struct api *api = &s->api;
	struct state before;
	bool failed;
	int ret;

	fixture_open(api, s->t, s->vm_type);
	s->c->setup(api);
	before = state_of(api);
	arm(api, fault);
	ret = s->c->act(api);
	failed = gmem_shim_injected(api->shim) || api->heap.failed;
	disarm(api);
	if (fault->what == ALL_CALLS)
		EXPECT_CASE("failed or done", name_of(fault), ret > 0 ? 0 : ret, ret < 0 ? ret : 0);
	else
		expect_whole(s, fault, ret, &before);
	fixture_close(api);
	EXPECT_CASE("came to it", name_of(fault), failed, true);
	EXPECT_CASE("descriptors left", name_of(fault), gt_count_fds(), fds);
	EXPECT_CASE("mappings left", name_of(fault), gt_count_mappings(), mappings);
	s->tried++;
}

static size_t count_of_kind(const struct gmem_shim_call *calls, size_t count)
{
	size_t i, same = 0;

	for (i = 0; i < count; i++)
		same += calls[i].call == calls[count].call &&
			(calls[i].call != GMEM_CALL_IOCTL ||
			 calls[i].request == calls[count].request);
	return same;
}

/* Where munmap() never works, mappings have to stay. */
static void try_error(struct sweep *s, struct fault *fault, int error, bool once, bool always)
{
	fault->error = error;
	fault->what = ONE_CALL;
	if (once)
		try_fault(s, fault);
	fault->what = ALL_CALLS;
	if (always && fault->call.call != GMEM_CALL_MUNMAP)
		try_fault(s, fault);
}

static void sweep_call(struct sweep *s, const struct gmem_shim_call *calls, size_t at)
{
	struct fault fault = {.at = at, .at_kind = count_of_kind(calls, at), .call = calls[at]};
	const int *errors;
	size_t count, i;

	if (fault.call.call != GMEM_CALL_IOCTL)
		fault.call.request = 0;
	errors = gt_call_errors(&fault.call);
	for (count = 0; errors[count]; count++)
		;
	for (i = 0; i < count && !s->is_slow; i++)
		try_error(s, &fault, errors[i], true, true);
	if (s->is_slow)
		try_error(s, &fault, errors[at % count], at % 2 == 0, at % 2 == 1);
}

/* An emulated machine has the time for one call and one allocation of a case: which, its name says. */
static size_t step_of(const struct sweep *s, size_t count)
{
	return s->is_slow && count ? count : 1;
}

static void sweep_allocations(struct sweep *s, size_t count)
{
	struct fault fault = {.what = ALLOCATION};
	size_t step = step_of(s, count);

	for (fault.at = strlen(s->c->name) % step; fault.at < count; fault.at += step)
		try_fault(s, &fault);
}

/* One run without failures counts what there is to fail. */
static struct gmem_shim_call *count(struct sweep *s, size_t *ret_calls, size_t *ret_allocations)
{
	struct api *api = &s->api;
	struct gmem_shim_call *calls;
	size_t i;

	fixture_open(api, s->t, s->vm_type);
	s->c->setup(api);
	state_of(api); /* which also asks, once, who a file is */
	disarm(api);
	MUST(s->c->act(api) >= 0);
	*ret_calls = gt_calls(api->shim);
	*ret_allocations = api->heap.count;
	calls = calloc(*ret_calls + 1, sizeof(*calls));
	MUST(calls);
	for (i = 0; i < *ret_calls; i++)
		MUST(gmem_shim_read(api->shim, i, &calls[i]) == 0);
	s->c->check(api);
	fixture_close(api);
	return calls;
}

static void run_for(const struct gt *t, uint32_t vm_type)
{
	struct sweep s = {
		.t = t,
		.c = t->data,
		.vm_type = vm_type,
		.is_slow = strcmp(t->kernel, "vm") == 0,
	};
	size_t calls, allocations, i, step;
	struct gmem_shim_call *made = count(&s, &calls, &allocations);

	step = step_of(&s, calls);
	for (i = strlen(s.c->name) % step; i < calls; i += step)
		sweep_call(&s, made, i);
	sweep_allocations(&s, allocations);
	fprintf(stderr, "%zu calls, %zu allocations: %u failures tried, %u refused\n", calls,
		allocations, s.tried, s.refused);
	free(made);
}

static void run(struct gt *t)
{
	api_each_type(t, run_for);
}

int main(int argc, char **argv)
{
	size_t count;
	struct gt_test *tests = api_list(run, &count);
	int status;

	status = gt_main(argc, argv, tests, count);
	free(tests);
	return status;
}
