/* SPDX-License-Identifier: MIT */
/* Reads test vectors. */
#include "vectors.h"

#include <libgmem/launch.h>
#include <sys/stat.h>
#include <unistd.h>

const char *vector_dir(void)
{
	return TEST_SOURCE_ROOT "/tests/vectors";
}

const char *vector_foreign_dir(void)
{
	const char *dir = getenv("GMEM_VECTORS");

	if (!dir)
		dir = TEST_SOURCE_ROOT "/../shared/vectors";
	return access(dir, R_OK) ? NULL : dir;
}

/* The whole rest of @file, NUL terminated. */
static char *read_text(FILE *file)
{
	size_t size = 0, capacity = 1 << 20;
	char *text = malloc(capacity);
	size_t n;

	MUST(text);
	while ((n = fread(text + size, 1, capacity - size - 1, file))) {
		size += n;
		if (capacity - size < 2) {
			capacity *= 2;
			text = realloc(text, capacity);
			MUST(text);
		}
	}
	text[size] = '\0';
	return text;
}

static size_t split(char *line, char **cells)
{
	size_t count = 0;
	char *cell;

	while ((cell = strsep(&line, "\t"))) {
		MUST(count < VECTOR_COLUMNS);
		cells[count++] = cell;
	}
	return count;
}

static struct vector_table parse(FILE *file)
{
	struct vector_table table = {.text = read_text(file)};
	char *rest = table.text, *line = strsep(&rest, "\n");

	table.column_count = split(line + (*line == '#'), table.columns);
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		table.rows = reallocarray(table.rows, table.count + 1, sizeof(*table.rows));
		MUST(table.rows);
		MUST(split(line, table.rows[table.count++].cells) == table.column_count);
	}
	MUST(table.count);
	return table;
}

struct vector_table vector_table_read(const char *dir, const char *name)
{
	struct vector_table table;
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	MUST(file);
	table = parse(file);
	fclose(file);
	return table;
}

struct vector_table vector_table_convert(const char *json, const char *name)
{
	struct vector_table table;
	char command[1024];
	FILE *file;

	snprintf(command, sizeof(command), "python3 '%s/to_tsv.py' '%s' %s", vector_dir(), json,
		 name);
	file = popen(command, "re");
	MUST(file);
	table = parse(file);
	MUST(pclose(file) == 0);
	return table;
}

void vector_table_free(struct vector_table *table)
{
	free(table->rows);
	free(table->text);
}

const char *vector_cell(const struct vector_table *table, size_t row, const char *column)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (strcmp(table->columns[i], column))
			continue;
		return strcmp(table->rows[row].cells[i], "-") ? table->rows[row].cells[i] : NULL;
	}
	fprintf(stderr, "no column %s\n", column);
	gt_must(__FILE__, __LINE__, "the column exists");
}

uint64_t vector_number(const struct vector_table *table, size_t row, const char *column)
{
	const char *cell = vector_cell(table, row, column);

	return cell ? strtoull(cell, NULL, 0) : 0;
}

bool vector_file_read(const char *dir, const char *name, struct vector_file *ret_file)
{
	struct stat stat;
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	MUST(fstat(fileno(file), &stat) == 0);
	ret_file->size = (size_t)stat.st_size;
	ret_file->data = aligned_alloc(4096, (ret_file->size + 4096) & ~(size_t)4095);
	MUST(ret_file->data);
	MUST(fread(ret_file->data, 1, ret_file->size, file) == ret_file->size);
	fclose(file);
	return true;
}

void vector_file_free(struct vector_file *file)
{
	free(file->data);
	*file = (struct vector_file){0};
}

static uint8_t nibble(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = strchr(digits, c);

	MUST(c && at);
	return (uint8_t)(at - digits);
}

size_t vector_unhex(const char *text, uint8_t *bytes, size_t size)
{
	size_t count = strlen(text) / 2;

	MUST(strlen(text) % 2 == 0 && count <= size);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	return count;
}

const char *vector_hex(const uint8_t *bytes, size_t size)
{
	static char text[129];

	MUST(size <= 64);
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

void expect_digest(const char *row, const uint8_t *got, size_t size, const char *want)
{
	const char *text = vector_hex(got, size);

	if (!EXPECT_CASE(row, "the digest is equal", !strcmp(text, want), true))
		fprintf(stderr, "  got  %s\n  want %s\n", text, want);
}

void expect_refused(const char *row, int got, int want, const struct gmem_measure_error *error,
		    const char *text)
{
	EXPECT_CASE(row, "the code", got, want);
	EXPECT_CASE(row, "the code in the record", -error->code, want);
	if (!EXPECT_CASE(row, "the reason", strstr(error->text, text) != NULL, true))
		fprintf(stderr, "  got  \"%s\"\n  want \"%s\"\n", error->text, text);
}
