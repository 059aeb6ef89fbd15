/* SPDX-License-Identifier: MIT */
/* Prints what "gmemctl probe" found out: for people as tables, for machines as JSON. */
#include <inttypes.h>
#include <string.h>

#include "probe.h"

#define NAME_WIDTH 18

static const char *state_name(const struct gmem_feature_info *info)
{
	return info->state == 1 ? "yes" : info->state == 0 ? "no" : "unknown";
}

static bool is_simulated(const struct probe *probe)
{
	return strncmp(probe->kernel, "sim:", 4) == 0;
}

static void print_caps(const struct probe *probe, FILE *out)
{
	fprintf(out, "\n%3s %-34s %-7s %8s", "NR", "CAPABILITY", "SINCE", "DEVICE");
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		if (probe->vm_types[type].is_offered)
			fprintf(out, " %12s", probe->vm_types[type].name);
	}
	for (uint32_t i = 0; i < probe->cap_count; i++) {
		const struct probe_cap *cap = &probe->caps[i];

		fprintf(out, "\n%3" PRIu32 " %-34s %-7s %8d", cap->number, cap->name, cap->since,
			cap->value);
		for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
			if (!probe->vm_types[type].is_offered)
				continue;
			if (probe->vm_types[type].create_error)
				fprintf(out, " %12s", "-");
			else
				fprintf(out, " %12d", cap->vm_value[type]);
		}
	}
	fputc('\n', out);
}

static void print_answer(const struct gmem_feature_info *info, FILE *out)
{
	fprintf(out, "%-*s %-8s %s\n", NAME_WIDTH, info->name, state_name(info),
		info->state == 1 ? info->mechanism : info->reason);
}

static void print_vm_type(const struct probe_vm_type *type, FILE *out)
{
	fprintf(out, "\nVMs of type %s\n", type->name);
	if (type->create_error)
		fprintf(out, "none could be made: %s\n", strerror(-type->create_error));
	fprintf(out, "%-*s %-8s %s\n", NAME_WIDTH, "FEATURE", "HERE", "BY WHAT, OR WHY NOT");
	for (uint32_t i = 0; i < GMEM_FEATURE_COUNT; i++)
		print_answer(&type->features[i], out);
	fprintf(out, "%-*s %-8s %s\n", NAME_WIDTH, "JOB", "HERE", "MECHANISM, OR WHY NONE");
	for (uint32_t i = 0; i < GMEM_CAPABILITY_COUNT; i++)
		print_answer(&type->mechanisms[i], out);
}

static void print_pools(const struct probe *probe, FILE *out)
{
	if (probe->pool_count == 0) {
		fprintf(out, "\nNo pool of huge pages.\n");
		return;
	}
	fprintf(out, "\n%-18s %9s %9s %9s %9s\n", "HUGE PAGES", "SIZE", "TOTAL", "FREE", "SURPLUS");
	for (uint32_t i = 0; i < probe->pool_count; i++) {
		const struct probe_pool *pool = &probe->pools[i];

		fprintf(out,
			"node %-13" PRIu32 " %5" PRIu64 " MiB %9" PRIu64 " %9" PRIu64 " %9" PRIu64
			"\n",
			pool->node, pool->page_size >> 20, pool->total, pool->free, pool->surplus);
	}
}

static void print_privileges(const struct probe *probe, FILE *out)
{
	fprintf(out, "\n%-26s %-8s %s\n", "PRIVILEGE", "HELD", "HOW, AND WHAT NEEDS IT");
	for (uint32_t i = 0; i < probe->privilege_count; i++) {
		const struct probe_privilege *privilege = &probe->privileges[i];

		fprintf(out, "%-26s %-8s %s. For %s.\n", privilege->name,
			privilege->is_held ? "yes" : "no", privilege->detail,
			privilege->needed_for);
	}
}

void probe_print_text(const struct probe *probe, FILE *out)
{
	const char *separator = "";

	fprintf(out, "libgmem   %s\n", gmem_version());
	if (is_simulated(probe))
		fprintf(out, "kernel    simulated, profile %s\n", probe->kernel + 4);
	else
		fprintf(out, "kernel    %s %s %s (what it has is asked, not read off here)\n",
			probe->system.sysname, probe->system.release, probe->system.machine);
	fprintf(out, "VM types  ");
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		if (!probe->vm_types[type].is_offered)
			continue;
		fprintf(out, "%s%s", separator, probe->vm_types[type].name);
		separator = ", ";
	}
	fputc('\n', out);
	print_caps(probe, out);
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		if (probe->vm_types[type].is_offered)
			print_vm_type(&probe->vm_types[type], out);
	}
	print_pools(probe, out);
	print_privileges(probe, out);
}

static void write_kernel(const struct probe *probe, struct json *json)
{
	json_key(json, "kernel");
	json_begin(json, '{');
	json_key(json, "interface");
	json_string(json, probe->kernel);
	json_key(json, "sysname");
	json_string(json, is_simulated(probe) ? NULL : probe->system.sysname);
	json_key(json, "release");
	json_string(json, is_simulated(probe) ? NULL : probe->system.release);
	json_key(json, "machine");
	json_string(json, is_simulated(probe) ? NULL : probe->system.machine);
	json_end(json, '}');
}

