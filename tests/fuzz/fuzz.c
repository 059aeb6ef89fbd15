/* SPDX-License-Identifier: MIT */
/* The promises that every plan and every refusal keep, whatever the image. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What is still quick to hash, and few enough steps to add them one by one. */
#define MEMORY_MAX (UINT64_C(1) << 20)
#define STEPS_MAX  256

static void must(int condition)
{
	if (!condition)
		abort();
}

static int check_line(void *user, const char *text)
{
	must(text[0] && !strchr(text, '\n'));
	return 0;
}

static struct gmem_digest digest_of(const struct gmem_plan *plan)
{
	struct gmem_digest digest;

	must(gmem_measure_plan(plan, NULL, &digest, NULL) == 0);
	return digest;
}

static void check_copy(const struct gmem_plan *plan, const struct gmem_plan_info *info)
{
	size_t count;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);
	struct gmem_digest a = digest_of(plan), b;
	struct gmem_plan *copy;

	must(gmem_plan_create(info->vm_type, &copy) == 0);
	for (size_t i = 0; i < count; i++)
		must(gmem_plan_add(copy, &steps[i], NULL) == 0);
	b = digest_of(copy);
	must(a.size && !memcmp(&a, &b, sizeof(a)));
	gmem_plan_destroy(copy);
}

void fuzz_check_plan(struct gmem_plan *plan)
{
	GMEM_INIT(gmem_plan_info, info);

	must(gmem_plan_get_info(plan, &info) == 0);
	must(gmem_plan_print(plan, check_line, NULL) == 0);
	if (info.memory_size <= MEMORY_MAX && info.step_count <= STEPS_MAX)
		check_copy(plan, &info);
	gmem_plan_destroy(plan);
}

void fuzz_check_refusal(int ret, const struct gmem_measure_error *error)
{
	must(ret < 0 && ret == -error->code);
	must(error->text[0] && memchr(error->text, 0, sizeof(error->text)));
}
