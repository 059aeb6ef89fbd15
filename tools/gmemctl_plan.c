/* SPDX-License-Identifier: MIT */
/* "gmemctl plan": prints what a launch puts into the guest's memory. */
#include "gmemctl.h"
#include "launch_args.h"

static int print_line(void *user, const char *text)
{
	return puts(text) < 0;
}

static void print_step(struct json *json, const struct gmem_launch_step *step)
{
	json_begin(json, '{');
	json_key(json, "gpa");
	json_number(json, (int64_t)step->gpa);
	json_key(json, "size");
	json_number(json, (int64_t)step->size);
	json_key(json, "type");
	json_string(json, gmem_launch_page_name(step->type));
	json_key(json, "measured");
	json_bool(json, step->flags & GMEM_LAUNCH_MEASURED);
	if (step->type == GMEM_LAUNCH_VMSA) {
		json_key(json, "vcpu");
		json_number(json, step->vcpu);
	}
	json_key(json, "label");
	json_string(json, step->label);
	json_end(json, '}');
}

static void print_json(const struct launch_args *args, const struct gmem_plan *plan)
{
	struct json json = {.out = stdout};
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);

	json_begin(&json, '{');
	json_key(&json, "technology");
	json_string(&json, args->technology);
	json_key(&json, "steps");
	json_begin(&json, '[');
	for (size_t i = 0; i < count; i++)
		print_step(&json, &steps[i]);
	json_end(&json, ']');
	json_end(&json, '}');
}

static int run(struct launch_args *args)
{
	struct gmem_plan *plan;
	int status = launch_args_plan(args, &plan);

	if (status != STATUS_OK)
		return status;
	if (args->json)
		print_json(args, plan);
	else
		gmem_plan_print(plan, print_line, NULL);
	gmem_plan_destroy(plan);
	return STATUS_OK;
}

int command_plan(int argc, char **argv)
{
	struct launch_args args;
	bool help;
	int status = launch_args_parse(argc, argv, &args, &help);

	if (status == STATUS_OK && !help)
		status = run(&args);
	launch_args_free(&args);
	return status;
}
