/* SPDX-License-Identifier: MIT */
/* "gmemctl measure": prints the measurement that a launch gives. */
#include "gmemctl.h"
#include "launch_args.h"

struct result {
	struct gmem_digest digest, hob;
	struct gmem_plan_info info;
};

static int compute(const struct launch_args *args, struct gmem_plan *plan, struct result *result)
{
	GMEM_INIT(gmem_measure_error, error);

	result->info.sz = sizeof(result->info);
	gmem_plan_get_info(plan, &result->info);
	if (gmem_measure_plan(plan, &args->measure, &result->digest, &error))
		return launch_complain(&error);
	if (args->ram_count &&
	    gmem_plan_fill_td_hob(plan, args->ram, args->ram_count, &result->hob, &error))
		return launch_complain(&error);
	return STATUS_OK;
}

static const char *hex(const struct gmem_digest *digest, char text[97])
{
	for (uint32_t i = 0; i < digest->size; i++)
		snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	return text;
}

static void print_json(const struct launch_args *args, const struct result *result)
{
	struct json json = {.out = stdout};
	char text[97];

	json_begin(&json, '{');
	json_key(&json, "technology");
	json_string(&json, args->technology);
	json_key(&json, "hash");
	json_string(&json, result->digest.size == 48 ? "sha384" : "sha256");
	json_key(&json, "digest");
	json_string(&json, hex(&result->digest, text));
	if (result->hob.size) {
		json_key(&json, "td_hob_digest");
		json_string(&json, hex(&result->hob, text));
	}
	json_key(&json, "vcpus");
	json_number(&json, result->info.vcpus);
	json_key(&json, "memory");
	json_number(&json, (int64_t)result->info.memory_size);
	json_key(&json, "measured");
	json_number(&json, (int64_t)result->info.measured_size);
	json_end(&json, '}');
}

static void print_text(const struct result *result)
{
	char text[97];

	puts(hex(&result->digest, text));
	if (result->hob.size)
		printf("td-hob %s\n", hex(&result->hob, text));
}

static int run(struct launch_args *args)
{
	struct result result = {0};
	struct gmem_plan *plan;
	int status = launch_args_plan(args, &plan);

	if (status != STATUS_OK)
		return status;
	status = compute(args, plan, &result);
	gmem_plan_destroy(plan);
	if (status != STATUS_OK)
		return status;
	if (args->json)
		print_json(args, &result);
	else
		print_text(&result);
	return STATUS_OK;
}

int command_measure(int argc, char **argv)
{
	struct launch_args args;
	bool help;
	int status = launch_args_parse(argc, argv, &args, &help);

	if (status == STATUS_OK && !help)
		status = run(&args);
	launch_args_free(&args);
	return status;
}
