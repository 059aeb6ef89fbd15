/* SPDX-License-Identifier: MIT */
/* Writes JSON (RFC 8259), nothing else. */
#include <inttypes.h>
#include <string.h>

#include "gmemctl.h"

static void indent(struct json *json)
{
	fputc('\n', json->out);
	for (int i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

/* What stands before a value: nothing behind its key, else a comma where it is not the first. */
static void begin_value(struct json *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->depth == 0)
		return;
	if (json->has_member[json->depth])
		fputc(',', json->out);
	json->has_member[json->depth] = true;
	indent(json);
}

void json_begin(struct json *json, char bracket)
{
	begin_value(json);
	fputc(bracket, json->out);
	json->depth++;
	json->has_member[json->depth] = false;
}

void json_end(struct json *json, char bracket)
{
	bool had_member = json->has_member[json->depth];

	json->depth--;
	if (had_member)
		indent(json);
	fputc(bracket, json->out);
	if (json->depth == 0)
		fputc('\n', json->out);
}

/* Bytes above 0x7f pass through: all strings here are ASCII or the kernel's own UTF-8. */
static void write_string(struct json *json, const char *value)
{
	fputc('"', json->out);
	for (const char *c = value; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(json->out, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			fprintf(json->out, "\\u%04x", (unsigned char)*c);
		else
			fputc(*c, json->out);
	}
	fputc('"', json->out);
}

void json_key(struct json *json, const char *key)
{
	begin_value(json);
	write_string(json, key);
	fputs(": ", json->out);
	json->after_key = true;
}

void json_string(struct json *json, const char *value)
{
	begin_value(json);
	if (value)
		write_string(json, value);
	else
		fputs("null", json->out);
}

void json_number(struct json *json, int64_t value)
{
	begin_value(json);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, bool value)
{
	begin_value(json);
	fputs(value ? "true" : "false", json->out);
}