static void write_vm_values(const struct probe *probe, const struct probe_cap *cap,
			    struct json *json)
{
	json_key(json, "vm_value");
	json_begin(json, '{');
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		const struct probe_vm_type *vm_type = &probe->vm_types[type];

		if (!vm_type->is_offered || vm_type->create_error)
			continue;
		json_key(json, vm_type->name);
		json_number(json, cap->vm_value[type]);
	}
	json_end(json, '}');
}

static void write_caps(const struct probe *probe, struct json *json)
{
	json_key(json, "capabilities");
	json_begin(json, '[');
	for (uint32_t i = 0; i < probe->cap_count; i++) {
		const struct probe_cap *cap = &probe->caps[i];

		json_begin(json, '{');
		json_key(json, "number");
		json_number(json, cap->number);
		json_key(json, "name");
		json_string(json, cap->name);
		json_key(json, "since");
		json_string(json, cap->since);
		json_key(json, "value");
		json_number(json, cap->value);
		write_vm_values(probe, cap, json);
		json_end(json, '}');
	}
	json_end(json, ']');
}

static void write_answers(const char *key, const struct gmem_feature_info *infos, uint32_t count,
			  struct json *json)
{
	json_key(json, key);
	json_begin(json, '[');
	for (uint32_t i = 0; i < count; i++) {
		const struct gmem_feature_info *info = &infos[i];

		json_begin(json, '{');
		json_key(json, "name");
		json_string(json, info->name);
		json_key(json, "state");
		json_string(json, state_name(info));
		json_key(json, "mechanism");
		json_string(json, info->mechanism);
		json_key(json, "reason");
		json_string(json, info->reason);
		if (info->cap) {
			json_key(json, "capability");
			json_number(json, info->cap);
			json_key(json, "capability_value");
			json_number(json, info->cap_value);
		}
		if (info->state < 0) {
			json_key(json, "error");
			json_number(json, info->state);
		}
		json_end(json, '}');
	}
	json_end(json, ']');
}

static void write_vm_types(const struct probe *probe, struct json *json)
{
	json_key(json, "vm_types");
	json_begin(json, '[');
	for (uint32_t type = 0; type < GMEM_VM_TYPE_COUNT; type++) {
		const struct probe_vm_type *vm_type = &probe->vm_types[type];

		json_begin(json, '{');
		json_key(json, "number");
		json_number(json, type);
		json_key(json, "name");
		json_string(json, vm_type->name);
		json_key(json, "offered");
		json_bool(json, vm_type->is_offered);
		if (vm_type->is_offered) {
			json_key(json, "create_error");
			json_number(json, vm_type->create_error);
			write_answers("features", vm_type->features, GMEM_FEATURE_COUNT, json);
			write_answers("mechanisms", vm_type->mechanisms, GMEM_CAPABILITY_COUNT,
				      json);
		}
		json_end(json, '}');
	}
	json_end(json, ']');
}

static void write_pools(const struct probe *probe, struct json *json)
{
	json_key(json, "hugepage_pools");
	json_begin(json, '[');
	for (uint32_t i = 0; i < probe->pool_count; i++) {
		const struct probe_pool *pool = &probe->pools[i];

		json_begin(json, '{');
		json_key(json, "node");
		json_number(json, pool->node);
		json_key(json, "page_size");
		json_number(json, (int64_t)pool->page_size);
		json_key(json, "total");
		json_number(json, (int64_t)pool->total);
		json_key(json, "free");
		json_number(json, (int64_t)pool->free);
		json_key(json, "surplus");
		json_number(json, (int64_t)pool->surplus);
		json_end(json, '}');
	}
	json_end(json, ']');
}

static void write_privileges(const struct probe *probe, struct json *json)
{
	json_key(json, "privileges");
	json_begin(json, '[');
	for (uint32_t i = 0; i < probe->privilege_count; i++) {
		const struct probe_privilege *privilege = &probe->privileges[i];

		json_begin(json, '{');
		json_key(json, "name");
		json_string(json, privilege->name);
		json_key(json, "held");
		json_bool(json, privilege->is_held);
		json_key(json, "detail");
		json_string(json, privilege->detail);
		json_key(json, "needed_for");
		json_string(json, privilege->needed_for);
		json_end(json, '}');
	}
	json_end(json, ']');
}

void probe_print_json(const struct probe *probe, FILE *out)
{
	struct json json = {.out = out};

	json_begin(&json, '{');
	json_key(&json, "libgmem");
	json_string(&json, gmem_version());
	write_kernel(probe, &json);
	write_caps(probe, &json);
	write_vm_types(probe, &json);
	write_pools(probe, &json);
	write_privileges(probe, &json);
	json_end(&json, '}');
}
