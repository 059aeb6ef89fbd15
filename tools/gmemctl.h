/* SPDX-License-Identifier: MIT */
/* What the files of gmemctl share: its commands, how it says what went wrong, its JSON writer. */
#ifndef GMEMCTL_H
#define GMEMCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libgmem/libgmem.h>

/* A command gets its own name as argv[0] and returns gmemctl's exit status. */
#define STATUS_OK     0
#define STATUS_FAILED 1
#define STATUS_USAGE  2

int command_hugepages(int argc, char **argv);
int command_measure(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_prealloc(int argc, char **argv);
int command_probe(int argc, char **argv);

/* Say on stderr what went wrong, as printf() does, with gmemctl's name before and a newline behind. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* json.c: one value after the other; commas, indentation and escapes are looked after. */
struct json {
	FILE *out;
	int depth;
	bool has_member[16]; /* by depth */
	bool after_key;
};

void json_begin(struct json *json, char bracket); /* { or [ */
void json_end(struct json *json, char bracket);   /* } or ] */
void json_key(struct json *json, const char *key);
void json_string(struct json *json, const char *value); /* NULL gives null */
void json_number(struct json *json, int64_t value);
void json_bool(struct json *json, bool value);

#endif
