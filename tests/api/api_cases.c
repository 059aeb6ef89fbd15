/* SPDX-License-Identifier: MIT */
/* Every case as it is: with nothing failing. */
#include "api.h"

static void run_for(const struct gt *t, uint32_t vm_type)
{
	const struct api_case *c = t->data;
	struct api api;
	int ret;

	fixture_open(&api, t, vm_type);
	c->setup(&api);
	gmem_shim_reset(api.shim);
	ret = c->act(&api);
	EXPECT_CASE("succeeds", c->name, ret < 0 ? ret : 0, 0);
	if (ret >= 0)
		c->check(&api);
	fixture_close(&api);
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
